// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what descriptors do to memory: right results, the same bits however
 * finely they are cut into chunks and in whichever instruction set; every way
 * to name memory wrongly refused with its status and place, and nothing
 * written then; what keys allow; and that the switch counts every byte once.
 */
#include "world.h"

#define KIB 1024ull

static struct world *w;
static struct vn_runner *r;
static struct rig *g; /* a queue on chip 1 */

static u32 run(struct vn_desc d, struct vn_cqe *e)
{
	return run_one(g, r, d, e);
}

/* ---- results ------------------------------------------------------------ */

static void test_copy(void)
{
	struct ram a = mem(w, 0, 256 * KIB), b = mem(w, 1, 256 * KIB), was = mem(w, 1, 256 * KIB);
	u32 wrong = 0;
	struct vn_cqe e;

	for (u32 i = 0; i < 300; i++) {
		u64 n = i < 70 ? i : rnd() % (200 * KIB), so = rnd() % (56 * KIB),
		    d = rnd() % (56 * KIB);

		scramble(a.ptr + so, n);
		memset(b.ptr, 0x11, b.bytes);
		memset(was.ptr, 0x11, b.bytes);
		memcpy(was.ptr + d, a.ptr + so, n);
		wrong += run(copy(at(&b, d), at(&a, so), n), &e) || e.bytes != n ||
			 memcmp(b.ptr, was.ptr, b.bytes);
	}
	tap_ok(!wrong, "copies of any length and place, and nothing beside them (%u wrong)", wrong);
	memcpy(was.ptr, b.ptr, b.bytes);
	tap_ok(!run(copy(at(&b, 5), at(&b, 5), 1000), &e) && e.bytes == 1000 &&
		       !memcmp(b.ptr, was.ptr, b.bytes),
	       "a copy onto itself");
	for (u32 i = 0; i < 200; i++) {
		u32 width = 1u << (i & 3), wrong_here = 0;
		u64 pattern = rnd(), n = (i < 40 ? i : rnd() % (100 * KIB)) * width,
		    off = rnd() % KIB * width;

		memset(b.ptr, 0x22, b.bytes);
		if (off + n > b.bytes)
			n = b.bytes - off;
		wrong += run(fill(at(&b, off), n, pattern, width), &e) || e.bytes != n;
		for (u64 k = 0; k < n; k++)
			wrong_here += b.ptr[off + k] != (u8)(pattern >> 8 * (k % width));
		wrong += wrong_here || (off && b.ptr[off - 1] != 0x22) ||
			 (off + n < b.bytes && b.ptr[off + n] != 0x22);
	}
	tap_ok(!wrong, "fills of 1, 2, 4 and 8 bytes (%u wrong)", wrong);
	mem_end(w, &a);
	mem_end(w, &b);
	mem_end(w, &was);
}

struct knobs {
	const char *name;
	u64 bytes, macs, stream;
};

static const struct knobs knobs[] = {
	{ "huge chunks", 1ull << 40, 1ull << 30, ~0ull },
	{ "tiny chunks", 64, 1, ~0ull },
	{ "odd chunks", 5000, 12345, ~0ull },
	{ "around the caches", 8192, 4096, 0 },
};

static void turn_knobs(const struct knobs *k)
{
	r->chunk_bytes = k->bytes;
	r->chunk_macs = k->macs;
	r->stream_bytes = k->stream;
}

/*
 * The same descriptors in all sizes of chunks; the first run is checked
 * against the plainest arithmetic there is, the others against the first.
 */
static u32 run_ewise(const struct ram *m, u8 *keep, u32 first)
{
	enum { ROWS = 37, COLS = 83 };
	const u64 mat = 4 * ROWS * COLS, x = 0, y = mat, z = 2 * mat, ww = 3 * mat;
	static const struct {
		u8 op, y, w;
		u32 alpha;
	} ops[] = {
		{ VN_OP_BIAS_ADD, 1, 0, 0 },  { VN_OP_RELU, 0, 0, 0 },
		{ VN_OP_RELU_GRAD, 1, 0, 0 }, { VN_OP_SOFTMAX_XENT, 1, 1, 0x3f000000 },
		{ VN_OP_COL_SUM, 0, 0, 0 },   { VN_OP_AXPY, 0, 0, 0xbfc00000 },
	};
	float *fx = (float *)(m->ptr + x), *fy = (float *)(m->ptr + y), *fz = (float *)(m->ptr + z);
	u32 wrong = 0, at_keep = 0;

	for (u32 i = 0; i < ARRAY_SIZE(ops); i++) {
		u64 out = ops[i].op == VN_OP_COL_SUM ? 4 * COLS : mat;
		float before[ROWS * COLS];
		struct vn_cqe e;

		memset(m->ptr, 0x33, m->bytes);
		/* run after run the same numbers */
		for (u32 k = 0; k < ROWS * COLS; k++) {
			fx[k] = (float)((int)(k * 2654435761u >> 8 & 0xffff) - 0x8000) / 4096;
			fy[k] = (float)((int)(k * 40503u >> 3 & 0xffff) - 0x8000) / 8192;
			fz[k] = (float)k / 64;
			before[k] = fz[k];
		}
		if (ops[i].op == VN_OP_SOFTMAX_XENT)
			for (u32 k = 0; k < ROWS; k++)
				((u32 *)fy)[k] = k % COLS;
		wrong += run(ewise(ops[i].op, m->addr + x, ops[i].y ? m->addr + y : 0, m->addr + z,
				   ops[i].w ? m->addr + ww : 0, ROWS, COLS, ops[i].alpha),
			     &e) ||
			 e.bytes != out;
		if (first) {
			memcpy(keep + at_keep, m->ptr, m->bytes);
			for (u32 k = 0; k < ROWS * COLS; k++) {
				float want = fz[k], sum = 0;

				switch (ops[i].op) {
				case VN_OP_BIAS_ADD:
					want = fx[k] + fy[k % COLS];
					break;
				case VN_OP_RELU:
					want = fx[k] > 0 ? fx[k] : 0;
					break;
				case VN_OP_RELU_GRAD:
					want = fy[k] > 0 ? fx[k] : 0;
					break;
				case VN_OP_AXPY:
					want = fx[k] * -1.5f;
					want = before[k] + want;
					break;
				case VN_OP_COL_SUM:
					for (u32 row = 0; k < COLS && row < ROWS; row++)
						sum += fx[row * COLS + k];
					want = k < COLS ? sum : before[k];
					break;
				}
				wrong += memcmp(&want, &fz[k], 4) != 0;
			}
		} else {
			wrong += memcmp(keep + at_keep, m->ptr, m->bytes) != 0;
		}
		at_keep += (u32)m->bytes;
	}
	return wrong;
}

static u32 run_gemm(const struct ram *m, u8 *keep, u32 first)
{
	static const struct {
		u32 m, n, k;
	} shapes[] = { { 1, 1, 1 }, { 3, 5, 7 }, { 40, 300, 33 }, { 9, 17, 1030 } };
	u32 wrong = 0, nth = 0;
	u64 third = m->bytes / 3 & ~63ull;

	for (u32 s = 0; s < ARRAY_SIZE(shapes); s++)
		for (u32 flags = 0; flags < 8; flags++) {
			u32 M = shapes[s].m, N = shapes[s].n, K = shapes[s].k;
			float *a = (float *)m->ptr, *b = (float *)(m->ptr + third);
			float *c = (float *)(m->ptr + 2 * third);
			struct vn_cqe e;

			for (u32 i = 0; i < third / 4; i++) {
				a[i] = (float)((int)(i * 2654435761u >> 9 & 0xfff) - 0x800) / 512;
				b[i] = (float)((int)(i * 40503u >> 2 & 0xfff) - 0x800) / 512;
				c[i] = (float)(i & 0xff) / 3;
			}
			wrong += run(gemm(m->addr + 2 * third, m->addr, m->addr + third, M, N, K,
					  VN_FLOAT32, flags),
				     &e) ||
				 e.bytes != 4ull * M * N;
			for (u32 i = 0; first && i < M; i++)
				for (u32 j = 0; j < N; j++) {
					u32 at = i * N + j;
					float sum = flags & VN_GEMM_ACCUMULATE
							    ? (float)(at & 0xff) / 3
							    : 0;

					for (u32 k = 0; k < K; k++) {
						float x = a[flags & VN_GEMM_TRANS_A ? k * M + i
										    : i * K + k];
						float y = b[flags & VN_GEMM_TRANS_B ? j * K + k
										    : k * N + j];

						sum += x * y;
					}
					wrong += memcmp(&sum, &c[at], 4) != 0;
				}
			if (first)
				memcpy(keep + nth * third, c, third);
			wrong += memcmp(keep + nth++ * third, c, third) != 0;
		}
	return wrong;
}

static u32 run_reduce(const struct ram *m, const struct ram *t, u8 *keep, u32 first)
{
	static const u8 types[] = { VN_FLOAT32, VN_BFLOAT16, VN_FLOAT16, VN_INT32 };
	static const u32 ps[] = { 1, 2, 3, 144 };
	struct vn_operand *o = (struct vn_operand *)t->ptr;
	u32 wrong = 0, nth = 0;

	for (u32 i = 0; i < ARRAY_SIZE(types); i++)
		for (u32 op = 0; op < 4; op++)
			for (u32 p = 0; p < ARRAY_SIZE(ps); p++) {
				u32 n = ps[p], es = vn_type_bytes(types[i]);
				u64 count = 3001, row = 3072 * 4;
				struct vn_cqe e;

				for (u64 k = 0; k < m->bytes / 2; k++)
					((u16 *)m->ptr)[k] = (u16)(k * 2654435761u >> 15 & 0xbfff);
				/* sources in rows 0 to n - 1; the last one and row 144 are destinations */
				for (u32 k = 0; k < n; k++)
					o[k] = at(m, k * row);
				o[n] = at(m, (n - 1) * row);
				o[n + 1] = at(m, 144 * row);
				wrong += run(reduce(t->addr, n, 2, count, types[i], (u8)op), &e) ||
					 e.bytes != 2 * count * es;
				wrong += memcmp(m->ptr + (n - 1) * row, m->ptr + 144 * row,
						count * es) != 0;
				for (u64 k = 0; first && types[i] == VN_INT32 && k < count; k++) {
					u32 want = 0;

					for (u32 s = 0; s < n; s++) {
						u64 half = (s * row + 4 * k) / 2;
						u32 v = (u32)(u16)(half * 2654435761u >> 15 &
								   0xbfff) |
							(u32)(u16)((half + 1) * 2654435761u >> 15 &
								   0xbfff)
								<< 16;

						want = !s	       ? v
						       : op == VN_SUM  ? want + v
						       : op == VN_PROD ? want * v
						       : ((s32)want < (s32)v) == (op == VN_MAX)
							       ? v
							       : want;
					}
					wrong += want != ((u32 *)(m->ptr + 144 * row))[k];
				}
				if (first)
					memcpy(keep + nth * row, m->ptr + 144 * row, row);
				wrong += memcmp(keep + nth++ * row, m->ptr + 144 * row, row) != 0;
			}
	return wrong;
}

/* Types, reductions and prefixes by the table, against the arithmetic called at once. */
static u32 run_folds(const struct ram *m, const struct ram *t)
{
	enum { SRC = 5, COUNT = 3001, ROW = 3072 * 8 };
	static u8 want[SRC][ROW], scratch[VN_SCRATCH_BYTES] __attribute__((aligned(64)));
	static const u32 flags[] = { 0, VN_REDUCE_SCAN, VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE };
	struct vn_operand *o = (struct vn_operand *)t->ptr;
	const void *src[SRC];
	void *dst[SRC];
	u32 wrong = 0;

	for (u32 i = 0; i < SRC; i++) {
		dst[i] = want[i];
		src[i] = m->ptr + i * ROW;
		for (u32 k = 0; k < ROW / 4; k++)
			((u32 *)src[i])[k] = (k + i * ROW) * 2654435761u;
		o[i] = at(m, i * ROW);
	}
	for (u32 i = 0; i < VN_TYPE_COUNT * VN_REDOP_COUNT * 3; i++) {
		u8 type = i / 3 % VN_TYPE_COUNT, op = i / 3 / VN_TYPE_COUNT;
		u32 f = flags[i % 3], ndst = f & VN_REDUCE_EXCLUSIVE ? SRC - 1 : SRC;
		u64 bytes = COUNT * vn_type_bytes(type);
		struct vn_desc d = reduce(t->addr, SRC, ndst, COUNT, type, op);
		struct vn_reduce_args a = {
			.src = src,
			.dst = dst,
			.nsrc = SRC,
			.ndst = ndst,
			.n = COUNT,
			.type = type,
			.redop = op,
			.flags = f,
			.scratch = scratch,
			.scalars = (const u64 *)&o[SRC + ndst],
		};
		struct vn_cqe e;

		if (!vn_type_reduces(type, op))
			continue;
		for (u32 k = 0; k < ndst; k++)
			o[SRC + k] = at(m, (SRC + k) * ROW);
		for (u32 k = 0; k < SRC; k++)
			((u64 *)&o[SRC + ndst])[k] = k * 0x9e3779b97f4a7c15ull >> 3;
		d.arg = f;
		vn_ops_scalar.reduce(&a);
		wrong += run(d, &e) || e.bytes != ndst * bytes;
		for (u32 k = 0; k < ndst; k++)
			wrong += memcmp(want[k], m->ptr + (SRC + k) * ROW, bytes) != 0;
	}
	return wrong;
}

static void test_chunks(void)
{
	const struct vn_ops *tables[2] = { &vn_ops_scalar, NULL };
	struct ram m = mem(w, 1, 145 * 3072 * 4), t = mem(w, 1, 8192), e = mem(w, 1, 64 * KIB);
	u8 *keep = malloc(1 << 20), *keep_gemm = malloc(32 * m.bytes / 3),
	   *keep_reduce = malloc(64 * 12288);
	u64 bytes = r->chunk_bytes, macs = r->chunk_macs, stream = r->stream_bytes;

	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		tables[1] = &vn_ops_avx2;
	for (u32 o = 0; o < 2 && tables[o]; o++)
		for (u32 k = 0; k < ARRAY_SIZE(knobs); k++) {
			u32 first = !o && !k, a, b, c, f;

			r->ops = tables[o];
			turn_knobs(&knobs[k]);
			a = run_ewise(&e, keep, first);
			b = run_gemm(&m, keep_gemm, first);
			c = run_reduce(&m, &t, keep_reduce, first);
			f = run_folds(&m, &t);
			tap_ok(!a && !b && !c && !f,
			       "%s, %s: the same bits (%u ewise, %u gemm, %u + %u reduce wrong)",
			       r->ops->name, knobs[k].name, a, b, c, f);
		}
	r->ops = &vn_ops_scalar;
	r->chunk_bytes = bytes;
	r->chunk_macs = macs;
	r->stream_bytes = stream;
	free(keep);
	free(keep_gemm);
	free(keep_reduce);
	mem_end(w, &m);
	mem_end(w, &t);
	mem_end(w, &e);
}

static void test_zero(void)
{
	struct ram a = mem(w, 1, 4096);
	struct vn_operand *o = (struct vn_operand *)a.ptr;
	struct vn_cqe e;
	u32 wrong = 0;

	o[0] = o[1] = at(&a, 4096);
	wrong += run(copy(at(&a, 4096), at(&a, 4096), 0), &e) || e.bytes;
	wrong += run(fill(at(&a, 4096), 0, 1, 8), &e) || e.bytes;
	wrong += run(reduce(a.addr, 1, 1, 0, VN_FLOAT32, VN_SUM), &e) || e.bytes;
	wrong += run(ewise(VN_OP_RELU, a.addr, 0, a.addr, 0, 0, 7, 0), &e) || e.bytes;
	tap_ok(!wrong, "nothing to do is done, also at the very end (%u wrong)", wrong);
	memset(a.ptr, 0xff, 64);
	wrong += run(ewise(VN_OP_COL_SUM, a.addr + 64, 0, a.addr, 0, 0, 7, 0), &e) || e.bytes != 28;
	for (u32 i = 0; i < 32; i++)
		wrong += a.ptr[i] != (i < 28 ? 0 : 0xff);
	tap_ok(!wrong, "a sum of no rows is +0");
	wrong += run(copy(at(&a, 4097), at(&a, 0), 0), &e) != VN_BAD_RANGE;
	tap_ok(!wrong, "no bytes beyond the end are out of range all the same");
	mem_end(w, &a);
}

static void test_semaphores(void)
{
	struct ram a = mem(w, 1, 4096), b = mem(w, 5, 4096);
	u64 *word = (u64 *)a.ptr, *far = (u64 *)b.ptr;
	struct vn_desc d = sem_signal(at(&b, 8), 3);
	struct vn_cqe e;

	r->signalled = false;
	tap_ok(!run(d, &e) && far[1] == 3 && e.bytes == 8 && r->signalled,
	       "a signal adds, on another chip too, and the runner knows");
	d.arg = VN_SEM_SET;
	d.sem.value = 1;
	tap_ok(!run(d, &e) && far[1] == 1, "or sets");
	*word = 10;
	tap_ok(!run(sem_wait_for(at(&a, 0), 10), &e) && !e.bytes, "waiting for what is there");
	tap_ok(!run(sem_wait_for(at(&a, 0), 0), &e), "for nothing");
	*word = ~0ull;
	tap_ok(!run(sem_wait_for(at(&a, 0), 1ull << 63), &e), "unsigned");
	*word = 9;
	tap_ok(run(sem_wait_for(at(&a, 0), 10), &e) == ~0u && g->q.active,
	       "or for one more: blocked");
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	mem_end(w, &a);
	mem_end(w, &b);
}

/* ---- failures ----------------------------------------------------------- */

static void expect(const char *what, struct vn_desc d, u32 status, u32 detail)
{
	struct vn_cqe e;
	u32 got = run(d, &e);

	tap_ok(got == status && e.detail == detail, "%s: %s, detail %u", what, vn_status_name(got),
	       got == ~0u ? 0 : e.detail);
}

static void test_addresses(void)
{
	struct ram a = mem(w, 1, 4096), far = mem(w, 2, 4096), gone = mem(w, 1, 4096),
		   t = mem(w, 1, 8192);
	struct vn_operand *o = (struct vn_operand *)t.ptr, lie = at(&a, 0);
	u64 none = vn_addr_of(1u << 16 | 0x2000), old = gone.addr;

	mem_end(w, &gone);
	memset(a.ptr, 0x44, a.bytes);
	lie.chip = 2;
	expect("copy from another chip's memory by the wrong chip", copy(at(&a, 0), lie, 8),
	       VN_BAD_CHIP, AT(copy.src));
	expect("copy to it", copy(lie, at(&a, 0), 8), VN_BAD_CHIP, AT(copy.dst));
	expect("copy from freed memory", copy(at(&a, 0), at(&gone, 0), 8), VN_STALE_KEY,
	       AT(copy.src));
	expect("copy to freed memory", copy(at(&gone, 0), at(&a, 0), 8), VN_STALE_KEY,
	       AT(copy.dst));
	expect("copy from nowhere", copy(at(&a, 0), (struct vn_operand){ 0, 1, 0, none }, 8),
	       VN_BAD_KEY, AT(copy.src));
	expect("copy from 0", copy(at(&a, 0), (struct vn_operand){ 0, 1, 0, 0 }, 8), VN_BAD_KEY,
	       AT(copy.src));
	expect("copy from ~0", copy(at(&a, 0), (struct vn_operand){ 0, 1, 0, ~0ull }, 8),
	       VN_BAD_KEY, AT(copy.src));
	expect("one byte too far, source", copy(at(&far, 0), at(&a, 1), 4096), VN_BAD_RANGE,
	       AT(copy.src));
	expect("one byte too far, destination", copy(at(&far, 1), at(&a, 0), 4096), VN_BAD_RANGE,
	       AT(copy.dst));
	expect("the largest offset", copy(at(&a, VN_ADDR_OFFSET_MASK), at(&a, 0), 1), VN_BAD_RANGE,
	       AT(copy.dst));
	expect("fill too far", fill(at(&a, 4096), 8, 0, 8), VN_BAD_RANGE, AT(fill.dst));
	expect("fill not aligned", fill(at(&a, 4), 8, 0, 8), VN_BAD_ALIGN, AT(fill.dst));
	expect("fill of freed memory", fill(at(&gone, 0), 8, 0, 8), VN_STALE_KEY, AT(fill.dst));

	expect("semaphore not aligned", sem_signal(at(&a, 4), 1), VN_BAD_ALIGN, AT(sem.at));
	expect("semaphore at the end", sem_wait_for(at(&a, 4096), 0), VN_BAD_RANGE, AT(sem.at));
	expect("semaphore in freed memory", sem_wait_for(at(&gone, 0), 0), VN_STALE_KEY,
	       AT(sem.at));

	for (u32 i = 0; i < 288; i++)
		o[i] = at(&a, 0);
	expect("table on another chip", reduce(far.addr, 1, 1, 1, VN_INT32, 0), VN_BAD_CHIP,
	       AT(reduce.table));
	expect("table beyond the end", reduce(t.addr + 8192 - 16, 1, 1, 1, VN_INT32, 0),
	       VN_BAD_RANGE, AT(reduce.table));
	expect("table not aligned", reduce(t.addr + 4, 1, 1, 1, VN_INT32, 0), VN_BAD_ALIGN,
	       AT(reduce.table));
	expect("table in freed memory", reduce(old, 1, 1, 1, VN_INT32, 0), VN_STALE_KEY,
	       AT(reduce.table));
	expect("table at 0", reduce(0, 1, 1, 1, VN_INT32, 0), VN_BAD_KEY, AT(reduce.table));
	for (u32 i = 0; i < 288; i += 41) {
		o[i].chip = 8;
		expect("operand of a table: no such chip", reduce(t.addr, 144, 144, 1, VN_INT32, 0),
		       VN_BAD_CHIP, i);
		o[i] = at(&a, 0);
		o[i].ultraserver = VN_PARAM;
		o[i].chip = 0;
		expect("a parameter outside a plan", reduce(t.addr, 144, 144, 1, VN_INT32, 0),
		       VN_BAD_CHIP, i);
		o[i] = at(&a, 0);
		o[i].ultraserver = 1;
		expect("another UltraServer", reduce(t.addr, 144, 144, 1, VN_INT32, 0), VN_BAD_CHIP,
		       i);
		o[i] = at(&a, 2);
		expect("not aligned", reduce(t.addr, 144, 144, 1, VN_INT32, 0), VN_BAD_ALIGN, i);
		o[i] = at(&a, 4092);
		expect("too far", reduce(t.addr, 144, 144, 2, VN_INT32, 0), VN_BAD_RANGE, i);
		o[i] = at(&gone, 0);
		expect("gone", reduce(t.addr, 144, 144, 1, VN_INT32, 0), VN_STALE_KEY, i);
		o[i] = at(&a, 0);
	}
	expect("a", gemm(a.addr, far.addr, a.addr, 2, 2, 2, VN_FLOAT32, 0), VN_BAD_CHIP,
	       AT(gemm.a));
	expect("b", gemm(a.addr, a.addr, old, 2, 2, 2, VN_FLOAT32, 0), VN_STALE_KEY, AT(gemm.b));
	expect("c", gemm(0, a.addr, a.addr, 2, 2, 2, VN_FLOAT32, 0), VN_BAD_KEY, AT(gemm.c));
	expect("a too long", gemm(a.addr, a.addr, a.addr, 33, 1, 32, VN_FLOAT32, 0), VN_BAD_RANGE,
	       AT(gemm.a));
	expect("b too long", gemm(a.addr, a.addr, a.addr, 1, 33, 32, VN_FLOAT32, 0), VN_BAD_RANGE,
	       AT(gemm.b));
	expect("c too long", gemm(a.addr, a.addr, a.addr, 33, 32, 1, VN_FLOAT32, 0), VN_BAD_RANGE,
	       AT(gemm.c));
	expect("the longest", gemm(a.addr, a.addr, a.addr, 65536, 65536, 65536, VN_FLOAT32, 0),
	       VN_BAD_RANGE, AT(gemm.a));
	struct vn_desc wide = gemm(a.addr, a.addr, a.addr, 65536, 1, 1, VN_FLOAT32, 0);
	wide.gemm.lda = ~0u;
	expect("the widest", wide, VN_BAD_RANGE, AT(gemm.a));
	expect("c not aligned", gemm(a.addr + 2, a.addr, a.addr, 2, 2, 2, VN_BFLOAT16, 0),
	       VN_BAD_ALIGN, AT(gemm.c));
	expect("a bf16 not aligned", gemm(a.addr, a.addr + 1, a.addr, 2, 2, 2, VN_BFLOAT16, 0),
	       VN_BAD_ALIGN, AT(gemm.a));
	expect("x", ewise(VN_OP_RELU, far.addr, 0, a.addr, 0, 1, 1, 0), VN_BAD_CHIP, AT(ewise.x));
	expect("y", ewise(VN_OP_RELU_GRAD, a.addr, old, a.addr, 0, 1, 1, 0), VN_STALE_KEY,
	       AT(ewise.y));
	expect("z", ewise(VN_OP_RELU, a.addr, 0, a.addr + 4, 0, 32, 32, 0), VN_BAD_RANGE,
	       AT(ewise.z));
	expect("w", ewise(VN_OP_SOFTMAX_XENT, a.addr, a.addr, a.addr, a.addr + 4092, 2, 4, 0),
	       VN_BAD_RANGE, AT(ewise.w));
	expect("z not aligned", ewise(VN_OP_AXPY, a.addr, 0, a.addr + 2, 0, 1, 1, 0), VN_BAD_ALIGN,
	       AT(ewise.z));
	expect("x too far", ewise(VN_OP_COL_SUM, a.addr + 4, 0, a.addr, 0, 32, 32, 0), VN_BAD_RANGE,
	       AT(ewise.x));
	u32 wrong = 0;
	for (u32 i = 0; i < a.bytes; i++)
		wrong += a.ptr[i] != 0x44;
	tap_ok(!wrong, "none of them has written a byte");
	mem_end(w, &a);
	mem_end(w, &far);
	mem_end(w, &t);
}

/* Which access a key must have for what is done through it. */
static void test_keys(void)
{
	struct ram mine = mem(w, 1, 4096), theirs = mem(w, 4, 8192);
	static const struct {
		const char *what;
		u8 need;
		u32 detail;
	} ways[] = {
		{ "copy from", VN_ACCESS_REMOTE_READ, AT(copy.src) },
		{ "copy to", VN_ACCESS_REMOTE_WRITE, AT(copy.dst) },
		{ "fill", VN_ACCESS_REMOTE_WRITE, AT(fill.dst) },
		{ "reduce from", VN_ACCESS_REMOTE_READ, 0 },
		{ "reduce to", VN_ACCESS_REMOTE_WRITE, 1 },
		{ "signal", VN_ACCESS_REMOTE_ATOMIC, AT(sem.at) },
		{ "wait", VN_ACCESS_REMOTE_READ, AT(sem.at) },
	};
	struct vn_operand *o = (struct vn_operand *)mine.ptr, k;
	u32 key;

	for (u32 i = 0; i < ARRAY_SIZE(ways); i++) {
		u32 wrong = 0;

		for (u32 access = 0; access < 16; access++) {
			bool may = (access & ways[i].need) == ways[i].need;
			struct vn_desc d;
			struct vn_cqe e;
			u32 got;

			key = key_of(w, 4, theirs.ptr + 64, 4096, (u8)access);
			k = by_key(4, key, 128);
			o[0] = i == 3 ? k : at(&mine, 64);
			o[1] = i == 4 ? k : at(&mine, 64);
			switch (i) {
			case 0:
				d = copy(at(&mine, 64), k, 8);
				break;
			case 1:
				d = copy(k, at(&mine, 64), 8);
				break;
			case 2:
				d = fill(k, 8, 1, 8);
				break;
			case 3:
			case 4:
				d = reduce(mine.addr, 1, 1, 2, VN_INT32, VN_SUM);
				break;
			case 5:
				d = sem_signal(k, 1);
				break;
			default:
				d = sem_wait_for(k, 0);
			}
			got = run(d, &e);
			wrong += may ? got != VN_OK
				     : got != VN_BAD_ACCESS || e.detail != ways[i].detail;
			key_end(w, 4, key);
			wrong += run(d, &e) != VN_STALE_KEY || e.detail != ways[i].detail;
		}
		tap_ok(!wrong, "%s a window: what the key must allow (%u wrong)", ways[i].what,
		       wrong);
	}
	key = key_of(w, 4, theirs.ptr + 64, 4096, FULL_ACCESS);
	memset(theirs.ptr, 0, theirs.bytes);
	tap_ok(!run(fill(by_key(4, key, 0), 8, ~0ull, 8), NULL) &&
		       *(u64 *)(theirs.ptr + 64) == ~0ull,
	       "offset 0 of a window is its first byte");
	expect("last byte of it", fill(by_key(4, key, 4095), 1, 1, 1), VN_OK, 0);
	expect("one beyond", fill(by_key(4, key, 4096), 1, 1, 1), VN_BAD_RANGE, AT(fill.dst));
	expect("far beyond", fill(by_key(4, key, ~0ull), 1, 1, 1), VN_BAD_RANGE, AT(fill.dst));
	expect("its key on another chip", fill(by_key(3, key, 0), 1, 1, 1), VN_BAD_KEY,
	       AT(fill.dst));
	expect("a key nobody gave", fill(by_key(4, key + 1, 0), 1, 1, 1), VN_BAD_KEY, AT(fill.dst));
	expect("a generation to come", fill(by_key(4, key + 0x10000, 0), 1, 1, 1), VN_BAD_KEY,
	       AT(fill.dst));
	expect("the largest key", fill(by_key(4, ~0u, 0), 1, 1, 1), VN_BAD_KEY, AT(fill.dst));
	key_end(w, 4, key);

	/* A transfer cut in chunks stops where the window ends under it. */
	key = key_of(w, 4, theirs.ptr, 8192, FULL_ACCESS);
	r->chunk_bytes = 1024;
	rig_push(g, fill(by_key(4, key, 0), 8192, 0x77, 1));
	if (g->q.state == VN_QUEUE_ERROR) {
		vn_queue_clear(&g->q);
		g->tail = g->read = 0;
		rig_push(g, fill(by_key(4, key, 0), 8192, 0x77, 1));
	}
	rig_turn(g, r, 1, 1, NULL, 0);
	rig_turn(g, r, 1, 1, NULL, 0);
	key_end(w, 4, key);
	struct vn_cqe e;
	u32 res = rig_turn(g, r, 1, 1, NULL, 0);
	bool popped = rig_pop(g, &e);
	tap_ok(res == VN_RUN_ERROR && popped && e.status == VN_STALE_KEY && e.bytes == 2048 &&
		       theirs.ptr[2047] == 0x77 && theirs.ptr[2048] == 0,
	       "a window invalidated during a transfer: no byte moves afterwards");
	r->chunk_bytes = 64 * KIB;
	mem_end(w, &mine);
	mem_end(w, &theirs);
}

/* ---- the switch, and what turns cost ------------------------------------ */

static void test_traffic(void)
{
	struct ram m[8], t;
	u64 tx = 0, rx = 0, local = 0, want_local = 0, want = 0;
	struct vn_operand *o;

	for (u32 i = 0; i < 8; i++)
		m[i] = mem(w, i, 64 * KIB);
	t = mem(w, 1, 4096);
	o = (struct vn_operand *)t.ptr;
	memset(&r->traffic, 0, sizeof(r->traffic));
	for (u32 i = 0; i < 8; i++) {
		run(copy(at(&m[i], 0), at(&m[3], 0), 10000), NULL);
		*(i == 3 ? &want_local : &want) += 10000;
		run(fill(at(&m[i], 0), 800, 1, 8), NULL);
		*(i == 1 ? &want_local : &want) += 800;
		run(sem_signal(at(&m[i], 0), 1), NULL);
		*(i == 1 ? &want_local : &want) += 8;
		o[i] = o[8 + i] = at(&m[i], 0);
	}
	run(reduce(t.addr, 8, 8, 5000, VN_INT32, VN_SUM), NULL);
	want += 2 * 7 * 20000;
	want_local += 2 * 20000;
	for (u32 s = 0; s < VN_MAX_CHIPS; s++) {
		local += r->traffic.local[s];
		for (u32 p = 0; p < VN_PLANES; p++) {
			tx += r->traffic.tx[s][p];
			rx += r->traffic.rx[s][p];
		}
	}
	tap_ok(tx == rx, "what is sent is received: %llu bytes", (unsigned long long)tx);
	tap_ok(tx == want && local == want_local,
	       "every byte of every operation, once (%llu, %llu local)", (unsigned long long)want,
	       (unsigned long long)want_local);
	memset(&r->traffic, 0, sizeof(r->traffic));
	run(copy(at(&m[3], 64 * KIB - 4), at(&m[2], 0), 8), NULL);
	tx = 0;
	for (u32 s = 0; s < VN_MAX_CHIPS; s++)
		for (u32 p = 0; p < VN_PLANES; p++)
			tx += r->traffic.tx[s][p];
	tap_ok(!tx, "what is refused is not counted");
	for (u32 i = 0; i < 8; i++)
		mem_end(w, &m[i]);
	mem_end(w, &t);
}

/* A long operation comes back to its shell after about the budget. */
static void test_budget(void)
{
	struct ram m = mem(w, 1, 3 << 20);
	u64 bytes = r->chunk_bytes, macs = r->chunk_macs;
	static const char *const names[] = { "copy", "fill", "gemm", "ewise" };
	u32 turns[4];

	r->chunk_bytes = 16 * KIB;
	r->chunk_macs = 32 * KIB;
	for (u32 i = 0; i < 4; i++) {
		struct vn_desc d = i == 0   ? copy(at(&m, 1 << 20), at(&m, 0), 1 << 20)
				   : i == 1 ? fill(at(&m, 0), 1 << 20, 0, 1)
				   : i == 2 ? gemm(m.addr + (2 << 20), m.addr, m.addr + (1 << 20),
						   128, 128, 128, VN_FLOAT32, 0)
					    : ewise(VN_OP_RELU, m.addr, 0, m.addr, 0, 512, 512, 0);
		struct vn_cqe e;

		if (g->q.state == VN_QUEUE_ERROR) {
			vn_queue_clear(&g->q);
			g->tail = g->read = 0;
		}
		rig_push(g, d);
		for (turns[i] = 1; rig_turn(g, r, 1, 64 * KIB, NULL, 0) == VN_RUN_MORE; turns[i]++)
			;
		tap_ok(rig_pop(g, &e) && !e.status && turns[i] >= 8,
		       "a MiB of %s with a budget of 64 KiB takes %u turns", names[i], turns[i]);
	}
	r->chunk_bytes = bytes;
	r->chunk_macs = macs;
	mem_end(w, &m);
}

int main(void)
{
	w = world_new(2, 4);
	r = runner_new(w, &vn_ops_scalar);
	g = rig_new(w, 1, 8);
	test_copy();
	test_chunks();
	test_zero();
	test_semaphores();
	test_addresses();
	test_keys();
	test_traffic();
	test_budget();
	tap_ok(!(r->chunk & 1), "the runner is outside every chunk");
	world_free(w);
	return tap_done();
}
