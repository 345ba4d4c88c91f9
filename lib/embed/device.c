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
	const struct vn_ops *ops = vn_host_ops(dev->avx2);
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
		r->ops = ops;
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
	pthread_mutex_destroy(&dev->events_lock);
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
	pthread_mutex_init(&dev->events_lock, NULL);
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

void embed_device_get(struct embed_device *dev)
{
	pthread_mutex_lock(&dev->objects);
	dev->refs++;
	pthread_mutex_unlock(&dev->objects);
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
	/* What was changed before is seen by who is not seen inside. */
	vn_mb();
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

/* ---- what others see ------------------------------------------------------------ */

s32 embed_device_node(const struct embed_device *dev, u32 sled)
{
	return dev->nodes > 1 ? (s32)(sled * dev->nodes / vn_switch_sleds(&dev->sw)) : -1;
}

int embed_device_query(struct embed_device *dev, struct vn_query *a)
{
	const struct vn_switch *sw = &dev->sw;

	*a = (struct vn_query){
		.size = a->size,
		.abi = VN_ABI_VERSION,
		.sleds = sw->sleds,
		.chips_per_sled = sw->chips_per_sled,
		.chips = sw->chips,
		.racks = sw->racks,
		.epoch = READ_ONCE(sw->epoch),
		.hbm_bytes = dev->hbm,
		.tick_hz = 1000000000,
		.page_size = 4096,
		.spares = sw->spares,
		.features = VN_FEATURE_EVENTFD | VN_FEATURE_IMPORT | VN_FEATURE_PLAN |
			    VN_FEATURE_STATUS | VN_FEATURE_WINDOW_KINDS | VN_FEATURE_EXPORT |
			    (dev->avx2 ? VN_FEATURE_AVX2 : 0),
	};
	return 0;
}

int embed_chip_query(struct embed_device *dev, struct vn_chip_query *a)
{
	const struct vn_switch *sw = &dev->sw;

	pthread_mutex_lock(&dev->objects);
	a->slot = sw->slot_of[a->chip];
	a->sled = vn_switch_sled(sw, a->slot);
	a->rack = vn_switch_rack(sw, a->sled);
	a->numa_node = embed_device_node(dev, a->sled);
	a->epoch = sw->epoch;
	a->hbm_bytes = dev->hbm;
	a->hbm_used = dev->hbm_used[a->chip];
	a->queues = dev->queues[a->chip];
	a->windows = dev->windows[a->chip];
	pthread_mutex_unlock(&dev->objects);
	return 0;
}

int embed_device_ports(struct embed_device *dev, struct vn_port *ports, unsigned int max)
{
	u32 n = 0;

	for (u32 slot = 0; slot < dev->sw.slots; slot++) {
		for (u32 plane = 0; plane < VN_PLANES; plane++, n++) {
			struct vn_port p = { .slot = slot, .plane = plane };

			for (u32 i = 0; i < dev->nrunners; i++) {
				const struct vn_traffic *t = &dev->runners[i].r.traffic;

				p.tx_bytes += READ_ONCE(t->tx[slot][plane]);
				p.rx_bytes += READ_ONCE(t->rx[slot][plane]);
				p.local_bytes += plane ? 0 : READ_ONCE(t->local[slot]);
			}
			if (n < max)
				ports[n] = p;
		}
	}
	return (int)n;
}
