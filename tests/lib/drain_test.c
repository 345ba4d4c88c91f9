// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A sled is taken out of service while programs go on: descriptors, plans and keys,
 * collectives by every way, the CPU. Afterwards every byte is what a shadow of it says;
 * addresses, keys, queues and pointers are what they were, the chips are elsewhere, one
 * epoch on, and what is taken of HBM has not changed. What can't be done is refused, with
 * what is short, and leaves all as it was.
 */
#include <vneuron/coll.h>
#include <vneuron/sled.h>

#include "fixture.h"

static vn_device_t dev, other; /* other: has nothing on what is drained */
#include "writers.h"

static uint32_t per_sled;

static uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static uint32_t epoch(void)
{
	struct vn_query q;

	NEED(vn_device_query(dev, &q));
	return q.epoch;
}

static uint64_t used(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.hbm_used;
}

static uint32_t state(uint32_t sled)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(dev, sled, &q));
	return q.state;
}

static uint64_t fence_waits(vn_device_t d)
{
	struct vn_query q;

	NEED(vn_device_query(d, &q));
	return q.fence_waits;
}

/* ---- draining ----------------------------------------------------------------------- */

/* What calling it off came to, when its chips had moved. */
static int too_late;

/* Writers get some time between two rounds. */
static int give_time(void *arg, const struct vn_drain_report *r)
{
	const uint32_t *sled = arg;

	if (r->last.state == VN_SLED_PRECOPY)
		sleep_ms(3);
	if (r->last.state == VN_SLED_COMMITTED)
		too_late = vn_sled_cancel(dev, *sled, r->operation);
	return 0;
}

static int drain(uint32_t sled, struct vn_drain_report *r)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	c.reason = "fan";
	c.progress = give_time;
	c.arg = &sled;
	/* Emulated, or among many others, a machine may copy a few MiB a second. */
	c.budget_ns = in_kernel(dev) || quick() ? 2000000000 : 10000000;
	return vn_sled_drain(dev, sled, &c, r);
}

static void test_drain(void)
{
	uint32_t sled = sled_of(0), before = epoch(), spare, moved = 0, bystander = 2 * per_sled;
	struct vn_drain_report r;
	struct vn_sled_query q;
	struct vn_mem own;
	uint64_t taken[3], addr;
	uint32_t key, elsewhere = sled_of(bystander);
	void *ptr;
	int err;

	writers_begin_with(other, 2 * per_sled);
	own = take(dev, 0, 3 * 4096);
	NEED(vn_window_create(dev, &own, 4096, 4096, FULL_ACCESS, &key));
	ptr = own.ptr;
	addr = own.addr;
	vn_mem_begin(dev, ptr, 4096);
	memset(ptr, 0x5c, 4096);
	vn_mem_end(dev);
	for (uint32_t c = 0; c < 3; c++)
		taken[c] = used(c);
	writers_go_on(50);
	err = drain(sled, &r);
	tap_ok(!err, "drained under writers: %s", err ? vn_error() : "");
	tap_ok(too_late == -EALREADY, "once its chips have moved it can't be called off");
	tap_diag("%llu bytes, %llu copied in %u rounds, %llu in a pause of %llu us, %llu waits",
		 (unsigned long long)r.last.total_bytes, (unsigned long long)r.last.copied_bytes,
		 r.last.rounds, (unsigned long long)r.last.stop_bytes,
		 (unsigned long long)r.last.pause_ns / 1000, (unsigned long long)r.last.waits);
	writers_go_on(50);
	for (uint32_t c = 0; c < per_sled; c++)
		moved += sled_of(c) != sled;
	spare = sled_of(0);
	tap_ok(moved == per_sled && sled_of(bystander) == elsewhere,
	       "its chips are on sled %u, others where they were", spare);
	tap_ok(epoch() == before + 1, "one epoch on");
	tap_ok(state(sled) == VN_SLED_DRAINED && state(spare) == VN_SLED_IN_SERVICE,
	       "the sled is drained");
	NEED(vn_sled_query(dev, sled, &q));
	tap_ok(!q.chips && !q.hbm_used && q.operation == r.operation &&
		       !strcmp((char *)q.reason, "fan"),
	       "and says why");
	tap_ok(used(0) == taken[0] && used(1) == taken[1] && used(2) == taken[2],
	       "what is taken has not changed");
	tap_ok(own.ptr == ptr && own.addr == addr && *(unsigned char *)ptr == 0x5c &&
		       !vn_window_invalidate(dev, 0, key),
	       "pointer, address and key are what they were");
	tap_ok(!writers_end(), "every byte is what was written");
	NEED(vn_mem_free(dev, &own));
	tap_ok(drain(sled, NULL) == -EINVAL && strstr(vn_error(), "drained"),
	       "it can't be drained again: %s", vn_error());
	{
		struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

		c.operation = r.operation;
		tap_ok(!vn_sled_drain(dev, sled, &c, NULL),
		       "by the same operation it is done already");
	}
}

/* To and fro, under writers all the time. */
static void test_often(void)
{
	unsigned int rounds = quick() ? 4 : 30, n = 0;
	uint64_t longest = 0, stop_bytes = 0, waits = fence_waits(dev), met = 0;
	struct vn_drain_report r;
	uint32_t sled;
	int err = 0;

	writers_begin_with(other, 2 * per_sled);
	for (; n < rounds && !err; n++) {
		writers_go_on(5);
		sled = sled_of(n % 2);
		err = drain(sled, &r) ?: vn_sled_undrain(dev, sled, NULL, NULL);
		longest = r.last.pause_ns > longest ? r.last.pause_ns : longest;
		stop_bytes += r.last.stop_bytes;
		met += r.last.waits;
	}
	if (err)
		tap_diag("%s", vn_error());
	tap_ok(!err, "%u drains under writers, the longest pause %llu us, %llu bytes in pauses", n,
	       (unsigned long long)longest / 1000, (unsigned long long)stop_bytes);
	tap_ok(!writers_end(), "every byte is what was written");
	waits = fence_waits(dev) - waits;
	tap_ok(waits >= met && !fence_waits(other),
	       "who has memory there met a fence %llu times, who has none never",
	       (unsigned long long)waits);
}

static void test_refused(void)
{
	uint32_t sled = sled_of(per_sled), last = (uint32_t)vn_sled_count(dev);
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_drain_open plan;
	struct vn_sled_query q;
	char want[80];

	snprintf(want, sizeof(want), "its %u chips want as many slots, 0 are free: %u short",
		 per_sled, per_sled);
	tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -ENOSPC && strstr(vn_error(), want),
	       "no room: %s", vn_error());
	tap_ok(!vn_sled_plan(dev, sled, VN_ANY_SLED, &plan) && plan.chips == per_sled &&
		       !plan.free_slots && plan.fd == -1,
	       "a plan says so too");
	tap_ok(state(sled) == VN_SLED_IN_SERVICE, "and nothing has changed");
	tap_ok(vn_sled_drain(dev, last, &c, NULL) == -ENODEV && strstr(vn_error(), "no sled"), "%s",
	       vn_error());
	c.to = last;
	tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -ENODEV, "nor to one: %s", vn_error());
	c.to = VN_ANY_SLED;
	c.reason = "a reason that is longer than what others would want to read of it in a row";
	tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -EINVAL && strstr(vn_error(), "reason"), "%s",
	       vn_error());
	c.reason = "fan\n";
	tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -EINVAL && strstr(vn_error(), "control"), "%s",
	       vn_error());
	c.reason = NULL;
	c.budget_ns = VN_BUDGET_MAX + 1;
	tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -EINVAL && strstr(vn_error(), "budget"), "%s",
	       vn_error());
	tap_ok(vn_sled_query(dev, last, &q) == -ENODEV && strstr(vn_error(), "no sled"), "%s",
	       vn_error());
}

/* Where its chips are to go can't be drained meanwhile: they would be on a drained sled. */
static int drain_target(void *arg, const struct vn_drain_report *r)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t *target = arg;

	c.reason = "too";
	if (r->last.state == VN_SLED_PRECOPY && r->last.rounds == 1)
		*target = vn_sled_drain(dev, *target, &c, NULL) == -EBUSY &&
					  strstr(vn_error(), "on their way")
				  ? VN_ANY_SLED
				  : *target;
	return 0;
}

static void test_target(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t sled = sled_of(0), spare = 0, target;
	struct vn_sled_query q;

	do
		NEED(vn_sled_query(dev, spare++, &q));
	while (q.chips);
	target = --spare;
	c.to = spare;
	c.budget_ns = 2000000000;
	c.progress = drain_target;
	c.arg = &target;
	NEED(vn_sled_drain(dev, sled, &c, NULL));
	tap_ok(target == VN_ANY_SLED && sled_of(0) == spare && state(spare) == VN_SLED_IN_SERVICE,
	       "the sled that its chips go to can't be drained meanwhile");
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
}

/* ---- called off ------------------------------------------------------------------------ */

static int call_off(void *arg, const struct vn_drain_report *r)
{
	uint32_t *at = arg;

	return r->last.state == *at ? -ECANCELED : 0;
}

static void test_cancel(void)
{
	static uint32_t when[] = { VN_SLED_CORDONED, VN_SLED_PRECOPY };
	uint32_t sled = sled_of(0), before = epoch();

	writers_begin_with(other, 2 * per_sled);
	for (uint32_t i = 0; i < COUNT(when); i++) {
		struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
		uint64_t taken = used(0);

		c.progress = call_off;
		c.arg = &when[i];
		tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -ECANCELED &&
			       state(sled) == VN_SLED_IN_SERVICE && epoch() == before &&
			       sled_of(0) == sled && used(0) == taken,
		       "called off in %s: all as it was", vn_sled_state_name(when[i]));
		writers_go_on(20);
	}
	tap_ok(!writers_end(), "and every byte, too");
}

/* ---- a pause that gets too long -------------------------------------------------------- */

static bool holding;

static void *hold(void *arg)
{
	struct vn_mem *m = arg;

	vn_mem_begin(dev, m->ptr, 8);
	__atomic_store_n(&holding, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&holding, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	vn_mem_end(dev);
	return NULL;
}

static void test_too_long(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t sled = sled_of(0), before = epoch();
	struct vn_mem m = take(dev, 0, 1 << 20);
	pthread_t thread;
	int err;

	writers_begin_with(other, 2 * per_sled);
	c.budget_ns = 1;
	c.deadline_ns = 200000000;
	err = vn_sled_drain(dev, sled, &c, NULL);
	/* On a busy machine a writer may be in the middle of it for so long that he is named. */
	tap_ok((err == -ETIMEDOUT || (err == -EBUSY && strstr(vn_error(), "holds HBM"))) &&
		       state(sled) == VN_SLED_IN_SERVICE && epoch() == before,
	       "a budget that can't be: %s", vn_error());
	tap_ok(!writers_end(), "and every byte is there");
	if (!in_kernel(dev)) {
		pthread_create(&thread, NULL, hold, &m);
		while (!__atomic_load_n(&holding, __ATOMIC_ACQUIRE))
			sleep_ms(1);
		c.budget_ns = 0;
		err = vn_sled_drain(dev, sled, &c, NULL);
		__atomic_store_n(&holding, false, __ATOMIC_RELEASE);
		tap_ok(err == -EBUSY && strstr(vn_error(), "holds HBM") &&
			       state(sled) == VN_SLED_IN_SERVICE,
		       "a thread that does not let go: %s", vn_error());
		pthread_join(thread, NULL);
	}
	NEED(vn_mem_free(dev, &m));
}

/* ---- written faster than it is copied ------------------------------------------------- */

#define HARD_BYTES (16ull << 20)

static struct vn_mem hard;

/* A word of every page, again and again, as fast as it can. */
static void *write_hard(void *arg)
{
	uint64_t round = 0;

	(void)arg;
	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); round++)
		for (uint64_t at = 0; at < HARD_BYTES; at += 4096) {
			uint64_t *p = (uint64_t *)((char *)hard.ptr + at);

			vn_mem_begin(dev, p, 8);
			*p = round;
			vn_mem_end(dev);
			if (__atomic_load_n(&stop, __ATOMIC_RELAXED))
				break;
		}
	return NULL;
}

/* Till rests have begun; then it is called off. */
static int until_slow(void *arg, const struct vn_drain_report *r)
{
	uint32_t *slow_us = arg;

	*slow_us = r->last.slow_us;
	return *slow_us ? -ECANCELED : 0;
}

/* No pause is short enough: pre-copy goes on till it gets no further, however fast this machine. */
static void test_slowed(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t slow_us = 0;
	int err = 0;

	c.budget_ns = 1;
	c.progress = until_slow;
	c.arg = &slow_us;
	/* On a busy machine the thread may have had no time to write during all of a drain. */
	for (int i = 0; i < 20 && !err; i++) {
		uint32_t sled = sled_of(0);

		err = vn_sled_drain(dev, sled, &c, NULL) ?: vn_sled_undrain(dev, sled, NULL, NULL);
	}
	tap_ok(err == -ECANCELED && slow_us, "who writes too fast rests (%u us): %s", slow_us,
	       err ? vn_error() : "");
}

static void test_hard(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_drain_report r = { 0 };
	pthread_t thread;
	uint32_t sled;
	bool fits;
	int err;

	hard = take(dev, 0, HARD_BYTES);
	stop = false;
	pthread_create(&thread, NULL, write_hard, NULL);
	sleep_ms(50);
	test_slowed();
	c.budget_ns = in_kernel(dev) ? 20000000 : 2000000;
	sled = sled_of(0);
	err = vn_sled_drain(dev, sled, &c, &r) ?: vn_sled_undrain(dev, sled, NULL, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	/* All of it at once, where that takes no longer. */
	fits = !err && HARD_BYTES * 1e9 / (double)r.last.rate <= (double)c.budget_ns;
	tap_ok(!err && (fits || r.last.stop_bytes < HARD_BYTES),
	       "and is copied within the budget: %u rounds, %llu bytes in a pause of %llu us: %s",
	       r.last.rounds, (unsigned long long)r.last.stop_bytes,
	       (unsigned long long)r.last.pause_ns / 1000, err ? vn_error() : "");
	NEED(vn_mem_free(dev, &hard));
}

/* By who does not drain: the first who is asked for, and another one. */
static int off_by_other(void *arg, const struct vn_drain_report *r)
{
	uint32_t *at = arg, sled = sled_of(0);

	if (r->last.state != *at)
		return 0;
	*at = vn_sled_cancel(dev, sled, r->operation + 1) == -ESTALE &&
	      strstr(vn_error(), "another operation") && !vn_sled_cancel(dev, sled, 0) &&
	      !vn_sled_cancel(dev, sled, r->operation);
	return 0;
}

static void test_off_by_other(void)
{
	static const uint32_t when[] = { VN_SLED_CORDONED, VN_SLED_PRECOPY };
	uint32_t sled = sled_of(0), before = epoch(), last = (uint32_t)vn_sled_count(dev);

	tap_ok(vn_sled_cancel(dev, last, 0) == -ENODEV && strstr(vn_error(), "no sled"), "%s",
	       vn_error());
	tap_ok(vn_sled_cancel(dev, sled, 0) == -ENOENT && strstr(vn_error(), "nothing is draining"),
	       "%s", vn_error());
	writers_begin_with(other, 2 * per_sled);
	for (uint32_t i = 0; i < COUNT(when); i++) {
		struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
		uint64_t taken = used(0);
		uint32_t at = when[i];
		int err;

		c.progress = off_by_other;
		c.arg = &at;
		err = vn_sled_drain(dev, sled, &c, NULL);
		tap_ok(err == -ECANCELED && at == 1 && strstr(vn_error(), "called off by somebody"),
		       "in %s: %s", vn_sled_state_name(when[i]), vn_error());
		tap_ok(state(sled) == VN_SLED_IN_SERVICE && epoch() == before &&
			       sled_of(0) == sled && used(0) == taken,
		       "all as it was");
		writers_go_on(20);
	}
	tap_ok(!writers_end(), "and every byte, too");
}

/* Calls it off after a while, at whatever it is. */
static struct race {
	uint32_t sled, us;
	int err;
	bool stop;
} race;

static void *race_on(void *arg)
{
	uint64_t end;

	(void)arg;
	do
		race.err = vn_sled_cancel(dev, race.sled, 1);
	while (race.err == -ENOENT && !__atomic_load_n(&race.stop, __ATOMIC_RELAXED));
	end = now_ns() + race.us * 1000ull;
	while (now_ns() < end && !__atomic_load_n(&race.stop, __ATOMIC_RELAXED))
		;
	race.err = vn_sled_cancel(dev, race.sled, 0);
	return NULL;
}

/* Called off, or too late: what who calls it off is told is what happens. */
static void test_off_any_time(void)
{
	unsigned int rounds = quick() ? 6 : 60, off = 0, done = 0, odd = 0;
	struct vn_drain_report r;
	uint32_t most_us, sled;

	writers_begin_with(other, 2 * per_sled);
	writers_go_on(5);
	/* How long one takes. */
	sled = sled_of(0);
	odd = drain(sled, &r) || vn_sled_undrain(dev, sled, NULL, NULL);
	most_us = (uint32_t)(r.took_ns / 1000) + 1;
	for (unsigned int i = 0; i < rounds; i++) {
		pthread_t thread;
		int err;

		sled = sled_of(0);
		race = (struct race){ .sled = sled, .us = (uint32_t)(rnd() % most_us) };
		writers_go_on(5);
		pthread_create(&thread, NULL, race_on, NULL);
		err = drain(sled, NULL);
		__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		off += err == -ECANCELED;
		done += !err;
		odd += (err && err != -ECANCELED) || (!race.err != !!err);
		if (!err)
			odd += vn_sled_undrain(dev, sled, NULL, NULL) != 0;
		else
			odd += sled_of(0) != sled || state(sled) != VN_SLED_IN_SERVICE;
	}
	tap_ok(!odd, "at any time: %u called off, %u too late, %u odd", off, done, odd);
	tap_ok(!writers_end(), "and every byte is there");
}

/* ---- coming back ----------------------------------------------------------------------- */

static void test_back(uint32_t sled)
{
	uint32_t spare = sled_of(0);
	struct vn_drain_report r;

	tap_ok(vn_sled_undrain(dev, spare, NULL, NULL) == -EALREADY, "%s", vn_error());
	tap_ok(!vn_sled_undrain(dev, sled, NULL, &r) && state(sled) == VN_SLED_IN_SERVICE &&
		       sled_of(0) == spare,
	       "the sled passes and is back; chips stay where they are");
	tap_ok(!drain(spare, &r) && sled_of(0) == sled && state(spare) == VN_SLED_DRAINED,
	       "so the other one can be drained");
	tap_ok(!vn_sled_undrain(dev, spare, NULL, NULL), "and come back");
}

/* ---- collectives -------------------------------------------------------------------------- */

#define RANKS 4u
#define COUNT_MAX 40000u

static struct rank {
	pthread_t thread;
	vn_comm_t comm;
	struct vn_mem send, recv;
	uint64_t ops, wrong;
	bool ended; /* atomic */
	int err;
} rank[RANKS];

static vn_unique_id id;

/* Sums of small whole numbers: exact, whatever the order. */
static uint64_t reduce_once(struct rank *me, uint32_t r, uint64_t round)
{
	size_t n = 1 + (round * 7919) % (round % 3 ? COUNT_MAX : 200);
	int32_t *in = me->send.ptr, *out = me->recv.ptr;
	uint64_t wrong = 0;

	vn_mem_begin(dev, in, n * sizeof(*in));
	for (size_t i = 0; i < n; i++)
		in[i] = (int32_t)(i + round * 3 + r);
	vn_mem_end(dev);
	me->err = vn_all_reduce(in, out, n, VN_INT32, VN_SUM, me->comm, NULL)
			  ?: vn_comm_sync(me->comm, LONG);
	for (size_t i = 0; !me->err && i < n; i++)
		wrong += out[i] != (int32_t)(RANKS * (i + round * 3) + RANKS * (RANKS - 1) / 2);
	return wrong;
}

/* The same number of rounds on all: rank 0 says when it is the last. */
static uint64_t last_round;

static void *reduce_on(void *arg)
{
	struct rank *me = arg;
	uint32_t r = (uint32_t)(me - rank);
	struct vn_config config = VN_CONFIG_INITIALIZER;
	uint64_t round = 0;

	config.dev = dev;
	config.chip = (int)r;
	config.timeout_ns = LONG;
	me->err = vn_comm_init_rank_config(&me->comm, RANKS, id, (int)r, &config);
	for (; !me->err && round < __atomic_load_n(&last_round, __ATOMIC_ACQUIRE); round++) {
		if (!r && __atomic_load_n(&stop, __ATOMIC_RELAXED) && last_round == UINT64_MAX)
			/* None is more than the communicator's slots ahead. */
			__atomic_store_n(&last_round, round + 200, __ATOMIC_RELEASE);
		me->wrong += reduce_once(me, r, round);
		__atomic_store_n(&me->ops, round + 1, __ATOMIC_RELAXED);
	}
	if (me->err)
		tap_diag("rank %u, round %llu: %d (%s)", r, (unsigned long long)round, me->err,
			 vn_error());
	if (me->comm)
		vn_comm_destroy(me->comm);
	__atomic_store_n(&me->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static void await_ops(uint64_t more)
{
	uint64_t want = __atomic_load_n(&rank[0].ops, __ATOMIC_RELAXED) + more;

	while (__atomic_load_n(&rank[0].ops, __ATOMIC_RELAXED) < want &&
	       !__atomic_load_n(&rank[0].ended, __ATOMIC_ACQUIRE))
		sleep_ms(1);
}

static void test_collectives(const char *way)
{
	unsigned int rounds = quick() ? 2 : 8, drained = 0;
	uint64_t wrong = 0, ops = 0;
	struct vn_drain_report r;
	int err = 0;

	if (way)
		setenv("VNEURON_COLL_WAY", way, 1);
	else
		unsetenv("VNEURON_COLL_WAY");
	NEED(vn_get_unique_id(&id));
	stop = false;
	last_round = UINT64_MAX;
	for (uint32_t i = 0; i < RANKS; i++) {
		rank[i] = (struct rank){ .send = take(dev, i, COUNT_MAX * 4),
					 .recv = take(dev, i, COUNT_MAX * 4) };
		pthread_create(&rank[i].thread, NULL, reduce_on, &rank[i]);
	}
	for (uint32_t i = 0; i < rounds && !err; i++) {
		uint32_t sled = sled_of(i % RANKS);

		await_ops(20);
		err = drain(sled, &r);
		drained += !err;
		await_ops(20);
		err = err ?: vn_sled_undrain(dev, sled, NULL, NULL);
	}
	if (err)
		tap_diag("%s", vn_error());
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < RANKS; i++) {
		pthread_join(rank[i].thread, NULL);
		wrong += rank[i].wrong + (rank[i].err != 0);
		ops += rank[i].ops;
		NEED(vn_mem_free(dev, &rank[i].send));
		NEED(vn_mem_free(dev, &rank[i].recv));
	}
	tap_ok(!err && !wrong && drained == rounds,
	       "%llu all-reduces (%s) under %u drains: %llu wrong", (unsigned long long)ops,
	       way ?: "any way", drained, (unsigned long long)wrong);
	unsetenv("VNEURON_COLL_WAY");
}

int main(void)
{
	struct vn_query q;
	uint32_t sled;
	int err;

	/* One with a spare. */
	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	NEED(vn_reopen(dev, &other));
	NEED(vn_device_query(dev, &q));
	per_sled = q.chips_per_sled;
	err = vn_sled_count(dev) - (int)q.sleds;
	tap_ok(err == (int)q.spares && q.spares >= 1, "%u sleds and %u spare", q.sleds, q.spares);
	test_cancel();
	test_off_by_other();
	test_target();
	sled = sled_of(0);
	test_drain();
	test_refused();
	test_back(sled);
	test_often();
	test_too_long();
	test_hard();
	test_off_any_time();
	test_collectives(NULL);
	test_collectives("pull");
	test_collectives("share");
	test_collectives("plan");
	tap_ok(fence_waits(dev) && !fence_waits(other), "%llu times in all, and never",
	       (unsigned long long)fence_waits(dev));
	vn_close(other);
	vn_close(dev);
	return tap_done();
}
