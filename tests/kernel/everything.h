/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that has one of each, and work under way: memory, windows, imports, queues with
 * long copies, with a semaphore nobody signals and with a plan, a status page, the fd of its
 * domain; and a drain, if that is wanted.
 */
#ifndef VN_TEST_EVERYTHING_H
#define VN_TEST_EVERYTHING_H

#include <sys/eventfd.h>
#include "drained.h"

struct everything {
	int ctx, domain, event, session;
	struct mem mem[2];
	uint32_t key[2], plan;
	int64_t offset[2];
	uint8_t *import[2];
	struct queue busy, stuck, planned;
	struct status status;
	uint8_t *health;
};

TAP_FN void everything_works(struct everything *e)
{
	struct vn_desc copy =
		copy_desc(at(&e->mem[1], 64), at(&e->mem[0], 64), e->mem[0].bytes - 64);
	struct vn_desc stuck = sem_desc(VN_OP_SEM_WAIT, at(&e->mem[0], 0), ~0ull);
	struct vn_desc launch = launch_desc(e->plan);

	for (uint32_t i = 0; i < e->busy.depth / 2; i++)
		submit(&e->busy, &copy);
	submit(&e->stuck, &stuck);
	submit(&e->planned, &launch);
	must(!queue_doorbell(&e->busy) && !queue_doorbell(&e->stuck) &&
	     !queue_doorbell(&e->planned));
}

/* On two chips of different sleds. */
TAP_FN void everything_take(struct everything *e, const uint32_t chip[2], uint64_t bytes,
			    bool drain)
{
	struct vn_desc copy[8];

	e->ctx = open_context();
	for (uint32_t i = 0; i < 2; i++) {
		attach(e->ctx, chip[i]);
		e->mem[i] = mem_alloc(e->ctx, chip[i], bytes);
		e->mem[i].ptr[bytes - 1] = 1;
		e->key[i] = window_create(e->ctx, &e->mem[i], 0, bytes, ACCESS_ALL);
		e->offset[i] = window_import(e->ctx, chip[i], e->key[i],
					     VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE);
		must(e->offset[i] > 0);
		e->import[i] =
			mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, e->ctx, e->offset[i]);
		must(e->import[i] != MAP_FAILED);
		e->import[i][PAGE] = 2;
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(copy); i++)
		copy[i] = copy_desc(at(&e->mem[i % 2], 64), at(&e->mem[1 - i % 2], 64), bytes - 64);
	/* Its last one waits for ever. */
	copy[ARRAY_SIZE(copy) - 1] = sem_desc(VN_OP_SEM_WAIT, at(&e->mem[1], 0), ~0ull);
	must(!plan_create(e->ctx, chip[0], copy, ARRAY_SIZE(copy), &e->plan));
	e->event = eventfd(0, EFD_CLOEXEC);
	e->busy = queue_create(e->ctx, chip[0], 16, e->event);
	e->stuck = queue_create(e->ctx, chip[1], 8, -1);
	e->planned = queue_create(e->ctx, chip[1], 8, -1);
	e->status = status_create(e->ctx);
	e->status.entry->ranks = 1;
	e->health = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, e->ctx, VN_HEALTH_OFFSET);
	must(e->health != MAP_FAILED);
	e->domain = domain_export(e->ctx);
	e->session = -1;
	if (drain)
		e->session = drain_till(e->ctx, sled_of(e->ctx, chip[0]), VN_SLED_PRECOPY);
	everything_works(e);
}

#endif
