// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows queues that wait for each other by semaphores, within a chip and across
 * chips and threads, semaphores signalled and awaited by the CPU, and that what
 * was written before a signal is there when it is seen.
 */
#include <pthread.h>

#include "fixture.h"

static void test_cpu(vn_device_t dev)
{
	struct vn_mem m = take(dev, 1, 4096);
	vn_queue_t q = queue(dev, 1, 16);
	uint64_t *word = m.ptr;
	struct vn_cqe e[4];

	vn_prep_sem_wait(vn_next(q), vn_at(&m, 0), 3);
	vn_prep_fill(vn_next(q), vn_at(&m, 64), 64, 0x77, 1);
	vn_submit(q);
	tap_ok(vn_wait(q, 2, SECOND / 100) == -ETIMEDOUT && !((char *)m.ptr)[64],
	       "a queue waits for the CPU");
	vn_sem_signal(q, word, 2);
	tap_ok(vn_wait(q, 2, SECOND / 100) == -ETIMEDOUT && *word == 2, "2 is not 3");
	vn_sem_signal(q, word, 1);
	tap_ok(!vn_wait(q, 2, LONG) && vn_reap(q, e, 4) == 2 && ((char *)m.ptr)[64] == 0x77,
	       "3 is");
	vn_prep_sem_signal(vn_next(q), vn_at(&m, 8), 5);
	vn_prep_sem_signal(vn_next(q), vn_at(&m, 8), 6);
	tap_ok(!vn_sem_wait(q, word + 1, 11, LONG) && word[1] == 11, "the CPU waits for a queue");
	tap_ok(vn_sem_wait(q, word + 1, 12, SECOND / 100) == -ETIMEDOUT, "in vain: %s", vn_error());
	tap_ok(!vn_sem_wait(q, word + 1, 11, 0), "not at all for what is there");
	vn_wait(q, 2, LONG);
	vn_reap(q, e, 4);
	struct vn_desc *d = vn_next(q);
	vn_prep_sem_signal(d, vn_at(&m, 8), 4);
	d->arg = VN_SEM_SET;
	tap_ok(!vn_complete(q, LONG) && word[1] == 4, "a semaphore is set");
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

/* Two queues on two chips, driven by one thread that waits for the second only. */
static void test_two(vn_device_t dev)
{
	struct vn_mem a = take(dev, 0, 65536), b = take(dev, 6, 65536), s = take(dev, 6, 4096);
	vn_queue_t p = queue(dev, 0, 64), c = queue(dev, 6, 64);
	unsigned int rounds = quick() ? 30 : 500, wrong = 0;
	struct vn_cqe e[64];

	for (unsigned int i = 1; i <= rounds; i++) {
		/* the consumer is submitted first, so it blocks */
		vn_prep_sem_wait(vn_next(c), vn_at(&s, 0), i);
		vn_prep_copy(vn_next(c), vn_at(&b, 32768), vn_at(&b, 0), 8192);
		vn_submit(c);
		vn_prep_fill(vn_next(p), vn_at(&a, 0), 8192, i, 4);
		vn_prep_copy(vn_next(p), vn_at(&b, 0), vn_at(&a, 0), 8192);
		vn_prep_sem_signal(vn_next(p), vn_at(&s, 0), 1);
		vn_submit(p);
		wrong += vn_wait(c, 2, LONG) || vn_reap(c, e, 64) != 2 || e[0].status ||
			 e[1].status;
		for (unsigned int k = 0; k < 2048; k += 97)
			wrong += ((uint32_t *)b.ptr)[8192 + k] != i;
		wrong += vn_complete(p, LONG) != 0;
		if (wrong)
			break;
	}
	tap_ok(!wrong, "data, then signal, then a copy on another chip: %u times (%u wrong)",
	       rounds, wrong);
	vn_queue_destroy(p);
	vn_queue_destroy(c);
	vn_mem_free(dev, &a);
	vn_mem_free(dev, &b);
	vn_mem_free(dev, &s);
}

/* Ping-pong of two threads, each with its own queue. */
static struct {
	struct vn_mem sem[2], data[2];
	unsigned int rounds, wrong[2];
	vn_queue_t q[2];
} pong;

static void *player(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg;
	vn_queue_t q = pong.q[me];

	for (unsigned int i = 1; i <= pong.rounds; i++) {
		uint64_t turn = 2 * i - 1 + me;

		/* wait for turn - 1 on my side, write the number of the turn over there, signal */
		vn_prep_sem_wait(vn_next(q), vn_at(&pong.sem[me], 0), turn / 2);
		if (me || i > 1)
			pong.wrong[me] += vn_wait(q, 1, LONG) != 0;
		pong.wrong[me] += vn_complete(q, LONG) != 0;
		if (turn > 1)
			pong.wrong[me] += *(uint64_t *)pong.data[me].ptr != turn - 1;
		vn_prep_fill(vn_next(q), vn_at(&pong.data[!me], 0), 4096, turn, 8);
		vn_prep_sem_signal(vn_next(q), vn_at(&pong.sem[!me], 0), 1);
		pong.wrong[me] += vn_complete(q, LONG) != 0;
		if (pong.wrong[me])
			break;
	}
	return NULL;
}

static void test_threads(vn_device_t dev)
{
	pthread_t t[2];

	pong.rounds = quick() ? 50 : 2000;
	for (unsigned int i = 0; i < 2; i++) {
		pong.sem[i] = take(dev, i * 5, 4096);
		pong.data[i] = take(dev, i * 5, 4096);
		pong.q[i] = queue(dev, i * 5, 8);
	}
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, player, (void *)(uintptr_t)i);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	tap_ok(!pong.wrong[0] && !pong.wrong[1],
	       "two threads, %u turns each: no wake-up lost (%u, %u wrong)", pong.rounds,
	       pong.wrong[0], pong.wrong[1]);
	for (unsigned int i = 0; i < 2; i++) {
		vn_queue_destroy(pong.q[i]);
		vn_mem_free(dev, &pong.sem[i]);
		vn_mem_free(dev, &pong.data[i]);
	}
}

/* A long chain: each queue waits for the one before it, submitted in the worst order. */
static void test_chain(vn_device_t dev)
{
	enum { LINKS = 24 };
	struct vn_mem s = take(dev, 0, 4096);
	vn_queue_t q[LINKS];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < LINKS; i++)
		q[i] = queue(dev, i % 8, 8);
	for (unsigned int i = LINKS; i--;) {
		vn_prep_sem_wait(vn_next(q[i]), vn_at(&s, 0), i);
		vn_prep_sem_signal(vn_next(q[i]), vn_at(&s, 0), 1);
		vn_submit(q[i]);
	}
	wrong += vn_wait(q[LINKS - 1], 2, LONG) != 0;
	for (unsigned int i = 0; i < LINKS; i++)
		wrong += vn_complete(q[i], LONG) != 0;
	tap_ok(!wrong && *(uint64_t *)s.ptr == LINKS, "a chain of %d queues (%u wrong)", LINKS,
	       wrong);
	for (unsigned int i = 0; i < LINKS; i++)
		vn_queue_destroy(q[i]);
	vn_mem_free(dev, &s);
}

/* Who waits for a semaphore in a window that ends is told, without asking. */
static void test_window_ends(vn_device_t dev)
{
	struct vn_mem m = take(dev, 1, 4096);
	vn_queue_t q = queue(dev, 0, 8);
	const struct vn_ring *ring = vn_queue_ring(q);
	uint32_t key;

	NEED(vn_window_create(dev, &m, 0, 4096,
			      VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ |
				      VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC,
			      &key));
	vn_prep_sem_wait(vn_next(q), vn_by_key(1, key, 0), 1);
	vn_submit(q);
	tap_ok(vn_wait(q, 1, SECOND / 100) == -ETIMEDOUT, "a queue waits by key");
	sleep_ms(20);
	NEED(vn_window_invalidate(dev, 1, key));
	for (int i = 0; i < 10000; i++) {
		if (__atomic_load_n(&ring->state, __ATOMIC_ACQUIRE) == VN_QUEUE_ERROR)
			break;
		sleep_ms(1);
	}
	tap_ok(ring->state == VN_QUEUE_ERROR && ring->error_status == VN_STALE_KEY,
	       "and stops when the window ends (status %u)", ring->error_status);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

int main(void)
{
	vn_device_t dev = device();

	test_cpu(dev);
	test_two(dev);
	test_threads(dev);
	test_chain(dev);
	test_window_ends(dev);
	vn_close(dev);
	return tap_done();
}
