// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that fetch-add, compare-and-swap and swap do what they say and tell what was there
 * before, in the completion and wherever else they are asked to; that nothing is done when
 * either place is refused or fenced; and that threads that hammer one word lose nothing.
 */
#include <pthread.h>

#include "world.h"

static struct world *w;
static struct vn_runner *r;
static struct rig *g; /* a queue on chip 1 */
static const struct vn_operand nowhere;

static void test_results(void)
{
	struct ram a = mem(w, 1, 4096), b = mem(w, 3, 4096);
	u64 *word = (u64 *)b.ptr, *old = (u64 *)a.ptr;
	u32 key = key_of(w, 3, b.ptr, 64, FULL_ACCESS);
	struct vn_cqe e;

	for (u32 keyed = 0; keyed < 2; keyed++) {
		struct vn_operand o = keyed ? by_key(3, key, 8) : at(&b, 8);
		const char *how = keyed ? "by key" : "in own memory";
		u64 big = 0xfedcba9876543210ull;

		word[1] = big;
		r->signalled = false;
		tap_ok(!run_one(g, r, atomic(VN_OP_FETCH_ADD, o, nowhere, big, 0), &e) &&
			       e.result == big && word[1] == 2 * big && e.bytes == 8 &&
			       r->signalled,
		       "fetch-add %s wraps, and tells", how);
		tap_ok(!run_one(g, r, atomic(VN_OP_SWAP, o, nowhere, 5, 0), &e) &&
			       e.result == 2 * big && word[1] == 5 && e.bytes == 8,
		       "swap %s", how);
		tap_ok(!run_one(g, r, atomic(VN_OP_CMP_SWAP, o, nowhere, 7, 6), &e) &&
			       e.result == 5 && word[1] == 5,
		       "compare-and-swap %s of another value", how);
		tap_ok(!run_one(g, r, atomic(VN_OP_CMP_SWAP, o, nowhere, 7, 5), &e) &&
			       e.result == 5 && word[1] == 7,
		       "and of this one");
		old[3] = ~0ull;
		tap_ok(!run_one(g, r, atomic(VN_OP_FETCH_ADD, o, at(&a, 24), 1, 0), &e) &&
			       e.result == 7 && old[3] == 7 && word[1] == 8 && e.bytes == 16,
		       "what it was is written where it is asked for");
	}
	tap_ok(word[0] == 0 && word[2] == 0, "and nothing beside");
	tap_ok(!run_one(g, r, nop(0), &e) && !e.result, "others tell nothing");
	key_end(w, 3, key);
	mem_end(w, &a);
	mem_end(w, &b);
}

static void test_refusals(void)
{
	struct ram a = mem(w, 1, 4096), b = mem(w, 3, 4096);
	u64 *word = (u64 *)b.ptr;
	u32 full = key_of(w, 3, b.ptr, 64, FULL_ACCESS),
	    mute = key_of(w, 3, b.ptr, 64, FULL_ACCESS & ~VN_ACCESS_REMOTE_READ),
	    deaf = key_of(w, 3, b.ptr, 64, FULL_ACCESS & ~VN_ACCESS_REMOTE_ATOMIC),
	    shut = key_of(w, 3, b.ptr, 64, FULL_ACCESS & ~VN_ACCESS_REMOTE_WRITE);
	static const u8 ops[] = { VN_OP_FETCH_ADD, VN_OP_CMP_SWAP, VN_OP_SWAP };
	const struct {
		const char *what;
		struct vn_operand at, old;
		u32 status, detail;
	} rows[] = {
		{ "it is odd", by_key(3, full, 4), nowhere, VN_BAD_ALIGN, AT(atomic.at) },
		{ "it is outside", by_key(3, full, 64), nowhere, VN_BAD_RANGE, AT(atomic.at) },
		{ "no reading", by_key(3, mute, 0), nowhere, VN_BAD_ACCESS, AT(atomic.at) },
		{ "no atomics", by_key(3, deaf, 0), nowhere, VN_BAD_ACCESS, AT(atomic.at) },
		{ "no such key", by_key(3, full + 99, 0), nowhere, VN_BAD_KEY, AT(atomic.at) },
		{ "the old one is odd", by_key(3, full, 0), by_key(3, full, 12), VN_BAD_ALIGN,
		  AT(atomic.old) },
		{ "the old one is outside", by_key(3, full, 0), at(&a, 4096), VN_BAD_RANGE,
		  AT(atomic.old) },
		{ "the old one is not to be written", by_key(3, full, 0), by_key(3, shut, 8),
		  VN_BAD_ACCESS, AT(atomic.old) },
		{ "the old one is on another chip",
		  by_key(3, full, 0),
		  { VN_HERE, 2, 0, a.addr },
		  VN_BAD_CHIP,
		  AT(atomic.old) },
	};
	struct vn_cqe e;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 wrong = 0;

		for (u32 k = 0; k < ARRAY_SIZE(ops); k++) {
			memset(b.ptr, 0, 64);
			wrong += run_one(g, r, atomic(ops[k], rows[i].at, rows[i].old, 9, 0), &e) !=
					 rows[i].status ||
				 e.detail != rows[i].detail || e.result || e.bytes;
			for (u32 n = 0; n < 8; n++)
				wrong += word[n] != 0;
		}
		tap_ok(!wrong, "%s: %s, detail %u, and nothing is done (%u wrong)", rows[i].what,
		       vn_status_name(rows[i].status), rows[i].detail, wrong);
	}
	/* What it needs is enough. */
	tap_ok(!run_one(g, r, atomic(VN_OP_SWAP, by_key(3, shut, 0), nowhere, 9, 0), &e),
	       "to write is another right");
	key_end(w, 3, full);
	key_end(w, 3, mute);
	key_end(w, 3, deaf);
	key_end(w, 3, shut);
	mem_end(w, &a);
	mem_end(w, &b);
}

/* Kept out of either place, it is done once when it can be. */
static void test_fence(void)
{
	struct ram a = mem(w, 1, 4096), b = mem(w, 3, 4096);
	const struct ram *both[] = { &b, &a };
	u64 *word = (u64 *)b.ptr, *old = (u64 *)a.ptr, dirty[2];
	struct vn_cqe e;

	for (u32 i = 0; i < 2; i++) {
		u32 wrong = 0;

		*word = 1;
		*old = 77;
		both[i]->hbm->fenced = 1;
		r->fenced = 0;
		rig_push(g, atomic(VN_OP_FETCH_ADD, at(&b, 0), at(&a, 0), 1, 0));
		for (u32 n = 0; n < 4; n++)
			wrong += rig_turn(g, r, 1, ~0ull, NULL, 0) != VN_RUN_BLOCKED ||
				 *word != 1 || *old != 77;
		wrong += r->fenced != 4;
		both[i]->hbm->fenced = 0;
		memset(dirty, 0, sizeof(dirty));
		a.hbm->dirty = &dirty[0];
		b.hbm->dirty = &dirty[1];
		wrong += rig_turn(g, r, 1, ~0ull, NULL, 0) != VN_RUN_IDLE || !rig_pop(g, &e) ||
			 e.status || e.result != 1 || *word != 2 || *old != 1;
		tap_ok(!wrong && dirty[0] == 1 && dirty[1] == 1,
		       "a fence %s: done once, behind it, and marked (%u wrong)",
		       i ? "where the old one goes" : "at the word", wrong);
		a.hbm->dirty = b.hbm->dirty = NULL;
	}
	mem_end(w, &a);
	mem_end(w, &b);
}

/* Parameters of a launch name both places. */
static void test_plan(void)
{
	struct ram a = mem(w, 1, 4096), b = mem(w, 3, 4096);
	u32 key = key_of(w, 3, b.ptr, 4096, FULL_ACCESS), desc;
	struct vn_desc d[2] = { atomic(VN_OP_FETCH_ADD, param(0, 8), param(1, 16), 5, 0),
				write_signal(param(0, 64), at(&a, 512), 16, 128, 3) };
	struct vn_program prog = { .chip = 1, .count = 2 };
	struct vn_program_run run[1];
	struct vn_plan *p = world_take(w, sizeof(*p)), *plans[] = { p };
	struct vn_operand *params = (struct vn_operand *)(a.ptr + 1024);
	struct vn_desc launch = { .opcode = VN_OP_LAUNCH,
				  .launch = { .params = a.addr + 1024, .nparams = 2 } };
	u64 *word = (u64 *)(b.ptr + 256);
	struct vn_cqe e;

	*p = (struct vn_plan){
		.programs = &prog, .descs = d, .run = run, .nprograms = 1, .ndescs = 2, .nparams = 2
	};
	params[0] = by_key(3, key, 256);
	params[1] = at(&a, 0);
	scramble(a.ptr + 512, 16);
	word[1] = 37;
	rig_push(g, launch);
	tap_ok(!vn_plan_check(p, 8, &desc), "a plan with both is one");
	while (rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_MORE)
		;
	tap_ok(rig_pop(g, &e) && !e.status && word[1] == 42 && ((u64 *)a.ptr)[2] == 37 &&
		       !e.result && e.bytes == 16 + 24,
	       "an atomic by parameters of a launch (status %u)", e.status);
	tap_ok(word[16] == 3 && !memcmp(b.ptr + 256 + 64, a.ptr + 512, 16),
	       "and a signalled word counts from the parameter, too");
	key_end(w, 3, key);
	mem_end(w, &a);
	mem_end(w, &b);
}

/* ---- threads on one word ------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 20000 };

struct hammer {
	struct rig *g;
	struct vn_runner *r;
	struct ram *m;
	u32 number;
	u64 wrong, sum;
};

/* Adds by every way there is; what was there before never comes back. */
static void *hammer(void *arg)
{
	struct hammer *h = arg;
	struct vn_operand o = at(h->m, 0);
	u64 *word = (u64 *)h->m->ptr, last = 0;
	struct vn_cqe e;

	for (u32 i = 0; i < ROUNDS; i++) {
		u64 v = READ_ONCE(*word);

		switch ((i + h->number) % 4) {
		case 0:
			h->wrong += run_one(h->g, h->r, atomic(VN_OP_FETCH_ADD, o, nowhere, 3, 0),
					    &e) != 0 ||
				    e.result < last;
			last = e.result;
			h->sum += 3;
			break;
		case 1:
			h->wrong += run_one(h->g, h->r,
					    atomic(VN_OP_CMP_SWAP, o, nowhere, v + 5, v), &e) != 0;
			h->sum += e.result == v ? 5 : 0;
			break;
		case 2:
			h->wrong += run_one(h->g, h->r, sem_signal(o, 7), &e) != 0;
			h->sum += 7;
			break;
		default: /* the CPU */
			vn_fetch_add(word, 11ull);
			h->sum += 11;
		}
	}
	return NULL;
}

static void test_threads(void)
{
	struct ram m = mem(w, 2, 4096);
	struct hammer h[THREADS];
	pthread_t thread[THREADS];
	u64 sum = 0, wrong = 0;

	for (u32 i = 0; i < THREADS; i++) {
		h[i] = (struct hammer){ .g = rig_new(w, i, 8),
					.r = runner_new(w, &vn_ops_scalar),
					.m = &m,
					.number = i };
		pthread_create(&thread[i], NULL, hammer, &h[i]);
	}
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		sum += h[i].sum;
		wrong += h[i].wrong;
	}
	tap_ok(!wrong && *(u64 *)m.ptr == sum,
	       "%d threads, %d rounds each, on one word: the sum is exact (%llu wrong)", THREADS,
	       ROUNDS, (unsigned long long)wrong);
	mem_end(w, &m);
}

int main(void)
{
	w = world_new(4, 2);
	r = runner_new(w, &vn_ops_scalar);
	g = rig_new(w, 1, 8);
	test_results();
	test_refusals();
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	test_fence();
	test_plan();
	test_threads();
	world_free(w);
	return tap_done();
}
