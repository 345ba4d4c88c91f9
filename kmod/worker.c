// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "engine/sched.h"
#include "inbox.h"
#include "pool.h"
#include "turn.h"
#include "worker.h"

#define WORKERS_MAX	8u

/* How long a worker looks at an idle queue before it leaves. */
#define SPIN_NS		(50 * NSEC_PER_USEC)

static struct worker {
	struct work_struct work;
	bool active;			/* ready_lock */
} workers[WORKERS_MAX];

static struct workqueue_struct *wq;
static unsigned int nworkers;

/* Guards the lists, the workers' states, and in a queue attending to stopping. */
static DEFINE_SPINLOCK(ready_lock);
static struct vn_sched sched;
static unsigned int looking;		/* workers about to look at the list */
static struct vn_inbox *posts;		/* taken off under ready_lock */

/* The end of the first of all rests. */
static struct hrtimer rest_timer;
static struct work_struct rest_work;

static struct vn_kqueue *kqueue_of(struct vn_queue *q)
{
	return container_of(q, struct vn_kqueue, q);
}

/* Sees to it that so many queues of the ready list get a worker. */
static void kick(unsigned int queues)
{
	lockdep_assert_held(&ready_lock);
	if (queues <= looking)
		return;
	queues -= looking;
	for (unsigned int i = 0; i < nworkers && queues; i++) {
		if (workers[i].active)
			continue;
		workers[i].active = true;
		queue_work(wq, &workers[i].work);
		queues--;
	}
}

static void poke(struct vn_kqueue *kq)
{
	/* Pairs with the barrier of whoever reads events and then looks. */
	smp_mb__before_atomic();
	atomic_inc(&kq->events);
	wake_up_all(&kq->wait);
}

/* Lists it, and wakes who is to run it. */
static void make_ready(struct vn_kqueue *kq)
{
	lockdep_assert_held(&ready_lock);
	if (kq->stopping)
		return;
	vn_sched_ready(&sched, &kq->q);
	if (kq->sleeping)
		poke(kq);
	else
		kick(1);
}

void vn_worker_ready(struct vn_kqueue *kq)
{
	spin_lock(&ready_lock);
	make_ready(kq);
	spin_unlock(&ready_lock);
}

void vn_worker_help(struct vn_kqueue *kq)
{
	if (!vn_pool_idle())
		return;
	spin_lock(&ready_lock);
	if (!kq->stopping && vn_sched_ready(&sched, &kq->q))
		kick(1);
	spin_unlock(&ready_lock);
}

struct vn_inbox **vn_worker_posts(void)
{
	return &posts;
}

void vn_worker_arrivals(void)
{
	struct vn_inbox *b, *next;

	spin_lock(&ready_lock);
	for (b = vn_inbox_posted(&posts); b; b = next) {
		next = b->next;
		vn_inbox_let_go(b);
		make_ready(container_of(b, struct vn_kinbox, inbox)->kq);
	}
	spin_unlock(&ready_lock);
}

void vn_worker_semaphores(void)
{
	unsigned int orphans = 0;

	spin_lock(&ready_lock);
	for (struct vn_queue *q = sched.blocked; q; q = q->next) {
		if (kqueue_of(q)->sleeping)
			poke(kqueue_of(q));
		else
			orphans++;
	}
	vn_sched_wake(&sched);
	if (orphans)
		kick(orphans);
	spin_unlock(&ready_lock);
}

void vn_worker_quiesce(void)
{
	vn_pool_quiesce();
	vn_worker_semaphores();
}

u32 vn_worker_wakes(void)
{
	return READ_ONCE(sched.wakes);
}

/* ---- rests --------------------------------------------------------------- */

static void begin_rest(struct vn_kqueue *kq, u32 us)
{
	lockdep_assert_held(&ready_lock);
	if (vn_sched_rest(&sched, &kq->q, ktime_get_ns() + us * NSEC_PER_USEC))
		hrtimer_start(&rest_timer, ns_to_ktime(kq->q.rest_until), HRTIMER_MODE_ABS);
}

static void end_rests(struct work_struct *ws)
{
	struct vn_queue *q;

	spin_lock(&ready_lock);
	while ((q = vn_sched_rested(&sched, ktime_get_ns())))
		make_ready(kqueue_of(q));
	if (sched.resting)
		hrtimer_start(&rest_timer, ns_to_ktime(sched.resting->rest_until),
			      HRTIMER_MODE_ABS);
	spin_unlock(&ready_lock);
}

static enum hrtimer_restart rest_over(struct hrtimer *timer)
{
	queue_work(wq, &rest_work);
	return HRTIMER_NORESTART;
}

/* ---- attending ---------------------------------------------------------- */

static void attend(struct vn_kqueue *kq)
{
	lockdep_assert_held(&ready_lock);
	WRITE_ONCE(kq->attending, kq->attending + 1);
	vn_sched_remove(&sched, &kq->q);
}

bool vn_attend(struct vn_kqueue *kq)
{
	bool stopping;

	spin_lock(&ready_lock);
	stopping = kq->stopping;
	if (!stopping)
		attend(kq);
	spin_unlock(&ready_lock);
	if (!stopping)
		vn_queue_disarm(&kq->q);
	return !stopping;
}

void vn_attend_wake(struct vn_kqueue *kq)
{
	spin_lock(&ready_lock);
	kq->sleeping--;
	attend(kq);
	spin_unlock(&ready_lock);
	vn_queue_disarm(&kq->q);
}

/*
 * Acts on the result of a turn: lists the queue, or arms it. True: there is
 * something to do; when `keep`, it is not listed as ready but left to us.
 */
static bool settle(struct vn_kqueue *kq, const struct vn_turn *t, bool keep)
{
	bool ready = false, arm = false;

	spin_lock(&ready_lock);
	if (kq->stopping)
		goto unlock;
	if (t->rest_us) {
		begin_rest(kq, t->rest_us);
	} else if (!t->taken) {
		arm = true;
	} else if (t->res == VN_RUN_MORE) {
		ready = true;
	} else if (t->res == VN_RUN_BLOCKED && t->wakes != sched.wakes) {
		ready = true;
	} else if (t->turn == READ_ONCE(kq->turns)) {
		if (t->res == VN_RUN_BLOCKED) {
			ready = vn_sched_done(&sched, &kq->q, t->res, 0, t->wakes);
		} else {
			/* What listed it is over, or arming will notice. */
			vn_sched_remove(&sched, &kq->q);
			arm = true;
		}
	}
	if (ready && keep)
		vn_sched_remove(&sched, &kq->q);
	else if (ready)
		make_ready(kq);
unlock:
	spin_unlock(&ready_lock);
	if (!arm)
		return ready;

	mutex_lock(&kq->run_lock);
	ready = vn_queue_arm(&kq->q);
	mutex_unlock(&kq->run_lock);
	if (ready && !keep)
		vn_worker_ready(kq);
	return ready;
}

static void unattend(struct vn_kqueue *kq, bool sleep)
{
	bool stopping;

	spin_lock(&ready_lock);
	WRITE_ONCE(kq->attending, kq->attending - 1);
	kq->sleeping += sleep;
	stopping = kq->stopping;
	spin_unlock(&ready_lock);
	if (stopping)
		wake_up_all(&kq->wait);
}

void vn_attend_end(struct vn_kqueue *kq, const struct vn_turn *t)
{
	settle(kq, t, false);
	unattend(kq, false);
}

bool vn_attend_sleep(struct vn_kqueue *kq, const struct vn_turn *t)
{
	if (settle(kq, t, true))
		return false;
	unattend(kq, true);
	return true;
}

static bool deserted(struct vn_kqueue *kq)
{
	bool yes;

	spin_lock(&ready_lock);
	yes = !kq->attending && !kq->sleeping;
	spin_unlock(&ready_lock);
	return yes;
}

void vn_attend_stop(struct vn_kqueue *kq)
{
	spin_lock(&ready_lock);
	WRITE_ONCE(kq->stopping, true);
	vn_sched_remove(&sched, &kq->q);
	poke(kq);
	spin_unlock(&ready_lock);
	wait_event(kq->wait, deserted(kq));
}

/* ---- workers ------------------------------------------------------------ */

/* The next ready queue, attended and with a reference, or NULL. */
static struct vn_kqueue *pick(struct worker *w)
{
	struct vn_kqueue *kq = NULL;
	struct vn_queue *q;

	spin_lock(&ready_lock);
	looking--;
	q = vn_sched_pick(&sched);
	if (q) {
		kq = kqueue_of(q);
		vn_object_get(&kq->object);
		attend(kq);
		if (sched.head)
			kick(1);
	} else {
		w->active = false;
	}
	spin_unlock(&ready_lock);
	if (kq)
		vn_queue_disarm(&kq->q);
	return kq;
}

/* Whoever lists a queue from now on need not start a worker for it. */
static void look(void)
{
	spin_lock(&ready_lock);
	looking++;
	spin_unlock(&ready_lock);
}

/*
 * Looks at an idle queue for a short while, as long as nothing else wants the
 * CPU or the runner. True: there is something to do.
 */
static bool linger(struct vn_kqueue *kq)
{
	u64 end = ktime_get_ns() + SPIN_NS;

	do {
		if (vn_queue_pending(&kq->q))
			return true;
		if (READ_ONCE(sched.head) || READ_ONCE(kq->stopping) || vn_pool_wanted())
			return false;
		cpu_relax();
	} while (!need_resched() && ktime_get_ns() < end);
	return false;
}

/* Runs an attended queue until it rests, or others are to have a turn. */
static void serve(struct vn_kqueue *kq, struct vn_runner **r)
{
	struct vn_turn t = {};

	do {
		vn_turn(kq, *r, &t);
		cond_resched();
		if (vn_pool_wanted()) {
			vn_pool_put(*r);
			*r = vn_pool_get(false);
		}
		if (READ_ONCE(kq->stopping) || t.rest_us)
			break;
	} while ((t.res == VN_RUN_MORE && !READ_ONCE(sched.head)) ||
		 (t.res == VN_RUN_IDLE && linger(kq)));
	look();
	vn_attend_end(kq, &t);
	vn_kqueue_put(kq);
}

static void work(struct work_struct *ws)
{
	struct worker *w = container_of(ws, struct worker, work);
	struct vn_runner *r = vn_pool_get(false);
	struct vn_kqueue *kq;

	look();
	while ((kq = pick(w)))
		serve(kq, &r);
	vn_pool_put(r);
}

int vn_worker_init(void)
{
	nworkers = min(num_online_cpus(), WORKERS_MAX);
	/* One is for who ends rests: it waits for no worker. */
	wq = alloc_workqueue("vneuron", WQ_UNBOUND, WORKERS_MAX + 1);
	if (!wq)
		return -ENOMEM;
	INIT_WORK(&rest_work, end_rests);
	hrtimer_init(&rest_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	rest_timer.function = rest_over;
	for (unsigned int i = 0; i < nworkers; i++)
		INIT_WORK(&workers[i].work, work);
	return 0;
}

void vn_worker_exit(void)
{
	/* There are no queues, so none rests. */
	hrtimer_cancel(&rest_timer);
	destroy_workqueue(wq);
}
