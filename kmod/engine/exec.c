// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "exec.h"
#include "desc.h"

#define AT(field)	((u32)offsetof(struct vn_desc, field))

/* Block of a matrix product: bounds one chunk whatever the shape. */
#define GEMM_COLS	256u
#define GEMM_DEPTH	512u
/* Least elements of a reduction per chunk: pays for resolving 288 operands. */
#define REDUCE_MIN	1024u

/* One try at turning names into memory; what a failure is, and where. */
struct lookup {
	const struct vn_env *env;
	u32 status, detail;
	u32 chip;		/* of the last operand resolved */
	bool fenced;		/* not now: its chip is about to move */
	u32 slow_us;		/* it should rest so long after this */
};

static void *miss(struct lookup *l, u32 status)
{
	l->status = status;
	return NULL;
}

/* [off, off + bytes) of a window, aligned; to be written or not. */
static void *inside(struct lookup *l, const struct vn_window *w, u64 off, u64 bytes, u32 align,
		    bool write)
{
	if (off > w->bytes || bytes > w->bytes - off)
		return miss(l, VN_BAD_RANGE);
	off += w->offset;
	if (off & (align - 1))
		return miss(l, VN_BAD_ALIGN);
	if (READ_ONCE(w->hbm->lost))
		return miss(l, VN_CHIP_LOST);
	if (write && !vn_hbm_write(w->hbm, off, bytes)) {
		l->fenced = true;
		return NULL;
	}
	if (write && READ_ONCE(w->hbm->slow_us))
		l->slow_us = READ_ONCE(w->hbm->slow_us);
	return READ_ONCE(w->hbm->base) + off;
}

static void *own(struct lookup *l, u32 chip, u64 addr, u64 skip, u64 bytes, u32 align, bool write)
{
	const struct vn_window *w = vn_table_find(l->env->own, vn_addr_name(addr), &l->status);
	u64 off = (addr & VN_ADDR_OFFSET_MASK) + skip;

	if (!w)
		return NULL;
	if (w->chip != chip)
		return miss(l, VN_BAD_CHIP);
	return inside(l, w, off, bytes, align, write);
}

/*
 * Memory of an operand, `skip` bytes in. detail names it in failures. access:
 * what a key must allow.
 */
static void *operand(struct lookup *l, const struct vn_operand *o, u64 skip, u64 bytes, u8 access,
		     u32 align, u32 detail)
{
	bool write = access != VN_ACCESS_REMOTE_READ;
	const struct vn_window_table *t;
	const struct vn_window *w;
	u32 chip = o->chip, key = o->key;
	u64 off = o->offset;

	l->detail = detail;
	if (o->ultraserver == VN_PARAM) {
		const struct vn_operand *base = &l->env->params[o->chip];

		chip = base->chip;
		key = base->key;
		if (check_add_overflow(base->offset, o->offset, &off) ||
		    (!key && off >> VN_ADDR_OFFSET_BITS != base->offset >> VN_ADDR_OFFSET_BITS))
			return miss(l, VN_BAD_RANGE);
	}
	l->chip = chip;
	if (READ_ONCE(l->env->sw->faulty) && chip < l->env->sw->chips &&
	    !vn_switch_reaches(l->env->sw, l->env->chip, chip))
		return miss(l, VN_LINK_DOWN);
	if (!key)
		return own(l, chip, off, skip, bytes, align, write);
	t = vn_load_acquire(&l->env->domain->chip[vn_index(chip, (u32)VN_MAX_CHIPS)]);
	if (!t)
		return miss(l, VN_BAD_KEY);
	w = vn_table_find(t, key, &l->status);
	if (!w)
		return NULL;
	if ((w->access & access) != access)
		return miss(l, VN_BAD_ACCESS);
	if (check_add_overflow(off, skip, &off))
		return miss(l, VN_BAD_RANGE);
	return inside(l, w, off, bytes, align, write);
}

/* Memory at a device address on the chip that executes. */
static void *local(struct lookup *l, u64 addr, u64 skip, u64 bytes, u32 align, bool write,
		   u32 detail)
{
	l->detail = detail;
	l->chip = l->env->chip;
	if (addr >> 48 == 0xffff) {
		const struct vn_operand *base;
		u64 off = addr & VN_ADDR_OFFSET_MASK;

		if (!l->env->params)
			return miss(l, VN_BAD_KEY);
		base = &l->env->params[addr >> VN_ADDR_OFFSET_BITS & 0xff];
		if (base->key || base->chip != l->env->chip)
			return miss(l, VN_BAD_CHIP);
		addr = base->offset + off;
		if (addr >> VN_ADDR_OFFSET_BITS != base->offset >> VN_ADDR_OFFSET_BITS)
			return miss(l, VN_BAD_RANGE);
	}
	return own(l, l->env->chip, addr, skip, bytes, align, write);
}

/* What it needs is not there; or not now, and then it comes again as if for a semaphore. */
static enum vn_step failed(struct vn_runner *r, struct vn_cursor *c, const struct lookup *l)
{
	if (l->fenced) {
		r->fenced++;
		return VN_STEP_BLOCKED;
	}
	c->status = l->status;
	c->detail = l->detail;
	return VN_STEP_FAILED;
}

static void count(struct vn_runner *r, const struct vn_env *env, u32 src, u32 dst, u64 bytes)
{
	vn_switch_count(env->sw, &r->traffic, src, dst, env->flow, bytes);
}

static bool streams(const struct vn_runner *r, const struct vn_env *env, const struct vn_desc *d)
{
	return (env->volume ?: vn_desc_cost(d)) > r->stream_bytes;
}

static enum vn_step exec_copy(struct vn_runner *r, struct lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 n = d->copy.bytes - c->at;
	void *src, *dst;
	u32 from;

	if (n > r->chunk_bytes)
		n = r->chunk_bytes;
	src = operand(l, &d->copy.src, c->at, n, VN_ACCESS_REMOTE_READ, 1, AT(copy.src));
	from = l->chip;
	dst = src ? operand(l, &d->copy.dst, c->at, n, VN_ACCESS_REMOTE_WRITE, 1, AT(copy.dst))
		  : NULL;
	if (!dst)
		return failed(r, c, l);
	if (n && src != dst)
		r->ops->copy(dst, src, n, streams(r, l->env, d));
	count(r, l->env, from, l->chip, n);
	c->at += n;
	c->bytes = c->at;
	return c->at == d->copy.bytes ? VN_STEP_DONE : VN_STEP_MORE;
}

static enum vn_step exec_fill(struct vn_runner *r, struct lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 n = d->fill.bytes - c->at;
	void *dst;

	if (n > r->chunk_bytes)
		n = r->chunk_bytes & ~7ull;
	dst = operand(l, &d->fill.dst, c->at, n, VN_ACCESS_REMOTE_WRITE, d->fill.width,
		      AT(fill.dst));
	if (!dst)
		return failed(r, c, l);
	if (n)
		r->ops->fill(dst, n, d->fill.pattern, d->fill.width, streams(r, l->env, d));
	count(r, l->env, l->env->chip, l->chip, n);
	c->at += n;
	c->bytes = c->at;
	return c->at == d->fill.bytes ? VN_STEP_DONE : VN_STEP_MORE;
}

/* Whose memory an operand is, as resolved. */
static u32 chip_of(const struct lookup *l, const struct vn_operand *o)
{
	return o->ultraserver == VN_PARAM ? l->env->params[o->chip].chip : o->chip;
}

static enum vn_step exec_reduce(struct vn_runner *r, struct lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u32 nsrc = d->reduce.nsrc, ndst = d->reduce.ndst, es = vn_type_bytes(d->type);
	u64 n = r->chunk_bytes / ((u64)(nsrc + ndst) * es), left = d->reduce.count - c->at;
	struct vn_reduce_args a = {
		.src = (const void *const *)r->src, .dst = r->dst, .nsrc = nsrc, .ndst = ndst,
		.scalars = (const u64 *)&c->table[nsrc + ndst], .flags = d->arg,
		.type = d->type, .redop = d->redop, .stream = streams(r, l->env, d),
		.scratch = r->scratch,
	};

	n = n < REDUCE_MIN ? REDUCE_MIN : n & ~(u64)(REDUCE_MIN - 1);
	if (n > left)
		n = left;
	for (u32 i = 0; i < nsrc + ndst; i++) {
		bool write = i >= nsrc;
		void *p = operand(l, &c->table[i], c->at * es, n * es,
				  write ? VN_ACCESS_REMOTE_WRITE : VN_ACCESS_REMOTE_READ, es, i);

		if (!p)
			return failed(r, c, l);
		if (write)
			r->dst[i - nsrc] = p;
		else
			r->src[i] = p;
	}
	for (u32 i = 0; i < nsrc; i++)
		count(r, l->env, chip_of(l, &c->table[i]), l->env->chip, n * es);
	for (u32 i = nsrc; i < nsrc + ndst; i++)
		count(r, l->env, l->env->chip, chip_of(l, &c->table[i]), n * es);
	a.n = n;
	if (n)
		r->ops->reduce(&a);
	c->at += n;
	c->bytes += n * es * ndst;
	return c->at == d->reduce.count ? VN_STEP_DONE : VN_STEP_MORE;
}

static u64 span(u32 rows, u32 cols, u32 ld, u32 es)
{
	return ((u64)(rows - 1) * ld + cols) * es;
}

static u32 least(u32 a, u32 b)
{
	return a < b ? a : b;
}

static enum vn_step exec_gemm(struct vn_runner *r, struct lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u32 m = d->gemm.m, n = d->gemm.n, k = d->gemm.k, es = vn_type_bytes(d->type);
	bool ta = d->arg & VN_GEMM_TRANS_A, tb = d->arg & VN_GEMM_TRANS_B;
	struct vn_gemm_args g = {
		.lda = d->gemm.lda, .ldb = d->gemm.ldb, .ldc = d->gemm.ldc,
		.type = d->type, .trans_a = ta, .trans_b = tb,
	};
	u32 nb = least(n, GEMM_COLS), kb = least(k, GEMM_DEPTH), mb;
	u32 steps_k = (k + kb - 1) / kb, steps_n = (n + nb - 1) / nb, steps_m, at, i0, j0, k0;
	const u8 *a, *b;
	u8 *out;

	mb = least(m, (u32)(r->chunk_macs / ((u64)nb * kb)) ?: 1);
	steps_m = (m + mb - 1) / mb;
	a = local(l, d->gemm.a, 0, span(ta ? k : m, ta ? m : k, g.lda, es), es, false,
		  AT(gemm.a));
	b = a ? local(l, d->gemm.b, 0, span(tb ? n : k, tb ? k : n, g.ldb, es), es, false,
		      AT(gemm.b))
	      : NULL;
	out = b ? local(l, d->gemm.c, 0, span(m, n, g.ldc, 4), 4, true, AT(gemm.c)) : NULL;
	if (!out)
		return failed(r, c, l);

	/* Innermost along k, so that each element's fold goes on in order. */
	at = (u32)c->at;
	k0 = at % steps_k * kb;
	j0 = at / steps_k % steps_n * nb;
	i0 = at / steps_k / steps_n * mb;
	g.m = least(mb, m - i0);
	g.n = least(nb, n - j0);
	g.k = least(kb, k - k0);
	g.a = a + (ta ? (u64)k0 * g.lda + i0 : (u64)i0 * g.lda + k0) * es;
	g.b = b + (tb ? (u64)j0 * g.ldb + k0 : (u64)k0 * g.ldb + j0) * es;
	g.c = out + ((u64)i0 * g.ldc + j0) * 4;
	g.accumulate = k0 || d->arg & VN_GEMM_ACCUMULATE;
	r->ops->gemm(&g, 0, g.m, r->scratch);
	c->at++;
	if (c->at < (u64)steps_m * steps_n * steps_k)
		return VN_STEP_MORE;
	c->bytes = 4ull * m * n;
	return VN_STEP_DONE;
}

/* Memory of one element-wise operand; absent (NULL, no failure) when its address is 0. */
static bool ewise_operand(struct lookup *l, u64 addr, u64 skip, u64 bytes, bool write, u32 detail,
			  void **to)
{
	*to = NULL;
	if (!addr)
		return true;
	*to = local(l, addr, skip, bytes, 4, write, detail);
	return *to;
}

static enum vn_step exec_ewise(struct vn_runner *r, struct lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u32 rows = (u32)(d->ewise.rows - c->at), cols = d->ewise.cols, op = d->opcode;
	u64 fit = r->chunk_bytes / (12ull * cols), row_bytes = 4ull * cols, first = c->at;
	bool y_is_row = op == VN_OP_BIAS_ADD, y_per_row = op == VN_OP_SOFTMAX_XENT;
	struct vn_ewise_args e = { .cols = cols, .alpha = d->ewise.alpha };
	void *x, *y, *z, *w;

	if (!d->ewise.rows && op != VN_OP_COL_SUM)
		return VN_STEP_DONE;
	e.rows = rows > fit ? (u32)(fit ?: 1) : rows;
	e.accumulate = first;
	if (!ewise_operand(l, d->ewise.x, first * row_bytes, e.rows * row_bytes, false,
			   AT(ewise.x), &x) ||
	    !ewise_operand(l, d->ewise.y, y_is_row ? 0 : y_per_row ? first * 4 : first * row_bytes,
			   y_is_row ? row_bytes : y_per_row ? 4ull * e.rows : e.rows * row_bytes,
			   false, AT(ewise.y), &y) ||
	    !ewise_operand(l, d->ewise.z, op == VN_OP_COL_SUM ? 0 : first * row_bytes,
			   op == VN_OP_COL_SUM ? row_bytes : e.rows * row_bytes, true, AT(ewise.z),
			   &z) ||
	    !ewise_operand(l, d->ewise.w, first * 4, 4ull * e.rows, true, AT(ewise.w), &w))
		return failed(r, c, l);
	e.x = x;
	e.y = y;
	e.z = z;
	e.w = w;
	switch (op) {
	case VN_OP_BIAS_ADD:
		r->ops->bias_add(&e);
		break;
	case VN_OP_RELU:
		r->ops->relu(&e);
		break;
	case VN_OP_RELU_GRAD:
		r->ops->relu_grad(&e);
		break;
	case VN_OP_SOFTMAX_XENT:
		r->ops->softmax_xent(&e);
		break;
	case VN_OP_COL_SUM:
		r->ops->col_sum(&e);
		break;
	case VN_OP_AXPY:
		r->ops->axpy(&e);
		break;
	}
	c->at += e.rows;
	if (c->at < d->ewise.rows)
		return VN_STEP_MORE;
	c->bytes = op == VN_OP_COL_SUM ? row_bytes : d->ewise.rows * row_bytes;
	return VN_STEP_DONE;
}

static enum vn_step exec_sem(struct vn_runner *r, struct lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 value = d->sem.value + (d->flags & VN_DESC_REL ? l->env->base : 0);
	bool wait = d->opcode == VN_OP_SEM_WAIT;
	u64 *word = operand(l, &d->sem.at, 0, 8, wait ? VN_ACCESS_REMOTE_READ :
			    VN_ACCESS_REMOTE_ATOMIC, 8, AT(sem.at));

	if (!word)
		return failed(r, c, l);
	if (wait)
		return vn_load_acquire(word) >= value ? VN_STEP_DONE : VN_STEP_BLOCKED;
	if (d->arg & VN_SEM_SET)
		vn_xchg(word, value);
	else
		vn_fetch_add(word, value);
	r->signalled = true;
	count(r, l->env, l->env->chip, l->chip, 8);
	c->bytes = 8;
	return VN_STEP_DONE;
}

enum vn_step vn_exec_chunk(struct vn_runner *r, const struct vn_env *env, struct vn_cursor *c)
{
	struct lookup l = { .env = env };
	enum vn_step step = VN_STEP_DONE;

	if (READ_ONCE(env->sw->faulty) && vn_switch_lost(env->sw, env->chip)) {
		c->status = VN_CHIP_LOST;
		c->detail = 0;
		return VN_STEP_FAILED;
	}
	if (c->desc->opcode == VN_OP_NOP)
		return VN_STEP_DONE;
	vn_runner_enter(r);
	switch (c->desc->opcode) {
	case VN_OP_COPY:
		step = exec_copy(r, &l, c);
		break;
	case VN_OP_FILL:
		step = exec_fill(r, &l, c);
		break;
	case VN_OP_REDUCE:
		step = exec_reduce(r, &l, c);
		break;
	case VN_OP_GEMM:
		step = exec_gemm(r, &l, c);
		break;
	case VN_OP_SEM_WAIT:
	case VN_OP_SEM_SIGNAL:
		step = exec_sem(r, &l, c);
		break;
	case VN_OP_FENCE:
		/* In order already; entering the chunk was the barrier. */
		break;
	default:
		step = exec_ewise(r, &l, c);
	}
	vn_runner_leave(r);
	if (l.slow_us)
		r->slow_us = l.slow_us;
	return step;
}

u64 vn_exec_cost(const struct vn_runner *r, const struct vn_desc *d)
{
	u64 cost = vn_desc_cost(d), names = d->opcode == VN_OP_REDUCE ? vn_reduce_entries(d) : 4;

	/* Names are looked up also for no bytes at all. */
	return (cost < r->chunk_bytes ? cost : r->chunk_bytes) + 16 * names;
}

u32 vn_exec_fetch(struct vn_runner *r, const struct vn_env *env, u64 addr, u32 count,
		  struct vn_operand *to)
{
	struct lookup l = { .env = env };
	const struct vn_operand *from;

	vn_runner_enter(r);
	from = local(&l, addr, 0, (u64)count * sizeof(*to), 8, false, 0);
	if (from)
		memcpy(to, from, count * sizeof(*to));
	vn_runner_leave(r);
	return l.status;
}
