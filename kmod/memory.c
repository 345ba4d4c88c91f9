// SPDX-License-Identifier: GPL-2.0-only

#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "compat.h"
#include "import.h"
#include "memory.h"
#include "move.h"
#include "moves.h"
#include "trace.h"
#include "worker.h"

/* 2 MiB: what a chunk of memory is when the host has it in one piece. */
#define CHUNK_ORDER	9

/* Pages mapped by one fault, at most: a part of a chunk. */
#define FAULT_PAGES	64u

/* Never so hard that others are killed for it. */
#define GFP_HBM		(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY)

static const struct vn_object_ops mem_ops;

/* The order of a block is kept in its first page. */
void vn_pages_free(struct page **page, u64 n)
{
	unsigned int order;

	for (u64 i = 0; i < n; i += 1ul << order) {
		order = page_private(page[i]);
		set_page_private(page[i], 0);
		__free_pages(page[i], order);
		cond_resched();
	}
}

static struct page *alloc_block(int node, unsigned int *order)
{
	struct page *page;

	if (node != NUMA_NO_NODE && !node_online(node))
		node = NUMA_NO_NODE;
	if (*order) {
		page = alloc_pages_node(node, GFP_HBM, *order);
		if (page)
			return page;
		*order = 0;
	}
	return alloc_pages_node(node, GFP_HBM, 0);
}

int vn_pages_alloc(struct page **page, u64 n, int node)
{
	unsigned int order, top = CHUNK_ORDER;
	struct page *block;

	for (u64 i = 0; i < n; i += 1ul << order) {
		order = min_t(unsigned int, ilog2(n - i), top);
		block = alloc_block(node, &order);
		if (!block || fatal_signal_pending(current)) {
			if (block)
				__free_pages(block, order);
			vn_pages_free(page, i);
			return block ? -EINTR : -ENOMEM;
		}
		set_page_private(block, order);
		/* Single pages till the end of a chunk that could not be had. */
		if (!order && top && IS_ALIGNED(i, 1 << CHUNK_ORDER))
			top = 0;
		else if (!top && IS_ALIGNED(i + 1, 1 << CHUNK_ORDER))
			top = CHUNK_ORDER;
		for (u64 j = 0; j < 1ul << order; j++)
			page[i + j] = block + j;
		cond_resched();
	}
	return 0;
}

static void mem_free(struct vn_object *o)
{
	struct vn_mem *mem = container_of(o, struct vn_mem, object);

	vn_moves_leave(mem);
	vn_move_free(mem);
	vunmap(mem->hbm.base);
	vn_pages_free(mem->page, o->pages);
	kvfree(mem->page);
	mem_cgroup_put(mem->memcg);
	vn_chip_uncharge(mem->hbm.chip, mem->hbm.bytes);
	kfree(mem);
}

static struct vn_mem *mem_new(u32 chip, u64 bytes)
{
	u64 n = bytes >> PAGE_SHIFT;
	struct vn_mem *mem;
	int err;

	if (n > totalram_pages())
		return ERR_PTR(-ENOMEM);
	mem = kzalloc(sizeof(*mem), VN_GFP_USER);
	if (!mem)
		return ERR_PTR(-ENOMEM);
	mem->hbm.chip = chip;
	mem->hbm.bytes = bytes;
	init_rwsem(&mem->fault_lock);
	mutex_init(&mem->imports_lock);
	INIT_LIST_HEAD(&mem->imports);
	INIT_LIST_HEAD(&mem->exports);
	err = -ENOMEM;
	mem->page = kvmalloc_array(n, sizeof(*mem->page), VN_GFP_USER);
	if (!mem->page)
		goto free;
	err = vn_pages_alloc(mem->page, n, READ_ONCE(vn_server.chip[chip].node));
	if (err)
		goto free_array;
	err = -ENOMEM;
	mem->hbm.base = vmap(mem->page, n, VM_MAP, PAGE_KERNEL);
	if (!mem->hbm.base)
		goto free_pages;
	err = vn_object_init(&mem->object, &mem_ops, bytes);
	if (err)
		goto unmap;
	mem->memcg = get_mem_cgroup_from_mm(current->mm);
	mutex_lock(&vn_server.hbm_lock);
	list_add_tail(&mem->on, &vn_server.chip[chip].mems);
	/* Before it was there it could not be lost with its chip. */
	mem->hbm.lost = vn_switch_lost(&vn_server.sw, chip);
	mutex_unlock(&vn_server.hbm_lock);
	return mem;

unmap:
	vunmap(mem->hbm.base);
free_pages:
	vn_pages_free(mem->page, n);
free_array:
	kvfree(mem->page);
free:
	kfree(mem);
	return ERR_PTR(err);
}

int vn_call_mem_alloc(struct vn_context *ctx, void *arg)
{
	struct vn_mem_alloc *a = arg;
	u64 bytes = PAGE_ALIGN(a->bytes);
	struct vn_mem *mem;
	int err;

	a->chip = vn_chip_index(a->chip);
	if (!vn_context_attached(ctx, a->chip))
		return -EACCES;
	if (vn_switch_lost(&vn_server.sw, a->chip))
		return -EHOSTDOWN;
	err = vn_chip_charge(a->chip, bytes);
	if (err)
		return err;
	mem = mem_new(a->chip, bytes);
	if (IS_ERR(mem)) {
		vn_chip_uncharge(a->chip, bytes);
		return PTR_ERR(mem);
	}
	mutex_lock(&ctx->objects_lock);
	err = vn_table_reserve(&ctx->own);
	if (!err) {
		/* Another thread may guess the address: ours only under the lock. */
		a->addr = vn_addr_of(vn_table_open(&ctx->own, &mem->hbm, 0, bytes,
						   VN_ACCESS_OWN, mem));
		a->mmap_offset = vn_object_offset(&mem->object);
		vn_object_show(&mem->object, ctx);
	}
	mutex_unlock(&ctx->objects_lock);
	if (err) {
		vn_object_put(&mem->object);
		return err;
	}
	trace_mem_alloc(ctx->id, a->chip, a->addr, bytes);
	return 0;
}

struct vn_mem *vn_mem_find(struct vn_context *ctx, u32 chip, u64 addr, struct vn_window **w)
{
	u32 status;

	lockdep_assert_held(&ctx->objects_lock);
	*w = vn_table_find(&ctx->own, vn_addr_name(addr), &status);
	return *w && (*w)->chip == chip ? (*w)->owner : NULL;
}

int vn_call_mem_free(struct vn_context *ctx, void *arg)
{
	struct vn_mem_free *a = arg;
	struct vn_window *w;
	struct vn_mem *mem;
	int err = 0;

	mutex_lock(&ctx->objects_lock);
	mem = vn_mem_find(ctx, a->chip, a->addr, &w);
	if (!mem)
		err = -ENOENT;
	else if (a->addr & VN_ADDR_OFFSET_MASK)
		err = -EINVAL;
	else if (atomic_read(&mem->windows))
		err = -EBUSY;
	else
		vn_table_kill(w);
	mutex_unlock(&ctx->objects_lock);
	if (err)
		return err;

	/* Dead, so ours alone; the slot is not reused before it is closed. */
	vn_worker_quiesce();
	mutex_lock(&ctx->objects_lock);
	vn_table_close(&ctx->own, vn_addr_name(a->addr));
	mutex_unlock(&ctx->objects_lock);
	trace_mem_free(ctx->id, a->chip, a->addr, mem->hbm.bytes);
	vn_object_hide(&mem->object);
	vn_object_put(&mem->object);
	return 0;
}

void vn_undo_mem_alloc(struct vn_context *ctx, void *arg)
{
	const struct vn_mem_alloc *a = arg;
	struct vn_mem_free undo = { .chip = a->chip, .addr = a->addr };

	vn_call_mem_free(ctx, &undo);
}

void vn_context_close_memory(struct vn_context *ctx)
{
	u32 name;

	/* No queue is left, so no runner is at it. */
	for (u32 i = 0; i < ctx->own.blocks * VN_BLOCK_SLOTS && ctx->own.live; i++) {
		struct vn_window *w = vn_table_at(&ctx->own, i, &name);
		struct vn_mem *mem;

		if (!w)
			continue;
		mem = w->owner;
		vn_table_kill(w);
		vn_table_close(&ctx->own, name);
		trace_mem_free(ctx->id, mem->hbm.chip, vn_addr_of(name), mem->hbm.bytes);
		vn_object_hide(&mem->object);
		vn_object_put(&mem->object);
		cond_resched();
	}
	vn_table_free_blocks(&ctx->own);
}

int vn_table_reserve(struct vn_window_table *t)
{
	struct vn_window_block *b;

	if (!vn_table_needs_block(t))
		return 0;
	if (!vn_table_can_grow(t))
		return -ENOSPC;
	b = kvzalloc(sizeof(*b), VN_GFP_USER);
	if (!b)
		return -ENOMEM;
	vn_table_grow(t, b);
	return 0;
}

void vn_table_free_blocks(struct vn_window_table *t)
{
	for (u32 i = 0; i < t->blocks; i++)
		kvfree(t->block[i]);
	cond_resched();
}

/*
 * A page for a fault, and its neighbours. Where writes are to be noticed only what
 * is written now can be written; then a neighbour may be read alone.
 *
 * What is there for reading, and is to be written, goes first: were that entry made
 * writable after fault_lock is let go of, it might be another that looks the same, of after
 * its mark was taken, or of a pause.
 */
static vm_fault_t fill(struct vm_fault *vmf, struct vn_mem *mem, u64 bias)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long around = FAULT_PAGES << PAGE_SHIFT;
	unsigned long at = max(vma->vm_start, ALIGN_DOWN(vmf->address, around));
	unsigned long end = min(vma->vm_end, ALIGN_DOWN(vmf->address, around) + around);
	pgprot_t full = vm_get_page_prot(vma->vm_flags);
	pgprot_t plain = mem->move ? vm_get_page_prot(vma->vm_flags & ~VM_SHARED) : full;
	u64 page = bias + (vmf->address >> PAGE_SHIFT);
	vm_fault_t ret;

	if (vmf->flags & FAULT_FLAG_MKWRITE) {
		zap_vma_ptes(vma, vmf->address, PAGE_SIZE);
		at = end;
	}
	ret = vmf_insert_pfn_prot(vma, vmf->address, page_to_pfn(mem->page[page]),
				  vmf->flags & FAULT_FLAG_WRITE ? full : plain);
	for (; ret == VM_FAULT_NOPAGE && at < end; at += PAGE_SIZE) {
		page = bias + (at >> PAGE_SHIFT);
		if (page >= mem->object.pages)
			break;
		/* A neighbour that does not work out will have a fault of its own. */
		if (at != vmf->address &&
		    vmf_insert_pfn_prot(vma, at, page_to_pfn(mem->page[page]), plain) !=
		    VM_FAULT_NOPAGE)
			break;
	}
	return ret;
}

vm_fault_t vn_mem_fill(struct vm_fault *vmf, struct vn_mem *mem, u64 skip)
{
	/* The page of mem at address 0 of this VMA, so to say. */
	u64 bias = skip + (vmf->pgoff & VN_OBJECT_PAGE_MASK) - (vmf->address >> PAGE_SHIFT);
	u64 page = bias + (vmf->address >> PAGE_SHIFT);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (page >= mem->object.pages)
		return ret;
	down_read(&mem->fault_lock);
	if (!(vmf->flags & FAULT_FLAG_WRITE) ||
	    vn_hbm_write(&mem->hbm, page << PAGE_SHIFT, PAGE_SIZE))
		ret = fill(vmf, mem, bias);
	else
		ret = VM_FAULT_NOPAGE;
	up_read(&mem->fault_lock);
	return ret;
}

vm_fault_t vn_mem_rest(struct vn_mem *mem)
{
	if (vn_move_await(mem))
		return VM_FAULT_SIGBUS;	/* killed: nobody sees it */
	vn_move_rest(mem);
	return VM_FAULT_NOPAGE;
}

void vn_mem_unmap_pages(struct vn_mem *mem, u64 first, u64 n)
{
	struct vn_import *imp;

	lockdep_assert_held_write(&mem->fault_lock);
	vn_object_unmap_pages(&mem->object, first, n);
	mutex_lock(&mem->imports_lock);
	list_for_each_entry(imp, &mem->imports, on_mem) {
		vn_import_unmap(imp, first, n);
		cond_resched();
	}
	mutex_unlock(&mem->imports_lock);
}

void vn_mem_unmap(struct vn_mem *mem)
{
	vn_mem_unmap_pages(mem, 0, mem->object.pages);
}

static vm_fault_t mem_fault(struct vm_fault *vmf)
{
	struct vn_object *o = vmf->vma->vm_private_data;
	struct vn_mem *mem = container_of(o, struct vn_mem, object);
	vm_fault_t ret = vn_mem_fill(vmf, mem, 0);

	return ret == VM_FAULT_NOPAGE && vmf->flags & FAULT_FLAG_WRITE ? vn_mem_rest(mem) : ret;
}

static int mem_mmap(struct vn_object *o, struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP);
	return 0;
}

static const struct vm_operations_struct mem_vm_ops = {
	.open = vn_vma_open,
	.close = vn_vma_close,
	.fault = mem_fault,
	.pfn_mkwrite = mem_fault,
};

static const struct vn_object_ops mem_ops = {
	.mmap = mem_mmap,
	.vm_ops = &mem_vm_ops,
	.free = mem_free,
};
