// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All-reduce over all chips of a device, fp32 sum, beside its floor: threads on
 * all CPUs that read every source byte once and write every destination byte
 * once, in the same memory, and compute nothing. Ours and the floor take turns;
 * all buffers are rewritten before each turn, outside the time.
 */
#include <getopt.h>

#include "ours.h"

#define MOST (16ull << 20)
#define LEAST (64ull << 10)
/* Bytes touched in the timed parts of one size, about. */
#define VOLUME (24ull << 30)

/* Ways to walk the memory: bytes of a source or destination taken in one go. */
static const uint64_t tiles[] = { 4096, 16384, 65536, UINT64_MAX };

#define WAYS (2 * ARRAY_SIZE(tiles)) /* with plain and with streaming stores */

struct floor_job {
	struct ours *o;
	uint64_t tile;
	bool stream;
};

static void read_all(const char *p, uint64_t bytes)
{
	/* volatile keeps the loads, so not even an OR is needed to hold them. */
	for (const char *end = p + bytes; p < end; p += 128)
		asm volatile("vmovdqu %0, %%ymm0\n\t"
			     "vmovdqu 32%0, %%ymm1\n\t"
			     "vmovdqu 64%0, %%ymm2\n\t"
			     "vmovdqu 96%0, %%ymm3"
			     :
			     : "o"(*p)
			     : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}

static void write_all(char *p, uint64_t bytes, bool stream)
{
	char *end = p + bytes;

	if (stream)
		for (; p < end; p += 64)
			asm volatile("vmovntdq %%ymm0, %0\n\t"
				     "vmovntdq %%ymm0, 32%0"
				     : "=o"(*p)
				     :
				     : "memory");
	else
		for (; p < end; p += 64)
			asm volatile("vmovdqu %%ymm0, %0\n\t"
				     "vmovdqu %%ymm0, 32%0"
				     : "=o"(*p)
				     :
				     : "memory");
}

/* A member takes its share of the elements, of all ranks. */
static void floor_part(void *arg, uint32_t member, uint32_t members)
{
	const struct floor_job *j = arg;
	uint64_t share = (j->o->bytes / members + 127) & ~127ull, at = member * share, n;
	uint64_t end = at + share < j->o->bytes ? at + share : j->o->bytes;
	uint32_t r;

	for (; at < end; at += n) {
		n = end - at < j->tile ? end - at : j->tile;
		for (r = 0; r < j->o->ranks; r++)
			read_all((char *)j->o->send[r].ptr + at, n);
		for (r = 0; r < j->o->ranks; r++)
			write_all((char *)j->o->recv[r].ptr + at, n, j->stream);
	}
	asm volatile("sfence\n\tvzeroupper" : : : "memory");
}

static void show(struct ours *o, struct series *us, struct series *ways, uint64_t wrong, FILE *json)
{
	double moved = 2.0 * o->ranks * o->bytes, t = series_at(us, 50), f, least;
	uint32_t best = 0, w;
	char size[32], how[24];

	least = series_at(&ways[0], 0);
	for (w = 1; w < WAYS; w++) {
		if (series_at(&ways[w], 50) < series_at(&ways[best], 50))
			best = w;
		if (series_at(&ways[w], 0) < least)
			least = series_at(&ways[w], 0);
	}
	f = series_at(&ways[best], 50);
	if (tiles[best / 2] == UINT64_MAX)
		snprintf(how, sizeof(how), "%s", best & 1 ? "stream" : "plain");
	else
		snprintf(how, sizeof(how), "%s, %u KiB", best & 1 ? "stream" : "plain",
			 (unsigned int)(tiles[best / 2] >> 10));
	printf("%9s %11.1f %11.1f %7.2f %7.2f | %11.1f %7.2f  %-14s | %5.2f %5.2f %7llu\n",
	       size_text(o->bytes, size), t, series_at(us, 0), o->bytes / 1e3 / t, moved / 1e3 / t,
	       f, moved / 1e3 / f, how, f / t, least / series_at(us, 0), (unsigned long long)wrong);
	fflush(stdout);
	if (!json)
		return;
	json_row(json, "all_reduce", o->ranks, o->bytes, "float32", 4, "sum", us);
	fprintf(json,
		", \"wrong\": %llu, \"impl\": \"vneuron\", \"home\": \"%s\", \"moved\": %.3f, \"ratio_floor\": %.4f, \"ratio_floor_min\": %.4f",
		(unsigned long long)wrong, vn_device_home(o->dev), moved / 1e3 / t, f / t,
		least / series_at(us, 0));
	json_end(json);
	json_row(json, "all_reduce", o->ranks, o->bytes, "float32", 4, "sum", &ways[best]);
	fprintf(json, ", \"wrong\": null, \"impl\": \"floor\", \"how\": \"%s\", \"moved\": %.3f",
		how, moved / 1e3 / f);
	json_end(json);
}

/* Returns how many elements were wrong. */
static uint64_t bench_size(struct ours *o, struct crew *crew, uint64_t bytes, uint32_t rounds,
			   FILE *json)
{
	struct series us = { 0 }, ways[WAYS] = { 0 };
	struct contents x = { .o = o };
	uint64_t moved = 2ull * o->ranks * bytes;
	struct floor_job job = { .o = o };
	uint32_t w;
	double t;

	ours_plan(o, bytes);
	if (!rounds) {
		rounds = VOLUME / (moved * (WAYS + 1));
		rounds = rounds < 5 ? 5 : rounds > 100 ? 100 : rounds;
	}
	/* Round 0 warms up: pages, caches, branch predictors, helpers. */
	for (x.round = 0; x.round <= rounds; x.round++) {
		crew_run(crew, fill_part, &x);
		t = ours_run(o);
		if (x.round)
			series_add(&us, t);
		crew_run(crew, check_part, &x);
		for (w = 0; w < WAYS; w++) {
			crew_run(crew, fill_part, &x);
			job.tile = tiles[w / 2];
			job.stream = w & 1;
			t = crew_run(crew, floor_part, &job);
			if (x.round)
				series_add(&ways[w], t);
		}
	}
	show(o, &us, ways, x.wrong, json);
	series_free(&us);
	for (w = 0; w < WAYS; w++)
		series_free(&ways[w]);
	return x.wrong;
}

static uint64_t parse(const char *text, uint64_t max)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v > max) {
		fprintf(stderr, "allreduce: '%s' is not a number from 0 to %llu\n", text,
			(unsigned long long)max);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	uint64_t only = 0, wrong = 0, bytes;
	uint32_t ranks = 0, rounds = 0;
	const char *spec = NULL;
	struct crew crew;
	FILE *json = NULL;
	struct ours o;
	int c;

	while ((c = getopt(argc, argv, "d:n:s:r:o:")) >= 0) {
		switch (c) {
		case 'd':
			spec = optarg;
			break;
		case 'n':
			ranks = parse(optarg, VN_MAX_CHIPS);
			break;
		case 's':
			only = parse(optarg, VN_BYTES_MAX) & ~127ull;
			break;
		case 'r':
			rounds = parse(optarg, 1000000);
			break;
		case 'o':
			json = json_open(optarg);
			break;
		default:
			fprintf(stderr,
				"usage: allreduce [-d DEVICE] [-n CHIPS] [-s BYTES] [-r ROUNDS] [-o JSON_FILE]\n");
			return 2;
		}
	}
	if (!__builtin_cpu_supports("avx2"))
		die("the floor needs AVX2");
	ours_open(&o, spec, ranks, only ?: MOST);
	crew_start(&crew);
	printf("all-reduce, fp32 sum, %u chips, %s home, %u CPUs; times in us; GB/s of 10^9 bytes\n",
	       o.ranks, vn_device_home(o.dev), crew.count);
	printf("%9s %11s %11s %7s %7s | %11s %7s  %-14s | %5s %5s %7s\n", "per chip", "p50", "min",
	       "algbw", "moved", "floor p50", "moved", "stores, tile", "ratio", "(min)", "wrong");
	for (bytes = only ?: LEAST; bytes <= (only ?: MOST); bytes *= 4)
		wrong += bench_size(&o, &crew, bytes, rounds, json);
	crew_stop(&crew);
	ours_close(&o);
	return wrong ? 1 : 0;
}
