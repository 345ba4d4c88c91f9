/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the benchmarks share: times and their percentiles, JSON rows, and a
 * crew of pinned threads. One program includes it once, hence static.
 *
 * Times are microseconds, bandwidths GB/s (10^9 bytes per second).
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static inline void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- times ------------------------------------------------------------- */

struct series {
	double *t;
	uint32_t count, room;
	bool sorted;
};

static inline void series_add(struct series *s, double us)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->t = realloc(s->t, s->room * sizeof(*s->t));
		if (!s->t)
			die("no memory for times");
	}
	s->t[s->count++] = us;
	s->sorted = false;
}

static inline int series_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* percent 0 is the minimum, 100 the maximum. */
static inline double series_at(struct series *s, uint32_t percent)
{
	if (!s->count)
		return 0;
	if (!s->sorted)
		qsort(s->t, s->count, sizeof(*s->t), series_cmp);
	s->sorted = true;
	return s->t[(uint64_t)(s->count - 1) * percent / 100];
}

static inline void series_free(struct series *s)
{
	free(s->t);
	memset(s, 0, sizeof(*s));
}

/* ---- JSON rows, one a line ---------------------------------------------- */

/* Opens a row; the caller goes on with ", \"field\": ..." and json_end(). */
static inline void json_row(FILE *to, const char *op, uint32_t ranks, uint64_t bytes,
			    const char *type, uint32_t type_bytes, const char *redop,
			    struct series *s)
{
	double alg = bytes / 1e3 / series_at(s, 50);

	fprintf(to,
		"{\"op\": \"%s\", \"ranks\": %u, \"bytes\": %llu, \"count\": %llu, \"type\": \"%s\", \"redop\": \"%s\"",
		op, ranks, (unsigned long long)bytes, (unsigned long long)bytes / type_bytes, type,
		redop);
	fprintf(to, ", \"time_us\": {\"min\": %.3f, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}",
		series_at(s, 0), series_at(s, 50), series_at(s, 99), series_at(s, 100));
	fprintf(to, ", \"algbw\": %.3f, \"busbw\": %.3f", alg, alg * 2 * (ranks - 1) / ranks);
}

static inline void json_end(FILE *to)
{
	fputs("}\n", to);
	fflush(to);
}

/* Appends: several benchmarks share a file. */
static inline FILE *json_open(const char *file)
{
	FILE *f = file ? fopen(file, "ae") : NULL;

	if (file && !f)
		die("%s: can't write", file);
	return f;
}

static inline const char *size_text(uint64_t bytes, char text[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	uint32_t u = 0;

	while (u + 1 < ARRAY_SIZE(units) && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	snprintf(text, 32, "%llu %s", (unsigned long long)bytes, units[u]);
	return text;
}

/* ---- a crew: one thread pinned to each CPU this process may use ---------- */

/*
 * Member 0 is the calling thread. The others sleep between jobs, so that they
 * take nothing from what is measured in the meantime; a job begins and ends at
 * a barrier where all spin, so that no wake-up is in its time.
 */
struct crew {
	uint32_t count;
	cpu_set_t all;
	int cpu[CPU_SETSIZE];
	pthread_t thread[CPU_SETSIZE];
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint64_t jobs; /* under lock */
	bool quit;
	uint32_t arrived, left; /* atomic */
	void (*fn)(void *arg, uint32_t member, uint32_t members);
	void *arg;
};

struct crew_member {
	struct crew *crew;
	uint32_t number;
};

static inline void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline void crew_part(struct crew *c, uint32_t member)
{
	__atomic_fetch_add(&c->arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&c->arrived, __ATOMIC_ACQUIRE) % c->count)
		__builtin_ia32_pause();
	c->fn(c->arg, member, c->count);
	__atomic_fetch_add(&c->left, 1, __ATOMIC_ACQ_REL);
}

static inline void *crew_main(void *arg)
{
	struct crew_member me = *(struct crew_member *)arg;
	struct crew *c = me.crew;
	uint64_t job = 0;

	free(arg);
	pin(c->cpu[me.number]);
	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (c->jobs == job && !c->quit)
			pthread_cond_wait(&c->wake, &c->lock);
		if (c->quit)
			break;
		job++;
		pthread_mutex_unlock(&c->lock);
		crew_part(c, me.number);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Runs fn on all members; returns the time from the first barrier to the last end. */
static inline double crew_run(struct crew *c, void (*fn)(void *, uint32_t, uint32_t), void *arg)
{
	double t;

	pthread_mutex_lock(&c->lock);
	c->fn = fn;
	c->arg = arg;
	c->left = 0;
	/* The last to arrive makes it a multiple of count, which lets all go. */
	c->arrived = 0;
	c->jobs++;
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);

	pin(c->cpu[0]);
	while (__atomic_load_n(&c->arrived, __ATOMIC_ACQUIRE) != c->count - 1)
		__builtin_ia32_pause();
	t = now_us();
	crew_part(c, 0);
	while (__atomic_load_n(&c->left, __ATOMIC_ACQUIRE) != c->count)
		__builtin_ia32_pause();
	t = now_us() - t;
	/* What comes next may use any CPU. */
	sched_setaffinity(0, sizeof(c->all), &c->all);
	return t;
}

static inline void crew_start(struct crew *c)
{
	struct crew_member *m;
	int cpu;

	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	if (sched_getaffinity(0, sizeof(c->all), &c->all))
		die("can't read the CPU affinity");
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &c->all))
			c->cpu[c->count++] = cpu;
	for (uint32_t i = 1; i < c->count; i++) {
		m = malloc(sizeof(*m));
		if (!m)
			die("no memory for a thread");
		*m = (struct crew_member){ c, i };
		if (pthread_create(&c->thread[i], NULL, crew_main, m))
			die("can't start a thread");
	}
}

static inline void crew_stop(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	for (uint32_t i = 1; i < c->count; i++)
		pthread_join(c->thread[i], NULL);
}

/* ---- contents ------------------------------------------------------------ */

/*
 * What rank r has in element j at round i: small whole numbers, so that sums of
 * them are exact in fp32 in any order. It repeats every PERIOD elements, which
 * is no multiple of any slice or tile, and is different in every round: a
 * result left over from the last round is wrong.
 */
#define PERIOD 272u

static inline void pattern(float *to, uint32_t rank, uint32_t round)
{
	for (uint32_t j = 0; j < PERIOD; j++)
		to[j] = (float)((rank * 5 + j * 3 + round) % 11);
}

static inline void pattern_sum(float *to, uint32_t ranks, uint32_t round)
{
	float one[PERIOD];

	memset(to, 0, PERIOD * sizeof(*to));
	for (uint32_t r = 0; r < ranks; r++) {
		pattern(one, r, round);
		for (uint32_t j = 0; j < PERIOD; j++)
			to[j] += one[j];
	}
}

static inline void pattern_fill(void *to, uint64_t bytes, const float *from)
{
	uint64_t at, n;

	for (at = 0; at < bytes; at += n) {
		n = bytes - at < PERIOD * 4 ? bytes - at : PERIOD * 4;
		memcpy((char *)to + at, from, n);
	}
}

/* How many elements are not as they should be. */
static inline uint64_t pattern_wrong(const void *p, uint64_t bytes, const float *want)
{
	uint64_t at, n, wrong = 0;

	for (at = 0; at < bytes; at += n) {
		n = bytes - at < PERIOD * 4 ? bytes - at : PERIOD * 4;
		if (!memcmp((const char *)p + at, want, n))
			continue;
		for (uint64_t i = 0; i < n; i += 4)
			wrong += memcmp((const char *)p + at + i, (const char *)want + i, 4) != 0;
	}
	return wrong;
}

#endif
