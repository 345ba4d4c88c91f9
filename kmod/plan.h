/* SPDX-License-Identifier: GPL-2.0-only */
/* Plans as objects of a context. */
#ifndef VN_KMOD_PLAN_H
#define VN_KMOD_PLAN_H

#include <linux/refcount.h>
#include "engine/plan.h"
#include "context.h"

/* Held by its context until PLAN_DESTROY, and by the queue that runs it. */
struct vn_kplan {
	refcount_t refs;
	struct vn_user *user;
	u64 bytes;		/* of it all */
	u32 id;
	u64 launches;
	struct vn_plan p;
};

/* The context's plan with a reference, or NULL. */
struct vn_kplan *vn_kplan_find(struct vn_context *ctx, u32 id);
void vn_kplan_put(struct vn_kplan *kp);

int vn_call_plan_create(struct vn_context *ctx, void *arg);
void vn_undo_plan_create(struct vn_context *ctx, void *arg);
int vn_call_plan_destroy(struct vn_context *ctx, void *arg);
void vn_context_close_plans(struct vn_context *ctx);

#endif
