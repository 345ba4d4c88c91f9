// SPDX-License-Identifier: GPL-2.0-only

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <linux/kasan-checks.h>
#include <linux/string.h>
#include "engine/desc.h"
#include "fpu.h"

static const struct vn_ops *inner = &vn_ops_scalar;

/*
 * Every function here is called from process context, never inside another
 * claim, and for one chunk at most: that bounds the time without preemption.
 */
#define CLAIMED(call)			\
	do {				\
		kernel_fpu_begin();	\
		inner->call;		\
		kernel_fpu_end();	\
	} while (0)

/*
 * On a kernel with KASAN the loops over data are not instrumented: each access would be a
 * call. Instead all that one of them is about to touch is looked at here, once.
 */
static void reads(const void *at, u64 bytes)
{
	if (bytes)
		kasan_check_read(at, bytes);
}

static void writes(void *at, u64 bytes)
{
	if (bytes)
		kasan_check_write(at, bytes);
}

static void reduce(const struct vn_reduce_args *a)
{
	u64 bytes = a->n * vn_type_bytes(a->type);

	for (u32 i = 0; i < a->nsrc; i++)
		reads(a->src[i], bytes);
	for (u32 i = 0; i < a->ndst; i++)
		writes(a->dst[i], bytes);
	CLAIMED(reduce(a));
}

static void copy(void *dst, const void *src, u64 bytes, bool stream)
{
	memcpy(dst, src, bytes);
}

static void fill(void *dst, u64 bytes, u64 pattern, u32 width, bool stream)
{
	writes(dst, bytes);
	CLAIMED(fill(dst, bytes, pattern, width, stream));
}

/* From the first to the last byte of a matrix of which so many elements lie row to row. */
static u64 extent(u32 rows, u32 cols, u32 stride, u32 es)
{
	return rows && cols ? ((u64)(rows - 1) * stride + cols) * es : 0;
}

static void gemm(const struct vn_gemm_args *g, u32 row, u32 rows, void *scratch)
{
	u32 es = vn_type_bytes(g->type);

	if (g->trans_a)
		reads(g->a + (u64)row * es, extent(g->k, rows, g->lda, es));
	else
		reads(g->a + (u64)row * g->lda * es, extent(rows, g->k, g->lda, es));
	reads(g->b, g->trans_b ? extent(g->n, g->k, g->ldb, es) : extent(g->k, g->n, g->ldb, es));
	writes(g->c + (u64)row * g->ldc * 4, extent(rows, g->n, g->ldc, 4));
	CLAIMED(gemm(g, row, rows, scratch));
}

static u64 all(const struct vn_ewise_args *e)
{
	return 4ull * e->rows * e->cols;
}

static void bias_add(const struct vn_ewise_args *e)
{
	reads(e->x, all(e));
	reads(e->y, 4ull * e->cols);
	writes(e->z, all(e));
	CLAIMED(bias_add(e));
}

static void relu(const struct vn_ewise_args *e)
{
	reads(e->x, all(e));
	writes(e->z, all(e));
	CLAIMED(relu(e));
}

static void relu_grad(const struct vn_ewise_args *e)
{
	reads(e->x, all(e));
	reads(e->y, all(e));
	writes(e->z, all(e));
	CLAIMED(relu_grad(e));
}

static void softmax_xent(const struct vn_ewise_args *e)
{
	reads(e->x, all(e));
	reads(e->y, 4ull * e->rows);
	writes(e->z, all(e));
	writes(e->w, 4ull * e->rows);
	CLAIMED(softmax_xent(e));
}

static void col_sum(const struct vn_ewise_args *e)
{
	reads(e->x, all(e));
	writes(e->z, 4ull * e->cols);
	CLAIMED(col_sum(e));
}

static void axpy(const struct vn_ewise_args *e)
{
	reads(e->x, all(e));
	writes(e->z, all(e));
	CLAIMED(axpy(e));
}

const struct vn_ops vn_ops_kernel = {
	.name = "kernel",
	.reduce = reduce,
	.copy = copy,
	.fill = fill,
	.gemm = gemm,
	.bias_add = bias_add,
	.relu = relu,
	.relu_grad = relu_grad,
	.softmax_xent = softmax_xent,
	.col_sum = col_sum,
	.axpy = axpy,
};

void vn_fpu_init(void)
{
	if (boot_cpu_has(X86_FEATURE_AVX2) &&
	    cpu_has_xfeatures(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM, NULL))
		inner = &vn_ops_avx2;
}

bool vn_fpu_avx2(void)
{
	return inner == &vn_ops_avx2;
}

const char *vn_fpu_name(void)
{
	return inner->name;
}
