/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a rank does, written down where others can look (vn_ranks(), neuronctl coll
 * status): an entry of a status page per handle. It costs a few stores to a line
 * that nobody else touches: no call, no clock, no memory. Its handle's thread is the
 * only writer.
 */
#ifndef VN_COLL_STATUS_H
#define VN_COLL_STATUS_H

#include "coll.h"

/*
 * The handle has an entry from here on; where there is none to be had its own, which
 * nobody sees. Before it joins; it has joined; it goes.
 */
void coll_status_enter(struct vn_lib_comm *c);
void coll_status_joined(struct vn_lib_comm *c);
void coll_status_leave(struct vn_lib_comm *c);
/* It waits for the others to agree on who is gone; no longer. */
void coll_status_agrees(struct vn_lib_comm *c, bool waits);
/* An operation has failed, or was cut short. */
void coll_status_failed(struct vn_lib_comm *c, int err);

#define coll_status_set(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

/* Around changes of more than a word, which readers then see together. */
static inline void coll_status_begin(struct vn_rank_status *s)
{
	coll_status_set(s->version, s->version + 1);
	/* Pairs with the reader's acquiring loads (vn_status_see()). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void coll_status_end(struct vn_rank_status *s)
{
	__atomic_store_n(&s->version, s->version + 1, __ATOMIC_RELEASE);
}

/* From op to root as one word, which is written at once. */
static inline uint64_t *coll_status_what(struct vn_rank_status *s)
{
	_Static_assert(offsetof(struct vn_rank_status, op) % 8 == 0 &&
			       offsetof(struct vn_rank_status, root) ==
				       offsetof(struct vn_rank_status, op) + 4,
		       "op to root are a word");
	return (uint64_t *)&s->op;
}

/* The operation that others are to know of: often like the last, but for its number. */
static inline void coll_status_describe(struct vn_rank_status *s, const struct coll_pending *d)
{
	uint64_t bytes = d->call.count * vn_type_bytes(d->call.type);
	uint64_t root = (uint32_t)d->call.root < s->ranks ? (uint32_t)d->call.root : 0;
	uint64_t what = (uint64_t)d->call.op | (uint64_t)d->call.type << 8 |
			(uint64_t)d->call.redop << 16 | root << 32;
	uint64_t number = coll_meets(d->call.op) ? d->seq : 0;

	if (s->bytes == bytes && *coll_status_what(s) == what) {
		coll_status_set(s->number, number);
		return;
	}
	coll_status_begin(s);
	coll_status_set(s->number, number);
	coll_status_set(s->bytes, bytes);
	coll_status_set(*coll_status_what(s), what);
	coll_status_end(s);
}

/* One more was called. */
static inline void coll_status_started(struct vn_lib_comm *c)
{
	coll_status_set(c->shown->started, c->collectives);
}

/* It has been posted if it could be: others do not wait for what is written here. */
static inline void coll_status_begun(struct vn_lib_comm *c, const struct coll_pending *d)
{
	if (c->started - c->completed == 1)
		coll_status_describe(c->shown, d);
	coll_status_set(c->shown->pending, (uint32_t)(c->started - c->completed));
}

/* A collective: others can count on this rank in it. */
static inline void coll_status_posted(struct vn_lib_comm *c, const struct coll_pending *d)
{
	__atomic_store_n(&c->shown->posted, d->seq + 1, __ATOMIC_RELEASE);
}

/* It is over, and counted as completed. */
static inline void coll_status_completed(struct vn_lib_comm *c, int status)
{
	struct vn_rank_status *s = c->shown;

	if (s->since_ns)
		coll_status_set(s->since_ns, 0);
	coll_status_set(s->pending, (uint32_t)(c->started - c->completed));
	if (status) {
		coll_status_failed(c, status);
		return;
	}
	__atomic_store_n(&s->completed, c->through, __ATOMIC_RELEASE);
	if (c->completed < c->started)
		coll_status_describe(s, coll_nth(c, c->completed));
}

/* The rank waits for its oldest operation, and has looked at the clock. */
static inline void coll_status_waits(struct vn_lib_comm *c, uint64_t now)
{
	if (!c->shown->since_ns)
		coll_status_set(c->shown->since_ns, now);
}

#endif
