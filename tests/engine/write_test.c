// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a write that signals, and one that accumulates, do to memory what they say,
 * however finely they are cut; that of the first kind nothing moves unless all of it can, and
 * that the word changes once, after the last byte; that a fence holds them up and repeats
 * nothing; and that a window counts what goes through it by key, and what it refuses.
 */
#include "world.h"
#include "../reduce_oracle.h"

#define KIB 1024ull

static struct world *w;
static struct vn_runner *r;
static struct rig *g; /* a queue on chip 1 */

static struct vn_window *window_of(u32 chip, u32 key)
{
	u32 status;

	return vn_table_find(w->domain.chip[chip], key, &status);
}

static void restart(void)
{
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
}

static void test_results(void)
{
	static const u64 chunks[] = { 64, 5000, 64 * KIB, 1ull << 40 };
	struct ram a = mem(w, 0, 256 * KIB), b = mem(w, 2, 256 * KIB), was = mem(w, 1, 256 * KIB);
	u32 key = key_of(w, 2, b.ptr, b.bytes, FULL_ACCESS), wrong = 0;
	u64 want = 0, *word = (u64 *)(b.ptr + 240 * KIB), chunk = r->chunk_bytes;
	struct vn_cqe e;

	for (u32 i = 0; i < 200; i++) {
		u64 n = i < 70 ? i : rnd() % (180 * KIB), so = rnd() % (56 * KIB),
		    to = rnd() % (56 * KIB);
		u32 add = (u32)rnd() | 1;
		bool keyed = i & 1;

		r->chunk_bytes = chunks[i / 2 % 4];
		scramble(a.ptr + so, n);
		memset(b.ptr, 0x11, 240 * KIB);
		memset(was.ptr, 0x11, 240 * KIB);
		memcpy(was.ptr + to, a.ptr + so, n);
		r->signalled = false;
		wrong += run_one(g, r,
				 write_signal(keyed ? by_key(2, key, to) : at(&b, to), at(&a, so),
					      n, keyed ? 240 * KIB : b.addr + 240 * KIB, add),
				 &e) ||
			 e.bytes != n + 8 || e.result || !r->signalled;
		want += add;
		wrong += memcmp(b.ptr, was.ptr, 240 * KIB) != 0 || *word != want;
	}
	tap_ok(!wrong, "bytes of any length and place, and the word beside them (%u wrong)", wrong);
	*word = ~0ull;
	tap_ok(!run_one(g, r, write_signal(at(&b, 0), at(&a, 0), 0, b.addr + 240 * KIB, 1), &e) &&
		       !*word,
	       "a signal alone, and it wraps");
	tap_ok(!run_one(g, r, write_signal(at(&b, 0), at(&a, 0), 16, b.addr + 8, 3), &e) &&
		       *(u64 *)(b.ptr + 8) == *(u64 *)(a.ptr + 8) + 3,
	       "a word among the bytes: first these, then the signal");
	r->chunk_bytes = chunk;
	key_end(w, 2, key);
	mem_end(w, &a);
	mem_end(w, &b);
	mem_end(w, &was);
}

static void test_refusals(void)
{
	struct ram a = mem(w, 1, 8192), b = mem(w, 2, 8192), far = mem(w, 2, 4096);
	struct vn_operand src = at(&a, 0);
	u32 full = key_of(w, 2, b.ptr, 4096, FULL_ACCESS),
	    deaf = key_of(w, 2, b.ptr, 4096, FULL_ACCESS & ~VN_ACCESS_REMOTE_ATOMIC),
	    shut = key_of(w, 2, b.ptr, 4096, FULL_ACCESS & ~VN_ACCESS_REMOTE_WRITE),
	    stale = key_of(w, 2, b.ptr, 4096, FULL_ACCESS);
	const struct {
		const char *what;
		struct vn_desc d;
		u32 status, detail, key;
	} rows[] = {
		{ "the last byte written is outside",
		  write_signal(by_key(2, full, 2049), src, 2048, 0, 1), VN_BAD_RANGE, AT(copy.dst),
		  full },
		{ "the last byte read is",
		  write_signal(by_key(2, full, 0), at(&a, 8192 - 2047), 2048, 0, 1), VN_BAD_RANGE,
		  AT(copy.src), 0 },
		{ "the word is", write_signal(by_key(2, full, 0), src, 2048, 4089, 1), VN_BAD_RANGE,
		  AT(copy.signal), full },
		{ "far outside", write_signal(by_key(2, full, 0), src, 2048, ~7ull, 1),
		  VN_BAD_RANGE, AT(copy.signal), full },
		{ "the word is odd", write_signal(by_key(2, full, 0), src, 2048, 4084, 1),
		  VN_BAD_ALIGN, AT(copy.signal), full },
		{ "no atomics there", write_signal(by_key(2, deaf, 0), src, 2048, 0, 1),
		  VN_BAD_ACCESS, AT(copy.signal), deaf },
		{ "no writes there", write_signal(by_key(2, shut, 0), src, 2048, 0, 1),
		  VN_BAD_ACCESS, AT(copy.dst), shut },
		{ "the window is gone", write_signal(by_key(2, stale, 0), src, 2048, 0, 1),
		  VN_STALE_KEY, AT(copy.dst), 0 },
		{ "there is none", write_signal(by_key(3, full, 0), src, 2048, 0, 1), VN_BAD_KEY,
		  AT(copy.dst), 0 },
		{ "the word is on another chip", write_signal(at(&b, 0), src, 2048, a.addr, 1),
		  VN_BAD_CHIP, AT(copy.signal), 0 },
		{ "the word is nowhere", write_signal(at(&b, 0), src, 2048, 64, 1), VN_BAD_KEY,
		  AT(copy.signal), 0 },
	};
	u64 chunk = r->chunk_bytes;
	struct vn_cqe e;

	key_end(w, 2, stale);
	scramble(a.ptr, a.bytes);
	for (u32 i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		u32 row = i / 2, wrong = 0, status;
		u64 before = rows[row].key ? window_of(2, rows[row].key)->denials : 0;

		/* In one chunk, and in many of which only the last would fail. */
		r->chunk_bytes = i & 1 ? 64 : 64 * KIB;
		memset(b.ptr, 0x44, b.bytes);
		status = run_one(g, r, rows[row].d, &e);
		for (u32 k = 0; k < b.bytes; k++)
			wrong += b.ptr[k] != 0x44;
		if (rows[row].key)
			wrong += window_of(2, rows[row].key)->denials != before + 1;
		tap_ok(status == rows[row].status && e.detail == rows[row].detail && !wrong &&
			       !e.bytes,
		       "%s: %s, detail %u, nothing moved (%u wrong)", rows[row].what,
		       vn_status_name(status), e.detail, wrong);
	}
	/* Another allocation of the chip's is no window: any of own memory will do. */
	*(u64 *)far.ptr = 0;
	tap_ok(!run_one(g, r, write_signal(at(&b, 0), src, 64, far.addr, 5), &e) &&
		       *(u64 *)far.ptr == 5,
	       "the word may lie in another allocation of the same chip");
	r->chunk_bytes = chunk;
	restart();
	key_end(w, 2, full);
	key_end(w, 2, deaf);
	key_end(w, 2, shut);
	mem_end(w, &a);
	mem_end(w, &b);
	mem_end(w, &far);
}

/* A fence before, or between, chunks; then the word is written once. */
static void test_fence(void)
{
	struct ram a = mem(w, 1, 4096), b = mem(w, 2, 8192);
	u32 key = key_of(w, 2, b.ptr, b.bytes, FULL_ACCESS), wrong = 0, moved, res;
	struct vn_hbm *h = window_of(2, key)->hbm;
	u64 chunk = r->chunk_bytes, *word = (u64 *)(b.ptr + 4096), dirty[1];
	struct vn_cqe e;

	r->chunk_bytes = 256;
	for (u32 chunks = 0; chunks <= 4; chunks++) {
		scramble(a.ptr, 1024);
		memset(b.ptr, 0, b.bytes);
		rig_push(g, write_signal(by_key(2, key, 0), at(&a, 0), 1024, 4096, 7));
		/* A budget of one chunk. */
		for (u32 i = 0; i < chunks; i++)
			res = rig_turn(g, r, 1, 1, NULL, 0);
		h->fenced = 1;
		r->fenced = 0;
		for (u32 i = 0; i < 3 && chunks < 4; i++) {
			res = rig_turn(g, r, 1, ~0ull, NULL, 0);
			wrong += res != VN_RUN_BLOCKED || *word;
		}
		wrong += r->fenced != (chunks < 4 ? 3u : 0u);
		for (moved = 0; moved < 1024 && b.ptr[moved] == a.ptr[moved]; moved++)
			;
		wrong += moved / 256 != chunks || *word != (chunks == 4 ? 7 : 0);
		h->fenced = 0;
		h->dirty = dirty;
		dirty[0] = 0;
		while (rig_turn(g, r, 1, ~0ull, NULL, 0) == VN_RUN_MORE)
			;
		wrong += !rig_pop(g, &e) || e.status || *word != 7 || memcmp(a.ptr, b.ptr, 1024);
		/* The word's page, and that of the last bytes. */
		wrong += dirty[0] != (chunks < 4 ? 3 : 0);
		h->dirty = NULL;
	}
	tap_ok(!wrong, "a fence before each chunk and after the last (%u wrong)", wrong);
	r->chunk_bytes = chunk;
	key_end(w, 2, key);
	mem_end(w, &a);
	mem_end(w, &b);
}

static void test_accumulate(void)
{
	static const u64 chunks[] = { 64, 3000, 64 * KIB, 1ull << 40 };
	const struct vn_ops *tables[2] = { &vn_ops_scalar, NULL };
	enum { COUNT = 3001 };
	struct ram a = mem(w, 2, COUNT * 8), b = mem(w, 3, COUNT * 8);
	u8 *was = malloc(COUNT * 8), *want = malloc(COUNT * 8);
	u32 key = key_of(w, 3, b.ptr, b.bytes, FULL_ACCESS & ~VN_ACCESS_REMOTE_READ), pairs = 0;
	u64 chunk = r->chunk_bytes;
	struct vn_cqe e;

	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		tables[1] = &vn_ops_avx2;
	for (u32 t = 0; t < 2 && tables[t]; t++) {
		u32 wrong = 0;

		for (u32 i = 0; i < VN_TYPE_COUNT * VN_REDOP_COUNT * 4; i++) {
			u8 type = i / 4 % VN_TYPE_COUNT, op = i / 4 / VN_TYPE_COUNT;
			const void *src[2] = { was, a.ptr };
			struct oracle o = { .src = src, .type = type, .op = op };
			u64 bytes = (u64)COUNT * oracle_size(type);

			if (!oracle_reduces(type, op) || op == VN_AVG || op == VN_PREMULSUM)
				continue;
			pairs += !t && !(i & 3);
			r->ops = tables[t];
			r->chunk_bytes = chunks[i & 3];
			random_elems(type, a.ptr, COUNT);
			random_elems(type, b.ptr, COUNT);
			memcpy(was, b.ptr, bytes);
			for (u64 k = 0; k < COUNT; k++)
				oracle_reduce(&o, want, 2, k);
			wrong += run_one(g, r,
					 accumulate(i & 4 ? by_key(3, key, 0) : at(&b, 0),
						    at(&a, 0), bytes, type, op),
					 &e) ||
				 e.bytes != bytes || memcmp(want, b.ptr, bytes);
		}
		tap_ok(!wrong, "%s: all types and reductions, in chunks of any size (%u wrong)",
		       r->ops->name, wrong);
	}
	tap_ok(pairs == 14 * 4 + 8 * 3, "%u pairs of a type and a reduction", pairs);
	r->ops = &vn_ops_scalar;
	r->chunk_bytes = chunk;
	for (u32 i = 0; i < COUNT; i++)
		((u32 *)b.ptr)[i] = i;
	tap_ok(!run_one(g, r, accumulate(at(&b, 0), at(&b, 0), 4 * COUNT, VN_UINT32, VN_SUM), &e) &&
		       ((u32 *)b.ptr)[COUNT - 1] == 2 * (COUNT - 1),
	       "onto itself");
	tap_ok(!run_one(g, r, accumulate(at(&b, b.bytes), at(&a, 0), 0, VN_INT64, VN_SUM), &e) &&
		       !e.bytes,
	       "nothing at the very end");
	tap_ok(run_one(g, r, accumulate(at(&b, 2), at(&a, 0), 4, VN_INT32, VN_SUM), &e) ==
			       VN_BAD_ALIGN &&
		       e.detail == AT(copy.dst),
	       "elements are aligned where they are written");
	tap_ok(run_one(g, r, accumulate(at(&b, 0), at(&a, 2), 4, VN_INT32, VN_SUM), &e) ==
			       VN_BAD_ALIGN &&
		       e.detail == AT(copy.src),
	       "and where they are read");
	restart();
	free(was);
	free(want);
	key_end(w, 3, key);
	mem_end(w, &a);
	mem_end(w, &b);
}

/* ---- what a window counts ---------------------------------------------------------- */

static void counted(const char *what, struct vn_desc d, u32 key, u64 in, u64 out, u64 denials)
{
	struct vn_window *x = window_of(2, key);
	u64 was[3] = { x->in_bytes, x->out_bytes, x->denials };
	u32 status = run_one(g, r, d, NULL);

	tap_ok(x->in_bytes - was[0] == in && x->out_bytes - was[1] == out &&
		       x->denials - was[2] == denials,
	       "%s: %llu in, %llu out, %llu denied (%s)", what,
	       (unsigned long long)(x->in_bytes - was[0]),
	       (unsigned long long)(x->out_bytes - was[1]),
	       (unsigned long long)(x->denials - was[2]), vn_status_name(status));
}

static void test_counters(void)
{
	struct ram a = mem(w, 1, 64 * KIB), b = mem(w, 2, 64 * KIB), t = mem(w, 1, 4096);
	u32 key = key_of(w, 2, b.ptr, b.bytes, FULL_ACCESS),
	    ro = key_of(w, 2, b.ptr, b.bytes, VN_ACCESS_REMOTE_READ);
	struct vn_operand o = by_key(2, key, 0), none = { 0 }, own = at(&a, 0);
	struct vn_operand *table = (struct vn_operand *)t.ptr;
	struct vn_segment *s = (struct vn_segment *)t.ptr;
	struct vn_desc set = sem_signal(o, 9);
	u64 chunk = r->chunk_bytes;

	r->chunk_bytes = 1000;
	counted("a copy to it", copy(o, own, 12345), key, 12345, 0, 0);
	counted("a copy from it", copy(own, o, 12345), key, 0, 12345, 0);
	counted("a copy inside it", copy(by_key(2, key, 32768), o, 5000), key, 5000, 5000, 0);
	counted("own memory", copy(at(&b, 0), own, 5000), key, 0, 0, 0);
	counted("a fill", fill(o, 4000, 1, 8), key, 4000, 0, 0);
	table[0] = own;
	table[1] = o;
	table[2] = by_key(2, key, 32768);
	table[3] = own;
	counted("a reduction", reduce(t.addr, 2, 2, 3000, VN_INT32, VN_SUM), key, 12000, 12000, 0);
	counted("an accumulation", accumulate(o, own, 4096, VN_INT32, VN_SUM), key, 4096, 0, 0);
	counted("a signal", sem_signal(o, 1), key, 8, 0, 0);
	set.arg = VN_SEM_SET;
	counted("a word that is set", set, key, 8, 0, 0);
	counted("a wait", sem_wait_for(o, 9), key, 0, 8, 0);
	counted("bytes and a signal", write_signal(o, own, 3000, 4096, 1), key, 3008, 0, 0);
	counted("an atomic", atomic(VN_OP_FETCH_ADD, o, none, 1, 0), key, 8, 8, 0);
	counted("one that tells", atomic(VN_OP_SWAP, o, by_key(2, key, 8), 1, 0), key, 16, 8, 0);
	s[0] = (struct vn_segment){ o, 3000, 0 };
	s[1] = (struct vn_segment){ own, 1000, 0 };
	s[2] = (struct vn_segment){ own, 2000, 0 };
	s[3] = (struct vn_segment){ by_key(2, key, 32768), 2000, 0 };
	counted("a list", copy_list(t.addr, 2, 2, 4000), key, 2000, 3000, 0);
	counted("what it does not allow", copy(by_key(2, ro, 0), own, 8), ro, 0, 0, 1);
	counted("what is outside", copy(by_key(2, key, 64 * KIB - 7), own, 8), key, 0, 0, 1);
	counted("what wraps", copy(by_key(2, key, ~0ull), own, 8), key, 0, 0, 1);
	counted("what is odd", sem_signal(by_key(2, key, 4), 1), key, 0, 0, 1);
	counted("one half of a long copy that is outside",
		copy(by_key(2, key, 63 * KIB), own, 2048), key, 1000, 0, 1);
	restart();
	r->chunk_bytes = chunk;
	key_end(w, 2, ro);
	key_end(w, 2, key);
	key = key_of(w, 2, b.ptr, b.bytes, FULL_ACCESS);
	tap_ok(!window_of(2, key)->in_bytes && !window_of(2, key)->out_bytes &&
		       !window_of(2, key)->denials && !window_of(2, key)->inbox,
	       "the next window there begins with none");
	key_end(w, 2, key);
	mem_end(w, &a);
	mem_end(w, &b);
	mem_end(w, &t);
}

int main(void)
{
	w = world_new(4, 2);
	r = runner_new(w, &vn_ops_scalar);
	g = rig_new(w, 1, 64);
	test_results();
	test_refusals();
	test_fence();
	test_accumulate();
	test_counters();
	world_free(w);
	return tap_done();
}
