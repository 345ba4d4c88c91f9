// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A thread that writes to HBM while it holds other HBM is waited for by who fences, and
 * does not wait: what it writes then, to memory that is fenced already, is not lost.
 */
#include <pthread.h>

#include <vneuron/sled.h>

#include "fixture.h"

#define BYTES (256u << 10)

static vn_device_t dev;
static struct vn_mem moves, stays;
static bool held, fenced;

static uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static uint32_t state(uint32_t sled)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(dev, sled, &q));
	return q.state;
}

static void *hold_and_write(void *arg)
{
	uint32_t sled = *(uint32_t *)arg;
	uint64_t end = now_ns() + 20 * SECOND;

	vn_mem_begin(dev, stays.ptr, 8);
	__atomic_store_n(&held, true, __ATOMIC_RELEASE);
	while (state(sled) != VN_SLED_FENCED && now_ns() < end)
		usleep(100);
	fenced = state(sled) == VN_SLED_FENCED;
	vn_mem_begin(dev, moves.ptr, BYTES);
	memset(moves.ptr, 0x77, BYTES);
	vn_mem_end(dev);
	vn_mem_end(dev);
	return NULL;
}

/* It is copied once; from then on the thread holds what it holds. */
static int after_round(void *arg, const struct vn_drain_report *r)
{
	static pthread_t thread;

	if (r->last.state == VN_SLED_PRECOPY && r->last.rounds == 1 && !held) {
		pthread_create(&thread, NULL, hold_and_write, arg);
		while (!__atomic_load_n(&held, __ATOMIC_ACQUIRE))
			usleep(100);
	}
	if (r->last.state == VN_SLED_COMMITTED)
		pthread_join(thread, NULL);
	return 0;
}

int main(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint64_t wrong = 0;
	uint32_t sled;
	int err;

	if (!getenv("VNEURON_DEVICE") || !strcmp(getenv("VNEURON_DEVICE"), "embedded"))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	if (in_kernel(dev)) {
		tap_skip("only where the CPU's writes are said: in the embedded home");
		return tap_done();
	}
	moves = take(dev, 0, BYTES);
	stays = take(dev, 4, 4096);
	memset(moves.ptr, 0x11, BYTES);
	sled = sled_of(0);
	c.budget_ns = 30 * SECOND;
	c.progress = after_round;
	c.arg = &sled;
	err = vn_sled_drain(dev, sled, &c, NULL);
	tap_ok(!err && fenced, "a thread writes there while it is fenced: %s",
	       err	? vn_error()
	       : fenced ? ""
			: "it was not");
	for (uint32_t i = 0; i < BYTES; i++)
		wrong += ((uint8_t *)moves.ptr)[i] != 0x77;
	tap_ok(!wrong, "and nothing of it is lost (%llu bytes are)", (unsigned long long)wrong);
	vn_close(dev);
	return tap_done();
}
