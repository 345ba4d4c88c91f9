/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The shape of a collective: who has a block for whom, how long, and where. Elements. */
#ifndef RANDOM_SHAPE_H
#define RANDOM_SHAPE_H

#include "script.h"

static bool folds(enum vn_coll op)
{
	return op == VN_ALL_REDUCE || op == VN_REDUCE_TO || op == VN_REDUCE_SCATTER ||
	       op == VN_REDUCE_SCATTERV || op == VN_SCAN || op == VN_EXSCAN;
}

static bool has_root(enum vn_coll op)
{
	return op == VN_REDUCE_TO || op == VN_BROADCAST || op == VN_GATHER || op == VN_SCATTER ||
	       op == VN_GATHERV || op == VN_SCATTERV;
}

static bool is_unequal(enum vn_coll op)
{
	return op >= VN_ALL_GATHERV && op <= VN_SCATTERV;
}

/* Who sends has a block for each rank. */
static bool sends_blocks(enum vn_coll op)
{
	return op == VN_ALL_TO_ALL || op == VN_SCATTER || op == VN_REDUCE_SCATTER ||
	       op == VN_ALL_TO_ALLV || op == VN_SCATTERV || op == VN_REDUCE_SCATTERV;
}

/* Who receives gets a block of each rank. */
static bool receives_blocks(enum vn_coll op)
{
	return op == VN_ALL_TO_ALL || op == VN_GATHER || op == VN_ALL_GATHER ||
	       op == VN_ALL_TO_ALLV || op == VN_GATHERV || op == VN_ALL_GATHERV;
}

static uint64_t block_of(const struct call *c, uint32_t ranks, uint32_t from, uint32_t to)
{
	return c->blocks ? c->blocks->n[from * ranks + to] : c->count;
}

/* Where the block for `to` begins in what `from` sends. */
static uint64_t block_sent_at(const struct call *c, uint32_t ranks, uint32_t from, uint32_t to)
{
	if (!sends_blocks(c->op))
		return 0;
	return c->blocks ? c->blocks->sent_at[from * ranks + to] : to * c->count;
}

/* Where the block of `from` begins in what `to` receives. */
static uint64_t block_received_at(const struct call *c, uint32_t ranks, uint32_t to, uint32_t from)
{
	if (!receives_blocks(c->op))
		return 0;
	return c->blocks ? c->blocks->received_at[to * ranks + from] : from * c->count;
}

static bool rank_sends(const struct call *c, uint32_t rank)
{
	bool only_root = c->op == VN_BROADCAST || c->op == VN_SCATTER || c->op == VN_SCATTERV;

	return c->op != VN_BARRIER && (!only_root || rank == c->root);
}

static uint32_t sender_to(const struct call *c, uint32_t ranks, uint32_t rank)
{
	uint32_t r = 0;

	while (r < ranks && c->to[r] != (int)rank)
		r++;
	return r;
}

/* Gets anything at all. A rank of a permutation has room for it in any case. */
static bool rank_receives(const struct call *c, uint32_t rank)
{
	bool only_root = c->op == VN_REDUCE_TO || c->op == VN_GATHER || c->op == VN_GATHERV;

	return c->op != VN_BARRIER && (!only_root || rank == c->root) &&
	       (c->op != VN_EXSCAN || rank);
}

/* Elements up to the end of the last block that a rank sends. */
static uint64_t sent_elements(const struct call *c, uint32_t ranks, uint32_t rank)
{
	uint64_t end = 0, n;

	if (!rank_sends(c, rank))
		return 0;
	if (!sends_blocks(c->op))
		return block_of(c, ranks, rank, c->root);
	for (uint32_t to = 0; to < ranks; to++) {
		n = block_of(c, ranks, rank, to);
		if (n && block_sent_at(c, ranks, rank, to) + n > end)
			end = block_sent_at(c, ranks, rank, to) + n;
	}
	return end;
}

static uint64_t received_elements(const struct call *c, uint32_t ranks, uint32_t rank)
{
	uint64_t end = 0, n;

	if (!rank_receives(c, rank))
		return 0;
	if (!receives_blocks(c->op))
		return block_of(c, ranks, c->root, rank);
	for (uint32_t from = 0; from < ranks; from++) {
		n = block_of(c, ranks, from, rank);
		if (n && block_received_at(c, ranks, rank, from) + n > end)
			end = block_received_at(c, ranks, rank, from) + n;
	}
	return end;
}

/*
 * In place: where in the one buffer, the longer of the two, the other lies. Both of
 * an all_to_all or of operations without blocks are the same.
 */
static uint64_t in_place_at(const struct call *c, uint32_t ranks, uint32_t rank)
{
	if (sends_blocks(c->op) == receives_blocks(c->op))
		return 0;
	return sends_blocks(c->op) ? block_sent_at(c, ranks, rank, rank)
				   : block_received_at(c, ranks, rank, rank);
}

#endif
