/* SPDX-License-Identifier: GPL-2.0-only */
/* The device nodes, and the table of calls. */
#ifndef VN_CDEV_H
#define VN_CDEV_H

int vn_cdev_init(void);
void vn_cdev_exit(void);

#endif
