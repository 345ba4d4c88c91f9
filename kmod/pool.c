// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include "fpu.h"
#include "pool.h"

/* A chunk is the longest time without preemption, and what a free waits for. */
#define CHUNK_BYTES	(128u << 10)
#define CHUNK_MACS	(256u << 10)

/* Somebody in vn_pool_get(), on his own stack. */
struct want {
	struct list_head on;
	struct task_struct *task;
	struct vn_runner *got;
};

static DEFINE_SPINLOCK(free_lock);
static struct vn_runner **all;
static struct vn_runner **free;		/* a stack: the last one is warm */
static unsigned int count;
static unsigned int nfree;		/* others look */
static LIST_HEAD(wants);

static void free_runner(struct vn_runner *r)
{
	if (r)
		kvfree(r->scratch);
	kvfree(r);
}

static struct vn_runner *new_runner(void)
{
	struct vn_runner *r = kvzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return NULL;
	r->scratch = kvmalloc(VN_SCRATCH_BYTES, GFP_KERNEL);
	if (!r->scratch) {
		kvfree(r);
		return NULL;
	}
	r->ops = &vn_ops_kernel;
	r->chunk_bytes = CHUNK_BYTES;
	r->chunk_macs = CHUNK_MACS;
	r->stream_bytes = U64_MAX;
	return r;
}

int vn_pool_init(void)
{
	unsigned int n = max(num_online_cpus(), 2u);

	vn_fpu_init();
	all = kcalloc(n, sizeof(*all), GFP_KERNEL);
	free = kcalloc(n, sizeof(*free), GFP_KERNEL);
	if (!all || !free)
		goto undo;
	while (count < n) {
		all[count] = new_runner();
		if (!all[count])
			goto undo;
		free[nfree++] = all[count++];
	}
	return 0;

undo:
	vn_pool_exit();
	return -ENOMEM;
}

void vn_pool_exit(void)
{
	while (count)
		free_runner(all[--count]);
	kfree(free);
	kfree(all);
}

struct vn_runner *vn_pool_get(bool killable)
{
	unsigned int state = killable ? TASK_KILLABLE : TASK_IDLE;
	struct want w = { .task = current };
	struct vn_runner *r = NULL;

	spin_lock(&free_lock);
	if (nfree) {
		WRITE_ONCE(nfree, nfree - 1);
		r = free[nfree];
	} else {
		list_add_tail(&w.on, &wants);
	}
	spin_unlock(&free_lock);
	if (r)
		return r;

	for (;;) {
		set_current_state(state);
		if (READ_ONCE(w.got) || (killable && fatal_signal_pending(current)))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);

	/* Also keeps `w` until vn_pool_put() has let go of it. */
	spin_lock(&free_lock);
	if (!w.got)
		list_del(&w.on);
	spin_unlock(&free_lock);
	return w.got;
}

void vn_pool_put(struct vn_runner *r)
{
	struct task_struct *task = NULL;
	struct want *w;

	spin_lock(&free_lock);
	w = list_first_entry_or_null(&wants, struct want, on);
	if (w) {
		list_del(&w->on);
		task = get_task_struct(w->task);
		WRITE_ONCE(w->got, r);
	} else {
		free[nfree] = r;
		WRITE_ONCE(nfree, nfree + 1);
	}
	spin_unlock(&free_lock);
	if (task) {
		wake_up_process(task);
		put_task_struct(task);
	}
}

bool vn_pool_wanted(void)
{
	return !list_empty(&wants);
}

bool vn_pool_idle(void)
{
	return READ_ONCE(nfree);
}

bool vn_pool_quiesce_until(u64 deadline)
{
	/* What was changed before is seen by who is not seen inside. */
	smp_mb();
	for (unsigned int i = 0; i < count; i++) {
		u32 mark = vn_runner_mark(all[i]);

		while (!vn_runner_passed(all[i], mark)) {
			if (ktime_get_ns() > deadline)
				return false;
			usleep_range(20, 100);
		}
	}
	return true;
}

void vn_pool_quiesce(void)
{
	vn_pool_quiesce_until(U64_MAX);
}

void vn_pool_traffic(u32 slot, u32 plane, u64 *tx, u64 *rx)
{
	*tx = 0;
	*rx = 0;
	for (unsigned int i = 0; i < count; i++) {
		*tx += READ_ONCE(all[i]->traffic.tx[slot][plane]);
		*rx += READ_ONCE(all[i]->traffic.rx[slot][plane]);
	}
}

u64 vn_pool_local(u32 slot)
{
	u64 n = 0;

	for (unsigned int i = 0; i < count; i++)
		n += READ_ONCE(all[i]->traffic.local[slot]);
	return n;
}
