// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * As many ranks as there are chips of 9 sleds, and of all 36, each a process: they join,
 * and every rank hears of every other by each kind of operation.
 */
#include "own.h"

#define ROOM (64u << 10)
#define N 20u

static unsigned int sums(struct band *b, bool host)
{
	int32_t *x = (int32_t *)own_at(0, host), *y = (int32_t *)own_at(1, host), all = 0;
	unsigned int wrong = 0;
	int err;

	for (uint32_t i = 0; i < N; i++)
		x[i] = (int32_t)i + b->rank * b->rank;
	for (int r = 0; r < b->ranks; r++)
		all += r * r;
	err = vn_all_reduce(x, y, N, VN_INT32, VN_SUM, b->comm, NULL);
	err = err ?: vn_comm_sync(b->comm, LONG);
	for (int32_t i = 0; i < (int32_t)N; i++)
		wrong += y[i] != i * b->ranks + all;
	return wrong + band_bad(b, err, "sums");
}

/* By blocks of one element: rank i sends rank j i * 1000 + j. */
static unsigned int blocks(struct band *b, bool by_messages)
{
	int32_t *x = own.hbm[0].ptr, *y = own.hbm[1].ptr;
	unsigned int wrong = 0;
	int err = 0;

	for (int j = 0; j < b->ranks; j++)
		x[j] = b->rank * 1000 + j;
	memset(y, UNTOUCHED, 4 * (size_t)b->ranks);
	if (!by_messages)
		err = vn_all_to_all(x, y, 1, VN_INT32, b->comm, NULL);
	else
		vn_group_start();
	for (int k = 0; k < b->ranks && by_messages && !err; k++) {
		int to = band_next(b, k), from = band_next(b, -k);

		err = vn_send(&x[to], 1, VN_INT32, to, b->comm, NULL)
			      ?: vn_recv(&y[from], 1, VN_INT32, from, b->comm, NULL);
	}
	if (by_messages)
		err = vn_group_end() ?: err;
	err = err ?: vn_comm_sync(b->comm, LONG);
	for (int i = 0; i < b->ranks; i++)
		wrong += y[i] != i * 1000 + b->rank;
	return wrong + band_bad(b, err, by_messages ? "messages" : "all_to_all");
}

/* Each puts its number to all; signals tell. */
static unsigned int puts_to_all(struct band *b)
{
	struct vn_wait_signal_desc d[VN_MAX_CHIPS];
	int32_t *there = own.hbm[1].ptr, number = b->rank + 1;
	unsigned int wrong = 0;
	vn_comm_window_t w;
	int err;

	memset(there, 0, 4 * (size_t)b->ranks);
	err = vn_comm_window_register(b->comm, there, 4 * (size_t)b->ranks, &w, 0);
	for (int k = 0; k < b->ranks && !err; k++) {
		d[k] = (struct vn_wait_signal_desc){ 1, k, 3, 0 };
		err = vn_put_signal(&number, 1, VN_INT32, band_next(b, k), w, 4 * (size_t)b->rank,
				    3, 0, 0, b->comm, NULL);
	}
	err = err ?: vn_wait_signal(b->ranks, d, b->comm, NULL) ?: vn_comm_sync(b->comm, LONG);
	for (int r = 0; r < b->ranks; r++)
		wrong += there[r] != r + 1;
	err = err ?: vn_barrier(b->comm, NULL) ?: vn_comm_window_deregister(b->comm, w);
	return wrong + band_bad(b, err, "puts");
}

static unsigned int all_of_it(struct band *b)
{
	unsigned int wrong;

	own_begin(b, ROOM);
	wrong = sums(b, false) + sums(b, true);
	wrong += blocks(b, false) + blocks(b, true);
	wrong += puts_to_all(b);
	own_end(b);
	return wrong;
}

static void test(int ranks)
{
	uint64_t began = now_ns();

	band_point(ranks, all_of_it, "all kinds of operations");
	tap_diag("%d processes: %llu ms", ranks,
		 (unsigned long long)((now_ns() - began) / 1000000));
}

int main(void)
{
	test(36);
	if (!quick() || getenv("ALL"))
		test(144);
	return tap_done();
}
