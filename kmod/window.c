// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "compat.h"
#include "trace.h"
#include "window.h"
#include "worker.h"

/* ---- domains ------------------------------------------------------------ */

struct vn_domain *vn_domain_new(void)
{
	struct vn_domain *d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);

	if (!d)
		return NULL;
	refcount_set(&d->refs, 1);
	mutex_init(&d->windows_lock);
	return d;
}

void vn_domain_put(struct vn_domain *d)
{
	if (!refcount_dec_and_test(&d->refs))
		return;
	for (u32 i = 0; i < VN_MAX_CHIPS; i++) {
		if (!d->table.chip[i])
			continue;
		vn_table_free_blocks(d->table.chip[i]);
		kvfree(d->table.chip[i]);
	}
	mutex_destroy(&d->windows_lock);
	kfree(d);
}

static int domain_release(struct inode *inode, struct file *file)
{
	vn_domain_put(file->private_data);
	return 0;
}

static const struct file_operations domain_fops = {
	.owner = THIS_MODULE,
	.release = domain_release,
	.llseek = noop_llseek,
};

int vn_call_domain_export(struct vn_context *ctx, void *arg, struct file **file)
{
	struct vn_domain_export *a = arg;
	struct vn_domain *d;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	mutex_lock(&ctx->objects_lock);
	d = ctx->domain;
	refcount_inc(&d->refs);
	mutex_unlock(&ctx->objects_lock);
	*file = anon_inode_getfile("[vneuron-domain]", &domain_fops, d, O_RDWR);
	if (IS_ERR(*file)) {
		put_unused_fd(fd);
		vn_domain_put(d);
		return PTR_ERR(*file);
	}
	a->fd = fd;
	return 0;
}

int vn_call_domain_join(struct vn_context *ctx, void *arg)
{
	const struct vn_domain_join *a = arg;
	struct file *file = fget(a->fd);
	struct vn_domain *d;
	int err = -EBADF;

	if (!file)
		return -EBADF;
	if (file->f_op != &domain_fops)
		goto put;
	d = file->private_data;
	mutex_lock(&ctx->objects_lock);
	err = 0;
	if (d != ctx->domain && !(xa_empty(&ctx->windows) && xa_empty(&ctx->imports)))
		err = -EBUSY;
	if (!err) {
		/* Queues hold the domain in which they were made. */
		refcount_inc(&d->refs);
		swap(d, ctx->domain);
	}
	mutex_unlock(&ctx->objects_lock);
	if (!err)
		vn_domain_put(d);
put:
	fput(file);
	return err;
}

/* The chip's table with room for one more, made when first used. */
static struct vn_window_table *table_for_one(struct vn_domain *d, u32 chip)
{
	struct vn_window_table *t = d->table.chip[chip];
	int err;

	lockdep_assert_held(&d->windows_lock);
	if (!t) {
		t = kvmalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
		if (!t)
			return ERR_PTR(-ENOMEM);
		vn_table_init(t, 16);
		vn_store_release(&d->table.chip[chip], t);
	}
	err = vn_table_reserve(t);
	return err ? ERR_PTR(err) : t;
}

/* What a key names, or an error. Under windows_lock. */
static struct vn_share *share_of_key(struct vn_domain *d, u32 chip, u32 key)
{
	struct vn_window_table *t = d->table.chip[vn_chip_index(chip)];
	u32 status = VN_BAD_KEY;
	struct vn_window *w = t ? vn_table_find(t, key, &status) : NULL;

	lockdep_assert_held(&d->windows_lock);
	if (!w)
		return ERR_PTR(status == VN_STALE_KEY ? -ESTALE : -ENOENT);
	return w->owner;
}

/* ---- windows ------------------------------------------------------------ */

static unsigned long window_index(u32 chip, u32 key)
{
	return (unsigned long)chip << 16 | (key & 0xffff);
}

static void share_put(struct vn_share *s)
{
	if (!refcount_dec_and_test(&s->refs))
		return;
	if (s->mem)
		vn_object_put(&s->mem->object);
	vn_domain_put(s->domain);
	kfree(s);
}

/* Opens the window in the domain and lists it in the context. Under objects_lock. */
static int open_window(struct vn_context *ctx, struct vn_share *s)
{
	struct vn_domain *d = s->domain;
	struct vn_window_table *t;
	int err;

	mutex_lock(&d->windows_lock);
	t = table_for_one(d, s->chip);
	if (IS_ERR(t)) {
		err = PTR_ERR(t);
		goto unlock;
	}
	/* Reserved before, so that nothing can fail once the key resolves. */
	err = xa_reserve(&ctx->windows, window_index(s->chip, t->free_head), GFP_KERNEL_ACCOUNT);
	if (err)
		goto unlock;
	s->key = vn_table_open(t, &s->mem->hbm, s->offset, s->bytes, s->access, s);
	xa_store(&ctx->windows, window_index(s->chip, s->key), s, GFP_KERNEL_ACCOUNT);
unlock:
	mutex_unlock(&d->windows_lock);
	return err;
}

int vn_call_window_create(struct vn_context *ctx, void *arg)
{
	struct vn_window_create *a = arg;
	u64 offset = a->addr & VN_ADDR_OFFSET_MASK;
	struct vn_share *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	struct vn_window *w;
	struct vn_mem *mem;
	int err;

	if (!s)
		return -ENOMEM;
	refcount_set(&s->refs, 1);
	init_rwsem(&s->dead_lock);
	INIT_LIST_HEAD(&s->imports);

	mutex_lock(&ctx->objects_lock);
	mem = vn_mem_find(ctx, a->chip, a->addr, &w);
	err = -ENOENT;
	if (!mem)
		goto unlock;
	err = -EINVAL;
	if (offset > mem->hbm.bytes || a->bytes > mem->hbm.bytes - offset)
		goto unlock;
	s->maker = ctx;
	s->domain = ctx->domain;
	s->mem = mem;
	s->offset = offset;
	s->bytes = a->bytes;
	s->chip = mem->hbm.chip;
	s->access = a->access;
	err = open_window(ctx, s);
	if (err)
		goto unlock;
	refcount_inc(&s->domain->refs);
	vn_object_get(&mem->object);
	mem->windows++;
	atomic_inc(&vn_server.chip[s->chip].windows);
	a->key = s->key;
	trace_window_create(ctx->id, s->chip, s->key, s->bytes, s->access);
unlock:
	mutex_unlock(&ctx->objects_lock);
	if (err)
		kfree(s);
	return err;
}

/* The key stops resolving. Then wait for the runners, then end_window(). */
static void kill_window(struct vn_share *s)
{
	struct vn_domain *d = s->domain;
	u32 status;

	mutex_lock(&d->windows_lock);
	vn_table_kill(vn_table_find(d->table.chip[s->chip], s->key, &status));
	mutex_unlock(&d->windows_lock);
}

/* The memory need not know any more that it is imported. */
static void leave_mem(struct vn_mem *mem, struct vn_import *imp)
{
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

/* Mappings through it go when it is revoked; else they keep the memory. */
static void end_window(struct vn_context *ctx, struct vn_share *s, bool revoke)
{
	struct vn_import *imp;

	mutex_lock(&s->domain->windows_lock);
	vn_table_close(s->domain->table.chip[s->chip], s->key);
	mutex_unlock(&s->domain->windows_lock);
	atomic_dec(&vn_server.chip[s->chip].windows);
	trace_window_invalidate(ctx->id, s->chip, s->key, s->bytes, s->access);

	if (revoke) {
		/* After this no fault maps anything more; then what is mapped goes. */
		down_write(&s->dead_lock);
		s->dead = true;
		up_write(&s->dead_lock);
		down_read(&s->dead_lock);
		list_for_each_entry(imp, &s->imports, on) {
			vn_object_unmap(&imp->object);
			leave_mem(s->mem, imp);
		}
		up_read(&s->dead_lock);
		vn_object_put(&s->mem->object);
		s->mem = NULL;
	}
	share_put(s);
}

int vn_call_window_invalidate(struct vn_context *ctx, void *arg)
{
	const struct vn_window_invalidate *a = arg;
	struct vn_share *s;
	struct vn_mem *mem;

	mutex_lock(&ctx->objects_lock);
	mutex_lock(&ctx->domain->windows_lock);
	s = share_of_key(ctx->domain, a->chip, a->key);
	mutex_unlock(&ctx->domain->windows_lock);
	/* It may be another context's, and gone by now: only compared. */
	if (!IS_ERR(s) && xa_load(&ctx->windows, window_index(a->chip, a->key)) != s)
		s = ERR_PTR(-EACCES);
	if (IS_ERR(s)) {
		mutex_unlock(&ctx->objects_lock);
		return PTR_ERR(s);
	}
	xa_erase(&ctx->windows, window_index(a->chip, a->key));
	mem = s->mem;
	vn_object_get(&mem->object);
	kill_window(s);
	mutex_unlock(&ctx->objects_lock);

	vn_worker_quiesce();
	end_window(ctx, s, true);

	mutex_lock(&ctx->objects_lock);
	mem->windows--;
	mutex_unlock(&ctx->objects_lock);
	vn_object_put(&mem->object);
	return 0;
}

void vn_undo_window_create(struct vn_context *ctx, void *arg)
{
	const struct vn_window_create *a = arg;
	struct vn_window_invalidate undo = { .chip = a->chip, .key = a->key };

	vn_call_window_invalidate(ctx, &undo);
}

void vn_context_close_windows(struct vn_context *ctx)
{
	struct vn_share *s;
	unsigned long i;

	if (xa_empty(&ctx->windows))
		return;
	xa_for_each(&ctx->windows, i, s)
		kill_window(s);
	vn_worker_quiesce();
	xa_for_each(&ctx->windows, i, s) {
		s->mem->windows--;
		/* Its maker died, maybe: no reason for others to die of it. */
		end_window(ctx, s, false);
		cond_resched();
	}
	xa_destroy(&ctx->windows);
}

/* ---- imports ------------------------------------------------------------ */

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
		share_put(imp->share);
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
	s = share_of_key(d, a->chip, a->key);
	if (IS_ERR(s))
		err = PTR_ERR(s);
	else if ((s->access & a->access) != a->access)
		err = -EACCES;
	else if (!PAGE_ALIGNED(s->offset) || !PAGE_ALIGNED(s->bytes))
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
	struct vn_import *imp = kzalloc(sizeof(*imp), GFP_KERNEL_ACCOUNT);
	struct vn_share *s;
	int err;

	if (!imp)
		return -ENOMEM;
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
	err = xa_insert(&ctx->imports, imp->object.id, imp, GFP_KERNEL_ACCOUNT);
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
		leave_mem(imp->share->mem, imp);
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
