// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A window is imported while somebody who writes through it is kept out in the pause of a
 * drain: who only takes a key does not wait for that.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <vneuron/sled.h>

#include "lib/fixture.h"

#define BYTES (8ull << 20)
#define TRIES 30u
/* In one pause: more than can have come before the writer was at the fence. */
#define ENOUGH 5u

static vn_device_t dev, other; /* of the memory; of who imports a window on it */
static struct vn_import through;
static uint32_t key;

static uint32_t sled; /* being drained; atomic */
static uint64_t imports; /* in one pause, at most; atomic */
static bool stop; /* atomic */

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static bool in_pause(void)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(dev, __atomic_load_n(&sled, __ATOMIC_RELAXED), &q));
	return q.state == VN_SLED_STOPCOPY;
}

static void *write_on(void *arg)
{
	volatile uint64_t *word = through.ptr;

	(void)arg;
	while (!stopped()) {
		++*word;
		sched_yield();
	}
	return NULL;
}

/* Without mapping it: that waits for who waits in a page fault of this process. */
static void import_once(void)
{
	struct vn_window_import a = {
		.size = sizeof(a), .chip = 0, .key = key, .access = VN_ACCESS_REMOTE_READ
	};
	struct vn_window_release r = { .size = sizeof(r) };

	NEED(ioctl(vn_device_fd(other), VN_IOCTL_WINDOW_IMPORT, &a));
	r.mmap_offset = a.mmap_offset;
	NEED(ioctl(vn_device_fd(other), VN_IOCTL_WINDOW_RELEASE, &r));
}

static void *import_on(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	while (!stopped()) {
		if (!in_pause()) {
			n = 0;
			sched_yield();
			continue;
		}
		/* The writer comes to the fence. */
		sleep_ms(2);
		import_once();
		if (in_pause() && ++n > imports)
			__atomic_store_n(&imports, n, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* So that there is something to copy in the pause. */
static int write_it_all(void *arg, const struct vn_drain_report *r)
{
	const struct vn_mem *mem = arg;

	if (r->last.state == VN_SLED_PRECOPY && r->last.rounds == 1)
		memset(mem->ptr, (int)rnd(), mem->bytes);
	return 0;
}

int main(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_drain_report r = { .took_ns = 0 };
	pthread_t writer, importer;
	uint32_t drains = 0;
	struct vn_mem mem;
	int domain;

	dev = device();
	NEED(vn_reopen(dev, &other));
	mem = take(dev, 0, BYTES);
	NEED(vn_window_create(dev, &mem, 0, BYTES, FULL_ACCESS, &key));
	domain = vn_domain_export(dev);
	NEED(domain);
	NEED(vn_domain_join(other, domain));
	close(domain);
	NEED(vn_window_map(other, 0, key, VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE,
			   &through));
	c.budget_ns = VN_BUDGET_MAX;
	c.progress = write_it_all;
	c.arg = &mem;
	sled = sled_of(0);
	pthread_create(&writer, NULL, write_on, NULL);
	pthread_create(&importer, NULL, import_on, NULL);
	/* It may not get a CPU in the first ones. */
	while (drains++ < TRIES && __atomic_load_n(&imports, __ATOMIC_RELAXED) < ENOUGH) {
		__atomic_store_n(&sled, sled_of(0), __ATOMIC_RELAXED);
		NEED(vn_sled_drain(dev, sled, &c, &r));
		NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	pthread_join(importer, NULL);
	tap_ok(imports >= ENOUGH, "%u drains, the last pause %llu us: %llu imports in one",
	       drains - 1, (unsigned long long)r.last.pause_ns / 1000, (unsigned long long)imports);
	NEED(vn_window_unmap(other, &through));
	vn_close(other);
	vn_close(dev);
	return tap_done();
}
