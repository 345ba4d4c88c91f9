// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/module.h>
#include <linux/pseudo_fs.h>
#include <linux/xarray.h>
#include "compat.h"
#include "context.h"
#include "fault.h"
#include "mmap.h"

/* Numbers leave the offset positive. */
#define OBJECTS_MAX	((1u << 22) - 1)

/*
 * The pseudo file system of which the one inode is. It is never registered, and
 * has no owner: that would pin the module by its own mount.
 */
#define VN_FS_MAGIC	0x766e6575

static struct vfsmount *mount;
static int mounted;
static struct inode *inode;

static DEFINE_XARRAY_FLAGS(objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
static u32 next_id;

static int init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, VN_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type fs_type = {
	.name = "vneuron",
	.init_fs_context = init_fs_context,
	.kill_sb = kill_anon_super,
};

int vn_mmap_init(void)
{
	int err = simple_pin_fs(&fs_type, &mount, &mounted);

	if (err)
		return err;
	inode = alloc_anon_inode(mount->mnt_sb);
	if (IS_ERR(inode)) {
		simple_release_fs(&mount, &mounted);
		return PTR_ERR(inode);
	}
	return 0;
}

void vn_mmap_exit(void)
{
	iput(inode);
	simple_release_fs(&mount, &mounted);
	xa_destroy(&objects);
}

static const struct file_operations map_fops = {
	.owner = THIS_MODULE,
};

struct file *vn_mmap_file(void)
{
	struct file *file = anon_inode_getfile("[vneuron]", &map_fops, NULL, O_RDWR);

	if (!IS_ERR(file))
		file->f_mapping = inode->i_mapping;
	return file;
}

int vn_object_init(struct vn_object *o, const struct vn_object_ops *ops, u64 bytes)
{
	int err;

	refcount_set(&o->refs, 1);
	o->pages = PAGE_ALIGN(bytes) >> PAGE_SHIFT;
	o->ops = ops;
	err = xa_alloc_cyclic(&objects, &o->id, o, XA_LIMIT(1, OBJECTS_MAX), &next_id,
			      VN_GFP_USER);
	if (err < 0)
		o->id = 0;
	return err == -EBUSY ? -ENOSPC : min(err, 0);
}

void vn_object_show(struct vn_object *o, struct vn_context *owner)
{
	xa_lock(&objects);
	o->owner = owner;
	xa_unlock(&objects);
}

void vn_object_hide(struct vn_object *o)
{
	vn_object_show(o, NULL);
}

void vn_object_get(struct vn_object *o)
{
	refcount_inc(&o->refs);
}

void vn_object_put(struct vn_object *o)
{
	if (!refcount_dec_and_test(&o->refs))
		return;
	if (o->id)
		xa_erase(&objects, o->id);
	o->ops->free(o);
}

u64 vn_object_offset(const struct vn_object *o)
{
	return (u64)o->id << (VN_OBJECT_PAGE_BITS + PAGE_SHIFT);
}

unsigned long vn_object_id(u64 offset)
{
	u64 id = offset >> (VN_OBJECT_PAGE_BITS + PAGE_SHIFT);

	return id << (VN_OBJECT_PAGE_BITS + PAGE_SHIFT) == offset ? id : 0;
}

void vn_object_unmap_pages(struct vn_object *o, u64 first, u64 n)
{
	unmap_mapping_range(inode->i_mapping, vn_object_offset(o) + (first << PAGE_SHIFT),
			    n << PAGE_SHIFT, 1);
}

void vn_object_unmap(struct vn_object *o)
{
	vn_object_unmap_pages(o, 0, o->pages);
}

/* The context's object of that number, with a reference, or NULL. */
static struct vn_object *find(struct vn_context *ctx, unsigned long id)
{
	struct vn_object *o;

	xa_lock(&objects);
	o = xa_load(&objects, id);
	if (o && (o->owner != ctx || !refcount_inc_not_zero(&o->refs)))
		o = NULL;
	xa_unlock(&objects);
	return o;
}

void vn_vma_open(struct vm_area_struct *vma)
{
	vn_object_get(vma->vm_private_data);
}

void vn_vma_close(struct vm_area_struct *vma)
{
	vn_object_put(vma->vm_private_data);
}

int vn_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vn_context *ctx = file->private_data;
	u64 first = vma->vm_pgoff & VN_OBJECT_PAGE_MASK;
	struct vn_object *o;
	int err;

	if (vma->vm_pgoff == VN_HEALTH_OFFSET >> PAGE_SHIFT) {
		err = vn_health_mmap(vma);
		if (!err)
			vma_set_file(vma, ctx->map_file);
		return err;
	}
	o = find(ctx, vma->vm_pgoff >> VN_OBJECT_PAGE_BITS);
	err = -EINVAL;
	if (!o)
		return err;
	if (first >= o->pages || vma_pages(vma) > o->pages - first)
		goto put;
	/* A private copy would be of ordinary memory: not what anyone wants. */
	if (vma->vm_flags & VM_WRITE && !(vma->vm_flags & VM_SHARED))
		goto put;
	err = -EACCES;
	if (vma->vm_flags & VM_EXEC)
		goto put;
	vm_flags_clear(vma, VM_MAYEXEC);
	if (!(vma->vm_flags & VM_SHARED))
		vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	err = o->ops->mmap(o, vma);
	if (err)
		goto put;
	vma->vm_private_data = o;
	vma->vm_ops = o->ops->vm_ops;
	vma_set_file(vma, ctx->map_file);
	return 0;

put:
	vn_object_put(o);
	return err;
}
