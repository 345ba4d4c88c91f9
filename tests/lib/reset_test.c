// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A chip is reset under load. All that runs there stops with VN_CHIP_RESET, and launches
 * with a program there; keys on it are stale; HBM, mappings and everybody else are as they
 * were, and the owners go on. Again and again, under writers, waiters, launches
 * and a drain of the chip's sled: who is on other chips sees no error and no
 * wrong byte.
 */
#include <pthread.h>

#include "faults.h"
#include "home.h"

#define CHIP 0u

static uint32_t far; /* a chip of another sled */

static int stop_flag;

static bool stopped(void)
{
	return __atomic_load_n(&stop_flag, __ATOMIC_ACQUIRE);
}

static int reset_chip(void)
{
	return vn_chip_reset(dev, CHIP);
}

/* Is it in ERROR because of that? Then it works again. */
static bool was_reset(vn_queue_t q)
{
	const struct vn_ring *r = vn_queue_ring(q);
	bool yes = __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) == VN_QUEUE_ERROR &&
		   r->error_status == VN_CHIP_RESET;

	return yes && !vn_queue_reset(q);
}

/* ---- what it does ---------------------------------------------------------------------- */

static void test_idle(void)
{
	uint32_t resets = vn_chip_resets(dev, CHIP), others = vn_chip_resets(dev, 1);
	vn_queue_t q = queue(dev, CHIP, 8), other = queue(dev, far, 8);
	struct vn_mem m = take(dev, CHIP, BYTES);

	tap_ok(!reset_chip() && vn_chip_resets(dev, CHIP) == resets + 1 &&
		       vn_chip_resets(dev, 1) == others,
	       "a reset is counted, of that chip");
	tap_ok(vn_wait(q, 1, LONG) == -EIO && was_reset(q), "an idle queue is in ERROR: %s",
	       vn_error());
	tap_ok(vn_wait(other, 1, 0) == -ETIMEDOUT && !was_reset(other), "one elsewhere is not");
	tap_ok(!run_fill(q, at(&m, 0), BYTES, 0x42, 1) && *(uint8_t *)m.ptr == 0x42,
	       "reset by its owner it works");
	NEED(reset_chip());
	tap_ok(*(uint8_t *)m.ptr == 0x42 && *((uint8_t *)m.ptr + BYTES - 1) == 0x42,
	       "HBM keeps its bytes, and is mapped");
	NEED(vn_queue_reset(q));
	vn_next(q)->opcode = 0xff;
	tap_ok(!vn_wait(q, 1, LONG) && !reset_chip() &&
		       vn_queue_ring(q)->error_status == VN_BAD_OPCODE,
	       "one that was in ERROR says what it said before");
	vn_queue_destroy(q);
	vn_queue_destroy(other);
	NEED(vn_mem_free(dev, &m));
	tap_ok(vn_chip_reset(dev, 4096) == -ENODEV && strstr(vn_error(), "there are chips 0 to"),
	       "no such chip: %s", vn_error());
}

static void test_keys(void)
{
	struct vn_mem m = take(dev, CHIP, BYTES), there = take(dev, far, BYTES);
	uint32_t key = window(&m), keep = window(&there), anew;
	vn_queue_t q = queue(dev, far, 8);
	struct vn_chip_query before, after;
	struct vn_import imp;
	vn_device_t peer;
	int domain;

	NEED(vn_chip_query(dev, CHIP, &before));
	memset(m.ptr, 0x33, BYTES);
	domain = vn_domain_export(dev);
	NEED(vn_reopen(dev, &peer) ?: vn_domain_join(peer, domain));
	close(domain);
	NEED(vn_window_map(peer, CHIP, key, VN_ACCESS_REMOTE_READ, &imp));
	NEED(reset_chip());
	NEED(vn_chip_query(dev, CHIP, &after));
	tap_ok(after.windows == before.windows - 1, "no window is left on it");
	tap_ok(run_copy(q, at(&there, 0), at(&m, key), BYTES) == VN_STALE_KEY, "its key is stale");
	tap_ok(!run_copy(q, at(&there, keep), at(&there, 0), 64), "one elsewhere is not");
	tap_ok(vn_window_invalidate(dev, CHIP, key) == -ESTALE, "nor is there anything to end: %s",
	       vn_error());
	tap_ok(*(volatile uint8_t *)imp.ptr == 0x33, "whoever has it mapped has it");
	anew = window(&m);
	tap_ok(anew != key && !run_copy(q, at(&there, 0), at(&m, anew), BYTES) &&
		       !memcmp(there.ptr, m.ptr, BYTES),
	       "a new window works");
	NEED(vn_window_invalidate(dev, CHIP, anew));
	NEED(vn_window_invalidate(dev, far, keep));
	NEED(vn_window_unmap(peer, &imp));
	vn_close(peer);
	vn_queue_destroy(q);
	tap_ok(!vn_mem_free(dev, &m) && !vn_mem_free(dev, &there), "memory can be freed");
}

/* The key that communicators have of an allocation is made once, and anew after a reset. */
static void test_cached(void)
{
	struct vn_mem m = take(dev, CHIP, BYTES), there = take(dev, far, BYTES);
	vn_queue_t q = queue(dev, far, 8);
	uint32_t key[3];

	NEED(vn_mem_key(dev, &m, &key[0]));
	NEED(reset_chip());
	NEED(vn_mem_key(dev, &m, &key[1]) ?: vn_mem_key(dev, &m, &key[2]));
	tap_ok(key[1] != key[0] && key[2] == key[1] &&
		       !run_copy(q, at(&there, 0), at(&m, key[1]), BYTES),
	       "nor is it handed out any more");
	vn_queue_destroy(q);
	NEED(vn_mem_free(dev, &m));
	NEED(vn_mem_free(dev, &there));
}

/* ---- who waits --------------------------------------------------------------------------- */

static void *wait_for(void *arg)
{
	static __thread int err;

	err = vn_complete(arg, LONG);
	return (void *)(intptr_t)err;
}

static void test_waiters(void)
{
	struct vn_mem m = take(dev, CHIP, BYTES), there = take(dev, far, BYTES);
	vn_queue_t q[3] = { queue(dev, CHIP, 8), queue(dev, far, 8), queue(dev, far, 8) };
	const uint32_t chips[3][2] = { { CHIP, CHIP }, { far, CHIP }, { far, 1 } };
	uint64_t began = now_ns();
	vn_plan_t plan[3];
	pthread_t t[3];
	void *err[3];

	for (int i = 0; i < 3; i++) {
		vn_builder_t b;

		NEED(vn_builder_create(dev, 0, &b));
		for (int k = 0; k < 2; k++)
			vn_prep_sem_wait(vn_build(b, chips[i][k]),
					 i < 2 ? vn_at(&m, 0) : vn_at(&there, 0), 1);
		NEED(vn_builder_finish(b, &plan[i]));
		vn_builder_destroy(b);
		if (i)
			NEED(vn_launch(q[i], plan[i], 0, 0));
		else
			vn_prep_sem_wait(vn_next(q[i]), vn_at(&m, 0), 1);
		pthread_create(&t[i], NULL, wait_for, q[i]);
	}
	sleep_ms(20);
	NEED(reset_chip());
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &err[i]);
	tap_ok((intptr_t)err[0] == -EIO && was_reset(q[0]) && now_ns() - began < LONG,
	       "who waits there waits no longer");
	tap_ok((intptr_t)err[1] == -EIO && was_reset(q[1]),
	       "nor who launched a plan with a program there");
	NEED(vn_sem_signal(q[0], there.ptr, 1));
	pthread_join(t[2], &err[2]);
	tap_ok(!err[2], "a launch with none there goes on to its end");
	for (int i = 0; i < 3; i++) {
		NEED(vn_plan_destroy(plan[i]));
		vn_queue_destroy(q[i]);
	}
	NEED(vn_mem_free(dev, &m));
	NEED(vn_mem_free(dev, &there));
}

/* ---- under load ----------------------------------------------------------------------------- */

/* A tenant of a chip, with what happened to it. */
struct tenant {
	uint32_t chip;
	bool launches;
	pthread_t thread;
	unsigned int rounds, resets, wrong;
	char text[256];
};

static int work(struct tenant *t, vn_queue_t q, vn_plan_t plan, struct vn_mem *m, uint8_t byte)
{
	uint32_t half = BYTES / 2;

	vn_prep_fill(vn_next(q), vn_at(m, 0), half, byte, 1);
	if (t->launches && vn_launch(q, plan, 0, 0))
		return -EAGAIN;
	vn_prep_copy(vn_next(q), vn_at(m, half), vn_at(m, 0), half);
	return vn_complete(q, LONG);
}

static void *live(void *arg)
{
	struct tenant *t = arg;
	struct vn_mem m, word;
	vn_builder_t b;
	vn_device_t own;
	vn_plan_t plan;
	vn_queue_t q;
	uint64_t n;
	int err;

	NEED(vn_reopen(dev, &own));
	NEED(vn_mem_alloc(own, t->chip, BYTES, &m) ?: vn_mem_alloc(own, t->chip, 64, &word));
	NEED(vn_queue_create(own, t->chip, 64, -1, &q) ?: vn_builder_create(own, 0, &b));
	for (int i = 0; i < 8; i++)
		vn_prep_sem_signal(vn_build(b, t->chip), vn_at(&word, 0), 1);
	NEED(vn_builder_finish(b, &plan));
	while (!stopped() || !t->rounds) {
		uint8_t byte = (uint8_t)(1 + t->rounds % 255);
		struct vn_cqe cqe[8];

		err = work(t, q, plan, &m, byte);
		while (vn_reap(q, cqe, 8) > 0)
			;
		if (err && was_reset(q)) {
			t->resets++;
			continue;
		}
		if (err && !t->wrong)
			snprintf(t->text, sizeof(t->text), "%s", vn_error());
		t->wrong += err != 0;
		for (uint32_t i = 0; i < BYTES && !t->wrong; i++)
			t->wrong += ((uint8_t *)m.ptr)[i] != byte;
		t->rounds++;
		if (err)
			break;
	}
	n = *(uint64_t *)word.ptr;
	t->wrong += n % 8 && !t->resets;
	vn_builder_destroy(b);
	vn_close(own);
	return NULL;
}

/* Its sled leaves and comes back, meanwhile. */
static void *keep_draining(void *arg)
{
	unsigned int *drains = arg;

	while (!stopped()) {
		uint32_t sled = sled_of(CHIP);
		struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

		c.budget_ns = 10 * SECOND;
		if (vn_sled_drain(dev, sled, &c, NULL) || vn_sled_undrain(dev, sled, NULL, NULL)) {
			tap_diag("%s", vn_error());
			return NULL;
		}
		++*drains;
	}
	return NULL;
}

static void test_load(bool drain)
{
	struct tenant t[] = { { .chip = CHIP, .launches = true },
			      { .chip = CHIP },
			      { .chip = far, .launches = true },
			      { .chip = 1 } };
	uint64_t end = now_ns() + (quick() ? 1 : 2) * SECOND;
	unsigned int resets = 0, drains = 0, wrong = 0;
	pthread_t drainer;

	stop_flag = 0;
	for (unsigned int i = 0; i < COUNT(t); i++)
		pthread_create(&t[i].thread, NULL, live, &t[i]);
	if (drain)
		pthread_create(&drainer, NULL, keep_draining, &drains);
	while (now_ns() < end || resets < 20) {
		wrong += reset_chip() != 0;
		resets++;
		sleep_ms(3);
	}
	__atomic_store_n(&stop_flag, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < COUNT(t); i++)
		pthread_join(t[i].thread, NULL);
	if (drain)
		pthread_join(drainer, NULL);
	tap_ok(!wrong && t[0].resets && t[1].resets && !t[0].wrong && !t[1].wrong,
	       "%u resets%s: tenants met %u and %u of them and went on, %u and %u rounds, %u wrong",
	       resets, drain ? " under drains" : "", t[0].resets, t[1].resets, t[0].rounds,
	       t[1].rounds, t[0].wrong + t[1].wrong);
	tap_ok(!t[2].wrong && !t[3].wrong && !t[2].resets && !t[3].resets,
	       "others, %u and %u rounds, saw nothing of them, %u wrong %s", t[2].rounds,
	       t[3].rounds, t[2].wrong + t[3].wrong, t[2].wrong ? t[2].text : t[3].text);
	if (drain)
		tap_ok(drains > 0, "its sled was drained %u times meanwhile", drains);
}

int main(void)
{
	open_machine();
	far = 2 * per_sled;
	test_idle();
	test_keys();
	test_cached();
	test_waiters();
	test_load(false);
	test_load(true);
	vn_close(dev);
	return tap_done();
}
