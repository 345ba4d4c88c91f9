/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults made on purpose, what becomes of HBM then, and the page that says what is lost. */
#ifndef VN_KMOD_FAULT_H
#define VN_KMOD_FAULT_H

#include "engine/fault.h"
#include "device.h"

struct genl_info;
struct netlink_ext_ack;
struct sk_buff;
struct vm_area_struct;

int vn_fault_init(void);
void vn_fault_exit(void);

/* Maps the health page, for reading. */
int vn_health_mmap(struct vm_area_struct *vma);

/* Is this the allocation of a drain that is to fail? */
static inline bool vn_fault_alloc(void)
{
	return vn_faults_alloc(&vn_server.faults);
}

/* The commands of netlink. */
int vn_fault_do_inject(struct sk_buff *skb, struct genl_info *info);
int vn_fault_do_clear(struct sk_buff *skb, struct genl_info *info);
/* Whoever may make faults may see them. */
int vn_fault_may(struct sk_buff *skb, struct netlink_ext_ack *extack);

#endif
