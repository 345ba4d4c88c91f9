/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The smallest shell there is around the engine: one context, one domain, one
 * switch, memory from malloc (exactly as long as asked, so that a sanitizer
 * sees one byte too many), no locks.
 */
#ifndef VN_TEST_WORLD_H
#define VN_TEST_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kmod/engine/desc.h"
#include "../../kmod/engine/exec.h"
#include "../../kmod/engine/plan.h"
#include "../../kmod/engine/queue.h"
#include "../../kmod/engine/sched.h"
#include "../tap.h"

#define AT(field) ((u32)offsetof(struct vn_desc, field))
#define UNUSED __attribute__((unused))

#define FULL_ACCESS                                                                                \
	(VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE |                  \
	 VN_ACCESS_REMOTE_ATOMIC)

struct world {
	struct vn_switch sw;
	struct vn_window_table own;
	struct vn_domain_table domain;
	struct vn_env env;
	void *owned[4096];
	u32 nowned;
};

struct ram {
	u8 *ptr;
	u64 addr, bytes;
	u32 chip;
	struct vn_hbm *hbm;
};

static inline void *world_take(struct world *w, u64 bytes)
{
	void *p;

	if (w->nowned == ARRAY_SIZE(w->owned) || posix_memalign(&p, 4096, bytes ?: 1))
		abort();
	memset(p, 0, bytes);
	w->owned[w->nowned++] = p;
	return p;
}

static inline void table_room(struct world *w, struct vn_window_table *t)
{
	if (vn_table_needs_block(t))
		vn_table_grow(t, world_take(w, sizeof(struct vn_window_block)));
}

static inline struct world *world_new(u32 sleds, u32 chips_per_sled)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w || vn_switch_init(&w->sw, sleds, chips_per_sled, 0))
		abort();
	vn_table_init(&w->own, 8);
	w->env = (struct vn_env){ .own = &w->own, .domain = &w->domain, .sw = &w->sw };
	return w;
}

static inline void world_free(struct world *w)
{
	while (w->nowned)
		free(w->owned[--w->nowned]);
	free(w);
}

static inline struct vn_hbm *hbm_of(struct world *w, u32 chip, u8 *base, u64 bytes)
{
	struct vn_hbm *h = world_take(w, sizeof(*h));

	*h = (struct vn_hbm){ .base = base, .bytes = bytes, .chip = (u16)chip };
	return h;
}

static UNUSED struct ram mem(struct world *w, u32 chip, u64 bytes)
{
	struct ram m = { world_take(w, bytes), 0, bytes, chip, NULL };

	m.hbm = hbm_of(w, chip, m.ptr, bytes);
	table_room(w, &w->own);
	m.addr = vn_addr_of(vn_table_open(&w->own, m.hbm, 0, bytes, VN_ACCESS_OWN, NULL));
	return m;
}

static UNUSED u32 key_of(struct world *w, u32 chip, u8 *base, u64 bytes, u8 access)
{
	struct vn_window_table *t = w->domain.chip[chip];

	if (!t) {
		t = world_take(w, sizeof(*t));
		vn_table_init(t, 16);
		w->domain.chip[chip] = t;
	}
	table_room(w, t);
	return vn_table_open(t, hbm_of(w, chip, base, bytes), 0, bytes, access, NULL);
}

static UNUSED void key_end(struct world *w, u32 chip, u32 key)
{
	u32 status;

	vn_table_kill(vn_table_find(w->domain.chip[chip], key, &status));
	vn_table_close(w->domain.chip[chip], key);
}

static UNUSED void mem_end(struct world *w, const struct ram *m)
{
	u32 status;

	vn_table_kill(vn_table_find(&w->own, vn_addr_name(m->addr), &status));
	vn_table_close(&w->own, vn_addr_name(m->addr));
}

static UNUSED struct vn_runner *runner_new(struct world *w, const struct vn_ops *ops)
{
	struct vn_runner *r = world_take(w, sizeof(*r));

	r->ops = ops;
	r->scratch = world_take(w, VN_SCRATCH_BYTES);
	r->chunk_bytes = 64 << 10;
	r->chunk_macs = 1 << 20;
	r->stream_bytes = 8 << 20;
	return r;
}

static UNUSED struct vn_operand at(const struct ram *m, u64 off)
{
	return (struct vn_operand){ VN_HERE, (u16)m->chip, 0, m->addr + off };
}

static UNUSED struct vn_operand by_key(u32 chip, u32 key, u64 off)
{
	return (struct vn_operand){ VN_HERE, (u16)chip, key, off };
}

static UNUSED struct vn_operand param(u32 p, u64 off)
{
	return (struct vn_operand){ VN_PARAM, (u16)p, 0, off };
}

static UNUSED struct vn_desc nop(u64 user_data)
{
	return (struct vn_desc){ .opcode = VN_OP_NOP, .user_data = user_data };
}

static UNUSED struct vn_desc copy(struct vn_operand dst, struct vn_operand src, u64 bytes)
{
	return (struct vn_desc){ .opcode = VN_OP_COPY,
				 .copy = { .src = src, .dst = dst, .bytes = bytes } };
}

static UNUSED struct vn_desc fill(struct vn_operand dst, u64 bytes, u64 pattern, u32 width)
{
	return (struct vn_desc){
		.opcode = VN_OP_FILL,
		.fill = { .dst = dst, .bytes = bytes, .pattern = pattern, .width = width }
	};
}

static UNUSED struct vn_desc reduce(u64 table, u32 nsrc, u32 ndst, u64 count, u8 type, u8 redop)
{
	return (struct vn_desc){
		.opcode = VN_OP_REDUCE,
		.type = type,
		.redop = redop,
		.reduce = { .table = table, .count = count, .nsrc = nsrc, .ndst = ndst }
	};
}

static UNUSED struct vn_desc write_signal(struct vn_operand dst, struct vn_operand src, u64 bytes,
					  u64 word, u32 add)
{
	return (struct vn_desc){ .opcode = VN_OP_WRITE_SIGNAL,
				 .arg = add,
				 .copy = {
					 .src = src, .dst = dst, .bytes = bytes, .signal = word } };
}

static UNUSED struct vn_desc write_imm(struct vn_operand dst, struct vn_operand src, u64 bytes,
				       u32 imm)
{
	return (struct vn_desc){ .opcode = VN_OP_WRITE_IMM,
				 .arg = imm,
				 .copy = { .src = src, .dst = dst, .bytes = bytes } };
}

static UNUSED struct vn_desc copy_list(u64 table, u32 nsrc, u32 ndst, u64 bytes)
{
	return (struct vn_desc){
		.opcode = VN_OP_COPY_LIST,
		.list = { .table = table, .bytes = bytes, .nsrc = (u16)nsrc, .ndst = (u16)ndst }
	};
}

static UNUSED struct vn_desc accumulate(struct vn_operand dst, struct vn_operand src, u64 bytes,
					u8 type, u8 redop)
{
	return (struct vn_desc){ .opcode = VN_OP_ACCUMULATE,
				 .type = type,
				 .redop = redop,
				 .copy = { .src = src, .dst = dst, .bytes = bytes } };
}

static UNUSED struct vn_desc atomic(u8 op, struct vn_operand o, struct vn_operand old, u64 value,
				    u64 compare)
{
	return (struct vn_desc){
		.opcode = op, .atomic = { .at = o, .old = old, .value = value, .compare = compare }
	};
}

static UNUSED struct vn_desc sem_wait_for(struct vn_operand o, u64 value)
{
	return (struct vn_desc){ .opcode = VN_OP_SEM_WAIT, .sem = { .at = o, .value = value } };
}

static UNUSED struct vn_desc sem_signal(struct vn_operand o, u64 value)
{
	return (struct vn_desc){ .opcode = VN_OP_SEM_SIGNAL, .sem = { .at = o, .value = value } };
}

static UNUSED struct vn_desc ewise(u8 op, u64 x, u64 y, u64 z, u64 w, u32 rows, u32 cols, u32 alpha)
{
	return (struct vn_desc){ .opcode = op,
				 .ewise = { .x = x,
					    .y = y,
					    .z = z,
					    .w = w,
					    .rows = rows,
					    .cols = cols,
					    .alpha = alpha } };
}

static UNUSED struct vn_desc gemm(u64 c, u64 a, u64 b, u32 m, u32 n, u32 k, u8 type, u32 flags)
{
	return (struct vn_desc){ .opcode = VN_OP_GEMM,
				 .type = type,
				 .arg = flags,
				 .gemm = { .a = a,
					   .b = b,
					   .c = c,
					   .m = m,
					   .n = n,
					   .k = k,
					   .lda = flags & VN_GEMM_TRANS_A ? m : k,
					   .ldb = flags & VN_GEMM_TRANS_B ? k : n,
					   .ldc = n } };
}

/* Pseudo-random, the same on every run. */
static UNUSED u64 rnd(void)
{
	static __thread u64 x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static UNUSED void scramble(void *p, u64 bytes)
{
	for (u64 i = 0; i < bytes; i++)
		((u8 *)p)[i] = (u8)rnd();
}

/* fp32 of modest size. */
static UNUSED void fill_floats(void *p, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		float f = (float)((double)(rnd() & 0xfffff) / 0x80000 - 1.0);

		memcpy((u8 *)p + 4 * i, &f, 4);
	}
}

/* The user's end of a queue. */
struct rig {
	struct vn_queue q;
	u8 *map;
	u32 depth, tail, read;
};

static UNUSED struct rig *rig_new(struct world *w, u32 chip, u32 depth)
{
	struct rig *g = world_take(w, sizeof(*g));
	struct vn_env env = w->env;

	env.chip = chip;
	g->depth = depth;
	g->map = world_take(w, VN_QUEUE_BYTES(depth));
	vn_queue_init(&g->q, g->map, depth, w->sw.chips, &env);
	return g;
}

static inline struct vn_ring *ring(struct rig *g)
{
	return (struct vn_ring *)g->map;
}

static inline struct vn_desc *sq(struct rig *g, u32 i)
{
	return (struct vn_desc *)(g->map + VN_RING_SQ_OFFSET) + (i & (g->depth - 1));
}

static inline struct vn_cqe *cq(struct rig *g, u32 i)
{
	return (struct vn_cqe *)(g->map + VN_RING_CQ_OFFSET(g->depth)) + (i & (g->depth - 1));
}

static inline void rig_push(struct rig *g, struct vn_desc d)
{
	*sq(g, g->tail) = d;
	vn_store_release(&ring(g)->sq_tail, ++g->tail);
}

/* Reads one completion. */
static inline bool rig_pop(struct rig *g, struct vn_cqe *e)
{
	if (vn_load_acquire(&ring(g)->cq_tail) == g->read)
		return false;
	*e = *cq(g, g->read);
	vn_store_release(&ring(g)->cq_head, ++g->read);
	return true;
}

/* A turn of the simplest shell: all in one thread, plans from a table. */
static UNUSED enum vn_run rig_turn(struct rig *g, struct vn_runner *r, u64 now, u64 budget,
				   struct vn_plan **plans, u32 nplans)
{
	enum vn_run res = vn_queue_run(&g->q, r, now, budget);
	enum vn_work work;

	if (res == VN_RUN_PLAN) {
		u32 n = g->q.desc.launch.plan;

		res = vn_queue_launch(&g->q, n < nplans ? plans[n] : NULL, r);
	}
	vn_queue_publish(&g->q, now);
	if (res != VN_RUN_HELP)
		return res;
	do {
		work = vn_plan_work(g->q.plan, r, 0, budget);
	} while (work == VN_WORK_PROGRESS);
	res = vn_queue_leave(&g->q) ? VN_RUN_MORE : VN_RUN_BLOCKED;
	vn_queue_publish(&g->q, now);
	return res;
}

/* Runs one descriptor on its own: completion status, *e if wanted. */
static UNUSED u32 run_one(struct rig *g, struct vn_runner *r, struct vn_desc d, struct vn_cqe *e)
{
	struct vn_cqe own;
	enum vn_run res;

	if (g->q.state == VN_QUEUE_ERROR) {
		vn_queue_clear(&g->q);
		g->tail = g->read = 0;
	}
	rig_push(g, d);
	do {
		res = rig_turn(g, r, 1, ~0ull, NULL, 0);
	} while (res == VN_RUN_MORE);
	e = e ?: &own;
	memset(e, 0xee, sizeof(*e));
	return rig_pop(g, e) ? e->status : ~0u;
}

#endif
