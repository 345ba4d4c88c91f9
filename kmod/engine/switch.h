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

/* Per slot and plane. One writer (the runner that owns it), many readers. */
struct vn_traffic {
	u64 tx[VN_MAX_CHIPS][VN_PLANES];
	u64 rx[VN_MAX_CHIPS][VN_PLANES];
	u64 local[VN_MAX_CHIPS];	/* stayed on the chip */
};

struct vn_switch {
	u32 epoch;
	u32 sleds, chips_per_sled, chips, racks;
	u16 slot_of[VN_MAX_CHIPS];	/* virtual chip -> slot */
};

/* Identity map, epoch 1. -1 when the shape is not one this switch can have. */
int vn_switch_init(struct vn_switch *sw, u32 sleds, u32 chips_per_sled);
/* Sled and rack of a slot. Racks share the sleds evenly, first ones first. */
u32 vn_switch_sled(const struct vn_switch *sw, u32 slot);
u32 vn_switch_rack(const struct vn_switch *sw, u32 sled);
u32 vn_switch_plane(u32 src_slot, u32 dst_slot, u32 flow);
/* Bytes go from one virtual chip to another. */
void vn_switch_count(const struct vn_switch *sw, struct vn_traffic *t, u32 src, u32 dst, u32 flow,
		     u64 bytes);

#endif
