/* SPDX-License-Identifier: GPL-2.0-only */
/* Exports: HBM as a dma-buf, for whoever gets the fd. */
#ifndef VN_EXPORT_H
#define VN_EXPORT_H

#include "engine/drain.h"
#include "context.h"

/* The fd is reserved in arg; *file is to be installed there. */
int vn_call_mem_export(struct vn_context *ctx, void *arg, struct file **file);

/* Exports that keep HBM where it is, and who has made one of them. */
struct vn_holder {
	u32 exports;
	u32 context;
	u32 pid;			/* for the caller; 0: none he knows */
};

/* Those on the chips that are to move; moving: of what has a copy alone. Under hbm_lock. */
void vn_export_holder(const struct vn_moves *m, bool moving, struct vn_holder *h);
/* How many there have ever been: the same as before, and nobody has got one meanwhile. */
u64 vn_export_count(const struct vn_moves *m);

#endif
