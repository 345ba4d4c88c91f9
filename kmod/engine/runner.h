/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A runner is a thread's right to be the hardware for a while: scratch memory,
 * an arithmetic table, traffic counters. A shell has about as many as there
 * are cores; who waits takes one, works, and gives it back before sleeping.
 *
 * Work is cut into chunks. Inside a chunk the runner may use any window it
 * found live in that chunk, without counting references; whoever takes memory
 * away first makes the name dead and then waits until each runner has been
 * seen outside, or in a later chunk (vn_runner_passed). The exchange on entry
 * is a full barrier and pairs with the one in vn_table_kill(): either the
 * runner sees the name dead, or the killer sees the runner inside.
 */
#ifndef VN_RUNNER_H
#define VN_RUNNER_H

#include "port.h"
#include "ops.h"
#include "switch.h"

struct vn_window;

struct vn_runner {
	u32 chunk;			/* odd: inside one */
	bool signalled;			/* wrote a semaphore; the shell clears it */
	bool posted;			/* told another queue something; the shell clears it */
	const struct vn_ops *ops;
	u8 *scratch;			/* VN_SCRATCH_BYTES, 64-byte aligned */
	u64 chunk_bytes;		/* memory touched per chunk, about */
	u64 chunk_macs;			/* multiply-adds per chunk, about */
	u64 stream_bytes;		/* what caches hold: vn_streams(), lookup.h */
	u64 descs;			/* descriptors finished */
	u32 fenced;			/* times it was kept out of HBM; the shell clears it */
	u32 slow_us;			/* it is to rest so long; the shell clears it */
	void *src[VN_REDUCE_MAX];
	void *dst[VN_REDUCE_MAX];
	struct vn_window *window[2 * VN_REDUCE_MAX];	/* of src, then of dst */
	struct vn_traffic traffic;
};

static inline void vn_runner_enter(struct vn_runner *r)
{
	vn_xchg(&r->chunk, r->chunk + 1);
}

static inline void vn_runner_leave(struct vn_runner *r)
{
	vn_store_release(&r->chunk, r->chunk + 1);
}

/* What to remember of a runner after a kill ... */
static inline u32 vn_runner_mark(const struct vn_runner *r)
{
	return vn_load_acquire(&r->chunk);
}

/* ... and whether it can still be using what was killed. */
static inline bool vn_runner_passed(const struct vn_runner *r, u32 mark)
{
	return !(mark & 1) || vn_load_acquire(&r->chunk) != mark;
}

#endif
