// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HBM that is about to move: every descriptor marks the pages it writes and no others;
 * one that would write where writers are kept out waits and changes nothing, and goes on
 * when it may; reading goes on. A copy of what was marked, round after round, under
 * writers, is in the end the same as what was copied.
 */
#include <pthread.h>
#include <sched.h>

#include "world.h"

#define PAGES 200u
#define BYTES (PAGES * VN_HBM_PAGE)

static u64 marks[4], taken[4];

/* ---- marks ---------------------------------------------------------------------- */

static void test_marks(void)
{
	unsigned int wrong = 0;

	for (u32 i = 0; i < 20000; i++) {
		u64 off = rnd() % BYTES, n = 1 + rnd() % (i % 2 ? 5 : 60) * (i % 3 ? 1 : 4096);
		u64 first, last;

		n = n < BYTES - off ? n : BYTES - off;
		first = off / VN_HBM_PAGE;
		last = (off + n - 1) / VN_HBM_PAGE;
		memset(marks, 0, sizeof(marks));
		vn_hbm_mark(marks, off, n);
		for (u64 p = 0; p < 256; p++)
			wrong += (marks[p / 64] >> p % 64 & 1) != (p >= first && p <= last);
		wrong += vn_hbm_count(marks, 4) != last - first + 1;
	}
	tap_ok(!wrong, "the pages of a range, and no others (%u wrong)", wrong);
	memset(marks, 0xff, sizeof(marks));
	memset(taken, 0, sizeof(taken));
	tap_ok(vn_hbm_take(marks, taken, 4) == 256 && !vn_hbm_count(marks, 4) &&
		       vn_hbm_count(taken, 4) == 256,
	       "marks are taken away, and counted");
	tap_ok(vn_hbm_take(marks, taken, 4) == 256, "what was taken before stays taken");
	memset(taken, 0, sizeof(taken));
	tap_ok(!vn_hbm_take(marks, taken, 4) && !taken[0], "once");
	tap_ok(vn_hbm_words(1) == 1 && vn_hbm_words(64 * 4096) == 1 &&
		       vn_hbm_words(64 * 4096 + 1) == 2 && vn_hbm_words(1ull << 40) == 1ull << 22,
	       "words for any size");
}

static void test_runs(void)
{
	unsigned int wrong = 0;

	for (u32 i = 0; i < 2000; i++) {
		u64 pages = 1 + rnd() % 256, seen = 0, page = 0, next, n;

		for (u32 w = 0; w < 4; w++)
			marks[w] = i % 4 ? rnd() & (i % 3 ? rnd() & rnd() : ~0ull) : w % 2 - 1ull;
		for (; (n = vn_hbm_run(marks, pages, &page)); page += n) {
			for (u64 p = page; p < page + n; p++)
				wrong += !(marks[p / 64] >> p % 64 & 1) || p >= pages;
			seen += n;
			wrong += page + n < pages && marks[(page + n) / 64] >> (page + n) % 64 & 1;
			next = page;
			wrong += !vn_hbm_next(marks, pages, &next) || next != page;
		}
		for (u64 p = 0; p < pages; p++)
			seen -= marks[p / 64] >> p % 64 & 1;
		wrong += seen != 0;
	}
	tap_ok(!wrong, "runs of marked pages: all of them, each whole (%u wrong)", wrong);
}

/* ---- descriptors ------------------------------------------------------------------- */

static struct world *w;
static struct vn_runner *r;
static struct rig *g;
static struct ram from, to, words;

/* Bytes that the descriptor may write, by what it did to an untouched copy. */
static unsigned int unmarked(const struct ram *m, const u8 *before)
{
	unsigned int wrong = 0;

	for (u64 p = 0; p < m->bytes / VN_HBM_PAGE; p++) {
		bool changed =
			memcmp(m->ptr + p * VN_HBM_PAGE, before + p * VN_HBM_PAGE, VN_HBM_PAGE);

		wrong += changed && !(marks[p / 64] >> p % 64 & 1);
	}
	return wrong;
}

/* Runs it under marks; then again where it is kept out. */
static void test_desc(const char *what, struct vn_desc d, struct ram *m, u64 pages)
{
	u8 *before = malloc(m->bytes);
	struct vn_cqe e;
	enum vn_run res;
	u32 status;

	memcpy(before, m->ptr, m->bytes);
	memset(marks, 0, sizeof(marks));
	m->hbm->dirty = marks;
	status = run_one(g, r, d, NULL);
	m->hbm->dirty = NULL;
	tap_ok(!status && !unmarked(m, before) && vn_hbm_count(marks, 4) == pages,
	       "%s: marks what it writes (%llu pages)", what,
	       (unsigned long long)vn_hbm_count(marks, 4));

	memcpy(m->ptr, before, m->bytes);
	memset(marks, 0, sizeof(marks));
	m->hbm->dirty = marks;
	m->hbm->fenced = 1;
	r->fenced = 0;
	rig_push(g, d);
	do
		res = rig_turn(g, r, 1, ~0ull, NULL, 0);
	while (res == VN_RUN_MORE);
	tap_ok(res == VN_RUN_BLOCKED && r->fenced && !rig_pop(g, &e) &&
		       !memcmp(m->ptr, before, m->bytes) && !vn_hbm_count(marks, 4),
	       "%s: kept out, it waits and has done nothing", what);
	m->hbm->fenced = 0;
	do
		res = rig_turn(g, r, 1, ~0ull, NULL, 0);
	while (res == VN_RUN_MORE);
	m->hbm->dirty = NULL;
	tap_ok(rig_pop(g, &e) && !e.status && vn_hbm_count(marks, 4) == pages,
	       "%s: then it goes on", what);
	free(before);
}

static void test_descs(void)
{
	struct vn_operand *table = (void *)words.ptr;
	u32 key = key_of(w, 2, to.ptr, to.bytes, FULL_ACCESS);
	u64 traffic;

	scramble(from.ptr, from.bytes);
	fill_floats(from.ptr, from.bytes / 8);
	memset(to.ptr, 0, to.bytes);
	test_desc("copy", copy(at(&to, 4095), at(&from, 0), 2), &to, 2);
	test_desc("a long copy", copy(at(&to, 8192), at(&from, 0), 400000), &to, 98);
	test_desc("fill", fill(at(&to, 4096 * 70), 4096, 0xab, 1), &to, 1);
	table[0] = at(&from, 0);
	table[1] = at(&from, 65536);
	table[2] = at(&to, 4096);
	test_desc("reduce", reduce(words.addr, 2, 1, 2048, VN_FLOAT32, VN_SUM), &to, 2);
	test_desc("signal", sem_signal(at(&to, 64), 1), &to, 1);
	test_desc("relu", ewise(VN_OP_RELU, from.addr, 0, to.addr + 4096, 0, 4, 1024, 0), &to, 4);
	test_desc("gemm", gemm(to.addr + 12288, from.addr, from.addr, 8, 8, 8, VN_FLOAT32, 0), &to,
		  1);

	/* Nothing of a part that was not done is counted. */
	table[2] = at(&to, 0);
	to.hbm->fenced = 1;
	traffic = r->traffic.local[from.chip] + r->traffic.tx[from.chip][0] +
		  r->traffic.tx[from.chip][1] + r->traffic.tx[from.chip][2] +
		  r->traffic.tx[from.chip][3];
	rig_push(g, reduce(words.addr, 2, 1, 2048, VN_FLOAT32, VN_SUM));
	tap_ok(rig_turn(g, r, 1, ~0ull, NULL, 0) == VN_RUN_BLOCKED &&
		       traffic == r->traffic.local[from.chip] + r->traffic.tx[from.chip][0] +
					  r->traffic.tx[from.chip][1] +
					  r->traffic.tx[from.chip][2] + r->traffic.tx[from.chip][3],
	       "nor does traffic count before it goes on");
	to.hbm->fenced = 0;
	while (rig_turn(g, r, 1, ~0ull, NULL, 0) == VN_RUN_MORE)
		;
	g->read = g->tail;
	vn_store_release(&ring(g)->cq_head, g->read);

	to.hbm->fenced = 1;
	tap_ok(!run_one(g, r, copy(at(&from, 0), at(&to, 0), 4096), NULL), "reading goes on");
	to.hbm->fenced = 0;
	key_end(w, 2, key);
}

/* ---- a move under writers --------------------------------------------------------------- */

static struct {
	struct vn_runner *runner[2];
	struct rig *rig[2];
	struct world *world;
	struct ram m;
	u32 stop;
	u64 written[2], refused[2];
} race;

static void *writer(void *arg)
{
	u32 me = (u32)(uintptr_t)arg;
	struct rig *rig = race.rig[me];
	u64 n = 0;

	while (!READ_ONCE(race.stop)) {
		/* Words of its own, of all pages. */
		u64 off = rnd() % (BYTES / 16) * 16 + me * 8;
		struct vn_desc d = fill(at(&race.m, off), 8, rnd(), 8);

		rig_push(rig, d);
		while (rig_turn(rig, race.runner[me], 1, ~0ull, NULL, 0) == VN_RUN_BLOCKED &&
		       !READ_ONCE(race.stop)) {
			WRITE_ONCE(race.refused[me], race.refused[me] + 1);
			sched_yield();
		}
		rig->read = rig->tail;
		vn_store_release(&ring(rig)->cq_head, rig->read);
		WRITE_ONCE(race.written[me], ++n);
	}
	return NULL;
}

static void runners_pass(void)
{
	u32 mark[2];

	for (u32 i = 0; i < 2; i++)
		mark[i] = vn_runner_mark(race.runner[i]);
	for (u32 i = 0; i < 2; i++)
		while (!vn_runner_passed(race.runner[i], mark[i]))
			sched_yield();
}

/* While others write: what is torn is marked, and copied again. */
__attribute__((no_sanitize("thread"))) static u64 copy_taken(u8 *dst, const u8 *src)
{
	u64 page = 0, all = 0, n;

	runners_pass();
	for (; (n = vn_hbm_run(taken, PAGES, &page)); page += n, all += n)
		for (u64 i = page * (VN_HBM_PAGE / 8); i < (page + n) * (VN_HBM_PAGE / 8); i++)
			((u64 *)dst)[i] = READ_ONCE(((const u64 *)src)[i]);
	memset(taken, 0, sizeof(taken));
	return all;
}

/* Moves it; the old place is then nobody's. */
static unsigned int move_once(struct vn_hbm *h, u8 *dst, u64 *rounds)
{
	u8 *src = h->base;
	unsigned int wrong;

	memset(marks, 0, sizeof(marks));
	vn_store_release(&h->dirty, marks);
	runners_pass();
	memset(taken, 0xff, sizeof(taken));
	copy_taken(dst, src);
	for (u32 i = 0; i < 4; i++, ++*rounds) {
		vn_hbm_take(marks, taken, 4);
		copy_taken(dst, src);
	}
	vn_xchg(&h->fenced, 1u);
	runners_pass();
	vn_hbm_take(marks, taken, 4);
	copy_taken(dst, src);
	wrong = memcmp(dst, src, BYTES) != 0;
	WRITE_ONCE(h->base, dst);
	WRITE_ONCE(h->dirty, NULL);
	runners_pass();
	memset(src, 0xdd, BYTES);
	vn_store_release(&h->fenced, 0u);
	return wrong;
}

static void test_move(void)
{
	u32 moves = getenv("VN_QUICK") ? 200 : 2000;
	u8 *place[2];
	pthread_t thread[2];
	unsigned int wrong = 0;
	u64 rounds = 0, written;

	race.world = world_new(2, 2);
	race.m = mem(race.world, 1, BYTES);
	place[0] = race.m.ptr;
	place[1] = world_take(race.world, BYTES);
	for (u32 i = 0; i < 2; i++) {
		race.runner[i] = runner_new(race.world, &vn_ops_scalar);
		race.rig[i] = rig_new(race.world, race.m.chip, 8);
	}
	for (u32 i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, writer, (void *)(uintptr_t)i);
	for (u32 i = 0; i < moves; i++) {
		/* Somebody writes between two of them. */
		written = READ_ONCE(race.written[0]) + READ_ONCE(race.written[1]);
		while (READ_ONCE(race.written[0]) + READ_ONCE(race.written[1]) < written + 2)
			sched_yield();
		wrong += move_once(race.m.hbm, place[(i + 1) % 2], &rounds);
	}
	WRITE_ONCE(race.stop, 1);
	for (u32 i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (u64 i = 0; i < BYTES / 8; i++)
		wrong += ((u64 *)race.m.hbm->base)[i] == 0xddddddddddddddddull;
	tap_diag("%llu writes, %llu waits", (unsigned long long)(race.written[0] + race.written[1]),
		 (unsigned long long)(race.refused[0] + race.refused[1]));
	tap_ok(!wrong, "%u moves under two writers, %llu rounds: the copy is the same (%u wrong)",
	       moves, (unsigned long long)rounds, wrong);
	world_free(race.world);
}

int main(void)
{
	w = world_new(2, 2);
	r = runner_new(w, &vn_ops_scalar);
	g = rig_new(w, 2, 8);
	from = mem(w, 2, BYTES);
	to = mem(w, 2, BYTES);
	words = mem(w, 2, 4096);
	test_marks();
	test_runs();
	test_descs();
	test_move();
	world_free(w);
	return tap_done();
}
