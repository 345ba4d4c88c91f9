// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include "context.h"
#include "domain.h"
#include "import.h"
#include "memory.h"
#include "plan.h"
#include "queue.h"
#include "status.h"
#include "window.h"

static u32 next_id;		/* contexts_lock */

struct vn_context *vn_context_open(void)
{
	struct vn_context *ctx = kvzalloc(sizeof(*ctx), VN_GFP_USER);
	int err;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	ctx->user = vn_user_get(current_uid());
	if (IS_ERR(ctx->user)) {
		err = PTR_ERR(ctx->user);
		goto free;
	}
	err = vn_user_charge(ctx->user, VN_USE_CONTEXTS, 1);
	if (err)
		goto put_user;
	ctx->domain = vn_domain_new(ctx->user);
	if (IS_ERR(ctx->domain)) {
		err = PTR_ERR(ctx->domain);
		goto uncharge;
	}
	ctx->map_file = vn_mmap_file();
	if (IS_ERR(ctx->map_file)) {
		err = PTR_ERR(ctx->map_file);
		goto put_domain;
	}
	init_waitqueue_head(&ctx->poll_wait);
	mutex_init(&ctx->objects_lock);
	vn_table_init(&ctx->own, 8);
	xa_init_flags(&ctx->queues, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->plans, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->windows, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->imports, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->statuses, XA_FLAGS_ACCOUNT);
	ctx->pid = get_pid(task_tgid(current));

	mutex_lock(&vn_server.contexts_lock);
	err = xa_alloc_cyclic(&vn_server.contexts, &ctx->id, ctx, XA_LIMIT(1, INT_MAX), &next_id,
			      VN_GFP_USER);
	mutex_unlock(&vn_server.contexts_lock);
	if (err < 0)
		goto put_file;
	return ctx;

put_file:
	put_pid(ctx->pid);
	fput(ctx->map_file);
put_domain:
	vn_domain_put(ctx->domain);
uncharge:
	vn_user_uncharge(ctx->user, VN_USE_CONTEXTS, 1);
put_user:
	vn_user_put(ctx->user);
free:
	kvfree(ctx);
	return ERR_PTR(err);
}

void vn_context_close(struct vn_context *ctx)
{
	/* After this no dump of netlink is in it. */
	mutex_lock(&vn_server.contexts_lock);
	xa_erase(&vn_server.contexts, ctx->id);
	mutex_unlock(&vn_server.contexts_lock);

	/* Queues first: what is left after them nobody runs on. */
	vn_context_close_queues(ctx);
	vn_context_close_plans(ctx);
	vn_context_close_imports(ctx);
	vn_context_close_windows(ctx);
	vn_context_close_memory(ctx);
	vn_context_close_statuses(ctx);
	vn_domain_put(ctx->domain);
	fput(ctx->map_file);
	put_pid(ctx->pid);
	vn_user_uncharge(ctx->user, VN_USE_CONTEXTS, 1);
	vn_user_put(ctx->user);
	mutex_destroy(&ctx->objects_lock);
	kvfree(ctx);
}

bool vn_context_uses(struct vn_context *ctx, const u16 *chip, u32 n)
{
	bool uses = false;
	u32 name;

	mutex_lock(&ctx->objects_lock);
	for (u32 i = 0; i < ctx->own.blocks * VN_BLOCK_SLOTS && !uses; i++) {
		const struct vn_window *w = vn_table_at(&ctx->own, i, &name);

		for (u32 k = 0; w && k < n && !uses; k++)
			uses = w->chip == chip[k];
	}
	mutex_unlock(&ctx->objects_lock);
	return uses;
}
