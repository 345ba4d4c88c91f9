// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * coll bench: times of operations over a range of sizes, in and out of place, in the
 * columns of the benchmarks of the trade.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coll_options.h"
#include "coll_report.h"

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
	OPT_REGISTER,
	OPT_PERSISTENT,
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
	[OPT_TYPE] = { "type", "T", "int8 to float64, bfloat16, float8e4m3, ..., all (float32)" },
	[OPT_REDOP] = { "redop", "R",
			"sum, prod, min, max, avg, premulsum, band, bor, bxor, all (sum)" },
	[OPT_ROOT] = { "root", "R", "of rooted operations (0)" },
	[OPT_THREADS] = { "threads", "WHICH", "a thread for each of the ranks, or one (ranks)" },
	[OPT_WAY] = { "way", "WAY", "auto, pull, share, plan (auto)" },
	[OPT_BUFFERS] = { "buffers", "WHERE", "in hbm, or in memory of the host (hbm)" },
	[OPT_REGISTER] = { "register", NULL, "the buffers with the communicator (not)" },
	[OPT_PERSISTENT] = { "persistent", NULL,
			     "prepare collectives once, then launch them (not)" },
	[OPT_IN_PLACE] = { "in-place", NULL, "in place only (both)" },
	[OPT_OUT_OF_PLACE] = { "out-of-place", NULL, "out of place only (both)" },
	{ NULL, NULL, NULL },
};

_Static_assert(sizeof(coll_bench_options) / sizeof(*coll_bench_options) <= CTL_OPTIONS_MAX + 1,
	       "one option too many");

struct bench {
	struct ctl *c;
	/* What was asked for; NULL, -1: all there are. */
	const struct coll_operation *only;
	const struct coll_type *type;
	int redop;
	uint64_t ranks, min, max, factor;
	bool place[2]; /* measured out of place, in place */
	struct coll_job job;
	struct coll_runner run;
	uint64_t needs[2];

	double bus_sum; /* of an operation */
	uint32_t figures;
	uint64_t wrong, all_wrong;
};

/* ---- what is measured ---------------------------------------------------------- */

/* Why the options have no use for an operation, or NULL; ranks 0: not known yet. */
static const char *why_not(const struct bench *b, const struct coll_operation *op)
{
	if (op->pair && b->job.persistent)
		return "--persistent is for collectives";
	if (op->pair && !b->place[0])
		return "--in-place is for collectives";
	if (op->returns && b->ranks == 1)
		return "--ranks 1: it takes two";
	return NULL;
}

/* Does work for the job's operation in all sizes that have another count. */
static int each_size(struct bench *b, int (*work)(struct bench *b))
{
	uint64_t bytes, count, last = UINT64_MAX;
	int ret = CTL_OK;

	/* At most 2^30 by 2^20: nothing here overflows. */
	for (bytes = b->min; !ret && bytes <= b->max; bytes *= b->factor) {
		count = coll_run_count(b->job.op, b->job.type, (uint32_t)b->ranks, bytes);
		if (count == last)
			continue;
		b->job.count = last = count;
		ret = work(b);
	}
	return ret;
}

/* The same for all types and reductions that were asked for. */
static int each_job(struct bench *b, int (*work)(struct bench *b))
{
	bool reduces = coll_op_reduces(b->job.op);
	const struct coll_type *t;
	unsigned int i;
	int op, ret = CTL_OK;

	for (i = 0; !ret && (t = coll_type_at(i)); i++) {
		if (b->type && b->type != t)
			continue;
		b->job.type = t;
		for (op = 0; !ret && op < (reduces ? VN_REDOP_COUNT : 1); op++) {
			if (reduces && ((b->redop >= 0 && b->redop != op) ||
					!coll_type_reduces(t, (enum vn_redop)op)))
				continue;
			b->job.redop = (enum vn_redop)op;
			ret = each_size(b, work);
		}
		/* Without data one type is like the other. */
		if (!b->job.op->makes)
			break;
	}
	return ret;
}

/* Does work for each operation that was asked for. */
static int each_operation(struct bench *b, int (*work)(struct bench *b))
{
	const struct coll_operation *op;
	unsigned int i;
	int ret = CTL_OK;

	for (i = 0; !ret && (op = coll_op_at(i, true)); i++) {
		if (b->only && b->only != op)
			continue;
		b->job.op = op;
		ret = work(b);
	}
	return ret;
}

/* ---- options ----------------------------------------------------------------- */

static int read_types(struct bench *b)
{
	const struct ctl *c = b->c;
	const char *type = c->option[OPT_TYPE] ? c->option[OPT_TYPE] : "float32";
	const char *redop = c->option[OPT_REDOP] ? c->option[OPT_REDOP] : "sum";

	b->type = coll_type_find(type);
	if (!b->type && strcmp(type, "all"))
		return ctl_usage(c, "--type %s: want one of %s, or all", type, coll_type_names());
	b->redop = coll_redop_find(redop);
	if (b->redop < 0 && strcmp(redop, "all"))
		return ctl_usage(c, "--redop %s: want one of %s, or all", redop,
				 coll_redop_names());
	if ((!b->only || coll_op_reduces(b->only)) && b->type && b->redop >= 0 &&
	    !coll_type_reduces(b->type, (enum vn_redop)b->redop))
		return ctl_usage(c, "--redop %s: --type %s has none", redop, type);
	return CTL_OK;
}

static int read_names(struct bench *b)
{
	static const char *const threads[] = { "ranks", "one", NULL };
	static const char *const buffers[] = { "hbm", "host", NULL };
	const struct ctl *c = b->c;
	unsigned int one_thread, host;
	int ret = coll_operation(c, c->args[0], true, &b->only);

	ret = ret ? ret : read_types(b);
	ret = ret ? ret : coll_word(c, OPT_THREADS, threads, &one_thread);
	ret = ret ? ret : coll_word(c, OPT_BUFFERS, buffers, &host);
	ret = ret ? ret : coll_way(c, OPT_WAY, &b->job.way);
	if (ret)
		return ret;
	b->run.one_thread = one_thread;
	b->run.host = host;
	b->run.registered = c->option[OPT_REGISTER];
	b->job.persistent = c->option[OPT_PERSISTENT];
	b->place[0] = !c->option[OPT_IN_PLACE] || c->option[OPT_OUT_OF_PLACE];
	b->place[1] = !c->option[OPT_OUT_OF_PLACE] || c->option[OPT_IN_PLACE];
	return CTL_OK;
}

static int read_numbers(struct bench *b)
{
	const struct ctl *c = b->c;
	/* Of all types, the largest has whole elements. */
	uint64_t size = b->type ? vn_type_size(b->type->type) : 8, iters, warmup, root;

	if (ctl_option_number(c, OPT_RANKS, false, 0, 1, VN_MAX_CHIPS, &b->ranks) ||
	    ctl_option_number(c, OPT_FACTOR, false, 4, 2, 1 << 20, &b->factor) ||
	    ctl_option_number(c, OPT_ITERS, false, 20, 1, 1000000, &iters) ||
	    ctl_option_number(c, OPT_WARMUP, false, 2, 0, 1000000, &warmup) ||
	    ctl_option_number(c, OPT_ROOT, false, 0, 0, VN_MAX_CHIPS - 1, &root) ||
	    ctl_option_number(c, OPT_BYTES_MIN, true, 1024, size, VN_BYTES_MAX, &b->min) ||
	    ctl_option_number(c, OPT_BYTES_MAX, true, 1 << 20, size, VN_BYTES_MAX, &b->max))
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

static int read_options(struct bench *b)
{
	int ret = read_names(b);

	ret = ret ? ret : read_numbers(b);
	if (!ret && b->only && why_not(b, b->only))
		ret = ctl_usage(b->c, "%s: %s", coll_op_name(b->only), why_not(b, b->only));
	return ret;
}

/* What depends on the device. */
static int check(struct bench *b)
{
	int ret = coll_ranks(b->c, &b->ranks);

	if (!ret && b->job.root >= b->ranks)
		ret = ctl_fail("--root %u: there are %" PRIu64 " ranks", b->job.root, b->ranks);
	if (!ret && b->only && why_not(b, b->only))
		ret = ctl_fail("%s: %s", coll_op_name(b->only), why_not(b, b->only));
	return ret;
}

/* ---- measuring ----------------------------------------------------------------- */

static int measure(struct bench *b, bool in_place, struct coll_figure *f)
{
	struct coll_result r;
	int ret;

	b->job.in_place = in_place;
	ret = coll_run(&b->run, &b->job, &r);
	if (ret)
		return ret;
	*f = (struct coll_figure){
		.measured = true,
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
	struct coll_figure f[2] = { { .measured = false }, { .measured = false } };
	int k, ret = CTL_OK;

	for (k = 0; !ret && k < 2; k++)
		if (b->place[k] && !(k && b->job.op->pair))
			ret = measure(b, k, &f[k]);
	if (ret)
		return ret;
	if (b->c->json)
		coll_report_json(&b->c->j, &b->run, &b->job, f);
	else
		coll_report_row(&b->run, &b->job, f);
	/* A row is worth seeing before the next, larger one is measured. */
	return ctl_flush();
}

static int one_operation(struct bench *b)
{
	const char *why = why_not(b, b->job.op);
	int ret;

	b->bus_sum = 0;
	b->figures = 0;
	b->wrong = 0;
	if (why && !b->c->json)
		coll_report_left_out(b->job.op, why);
	if (why)
		return CTL_OK;
	if (!b->c->json)
		coll_report_head(&b->run, &b->job);
	ret = each_job(b, one_size);
	if (!ret && !b->c->json)
		coll_report_tail(b->wrong, b->bus_sum / b->figures);
	b->all_wrong += b->wrong;
	return ret;
}

static int all_operations(struct bench *b)
{
	int ret;

	if (b->c->json)
		json_array(&b->c->j, NULL);
	ret = each_operation(b, one_operation);
	/* Also after a failure what was printed is JSON. */
	if (b->c->json)
		json_array_end(&b->c->j);
	if (!ret && b->all_wrong)
		ret = ctl_fail("coll bench: %" PRIu64 " wrong elements", b->all_wrong);
	return ret;
}

static int add_needs(struct bench *b)
{
	coll_run_needs(&b->job, (uint32_t)b->ranks, b->needs);
	return CTL_OK;
}

static int needs_of_operation(struct bench *b)
{
	return each_job(b, add_needs);
}

static int run(struct bench *b)
{
	int ret;

	each_operation(b, needs_of_operation);
	b->run.dev = b->c->dev;
	b->run.ranks = (uint32_t)b->ranks;
	ret = coll_run_begin(&b->run, b->needs);
	if (!ret)
		ret = all_operations(b);
	coll_run_end(&b->run);
	return ret;
}

int coll_bench(struct ctl *c)
{
	struct bench *b = ctl_realloc(NULL, 1, sizeof(*b));
	int ret;

	memset(b, 0, sizeof(*b));
	b->c = c;
	ret = read_options(b);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = check(b);
	if (!ret)
		ret = run(b);
	free(b);
	return ret;
}
