// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whose thread works on a handle. It is nearly always the same one, so the way in is
 * a store and two loads for that one; another thread, which got the handle or aborts
 * the communicator, first takes the right away from it.
 */
#include <sched.h>

#include "coll.h"

/* The ranks that this thread drove last: two of one team are a sign. */
static _Thread_local struct {
	const struct coll_team *team;
	uint32_t rank;
	bool several; /* teams, at any time */
} latest;

bool coll_several(void)
{
	return latest.several;
}

/* Something about the calling thread that no other one has. */
static const void *self(void)
{
	return &latest;
}

/* Pairs with take_over(): it sees inside, or this sees wanted. */
static bool enter_as_before(struct coll_seat *s)
{
	if (__atomic_load_n(&s->thread, __ATOMIC_ACQUIRE) != self())
		return false;
	__atomic_store_n(&s->inside, true, __ATOMIC_RELAXED);
	coll_fence_light();
	if (!__atomic_load_n(&s->wanted, __ATOMIC_ACQUIRE) &&
	    __atomic_load_n(&s->thread, __ATOMIC_ACQUIRE) == self())
		return true;
	__atomic_store_n(&s->inside, false, __ATOMIC_RELEASE);
	return false;
}

static void take_over(struct coll_seat *s)
{
	while (__atomic_exchange_n(&s->wanted, true, __ATOMIC_SEQ_CST))
		sched_yield();
	coll_fence_heavy(false);
	while (__atomic_load_n(&s->inside, __ATOMIC_ACQUIRE))
		sched_yield();
	__atomic_store_n(&s->inside, true, __ATOMIC_RELAXED);
	__atomic_store_n(&s->thread, self(), __ATOMIC_RELEASE);
	__atomic_store_n(&s->wanted, false, __ATOMIC_RELEASE);
}

void coll_enter(struct vn_lib_comm *c)
{
	struct coll_team *t = c->team;
	struct coll_seat *s = &t->seat[c->rank];

	if (!enter_as_before(s))
		take_over(s);
	if (latest.team == t && latest.rank == c->rank)
		return;
	if (latest.team == t)
		__atomic_store_n(&t->shared, true, __ATOMIC_RELAXED);
	else if (latest.team)
		latest.several = true;
	latest.team = t;
	latest.rank = c->rank;
}

void coll_leave(struct vn_lib_comm *c)
{
	__atomic_store_n(&c->team->seat[c->rank].inside, false, __ATOMIC_RELEASE);
}

bool coll_enter_mine(struct coll_seat *s)
{
	/* Inside already: further up on this thread's stack. */
	if (__atomic_load_n(&s->inside, __ATOMIC_RELAXED) || !enter_as_before(s))
		return false;
	if (s->comm)
		return true;
	__atomic_store_n(&s->inside, false, __ATOMIC_RELEASE);
	return false;
}
