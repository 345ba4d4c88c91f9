// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows the shape of the machine (sleds, racks, slots), that a flow always
 * takes the same plane and different flows spread over all of them, and that
 * what is sent is what is received.
 */
#include "world.h"

static void test_shape(void)
{
	struct vn_switch sw;
	u32 wrong = 0, taken = 0;

	for (u32 sleds = 0; sleds < 40; sleds++)
		for (u32 chips = 0; chips < 20; chips++) {
			bool good = sleds >= 1 && sleds <= VN_MAX_SLEDS && chips >= 1 &&
				    chips <= VN_MAX_CHIPS_PER_SLED && sleds * chips <= VN_MAX_CHIPS;

			wrong += vn_switch_init(&sw, sleds, chips, 0) != (good ? 0 : -1);
			taken += good;
			if (good)
				wrong += sw.chips != sleds * chips || sw.epoch != 1 ||
					 sw.sleds != sleds || sw.chips_per_sled != chips;
		}
	tap_ok(!wrong && taken > 100, "%u shapes are taken, all others refused (%u wrong)", taken,
	       wrong);
	tap_ok(vn_switch_init(&sw, ~0u, ~0u, 0) == -1 && vn_switch_init(&sw, 1u << 31, 2, 0) == -1,
	       "also when the product overflows");

	vn_switch_init(&sw, 36, 4, 0);
	tap_ok(sw.racks == 2 && sw.chips == 144, "the machine: 144 chips in two racks");
	wrong = 0;
	for (u32 i = 0; i < 144; i++)
		wrong += sw.slot_of[i] != i || vn_switch_sled(&sw, i) != i / 4 ||
			 vn_switch_rack(&sw, i / 4) != i / 72;
	tap_ok(!wrong, "chip n is in slot n, 4 slots a sled, 18 sleds a rack");

	wrong = 0;
	for (u32 sleds = 1; sleds <= 36; sleds++) {
		u32 in[2] = { 0, 0 }, last = 0;

		vn_switch_init(&sw, sleds, 1, 0);
		for (u32 s = 0; s < sleds; s++) {
			u32 r = vn_switch_rack(&sw, s);

			wrong += r >= sw.racks || r < last;
			last = r;
			in[r & 1]++;
		}
		wrong += sw.racks == 2 && in[0] != in[1] && in[0] != in[1] + 1;
	}
	tap_ok(!wrong, "racks share the sleds evenly, the first ones first");
}

static void test_planes(void)
{
	u32 hits[VN_PLANES] = { 0 }, wrong = 0, both = 0, least = ~0u, most = 0;

	for (u32 src = 0; src < 144; src++)
		for (u32 dst = 0; dst < 144; dst++) {
			u32 p = vn_switch_plane(src, dst, 17);

			wrong += p >= VN_PLANES || p != vn_switch_plane(src, dst, 17);
			hits[p & 3]++;
		}
	tap_ok(!wrong, "a flow has one plane, below %u", VN_PLANES);
	for (u32 i = 0; i < VN_PLANES; i++) {
		least = hits[i] < least ? hits[i] : least;
		most = hits[i] > most ? hits[i] : most;
	}
	tap_ok(most < 2 * least, "pairs spread over the planes: %u to %u of %u", least, most,
	       144 * 144);
	memset(hits, 0, sizeof(hits));
	for (u32 flow = 0; flow < 4096; flow++) {
		hits[vn_switch_plane(3, 77, flow) & 3]++;
		both += vn_switch_plane(3, 77, flow) == vn_switch_plane(77, 3, flow);
	}
	tap_ok(hits[0] > 512 && hits[1] > 512 && hits[2] > 512 && hits[3] > 512,
	       "so do flows between one pair: %u %u %u %u", hits[0], hits[1], hits[2], hits[3]);
	tap_ok(both < 4096, "there and back need not go the same way");
}

static void test_traffic(void)
{
	static struct vn_traffic t;
	struct vn_switch sw;
	u64 tx = 0, rx = 0, local = 0, sent = 0, stayed = 0;
	u64 from[144] = { 0 }, to[144] = { 0 };
	u32 wrong = 0;

	vn_switch_init(&sw, 36, 4, 0);
	/* Chips that changed their places. */
	for (u32 i = 0; i < 144; i++)
		sw.slot_of[i] = (u16)((i + 5) % 144);
	for (u32 i = 0; i < 100000; i++) {
		u32 a = (u32)rnd() % 144, b = (u32)rnd() % 144;
		u64 n = rnd() & 0xffff;

		vn_switch_count(&sw, &t, a, b, i & 7, n);
		if (a == b) {
			stayed += n;
		} else {
			sent += n;
			from[sw.slot_of[a]] += n;
			to[sw.slot_of[b]] += n;
		}
	}
	for (u32 s = 0; s < 144; s++) {
		u64 out = 0, in = 0;

		for (u32 p = 0; p < VN_PLANES; p++) {
			out += t.tx[s][p];
			in += t.rx[s][p];
		}
		wrong += out != from[s] || in != to[s];
		tx += out;
		rx += in;
		local += t.local[s];
	}
	tap_ok(tx == sent && rx == sent, "what is sent is received");
	tap_ok(local == stayed, "what stays on the chip is counted apart");
	tap_ok(!wrong, "by slot, not by chip (%u wrong)", wrong);
}

int main(void)
{
	test_shape();
	test_planes();
	test_traffic();
	return tap_done();
}
