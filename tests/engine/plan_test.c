// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a plan is checked as a whole and refused by the descriptor; that
 * its programs wait for each other by semaphores, over many launches of one
 * plan with relative values; that parameters are what the launch brings; that
 * one failing program ends the launch and is named; and that any number of
 * threads may work on one launch, or cancel it.
 */
#include <pthread.h>
#include <sched.h>

#include "world.h"

#define MAXP 64

/* A plan under construction. */
struct made {
	struct vn_plan plan;
	struct vn_program programs[MAXP];
	struct vn_desc descs[4096];
	struct vn_operand operands[1024];
	struct vn_program_run run[MAXP];
};

static struct made *plan_new(struct world *w, u32 nparams)
{
	struct made *m = world_take(w, sizeof(*m));

	m->plan.programs = m->programs;
	m->plan.descs = m->descs;
	m->plan.operands = m->operands;
	m->plan.run = m->run;
	m->plan.nparams = nparams;
	return m;
}

static void program(struct made *m, u32 chip)
{
	m->programs[m->plan.nprograms++] =
		(struct vn_program){ .chip = (u16)chip, .first = m->plan.ndescs };
}

/* Appends to the last program. */
static void step(struct made *m, struct vn_desc d)
{
	m->descs[m->plan.ndescs++] = d;
	m->programs[m->plan.nprograms - 1].count++;
}

static void step_rel(struct made *m, struct vn_desc d)
{
	d.flags |= VN_DESC_REL;
	step(m, d);
}

static struct vn_desc launch(u32 plan, u64 params, u32 nparams, u64 base)
{
	return (struct vn_desc){
		.opcode = VN_OP_LAUNCH,
		.launch = { .params = params, .plan = plan, .nparams = nparams, .base = base }
	};
}

static u32 checked(struct made *m, u32 *desc)
{
	*desc = 0xdddd;
	return vn_plan_check(&m->plan, 8, desc);
}

static void test_check(struct world *w)
{
	struct made *m = plan_new(w, 2);
	struct ram a = mem(w, 0, 4096);
	u32 desc, wrong = 0;

	for (u32 i = 0; i < 4; i++) {
		program(m, i);
		step(m, nop(0));
		step(m, copy(param(1, 0), at(&a, 0), 64));
		step(m, nop(0));
	}
	tap_ok(!checked(m, &desc) && m->plan.cost == 4 * (64 + 128 + 64),
	       "a good plan, and its cost");
	for (u32 i = 0; i < 12; i++) {
		struct vn_desc keep = m->descs[i];

		m->descs[i].flags = 0x80;
		wrong += checked(m, &desc) != VN_BAD_FLAGS || desc != i;
		m->descs[i] = launch(0, 0, 0, 0);
		wrong += checked(m, &desc) != VN_BAD_OPCODE || desc != i;
		m->descs[i] = copy(param(2, 0), at(&a, 0), 64);
		wrong += checked(m, &desc) != VN_BAD_PLAN || desc != i;
		wrong += vn_plan_accept(&m->plan, 8, &desc) != -EINVAL || desc != i;
		m->descs[i] = copy(param(1, 0), at(&a, 0), 64);
		m->descs[i].copy.src.chip = 8;
		wrong += checked(m, &desc) != VN_BAD_CHIP || desc != i;
		wrong += vn_plan_accept(&m->plan, 8, &desc) != -EINVAL || desc != i;
		m->descs[i] = keep;
	}
	tap_ok(!wrong, "a bad descriptor is named by its index (%u wrong)", wrong);
	m->descs[9].flags = 0x80;
	m->plan.checked = 0;
	wrong = 0;
	for (u32 i = 0; i < 3; i++)
		wrong += vn_plan_accept_some(&m->plan, 8, 3, &desc) != -EAGAIN || desc != 12;
	tap_ok(!wrong && vn_plan_accept_some(&m->plan, 8, 3, &desc) == -EINVAL && desc == 9,
	       "so it is when they are checked by threes");
	m->descs[9].flags = 0;
	m->plan.checked = 0;
	while (vn_plan_accept_some(&m->plan, 8, 5, &desc) == -EAGAIN)
		wrong++;
	tap_ok(wrong == 2 && m->plan.cost == 4 * (64 + 128 + 64),
	       "by fives, it costs what it costs at once");

	wrong = 0;
	for (u32 i = 0; i < 4; i++) {
		static const struct {
			struct vn_program bad;
			u32 status;
		} rows[] = {
			{ { .chip = 8, .first = 0, .count = 1 }, VN_BAD_CHIP },
			{ { .chip = 0xffff, .first = 0, .count = 1 }, VN_BAD_CHIP },
			{ { .chip = 1, .reserved0 = 1, .count = 1 }, VN_BAD_FIELD },
			{ { .chip = 1, .reserved1 = 1, .count = 1 }, VN_BAD_FIELD },
			{ { .chip = 1, .first = 0, .count = 0 }, VN_BAD_RANGE },
			{ { .chip = 1, .first = 12, .count = 1 }, VN_BAD_RANGE },
			{ { .chip = 1, .first = 11, .count = 2 }, VN_BAD_RANGE },
			{ { .chip = 1, .first = 1, .count = ~0u }, VN_BAD_RANGE },
			{ { .chip = 1, .first = ~0u, .count = 2 }, VN_BAD_RANGE },
		};
		struct vn_program keep = m->programs[i];

		for (u32 k = 0; k < ARRAY_SIZE(rows); k++) {
			m->programs[i] = rows[k].bad;
			wrong += checked(m, &desc) != rows[k].status || desc != m->plan.ndescs;
			wrong += vn_plan_accept(&m->plan, 8, &desc) !=
				 (rows[k].status == VN_BAD_CHIP ? -ENODEV : -EINVAL);
		}
		m->programs[i] = keep;
	}
	tap_ok(!wrong, "a bad program is no descriptor's fault (%u wrong)", wrong);
	tap_ok(!checked(m, &desc) && !vn_plan_accept(&m->plan, 8, &desc),
	       "put right, it is good again");
	mem_end(w, &a);
}

/*
 * n programs, each on its own chip: everybody adds one to everybody's word,
 * then waits until all have added to its own. Many launches, no reset between.
 */
static struct made *barrier_plan(struct world *w, u32 n, struct ram *sem)
{
	struct made *m = plan_new(w, 0);

	for (u32 i = 0; i < n; i++) {
		program(m, i);
		for (u32 round = 1; round <= 3; round++) {
			for (u32 k = 0; k < n; k++)
				step(m, sem_signal(at(&sem[k], 0), 1));
			step_rel(m, sem_wait_for(at(&sem[i], 0), round * n));
		}
	}
	return m;
}

static void test_barrier(struct world *w, struct vn_runner *r)
{
	struct ram sem[8];
	struct vn_plan *plans[1];
	struct rig *g = rig_new(w, 3, 8);
	struct made *m;
	struct vn_cqe e;
	u32 wrong = 0, desc;

	for (u32 i = 0; i < 8; i++)
		sem[i] = mem(w, i, 4096);
	m = barrier_plan(w, 8, sem);
	plans[0] = &m->plan;
	tap_ok(!checked(m, &desc), "three barriers over eight chips");
	for (u32 i = 0; i < 500; i++) {
		struct vn_desc d = launch(0, 0, 0, i * 24ull);

		d.user_data = i;
		rig_push(g, d);
		while (rig_turn(g, r, 1, 200, plans, 1) == VN_RUN_MORE)
			;
		while (rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_MORE)
			;
		wrong += !rig_pop(g, &e) || e.status || e.user_data != i || e.seq != i ||
			 e.bytes != 3 * 8 * 8 * 8;
	}
	for (u32 i = 0; i < 8; i++)
		wrong += *(u64 *)sem[i].ptr != 500 * 24;
	tap_ok(!wrong && !m->plan.running, "launched 500 times (%u wrong)", wrong);

	/* Without REL the second launch would not wait; with a wrong base it waits for ever. */
	rig_push(g, launch(0, 0, 0, 1ull << 40));
	tap_ok(rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_BLOCKED && !rig_pop(g, &e) &&
		       m->plan.running,
	       "a base nobody reaches: blocked");
	vn_queue_cancel(&g->q);
	rig_turn(g, r, 1, ~0ull, plans, 1);
	tap_ok(rig_pop(g, &e) && e.status == VN_CANCELLED && e.detail == m->plan.ndescs &&
		       !m->plan.running && g->q.state == VN_QUEUE_ERROR,
	       "until cancelled");
	for (u32 i = 0; i < 8; i++)
		mem_end(w, &sem[i]);
}

static void test_params(struct world *w, struct vn_runner *r)
{
	struct made *m = plan_new(w, 3);
	struct rig *g = rig_new(w, 1, 8);
	struct vn_plan *plans[1] = { &m->plan };
	struct ram a = mem(w, 0, 8192), b = mem(w, 1, 8192), t = mem(w, 1, 4096),
		   c = mem(w, 2, 8192);
	struct vn_operand *p = (struct vn_operand *)t.ptr;
	u32 key, desc, wrong = 0;
	struct vn_cqe e;
	bool got;

	program(m, 1);
	step(m, copy(param(1, 128), param(0, 64), 1000));
	m->operands[0] = param(0, 0);
	m->operands[1] = param(1, 0);
	m->operands[2] = param(1, 4096);
	m->plan.noperands = 3;
	step(m, reduce(0, 2, 1, 256, VN_INT32, VN_SUM));
	step(m, ewise(VN_OP_RELU, VN_ADDR_PARAM(2, 16), 0, VN_ADDR_PARAM(2, 1024), 0, 1, 64, 0));
	tap_ok(!checked(m, &desc), "a plan with parameters");

	scramble(a.ptr, a.bytes);
	scramble(c.ptr, c.bytes);
	scramble(b.ptr, b.bytes);
	key = key_of(w, 2, c.ptr + 16, 8000, VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ);
	for (u32 i = 0; i < 2; i++) {
		const u8 *src = i ? c.ptr + 16 + 8 : a.ptr + 8;
		u32 sum = 0;

		p[0] = i ? by_key(2, key, 8) : at(&a, 8);
		p[1] = at(&b, 0);
		p[2] = at(&b, 6000);
		rig_push(g, launch(0, t.addr, 3, 0));
		rig_turn(g, r, 1, ~0ull, plans, 1);
		wrong += !rig_pop(g, &e) || e.status || e.bytes != 1000 + 1024 + 256;
		wrong += !!memcmp(b.ptr + 128, src + 64, 1000);
		for (u32 k = 0; k < 256; k++)
			sum |= ((u32 *)src)[k] + ((u32 *)b.ptr)[k] - ((u32 *)(b.ptr + 4096))[k];
		wrong += sum != 0;
	}
	tap_ok(!wrong, "the same plan on memory and on a window (%u wrong)", wrong);

#define REFUSED(what, want_status, want_detail)                                                    \
	do {                                                                                       \
		rig_push(g, launch(0, t.addr, 3, 0));                                              \
		rig_turn(g, r, 1, ~0ull, plans, 1);                                                \
		got = rig_pop(g, &e);                                                              \
		tap_ok(got &&e.status == (want_status) && e.detail == (want_detail) &&             \
			       !m->plan.running,                                                   \
		       "%s: %s, detail %u", what, vn_status_name(e.status), e.detail);             \
		vn_queue_clear(&g->q);                                                             \
		g->tail = g->read = 0;                                                             \
	} while (0)
	p[0] = at(&a, 8);
	p[0].ultraserver = VN_PARAM;
	REFUSED("a parameter that is a parameter", VN_BAD_CHIP, AT(launch.params));
	p[0] = at(&a, 8);
	p[0].chip = 8;
	REFUSED("a parameter on no chip", VN_BAD_CHIP, AT(launch.params));
	p[0] = at(&a, 8);
	p[0].chip = 3;
	REFUSED("a parameter on another chip than its memory", VN_BAD_CHIP, 0);
	p[0] = at(&a, 8192 - 1063);
	REFUSED("one byte beyond the end, offset added", VN_BAD_RANGE, 0);
	p[0] = at(&a, 8);
	p[0].offset = ~0ull;
	REFUSED("an offset that overflows", VN_BAD_RANGE, 0);
	p[0] = by_key(2, key + 0x10000, 8);
	REFUSED("a key of no window", VN_BAD_KEY, 0);
	p[0] = by_key(2, key, 8);
	p[1] = by_key(2, key, 8);
	REFUSED("a destination that may only be read", VN_BAD_ACCESS, 0);
	p[1] = at(&b, 0);
	p[2] = by_key(1, key, 0);
	REFUSED("an address parameter with a key", VN_BAD_CHIP, 2);
	p[2] = at(&a, 0);
	REFUSED("an address parameter on another chip", VN_BAD_CHIP, 2);
	p[2] = at(&b, 0);
	p[2].offset |= VN_ADDR_OFFSET_MASK;
	REFUSED("an address parameter that runs into the next name", VN_BAD_RANGE, 2);
	p[2] = (struct vn_operand){ VN_HERE, 1, 0, VN_ADDR_PARAM(2, 0) };
	REFUSED("an address parameter that is a parameter", VN_BAD_KEY, 2);
	p[2] = (struct vn_operand){ VN_HERE, 1, 0, 0 };
	REFUSED("an address parameter of 0", VN_BAD_KEY, 2);

	rig_push(g, launch(0, t.addr, 2, 0));
	rig_turn(g, r, 1, ~0ull, plans, 1);
	tap_ok(rig_pop(g, &e) && e.status == VN_BAD_PLAN && e.detail == AT(launch.nparams),
	       "the wrong number of parameters");
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	rig_push(g, launch(1, t.addr, 3, 0));
	rig_turn(g, r, 1, ~0ull, plans, 1);
	tap_ok(rig_pop(g, &e) && e.status == VN_BAD_PLAN && e.detail == AT(launch.plan),
	       "no such plan");
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	rig_push(g, launch(0, t.addr + 4096 - 40, 3, 0));
	rig_turn(g, r, 1, ~0ull, plans, 1);
	tap_ok(rig_pop(g, &e) && e.status == VN_BAD_RANGE && e.detail == AT(launch.params) &&
		       !m->plan.running,
	       "parameters beyond the end of their memory");
	key_end(w, 2, key);
	mem_end(w, &a);
	mem_end(w, &b);
	mem_end(w, &c);
	mem_end(w, &t);
}

static void test_failure(struct world *w, struct vn_runner *r)
{
	struct ram a = mem(w, 0, 4096), s = mem(w, 1, 4096);

	for (u32 bad = 0; bad < 3; bad++) {
		struct made *m = plan_new(w, 0);
		struct vn_plan *plans[1] = { &m->plan };
		struct rig *g = rig_new(w, 0, 8);
		u32 desc, where = 0;
		struct vn_cqe e;

		for (u32 i = 0; i < 3; i++) {
			program(m, i);
			step(m, fill(at(&a, 64 * i), 64, i, 1));
			if (i == bad) {
				where = m->plan.ndescs;
				step(m, fill(at(&a, 4000), 200, 0, 1));
			}
			step(m, sem_wait_for(at(&s, 0), 1));
		}
		tap_ok(!checked(m, &desc),
		       "a plan whose program %u will fail, the others wait for ever", bad);
		rig_push(g, launch(0, 0, 0, 0));
		rig_push(g, nop(1));
		rig_turn(g, r, 1, ~0ull, plans, 1);
		tap_ok(rig_pop(g, &e) && e.status == VN_BAD_RANGE && e.detail == where &&
			       !rig_pop(g, &e) && ring(g)->error_status == VN_BAD_RANGE &&
			       ring(g)->error_detail == where,
		       "its descriptor %u is named, and the queue stops", where);
		tap_ok(!m->plan.running && !g->q.plan && !g->q.helpers, "the plan is free again");
	}
	mem_end(w, &a);
	mem_end(w, &s);
}

static void test_busy(struct world *w, struct vn_runner *r)
{
	struct made *m = plan_new(w, 0);
	struct vn_plan *plans[1] = { &m->plan };
	struct rig *g = rig_new(w, 0, 8), *h = rig_new(w, 1, 8);
	struct ram s = mem(w, 0, 4096);
	struct vn_cqe e;
	u32 desc;

	program(m, 0);
	step(m, sem_wait_for(at(&s, 0), 1));
	checked(m, &desc);
	rig_push(g, launch(0, 0, 0, 0));
	rig_push(h, launch(0, 0, 0, 0));
	tap_ok(rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_BLOCKED, "a launch waits");
	tap_ok(rig_turn(h, r, 1, ~0ull, plans, 1) == VN_RUN_ERROR && rig_pop(h, &e) &&
		       e.status == VN_BUSY_PLAN && e.detail == AT(launch.plan),
	       "a second queue is refused the plan");
	*(u64 *)s.ptr = 1;
	rig_turn(g, r, 1, ~0ull, plans, 1);
	tap_ok(rig_pop(g, &e) && !e.status, "the first one ends well");
	vn_queue_clear(&h->q);
	h->tail = h->read = 0;
	rig_push(h, launch(0, 0, 0, 0));
	rig_turn(h, r, 1, ~0ull, plans, 1);
	tap_ok(rig_pop(h, &e) && !e.status, "then the other may");

	*(u64 *)s.ptr = 0;
	rig_push(g, launch(0, 0, 0, 0));
	rig_turn(g, r, 1, ~0ull, plans, 1);
	tap_ok(vn_queue_run(&g->q, r, 1, 1) == VN_RUN_HELP && !vn_queue_clear(&g->q) &&
		       m->plan.running,
	       "no reset while a helper is in");
	vn_queue_leave(&g->q);
	tap_ok(vn_queue_clear(&g->q) && !m->plan.running && !g->q.plan,
	       "but then, and the plan is free");
	mem_end(w, &s);
}

/* Programs that cost more than the budget take turns. */
static void test_budget(struct world *w, struct vn_runner *r)
{
	struct made *m = plan_new(w, 0);
	struct ram a = mem(w, 0, 512 << 10), b = mem(w, 1, 512 << 10);
	struct rig *g = rig_new(w, 0, 8);
	u64 chunk = r->chunk_bytes;
	u32 desc, turns = 0;
	struct vn_cqe e;
	enum vn_work work;

	r->chunk_bytes = 4096;
	scramble(a.ptr, a.bytes);
	program(m, 0);
	step(m, copy(at(&b, 0), at(&a, 0), 256 << 10));
	program(m, 1);
	step(m, copy(at(&b, 256 << 10), at(&a, 256 << 10), 256 << 10));
	checked(m, &desc);
	rig_push(g, launch(0, 0, 0, 0));
	vn_queue_run(&g->q, r, 1, 1);
	vn_queue_launch(&g->q, &m->plan, r);
	while ((work = vn_plan_work(&m->plan, r, turns, 8192)) == VN_WORK_PROGRESS)
		turns++;
	vn_queue_leave(&g->q);
	vn_queue_publish(&g->q, 1);
	tap_ok(work == VN_WORK_DONE && turns >= 40 && turns <= 130 && rig_pop(g, &e) && !e.status &&
		       !memcmp(a.ptr, b.ptr, a.bytes),
	       "a launch in turns of 8 KiB (%u)", turns);
	r->chunk_bytes = chunk;
	mem_end(w, &a);
	mem_end(w, &b);
}

/*
 * Threads around one queue, as a shell does it: a lock for the queue, none for
 * the work. Every program folds what all have written in the last phase.
 */
#define P 12
#define THREADS 3

static struct {
	pthread_mutex_t lock;
	struct rig *g;
	struct vn_plan *plan;
	u32 stop, shared;
	u64 helped[THREADS];
	struct vn_runner *runner[THREADS];
} crew;

static void *crew_member(void *arg)
{
	u32 me = (u32)(uintptr_t)arg;
	struct vn_runner *r = crew.runner[me];
	struct rig *g = crew.g;

	while (!READ_ONCE(crew.stop)) {
		enum vn_run res;

		pthread_mutex_lock(&crew.lock);
		res = vn_queue_run(&g->q, r, 1, 1 << 20);
		if (res == VN_RUN_PLAN)
			res = vn_queue_launch(&g->q, crew.plan, r);
		vn_queue_publish(&g->q, 1);
		if (g->q.helpers > 1)
			crew.shared++;
		pthread_mutex_unlock(&crew.lock);
		if (res != VN_RUN_HELP) {
			sched_yield();
			continue;
		}
		crew.helped[me]++;
		while (vn_plan_work(crew.plan, r, me * 5, 4096) == VN_WORK_PROGRESS)
			;
		pthread_mutex_lock(&crew.lock);
		vn_queue_leave(&g->q);
		vn_queue_publish(&g->q, 2);
		pthread_mutex_unlock(&crew.lock);
		sched_yield();
	}
	return NULL;
}

static void test_crew(struct world *w)
{
	struct made *m = plan_new(w, 0);
	struct ram data[8], sem[8];
	pthread_t thread[THREADS];
	u32 launches = getenv("VN_QUICK") ? 50 : 600, wrong = 0, desc, n = 0;
	struct vn_cqe e;

	for (u32 i = 0; i < 8; i++) {
		data[i] = mem(w, i, 8192);
		sem[i] = mem(w, i, 4096);
	}
	/*
	 * Each of the P programs (more than chips) has a KiB at data[p % 8]: even
	 * phases sum into the upper half, odd ones back, with barriers between.
	 */
	for (u32 p = 0; p < P; p++)
		for (u32 phase = 0; phase < 2; phase++) {
			for (u32 k = 0; k < P; k++)
				m->operands[n++] = at(&data[k % 8], (k / 8) * 1024 + phase * 4096);
			m->operands[n++] = at(&data[p % 8], (p / 8) * 1024 + !phase * 4096);
		}
	m->plan.noperands = n;
	for (u32 p = 0; p < P; p++) {
		program(m, p % 8);
		for (u32 phase = 0; phase < 2; phase++) {
			step(m, reduce((p * 2 + phase) * (P + 1), P, 1, 256, VN_INT32, VN_SUM));
			for (u32 k = 0; k < 8; k++)
				step(m, sem_signal(at(&sem[k], 0), 1));
			step_rel(m, sem_wait_for(at(&sem[p % 8], 0), (phase + 1) * P));
		}
	}
	if (!tap_ok(!checked(m, &desc), "a plan of %u programs", P))
		return;
	for (u32 p = 0; p < P; p++) {
		for (u32 k = 0; k < 256; k++)
			((u32 *)(data[p % 8].ptr + (p / 8) * 1024))[k] = p + 1 + k;
	}
	pthread_mutex_init(&crew.lock, NULL);
	crew.g = rig_new(w, 0, 8);
	crew.plan = &m->plan;
	for (u32 i = 0; i < THREADS; i++) {
		crew.runner[i] = runner_new(w, &vn_ops_scalar);
		pthread_create(&thread[i], NULL, crew_member, (void *)(uintptr_t)i);
	}
	for (u32 i = 0; i < launches; i++) {
		u32 sum[256] = { 0 };

		for (u32 p = 0; p < P; p++)
			for (u32 k = 0; k < 256; k++)
				sum[k] += ((u32 *)(data[p % 8].ptr + (p / 8) * 1024))[k];
		rig_push(crew.g, launch(0, 0, 0, (u64)i * 2 * P));
		while (!rig_pop(crew.g, &e))
			sched_yield();
		wrong += e.status != VN_OK || e.bytes != (1024 + 64) * 2 * P;
		for (u32 p = 0; p < P; p++)
			for (u32 k = 0; k < 256; k++)
				wrong += ((u32 *)(data[p % 8].ptr + (p / 8) * 1024))[k] !=
					 sum[k] * P;
	}
	tap_ok(!wrong, "%u launches by %u threads (%u wrong)", launches, THREADS, wrong);

	/* The last one is never signalled: cancelled from outside, with helpers coming and going. */
	rig_push(crew.g, launch(0, 0, 0, 1ull << 50));
	for (u32 i = 0; i < 30; sched_yield()) {
		pthread_mutex_lock(&crew.lock);
		wrong += rig_pop(crew.g, &e);
		/* not before two have been in it at once */
		i += crew.g->q.plan && crew.shared;
		if (i == 30)
			vn_queue_cancel(&crew.g->q);
		pthread_mutex_unlock(&crew.lock);
	}
	while (!rig_pop(crew.g, &e))
		sched_yield();
	tap_ok(!wrong && e.status == VN_CANCELLED, "a launch that never ends is cancelled");
	WRITE_ONCE(crew.stop, 1);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	tap_diag("helped %llu, %llu, %llu times, %u of them together",
		 (unsigned long long)crew.helped[0], (unsigned long long)crew.helped[1],
		 (unsigned long long)crew.helped[2], crew.shared);
	tap_ok(crew.shared, "several were in one launch at once");
	for (u32 i = 0; i < 8; i++) {
		mem_end(w, &data[i]);
		mem_end(w, &sem[i]);
	}
}

/* Stopped from outside: with a helper in it, and when all it does is wait. */
static void test_halt(struct world *w, struct vn_runner *r)
{
	struct made *m = plan_new(w, 0);
	struct ram a = mem(w, 2, 4096);
	struct rig *g = rig_new(w, 0, 8);
	struct vn_plan *plans[] = { &m->plan };
	struct vn_cqe e;
	u32 desc;

	program(m, 2);
	step(m, sem_wait_for(at(&a, 0), 1));
	program(m, 3);
	step(m, nop(0));
	tap_ok(!checked(m, &desc) && vn_plan_on(&m->plan, 2) && vn_plan_on(&m->plan, 3) &&
		       !vn_plan_on(&m->plan, 0),
	       "which chips it has programs on");
	rig_push(g, launch(0, 0, 0, 0));
	rig_turn(g, r, 1, ~0ull, plans, 1);
	tap_ok(g->q.plan && !g->q.helpers && vn_queue_halt(&g->q, VN_CHIP_RESET) && !g->q.plan &&
		       !m->plan.running,
	       "stopped while nobody is in it, a launch is let go of at once");
	vn_queue_publish(&g->q, 2);
	tap_ok(rig_pop(g, &e) && e.status == VN_CHIP_RESET && e.detail == m->plan.ndescs &&
		       g->q.state == VN_QUEUE_ERROR,
	       "with the status, of no descriptor");

	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	rig_push(g, launch(0, 0, 0, 0));
	tap_ok(vn_queue_run(&g->q, r, 1, ~0ull) == VN_RUN_PLAN &&
		       vn_queue_launch(&g->q, &m->plan, r) == VN_RUN_HELP &&
		       !vn_queue_halt(&g->q, VN_CHIP_RESET) && g->q.plan &&
		       g->q.state == VN_QUEUE_READY,
	       "with a helper in it, it goes on");
	tap_ok(vn_plan_work(&m->plan, r, 0, ~0ull) == VN_WORK_DONE && vn_queue_leave(&g->q) &&
		       g->q.state == VN_QUEUE_ERROR && vn_queue_publish(&g->q, 2) == 1 &&
		       rig_pop(g, &e) && e.status == VN_CHIP_RESET,
	       "until that leaves, with nothing left to do");
	mem_end(w, &a);
}

int main(void)
{
	struct world *w = world_new(2, 4);
	struct vn_runner *r = runner_new(w, &vn_ops_scalar);

	test_check(w);
	test_halt(w, r);
	test_barrier(w, r);
	test_params(w, r);
	test_failure(w, r);
	test_busy(w, r);
	test_budget(w, r);
	test_crew(w);
	world_free(w);
	return tap_done();
}
