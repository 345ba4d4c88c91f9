// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ranks that are threads of several processes: each process has some of the ranks, in
 * blocks or in turns; its threads join in any order, rank 0's last or first. Collectives,
 * messages, puts and signals, each rank by its thread, or all of a process by one thread
 * in groups.
 */
#include <pthread.h>

#include "band.h"

#define MAX_RANKS 8
#define ROOM (512u << 10)

/* Which process has which rank: "0110" gives process 1 the ranks 1 and 2. */
struct layout {
	const char *of;
	int last; /* the rank that joins last */
	bool by_one;
};

static struct layout layout;

/* A rank, as its process sees it. */
struct seat {
	struct band *band;
	int rank, err;
	bool here;
	vn_comm_t comm;
	vn_comm_window_t win;
	char *send, *recv, *window;
	struct vn_mem mem[3];
	char *host[2];
	unsigned int wrong;
	pthread_t thread;
};

static struct seat seat[MAX_RANKS];

/* ---- what they do ------------------------------------------------------------------- */

enum act { SUM, SCAN, GATHER, ALL_TO_ALL, RING, PUT, SIGNAL, ACTS };

static const char *const act_name[ACTS] = { "all_reduce", "scan", "all_gather", "all_to_all",
					    "a ring",	  "puts", "signals" };

static struct {
	enum act act;
	size_t n;
	int32_t seed;
} now;

static int32_t element(int rank, size_t i)
{
	return (int32_t)(i * 7) + rank * 1000 + now.seed;
}

static int shifted(const struct seat *s, int shift)
{
	return (s->rank + shift + s->band->ranks) % s->band->ranks;
}

static int start(struct seat *s)
{
	int to = shifted(s, 1), from = shifted(s, -1);
	struct vn_wait_signal_desc d = { 1, from, now.seed % VN_SIGNALS, 0 };
	vn_comm_t c = s->comm;

	switch (now.act) {
	case SUM:
		return vn_all_reduce(s->send, s->recv, now.n, VN_INT32, VN_SUM, c, NULL);
	case SCAN:
		return vn_scan(s->send, s->recv, now.n, VN_INT32, VN_SUM, c, NULL);
	case GATHER:
		return vn_all_gather(s->send, s->recv, now.n, VN_INT32, c, NULL);
	case ALL_TO_ALL:
		return vn_all_to_all(s->send, s->recv, now.n, VN_INT32, c, NULL);
	case RING:
		return vn_send(s->send, now.n, VN_INT32, to, c, NULL)
			       ?: vn_recv(s->recv, now.n, VN_INT32, from, c, NULL);
	case PUT:
		return vn_put(s->send, now.n, VN_INT32, to, s->win, 64, c, NULL)
			       ?: vn_barrier(c, NULL)
			       ?: vn_get(s->recv, now.n, VN_INT32, to, s->win, 64, c, NULL)
			       ?: vn_barrier(c, NULL);
	default:
		return vn_put_signal(s->send, now.n, VN_INT32, to, s->win, 64, d.sig_idx, 0, 0, c,
				     NULL)
			       ?: vn_wait_signal(1, &d, c, NULL);
	}
}

/* Element i of what a rank should have: block i / n of an operation with blocks. */
static int32_t want(const struct seat *s, size_t i)
{
	int ranks = s->band->ranks, upto = now.act == SCAN ? s->rank + 1 : ranks;
	int block = (int)(i / now.n);
	int32_t sum = 0;

	switch (now.act) {
	case SUM:
	case SCAN:
		for (int r = 0; r < upto; r++)
			sum += element(r, i);
		return sum;
	case GATHER:
		return element(block, i % now.n);
	case ALL_TO_ALL:
		return element(block, (size_t)s->rank * now.n + i % now.n);
	case PUT:
		return element(s->rank, i);
	default:
		return element(shifted(s, -1), i);
	}
}

static void before(struct seat *s)
{
	bool host = (s->rank + now.seed) % 3 == 0;
	size_t all = now.n * (size_t)s->band->ranks;

	s->send = host ? s->host[0] : s->mem[0].ptr;
	s->recv = host ? s->host[1] : s->mem[1].ptr;
	for (size_t i = 0; i < all; i++)
		((int32_t *)s->send)[i] = element(s->rank, i);
	memset(s->recv, 0x5a, 4 * all + 4);
}

static void after(struct seat *s)
{
	bool blocks = now.act == GATHER || now.act == ALL_TO_ALL;
	size_t n = now.n * (blocks ? (size_t)s->band->ranks : 1);
	const int32_t *got = (int32_t *)(now.act == SIGNAL ? s->window + 64 : s->recv);
	unsigned int wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += got[i] != want(s, i);
	wrong += now.act != SIGNAL && got[n] != 0x5a5a5a5a;
	if (wrong || s->err)
		tap_diag("rank %d: %s of %zu: %d (%s), %u wrong", s->rank, act_name[now.act], now.n,
			 s->err, s->err ? vn_comm_error(s->comm) : "", wrong);
	s->wrong += wrong + (s->err != 0);
}

static void *by_thread(void *arg)
{
	struct seat *s = arg;

	s->err = start(s) ?: vn_comm_sync(s->comm, LONG);
	return NULL;
}

static void *rest(void *arg)
{
	struct seat *s = arg;

	s->err = vn_barrier(s->comm, NULL) ?: vn_comm_sync(s->comm, LONG);
	return NULL;
}

/* ---- a process ---------------------------------------------------------------------- */

static unsigned int each(void *(*fn)(void *))
{
	unsigned int bad = 0;

	for (int r = 0; r < MAX_RANKS; r++)
		if (seat[r].here && pthread_create(&seat[r].thread, NULL, fn, &seat[r]))
			NEED(-EAGAIN);
	for (int r = 0; r < MAX_RANKS; r++)
		if (seat[r].here)
			pthread_join(seat[r].thread, NULL);
	for (int r = 0; r < MAX_RANKS; r++)
		bad += seat[r].here && seat[r].err;
	return bad;
}

/* The same by one thread. */
static void all_by_one(void)
{
	int err;

	vn_group_start();
	for (int r = 0; r < MAX_RANKS; r++)
		if (seat[r].here)
			seat[r].err = start(&seat[r]);
	err = vn_group_end();
	for (int r = 0; r < MAX_RANKS; r++)
		if (seat[r].here)
			seat[r].err = seat[r].err ?: err ?: vn_comm_sync(seat[r].comm, LONG);
}

static void *join(void *arg)
{
	struct seat *s = arg;
	struct vn_config config = VN_CONFIG_INITIALIZER;
	struct band *b = s->band;

	/* In any order, but for the last: it waits until the others are at it. */
	sleep_ms(s->rank == layout.last ? 60 : (unsigned int)(s->rank * 5 + getpid()) % 4 * 7);
	config.dev = b->dev;
	config.timeout_ns = LONG;
	s->err = vn_comm_init_rank_config(&s->comm, b->ranks, b->id, s->rank, &config);
	if (s->err) {
		tap_diag("rank %d joins: %d (%s)", s->rank, s->err, vn_error());
		return NULL;
	}
	s->err = vn_comm_window_register(s->comm, s->window, ROOM, &s->win, 0);
	return NULL;
}

static void *leave(void *arg)
{
	struct seat *s = arg;

	s->err = vn_comm_destroy(s->comm);
	return NULL;
}

static void set_up(struct band *b, int process)
{
	for (int r = 0; r < b->ranks; r++) {
		struct seat *s = &seat[r];

		s->here = layout.of[r] - '0' == process;
		s->band = b;
		s->rank = r;
		for (int i = 0; i < 3 && s->here; i++)
			s->mem[i] = take(b->dev, (uint32_t)r, ROOM);
		for (int i = 0; i < 2 && s->here; i++)
			s->host[i] = malloc(ROOM);
		if (s->here && (!s->host[0] || !s->host[1]))
			NEED(-ENOMEM);
		s->window = s->mem[2].ptr;
	}
}

static unsigned int work(void)
{
	static const size_t counts[] = { 9000, 1, 700 };
	const int rounds = quick() ? 2 : (int)COUNT(counts);
	unsigned int wrong = 0;

	for (int i = 0; i < ACTS * rounds; i++) {
		now.act = (enum act)(i % ACTS);
		now.n = counts[i / ACTS];
		now.seed = i;
		for (int r = 0; r < MAX_RANKS; r++)
			if (seat[r].here)
				before(&seat[r]);
		/* Nobody puts where somebody still looks. */
		wrong += each(rest);
		if (layout.by_one)
			all_by_one();
		else
			wrong += each(by_thread);
		for (int r = 0; r < MAX_RANKS; r++)
			if (seat[r].here)
				after(&seat[r]);
		for (int r = 0; r < MAX_RANKS; r++)
			wrong += seat[r].wrong;
	}
	return wrong;
}

static unsigned int process_main(struct band *b, int process)
{
	unsigned int wrong;

	NEED(vn_open(device_spec(), &b->dev));
	set_up(b, process);
	wrong = each(join);
	if (!wrong)
		wrong = work() + each(leave);
	vn_close(b->dev);
	return wrong;
}

static void test(const char *of, int last, bool by_one)
{
	unsigned int bad = 0;
	int processes = 0;
	struct band b;

	layout = (struct layout){ of, last, by_one };
	band_begin(&b, (int)strlen(of));
	for (int r = 0; r < b.ranks; r++)
		processes = of[r] - '0' >= processes ? of[r] - '0' + 1 : processes;
	fflush(stdout);
	for (int p = 0; p < processes; p++) {
		b.pid[p] = fork();
		if (b.pid[p] < 0)
			NEED(-EAGAIN);
		if (!b.pid[p])
			exit(process_main(&b, p) ? 1 : 0);
	}
	for (int p = 0; p < processes; p++)
		bad += band_wait(&b, p) != 0;
	tap_ok(!bad, "ranks in processes %s, rank %d joins last, %s", of, last,
	       by_one ? "one thread each" : "threads");
	band_end(&b);
}

int main(void)
{
	test("000111", 0, false);
	test("010101", 3, true);
	if (!quick()) {
		test("000111", 5, false);
		test("010101", 0, false);
		test("0112222", 0, false);
	}
	test("0112222", 6, true);
	test("2222110", 0, false);
	test("2121202", 0, true);
	/* One process alone: there are no others, but they might come. */
	test("0000", 0, false);
	return tap_done();
}
