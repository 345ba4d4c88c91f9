// SPDX-License-Identifier: GPL-2.0-only
/* vneuron: an AI UltraServer in software. Loading and unloading. */

#include <linux/init.h>
#include <linux/module.h>
#include "cdev.h"
#include "device.h"
#include "fault.h"
#include "mmap.h"
#include "netlink.h"
#include "pool.h"
#include "selftest.h"
#include "user.h"
#include "worker.h"

static int __init vn_init(void)
{
	int err;

	err = vn_device_init();
	if (err)
		return err;
	err = vn_user_init();
	if (err)
		return err;
	err = vn_fault_init();
	if (err)
		return err;
	err = vn_pool_init();
	if (err)
		goto exit_fault;
	err = vn_selftest();
	if (err)
		goto exit_pool;
	err = vn_worker_init();
	if (err)
		goto exit_pool;
	err = vn_mmap_init();
	if (err)
		goto exit_worker;
	err = vn_netlink_init();
	if (err)
		goto exit_mmap;
	err = vn_cdev_init();
	if (err)
		goto exit_netlink;
	return 0;

exit_netlink:
	vn_netlink_exit();
exit_mmap:
	vn_mmap_exit();
exit_worker:
	vn_worker_exit();
exit_pool:
	vn_pool_exit();
exit_fault:
	vn_fault_exit();
	return err;
}

static void __exit vn_exit(void)
{
	vn_cdev_exit();
	vn_netlink_exit();
	vn_mmap_exit();
	vn_worker_exit();
	vn_pool_exit();
	vn_fault_exit();
}

module_init(vn_init);
module_exit(vn_exit);

MODULE_DESCRIPTION("Virtual AI UltraServer");
MODULE_LICENSE("GPL");
MODULE_VERSION(VN_VERSION);
