/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the engine's arithmetic must give, written the naive way: values
 * through double and ldexp, one element at a time, no code of the engine's.
 * And memory that tells when it was written beside.
 */
#ifndef OPS_ORACLE_H
#define OPS_ORACLE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../kmod/engine/ops.h"
/* The scalar conversions, exp and log, to look at from within. */
#define VN_LANES 1
#include "../../kmod/engine/simd.h"
#include "../../kmod/engine/op_math.inc"
#include "../reduce_oracle.h"
#include "../tap.h"

static inline u32 rnd(void)
{
	return oracle_rnd();
}

#define GUARD 128

/* `bytes` that begin `off` beyond a 64-byte line, between guards. */
static inline u8 *guarded(u64 bytes, u32 off)
{
	u64 all = (GUARD + off + bytes + GUARD + 63) / 64 * 64;
	u8 *p = aligned_alloc(64, all);

	memset(p, 0xa5, all);
	return p + GUARD + off;
}

static inline bool guard_release(u8 *p, u64 bytes, u32 off)
{
	u8 *base = p - off - GUARD;
	bool ok = true;
	u32 i;

	for (i = 0; i < GUARD + off; i++)
		ok &= base[i] == 0xa5;
	for (i = 0; i < GUARD; i++)
		ok &= p[bytes + i] == 0xa5;
	free(base);
	return ok;
}

/* 0 bias_add, 1 relu, 2 relu_grad, 3 col_sum, 4 axpy: into z, which holds e's */
static inline void oracle_ewise(u32 kind, const struct vn_ewise_args *e, float *z)
{
	const float *x = e->x, *y = e->y;
	u32 r, c, i;
	float f;

	if (kind == 3 && !e->accumulate)
		memset(z, 0, e->cols * 4);
	for (r = 0; r < e->rows; r++)
		for (c = 0; c < e->cols; c++) {
			i = r * e->cols + c;
			switch (kind) {
			case 0:
				f = x[i] + y[c];
				break;
			case 1:
				f = oracle_max(x[i], 0);
				break;
			case 2:
				f = y[i] > 0 ? x[i] : 0;
				break;
			case 3:
				f = z[c] + x[i];
				break;
			default:
				f = of_bits(e->alpha) * x[i];
				f = z[i] + f;
			}
			z[kind == 3 ? c : i] = of_bits(canon(f));
		}
}

static inline void oracle_gemm(const struct vn_gemm_args *g, u32 row, u32 rows, float *c)
{
	u32 i, j, k;
	float f, a, b;

	for (i = row; i < row + rows; i++)
		for (j = 0; j < g->n; j++) {
			f = g->accumulate ? c[(u64)i * g->ldc + j] : 0;
			for (k = 0; k < g->k; k++) {
				a = oracle_get(g->type, g->a,
					       g->trans_a ? (u64)k * g->lda + i
							  : (u64)i * g->lda + k);
				b = oracle_get(g->type, g->b,
					       g->trans_b ? (u64)j * g->ldb + k
							  : (u64)k * g->ldb + j);
				a *= b;
				f += a;
			}
			/* Without a product c is left as it is. */
			c[(u64)i * g->ldc + j] = g->k ? of_bits(canon(f)) : f;
		}
}

/* The distance of an fp32 from the true value, in units of its last place. */
static inline double ulps(float got, double want)
{
	int e;

	if (isnan(want))
		return canon(got) == 0x7fc00000 ? 0 : INFINITY;
	/* What rounds to infinity may be infinity. */
	if (isinf(got) || isinf((float)want))
		return got == (float)want ? 0 : INFINITY;
	if (got == want)
		return 0;
	e = want ? ilogb(want) : -149;
	return fabs(got - want) / ldexp(1, e < -126 ? -149 : e - 23);
}

static inline bool near(double a, double b)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) <= 2e-5 * (1 + fabs(b));
}

/* Is z, w the softmax gradient and loss of tame x? Do the rows sum up? */
static inline bool oracle_softmax_near(const float *x, const s32 *y, const float *z, const float *w,
				       u32 rows, u32 cols, double alpha)
{
	double max, sum, p, total;
	bool ok = true, in;
	u32 r, c;

	for (r = 0; r < rows; r++, x += cols, z += cols) {
		max = -INFINITY;
		sum = total = 0;
		in = y[r] >= 0 && (u32)y[r] < cols;
		for (c = 0; c < cols; c++)
			max = fmax(max, x[c]);
		for (c = 0; c < cols; c++)
			sum += exp(x[c] - max);
		for (c = 0; c < cols; c++) {
			p = exp(x[c] - max) / sum - (in && (u32)y[r] == c);
			total += z[c] / alpha;
			ok &= near(z[c], alpha * p);
		}
		ok &= near(total, in ? 0 : 1);
		ok &= near(w[r], in ? log(sum) - (x[y[r]] - max) : NAN);
	}
	return ok;
}

#endif
