/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a collective (call.h) leaves in all arenas, by naive copies and the oracle. */
#ifndef VN_TEST_EXPECT_H
#define VN_TEST_EXPECT_H

#include "call.h"

static UNUSED const char *sent(const struct call *c, int from, int to)
{
	int which;
	uint64_t at = buffer_at(c, 0, from, &which);

	if (many_blocks(c->s.op, 0))
		at += c->sat[from][to] * c->s.es;
	return world.before[which][from] + at;
}

static UNUSED char *received(const struct call *c, int from, int to)
{
	int which;
	uint64_t at = buffer_at(c, 1, to, &which);

	if (many_blocks(c->s.op, 1))
		at += c->rat[to][from] * c->s.es;
	return world.want[which][to] + at;
}

static UNUSED void expect_fold(const struct call *c, int r, int nsrc, size_t count)
{
	const void *src[VN_MAX_CHIPS];
	const struct oracle o = { (uint8_t)c->type, (uint8_t)c->redop, src, c->scalar };

	for (int i = 0; i < nsrc; i++)
		src[i] = sent(c, i, r);
	for (size_t i = 0; nsrc && i < count; i++)
		oracle_reduce(&o, received(c, 0, r), (uint32_t)nsrc, i);
}

static UNUSED void expect_block(const struct call *c, int from, int to)
{
	memcpy(received(c, from, to), sent(c, from, to), c->len[from][to] * c->s.es);
}

/* Of what rank r receives. */
static UNUSED void call_expect_rank(const struct call *c, int r)
{
	int n = c->s.ranks;

	switch (general(c->s.op)) {
	case VN_ALL_REDUCE:
	case VN_REDUCE_SCATTERV:
		expect_fold(c, r, n, c->len[0][r]);
		break;
	case VN_REDUCE_TO:
		expect_fold(c, r, r == c->root ? n : 0, c->len[0][r]);
		break;
	case VN_SCAN:
		expect_fold(c, r, r + 1, c->len[0][r]);
		break;
	case VN_EXSCAN:
		expect_fold(c, r, r, c->len[0][r]);
		break;
	case VN_BROADCAST:
	case VN_SCATTERV:
		expect_block(c, c->root, r);
		break;
	case VN_PERMUTE:
		for (int i = 0; i < n; i++)
			if (c->to[i] == r)
				expect_block(c, i, r);
		break;
	case VN_ALL_GATHERV:
	case VN_ALL_TO_ALLV:
	case VN_GATHERV:
		for (int i = 0; i < n && (general(c->s.op) != VN_GATHERV || r == c->root); i++)
			expect_block(c, i, r);
		break;
	default:
		break;
	}
}

static UNUSED void call_expect(struct call *c)
{
	for (int r = 0; r < c->s.ranks; r++)
		call_expect_rank(c, r);
}

/* Arenas that are not as they should be. */
static UNUSED uint64_t call_wrong(const struct call *c)
{
	uint64_t wrong = 0;

	for (int r = 0; r < c->s.ranks; r++)
		for (int side = 0; side < 2; side++)
			wrong += memcmp(arena(c, side, r), world.want[side][r], c->used[side][r]) !=
				 0;
	return wrong;
}

#endif
