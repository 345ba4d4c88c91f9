// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that memory of a process is addressable by key wherever it begins and ends, for no
 * more than is said; that what can't be pinned is refused, as is what RLIMIT_MEMLOCK does not
 * allow; that each page counts as long as windows are on it, and is not counted afterwards,
 * however they end; and that it outlives its mapping, a fork, the process (kernel home), and
 * the loss of its chip.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "faults.h"
#include "passing.h"

#define CHIP 5u
#define PAGE 4096u

static uint8_t *pages(unsigned int n)
{
	uint8_t *p =
		mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p == MAP_FAILED ? -errno : 0);
	return p;
}

/* Sanitizers let nothing be locked. */
static bool locks(void)
{
	uint8_t *p = pages(1);
	bool can;

	if (in_kernel(dev))
		return true;
	can = !mlock(p, PAGE) && status_kb("VmLck") > 0;
	munmap(p, PAGE);
	return can;
}

static uint32_t windows(void)
{
	struct vn_chip_query c;

	NEED(vn_chip_query(dev, CHIP, &c));
	return c.windows;
}

static uint32_t user(void *p, uint64_t bytes, uint32_t access)
{
	uint32_t key;

	NEED(vn_window_user(dev, CHIP, p, bytes, access, &key));
	return key;
}

static void test_refused(void)
{
	uint8_t *p = pages(4), *ro = pages(1);
	struct vn_mem m = take(dev, CHIP, PAGE);
	uint64_t taken = used(CHIP);
	struct vn_import imp;
	uint32_t key = 77;
	int err;

	NEED(mprotect(ro, PAGE, PROT_READ));
	NEED(munmap(p + 2 * PAGE, PAGE));
	tap_ok(vn_window_user(dev, CHIP, p, 0, FULL_ACCESS, &key) == -EINVAL, "of no bytes: %s",
	       vn_error());
	tap_ok(vn_window_user(dev, CHIP, p, VN_BYTES_MAX + 1, FULL_ACCESS, &key) == -EINVAL,
	       "too long");
	tap_ok(vn_window_user(dev, CHIP, p, 1, 0, &key) == -EINVAL &&
		       vn_window_user(dev, CHIP, p, 1, VN_ACCESS_REMOTE_WRITE, &key) == -EINVAL,
	       "for nothing, or to write without the grant");
	tap_ok(vn_window_user(dev, CHIP, NULL, 1, FULL_ACCESS, &key) == -EFAULT, "of nothing: %s",
	       vn_error());
	tap_ok(vn_window_user(dev, CHIP, (void *)~0ul, 1, FULL_ACCESS, &key) == -EFAULT &&
		       vn_window_user(dev, CHIP, (void *)(1ul << 63), 1, FULL_ACCESS, &key) ==
			       -EFAULT,
	       "of what no process has");
	tap_ok(vn_window_user(dev, CHIP, p + PAGE, PAGE + 1, FULL_ACCESS, &key) == -EFAULT &&
		       vn_window_user(dev, CHIP, p, 4 * PAGE, FULL_ACCESS, &key) == -EFAULT,
	       "with a hole, at its end or in the middle: %s", vn_error());
	tap_ok(vn_window_user(dev, CHIP, ro, 1, VN_ACCESS_REMOTE_READ, &key) == -EFAULT,
	       "that may not be written: %s", vn_error());
	err = vn_window_user(dev, CHIP, m.ptr, PAGE, FULL_ACCESS, &key);
	if (in_kernel(dev))
		tap_ok(err == -EFAULT, "mapped HBM, which may move: %s", vn_error());
	else
		tap_ok(!err && !vn_window_invalidate(dev, CHIP, key), "HBM is memory as any other");
	tap_ok(vn_window_user(dev, VN_MAX_CHIPS, p, 1, FULL_ACCESS, &key) < 0, "of no chip: %s",
	       vn_error());
	tap_ok(!windows() && !status_kb("VmLck"), "nothing of this leaves anything behind (%ld kB)",
	       status_kb("VmLck"));
	key = user(p, 2 * PAGE, FULL_ACCESS);
	tap_ok(vn_window_map(dev, CHIP, key, VN_ACCESS_REMOTE_READ, &imp) == -EINVAL,
	       "it is not mapped by key: %s", vn_error());
	tap_ok(vn_window_rebind(dev, &key, &m, 0, 8, FULL_ACCESS) == -EINVAL, "nor re-bound: %s",
	       vn_error());
	tap_ok(used(CHIP) == taken, "it takes nothing of the chip's");
	NEED(vn_window_invalidate(dev, CHIP, key));
	munmap(p, 4 * PAGE);
	munmap(ro, PAGE);
	vn_mem_free(dev, &m);
}

static void test_use(void)
{
	struct vn_mem own = take(dev, 0, 4 * PAGE);
	uint8_t *p = pages(4);
	vn_queue_t q = queue(dev, 0, 8);
	uint32_t key, ro, part, inner, wrong = 0;
	struct vn_desc d = { 0 };

	memset(p, 0, 4 * PAGE);
	scramble(own.ptr, own.bytes);
	key = user(p + 100, 2 * PAGE + 7, FULL_ACCESS);
	ro = user(p + 100, 2 * PAGE + 7, VN_ACCESS_REMOTE_READ);
	tap_ok(!run_copy(q, vn_by_key(CHIP, key, 0), vn_at(&own, 0), 2 * PAGE + 7) &&
		       !memcmp(p + 100, own.ptr, 2 * PAGE + 7),
	       "written by key, at any alignment");
	for (unsigned int i = 0; i < 4 * PAGE; i++)
		wrong += (i < 100 || i >= 100 + 2 * PAGE + 7) && p[i];
	tap_ok(!wrong, "and nothing around it");
	memset(own.ptr, 0, own.bytes);
	tap_ok(!run_copy(q, vn_at(&own, 0), vn_by_key(CHIP, ro, 0), 2 * PAGE + 7) &&
		       !memcmp(p + 100, own.ptr, 2 * PAGE + 7),
	       "read by key");
	tap_ok(run_copy(q, vn_by_key(CHIP, ro, 0), vn_at(&own, 0), 1) == VN_BAD_ACCESS,
	       "for no more than is said");
	tap_ok(run_fill(q, vn_by_key(CHIP, key, 2 * PAGE + 7), 1, 1, 1) == VN_BAD_RANGE,
	       "nor farther");
	p[PAGE] = 0x42;
	tap_ok(!run_copy(q, vn_at(&own, 0), vn_by_key(CHIP, ro, PAGE - 100), 1) &&
		       *(uint8_t *)own.ptr == 0x42,
	       "what the process writes is seen");
	vn_prep_sem_signal(&d, vn_by_key(CHIP, key, 4), 5);
	*(uint64_t *)(p + 104) = 0;
	tap_ok(!run(q, &d, NULL) && *(uint64_t *)(p + 104) == 5,
	       "semaphores are where they are aligned");
	d.sem.at.offset = 0;
	tap_ok(run(q, &d, NULL) == VN_BAD_ALIGN, "in memory");

	NEED(vn_window_part(dev, CHIP, key, 28, PAGE, FULL_ACCESS, &part));
	NEED(vn_window_part(dev, CHIP, part, 0, 8, VN_ACCESS_REMOTE_READ, &inner));
	tap_ok(!run_fill(q, vn_by_key(CHIP, part, 0), 1, 0x99, 1) && p[128] == 0x99,
	       "a part of it is a window, too");
	NEED(vn_window_invalidate(dev, CHIP, key));
	tap_ok(run_fill(q, vn_by_key(CHIP, part, 0), 1, 1, 1) == VN_STALE_KEY &&
		       vn_window_invalidate(dev, CHIP, inner) == -ESTALE,
	       "and ends with it");
	NEED(vn_window_invalidate(dev, CHIP, ro));
	tap_ok(!windows() && !status_kb("VmLck"), "then nothing is locked");
	vn_queue_destroy(q);
	munmap(p, 4 * PAGE);
	vn_mem_free(dev, &own);
}

/* How much counts, and until when. */
static void test_counts(void)
{
	uint8_t *p = pages(64);
	uint32_t a, b, c;
	long both;

	a = user(p, 32 * PAGE, FULL_ACCESS);
	tap_ok(status_kb("VmLck") == 32 * 4, "its pages count: %ld kB", status_kb("VmLck"));
	b = user(p + 16 * PAGE - 1, 16 * PAGE + 2, FULL_ACCESS);
	both = status_kb("VmLck");
	tap_ok(both == (in_kernel(dev) ? 50 : 33) * 4, "registered twice, %s: %ld kB",
	       in_kernel(dev) ? "they count twice" : "they count once", both);
	c = user(p, 1, FULL_ACCESS);
	NEED(vn_window_invalidate(dev, CHIP, a));
	tap_ok(status_kb("VmLck") == (in_kernel(dev) ? 19 : 19) * 4,
	       "what is left counts for those that are left: %ld kB", status_kb("VmLck"));
	NEED(vn_window_invalidate(dev, CHIP, b));
	NEED(vn_window_invalidate(dev, CHIP, c));
	tap_ok(!status_kb("VmLck") && status_kb("VmPin") <= 0, "until the last is gone: %ld kB",
	       status_kb("VmLck"));
	munmap(p, 64 * PAGE);
}

/* ---- the limit: in a process that has no right to more ----------------------------------- */

static void limited(int sock)
{
	struct rlimit limit = { 65536, 65536 };
	uint8_t *p = pages(32), *huge;
	uint32_t key[2], none;
	unsigned int wrong = 0;

	dev = device();
	NEED(vn_attach(dev, CHIP));
	MUST(!setrlimit(RLIMIT_MEMLOCK, &limit));
	if (!getuid())
		MUST(!setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534));
	wrong += vn_window_user(dev, CHIP, p, 17 * PAGE, FULL_ACCESS, &none) != -ENOMEM;
	say(sock, wrong);
	wrong += status_kb("VmLck") != 0;
	wrong += vn_window_user(dev, CHIP, p + 1, 16 * PAGE, FULL_ACCESS, &none) != -ENOMEM;
	/* Huge ones cost nothing. */
	huge = mmap(NULL, VN_BYTES_MAX, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	MUST(huge != MAP_FAILED);
	wrong += vn_window_user(dev, CHIP, huge, VN_BYTES_MAX, FULL_ACCESS, &none) != -ENOMEM;
	say(sock, wrong);
	wrong += vn_window_user(dev, CHIP, p, 16 * PAGE, FULL_ACCESS, &key[0]) != 0;
	wrong += status_kb("VmLck") != 64;
	wrong += vn_window_user(dev, CHIP, p + 31 * PAGE, 1, FULL_ACCESS, &none) != -ENOMEM;
	say(sock, wrong);
	wrong += vn_window_invalidate(dev, CHIP, key[0]) != 0 || status_kb("VmLck") != 0;
	wrong += vn_window_user(dev, CHIP, p, 8 * PAGE, FULL_ACCESS, &key[0]) != 0;
	wrong += vn_window_user(dev, CHIP, p + 8 * PAGE, 8 * PAGE, FULL_ACCESS, &key[1]) != 0;
	wrong += vn_window_user(dev, CHIP, p + 31 * PAGE, 1, FULL_ACCESS, &none) != -ENOMEM;
	wrong += vn_window_invalidate(dev, CHIP, key[0]) != 0 || status_kb("VmLck") != 32;
	/* The other one is there when it dies. */
	say(sock, wrong);
}

static void test_limit(void)
{
	uint32_t before = windows(), said[4];
	bool kernel = in_kernel(dev);
	int sock;
	pid_t pid;

	if (!kernel)
		/* The child wants a device of its own: threads don't come along. */
		vn_close(dev);
	pid = child(limited, &sock);
	for (unsigned int i = 0; i < COUNT(said); i++)
		said[i] = hear(sock);
	tap_ok(!said[0], "a page more than RLIMIT_MEMLOCK of 64 KiB is ENOMEM");
	tap_ok(!said[1], "so is what touches a page more, or is huge; nothing stays locked");
	tap_ok(!said[2], "what the limit allows is fine, and then is all there is");
	tap_ok(!said[3], "until it is invalidated");
	tap_ok(!ended(pid), "with that the process ends");
	if (kernel)
		tap_ok(windows() == before, "and its windows with it");
	else
		dev = device();
	close(sock);
}

/* ---- it outlives ----------------------------------------------------------------------------- */

static void test_fork(void)
{
	struct vn_mem own = take(dev, 0, PAGE);
	vn_queue_t q = queue(dev, 0, 8);
	uint8_t *p = pages(1);
	uint32_t key;
	pid_t pid;

	memset(p, 0x11, PAGE);
	key = user(p, PAGE, FULL_ACCESS);
	fflush(stdout);
	pid = fork();
	NEED(pid);
	if (!pid) {
		memset(p, 0x22, PAGE);
		_exit(0);
	}
	/* Whoever writes first after a fork would get a copy. */
	p[1] = 0x33;
	tap_ok(!ended(pid) && !run_copy(q, vn_at(&own, 0), vn_by_key(CHIP, key, 0), PAGE) &&
		       ((uint8_t *)own.ptr)[0] == 0x11 && ((uint8_t *)own.ptr)[1] == 0x33,
	       "after a fork it is still the parent's");
	tap_ok(!run_fill(q, vn_by_key(CHIP, key, 2), 1, 0x44, 1) && p[2] == 0x44,
	       "who sees what is written");
	if (in_kernel(dev)) {
		munmap(p, PAGE);
		p = mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0);
		memset(p, 0x55, PAGE);
		memset(own.ptr, 0, PAGE);
		tap_ok(!run_copy(q, vn_at(&own, 0), vn_by_key(CHIP, key, 0), PAGE) &&
			       ((uint8_t *)own.ptr)[2] == 0x44 && ((uint8_t *)own.ptr)[3] == 0x11,
		       "it is what it was, whatever is mapped there now");
		tap_ok(!run_fill(q, vn_by_key(CHIP, key, 0), PAGE, 0x66, 1) && p[9] == 0x55,
		       "and that is not touched");
	}
	NEED(vn_window_invalidate(dev, CHIP, key));
	tap_ok(!status_kb("VmLck"), "nothing is locked (%ld kB)", status_kb("VmLck"));
	munmap(p, PAGE);
	vn_queue_destroy(q);
	vn_mem_free(dev, &own);
}

/* Its memory is a process's that ends; the context goes on in the one it has forked. */
static void survivor(int sock)
{
	pid_t parent = getpid();
	uint8_t *p = pages(16);
	uint32_t key;

	NEED(vn_reopen(dev, &dev));
	memset(p, 0x77, 16 * PAGE);
	key = user(p, 16 * PAGE, FULL_ACCESS);
	if (fork())
		_exit(0);
	while (getppid() == parent)
		usleep(1000);
	say(sock, vn_window_invalidate(dev, CHIP, key) != 0);
	/* And one that ends with the context. */
	key = user(p, 16 * PAGE, FULL_ACCESS);
	say(sock, status_kb("VmLck") == 64 ? 0 : 1);
}

static void test_process_ends(void)
{
	uint32_t before = windows(), said[2];
	int sock;
	pid_t pid;

	pid = child(survivor, &sock);
	tap_ok(!ended(pid), "a process ends, and its memory is still a window");
	said[0] = hear(sock);
	said[1] = hear(sock);
	tap_ok(!said[0], "another that has the context invalidates it");
	tap_ok(!said[1], "and what it registers counts for it");
	for (unsigned int i = 0; i < 500 && windows() != before; i++)
		sleep_ms(10);
	tap_ok(windows() == before, "when that ends nothing is left");
	close(sock);
}

static void test_lost(void)
{
	uint32_t key, chip = CHIP, sled = sled_of(CHIP);
	vn_queue_t q = queue(dev, 0, 8);
	uint8_t *p = pages(2);

	memset(p, 0x11, 2 * PAGE);
	key = user(p, 2 * PAGE, FULL_ACCESS);
	NEED(make(VN_FAULT_CHIP_LOSS, chip, 0));
	tap_ok(run_fill(q, vn_by_key(CHIP, key, 0), 1, 1, 1) == VN_CHIP_LOST && p[0] == 0x11 &&
		       p[2 * PAGE - 1] == 0x11,
	       "with its chip it is out of reach, and what it was");
	NEED(vn_window_invalidate(dev, CHIP, key));
	tap_ok(vn_window_user(dev, CHIP, p, 1, FULL_ACCESS, &key) == -EHOSTDOWN, "no new one: %s",
	       vn_error());
	NEED(clear(VN_FAULT_ANY, 0));
	NEED(vn_window_user(dev, CHIP, p, 1, FULL_ACCESS, &key));
	tap_ok(!run_fill(q, vn_by_key(CHIP, key, 0), 1, 2, 1) && p[0] == 2 &&
		       state(sled) == VN_SLED_IN_SERVICE,
	       "when it is back there are new ones");
	NEED(vn_window_invalidate(dev, CHIP, key));
	tap_ok(!status_kb("VmLck"), "nothing is locked");
	vn_queue_destroy(q);
	munmap(p, 2 * PAGE);
}

/* Threads register, use and invalidate overlapping parts of the same memory. */
static void *churn(void *arg)
{
	uint8_t *p = arg;
	uint64_t wrong = 0;

	for (unsigned int i = 0; i < (quick() ? 100 : 1000); i++) {
		uint32_t key, from = (uint32_t)rnd() % (15 * PAGE);
		int err = vn_window_user(dev, CHIP, p + from, 1 + rnd() % PAGE, FULL_ACCESS, &key);

		wrong += err != 0;
		if (!err)
			wrong += vn_window_invalidate(dev, CHIP, key) != 0;
	}
	return (void *)(uintptr_t)wrong;
}

static void test_churn(void)
{
	uint8_t *p = pages(16);
	pthread_t thread[3];
	uint64_t wrong = 0;
	void *ret;

	for (unsigned int i = 0; i < COUNT(thread); i++)
		pthread_create(&thread[i], NULL, churn, p);
	for (unsigned int i = 0; i < COUNT(thread); i++) {
		pthread_join(thread[i], &ret);
		wrong += (uintptr_t)ret;
	}
	tap_ok(!wrong && !windows() && !status_kb("VmLck"),
	       "by several threads at once (%llu wrong, %ld kB locked)", (unsigned long long)wrong,
	       status_kb("VmLck"));
	munmap(p, 16 * PAGE);
}

/* Ends a part of a window, just as the context of that one is closed. */
struct race {
	pthread_barrier_t start;
	vn_device_t maker;
	uint32_t part;
	int err;
};

static void *end_part(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->start);
	r->err = vn_window_invalidate(dev, CHIP, r->part);
	return NULL;
}

static void test_maker_ends(void)
{
	unsigned int rounds = quick() ? 100 : 500, wrong = 0, stale = 0;
	uint32_t before = windows(), access = VN_ACCESS_REMOTE_READ, key;
	uint8_t *p = pages(1);
	pthread_t thread;
	struct race r;
	int fd;

	pthread_barrier_init(&r.start, NULL, 2);
	for (unsigned int i = 0; i < rounds; i++) {
		NEED(vn_reopen(dev, &r.maker));
		fd = vn_domain_export(dev);
		NEED(fd < 0 ? fd : vn_domain_join(r.maker, fd));
		close(fd);
		NEED(vn_window_user(r.maker, CHIP, p, PAGE, access, &key));
		NEED(vn_window_part(dev, CHIP, key, 0, 64, access, &r.part));
		NEED(pthread_create(&thread, NULL, end_part, &r));
		pthread_barrier_wait(&r.start);
		vn_close(r.maker);
		pthread_join(thread, NULL);
		stale += r.err == -ESTALE;
		wrong += r.err && r.err != -ESTALE;
	}
	tap_ok(!wrong && windows() == before,
	       "a part ends while the maker of its window does (%u of %u had ended with it)", stale,
	       rounds);
	pthread_barrier_destroy(&r.start);
	munmap(p, PAGE);
}

int main(void)
{
	bool can_lock;

	open_machine();
	can_lock = locks();
	if (can_lock)
		test_limit();
	else
		tap_skip("only where memory can be locked, not under a sanitizer: the limit");
	test_refused();
	test_use();
	if (can_lock)
		test_counts();
	test_fork();
	if (in_kernel(dev))
		test_process_ends();
	test_churn();
	test_maker_ends();
	test_lost();
	vn_close(dev);
	return tap_done();
}
