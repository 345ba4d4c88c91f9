/* SPDX-License-Identifier: GPL-2.0-only */
/* Who attends which queue: the lists of ready and blocked ones, and workers. */
#ifndef VN_WORKER_H
#define VN_WORKER_H

#include "queue.h"

/* What a turn at a queue came to. */
struct vn_turn {
	enum vn_run res;
	bool taken;		/* false: no turn since the queue was attended */
	u32 turn;		/* which one it was of the queue's */
	u32 wakes;		/* semaphore events before it */
	u32 rest_us;		/* its writes come faster than they can be copied: a rest */
};

int vn_worker_init(void);
void vn_worker_exit(void);

/*
 * Attending a queue is the duty to see that it moves: either it is run until
 * there is nothing to run, or it is handed on. A queue with something to do has
 * an attendant, or is listed as ready (a worker, or a sleeper woken, comes), or
 * as blocked (and becomes ready when a semaphore is written), or as resting
 * (and becomes ready when that is over), or its NEED_WAKEUP flag is set and the
 * submitter rings the doorbell.
 *
 * The last turn at a queue knows best: results of earlier ones are not acted
 * upon, except those that make it ready.
 *
 * False: it is being destroyed.
 */
bool vn_attend(struct vn_kqueue *kq);
/* Stops attending; hands on what is left to do, after the rest it is to have. */
void vn_attend_end(struct vn_kqueue *kq, const struct vn_turn *t);
/* Goes to sleep on it, unless (false) there is something to do. */
bool vn_attend_sleep(struct vn_kqueue *kq, const struct vn_turn *t);
/* Back from sleep: attends again. */
void vn_attend_wake(struct vn_kqueue *kq);
/* Nobody attends it from now on; returns when nobody does any more. */
void vn_attend_stop(struct vn_kqueue *kq);

/* The queue has something to do: whoever sleeps on it, or a worker, runs it. */
void vn_worker_ready(struct vn_kqueue *kq);
/* A launch is big enough for one more pair of hands. */
void vn_worker_help(struct vn_kqueue *kq);
/* Where inboxes are listed that were posted to; then their queues look. */
struct vn_inbox **vn_worker_posts(void);
void vn_worker_arrivals(void);
/* Semaphores were written: whatever waits for one looks again. */
void vn_worker_semaphores(void);
/*
 * After windows were killed: no runner is still inside, and whoever waits for a
 * semaphore in one of them looks again.
 */
void vn_worker_quiesce(void);
u32 vn_worker_wakes(void);

#endif
