// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "drain.h"

#define NS_PER_S	1000000000ull

/* Rests of writers: the first, and the longest. */
#define SLOW_MIN_US	50u
#define SLOW_MAX_US	20000u

/* Pauses that are given up before the next ones may take a budget more. */
#define PATIENCE	4u

bool vn_drain_edge(u32 from, u32 to)
{
	if (from >= VN_SLED_STATES || to >= VN_SLED_STATES || from == to)
		return false;
	if (to == VN_SLED_FAULTED)
		return true;
	switch (from) {
	case VN_SLED_MAINTENANCE:
	case VN_SLED_DRAINED:
		return to == VN_SLED_VALIDATING ||
		       (from == VN_SLED_DRAINED && to == VN_SLED_MAINTENANCE);
	case VN_SLED_VALIDATING:
		/* What is not tested to the end stays what it was. */
		return to == VN_SLED_IN_SERVICE || to == VN_SLED_DRAINED ||
		       to == VN_SLED_MAINTENANCE;
	case VN_SLED_FAULTED:
		return to == VN_SLED_VALIDATING;
	case VN_SLED_COMMITTED:
		return to == VN_SLED_DRAINED;
	case VN_SLED_STOPCOPY:
	case VN_SLED_VERIFIED:
		/* A pause that did not come to its end. */
		if (to == VN_SLED_PRECOPY)
			return true;
	}
	return to == from + 1 || (to == VN_SLED_IN_SERVICE && from < VN_SLED_COMMITTED);
}

int vn_drain_may_begin(const struct vn_sled *s, u64 operation)
{
	if (s->state == VN_SLED_IN_SERVICE)
		return 0;
	if (s->state == VN_SLED_DRAINED && s->operation == operation)
		return -EALREADY;
	return s->state < VN_SLED_DRAINED ? -EBUSY : -EINVAL;
}

int vn_drain_may_cancel(const struct vn_sled *s, u64 operation)
{
	if (s->state == VN_SLED_DRAINED && operation && operation == s->operation)
		return -EALREADY;
	if (s->state < VN_SLED_PLANNED || s->state > VN_SLED_COMMITTED)
		return -ENOENT;
	if (operation && operation != s->operation)
		return -ESTALE;
	return s->state >= VN_SLED_VERIFIED ? -EALREADY : 0;
}

int vn_drain_may_maintain(u32 state)
{
	/* One that is being tested goes back there only by who tests it. */
	return state == VN_SLED_DRAINED ? 0 : state == VN_SLED_MAINTENANCE ? -EALREADY : -EINVAL;
}

/* Slots of a sled that are free and can be used. */
static u32 free_on(const struct vn_switch *sw, const struct vn_sled *sleds, u32 sled)
{
	u32 n = 0;

	if (sleds[sled].state != VN_SLED_IN_SERVICE)
		return 0;
	for (u32 i = 0; i < sw->chips_per_sled; i++)
		n += vn_switch_free(sw, sled * sw->chips_per_sled + i);
	return n;
}

static void take(const struct vn_switch *sw, u32 sled, u32 wanted, struct vn_moves *m)
{
	u32 first = sled * sw->chips_per_sled;

	for (u32 i = first; i < first + sw->chips_per_sled && m->free < wanted; i++)
		if (vn_switch_free(sw, i))
			m->slot[m->free++] = (u16)i;
}

/* The one with the most free slots that is not in the set yet, or none. */
static u32 roomiest(const struct vn_switch *sw, const struct vn_sled *sleds, u32 sled,
		    const bool *seen)
{
	u32 best = VN_ANY_SLED, most = 0, n;

	for (u32 s = 0; s < vn_switch_sleds(sw); s++) {
		n = s == sled || seen[s] ? 0 : free_on(sw, sleds, s);
		if (n > most) {
			most = n;
			best = s;
		}
	}
	return best;
}

bool vn_drain_awaits(const struct vn_switch *sw, u32 sled)
{
	u32 first = sled * sw->chips_per_sled;

	for (u32 i = first; i < first + sw->chips_per_sled; i++)
		if (sw->chip_at[i] == VN_SLOT_TAKEN)
			return true;
	return false;
}

int vn_drain_may_return(const struct vn_switch *sw, u32 sled, u32 state, bool busy)
{
	if (state == VN_SLED_IN_SERVICE)
		return -EALREADY;
	if (state == VN_SLED_VALIDATING)
		return -EBUSY;
	if (!vn_drain_edge(state, VN_SLED_VALIDATING))
		return -EINVAL;
	/* What drained it, or was to bring chips here, has not seen yet that it was lost. */
	return busy || vn_drain_awaits(sw, sled) ? -EBUSY : 0;
}

int vn_drain_place(const struct vn_switch *sw, const struct vn_sled *sleds, u32 sled, u32 to,
		   struct vn_moves *m)
{
	bool seen[VN_MAX_SLEDS + VN_MAX_SPARES] = { false };
	u32 first = sled * sw->chips_per_sled, next = to;

	memset(m, 0, sizeof(*m));
	if (vn_drain_awaits(sw, sled))
		return -EBUSY;
	for (u32 i = first; i < first + sw->chips_per_sled; i++) {
		u32 chip = sw->chip_at[i];

		if (chip >= sw->chips)
			continue;
		if (sw->moving[chip / 64] >> chip % 64 & 1)
			return -EBUSY;
		m->lost |= vn_switch_lost(sw, chip) ? 1u << m->n : 0;
		m->chip[m->n++] = (u16)chip;
	}
	if (to != VN_ANY_SLED) {
		if (to != sled && free_on(sw, sleds, to))
			take(sw, to, m->n, m);
	} else {
		while (m->free < m->n) {
			next = roomiest(sw, sleds, sled, seen);
			if (next == VN_ANY_SLED)
				break;
			seen[next] = true;
			take(sw, next, m->n, m);
		}
	}
	return m->free < m->n ? -ENOSPC : 0;
}

void vn_drain_take(struct vn_switch *sw, const struct vn_moves *m)
{
	for (u32 i = 0; i < m->n; i++) {
		sw->chip_at[m->slot[i]] = VN_SLOT_TAKEN;
		sw->moving[m->chip[i] / 64] |= 1ull << m->chip[i] % 64;
	}
}

void vn_drain_let_go(struct vn_switch *sw, const struct vn_moves *m)
{
	for (u32 i = 0; i < m->n; i++) {
		if (sw->chip_at[m->slot[i]] == VN_SLOT_TAKEN)
			sw->chip_at[m->slot[i]] = VN_SLOT_FREE;
		sw->moving[m->chip[i] / 64] &= ~(1ull << m->chip[i] % 64);
	}
}

int vn_drain_obstacle(const struct vn_switch *sw, u32 sled, const struct vn_moves *m)
{
	for (u32 i = 0; i < m->n; i++) {
		if (vn_switch_lost(sw, m->chip[i]) && !(m->lost >> i & 1))
			return -EHOSTDOWN;
		if (vn_switch_cut(sw, sled, vn_switch_sled(sw, m->slot[i])) != VN_ANY_SLED)
			return -ENETUNREACH;
	}
	return 0;
}

u32 vn_drain_slow(u64 before, u64 now, u32 slow_us)
{
	/* A quarter less is a round well spent. */
	if (now <= before - before / 4)
		return slow_us;
	if (!slow_us)
		return SLOW_MIN_US;
	return slow_us < SLOW_MAX_US / 2 ? 2 * slow_us : SLOW_MAX_US;
}

u64 vn_pace_rate(const struct vn_pace *p)
{
	u64 bytes = p->bytes, ns = p->ns;

	while (bytes > ~0ull / NS_PER_S) {
		bytes >>= 1;
		ns >>= 1;
	}
	return ns ? bytes * NS_PER_S / ns : 0;
}

u64 vn_pace_ns(const struct vn_pace *p, u64 bytes)
{
	u64 rate = vn_pace_rate(p), s;

	if (!bytes)
		return 0;
	if (!rate)
		return ~0ull;
	s = bytes / rate;
	if (s > ~0ull / NS_PER_S - 1)
		return ~0ull;
	/* What is left is less than the rate, which is below 2^54 or not to be had. */
	bytes -= s * rate;
	while (bytes > ~0ull / NS_PER_S) {
		bytes >>= 1;
		rate >>= 1;
	}
	return s * NS_PER_S + bytes * NS_PER_S / rate;
}

void vn_pace_fenced(struct vn_pace *p, u64 ns)
{
	p->fence_ns = ns > p->fence_ns / 2 ? ns : p->fence_ns / 2;
}

u64 vn_pace_pause_ns(const struct vn_pace *p, u64 bytes, u64 budget_ns)
{
	u64 copy = vn_pace_ns(p, bytes), fence = p->fence_ns;

	if (fence > budget_ns / 2)
		fence = budget_ns / 2;
	return copy > ~0ull - fence ? ~0ull : copy + fence;
}

u32 vn_drain_budgets(u32 given_up)
{
	u32 n = 1 + given_up / PATIENCE;

	return n < VN_FENCE_BUDGETS ? n : VN_FENCE_BUDGETS;
}

u64 vn_drain_time_ns(const struct vn_pace *copy, const struct vn_pace *rest, u64 bytes)
{
	u64 a = vn_pace_pause_ns(copy, bytes, ~0ull), b = vn_pace_ns(rest, bytes);

	return a > ~0ull - b ? ~0ull : a + b;
}
