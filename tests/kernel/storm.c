// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A signal to each thread, a thousand times a second, while they wait for queues, map and
 * end windows, run collectives and drain a sled: all results are right, no call fails for
 * it. Handlers restart calls in the first half, and interrupt them in the second.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <vneuron/coll.h>
#include <vneuron/sled.h>

#include "../lib/crew.h"

#define RANKS 4
#define WORDS 1024u

enum { WAITS, WINDOWS, DRAINS, OTHERS };

static struct thread {
	pthread_t id;
	const char *what;
	uint64_t rounds, signals; /* atomic */
	unsigned int wrong;
	int err;
} thread[OTHERS + RANKS];

static __thread struct thread *me;
static bool stop; /* atomic */
static vn_device_t dev;
static struct crew crew;

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void hit(int sig)
{
	(void)sig;
	if (me)
		__atomic_add_fetch(&me->signals, 1, __ATOMIC_RELAXED);
}

static void went(int err, bool right)
{
	if (err && !me->err)
		me->err = err;
	me->wrong += err || !right;
	__atomic_add_fetch(&me->rounds, 1, __ATOMIC_RELAXED);
}

/* One queue waits for what the other one signals. */
static void *waits(void *arg)
{
	vn_queue_t q = queue(dev, 8, 8), other = queue(dev, 12, 8);
	struct vn_mem sem = take(dev, 8, 4096), to = take(dev, 12, 65536);
	uint32_t key;

	me = arg;
	NEED(vn_window_create(dev, &sem, 0, 4096, FULL_ACCESS, &key));
	for (uint64_t i = 1; !stopped(); i++) {
		uint64_t *word = to.ptr;
		int err;

		vn_prep_sem_wait(vn_next(q), vn_at(&sem, 0), i);
		vn_submit(q);
		vn_prep_fill(vn_next(other), vn_at(&to, 0), 65536, i, 8);
		vn_prep_sem_signal(vn_next(other), vn_by_key(8, key, 0), 1);
		err = vn_complete(other, LONG) ?: vn_complete(q, LONG);
		went(err, word[0] == i && word[8191] == i);
	}
	vn_queue_destroy(q);
	vn_queue_destroy(other);
	NEED(vn_window_invalidate(dev, 8, key));
	NEED(vn_mem_free(dev, &sem) ?: vn_mem_free(dev, &to));
	return NULL;
}

static void *windows(void *arg)
{
	struct vn_mem m = take(dev, 16, 65536);
	struct vn_import imp;
	uint32_t key;

	me = arg;
	for (uint64_t i = 1; !stopped(); i++) {
		uint64_t *own = m.ptr;
		bool right = false;
		int err = vn_window_create(dev, &m, 0, m.bytes, FULL_ACCESS, &key);

		if (!err) {
			err = vn_window_map(dev, 16, key,
					    VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE, &imp);
			if (!err) {
				((volatile uint64_t *)imp.ptr)[512] = i;
				right = own[512] == i;
				err = vn_window_unmap(dev, &imp);
			}
			err = vn_window_invalidate(dev, 16, key) ?: err;
		}
		went(err, right);
	}
	NEED(vn_mem_free(dev, &m));
	return NULL;
}

static uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

/* Of the ranks' own sled. */
static void *drains(void *arg)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	me = arg;
	c.budget_ns = VN_BUDGET_MAX;
	while (!stopped()) {
		uint32_t sled = sled_of(0);
		int err = vn_sled_drain(dev, sled, &c, NULL);

		went(err ?: vn_sled_undrain(dev, sled, NULL, NULL), true);
	}
	return NULL;
}

/* Sums, and who wants to stop: all hear of it in the same round. */
static void *ranks(void *arg)
{
	static float in[RANKS][WORDS], out[RANKS][WORDS];
	int r;

	me = arg;
	r = (int)(me - &thread[OTHERS]);
	for (float want = 0; !want;) {
		vn_comm_t comm = crew.rank[r].comm;
		bool right = true;
		int err;

		for (uint32_t i = 0; i < WORDS; i++)
			in[r][i] = (float)((uint64_t)r + me->rounds + i);
		in[r][0] = stopped();
		err = vn_all_reduce(in[r], out[r], WORDS, VN_FLOAT32, VN_SUM, comm, NULL)
			      ?: vn_comm_sync(comm, LONG);
		for (uint32_t i = 1; i < WORDS; i++)
			right &= out[r][i] == 4.0f * (float)(me->rounds + i) + 6;
		want = err ? 1 : out[r][0];
		went(err, right);
	}
	return NULL;
}

/*
 * So many for each; if the machine does not come to that, for as long. How many. Ahead of
 * those whom it hits: they leave it no CPU.
 */
static uint64_t storm(uint64_t times, uint64_t seconds)
{
	struct sched_param first = { .sched_priority = 1 }, none = { 0 };
	uint64_t end = now_ns() + seconds * SECOND, n = 0;
	struct timespec beat = { 0, 1000000 };

	sched_setscheduler(0, SCHED_FIFO, &first);
	for (; n < times && now_ns() < end; n++) {
		for (unsigned int i = 0; i < COUNT(thread); i++)
			pthread_kill(thread[i].id, SIGALRM);
		nanosleep(&beat, NULL);
	}
	sched_setscheduler(0, SCHED_OTHER, &none);
	return n;
}

/* A stretch of it, with handlers of that kind. */
static void test(int flags, const char *what)
{
	static void *(*const fn[OTHERS])(void *) = { waits, windows, drains };
	static const char *const names[] = { "waits", "windows", "drains", "collectives" };
	struct sigaction sa = { .sa_handler = hit, .sa_flags = flags };
	uint64_t sent;

	stop = false;
	memset(thread, 0, sizeof(thread));
	sigaction(SIGALRM, &sa, NULL);
	crew_make(&crew, dev, RANKS, BY_THREADS, NULL);
	for (unsigned int i = 0; i < COUNT(thread); i++) {
		thread[i].what = names[i < OTHERS ? i : OTHERS];
		if (pthread_create(&thread[i].id, NULL, i < OTHERS ? fn[i] : ranks, &thread[i]))
			NEED(-EAGAIN);
	}
	sent = storm(quick() ? 800 : 20000, quick() ? 4 : 100);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	/* It goes on till they are done. */
	sent += storm(100, 1);
	for (unsigned int i = 0; i < COUNT(thread); i++)
		pthread_join(thread[i].id, NULL);
	for (unsigned int i = 0; i <= OTHERS; i++) {
		const struct thread *t = &thread[i];

		tap_ok(t->rounds && t->signals && !t->wrong,
		       "%s, %s: %llu rounds, %llu signals of %llu sent%s%s", what, t->what,
		       (unsigned long long)t->rounds, (unsigned long long)t->signals,
		       (unsigned long long)sent, t->err ? ", " : "",
		       t->err ? strerrorname_np(-t->err) : "");
	}
	for (unsigned int i = OTHERS + 1; i < COUNT(thread); i++)
		if (thread[i].wrong)
			tap_ok(0, "%s, rank %u", what, i - OTHERS);
	crew_end(&crew);
}

/* On all chips. */
static struct vn_chip_query used(void)
{
	struct vn_chip_query q, all = { .size = sizeof(all) };
	struct vn_query n;

	NEED(vn_device_query(dev, &n));
	for (uint32_t chip = 0; chip < n.chips; chip++) {
		NEED(vn_chip_query(dev, chip, &q));
		all.hbm_used += q.hbm_used;
		all.queues += q.queues;
		all.windows += q.windows;
	}
	return all;
}

int main(void)
{
	struct vn_chip_query was, is;

	dev = device();
	was = used();
	for (uint32_t chip = 0; chip <= 16; chip += 4)
		NEED(vn_attach(dev, chip));
	test(SA_RESTART, "restarted");
	test(0, "interrupted");
	is = used();
	tap_ok(!memcmp(&was, &is, sizeof(is)),
	       "nothing is left of it: %llu bytes, %u queues, %u windows",
	       (unsigned long long)(is.hbm_used - was.hbm_used), is.queues - was.queues,
	       is.windows - was.windows);
	vn_close(dev);
	return tap_done();
}
