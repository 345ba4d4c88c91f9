/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * vneuron: sleds, and taking one out of service. Part of vneuron.h.
 *
 * A drain moves the chips of a sled to other slots while programs go on: keys,
 * queues, semaphores, device addresses and mappings stay what they are. Who
 * drains opens a session (DRAIN_OPEN, an fd) and takes it from step to step
 * (DRAIN_STEP); each step is carried out inside the call. Closing the session
 * before COMMITTED, or dying, undoes everything. Others see it, and can call it
 * off, by netlink (vneuron_nl.h).
 */
#ifndef _UAPI_LINUX_VNEURON_SLED_H
#define _UAPI_LINUX_VNEURON_SLED_H

#include <linux/types.h>

/* Any sled but the one that is drained. */
#define VN_ANY_SLED		0xffffffffu
#define VN_REASON		64
/* Most chips on a sled. */
#define VN_MAX_CHIPS_PER_SLED	16
/* The fence's own deadline: at most so many budgets. */
#define VN_FENCE_BUDGETS	4
/* Longest budget of a pause, nanoseconds: a minute. */
#define VN_BUDGET_MAX		60000000000ULL

/**
 * enum vn_sled_state - where a sled stands
 * @VN_SLED_IN_SERVICE: chips are on it, or can be
 * @VN_SLED_PLANNED: slots and memory for its chips are found and taken
 * @VN_SLED_CORDONED: no chip moves to it any more
 * @VN_SLED_PRECOPY: its HBM is copied while programs go on
 * @VN_SLED_FENCED: nobody writes to its HBM
 * @VN_SLED_STOPCOPY: what was written last is copied
 * @VN_SLED_VERIFIED: all of the copy is as it was read
 * @VN_SLED_COMMITTED: its chips are elsewhere, in the next epoch
 * @VN_SLED_DRAINED: nothing of it is left on the sled
 * @VN_SLED_MAINTENANCE: somebody is at it
 * @VN_SLED_VALIDATING: it is being tested
 * @VN_SLED_FAULTED: it was lost, or did not pass
 */
enum vn_sled_state {
	VN_SLED_IN_SERVICE,
	VN_SLED_PLANNED,
	VN_SLED_CORDONED,
	VN_SLED_PRECOPY,
	VN_SLED_FENCED,
	VN_SLED_STOPCOPY,
	VN_SLED_VERIFIED,
	VN_SLED_COMMITTED,
	VN_SLED_DRAINED,
	VN_SLED_MAINTENANCE,
	VN_SLED_VALIDATING,
	VN_SLED_FAULTED,
	/* private: */
	VN_SLED_STATES,
};

/**
 * struct vn_sled_query - a sled
 * @size: sizeof(struct vn_sled_query)
 * @sled: its number; spares come last
 * @state: out, &enum vn_sled_state
 * @chips: out, virtual chips on it
 * @rack: out
 * @numa_node: out, node its HBM is taken from, -1 when there is no choice
 * @epoch: out
 * @uid: out, who brought it into that state, in the caller's user namespace; 0xffffffff:
 *	nobody
 * @hbm_used: out, bytes taken on its chips
 * @operation: out, what brought it into that state, 0: nothing did
 * @reason: out, why, as was said; zeros behind
 */
struct vn_sled_query {
	__u32 size;
	__u32 sled;
	__u32 state;
	__u32 chips;
	__u32 rack;
	__s32 numa_node;
	__u32 epoch;
	__u32 uid;
	__u64 hbm_used;
	__u64 operation;
	__u8 reason[VN_REASON];
};

/**
 * enum vn_drain_flags - &vn_drain_open.flags
 * @VN_DRAIN_DRY_RUN: only says what it would take: no session, nothing changes
 * @VN_DRAIN_BACK: the other way: a sled that is drained, in maintenance or faulted is to
 *	come back; the session begins in VALIDATING
 * @VN_DRAIN_RESTORE: it was out of service before a restart: it is so again by who
 *	drained it then
 * @VN_DRAIN_MAINTAIN: a sled that is drained loses power: it is in MAINTENANCE then, its
 *	slots are nowhere until it comes back; no session
 *
 * One of them at most, but that MAINTAIN goes with RESTORE.
 */
enum vn_drain_flags {
	VN_DRAIN_DRY_RUN	= 1 << 0,
	VN_DRAIN_BACK		= 1 << 1,
	VN_DRAIN_RESTORE	= 1 << 2,
	VN_DRAIN_MAINTAIN	= 1 << 3,
};

/**
 * struct vn_drain_open - begin to drain a sled (CAP_SYS_ADMIN)
 * @size: sizeof(struct vn_drain_open)
 * @flags: &enum vn_drain_flags
 * @sled: to be drained
 * @to: sled for its chips, or VN_ANY_SLED
 * @operation: number of this operation, not 0; who asks for it
 * @budget_ns: how long writers may be kept out, not 0, at most VN_BUDGET_MAX
 * @reason: why, for others to see; ends with a zero
 * @fd: out, the session, in PLANNED; -1 without a session
 * @chips: out, chips on the sled
 * @free_slots: out, slots there are for them, at most @chips
 * @contexts: out, that have memory on it
 * @bytes: out, to be copied
 * @uid: with VN_DRAIN_RESTORE: who drained it, in the caller's user namespace; else zero
 * @reserved: zero
 * @rate: out, of a dry run: bytes a second that copying makes, as the last drain has
 *	measured it; before the first one, as it is to copy some memory now
 * @pause_ns: out, of a dry run: how long a pause would be if nothing were written meanwhile
 * @time_ns: out, of a dry run: how long all of it would take then, about
 * @slot: out, where its chips go, @free_slots of them
 * @exports: out, dma-bufs of memory on it, which keep it from being drained (a dry run succeeds
 *	all the same); this and the next two also of an EBUSY
 * @holder: out, if there are any: number of the context that has made one of them
 * @holder_pid: out, process that opened that context, in the caller's pid namespace, 0: none
 *	of it
 * @reserved1: zero
 *
 * Takes slots and memory for all of it. ENOSPC: there are fewer slots than chips
 * (a dry run succeeds, and says how many). ENOMEM: the host has no memory for the
 * copy. EBUSY: it is being drained, or gets chips of one that is; or there are dma-bufs of its
 * memory. EALREADY: it is drained by this operation.
 * EINVAL also: it is not in service; of MAINTAIN: it is not drained; of RESTORE: the
 * caller's user namespace has no such @uid.
 */
struct vn_drain_open {
	__u32 size;
	__u32 flags;
	__u32 sled;
	__u32 to;
	__u64 operation;
	__u64 budget_ns;
	__u8 reason[VN_REASON];
	__s32 fd;
	__u32 chips;
	__u32 free_slots;
	__u32 contexts;
	__u64 bytes;
	__u32 uid;
	__u32 reserved;
	__u64 rate;
	__u64 pause_ns;
	__u64 time_ns;
	__u16 slot[VN_MAX_CHIPS_PER_SLED];
	__u32 exports;
	__u32 holder;
	__u32 holder_pid;
	__u32 reserved1;
};

/**
 * enum vn_sled_fault - what a sled did not pass
 * @VN_FAULT_NONE: it did
 * @VN_FAULT_MEMORY: memory of a slot does not keep what is written there
 * @VN_FAULT_LINK: a copy between two slots is not what was copied
 * @VN_FAULT_SUM: a reduction over all slots of it, and others, is wrong
 */
enum vn_sled_fault {
	VN_FAULT_NONE,
	VN_FAULT_MEMORY,
	VN_FAULT_LINK,
	VN_FAULT_SUM,
};

/**
 * struct vn_drain_step - take a session one step further
 * @size: sizeof(struct vn_drain_step)
 * @to: &enum vn_sled_state wanted: CORDONED; PRECOPY, as often as wanted, a round
 *	each time; COMMITTED, through FENCED, STOPCOPY and VERIFIED; DRAINED. Of one
 *	that brings a sled back: IN_SERVICE, if it passes
 * @state: out, where it is now
 * @rounds: out, of copying while programs went on
 * @total_bytes: out, on the sled
 * @copied_bytes: out, in all
 * @dirty_bytes: out, written since they were copied
 * @rate: out, bytes a second that copying has made so far
 * @estimate_ns: out, how long a pause would be: to copy what is dirty at that rate, and to
 *	keep writers out as long as that took lately (at most half of the budget is set
 *	aside for that)
 * @pause_ns: out, how long writers were kept out; 0 before COMMITTED
 * @stop_bytes: out, copied in that time
 * @waits: out, times that a descriptor met the fence
 * @fault: out, &enum vn_sled_fault
 * @slot: out, at which it was seen
 * @slow_us: out, microseconds for which who writes there rests, so that copying catches up;
 *	not any more when it is called off, or has not copied for a second
 * @reserved: zero
 * @exports: out, dma-bufs of memory on the sled
 * @holder: out, if there are any: number of the context that has made one of them
 * @holder_pid: out, process that opened that context, in the caller's pid namespace, 0: none
 *	of it
 * @reserved1: zero
 *
 * EBUSY: there are dma-bufs that were not when it began; it is as it was, and goes on when
 * they are gone. EAGAIN: COMMITTED was wanted, but @estimate_ns exceeds the budget; the session
 * stays in PRECOPY. ETIME: the pause got longer than the budget, or, when that has
 * happened a few times, than up to VN_FENCE_BUDGETS of it: it is in PRECOPY again. EIO: a
 * page is not as it was read; or the sled has not passed, and is FAULTED. EHOSTDOWN: it is
 * lost, and FAULTED, or a sled is to which its chips go.
 * ENETUNREACH: there is no way there. ECANCELED: somebody has called it off; no step is
 * left but closing it. Whatever fails before COMMITTED leaves all as it was. EINVAL: no
 * such step from here.
 */
struct vn_drain_step {
	__u32 size;
	__u32 to;
	__u32 state;
	__u32 rounds;
	__u64 total_bytes;
	__u64 copied_bytes;
	__u64 dirty_bytes;
	__u64 rate;
	__u64 estimate_ns;
	__u64 pause_ns;
	__u64 stop_bytes;
	__u64 waits;
	__u32 fault;
	__u32 slot;
	__u32 slow_us;
	__u32 reserved;
	__u32 exports;
	__u32 holder;
	__u32 holder_pid;
	__u32 reserved1;
};

#endif /* _UAPI_LINUX_VNEURON_SLED_H */
