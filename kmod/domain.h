/* SPDX-License-Identifier: GPL-2.0-only */
/* Domains, in which keys resolve. */
#ifndef VN_DOMAIN_H
#define VN_DOMAIN_H

#include <linux/mutex.h>
#include <linux/refcount.h>
#include "context.h"

struct vn_share;

/*
 * Keys resolve in a domain. Held by each context that is in it, each fd of it,
 * each window in it. windows_lock guards changes of the tables, which windows are parts of
 * which, and (with objects_lock, to add some) what windows its contexts list.
 */
struct vn_domain {
	refcount_t refs;
	struct vn_user *user;		/* made it */
	struct mutex windows_lock;
	struct vn_domain_table table;
};

/* At that user's expense, for as long as anybody has it; or an error. */
struct vn_domain *vn_domain_new(struct vn_user *user);
void vn_domain_get(struct vn_domain *d);
void vn_domain_put(struct vn_domain *d);

/* Both under windows_lock. */
/* The chip's table with room for one more, made when first used. */
struct vn_window_table *vn_domain_table_for_one(struct vn_domain *d, u32 chip);
/* What a key names: it is alive; or -ENOENT, -ESTALE. */
struct vn_share *vn_domain_find(struct vn_domain *d, u32 chip, u32 key);

/* The fd is reserved in arg; *file is to be installed there. */
int vn_call_domain_export(struct vn_context *ctx, void *arg, struct file **file);
int vn_call_domain_join(struct vn_context *ctx, void *arg);

#endif
