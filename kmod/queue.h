/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues as objects of a context: rings, their life, and the calls on them. */
#ifndef VN_KMOD_QUEUE_H
#define VN_KMOD_QUEUE_H

#include <linux/eventfd.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/wait.h>
#include "engine/queue.h"
#include "context.h"
#include "mmap.h"

/*
 * Held as an object is: by its context, by VMAs, by whoever attends it (a
 * thread in WAIT, a worker). While somebody attends it its context stays, too:
 * destroying waits for them (vn_attend_stop()).
 *
 * run_lock guards the engine's queue; the fields behind it are worker.c's, and
 * turn.c says what attending means.
 */
struct vn_kqueue {
	struct vn_object object;
	struct vn_context *ctx;
	struct vn_user *user;		/* pays, also for what is only mapped */
	struct vn_domain *domain;	/* with a reference: turns use its tables */
	u32 id;
	u32 chip;
	struct page **page;		/* [object.pages] */
	void *map;
	struct eventfd_ctx *eventfd;
	struct vn_kinbox *inbox;	/* NULL, until a window is bound to it; objects_lock */
	wait_queue_head_t wait;
	atomic_t events;		/* counts reasons to look again */

	struct mutex run_lock;
	u32 turns;			/* changed under run_lock, others look */
	u32 clears;			/* under run_lock */

	u32 attending;			/* awake, in WAIT or a worker; others look */
	u32 sleeping;			/* in WAIT */
	bool stopping;			/* others look */

	struct vn_queue q;
};

/* The context's queue with a reference, or NULL. */
struct vn_kqueue *vn_kqueue_find(struct vn_context *ctx, u32 id);
void vn_kqueue_put(struct vn_kqueue *kq);

/* The number of the turn that begins. Under run_lock. */
static inline u32 vn_kqueue_turn(struct vn_kqueue *kq)
{
	WRITE_ONCE(kq->turns, kq->turns + 1);
	return kq->turns;
}

int vn_call_queue_create(struct vn_context *ctx, void *arg);
void vn_undo_queue_create(struct vn_context *ctx, void *arg);
int vn_call_queue_destroy(struct vn_context *ctx, void *arg);
int vn_call_queue_reset(struct vn_context *ctx, void *arg);
int vn_call_doorbell(struct vn_context *ctx, void *arg);
int vn_call_wait(struct vn_context *ctx, void *arg);

__poll_t vn_context_poll(struct vn_context *ctx, struct file *file, poll_table *table);
void vn_context_close_queues(struct vn_context *ctx);

#endif
