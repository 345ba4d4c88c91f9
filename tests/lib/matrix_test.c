// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every operation x type x reduction x number of ranks x size, in and out of
 * place, by ways chosen at random, against the oracle of reductions: every byte.
 * Here a part of it that a seed chooses, each operation, type and reduction at
 * least once; with VN_COLL_FULL=1 all of it. $VN_SEED repeats a run.
 *
 * A rank's data repeats every PERIOD elements, so that the oracle's work doesn't
 * grow with the size; PERIOD is prime, so no vector, block or slice falls in step.
 * Operations with blocks have a buffer of that size, in as many blocks as ranks.
 */
#include <vneuron/coll.h>

#include "../reduce_oracle.h"
#include "fixture.h"

#define PERIOD 127u
/* The pattern repeated, so that most of a buffer is compared at once. */
#define TILE (PERIOD * 32u)
#define BIG (1u << 20)
#define ROOM (BIG + 4096 + 8 * (VN_MAX_CHIPS * 3 + 16))
/* Behind what is received. */
#define GUARD 64u

enum size { NOTHING, ONE, ODD, PAGES, LARGE, SIZES };

static vn_device_t dev;
static vn_comm_t comm[VN_MAX_CHIPS];
static struct vn_mem mem[2][VN_MAX_CHIPS];
static uint32_t ranks;

static struct {
	uint8_t type, redop;
	uint64_t scalar[VN_MAX_CHIPS];
	uint8_t data[VN_MAX_CHIPS][2 * TILE * 8]; /* of each rank */
	uint8_t fold[VN_MAX_CHIPS][2 * TILE * 8]; /* of ranks 0 to that one */
	bool prefixes; /* all folds are there, else the last */
} now;

struct cell {
	enum vn_coll op;
	enum vn_way way;
	enum size size;
	bool in_place;
	uint64_t count;
	int root;
	enum vn_redop made[VN_MAX_CHIPS];
};

static uint64_t choice;

static uint32_t pick(uint32_t n)
{
	choice ^= choice << 13;
	choice ^= choice >> 7;
	choice ^= choice << 17;
	return (uint32_t)(choice >> 32) % n;
}

static bool reduces(enum vn_coll op)
{
	return op == VN_ALL_REDUCE || op == VN_REDUCE_TO || op == VN_REDUCE_SCATTER ||
	       op == VN_SCAN || op == VN_EXSCAN;
}

/* From one period to all of a pattern. */
static void repeat(uint8_t *pattern)
{
	uint32_t bytes = PERIOD * oracle_size(now.type);

	for (uint32_t at = bytes; at < 2 * TILE * oracle_size(now.type); at += bytes)
		memcpy(pattern + at, pattern, bytes);
}

static void new_type(uint8_t type)
{
	now.type = type;
	now.redop = VN_REDOP_COUNT;
	for (uint32_t r = 0; r < ranks; r++) {
		random_elems(type, now.data[r], PERIOD);
		repeat(now.data[r]);
		random_elems(type, (uint8_t *)&now.scalar[r], 1);
	}
}

static void new_redop(uint8_t redop, bool prefixes)
{
	const void *src[VN_MAX_CHIPS];
	struct oracle oracle = { now.type, redop, src, now.scalar };

	if (now.redop == redop && (now.prefixes || !prefixes))
		return;
	for (uint32_t r = 0; r < ranks; r++)
		src[r] = now.data[r];
	for (uint32_t r = prefixes ? 0 : ranks - 1; r < ranks; r++) {
		for (uint32_t i = 0; i < PERIOD; i++)
			oracle_reduce(&oracle, now.fold[r], r + 1, i);
		repeat(now.fold[r]);
	}
	now.redop = redop;
	now.prefixes = prefixes;
}

/* n elements that begin with element `first` of a pattern. */
static void write_pattern(uint8_t *to, const uint8_t *pattern, uint64_t first, uint64_t n)
{
	uint32_t es = oracle_size(now.type);

	pattern += first % PERIOD * es;
	for (uint64_t at = 0; at < n; at += TILE)
		memcpy(to + at * es, pattern, (n - at < TILE ? n - at : TILE) * es);
}

static uint64_t differs(const uint8_t *got, const uint8_t *pattern, uint64_t first, uint64_t n)
{
	uint32_t es = oracle_size(now.type);
	uint64_t wrong = 0;

	pattern += first % PERIOD * es;
	for (uint64_t at = 0; at < n; at += TILE)
		wrong += memcmp(got + at * es, pattern, (n - at < TILE ? n - at : TILE) * es) != 0;
	return wrong;
}

static uint64_t blocks(enum vn_coll op, bool send)
{
	if (op == VN_ALL_TO_ALL || op == (send ? VN_SCATTER : VN_GATHER) ||
	    op == (send ? VN_REDUCE_SCATTER : VN_ALL_GATHER))
		return ranks;
	return 1;
}

static void buffers(const struct cell *c, uint32_t r, uint8_t **send, uint8_t **recv)
{
	uint64_t es = oracle_size(now.type), at = c->size == PAGES ? 4096 - es : 0;
	uint64_t ns = blocks(c->op, true), nr = blocks(c->op, false), own = r * c->count * es;

	*send = (uint8_t *)mem[0][r].ptr + at;
	*recv = (uint8_t *)mem[1][r].ptr + at;
	if (!c->in_place)
		return;
	if (ns == nr)
		*recv = *send;
	else if (ns < nr && (c->op != VN_GATHER || (int)r == c->root))
		*send = *recv + own;
	else if (ns > nr && (c->op != VN_SCATTER || (int)r == c->root))
		*recv = *send + own;
}

static void prepare(const struct cell *c, uint32_t r)
{
	uint64_t n = blocks(c->op, false) * c->count * oracle_size(now.type);
	uint8_t *send, *recv;

	buffers(c, r, &send, &recv);
	memset(recv, 0x5a, n + GUARD);
	write_pattern(send, now.data[r], 0, blocks(c->op, true) * c->count);
}

/* Where block b of what rank r receives comes from; NULL: it stays as it was. */
static const uint8_t *source(const struct cell *c, uint32_t r, uint64_t b, uint64_t *first)
{
	uint64_t own = r * c->count;

	*first = 0;
	switch (c->op) {
	case VN_ALL_REDUCE:
		return now.fold[ranks - 1];
	case VN_REDUCE_TO:
		return (int)r == c->root ? now.fold[ranks - 1] : NULL;
	case VN_REDUCE_SCATTER:
		*first = own;
		return now.fold[ranks - 1];
	case VN_SCAN:
		return now.fold[r];
	case VN_EXSCAN:
		return r ? now.fold[r - 1] : NULL;
	case VN_BROADCAST:
		return now.data[c->root];
	case VN_GATHER:
		return (int)r == c->root ? now.data[b] : NULL;
	case VN_ALL_GATHER:
		return now.data[b];
	case VN_ALL_TO_ALL:
		*first = own;
		return now.data[b];
	case VN_SCATTER:
		*first = own;
		return now.data[c->root];
	case VN_PERMUTE:
		return now.data[(r + ranks - 1) % ranks];
	default:
		return NULL;
	}
}

static uint64_t check(const struct cell *c, uint32_t r)
{
	uint64_t bytes = c->count * oracle_size(now.type), n = blocks(c->op, false), wrong = 0,
		 first;
	uint8_t *send, *recv, untouched[GUARD];
	const uint8_t *want;

	buffers(c, r, &send, &recv);
	memset(untouched, 0x5a, sizeof(untouched));
	for (uint64_t b = 0; b < n; b++) {
		want = source(c, r, b, &first);
		if (want)
			wrong += differs(recv + b * bytes, want, first, c->count);
		else if (!c->in_place)
			for (uint64_t i = 0; i < bytes; i++)
				wrong += recv[b * bytes + i] != 0x5a;
	}
	/* In place something else lies behind it. */
	if (!c->in_place)
		wrong += memcmp(recv + n * bytes, untouched, sizeof(untouched)) != 0;
	return wrong;
}

static uint64_t count_of(enum vn_coll op, enum size size)
{
	uint64_t most = blocks(op, true) > blocks(op, false) ? blocks(op, true) : blocks(op, false);
	uint64_t big = quick() ? BIG / 16 : BIG;

	switch (size) {
	case NOTHING:
		return 0;
	case ONE:
		return 1;
	case ODD:
		return ranks > 8 && most > 1 ? 61 : 1001;
	case PAGES:
		return 3 + 4096 / most / oracle_size(now.type);
	default:
		return big / oracle_size(now.type) / most + 3;
	}
}

/* Starts it on all ranks and waits. */
static int carry_out(const struct cell *c, const int *to)
{
	uint8_t *send, *recv;
	int err = vn_group_start();

	for (uint32_t r = 0; r < ranks && !err; r++) {
		struct vn_op op = {
			.op = c->op,
			.way = c->way,
			.type = now.type,
			.redop = reduces(c->op) ? c->made[r] : VN_SUM,
			.root = c->root,
			.count = c->count,
			.to = to,
		};

		buffers(c, r, &send, &recv);
		op.sendbuff = send;
		op.recvbuff = recv;
		err = vn_op_start(&op, comm[r], NULL, NULL);
	}
	err = vn_group_end() ?: err;
	for (uint32_t r = 0; r < ranks && !err; r++)
		err = vn_comm_sync(comm[r], LONG);
	return err;
}

static uint64_t run_cell(struct cell *c, uint8_t redop)
{
	int to[VN_MAX_CHIPS], err = 0;
	uint64_t wrong = 0;

	c->count = count_of(c->op, c->size);
	c->root = (int)pick(ranks);
	c->way = (enum vn_way)pick(VN_WAY_COUNT);
	for (uint32_t r = 0; r < ranks; r++) {
		to[r] = (int)((r + 1) % ranks);
		c->made[r] = (enum vn_redop)redop;
		if (redop == VN_PREMULSUM)
			err = err
				      ?: vn_red_op_create_pre_mul_sum(
						 &c->made[r], &now.scalar[r], now.type,
						 r % 2 ? VN_SCALAR_DEVICE
						       : VN_SCALAR_HOST_IMMEDIATE,
						 comm[r]);
		prepare(c, r);
	}
	err = err ?: carry_out(c, to);
	for (uint32_t r = 0; r < ranks; r++) {
		wrong += check(c, r);
		if (c->made[r] >= VN_REDOP_COUNT)
			vn_red_op_destroy(c->made[r], comm[r]);
	}
	if (err || wrong)
		tap_diag("%s, %u ranks, type %u, redop %u, count %llu, root %d, way %s%s: %d (%s), "
			 "%llu wrong",
			 vn_coll_name(c->op), ranks, now.type, redop, (unsigned long long)c->count,
			 c->root, vn_way_name(c->way), c->in_place ? ", in place" : "", err,
			 err ? vn_error() : "", (unsigned long long)wrong);
	return wrong + (err != 0);
}

/* All sizes of one operation, type and reduction; one of them at least. */
static uint64_t run_sizes(enum vn_coll op, uint8_t redop, bool all, uint32_t *ran)
{
	uint32_t must = pick(2 * SIZES);
	uint64_t wrong = 0;

	if (reduces(op))
		new_redop(redop, op == VN_SCAN || op == VN_EXSCAN);
	for (uint32_t i = 0; i < 2 * SIZES; i++) {
		struct cell c = { .op = op, .size = (enum size)(i / 2), .in_place = i & 1 };
		bool chosen = pick(20) == 0;

		if (!all && !chosen && (i != must || ranks > 8))
			continue;
		wrong += run_cell(&c, redop);
		++*ran;
	}
	return wrong;
}

static void run_ranks(bool all)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	uint32_t ran = 0;

	config.timeout_ns = LONG;
	NEED(vn_set_chip(dev, 0));
	NEED(vn_comm_init_all_config(comm, (int)ranks, NULL, &config));
	for (uint32_t r = 0; r < ranks; r++)
		for (uint32_t side = 0; side < 2; side++)
			mem[side][r] = take(dev, r, ROOM);
	for (uint32_t op = 0; op < VN_BARRIER; op++) {
		uint64_t wrong = 0, before = ran;

		for (uint8_t type = 0; type < VN_TYPE_COUNT; type++) {
			new_type(type);
			for (uint8_t redop = 0; redop < VN_REDOP_COUNT; redop++)
				if (reduces((enum vn_coll)op) ? oracle_reduces(type, redop)
							      : !redop)
					wrong += run_sizes((enum vn_coll)op, redop, all, &ran);
		}
		tap_ok(!wrong, "%s, %u ranks: %llu wrong in %llu cases",
		       vn_coll_name((enum vn_coll)op), ranks, (unsigned long long)wrong,
		       (unsigned long long)(ran - before));
	}
	for (uint32_t r = 0; r < ranks; r++) {
		NEED(vn_comm_destroy(comm[r]));
		for (uint32_t side = 0; side < 2; side++)
			NEED(vn_mem_free(dev, &mem[side][r]));
	}
}

int main(void)
{
	static const uint32_t all[] = { 1, 2, 3, 4, 5, 8, 36, 143, 144 }, few[] = { 1, 2, 3, 5 };
	const char *seed = getenv("VN_SEED");
	uint32_t n = quick() ? COUNT(few) : COUNT(all);

	choice = seed && *seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
	choice = choice ?: 1;
	tap_diag("VN_SEED=%llu", (unsigned long long)choice);
	dev = device();
	for (uint32_t i = 0; i < n; i++) {
		ranks = quick() ? few[i] : all[i];
		run_ranks(full());
	}
	vn_close(dev);
	return tap_done();
}
