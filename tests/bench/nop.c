// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Descriptors that do nothing, from the first vn_next() to the last completion
 * read, beside the NOPs of io_uring: what a submission costs. Both are written
 * into a ring, then waited for in one call (vn_wait() publishes, as
 * io_uring_submit_and_wait() does), then read. They take turns.
 */
#include <getopt.h>
#include <liburing.h>
#include <vneuron.h>

#include "bench.h"

#define DEPTH 256u
#define BATCH_MAX 128u
/* Batches in a turn, and time for all turns of a batch size, at the least. */
#define TURN 500u
#define TURNS 20u
#define SPAN_US 1e6

static const uint32_t batches[] = { 1, 8, 32, 128 };

static void run_ours(vn_queue_t q, uint32_t batch, struct series *s)
{
	struct vn_cqe cqes[BATCH_MAX];
	struct vn_desc *d;
	double t = now_us();
	uint32_t i;

	for (i = 0; i < batch; i++) {
		d = vn_next(q);
		if (!d)
			die("no room for descriptor %u of %u", i, batch);
		d->opcode = VN_OP_NOP;
		d->user_data = i;
	}
	if (vn_wait(q, batch, VN_FOREVER) || vn_reap(q, cqes, batch) != (int)batch)
		die("%s", vn_error());
	series_add(s, now_us() - t);
	for (i = 0; i < batch; i++)
		if (cqes[i].user_data != i || cqes[i].status != VN_OK)
			die("completion %u of %u: user data %llu, %s", i, batch,
			    (unsigned long long)cqes[i].user_data, vn_status_text(cqes[i].status));
}

static void run_uring(struct io_uring *ring, uint32_t batch, struct series *s)
{
	uint64_t data[BATCH_MAX];
	struct io_uring_cqe *cqes[BATCH_MAX];
	struct io_uring_sqe *sqe;
	double t = now_us();
	uint32_t i, n;

	for (i = 0; i < batch; i++) {
		sqe = io_uring_get_sqe(ring);
		if (!sqe)
			die("io_uring: no room for entry %u of %u", i, batch);
		io_uring_prep_nop(sqe);
		sqe->user_data = i;
	}
	if (io_uring_submit_and_wait(ring, batch) < 0)
		die("io_uring: submission failed");
	n = io_uring_peek_batch_cqe(ring, cqes, batch);
	for (i = 0; i < n; i++)
		data[i] = cqes[i]->user_data;
	io_uring_cq_advance(ring, n);
	series_add(s, now_us() - t);
	if (n != batch)
		die("io_uring: %u completions of %u", n, batch);
	for (i = 0; i < n; i++)
		if (data[i] != i)
			die("io_uring: completion %u of %u: user data %llu", i, batch,
			    (unsigned long long)data[i]);
}

static void write_json(FILE *json, const char *impl, uint32_t batch, struct series *s, double ratio)
{
	if (!json)
		return;
	fprintf(json,
		"{\"op\": \"nop\", \"impl\": \"%s\", \"count\": %u, \"time_us\": {\"min\": %.3f, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}, \"per_second\": %.0f",
		impl, batch, series_at(s, 0), series_at(s, 50), series_at(s, 99), series_at(s, 100),
		batch * 1e6 / series_at(s, 50));
	if (ratio)
		fprintf(json, ", \"ratio_io_uring\": %.4f", ratio);
	json_end(json);
}

static void bench_batch(vn_queue_t q, struct io_uring *ring, uint32_t batch, FILE *json)
{
	struct series us = { 0 }, them = { 0 };
	double begin = now_us(), ratio = 0;
	uint32_t turn, i;

	for (turn = 0; turn < TURNS || now_us() - begin < SPAN_US; turn++) {
		for (i = 0; i < TURN; i++)
			run_ours(q, batch, &us);
		for (i = 0; ring && i < TURN; i++)
			run_uring(ring, batch, &them);
		if (!turn) /* warms up */
			us.count = them.count = 0;
	}
	printf("%5u %9.2f %9.2f %9.2f %8.2f", batch, series_at(&us, 50), series_at(&us, 99),
	       series_at(&us, 0), batch / series_at(&us, 50));
	if (ring) {
		ratio = series_at(&them, 50) / series_at(&us, 50);
		printf(" | %9.2f %9.2f %9.2f %8.2f | %5.2f", series_at(&them, 50),
		       series_at(&them, 99), series_at(&them, 0), batch / series_at(&them, 50),
		       ratio);
		write_json(json, "io_uring", batch, &them, 0);
	}
	printf("\n");
	fflush(stdout);
	write_json(json, "vneuron", batch, &us, ratio);
	series_free(&us);
	series_free(&them);
}

int main(int argc, char **argv)
{
	const char *spec = NULL;
	struct io_uring ring;
	uint32_t only = 0;
	FILE *json = NULL;
	vn_device_t dev;
	vn_queue_t q;
	int c, err;

	while ((c = getopt(argc, argv, "d:b:o:")) >= 0) {
		switch (c) {
		case 'd':
			spec = optarg;
			break;
		case 'b':
			only = atoi(optarg);
			if (only >= 1 && only <= BATCH_MAX)
				break;
			die("a batch is of 1 to %u descriptors, not '%s'", BATCH_MAX, optarg);
		case 'o':
			json = json_open(optarg);
			break;
		default:
			fprintf(stderr, "usage: nop [-d DEVICE] [-b BATCH] [-o JSON_FILE]\n");
			return 2;
		}
	}
	if (vn_open(spec, &dev) || vn_queue_create(dev, 0, DEPTH, -1, &q))
		die("%s", vn_error());
	err = io_uring_queue_init(DEPTH, &ring, 0);
	if (err)
		printf("io_uring is not to be had here: %s\n", strerror(-err));
	printf("NOP, submit to complete, %s home; a batch's time in us; 10^6 a second at p50\n",
	       vn_device_home(dev));
	printf("%5s %9s %9s %9s %8s", "batch", "p50", "p99", "min", "10^6/s");
	if (!err)
		printf(" | %9s %9s %9s %8s | %5s", "io_uring", "p99", "min", "10^6/s", "ratio");
	printf("\n");
	if (only)
		bench_batch(q, err ? NULL : &ring, only, json);
	for (uint32_t i = 0; !only && i < ARRAY_SIZE(batches); i++)
		bench_batch(q, err ? NULL : &ring, batches[i], json);
	if (!err)
		io_uring_queue_exit(&ring);
	vn_queue_destroy(q);
	vn_close(dev);
	return 0;
}
