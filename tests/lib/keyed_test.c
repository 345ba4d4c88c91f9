// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows operations by key on any chip of the UltraServer: lists as long as they may be, over
 * windows on all chips; words that threads hammer by descriptors of many chips and with the
 * CPU at once; and that a chip that is lost is told apart from a key that is bad.
 */
#include <pthread.h>

#include <vneuron/fault.h>

#include "fixture.h"

static vn_device_t dev, peer;
static struct vn_query query;

/* ---- lists ------------------------------------------------------------------------------- */

enum { SOURCES = 120, TARGETS = VN_SEGMENTS_MAX - SOURCES };

/* Pieces of `total` on as many chips as there are, by turns by key and in own memory. */
static void spread(struct vn_segment *s, struct vn_mem *m, uint32_t n, uint64_t total,
		   uint32_t first)
{
	uint64_t left = total, bytes;
	uint32_t key;

	for (uint32_t i = 0; i < n; i++) {
		bytes = i + 1 < n ? total / n - 512 + rnd() % 1024 : left;
		left -= bytes;
		m[i] = take(dev, (first + i) % query.chips, bytes + 128);
		NEED(vn_window_create(dev, &m[i], 0, bytes + 128, FULL_ACCESS, &key));
		s[i] = (struct vn_segment){ vn_by_key(m[i].chip, key, 64), bytes, 0 };
	}
}

static void give_back(struct vn_segment *s, struct vn_mem *m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		NEED(vn_window_invalidate(dev, m[i].chip, s[i].at.key));
		NEED(vn_mem_free(dev, &m[i]));
	}
}

/* The sum of a stream of bytes that depends on their order. */
static uint64_t digest(uint64_t sum, const uint8_t *p, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 1099511628211ull;
	return sum;
}

static void test_lists(void)
{
	/* The longest there is takes 2 GiB: when all is asked for. */
	uint64_t total = full() ? VN_BYTES_MAX : quick() ? 1 << 20 : 16 << 20;
	static struct vn_mem from[SOURCES], to[TARGETS];
	struct vn_mem t = take(peer, 5, 8192);
	struct vn_segment *s = t.ptr;
	vn_queue_t q = queue(peer, 5, 8);
	uint64_t sum = 0, got = 0, beside = 0;
	struct vn_desc d = { 0 };
	vn_builder_t b;
	vn_plan_t plan;
	struct vn_cqe e;
	int64_t at;
	int status;

	spread(s, from, SOURCES, total, 0);
	spread(s + SOURCES, to, TARGETS, total, 77);
	for (uint32_t i = 0; i < SOURCES; i++) {
		scramble(from[i].ptr, s[i].bytes + 128);
		sum = digest(sum, (uint8_t *)from[i].ptr + 64, s[i].bytes);
	}
	vn_prep_copy_list(&d, t.addr, SOURCES, TARGETS, total);
	for (int planned = 0; planned < 2; planned++) {
		for (uint32_t i = 0; i < TARGETS; i++)
			memset(to[i].ptr, 0x77, s[SOURCES + i].bytes + 128);
		if (planned) {
			NEED(vn_builder_create(peer, 0, &b));
			at = vn_build_segments(b, s, VN_SEGMENTS_MAX);
			NEED(at);
			vn_prep_copy_list(vn_build(b, 9), (uint64_t)at, SOURCES, TARGETS, total);
			NEED(vn_builder_finish(b, &plan));
			vn_builder_destroy(b);
			NEED(vn_launch(q, plan, 0, 0));
			status = vn_wait(q, 1, LONG);
			status = vn_reap(q, &e, 1) == 1 ? (int)e.status : status;
			NEED(vn_plan_destroy(plan));
		} else {
			status = run(q, &d, &e);
		}
		got = 0;
		for (uint32_t i = 0; i < TARGETS; i++) {
			const uint8_t *p = to[i].ptr;

			got = digest(got, p + 64, s[SOURCES + i].bytes);
			for (uint32_t k = 0; k < 64; k++)
				beside +=
					(p[k] != 0x77) + (p[64 + s[SOURCES + i].bytes + k] != 0x77);
		}
		tap_ok(!status && e.bytes == total && got == sum && !beside,
		       "%u segments over %u chips, %llu MiB, in a %s: the same bytes, none beside (status %d)",
		       VN_SEGMENTS_MAX, query.chips, (unsigned long long)total >> 20,
		       planned ? "plan" : "ring", status);
	}
	s[TARGETS].at.key++;
	d.list.bytes = total;
	status = run(q, &d, &e);
	tap_ok(status == VN_BAD_KEY && e.detail == TARGETS, "a bad one is named: %u", e.detail);
	s[TARGETS].at.key--;
	give_back(s, from, SOURCES);
	give_back(s + SOURCES, to, TARGETS);
	vn_queue_destroy(q);
	NEED(vn_mem_free(peer, &t));
}

/* ---- words ------------------------------------------------------------------------------- */

enum { THREADS = 4, WORDS = 3 };

static struct {
	struct vn_mem mem[WORDS];
	uint32_t key[WORDS];
	uint64_t sum[THREADS][WORDS];
	unsigned int wrong[THREADS], rounds;
} anvil;

static uint64_t *word_of(uint32_t i)
{
	return (uint64_t *)((char *)anvil.mem[i].ptr + 4088);
}

static void *strike(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;
	vn_queue_t q = queue(me & 1 ? dev : peer, me * 37 % query.chips, 64);
	struct vn_cqe e[16];
	int n;

	for (uint32_t i = 0; i < anvil.rounds; i++) {
		/* 16 at a time on one queue, and more by the CPU. */
		for (uint32_t k = 0; k < 16; k++) {
			uint32_t word = (i + k) % WORDS, m = anvil.mem[word].chip;
			struct vn_operand o = vn_by_key(m, anvil.key[word], 4088);
			struct vn_desc *d = vn_next(q);

			switch ((i + k) % 3) {
			case 0:
				vn_prep_fetch_add(d, o, 1 + me);
				break;
			case 1:
				vn_prep_sem_signal(d, o, 1 + me);
				break;
			default:
				/* Nothing is 1 more than a multiple of 2^32. */
				vn_prep_cmp_swap(d, o, 1ull << 32 | 1, 0);
			}
			d->user_data = (i + k) % 3;
			anvil.sum[me][word] += (i + k) % 3 < 2 ? 1 + me : 0;
		}
		for (uint32_t k = 0; k < 100; k++)
			vn_atomic_fetch_add(dev, word_of(i % WORDS), 100 + me);
		anvil.sum[me][i % WORDS] += 100 * (100 + me);
		anvil.wrong[me] += vn_wait(q, 16, LONG) != 0;
		n = vn_reap(q, e, 16);
		anvil.wrong[me] += n != 16;
		for (int k = 0; k < n; k++)
			anvil.wrong[me] += e[k].status || e[k].bytes != 8 ||
					   (e[k].user_data == 1 && e[k].result);
	}
	vn_queue_destroy(q);
	return NULL;
}

static void test_words(void)
{
	pthread_t thread[THREADS];
	unsigned int wrong = 0;
	uint64_t want;

	anvil.rounds = quick() ? 100 : 2000;
	for (uint32_t i = 0; i < WORDS; i++) {
		anvil.mem[i] = take(dev, i * 50 % query.chips, 4096);
		NEED(vn_window_create(dev, &anvil.mem[i], 0, 4096, FULL_ACCESS, &anvil.key[i]));
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, strike, (void *)i);
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		wrong += anvil.wrong[i];
	}
	for (uint32_t i = 0; i < WORDS; i++) {
		want = 0;
		for (uint32_t k = 0; k < THREADS; k++)
			want += anvil.sum[k][i];
		wrong += vn_atomic_load(dev, word_of(i)) != want;
	}
	tap_ok(!wrong,
	       "%d threads, %u atomics each, and as many signals, and the CPU: exact (%u wrong)",
	       THREADS, anvil.rounds * 11, wrong);
	for (uint32_t i = 0; i < WORDS; i++) {
		NEED(vn_window_invalidate(dev, anvil.mem[i].chip, anvil.key[i]));
		NEED(vn_mem_free(dev, &anvil.mem[i]));
	}
}

/* Adds one, three ways: by adding, by comparing, and with a lock that is a word. */
static void *pound(void *word)
{
	uint64_t *p = word, was;

	for (uint32_t i = 0; i < (quick() ? 20000 : 400000); i++) {
		vn_atomic_fetch_add(dev, p, 1);
		do
			was = vn_atomic_load(dev, p + 8);
		while (vn_atomic_cmp_swap(dev, p + 8, was, was + 1) != was);
		if (vn_atomic_swap(dev, p + 16, 1))
			continue;
		p[24]++;
		p[25] += i & 1;
		vn_atomic_swap(dev, p + 16, 0);
	}
	return NULL;
}

static void test_accessors(void)
{
	struct vn_mem m = take(dev, 1, 4096);
	uint64_t *p = m.ptr, n = quick() ? 20000 : 400000;
	pthread_t thread[2];

	*p = 5;
	tap_ok(vn_atomic_load(dev, p) == 5 && vn_atomic_fetch_add(dev, p, ~0ull) == 5 && *p == 4 &&
		       vn_atomic_swap(dev, p, 9) == 4 && *p == 9 &&
		       vn_atomic_cmp_swap(dev, p, 8, 1) == 9 && *p == 9 &&
		       vn_atomic_cmp_swap(dev, p, 9, 1) == 9 && *p == 1,
	       "what the CPU does to a word tells what it was");
	memset(p, 0, 4096);
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, pound, p);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	tap_ok(p[0] == 2 * n && p[8] == 2 * n && p[24] && p[25] <= p[24],
	       "two CPUs lose nothing: %llu and %llu of %llu", (unsigned long long)p[0],
	       (unsigned long long)p[8], (unsigned long long)(2 * n));
	NEED(vn_mem_free(dev, &m));
}

/* A lost chip is no bad key: neither where it writes nor where it tells. */
static void test_lost(void)
{
	uint32_t last = query.chips - 1;
	struct vn_mem m = take(dev, last, 4096), n = take(dev, 1, 4096), own = take(peer, 0, 4096);
	vn_queue_t q = queue(peer, 0, 8);
	struct vn_window_options o = { .queue = queue(dev, last, 8) };
	struct vn_operand at = { VN_HERE, (uint16_t)last, 0, 0 };
	struct vn_segment *s = (struct vn_segment *)((char *)own.ptr + 1024);
	struct vn_desc d[8] = { 0 };
	unsigned int wrong = 0;
	uint32_t key, tells;
	struct vn_cqe e;

	NEED(vn_window_create(dev, &m, 0, 4096, FULL_ACCESS, &key));
	/* Memory that stays, and a queue that goes. */
	NEED(vn_window_open(dev, &n, 0, 4096, FULL_ACCESS, &o, &tells));
	at.key = key;
	if (vn_fault_inject(dev, &(const struct vn_fault){ VN_FAULT_CHIP_LOSS, last, 0, 0 })) {
		tap_skip("no faults can be made here");
		return;
	}
	vn_prep_write_signal(&d[0], at, vn_at(&own, 0), 8, 16, 1);
	vn_prep_accumulate(&d[1], at, vn_at(&own, 0), 8, VN_INT64, VN_SUM);
	vn_prep_fetch_add(&d[2], at, 1);
	vn_prep_cmp_swap(&d[3], at, 1, 2);
	vn_prep_swap(&d[4], at, 1);
	vn_prep_swap(&d[5], vn_at(&own, 0), 1);
	d[5].atomic.old = at;
	vn_prep_copy_list(&d[6], own.addr + 1024, 1, 1, 8);
	s[0] = (struct vn_segment){ vn_at(&own, 0), 8, 0 };
	s[1] = (struct vn_segment){ at, 8, 0 };
	vn_prep_write_imm(&d[7], vn_by_key(1, tells, 0), vn_at(&own, 0), 8, 1);
	for (unsigned int i = 0; i < COUNT(d); i++)
		wrong += run(q, &d[i], &e) != VN_CHIP_LOST;
	tap_ok(!wrong, "a chip that is lost is told by all of them (%u wrong)", wrong);
	NEED(vn_fault_clear(dev, &(const struct vn_fault){ VN_FAULT_CHIP_LOSS, last, 0, 0 }));
	vn_queue_destroy(o.queue);
	NEED(vn_window_invalidate(dev, last, key));
	NEED(vn_window_invalidate(dev, 1, tells));
	NEED(vn_mem_free(dev, &m));
	NEED(vn_mem_free(dev, &n));
	vn_queue_destroy(q);
	NEED(vn_mem_free(peer, &own));
}

int main(void)
{
	int fd;

	dev = device();
	NEED(vn_device_query(dev, &query));
	fd = vn_domain_export(dev);
	NEED(fd);
	NEED(vn_reopen(dev, &peer));
	NEED(vn_domain_join(peer, fd));
	close(fd);
	test_accessors();
	test_lists();
	test_words();
	test_lost();
	vn_close(peer);
	vn_close(dev);
	return tap_done();
}
