// SPDX-License-Identifier: GPL-2.0-only

#include <linux/list.h>
#include <linux/mutex.h>
#include "moves.h"
#include "pool.h"

/* Copied under hbm_lock at a time: how long an allocation or a free may wait for it. */
#define PIECE		(1u << 20)

int vn_moves_new(const struct vn_moves *m)
{
	struct vn_mem *mem;
	int err = 0;

	mutex_lock(&vn_server.hbm_lock);
	for (u32 i = 0; i < m->n && !err; i++) {
		int node = vn_device_node(vn_switch_sled(&vn_server.sw, m->slot[i]));

		list_for_each_entry(mem, &vn_server.chip[m->chip[i]].mems, on) {
			err = vn_move_new(mem, node);
			if (err)
				break;
		}
	}
	mutex_unlock(&vn_server.hbm_lock);
	return err;
}

void vn_moves_drop(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem)
		vn_move_unwatch(mem);
	mutex_unlock(&vn_server.hbm_lock);
	/* Who marks does so in memory that goes now. */
	vn_pool_quiesce();
	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem)
		vn_move_free(mem);
	mutex_unlock(&vn_server.hbm_lock);
}

void vn_moves_scrub(const struct vn_moves *m)
{
	struct vn_mem *mem;
	bool more = true;
	u32 i;

	while (more) {
		more = false;
		mutex_lock(&vn_server.hbm_lock);
		vn_moves_for_each(m, i, mem)
			more = more || vn_move_scrub(mem, PIECE);
		mutex_unlock(&vn_server.hbm_lock);
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
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem)
		vn_move_watch(mem);
	mutex_unlock(&vn_server.hbm_lock);
	vn_pool_quiesce();
}

void vn_moves_take(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u32 i;

	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem)
		vn_move_take(mem);
	mutex_unlock(&vn_server.hbm_lock);
	/* Who marked before it was taken has written what he marked. */
	vn_pool_quiesce();
}

int vn_moves_copy(const struct vn_moves *m, struct vn_copied *c, bool *more)
{
	struct vn_mem *mem;
	int err = 0;
	u32 i;

	*more = false;
	mutex_lock(&vn_server.hbm_lock);
	vn_moves_for_each(m, i, mem) {
		c->room = PIECE;
		err = vn_move_copy(mem, c);
		*more = c->room != PIECE;
		if (*more || err)
			goto unlock;
	}
unlock:
	mutex_unlock(&vn_server.hbm_lock);
	return err;
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

void vn_moves_fence(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u32 i;

	vn_moves_for_each(m, i, mem)
		vn_move_fence(mem);
}

void vn_moves_flip(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u32 i;

	vn_moves_for_each(m, i, mem)
		vn_move_flip(mem);
}

void vn_moves_unfence(const struct vn_moves *m)
{
	struct vn_mem *mem;
	u32 i;

	vn_moves_for_each(m, i, mem)
		vn_move_unfence(mem);
}
