// SPDX-License-Identifier: GPL-2.0-only

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include "engine/plan.h"
#include "compat.h"
#include "drain.h"
#include "move.h"
#include "plan.h"
#include "pool.h"
#include "trace.h"
#include "turn.h"

/* About what a turn touches: how long the queue's lock is held. */
#define TURN_BYTES	(1u << 20)

/* A launch that touches more than this is worth waking a worker for. */
#define HELP_BYTES	(256u << 10)

/* How long to look on while another thread is at the queue, or the launch. */
#define SPIN_NS		(20 * NSEC_PER_USEC)

static bool reached(const struct vn_kqueue *kq, u32 target)
{
	/* Pairs with the publishing of completions, which are behind it. */
	return (s32)(smp_load_acquire(&kq->q.cq_shown) - target) >= 0;
}

void vn_turn_show(struct vn_kqueue *kq, u32 completions)
{
	bool error = READ_ONCE(kq->q.state) == VN_QUEUE_ERROR;

	if (!completions && !error)
		return;
	/* Pairs with the barriers of whoever reads events and then sleeps. */
	smp_mb__before_atomic();
	atomic_inc(&kq->events);
	if (wq_has_sleeper(&kq->wait))
		wake_up_all(&kq->wait);
	if (kq->eventfd && completions)
		vn_eventfd_signal(kq->eventfd);
	if (wq_has_sleeper(&kq->ctx->poll_wait))
		wake_up_poll(&kq->ctx->poll_wait, error ? EPOLLERR : EPOLLIN | EPOLLRDNORM);
}

/* Publishes, and tells the tracer. Under run_lock; vn_turn_show() comes after it. */
static u32 publish(struct vn_kqueue *kq)
{
	struct vn_queue *q = &kq->q;
	u32 n = vn_queue_publish(q, ktime_get_ns());

	if (n)
		trace_queue_complete(kq->ctx->id, kq->id, kq->chip, q->seq, n, q->state);
	return n;
}

static void note_fences(struct vn_kqueue *kq, struct vn_runner *r)
{
	if (!r->fenced)
		return;
	atomic64_add(r->fenced, &kq->ctx->fence_waits);
	vn_drain_waited(r->fenced);
	r->fenced = 0;
}

/* Who is to look now: those that wait for a semaphore, or room; those that were told something. */
static void note_others(struct vn_runner *r)
{
	if (r->signalled) {
		r->signalled = false;
		vn_worker_semaphores();
	}
	if (r->posted) {
		r->posted = false;
		vn_worker_arrivals();
	}
}

/* The launch at the head of the queue begins, or fails. Under run_lock. */
static enum vn_run launch(struct vn_kqueue *kq, struct vn_runner *r)
{
	struct vn_kplan *kp = vn_kplan_find(kq->ctx, kq->q.desc.launch.plan);
	enum vn_run res = vn_queue_launch(&kq->q, kp ? &kp->p : NULL, r);

	if (res == VN_RUN_HELP) {
		/* The queue keeps the reference until the launch is over. */
		WRITE_ONCE(kp->launches, kp->launches + 1);
		trace_plan_start(kq->ctx->id, kq->id, kp->id, kp->p.nprograms);
	} else if (kp) {
		vn_kplan_put(kp);
	}
	return res;
}

/*
 * What is left of a launch waits, maybe for others that are in it: coming back
 * from sleep costs more than looking again for a moment.
 */
static bool wait_for_others(const struct vn_queue *q, u64 *since)
{
	u64 now = ktime_get_ns();

	if (!*since)
		*since = now;
	if (READ_ONCE(q->helpers) < 2 || now - *since > SPIN_NS || need_resched())
		return false;
	cpu_relax();
	return true;
}

/* Works on the launch under way, as one of maybe many. */
static void help(struct vn_kqueue *kq, struct vn_plan *p, u32 place, struct vn_runner *r,
		 struct vn_turn *t)
{
	struct vn_kplan *kp = container_of(p, struct vn_kplan, p);
	/* Places far apart: neighbours mostly work on the same chip's memory. */
	u32 hint = place * (p->nprograms / 4 + 1) % p->nprograms;
	enum vn_work work;
	u64 since = 0;
	bool over;
	u32 n;

	if (p->cost > HELP_BYTES && place + 1 < p->nprograms)
		vn_worker_help(kq);
	do {
		t->wakes = vn_worker_wakes();
		work = vn_plan_work(p, r, hint, TURN_BYTES);
		note_others(r);
		note_fences(kq, r);
		cond_resched();
		if (work == VN_WORK_PROGRESS)
			since = 0;
		else if (work == VN_WORK_DONE || !wait_for_others(&kq->q, &since))
			break;
	} while (!signal_pending(current) && !vn_pool_wanted() && !r->slow_us);

	mutex_lock(&kq->run_lock);
	t->turn = vn_kqueue_turn(kq);
	over = vn_queue_leave(&kq->q);
	if (over)
		trace_plan_complete(kq->ctx->id, kq->id, kp->id, p->nprograms, p->failed,
				    p->bytes);
	n = publish(kq);
	mutex_unlock(&kq->run_lock);
	vn_turn_show(kq, n);
	if (over)
		vn_kplan_put(kp);
	/* DONE, but others are still in it: the last of them goes on. */
	t->res = over || work == VN_WORK_PROGRESS ? VN_RUN_MORE : VN_RUN_BLOCKED;
}

void vn_turn(struct vn_kqueue *kq, struct vn_runner *r, struct vn_turn *t)
{
	struct vn_queue *q = &kq->q;
	u32 n, waiting, place;
	struct vn_plan *p;

	t->taken = true;
	t->wakes = vn_worker_wakes();
	mutex_lock(&kq->run_lock);
	t->turn = vn_kqueue_turn(kq);
	if (trace_queue_start_enabled()) {
		waiting = vn_queue_waiting(q);
		if (waiting)
			trace_queue_start(kq->ctx->id, kq->id, kq->chip, q->seq, waiting);
	}
	t->res = vn_queue_run(q, r, ktime_get_ns(), TURN_BYTES);
	if (t->res == VN_RUN_PLAN)
		t->res = launch(kq, r);
	n = publish(kq);
	p = q->plan;
	place = q->helpers - 1;
	mutex_unlock(&kq->run_lock);

	vn_turn_show(kq, n);
	note_others(r);
	note_fences(kq, r);
	if (t->res == VN_RUN_HELP)
		help(kq, p, place, r, t);
	t->rest_us = vn_move_slow_now(r->slow_us);
	r->slow_us = 0;
}

/* ---- resets of chips --------------------------------------------------------- */

/* Is it to stop with that chip? Under run_lock. */
static bool goes_with(const struct vn_kqueue *kq, u32 chip)
{
	const struct vn_plan *p = kq->q.plan;

	return READ_ONCE(kq->q.state) != VN_QUEUE_ERROR &&
	       (kq->chip == chip || (p && vn_plan_on(p, chip)));
}

/* The launch that is over by it, if one is. Under run_lock. */
static struct vn_kplan *halt_queue(struct vn_kqueue *kq)
{
	struct vn_plan *p = kq->q.plan;
	struct vn_kplan *kp;

	if (!vn_queue_halt(&kq->q, VN_CHIP_RESET))
		return NULL;
	kp = container_of(p, struct vn_kplan, p);
	trace_plan_complete(kq->ctx->id, kq->id, kp->id, p->nprograms, p->failed, p->bytes);
	return kp;
}

bool vn_turn_halt(struct vn_kqueue *kq, u32 chip)
{
	struct vn_kplan *over;
	bool halted = false, again;
	u32 clears = 0, n;

	do {
		over = NULL;
		n = 0;
		mutex_lock(&kq->run_lock);
		/* Whoever clears it meanwhile begins anew, after the reset. */
		again = goes_with(kq, chip) && (!halted || kq->clears == clears);
		if (again) {
			clears = kq->clears;
			over = halt_queue(kq);
			n = publish(kq);
			again = READ_ONCE(kq->q.state) != VN_QUEUE_ERROR;
			halted = true;
		}
		mutex_unlock(&kq->run_lock);
		if (halted)
			vn_turn_show(kq, n);
		if (over)
			vn_kplan_put(over);
		if (again)
			usleep_range(20, 100);
	} while (again);
	return halted;
}

/* ---- waiting ----------------------------------------------------------------- */

static bool past(u64 deadline_ns)
{
	return ktime_get_ns() >= deadline_ns;
}

/* Somebody else is at the queue: what it waits for may come any moment. */
static bool spin(struct vn_kqueue *kq, const struct vn_turn *t, u32 target, int events)
{
	u64 end = ktime_get_ns() + SPIN_NS;

	while (READ_ONCE(kq->attending) > 1 && !need_resched()) {
		if (reached(kq, target) || atomic_read(&kq->events) != events)
			return true;
		if (t->res == VN_RUN_BLOCKED && vn_worker_wakes() != t->wakes)
			return true;
		if (past(end))
			break;
		cpu_relax();
	}
	return false;
}

/* Who waits for what he writes rests himself; without a runner, which others want. */
static void rest(struct vn_turn *t)
{
	usleep_range(t->rest_us, t->rest_us + t->rest_us / 4 + 1);
	t->rest_us = 0;
}

/* Sleeps until there is a reason to look. 0, -ERESTARTSYS or -ETIMEDOUT. */
static int sleep(struct vn_kqueue *kq, struct vn_turn *t, u32 target, u64 deadline_ns)
{
	int events = atomic_read_acquire(&kq->events), err;
	ktime_t left = KTIME_MAX;

	if (reached(kq, target) || spin(kq, t, target, events))
		return 0;
	if (deadline_ns < KTIME_MAX) {
		u64 now = ktime_get_ns();

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		left = deadline_ns - now;
	}
	if (!vn_attend_sleep(kq, t))
		return 0;
	err = wait_event_interruptible_hrtimeout(kq->wait,
						 atomic_read(&kq->events) != events ||
						 reached(kq, target) || READ_ONCE(kq->stopping),
						 left);
	vn_attend_wake(kq);
	t->taken = false;
	return err == -ETIME ? -ETIMEDOUT : err;
}

int vn_turn_wait(struct vn_kqueue *kq, u32 target, u64 deadline_ns)
{
	struct vn_runner *r = NULL;
	struct vn_turn t = {};
	int err = 0;

	if (reached(kq, target))
		return 0;
	if (!vn_attend(kq))
		return -ENOENT;
	do {
		if (!r)
			r = vn_pool_get(true);
		if (!r) {
			err = -EINTR;
			break;
		}
		vn_turn(kq, r, &t);
		if (t.rest_us) {
			vn_pool_put(r);
			r = NULL;
			rest(&t);
		}
		if (READ_ONCE(kq->stopping)) {
			err = -ENOENT;
			break;
		}
		if (reached(kq, target))
			break;
		if (READ_ONCE(kq->q.state) == VN_QUEUE_ERROR) {
			err = -EIO;
			break;
		}
		if (signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		/* A deadline of 0 is for what can be run without waiting: all of that. */
		if (t.res == VN_RUN_MORE ? deadline_ns && past(deadline_ns) : past(deadline_ns)) {
			err = -ETIMEDOUT;
			break;
		}
		if (r && (t.res != VN_RUN_MORE || vn_pool_wanted())) {
			vn_pool_put(r);
			r = NULL;
		}
		if (t.res != VN_RUN_MORE)
			err = sleep(kq, &t, target, deadline_ns);
		cond_resched();
	} while (!err && !reached(kq, target));
	if (r)
		vn_pool_put(r);
	if (err == -ETIMEDOUT && reached(kq, target))
		err = 0;
	vn_attend_end(kq, &t);
	return err;
}
