// SPDX-License-Identifier: GPL-2.0-only

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/gfp.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>
#include "user.h"

#define LIMIT_MAX	(1u << 24)

static uint user_contexts = 4096;
module_param(user_contexts, uint, 0444);
MODULE_PARM_DESC(user_contexts, "Contexts a user may have (4096)");

static uint user_domains = 8192;
module_param(user_domains, uint, 0444);
MODULE_PARM_DESC(user_domains, "Domains a user may have, as fds too (8192)");

static uint user_queues = 4096;
module_param(user_queues, uint, 0444);
MODULE_PARM_DESC(user_queues, "Queues a user may have (4096)");

static uint user_ring_mib = 8192;
module_param(user_ring_mib, uint, 0444);
MODULE_PARM_DESC(user_ring_mib, "MiB the rings of a user's queues may take (8192)");

static uint user_windows = 2097152;
module_param(user_windows, uint, 0444);
MODULE_PARM_DESC(user_windows, "Windows a user may have (2097152)");

static uint user_imports = 1048576;
module_param(user_imports, uint, 0444);
MODULE_PARM_DESC(user_imports, "Imports of windows a user may have (1048576)");

static uint user_plans = 65536;
module_param(user_plans, uint, 0444);
MODULE_PARM_DESC(user_plans, "Plans a user may have (65536)");

static uint user_plan_mib = 8192;
module_param(user_plan_mib, uint, 0444);
MODULE_PARM_DESC(user_plan_mib, "MiB a user's plans may take (8192)");

static uint user_statuses = 65536;
module_param(user_statuses, uint, 0444);
MODULE_PARM_DESC(user_statuses, "Status pages a user may have (65536)");

static const struct limit {
	const char *name;
	const uint *most;
	unsigned int shift;
} limits[VN_USES] = {
	[VN_USE_CONTEXTS] = { "user_contexts", &user_contexts },
	[VN_USE_DOMAINS] = { "user_domains", &user_domains },
	[VN_USE_QUEUES] = { "user_queues", &user_queues },
	[VN_USE_RINGS] = { "user_ring_mib", &user_ring_mib, 20 },
	[VN_USE_WINDOWS] = { "user_windows", &user_windows },
	[VN_USE_IMPORTS] = { "user_imports", &user_imports },
	[VN_USE_PLANS] = { "user_plans", &user_plans },
	[VN_USE_PLAN_BYTES] = { "user_plan_mib", &user_plan_mib, 20 },
	[VN_USE_STATUSES] = { "user_statuses", &user_statuses },
};

/* By number, as the kernel knows them. */
static DEFINE_XARRAY(users);

int vn_user_init(void)
{
	for (unsigned int i = 0; i < VN_USES; i++) {
		if (*limits[i].most && *limits[i].most <= LIMIT_MAX)
			continue;
		pr_err("%s=%u: must be 1 to %u\n", limits[i].name, *limits[i].most, LIMIT_MAX);
		return -EINVAL;
	}
	return 0;
}

static struct vn_user *find(kuid_t uid)
{
	struct vn_user *u;

	xa_lock(&users);
	u = xa_load(&users, __kuid_val(uid));
	if (u)
		refcount_inc(&u->refs);
	xa_unlock(&users);
	return u;
}

struct vn_user *vn_user_get(kuid_t uid)
{
	struct vn_user *u, *new;
	int err;

	u = find(uid);
	if (u)
		return u;
	new = kzalloc(sizeof(*new), VN_GFP_USER);
	if (!new)
		return ERR_PTR(-ENOMEM);
	refcount_set(&new->refs, 1);
	new->uid = uid;
	do {
		err = xa_insert(&users, __kuid_val(uid), new, VN_GFP_USER);
		if (!err)
			return new;
		/* Somebody was faster, and may be gone again. */
		u = err == -EBUSY ? find(uid) : ERR_PTR(err);
	} while (!u);
	kfree(new);
	return u;
}

void vn_user_put(struct vn_user *u)
{
	bool last;

	if (refcount_dec_not_one(&u->refs))
		return;
	xa_lock(&users);
	last = refcount_dec_and_test(&u->refs);
	if (last)
		__xa_erase(&users, __kuid_val(u->uid));
	xa_unlock(&users);
	if (last)
		kfree(u);
}

int vn_user_charge(struct vn_user *u, enum vn_use what, u64 n)
{
	u64 most = (u64)*limits[what].most << limits[what].shift;

	if (atomic64_add_return(n, &u->used[what]) > most &&
	    !ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE)) {
		atomic64_sub(n, &u->used[what]);
		return -EDQUOT;
	}
	refcount_inc(&u->refs);
	return 0;
}

void vn_user_uncharge(struct vn_user *u, enum vn_use what, u64 n)
{
	atomic64_sub(n, &u->used[what]);
	vn_user_put(u);
}
