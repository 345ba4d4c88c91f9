// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Keys: what it takes to register and to invalidate a window of 1 MiB of HBM, and to find
 * the window of a key, while 10 to 1,000,000 windows over all chips are alive.
 *
 * Finding one is measured by what a 64-byte copy by key takes, in batches: always of the
 * same ten keys, and of any of those there are, where the host's caches no longer hold
 * the table nor the memory; beside it the same copy of the context's own memory.
 */
#include <getopt.h>

#include <vneuron.h>

#include "bench.h"

#define WINDOW_BYTES (1ull << 20)
#define BATCH 32u
#define PAIRS 4000u
#define BATCHES 4000u
#define FEW 10u

static const uint32_t counts[] = { 10, 1000, 100000, 1000000 };

#define CHECK(call)                                                                                \
	do {                                                                                       \
		if (call)                                                                          \
			die("%s", vn_error());                                                     \
	} while (0)

static vn_device_t dev;
static vn_queue_t queue;
static uint32_t chips;
static struct vn_mem mem[VN_MAX_CHIPS];
static uint32_t *key; /* of window i, on chip i % chips */
static uint32_t alive;
static const uint32_t allowed = VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ |
				VN_ACCESS_REMOTE_WRITE;

static void grow(uint32_t n)
{
	for (; alive < n; alive++)
		CHECK(vn_window_create(dev, &mem[alive % chips], 0, WINDOW_BYTES, allowed,
				       &key[alive]));
}

/* A window more, and gone again; one on each chip in turn. */
static void measure_pairs(struct series *made, struct series *ended)
{
	double t0, t1, t2;
	uint32_t k;

	for (uint32_t i = 0; i < PAIRS; i++) {
		t0 = now_us();
		CHECK(vn_window_create(dev, &mem[i % chips], 0, WINDOW_BYTES, allowed, &k));
		t1 = now_us();
		CHECK(vn_window_invalidate(dev, i % chips, k));
		t2 = now_us();
		series_add(made, t1 - t0);
		series_add(ended, t2 - t1);
	}
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)((x >> 32) * n >> 32);
}

/* Time of one copy, ns, from `among` windows; 0: from own memory. */
static void measure_copies(uint32_t among, struct series *s)
{
	struct vn_cqe cqe[BATCH];
	double t;

	for (uint32_t j = 0; j < BATCHES; j++) {
		uint32_t pick[BATCH];

		for (uint32_t i = 0; i < BATCH; i++)
			pick[i] = random_below(among ? among : FEW);
		t = now_us();
		for (uint32_t i = 0; i < BATCH; i++) {
			uint32_t w = pick[i], chip = w % chips;
			struct vn_desc *d = vn_next(queue);

			if (!d)
				die("no room for a descriptor");
			vn_prep_copy(d, vn_at(&mem[0], WINDOW_BYTES + i * 64),
				     among ? vn_by_key(chip, key[w], i * 64)
					   : vn_at(&mem[chip], i * 64),
				     64);
		}
		if (vn_wait(queue, BATCH, VN_FOREVER) || vn_reap(queue, cqe, BATCH) != (int)BATCH)
			die("%s", vn_error());
		series_add(s, (now_us() - t) * 1e3 / BATCH);
		for (uint32_t i = 0; i < BATCH; i++)
			if (cqe[i].status)
				die("a copy: %s", vn_status_text(cqe[i].status));
	}
}

static void show(FILE *json, uint32_t n)
{
	struct series made = { 0 }, ended = { 0 }, own = { 0 }, few = { 0 }, any = { 0 };

	grow(n);
	measure_copies(0, &own);
	measure_copies(FEW, &few);
	measure_copies(n, &any);
	measure_pairs(&made, &ended);
	printf("%9u | %9.3f %9.3f | %9.3f %9.3f | %9.1f %9.1f %9.1f\n", n, series_at(&made, 50),
	       series_at(&made, 99), series_at(&ended, 50), series_at(&ended, 99),
	       series_at(&own, 50), series_at(&few, 50), series_at(&any, 50));
	if (json) {
		json_row(json, "register", 1, WINDOW_BYTES, "int8", 1, "none", &made);
		fprintf(json, ", \"windows\": %u, \"invalidate_us\": %.3f", n,
			series_at(&ended, 50));
		fprintf(json,
			", \"copy_own_ns\": %.1f, \"copy_few_ns\": %.1f, \"copy_any_ns\": %.1f",
			series_at(&own, 50), series_at(&few, 50), series_at(&any, 50));
		fprintf(json, ", \"wrong\": 0");
		json_end(json);
	}
	series_free(&made);
	series_free(&ended);
	series_free(&own);
	series_free(&few);
	series_free(&any);
}

int main(int argc, char **argv)
{
	const char *spec = getenv("VNEURON_DEVICE");
	uint32_t most = counts[ARRAY_SIZE(counts) - 1];
	struct vn_query q;
	FILE *json = NULL;
	int c;

	while ((c = getopt(argc, argv, "d:n:o:")) >= 0) {
		if (c == 'd') {
			spec = optarg;
		} else if (c == 'n') {
			most = (uint32_t)strtoul(optarg, NULL, 10);
		} else if (c == 'o') {
			json = json_open(optarg);
		} else {
			fprintf(stderr, "usage: keys [-d DEVICE] [-n WINDOWS] [-o JSON_FILE]\n");
			return 2;
		}
	}
	CHECK(vn_open(spec, &dev) || vn_device_query(dev, &q));
	chips = q.chips;
	key = calloc(most, sizeof(*key));
	if (!key)
		die("no memory for %u keys", most);
	for (uint32_t i = 0; i < chips; i++) {
		CHECK(vn_mem_alloc(dev, i, 2 * WINDOW_BYTES, &mem[i]));
		memset(mem[i].ptr, 1, mem[i].bytes);
	}
	CHECK(vn_queue_create(dev, 0, 2 * BATCH, -1, &queue));
	printf("%9s | %9s %9s | %9s %9s | %9s %9s %9s\n", "windows", "register", "p99 us",
	       "invalid.", "p99 us", "own ns", "ten keys", "any key");
	for (uint32_t i = 0; i < ARRAY_SIZE(counts) && counts[i] <= most; i++)
		show(json, counts[i]);
	vn_close(dev);
	return 0;
}
