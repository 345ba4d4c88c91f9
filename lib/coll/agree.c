// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who is gone, as all who are left see it. Each comes, and waits until every other one
 * has come or is gone; then it writes down whom it misses, and the first whose view is
 * taken decides for all. A rank may die at any point of that: a view that was not taken
 * counts for nothing, one that was stays on the board.
 */
#include <errno.h>
#include <time.h>

#include "coll.h"
#include "status.h"

/* Between two looks at who has come. */
#define LOOK_NS 200000

static uint64_t verdict_of(const struct coll_team *t, uint64_t round)
{
	uint64_t v = __atomic_load_n(&t->board.head->verdict[round % 2], __ATOMIC_ACQUIRE);

	return v >> 16 >= round ? v : 0;
}

/* Whoever is missing when it is late is gone. Returns how many others may still come. */
static uint32_t look(const struct vn_lib_comm *c, uint64_t round, bool late, struct coll_gone *gone)
{
	const struct coll_team *t = c->team;
	uint32_t open = 0;

	*gone = (struct coll_gone){ 0 };
	for (uint32_t r = 0; r < t->ranks; r++) {
		bool here = __atomic_load_n(&t->board.member[r].agreeing, __ATOMIC_ACQUIRE) >=
			    round;

		/* It may have died since it came. */
		if (coll_gone(t, r) || coll_lost(t, r) || (late && !here))
			gone->bits[r / 64] |= 1ull << r % 64;
		else if (!here)
			open++;
	}
	return open;
}

/* Its view is the verdict, unless another's is. */
static void decide(struct vn_lib_comm *c, uint64_t round, const struct coll_gone *gone)
{
	struct coll_board *b = &c->team->board;
	uint64_t *at = &b->head->verdict[round % 2], was;

	b->gone[2 * c->rank + round % 2] = *gone;
	coll_step(c->rank);
	was = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	while (was >> 16 < round &&
	       !__atomic_compare_exchange_n(at, &was, round << 16 | c->rank, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	coll_wake(c->team);
}

/* Changes whenever a rank does something. */
static uint64_t signs_of_life(const struct coll_team *t)
{
	uint64_t sum = 0;

	for (uint32_t r = 0; r < t->ranks; r++) {
		const struct coll_member *m = &t->board.member[r];

		sum += __atomic_load_n(&m->posted, __ATOMIC_RELAXED) +
		       __atomic_load_n(&m->completed, __ATOMIC_RELAXED) +
		       __atomic_load_n(&m->agreeing, __ATOMIC_RELAXED);
	}
	return sum;
}

/*
 * Others may first have to wait for an operation to take too long, and for who stopped
 * in the middle of it: who has shown no sign of life for twice that time comes no more.
 */
static uint64_t await(struct vn_lib_comm *c, uint64_t round)
{
	uint64_t timeout = c->team->timeout_ns;
	uint64_t patience = timeout > VN_FOREVER / 4 ? VN_FOREVER
						     : 2 * timeout + 2 * coll_grace(c->team);
	uint64_t end = vn_deadline(patience), seen = signs_of_life(c->team), now, v;
	struct coll_gone gone;

	while (!(v = verdict_of(c->team, round))) {
		now = signs_of_life(c->team);
		if (now != seen)
			end = vn_deadline(patience);
		seen = now;
		if (!look(c, round, vn_now() >= end, &gone))
			decide(c, round, &gone);
		else
			nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
	}
	return v;
}

int vn_comm_agree(vn_comm_t c, int *gone, int *ngone)
{
	const struct coll_gone *view;
	uint64_t round, v;
	bool self;
	int n = 0;

	if (!c || !gone || !ngone)
		return vn_fail(-EINVAL, "agree: no %s",
			       c ? "place for the ranks that are gone" : "communicator");
	round = ++c->agreements;
	__atomic_store_n(&c->team->board.member[c->rank].agreeing, round, __ATOMIC_RELEASE);
	coll_status_agrees(c, true);
	coll_step(c->rank);
	v = await(c, round);
	coll_status_agrees(c, false);
	if (v >> 16 != round)
		return vn_fail(-ESTALE, "rank %u: the others have gone on without it", c->rank);
	view = &c->team->board.gone[2 * (v & 0xffff) + round % 2];
	self = view->bits[c->rank / 64] >> c->rank % 64 & 1;
	if (self && coll_lost(c->team, c->rank))
		return vn_fail(-ESTALE,
			       "rank %u: its chip %u was lost: the others go on without it",
			       c->rank, c->team->board.member[c->rank].chip);
	if (self)
		return vn_fail(-ESTALE,
			       "rank %u: it came too late, the others agreed that it is gone",
			       c->rank);
	for (uint32_t r = 0; r < c->team->ranks; r++)
		if (view->bits[r / 64] >> r % 64 & 1)
			gone[n++] = (int)r;
	*ngone = n;
	return 0;
}
