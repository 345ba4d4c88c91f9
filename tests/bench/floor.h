/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The floor of an all-reduce: every source byte read once, every destination
 * byte written once, by all cores, and nothing computed. There are several ways
 * to do it; the best of them is the floor.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "bench.h"

#define FLOOR_RANKS 144u

/* Ways to walk the memory: bytes of a source or destination taken in one go. */
static const uint64_t floor_tiles[] = { 4096, 16384, 65536, UINT64_MAX };

#define FLOOR_WAYS (2 * ARRAY_SIZE(floor_tiles)) /* with plain and with streaming stores */

struct floor_job {
	uint32_t ranks;
	uint64_t bytes; /* of each buffer */
	uint32_t way; /* below FLOOR_WAYS */
	char *send[FLOOR_RANKS], *recv[FLOOR_RANKS];
};

static inline void floor_read(const char *p, uint64_t bytes)
{
	/* volatile keeps the loads, so not even an OR is needed to hold them. */
	for (const char *end = p + bytes; p < end; p += 128)
		asm volatile("vmovdqu %0, %%ymm0\n\t"
			     "vmovdqu 32%0, %%ymm1\n\t"
			     "vmovdqu 64%0, %%ymm2\n\t"
			     "vmovdqu 96%0, %%ymm3"
			     :
			     : "o"(*p)
			     : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}

static inline void floor_write(char *p, uint64_t bytes, bool stream)
{
	char *end = p + bytes;

	if (stream)
		for (; p < end; p += 64)
			asm volatile("vmovntdq %%ymm0, %0\n\t"
				     "vmovntdq %%ymm0, 32%0"
				     : "=o"(*p)
				     :
				     : "memory");
	else
		for (; p < end; p += 64)
			asm volatile("vmovdqu %%ymm0, %0\n\t"
				     "vmovdqu %%ymm0, 32%0"
				     : "=o"(*p)
				     :
				     : "memory");
}

/* A member takes its share of the elements, of all ranks. */
static inline void floor_part(void *arg, uint32_t member, uint32_t members)
{
	const struct floor_job *j = arg;
	uint64_t share = (j->bytes / members + 127) & ~127ull, at = member * share, n;
	uint64_t end = at + share < j->bytes ? at + share : j->bytes;
	uint64_t tile = floor_tiles[j->way / 2];
	uint32_t r;

	for (; at < end; at += n) {
		n = end - at < tile ? end - at : tile;
		for (r = 0; r < j->ranks; r++)
			floor_read(j->send[r] + at, n);
		for (r = 0; r < j->ranks; r++)
			floor_write(j->recv[r] + at, n, j->way & 1);
	}
	asm volatile("sfence\n\tvzeroupper" : : : "memory");
}

/* "plain", "stream-64K", ... */
static inline const char *floor_how(uint32_t way, char text[24])
{
	const char *stores = way & 1 ? "stream" : "plain";

	if (floor_tiles[way / 2] == UINT64_MAX)
		return stores;
	snprintf(text, 24, "%s-%uK", stores, (unsigned int)(floor_tiles[way / 2] >> 10));
	return text;
}

#endif
