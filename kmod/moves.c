// SPDX-License-Identifier: GPL-2.0-only

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "moves.h"
#include "pool.h"

/* Cleared at a time: how long who frees it may wait. */
#define PIECE		(256u << 10)

/* Who frees an allocation that is held. */
static DECLARE_WAIT_QUEUE_HEAD(let_go);

bool vn_moves_next(struct vn_moves_way *w)
{
	struct vn_mem *before = w->mem, *mem;
	struct list_head *at = before ? &before->on : NULL, *mems;

	w->mem = NULL;
	mutex_lock(&vn_server.hbm_lock);
	while (!w->mem && w->i < w->m->n) {
		mems = &vn_server.chip[w->m->chip[w->i]].mems;
		at = at ? at->next : mems->next;
		mem = list_entry(at, struct vn_mem, on);
		if (at == mems) {
			at = NULL;
			w->i++;
		} else if (!mem->leaving) {
			WRITE_ONCE(mem->held, true);
			w->mem = mem;
		}
	}
	if (before)
		WRITE_ONCE(before->held, false);
	mutex_unlock(&vn_server.hbm_lock);
	if (before)
		wake_up_all(&let_go);
	return w->mem;
}

void vn_moves_stop(struct vn_moves_way *w)
{
	if (!w->mem)
		return;
	mutex_lock(&vn_server.hbm_lock);
	WRITE_ONCE(w->mem->held, false);
	mutex_unlock(&vn_server.hbm_lock);
	wake_up_all(&let_go);
	w->mem = NULL;
}

void vn_moves_leave(struct vn_mem *mem)
{
	mutex_lock(&vn_server.hbm_lock);
	WRITE_ONCE(mem->leaving, true);
	while (mem->held) {
		mutex_unlock(&vn_server.hbm_lock);
		wait_event(let_go, !READ_ONCE(mem->held));
		mutex_lock(&vn_server.hbm_lock);
	}
	list_del(&mem->on);
	mutex_unlock(&vn_server.hbm_lock);
}

int vn_moves_new(const struct vn_moves *m)
{
	struct vn_moves_way w = { .m = m };
	struct vn_mem *mem;
	u64 n = 0;
	int err = 0;

	/* Those that come later may do so for ever. */
	mutex_lock(&vn_server.hbm_lock);
	for (u32 i = 0; i < m->n; i++)
		list_for_each_entry(mem, &vn_server.chip[m->chip[i]].mems, on)
			n++;
	mutex_unlock(&vn_server.hbm_lock);
	while (!err && n-- && vn_moves_next(&w))
		err = vn_move_new(w.mem, vn_device_node(vn_switch_sled(&vn_server.sw,
								       m->slot[w.i])));
	vn_moves_stop(&w);
	return err;
}

void vn_moves_drop(const struct vn_moves *m)
{
	struct vn_moves_way w = { .m = m };
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem)
		vn_move_unwatch(mem);
	mutex_unlock(&vn_server.hbm_lock);
	/* Who marks does so in memory that goes now. */
	vn_pool_quiesce();
	while (vn_moves_next(&w))
		vn_move_free(w.mem);
}

void vn_moves_scrub(const struct vn_moves *m)
{
	struct vn_moves_way w = { .m = m };

	while (vn_moves_next(&w)) {
		while (w.mem->move && !READ_ONCE(w.mem->leaving) && vn_move_scrub(w.mem, PIECE))
			cond_resched();
		cond_resched();
	}
}

u64 vn_moves_bytes(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u64 n = 0;

	mutex_lock(&vn_server.hbm_lock);
	for (u32 i = 0; i < m->n; i++)
		list_for_each_entry(mem, &vn_server.chip[m->chip[i]].mems, on)
			n += mem->hbm.bytes;
	mutex_unlock(&vn_server.hbm_lock);
	return n;
}

void vn_moves_watch(const struct vn_moves *m)
{
	struct vn_moves_way w = { .m = m };

	while (vn_moves_next(&w))
		if (w.mem->move)
			vn_move_watch(w.mem);
	vn_pool_quiesce();
}

void vn_moves_take(const struct vn_moves *m)
{
	struct vn_moves_way w = { .m = m };

	while (vn_moves_next(&w))
		if (w.mem->move)
			vn_move_take(w.mem);
	/* Who marked before it was taken has written what he marked. */
	vn_pool_quiesce();
}

void vn_moves_slow(const struct vn_moves *m, u32 us)
{
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem)
		vn_move_slow(mem, us);
	mutex_unlock(&vn_server.hbm_lock);
}

void vn_moves_hurry(u32 sled)
{
	const struct vn_switch *sw = &vn_server.sw;
	struct vn_mem *mem;

	mutex_lock(&vn_server.hbm_lock);
	for (u32 i = 0; i < sw->chips; i++) {
		if (vn_switch_sled(sw, sw->slot_of[i]) != sled)
			continue;
		list_for_each_entry(mem, &vn_server.chip[i].mems, on)
			vn_move_slow(mem, 0);
	}
	mutex_unlock(&vn_server.hbm_lock);
}

u64 vn_moves_dirty(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u64 n = 0;
	u32 i;

	vn_moves_for_each(m, i, mem)
		n += vn_move_dirty(mem);
	return n;
}

u64 vn_moves_total(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u64 n = 0;
	u32 i;

	vn_moves_for_each(m, i, mem)
		n += mem->hbm.bytes;
	return n;
}

void vn_moves_hold(const struct vn_moves *m, struct list_head *all)
{
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem) {
		if (mem->leaving)
			continue;
		WRITE_ONCE(mem->held, true);
		list_add_tail(&mem->held_on, all);
	}
	mutex_unlock(&vn_server.hbm_lock);
}

void vn_moves_let_go(struct list_head *all)
{
	struct vn_mem *mem, *next;

	mutex_lock(&vn_server.hbm_lock);
	list_for_each_entry_safe(mem, next, all, held_on) {
		list_del(&mem->held_on);
		WRITE_ONCE(mem->held, false);
	}
	mutex_unlock(&vn_server.hbm_lock);
	wake_up_all(&let_go);
}

int vn_moves_fence(const struct list_head *all, u64 deadline)
{
	struct vn_mem *mem;

	list_for_each_entry(mem, all, held_on) {
		if (ktime_get_ns() > deadline)
			return -ETIME;
		vn_move_fence(mem);
	}
	return 0;
}

void vn_moves_flip(const struct list_head *all)
{
	struct vn_mem *mem;

	list_for_each_entry(mem, all, held_on)
		vn_move_flip(mem);
}

void vn_moves_unfence(const struct list_head *all)
{
	struct vn_mem *mem;

	list_for_each_entry(mem, all, held_on)
		vn_move_unfence(mem);
}
