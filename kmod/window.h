/* SPDX-License-Identifier: GPL-2.0-only */
/* Windows: memory that is addressable by key. */
#ifndef VN_WINDOW_H
#define VN_WINDOW_H

#include <linux/list.h>
#include <linux/rwsem.h>
#include "context.h"
#include "memory.h"

struct vn_domain;
struct vn_outside;

/*
 * A window: the shell's side of a slot. Held by the context that made it (until
 * it ends), by each import. It holds the domain; and the memory, unless dead.
 *
 * Windows that are parts of it, by whomever, end with it. They are all in one domain, whose
 * windows_lock guards the tree; it is taken by whoever ends any of them, so whom it finds alive
 * under that lock is listed by a context that is there.
 */
struct vn_share {
	refcount_t refs;
	struct vn_user *user;		/* it counts for, until it ends */
	u32 maker_id;
	struct vn_context *maker;	/* there while it is alive; else only compared */
	struct vn_domain *domain;
	struct vn_mem *mem;		/* HBM, or NULL ... */
	struct vn_outside *outside;	/* ... and other memory */
	u64 offset, bytes;		/* in it */
	struct vn_kinbox *inbox;	/* of the queue it is bound to, with a reference; or NULL */
	u64 user_data;
	u32 chip, key;
	u8 access;
	bool part;			/* of another window */
	struct list_head children;	/* parts of it; windows_lock, as the next */
	struct list_head sibling;	/* of the same; or of who ends it */

	struct rw_semaphore dead_lock;	/* guards what follows; taken in faults */
	bool dead;			/* it was revoked */
	struct list_head imports;
};

/* What went through a window by key, and what it refused. */
struct vn_window_use {
	u64 in_bytes, out_bytes, denials;
};

void vn_share_put(struct vn_share *s);

int vn_call_window_create(struct vn_context *ctx, void *arg);
void vn_undo_window_create(struct vn_context *ctx, void *arg);
int vn_call_window_invalidate(struct vn_context *ctx, void *arg);
int vn_call_window_bind(struct vn_context *ctx, void *arg);
/* The old key is gone, and nobody knows the new one: so is the window. */
void vn_undo_window_bind(struct vn_context *ctx, void *arg);

/* One that is listed in its context, under objects_lock. */
void vn_window_use(const struct vn_share *s, struct vn_window_use *use);
/* Over what it is: as VN_NL_A_MEMORY. */
u32 vn_window_memory(const struct vn_share *s);

/*
 * Keys of the context's windows on a chip, and of parts of them, stop resolving: how many of
 * the first. Under objects_lock. Later, when no runner sees them any more, they end; mappings
 * through them stay, as when the context ends.
 */
u32 vn_context_doom_windows(struct vn_context *ctx, u32 chip, struct list_head *ending);
void vn_windows_end(struct list_head *ending);
void vn_context_close_windows(struct vn_context *ctx);

#endif
