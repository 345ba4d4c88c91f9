// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows the ways to wait, and the ways out of it: WAIT with deadlines, signals
 * and objects that end meanwhile; poll and eventfd; doorbells and semaphores
 * written by the CPU.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include "abi.h"

static int ctx;
static struct mem mem;
static struct queue queue;
static const struct vn_desc nop = { .opcode = VN_OP_NOP };

/* A semaphore that is nobody's yet. */
static uint64_t *new_sem(uint64_t *offset)
{
	static uint32_t next;

	*offset = 64 * next++;
	must(*offset < mem.bytes);
	return (uint64_t *)(mem.ptr + *offset);
}

/* A queue blocked on a new semaphore. */
static uint64_t *block(struct queue *q)
{
	uint64_t offset, *word = new_sem(&offset);
	struct vn_desc d = sem_desc(VN_OP_SEM_WAIT, at(&mem, offset), 1);

	q->ring->cq_head = q->ring->cq_tail;
	submit(q, &d);
	return word;
}

static void test_deadline(void)
{
	uint64_t *word = block(&queue), begin = now_ns(), deadline = begin + SECOND / 20;

	tap_result(wait_until(&queue, 1, deadline), -ETIMEDOUT, "WAIT: a deadline");
	tap_ok(now_ns() >= deadline, "not before it");
	tap_result(wait_until(&queue, 1, 0), -ETIMEDOUT, "WAIT: a poll");
	tap_ok(*(volatile uint64_t *)word == 0 && queue.ring->cq_tail == 0,
	       "nothing happened meanwhile");
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	must(!queue_doorbell(&queue));
	tap_result(wait_until(&queue, 1, now_ns() + 10 * SECOND), 0,
		   "WAIT: until a store and a doorbell");
	tap_ok(queue.cq[0].status == VN_OK && queue.cq[0].started <= queue.cq[0].done,
	       "stamps in order");
	must(!queue_reset(&queue));
}

/* ---- signals ------------------------------------------------------------ */

static volatile uint32_t signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static void storm(bool on)
{
	struct itimerval t = { { 0, on ? 1000 : 0 }, { 0, on ? 1000 : 0 } };

	must(!setitimer(ITIMER_REAL, &t, NULL));
}

static void test_signals(void)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = SA_RESTART };
	uint64_t *word = block(&queue), deadline;
	int err;

	sigaction(SIGALRM, &sa, NULL);
	deadline = now_ns() + SECOND / 4;
	storm(true);
	err = wait_until(&queue, 1, deadline);
	tap_result(err, -ETIMEDOUT, "WAIT: restarted in a storm of signals, to its deadline");
	tap_ok(signals > 3 && now_ns() >= deadline && now_ns() < deadline + 5 * SECOND,
	       "which stays where it was (%u signals)", signals);
	sa.sa_flags = 0;
	sigaction(SIGALRM, &sa, NULL);
	tap_result(wait_until(&queue, 1, ~0ull), -EINTR,
		   "WAIT: a handler that does not want it restarted");
	storm(false);
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	must(!queue_doorbell(&queue) && !wait_until(&queue, 1, now_ns() + 10 * SECOND));
	tap_ok(1, "and nothing was lost by it");
	must(!queue_reset(&queue));
}

/* ---- what ends while a thread waits ------------------------------------- */

struct waiter {
	struct queue q;
	pthread_t thread;
	int err;
	uint32_t target;
};

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;

	w->err = wait_until(&w->q, w->target, now_ns() + 20 * SECOND);
	return NULL;
}

static void waiter_begin(struct waiter *w, const struct queue *q)
{
	w->q = *q;
	w->target = 1;
	w->err = 1;
	must(!pthread_create(&w->thread, NULL, waiter_main, w));
	usleep(30000);
}

static void test_ends(void)
{
	struct queue q = queue_create(ctx, 0, 8, -1);
	struct waiter w[3];
	uint64_t *word = block(&q), begin;

	for (uint32_t i = 0; i < 3; i++)
		waiter_begin(&w[i], &q);
	*(volatile uint64_t *)word = 1;
	must(!queue_doorbell(&q));
	for (uint32_t i = 0; i < 3; i++)
		pthread_join(w[i].thread, NULL);
	tap_ok(!w[0].err && !w[1].err && !w[2].err,
	       "three threads wait on one queue, all come back");

	block(&q);
	w[0].target = 2;
	waiter_begin(&w[0], &q);
	must(!queue_reset(&q));
	submit(&q, &nop);
	must(!queue_doorbell(&q));
	pthread_join(w[0].thread, NULL);
	tap_result(w[0].err, 0, "WAIT: through a reset, for the first completion after it");

	must(!queue_reset(&q));
	block(&q);
	waiter_begin(&w[0], &q);
	waiter_begin(&w[1], &q);
	begin = now_ns();
	must(!queue_call(ctx, VN_IOCTL_QUEUE_DESTROY, q.id));
	pthread_join(w[0].thread, NULL);
	pthread_join(w[1].thread, NULL);
	tap_result(w[0].err, -ENOENT, "WAIT: the queue is destroyed");
	tap_ok(w[1].err == -ENOENT && now_ns() - begin < 10 * SECOND, "for all who wait, at once");
	munmap((void *)q.ring, q.bytes);
}

/* close() of the fd while a thread is in a call on it: the call goes on. */
static void test_close(void)
{
	int c = open_on(0), watch = open_context();
	struct mem m = mem_alloc(c, 0, PAGE);
	struct queue q = queue_create(c, 0, 8, -1);
	struct vn_desc d = sem_desc(VN_OP_SEM_WAIT, at(&m, 0), 1);
	uint32_t before = chip_query(watch, 0).queues;
	struct waiter w;

	submit(&q, &d);
	w.q = q;
	w.target = 1;
	must(!pthread_create(&w.thread, NULL, waiter_main, &w));
	usleep(30000);
	close(c);
	tap_ok(chip_query(watch, 0).queues == before, "a context lives while a call on it does");
	*(volatile uint64_t *)m.ptr = 1;
	/* No fd is left for its own doorbell; anyone's makes blocked queues look again. */
	must(!queue_doorbell(&queue));
	pthread_join(w.thread, NULL);
	tap_result(w.err, 0, "WAIT: goes on when its fd is closed");
	munmap(m.ptr, m.bytes);
	munmap((void *)q.ring, q.bytes);
	tap_ok(chip_query(watch, 0).queues == before - 1, "then it ends");
	close(watch);
}

/* Memory is not given back while a descriptor is at it. */
static void test_free_under(void)
{
	struct mem a = mem_alloc(ctx, 0, 4 << 20), b = mem_alloc(ctx, 0, 4 << 20);
	struct vn_desc d = copy_desc(at(&b, 0), at(&a, 0), a.bytes);
	uint32_t bad = 0;

	memset(a.ptr, 0x21, a.bytes);
	for (uint32_t i = 0; i < 6; i++)
		submit(&queue, &d);
	must(!queue_doorbell(&queue));
	must(!mem_free(ctx, 0, b.addr));
	memset(b.ptr, 0x43, b.bytes);
	wait_until(&queue, 6, now_ns() + 10 * SECOND);
	for (uint64_t i = 0; i < b.bytes; i++)
		bad += b.ptr[i] != 0x43;
	tap_ok(!bad, "after MEM_FREE no descriptor writes there (%u bytes)", bad);
	tap_ok(queue.ring->cq_tail == 6 || (queue.ring->state == VN_QUEUE_ERROR &&
					    queue.ring->error_status == VN_STALE_KEY),
	       "later ones find it stale");
	munmap(a.ptr, a.bytes);
	munmap(b.ptr, b.bytes);
	must(!mem_free(ctx, 0, a.addr) && !queue_reset(&queue));
}

/* ---- poll and eventfd --------------------------------------------------- */

static short polled(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = poll(&p, 1, ms);

	must(n >= 0);
	return n ? p.revents : 0;
}

static void *ring_later(void *arg)
{
	usleep(50000);
	*(volatile uint64_t *)arg = 1;
	must(!queue_doorbell(&queue));
	return NULL;
}

static void test_poll(void)
{
	int ev = eventfd(0, EFD_NONBLOCK);
	struct queue q;
	pthread_t thread;
	uint64_t n = 0, *word;

	tap_ok(!polled(ctx, 0), "poll: nothing to read");
	word = block(&queue);
	must(!queue_doorbell(&queue));
	tap_ok(!polled(ctx, 30), "poll: nor while the queue is blocked");
	must(!pthread_create(&thread, NULL, ring_later, word));
	tap_ok(polled(ctx, 10000) == POLLIN, "poll: wakes up at a completion");
	pthread_join(thread, NULL);
	tap_ok(polled(ctx, 0) == POLLIN, "poll: as long as it is not read");
	queue.ring->cq_head = queue.ring->cq_tail;
	tap_ok(!polled(ctx, 0), "poll: and no more when it is");
	queue.ring->sq_tail = 1000;
	must(!queue_doorbell(&queue));
	tap_ok(polled(ctx, 10000) & POLLERR, "poll: POLLERR when a queue is in error");
	must(!queue_reset(&queue));
	tap_ok(!polled(ctx, 0), "poll: not after its reset");

	q = queue_create(ctx, 0, 8, ev);
	tap_ok(read(ev, &n, 8) < 0 && errno == EAGAIN, "eventfd: silent at first");
	for (uint32_t i = 0; i < 5; i++)
		submit(&q, &nop);
	must(!wait_until(&q, 5, now_ns() + 10 * SECOND));
	tap_ok(read(ev, &n, 8) == 8 && n >= 1 && n <= 5, "eventfd: signalled by each batch (%u)",
	       (unsigned int)n);
	q.ring->cq_head = 5;
	for (uint32_t i = 0; i < 3; i++) {
		submit(&q, &nop);
		must(!queue_doorbell(&q));
		must(polled(ev, 10000) == POLLIN);
		must(read(ev, &n, 8) == 8);
		q.ring->cq_head = q.ring->cq_tail;
	}
	tap_ok(q.ring->cq_tail == 8, "eventfd: by a worker, too");
	close(ev);
	submit(&q, &nop);
	tap_result(wait_until(&q, 9, now_ns() + 10 * SECOND), 0,
		   "eventfd: the queue holds its own reference");
	queue_destroy(&q);
}

/* Submissions with the doorbell only when the ring asks for it: none is lost. */
static void test_doorbells(void)
{
	uint32_t n = 3000, calls = 0, lost = 0;

	for (uint32_t i = 0; i < n && !lost; i++) {
		uint64_t end = now_ns() + 5 * SECOND;

		submit(&queue, &nop);
		if (queue.ring->flags & VN_RING_NEED_WAKEUP) {
			must(!queue_doorbell(&queue));
			calls++;
		}
		while (queue.ring->cq_tail != i + 1 && !lost)
			lost = now_ns() > end;
		queue.ring->cq_head = i + 1;
	}
	tap_ok(!lost, "%u submissions, %u doorbells, none lost", n, calls);
	must(!queue_reset(&queue));
}

int main(void)
{
	ctx = open_on(0);
	mem = mem_alloc(ctx, 0, PAGE);
	queue = queue_create(ctx, 0, 8, -1);
	test_deadline();
	test_signals();
	test_ends();
	test_close();
	test_free_under();
	test_poll();
	test_doorbells();
	close(ctx);
	return tap_done();
}
