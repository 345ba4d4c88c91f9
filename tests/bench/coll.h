/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one harness that measures an all-reduce (fp32 sum), whoever carries it
 * out: coll_ours.c runs it with threads, coll_mpi.c with the processes of an MPI
 * library, and neither adds anything to it.
 *
 * A member (thread, process) drives one rank, or several. An iteration, on
 * every member:
 *
 *   1. rewrite the own send buffer with what this round has, the own receive
 *      buffer with rubbish (cold: then flush both from all caches)
 *   2. meet at a barrier of this file, in shared memory, which calls nothing of
 *      what is measured: all are released together
 *   3. read the clock, all-reduce, read the clock; meet again, so that nobody's
 *      return is kept waiting by what others do next
 *   4. compare every element of the receive buffer
 *
 * The time of an iteration is that of the slowest member. A cell (ranks, bytes,
 * warm or cold) has up to two iterations that do not count and then as many as
 * fit its share of time, five at least. One that can't have five within the
 * limit, or is far behind the best so far, is given up, with all larger ones.
 * Before the first cell 8 bytes are reduced for a while: connections are made and
 * ranks find their CPUs.
 *
 * With at most as many members as CPUs member m is bound to the m-th of them and
 * waits spinning; else they go where the scheduler puts them, and yield.
 */
#ifndef BENCH_COLL_H
#define BENCH_COLL_H

#include <emmintrin.h>
#include <sys/mman.h>

#include "bench.h"

#define COLL_RANKS 144u
#define COLL_SIZES 32u
#define COLL_LEAST 5u /* iterations */
#define COLL_MOST 20000u
#define COLL_SETTLE_US 2e5
/* Of all send buffers together; the receive buffers are as much again. */
#define COLL_MOST_BYTES (4ull << 30)
/* Buffers of more than so many times the cache are cold as they are. */
#define COLL_CACHES 8u
/* Far behind: a cell that takes more than half a second, and so many times the best. */
#define COLL_BEHIND 1.5

struct coll_options {
	uint64_t size[COLL_SIZES];
	uint32_t sizes;
	uint32_t least; /* iterations */
	double share_us, limit_us;
	bool warm, cold;
	double best[COLL_SIZES][2]; /* p50 of others, warm and cold; 0: unknown */
	const char *rows; /* file where those are */
	FILE *json;
};

enum coll_verdict { COLL_MORE, COLL_ENOUGH, COLL_TOO_SLOW, COLL_FAR_BEHIND };

/* Zeroed memory that all members share. */
struct coll_shared {
	_Alignas(64) uint32_t arrived;
	_Alignas(64) uint32_t phase;
	_Alignas(64) enum coll_verdict verdict[2]; /* of member 0, before an iteration */
	_Alignas(64) uint64_t wrong;
	struct {
		_Alignas(64) double us[2];
	} member[COLL_RANKS];
};

struct coll_member {
	struct coll_shared *shared;
	uint32_t member, members;
	uint32_t ranks; /* of all members */
	uint32_t first, own; /* ranks driven by this one */
	char *send[COLL_RANKS], *recv[COLL_RANKS]; /* of those */
	bool crowded; /* more members than CPUs */
	bool unchecked; /* computes nothing */
	uint32_t round;
	const char *impl, *setting; /* in rows: who carries it out, and how */
	const char *home; /* and where, or NULL */
	void (*op)(struct coll_member *m, uint64_t bytes);
	void (*idle)(void); /* called now and then at the barrier, or NULL */
	void *arg;
};

/* ---- contents: those of bench.h, tabulated ------------------------------- */

/*
 * Element j of rank r at a round is (5r + round + 3j) % 11, so a rank's contents
 * are one of eleven, and so are the sums.
 */
#define COLL_KINDS 11u

static float coll_pattern[COLL_KINDS][PERIOD], coll_want[COLL_KINDS][PERIOD];

static inline void coll_tabulate(uint32_t ranks)
{
	for (uint32_t k = 0; k < COLL_KINDS; k++) {
		pattern(coll_pattern[k], 0, k);
		pattern_sum(coll_want[k], ranks, k);
	}
}

static inline void coll_flush(const char *p, uint64_t bytes)
{
	for (const char *end = p + bytes; p < end; p += 64)
		_mm_clflush(p);
}

static inline void coll_fill(const struct coll_member *m, uint64_t bytes, bool cold)
{
	for (uint32_t i = 0; i < m->own; i++) {
		memset(m->recv[i], 0xff, bytes);
		pattern_fill(m->send[i], bytes,
			     coll_pattern[((m->first + i) * 5 + m->round) % COLL_KINDS]);
		if (cold) {
			coll_flush(m->recv[i], bytes);
			coll_flush(m->send[i], bytes);
		}
	}
	_mm_mfence();
}

static inline void coll_check(const struct coll_member *m, uint64_t bytes)
{
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < m->own; i++)
		wrong += pattern_wrong(m->recv[i], bytes, coll_want[m->round % COLL_KINDS]);
	if (wrong)
		__atomic_fetch_add(&m->shared->wrong, wrong, __ATOMIC_RELAXED);
}

/* What a check does to the caches, where there is nothing to check. */
static inline void coll_read(const struct coll_member *m, uint64_t bytes)
{
	for (uint32_t i = 0; i < m->own; i++)
		for (uint64_t at = 0; at < bytes; at += 64)
			(void)*(volatile const char *)(m->recv[i] + at);
}

/* Memory of the process for one buffer. */
static inline void *coll_memory(uint64_t bytes)
{
	uint64_t huge = 2ull << 20;
	void *p;

	bytes = (bytes + huge - 1) & ~(huge - 1);
	p = aligned_alloc(huge, bytes);
	if (!p)
		die("no memory for buffers");
	madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 0, bytes);
	return p;
}

/* ---- members -------------------------------------------------------------- */

static inline void coll_place(struct coll_member *m)
{
	cpu_set_t all;
	uint32_t n = 0;

	/* mpirun may have bound us already. */
	CPU_ZERO(&all);
	for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
		CPU_SET(cpu, &all);
	sched_setaffinity(0, sizeof(all), &all);
	if (sched_getaffinity(0, sizeof(all), &all))
		die("can't read the CPU affinity");
	m->crowded = m->members > (uint32_t)CPU_COUNT(&all);
	for (int cpu = 0; cpu < CPU_SETSIZE && !m->crowded; cpu++)
		if (CPU_ISSET(cpu, &all) && n++ == m->member)
			pin(cpu);
}

static inline void coll_barrier(struct coll_member *m)
{
	struct coll_shared *s = m->shared;
	uint32_t phase = __atomic_load_n(&s->phase, __ATOMIC_RELAXED), n = 0;

	if (__atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL) == m->members) {
		__atomic_store_n(&s->arrived, 0, __ATOMIC_RELAXED);
		/* Releases what all of them wrote; pairs with the loads below. */
		__atomic_store_n(&s->phase, phase + 1, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&s->phase, __ATOMIC_ACQUIRE) == phase) {
		if (m->crowded)
			sched_yield();
		else
			_mm_pause();
		if (m->idle && !(++n % (m->crowded ? 16 : 4096)))
			m->idle();
	}
}

/* ---- a cell --------------------------------------------------------------- */

static inline double coll_slowest(const struct coll_member *m, uint32_t iteration)
{
	double slowest = 0;

	for (uint32_t i = 0; i < m->members; i++)
		if (m->shared->member[i].us[iteration % 2] > slowest)
			slowest = m->shared->member[i].us[iteration % 2];
	return slowest;
}

/* More iterations? pending: one is done but its time not in s yet. */
static inline enum coll_verdict coll_judge(const struct coll_options *o, double us, double best,
					   struct series *s, bool pending)
{
	if (best && s->count && us > 5e5 && series_at(s, 0) > COLL_BEHIND * best)
		return COLL_FAR_BEHIND;
	if (s->count + pending < o->least)
		return us > o->limit_us ? COLL_TOO_SLOW : COLL_MORE;
	return us > o->share_us || s->count >= COLL_MOST ? COLL_ENOUGH : COLL_MORE;
}

/*
 * Called by all members; member 0 gets the times.
 *
 * Times are read behind the first barrier of an iteration only, so member 0 learns the times of iteration i
 * when it has passed the barrier of i + 1 and judges before that of i + 2. Two
 * slots are enough, as nobody is two iterations ahead; one is not, as somebody may
 * not have read the verdict when member 0 has done with the iteration.
 */
static inline enum coll_verdict coll_cell(struct coll_member *m, const struct coll_options *o,
					  uint64_t bytes, bool cold, double best,
					  struct series *times)
{
	enum coll_verdict verdict;
	double start = now_us(), t;
	uint32_t i, warm_ups = 2;

	for (i = 0;; i++) {
		coll_fill(m, bytes, cold);
		if (!m->member) {
			if (i == 2 && coll_slowest(m, 0) > 1e5)
				warm_ups = 1;
			if (i >= 2 && i - 2 >= warm_ups)
				series_add(times, coll_slowest(m, i - 2));
			m->shared->verdict[i % 2] =
				coll_judge(o, now_us() - start, best, times, i > warm_ups);
		}
		coll_barrier(m);
		verdict = m->shared->verdict[i % 2];
		if (verdict != COLL_MORE)
			break;
		t = now_us();
		m->op(m, bytes);
		m->shared->member[m->member].us[i % 2] = now_us() - t;
		coll_barrier(m);
		if (m->unchecked)
			coll_read(m, bytes);
		else
			coll_check(m, bytes);
		m->round++;
	}
	if (!m->member && i > warm_ups)
		series_add(times, coll_slowest(m, i - 1));
	/* Nobody begins another cell while one still reads verdict and times. */
	coll_barrier(m);
	return verdict;
}

/* ---- rows ----------------------------------------------------------------- */

/*
 * For coll.sh: "row IMPL SETTING RANKS BYTES warm|cold ITERATIONS MIN P50 P99 MAX
 * WRONG", or "skip IMPL SETTING RANKS BYTES warm|cold REASON".
 */
static inline void coll_row(const struct coll_options *o, const struct coll_member *m,
			    uint64_t bytes, bool cold, struct series *s, uint64_t wrong)
{
	const char *caches = cold ? "cold" : "warm";

	printf("row %s %s %u %llu %s %u %.3f %.3f %.3f %.3f %llu\n", m->impl, m->setting, m->ranks,
	       (unsigned long long)bytes, caches, s->count, series_at(s, 0), series_at(s, 50),
	       series_at(s, 99), series_at(s, 100), (unsigned long long)wrong);
	fflush(stdout);
	if (!o->json)
		return;
	json_row(o->json, "all_reduce", m->ranks, bytes, "float32", 4, "sum", s);
	if (m->unchecked)
		fprintf(o->json, ", \"wrong\": null");
	else
		fprintf(o->json, ", \"wrong\": %llu", (unsigned long long)wrong);
	fprintf(o->json, ", \"impl\": \"%s\", \"setting\": \"%s\", \"caches\": \"%s\"", m->impl,
		m->setting, caches);
	if (m->home)
		fprintf(o->json, ", \"home\": \"%s\"", m->home);
	json_end(o->json);
}

static inline void coll_skip(const struct coll_member *m, uint64_t bytes, bool cold,
			     const char *why)
{
	printf("skip %s %s %u %llu %s and larger: %s\n", m->impl, m->setting, m->ranks,
	       (unsigned long long)bytes, cold ? "cold" : "warm", why);
	fflush(stdout);
}

/* Cold is a thing of its own only for buffers that would fit, more or less. */
static inline bool coll_has_cold(uint32_t ranks, uint64_t bytes)
{
	long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);

	if (cache <= 0)
		cache = 32l << 20;
	return 2ull * ranks * bytes <= COLL_CACHES * (uint64_t)cache;
}

/* Largest size that is to be measured: what buffers must hold. */
static inline uint64_t coll_most(const struct coll_options *o, uint32_t ranks)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < o->sizes; i++)
		if (o->size[i] * ranks <= COLL_MOST_BYTES && o->size[i] > most)
			most = o->size[i];
	return most;
}

static inline bool coll_has_cell(const struct coll_options *o, uint32_t ranks, uint64_t bytes,
				 bool cold)
{
	if (bytes * ranks > COLL_MOST_BYTES) /* coll.sh says so, once */
		return false;
	return cold ? o->cold && coll_has_cold(ranks, bytes) : o->warm;
}

/* Reads what others needed, from their rows. */
static inline void coll_others(struct coll_options *o, uint32_t ranks)
{
	FILE *f = o->rows ? fopen(o->rows, "re") : NULL;
	char line[256], impl[32], caches[8];
	unsigned long long bytes;
	uint32_t p, i;
	double p50;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "row %31s %*s %u %llu %7s %*u %*f %lf", impl, &p, &bytes, caches,
			   &p50) != 5 ||
		    p != ranks || !strcmp(impl, "vneuron") || !strcmp(impl, "floor"))
			continue;
		for (i = 0; i < o->sizes; i++) {
			double *best = &o->best[i][!strcmp(caches, "cold")];

			if (o->size[i] == bytes && (!*best || p50 < *best))
				*best = p50;
		}
	}
	if (f)
		fclose(f);
}

typedef enum coll_verdict coll_cell_fn(struct coll_member *m, const struct coll_options *o,
				       uint64_t bytes, bool cold, double best,
				       struct series *times);

/* All cells, called by all members. Returns how many elements were wrong. */
static inline uint64_t coll_cells(struct coll_member *m, const struct coll_options *o,
				  coll_cell_fn *cell)
{
	struct coll_options first = *o;
	struct series times = { 0 };
	uint64_t all = 0, wrong;
	enum coll_verdict v = COLL_ENOUGH;

	first.share_us = COLL_SETTLE_US;
	first.least = 1;
	cell(m, &first, 8, false, 0, &times);
	for (uint32_t i = 0; i < 2 * o->sizes && v == COLL_ENOUGH; i++) {
		uint64_t bytes = o->size[i / 2];
		bool cold = i % 2;

		if (!coll_has_cell(o, m->ranks, bytes, cold))
			continue;
		series_free(&times);
		v = cell(m, o, bytes, cold, o->best[i / 2][cold], &times);
		wrong = __atomic_load_n(&m->shared->wrong, __ATOMIC_RELAXED) - all;
		all += wrong;
		if (!m->member && v == COLL_ENOUGH)
			coll_row(o, m, bytes, cold, &times, wrong);
		else if (!m->member)
			coll_skip(m, bytes, cold, v == COLL_TOO_SLOW ? "too slow" : "far behind");
		/* All have read the count of wrong ones. */
		coll_barrier(m);
	}
	series_free(&times);
	return all;
}

/* ---- options -------------------------------------------------------------- */

#define COLL_OPTIONS "s:t:l:c:b:o:"
#define COLL_USAGE                                                                                 \
	"[-s BYTES,...] [-t SECONDS] [-l LIMIT] [-c warm|cold] [-b ROWS_FILE] [-o JSON_FILE]"

static inline void coll_sizes(struct coll_options *o, const char *text)
{
	char *end;

	for (o->sizes = 0; o->sizes < COLL_SIZES; text = end + 1) {
		uint64_t v = strtoull(text, &end, 10);

		if (*end == 'K' || *end == 'M')
			v <<= *end++ == 'K' ? 10 : 20;
		if (!v || v % 4 || v > COLL_MOST_BYTES || (*end && *end != ','))
			die("'%s' are not sizes, multiples of 4 with K or M", text);
		o->size[o->sizes++] = v;
		if (!*end)
			return;
	}
	die("more than %u sizes", COLL_SIZES);
}

static inline void coll_defaults(struct coll_options *o)
{
	*o = (struct coll_options){
		.least = COLL_LEAST, .share_us = 3e5, .limit_us = 1e7, .warm = true, .cold = true
	};
	coll_sizes(o, "8,32,128,512,2K,8K,32K,128K,512K,1M,2M,8M,16M,32M,64M");
}

/* False: not one of COLL_OPTIONS. The JSON file is for one process to open. */
static inline bool coll_option(struct coll_options *o, int c, const char *arg, bool writes)
{
	switch (c) {
	case 's':
		coll_sizes(o, arg);
		return true;
	case 't':
		o->share_us = atof(arg) * 1e6;
		return true;
	case 'l':
		o->limit_us = atof(arg) * 1e6;
		return true;
	case 'c':
		o->warm = strcmp(arg, "cold");
		o->cold = strcmp(arg, "warm");
		return true;
	case 'b':
		o->rows = arg;
		return true;
	case 'o':
		o->json = writes ? json_open(arg) : NULL;
		return true;
	default:
		return false;
	}
}

#endif
