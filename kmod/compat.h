/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels we build for. The only version tests. */
#ifndef VN_COMPAT_H
#define VN_COMPAT_H

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define VN_DEVNODE_CONST
#else
#define VN_DEVNODE_CONST	const
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

static inline struct class *vn_class_create(const char *name)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	return class_create(THIS_MODULE, name);
#else
	return class_create(name);
#endif
}

/* Since 6.2 it is said who takes the reservation lock: here, they do. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define vn_dma_buf_vmap		dma_buf_vmap
#define vn_dma_buf_vunmap	dma_buf_vunmap
#else
#define vn_dma_buf_vmap		dma_buf_vmap_unlocked
#define vn_dma_buf_vunmap	dma_buf_vunmap_unlocked
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define VN_IMPORT_DMA_BUF	MODULE_IMPORT_NS(DMA_BUF)
#else
#define VN_IMPORT_DMA_BUF	MODULE_IMPORT_NS("DMA_BUF")
#endif

static inline void vn_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

#endif
