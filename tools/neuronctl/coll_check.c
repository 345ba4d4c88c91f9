// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>

#include "coll_check.h"

/* Elements at a time, so that what is compared stays in the caches. */
#define CHUNK 512u
/* No letter of any alphabet of floats, so that what was never written is wrong. */
#define RUBBISH 0xa5

static uint64_t blocks(bool many, uint32_t ranks)
{
	return many ? ranks : 1;
}

void coll_round_place(struct coll_round *c, char *const buffer[2][VN_MAX_CHIPS])
{
	const struct coll_job *j = c->job;
	uint64_t block = j->count * c->letters->size;
	uint32_t r;

	for (r = 0; r < c->ranks; r++) {
		c->send[r] = buffer[0][r];
		c->recv[r] = buffer[1][r];
		/* Who has no output sends as ever. */
		if (!j->in_place || (j->op->rooted && coll_op_blocks(j->op) && r != j->root))
			continue;
		if (j->op->recv_blocks && !j->op->send_blocks)
			c->send[r] = c->recv[r] + r * block;
		else if (j->op->send_blocks && !j->op->recv_blocks)
			c->recv[r] = c->send[r] + r * block;
		else
			c->recv[r] = c->send[r];
	}
}

void coll_round_fill(const struct coll_round *c, uint32_t rank)
{
	const struct coll_operation *op = c->job->op;
	uint64_t count = c->job->count;

	/* In place, inputs come on top. */
	memset(c->recv[rank], RUBBISH,
	       blocks(op->recv_blocks, c->ranks) * count * c->letters->size);
	coll_letters_write(c->letters, c->send[rank], rank, c->round, 0,
			   blocks(op->send_blocks, c->ranks) * count);
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

static uint64_t wrong_rank(const struct coll_round *c, uint32_t rank)
{
	const struct coll_job *j = c->job;
	struct coll_source s;
	uint64_t wrong = 0;
	uint32_t b;

	for (b = 0; b < blocks(j->op->recv_blocks, c->ranks); b++) {
		s = coll_op_source(j->op, c->ranks, j->root, j->count, rank, b);
		/* What stays in place is the input. */
		if (s.kept && c->recv[rank] == c->send[rank])
			s.kept = false;
		wrong += wrong_moved(c, rank, b * j->count, &s, j->count);
	}
	return wrong;
}

static uint64_t wrong_block(const struct coll_round *c, uint32_t rank)
{
	uint64_t count = c->job->count, want[CHUNK], wrong = 0, i;
	uint32_t size = c->letters->size, m, r;
	int64_t acc[CHUNK];

	for (i = 0; i < count; i += m) {
		m = count - i < CHUNK ? (uint32_t)(count - i) : CHUNK;
		for (r = 0; r < c->ranks; r++)
			coll_letters_fold(c->letters, acc, !r, r, c->round, rank * count + i, m);
		coll_letters_encode(c->letters, want, acc, c->ranks, m);
		wrong += coll_wrong(c->recv[rank] + i * size, want, m, size);
	}
	return wrong;
}

/* All ranks' outputs, elements i to i + n - 1: the fold grows by rank after rank. */
static uint64_t wrong_chunk(const struct coll_round *c, uint64_t i, uint32_t n)
{
	const struct coll_operation *op = c->job->op;
	uint64_t want[CHUNK], wrong = 0;
	uint32_t size = c->letters->size, r;
	int64_t acc[CHUNK];

	for (r = 0; r < c->ranks; r++) {
		if (op->op == VN_EXSCAN && r)
			wrong += coll_wrong(c->recv[r] + i * size, want, n, size);
		coll_letters_fold(c->letters, acc, !r, r, c->round, i, n);
		if (op->makes == COLL_PREFIX || r + 1 == c->ranks)
			coll_letters_encode(c->letters, want, acc, r + 1, n);
		if (op->op == VN_SCAN)
			wrong += coll_wrong(c->recv[r] + i * size, want, n, size);
	}
	for (r = 0; op->makes == COLL_FOLD && r < c->ranks; r++)
		if (coll_op_writes(op, c->job->root, r))
			wrong += coll_wrong(c->recv[r] + i * size, want, n, size);
	return wrong;
}

uint64_t coll_round_wrong(const struct coll_round *c, uint32_t part, uint32_t parts)
{
	const struct coll_operation *op = c->job->op;
	uint64_t first = c->job->count * part / parts, end = c->job->count * (part + 1) / parts;
	uint64_t wrong = 0, i, n;
	uint32_t r;

	for (r = part; r < c->ranks; r += parts) {
		if (op->makes == COLL_FOLD_BLOCK)
			wrong += wrong_block(c, r);
		else if (op->makes == COLL_MOVED || !coll_op_writes(op, c->job->root, r))
			wrong += wrong_rank(c, r);
	}
	for (i = first; (op->makes == COLL_FOLD || op->makes == COLL_PREFIX) && i < end; i += n) {
		n = end - i < CHUNK ? end - i : CHUNK;
		wrong += wrong_chunk(c, i, (uint32_t)n);
	}
	return wrong;
}
