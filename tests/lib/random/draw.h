/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Draws a script: who takes part, and step after step, with what memory holds then. */
#ifndef RANDOM_DRAW_H
#define RANDOM_DRAW_H

#include "draw_pair.h"

/* Descriptors of a queue that nobody has waited for. */
#define DESCRIPTORS 16u

/* false: it can't be drawn now. */
typedef bool draw_fn(struct drawing *d);

/* ---- communicators ----------------------------------------------------------------- */

static bool one_drives_two(const struct drawing *d, const struct team *t)
{
	for (uint32_t a = 0; a < t->ranks; a++)
		for (uint32_t b = a + 1; b < t->ranks; b++)
			if (d->owner[t->chip[a]] == d->owner[t->chip[b]])
				return true;
	return false;
}

static bool draw_make(struct drawing *d)
{
	bool joins[CHIPS] = { false };
	struct team *t;
	uint32_t other;

	if (d->alive >= d->most)
		return false;
	t = script_alloc(d->s, sizeof(*t));
	t->number = d->s->nteams;
	t->ranks = chance(&d->dice, 40) ? d->s->chips : between(&d->dice, 1, d->s->chips);
	/* One alone is soon tried. */
	t->ranks = t->ranks == 1 && chance(&d->dice, 70) ? d->s->chips : t->ranks;
	for (uint32_t c = 0; c < d->s->chips; c++) {
		other = roll(&d->dice, c + 1);
		t->chip[c] = t->chip[other];
		t->chip[other] = (uint16_t)c;
		t->rank[c] = -1;
	}
	for (uint32_t r = 0; r < t->ranks; r++)
		t->rank[t->chip[r]] = (int16_t)r;
	t->by_one = one_drives_two(d, t) || chance(&d->dice, 20);
	t->check = chance(&d->dice, 25);
	t->listed = chance(&d->dice, 30);
	t->way = chance(&d->dice, 60) ? VN_WAY_AUTO : (enum vn_way)roll(&d->dice, VN_WAY_COUNT);
	t->costs = chance(&d->dice, 50) ? roll64(&d->dice) | 1 : 0;
	for (uint32_t r = 0; r < t->ranks && !t->by_one; r++)
		joins[d->owner[t->chip[r]]] = true;
	/* Who waits for the others to come works on nothing else. */
	for (uint32_t c = 0; c < d->s->chips; c++)
		if (joins[d->owner[c]])
			draw_quiet(d, c);
	script_append(&d->s->teams, &d->s->nteams, t);
	d->alive++;
	append(d, MAKE, t, -1);
	return true;
}

static bool draw_end(struct drawing *d)
{
	struct team *t = some_team(d);
	bool before = chance(&d->dice, 50);
	uint32_t n = 0;

	if (!t)
		return false;
	for (uint32_t r = 0; before && r < t->ranks; r++)
		draw_wait(d, t->chip[r], t);
	for (uint32_t i = 0; i < d->nkept; i++)
		if (d->kept[i]->team != t)
			d->kept[n++] = d->kept[i];
	d->nkept = n;
	t->ended = true;
	d->alive--;
	append(d, END, t, -1);
	for (uint32_t r = 0; !before && r < t->ranks; r++)
		landed(d, append(d, LOOK, NULL, t->chip[r]), t->chip[r], t, NO_STREAM);
	return true;
}

/* ---- collectives ------------------------------------------------------------------- */

static bool draw_operate(struct drawing *d)
{
	struct team *t = some_team(d);
	int16_t *stream = draw_streams(d, t);
	struct call *c = draw_call(d, t, stream);
	struct step *step;

	if (!c)
		return false;
	step = append_started(d, OPERATE, t);
	step->call = c;
	step->stream = stream;
	model_call(d->s, t, c);
	return true;
}

static bool draw_keep(struct drawing *d)
{
	struct team *t = some_team(d);
	struct call *c = draw_call(d, t, draw_streams(d, t));
	struct step *step;

	if (!c)
		return false;
	/* Nothing moves yet. */
	fresh_done(d, false);
	c->kept = script_alloc(d->s, t->ranks * sizeof(*c->kept));
	step = append_started(d, KEEP, t);
	step->call = c;
	d->kept = realloc(d->kept, (d->nkept + 1) * sizeof(*d->kept));
	if (!d->kept)
		abort();
	d->kept[d->nkept++] = step;
	return true;
}

static bool draw_launch(struct drawing *d)
{
	struct step *kept = d->nkept ? d->kept[roll(&d->dice, d->nkept)] : NULL, *step;
	int16_t *stream;

	if (!kept)
		return draw_keep(d);
	stream = draw_streams(d, kept->team);
	for (uint32_t r = 0; r < kept->team->ranks; r++)
		if (!claim_again(d, kept->team, kept->call, r, stream[r]))
			return false;
	step = append_started(d, LAUNCH, kept->team);
	step->call = kept->call;
	step->stream = stream;
	model_call(d->s, kept->team, kept->call);
	return true;
}

static bool draw_forget(struct drawing *d)
{
	uint32_t i = d->nkept ? roll(&d->dice, d->nkept) : 0;

	if (!d->nkept)
		return false;
	append(d, FORGET, d->kept[i]->team, -1)->call = d->kept[i]->call;
	d->kept[i] = d->kept[--d->nkept];
	return true;
}

/* ---- of one chip ---------------------------------------------------------------------- */

static bool draw_copy(struct drawing *d)
{
	uint32_t chip = roll(&d->dice, d->s->chips), i = roll(&d->dice, QUEUES);
	int queue = (int)(chip * QUEUES + i);
	struct access from = { .queue = queue }, to = { .writes = true, .queue = queue };
	struct range in = everywhere(d->s, false);
	uint64_t bytes = draw_count(d, d->longest);
	bool fill = chance(&d->dice, 30);
	struct step *step;

	if (d->of[chip].descriptors[i] == DESCRIPTORS)
		draw_sync(d, queue);
	if ((!fill && !claim_buffer(d, chip, bytes, 1, false, &from)) ||
	    !claim_in(d, chip, &in, bytes, 1, &to))
		return false;
	if (!fill && from.range.host)
		return false;
	step = append(d, COPY, NULL, (int)chip);
	step->stream = script_alloc(d->s, sizeof(*step->stream));
	*step->stream = (int16_t)queue;
	step->from = from.range;
	step->to = to.range;
	if (fill)
		memset(model_at(d->s, chip, &to.range), (uint8_t)step->salt, bytes);
	else
		memcpy(model_at(d->s, chip, &to.range), model_at(d->s, chip, &from.range), bytes);
	d->of[chip].descriptors[i]++;
	return true;
}

static bool draw_write(struct drawing *d)
{
	uint32_t chip = roll(&d->dice, d->s->chips);
	struct access a = { .writes = true, .queue = NO_STREAM };
	struct range in = everywhere(d->s, chance(&d->dice, 20));
	struct step *step;

	if (!claim_in(d, chip, &in, 1 + draw_count(d, d->longest), 1, &a))
		return false;
	/* It is done at once. */
	fresh_done(d, false);
	step = append(d, WRITE, NULL, (int)chip);
	step->to = a.range;
	scribble(model_at(d->s, chip, &a.range), a.range.bytes, step->salt);
	return true;
}

static bool draw_status(struct drawing *d)
{
	struct team *t = some_team(d);

	append(d, STATUS, t, t->chip[roll(&d->dice, t->ranks)])->n = between(&d->dice, 1, 16);
	return true;
}

static bool draw_group(struct drawing *d)
{
	d->grouped = 1 + between(&d->dice, 1, 12);
	append(d, GROUP, NULL, -1)->n = between(&d->dice, 1, 2);
	return true;
}

/* A chip, which has nothing under way, is another thread's from here on. */
static bool draw_hand(struct drawing *d)
{
	uint32_t chip = roll(&d->dice, d->s->chips), to = roll(&d->dice, d->s->threads);

	if (d->side_by_side || to == d->owner[chip])
		return false;
	draw_quiet(d, chip);
	append(d, HAND, NULL, (int)chip)->n = to;
	d->owner[chip] = (uint16_t)to;
	return true;
}

/* For some of what is under way. */
static void draw_waits(struct drawing *d)
{
	uint32_t kind = roll(&d->dice, 10), chip = roll(&d->dice, d->s->chips);
	struct team *t = some_team(d);

	if (!t || kind == 9) {
		for (uint32_t c = 0; c < d->s->chips; c++)
			draw_quiet(d, c);
	} else if (kind < 4) {
		for (uint32_t r = 0; r < t->ranks; r++)
			draw_wait(d, t->chip[r], t);
	} else if (kind < 7) {
		draw_wait(d, t->chip[roll(&d->dice, t->ranks)], t);
	} else if (kind < 8) {
		draw_sync(d, (int)(chip * QUEUES + roll(&d->dice, QUEUES)));
	} else {
		draw_quiet(d, chip);
	}
}

/* ---- all of it ------------------------------------------------------------------------ */

static const struct choice {
	uint32_t weight;
	draw_fn *draw;
	bool grouped; /* also in a group */
} choices[] = {
	{ 4, draw_make, false },  { 2, draw_end, false },      { 50, draw_operate, true },
	{ 4, draw_keep, true },	  { 12, draw_launch, true },   { 2, draw_forget, false },
	{ 1, draw_window, true }, { 10, draw_exchange, true }, { 8, draw_one_sided, true },
	{ 8, draw_copy, false },  { 12, draw_write, false },   { 3, draw_status, false },
	{ 4, draw_group, false }, { 2, draw_hand, false },
};

static void draw_step(struct drawing *d)
{
	const struct choice *c;
	uint32_t all = 0, at;
	bool drawn;

	for (uint32_t i = 0; i < COUNT(choices); i++)
		all += choices[i].weight;
	do {
		at = roll(&d->dice, all);
		for (c = choices; at >= c->weight; c++)
			at -= c->weight;
	} while (d->grouped && !c->grouped);
	/* There must be one for what comes. */
	drawn = !d->alive ? draw_make(d) : c->draw(d);
	fresh_done(d, drawn);
	if (d->grouped && !--d->grouped)
		append(d, GROUP_END, NULL, -1);
	if (drawn && !d->grouped && !roll(&d->dice, d->batch))
		draw_waits(d);
}

/* The end of a communicator that is aborted, whatever it is about. */
static void draw_abort(struct drawing *d)
{
	struct team *t = some_team(d);
	draw_fn *const draws[] = { draw_operate, draw_launch, draw_exchange };

	d->loose = true;
	for (uint32_t i = between(&d->dice, 0, 30); i > 0; i--)
		fresh_done(d, draws[roll(&d->dice, COUNT(draws))](d));
	append(d, ABORT, t, -1);
}

static void draw_last(struct drawing *d)
{
	uint32_t left = chance(&d->dice, 30);

	if (d->grouped)
		append(d, GROUP_END, NULL, -1);
	d->grouped = 0;
	for (uint32_t c = 0; c < d->s->chips; c++)
		draw_quiet(d, c);
	while (d->alive > left)
		draw_end(d);
	for (uint32_t c = 0; c < d->s->chips; c++) {
		struct step *step = append(d, LOOK, NULL, (int)c);

		for (int host = 0; host < 2; host++)
			look_at(d, step, c, &(struct range){ 0, d->s->room, host });
	}
	if (d->alive)
		draw_abort(d);
}

#endif
