// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that what many post is taken by one, each writer's in order, nothing lost and nothing
 * twice, while an inbox is full and empty again and again; that who finds it full is told of
 * room, and who posts has its inbox looked at; and that a write with an immediate becomes an
 * arrival among the completions of a queue, when there is room for it and the queue can.
 */
#include <pthread.h>
#include <sched.h>

#include "world.h"

static struct world *w;
static struct vn_runner *r;

/* ---- an inbox by itself ---------------------------------------------------------------- */

static void test_alone(void)
{
	struct vn_arrival slot[8], a;
	struct vn_inbox *posts = NULL, b, other;
	struct vn_arrival slot2[8];
	u32 wrong = 0;

	vn_inbox_init(&b, slot, 8, 3, &posts);
	vn_inbox_init(&other, slot2, 8, 3, &posts);
	tap_ok(!vn_inbox_any(&b) && !vn_inbox_take(&b, &a) && !vn_inbox_posted(&posts), "empty");
	/* Far enough for places to go around more than once. */
	b.head = b.tail = ~0u - 20;
	for (u32 i = 0; i < 8; i++)
		slot[(b.tail + i) & 7].turn = b.tail + i;
	for (u32 round = 0; round < 10; round++) {
		for (u32 i = 0; i < 8; i++)
			wrong += vn_inbox_post(&b, &(struct vn_arrival){ .imm = round * 8 + i,
									 .key = i,
									 .user_data = ~i,
									 .bytes = i * 3 }) !=
				 VN_POSTED;
		wrong += vn_inbox_waited(&b);
		wrong += vn_inbox_post(&b, &(struct vn_arrival){ .imm = 99 }) != VN_POST_FULL;
		for (u32 i = 0; i < 8; i++) {
			wrong += !vn_inbox_any(&b) || !vn_inbox_take(&b, &a);
			wrong += a.imm != round * 8 + i || a.key != i || a.user_data != (u64)~i ||
				 a.bytes != i * 3;
		}
		wrong += vn_inbox_any(&b) || vn_inbox_take(&b, &a);
		wrong += !vn_inbox_waited(&b) || vn_inbox_waited(&b);
	}
	tap_ok(!wrong, "as many as it is deep, in order, also where numbers wrap (%u wrong)",
	       wrong);
	vn_inbox_post(&other, &a);
	tap_ok(vn_inbox_posted(&posts) == &other && other.next == &b && !b.next &&
		       !vn_inbox_posted(&posts),
	       "those that got something are listed, once each");
	vn_inbox_post(&b, &a);
	tap_ok(!vn_inbox_posted(&posts), "not again before it was let go");
	vn_inbox_let_go(&b);
	vn_inbox_post(&b, &a);
	tap_ok(vn_inbox_posted(&posts) == &b, "and again afterwards");
	vn_inbox_set(&b, VN_INBOX_STOPPED);
	tap_ok(vn_inbox_post(&b, &a) == VN_POST_REFUSED && vn_inbox_take(&b, &a),
	       "stopped, it takes no more, and keeps what it has");
	vn_inbox_set(&b, VN_INBOX_OPEN);
	tap_ok(vn_inbox_post(&b, &a) == VN_POSTED, "opened again, it does");
	vn_inbox_set(&b, VN_INBOX_GONE);
	vn_inbox_set(&b, VN_INBOX_OPEN);
	tap_ok(vn_inbox_post(&b, &a) == VN_POST_REFUSED, "gone is for good");
}

enum { WRITERS = 4, EACH = 50000, DEPTH = 16 };

static struct {
	struct vn_inbox inbox, *posts;
	struct vn_arrival slot[DEPTH];
	u32 room; /* futex of the poor: times that room was told of */
	u32 ready; /* the reader is to look */
	u64 full, lost;
} box;

static u64 clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* Until the word is not that any more. False: nothing came for a long time. */
static bool changed(const u32 *word, u32 was)
{
	u64 end = clock_ns() + 20000000000ull;

	while (vn_load_acquire(word) == was) {
		if (clock_ns() > end)
			return false;
		sched_yield();
	}
	return true;
}

/* What a shell does after a turn in which something was posted. */
static void look(void)
{
	struct vn_inbox *b = vn_inbox_posted(&box.posts);

	if (!b)
		return;
	vn_inbox_let_go(b);
	vn_fetch_add(&box.ready, 1u);
}

static void *writer(void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	u32 me = (u32)(uintptr_t)arg;

	for (u32 i = 0; i < EACH; i++) {
		u32 seen = vn_load_acquire(&box.room);
		struct vn_arrival a = { .imm = i, .key = me, .user_data = (u64)me << 32 | i };

		while (vn_inbox_post(&box.inbox, &a) == VN_POST_FULL) {
			vn_fetch_add(&box.full, 1ull);
			if (!changed(&box.room, seen)) {
				vn_fetch_add(&box.lost, 1ull);
				return NULL;
			}
			seen = vn_load_acquire(&box.room);
		}
		pthread_mutex_lock(&lock);
		look();
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void test_threads(void)
{
	u32 next[WRITERS] = { 0 }, ready = 0, got = 0, wrong = 0;
	pthread_t thread[WRITERS];
	struct vn_arrival a;

	vn_inbox_init(&box.inbox, box.slot, DEPTH, 0, &box.posts);
	for (u32 i = 0; i < WRITERS; i++)
		pthread_create(&thread[i], NULL, writer, (void *)(uintptr_t)i);
	while (got < WRITERS * EACH && !wrong) {
		/* Only when told; then all there is. */
		if (!changed(&box.ready, ready)) {
			box.lost++;
			break;
		}
		ready = vn_load_acquire(&box.ready);
		while (vn_inbox_take(&box.inbox, &a)) {
			wrong += a.key >= WRITERS || a.imm != next[a.key] ||
				 a.user_data != ((u64)a.key << 32 | a.imm);
			next[a.key % WRITERS]++;
			got++;
			if (vn_inbox_waited(&box.inbox))
				vn_fetch_add(&box.room, 1u);
		}
	}
	vn_inbox_set(&box.inbox, VN_INBOX_GONE);
	vn_fetch_add(&box.room, 1u);
	for (u32 i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	tap_ok(!wrong && !box.lost && got == WRITERS * EACH && box.full,
	       "%d writers, %d each: in order, none lost, %llu times full (%u wrong)", WRITERS,
	       EACH, (unsigned long long)box.full, wrong);
}

/* ---- queues that are told --------------------------------------------------------------- */

/* Writes by g, into windows bound to t's inbox. */
static struct rig *g, *t;
static struct vn_inbox *posts, inbox;
static struct ram a, b;
static u32 key;

static void target(u32 depth)
{
	u32 status;

	posts = NULL;
	t = rig_new(w, 5, depth);
	vn_inbox_init(&inbox, world_take(w, depth * sizeof(struct vn_arrival)), depth, 5, &posts);
	vn_queue_receive(&t->q, &inbox);
	if (key)
		key_end(w, 2, key);
	key = key_of(w, 2, b.ptr, b.bytes, FULL_ACCESS);
	vn_table_bind(vn_table_find(w->domain.chip[2], key, &status), &inbox, 0xabcdef);
}

static u32 tell(u64 bytes, u32 imm)
{
	return run_one(g, r, write_imm(by_key(2, key, 0), at(&a, 0), bytes, imm), NULL);
}

static enum vn_run turn(struct rig *rig)
{
	return rig_turn(rig, r, 1, ~0ull, NULL, 0);
}

static void test_arrival(void)
{
	struct vn_cqe e, want = { .user_data = 0xabcdef,
				  .detail = 77,
				  .bytes = 5000,
				  .started = 9,
				  .done = 9,
				  .seq = VN_CQE_ARRIVAL };

	target(8);
	scramble(a.ptr, 5000);
	r->posted = false;
	rig_push(g, write_imm(by_key(2, key, 100), at(&a, 0), 5000, 77));
	/* In chunks: told after the last one. */
	r->chunk_bytes = 1000;
	for (u32 i = 0; i < 4; i++)
		rig_turn(g, r, 1, 1, NULL, 0);
	tap_ok(!r->posted && !vn_queue_arrivals(&t->q) && !vn_queue_pending(&t->q),
	       "nothing arrives before all is there");
	turn(g);
	tap_ok(rig_pop(g, &e) && !e.status && e.bytes == 5000 && r->posted &&
		       vn_inbox_posted(&posts) == &inbox && vn_queue_pending(&t->q) &&
		       !memcmp(b.ptr + 100, a.ptr, 5000),
	       "then the shell is told, and the queue has something to do");
	vn_inbox_let_go(&inbox);
	want.result = key;
	rig_turn(t, r, 9, ~0ull, NULL, 0);
	tap_ok(rig_pop(t, &e) && !memcmp(&e, &want, sizeof(e)) && !rig_pop(t, &e) &&
		       !vn_queue_pending(&t->q),
	       "an arrival, as it is described");
	tap_ok(!tell(0, ~0u) && !tell(0, 0) && turn(t) == VN_RUN_IDLE && rig_pop(t, &e) &&
		       e.detail == ~0u && !e.bytes && e.seq == (VN_CQE_ARRIVAL | 1) &&
		       rig_pop(t, &e) && !e.detail && e.seq == (VN_CQE_ARRIVAL | 2),
	       "no bytes, any immediate; they are numbered");
	rig_push(t, nop(5));
	tell(0, 1);
	turn(t);
	tap_ok(rig_pop(t, &e) && e.seq == (VN_CQE_ARRIVAL | 3) && rig_pop(t, &e) &&
		       e.user_data == 5 && !e.seq && !e.result,
	       "descriptors have numbers of their own");
	r->chunk_bytes = 64 << 10;
}

static void test_refusals(void)
{
	u32 unbound = key_of(w, 2, b.ptr, b.bytes, FULL_ACCESS), wrong, status;
	struct vn_operand into = by_key(2, key, 0), src = at(&a, 0);
	const struct {
		const char *what;
		struct vn_desc d;
		u32 status, detail;
	} rows[] = {
		{ "a window of no queue", write_imm(by_key(2, unbound, 0), src, 2048, 1),
		  VN_BAD_KEY, AT(copy.dst) },
		{ "too long", write_imm(by_key(2, key, b.bytes - 2047), src, 2048, 1), VN_BAD_RANGE,
		  AT(copy.dst) },
		{ "its source is", write_imm(into, at(&a, a.bytes - 2047), 2048, 1), VN_BAD_RANGE,
		  AT(copy.src) },
		{ "the queue is in error", write_imm(into, src, 2048, 1), VN_NO_RECEIVER,
		  AT(copy.dst) },
		{ "the chip of the queue is lost", write_imm(into, src, 2048, 1), VN_CHIP_LOST,
		  AT(copy.dst) },
		{ "there is no way to it", write_imm(into, src, 2048, 1), VN_LINK_DOWN,
		  AT(copy.dst) },
		{ "the queue is gone", write_imm(into, src, 2048, 1), VN_NO_RECEIVER,
		  AT(copy.dst) },
	};
	struct vn_cqe e;

	for (u32 i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const char *what = rows[i / 2].what;

		wrong = 0;
		r->chunk_bytes = i & 1 ? 64 : 64 << 10;
		if (i / 2 == 3) {
			rig_push(t, (struct vn_desc){ .opcode = VN_OP_COUNT });
			turn(t);
		} else if (i / 2 == 4) {
			vn_queue_clear(&t->q);
			t->tail = t->read = 0;
			w->sw.faulty = 1;
			w->sw.lost[0] = 1ull << 5;
		} else if (i / 2 == 5) {
			w->sw.lost[0] = 0;
			w->sw.cut = 1ull << 2; /* chips 4 and 5 */
		} else if (i / 2 == 6) {
			w->sw.faulty = 0;
			w->sw.cut = 0;
			vn_inbox_set(&inbox, VN_INBOX_GONE);
		}
		memset(b.ptr, 0x44, b.bytes);
		r->posted = false;
		status = run_one(g, r, rows[i / 2].d, &e);
		for (u32 k = 0; k < b.bytes; k++)
			wrong += b.ptr[k] != 0x44;
		tap_ok(status == rows[i / 2].status && e.detail == rows[i / 2].detail && !wrong &&
			       !r->posted && !vn_queue_arrivals(&t->q),
		       "%s: %s, detail %u, nothing moved (%u wrong)", what, vn_status_name(status),
		       e.detail, wrong);
	}
	r->chunk_bytes = 64 << 10;
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	key_end(w, 2, unbound);
}

/* A full inbox: the writer waits, and goes on when the target has taken some. */
static void test_full(void)
{
	struct vn_cqe e;
	u32 wrong = 0;

	target(8);
	for (u32 i = 0; i < 8; i++)
		wrong += tell(8, i) != 0;
	rig_push(g, write_imm(by_key(2, key, 0), at(&a, 0), 16, 8));
	for (u32 i = 0; i < 3; i++)
		wrong += turn(g) != VN_RUN_BLOCKED;
	tap_ok(!wrong && !rig_pop(g, &e), "the ninth waits (%u wrong)", wrong);
	r->signalled = false;
	turn(t);
	tap_ok(r->signalled && turn(g) == VN_RUN_IDLE && rig_pop(g, &e) && !e.status &&
		       e.bytes == 16,
	       "till the queue has taken some, which its shell is told");
	for (u32 i = 0; i < 8; i++)
		wrong += !rig_pop(t, &e) || e.detail != i;
	turn(t);
	wrong += !rig_pop(t, &e) || e.detail != 8 || e.bytes != 16 || rig_pop(t, &e);
	tap_ok(!wrong, "none is lost, all in order (%u wrong)", wrong);
	/* A queue that stops tells those that wait. */
	for (u32 i = 0; i < 8; i++)
		wrong += tell(0, i) != 0;
	rig_push(g, write_imm(by_key(2, key, 0), at(&a, 0), 16, 8));
	wrong += turn(g) != VN_RUN_BLOCKED;
	/* Room for a descriptor alone. */
	vn_store_release(&ring(t)->cq_head, t->read - 7);
	rig_push(t, (struct vn_desc){ .opcode = VN_OP_COUNT });
	r->signalled = false;
	wrong += turn(t) != VN_RUN_ERROR || !r->signalled;
	vn_store_release(&ring(t)->cq_head, t->read);
	rig_push(g, nop(0));
	wrong += turn(g) != VN_RUN_ERROR || !rig_pop(g, &e) || e.status != VN_NO_RECEIVER ||
		 e.bytes != 16;
	tap_ok(!wrong, "a writer that waits for a queue that stops is refused (%u wrong)", wrong);
	vn_queue_clear(&t->q);
	t->tail = t->read = 0;
	tap_ok(!vn_queue_arrivals(&t->q) && turn(t) == VN_RUN_IDLE && !rig_pop(t, &e) &&
		       !tell(0, 5) && turn(t) == VN_RUN_IDLE && rig_pop(t, &e) && e.detail == 5 &&
		       e.seq == VN_CQE_ARRIVAL,
	       "reset, it has forgotten what came, and counts anew");
}

/* Room among the completions, for both kinds. */
static void test_room(void)
{
	struct ram s = mem(w, 5, 4096);
	u64 *sem = (u64 *)s.ptr;
	struct vn_cqe e;
	u32 wrong = 0;

	target(8);
	for (u32 i = 0; i < 8; i++)
		wrong += tell(0, i) != 0;
	wrong += turn(t) != VN_RUN_IDLE || ring(t)->arrivals || vn_queue_pending(&t->q);
	/* Who is about to leave the queue alone has to say so first. */
	wrong += tell(0, 8) || !vn_queue_arm(&t->q);
	wrong += turn(t) != VN_RUN_IDLE || !ring(t)->arrivals || vn_queue_arm(&t->q);
	tap_ok(!wrong && !vn_queue_pending(&t->q) && vn_queue_arrivals(&t->q),
	       "with no room an arrival waits, and the ring says so (%u wrong)", wrong);
	wrong += !rig_pop(t, &e) || !vn_queue_pending(&t->q) || turn(t) != VN_RUN_IDLE ||
		 ring(t)->arrivals;
	for (u32 i = 1; i < 9; i++)
		wrong += !rig_pop(t, &e) || e.detail != i;
	tap_ok(!wrong && !rig_pop(t, &e), "then it comes (%u wrong)", wrong);

	/* A descriptor under way has its entry. */
	rig_push(t, sem_wait_for(at(&s, 0), 1));
	wrong += turn(t) != VN_RUN_BLOCKED;
	for (u32 i = 0; i < 8; i++)
		wrong += tell(0, i) != 0;
	wrong += turn(t) != VN_RUN_BLOCKED || !ring(t)->arrivals;
	*sem = 1;
	wrong += turn(t) != VN_RUN_IDLE;
	for (u32 i = 0; i < 7; i++)
		wrong += !rig_pop(t, &e) || e.detail != i || !(e.seq & VN_CQE_ARRIVAL);
	wrong += !rig_pop(t, &e) || e.seq || e.status || rig_pop(t, &e);
	wrong += turn(t) != VN_RUN_IDLE || !rig_pop(t, &e) || e.detail != 7 || ring(t)->arrivals;
	tap_ok(!wrong, "a descriptor that is under way keeps its place (%u wrong)", wrong);

	/* One that waits gets the last entry. */
	for (u32 i = 0; i < 8; i++)
		wrong += tell(0, i) != 0;
	rig_push(t, nop(42));
	wrong += turn(t) != VN_RUN_IDLE;
	for (u32 i = 0; i < 7; i++)
		wrong += !rig_pop(t, &e) || e.detail != i || !(e.seq & VN_CQE_ARRIVAL);
	wrong += !rig_pop(t, &e) || e.user_data != 42;
	wrong += turn(t) != VN_RUN_IDLE || !rig_pop(t, &e) || e.detail != 7;
	tap_ok(!wrong, "so does one that waits (%u wrong)", wrong);

	/* A head that can't be is found without descriptors, too. */
	wrong += tell(0, 1) != 0;
	ring(t)->cq_head = t->read + 1;
	wrong += turn(t) != VN_RUN_ERROR || ring(t)->error_status != VN_BAD_RING ||
		 ring(t)->error_detail != offsetof(struct vn_ring, cq_head);
	tap_ok(!wrong, "a head that can't be stops the queue (%u wrong)", wrong);
	mem_end(w, &s);
}

/* A flood is taken a batch a turn; descriptors of the queue's own go on. */
static void test_flood(void)
{
	u32 own = 0, got = 0, turns = 0, wrong = 0, sent = 0;
	struct vn_cqe e;

	target(512);
	for (u32 i = 0; i < 400; i++)
		rig_push(t, nop(i));
	while ((own < 400 || got < 500) && turns < 100) {
		while (sent < 500 && !tell(0, sent))
			sent++;
		wrong += turn(t) == VN_RUN_ERROR;
		turns++;
		while (rig_pop(t, &e)) {
			if (e.seq & VN_CQE_ARRIVAL)
				wrong += e.detail != got++;
			else
				wrong += e.user_data != own++;
		}
		if (turns == 1)
			wrong += own != 128 || got != 128;
	}
	tap_ok(!wrong && own == 400 && got == 500, "both in each turn (%u turns, %u wrong)", turns,
	       wrong);
	/* What is left for the next turn has the queue run again. */
	for (u32 i = 0; i < 200; i++)
		wrong += tell(0, i) != 0;
	tap_ok(turn(t) == VN_RUN_MORE && turn(t) == VN_RUN_IDLE && !wrong,
	       "a turn that leaves some asks for another");
	while (rig_pop(t, &e))
		;
}

/* While a launch runs, and from one. */
static void test_plan(void)
{
	struct ram s = mem(w, 5, 4096);
	struct vn_desc d[2] = { sem_wait_for(at(&s, 0), 1), nop(0) };
	struct vn_program prog = { .chip = 5, .count = 1 };
	struct vn_program_run run[1];
	struct vn_plan *p = world_take(w, sizeof(*p)), *plans[] = { p };
	struct vn_operand *params = (struct vn_operand *)(a.ptr + 4096);
	struct vn_cqe e = { 0 };
	u32 wrong = 0, desc;

	target(8);
	*p = (struct vn_plan){
		.programs = &prog, .descs = d, .run = run, .nprograms = 1, .ndescs = 1
	};
	wrong += vn_plan_check(p, 8, &desc) != 0;
	rig_push(t, (struct vn_desc){ .opcode = VN_OP_LAUNCH });
	wrong += rig_turn(t, r, 1, ~0ull, plans, 1) != VN_RUN_BLOCKED;
	for (u32 i = 0; i < 8; i++)
		wrong += tell(0, i) != 0;
	wrong += rig_turn(t, r, 1, ~0ull, plans, 1) != VN_RUN_BLOCKED;
	for (u32 i = 0; i < 7; i++)
		wrong += !rig_pop(t, &e) || e.detail != i;
	wrong += rig_pop(t, &e);
	*(u64 *)s.ptr = 1;
	wrong += rig_turn(t, r, 1, ~0ull, plans, 1) != VN_RUN_MORE;
	while (rig_turn(t, r, 1, ~0ull, plans, 1) == VN_RUN_MORE)
		;
	wrong += !rig_pop(t, &e) || e.detail != 7 || !rig_pop(t, &e) || e.seq || e.status;
	tap_ok(!wrong, "arrivals come during a launch, whose entry is kept (%u wrong)", wrong);

	/* From a plan, the window being a parameter; own memory is none. */
	d[0] = write_imm(param(0, 8), at(&a, 0), 24, 31);
	*p = (struct vn_plan){
		.programs = &prog, .descs = d, .run = run, .nprograms = 1, .ndescs = 1, .nparams = 1
	};
	wrong += vn_plan_check(p, 8, &desc) != 0;
	params[0] = by_key(2, key, 40);
	rig_push(g, (struct vn_desc){ .opcode = VN_OP_LAUNCH,
				      .launch = { .params = at(&a, 4096).offset, .nparams = 1 } });
	while (rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_MORE)
		;
	wrong += !rig_pop(g, &e) || e.status || e.result;
	turn(t);
	wrong += !rig_pop(t, &e) || e.detail != 31 || e.result != key || e.bytes != 24 ||
		 memcmp(b.ptr + 48, a.ptr, 24);
	params[0] = at(&b, 0);
	rig_push(g, (struct vn_desc){ .opcode = VN_OP_LAUNCH,
				      .launch = { .params = at(&a, 4096).offset, .nparams = 1 } });
	while (rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_MORE)
		;
	wrong += !rig_pop(g, &e) || e.status != VN_BAD_KEY;
	tap_ok(!wrong, "and from one (%u wrong)", wrong);
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	mem_end(w, &s);
}

/* A queue that tells itself. */
static void test_itself(void)
{
	u32 wrong = 0, sent = 0, done = 0, told = 0;
	struct vn_operand o;
	struct vn_cqe e;

	target(8);
	o = by_key(2, key, 0);
	for (u32 turns = 0; (done < 20 || told < 20) && turns < 100; turns++) {
		while (sent < 20 && sent - done < 8)
			rig_push(t, write_imm(o, at(&a, 0), 8, sent++));
		turn(t);
		while (rig_pop(t, &e)) {
			if (e.seq & VN_CQE_ARRIVAL)
				wrong += e.detail != told++;
			else
				wrong += e.status || e.seq != done++;
		}
	}
	tap_ok(!wrong && done == 20 && told == 20, "a queue may tell itself (%u wrong)", wrong);
}

int main(void)
{
	w = world_new(4, 2);
	r = runner_new(w, &vn_ops_scalar);
	g = rig_new(w, 1, 8);
	a = mem(w, 1, 8192);
	b = mem(w, 2, 8192);
	test_alone();
	test_threads();
	test_arrival();
	test_refusals();
	test_full();
	test_room();
	test_flood();
	test_plan();
	test_itself();
	world_free(w);
	return tap_done();
}
