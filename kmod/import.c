// SPDX-License-Identifier: GPL-2.0-only

#include <linux/slab.h>
#include "compat.h"
#include "domain.h"
#include "import.h"
#include "window.h"

void vn_import_leave(struct vn_import *imp)
{
	struct vn_mem *mem = imp->share->mem;

	mutex_lock(&mem->imports_lock);
	list_del_init(&imp->on_mem);
	mutex_unlock(&mem->imports_lock);
}

void vn_import_unmap(struct vn_import *imp, u64 first, u64 n)
{
	u64 skip = imp->share->offset >> PAGE_SHIFT, end = skip + imp->object.pages;
	u64 from = max(first, skip), to = min(first + n, end);

	if (from < to)
		vn_object_unmap_pages(&imp->object, from - skip, to - from);
}

/* A fault, on the memory behind a window that still is. */
static vm_fault_t import_fault(struct vm_fault *vmf)
{
	struct vn_object *o = vmf->vma->vm_private_data;
	struct vn_import *imp = container_of(o, struct vn_import, object);
	struct vn_share *s = imp->share;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct vn_mem *mem = NULL;

	down_read(&s->dead_lock);
	if (!s->dead && !imp->dead)
		ret = vn_mem_fill(vmf, s->mem, s->offset >> PAGE_SHIFT);
	if (ret == VM_FAULT_NOPAGE && vmf->flags & FAULT_FLAG_WRITE) {
		mem = s->mem;
		vn_object_get(&mem->object);
	}
	up_read(&s->dead_lock);
	/* Others may want the lock: it takes long. */
	if (mem) {
		ret = vn_mem_rest(mem);
		vn_object_put(&mem->object);
	}
	return ret;
}

static int import_mmap(struct vn_object *o, struct vm_area_struct *vma)
{
	if (!(container_of(o, struct vn_import, object)->access & VN_ACCESS_REMOTE_WRITE)) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_set(vma, VM_PFNMAP);
	return 0;
}

static void import_free(struct vn_object *o)
{
	struct vn_import *imp = container_of(o, struct vn_import, object);

	if (imp->share)
		vn_share_put(imp->share);
	vn_user_uncharge(imp->user, VN_USE_IMPORTS, 1);
	kfree(imp);
}

static const struct vm_operations_struct import_vm_ops = {
	.open = vn_vma_open,
	.close = vn_vma_close,
	.fault = import_fault,
	.pfn_mkwrite = import_fault,
};

static const struct vn_object_ops import_ops = {
	.mmap = import_mmap,
	.vm_ops = &import_vm_ops,
	.free = import_free,
};

/* Checks the window and ties the import to it. Under objects_lock. */
static int bind_import(struct vn_context *ctx, struct vn_import *imp,
		       const struct vn_window_import *a)
{
	struct vn_domain *d = ctx->domain;
	struct vn_share *s;
	int err = 0;

	mutex_lock(&d->windows_lock);
	s = vn_domain_find(d, a->chip, a->key);
	if (IS_ERR(s))
		err = PTR_ERR(s);
	else if ((s->access & a->access) != a->access)
		err = -EACCES;
	else if (s->outside || !PAGE_ALIGNED(s->offset) || !PAGE_ALIGNED(s->bytes))
		err = -EINVAL;
	if (!err) {
		/* It resolves, so its maker still holds it. */
		refcount_inc(&s->refs);
		imp->share = s;
		imp->access = a->access;
	}
	mutex_unlock(&d->windows_lock);
	return err;
}

int vn_call_window_import(struct vn_context *ctx, void *arg)
{
	struct vn_window_import *a = arg;
	struct vn_import *imp = kzalloc(sizeof(*imp), VN_GFP_USER);
	struct vn_share *s;
	int err;

	if (!imp)
		return -ENOMEM;
	err = vn_user_charge(ctx->user, VN_USE_IMPORTS, 1);
	if (err) {
		kfree(imp);
		return err;
	}
	imp->user = ctx->user;
	INIT_LIST_HEAD(&imp->on);
	INIT_LIST_HEAD(&imp->on_mem);

	mutex_lock(&ctx->objects_lock);
	err = ctx->nimports < VN_CONTEXT_IMPORTS ? bind_import(ctx, imp, a) : -ENOSPC;
	if (err)
		goto unlock;
	s = imp->share;
	err = vn_object_init(&imp->object, &import_ops, s->bytes);
	if (err)
		goto unlock;
	err = xa_insert(&ctx->imports, imp->object.id, imp, VN_GFP_USER);
	if (err)
		goto unlock;
	ctx->nimports++;
	/* If it died meanwhile, the mapping raises SIGBUS, as it would a bit later. */
	down_write(&s->dead_lock);
	list_add(&imp->on, &s->imports);
	if (!s->dead) {
		mutex_lock(&s->mem->imports_lock);
		list_add(&imp->on_mem, &s->mem->imports);
		mutex_unlock(&s->mem->imports_lock);
	}
	up_write(&s->dead_lock);
	a->mmap_offset = vn_object_offset(&imp->object);
	a->bytes = s->bytes;
	vn_object_show(&imp->object, ctx);
	mutex_unlock(&ctx->objects_lock);
	return 0;

unlock:
	mutex_unlock(&ctx->objects_lock);
	if (imp->object.id)
		vn_object_put(&imp->object);
	else
		import_free(&imp->object);
	return err;
}

/* The import is off its context's list. */
static void end_import(struct vn_import *imp)
{
	vn_object_hide(&imp->object);
	down_write(&imp->share->dead_lock);
	imp->dead = true;
	list_del(&imp->on);
	if (!imp->share->dead)
		vn_import_leave(imp);
	up_write(&imp->share->dead_lock);
	vn_object_unmap(&imp->object);
	vn_object_put(&imp->object);
}

int vn_call_window_release(struct vn_context *ctx, void *arg)
{
	const struct vn_window_release *a = arg;
	unsigned long id = vn_object_id(a->mmap_offset);
	struct vn_import *imp = NULL;

	mutex_lock(&ctx->objects_lock);
	if (id) {
		imp = xa_erase(&ctx->imports, id);
		if (imp)
			ctx->nimports--;
	}
	mutex_unlock(&ctx->objects_lock);
	if (!imp)
		return -ENOENT;
	end_import(imp);
	return 0;
}

void vn_undo_window_import(struct vn_context *ctx, void *arg)
{
	const struct vn_window_import *a = arg;
	struct vn_window_release undo = { .mmap_offset = a->mmap_offset };

	vn_call_window_release(ctx, &undo);
}

void vn_context_close_imports(struct vn_context *ctx)
{
	struct vn_import *imp;
	unsigned long i;

	xa_for_each(&ctx->imports, i, imp) {
		end_import(imp);
		cond_resched();
	}
	xa_destroy(&ctx->imports);
}
