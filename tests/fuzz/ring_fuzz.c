// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Everything that lies in shared memory changes between two turns: indexes, descriptors,
 * completions, operand tables; windows and plans come and go. Three queues, taken in turn
 * by the scheduler; the second one is told of what is written with an immediate. A turn ends,
 * the device keeps to its own indexes, and its queues are READY or in ERROR.
 *
 * An input: actions, a byte each, and what each wants behind it.
 */
#include "small.h"

#define QUEUES 3u
#define DEPTH 8u
#define ACTIONS_MAX 400u

enum action {
	PUSH, /* queue, descriptor: as a program would */
	POKE, /* queue, word of page 0, value */
	WRITE_DESC, /* queue, slot, descriptor: nothing is published */
	SCRIBBLE, /* queue, offset, byte: anywhere in the mapping */
	TURN, /* queue, budget */
	SCHEDULE, /* budget: whose turn it is */
	POP, /* queue */
	CLEAR, /* queue */
	ARM, /* queue */
	CANCEL, /* queue */
	HALT, /* queue */
	STORE, /* chip, where, word: into own memory */
	RENEW, /* window */
	FAULTS, /* bits */
	ACTIONS,
};

static struct small *s;
static struct rig *rig[QUEUES];
static struct vn_sched sched;
static struct vn_plan plan[SMALL_PLANS];
static struct vn_plan *plans[SMALL_PLANS];
static u64 now;

/*
 * Plans of one or two programs; 0 and 1 copy, 2 waits for what its other program signals,
 * 3 waits for a parameter.
 */
static void make_plans(void)
{
	static struct vn_desc d[8];
	static struct vn_program p[5];
	static struct vn_program_run runs[5];
	u32 desc;

	d[0] = copy(at(&s->own[0], 64), at(&s->own[1], 0), 4096);
	d[1] = copy(by_key(0, s->key[SMALL_ALL], 0), param(0, 8), 512);
	d[2] = sem_signal(at(&s->own[0], 8), 1);
	d[3] = sem_wait_for(at(&s->own[0], 8), 1);
	d[3].flags = VN_DESC_REL;
	d[4] = sem_wait_for(param(0, 0), 5);
	p[0] = (struct vn_program){ .chip = 0, .first = 0, .count = 1 };
	p[1] = (struct vn_program){ .chip = 1, .first = 0, .count = 1 };
	p[2] = (struct vn_program){ .chip = 0, .first = 1, .count = 1 };
	p[3] = (struct vn_program){ .chip = 1, .first = 0, .count = 1 };
	p[4] = (struct vn_program){ .chip = 2, .first = 0, .count = 1 };
	plan[0] = (struct vn_plan){ .programs = p, .descs = d, .run = runs };
	plan[1] = (struct vn_plan){ .programs = p + 1, .descs = d + 1, .run = runs + 1 };
	plan[2] = (struct vn_plan){ .programs = p + 2, .descs = d + 2, .run = runs + 2 };
	plan[3] = (struct vn_plan){ .programs = p + 4, .descs = d + 4, .run = runs + 4 };
	plan[2].nprograms = plan[2].ndescs = 2;
	for (u32 i = 0; i < SMALL_PLANS; i++) {
		plan[i].nprograms = plan[i].nprograms ?: 1;
		plan[i].ndescs = plan[i].ndescs ?: 1;
		plan[i].nparams = i & 1;
		plans[i] = &plan[i];
		MUST(!vn_plan_check(&plan[i], SMALL_CHIPS, &desc));
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	s = small_new();
	for (u32 i = 0; i < QUEUES; i++)
		rig[i] = rig_new(s->w, i, DEPTH);
	small_receive(s, rig[1], 1);
	make_plans();
	return 0;
}

/* What has to be so whatever lies in the ring. */
static void look(struct rig *g)
{
	const struct vn_queue *q = &g->q;

	MUST(q->cq_tail - q->cq_shown <= q->depth && !q->helpers);
	MUST(q->state == VN_QUEUE_READY || q->state == VN_QUEUE_ERROR);
	MUST(q->state == VN_QUEUE_READY || !vn_queue_pending(q));
	MUST(vn_queue_waiting(q) <= q->depth);
	MUST(!q->plan || q->plan->running);
	MUST(q->depth == DEPTH && q->chips == SMALL_CHIPS);
}

static enum vn_run turn(struct rig *g, u64 budget)
{
	u32 head = g->q.sq_head;
	u64 seq = g->q.seq;
	enum vn_run res;

	res = rig_turn(g, s->r, ++now, budget, plans, SMALL_PLANS);
	look(g);
	if (small_posted(s))
		vn_sched_ready(&sched, &s->receiver->q);
	/* No more than the ring holds, whatever its tail says. */
	MUST(g->q.sq_head - head <= DEPTH);
	MUST(g->q.seq - seq <= DEPTH + 1);
	MUST(vn_load_acquire(&ring(g)->sq_head) == g->q.sq_head);
	MUST(g->q.cq_shown == g->q.cq_tail);
	/* A launch that fails is told of when the next turn begins. */
	MUST(g->q.state == VN_QUEUE_ERROR ? res == VN_RUN_ERROR || res == VN_RUN_MORE
					  : res != VN_RUN_ERROR);
	return res;
}

static void run_some(u8 budget)
{
	u32 wakes = sched.wakes;
	struct vn_queue *q = vn_sched_pick(&sched);
	struct rig *g = NULL;
	enum vn_run res;

	for (u32 i = 0; q && i < QUEUES; i++)
		if (q == &rig[i]->q)
			g = rig[i];
	MUST(!q == !g);
	if (!g)
		return;
	res = turn(g, 64ull << (budget & 15));
	if (s->r->signalled)
		vn_sched_wake(&sched);
	s->r->signalled = false;
	vn_sched_done(&sched, q, res, 64, wakes);
}

static void clear(struct rig *g)
{
	vn_queue_cancel(&g->q);
	vn_sched_remove(&sched, &g->q);
	MUST(vn_queue_clear(&g->q));
	look(g);
	MUST(g->q.state == VN_QUEUE_READY && !ring(g)->state && !g->q.plan);
	g->tail = g->read = 0;
}

static void act(struct fuzz_in *in)
{
	enum action what = fuzz_u8(in) % ACTIONS;
	u8 n = fuzz_u8(in);
	struct rig *g = rig[n % QUEUES];
	struct vn_cqe e;
	u32 where;
	u64 word;

	switch (what) {
	case PUSH:
		rig_push(g, small_desc(s, in));
		vn_sched_ready(&sched, &g->q);
		break;
	case POKE:
		where = fuzz_u8(in) % (sizeof(struct vn_ring) / 4);
		((u32 *)g->map)[where] = fuzz_u32(in);
		break;
	case WRITE_DESC:
		where = fuzz_u8(in);
		*sq(g, where) = small_desc(s, in);
		break;
	case SCRIBBLE:
		where = fuzz_u16(in);
		g->map[where % VN_QUEUE_BYTES(DEPTH)] = fuzz_u8(in);
		break;
	case TURN:
		turn(g, 64ull << (fuzz_u8(in) & 15));
		break;
	case SCHEDULE:
		run_some(n);
		break;
	case POP:
		rig_pop(g, &e);
		break;
	case CLEAR:
		clear(g);
		break;
	case ARM:
		if (vn_queue_arm(&g->q))
			MUST(vn_queue_pending(&g->q) && !ring(g)->flags);
		else
			vn_queue_disarm(&g->q);
		break;
	case CANCEL:
		vn_queue_cancel(&g->q);
		break;
	case HALT:
		vn_queue_halt(&g->q, VN_CHIP_RESET);
		MUST(g->q.state == VN_QUEUE_ERROR || g->q.helpers);
		look(g);
		break;
	case STORE:
		where = fuzz_u16(in) % (SMALL_OWN / 8);
		word = small_word(s, fuzz_u64(in));
		memcpy(s->own[n % SMALL_CHIPS].ptr + 8 * where, &word, 8);
		break;
	case RENEW:
		small_renew(s, n % SMALL_WINDOWS);
		break;
	case FAULTS:
		small_faults(s, n);
		break;
	case ACTIONS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };

	small_reset(s);
	now = 1;
	for (u32 i = 0; in.left && i < ACTIONS_MAX; i++)
		act(&in);
	for (u32 i = 0; i < QUEUES; i++)
		clear(rig[i]);
	sched = (struct vn_sched){ 0 };
	s->r->signalled = false;
	small_posted(s);
	for (u32 i = 0; i < SMALL_PLANS; i++)
		MUST(!plan[i].running);
	small_check(s);
	return 0;
}
