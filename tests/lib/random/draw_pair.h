/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Draws what two ranks have to do with each other: messages, windows, puts and gets. */
#ifndef RANDOM_DRAW_PAIR_H
#define RANDOM_DRAW_PAIR_H

#include "draw_call.h"

static struct team *some_team(struct drawing *d)
{
	uint32_t at = roll(&d->dice, d->s->nteams + 1);

	for (uint32_t i = 0; i < d->s->nteams; i++) {
		struct team *t = d->s->teams[(at + i) % d->s->nteams];

		if (!t->ended)
			return t;
	}
	return NULL;
}

static bool draw_window(struct drawing *d)
{
	struct team *t = some_team(d);

	if (t->windows && d->grouped)
		return false;
	if (t->windows) {
		/* Nobody is about to reach into it. */
		struct step *step = append_started(d, OPERATE, t);

		step->call = script_alloc(d->s, sizeof(*step->call));
		step->call->op = VN_BARRIER;
		step->call->of = script_alloc(d->s, t->ranks * sizeof(*step->call->of));
		step->stream = draw_streams(d, t);
		append(d, NO_WINDOW, t, -1);
		t->windows = NULL;
		return true;
	}
	t->windows = script_alloc(d->s, t->ranks * sizeof(*t->windows));
	for (uint32_t r = 0; r < t->ranks; r++) {
		struct range all = everywhere(d->s, chance(&d->dice, 30));
		uint32_t skip = roll(&d->dice, all.bytes) / 8 * 8;

		all.at += skip;
		all.bytes = roll(&d->dice, all.bytes - skip + 1);
		t->windows[r] = all;
	}
	append_started(d, WINDOW, t)->windows = t->windows;
	return true;
}

static bool claim_message(struct drawing *d, struct team *t, struct message *m,
			  const int16_t *stream, bool one_sided)
{
	uint32_t es = oracle_size((uint8_t)m->type), from = t->chip[m->from], to = t->chip[m->to];
	struct range in = everywhere(d->s, chance(&d->dice, 20));
	struct range at = one_sided ? t->windows[m->to] : everywhere(d->s, chance(&d->dice, 20));
	struct access here = { .writes = m->op == VN_GET, .team = t, .queue = stream[m->from] };
	struct access there = { .writes = m->op != VN_GET, .team = t, .queue = stream[m->to] };
	uint64_t bytes = (uint64_t)m->count * es;

	if (bytes > at.bytes) {
		m->count = at.bytes / es;
		bytes = (uint64_t)m->count * es;
	}
	if (!claim_in(d, from, &in, bytes, es, &here) || !claim_in(d, to, &at, bytes, es, &there))
		return false;
	m->here = here.range;
	m->there = there.range;
	m->offset = there.range.at - at.at;
	if (there.writes && bytes)
		d->of[to].last = there.range;
	return true;
}

static bool draw_messages(struct drawing *d, enum kind kind)
{
	struct team *t = some_team(d);
	uint32_t n = between(&d->dice, 1, t->ranks > 8 ? 16 : 2 * t->ranks);
	struct message *all = script_alloc(d->s, n * sizeof(*all));
	int16_t *stream = draw_streams(d, t);
	struct step *step;

	if (kind == ONE_SIDED && !t->windows)
		return draw_window(d);
	for (uint32_t i = 0; i < n; i++) {
		struct message *m = &all[i];

		m->op = kind == EXCHANGE ? VN_SEND : chance(&d->dice, 50) ? VN_PUT : VN_GET;
		m->type = (enum vn_type)roll(&d->dice, VN_TYPE_COUNT);
		m->from = roll(&d->dice, t->ranks);
		m->to = chance(&d->dice, 40) ? (m->from + 1) % t->ranks : roll(&d->dice, t->ranks);
		m->signal = roll(&d->dice, VN_SIGNALS);
		m->count = (uint32_t)draw_count(d, d->longest / 2 / oracle_size((uint8_t)m->type));
		if (!claim_message(d, t, m, stream, kind == ONE_SIDED))
			return false;
	}
	step = append_started(d, kind, t);
	step->messages = all;
	step->n = n;
	step->stream = stream;
	for (uint32_t i = 0; i < n; i++)
		model_message(d->s, t, &all[i]);
	return true;
}

static bool draw_exchange(struct drawing *d)
{
	return draw_messages(d, EXCHANGE);
}

static bool draw_one_sided(struct drawing *d)
{
	return draw_messages(d, ONE_SIDED);
}

#endif
