/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is under way on each chip while a script is drawn. Two accesses to the same
 * bytes, of which one writes, need an order: that of a communicator, that of a queue,
 * or a wait in between.
 */
#ifndef RANDOM_FLIGHT_H
#define RANDOM_FLIGHT_H

#include "script.h"

struct access {
	struct range range;
	bool writes;
	bool fresh; /* of the step that is being drawn */
	const struct team *team; /* NULL: a descriptor */
	int queue;
};

struct flight {
	struct access *a;
	uint32_t n, room;
	struct range last; /* that was written */
	uint32_t descriptors[QUEUES]; /* not waited for */
	bool started[TEAMS]; /* something, since the last wait */
};

struct drawing {
	struct script *s;
	struct dice dice;
	struct flight of[CHIPS];
	uint16_t owner[CHIPS]; /* now */
	bool side_by_side; /* a queue may be that of another chip of the thread */
	bool loose;
	uint32_t grouped; /* steps until the group ends */
	uint32_t alive; /* communicators */
	uint32_t most, batch, longest; /* of those; between waits; bytes */
	uint32_t hosts; /* percent of buffers in host memory */
	struct step **kept; /* persistent operations */
	uint32_t nkept;
};

static struct step *append(struct drawing *d, enum kind kind, struct team *team, int chip)
{
	struct step *step = script_alloc(d->s, sizeof(*step));

	step->kind = kind;
	step->team = team;
	step->chip = chip;
	step->number = d->s->nsteps;
	step->salt = roll64(&d->dice);
	step->loose = d->loose;
	script_append(&d->s->steps, &d->s->nsteps, step);
	return step;
}

static void note(struct drawing *d, uint32_t chip, const struct access *a)
{
	struct flight *f = &d->of[chip];

	if (!a->range.bytes)
		return;
	if (f->n == f->room) {
		f->room = 2 * f->room + 16;
		f->a = realloc(f->a, f->room * sizeof(*f->a));
		if (!f->a)
			abort();
	}
	f->a[f->n++] = *a;
}

/* They touch the same bytes, and nothing says which is first. */
static bool races(const struct access *a, const struct access *b)
{
	if (!overlap(&a->range, &b->range) || (!a->writes && !b->writes))
		return false;
	if (a->fresh && b->fresh)
		return true;
	return !(a->team && a->team == b->team) && !(a->queue >= 0 && a->queue == b->queue);
}

static const struct access *race(const struct drawing *d, uint32_t chip, const struct access *a)
{
	const struct flight *f = &d->of[chip];

	for (uint32_t i = 0; i < f->n; i++)
		if (races(a, &f->a[i]))
			return &f->a[i];
	return NULL;
}

/* The step is drawn: what it does is under way; or not, and it is not. */
static void fresh_done(struct drawing *d, bool drawn)
{
	for (uint32_t c = 0; c < d->s->chips; c++) {
		struct flight *f = &d->of[c];
		uint32_t n = 0;

		for (uint32_t i = 0; i < f->n; i++) {
			if (f->a[i].fresh && !drawn)
				continue;
			f->a[n] = f->a[i];
			f->a[n++].fresh = false;
		}
		f->n = n;
	}
}

/* Somebody else may be writing to it. */
static bool is_written(const struct flight *f, const struct range *r)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->a[i].writes && overlap(&f->a[i].range, r))
			return true;
	return false;
}

static void look_at(struct drawing *d, struct step *step, uint32_t chip, const struct range *r)
{
	struct look *looks;

	for (uint32_t i = 0; i < step->n; i++)
		if (!memcmp(&step->looks[i].range, r, sizeof(*r)))
			return;
	if (!(step->n & (step->n - 1))) {
		looks = script_alloc(d->s, (step->n ? 2 * step->n : 1) * sizeof(*looks));
		if (step->n)
			memcpy(looks, step->looks, step->n * sizeof(*looks));
		step->looks = looks;
	}
	looks = &step->looks[step->n++];
	looks->range = *r;
	looks->want = script_alloc(d->s, r->bytes);
	memcpy(looks->want, model_at(d->s, chip, r), r->bytes);
}

/* What a wait ends is no longer under way; what that wrote is looked at. */
static void landed(struct drawing *d, struct step *step, uint32_t chip, const struct team *team,
		   int queue)
{
	struct flight *f = &d->of[chip];
	struct access *done = calloc(f->n + 1, sizeof(*done));
	uint32_t n = 0, left = 0;

	if (!done)
		abort();
	for (uint32_t i = 0; i < f->n; i++) {
		if (!f->a[i].fresh && (team ? f->a[i].team == team : f->a[i].queue == queue))
			done[n++] = f->a[i];
		else
			f->a[left++] = f->a[i];
	}
	f->n = left;
	for (uint32_t i = 0; i < n; i++)
		if (done[i].writes && !is_written(f, &done[i].range))
			look_at(d, step, chip, &done[i].range);
	free(done);
}

static void draw_wait(struct drawing *d, uint32_t chip, struct team *team)
{
	landed(d, append(d, WAIT, team, (int)chip), chip, team, NO_STREAM);
	d->of[chip].started[team->number % TEAMS] = false;
}

/* Of a queue, whoever uses it. */
static void draw_sync(struct drawing *d, int queue)
{
	uint32_t chip = (uint32_t)queue / QUEUES;
	struct step *step = append(d, SYNC, NULL, (int)chip);

	step->stream = script_alloc(d->s, sizeof(*step->stream));
	*step->stream = (int16_t)queue;
	landed(d, step, chip, NULL, queue);
	d->of[chip].descriptors[(uint32_t)queue % QUEUES] = 0;
	for (uint32_t c = 0; c < d->s->chips && d->side_by_side; c++)
		if (c != chip && d->owner[c] == d->owner[chip])
			landed(d, append(d, LOOK, NULL, (int)c), c, NULL, queue);
}

/* Nothing is under way on a chip. */
static void draw_quiet(struct drawing *d, uint32_t chip)
{
	struct flight *f = &d->of[chip];

	for (uint32_t i = roll(&d->dice, d->s->nteams + 1), n = 0; n < d->s->nteams; n++) {
		struct team *t = d->s->teams[(i + n) % d->s->nteams];

		if (!t->ended && t->rank[chip] >= 0 && f->started[t->number % TEAMS])
			draw_wait(d, chip, t);
	}
	for (uint32_t q = 0; q < QUEUES; q++)
		if (f->descriptors[q])
			draw_sync(d, (int)(chip * QUEUES + q));
}

/* Waits for whatever an access must not meet. false: there is something of the same step. */
static bool make_way(struct drawing *d, uint32_t chip, const struct access *a)
{
	const struct access *other;

	while ((other = race(d, chip, a))) {
		if (other->fresh || d->grouped)
			return false;
		if (other->team && (other->queue < 0 || chance(&d->dice, 50)))
			draw_wait(d, chip, (struct team *)other->team);
		else
			draw_sync(d, other->queue);
	}
	return true;
}

/* All of a chip's memory of one kind. */
static struct range everywhere(const struct script *s, bool host)
{
	return (struct range){ .at = MARGIN, .bytes = s->room - 2 * MARGIN, .host = host };
}

/* What an access does is under way, as soon as nothing is in its way. */
static bool claim(struct drawing *d, uint32_t chip, struct access *a)
{
	a->fresh = true;
	if (!make_way(d, chip, a))
		return false;
	note(d, chip, a);
	return true;
}

/* A place of `bytes` within a range, if possible where nothing is in the way. */
static bool claim_in(struct drawing *d, uint32_t chip, const struct range *in, uint64_t bytes,
		     uint32_t align, struct access *a)
{
	if (bytes > in->bytes)
		return false;
	a->range.bytes = (uint32_t)bytes;
	a->range.host = in->host;
	a->fresh = true;
	for (uint32_t tries = 0; tries < 12; tries++) {
		a->range.at =
			in->at + roll(&d->dice, in->bytes - (uint32_t)bytes + 1) / align * align;
		if (!race(d, chip, a))
			break;
	}
	return claim(d, chip, a);
}

#endif
