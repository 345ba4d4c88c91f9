// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Operations as moves: see move.h. */
#include "move.h"

/* Slices begin at a cache line, so that two of them never share one. */
#define LINE 64u
/* A slice pays for resolving its operands only from here on, bytes ... */
#define SLICE_MIN (8u << 10)
/* ... and reads long enough runs of each source from here on. */
#define SLICE_GOOD (32u << 10)
/* As many slices as that keep several cores busy come before long runs. */
#define SLICES_WANTED 16u

/* Blocks into which the work falls, before they are cut into slices. */
static uint64_t blocks(const struct coll_shape *s)
{
	switch (s->op) {
	case VN_BARRIER:
		return 0;
	case VN_ALL_GATHER:
	case VN_ALL_GATHERV:
	case VN_REDUCE_SCATTER:
	case VN_REDUCE_SCATTERV:
	case VN_GATHER:
	case VN_GATHERV:
	case VN_SCATTER:
	case VN_SCATTERV:
	case VN_PERMUTE:
		return s->ranks;
	case VN_ALL_TO_ALL:
	case VN_ALL_TO_ALLV:
		return (uint64_t)s->ranks * s->ranks;
	default:
		return 1;
	}
}

static uint64_t slices(const struct coll_shape *s)
{
	uint64_t bytes = s->count * vn_type_bytes(s->type);

	return (bytes + s->slice - 1) / s->slice;
}

uint64_t coll_slice_bytes(uint64_t bytes, uint32_t chips)
{
	uint64_t slice = bytes / SLICES_WANTED, least = (bytes + chips - 1) / chips;

	slice = slice > SLICE_GOOD ? SLICE_GOOD : slice < SLICE_MIN ? SLICE_MIN : slice;
	slice = slice < least ? least : slice;
	return (slice + LINE - 1) / LINE * LINE;
}

void coll_shape_cut(struct coll_shape *s, uint64_t slice)
{
	s->slice = slice < LINE ? LINE : (slice + LINE - 1) / LINE * LINE;
}

uint64_t coll_moves(const struct coll_shape *s)
{
	return blocks(s) * slices(s);
}

uint64_t coll_send_bytes(const struct coll_shape *s, uint32_t rank)
{
	uint64_t bytes = s->count * vn_type_bytes(s->type);

	switch (s->op) {
	case VN_BARRIER:
		return 0;
	case VN_BROADCAST:
		return rank == s->root ? bytes : 0;
	case VN_SCATTER:
		return rank == s->root ? s->ranks * bytes : 0;
	case VN_REDUCE_SCATTER:
	case VN_ALL_TO_ALL:
		return s->ranks * bytes;
	default:
		return bytes;
	}
}

uint64_t coll_recv_bytes(const struct coll_shape *s, uint32_t rank)
{
	uint64_t bytes = s->count * vn_type_bytes(s->type);

	switch (s->op) {
	case VN_BARRIER:
		return 0;
	case VN_REDUCE_TO:
		return rank == s->root ? bytes : 0;
	case VN_GATHER:
		return rank == s->root ? s->ranks * bytes : 0;
	case VN_EXSCAN:
		return rank ? bytes : 0;
	case VN_ALL_GATHER:
	case VN_ALL_TO_ALL:
		return s->ranks * bytes;
	default:
		return bytes;
	}
}

uint64_t coll_volume(const struct coll_shape *s)
{
	uint64_t es = vn_type_bytes(s->type), bytes = s->count * es, p = s->ranks;

	switch (s->op) {
	case VN_BARRIER:
		return 0;
	case VN_BROADCAST:
	case VN_REDUCE_TO:
		return (1 + p) * bytes;
	case VN_ALL_GATHER:
	case VN_REDUCE_SCATTER:
		return (1 + p) * p * bytes;
	case VN_ALL_TO_ALL:
		return 2 * p * p * bytes;
	case VN_ALL_GATHERV:
	case VN_REDUCE_SCATTERV:
		return (1 + p) * s->total * es;
	case VN_ALL_TO_ALLV:
	case VN_GATHERV:
	case VN_SCATTERV:
		return 2 * s->total * es;
	default:
		return 2 * p * bytes;
	}
}

/* ---- blocks ------------------------------------------------------------------ */

uint64_t coll_block(const struct coll_shape *s, uint32_t from, uint32_t to)
{
	switch (s->op) {
	case VN_ALL_GATHERV:
	case VN_GATHERV:
		return s->extra[s->root]->recvcounts[from];
	case VN_REDUCE_SCATTERV:
		return s->extra[s->root]->recvcounts[to];
	case VN_SCATTERV:
		return s->extra[s->root]->sendcounts[to];
	case VN_ALL_TO_ALLV:
		return s->extra[from]->sendcounts[to];
	default:
		return s->count;
	}
}

/* Where the block for `to` begins among what `from` sends, elements. */
static uint64_t sent_at(const struct coll_shape *s, uint32_t from, uint32_t to)
{
	return s->extra ? s->extra[from]->sdispls[to] : to * s->count;
}

/* Where the block of `from` begins among what `to` receives, elements. */
static uint64_t received_at(const struct coll_shape *s, uint32_t from, uint32_t to)
{
	return s->extra ? s->extra[to]->rdispls[from] : from * s->count;
}

static struct coll_ref ref(uint32_t rank, bool recv, uint64_t at)
{
	return (struct coll_ref){ .rank = (uint16_t)rank, .recv = recv, .at = at };
}

static void add_src(struct coll_move *m, uint32_t rank, uint64_t at)
{
	m->src[m->nsrc++] = ref(rank, false, at);
}

static void add_dst(struct coll_move *m, uint32_t rank, uint64_t at)
{
	m->dst[m->ndst++] = ref(rank, true, at);
}

static void add_all_src(const struct coll_shape *s, struct coll_move *m, uint64_t at)
{
	for (uint32_t r = 0; r < s->ranks; r++)
		add_src(m, r, at);
}

static uint32_t sender_to(const struct coll_shape *s, uint32_t rank)
{
	uint32_t r;

	for (r = 0; r < s->ranks; r++)
		if (s->extra[0]->to[r] == (int)rank)
			break;
	return r;
}

/* The chain of a permutation that begins at rank b, if b leads it. */
static void chain(const struct coll_shape *s, struct coll_move *m, uint32_t b, uint64_t at)
{
	const int *to = s->extra[0]->to;
	uint32_t r = b, least = b;

	if (to[b] < 0)
		return;
	for (int next = to[b]; next >= 0 && (uint32_t)next != b; next = to[next])
		least = (uint32_t)next < least ? (uint32_t)next : least;
	m->wraps = sender_to(s, b) != s->ranks;
	/* A closed one is led by its least rank, an open one by its first. */
	if (m->wraps) {
		r = sender_to(s, b);
		while (r != s->ranks && r != b)
			r = sender_to(s, r);
		if (r != b || least != b)
			return;
	}
	/* dst[0] takes from the last src when it is closed. */
	r = b;
	if (m->wraps)
		add_dst(m, b, at);
	for (;;) {
		add_src(m, r, at);
		if (to[r] < 0 || (uint32_t)to[r] == b)
			break;
		r = (uint32_t)to[r];
		if (to[r] < 0) {
			add_dst(m, r, at);
			break;
		}
		add_dst(m, r, at);
	}
}

static void permute(const struct coll_shape *s, struct coll_move *m, uint32_t b, uint64_t at)
{
	const int *to = s->extra[0]->to;

	if (s->in_place) {
		m->kind = COLL_ROTATE;
		chain(s, m, b, at);
	} else if (to[b] >= 0) {
		add_src(m, b, at);
		add_dst(m, (uint32_t)to[b], at);
	}
}

static void all_to_all(const struct coll_shape *s, struct coll_move *m, uint32_t from, uint32_t to,
		       uint64_t at)
{
	uint64_t es = vn_type_bytes(s->type);

	if (s->in_place && from > to)
		return;
	if (!s->in_place || from == to) {
		add_src(m, from, sent_at(s, from, to) * es + at);
		add_dst(m, to, received_at(s, from, to) * es + at);
		return;
	}
	m->kind = COLL_ROTATE;
	m->wraps = true;
	add_dst(m, from, received_at(s, to, from) * es + at);
	add_src(m, from, sent_at(s, from, to) * es + at);
	add_dst(m, to, received_at(s, from, to) * es + at);
	add_src(m, to, sent_at(s, to, from) * es + at);
}

static void fold(const struct coll_shape *s, struct coll_move *m, uint64_t at)
{
	switch (s->op) {
	case VN_SCAN:
		m->kind = COLL_SCAN;
		break;
	case VN_EXSCAN:
		m->kind = COLL_EXSCAN;
		break;
	default:
		m->kind = COLL_FOLD;
	}
	add_all_src(s, m, at);
	for (uint32_t r = s->op == VN_EXSCAN; r < s->ranks; r++)
		if (s->op != VN_REDUCE_TO || r == s->root)
			add_dst(m, r, at);
}

/* Of the blocks number b, or of (from, to), what lies `at` bytes in. */
static void copies(const struct coll_shape *s, struct coll_move *m, uint32_t b, uint64_t at)
{
	uint64_t es = vn_type_bytes(s->type);

	switch (s->op) {
	case VN_ALL_GATHER:
	case VN_ALL_GATHERV:
		add_src(m, b, at);
		for (uint32_t r = 0; r < s->ranks; r++)
			add_dst(m, r, received_at(s, b, r) * es + at);
		break;
	case VN_REDUCE_SCATTER:
	case VN_REDUCE_SCATTERV:
		m->kind = COLL_FOLD;
		for (uint32_t r = 0; r < s->ranks; r++)
			add_src(m, r, sent_at(s, r, b) * es + at);
		add_dst(m, b, at);
		break;
	case VN_GATHER:
	case VN_GATHERV:
		add_src(m, b, at);
		add_dst(m, s->root, received_at(s, b, s->root) * es + at);
		break;
	case VN_SCATTER:
	case VN_SCATTERV:
		add_src(m, s->root, sent_at(s, s->root, b) * es + at);
		add_dst(m, b, at);
		break;
	default:
		permute(s, m, b, at);
	}
}

bool coll_move(const struct coll_shape *s, uint64_t i, struct coll_move *m)
{
	uint64_t per = slices(s), at = i % per * s->slice, es = vn_type_bytes(s->type);
	bool pairs = s->op == VN_ALL_TO_ALL || s->op == VN_ALL_TO_ALLV;
	uint32_t b = (uint32_t)(i / per), from = pairs ? b / s->ranks : b;
	uint32_t to = pairs ? b % s->ranks : b;
	uint64_t bytes = es * coll_block(s, from, to);

	m->kind = COLL_COPY;
	m->type = s->type;
	m->redop = s->redop;
	m->nsrc = m->ndst = 0;
	m->wraps = false;
	if (at >= bytes)
		return false;
	m->count = bytes - at < s->slice ? bytes - at : s->slice;
	switch (s->op) {
	case VN_ALL_REDUCE:
	case VN_REDUCE_TO:
	case VN_SCAN:
	case VN_EXSCAN:
		fold(s, m, at);
		break;
	case VN_BROADCAST:
		add_src(m, s->root, at);
		for (uint32_t r = 0; r < s->ranks; r++)
			add_dst(m, r, at);
		break;
	case VN_ALL_TO_ALL:
	case VN_ALL_TO_ALLV:
		all_to_all(s, m, from, to, at);
		break;
	default:
		copies(s, m, b, at);
	}
	if (m->kind != COLL_COPY && m->kind != COLL_ROTATE)
		m->count /= es;
	return m->ndst;
}
