/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers from a seed: the same for the same seed, everywhere. */
#ifndef RANDOM_DICE_H
#define RANDOM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t roll64(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline uint32_t roll(struct dice *d, uint32_t n)
{
	return (uint32_t)((roll64(d) >> 32) * n >> 32);
}

/* lo to hi */
static inline uint32_t between(struct dice *d, uint32_t lo, uint32_t hi)
{
	return lo + roll(d, hi - lo + 1);
}

static inline bool chance(struct dice *d, uint32_t percent)
{
	return roll(d, 100) < percent;
}

/* A number that depends on both, for what has dice of its own. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	struct dice d = { a ^ b * 0xd6e8feb86659fd93ull };

	return roll64(&d);
}

#endif
