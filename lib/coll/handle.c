// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whose thread works on a handle. It is nearly always the same one, so the way in is
 * a store and two loads for that one; another thread, which got the handle or aborts
 * the communicator, first takes the right away from it.
 */
#include <sched.h>

#include "coll.h"
#include "fence.h"

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
static bool enter_as_before(struct coll_member *m)
{
	if (__atomic_load_n(&m->thread, __ATOMIC_ACQUIRE) != self())
		return false;
	__atomic_store_n(&m->inside, true, __ATOMIC_RELAXED);
	coll_fence_light();
	if (!__atomic_load_n(&m->wanted, __ATOMIC_ACQUIRE) &&
	    __atomic_load_n(&m->thread, __ATOMIC_ACQUIRE) == self())
		return true;
	__atomic_store_n(&m->inside, false, __ATOMIC_RELEASE);
	return false;
}

static void take_over(struct coll_member *m)
{
	while (__atomic_exchange_n(&m->wanted, true, __ATOMIC_SEQ_CST))
		sched_yield();
	coll_fence_heavy();
	while (__atomic_load_n(&m->inside, __ATOMIC_ACQUIRE))
		sched_yield();
	__atomic_store_n(&m->inside, true, __ATOMIC_RELAXED);
	__atomic_store_n(&m->thread, self(), __ATOMIC_RELEASE);
	__atomic_store_n(&m->wanted, false, __ATOMIC_RELEASE);
}

void coll_enter(struct vn_lib_comm *c)
{
	struct coll_team *t = c->team;
	struct coll_member *m = &t->member[c->rank];

	if (!enter_as_before(m))
		take_over(m);
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
	__atomic_store_n(&c->team->member[c->rank].inside, false, __ATOMIC_RELEASE);
}

bool coll_enter_mine(struct coll_member *m)
{
	/* Inside already: further up on this thread's stack. */
	if (__atomic_load_n(&m->inside, __ATOMIC_RELAXED) || !enter_as_before(m))
		return false;
	if (m->comm)
		return true;
	__atomic_store_n(&m->inside, false, __ATOMIC_RELEASE);
	return false;
}
