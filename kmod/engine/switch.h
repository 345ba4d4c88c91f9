/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The neuron switch, profile `full`: every chip has VN_PLANES links into as
 * many switch planes, any two chips are one hop apart. A transfer takes one
 * plane, picked by hashing its flow (queue, source slot, destination slot), so
 * that data and the semaphore write that announces it go the same way.
 *
 * Only here do virtual chips become physical slots.
 */
#ifndef VN_SWITCH_H
#define VN_SWITCH_H

#include "port.h"
#include "../../uapi/linux/vneuron.h"

#define VN_PLANES	4u

/* What is at a slot where no chip is: nothing, one that is to come, or not even power. */
#define VN_SLOT_FREE	0xffffu
#define VN_SLOT_TAKEN	0xfffeu
#define VN_SLOT_OFF	0xfffdu

/* Per slot and plane. One writer (the runner that owns it), many readers. */
struct vn_traffic {
	u64 tx[VN_MAX_SLOTS][VN_PLANES];
	u64 rx[VN_MAX_SLOTS][VN_PLANES];
	u64 local[VN_MAX_SLOTS];	/* stayed on the chip */
};

/*
 * Sleds are numbered from 0: first those that have chips when the machine comes
 * up, then the spares. Slots likewise, chips_per_sled of them on each sled.
 */
struct vn_switch {
	u32 epoch;
	u32 sleds, spares, chips_per_sled, chips, slots, racks;
	u16 slot_of[VN_MAX_CHIPS];	/* virtual chip -> slot */
	u16 chip_at[VN_MAX_SLOTS];	/* slot -> virtual chip, or VN_SLOT_... */
	/* What is out of order (fault.h), a bit each; faulty: any of lost and cut. */
	u32 faulty;
	u64 lost[(VN_MAX_CHIPS + 63) / 64];	/* virtual chips */
	u64 bad[(VN_MAX_SLOTS + 63) / 64];	/* slots */
	u64 cut;			/* sleds whose links are */
	u64 moving[(VN_MAX_CHIPS + 63) / 64];	/* chips that a drain is at work on */
};

/* Identity map, epoch 1. -1 when the shape is not one this switch can have. */
int vn_switch_init(struct vn_switch *sw, u32 sleds, u32 chips_per_sled, u32 spares);
/* All of them, spares included. */
u32 vn_switch_sleds(const struct vn_switch *sw);
/* Sled and rack of a slot. Racks share the sleds evenly, first ones first; spares in turn. */
u32 vn_switch_sled(const struct vn_switch *sw, u32 slot);
u32 vn_switch_rack(const struct vn_switch *sw, u32 sled);
u32 vn_switch_plane(u32 src_slot, u32 dst_slot, u32 flow);
/* The chip is at that slot from now on, and its old one is free. One writer. */
void vn_switch_move(struct vn_switch *sw, u32 chip, u32 slot);
/* Can a chip come to that slot? */
bool vn_switch_free(const struct vn_switch *sw, u32 slot);
/* Slots of a sled where no chip is get power, or lose it. */
void vn_switch_power(struct vn_switch *sw, u32 sled, bool on);
bool vn_switch_lost(const struct vn_switch *sw, u32 chip);
/* Is there a way between two virtual chips? */
bool vn_switch_reaches(const struct vn_switch *sw, u32 a, u32 b);
/* The sled whose links are in the way between two; VN_ANY_SLED: none. */
u32 vn_switch_cut(const struct vn_switch *sw, u32 a_sled, u32 b_sled);
/* Bytes go from one virtual chip to another. */
void vn_switch_count(const struct vn_switch *sw, struct vn_traffic *t, u32 src, u32 dst, u32 flow,
		     u64 bytes);

#endif
