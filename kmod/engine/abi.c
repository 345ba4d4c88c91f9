// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "abi.h"

#define CALL(nr, type, on)	GROWN(nr, type, sizeof(struct type), on)
/* A struct that has grown since. */
#define GROWN(nr, type, least, on)	[(nr) & 0xff] = { #nr, LENGTH(type), least, on }
/* Does not compile for one that is longer than shells have room for. */
#define LENGTH(type)	(sizeof(struct type) + \
			 0 * sizeof(char[sizeof(struct type) <= VN_CALL_BYTES ? 1 : -1]))

static const struct vn_call calls[VN_IOCTL_COUNT] = {
	GROWN(VN_IOCTL_QUERY, vn_query, 64, VN_ON_SERVER | VN_ON_CHIP),
	CALL(VN_IOCTL_CHIP_ATTACH, vn_chip_attach, VN_ON_SERVER),
	CALL(VN_IOCTL_CHIP_QUERY, vn_chip_query, VN_ON_SERVER | VN_ON_CHIP),
	CALL(VN_IOCTL_MEM_ALLOC, vn_mem_alloc, VN_ON_SERVER),
	CALL(VN_IOCTL_MEM_FREE, vn_mem_free, VN_ON_SERVER),
	GROWN(VN_IOCTL_WINDOW_CREATE, vn_window_create, 32, VN_ON_SERVER),
	CALL(VN_IOCTL_WINDOW_INVALIDATE, vn_window_invalidate, VN_ON_SERVER),
	CALL(VN_IOCTL_WINDOW_IMPORT, vn_window_import, VN_ON_SERVER),
	CALL(VN_IOCTL_WINDOW_RELEASE, vn_window_release, VN_ON_SERVER),
	CALL(VN_IOCTL_DOMAIN_EXPORT, vn_domain_export, VN_ON_SERVER),
	CALL(VN_IOCTL_DOMAIN_JOIN, vn_domain_join, VN_ON_SERVER),
	CALL(VN_IOCTL_QUEUE_CREATE, vn_queue_create, VN_ON_SERVER),
	CALL(VN_IOCTL_QUEUE_DESTROY, vn_queue_id, VN_ON_SERVER),
	CALL(VN_IOCTL_QUEUE_RESET, vn_queue_id, VN_ON_SERVER),
	CALL(VN_IOCTL_DOORBELL, vn_queue_id, VN_ON_SERVER),
	CALL(VN_IOCTL_WAIT, vn_wait, VN_ON_SERVER),
	CALL(VN_IOCTL_PLAN_CREATE, vn_plan_create, VN_ON_SERVER),
	CALL(VN_IOCTL_PLAN_DESTROY, vn_plan_destroy, VN_ON_SERVER),
	CALL(VN_IOCTL_STATUS_CREATE, vn_status_create, VN_ON_SERVER),
	CALL(VN_IOCTL_STATUS_DESTROY, vn_status_destroy, VN_ON_SERVER),
	CALL(VN_IOCTL_SLED_QUERY, vn_sled_query, VN_ON_SERVER),
	GROWN(VN_IOCTL_DRAIN_OPEN, vn_drain_open, 120, VN_ON_SERVER),
	GROWN(VN_IOCTL_DRAIN_STEP, vn_drain_step, 96, VN_ON_SESSION),
	CALL(VN_IOCTL_WINDOW_BIND, vn_window_bind, VN_ON_SERVER),
	CALL(VN_IOCTL_MEM_EXPORT, vn_mem_export, VN_ON_SERVER),
};

const struct vn_call *vn_abi_call(u32 cmd)
{
	u32 nr = cmd & 0xff;

	if (nr >= VN_IOCTL_COUNT || cmd != (u32)_IO('V', nr))
		return NULL;
	return &calls[vn_index(nr, (u32)VN_IOCTL_COUNT)];
}

static int check_access(u32 access)
{
	u32 writes = VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC;

	if (!access || access & ~(VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ | writes))
		return -EINVAL;
	return access & writes && !(access & VN_ACCESS_LOCAL_WRITE) ? -EINVAL : 0;
}

static int check_window(const struct vn_window_create *a)
{
	u32 kind = a->flags & (VN_WINDOW_USER | VN_WINDOW_DMABUF | VN_WINDOW_PARENT);

	if (a->flags & ~(kind | VN_WINDOW_QUEUE) || kind & (kind - 1) || !a->bytes)
		return -EINVAL;
	if (!(a->flags & VN_WINDOW_QUEUE) && (a->queue || a->user_data))
		return -EINVAL;
	if ((a->parent && kind != VN_WINDOW_PARENT) || (a->fd && kind != VN_WINDOW_DMABUF))
		return -EINVAL;
	if (kind == VN_WINDOW_USER && a->bytes > VN_BYTES_MAX)
		return -EINVAL;
	return check_access(a->access);
}

static int check_bind(const struct vn_window_bind *a)
{
	return a->reserved || !a->bytes ? -EINVAL : check_access(a->access);
}

static int check_export(const struct vn_mem_export *a)
{
	return a->flags & ~VN_EXPORT_WRITE || !a->bytes ? -EINVAL : 0;
}

static int check_import(const struct vn_window_import *a)
{
	if (a->access != VN_ACCESS_REMOTE_READ &&
	    a->access != (VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE))
		return -EINVAL;
	return 0;
}

static int check_queue(const struct vn_queue_create *a)
{
	if (a->flags & ~VN_QUEUE_EVENTFD || (a->eventfd && !(a->flags & VN_QUEUE_EVENTFD)))
		return -EINVAL;
	if (a->depth < VN_QUEUE_DEPTH_MIN || a->depth > VN_QUEUE_DEPTH_MAX ||
	    a->depth & (a->depth - 1))
		return -EINVAL;
	return 0;
}

static int check_plan(const struct vn_plan_create *a)
{
	if (a->flags || !a->nprograms || a->nprograms > VN_PLAN_PROGRAMS_MAX || !a->ndescs ||
	    a->ndescs > VN_PLAN_DESCS_MAX || a->noperands > VN_PLAN_OPERANDS_MAX ||
	    a->nparams > VN_OPERANDS_MAX)
		return -EINVAL;
	return 0;
}

static int check_drain(const struct vn_drain_open *a, u32 sleds)
{
	u32 known = VN_DRAIN_DRY_RUN | VN_DRAIN_BACK | VN_DRAIN_RESTORE | VN_DRAIN_MAINTAIN;
	/* None goes with another, but for a sled that was in maintenance before a restart. */
	u32 flags = a->flags == (VN_DRAIN_MAINTAIN | VN_DRAIN_RESTORE) ? VN_DRAIN_MAINTAIN
								       : a->flags;

	if (flags & ~known || flags & (flags - 1) || !a->operation || !a->budget_ns ||
	    a->budget_ns > VN_BUDGET_MAX || a->reason[VN_REASON - 1] || a->reserved || a->reserved1)
		return -EINVAL;
	/* ~0 is nobody, in any namespace. */
	if (a->flags & VN_DRAIN_RESTORE ? a->uid == ~0u : a->uid)
		return -EINVAL;
	return a->to < sleds || a->to == VN_ANY_SLED ? 0 : -ENODEV;
}

static int check_step(const struct vn_drain_step *a)
{
	return a->to < VN_SLED_STATES && !a->reserved && !a->reserved1 ? 0 : -EINVAL;
}

/* The sled a call names, or one that exists when it names none. */
static u32 sled_of(u32 cmd, const void *arg)
{
	if (cmd == VN_IOCTL_SLED_QUERY)
		return ((const struct vn_sled_query *)arg)->sled;
	return cmd == VN_IOCTL_DRAIN_OPEN ? ((const struct vn_drain_open *)arg)->sled : 0;
}

/* The chip a call names, or a chip that exists when it names none. */
static u32 chip_of(u32 cmd, const void *arg)
{
	switch (cmd) {
	case VN_IOCTL_CHIP_QUERY:
	case VN_IOCTL_MEM_ALLOC:
	case VN_IOCTL_MEM_FREE:
	case VN_IOCTL_WINDOW_CREATE:
	case VN_IOCTL_WINDOW_INVALIDATE:
	case VN_IOCTL_WINDOW_IMPORT:
	case VN_IOCTL_QUEUE_CREATE:
	case VN_IOCTL_WINDOW_BIND:
	case VN_IOCTL_MEM_EXPORT:
		return ((const struct vn_chip_query *)arg)->chip;
	}
	return 0;
}

int vn_abi_check(u32 cmd, const void *arg, u32 chips, u32 sleds)
{
	int err = 0;

	switch (cmd) {
	case VN_IOCTL_QUERY:
	case VN_IOCTL_CHIP_ATTACH:
		err = ((const struct vn_query *)arg)->flags ? -EINVAL : 0;
		break;
	case VN_IOCTL_MEM_ALLOC: {
		const struct vn_mem_alloc *a = arg;

		err = a->flags || a->reserved || !a->bytes || a->bytes > 1ull << VN_ADDR_OFFSET_BITS
			      ? -EINVAL
			      : 0;
		break;
	}
	case VN_IOCTL_WINDOW_CREATE:
		err = check_window(arg);
		break;
	case VN_IOCTL_WINDOW_INVALIDATE:
		err = ((const struct vn_window_invalidate *)arg)->reserved ? -EINVAL : 0;
		break;
	case VN_IOCTL_WINDOW_IMPORT:
		err = check_import(arg);
		break;
	case VN_IOCTL_WINDOW_RELEASE:
		err = ((const struct vn_window_release *)arg)->reserved ? -EINVAL : 0;
		break;
	case VN_IOCTL_DOMAIN_EXPORT:
	case VN_IOCTL_DOMAIN_JOIN: {
		const struct vn_domain_join *a = arg;

		err = a->flags || a->reserved ? -EINVAL : 0;
		break;
	}
	case VN_IOCTL_QUEUE_CREATE:
		err = check_queue(arg);
		break;
	case VN_IOCTL_WAIT:
		err = ((const struct vn_wait *)arg)->flags ? -EINVAL : 0;
		break;
	case VN_IOCTL_PLAN_CREATE:
		err = check_plan(arg);
		break;
	case VN_IOCTL_STATUS_CREATE:
		err = ((const struct vn_status_create *)arg)->flags ? -EINVAL : 0;
		break;
	case VN_IOCTL_STATUS_DESTROY:
		err = ((const struct vn_status_destroy *)arg)->reserved ? -EINVAL : 0;
		break;
	case VN_IOCTL_DRAIN_OPEN:
		err = check_drain(arg, sleds);
		break;
	case VN_IOCTL_DRAIN_STEP:
		err = check_step(arg);
		break;
	case VN_IOCTL_WINDOW_BIND:
		err = check_bind(arg);
		break;
	case VN_IOCTL_MEM_EXPORT:
		err = check_export(arg);
		break;
	}
	if (!err && (chip_of(cmd, arg) >= chips || sled_of(cmd, arg) >= sleds))
		err = -ENODEV;
	return err;
}
