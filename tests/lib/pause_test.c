// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who writes by the CPU where a sled is being drained: nothing of what he writes is lost,
 * whoever else reads beside it, and however long he is made to rest; which he is not while
 * whoever drains stands still, or once that has been called off. A pause for which there is
 * no time ends soon, however much there is to be fenced.
 */
#include <pthread.h>

#include <vneuron/sled.h>

#include "fixture.h"

#define PAGE 4096u
#define BYTES (16ull << 20)
#define PAGES (BYTES / PAGE)

static vn_device_t dev;
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

/* ---- readers beside a writer ------------------------------------------------------------ */

static struct vn_mem mem;
static uint64_t shadow[PAGES], lost;
static uint64_t at; /* being written; atomic */

static uint64_t *word(uint64_t page)
{
	return (uint64_t *)((char *)mem.ptr + page * PAGE);
}

/* A word of every page, again and again, as fast as it can; each is what it was left. */
static void *write_on(void *arg)
{
	(void)arg;
	for (uint64_t n = 1; !stopped();)
		for (uint64_t i = 0; i < PAGES && !stopped(); i++) {
			__atomic_store_n(&at, i, __ATOMIC_RELAXED);
			vn_mem_begin(dev, word(i), 8);
			lost += *word(i) != shadow[i];
			*word(i) = shadow[i] = n++;
			vn_mem_end(dev);
		}
	return NULL;
}

/* Reading a page maps it, and those beside it: that one which is being written, too. */
static void *read_on(void *arg)
{
	(void)arg;
	while (!stopped())
		__atomic_load_n(word(__atomic_load_n(&at, __ATOMIC_RELAXED) ^ 1) + 1,
				__ATOMIC_RELAXED);
	return NULL;
}

/* Writers get more time than it takes to copy: so they are made to rest. */
static int give_time(void *arg, const struct vn_drain_report *r)
{
	uint32_t *most = arg;

	if (r->last.state == VN_SLED_PRECOPY)
		sleep_ms(20);
	*most = r->last.slow_us > *most ? r->last.slow_us : *most;
	return 0;
}

static void test_readers(void)
{
	uint32_t drains = quick() ? 4 : 20, slow_us = 0, sled;
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint64_t rounds = 0;
	pthread_t writer, reader;
	struct vn_drain_report r;

	mem = take(dev, 0, BYTES);
	c.budget_ns = 8000000;
	c.progress = give_time;
	c.arg = &slow_us;
	for (uint32_t i = 0; i < drains; i++) {
		stop = false;
		pthread_create(&writer, NULL, write_on, NULL);
		pthread_create(&reader, NULL, read_on, NULL);
		sleep_ms(20);
		sled = sled_of(0);
		NEED(vn_sled_drain(dev, sled, &c, &r));
		NEED(vn_sled_undrain(dev, sled, NULL, NULL));
		rounds += r.last.rounds;
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		pthread_join(writer, NULL);
		pthread_join(reader, NULL);
		for (uint64_t k = 0; k < PAGES; k++)
			lost += *word(k) != shadow[k];
	}
	tap_ok(!lost, "%u drains of %llu rounds, rests of %u us at most: %llu words lost", drains,
	       (unsigned long long)rounds, slow_us, (unsigned long long)lost);
	NEED(vn_mem_free(dev, &mem));
}

/* ---- whoever drains stands still ---------------------------------------------------------- */

#define REST_US 3000u

static uint64_t writes; /* atomic */

/* Everywhere, so that there is a first write to most of it for long. */
static void *count_on(void *arg)
{
	(void)arg;
	while (!stopped())
		for (uint64_t i = 0; i < PAGES && !stopped(); i++) {
			vn_mem_begin(dev, word(i), 8);
			*word(i) = i;
			vn_mem_end(dev);
			__atomic_add_fetch(&writes, 1, __ATOMIC_RELAXED);
		}
	return NULL;
}

static uint64_t writes_in(unsigned int ms)
{
	uint64_t before = __atomic_load_n(&writes, __ATOMIC_RELAXED);

	sleep_ms(ms);
	return __atomic_load_n(&writes, __ATOMIC_RELAXED) - before;
}

static struct still {
	bool cancel; /* or just stand still */
	uint64_t slow, then;
	int err;
} still;

/* Until writers are slow: then it does not go on. */
static int stand_still(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state == VN_SLED_PRECOPY)
		sleep_ms(10);
	if (r->last.slow_us < REST_US || still.slow)
		return 0;
	still.slow = writes_in(300) + 1;
	if (still.cancel)
		still.err = vn_sled_cancel(dev, sled_of(0), r->operation);
	else
		sleep_ms(1500);
	still.then = writes_in(300);
	return -ECANCELED;
}

static void test_still(bool cancel)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	pthread_t writer;
	int err;

	mem = take(dev, 0, BYTES);
	still = (struct still){ .cancel = cancel };
	c.budget_ns = 1;
	c.progress = stand_still;
	stop = false;
	pthread_create(&writer, NULL, count_on, NULL);
	err = vn_sled_drain(dev, sled_of(0), &c, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	tap_ok(err == -ECANCELED && !still.err && still.then > 4 * still.slow,
	       "%s: %llu writes, then %llu in the same time",
	       cancel ? "called off" : "it stands still", (unsigned long long)still.slow,
	       (unsigned long long)still.then);
	NEED(vn_mem_free(dev, &mem));
}

/* ---- a pause for which there is no time ---------------------------------------------------- */

#define MANY 2000u

static struct vn_mem many[MANY];

/* The shortest that was given up. */
static int note_pause(void *arg, const struct vn_drain_report *r)
{
	uint64_t *least = arg, ns = r->last.pause_ns;

	if (r->last.state == VN_SLED_PRECOPY && ns && ns < *least)
		*least = ns;
	return 0;
}

static void test_no_time(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint64_t least = UINT64_MAX;
	uint32_t sled = sled_of(0);
	struct vn_drain_report r;
	int err;

	for (uint32_t i = 0; i < MANY; i++) {
		many[i] = take(dev, 0, PAGE);
		*(uint32_t *)many[i].ptr = i;
	}
	c.budget_ns = 1;
	c.deadline_ns = SECOND / 2;
	c.progress = note_pause;
	c.arg = &least;
	err = vn_sled_drain(dev, sled, &c, &r);
	c.budget_ns = VN_BUDGET_MAX;
	c.deadline_ns = 0;
	c.progress = NULL;
	NEED(vn_sled_drain(dev, sled, &c, &r));
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	/* Many were fenced, copied and flipped in the one, one or two fenced in the other. */
	tap_ok(err == -ETIMEDOUT && least < r.last.pause_ns / 4,
	       "of %u allocations: a pause of %llu us, and one without time of %llu us", MANY,
	       (unsigned long long)r.last.pause_ns / 1000, (unsigned long long)least / 1000);
	for (uint32_t i = 0; i < MANY; i++)
		NEED(vn_mem_free(dev, &many[i]));
}

int main(void)
{
	/* One with a spare. */
	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	test_readers();
	test_still(false);
	test_still(true);
	if (in_kernel(dev))
		test_no_time();
	vn_close(dev);
	return tap_done();
}
