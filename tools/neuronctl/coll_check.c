// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>

#include "coll_check.h"

/* Elements at a time, so that what is compared stays in the caches. */
#define CHUNK 512u
/* No letter of any alphabet of floats, so that what was never written is wrong. */
#define RUBBISH 0xa5

void coll_round_place(struct coll_round *c, char *const buffer[2][VN_MAX_CHIPS])
{
	const struct coll_operation *op = c->job->op;
	uint64_t own;
	uint32_t r;

	for (r = 0; r < c->extent.ranks; r++) {
		c->send[r] = buffer[0][r];
		c->recv[r] = buffer[1][r];
		/* Who has no output sends as ever. */
		if (!c->job->in_place ||
		    (op->rooted && (op->send_blocks || op->recv_blocks) && r != c->extent.root))
			continue;
		own = coll_extent_at(&c->extent, r, r) * c->letters->size;
		if (op->recv_blocks && !op->send_blocks)
			c->send[r] = c->recv[r] + own;
		else if (op->send_blocks && !op->recv_blocks)
			c->recv[r] = c->send[r] + own;
		else
			c->recv[r] = c->send[r];
	}
}

void coll_round_fill(const struct coll_round *c, uint32_t rank)
{
	/* In place, inputs come on top. */
	memset(c->recv[rank], RUBBISH, coll_extent_recv(&c->extent, rank) * c->letters->size);
	coll_letters_write(c->letters, c->send[rank], rank, c->round, 0,
			   coll_extent_send(&c->extent, rank));
}

/* n elements of a rank's output from at on, against n elements of an input. */
static uint64_t wrong_moved(const struct coll_round *c, uint32_t rank, uint64_t at,
			    const struct coll_source *s, uint64_t n)
{
	uint32_t size = c->letters->size, m;
	uint64_t want[CHUNK], wrong = 0, i;

	for (i = 0; i < n; i += m) {
		m = n - i < CHUNK ? (uint32_t)(n - i) : CHUNK;
		if (s->kept)
			memset(want, RUBBISH, m * size);
		else
			coll_letters_write(c->letters, want, s->rank, c->round, s->first + i, m);
		wrong += coll_wrong(c->recv[rank] + (at + i) * size, want, m, size);
	}
	return wrong;
}

/* Block b of a rank's output; of one that has no blocks, b is 0. */
static void output(const struct coll_round *c, uint32_t rank, uint32_t b, uint64_t *at, uint64_t *n,
		   struct coll_source *s)
{
	bool blocks = c->job->op->recv_blocks;

	*at = blocks ? coll_extent_at(&c->extent, rank, b) : 0;
	*n = blocks ? coll_extent_block(&c->extent, rank, b) : coll_extent_recv(&c->extent, rank);
	*s = coll_op_source(&c->extent, rank, b);
	/* What stays in place is the input. */
	if (s->kept && c->recv[rank] == c->send[rank])
		s->kept = false;
}

static uint64_t wrong_rank(const struct coll_round *c, uint32_t rank)
{
	uint32_t b, blocks = c->job->op->recv_blocks ? c->extent.ranks : 1;
	uint64_t wrong = 0, at, n;
	struct coll_source s;

	for (b = 0; b < blocks; b++) {
		output(c, rank, b, &at, &n, &s);
		wrong += wrong_moved(c, rank, at, &s, n);
	}
	return wrong;
}

bool coll_round_late(const struct coll_round *c, uint32_t rank)
{
	uint32_t last = c->extent.ranks - 1;
	struct coll_source s;
	uint64_t at, n;

	if (c->job->op->makes != COLL_MOVED)
		return false;
	/* Of blocks, one that is not its own. */
	output(c, rank, last && rank == last ? last - 1 : last, &at, &n, &s);
	if (!n)
		return false;
	s.first += n - 1;
	return wrong_moved(c, rank, at + n - 1, &s, 1);
}

static uint64_t wrong_block(const struct coll_round *c, uint32_t rank)
{
	uint64_t first = coll_extent_at(&c->extent, rank, rank), want[CHUNK], wrong = 0, i;
	uint64_t count = coll_extent_recv(&c->extent, rank);
	uint32_t size = c->letters->size, m, r;
	int64_t acc[CHUNK];

	for (i = 0; i < count; i += m) {
		m = count - i < CHUNK ? (uint32_t)(count - i) : CHUNK;
		for (r = 0; r < c->extent.ranks; r++)
			coll_letters_fold(c->letters, acc, !r, r, c->round, first + i, m);
		coll_letters_encode(c->letters, want, acc, c->extent.ranks, m);
		wrong += coll_wrong(c->recv[rank] + i * size, want, m, size);
	}
	return wrong;
}

/* All ranks' outputs, elements i to i + n - 1: the fold grows by rank after rank. */
static uint64_t wrong_chunk(const struct coll_round *c, uint64_t i, uint32_t n)
{
	const struct coll_operation *op = c->job->op;
	uint32_t size = c->letters->size, ranks = c->extent.ranks, r;
	uint64_t want[CHUNK], wrong = 0;
	int64_t acc[CHUNK];

	for (r = 0; r < ranks; r++) {
		if (op->op == VN_EXSCAN && r)
			wrong += coll_wrong(c->recv[r] + i * size, want, n, size);
		coll_letters_fold(c->letters, acc, !r, r, c->round, i, n);
		if (op->makes == COLL_PREFIX || r + 1 == ranks)
			coll_letters_encode(c->letters, want, acc, r + 1, n);
		if (op->op == VN_SCAN)
			wrong += coll_wrong(c->recv[r] + i * size, want, n, size);
	}
	for (r = 0; op->makes == COLL_FOLD && r < ranks; r++)
		if (coll_op_writes(&c->extent, r))
			wrong += coll_wrong(c->recv[r] + i * size, want, n, size);
	return wrong;
}

uint64_t coll_round_wrong(const struct coll_round *c, uint32_t part, uint32_t parts)
{
	enum coll_makes makes = c->job->op->makes;
	uint64_t first = c->extent.count * part / parts;
	uint64_t end = c->extent.count * (part + 1) / parts;
	uint64_t wrong = 0, i, n;
	uint32_t r;

	for (r = part; r < c->extent.ranks; r += parts) {
		if (makes == COLL_FOLD_BLOCK)
			wrong += wrong_block(c, r);
		else if (makes == COLL_MOVED || !coll_op_writes(&c->extent, r))
			wrong += wrong_rank(c, r);
	}
	for (i = first; (makes == COLL_FOLD || makes == COLL_PREFIX) && i < end; i += n) {
		n = end - i < CHUNK ? end - i : CHUNK;
		wrong += wrong_chunk(c, i, (uint32_t)n);
	}
	return wrong;
}
