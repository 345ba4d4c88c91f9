/* SPDX-License-Identifier: GPL-2.0-only */
/* Imports: windows over HBM, mapped by their keys. */
#ifndef VN_IMPORT_H
#define VN_IMPORT_H

#include <linux/list.h>
#include "context.h"
#include "mmap.h"

struct vn_share;

/* Held as an object is. It holds the window. */
struct vn_import {
	struct vn_object object;
	struct vn_user *user;
	struct vn_share *share;
	struct list_head on;		/* of share->imports; share->dead_lock */
	struct list_head on_mem;	/* of mem->imports, if not empty; mem->imports_lock */
	bool dead;			/* share->dead_lock */
	u32 access;
};

int vn_call_window_import(struct vn_context *ctx, void *arg);
void vn_undo_window_import(struct vn_context *ctx, void *arg);
int vn_call_window_release(struct vn_context *ctx, void *arg);
void vn_context_close_imports(struct vn_context *ctx);

/* What it maps of [first, first + n) pages of the memory. Under mem->imports_lock. */
void vn_import_unmap(struct vn_import *imp, u64 first, u64 n);
/* The memory need not know any more that it is imported. Under dead_lock. */
void vn_import_leave(struct vn_import *imp);

#endif
