// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Windows of ranks that are processes: of unequal size, in HBM; puts and gets of every
 * type at all places of them, from HBM and not; signals, and data that is there when
 * they are seen; several windows at once, also in one allocation; one that is used in
 * the group it is registered in; order among messages and collectives. A window that is
 * not in HBM is refused.
 */
#include "own.h"

#define ROOM (256u << 10)

/* The last rank has none. */
static size_t size_of(const struct band *b, int rank)
{
	return rank == b->ranks - 1 && rank > 1 ? 0 : ROOM - 8192u * (unsigned int)rank - 72;
}

static vn_comm_window_t open_window(struct band *b, void *at, size_t size)
{
	vn_comm_window_t w = NULL;

	NEED(vn_comm_window_register(b->comm, at, size, &w, b->rank % 2));
	return w;
}

static int meet(struct band *b)
{
	return vn_barrier(b->comm, NULL) ?: vn_comm_sync(b->comm, LONG);
}

static unsigned int close_window(struct band *b, vn_comm_window_t w)
{
	/* Others may be at it. */
	return band_bad(b, meet(b) ?: vn_comm_window_deregister(b->comm, w), "deregister");
}

/* ---- puts and gets ------------------------------------------------------------------ */

/* What a rank has at a place of a window: each puts to slots of its own. */
struct slot {
	enum vn_type type;
	size_t count, bytes, at; /* at: from the window's beginning */
};

static struct slot slot_of(int rank, int type, size_t count, size_t skew)
{
	size_t size = vn_type_size((enum vn_type)type);

	return (struct slot){ (enum vn_type)type, count, count * size,
			      (skew + (size_t)rank * (2100 * 8 + GUARD)) / size * size };
}

static unsigned int puts_and_gets(struct band *b, vn_comm_window_t w, int type, size_t count,
				  size_t skew, bool host)
{
	struct slot mine = slot_of(b->rank, type, count, skew);
	unsigned int wrong = 0;
	char *local;
	int err = 0;

	/* Those who come to this rank's window. */
	for (int r = 0; r < b->ranks && size_of(b, b->rank); r++) {
		struct slot s = slot_of(r, type, count, skew);

		memset((char *)own.hbm[1].ptr + s.at, UNTOUCHED, s.bytes + GUARD);
	}
	err = meet(b);
	for (int peer = 0; peer < b->ranks && !err; peer++) {
		struct message m = { b->rank, peer, (uint32_t)(type + (int)count), mine.bytes };

		local = own_at(0, host) + (size_t)peer * (2100 * 8 + GUARD);
		if (!size_of(b, peer))
			continue;
		message_write(&m, local);
		err = vn_put(local, count, mine.type, peer, w, mine.at, b->comm, NULL);
	}
	err = err ?: meet(b);
	for (int r = 0; r < b->ranks && size_of(b, b->rank); r++) {
		struct slot s = slot_of(r, type, count, skew);
		struct message m = { r, b->rank, (uint32_t)(type + (int)count), s.bytes };

		wrong += message_wrong(&m, (char *)own.hbm[1].ptr + s.at);
	}
	/* And back: what the next rank put to each. */
	for (int peer = 0; peer < b->ranks && !err; peer++) {
		struct slot s = slot_of(band_next(b, 1), type, count, skew);
		struct message m = { band_next(b, 1), peer, (uint32_t)(type + (int)count),
				     s.bytes };

		if (!size_of(b, peer))
			continue;
		local = own_at(0, host);
		message_await(&m, local);
		err = vn_get(local, count, s.type, peer, w, s.at, b->comm, NULL)
			      ?: vn_comm_sync(b->comm, LONG);
		wrong += message_wrong(&m, local);
	}
	return wrong + band_bad(b, err ?: meet(b), "puts and gets");
}

static unsigned int reach(struct band *b)
{
	static const size_t counts[] = { 0, 1, 33, 2000 };
	unsigned int wrong = 0;
	vn_comm_window_t w;

	own_begin(b, ROOM);
	w = open_window(b, size_of(b, b->rank) ? own.hbm[1].ptr : NULL, size_of(b, b->rank));
	for (uint32_t i = 0; i < COUNT(counts); i++)
		for (int type = 0; type < VN_TYPE_COUNT; type += quick() ? 3 : 1)
			wrong += puts_and_gets(b, w, type, counts[i], 4096 - 8 * i * 17, type % 2);
	wrong += close_window(b, w);
	own_end(b);
	return wrong;
}

/* The very end of a window, all of it, and what is beyond. */
static unsigned int ends(struct band *b)
{
	int peer = band_next(b, 1), from = band_next(b, -1), err;
	size_t size = size_of(b, peer), own_size = size_of(b, b->rank);
	struct message out = { b->rank, peer, 1, size }, in = { from, b->rank, 1, own_size };
	struct message last = { b->rank, peer, 2, 8 };
	unsigned int wrong = 0;
	vn_comm_window_t w;
	char *there;

	own_begin(b, ROOM);
	there = own.hbm[1].ptr;
	w = open_window(b, there, own_size);
	message_await(&in, there);
	err = meet(b);
	message_write(&out, own.host[0]);
	err = err ?: vn_put(own.host[0], size, VN_INT8, peer, w, 0, b->comm, NULL) ?: meet(b);
	wrong += message_wrong(&in, there);
	err = err ?: meet(b);
	message_write(&last, own.host[0]);
	err = err ?: vn_put(own.host[0], 1, VN_FLOAT64, peer, w, size - 8, b->comm, NULL);
	err = err ?: vn_put(NULL, 0, VN_INT8, peer, w, size, b->comm, NULL) ?: meet(b);
	last = (struct message){ from, b->rank, 2, 8 };
	wrong += message_wrong(&last, there + own_size - 8);
	wrong += band_bad(b, err, "ends of a window");
	err = vn_put(own.host[0], 2, VN_FLOAT64, peer, w, size - 8, b->comm, NULL);
	wrong += err != -ERANGE || !strstr(vn_error(), "bytes at");
	err = vn_get(own.host[0], 1, VN_INT8, peer, w, size, b->comm, NULL);
	wrong += err != -ERANGE;
	wrong += close_window(b, w);
	own_end(b);
	return wrong;
}

/* ---- signals ------------------------------------------------------------------------ */

#define BALL 6000u

/* To and fro; who sees the signal sees all of it. */
static unsigned int ball(struct band *b)
{
	unsigned int rounds = quick() ? 200 : 4000, wrong = 0;
	int peer = !b->rank, err = 0;
	vn_comm_window_t w;

	own_begin(b, ROOM);
	w = open_window(b, own.hbm[1].ptr, BALL + GUARD);
	memset(own.hbm[1].ptr, UNTOUCHED, BALL + GUARD);
	err = meet(b);
	for (uint32_t n = 0; n < rounds && !err; n++) {
		int thrower = (int)n % 2, sig = (int)n % VN_SIGNALS;
		struct message m = { thrower, !thrower, n, BALL };
		struct vn_wait_signal_desc d = { .op_cnt = 1, .peer = peer, .sig_idx = sig };

		if (thrower == b->rank) {
			message_write(&m, own_at(0, n % 4 / 2));
			err = vn_put_signal(own_at(0, n % 4 / 2), BALL, VN_UINT8, peer, w, 0, sig,
					    0, 0, b->comm, NULL);
			continue;
		}
		err = vn_wait_signal(1, &d, b->comm, NULL) ?: vn_comm_sync(b->comm, LONG);
		wrong += message_wrong(&m, own.hbm[1].ptr);
	}
	wrong += band_bad(b, err, "ball") + close_window(b, w);
	own_end(b);
	return wrong;
}

/* To every rank signal k is given k + 1 times; they are waited for in portions. */
static unsigned int counts(struct band *b)
{
	struct vn_wait_signal_desc d[VN_MAX_CHIPS];
	int err = 0;

	for (int peer = 0; peer < b->ranks; peer++)
		for (int k = 0; k < VN_SIGNALS; k++)
			for (int i = 0; i <= k && !err; i++)
				err = vn_signal(peer, k, 0, 0, b->comm, NULL);
	for (int k = 0; k < VN_SIGNALS && !err; k++) {
		for (int half = 0; half < 2 && !err; half++) {
			int n = half ? (k + 1) / 2 : k + 1 - (k + 1) / 2;

			for (int peer = 0; peer < b->ranks; peer++)
				d[peer] = (struct vn_wait_signal_desc){ n, peer, k, 0 };
			if (n)
				err = vn_wait_signal(b->ranks, d, b->comm, NULL);
		}
	}
	err = err ?: vn_comm_sync(b->comm, LONG);
	if (band_bad(b, err ?: meet(b), "signals"))
		return 1;
	/* They are used up. */
	struct vn_op op = {
		.op = VN_WAIT_SIGNAL, .nsignals = 1, .signals = d, .timeout_ns = 300000000
	};

	d[0] = (struct vn_wait_signal_desc){ 1, 1, 5, 0 };
	if (!b->rank)
		err = vn_op_start(&op, b->comm, NULL, NULL);
	err = err ?: vn_barrier(b->comm, NULL) ?: vn_comm_sync(b->comm, LONG);
	err = err == -ETIMEDOUT &&
	      strstr(vn_comm_error(b->comm), "rank 1 has given signal 5 0 of 1 times");
	if (!err)
		tap_diag("rank %d: %s", b->rank, vn_comm_error(b->comm));
	vn_comm_abort(b->comm);
	b->comm = NULL;
	return !err;
}

/* ---- several windows ---------------------------------------------------------------- */

#define WINDOWS 12

/* Half of them in one allocation, half in one each; each rank puts its number to all. */
static unsigned int several(struct band *b)
{
	struct vn_mem mem[WINDOWS];
	vn_comm_window_t w[WINDOWS];
	unsigned int wrong = 0;
	int err = 0, value[WINDOWS][VN_MAX_CHIPS];
	void *ptr;

	own_begin(b, ROOM);
	for (uint32_t i = 0; i < WINDOWS; i++) {
		mem[i] = take(b->dev, (uint32_t)b->rank, 4096);
		ptr = i % 2 ? mem[i].ptr : (char *)own.hbm[1].ptr + 4096 * i + 8 * i;
		memset(ptr, UNTOUCHED, 1024);
		w[i] = open_window(b, ptr, 1024 - 8 * i);
		wrong += vn_win_get_user_ptr(b->comm, w[i], &ptr) ||
			 ptr != (i % 2 ? mem[i].ptr : (char *)own.hbm[1].ptr + 4096 * i + 8 * i);
	}
	for (int i = 0; i < WINDOWS && !err; i++) {
		for (int peer = 0; peer < b->ranks && !err; peer++) {
			value[i][peer] = 1000 * i + 10 * b->rank + peer;
			err = vn_put(&value[i][peer], 1, VN_INT32, peer, w[i], 4 * (size_t)b->rank,
				     b->comm, NULL);
		}
	}
	err = err ?: meet(b);
	for (int i = 0; i < WINDOWS && !err; i++) {
		NEED(vn_win_get_user_ptr(b->comm, w[i], &ptr));
		for (int r = 0; r < b->ranks; r++)
			wrong += ((int *)ptr)[r] != 1000 * i + 10 * r + b->rank;
		wrong += ((int *)ptr)[b->ranks] != 0x5a5a5a5a;
	}
	wrong += band_bad(b, err, "several windows");
	/* In another order than they were made. */
	for (uint32_t i = 0; i < WINDOWS; i++)
		wrong += close_window(b, w[i * 5 % WINDOWS]);
	for (uint32_t i = 0; i < WINDOWS; i++)
		NEED(vn_mem_free(b->dev, &mem[i]));
	own_end(b);
	return wrong;
}

/* Registered and used at once: it is found when its turn comes. */
static unsigned int at_once(struct band *b)
{
	int to = band_next(b, 1), from = band_next(b, -1), err;
	struct message out = { b->rank, to, 3, 400 }, in = { from, b->rank, 3, 400 };
	struct vn_wait_signal_desc d = { .op_cnt = 1, .peer = from, .sig_idx = 2 };
	unsigned int wrong;
	vn_comm_window_t w;

	own_begin(b, ROOM);
	message_write(&out, own.hbm[0].ptr);
	message_await(&in, (char *)own.hbm[1].ptr + 16);
	message_await(&in, own.host[1]);
	vn_group_start();
	err = vn_comm_window_register(b->comm, own.hbm[1].ptr, ROOM, &w, VN_WIN_COLL_SYMMETRIC);
	err = err
		      ?: vn_put_signal(own.hbm[0].ptr, 100, VN_INT32, to, w, 16, 2, 0, 0, b->comm,
				       NULL);
	err = err ?: vn_wait_signal(1, &d, b->comm, NULL);
	err = err ?: vn_get(own.host[1], 100, VN_INT32, b->rank, w, 16, b->comm, NULL);
	err = vn_group_end() ?: err;
	err = err ?: vn_comm_sync(b->comm, LONG);
	wrong = band_bad(b, err, "in one group");
	wrong += message_wrong(&in, (char *)own.hbm[1].ptr + 16) + message_wrong(&in, own.host[1]);
	wrong += close_window(b, w);
	own_end(b);
	return wrong;
}

/* ---- order -------------------------------------------------------------------------- */

/*
 * Rank 1 signals rank 2 when a message of rank 0 has come: 2 looks into 1's memory. Then
 * the sum of all is put into 0's window, and what lies there is broadcast.
 */
static unsigned int chain(struct band *b, vn_comm_window_t w, size_t n, int32_t seed)
{
	int32_t *mine = own.hbm[1].ptr, *sum = mine + n, wrong = 0;
	struct vn_wait_signal_desc from_1 = { 1, 1, 0, 0 }, from_2 = { 1, 2, 5, 0 };
	vn_comm_t c = b->comm;
	int err = meet(b);

	memset(mine, 0x77, 3 * 4 * n);
	for (size_t i = 0; i < n && !b->rank; i++)
		mine[i] = (int32_t)i * 5 + seed;
	err = err ?: meet(b);
	if (b->rank == 0)
		err = err ?: vn_send(mine, n, VN_INT32, 1, c, NULL);
	if (b->rank == 1)
		err = err
			      ?: vn_recv(mine, n, VN_INT32, 0, c, NULL)
			      ?: vn_signal(2, 0, 0, 0, c, NULL);
	if (b->rank == 2)
		err = err
			      ?: vn_wait_signal(1, &from_1, c, NULL)
			      ?: vn_get(mine, n, VN_INT32, 1, w, 0, c, NULL);
	err = err ?: vn_all_reduce(mine, sum, n, VN_INT32, VN_SUM, c, NULL);
	if (b->rank == 2)
		err = err ?: vn_put_signal(sum, n, VN_INT32, 0, w, 8 * n, 5, 0, 0, c, NULL);
	if (b->rank == 0)
		err = err ?: vn_wait_signal(1, &from_2, c, NULL);
	err = err ?: vn_broadcast(mine + 2 * n, sum, n, VN_INT32, 0, c, NULL);
	err = err ?: vn_comm_sync(c, LONG);
	for (size_t i = 0; i < n; i++)
		wrong += sum[i] != 3 * ((int32_t)i * 5 + seed);
	return (unsigned int)wrong + band_bad(b, err, "chain");
}

static unsigned int order(struct band *b)
{
	unsigned int wrong = 0;
	vn_comm_window_t w;

	own_begin(b, ROOM);
	w = open_window(b, own.hbm[1].ptr, ROOM);
	for (int round = 0; round < (quick() ? 20 : 200); round++)
		wrong += chain(b, w, round % 2 ? 5000 : 700, round);
	wrong += close_window(b, w);
	own_end(b);
	return wrong;
}

/* ---- what goes wrong ---------------------------------------------------------------- */

static unsigned int not_in_hbm(struct band *b)
{
	static char host[4096] __attribute__((aligned(8)));
	vn_comm_window_t w = NULL;
	unsigned int wrong = 0;
	char want[64];
	int err;

	own_begin(b, ROOM);
	snprintf(want, sizeof(want), "rank %d: window: its buffer must be in HBM", b->rank);
	err = vn_comm_window_register(b->comm, host, sizeof(host), &w, 0);
	wrong += err != -EINVAL || w || !strstr(vn_error(), want);
	/* Nor one that is longer than what it begins in. */
	err = vn_comm_window_register(b->comm, own.hbm[1].ptr, own.hbm[1].bytes + 8, &w, 0);
	wrong += err != -EINVAL || !strstr(vn_error(), want);
	if (wrong)
		tap_diag("rank %d: %d (%s)", b->rank, err, vn_error());
	/* That was all. */
	w = open_window(b, own.hbm[1].ptr, 4096);
	wrong += close_window(b, w);
	own_end(b);
	return wrong;
}

int main(void)
{
	band_point(1, reach, "puts and gets");
	band_point(2, reach, "puts and gets");
	band_point(5, reach, "puts and gets");
	band_point(2, ends, "ends of windows");
	band_point(2, ball, "to and fro by signals");
	band_point(4, counts, "signals count once");
	band_point(3, several, "several windows");
	band_point(3, at_once, "a window is registered and used in one group");
	band_point(3, order, "order among messages and collectives");
	band_point(2, not_in_hbm, "a window that is not in HBM is refused");
	return tap_done();
}
