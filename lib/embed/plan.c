// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Plans of the embedded device: private copies, checked once. */
#include <errno.h>
#include <stdlib.h>

#include "embed.h"

static void plan_free(struct embed_plan *p)
{
	free((void *)p->p.programs);
	free((void *)p->p.descs);
	free((void *)p->p.operands);
	free(p->p.run);
	free(p);
}

/* n things of a user's array, copied; NULL also for none. */
static void *copied(u64 from, u32 n, size_t each, int *err)
{
	void *to;

	if (!n)
		return NULL;
	to = malloc(n * each);
	if (!to)
		*err = -ENOMEM;
	else if (!from)
		*err = -EFAULT;
	else
		memcpy(to, (void *)(uintptr_t)from, n * each);
	return to;
}

static int check(struct embed_context *ctx, struct embed_plan *p, struct vn_plan_create *a)
{
	int err = vn_plan_accept(&p->p, ctx->dev->sw.chips, &a->error_desc);

	if (err)
		return err;
	for (u32 i = 0; i < p->p.nprograms; i++)
		if (!ctx->attached[p->p.programs[i].chip])
			return -EACCES;
	return 0;
}

int embed_plan_create(struct embed_context *ctx, struct vn_plan_create *a)
{
	struct embed_plan *p = calloc(1, sizeof(*p));
	u32 id = EMBED_PLANS_MAX;
	int err = 0;

	if (!p)
		return -ENOMEM;
	p->refs = 1;
	p->p.nprograms = a->nprograms;
	p->p.ndescs = a->ndescs;
	p->p.noperands = a->noperands;
	p->p.nparams = a->nparams;
	p->p.programs = copied(a->programs, a->nprograms, sizeof(struct vn_program), &err);
	p->p.descs = copied(a->descs, a->ndescs, sizeof(struct vn_desc), &err);
	p->p.operands = copied(a->operands, a->noperands, sizeof(struct vn_operand), &err);
	p->p.run = calloc(a->nprograms, sizeof(*p->p.run));
	if (!err && !p->p.run)
		err = -ENOMEM;
	if (!err)
		err = check(ctx, p, a);
	if (!err) {
		pthread_mutex_lock(&ctx->plans_lock);
		for (id = 0; id < EMBED_PLANS_MAX && ctx->plans[id]; id++)
			;
		if (id < EMBED_PLANS_MAX) {
			ctx->plans[id] = p;
			a->plan = id;
		} else {
			err = -ENOSPC;
		}
		pthread_mutex_unlock(&ctx->plans_lock);
	}
	if (err)
		plan_free(p);
	return err;
}

struct embed_plan *embed_plan_get(struct embed_context *ctx, u32 id)
{
	struct embed_plan *p;

	pthread_mutex_lock(&ctx->plans_lock);
	p = id < EMBED_PLANS_MAX ? ctx->plans[id] : NULL;
	if (p) {
		p->refs++;
		p->launches++;
	}
	pthread_mutex_unlock(&ctx->plans_lock);
	return p;
}

void embed_plan_put(struct embed_context *ctx, struct embed_plan *p)
{
	u32 left;

	pthread_mutex_lock(&ctx->plans_lock);
	left = --p->refs;
	pthread_mutex_unlock(&ctx->plans_lock);
	if (!left)
		plan_free(p);
}

int embed_plan_destroy(struct embed_context *ctx, struct vn_plan_destroy *a)
{
	struct embed_plan *p;
	int err = 0;

	pthread_mutex_lock(&ctx->plans_lock);
	p = a->plan < EMBED_PLANS_MAX ? ctx->plans[a->plan] : NULL;
	/* Who ran it may hold it for a moment yet when its completion is seen. */
	if (!p)
		err = -ENOENT;
	else if (READ_ONCE(p->p.running))
		err = -EBUSY;
	else
		ctx->plans[a->plan] = NULL;
	pthread_mutex_unlock(&ctx->plans_lock);
	if (!err)
		embed_plan_put(ctx, p);
	return err;
}

void embed_plan_release_all(struct embed_context *ctx)
{
	pthread_mutex_lock(&ctx->plans_lock);
	for (u32 id = 0; id < EMBED_PLANS_MAX; id++) {
		if (ctx->plans[id])
			plan_free(ctx->plans[id]);
		ctx->plans[id] = NULL;
	}
	pthread_mutex_unlock(&ctx->plans_lock);
}
