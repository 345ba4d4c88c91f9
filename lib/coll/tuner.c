// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which way an operation goes: the one that costs least. The costs come from a
 * function that a caller may replace; it is asked once per operation and size
 * class when a communicator is made, so that all ranks find the same answer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

/* Sizes up to 2^40 bytes have a class. */
#define CLASSES 41u
/* What exceeds that in all goes through the switch, if it lies in HBM. */
#define SWITCH_FROM (256u << 10)

static const char *const way_names[VN_WAY_COUNT] = { "auto", "pull", "share", "plan" };

const char *vn_way_name(enum vn_way way)
{
	return (unsigned int)way < VN_WAY_COUNT ? way_names[way] : NULL;
}

/* Bytes that the moves of an operation touch. */
static uint64_t volume(enum vn_coll op, int ranks, uint64_t bytes)
{
	const struct coll_shape s = {
		.op = op,
		.type = VN_UINT8,
		.ranks = (uint32_t)ranks,
		.count = bytes,
	};

	return coll_volume(&s);
}

/*
 * Microseconds on one core that runs at 20 GB/s through its caches. Fixed costs: a
 * pull is two lines that change hands for each rank, a share another meeting, a
 * plan the launch and the way into the device and back. arg: how many cores.
 */
static double builtin(void *arg, enum vn_way way, enum vn_coll op, int ranks, uint64_t bytes)
{
	double touch = (double)volume(op, ranks, bytes) / 20e3;

	switch (way) {
	case VN_WAY_PULL:
		/* A rank without a core of its own would be waited for twice. */
		if (bytes > COLL_PULL_MAX || (uint32_t)ranks > *(const uint32_t *)arg)
			return -1;
		return 0.1 * ranks + 2 * touch;
	case VN_WAY_SHARE:
		return 0.3 + 0.02 * ranks + touch +
		       (volume(op, ranks, bytes) > SWITCH_FROM ? 0.2 * touch : 0);
	case VN_WAY_PLAN:
		return 3.0 + 0.05 * ranks + touch;
	default:
		return -1;
	}
}

/* us: out, what each way costs. */
static enum vn_way least(const struct vn_config *config, uint32_t cores, enum vn_coll op, int ranks,
			 uint64_t bytes, double us[VN_WAY_COUNT])
{
	vn_cost_fn *cost = config->cost ?: builtin;
	void *arg = config->cost ? config->cost_arg : &cores;
	enum vn_way best = VN_WAY_SHARE;

	us[VN_WAY_AUTO] = -1;
	for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
		us[way] = cost(arg, (enum vn_way)way, op, ranks, bytes);
		if (us[way] >= 0 && (us[best] < 0 || us[way] < us[best]))
			best = (enum vn_way)way;
	}
	return best;
}

/* What the environment forces; -EINVAL names a way that is none. */
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
	double us[VN_WAY_COUNT];
	const char *by;
	int err = forced(config, &t->forced, &by);

	for (uint32_t op = 0; !err && op < VN_COLL_COUNT; op++)
		for (uint32_t i = 0; i < CLASSES; i++)
			t->way[op][i] = (uint8_t)least(config, t->cores, (enum vn_coll)op,
						       (int)t->ranks, i ? 1ull << (i - 1) : 0, us);
	return err;
}

int vn_coll_explain(vn_device_t dev, enum vn_coll op, int ranks, uint64_t bytes,
		    const struct vn_config *config, struct vn_choice *choice)
{
	static const struct vn_config defaults = VN_CONFIG_INITIALIZER;
	double *us = choice->cost_us;
	const char *by;
	uint8_t way;
	int err;

	if (!vn_coll_name(op))
		return vn_fail(-EINVAL, "no collective operation %d", op);
	if (ranks < 1 || (uint32_t)ranks > dev->query.chips)
		return vn_fail(-EINVAL, "%d ranks; this UltraServer has %u chips", ranks,
			       dev->query.chips);
	config = config ?: &defaults;
	memset(choice, 0, sizeof(*choice));
	err = forced(config, &way, &by);
	if (err)
		return err;
	choice->way = least(config, vn_cores(), op, ranks,
			    bytes ? 1ull << (coll_bits(bytes) - 1) : 0, us);
	snprintf(choice->source, sizeof(choice->source), "%s",
		 config->cost ? "caller" : "built-in");
	if (way) {
		choice->way = (enum vn_way)way;
		snprintf(choice->why, sizeof(choice->why), "forced by %s", by);
		return 0;
	}
	snprintf(choice->why, sizeof(choice->why),
		 "%s costs least of the class from %llu bytes on: %.2f us", way_names[choice->way],
		 (unsigned long long)(bytes ? 1ull << (coll_bits(bytes) - 1) : 0), us[choice->way]);
	return 0;
}
