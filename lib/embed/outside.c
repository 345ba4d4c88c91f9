// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory of windows that is no HBM: this process's own, and what it is given by an fd. A
 * drain has nothing to do with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embed.h"

#define PAGE 4096ull
#define WRITES (VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC)

static int take_user(struct embed_outside *o, const struct vn_window_create *a, u64 *offset)
{
	u64 skip = a->addr % PAGE, end;
	int err;

	if (__builtin_add_overflow(a->addr, a->bytes + PAGE, &end))
		return -EFAULT;
	o->hbm.base = (u8 *)(uintptr_t)(a->addr - skip);
	o->hbm.bytes = (skip + a->bytes + PAGE - 1) & ~(PAGE - 1);
	o->bytes = o->hbm.bytes;
	err = embed_user_lock(o->hbm.base, o->hbm.bytes);
	*offset = skip;
	return err;
}

/* ---- what is behind an fd ----------------------------------------------------------- */

static bool is_dmabuf(int fd)
{
	char link[32], to[16] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, to, sizeof(to) - 1) > 0 && !strncmp(to, "/dmabuf:", 8);
}

/*
 * A dma-buf, or a memfd that never gets shorter (or a window over it might end in the void).
 * Its length, and whether it may be written.
 */
static int look(int fd, u64 *bytes, bool *writes, bool *dmabuf)
{
	int flags = fcntl(fd, F_GETFL), seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	off_t end;

	*dmabuf = false;
	if (flags < 0)
		return -EBADF;
	*writes = (flags & O_ACCMODE) == O_RDWR;
	if (seals >= 0 && seals & F_SEAL_SHRINK && !fstat(fd, &st)) {
		*bytes = (u64)st.st_size;
		if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			*writes = false;
		return 0;
	}
	*dmabuf = is_dmabuf(fd);
	end = *dmabuf ? lseek(fd, 0, SEEK_END) : -1;
	*bytes = (u64)end;
	return end < 0 ? -EBADF : 0;
}

/* What the engine does is what a CPU does: one access, as long as the window is there. */
static int tell(int fd, u64 what)
{
	struct dma_buf_sync sync = { .flags = what | DMA_BUF_SYNC_RW };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

static int map_fd(struct embed_outside *o, const struct vn_window_create *a, bool dmabuf)
{
	int prot = PROT_READ | (a->access & WRITES ? PROT_WRITE : 0), err = 0;
	u64 skip = a->addr % PAGE;
	void *p;

	o->hbm.bytes = (skip + a->bytes + PAGE - 1) & ~(PAGE - 1);
	p = mmap(NULL, o->hbm.bytes, prot, MAP_SHARED, a->fd, (off_t)(a->addr - skip));
	if (p == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EOPNOTSUPP;
	o->hbm.base = p;
	o->mapped = true;
	if (dmabuf) {
		o->fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
		err = o->fd < 0 ? -errno : tell(o->fd, DMA_BUF_SYNC_START);
	}
	if (!err)
		return 0;
	munmap(p, o->hbm.bytes);
	if (o->fd >= 0)
		close(o->fd);
	return err;
}

static int take_fd(struct embed_outside *o, const struct vn_window_create *a, u64 *offset)
{
	bool writes, dmabuf;
	int err = look(a->fd, &o->bytes, &writes, &dmabuf);

	if (err)
		return err;
	if (a->addr > o->bytes || a->bytes > o->bytes - a->addr)
		return -EINVAL;
	if (a->access & WRITES && !writes)
		return -EACCES;
	*offset = a->addr % PAGE;
	return o->bytes > VN_WINDOW_OUTSIDE_MAX ? -ENOSPC : map_fd(o, a, dmabuf);
}

/* ---- its life --------------------------------------------------------------------------- */

static void give_back(struct embed_outside *o)
{
	if (o->fd >= 0) {
		tell(o->fd, DMA_BUF_SYNC_END);
		close(o->fd);
	}
	if (o->mapped)
		munmap(o->hbm.base, o->hbm.bytes);
	else
		embed_user_unlock(o->hbm.base, o->hbm.bytes);
	free(o);
}

int embed_outside_new(struct embed_context *ctx, const struct vn_window_create *a,
		      struct embed_outside **to, u64 *offset)
{
	struct embed_device *dev = ctx->dev;
	struct embed_outside *o;
	int err;

	if (!ctx->attached[a->chip])
		return -EACCES;
	if (vn_switch_lost(&dev->sw, a->chip))
		return -EHOSTDOWN;
	/* What is too much anyway is not locked first. */
	if (a->flags & VN_WINDOW_USER && a->bytes > VN_WINDOW_OUTSIDE_MAX - ctx->outside_bytes)
		return -ENOSPC;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->refs = 1;
	o->fd = -1;
	o->ctx = ctx;
	o->hbm.chip = a->chip;
	err = a->flags & VN_WINDOW_USER ? take_user(o, a, offset) : take_fd(o, a, offset);
	if (err) {
		free(o);
		return err;
	}
	if (o->bytes > VN_WINDOW_OUTSIDE_MAX - ctx->outside_bytes) {
		give_back(o);
		return -ENOSPC;
	}
	ctx->outside_bytes += o->bytes;
	o->at = &dev->outside;
	o->next = *o->at;
	if (o->next)
		o->next->at = &o->next;
	*o->at = o;
	*to = o;
	return 0;
}

void embed_outside_put(struct embed_outside *o)
{
	if (--o->refs)
		return;
	*o->at = o->next;
	if (o->next)
		o->next->at = o->at;
	o->ctx->outside_bytes -= o->bytes;
	give_back(o);
}
