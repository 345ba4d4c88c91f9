// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows a queue of every depth going round many times with nothing lost, a
 * full ring, waits that time out, errors that stop it and a reset that does
 * not, completions announced on an eventfd, and work that completes although
 * nobody waits for it.
 */
#include <poll.h>
#include <sys/eventfd.h>

#include <vneuron/coll.h>

#include "fixture.h"

static bool nop(vn_queue_t q, uint64_t user_data)
{
	struct vn_desc *d = vn_next(q);

	if (!d)
		return false;
	d->opcode = VN_OP_NOP;
	d->user_data = user_data;
	return true;
}

static void test_depths(vn_device_t dev)
{
	for (uint32_t depth = VN_QUEUE_DEPTH_MIN; depth <= VN_QUEUE_DEPTH_MAX; depth *= 2) {
		uint32_t total = depth * 3 + 5, put = 0, got = 0, wrong = 0;
		struct vn_cqe e[64];
		vn_queue_t q;

		if (quick() && depth > 64 && depth < VN_QUEUE_DEPTH_MAX)
			continue;
		if (quick() && depth > 64)
			total = depth + 100;
		q = queue(dev, depth & 3, depth);
		while (got < total) {
			int n;

			while (put < total && put - got < depth && nop(q, put))
				put++;
			/* at times one by one, at times all */
			NEED(vn_wait(q, put & 1 ? 1 : put - got, LONG));
			while ((n = vn_reap(q, e, COUNT(e))) > 0)
				for (int i = 0; i < n; i++, got++)
					wrong += e[i].user_data != got || e[i].seq != got ||
						 e[i].status || e[i].done < e[i].started;
		}
		tap_ok(!wrong && got == put, "depth %u: %u descriptors (%u wrong)", depth, total,
		       wrong);
		NEED(vn_queue_destroy(q));
	}
}

static void test_limits(vn_device_t dev)
{
	static const uint32_t bad[] = { 0, 1, 4, 7, 9, 100, 65535, 131072, 1u << 31, ~0u };
	struct vn_chip_query c;
	vn_queue_t q = NULL, many[40];
	unsigned int wrong = 0;
	uint32_t before;

	NEED(vn_chip_query(dev, 0, &c));
	before = c.queues;
	for (unsigned int i = 0; i < COUNT(bad); i++)
		wrong += vn_queue_create(dev, 0, bad[i], -1, &q) != -EINVAL || q;
	tap_ok(!wrong, "no other depth: %s", vn_error());
	tap_ok(vn_queue_create(dev, 4711, 8, -1, &q) == -ENODEV, "no such chip: %s", vn_error());
	tap_ok(vn_queue_create(dev, 0, 8, 12345, &q) == -EBADF, "no such eventfd: %s", vn_error());
	for (unsigned int i = 0; i < COUNT(many); i++)
		many[i] = queue(dev, 0, 8);
	NEED(vn_chip_query(dev, 0, &c));
	tap_ok(c.queues == before + COUNT(many), "queues are counted (%u)", c.queues);
	for (unsigned int i = 0; i < COUNT(many); i++)
		nop(many[i], i);
	for (unsigned int i = COUNT(many); i--;)
		wrong += vn_complete(many[i], LONG) != 0;
	for (unsigned int i = 0; i < COUNT(many); i++)
		vn_queue_destroy(many[i]);
	NEED(vn_chip_query(dev, 0, &c));
	tap_ok(!wrong && c.queues == before, "all work, and go");
}

static void test_full(vn_device_t dev)
{
	vn_queue_t q = queue(dev, 1, 8);
	struct vn_mem m = take(dev, 1, 4096);
	struct vn_desc *d = vn_next(q);
	struct vn_cqe e[16];
	unsigned int n = 1, wrong = 0;
	uint64_t before;

	vn_prep_sem_wait(d, vn_at(&m, 0), 1);
	while (nop(q, n))
		n++;
	tap_ok(n == 8, "a ring of depth 8 takes eight (%u)", n);
	tap_ok(!vn_next(q), "and then says so");
	before = now_ns();
	tap_ok(vn_wait(q, 1, SECOND / 50) == -ETIMEDOUT && now_ns() - before >= SECOND / 50,
	       "nothing comes: %s", vn_error());
	tap_ok(vn_wait(q, 1, 0) == -ETIMEDOUT, "a timeout of 0 looks once");
	tap_ok(!vn_reap(q, e, 16), "nothing is there");
	tap_ok(vn_wait(q, 9, LONG) == -EINVAL, "more than the ring holds: %s", vn_error());
	vn_sem_signal(q, m.ptr, 1);
	tap_ok(!vn_wait(q, 8, LONG) && vn_reap(q, e, 16) == 8, "a semaphore lets all through");
	for (unsigned int i = 1; i < 8; i++)
		wrong += e[i].user_data != i;
	/* Completions nobody reads hold the queue up, they are not lost. */
	for (unsigned int i = 0; i < 8; i++)
		nop(q, 100 + i);
	wrong += vn_wait(q, 8, LONG) != 0;
	for (unsigned int i = 0; i < 5; i++)
		wrong += !nop(q, 108 + i);
	vn_submit(q);
	sleep_ms(20);
	n = 0;
	while (n < 13 && vn_wait(q, 1, LONG) == 0) {
		int k = vn_reap(q, e, 3);

		for (int i = 0; i < k; i++)
			wrong += e[i].user_data != 100 + n++;
	}
	tap_ok(n == 13 && !wrong, "13 completions through a ring of 8, read late (%u, %u wrong)", n,
	       wrong);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

static void test_errors(vn_device_t dev)
{
	vn_queue_t q = queue(dev, 1, 16);
	struct vn_mem m = take(dev, 1, 4096);
	const struct vn_ring *ring = vn_queue_ring(q);
	struct vn_desc *d;
	struct vn_cqe e[16];
	int n;

	for (int i = 0; i < 3; i++)
		nop(q, i);
	d = vn_next(q);
	vn_prep_fill(d, vn_at(&m, 4090), 16, 1, 1);
	d->user_data = 33;
	for (int i = 0; i < 3; i++)
		nop(q, i);
	tap_ok(vn_wait(q, 7, LONG) == -EIO, "a bad one among good ones: %s", vn_error());
	n = vn_reap(q, e, 16);
	tap_ok(n == 4 && e[3].status == VN_BAD_RANGE && e[3].user_data == 33 &&
		       e[3].detail == AT(fill.dst) && !e[2].status,
	       "those before it are done, those behind it not");
	tap_ok(ring->state == VN_QUEUE_ERROR && ring->error_status == VN_BAD_RANGE &&
		       ring->error_seq == 3 && ring->error_detail == AT(fill.dst),
	       "the ring says why");
	tap_ok(vn_wait(q, 1, LONG) == -EIO && vn_wait(q, 1, 0) == -EIO, "it stays like that");
	tap_ok(!vn_queue_reset(q) && ring->state == VN_QUEUE_READY && !ring->error_status,
	       "until it is reset");
	nop(q, 1);
	tap_ok(!vn_complete(q, LONG), "then it works");
	d = vn_next(q);
	d->opcode = 200;
	tap_ok(vn_complete(q, LONG) == -EIO && strstr(vn_error(), "opcode"),
	       "complete() has a text: %s", vn_error());
	vn_queue_reset(q);

	/* Reset of a queue that waits for ever. */
	d = vn_next(q);
	vn_prep_sem_wait(d, vn_at(&m, 0), ~0ull);
	nop(q, 1);
	vn_submit(q);
	sleep_ms(5);
	tap_ok(!vn_queue_reset(q) && !vn_reap(q, e, 16), "a reset forgets what waits");
	nop(q, 2);
	tap_ok(!vn_wait(q, 1, LONG) && vn_reap(q, e, 16) == 1 && e[0].user_data == 2 &&
		       e[0].seq == 0,
	       "and numbers begin again");
	d = vn_next(q);
	vn_prep_sem_wait(d, vn_at(&m, 0), ~0ull);
	vn_submit(q);
	tap_ok(!vn_queue_destroy(q), "destroyed while it waits");
	vn_mem_free(dev, &m);
}

/* Submissions that nobody waits for. */
static void test_doorbell(vn_device_t dev)
{
	vn_queue_t q = queue(dev, 2, 256);
	struct vn_mem m = take(dev, 2, 1 << 20);
	unsigned int rounds = quick() ? 50 : 1000, wrong = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t patience = now_ns() + LONG;
		unsigned int batch = 1 + i % 7, got = 0;
		struct vn_cqe e;

		for (unsigned int k = 0; k < batch; k++)
			vn_prep_fill(vn_next(q), vn_at(&m, k * 4096), 4096, i, 4);
		wrong += vn_submit(q) != 0;
		while (got < batch && now_ns() < patience)
			if (vn_reap(q, &e, 1) == 1) {
				wrong += e.status != VN_OK;
				got++;
			}
		wrong += got != batch || ((uint32_t *)m.ptr)[1023] != i;
		if (i % 16 == 0)
			usleep(200); /* so that workers fall asleep */
		if (wrong)
			break;
	}
	tap_ok(!wrong, "%u batches completed by themselves (%u wrong)", rounds, wrong);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

static void test_eventfd(vn_device_t dev)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned int rounds = quick() ? 20 : 200, wrong = 0;
	vn_queue_t q;
	struct vn_cqe e[8];
	uint64_t count;

	NEED(vn_queue_create(dev, 0, 8, fd, &q));
	tap_ok(!poll(&p, 1, 0), "an eventfd is quiet at first");
	for (unsigned int i = 0; i < rounds; i++) {
		nop(q, i);
		nop(q, i);
		vn_submit(q);
		for (unsigned int got = 0; got < 2;) {
			int n;

			if (poll(&p, 1, (int)(LONG / 1000000)) != 1) {
				wrong++;
				break;
			}
			wrong += read(fd, &count, 8) != 8;
			n = vn_reap(q, e, 8);
			got += (unsigned int)(n > 0 ? n : 0);
		}
	}
	tap_ok(!wrong, "signalled with every batch (%u wrong)", wrong);
	while (read(fd, &count, 8) == 8)
		;
	tap_ok(!poll(&p, 1, 20), "and with nothing else");
	close(fd);
	nop(q, 1);
	tap_ok(!vn_complete(q, LONG), "it may be closed before the queue");
	vn_queue_destroy(q);
}

/* More is submitted than both rings hold; the user reaps late and never waits. */
static void test_polled_full(vn_device_t dev)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned int rounds = quick() ? 10 : 100, put = 0, got = 0, wrong = 0;
	struct vn_mem m = take(dev, 0, 2 << 20);
	struct vn_cqe e[8];
	struct vn_desc *d;
	uint64_t count;
	vn_queue_t q;

	NEED(vn_queue_create(dev, 0, 8, fd, &q));
	for (unsigned int i = 0; i < rounds && !wrong; i++) {
		/* Eight go in, are fetched and complete; eight more find no room. */
		for (unsigned int until = put + 16, tries = 0; put < until && tries < 500;) {
			d = vn_next(q);
			if (!d) {
				sleep_ms(1);
				tries++;
				continue;
			}
			if (i & 1)
				vn_prep_copy(d, vn_at(&m, 0), vn_at(&m, 1 << 20), 1 << 20);
			else
				d->opcode = VN_OP_NOP;
			d->user_data = put++;
			vn_submit(q);
		}
		if (i & 2)
			sleep_ms(2);
		while (got < put && !wrong) {
			int n;

			wrong += poll(&p, 1, 20000) != 1;
			wrong += read(fd, &count, 8) != 8;
			n = vn_reap(q, e, 8);
			for (int k = 0; k < n; k++)
				wrong += e[k].user_data != got++ || e[k].status;
		}
	}
	tap_ok(!wrong && got == put && got >= rounds * 8,
	       "reaping lets a full queue go on (%u of %u, %u wrong)", got, put, wrong);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
	close(fd);
}

static void test_stamps(vn_device_t dev)
{
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_mem m = take(dev, 0, 8 << 20);
	struct vn_desc d = { 0 };
	struct vn_query info;
	uint64_t before = now_ns(), after;
	struct vn_cqe e;

	vn_device_query(dev, &info);
	vn_prep_copy(&d, vn_at(&m, 4 << 20), vn_at(&m, 0), 4 << 20);
	d.user_data = 5;
	tap_ok(!run(q, &d, &e) && e.user_data == 5 && e.bytes == 4 << 20 && e.done > e.started,
	       "a copy takes time");
	after = now_ns();
	tap_ok((e.done - e.started) / (double)info.tick_hz <= (double)(after - before) / 1e9,
	       "not more than has passed: %.6f s",
	       (double)(e.done - e.started) / (double)info.tick_hz);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

/* A worker runs it: completions come at any moment, also while it is counted what is missing. */
static void test_sync(vn_device_t dev)
{
	unsigned int rounds = quick() ? 5000 : 60000, late = 0;
	struct vn_mem m = take(dev, 0, 65536);
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_cqe e;

	for (unsigned int i = 0; i < rounds && !late; i++) {
		vn_prep_copy(vn_next(q), vn_at(&m, 32768), vn_at(&m, 0), 1 + i % 4096);
		NEED(vn_submit(q));
		for (uint64_t spin = rnd() % 4096; spin; spin--)
			asm volatile("");
		late += vn_queue_sync(q, LONG / 4) != 0;
		late += vn_reap(q, &e, 1) != 1 || e.status;
	}
	tap_ok(!late, "what a worker runs is waited for, no longer than it takes (%u of %u late)",
	       late, rounds);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

int main(void)
{
	vn_device_t dev = device();

	test_depths(dev);
	test_limits(dev);
	test_full(dev);
	test_errors(dev);
	test_doorbell(dev);
	test_eventfd(dev);
	test_polled_full(dev);
	test_stamps(dev);
	test_sync(dev);
	vn_close(dev);
	return tap_done();
}
