// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "abi.h"

#define CALL(nr, type, node)	[(nr) & 0xff] = { #nr, sizeof(struct type), node }

static const struct vn_call calls[VN_IOCTL_COUNT] = {
	CALL(VN_IOCTL_QUERY, vn_query, true),
	CALL(VN_IOCTL_CHIP_ATTACH, vn_chip_attach, false),
	CALL(VN_IOCTL_CHIP_QUERY, vn_chip_query, true),
	CALL(VN_IOCTL_MEM_ALLOC, vn_mem_alloc, false),
	CALL(VN_IOCTL_MEM_FREE, vn_mem_free, false),
	CALL(VN_IOCTL_WINDOW_CREATE, vn_window_create, false),
	CALL(VN_IOCTL_WINDOW_INVALIDATE, vn_window_invalidate, false),
	CALL(VN_IOCTL_WINDOW_IMPORT, vn_window_import, false),
	CALL(VN_IOCTL_WINDOW_RELEASE, vn_window_release, false),
	CALL(VN_IOCTL_DOMAIN_EXPORT, vn_domain_export, false),
	CALL(VN_IOCTL_DOMAIN_JOIN, vn_domain_join, false),
	CALL(VN_IOCTL_QUEUE_CREATE, vn_queue_create, false),
	CALL(VN_IOCTL_QUEUE_DESTROY, vn_queue_id, false),
	CALL(VN_IOCTL_QUEUE_RESET, vn_queue_id, false),
	CALL(VN_IOCTL_DOORBELL, vn_queue_id, false),
	CALL(VN_IOCTL_WAIT, vn_wait, false),
	CALL(VN_IOCTL_PLAN_CREATE, vn_plan_create, false),
	CALL(VN_IOCTL_PLAN_DESTROY, vn_plan_destroy, false),
	CALL(VN_IOCTL_STATUS_CREATE, vn_status_create, false),
	CALL(VN_IOCTL_STATUS_DESTROY, vn_status_destroy, false),
};

const struct vn_call *vn_abi_call(u32 cmd)
{
	u32 nr = cmd & 0xff;

	if (nr >= VN_IOCTL_COUNT || cmd != (u32)_IO('V', nr))
		return NULL;
	return &calls[vn_index(nr, (u32)VN_IOCTL_COUNT)];
}

static int check_window(const struct vn_window_create *a)
{
	u32 writes = VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC;

	if (!a->access || a->access & ~(VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ | writes))
		return -EINVAL;
	if (a->access & writes && !(a->access & VN_ACCESS_LOCAL_WRITE))
		return -EINVAL;
	return a->bytes ? 0 : -EINVAL;
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
		return ((const struct vn_chip_query *)arg)->chip;
	}
	return 0;
}

int vn_abi_check(u32 cmd, const void *arg, u32 chips)
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
	}
	if (!err && chip_of(cmd, arg) >= chips)
		err = -ENODEV;
	return err;
}
