/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes on while a sled is drained, and must not notice: memory with its keys and
 * queues, on some chips, and ranks that add up. For tests; what is not as it should be is
 * remembered, the first of it.
 */
#ifndef VN_TEST_DRAIN_MATRIX_H
#define VN_TEST_DRAIN_MATRIX_H

#include <stdarg.h>

#include <vneuron/fault.h>

#include "crew.h"

#define RANKS 4
#define CHIPS 4
#define BYTES 65536u

static vn_device_t dev;
static struct crew crew;
static char wrong_text[200];

__attribute__((format(printf, 1, 2))) static void bad(const char *fmt, ...)
{
	va_list ap;

	if (*wrong_text)
		return;
	va_start(ap, fmt);
	vsnprintf(wrong_text, sizeof(wrong_text), fmt, ap);
	va_end(ap);
}

static struct vn_chip_query chip(uint32_t n)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, n, &q));
	return q;
}

/* ---- memory, keys, queues: as they are at first, for ever ------------------------------- */

static struct held {
	struct vn_mem mem, was;
	uint32_t key;
	vn_queue_t queue;
	uint64_t used;
	uint8_t shadow[BYTES];
} held[CHIPS];

static void hold(void)
{
	for (uint32_t c = 0; c < CHIPS; c++) {
		struct held *h = &held[c];

		h->mem = take(dev, c, BYTES);
		h->was = h->mem;
		NEED(vn_window_create(dev, &h->mem, 0, BYTES, FULL_ACCESS, &h->key));
		h->queue = queue(dev, c, 8);
		scramble(h->mem.ptr, BYTES);
		memcpy(h->shadow, h->mem.ptr, BYTES);
	}
}

static struct vn_operand by_key(uint32_t c)
{
	return (struct vn_operand){ VN_HERE, (uint16_t)c, held[c].key, 0 };
}

/* Once more, when it was lost. */
static void hold_again(uint32_t c)
{
	struct held *h = &held[c];

	NEED(vn_window_invalidate(dev, c, h->key));
	NEED(vn_mem_free(dev, &h->mem));
	h->mem = take(dev, c, BYTES);
	h->was = h->mem;
	NEED(vn_window_create(dev, &h->mem, 0, BYTES, FULL_ACCESS, &h->key));
	memcpy(h->mem.ptr, h->shadow, BYTES);
}

static void check_held(void)
{
	uint32_t slots[VN_MAX_SLOTS] = { 0 };
	struct vn_query q;

	NEED(vn_device_query(dev, &q));
	for (uint32_t c = 0; c < q.chips; c++)
		if (slots[chip(c).slot]++)
			bad("two chips in slot %u", chip(c).slot);
	for (uint32_t c = 0; c < CHIPS; c++) {
		struct held *h = &held[c], *next = &held[(c + 1) % CHIPS];

		if (memcmp(&h->mem, &h->was, sizeof(h->mem)) != 0)
			bad("chip %u: a handle has changed", c);
		if (vn_chip_lost(dev, c))
			continue;
		if (memcmp(h->mem.ptr, h->shadow, BYTES) != 0)
			bad("chip %u: memory is not what it was", c);
		if (chip(c).hbm_used != h->used)
			bad("chip %u: %llu bytes taken, were %llu", c,
			    (unsigned long long)chip(c).hbm_used, (unsigned long long)h->used);
		/* By its queue and another one's key, there and back. */
		if (vn_chip_lost(dev, next->mem.chip) || vn_link_cut(dev, chip(c).sled) ||
		    vn_link_cut(dev, chip(next->mem.chip).sled))
			continue;
		if (run_copy(h->queue, by_key(next->mem.chip), by_key(c), BYTES) ||
		    memcmp(next->mem.ptr, h->shadow, BYTES) != 0)
			bad("chip %u: its queue and keys do not work", c);
		memcpy(next->mem.ptr, next->shadow, BYTES);
	}
}

/* ---- ranks -------------------------------------------------------------------------- */

static struct vn_mem in[RANKS], out[RANKS];
static bool stop, leave;
static unsigned int sums, wrong_sums;
static pthread_t thread[RANKS];
static int ended[RANKS];

static bool add_up(vn_comm_t comm, int r, uint32_t round, bool *last, int *err)
{
	uint64_t n = BYTES / 4;
	uint32_t *mine = in[r].ptr, *sum = out[r].ptr, want = 0;
	int ranks = 0, rank = 0;

	NEED(vn_comm_count(comm, &ranks));
	NEED(vn_comm_user_rank(comm, &rank));
	for (int i = 0; i < ranks; i++)
		want += round * ((uint32_t)i + 1);
	vn_mem_begin(dev, mine, BYTES);
	for (uint64_t i = 0; i < n; i++)
		mine[i] = round * ((uint32_t)rank + 1);
	/* All end in the same round. */
	mine[0] = !rank && __atomic_load_n(&stop, __ATOMIC_RELAXED);
	vn_mem_end(dev);
	*err = vn_all_reduce(mine, sum, n, VN_UINT32, VN_SUM, comm, NULL)
		       ?: vn_comm_sync(comm, LONG);
	if (*err)
		return false;
	*last = sum[0];
	/* What was right may have been lost since. */
	for (uint64_t i = 1; i < n; i++)
		if (sum[i] != want && !vn_chip_lost(dev, (uint32_t)r)) {
			__atomic_fetch_add(&wrong_sums, 1, __ATOMIC_RELAXED);
			break;
		}
	__atomic_fetch_add(&sums, 1, __ATOMIC_RELAXED);
	return true;
}

static void *rank_loop(void *arg)
{
	int r = (int)(intptr_t)arg, err = 0;
	bool last = false;

	for (uint32_t round = 1; !last; round++) {
		if (r == RANKS - 1 && __atomic_load_n(&leave, __ATOMIC_RELAXED)) {
			vn_comm_abort(crew.rank[r].comm);
			crew.rank[r].comm = NULL;
			break;
		}
		if (!add_up(crew.rank[r].comm, r, round, &last, &err))
			break;
	}
	ended[r] = err;
	return NULL;
}

static void ranks_start(void)
{
	struct vn_config c = VN_CONFIG_INITIALIZER;

	c.timeout_ns = LONG;
	crew_make(&crew, dev, RANKS, BY_THREADS, &c);
	for (uint32_t r = 0; r < RANKS; r++) {
		in[r] = take(dev, r, BYTES);
		out[r] = take(dev, r, BYTES);
	}
	stop = leave = false;
	for (int r = 0; r < RANKS; r++)
		pthread_create(&thread[r], NULL, rank_loop, (void *)(intptr_t)r);
}

/* Who is left agrees, and goes on. */
static void *survive(void *arg)
{
	int r = (int)(intptr_t)arg, gone[RANKS], ngone = 0, err;
	vn_comm_t next;
	bool last;

	err = vn_comm_agree(crew.rank[r].comm, gone, &ngone);
	if (!err && ngone < RANKS) {
		err = vn_comm_shrink(crew.rank[r].comm, gone, ngone, &next, NULL, VN_SHRINK_ABORT);
		for (uint32_t i = 1; !err && i < 4; i++)
			add_up(next, r, i, &last, &err);
		if (!err)
			vn_comm_destroy(next);
	}
	/* A rank whose chip is lost is told so. */
	ended[r] = err == -ESTALE && vn_chip_lost(dev, (uint32_t)r) ? 0 : err;
	return NULL;
}

/* An operation may have failed, so, or not at all; with a link that is cut nobody goes on. */
static void ranks_end(int may_fail)
{
	bool failed = false;

	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int r = 0; r < RANKS; r++) {
		pthread_join(thread[r], NULL);
		failed |= ended[r] != 0;
		if (ended[r] && ended[r] != may_fail)
			bad("rank %d: %d", r, ended[r]);
	}
	for (int r = 0; r < RANKS && failed && may_fail != -ENETUNREACH; r++)
		if (crew.rank[r].comm)
			pthread_create(&thread[r], NULL, survive, (void *)(intptr_t)r);
	for (int r = 0; r < RANKS && failed && may_fail != -ENETUNREACH; r++) {
		if (!crew.rank[r].comm)
			continue;
		pthread_join(thread[r], NULL);
		if (ended[r])
			bad("rank %d does not go on: %d", r, ended[r]);
	}
	for (uint32_t r = 0; r < RANKS; r++) {
		if (crew.rank[r].comm)
			vn_comm_abort(crew.rank[r].comm);
		NEED(vn_mem_free(dev, &in[r]));
		NEED(vn_mem_free(dev, &out[r]));
	}
	if (wrong_sums)
		bad("%u sums of %u are wrong", wrong_sums, sums);
}

#endif
