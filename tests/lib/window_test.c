// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a window opens exactly what it was made over, to exactly those
 * who share its domain, for exactly what its access bits say, until it is
 * invalidated; and that a window can be mapped by its key.
 */
#include <pthread.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>

#include "fixture.h"

static uint32_t windows_on(vn_device_t dev, uint32_t chip)
{
	struct vn_chip_query c;

	NEED(vn_chip_query(dev, chip, &c));
	return c.windows;
}

static void test_create(vn_device_t dev)
{
	struct vn_mem m = take(dev, 1, 65536);
	uint32_t before = windows_on(dev, 1), key = 77, keys[200];
	unsigned int wrong = 0;

	tap_ok(vn_window_create(dev, &m, 0, 0, VN_ACCESS_REMOTE_READ, &key) == -EINVAL,
	       "of no bytes: %s", vn_error());
	tap_ok(vn_window_create(dev, &m, 0, 65537, VN_ACCESS_REMOTE_READ, &key) == -EINVAL,
	       "too long: %s", vn_error());
	tap_ok(vn_window_create(dev, &m, 65536, 1, VN_ACCESS_REMOTE_READ, &key) == -EINVAL,
	       "behind the end");
	tap_ok(vn_window_create(dev, &m, 8, ~0ull, VN_ACCESS_REMOTE_READ, &key) == -EINVAL,
	       "2^64 - 1 long");
	tap_ok(vn_window_create(dev, &m, 0, 8, 0, &key) == -EINVAL, "for nothing");
	tap_ok(vn_window_create(dev, &m, 0, 8, VN_ACCESS_REMOTE_WRITE, &key) == -EINVAL,
	       "to write without the grant");
	tap_ok(vn_window_create(dev, &m, 0, 8, 16, &key) == -EINVAL, "unknown access");
	struct vn_mem lie = m;
	lie.chip = 2;
	tap_ok(vn_window_create(dev, &lie, 0, 8, VN_ACCESS_REMOTE_READ, &key) == -ENOENT,
	       "on the wrong chip: %s", vn_error());
	lie = m;
	lie.addr = 0;
	tap_ok(vn_window_create(dev, &lie, 0, 8, VN_ACCESS_REMOTE_READ, &key) == -ENOENT,
	       "over nothing");
	tap_ok(key == 77 && windows_on(dev, 1) == before, "none of these leaves anything behind");
	for (unsigned int i = 0; i < COUNT(keys); i++) {
		wrong += vn_window_create(dev, &m, i * 8, 65536 - i * 8, 1u + (i * 2 & 2),
					  &keys[i]) != 0;
		for (unsigned int k = 0; k < i; k++)
			wrong += keys[i] == keys[k] || !keys[i];
	}
	tap_ok(!wrong && windows_on(dev, 1) == before + COUNT(keys),
	       "many over the same memory, all different");
	for (unsigned int i = 0; i < COUNT(keys); i++)
		wrong += vn_window_invalidate(dev, 1, keys[i]) ||
			 vn_window_invalidate(dev, 1, keys[i]) != -ESTALE;
	tap_ok(!wrong && windows_on(dev, 1) == before, "ended once, stale afterwards: %s",
	       vn_error());
	tap_ok(vn_window_invalidate(dev, 1, 0) == -ENOENT &&
		       vn_window_invalidate(dev, 1, ~0u) == -ENOENT &&
		       vn_window_invalidate(dev, 0, keys[0]) == -ENOENT,
	       "what never was can't be ended: %s", vn_error());
	vn_mem_free(dev, &m);
}

static void test_access(vn_device_t dev)
{
	static const char *const ways[] = { "read",	  "write",     "fill",
					    "signal",	  "wait",      "write and signal",
					    "accumulate", "fetch-add", "compare-and-swap",
					    "swap",	  "old value", "gather",
					    "scatter" };
	static const uint32_t need[] = {
		VN_ACCESS_REMOTE_READ,
		VN_ACCESS_REMOTE_WRITE,
		VN_ACCESS_REMOTE_WRITE,
		VN_ACCESS_REMOTE_ATOMIC,
		VN_ACCESS_REMOTE_READ,
		VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC,
		VN_ACCESS_REMOTE_WRITE,
		VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_ATOMIC,
		VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_ATOMIC,
		VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_ATOMIC,
		VN_ACCESS_REMOTE_WRITE,
		VN_ACCESS_REMOTE_READ,
		VN_ACCESS_REMOTE_WRITE,
	};
	struct vn_mem m = take(dev, 2, 8192), own = take(dev, 0, 4096);
	struct vn_segment *s = (struct vn_segment *)((char *)own.ptr + 2048);
	vn_queue_t q = queue(dev, 0, 8);
	uint32_t key;

	for (unsigned int way = 0; way < COUNT(ways); way++) {
		unsigned int wrong = 0;

		for (uint32_t access = 1; access < 16; access++) {
			bool may = (access & need[way]) == need[way];
			struct vn_desc d = { 0 };
			struct vn_operand o;

			if (access & (VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC) &&
			    !(access & VN_ACCESS_LOCAL_WRITE))
				continue;
			NEED(vn_window_create(dev, &m, 64, 4096, access, &key));
			o = vn_by_key(2, key, 8);
			switch (way) {
			case 0:
				vn_prep_copy(&d, vn_at(&own, 0), o, 8);
				break;
			case 1:
				vn_prep_copy(&d, o, vn_at(&own, 0), 8);
				break;
			case 2:
				vn_prep_fill(&d, o, 8, 7, 8);
				break;
			case 3:
				vn_prep_sem_signal(&d, o, 1);
				break;
			case 4:
				vn_prep_sem_wait(&d, o, 0);
				break;
			case 5:
				vn_prep_write_signal(&d, o, vn_at(&own, 0), 8, 16, 1);
				break;
			case 6:
				vn_prep_accumulate(&d, o, vn_at(&own, 0), 8, VN_INT64, VN_SUM);
				break;
			case 7:
				vn_prep_fetch_add(&d, o, 1);
				break;
			case 8:
				vn_prep_cmp_swap(&d, o, 1, 2);
				break;
			case 9:
				vn_prep_swap(&d, o, 1);
				break;
			case 10:
				vn_prep_swap(&d, vn_at(&own, 0), 1);
				d.atomic.old = o;
				break;
			default:
				s[way == 11] = (struct vn_segment){ vn_at(&own, 0), 8, 0 };
				s[way == 12] = (struct vn_segment){ o, 8, 0 };
				vn_prep_copy_list(&d, own.addr + 2048, 1, 1, 8);
			}
			wrong += run(q, &d, NULL) != (may ? VN_OK : VN_BAD_ACCESS);
			vn_window_invalidate(dev, 2, key);
			wrong += run(q, &d, NULL) != VN_STALE_KEY;
		}
		tap_ok(!wrong, "%s by key (%u wrong)", ways[way], wrong);
	}
	NEED(vn_window_create(dev, &m, 64, 4096, FULL_ACCESS, &key));
	tap_ok(!run_fill(q, vn_by_key(2, key, 4095), 1, 9, 1) && ((char *)m.ptr)[64 + 4095] == 9,
	       "its last byte");
	tap_ok(run_fill(q, vn_by_key(2, key, 4096), 1, 9, 1) == VN_BAD_RANGE, "the byte behind it");
	tap_ok(run_fill(q, vn_by_key(3, key, 0), 1, 9, 1) == VN_BAD_KEY, "the key on another chip");
	tap_ok(run_fill(q, vn_by_key(2, key + 1, 0), 1, 9, 1) == VN_BAD_KEY, "another key");
	tap_ok(run_fill(q, vn_by_key(2, key + 65536, 0), 1, 9, 1) == VN_BAD_KEY,
	       "a generation to come");
	vn_window_invalidate(dev, 2, key);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
	vn_mem_free(dev, &own);
}

static void test_domains(vn_device_t dev)
{
	struct vn_mem m = take(dev, 4, 8192);
	vn_device_t peer, third;
	vn_queue_t q;
	uint32_t key;
	int fd, other;

	memset(m.ptr, 0, 8192);
	NEED(vn_window_create(dev, &m, 0, 8192, FULL_ACCESS, &key));
	NEED(vn_reopen(dev, &peer));
	q = queue(peer, 4, 8);
	tap_ok(run_fill(q, vn_by_key(4, key, 0), 8, 1, 1) == VN_BAD_KEY,
	       "a key means nothing in another domain");
	tap_ok(vn_window_invalidate(peer, 4, key) == -ENOENT, "nor can it be ended there");
	fd = vn_domain_export(dev);
	tap_ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC,
	       "a domain is exported as an fd, closed on exec");
	tap_ok(!vn_domain_join(peer, fd), "who has a queue joins");
	vn_queue_reset(q);
	tap_ok(run_fill(q, vn_by_key(4, key, 0), 8, 1, 1) == VN_BAD_KEY,
	       "that queue stays where it was made");
	vn_queue_destroy(q);
	q = queue(peer, 4, 8);
	tap_ok(!run_fill(q, vn_by_key(4, key, 16), 8, 0x5a, 1) && ((char *)m.ptr)[16] == 0x5a,
	       "then the key means the same");
	tap_ok(run_fill(q, vn_at(&m, 0), 8, 1, 1) == VN_BAD_KEY, "the address still does not");
	tap_ok(vn_window_invalidate(peer, 4, key) == -EACCES, "only who made it may end it: %s",
	       vn_error());
	other = open("/dev/null", O_RDWR);
	NEED(vn_reopen(dev, &third));
	tap_ok(vn_domain_join(third, other) == -EBADF, "a file is no domain: %s", vn_error());
	tap_ok(vn_domain_join(third, -1) == -EBADF && vn_domain_join(third, 12345) == -EBADF,
	       "nor is no file");
	close(other);
	/* An exported domain outlives the fd, and its context. */
	close(fd);
	tap_ok(!run_fill(q, vn_by_key(4, key, 24), 8, 1, 1), "the fd may be closed");
	fd = vn_domain_export(peer);
	tap_ok(fd >= 0 && !vn_domain_join(third, fd), "a member may pass it on");
	vn_close(dev);
	tap_ok(run_fill(q, vn_by_key(4, key, 0), 8, 1, 1) == VN_STALE_KEY,
	       "a window dies with the context that made it");
	close(fd);
	vn_close(third);
	vn_close(peer);
}

static sigjmp_buf back;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void test_map(vn_device_t dev)
{
	struct vn_mem m = take(dev, 5, 65536);
	vn_device_t peer;
	struct vn_import imp = { 0 }, ro = { 0 };
	struct sigaction sa = { .sa_handler = on_bus }, old;
	uint32_t key, odd, small;
	volatile int hit = 0;
	int fd;

	NEED(vn_window_create(dev, &m, 4096, 32768, FULL_ACCESS, &key));
	NEED(vn_window_create(dev, &m, 64, 4096, FULL_ACCESS, &odd));
	NEED(vn_window_create(dev, &m, 0, 4096, VN_ACCESS_REMOTE_READ, &small));
	NEED(vn_reopen(dev, &peer));
	fd = vn_domain_export(dev);
	NEED(vn_domain_join(peer, fd));
	close(fd);
	tap_ok(vn_window_map(peer, 5, odd, VN_ACCESS_REMOTE_READ, &imp) == -EINVAL,
	       "a window that does not begin at a page is not mapped: %s", vn_error());
	tap_ok(vn_window_map(peer, 5, key + 7, VN_ACCESS_REMOTE_READ, &imp) == -ENOENT,
	       "nor one that is none");
	tap_ok(vn_window_map(peer, 5, small, VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE,
			     &imp) == -EACCES,
	       "nor for more than it allows: %s", vn_error());
	tap_ok(vn_window_map(peer, 5, small, VN_ACCESS_REMOTE_WRITE, &imp) == -EINVAL,
	       "nor to write only");
	tap_ok(!vn_window_map(peer, 5, small, VN_ACCESS_REMOTE_READ, &ro) && ro.bytes == 4096,
	       "to read it is");
	tap_ok(!vn_window_map(peer, 5, key, VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE, &imp) &&
		       imp.bytes == 32768,
	       "or to read and write");
	strcpy((char *)m.ptr + 4096, "from the owner");
	tap_ok(!strcmp(imp.ptr, "from the owner"), "what the owner writes is seen");
	strcpy((char *)imp.ptr + 100, "from the other");
	tap_ok(!strcmp((char *)m.ptr + 4196, "from the other"), "and the other way round");
	tap_ok(!vn_window_unmap(peer, &ro) && !ro.ptr, "given back");
	vn_window_invalidate(dev, 5, key);
	tap_ok(vn_window_map(peer, 5, key, VN_ACCESS_REMOTE_READ, &ro) == -ESTALE,
	       "no new mapping of a window that is gone: %s", vn_error());
	/* What an old one does: see vn_window_map(). */
	sigaction(SIGBUS, &sa, &old);
	if (!sigsetjmp(back, 1))
		(void)*(volatile char *)imp.ptr;
	else
		hit = 1;
	sigaction(SIGBUS, &old, NULL);
	tap_ok(hit == in_kernel(dev), "an old one %s", hit ? "raises SIGBUS" : "stays readable");
	tap_ok(!vn_window_unmap(peer, &imp), "and can be given back");
	tap_ok(vn_window_unmap(peer, &(struct vn_import){ .handle = 0x123000 }) == -ENOENT,
	       "once: %s", vn_error());
	vn_window_invalidate(dev, 5, odd);
	vn_window_invalidate(dev, 5, small);
	vn_close(peer);
	vn_mem_free(dev, &m);
}

/* Transfers through a window that is ended under them: none after the call returned. */
static struct {
	vn_device_t peer;
	uint32_t key;
	int stop, status;
	uint64_t copies;
} race;

static void *race_copy(void *arg)
{
	vn_queue_t q = arg;
	struct vn_mem src = take(race.peer, 0, 1 << 20);

	memset(src.ptr, 0xee, src.bytes);
	while (!__atomic_load_n(&race.stop, __ATOMIC_ACQUIRE)) {
		race.status =
			run_copy(q, vn_by_key(6, __atomic_load_n(&race.key, __ATOMIC_ACQUIRE), 0),
				 vn_at(&src, 0), src.bytes);
		if (race.status && race.status != VN_STALE_KEY)
			break;
		__atomic_fetch_add(&race.copies, race.status == 0, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_invalidate(vn_device_t dev)
{
	unsigned int rounds = quick() ? 20 : 300, wrong = 0;
	struct vn_mem m = take(dev, 6, 1 << 20);
	pthread_t thread;
	uint32_t key;
	int fd = vn_domain_export(dev);
	vn_queue_t q;

	memset(&race, 0, sizeof(race));
	NEED(vn_reopen(dev, &race.peer));
	NEED(vn_domain_join(race.peer, fd));
	close(fd);
	q = queue(race.peer, 0, 8);
	NEED(vn_window_create(dev, &m, 0, m.bytes, FULL_ACCESS, &key));
	race.key = key;
	pthread_create(&thread, NULL, race_copy, q);
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t seen = __atomic_load_n(&race.copies, __ATOMIC_RELAXED),
			 patience = now_ns() + LONG;
		uint32_t old = key;

		while (__atomic_load_n(&race.copies, __ATOMIC_RELAXED) == seen &&
		       now_ns() < patience)
			usleep(rnd() % 50);
		wrong += vn_window_invalidate(dev, 6, old) != 0;
		memset(m.ptr, 0x11, m.bytes);
		usleep(rnd() % 100);
		for (uint64_t k = 0; k < m.bytes; k += 61)
			wrong += ((uint8_t *)m.ptr)[k] != 0x11;
		NEED(vn_window_create(dev, &m, 0, m.bytes, FULL_ACCESS, &key));
		__atomic_store_n(&race.key, key, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	tap_ok(!wrong && (!race.status || race.status == VN_STALE_KEY),
	       "%u windows ended under transfers: no byte moved afterwards (%u did; status %d)",
	       rounds, wrong, race.status);
	vn_close(race.peer);
	vn_window_invalidate(dev, 6, key);
	vn_mem_free(dev, &m);
}

int main(void)
{
	vn_device_t dev = device(), second = device();

	test_create(dev);
	test_access(dev);
	test_map(dev);
	test_invalidate(dev);
	vn_close(dev);
	test_domains(second); /* closes it */
	return tap_done();
}
