/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which queue next. Round robin now; the interface is what a fair scheduler
 * needs: queues become ready, one is picked, and comes back with what happened
 * and what it cost. All under one lock of the shell.
 *
 * A queue may be picked by one thread while another is at it: the queue's own
 * lock sorts that out, and during a launch it is wanted.
 */
#ifndef VN_SCHED_H
#define VN_SCHED_H

#include "port.h"
#include "queue.h"

struct vn_sched {
	struct vn_queue *head, *tail;		/* ready, first come first served */
	struct vn_queue *blocked;		/* waiting for a semaphore */
	struct vn_queue *resting;		/* till rest_until: the first to be up first */
	u32 wakes;				/* atomic: semaphore events so far */
};

/* Makes it ready, unless it rests. True: it was not listed as ready before. */
bool vn_sched_ready(struct vn_sched *s, struct vn_queue *q);
/* Takes the next one, or NULL. */
struct vn_queue *vn_sched_pick(struct vn_sched *s);
/*
 * Comes back from a turn that cost so many bytes. `wakes` is what s->wakes was
 * before the turn: a semaphore written since then may be the one it waits for.
 * True: it is ready again.
 */
bool vn_sched_done(struct vn_sched *s, struct vn_queue *q, enum vn_run res, u64 cost, u32 wakes);
/* A semaphore was written: all blocked queues are ready. True: there were some. */
bool vn_sched_wake(struct vn_sched *s);
/*
 * It is not to be picked until then, whatever happens meanwhile. True: it is the first to
 * be up, so who looks after that is to look again.
 */
bool vn_sched_rest(struct vn_sched *s, struct vn_queue *q, u64 until);
/* The next one whose rest is over, listed nowhere; or NULL. */
struct vn_queue *vn_sched_rested(struct vn_sched *s, u64 now);
/* Takes it off all lists. */
void vn_sched_remove(struct vn_sched *s, struct vn_queue *q);

#endif
