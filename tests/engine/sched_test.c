// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows the order in which queues get their turn: first come first served,
 * back to the end when there is more, aside when blocked, ready again at any
 * semaphore event, also one that happened during the turn, at rest for so long
 * and no longer; and that a queue is never lost when two threads come back from it.
 */
#include "world.h"

#define N 5

static struct vn_queue queue[N];
static struct vn_sched s;

static void fresh(void)
{
	memset(queue, 0, sizeof(queue));
	memset(&s, 0, sizeof(s));
}

/* Which queue a pick gives: its number, or -1. */
static int pick(void)
{
	struct vn_queue *q = vn_sched_pick(&s);

	return q ? (int)(q - queue) : -1;
}

static bool done(int i, enum vn_run res)
{
	return vn_sched_done(&s, &queue[i], res, 4096, s.wakes);
}

static void test_order(void)
{
	fresh();
	tap_ok(pick() == -1, "nothing is ready at first");
	tap_ok(vn_sched_ready(&s, &queue[2]) && vn_sched_ready(&s, &queue[0]) &&
		       vn_sched_ready(&s, &queue[1]),
	       "three become ready");
	tap_ok(!vn_sched_ready(&s, &queue[0]), "one that is ready already is not made so again");
	tap_ok(pick() == 2 && pick() == 0 && pick() == 1 && pick() == -1,
	       "first come first served, once");
	vn_sched_ready(&s, &queue[0]);
	vn_sched_ready(&s, &queue[1]);
	tap_ok(pick() == 0 && done(0, VN_RUN_MORE), "one that has more to do is ready again");
	tap_ok(pick() == 1 && done(1, VN_RUN_MORE) && pick() == 0 && pick() == 1,
	       "behind the others: round robin");
	tap_ok(!done(0, VN_RUN_IDLE) && !done(1, VN_RUN_FULL) && pick() == -1,
	       "an idle one, and one without room for completions, are not");
	vn_sched_ready(&s, &queue[0]);
	tap_ok(pick() == 0 && !done(0, VN_RUN_ERROR) && pick() == -1, "nor is one in ERROR");
}

static void test_blocked(void)
{
	u32 wakes;

	fresh();
	for (int i = 0; i < N; i++) {
		vn_sched_ready(&s, &queue[i]);
		pick();
		done(i, VN_RUN_BLOCKED);
	}
	tap_ok(pick() == -1, "blocked queues are not picked");
	tap_ok(vn_sched_wake(&s), "a semaphore wakes them");
	u32 seen = 0;
	for (int i = 0; i < N; i++)
		seen |= 1u << pick();
	tap_ok(seen == (1u << N) - 1 && pick() == -1, "all of them, each once");
	tap_ok(!vn_sched_wake(&s), "none is left to wake");

	fresh();
	vn_sched_ready(&s, &queue[0]);
	pick();
	wakes = s.wakes;
	vn_sched_wake(&s);
	tap_ok(vn_sched_done(&s, &queue[0], VN_RUN_BLOCKED, 0, wakes) && pick() == 0,
	       "a semaphore written during the turn makes it ready at once");

	fresh();
	vn_sched_ready(&s, &queue[0]);
	pick();
	done(0, VN_RUN_BLOCKED);
	tap_ok(vn_sched_ready(&s, &queue[0]) && pick() == 0 && !vn_sched_wake(&s) && pick() == -1,
	       "a doorbell takes it off the blocked ones");
}

/* A launch: two threads are in the same queue and come back one after the other. */
static void test_shared(void)
{
	u32 wakes;

	fresh();
	vn_sched_ready(&s, &queue[0]);
	tap_ok(pick() == 0 && vn_sched_ready(&s, &queue[0]) && pick() == 0 && pick() == -1,
	       "a queue picked by one may be offered to another");
	done(0, VN_RUN_BLOCKED);
	tap_ok(vn_sched_done(&s, &queue[0], VN_RUN_MORE, 0, s.wakes) && pick() == 0 && pick() == -1,
	       "one comes back blocked, then one with more to do: ready");

	fresh();
	vn_sched_ready(&s, &queue[0]);
	pick();
	vn_sched_ready(&s, &queue[0]);
	pick();
	done(0, VN_RUN_MORE);
	tap_ok(done(0, VN_RUN_BLOCKED) && pick() == 0 && pick() == -1,
	       "the other way round: ready, once");

	fresh();
	vn_sched_ready(&s, &queue[0]);
	pick();
	wakes = s.wakes; /* the first thread's turn begins */
	vn_sched_wake(&s); /* a semaphore is written */
	vn_sched_ready(&s, &queue[0]);
	pick(); /* the second one's */
	done(0, VN_RUN_BLOCKED); /* it finds all in the first one's hands */
	tap_ok(vn_sched_done(&s, &queue[0], VN_RUN_BLOCKED, 0, wakes) && pick() == 0,
	       "the second one's block does not hide the wake from the first");

	fresh();
	vn_sched_ready(&s, &queue[0]);
	pick();
	done(0, VN_RUN_BLOCKED);
	tap_ok(!done(0, VN_RUN_BLOCKED) && vn_sched_wake(&s) && pick() == 0 && pick() == -1,
	       "blocked twice is listed once");
}

/* Which one is up by then: its number, or -1. */
static int rested(u64 now)
{
	struct vn_queue *q = vn_sched_rested(&s, now);

	return q ? (int)(q - queue) : -1;
}

static void test_rest(void)
{
	fresh();
	tap_ok(rested(~0ull) == -1, "none rests at first");
	tap_ok(vn_sched_rest(&s, &queue[0], 20) && vn_sched_rest(&s, &queue[1], 10) &&
		       !vn_sched_rest(&s, &queue[2], 30) && !vn_sched_rest(&s, &queue[3], 10),
	       "who rests tells whether he is the first to be up");
	tap_ok(s.resting == &queue[1] && rested(9) == -1 && rested(10) == 1 && rested(10) == 3 &&
		       rested(10) == -1 && rested(40) == 0 && rested(40) == 2 && rested(40) == -1,
	       "they are up in that order, not before, once");

	fresh();
	vn_sched_ready(&s, &queue[0]);
	vn_sched_rest(&s, &queue[0], 10);
	tap_ok(pick() == -1 && !vn_sched_ready(&s, &queue[0]) && pick() == -1,
	       "one that was ready rests, and no doorbell makes it ready");
	tap_ok(!done(0, VN_RUN_MORE) && !done(0, VN_RUN_BLOCKED) && !vn_sched_wake(&s) &&
		       pick() == -1,
	       "nor does another thread that comes back from it, or a semaphore");
	tap_ok(rested(10) == 0 && vn_sched_ready(&s, &queue[0]) && pick() == 0,
	       "till its rest is over");

	fresh();
	done(0, VN_RUN_BLOCKED);
	vn_sched_rest(&s, &queue[0], 10);
	vn_sched_rest(&s, &queue[0], 20);
	tap_ok(!vn_sched_wake(&s) && rested(10) == -1 && rested(20) == 0 && rested(20) == -1,
	       "a blocked one rests, and longer: it is listed once");
	for (int victim = 0; victim < 3; victim++) {
		int wrong = 0;

		fresh();
		for (int i = 0; i < 3; i++)
			vn_sched_rest(&s, &queue[i], 10);
		vn_sched_remove(&s, &queue[victim]);
		for (int i = 0; i < 3; i++)
			wrong += i != victim && rested(10) != i;
		tap_ok(!wrong && rested(10) == -1 && vn_sched_ready(&s, &queue[victim]),
		       "number %d of 3 resting ones removed", victim);
	}
}

static void test_remove(void)
{
	for (int victim = 0; victim < N; victim++) {
		int wrong = 0;

		fresh();
		for (int i = 0; i < N; i++)
			vn_sched_ready(&s, &queue[i]);
		vn_sched_remove(&s, &queue[victim]);
		vn_sched_remove(&s, &queue[victim]);
		vn_sched_ready(&s, &queue[victim]);
		vn_sched_remove(&s, &queue[victim]);
		for (int i = 0; i < N; i++)
			wrong += i != victim && pick() != i;
		tap_ok(!wrong && pick() == -1, "number %d of %d ready ones removed", victim, N);

		fresh();
		for (int i = 0; i < N; i++)
			done(i, VN_RUN_BLOCKED);
		vn_sched_remove(&s, &queue[victim]);
		vn_sched_wake(&s);
		for (int i = 0; i < N - 1; i++)
			wrong += pick() == victim;
		tap_ok(!wrong && pick() == -1, "number %d of %d blocked ones removed", victim, N);
	}
	fresh();
	vn_sched_ready(&s, &queue[0]);
	vn_sched_remove(&s, &queue[0]);
	tap_ok(pick() == -1 && vn_sched_ready(&s, &queue[1]) && pick() == 1,
	       "the only one removed");
}

/* Random events against a model that counts. */
static void test_random(void)
{
	enum { OFF, READY, BLOCKED } model[N] = { OFF };
	u32 wrong = 0;

	fresh();
	for (u32 step = 0; step < 200000; step++) {
		int i = (int)(rnd() % N), got;
		u32 ready = 0, blocked = 0;

		switch (rnd() % 6) {
		case 0:
			wrong += vn_sched_ready(&s, &queue[i]) != (model[i] != READY);
			model[i] = READY;
			break;
		case 1:
		case 2:
			got = pick();
			for (int k = 0; k < N; k++)
				ready += model[k] == READY;
			wrong += (got < 0) != !ready || (got >= 0 && model[got] != READY);
			if (got >= 0) {
				model[got] = OFF;
				if (done(got, rnd() & 1 ? VN_RUN_BLOCKED : VN_RUN_IDLE))
					wrong++;
				model[got] = queue[got].listed ? BLOCKED : OFF;
			}
			break;
		case 3:
			vn_sched_remove(&s, &queue[i]);
			model[i] = OFF;
			break;
		case 4:
			if (rnd() & 7)
				break;
			for (int k = 0; k < N; k++) {
				blocked += model[k] == BLOCKED;
				model[k] = model[k] == BLOCKED ? READY : model[k];
			}
			wrong += vn_sched_wake(&s) != !!blocked;
			break;
		case 5:
			if (model[i] == OFF) {
				done(i, VN_RUN_MORE);
				model[i] = READY;
			}
			break;
		}
	}
	tap_ok(!wrong, "200,000 random events against a model (%u wrong)", wrong);
}

int main(void)
{
	test_order();
	test_blocked();
	test_shared();
	test_rest();
	test_remove();
	test_random();
	return tap_done();
}
