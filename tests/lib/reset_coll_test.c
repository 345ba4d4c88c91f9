// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A chip is reset under collectives that the device does. Each rank of a communicator that the
 * chip is one of comes back with an error, none waits for its time to run out or has a wrong
 * sum; then a new one works. One on other chips goes on meanwhile, and sees nothing of it.
 */
#include <pthread.h>

#include <vneuron/coll.h>

#include "crew.h"
#include "faults.h"

#define CHIP 0u
/* What ranks sum up, each in HBM of its chip, so that the device does it. */
#define WORDS 4096u
/* Rank 0 adds so much when it is enough: all stop after the same sum. */
#define ENOUGH 1000000

static bool enough; /* atomic */

static int sum_once(struct rank *me)
{
	int32_t *word = me->arg, ranks = me->crew->ranks, last = 0, sum = ranks * (ranks + 1) / 2;
	int err;

	for (uint32_t i = 0; i < WORDS; i++)
		word[i] = me->number + 1;
	if (!me->number && __atomic_load_n(&enough, __ATOMIC_ACQUIRE))
		word[0] += ENOUGH;
	err = vn_all_reduce(word, word, WORDS, VN_INT32, VN_SUM, me->comm, NULL)
		      ?: vn_comm_sync(me->comm, LONG);
	if (err)
		return err;
	if (word[0] > ENOUGH)
		last = ENOUGH;
	for (uint32_t i = 0; i < WORDS; i++)
		if (word[i] != sum + (i ? 0 : last))
			return -EBADMSG;
	return last ? -ECANCELED : 0;
}

/* Again and again, until something fails or it is enough. */
static int sum_on(struct rank *me)
{
	int err;

	do
		err = sum_once(me);
	while (!err);
	return err == -ECANCELED ? 0 : err;
}

/* Ranks on so many chips from there. */
static void sums_make(struct crew *c, uint32_t first, uint32_t ranks, struct vn_mem *m)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;

	config.timeout_ns = LONG;
	config.way = VN_WAY_PLAN;
	crew_make_from(c, dev, (int)first, (int)ranks, BY_THREADS, &config);
	for (uint32_t r = 0; r < ranks; r++) {
		m[r] = take(dev, first + r, WORDS * 4);
		c->rank[r].arg = m[r].ptr;
	}
}

static void sums_end(struct crew *c, struct vn_mem *m, bool abort)
{
	for (int r = 0; abort && r < c->ranks; r++) {
		vn_comm_abort(c->rank[r].comm);
		c->rank[r].comm = NULL;
	}
	crew_end(c);
	for (int r = 0; r < c->ranks; r++)
		NEED(vn_mem_free(dev, &m[r]));
}

static void *elsewhere(void *arg)
{
	return (void *)(uintptr_t)crew_do(arg, sum_on);
}

static void *keep_resetting(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_ACQUIRE)) {
		sleep_ms(5);
		NEED(vn_chip_reset(dev, CHIP));
	}
	return NULL;
}

static void test_reset(void)
{
	unsigned int rounds = quick() ? 3 : 10, unsaid = 0, wrong = 0;
	static struct crew with, without;
	struct vn_mem m[VN_MAX_CHIPS], far_m[VN_MAX_CHIPS];
	pthread_t other, resetter;
	uint64_t began = now_ns();
	void *bad;

	sums_make(&without, 2 * per_sled, 2 * per_sled, far_m);
	pthread_create(&other, NULL, elsewhere, &without);
	for (unsigned int i = 0; i < rounds; i++) {
		bool ended = false;

		sums_make(&with, CHIP, 2 * per_sled, m);
		wrong += crew_do(&with, sum_once);
		pthread_create(&resetter, NULL, keep_resetting, &ended);
		crew_run(&with, sum_on);
		__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
		pthread_join(resetter, NULL);
		for (int r = 0; r < with.ranks; r++) {
			unsaid += !with.rank[r].err;
			wrong += with.rank[r].err == -EBADMSG;
		}
		sums_end(&with, m, true);
	}
	tap_ok(!unsaid && now_ns() - began < LONG,
	       "%u times collectives met a reset: all %d ranks come back and say so: %s", rounds,
	       with.ranks, with.rank[0].text);
	tap_ok(!wrong, "no sum is wrong, and a new communicator works");
	__atomic_store_n(&enough, true, __ATOMIC_RELEASE);
	pthread_join(other, &bad);
	sums_end(&without, far_m, false);
	tap_ok(!bad, "ranks on other chips saw nothing of it");
}

int main(void)
{
	open_machine();
	test_reset();
	vn_close(dev);
	return tap_done();
}
