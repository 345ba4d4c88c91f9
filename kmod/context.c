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
	struct vn_context *ctx = kvzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	ctx->domain = vn_domain_new();
	if (!ctx->domain)
		goto free;
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
	ctx->uid = current_uid();

	mutex_lock(&vn_server.contexts_lock);
	err = xa_alloc_cyclic(&vn_server.contexts, &ctx->id, ctx, XA_LIMIT(1, INT_MAX), &next_id,
			      GFP_KERNEL_ACCOUNT);
	mutex_unlock(&vn_server.contexts_lock);
	if (err < 0)
		goto put_file;
	return ctx;

put_file:
	put_pid(ctx->pid);
	fput(ctx->map_file);
put_domain:
	vn_domain_put(ctx->domain);
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
