/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The arithmetic of a chip: one table of functions per instruction set, all
 * with the same results to the bit. A shell picks a table once, when it makes
 * the device; a shell whose floating point must be claimed first (the kernel)
 * wraps the table in one that does.
 *
 * Rules the tables share (they make scalar and vector code agree):
 *   - vectorise across outputs, never along a reduction; a reduction is a left
 *     fold in the order of its sources (rows, for column sums);
 *   - no fused multiply-add, round to nearest even, denormals kept;
 *   - bf16, fp16 and fp8 are widened to fp32, folded there, rounded once at the
 *     end; fp64 is folded in fp64;
 *   - a NaN result is the canonical quiet NaN of its type (sign 0, only the top
 *     mantissa bit set; e4m3 has but one, all ones). e4m3 knows no infinity:
 *     what is beyond 448 when rounded is NaN;
 *   - min and max: NaN if either operand is NaN, and -0 < +0;
 *   - integers wrap;
 *   - an average is the sum before its rounding, divided by the number of
 *     sources, then rounded. Integers divide towards zero; of 8 and 16 bits they
 *     are summed in 32, where nothing wraps, and wider ones divide what wrapped;
 *   - a scalar times its source is rounded in the type of the fold, then added;
 *   - the fold of one source alone is a copy of its bits (but not of a scalar
 *     times one).
 * No function keeps a pointer or needs an alignment beyond that of the type.
 */
#ifndef VN_OPS_H
#define VN_OPS_H

#include "port.h"
#include "../../uapi/linux/vneuron.h"

/* Bytes of scratch memory a caller passes; 64-byte aligned. */
#define VN_SCRATCH_BYTES	(128u << 10)

/* The most sources, and the most destinations, of one reduction. */
#define VN_REDUCE_MAX		144u

/*
 * One reduction. Plain: dst[0..ndst) = fold of src[0..nsrc). VN_REDUCE_SCAN:
 * ndst is nsrc and dst[i] = fold of src[0..i]; with VN_REDUCE_EXCLUSIVE ndst is
 * nsrc - 1, and dst[i] is written only after src[i + 1] was read.
 *
 * Each source is read once and each destination written once, tile by tile: the
 * buffers may be the same ones (plain: any; scans: dst[i] = src[i]; exclusive:
 * also dst[i] = src[i + 1]) but not overlap shifted. They are aligned to their
 * type; nothing else is asked of them, and nothing is kept.
 */
struct vn_reduce_args {
	const void *const *src;
	void *const *dst;
	/* PREMULSUM: [nsrc], of the type, each in the low bytes of its u64 */
	const u64 *scalars;
	u64 n;			/* elements of each source */
	void *scratch;		/* VN_SCRATCH_BYTES, 64-byte aligned */
	u32 nsrc, ndst;		/* 1 or more */
	u32 flags;		/* VN_REDUCE_* */
	u8 type, redop;		/* a pair that vn_desc_check() accepts */
	bool stream;		/* write around the caches */
};

struct vn_gemm_args {
	const void *a;		/* m x k, row major; k x m when trans_a */
	const void *b;		/* k x n, row major; n x k when trans_b */
	void *c;		/* m x n, row major, fp32 always */
	u32 m, n, k;
	u32 lda, ldb, ldc;	/* elements from one stored row to the next */
	u8 type;		/* of a and b: VN_FLOAT32 or VN_BFLOAT16 */
	bool trans_a, trans_b;
	bool accumulate;	/* the fold starts from c, else from +0 */
};

/* fp32 matrices, row major, densely packed (rows x cols). */
struct vn_ewise_args {
	const void *x;
	const void *y;
	void *z;
	void *w;
	u32 rows, cols;
	u32 alpha;		/* bits of an fp32 */
	bool accumulate;	/* col_sum: the fold goes on from z */
};

struct vn_ops {
	const char *name;

	void (*reduce)(const struct vn_reduce_args *a);
	/* dst = src, bytes each, disjoint or equal. */
	void (*copy)(void *dst, const void *src, u64 bytes, bool stream);
	/* The pattern's low `width` bytes (1, 2, 4 or 8), over and over. */
	void (*fill)(void *dst, u64 bytes, u64 pattern, u32 width, bool stream);

	/*
	 * Rows [row, row + rows) of c = a b. For every element the products are
	 * added in the order of k.
	 */
	void (*gemm)(const struct vn_gemm_args *g, u32 row, u32 rows, void *scratch);

	/* z[r][c] = x[r][c] + y[c] */
	void (*bias_add)(const struct vn_ewise_args *e);
	/* z = max(x, +0) */
	void (*relu)(const struct vn_ewise_args *e);
	/* z = y > 0 ? x : +0 (x: gradient of the output, y: the output) */
	void (*relu_grad)(const struct vn_ewise_args *e);
	/*
	 * x: logits (rows x cols), y: s32 labels (rows). w[r] = the row's cross
	 * entropy, z = alpha * (softmax(x) - onehot(label)). A label outside
	 * 0..cols-1 counts as no class: nothing is subtracted, its loss is NaN.
	 */
	void (*softmax_xent)(const struct vn_ewise_args *e);
	/* z[c] = sum over r of x[r][c], from +0 (from z: accumulate), in order of r */
	void (*col_sum)(const struct vn_ewise_args *e);
	/* z = z + alpha * x (the product is rounded, then the sum) */
	void (*axpy)(const struct vn_ewise_args *e);
};

extern const struct vn_ops vn_ops_scalar;
extern const struct vn_ops vn_ops_avx2;
/* The same, but copies of any length are memcpy(): for processors on which that is faster. */
extern const struct vn_ops vn_ops_avx2_memcpy;

#endif
