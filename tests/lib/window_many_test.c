// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that there can be a million windows over the chips of the UltraServer: each of them
 * is found by its key and no other's, ended once, and its place given to another; and what
 * they take, in time and memory.
 */
#include "fixture.h"

#define MIB (1ull << 20)

static struct {
	vn_device_t dev;
	struct vn_query q;
	struct vn_mem *mem; /* of each chip */
	uint32_t *key, n;
} w;

static uint32_t chip_of(uint32_t i)
{
	return i % w.q.chips;
}

/* Bytes of this process, or of the host in the kernel home. */
static uint64_t used(void)
{
	bool kernel = in_kernel(w.dev);
	FILE *f = fopen(kernel ? "/proc/meminfo" : "/proc/self/statm", "r");
	unsigned long long total = 0, available = 0, pages = 0;
	char line[128];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (!kernel)
			sscanf(line, "%*u %llu", &pages);
		sscanf(line, "MemTotal: %llu", &total);
		sscanf(line, "MemAvailable: %llu", &available);
	}
	fclose(f);
	return kernel ? (total - available) * 1024 : pages * 4096;
}

static uint64_t count(void)
{
	struct vn_chip_query c;
	uint64_t n = 0;

	for (uint32_t i = 0; i < w.q.chips; i++) {
		NEED(vn_chip_query(w.dev, i, &c));
		n += c.windows;
	}
	return n;
}

/* One more of 1 MiB, and its end, with so many others there: nanoseconds each. */
static void time_one(uint32_t others)
{
	uint32_t key, rounds = quick() ? 2000 : 20000, wrong = 0;
	uint64_t made = 0, ended = 0, t;

	for (uint32_t i = 0; i < rounds; i++) {
		const struct vn_mem *m = &w.mem[chip_of(i * 7)];

		t = now_ns();
		wrong += vn_window_create(w.dev, m, 0, MIB, FULL_ACCESS, &key) != 0;
		made += now_ns() - t;
		t = now_ns();
		wrong += vn_window_invalidate(w.dev, m->chip, key) != 0;
		ended += now_ns() - t;
	}
	tap_ok(!wrong, "1 MiB with %u others: %llu ns to register, %llu ns to invalidate", others,
	       (unsigned long long)(made / rounds), (unsigned long long)(ended / rounds));
}

static void make(uint32_t n)
{
	uint32_t wrong = 0;

	for (; w.n < n; w.n++) {
		const struct vn_mem *m = &w.mem[chip_of(w.n)];

		wrong += vn_window_create(w.dev, m, w.n / w.q.chips * 8, 8, FULL_ACCESS,
					  &w.key[w.n]) != 0;
	}
	tap_ok(!wrong && count() == n, "%u windows (%u refused): %s", n, wrong, vn_error());
}

/* Some of them, all over: each writes where it alone is. */
static void look(uint32_t n)
{
	uint32_t step = n / (quick() ? 500 : 5000) ?: 1, wrong = 0, tried = 0;
	vn_queue_t q = queue(w.dev, 0, 8);
	uint64_t t = now_ns();

	for (uint32_t i = 0; i < n; i += step, tried++)
		wrong += run_fill(q, vn_by_key(chip_of(i), w.key[i], 0), 8, i + 1ull, 8) != VN_OK;
	t = now_ns() - t;
	for (uint32_t i = 0; i < n; i += step) {
		const uint64_t *at = (uint64_t *)w.mem[chip_of(i)].ptr + i / w.q.chips;

		wrong += *at != i + 1ull;
	}
	tap_ok(!wrong, "%u of %u are found by their keys (%u are not), %llu ns each", tried, n,
	       wrong, (unsigned long long)(t / tried));
	vn_queue_destroy(q);
}

static void end(void)
{
	uint32_t wrong = 0;

	/* In another order than they came. */
	for (uint32_t i = 0; i < w.n; i++) {
		uint32_t k = (uint32_t)((uint64_t)i * 7919 % w.n);

		wrong += vn_window_invalidate(w.dev, chip_of(k), w.key[k]) != 0;
	}
	tap_ok(!wrong && !count(), "all %u ended (%u were not), %llu are left", w.n, wrong,
	       (unsigned long long)count());
	for (uint32_t i = 0; i < w.n; i += 997)
		wrong += vn_window_invalidate(w.dev, chip_of(i), w.key[i]) != -ESTALE;
	tap_ok(!wrong, "and are stale");
}

int main(void)
{
	uint32_t most = quick() ? 20000 : 1000000;
	uint64_t before, bytes;

	w.dev = device();
	NEED(vn_device_query(w.dev, &w.q));
	/* 65,534 to a chip. */
	if (most > w.q.chips * 60000)
		most = w.q.chips * 60000;
	/* No common factor with the step of end(). */
	most -= !(most % 7919);
	w.mem = calloc(w.q.chips, sizeof(*w.mem));
	w.key = calloc(most, sizeof(*w.key));
	if (!w.mem || !w.key)
		return 1;
	memset(w.key, 1, most * sizeof(*w.key));
	for (uint32_t i = 0; i < w.q.chips; i++)
		w.mem[i] = take(w.dev, i, MIB);
	make(10);
	time_one(10);
	look(10);
	make(1000);
	time_one(1000);
	look(1000);
	before = used();
	make(most);
	bytes = used() - before;
	tap_diag("%llu bytes a window", (unsigned long long)(bytes / (most - 1000)));
	time_one(most);
	look(most);
	end();
	/* The places are free for others. */
	w.n = 0;
	make(most / 4);
	look(most / 4);
	vn_close(w.dev);
	free(w.mem);
	free(w.key);
	return tap_done();
}
