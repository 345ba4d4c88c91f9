/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A collective as tests call it, any of them, with random lengths, places and data. A
 * rank sends from one of its arenas and receives in the other, or does both in one.
 */
#ifndef VN_TEST_CALL_H
#define VN_TEST_CALL_H

#include "../reduce_oracle.h"
#include "arena.h"
#include "crew.h"

/* How blocks lie in a buffer. TWICE: those that are sent overlap, else as SHUFFLED. */
enum lay { PACKED, GAPS, SHUFFLED, TWICE, LAYS };
/* SOME: every other rank. */
enum place { OUT_OF_PLACE, IN_PLACE, SOME_IN_PLACE, PLACES };

struct shape {
	enum vn_coll op;
	enum vn_way way;
	int ranks;
	uint32_t es; /* bytes of an element */
	enum lay lay;
	enum place place;
	bool host;
	uint64_t longest; /* a block, elements */
	bool one_long; /* one is that long, the others are short */
	bool symmetric; /* what i sends to j is as long as what j sends to i */
	int without; /* rank + 1 that has no data; 0: all have */
};

struct call {
	struct shape s;
	enum vn_type type;
	enum vn_redop redop, made[VN_MAX_CHIPS];
	uint64_t scalar[VN_MAX_CHIPS];
	int root, to[VN_MAX_CHIPS];
	bool packed; /* displacements are left to the library */
	size_t len[VN_MAX_CHIPS][VN_MAX_CHIPS]; /* of a block, from, to */
	/* what a rank passes */
	size_t count[VN_MAX_CHIPS];
	size_t scounts[VN_MAX_CHIPS][VN_MAX_CHIPS], sat[VN_MAX_CHIPS][VN_MAX_CHIPS];
	size_t rcounts[VN_MAX_CHIPS][VN_MAX_CHIPS], rat[VN_MAX_CHIPS][VN_MAX_CHIPS];
	uint64_t skew[VN_MAX_CHIPS][2]; /* where its buffers begin in the arenas */
	uint64_t used[2][VN_MAX_CHIPS]; /* of its arenas, bytes: filled and compared */
};

/* Bytes behind its buffers that count as used: nothing must happen to them. */
#define BEHIND 256u

static UNUSED char *arena(const struct call *c, int side, int rank)
{
	return c->s.host ? world.host[side][rank] : world.hbm[side][rank].ptr;
}

/* ---- operations ------------------------------------------------------------------- */

static UNUSED bool call_reduces(enum vn_coll op)
{
	return op == VN_ALL_REDUCE || op == VN_REDUCE_TO || op == VN_REDUCE_SCATTER ||
	       op == VN_REDUCE_SCATTERV || op == VN_SCAN || op == VN_EXSCAN;
}

/* With blocks of equal length they are a case of those with unequal ones. */
static UNUSED enum vn_coll general(enum vn_coll op)
{
	return op == VN_ALL_GATHER	 ? VN_ALL_GATHERV
	       : op == VN_REDUCE_SCATTER ? VN_REDUCE_SCATTERV
	       : op == VN_ALL_TO_ALL	 ? VN_ALL_TO_ALLV
	       : op == VN_GATHER	 ? VN_GATHERV
	       : op == VN_SCATTER	 ? VN_SCATTERV
					 : op;
}

static UNUSED bool equal_blocks(enum vn_coll op)
{
	return op < VN_ALL_GATHERV;
}

/* Its buffer for that side is one of a block for each rank. */
static UNUSED bool many_blocks(enum vn_coll op, int side)
{
	op = general(op);
	if (side)
		return op == VN_ALL_GATHERV || op == VN_GATHERV || op == VN_ALL_TO_ALLV;
	return op == VN_REDUCE_SCATTERV || op == VN_SCATTERV || op == VN_ALL_TO_ALLV;
}

static UNUSED bool rank_in_place(const struct call *c, int r)
{
	enum vn_coll op = general(c->s.op);

	if (c->s.place == OUT_OF_PLACE || (c->s.place == SOME_IN_PLACE && r % 2))
		return false;
	return (op != VN_GATHERV && op != VN_SCATTERV) || r == c->root;
}

/* Bytes from the beginning of the arena (which: out) to the rank's buffer of that side. */
static UNUSED uint64_t buffer_at(const struct call *c, int side, int r, int *which)
{
	bool s = many_blocks(c->s.op, 0), d = many_blocks(c->s.op, 1);

	*which = side;
	if (!rank_in_place(c, r))
		return c->skew[r][side];
	/* Both in the arena of the one with more blocks; the other is that rank's among them. */
	*which = !s && d;
	if (s == d || side == *which)
		return c->skew[r][*which];
	return c->skew[r][*which] + (side ? c->sat[r][r] : c->rat[r][r]) * c->s.es;
}

static UNUSED char *call_send(const struct call *c, int r)
{
	int which;
	uint64_t at = buffer_at(c, 0, r, &which);

	return arena(c, which, r) + at;
}

static UNUSED char *call_recv(const struct call *c, int r)
{
	int which;
	uint64_t at = buffer_at(c, 1, r, &which);

	return arena(c, which, r) + at;
}

/* ---- making one ------------------------------------------------------------------ */

static UNUSED void place_blocks(const size_t *counts, size_t *at, int ranks, enum lay lay)
{
	int order[VN_MAX_CHIPS], other, with;
	size_t next = 0;

	for (int r = 0; r < ranks; r++)
		order[r] = r;
	for (int r = 0; lay >= SHUFFLED && r < ranks; r++) {
		with = (int)pick((uint64_t)ranks);
		other = order[r];
		order[r] = order[with];
		order[with] = other;
	}
	for (int r = 0; r < ranks; r++) {
		next += lay == PACKED ? 0 : 1 + pick(5);
		at[order[r]] = next;
		next += counts[order[r]];
	}
	for (int r = 0; lay == TWICE && r < ranks; r++)
		at[r] = pick(next + 1);
}

static UNUSED void make_lengths(struct call *c)
{
	int n = c->s.ranks, a = (int)pick((uint64_t)n), b = (int)pick((uint64_t)n);
	uint64_t same = c->s.longest ? 1 + pick(c->s.longest) : 0, len;

	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++) {
			len = pick(3) ? pick(c->s.longest + 1) : 0;
			if (c->s.one_long)
				len = i == a && j == b ? c->s.longest : pick(20);
			c->len[i][j] = equal_blocks(c->s.op) ? same : len;
			if (c->s.without && (i == c->s.without - 1 || j == c->s.without - 1))
				c->len[i][j] = 0;
		}
	}
	/* One block for all, or from all. */
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++) {
			if (c->s.op == VN_ALL_GATHERV || c->s.op == VN_GATHERV)
				c->len[i][j] = c->len[i][b];
			else if (c->s.op == VN_REDUCE_SCATTERV || c->s.op == VN_SCATTERV)
				c->len[i][j] = c->len[a][j];
			else if (j < i && (c->s.symmetric || c->s.place))
				c->len[i][j] = c->len[j][i];
		}
	}
}

static UNUSED void make_arrays(struct call *c)
{
	enum lay recv_lay = c->s.lay == TWICE ? SHUFFLED : c->s.lay;
	int n = c->s.ranks;

	for (int r = 0; r < n; r++) {
		c->count[r] = general(c->s.op) == VN_SCATTERV ? c->len[c->root][r] : c->len[r][r];
		for (int k = 0; k < n; k++) {
			c->scounts[r][k] = c->len[r][k];
			c->rcounts[r][k] = c->len[k][r];
		}
		place_blocks(c->scounts[r], c->sat[r], n, c->s.place ? recv_lay : c->s.lay);
		place_blocks(c->rcounts[r], c->rat[r], n, recv_lay);
		if (rank_in_place(c, r) && general(c->s.op) == VN_ALL_TO_ALLV)
			memcpy(c->rat[r], c->sat[r], sizeof(c->rat[r]));
		/* It is called with what ranks receive. */
		for (int k = 0; c->s.op == VN_REDUCE_SCATTERV && k < n; k++)
			c->rcounts[r][k] = c->len[r][k];
	}
}

static UNUSED void make_permutation(struct call *c)
{
	int n = c->s.ranks, other, with;

	for (int r = 0; r < n; r++)
		c->to[r] = r;
	for (int r = 0; r < n; r++) {
		with = (int)pick((uint64_t)n);
		other = c->to[r];
		c->to[r] = c->to[with];
		c->to[with] = other;
	}
	for (int r = 0; r < n; r++)
		if (!pick(4))
			c->to[r] = -1;
}

/* Bytes up to the end of the last block. */
static UNUSED uint64_t extent(const struct call *c, int side, int r)
{
	const size_t *counts = side ? c->rcounts[r] : c->scounts[r];
	const size_t *at = side ? c->rat[r] : c->sat[r];
	uint64_t end = c->count[r];

	if (c->s.op == VN_REDUCE_SCATTERV)
		counts = c->rcounts[r];
	for (int k = 0; many_blocks(c->s.op, side) && k < c->s.ranks; k++)
		end = at[k] + counts[k] > end ? at[k] + counts[k] : end;
	return end * c->s.es;
}

static UNUSED void pick_type(struct call *c)
{
	do
		c->type = (enum vn_type)pick(VN_TYPE_COUNT);
	while (vn_type_size(c->type) != c->s.es);
	c->redop = VN_SUM;
	if (!call_reduces(c->s.op))
		return;
	do
		c->redop = (enum vn_redop)pick(VN_REDOP_COUNT);
	while (!oracle_reduces((uint8_t)c->type, (uint8_t)c->redop));
}

/* Random data everywhere, of which what is reduced makes sense. */
static UNUSED void call_fill(struct call *c)
{
	int n = c->s.ranks, blocks = many_blocks(c->s.op, 0) ? n : 1;

	for (int r = 0; r < n; r++)
		for (int side = 0; side < 2; side++)
			scramble(arena(c, side, r), c->used[side][r]);
	for (int r = 0; r < n && call_reduces(c->s.op); r++)
		for (int k = 0; k < blocks; k++)
			random_elems((uint8_t)c->type,
				     (uint8_t *)call_send(c, r) +
					     (blocks == 1 ? 0 : c->sat[r][k] * c->s.es),
				     blocks == 1 ? c->count[r] : c->len[r][k]);
	for (int r = 0; r < n; r++) {
		for (int side = 0; side < 2; side++) {
			memcpy(world.before[side][r], arena(c, side, r), c->used[side][r]);
			memcpy(world.want[side][r], arena(c, side, r), c->used[side][r]);
		}
	}
}

static UNUSED void call_make(struct call *c, const struct shape *s)
{
	int which;
	uint64_t end;

	c->s = *s;
	c->s.lay = equal_blocks(s->op) ? PACKED : s->lay;
	pick_type(c);
	c->root = (int)pick((uint64_t)s->ranks);
	c->packed = s->lay == PACKED && pick(2);
	make_permutation(c);
	make_lengths(c);
	make_arrays(c);
	for (int r = 0; r < s->ranks; r++) {
		c->made[r] = c->redop;
		random_elems((uint8_t)c->type, (uint8_t *)&c->scalar[r], 1);
		c->used[0][r] = c->used[1][r] = 0;
		for (int side = 0; side < 2; side++)
			c->skew[r][side] = pick(24) * 8;
		for (int side = 0; side < 2; side++) {
			end = buffer_at(c, side, r, &which) + extent(c, side, r) + BEHIND;
			if (end > c->used[which][r])
				c->used[which][r] = end;
			if (end > world.room)
				NEED(-ENOSPC);
		}
	}
	call_fill(c);
}

/* ---- calling it ---------------------------------------------------------------------- */

/* The rank's factor, if sums have one. */
static UNUSED int call_premul(struct call *c, int r, vn_comm_t comm)
{
	return vn_red_op_create_pre_mul_sum(&c->made[r], &c->scalar[r], c->type,
					    r % 2 ? VN_SCALAR_DEVICE : VN_SCALAR_HOST_IMMEDIATE,
					    comm);
}

static UNUSED struct vn_op call_record(const struct call *c, int r)
{
	enum vn_coll op = c->s.op;
	struct vn_op record = {
		.op = op,
		.way = c->s.way,
		.type = c->type,
		.redop = c->made[r],
		.root = c->root,
		.count = op == VN_REDUCE_SCATTERV || op == VN_ALL_TO_ALLV ? 0 : c->count[r],
		.sendbuff = call_send(c, r),
		.recvbuff = call_recv(c, r),
		.to = c->to,
		.sendcounts = c->scounts[r],
		.sdispls = c->packed ? NULL : c->sat[r],
		.recvcounts = c->rcounts[r],
		.rdispls = c->packed || op == VN_REDUCE_SCATTERV ? NULL : c->rat[r],
	};

	/* What only the root uses others may leave out. */
	if (r == c->root || r % 2)
		return record;
	if (general(op) == VN_SCATTERV || op == VN_BROADCAST) {
		record.sendbuff = NULL;
		record.sendcounts = record.sdispls = NULL;
	} else if (general(op) == VN_GATHERV || op == VN_REDUCE_TO) {
		record.recvbuff = NULL;
		record.recvcounts = record.rdispls = NULL;
	}
	return record;
}

static UNUSED int call_start(const struct call *c, int r, vn_comm_t comm, vn_queue_t q)
{
	const struct vn_op op = call_record(c, r);

	switch (c->s.way == VN_WAY_AUTO ? op.op : VN_COLL_COUNT) {
	case VN_ALL_GATHERV:
		return vn_all_gatherv(op.sendbuff, op.count, op.recvbuff, op.recvcounts, op.rdispls,
				      op.type, comm, q);
	case VN_ALL_TO_ALLV:
		return vn_all_to_allv(op.sendbuff, op.sendcounts, op.sdispls, op.recvbuff,
				      op.recvcounts, op.rdispls, op.type, comm, q);
	case VN_GATHERV:
		return vn_gatherv(op.sendbuff, op.count, op.recvbuff, op.recvcounts, op.rdispls,
				  op.type, op.root, comm, q);
	case VN_SCATTERV:
		return vn_scatterv(op.sendbuff, op.sendcounts, op.sdispls, op.recvbuff, op.count,
				   op.type, op.root, comm, q);
	case VN_REDUCE_SCATTERV:
		if (c->s.lay == PACKED)
			return vn_reduce_scatterv(op.sendbuff, op.recvbuff, op.recvcounts, op.type,
						  op.redop, comm, q);
		/* fall through */
	default:
		return vn_op_start(&op, comm, q, NULL);
	}
}

static UNUSED const char *place_text(enum place p)
{
	return p == IN_PLACE ? "in place" : p == SOME_IN_PLACE ? "some in place" : "out of place";
}

static UNUSED void call_describe(const struct call *c, int err, uint64_t wrong)
{
	static const char *const lays[] = { "packed", "gaps", "shuffled", "twice" };

	tap_diag("%s, %d ranks, %s, %s, root %d, up to %llu, %s, %s, %s, way %s: %d (%s), "
		 "%llu wrong",
		 vn_coll_name(c->s.op), c->s.ranks, vn_type_name(c->type), vn_redop_name(c->redop),
		 c->root, (unsigned long long)c->s.longest, lays[c->s.lay], place_text(c->s.place),
		 c->s.host ? "host" : "HBM", vn_way_name(c->s.way), err, err ? vn_error() : "",
		 (unsigned long long)wrong);
}

#endif
