// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * coll bench: times of collective operations over a range of sizes, in and out
 * of place, in the columns of the benchmarks of the trade.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coll_options.h"
#include "coll_run.h"

enum {
	OPT_RANKS,
	OPT_BYTES_MIN,
	OPT_BYTES_MAX,
	OPT_FACTOR,
	OPT_ITERS,
	OPT_WARMUP,
	OPT_TYPE,
	OPT_REDOP,
	OPT_ROOT,
	OPT_THREADS,
	OPT_WAY,
	OPT_BUFFERS,
	OPT_IN_PLACE,
	OPT_OUT_OF_PLACE,
};

const struct ctl_option coll_bench_options[] = {
	[OPT_RANKS] = { "ranks", "P", "chips 0 to P - 1 take part (all chips)" },
	[OPT_BYTES_MIN] = { "bytes-min", "N", "first size (1K)" },
	[OPT_BYTES_MAX] = { "bytes-max", "N", "last size (1M)" },
	[OPT_FACTOR] = { "factor", "F", "from one size to the next (4)" },
	[OPT_ITERS] = { "iters", "N", "iterations measured per size (20)" },
	[OPT_WARMUP] = { "warmup", "N", "iterations before those (2)" },
	[OPT_TYPE] = { "type", "T", "int8 to float64, bfloat16, float8e4m3, ... (float32)" },
	[OPT_REDOP] = { "redop", "R",
			"sum, prod, min, max, avg, premulsum, band, bor, bxor (sum)" },
	[OPT_ROOT] = { "root", "R", "of rooted operations (0)" },
	[OPT_THREADS] = { "threads", "WHICH", "a thread for each of the ranks, or one (ranks)" },
	[OPT_WAY] = { "way", "WAY", "auto, pull, share, plan (auto)" },
	[OPT_BUFFERS] = { "buffers", "WHERE", "in hbm, or in memory of the host (hbm)" },
	[OPT_IN_PLACE] = { "in-place", NULL, "in place only (both)" },
	[OPT_OUT_OF_PLACE] = { "out-of-place", NULL, "out of place only (both)" },
	{ NULL, NULL, NULL },
};

_Static_assert(sizeof(coll_bench_options) / sizeof(*coll_bench_options) <= CTL_OPTIONS_MAX + 1,
	       "one option too many");

/* One figure of a row: in or out of place. */
struct figure {
	double min, p50, p99, max;
	double algbw, busbw;
	uint64_t wrong;
	enum vn_way way;
};

struct bench {
	struct ctl *c;
	const struct coll_operation *only; /* NULL: all */
	uint64_t ranks, min, max, factor;
	unsigned int one_thread, host;
	bool place[2]; /* measured out of place, in place */
	struct coll_job job;
	struct coll_runner run;

	double bus_sum; /* of an operation */
	uint32_t figures;
	uint64_t wrong, all_wrong;
};

/* ---- options ----------------------------------------------------------------- */

static int read_names(struct bench *b)
{
	static const char *const threads[] = { "ranks", "one", NULL };
	static const char *const buffers[] = { "hbm", "host", NULL };
	const struct ctl *c = b->c;
	const char *type = c->option[OPT_TYPE], *redop = c->option[OPT_REDOP];
	int op = redop ? coll_redop_find(redop) : VN_SUM;
	int ret = coll_operation(c, c->args[0], true, &b->only);

	if (ret)
		return ret;
	b->job.type = coll_type_find(type ? type : "float32");
	if (!b->job.type)
		return ctl_usage(c, "--type %s: want one of %s", type, coll_type_names());
	if (op < 0)
		return ctl_usage(c, "--redop %s: want one of %s", redop, coll_redop_names());
	b->job.redop = op;
	b->place[0] = !c->option[OPT_IN_PLACE] || c->option[OPT_OUT_OF_PLACE];
	b->place[1] = !c->option[OPT_OUT_OF_PLACE] || c->option[OPT_IN_PLACE];
	ret = coll_word(c, OPT_THREADS, threads, &b->one_thread);
	if (!ret)
		ret = coll_word(c, OPT_BUFFERS, buffers, &b->host);
	return ret ? ret : coll_way(c, OPT_WAY, &b->job.way);
}

static int read_numbers(struct bench *b)
{
	const struct ctl *c = b->c;
	uint64_t size = vn_type_size(b->job.type->type), iters, warmup, root;

	if (coll_number(c, OPT_RANKS, false, 0, 1, VN_MAX_CHIPS, &b->ranks) ||
	    coll_number(c, OPT_FACTOR, false, 4, 2, 1 << 20, &b->factor) ||
	    coll_number(c, OPT_ITERS, false, 20, 1, 1000000, &iters) ||
	    coll_number(c, OPT_WARMUP, false, 2, 0, 1000000, &warmup) ||
	    coll_number(c, OPT_ROOT, false, 0, 0, VN_MAX_CHIPS - 1, &root) ||
	    coll_number(c, OPT_BYTES_MIN, true, 1024, size, VN_BYTES_MAX, &b->min) ||
	    coll_number(c, OPT_BYTES_MAX, true, 1 << 20, size, VN_BYTES_MAX, &b->max))
		return CTL_USAGE;
	b->job.iters = (uint32_t)iters;
	b->job.warmup = (uint32_t)warmup;
	b->job.root = (uint32_t)root;
	/* The default of one end gives way to the other end. */
	if (b->min > b->max && !c->option[OPT_BYTES_MIN])
		b->min = b->max;
	if (b->min > b->max && !c->option[OPT_BYTES_MAX])
		b->max = b->min;
	if (b->min > b->max)
		return ctl_usage(c, "--bytes-min is more than --bytes-max");
	return CTL_OK;
}

/* What depends on the device. */
static int check(struct bench *b)
{
	int ret = coll_ranks(b->c, &b->ranks);

	if (!ret && b->job.root >= b->ranks)
		ret = ctl_fail("--root %u: there are %" PRIu64 " ranks", b->job.root, b->ranks);
	return ret;
}

/* ---- text -------------------------------------------------------------------- */

static void print_head(const struct bench *b)
{
	const struct coll_job *j = &b->job;

	printf("# %s: %" PRIu64 " ranks, threads %s, way %s, buffers %s, warmup %u, iters %u\n",
	       vn_coll_name(j->op->op), b->ranks, b->one_thread ? "one" : "ranks",
	       vn_way_name(j->way), b->host ? "host" : "hbm", j->warmup, j->iters);
	puts("# times in us: time is the median (p50); algbw and busbw are those of it, in\n"
	     "# GB/s = 10^9 bytes per second; min, p99, max and way of the first that is measured");
	printf("#%45s  %-35s  in place\n", "", "out of place");
	printf("#%10s %10s %10s %6s %4s  %8s %8s %8s %8s  %8s %8s %8s %8s  %8s %8s %8s %5s\n",
	       "size", "count", "type", "redop", "root", "time", "algbw", "busbw", "#wrong", "time",
	       "algbw", "busbw", "#wrong", "min", "p99", "max", "way");
	printf("#%10s %10s %23s %8s %8s %8s %8s  %8s %8s %8s %8s  %8s %8s %8s\n", "(B)",
	       "(elements)", "", "(us)", "(GB/s)", "(GB/s)", "", "(us)", "(GB/s)", "(GB/s)", "",
	       "(us)", "(us)", "(us)");
}

static void print_text(const struct bench *b, const struct figure f[2])
{
	const struct coll_job *j = &b->job;
	const struct figure *first = b->place[0] ? &f[0] : &f[1];
	int k;

	printf("%11" PRIu64 " %10" PRIu64 " %10s %6s %4d", coll_run_bytes(j, b->run.ranks),
	       j->count, vn_type_name(j->type->type),
	       coll_op_reduces(j->op) ? vn_redop_name(j->redop) : "none",
	       j->op->rooted ? (int)j->root : -1);
	for (k = 0; k < 2; k++) {
		if (b->place[k])
			printf("  %8.2f %8.3f %8.3f %8" PRIu64, f[k].p50, f[k].algbw, f[k].busbw,
			       f[k].wrong);
		else
			printf("  %8s %8s %8s %8s", "-", "-", "-", "-");
	}
	printf("  %8.2f %8.2f %8.2f %5s\n", first->min, first->p99, first->max,
	       vn_way_name(first->way));
}

static void print_tail(const struct bench *b)
{
	printf("# Wrong elements        : %" PRIu64 " %s\n", b->wrong, b->wrong ? "FAILED" : "OK");
	printf("# Average bus bandwidth : %.4f GB/s\n#\n", b->bus_sum / b->figures);
}

/* ---- JSON --------------------------------------------------------------------- */

static void print_json(const struct bench *b, const struct figure *f, bool in_place)
{
	const struct coll_job *job = &b->job;
	struct json *j = &b->c->j;

	json_object(j, NULL);
	json_string(j, "op", vn_coll_name(job->op->op));
	json_u64(j, "ranks", b->ranks);
	json_u64(j, "bytes", coll_run_bytes(job, b->run.ranks));
	json_u64(j, "count", job->count);
	json_string(j, "type", vn_type_name(job->type->type));
	json_string(j, "redop", coll_op_reduces(job->op) ? vn_redop_name(job->redop) : "none");
	json_s64(j, "root", job->op->rooted ? (int)job->root : -1);
	json_object(j, "time_us");
	json_double(j, "min", f->min);
	json_double(j, "p50", f->p50);
	json_double(j, "p99", f->p99);
	json_double(j, "max", f->max);
	json_object_end(j);
	json_double(j, "algbw", f->algbw);
	json_double(j, "busbw", f->busbw);
	json_u64(j, "wrong", f->wrong);
	json_bool(j, "in_place", in_place);
	json_string(j, "way", vn_way_name(f->way));
	json_u64(j, "iters", job->iters);
	json_u64(j, "warmup", job->warmup);
	json_string(j, "threads", b->one_thread ? "one" : "ranks");
	json_string(j, "buffers", b->host ? "host" : "hbm");
	json_object_end(j);
}

/* ---- measuring ----------------------------------------------------------------- */

static int measure(struct bench *b, bool in_place, struct figure *f)
{
	struct coll_result r;
	int ret;

	b->job.in_place = in_place;
	ret = coll_run(&b->run, &b->job, &r);
	if (ret)
		return ret;
	*f = (struct figure){
		.min = r.us[0],
		.p50 = coll_percentile(&r, 50),
		.p99 = coll_percentile(&r, 99),
		.max = r.us[r.iters - 1],
		.wrong = r.wrong,
		.way = r.way,
	};
	/* Bytes per us are 10^6 bytes/s. */
	f->algbw = (double)coll_run_bytes(&b->job, b->run.ranks) / f->p50 / 1e3;
	f->busbw = f->algbw * coll_op_bus(b->job.op, b->run.ranks);
	b->bus_sum += f->busbw;
	b->figures++;
	b->wrong += f->wrong;
	return CTL_OK;
}

static int one_size(struct bench *b)
{
	struct figure f[2];
	int k, ret = CTL_OK;

	for (k = 0; !ret && k < 2; k++)
		if (b->place[k])
			ret = measure(b, k, &f[k]);
	if (ret)
		return ret;
	if (!b->c->json)
		print_text(b, f);
	for (k = 0; b->c->json && k < 2; k++)
		if (b->place[k])
			print_json(b, &f[k], k);
	/* A row is worth seeing before the next, larger one is measured. */
	return ctl_flush();
}

/* The next size of an operation that has another count; begin with bytes 0. */
static bool next_size(struct bench *b, const struct coll_operation *op, uint64_t *bytes)
{
	uint64_t count;

	b->job.op = op;
	if (!*bytes) {
		*bytes = b->min;
		b->job.count = coll_run_count(op, b->job.type, (uint32_t)b->ranks, *bytes);
		return true;
	}
	/* At most 2^30 by 2^20: nothing here overflows. */
	while ((*bytes *= b->factor) <= b->max) {
		count = coll_run_count(op, b->job.type, (uint32_t)b->ranks, *bytes);
		if (count == b->job.count)
			continue;
		b->job.count = count;
		return true;
	}
	return false;
}

static int one_operation(struct bench *b, const struct coll_operation *op)
{
	uint64_t bytes = 0;
	int ret = CTL_OK;

	b->bus_sum = 0;
	b->figures = 0;
	b->wrong = 0;
	b->job.op = op;
	if (!b->c->json)
		print_head(b);
	while (!ret && next_size(b, op, &bytes))
		ret = one_size(b);
	if (!ret && !b->c->json)
		print_tail(b);
	b->all_wrong += b->wrong;
	return ret;
}

static int all_operations(struct bench *b)
{
	const struct coll_operation *op;
	unsigned int i;
	int ret = CTL_OK;

	if (b->c->json)
		json_array(&b->c->j, NULL);
	for (i = 0; !ret && (op = coll_op_at(i)); i++)
		if (!b->only || b->only == op)
			ret = one_operation(b, op);
	/* Also after a failure what was printed is JSON. */
	if (b->c->json)
		json_array_end(&b->c->j);
	if (!ret && b->all_wrong)
		ret = ctl_fail("coll bench: %" PRIu64 " wrong elements", b->all_wrong);
	return ret;
}

static int setup(struct bench *b)
{
	const struct coll_operation *op;
	uint64_t needs[2] = { 0 }, bytes;
	unsigned int i;

	for (i = 0; (op = coll_op_at(i)); i++) {
		if (b->only && b->only != op)
			continue;
		for (bytes = 0; next_size(b, op, &bytes);)
			coll_run_needs(&b->job, (uint32_t)b->ranks, needs);
	}
	b->run.dev = b->c->dev;
	b->run.ranks = (uint32_t)b->ranks;
	b->run.one_thread = b->one_thread;
	b->run.host = b->host;
	return coll_run_begin(&b->run, needs);
}

int coll_bench(struct ctl *c)
{
	struct bench *b = ctl_realloc(NULL, 1, sizeof(*b));
	int ret;

	memset(b, 0, sizeof(*b));
	b->c = c;
	ret = read_names(b);
	if (!ret)
		ret = read_numbers(b);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = check(b);
	if (!ret) {
		ret = setup(b);
		if (!ret)
			ret = all_operations(b);
		coll_run_end(&b->run);
	}
	free(b);
	return ret;
}
