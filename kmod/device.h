/* SPDX-License-Identifier: GPL-2.0-only */
/* The UltraServer: its shape, its chips, and what is taken of them. */
#ifndef VN_DEVICE_H
#define VN_DEVICE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/xarray.h>
#include "engine/fault.h"
#include "engine/switch.h"

#define VN_VERSION	"0.1.0"

struct vn_chip {
	atomic64_t hbm_used;
	atomic_t queues;
	atomic_t windows;
	int node;		/* its sled's NUMA node, or NUMA_NO_NODE; others look */
	struct list_head mems;	/* HBM on it; hbm_lock, as the next two */
	struct list_head outside;	/* other memory of windows on it */
	u64 exported;		/* dma-bufs that were made of its HBM, ever */
};

/*
 * There is one, for as long as the module is loaded.
 *
 * Lock order, all locks of the module:
 *   vn_server.contexts_lock
 *     vn_context.objects_lock
 *       vn_domain.windows_lock
 *         vn_share.dead_lock
 *           vn_mem.fault_lock
 *             vn_mem.imports_lock
 *   session.lock in drain.c
 *     vn_server.hbm_lock
 *       vn_mem.fault_lock
 *       sled_lock in sled.c
 *     say_lock in sled.c
 *       sled_lock in sled.c
 *   vn_kqueue.run_lock		(a holder that runs descriptors has a runner)
 *     ready_lock in worker.c
 *   export.devices_lock in export.c	(below the reservation lock of its dma-buf)
 * dead_lock and fault_lock are also taken in page faults, below mmap_lock; nothing is copied
 * from or to user space, no user memory is pinned and no dma-buf seen below any of them.
 */
struct vn_server {
	struct vn_switch sw;
	struct vn_faults faults;	/* sled_lock in sled.c */
	u64 hbm_bytes;		/* per chip */
	struct vn_chip chip[VN_MAX_CHIPS];

	struct mutex contexts_lock;
	struct xarray contexts;	/* by number; changed under contexts_lock */
	struct mutex hbm_lock;	/* which HBM there is on which chip, and moves of it */
};

extern struct vn_server vn_server;

/* The number of a chip that exists, also on a mispredicted path. */
static inline u32 vn_chip_index(u32 chip)
{
	return vn_index(chip, vn_server.sw.chips);
}

int vn_device_init(void);
/* The NUMA node of a sled, or NUMA_NO_NODE. */
int vn_device_node(u32 sled);

/* Takes so many bytes of a chip's HBM: 0 or -ENOSPC. */
int vn_chip_charge(u32 chip, u64 bytes);
void vn_chip_uncharge(u32 chip, u64 bytes);

void vn_device_query(struct vn_query *a);
void vn_device_chip_query(struct vn_chip_query *a, bool attached);

#endif
