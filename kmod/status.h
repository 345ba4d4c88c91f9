/* SPDX-License-Identifier: GPL-2.0-only */
/* Status pages: where programs write what their ranks do. */
#ifndef VN_KMOD_STATUS_H
#define VN_KMOD_STATUS_H

#include "engine/status.h"
#include "context.h"
#include "mmap.h"

/* Held as an object is. What is in the page belongs to whoever has mapped it. */
struct vn_kstatus {
	struct vn_object object;
	struct vn_user *user;
	struct page *page;
};

int vn_call_status_create(struct vn_context *ctx, void *arg);
void vn_undo_status_create(struct vn_context *ctx, void *arg);
int vn_call_status_destroy(struct vn_context *ctx, void *arg);

/* One of VN_STATUS_ENTRIES, as vn_status_see(); the page is held. */
bool vn_kstatus_see(const struct vn_kstatus *ks, u32 entry, struct vn_rank_seen *to);

void vn_context_close_statuses(struct vn_context *ctx);

#endif
