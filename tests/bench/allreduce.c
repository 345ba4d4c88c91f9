// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All-reduce over all chips of a device, fp32 sum, beside its floor: threads on
 * all CPUs that read every source byte once and write every destination byte
 * once, in the same memory, and compute nothing. Ours and the floor take turns;
 * all buffers are rewritten before each turn, outside the time.
 */
#include <getopt.h>

#include "floor.h"
#include "ours.h"

#define MOST (16ull << 20)
#define LEAST (64ull << 10)
/* Bytes touched in the timed parts of one size, about. */
#define VOLUME (24ull << 30)

static void show(struct ours *o, struct series *us, struct series *ways, uint64_t wrong, FILE *json)
{
	double moved = 2.0 * o->ranks * o->bytes, t = series_at(us, 50), f, least;
	uint32_t best = 0, w;
	char size[32], text[24];
	const char *how;

	least = series_at(&ways[0], 0);
	for (w = 1; w < FLOOR_WAYS; w++) {
		if (series_at(&ways[w], 50) < series_at(&ways[best], 50))
			best = w;
		if (series_at(&ways[w], 0) < least)
			least = series_at(&ways[w], 0);
	}
	f = series_at(&ways[best], 50);
	how = floor_how(best, text);
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
	struct series us = { 0 }, ways[FLOOR_WAYS] = { 0 };
	struct contents x = { .o = o };
	uint64_t moved = 2ull * o->ranks * bytes;
	struct floor_job job = { .ranks = o->ranks, .bytes = bytes };
	uint32_t w, r;
	double t;

	ours_plan(o, bytes);
	for (r = 0; r < o->ranks; r++) {
		job.send[r] = o->send[r].ptr;
		job.recv[r] = o->recv[r].ptr;
	}
	if (!rounds) {
		rounds = VOLUME / (moved * (FLOOR_WAYS + 1));
		rounds = rounds < 5 ? 5 : rounds > 100 ? 100 : rounds;
	}
	/* Round 0 warms up: pages, caches, branch predictors, helpers. */
	for (x.round = 0; x.round <= rounds; x.round++) {
		crew_run(crew, fill_part, &x);
		t = ours_run(o);
		if (x.round)
			series_add(&us, t);
		crew_run(crew, check_part, &x);
		for (w = 0; w < FLOOR_WAYS; w++) {
			crew_run(crew, fill_part, &x);
			job.way = w;
			t = crew_run(crew, floor_part, &job);
			if (x.round)
				series_add(&ways[w], t);
		}
	}
	show(o, &us, ways, x.wrong, json);
	series_free(&us);
	for (w = 0; w < FLOOR_WAYS; w++)
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
