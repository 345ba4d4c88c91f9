/* SPDX-License-Identifier: GPL-2.0-only */
/* What one user may have of everything, all contexts together. */
#ifndef VN_USER_H
#define VN_USER_H

#include <linux/atomic.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>

/*
 * What the kernel takes for a user, beyond whose memory it is: that is charged to the
 * cgroup of who asks for it.
 */
#define VN_GFP_USER	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

enum vn_use {
	VN_USE_CONTEXTS,
	VN_USE_DOMAINS,
	VN_USE_QUEUES,
	VN_USE_RINGS,		/* bytes */
	VN_USE_WINDOWS,
	VN_USE_IMPORTS,
	VN_USE_PLANS,
	VN_USE_PLAN_BYTES,
	VN_USE_STATUSES,
	VN_USES,
};

/*
 * Held by the user's contexts, and by each object that is charged to it: some outlive
 * their context.
 */
struct vn_user {
	refcount_t refs;
	kuid_t uid;
	atomic64_t used[VN_USES];
};

/* Are the limits, module parameters, in their ranges? */
int vn_user_init(void);

struct vn_user *vn_user_get(kuid_t uid);
void vn_user_put(struct vn_user *u);

/*
 * 0 with a reference, or -EDQUOT. CAP_SYS_RESOURCE is above limits, root without it is not.
 * Whoever asks is looked at; whose context it is pays.
 */
int vn_user_charge(struct vn_user *u, enum vn_use what, u64 n);
void vn_user_uncharge(struct vn_user *u, enum vn_use what, u64 n);

#endif
