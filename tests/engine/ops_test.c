// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that both tables of the engine's arithmetic give the results the rules
 * on top of ops.h define, to the bit, against an oracle written the naive way;
 * that they agree with each other where only a bound is defined (exp, log);
 * and that they write nothing beside their destinations.
 */

#include "ops_oracle.h"

static const struct vn_ops *const tables[] = { &vn_ops_scalar, &vn_ops_avx2 };
static u32 ntables = 1;
/* $VN_QUICK: one variant of each and fewer values, for sanitizers. */
static bool quick;
static u8 scratch[VN_SCRATCH_BYTES] __attribute__((aligned(64)));

typedef vu convert_fn(vu);

static const struct narrow_type {
	u8 type;
	const char *name;
	u32 values, unit; /* of fp32's bits to the next value */
	convert_fn *to, *from;
} narrow_types[] = {
	{ VN_FLOAT16, "fp16", 65536, 1 << 13, vn_to_fp16, vn_from_fp16 },
	{ VN_BFLOAT16, "bf16", 65536, 1 << 16, vn_to_bf16, vn_from_bf16 },
	{ VN_FLOAT8E5M2, "e5m2", 256, 1 << 21, vn_to_e5m2, vn_from_e5m2 },
	{ VN_FLOAT8E4M3, "e4m3", 256, 1 << 20, vn_to_e4m3, vn_from_e4m3 },
};

/* Every narrow value survives; every rounding is to nearest even. */
static void test_convert(const struct narrow_type *t)
{
	u32 i, j, bad = 0;
	u64 b;

	for (i = 0; i < t->values; i++) {
		bad += t->to(t->from(i)) != narrow(t->type, wide(t->type, i));
		if (!isnan(wide(t->type, i)))
			bad += t->to(t->from(i)) != i || t->from(i) != bits_of(wide(t->type, i));
	}
	tap_ok(!bad, "all %s values round-trip (%u wrong)", t->name, bad);

	for (bad = 0, b = 0; b < 1ull << 32; b += 509)
		bad += t->to(b) != narrow(t->type, of_bits(b));
	/* Each narrow value, the ties above it, and their neighbours. */
	for (i = 0; i < t->values; i++)
		for (j = 0; j < 11; j++) {
			b = t->from(i) + (u32[]){ 0,	       1,
						  2,	       t->unit / 2 - 1,
						  t->unit / 2, t->unit / 2 + 1,
						  3,	       t->unit - 1,
						  t->unit,     0x800000,
						  0x7fffff }[j];
			bad += t->to(b) != narrow(t->type, of_bits(b));
		}
	/* Ties of denormals: odd multiples of half of the least one, of all types. */
	for (i = 0; i < 4096; i++)
		for (j = 0; j < 9; j++) {
			b = bits_of(ldexpf((float)i, (int[]){ -25, -17, -10 }[j / 3])) + j % 3 - 1;
			bad += t->to(b) != narrow(t->type, of_bits(b));
		}
	tap_ok(!bad, "fp32 to %s rounds to nearest even (%u wrong)", t->name, bad);
}

static void test_exp_log(void)
{
	double worst_exp = 0, worst_log = 0, u;
	u64 b;

	for (b = 0; b < 1ull << 32; b += quick ? 3301 : 331) {
		float x = of_bits(b);

		u = ulps(vn_exp(x), exp(x));
		if (!(u <= worst_exp))
			worst_exp = u;
		u = ulps(vn_log(x), log(x));
		if (!(u <= worst_log))
			worst_log = u;
	}
	tap_ok(worst_exp <= 2, "exp within 2 ulp (%.3f)", worst_exp);
	tap_ok(worst_log <= 2, "log within 2 ulp (%.3f)", worst_log);
	tap_ok(vn_exp(INFINITY) == INFINITY && vn_exp(-INFINITY) == 0 && vn_exp(0) == 1 &&
		       vn_exp(-0.0f) == 1 && vn_exp(88.73f) == INFINITY && vn_log(0) == -INFINITY &&
		       vn_log(-0.0f) == -INFINITY && isnan(vn_log(-1)) &&
		       vn_log(INFINITY) == INFINITY && bits_of(vn_log(1)) == 0 &&
		       isnan(vn_exp(NAN)) && isnan(vn_log(NAN)),
	       "exp and log at the edges");
}

struct shape {
	u8 type, op;
	u32 nsrc, ndst, n, off, flags;
	bool stream, in_place;
};

/* Destination i of a shape in place: a source, such that nobody notices. */
static u32 own_source(const struct shape *s, u32 i)
{
	if (!(s->flags & VN_REDUCE_SCAN))
		return s->nsrc - 1 - i;
	return s->flags & VN_REDUCE_EXCLUSIVE ? i + 1 : i;
}

/* One reduction in one table against the oracle. */
static bool reduce_once(const struct vn_ops *o, const struct shape *s)
{
	u32 es = oracle_size(s->type), i, j, wants = s->flags ? s->ndst : 1;
	u8 *src[VN_REDUCE_MAX], *dst[VN_REDUCE_MAX], *want = malloc((u64)wants * s->n * es);
	u64 bytes = s->n * es, scalars[VN_REDUCE_MAX];
	struct oracle oracle = { s->type, s->op, (const void **)src, scalars };
	bool ok = true;

	for (i = 0; i < s->nsrc; i++) {
		src[i] = guarded(bytes, (s->off * (i + 1)) % 32 * es);
		random_elems(s->type, src[i], s->n);
		scalars[i] = oracle_rnd64(); /* only its low bytes count */
		random_elems(s->type, (u8 *)&scalars[i], 1);
	}
	for (i = 0; i < s->n; i++)
		for (j = 0; j < wants; j++)
			oracle_reduce(&oracle, want + j * bytes, s->flags ? j + 1 : s->nsrc, i);
	for (i = 0; i < s->ndst; i++)
		dst[i] = s->in_place && i < s->nsrc ? src[own_source(s, i)]
						    : guarded(bytes, (s->off * (i + 2)) % 32 * es);

	o->reduce(&(const struct vn_reduce_args){ .src = (const void **)src,
						  .dst = (void **)dst,
						  .nsrc = s->nsrc,
						  .ndst = s->ndst,
						  .n = s->n,
						  .type = s->type,
						  .redop = s->op,
						  .flags = s->flags,
						  .scalars = scalars,
						  .stream = s->stream,
						  .scratch = scratch });
	for (i = 0; i < s->ndst; i++) {
		ok &= !memcmp(dst[i], want + (s->flags ? i : 0) * bytes, bytes);
		if (!s->in_place || i >= s->nsrc)
			ok &= guard_release(dst[i], bytes, (s->off * (i + 2)) % 32 * es);
	}
	for (j = 0; j < s->nsrc; j++)
		ok &= guard_release(src[j], bytes, (s->off * (j + 1)) % 32 * es);
	free(want);
	return ok;
}

/* All reductions of one type; flags: as prefixes. */
static void test_reduce(const struct vn_ops *o, u8 type, u32 flags)
{
	static const u32 nsrc[] = { 1, 2, 3, 5, 8, 9, 144 };
	/* The last one is more than a tile. */
	static const u32 count[] = { 0, 1, 7, 8, 9, 31, 32, 33, 65, 1000, 8229 };
	static const u32 ndst[] = { 1, 2, 9, 144 };
	u32 c, k, v, bad = 0, runs = 0;
	struct shape s = { .type = type, .flags = flags };
	u64 work;

	for (s.op = VN_SUM; s.op < VN_REDOP_COUNT && oracle_reduces(type, s.op); s.op++)
		for (c = 0; c < ARRAY_SIZE(nsrc) * ARRAY_SIZE(count); c++)
			for (k = 0; k < (quick ? 1 : 2); k++) {
				v = (3 * k + s.op + c) % 8;
				s.nsrc = nsrc[c % ARRAY_SIZE(nsrc)];
				s.n = count[c / ARRAY_SIZE(nsrc)];
				s.off = v & 1 ? 1 + rnd() % 31 : 0;
				s.stream = v & 2;
				s.in_place = v & 4;
				/* Many of both only where it's cheap. */
				s.ndst = ndst[rnd() % (s.n > 1000 ? 3 : 4)];
				if (flags)
					s.ndst = s.nsrc - !!(flags & VN_REDUCE_EXCLUSIVE);
				else if (s.nsrc == 1)
					s.in_place = false;
				/* What is long for the oracle, once each; very long, of some. */
				work = (u64)s.nsrc * s.n * (flags ? s.nsrc : 1);
				if (!s.ndst || (work > 2000 && k) ||
				    (work > (quick ? 50000 : 300000) && s.op % 4 != type % 4))
					continue;
				if (s.nsrc == 144 && s.n > 65 && (flags || s.op % 4 != type % 4))
					continue;
				bad += !reduce_once(o, &s);
				runs++;
			}
	tap_ok(!bad, "%s reduce type %u flags %u: %u of %u wrong", o->name, type, flags, bad, runs);
}

/* All narrow values against random partners: products and sums that tie. */
static void test_reduce_pairs(const struct vn_ops *o, const struct narrow_type *t)
{
	static u16 a[65536], b[65536], got[65536], want[65536];
	u32 i, round, bad = 0, n = sizeof(a) / oracle_size(t->type);
	const void *src[] = { a, b };
	void *dst[] = { got };

	for (u8 op = VN_SUM; op < VN_PREMULSUM; op++)
		for (round = 0; round < (quick ? 1 : 2); round++) {
			struct oracle oracle = { t->type, op, src, NULL };

			for (i = 0; i < 65536; i++)
				b[i] = rnd();
			for (i = 0; i < n; i++)
				put_raw(t->type, a, i, i);
			for (i = 0; i < n; i++)
				oracle_reduce(&oracle, want, 2, i);
			o->reduce(&(const struct vn_reduce_args){ .src = src,
								  .dst = dst,
								  .nsrc = 2,
								  .ndst = 1,
								  .n = n,
								  .type = t->type,
								  .redop = op,
								  .scratch = scratch });
			bad += !!memcmp(got, want, sizeof(got));
		}
	tap_ok(!bad, "%s reduce of all %s with partners", o->name, t->name);
}

static void test_copy_fill(const struct vn_ops *o)
{
	static const u32 sizes[] = { 0, 1, 7, 31, 63, 64, 65, 127, 128, 1000, 4097, 70001 };
	u32 i, off, w, j, bad = 0;
	u64 pattern;

	for (i = 0; i < ARRAY_SIZE(sizes) * 128; i++) {
		u32 n = sizes[i / 128];
		u8 *s, *d;

		off = i & 63;
		s = guarded(n, (off * 7) & 63);
		d = guarded(n, off);
		for (j = 0; j < n; j++)
			s[j] = rnd();
		o->copy(d, s, n, i & 64);
		bad += memcmp(d, s, n) != 0;
		o->copy(d, d, n, i & 64);
		bad += memcmp(d, s, n) != 0;
		for (w = 1; w <= 8; w *= 2) {
			pattern = (u64)rnd() << 32 | rnd();
			o->fill(d, n, pattern, w, i & 64);
			for (j = 0; j < n; j++)
				bad += d[j] != (u8)(pattern >> (j % w * 8));
		}
		bad += !guard_release(s, n, (off * 7) & 63);
		bad += !guard_release(d, n, off);
	}
	tap_ok(!bad, "%s copy and fill", o->name);
}

static float *matrix(u64 n)
{
	float *p = (float *)guarded(n * 4, 4);

	random_elems(VN_FLOAT32, (u8 *)p, n);
	return p;
}

static void test_ewise(const struct vn_ops *o)
{
	static const u32 dims[] = { 1, 2, 7, 8, 9, 10, 33, 64, 71 };
	u32 i, k, n, bad[5] = { 0 };

	for (i = 0; i < ARRAY_SIZE(dims) * ARRAY_SIZE(dims) * 2; i++) {
		struct vn_ewise_args e = {
			.rows = dims[i / 2 % ARRAY_SIZE(dims)],
			.cols = dims[i / 2 / ARRAY_SIZE(dims)],
			.alpha = bits_of(i % 3 ? -0.37f : 1.0f),
			.accumulate = i & 1,
		};

		n = e.rows * e.cols;
		for (k = 0; k < 5; k++) {
			float *x = matrix(n), *y = matrix(n), *z, *want = malloc(n * 4 + 4);
			u32 zn = k == 3 ? e.cols : n;

			z = i & 1 && k != 3 ? x : matrix(n);
			memcpy(want, z, zn * 4);
			e.x = x;
			e.y = y;
			e.z = z;
			oracle_ewise(k, &e, want);
			switch (k) {
			case 0:
				o->bias_add(&e);
				break;
			case 1:
				o->relu(&e);
				break;
			case 2:
				o->relu_grad(&e);
				break;
			case 3:
				o->col_sum(&e);
				break;
			default:
				o->axpy(&e);
			}
			bad[k] += memcmp(z, want, zn * 4) != 0;
			if (z != x)
				bad[k] += !guard_release((u8 *)z, n * 4, 4);
			bad[k] += !guard_release((u8 *)x, n * 4, 4);
			bad[k] += !guard_release((u8 *)y, n * 4, 4);
			free(want);
		}
	}
	for (k = 0; k < 5; k++)
		tap_ok(!bad[k], "%s %s", o->name,
		       (const char *[]){ "bias_add", "relu", "relu_grad", "col_sum", "axpy" }[k]);
}

/* Fills z, w from x, y in one table. */
static void softmax_run(const struct vn_ops *o, const float *x, const s32 *y, float *z, float *w,
			u32 rows, u32 cols)
{
	struct vn_ewise_args e = {
		.x = x,
		.y = y,
		.z = z,
		.w = w,
		.rows = rows,
		.cols = cols,
		.alpha = bits_of(0.125f),
	};

	o->softmax_xent(&e);
}

static void test_softmax(const struct vn_ops *o)
{
	u32 rows, cols, i, bits_bad = 0, bad = 0, guards_bad = 0;

	for (i = 0; i < 400; i++) {
		float *x, *z, *w, *z0, *w0;
		bool wild = i & 1;
		s32 *y;
		u32 r;

		rows = 1 + i % 23;
		cols = 1 + i % 19 * (i % 7);
		x = matrix(rows * cols);
		y = malloc(rows * 4);
		z = matrix(rows * cols);
		w = matrix(rows);
		z0 = malloc(rows * cols * 4);
		w0 = malloc(rows * 4);
		for (r = 0; r < rows; r++)
			y[r] = (s32)(rnd() % (cols + 2)) - 1;
		for (r = 0; !wild && r < rows * cols; r++)
			x[r] = (float)(s32)rnd() * 0x1p-27f;
		softmax_run(&vn_ops_scalar, x, y, z0, w0, rows, cols);
		softmax_run(o, x, y, z, w, rows, cols);
		bits_bad += memcmp(z, z0, rows * cols * 4) || memcmp(w, w0, rows * 4);
		if (!wild)
			bad += !oracle_softmax_near(x, y, z, w, rows, cols, 0.125);
		softmax_run(o, x, y, x, w, rows, cols);
		bits_bad += memcmp(x, z0, rows * cols * 4) || memcmp(w, w0, rows * 4);
		guards_bad += !guard_release((u8 *)z, rows * cols * 4, 4);
		guards_bad += !guard_release((u8 *)x, rows * cols * 4, 4);
		guards_bad += !guard_release((u8 *)w, rows * 4, 4);
		free(y);
		free(z0);
		free(w0);
	}
	tap_ok(!bad, "%s softmax_xent near the double one (%u wrong)", o->name, bad);
	tap_ok(!bits_bad && !guards_bad, "%s softmax_xent: bits, in place, guards", o->name);
}

static bool gemm_once(const struct vn_ops *o, struct vn_gemm_args *g, u32 row, u32 rows)
{
	u64 es = oracle_size(g->type);
	u64 an = (u64)(g->trans_a ? g->k : g->m) * g->lda;
	u64 bn = (u64)(g->trans_b ? g->n : g->k) * g->ldb, cn = (u64)g->m * g->ldc;
	u8 *a = guarded(an * es, es), *b = guarded(bn * es, es);
	float *c = matrix(cn), *want = malloc(cn * 4 + 4);
	bool ok;

	random_elems(g->type, a, an);
	random_elems(g->type, b, bn);
	memcpy(want, c, cn * 4);
	g->a = a;
	g->b = b;
	g->c = c;
	oracle_gemm(g, row, rows, want);
	o->gemm(g, row, rows, scratch);
	ok = !memcmp(c, want, cn * 4);
	ok &= guard_release((u8 *)c, cn * 4, 4);
	ok &= guard_release(a, an * es, es);
	ok &= guard_release(b, bn * es, es);
	free(want);
	return ok;
}

static void test_gemm(const struct vn_ops *o, u8 type)
{
	static const u32 shapes[][3] = {
		{ 1, 1, 1 },  { 2, 64, 64 },   { 10, 64, 16 },	 { 64, 10, 33 },
		{ 7, 17, 5 }, { 97, 33, 257 }, { 101, 259, 65 }, { 13, 15, 600 },
		{ 3, 5, 0 },  { 193, 48, 31 }, { 12, 300, 130 },
	};
	u32 i, tr, bad;

	for (tr = 0; tr < 4; tr++) {
		bad = 0;
		for (i = 0; i < ARRAY_SIZE(shapes) * 8; i++) {
			struct vn_gemm_args g = {
				.type = type,
				.trans_a = tr & 1,
				.trans_b = tr & 2,
				.m = shapes[i / 8][0],
				.n = shapes[i / 8][1],
				.k = shapes[i / 8][2],
				.accumulate = i & 1,
			};
			u32 more = i & 2 ? 3 : 0, row = i & 4 ? g.m / 3 : 0;

			g.lda = (g.trans_a ? g.m : g.k) + more;
			g.ldb = (g.trans_b ? g.k : g.n) + more;
			g.ldc = g.n + more;
			bad += !gemm_once(o, &g, row, i & 4 ? (g.m + 1) / 2 : g.m);
		}
		tap_ok(!bad, "%s gemm type %u, a%s b%s (%u wrong)", o->name, type,
		       tr & 1 ? "^T" : "", tr & 2 ? "^T" : "", bad);
	}
}

int main(void)
{
	u32 i;

	quick = getenv("VN_QUICK") && *getenv("VN_QUICK") == '1';
	if (__builtin_cpu_supports("avx2"))
		ntables = 2;
	else
		printf("# no AVX2 on this cpu: its table is not tested\n");

	for (i = 0; i < ARRAY_SIZE(narrow_types); i++)
		test_convert(&narrow_types[i]);
	test_exp_log();
	for (i = 0; i < ntables; i++) {
		for (u8 type = 0; type < VN_TYPE_COUNT; type++) {
			test_reduce(tables[i], type, 0);
			test_reduce(tables[i], type, VN_REDUCE_SCAN);
			test_reduce(tables[i], type, VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE);
		}
		for (u32 t = 0; t < ARRAY_SIZE(narrow_types); t++)
			test_reduce_pairs(tables[i], &narrow_types[t]);
		test_copy_fill(tables[i]);
		test_ewise(tables[i]);
		test_softmax(tables[i]);
		test_gemm(tables[i], VN_FLOAT32);
		test_gemm(tables[i], VN_BFLOAT16);
	}
	if (ntables > 1)
		test_copy_fill(&vn_ops_avx2_memcpy);
	return tap_done();
}
