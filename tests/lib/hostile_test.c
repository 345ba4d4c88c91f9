// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that whatever a program writes into its own rings, it harms nobody
 * else: another context on the same chips works on undisturbed, with the right
 * results, while rings, indexes and descriptors are scribbled over at full
 * speed; and that many threads may use one device at once.
 */
#include <pthread.h>

#include "fixture.h"

#define WORDS(bytes) ((bytes) / 8)

static struct {
	vn_device_t dev;
	vn_queue_t q;
	struct vn_mem mem;
	uint32_t key, theirs;
	int stop;
	uint64_t rounds, resets;
} bad;

/* What a descriptor is made of: things that make sense here and there. */
static uint64_t morsel(void)
{
	switch (rnd() % 12) {
	case 0:
		return 0;
	case 1:
		return bad.mem.addr;
	case 2:
		return bad.mem.addr + rnd() % (2 * bad.mem.bytes);
	case 3:
		return rnd() & 0xffff;
	case 4:
		return (uint64_t)bad.key << 32 | (rnd() & 7) << 16;
	case 5:
		return (uint64_t)bad.theirs << 32 | (rnd() & 7) << 16;
	case 6:
		return 1 + (rnd() & 3) + ((1 + (rnd() & 3)) << 16);
	case 7:
		return rnd() & 0xf;
	case 8:
		return 0xffffull << 48 | (rnd() & 3) << 40;
	case 9:
		return (rnd() & 0xff) << 32 | (rnd() & 0xff);
	case 10:
		return ~0ull;
	default:
		return rnd();
	}
}

static void *scribble(void *arg)
{
	uint64_t *ring = (uint64_t *)(uintptr_t)vn_queue_ring(bad.q);
	uint64_t *sq = (uint64_t *)((char *)ring + VN_RING_SQ_OFFSET);

	(void)arg;
	while (!__atomic_load_n(&bad.stop, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < 64; i++) {
			uint64_t *d = sq + (rnd() & 63) * 8;

			/* first word: operation, flags, type, reduction, argument */
			__atomic_store_n(d,
					 rnd() % (VN_OP_COUNT + 1) |
						 (rnd() & 7 ? 0 : rnd() & 0xffffff00) |
						 (rnd() % 13 ? 0 : (rnd() & 0xff) << 16),
					 __ATOMIC_RELAXED);
			for (int k = 2; k < 8; k++)
				__atomic_store_n(d + k, morsel(), __ATOMIC_RELAXED);
		}
		/*
		 * indexes: mostly plausible, at times anything; then any word but those of
		 * the last line, which the library reads to say what happened
		 */
		__atomic_store_n((uint32_t *)ring, (uint32_t)(rnd() & 15 ? rnd() & 127 : rnd()),
				 __ATOMIC_RELEASE);
		__atomic_store_n((uint32_t *)(ring + 24),
				 (uint32_t)(rnd() & 15 ? rnd() & 127 : rnd()), __ATOMIC_RELEASE);
		if (!(rnd() & 7))
			__atomic_store_n(ring + rnd() % WORDS(offsetof(struct vn_ring, state)),
					 morsel(), __ATOMIC_RELAXED);
		__atomic_fetch_add(&bad.rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Somebody drives the bad queue. */
static void *drive(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&bad.stop, __ATOMIC_ACQUIRE)) {
		int err = vn_wait(bad.q, 1 + (uint32_t)(rnd() & 63), 100000);

		vn_submit(bad.q);
		if (err == -EIO || !(rnd() & 15)) {
			vn_queue_reset(bad.q);
			bad.resets++;
		}
	}
	return NULL;
}

static void test_scribble(vn_device_t dev)
{
	struct vn_mem a = take(dev, 0, 65536), b = take(dev, 1, 65536);
	uint64_t end = now_ns() + (quick() ? SECOND : 4 * SECOND);
	vn_queue_t q = queue(dev, 0, 64);
	unsigned int wrong = 0, rounds = 0;
	struct vn_window_options o = { 0 };
	pthread_t t[2];

	NEED(vn_window_create(dev, &b, 0, 4096, FULL_ACCESS, &bad.theirs));
	NEED(vn_reopen(dev, &bad.dev));
	bad.mem = take(bad.dev, 0, 1 << 20);
	bad.q = queue(bad.dev, 0, 64);
	/* It may tell itself things, too. */
	o.queue = bad.q;
	NEED(vn_window_open(bad.dev, &bad.mem, 0, bad.mem.bytes, FULL_ACCESS, &o, &bad.key));
	pthread_create(&t[0], NULL, scribble, NULL);
	pthread_create(&t[1], NULL, drive, NULL);
	memset(b.ptr, 0x21, 4096);
	while ((now_ns() < end || rounds < 20) && !wrong) {
		scramble(a.ptr, 32768);
		for (unsigned int i = 0; i < 8; i++)
			vn_prep_copy(vn_next(q), vn_at(&b, 8192 + i * 4096), vn_at(&a, i * 4096),
				     4096);
		if (vn_complete(q, LONG)) {
			tap_diag("%s", vn_error());
			wrong++;
		}
		wrong += memcmp((char *)b.ptr + 8192, a.ptr, 32768) != 0;
		rounds++;
	}
	__atomic_store_n(&bad.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (unsigned int i = 0; i < 4096; i++)
		wrong += ((uint8_t *)b.ptr)[i] != 0x21;
	tap_ok(!wrong && bad.rounds && bad.resets,
	       "%u rounds undisturbed by %llu of scribbling and %llu resets", rounds,
	       (unsigned long long)bad.rounds, (unsigned long long)bad.resets);
	vn_queue_reset(bad.q);
	/* The bad one has only harmed itself: it works again. */
	tap_ok(!run_fill(bad.q, vn_at(&bad.mem, 0), 4096, 1, 1),
	       "after a reset the bad queue works, too");
	vn_close(bad.dev);
	vn_queue_destroy(q);
	vn_mem_free(dev, &a);
	tap_ok(!vn_window_invalidate(dev, 1, bad.theirs) && !vn_mem_free(dev, &b),
	       "all is given back");
}

/* ---- who guesses keys -------------------------------------------------------------------- */

#define SECRET 0x5ec2e75ec2e70000ull
#define SHOWN 4096u /* of three times that, the middle */

static bool shows_secret(const uint64_t *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (w[i] == SECRET)
			return true;
	return false;
}

/* In its domain, or in one of its own: what is found there was to be shown, or it is an error. */
static void test_guess(vn_device_t dev, bool same)
{
	struct vn_mem theirs = take(dev, 1, 3 * SHOWN), mine;
	unsigned int rounds = quick() ? 2000 : 20000, misses = 0, hits = 0, wrong = 0;
	int domain = vn_domain_export(dev);
	vn_device_t guesser;
	uint32_t key;
	vn_queue_t q;

	for (uint32_t i = 0; i < theirs.bytes / 8; i++)
		((uint64_t *)theirs.ptr)[i] = i * 8 / SHOWN == 1 ? i : SECRET;
	NEED(vn_window_create(dev, &theirs, SHOWN, SHOWN, VN_ACCESS_REMOTE_READ, &key));
	NEED(vn_reopen(dev, &guesser));
	if (same)
		NEED(vn_domain_join(guesser, domain));
	close(domain);
	mine = take(guesser, 0, 3 * SHOWN);
	q = queue(guesser, 0, 8);
	for (unsigned int i = 0; i < rounds; i++) {
		/* Names of slots and generations that may be there, sizes that may fit. */
		uint32_t name = rnd() & 1 ? key ^ (uint32_t)(rnd() & 1) << rnd() % 20
					  : (uint32_t)rnd();
		struct vn_operand at = vn_by_key(1, name, rnd() & 3 ? 0 : rnd() % (2 * SHOWN));
		bool write = !(rnd() & 7);
		int status = run_copy(q, write ? at : vn_at(&mine, 0), write ? vn_at(&mine, 0) : at,
				      rnd() & 3 ? 512 : 2 * SHOWN);

		if (status)
			misses++;
		else
			hits++;
		wrong += status < 0 || (!status && (write || !same));
		wrong += shows_secret(mine.ptr, (uint32_t)(mine.bytes / 8));
	}
	tap_ok(!wrong && misses && !hits == !same,
	       "%u guesses in %s domain: %u wrong, %u right ones, %u of more than is shown", rounds,
	       same ? "its" : "another", misses, hits, wrong);
	for (uint32_t i = 0; i < theirs.bytes / 8; i++)
		wrong += ((uint64_t *)theirs.ptr)[i] != (i * 8 / SHOWN == 1 ? i : SECRET);
	tap_ok(!wrong, "and nothing has changed");
	vn_close(guesser);
	NEED(vn_window_invalidate(dev, 1, key));
	NEED(vn_mem_free(dev, &theirs));
}

/* Random life of many contexts, each checking its own bytes. */
static struct {
	vn_device_t dev;
	unsigned int wrong[8], ops[8];
} zoo;

static void *animal(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg, *wrong = &zoo.wrong[me];
	unsigned int rounds = quick() ? 40 : 600;
	struct vn_mem m[6] = { 0 };
	vn_queue_t q[3] = { 0 };
	vn_device_t own = NULL;

	/* half of them share one context */
	for (uint64_t i = 0; i < me * 7u + 1; i++)
		rnd();
	if (me & 1)
		own = zoo.dev;
	else if (vn_reopen(zoo.dev, &own))
		return (void *)1;
	for (unsigned int i = 0; i < rounds && !*wrong; i++) {
		uint32_t k = (uint32_t)(rnd() % 6), c = (uint32_t)(rnd() % 8),
			 s = (uint32_t)(rnd() % 3);

		zoo.ops[me]++;
		if (!q[s]) {
			*wrong += vn_queue_create(own, c, 8, -1, &q[s]) != 0;
			continue;
		}
		if (!m[k].ptr) {
			*wrong += vn_mem_alloc(own, c, 4096 + (rnd() & 0xffff), &m[k]) != 0;
			if (m[k].ptr)
				*wrong += ((uint32_t *)m[k].ptr)[1023] != 0;
			continue;
		}
		switch (rnd() % 8) {
		case 0:
			*wrong += vn_mem_free(own, &m[k]) != 0;
			break;
		case 1:
			*wrong += vn_queue_destroy(q[s]) != 0;
			q[s] = NULL;
			break;
		case 2: {
			uint32_t key;

			*wrong += vn_window_create(own, &m[k], 0, 4096, FULL_ACCESS, &key) != 0;
			*wrong += run_fill(q[s], vn_by_key(m[k].chip, key, 0), 4096, me, 4) != 0;
			*wrong += vn_window_invalidate(own, m[k].chip, key) != 0;
			*wrong += run_fill(q[s], vn_by_key(m[k].chip, key, 0), 4096, 77, 4) !=
				  VN_STALE_KEY;
			*wrong += ((uint32_t *)m[k].ptr)[1000] != me;
			break;
		}
		default: {
			uint32_t from = (k + 1) % 6;

			*wrong += run_fill(q[s], vn_at(&m[k], 0), 4096, i << 3 | me, 4) != 0;
			*wrong += ((uint32_t *)m[k].ptr)[7] != (i << 3 | me);
			if (m[from].ptr) {
				*wrong += run_copy(q[s], vn_at(&m[from], 0), vn_at(&m[k], 0),
						   4096) != 0;
				*wrong += ((uint32_t *)m[from].ptr)[1023] != (i << 3 | me);
			}
		}
		}
	}
	for (int i = 0; i < 3; i++)
		*wrong += q[i] && vn_queue_destroy(q[i]);
	for (int i = 0; i < 6; i++)
		*wrong += m[i].ptr && vn_mem_free(own, &m[i]);
	if (!(me & 1))
		vn_close(own);
	return NULL;
}

static void test_zoo(vn_device_t dev)
{
	unsigned int wrong = 0, ops = 0;
	struct vn_chip_query before[8], after;
	pthread_t t[8];

	for (uint32_t c = 0; c < 8; c++)
		NEED(vn_chip_query(dev, c, &before[c]));
	zoo.dev = dev;
	for (unsigned int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, animal, (void *)(uintptr_t)i);
	for (unsigned int i = 0; i < 8; i++) {
		void *failed;

		pthread_join(t[i], &failed);
		wrong += zoo.wrong[i] + (failed != NULL);
		ops += zoo.ops[i];
	}
	tap_ok(!wrong, "eight threads on one device, %u steps (%u wrong)", ops, wrong);
	for (uint32_t c = 0; c < 8; c++) {
		NEED(vn_chip_query(dev, c, &after));
		wrong += after.hbm_used != before[c].hbm_used || after.queues != before[c].queues ||
			 after.windows != before[c].windows;
	}
	tap_ok(!wrong, "nothing is left of them");
}

int main(void)
{
	vn_device_t dev = device();

	test_scribble(dev);
	test_guess(dev, false);
	test_guess(dev, true);
	test_zoo(dev);
	vn_close(dev);
	return tap_done();
}
