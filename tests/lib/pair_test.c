// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends and receives: every size and type between two ranks, in HBM and not; rings,
 * and all to all by single messages, with up to 144 ranks; several messages between
 * the same two keep their order; to oneself; between collectives that use what came,
 * without a wait; on queues, between descriptors. Each by threads and by one thread.
 */
#include "crew.h"

#define RANKS 8
#define ROOM (9u << 20)
#define MESSAGES 20

static vn_device_t dev;
static struct crew crew;
static struct vn_mem mem[2][RANKS]; /* to send from, to receive in */
static char *host[2][RANKS];
static bool in_host;

static struct {
	size_t count;
	enum vn_type type;
	int shift; /* rank r sends to r + shift */
} now;

static char *buffer(int side, int rank)
{
	return in_host ? host[side][rank] : mem[side][rank].ptr;
}

static uint64_t bytes_now(void)
{
	return now.count * vn_type_size(now.type);
}

static int next_of(int rank, int shift)
{
	return (rank + shift + crew.ranks) % crew.ranks;
}

/* Bytes behind a message that must stay. */
#define GUARD 64u

static void fill(uint64_t bytes)
{
	for (int r = 0; r < crew.ranks; r++) {
		scramble(buffer(0, r), bytes);
		memset(buffer(1, r), 0x5a, bytes + GUARD);
	}
}

/* Every rank has received what the one before it sent, and nothing else. */
static unsigned int shifted_wrong(uint64_t bytes)
{
	char guard[GUARD];
	unsigned int wrong = 0;

	memset(guard, 0x5a, sizeof(guard));
	for (int r = 0; r < crew.ranks; r++) {
		wrong += memcmp(buffer(1, r), buffer(0, next_of(r, -now.shift)), bytes) != 0;
		wrong += memcmp(buffer(1, r) + bytes, guard, sizeof(guard)) != 0;
	}
	return wrong;
}

/* ---- sizes and types ---------------------------------------------------------------- */

static int shift(struct rank *me)
{
	return vn_send(buffer(0, me->number), now.count, now.type, next_of(me->number, now.shift),
		       me->comm, NULL)
		       ?: vn_recv(buffer(1, me->number), now.count, now.type,
				  next_of(me->number, -now.shift), me->comm, NULL);
}

/* The other way round, so that receives come first. */
static int shift_back(struct rank *me)
{
	return vn_recv(buffer(1, me->number), now.count, now.type, next_of(me->number, -now.shift),
		       me->comm, NULL)
		       ?: vn_send(buffer(0, me->number), now.count, now.type,
				  next_of(me->number, now.shift), me->comm, NULL);
}

static void test_sizes(int ranks, enum driven by)
{
	static const uint64_t sizes[] = {
		0, 1, 7, 4097, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, (1 << 20) + 3, 8u << 20
	};
	unsigned int wrong = 0, n = COUNT(sizes) - (quick() || ranks > 3);

	crew_make(&crew, dev, ranks, by, NULL);
	for (uint32_t i = 0; i < n; i++) {
		now.shift = 1 + (int)i % (ranks > 1 ? ranks - 1 : 1);
		for (int type = 0; type < VN_TYPE_COUNT; type += quick() ? 5 : 1) {
			now.type = (enum vn_type)type;
			now.count = sizes[i] / vn_type_size(now.type);
			/* Of the long ones, types of another size each. */
			if (sizes[i] > 1u << 20 && type % 3)
				continue;
			in_host = (i + (uint32_t)type) % 2;
			fill(bytes_now());
			wrong += crew_do(&crew, type % 2 ? shift : shift_back);
			wrong += shifted_wrong(bytes_now());
		}
	}
	tap_ok(!wrong, "%u sizes, every type, %d ranks, %s: %u wrong", n, ranks, driven_text(by),
	       wrong);
	crew_end(&crew);
	in_host = false;
}

/* ---- all to all ----------------------------------------------------------------------- */

/* A message from i to j: of its own length and bytes. */
static uint32_t message_length(int i, int j)
{
	return (uint32_t)(i * 7 + j * 13) % 29;
}

static char message_byte(int i, int j, uint32_t at)
{
	return (char)(i * 31 + j * 57 + (int)at * 11 + 1);
}

static char all_sent[VN_MAX_CHIPS][VN_MAX_CHIPS][32], all_got[VN_MAX_CHIPS][VN_MAX_CHIPS][32];

static int exchange_all(struct rank *me)
{
	int err = vn_group_start();

	for (int k = 0; k < crew.ranks && !err; k++) {
		int to = next_of(me->number, k), from = next_of(me->number, -k);

		err = vn_send(all_sent[me->number][to], message_length(me->number, to), VN_UINT8,
			      to, me->comm, NULL)
			      ?: vn_recv(all_got[me->number][from],
					 message_length(from, me->number), VN_UINT8, from, me->comm,
					 NULL);
	}
	return vn_group_end() ?: err;
}

static void test_all_to_all(int ranks, enum driven by)
{
	unsigned int wrong = 0;

	crew_make(&crew, dev, ranks, by, NULL);
	memset(all_got, 0, sizeof(all_got));
	for (int i = 0; i < ranks; i++)
		for (int j = 0; j < ranks; j++)
			for (uint32_t b = 0; b < message_length(i, j); b++)
				all_sent[i][j][b] = message_byte(i, j, b);
	wrong += crew_do(&crew, exchange_all);
	for (int i = 0; i < ranks; i++)
		for (int j = 0; j < ranks; j++)
			for (uint32_t b = 0; b < 32; b++)
				wrong += all_got[j][i][b] !=
					 (b < message_length(i, j) ? message_byte(i, j, b) : 0);
	tap_ok(!wrong, "all to all by messages, %d ranks, %s: %u bytes wrong", ranks,
	       driven_text(by), wrong);
	crew_end(&crew);
}

/* One thread, no group: both are under way before anybody waits, for either of them. */
static void test_ungrouped(int waits_first)
{
	struct rank *a = &crew.rank[0], *b = &crew.rank[1];
	unsigned int wrong = 0;
	int err;

	crew_make(&crew, dev, 2, BY_ONE, NULL);
	now.shift = 1;
	now.type = VN_UINT8;
	for (now.count = 10; now.count < ROOM; now.count *= 90) {
		fill(now.count);
		err = shift(a) ?: shift(b);
		err = err ?: vn_comm_sync(crew.rank[waits_first].comm, LONG);
		err = err ?: vn_comm_sync(crew.rank[!waits_first].comm, LONG);
		wrong += err || shifted_wrong(now.count);
	}
	tap_ok(!wrong, "one thread without a group, rank %d waits first", waits_first);
	crew_end(&crew);
}

/* Longer than caches. */
static void test_long(void)
{
	uint64_t bytes = 26u << 20;
	char *a = malloc(bytes), *b = malloc(bytes);
	int err;

	if (!a || !b)
		NEED(-ENOMEM);
	scramble(a, bytes);
	memset(b, 0, bytes);
	crew_make(&crew, dev, 2, BY_ONE, NULL);
	err = vn_send(a, bytes, VN_UINT8, 1, crew.rank[0].comm, NULL)
		      ?: vn_recv(b, bytes, VN_UINT8, 0, crew.rank[1].comm, NULL)
		      ?: vn_comm_sync(crew.rank[1].comm, LONG);
	tap_ok(!err && !memcmp(a, b, bytes), "%llu MiB", (unsigned long long)bytes >> 20);
	crew_end(&crew);
	free(a);
	free(b);
}

/* ---- order --------------------------------------------------------------------------- */

/* Lengths on both sides of what one rank copies alone. */
static size_t nth_length(int n)
{
	return n % 3 ? (size_t)n * 40 + 1 : 30000 + (size_t)n;
}

static size_t nth_at(int n)
{
	size_t at = 0;

	for (int i = 0; i < n; i++)
		at += nth_length(i);
	return at;
}

/* All go from rank 0 to rank 1, which takes them as they come. */
static int many_to_one(struct rank *me)
{
	int err = 0;

	for (int n = 0; n < MESSAGES && !err; n++) {
		if (!me->number)
			err = vn_send((uint32_t *)buffer(0, 0) + nth_at(n), nth_length(n),
				      VN_UINT32, 1, me->comm, NULL);
		else if (me->number == 1)
			err = vn_recv((uint32_t *)buffer(1, 1) + nth_at(n), nth_length(n),
				      VN_UINT32, 0, me->comm, NULL);
	}
	return err;
}

static void test_order(enum driven by)
{
	uint64_t bytes = 4 * nth_at(MESSAGES);
	unsigned int wrong;

	crew_make(&crew, dev, 3, by, NULL);
	now.shift = 1;
	fill(bytes);
	wrong = crew_do(&crew, many_to_one);
	wrong += memcmp(buffer(1, 1), buffer(0, 0), bytes) != 0;
	tap_ok(!wrong, "%d messages between two ranks keep their order, %s", MESSAGES,
	       driven_text(by));
	crew_end(&crew);
}

/* Both send all of theirs before they receive, which no channel has letters for. */
static int both_ways(struct rank *me)
{
	int err = 0;

	for (int n = 0; n < 2 * MESSAGES && !err; n++) {
		int nth = n % MESSAGES;

		if (n < MESSAGES)
			err = vn_send((uint32_t *)buffer(0, me->number) + nth_at(nth),
				      nth_length(nth), VN_UINT32, !me->number, me->comm, NULL);
		else
			err = vn_recv((uint32_t *)buffer(1, me->number) + nth_at(nth),
				      nth_length(nth), VN_UINT32, !me->number, me->comm, NULL);
	}
	return err;
}

static void test_both_ways(enum driven by)
{
	uint64_t bytes = 4 * nth_at(MESSAGES);
	unsigned int wrong;

	crew_make(&crew, dev, 2, by, NULL);
	now.shift = 1;
	fill(bytes);
	wrong = crew_do(&crew, both_ways);
	wrong += shifted_wrong(bytes);
	tap_ok(!wrong, "%d messages both ways at once, %s", MESSAGES, driven_text(by));
	crew_end(&crew);
}

/* ---- to oneself ------------------------------------------------------------------------ */

static int to_oneself(struct rank *me)
{
	return me->number % 2 ? shift(me) : shift_back(me);
}

static void test_self(enum driven by)
{
	unsigned int wrong = 0;

	crew_make(&crew, dev, 3, by, NULL);
	now.type = VN_UINT8;
	now.shift = 0;
	for (now.count = 3; now.count < 1u << 20; now.count *= 50) {
		fill(now.count);
		wrong += crew_do(&crew, to_oneself);
		wrong += shifted_wrong(now.count);
	}
	tap_ok(!wrong, "to oneself, %s", driven_text(by));
	crew_end(&crew);
}

/* ---- among collectives ----------------------------------------------------------------- */

/*
 * Around a ring, then summed; the sum goes around the ring, too, and is gathered: each
 * uses what came by the one before, or writes over what that sent.
 */
static int mixed(struct rank *me)
{
	int32_t *a = (int32_t *)buffer(0, me->number), *b = (int32_t *)buffer(1, me->number);
	size_t n = now.count;
	int err;

	err = vn_send(a, n, VN_INT32, next_of(me->number, 1), me->comm, NULL)
		      ?: vn_recv(b, n, VN_INT32, next_of(me->number, -1), me->comm, NULL)
		      ?: vn_all_reduce(b, b + n, n, VN_INT32, VN_SUM, me->comm, NULL);
	err = err ?: vn_send(b + n, n, VN_INT32, next_of(me->number, 1), me->comm, NULL);
	err = err ?: vn_recv(a, n, VN_INT32, next_of(me->number, -1), me->comm, NULL);
	err = err ?: vn_broadcast(b, b + n, n, VN_INT32, 0, me->comm, NULL);
	return err ?: vn_all_gather(a, b + 2 * n, n, VN_INT32, me->comm, NULL);
}

static void test_mixed(int ranks, enum driven by)
{
	static const size_t counts[] = { 1, 2000, 40000 };
	unsigned int wrong = 0;

	crew_make(&crew, dev, ranks, by, NULL);
	for (uint32_t k = 0; k < COUNT(counts); k++) {
		size_t n = now.count = counts[k];

		for (int r = 0; r < ranks; r++)
			for (size_t i = 0; i < n; i++)
				((int32_t *)buffer(0, r))[i] = (int32_t)(i * 3) + r;
		wrong += crew_do(&crew, mixed);
		for (int r = 0; r < ranks; r++) {
			const int32_t *a = (int32_t *)buffer(0, r), *b = (int32_t *)buffer(1, r);

			for (size_t i = 0; i < n; i++) {
				int32_t one = (int32_t)(i * 3);
				int32_t sum = one * ranks + ranks * (ranks - 1) / 2;

				wrong += b[i] != one + next_of(r, -1);
				wrong += a[i] != sum;
				wrong += b[n + i] != one + next_of(0, -1);
				for (int j = 0; j < ranks; j++)
					wrong += b[(size_t)(2 + j) * n + i] != sum;
			}
		}
	}
	tap_ok(!wrong, "among collectives without waits, %d ranks, %s: %u wrong", ranks,
	       driven_text(by), wrong);
	crew_end(&crew);
}

/* ---- queues ------------------------------------------------------------------------------- */

static vn_queue_t streams[RANKS];

/* What is sent comes by a copy; what is received goes by one. */
static int on_stream(struct rank *me)
{
	struct vn_mem *s = &mem[0][me->number], *d = &mem[1][me->number];
	vn_queue_t q = streams[me->number];
	uint64_t far = ROOM / 2;

	vn_prep_copy(vn_next(q), vn_at(s, 0), vn_at(s, far), bytes_now());
	return vn_send(s->ptr, now.count, now.type, next_of(me->number, 1), me->comm, q)
		       ?: vn_recv(d->ptr, now.count, now.type, next_of(me->number, -1), me->comm,
				  q);
}

static int behind_stream(struct rank *me)
{
	struct vn_mem *d = &mem[1][me->number];
	vn_queue_t q = streams[me->number];

	vn_prep_copy(vn_next(q), vn_at(d, ROOM / 2), vn_at(d, 0), bytes_now());
	return vn_queue_sync(q, LONG);
}

/* The thread that has a queue puts everything on it. */
static int stream_all(struct rank *me)
{
	return on_stream(me) ?: behind_stream(me);
}

static void test_streams(enum driven by)
{
	unsigned int wrong = 0;

	crew_make(&crew, dev, 3, by, NULL);
	now.type = VN_INT64;
	for (int r = 0; r < 3; r++)
		streams[r] = queue(dev, (uint32_t)r, 16);
	for (now.count = 11; now.count < ROOM / 32; now.count *= 20) {
		for (int r = 0; r < 3; r++) {
			memset(mem[0][r].ptr, 0xee, bytes_now());
			scramble((char *)mem[0][r].ptr + ROOM / 2, bytes_now());
			memset(mem[1][r].ptr, 0x5a, ROOM / 2 + bytes_now());
		}
		if (by == BY_THREADS) {
			wrong += crew_do(&crew, stream_all);
		} else {
			wrong += crew_do(&crew, on_stream);
			for (int r = 0; r < 3; r++)
				wrong += behind_stream(&crew.rank[r]) != 0;
		}
		for (int r = 0; r < 3; r++)
			wrong += memcmp((char *)mem[1][r].ptr + ROOM / 2,
					(char *)mem[0][next_of(r, -1)].ptr + ROOM / 2,
					bytes_now()) != 0;
	}
	tap_ok(!wrong, "between descriptors of a queue, %s", driven_text(by));
	for (int r = 0; r < 3; r++)
		vn_queue_destroy(streams[r]);
	crew_end(&crew);
}

int main(void)
{
	static const int ranks[] = { 1, 2, 3, 8 };

	dev = device();
	for (uint32_t r = 0; r < RANKS; r++) {
		for (int side = 0; side < 2; side++) {
			mem[side][r] = take(dev, r, ROOM);
			host[side][r] = malloc(ROOM);
			if (!host[side][r])
				NEED(-ENOMEM);
		}
	}
	for (int by = 0; by < DRIVEN; by++) {
		for (uint32_t i = quick(); i < COUNT(ranks); i += 1 + quick())
			test_sizes(ranks[i], (enum driven)by);
		test_all_to_all(8, (enum driven)by);
		test_all_to_all(quick() ? 36 : 144, (enum driven)by);
		test_order((enum driven)by);
		test_both_ways((enum driven)by);
		test_self((enum driven)by);
		test_mixed(2, (enum driven)by);
		test_mixed(8, (enum driven)by);
		test_streams((enum driven)by);
	}
	test_ungrouped(0);
	test_ungrouped(1);
	if (!quick())
		test_long();
	for (uint32_t r = 0; r < RANKS; r++) {
		for (int side = 0; side < 2; side++) {
			NEED(vn_mem_free(dev, &mem[side][r]));
			free(host[side][r]);
		}
	}
	vn_close(dev);
	return tap_done();
}
