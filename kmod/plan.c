// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "plan.h"

/* Descriptors, between two chances for others to run. */
#define CHECKED_AT_ONCE	64

/* What it takes is paid for before it is taken. */
static int charge(struct vn_kplan *kp, struct vn_user *user, const struct vn_plan_create *a)
{
	int err = vn_user_charge(user, VN_USE_PLANS, 1);

	if (err)
		return err;
	kp->bytes = sizeof(*kp) + array_size(a->ndescs, sizeof(struct vn_desc)) +
		    array_size(a->noperands, sizeof(struct vn_operand)) +
		    array_size(a->nprograms, sizeof(struct vn_program) +
			       sizeof(struct vn_program_run));
	err = vn_user_charge(user, VN_USE_PLAN_BYTES, kp->bytes);
	if (err)
		vn_user_uncharge(user, VN_USE_PLANS, 1);
	else
		kp->user = user;
	return err;
}

static void plan_free(struct vn_kplan *kp)
{
	if (kp->user) {
		vn_user_uncharge(kp->user, VN_USE_PLAN_BYTES, kp->bytes);
		vn_user_uncharge(kp->user, VN_USE_PLANS, 1);
	}
	kvfree(kp->p.programs);
	kvfree(kp->p.descs);
	kvfree(kp->p.operands);
	kvfree(kp->p.run);
	kvfree(kp);
}

void vn_kplan_put(struct vn_kplan *kp)
{
	if (refcount_dec_and_test(&kp->refs))
		plan_free(kp);
}

struct vn_kplan *vn_kplan_find(struct vn_context *ctx, u32 id)
{
	struct vn_kplan *kp;

	xa_lock(&ctx->plans);
	kp = xa_load(&ctx->plans, id);
	if (kp)
		refcount_inc(&kp->refs);
	xa_unlock(&ctx->plans);
	return kp;
}

/* A private copy of an array; NULL for an empty one. */
static void *copy_array(u64 from, u32 n, size_t size)
{
	size_t bytes = array_size(n, size);
	void *to;

	if (!n)
		return NULL;
	to = kvmalloc(bytes, VN_GFP_USER);
	if (!to)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(to, u64_to_user_ptr(from), bytes)) {
		kvfree(to);
		return ERR_PTR(-EFAULT);
	}
	return to;
}

static int copy_in(struct vn_kplan *kp, const struct vn_plan_create *a)
{
	struct vn_plan *p = &kp->p;
	void *to;

	to = copy_array(a->programs, a->nprograms, sizeof(*p->programs));
	if (IS_ERR(to))
		return PTR_ERR(to);
	p->programs = to;
	to = copy_array(a->descs, a->ndescs, sizeof(*p->descs));
	if (IS_ERR(to))
		return PTR_ERR(to);
	p->descs = to;
	to = copy_array(a->operands, a->noperands, sizeof(*p->operands));
	if (IS_ERR(to))
		return PTR_ERR(to);
	p->operands = to;
	p->run = kvcalloc(a->nprograms, sizeof(*p->run), VN_GFP_USER);
	if (!p->run)
		return -ENOMEM;
	p->nprograms = a->nprograms;
	p->ndescs = a->ndescs;
	p->noperands = a->noperands;
	p->nparams = a->nparams;
	return 0;
}

/* A reduction names hundreds of operands, a plan has thousands of them. */
static int check(struct vn_kplan *kp, u32 *desc)
{
	int err;

	do {
		err = vn_plan_accept_some(&kp->p, vn_server.sw.chips, CHECKED_AT_ONCE, desc);
		cond_resched();
		if (err == -EAGAIN && fatal_signal_pending(current))
			return -EINTR;
	} while (err == -EAGAIN);
	return err;
}

int vn_call_plan_create(struct vn_context *ctx, void *arg)
{
	struct vn_plan_create *a = arg;
	struct vn_kplan *kp = kvzalloc(sizeof(*kp), VN_GFP_USER);
	int err;

	if (!kp)
		return -ENOMEM;
	refcount_set(&kp->refs, 1);
	err = charge(kp, ctx->user, a);
	if (err)
		goto free;
	err = copy_in(kp, a);
	if (err)
		goto free;
	err = check(kp, &a->error_desc);
	if (err)
		goto free;
	err = -EACCES;
	for (u32 i = 0; i < kp->p.nprograms; i++)
		if (!vn_context_attached(ctx, kp->p.programs[i].chip))
			goto free;

	mutex_lock(&ctx->objects_lock);
	err = xa_alloc(&ctx->plans, &kp->id, kp, XA_LIMIT(0, VN_CONTEXT_PLANS - 1),
		       VN_GFP_USER);
	if (!err)
		a->plan = kp->id;
	mutex_unlock(&ctx->objects_lock);
	if (!err)
		return 0;
	if (err == -EBUSY)
		err = -ENOSPC;
free:
	plan_free(kp);
	return err;
}

int vn_call_plan_destroy(struct vn_context *ctx, void *arg)
{
	const struct vn_plan_destroy *a = arg;
	struct vn_kplan *kp;
	int err = -ENOENT;

	mutex_lock(&ctx->objects_lock);
	xa_lock(&ctx->plans);
	kp = xa_load(&ctx->plans, a->plan);
	if (kp)
		err = READ_ONCE(kp->p.running) ? -EBUSY : 0;
	if (!err)
		__xa_erase(&ctx->plans, a->plan);
	xa_unlock(&ctx->plans);
	mutex_unlock(&ctx->objects_lock);
	if (!err)
		vn_kplan_put(kp);
	return err;
}

void vn_undo_plan_create(struct vn_context *ctx, void *arg)
{
	const struct vn_plan_create *a = arg;
	struct vn_plan_destroy undo = { .plan = a->plan };

	vn_call_plan_destroy(ctx, &undo);
}

void vn_context_close_plans(struct vn_context *ctx)
{
	struct vn_kplan *kp;
	unsigned long i;

	xa_for_each(&ctx->plans, i, kp) {
		vn_kplan_put(kp);
		cond_resched();
	}
	xa_destroy(&ctx->plans);
}
