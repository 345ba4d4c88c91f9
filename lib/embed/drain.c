// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sleds of the embedded device, and sessions that take one out of service. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../kmod/engine/validate.h"
#include "../home.h"
#include "embed.h"

/* How long a thread may stay with HBM while writes begin to be watched. */
#define STAY_NS 1000000000ull
/* Who stays longer is named. */
#define HOLDS_NS 5000000ull
/* Copied at a time: how long who frees it may wait. */
#define PIECE (256u << 10)

struct embed_session {
	struct embed_device *dev; /* held */
	pthread_mutex_t lock;
	u32 sled, state;
	u64 operation, budget_ns;
	bool back; /* it brings the sled back ... */
	struct embed_sled was; /* ... which is this, should it not */
	u32 fault, slot;
	struct vn_moves moves;
	struct vn_pace pace;
	u32 rounds;
	u64 copied, stop_bytes, pause_ns, waits;
	u64 total; /* on the sled */
	u64 left; /* written meanwhile, after the last round */
	u32 slow_us; /* rest of who writes */
};

static void set_state(struct embed_session *s, u32 state)
{
	pthread_mutex_lock(&s->dev->sleds_lock);
	s->state = state;
	s->dev->sled[s->sled].s.state = state;
	pthread_mutex_unlock(&s->dev->sleds_lock);
}

static bool called_off(struct embed_session *s)
{
	bool off;

	pthread_mutex_lock(&s->dev->sleds_lock);
	off = s->dev->sled[s->sled].off;
	pthread_mutex_unlock(&s->dev->sleds_lock);
	return off;
}

static bool moves(const struct embed_session *s, const struct embed_mem *m)
{
	for (u32 i = 0; m->move && i < s->moves.n; i++)
		if (s->moves.chip[i] == m->hbm.chip)
			return true;
	return false;
}

/* Every allocation that moves with it; objects held. */
#define for_each_move(s, ctx, m)                                                                   \
	for (ctx = (s)->dev->contexts; ctx; ctx = ctx->next)                                       \
		for (m = ctx->mems; m; m = m->next)                                                \
			if (moves(s, m))

/* All runners, and all threads that hold HBM, have been seen outside. */
static int pass(struct embed_session *s, u64 deadline)
{
	u64 began = vn_now();
	pid_t holder = embed_gates_pass(deadline);

	embed_runners_wait(s->dev);
	if (!holder)
		return 0;
	/* Any write may take a moment. */
	if (vn_now() - began < HOLDS_NS)
		return -ETIME;
	return vn_fail(-EBUSY,
		       "sled %u: thread %d holds HBM (vn_mem_begin() without vn_mem_end()) for too "
		       "long",
		       s->sled, holder);
}

static u64 dirty_bytes(struct embed_session *s, u64 *total)
{
	struct embed_context *ctx;
	struct embed_mem *m;
	u64 n = 0;

	*total = 0;
	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m)
	{
		n += vn_hbm_count(m->move->dirty, m->move->words) * VN_HBM_PAGE;
		*total += m->hbm.bytes;
	}
	pthread_mutex_unlock(&s->dev->objects);
	return n;
}

static int watch(struct embed_session *s)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	pthread_mutex_lock(&s->dev->objects);
	vn_fetch_add(&s->dev->moving, 1u);
	for_each_move(s, ctx, m)
	{
		vn_hbm_mark(m->move->dirty, 0, m->hbm.bytes);
		vn_store_release(&m->hbm.dirty, m->move->dirty);
	}
	pthread_mutex_unlock(&s->dev->objects);
	return pass(s, vn_now() + STAY_NS);
}

static void unwatch(struct embed_session *s)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m) WRITE_ONCE(m->hbm.dirty, NULL);
	pthread_mutex_unlock(&s->dev->objects);
	vn_fetch_add(&s->dev->moving, -1u);
}

/* An allocation of which something was taken, marked as being copied; or NULL. */
static struct embed_mem *next_taken(struct embed_session *s)
{
	struct embed_context *ctx;
	struct embed_mem *m, *found = NULL;
	u64 page;

	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m)
	{
		page = 0;
		if (!found && !m->leaving && m->move->copy &&
		    vn_hbm_run(m->move->taken, m->hbm.bytes / VN_HBM_PAGE, &page))
			found = m;
	}
	if (found)
		found->move->copying = true;
	pthread_mutex_unlock(&s->dev->objects);
	return found;
}

/* A piece of what was taken, of any allocation; without locks, so that nobody waits for it. */
static int copy_piece(struct embed_session *s, struct embed_copied *c, bool *more)
{
	struct embed_mem *m = next_taken(s);
	int err;

	*more = m;
	if (!m)
		return 0;
	c->room = PIECE;
	err = embed_move_copy(m, c);
	pthread_mutex_lock(&s->dev->objects);
	m->move->copying = false;
	pthread_cond_broadcast(&s->dev->unfenced);
	pthread_mutex_unlock(&s->dev->objects);
	return err;
}

static void set_slow(struct embed_session *s, u32 us)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m) WRITE_ONCE(m->hbm.slow_us, us);
	pthread_mutex_unlock(&s->dev->objects);
}

/* Where copying does not catch up, writers rest. */
static void slow_down(struct embed_session *s)
{
	u64 total, left = dirty_bytes(s, &total);

	if (s->rounds > 1 && vn_pace_ns(&s->pace, left) > s->budget_ns)
		s->slow_us = vn_drain_slow(s->left, left, s->slow_us);
	s->left = left;
	set_slow(s, s->slow_us);
}

static int round_of(struct embed_session *s)
{
	struct embed_copied c = { .deadline = UINT64_MAX };
	struct embed_context *ctx;
	struct embed_mem *m;
	bool more = true;
	int err;

	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m) vn_hbm_take(m->move->dirty, m->move->taken, m->move->words);
	pthread_mutex_unlock(&s->dev->objects);
	/* Who marked before it was taken has written what he marked. */
	err = pass(s, vn_now() + STAY_NS);
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

/* ---- the pause ------------------------------------------------------------------- */

static void fence(struct embed_session *s, u32 on)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	for_each_move(s, ctx, m) vn_xchg(&m->hbm.fenced, on);
}

static int stop_copy(struct embed_session *s, u64 deadline)
{
	struct embed_copied c = { .deadline = deadline };
	struct embed_context *ctx;
	struct embed_mem *m;
	int err = 0;

	for_each_move(s, ctx, m)
	{
		if (err)
			continue;
		vn_hbm_take(m->move->dirty, m->move->taken, m->move->words);
		c.room = UINT64_MAX;
		err = called_off(s) ? -ECANCELED : embed_move_copy(m, &c);
	}
	s->stop_bytes = c.bytes;
	s->copied += c.bytes;
	return err;
}

/* From here on it is too late to call it off. */
static int verified(struct embed_session *s)
{
	struct embed_sled *sled = &s->dev->sled[s->sled];
	int err = 0;

	pthread_mutex_lock(&s->dev->sleds_lock);
	if (sled->off)
		err = -ECANCELED;
	else
		s->state = sled->s.state = VN_SLED_VERIFIED;
	pthread_mutex_unlock(&s->dev->sleds_lock);
	return err;
}

/* The address of a mapping is the only thing that could still fail: then all go back. */
static int flip(struct embed_session *s)
{
	struct vn_switch *sw = &s->dev->sw;
	struct embed_context *ctx;
	struct embed_mem *m;
	int err = 0;

	for_each_move(s, ctx, m) err = err ?: embed_move_flip(m);
	if (err)
		return err;
	pthread_mutex_lock(&s->dev->sleds_lock);
	for (u32 i = 0; i < s->moves.n; i++)
		vn_switch_move(sw, s->moves.chip[i], s->moves.slot[i]);
	WRITE_ONCE(sw->epoch, sw->epoch + 1);
	pthread_mutex_unlock(&s->dev->sleds_lock);
	return 0;
}

static int commit(struct embed_session *s)
{
	struct embed_device *dev = s->dev;
	u64 began, deadline, waits = READ_ONCE(dev->fence_waits);
	int err;

	set_state(s, VN_SLED_FENCED);
	began = vn_now();
	deadline = began + s->budget_ns * VN_FENCE_BUDGETS;
	pthread_mutex_lock(&dev->objects);
	fence(s, 1);
	pthread_mutex_unlock(&dev->objects);
	err = pass(s, deadline);
	pthread_mutex_lock(&dev->objects);
	set_state(s, VN_SLED_STOPCOPY);
	err = err ?: stop_copy(s, deadline);
	if (!err && vn_now() > deadline)
		err = -ETIME;
	err = err ?: verified(s) ?: flip(s);
	fence(s, 0);
	s->pause_ns = vn_now() - began;
	set_state(s, err ? VN_SLED_PRECOPY : VN_SLED_COMMITTED);
	pthread_cond_broadcast(&dev->unfenced);
	pthread_mutex_unlock(&dev->objects);
	embed_semaphores(dev);
	s->waits += READ_ONCE(dev->fence_waits) - waits;
	return err;
}

/* ---- beginning and ending ------------------------------------------------------------ */

static void drop(struct embed_session *s)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	set_slow(s, 0);
	/* Who marks does so in memory that goes now; the CPU's marks are made under objects. */
	embed_runners_wait(s->dev);
	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m) embed_move_free(m);
	pthread_mutex_unlock(&s->dev->objects);
}

static void undo(struct embed_session *s)
{
	struct embed_device *dev = s->dev;

	if (s->state >= VN_SLED_PRECOPY)
		unwatch(s);
	drop(s);
	pthread_mutex_lock(&dev->sleds_lock);
	for (u32 i = 0; i < s->moves.n; i++)
		dev->sw.chip_at[s->moves.slot[i]] = VN_SLOT_FREE;
	dev->sled[s->sled] = (struct embed_sled){ .s.state = VN_SLED_IN_SERVICE };
	pthread_mutex_unlock(&dev->sleds_lock);
}

static int make_copies(struct embed_session *s)
{
	struct embed_context *ctx;
	struct embed_mem *m;
	int err = 0;

	pthread_mutex_lock(&s->dev->objects);
	for (ctx = s->dev->contexts; ctx; ctx = ctx->next)
		for (m = ctx->mems; m; m = m->next)
			for (u32 i = 0; i < s->moves.n && !err; i++)
				if (s->moves.chip[i] == m->hbm.chip)
					err = embed_move_new(s->dev, m, s->moves.slot[i]);
	pthread_mutex_unlock(&s->dev->objects);
	return err;
}

/* sleds_lock held */
static int look(struct embed_device *dev, struct vn_drain_open *a, struct vn_moves *m)
{
	struct vn_sled state[VN_MAX_SLEDS + VN_MAX_SPARES];
	const struct vn_sled *sled = &dev->sled[a->sled].s;
	int err;

	if (sled->state != VN_SLED_IN_SERVICE) {
		if (sled->state == VN_SLED_DRAINED && sled->operation == a->operation)
			return -EALREADY;
		return sled->state < VN_SLED_DRAINED ? -EBUSY : -EINVAL;
	}
	for (u32 i = 0; i < ARRAY_SIZE(state); i++)
		state[i] = dev->sled[i].s;
	err = vn_drain_place(&dev->sw, state, a->sled, a->to, m);
	a->chips = m->n;
	a->free_slots = m->free;
	return err;
}

static void count(struct embed_device *dev, struct vn_drain_open *a, const struct vn_moves *m)
{
	struct embed_context *ctx;
	struct embed_mem *mem;
	bool uses;

	a->bytes = 0;
	a->contexts = 0;
	pthread_mutex_lock(&dev->objects);
	for (ctx = dev->contexts; ctx; ctx = ctx->next) {
		uses = false;
		for (mem = ctx->mems; mem; mem = mem->next) {
			for (u32 i = 0; i < m->n; i++) {
				if (m->chip[i] != mem->hbm.chip)
					continue;
				a->bytes += mem->hbm.bytes;
				uses = true;
			}
		}
		a->contexts += uses;
	}
	pthread_mutex_unlock(&dev->objects);
}

/* sleds_lock held */
static int begin_back(struct embed_session *s)
{
	struct embed_sled *sled = &s->dev->sled[s->sled];

	if (!vn_drain_edge(sled->s.state, VN_SLED_VALIDATING))
		return sled->s.state == VN_SLED_IN_SERVICE   ? -EALREADY
		       : sled->s.state == VN_SLED_VALIDATING ? -EBUSY
							     : -EINVAL;
	s->back = true;
	s->was = *sled;
	s->state = VN_SLED_VALIDATING;
	sled->s.state = VN_SLED_VALIDATING;
	return 0;
}

/* sleds_lock held */
static int begin_drain(struct embed_session *s, struct vn_drain_open *a, bool dry)
{
	struct embed_sled *sled = &s->dev->sled[s->sled];
	int err = look(s->dev, a, &s->moves);

	if (err || dry)
		return err;
	for (u32 i = 0; i < s->moves.n; i++)
		s->dev->sw.chip_at[s->moves.slot[i]] = VN_SLOT_TAKEN;
	s->state = VN_SLED_PLANNED;
	sled->s = (struct vn_sled){ VN_SLED_PLANNED, a->operation };
	sled->uid = getuid();
	memcpy(sled->reason, a->reason, VN_REASON);
	return 0;
}

/* A sled that was to come back, and has not been tested to the end. */
static void stay(struct embed_session *s)
{
	if (s->state != VN_SLED_VALIDATING)
		return;
	pthread_mutex_lock(&s->dev->sleds_lock);
	s->dev->sled[s->sled] = s->was;
	pthread_mutex_unlock(&s->dev->sleds_lock);
}

static void keep(struct embed_device *dev)
{
	pthread_mutex_lock(&dev->objects);
	dev->refs++;
	pthread_mutex_unlock(&dev->objects);
}

int embed_drain_open(struct embed_device *dev, struct vn_drain_open *a, struct embed_session **to)
{
	struct embed_session *s = calloc(1, sizeof(*s));
	bool dry = a->flags & VN_DRAIN_DRY_RUN;
	int err;

	*to = NULL;
	if (!s)
		return -ENOMEM;
	a->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	s->dev = dev;
	s->sled = a->sled;
	s->operation = a->operation;
	s->budget_ns = a->budget_ns;
	pthread_mutex_lock(&dev->sleds_lock);
	err = a->flags & VN_DRAIN_BACK ? begin_back(s) : begin_drain(s, a, dry);
	pthread_mutex_unlock(&dev->sleds_lock);
	if (!err || (dry && err == -ENOSPC))
		count(dev, a, &s->moves);
	if (!err && !dry && !s->back) {
		err = make_copies(s);
		if (err)
			undo(s);
	}
	if (!err && !dry) {
		keep(dev);
		*to = s;
		return 0;
	}
	free(s);
	return dry && err == -ENOSPC ? 0 : err;
}

/* On memory of each of its slots, and one of another sled. */
static int validate(struct embed_session *s)
{
	const struct vn_switch *sw = &s->dev->sw;
	u32 n = sw->chips_per_sled, first = s->sled * n;
	u32 other = s->sled ? 0 : sw->slots - 1, bad = 0;
	u8 *block[VN_MAX_CHIPS_PER_SLED + 1] = { NULL };
	struct embed_runner *r;
	int err = 0;

	for (u32 i = 0; i <= n && !err; i++) {
		block[i] = embed_take_pages(s->dev, i < n ? first + i : other, VN_VALIDATE_BYTES);
		err = block[i] ? 0 : -ENOMEM;
	}
	s->fault = VN_FAULT_NONE;
	for (u32 i = 0; i < 4 && !err; i++) {
		r = embed_runner_get(s->dev);
		s->fault = vn_validate(&r->r, block, n + 1, s->operation + i, &bad);
		embed_runner_put(s->dev, r);
		err = s->fault ? -EIO : 0;
	}
	s->slot = bad < n ? first + bad : other;
	for (u32 i = 0; i <= n && block[i]; i++)
		munmap(block[i], VN_VALIDATE_BYTES);
	return err;
}

static int come_back(struct embed_session *s)
{
	int err = validate(s);

	if (err == -EIO) {
		set_state(s, VN_SLED_FAULTED);
	} else if (!err) {
		pthread_mutex_lock(&s->dev->sleds_lock);
		s->dev->sled[s->sled] = (struct embed_sled){ .s.state = VN_SLED_IN_SERVICE };
		s->state = VN_SLED_IN_SERVICE;
		pthread_mutex_unlock(&s->dev->sleds_lock);
	}
	return err;
}

static int step(struct embed_session *s, u32 to)
{
	u64 total;
	int err;

	if (s->back)
		return s->state == VN_SLED_VALIDATING && to == VN_SLED_IN_SERVICE ? come_back(s)
										  : -EINVAL;
	if (s->state < VN_SLED_COMMITTED && called_off(s))
		return -ECANCELED;

	switch (to) {
	case VN_SLED_CORDONED:
		if (s->state != VN_SLED_PLANNED)
			return -EINVAL;
		set_state(s, to);
		return 0;
	case VN_SLED_PRECOPY:
		if (s->state == VN_SLED_CORDONED) {
			set_state(s, to);
			err = watch(s);
			if (err)
				return err;
		}
		return s->state == VN_SLED_PRECOPY ? round_of(s) : -EINVAL;
	case VN_SLED_COMMITTED:
		if (s->state != VN_SLED_PRECOPY || !s->rounds)
			return -EINVAL;
		if (vn_pace_ns(&s->pace, dirty_bytes(s, &total)) > s->budget_ns)
			return -EAGAIN;
		return commit(s);
	case VN_SLED_DRAINED:
		if (s->state != VN_SLED_COMMITTED)
			return -EINVAL;
		vn_fetch_add(&s->dev->moving, -1u);
		drop(s);
		set_state(s, to);
		return 0;
	}
	return -EINVAL;
}

int embed_drain_step(struct embed_session *s, struct vn_drain_step *a)
{
	u64 dirty, total;
	int err;

	pthread_mutex_lock(&s->lock);
	err = step(s, a->to);
	dirty = dirty_bytes(s, &total);
	if (s->state < VN_SLED_COMMITTED)
		s->total = total;
	a->total_bytes = s->total;
	a->dirty_bytes = s->state == VN_SLED_PRECOPY ? dirty : 0;
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
	a->slot = s->slot;
	pthread_mutex_unlock(&s->lock);
	return err;
}

void embed_drain_close(struct embed_session *s)
{
	struct embed_device *dev = s->dev;

	if (s->back)
		stay(s);
	else if (s->state < VN_SLED_COMMITTED)
		undo(s);
	else if (s->state == VN_SLED_COMMITTED)
		step(s, VN_SLED_DRAINED);
	pthread_mutex_destroy(&s->lock);
	free(s);
	embed_device_put(dev);
}

int embed_drain_cancel(struct embed_device *dev, u32 sled, u64 operation)
{
	struct embed_sled *d = &dev->sled[sled];
	struct vn_sled was;

	pthread_mutex_lock(&dev->sleds_lock);
	was = d->s;
	if (was.state >= VN_SLED_PLANNED && was.state < VN_SLED_VERIFIED &&
	    (!operation || operation == was.operation))
		d->off = true;
	pthread_mutex_unlock(&dev->sleds_lock);
	if (was.state == VN_SLED_DRAINED && operation && operation == was.operation)
		return vn_fail(-EALREADY, "sled %u: too late: its chips are elsewhere", sled);
	if (was.state < VN_SLED_PLANNED || was.state > VN_SLED_COMMITTED)
		return vn_fail(-ENOENT, "sled %u: nothing is draining this sled", sled);
	if (operation && operation != was.operation)
		return vn_fail(-ESTALE, "sled %u: another operation is draining this sled", sled);
	if (was.state >= VN_SLED_VERIFIED)
		return vn_fail(-EALREADY, "sled %u: too late: its chips are elsewhere", sled);
	return 0;
}

int embed_sled_query(struct embed_context *ctx, struct vn_sled_query *a)
{
	struct embed_device *dev = ctx->dev;
	const struct vn_switch *sw = &dev->sw;
	u32 first = a->sled * sw->chips_per_sled;

	a->chips = 0;
	a->hbm_used = 0;
	pthread_mutex_lock(&dev->objects);
	pthread_mutex_lock(&dev->sleds_lock);
	for (u32 slot = first; slot < first + sw->chips_per_sled; slot++) {
		if (sw->chip_at[slot] >= sw->chips)
			continue;
		a->chips++;
		a->hbm_used += dev->hbm_used[sw->chip_at[slot]];
	}
	a->state = dev->sled[a->sled].s.state;
	a->operation = dev->sled[a->sled].s.operation;
	a->uid = a->operation ? dev->sled[a->sled].uid : ~0u;
	memcpy(a->reason, dev->sled[a->sled].reason, VN_REASON);
	a->epoch = sw->epoch;
	pthread_mutex_unlock(&dev->sleds_lock);
	pthread_mutex_unlock(&dev->objects);
	a->rack = vn_switch_rack(sw, a->sled);
	a->numa_node = dev->nodes > 1 ? (s32)(a->sled * dev->nodes / vn_switch_sleds(sw)) : -1;
	return 0;
}

/* ---- the CPU's own access ------------------------------------------------------------- */

/* The allocation in which an address lies, of any context; objects held. */
static struct embed_mem *mem_at(struct embed_device *dev, const void *p)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	for (ctx = dev->contexts; ctx; ctx = ctx->next)
		for (m = ctx->mems; m; m = m->next)
			if ((u64)((const u8 *)p - m->hbm.base) < m->hbm.bytes)
				return m;
	return NULL;
}

/* Marks what can be; the first that is fenced, or NULL. objects held. */
static struct embed_mem *mark(struct embed_device *dev, char *const *to, u32 n, u64 bytes)
{
	struct embed_mem *m;
	u64 off, most;

	for (u32 i = 0; i < n; i++) {
		m = mem_at(dev, to[i]);
		if (!m || !READ_ONCE(m->hbm.dirty))
			continue;
		if (READ_ONCE(m->hbm.fenced))
			return m;
		off = (u64)((const u8 *)to[i] - m->hbm.base);
		most = m->hbm.bytes - off;
		vn_hbm_mark(m->hbm.dirty, off, bytes < most ? bytes : most);
	}
	return NULL;
}

/* objects held */
static u32 slowest(struct embed_device *dev, char *const *to, u32 n)
{
	const struct embed_mem *m;
	u32 us = 0;

	for (u32 i = 0; i < n; i++) {
		m = mem_at(dev, to[i]);
		if (m && READ_ONCE(m->hbm.slow_us) > us)
			us = READ_ONCE(m->hbm.slow_us);
	}
	return us;
}

/* Something moves: is it this? How long to rest, before it is too late for that. */
static u32 begin_slowly(struct embed_device *dev, char *const *to, u32 n, u64 bytes)
{
	bool outer = !embed_gate_inside();
	u32 slow_us;

	pthread_mutex_lock(&dev->objects);
	/* Who is inside is waited for before anything is taken: he need not wait. */
	while (mark(dev, to, n, bytes) && outer) {
		vn_fetch_add(&dev->fence_waits, 1ull);
		pthread_cond_wait(&dev->unfenced, &dev->objects);
	}
	slow_us = slowest(dev, to, n);
	embed_gate_enter();
	pthread_mutex_unlock(&dev->objects);
	return outer ? slow_us : 0;
}

void embed_mem_begin(void *c, char *const *to, uint32_t n, uint64_t bytes)
{
	struct embed_device *dev = ((struct embed_context *)c)->dev;
	u32 us;

	embed_gate_enter();
	if (!READ_ONCE(dev->moving) || !bytes)
		return;
	embed_gate_leave();
	us = begin_slowly(dev, to, n, bytes);
	if (!us)
		return;
	/* Not inside; then it marks again, what was taken meanwhile. */
	embed_gate_leave();
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000l }, NULL);
	begin_slowly(dev, to, n, bytes);
}

void embed_mem_end(void *c)
{
	(void)c;
	embed_gate_leave();
}
