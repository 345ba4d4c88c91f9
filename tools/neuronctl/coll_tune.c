// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * coll tune: times every way of every operation at sizes from small to large, on
 * HBM, and shows which is best from which size on.
 *
 * The time it may take is shared out: each number of ranks gets the same part of
 * what is left, in it each cell (operation, size, way). Smaller sizes come first,
 * so what a slow machine has no time for are the largest ones.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coll_options.h"
#include "coll_run.h"
#include "out.h"

#define FIRST_BYTES 8u
#define FACTOR 8u
#define ITERS 50u
#define CELL_MOST_US 5e4

enum {
	OPT_RANKS,
	OPT_OPS,
	OPT_MAX_BYTES,
	OPT_SECONDS,
};

const struct ctl_option coll_tune_options[] = {
	[OPT_RANKS] = { "ranks", "LIST", "numbers of ranks (2,4,8,36,144)" },
	[OPT_OPS] = { "ops", "LIST", "operations (all but barrier)" },
	[OPT_MAX_BYTES] = { "max-bytes", "N", "largest size (1M)" },
	[OPT_SECONDS] = { "seconds", "N", "time it may take, about (60)" },
	{ NULL, NULL, NULL },
};

/* What was measured of an operation at a size. */
struct point {
	const struct coll_operation *op;
	uint32_t ranks;
	uint64_t bytes; /* of a block */
	double us[VN_WAY_COUNT]; /* negative: not taken, or no time left */
	enum vn_way best;
};

struct tune {
	struct ctl *c;
	uint64_t max, seconds;
	uint32_t ranks[VN_MAX_CHIPS], nranks;
	const struct coll_operation *op[VN_COLL_COUNT];
	uint32_t nops;
	const struct coll_type *type;

	struct point *point;
	uint32_t points, left_out;
	bool useless[VN_COLL_COUNT][VN_WAY_COUNT]; /* for these ranks, from here on */
	double end; /* of these ranks' time */
	uint32_t cells; /* still to come in it */
	uint64_t wrong;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- options ----------------------------------------------------------------- */

static int read_ranks(struct tune *t)
{
	char *list = strdup(t->c->option[OPT_RANKS]), *rest = list, *word;
	uint64_t n;

	if (!list)
		ctl_no_memory();
	while ((word = strsep(&rest, ","))) {
		if (!ctl_number(word, false, &n) || !n || n > VN_MAX_CHIPS ||
		    t->nranks == VN_MAX_CHIPS) {
			ctl_usage(t->c, "--ranks %s: '%s': want 1 to %u", t->c->option[OPT_RANKS],
				  word, VN_MAX_CHIPS);
			free(list);
			return CTL_USAGE;
		}
		t->ranks[t->nranks++] = (uint32_t)n;
	}
	free(list);
	return CTL_OK;
}

static int read_ops(struct tune *t)
{
	char *list = strdup(t->c->option[OPT_OPS]), *rest = list, *word;
	const struct coll_operation *op;
	bool twice = false;
	uint32_t i;
	int ret = CTL_OK;

	if (!list)
		ctl_no_memory();
	while (!ret && (word = strsep(&rest, ","))) {
		ret = coll_operation(t->c, word, false, &op);
		for (i = 0; !ret && i < t->nops; i++)
			twice |= t->op[i] == op;
		if (!ret && !op->makes)
			ret = ctl_usage(t->c, "--ops %s: %s has no sizes", t->c->option[OPT_OPS],
					word);
		else if (!ret && twice)
			ret = ctl_usage(t->c, "--ops %s: %s is there twice", t->c->option[OPT_OPS],
					word);
		else if (!ret)
			t->op[t->nops++] = op;
	}
	free(list);
	return ret;
}

static int read_options(struct tune *t)
{
	const struct coll_operation *op;
	unsigned int i;
	int ret = CTL_OK;

	if (t->c->option[OPT_RANKS])
		ret = read_ranks(t);
	if (!ret && t->c->option[OPT_OPS])
		ret = read_ops(t);
	for (i = 0; !t->c->option[OPT_OPS] && (op = coll_op_at(i)); i++)
		if (op->makes)
			t->op[t->nops++] = op;
	if (!ret)
		ret = coll_number(t->c, OPT_MAX_BYTES, true, 1 << 20, FIRST_BYTES, VN_BYTES_MAX,
				  &t->max);
	return ret ? ret : coll_number(t->c, OPT_SECONDS, false, 60, 1, 1000000, &t->seconds);
}

static int check_ranks(struct tune *t)
{
	static const uint32_t usual[] = { 2, 4, 8, 36, 144 };
	uint32_t i, chips = t->c->q.chips;

	for (i = 0; i < t->nranks; i++)
		if (t->ranks[i] > chips)
			return ctl_fail("--ranks %u: there are %u chips", t->ranks[i], chips);
	for (i = 0; !t->c->option[OPT_RANKS] && i < 5 && usual[i] <= chips; i++)
		t->ranks[t->nranks++] = usual[i];
	if (!t->nranks)
		t->ranks[t->nranks++] = chips;
	return CTL_OK;
}

/* ---- measuring ----------------------------------------------------------------- */

static int cell(struct tune *t, struct coll_runner *run, struct coll_job *job, struct point *p)
{
	double left = t->end - now_us();
	struct coll_result r;
	int ret;

	p->us[job->way] = -1;
	t->cells--;
	if (t->useless[job->op->op][job->way])
		return CTL_OK;
	/* Something is known of each operation, however short the time. */
	if (left <= 0 && job->count > 2) {
		t->left_out++;
		return CTL_OK;
	}
	job->most_us = left > 0 ? left / (t->cells + 1) : 1;
	if (job->most_us > CELL_MOST_US)
		job->most_us = CELL_MOST_US;
	ret = coll_run(run, job, &r);
	if (ret)
		return ret;
	t->wrong += r.wrong;
	/* It gave way to another, and will for all that is larger. */
	t->useless[job->op->op][job->way] = r.way != job->way;
	if (r.way == job->way)
		p->us[job->way] = coll_percentile(&r, 50);
	return CTL_OK;
}

static int one_point(struct tune *t, struct coll_runner *run, const struct coll_operation *op,
		     uint64_t bytes)
{
	struct coll_job job = { .op = op, .type = t->type, .warmup = 1, .iters = ITERS };
	struct point p = { .op = op, .ranks = run->ranks };
	int way, ret = CTL_OK;

	job.count = coll_run_count(op, t->type, run->ranks, bytes);
	p.bytes = job.count * vn_type_size(t->type->type);
	for (way = VN_WAY_PULL; !ret && way < VN_WAY_COUNT; way++) {
		job.way = way;
		ret = cell(t, run, &job, &p);
		if (p.us[way] >= 0 && (!p.best || p.us[way] < p.us[p.best]))
			p.best = way;
	}
	if (ret || !p.best)
		return ret;
	/* Small sizes of many blocks are all one element a block. */
	if (bytes > FIRST_BYTES && p.bytes == vn_type_size(t->type->type))
		return CTL_OK;
	t->point = ctl_realloc(t->point, t->points + 1, sizeof(p));
	t->point[t->points++] = p;
	return CTL_OK;
}

static uint32_t sizes(const struct tune *t)
{
	uint64_t bytes;
	uint32_t n = 0;

	for (bytes = FIRST_BYTES; bytes <= t->max; bytes *= FACTOR)
		n++;
	return n;
}

static int some_ranks(struct tune *t, uint32_t ranks, double share)
{
	struct coll_runner *run = ctl_realloc(NULL, 1, sizeof(*run));
	struct coll_job job = { .type = t->type };
	uint64_t needs[2] = { 0 }, bytes;
	uint32_t i;
	int ret;

	memset(run, 0, sizeof(*run));
	memset(t->useless, 0, sizeof(t->useless));
	run->dev = t->c->dev;
	run->ranks = ranks;
	for (i = 0; i < t->nops; i++) {
		job.op = t->op[i];
		for (bytes = FIRST_BYTES; bytes <= t->max; bytes *= FACTOR) {
			job.count = coll_run_count(job.op, t->type, ranks, bytes);
			coll_run_needs(&job, ranks, needs);
		}
	}
	t->end = now_us() + share;
	t->cells = t->nops * sizes(t) * (VN_WAY_COUNT - 1);
	ret = coll_run_begin(run, needs);
	for (bytes = FIRST_BYTES; !ret && bytes <= t->max; bytes *= FACTOR)
		for (i = 0; !ret && i < t->nops; i++)
			ret = one_point(t, run, t->op[i], bytes);
	coll_run_end(run);
	free(run);
	return ret;
}

/* ---- results -------------------------------------------------------------------- */

static void print_json(const struct tune *t)
{
	struct json *j = &t->c->j;
	uint32_t i;
	int way;

	json_array(j, NULL);
	for (i = 0; i < t->points; i++) {
		const struct point *p = &t->point[i];

		json_object(j, NULL);
		json_string(j, "op", vn_coll_name(p->op->op));
		json_u64(j, "ranks", p->ranks);
		json_u64(j, "bytes", p->bytes);
		json_string(j, "way", vn_way_name(p->best));
		json_object(j, "way_us");
		for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
			json_double(j, vn_way_name(way), p->us[way] < 0 ? NAN : p->us[way]);
		json_object_end(j);
		json_object_end(j);
	}
	json_array_end(j);
}

/*
 * "pull, share from 4.0 KiB". A way gives way to one that is better by a tenth at
 * least: what is less is noise, more often than not.
 */
static void describe(const struct tune *t, const struct coll_operation *op, uint32_t ranks,
		     char *text, size_t size)
{
	enum vn_way best = VN_WAY_AUTO;
	size_t n = 0;
	uint32_t i;

	text[0] = 0;
	for (i = 0; i < t->points && n < size; i++) {
		const struct point *p = &t->point[i];

		if (p->op != op || p->ranks != ranks || p->best == best ||
		    (best && p->us[best] >= 0 && p->us[best] < 1.1 * p->us[p->best]))
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
				      vn_way_name(p->best));
		if (best && n < size)
			n += (size_t)snprintf(text + n, size - n, " from %s", out_size(p->bytes).s);
		best = p->best;
	}
}

static void print_text(const struct tune *t)
{
	char text[512];
	struct out o;
	uint32_t i, k;

	out_begin(&o, "lrl", "OP RANKS BEST");
	for (i = 0; i < t->nops; i++) {
		for (k = 0; k < t->nranks; k++) {
			describe(t, t->op[i], t->ranks[k], text, sizeof(text));
			out_cell(&o, "%s", vn_coll_name(t->op[i]->op));
			out_cell(&o, "%u", t->ranks[k]);
			out_cell(&o, "%s", text);
		}
	}
	out_end(&o);
	puts("sizes: of a rank's block; of all_reduce and others without blocks, its buffer;\n"
	     "best: by a tenth at least");
	if (t->left_out)
		printf("no time was left for %u of the largest: --seconds gives more\n",
		       t->left_out);
}

int coll_tune(struct ctl *c)
{
	struct tune *t = ctl_realloc(NULL, 1, sizeof(*t));
	double end;
	uint32_t i;
	int ret;

	memset(t, 0, sizeof(*t));
	t->c = c;
	t->type = coll_type_find("float32");
	ret = read_options(t);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = check_ranks(t);
	end = now_us() + (double)t->seconds * 1e6;
	for (i = 0; !ret && i < t->nranks; i++)
		ret = some_ranks(t, t->ranks[i], (end - now_us()) / (t->nranks - i));
	if (!ret && c->json)
		print_json(t);
	else if (!ret)
		print_text(t);
	if (!ret && t->wrong)
		ret = ctl_fail("coll tune: %" PRIu64 " wrong elements", t->wrong);
	free(t->point);
	free(t);
	return ret;
}
