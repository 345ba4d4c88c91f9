// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The operations eight elements at a time; needs AVX2, uses no FMA. */

#include "ops.h"

#define VN_LANES	8
#define VN_OPS_NAME	"avx2"
#include "simd.h"
#include "op_elem.inc"
#include "op_copy.inc"
#include "op_reduce.inc"
#include "op_math.inc"
#include "op_ewise.inc"

/*
 * 6 x 16 sums take 12 of the 16 registers. A panel of b fits the first-level
 * cache, a block of a the second.
 */
#define GEMM_MR		6u
#define GEMM_NR		16u
#define GEMM_MC		96u
#define GEMM_KC		256u
#define GEMM_PACK_ROWS	12u
#include "op_gemm.inc"

#define ROWS_1(X) X(0)
#define ROWS_2(X) ROWS_1(X) X(1)
#define ROWS_3(X) ROWS_2(X) X(2)
#define ROWS_4(X) ROWS_3(X) X(3)
#define ROWS_5(X) ROWS_4(X) X(4)
#define ROWS_6(X) ROWS_5(X) X(5)

#define SUM_BEGIN(r)						\
	vf l##r = zero ? vn_splat_f(0) : vn_f(vn_ld32(c + r * ldc));	\
	vf h##r = zero ? vn_splat_f(0) : vn_f(vn_ld32(c + r * ldc + 8));

#define SUM_STEP(r)			\
	x = vn_splat_f(a[r * rs]);	\
	l##r += x * bl;			\
	h##r += x * bh;

#define SUM_END(r)					\
	vn_st32(c + r * ldc, vn_canon(l##r));		\
	vn_st32(c + r * ldc + 8, vn_canon(h##r));

/* Named sums rather than an array: an array would live in memory. */
#define KERNEL(mr)							\
static void kernel_##mr(const struct gemm_tile *t, float *c, u64 ldc)	\
{									\
	const float *a = t->a, *b = t->b;				\
	u64 rs = t->rs, cs = t->cs, bs = t->bs;				\
	bool zero = t->zero;						\
	u32 k = t->kb;							\
	vf x, bl, bh;							\
									\
	ROWS_##mr(SUM_BEGIN)						\
	for (; k; k--, a += cs, b += bs) {				\
		bl = vn_f(vn_ld32(b));					\
		bh = vn_f(vn_ld32(b + 8));				\
		ROWS_##mr(SUM_STEP)					\
	}								\
	ROWS_##mr(SUM_END)						\
}

KERNEL(1)
KERNEL(2)
KERNEL(3)
KERNEL(4)
KERNEL(5)
KERNEL(6)

static void (*const kernels[])(const struct gemm_tile *t, float *c, u64 ldc) = {
	NULL, kernel_1, kernel_2, kernel_3, kernel_4, kernel_5, kernel_6,
};

/* Kernels write 16 columns: where c has fewer left they write beside it. */
static void gemm_kernel(const struct gemm_tile *t, float *spill)
{
	u32 r;

	if (t->nr == GEMM_NR) {
		kernels[t->mr](t, t->c, t->ldc);
		return;
	}
	for (r = 0; r < t->mr && !t->zero; r++)
		memcpy(spill + r * GEMM_NR, t->c + r * t->ldc, t->nr * sizeof(float));
	kernels[t->mr](t, spill, GEMM_NR);
	for (r = 0; r < t->mr; r++)
		memcpy(t->c + r * t->ldc, spill + r * GEMM_NR, t->nr * sizeof(float));
}

#define VN_TABLE	vn_ops_avx2
#define VN_COPY		copy_avx2
#include "op_table.inc"
#undef VN_TABLE
#undef VN_COPY
#undef VN_OPS_NAME

static void copy_memcpy(void *dst, const void *src, u64 bytes, bool stream)
{
	copy_fenced(dst, src, bytes, stream, ~0ull);
}

#define VN_OPS_NAME	"avx2-memcpy"
#define VN_TABLE	vn_ops_avx2_memcpy
#define VN_COPY		copy_memcpy
#include "op_table.inc"
