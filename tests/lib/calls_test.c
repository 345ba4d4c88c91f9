// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows how little a program needs to ask of the device: a collective over all
 * chips is one launch and at most one call; while somebody runs the queue, no
 * call at all; and when nothing is to be done, or all that is left waits for a
 * semaphore, nobody burns a processor.
 */
#include "fixture.h"

/*
 * What 100 ms of rest may cost: a thread that spins costs all of it, one that
 * sleeps some microseconds, and more where the guest's processors are shared.
 */
#define IDLE_NS (SECOND / 100)

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* CPU time of this process while it sleeps, all its threads. */
static uint64_t burnt_in(unsigned int ms)
{
	uint64_t before = cpu_ns();

	sleep_ms(ms);
	return cpu_ns() - before;
}

static void test_collective(vn_device_t dev)
{
	struct vn_mem mem[VN_MAX_CHIPS];
	struct vn_operand o[VN_MAX_CHIPS];
	uint16_t order[VN_MAX_CHIPS];
	unsigned int rounds = quick() ? 10 : 200, most = 0, wrong = 0;
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_query info;
	vn_builder_t b;
	vn_plan_t plan;
	uint64_t before;

	NEED(vn_device_query(dev, &info));
	for (uint32_t i = 0; i < info.chips; i++) {
		mem[i] = take(dev, i, 4096);
		o[i] = vn_at(&mem[i], 0);
		order[i] = (uint16_t)i;
	}
	NEED(vn_builder_create(dev, 0, &b));
	NEED(vn_build_all_reduce(b, order, info.chips, o, o, 256, VN_INT32, VN_SUM));
	before = vn_device_calls(dev);
	NEED(vn_builder_finish(b, &plan));
	tap_ok(vn_device_calls(dev) - before <= 2 + info.chips,
	       "a plan over %u chips is made with %llu calls", info.chips,
	       (unsigned long long)(vn_device_calls(dev) - before));
	vn_builder_destroy(b);
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int calls;

		before = vn_device_calls(dev);
		wrong += vn_launch(q, plan, 0, i) || vn_complete(q, LONG);
		calls = (unsigned int)(vn_device_calls(dev) - before);
		most = calls > most ? calls : most;
		if (i % 3 == 0)
			usleep(300);
	}
	tap_ok(!wrong && most <= 1, "launched %u times with at most %u call", rounds, most);

	/* Keep workers at it, then look for launches that needed no call. */
	uint64_t patience = now_ns() + LONG, none = 0, tried = 0;

	while (!none && !wrong && now_ns() < patience) {
		struct vn_cqe e;

		before = vn_device_calls(dev);
		wrong += vn_launch(q, plan, 0, 0) || vn_submit(q);
		while (!wrong && vn_reap(q, &e, 1) != 1 && now_ns() < patience)
			;
		none += vn_device_calls(dev) == before;
		tried++;
	}
	tap_ok(none && !wrong, "with none while a worker is awake (try %llu)",
	       (unsigned long long)tried);
	vn_plan_destroy(plan);
	for (uint32_t i = 0; i < info.chips; i++)
		vn_mem_free(dev, &mem[i]);
	vn_queue_destroy(q);
}

static void test_submit(vn_device_t dev)
{
	vn_queue_t q = queue(dev, 0, 1024);
	uint64_t before = vn_device_calls(dev), calls;
	struct vn_cqe e[64];
	unsigned int got = 0;

	for (unsigned int i = 0; i < 1000; i++)
		vn_next(q)->opcode = VN_OP_NOP;
	tap_ok(vn_device_calls(dev) == before, "writing descriptors makes no call");
	NEED(vn_wait(q, 1000, LONG));
	calls = vn_device_calls(dev) - before;
	tap_ok(calls <= 1, "1,000 of them are waited for with %llu", (unsigned long long)calls);
	for (int n; (n = vn_reap(q, e, COUNT(e))) > 0;)
		got += (unsigned int)n;
	tap_ok(got == 1000 && vn_device_calls(dev) - before == calls,
	       "reading completions makes none");
	vn_queue_destroy(q);
}

static void test_idle(vn_device_t dev)
{
	struct vn_mem m = take(dev, 0, 4096);
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_desc *d;
	vn_builder_t b;
	vn_plan_t plan;
	uint64_t burnt, start;
	int err;

	for (unsigned int i = 0; i < 100; i++) {
		vn_prep_fill(vn_next(q), vn_at(&m, 0), 4096, i, 4);
		vn_submit(q);
		NEED(vn_complete(q, LONG));
	}
	sleep_ms(10);
	burnt = burnt_in(100);
	tap_ok(burnt < IDLE_NS, "idle for 100 ms costs %llu us of processor",
	       (unsigned long long)burnt / 1000);

	memset(m.ptr, 0, 4096);
	d = vn_next(q);
	vn_prep_sem_wait(d, vn_at(&m, 0), ~0ull);
	vn_submit(q);
	sleep_ms(10);
	burnt = burnt_in(100);
	tap_ok(burnt < IDLE_NS, "a queue that waits for a semaphore, %llu us",
	       (unsigned long long)burnt / 1000);
	start = cpu_ns();
	err = vn_wait(q, 1, SECOND / 5);
	burnt = cpu_ns() - start;
	tap_ok(err == -ETIMEDOUT && burnt < SECOND / 20,
	       "a thread that waits for it 200 ms, %llu us (%d)", (unsigned long long)burnt / 1000,
	       err);
	vn_queue_reset(q);

	NEED(vn_builder_create(dev, 0, &b));
	vn_prep_sem_wait(vn_build(b, 0), vn_at(&m, 8), 1);
	NEED(vn_builder_finish(b, &plan));
	vn_builder_destroy(b);
	NEED(vn_launch(q, plan, 0, 0));
	vn_submit(q);
	sleep_ms(10);
	burnt = burnt_in(100);
	tap_ok(burnt < IDLE_NS, "a launch that waits for one, %llu us",
	       (unsigned long long)burnt / 1000);
	start = cpu_ns();
	err = vn_wait(q, 1, SECOND / 5);
	burnt = cpu_ns() - start;
	tap_ok(err == -ETIMEDOUT && burnt < SECOND / 20,
	       "a thread that waits for the launch 200 ms, %llu us (%d)",
	       (unsigned long long)burnt / 1000, err);
	vn_sem_signal(q, (uint64_t *)m.ptr + 1, 1);
	tap_ok(!vn_complete(q, LONG), "which ends as soon as it may");
	vn_plan_destroy(plan);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

/* Opening a device is cheap, however many chips it has. */
static void test_threads(void)
{
	vn_device_t dev;
	vn_queue_t q;
	struct vn_cqe e;

	NEED(vn_open("embedded:threads=0", &dev));
	q = queue(dev, 0, 8);
	vn_next(q)->opcode = VN_OP_NOP;
	vn_submit(q);
	sleep_ms(20);
	tap_ok(vn_reap(q, &e, 1) == 0, "a device without helpers works only for who waits");
	tap_ok(!vn_wait(q, 1, LONG) && vn_reap(q, &e, 1) == 1, "and then does");
	vn_close(dev);
}

int main(void)
{
	vn_device_t dev = device();

	test_collective(dev);
	test_submit(dev);
	test_idle(dev);
	test_threads();
	vn_close(dev);
	return tap_done();
}
