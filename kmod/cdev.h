/* SPDX-License-Identifier: GPL-2.0-only */
/* The device nodes, and the table of calls. */
#ifndef VN_CDEV_H
#define VN_CDEV_H

#include <linux/types.h>

int vn_cdev_init(void);
void vn_cdev_exit(void);

/* Copies a call's struct in, and checks it: 0, or what the call returns. */
int vn_call_copy_in(u32 cmd, void *arg, void __user *uarg);

#endif
