// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/pid_namespace.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "compat.h"
#include "export.h"
#include "memory.h"

/* Pages mapped by one fault, at most. */
#define FAULT_PAGES	64u

/*
 * Of its dma-buf, and gone with it. It holds the memory, which as long as it has any does not
 * move: its pages, and where they are in a row, stay what they are.
 */
struct export {
	struct list_head on;		/* of mem->exports; hbm_lock */
	struct vn_mem *mem;
	u64 first, pages;
	bool writes;
	u32 context;
	struct pid *pid;
	struct mutex devices_lock;
	struct list_head devices;
};

/* A device that has it. */
struct device_table {
	struct list_head on;		/* of export->devices; devices_lock */
	struct device *dev;
	struct sg_table table;
	bool mapped;			/* devices_lock */
};

static struct page **pages_of(const struct export *e)
{
	return e->mem->page + e->first;
}

/* ---- devices ----------------------------------------------------------------- */

static int export_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
{
	struct export *e = buf->priv;
	struct device_table *t = kzalloc(sizeof(*t), VN_GFP_USER);
	int err;

	if (!t)
		return -ENOMEM;
	err = sg_alloc_table_from_pages(&t->table, pages_of(e), e->pages, 0, buf->size,
					VN_GFP_USER);
	if (err) {
		kfree(t);
		return err;
	}
	t->dev = attach->dev;
	attach->priv = t;
	mutex_lock(&e->devices_lock);
	list_add(&t->on, &e->devices);
	mutex_unlock(&e->devices_lock);
	return 0;
}

static void export_detach(struct dma_buf *buf, struct dma_buf_attachment *attach)
{
	struct device_table *t = attach->priv;
	struct export *e = buf->priv;

	mutex_lock(&e->devices_lock);
	list_del(&t->on);
	mutex_unlock(&e->devices_lock);
	sg_free_table(&t->table);
	kfree(t);
}

static void set_mapped(struct export *e, struct device_table *t, bool mapped)
{
	mutex_lock(&e->devices_lock);
	t->mapped = mapped;
	mutex_unlock(&e->devices_lock);
}

static struct sg_table *export_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct export *e = attach->dmabuf->priv;
	struct device_table *t = attach->priv;
	int err;

	if (!e->writes && dir != DMA_TO_DEVICE)
		return ERR_PTR(-EACCES);
	if (READ_ONCE(e->mem->hbm.lost))
		return ERR_PTR(-EHOSTDOWN);
	err = dma_map_sgtable(t->dev, &t->table, dir, 0);
	if (err)
		return ERR_PTR(err);
	set_mapped(e, t, true);
	return &t->table;
}

static void export_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
			 enum dma_data_direction dir)
{
	struct device_table *t = attach->priv;

	set_mapped(attach->dmabuf->priv, t, false);
	dma_unmap_sgtable(t->dev, table, dir, 0);
}

/* ---- CPUs --------------------------------------------------------------------- */

static int export_begin(struct dma_buf *buf, enum dma_data_direction dir)
{
	struct export *e = buf->priv;
	struct device_table *t;

	if (READ_ONCE(e->mem->hbm.lost))
		return -EHOSTDOWN;
	mutex_lock(&e->devices_lock);
	list_for_each_entry(t, &e->devices, on)
		if (t->mapped)
			dma_sync_sgtable_for_cpu(t->dev, &t->table, dir);
	mutex_unlock(&e->devices_lock);
	return 0;
}

static int export_end(struct dma_buf *buf, enum dma_data_direction dir)
{
	struct export *e = buf->priv;
	struct device_table *t;

	mutex_lock(&e->devices_lock);
	list_for_each_entry(t, &e->devices, on)
		if (t->mapped)
			dma_sync_sgtable_for_device(t->dev, &t->table, dir);
	mutex_unlock(&e->devices_lock);
	return 0;
}

static vm_fault_t export_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	const struct export *e = vma->vm_private_data;
	unsigned long around = FAULT_PAGES << PAGE_SHIFT;
	unsigned long at = max(vma->vm_start, ALIGN_DOWN(vmf->address, around));
	unsigned long end = min(vma->vm_end, ALIGN_DOWN(vmf->address, around) + around);
	u64 page = vmf->pgoff;
	vm_fault_t ret;

	if (page >= e->pages)
		return VM_FAULT_SIGBUS;
	ret = vmf_insert_pfn(vma, vmf->address, page_to_pfn(pages_of(e)[page]));
	for (; ret == VM_FAULT_NOPAGE && at < end; at += PAGE_SIZE) {
		page = vma->vm_pgoff + ((at - vma->vm_start) >> PAGE_SHIFT);
		/* A neighbour that does not work out will have a fault of its own. */
		if (page >= e->pages || vmf_insert_pfn(vma, at, page_to_pfn(pages_of(e)[page])) !=
					VM_FAULT_NOPAGE)
			break;
	}
	return ret;
}

/* A VMA holds its file, and so the dma-buf. */
static const struct vm_operations_struct export_vm_ops = {
	.fault = export_fault,
};

static int export_mmap(struct dma_buf *buf, struct vm_area_struct *vma)
{
	/* A private copy would be of ordinary memory: not what anyone wants. */
	if (vma->vm_flags & VM_WRITE && !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYEXEC);
	if (!(vma->vm_flags & VM_SHARED))
		vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = buf->priv;
	vma->vm_ops = &export_vm_ops;
	return 0;
}

static int export_vmap(struct dma_buf *buf, struct iosys_map *map)
{
	const struct export *e = buf->priv;

	iosys_map_set_vaddr(map, e->mem->hbm.base + (e->first << PAGE_SHIFT));
	return 0;
}

/* ---- its life ------------------------------------------------------------------- */

static void export_free(struct export *e)
{
	struct vn_mem *mem = e->mem;
	u64 *dirty;

	mutex_lock(&vn_server.hbm_lock);
	list_del(&e->on);
	/* A drain that has waited for this has not seen what was written through it. */
	dirty = READ_ONCE(mem->hbm.dirty);
	if (dirty)
		vn_hbm_mark(dirty, e->first << PAGE_SHIFT, e->pages << PAGE_SHIFT);
	mutex_unlock(&vn_server.hbm_lock);
	vn_object_put(&mem->object);
	put_pid(e->pid);
	mutex_destroy(&e->devices_lock);
	kfree(e);
}

static void export_release(struct dma_buf *buf)
{
	export_free(buf->priv);
}

static const struct dma_buf_ops export_ops = {
	.attach = export_attach,
	.detach = export_detach,
	.map_dma_buf = export_map,
	.unmap_dma_buf = export_unmap,
	.begin_cpu_access = export_begin,
	.end_cpu_access = export_end,
	.mmap = export_mmap,
	.vmap = export_vmap,
	.release = export_release,
};

/* Finds the memory, and holds it. */
static int find(struct vn_context *ctx, const struct vn_mem_export *a, struct export *e)
{
	u64 offset = a->addr & VN_ADDR_OFFSET_MASK;
	struct vn_window *w;
	int err = 0;

	mutex_lock(&ctx->objects_lock);
	e->mem = vn_mem_find(ctx, a->chip, a->addr, &w);
	if (!e->mem)
		err = -ENOENT;
	else if (!PAGE_ALIGNED(offset) || !PAGE_ALIGNED(a->bytes) || offset > e->mem->hbm.bytes ||
		 a->bytes > e->mem->hbm.bytes - offset)
		err = -EINVAL;
	else if (READ_ONCE(e->mem->hbm.lost))
		err = -EHOSTDOWN;
	else
		vn_object_get(&e->mem->object);
	mutex_unlock(&ctx->objects_lock);
	e->first = offset >> PAGE_SHIFT;
	e->pages = a->bytes >> PAGE_SHIFT;
	return err;
}

static struct export *export_new(struct vn_context *ctx, const struct vn_mem_export *a)
{
	struct export *e = kzalloc(sizeof(*e), VN_GFP_USER);
	int err = e ? find(ctx, a, e) : -ENOMEM;

	if (err) {
		kfree(e);
		return ERR_PTR(err);
	}
	mutex_init(&e->devices_lock);
	INIT_LIST_HEAD(&e->devices);
	e->writes = a->flags & VN_EXPORT_WRITE;
	e->context = ctx->id;
	e->pid = get_pid(ctx->pid);
	/* From here on it does not move. */
	mutex_lock(&vn_server.hbm_lock);
	list_add(&e->on, &e->mem->exports);
	vn_server.chip[e->mem->hbm.chip].exported++;
	mutex_unlock(&vn_server.hbm_lock);
	return e;
}

int vn_call_mem_export(struct vn_context *ctx, void *arg, struct file **file)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct vn_mem_export *a = arg;
	struct dma_buf *buf;
	struct export *e;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	e = export_new(ctx, a);
	if (IS_ERR(e)) {
		put_unused_fd(fd);
		return PTR_ERR(e);
	}
	info.ops = &export_ops;
	info.size = a->bytes;
	info.flags = O_CLOEXEC | (e->writes ? O_RDWR : O_RDONLY);
	info.priv = e;
	buf = dma_buf_export(&info);
	if (IS_ERR(buf)) {
		export_free(e);
		put_unused_fd(fd);
		return PTR_ERR(buf);
	}
	*file = buf->file;
	a->fd = fd;
	return 0;
}

/* ---- whom a drain waits for ------------------------------------------------------- */

static void count(const struct vn_mem *mem, struct vn_holder *h)
{
	const struct export *e;

	list_for_each_entry(e, &mem->exports, on) {
		h->exports++;
		h->context = e->context;
		h->pid = pid_nr_ns(e->pid, task_active_pid_ns(current));
	}
}

void vn_export_holder(const struct vn_moves *m, bool moving, struct vn_holder *h)
{
	struct vn_mem *mem;

	lockdep_assert_held(&vn_server.hbm_lock);
	*h = (struct vn_holder){};
	for (u32 i = 0; i < m->n; i++)
		list_for_each_entry(mem, &vn_server.chip[m->chip[i]].mems, on)
			if (mem->move || !moving)
				count(mem, h);
}

u64 vn_export_count(const struct vn_moves *m)
{
	u64 n = 0;

	lockdep_assert_held(&vn_server.hbm_lock);
	for (u32 i = 0; i < m->n; i++)
		n += vn_server.chip[m->chip[i]].exported;
	return n;
}
