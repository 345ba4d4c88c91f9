/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family (uapi/linux/vneuron_nl.h). */
#ifndef VN_NETLINK_H
#define VN_NETLINK_H

int vn_netlink_init(void);
void vn_netlink_exit(void);

#endif
