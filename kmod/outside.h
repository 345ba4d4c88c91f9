/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of windows that is no HBM: a process's own, and that of dma-bufs. */
#ifndef VN_OUTSIDE_H
#define VN_OUTSIDE_H

#include <linux/list.h>
#include <linux/refcount.h>
#include "engine/hbm.h"
#include "../uapi/linux/vneuron.h"

struct vn_context;

/*
 * It stays where it is, so a drain has nothing to do with it; with its chip it is lost.
 * Held by the window that was made over it, and by the parts of that one, which others may have
 * made and may still be ending when the context of the first is gone: so that one's bytes are
 * uncounted when the first ends, and nobody looks at ctx after that.
 */
struct vn_outside {
	refcount_t refs;
	struct vn_hbm hbm;		/* base: all of it in a row */
	struct vn_context *ctx;		/* counts its bytes */
	u64 bytes;
	u32 kind;			/* VN_WINDOW_USER or VN_WINDOW_DMABUF */
	struct list_head on;		/* of its chip; hbm_lock */
	void (*free)(struct vn_outside *o);
};

/*
 * What a call wants a window over, counted; *offset: where the window begins in it.
 * Errors as WINDOW_CREATE.
 */
struct vn_outside *vn_outside_new(struct vn_context *ctx, const struct vn_window_create *a,
				  u64 *offset);
void vn_outside_get(struct vn_outside *o);
void vn_outside_put(struct vn_outside *o);
/* The window that was made over it ends. */
void vn_outside_uncount(struct vn_outside *o);
/* These chips' is out of reach from now on, for whoever begins. Under hbm_lock. */
void vn_outside_lose(const u16 *chip, u32 n);

/*
 * The kinds of it: user_memory.c, dmabuf.c. They see to hbm.base, hbm.bytes, bytes and free;
 * the rest is vn_outside_new()'s.
 */
struct vn_outside *vn_user_memory_new(const struct vn_window_create *a, u64 *offset);
struct vn_outside *vn_dmabuf_new(const struct vn_window_create *a, u64 *offset);

#endif
