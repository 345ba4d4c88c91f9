// SPDX-License-Identifier: GPL-2.0-only

#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "status.h"

/* A page is a page of the host's, or part of one. */
static_assert(sizeof(struct vn_rank_status) * VN_STATUS_ENTRIES == VN_STATUS_BYTES);
static_assert(VN_STATUS_BYTES <= PAGE_SIZE);

static void status_free(struct vn_object *o)
{
	struct vn_kstatus *ks = container_of(o, struct vn_kstatus, object);

	__free_page(ks->page);
	vn_user_uncharge(ks->user, VN_USE_STATUSES, 1);
	kfree(ks);
}

static int status_mmap(struct vn_object *o, struct vm_area_struct *vma)
{
	struct vn_kstatus *ks = container_of(o, struct vn_kstatus, object);

	/* The page is held by the mapping itself, too. */
	return vm_insert_page(vma, vma->vm_start, ks->page);
}

static const struct vm_operations_struct status_vm_ops = {
	.open = vn_vma_open,
	.close = vn_vma_close,
};

static const struct vn_object_ops status_ops = {
	.mmap = status_mmap,
	.vm_ops = &status_vm_ops,
	.free = status_free,
};

static struct vn_kstatus *status_new(struct vn_user *user)
{
	struct vn_kstatus *ks = kzalloc(sizeof(*ks), VN_GFP_USER);
	int err;

	if (!ks)
		return ERR_PTR(-ENOMEM);
	err = vn_user_charge(user, VN_USE_STATUSES, 1);
	if (err)
		goto free;
	ks->user = user;
	err = -ENOMEM;
	ks->page = alloc_page(VN_GFP_USER | __GFP_ZERO);
	if (!ks->page)
		goto uncharge;
	err = vn_object_init(&ks->object, &status_ops, VN_STATUS_BYTES);
	if (err)
		goto free_page;
	return ks;

free_page:
	__free_page(ks->page);
uncharge:
	vn_user_uncharge(user, VN_USE_STATUSES, 1);
free:
	kfree(ks);
	return ERR_PTR(err);
}

int vn_call_status_create(struct vn_context *ctx, void *arg)
{
	struct vn_status_create *a = arg;
	struct vn_kstatus *ks = status_new(ctx->user);
	int err;

	if (IS_ERR(ks))
		return PTR_ERR(ks);
	mutex_lock(&ctx->objects_lock);
	err = ctx->nstatuses >= VN_STATUS_PAGES_MAX ? -ENOSPC :
	      xa_err(xa_store(&ctx->statuses, ks->object.id, ks, VN_GFP_USER));
	if (!err) {
		ctx->nstatuses++;
		a->mmap_offset = vn_object_offset(&ks->object);
		a->bytes = VN_STATUS_BYTES;
		vn_object_show(&ks->object, ctx);
	}
	mutex_unlock(&ctx->objects_lock);
	if (err)
		vn_object_put(&ks->object);
	return err;
}

int vn_call_status_destroy(struct vn_context *ctx, void *arg)
{
	const struct vn_status_destroy *a = arg;
	unsigned long id = vn_object_id(a->mmap_offset);
	struct vn_kstatus *ks;

	mutex_lock(&ctx->objects_lock);
	ks = id ? xa_erase(&ctx->statuses, id) : NULL;
	if (ks)
		ctx->nstatuses--;
	mutex_unlock(&ctx->objects_lock);
	if (!ks)
		return -ENOENT;
	vn_object_hide(&ks->object);
	vn_object_put(&ks->object);
	return 0;
}

void vn_undo_status_create(struct vn_context *ctx, void *arg)
{
	const struct vn_status_create *a = arg;
	struct vn_status_destroy undo = { .mmap_offset = a->mmap_offset };

	vn_call_status_destroy(ctx, &undo);
}

bool vn_kstatus_see(const struct vn_kstatus *ks, u32 entry, struct vn_rank_seen *to)
{
	const struct vn_rank_status *s = page_address(ks->page);

	return vn_status_see(s + entry, vn_server.sw.chips, ktime_get_ns(), to);
}

void vn_context_close_statuses(struct vn_context *ctx)
{
	struct vn_kstatus *ks;
	unsigned long i;

	xa_for_each(&ctx->statuses, i, ks) {
		vn_object_hide(&ks->object);
		vn_object_put(&ks->object);
	}
	xa_destroy(&ctx->statuses);
}
