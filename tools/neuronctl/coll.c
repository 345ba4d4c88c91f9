// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * coll: benchmarks of collectives on one device. An operation is one plan, an
 * iteration one launch of it. Buffers are written anew before every iteration
 * and every element of every rank is checked after it, outside the time taken.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coll_data.h"
#include "ctl.h"

enum {
	OPT_RANKS,
	OPT_BYTES_MIN,
	OPT_BYTES_MAX,
	OPT_FACTOR,
	OPT_ITERS,
	OPT_TYPE,
	OPT_REDOP,
	OPT_IN_PLACE,
};

static const struct ctl_option options[] = {
	[OPT_RANKS] = { "ranks", "P", "chips 0 to P - 1 take part (all chips)" },
	[OPT_BYTES_MIN] = { "bytes-min", "N", "first size of a rank's buffer (1K)" },
	[OPT_BYTES_MAX] = { "bytes-max", "N", "last size (1M)" },
	[OPT_FACTOR] = { "factor", "F", "from one size to the next (4)" },
	[OPT_ITERS] = { "iters", "N", "iterations measured per size (20)" },
	[OPT_TYPE] = { "type", "T", COLL_TYPES " (float32)" },
	[OPT_REDOP] = { "redop", "OP", COLL_REDOPS " (sum)" },
	[OPT_IN_PLACE] = { "in-place", NULL, "results over the inputs" },
	{ NULL, NULL, NULL },
};

_Static_assert(sizeof(options) / sizeof(*options) <= CTL_OPTIONS_MAX + 1, "one option too many");

struct bench {
	struct ctl *c;
	uint64_t ranks, min, max, factor, iters;
	const struct coll_type *type;
	enum vn_redop redop;
	bool in_place;

	uint32_t size; /* of an element */
	vn_queue_t queue;
	vn_plan_t plan;
	struct vn_mem *send, *recv; /* [ranks]; recv is send when in place */
	int32_t *acc; /* [max / size] */
	void *expect; /* max bytes */
	double *us; /* [iters] */
	uint64_t wrong, all_wrong;
};

static int number(const struct ctl *c, int opt, uint64_t otherwise, uint64_t least, uint64_t most,
		  uint64_t *n)
{
	const char *text = c->option[opt];
	bool units = opt == OPT_BYTES_MIN || opt == OPT_BYTES_MAX;

	*n = otherwise;
	if (text && (!ctl_number(text, units, n) || *n < least || *n > most))
		return ctl_usage(c, "--%s %s: want %" PRIu64 " to %" PRIu64, options[opt].name,
				 text, least, most);
	return CTL_OK;
}

static int read_options(struct bench *b)
{
	const struct ctl *c = b->c;
	const char *type = c->option[OPT_TYPE], *redop = c->option[OPT_REDOP];
	int op = redop ? coll_redop_find(redop) : VN_SUM;

	if (strcmp(c->args[0], "all_reduce"))
		return ctl_usage(c, "no operation '%s'; there is: all_reduce", c->args[0]);
	b->type = coll_type_find(type ? type : "float32");
	if (!b->type)
		return ctl_usage(c, "--type %s: want one of " COLL_TYPES, type);
	if (op < 0)
		return ctl_usage(c, "--redop %s: want one of " COLL_REDOPS, redop);
	b->redop = op;
	b->size = vn_type_size(b->type->type);
	b->in_place = c->option[OPT_IN_PLACE];
	if (number(c, OPT_RANKS, 0, 1, VN_MAX_CHIPS, &b->ranks) ||
	    number(c, OPT_FACTOR, 4, 2, 1 << 20, &b->factor) ||
	    number(c, OPT_ITERS, 20, 1, 1000000, &b->iters) ||
	    number(c, OPT_BYTES_MIN, 1024, b->size, VN_BYTES_MAX, &b->min) ||
	    number(c, OPT_BYTES_MAX, 1 << 20, b->size, VN_BYTES_MAX, &b->max))
		return CTL_USAGE;
	/* The default of one end gives way to the other end. */
	if (b->min > b->max && !c->option[OPT_BYTES_MIN])
		b->min = b->max;
	if (b->min > b->max && !c->option[OPT_BYTES_MAX])
		b->max = b->min;
	if (b->min > b->max)
		return ctl_usage(c, "--bytes-min is more than --bytes-max");
	return CTL_OK;
}

static int setup(struct bench *b)
{
	vn_device_t dev = b->c->dev;
	uint32_t r;

	if (!b->ranks)
		b->ranks = b->c->q.chips;
	if (b->ranks > b->c->q.chips)
		return ctl_fail("--ranks %" PRIu64 ": there are %u chips", b->ranks, b->c->q.chips);
	b->send = ctl_realloc(NULL, b->ranks, sizeof(*b->send));
	b->recv = b->in_place ? b->send : ctl_realloc(NULL, b->ranks, sizeof(*b->recv));
	b->acc = ctl_realloc(NULL, b->max / b->size, sizeof(*b->acc));
	b->expect = ctl_realloc(NULL, b->max, 1);
	b->us = ctl_realloc(NULL, b->iters, sizeof(*b->us));
	if (vn_queue_create(dev, 0, VN_QUEUE_DEPTH_MIN, -1, &b->queue))
		return ctl_fail_lib();
	for (r = 0; r < b->ranks; r++)
		if (vn_mem_alloc(dev, r, b->max, &b->send[r]) ||
		    (!b->in_place && vn_mem_alloc(dev, r, b->max, &b->recv[r])))
			return ctl_fail_lib();
	return CTL_OK;
}

/* Memory of the device ends with the context, handles of the library do not. */
static void teardown(struct bench *b)
{
	if (b->queue)
		vn_queue_destroy(b->queue);
	if (b->plan)
		vn_plan_destroy(b->plan);
	if (!b->in_place)
		free(b->recv);
	free(b->send);
	free(b->acc);
	free(b->expect);
	free(b->us);
}

static int make_plan(struct bench *b, uint64_t count)
{
	struct vn_operand send[VN_MAX_CHIPS], recv[VN_MAX_CHIPS];
	uint16_t chips[VN_MAX_CHIPS];
	vn_builder_t builder;
	uint32_t r;
	int ret = CTL_OK;

	for (r = 0; r < b->ranks; r++) {
		chips[r] = (uint16_t)r;
		send[r] = vn_at(&b->send[r], 0);
		recv[r] = vn_at(&b->recv[r], 0);
	}
	if (vn_builder_create(b->c->dev, 0, &builder))
		return ctl_fail_lib();
	if (vn_build_all_reduce(builder, chips, b->ranks, send, recv, count, b->type->type,
				b->redop) ||
	    vn_builder_finish(builder, &b->plan))
		ret = ctl_fail_lib();
	vn_builder_destroy(builder);
	return ret;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int iteration(struct bench *b, uint64_t count, uint32_t round, double *us)
{
	uint32_t r;

	for (r = 0; r < b->ranks; r++) {
		coll_fill(b->send[r].ptr, b->acc, count, b->type->type, b->redop, r, round);
		/* So that what was never written is no right result. */
		if (!b->in_place)
			memset(b->recv[r].ptr, 0xa5, count * b->size);
	}
	coll_expect(b->expect, b->acc, count, b->type->type);

	*us = now_us();
	if (vn_launch(b->queue, b->plan, 0, round) || vn_complete(b->queue, VN_FOREVER))
		return ctl_fail_lib();
	*us = now_us() - *us;

	for (r = 0; r < b->ranks; r++)
		b->wrong += coll_wrong(b->recv[r].ptr, b->expect, count, b->size);
	return CTL_OK;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Nearest rank: the smallest value that percent of them do not exceed. */
static double percentile(const struct bench *b, unsigned int percent)
{
	return b->us[(b->iters * percent + 99) / 100 - 1];
}

static void print_row(struct bench *b, uint64_t count)
{
	double p50 = percentile(b, 50), bytes = (double)(count * b->size);
	double algbw = bytes / p50 / 1e3; /* bytes per us are 10^6 bytes/s */
	double busbw = algbw * 2 * (double)(b->ranks - 1) / (double)b->ranks;
	struct json *j = &b->c->j;

	if (!b->c->json) {
		printf("%-10s %5" PRIu64 " %11" PRIu64 " %10" PRIu64 " %-8s %-5s", "all_reduce",
		       b->ranks, count * b->size, count, b->type->name, coll_redop_name(b->redop));
		printf(" %10.1f %10.1f %10.1f %10.1f %8.3f %8.3f %8" PRIu64 "\n", b->us[0], p50,
		       percentile(b, 99), b->us[b->iters - 1], algbw, busbw, b->wrong);
		return;
	}
	json_object(j, NULL);
	json_string(j, "op", "all_reduce");
	json_u64(j, "ranks", b->ranks);
	json_u64(j, "bytes", count * b->size);
	json_u64(j, "count", count);
	json_string(j, "type", b->type->name);
	json_string(j, "redop", coll_redop_name(b->redop));
	json_object(j, "time_us");
	json_double(j, "min", b->us[0]);
	json_double(j, "p50", p50);
	json_double(j, "p99", percentile(b, 99));
	json_double(j, "max", b->us[b->iters - 1]);
	json_object_end(j);
	json_double(j, "algbw", algbw);
	json_double(j, "busbw", busbw);
	json_u64(j, "wrong", b->wrong);
	json_bool(j, "in_place", b->in_place);
	json_u64(j, "iters", b->iters);
	json_object_end(j);
}

static int one_size(struct bench *b, uint64_t count)
{
	double warm_up;
	uint32_t i;
	int ret;

	ret = make_plan(b, count);
	if (ret)
		return ret;
	b->wrong = 0;
	ret = iteration(b, count, 0, &warm_up);
	for (i = 0; !ret && i < b->iters; i++)
		ret = iteration(b, count, i + 1, &b->us[i]);
	if (ret)
		return ret;
	qsort(b->us, b->iters, sizeof(*b->us), by_value);
	print_row(b, count);
	b->all_wrong += b->wrong;
	if (vn_plan_destroy(b->plan))
		return ctl_fail_lib();
	b->plan = NULL;
	/* A row is worth seeing before the next, larger one is measured. */
	return ctl_flush();
}

static int all_sizes(struct bench *b)
{
	uint64_t bytes;
	int ret = CTL_OK;

	if (b->c->json) {
		json_array(&b->c->j, NULL);
	} else {
		puts("# times in us; algbw, busbw of the p50 in GB/s = 10^9 bytes per second");
		printf("%-10s %5s %11s %10s %-8s %-5s", "op", "ranks", "bytes", "count", "type",
		       "redop");
		printf(" %10s %10s %10s %10s %8s %8s %8s\n", "min", "p50", "p99", "max", "algbw",
		       "busbw", "wrong");
	}
	/* At most 2^30 by 2^20: nothing here overflows. */
	for (bytes = b->min; !ret && bytes <= b->max; bytes *= b->factor)
		ret = one_size(b, bytes / b->size);
	/* Also after a failure what was printed is JSON. */
	if (b->c->json)
		json_array_end(&b->c->j);
	if (!ret && b->all_wrong)
		ret = ctl_fail("coll bench: %" PRIu64 " wrong elements", b->all_wrong);
	return ret;
}

static int bench(struct ctl *c)
{
	struct bench b = { .c = c };
	int ret;

	ret = read_options(&b);
	if (!ret)
		ret = ctl_open(c);
	if (ret)
		return ret;
	ret = setup(&b);
	if (!ret)
		ret = all_sizes(&b);
	teardown(&b);
	return ret;
}

static const struct ctl_command commands[] = {
	{ .name = "bench",
	  .args = "OPERATION",
	  .min_args = 1,
	  .max_args = 1,
	  .options = options,
	  .help = "time and check a collective (all_reduce) on this device",
	  .run = bench },
	{ .run = NULL },
};

const struct ctl_object ctl_coll = { .name = "coll", .commands = commands };
