// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "hbm.h"

static void mark_word(u64 *word, u64 bits)
{
	/* Most writers come again and again. */
	if ((READ_ONCE(*word) & bits) != bits)
		vn_fetch_or(word, bits);
}

void vn_hbm_mark(u64 *dirty, u64 off, u64 bytes)
{
	u64 first = off / VN_HBM_PAGE, last = (off + bytes - 1) / VN_HBM_PAGE;

	for (u64 w = first / 64; w <= last / 64; w++) {
		u64 bits = ~0ull;

		if (w == first / 64)
			bits &= ~0ull << first % 64;
		if (w == last / 64)
			bits &= ~0ull >> (63 - last % 64);
		mark_word(&dirty[w], bits);
	}
}

/* Set bits; the kernel has no __popcountdi2 to call. */
static u64 weight(u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return x * 0x0101010101010101ull >> 56;
}

u64 vn_hbm_take(u64 *dirty, u64 *taken, u64 words)
{
	u64 n = 0;

	for (u64 w = 0; w < words; w++) {
		if (READ_ONCE(dirty[w]))
			taken[w] |= vn_xchg(&dirty[w], 0ull);
		n += weight(taken[w]);
	}
	return n;
}

u64 vn_hbm_count(const u64 *dirty, u64 words)
{
	u64 n = 0;

	for (u64 w = 0; w < words; w++)
		n += weight(READ_ONCE(dirty[w]));
	return n;
}

u64 vn_hbm_left(const u64 *dirty, const u64 *taken, u64 words)
{
	u64 n = 0;

	for (u64 w = 0; w < words; w++)
		n += weight(READ_ONCE(dirty[w]) | READ_ONCE(taken[w]));
	return n;
}

static bool marked(const u64 *marks, u64 page)
{
	return marks[page / 64] >> page % 64 & 1;
}

bool vn_hbm_next(const u64 *marks, u64 pages, u64 *page)
{
	u64 at = *page;

	while (at < pages && !marked(marks, at))
		at += at % 64 || marks[at / 64] ? 1 : 64;
	if (at >= pages)
		return false;
	*page = at;
	return true;
}

u64 vn_hbm_run(const u64 *marks, u64 pages, u64 *page)
{
	u64 end;

	if (!vn_hbm_next(marks, pages, page))
		return 0;
	for (end = *page; end < pages && marked(marks, end); end++)
		;
	return end - *page;
}
