/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A plan: per-chip programs, checked once from private copies, launched again
 * and again. One launch of a plan runs at a time. Any number of runners work on
 * it together: each claims a program (an exchange on `busy`), runs it until it
 * blocks or ends, and goes on to the next.
 *
 * The shell owns all memory behind the pointers; it changes nothing between
 * vn_plan_check() and the end of the plan. Fields from `running` on belong to
 * the queue that launched it; they are set under that queue's lock, except the
 * words marked atomic.
 */
#ifndef VN_PLAN_H
#define VN_PLAN_H

#include "port.h"
#include "exec.h"

struct vn_program_run {
	u32 busy;			/* atomic: claimed */
	u32 ended;			/* atomic */
	u32 pc;				/* of the holder of busy, as the rest */
	bool begun;
	struct vn_cursor cur;
};

struct vn_plan {
	const struct vn_program *programs;
	const struct vn_desc *descs;
	const struct vn_operand *operands;
	struct vn_program_run *run;	/* [nprograms] */
	u32 nprograms, ndescs, noperands, nparams;
	u32 checked;			/* of the descriptors */
	u64 cost;			/* bytes touched by one launch, about */

	u32 running;			/* atomic: claimed by a queue */
	u32 left;			/* atomic: programs not ended */
	u32 failed;			/* atomic: first vn_status that is not OK */
	u32 failed_desc;
	u64 bytes;			/* atomic: written to HBM */
	struct vn_env env;
	struct vn_operand params[VN_OPERANDS_MAX];
};

/* VN_OK or why not; *desc is the index of the refused descriptor (or ndescs). */
u32 vn_plan_check(struct vn_plan *p, u32 chips, u32 *desc);
/* The same as the errno of PLAN_CREATE: a program's chip is told from a bad descriptor. */
int vn_plan_accept(struct vn_plan *p, u32 chips, u32 *desc);
/*
 * The same a bit at a time, of a plan that is zero from `checked` on: -EAGAIN, so many more
 * descriptors were checked, and there are others.
 */
int vn_plan_accept_some(struct vn_plan *p, u32 chips, u32 n, u32 *desc);

/* What a runner comes back with. */
enum vn_work {
	VN_WORK_DONE,		/* nothing is left of this launch */
	VN_WORK_PROGRESS,	/* did something; come again */
	VN_WORK_BLOCKED,	/* all that is left waits, or is in other hands */
};

/* Works on a launch until the budget of bytes is used, beginning at program `hint`. */
enum vn_work vn_plan_work(struct vn_plan *p, struct vn_runner *r, u32 hint, u64 budget);

/* Makes every runner leave it as soon as it can; the launch ends with that status. */
void vn_plan_stop(struct vn_plan *p, u32 status);
/* Has it a program on that chip? */
bool vn_plan_on(const struct vn_plan *p, u32 chip);

#endif
