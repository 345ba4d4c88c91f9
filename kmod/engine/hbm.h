/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A stretch of HBM: where its bytes lie, and what is asked of those who write there
 * while its chip moves to another slot.
 *
 * A mover copies the pages while work goes on, and again those written meanwhile
 * (dirty), until few are left; then it keeps writers out (fenced), copies the rest,
 * and lets `base` point to the copy. Reading goes on all the time. Three things are
 * waited for with vn_runner_passed(), each after the word has been changed: that all
 * mark what they write, that none writes any more, that none reads where it was.
 *
 * Writers mark a page before they write, inside the chunk in which they do. So who
 * takes marks away waits for the runners before it copies what was marked.
 */
#ifndef VN_HBM_H
#define VN_HBM_H

#include "port.h"

#define VN_HBM_PAGE	4096u

struct vn_hbm {
	u8 *base;			/* atomic */
	u64 bytes;			/* whole pages */
	u64 *dirty;			/* atomic: a bit a page; NULL: nobody asks */
	u32 fenced;			/* atomic */
	u32 slow_us;			/* atomic: who has written is to rest so long */
	u16 chip;
	u16 lost;			/* atomic: with its chip, for good */
};

/* Words that hold the marks of so many bytes. */
static inline u64 vn_hbm_words(u64 bytes)
{
	return (bytes + 64ull * VN_HBM_PAGE - 1) / (64ull * VN_HBM_PAGE);
}

/* Marks the pages of [off, off + bytes). */
void vn_hbm_mark(u64 *dirty, u64 off, u64 bytes);

/*
 * The pages of [off, off + bytes) are about to be written, by a runner inside a chunk,
 * or whoever else the mover waits for. False: not now.
 */
static inline bool vn_hbm_write(const struct vn_hbm *h, u64 off, u64 bytes)
{
	u64 *dirty;

	if (vn_load_acquire(&h->fenced))
		return false;
	dirty = vn_load_acquire(&h->dirty);
	if (dirty && bytes)
		vn_hbm_mark(dirty, off, bytes);
	return true;
}

/*
 * Moves marks of `words` words from one set to another; how many that has then. Then wait
 * for the runners; then copy.
 */
u64 vn_hbm_take(u64 *dirty, u64 *taken, u64 words);
/* How many marks there are. */
u64 vn_hbm_count(const u64 *dirty, u64 words);
/* How many pages are marked in either: written, or taken and not copied yet. */
u64 vn_hbm_left(const u64 *dirty, const u64 *taken, u64 words);
/* The first marked page from *page on; false: none below `pages`. */
bool vn_hbm_next(const u64 *marks, u64 pages, u64 *page);
/* The first run of marked pages from *page on: its length; 0: none below `pages`. */
u64 vn_hbm_run(const u64 *marks, u64 pages, u64 *page);

#endif
