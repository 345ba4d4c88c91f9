// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "validate.h"

#define WORDS	(VN_VALIDATE_BYTES / 8)

/* All bits both ways, neighbours that differ, and then what tells each place from others. */
static const u64 patterns[] = {
	0, ~0ull, 0x5555555555555555ull, 0xaaaaaaaaaaaaaaaaull, 0x0123456789abcdefull,
};

static u64 mix(u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	return x;
}

static bool holds(const u8 *block, u64 pattern)
{
	const u64 *word = (const u64 *)block;

	for (u32 i = 0; i < WORDS; i++)
		if (READ_ONCE(word[i]) != pattern)
			return false;
	return true;
}

static u64 own_word(u64 seed, u32 block, u32 i)
{
	return mix(seed + ((u64)block << 32 | i));
}

static void write_own(u8 *at, u64 seed, u32 block)
{
	for (u32 i = 0; i < WORDS; i++)
		WRITE_ONCE(((u64 *)at)[i], own_word(seed, block, i));
}

static bool holds_own(const u8 *at, u64 seed, u32 block)
{
	for (u32 i = 0; i < WORDS; i++)
		if (READ_ONCE(((const u64 *)at)[i]) != own_word(seed, block, i))
			return false;
	return true;
}

static bool memory(const struct vn_runner *r, u8 *const *block, u32 n, u64 seed, u32 *bad)
{
	for (u32 p = 0; p < ARRAY_SIZE(patterns); p++) {
		for (u32 b = 0; b < n; b++)
			r->ops->fill(block[b], VN_VALIDATE_BYTES, patterns[p], 8, false);
		for (*bad = 0; *bad < n; ++*bad)
			if (!holds(block[*bad], patterns[p]))
				return false;
	}
	for (u32 b = 0; b < n; b++)
		write_own(block[b], seed, b);
	for (*bad = 0; *bad < n; ++*bad)
		if (!holds_own(block[*bad], seed, *bad))
			return false;
	return true;
}

/* Each gets what the one before it had, around in a ring, the first half of a block first. */
static bool links(const struct vn_runner *r, u8 *const *block, u32 n, u64 seed, u32 *bad)
{
	for (u32 b = n - 1; b > 0; b--) {
		r->ops->copy(block[b], block[b - 1], VN_VALIDATE_BYTES, b % 2);
		*bad = b;
		if (!holds_own(block[b], seed, b - 1))
			return false;
	}
	r->ops->copy(block[0], block[n - 1], VN_VALIDATE_BYTES, false);
	*bad = 0;
	return holds_own(block[0], seed, n - 2);
}

/* Each block gets the sum of all. */
static bool sum(const struct vn_runner *r, u8 *const *block, u32 n, u32 *bad)
{
	struct vn_reduce_args a = {
		.src = (const void *const *)block, .dst = (void *const *)block, .nsrc = n,
		.ndst = n, .n = VN_VALIDATE_BYTES / 4, .type = VN_INT32, .redop = VN_SUM,
		.scratch = r->scratch,
	};
	u32 want;

	for (u32 b = 0; b < n; b++)
		for (u32 i = 0; i < a.n; i++)
			WRITE_ONCE(((u32 *)block[b])[i], (b + 1) * (i + 7));
	r->ops->reduce(&a);
	for (*bad = 0; *bad < n; ++*bad) {
		for (u32 i = 0; i < a.n; i++) {
			want = n * (n + 1) / 2 * (i + 7);
			if (READ_ONCE(((const u32 *)block[*bad])[i]) != want)
				return false;
		}
	}
	return true;
}

enum vn_validate vn_validate(const struct vn_runner *r, u8 *const *block, u32 n, u64 seed,
			     u32 *bad)
{
	if (!memory(r, block, n, seed, bad))
		return VN_VALID_MEMORY;
	if (!links(r, block, n, seed, bad))
		return VN_VALID_LINK;
	return sum(r, block, n, bad) ? VN_VALID : VN_VALID_SUM;
}
