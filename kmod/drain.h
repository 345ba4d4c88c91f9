/* SPDX-License-Identifier: GPL-2.0-only */
/* Sleds, and sessions that take one out of service. */
#ifndef VN_KMOD_DRAIN_H
#define VN_KMOD_DRAIN_H

#include <linux/uidgid.h>
#include "context.h"

/* What a step of a drain has told last. */
struct vn_sled_progress {
	u64 total_bytes, copied_bytes, dirty_bytes, estimate_ns, pause_ns;
};

/* A sled, as others see it. */
struct vn_sled_seen {
	u32 sled, state, chips, rack, epoch;
	s32 numa_node;
	u64 hbm_used, operation;
	kuid_t uid;			/* invalid: nobody */
	u8 reason[VN_REASON];
	bool drains;			/* it is being drained, and so far: */
	struct vn_sled_progress progress;
};

/* It went from one state to another; or, from PRECOPY to itself, a round is over. */
struct vn_sled_event {
	struct list_head list;
	u32 from;
	struct vn_sled_seen seen;	/* operation, uid, reason: of who made it go */
};

/* Waits for no drain. */
void vn_sled_see(u32 sled, struct vn_sled_seen *seen);
/*
 * Calls off what drains a sled; operation 0: whichever it is. 0; -ENOENT: nothing does;
 * -ESTALE: another operation does; -EALREADY: it is too late.
 */
int vn_sled_cancel(u32 sled, u64 operation);

/* The fd is reserved in arg, and -1 of a dry run; *file is to be installed there. */
int vn_call_drain_open(struct vn_context *ctx, void *arg, struct file **file);
/*
 * Tests the slots of a sled, with one of another sled; validate.c. 0, -EIO with *fault
 * (enum vn_sled_fault) and *slot, -ENOMEM or -EINTR.
 */
int vn_sled_validate(u32 sled, u32 *fault, u32 *slot);

/* A descriptor met a fence so many times. */
void vn_drain_waited(u32 times);

#endif
