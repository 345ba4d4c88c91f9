// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What queues are told by others: life of an inbox, and waking whose it is. */
#include <stdlib.h>

#include "embed.h"

static struct embed_inbox *inbox_new(struct embed_queue *q)
{
	u32 depth = q->q.depth;
	struct embed_inbox *ei = calloc(1, sizeof(*ei));

	if (!ei)
		return NULL;
	ei->slots = calloc(depth, sizeof(*ei->slots));
	if (!ei->slots) {
		free(ei);
		return NULL;
	}
	ei->refs = 1;
	ei->queue = q;
	vn_inbox_init(&ei->inbox, ei->slots, depth, q->q.env.chip, &q->ctx->dev->posts);
	return ei;
}

struct embed_inbox *embed_inbox_get(struct embed_queue *q)
{
	if (!q->inbox) {
		struct embed_inbox *ei = inbox_new(q);

		if (!ei)
			return NULL;
		pthread_mutex_lock(&q->lock);
		q->inbox = ei;
		vn_queue_receive(&q->q, &ei->inbox);
		pthread_mutex_unlock(&q->lock);
	}
	q->inbox->refs++;
	return q->inbox;
}

void embed_inbox_put(struct embed_inbox *ei)
{
	if (!--ei->refs)
		free(ei);
}

void embed_inbox_shut(struct embed_queue *q)
{
	if (!q->inbox)
		return;
	pthread_mutex_lock(&q->lock);
	vn_inbox_set(&q->inbox->inbox, VN_INBOX_GONE);
	pthread_mutex_unlock(&q->lock);
}

void embed_inbox_end(struct embed_queue *q)
{
	struct embed_device *dev = q->ctx->dev;

	if (!q->inbox)
		return;
	/* Those that wait to tell it something look again. */
	embed_runners_pass(dev);
	/* Those that were in have listed it, maybe: off with it. */
	embed_arrivals(dev);
	free(q->inbox->slots);
	pthread_mutex_lock(&dev->objects);
	embed_inbox_put(q->inbox);
	pthread_mutex_unlock(&dev->objects);
}

void embed_arrivals(struct embed_device *dev)
{
	struct vn_inbox *b, *next;
	struct embed_queue *q;

	pthread_mutex_lock(&dev->sched_lock);
	for (b = vn_inbox_posted(&dev->posts); b; b = next) {
		next = b->next;
		vn_inbox_let_go(b);
		q = ((struct embed_inbox *)b)->queue;
		/* Who waits runs what is ready, where there are no workers. */
		if (!q->dying)
			embed_list(q);
	}
	pthread_mutex_unlock(&dev->sched_lock);
	embed_event(dev);
}
