/* SPDX-License-Identifier: GPL-2.0-only */
/* HBM: pages of the host, in the kernel's view and in users'. */
#ifndef VN_MEMORY_H
#define VN_MEMORY_H

#include <linux/list.h>
#include <linux/rwsem.h>
#include "context.h"
#include "mmap.h"

struct mem_cgroup;
struct vn_move;

/*
 * Held by the table of its context until MEM_FREE, by each window on it, by
 * VMAs. The chip is charged until the pages are gone.
 *
 * fault_lock is held by faults while they look at marks and fences and fill in
 * pages; who takes marks away, fences or moves it holds it as a writer, until
 * all that was mapped is unmapped.
 */
struct vn_mem {
	struct vn_object object;
	struct vn_hbm hbm;	/* base: all of it in a row */
	/* On it, whoever made them. Raised under the context's objects_lock, or where others are. */
	atomic_t windows;
	struct page **page;	/* [object.pages]; changed under fault_lock */
	struct mem_cgroup *memcg;	/* pays for it, wherever it is; held */
	struct rw_semaphore fault_lock;
	struct mutex imports_lock;
	struct list_head imports;	/* of windows on it; imports_lock */
	struct list_head exports;	/* dma-bufs of it; hbm_lock. While there are any it stays */

	struct list_head on;	/* of its chip; hbm_lock, as held and leaving */
	bool held;		/* by a mover, without the lock: it stays on its chip */
	struct list_head held_on;	/* of who holds it, with others */
	bool leaving;		/* it is being freed, and a mover that holds it asked for it */
	struct vn_move *move;	/* to another slot, or NULL; of who holds it, or has the lock */
};

int vn_call_mem_alloc(struct vn_context *ctx, void *arg);
void vn_undo_mem_alloc(struct vn_context *ctx, void *arg);
int vn_call_mem_free(struct vn_context *ctx, void *arg);
void vn_context_close_memory(struct vn_context *ctx);

/* The context's memory of that name on that chip, or NULL. Under objects_lock. */
struct vn_mem *vn_mem_find(struct vn_context *ctx, u32 chip, u64 addr, struct vn_window **w);

/*
 * Fills in a fault, and pages around it; or makes writable what is mapped for reading. The
 * mapping begins `skip` pages into mem. At a fence nothing is filled in for who writes.
 */
vm_fault_t vn_mem_fill(struct vm_fault *vmf, struct vn_mem *mem, u64 skip);
/* Then who writes waits at the fence, or rests; without locks of the module. */
vm_fault_t vn_mem_rest(struct vn_mem *mem);

/* Takes all mappings of it down; under fault_lock. */
void vn_mem_unmap(struct vn_mem *mem);
/* [first, first + n) pages of its own mappings and imports'. */
void vn_mem_unmap_pages(struct vn_mem *mem, u64 first, u64 n);

/* Pages with what they were taken in, of that node. 0, -ENOMEM, -EINTR. */
int vn_pages_alloc(struct page **page, u64 n, int node);
void vn_pages_free(struct page **page, u64 n);

/* Makes room for one more window in a table: 0, -ENOSPC, -ENOMEM. */
int vn_table_reserve(struct vn_window_table *t);
void vn_table_free_blocks(struct vn_window_table *t);

#endif
