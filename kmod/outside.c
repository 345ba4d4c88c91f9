// SPDX-License-Identifier: GPL-2.0-only

#include <linux/err.h>
#include "context.h"
#include "outside.h"

static int count(struct vn_context *ctx, struct vn_outside *o)
{
	if (atomic64_add_return(o->bytes, &ctx->outside_bytes) <= VN_WINDOW_OUTSIDE_MAX)
		return 0;
	atomic64_sub(o->bytes, &ctx->outside_bytes);
	return -ENOSPC;
}

struct vn_outside *vn_outside_new(struct vn_context *ctx, const struct vn_window_create *a,
				  u64 *offset)
{
	u32 chip = vn_chip_index(a->chip);
	struct vn_outside *o;
	int err;

	if (!vn_context_attached(ctx, chip))
		return ERR_PTR(-EACCES);
	if (vn_switch_lost(&vn_server.sw, chip))
		return ERR_PTR(-EHOSTDOWN);
	/* What is too much anyway is not pinned first. */
	if (a->flags & VN_WINDOW_USER &&
	    atomic64_read(&ctx->outside_bytes) + a->bytes > VN_WINDOW_OUTSIDE_MAX)
		return ERR_PTR(-ENOSPC);
	o = a->flags & VN_WINDOW_USER ? vn_user_memory_new(a, offset) : vn_dmabuf_new(a, offset);
	if (IS_ERR(o))
		return o;
	err = count(ctx, o);
	if (err) {
		o->free(o);
		return ERR_PTR(err);
	}
	refcount_set(&o->refs, 1);
	o->ctx = ctx;
	o->kind = a->flags & (VN_WINDOW_USER | VN_WINDOW_DMABUF);
	o->hbm.chip = chip;
	mutex_lock(&vn_server.hbm_lock);
	list_add_tail(&o->on, &vn_server.chip[chip].outside);
	/* Before it was there it could not be lost with its chip. */
	o->hbm.lost = vn_switch_lost(&vn_server.sw, chip);
	mutex_unlock(&vn_server.hbm_lock);
	return o;
}

void vn_outside_get(struct vn_outside *o)
{
	refcount_inc(&o->refs);
}

void vn_outside_put(struct vn_outside *o)
{
	if (!refcount_dec_and_test(&o->refs))
		return;
	mutex_lock(&vn_server.hbm_lock);
	list_del(&o->on);
	mutex_unlock(&vn_server.hbm_lock);
	o->free(o);
}

void vn_outside_uncount(struct vn_outside *o)
{
	atomic64_sub(o->bytes, &o->ctx->outside_bytes);
}

void vn_outside_lose(const u16 *chip, u32 n)
{
	struct vn_outside *o;

	lockdep_assert_held(&vn_server.hbm_lock);
	for (u32 i = 0; i < n; i++)
		list_for_each_entry(o, &vn_server.chip[chip[i]].outside, on)
			WRITE_ONCE(o->hbm.lost, 1);
}
