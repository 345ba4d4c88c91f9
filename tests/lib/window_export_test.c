// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that exported HBM is shared memory for whoever has the fd, and no more of it than was
 * exported: mapped in other processes, for reading alone or not, as a window of others, by
 * several at once; that it outlives its window, its allocation, its context and its process;
 * and that its sled is not drained meanwhile, says why, and is drained afterwards, with all
 * that was written in between.
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "faults.h"
#include "passing.h"

#define CHIP 4u
#define PAGE 4096u

static uint8_t *map(int fd, uint64_t bytes, int prot)
{
	uint8_t *p = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void test_refused(void)
{
	struct vn_mem m = take(dev, CHIP, 8 * PAGE), lie = m;

	tap_ok(vn_mem_export(dev, &m, 0, 0, 0) == -EINVAL, "of no bytes: %s", vn_error());
	tap_ok(vn_mem_export(dev, &m, 0, PAGE + 8, 0) == -EINVAL &&
		       vn_mem_export(dev, &m, 8, PAGE, 0) == -EINVAL,
	       "that is not whole pages");
	tap_ok(vn_mem_export(dev, &m, 0, 9 * PAGE, 0) == -EINVAL &&
		       vn_mem_export(dev, &m, 8 * PAGE, PAGE, 0) == -EINVAL &&
		       vn_mem_export(dev, &m, PAGE, ~0ull << 12, 0) == -EINVAL,
	       "more than there is");
	tap_ok(vn_mem_export(dev, &m, 0, PAGE, 2) == -EINVAL, "unknown flags");
	lie.addr = 0;
	tap_ok(vn_mem_export(dev, &lie, 0, PAGE, 0) == -ENOENT, "no memory");
	lie = m;
	lie.chip++;
	tap_ok(vn_mem_export(dev, &lie, 0, PAGE, 0) == -ENOENT, "of another chip: %s", vn_error());
	vn_mem_free(dev, &m);
}

static void test_window_refused(void)
{
	struct vn_mem m = take(dev, CHIP, 8 * PAGE);
	int rw = vn_mem_export(dev, &m, 0, 2 * PAGE, VN_EXPORT_WRITE);
	int ro = vn_mem_export(dev, &m, 2 * PAGE, 2 * PAGE, 0), null = open("/dev/null", O_RDWR);
	uint32_t key = 77, chip = CHIP + 1;

	NEED(rw);
	NEED(ro);
	tap_ok(vn_window_dmabuf(dev, chip, -1, 0, 1, FULL_ACCESS, &key) == -EBADF &&
		       vn_window_dmabuf(dev, chip, 12345, 0, 1, FULL_ACCESS, &key) == -EBADF &&
		       vn_window_dmabuf(dev, chip, null, 0, 1, FULL_ACCESS, &key) == -EBADF,
	       "a window on no dma-buf: %s", vn_error());
	tap_ok(vn_window_dmabuf(dev, chip, rw, 0, 0, FULL_ACCESS, &key) == -EINVAL &&
		       vn_window_dmabuf(dev, chip, rw, 0, 2 * PAGE + 1, FULL_ACCESS, &key) ==
			       -EINVAL &&
		       vn_window_dmabuf(dev, chip, rw, 2 * PAGE, 1, FULL_ACCESS, &key) == -EINVAL &&
		       vn_window_dmabuf(dev, chip, rw, 1, ~0ull, FULL_ACCESS, &key) == -EINVAL,
	       "of nothing, or more than there is: %s", vn_error());
	tap_ok(vn_window_dmabuf(dev, chip, ro, 0, 1, FULL_ACCESS, &key) == -EACCES &&
		       vn_window_dmabuf(dev, chip, ro, 0, 1,
					VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_ATOMIC,
					&key) == -EACCES,
	       "to write what may be read alone: %s", vn_error());
	tap_ok(vn_window_dmabuf(dev, chip, rw, 0, 1, 0, &key) == -EINVAL && key == 77,
	       "for nothing");
	tap_ok(!vn_window_dmabuf(dev, chip, ro, 0, 1, VN_ACCESS_REMOTE_READ, &key),
	       "to read it: fine");
	tap_ok(vn_window_map(dev, chip, key, VN_ACCESS_REMOTE_READ, &(struct vn_import){ 0 }) ==
			       -EINVAL &&
		       vn_window_rebind(dev, &key, &(struct vn_mem){ .chip = chip }, 0, 1,
					FULL_ACCESS) == -EINVAL,
	       "which is not mapped by key, nor re-bound");
	NEED(vn_window_invalidate(dev, chip, key));
	close(rw);
	close(ro);
	close(null);
	vn_mem_free(dev, &m);
}

/* What a context may have of memory that is not its own: whole dma-bufs count, each time. */
static void test_cap(void)
{
	enum { PART = 32 << 20, MOST = VN_WINDOW_OUTSIDE_MAX / PART };
	struct vn_mem m = take(dev, CHIP, PART);
	uint32_t key[MOST], more, n = 0, chip = CHIP + 1;
	uint8_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = vn_mem_export(dev, &m, 0, PART, 0);

	NEED(fd);
	while (n < MOST &&
	       !vn_window_dmabuf(dev, chip, fd, PAGE, 1, VN_ACCESS_REMOTE_READ, &key[n]))
		n++;
	tap_ok(n == MOST, "windows on whole dma-bufs of %u MiB (%u of %u)", PART >> 20, n,
	       (unsigned int)MOST);
	tap_ok(vn_window_dmabuf(dev, chip, fd, 0, 1, VN_ACCESS_REMOTE_READ, &more) == -ENOSPC,
	       "more than a context may have: %s", vn_error());
	tap_ok(vn_window_user(dev, chip, p, 1, FULL_ACCESS, &more) == -ENOSPC,
	       "nor a byte of its memory: %s", vn_error());
	NEED(vn_window_invalidate(dev, chip, key[--n]));
	tap_ok(!vn_window_user(dev, chip, p, 1, FULL_ACCESS, &more) &&
		       vn_window_dmabuf(dev, chip, fd, 0, 1, VN_ACCESS_REMOTE_READ, &key[n]) ==
			       -ENOSPC,
	       "which there is room for when one is given back, and for no dma-buf then");
	NEED(vn_window_invalidate(dev, chip, more));
	while (n)
		NEED(vn_window_invalidate(dev, chip, key[--n]));
	munmap(p, PAGE);
	close(fd);
	vn_mem_free(dev, &m);
}

/* ---- another process --------------------------------------------------------------------- */

enum { MAP = 1, WRITE, READ, LENGTH, MAP_RW, REOPEN, SYNC, LEAVE };

/* The same file, opened anew to be written: can it be? */
static bool written_anew(int fd)
{
	char link[32];
	uint8_t *p;
	bool can;
	int rw;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	rw = open(link, O_RDWR | O_CLOEXEC);
	p = map(rw, PAGE, PROT_READ | PROT_WRITE);
	can = p || write(rw, "x", 1) == 1;
	if (p)
		munmap(p, PAGE);
	if (rw >= 0)
		close(rw);
	return can;
}

/* A process that has nothing but what it is given; byte 100 of it. */
static void stranger(int sock)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	uint8_t *p = NULL;
	int fd = recv_fd(sock);

	for (;;) {
		switch (hear(sock)) {
		case MAP:
			p = map(fd, PAGE, PROT_READ);
			say(sock, !p);
			break;
		case MAP_RW:
			p = map(fd, PAGE, PROT_READ | PROT_WRITE);
			say(sock, !p);
			break;
		case REOPEN:
			say(sock, written_anew(fd));
			break;
		case WRITE:
			p[100] = 0x5a;
			say(sock, 0);
			break;
		case READ:
			say(sock, *(volatile uint8_t *)&p[100]);
			break;
		case LENGTH:
			say(sock, (uint32_t)lseek(fd, 0, SEEK_END));
			break;
		case SYNC:
			say(sock, ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? (uint32_t)errno : 0);
			break;
		default:
			return;
		}
	}
}

static void test_share(void)
{
	struct vn_mem m = take(dev, CHIP, 8 * PAGE);
	vn_queue_t q = queue(dev, 0, 8);
	int fd, ro, sock[2];
	uint32_t wrong = 0;
	pid_t pid[2];

	/* Before there is anything to inherit. */
	pid[0] = child(stranger, &sock[0]);
	pid[1] = child(stranger, &sock[1]);
	scramble(m.ptr, m.bytes);
	((uint8_t *)m.ptr)[3 * PAGE + 100] = 0x11;
	fd = vn_mem_export(dev, &m, 3 * PAGE, 2 * PAGE, VN_EXPORT_WRITE);
	tap_ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "an fd, closed on exec: %s",
	       fd < 0 ? vn_error() : "");
	ro = vn_mem_export(dev, &m, 6 * PAGE, PAGE, 0);
	NEED(ro);
	send_fd(sock[0], fd);
	send_fd(sock[1], ro);
	tap_ok(ask(sock[0], LENGTH) == 2 * PAGE && ask(sock[1], LENGTH) == PAGE,
	       "as long as what was exported");
	tap_ok(!ask(sock[0], MAP_RW) && ask(sock[0], READ) == 0x11,
	       "another process maps it, and sees what is there");
	((uint8_t *)m.ptr)[3 * PAGE + 100] = 0x22;
	tap_ok(ask(sock[0], READ) == 0x22, "and what is written");
	tap_ok(!run_fill(q, vn_at(&m, 3 * PAGE + 100), 1, 0x33, 1) && ask(sock[0], READ) == 0x33,
	       "by descriptors, too");
	tap_ok(!ask(sock[0], WRITE) && ((volatile uint8_t *)m.ptr)[3 * PAGE + 100] == 0x5a,
	       "what it writes is seen here");
	memset((uint8_t *)m.ptr + 6 * PAGE, 0x44, PAGE);
	tap_ok(ask(sock[1], MAP_RW), "what is to be read alone is not mapped to be written");
	tap_ok(!ask(sock[1], REOPEN), "nor when its file is opened anew");
	tap_ok(!ask(sock[1], MAP) && ask(sock[1], READ) == 0x44, "but to be read");
	if (in_kernel(dev))
		tap_ok(!ask(sock[0], SYNC), "it may ask for access");

	/* All the rest of it is as it was. */
	for (unsigned int i = 0; i < 6 * PAGE; i += 7)
		if (i / PAGE != 3 && i / PAGE != 4)
			wrong += run_copy(q, vn_at(&m, 7 * PAGE), vn_at(&m, i), 1) ||
				 ((uint8_t *)m.ptr)[7 * PAGE] != ((uint8_t *)m.ptr)[i];
	tap_ok(!wrong, "what is around it is HBM as before (%u wrong)", wrong);
	close(fd);
	close(ro);
	tap_ok(!vn_mem_free(dev, &m) && ask(sock[0], READ) == 0x5a && ask(sock[1], READ) == 0x44,
	       "they have it when it is freed here: %s", vn_error());
	m = take(dev, CHIP, 8 * PAGE);
	memset(m.ptr, 0x99, m.bytes);
	tap_ok(ask(sock[0], READ) == 0x5a && !ask(sock[0], WRITE),
	       "it is not given to anybody else");
	for (unsigned int i = 0; i < m.bytes; i++)
		wrong += ((uint8_t *)m.ptr)[i] != 0x99;
	tap_ok(!wrong, "whose memory is his");
	for (unsigned int i = 0; i < 2; i++) {
		say(sock[i], LEAVE);
		wrong += ended(pid[i]) != 0;
		close(sock[i]);
	}
	tap_ok(!wrong, "they end");
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

/* Several that have it, and use it as memory of other chips. */
static void test_importers(void)
{
	struct vn_mem m = take(dev, CHIP, 8 * PAGE), own = take(dev, 0, PAGE);
	vn_queue_t q = queue(dev, 0, 8);
	int fd = vn_mem_export(dev, &m, 2 * PAGE, 4 * PAGE, VN_EXPORT_WRITE);
	uint32_t key[4], part, wrong = 0;
	uint64_t before = used(CHIP + 1);
	vn_device_t peer;
	uint8_t *p;

	NEED(fd);
	memset(m.ptr, 0, m.bytes);
	NEED(vn_reopen(dev, &peer));
	for (unsigned int i = 0; i < COUNT(key); i++)
		NEED(vn_window_dmabuf(i & 1 ? peer : dev, CHIP + 1, fd, i * PAGE + i, 1000,
				      FULL_ACCESS, &key[i]));
	p = map(fd, 4 * PAGE, PROT_READ | PROT_WRITE);
	NEED(p ? 0 : -errno);
	close(fd);
	tap_ok(used(CHIP + 1) == before, "windows on an export take nothing of their chip's");
	for (unsigned int i = 0; i < COUNT(key); i += 2)
		wrong += run_fill(q, vn_by_key(CHIP + 1, key[i], 999), 1, 0x50 + i, 1) ||
			 ((uint8_t *)m.ptr)[2 * PAGE + i * PAGE + i + 999] != 0x50 + i ||
			 p[i * PAGE + i + 999] != 0x50 + i;
	tap_ok(!wrong, "what is written through them is there for all (%u wrong)", wrong);
	tap_ok(run_fill(q, vn_by_key(CHIP + 1, key[0], 1000), 1, 1, 1) == VN_BAD_RANGE,
	       "as far as they reach");
	NEED(vn_window_part(dev, CHIP + 1, key[0], 1, 8, FULL_ACCESS, &part));
	tap_ok(!run_fill(q, vn_by_key(CHIP + 1, part, 0), 1, 7, 1) && p[1] == 7,
	       "they have parts, too");
	vn_close(peer);
	tap_ok(!vn_mem_free(dev, &m) && !run_fill(q, vn_by_key(CHIP + 1, key[2], 0), 1, 9, 1) &&
		       p[2 * PAGE + 2] == 9,
	       "and outlive the allocation: %s", vn_error());
	tap_ok(!vn_window_invalidate(dev, CHIP + 1, key[0]) &&
		       run_fill(q, vn_by_key(CHIP + 1, part, 0), 1, 7, 1) == VN_STALE_KEY,
	       "one that ends takes its parts along");
	NEED(vn_window_invalidate(dev, CHIP + 1, key[2]));
	if (in_kernel(dev)) {
		tap_ok(used(CHIP) >= 8 * PAGE,
		       "the memory counts for its chip as long as it is mapped");
		munmap(p, 4 * PAGE);
		for (unsigned int i = 0; i < 100 && used(CHIP); i++)
			sleep_ms(10);
		tap_ok(!used(CHIP), "and then no more (%llu)", (unsigned long long)used(CHIP));
	} else {
		munmap(p, 4 * PAGE);
	}
	vn_queue_destroy(q);
	vn_mem_free(dev, &own);
}

/* ---- who exports dies ---------------------------------------------------------------------- */

static void exporter(int sock)
{
	struct vn_mem m;
	int fd;

	dev = device();
	m = take(dev, CHIP, 4 * PAGE);
	memset(m.ptr, 0x66, m.bytes);
	fd = vn_mem_export(dev, &m, PAGE, 2 * PAGE, VN_EXPORT_WRITE);
	MUST(fd >= 0);
	send_fd(sock, fd);
	for (;;)
		say(sock, ((uint8_t *)m.ptr)[hear(sock)]);
}

static void test_exporter_dies(void)
{
	uint32_t wrong = 0;
	int sock, fd;
	uint8_t *p;
	pid_t pid;

	pid = child(exporter, &sock);
	fd = recv_fd(sock);
	p = map(fd, 2 * PAGE, PROT_READ | PROT_WRITE);
	NEED(p ? 0 : -errno);
	p[5] = 0x67;
	tap_ok(p[0] == 0x66 && ask(sock, PAGE + 5) == 0x67, "two processes share memory of one");
	NEED(kill(pid, SIGKILL));
	tap_ok(ended(pid) == -SIGKILL, "which is killed");
	if (in_kernel(dev))
		tap_ok(used(CHIP) == 4 * PAGE, "its memory counts (%llu)",
		       (unsigned long long)used(CHIP));
	for (unsigned int i = 0; i < 2 * PAGE; i++)
		wrong += p[i] != (i == 5 ? 0x67 : 0x66);
	p[2 * PAGE - 1] = 1;
	tap_ok(!wrong && p[2 * PAGE - 1] == 1, "the other one goes on (%u wrong)", wrong);
	munmap(p, 2 * PAGE);
	close(fd);
	for (unsigned int i = 0; i < 100 && used(CHIP); i++)
		sleep_ms(10);
	tap_ok(!used(CHIP), "and then nothing is left (%llu)", (unsigned long long)used(CHIP));
	close(sock);
}

/* ---- drains ---------------------------------------------------------------------------------- */

static struct {
	struct vn_mem *m;
	int fd, calls, err;
	uint8_t *p;
} late;

/* Exported in the middle of a drain, written to, and closed two steps later. */
static int on_step(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state != VN_SLED_PRECOPY)
		return 0;
	switch (late.calls++) {
	case 0:
		late.fd = vn_mem_export(dev, late.m, 0, 2 * PAGE, VN_EXPORT_WRITE);
		late.err = late.fd < 0 ? late.fd : 0;
		late.p = late.fd < 0 ? NULL : map(late.fd, 2 * PAGE, PROT_READ | PROT_WRITE);
		if (late.p)
			memset(late.p, 0x21, PAGE);
		break;
	case 3:
		if (!late.p)
			break;
		memset(late.p + PAGE, 0x22, PAGE);
		munmap(late.p, 2 * PAGE);
		close(late.fd);
	}
	return 0;
}

static void test_drain(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_mem m = take(dev, CHIP, 4 * BYTES), copy = take(dev, 0, 4 * BYTES);
	uint32_t sled = sled_of(CHIP), user[2], key;
	int fd = vn_mem_export(dev, &m, BYTES, BYTES, VN_EXPORT_WRITE), err;
	struct vn_drain_open plan;
	vn_queue_t q = queue(dev, 0, 8);
	uint8_t *p = map(fd, BYTES, PROT_READ | PROT_WRITE);

	NEED(fd);
	NEED(p ? 0 : -errno);
	scramble(m.ptr, m.bytes);
	c.budget_ns = SECOND;
	NEED(vn_sled_plan(dev, sled, VN_ANY_SLED, &plan));
	tap_ok(plan.exports == 1 && plan.holder_pid == (uint32_t)getpid(),
	       "a dry run says that there is an export, and whose it is (%u, %u)", plan.exports,
	       plan.holder_pid);
	err = vn_sled_drain(dev, sled, &c, NULL);
	tap_ok(err == -EBUSY && strstr(vn_error(), "by context") &&
		       strstr(vn_error(), "of process"),
	       "its sled is not drained: %s", vn_error());
	tap_ok(state(sled) == VN_SLED_IN_SERVICE, "it is in service");
	close(fd);
	err = vn_sled_drain(dev, sled, &c, NULL);
	tap_ok(err == -EBUSY, "nor as long as it is mapped");
	memset(p, 0x12, BYTES);
	munmap(p, BYTES);
	/* Windows on other memory are no reason. */
	NEED(vn_window_user(dev, CHIP, copy.ptr ? user : NULL, sizeof(user), FULL_ACCESS, &key));
	memcpy(copy.ptr, m.ptr, m.bytes);
	err = vn_sled_drain(dev, sled, &c, NULL);
	tap_ok(!err && !memcmp(copy.ptr, m.ptr, m.bytes) && ((uint8_t *)m.ptr)[BYTES] == 0x12,
	       "then it is, with all that was written: %s", err ? vn_error() : "");
	tap_ok(!run_fill(q, vn_by_key(CHIP, key, 0), 8, 0x3333, 8) && *(uint64_t *)user == 0x3333,
	       "and windows on other memory go on");
	NEED(vn_window_invalidate(dev, CHIP, key));
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));

	late.m = &m;
	c.progress = on_step;
	sled = sled_of(CHIP);
	err = vn_sled_drain(dev, sled, &c, NULL);
	if (in_kernel(dev)) {
		memset(copy.ptr, 0x21, PAGE);
		memset((uint8_t *)copy.ptr + PAGE, 0x22, PAGE);
		tap_ok(!err && !late.err && late.calls > 4 && !memcmp(copy.ptr, m.ptr, m.bytes),
		       "exported in the middle of it: it waits, and loses nothing (%d steps): %s",
		       late.calls, err ? vn_error() : "");
	} else {
		tap_ok(!err && late.err == -EBUSY && !memcmp(copy.ptr, m.ptr, m.bytes),
		       "nothing is exported in the middle of it: %d", late.err);
	}
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));

	/* One that is never closed. */
	fd = vn_mem_export(dev, &m, 0, BYTES, VN_EXPORT_WRITE);
	NEED(fd);
	c.progress = NULL;
	sled = sled_of(CHIP);
	tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -EBUSY, "again not: %s", vn_error());
	NEED(vn_mem_free(dev, &m));
	if (in_kernel(dev))
		tap_ok(vn_sled_drain(dev, sled, &c, NULL) == -EBUSY, "freed or not: %s",
		       vn_error());
	close(fd);
	tap_ok(!vn_sled_drain(dev, sled, &c, NULL), "until it is closed");
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	vn_mem_free(dev, &copy);
	vn_queue_destroy(q);
}

/* Descriptors and bracketed writes of the CPU while memory is exported, again and again. */
static struct {
	struct vn_mem m;
	int stop;
	uint64_t written, signalled;
	uint32_t wrong;
} busy;

static void *write_words(void *arg)
{
	uint64_t *word = arg, n = 0;

	while (!__atomic_load_n(&busy.stop, __ATOMIC_ACQUIRE)) {
		vn_mem_begin(dev, word, 8);
		__atomic_fetch_add(&busy.wrong, *word != n, __ATOMIC_RELAXED);
		*word = ++n;
		vn_mem_end(dev);
		__atomic_store_n(&busy.written, n, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *signal_words(void *arg)
{
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_desc d = { 0 };

	vn_prep_sem_signal(&d, *(struct vn_operand *)arg, 1);
	while (!__atomic_load_n(&busy.stop, __ATOMIC_ACQUIRE)) {
		__atomic_fetch_add(&busy.wrong, run(q, &d, NULL) != VN_OK, __ATOMIC_RELAXED);
		__atomic_fetch_add(&busy.signalled, 1, __ATOMIC_RELAXED);
	}
	vn_queue_destroy(q);
	return NULL;
}

static void test_busy(void)
{
	struct vn_mem m = take(dev, CHIP, 256 * PAGE);
	unsigned int rounds = quick() ? 50 : 300, wrong = 0;
	struct vn_operand second = vn_at(&m, 16);
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_desc d = { 0 };
	uint64_t *words = m.ptr, signals = 0;
	pthread_t thread[2];

	memset(m.ptr, 0, m.bytes);
	memset(&busy, 0, sizeof(busy));
	pthread_create(&thread[0], NULL, write_words, &words[1]);
	pthread_create(&thread[1], NULL, signal_words, &second);
	vn_prep_sem_signal(&d, vn_at(&m, 0), 1);
	for (unsigned int i = 0; i < rounds; i++) {
		int fd = vn_mem_export(dev, &m, 0, m.bytes, VN_EXPORT_WRITE);
		uint64_t *p;

		NEED(fd);
		p = (uint64_t *)map(fd, m.bytes, PROT_READ | PROT_WRITE);
		wrong += !p || run(q, &d, NULL) || p[0] != ++signals || words[0] != signals;
		if (p)
			munmap(p, m.bytes);
		close(fd);
		wrong += run(q, &d, NULL) != VN_OK;
		signals++;
	}
	while (!__atomic_load_n(&busy.written, __ATOMIC_RELAXED) ||
	       !__atomic_load_n(&busy.signalled, __ATOMIC_RELAXED))
		sleep_ms(1);
	__atomic_store_n(&busy.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	tap_ok(!wrong && !busy.wrong && words[0] == signals && words[1] == busy.written &&
		       words[2] == busy.signalled,
	       "exported %u times under writes: none is lost (%u, %u wrong; %llu by the CPU, %llu "
	       "by descriptors)",
	       rounds, wrong, busy.wrong, (unsigned long long)busy.written,
	       (unsigned long long)busy.signalled);
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

static void test_lost(void)
{
	struct vn_mem m = take(dev, CHIP, 2 * PAGE);
	int fd = vn_mem_export(dev, &m, 0, PAGE, VN_EXPORT_WRITE);
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	uint8_t *p = map(fd, PAGE, PROT_READ);
	uint32_t wrong = 0;

	NEED(p ? 0 : -errno);
	memset(m.ptr, 0x31, m.bytes);
	NEED(make(VN_FAULT_CHIP_LOSS, CHIP, 0));
	for (unsigned int i = 0; i < PAGE; i++)
		wrong += p[i] != 0xff;
	tap_ok(!wrong, "with its chip it is lost: all ones (%u are not)", wrong);
	if (in_kernel(dev))
		tap_ok(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) == -1 && errno == EHOSTDOWN,
		       "and who asks for access is told");
	tap_ok(vn_mem_export(dev, &m, PAGE, PAGE, 0) == -EHOSTDOWN, "no more of it is exported: %s",
	       vn_error());
	munmap(p, PAGE);
	close(fd);
	vn_mem_free(dev, &m);
	NEED(clear(VN_FAULT_ANY, 0));
}

int main(void)
{
	open_machine();
	if (in_kernel(dev)) {
		test_exporter_dies();
		test_share();
	} else {
		/* Processes that come from one with threads have none of them. */
		vn_close(dev);
		open_machine();
		test_share();
		test_exporter_dies();
	}
	test_refused();
	test_window_refused();
	test_cap();
	test_importers();
	test_drain();
	test_busy();
	test_lost();
	vn_close(dev);
	return tap_done();
}
