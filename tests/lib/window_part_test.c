// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that part of a window is a window that allows no more and reaches no further than
 * that one, whoever makes it, and ends with it, as its own parts do; and that a window
 * becomes another range in one step: the old key is stale when the call returns, no byte
 * moves through it any more, and nobody else gets its place.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "fixture.h"

#define CHIP 3u
#define BYTES 65536u

static uint32_t windows(vn_device_t dev)
{
	struct vn_chip_query c;

	NEED(vn_chip_query(dev, CHIP, &c));
	return c.windows;
}

static vn_device_t member(vn_device_t dev)
{
	vn_device_t peer;
	int fd = vn_domain_export(dev);

	NEED(vn_reopen(dev, &peer));
	NEED(vn_domain_join(peer, fd));
	close(fd);
	return peer;
}

static int see(vn_queue_t q, uint32_t key)
{
	return run_fill(q, vn_by_key(CHIP, key, 0), 1, 1, 1);
}

static void test_refused(vn_device_t dev)
{
	struct vn_mem m = take(dev, CHIP, BYTES);
	uint32_t before = windows(dev), whole, ro, key = 77, wrong = 0;

	NEED(vn_window_create(dev, &m, 4096, 8192, FULL_ACCESS, &whole));
	NEED(vn_window_create(dev, &m, 4096, 8192, VN_ACCESS_REMOTE_READ, &ro));
	tap_ok(vn_window_part(dev, CHIP, whole, 0, 0, VN_ACCESS_REMOTE_READ, &key) == -EINVAL,
	       "a part of no bytes: %s", vn_error());
	tap_ok(vn_window_part(dev, CHIP, whole, 0, 8193, VN_ACCESS_REMOTE_READ, &key) == -EINVAL &&
		       vn_window_part(dev, CHIP, whole, 8192, 1, VN_ACCESS_REMOTE_READ, &key) ==
			       -EINVAL &&
		       vn_window_part(dev, CHIP, whole, 8193, 1, VN_ACCESS_REMOTE_READ, &key) ==
			       -EINVAL &&
		       vn_window_part(dev, CHIP, whole, 1, ~0ull, VN_ACCESS_REMOTE_READ, &key) ==
			       -EINVAL &&
		       vn_window_part(dev, CHIP, whole, ~0ull, 2, VN_ACCESS_REMOTE_READ, &key) ==
			       -EINVAL,
	       "beyond the end of the window, though not of the memory");
	tap_ok(vn_window_part(dev, CHIP, whole, 0, 8, 0, &key) == -EINVAL &&
		       vn_window_part(dev, CHIP, whole, 0, 8, 16, &key) == -EINVAL,
	       "for nothing, or what there is not");
	for (uint32_t access = 1; access < 16; access++) {
		bool grant = access & VN_ACCESS_LOCAL_WRITE ||
			     !(access & (VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC));
		int err = vn_window_part(dev, CHIP, ro, 0, 8, access, &key);

		wrong += err != (!grant ? -EINVAL : access != VN_ACCESS_REMOTE_READ ? -EACCES : 0);
		if (!err)
			NEED(vn_window_invalidate(dev, CHIP, key));
	}
	tap_ok(!wrong, "for no more than the window allows (%u wrong): %s", wrong, vn_error());
	key = 77;
	tap_ok(vn_window_part(dev, CHIP, whole + 9, 0, 8, VN_ACCESS_REMOTE_READ, &key) == -ENOENT &&
		       vn_window_part(dev, CHIP, 0, 0, 8, VN_ACCESS_REMOTE_READ, &key) == -ENOENT &&
		       vn_window_part(dev, CHIP + 1, whole, 0, 8, VN_ACCESS_REMOTE_READ, &key) ==
			       -ENOENT,
	       "of no window, or one of another chip: %s", vn_error());
	tap_ok(key == 77 && windows(dev) == before + 2, "none of these leaves anything behind");
	NEED(vn_window_invalidate(dev, CHIP, ro));
	tap_ok(vn_window_part(dev, CHIP, ro, 0, 8, VN_ACCESS_REMOTE_READ, &key) == -ESTALE,
	       "of one that is gone: %s", vn_error());
	NEED(vn_window_invalidate(dev, CHIP, whole));
	vn_mem_free(dev, &m);
}

static void test_part(vn_device_t dev)
{
	struct vn_mem m = take(dev, CHIP, BYTES);
	uint32_t whole, part, inner, ro, out;
	vn_queue_t q = queue(dev, 0, 8);

	memset(m.ptr, 0, BYTES);
	NEED(vn_window_create(dev, &m, 4096, 8192, FULL_ACCESS, &whole));
	NEED(vn_window_part(dev, CHIP, whole, 100, 1000, FULL_ACCESS, &part));
	NEED(vn_window_part(dev, CHIP, part, 10, 100, FULL_ACCESS, &inner));
	NEED(vn_window_part(dev, CHIP, part, 0, 1000, VN_ACCESS_REMOTE_READ, &ro));
	tap_ok(!run_fill(q, vn_by_key(CHIP, part, 999), 1, 0x5a, 1) &&
		       ((uint8_t *)m.ptr)[4096 + 100 + 999] == 0x5a,
	       "offsets in a part are from its beginning");
	tap_ok(run_fill(q, vn_by_key(CHIP, part, 1000), 1, 1, 1) == VN_BAD_RANGE,
	       "and end with it");
	tap_ok(!run_fill(q, vn_by_key(CHIP, inner, 99), 1, 0x5b, 1) &&
		       ((uint8_t *)m.ptr)[4096 + 100 + 10 + 99] == 0x5b &&
		       run_fill(q, vn_by_key(CHIP, inner, 100), 1, 1, 1) == VN_BAD_RANGE,
	       "of a part of a part, too");
	tap_ok(see(q, ro) == VN_BAD_ACCESS && !see(q, part), "a part allows what it says");
	NEED(vn_window_invalidate(dev, CHIP, inner));
	tap_ok(see(q, inner) == VN_STALE_KEY && !see(q, part) && !see(q, whole),
	       "one that is ended takes nobody along that it is part of");
	NEED(vn_window_part(dev, CHIP, part, 10, 100, FULL_ACCESS, &inner));
	NEED(vn_window_create(dev, &m, 4096, 8192, FULL_ACCESS, &out));
	tap_ok(!vn_window_invalidate(dev, CHIP, part) && see(q, part) == VN_STALE_KEY &&
		       see(q, inner) == VN_STALE_KEY && see(q, ro) == VN_STALE_KEY,
	       "but all that are part of it");
	tap_ok(!see(q, whole) && !see(q, out), "and no others");
	tap_ok(vn_window_invalidate(dev, CHIP, inner) == -ESTALE &&
		       vn_window_invalidate(dev, CHIP, ro) == -ESTALE,
	       "who made them is told that they are gone: %s", vn_error());
	NEED(vn_window_invalidate(dev, CHIP, out));
	NEED(vn_window_invalidate(dev, CHIP, whole));
	tap_ok(!windows(dev) && !vn_mem_free(dev, &m), "then the memory is free: %s", vn_error());
	vn_queue_destroy(q);
}

/* Parts that others make, who have no right to the memory but a key. */
static void test_others(vn_device_t dev)
{
	struct vn_mem m = take(dev, CHIP, BYTES);
	vn_device_t peer = member(dev), third = member(peer);
	vn_queue_t q = queue(third, 0, 8);
	struct vn_import imp;
	uint32_t whole, part, inner, again;

	memset(m.ptr, 0, BYTES);
	NEED(vn_window_create(dev, &m, 0, BYTES, FULL_ACCESS, &whole));
	NEED(vn_window_part(peer, CHIP, whole, 4096, 8192, FULL_ACCESS, &part));
	NEED(vn_window_part(third, CHIP, part, 4096, 4096, FULL_ACCESS, &inner));
	tap_ok(!see(q, inner) && ((uint8_t *)m.ptr)[8192] == 1, "who has a key makes a part");
	tap_ok(vn_window_invalidate(dev, CHIP, part) == -EACCES &&
		       vn_window_invalidate(third, CHIP, part) == -EACCES &&
		       vn_window_invalidate(peer, CHIP, whole) == -EACCES,
	       "which is his alone to end: %s", vn_error());
	tap_ok(vn_mem_free(dev, &m) == -EBUSY, "the memory is in use: %s", vn_error());
	NEED(vn_window_map(third, CHIP, inner, VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE,
			   &imp));
	tap_ok(imp.bytes == 4096 && *(uint8_t *)imp.ptr == 1, "a part is mapped as any window");
	NEED(vn_window_unmap(third, &imp));
	tap_ok(!vn_window_invalidate(dev, CHIP, whole) && see(q, part) == VN_STALE_KEY &&
		       see(q, inner) == VN_STALE_KEY,
	       "the owner ends all of them with his own");
	tap_ok(vn_window_invalidate(peer, CHIP, part) == -ESTALE &&
		       vn_window_invalidate(third, CHIP, inner) == -ESTALE,
	       "they hear of it");
	/* Nothing of theirs is left: they may go elsewhere. */
	tap_ok(!vn_domain_join(third, vn_domain_export(third)), "and have no windows any more");
	tap_ok(!windows(dev), "none is left");

	/* Contexts that end, with windows of others on theirs. */
	NEED(vn_window_create(dev, &m, 0, BYTES, FULL_ACCESS, &whole));
	NEED(vn_window_part(peer, CHIP, whole, 4096, 8192, FULL_ACCESS, &part));
	NEED(vn_window_part(third, CHIP, part, 4096, 4096, FULL_ACCESS, &inner));
	NEED(vn_window_part(third, CHIP, whole, 0, 4096, FULL_ACCESS, &again));
	vn_close(peer);
	tap_ok(see(q, part) == VN_STALE_KEY && see(q, inner) == VN_STALE_KEY && !see(q, again),
	       "a part ends with the context that made what it is part of");
	tap_ok(vn_window_invalidate(third, CHIP, inner) == -ESTALE &&
		       !vn_window_invalidate(third, CHIP, again) && windows(dev) == 1,
	       "and is no window of its maker any more");
	tap_ok(!vn_window_invalidate(dev, CHIP, whole) && !vn_mem_free(dev, &m) && !windows(dev),
	       "nothing is left");
	vn_queue_destroy(q);
	vn_close(third);
}

/* A chain of parts as long as it may be, ended at its beginning. */
static void test_deep(vn_device_t dev)
{
	unsigned int n = quick() ? 2000 : 20000, alive = 0;
	struct vn_mem m = take(dev, CHIP, BYTES);
	vn_queue_t q = queue(dev, 0, 8);
	uint32_t *key = calloc(n, sizeof(*key));

	NEED(vn_window_create(dev, &m, 0, BYTES, FULL_ACCESS, &key[0]));
	for (unsigned int i = 1; i < n; i++)
		NEED(vn_window_part(dev, CHIP, key[i - 1], i & 1, BYTES - i, FULL_ACCESS, &key[i]));
	(void)alive;
	tap_ok(windows(dev) == n, "a part of a part of ... %u of them", n);
	tap_ok(!vn_window_invalidate(dev, CHIP, key[0]) && !windows(dev), "ended at one blow");
	for (unsigned int i = 0; i < n; i += 97)
		alive += vn_window_invalidate(dev, CHIP, key[i]) != -ESTALE;
	tap_ok(!alive && see(q, key[n - 1]) == VN_STALE_KEY, "all of them");
	free(key);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

/* ---- another range ---------------------------------------------------------------------- */

static void test_rebind_refused(vn_device_t dev)
{
	struct vn_mem m = take(dev, CHIP, BYTES), off = take(dev, CHIP + 1, BYTES), lie = m;
	vn_device_t peer = member(dev);
	struct vn_mem own = take(peer, CHIP, BYTES);
	vn_queue_t q = queue(dev, 0, 8);
	uint32_t key, part, was, none = 0;

	NEED(vn_window_create(dev, &m, 0, 4096, FULL_ACCESS, &key));
	NEED(vn_window_part(dev, CHIP, key, 0, 4096, FULL_ACCESS, &part));
	was = key;
	tap_ok(vn_window_rebind(dev, &key, &m, 0, 0, FULL_ACCESS) == -EINVAL, "to no bytes: %s",
	       vn_error());
	tap_ok(vn_window_rebind(dev, &key, &m, 0, BYTES + 1, FULL_ACCESS) == -EINVAL &&
		       vn_window_rebind(dev, &key, &m, BYTES, 1, FULL_ACCESS) == -EINVAL &&
		       vn_window_rebind(dev, &key, &m, 1, ~0ull, FULL_ACCESS) == -EINVAL,
	       "to more than there is");
	tap_ok(vn_window_rebind(dev, &key, &m, 0, 8, 0) == -EINVAL &&
		       vn_window_rebind(dev, &key, &m, 0, 8, 16) == -EINVAL &&
		       vn_window_rebind(dev, &key, &m, 0, 8, VN_ACCESS_REMOTE_WRITE) == -EINVAL,
	       "for nothing, unknown access, writing without the grant");
	lie.addr = 0;
	tap_ok(vn_window_rebind(dev, &key, &lie, 0, 8, FULL_ACCESS) == -ENOENT, "to no memory");
	lie = off;
	lie.chip = CHIP;
	tap_ok(vn_window_rebind(dev, &key, &lie, 0, 8, FULL_ACCESS) == -ENOENT,
	       "to memory of another chip");
	tap_ok(vn_window_rebind(dev, &key, &off, 0, 8, FULL_ACCESS) == -ENOENT,
	       "as a window of another chip: %s", vn_error());
	tap_ok(vn_window_rebind(dev, &none, &m, 0, 8, FULL_ACCESS) == -ENOENT, "no window");
	tap_ok(vn_window_rebind(peer, &key, &own, 0, 8, FULL_ACCESS) == -EACCES,
	       "somebody else's: %s", vn_error());
	tap_ok(vn_window_rebind(dev, &part, &m, 0, 8, FULL_ACCESS) == -EINVAL,
	       "part of another: %s", vn_error());
	tap_ok(key == was && !see(q, key) && !see(q, part) && windows(dev) == 2,
	       "nothing of this changes anything");
	NEED(vn_window_invalidate(dev, CHIP, key));
	tap_ok(vn_window_rebind(dev, &key, &m, 0, 8, FULL_ACCESS) == -ESTALE,
	       "one that is gone: %s", vn_error());
	vn_queue_destroy(q);
	vn_mem_free(peer, &own);
	vn_close(peer);
	vn_mem_free(dev, &m);
	vn_mem_free(dev, &off);
}

static sigjmp_buf back;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static bool raises(const volatile char *p)
{
	struct sigaction sa = { .sa_handler = on_bus }, old;
	volatile bool hit = false;

	sigaction(SIGBUS, &sa, &old);
	if (!sigsetjmp(back, 1))
		(void)*p;
	else
		hit = true;
	sigaction(SIGBUS, &old, NULL);
	return hit;
}

static void test_rebind(vn_device_t dev)
{
	struct vn_mem m = take(dev, CHIP, BYTES), n = take(dev, CHIP, BYTES);
	vn_device_t peer = member(dev);
	vn_queue_t q = queue(peer, 0, 8);
	struct vn_import imp;
	uint32_t key, was, part, next, wrong = 0;

	memset(m.ptr, 0, BYTES);
	memset(n.ptr, 0, BYTES);
	NEED(vn_window_create(dev, &m, 0, 4096, FULL_ACCESS, &key));
	NEED(vn_window_part(peer, CHIP, key, 8, 8, FULL_ACCESS, &part));
	NEED(vn_window_map(peer, CHIP, key, VN_ACCESS_REMOTE_READ, &imp));
	was = key;
	tap_ok(!vn_window_rebind(dev, &key, &n, 4096, 8192, FULL_ACCESS) && key == was + 65536,
	       "re-bound: the next generation of the same index");
	tap_ok(see(q, was) == VN_STALE_KEY && see(q, part) == VN_STALE_KEY,
	       "the old key is stale, as are parts of it");
	tap_ok(vn_window_invalidate(peer, CHIP, part) == -ESTALE, "who made these hears of it");
	tap_ok(raises(imp.ptr) == in_kernel(dev), "imports are as after invalidation");
	NEED(vn_window_unmap(peer, &imp));
	tap_ok(!run_fill(q, vn_by_key(CHIP, key, 8191), 1, 0x77, 1) &&
		       ((uint8_t *)n.ptr)[4096 + 8191] == 0x77,
	       "the new one is the new range");
	tap_ok(run_fill(q, vn_by_key(CHIP, key, 8192), 1, 1, 1) == VN_BAD_RANGE, "and no more");
	tap_ok(windows(dev) == 1 && !vn_mem_free(dev, &m) && vn_mem_free(dev, &n) == -EBUSY,
	       "the old memory is free, the new one in use: %s", vn_error());
	NEED(vn_window_map(peer, CHIP, key, VN_ACCESS_REMOTE_READ, &imp));
	tap_ok(((uint8_t *)imp.ptr)[8191] == 0x77, "it is mapped");
	NEED(vn_window_unmap(peer, &imp));
	was = key;
	tap_ok(!vn_window_rebind(dev, &key, &n, 0, 8, VN_ACCESS_REMOTE_READ) &&
		       see(q, key) == VN_BAD_ACCESS,
	       "for reading alone, over the same memory");
	NEED(vn_window_create(dev, &n, 0, 8, FULL_ACCESS, &next));
	tap_ok((next & 0xffff) != (key & 0xffff), "its place is its own");
	NEED(vn_window_invalidate(dev, CHIP, next));
	/* More often than there are generations. */
	for (uint32_t i = 0; i < (quick() ? 1000 : 70000); i++) {
		was = key;
		wrong += vn_window_rebind(dev, &key, &n, i % 4096, 8, FULL_ACCESS) != 0;
		wrong += key != was + 65536 || vn_window_invalidate(dev, CHIP, was) != -ESTALE;
	}
	tap_ok(!wrong, "again and again (%u wrong)", wrong);
	tap_ok(!vn_window_invalidate(dev, CHIP, key) && !windows(dev) && !vn_mem_free(dev, &n),
	       "and ended");
	vn_queue_destroy(q);
	vn_close(peer);
}

/* Transfers through a window that is re-bound under them. */
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
		uint32_t key = __atomic_load_n(&race.key, __ATOMIC_ACQUIRE);

		race.status = run_copy(q, vn_by_key(CHIP, key, 0), vn_at(&src, 0), src.bytes);
		if (race.status && race.status != VN_STALE_KEY)
			break;
		__atomic_fetch_add(&race.copies, race.status == 0, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_rebind_race(vn_device_t dev)
{
	unsigned int rounds = quick() ? 20 : 300, wrong = 0;
	struct vn_mem m[2] = { take(dev, CHIP, 1 << 20), take(dev, CHIP, 1 << 20) };
	pthread_t thread;
	vn_queue_t q;

	memset(&race, 0, sizeof(race));
	race.peer = member(dev);
	q = queue(race.peer, 0, 8);
	NEED(vn_window_create(dev, &m[0], 0, m[0].bytes, FULL_ACCESS, &race.key));
	pthread_create(&thread, NULL, race_copy, q);
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t seen = __atomic_load_n(&race.copies, __ATOMIC_RELAXED),
			 patience = now_ns() + LONG;
		uint32_t key = race.key;
		struct vn_mem *old = &m[i & 1];

		while (__atomic_load_n(&race.copies, __ATOMIC_RELAXED) == seen &&
		       now_ns() < patience)
			usleep(rnd() % 50);
		wrong += vn_window_rebind(dev, &key, &m[~i & 1], 0, m[0].bytes, FULL_ACCESS) != 0;
		/* He still uses the old one. */
		memset(old->ptr, 0x11, old->bytes);
		usleep(rnd() % 200);
		for (uint64_t k = 0; k < old->bytes; k += 61)
			wrong += ((uint8_t *)old->ptr)[k] != 0x11;
		__atomic_store_n(&race.key, key, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	tap_ok(!wrong && (!race.status || race.status == VN_STALE_KEY),
	       "%u times re-bound under transfers: no byte moved through the old key (%u did; "
	       "status %d)",
	       rounds, wrong, race.status);
	NEED(vn_window_invalidate(dev, CHIP, race.key));
	vn_close(race.peer);
	vn_mem_free(dev, &m[0]);
	vn_mem_free(dev, &m[1]);
}

/* Some make parts of a window, and end them, while it is ended and made again. */
static struct {
	vn_device_t dev;
	uint32_t key;
	int stop;
	uint32_t wrong, made, late;
} herd;

static void *herd_parts(void *arg)
{
	uint32_t key[8], n = 0;
	vn_device_t peer = member(herd.dev);

	(void)arg;
	while (!__atomic_load_n(&herd.stop, __ATOMIC_ACQUIRE)) {
		uint32_t parent = n ? key[n - 1] : __atomic_load_n(&herd.key, __ATOMIC_ACQUIRE);
		int err = n < COUNT(key)
				  ? vn_window_part(peer, CHIP, parent, 0, 64, FULL_ACCESS, &key[n])
				  : -EBUSY;

		__atomic_fetch_add(&herd.wrong, err && err != -ESTALE && err != -EBUSY,
				   __ATOMIC_RELAXED);
		if (!err) {
			n++;
			__atomic_fetch_add(&herd.made, 1, __ATOMIC_RELAXED);
		} else if (n) {
			err = vn_window_invalidate(peer, CHIP, key[--n]);
			__atomic_fetch_add(&herd.wrong, err && err != -ESTALE, __ATOMIC_RELAXED);
			__atomic_fetch_add(&herd.late, err != 0, __ATOMIC_RELAXED);
		}
	}
	vn_close(peer);
	return NULL;
}

static void test_herd(vn_device_t dev)
{
	struct vn_mem m = take(dev, CHIP, BYTES);
	uint64_t end = now_ns() + (quick() ? SECOND / 4 : SECOND);
	uint32_t ends = 0, key;
	pthread_t thread[2];

	memset(&herd, 0, sizeof(herd));
	herd.dev = dev;
	NEED(vn_window_create(dev, &m, 0, BYTES, FULL_ACCESS, &key));
	herd.key = key;
	for (unsigned int i = 0; i < COUNT(thread); i++)
		pthread_create(&thread[i], NULL, herd_parts, NULL);
	while (now_ns() < end ||
	       (!__atomic_load_n(&herd.made, __ATOMIC_RELAXED) && now_ns() < end + LONG)) {
		usleep(rnd() % 300);
		if (ends++ & 1) {
			NEED(vn_window_rebind(dev, &key, &m, 0, BYTES, FULL_ACCESS));
		} else {
			NEED(vn_window_invalidate(dev, CHIP, key));
			NEED(vn_window_create(dev, &m, 0, BYTES, FULL_ACCESS, &key));
		}
		__atomic_store_n(&herd.key, key, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&herd.stop, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < COUNT(thread); i++)
		pthread_join(thread[i], NULL);
	tap_diag("%u parts, %u of which had ended with their window, which did so %u times",
		 herd.made, herd.late, ends);
	NEED(vn_window_invalidate(dev, CHIP, key));
	tap_ok(herd.made && !herd.wrong && !windows(dev) && !vn_mem_free(dev, &m),
	       "parts come and go while what they are part of does (%u wrong): %s", herd.wrong,
	       vn_error());
}

int main(void)
{
	vn_device_t dev = device();

	test_refused(dev);
	test_part(dev);
	test_others(dev);
	test_deep(dev);
	test_rebind_refused(dev);
	test_rebind(dev);
	test_rebind_race(dev);
	test_herd(dev);
	vn_close(dev);
	return tap_done();
}
