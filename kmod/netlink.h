/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family (uapi/linux/vneuron_nl.h). */
#ifndef VN_NETLINK_H
#define VN_NETLINK_H

struct vn_sled_event;

int vn_netlink_init(void);
void vn_netlink_exit(void);

/* Tells all who listen, as far as there is memory for it. May sleep. */
void vn_netlink_event(const struct vn_sled_event *e);

#endif
