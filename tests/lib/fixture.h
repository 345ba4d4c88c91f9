/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the library's tests share. They use the public interface only, so the
 * same programs run on both homes: the device is $VNEURON_DEVICE, or embedded.
 * VN_QUICK=1 makes them small, for emulated machines and sanitizers.
 */
#ifndef VN_TEST_FIXTURE_H
#define VN_TEST_FIXTURE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vneuron.h>

#include "../tap.h"

#define UNUSED __attribute__((unused))
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AT(field) ((uint32_t)offsetof(struct vn_desc, field))
#define SECOND 1000000000ull
/* Long enough for the slowest machine; only a lost wake-up gets there. */
#define LONG (120 * SECOND)

#define FULL_ACCESS                                                                                \
	(VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE |                  \
	 VN_ACCESS_REMOTE_ATOMIC)

static UNUSED bool quick(void)
{
	const char *q = getenv("VN_QUICK");

	return q && *q && *q != '0';
}

/* VN_COLL_FULL=1: every case, however long it takes. */
static UNUSED bool full(void)
{
	const char *f = getenv("VN_COLL_FULL");

	return f && *f && *f != '0';
}

static UNUSED const char *device_spec(void)
{
	const char *s = getenv("VNEURON_DEVICE");

	return s && *s ? s : "embedded";
}

/* What a test can't go on without. */
#define NEED(call)                                                                                 \
	do {                                                                                       \
		int need_err = (int)(call);                                                        \
		if (need_err < 0) {                                                                \
			tap_ok(0, "%s: %d (%s)", #call, need_err, vn_error());                     \
			exit(tap_done());                                                          \
		}                                                                                  \
	} while (0)

static UNUSED vn_device_t device(void)
{
	vn_device_t dev = NULL;

	NEED(vn_open(device_spec(), &dev));
	return dev;
}

static UNUSED bool in_kernel(vn_device_t dev)
{
	return !strcmp(vn_device_home(dev), "kernel");
}

static UNUSED struct vn_mem take(vn_device_t dev, uint32_t chip, uint64_t bytes)
{
	struct vn_mem m;

	NEED(vn_mem_alloc(dev, chip, bytes, &m));
	return m;
}

static UNUSED vn_queue_t queue(vn_device_t dev, uint32_t chip, uint32_t depth)
{
	vn_queue_t q = NULL;

	NEED(vn_queue_create(dev, chip, depth, -1, &q));
	return q;
}

static UNUSED uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static UNUSED void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* Pseudo-random, the same on every run. */
static UNUSED uint64_t rnd(void)
{
	static __thread uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static UNUSED void scramble(void *p, uint64_t bytes)
{
	uint8_t *b = p;

	for (; bytes >= 8; bytes -= 8, b += 8) {
		uint64_t x = rnd();

		memcpy(b, &x, 8);
	}
	while (bytes--)
		*b++ = (uint8_t)rnd();
}

/* Submits one descriptor and waits for it: its status, or -errno. Resets the queue on failure. */
static UNUSED int run(vn_queue_t q, const struct vn_desc *d, struct vn_cqe *cqe)
{
	struct vn_desc *slot = vn_next(q);
	struct vn_cqe own;
	int err;

	if (!slot)
		return -EAGAIN;
	cqe = cqe ? cqe : &own;
	*slot = *d;
	err = vn_wait(q, 1, LONG);
	if (vn_reap(q, cqe, 1) != 1)
		return err ? err : -ENODATA;
	if (cqe->status)
		vn_queue_reset(q);
	return (int)cqe->status;
}

static UNUSED int run_copy(vn_queue_t q, struct vn_operand dst, struct vn_operand src,
			   uint64_t bytes)
{
	struct vn_desc d = { 0 };

	vn_prep_copy(&d, dst, src, bytes);
	return run(q, &d, NULL);
}

static UNUSED int run_fill(vn_queue_t q, struct vn_operand dst, uint64_t bytes, uint64_t pattern,
			   uint32_t width)
{
	struct vn_desc d = { 0 };

	vn_prep_fill(&d, dst, bytes, pattern, width);
	return run(q, &d, NULL);
}

#endif
