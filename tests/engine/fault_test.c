// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Faults: what can be made, what of it the switch and the health page come to say, what is
 * taken away again and what stays; chips come back only where their slot works and their
 * sled is in service. Exhaustively on a small machine: whatever is made and cleared in
 * whatever order, the page, the switch and the list agree.
 */
#include "world.h"
#include "../../kmod/engine/fault.h"

#define SLEDS 3u
#define CHIPS 2u
#define ALL_IN_SERVICE 0xfull

static struct vn_switch sw;
static struct vn_health health;
static struct vn_faults fs;

static void reset(void)
{
	vn_switch_init(&sw, SLEDS, CHIPS, 1);
	memset(&health, 0, sizeof(health));
	fs = (struct vn_faults){ .health = &health };
}

static u32 make(u32 kind, u32 where, u32 count)
{
	u16 lost[VN_MAX_CHIPS_PER_SLED];

	return vn_faults_make(&sw, &fs, &(const struct vn_fault){ kind, where, 0, count }, lost);
}

static int clear(u32 kind, u32 where, u64 in_service)
{
	return vn_faults_clear(&sw, &fs, &(const struct vn_fault){ kind, where, 0, 0 }, in_service);
}

static int check(u32 kind, u32 where, u32 count)
{
	return vn_faults_check(&sw, &(const struct vn_fault){ kind, where, 0, count });
}

static u32 listed(void)
{
	return vn_faults_list(&sw, &fs, NULL, 0);
}

static void test_check(void)
{
	reset();
	tap_ok(check(VN_FAULT_ANY, 0, 0) == -EINVAL && check(VN_FAULT_KINDS, 0, 0) == -EINVAL &&
		       check(~0u, 0, 0) == -EINVAL,
	       "no such kind");
	tap_ok(!check(VN_FAULT_SLED_LOSS, SLEDS, 0) &&
		       check(VN_FAULT_SLED_LOSS, SLEDS + 1, 0) == -ENODEV &&
		       check(VN_FAULT_LINK_CUT, ~0u, 0) == -ENODEV,
	       "sleds are those there are, spares too");
	tap_ok(!check(VN_FAULT_CHIP_LOSS, SLEDS * CHIPS - 1, 0) &&
		       check(VN_FAULT_CHIP_LOSS, SLEDS * CHIPS, 0) == -ENODEV,
	       "chips likewise");
	tap_ok(check(VN_FAULT_SLED_LOSS, 0, 1) == -EINVAL &&
		       check(VN_FAULT_ALLOC_FAIL, 0, 0) == -EINVAL &&
		       check(VN_FAULT_ALLOC_FAIL, 1, 1) == -EINVAL &&
		       check(VN_FAULT_COPY_CORRUPT, 0, ~0u) == -EINVAL &&
		       !check(VN_FAULT_COPY_CORRUPT, 0, 5) && !check(VN_FAULT_ALLOC_FAIL, 0, 1),
	       "a count is what some have, and only those");
	tap_ok(clear(VN_FAULT_SLED_LOSS, 9, 0) == -ENODEV &&
		       clear(VN_FAULT_CHIP_LOSS, 9, 0) == -ENODEV &&
		       clear(VN_FAULT_KINDS, 0, 0) == -EINVAL &&
		       clear(VN_FAULT_LINK_CUT, 1, 0) == -ENOENT &&
		       clear(VN_FAULT_SLED_LOSS, 1, 0) == -ENOENT &&
		       clear(VN_FAULT_CHIP_LOSS, 1, 0) == -ENOENT &&
		       clear(VN_FAULT_ALLOC_FAIL, 0, 0) == -ENOENT,
	       "what is not there is not cleared");
}

static void test_loss(void)
{
	u32 slot;

	reset();
	tap_ok(make(VN_FAULT_CHIP_LOSS, 3, 0) == 1 && !make(VN_FAULT_CHIP_LOSS, 3, 0) &&
		       vn_switch_lost(&sw, 3) && health.chip[3] == 1 && health.changes == 1,
	       "a chip is lost once");
	tap_ok(make(VN_FAULT_SLED_LOSS, 1, 0) == 1 && vn_switch_lost(&sw, 2) && listed() == 1,
	       "its sled with the other one, and stands for both");
	tap_ok(vn_faults_of_sled(&sw, 1, &slot) == VN_FAULT_MEMORY && slot == 2 &&
		       vn_faults_of_sled(&sw, 0, &slot) == VN_FAULT_NONE,
	       "it would not pass");
	tap_ok(clear(VN_FAULT_CHIP_LOSS, 3, ALL_IN_SERVICE) == -ENOENT,
	       "a chip of it can't be cleared alone");
	tap_ok(!clear(VN_FAULT_SLED_LOSS, 1, ALL_IN_SERVICE & ~2ull) && vn_switch_lost(&sw, 2) &&
		       !listed(),
	       "cleared while out of service: its chips stay lost");
	vn_faults_revive_sled(&sw, &fs, 1);
	tap_ok(!vn_switch_lost(&sw, 2) && !vn_switch_lost(&sw, 3) && health.chip[3] == 2 &&
		       !sw.faulty,
	       "in service they are there again");

	make(VN_FAULT_CHIP_LOSS, 0, 0);
	vn_faults_revive(&sw, &fs, 0);
	tap_ok(vn_switch_lost(&sw, 0), "a chip does not come back in a slot that is bad");
	vn_switch_move(&sw, 0, 6);
	vn_faults_revive(&sw, &fs, 0);
	tap_ok(!vn_switch_lost(&sw, 0) && health.chip[0] == 2, "moved to another it does");
	{
		struct vn_fault f[2];

		tap_ok(vn_faults_list(&sw, &fs, f, 2) == 1 && f[0].kind == VN_FAULT_CHIP_LOSS &&
			       f[0].where == VN_NOWHERE && f[0].slot == 0,
		       "and leaves the slot behind");
		tap_ok(!vn_faults_clear(&sw, &fs, f, ALL_IN_SERVICE) && !listed(),
		       "which is cleared as it is listed");
	}
}

static void test_links(void)
{
	u32 slot;

	reset();
	make(VN_FAULT_LINK_CUT, 1, 0);
	tap_ok(!vn_switch_reaches(&sw, 0, 2) && !vn_switch_reaches(&sw, 2, 4) &&
		       vn_switch_reaches(&sw, 2, 3) && vn_switch_reaches(&sw, 0, 4) && sw.faulty,
	       "a cut is between its sled and all others");
	tap_ok(vn_faults_of_sled(&sw, 1, &slot) == VN_FAULT_LINK && health.link[1] == 1,
	       "it would not pass");
	make(VN_FAULT_LINK_CUT, 1, 0);
	tap_ok(health.link[1] == 1 && !clear(VN_FAULT_LINK_CUT, 1, 0) && health.link[1] == 2 &&
		       vn_switch_reaches(&sw, 0, 2) && !sw.faulty,
	       "cut twice is cut, mended is mended");
}

static void test_counts(void)
{
	u32 failed = 0, at = 0;

	reset();
	make(VN_FAULT_ALLOC_FAIL, 0, 3);
	for (u32 i = 1; i < 10; i++)
		if (vn_faults_alloc(&fs)) {
			failed++;
			at = i;
		}
	tap_ok(failed == 1 && at == 3 && !listed(), "the third allocation fails, once");
	make(VN_FAULT_COPY_CORRUPT, 0, 4);
	failed = 0;
	for (u32 i = 0; i < 10; i++)
		failed += vn_faults_copy(&fs);
	tap_ok(failed == 4 && !listed(), "four pages go wrong");
}

/* Page, switch and list say the same. */
static bool consistent(void)
{
	struct vn_fault f[64];
	u32 n = vn_faults_list(&sw, &fs, f, 64), cuts = 0, sleds = 0, sum = 0;
	bool any = false;

	for (u32 c = 0; c < sw.chips; c++) {
		if (vn_switch_lost(&sw, c) != (health.chip[c] & 1))
			return false;
		any |= health.chip[c] & 1;
		sum += health.chip[c];
	}
	for (u32 s = 0; s < vn_switch_sleds(&sw); s++) {
		cuts += health.link[s] & 1;
		sum += health.link[s];
	}
	for (u32 i = 0; i < n; i++) {
		cuts -= f[i].kind == VN_FAULT_LINK_CUT;
		sleds += f[i].kind == VN_FAULT_SLED_LOSS;
		any |= f[i].kind == VN_FAULT_LINK_CUT;
	}
	return !cuts && !!sw.faulty == any && sum == health.changes && sleds <= SLEDS + 1;
}

/* Every sequence of so many of these. */
static void test_sequences(void)
{
	enum { STEPS = 5, ACTS = 9 };
	u32 n = 1, wrong = 0;

	for (u32 i = 0; i < STEPS; i++)
		n *= ACTS;
	for (u32 seq = 0; seq < n; seq++) {
		reset();
		for (u32 i = 0, s = seq; i < STEPS; i++, s /= ACTS) {
			switch (s % ACTS) {
			case 0:
				make(VN_FAULT_SLED_LOSS, 0, 0);
				break;
			case 1:
				make(VN_FAULT_CHIP_LOSS, 0, 0);
				break;
			case 2:
				make(VN_FAULT_LINK_CUT, 0, 0);
				break;
			case 3:
				clear(VN_FAULT_SLED_LOSS, 0, ALL_IN_SERVICE);
				break;
			case 4:
				clear(VN_FAULT_SLED_LOSS, 0, 0);
				break;
			case 5:
				clear(VN_FAULT_CHIP_LOSS, 0, ALL_IN_SERVICE);
				break;
			case 6:
				clear(VN_FAULT_LINK_CUT, 0, ALL_IN_SERVICE);
				break;
			case 7:
				vn_switch_move(&sw, 0, sw.slot_of[0] ? 0 : 6);
				vn_faults_revive(&sw, &fs, 0);
				break;
			case 8:
				vn_faults_revive_sled(&sw, &fs, 0);
				break;
			}
			wrong += !consistent();
		}
		clear(VN_FAULT_ANY, 0, ALL_IN_SERVICE);
		wrong += listed() || sw.faulty || !consistent();
	}
	tap_ok(!wrong, "%u sequences of %u steps: %u times page, switch and list disagreed", n,
	       STEPS, wrong);
}

int main(void)
{
	test_check();
	test_loss();
	test_links();
	test_counts();
	test_sequences();
	return tap_done();
}
