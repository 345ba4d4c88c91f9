// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cdev.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include "engine/abi.h"
#include "cdev.h"
#include "compat.h"
#include "context.h"
#include "device.h"
#include "domain.h"
#include "drain.h"
#include "export.h"
#include "import.h"
#include "memory.h"
#include "mmap.h"
#include "plan.h"
#include "queue.h"
#include "sled.h"
#include "status.h"
#include "window.h"

static const struct file_operations chip_fops;

static u32 chip_of(const struct file *file)
{
	return (u32)(unsigned long)file->private_data;
}

/* ---- calls on the device itself: ctx is NULL on a chip node -------------- */

static int call_query(struct vn_context *ctx, void *arg)
{
	struct vn_query *a = arg;

	vn_device_query(a);
	a->fence_waits = ctx ? atomic64_read(&ctx->fence_waits) : 0;
	return 0;
}

static int call_chip_query(struct vn_context *ctx, void *arg)
{
	struct vn_chip_query *a = arg;

	a->chip = vn_chip_index(a->chip);
	vn_device_chip_query(a, ctx && vn_context_attached(ctx, a->chip));
	return 0;
}

static int call_sled_query(struct vn_context *ctx, void *arg)
{
	struct vn_sled_query *a = arg;
	struct vn_sled_seen seen;

	a->sled = vn_index(a->sled, vn_switch_sleds(&vn_server.sw));
	vn_sled_see(a->sled, &seen);
	a->state = seen.state;
	a->chips = seen.chips;
	a->rack = seen.rack;
	a->numa_node = seen.numa_node;
	a->epoch = seen.epoch;
	a->uid = uid_valid(seen.uid) ? from_kuid_munged(current_user_ns(), seen.uid) : ~0u;
	a->hbm_used = seen.hbm_used;
	a->operation = seen.operation;
	memcpy(a->reason, seen.reason, VN_REASON);
	return 0;
}

/* ---- the table ----------------------------------------------------------- */

/*
 * How a call is made: run with a checked private copy of its struct, which is
 * copied out afterwards when `out`. Should that fail, undo.
 */
struct call {
	int (*run)(struct vn_context *ctx, void *arg);
	void (*undo)(struct vn_context *ctx, void *arg);
	bool out;
};

#define ROW(nr, ...)	[_IOC_NR(nr)] = { __VA_ARGS__ }

static const struct call calls[VN_IOCTL_COUNT] = {
	ROW(VN_IOCTL_QUERY, call_query, NULL, true),
	/* CHIP_ATTACH: see call_attach() */
	ROW(VN_IOCTL_CHIP_QUERY, call_chip_query, NULL, true),
	ROW(VN_IOCTL_MEM_ALLOC, vn_call_mem_alloc, vn_undo_mem_alloc, true),
	ROW(VN_IOCTL_MEM_FREE, vn_call_mem_free, NULL, false),
	ROW(VN_IOCTL_WINDOW_CREATE, vn_call_window_create, vn_undo_window_create, true),
	ROW(VN_IOCTL_WINDOW_INVALIDATE, vn_call_window_invalidate, NULL, false),
	ROW(VN_IOCTL_WINDOW_IMPORT, vn_call_window_import, vn_undo_window_import, true),
	ROW(VN_IOCTL_WINDOW_RELEASE, vn_call_window_release, NULL, false),
	/* DOMAIN_EXPORT: see call_export() */
	ROW(VN_IOCTL_DOMAIN_JOIN, vn_call_domain_join, NULL, false),
	ROW(VN_IOCTL_QUEUE_CREATE, vn_call_queue_create, vn_undo_queue_create, true),
	ROW(VN_IOCTL_QUEUE_DESTROY, vn_call_queue_destroy, NULL, false),
	ROW(VN_IOCTL_QUEUE_RESET, vn_call_queue_reset, NULL, false),
	ROW(VN_IOCTL_DOORBELL, vn_call_doorbell, NULL, false),
	ROW(VN_IOCTL_WAIT, vn_call_wait, NULL, true),
	ROW(VN_IOCTL_PLAN_CREATE, vn_call_plan_create, vn_undo_plan_create, true),
	ROW(VN_IOCTL_PLAN_DESTROY, vn_call_plan_destroy, NULL, false),
	ROW(VN_IOCTL_STATUS_CREATE, vn_call_status_create, vn_undo_status_create, true),
	ROW(VN_IOCTL_STATUS_DESTROY, vn_call_status_destroy, NULL, false),
	ROW(VN_IOCTL_SLED_QUERY, call_sled_query, NULL, true),
	/* DRAIN_OPEN: see call_drain() */
	/* WINDOW_BIND: see call_bind(); MEM_EXPORT: see call_export() */
};

/* Attached last, when nothing can fail any more: there is no way back. */
static int call_attach(struct vn_context *ctx, struct vn_chip_attach *a, void __user *uarg)
{
	struct file *file = fget(a->fd);

	if (!file)
		return -EBADF;
	if (file->f_op != &chip_fops) {
		fput(file);
		return -EBADF;
	}
	a->chip = chip_of(file);
	fput(file);
	if (copy_to_user(uarg, a, sizeof(*a)))
		return -EFAULT;
	set_bit(a->chip, ctx->attached);
	return 0;
}

/* The fd goes live last, when nothing can fail any more. */
static int install(int fd, struct file *file, const void *a, u32 bytes, void __user *uarg)
{
	if (copy_to_user(uarg, a, bytes)) {
		put_unused_fd(fd);
		fput(file);
		return -EFAULT;
	}
	fd_install(fd, file);
	return 0;
}

static int call_export(struct vn_context *ctx, struct vn_domain_export *a, void __user *uarg)
{
	struct file *file;
	int err = vn_call_domain_export(ctx, a, &file);

	return err ?: install(a->fd, file, a, min_t(u32, a->size, sizeof(*a)), uarg);
}

static int call_mem_export(struct vn_context *ctx, struct vn_mem_export *a, void __user *uarg)
{
	struct file *file;
	int err = vn_call_mem_export(ctx, a, &file);

	return err ?: install(a->fd, file, a, min_t(u32, a->size, sizeof(*a)), uarg);
}

/* There is no way back to the old key: so at first there must be room for the new one. */
static int call_bind(struct vn_context *ctx, struct vn_window_bind *a, void __user *uarg)
{
	u32 bytes = min_t(u32, a->size, sizeof(*a));
	int err;

	if (copy_to_user(uarg, a, bytes))
		return -EFAULT;
	err = vn_call_window_bind(ctx, a);
	if (!err && copy_to_user(uarg, a, bytes)) {
		vn_undo_window_bind(ctx, a);
		err = -EFAULT;
	}
	return err;
}

/* Copied out of a failed call: which descriptor was refused. */
static int note_refused(const struct vn_plan_create *a, void __user *uarg)
{
	struct vn_plan_create __user *to = uarg;

	return put_user(a->error_desc, &to->error_desc) ? -EFAULT : -EINVAL;
}

/* Copied out of a failed call: who keeps the sled from being drained. */
static int note_holder(const struct vn_drain_open *a, void __user *uarg)
{
	struct vn_drain_open __user *to = uarg;

	if (a->size >= sizeof(*a) &&
	    (put_user(a->exports, &to->exports) || put_user(a->holder, &to->holder) ||
	     put_user(a->holder_pid, &to->holder_pid)))
		return -EFAULT;
	return -EBUSY;
}

/* No way back from there but by testing the sled: told first, when it can still be refused. */
static int call_maintain(struct vn_context *ctx, struct vn_drain_open *a,
			 struct vn_drain_open __user *uarg)
{
	struct file *none;
	s32 fd = a->fd;
	int err;

	if (put_user(-1, &uarg->fd))
		return -EFAULT;
	err = vn_call_drain_open(ctx, a, &none);
	/* What was there before. */
	if (err && put_user(fd, &uarg->fd))
		return -EFAULT;
	return err;
}

/* A session before COMMITTED: closing it undoes what it did. */
static int call_drain(struct vn_context *ctx, struct vn_drain_open *a, void __user *uarg)
{
	u32 bytes = min_t(u32, a->size, sizeof(*a));
	struct file *file;
	int err;

	if (a->flags & VN_DRAIN_MAINTAIN)
		return call_maintain(ctx, a, uarg);
	err = vn_call_drain_open(ctx, a, &file);
	if (err == -EBUSY && a->exports)
		return note_holder(a, uarg);
	if (err)
		return err;
	if (file)
		return install(a->fd, file, a, bytes, uarg);
	return copy_to_user(uarg, a, bytes) ? -EFAULT : 0;
}

int vn_call_copy_in(u32 cmd, void *arg, void __user *uarg)
{
	const struct vn_call *known = vn_abi_call(cmd);
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < known->least)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(arg, known->bytes, uarg, size);
	if (err)
		return err;
	*(u32 *)arg = size;
	return vn_abi_check(cmd, arg, vn_server.sw.chips, vn_switch_sleds(&vn_server.sw));
}

static long do_call(struct vn_context *ctx, u32 cmd, const struct vn_call *known, void __user *uarg)
{
	const struct call *call = &calls[_IOC_NR(cmd)];
	u64 arg[VN_CALL_BYTES / sizeof(u64)] = {};
	int err = vn_call_copy_in(cmd, arg, uarg);

	if (err)
		return err;
	if (cmd == VN_IOCTL_CHIP_ATTACH)
		return call_attach(ctx, (void *)arg, uarg);
	if (cmd == VN_IOCTL_DOMAIN_EXPORT)
		return call_export(ctx, (void *)arg, uarg);
	if (cmd == VN_IOCTL_MEM_EXPORT)
		return call_mem_export(ctx, (void *)arg, uarg);
	if (cmd == VN_IOCTL_WINDOW_BIND)
		return call_bind(ctx, (void *)arg, uarg);
	if (cmd == VN_IOCTL_DRAIN_OPEN)
		return call_drain(ctx, (void *)arg, uarg);
	err = call->run(ctx, arg);
	if (err == -EINVAL && cmd == VN_IOCTL_PLAN_CREATE)
		return note_refused((void *)arg, uarg);
	if (err || !call->out)
		return err;
	if (copy_to_user(uarg, arg, min_t(u32, *(u32 *)arg, known->bytes))) {
		if (call->undo)
			call->undo(ctx, arg);
		return -EFAULT;
	}
	return 0;
}

static long server_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct vn_call *known = vn_abi_call(cmd);

	if (!known || !(known->on & VN_ON_SERVER))
		return -ENOTTY;
	return do_call(file->private_data, cmd, known, (void __user *)arg);
}

static long chip_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct vn_call *known = vn_abi_call(cmd);

	if (!known || !(known->on & VN_ON_CHIP))
		return -ENOTTY;
	return do_call(NULL, cmd, known, (void __user *)arg);
}

/* ---- files --------------------------------------------------------------- */

static int server_open(struct inode *inode, struct file *file)
{
	struct vn_context *ctx = vn_context_open();

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	file->private_data = ctx;
	return nonseekable_open(inode, file);
}

static int server_release(struct inode *inode, struct file *file)
{
	vn_context_close(file->private_data);
	return 0;
}

static __poll_t server_poll(struct file *file, poll_table *table)
{
	return vn_context_poll(file->private_data, file, table);
}

static const struct file_operations server_fops = {
	.owner = THIS_MODULE,
	.open = server_open,
	.release = server_release,
	.unlocked_ioctl = server_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vn_mmap,
	.poll = server_poll,
};

static int chip_open(struct inode *inode, struct file *file)
{
	file->private_data = (void *)(unsigned long)(iminor(inode) - 1);
	return nonseekable_open(inode, file);
}

static const struct file_operations chip_fops = {
	.owner = THIS_MODULE,
	.open = chip_open,
	.unlocked_ioctl = chip_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* ---- nodes --------------------------------------------------------------- */

/* Minor 0 is the UltraServer, minor 1 + N is chip N. */
static dev_t first;
static struct class *class;
static struct cdev server_cdev, chip_cdev;

static char *devnode(VN_DEVNODE_CONST struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0660;
	return NULL;
}

static void remove_nodes(u32 minors)
{
	while (minors)
		device_destroy(class, first + --minors);
}

static int create_nodes(void)
{
	struct device *dev;

	for (u32 i = 0; i <= vn_server.sw.chips; i++) {
		if (!i)
			dev = device_create(class, NULL, first, NULL, "vneuron0");
		else
			dev = device_create(class, NULL, first + i, NULL, "vneuron0c%u", i - 1);
		if (IS_ERR(dev)) {
			remove_nodes(i);
			return PTR_ERR(dev);
		}
	}
	return 0;
}

int vn_cdev_init(void)
{
	u32 minors = 1 + vn_server.sw.chips;
	int err;

	err = alloc_chrdev_region(&first, 0, minors, "vneuron");
	if (err)
		return err;
	class = vn_class_create("vneuron");
	if (IS_ERR(class)) {
		err = PTR_ERR(class);
		goto free_region;
	}
	class->devnode = devnode;

	cdev_init(&server_cdev, &server_fops);
	server_cdev.owner = THIS_MODULE;
	err = cdev_add(&server_cdev, first, 1);
	if (err)
		goto destroy_class;
	cdev_init(&chip_cdev, &chip_fops);
	chip_cdev.owner = THIS_MODULE;
	err = cdev_add(&chip_cdev, first + 1, vn_server.sw.chips);
	if (err)
		goto del_server;
	err = create_nodes();
	if (err)
		goto del_chip;
	return 0;

del_chip:
	cdev_del(&chip_cdev);
del_server:
	cdev_del(&server_cdev);
destroy_class:
	class_destroy(class);
free_region:
	unregister_chrdev_region(first, minors);
	return err;
}

void vn_cdev_exit(void)
{
	remove_nodes(1 + vn_server.sw.chips);
	cdev_del(&chip_cdev);
	cdev_del(&server_cdev);
	class_destroy(class);
	unregister_chrdev_region(first, 1 + vn_server.sw.chips);
}
