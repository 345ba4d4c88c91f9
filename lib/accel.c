// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* For programs that name no device: which one it is, its memory, and copies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "home.h"
#include "stream.h"

#define PAGE 4096u
/* Written at a time. */
#define PIECE (1u << 20)

static pthread_mutex_t device_lock = PTHREAD_MUTEX_INITIALIZER;
static vn_device_t device; /* never closed: other threads may be in it */

static _Thread_local uint32_t current; /* chip */

/* ---- devices ------------------------------------------------------------------- */

int vn_accel_use(vn_device_t dev)
{
	bool busy;

	if (!dev)
		return vn_fail(-EINVAL, "no device to use");
	pthread_mutex_lock(&device_lock);
	busy = device && device != dev;
	if (!busy)
		device = dev;
	pthread_mutex_unlock(&device_lock);
	return busy ? vn_fail(-EBUSY, "%s: another device is in use: %s", dev->spec, device->spec)
		    : 0;
}

int vn_accel_device(vn_device_t *dev)
{
	int err = 0;

	pthread_mutex_lock(&device_lock);
	if (!device)
		err = vn_open(NULL, &device);
	*dev = device;
	pthread_mutex_unlock(&device_lock);
	return err;
}

int vn_accel_current(vn_device_t *dev, uint32_t *chip)
{
	*chip = current;
	return vn_accel_device(dev);
}

int vn_get_device_count(int *count)
{
	vn_device_t dev;
	int err = vn_accel_device(&dev);

	if (!err)
		*count = (int)dev->query.chips;
	return err;
}

int vn_set_device(int chip)
{
	vn_device_t dev;
	int err = vn_accel_device(&dev);

	if (!err && (chip < 0 || (uint32_t)chip >= dev->query.chips))
		err = vn_fail(-ENODEV, "device %d: there are 0 to %u", chip, dev->query.chips - 1);
	err = err ?: vn_set_chip(dev, (uint32_t)chip);
	if (!err)
		current = (uint32_t)chip;
	return err;
}

int vn_get_device(int *chip)
{
	*chip = (int)current;
	return 0;
}

int vn_device_synchronize(void)
{
	vn_device_t dev;
	uint32_t chip;
	int err = vn_accel_current(&dev, &chip);

	return err ?: vn_streams_sync(dev, chip, true);
}

const char *vn_error_string(int error)
{
	return error ? strerrordesc_np(error < 0 ? -error : error) ?: "unknown error" : "no error";
}

/* ---- memory ---------------------------------------------------------------------- */

int vn_malloc(void **ptr, size_t bytes)
{
	struct vn_mem mem;
	vn_device_t dev;
	uint32_t chip;
	int err;

	if (!ptr)
		return vn_fail(-EINVAL, "malloc: no place for the pointer");
	*ptr = NULL;
	if (!bytes)
		return 0;
	err = vn_accel_current(&dev, &chip) ?: vn_mem_alloc(dev, chip, bytes, &mem);
	if (!err)
		*ptr = mem.ptr;
	return err;
}

int vn_free(void *ptr)
{
	struct vn_mem mem;
	vn_device_t dev;
	int err;

	if (!ptr)
		return 0;
	err = vn_accel_device(&dev);
	if (err)
		return err;
	if (!vn_mem_find(dev, ptr, 1, &mem, NULL) || mem.ptr != ptr)
		return vn_fail(-EINVAL, "free: no allocation of HBM begins at %p", ptr);
	/* What failed there no longer uses it. */
	vn_streams_sync(dev, mem.chip, true);
	return vn_mem_free(dev, &mem);
}

int vn_malloc_host(void **ptr, size_t bytes)
{
	size_t whole = (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);

	if (!ptr)
		return vn_fail(-EINVAL, "malloc_host: no place for the pointer");
	*ptr = bytes && whole ? aligned_alloc(PAGE, whole) : NULL;
	if (bytes && !*ptr)
		return vn_fail(-ENOMEM, "malloc_host: no memory for %zu bytes", bytes);
	if (bytes)
		memset(*ptr, 0, whole);
	return 0;
}

int vn_free_host(void *ptr)
{
	free(ptr);
	return 0;
}

int vn_mem_get_info(size_t *free_bytes, size_t *total_bytes)
{
	struct vn_chip_query q;
	vn_device_t dev;
	uint32_t chip;
	int err = vn_accel_current(&dev, &chip) ?: vn_chip_query(dev, chip, &q);

	if (err)
		return err;
	*free_bytes = q.hbm_bytes - q.hbm_used;
	*total_bytes = q.hbm_bytes;
	return 0;
}

/* ---- copies ---------------------------------------------------------------------- */

static int blocking_sync(void)
{
	vn_device_t dev;
	uint32_t chip;
	int err = vn_accel_current(&dev, &chip);

	return err ?: vn_streams_sync(dev, chip, false);
}

static int check_copy(const void *dst, const void *src, size_t bytes, enum vn_memcpy_kind kind)
{
	if ((unsigned int)kind > VN_MEMCPY_DEFAULT)
		return vn_fail(-EINVAL, "memcpy: no kind %d", (int)kind);
	if (bytes && (!dst || !src))
		return vn_fail(-EINVAL, "memcpy: no %s", dst ? "source" : "destination");
	return 0;
}

/* It may be HBM that is about to move: that waits for a piece. Without src: set to value. */
static void put(char *dst, const char *src, int value, size_t bytes)
{
	size_t n;

	for (; bytes; bytes -= n, dst += n) {
		n = bytes < PIECE ? bytes : PIECE;
		if (device)
			vn_mem_begin(device, dst, n);
		if (src)
			memcpy(dst, src, n);
		else
			memset(dst, value, n);
		if (device)
			vn_mem_end(device);
		src = src ? src + n : NULL;
	}
}

/* Is one of them in HBM that is lost? Then nothing was copied that is worth anything. */
static int still_there(const void *dst, const void *src, const char *what)
{
	struct vn_mem mem;

	for (int i = 0; device && i < 2; i++) {
		const void *p = i ? src : dst;

		if (p && vn_mem_lost(device, p) && vn_mem_find(device, p, 1, &mem, NULL))
			return vn_fail(-EHOSTDOWN, "%s: %p is on chip %u, which was lost", what, p,
				       mem.chip);
	}
	return 0;
}

static int copy(void *dst, const void *src, size_t bytes)
{
	put(dst, src, 0, bytes);
	return still_there(dst, src, "memcpy");
}

static int set(void *ptr, int value, size_t bytes)
{
	put(ptr, NULL, value, bytes);
	return still_there(ptr, NULL, "memset");
}

int vn_memcpy(void *dst, const void *src, size_t bytes, enum vn_memcpy_kind kind)
{
	int err = check_copy(dst, src, bytes, kind) ?: blocking_sync();

	return err || !bytes ? err : copy(dst, src, bytes);
}

int vn_memcpy_async(void *dst, const void *src, size_t bytes, enum vn_memcpy_kind kind,
		    vn_stream_t stream)
{
	int err = check_copy(dst, src, bytes, kind) ?: vn_stream_synchronize(stream);

	return err || !bytes ? err : copy(dst, src, bytes);
}

static int check_set(const void *ptr, size_t bytes)
{
	return bytes && !ptr ? vn_fail(-EINVAL, "memset: no memory") : 0;
}

int vn_memset(void *ptr, int value, size_t bytes)
{
	int err = check_set(ptr, bytes) ?: blocking_sync();

	return err || !bytes ? err : set(ptr, value, bytes);
}

int vn_memset_async(void *ptr, int value, size_t bytes, vn_stream_t stream)
{
	int err = check_set(ptr, bytes) ?: vn_stream_synchronize(stream);

	return err || !bytes ? err : set(ptr, value, bytes);
}
