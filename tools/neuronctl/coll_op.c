// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "coll_op.h"

/* Collectives, then what is between two ranks. */
static const struct coll_operation operations[] = {
	{ .op = VN_ALL_REDUCE, .makes = COLL_FOLD, .bus = 2 },
	{ .op = VN_REDUCE_TO, .makes = COLL_FOLD, .rooted = true },
	{ .op = VN_BROADCAST, .makes = COLL_MOVED, .rooted = true },
	{ .op = VN_ALL_GATHER, .makes = COLL_MOVED, .recv_blocks = true, .bus = 1 },
	{ .op = VN_REDUCE_SCATTER, .makes = COLL_FOLD_BLOCK, .send_blocks = true, .bus = 1 },
	{ .op = VN_ALL_TO_ALL,
	  .makes = COLL_MOVED,
	  .send_blocks = true,
	  .recv_blocks = true,
	  .bus = 1 },
	{ .op = VN_GATHER, .makes = COLL_MOVED, .rooted = true, .recv_blocks = true, .bus = 1 },
	{ .op = VN_SCATTER, .makes = COLL_MOVED, .rooted = true, .send_blocks = true, .bus = 1 },
	{ .op = VN_PERMUTE, .makes = COLL_MOVED },
	{ .op = VN_SCAN, .makes = COLL_PREFIX },
	{ .op = VN_EXSCAN, .makes = COLL_PREFIX },
	{ .op = VN_BARRIER, .makes = COLL_NOTHING },
	{ .op = VN_ALL_GATHERV,
	  .makes = COLL_MOVED,
	  .recv_blocks = true,
	  .unequal = true,
	  .bus = 1 },
	{ .op = VN_REDUCE_SCATTERV,
	  .makes = COLL_FOLD_BLOCK,
	  .send_blocks = true,
	  .unequal = true,
	  .bus = 1 },
	{ .op = VN_ALL_TO_ALLV,
	  .makes = COLL_MOVED,
	  .send_blocks = true,
	  .recv_blocks = true,
	  .unequal = true,
	  .bus = 1 },
	{ .op = VN_GATHERV,
	  .makes = COLL_MOVED,
	  .rooted = true,
	  .recv_blocks = true,
	  .unequal = true,
	  .bus = 1 },
	{ .op = VN_SCATTERV,
	  .makes = COLL_MOVED,
	  .rooted = true,
	  .send_blocks = true,
	  .unequal = true,
	  .bus = 1 },
	{ .op = VN_SEND, .name = "sendrecv", .makes = COLL_MOVED, .pair = true },
	{ .op = VN_SEND, .name = "pingpong", .makes = COLL_MOVED, .pair = true, .returns = true },
	{ .op = VN_PUT, .makes = COLL_MOVED, .pair = true },
	{ .op = VN_PUT_SIGNAL, .makes = COLL_MOVED, .pair = true },
	{ .op = VN_GET, .makes = COLL_MOVED, .pair = true },
	{ .op = VN_SIGNAL, .makes = COLL_NOTHING, .pair = true },
};

#define OPERATIONS (sizeof(operations) / sizeof(*operations))

const struct coll_operation *coll_op_at(unsigned int i, bool pairs)
{
	return i < OPERATIONS && (pairs || !operations[i].pair) ? &operations[i] : NULL;
}

const char *coll_op_name(const struct coll_operation *o)
{
	return o->name ? o->name : vn_coll_name(o->op);
}

const struct coll_operation *coll_op_find(const char *name, bool pairs)
{
	const struct coll_operation *o;
	unsigned int i;

	for (i = 0; (o = coll_op_at(i, pairs)); i++)
		if (!strcmp(coll_op_name(o), name))
			return o;
	return NULL;
}

const char *coll_op_names(bool pairs)
{
	static char list[384];
	const struct coll_operation *o;
	unsigned int i;
	size_t n = 0;

	for (i = 0; (o = coll_op_at(i, pairs)); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "",
				      coll_op_name(o));
	return list;
}

double coll_op_bus(const struct coll_operation *o, uint32_t ranks)
{
	return o->bus ? o->bus * (double)(ranks - 1) / ranks : 1;
}

/* ---- buffers ------------------------------------------------------------------ */

/* Where the unequal block number b begins, when number 0 begins at 0. */
static uint64_t unequal_at(const struct coll_extent *e, uint64_t b)
{
	/* At most 2^30 by 144^2. */
	return e->count * b * b / ((uint64_t)e->ranks * e->ranks);
}

/* The first of the unequal blocks in a rank's buffer. */
static uint32_t turn(const struct coll_extent *e, uint32_t rank)
{
	return e->op->send_blocks && e->op->recv_blocks ? rank : 0;
}

uint64_t coll_extent_at(const struct coll_extent *e, uint32_t rank, uint32_t b)
{
	uint32_t first = turn(e, rank);
	uint64_t before;

	if (!e->op->unequal)
		return b * e->count;
	before = first + b < e->ranks ? unequal_at(e, first + b)
				      : e->count + unequal_at(e, first + b - e->ranks);
	return before - unequal_at(e, first);
}

uint64_t coll_extent_block(const struct coll_extent *e, uint32_t rank, uint32_t b)
{
	uint32_t number = (turn(e, rank) + b) % e->ranks;

	return e->op->unequal ? unequal_at(e, number + 1) - unequal_at(e, number) : e->count;
}

static uint64_t elements(const struct coll_extent *e, bool blocks, uint32_t rank)
{
	return blocks ? coll_op_counts(e->op, e->ranks) * e->count
		      : coll_extent_block(e, rank, rank);
}

uint64_t coll_extent_send(const struct coll_extent *e, uint32_t rank)
{
	return elements(e, e->op->send_blocks, rank);
}

uint64_t coll_extent_recv(const struct coll_extent *e, uint32_t rank)
{
	return elements(e, e->op->recv_blocks, rank);
}

/* ---- who gets what ------------------------------------------------------------- */

struct coll_source coll_op_source(const struct coll_extent *e, uint32_t rank, uint32_t block)
{
	struct coll_source s = { .rank = rank };

	if (!coll_op_writes(e, rank)) {
		s.kept = true;
		return s;
	}
	switch (e->op->op) {
	case VN_BROADCAST:
		s.rank = e->root;
		break;
	case VN_SCATTER:
	case VN_SCATTERV:
		s.rank = e->root;
		s.first = coll_extent_at(e, e->root, rank);
		break;
	case VN_ALL_TO_ALL:
	case VN_ALL_TO_ALLV:
		s.rank = block;
		s.first = coll_extent_at(e, block, rank);
		break;
	case VN_SEND:
		/* The even one of two has back what it sent. */
		s.rank = e->op->returns ? rank & ~1u : coll_previous(rank, e->ranks);
		break;
	case VN_PERMUTE:
	case VN_PUT:
	case VN_PUT_SIGNAL:
	case VN_GET:
		s.rank = coll_previous(rank, e->ranks);
		break;
	default: /* those that gather */
		s.rank = block;
	}
	return s;
}

bool coll_op_writes(const struct coll_extent *e, uint32_t rank)
{
	switch (e->op->op) {
	case VN_REDUCE_TO:
	case VN_GATHER:
	case VN_GATHERV:
		return rank == e->root;
	case VN_EXSCAN:
		return rank;
	default:
		return !e->op->returns || coll_partner(rank, e->ranks) < e->ranks;
	}
}
