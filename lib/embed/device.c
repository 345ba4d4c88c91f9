// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The embedded device itself: its shape, runners, threads and events. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <numa.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../coll/fence.h"
#include "../home.h"
#include "embed.h"

/*
 * 32 KiB of each of 288 operands: shorter runs cost a many-source reduction a
 * third of its bandwidth. About a millisecond, which is what an invalidation
 * may have to wait for.
 */
#define CHUNK_BYTES (288u * (32u << 10))
#define CHUNK_MACS (4u << 20)

static int make_runners(struct embed_device *dev)
{
	u64 stream = vn_stream_bytes();

	dev->runners = aligned_alloc(64, (dev->nrunners * sizeof(*dev->runners) + 63) & ~63ul);
	if (!dev->runners)
		return -ENOMEM;
	memset(dev->runners, 0, dev->nrunners * sizeof(*dev->runners));
	for (u32 i = 0; i < dev->nrunners; i++) {
		struct vn_runner *r = &dev->runners[i].r;

		r->scratch = aligned_alloc(64, VN_SCRATCH_BYTES);
		if (!r->scratch)
			return -ENOMEM;
		r->ops = dev->avx2 ? &vn_ops_avx2 : &vn_ops_scalar;
		r->chunk_bytes = CHUNK_BYTES;
		r->chunk_macs = CHUNK_MACS;
		r->stream_bytes = stream;
	}
	return 0;
}

static void device_free(struct embed_device *dev)
{
	for (u32 i = 0; dev->runners && i < dev->nrunners; i++)
		free(dev->runners[i].r.scratch);
	free(dev->runners);
	pthread_mutex_destroy(&dev->objects);
	pthread_mutex_destroy(&dev->sched_lock);
	pthread_cond_destroy(&dev->sched_cond);
	pthread_cond_destroy(&dev->left_cond);
	pthread_cond_destroy(&dev->unfenced);
	pthread_mutex_destroy(&dev->sleds_lock);
	free(dev);
}

int embed_device_new(const struct vn_spec *spec, struct embed_device **to)
{
	struct embed_device *dev = calloc(1, sizeof(*dev));
	pthread_condattr_t steady;
	u32 n = vn_cores();

	if (!dev)
		return vn_fail(-ENOMEM, "no memory for an embedded device");
	/* Gates fence. */
	coll_fence_init();
	pthread_mutex_init(&dev->objects, NULL);
	vn_lock_init(&dev->sched_lock);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&dev->sched_cond, &steady);
	pthread_condattr_destroy(&steady);
	pthread_cond_init(&dev->left_cond, NULL);
	vn_switch_init(&dev->sw, spec->sleds, spec->chips, spec->spares);
	pthread_cond_init(&dev->unfenced, NULL);
	pthread_mutex_init(&dev->sleds_lock, NULL);
	dev->faults.health = &dev->health;
	dev->hbm = spec->hbm;
	dev->avx2 = !spec->scalar && __builtin_cpu_supports("avx2");
	dev->nodes = numa_available() < 0 ? 1 : numa_max_node() + 1;
	dev->nthreads = spec->threads >= 0 ? (u32)spec->threads : n > 1 ? n - 1 : 1;
	if (dev->nthreads > VN_RUNNERS_MAX - 1)
		dev->nthreads = VN_RUNNERS_MAX - 1;
	if (sched_getaffinity(0, sizeof(dev->cpus), &dev->cpus))
		CPU_SET(0, &dev->cpus);
	dev->nrunners = n < 2 ? 2 : n > VN_RUNNERS_MAX ? VN_RUNNERS_MAX : n;
	dev->refs = 1;
	if (make_runners(dev)) {
		device_free(dev);
		return vn_fail(-ENOMEM, "no memory for %u runners of an embedded device",
			       dev->nrunners);
	}
	*to = dev;
	return 0;
}

void embed_device_put(struct embed_device *dev)
{
	u32 left;

	pthread_mutex_lock(&dev->objects);
	left = --dev->refs;
	pthread_mutex_unlock(&dev->objects);
	if (left)
		return;
	pthread_mutex_lock(&dev->sched_lock);
	dev->stop = true;
	pthread_cond_broadcast(&dev->sched_cond);
	pthread_mutex_unlock(&dev->sched_lock);
	for (u32 i = 0; i < dev->started; i++)
		pthread_join(dev->thread[i], NULL);
	device_free(dev);
}

static struct embed_runner *try_runner(struct embed_device *dev)
{
	/* The one this thread had last is warm. */
	static _Thread_local u32 last;

	for (u32 n = 0; n < dev->nrunners; n++) {
		u32 i = (last + n) % dev->nrunners;

		if (!READ_ONCE(dev->runners[i].held) && !vn_xchg(&dev->runners[i].held, 1u)) {
			last = i;
			return &dev->runners[i];
		}
	}
	return NULL;
}

struct embed_runner *embed_runner_get(struct embed_device *dev)
{
	struct embed_runner *r = try_runner(dev);
	u32 seen;

	if (r)
		return r;
	vn_fetch_add(&dev->runner_waiters, 1u);
	for (;;) {
		seen = vn_load_acquire(&dev->events);
		r = try_runner(dev);
		if (r)
			break;
		embed_sleep(dev, seen, UINT64_MAX);
	}
	vn_fetch_add(&dev->runner_waiters, -1u);
	return r;
}

void embed_runner_put(struct embed_device *dev, struct embed_runner *r)
{
	vn_xchg(&r->held, 0u); /* full barrier: pairs with the count of waiters */
	if (READ_ONCE(dev->runner_waiters))
		embed_event(dev);
}

void embed_runners_wait(struct embed_device *dev)
{
	for (u32 i = 0; i < dev->nrunners; i++) {
		u32 mark = vn_runner_mark(&dev->runners[i].r);

		for (u32 n = 0; !vn_runner_passed(&dev->runners[i].r, mark); n++) {
			if (n < 100)
				vn_relax();
			else
				sched_yield();
		}
	}
}

void embed_runners_pass(struct embed_device *dev)
{
	embed_runners_wait(dev);
	embed_semaphores(dev);
}

void embed_event(struct embed_device *dev)
{
	vn_fetch_add(&dev->events, 1u);
	if (READ_ONCE(dev->sleepers))
		syscall(SYS_futex, &dev->events, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void embed_sleep(struct embed_device *dev, u32 seen, u64 deadline)
{
	struct timespec ts = {
		.tv_sec = deadline / 1000000000,
		.tv_nsec = deadline % 1000000000,
	};

	vn_fetch_add(&dev->sleepers, 1u);
	/* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time. */
	syscall(SYS_futex, &dev->events, FUTEX_WAIT_BITSET_PRIVATE, seen,
		deadline == UINT64_MAX ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);
	vn_fetch_add(&dev->sleepers, -1u);
}
