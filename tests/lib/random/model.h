/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What steps do to memory, worked out one after the other with copies and the
 * oracle of reductions; nothing of the library's.
 */
#ifndef RANDOM_MODEL_H
#define RANDOM_MODEL_H

#include "../../reduce_oracle.h"
#include "shape.h"

/* What ranks send, as it was before anything was received. */
struct inputs {
	uint8_t *of[CHIPS];
	uint64_t scalar[CHIPS];
};

static void inputs_take(const struct script *s, const struct team *t, const struct call *c,
			struct inputs *in)
{
	for (uint32_t r = 0; r < t->ranks; r++) {
		const struct buffers *b = &c->of[r];

		in->of[r] = malloc(b->send.bytes + 1);
		if (!in->of[r])
			abort();
		memcpy(in->of[r], model_at(s, t->chip[r], &b->send), b->send.bytes);
		in->scalar[r] = b->value;
		memcpy(&in->scalar[r], model_at(s, t->chip[r], &b->scalar), b->scalar.bytes);
	}
}

/* The fold of the first n ranks' blocks for rank `to`. */
static void model_fold(const struct team *t, const struct call *c, const struct inputs *in,
		       uint32_t n, uint32_t to, uint8_t *dst)
{
	const void *src[CHIPS];
	struct oracle o = { (uint8_t)c->type, (uint8_t)c->redop, src, in->scalar };
	uint64_t count = block_of(c, t->ranks, c->root, to);
	uint32_t es = oracle_size((uint8_t)c->type);

	for (uint32_t r = 0; r < n; r++)
		src[r] = in->of[r] + block_sent_at(c, t->ranks, r, to) * es;
	for (uint64_t i = 0; i < count; i++)
		oracle_reduce(&o, dst, n, i);
}

static void model_folds(struct script *s, const struct team *t, const struct call *c,
			const struct inputs *in)
{
	const uint8_t *first = NULL;

	for (uint32_t r = 0; r < t->ranks; r++) {
		const struct range *to = &c->of[r].recv;
		uint32_t n = c->op == VN_SCAN ? r + 1 : c->op == VN_EXSCAN ? r : t->ranks;
		uint8_t *dst = model_at(s, t->chip[r], to);

		if (!to->bytes)
			continue;
		if (c->op == VN_ALL_REDUCE && first)
			memcpy(dst, first, to->bytes);
		else
			model_fold(t, c, in, n, r, dst);
		first = dst;
	}
}

static void model_copies(struct script *s, const struct team *t, const struct call *c,
			 const struct inputs *in)
{
	uint32_t es = oracle_size((uint8_t)c->type), p = t->ranks, blocks, from;

	for (uint32_t r = 0; r < p; r++) {
		uint8_t *dst = model_at(s, t->chip[r], &c->of[r].recv);

		blocks = !rank_receives(c, r) ? 0 : receives_blocks(c->op) ? p : 1;
		for (uint32_t b = 0; b < blocks; b++) {
			from = receives_blocks(c->op) ? b
			       : c->op == VN_PERMUTE  ? sender_to(c, p, r)
						      : c->root;
			if (from < p)
				memcpy(dst + block_received_at(c, p, r, b) * es,
				       in->of[from] + block_sent_at(c, p, from, r) * es,
				       block_of(c, p, from, r) * es);
		}
	}
}

static void model_call(struct script *s, const struct team *t, const struct call *c)
{
	struct inputs in;

	if (c->op == VN_BARRIER)
		return;
	inputs_take(s, t, c, &in);
	if (folds(c->op))
		model_folds(s, t, c, &in);
	else
		model_copies(s, t, c, &in);
	for (uint32_t r = 0; r < t->ranks; r++)
		free(in.of[r]);
}

/* Messages of a step go to places that none of them comes from. */
static void model_message(struct script *s, const struct team *t, const struct message *m)
{
	uint8_t *here = model_at(s, t->chip[m->from], &m->here);
	uint8_t *there = model_at(s, t->chip[m->to], &m->there);

	if (m->op == VN_GET)
		memcpy(here, there, m->here.bytes);
	else
		memcpy(there, here, m->here.bytes);
}

#endif
