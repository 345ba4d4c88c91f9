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
#include "../tap.h"

static inline u32 bits_of(float f)
{
	u32 u;

	memcpy(&u, &f, 4);
	return u;
}

static inline float of_bits(u32 u)
{
	float f;

	memcpy(&f, &u, 4);
	return f;
}

/* xorshift: the same numbers in every run. */
static inline u32 rnd(void)
{
	static u64 s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s >> 32;
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

static inline u32 oracle_size(u8 type)
{
	return type == VN_FLOAT16 || type == VN_BFLOAT16 ? 2 : 4;
}

/* The value of a 16-bit pattern. */
static inline float wide(u8 type, u16 h)
{
	int mbits = type == VN_FLOAT16 ? 10 : 7, bias = type == VN_FLOAT16 ? 15 : 127;
	int e = (h & 0x7fff) >> mbits, m = h & ((1 << mbits) - 1);
	double v;

	if (e == 2 * bias + 1)
		v = m ? NAN : INFINITY;
	else if (e)
		v = ldexp((1 << mbits) + m, e - bias - mbits);
	else
		v = ldexp(m, 1 - bias - mbits);
	return h & 0x8000 ? -v : v;
}

/* The nearest 16-bit pattern, ties to the even one. */
static inline u16 narrow(u8 type, float f)
{
	int mbits = type == VN_FLOAT16 ? 10 : 7, bias = type == VN_FLOAT16 ? 15 : 127, e;
	u16 sign = signbit(f) ? 0x8000 : 0, top = (2 * bias + 1) << mbits;
	double v = fabs((double)f), units;

	if (isnan(f))
		return top | 1 << (mbits - 1);
	if (isinf(f))
		return sign | top;
	if (v == 0)
		return sign;
	e = ilogb(v);
	if (e < 1 - bias)
		e = 1 - bias;
	/* In units of the last place; nearbyint ties to even. */
	units = nearbyint(ldexp(v, mbits - e));
	if (units == 2 << mbits) {
		units /= 2;
		e++;
	}
	if (e > bias)
		return sign | top;
	if (units < 1 << mbits)
		return sign | (u16)units;
	return sign | (e + bias) << mbits | ((u16)units - (1 << mbits));
}

static inline u32 canon(float f)
{
	return isnan(f) ? 0x7fc00000 : bits_of(f);
}

/* Mostly ordinary numbers; some special, some any bits at all, some zeros. */
static inline void random_elems(u8 type, u8 *p, u64 n)
{
	static const u32 special[] = {
		0,	    0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345,
		0x7f800001, 1,		0x80000001, 0x007fffff, 0x7f7fffff, 0xff7fffff,
		0x3f800000, 0xbf800000, 0x00800000, 0x33000000,
	};
	u32 kind, b;
	u16 h;
	u64 i;

	for (i = 0; i < n; i++) {
		kind = i % 4 ? 9 : rnd() % 64;
		if (type == VN_INT32 || kind == 1)
			b = rnd();
		else if (kind == 0)
			b = special[rnd() % ARRAY_SIZE(special)];
		else if (i % 16 == 2)
			b = rnd() << 31; /* zeros of both signs meet */
		else
			b = bits_of(ldexpf((float)(s32)rnd(), -31 + (int)(rnd() % 5)));
		h = b >> 16;
		if (type == VN_FLOAT16)
			h = kind == 1 ? rnd() : narrow(type, of_bits(b));
		if (oracle_size(type) == 2)
			memcpy(p + 2 * i, &h, 2);
		else
			memcpy(p + 4 * i, &b, 4);
	}
}

static inline float get(u8 type, const void *p, u64 i)
{
	return oracle_size(type) == 2 ? wide(type, ((const u16 *)p)[i]) : ((const float *)p)[i];
}

static inline float oracle_max(float a, float b)
{
	if (isnan(a) || isnan(b))
		return NAN;
	if (a == 0 && b == 0)
		return signbit(a) ? b : a;
	return a > b ? a : b;
}

static inline float oracle_fold(u8 op, float a, float b)
{
	switch (op) {
	case VN_PROD:
		return a * b;
	case VN_MAX:
		return oracle_max(a, b);
	case VN_MIN:
		return -oracle_max(-a, -b);
	default:
		return a + b;
	}
}

static inline u32 oracle_fold_int(u8 op, u32 a, u32 b)
{
	switch (op) {
	case VN_PROD:
		return a * b;
	case VN_MAX:
		return (s32)a > (s32)b ? a : b;
	case VN_MIN:
		return (s32)a < (s32)b ? a : b;
	default:
		return a + b;
	}
}

/* Element i of a reduction, into element i of dst. */
static inline void oracle_reduce(u8 type, u8 op, void *dst, const void **src, u32 nsrc, u64 i)
{
	u32 s, es = oracle_size(type), acc;
	float f;

	if (nsrc == 1) {
		memcpy((u8 *)dst + i * es, (const u8 *)src[0] + i * es, es);
	} else if (type == VN_INT32) {
		acc = ((const u32 *)src[0])[i];
		for (s = 1; s < nsrc; s++)
			acc = oracle_fold_int(op, acc, ((const u32 *)src[s])[i]);
		((u32 *)dst)[i] = acc;
	} else {
		f = get(type, src[0], i);
		for (s = 1; s < nsrc; s++)
			f = oracle_fold(op, f, get(type, src[s], i));
		if (es == 2)
			((u16 *)dst)[i] = narrow(type, f);
		else
			((u32 *)dst)[i] = canon(f);
	}
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
				a = get(g->type, g->a,
					g->trans_a ? (u64)k * g->lda + i : (u64)i * g->lda + k);
				b = get(g->type, g->b,
					g->trans_b ? (u64)j * g->ldb + k : (u64)k * g->ldb + j);
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
