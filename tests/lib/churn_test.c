// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory comes and goes, on the chips that move and on others, while a sled is drained and
 * comes back, again and again: nobody is refused, every byte is what was written, and in the
 * end as much is taken as in the beginning. An allocation may go in the middle of being
 * copied, or cleared.
 */
#include <pthread.h>

#include <vneuron/sled.h>

#include "fixture.h"

#define THREADS 3u
#define KEEP 8u
#define MOST (1ull << 20)
#define BIG (12ull << 20)

static vn_device_t dev;
static bool stop;

static struct churn {
	pthread_t thread;
	uint32_t chip;
	uint64_t allocs, longest_ns, wrong;
	int err;
} churn[THREADS];

struct kept {
	struct vn_mem mem;
	uint64_t value;
};

static void put_mark(const struct kept *k, uint64_t at)
{
	uint64_t *p = (uint64_t *)((char *)k->mem.ptr + at);

	vn_mem_begin(dev, p, 8);
	*p = k->value + at;
	vn_mem_end(dev);
}

/* One that is there goes, another comes. */
static int replace(struct churn *c, struct kept *k)
{
	uint64_t began = now_ns(), took;
	int err = 0;

	if (k->mem.bytes) {
		for (uint64_t at = 0; at < k->mem.bytes; at += 4096)
			c->wrong += *(uint64_t *)((char *)k->mem.ptr + at) != k->value + at;
		err = vn_mem_free(dev, &k->mem);
	}
	*k = (struct kept){ .value = rnd() };
	err = err ?: vn_mem_alloc(dev, c->chip, 4096 + rnd() % MOST, &k->mem);
	took = now_ns() - began;
	c->longest_ns = took > c->longest_ns ? took : c->longest_ns;
	if (err)
		return err;
	for (uint64_t at = 0; at < k->mem.bytes; at += 4096)
		put_mark(k, at);
	__atomic_store_n(&c->allocs, c->allocs + 1, __ATOMIC_RELAXED);
	return 0;
}

static void *churn_on(void *arg)
{
	struct kept kept[KEEP] = { 0 };
	struct churn *c = arg;

	while (!c->err && !__atomic_load_n(&stop, __ATOMIC_RELAXED))
		__atomic_store_n(&c->err, replace(c, &kept[rnd() % KEEP]), __ATOMIC_RELAXED);
	if (c->err)
		tap_diag("chip %u: %s", c->chip, vn_error());
	for (uint32_t i = 0; i < KEEP; i++)
		if (kept[i].mem.bytes)
			c->err = vn_mem_free(dev, &kept[i].mem) ?: c->err;
	return NULL;
}

static uint32_t sled_of(uint32_t chip, uint64_t *used)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	if (used)
		*used = q.hbm_used;
	return q.sled;
}

/* A round of it, and some more come and go before the next. */
static int give_time(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state == VN_SLED_PRECOPY || r->last.state == VN_SLED_COMMITTED)
		sleep_ms(2);
	return 0;
}

static void test_churn(void)
{
	unsigned int rounds = quick() ? 4 : 24, n = 0;
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint64_t before[THREADS], after, wrong = 0, big = 0, differ = 0;
	uint32_t sled, per_sled;
	struct vn_query q;
	struct vn_mem m;
	int err = 0, bad = 0;

	NEED(vn_device_query(dev, &q));
	per_sled = q.chips_per_sled;
	m = take(dev, 0, BIG);
	memset(m.ptr, 0x5c, BIG);
	for (uint32_t i = 0; i < THREADS; i++) {
		/* Two on chips of the sled, the last elsewhere. */
		churn[i] = (struct churn){ .chip = i < 2 ? i % per_sled : per_sled };
		sled_of(churn[i].chip, &before[i]);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_create(&churn[i].thread, NULL, churn_on, &churn[i]);
	/* All are at it before anything moves. */
	for (uint32_t i = 0; i < THREADS; i++)
		while (!__atomic_load_n(&churn[i].allocs, __ATOMIC_RELAXED) &&
		       !__atomic_load_n(&churn[i].err, __ATOMIC_RELAXED))
			sleep_ms(1);
	c.budget_ns = 2000000000;
	c.progress = give_time;
	for (; n < rounds && !err; n++) {
		sled = sled_of(0, NULL);
		err = vn_sled_drain(dev, sled, &c, NULL) ?: vn_sled_undrain(dev, sled, NULL, NULL);
	}
	tap_ok(!err, "drained and back %u times while memory comes and goes: %s", n,
	       err ? vn_error() : "");
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(churn[i].thread, NULL);
		sled_of(churn[i].chip, &after);
		bad += churn[i].err != 0;
		wrong += churn[i].wrong;
		differ += after != before[i];
		tap_diag("chip %u: %llu allocations, the longest %llu us", churn[i].chip,
			 (unsigned long long)churn[i].allocs,
			 (unsigned long long)churn[i].longest_ns / 1000);
	}
	for (uint64_t i = 0; i < BIG; i++)
		big += ((unsigned char *)m.ptr)[i] != 0x5c;
	tap_ok(!bad, "nobody is refused");
	tap_ok(!wrong && !big, "every byte is what was written");
	tap_ok(!differ, "as much is taken as before");
	NEED(vn_mem_free(dev, &m));
}

int main(void)
{
	struct vn_query q;

	/* One with a spare. */
	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	NEED(vn_device_query(dev, &q));
	tap_ok(q.spares >= 1 && q.sleds >= 2, "%u sleds and %u spare", q.sleds, q.spares);
	test_churn();
	vn_close(dev);
	return tap_done();
}
