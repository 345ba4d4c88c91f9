/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of the device nodes share: calls by raw ioctl(), and objects
 * made with them. Whatever a test builds on is fatal when it fails; only what
 * the test is about becomes a point.
 */
#ifndef VN_TESTS_ABI_H
#define VN_TESTS_ABI_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <linux/vneuron.h>
#include "tap.h"

#define NODE "/dev/vneuron0"
#define PAGE 4096u
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND 1000000000ull

#define must(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("Bail out! %s:%d: %s (%s)\n", __FILE__, __LINE__, #cond,            \
			       strerror(errno));                                                   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* 0 or -errno, as the kernel said it. */
TAP_FN int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

/* A point: the call's result is what was wanted. */
#define tap_result(got, want, ...)                                                                 \
	do {                                                                                       \
		int got_ = (got), want_ = (want);                                                  \
		if (!tap_ok(got_ == want_, __VA_ARGS__))                                           \
			tap_diag("got %s, wanted %s", got_ ? strerrorname_np(-got_) : "0",         \
				 want_ ? strerrorname_np(-want_) : "0");                           \
	} while (0)

TAP_FN uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

TAP_FN int open_context(void)
{
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	must(fd >= 0);
	return fd;
}

TAP_FN int open_chip(uint32_t chip)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), NODE "c%u", chip);
	fd = open(name, O_RDWR | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

TAP_FN void attach(int ctx, uint32_t chip)
{
	struct vn_chip_attach a = { .size = sizeof(a), .fd = open_chip(chip) };

	must(!call(ctx, VN_IOCTL_CHIP_ATTACH, &a) && a.chip == chip);
	close(a.fd);
}

/* A context with a chip. */
TAP_FN int open_on(uint32_t chip)
{
	int ctx = open_context();

	attach(ctx, chip);
	return ctx;
}

TAP_FN struct vn_query query(void)
{
	struct vn_query q = { .size = sizeof(q) };
	int ctx = open_context();

	must(!call(ctx, VN_IOCTL_QUERY, &q));
	close(ctx);
	return q;
}

TAP_FN struct vn_chip_query chip_query(int ctx, uint32_t chip)
{
	struct vn_chip_query q = { .size = sizeof(q), .chip = chip };

	must(!call(ctx, VN_IOCTL_CHIP_QUERY, &q));
	return q;
}

/* ---- memory and windows -------------------------------------------------- */

struct mem {
	uint32_t chip;
	uint64_t addr, bytes, offset;
	uint8_t *ptr;
};

TAP_FN struct mem mem_alloc(int ctx, uint32_t chip, uint64_t bytes)
{
	struct vn_mem_alloc a = { .size = sizeof(a), .chip = chip, .bytes = bytes };
	struct mem m = { .chip = chip, .bytes = bytes };

	must(!call(ctx, VN_IOCTL_MEM_ALLOC, &a));
	m.addr = a.addr;
	m.offset = a.mmap_offset;
	m.ptr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ctx, a.mmap_offset);
	must(m.ptr != MAP_FAILED);
	return m;
}

TAP_FN int mem_free(int ctx, uint32_t chip, uint64_t addr)
{
	struct vn_mem_free a = { .size = sizeof(a), .chip = chip, .addr = addr };

	return call(ctx, VN_IOCTL_MEM_FREE, &a);
}

TAP_FN struct vn_operand at(const struct mem *m, uint64_t offset)
{
	return (struct vn_operand){ VN_HERE, m->chip, 0, m->addr + offset };
}

#define ACCESS_ALL                                                                                 \
	(VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE |                  \
	 VN_ACCESS_REMOTE_ATOMIC)

TAP_FN uint32_t window_create(int ctx, const struct mem *m, uint64_t offset, uint64_t bytes,
			      uint32_t access)
{
	struct vn_window_create a = { .size = sizeof(a),
				      .chip = m->chip,
				      .addr = m->addr + offset,
				      .bytes = bytes,
				      .access = access };

	must(!call(ctx, VN_IOCTL_WINDOW_CREATE, &a) && a.key);
	return a.key;
}

TAP_FN int window_invalidate(int ctx, uint32_t chip, uint32_t key)
{
	struct vn_window_invalidate a = { .size = sizeof(a), .chip = chip, .key = key };

	return call(ctx, VN_IOCTL_WINDOW_INVALIDATE, &a);
}

/* The offset for mmap(), or -errno. */
TAP_FN int64_t window_import(int ctx, uint32_t chip, uint32_t key, uint32_t access)
{
	struct vn_window_import a = {
		.size = sizeof(a), .chip = chip, .key = key, .access = access
	};
	int err = call(ctx, VN_IOCTL_WINDOW_IMPORT, &a);

	return err ? err : (int64_t)a.mmap_offset;
}

TAP_FN int domain_export(int ctx)
{
	struct vn_domain_export a = { .size = sizeof(a) };

	must(!call(ctx, VN_IOCTL_DOMAIN_EXPORT, &a));
	return a.fd;
}

TAP_FN int domain_join(int ctx, int fd)
{
	struct vn_domain_join a = { .size = sizeof(a), .fd = fd };

	return call(ctx, VN_IOCTL_DOMAIN_JOIN, &a);
}

/* ---- status pages -------------------------------------------------------- */

struct status {
	uint64_t offset, bytes;
	struct vn_rank_status *entry;
};

TAP_FN struct status status_create(int ctx)
{
	struct vn_status_create a = { .size = sizeof(a) };
	struct status s;

	must(!call(ctx, VN_IOCTL_STATUS_CREATE, &a));
	s.offset = a.mmap_offset;
	s.bytes = a.bytes;
	s.entry = mmap(NULL, a.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ctx, a.mmap_offset);
	must(s.entry != MAP_FAILED);
	return s;
}

TAP_FN int status_destroy(int ctx, uint64_t offset)
{
	struct vn_status_destroy a = { .size = sizeof(a), .mmap_offset = offset };

	return call(ctx, VN_IOCTL_STATUS_DESTROY, &a);
}

/* ---- queues and plans ---------------------------------------------------- */

struct queue {
	int ctx;
	uint32_t id, depth;
	uint64_t offset, bytes;
	volatile struct vn_ring *ring;
	struct vn_desc *sq;
	volatile struct vn_cqe *cq;
};

TAP_FN struct queue queue_create(int ctx, uint32_t chip, uint32_t depth, int eventfd)
{
	struct vn_queue_create a = { .size = sizeof(a),
				     .chip = chip,
				     .depth = depth,
				     .flags = eventfd >= 0 ? VN_QUEUE_EVENTFD : 0,
				     .eventfd = eventfd >= 0 ? eventfd : 0 };
	struct queue q = { .ctx = ctx, .depth = depth };
	uint8_t *map;

	must(!call(ctx, VN_IOCTL_QUEUE_CREATE, &a) && a.mmap_bytes == VN_QUEUE_BYTES(depth));
	map = mmap(NULL, a.mmap_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ctx, a.mmap_offset);
	must(map != MAP_FAILED);
	q.id = a.queue;
	q.offset = a.mmap_offset;
	q.bytes = a.mmap_bytes;
	q.ring = (void *)map;
	q.sq = (void *)(map + VN_RING_SQ_OFFSET);
	q.cq = (void *)(map + VN_RING_CQ_OFFSET(depth));
	return q;
}

TAP_FN int queue_call(int ctx, unsigned long cmd, uint32_t id)
{
	struct vn_queue_id a = { .size = sizeof(a), .queue = id };

	return call(ctx, cmd, &a);
}

TAP_FN int queue_reset(const struct queue *q)
{
	return queue_call(q->ctx, VN_IOCTL_QUEUE_RESET, q->id);
}

TAP_FN int queue_doorbell(const struct queue *q)
{
	return queue_call(q->ctx, VN_IOCTL_DOORBELL, q->id);
}

TAP_FN void queue_destroy(struct queue *q)
{
	must(!queue_call(q->ctx, VN_IOCTL_QUEUE_DESTROY, q->id));
	munmap((void *)q->ring, q->bytes);
}

/* Puts one descriptor into the ring and publishes it. */
TAP_FN void submit(struct queue *q, const struct vn_desc *d)
{
	uint32_t tail = q->ring->sq_tail;

	q->sq[tail & (q->depth - 1)] = *d;
	__atomic_store_n(&q->ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

TAP_FN int wait_until(const struct queue *q, uint32_t target, uint64_t deadline_ns)
{
	struct vn_wait a = {
		.size = sizeof(a), .queue = q->id, .target = target, .deadline_ns = deadline_ns
	};

	return call(q->ctx, VN_IOCTL_WAIT, &a);
}

/* Runs one descriptor: its status, or -errno when there is no completion. */
TAP_FN int run(struct queue *q, const struct vn_desc *d)
{
	uint32_t tail = q->ring->cq_tail;
	int err;

	q->ring->cq_head = tail;
	submit(q, d);
	err = wait_until(q, tail + 1, now_ns() + 20 * SECOND);
	if (err && q->ring->cq_tail != tail + 1)
		return err;
	return q->cq[tail & (q->depth - 1)].status;
}

TAP_FN struct vn_desc copy_desc(struct vn_operand dst, struct vn_operand src, uint64_t bytes)
{
	struct vn_desc d = { .opcode = VN_OP_COPY };

	d.copy.src = src;
	d.copy.dst = dst;
	d.copy.bytes = bytes;
	return d;
}

TAP_FN struct vn_desc sem_desc(enum vn_opcode op, struct vn_operand sem, uint64_t value)
{
	struct vn_desc d = { .opcode = op };

	d.sem.at = sem;
	d.sem.value = value;
	return d;
}

TAP_FN struct vn_desc launch_desc(uint32_t plan)
{
	struct vn_desc d = { .opcode = VN_OP_LAUNCH };

	d.launch.plan = plan;
	return d;
}

/* One program on one chip. */
TAP_FN int plan_create(int ctx, uint32_t chip, const struct vn_desc *descs, uint32_t n,
		       uint32_t *plan)
{
	struct vn_program p = { .chip = chip, .count = n };
	struct vn_plan_create a = { .size = sizeof(a),
				    .programs = (uintptr_t)&p,
				    .descs = (uintptr_t)descs,
				    .nprograms = 1,
				    .ndescs = n };
	int err = call(ctx, VN_IOCTL_PLAN_CREATE, &a);

	*plan = a.plan;
	return err;
}

TAP_FN int plan_destroy(int ctx, uint32_t plan)
{
	struct vn_plan_destroy a = { .size = sizeof(a), .plan = plan };

	return call(ctx, VN_IOCTL_PLAN_DESTROY, &a);
}

/* ---- touching memory that may not be there ------------------------------- */

static sigjmp_buf touch_back;

TAP_FN void touch_signal(int sig)
{
	siglongjmp(touch_back, sig);
}

/* The signal that reading (or writing back) a byte raises, or 0. */
TAP_FN int touch(volatile uint8_t *p, bool write)
{
	struct sigaction sa = { .sa_handler = touch_signal }, bus, segv;
	int sig;

	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	sig = sigsetjmp(touch_back, 1);
	if (!sig) {
		uint8_t byte = *p;

		if (write)
			*p = byte;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}

/* Two pages of which the second can't be touched, and is nobody else's either. */
TAP_FN uint8_t *page_before_nothing(void)
{
	uint8_t *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED && !mprotect(p + PAGE, PAGE, PROT_NONE));
	return p;
}

#endif
