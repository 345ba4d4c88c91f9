/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A small engine world for targets: four chips, memory of an own context and of others,
 * windows that allow this and that, and what must not change.
 *
 * Descriptors and operand tables in an input may use names that always mean the same,
 * where random bytes would hardly ever meet an address or a key: see small_word().
 */
#ifndef VN_FUZZ_SMALL_H
#define VN_FUZZ_SMALL_H

#include "../engine/world.h"
#include "fuzz.h"

#define SMALL_CHIPS 4u
/* Bytes of an own allocation on each chip, and of memory of others around their windows. */
#define SMALL_OWN 16384u
#define SMALL_EDGE 512u
#define SMALL_PLANS 4u
/* What is told a queue: so many wait, with that for user_data. */
#define SMALL_INBOX 4u
#define SMALL_DATA 0x1b0cull
/* So many turns without an end are one too many: there is not so much memory to go through. */
#define SMALL_TURNS 100000u

enum small_window {
	SMALL_ALL, /* chip 0: everything; bound to a queue, if there is one (small_receive()) */
	SMALL_READ, /* chip 1 */
	SMALL_WRITE, /* chip 2 */
	SMALL_ATOMIC, /* chip 3 */
	SMALL_OWNED, /* chip 1, over own memory */
	SMALL_TINY, /* chip 2: 24 bytes, everything */
	SMALL_WINDOWS,
	SMALL_GONE = SMALL_WINDOWS, /* chip 0: invalidated */
	SMALL_KEYS,
};

static const struct {
	u32 chip, bytes;
	u8 access;
} small_rows[SMALL_KEYS] = {
	[SMALL_ALL] = { 0, 8192, FULL_ACCESS },
	[SMALL_READ] = { 1, 4096, VN_ACCESS_REMOTE_READ },
	[SMALL_WRITE] = { 2, 4096, VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_WRITE },
	[SMALL_ATOMIC] = { 3, 64, VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_ATOMIC },
	[SMALL_OWNED] = { 1, 4096, FULL_ACCESS },
	[SMALL_TINY] = { 2, 24, FULL_ACCESS },
	[SMALL_GONE] = { 0, 4096, FULL_ACCESS },
};

struct small {
	struct world *w;
	struct vn_runner *r;
	struct ram own[SMALL_CHIPS];
	/* Of others: the window, and as much on either side of it. */
	u8 *other[SMALL_KEYS];
	u8 *before[SMALL_KEYS]; /* what is there before an input */
	struct vn_hbm *hbm[SMALL_KEYS];
	u32 key[SMALL_KEYS];
	bool renewed;
	struct rig *receiver;
	struct vn_inbox inbox, *posts;
	struct vn_arrival slot[SMALL_INBOX];
};

/* A key of that window. */
static inline void small_open(struct small *s, u32 i)
{
	struct vn_window_table *t = s->w->domain.chip[small_rows[i].chip];
	u32 status;

	s->key[i] = vn_table_open(t, s->hbm[i], 0, small_rows[i].bytes, small_rows[i].access, NULL);
	if (i == SMALL_ALL && s->receiver)
		vn_table_bind(vn_table_find(t, s->key[i], &status), &s->inbox, SMALL_DATA);
}

/* Another one; what went by the old one is gone. */
static UNUSED void small_renew(struct small *s, u32 i)
{
	key_end(s->w, small_rows[i].chip, s->key[i]);
	small_open(s, i);
	s->renewed = true;
}

/* Tables as if there had never been another key. */
static inline void small_open_all(struct small *s)
{
	for (u32 c = 0; c < SMALL_CHIPS; c++) {
		struct vn_window_table *t = s->w->domain.chip[c];
		struct vn_window_block *b = t->block[0] ?: world_take(s->w, sizeof(*b));

		memset(b, 0, sizeof(*b));
		vn_table_init(t, 16);
		vn_table_grow(t, b);
	}
	for (u32 i = 0; i < SMALL_KEYS; i++)
		small_open(s, i);
	key_end(s->w, small_rows[SMALL_GONE].chip, s->key[SMALL_GONE]);
	s->renewed = false;
}

static inline struct small *small_new(void)
{
	struct small *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->w = world_new(2, 2);
	s->r = runner_new(s->w, __builtin_cpu_supports("avx2") ? &vn_ops_avx2 : &vn_ops_scalar);
	for (u32 c = 0; c < SMALL_CHIPS; c++)
		s->own[c] = mem(s->w, c, SMALL_OWN);
	for (u32 c = 0; c < SMALL_CHIPS; c++)
		s->w->domain.chip[c] = world_take(s->w, sizeof(struct vn_window_table));
	for (u32 i = 0; i < SMALL_KEYS; i++) {
		u32 bytes = small_rows[i].bytes;

		s->other[i] = world_take(s->w, bytes + 2 * SMALL_EDGE);
		s->before[i] = world_take(s->w, bytes + 2 * SMALL_EDGE);
		for (u32 at = 0; at < bytes + 2 * SMALL_EDGE; at++)
			s->before[i][at] = (u8)(at * 7 + i * 31 + 1);
		s->hbm[i] = hbm_of(
			s->w, small_rows[i].chip,
			i == SMALL_OWNED ? s->own[1].ptr + 4096 : s->other[i] + SMALL_EDGE, bytes);
	}
	small_open_all(s);
	return s;
}

/* That queue, of that chip, is told of what is written to SMALL_ALL with an immediate. */
static UNUSED void small_receive(struct small *s, struct rig *g, u32 chip)
{
	s->receiver = g;
	vn_inbox_init(&s->inbox, s->slot, SMALL_INBOX, chip, &s->posts);
	vn_queue_receive(&g->q, &s->inbox);
	small_open_all(s);
}

/* Has it been told anything since this was asked? */
static UNUSED bool small_posted(struct small *s)
{
	struct vn_inbox *b = vn_inbox_posted(&s->posts);

	MUST(!b || (b == &s->inbox && !b->next));
	if (b)
		vn_inbox_let_go(b);
	s->r->posted = false;
	return b;
}

/* An arrival that makes sense. */
static UNUSED void small_arrival(const struct small *s, const struct vn_cqe *e)
{
	MUST(e->seq & VN_CQE_ARRIVAL && !e->status && e->user_data == SMALL_DATA);
	MUST(e->result == s->key[SMALL_ALL] && e->bytes <= small_rows[SMALL_ALL].bytes);
}

static inline void small_reset(struct small *s)
{
	if (s->renewed)
		small_open_all(s);
	for (u32 c = 0; c < SMALL_CHIPS; c++)
		memset(s->own[c].ptr, 0, SMALL_OWN);
	for (u32 i = 0; i < SMALL_KEYS; i++)
		memcpy(s->other[i], s->before[i], small_rows[i].bytes + 2 * SMALL_EDGE);
	s->w->sw.faulty = 0;
	s->w->sw.cut = 0;
	memset(s->w->sw.lost, 0, sizeof(s->w->sw.lost));
}

/* Links of a sled are cut (bits 0 and 1), a chip is lost (bits 4 to 7). */
static UNUSED void small_faults(struct small *s, u8 faults)
{
	s->w->sw.cut = faults & 3;
	s->w->sw.lost[0] = faults >> 4;
	s->w->sw.faulty = s->w->sw.cut || s->w->sw.lost[0];
}

/* What a key does not let in has not come in, and nothing went over an edge. */
static UNUSED void small_check(const struct small *s)
{
	for (u32 i = 0; i < SMALL_KEYS; i++) {
		const u8 *is = s->other[i], *was = s->before[i];
		u32 edge = SMALL_EDGE, bytes = small_rows[i].bytes;

		MUST(!memcmp(is, was, edge));
		MUST(!memcmp(is + edge + bytes, was + edge + bytes, edge));
		if (i == SMALL_GONE || !(small_rows[i].access & VN_ACCESS_LOCAL_WRITE))
			MUST(!memcmp(is + edge, was + edge, bytes));
	}
}

/*
 * Names in an input. Of a word of 64 bits:
 *	fa0N << 48 | offset	address of own memory on chip N, offset added
 *	feed000N << 32		the beginning of an operand (chip and key) of window N
 *	feed00fN << 32		the same of own memory on chip N: an address follows
 * All else is taken as it is.
 */
static inline u64 small_word(const struct small *s, u64 word)
{
	u32 top = (u32)(word >> 32), n = top & 0xf;

	if (word >> 48 == (0xfa00u | (word >> 48 & 3)))
		return s->own[word >> 48 & 3].addr + (word & 0xffffffffffffull);
	if (top >> 8 != 0xfeed00)
		return word;
	if (top & 0xf0)
		return (u64)(n % SMALL_CHIPS) << 16;
	n %= SMALL_KEYS;
	return (u64)s->key[n] << 32 | (u64)small_rows[n].chip << 16;
}

/* Takes whole words out of an input. */
static UNUSED void small_take(const struct small *s, struct fuzz_in *in, void *to, u32 bytes)
{
	u8 *at = to;

	for (u32 i = 0; i < bytes; i += 8) {
		u64 word = small_word(s, fuzz_u64(in));

		memcpy(at + i, &word, 8);
	}
}

/* The head of a descriptor has no names in it. */
static UNUSED struct vn_desc small_desc(const struct small *s, struct fuzz_in *in)
{
	struct vn_desc d;

	fuzz_take(in, &d, offsetof(struct vn_desc, raw));
	small_take(s, in, d.raw, sizeof(d.raw));
	return d;
}

/* A completion that makes sense. */
static UNUSED void small_completion(const struct vn_cqe *e, u64 now)
{
	MUST(e->status < VN_STATUS_COUNT);
	MUST(e->started <= now && e->done <= now);
	/* A plan's are counted together. */
	MUST(e->bytes <= VN_BYTES_MAX);
}

#endif
