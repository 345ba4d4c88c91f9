/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Draws what a collective is called with: any operation, type, length, place and way. */
#ifndef RANDOM_DRAW_CALL_H
#define RANDOM_DRAW_CALL_H

#include "flight.h"
#include "model.h"

/* What the oracle is asked to fold, elements; now and then so many. */
#define FOLDS 12000u
#define FOLDS_LONG 150000u

static uint64_t draw_count(struct drawing *d, uint64_t most)
{
	static const uint32_t upto[] = { 0, 1, 8, 64, 1000, 5000 };
	uint32_t kind = roll(&d->dice, 100);
	uint64_t n;

	n = kind < 5	? upto[0]
	    : kind < 12 ? upto[1]
	    : kind < 35 ? between(&d->dice, 1, upto[2])
	    : kind < 60 ? between(&d->dice, 1, upto[3])
	    : kind < 90 ? between(&d->dice, 1, upto[4])
	    : kind < 98 ? between(&d->dice, 1, upto[5])
			: roll(&d->dice, (uint32_t)most + 1);
	/* Odd ones are more trouble. */
	if (n > 1 && chance(&d->dice, 50))
		n |= 1;
	return n < most ? n : most;
}

static uint64_t longest_block(struct drawing *d, const struct call *c, uint32_t ranks)
{
	uint64_t blocks = sends_blocks(c->op) || receives_blocks(c->op) ? ranks : 1;
	/* In unequal blocks there may be gaps. */
	uint64_t most = d->longest / oracle_size((uint8_t)c->type) / blocks;
	uint64_t work = chance(&d->dice, 3) ? FOLDS_LONG : FOLDS;

	if (folds(c->op)) {
		work /= ranks * (c->op == VN_ALL_REDUCE || c->op == VN_REDUCE_TO ? 1 : ranks);
		most = most < work ? most : work;
	}
	return most;
}

/* ---- unequal blocks --------------------------------------------------------------- */

/* Blocks of one buffer, in some order, with gaps in between. */
static void lay_out(struct drawing *d, const size_t *n, size_t *at, uint32_t ranks, bool packed)
{
	uint32_t order[CHIPS], i, other;
	size_t end = 0;

	for (i = 0; i < ranks; i++)
		order[i] = i;
	for (i = ranks; !packed && i > 1; i--) {
		uint32_t was = order[i - 1];

		other = roll(&d->dice, i);
		order[i - 1] = order[other];
		order[other] = was;
	}
	for (i = 0; i < ranks; i++) {
		end += packed ? 0 : roll(&d->dice, 4);
		at[order[i]] = end;
		end += n[order[i]];
	}
}

/* Whether the blocks between two ranks are as long both ways. */
static void draw_lengths(struct drawing *d, struct call *c, uint32_t ranks, bool both_ways)
{
	uint64_t most = longest_block(d, c, ranks), one[CHIPS];
	size_t *n = c->blocks->n;

	/* Room for the gaps. */
	most = most > 4 ? most - 4 : 0;
	for (uint32_t r = 0; r < ranks; r++)
		one[r] = draw_count(d, most);
	for (uint32_t from = 0; from < ranks; from++) {
		for (uint32_t to = 0; to < ranks; to++) {
			size_t *here = &n[from * ranks + to];

			*here = c->op == VN_SCATTERV || c->op == VN_REDUCE_SCATTERV ? one[to]
										    : one[from];
			if (c->op == VN_ALL_TO_ALLV)
				*here = both_ways && to < from ? n[to * ranks + from]
							       : draw_count(d, most);
		}
	}
}

static void draw_blocks(struct drawing *d, struct call *c, uint32_t ranks, bool both_ways)
{
	size_t bytes = ranks * ranks * sizeof(size_t);
	struct blocks *b = script_alloc(d->s, sizeof(*b));

	c->blocks = b;
	b->n = script_alloc(d->s, bytes);
	b->by_to = script_alloc(d->s, bytes);
	b->sent_at = script_alloc(d->s, bytes);
	b->received_at = script_alloc(d->s, bytes);
	b->packed = chance(&d->dice, 30);
	draw_lengths(d, c, ranks, both_ways);
	for (uint32_t r = 0; r < ranks; r++) {
		size_t *sent = &b->sent_at[r * ranks], *received = &b->received_at[r * ranks];

		for (uint32_t from = 0; from < ranks; from++)
			b->by_to[r * ranks + from] = b->n[from * ranks + r];
		lay_out(d, &b->n[r * ranks], sent, ranks, b->packed);
		lay_out(d, &b->by_to[r * ranks], received, ranks, b->packed);
		if (both_ways)
			memcpy(received, sent, ranks * sizeof(*sent));
	}
}

/* ---- buffers ----------------------------------------------------------------------- */

enum placing { APART, TOGETHER, EITHER, PLACINGS };

static bool may_be_in_place(const struct call *c, uint32_t rank)
{
	bool only_root = c->op == VN_GATHER || c->op == VN_SCATTER || c->op == VN_GATHERV ||
			 c->op == VN_SCATTERV;

	return c->op != VN_BARRIER && (!only_root || rank == c->root);
}

/* A place for a buffer; often the one that was written last: who reads it must wait. */
static bool claim_buffer(struct drawing *d, uint32_t chip, uint64_t bytes, uint32_t es, bool host,
			 struct access *a)
{
	const struct range *last = &d->of[chip].last, in = everywhere(d->s, host);

	if (chance(&d->dice, 40) && last->bytes >= bytes && last->at % es == 0) {
		a->range = *last;
		a->range.bytes = (uint32_t)bytes;
		a->fresh = true;
		if (!race(d, chip, a))
			return claim(d, chip, a);
	}
	return claim_in(d, chip, &in, bytes, es, a);
}

static bool claim_together(struct drawing *d, const struct team *t, struct call *c, uint32_t r,
			   bool host, struct access *a)
{
	uint32_t es = oracle_size((uint8_t)c->type), p = t->ranks;
	uint64_t sent = sent_elements(c, p, r) * es, received = received_elements(c, p, r) * es;
	struct buffers *b = &c->of[r];

	a->writes = true;
	if (!claim_buffer(d, t->chip[r], sent > received ? sent : received, es, host, a))
		return false;
	b->in_place = true;
	b->send = b->recv = a->range;
	b->send.bytes = (uint32_t)sent;
	b->recv.bytes = (uint32_t)received;
	if (sends_blocks(c->op))
		b->recv.at += (uint32_t)in_place_at(c, p, r) * es;
	else
		b->send.at += (uint32_t)in_place_at(c, p, r) * es;
	return true;
}

static bool claim_buffers(struct drawing *d, const struct team *t, struct call *c, uint32_t r,
			  enum placing placing, int queue)
{
	uint32_t es = oracle_size((uint8_t)c->type), p = t->ranks, chip = t->chip[r];
	struct access a = { .team = t, .queue = queue };
	struct buffers *b = &c->of[r];
	bool host = chance(&d->dice, d->hosts), other = chance(&d->dice, d->hosts);
	struct range in = everywhere(d->s, other);

	if (c->redop == VN_PREMULSUM && folds(c->op) && chance(&d->dice, 50)) {
		if (!claim_in(d, chip, &in, es, es, &a))
			return false;
		b->scalar = a.range;
	} else {
		memcpy(&b->value, model_at(d->s, chip, &in), es);
	}
	if (placing == EITHER)
		placing = (enum placing)roll(&d->dice, 2);
	if (placing == TOGETHER && may_be_in_place(c, r))
		return claim_together(d, t, c, r, host, &a);
	if (!claim_buffer(d, chip, sent_elements(c, p, r) * es, es, host, &a))
		return false;
	b->send = a.range;
	a.writes = true;
	if (!claim_in(d, chip, &in, received_elements(c, p, r) * es, es, &a))
		return false;
	b->recv = a.range;
	return true;
}

/* The same buffers once more, for a persistent operation. */
static bool claim_again(struct drawing *d, const struct team *t, const struct call *c, uint32_t r,
			int queue)
{
	const struct buffers *b = &c->of[r];
	struct access send = { .range = b->send, .team = t, .queue = queue };
	struct access recv = { .range = b->recv, .writes = true, .team = t, .queue = queue };
	struct access scalar = { .range = b->scalar, .team = t, .queue = queue };

	if (b->in_place && b->send.bytes > b->recv.bytes)
		recv.range = b->send;
	return claim(d, t->chip[r], &scalar) && (b->in_place || claim(d, t->chip[r], &send)) &&
	       claim(d, t->chip[r], &recv);
}

/* ---- the call ---------------------------------------------------------------------- */

/* A queue of the chip, or of another one that the same thread drives. */
static int draw_queue(struct drawing *d, uint32_t chip)
{
	uint32_t at = chip;

	for (uint32_t i = 0; i < d->s->chips && d->side_by_side && chance(&d->dice, 50); i++)
		if (d->owner[i] == d->owner[chip])
			at = i;
	return (int)(at * QUEUES + roll(&d->dice, QUEUES));
}

/* None, all, or a mixture. */
static int16_t *draw_streams(struct drawing *d, const struct team *t)
{
	int16_t *to = script_alloc(d->s, t->ranks * sizeof(*to));
	uint32_t none = roll(&d->dice, 10);

	none = none < 6 ? 100 : none < 8 ? 0 : 40;
	for (uint32_t r = 0; r < t->ranks; r++) {
		to[r] = (int16_t)(chance(&d->dice, none) ? NO_STREAM : draw_queue(d, t->chip[r]));
		/* Two ranks on one queue: the second waits for the first, and it for both. */
		for (uint32_t i = 0; i < r; i++)
			to[r] = to[r] == to[i] ? NO_STREAM : to[r];
	}
	return to;
}

/* The ranks have something under way from here on. */
static struct step *append_started(struct drawing *d, enum kind kind, struct team *t)
{
	for (uint32_t r = 0; r < t->ranks; r++)
		d->of[t->chip[r]].started[t->number % TEAMS] = true;
	return append(d, kind, t, -1);
}

static void draw_permutation(struct drawing *d, struct call *c, uint32_t ranks)
{
	uint32_t holes = chance(&d->dice, 50) ? 30 : 0;
	int other, was;

	c->to = script_alloc(d->s, ranks * sizeof(*c->to));
	for (uint32_t r = 0; r < ranks; r++) {
		other = (int)roll(&d->dice, r + 1);
		was = c->to[other];
		c->to[r] = was;
		c->to[other] = (int)r;
	}
	for (uint32_t r = 0; r < ranks; r++)
		if (chance(&d->dice, holes))
			c->to[r] = -1;
}

static void draw_what(struct drawing *d, const struct team *t, struct call *c)
{
	c->op = (enum vn_coll)roll(&d->dice, VN_COLL_COUNT);
	c->type = (enum vn_type)roll(&d->dice, VN_TYPE_COUNT);
	c->way = chance(&d->dice, 50) ? VN_WAY_AUTO : (enum vn_way)roll(&d->dice, VN_WAY_COUNT);
	if (has_root(c->op))
		c->root = roll(&d->dice, t->ranks);
	do
		c->redop = (enum vn_redop)roll(&d->dice, VN_REDOP_COUNT);
	while (folds(c->op) && !oracle_reduces((uint8_t)c->type, (uint8_t)c->redop));
	if (c->op == VN_PERMUTE)
		draw_permutation(d, c, t->ranks);
	if (c->op != VN_BARRIER && !is_unequal(c->op))
		c->count = draw_count(d, longest_block(d, c, t->ranks));
}

/* Mostly the same as before: one thing may be another. */
static void draw_again(struct drawing *d, const struct team *t, struct call *c)
{
	*c = *t->before;
	c->kept = NULL;
	if (has_root(c->op) && chance(&d->dice, 20))
		c->root = roll(&d->dice, t->ranks);
	else if (c->count && chance(&d->dice, 20))
		c->count--;
	else if (!folds(c->op) && chance(&d->dice, 20))
		c->type = c->type == VN_UINT8 ? VN_INT8 : VN_UINT8;
}

/* NULL: there is no place for it now. */
static struct call *draw_call(struct drawing *d, struct team *t, const int16_t *stream)
{
	struct call *c = script_alloc(d->s, sizeof(*c));
	enum placing placing = (enum placing)roll(&d->dice, PLACINGS);

	if (t->before && !t->before->blocks && chance(&d->dice, 30))
		draw_again(d, t, c);
	else
		draw_what(d, t, c);
	c->of = script_alloc(d->s, t->ranks * sizeof(*c->of));
	/* A plan wants all in HBM. */
	d->hosts = chance(&d->dice, 60) ? 0 : 30;
	if (c->op == VN_ALL_TO_ALLV && placing == EITHER)
		placing = APART;
	if (is_unequal(c->op))
		draw_blocks(d, c, t->ranks, c->op == VN_ALL_TO_ALLV && placing == TOGETHER);
	for (uint32_t r = 0; r < t->ranks; r++)
		if (!claim_buffers(d, t, c, r, placing, stream[r]))
			return NULL;
	for (uint32_t r = 0; r < t->ranks; r++)
		if (c->of[r].recv.bytes)
			d->of[t->chip[r]].last = c->of[r].recv;
	t->before = c;
	return c;
}

#endif
