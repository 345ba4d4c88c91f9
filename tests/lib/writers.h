/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that go on while a sled is drained: two threads on each of chips 0 to 2 of the
 * test's own dev, one with the CPU, one with descriptors, and a shadow of all they write.
 */
#ifndef VN_TEST_WRITERS_H
#define VN_TEST_WRITERS_H

#include <pthread.h>
#include <sched.h>

#include "fixture.h"

#define WORDS 65536u
#define BYTES (WORDS * 8ull)

static struct writer {
	pthread_t thread;
	vn_device_t dev;
	uint32_t chip;
	bool by_cpu;
	struct vn_mem mem;
	uint64_t shadow[WORDS];
	uint64_t writes, longest_ns;
	unsigned int wrong;
} writer[6];

static bool stop;

/* Single words all over, and now and then a stretch. */
static void write_by_cpu(struct writer *w, uint64_t at, uint64_t n, uint64_t value)
{
	uint64_t *p = w->mem.ptr;

	vn_mem_begin(w->dev, p + at, n * 8);
	for (uint64_t i = at; i < at + n; i++) {
		/* Now and then it takes its time, in the middle of it. */
		if (i == at + n / 2 && !(value % 16))
			sched_yield();
		p[i] = value;
	}
	vn_mem_end(w->dev);
}

static void write_by_desc(struct writer *w, vn_queue_t q, uint64_t at, uint64_t n, uint64_t value)
{
	const struct vn_desc d = {
		.opcode = VN_OP_FILL,
		.fill = { .dst = { VN_HERE, (uint16_t)w->chip, 0, w->mem.addr + at * 8 },
			  .bytes = n * 8,
			  .pattern = value,
			  .width = 8 },
	};
	*vn_next(q) = d;
	w->wrong += vn_complete(q, LONG) != 0;
}

static void *write_on(void *arg)
{
	struct writer *w = arg;
	vn_queue_t q = w->by_cpu ? NULL : queue(w->dev, w->chip, 8);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint64_t at = rnd() % WORDS, n = rnd() % 16 ? 1 : 1 + rnd() % 2000, value = rnd();
		uint64_t began = now_ns(), took;

		n = n < WORDS - at ? n : WORDS - at;
		if (w->by_cpu)
			write_by_cpu(w, at, n, value);
		else
			write_by_desc(w, q, at, n, value);
		took = now_ns() - began;
		w->longest_ns = took > w->longest_ns ? took : w->longest_ns;
		for (uint64_t i = at; i < at + n; i++)
			w->shadow[i] = value;
		__atomic_store_n(&w->writes, w->writes + 1, __ATOMIC_RELAXED);
	}
	if (q)
		vn_queue_destroy(q);
	return NULL;
}

/* On both chips of the sled, and one that is elsewhere: that one of another context. */
static void writers_begin_with(vn_device_t elsewhere, uint32_t there)
{
	stop = false;
	for (uint32_t i = 0; i < COUNT(writer); i++) {
		struct writer *w = &writer[i];

		*w = (struct writer){ .dev = dev, .chip = i / 2, .by_cpu = i % 2 };
		if (i >= 4) {
			w->dev = elsewhere;
			w->chip = there;
		}
		w->mem = take(w->dev, w->chip, BYTES);
		pthread_create(&w->thread, NULL, write_on, w);
	}
}

static UNUSED void writers_begin(void)
{
	writers_begin_with(dev, 2);
}

static void writers_go_on(uint64_t more)
{
	for (uint32_t i = 0; i < COUNT(writer); i++) {
		uint64_t want = __atomic_load_n(&writer[i].writes, __ATOMIC_RELAXED) + more;

		while (__atomic_load_n(&writer[i].writes, __ATOMIC_RELAXED) < want)
			sleep_ms(1);
	}
}

static unsigned int writers_end(void)
{
	unsigned int wrong = 0;

	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < COUNT(writer); i++) {
		struct writer *w = &writer[i];
		uint64_t *p = w->mem.ptr;

		pthread_join(w->thread, NULL);
		for (uint32_t k = 0; k < WORDS; k++)
			wrong += p[k] != w->shadow[k];
		wrong += w->wrong;
		tap_diag("chip %u by %s: %llu writes, the longest %llu us, %u wrong", w->chip,
			 w->by_cpu ? "CPU" : "descriptors", (unsigned long long)w->writes,
			 (unsigned long long)w->longest_ns / 1000, w->wrong);
		NEED(vn_mem_free(w->dev, &w->mem));
	}
	return wrong;
}

#endif
