// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What draining a sled costs others.
 *
 * Who has memory on it: the longest gap between completions that a client sees while the
 * sled is drained, with so much HBM on it, idle or written all the time, by descriptors
 * and by the CPU. Beside it what the device says the pause was, what copying so many bytes
 * in the pause takes at the least, and the longest gap in as long a time without a drain.
 *
 * Who has none there: the time of a small write while a sled is drained again and again,
 * against that beside a thread that copies as many bytes in as much time of its CPU, and
 * has nothing to do with the device. They take turns.
 */
#include <getopt.h>

#include <vneuron.h>
#include <vneuron/sled.h>

#include "../../kmod/engine/crc32c.h"
#include "bench.h"

#define BUDGET_US 10000.0
#define PAGE 4096u
#define WRITE_BYTES (64u << 10)
#define WRITERS 4u

/* A cell: until there are enough drains, or it took so long. */
static const struct {
	uint64_t bytes;
	uint32_t drains;
} sizes[] = { { 1u << 20, 100 }, { 64u << 20, 40 }, { 1u << 30, 6 } };
#define CELL_US 15e6

/* Of bystanders: a turn, and turns of each kind. */
#define TURN_US 5e5
#define TURNS 12u
#define MOVED_BYTES (64u << 20)

static vn_device_t dev, client;
static struct vn_query machine;
static FILE *json;
static bool stop; /* atomic */
static double copy_gbps;

#define CHECK(call)                                                                                \
	do {                                                                                       \
		if (call)                                                                          \
			die("%s", vn_error());                                                     \
	} while (0)

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	CHECK(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static uint64_t fence_waits(vn_device_t d)
{
	struct vn_query q;

	CHECK(vn_device_query(d, &q));
	return q.fence_waits;
}

static double thread_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void sleep_us(double us)
{
	if (us > 0)
		usleep((useconds_t)us);
}

static void start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	if (pthread_create(t, NULL, fn, arg))
		die("can't start a thread");
}

/* ---- what copying takes ------------------------------------------------------------------- */

static uint32_t crc(const void *p)
{
	return __builtin_cpu_supports("sse4.2") ? vn_crc32c_sse(0, p, PAGE) : vn_crc32c(0, p, PAGE);
}

/* As a drain does: each page is summed as it was read, and as it came out. */
static void copy_pages(char *to, const char *from, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PAGE) {
		uint32_t before = crc(from + at);

		memcpy(to + at, from + at, PAGE);
		if (crc(to + at) != before)
			die("a page is not as it was read");
	}
}

static char *pages(uint64_t bytes)
{
	char *p = aligned_alloc(PAGE, bytes);

	if (!p)
		die("no memory for %llu bytes", (unsigned long long)bytes);
	memset(p, 1, bytes);
	return p;
}

static void measure_copy(void)
{
	char *from = pages(MOVED_BYTES), *to = pages(MOVED_BYTES);
	struct series s = { 0 };
	double t;

	for (uint32_t i = 0; i < 9; i++) {
		t = now_us();
		copy_pages(to, from, MOVED_BYTES);
		series_add(&s, now_us() - t);
	}
	copy_gbps = MOVED_BYTES / 1e3 / series_at(&s, 50);
	series_free(&s);
	free(from);
	free(to);
}

/* ---- who has memory on the sled ------------------------------------------------------------- */

static struct vn_mem hbm[VN_MAX_CHIPS_PER_SLED];
static uint64_t longest_ns; /* atomic: gap between completions */
static uint64_t completions; /* atomic */

static void fill(vn_queue_t q, const struct vn_mem *m, uint64_t at, uint64_t bytes)
{
	struct vn_desc *d = vn_next(q);

	if (!d)
		die("no room for a descriptor");
	vn_prep_fill(d, vn_at(m, at), bytes, 0x5a, 1);
	CHECK(vn_complete(q, VN_FOREVER));
}

static void *probe(void *arg)
{
	double last = now_us(), now;
	uint64_t gap;
	vn_queue_t q;

	(void)arg;
	CHECK(vn_queue_create(client, hbm[0].chip, 8, -1, &q));
	while (!stopped()) {
		fill(q, &hbm[0], 0, 8);
		now = now_us();
		gap = (uint64_t)((now - last) * 1e3);
		last = now;
		if (gap > __atomic_load_n(&longest_ns, __ATOMIC_RELAXED))
			__atomic_store_n(&longest_ns, gap, __ATOMIC_RELAXED);
		__atomic_add_fetch(&completions, 1, __ATOMIC_RELEASE);
	}
	vn_queue_destroy(q);
	return NULL;
}

/* Since it was last asked; a gap that has not come to its end is part of it. */
static double longest_us(void)
{
	uint64_t seen = __atomic_load_n(&completions, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&completions, __ATOMIC_ACQUIRE) == seen)
		sched_yield();
	return (double)__atomic_exchange_n(&longest_ns, 0, __ATOMIC_RELAXED) / 1e3;
}

/* All over the memory of a chip, by descriptors or by the CPU. */
static void *write_all(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;
	const struct vn_mem *m = &hbm[number / 2 % machine.chips_per_sled];
	uint64_t x = number + 1, at;
	vn_queue_t q;

	CHECK(vn_queue_create(client, m->chip, 8, -1, &q));
	while (!stopped()) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		at = (x >> 20) % (m->bytes / WRITE_BYTES) * WRITE_BYTES;
		if (number % 2) {
			vn_mem_begin(client, (char *)m->ptr + at, WRITE_BYTES);
			memset((char *)m->ptr + at, (int)x, WRITE_BYTES);
			vn_mem_end(client);
		} else {
			fill(q, m, at, WRITE_BYTES);
		}
	}
	vn_queue_destroy(q);
	return NULL;
}

struct cell {
	uint64_t bytes;
	bool load;
	uint32_t late, given_up;
	struct series gap, back, without, pause, bound, took;
};

static void drain_once(struct cell *c)
{
	struct vn_drain_config config = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t sled = sled_of(0);
	struct vn_drain_report r;
	double gap;
	int err;

	config.reason = "bench";
	config.budget_ns = (uint64_t)(BUDGET_US * 1e3);
	config.deadline_ns = 10000000000ull;
	longest_us();
	err = vn_sled_drain(dev, sled, &config, &r);
	gap = longest_us();
	if (err == -ETIMEDOUT) {
		c->given_up++;
		return;
	}
	CHECK(err);
	series_add(&c->gap, gap);
	series_add(&c->pause, (double)r.last.pause_ns / 1e3);
	series_add(&c->bound, (double)r.last.stop_bytes / 1e3 / copy_gbps);
	series_add(&c->took, (double)r.took_ns / 1e3);
	c->late += gap > BUDGET_US;
	CHECK(vn_sled_undrain(dev, sled, NULL, NULL));
	series_add(&c->back, longest_us());
	sleep_us((double)r.took_ns / 1e3);
	series_add(&c->without, longest_us());
}

static void json_times(const char *name, struct series *s)
{
	fprintf(json, ", \"%s\": {\"min\": %.3f, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}",
		name, series_at(s, 0), series_at(s, 50), series_at(s, 99), series_at(s, 100));
}

static void show_cell(struct cell *c)
{
	char text[32];

	printf("%8s %-5s %6u | %8.0f %8.0f %8.0f %5u | %8.0f %8.0f %8.0f | %8.0f | %8.0f %8.0f | "
	       "%9.1f %5u\n",
	       size_text(c->bytes, text), c->load ? "load" : "idle", c->gap.count,
	       series_at(&c->gap, 50), series_at(&c->gap, 99), series_at(&c->gap, 100), c->late,
	       series_at(&c->pause, 50), series_at(&c->pause, 99), series_at(&c->pause, 100),
	       series_at(&c->bound, 50), series_at(&c->without, 50), series_at(&c->without, 100),
	       series_at(&c->took, 50) / 1e3, c->given_up);
	fflush(stdout);
	if (!json)
		return;
	fprintf(json,
		"{\"op\": \"drain\", \"home\": \"%s\", \"bytes\": %llu, \"load\": %s, "
		"\"count\": %u, \"budget_us\": %.0f, \"late\": %u, \"given_up\": %u, "
		"\"copy_gbps\": %.3f",
		vn_device_home(dev), (unsigned long long)c->bytes, c->load ? "true" : "false",
		c->gap.count, BUDGET_US, c->late, c->given_up, copy_gbps);
	json_times("time_us", &c->gap);
	json_times("pause_us", &c->pause);
	json_times("bound_us", &c->bound);
	json_times("undrain_us", &c->back);
	json_times("without_us", &c->without);
	json_times("took_us", &c->took);
	json_end(json);
}

static void bench_cell(uint64_t bytes, uint32_t drains, bool load)
{
	struct cell c = { .bytes = bytes, .load = load };
	double begin;
	pthread_t thread[WRITERS + 1];

	for (uint32_t i = 0; i < machine.chips_per_sled; i++) {
		CHECK(vn_mem_alloc(client, i, bytes / machine.chips_per_sled, &hbm[i]));
		memset(hbm[i].ptr, 1, hbm[i].bytes);
	}
	stop = false;
	start(&thread[WRITERS], probe, NULL);
	for (uint32_t i = 0; load && i < WRITERS; i++)
		start(&thread[i], write_all, (void *)(uintptr_t)i);
	sleep_us(1e5);
	begin = now_us();
	while (c.gap.count < drains && (!(c.gap.count + c.given_up) || now_us() - begin < CELL_US))
		drain_once(&c);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (uint32_t i = load ? 0 : WRITERS; i <= WRITERS; i++)
		pthread_join(thread[i], NULL);
	show_cell(&c);
	for (uint32_t i = 0; i < machine.chips_per_sled; i++)
		CHECK(vn_mem_free(client, &hbm[i]));
	series_free(&c.gap);
	series_free(&c.back);
	series_free(&c.without);
	series_free(&c.pause);
	series_free(&c.bound);
	series_free(&c.took);
}

static void bench_pauses(void)
{
	printf("%u chips a sled, %s home; the longest gap between completions in a drain, us; "
	       "budget %.0f us; copying %.2f GB/s\n",
	       machine.chips_per_sled, vn_device_home(dev), BUDGET_US, copy_gbps);
	printf("%8s %-5s %6s | %8s %8s %8s %5s | %8s %8s %8s | %8s | %8s %8s | %9s %5s\n", "HBM",
	       "", "drains", "gap p50", "p99", "max", "late", "pause", "p99", "max", "bound",
	       "without", "max", "took ms", "gave up");
	for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i].bytes / machine.chips_per_sled > machine.hbm_bytes)
			continue;
		bench_cell(sizes[i].bytes, sizes[i].drains, false);
		bench_cell(sizes[i].bytes, sizes[i].drains, true);
	}
}

/* ---- who has none ------------------------------------------------------------------------------ */

/* What goes on beside: drains, or a copy that has nothing to do with them. */
static struct beside {
	bool drains;
	double end_us;
	uint64_t count; /* drains */
	double wall_us, busy_us; /* of all of them, waits and all */
} beside;

static void *drain_again(void *arg)
{
	double busy = thread_us(), begin = now_us();
	struct vn_drain_config config = VN_DRAIN_CONFIG_INITIALIZER;

	(void)arg;
	config.budget_ns = (uint64_t)(BUDGET_US * 1e3);
	do {
		uint32_t sled = sled_of(0);

		CHECK(vn_sled_drain(dev, sled, &config, NULL)
			      ?: vn_sled_undrain(dev, sled, NULL, NULL));
		beside.count++;
	} while (now_us() < beside.end_us);
	beside.wall_us += now_us() - begin;
	beside.busy_us += thread_us() - busy;
	return NULL;
}

/* As many bytes, as much CPU, in as much time as a drain and its undoing took so far. */
static void *copy_again(void *arg)
{
	static char *from, *to;
	double wall = beside.wall_us / beside.count, busy = beside.busy_us / beside.count;

	(void)arg;
	from = from ?: pages(MOVED_BYTES);
	to = to ?: pages(MOVED_BYTES);
	do {
		double begin = now_us(), used = thread_us();

		copy_pages(to, from, MOVED_BYTES);
		for (uint64_t at = 0; thread_us() - used < busy; at += 1 << 18)
			copy_pages(to + at % MOVED_BYTES, from + at % MOVED_BYTES, 1 << 18);
		sleep_us(wall - (now_us() - begin));
	} while (now_us() < beside.end_us);
	return NULL;
}

struct writes {
	struct series desc, cpu;
};

/* One small write after the other, by a descriptor and by the CPU. */
static void write_small(vn_device_t d, vn_queue_t q, const struct vn_mem *m, struct writes *w)
{
	uint64_t *p = m->ptr;
	double t = now_us(), now;

	for (uint64_t n = 0; t < beside.end_us; n++) {
		fill(q, m, n % 512 * 8, 8);
		now = now_us();
		series_add(&w->desc, now - t);
		t = now_us();
		vn_mem_begin(d, p + n % 512, 8);
		p[n % 512] = n;
		vn_mem_end(d);
		now = now_us();
		series_add(&w->cpu, now - t);
		t = now_us();
	}
}

static void show_writes(const char *by, struct series *drain, struct series *copy, uint64_t waits)
{
	double p50 = series_at(drain, 50) / series_at(copy, 50);
	double p99 = series_at(drain, 99) / series_at(copy, 99);

	printf("%-12s %9u | %9.2f %9.2f %9.0f | %9.2f %9.2f %9.0f | %7.2f %7.2f | %llu\n", by,
	       drain->count, series_at(drain, 50), series_at(drain, 99), series_at(drain, 100),
	       series_at(copy, 50), series_at(copy, 99), series_at(copy, 100), p50, p99,
	       (unsigned long long)waits);
	if (!json)
		return;
	fprintf(json,
		"{\"op\": \"drain_bystander\", \"home\": \"%s\", \"by\": \"%s\", \"count\": %u, "
		"\"drains\": %llu, \"fence_waits\": %llu, \"ratio_p50\": %.4f, \"ratio_p99\": %.4f",
		vn_device_home(dev), by, drain->count, (unsigned long long)beside.count,
		(unsigned long long)waits, p50, p99);
	json_times("time_us", drain);
	json_times("copy_us", copy);
	json_end(json);
}

static void bench_bystanders(void)
{
	uint32_t per_sled = machine.chips_per_sled, chip = per_sled;
	struct writes with[2] = { 0 };
	vn_device_t bystander;
	pthread_t thread;
	struct vn_mem m;
	uint64_t waits;
	vn_queue_t q;

	for (uint32_t i = 0; i < per_sled; i++) {
		CHECK(vn_mem_alloc(client, i, MOVED_BYTES / per_sled, &hbm[i]));
		memset(hbm[i].ptr, 1, hbm[i].bytes);
	}
	CHECK(vn_reopen(dev, &bystander));
	CHECK(vn_mem_alloc(bystander, chip, PAGE, &m));
	CHECK(vn_queue_create(bystander, chip, 8, -1, &q));
	beside = (struct beside){ 0 };
	for (uint32_t i = 0; i < 2 * TURNS; i++) {
		beside.end_us = now_us() + TURN_US;
		start(&thread, i % 2 ? copy_again : drain_again, NULL);
		write_small(bystander, q, &m, &with[i % 2]);
		pthread_join(thread, NULL);
		if (i > 1)
			continue;
		/* That warmed up. */
		with[i].desc.count = with[i].cpu.count = 0;
	}
	waits = fence_waits(bystander);
	printf("\nsmall writes of one who has nothing on the sled, us: while %llu drains of 64 MiB "
	       "(%.1f ms each, %.0f %% of a CPU), and beside as much copying\n",
	       (unsigned long long)beside.count, beside.wall_us / (double)beside.count / 1e3,
	       100 * beside.busy_us / beside.wall_us);
	printf("%-12s %9s | %9s %9s %9s | %9s %9s %9s | %7s %7s | %s\n", "by", "writes",
	       "drain p50", "p99", "max", "copy p50", "p99", "max", "p50", "p99", "fence waits");
	show_writes("descriptor", &with[0].desc, &with[1].desc, waits);
	show_writes("CPU", &with[0].cpu, &with[1].cpu, waits);
	vn_close(bystander);
	for (uint32_t i = 0; i < per_sled; i++)
		CHECK(vn_mem_free(client, &hbm[i]));
	for (uint32_t i = 0; i < 2; i++) {
		series_free(&with[i].desc);
		series_free(&with[i].cpu);
	}
	if (waits)
		die("who has nothing on the sled met a fence %llu times",
		    (unsigned long long)waits);
}

int main(int argc, char **argv)
{
	const char *spec = getenv("VNEURON_DEVICE");
	int c;

	while ((c = getopt(argc, argv, "d:o:")) >= 0) {
		if (c == 'd') {
			spec = optarg;
		} else if (c == 'o') {
			json = json_open(optarg);
		} else {
			fprintf(stderr, "usage: drain [-d DEVICE] [-o JSON_FILE]\n");
			return 2;
		}
	}
	if (!spec || !*spec || !strcmp(spec, "embedded"))
		spec = "embedded:sleds=3,chips=2,spares=1,hbm=1G";
	if (vn_open(spec, &dev) || vn_reopen(dev, &client) || vn_device_query(dev, &machine))
		die("%s", vn_error());
	if (!machine.spares || machine.sleds < 2)
		die("%s: want a spare sled, and two others", spec);
	measure_copy();
	bench_pauses();
	bench_bystanders();
	vn_close(client);
	vn_close(dev);
	return 0;
}
