// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Waiting: a rank works on what it waits for, then spins, yields and sleeps; and
 * what took too long is said, with who is missing.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "coll.h"
#include "status.h"

/* Looks in a row before a waiting thread lets others run, when it has a core of its own ... */
#define SPINS 2000u
/* ... and how often it then yields before it sleeps; sleeping costs a wake-up. */
#define YIELDS 200u
/* Work of that many bytes is longer than falling asleep and waking up. */
#define LONG_BYTES (8u << 20)
/* A sleeper looks again after that long in any case. */
#define NAP_NS 20000000u

/*
 * What a thread does between two looks at what it waits for. Zero to begin;
 * counted: it is about to sleep, so that one more look is not in vain.
 */
struct doze {
	uint32_t tries, seen;
	bool counted;
};

void coll_wake(struct coll_team *t)
{
	struct coll_head *h = t->board.head;

	/* Pairs with the fence of who is about to sleep (doze()). */
	coll_fence_light();
	if (!__atomic_load_n(&h->sleepers, __ATOMIC_RELAXED))
		return;
	__atomic_fetch_add(&h->events, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &h->events, t->apart ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, INT_MAX, NULL,
		NULL, 0);
}

void coll_wake_cramped(struct coll_team *t)
{
	/* Pairs with the fence of who is about to sleep, as above. */
	coll_fence_light();
	if (__atomic_load_n(&t->board.head->cramped, __ATOMIC_RELAXED))
		coll_wake(t);
}

static void nap(struct coll_team *t, uint32_t seen)
{
	const struct timespec ts = { .tv_nsec = NAP_NS };

	syscall(SYS_futex, &t->board.head->events, t->apart ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, seen,
		&ts, NULL, 0);
}

static uint32_t spins(const struct coll_team *t)
{
	return t->ranks <= t->cores ? SPINS : 0;
}

static void doze_end(struct coll_team *t, struct doze *d)
{
	if (d->counted)
		__atomic_fetch_sub(&t->board.head->sleepers, 1, __ATOMIC_SEQ_CST);
	d->counted = false;
}

static void doze(struct coll_team *t, struct doze *d)
{
	if (d->tries < spins(t)) {
		d->tries++;
		__builtin_ia32_pause();
	} else if (d->tries < spins(t) + YIELDS) {
		d->tries++;
		sched_yield();
	} else if (!d->counted) {
		d->seen = __atomic_load_n(&t->board.head->events, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&t->board.head->sleepers, 1, __ATOMIC_SEQ_CST);
		/* Pairs with coll_wake(): it sees the sleeper, or one more look what it did. */
		coll_fence_heavy(t->apart);
		d->counted = true;
	} else {
		nap(t, d->seen);
		doze_end(t, d);
		coll_look_for_dead(t);
	}
}

/* Time to look at the clock: now and then only. */
static bool doze_long(const struct coll_team *t, const struct doze *d)
{
	return d->tries >= spins(t) && (d->tries % 16 == 0 || d->tries >= spins(t) + YIELDS);
}

/* ---- too long --------------------------------------------------------------------- */

static void timed_out(const struct coll_pending *d)
{
	const struct vn_lib_comm *c = d->comm;
	const char *stands = d->index < c->posted ? "" : "its stream stands still; ";
	unsigned long long ms = d->call.timeout_ns / 1000000;
	char who[300] = "";
	uint32_t n;

	if (coll_meets(d->call.op)) {
		/* Ranks that disagree may each wait for the others in another way. */
		if (coll_meet_compare(d))
			return;
		n = coll_meet_missing(d, who, sizeof(who));
		coll_fail(c->team, -ETIMEDOUT,
			  "%s, operation %llu: no end within %llu ms on rank %u; %s%s%s",
			  vn_coll_name(d->call.op), (unsigned long long)d->seq, ms, c->rank, stands,
			  n ? "not arrived:" : "all ranks have arrived", who);
		return;
	}
	if (d->call.op == VN_WAIT_SIGNAL)
		coll_onesided_missing(d, who, sizeof(who));
	else if (d->call.op == VN_SEND || d->call.op == VN_RECV)
		coll_pair_missing(d, who, sizeof(who));
	coll_fail(c->team, -ETIMEDOUT, "%s: no end within %llu ms on rank %u; %s%s",
		  vn_coll_name(d->call.op), ms, c->rank, stands, who);
}

/* The oldest operation of the rank has waited: has it waited too long? */
static void check_time(struct vn_lib_comm *c)
{
	struct coll_pending *d = coll_nth(c, c->completed);
	uint64_t now = vn_now();

	coll_status_waits(c, now);
	if (d->call.timeout_ns == VN_FOREVER)
		return;
	if (!d->deadline)
		d->deadline = vn_deadline(d->call.timeout_ns);
	else if (now >= d->deadline && !coll_failed(c->team))
		timed_out(d);
}

/* ---- working ---------------------------------------------------------------------- */

/* One of another communicator is before ours on its queue: of the same thread, then. */
static bool before(struct vn_lib_comm *c)
{
	bool worked;

	if (!coll_enter_mine(&c->team->seat[c->rank]))
		return false;
	worked = coll_progress(c);
	coll_leave(c);
	return worked;
}

/* What stands before the oldest operation, or carries it out, other than moves. */
static bool work(struct vn_lib_comm *c, struct doze *doze)
{
	struct coll_pending *d = coll_nth(c, c->completed), *first;
	struct coll_team *t = c->team;
	struct coll_slot *s;
	uint64_t state;

	if (d->index == c->posted) {
		if (!d->call.stream)
			return false;
		first = d->call.stream->collectives;
		return first->comm == c ? coll_stream_work(d->call.stream) : before(first->comm);
	}
	if (!coll_meets(d->call.op))
		return false;
	s = coll_slot(t, d->seq);
	state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	if (state == coll_state(d->seq, COLL_LAUNCHED) && coll_device(t)) {
		coll_look_for_dead(t);
		return true;
	}
	/* Others are at it and long: their cores are not to be asked for. */
	if ((state == coll_state(d->seq, COLL_LAUNCHED) ||
	     state == coll_state(d->seq, COLL_SHARED)) &&
	    t->ranks > t->cores && doze->tries < YIELDS && s->job.volume >= LONG_BYTES)
		doze->tries = YIELDS;
	return false;
}

/* On the other ranks of a team that this thread drives. */
static bool help_team(struct coll_team *t, uint32_t but)
{
	struct doze doze = { 0 };
	bool worked = false;

	for (uint32_t r = 0; r < t->ranks; r++) {
		struct vn_lib_comm *other;

		if (r == but || !coll_enter_mine(&t->seat[r]))
			continue;
		other = t->seat[r].comm;
		if (other->completed < other->started)
			worked |= coll_progress(other) ||
				  (other->completed < other->started && work(other, &doze));
		coll_leave(other);
	}
	return worked;
}

/*
 * On what else this thread has begun, for which this rank may wait. Other teams are
 * looked at now and then: their lines are others', who want them back.
 */
static bool help_others(const struct vn_lib_comm *c, const struct doze *d)
{
	const struct coll_team *t = c->team;
	bool worked = false;

	if (__atomic_load_n(&t->shared, __ATOMIC_RELAXED))
		worked = help_team(c->team, c->rank);
	if (coll_several() && (d->tries % 64 == 63 || doze_long(t, d)))
		worked |= coll_elsewhere(t, help_team);
	return worked;
}

static int too_late(const struct vn_lib_comm *c, uint64_t timeout_ns)
{
	return vn_fail(-ETIMEDOUT, "rank %u: %llu of %llu operations done within %llu ms", c->rank,
		       (unsigned long long)c->completed, (unsigned long long)c->started,
		       (unsigned long long)(timeout_ns / 1000000));
}

int coll_wait_for(struct vn_lib_comm *c, uint64_t completed, uint64_t timeout_ns)
{
	struct coll_team *t = c->team;
	struct doze d = { 0 };
	uint64_t end = 0;
	bool worked;
	int err = 0;

	while (c->completed < completed) {
		if (coll_progress(c)) {
			doze_end(t, &d);
			d.tries = 0;
			continue;
		}
		worked = work(c, &d);
		worked |= help_others(c, &d);
		/* What it helped with may have been in front of its own. */
		if (c->completed >= completed)
			break;
		if (worked || doze_long(t, &d)) {
			check_time(c);
			if (!end)
				end = vn_deadline(timeout_ns);
			else if (vn_now() >= end) {
				err = too_late(c, timeout_ns);
				break;
			}
		}
		if (!worked)
			doze(t, &d);
	}
	doze_end(t, &d);
	return err;
}

void coll_turn(struct vn_lib_comm *c)
{
	struct doze d = { 0 };

	if (!coll_progress(c) && c->completed < c->started && !work(c, &d))
		coll_look_for_dead(c->team);
}

int coll_wait(struct vn_lib_comm *c, uint64_t completed, uint64_t timeout_ns)
{
	int err;

	coll_enter(c);
	err = coll_wait_for(c, completed, timeout_ns) ?: coll_error(c->team);
	coll_leave(c);
	return err;
}
