// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Windows of unequal size, in HBM and not: puts and gets of every type at every place
 * of them; windows used in the group they are registered in; order among collectives,
 * messages, signals and descriptors. By threads and by one thread.
 */
#include "crew.h"

#define RANKS 8
#define ROOM (1u << 20)

static vn_device_t dev;
static struct crew crew;
static vn_comm_window_t win[RANKS];
static struct vn_mem hbm[RANKS];
static char *host[RANKS], *local[RANKS];
static vn_queue_t streams[RANKS];

/* The buffer of a rank's window: HBM and other memory in turns. */
static char *window_of(int rank)
{
	return rank % 2 ? host[rank] : hbm[rank].ptr;
}

/* The last rank has none. */
static size_t size_of(int rank)
{
	return rank == crew.ranks - 1 && rank > 1 ? 0 : ROOM - 8192u * (unsigned int)rank - 40;
}

static int open_window(struct rank *me)
{
	size_t size = size_of(me->number);

	return vn_comm_window_register(me->comm, size ? window_of(me->number) : NULL, size,
				       &win[me->number], me->number % 2);
}

static int close_window(struct rank *me)
{
	return vn_comm_window_deregister(me->comm, win[me->number]);
}

static void begin(int ranks, enum driven by)
{
	crew_make(&crew, dev, ranks, by, NULL);
	NEED(-(int)crew_do(&crew, open_window));
}

static void end(void)
{
	for (int r = 0; r < crew.ranks; r++)
		NEED(close_window(&crew.rank[r]));
	crew_end(&crew);
}

static int barrier(struct rank *me)
{
	return vn_barrier(me->comm, NULL);
}

/* ---- puts and gets ------------------------------------------------------------------- */

static struct {
	enum vn_type type;
	size_t count;
	bool get;
} now;

static size_t slot_bytes(void)
{
	return (now.count + 3) * vn_type_size(now.type);
}

/* Rank r has the r-th slot in every window, and in its own memory one for every rank. */
static int reach(struct rank *me)
{
	int err = 0;

	for (int peer = 0; peer < crew.ranks && !err; peer++) {
		size_t at = slot_bytes() * (size_t)me->number;
		char *mine = local[me->number] + slot_bytes() * (size_t)peer;

		if (!size_of(peer))
			continue;
		err = now.get ? vn_get(mine, now.count, now.type, peer, win[me->number], at,
				       me->comm, NULL)
			      : vn_put(mine, now.count, now.type, peer, win[me->number], at,
				       me->comm, NULL);
	}
	return err;
}

/* The slots of both sides are the same, and nothing beside them has changed. */
static unsigned int slots_wrong(void)
{
	size_t bytes = now.count * vn_type_size(now.type), slot = slot_bytes();
	unsigned int wrong = 0;

	for (int r = 0; r < crew.ranks; r++) {
		for (int peer = 0; peer < crew.ranks; peer++) {
			const char *there = window_of(peer) + slot * (size_t)r;
			const char *here = local[r] + slot * (size_t)peer;
			const char *written = now.get ? here : there;

			if (!size_of(peer))
				continue;
			wrong += memcmp(here, there, bytes) != 0;
			for (size_t i = bytes; i < slot; i++)
				wrong += written[i] != 0x5a;
		}
	}
	return wrong;
}

static void test_reach(int ranks, enum driven by)
{
	static const size_t counts[] = { 0, 1, 33, 2000 };
	unsigned int wrong = 0;

	begin(ranks, by);
	for (uint32_t i = 0; i < 2 * COUNT(counts); i++) {
		now.count = counts[i / 2];
		now.get = i % 2;
		for (int type = 0; type < VN_TYPE_COUNT; type += quick() ? 5 : 1) {
			now.type = (enum vn_type)type;
			for (int r = 0; r < ranks; r++) {
				size_t all = slot_bytes() * (size_t)ranks;

				scramble(now.get ? window_of(r) : local[r], all);
				memset(now.get ? local[r] : window_of(r), 0x5a, all);
			}
			wrong += crew_do(&crew, reach);
			wrong += crew_do(&crew, barrier);
			wrong += slots_wrong();
		}
	}
	tap_ok(!wrong, "puts and gets among %d ranks, %s: %u wrong", ranks, driven_text(by), wrong);
	end();
}

/* The very end of a window, and all of it. */
static void test_ends(void)
{
	vn_comm_t c;
	size_t size;
	int err = 0;

	begin(2, BY_ONE);
	c = crew.rank[0].comm;
	size = size_of(1);
	scramble(local[0], ROOM);
	memset(window_of(1), 0, ROOM);
	err = vn_put(local[0], 1, VN_FLOAT64, 1, win[0], size - 8, c, NULL)
		      ?: vn_comm_sync(c, LONG);
	tap_ok(!err && !memcmp(window_of(1) + size - 8, local[0], 8),
	       "the last element of a window");
	err = vn_put(local[0], size, VN_INT8, 1, win[0], 0, c, NULL) ?: vn_comm_sync(c, LONG);
	tap_ok(!err && !memcmp(window_of(1), local[0], size) && !window_of(1)[size], "all of it");
	err = vn_put(NULL, 0, VN_INT8, 1, win[0], size, c, NULL) ?: vn_comm_sync(c, LONG);
	tap_ok(!err, "nothing, behind its end");
	end();
}

/* ---- in a group ---------------------------------------------------------------------------- */

/* Registered and used at once: it is found when its turn comes. */
static int use_at_once(struct rank *me)
{
	int to = (me->number + 1) % crew.ranks;
	struct vn_wait_signal_desc d = { .op_cnt = 1,
					 .peer = (me->number + crew.ranks - 1) % crew.ranks,
					 .sig_idx = 2 };
	int err = vn_group_start();

	err = err
		      ?: vn_comm_window_register(me->comm, window_of(me->number), ROOM,
						 &win[me->number], VN_WIN_COLL_SYMMETRIC);
	err = err
		      ?: vn_put_signal(local[me->number], 100, VN_INT32, to, win[me->number], 12, 2,
				       0, 0, me->comm, NULL);
	err = err ?: vn_wait_signal(1, &d, me->comm, NULL);
	err = err
		      ?: vn_get(local[me->number] + ROOM / 2, 100, VN_INT32, me->number,
				win[me->number], 12, me->comm, NULL);
	return vn_group_end() ?: err;
}

static void test_group(enum driven by)
{
	unsigned int wrong;
	void *ptr;

	crew_make(&crew, dev, 3, by, NULL);
	for (int r = 0; r < 3; r++)
		scramble(local[r], ROOM);
	wrong = crew_do(&crew, use_at_once);
	for (int r = 0; r < 3 && !wrong; r++)
		wrong += memcmp(local[r] + ROOM / 2, local[(r + 2) % 3], 400) != 0;
	tap_ok(!wrong, "a window is registered and used in one group, %s", driven_text(by));
	tap_ok(!vn_win_get_user_ptr(crew.rank[1].comm, win[1], &ptr) && ptr == window_of(1),
	       "a window knows its buffer");
	end();
}

/* ---- order ---------------------------------------------------------------------------------- */

#define N 5000u

/* Of a chain: what goes along with a post, and what doesn't. */
static size_t links;

/*
 * Rank 1 signals rank 2 when a message of rank 0 has come: 2 looks into 1's memory.
 * Then the sum of all is put into 0's window, and what lies there is broadcast.
 */
static int chain(struct rank *me)
{
	int32_t *mine = (int32_t *)local[me->number], *sum = mine + links;
	struct vn_wait_signal_desc from_1 = { 1, 1, 0, 0 }, from_2 = { 1, 2, 5, 0 };
	vn_comm_t c = me->comm;
	int err = 0;

	if (me->number == 0)
		err = vn_send(mine, links, VN_INT32, 1, c, NULL);
	if (me->number == 1)
		err = vn_recv(mine, links, VN_INT32, 0, c, NULL) ?: vn_signal(2, 0, 0, 0, c, NULL);
	if (me->number == 2)
		err = vn_wait_signal(1, &from_1, c, NULL)
			      ?: vn_get(mine, links, VN_INT32, 1, win[2], 0, c, NULL);
	err = err ?: vn_all_reduce(mine, sum, links, VN_INT32, VN_SUM, c, NULL);
	if (me->number == 2)
		err = err
			      ?: vn_put_signal(sum, links, VN_INT32, 0, win[2], 8 * links, 5, 0, 0,
					       c, NULL);
	if (me->number == 0)
		err = err ?: vn_wait_signal(1, &from_2, c, NULL);
	return err ?: vn_broadcast(mine + 2 * links, sum, links, VN_INT32, 0, c, NULL);
}

static int open_local(struct rank *me)
{
	return vn_comm_window_register(me->comm, local[me->number], ROOM, &win[me->number], 0);
}

static void test_order(enum driven by)
{
	unsigned int wrong = 0;

	crew_make(&crew, dev, 3, by, NULL);
	NEED(-(int)crew_do(&crew, open_local));
	for (uint32_t round = 0; round < (quick() ? 6u : 100u); round++) {
		links = round % 2 ? N : 700;
		for (int r = 0; r < 3; r++)
			memset(local[r], 0x77, 3 * 4 * links);
		for (uint32_t i = 0; i < links; i++)
			((int32_t *)local[0])[i] = (int32_t)(i * 5 + round);
		wrong += crew_do(&crew, chain);
		for (int r = 0; r < 3; r++)
			for (uint32_t i = 0; i < links; i++)
				wrong += ((int32_t *)local[r])[links + i] !=
					 3 * (int32_t)(i * 5 + round);
	}
	tap_ok(!wrong, "among messages and collectives, %s: %u wrong", driven_text(by), wrong);
	end();
}

/* What is started behind a wait sends what the signal tells of, not what was there. */
static void test_behind_wait(void)
{
	vn_comm_t a, b;
	struct vn_wait_signal_desc d = { 1, 1, 0, 0 };
	unsigned int wrong = 0;
	int err;

	begin(2, BY_ONE);
	a = crew.rank[0].comm;
	b = crew.rank[1].comm;
	for (size_t n = 1; n < ROOM / 2; n *= 50) {
		memset(window_of(0), 0x77, n);
		memset(local[1], 0x77, n);
		scramble(local[2], n);
		err = vn_wait_signal(1, &d, a, NULL)
			      ?: vn_broadcast(window_of(0), local[0], n, VN_INT8, 0, a, NULL)
			      ?: vn_put_signal(local[2], n, VN_INT8, 0, win[1], 0, 0, 0, 0, b, NULL)
			      ?: vn_broadcast(NULL, local[1], n, VN_INT8, 0, b, NULL)
			      ?: vn_comm_sync(b, LONG);
		wrong += err || memcmp(local[1], local[2], n) || vn_comm_sync(a, LONG);
	}
	tap_ok(!wrong, "what is started behind a wait waits: %u wrong", wrong);
	end();
}

/* Rank 0 puts what a descriptor brings; rank 1 copies on what the signal announces. */
static int on_stream(struct rank *me)
{
	vn_queue_t q = streams[me->number];
	struct vn_wait_signal_desc d = { 1, 0, 1, 0 };

	if (me->number)
		return vn_wait_signal(1, &d, me->comm, q);
	vn_prep_copy(vn_next(q), vn_at(&hbm[0], 0), vn_at(&hbm[0], ROOM / 2), 4 * N);
	return vn_put_signal(hbm[0].ptr, N, VN_INT32, 1, win[0], 0, 1, 0, 0, me->comm, q);
}

/* vn_next() waits for what stands before it on the queue. */
static int behind_stream(struct rank *me)
{
	vn_queue_t q = streams[me->number];

	if (me->number)
		vn_prep_copy(vn_next(q), vn_at(&hbm[2], ROOM / 2), vn_at(&hbm[2], 0), 4 * N);
	return vn_queue_sync(q, LONG);
}

static int stream_all(struct rank *me)
{
	return on_stream(me) ?: behind_stream(me);
}

static int open_hbm(struct rank *me)
{
	return vn_comm_window_register(me->comm, hbm[2 * me->number].ptr, ROOM, &win[me->number],
				       0);
}

static void test_streams(enum driven by)
{
	unsigned int wrong = 0;

	crew_make(&crew, dev, 2, by, NULL);
	NEED(-(int)crew_do(&crew, open_hbm));
	for (uint32_t r = 0; r < 2; r++)
		streams[r] = queue(dev, r, 8);
	for (int round = 0; round < 5; round++) {
		memset(hbm[0].ptr, 0xee, 4 * N);
		memset(hbm[2].ptr, 0xee, ROOM);
		scramble((char *)hbm[0].ptr + ROOM / 2, 4 * N);
		if (by == BY_THREADS)
			wrong += crew_do(&crew, stream_all);
		else
			wrong += crew_do(&crew, on_stream) || behind_stream(&crew.rank[0]) ||
				 behind_stream(&crew.rank[1]);
		wrong += memcmp((char *)hbm[2].ptr + ROOM / 2, (char *)hbm[0].ptr + ROOM / 2,
				4 * N) != 0;
	}
	tap_ok(!wrong, "between descriptors of a queue, %s", driven_text(by));
	for (int r = 0; r < 2; r++)
		vn_queue_destroy(streams[r]);
	end();
}

int main(void)
{
	dev = device();
	for (uint32_t r = 0; r < RANKS; r++) {
		hbm[r] = take(dev, r, ROOM);
		host[r] = aligned_alloc(64, ROOM);
		local[r] = aligned_alloc(64, ROOM);
		if (!host[r] || !local[r])
			NEED(-ENOMEM);
	}
	for (int by = 0; by < DRIVEN; by++) {
		test_reach(1, (enum driven)by);
		test_reach(2, (enum driven)by);
		test_reach(RANKS, (enum driven)by);
		test_group((enum driven)by);
		test_order((enum driven)by);
		test_streams((enum driven)by);
	}
	test_behind_wait();
	test_ends();
	for (uint32_t r = 0; r < RANKS; r++) {
		NEED(vn_mem_free(dev, &hbm[r]));
		free(host[r]);
		free(local[r]);
	}
	vn_close(dev);
	return tap_done();
}
