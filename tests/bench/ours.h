/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All-reduce on a device: its buffers, and one timed launch of a plan. */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include <vneuron.h>

#include "bench.h"

#define PATIENCE_NS (300ull * 1000 * 1000 * 1000)

struct ours {
	vn_device_t dev;
	vn_queue_t q;
	vn_plan_t plan;
	uint32_t ranks;
	uint64_t bytes; /* what the plan reduces, per chip */
	struct vn_mem send[VN_MAX_CHIPS], recv[VN_MAX_CHIPS];
};

/* spec NULL: an embedded device of just so many chips. ranks 0: all it has. */
static inline void ours_open(struct ours *o, const char *spec, uint32_t ranks, uint64_t most)
{
	char own[128];
	struct vn_query query;
	uint32_t c, per_sled = 4;

	memset(o, 0, sizeof(*o));
	if (!spec) {
		ranks = ranks ?: VN_MAX_CHIPS;
		while (ranks % per_sled)
			per_sled--;
		/* A page more, for the plan's semaphores. */
		snprintf(own, sizeof(own), "embedded:sleds=%u,chips=%u,hbm=%lluK", ranks / per_sled,
			 per_sled, (unsigned long long)(2 * ((most + 4095) >> 12) + 16) * 4);
		spec = own;
	}
	if (vn_open(spec, &o->dev) || vn_device_query(o->dev, &query))
		die("%s", vn_error());
	o->ranks = ranks ?: query.chips;
	if (o->ranks > query.chips)
		die("%s has %u chips, not %u", vn_device_spec(o->dev), query.chips, o->ranks);
	for (c = 0; c < o->ranks; c++)
		if (vn_mem_alloc(o->dev, c, most, &o->send[c]) ||
		    vn_mem_alloc(o->dev, c, most, &o->recv[c]))
			die("%s", vn_error());
	if (vn_queue_create(o->dev, 0, 8, -1, &o->q))
		die("%s", vn_error());
}

static inline void ours_plan(struct ours *o, uint64_t bytes)
{
	struct vn_operand send[VN_MAX_CHIPS], recv[VN_MAX_CHIPS];
	uint16_t chips[VN_MAX_CHIPS];
	vn_builder_t b;
	uint32_t c;

	if (o->plan && vn_plan_destroy(o->plan))
		die("%s", vn_error());
	for (c = 0; c < o->ranks; c++) {
		chips[c] = (uint16_t)c;
		send[c] = vn_at(&o->send[c], 0);
		recv[c] = vn_at(&o->recv[c], 0);
	}
	if (vn_builder_create(o->dev, 0, &b) ||
	    vn_build_all_reduce(b, chips, o->ranks, send, recv, bytes / 4, VN_FLOAT32, VN_SUM) ||
	    vn_builder_finish(b, &o->plan))
		die("%s", vn_error());
	vn_builder_destroy(b);
	o->bytes = bytes;
}

static inline double ours_run(struct ours *o)
{
	double t = now_us();

	if (vn_launch(o->q, o->plan, 0, 0) || vn_complete(o->q, PATIENCE_NS))
		die("all-reduce: %s", vn_error());
	return now_us() - t;
}

static inline void ours_close(struct ours *o)
{
	vn_close(o->dev);
}

/* Jobs of a crew on the buffers: ranks are dealt to the members. */
struct contents {
	struct ours *o;
	uint32_t round;
	uint64_t wrong; /* atomic */
};

static inline void fill_part(void *arg, uint32_t member, uint32_t members)
{
	struct contents *x = arg;
	float from[PERIOD];

	for (uint32_t r = member; r < x->o->ranks; r += members) {
		memset(x->o->recv[r].ptr, 0xff, x->o->bytes);
		pattern(from, r, x->round);
		pattern_fill(x->o->send[r].ptr, x->o->bytes, from);
	}
}

static inline void check_part(void *arg, uint32_t member, uint32_t members)
{
	struct contents *x = arg;
	float want[PERIOD];
	uint64_t wrong = 0;

	pattern_sum(want, x->o->ranks, x->round);
	for (uint32_t r = member; r < x->o->ranks; r += members)
		wrong += pattern_wrong(x->o->recv[r].ptr, x->o->bytes, want);
	__atomic_fetch_add(&x->wrong, wrong, __ATOMIC_RELAXED);
}

#endif
