/* SPDX-License-Identifier: GPL-2.0-only */
/* Resetting a chip under load. */
#ifndef VN_RESET_H
#define VN_RESET_H

struct genl_info;
struct sk_buff;

/* The command of netlink. */
int vn_reset_do_chip(struct sk_buff *skb, struct genl_info *info);

#endif
