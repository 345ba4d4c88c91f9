// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The operations one element at a time: for any x86-64. */

#include "ops.h"

#define VN_LANES	1
#define VN_OPS_NAME	"scalar"
#include "simd.h"
#include "op_elem.inc"
#include "op_copy.inc"
#include "op_reduce.inc"
#include "op_math.inc"
#include "op_ewise.inc"

/* Plain loops over a panel of b that the second-level cache holds. */
#define GEMM_MR		1u
#define GEMM_NR		256u
#define GEMM_MC		128u
#define GEMM_KC		64u
#define GEMM_PACK_ROWS	(~0u)
#include "op_gemm.inc"

static void gemm_kernel(const struct gemm_tile *t, float *spill)
{
	float *restrict c = t->c;
	const float *restrict b = t->b;
	u32 j, k;
	float a;

	(void)spill;
	if (t->zero)
		memset(c, 0, t->nr * sizeof(*c));
	for (k = 0; k < t->kb; k++, b += t->bs) {
		a = t->a[k * t->cs];
		for (j = 0; j < t->nr; j++)
			c[j] += a * b[j];
	}
	for (j = 0; j < t->nr; j++)
		vn_st32(c + j, vn_canon(c[j]));
}

#define VN_TABLE	vn_ops_scalar
#define VN_COPY		copy_scalar
#include "op_table.inc"
