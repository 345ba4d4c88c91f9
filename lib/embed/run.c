// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Turns at queues. Whoever waits, works: a waiting thread runs its own queue,
 * then others that are ready, and sleeps only when there is nothing. Worker
 * threads do the same for queues nobody waits for, and help with launches.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "../fpenv.h"
#include "../home.h"
#include "embed.h"

/* Bytes of work in one turn: how long others wait for their completions. */
#define TURN_BYTES (1u << 20)
/* A launch touching less than this is done before a helper is awake. */
#define HELP_BYTES (2u << 20)
/* The first turn at a launch: others that wait for it come meanwhile, and need no waking. */
#define FIRST_BYTES (128u << 10)
/* How long an idle worker, or a helper with nothing to claim, keeps looking. */
#define SPIN_NS 50000

void embed_semaphores(struct embed_device *dev)
{
	bool any;

	pthread_mutex_lock(&dev->sched_lock);
	any = vn_sched_wake(&dev->sched);
	if (any && dev->sleeping)
		pthread_cond_broadcast(&dev->sched_cond);
	pthread_mutex_unlock(&dev->sched_lock);
	embed_event(dev);
}

static void start_worker(struct embed_device *dev)
{
	if (dev->started < dev->nthreads &&
	    !pthread_create(&dev->thread[dev->started], NULL, embed_worker, dev))
		dev->started++;
}

void embed_list(struct embed_queue *q)
{
	struct embed_device *dev = q->ctx->dev;

	vn_sched_ready(&dev->sched, &q->q);
	if (dev->sleeping)
		pthread_cond_signal(&dev->sched_cond);
	else
		start_worker(dev);
}

void embed_kick(struct embed_queue *q)
{
	struct embed_device *dev = q->ctx->dev;

	pthread_mutex_lock(&dev->sched_lock);
	if (!q->dying && (dev->nthreads || vn_queue_arrivals(&q->q)))
		embed_list(q);
	pthread_mutex_unlock(&dev->sched_lock);
}

/* Who is to look now: those that wait for a semaphore, or room; those that were told something. */
static void note_others(struct embed_device *dev, struct embed_runner *r)
{
	if (r->r.signalled) {
		r->r.signalled = false;
		embed_semaphores(dev);
	}
	if (r->r.posted) {
		r->r.posted = false;
		embed_arrivals(dev);
	}
}

/* queue lock held */
static void show(struct embed_queue *q)
{
	static const u64 one = 1;

	if (!vn_queue_publish(&q->q, vn_now()))
		return;
	if (q->eventfd >= 0 && write(q->eventfd, &one, sizeof(one)) < 0)
		(void)0; /* full: it is readable already */
	embed_event(q->ctx->dev);
}

/* Works on the launch of q, of which this runner is a helper, until nothing is left for it. */
static enum vn_run help(struct embed_queue *q, struct embed_runner *r, struct embed_plan *p,
			bool begun)
{
	struct embed_device *dev = q->ctx->dev;
	u32 hint = (u32)(r - dev->runners) * p->p.nprograms / dev->nrunners;
	enum vn_work work;
	u64 since = 0;
	bool over;
	u32 failed;

	for (;;) {
		work = vn_plan_work(&p->p, &r->r, hint, begun ? FIRST_BYTES : TURN_BYTES);
		/* A worker would only be in the way of waiters that have all the cores. */
		if (begun && p->p.cost >= HELP_BYTES && READ_ONCE(dev->waiting) < dev->nrunners)
			embed_kick(q);
		begun = false;
		note_others(dev, r);
		if (work == VN_WORK_DONE)
			break;
		/* A rest, without a runner. */
		if (r->r.slow_us)
			break;
		if (work == VN_WORK_PROGRESS) {
			since = 0;
			continue;
		}
		/* The rest is in other hands, or waits for somebody outside. */
		if (READ_ONCE(q->q.helpers) < 2)
			break;
		if (!since)
			since = vn_now();
		else if (vn_now() - since > SPIN_NS)
			break;
		for (int i = 0; i < 32; i++)
			vn_relax();
	}
	pthread_mutex_lock(&q->lock);
	failed = READ_ONCE(p->p.failed);
	over = vn_queue_leave(&q->q);
	show(q);
	pthread_mutex_unlock(&q->lock);
	/* Leaving because there is nothing to do is no news: it would wake ourselves. */
	if (over || failed || work != VN_WORK_BLOCKED)
		embed_event(dev);
	if (over)
		embed_plan_put(q->ctx, p);
	return over || work != VN_WORK_BLOCKED ? VN_RUN_MORE : VN_RUN_BLOCKED;
}

/* Is it to stop with that chip? queue lock held */
static bool goes_with(const struct embed_queue *q, u32 chip)
{
	const struct vn_plan *p = q->q.plan;

	return READ_ONCE(q->q.state) != VN_QUEUE_ERROR &&
	       (q->q.env.chip == chip || (p && vn_plan_on(p, chip)));
}

void embed_halt(struct embed_queue *q, u32 chip)
{
	struct embed_device *dev = q->ctx->dev;
	bool halted = false, again;
	struct vn_plan *p, *over;
	u32 clears = 0, seen;

	do {
		seen = vn_load_acquire(&dev->events);
		over = NULL;
		pthread_mutex_lock(&q->lock);
		/* Whoever clears it meanwhile begins anew, after the reset. */
		again = goes_with(q, chip) && (!halted || q->clears == clears);
		if (again) {
			halted = true;
			clears = q->clears;
			p = q->q.plan;
			over = vn_queue_halt(&q->q, VN_CHIP_RESET) ? p : NULL;
			show(q);
			again = READ_ONCE(q->q.state) != VN_QUEUE_ERROR;
		}
		pthread_mutex_unlock(&q->lock);
		if (over)
			embed_plan_put(q->ctx, (struct embed_plan *)over);
		/* Helpers raise an event when they leave. */
		if (again)
			embed_sleep(dev, seen, UINT64_MAX);
	} while (again);
}

/* Descriptors that met a fence. */
static void note_fences(struct embed_context *ctx, struct embed_runner *r)
{
	if (!r->r.fenced)
		return;
	embed_fence_waited(ctx, r->r.fenced);
	r->r.fenced = 0;
}

static enum vn_run run(struct embed_queue *q, struct embed_runner *r)
{
	struct embed_plan *p = NULL;
	bool begun = false;
	enum vn_run res;

	pthread_mutex_lock(&q->lock);
	res = vn_queue_run(&q->q, &r->r, vn_now(), TURN_BYTES);
	if (res == VN_RUN_PLAN) {
		p = embed_plan_get(q->ctx, q->q.desc.launch.plan);
		res = vn_queue_launch(&q->q, p ? &p->p : NULL, &r->r);
		begun = res == VN_RUN_HELP;
		if (!begun && p)
			embed_plan_put(q->ctx, p);
	}
	p = (struct embed_plan *)q->q.plan;
	show(q);
	pthread_mutex_unlock(&q->lock);
	note_others(q->ctx->dev, r);
	return res == VN_RUN_HELP ? help(q, r, p, begun) : res;
}

/*
 * A turn at a queue. *rest_us: its writes come faster than they can be copied, so that it is
 * to rest so long; who has no runner any more sees to that.
 */
static enum vn_run turn(struct embed_queue *q, struct embed_runner *r, u32 *rest_us)
{
	enum vn_run res = run(q, r);

	note_fences(q->ctx, r);
	*rest_us = embed_slow_now(q->ctx->dev, r->r.slow_us);
	r->r.slow_us = 0;
	return res;
}

/* The next ready queue, with one more user, and the semaphore events before; sched_lock held. */
static struct embed_queue *pick(struct embed_device *dev, u32 *wakes)
{
	struct embed_queue *q;
	struct vn_queue *rested;

	while (dev->sched.resting && (rested = vn_sched_rested(&dev->sched, vn_now())))
		vn_sched_ready(&dev->sched, rested);
	q = (struct embed_queue *)vn_sched_pick(&dev->sched);
	if (q)
		q->users++;
	*wakes = dev->sched.wakes;
	return q;
}

/* It is left alone till then; a worker looks when that is. sched_lock held. */
static void begin_rest(struct embed_device *dev, struct embed_queue *q, u32 us)
{
	if (!vn_sched_rest(&dev->sched, &q->q, vn_now() + us * 1000ull))
		return;
	if (dev->sleeping)
		pthread_cond_signal(&dev->sched_cond);
	else
		start_worker(dev);
}

/*
 * Leaves a picked queue after a turn that ended so. True: it is ready again.
 * Where nothing can be done now, what comes next must ring: the one who picked
 * it sees to that.
 */
static bool leave(struct embed_device *dev, struct embed_queue *q, enum vn_run res, u32 rest_us,
		  u32 wakes)
{
	bool ready = false;

	if (rest_us) {
		pthread_mutex_lock(&dev->sched_lock);
		if (!q->dying)
			begin_rest(dev, q, rest_us);
		pthread_mutex_unlock(&dev->sched_lock);
		return false;
	}
	if ((res == VN_RUN_IDLE || res == VN_RUN_FULL) && dev->nthreads && vn_queue_arm(&q->q))
		res = VN_RUN_MORE;
	pthread_mutex_lock(&dev->sched_lock);
	if (!q->dying)
		ready = vn_sched_done(&dev->sched, &q->q, res, 0, wakes);
	pthread_mutex_unlock(&dev->sched_lock);
	return ready;
}

/* One turn at some ready queue. False: there was none. */
static bool turn_at_any(struct embed_device *dev, struct embed_runner *r)
{
	struct embed_queue *q;
	u32 wakes, rest_us;
	enum vn_run res;

	pthread_mutex_lock(&dev->sched_lock);
	q = pick(dev, &wakes);
	pthread_mutex_unlock(&dev->sched_lock);
	if (!q)
		return false;
	res = turn(q, r, &rest_us);
	/* Its worker may have looked while it was in our hands, and slept again. */
	if (leave(dev, q, res, rest_us, wakes))
		embed_kick(q);
	embed_queue_put(q);
	return true;
}

static bool reached(const struct embed_queue *q, u32 target)
{
	return (s32)(READ_ONCE(q->q.cq_shown) - target) >= 0;
}

/* What to tell the waiter now; -EAGAIN: go on. */
static int outcome(const struct embed_queue *q, u32 target)
{
	if (reached(q, target))
		return 0;
	if (READ_ONCE(q->dying))
		return -ENOENT;
	return READ_ONCE(q->q.state) == VN_QUEUE_ERROR ? -EIO : -EAGAIN;
}

int embed_wait(struct embed_context *ctx, struct vn_wait *a)
{
	struct embed_device *dev = ctx->dev;
	struct embed_queue *q = embed_queue_get(ctx, a->queue);
	struct embed_runner *r;
	enum vn_run res;
	u32 seen, fp, rest_us;
	bool worked;
	int err;

	if (!q)
		return -ENOENT;
	vn_fetch_add(&dev->waiting, 1u);
	fp = vn_fp_enter();
	for (;;) {
		err = outcome(q, a->target);
		if (err != -EAGAIN)
			break;
		seen = vn_load_acquire(&dev->events);
		r = embed_runner_get(dev);
		res = turn(q, r, &rest_us);
		err = outcome(q, a->target);
		worked = res == VN_RUN_MORE;
		if (err == -EAGAIN && !worked && !rest_us)
			worked = turn_at_any(dev, r);
		embed_runner_put(dev, r);
		/* Who waits for what he writes rests himself. */
		if (rest_us)
			nanosleep(&(struct timespec){ .tv_nsec = rest_us * 1000l }, NULL);
		if (err == -EAGAIN)
			err = outcome(q, a->target);
		if (err != -EAGAIN)
			break;
		if (a->deadline_ns != UINT64_MAX && vn_now() >= a->deadline_ns) {
			err = -ETIMEDOUT;
			break;
		}
		if (!worked)
			embed_sleep(dev, seen, a->deadline_ns);
	}
	vn_fp_leave(fp);
	vn_fetch_add(&dev->waiting, -1u);
	a->cq_tail = READ_ONCE(q->q.cq_shown);
	a->state = READ_ONCE(q->q.state);
	embed_queue_put(q);
	return err;
}

/* Stays with a queue that went idle for a moment: the next submission needs no call. */
static void linger(struct embed_device *dev, struct embed_queue *q, struct embed_runner *r,
		   u32 *rest_us)
{
	u64 since = vn_now();

	vn_queue_disarm(&q->q);
	for (;;) {
		if (vn_queue_pending(&q->q)) {
			if (turn(q, r, rest_us) != VN_RUN_MORE && !*rest_us &&
			    !vn_queue_pending(&q->q))
				since = vn_now();
			else
				break;
		}
		if (READ_ONCE(dev->sched.head) || READ_ONCE(q->dying) ||
		    READ_ONCE(dev->runner_waiters) || vn_now() - since > SPIN_NS)
			break;
		for (int i = 0; i < 32; i++)
			vn_relax();
	}
}

/* Till there may be a ready queue. sched_lock held. */
static void await_work(struct embed_device *dev)
{
	u64 until = dev->sched.resting ? dev->sched.resting->rest_until : 0;
	struct timespec ts = { (time_t)(until / 1000000000), (long)(until % 1000000000) };

	dev->sleeping++;
	if (until)
		pthread_cond_timedwait(&dev->sched_cond, &dev->sched_lock, &ts);
	else
		pthread_cond_wait(&dev->sched_cond, &dev->sched_lock);
	dev->sleeping--;
}

void *embed_worker(void *arg)
{
	struct embed_device *dev = arg;
	struct embed_queue *q;
	struct embed_runner *r;
	u32 wakes, rest_us;
	enum vn_run res;

	/* Whoever started this thread may have set another environment, and be bound to a CPU. */
	vn_fp_enter();
	sched_setaffinity(0, sizeof(dev->cpus), &dev->cpus);
	for (;;) {
		pthread_mutex_lock(&dev->sched_lock);
		while (!(q = pick(dev, &wakes)) && !dev->stop)
			await_work(dev);
		pthread_mutex_unlock(&dev->sched_lock);
		if (!q)
			return NULL;
		r = embed_runner_get(dev);
		res = turn(q, r, &rest_us);
		if (res == VN_RUN_IDLE && !rest_us)
			linger(dev, q, r, &rest_us);
		embed_runner_put(dev, r);
		leave(dev, q, res, rest_us, wakes);
		embed_queue_put(q);
	}
}
