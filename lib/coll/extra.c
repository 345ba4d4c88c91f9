// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What operations bring beyond buffers and a count: permutations, blocks of unequal length. */
#include <stdlib.h>
#include <string.h>

#include "coll.h"

/* Arrays of [ranks] in the block behind it, given out one by one. */
static struct coll_extra *extra_new(uint32_t ranks, uint32_t arrays, uint64_t **room)
{
	struct coll_extra *e = calloc(1, sizeof(*e) + (size_t)arrays * ranks * sizeof(uint64_t));

	*room = (uint64_t *)(e + 1);
	return e;
}

static const uint64_t *put(uint64_t **room, const uint64_t *from, uint32_t ranks)
{
	uint64_t *to = *room;

	memcpy(to, from, ranks * sizeof(*to));
	*room += ranks;
	return to;
}

/* Where blocks begin: as said, or one behind the other. */
static const uint64_t *place(uint64_t **room, const size_t *displs, const uint64_t *counts,
			     uint32_t ranks)
{
	uint64_t *to = *room, at = 0;

	for (uint32_t r = 0; r < ranks; r++) {
		to[r] = displs ? displs[r] : at;
		at += counts[r];
	}
	*room += ranks;
	return to;
}

/* Bytes up to the end of the last block. */
static uint64_t extent(const uint64_t *counts, const uint64_t *displs, uint32_t ranks, uint64_t es)
{
	uint64_t end = 0;

	for (uint32_t r = 0; r < ranks; r++)
		if (counts[r] && displs[r] + counts[r] > end)
			end = displs[r] + counts[r];
	return end * es;
}

static void blocks(struct coll_extra *e, const struct vn_op *op, uint32_t ranks, uint32_t rank,
		   uint64_t *room)
{
	uint64_t es = vn_type_bytes(op->type), own = op->count * es;
	bool root = (uint32_t)op->root == rank;

	e->count = op->count;
	e->in_place = op->sendbuff == op->recvbuff;
	switch (op->op) {
	case VN_ALL_GATHERV:
	case VN_GATHERV:
		e->send_bytes = own;
		if (op->op == VN_GATHERV && !root)
			break;
		e->recvcounts = put(&room, op->recvcounts, ranks);
		e->rdispls = place(&room, op->rdispls, e->recvcounts, ranks);
		e->recv_bytes = extent(e->recvcounts, e->rdispls, ranks, es);
		break;
	case VN_SCATTERV:
		e->recv_bytes = own;
		if (!root)
			break;
		e->sendcounts = put(&room, op->sendcounts, ranks);
		e->sdispls = place(&room, op->sdispls, e->sendcounts, ranks);
		e->send_bytes = extent(e->sendcounts, e->sdispls, ranks, es);
		break;
	case VN_REDUCE_SCATTERV:
		e->recvcounts = put(&room, op->recvcounts, ranks);
		e->sdispls = place(&room, op->sdispls, e->recvcounts, ranks);
		e->send_bytes = extent(e->recvcounts, e->sdispls, ranks, es);
		e->recv_bytes = e->recvcounts[rank] * es;
		break;
	default:
		e->sendcounts = put(&room, op->sendcounts, ranks);
		e->sdispls = place(&room, op->sdispls, e->sendcounts, ranks);
		e->recvcounts = put(&room, op->recvcounts, ranks);
		e->rdispls = place(&room, op->rdispls, e->recvcounts, ranks);
		e->send_bytes = extent(e->sendcounts, e->sdispls, ranks, es);
		e->recv_bytes = extent(e->recvcounts, e->rdispls, ranks, es);
	}
}

struct coll_extra *coll_extra_new(const struct vn_op *op, uint32_t ranks, uint32_t rank)
{
	uint64_t *room;
	struct coll_extra *e = extra_new(ranks, 4, &room);

	if (!e)
		return NULL;
	if (op->op == VN_PERMUTE) {
		e->to = memcpy(room, op->to, ranks * sizeof(int));
		e->send_bytes = e->recv_bytes = op->count * vn_type_bytes(op->type);
	} else {
		blocks(e, op, ranks, rank, room);
	}
	return e;
}

struct coll_extra *coll_extra_copy(const struct coll_extra *from, uint32_t ranks)
{
	uint64_t *room;
	struct coll_extra *e = extra_new(ranks, 4, &room);

	if (!e)
		return NULL;
	*e = *from;
	if (from->to)
		e->to = memcpy(room, from->to, ranks * sizeof(int));
	if (from->sendcounts)
		e->sendcounts = put(&room, from->sendcounts, ranks);
	if (from->sdispls)
		e->sdispls = put(&room, from->sdispls, ranks);
	if (from->recvcounts)
		e->recvcounts = put(&room, from->recvcounts, ranks);
	if (from->rdispls)
		e->rdispls = put(&room, from->rdispls, ranks);
	return e;
}

/* ---- to other ranks ------------------------------------------------------------- */

/* On the board: what it is, its pointers only as marks, and room for five arrays. */
uint64_t coll_extra_bytes(uint32_t ranks)
{
	return sizeof(struct coll_extra) + 5 * ranks * sizeof(uint64_t);
}

void coll_extra_post(const struct coll_team *t, uint64_t seq, uint32_t rank,
		     const struct coll_extra *e)
{
	struct coll_extra *to = (void *)coll_bounce(t, seq, rank, coll_extra_bytes(t->ranks));
	const void *from[] = { e->to, e->sendcounts, e->sdispls, e->recvcounts, e->rdispls };
	uint64_t *array = (uint64_t *)(to + 1);

	*to = *e;
	for (uint32_t i = 0; i < 5; i++, array += t->ranks)
		if (from[i])
			memcpy(array, from[i], t->ranks * (i ? sizeof(uint64_t) : sizeof(int)));
}

static const uint64_t *array(const void *mark, const uint64_t **room, uint32_t ranks)
{
	const uint64_t *here = *room;

	*room += ranks;
	return mark ? here : NULL;
}

static void take(struct coll_extra *e, const struct coll_team *t, uint64_t seq, uint32_t rank)
{
	const struct coll_extra *from =
		(const void *)coll_bounce(t, seq, rank, coll_extra_bytes(t->ranks));
	const uint64_t *room = (const uint64_t *)(from + 1);

	*e = *from;
	e->to = (const int *)array(from->to, &room, t->ranks);
	e->sendcounts = array(from->sendcounts, &room, t->ranks);
	e->sdispls = array(from->sdispls, &room, t->ranks);
	e->recvcounts = array(from->recvcounts, &room, t->ranks);
	e->rdispls = array(from->rdispls, &room, t->ranks);
}

const struct coll_extra *const *coll_extras(const struct coll_team *t, uint64_t seq,
					    struct coll_extras *x)
{
	const struct coll_post *post = coll_posts(t, seq);

	if (!post[0].extra)
		return NULL;
	for (uint32_t r = 0; r < t->ranks; r++) {
		if (t->apart)
			take(&x->copy[r], t, seq, r);
		x->of[r] = t->apart ? &x->copy[r] : post[r].extra;
	}
	return x->of;
}
