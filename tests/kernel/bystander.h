/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that has nothing to do with what happens beside it: it moves bytes by key
 * between chips of its own, in WAIT and by workers in turn, and looks at each of them.
 */
#ifndef VN_TEST_BYSTANDER_H
#define VN_TEST_BYSTANDER_H

#include <sys/wait.h>
#include "abi/abi.h"

#define STANDS_ON 20u /* and the chip behind it */
#define STANDS_BYTES (64u << 10)

static struct bystander {
	pid_t pid;
	struct {
		uint64_t rounds, wrong; /* atomic */
		bool stop; /* atomic */
	} * seen; /* shared */
} bystander;

TAP_FN void bystander_round(struct queue *q, struct mem *m, uint32_t key, uint64_t round)
{
	struct vn_desc d = copy_desc((struct vn_operand){ VN_HERE, m[1].chip, key, 0 },
				     at(&m[0], 0), STANDS_BYTES);
	uint64_t *from = (void *)m[0].ptr, *to = (void *)m[1].ptr, wrong = 0;
	uint32_t done = q->ring->cq_tail + 1;

	for (uint32_t i = 0; i < STANDS_BYTES / 8; i++)
		from[i] = round * 0x9e3779b97f4a7c15ull + i;
	if (round % 2) {
		wrong += run(q, &d) != VN_OK;
	} else {
		q->ring->cq_head = q->ring->cq_tail;
		submit(q, &d);
		wrong += queue_doorbell(q) != 0;
		while (q->ring->cq_tail != done && q->ring->state == VN_QUEUE_READY)
			usleep(100);
		wrong += q->cq[(done - 1) & (q->depth - 1)].status != VN_OK;
	}
	for (uint32_t i = 0; i < STANDS_BYTES / 8; i++)
		wrong += to[i] != round * 0x9e3779b97f4a7c15ull + i;
	if (wrong)
		__atomic_add_fetch(&bystander.seen->wrong, wrong, __ATOMIC_RELAXED);
}

TAP_FN void bystander_begin(void)
{
	struct mem m[2];
	struct queue q;
	uint32_t key;
	int ctx;

	bystander.seen =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(bystander.seen != MAP_FAILED);
	fflush(stdout);
	bystander.pid = fork();
	must(bystander.pid >= 0);
	if (!bystander.pid) {
		ctx = open_context();
		for (uint32_t i = 0; i < 2; i++) {
			attach(ctx, STANDS_ON + i);
			m[i] = mem_alloc(ctx, STANDS_ON + i, STANDS_BYTES);
		}
		key = window_create(ctx, &m[1], 0, STANDS_BYTES, ACCESS_ALL);
		q = queue_create(ctx, STANDS_ON, 8, -1);
		while (!__atomic_load_n(&bystander.seen->stop, __ATOMIC_RELAXED)) {
			bystander_round(&q, m, key, bystander.seen->rounds + 1);
			__atomic_add_fetch(&bystander.seen->rounds, 1, __ATOMIC_RELEASE);
			usleep(500);
		}
		_exit(0);
	}
	while (!__atomic_load_n(&bystander.seen->rounds, __ATOMIC_ACQUIRE))
		usleep(1000);
}

/* Some rounds more, from now on, and never a wrong byte. */
TAP_FN bool bystander_goes_on(void)
{
	uint64_t rounds = bystander.seen->rounds, end = now_ns() + 60 * SECOND;

	while (__atomic_load_n(&bystander.seen->rounds, __ATOMIC_ACQUIRE) < rounds + 3 &&
	       now_ns() < end)
		usleep(1000);
	return __atomic_load_n(&bystander.seen->rounds, __ATOMIC_ACQUIRE) >= rounds + 3 &&
	       !__atomic_load_n(&bystander.seen->wrong, __ATOMIC_RELAXED);
}

TAP_FN void bystander_end(void)
{
	int status;

	__atomic_store_n(&bystander.seen->stop, true, __ATOMIC_RELAXED);
	must(waitpid(bystander.pid, &status, 0) == bystander.pid);
	tap_ok(!status && !bystander.seen->wrong,
	       "who stood beside it all: %llu rounds, %llu wrong",
	       (unsigned long long)bystander.seen->rounds,
	       (unsigned long long)bystander.seen->wrong);
}

#endif
