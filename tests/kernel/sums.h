/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sums over ranks that are processes, and what they should be; and a second communicator
 * of the same ranks.
 */
#ifndef VN_TEST_SUMS_H
#define VN_TEST_SUMS_H

#include "own.h"

/* The sum over ranks of i * 3 + rank + seed. */
static UNUSED int32_t sum_of(const struct band *b, size_t i, int32_t seed)
{
	return ((int32_t)i * 3 + seed) * b->ranks + b->ranks * (b->ranks - 1) / 2;
}

static UNUSED void fill(const struct band *b, int32_t *p, size_t n, int32_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (int32_t)i * 3 + b->rank + seed;
}

static UNUSED unsigned int sum_wrong(const struct band *b, const int32_t *p, size_t n, int32_t seed)
{
	unsigned int wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += p[i] != sum_of(b, i, seed);
	if (wrong)
		tap_diag("rank %d: %u of %zu sums wrong", b->rank, wrong, n);
	return wrong;
}

static UNUSED struct vn_op sum_record(const void *send, void *recv, size_t n)
{
	return (struct vn_op){ .op = VN_ALL_REDUCE,
			       .type = VN_INT32,
			       .redop = VN_SUM,
			       .count = n,
			       .sendbuff = send,
			       .recvbuff = recv };
}

/* Another one for the same ranks, counted from the other end: rank 0 is in another process. */
static UNUSED vn_comm_t reversed(struct band *b, const vn_unique_id *id)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	vn_comm_t c;

	config.dev = b->dev;
	config.chip = b->rank;
	config.timeout_ns = LONG;
	NEED(vn_comm_init_rank_config(&c, b->ranks, *id, b->ranks - 1 - b->rank, &config));
	return c;
}

/* Its id, which rank 0 makes, goes to the others through the first one. */
static UNUSED vn_unique_id tell_id(struct band *b)
{
	vn_unique_id id;

	if (!b->rank)
		NEED(vn_get_unique_id(&id));
	NEED(vn_broadcast(&id, &id, sizeof(id), VN_UINT8, 0, b->comm, NULL));
	NEED(vn_comm_sync(b->comm, LONG));
	return id;
}

#endif
