/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Steps of a script as text, with all that they are called with. */
#ifndef RANDOM_SAY_H
#define RANDOM_SAY_H

#include "shape.h"

static const char *const kind_names[KINDS] = {
	[MAKE] = "make",
	[END] = "destroy",
	[OPERATE] = "collective",
	[EXCHANGE] = "exchange",
	[ONE_SIDED] = "one-sided",
	[WINDOW] = "register window",
	[NO_WINDOW] = "deregister window",
	[KEEP] = "op_init",
	[LAUNCH] = "op_launch",
	[FORGET] = "op_free",
	[GROUP] = "group_start",
	[GROUP_END] = "group_end",
	[COPY] = "descriptor",
	[WAIT] = "wait",
	[SYNC] = "queue_sync",
	[STATUS] = "op_status",
	[WRITE] = "CPU writes",
	[LOOK] = "look",
	[HAND] = "hand over",
	[ABORT] = "abort",
};

struct text {
	char *at;
	size_t left;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->at, t->left, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= t->left)
		n = t->left ? (int)t->left - 1 : 0;
	t->at += n;
	t->left -= (size_t)n;
}

static void say_range(struct text *t, const char *what, const struct range *r)
{
	say(t, ", %s %u bytes of %s at %u", what, r->bytes, r->host ? "host memory" : "HBM", r->at);
}

static void say_stream(struct text *t, const struct script *s, const struct step *step, uint32_t i)
{
	if (!step->stream || step->stream[i] < 0)
		say(t, ", stream NULL");
	else
		say(t, ", stream queue %u of chip %u", (uint32_t)step->stream[i] % QUEUES,
		    s->chip[(uint32_t)step->stream[i] / QUEUES]);
}

static void say_team(struct text *t, const struct script *s, const struct team *team)
{
	say(t, " [communicator %u: %u ranks on chips", team->number, team->ranks);
	for (uint32_t r = 0; r < team->ranks && r < 12; r++)
		say(t, "%s%u", r ? "," : " ", s->chip[team->chip[r]]);
	say(t, "%s, way %s, %s costs%s%s]", team->ranks > 12 ? ",..." : "", vn_way_name(team->way),
	    team->costs ? "random" : "usual", team->check ? ", checking" : "",
	    team->by_one ? ", made by one thread" : "");
}

static void say_counts(struct text *t, const char *what, const size_t *n, uint32_t ranks)
{
	say(t, ", %s", what);
	for (uint32_t r = 0; r < ranks && r < 12; r++)
		say(t, "%s%zu", r ? "," : " ", n[r]);
}

static void say_call(struct text *t, const struct team *team, const struct call *c, uint32_t r)
{
	const struct buffers *b = &c->of[r];
	uint32_t p = team->ranks;

	say(t, " %s, %s", vn_coll_name(c->op), vn_type_name(c->type));
	if (folds(c->op))
		say(t, ", %s", vn_redop_name(c->redop));
	if (has_root(c->op))
		say(t, ", root %u", c->root);
	if (c->blocks) {
		say_counts(t, "sends", &c->blocks->n[r * p], p);
		say_counts(t, "at", &c->blocks->sent_at[r * p], p);
		say_counts(t, "receives", &c->blocks->by_to[r * p], p);
		say_counts(t, "at", &c->blocks->received_at[r * p], p);
	} else {
		say(t, ", count %llu", (unsigned long long)c->count);
	}
	for (uint32_t i = 0; c->to && i < p && i < 12; i++)
		say(t, "%s%d", i ? "," : ", to ", c->to[i]);
	say(t, ", way %s, rank %u%s", vn_way_name(c->way), r, b->in_place ? ", in place" : "");
	say_range(t, "sends", &b->send);
	say_range(t, "receives", &b->recv);
	if (b->scalar.bytes)
		say_range(t, "scalar", &b->scalar);
}

static void say_message(struct text *t, const struct message *m)
{
	say(t, "; %s rank %u to %u, %u %s, signal %u", vn_coll_name(m->op), m->from, m->to,
	    m->count, vn_type_name(m->type), m->signal);
	say_range(t, "here", &m->here);
	say_range(t, "there", &m->there);
}

/* What the rank (of a step of one chip: that chip) does in it. */
static void say_step(struct text *t, const struct script *s, const struct step *step, uint32_t r)
{
	say(t, "step %u: %s", step->number, kind_names[step->kind]);
	if (step->chip >= 0)
		say(t, " on chip %u", s->chip[step->chip]);
	if (step->chip >= 0 && step->team)
		say(t, ", rank %d", step->team->rank[step->chip]);
	if (step->call)
		say_call(t, step->team, step->call, r);
	if (step->stream)
		say_stream(t, s, step, step->chip >= 0 ? 0 : r);
	if (step->kind == COPY && step->from.bytes)
		say_range(t, "from", &step->from);
	if (step->kind == COPY || step->kind == WRITE)
		say_range(t, "to", &step->to);
	for (uint32_t i = 0; step->messages && i < step->n; i++)
		if (step->messages[i].from == r || step->messages[i].to == r)
			say_message(t, &step->messages[i]);
	if (step->team)
		say_team(t, s, step->team);
}

/* The step writes that byte of a chip; rank: as which one. */
static bool writes_to(const struct step *step, uint32_t chip, const struct range *byte,
		      uint32_t *rank)
{
	int r = step->team ? step->team->rank[chip] : 0;

	*rank = (uint32_t)r;
	if ((step->chip >= 0 && step->chip != (int)chip) || r < 0)
		return false;
	if (step->kind == COPY || step->kind == WRITE)
		return overlap(&step->to, byte);
	if (step->kind == OPERATE || step->kind == LAUNCH)
		return overlap(&step->call->of[r].recv, byte);
	for (uint32_t i = 0; step->messages && i < step->n; i++) {
		const struct message *m = &step->messages[i];

		if (m->op == VN_GET ? m->from == *rank && overlap(&m->here, byte)
				    : m->to == *rank && overlap(&m->there, byte))
			return true;
	}
	return false;
}

/* The last step up to this one that had to write there. */
static void say_writer(struct text *t, const struct script *s, const struct step *now,
		       uint32_t chip, const struct range *byte)
{
	uint32_t rank;

	for (uint32_t i = now->number + 1; i-- > 0;) {
		if (!writes_to(s->steps[i], chip, byte, &rank))
			continue;
		say_step(t, s, s->steps[i], rank);
		return;
	}
	say(t, "nothing: it is as it was in the beginning");
}

#endif
