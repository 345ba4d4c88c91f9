/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * vneuron: faults that are made on purpose, and what all can see of those that there
 * are. Part of vneuron.h.
 *
 * Faults are made by netlink (vneuron_nl.h), or by the library in the embedded device.
 * A chip that is lost takes its HBM with it: descriptors that need either end with
 * VN_CHIP_LOST, and whoever still has the memory mapped reads all ones.
 */
#ifndef _UAPI_LINUX_VNEURON_FAULT_H
#define _UAPI_LINUX_VNEURON_FAULT_H

#include <linux/types.h>

/**
 * enum vn_fault_kind - what goes wrong
 * @VN_FAULT_ANY: none in particular; to clear all
 * @VN_FAULT_SLED_LOSS: a sled, with all chips on it; it is FAULTED, whatever it was
 * @VN_FAULT_CHIP_LOSS: a chip, and the slot it is in
 * @VN_FAULT_LINK_CUT: the links of a sled with the switch: what needs them ends with
 *	VN_LINK_DOWN, inside the sled all goes on
 * @VN_FAULT_COPY_CORRUPT: pages that drains copy next: a bit of each is flipped on the way
 * @VN_FAULT_ALLOC_FAIL: an allocation of a drain, the next or a later one, once
 * @VN_FAULT_KINDS: how many
 */
enum vn_fault_kind {
	VN_FAULT_ANY,
	VN_FAULT_SLED_LOSS,
	VN_FAULT_CHIP_LOSS,
	VN_FAULT_LINK_CUT,
	VN_FAULT_COPY_CORRUPT,
	VN_FAULT_ALLOC_FAIL,
	VN_FAULT_KINDS,
};

/* Nothing is there; of a chip that has left the slot. */
#define VN_NOWHERE		0xffffffffu

/**
 * struct vn_fault - one fault
 * @kind: &enum vn_fault_kind
 * @where: the sled or chip; else 0
 * @slot: out, of a CHIP_LOSS: the slot that is bad, which @where (VN_NOWHERE when listed)
 *	may have left
 * @count: COPY_CORRUPT: how many pages are still to come; ALLOC_FAIL: the how manieth
 *	from now on, 1: the next; else 0
 */
struct vn_fault {
	__u32 kind;
	__u32 where;
	__u32 slot;
	__u32 count;
};

/* The offset at which any context can map struct vn_health, a page, for reading. */
#define VN_HEALTH_OFFSET	0ULL
#define VN_HEALTH_CHIPS		144
#define VN_HEALTH_SLEDS		40

/**
 * struct vn_health - what has been lost, for all to see
 * @changes: how often anything else here has changed
 * @reserved: zero
 * @chip: by virtual chip, how often it has been lost and found again: odd, it is lost now.
 *	Changes before anything of the loss can be seen in HBM
 * @link: by sled, how often its links have been cut and mended: odd, they are cut now
 * @reset: by virtual chip, how often it has been reset: keys of windows on it that are
 *	older are stale. Changes before anything of the reset can be seen
 */
struct vn_health {
	__u32 changes;
	__u32 reserved;
	__u32 chip[VN_HEALTH_CHIPS];
	__u32 link[VN_HEALTH_SLEDS];
	__u32 reset[VN_HEALTH_CHIPS];
};

#endif /* _UAPI_LINUX_VNEURON_FAULT_H */
