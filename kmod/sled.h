/* SPDX-License-Identifier: GPL-2.0-only */
/* Sleds: their states, who is at work on them, and what others see of that. */
#ifndef VN_SLED_H
#define VN_SLED_H

#include <linux/uidgid.h>
#include "engine/drain.h"
#include "context.h"

/* Events that an operation leaves unsaid at a time: of a pause. */
#define VN_SLED_UNSAID	4

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

/*
 * An operation on a sled, from vn_sled_drain() or vn_sled_back() on: a part of the session
 * that does it, and guarded as that is.
 */
struct vn_sled_op {
	u32 sled, state;
	u32 was;			/* before it began */
	u64 id;
	kuid_t uid;
	u8 reason[VN_REASON];
	struct vn_sled_progress progress;	/* so far; seen with the next state */
	struct vn_sled_event event[VN_SLED_UNSAID];
	u32 nevents;
};

/* Waits for no drain. */
void vn_sled_see(u32 sled, struct vn_sled_seen *seen);
/*
 * Calls off what drains a sled; operation 0: whichever it is. 0; -ENOENT: nothing does;
 * -ESTALE: another operation does; -EALREADY: it is too late.
 */
int vn_sled_cancel(u32 sled, u64 operation);
/*
 * Can a drain go on? -ECANCELED: somebody has called it off. -EHOSTDOWN, -ENETUNREACH: as
 * DRAIN_STEP.
 */
int vn_sled_check(const struct vn_sled_op *op, const struct vn_moves *m);
bool vn_sled_faulted(u32 sled);
/* Who asks for it, or did before a restart; invalid: nobody here. */
kuid_t vn_sled_uid(const struct vn_drain_open *a);
/* It is drained, and loses power. As DRAIN_OPEN. */
int vn_sled_maintain(struct vn_drain_open *a);

/* Where the chips of a sled would go: vn_drain_place(), or why it cannot be drained. */
int vn_sled_place(struct vn_drain_open *a, struct vn_moves *m);
/* The same, and it is PLANNED: the slots are taken. */
int vn_sled_drain(struct vn_sled_op *op, struct vn_drain_open *a, struct vn_moves *m);
/* It is VALIDATING, or why it can't be. */
int vn_sled_back(struct vn_sled_op *op);

/* From one state to the next, unless it is FAULTED meanwhile; others hear of it ... */
void vn_sled_go(struct vn_sled_op *op, u32 state);
/* ... or with vn_sled_say(), which a pause has no time for. */
void vn_sled_pass(struct vn_sled_op *op, u32 state);
void vn_sled_say(struct vn_sled_op *op);
/* It is VERIFIED, from where on it is too late to call it off; or as vn_sled_check(). */
int vn_sled_verified(struct vn_sled_op *op, const struct vn_moves *m);
/* Its chips are where they go to, in a new epoch. */
void vn_sled_flip(const struct vn_moves *m);
/* Others see how far it is; `round`: one has just ended. */
void vn_sled_tell(struct vn_sled_op *op, bool round);

/* The end of an operation: the sled is in service, with no trace of it; or -EHOSTDOWN. */
int vn_sled_serve(struct vn_sled_op *op);
/* The end of a drain: nothing moves any more, and it is DRAINED. */
void vn_sled_through(struct vn_sled_op *op, const struct vn_moves *m);
/* A drain is undone: the slots are free, the sled in service. */
void vn_sled_undo(struct vn_sled_op *op, const struct vn_moves *m);
/* The sled does not come back: it is what it was. */
void vn_sled_stay(struct vn_sled_op *op);

/*
 * Makes a fault, under hbm_lock: how many chips were lost, lost[], or -errno.
 * vn_sled_mend() takes one away.
 */
int vn_sled_fault(const struct vn_fault *f, u16 lost[VN_MAX_CHIPS_PER_SLED]);
int vn_sled_mend(const struct vn_fault *f);
u32 vn_sled_faults(struct vn_fault *to, u32 max);

/*
 * Tests the slots of a sled, with one of another sled; validate.c. 0, -EIO with *fault
 * (enum vn_sled_fault) and *slot, -ENOMEM or -EINTR.
 */
int vn_sled_validate(u32 sled, u32 *fault, u32 *slot);

#endif
