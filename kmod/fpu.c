// SPDX-License-Identifier: GPL-2.0-only

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <linux/string.h>
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

static void reduce(const struct vn_reduce_args *a)
{
	CLAIMED(reduce(a));
}

static void copy(void *dst, const void *src, u64 bytes, bool stream)
{
	memcpy(dst, src, bytes);
}

static void fill(void *dst, u64 bytes, u64 pattern, u32 width, bool stream)
{
	CLAIMED(fill(dst, bytes, pattern, width, stream));
}

static void gemm(const struct vn_gemm_args *g, u32 row, u32 rows, void *scratch)
{
	CLAIMED(gemm(g, row, rows, scratch));
}

static void bias_add(const struct vn_ewise_args *e)
{
	CLAIMED(bias_add(e));
}

static void relu(const struct vn_ewise_args *e)
{
	CLAIMED(relu(e));
}

static void relu_grad(const struct vn_ewise_args *e)
{
	CLAIMED(relu_grad(e));
}

static void softmax_xent(const struct vn_ewise_args *e)
{
	CLAIMED(softmax_xent(e));
}

static void col_sum(const struct vn_ewise_args *e)
{
	CLAIMED(col_sum(e));
}

static void axpy(const struct vn_ewise_args *e)
{
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
