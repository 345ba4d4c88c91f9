/* SPDX-License-Identifier: GPL-2.0-only */
/* Domains, windows in them, and imports of windows. */
#ifndef VN_KMOD_WINDOW_H
#define VN_KMOD_WINDOW_H

#include <linux/list.h>
#include <linux/rwsem.h>
#include "context.h"
#include "memory.h"
#include "mmap.h"

/*
 * Keys resolve in a domain. Held by each context that is in it, each fd of it,
 * each window in it. windows_lock guards changes of the tables.
 */
struct vn_domain {
	refcount_t refs;
	struct mutex windows_lock;
	struct vn_domain_table table;
};

/*
 * A window: the shell's side of a slot. Held by the context that made it (until
 * it ends), by each import. It holds the domain; and the memory, unless dead.
 */
struct vn_share {
	refcount_t refs;
	struct vn_context *maker;	/* only compared */
	struct vn_domain *domain;
	struct vn_mem *mem;
	u64 offset, bytes;		/* in mem */
	u32 chip, key, access;

	struct rw_semaphore dead_lock;	/* guards what follows; taken in faults */
	bool dead;			/* it was revoked */
	struct list_head imports;
};

/* Held as an object is. It holds the window. */
struct vn_import {
	struct vn_object object;
	struct vn_share *share;
	struct list_head on;		/* of share->imports; share->dead_lock */
	struct list_head on_mem;	/* of mem->imports, if not empty; mem->imports_lock */
	bool dead;			/* share->dead_lock */
	u32 access;
};

struct vn_domain *vn_domain_new(void);
void vn_domain_put(struct vn_domain *d);

/* The fd is reserved in arg; *file is to be installed there. */
int vn_call_domain_export(struct vn_context *ctx, void *arg, struct file **file);
int vn_call_domain_join(struct vn_context *ctx, void *arg);

int vn_call_window_create(struct vn_context *ctx, void *arg);
void vn_undo_window_create(struct vn_context *ctx, void *arg);
int vn_call_window_invalidate(struct vn_context *ctx, void *arg);
int vn_call_window_import(struct vn_context *ctx, void *arg);
void vn_undo_window_import(struct vn_context *ctx, void *arg);
int vn_call_window_release(struct vn_context *ctx, void *arg);

/* What it maps of [first, first + n) pages of the memory. Under mem->imports_lock. */
void vn_import_unmap(struct vn_import *imp, u64 first, u64 n);

void vn_context_close_windows(struct vn_context *ctx);
void vn_context_close_imports(struct vn_context *ctx);

#endif
