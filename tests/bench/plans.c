// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Persistent collectives of all chips of a device, as plans: what preparing one
 * costs (its arguments checked and compared, its plan compiled, by one thread for
 * all ranks), what a launch costs in time and in calls into the device, and whether
 * a thousand launches leave memory as it was.
 */
#include <getopt.h>
#include <malloc.h>

#include <vneuron/coll.h>

#include "bench.h"

#define LAUNCHES 1000u
#define PREPARED 9u /* times, for the median */
/* Bytes of each buffer; blocks are that by the number of ranks. */
#define BYTES (64u << 10)

struct plans {
	vn_device_t dev;
	uint32_t ranks;
	vn_comm_t comm[VN_MAX_CHIPS];
	vn_persistent_t op[VN_MAX_CHIPS];
	struct vn_mem send[VN_MAX_CHIPS], recv[VN_MAX_CHIPS];
	FILE *json;
};

static void sync_all(struct plans *p)
{
	for (uint32_t r = 0; r < p->ranks; r++)
		if (vn_comm_sync(p->comm[r], VN_FOREVER))
			die("%s", vn_error());
}

static void prepare(struct plans *p, enum vn_coll op)
{
	bool blocks = op == VN_ALL_GATHER || op == VN_REDUCE_SCATTER || op == VN_ALL_TO_ALL;

	vn_group_start();
	for (uint32_t r = 0; r < p->ranks; r++) {
		struct vn_op o = {
			.op = op,
			.way = VN_WAY_PLAN,
			.type = VN_FLOAT32,
			.redop = VN_SUM,
			.count = BYTES / 4 / (blocks ? p->ranks : 1),
			.sendbuff = p->send[r].ptr,
			.recvbuff = p->recv[r].ptr,
		};

		if (vn_op_init(&o, p->comm[r], &p->op[r]))
			die("%s", vn_error());
	}
	if (vn_group_end())
		die("%s", vn_error());
	sync_all(p);
}

static void forget(struct plans *p)
{
	for (uint32_t r = 0; r < p->ranks; r++)
		if (vn_op_free(p->op[r]))
			die("%s", vn_error());
}

static void launch(struct plans *p)
{
	vn_group_start();
	for (uint32_t r = 0; r < p->ranks; r++)
		if (vn_op_launch(p->op[r], NULL, NULL))
			die("%s", vn_error());
	if (vn_group_end())
		die("%s", vn_error());
	sync_all(p);
}

/* What the process and the device have given out, bytes. */
static uint64_t memory(struct plans *p)
{
	uint64_t all = mallinfo2().uordblks + mallinfo2().hblkhd;
	struct vn_chip_query q;

	for (uint32_t c = 0; c < p->ranks; c++) {
		if (vn_chip_query(p->dev, c, &q))
			die("%s", vn_error());
		all += q.hbm_used;
	}
	return all;
}

static void row(struct plans *p, enum vn_coll op)
{
	struct series prepared = { 0 }, launched = { 0 };
	uint64_t calls, before, after;
	enum vn_way way;
	double t;

	for (uint32_t i = 0; i < PREPARED; i++) {
		t = now_us();
		prepare(p, op);
		series_add(&prepared, now_us() - t);
		if (i + 1 < PREPARED)
			forget(p);
	}
	if (vn_op_way(p->op[0], &way))
		die("%s", vn_error());
	launch(p);
	/* Room for the times is taken before memory is looked at. */
	for (uint32_t i = 0; i < LAUNCHES; i++)
		series_add(&launched, 0);
	launched.count = 0;
	before = memory(p);
	calls = vn_device_calls(p->dev);
	for (uint32_t i = 0; i < LAUNCHES; i++) {
		t = now_us();
		launch(p);
		series_add(&launched, now_us() - t);
	}
	calls = vn_device_calls(p->dev) - calls;
	after = memory(p);
	printf("%-14s %6s %12.1f %12.1f %12.1f %12.1f %8.2f %+10lld\n", vn_coll_name(op),
	       vn_way_name(way), series_at(&prepared, 50), series_at(&prepared, 100),
	       series_at(&launched, 50), series_at(&launched, 99), (double)calls / LAUNCHES,
	       (long long)(after - before));
	if (p->json) {
		json_row(p->json, vn_coll_name(op), p->ranks, BYTES, "float32", 4, "sum",
			 &launched);
		fprintf(p->json,
			", \"wrong\": null, \"impl\": \"vneuron\", \"home\": \"%s\", \"way\": \"%s\", \"prepare_us\": %.1f, \"calls\": %.3f, \"grown\": %lld",
			vn_device_home(p->dev), vn_way_name(way), series_at(&prepared, 50),
			(double)calls / LAUNCHES, (long long)(after - before));
		json_end(p->json);
	}
	forget(p);
	series_free(&prepared);
	series_free(&launched);
}

int main(int argc, char **argv)
{
	static const enum vn_coll ops[] = { VN_ALL_REDUCE, VN_ALL_GATHER, VN_REDUCE_SCATTER,
					    VN_BROADCAST, VN_SCAN };
	const char *spec = "embedded";
	static struct plans p;
	struct vn_query q;
	int c;

	while ((c = getopt(argc, argv, "d:o:")) >= 0)
		if (c == 'd')
			spec = optarg;
		else if (c == 'o')
			p.json = json_open(optarg);
		else
			die("usage: plans [-d DEVICE] [-o JSON_FILE]");
	if (vn_open(spec, &p.dev) || vn_device_query(p.dev, &q) || vn_set_chip(p.dev, 0))
		die("%s", vn_error());
	p.ranks = q.chips;
	if (vn_comm_init_all(p.comm, (int)p.ranks, NULL))
		die("%s", vn_error());
	for (uint32_t r = 0; r < p.ranks; r++)
		if (vn_mem_alloc(p.dev, r, BYTES, &p.send[r]) ||
		    vn_mem_alloc(p.dev, r, BYTES, &p.recv[r]))
			die("%s", vn_error());
	printf("%u chips, %s home, %u bytes a buffer; times in us; calls into the device a launch; bytes more after %u launches\n",
	       p.ranks, vn_device_home(p.dev), BYTES, LAUNCHES);
	printf("%-14s %6s %12s %12s %12s %12s %8s %10s\n", "op", "way", "prepare p50", "max",
	       "launch p50", "p99", "calls", "grown");
	for (uint32_t i = 0; i < ARRAY_SIZE(ops); i++)
		row(&p, ops[i]);
	for (uint32_t r = 0; r < p.ranks; r++)
		if (vn_comm_destroy(p.comm[r]))
			die("%s", vn_error());
	vn_close(p.dev);
	return 0;
}
