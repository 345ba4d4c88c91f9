// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who has nothing on a sled is not kept waiting by its drain, also not in the pause: what
 * such a context writes, by descriptors and by the CPU, is written while writers of the
 * sled are kept out; and such contexts, and memory of theirs, come and go.
 */
#include <pthread.h>
#include <sched.h>

#include <vneuron/sled.h>

#include "fixture.h"

#define MOVED_BYTES (32ull << 20)
#define TRIES 100u

static vn_device_t dev, other;
static struct vn_mem moved, own;

/* Writes, and contexts with memory, seen to begin and end in a pause. */
static struct bystander {
	pthread_t thread;
	uint32_t sled; /* atomic */
	uint64_t by_cpu, by_desc, contexts; /* atomic */
	bool stop; /* atomic */
	int err;
} bystander;

static bool in_pause(void)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(other, __atomic_load_n(&bystander.sled, __ATOMIC_RELAXED), &q));
	return q.state == VN_SLED_STOPCOPY;
}

/* A context that takes memory, and gives some of it back before it ends. */
static void come_and_go(void)
{
	vn_device_t guest;
	struct vn_mem m;

	NEED(vn_reopen(other, &guest));
	m = take(guest, own.chip, 4096);
	take(guest, own.chip, 4096);
	vn_mem_begin(guest, m.ptr, 8);
	*(uint64_t *)m.ptr = 1;
	vn_mem_end(guest);
	NEED(vn_mem_free(guest, &m));
	vn_close(guest);
}

static void *stand_by(void *arg)
{
	vn_queue_t q = queue(other, own.chip, 8);
	uint64_t *word = own.ptr;

	(void)arg;
	while (!__atomic_load_n(&bystander.stop, __ATOMIC_RELAXED) && !bystander.err) {
		if (!in_pause()) {
			sched_yield();
			continue;
		}
		vn_mem_begin(other, word, 8);
		++*word;
		vn_mem_end(other);
		if (in_pause())
			__atomic_add_fetch(&bystander.by_cpu, 1, __ATOMIC_RELAXED);
		bystander.err = run_fill(q, vn_at(&own, 64), 8, *word, 8);
		if (in_pause())
			__atomic_add_fetch(&bystander.by_desc, 1, __ATOMIC_RELAXED);
		come_and_go();
		if (in_pause())
			__atomic_add_fetch(&bystander.contexts, 1, __ATOMIC_RELAXED);
	}
	vn_queue_destroy(q);
	return NULL;
}

/* So that there is something to copy in the pause. */
static int write_it_all(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state != VN_SLED_PRECOPY || r->last.rounds != 1)
		return 0;
	vn_mem_begin(dev, moved.ptr, moved.bytes);
	memset(moved.ptr, (int)rnd(), moved.bytes);
	vn_mem_end(dev);
	return 0;
}

static bool seen_all(void)
{
	return __atomic_load_n(&bystander.by_cpu, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&bystander.by_desc, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&bystander.contexts, __ATOMIC_RELAXED);
}

static uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static void test_pause(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t drains = 0, sled;
	struct vn_drain_report r;
	struct vn_query q;

	c.budget_ns = VN_BUDGET_MAX;
	c.progress = write_it_all;
	bystander.sled = sled_of(0);
	pthread_create(&bystander.thread, NULL, stand_by, NULL);
	/* It may not get a CPU in the first ones. */
	while (drains++ < TRIES && !seen_all()) {
		sled = sled_of(0);
		__atomic_store_n(&bystander.sled, sled, __ATOMIC_RELAXED);
		NEED(vn_sled_drain(dev, sled, &c, &r));
		NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	}
	__atomic_store_n(&bystander.stop, true, __ATOMIC_RELAXED);
	pthread_join(bystander.thread, NULL);
	tap_diag("%u drains, the last pause %llu us", drains - 1,
		 (unsigned long long)r.last.pause_ns / 1000);
	tap_ok(bystander.by_cpu && bystander.by_desc && !bystander.err,
	       "in a pause others write: %llu times by the CPU, %llu by descriptors",
	       (unsigned long long)bystander.by_cpu, (unsigned long long)bystander.by_desc);
	tap_ok(bystander.contexts, "contexts and memory come and go: %llu times",
	       (unsigned long long)bystander.contexts);
	NEED(vn_device_query(other, &q));
	tap_ok(!q.fence_waits, "they never met a fence");
}

int main(void)
{
	struct vn_query q;

	/* One with a spare. */
	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	NEED(vn_reopen(dev, &other));
	NEED(vn_device_query(dev, &q));
	moved = take(dev, 0, MOVED_BYTES);
	own = take(other, 2 * q.chips_per_sled, 4096);
	test_pause();
	vn_close(other);
	vn_close(dev);
	return tap_done();
}
