/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Faults made on purpose: what is asked for, what of it the switch and all readers of
 * the health page come to see, and what drains are still to run into. The shells take
 * the lock of the map of slots around all that changes something, and do what there is to
 * be done to HBM.
 */
#ifndef VN_FAULT_H
#define VN_FAULT_H

#include "port.h"
#include "switch.h"

struct vn_faults {
	struct vn_health *health;	/* read by all, mapped by programs */
	u64 sleds;			/* a bit each: lost, and not cleared since */
	u32 copies;			/* atomic: pages to be copied wrong */
	u32 allocs;			/* atomic: the allocation that fails, 0: none */
};

/* Is it one of a sled or a chip? */
static inline bool vn_faults_placed(u32 kind)
{
	return kind >= VN_FAULT_SLED_LOSS && kind <= VN_FAULT_LINK_CUT;
}

/* Is it one that can be made here? -EINVAL: no such kind or count; -ENODEV: no such place. */
int vn_faults_check(const struct vn_switch *sw, const struct vn_fault *f);
/*
 * Makes it. The chips that are lost by it, which were not before, go to lost[]; how many.
 * Their HBM is the caller's: then vn_faults no longer say that it is theirs.
 */
u32 vn_faults_make(struct vn_switch *sw, struct vn_faults *fs, const struct vn_fault *f,
		   u16 lost[VN_MAX_CHIPS_PER_SLED]);
/*
 * Takes it away, or with VN_FAULT_ANY all. A chip comes back when its sled is in service,
 * as in_service (a bit a sled) says; else with that. -ENOENT: there is none such.
 */
int vn_faults_clear(struct vn_switch *sw, struct vn_faults *fs, const struct vn_fault *f,
		    u64 in_service);
/* All there are, at most max; how many. */
u32 vn_faults_list(const struct vn_switch *sw, const struct vn_faults *fs, struct vn_fault *to,
		   u32 max);

/* A chip is being reset; without the lock. */
void vn_faults_reset(struct vn_faults *fs, u32 chip);

/* A lost chip that is where it works is there again, without what it had. */
void vn_faults_revive(struct vn_switch *sw, struct vn_faults *fs, u32 chip);
/* The same for all chips on a sled. */
void vn_faults_revive_sled(struct vn_switch *sw, struct vn_faults *fs, u32 sled);

/*
 * What of a sled is out of order, of which no test of its memory could know: VN_FAULT_NONE,
 * or enum vn_sled_fault, and the slot.
 */
u32 vn_faults_of_sled(const struct vn_switch *sw, u32 sled, u32 *slot);

/* Is this the allocation that fails; the page that goes wrong? */
bool vn_faults_alloc(struct vn_faults *fs);
bool vn_faults_copy(struct vn_faults *fs);

#endif
