/* SPDX-License-Identifier: GPL-2.0-only */
/* HBM: pages of the host, in the kernel's view and in users'. */
#ifndef VN_MEMORY_H
#define VN_MEMORY_H

#include "context.h"
#include "mmap.h"

/*
 * Held by the table of its context until MEM_FREE, by each window on it, by
 * VMAs. The chip is charged until the pages are gone.
 */
struct vn_mem {
	struct vn_object object;
	u32 chip;
	u32 windows;		/* on it; under the context's objects_lock */
	u64 bytes;
	struct page **page;	/* [object.pages] */
	void *base;		/* all of it in a row */
};

int vn_call_mem_alloc(struct vn_context *ctx, void *arg);
void vn_undo_mem_alloc(struct vn_context *ctx, void *arg);
int vn_call_mem_free(struct vn_context *ctx, void *arg);
void vn_context_close_memory(struct vn_context *ctx);

/* The context's memory of that name on that chip, or NULL. Under objects_lock. */
struct vn_mem *vn_mem_find(struct vn_context *ctx, u32 chip, u64 addr, struct vn_window **w);

/* Fills in a fault, and pages around it. The mapping begins `skip` pages into mem. */
vm_fault_t vn_mem_fill(struct vm_fault *vmf, struct vn_mem *mem, u64 skip);

/* Makes room for one more window in a table: 0, -ENOSPC, -ENOMEM. */
int vn_table_reserve(struct vn_window_table *t);
void vn_table_free_blocks(struct vn_window_table *t);

#endif
