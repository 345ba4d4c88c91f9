// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what may begin on a sled in which state; and how long copying and a pause are
 * thought to take: never less than they would at the rate that was measured, with what
 * keeping writers out has taken lately, however large the numbers; and that what is little
 * enough is always tried.
 */
#include "../../kmod/engine/drain.h"
#include "../tap.h"

#define MS 1000000ull

#define ID 7u

/* What each state answers, when ID is the last operation there was. */
static const struct {
	int begin, again, cancel, other, maintain, back;
} rule[VN_SLED_STATES] = {
	[VN_SLED_IN_SERVICE] = { 0, 0, -ENOENT, -ENOENT, -EINVAL, -EALREADY },
	[VN_SLED_PLANNED] = { -EBUSY, -EBUSY, 0, -ESTALE, -EINVAL, -EINVAL },
	[VN_SLED_CORDONED] = { -EBUSY, -EBUSY, 0, -ESTALE, -EINVAL, -EINVAL },
	[VN_SLED_PRECOPY] = { -EBUSY, -EBUSY, 0, -ESTALE, -EINVAL, -EINVAL },
	[VN_SLED_FENCED] = { -EBUSY, -EBUSY, 0, -ESTALE, -EINVAL, -EINVAL },
	[VN_SLED_STOPCOPY] = { -EBUSY, -EBUSY, 0, -ESTALE, -EINVAL, -EINVAL },
	[VN_SLED_VERIFIED] = { -EBUSY, -EBUSY, -EALREADY, -ESTALE, -EINVAL, -EINVAL },
	[VN_SLED_COMMITTED] = { -EBUSY, -EBUSY, -EALREADY, -ESTALE, -EINVAL, -EINVAL },
	[VN_SLED_DRAINED] = { -EINVAL, -EALREADY, -EALREADY, -ENOENT, 0, 0 },
	[VN_SLED_MAINTENANCE] = { -EINVAL, -EINVAL, -ENOENT, -ENOENT, -EALREADY, 0 },
	[VN_SLED_VALIDATING] = { -EINVAL, -EINVAL, -ENOENT, -ENOENT, -EINVAL, -EBUSY },
	[VN_SLED_FAULTED] = { -EINVAL, -EINVAL, -ENOENT, -ENOENT, -EINVAL, 0 },
};

static void test_rules(void)
{
	u32 wrong = 0, waits = 0;
	struct vn_switch sw;

	vn_switch_init(&sw, 2, 2, 1);
	for (u32 state = 0; state < VN_SLED_STATES; state++) {
		const struct vn_sled s = { .state = state, .operation = ID };
		bool as_said = vn_drain_may_begin(&s, ID + 1) == rule[state].begin &&
			       vn_drain_may_begin(&s, ID) == rule[state].again &&
			       vn_drain_may_cancel(&s, ID) == rule[state].cancel &&
			       vn_drain_may_cancel(&s, ID + 1) == rule[state].other &&
			       vn_drain_may_maintain(state) == rule[state].maintain &&
			       vn_drain_may_return(&sw, 0, state, false) == rule[state].back;

		wrong += !as_said;
		if (!as_said)
			tap_diag("state %u answers otherwise", state);
	}
	tap_ok(!wrong, "what may begin in each of %u states (%u answer otherwise)",
	       (u32)VN_SLED_STATES, wrong);
	waits += vn_drain_may_return(&sw, 2, VN_SLED_DRAINED, true) == -EBUSY;
	sw.chip_at[4] = VN_SLOT_TAKEN;
	waits += vn_drain_may_return(&sw, 2, VN_SLED_FAULTED, false) == -EBUSY;
	tap_ok(waits == 2, "nothing comes back that a session is at work on, or awaits chips");
	sw.chip_at[5] = VN_SLOT_OFF;
	vn_switch_power(&sw, 2, false);
	tap_ok(sw.chip_at[4] == VN_SLOT_TAKEN && sw.chip_at[5] == VN_SLOT_OFF,
	       "a slot that is taken keeps its power");
	sw.chip_at[4] = VN_SLOT_FREE;
	vn_switch_power(&sw, 2, false);
	tap_ok(sw.chip_at[4] == VN_SLOT_OFF && sw.chip_at[0] == 0, "what is free loses it");
	vn_switch_power(&sw, 2, true);
	vn_switch_power(&sw, 0, true);
	tap_ok(vn_switch_free(&sw, 4) && vn_switch_free(&sw, 5) && sw.chip_at[0] == 0,
	       "and has it again; chips stay where they are");
}

static void test_rate(void)
{
	struct vn_pace p = { 0 };

	tap_ok(!vn_pace_rate(&p) && vn_pace_ns(&p, 1) == ~0ull && !vn_pace_ns(&p, 0),
	       "before anything is copied only nothing takes no time");
	p.bytes = 3000000000ull;
	p.ns = 1500 * MS;
	tap_ok(vn_pace_rate(&p) == 2000000000ull && vn_pace_ns(&p, 1000000) == MS / 2,
	       "3 GB in 1.5 s: 2 GB/s, half a ms for a MB");
	p.bytes = ~0ull;
	p.ns = ~0ull;
	tap_ok(vn_pace_rate(&p) > 900000000 && vn_pace_rate(&p) < 1100000000,
	       "no overflow after centuries");
	p = (struct vn_pace){ 1, ~0ull / 2, 0 };
	tap_ok(vn_pace_ns(&p, ~0ull) == ~0ull, "what takes for ever takes no less");
}

static void test_pause(void)
{
	struct vn_pace p = { .bytes = 1000000000, .ns = 1000 * MS };

	tap_ok(vn_pace_pause_ns(&p, 4000000, 10 * MS) == 4 * MS, "copying alone, at first");
	vn_pace_fenced(&p, 3 * MS);
	tap_ok(vn_pace_pause_ns(&p, 4000000, 10 * MS) == 7 * MS &&
		       vn_pace_pause_ns(&p, 8000000, 10 * MS) == 11 * MS,
	       "then with what keeping writers out took");
	vn_pace_fenced(&p, 2 * MS);
	tap_ok(vn_pace_pause_ns(&p, 0, 10 * MS) == 2 * MS, "the last time, when that was like it");
	vn_pace_fenced(&p, 80 * MS);
	tap_ok(vn_pace_pause_ns(&p, 0, 1000 * MS) == 80 * MS &&
		       vn_pace_pause_ns(&p, 5000000, 10 * MS) == 10 * MS,
	       "at most half of the budget is set aside: the rest is there for copying");
	vn_pace_fenced(&p, MS);
	tap_ok(vn_pace_pause_ns(&p, 0, 1000 * MS) == 40 * MS,
	       "a long one is not forgotten at once");
	for (int i = 0; i < 10; i++)
		vn_pace_fenced(&p, MS);
	tap_ok(vn_pace_pause_ns(&p, 0, 1000 * MS) == MS, "but soon");
	p = (struct vn_pace){ .fence_ns = ~0ull };
	tap_ok(vn_pace_pause_ns(&p, 1, ~0ull) == ~0ull && vn_pace_pause_ns(&p, 0, 1) == 0,
	       "nothing known, and a budget of nothing");
}

static void test_time(void)
{
	struct vn_pace copy = { 1000000000, 1000 * MS, 5 * MS }, rest = { 1000000000, 500 * MS, 0 };

	tap_ok(vn_drain_time_ns(&copy, &rest, 2000000000) == 3005 * MS,
	       "a drain takes copying, what else there is to do, and a pause");
	rest = (struct vn_pace){ 0 };
	tap_ok(vn_drain_time_ns(&copy, &rest, 1) == ~0ull &&
		       vn_drain_time_ns(&copy, &rest, 0) == 5 * MS,
	       "for ever while nothing is known, but for nothing");
}

static void test_slow(void)
{
	u32 us = 0, n = 0;

	tap_ok(!vn_drain_slow(1000, 750, 0) && vn_drain_slow(1000, 751, 0),
	       "writers rest unless a quarter less is left");
	tap_ok(vn_drain_slow(1000, 100, 400) == 400, "as long as before, while it gets less");
	for (; n < 100 && vn_drain_slow(1000, 1000, us) != us; n++)
		us = vn_drain_slow(1000, 1000, us);
	tap_ok(us == 20000 && n < 20, "else longer each time, up to 20 ms");
}

static void test_budgets(void)
{
	u32 wrong = 0;

	for (u32 n = 0; n < 4; n++)
		wrong += vn_drain_budgets(n) != 1;
	for (u32 n = 4; n < 1000; n++)
		wrong += vn_drain_budgets(n) < vn_drain_budgets(n - 1) ||
			 vn_drain_budgets(n) > VN_FENCE_BUDGETS;
	tap_ok(!wrong && vn_drain_budgets(~0u) == VN_FENCE_BUDGETS,
	       "a pause may take one budget, and more when some were given up");
}

int main(void)
{
	test_rules();
	test_rate();
	test_pause();
	test_time();
	test_slow();
	test_budgets();
	return tap_done();
}
