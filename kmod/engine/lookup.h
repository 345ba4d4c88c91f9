/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From names to memory, for those who execute descriptors (exec*.c) and nobody else: inside
 * a runner's chunk, and good for that chunk alone.
 */
#ifndef VN_LOOKUP_H
#define VN_LOOKUP_H

#include "desc.h"
#include "exec.h"

#define AT(field)	((u32)offsetof(struct vn_desc, field))

/* What a key must allow, and whether it is about to be written. */
#define VN_READS	VN_ACCESS_REMOTE_READ
#define VN_WRITES	VN_ACCESS_REMOTE_WRITE

/* One chunk's tries at turning names into memory; what a failure is, and where. */
struct vn_lookup {
	const struct vn_env *env;
	u32 status, detail;
	u32 chip;		/* of the last operand resolved ... */
	u32 key;		/* ... its key ... */
	struct vn_window *window;	/* ... and the window, NULL: own memory */
	bool look;		/* only whether it is all right: nothing is written yet */
	bool fenced;		/* not now: its chip is about to move */
	u32 slow_us;		/* it should rest so long after this */
};

/* Memory at a device address on the chip that executes. */
void *vn_local_at(struct vn_lookup *l, u64 addr, u64 skip, u64 bytes, u32 align, bool write,
		  u32 detail);
/* What it needs is not there; or not now, and then it comes again as if for a semaphore. */
enum vn_step vn_lookup_failed(struct vn_runner *r, struct vn_cursor *c, const struct vn_lookup *l);

/* The failure is this. NULL. */
static inline void *vn_miss(struct vn_lookup *l, u32 status)
{
	l->status = status;
	return NULL;
}

/* A window that was found says no: the failure, counted. NULL. */
void *vn_deny(struct vn_lookup *l, u32 status);

/* [off, off + bytes) of a window, aligned; to be written or not. */
static inline void *vn_inside(struct vn_lookup *l, const struct vn_window *w, u64 off, u64 bytes,
			      u32 align, bool write)
{
	if (off > w->bytes || bytes > w->bytes - off)
		return vn_deny(l, VN_BAD_RANGE);
	off += w->offset;
	if (off & (align - 1))
		return vn_deny(l, VN_BAD_ALIGN);
	if (READ_ONCE(w->hbm->lost))
		return vn_miss(l, VN_CHIP_LOST);
	if (write && !l->look) {
		if (!vn_hbm_write(w->hbm, off, bytes)) {
			l->fenced = true;
			return NULL;
		}
		if (READ_ONCE(w->hbm->slow_us))
			l->slow_us = READ_ONCE(w->hbm->slow_us);
	}
	return READ_ONCE(w->hbm->base) + off;
}

static inline void *vn_own(struct vn_lookup *l, u32 chip, u64 addr, u64 skip, u64 bytes,
			   u32 align, bool write)
{
	const struct vn_window *w = vn_table_find(l->env->own, vn_addr_name(addr), &l->status);
	u64 off = (addr & VN_ADDR_OFFSET_MASK) + skip;

	if (!w)
		return NULL;
	if (w->chip != chip)
		return vn_miss(l, VN_BAD_CHIP);
	return vn_inside(l, w, off, bytes, align, write);
}

/*
 * Memory of an operand, `skip` bytes in. access: what a key must allow; all but READS is
 * about to be written. detail names it in failures. NULL: vn_lookup_failed().
 */
static inline void *vn_operand_at(struct vn_lookup *l, const struct vn_operand *o, u64 skip,
				  u64 bytes, u8 access, u32 align, u32 detail)
{
	bool write = access != VN_READS;
	const struct vn_window_table *t;
	struct vn_window *w;
	u32 chip = o->chip, key = o->key;
	u64 off = o->offset;

	l->detail = detail;
	l->window = NULL;
	if (o->ultraserver == VN_PARAM) {
		const struct vn_operand *base = &l->env->params[o->chip];

		chip = base->chip;
		key = base->key;
		if (check_add_overflow(base->offset, o->offset, &off) ||
		    (!key && off >> VN_ADDR_OFFSET_BITS != base->offset >> VN_ADDR_OFFSET_BITS))
			return vn_miss(l, VN_BAD_RANGE);
	}
	l->chip = chip;
	l->key = key;
	if (READ_ONCE(l->env->sw->faulty) && chip < l->env->sw->chips &&
	    !vn_switch_reaches(l->env->sw, l->env->chip, chip))
		return vn_miss(l, VN_LINK_DOWN);
	if (!key)
		return vn_own(l, chip, off, skip, bytes, align, write);
	t = vn_load_acquire(&l->env->domain->chip[vn_index(chip, (u32)VN_MAX_CHIPS)]);
	if (!t)
		return vn_miss(l, VN_BAD_KEY);
	w = vn_table_find(t, key, &l->status);
	if (!w)
		return NULL;
	l->window = w;
	if ((w->access & access) != access)
		return vn_deny(l, VN_BAD_ACCESS);
	if (check_add_overflow(off, skip, &off))
		return vn_deny(l, VN_BAD_RANGE);
	return vn_inside(l, w, off, bytes, align, write);
}

/* Bytes went from one chip to another. */
static inline void vn_went(struct vn_runner *r, const struct vn_env *env, u32 src, u32 dst,
			   u64 bytes)
{
	vn_switch_count(env->sw, &r->traffic, src, dst, env->flow, bytes);
}

/* So many were written through a window, or read; NULL: own memory, which nobody counts. */
static inline void vn_count_in(struct vn_window *w, u64 bytes)
{
	if (w)
		vn_fetch_add(&w->in_bytes, bytes);
}

static inline void vn_count_out(struct vn_window *w, u64 bytes)
{
	if (w)
		vn_fetch_add(&w->out_bytes, bytes);
}

/* Shorter ones stay in the caches, however many they are: a fence for each costs more. */
#define VN_STREAM_PIECE	(256u << 10)

/*
 * Whether it goes around the caches. A launch reads again what it wrote, and does when all of
 * it is more than they hold; others do when they, or what was submitted together with them,
 * were it all alike, would take more than half of that: they are not alone there.
 */
static inline bool vn_streams(const struct vn_runner *r, const struct vn_env *env,
			      const struct vn_desc *d)
{
	u64 cost;

	if (env->volume)
		return env->volume > r->stream_bytes;
	cost = vn_desc_cost(d);
	if (cost >= VN_STREAM_PIECE)
		cost *= env->burst ?: 1;
	return cost > r->stream_bytes / 2;
}

/* exec_copy.c */
enum vn_step vn_exec_copy(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c);
enum vn_step vn_exec_write_signal(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c);
enum vn_step vn_exec_write_imm(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c);
enum vn_step vn_exec_accumulate(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c);
/* exec_list.c */
enum vn_step vn_exec_copy_list(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c);
/* exec_atomic.c */
enum vn_step vn_exec_sem(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c);
enum vn_step vn_exec_atomic(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c);

#endif
