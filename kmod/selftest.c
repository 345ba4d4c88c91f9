// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scalar and AVX2 code must agree to the bit, in the kernel as in user space.
 * The same sums are done by both and compared. Built with VN_SELFTEST=1 this
 * happens at every load.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <asm/fpu/api.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "engine/desc.h"
#include "engine/ops.h"
#include "fpu.h"
#include "selftest.h"

#ifdef VN_SELFTEST
static bool selftest = true;
#else
static bool selftest;
#endif
module_param(selftest, bool, 0444);
MODULE_PARM_DESC(selftest, "Compare scalar and AVX2 arithmetic before anything else");

#define COUNT	1000u		/* no multiple of a vector */
#define SOURCES	5u
#define DIM	37u

static const struct vn_ops *const tables[2] = { &vn_ops_scalar, &vn_ops_avx2 };

struct bench {
	u32 src[SOURCES][COUNT];
	u32 out[2][2][COUNT];		/* [table][destination] */
	u8 scratch[VN_SCRATCH_BYTES] __aligned(64);
};

/* Numbers of all kinds: with all 32 bits random, NaN and denormals are there. */
static void fill_sources(struct bench *b)
{
	u32 x = 1;

	for (u32 i = 0; i < SOURCES; i++)
		for (u32 j = 0; j < COUNT; j++) {
			x = x * 1664525 + 1013904223;
			b->src[i][j] = j & 1 ? x : (x >> 9) | 0x3f800000;
		}
}

static int test_reduce(struct bench *b, u8 type, u8 redop)
{
	const void *src[SOURCES];
	u64 scalars[SOURCES];
	struct vn_reduce_args a = {
		.src = src, .nsrc = SOURCES, .ndst = 2, .scalars = scalars, .type = type,
		.redop = redop, .scratch = b->scratch,
		.n = COUNT * sizeof(u32) / vn_type_bytes(type),
	};

	for (u32 i = 0; i < SOURCES; i++) {
		src[i] = b->src[i];
		memcpy(&scalars[i], b->src[SOURCES - 1 - i], sizeof(u64));
	}
	memset(b->out, 0, sizeof(b->out));
	for (u32 t = 0; t < 2; t++) {
		void *dst[2] = { b->out[t][0], b->out[t][1] };

		kernel_fpu_begin();
		a.dst = dst;
		tables[t]->reduce(&a);
		kernel_fpu_end();
	}
	if (!memcmp(b->out[0], b->out[1], sizeof(b->out[0])))
		return 0;
	pr_err("selftest: reduce of type %u with %u differs\n", type, redop);
	return -EIO;
}

static int test_gemm(struct bench *b, u8 type)
{
	/* Small enough for COUNT: the sources are read as dense matrices. */
	struct vn_gemm_args g = {
		.a = b->src[0], .b = b->src[1], .m = 13, .n = DIM, .k = 17,
		.lda = 17, .ldb = DIM, .ldc = DIM, .type = type,
	};

	memset(b->out, 0, sizeof(b->out));
	for (u32 t = 0; t < 2; t++) {
		g.c = b->out[t][0];
		kernel_fpu_begin();
		tables[t]->gemm(&g, 0, g.m, b->scratch);
		kernel_fpu_end();
	}
	if (!memcmp(b->out[0], b->out[1], sizeof(b->out[0])))
		return 0;
	pr_err("selftest: gemm of type %u differs\n", type);
	return -EIO;
}

int vn_selftest(void)
{
	struct bench *b;
	int err = 0;

	if (!selftest)
		return 0;
	if (!vn_fpu_avx2()) {
		pr_info("selftest: no AVX2 here, nothing to compare\n");
		return 0;
	}
	b = kvmalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	fill_sources(b);
	for (u8 type = 0; type < VN_TYPE_COUNT && !err; type++)
		for (u8 op = 0; op < VN_REDOP_COUNT && !err; op++)
			if (vn_type_reduces(type, op))
				err = test_reduce(b, type, op);
	err = err ?: test_gemm(b, VN_FLOAT32);
	err = err ?: test_gemm(b, VN_BFLOAT16);
	kvfree(b);
	if (!err)
		pr_info("selftest: scalar and AVX2 agree\n");
	return err;
}
