/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Windows, memory that is addressable by key, and domains, in which keys resolve. Part of
 * vneuron.h, which includes it: functions return 0 or -errno, as those there.
 */
#ifndef VNEURON_WINDOW_H
#define VNEURON_WINDOW_H

#include "../vneuron.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * vn_window_create - make part of an allocation addressable by key
 * @access: &enum vn_access
 * @key: out
 */
int vn_window_create(vn_device_t dev, const struct vn_mem *mem, uint64_t offset, uint64_t bytes,
		     uint32_t access, uint32_t *key);

/**
 * struct vn_window_options - what a window can have besides; zero: nothing of it
 * @queue: a queue of the same device handle, on any chip, or NULL: it gets an arrival
 *	for each WRITE_IMM into the window
 * @user_data: of these arrivals (&vn_cqe.user_data), else 0
 */
struct vn_window_options {
	vn_queue_t queue;
	uint64_t user_data;
};

/**
 * vn_window_open - the same as vn_window_create(), with options
 * @o: NULL: none
 *
 * Destroying the queue leaves the window as it is; immediates then find nobody.
 */
int vn_window_open(vn_device_t dev, const struct vn_mem *mem, uint64_t offset, uint64_t bytes,
		   uint32_t access, const struct vn_window_options *o, uint32_t *key);

/**
 * vn_window_user - make memory of this process addressable by key, as if it were the chip's
 * @ptr: any alignment; may be written, at most VN_BYTES_MAX bytes
 * @access: &enum vn_access
 * @key: out
 *
 * It is pinned, and counts for RLIMIT_MEMLOCK, until the window ends: -ENOMEM beyond it. In the
 * kernel home the window keeps the pages that were there then, whatever becomes of the
 * mapping; -EFAULT for what can't be pinned, as mapped HBM. In the embedded home, where it is
 * in reach anyway, it must stay mapped until then; a page counts once there, however often it
 * is registered. No import of it: vn_window_map() is -EINVAL. -ENOSPC: the context has more
 * than VN_WINDOW_OUTSIDE_MAX bytes of such memory and of dma-bufs.
 */
int vn_window_user(vn_device_t dev, uint32_t chip, void *ptr, uint64_t bytes, uint32_t access,
		   uint32_t *key);

/**
 * vn_window_dmabuf - make a dma-buf addressable by key, as if it were the chip's memory
 * @fd: the dma-buf, in the embedded home also a memfd that can't be made shorter
 *	(F_SEAL_SHRINK), as vn_mem_export() makes them; may be closed afterwards
 * @offset: of the window in it, bytes
 * @access: &enum vn_access; what writes takes an fd that may be written (-EACCES)
 * @key: out
 *
 * -EBADF: it is no such fd. -EINVAL: it is shorter. -EOPNOTSUPP: whoever has made it does not
 * let the CPU see it. No import, and a limit, as for vn_window_user().
 */
int vn_window_dmabuf(vn_device_t dev, uint32_t chip, int fd, uint64_t offset, uint64_t bytes,
		     uint32_t access, uint32_t *key);

/**
 * vn_window_part - make part of a window addressable by another key
 * @parent: key of a window on @chip in this context's domain, whoever made it
 * @offset: in that window, bytes
 * @access: no more than that one allows (-EACCES)
 * @key: out
 *
 * It ends with that one, and its key is stale then.
 */
int vn_window_part(vn_device_t dev, uint32_t chip, uint32_t parent, uint64_t offset, uint64_t bytes,
		   uint32_t access, uint32_t *key);

/**
 * vn_window_rebind - let a window be another range of HBM, under a new key
 * @key: of a window made with vn_window_create() on the chip of @mem; out: from now on
 * @mem: an allocation of this context; the window becomes [@offset, @offset + @bytes) of it
 * @access: &enum vn_access, from now on
 *
 * Afterwards no byte moves through the old key, which is stale; parts of the old window have
 * ended, and imports of it are as if it had been invalidated. A failed call leaves it as it was.
 */
int vn_window_rebind(vn_device_t dev, uint32_t *key, const struct vn_mem *mem, uint64_t offset,
		     uint64_t bytes, uint32_t access);

/**
 * vn_mem_export - an fd that stands for HBM, for other processes and devices
 * @offset: in the allocation; whole pages, as @bytes
 * @flags: 0, or VN_EXPORT_WRITE: whoever has the fd may write
 *
 * In the kernel home a dma-buf: mmap() it, between DMA_BUF_IOCTL_SYNC, or give it to whatever
 * imports such. Its memory stays as long as it does, and counts for the chip. In the embedded
 * home a memfd that shares the memory; who writes there meanwhile says so with vn_mem_begin(), as
 * for a drain; -EBUSY while the sled is drained, or when part of it is exported already, with
 * other bounds or flags. While anybody has it open or mapped, its sled can't be drained.
 *
 * Returns the fd, to be closed by the caller, or -errno.
 */
int vn_mem_export(vn_device_t dev, const struct vn_mem *mem, uint64_t offset, uint64_t bytes,
		  uint32_t flags);

/**
 * vn_window_invalidate - end a window; no byte moves through it afterwards
 *
 * -EACCES unless this context made it, -ESTALE when it has ended already,
 * -ENOENT when there never was one.
 */
int vn_window_invalidate(vn_device_t dev, uint32_t chip, uint32_t key);

/**
 * struct vn_import - a window of somebody else, mapped here
 * @ptr: where
 * @bytes: how long
 * @handle: names it to the device
 */
struct vn_import {
	void *ptr;
	uint64_t bytes;
	uint64_t handle;
};

/**
 * vn_window_map - map a window by its key
 * @access: VN_ACCESS_REMOTE_READ, or that | VN_ACCESS_REMOTE_WRITE
 *
 * Once the window is invalidated, touching the mapping raises SIGBUS in the kernel
 * home; in the embedded home, where the memory is the process's own, the
 * mapping stays readable until the memory is freed. When the owner of the memory
 * ends, however it does, mappings in other processes stay until they are unmapped.
 */
int vn_window_map(vn_device_t dev, uint32_t chip, uint32_t key, uint32_t access,
		  struct vn_import *imp);
int vn_window_unmap(vn_device_t dev, struct vn_import *imp);

/**
 * vn_domain_export - an fd that stands for this context's domain
 *
 * To be closed by the caller; may be passed to another process.
 */
int vn_domain_export(vn_device_t dev);

/**
 * vn_domain_join - resolve keys in the domain of @fd
 *
 * -EBUSY while the context has windows or imports, unless it is in that domain.
 * Queues go on in the domain in which they were made.
 */
int vn_domain_join(vn_device_t dev, int fd);

#ifdef __cplusplus
}
#endif

#endif
