// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "engine/abi.h"
#include "cdev.h"
#include "drain.h"
#include "export.h"
#include "fault.h"
#include "moves.h"
#include "pool.h"
#include "sled.h"
#include "worker.h"

/* Copied at a time: how long who frees it, or calls it off, may wait. */
#define PIECE		(256u << 10)

/* A session: held by its file. Its fields are guarded by lock. */
struct session {
	struct mutex lock;
	struct vn_sled_op op;
	u64 budget_ns;
	bool back;			/* it brings the sled back */
	u32 fault, slot;
	struct vn_moves moves;
	struct vn_pace pace;
	u32 rounds, given_up;		/* of copying; pauses */
	u64 stop_bytes, waits;
	u64 left;			/* written meanwhile, after the last round */
	u32 slow_us;			/* rest of who writes */
};

static atomic64_t fence_waits;

/* As the last drain has measured it; hbm_lock. */
static struct vn_pace known;

void vn_drain_waited(u32 times)
{
	atomic64_add(times, &fence_waits);
}

/* ---- rounds ------------------------------------------------------------------ */

static u64 dirty_bytes(const struct session *s)
{
	u64 n;

	mutex_lock(&vn_server.hbm_lock);
	n = vn_moves_dirty(&s->moves);
	mutex_unlock(&vn_server.hbm_lock);
	return n;
}

static u64 pause_ns(const struct session *s, u64 dirty)
{
	return vn_pace_pause_ns(&s->pace, dirty, s->budget_ns);
}

/* Where copying does not catch up, writers rest. */
static void slow_down(struct session *s)
{
	u64 left = dirty_bytes(s);

	if (s->rounds > 1 && pause_ns(s, left) > s->budget_ns)
		s->slow_us = vn_drain_slow(s->left, left, s->slow_us);
	s->left = left;
	vn_moves_slow(&s->moves, vn_sled_check(&s->op, &s->moves) ? 0 : s->slow_us);
}

/* All that was taken of an allocation, unless that goes. */
static int copy_pieces(const struct session *s, const struct vn_mem *mem, struct vn_copied *c)
{
	int err;

	do {
		c->room = PIECE;
		err = vn_sled_check(&s->op, &s->moves) ?: vn_move_copy(mem, c);
	} while (!err && c->room != PIECE && !READ_ONCE(mem->leaving));
	return err;
}

static int round_of(struct session *s)
{
	struct vn_copied c = { .deadline = KTIME_MAX };
	struct vn_moves_way w = { .m = &s->moves };
	int err = 0;
	u64 began;

	began = ktime_get_ns();
	vn_moves_take(&s->moves);
	vn_pace_fenced(&s->pace, ktime_get_ns() - began);
	while (!err && vn_moves_next(&w))
		err = w.mem->move ? copy_pieces(s, w.mem, &c) : 0;
	vn_moves_stop(&w);
	s->pace.bytes += c.bytes;
	s->pace.ns += c.ns;
	s->op.progress.copied_bytes += c.bytes;
	if (err)
		return err;
	s->rounds++;
	slow_down(s);
	return 0;
}

/*
 * Does anybody hold memory that is to move? It is as good as pinned: he may write there, and
 * nobody would know.
 */
static int held(const struct session *s)
{
	struct vn_holder h;

	mutex_lock(&vn_server.hbm_lock);
	vn_export_holder(&s->moves, true, &h);
	mutex_unlock(&vn_server.hbm_lock);
	return h.exports ? -EBUSY : 0;
}

/* ---- the pause --------------------------------------------------------------- */

/* hbm_lock, if it can be had by then. */
static bool lock_hbm(u64 deadline)
{
	while (ktime_get_ns() <= deadline) {
		if (mutex_trylock(&vn_server.hbm_lock))
			return true;
		usleep_range(20, 100);
	}
	return false;
}

static int stop_copy(struct session *s, const struct list_head *all, struct vn_copied *c)
{
	struct vn_mem *mem;
	int err = 0;

	list_for_each_entry(mem, all, held_on) {
		vn_move_take_fenced(mem);
		c->room = U64_MAX;
		err = vn_sled_check(&s->op, &s->moves) ?: vn_move_copy(mem, c);
		if (!err && ktime_get_ns() > c->deadline)
			err = -ETIME;
		if (err)
			break;
	}
	s->stop_bytes = c->bytes;
	s->op.progress.copied_bytes += c->bytes;
	return err;
}

/*
 * From the first writer kept out to the last let in again. Who has nothing here goes on: he
 * may want hbm_lock, which is held only so that nothing is lost between the last look at
 * that and the flip.
 */
static int commit(struct session *s)
{
	u64 waits = atomic64_read(&fence_waits), began, deadline, fence_ns, exported;
	struct vn_copied c = {};
	LIST_HEAD(all);
	bool locked;
	int err;

	mutex_lock(&vn_server.hbm_lock);
	exported = vn_export_count(&s->moves);
	mutex_unlock(&vn_server.hbm_lock);
	err = held(s);
	if (err)
		return err;
	vn_moves_hold(&s->moves, &all);
	began = ktime_get_ns();
	deadline = began + s->budget_ns * vn_drain_budgets(s->given_up);
	c.deadline = deadline;
	vn_sled_pass(&s->op, VN_SLED_FENCED);
	err = vn_moves_fence(&all, deadline);
	fence_ns = ktime_get_ns() - began;
	if (!err && !vn_pool_quiesce_until(deadline))
		err = -ETIME;
	vn_sled_pass(&s->op, VN_SLED_STOPCOPY);
	err = err ?: stop_copy(s, &all, &c);
	/* The flip takes down what has been mapped since: that takes no longer than to fence it. */
	locked = !err && lock_hbm(deadline - fence_ns);
	if (!err)
		err = !locked ? -ETIME :
		      vn_export_count(&s->moves) != exported ? -EBUSY :
		      vn_sled_verified(&s->op, &s->moves);
	if (!err) {
		vn_moves_flip(&all);
		vn_sled_flip(&s->moves);
	}
	vn_moves_unfence(&all);
	s->op.progress.pause_ns = ktime_get_ns() - began;
	vn_pace_fenced(&s->pace, s->op.progress.pause_ns - c.ns);
	s->given_up += err == -ETIME;
	vn_sled_pass(&s->op, err ? VN_SLED_PRECOPY : VN_SLED_COMMITTED);
	if (locked)
		mutex_unlock(&vn_server.hbm_lock);
	vn_moves_let_go(&all);
	vn_move_wake();
	vn_worker_semaphores();
	vn_sled_say(&s->op);
	/* Nobody reads where it was. */
	vn_pool_quiesce();
	s->waits += atomic64_read(&fence_waits) - waits;
	return err;
}

/* ---- beginning and ending ------------------------------------------------------- */

static void undo(struct session *s)
{
	vn_moves_drop(&s->moves);
	vn_sled_undo(&s->op, &s->moves);
}

/* Who has memory on it, and how much; and who keeps it there. */
static void count(struct vn_drain_open *a, const struct vn_moves *m)
{
	struct vn_context *ctx;
	struct vn_holder h;
	unsigned long id;

	mutex_lock(&vn_server.hbm_lock);
	vn_export_holder(m, false, &h);
	mutex_unlock(&vn_server.hbm_lock);
	a->exports = h.exports;
	a->holder = h.context;
	a->holder_pid = h.pid;
	a->bytes = vn_moves_bytes(m);
	a->contexts = 0;
	mutex_lock(&vn_server.contexts_lock);
	xa_for_each(&vn_server.contexts, id, ctx)
		a->contexts += vn_context_uses(ctx, m->chip, m->n);
	mutex_unlock(&vn_server.contexts_lock);
}

/* ---- the session's fd --------------------------------------------------------------- */

static int come_back(struct session *s)
{
	int err = vn_sled_validate(s->op.sled, &s->fault, &s->slot);

	if (err == -EIO)
		vn_sled_go(&s->op, VN_SLED_FAULTED);
	else if (!err)
		err = vn_sled_serve(&s->op);
	return err;
}

static int step(struct session *s, struct vn_drain_step *a)
{
	int err;

	if (s->back)
		return s->op.state == VN_SLED_VALIDATING && a->to == VN_SLED_IN_SERVICE
			       ? come_back(s) : -EINVAL;
	err = s->op.state < VN_SLED_COMMITTED ? vn_sled_check(&s->op, &s->moves) : 0;
	if (err)
		return err;
	switch (a->to) {
	case VN_SLED_CORDONED:
		if (s->op.state != VN_SLED_PLANNED)
			return -EINVAL;
		vn_sled_go(&s->op, a->to);
		return 0;
	case VN_SLED_PRECOPY:
		if (s->op.state == VN_SLED_CORDONED) {
			vn_moves_watch(&s->moves);
			vn_sled_go(&s->op, a->to);
		}
		if (s->op.state != VN_SLED_PRECOPY)
			return -EINVAL;
		return held(s) ?: round_of(s);
	case VN_SLED_COMMITTED:
		if (s->op.state != VN_SLED_PRECOPY || !s->rounds)
			return -EINVAL;
		return pause_ns(s, dirty_bytes(s)) > s->budget_ns ? -EAGAIN : commit(s);
	case VN_SLED_DRAINED:
		if (s->op.state != VN_SLED_COMMITTED)
			return -EINVAL;
		vn_moves_scrub(&s->moves);
		vn_moves_drop(&s->moves);
		vn_sled_through(&s->op, &s->moves);
		return 0;
	}
	return -EINVAL;
}

/* round: one has just ended. */
static void tell(struct session *s, struct vn_drain_step *a, bool round)
{
	struct vn_sled_progress *p = &s->op.progress;
	struct vn_holder h = {};

	mutex_lock(&vn_server.hbm_lock);
	if (s->op.state < VN_SLED_COMMITTED) {
		p->total_bytes = vn_moves_total(&s->moves);
		vn_export_holder(&s->moves, true, &h);
	}
	p->dirty_bytes = s->op.state == VN_SLED_PRECOPY ? vn_moves_dirty(&s->moves) : 0;
	if (s->pace.bytes)
		known = s->pace;
	mutex_unlock(&vn_server.hbm_lock);
	p->estimate_ns = s->op.state == VN_SLED_PRECOPY ? pause_ns(s, p->dirty_bytes) : 0;
	a->state = vn_sled_faulted(s->op.sled) ? VN_SLED_FAULTED : s->op.state;
	a->rounds = s->rounds;
	a->total_bytes = p->total_bytes;
	a->copied_bytes = p->copied_bytes;
	a->dirty_bytes = p->dirty_bytes;
	a->rate = vn_pace_rate(&s->pace);
	a->estimate_ns = p->estimate_ns;
	a->pause_ns = p->pause_ns;
	a->stop_bytes = s->stop_bytes;
	a->waits = s->waits;
	a->fault = s->fault;
	a->slow_us = s->slow_us;
	a->reserved = 0;
	a->slot = s->slot;
	a->exports = h.exports;
	a->holder = h.context;
	a->holder_pid = h.pid;
	a->reserved1 = 0;
	vn_sled_tell(&s->op, round);
}

static long session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct session *s = file->private_data;
	struct vn_drain_step a = {};
	int err;

	if (cmd != VN_IOCTL_DRAIN_STEP)
		return -ENOTTY;
	err = vn_call_copy_in(cmd, &a, (void __user *)arg);
	if (err)
		return err;
	/* A step is not taken back because nobody could be told: as it came, to see that one can. */
	if (copy_to_user((void __user *)arg, &a, min_t(u32, a.size, sizeof(a))))
		return -EFAULT;
	if (mutex_lock_killable(&s->lock))
		return -EINTR;
	err = step(s, &a);
	tell(s, &a, !err && a.to == VN_SLED_PRECOPY);
	mutex_unlock(&s->lock);
	/* Not enough yet is told with how much it is, and what was lost with where it is. */
	if (err != -EINVAL && copy_to_user((void __user *)arg, &a, min_t(u32, a.size, sizeof(a))))
		return -EFAULT;
	return err;
}

static int session_release(struct inode *inode, struct file *file)
{
	struct session *s = file->private_data;

	if (s->back) {
		vn_sled_stay(&s->op);
	} else if (s->op.state < VN_SLED_COMMITTED) {
		undo(s);
	} else if (s->op.state == VN_SLED_COMMITTED) {
		vn_moves_scrub(&s->moves);
		vn_moves_drop(&s->moves);
		vn_sled_through(&s->op, &s->moves);
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

/* What can be known beforehand, so that nobody hears of it: a sled that is held stays. */
static int refused(struct vn_drain_open *a)
{
	struct vn_moves m;
	int err = vn_sled_place(a, &m);

	if (!err)
		count(a, &m);
	return err ?: a->exports ? -EBUSY : 0;
}

static struct session *session_new(struct vn_drain_open *a)
{
	struct session *s = vn_fault_alloc() ? NULL : kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	mutex_init(&s->lock);
	s->budget_ns = a->budget_ns;
	s->back = a->flags & VN_DRAIN_BACK;
	s->op.sled = a->sled;
	s->op.id = a->operation;
	s->op.uid = vn_sled_uid(a);
	memcpy(s->op.reason, a->reason, VN_REASON);
	if (!uid_valid(s->op.uid))
		err = -EINVAL;
	else
		err = s->back ? vn_sled_back(&s->op) :
		      refused(a) ?: vn_sled_drain(&s->op, a, &s->moves);
	if (err || s->back)
		goto out;
	count(a, &s->moves);
	s->op.progress.total_bytes = a->bytes;
	vn_sled_tell(&s->op, false);
	err = vn_moves_new(&s->moves);
	if (err)
		undo(s);
out:
	if (!err)
		return s;
	kfree(s);
	return ERR_PTR(err);
}

/* How long it would take, if nothing were written meanwhile. */
static int expect(struct vn_drain_open *a)
{
	struct vn_pace copy, rest = {};
	u64 began;
	int err;

	mutex_lock(&vn_server.hbm_lock);
	copy = known;
	mutex_unlock(&vn_server.hbm_lock);
	err = vn_move_measure(&copy, &rest);
	if (err)
		return err;
	if (!copy.fence_ns) {
		began = ktime_get_ns();
		vn_pool_quiesce();
		vn_pace_fenced(&copy, ktime_get_ns() - began);
	}
	a->rate = vn_pace_rate(&copy);
	a->pause_ns = vn_pace_pause_ns(&copy, 0, U64_MAX);
	a->time_ns = vn_drain_time_ns(&copy, &rest, a->bytes);
	return 0;
}

static int dry_run(struct vn_drain_open *a)
{
	struct vn_moves m;
	int err = vn_sled_place(a, &m);

	if (err && err != -ENOSPC)
		return err;
	a->fd = -1;
	count(a, &m);
	return expect(a);
}

int vn_call_drain_open(struct vn_context *ctx, void *arg, struct file **file)
{
	struct vn_drain_open *a = arg;
	struct session *s;
	int fd;

	*file = NULL;
	a->exports = 0;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (a->flags & VN_DRAIN_DRY_RUN)
		return dry_run(a);
	if (a->flags & VN_DRAIN_MAINTAIN)
		return vn_sled_maintain(a);
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
			vn_sled_stay(&s->op);
		else
			undo(s);
		kfree(s);
		return PTR_ERR(*file);
	}
	a->fd = fd;
	return 0;
}
