// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends and receives of ranks that are processes: every size around rings, at any place,
 * in HBM and not; all to all by single messages; more in a row than a channel has
 * letters, both ways; in order; to oneself; between collectives that use what came. Who
 * disagrees is named, and who does not come.
 */
#include "own.h"

#define ROOM (1u << 20)
#define MANY 43 /* letters of a channel are 8 */

/* ---- sizes ------------------------------------------------------------------------- */

/* Ends and begins in the middle of a page. */
static uint64_t place_of(uint64_t bytes, uint32_t size)
{
	return (8192 - bytes / 2 % 4096) / size * size;
}

static unsigned int ring(struct band *b, uint64_t bytes, enum vn_type type, int shift)
{
	uint64_t count = bytes / vn_type_size(type), at = place_of(bytes, vn_type_size(type));
	struct message out = { b->rank, band_next(b, shift), (uint32_t)type,
			       count * vn_type_size(type) };
	struct message in = { band_next(b, -shift), b->rank, out.number, out.bytes };
	/* A rank's neighbour may do otherwise. */
	char *send = own_at(0, (b->rank + (int)type) % 2) + at;
	char *recv = own_at(1, (b->rank + (int)type) / 2 % 2) + at;
	int err;

	message_write(&out, send);
	message_await(&in, recv);
	if (type % 2)
		err = vn_send(send, count, type, out.to, b->comm, NULL)
			      ?: vn_recv(recv, count, type, in.from, b->comm, NULL);
	else
		err = vn_recv(recv, count, type, in.from, b->comm, NULL)
			      ?: vn_send(send, count, type, out.to, b->comm, NULL);
	err = err ?: vn_comm_sync(b->comm, LONG);
	return band_bad(b, err, "ring") + message_wrong(&in, recv);
}

static unsigned int sizes(struct band *b)
{
	static const uint64_t list[] = {
		0, 1, 7, 4095, 4097, 65535, 64 << 10, (64 << 10) + 1, 131077, (300 << 10) + 3
	};
	unsigned int wrong = 0;

	own_begin(b, ROOM);
	for (uint32_t i = 0; i < COUNT(list); i++)
		for (int type = (int)i % 3; type < VN_TYPE_COUNT; type += quick() ? 4 : 1)
			wrong += ring(b, list[i], (enum vn_type)type,
				      1 + (int)i % (b->ranks > 1 ? b->ranks - 1 : 1));
	own_end(b);
	return wrong;
}

/* ---- all to all --------------------------------------------------------------------- */

#define CELL 512u

static uint64_t length_of(int from, int to)
{
	return (uint64_t)(from * 7 + to * 13) % 29 * 15;
}

static unsigned int one_exchange(struct band *b, uint32_t round)
{
	char *send = own_at(0, round % 2), *recv = own_at(1, round / 2 % 2);
	unsigned int wrong = 0;
	int err = vn_group_start();

	for (int k = 0; k < b->ranks; k++) {
		int to = band_next(b, k), from = band_next(b, -k);
		struct message out = { b->rank, to, round, length_of(b->rank, to) };
		struct message in = { from, b->rank, round, length_of(from, b->rank) };

		message_write(&out, send + CELL * (unsigned int)to);
		message_await(&in, recv + CELL * (unsigned int)from);
		err = err
			      ?: vn_send(send + CELL * (unsigned int)to, out.bytes, VN_UINT8, to,
					 b->comm, NULL)
			      ?: vn_recv(recv + CELL * (unsigned int)from, in.bytes, VN_UINT8, from,
					 b->comm, NULL);
	}
	err = vn_group_end() ?: err;
	err = err ?: vn_comm_sync(b->comm, LONG);
	for (int from = 0; from < b->ranks; from++) {
		struct message in = { from, b->rank, round, length_of(from, b->rank) };

		wrong += message_wrong(&in, recv + CELL * (unsigned int)from);
	}
	return wrong + band_bad(b, err, "exchange");
}

static unsigned int exchange(struct band *b)
{
	unsigned int wrong = 0;

	own_begin(b, ROOM);
	for (uint32_t round = 0; round < 12; round++)
		wrong += one_exchange(b, round);
	own_end(b);
	return wrong;
}

/* ---- many --------------------------------------------------------------------------- */

/* Lengths on both sides of what is cut into pieces, one in a while. */
static uint64_t nth_length(uint32_t n)
{
	return n % 21 == 20 ? 140000 : n * 97 % 1500;
}

static uint64_t nth_at(uint32_t n)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < n; i++)
		at += nth_length(i) + GUARD;
	return at;
}

static int nth(struct band *b, uint32_t n, int side, int peer, bool host)
{
	char *p = own_at(side, host) + nth_at(n);

	return side ? vn_recv(p, nth_length(n), VN_INT8, peer, b->comm, NULL)
		    : vn_send(p, nth_length(n), VN_INT8, peer, b->comm, NULL);
}

/* Between two ranks, both ways. Turns: a send, a receive; else all sends first. */
static unsigned int flood(struct band *b, bool group, bool turns, bool host)
{
	int peer = b->rank ^ 1, err = 0;
	unsigned int wrong = 0;

	for (uint32_t n = 0; n < MANY; n++) {
		struct message out = { b->rank, peer, n, nth_length(n) };
		struct message in = { peer, b->rank, n, nth_length(n) };

		message_write(&out, own_at(0, host) + nth_at(n));
		message_await(&in, own_at(1, host) + nth_at(n));
	}
	if (group)
		vn_group_start();
	for (uint32_t n = 0; n < 2 * MANY && !err; n++)
		err = turns ? nth(b, n / 2, (int)n % 2, peer, host)
			    : nth(b, n % MANY, n >= MANY, peer, host);
	if (group)
		err = vn_group_end() ?: err;
	err = err ?: vn_comm_sync(b->comm, LONG);
	for (uint32_t n = 0; n < MANY; n++) {
		struct message in = { peer, b->rank, n, nth_length(n) };

		wrong += message_wrong(&in, own_at(1, host) + nth_at(n));
	}
	return wrong + band_bad(b, err, "flood");
}

static unsigned int many(struct band *b)
{
	unsigned int wrong = 0;

	own_begin(b, ROOM);
	for (int i = 0; i < 8; i++)
		wrong += flood(b, i % 2, i / 2 % 2, i / 4);
	own_end(b);
	return wrong;
}

/* ---- to oneself --------------------------------------------------------------------- */

static unsigned int oneself(struct band *b)
{
	unsigned int wrong = 0;

	own_begin(b, ROOM);
	for (int type = 0; type < VN_TYPE_COUNT; type++)
		wrong += ring(b, 1 + 20000 * (uint64_t)type, (enum vn_type)type, 0);
	own_end(b);
	return wrong;
}

/* ---- among collectives -------------------------------------------------------------- */

/*
 * Around the ring, then summed; the sum goes around, too, and is gathered: each uses what
 * came by the one before, or writes over what that sent.
 */
static unsigned int one_mix(struct band *b, size_t n, bool host)
{
	int32_t *x = (int32_t *)own_at(0, host), *y = (int32_t *)own_at(1, host);
	int next = band_next(b, 1), before = band_next(b, -1), ranks = b->ranks, err;
	vn_comm_t c = b->comm;
	unsigned int wrong = 0;

	for (size_t i = 0; i < n; i++)
		x[i] = (int32_t)(i * 3) + b->rank;
	err = vn_send(x, n, VN_INT32, next, c, NULL) ?: vn_recv(y, n, VN_INT32, before, c, NULL);
	err = err ?: vn_all_reduce(y, y + n, n, VN_INT32, VN_SUM, c, NULL);
	err = err ?: vn_send(y + n, n, VN_INT32, next, c, NULL);
	err = err ?: vn_recv(x, n, VN_INT32, before, c, NULL);
	err = err ?: vn_broadcast(y, y + n, n, VN_INT32, 0, c, NULL);
	err = err ?: vn_all_gather(x, y + 2 * n, n, VN_INT32, c, NULL);
	err = err ?: vn_comm_sync(c, LONG);
	for (size_t i = 0; i < n; i++) {
		int32_t one = (int32_t)(i * 3), sum = one * ranks + ranks * (ranks - 1) / 2;

		wrong += y[i] != one + before || x[i] != sum || y[n + i] != one + ranks - 1;
		for (int r = 0; r < ranks; r++)
			wrong += y[(size_t)(2 + r) * n + i] != sum;
	}
	return wrong + band_bad(b, err, "mixed");
}

static unsigned int mixed(struct band *b)
{
	static const size_t counts[] = { 1, 900, 20000 };
	unsigned int wrong = 0;

	own_begin(b, ROOM);
	for (int i = 0; i < 2 * (int)COUNT(counts); i++)
		wrong += one_mix(b, counts[i / 2], i % 2);
	own_end(b);
	return wrong;
}

/* ---- what goes wrong ---------------------------------------------------------------- */

/* The communicator has failed, and says so. */
static unsigned int failed(struct band *b, int err, int want, const char *text)
{
	bool as_said = err == want && strstr(vn_comm_error(b->comm), text);

	if (!as_said)
		tap_diag("rank %d: %d (%s), not %d (%s)", b->rank, err, vn_comm_error(b->comm),
			 want, text);
	vn_comm_abort(b->comm);
	b->comm = NULL;
	return !as_said;
}

static unsigned int disagree(struct band *b)
{
	static int32_t buffer[10];
	int err = b->rank ? vn_recv(buffer, 9, VN_INT32, 0, b->comm, NULL)
			  : vn_send(buffer, 10, VN_INT32, 1, b->comm, NULL);

	return failed(b, err ?: vn_comm_sync(b->comm, LONG), -EINVAL,
		      "rank 0 sends 10 int32, but rank 1 receives 9 int32 of that");
}

/* Rank 0 waits for two and gets one; rank 1 hears of it. */
static unsigned int too_few(struct band *b)
{
	static int32_t buffer[2];
	struct vn_op op = { .op = b->rank ? VN_SEND : VN_RECV,
			    .type = VN_INT32,
			    .count = 1,
			    .peer = !b->rank,
			    .sendbuff = buffer,
			    .recvbuff = buffer,
			    .timeout_ns = 300000000 };
	int err = vn_op_start(&op, b->comm, NULL, NULL) ?: vn_comm_sync(b->comm, LONG);

	op.recvbuff = &buffer[1];
	if (!b->rank)
		err = err ?: vn_op_start(&op, b->comm, NULL, NULL);
	else
		err = err ?: vn_barrier(b->comm, NULL);
	return failed(b, err ?: vn_comm_sync(b->comm, LONG), -ETIMEDOUT,
		      "recv: no end within 300 ms on rank 0; rank 1 has not arrived: it has called "
		      "send for this rank 1 times, this rank 2");
}

int main(void)
{
	band_point(2, sizes, "sizes around a ring");
	band_point(5, sizes, "sizes around a ring");
	band_point(8, exchange, "all to all by messages");
	band_point(2, many, "many both ways");
	band_point(4, many, "many both ways");
	band_point(2, oneself, "to oneself");
	band_point(3, mixed, "among collectives");
	band_point(2, disagree, "who disagrees is named");
	band_point(2, too_few, "who does not come is named");
	return tap_done();
}
