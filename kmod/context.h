/* SPDX-License-Identifier: GPL-2.0-only */
/* A context: an open file of the UltraServer. */
#ifndef VN_CONTEXT_H
#define VN_CONTEXT_H

#include <linux/bitmap.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include "engine/window_table.h"
#include "device.h"
#include "user.h"

#define VN_CONTEXT_QUEUES	1024
#define VN_CONTEXT_PLANS	4096
#define VN_CONTEXT_IMPORTS	65536

struct vn_domain;

/*
 * Held by its file alone: release() is the only place where it is freed, after
 * all its objects are gone from it. A call under way keeps the file; workers
 * are waited for; VMAs hold map_file and their object, not the context.
 *
 * objects_lock guards all that belongs to it: the table of its memory, the
 * domain it is in, and changes of its queues, plans, windows, imports and status
 * pages. Those of queues and plans are looked up under the xarray's own lock.
 */
struct vn_context {
	u32 id;
	struct pid *pid;
	struct vn_user *user;		/* who opened it; pays for what is in it */
	DECLARE_BITMAP(attached, VN_MAX_CHIPS);		/* bits are only ever set */
	wait_queue_head_t poll_wait;
	struct file *map_file;

	struct mutex objects_lock;
	struct vn_window_table own;
	struct vn_domain *domain;
	struct xarray queues;		/* vn_kqueue, by number */
	struct xarray plans;		/* vn_kplan, by number */
	struct xarray windows;		/* vn_share, by chip and slot; see vn_domain */
	u32 nwindows;			/* as they are */
	atomic64_t outside_bytes;	/* of other memory than HBM under them */
	struct xarray imports;		/* vn_import, by number of the object */
	u32 nimports;
	struct xarray statuses;		/* vn_kstatus, by number of the object */
	u32 nstatuses;
	atomic64_t fence_waits;		/* times a descriptor of it met a fence */
};

struct vn_context *vn_context_open(void);
void vn_context_close(struct vn_context *ctx);

/* Has it memory on one of the chips? */
bool vn_context_uses(struct vn_context *ctx, const u16 *chip, u32 n);

static inline bool vn_context_attached(const struct vn_context *ctx, u32 chip)
{
	return test_bit(chip, ctx->attached);
}

#endif
