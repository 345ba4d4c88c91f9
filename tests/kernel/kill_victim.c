// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Does one thing on and on, to be killed in the middle of it: "copy", big
 * copies in WAIT; "worker", the same run by workers; "plan", a long plan over
 * many chips; "blocked", WAIT for a semaphore nobody signals; "blocked-plan",
 * a plan of which each program waits for one; "objects", making and ending
 * memory, windows, imports, queues and plans; "sleep", nothing, with all of
 * them. Says "ready" when at it.
 */
#include <pthread.h>
#include "abi/abi.h"

#define CHIPS 8u
#define BYTES (2u << 20)
#define COPIES 32u

static int ctx;
static struct mem mem[CHIPS];
static uint32_t keys[CHIPS];

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void setup(void)
{
	ctx = open_context();
	for (uint32_t i = 0; i < CHIPS; i++) {
		attach(ctx, i);
		mem[i] = mem_alloc(ctx, i, BYTES);
		keys[i] = window_create(ctx, &mem[i], 0, BYTES, ACCESS_ALL);
		must(window_import(ctx, i, keys[i], VN_ACCESS_REMOTE_READ) > 0);
	}
}

static uint32_t make_plan(bool blocked)
{
	static struct vn_desc descs[CHIPS * COPIES];
	struct vn_program programs[CHIPS];
	struct vn_plan_create a = { .size = sizeof(a),
				    .programs = (uintptr_t)programs,
				    .descs = (uintptr_t)descs,
				    .nprograms = CHIPS,
				    .ndescs = CHIPS * COPIES };

	for (uint32_t i = 0; i < CHIPS; i++) {
		programs[i] =
			(struct vn_program){ .chip = i, .first = i * COPIES, .count = COPIES };
		for (uint32_t j = 0; j < COPIES; j++)
			descs[i * COPIES + j] =
				j == COPIES / 2 && blocked
					? sem_desc(VN_OP_SEM_WAIT, at(&mem[i], 0), ~0ull)
					: copy_desc(at(&mem[i], BYTES / 2),
						    at(&mem[(i + 1) % CHIPS], 64), BYTES / 2);
	}
	must(!call(ctx, VN_IOCTL_PLAN_CREATE, &a));
	return a.plan;
}

static void work(const char *how)
{
	struct queue q = queue_create(ctx, 0, 64, -1);
	struct vn_desc d = copy_desc(at(&mem[1], 64), at(&mem[0], 0), BYTES - 64);

	if (!strcmp(how, "plan") || !strcmp(how, "blocked-plan"))
		d = launch_desc(make_plan(how[0] == 'b'));
	else if (!strcmp(how, "blocked"))
		d = sem_desc(VN_OP_SEM_WAIT, at(&mem[0], 0), ~0ull);
	ready();
	for (;;) {
		uint32_t tail = q.ring->sq_tail;

		q.ring->cq_head = q.ring->cq_tail;
		while (tail + 1 - q.ring->cq_tail < 32 && q.ring->sq_tail - q.ring->cq_tail < 32)
			submit(&q, &d);
		if (strcmp(how, "worker")) {
			must(!wait_until(&q, q.ring->sq_tail, ~0ull));
		} else {
			must(!queue_doorbell(&q));
			usleep(500);
		}
	}
}

static void objects(bool sleep)
{
	struct vn_desc nop = { .opcode = VN_OP_NOP };

	ready();
	for (;;) {
		struct mem m = mem_alloc(ctx, 3, BYTES);
		struct queue q = queue_create(ctx, 3, 64, -1);
		uint32_t key = window_create(ctx, &m, 0, BYTES, ACCESS_ALL), plan;
		int64_t off = window_import(ctx, 3, key, VN_ACCESS_REMOTE_READ);
		uint8_t *p = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, ctx, off);

		must(off > 0 && p != MAP_FAILED && !p[BYTES - 1]);
		must(!plan_create(ctx, 3, &nop, 1, &plan));
		if (sleep)
			pause();
		must(run(&q, &nop) == VN_OK);
		must(!plan_destroy(ctx, plan));
		must(!window_invalidate(ctx, 3, key));
		munmap(p, BYTES);
		queue_destroy(&q);
		munmap(m.ptr, m.bytes);
		must(!mem_free(ctx, 3, m.addr));
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	setup();
	if (!strcmp(how, "objects") || !strcmp(how, "sleep"))
		objects(how[0] == 's');
	else
		work(how);
	return 0;
}
