// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "switch.h"

int vn_switch_init(struct vn_switch *sw, u32 sleds, u32 chips_per_sled, u32 spares)
{
	if (!sleds || sleds > VN_MAX_SLEDS || !chips_per_sled ||
	    chips_per_sled > VN_MAX_CHIPS_PER_SLED || sleds * chips_per_sled > VN_MAX_CHIPS ||
	    spares > VN_MAX_SPARES)
		return -1;
	memset(sw, 0, sizeof(*sw));
	sw->epoch = 1;
	sw->sleds = sleds;
	sw->spares = spares;
	sw->chips_per_sled = chips_per_sled;
	sw->chips = sleds * chips_per_sled;
	sw->slots = (sleds + spares) * chips_per_sled;
	/* The machine modelled has two racks of 18 sleds. */
	sw->racks = sleds > 1 ? 2 : 1;
	for (u32 i = 0; i < sw->slots; i++)
		sw->chip_at[i] = i < sw->chips ? i : VN_SLOT_FREE;
	for (u32 i = 0; i < sw->chips; i++)
		sw->slot_of[i] = i;
	return 0;
}

u32 vn_switch_sleds(const struct vn_switch *sw)
{
	return sw->sleds + sw->spares;
}

u32 vn_switch_sled(const struct vn_switch *sw, u32 slot)
{
	return slot / sw->chips_per_sled;
}

u32 vn_switch_rack(const struct vn_switch *sw, u32 sled)
{
	u32 per_rack = (sw->sleds + sw->racks - 1) / sw->racks;

	return sled < sw->sleds ? sled / per_rack : (sled - sw->sleds) % sw->racks;
}

u32 vn_switch_plane(u32 src_slot, u32 dst_slot, u32 flow)
{
	/* Multiplicative hashing (Knuth): the top bits are the mixed ones. */
	u32 h = (src_slot << 16 ^ dst_slot) * 2654435761u;

	h = (h ^ flow) * 2246822519u;
	return h >> 30 & (VN_PLANES - 1);
}

void vn_switch_move(struct vn_switch *sw, u32 chip, u32 slot)
{
	WRITE_ONCE(sw->chip_at[sw->slot_of[chip]], (u16)VN_SLOT_FREE);
	WRITE_ONCE(sw->chip_at[slot], (u16)chip);
	WRITE_ONCE(sw->slot_of[chip], (u16)slot);
}

bool vn_switch_free(const struct vn_switch *sw, u32 slot)
{
	return sw->chip_at[slot] == VN_SLOT_FREE && !(sw->bad[slot / 64] >> slot % 64 & 1);
}

void vn_switch_power(struct vn_switch *sw, u32 sled, bool on)
{
	u32 first = sled * sw->chips_per_sled;

	for (u32 slot = first; slot < first + sw->chips_per_sled; slot++)
		if (sw->chip_at[slot] == (on ? VN_SLOT_OFF : VN_SLOT_FREE))
			sw->chip_at[slot] = on ? VN_SLOT_FREE : VN_SLOT_OFF;
}

bool vn_switch_lost(const struct vn_switch *sw, u32 chip)
{
	return READ_ONCE(sw->lost[chip / 64]) >> chip % 64 & 1;
}

u32 vn_switch_cut(const struct vn_switch *sw, u32 a_sled, u32 b_sled)
{
	u64 cut = READ_ONCE(sw->cut);

	if (a_sled == b_sled)
		return VN_ANY_SLED;
	return cut >> a_sled & 1 ? a_sled : cut >> b_sled & 1 ? b_sled : VN_ANY_SLED;
}

bool vn_switch_reaches(const struct vn_switch *sw, u32 a, u32 b)
{
	return vn_switch_cut(sw, vn_switch_sled(sw, READ_ONCE(sw->slot_of[a])),
			     vn_switch_sled(sw, READ_ONCE(sw->slot_of[b]))) == VN_ANY_SLED;
}

/* One writer each, so no read-modify-write is needed; readers see whole words. */
static void add(u64 *count, u64 n)
{
	WRITE_ONCE(*count, *count + n);
}

void vn_switch_count(const struct vn_switch *sw, struct vn_traffic *t, u32 src, u32 dst, u32 flow,
		     u64 bytes)
{
	u32 from = READ_ONCE(sw->slot_of[src]), to = READ_ONCE(sw->slot_of[dst]), plane;

	if (from == to) {
		add(&t->local[from], bytes);
		return;
	}
	plane = vn_switch_plane(from, to, flow);
	add(&t->tx[from][plane], bytes);
	add(&t->rx[to][plane], bytes);
}
