/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Executing one descriptor, chunk by chunk. The descriptor is a private copy
 * that vn_desc_check() accepted; operands are resolved anew in every chunk, so
 * nothing is held between two.
 */
#ifndef VN_EXEC_H
#define VN_EXEC_H

#include "port.h"
#include "runner.h"
#include "window_table.h"

/* What names mean for a queue or a running plan, and who it is. */
struct vn_env {
	const struct vn_window_table *own;
	const struct vn_domain_table *domain;
	const struct vn_switch *sw;
	const struct vn_operand *params;	/* of a launch, or NULL */
	u64 base;				/* of relative semaphore values */
	u64 volume;				/* bytes a launch touches in all, or 0 */
	u32 burst;				/* so many were submitted together; 0: one */
	u32 chip;
	u32 flow;
};

enum vn_step {
	VN_STEP_DONE,		/* finished */
	VN_STEP_MORE,		/* a chunk done, more to do */
	VN_STEP_BLOCKED,	/* waits for a semaphore, or whom it tells has no room */
	VN_STEP_FAILED,		/* status and detail say why */
};

/* How far a descriptor has got. Zero everything but desc and table to begin. */
struct vn_cursor {
	const struct vn_desc *desc;
	const struct vn_operand *table;		/* of those that have one: private copy */
	u64 at;
	u64 bytes;				/* written to HBM */
	u64 result;				/* what a word was before */
	u32 src, dst;				/* COPY_LIST: segments, */
	u64 src_at, dst_at;			/* and how much of each is done */
	u32 status, detail;
};

enum vn_step vn_exec_chunk(struct vn_runner *r, const struct vn_env *env, struct vn_cursor *c);
/* What one chunk of a descriptor costs at most, bytes: for budgets. */
u64 vn_exec_cost(const struct vn_runner *r, const struct vn_desc *d);

/*
 * Copies an operand table out of own HBM. VN_OK or the failure, *detail is the
 * offset of the descriptor's field that named it.
 */
u32 vn_exec_fetch(struct vn_runner *r, const struct vn_env *env, u64 addr, u32 count,
		  struct vn_operand *to);

#endif
