/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two arenas for each rank, in HBM and not, with copies of what was in them before
 * (before) and of what should be in them behind (want); and chance.
 */
#ifndef VN_TEST_ARENA_H
#define VN_TEST_ARENA_H

#include "fixture.h"

static struct {
	vn_device_t dev;
	int ranks;
	uint64_t room; /* of an arena */
	struct vn_mem hbm[2][VN_MAX_CHIPS];
	char *host[2][VN_MAX_CHIPS], *before[2][VN_MAX_CHIPS], *want[2][VN_MAX_CHIPS];
	uint64_t seed;
} world;

/* ---- chance ---------------------------------------------------------------------- */

static UNUSED void pick_seed(void)
{
	const char *seed = getenv("VN_SEED");

	world.seed = seed && *seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
	world.seed = world.seed ?: 1;
	tap_diag("VN_SEED=%llu", (unsigned long long)world.seed);
}

static UNUSED uint32_t pick(uint64_t n)
{
	world.seed ^= world.seed << 13;
	world.seed ^= world.seed >> 7;
	world.seed ^= world.seed << 17;
	return (uint32_t)((world.seed >> 32) % n);
}

/* ---- arenas ------------------------------------------------------------------------ */

static UNUSED void arenas_begin(vn_device_t dev, int ranks, uint64_t room)
{
	world.dev = dev;
	world.ranks = ranks;
	world.room = room;
	for (int r = 0; r < ranks; r++) {
		for (int side = 0; side < 2; side++) {
			world.hbm[side][r] = take(dev, (uint32_t)r, room);
			world.host[side][r] = aligned_alloc(4096, room);
			world.before[side][r] = malloc(room);
			world.want[side][r] = malloc(room);
			if (!world.host[side][r] || !world.before[side][r] || !world.want[side][r])
				NEED(-ENOMEM);
		}
	}
}

static UNUSED void arenas_end(void)
{
	for (int r = 0; r < world.ranks; r++) {
		for (int side = 0; side < 2; side++) {
			NEED(vn_mem_free(world.dev, &world.hbm[side][r]));
			free(world.host[side][r]);
			free(world.before[side][r]);
			free(world.want[side][r]);
		}
	}
}

#endif
