// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a write with an immediate into somebody's window is told to the queue that the
 * window is bound to: whoever waits there, polls, or only reads, learns of it after the bytes
 * are there; that none is lost when the receiver is slow, and the writer then waits; and that
 * writers end well when a receiver stops, is reset, is destroyed, or closes, in the midst.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "fixture.h"

/* A receiver's context, and a writer's in the same domain. */
static vn_device_t dev, peer;
static struct vn_mem into, from;
static vn_queue_t out;

static void join(vn_device_t d, vn_device_t *to)
{
	int fd = vn_domain_export(d);

	NEED(fd);
	NEED(vn_reopen(d, to));
	NEED(vn_domain_join(*to, fd));
	close(fd);
}

static uint32_t bound(vn_queue_t q, uint64_t user_data)
{
	const struct vn_window_options o = { .queue = q, .user_data = user_data };
	uint32_t key = 0;

	NEED(vn_window_open(dev, &into, 0, into.bytes, FULL_ACCESS, &o, &key));
	return key;
}

static void put_at(vn_queue_t q, uint32_t key, uint64_t at, uint64_t bytes, uint32_t imm)
{
	struct vn_desc *d = vn_next(q);

	vn_prep_write_imm(d, vn_by_key(into.chip, key, at), vn_at(&from, 0), bytes, imm);
}

static void put(vn_queue_t q, uint32_t key, uint64_t bytes, uint32_t imm)
{
	put_at(q, key, 64, bytes, imm);
}

/* One write, waited for. */
static int put_one(uint32_t key, uint64_t bytes, uint32_t imm)
{
	struct vn_desc d = { 0 };

	vn_prep_write_imm(&d, vn_by_key(into.chip, key, 64), vn_at(&from, 0), bytes, imm);
	return run(out, &d, NULL);
}

static bool arrived(const struct vn_cqe *e, uint32_t key, uint64_t bytes, uint32_t imm,
		    uint64_t number)
{
	return e->user_data == 0x1234567890abcdef && !e->status && e->detail == imm &&
	       e->bytes == bytes && !e->submitted && e->started <= e->done && e->done &&
	       e->seq == (VN_CQE_ARRIVAL | number) && e->result == key;
}

/* ---- learning of it -------------------------------------------------------------------- */

struct waiter {
	vn_queue_t q;
	int err;
	struct vn_cqe e;
	unsigned int wrong;
};

static void *wait_for_it(void *arg)
{
	struct waiter *w = arg;

	w->err = vn_wait(w->q, 1, LONG);
	if (vn_reap(w->q, &w->e, 1) != 1)
		w->err = -ENODATA;
	w->wrong = memcmp((char *)into.ptr + 64, from.ptr, w->e.bytes) != 0;
	return NULL;
}

static void test_wait(void)
{
	static const uint64_t sizes[] = { 0, 1, 64, 4096, 300000 };
	struct waiter w = { .q = queue(dev, 3, 8) };
	uint32_t key = bound(w.q, 0x1234567890abcdef);
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < COUNT(sizes); i++)
		for (unsigned int late = 0; late < 2; late++) {
			uint64_t number = 2 * i + late;
			pthread_t thread;

			scramble(from.ptr, sizes[i]);
			memset(into.ptr, 0, into.bytes);
			if (!late)
				pthread_create(&thread, NULL, wait_for_it, &w);
			sleep_ms(late ? 0 : 5);
			wrong += put_one(key, sizes[i], i) != 0;
			if (late)
				pthread_create(&thread, NULL, wait_for_it, &w);
			pthread_join(thread, NULL);
			wrong += w.err || w.wrong || !arrived(&w.e, key, sizes[i], i, number);
		}
	tap_ok(!wrong, "who waits is told, before or after it came (%u wrong)", wrong);
	NEED(vn_window_invalidate(dev, into.chip, key));
	vn_queue_destroy(w.q);
}

/* Nobody is in the device: the fd says that there is something. */
static void test_poll(void)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct pollfd p = { .fd = efd, .events = POLLIN };
	uint64_t n;
	struct vn_cqe e;
	uint32_t key;
	vn_queue_t q;
	unsigned int wrong = 0;

	NEED(vn_queue_create(dev, 0, 8, efd, &q));
	key = bound(q, 0x1234567890abcdef);
	for (uint32_t i = 0; i < 20; i++) {
		wrong += poll(&p, 1, 0) != 0;
		wrong += put_one(key, 8, i) != 0;
		wrong += poll(&p, 1, 60000) != 1 || read(efd, &n, sizeof(n)) != sizeof(n);
		wrong += vn_reap(q, &e, 1) != 1 || !arrived(&e, key, 8, i, i);
	}
	tap_ok(!wrong, "an eventfd is told (%u wrong)", wrong);
	p.fd = vn_device_fd(dev);
	if (p.fd >= 0) {
		wrong += poll(&p, 1, 0) != 0;
		wrong += put_one(key, 8, 20) != 0;
		wrong += poll(&p, 1, 60000) != 1 || !(p.revents & POLLIN);
		wrong += vn_reap(q, &e, 1) != 1 || !arrived(&e, key, 8, 20, 20);
		tap_ok(!wrong && !poll(&p, 1, 0), "so is who polls the node (%u wrong)", wrong);
	}
	NEED(vn_window_invalidate(dev, into.chip, key));
	vn_queue_destroy(q);
	close(efd);
}

/* Arrivals come while the receiver does work of its own, and waits for that. */
static void test_complete(void)
{
	vn_queue_t q = queue(dev, 2, 8);
	uint32_t key = bound(q, 7), got = 0, left = quick() ? 40 : 400;
	unsigned int wrong = 0;
	struct vn_cqe e[8];
	int n;

	for (uint32_t i = 0; i < left; i++) {
		wrong += put_one(key, 8, i) != 0;
		vn_next(q)->opcode = VN_OP_NOP;
		wrong += vn_complete(q, LONG) != 0;
		if (i % 5 != 4)
			continue;
		wrong += vn_wait(q, 5, LONG) != 0;
		while ((n = vn_reap(q, e, 3)) > 0)
			for (int k = 0; k < n; k++)
				wrong += e[k].detail != got++ || e[k].user_data != 7;
	}
	tap_ok(!wrong && got == left, "what comes during vn_complete() is kept (%u wrong)", wrong);
	for (uint32_t i = 0; i < 8; i++) {
		wrong += put_one(key, 8, i) != 0;
		vn_next(q)->opcode = VN_OP_NOP;
		wrong += vn_complete(q, LONG) != 0;
	}
	wrong += put_one(key, 8, 8) != 0;
	wrong += vn_wait(q, 8, LONG) != 0;
	sleep_ms(20);
	vn_next(q)->opcode = VN_OP_NOP;
	n = vn_complete(q, LONG);
	/* The ninth may come behind it. */
	tap_ok(!wrong && (n == -ENOBUFS || !n), "but not more than it is deep: %d (%s; %u wrong)",
	       n, n ? vn_error() : "it came late", wrong);
	for (got = 0; got<9; got += n> 0 ? (uint32_t)n : 0) {
		n = vn_reap(q, e, 1);
		wrong += n == 1 && (!(e->seq & VN_CQE_ARRIVAL) || e->detail != got);
		if (n == 1 && !(e->seq & VN_CQE_ARRIVAL))
			n = 0;
		if (!n)
			NEED(vn_wait(q, 1, LONG));
	}
	tap_ok(!wrong, "and these are still to be read (%u wrong)", wrong);
	NEED(vn_window_invalidate(dev, into.chip, key));
	vn_queue_destroy(q);
}

/* ---- a slow receiver -------------------------------------------------------------------- */

static void test_full(void)
{
	enum { SENT = 60 };
	vn_queue_t q = queue(dev, 1, 8), writer = queue(peer, 0, 64);
	const struct vn_ring *ring = vn_queue_ring(writer);
	uint32_t key = bound(q, 0x1234567890abcdef), done;
	unsigned int wrong = 0;
	struct vn_cqe e;

	for (uint32_t i = 0; i < SENT; i++)
		put(writer, key, 8, i);
	NEED(vn_submit(writer));
	for (uint64_t end = now_ns() + LONG / 2; now_ns() < end;) {
		done = __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE);
		if (done == 16)
			break;
		/* With nobody to run it, who waits for it does. */
		vn_wait(writer, done + 1, 1000000);
	}
	sleep_ms(30);
	done = __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE);
	tap_ok(done == 16 && vn_wait(writer, SENT, SECOND / 50) == -ETIMEDOUT,
	       "a ring and an inbox full of what nobody reads: the writer waits (%u of %u done)",
	       done, SENT);
	/* Reading alone, no call that waits, makes all of it go on. */
	for (uint32_t i = 0; i < SENT; i++) {
		uint64_t end = now_ns() + LONG;

		while (vn_reap(q, &e, 1) != 1 && now_ns() < end)
			usleep(20);
		wrong += !arrived(&e, key, 8, i, i);
	}
	tap_ok(!wrong && !vn_complete(writer, LONG), "reading them makes it go on (%u wrong)",
	       wrong);

	/* A receiver with a descriptor that waits for something else. */
	for (uint32_t i = 0; i < SENT; i++)
		put(writer, key, 8, i);
	NEED(vn_submit(writer));
	*(uint64_t *)((char *)into.ptr + 8192) = 0;
	vn_prep_sem_wait(vn_next(q), vn_at(&into, 8192), 1);
	NEED(vn_submit(q));
	for (uint32_t i = 0; i < SENT; i++) {
		uint64_t end = now_ns() + LONG;

		while (vn_reap(q, &e, 1) != 1 && now_ns() < end)
			usleep(20);
		wrong += !arrived(&e, key, 8, i, SENT + i);
	}
	NEED(vn_sem_signal(q, (uint64_t *)((char *)into.ptr + 8192), 1));
	tap_ok(!wrong && !vn_complete(q, LONG) && !vn_complete(writer, LONG),
	       "also past a descriptor that waits for a semaphore (%u wrong)", wrong);
	NEED(vn_window_invalidate(dev, into.chip, key));
	vn_queue_destroy(q);
	vn_queue_destroy(writer);
}

/* From a plan: more than the receiver has room for, so that its programs wait in the midst. */
static void test_plan(void)
{
	enum { CHIPS = 3, EACH = 10, LAUNCHES = 4 };
	vn_queue_t q = queue(dev, 1, 8), writer = queue(peer, 0, 8);
	uint32_t key = bound(q, 9), next[CHIPS] = { 0 }, got = 0;
	unsigned int wrong = 0;
	vn_builder_t b;
	vn_plan_t plan;
	struct vn_cqe e;

	NEED(vn_builder_create(peer, 0, &b));
	for (uint32_t c = 0; c < CHIPS; c++)
		for (uint32_t i = 0; i < EACH; i++)
			vn_prep_write_imm(vn_build(b, c), vn_by_key(into.chip, key, c * 64),
					  vn_at(&from, 0), 8, c << 16 | i);
	NEED(vn_builder_finish(b, &plan));
	for (uint32_t n = 0; n < LAUNCHES; n++) {
		NEED(vn_launch(writer, plan, 0, n));
		NEED(vn_submit(writer));
		sleep_ms(n ? 0 : 20);
		for (uint32_t i = 0; i < CHIPS * EACH; i++, got++) {
			/* At times by waiting, at times by looking. */
			if (n & 1)
				NEED(vn_wait(q, 1, LONG));
			while (vn_reap(q, &e, 1) != 1)
				usleep(20);
			wrong += e.detail >> 16 >= CHIPS ||
				 (e.detail & 0xffff) != next[e.detail >> 16 & 3]++ % EACH ||
				 e.user_data != 9 || e.seq != (VN_CQE_ARRIVAL | got);
		}
		wrong += vn_complete(writer, LONG) != 0;
	}
	tap_ok(!wrong, "%u launches of a plan tell in turn, and wait for room (%u wrong)", LAUNCHES,
	       wrong);
	/* A launch that waits ends with its receiver. */
	NEED(vn_launch(writer, plan, 0, 0));
	NEED(vn_submit(writer));
	sleep_ms(20);
	NEED(vn_queue_destroy(q));
	tap_ok(vn_complete(writer, LONG) == -EIO &&
		       vn_queue_ring(writer)->error_status == VN_NO_RECEIVER,
	       "one that waits ends with the queue it tells: %s", vn_error());
	NEED(vn_queue_reset(writer));
	NEED(vn_plan_destroy(plan));
	vn_builder_destroy(b);
	NEED(vn_window_invalidate(dev, into.chip, key));
	vn_queue_destroy(writer);
}

/* ---- receivers that end ------------------------------------------------------------------ */

static void *complete_all(void *queue)
{
	return (void *)(intptr_t)vn_complete(queue, VN_FOREVER);
}

static void test_stopped(void)
{
	vn_queue_t q = queue(dev, 1, 8), writer = queue(peer, 0, 64);
	uint32_t key = bound(q, 0x1234567890abcdef);
	struct vn_desc bad = { .opcode = VN_OP_COUNT };
	const struct vn_ring *ring = vn_queue_ring(writer);
	pthread_t thread;
	struct vn_cqe e;
	uint32_t was;
	void *err;

	*vn_next(q) = bad;
	tap_ok(vn_complete(q, LONG) == -EIO && put_one(key, 8, 1) == VN_NO_RECEIVER,
	       "a queue in error is told nothing");
	NEED(vn_queue_reset(q));
	tap_ok(!put_one(key, 8, 2) && !vn_wait(q, 1, LONG) && vn_reap(q, &e, 1) == 1 &&
		       arrived(&e, key, 8, 2, 0),
	       "reset, it is again");
	/* A writer that waits for room. */
	for (uint32_t i = 0; i < 20; i++)
		put(writer, key, 8, i);
	NEED(vn_submit(writer));
	while (vn_wait(writer, 16, SECOND / 100))
		;
	NEED(vn_queue_reset(q));
	tap_ok(!vn_complete(writer, LONG), "a reset makes room");
	/* Also for one that sleeps. */
	for (uint32_t i = 0; i < 20; i++)
		put(writer, key, 8, i);
	was = __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE);
	pthread_create(&thread, NULL, complete_all, writer);
	/* Four are there from before. */
	while (__atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) - was < 12)
		sleep_ms(1);
	sleep_ms(20);
	NEED(vn_queue_reset(q));
	pthread_join(thread, &err);
	tap_ok(!err, "and wakes who waits for it");
	for (uint32_t i = 0; i < 20; i++)
		put(writer, key, 8, i);
	NEED(vn_submit(writer));
	sleep_ms(5);
	vn_wait(writer, 12, SECOND / 100);
	NEED(vn_queue_destroy(q));
	tap_ok(vn_complete(writer, LONG) == -EIO &&
		       vn_queue_ring(writer)->error_status == VN_NO_RECEIVER,
	       "who waits for a queue that goes ends: %s", vn_error());
	tap_ok(put_one(key, 8, 3) == VN_NO_RECEIVER &&
		       !run_copy(out, vn_by_key(into.chip, key, 0), vn_at(&from, 0), 8),
	       "the window is there without it");
	NEED(vn_window_invalidate(dev, into.chip, key));
	tap_ok(put_one(key, 8, 3) == VN_STALE_KEY, "till it goes, too");
	vn_queue_destroy(writer);
}

static struct {
	int stop;
	uint32_t key;
	uint64_t sent[2];
	unsigned int wrong[2];
} storm;

/* Writes as fast as it can, whatever becomes of it. */
static void *blow(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg;
	vn_queue_t q = queue(peer, me, 16);
	struct vn_cqe e;

	while (!__atomic_load_n(&storm.stop, __ATOMIC_ACQUIRE)) {
		for (uint32_t i = 0; i < 8; i++)
			put_at(q, __atomic_load_n(&storm.key, __ATOMIC_ACQUIRE), me * 4096, 64, i);
		for (unsigned int got = 0;
		     got < 8 && !__atomic_load_n(&storm.stop, __ATOMIC_ACQUIRE);) {
			vn_wait(q, 1, SECOND / 20);
			while (vn_reap(q, &e, 1) == 1) {
				got++;
				if (!e.status) {
					storm.sent[me]++;
					continue;
				}
				storm.wrong[me] += e.status != VN_NO_RECEIVER &&
						   e.status != VN_STALE_KEY;
				got = 8;
			}
			if (__atomic_load_n(&vn_queue_ring(q)->state, __ATOMIC_ACQUIRE) ==
			    VN_QUEUE_ERROR)
				break;
		}
		vn_queue_reset(q);
	}
	vn_queue_destroy(q);
	return NULL;
}

static void test_storm(void)
{
	unsigned int rounds = quick() ? 30 : 200, wrong = 0;
	uint64_t got = 0, resets = 0;
	struct vn_desc bad = { .opcode = VN_OP_COUNT };
	pthread_t thread[2];
	struct vn_cqe e[8];
	int n;

	memset(&storm, 0, sizeof(storm));
	for (unsigned int i = 0; i < rounds; i++) {
		vn_queue_t q = queue(dev, i % 4, 8 << i % 3);
		uint32_t key = bound(q, i);
		uint64_t end = now_ns() + SECOND / 200;

		__atomic_store_n(&storm.key, key, __ATOMIC_RELEASE);
		for (uintptr_t k = 0; !i && k < 2; k++)
			pthread_create(&thread[k], NULL, blow, (void *)k);
		while (now_ns() < end) {
			vn_wait(q, 1, SECOND / 1000);
			while ((n = vn_reap(q, e, 8)) > 0)
				for (int k = 0; k < n; k++, got++)
					wrong += (e[k].seq & VN_CQE_ARRIVAL) &&
						 (e[k].user_data != i || e[k].result != key ||
						  e[k].bytes != 64);
			if (rnd() % 8 == 0)
				*vn_next(q) = bad;
			if (rnd() % 4 == 0) {
				vn_queue_reset(q);
				resets++;
			}
		}
		/* The queue first, or the window, or both at once. */
		if (i % 2)
			NEED(vn_window_invalidate(dev, into.chip, key));
		NEED(vn_queue_destroy(q));
		if (!(i % 2))
			NEED(vn_window_invalidate(dev, into.chip, key));
	}
	__atomic_store_n(&storm.stop, 1, __ATOMIC_RELEASE);
	for (unsigned int k = 0; k < 2; k++)
		pthread_join(thread[k], NULL);
	tap_ok(!wrong && !storm.wrong[0] && !storm.wrong[1] && storm.sent[0] + storm.sent[1] && got,
	       "%u queues and %llu resets under two writers: %llu sent, %llu read (%u, %u wrong)",
	       rounds, (unsigned long long)resets,
	       (unsigned long long)(storm.sent[0] + storm.sent[1]), (unsigned long long)got, wrong,
	       storm.wrong[0] + storm.wrong[1]);
}

/* The receiver's context closes, or its process' last handle of it does. */
static void test_closes(void)
{
	unsigned int rounds = quick() ? 5 : 30;
	vn_device_t mine = dev, keep = peer;
	struct vn_mem was = into;
	pthread_t thread[2];

	memset(&storm, 0, sizeof(storm));
	for (unsigned int i = 0; i < rounds; i++) {
		join(keep, &dev);
		into = take(dev, 1, 65536);
		__atomic_store_n(&storm.key, bound(queue(dev, 2, 8), i), __ATOMIC_RELEASE);
		for (uintptr_t k = 0; !i && k < 2; k++)
			pthread_create(&thread[k], NULL, blow, (void *)k);
		sleep_ms(3);
		vn_close(dev);
	}
	__atomic_store_n(&storm.stop, 1, __ATOMIC_RELEASE);
	for (unsigned int k = 0; k < 2; k++)
		pthread_join(thread[k], NULL);
	dev = mine;
	into = was;
	tap_ok(!storm.wrong[0] && !storm.wrong[1],
	       "%u receivers that close under two writers (%u wrong)", rounds,
	       storm.wrong[0] + storm.wrong[1]);
}

static void test_open(void)
{
	vn_queue_t theirs = queue(peer, 0, 8), q = queue(dev, 0, 8);
	struct vn_window_options o = { .queue = theirs };
	uint32_t key = 5;

	tap_ok(vn_window_open(dev, &into, 0, 8, FULL_ACCESS, &o, &key) == -EINVAL,
	       "a queue of another context: %s", vn_error());
	o = (struct vn_window_options){ .user_data = 1 };
	tap_ok(vn_window_open(dev, &into, 0, 8, FULL_ACCESS, &o, &key) == -EINVAL && key == 5,
	       "data for no queue: %s", vn_error());
	o.queue = q;
	tap_ok(vn_window_open(dev, &into, into.bytes, 1, FULL_ACCESS, &o, &key) == -EINVAL &&
		       key == 5,
	       "a window that can't be");
	tap_ok(!vn_window_open(dev, &into, 0, 8, FULL_ACCESS, NULL, &key) &&
		       put_one(key, 0, 1) == VN_BAD_RANGE,
	       "no options, no queue");
	NEED(vn_window_invalidate(dev, into.chip, key));
	NEED(vn_window_create(dev, &into, 0, 65536, FULL_ACCESS, &key));
	tap_ok(put_one(key, 8, 1) == VN_BAD_KEY, "a window of no queue takes no immediates");
	NEED(vn_window_invalidate(dev, into.chip, key));
	vn_queue_destroy(q);
	vn_queue_destroy(theirs);
}

int main(void)
{
	dev = device();
	join(dev, &peer);
	into = take(dev, 1, 1 << 19);
	from = take(peer, 0, 1 << 19);
	out = queue(peer, 0, 8);
	test_open();
	test_wait();
	test_poll();
	test_complete();
	test_full();
	test_plan();
	test_stopped();
	test_storm();
	test_closes();
	vn_close(peer);
	vn_close(dev);
	return tap_done();
}
