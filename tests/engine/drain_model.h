/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A state of the small machine of drain_model_test.c, and what must hold in each. */
#ifndef TEST_DRAIN_MODEL_H
#define TEST_DRAIN_MODEL_H

#include "../../kmod/engine/drain.h"
#include "../../lib/drain/journal.h"
#include "../tap.h"
#include "search.h"

#define SLEDS 4
#define CHIPS 4
#define NONE 0xff

enum { NOBODY, DRAINS, BRINGS_BACK };
enum { NOTHING, IS_OUT, IS_BACK };

/* Bytes only: no padding. */
struct model {
	struct {
		u8 state;
		u8 session; /* who is at it */
		u8 was; /* before it was to come back */
		u8 off; /* somebody has called it off */
		u8 broken; /* a sled that its chips go to was lost */
		u8 late; /* writers did not get out in time */
		u8 fence;
		u8 intent; /* the journal knows that it is to be drained */
		u8 lost; /* and what was in its chips with it */
		u8 durable; /* what the journal says */
		u8 told; /* since it was last taken out, or came back */
	} sled[SLEDS];
	/* A page for each chip. */
	struct {
		u8 slot, to; /* to: slot taken for it, or NONE */
		u8 moved; /* its page is the copy */
		u8 dirty; /* to be copied, as far as is known */
		u8 same; /* the copy is as the page */
	} chip[CHIPS];
	u8 record_of, record; /* on its way to the journal; NONE: nothing is */
	u8 hurt; /* a sled was lost, since all were in service */
	u8 epoch; /* 0 in every state: only steps are looked at */
	u8 zero[4];
};

_Static_assert(sizeof(struct model) % 8 == 0, "whole words");

static struct vn_switch shape;
static bool bare; /* no sled is lost, no host goes down: fewer states */
static struct search search;
static bool taken[VN_SLED_STATES][VN_SLED_STATES]; /* edges */
static const char *wrong; /* the first thing, and where */
static struct model wrong_in;

/* ---- asking --------------------------------------------------------------------- */

static u32 sleds(void)
{
	return vn_switch_sleds(&shape);
}

static u32 sled_of(u32 slot)
{
	return vn_switch_sled(&shape, slot);
}

static bool on(const struct model *m, u32 chip, u32 sled)
{
	return sled_of(m->chip[chip].slot) == sled;
}

static bool moves(const struct model *m, u32 chip, u32 sled)
{
	return on(m, chip, sled) && m->chip[chip].to != NONE;
}

static u32 chips_on(const struct model *m, u32 sled)
{
	u32 n = 0;

	for (u32 c = 0; c < shape.chips; c++)
		n += on(m, c, sled);
	return n;
}

/* Has the sled a page that is to be copied? */
static bool any_dirty(const struct model *m, u32 sled)
{
	for (u32 c = 0; c < shape.chips; c++)
		if (moves(m, c, sled) && m->chip[c].dirty && !m->chip[c].moved)
			return true;
	return false;
}

static bool is_out(u32 state)
{
	return state >= VN_SLED_COMMITTED;
}

/* By the journal. */
static bool known_out(u32 durable)
{
	const struct vn_journal_record last = { .to = durable };

	return vn_journal_is_out(&last);
}

static void map_of(const struct model *m, struct vn_switch *sw, struct vn_sled *state)
{
	*sw = shape;
	for (u32 i = 0; i < sw->slots; i++)
		sw->chip_at[i] = VN_SLOT_FREE;
	for (u32 c = 0; c < sw->chips; c++) {
		sw->slot_of[c] = m->chip[c].slot;
		sw->chip_at[m->chip[c].slot] = (u16)c;
		if (m->chip[c].to != NONE)
			sw->chip_at[m->chip[c].to] = VN_SLOT_TAKEN;
	}
	for (u32 s = 0; s < sleds(); s++)
		state[s] = (struct vn_sled){ .state = m->sled[s].state };
}

/* Nobody is at anything. */
static bool at_rest(const void *state)
{
	const struct model *m = state;

	for (u32 s = 0; s < sleds(); s++)
		if (m->sled[s].session ||
		    (m->sled[s].state != VN_SLED_IN_SERVICE &&
		     m->sled[s].state != VN_SLED_DRAINED && m->sled[s].state != VN_SLED_FAULTED))
			return false;
	return m->record_of == NONE;
}

/* And all is well, also in the journal and in what was said. */
static bool all_in_service(const void *state)
{
	const struct model *m = state;

	for (u32 s = 0; s < sleds(); s++)
		if (m->sled[s].state != VN_SLED_IN_SERVICE || known_out(m->sled[s].durable) ||
		    m->sled[s].told == IS_OUT)
			return false;
	return at_rest(m);
}

/* ---- what must hold ---------------------------------------------------------------- */

static void check(bool holds, const struct model *m, const char *what)
{
	if (holds || wrong)
		return;
	wrong = what;
	wrong_in = *m;
}

static void check_chips(const struct model *m)
{
	bool used[VN_MAX_SLOTS] = { false };

	for (u32 c = 0; c < shape.chips; c++) {
		u32 from = sled_of(m->chip[c].slot), to = m->chip[c].to,
		    state = m->sled[from].state;

		check(!used[m->chip[c].slot], m, "a slot has two chips");
		used[m->chip[c].slot] = true;
		if (to == NONE)
			continue;
		check(!used[to], m, "a slot is taken for two chips, or has one");
		used[to] = true;
		check(m->sled[from].session == DRAINS && state >= VN_SLED_PLANNED &&
			      state <= VN_SLED_VERIFIED,
		      m, "a slot is taken and nobody drains");
		check(state < VN_SLED_VERIFIED || m->chip[c].same, m,
		      "what was written last is not in the copy");
		check(state < VN_SLED_PRECOPY || m->chip[c].moved || m->chip[c].dirty ||
			      m->chip[c].same,
		      m, "what was written is not known to be");
	}
}

static void check_sleds(const struct model *m)
{
	for (u32 s = 0; s < sleds(); s++) {
		u32 state = m->sled[s].state;
		bool pausing = state >= VN_SLED_FENCED && state <= VN_SLED_VERIFIED;

		check(!m->sled[s].fence || (m->sled[s].session == DRAINS && pausing), m,
		      "a fence is up and there is no pause");
		check(!pausing || m->sled[s].fence, m, "a pause without a fence");
		check(!is_out(state) || m->sled[s].lost || !chips_on(m, s), m,
		      "a chip is on a sled that is out of service");
		check(m->sled[s].told != IS_OUT || (is_out(state) && known_out(m->sled[s].durable)),
		      m, "it was announced to be out of service, and the journal does not know");
		check(m->sled[s].told != IS_BACK ||
			      (!is_out(state) && !known_out(m->sled[s].durable)),
		      m, "it was announced to be back, and the journal does not know");
		check(!pausing || bare || (m->sled[s].intent && !known_out(m->sled[s].durable)), m,
		      "a pause that the journal does not know of");
		check((m->sled[s].session == BRINGS_BACK) == (state == VN_SLED_VALIDATING), m,
		      "it is tested by nobody");
		check(m->sled[s].session != DRAINS ||
			      (state >= VN_SLED_PLANNED && state <= VN_SLED_COMMITTED),
		      m, "who drains it does not");
	}
}

/* Still the same device: one step from `was`. back: a way back to rest may take it. */
static void step(const struct model *was, struct model *m, bool back)
{
	bool commits = false;

	for (u32 s = 0; s < sleds(); s++) {
		u32 from = was->sled[s].state, to = m->sled[s].state;

		if (from == to)
			continue;
		if (!vn_drain_edge(from, to) && !wrong)
			tap_diag("from %u to %u", from, to);
		check(vn_drain_edge(from, to), was, "vn_drain_edge() does not allow the next step");
		taken[from][to] = true;
		commits = commits || to == VN_SLED_COMMITTED;
	}
	check(m->epoch == commits, m, "another epoch without a commit, or none with one");
	m->epoch = 0;
	check_chips(m);
	check_sleds(m);
	if (all_in_service(m))
		m->hurt = 0;
	search_add(&search, m, back);
}

static void show(const struct model *m)
{
	for (u32 s = 0; s < sleds(); s++)
		tap_diag("sled %u: state %u session %u off %u broken %u late %u fence %u intent %u "
			 "lost %u journal %u told %u",
			 s, m->sled[s].state, m->sled[s].session, m->sled[s].off, m->sled[s].broken,
			 m->sled[s].late, m->sled[s].fence, m->sled[s].intent, m->sled[s].lost,
			 m->sled[s].durable, m->sled[s].told);
	for (u32 c = 0; c < shape.chips; c++)
		tap_diag("chip %u: slot %u to %d moved %u dirty %u same %u", c, m->chip[c].slot,
			 (int8_t)m->chip[c].to, m->chip[c].moved, m->chip[c].dirty,
			 m->chip[c].same);
	tap_diag("on its way: %d of sled %d", (int8_t)m->record, (int8_t)m->record_of);
}

#endif
