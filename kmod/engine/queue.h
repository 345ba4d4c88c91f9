/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A queue: two rings in memory shared with the user, and the device's own idea
 * of them. In order; one descriptor at a time. The shell holds the queue's lock
 * for every function here unless the function says otherwise.
 *
 * One turn of a shell at a queue:
 *
 *	lock
 *	res = vn_queue_run(q, runner, now, budget)
 *	if (res == VN_RUN_PLAN)		// at a LAUNCH that has not begun
 *		res = vn_queue_launch(q, plan or NULL, runner)
 *	vn_queue_publish(q, now)	// completions become visible, stamped
 *	unlock
 *	if (res == VN_RUN_HELP) {	// a launch is running; this runner is in
 *		while (vn_plan_work(q->plan, ...) == VN_WORK_PROGRESS)
 *			;
 *		lock; ended = vn_queue_leave(q); vn_queue_publish(q, now); unlock
 *		// ended: the plan is out of the queue's hands, drop its reference
 *	}
 *	// r->signalled: those that are BLOCKED look again; r->posted: vn_inbox_posted()
 */
#ifndef VN_QUEUE_H
#define VN_QUEUE_H

#include "port.h"
#include "exec.h"
#include "plan.h"

enum vn_run {
	VN_RUN_IDLE,		/* nothing published that is not done */
	VN_RUN_MORE,		/* budget used, more to do */
	VN_RUN_BLOCKED,		/* head waits for a semaphore */
	VN_RUN_FULL,		/* no room for completions until the user reads */
	VN_RUN_PLAN,		/* head is a LAUNCH: vn_queue_launch() */
	VN_RUN_HELP,		/* a launch runs, this runner counts as a helper */
	VN_RUN_ERROR,		/* stopped; vn_queue_clear() */
};

struct vn_queue {
	/* the mapping, and what never changes */
	struct vn_ring *ring;
	const struct vn_desc *sq;
	struct vn_cqe *cq;
	u32 depth;
	u32 chips;
	struct vn_env env;

	/* the device's own indexes; the user's are only looked at */
	u32 sq_head;
	u32 burst_end;			/* tail seen when all that was known of was fetched */
	u32 cq_tail;			/* filled */
	u32 cq_shown;			/* published */
	u64 seq;			/* of the descriptor at sq_head */
	u64 started;			/* tick at which the unpublished batch began */
	u64 stamp;			/* of the submission, as fetched */
	u64 stalls;
	u64 arrived;			/* arrivals shown or to be shown, since the reset */
	struct vn_inbox *inbox;		/* atomic: NULL, until a window is bound to it */
	bool backlog;			/* the user was told that arrivals wait for room */
	bool full;			/* in a stall that was counted */
	u32 state;			/* enum vn_queue_state */

	bool active;			/* desc is fetched, cur under way */
	struct vn_desc desc;
	struct vn_cursor cur;
	struct vn_plan *plan;		/* launch under way */
	u32 helpers;			/* runners in it */

	struct vn_queue *next;		/* sched.h */
	u8 listed;
	u64 rest_until;

	struct vn_operand table[VN_OPERANDS_MAX];
};

/* map: zeroed, VN_QUEUE_BYTES(depth). Also sets NEED_WAKEUP. */
void vn_queue_init(struct vn_queue *q, void *map, u32 depth, u32 chips, const struct vn_env *env);

/* Has the user published something not fetched yet, or is work under way? No lock. */
bool vn_queue_pending(const struct vn_queue *q);
/* Has somebody told it something that was not taken yet? No lock, while the inbox stays. */
bool vn_queue_arrivals(const struct vn_queue *q);
/* How many descriptors lie published and unfetched (0 for an impossible tail). No lock. */
u32 vn_queue_waiting(const struct vn_queue *q);

/* Runs descriptors until something other than MORE is to be said, or about `budget` bytes. */
enum vn_run vn_queue_run(struct vn_queue *q, struct vn_runner *r, u64 now, u64 budget);
/* Begins the LAUNCH at the head. plan: of the number q->desc.launch.plan, or NULL if there is none. */
enum vn_run vn_queue_launch(struct vn_queue *q, struct vn_plan *plan, struct vn_runner *r);
/* It gets what is told to that inbox; NULL: nothing any more, and nobody runs it then. */
void vn_queue_receive(struct vn_queue *q, struct vn_inbox *inbox);
/* A helper comes back. True: the launch is over and q->plan was let go. */
bool vn_queue_leave(struct vn_queue *q);
/* Shows completions since the last publish. Returns how many. */
u32 vn_queue_publish(struct vn_queue *q, u64 now);

/*
 * Nobody will look at the ring from now on. Sets NEED_WAKEUP, then looks once
 * more: true when something came in between (the flag is taken back). Pairs
 * with the barrier between a submitter's store of sq_tail and load of flags.
 */
bool vn_queue_arm(struct vn_queue *q);
void vn_queue_disarm(struct vn_queue *q);

/*
 * Stops it with that status, as a bad descriptor does: what is under way ends, and the
 * queue is in ERROR; a launch ends when its last helper has left, and then it is. True:
 * none was in it, and q->plan was let go.
 */
bool vn_queue_halt(struct vn_queue *q, u32 status);
/* Ends a running launch soon; helpers still have to leave. */
void vn_queue_cancel(struct vn_queue *q);
/*
 * Forgets all and leaves ERROR; not while helpers are in (returns false). A
 * shell that holds a reference for q->plan reads it before and drops it after; and it
 * tells those who may wait for room in the inbox, as if a semaphore was written.
 */
bool vn_queue_clear(struct vn_queue *q);

#endif
