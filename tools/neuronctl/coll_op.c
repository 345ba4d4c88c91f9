// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "coll_op.h"

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
	{ .op = VN_GATHER, .makes = COLL_MOVED, .rooted = true, .recv_blocks = true },
	{ .op = VN_SCATTER, .makes = COLL_MOVED, .rooted = true, .send_blocks = true },
	{ .op = VN_PERMUTE, .makes = COLL_MOVED },
	{ .op = VN_SCAN, .makes = COLL_PREFIX },
	{ .op = VN_EXSCAN, .makes = COLL_PREFIX },
	{ .op = VN_BARRIER, .makes = COLL_NOTHING },
};

#define OPERATIONS (sizeof(operations) / sizeof(*operations))

const struct coll_operation *coll_op_at(unsigned int i)
{
	return i < OPERATIONS ? &operations[i] : NULL;
}

const struct coll_operation *coll_op_find(const char *name)
{
	size_t i;

	for (i = 0; i < OPERATIONS; i++)
		if (!strcmp(vn_coll_name(operations[i].op), name))
			return &operations[i];
	return NULL;
}

const char *coll_op_names(void)
{
	static char list[256];
	size_t i, n = 0;

	for (i = 0; i < OPERATIONS; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "",
				      vn_coll_name(operations[i].op));
	return list;
}

double coll_op_bus(const struct coll_operation *o, uint32_t ranks)
{
	return o->bus ? o->bus * (double)(ranks - 1) / ranks : 1;
}

struct coll_source coll_op_source(const struct coll_operation *o, uint32_t ranks, uint32_t root,
				  uint64_t count, uint32_t rank, uint32_t block)
{
	struct coll_source s = { .rank = rank };

	if (!coll_op_writes(o, root, rank)) {
		s.kept = true;
		return s;
	}
	switch (o->op) {
	case VN_BROADCAST:
		s.rank = root;
		break;
	case VN_SCATTER:
		s.rank = root;
		s.first = rank * count;
		break;
	case VN_ALL_TO_ALL:
		s.rank = block;
		s.first = rank * count;
		break;
	case VN_PERMUTE:
		s.rank = (rank + ranks - 1) % ranks;
		break;
	default: /* all_gather, gather */
		s.rank = block;
	}
	return s;
}

bool coll_op_writes(const struct coll_operation *o, uint32_t root, uint32_t rank)
{
	if (o->op == VN_REDUCE_TO || o->op == VN_GATHER)
		return rank == root;
	return o->op != VN_EXSCAN || rank;
}

void coll_op_permutation(int *to, uint32_t ranks)
{
	uint32_t r;

	for (r = 0; r < ranks; r++)
		to[r] = (int)((r + 1) % ranks);
}
