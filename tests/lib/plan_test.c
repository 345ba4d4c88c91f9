// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows plans: drafted, checked once, launched again and again with other
 * parameters; refused by the descriptor; a failure inside named by its place;
 * reset and destroyed at any time.
 */
#include "fixture.h"

static void test_params(vn_device_t dev)
{
	struct vn_mem a = take(dev, 0, 8192), b = take(dev, 1, 8192), c = take(dev, 2, 8192);
	struct vn_mem t = take(dev, 3, 4096);
	uint16_t chips[2] = { 1, 2 };
	struct vn_operand *o = t.ptr;
	vn_queue_t q = queue(dev, 3, 16);
	unsigned int wrong = 0, launches = quick() ? 30 : 1000;
	vn_builder_t bld;
	vn_plan_t plan;
	struct vn_cqe e;

	NEED(vn_builder_create(dev, 2, &bld));
	/* chip 1 copies parameter 0 to b; chip 2, when that is done, b to parameter 1 */
	vn_prep_copy(vn_build(bld, 1), vn_at(&b, 0), vn_param(0, 64), 4096);
	NEED(vn_build_barrier(bld, chips, 2));
	vn_prep_copy(vn_build(bld, 2), vn_param(1, 16), vn_at(&b, 0), 4096);
	NEED(vn_builder_finish(bld, &plan));
	vn_builder_destroy(bld);
	tap_ok(1, "a plan of two programs with two parameters");
	for (unsigned int i = 0; i < launches; i++) {
		struct vn_mem *from = i & 1 ? &a : &c, *to = i & 1 ? &c : &a;

		memset(from->ptr, (int)i, 8192);
		o[0] = vn_at(from, i % 64);
		o[1] = vn_at(to, 0);
		NEED(vn_launch(q, plan, t.addr, i));
		wrong += vn_wait(q, 1, LONG) || vn_reap(q, &e, 1) != 1 || e.status ||
			 e.user_data != i || e.bytes < 8192;
		wrong += ((uint8_t *)to->ptr)[16] != (uint8_t)i ||
			 ((uint8_t *)to->ptr)[16 + 4095] != (uint8_t)i;
	}
	tap_ok(!wrong, "launched %u times, to and fro (%u wrong)", launches, wrong);

	/* Several launches in the ring at once, one after the other. */
	for (unsigned int i = 0; i < 16; i++)
		wrong += vn_launch(q, plan, t.addr, i) != 0;
	tap_ok(vn_launch(q, plan, t.addr, 16) == -EAGAIN, "a full ring takes no more: %s",
	       vn_error());
	tap_ok(!vn_complete(q, LONG) && !wrong, "16 launches in one ring");

	/* Launches that are refused or fail, and after each of them a good one. */
	for (unsigned int i = 0; i < 3; i++) {
		static const char *const how[] = { "a parameter on no chip", "no parameters",
						   "a failing program" };
		bool got;

		o[0] = vn_at(&c, 0);
		o[1] = vn_at(&a, i == 2 ? 8192 - 16 : 0);
		if (i == 0)
			o[1].chip = 4711;
		NEED(vn_launch(q, plan, i == 1 ? 0 : t.addr, 1));
		vn_wait(q, 1, 10 * SECOND);
		got = vn_reap(q, &e, 1) == 1;
		tap_ok(got &&
			       e.status == (i == 0   ? VN_BAD_CHIP
					    : i == 1 ? VN_BAD_KEY
						     : VN_BAD_RANGE) &&
			       (i == 2 ? e.detail < 6 : e.detail == AT(launch.params)),
		       "%s: %s, detail %u", how[i], got ? vn_status_text(e.status) : vn_error(),
		       got ? e.detail : 0);
		vn_queue_reset(q);
		memset(c.ptr, 0x70 + (int)i, 8192);
		o[1] = vn_at(&a, 0);
		NEED(vn_launch(q, plan, t.addr, 2));
		tap_ok(!vn_complete(q, 10 * SECOND) && ((uint8_t *)a.ptr)[16] == 0x70 + i,
		       "after that the plan works as before (%s)", vn_error());
		vn_queue_reset(q);
	}
	vn_queue_destroy(q);
	tap_ok(!vn_plan_destroy(plan), "destroyed");
	vn_mem_free(dev, &a);
	vn_mem_free(dev, &b);
	vn_mem_free(dev, &c);
	vn_mem_free(dev, &t);
}

/*
 * A ring of barriers: in every step each chip takes what its neighbour made in
 * the step before, whichever program happens to run first. Any wait that is
 * left out, in the first or in a later launch, gives another number.
 */
static void test_barriers(vn_device_t dev)
{
	enum { P = 6, STEPS = 5 };
	struct vn_mem m[P];
	uint16_t chips[P];
	unsigned int wrong = 0, launches = quick() ? 10 : 200;
	vn_queue_t q = queue(dev, 0, 8);
	vn_builder_t b;
	vn_plan_t plan;

	for (uint32_t i = 0; i < P; i++) {
		m[i] = take(dev, i, 4096);
		chips[i] = (uint16_t)i;
	}
	NEED(vn_builder_create(dev, 0, &b));
	for (uint32_t step = 0; step < STEPS; step++) {
		NEED(vn_build_barrier(b, chips, P));
		for (uint32_t i = 0; i < P; i++)
			vn_prep_copy(vn_build(b, i), vn_at(&m[i], 8 * (step + 1)),
				     vn_at(&m[(i + 1) % P], 8 * step), 8);
	}
	NEED(vn_builder_finish(b, &plan));
	vn_builder_destroy(b);
	for (unsigned int n = 0; n < launches && !wrong; n++) {
		for (uint32_t i = 0; i < P; i++)
			*(uint64_t *)m[i].ptr = n * P + i;
		wrong += vn_launch(q, plan, 0, n) || vn_complete(q, LONG);
		for (uint32_t i = 0; i < P; i++)
			wrong += ((uint64_t *)m[i].ptr)[STEPS] != n * P + (i + STEPS) % P;
	}
	tap_ok(!wrong, "%d barriers over %d chips, %u launches (%u wrong)", STEPS, P, launches,
	       wrong);
	vn_plan_destroy(plan);
	vn_queue_destroy(q);
	for (uint32_t i = 0; i < P; i++)
		vn_mem_free(dev, &m[i]);
}

static void test_refused(vn_device_t dev)
{
	struct vn_mem m = take(dev, 0, 4096);
	struct vn_chip_query before, after;
	uint16_t chips[3] = { 0, 1, 0 };
	struct vn_operand o[2];
	vn_builder_t b;
	vn_plan_t plan = NULL;
	char want[40];
	struct vn_query info;

	vn_device_query(dev, &info);
	vn_chip_query(dev, 0, &before);
	tap_ok(vn_builder_create(dev, VN_OPERANDS_MAX + 1, &b) == -EINVAL,
	       "too many parameters: %s", vn_error());
	NEED(vn_builder_create(dev, 1, &b));
	tap_ok(vn_builder_finish(b, &plan) == -EINVAL && !plan, "an empty plan: %s", vn_error());
	vn_builder_destroy(b);
	for (unsigned int bad = 0; bad < 5; bad++) {
		NEED(vn_builder_create(dev, 1, &b));
		vn_build_barrier(b, chips, 2);
		for (unsigned int i = 0; i < 5; i++) {
			struct vn_desc *d = vn_build(b, 0);

			vn_prep_fill(d, vn_at(&m, 0), 8, 0, i == bad ? 3 : 1);
		}
		snprintf(want, sizeof(want), "descriptor %u", 2 + bad);
		tap_ok(vn_builder_finish(b, &plan) == -EINVAL && strstr(vn_error(), want) && !plan,
		       "%s", vn_error());
		vn_builder_destroy(b);
	}
	vn_chip_query(dev, 0, &after);
	tap_ok(after.hbm_used == before.hbm_used, "a refused plan leaves no memory behind");
	NEED(vn_builder_create(dev, 1, &b));
	tap_ok(!vn_build(b, info.chips) && vn_builder_finish(b, &plan) == -ENODEV,
	       "no such chip: %s", vn_error());
	vn_builder_destroy(b);
	NEED(vn_builder_create(dev, 1, &b));
	o[0] = o[1] = vn_param(1, 0);
	tap_ok(vn_build_operands(b, o, 2) == 0 && vn_build_operands(b, o, 1) == 2,
	       "operands are numbered");
	vn_prep_reduce(vn_build(b, 0), 0, 1, 1, 1, VN_INT32, VN_SUM);
	tap_ok(vn_builder_finish(b, &plan) == -EINVAL, "a parameter the plan does not have: %s",
	       vn_error());
	vn_builder_destroy(b);
	NEED(vn_builder_create(dev, 0, &b));
	o[0] = o[1] = vn_at(&m, 0);
	tap_ok(vn_build_all_reduce(b, chips, 0, o, o, 1, VN_INT32, VN_SUM) == -EINVAL,
	       "over no chips: %s", vn_error());
	tap_ok(vn_build_all_reduce(b, chips, 3, o, o, 1, VN_INT32, VN_SUM) == -EINVAL,
	       "a chip twice: %s", vn_error());
	tap_ok(vn_build_all_reduce(b, chips, 2, o, o, 1ull << 40, VN_INT32, VN_SUM) == -EINVAL,
	       "too much: %s", vn_error());
	tap_ok(vn_build_broadcast(b, chips, 2, 2, o[0], o, 64) == -EINVAL, "no such root: %s",
	       vn_error());
	vn_builder_destroy(b);
	vn_builder_destroy(NULL);
	vn_mem_free(dev, &m);
}

/* A launch that waits for a semaphore nobody writes. */
static void test_stuck(vn_device_t dev)
{
	struct vn_mem m = take(dev, 2, 4096);
	vn_queue_t q = queue(dev, 2, 8), p = queue(dev, 2, 8);
	vn_builder_t b;
	vn_plan_t plan;
	struct vn_cqe e;

	NEED(vn_builder_create(dev, 0, &b));
	vn_prep_sem_wait(vn_build(b, 2), vn_at(&m, 0), 1);
	vn_prep_fill(vn_build(b, 3), vn_at(&m, 64), 64, 1, 1);
	NEED(vn_builder_finish(b, &plan));
	vn_builder_destroy(b);
	NEED(vn_launch(q, plan, 0, 1));
	tap_ok(vn_wait(q, 1, SECOND / 50) == -ETIMEDOUT, "a launch waits");
	tap_ok(vn_plan_destroy(plan) == -EBUSY, "its plan can't be destroyed: %s", vn_error());
	NEED(vn_launch(p, plan, 0, 2));
	vn_wait(p, 1, LONG);
	tap_ok(vn_reap(p, &e, 1) == 1 && e.status == VN_BUSY_PLAN, "nor launched on another queue");
	tap_ok(!vn_queue_reset(q), "a reset ends it");
	vn_queue_reset(p);
	NEED(vn_launch(p, plan, 0, 3));
	tap_ok(vn_wait(p, 1, SECOND / 50) == -ETIMEDOUT, "then the other queue may launch it");
	vn_sem_signal(p, m.ptr, 1);
	tap_ok(!vn_wait(p, 1, LONG) && vn_reap(p, &e, 1) == 1 && !e.status && e.user_data == 3,
	       "and it ends when the CPU signals");
	*(uint64_t *)m.ptr = 0;
	NEED(vn_launch(q, plan, 0, 4));
	vn_submit(q);
	sleep_ms(5);
	tap_ok(!vn_queue_destroy(q), "the queue destroyed under a launch");
	tap_ok(!vn_plan_destroy(plan), "the plan is free again");
	vn_queue_destroy(p);
	vn_mem_free(dev, &m);
}

/* The other thread is who runs it: the completion may be here before that is done with it. */
static void test_over(vn_device_t dev)
{
	struct vn_mem a = take(dev, 0, 65536), b = take(dev, 1, 65536);
	unsigned int rounds = quick() ? 300 : 20000, busy = 0, bad = 0;
	int got;
	vn_queue_t q = queue(dev, 0, 8);
	vn_builder_t bld;
	vn_plan_t plan;
	struct vn_cqe e;

	for (unsigned int i = 0; i < rounds && !busy && !bad; i++) {
		uint64_t end = now_ns() + LONG;

		NEED(vn_builder_create(dev, 0, &bld));
		vn_prep_copy(vn_build(bld, 0), vn_at(&b, 0), vn_at(&a, 0), 64);
		NEED(vn_builder_finish(bld, &plan));
		vn_builder_destroy(bld);
		NEED(vn_launch(q, plan, 0, i));
		NEED(vn_submit(q));
		while (!(got = vn_reap(q, &e, 1)) && now_ns() < end)
			__builtin_ia32_pause();
		bad += got != 1 || e.status || e.user_data != i;
		busy += vn_plan_destroy(plan) != 0;
	}
	tap_ok(!busy && !bad, "%u launches that are over let go of their plans (%u busy)", rounds,
	       busy);
	vn_queue_destroy(q);
	vn_mem_free(dev, &a);
	vn_mem_free(dev, &b);
}

/* A plan that was destroyed, named by a raw descriptor. */
static void test_gone(vn_device_t dev)
{
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_desc d = { .opcode = VN_OP_LAUNCH };
	unsigned int wrong = 0;
	struct vn_cqe e;

	for (uint32_t n = 0; n < 32; n++) {
		d.launch.plan = n < 8 ? n : 1u << n;
		wrong += run(q, &d, &e) != VN_BAD_PLAN || e.detail != AT(launch.plan);
	}
	tap_ok(!wrong, "no plan there, whatever the number (%u wrong)", wrong);
	vn_queue_destroy(q);
}

int main(void)
{
	vn_device_t dev = device(), fresh = device();

	test_params(dev);
	test_barriers(dev);
	test_refused(dev);
	test_stuck(dev);
	test_over(dev);
	vn_close(dev);
	test_gone(fresh);
	vn_close(fresh);
	return tap_done();
}
