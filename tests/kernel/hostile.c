// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A victim beside hostile neighbours, each a process and another user: one rewrites ring
 * indexes and descriptors at full speed while it drives the queue; one guesses keys in a
 * domain of its own, one in the victim's; one takes of every kind of object until it is
 * refused; one has queues that all wait for semaphores. Every byte of the victim's is looked
 * at, all its calls succeed; no byte of it that no window shows is ever seen; each wrong
 * guess puts its queue in ERROR. The victim's latencies are printed beside those that it has
 * with as many honest neighbours, and it gets about as much done.
 *
 * VN_SECONDS: how long, default 2 with VN_QUICK, else 5.
 */
#include <pthread.h>
#include <sched.h>

#include "kernel/quota.h"

#define BYTES 8192u
/* Neighbours that keep it from running make more of its rounds; other work of a machine, less. */
#define SLOWER 5u
/* The victim's chips; neighbours are on others, and reach for these. */
#define HERE 2u
#define THERE 3u
#define SECRET 0x5ec2e75ec2e70000ull
#define PUBLIC 0x7075626c69632121ull
#define SAMPLES (1u << 20)

/* Where processes see each other. */
static struct shared {
	int stop;
	uint64_t scribbles, resets, misses, hits, leaks, taken, refused, honest;
	uint64_t wrong; /* what must not happen, to anybody */
} * all;

static int domain; /* the victim's */

static bool stopped(void)
{
	return __atomic_load_n(&all->stop, __ATOMIC_ACQUIRE);
}

static void count(uint64_t *what, uint64_t n)
{
	__atomic_fetch_add(what, n, __ATOMIC_RELAXED);
}

static uint64_t rnd(void)
{
	static __thread uint64_t x;

	if (!x)
		x = now_ns() | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* ---- neighbours ------------------------------------------------------------------------- */

static struct queue bad;
static struct mem bad_mem;

static uint64_t morsel(void)
{
	switch (rnd() % 8) {
	case 0:
		return 0;
	case 1:
		return bad_mem.addr + rnd() % (2 * bad_mem.bytes);
	case 2:
		return rnd() & 0xffff;
	case 3:
		return (1 + (rnd() & 3)) << 32 | (rnd() & 3) << 16;
	case 4:
		return 0xffffull << 48 | (rnd() & 3) << 40;
	case 5:
		return (rnd() & 0xff) << 32 | (rnd() & 0xff);
	case 6:
		return ~0ull;
	}
	return rnd();
}

static void *scribble(void *arg)
{
	volatile uint64_t *word = arg;

	while (!stopped()) {
		for (int i = 0; i < 64; i++) {
			volatile uint64_t *d = (uint64_t *)(bad.sq + (rnd() & (bad.depth - 1)));

			d[0] = rnd() % 16 | (rnd() & 7 ? 0 : rnd() & 0xffffff00);
			for (int k = 2; k < 8; k++)
				d[k] = morsel();
		}
		bad.ring->sq_tail = (uint32_t)(rnd() & 15 ? rnd() & 127 : rnd());
		bad.ring->cq_head = (uint32_t)(rnd() & 15 ? rnd() & 127 : rnd());
		word[rnd() % (sizeof(struct vn_ring) / 8)] = morsel();
		word[rnd() % (bad.bytes / 8)] = morsel();
		count(&all->scribbles, 1);
	}
	return NULL;
}

static void be_scribbler(void)
{
	int ctx = open_on(1);
	pthread_t t[2];

	bad_mem = mem_alloc(ctx, 1, 1 << 16);
	bad = queue_create(ctx, 1, 64, -1);
	for (int i = 0; i < 2; i++)
		must(!pthread_create(&t[i], NULL, scribble, (void *)bad.ring));
	while (!stopped()) {
		wait_until(&bad, (uint32_t)rnd() & 127, now_ns() + 100000);
		queue_doorbell(&bad);
		if (rnd() & 1)
			continue;
		must(!queue_reset(&bad));
		count(&all->resets, 1);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	/* It has harmed itself alone. */
	must(!queue_reset(&bad));
	memset((void *)bad.ring, 0, sizeof(*bad.ring));
	must(!queue_reset(&bad) && !run(&bad, &(struct vn_desc){ .opcode = VN_OP_NOP }));
}

static bool leaked(const struct mem *m)
{
	const uint64_t *w = (const uint64_t *)m->ptr;

	for (uint32_t i = 0; i < BYTES / 8; i++)
		if ((w[i] & ~0xffffull) == SECRET)
			return true;
	return false;
}

/* Keys as the victim may have them; reads and writes, near the end of what is there. */
static void be_guesser(bool same)
{
	int ctx = open_on(1);
	struct queue q;
	struct mem own;

	must(!same || !domain_join(ctx, domain));
	own = mem_alloc(ctx, 1, BYTES);
	q = queue_create(ctx, 1, 8, -1);
	while (!stopped()) {
		struct vn_operand guess = { VN_HERE, (uint16_t)(HERE + (rnd() & 1)),
					    (uint32_t)(rnd() % 4 << 16 | rnd() % 8),
					    rnd() & 3 ? 0 : rnd() % (2 * BYTES) };
		bool write = !(rnd() & 3);
		struct vn_desc d = copy_desc(write ? guess : at(&own, 0),
					     write ? at(&own, 0) : guess, rnd() & 7 ? 1024 : BYTES);
		int status = run(&q, &d);

		count(&all->leaks, leaked(&own));
		if (status == VN_OK) {
			/* There is nothing in a domain of its own, and nothing to be written. */
			count(&all->wrong, !same || write);
			count(&all->hits, 1);
			continue;
		}
		count(&all->wrong, status < 0 || q.ring->state != VN_QUEUE_ERROR ||
					   wait_until(&q, ~0u >> 1, 0) != -EIO);
		count(&all->misses, 1);
		must(!queue_reset(&q));
	}
}

static void be_greedy(void)
{
	while (!stopped()) {
		for (uint32_t i = 0; i < ARRAY_SIZE(kinds) && !stopped(); i++) {
			struct taker *t = taker_new(1024, 1024);
			int err;

			/* Of a chip's HBM it may have all: nobody else is on chip 0. */
			count(&all->taken, greed(t, kinds[i].take, &err));
			count(&all->refused, err == -EDQUOT || err == -ENOSPC || err == -ENOMEM);
			count(&all->wrong, err != -EDQUOT && err != -ENOSPC && err != -ENOMEM);
			taker_end(t);
		}
	}
}

/* Queues that wait for semaphores nobody signals: all look when anybody signals any. */
static void be_waiter(void)
{
	int ctx = open_on(1);
	struct mem m = mem_alloc(ctx, 1, PAGE);
	struct vn_desc d = sem_desc(VN_OP_SEM_WAIT, at(&m, 0), 1);

	for (int i = 0; i < 60; i++) {
		struct queue q = queue_create(ctx, 1, 8, -1);

		submit(&q, &d);
		must(!queue_doorbell(&q));
	}
	while (!stopped())
		usleep(10000);
}

static void be_honest(void)
{
	int ctx = open_on(1);
	struct mem m = mem_alloc(ctx, 1, 2 * BYTES);
	struct queue q = queue_create(ctx, 1, 64, -1);

	while (!stopped()) {
		struct vn_desc d = copy_desc(at(&m, BYTES), at(&m, 0), BYTES);

		count(&all->wrong, run(&q, &d) != VN_OK);
		count(&all->honest, 1);
	}
}

static pid_t neighbour(void (*be)(void), uint32_t number)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		/* A user for each, who may open nodes, and is not above limits. */
		must(!setresuid(4711 + number, 0, 0));
		drop_resource();
		be();
		_exit(0);
	}
	return pid;
}

static void be_stranger(void)
{
	be_guesser(false);
}

static void be_guest(void)
{
	be_guesser(true);
}

/* ---- the victim ------------------------------------------------------------------------- */

struct victim {
	int ctx;
	struct mem a, b, secret; /* a is HERE, the others THERE */
	struct queue q;
	uint32_t key; /* of the public part of `secret` */
	uint32_t rounds, wrong, calls_wrong;
};

static uint32_t latency[SAMPLES];

static void words(uint8_t *p, uint64_t first, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes / 8; i++)
		((uint64_t *)p)[i] = first + (first == SECRET ? i & 0xffff : 0);
}

static void victim_new(struct victim *v)
{
	memset(v, 0, sizeof(*v));
	v->ctx = open_on(HERE);
	attach(v->ctx, THERE);
	v->a = mem_alloc(v->ctx, HERE, BYTES);
	v->b = mem_alloc(v->ctx, THERE, 2 * BYTES);
	v->secret = mem_alloc(v->ctx, THERE, 3 * BYTES);
	for (int i = 0; i < 3; i++)
		words(v->secret.ptr + i * BYTES, i == 1 ? PUBLIC : SECRET, BYTES);
	v->key = window_create(v->ctx, &v->secret, BYTES, BYTES, VN_ACCESS_REMOTE_READ);
	v->q = queue_create(v->ctx, THERE, 64, -1);
	domain = domain_export(v->ctx);
}

static uint32_t different(const uint8_t *p, uint64_t first, uint64_t bytes)
{
	uint32_t n = 0;

	for (uint64_t i = 0; i < bytes / 8; i++)
		n += ((const uint64_t *)p)[i] != first + (first == SECRET ? i & 0xffff : 0);
	return n;
}

/* What it has not had before: there is enough of everything for it. */
static void need_more(struct victim *v)
{
	struct mem m = mem_alloc(v->ctx, HERE, PAGE);
	struct queue q = queue_create(v->ctx, HERE, 8, -1);
	uint32_t key = window_create(v->ctx, &m, 0, PAGE, VN_ACCESS_LOCAL_WRITE), plan;

	v->calls_wrong +=
		plan_create(v->ctx, HERE, &(struct vn_desc){ .opcode = VN_OP_NOP }, 1, &plan) ||
		plan_destroy(v->ctx, plan) || window_invalidate(v->ctx, HERE, key);
	queue_destroy(&q);
	munmap(m.ptr, m.bytes);
	v->calls_wrong += mem_free(v->ctx, HERE, m.addr) != 0;
}

static void victim_round(struct victim *v)
{
	struct vn_operand shown = { VN_HERE, THERE, v->key, 0 };
	struct vn_desc d = copy_desc(at(&v->b, 0), at(&v->a, 0), BYTES);
	uint64_t began;

	for (uint32_t i = 0; i < BYTES / 8; i++)
		((uint64_t *)v->a.ptr)[i] = rnd();
	began = now_ns();
	v->wrong += run(&v->q, &d) != VN_OK;
	latency[v->rounds++ % SAMPLES] = (uint32_t)((now_ns() - began) / 100);
	v->wrong += memcmp(v->a.ptr, v->b.ptr, BYTES) != 0;
	d = copy_desc(at(&v->b, BYTES), shown, BYTES);
	v->wrong += run(&v->q, &d) != VN_OK || different(v->b.ptr + BYTES, PUBLIC, BYTES);
	if (v->rounds % 16 == 1)
		need_more(v);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* In us. */
static double p99(const char *beside, uint32_t rounds)
{
	uint32_t n = rounds < SAMPLES ? rounds : SAMPLES;

	qsort(latency, n, sizeof(*latency), by_size);
	tap_diag("%s: p50 %.1f us, p99 %.1f us, at most %.1f us", beside, latency[n / 2] / 10.,
		 latency[n - 1 - n / 100] / 10., latency[n - 1] / 10.);
	return latency[n - 1 - n / 100] / 10.;
}

/* Has each of the neighbours come to what it is for? */
static bool done(bool honest)
{
	return honest ? all->honest : all->scribbles && all->resets && all->hits && all->refused;
}

/* What is measured, us: a call in 100 takes longer; all that is between two rounds. */
struct life {
	double p99, round;
};

static struct life live_beside(struct victim *v, void (*const be[])(void), uint32_t n,
			       uint64_t seconds)
{
	uint64_t began = now_ns(), end = began + seconds * SECOND;
	struct life life;
	pid_t pid[8];
	int status;

	all->stop = 0;
	v->rounds = 0;
	for (uint32_t i = 0; i < n; i++)
		pid[i] = neighbour(be[i], i);
	while (now_ns() < end || v->rounds < 10 ||
	       (!done(be[0] == be_honest) && now_ns() < end + 30 * SECOND))
		victim_round(v);
	life.round = (double)(now_ns() - began) / 1e3 / v->rounds;
	__atomic_store_n(&all->stop, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < n; i++) {
		must(waitpid(pid[i], &status, 0) == pid[i]);
		if (status)
			tap_diag("neighbour %u ended with %x", i, status);
		count(&all->wrong, status != 0);
	}
	life.p99 = p99(be[0] == be_honest ? "honest" : "hostile", v->rounds);
	return life;
}

static uint64_t seconds_of(void)
{
	const char *s = getenv("VN_SECONDS"), *quick = getenv("VN_QUICK");

	return s && atoi(s) > 0 ? (uint64_t)atoi(s) : quick && *quick ? 2 : 5;
}

int main(void)
{
	/* As many that want a CPU: the first is three threads. */
	static void (*const hostile[])(void) = { be_scribbler, be_stranger, be_guest, be_greedy,
						 be_waiter };
	static void (*const honest[])(void) = { be_honest, be_honest, be_honest,
						be_honest, be_honest, be_honest };
	uint64_t seconds = seconds_of(), calm = seconds < 30 ? seconds : 30;
	struct life beside_honest, beside_hostile;
	struct victim v;

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(all != MAP_FAILED);
	victim_new(&v);
	beside_honest = live_beside(&v, honest, ARRAY_SIZE(honest), calm);
	tap_ok(!v.wrong && !v.calls_wrong && !all->wrong && all->honest,
	       "beside honest ones: %u rounds, %u wrong", v.rounds, v.wrong + v.calls_wrong);
	beside_hostile = live_beside(&v, hostile, ARRAY_SIZE(hostile), seconds);
	tap_ok(!v.wrong && !v.calls_wrong, "beside hostile ones: %u rounds, %u wrong, %u refused",
	       v.rounds, v.wrong, v.calls_wrong);
	tap_diag("p99 is %.2f times that beside as many honest ones",
		 beside_hostile.p99 / beside_honest.p99);
	tap_ok(beside_hostile.round <= SLOWER * beside_honest.round,
	       "beside hostile ones a round takes %.1f us, beside honest ones %.1f: %u times at most",
	       beside_hostile.round, beside_honest.round, SLOWER);
	tap_ok(all->scribbles && all->resets,
	       "rings were scribbled over %lu times, reset %lu times", all->scribbles, all->resets);
	tap_ok(all->misses && all->hits && !all->leaks,
	       "%lu wrong guesses, each an error of its queue; %lu right ones; %lu secrets seen",
	       all->misses, all->hits, all->leaks);
	tap_ok(all->taken && all->refused, "%lu objects were taken, until refused, %lu times",
	       all->taken, all->refused);
	tap_ok(!all->wrong, "and %lu things happened that must not", all->wrong);
	tap_ok(!different(v.secret.ptr, SECRET, BYTES) &&
		       !different(v.secret.ptr + BYTES, PUBLIC, BYTES) &&
		       !different(v.secret.ptr + 2 * BYTES, SECRET, BYTES),
	       "what the victim has is as it was");
	close(v.ctx);
	return tap_done();
}
