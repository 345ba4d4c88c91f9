/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VN_LIB_PLAN_H
#define VN_LIB_PLAN_H

#include "home.h"

/*
 * A barrier is one semaphore that every launch raises by exactly this: the
 * first participant adds the lot less the others, each other one adds 1. So
 * one launch count serves all barriers of a plan, whoever takes part. A launch
 * that fails half way leaves them in between; its queue must be reset then, and
 * the next launch sets them to where the launch count says they are.
 */
#define VN_BARRIER_STEP (1u << 16)

struct vn_lib_plan {
	struct vn_handle handle; /* first */
	struct vn_lib_device *dev;
	uint32_t id;
	uint32_t nparams;
	uint64_t launches;
	struct vn_lib_queue *last; /* that launched it; under handles_lock */
	bool resync; /* a reset cut a launch short; under handles_lock */
	struct vn_mem sems; /* one word per barrier; none: ptr is NULL */
};

/* Queue q forgets its launches: their plans' semaphores are to be set right. */
void vn_plans_cut(struct vn_lib_device *dev, const struct vn_lib_queue *q);

/* vn_launch() with a base of one's own for its relative semaphores. */
int vn_launch_from(struct vn_lib_queue *q, struct vn_lib_plan *p, uint64_t params,
		   uint64_t user_data, uint64_t base);

/* A chip's program while it grows. */
struct vn_draft {
	struct vn_desc *descs;
	uint32_t count, room;
};

struct vn_lib_builder {
	struct vn_lib_device *dev;
	uint32_t nparams;
	struct vn_draft draft[VN_MAX_CHIPS];
	struct vn_operand *operands;
	uint32_t noperands, operand_room;
	uint32_t barriers;
	int error; /* first failure; finish reports it */
};

#endif
