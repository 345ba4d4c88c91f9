// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what a queue does with its two rings: completions in order with their
 * stamps, wrap of slots and of 32-bit indexes, impossible indexes, room for
 * completions, SILENT, everything read from the ring once, the wake-up
 * protocol against a submitter on another thread, and forgetting all.
 */
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "world.h"

#define FOR_EVER (~0ull)

static enum vn_run turn(struct rig *g, struct vn_runner *r, u64 now)
{
	return rig_turn(g, r, now, FOR_EVER, NULL, 0);
}

static void rig_clear(struct rig *g)
{
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
}

static void test_nops(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 2, 16);
	struct vn_cqe e;
	u32 wrong = 0;
	u64 before = r->descs;

	tap_ok(ring(g)->flags == VN_RING_NEED_WAKEUP && ring(g)->state == VN_QUEUE_READY,
	       "a new queue wants a doorbell");
	tap_ok(!vn_queue_pending(&g->q) && turn(g, r, 1) == VN_RUN_IDLE && !rig_pop(g, &e),
	       "and has nothing to do");
	for (u32 i = 0; i < 5; i++)
		rig_push(g, nop(1000 + i));
	WRITE_ONCE(ring(g)->sq_stamp, 55);
	tap_ok(vn_queue_pending(&g->q) && vn_queue_waiting(&g->q) == 5, "five are waiting");
	tap_ok(vn_queue_run(&g->q, r, 100, FOR_EVER) == VN_RUN_IDLE, "they run to the end");
	tap_ok(!rig_pop(g, &e) && !ring(g)->sq_head, "nothing is seen before it is published");
	tap_ok(vn_queue_publish(&g->q, 107) == 5 && ring(g)->sq_head == 5 &&
		       ring(g)->cq_tail == 5 && r->descs == before + 5,
	       "then all five are");
	for (u32 i = 0; rig_pop(g, &e); i++)
		wrong += e.user_data != 1000 + i || e.status || e.detail || e.bytes ||
			 e.submitted != 55 || e.started != 100 || e.done != 107 || e.seq != i ||
			 e.result;
	tap_ok(!wrong && g->read == 5, "in order, with the stamps of their batch (%u wrong)",
	       wrong);
	rig_push(g, nop(7));
	WRITE_ONCE(ring(g)->sq_stamp, 66);
	turn(g, r, 200);
	tap_ok(rig_pop(g, &e) && e.seq == 5 && e.submitted == 66 && e.started == 200,
	       "the next batch has its own stamps");
	tap_ok(!vn_queue_publish(&g->q, 300) && cq(g, 5)->done == 200,
	       "publishing again changes nothing");
}

static void test_batches(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 0, 1024);
	struct vn_cqe e;
	u32 turns = 0, wrong = 0;

	for (u32 i = 0; i < 1000; i++)
		rig_push(g, nop(i));
	while (turn(g, r, 10 + turns) == VN_RUN_MORE)
		turns++;
	for (u32 i = 0; rig_pop(g, &e); i++)
		wrong += e.user_data != i || e.seq != i || e.done < 10;
	tap_ok(turns == 7 && g->read == 1000 && !wrong, "1,000 come in batches of 128 (%u turns)",
	       turns + 1);
	for (u32 i = 0; i < 10; i++)
		rig_push(g, nop(i));
	for (turns = 1; rig_turn(g, r, 1, 200, NULL, 0) == VN_RUN_MORE; turns++)
		;
	tap_ok(turns >= 3 && turns <= 6, "a small budget ends the turn earlier (%u turns)", turns);
}

static void test_wrap(struct world *w, struct vn_runner *r)
{
	static const u32 starts[] = { 0, 0x7ffffff0, 0xfffffff0 };
	struct vn_cqe e;

	for (u32 s = 0; s < 3; s++)
		for (u32 depth = 8; depth <= 65536; depth = depth == 8 ? 64 : depth * 32) {
			struct rig *g = rig_new(w, 1, depth);
			u32 wrong = 0, n = 0, got = 0;

			/* As if so many had gone through already. */
			g->q.sq_head = g->q.cq_tail = g->q.cq_shown = g->tail = g->read = starts[s];
			ring(g)->sq_tail = ring(g)->cq_head = ring(g)->cq_tail = starts[s];
			for (u32 round = 0; round < 40; round++) {
				for (u32 k = round & 1 ? 5 : depth < 512 ? depth : 512; k; k--)
					rig_push(g, nop(n++));
				while (turn(g, r, 1) == VN_RUN_MORE)
					;
				while (rig_pop(g, &e))
					wrong += e.user_data != got || e.seq != got, got++;
			}
			tap_ok(!wrong && got == n && ring(g)->state == VN_QUEUE_READY,
			       "depth %u, indexes from %#x: %u descriptors (%u wrong)", depth,
			       starts[s], n, wrong);
		}
}

static void test_garbage(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 8);
	u32 wrong = 0, off;
	struct vn_cqe e;

	for (u32 i = 0; i < 64; i++) {
		u32 jump = i < 32 ? 9 + i : 1u << (i - 32), status;

		rig_clear(g);
		for (u32 k = 0; k < 3; k++)
			rig_push(g, nop(k));
		while (turn(g, r, 1) == VN_RUN_MORE)
			;
		while (rig_pop(g, &e))
			;
		if (jump <= 8)
			continue;
		WRITE_ONCE(ring(g)->sq_tail, g->tail + jump);
		wrong += !vn_queue_pending(&g->q) || vn_queue_waiting(&g->q);
		status = turn(g, r, 1);
		wrong += status != VN_RUN_ERROR || ring(g)->state != VN_QUEUE_ERROR ||
			 ring(g)->error_status != VN_BAD_RING || ring(g)->error_seq != 3 ||
			 ring(g)->error_detail != offsetof(struct vn_ring, sq_tail) ||
			 rig_pop(g, &e);
		WRITE_ONCE(ring(g)->sq_tail, g->tail);
		wrong += turn(g, r, 1) != VN_RUN_ERROR || vn_queue_pending(&g->q);
	}
	tap_ok(!wrong, "a tail beyond the ring stops the queue until it is reset (%u wrong)",
	       wrong);

	off = (u32)offsetof(struct vn_ring, cq_head);
	wrong = 0;
	for (u32 i = 0; i < 32; i++) {
		rig_clear(g);
		rig_push(g, nop(1));
		WRITE_ONCE(ring(g)->cq_head, (u32)(i & 1 ? -(9u + i) : 1 + i));
		wrong += turn(g, r, 1) != VN_RUN_ERROR || ring(g)->error_status != VN_BAD_RING ||
			 ring(g)->error_detail != off;
	}
	tap_ok(!wrong, "so does a head of completions that were never there (%u wrong)", wrong);

	rig_clear(g);
	for (u32 i = 0; i < 8; i++)
		rig_push(g, nop(i));
	tap_ok(turn(g, r, 1) != VN_RUN_ERROR && rig_pop(g, &e), "a ring full to the brim is fine");

	/* The device's lines in the ring are not believed. */
	rig_clear(g);
	memset(g->map + offsetof(struct vn_ring, sq_head), 0x5a, 64);
	memset(g->map + offsetof(struct vn_ring, cq_tail), 0x5a, 64);
	memset(g->map + offsetof(struct vn_ring, state), 0x5a, 64);
	rig_push(g, nop(42));
	tap_ok(turn(g, r, 1) == VN_RUN_IDLE && ring(g)->cq_tail == 1 && ring(g)->sq_head == 1 &&
		       rig_pop(g, &e) && e.user_data == 42,
	       "scribbling over the device's lines changes nothing");
}

static void test_full(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 8);
	struct vn_cqe e;
	u32 wrong = 0, got = 0;

	for (u32 i = 0; i < 8; i++)
		rig_push(g, nop(i));
	tap_ok(turn(g, r, 1) == VN_RUN_IDLE && !ring(g)->stalls, "eight completions fit");
	for (u32 i = 8; i < 13; i++)
		rig_push(g, nop(i));
	tap_ok(!vn_queue_pending(&g->q), "with no room for completions there is nothing to do");
	tap_ok(turn(g, r, 1) == VN_RUN_FULL && ring(g)->stalls == 1 && ring(g)->sq_head == 8,
	       "the queue stalls and counts it");
	tap_ok(turn(g, r, 1) == VN_RUN_FULL && ring(g)->stalls == 1,
	       "the same stall is counted once");
	rig_pop(g, &e);
	wrong += e.user_data != got++;
	tap_ok(vn_queue_pending(&g->q), "one is read: there is something to do");
	tap_ok(turn(g, r, 1) == VN_RUN_FULL && ring(g)->sq_head == 9 && ring(g)->stalls == 2,
	       "one goes on, and it stalls again");
	for (u32 i = 0; i < 20; i++) {
		while (rig_pop(g, &e))
			wrong += e.user_data != got++;
		turn(g, r, 1);
	}
	tap_ok(got == 13 && !wrong, "none is lost (%u, %u wrong)", got, wrong);
}

static void test_silent(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 8);
	struct ram m = mem(w, 1, 4096);
	struct vn_desc d = nop(3);
	struct vn_cqe e;

	d.flags = VN_DESC_SILENT;
	for (u32 i = 0; i < 5; i++)
		rig_push(g, d);
	rig_push(g, nop(9));
	turn(g, r, 1);
	tap_ok(rig_pop(g, &e) && e.user_data == 9 && e.seq == 5 && !rig_pop(g, &e),
	       "silent ones leave no completion, but are numbered");
	d = fill(at(&m, 4090), 8, 0, 1);
	d.flags = VN_DESC_SILENT;
	d.user_data = 77;
	rig_push(g, d);
	tap_ok(turn(g, r, 1) == VN_RUN_ERROR && rig_pop(g, &e) && e.user_data == 77 &&
		       e.status == VN_BAD_RANGE && e.seq == 6,
	       "a silent one that fails does");
	tap_ok(ring(g)->state == VN_QUEUE_ERROR && ring(g)->error_status == VN_BAD_RANGE &&
		       ring(g)->error_detail == AT(fill.dst) && ring(g)->error_seq == 6,
	       "and stops the queue");
	rig_push(g, nop(1));
	tap_ok(turn(g, r, 1) == VN_RUN_ERROR && !rig_pop(g, &e) && !vn_queue_pending(&g->q),
	       "nothing runs behind it");
	tap_ok(vn_queue_clear(&g->q) && ring(g)->state == VN_QUEUE_READY &&
		       !ring(g)->error_status && !ring(g)->cq_tail && !ring(g)->sq_tail &&
		       ring(g)->flags == VN_RING_NEED_WAKEUP,
	       "until all is forgotten");
	g->tail = g->read = 0;
	rig_push(g, nop(5));
	turn(g, r, 1);
	tap_ok(rig_pop(g, &e) && e.user_data == 5 && e.seq == 0, "then it begins anew");
	mem_end(w, &m);
}

/* What was fetched is what runs, whatever happens to the ring and the table. */
static void test_once(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 8);
	struct ram a = mem(w, 1, 64 << 10), b = mem(w, 1, 64 << 10), t = mem(w, 1, 4096);
	struct vn_operand *o = (struct vn_operand *)t.ptr;
	u64 chunk = r->chunk_bytes;
	struct vn_cqe e;
	u32 turns = 0;

	scramble(a.ptr, a.bytes);
	o[0] = at(&a, 0);
	o[1] = at(&b, 0);
	r->chunk_bytes = 4096;
	rig_push(g, reduce(t.addr, 1, 1, a.bytes / 4, VN_INT32, VN_SUM));
	sq(g, 0)->user_data = 11;
	while (rig_turn(g, r, 1000 + turns, 1, NULL, 0) == VN_RUN_MORE) {
		/* Begun: now everything is taken away under it. */
		memset(o, 0xff, 4096);
		memset(sq(g, 0), 0xff, 8 * 64);
		turns++;
	}
	tap_ok(turns > 3 && rig_pop(g, &e) && !e.status && e.user_data == 11 &&
		       e.bytes == b.bytes && !memcmp(a.ptr, b.ptr, a.bytes),
	       "descriptor and operand table are read once (%u turns)", turns);
	tap_ok(e.started == 1000 && e.done == 1000 + turns - 1,
	       "it began when it began: %llu to %llu", (unsigned long long)e.started,
	       (unsigned long long)e.done);
	r->chunk_bytes = chunk;
	mem_end(w, &a);
	mem_end(w, &b);
	mem_end(w, &t);
}

/* ---- around the caches ------------------------------------------------------------------ */

static struct vn_ops watched;
static const struct vn_ops *beneath;
static u32 copies, streamed;

static void watched_copy(void *dst, const void *src, u64 bytes, bool stream)
{
	copies++;
	streamed += stream;
	beneath->copy(dst, src, bytes, stream);
}

/* So many copies are submitted together: how many of them went around the caches. */
static u32 burst(struct rig *g, struct vn_runner *r, struct ram m[2], u32 many, u64 bytes)
{
	struct vn_cqe e;
	u32 good = 0;

	copies = streamed = 0;
	for (u32 i = 0; i < many; i++)
		rig_push(g, copy(at(&m[1], i * bytes), at(&m[0], i * bytes), bytes));
	/* In turns of a few: they stay together. */
	while (rig_turn(g, r, 1, 1 << 20, NULL, 0) == VN_RUN_MORE)
		;
	while (rig_pop(g, &e))
		good += !e.status;
	return good == many && copies == many ? streamed : ~0u;
}

static void test_streams(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 64);
	struct ram m[2] = { mem(w, 1, 16 << 20), mem(w, 1, 16 << 20) };
	u64 chunk = r->chunk_bytes, stream = r->stream_bytes;
	u32 together, few, small, alone = 0, half, large;

	beneath = r->ops;
	watched = *beneath;
	watched.copy = watched_copy;
	r->ops = &watched;
	r->chunk_bytes = 32 << 20;
	r->stream_bytes = 2 * (18 << 20); /* half of it, read and written */
	scramble(m[0].ptr, m[0].bytes);
	together = burst(g, r, m, 32, 512 << 10);
	tap_ok(together == 32 && !memcmp(m[0].ptr, m[1].ptr, 16 << 20),
	       "what is submitted together goes around the caches together (%u of 32)", together);
	few = burst(g, r, m, 16, 512 << 10);
	small = burst(g, r, m, 64, 64 << 10);
	for (u32 i = 0; i < 32; i++)
		alone += burst(g, r, m, 1, 512 << 10);
	half = burst(g, r, m, 1, 9 << 20);
	large = burst(g, r, m, 1, (9 << 20) + 64);
	tap_ok(!few && !small && !alone && !half && large == 1,
	       "not what fits (%u), short ones (%u), one after another (%u), half (%u), but more (%u)",
	       few, small, alone, half, large);
	r->ops = beneath;
	r->chunk_bytes = chunk;
	r->stream_bytes = stream;
	for (u32 i = 0; i < 2; i++)
		mem_end(w, &m[i]);
}

static void test_arm(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 8);
	struct ram m = mem(w, 1, 4096);

	vn_queue_disarm(&g->q);
	tap_ok(!ring(g)->flags, "somebody looks: no doorbell needed");
	tap_ok(!vn_queue_arm(&g->q) && ring(g)->flags == VN_RING_NEED_WAKEUP,
	       "nobody does: one is");
	rig_push(g, nop(1));
	tap_ok(vn_queue_arm(&g->q) && !ring(g)->flags, "something came in between: go on");
	turn(g, r, 1);
	tap_ok(!vn_queue_arm(&g->q), "it is done: sleep");
	WRITE_ONCE(ring(g)->sq_tail, 0x12345678);
	tap_ok(vn_queue_arm(&g->q), "an impossible tail is something to look at");
	turn(g, r, 1);
	tap_ok(!vn_queue_arm(&g->q), "but only once");
	rig_clear(g);
	rig_push(g, sem_wait_for(at(&m, 0), 1));
	tap_ok(turn(g, r, 1) == VN_RUN_BLOCKED && vn_queue_pending(&g->q),
	       "a blocked one is under way");
	*(u64 *)m.ptr = 1;
	tap_ok(turn(g, r, 1) == VN_RUN_IDLE, "and goes on when the semaphore is there");
	mem_end(w, &m);
}

/* Two threads: one submits and rings only when told to, the other works and sleeps. */
static struct {
	struct rig *g;
	struct vn_runner *r;
	sem_t bell;
	u32 rounds;
	u32 lost, rings, slept, looks;
	u32 stop, done;
} talk;

static void *talk_device(void *arg)
{
	struct rig *g = talk.g;

	(void)arg;
	while (!READ_ONCE(talk.stop)) {
		struct timespec t;

		vn_queue_disarm(&g->q);
		while (turn(g, talk.r, 1) != VN_RUN_IDLE)
			;
		if (vn_queue_arm(&g->q))
			continue;
		talk.slept++;
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec += 20;
		if (sem_timedwait(&talk.bell, &t)) {
			talk.lost += vn_queue_pending(&g->q);
			break;
		}
	}
	return NULL;
}

/* A third one that only looks, without a lock, as pollers do. */
static void *talk_looker(void *arg)
{
	(void)arg;
	while (!READ_ONCE(talk.done)) {
		talk.looks += vn_queue_pending(&talk.g->q);
		talk.looks += vn_queue_waiting(&talk.g->q);
	}
	return NULL;
}

static void test_lost_wakeup(struct world *w, struct vn_runner *r)
{
	pthread_t device, looker;
	struct vn_cqe e;
	u32 got = 0, wrong = 0;
	u64 spins = 0;

	talk.g = rig_new(w, 1, 8);
	talk.r = r;
	talk.rounds = getenv("VN_QUICK") ? 5000 : 100000;
	sem_init(&talk.bell, 0, 0);
	pthread_create(&device, NULL, talk_device, NULL);
	pthread_create(&looker, NULL, talk_looker, NULL);
	for (u32 i = 0; i < talk.rounds; i++) {
		while (talk.g->tail - got == 8 || (i & 63) == 0) {
			if (rig_pop(talk.g, &e))
				wrong += e.user_data != got++;
			else if (talk.g->tail == got)
				break;
			else if (++spins > 20000000000ull || READ_ONCE(talk.lost))
				goto out;
		}
		rig_push(talk.g, nop(i));
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (READ_ONCE(ring(talk.g)->flags) & VN_RING_NEED_WAKEUP) {
			talk.rings++;
			sem_post(&talk.bell);
		}
		/* Now and then wait, so that the device gets to sleep. */
		while ((i % 5) == 0 && got != talk.g->tail && !READ_ONCE(talk.lost))
			if (rig_pop(talk.g, &e))
				wrong += e.user_data != got++;
	}
	while (got != talk.g->tail && !READ_ONCE(talk.lost))
		if (rig_pop(talk.g, &e))
			wrong += e.user_data != got++;
out:
	WRITE_ONCE(talk.stop, 1);
	sem_post(&talk.bell);
	pthread_join(device, NULL);
	for (u32 i = 0; i < 100; i++)
		vn_queue_clear(&talk.g->q);
	WRITE_ONCE(talk.done, 1);
	pthread_join(looker, NULL);
	tap_diag("%u descriptors, %u doorbells, slept %u times", talk.rounds, talk.rings,
		 talk.slept);
	tap_ok(!talk.lost && got == talk.rounds && !wrong,
	       "no wake-up is lost, no completion either");
	tap_ok(talk.slept && talk.rings, "and the device did sleep in between");
	sem_destroy(&talk.bell);
}

static void test_clear(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 8);
	struct ram m = mem(w, 1, 4096);
	struct vn_cqe e;

	for (u32 i = 0; i < 3; i++)
		rig_push(g, nop(i));
	rig_push(g, sem_wait_for(at(&m, 8), 5));
	rig_push(g, fill(at(&m, 64), 64, 0xff, 1));
	turn(g, r, 1);
	rig_clear(g);
	*(u64 *)(m.ptr + 8) = 5;
	tap_ok(turn(g, r, 1) == VN_RUN_IDLE && !rig_pop(g, &e) && !m.ptr[64] && !ring(g)->stalls,
	       "a cleared queue has forgotten what was under way and what was to come");
	for (u32 i = 0; i < 8; i++)
		rig_push(g, nop(i));
	turn(g, r, 1);
	rig_push(g, nop(8));
	turn(g, r, 1);
	rig_clear(g);
	for (u32 i = 0; i < 8; i++)
		rig_push(g, nop(i));
	turn(g, r, 1);
	rig_push(g, nop(8));
	turn(g, r, 1);
	tap_ok(ring(g)->stalls == 1, "and counts its stalls from 0 again");
	mem_end(w, &m);
}

/* Stopped from outside: what it says afterwards. */
static bool halted(struct rig *g, u32 status, u64 seq)
{
	return ring(g)->state == VN_QUEUE_ERROR && ring(g)->error_status == status &&
	       ring(g)->error_seq == seq && g->q.state == VN_QUEUE_ERROR;
}

static void test_halt(struct world *w, struct vn_runner *r)
{
	struct rig *g = rig_new(w, 1, 8);
	struct ram m = mem(w, 1, 256 << 10);
	struct vn_cqe e;

	tap_ok(!vn_queue_halt(&g->q, VN_CHIP_RESET) && halted(g, VN_CHIP_RESET, 0) &&
		       !vn_queue_publish(&g->q, 1),
	       "an idle queue that is stopped is in ERROR, with nothing completed");
	rig_push(g, nop(1));
	tap_ok(turn(g, r, 1) == VN_RUN_ERROR && !vn_queue_pending(&g->q) && !rig_pop(g, &e),
	       "and runs nothing");
	tap_ok(!vn_queue_halt(&g->q, VN_CANCELLED) && halted(g, VN_CHIP_RESET, 0),
	       "stopped again it stays as it was");
	rig_clear(g);
	rig_push(g, nop(1));
	turn(g, r, 1);
	tap_ok(rig_pop(g, &e) && !e.status, "cleared it works");
	rig_push(g, sem_wait_for(at(&m, 8), 5));
	rig_push(g, nop(3));
	tap_ok(turn(g, r, 1) == VN_RUN_BLOCKED && !vn_queue_halt(&g->q, VN_CHIP_RESET) &&
		       vn_queue_publish(&g->q, 2) == 1,
	       "what waits is completed");
	tap_ok(rig_pop(g, &e) && e.status == VN_CHIP_RESET && e.seq == 1 && !rig_pop(g, &e) &&
		       halted(g, VN_CHIP_RESET, 1),
	       "with the status, and what is behind it is not");
	rig_clear(g);
	rig_push(g, fill(at(&m, 0), 256 << 10, 0x11, 1));
	tap_ok(rig_turn(g, r, 1, 1, NULL, 0) == VN_RUN_MORE &&
		       !vn_queue_halt(&g->q, VN_CHIP_RESET) && vn_queue_publish(&g->q, 2) == 1 &&
		       rig_pop(g, &e) && e.status == VN_CHIP_RESET && e.bytes == 64 << 10,
	       "half done, it says how far it got");
	mem_end(w, &m);
}

int main(void)
{
	struct world *w = world_new(2, 4);
	struct vn_runner *r = runner_new(w, &vn_ops_scalar);

	test_nops(w, r);
	test_batches(w, r);
	test_wrap(w, r);
	test_garbage(w, r);
	test_full(w, r);
	test_silent(w, r);
	test_once(w, r);
	test_streams(w, r);
	test_arm(w, r);
	test_clear(w, r);
	test_halt(w, r);
	test_lost_wakeup(w, r);
	world_free(w);
	return tap_done();
}
