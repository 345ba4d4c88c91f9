// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Speed of the engine's arithmetic on one core, as ratios taken in the same
 * run: matrix products against the scalar table, reductions against a floor
 * that reads the same sources and writes the same destinations and computes
 * nothing. The floor is the best of several ways to walk the memory, so is
 * ours of plain and streaming stores. One JSON object a line; GB/s counts
 * bytes read and bytes written, 10^9 of them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "../../kmod/engine/ops.h"

#define HUGE (2ull << 20)

static u8 scratch[VN_SCRATCH_BYTES] __attribute__((aligned(64)));

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void *alloc(u64 bytes)
{
	void *p;

	bytes = (bytes + HUGE - 1) / HUGE * HUGE;
	p = aligned_alloc(HUGE, bytes);
	if (!p) {
		perror("alloc");
		exit(1);
	}
	madvise(p, bytes, MADV_HUGEPAGE);
	/* Ordinary numbers near 1 in every type. */
	memset(p, 0x3f, bytes);
	return p;
}

static void read_all(const u8 *p, u64 bytes)
{
	u64 i;

	for (i = 0; i < bytes; i += 128)
		asm volatile("vmovdqu %0, %%ymm0\n\t"
			     "vmovdqu 32%0, %%ymm1\n\t"
			     "vmovdqu 64%0, %%ymm2\n\t"
			     "vmovdqu 96%0, %%ymm3"
			     :
			     : "o"(p[i])
			     : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}

static void write_all(u8 *p, u64 bytes, bool stream)
{
	u64 i;

	if (stream)
		for (i = 0; i < bytes; i += 64)
			asm volatile("vmovntdq %%ymm0, %0\n\t"
				     "vmovntdq %%ymm0, 32%0"
				     : "=o"(p[i])
				     :
				     : "memory");
	else
		for (i = 0; i < bytes; i += 64)
			asm volatile("vmovdqu %%ymm0, %0\n\t"
				     "vmovdqu %%ymm0, 32%0"
				     : "=o"(p[i])
				     :
				     : "memory");
}

struct set {
	void **src, **dst;
	u32 p;
	u64 bytes;
};

/* Every source read and every destination written, `tile` bytes at a time. */
static void floor_pass(const struct set *s, u64 tile, bool stream)
{
	u64 at;
	u32 i;

	for (at = 0; at < s->bytes; at += tile) {
		for (i = 0; i < s->p; i++)
			read_all((u8 *)s->src[i] + at, tile);
		for (i = 0; i < s->p; i++)
			write_all((u8 *)s->dst[i] + at, tile, stream);
	}
	asm volatile("sfence\n\tvzeroupper" : : : "memory");
}

static const u8 types[] = { VN_FLOAT32, VN_BFLOAT16, VN_FLOAT16, VN_INT32 };
static const char *const type_names[] = { "float32", "bfloat16", "float16", "int32" };

static void bench_reduce(u32 p, u64 bytes)
{
	static const u64 tiles[] = { 4096, 16384, 65536, ~0ull };
	void *src[VN_REDUCE_MAX], *dst[VN_REDUCE_MAX];
	struct set s = { src, dst, p, bytes };
	double floor = 1e9, best[ARRAY_SIZE(types)], mode[ARRAY_SIZE(types)][2], t;
	double traffic = 2.0 * p * bytes;
	u64 reps = 4e7 / traffic + 1, r;
	u32 i, round, rounds = bytes * p > 64u << 20 ? 3 : 12, st;

	for (i = 0; i < p; i++) {
		src[i] = alloc(bytes);
		dst[i] = alloc(bytes);
	}
	for (i = 0; i < ARRAY_SIZE(types); i++)
		best[i] = mode[i][0] = mode[i][1] = 1e9;
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 2 * ARRAY_SIZE(tiles); i++) {
			u64 tile = tiles[i / 2] < bytes ? tiles[i / 2] : bytes;

			t = now();
			for (r = 0; r < reps; r++)
				floor_pass(&s, tile, i & 1);
			t = (now() - t) / reps;
			floor = t < floor ? t : floor;
		}
		for (i = 0; i < 2 * ARRAY_SIZE(types); i++) {
			u32 es = i / 2 == 1 || i / 2 == 2 ? 2 : 4;

			st = i & 1;
			t = now();
			for (r = 0; r < reps; r++)
				vn_ops_avx2.reduce(&(const struct vn_reduce_args){
					.src = (const void **)src,
					.dst = dst,
					.nsrc = p,
					.ndst = p,
					.n = bytes / es,
					.type = types[i / 2],
					.redop = VN_SUM,
					.stream = st,
					.scratch = scratch,
				});
			t = (now() - t) / reps;
			if (t < mode[i / 2][st])
				mode[i / 2][st] = t;
			if (t < best[i / 2])
				best[i / 2] = t;
		}
	}
	for (i = 0; i < ARRAY_SIZE(types); i++)
		printf("{\"op\":\"reduce\",\"type\":\"%s\",\"sources\":%u,\"destinations\":%u,"
		       "\"bytes\":%llu,\"plain_gbps\":%.2f,\"stream_gbps\":%.2f,"
		       "\"floor_gbps\":%.2f,\"ratio\":%.3f}\n",
		       type_names[i], p, p, (unsigned long long)bytes, traffic / mode[i][0] * 1e-9,
		       traffic / mode[i][1] * 1e-9, traffic / floor * 1e-9, floor / best[i]);
	for (i = 0; i < p; i++) {
		free(src[i]);
		free(dst[i]);
	}
}

static double gemm_time(const struct vn_ops *o, const struct vn_gemm_args *g, u64 reps)
{
	double t = now();
	u64 r;

	for (r = 0; r < reps; r++)
		o->gemm(g, 0, g->m, scratch);
	return (now() - t) / reps;
}

static void bench_gemm(u32 m, u32 n, u32 k, u8 type, u32 tr)
{
	struct vn_gemm_args g = {
		.a = alloc((u64)m * k * 4),
		.b = alloc((u64)n * k * 4),
		.c = alloc((u64)m * n * 4),
		.m = m,
		.n = n,
		.k = k,
		.type = type,
		.trans_a = tr & 1,
		.trans_b = tr & 2,
		.lda = tr & 1 ? m : k,
		.ldb = tr & 2 ? k : n,
		.ldc = n,
	};
	double flop = 2.0 * m * n * k, scalar = 1e9, avx2 = 1e9, t;
	u32 round;

	for (round = 0; round < 12; round++) {
		t = gemm_time(&vn_ops_scalar, &g, 1 + 2e7 / flop);
		scalar = t < scalar ? t : scalar;
		t = gemm_time(&vn_ops_avx2, &g, 1 + 1e8 / flop);
		avx2 = t < avx2 ? t : avx2;
	}
	printf("{\"op\":\"gemm\",\"type\":\"%s\",\"m\":%u,\"n\":%u,\"k\":%u,\"trans\":\"%s%s\","
	       "\"scalar_gflops\":%.2f,\"avx2_gflops\":%.2f,\"avx2_us\":%.3f,\"ratio\":%.2f}\n",
	       type == VN_FLOAT32 ? "float32" : "bfloat16", m, n, k, tr & 1 ? "t" : "n",
	       tr & 2 ? "t" : "n", flop / scalar * 1e-9, flop / avx2 * 1e-9, avx2 * 1e6,
	       scalar / avx2);
	free((void *)g.a);
	free((void *)g.b);
	free(g.c);
}

int main(int argc, char **argv)
{
	u32 t;

	if (!__builtin_cpu_supports("avx2")) {
		printf("# no AVX2 on this cpu: nothing to compare\n");
		return 77;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || !strcmp(argv[1], "gemm")) {
		for (t = 0; t < 4; t++) {
			bench_gemm(256, 256, 256, VN_FLOAT32, t);
			bench_gemm(256, 256, 256, VN_BFLOAT16, t);
		}
		bench_gemm(1024, 1024, 1024, VN_FLOAT32, 0);
		for (t = 0; t < 4; t++)
			bench_gemm(2, 64, 64, VN_FLOAT32, t);
		bench_gemm(10, 64, 64, VN_FLOAT32, 0);
		bench_gemm(64, 10, 64, VN_FLOAT32, 0);
		bench_gemm(64, 64, 10, VN_FLOAT32, 3);
		bench_gemm(16, 128, 784, VN_FLOAT32, 0);
	}
	if (argc < 2 || !strcmp(argv[1], "reduce")) {
		bench_reduce(2, 64 << 10);
		bench_reduce(2, 1 << 20);
		bench_reduce(2, 16 << 20);
		bench_reduce(144, 64 << 10);
		bench_reduce(144, 1 << 20);
		bench_reduce(144, 4 << 20);
	}
	return 0;
}
