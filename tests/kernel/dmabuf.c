// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * dma-bufs between this module and others of the kernel, whichever it has: windows on a
 * udmabuf, a dma-heap's and vgem's buffers; vgem, a driver with a device, takes an export of
 * ours, attached and mapped for it, for reading alone or not. And what a mapping of an export
 * may be.
 */
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include "abi/abi.h"

#define BYTES (4u * PAGE)

/* Of drm.h and drm_mode.h, which need not be installed. */
struct drm_prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};
struct drm_gem_close {
	uint32_t handle, pad;
};
struct drm_version {
	int32_t major, minor, patch;
	size_t name_len;
	char *name;
	size_t date_len;
	char *date;
	size_t desc_len;
	char *desc;
};
struct drm_mode_create_dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};
#define DRM_IOCTL_VERSION _IOWR('d', 0x00, struct drm_version)
#define DRM_IOCTL_GEM_CLOSE _IOW('d', 0x09, struct drm_gem_close)
#define DRM_IOCTL_PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct drm_prime_handle)
#define DRM_IOCTL_PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct drm_prime_handle)
#define DRM_IOCTL_MODE_CREATE_DUMB _IOWR('d', 0xb2, struct drm_mode_create_dumb)

static int ctx;

static int export_of(const struct mem *m, uint64_t offset, uint64_t bytes, uint32_t flags)
{
	struct vn_mem_export a = { .size = sizeof(a),
				   .chip = m->chip,
				   .addr = m->addr + offset,
				   .bytes = bytes,
				   .flags = flags };

	must(!call(ctx, VN_IOCTL_MEM_EXPORT, &a));
	return a.fd;
}

static int window_on(int fd, uint64_t offset, uint64_t bytes, uint32_t access, uint32_t *key)
{
	struct vn_window_create a = { .size = sizeof(a),
				      .addr = offset,
				      .bytes = bytes,
				      .access = access,
				      .flags = VN_WINDOW_DMABUF,
				      .fd = fd };
	int err = call(ctx, VN_IOCTL_WINDOW_CREATE, &a);

	*key = a.key;
	return err;
}

/* A window on somebody's dma-buf: what is written by key is there for who maps it. */
static void use(int fd, const char *whose)
{
	struct mem own = mem_alloc(ctx, 0, PAGE);
	struct queue q = queue_create(ctx, 0, 8, -1);
	struct vn_desc d;
	uint32_t key, wrong = 0;
	uint8_t *p;
	int err = window_on(fd, PAGE + 10, PAGE, ACCESS_ALL, &key);

	if (err == -EOPNOTSUPP) {
		/* Older ones can't be seen by the kernel in a row. */
		tap_ok(true, "%s is refused: it has no view for the kernel", whose);
		goto out;
	}
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(p != MAP_FAILED);
	tap_result(err, 0, "a window on %s", whose);
	if (err)
		goto out;
	memset(p, 0x11, BYTES);
	memset(own.ptr, 0x22, PAGE);
	d = copy_desc((struct vn_operand){ VN_HERE, 0, key, 0 }, at(&own, 0), PAGE);
	tap_result(run(&q, &d), VN_OK, "%s: written by key", whose);
	for (uint32_t i = 0; i < BYTES; i++)
		wrong += p[i] != (i >= PAGE + 10 && i < 2 * PAGE + 10 ? 0x22 : 0x11);
	tap_ok(!wrong, "%s: there and nowhere else (%u wrong)", whose, wrong);
	memset(p, 0x33, BYTES);
	d = copy_desc(at(&own, 0), (struct vn_operand){ VN_HERE, 0, key, 0 }, PAGE);
	tap_ok(run(&q, &d) == VN_OK && own.ptr[0] == 0x33 && own.ptr[PAGE - 1] == 0x33,
	       "%s: read by key", whose);
	close(fd);
	tap_ok(run(&q, &d) == VN_OK, "%s: the fd may be closed", whose);
	tap_result(window_invalidate(ctx, 0, key), 0, "%s: and it ends", whose);
	munmap(p, BYTES);
	fd = -1;
out:
	if (fd >= 0)
		close(fd);
	queue_destroy(&q);
	munmap(own.ptr, PAGE);
	must(!mem_free(ctx, 0, own.addr));
}

static void test_udmabuf(void)
{
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memfd, fd;
	struct udmabuf_create c = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = BYTES };

	if (dev < 0) {
		tap_diag("no udmabuf in this kernel");
		return;
	}
	memfd = memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	must(memfd >= 0 && !ftruncate(memfd, BYTES) && !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	c.memfd = memfd;
	fd = ioctl(dev, UDMABUF_CREATE, &c);
	must(fd >= 0);
	use(fd, "a udmabuf");
	close(memfd);
	close(dev);
}

static void test_heap(void)
{
	struct dma_heap_allocation_data a = { .len = BYTES, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (heap < 0) {
		tap_diag("no dma-heap in this kernel");
		return;
	}
	must(!ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &a));
	use((int)a.fd, "a dma-heap's buffer");
	close(heap);
}

/* vgem's node, or -1. */
static int open_vgem(void)
{
	char path[32], name[16];

	for (int i = 0; i < 8; i++) {
		struct drm_version v = { .name_len = sizeof(name) - 1, .name = name };
		int fd;

		memset(name, 0, sizeof(name));
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &v) && !strcmp(name, "vgem"))
			return fd;
		close(fd);
	}
	return -1;
}

static void test_vgem(void)
{
	struct drm_mode_create_dumb c = { .width = 1024, .height = BYTES / 4096, .bpp = 32 };
	struct drm_prime_handle h = { .flags = O_RDWR | O_CLOEXEC };
	struct drm_gem_close close_gem = {};
	struct mem m;
	int vgem = open_vgem(), fd;
	uint64_t was;

	if (vgem < 0) {
		tap_diag("no vgem in this kernel");
		return;
	}
	must(!ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &c) && c.size == BYTES);
	h.handle = c.handle;
	must(!ioctl(vgem, DRM_IOCTL_PRIME_HANDLE_TO_FD, &h));
	use(h.fd, "a buffer of vgem");

	/* The other way: it is attached to its device, and mapped for it. */
	was = chip_query(ctx, 0).hbm_used;
	m = mem_alloc(ctx, 0, BYTES);
	fd = export_of(&m, PAGE, 2 * PAGE, VN_EXPORT_WRITE);
	h = (struct drm_prime_handle){ .fd = fd };
	tap_result(call(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &h), 0, "vgem takes an export");
	close(fd);
	munmap(m.ptr, m.bytes);
	must(!mem_free(ctx, 0, m.addr));
	tap_ok(chip_query(ctx, 0).hbm_used == was + BYTES, "as long as it has it, it counts");
	{
		struct dma_buf_sync s = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
		struct drm_prime_handle back = { .handle = h.handle, .flags = O_RDWR | O_CLOEXEC };

		/* What it was given, it gives back as it is. */
		must(!ioctl(vgem, DRM_IOCTL_PRIME_HANDLE_TO_FD, &back));
		tap_ok(!ioctl(back.fd, DMA_BUF_IOCTL_SYNC, &s), "the CPU gets access in between");
		s.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
		tap_ok(!ioctl(back.fd, DMA_BUF_IOCTL_SYNC, &s), "and gives it back");
		close(back.fd);
	}
	close_gem.handle = h.handle;
	must(!ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &close_gem));
	for (uint32_t i = 0; i < 200 && chip_query(ctx, 0).hbm_used != was; i++)
		usleep(10000);
	tap_ok(chip_query(ctx, 0).hbm_used == was, "and then no more");

	m = mem_alloc(ctx, 0, BYTES);
	fd = export_of(&m, 0, BYTES, 0);
	h = (struct drm_prime_handle){ .fd = fd };
	tap_result(call(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &h), -EACCES,
		   "what is to be read alone is mapped for no device that might write");
	close(fd);
	munmap(m.ptr, m.bytes);
	must(!mem_free(ctx, 0, m.addr));
	close(vgem);
}

static int map_as(int fd, int prot, int flags, uint64_t bytes, off_t offset)
{
	void *p = mmap(NULL, bytes, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

static void test_mappings(void)
{
	struct mem m = mem_alloc(ctx, 0, 200 * PAGE);
	int rw = export_of(&m, PAGE, 100 * PAGE, VN_EXPORT_WRITE), ro = export_of(&m, 0, PAGE, 0);
	uint32_t wrong = 0;
	uint8_t *p;

	tap_result(map_as(rw, PROT_READ | PROT_WRITE, MAP_SHARED, 100 * PAGE, 0), 0, "mapped");
	tap_result(map_as(rw, PROT_READ, MAP_PRIVATE, PAGE, 0), 0, "mapped to be read, private");
	tap_result(map_as(rw, PROT_READ | PROT_WRITE, MAP_PRIVATE, PAGE, 0), -EINVAL,
		   "no private copy of it");
	tap_result(map_as(rw, PROT_READ | PROT_EXEC, MAP_SHARED, PAGE, 0), -EACCES,
		   "nothing to run");
	tap_result(map_as(rw, PROT_READ, MAP_SHARED, 101 * PAGE, 0), -EINVAL,
		   "not more than it is");
	tap_result(map_as(rw, PROT_READ, MAP_SHARED, PAGE, 100 * PAGE), -EINVAL, "nor behind it");
	tap_result(map_as(ro, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE, 0), -EACCES,
		   "not to be written if it is for reading alone");
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	must(p != MAP_FAILED);
	tap_ok(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES,
	       "nor made so afterwards");
	munmap(p, PAGE);
	p = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 90 * PAGE);
	must(p != MAP_FAILED);
	for (uint32_t i = 0; i < 200; i++)
		memset(m.ptr + i * PAGE, i, PAGE);
	for (uint32_t i = 0; i < 10; i++)
		wrong += p[i * PAGE] != 91 + i || p[i * PAGE + PAGE - 1] != 91 + i;
	memset(p, 0xab, 10 * PAGE);
	for (uint32_t i = 0; i < 200; i++)
		wrong += m.ptr[i * PAGE + 7] != (i >= 91 && i < 101 ? 0xab : i);
	tap_ok(!wrong, "any part of it is that part (%u wrong)", wrong);
	tap_ok(mremap(p, 10 * PAGE, 20 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	       "which does not grow");
	close(rw);
	close(ro);
	tap_ok(!touch(p, true), "the fd may be closed");
	munmap(p, 10 * PAGE);
	munmap(m.ptr, m.bytes);
	must(!mem_free(ctx, 0, m.addr));
}

int main(void)
{
	struct vn_chip_query was, is;

	ctx = open_on(0);
	was = chip_query(ctx, 0);
	test_mappings();
	test_udmabuf();
	test_heap();
	test_vgem();
	for (uint32_t i = 0; i < 200 && chip_query(ctx, 0).hbm_used != was.hbm_used; i++)
		usleep(10000);
	is = chip_query(ctx, 0);
	tap_ok(is.hbm_used == was.hbm_used && is.windows == was.windows, "nothing is left");
	close(ctx);
	return tap_done();
}
