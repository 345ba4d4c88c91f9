// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "engine/abi.h"
#include "engine/drain.h"
#include "cdev.h"
#include "drain.h"
#include "move.h"
#include "netlink.h"
#include "pool.h"
#include "trace.h"
#include "worker.h"

/* Copied under hbm_lock at a time: how long an allocation or a free may wait for it. */
#define PIECE		(1u << 20)

/* Events that a session leaves unsaid at a time: of a pause. */
#define UNSAID		4

struct sled {
	struct vn_sled s;
	kuid_t uid;
	u8 reason[VN_REASON];
	struct vn_sled_progress progress;
	bool off;			/* somebody has called off what drains it */
};

/*
 * A session: held by its file. Its fields are guarded by lock; what others see of
 * the sled (sled_lock) follows it.
 */
struct session {
	struct mutex lock;
	u32 sled, state;
	u64 operation, budget_ns;
	kuid_t uid;
	u8 reason[VN_REASON];
	bool back;			/* it brings the sled back ... */
	struct sled was;		/* ... which is this, should it not */
	u32 fault, slot;
	struct vn_moves moves;
	struct vn_pace pace;
	u32 rounds;
	u64 copied, stop_bytes, pause_ns, waits;
	u64 total;			/* on the sled */
	u64 left;			/* written meanwhile, after the last round */
	u32 slow_us;			/* rest of who writes */
	struct vn_sled_event event[UNSAID];
	u32 nevents;
};

static struct sled sleds[VN_MAX_SLEDS + VN_MAX_SPARES];

/* Guards sleds[], the map of the switch, and unsaid; inside hbm_lock. */
static DEFINE_MUTEX(sled_lock);
/*
 * Events of all sessions, in the order in which they happened. Whoever adds some says all
 * there are before his session goes: never with a lock that writers wait for.
 */
static LIST_HEAD(unsaid);
/* Held by who says them, so that the order stays. */
static DEFINE_MUTEX(say_lock);
static atomic64_t fence_waits;

void vn_drain_waited(u32 times)
{
	atomic64_add(times, &fence_waits);
}

/* ---- what others see ----------------------------------------------------- */

/* Under sled_lock. */
static void see(u32 sled, struct vn_sled_seen *seen)
{
	const struct vn_switch *sw = &vn_server.sw;
	const struct sled *from = &sleds[sled];
	u32 first = sled * sw->chips_per_sled;

	*seen = (struct vn_sled_seen){
		.sled = sled,
		.state = from->s.state,
		.rack = vn_switch_rack(sw, sled),
		.numa_node = vn_device_node(sled),
		.epoch = sw->epoch,
		.operation = from->s.operation,
		.uid = from->s.operation ? from->uid : INVALID_UID,
		.drains = from->s.state >= VN_SLED_PLANNED && from->s.state <= VN_SLED_COMMITTED,
		.progress = from->progress,
	};
	memcpy(seen->reason, from->reason, VN_REASON);
	for (u32 slot = first; slot < first + sw->chips_per_sled; slot++) {
		if (sw->chip_at[slot] >= sw->chips)
			continue;
		seen->chips++;
		seen->hbm_used += atomic64_read(&vn_server.chip[sw->chip_at[slot]].hbm_used);
	}
}

void vn_sled_see(u32 sled, struct vn_sled_seen *seen)
{
	mutex_lock(&sled_lock);
	see(sled, seen);
	mutex_unlock(&sled_lock);
}

int vn_sled_cancel(u32 sled, u64 operation)
{
	struct sled *d = &sleds[sled];
	u32 state;
	int err = 0;

	mutex_lock(&sled_lock);
	state = d->s.state;
	if (state == VN_SLED_DRAINED && operation && operation == d->s.operation)
		err = -EALREADY;
	else if (state < VN_SLED_PLANNED || state > VN_SLED_COMMITTED)
		err = -ENOENT;
	else if (operation && operation != d->s.operation)
		err = -ESTALE;
	else if (state >= VN_SLED_VERIFIED)
		err = -EALREADY;
	else
		WRITE_ONCE(d->off, true);
	mutex_unlock(&sled_lock);
	return err;
}

/* An event, to be said later. Under sled_lock. */
static void note(struct session *s, u32 from)
{
	struct vn_sled_event *e = &s->event[s->nevents];

	if (s->nevents == UNSAID)
		return;
	s->nevents++;
	e->from = from;
	see(s->sled, &e->seen);
	e->seen.operation = s->operation;
	e->seen.uid = s->uid;
	memcpy(e->seen.reason, s->reason, VN_REASON);
	list_add_tail(&e->list, &unsaid);
}

/* Says what is unsaid; none of this session's is afterwards. */
static void say(struct session *s)
{
	struct vn_sled_event *e;

	mutex_lock(&say_lock);
	do {
		mutex_lock(&sled_lock);
		e = list_first_entry_or_null(&unsaid, struct vn_sled_event, list);
		if (e)
			list_del(&e->list);
		mutex_unlock(&sled_lock);
		if (e)
			vn_netlink_event(e);
	} while (e);
	mutex_unlock(&say_lock);
	s->nevents = 0;
}

/* Notes it only; under sled_lock. */
static void go(struct session *s, u32 state)
{
	struct sled *sled = &sleds[s->sled];

	sled->s.state = state;
	sled->progress.copied_bytes = s->copied;
	sled->progress.pause_ns = s->pause_ns;
	if (state == VN_SLED_COMMITTED) {
		sled->progress.dirty_bytes = 0;
		sled->progress.estimate_ns = 0;
	}
	note(s, s->state);
	s->state = state;
}

/* The same in a pause, where it costs next to nothing. */
static void pass(struct session *s, u32 state)
{
	mutex_lock(&sled_lock);
	go(s, state);
	mutex_unlock(&sled_lock);
	trace_sled_state(s->sled, state, s->operation);
}

static void set_state(struct session *s, u32 state)
{
	pass(s, state);
	say(s);
}

/* The sled becomes what was, or will be, without this session. */
static void leave(struct session *s, const struct sled *as)
{
	mutex_lock(&sled_lock);
	sleds[s->sled] = *as;
	note(s, s->state);
	s->state = as->s.state;
	mutex_unlock(&sled_lock);
	trace_sled_state(s->sled, as->s.state, s->operation);
	say(s);
}

static bool called_off(const struct session *s)
{
	return READ_ONCE(sleds[s->sled].off);
}

/* ---- all HBM of a session ------------------------------------------------- */

/* Every allocation that moves with it; it takes no break. Under hbm_lock. */
#define for_each_move(s, i, mem)						\
	for (i = 0; i < (s)->moves.n; i++)					\
		list_for_each_entry(mem, &vn_server.chip[(s)->moves.chip[i]].mems, on)	\
			if (mem->move)

static u64 dirty_bytes(struct session *s)
{
	struct vn_mem *mem;
	u64 n = 0;
	u32 i;

	for_each_move(s, i, mem)
		n += vn_move_dirty(mem);
	return n;
}

static u64 total_bytes(struct session *s)
{
	struct vn_mem *mem;
	u64 n = 0;
	u32 i;

	for_each_move(s, i, mem)
		n += mem->hbm.bytes;
	return n;
}

static void watch(struct session *s)
{
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	for_each_move(s, i, mem)
		vn_move_watch(mem);
	mutex_unlock(&vn_server.hbm_lock);
	vn_pool_quiesce();
}

/* The next piece of what was taken, of any allocation; *more: there may be another. */
static int copy_piece(struct session *s, struct vn_copied *c, bool *more)
{
	struct vn_mem *mem;
	int err = 0;
	u32 i;

	*more = false;
	mutex_lock(&vn_server.hbm_lock);
	for_each_move(s, i, mem) {
		c->room = PIECE;
		err = vn_move_copy(mem, c);
		*more = c->room != PIECE;
		if (*more || err)
			goto unlock;
	}
unlock:
	mutex_unlock(&vn_server.hbm_lock);
	return err;
}

/* Where copying does not catch up, writers rest. */
static void slow_down(struct session *s)
{
	struct vn_mem *mem;
	u64 left;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	left = dirty_bytes(s);
	if (s->rounds > 1 && vn_pace_ns(&s->pace, left) > s->budget_ns)
		s->slow_us = vn_drain_slow(s->left, left, s->slow_us);
	s->left = left;
	for_each_move(s, i, mem)
		vn_move_slow(mem, s->slow_us);
	mutex_unlock(&vn_server.hbm_lock);
}

static int round_of(struct session *s)
{
	struct vn_copied c = { .deadline = KTIME_MAX };
	struct vn_mem *mem;
	bool more = true;
	int err = 0;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	for_each_move(s, i, mem)
		vn_move_take(mem);
	mutex_unlock(&vn_server.hbm_lock);
	/* Who marked before it was taken has written what he marked. */
	vn_pool_quiesce();
	while (!err && more)
		err = called_off(s) ? -ECANCELED : copy_piece(s, &c, &more);
	s->pace.bytes += c.bytes;
	s->pace.ns += c.ns;
	s->copied += c.bytes;
	s->rounds++;
	if (!err)
		slow_down(s);
	return err;
}

/* ---- the pause --------------------------------------------------------------- */

static void unfence(struct session *s)
{
	struct vn_mem *mem;
	u32 i;

	for_each_move(s, i, mem)
		vn_move_unfence(mem);
}

static int stop_copy(struct session *s, u64 deadline)
{
	struct vn_copied c = { .deadline = deadline };
	struct vn_mem *mem;
	int err = 0;
	u32 i;

	for_each_move(s, i, mem)
		vn_move_take(mem);
	for_each_move(s, i, mem) {
		c.room = U64_MAX;
		err = err ?: called_off(s) ? -ECANCELED : vn_move_copy(mem, &c);
	}
	s->stop_bytes = c.bytes;
	s->copied += c.bytes;
	return err;
}

/* From here on it is too late to call it off. */
static int verified(struct session *s)
{
	int err = 0;

	mutex_lock(&sled_lock);
	if (sleds[s->sled].off)
		err = -ECANCELED;
	else
		go(s, VN_SLED_VERIFIED);
	mutex_unlock(&sled_lock);
	if (!err)
		trace_sled_state(s->sled, VN_SLED_VERIFIED, s->operation);
	return err;
}

static void flip(struct session *s)
{
	struct vn_switch *sw = &vn_server.sw;
	struct vn_mem *mem;
	u32 i;

	for_each_move(s, i, mem)
		vn_move_flip(mem);
	mutex_lock(&sled_lock);
	for (i = 0; i < s->moves.n; i++) {
		vn_switch_move(sw, s->moves.chip[i], s->moves.slot[i]);
		vn_server.chip[s->moves.chip[i]].node =
			vn_device_node(vn_switch_sled(sw, s->moves.slot[i]));
	}
	WRITE_ONCE(sw->epoch, sw->epoch + 1);
	mutex_unlock(&sled_lock);
}

/* From the first writer kept out to the last let in again. */
static int commit(struct session *s)
{
	u64 waits = atomic64_read(&fence_waits), began, deadline;
	struct vn_mem *mem;
	int err;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	began = ktime_get_ns();
	deadline = began + s->budget_ns * VN_FENCE_BUDGETS;
	pass(s, VN_SLED_FENCED);
	for_each_move(s, i, mem)
		vn_move_fence(mem);
	err = vn_pool_quiesce_until(deadline) ? 0 : -ETIME;
	pass(s, VN_SLED_STOPCOPY);
	err = err ?: stop_copy(s, deadline);
	if (!err && ktime_get_ns() > deadline)
		err = -ETIME;
	err = err ?: verified(s);
	if (!err)
		flip(s);
	unfence(s);
	s->pause_ns = ktime_get_ns() - began;
	pass(s, err ? VN_SLED_PRECOPY : VN_SLED_COMMITTED);
	mutex_unlock(&vn_server.hbm_lock);
	vn_move_wake();
	vn_worker_semaphores();
	say(s);
	/* Nobody reads where it was. */
	vn_pool_quiesce();
	s->waits += atomic64_read(&fence_waits) - waits;
	return err;
}

/* ---- beginning and ending ------------------------------------------------------- */

/* Copies go, or, after the flip, what they are copies of. */
static void drop(struct session *s)
{
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	for_each_move(s, i, mem)
		vn_move_unwatch(mem);
	mutex_unlock(&vn_server.hbm_lock);
	/* Who marks does so in memory that goes now. */
	vn_pool_quiesce();
	mutex_lock(&vn_server.hbm_lock);
	for_each_move(s, i, mem)
		vn_move_free(mem);
	mutex_unlock(&vn_server.hbm_lock);
}

/* What was on the sled is on it no more. */
static void scrub(struct session *s)
{
	struct vn_mem *mem;
	bool more = true;
	u32 i;

	while (more) {
		more = false;
		mutex_lock(&vn_server.hbm_lock);
		for_each_move(s, i, mem)
			more = more || vn_move_scrub(mem, PIECE);
		mutex_unlock(&vn_server.hbm_lock);
		cond_resched();
	}
}

static const struct sled in_service = { .s.state = VN_SLED_IN_SERVICE };

static void undo(struct session *s)
{
	drop(s);
	mutex_lock(&sled_lock);
	for (u32 i = 0; i < s->moves.n; i++)
		vn_server.sw.chip_at[s->moves.slot[i]] = VN_SLOT_FREE;
	mutex_unlock(&sled_lock);
	leave(s, &in_service);
}

/* A sled that was to come back, and has not been tested to the end. */
static void stay(struct session *s)
{
	if (s->state == VN_SLED_VALIDATING)
		leave(s, &s->was);
}

static int make_copies(struct session *s)
{
	struct vn_mem *mem;
	int err = 0;

	mutex_lock(&vn_server.hbm_lock);
	for (u32 i = 0; i < s->moves.n && !err; i++) {
		int node = vn_device_node(vn_switch_sled(&vn_server.sw, s->moves.slot[i]));

		list_for_each_entry(mem, &vn_server.chip[s->moves.chip[i]].mems, on) {
			err = vn_move_new(mem, node);
			if (err)
				break;
		}
	}
	mutex_unlock(&vn_server.hbm_lock);
	return err;
}

/* What a dry run says, and a session begins with. Under sled_lock. */
static int look(struct vn_drain_open *a, struct vn_moves *m)
{
	struct vn_sled state[ARRAY_SIZE(sleds)];
	const struct vn_sled *sled = &sleds[a->sled].s;
	int err;

	if (sled->state != VN_SLED_IN_SERVICE) {
		if (sled->state == VN_SLED_DRAINED && sled->operation == a->operation)
			return -EALREADY;
		return sled->state < VN_SLED_DRAINED ? -EBUSY : -EINVAL;
	}
	for (u32 i = 0; i < ARRAY_SIZE(sleds); i++)
		state[i] = sleds[i].s;
	err = vn_drain_place(&vn_server.sw, state, a->sled, a->to, m);
	a->chips = m->n;
	a->free_slots = m->free;
	return err;
}

/* Who has memory on it, and how much. */
static void count(struct vn_drain_open *a, const struct vn_moves *m)
{
	struct vn_context *ctx;
	struct vn_mem *mem;
	unsigned long id;

	a->bytes = 0;
	a->contexts = 0;
	mutex_lock(&vn_server.hbm_lock);
	for (u32 i = 0; i < m->n; i++)
		list_for_each_entry(mem, &vn_server.chip[m->chip[i]].mems, on)
			a->bytes += mem->hbm.bytes;
	mutex_unlock(&vn_server.hbm_lock);
	mutex_lock(&vn_server.contexts_lock);
	xa_for_each(&vn_server.contexts, id, ctx)
		a->contexts += vn_context_uses(ctx, m->chip, m->n);
	mutex_unlock(&vn_server.contexts_lock);
}

/* ---- the session's fd --------------------------------------------------------------- */

static int come_back(struct session *s)
{
	int err = vn_sled_validate(s->sled, &s->fault, &s->slot);

	if (err == -EIO)
		set_state(s, VN_SLED_FAULTED);
	else if (!err)
		leave(s, &in_service);
	return err;
}

static int step(struct session *s, struct vn_drain_step *a)
{
	int err = 0;

	if (s->back)
		return s->state == VN_SLED_VALIDATING && a->to == VN_SLED_IN_SERVICE
			       ? come_back(s) : -EINVAL;
	if (s->state < VN_SLED_COMMITTED && called_off(s))
		return -ECANCELED;
	switch (a->to) {
	case VN_SLED_CORDONED:
		if (s->state != VN_SLED_PLANNED)
			return -EINVAL;
		set_state(s, a->to);
		return 0;
	case VN_SLED_PRECOPY:
		if (s->state == VN_SLED_CORDONED) {
			watch(s);
			set_state(s, a->to);
		}
		return s->state == VN_SLED_PRECOPY ? round_of(s) : -EINVAL;
	case VN_SLED_COMMITTED:
		if (s->state != VN_SLED_PRECOPY || !s->rounds)
			return -EINVAL;
		mutex_lock(&vn_server.hbm_lock);
		err = vn_pace_ns(&s->pace, dirty_bytes(s)) > s->budget_ns ? -EAGAIN : 0;
		mutex_unlock(&vn_server.hbm_lock);
		return err ?: commit(s);
	case VN_SLED_DRAINED:
		if (s->state != VN_SLED_COMMITTED)
			return -EINVAL;
		scrub(s);
		drop(s);
		set_state(s, a->to);
		return 0;
	}
	return -EINVAL;
}

/* round: one has just ended. */
static void tell(struct session *s, struct vn_drain_step *a, bool round)
{
	mutex_lock(&vn_server.hbm_lock);
	if (s->state < VN_SLED_COMMITTED)
		s->total = total_bytes(s);
	a->total_bytes = s->total;
	a->dirty_bytes = s->state == VN_SLED_PRECOPY ? dirty_bytes(s) : 0;
	mutex_unlock(&vn_server.hbm_lock);
	a->state = s->state;
	a->rounds = s->rounds;
	a->copied_bytes = s->copied;
	a->rate = vn_pace_rate(&s->pace);
	a->estimate_ns = vn_pace_ns(&s->pace, a->dirty_bytes);
	a->pause_ns = s->pause_ns;
	a->stop_bytes = s->stop_bytes;
	a->waits = s->waits;
	a->fault = s->fault;
	a->slow_us = s->slow_us;
	a->reserved = 0;
	a->slot = s->slot;
	mutex_lock(&sled_lock);
	sleds[s->sled].progress = (struct vn_sled_progress){
		.total_bytes = a->total_bytes,
		.copied_bytes = a->copied_bytes,
		.dirty_bytes = a->dirty_bytes,
		.estimate_ns = a->estimate_ns,
		.pause_ns = a->pause_ns,
	};
	if (round)
		note(s, s->state);
	mutex_unlock(&sled_lock);
	say(s);
}

static long session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct session *s = file->private_data;
	struct vn_drain_step a;
	int err;

	if (cmd != VN_IOCTL_DRAIN_STEP)
		return -ENOTTY;
	err = vn_call_copy_in(cmd, &a, (void __user *)arg);
	if (err)
		return err;
	mutex_lock(&s->lock);
	err = step(s, &a);
	tell(s, &a, !err && a.to == VN_SLED_PRECOPY);
	mutex_unlock(&s->lock);
	/* Not enough yet is told with how much it is. */
	if ((!err || err == -EAGAIN || err == -ETIME || err == -EIO || err == -ECANCELED) &&
	    copy_to_user((void __user *)arg, &a, sizeof(a)))
		return -EFAULT;
	return err;
}

static int session_release(struct inode *inode, struct file *file)
{
	struct session *s = file->private_data;

	if (s->back) {
		stay(s);
	} else if (s->state < VN_SLED_COMMITTED) {
		undo(s);
	} else if (s->state == VN_SLED_COMMITTED) {
		scrub(s);
		drop(s);
		set_state(s, VN_SLED_DRAINED);
	}
	mutex_destroy(&s->lock);
	kfree(s);
	return 0;
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = session_release,
	.llseek = noop_llseek,
};

/* Under sled_lock. */
static int begin_back(struct session *s)
{
	struct sled *sled = &sleds[s->sled];

	if (!vn_drain_edge(sled->s.state, VN_SLED_VALIDATING))
		return sled->s.state == VN_SLED_IN_SERVICE ? -EALREADY :
		       sled->s.state == VN_SLED_VALIDATING ? -EBUSY : -EINVAL;
	s->back = true;
	s->was = *sled;
	s->state = sled->s.state;
	go(s, VN_SLED_VALIDATING);
	return 0;
}

/* Under sled_lock. */
static int begin_drain(struct session *s, struct vn_drain_open *a)
{
	struct sled *sled = &sleds[s->sled];
	int err = look(a, &s->moves);

	if (err)
		return err;
	for (u32 i = 0; i < s->moves.n; i++)
		vn_server.sw.chip_at[s->moves.slot[i]] = VN_SLOT_TAKEN;
	*sled = (struct sled){ .s.operation = a->operation, .uid = s->uid };
	memcpy(sled->reason, a->reason, VN_REASON);
	s->state = VN_SLED_IN_SERVICE;
	go(s, VN_SLED_PLANNED);
	return 0;
}

static struct session *session_new(struct vn_drain_open *a)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	mutex_init(&s->lock);
	s->sled = a->sled;
	s->operation = a->operation;
	s->budget_ns = a->budget_ns;
	s->uid = current_uid();
	memcpy(s->reason, a->reason, VN_REASON);
	mutex_lock(&sled_lock);
	err = a->flags & VN_DRAIN_BACK ? begin_back(s) : begin_drain(s, a);
	mutex_unlock(&sled_lock);
	if (err) {
		kfree(s);
		return ERR_PTR(err);
	}
	trace_sled_state(s->sled, s->state, s->operation);
	say(s);
	if (s->back)
		return s;
	count(a, &s->moves);
	mutex_lock(&sled_lock);
	sleds[s->sled].progress.total_bytes = a->bytes;
	mutex_unlock(&sled_lock);
	err = make_copies(s);
	if (err) {
		undo(s);
		kfree(s);
		return ERR_PTR(err);
	}
	return s;
}

static int dry_run(struct vn_drain_open *a)
{
	struct vn_moves m;
	int err;

	mutex_lock(&sled_lock);
	err = look(a, &m);
	mutex_unlock(&sled_lock);
	if (err && err != -ENOSPC)
		return err;
	a->fd = -1;
	count(a, &m);
	return 0;
}

int vn_call_drain_open(struct vn_context *ctx, void *arg, struct file **file)
{
	struct vn_drain_open *a = arg;
	struct session *s;
	int fd;

	*file = NULL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (a->flags & VN_DRAIN_DRY_RUN)
		return dry_run(a);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	s = session_new(a);
	if (IS_ERR(s)) {
		put_unused_fd(fd);
		return PTR_ERR(s);
	}
	*file = anon_inode_getfile("[vneuron-drain]", &session_fops, s, O_RDWR);
	if (IS_ERR(*file)) {
		put_unused_fd(fd);
		if (s->back)
			stay(s);
		else
			undo(s);
		kfree(s);
		return PTR_ERR(*file);
	}
	a->fd = fd;
	return 0;
}
