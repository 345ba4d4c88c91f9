// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * coll tune: times every way of every operation at sizes from small to large, on
 * HBM, shows which is best from which size on, and leaves a table of it for the
 * library's tuner.
 *
 * The time it may take is shared out: each number of ranks gets the same part of
 * what is left, in it each cell (operation, size, way, round). Smaller sizes come
 * first, so what a slow machine has no time for are the largest ones. The ways take
 * turns, and the lowest median of each counts: what disturbs the machine for a while
 * disturbs one round of all of them.
 */
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coll_options.h"
#include "coll_run.h"
#include "coll_table.h"
#include "out.h"

#define SIZES_MAX 32u
#define ROUNDS 3u
#define ITERS 200u
#define CELL_MOST_US 2e4

enum {
	OPT_RANKS,
	OPT_OPS,
	OPT_BYTES,
	OPT_SECONDS,
	OPT_OUTPUT,
	OPT_DRY_RUN,
};

const struct ctl_option coll_tune_options[] = {
	[OPT_RANKS] = { "ranks", "LIST", "numbers of ranks (2,4,8,36, one a core, all chips)" },
	[OPT_OPS] = { "ops", "LIST", "operations (all that can go more than one way)" },
	[OPT_BYTES] = { "bytes", "LIST", "sizes (8,512,2K,8K,32K,128K,1M)" },
	[OPT_SECONDS] = { "seconds", "N", "time it may take, about (60)" },
	[OPT_OUTPUT] = { "output", "FILE", "where the table goes (where the library looks)" },
	[OPT_DRY_RUN] = { "dry-run", NULL, "leave no table" },
	{ NULL, NULL, NULL },
};

const char coll_tune_letters[] = "    o";

struct tune {
	struct ctl *c;
	uint64_t seconds;
	uint64_t bytes[SIZES_MAX], nbytes;
	uint32_t ranks[VN_MAX_CHIPS], nranks;
	const struct coll_operation *op[VN_COLL_COUNT];
	uint32_t nops;
	const struct coll_type *type;

	struct coll_row *row;
	uint32_t rows, left_out;
	/* For these ranks: from so many bytes on it does not go that way. */
	uint64_t useless[VN_COLL_COUNT][VN_WAY_COUNT];
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

/*
 * Numbers separated by commas, no two alike, sorted; as many as there is room for.
 * n: out, how many. Exit status.
 */
static int read_list(struct ctl *c, int opt, bool units, uint64_t least, uint64_t most,
		     uint64_t *to, uint64_t room, uint64_t *n)
{
	char *list = strdup(c->option[opt]), *rest = list, *word;
	const char *name = c->command->options[opt].name;
	int ret = CTL_OK;
	uint64_t x, i;

	if (!list)
		ctl_no_memory();
	for (*n = 0; !ret && (word = strsep(&rest, ",")); ++*n) {
		if (!ctl_number(word, units, &x) || x < least || x > most) {
			ret = ctl_usage(c, "--%s %s: '%s': want %" PRIu64 " to %" PRIu64, name,
					c->option[opt], word, least, most);
			break;
		}
		if (*n == room) {
			ret = ctl_usage(c, "--%s %s: more than %" PRIu64, name, c->option[opt],
					room);
			break;
		}
		for (i = *n; i && to[i - 1] >= x; i--)
			to[i] = to[i - 1];
		to[i] = x;
		if (i < *n && to[i + 1] == x)
			ret = ctl_usage(c, "--%s %s: %s is there twice", name, c->option[opt],
					word);
	}
	free(list);
	return ret;
}

static int read_ranks(struct tune *t)
{
	uint64_t list[VN_MAX_CHIPS], n, i;
	int ret = read_list(t->c, OPT_RANKS, false, 1, VN_MAX_CHIPS, list, VN_MAX_CHIPS, &n);

	for (i = 0; !ret && i < n; i++)
		t->ranks[t->nranks++] = (uint32_t)list[i];
	return ret;
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
		if (!ret && twice)
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
	static const uint64_t usual[] = { 8, 512, 2048, 8192, 32768, 131072, 1 << 20 };
	const struct ctl *c = t->c;
	int ret = CTL_OK;

	if (c->option[OPT_RANKS])
		ret = read_ranks(t);
	if (!ret && c->option[OPT_OPS])
		ret = read_ops(t);
	if (!ret && c->option[OPT_BYTES])
		ret = read_list(t->c, OPT_BYTES, true, vn_type_size(t->type->type), VN_BYTES_MAX,
				t->bytes, SIZES_MAX, &t->nbytes);
	if (!c->option[OPT_BYTES]) {
		t->nbytes = sizeof(usual) / sizeof(*usual);
		memcpy(t->bytes, usual, sizeof(usual));
	}
	if (!ret && c->option[OPT_OUTPUT] && c->option[OPT_DRY_RUN])
		ret = ctl_usage(c, "--output and --dry-run");
	return ret ? ret : ctl_option_number(c, OPT_SECONDS, false, 60, 1, 1000000, &t->seconds);
}

static int choose_ranks(struct tune *t)
{
	uint32_t usual[] = { 2, 4, 8, 36, 0, t->c->q.chips }, i, k, n;
	cpu_set_t set;

	for (i = 0; i < t->nranks; i++)
		if (t->ranks[i] > t->c->q.chips)
			return ctl_fail("--ranks %u: there are %u chips", t->ranks[i],
					t->c->q.chips);
	if (t->nranks)
		return CTL_OK;
	/* Ranks that have a core each are another matter than ranks that have not. */
	usual[4] = sched_getaffinity(0, sizeof(set), &set) ? 1 : (uint32_t)CPU_COUNT(&set);
	for (i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		n = usual[i];
		for (k = t->nranks; k && t->ranks[k - 1] >= n; k--)
			;
		if (n > t->c->q.chips || (k < t->nranks && t->ranks[k] == n) ||
		    (n == 1 && t->c->q.chips > 1))
			continue;
		memmove(&t->ranks[k + 1], &t->ranks[k], (t->nranks - k) * sizeof(n));
		t->ranks[k] = n;
		t->nranks++;
	}
	return CTL_OK;
}

/* By the built-in figures: what can go only one way is not worth the time. */
static int explain(struct tune *t, enum vn_coll op, uint32_t ranks, uint64_t bytes,
		   struct vn_choice *choice)
{
	return vn_coll_explain(t->c->dev, op, (int)ranks, bytes, NULL, choice) ? ctl_fail_lib()
									       : CTL_OK;
}

static int choose_ops(struct tune *t)
{
	const struct coll_operation *op;
	struct vn_choice choice;
	unsigned int i;
	int ret = CTL_OK;

	for (i = 0; !t->c->option[OPT_OPS] && !ret && (op = coll_op_at(i, false)); i++) {
		ret = explain(t, op->op, t->ranks[0], op->makes ? 8 : 0, &choice);
		if (!ret && (choice.cost_us[VN_WAY_PULL] >= 0 || choice.cost_us[VN_WAY_PLAN] >= 0))
			t->op[t->nops++] = op;
	}
	return ret;
}

/* ---- measuring ----------------------------------------------------------------- */

/* Small sizes of many blocks are all one element a block; a barrier has no sizes. */
static bool known(const struct tune *t, const struct coll_row *row)
{
	uint32_t i;

	for (i = 0; i < t->rows; i++)
		if (t->row[i].op == row->op && t->row[i].ranks == row->ranks &&
		    t->row[i].bytes == row->bytes)
			return true;
	return false;
}

static bool useless(const struct tune *t, const struct coll_row *row, int way)
{
	return row->bytes >= t->useless[row->op][way];
}

/* What is to be measured among so many ranks: rows without figures, small sizes first. */
static int add_rows(struct tune *t, uint32_t ranks)
{
	struct coll_row row = { .ranks = ranks, .us = { -1, -1, -1, -1 } };
	struct vn_choice choice;
	int way, ret = CTL_OK;
	uint32_t i, k;

	memset(t->useless, 0xff, sizeof(t->useless));
	t->cells = 0;
	for (k = 0; k < t->nbytes; k++) {
		for (i = 0; !ret && i < t->nops; i++) {
			row.op = t->op[i]->op;
			row.bytes = coll_run_count(t->op[i], t->type, ranks, t->bytes[k]) *
				    vn_type_size(t->type->type);
			if (known(t, &row))
				continue;
			ret = explain(t, row.op, ranks, row.bytes, &choice);
			row.built_in = choice.way;
			for (way = VN_WAY_PULL; !ret && way < VN_WAY_COUNT; way++) {
				if (choice.cost_us[way] < 0 && !useless(t, &row, way))
					t->useless[row.op][way] = row.bytes;
				t->cells += useless(t, &row, way) ? 0 : ROUNDS;
			}
			t->row = ctl_realloc(t->row, t->rows + 1, sizeof(row));
			t->row[t->rows++] = row;
		}
	}
	return ret;
}

static int cell(struct tune *t, struct coll_runner *run, struct coll_row *row, enum vn_way way,
		uint32_t round)
{
	double left = t->end - now_us(), *us = &row->us[way], median;
	struct coll_job job = {
		.op = coll_op_find(vn_coll_name(row->op), false),
		.type = t->type,
		.way = way,
		.count = row->bytes / vn_type_size(t->type->type),
		.warmup = 1,
		.iters = ITERS,
	};
	struct coll_result r;
	int ret;

	t->cells--;
	/* Something is known of each operation, however short the time. */
	if (left <= 0 && (job.count > 2 || round))
		return CTL_OK;
	job.most_us = left > 0 ? left / (t->cells + 1) : 1;
	if (job.most_us > CELL_MOST_US)
		job.most_us = CELL_MOST_US;
	ret = coll_run(run, &job, &r);
	if (ret)
		return ret;
	t->wrong += r.wrong;
	median = coll_percentile(&r, 50);
	/* It gave way to another, and will for all that is larger. */
	if (r.way != way)
		t->useless[row->op][way] = row->bytes;
	else if (*us < 0 || median < *us)
		*us = median;
	return CTL_OK;
}

/* Round after round, so that whoever is slow has one of all before another of some. */
static int rounds(struct tune *t, struct coll_runner *run, uint32_t first)
{
	uint32_t round, i;
	int way, ret = CTL_OK;

	for (round = 0; round < ROUNDS; round++)
		for (i = first; i < t->rows; i++)
			for (way = VN_WAY_PULL; !ret && way < VN_WAY_COUNT; way++)
				if (!useless(t, &t->row[i], way))
					ret = cell(t, run, &t->row[i], way, round);
	return ret;
}

/* Which way was best; rows that have no figure go. */
static void conclude(struct tune *t, uint32_t first)
{
	uint32_t i, kept = first;

	for (i = first; i < t->rows; i++) {
		struct coll_row *row = &t->row[i];
		int way;

		for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
			if (row->us[way] >= 0 && (!row->best || row->us[way] < row->us[row->best]))
				row->best = way;
			t->left_out += row->us[way] < 0 && !useless(t, row, way);
		}
		if (row->best)
			t->row[kept++] = *row;
	}
	t->rows = kept;
}

static int some_ranks(struct tune *t, uint32_t ranks, double share)
{
	struct coll_runner *run = ctl_realloc(NULL, 1, sizeof(*run));
	struct coll_job job = { .type = t->type };
	uint32_t first = t->rows, i, k;
	uint64_t needs[2] = { 0 };
	int ret = add_rows(t, ranks);

	memset(run, 0, sizeof(*run));
	run->dev = t->c->dev;
	run->ranks = ranks;
	for (i = 0; i < t->nops; i++) {
		job.op = t->op[i];
		for (k = 0; k < t->nbytes; k++) {
			job.count = coll_run_count(job.op, t->type, ranks, t->bytes[k]);
			coll_run_needs(&job, ranks, needs);
		}
	}
	t->end = now_us() + share;
	if (!ret) {
		ret = coll_run_begin(run, needs);
		if (!ret)
			ret = rounds(t, run, first);
		coll_run_end(run);
	}
	conclude(t, first);
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
	for (i = 0; i < t->rows; i++) {
		const struct coll_row *r = &t->row[i];

		json_object(j, NULL);
		json_string(j, "op", vn_coll_name(r->op));
		json_u64(j, "ranks", r->ranks);
		json_u64(j, "bytes", r->bytes);
		json_string(j, "way", vn_way_name(r->best));
		json_object(j, "way_us");
		for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
			json_double(j, vn_way_name(way), r->us[way] < 0 ? NAN : r->us[way]);
		json_object_end(j);
		json_string(j, "built_in", vn_way_name(r->built_in));
		json_object_end(j);
	}
	json_array_end(j);
}

/*
 * "pull, share from 4.0 KiB". A way gives way to one that is better by a tenth at
 * least: what is less is noise, more often than not.
 */
static void describe(const struct tune *t, enum vn_coll op, uint32_t ranks, char *text, size_t size)
{
	enum vn_way best = VN_WAY_AUTO;
	size_t n = 0;
	uint32_t i;

	text[0] = 0;
	for (i = 0; i < t->rows && n < size; i++) {
		const struct coll_row *r = &t->row[i];

		if (r->op != op || r->ranks != ranks || r->best == best ||
		    (best && r->us[best] >= 0 && r->us[best] < 1.1 * r->us[r->best]))
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
				      vn_way_name(r->best));
		if (best && n < size)
			n += (size_t)snprintf(text + n, size - n, " from %s", out_size(r->bytes).s);
		best = r->best;
	}
}

/* Where the choice by the built-in figures takes longer than the best by a tenth. */
static void judge(const struct tune *t)
{
	uint32_t i, slower = 0;

	for (i = 0; i < t->rows; i++) {
		const struct coll_row *r = &t->row[i];

		slower += r->us[r->built_in] >= 0 && r->us[r->built_in] > 1.1 * r->us[r->best];
	}
	printf("the built-in figures choose a slower way in %u of %u cases\n", slower, t->rows);
}

static void print_text(const struct tune *t)
{
	char text[512];
	struct out o;
	uint32_t i, k;

	out_begin(&o, "lrl", "OP RANKS BEST");
	for (i = 0; i < t->nops; i++) {
		for (k = 0; k < t->nranks; k++) {
			describe(t, t->op[i]->op, t->ranks[k], text, sizeof(text));
			out_cell(&o, "%s", vn_coll_name(t->op[i]->op));
			out_cell(&o, "%u", t->ranks[k]);
			out_cell(&o, "%s", text);
		}
	}
	out_end(&o);
	puts("sizes: of a rank's block; of all_reduce and others without blocks, its buffer;\n"
	     "best, slower: by a tenth at least");
	if (t->left_out)
		printf("no time was left for %u of the largest: --seconds gives more\n",
		       t->left_out);
	judge(t);
}

/* What is going to happen, before nothing is seen for a while. */
static int announce(const struct tune *t)
{
	uint32_t i;

	printf("%u operation%s, %" PRIu64 " size%s, ranks:", t->nops, out_s(t->nops), t->nbytes,
	       out_s(t->nbytes));
	for (i = 0; i < t->nranks; i++)
		printf("%s %u", i ? "," : "", t->ranks[i]);
	printf("; takes %" PRIu64 " s at most, about\n", t->seconds);
	return ctl_flush();
}

static int prepare(struct tune *t, char path[PATH_MAX])
{
	const char *const *option = t->c->option;
	int ret = read_options(t);

	if (!ret)
		ret = ctl_open(t->c);
	if (!ret)
		ret = choose_ranks(t);
	if (!ret && !option[OPT_DRY_RUN])
		ret = coll_table_place(t->c, option[OPT_OUTPUT], path);
	/* What is there now, and may be broken, counts for nothing from here on. */
	setenv("VNEURON_COLL_TABLE", "none", 1);
	unsetenv("VNEURON_COLL_WAY");
	if (!ret)
		ret = choose_ops(t);
	return !ret && !t->c->json ? announce(t) : ret;
}

static int store(struct tune *t, const char *path)
{
	uint32_t lines;
	int ret = coll_table_write(t->c, path, t->row, t->rows, &lines);

	if (!ret && !t->c->json)
		printf("%u figures are in %s\n", lines, path);
	return ret;
}

int coll_tune(struct ctl *c)
{
	struct tune *t = ctl_realloc(NULL, 1, sizeof(*t));
	char path[PATH_MAX];
	uint32_t i;
	double end;
	int ret;

	memset(t, 0, sizeof(*t));
	t->c = c;
	t->type = coll_type_find("float32");
	ret = prepare(t, path);
	end = now_us() + (double)t->seconds * 1e6;
	for (i = 0; !ret && i < t->nranks; i++)
		ret = some_ranks(t, t->ranks[i], (end - now_us()) / (t->nranks - i));
	if (!ret && t->wrong)
		ret = ctl_fail("coll tune: %" PRIu64 " wrong elements", t->wrong);
	if (!ret && c->json)
		print_json(t);
	else if (!ret)
		print_text(t);
	if (!ret && !c->option[OPT_DRY_RUN])
		ret = store(t, path);
	free(t->row);
	free(t);
	return ret;
}
