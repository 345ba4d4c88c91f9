/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a sweep does with calls: the struct of each, all it needs, and the way back. */
#ifndef VN_TEST_SWEEP_CALLS_H
#define VN_TEST_SWEEP_CALLS_H

#include <poll.h>
#include <sys/epoll.h>
#include "sweep.h"
#include "../call_arg.h"

#define CHIP 0u
#define FAR 8u /* a chip on another sled, on which nobody has anything */
#define BYTES (4 * PAGE)

/* What the row at hand works on. */
static struct {
	int ctx, chip_fd, fresh, domain, event, nl, session;
	uint32_t sled, key;
	struct mem mem;
	struct queue queue;
	uint8_t *map, *to;
	uint64_t offset, bytes;
	struct ask ask;
	bool spoilt; /* the answer to it has not been read to its end */
} w;

/* The argument, and as it is sent each time. */
static union call_arg a, sent;

#define CALL_IT(name, nr, fd, member)                                                              \
	static int do_##name(void)                                                                 \
	{                                                                                          \
		a = sent;                                                                          \
		return call(fd, nr, &a.member);                                                    \
	}

#define SEND(member, type, ...)                                                                    \
	(sent.member = (struct type){ .size = sizeof(struct type), __VA_ARGS__ })

/* ---- the device ------------------------------------------------------------ */

static void begin_query(void)
{
	SEND(query, vn_query, .flags = 0);
}

static void begin_chip_query(void)
{
	SEND(chip_query, vn_chip_query, .chip = CHIP);
}

static void begin_sled_query(void)
{
	SEND(sled, vn_sled_query, .sled = 1);
}

CALL_IT(query, VN_IOCTL_QUERY, w.ctx, query)
CALL_IT(node_query, VN_IOCTL_QUERY, w.chip_fd, query)
CALL_IT(chip_query, VN_IOCTL_CHIP_QUERY, w.ctx, chip_query)
CALL_IT(sled_query, VN_IOCTL_SLED_QUERY, w.ctx, sled)

static int do_open(void)
{
	w.fresh = open(NODE, O_RDWR | O_CLOEXEC);
	return w.fresh < 0 ? -errno : 0;
}

static int do_open_chip(void)
{
	w.fresh = open(NODE "c0", O_RDWR | O_CLOEXEC);
	return w.fresh < 0 ? -errno : 0;
}

static void end_fresh(void)
{
	close(w.fresh);
}

static void begin_attach(void)
{
	w.fresh = open_context();
	SEND(attach, vn_chip_attach, .fd = w.chip_fd);
}

CALL_IT(attach, VN_IOCTL_CHIP_ATTACH, w.fresh, attach)

static uint64_t see_attached(void)
{
	return chip_query(w.fresh, CHIP).attached;
}

/* ---- memory and windows ---------------------------------------------------- */

static void begin_alloc(void)
{
	SEND(mem_alloc, vn_mem_alloc, .chip = CHIP, .bytes = BYTES);
}

static void begin_alloc_much(void)
{
	SEND(mem_alloc, vn_mem_alloc, .chip = CHIP, .bytes = (2u << 20) + 3 * PAGE);
}

CALL_IT(alloc, VN_IOCTL_MEM_ALLOC, w.ctx, mem_alloc)

static void end_alloc(void)
{
	must(!mem_free(w.ctx, CHIP, a.mem_alloc.addr));
}

static void begin_free(void)
{
	begin_alloc();
	must(!do_alloc());
	SEND(mem_free, vn_mem_free, .chip = CHIP, .addr = a.mem_alloc.addr);
}

CALL_IT(free, VN_IOCTL_MEM_FREE, w.ctx, mem_free)

/* The first one on a chip in this domain, with all that takes. */
static void begin_window(void)
{
	w.fresh = open_on(CHIP);
	w.mem = mem_alloc(w.fresh, CHIP, BYTES);
	SEND(window, vn_window_create, .chip = CHIP, .addr = w.mem.addr, .bytes = BYTES,
	     .access = ACCESS_ALL);
}

CALL_IT(window, VN_IOCTL_WINDOW_CREATE, w.fresh, window)

static void end_all(void)
{
	munmap(w.mem.ptr, w.mem.bytes);
	close(w.fresh);
}

static void begin_import(void)
{
	begin_window();
	w.key = window_create(w.fresh, &w.mem, 0, BYTES, ACCESS_ALL);
	SEND(import, vn_window_import, .chip = CHIP, .key = w.key,
	     .access = VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE);
}

CALL_IT(import, VN_IOCTL_WINDOW_IMPORT, w.fresh, import)

static void begin_invalidate(void)
{
	begin_import();
	must(!do_import());
	SEND(invalidate, vn_window_invalidate, .chip = CHIP, .key = w.key);
}

CALL_IT(invalidate, VN_IOCTL_WINDOW_INVALIDATE, w.fresh, invalidate)

static void begin_release(void)
{
	begin_import();
	must(!do_import());
	SEND(release, vn_window_release, .mmap_offset = a.import.mmap_offset);
}

CALL_IT(release, VN_IOCTL_WINDOW_RELEASE, w.fresh, release)

/* Of the process's own memory, as little aligned as may be. */
static void begin_user_window(void)
{
	static uint8_t own[4 * PAGE];

	w.fresh = open_on(CHIP);
	memset(own, 1, sizeof(own));
	SEND(window, vn_window_create, .chip = CHIP, .addr = (uintptr_t)own + 7, .bytes = 3 * PAGE,
	     .access = ACCESS_ALL, .flags = VN_WINDOW_USER);
}

static uint64_t see_pinned(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kb = 0;
	char line[128];

	must(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmLck: %lu", &kb);
	fclose(f);
	return kb;
}

static void begin_mem_export(void)
{
	begin_window();
	SEND(mem_export, vn_mem_export, .chip = CHIP, .addr = w.mem.addr, .bytes = BYTES,
	     .flags = VN_EXPORT_WRITE);
}

CALL_IT(mem_export, VN_IOCTL_MEM_EXPORT, w.fresh, mem_export)

static void end_mem_export(void)
{
	close(a.mem_export.fd);
	end_all();
}

static void begin_exported(void)
{
	begin_mem_export();
	must(!do_mem_export());
	w.session = a.mem_export.fd;
}

static void end_exported(void)
{
	close(w.session);
	end_all();
}

static void begin_dmabuf_window(void)
{
	begin_exported();
	SEND(window, vn_window_create, .chip = CHIP, .bytes = BYTES, .access = ACCESS_ALL,
	     .flags = VN_WINDOW_DMABUF, .fd = w.session);
}

static void begin_part(void)
{
	begin_import();
	SEND(window, vn_window_create, .chip = CHIP, .addr = PAGE, .bytes = PAGE,
	     .access = VN_ACCESS_REMOTE_READ, .flags = VN_WINDOW_PARENT, .parent = w.key);
}

static void begin_bind(void)
{
	begin_import();
	must(!do_import());
	SEND(bind, vn_window_bind, .chip = CHIP, .key = w.key, .access = ACCESS_ALL,
	     .addr = w.mem.addr + PAGE, .bytes = PAGE);
}

CALL_IT(bind, VN_IOCTL_WINDOW_BIND, w.fresh, bind)

static void begin_export(void)
{
	SEND(domain_export, vn_domain_export, .flags = 0);
}

CALL_IT(export, VN_IOCTL_DOMAIN_EXPORT, w.ctx, domain_export)

static void end_export(void)
{
	close(a.domain_export.fd);
}

static void begin_join(void)
{
	w.fresh = open_context();
	SEND(join, vn_domain_join, .fd = w.domain);
}

CALL_IT(join, VN_IOCTL_DOMAIN_JOIN, w.fresh, join)

/* The lowest number there is for a file: none stays open. */
static uint64_t see_files(void)
{
	int fd = dup(0);

	close(fd);
	return (uint64_t)fd;
}

/* ---- queues, plans, status pages ---------------------------------------------- */

static void begin_queue(void)
{
	SEND(queue, vn_queue_create, .chip = CHIP, .depth = 64, .flags = VN_QUEUE_EVENTFD,
	     .eventfd = w.event);
}

CALL_IT(queue, VN_IOCTL_QUEUE_CREATE, w.ctx, queue)

static void end_queue(void)
{
	must(!queue_call(w.ctx, VN_IOCTL_QUEUE_DESTROY, a.queue.queue));
}

/* With work in it. */
static void begin_queue_id(void)
{
	struct vn_desc d;

	w.fresh = open_on(CHIP);
	w.mem = mem_alloc(w.fresh, CHIP, BYTES);
	d = copy_desc(at(&w.mem, PAGE), at(&w.mem, 0), PAGE);
	w.queue = queue_create(w.fresh, CHIP, 8, -1);
	submit(&w.queue, &d);
	SEND(id, vn_queue_id, .queue = w.queue.id);
}

CALL_IT(destroy, VN_IOCTL_QUEUE_DESTROY, w.fresh, id)
CALL_IT(reset, VN_IOCTL_QUEUE_RESET, w.fresh, id)
CALL_IT(doorbell, VN_IOCTL_DOORBELL, w.fresh, id)

static void end_queue_id(void)
{
	munmap((void *)w.queue.ring, w.queue.bytes);
	end_all();
}

static void begin_wait(void)
{
	begin_queue_id();
	SEND(wait, vn_wait, .queue = w.queue.id, .target = 1, .deadline_ns = ~0ull);
}

CALL_IT(wait, VN_IOCTL_WAIT, w.fresh, wait)

static int do_poll(void)
{
	struct pollfd p = { .fd = w.fresh, .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? -errno : 0;
}

static void begin_epoll(void)
{
	begin_queue_id();
	w.session = epoll_create1(EPOLL_CLOEXEC);
	must(w.session >= 0);
}

static int do_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(w.session, EPOLL_CTL_ADD, w.fresh, &e) < 0 ? -errno : 0;
}

static void end_epoll(void)
{
	close(w.session);
	end_queue_id();
}

static struct vn_desc descs[200];
static struct vn_program program = { .chip = CHIP, .count = ARRAY_SIZE(descs) };
static struct vn_operand operands[4];

static void begin_plan(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(descs); i++)
		descs[i].opcode = VN_OP_NOP;
	SEND(plan, vn_plan_create, .programs = (uintptr_t)&program, .descs = (uintptr_t)descs,
	     .operands = (uintptr_t)operands, .nprograms = 1, .ndescs = ARRAY_SIZE(descs),
	     .noperands = ARRAY_SIZE(operands));
}

CALL_IT(plan, VN_IOCTL_PLAN_CREATE, w.ctx, plan)

static void end_plan(void)
{
	must(!plan_destroy(w.ctx, a.plan.plan));
}

static void begin_plan_destroy(void)
{
	begin_plan();
	must(!do_plan());
	SEND(plan_destroy, vn_plan_destroy, .plan = a.plan.plan);
}

CALL_IT(plan_destroy, VN_IOCTL_PLAN_DESTROY, w.ctx, plan_destroy)

static void begin_status(void)
{
	SEND(status, vn_status_create, .flags = 0);
}

CALL_IT(status, VN_IOCTL_STATUS_CREATE, w.ctx, status)

static void end_status(void)
{
	must(!status_destroy(w.ctx, a.status.mmap_offset));
}

static void begin_status_destroy(void)
{
	begin_status();
	must(!do_status());
	SEND(status_destroy, vn_status_destroy, .mmap_offset = a.status.mmap_offset);
}

CALL_IT(status_destroy, VN_IOCTL_STATUS_DESTROY, w.ctx, status_destroy)

#endif
