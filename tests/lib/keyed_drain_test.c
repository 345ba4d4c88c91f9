// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a sled may be drained, and come back, under operations by key on its memory:
 * atomics are done once each and add up, by descriptors and the CPU together; a word is
 * signalled only after all bytes; each immediate arrives once, in order; accumulations and
 * lists leave what they would without a drain. Their queues are on the sled, and elsewhere.
 */
#include <pthread.h>

#include <vneuron/sled.h>

#include "fixture.h"

/* Where things are in the window on chip 0, the sled's. */
enum {
	WORD = 0, /* what all atomics are on */
	LOCK = 64,
	SIGNAL = 128,
	OLD = 192, /* a word for each thread */
	VECTOR = 4096, /* of 512 s64 */
	LISTED = 8192, /* 8 KiB */
	TOLD = 16384, /* 256 pairs of words, in turn: more than can be on their way */
	BLOCK = 65536, /* what is signalled */
	BLOCK_BYTES = 1 << 18,
	BYTES = BLOCK + BLOCK_BYTES,
};

static vn_device_t dev, peer;
static struct vn_mem mem;
static uint32_t key, elsewhere, stop;
static vn_queue_t receiver;

struct worker {
	pthread_t thread;
	void (*turn)(struct worker *w);
	uint32_t chip, number;
	vn_queue_t q;
	struct vn_mem own;
	uint64_t rounds, sum;
	unsigned int wrong;
};

static uint64_t *word_at(uint64_t off)
{
	return (uint64_t *)((char *)mem.ptr + off);
}

static void do_one(struct worker *w, const struct vn_desc *d, struct vn_cqe *e)
{
	int status = run(w->q, d, e);

	if (status && !w->wrong++)
		tap_diag("worker %u: status %d in round %llu", w->number, status,
			 (unsigned long long)w->rounds);
}

static void add(struct worker *w)
{
	uint64_t *old = word_at(OLD + 8 * w->number);
	struct vn_desc d = { 0 };
	struct vn_cqe e;
	uint64_t was;

	switch (w->rounds % 3) {
	case 0:
		vn_prep_fetch_add(&d, vn_by_key(0, key, WORD), 3);
		d.atomic.old = vn_by_key(0, key, OLD + 8 * w->number);
		do_one(w, &d, &e);
		w->wrong += vn_atomic_load(dev, old) != e.result;
		w->sum += 3;
		break;
	case 1:
		was = vn_atomic_load(dev, word_at(WORD));
		vn_prep_cmp_swap(&d, vn_by_key(0, key, WORD), was, was + 5);
		do_one(w, &d, &e);
		w->sum += e.result == was ? 5 : 0;
		break;
	default:
		/* A lock: who finds 0 there has it. */
		vn_prep_swap(&d, vn_by_key(0, key, LOCK), 1);
		do_one(w, &d, &e);
		if (e.result)
			break;
		was = *(volatile uint64_t *)word_at(LOCK + 8);
		vn_mem_begin(dev, word_at(LOCK + 8), 8);
		*(volatile uint64_t *)word_at(LOCK + 8) = was + 1;
		vn_mem_end(dev);
		w->sum += 1ull << 40;
		vn_prep_swap(&d, vn_by_key(0, key, LOCK), 0);
		do_one(w, &d, &e);
		w->wrong += e.result != 1;
	}
}

static void add_by_cpu(struct worker *w)
{
	uint64_t was;

	if (w->rounds & 1) {
		vn_atomic_fetch_add(dev, word_at(WORD), 7);
		w->sum += 7;
	} else {
		was = vn_atomic_load(dev, word_at(WORD));
		w->sum += vn_atomic_cmp_swap(dev, word_at(WORD), was, was + 11) == was ? 11 : 0;
	}
	usleep(50);
}

/* It alone writes there, so that all can be looked at after each. */
static void write_all(struct worker *w)
{
	struct vn_segment *s = (struct vn_segment *)((char *)w->own.ptr + BLOCK_BYTES);
	uint64_t *own = w->own.ptr, n = w->rounds + 1;
	struct vn_desc d = { 0 };
	struct vn_cqe e;

	for (unsigned int i = 0; i < BLOCK_BYTES / 8; i++)
		own[i] = n;
	vn_prep_write_signal(&d, vn_by_key(0, key, BLOCK), vn_at(&w->own, 0), BLOCK_BYTES, SIGNAL,
			     1);
	do_one(w, &d, &e);
	w->wrong += vn_atomic_load(dev, word_at(SIGNAL)) != n;
	for (unsigned int i = 0; i < BLOCK_BYTES / 8; i += 37)
		w->wrong += word_at(BLOCK)[i] != n;

	for (unsigned int i = 0; i < 512; i++)
		own[i] = i;
	d = (struct vn_desc){ 0 };
	vn_prep_accumulate(&d, vn_by_key(0, key, VECTOR), vn_at(&w->own, 0), 4096, VN_INT64,
			   VN_SUM);
	do_one(w, &d, &e);
	w->wrong += word_at(VECTOR)[511] != 511 * n || word_at(VECTOR)[3] != 3 * n;

	/* 4 pieces of 2 KiB each, backwards, out of the window and into it. */
	for (unsigned int i = 0; i < 4; i++) {
		s[i] = (struct vn_segment){ vn_by_key(0, key, BLOCK + (3 - i) * 2048), 2048, 0 };
		s[4 + i] = (struct vn_segment){ vn_by_key(0, key, LISTED + i * 2048), 2048, 0 };
	}
	d = (struct vn_desc){ 0 };
	vn_prep_copy_list(&d, w->own.addr + BLOCK_BYTES, 4, 4, 8192);
	do_one(w, &d, &e);
	for (unsigned int i = 0; i < 1024; i += 13)
		w->wrong += word_at(LISTED)[i] != n;
}

static void tell(struct worker *w)
{
	struct vn_desc d = { 0 };
	struct vn_cqe e;

	((uint64_t *)w->own.ptr)[0] = w->rounds;
	((uint64_t *)w->own.ptr)[1] = ~w->rounds;
	vn_prep_write_imm(&d, vn_by_key(0, key, TOLD + w->rounds % 256 * 16), vn_at(&w->own, 0), 16,
			  (uint32_t)w->rounds);
	do_one(w, &d, &e);
}

/* Till a while after the last one. */
static void be_told(struct worker *w)
{
	const uint64_t *seen;
	struct vn_cqe e;

	if (vn_wait(receiver, 1, SECOND / 50))
		return;
	while (vn_reap(receiver, &e, 1) == 1) {
		seen = word_at(TOLD + w->sum % 256 * 16);
		w->wrong += e.detail != (uint32_t)w->sum || e.status || e.bytes != 16 ||
			    seen[0] != w->sum || seen[1] != ~w->sum;
		w->sum++;
	}
}

static struct worker worker[] = {
	{ .turn = add, .chip = 0 }, { .turn = add },  { .turn = add_by_cpu },
	{ .turn = write_all },	    { .turn = tell }, { .turn = be_told },
};

enum { TELLS = 4, TOLD_BY = 5 };

static void *work(void *arg)
{
	struct worker *w = arg;

	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) < (w->turn == be_told ? 2 : 1)) {
		w->turn(w);
		__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void begin(void)
{
	for (uint32_t i = 0; i < COUNT(worker); i++) {
		struct worker *w = &worker[i];

		w->number = i;
		w->chip = i ? elsewhere : 0;
		w->own = take(peer, w->chip, BLOCK_BYTES + 4096);
		w->q = queue(peer, w->chip, 8);
		pthread_create(&w->thread, NULL, work, w);
	}
}

static bool all_have_begun(void)
{
	bool all = true;

	for (uint32_t i = 0; i < COUNT(worker); i++)
		all &= __atomic_load_n(&worker[i].rounds, __ATOMIC_RELAXED) > 5;
	return all;
}

static void test_drains(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t drains = quick() ? 3 : 8, n = 0, sled;
	uint64_t sum = 0, locked = 0;
	struct vn_chip_query q;

	/* A slow machine copies slowly. */
	c.budget_ns = VN_BUDGET_MAX;
	begin();
	/* Till all have had a CPU in them. */
	for (; n < drains || (n < 100 && !all_have_begun()); n++) {
		NEED(vn_chip_query(dev, 0, &q));
		sled = q.sled;
		NEED(vn_sled_drain(dev, sled, &c, NULL));
		NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < TOLD_BY; i++)
		pthread_join(worker[i].thread, NULL);
	__atomic_store_n(&stop, 2, __ATOMIC_RELEASE);
	pthread_join(worker[TOLD_BY].thread, NULL);
	while (worker[TOLD_BY].sum < worker[TELLS].rounds && !vn_wait(receiver, 1, LONG))
		be_told(&worker[TOLD_BY]);
	for (uint32_t i = 0; i < 3; i++) {
		sum += worker[i].sum & ((1ull << 40) - 1);
		locked += worker[i].sum >> 40;
	}
	tap_ok(!worker[0].wrong && !worker[1].wrong && !worker[2].wrong && *word_at(WORD) == sum &&
		       *word_at(LOCK + 8) == locked && sum && locked,
	       "%u drains: atomics add up to %llu, and let one in at a time, %llu times (%u, %u wrong)",
	       n, (unsigned long long)sum, (unsigned long long)locked, worker[0].wrong,
	       worker[1].wrong);
	tap_ok(!worker[3].wrong && worker[3].rounds,
	       "%llu blocks signalled, sums and lists (%u wrong)",
	       (unsigned long long)worker[3].rounds, worker[3].wrong);
	tap_ok(!worker[TELLS].wrong && !worker[TOLD_BY].wrong &&
		       worker[TOLD_BY].sum == worker[TELLS].rounds && worker[TELLS].rounds,
	       "%llu immediates, each once (%u, %u wrong)",
	       (unsigned long long)worker[TELLS].rounds, worker[TELLS].wrong,
	       worker[TOLD_BY].wrong);
}

int main(void)
{
	struct vn_window_options o = { 0 };
	struct vn_query q;
	int fd;

	/* One with a spare. */
	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	NEED(vn_device_query(dev, &q));
	elsewhere = 2 * q.chips_per_sled;
	fd = vn_domain_export(dev);
	NEED(fd);
	NEED(vn_reopen(dev, &peer));
	NEED(vn_domain_join(peer, fd));
	close(fd);
	mem = take(dev, 0, BYTES);
	receiver = queue(dev, 1, 64);
	o.queue = receiver;
	NEED(vn_window_open(dev, &mem, 0, BYTES, FULL_ACCESS, &o, &key));
	test_drains();
	vn_close(peer);
	vn_close(dev);
	return tap_done();
}
