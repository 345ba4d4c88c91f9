// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which way an operation goes: the one that costs least. The costs are a caller's,
 * or measured (table.h), or built in; they are looked at once per operation and size
 * class when a communicator is made, so that all ranks find the same answer.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coll.h"
#include "table.h"

/* Sizes up to 2^40 bytes have a class. */
#define CLASSES 41u

static const char *const way_names[VN_WAY_COUNT] = { "auto", "pull", "share", "plan" };

const char *vn_way_name(enum vn_way way)
{
	return (unsigned int)way < VN_WAY_COUNT ? way_names[way] : NULL;
}

/* ---- built-in figures --------------------------------------------------------- */

/*
 * What an operation can do at all. Those that come behind the barrier have blocks
 * of unequal length, which are only shared out, as are permutations.
 */
static bool possible(enum vn_way way, const struct coll_shape *s)
{
	if (way == VN_WAY_SHARE)
		return true;
	if (s->op == VN_PERMUTE || s->op > VN_BARRIER)
		return false;
	return way == VN_WAY_PULL ? coll_send_bytes(s, s->root) <= COLL_PULL_MAX : coll_volume(s);
}

/*
 * Microseconds; bytes of memory per microsecond. Measured with "neuronctl coll tune"
 * on two cores of a Zen 4 server at 3.7 GHz, with 2, 4, 8, 36 and 144 ranks. They are
 * there to find the best way, not to foretell a time.
 */
/* A line of each rank changes hands: 2 ranks meet in 0.3 (pull: one meeting) ... */
#define LINE_US 0.05
#define PULL_US 0.2
/* ... and in 0.5 when work is opened in between; a launch goes into the device and back. */
#define SHARE_US 0.4
#define PLAN_US 1.7
/* A rank without a core of its own is switched to; the more there are, the colder its caches. */
#define SWITCH_US 2.4
#define SWITCH_COLD_US 0.013
/* Where one rank waits for others, or they for one, some are through at once. */
#define ROOTED 0.8
/* Who pulls looks at every post again and again, and walks along the moves of all ranks. */
#define LOOK_US 0.02
#define WALK_US 0.002
/* Finding a buffer of a move: for a core that shares; for a descriptor of a plan. */
#define SHARE_REF_US 0.02
#define PLAN_REF_US 0.025
/* One core, in its caches: lines that others have just written; streams; and beyond. */
#define PULL_RATE 40e3
#define RATE 50e3
#define MEMORY_RATE 6e3
#define CACHES (32u << 20)
/* Bytes of a descriptor of a plan that makes prefixes (program.c). */
#define PLAN_SLICE (256u << 10)

/* Bytes touched when every rank fetches what it needs: folds are made by each of them. */
static double pull_touch(const struct coll_shape *s)
{
	double p = s->ranks, touch = (double)coll_volume(s);

	if (s->op == VN_ALL_REDUCE)
		touch = p * (p + 1) * (double)s->count;
	else if (s->op == VN_SCAN || s->op == VN_EXSCAN)
		touch = p * (p + 3) / 2 * (double)s->count;
	for (uint32_t r = 0; r < s->ranks; r++)
		touch += 2 * (double)coll_send_bytes(s, r);
	return touch;
}

/* Cores that carry out a plan: what goes to one chip, and what is not cut, is one's work. */
static double plan_hands(const struct coll_shape *s, double hands)
{
	double slices = (double)((s->count + PLAN_SLICE - 1) / PLAN_SLICE);

	if (s->op == VN_REDUCE_TO || s->op == VN_GATHER)
		return 1;
	return (s->op == VN_SCAN || s->op == VN_EXSCAN) && slices < hands ? slices : hands;
}

static double builtin(enum vn_way way, const struct coll_shape *s, uint32_t cores)
{
	double p = s->ranks, hands = p < cores ? p : cores, touch = (double)coll_volume(s);
	double rate = touch > CACHES ? MEMORY_RATE : RATE, wait = 0;
	struct coll_shape one = *s;
	uint64_t refs;

	one.count = 1;
	one.total = s->ranks;
	refs = coll_volume(&one);
	if (p > cores)
		wait = (SWITCH_US + SWITCH_COLD_US * p) * p / cores;
	switch (way) {
	case VN_WAY_PULL:
		wait *= coll_rooted(s->op) ? ROOTED : 1;
		if (p > cores)
			wait += LOOK_US * p * p / cores;
		return PULL_US + LINE_US * p + wait + WALK_US * p * (double)refs / hands +
		       pull_touch(s) / (PULL_RATE * hands);
	case VN_WAY_SHARE:
		return SHARE_US + LINE_US * p + wait + SHARE_REF_US * (double)refs / hands +
		       touch / (rate * hands);
	default:
		return PLAN_US + LINE_US * p + wait + PLAN_REF_US * (double)refs +
		       touch / (rate * plan_hands(s, hands));
	}
}

/* ---- whose figures ------------------------------------------------------------ */

static const char *const source_names[] = { "none", "built-in", "table", "caller" };

const char *vn_cost_source_name(enum vn_cost_source source)
{
	return (unsigned int)source <= VN_COST_CALLER ? source_names[source] : NULL;
}

/* Where costs may come from. */
struct sources {
	const struct vn_config *config;
	const struct coll_table *table; /* NULL: none that holds here */
	uint32_t cores;
};

/* Lowest size of the class of a size. */
static uint64_t class_of(uint64_t bytes)
{
	return bytes ? 1ull << (coll_bits(bytes) - 1) : 0;
}

static double cost(const struct sources *s, enum vn_way way, const struct coll_shape *shape,
		   enum vn_cost_source *from)
{
	struct coll_shape known = *shape;
	double us, measured;

	if (s->config->cost) {
		*from = VN_COST_CALLER;
		return s->config->cost(s->config->cost_arg, way, shape->op, (int)shape->ranks,
				       shape->count);
	}
	*from = VN_COST_NONE;
	if (!possible(way, shape))
		return -1;
	*from = VN_COST_BUILT_IN;
	us = builtin(way, shape, s->cores);
	if (!s->table)
		return us;
	measured = coll_table_cost(s->table, way, shape->op, shape->ranks, &known.count);
	if (measured < 0)
		return us;
	*from = VN_COST_TABLE;
	/* Beyond what was measured it grows as the built-in figure does. */
	if (known.count < shape->count)
		measured *= us / builtin(way, &known, s->cores);
	return measured;
}

/* us, from: out, what each way costs, and who says so. */
static enum vn_way least(const struct sources *s, enum vn_coll op, uint32_t ranks, uint64_t bytes,
			 double us[VN_WAY_COUNT], enum vn_cost_source from[VN_WAY_COUNT])
{
	/* Unequal blocks are as long as that on average. */
	const struct coll_shape shape = {
		.op = op, .type = VN_UINT8, .ranks = ranks, .count = bytes, .total = ranks * bytes
	};
	enum vn_way best = VN_WAY_SHARE;

	us[VN_WAY_AUTO] = -1;
	from[VN_WAY_AUTO] = VN_COST_NONE;
	for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
		us[way] = cost(s, (enum vn_way)way, &shape, &from[way]);
	/* What is no number is out of the question, too. */
	for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
		if (us[way] >= 0 && (!(us[best] >= 0) || us[way] < us[best]))
			best = (enum vn_way)way;
	return best;
}

/*
 * The table for these cores, unless a caller knows better. Ranks that are bound to
 * CPUs of their own do not make the machine smaller: those of the process count, too.
 */
static int load(const struct sources *s, vn_device_t dev, struct coll_table **table)
{
	uint32_t all = 0;
	cpu_set_t set;

	*table = NULL;
	if (s->config->cost)
		return 0;
	if (!sched_getaffinity(getpid(), sizeof(set), &set))
		all = (uint32_t)CPU_COUNT(&set);
	return coll_table_load(dev->home->name, all > s->cores ? all : s->cores, table);
}

/* What the configuration or the environment forces; -EINVAL names a way that is none. */
static int forced(const struct vn_config *config, uint8_t *way, const char **by)
{
	const char *env = getenv("VNEURON_COLL_WAY");

	*way = (uint8_t)config->way;
	*by = "the configuration";
	if (*way || !env || !*env)
		return 0;
	*by = "$VNEURON_COLL_WAY";
	for (uint8_t w = 0; w < VN_WAY_COUNT; w++) {
		if (!strcmp(env, way_names[w])) {
			*way = w;
			return 0;
		}
	}
	return vn_fail(-EINVAL, "VNEURON_COLL_WAY=%s: want auto, pull, share or plan", env);
}

int coll_tune_init(struct coll_team *t, const struct vn_config *config)
{
	struct sources s = { .config = config, .cores = t->cores };
	enum vn_cost_source from[VN_WAY_COUNT];
	double us[VN_WAY_COUNT];
	struct coll_table *table;
	const char *by;
	int err = forced(config, &t->forced, &by) ?: load(&s, t->dev, &table);

	if (err)
		return err;
	s.table = table && !*table->ignored ? table : NULL;
	for (uint32_t op = 0; op < VN_COLL_COUNT; op++)
		for (uint32_t i = 0; i < CLASSES; i++)
			t->way[op][i] = (uint8_t)least(&s, (enum vn_coll)op, t->ranks,
						       i ? 1ull << (i - 1) : 0, us, from);
	coll_table_free(table);
	return 0;
}

/* ---- saying so ------------------------------------------------------------------ */

static void describe(struct vn_choice *c, const struct coll_table *table, uint64_t bytes,
		     const char *forced_by)
{
	bool measured = false;

	for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
		measured |= c->from[way] == VN_COST_TABLE;
	if (measured)
		snprintf(c->source, sizeof(c->source), "table %s", table->path);
	else
		snprintf(c->source, sizeof(c->source), "%s",
			 source_names[c->from[VN_WAY_SHARE] == VN_COST_CALLER ? VN_COST_CALLER
									      : VN_COST_BUILT_IN]);
	if (table && *table->ignored)
		snprintf(c->note, sizeof(c->note), "table %s %s", table->path, table->ignored);
	if (forced_by)
		snprintf(c->why, sizeof(c->why), "forced by %s", forced_by);
	else
		snprintf(c->why, sizeof(c->why),
			 "%s costs least of the class from %llu bytes on: %.2f us (%s)",
			 way_names[c->way], (unsigned long long)class_of(bytes), c->cost_us[c->way],
			 source_names[c->from[c->way]]);
}

int vn_coll_explain(vn_device_t dev, enum vn_coll op, int ranks, uint64_t bytes,
		    const struct vn_config *config, struct vn_choice *choice)
{
	static const struct vn_config defaults = VN_CONFIG_INITIALIZER;
	struct sources s = { .config = config ?: &defaults, .cores = vn_cores() };
	struct coll_table *table;
	const char *by;
	uint8_t way;
	int err;

	if ((unsigned int)op >= VN_COLL_COUNT)
		return vn_fail(-EINVAL, "no collective operation %d", op);
	if (ranks < 1 || (uint32_t)ranks > dev->query.chips)
		return vn_fail(-EINVAL, "%d ranks; this UltraServer has %u chips", ranks,
			       dev->query.chips);
	err = forced(s.config, &way, &by) ?: load(&s, dev, &table);
	if (err)
		return err;
	s.table = table && !*table->ignored ? table : NULL;
	memset(choice, 0, sizeof(*choice));
	choice->way =
		least(&s, op, (uint32_t)ranks, class_of(bytes), choice->cost_us, choice->from);
	if (way)
		choice->way = (enum vn_way)way;
	choice->forced = way != VN_WAY_AUTO;
	describe(choice, table, bytes, way ? by : NULL);
	coll_table_free(table);
	return 0;
}
