// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Queues of the embedded device: their rings and their life. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../home.h"
#include "embed.h"

static void queue_free(struct embed_queue *q)
{
	munmap(q->map, q->map_bytes);
	if (q->eventfd >= 0)
		close(q->eventfd);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

int embed_queue_create(struct embed_context *ctx, struct vn_queue_create *a)
{
	struct embed_device *dev = ctx->dev;
	const struct vn_env env = {
		.own = &ctx->own,
		.sw = &dev->sw,
		.chip = a->chip,
		.flow = ctx->id,
	};
	struct embed_queue *q;
	u32 id;
	int err;

	if (!ctx->attached[a->chip])
		return -EACCES;
	if (vn_switch_lost(&dev->sw, a->chip))
		return -EHOSTDOWN;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->map_bytes = VN_QUEUE_BYTES(a->depth);
	q->map = mmap(NULL, q->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (q->map == MAP_FAILED) {
		free(q);
		return -ENOMEM;
	}
	vn_lock_init(&q->lock);
	q->ctx = ctx;
	/* A copy of the fd, so that closing it outside can't redirect our writes. */
	q->eventfd = a->flags & VN_QUEUE_EVENTFD ? fcntl(a->eventfd, F_DUPFD_CLOEXEC, 0) : -1;
	if (a->flags & VN_QUEUE_EVENTFD && q->eventfd < 0) {
		err = -errno;
		queue_free(q);
		return err;
	}
	vn_queue_init(&q->q, q->map, a->depth, dev->sw.chips, &env);

	pthread_mutex_lock(&dev->objects);
	pthread_mutex_lock(&dev->sched_lock);
	for (id = 0; id < EMBED_QUEUES_MAX && ctx->queues[id]; id++)
		;
	if (id < EMBED_QUEUES_MAX) {
		q->id = id;
		q->q.env.flow = ctx->id << 10 | id;
		q->domain = ctx->domain;
		q->domain->refs++;
		q->q.env.domain = &q->domain->table;
		ctx->queues[id] = q;
		dev->queues[a->chip]++;
	}
	pthread_mutex_unlock(&dev->sched_lock);
	pthread_mutex_unlock(&dev->objects);
	if (id == EMBED_QUEUES_MAX) {
		queue_free(q);
		return -ENOSPC;
	}
	a->queue = id;
	a->mmap_offset = (uintptr_t)q->map;
	a->mmap_bytes = q->map_bytes;
	return 0;
}

struct embed_queue *embed_queue_get(struct embed_context *ctx, u32 id)
{
	struct embed_queue *q;

	pthread_mutex_lock(&ctx->dev->sched_lock);
	q = id < EMBED_QUEUES_MAX ? ctx->queues[id] : NULL;
	if (q && q->dying)
		q = NULL;
	if (q)
		q->users++;
	pthread_mutex_unlock(&ctx->dev->sched_lock);
	return q;
}

void embed_queue_put(struct embed_queue *q)
{
	struct embed_device *dev = q->ctx->dev;

	pthread_mutex_lock(&dev->sched_lock);
	if (!--q->users && q->dying)
		pthread_cond_broadcast(&dev->left_cond);
	pthread_mutex_unlock(&dev->sched_lock);
}

/* Stops a launch and empties the rings once its helpers are out. */
static void stop(struct embed_queue *q)
{
	struct embed_device *dev = q->ctx->dev;
	struct embed_plan *p = NULL;
	bool done = false;
	u32 seen;

	while (!done) {
		seen = vn_load_acquire(&dev->events);
		pthread_mutex_lock(&q->lock);
		vn_queue_cancel(&q->q);
		p = q->q.plan ? (struct embed_plan *)q->q.plan : NULL;
		done = vn_queue_clear(&q->q);
		q->clears += done;
		pthread_mutex_unlock(&q->lock);
		/* Helpers raise an event when they leave. */
		if (!done)
			embed_sleep(dev, seen, UINT64_MAX);
	}
	if (p)
		embed_plan_put(q->ctx, p);
	/* Who waited to tell it something can. */
	if (READ_ONCE(q->q.inbox))
		embed_semaphores(dev);
}

/* The queue is marked dying and has no number any more. */
static void end(struct embed_queue *q)
{
	struct embed_device *dev = q->ctx->dev;

	embed_inbox_shut(q); /* before it is emptied: there would be room again */
	embed_event(dev); /* a thread that waits on it gives up */
	stop(q);
	pthread_mutex_lock(&dev->sched_lock);
	vn_sched_remove(&dev->sched, &q->q);
	while (q->users)
		pthread_cond_wait(&dev->left_cond, &dev->sched_lock);
	vn_sched_remove(&dev->sched, &q->q);
	pthread_mutex_unlock(&dev->sched_lock);
	/* Somebody may have begun a turn before it saw that the queue is dying. */
	stop(q);
	embed_inbox_end(q);
	queue_free(q);
}

int embed_queue_destroy(struct embed_context *ctx, struct vn_queue_id *a)
{
	struct embed_device *dev = ctx->dev;
	struct embed_domain *dom;
	struct embed_queue *q;

	pthread_mutex_lock(&dev->objects);
	pthread_mutex_lock(&dev->sched_lock);
	q = a->queue < EMBED_QUEUES_MAX ? ctx->queues[a->queue] : NULL;
	if (q) {
		WRITE_ONCE(q->dying, true); /* looked at without the lock, too */
		ctx->queues[a->queue] = NULL;
		dev->queues[q->q.env.chip]--;
	}
	pthread_mutex_unlock(&dev->sched_lock);
	pthread_mutex_unlock(&dev->objects);
	if (!q)
		return -ENOENT;
	dom = q->domain;
	end(q);
	pthread_mutex_lock(&dev->objects);
	embed_domain_put(dom);
	pthread_mutex_unlock(&dev->objects);
	return 0;
}

int embed_queue_reset(struct embed_context *ctx, struct vn_queue_id *a)
{
	struct embed_queue *q = embed_queue_get(ctx, a->queue);

	if (!q)
		return -ENOENT;
	stop(q);
	embed_queue_put(q);
	return 0;
}

int embed_queue_doorbell(struct embed_context *ctx, struct vn_queue_id *a)
{
	struct embed_queue *q = embed_queue_get(ctx, a->queue);
	struct embed_device *dev = ctx->dev;

	if (!q)
		return -ENOENT;
	/* It may stand for a semaphore the CPU wrote, too. */
	pthread_mutex_lock(&dev->sched_lock);
	vn_sched_wake(&dev->sched);
	pthread_mutex_unlock(&dev->sched_lock);
	embed_event(dev);
	embed_kick(q);
	embed_queue_put(q);
	return 0;
}

void embed_queue_release_all(struct embed_context *ctx)
{
	struct vn_queue_id a;

	for (a.queue = 0; a.queue < EMBED_QUEUES_MAX; a.queue++)
		if (ctx->queues[a.queue])
			embed_queue_destroy(ctx, &a);
}
