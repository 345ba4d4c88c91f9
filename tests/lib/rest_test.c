// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who writes to a sled that is being drained faster than it can be copied rests, and nobody
 * else does: with as many such writers as there are cores, each of them at rest most of the
 * time, a bystander gets about as much done as beside them at full speed, or without them. That
 * holds for threads that wait for what they have submitted, and for queues that nobody waits for,
 * which workers run.
 */
#include <pthread.h>

#include <vneuron/sled.h>

#include "fixture.h"

#define MEM_BYTES (8ull << 20)
#define WRITERS_MAX 64u
/* How long completions are counted at least, until how many, and how long at most. */
#define WATCH_MS 400u
#define WATCH_LEAST 20u
#define WATCH_MOST_MS 20000u
/* Rests that are long: then all rest at once, nearly all the time. */
#define LONG_US 5000u

static vn_device_t dev;
static uint32_t writers;

/* Fills its memory again and again. */
static struct writer {
	pthread_t thread;
	uint32_t chip;
	bool waits; /* for each one; else it looks now and then */
	bool stop; /* atomic */
	uint64_t bytes;
	struct vn_mem mem;
	vn_queue_t q;
	uint64_t done; /* atomic */
	int err;
} writer[WRITERS_MAX], bystander;

static int fill_once(struct writer *w)
{
	const struct timespec moment = { 0, 20000 };
	struct vn_desc d = { 0 };
	struct vn_cqe cqe;
	int err;

	vn_prep_fill(&d, vn_at(&w->mem, 0), w->bytes, w->done, 8);
	if (w->waits)
		return run(w->q, &d, NULL);
	*vn_next(w->q) = d;
	err = vn_submit(w->q);
	while (!err && !vn_reap(w->q, &cqe, 1)) {
		if (__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
			return vn_wait(w->q, 1, LONG);
		nanosleep(&moment, NULL);
	}
	return err ?: (int)cqe.status;
}

static void *fill_on(void *arg)
{
	struct writer *w = arg;

	while (!w->err && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		w->err = fill_once(w);
		__atomic_store_n(&w->done, w->done + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void begin(struct writer *w, uint32_t chip, uint64_t bytes, bool waits)
{
	*w = (struct writer){ .chip = chip, .waits = waits, .bytes = bytes };
	w->mem = take(dev, chip, bytes);
	w->q = queue(dev, chip, 8);
	pthread_create(&w->thread, NULL, fill_on, w);
}

static int end(struct writer *w)
{
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	pthread_join(w->thread, NULL);
	vn_queue_destroy(w->q);
	NEED(vn_mem_free(dev, &w->mem));
	return w->err;
}

/* What the bystander takes for each, in ns; NEVER: it completed nothing. */
#define NEVER (WATCH_MOST_MS * 1000000ull)

static uint64_t watch(void)
{
	uint64_t before = __atomic_load_n(&bystander.done, __ATOMIC_RELAXED), n = 0;
	uint64_t began = now_ns(), ns = 0;

	while (ns < WATCH_MS * 1000000ull || (n < WATCH_LEAST && ns < NEVER)) {
		sleep_ms(WATCH_MS / 8);
		n = __atomic_load_n(&bystander.done, __ATOMIC_RELAXED) - before;
		ns = now_ns() - began;
	}
	return n ? ns / n : NEVER;
}

struct seen {
	uint32_t slow_us;
	uint64_t ns; /* for each of the bystander's */
};

/* Holds the drain where it is, once rests are long; then it has been long enough. */
static int when_slow(void *arg, const struct vn_drain_report *r)
{
	struct seen *s = arg;
	uint64_t again;

	s->slow_us = r->last.slow_us;
	if (s->slow_us < LONG_US)
		return 0;
	sleep_ms(100);
	/* Twice: the machine may be busy with something else. */
	s->ns = watch();
	again = watch();
	if (again < s->ns)
		s->ns = again;
	return -ECANCELED;
}

static void test_rests(bool waits)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	const char *who = waits ? "who waits" : "who does not wait";
	struct seen seen = { 0 };
	struct vn_chip_query at;
	struct vn_query q;
	uint64_t busy, alone, most;
	int err, bad = 0;

	NEED(vn_device_query(dev, &q));
	NEED(vn_chip_query(dev, 0, &at));
	begin(&bystander, q.chips_per_sled, 4096, waits);
	for (uint32_t i = 0; i < writers; i++)
		begin(&writer[i], 0, MEM_BYTES, waits);
	sleep_ms(100);
	busy = watch();
	c.budget_ns = 1;
	c.deadline_ns = LONG;
	c.progress = when_slow;
	c.arg = &seen;
	err = vn_sled_drain(dev, at.sled, &c, NULL);
	for (uint32_t i = 0; i < writers; i++)
		bad += end(&writer[i]) != 0;
	alone = watch();
	bad += end(&bystander) != 0;
	tap_ok(err == -ECANCELED && seen.slow_us >= LONG_US, "%s: %u writers rest for %u us", who,
	       writers, seen.slow_us);
	/*
	 * Writers at rest leave processors idle, as if there were none, and a worker that has
	 * slept takes longer to come: the slower of the two is what to compare with.
	 */
	most = busy > alone ? busy : alone;
	tap_ok(most < NEVER && seen.ns <= (waits ? most + most / 3 : 2 * most),
	       "%s: a bystander takes %llu ns for each meanwhile, %llu while they don't, and %llu alone",
	       who, (unsigned long long)seen.ns, (unsigned long long)busy,
	       (unsigned long long)alone);
	tap_ok(!bad, "%s: nothing fails", who);
}

int main(void)
{
	struct vn_query q;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	/* One with a spare. */
	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=1G", 1);
	dev = device();
	NEED(vn_device_query(dev, &q));
	writers = cores < 2 ? 2 : cores > WRITERS_MAX ? WRITERS_MAX : (uint32_t)cores;
	/* As many as the chip has room for. */
	if (writers > q.hbm_bytes / MEM_BYTES)
		writers = (uint32_t)(q.hbm_bytes / MEM_BYTES);
	tap_ok(q.spares >= 1 && q.sleds >= 2, "%u sleds and %u spare", q.sleds, q.spares);
	test_rests(true);
	test_rests(false);
	vn_close(dev);
	return tap_done();
}
