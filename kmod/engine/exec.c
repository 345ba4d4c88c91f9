// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lookup.h"

/* Block of a matrix product: bounds one chunk whatever the shape. */
#define GEMM_COLS	256u
#define GEMM_DEPTH	512u
/* Least elements of a reduction per chunk: pays for resolving 288 operands. */
#define REDUCE_MIN	1024u

static enum vn_step exec_fill(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 n = d->fill.bytes - c->at;
	void *dst;

	if (n > r->chunk_bytes)
		n = r->chunk_bytes & ~7ull;
	dst = vn_operand_at(l, &d->fill.dst, c->at, n, VN_WRITES, d->fill.width, AT(fill.dst));
	if (!dst)
		return vn_lookup_failed(r, c, l);
	if (n)
		r->ops->fill(dst, n, d->fill.pattern, d->fill.width, vn_streams(r, l->env, d));
	vn_went(r, l->env, l->env->chip, l->chip, n);
	vn_count_in(l->window, n);
	c->at += n;
	c->bytes = c->at;
	return c->at == d->fill.bytes ? VN_STEP_DONE : VN_STEP_MORE;
}

/* Whose memory an operand is, as resolved. */
static u32 chip_of(const struct vn_lookup *l, const struct vn_operand *o)
{
	return o->ultraserver == VN_PARAM ? l->env->params[o->chip].chip : o->chip;
}

static enum vn_step exec_reduce(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u32 nsrc = d->reduce.nsrc, ndst = d->reduce.ndst, es = vn_type_bytes(d->type);
	u64 n = r->chunk_bytes / ((u64)(nsrc + ndst) * es), left = d->reduce.count - c->at;
	struct vn_reduce_args a = {
		.src = (const void *const *)r->src, .dst = r->dst, .nsrc = nsrc, .ndst = ndst,
		.scalars = (const u64 *)&c->table[nsrc + ndst], .flags = d->arg,
		.type = d->type, .redop = d->redop, .stream = vn_streams(r, l->env, d),
		.scratch = r->scratch,
	};

	n = n < REDUCE_MIN ? REDUCE_MIN : n & ~(u64)(REDUCE_MIN - 1);
	if (n > left)
		n = left;
	for (u32 i = 0; i < nsrc + ndst; i++) {
		bool write = i >= nsrc;
		void *p = vn_operand_at(l, &c->table[i], c->at * es, n * es,
					write ? VN_WRITES : VN_READS, es, i);

		if (!p)
			return vn_lookup_failed(r, c, l);
		if (write)
			r->dst[i - nsrc] = p;
		else
			r->src[i] = p;
		r->window[i] = l->window;
	}
	for (u32 i = 0; i < nsrc; i++) {
		vn_went(r, l->env, chip_of(l, &c->table[i]), l->env->chip, n * es);
		vn_count_out(r->window[i], n * es);
	}
	for (u32 i = nsrc; i < nsrc + ndst; i++) {
		vn_went(r, l->env, l->env->chip, chip_of(l, &c->table[i]), n * es);
		vn_count_in(r->window[i], n * es);
	}
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

static enum vn_step exec_gemm(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
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
	a = vn_local_at(l, d->gemm.a, 0, span(ta ? k : m, ta ? m : k, g.lda, es), es, false,
			AT(gemm.a));
	b = a ? vn_local_at(l, d->gemm.b, 0, span(tb ? n : k, tb ? k : n, g.ldb, es), es, false,
			    AT(gemm.b))
	      : NULL;
	out = b ? vn_local_at(l, d->gemm.c, 0, span(m, n, g.ldc, 4), 4, true, AT(gemm.c)) : NULL;
	if (!out)
		return vn_lookup_failed(r, c, l);

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
static bool ewise_operand(struct vn_lookup *l, u64 addr, u64 skip, u64 bytes, bool write,
			  u32 detail, void **to)
{
	*to = NULL;
	if (!addr)
		return true;
	*to = vn_local_at(l, addr, skip, bytes, 4, write, detail);
	return *to;
}

static enum vn_step exec_ewise(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
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
		return vn_lookup_failed(r, c, l);
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

enum vn_step vn_exec_chunk(struct vn_runner *r, const struct vn_env *env, struct vn_cursor *c)
{
	struct vn_lookup l = { .env = env };
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
		step = vn_exec_copy(r, &l, c);
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
		step = vn_exec_sem(r, &l, c);
		break;
	case VN_OP_WRITE_SIGNAL:
		step = vn_exec_write_signal(r, &l, c);
		break;
	case VN_OP_WRITE_IMM:
		step = vn_exec_write_imm(r, &l, c);
		break;
	case VN_OP_COPY_LIST:
		step = vn_exec_copy_list(r, &l, c);
		break;
	case VN_OP_ACCUMULATE:
		step = vn_exec_accumulate(r, &l, c);
		break;
	case VN_OP_FETCH_ADD:
	case VN_OP_CMP_SWAP:
	case VN_OP_SWAP:
		step = vn_exec_atomic(r, &l, c);
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
	bool table = d->opcode == VN_OP_REDUCE || d->opcode == VN_OP_COPY_LIST;
	u64 cost = vn_desc_cost(d), names = table ? vn_desc_entries(d) : 4;

	/* Names are looked up also for no bytes at all. */
	return (cost < r->chunk_bytes ? cost : r->chunk_bytes) + 16 * names;
}

u32 vn_exec_fetch(struct vn_runner *r, const struct vn_env *env, u64 addr, u32 count,
		  struct vn_operand *to)
{
	struct vn_lookup l = { .env = env };
	const struct vn_operand *from;

	vn_runner_enter(r);
	from = vn_local_at(&l, addr, 0, (u64)count * sizeof(*to), 8, false, 0);
	if (from)
		memcpy(to, from, count * sizeof(*to));
	vn_runner_leave(r);
	return l.status;
}
