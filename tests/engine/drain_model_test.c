// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A small machine with all that can happen to its sleds: drains, two at a time, each step
 * of them and each way in which it fails, whoever drains dying, drains called off, sleds
 * that come back or don't pass, maintenance, sleds that are lost, and the host going down
 * with only a journal left. All states it can get into are looked at: nothing written is
 * lost, slots have one chip, nobody is kept out for nothing, what was announced outlives
 * the host, and there is always a way on. Each step is one that vn_drain_edge() allows,
 * and each that it allows is taken; what may begin vn_drain_may_...() says, slots are
 * found by vn_drain_place().
 *
 * The journal is what vn_journal_fold() makes of its records. They go out one after the
 * other, so one is on its way at most.
 */
#include "drain_model.h"

/* ---- draining ----------------------------------------------------------------------- */

static void open_drain(const struct model *was, u32 s, u32 to)
{
	struct vn_sled state[SLEDS];
	struct model m = *was;
	struct vn_switch sw;
	struct vn_moves mv;

	map_of(was, &sw, state);
	if (vn_drain_may_begin(&state[s], 1) || vn_drain_place(&sw, state, s, to, &mv))
		return;
	for (u32 i = 0; i < mv.n; i++) {
		check(state[sled_of(mv.slot[i])].state == VN_SLED_IN_SERVICE, was,
		      "a chip is to go to a sled that is not in service");
		m.chip[mv.chip[i]].to = (u8)mv.slot[i];
	}
	m.sled[s].state = VN_SLED_PLANNED;
	m.sled[s].session = DRAINS;
	step(was, &m, true);
}

/* Nothing is left of a session. Pages that have taken their place stay. */
static void end_session(struct model *m, u32 s)
{
	for (u32 c = 0; c < shape.chips; c++) {
		if (!on(m, c, s))
			continue;
		m->chip[c].to = NONE;
		m->chip[c].moved = m->chip[c].dirty = m->chip[c].same = 0;
	}
	m->sled[s].session = NOBODY;
	m->sled[s].off = m->sled[s].broken = m->sled[s].late = 0;
	m->sled[s].fence = m->sled[s].intent = m->sled[s].was = 0;
	/* An intent alone comes to nothing. */
	if (m->record_of == s && m->record == VN_SLED_PLANNED)
		m->record_of = m->record = NONE;
}

/* It ends, or dies; inside a pause only when that is over. */
static void close_session(const struct model *was, u32 s)
{
	u32 state = was->sled[s].state;
	struct model m = *was;

	if (!was->sled[s].session || (state >= VN_SLED_FENCED && state <= VN_SLED_VERIFIED))
		return;
	m.sled[s].state = state == VN_SLED_VALIDATING  ? was->sled[s].was
			  : state == VN_SLED_COMMITTED ? VN_SLED_DRAINED
						       : VN_SLED_IN_SERVICE;
	end_session(&m, s);
	step(was, &m, true);
}

/* A sled that its chips were to go to is no more: it ends, wherever it is. */
static void give_up(const struct model *was, u32 s)
{
	struct model m = *was;

	if (!was->sled[s].broken || was->sled[s].state >= VN_SLED_COMMITTED)
		return;
	m.sled[s].state = VN_SLED_IN_SERVICE;
	end_session(&m, s);
	step(was, &m, true);
}

static void precopy(const struct model *was, u32 s)
{
	struct model m = *was;

	if (was->sled[s].off)
		return;
	if (was->sled[s].state == VN_SLED_PLANNED) {
		m.sled[s].state = VN_SLED_CORDONED;
		step(was, &m, true);
	} else if (was->sled[s].state == VN_SLED_CORDONED) {
		/* From now on writers mark what they write. */
		for (u32 c = 0; c < shape.chips; c++)
			if (moves(was, c, s))
				m.chip[c].dirty = 1;
		m.sled[s].state = VN_SLED_PRECOPY;
		step(was, &m, true);
	}
}

/* In a round, or in the pause. It can fail: then nothing has changed. */
static void copy_page(const struct model *was, u32 s, u32 c)
{
	u32 state = was->sled[s].state;
	struct model m = *was;

	if (!moves(was, c, s) || was->chip[c].moved || !was->chip[c].dirty || was->sled[s].off ||
	    was->sled[s].late || (state != VN_SLED_PRECOPY && state != VN_SLED_STOPCOPY))
		return;
	m.chip[c].dirty = 0;
	m.chip[c].same = 1;
	step(was, &m, true);
}

/* Out of the pause without having moved. */
static void let_in(const struct model *was, u32 s)
{
	struct model m = *was;

	m.sled[s].state = VN_SLED_PRECOPY;
	m.sled[s].fence = m.sled[s].late = 0;
	step(was, &m, true);
}

static void flip(const struct model *was, u32 s)
{
	struct model m = *was;
	u32 c = 0;

	while (c < shape.chips && (!moves(was, c, s) || was->chip[c].moved))
		c++;
	if (c < shape.chips) {
		check(was->chip[c].same, was, "a page is lost");
		m.chip[c].moved = 1;
		step(was, &m, true);
		/* Or it can't be mapped. */
		let_in(was, s);
		return;
	}
	for (c = 0; c < shape.chips; c++) {
		if (!moves(was, c, s))
			continue;
		m.chip[c].slot = was->chip[c].to;
		m.chip[c].to = NONE;
		m.chip[c].moved = m.chip[c].dirty = m.chip[c].same = 0;
		/* What is lost after all was copied is lost there. */
		if (was->sled[sled_of(was->chip[c].to)].state == VN_SLED_FAULTED)
			m.sled[sled_of(was->chip[c].to)].lost = 1;
	}
	m.epoch++;
	m.sled[s].told = NOTHING;
	m.sled[s].fence = 0;
	m.sled[s].state = VN_SLED_COMMITTED;
	step(was, &m, true);
}

static void pause_of(const struct model *was, u32 s)
{
	struct model m = *was;

	switch (was->sled[s].state) {
	case VN_SLED_PRECOPY:
		if (was->sled[s].off || (!was->sled[s].intent && !bare))
			return;
		m.sled[s].state = VN_SLED_FENCED;
		m.sled[s].fence = 1;
		step(was, &m, true);
		return;
	case VN_SLED_FENCED:
		m.sled[s].state = VN_SLED_STOPCOPY;
		step(was, &m, true);
		m.sled[s].late = 1;
		step(was, &m, true);
		return;
	case VN_SLED_STOPCOPY:
		/* It takes too long, a page is not as it was read, it was called off. */
		let_in(was, s);
		if (was->sled[s].late || was->sled[s].off || was->sled[s].broken ||
		    any_dirty(was, s))
			return;
		m.sled[s].state = VN_SLED_VERIFIED;
		step(was, &m, true);
		return;
	case VN_SLED_VERIFIED:
		flip(was, s);
		return;
	}
}

/* ---- coming back, and what happens ----------------------------------------------------- */

static void come_back(const struct model *was, u32 s)
{
	struct vn_sled sled[SLEDS];
	u32 state = was->sled[s].state;
	struct model m = *was;
	struct vn_switch sw;

	map_of(was, &sw, sled);
	if (state == VN_SLED_VALIDATING) {
		end_session(&m, s);
		m.sled[s].state = VN_SLED_FAULTED;
		step(was, &m, true);
		m.sled[s].state = VN_SLED_IN_SERVICE;
		m.sled[s].lost = 0;
		m.sled[s].told = NOTHING;
		step(was, &m, true);
	} else if (!vn_drain_may_return(&sw, s, state, was->sled[s].session)) {
		m.sled[s].session = BRINGS_BACK;
		m.sled[s].was = (u8)state;
		m.sled[s].state = VN_SLED_VALIDATING;
		step(was, &m, true);
	}
	if (vn_drain_may_maintain(state) || was->sled[s].told != IS_OUT)
		return;
	m = *was;
	m.sled[s].state = VN_SLED_MAINTENANCE;
	step(was, &m, true);
}

static void call_off(const struct model *was, u32 s)
{
	struct model m = *was;

	if (vn_drain_may_cancel(&(struct vn_sled){ .state = was->sled[s].state }, 0) ||
	    was->sled[s].off)
		return;
	m.sled[s].off = 1;
	step(was, &m, false);
}

static void write_page(const struct model *was, u32 c)
{
	u32 s = sled_of(was->chip[c].slot), state = was->sled[s].state;
	struct model m = *was;

	/* Who was inside when the fence came up is still there until he was waited for. */
	if (was->chip[c].to == NONE ||
	    (was->sled[s].fence && state != VN_SLED_FENCED && !was->sled[s].late))
		return;
	/* The page is the copy: no other one is left. */
	if (was->chip[c].moved)
		return;
	m.chip[c].same = 0;
	m.chip[c].dirty = state >= VN_SLED_PRECOPY;
	step(was, &m, false);
}

static void lose(const struct model *was, u32 s)
{
	struct model m = *was;

	if (was->sled[s].state == VN_SLED_FAULTED || bare)
		return;
	m.sled[s].state = VN_SLED_FAULTED;
	m.hurt = 1;
	m.sled[s].lost = chips_on(was, s) != 0;
	if (!is_out(was->sled[s].state))
		m.sled[s].told = NOTHING;
	end_session(&m, s);
	for (u32 c = 0; c < shape.chips; c++)
		if (was->chip[c].to != NONE && sled_of(was->chip[c].to) == s && !on(was, c, s))
			m.sled[sled_of(was->chip[c].slot)].broken = 1;
	step(was, &m, false);
}

/* ---- the journal ------------------------------------------------------------------------ */

static void settle(struct model *m)
{
	struct vn_journal_record last = { 0 }, r = { .to = m->record };
	u32 s = m->record_of;

	if (s == NONE)
		return;
	last.to = m->sled[s].durable;
	vn_journal_fold(&last, &r);
	m->sled[s].durable = (u8)last.to;
	m->sled[s].intent |= m->record == VN_SLED_PLANNED;
	m->record_of = m->record = NONE;
}

static void write_down(const struct model *was, u32 s, u32 state)
{
	struct model m = *was;

	m.record_of = (u8)s;
	m.record = (u8)state;
	step(was, &m, true);
}

/* Is a sled back, and the journal does not know? */
static bool back_unknown(const struct model *m)
{
	for (u32 s = 0; s < sleds(); s++)
		if (!is_out(m->sled[s].state) && known_out(m->sled[s].durable))
			return true;
	return false;
}

/*
 * What is not known there yet is written down, by who drains or whoever comes next: first
 * who is back, else there may be more sleds out after a crash than there is room for.
 */
static void keep_journal(const struct model *was, u32 s)
{
	u32 state = was->sled[s].state, durable = was->sled[s].durable;
	struct model m = *was;

	if (was->record_of == NONE) {
		if (state == VN_SLED_CORDONED && !was->sled[s].intent && !known_out(durable))
			write_down(was, s, VN_SLED_PLANNED);
		if (state == VN_SLED_COMMITTED)
			state = VN_SLED_DRAINED;
		if (is_out(state)
			    ? state != VN_SLED_VALIDATING && state != durable && !back_unknown(was)
			    : known_out(durable))
			write_down(was, s, is_out(state) ? state : VN_SLED_IN_SERVICE);
	} else if (was->record_of == s) {
		settle(&m);
		step(was, &m, true);
	}
	if (was->sled[s].told || was->record_of == s || is_out(state) != known_out(durable))
		return;
	m = *was;
	m.sled[s].told = is_out(state) ? IS_OUT : IS_BACK;
	step(was, &m, true);
}

/* Chips of a sled that is out get places; false: there are none. */
static bool restore_sled(struct model *m, u32 s)
{
	struct vn_sled state[SLEDS];
	struct vn_switch sw;
	struct vn_moves mv;

	map_of(m, &sw, state);
	if (vn_drain_place(&sw, state, s, VN_ANY_SLED, &mv))
		return false;
	for (u32 i = 0; i < mv.n; i++)
		m->chip[mv.chip[i]].slot = (u8)mv.slot[i];
	return true;
}

static struct model first_of(const struct model *journal)
{
	struct model m;

	memset(&m, 0, sizeof(m));
	for (u32 c = 0; c < CHIPS; c++) {
		m.chip[c].slot = (u8)c;
		m.chip[c].to = NONE;
	}
	m.record_of = m.record = NONE;
	m.hurt = journal && journal->hurt;
	for (u32 s = 0; journal && s < sleds(); s++) {
		u32 durable = journal->sled[s].durable;

		m.sled[s].durable = (u8)durable;
		m.sled[s].told = journal->sled[s].told;
		m.sled[s].state = known_out(durable) ? (u8)durable : VN_SLED_IN_SERVICE;
	}
	return m;
}

/* The host goes down and comes up again; known: the record on its way was on disk. */
static void crash(const struct model *was, bool known)
{
	struct model before = *was, m;

	if (known)
		settle(&before);
	m = first_of(&before);
	for (u32 s = 0; s < sleds(); s++) {
		check(was->sled[s].told != IS_OUT || is_out(m.sled[s].state), was,
		      "it was announced to be out of service, and is not after a crash");
		check(was->sled[s].told != IS_BACK || !is_out(m.sled[s].state), was,
		      "it was announced to be back, and is not after a crash");
	}
	/* Those that were lost come last: there may be no room for theirs. */
	for (u32 pass = 0; pass < 2; pass++)
		for (u32 s = 0; s < sleds(); s++) {
			if (!is_out(m.sled[s].state) ||
			    (m.sled[s].state == VN_SLED_FAULTED) != pass)
				continue;
			if (restore_sled(&m, s))
				continue;
			check(was->hurt, was, "after a crash there is no room for a chip");
			m.sled[s].lost = 1;
		}
	check_chips(&m);
	check_sleds(&m);
	search_add(&search, &m, false);
}

/* ---- searching ---------------------------------------------------------------------------- */

static bool found(struct search *found_by, const void *state)
{
	const struct model *m = state;

	(void)found_by;
	for (u32 s = 0; s < sleds(); s++) {
		for (u32 to = 0; to < sleds(); to++)
			open_drain(m, s, to == s ? VN_ANY_SLED : to);
		precopy(m, s);
		for (u32 c = 0; c < shape.chips; c++)
			copy_page(m, s, c);
		pause_of(m, s);
		if (m->sled[s].state == VN_SLED_COMMITTED || m->sled[s].session)
			close_session(m, s);
		give_up(m, s);
		come_back(m, s);
		if (!bare)
			keep_journal(m, s);
		call_off(m, s);
		lose(m, s);
	}
	for (u32 c = 0; c < shape.chips; c++)
		write_page(m, c);
	for (u32 known = 0; known < 2 && !bare; known++)
		crash(m, known);
	return !wrong;
}

/* How it got there, the last first. */
static void show_way(u32 at)
{
	for (; at; at = search.parent[at]) {
		tap_diag("---- state %u", at);
		show(search_state(&search, at));
	}
}

static void test_shape(u32 nsleds, u32 per_sled, u32 spares)
{
	struct model first;
	u32 lost = 0, stuck = 0, which = 0;

	wrong = NULL;
	if (vn_switch_init(&shape, nsleds, per_sled, spares) || sleds() > SLEDS ||
	    shape.chips > CHIPS)
		abort();
	first = first_of(NULL);
	search_all(&search, sizeof(first), &first, found);
	if (wrong) {
		tap_diag("of:");
		show(&wrong_in);
		show_way(search.at);
	}
	tap_ok(!wrong, "%u sleds of %u, %u spare: %u states, %llu steps between them: %s", nsleds,
	       per_sled, spares, search.n, (unsigned long long)search.all_steps,
	       wrong ?: "all as it must be");
	if (!wrong)
		lost = search_lost(&search, at_rest, &which);
	if (lost)
		show_way(which);
	tap_ok(!wrong && !lost, "from each there is a way to rest (%u without)", lost);
	if (!wrong)
		stuck = search_lost(&search, all_in_service, &which);
	if (stuck)
		show_way(which);
	tap_ok(!wrong && !stuck, "and to all sleds in service (%u without)", stuck);
	search_free(&search);
}

static void test_table(void)
{
	u32 edges = 0, unused = 0;

	for (u32 from = 0; from < VN_SLED_STATES; from++)
		for (u32 to = 0; to < VN_SLED_STATES; to++) {
			if (!vn_drain_edge(from, to))
				continue;
			edges++;
			if (taken[from][to])
				continue;
			unused++;
			tap_diag("never from %u to %u", from, to);
		}
	tap_ok(!unused, "each of %u edges between states is taken (%u are not)", edges, unused);
	tap_ok(!vn_drain_edge(VN_SLED_STATES, VN_SLED_FAULTED) &&
		       !vn_drain_edge(VN_SLED_PLANNED, VN_SLED_STATES) &&
		       !vn_drain_edge(VN_SLED_FAULTED, VN_SLED_FAULTED),
	       "there are no others");
}

int main(void)
{
	const char *quick = getenv("VN_QUICK");

	test_shape(1, 2, 1);
	if (!quick || !*quick || *quick == '0')
		test_shape(2, 1, 1);
	bare = true;
	test_shape(2, 2, 1);
	test_shape(2, 1, 2);
	test_table();
	return tap_done();
}
