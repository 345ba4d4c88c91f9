// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sessions that take a sled of the embedded device out of service. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../kmod/engine/validate.h"
#include "../home.h"
#include "sled.h"

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
	struct embed_who who;
	u64 budget_ns;
	bool back; /* it brings the sled back ... */
	struct embed_sled was; /* ... which is this, should it not */
	u32 fault, slot;
	struct vn_moves moves;
	struct vn_pace pace;
	u32 rounds, given_up; /* of copying; pauses */
	u64 copied, stop_bytes, pause_ns, waits;
	u64 total; /* on the sled */
	u64 left; /* written meanwhile, after the last round */
	u32 slow_us; /* rest of who writes */
	struct embed_progress progress; /* as told last */
};

/* In a pause: it is said later. */
static void go(struct embed_session *s, u32 state)
{
	s->progress.copied_bytes = s->copied;
	s->progress.pause_ns = s->pause_ns;
	if (state == VN_SLED_COMMITTED)
		s->progress.dirty_bytes = s->progress.estimate_ns = 0;
	s->state = state;
	embed_sled_go(s->dev, s->sled, state, &s->who, &s->progress);
}

static void set_state(struct embed_session *s, u32 state)
{
	go(s, state);
	embed_events_say(s->dev);
}

/* The sled becomes what was, or will be, without this session; false: it is FAULTED. */
static bool leave(struct embed_session *s, const struct embed_sled *as, const struct vn_moves *m)
{
	bool becomes = embed_sled_become(s->dev, s->sled, as, &s->who, m);

	s->state = as->s.state;
	embed_events_say(s->dev);
	return becomes;
}

/* Has it been called off, or something been lost? */
static int check(const struct embed_session *s)
{
	return embed_sled_check(s->dev, s->sled, &s->moves);
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
	/* Any write may take a moment: he was given no more. */
	if (deadline - began < HOLDS_NS)
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
		n += vn_hbm_left(m->move->dirty, m->move->taken, m->move->words) * VN_HBM_PAGE;
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
	vn_fetch_add(&embed_move_gen, 1u);
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
		    vn_hbm_next(m->move->taken, m->hbm.bytes / VN_HBM_PAGE, &page))
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
	WRITE_ONCE(s->dev->copied_ns, vn_now());
	pthread_mutex_lock(&s->dev->objects);
	m->move->copying = false;
	if (m->leaving)
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

void embed_drain_hurry(struct embed_device *dev, u32 sled)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	pthread_mutex_lock(&dev->objects);
	for (ctx = dev->contexts; ctx; ctx = ctx->next)
		for (m = ctx->mems; m; m = m->next)
			if (vn_switch_sled(&dev->sw, dev->sw.slot_of[m->hbm.chip]) == sled)
				WRITE_ONCE(m->hbm.slow_us, 0);
	pthread_mutex_unlock(&dev->objects);
}

u32 embed_slow_now(struct embed_device *dev, u32 us)
{
	return us ? vn_drain_rest(us, READ_ONCE(dev->copied_ns), vn_now()) : 0;
}

static u64 pause_ns(const struct embed_session *s, u64 dirty)
{
	return vn_pace_pause_ns(&s->pace, dirty, s->budget_ns);
}

/* Where copying does not catch up, writers rest. */
static void slow_down(struct embed_session *s)
{
	u64 total, left = dirty_bytes(s, &total);

	if (s->rounds > 1 && pause_ns(s, left) > s->budget_ns)
		s->slow_us = vn_drain_slow(s->left, left, s->slow_us);
	s->left = left;
	set_slow(s, check(s) ? 0 : s->slow_us);
}

/* Has somebody else memory that is to move? He may write there, and nobody would know. */
static int held(struct embed_session *s)
{
	struct embed_holder h;

	pthread_mutex_lock(&s->dev->objects);
	embed_exports_holder(s->dev, &s->moves, true, &h);
	pthread_mutex_unlock(&s->dev->objects);
	return h.exports ? -EBUSY : 0;
}

static int round_of(struct embed_session *s)
{
	struct embed_copied c = { .faults = &s->dev->faults, .deadline = UINT64_MAX };
	struct embed_context *ctx;
	struct embed_mem *m;
	u64 began = vn_now();
	bool more = true;
	int err;

	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m) vn_hbm_take(m->move->dirty, m->move->taken, m->move->words);
	pthread_mutex_unlock(&s->dev->objects);
	/* Who marked before it was taken has written what he marked. */
	err = pass(s, vn_now() + STAY_NS);
	vn_pace_fenced(&s->pace, vn_now() - began);
	while (!err && more)
		err = check(s) ?: copy_piece(s, &c, &more);
	s->pace.bytes += c.bytes;
	s->pace.ns += c.ns;
	s->copied += c.bytes;
	if (err)
		return err;
	s->rounds++;
	slow_down(s);
	return 0;
}

/* ---- the pause ------------------------------------------------------------------- */

static void fence(struct embed_session *s, u32 on)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	for_each_move(s, ctx, m) vn_xchg(&m->hbm.fenced, on);
}

/* Without locks, too: who has nothing here goes on. */
static int stop_copy(struct embed_session *s, struct embed_copied *c)
{
	struct embed_context *ctx;
	struct embed_mem *m;
	bool more = true;
	int err = 0;

	pthread_mutex_lock(&s->dev->objects);
	for_each_move(s, ctx, m) vn_hbm_take(m->move->dirty, m->move->taken, m->move->words);
	pthread_mutex_unlock(&s->dev->objects);
	while (!err && more)
		err = check(s) ?: copy_piece(s, c, &more);
	s->stop_bytes = c->bytes;
	s->copied += c->bytes;
	return err;
}

/* From here on it is too late to call it off. */
static int verified(struct embed_session *s)
{
	int err = embed_sled_verify(s->dev, s->sled, &s->who, &s->moves);

	if (!err)
		s->state = VN_SLED_VERIFIED;
	return err;
}

/* The address of a mapping is the only thing that could still fail: then all go back. */
static int flip(struct embed_session *s)
{
	struct embed_context *ctx;
	struct embed_mem *m;
	int err = 0;

	for_each_move(s, ctx, m) err = err ?: embed_move_flip(m);
	if (!err)
		embed_sled_moved(s->dev, &s->moves);
	return err;
}

static int commit(struct embed_session *s)
{
	struct embed_device *dev = s->dev;
	u64 began, deadline, waits = READ_ONCE(dev->fence_waits);
	struct embed_copied c = { .faults = &dev->faults };
	int err;

	/* From here on nothing is exported: it moves. */
	err = held(s);
	if (err)
		return err;
	go(s, VN_SLED_FENCED);
	began = vn_now();
	deadline = began + s->budget_ns * vn_drain_budgets(s->given_up);
	c.deadline = deadline;
	pthread_mutex_lock(&dev->objects);
	fence(s, 1);
	pthread_mutex_unlock(&dev->objects);
	err = pass(s, deadline);
	go(s, VN_SLED_STOPCOPY);
	err = err ?: stop_copy(s, &c);
	if (!err && vn_now() > deadline)
		err = -ETIME;
	pthread_mutex_lock(&dev->objects);
	err = err ?: verified(s) ?: flip(s);
	fence(s, 0);
	s->pause_ns = vn_now() - began;
	vn_pace_fenced(&s->pace, s->pause_ns - c.ns);
	s->given_up += err == -ETIME || err == -EBUSY;
	go(s, err ? VN_SLED_PRECOPY : VN_SLED_COMMITTED);
	pthread_cond_broadcast(&dev->unfenced);
	pthread_mutex_unlock(&dev->objects);
	embed_semaphores(dev);
	embed_events_say(dev);
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

static const struct embed_sled in_service = { .s.state = VN_SLED_IN_SERVICE };

static void undo(struct embed_session *s)
{
	if (s->state >= VN_SLED_PRECOPY)
		unwatch(s);
	drop(s);
	leave(s, &in_service, &s->moves);
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

static void count(struct embed_device *dev, struct vn_drain_open *a, const struct vn_moves *m)
{
	struct embed_context *ctx;
	struct embed_holder h;
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
	embed_exports_holder(dev, m, false, &h);
	pthread_mutex_unlock(&dev->objects);
	a->exports = h.exports;
	a->holder = h.context;
	a->holder_pid = h.pid;
}

/* A sled that was to come back, and has not been tested to the end. */
static void stay(struct embed_session *s)
{
	if (s->state == VN_SLED_VALIDATING)
		leave(s, &s->was, NULL);
}

/* How long it would take, if nothing were written meanwhile. */
static int expect(struct embed_device *dev, struct vn_drain_open *a)
{
	struct vn_pace copy, rest;
	u64 began;
	int err;

	pthread_mutex_lock(&dev->objects);
	copy = dev->pace;
	pthread_mutex_unlock(&dev->objects);
	err = embed_move_measure(dev, &copy, &rest);
	if (err)
		return err;
	if (!copy.fence_ns) {
		began = vn_now();
		embed_gates_pass(began + STAY_NS);
		embed_runners_wait(dev);
		vn_pace_fenced(&copy, vn_now() - began);
	}
	a->rate = vn_pace_rate(&copy);
	a->pause_ns = vn_pace_pause_ns(&copy, 0, UINT64_MAX);
	a->time_ns = vn_drain_time_ns(&copy, &rest, a->bytes);
	return 0;
}

static int dry_run(struct embed_device *dev, struct vn_drain_open *a)
{
	struct vn_moves m;
	int err = embed_sled_plan(dev, a, &m);

	if (err && err != -ENOSPC)
		return err;
	count(dev, a, &m);
	return expect(dev, a);
}

/* What can be known beforehand, so that nobody hears of it: a sled that is held stays. */
static int refused(struct embed_session *s, struct vn_drain_open *a)
{
	struct vn_moves m;
	int err = embed_sled_plan(s->dev, a, &m);

	if (!err)
		count(s->dev, a, &m);
	return err ?: a->exports ? -EBUSY : 0;
}

static int begin(struct embed_session *s, struct vn_drain_open *a)
{
	int err;

	s->back = a->flags & VN_DRAIN_BACK;
	if (s->back) {
		s->state = VN_SLED_VALIDATING;
		err = embed_sled_begin_back(s->dev, s->sled, &s->who, &s->was);
		embed_events_say(s->dev);
		return err;
	}
	s->state = VN_SLED_PLANNED;
	err = refused(s, a) ?: embed_sled_begin(s->dev, a, &s->who, &s->moves);
	if (err)
		return err;
	embed_events_say(s->dev);
	count(s->dev, a, &s->moves);
	s->progress.total_bytes = a->bytes;
	embed_sled_progress(s->dev, s->sled, &s->who, &s->progress, false);
	err = make_copies(s);
	if (err)
		undo(s);
	return err;
}

int embed_drain_open(struct embed_device *dev, struct vn_drain_open *a, u32 uid,
		     struct embed_session **to)
{
	struct embed_who who = { a->operation, a->flags & VN_DRAIN_RESTORE ? a->uid : uid, "" };
	struct embed_session *s;
	int err;

	*to = NULL;
	a->fd = -1;
	a->exports = 0;
	memcpy(who.reason, a->reason, VN_REASON);
	if (a->flags & VN_DRAIN_DRY_RUN)
		return dry_run(dev, a);
	if (a->flags & VN_DRAIN_MAINTAIN) {
		err = embed_sled_maintain(dev, a->sled, &who);
		embed_events_say(dev);
		return err;
	}
	s = embed_drain_room(dev, 1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->dev = dev;
	s->sled = a->sled;
	s->who = who;
	s->budget_ns = a->budget_ns;
	err = begin(s, a);
	if (err) {
		pthread_mutex_destroy(&s->lock);
		free(s);
		return err;
	}
	embed_device_get(dev);
	*to = s;
	return 0;
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
		if (!vn_faults_alloc(&s->dev->faults))
			block[i] = embed_take_pages(s->dev, i < n ? first + i : other,
						    VN_VALIDATE_BYTES);
		err = block[i] ? 0 : -ENOMEM;
	}
	s->fault = vn_faults_of_sled(sw, s->sled, &s->slot);
	if (s->fault)
		err = err ?: -EIO;
	for (u32 i = 0; i < 4 && !err; i++) {
		r = embed_runner_get(s->dev);
		s->fault = vn_validate(&r->r, block, n + 1, s->who.operation + i, &bad);
		embed_runner_put(s->dev, r);
		err = s->fault ? -EIO : 0;
		s->slot = bad < n ? first + bad : other;
	}
	for (u32 i = 0; i <= n && block[i]; i++)
		munmap(block[i], VN_VALIDATE_BYTES);
	return err;
}

static int come_back(struct embed_session *s)
{
	int err = validate(s);

	if (err == -EIO)
		set_state(s, VN_SLED_FAULTED);
	else if (!err && !leave(s, &in_service, NULL))
		err = -EHOSTDOWN;
	return err;
}

static int step(struct embed_session *s, u32 to)
{
	u64 total;
	int err;

	if (s->back)
		return s->state == VN_SLED_VALIDATING && to == VN_SLED_IN_SERVICE ? come_back(s)
										  : -EINVAL;
	err = s->state < VN_SLED_COMMITTED ? check(s) : 0;
	if (err)
		return err;

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
		if (s->state != VN_SLED_PRECOPY)
			return -EINVAL;
		return held(s) ?: round_of(s);
	case VN_SLED_COMMITTED:
		if (s->state != VN_SLED_PRECOPY || !s->rounds)
			return -EINVAL;
		if (pause_ns(s, dirty_bytes(s, &total)) > s->budget_ns)
			return -EAGAIN;
		return commit(s);
	case VN_SLED_DRAINED:
		if (s->state != VN_SLED_COMMITTED)
			return -EINVAL;
		vn_fetch_add(&s->dev->moving, -1u);
		drop(s);
		embed_sled_settled(s->dev, &s->moves);
		set_state(s, to);
		return 0;
	}
	return -EINVAL;
}

/* round: one has just ended. */
static void tell(struct embed_session *s, struct vn_drain_step *a, bool round)
{
	u64 total, dirty = dirty_bytes(s, &total);
	struct embed_holder h = { 0 };

	pthread_mutex_lock(&s->dev->objects);
	if (s->pace.bytes)
		s->dev->pace = s->pace;
	if (s->state < VN_SLED_COMMITTED)
		embed_exports_holder(s->dev, &s->moves, true, &h);
	pthread_mutex_unlock(&s->dev->objects);
	if (s->state < VN_SLED_COMMITTED)
		s->total = total;
	a->total_bytes = s->total;
	a->dirty_bytes = s->state == VN_SLED_PRECOPY ? dirty : 0;
	a->state = embed_sled_faulted(s->dev, s->sled) ? VN_SLED_FAULTED : s->state;
	a->rounds = s->rounds;
	a->copied_bytes = s->copied;
	a->rate = vn_pace_rate(&s->pace);
	a->estimate_ns = s->state == VN_SLED_PRECOPY ? pause_ns(s, a->dirty_bytes) : 0;
	a->pause_ns = s->pause_ns;
	a->stop_bytes = s->stop_bytes;
	a->waits = s->waits;
	a->fault = s->fault;
	a->slow_us = s->slow_us;
	a->slot = s->slot;
	a->exports = h.exports;
	a->holder = h.context;
	a->holder_pid = h.pid;
	s->progress = (struct embed_progress){
		.total_bytes = a->total_bytes,
		.copied_bytes = a->copied_bytes,
		.dirty_bytes = a->dirty_bytes,
		.estimate_ns = a->estimate_ns,
		.pause_ns = a->pause_ns,
	};
	/* What is over says nothing of a sled that somebody else may have. */
	if (s->state >= VN_SLED_PLANNED && s->state <= VN_SLED_COMMITTED)
		embed_sled_progress(s->dev, s->sled, &s->who, &s->progress, round);
	if (round)
		embed_events_say(s->dev);
}

int embed_drain_step(struct embed_session *s, struct vn_drain_step *a)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = step(s, a->to);
	tell(s, a, !err && a->to == VN_SLED_PRECOPY);
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
