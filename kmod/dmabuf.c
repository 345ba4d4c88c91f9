// SPDX-License-Identifier: GPL-2.0-only
/* A dma-buf that somebody has exported, for a window. */

#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "compat.h"
#include "outside.h"
#include "user.h"

struct dmabuf {
	struct vn_outside outside;
	struct dma_buf *buf;		/* held */
	struct iosys_map map;
};

static void free_dmabuf(struct vn_outside *o)
{
	struct dmabuf *d = container_of(o, struct dmabuf, outside);

	dma_buf_end_cpu_access(d->buf, DMA_BIDIRECTIONAL);
	vn_dma_buf_vunmap(d->buf, &d->map);
	dma_buf_put(d->buf);
	kfree(d);
}

static int check(const struct dma_buf *buf, const struct vn_window_create *a)
{
	u32 writes = VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC;

	if (a->addr > buf->size || a->bytes > buf->size - a->addr)
		return -EINVAL;
	if (a->access & writes && !(buf->file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (buf->size > VN_WINDOW_OUTSIDE_MAX)
		return -ENOSPC;
	return buf->ops->vmap ? 0 : -EOPNOTSUPP;
}

/* What the engine does is what a CPU does: it is one access, as long as the window is there. */
static int begin(struct dmabuf *d)
{
	int err = vn_dma_buf_vmap(d->buf, &d->map);

	if (err)
		return err;
	err = d->map.is_iomem ? -EOPNOTSUPP : dma_buf_begin_cpu_access(d->buf, DMA_BIDIRECTIONAL);
	if (err)
		vn_dma_buf_vunmap(d->buf, &d->map);
	return err;
}

struct vn_outside *vn_dmabuf_new(const struct vn_window_create *a, u64 *offset)
{
	struct dma_buf *buf = dma_buf_get(a->fd);
	struct dmabuf *d;
	int err;

	/* It is not open, or no dma-buf. */
	if (IS_ERR(buf))
		return ERR_PTR(-EBADF);
	err = check(buf, a);
	if (err)
		goto put;
	err = -ENOMEM;
	d = kzalloc(sizeof(*d), VN_GFP_USER);
	if (!d)
		goto put;
	d->buf = buf;
	err = begin(d);
	if (err)
		goto free;
	d->outside.hbm.base = d->map.vaddr;
	d->outside.hbm.bytes = buf->size;
	d->outside.bytes = buf->size;
	d->outside.free = free_dmabuf;
	*offset = a->addr;
	return &d->outside;

free:
	kfree(d);
put:
	dma_buf_put(buf);
	return ERR_PTR(err);
}

VN_IMPORT_DMA_BUF;
