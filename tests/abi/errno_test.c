// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows each errno of the header's table, once for every call it applies to,
 * by arguments that are right but for one thing.
 */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "abi.h"

static int ctx;
static uint32_t chips;

/* One point per row: a call with this argument gives that. */
#define gives(want, nr, type, ...)                                                                 \
	do {                                                                                       \
		struct type a_ = { .size = sizeof(a_), __VA_ARGS__ };                              \
		tap_result(call(ctx, VN_IOCTL_##nr, &a_), want, #nr ": " #__VA_ARGS__);            \
	} while (0)

static void test_attach(void)
{
	int null = open("/dev/null", O_RDWR), ev = eventfd(0, 0), dom = domain_export(ctx);
	int path = open(NODE "c0", O_PATH);

	gives(-EBADF, CHIP_ATTACH, vn_chip_attach, .fd = -1);
	gives(-EBADF, CHIP_ATTACH, vn_chip_attach, .fd = 1 << 30);
	gives(-EBADF, CHIP_ATTACH, vn_chip_attach, .fd = null);
	gives(-EBADF, CHIP_ATTACH, vn_chip_attach, .fd = ev);
	gives(-EBADF, CHIP_ATTACH, vn_chip_attach, .fd = dom);
	gives(-EBADF, CHIP_ATTACH, vn_chip_attach, .fd = ctx);
	gives(-EBADF, CHIP_ATTACH, vn_chip_attach, .fd = path);
	tap_ok(!chip_query(ctx, 3).attached, "a chip is not attached by itself");
	attach(ctx, 3);
	attach(ctx, 3);
	tap_ok(chip_query(ctx, 3).attached, "but by an fd, and twice is fine");
	close(null);
	close(ev);
	close(dom);
	close(path);
}

static void test_chips(void)
{
	gives(0, CHIP_QUERY, vn_chip_query, .chip = chips - 1);
	gives(-ENODEV, CHIP_QUERY, vn_chip_query, .chip = chips);
	gives(-ENODEV, CHIP_QUERY, vn_chip_query, .chip = ~0u);
	gives(-ENODEV, CHIP_QUERY, vn_chip_query, .chip = 1u << 31);
	gives(-ENODEV, MEM_ALLOC, vn_mem_alloc, .chip = chips, .bytes = 1);
	gives(-ENODEV, MEM_FREE, vn_mem_free, .chip = chips, .addr = 1ull << 40);
	gives(-ENODEV, WINDOW_CREATE, vn_window_create, .chip = chips, .bytes = 1, .access = 2);
	gives(-ENODEV, WINDOW_INVALIDATE, vn_window_invalidate, .chip = ~0u, .key = 1);
	gives(-ENODEV, WINDOW_IMPORT, vn_window_import, .chip = 1u << 31, .key = 1, .access = 2);
	gives(-ENODEV, QUEUE_CREATE, vn_queue_create, .chip = chips, .depth = 8);
}

static void test_memory(void)
{
	struct vn_chip_query q = chip_query(ctx, 0);
	struct vn_mem_alloc big = { .size = sizeof(big), .bytes = q.hbm_bytes - q.hbm_used };
	struct mem m = mem_alloc(ctx, 0, 3 * PAGE);
	uint32_t key;

	gives(-EACCES, MEM_ALLOC, vn_mem_alloc, .chip = 2, .bytes = 1);
	gives(-EINVAL, MEM_ALLOC, vn_mem_alloc, .bytes = 0);
	gives(-EINVAL, MEM_ALLOC, vn_mem_alloc, .bytes = (1ull << 40) + 1);
	gives(-EINVAL, MEM_ALLOC, vn_mem_alloc, .bytes = ~0ull);
	gives(-EINVAL, MEM_ALLOC, vn_mem_alloc, .bytes = 1ull << 63);
	gives(-ENOSPC, MEM_ALLOC, vn_mem_alloc, .bytes = q.hbm_bytes + 1);
	gives(-ENOSPC, MEM_ALLOC, vn_mem_alloc, .bytes = 1ull << 40);
	tap_result(call(ctx, VN_IOCTL_MEM_ALLOC, &big), -ENOSPC, "MEM_ALLOC: more than is left");
	tap_ok(chip_query(ctx, 0).hbm_used == q.hbm_used + 3 * PAGE, "and nothing was taken");

	gives(-ENOENT, MEM_FREE, vn_mem_free, .addr = 0);
	gives(-ENOENT, MEM_FREE, vn_mem_free, .addr = ~0ull);
	gives(-ENOENT, MEM_FREE, vn_mem_free, .addr = m.addr + (1ull << 48));
	gives(-ENOENT, MEM_FREE, vn_mem_free, .addr = m.addr ^ 1ull << 40);
	gives(-ENOENT, MEM_FREE, vn_mem_free, .chip = 1, .addr = m.addr);
	gives(-EINVAL, MEM_FREE, vn_mem_free, .addr = m.addr + PAGE);
	gives(-EINVAL, MEM_FREE, vn_mem_free, .addr = m.addr + 1);
	key = window_create(ctx, &m, 0, 1, VN_ACCESS_REMOTE_READ);
	gives(-EBUSY, MEM_FREE, vn_mem_free, .addr = m.addr);
	must(!window_invalidate(ctx, 0, key));
	gives(0, MEM_FREE, vn_mem_free, .addr = m.addr);
	gives(-ENOENT, MEM_FREE, vn_mem_free, .addr = m.addr);
	munmap(m.ptr, m.bytes);
}

static void test_windows(void)
{
	struct mem m = mem_alloc(ctx, 0, 4 * PAGE);
	uint64_t a = m.addr;
	uint32_t key, narrow, odd, wo, i;
	int64_t off;

	gives(-ENOENT, WINDOW_CREATE, vn_window_create, .addr = 0, .bytes = 1, .access = 2);
	gives(-ENOENT, WINDOW_CREATE, vn_window_create, .chip = 1, .addr = a, .bytes = 1,
	      .access = 2);
	gives(-ENOENT, WINDOW_CREATE, vn_window_create, .addr = a + (1ull << 48), .bytes = 1,
	      .access = 2);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 0, .access = 2);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 4 * PAGE + 1,
	      .access = 2);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a + 1, .bytes = 4 * PAGE,
	      .access = 2);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a + 4 * PAGE, .bytes = 1,
	      .access = 2);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a + 5 * PAGE, .bytes = ~0ull,
	      .access = 2);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a + 1, .bytes = ~0ull, .access = 2);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 1, .access = 0);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 1, .access = 4);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 1, .access = 8);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 1, .access = 2,
	      .flags = 1u << 31);
	gives(-EINVAL, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 1, .access = 2,
	      .user_data = 1);
	gives(-ENOENT, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 1, .access = 2,
	      .flags = VN_WINDOW_QUEUE, .queue = 1023);
	gives(-ENOENT, WINDOW_CREATE, vn_window_create, .addr = a, .bytes = 1, .access = 2,
	      .flags = VN_WINDOW_QUEUE, .queue = ~0u);

	key = window_create(ctx, &m, 0, 4 * PAGE, ACCESS_ALL);
	narrow = window_create(ctx, &m, 0, PAGE, VN_ACCESS_REMOTE_READ);
	odd = window_create(ctx, &m, 8, PAGE, ACCESS_ALL);
	wo = window_create(ctx, &m, 0, PAGE, VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_WRITE);
	gives(-ENOENT, WINDOW_IMPORT, vn_window_import, .key = 0, .access = 2);
	gives(-ENOENT, WINDOW_IMPORT, vn_window_import, .key = 0xffff, .access = 2);
	gives(-ENOENT, WINDOW_IMPORT, vn_window_import, .chip = 1, .key = key, .access = 2);
	gives(-EACCES, WINDOW_IMPORT, vn_window_import, .key = narrow, .access = 6);
	gives(-EACCES, WINDOW_IMPORT, vn_window_import, .key = wo, .access = 2);
	gives(-EINVAL, WINDOW_IMPORT, vn_window_import, .key = key, .access = 0);
	gives(-EINVAL, WINDOW_IMPORT, vn_window_import, .key = key, .access = 4);
	gives(-EINVAL, WINDOW_IMPORT, vn_window_import, .key = key, .access = 3);
	gives(-EINVAL, WINDOW_IMPORT, vn_window_import, .key = odd, .access = 2);
	off = window_import(ctx, 0, key, VN_ACCESS_REMOTE_READ);
	tap_ok(off > 0, "WINDOW_IMPORT: of a whole window");

	gives(-ENOENT, WINDOW_RELEASE, vn_window_release, .mmap_offset = 0);
	gives(-ENOENT, WINDOW_RELEASE, vn_window_release, .mmap_offset = ~0ull);
	gives(-ENOENT, WINDOW_RELEASE, vn_window_release, .mmap_offset = m.offset);
	gives(-ENOENT, WINDOW_RELEASE, vn_window_release, .mmap_offset = off + PAGE);
	gives(0, WINDOW_RELEASE, vn_window_release, .mmap_offset = off);
	gives(-ENOENT, WINDOW_RELEASE, vn_window_release, .mmap_offset = off);

	gives(-ENOENT, WINDOW_INVALIDATE, vn_window_invalidate, .key = 0);
	gives(-ENOENT, WINDOW_INVALIDATE, vn_window_invalidate, .key = key ^ 0x8000);
	gives(-ENOENT, WINDOW_INVALIDATE, vn_window_invalidate, .chip = 1, .key = key);
	gives(0, WINDOW_INVALIDATE, vn_window_invalidate, .key = key);
	gives(-ESTALE, WINDOW_INVALIDATE, vn_window_invalidate, .key = key);
	gives(-ESTALE, WINDOW_IMPORT, vn_window_import, .key = key, .access = 2);

	/* The table of a chip is full at some time, and that is no disaster. */
	for (i = 0; i < 1 << 17; i++) {
		struct vn_window_create w = {
			.size = sizeof(w), .addr = a, .bytes = 8, .access = 2
		};
		int err = call(ctx, VN_IOCTL_WINDOW_CREATE, &w);

		if (!err)
			continue;
		tap_result(err, -ENOSPC, "WINDOW_CREATE: the chip's table is full after %u", i);
		break;
	}
	tap_ok(i > 60000 && i < 65536, "that is 16 bits of index");
	must(!window_invalidate(ctx, 0, narrow));
	narrow = window_create(ctx, &m, 0, PAGE, VN_ACCESS_REMOTE_READ);
	tap_ok(1, "and one ended makes room for one");
	munmap(m.ptr, m.bytes);
}

/* Windows that are not over own HBM, and those that become others. */
static void test_kinds(void)
{
	struct mem m = mem_alloc(ctx, 0, 4 * PAGE);
	uint8_t *p =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *ro = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *hole = page_before_nothing();
	int null = open("/dev/null", O_RDWR);
	uint32_t key, user;
	struct vn_window_create c = { .size = sizeof(c),
				      .addr = (uintptr_t)p,
				      .bytes = 1,
				      .access = 2,
				      .flags = VN_WINDOW_USER };

	must(p != MAP_FAILED && ro != MAP_FAILED);
#define CREATE(want, ...) gives(want, WINDOW_CREATE, vn_window_create, __VA_ARGS__)
#define USER .flags = VN_WINDOW_USER, .access = 2
#define DMABUF .flags = VN_WINDOW_DMABUF, .access = 2, .bytes = 1
	CREATE(-EINVAL, .flags = 16, .access = 2, .addr = m.addr, .bytes = 1);
	CREATE(-EINVAL, .flags = 1u << 31, .access = 2, .addr = m.addr, .bytes = 1);
	CREATE(-EINVAL, .flags = 6, .access = 2, .addr = (uintptr_t)p, .bytes = 1);
	CREATE(-EINVAL, .flags = 10, .access = 2, .addr = (uintptr_t)p, .bytes = 1);
	CREATE(-EINVAL, .flags = 12, .access = 2, .bytes = 1);
	CREATE(-EINVAL, .parent = 1, .access = 2, .addr = m.addr, .bytes = 1);
	CREATE(-EINVAL, .fd = 1, .access = 2, .addr = m.addr, .bytes = 1);
	CREATE(-EINVAL, USER, .addr = (uintptr_t)p, .bytes = 0);
	CREATE(-EINVAL, USER, .addr = (uintptr_t)p, .bytes = VN_BYTES_MAX + 1);
	CREATE(-EACCES, USER, .chip = 2, .addr = (uintptr_t)p, .bytes = 1);
	CREATE(-ENODEV, USER, .chip = chips, .addr = (uintptr_t)p, .bytes = 1);
	CREATE(-EFAULT, USER, .addr = 0, .bytes = 1);
	CREATE(-EFAULT, USER, .addr = ~0ull, .bytes = 1);
	CREATE(-EFAULT, USER, .addr = 0xffffffff80000000ull, .bytes = 1);
	CREATE(-EFAULT, USER, .addr = 0x8000000000000000ull, .bytes = 1);
	CREATE(-EFAULT, USER, .addr = (uintptr_t)hole + PAGE - 1, .bytes = 2);
	CREATE(-EFAULT, USER, .addr = (uintptr_t)ro, .bytes = 1);
	CREATE(-EFAULT, USER, .addr = (uintptr_t)m.ptr, .bytes = 1);
	CREATE(-EBADF, DMABUF, .fd = -1);
	CREATE(-EBADF, DMABUF, .fd = 1 << 30);
	CREATE(-EBADF, DMABUF, .fd = null);
	CREATE(-EBADF, DMABUF, .fd = ctx);
	CREATE(-ENOENT, .flags = VN_WINDOW_PARENT, .access = 2, .bytes = 1, .parent = 65537);
	must(!call(ctx, VN_IOCTL_WINDOW_CREATE, &c));
	user = c.key;
	gives(-EINVAL, WINDOW_IMPORT, vn_window_import, .key = user, .access = 2);

#define BIND(want, ...) gives(want, WINDOW_BIND, vn_window_bind, __VA_ARGS__)
	key = window_create(ctx, &m, 0, PAGE, ACCESS_ALL);
	BIND(-ENODEV, .chip = chips, .key = key, .addr = m.addr, .bytes = 1, .access = 2);
	BIND(-EINVAL, .key = key, .addr = m.addr, .bytes = 0, .access = 2);
	BIND(-EINVAL, .key = key, .addr = m.addr, .bytes = 4 * PAGE + 1, .access = 2);
	BIND(-EINVAL, .key = key, .addr = m.addr, .bytes = 1, .access = 0);
	BIND(-EINVAL, .key = key, .addr = m.addr, .bytes = 1, .access = 2, .reserved = 1);
	BIND(-ENOENT, .key = key, .addr = 0, .bytes = 1, .access = 2);
	BIND(-ENOENT, .key = 0, .addr = m.addr, .bytes = 1, .access = 2);
	BIND(-ENOENT, .chip = 1, .key = key, .addr = m.addr, .bytes = 1, .access = 2);
	BIND(-EINVAL, .key = user, .addr = m.addr, .bytes = 1, .access = 2);
	BIND(0, .key = key, .addr = m.addr, .bytes = 1, .access = 2);
	BIND(-ESTALE, .key = key, .addr = m.addr, .bytes = 1, .access = 2);
	must(!window_invalidate(ctx, 0, key + 65536) && !window_invalidate(ctx, 0, user));

#define EXPORT(want, ...) gives(want, MEM_EXPORT, vn_mem_export, __VA_ARGS__)
	EXPORT(-ENODEV, .chip = chips, .addr = m.addr, .bytes = PAGE);
	EXPORT(-ENOENT, .chip = 1, .addr = m.addr, .bytes = PAGE);
	EXPORT(-ENOENT, .addr = 0, .bytes = PAGE);
	EXPORT(-EINVAL, .addr = m.addr, .bytes = 0);
	EXPORT(-EINVAL, .addr = m.addr, .bytes = 1);
	EXPORT(-EINVAL, .addr = m.addr + 8, .bytes = PAGE);
	EXPORT(-EINVAL, .addr = m.addr, .bytes = 5 * PAGE);
	EXPORT(-EINVAL, .addr = m.addr + 4 * PAGE, .bytes = PAGE);
	EXPORT(-EINVAL, .addr = m.addr + PAGE, .bytes = ~0ull << 12);
	EXPORT(-EINVAL, .addr = m.addr, .bytes = PAGE, .flags = 2);
	munmap(p, 4 * PAGE);
	munmap(ro, PAGE);
	munmap(hole, PAGE);
	munmap(m.ptr, m.bytes);
	close(null);
}

static void test_join(int with)
{
	int null = open("/dev/null", O_RDWR), chip = open_chip(0), other = open_context();
	int third = open_context(), dom = domain_export(other), away = domain_export(third);
	struct mem m = mem_alloc(ctx, 0, PAGE);
	struct vn_desc nop = { .opcode = VN_OP_NOP };
	struct queue q;
	uint32_t plan, key;
	int64_t off;

	gives(-EBADF, DOMAIN_JOIN, vn_domain_join, .fd = -1);
	gives(-EBADF, DOMAIN_JOIN, vn_domain_join, .fd = null);
	gives(-EBADF, DOMAIN_JOIN, vn_domain_join, .fd = chip);
	gives(-EBADF, DOMAIN_JOIN, vn_domain_join, .fd = with);
	gives(0, DOMAIN_JOIN, vn_domain_join, .fd = dom);

	key = window_create(ctx, &m, 0, PAGE, VN_ACCESS_REMOTE_READ);
	tap_result(domain_join(ctx, away), -EBUSY, "DOMAIN_JOIN: with a window");
	tap_result(domain_join(ctx, dom), 0, "DOMAIN_JOIN: with a window of that domain");
	/* An import outlives its window: the window of another context ends. */
	off = window_import(ctx, 0, key, VN_ACCESS_REMOTE_READ);
	must(off > 0 && !window_invalidate(ctx, 0, key));
	tap_result(domain_join(ctx, away), -EBUSY, "DOMAIN_JOIN: with an import");
	gives(0, WINDOW_RELEASE, vn_window_release, .mmap_offset = off);
	q = queue_create(ctx, 0, 8, -1);
	tap_result(domain_join(ctx, away), 0, "DOMAIN_JOIN: with a queue");
	queue_destroy(&q);
	must(!plan_create(ctx, 0, &nop, 1, &plan));
	tap_result(domain_join(ctx, dom), 0, "DOMAIN_JOIN: with a plan");
	must(!plan_destroy(ctx, plan));
	tap_result(domain_join(ctx, dom), 0, "DOMAIN_JOIN: with memory alone");
	munmap(m.ptr, m.bytes);
	close(null);
	close(chip);
	close(dom);
	close(away);
	close(other);
	close(third);
}

static void test_export(void)
{
	struct mem m = mem_alloc(ctx, 0, PAGE);
	struct rlimit was, none;

	must(!getrlimit(RLIMIT_NOFILE, &was));
	none = was;
	none.rlim_cur = 3;
	must(!setrlimit(RLIMIT_NOFILE, &none));
	gives(-EMFILE, DOMAIN_EXPORT, vn_domain_export, .fd = -1);
	gives(-EMFILE, MEM_EXPORT, vn_mem_export, .addr = m.addr, .bytes = PAGE);
	must(!setrlimit(RLIMIT_NOFILE, &was));
}

static void test_queues(void)
{
	static const uint32_t depths[] = { 0, 1, 4, 7, 9, 12, 65535, 65537, 131072, 1u << 31, ~0u };
	int null = open("/dev/null", O_RDWR), ev = eventfd(0, 0);
	uint32_t wrong = 0, n;
	struct queue q;

	for (uint32_t i = 0; i < ARRAY_SIZE(depths); i++) {
		struct vn_queue_create a = { .size = sizeof(a), .depth = depths[i] };

		wrong += call(ctx, VN_IOCTL_QUEUE_CREATE, &a) != -EINVAL;
	}
	tap_ok(!wrong, "QUEUE_CREATE: other depths than 2^k from 8 to 65,536 are EINVAL");
	gives(-EACCES, QUEUE_CREATE, vn_queue_create, .chip = 2, .depth = 8);
	gives(-EINVAL, QUEUE_CREATE, vn_queue_create, .depth = 8, .eventfd = ev);
	gives(-EBADF, QUEUE_CREATE, vn_queue_create, .depth = 8, .flags = 1, .eventfd = -1);
	gives(-EBADF, QUEUE_CREATE, vn_queue_create, .depth = 8, .flags = 1, .eventfd = null);
	gives(-EBADF, QUEUE_CREATE, vn_queue_create, .depth = 8, .flags = 1, .eventfd = ctx);
	q = queue_create(ctx, 0, VN_QUEUE_DEPTH_MAX, -1);
	tap_ok(q.bytes == VN_QUEUE_BYTES(65536), "QUEUE_CREATE: the deepest one");
	queue_destroy(&q);
	gives(-ENOENT, QUEUE_DESTROY, vn_queue_id, .queue = 0);
	gives(-ENOENT, QUEUE_DESTROY, vn_queue_id, .queue = ~0u);
	gives(-ENOENT, QUEUE_RESET, vn_queue_id, .queue = 0);
	gives(-ENOENT, DOORBELL, vn_queue_id, .queue = 0);
	gives(-ENOENT, WAIT, vn_wait, .queue = 0);
	q = queue_create(ctx, 0, 8, -1);
	gives(-ETIMEDOUT, WAIT, vn_wait, .queue = q.id, .target = 1, .deadline_ns = 0);
	gives(-ETIMEDOUT, WAIT, vn_wait, .queue = q.id, .target = 1, .deadline_ns = 1);
	gives(-ETIMEDOUT, WAIT, vn_wait, .queue = q.id, .target = 1,
	      .deadline_ns = now_ns() + SECOND / 50);
	gives(0, WAIT, vn_wait, .queue = q.id, .target = 0, .deadline_ns = 0);
	/* Targets compare as wrapping numbers: this one is behind. */
	gives(0, WAIT, vn_wait, .queue = q.id, .target = ~0u, .deadline_ns = 0);
	q.ring->sq_tail = 9;
	gives(-EIO, WAIT, vn_wait, .queue = q.id, .target = 1, .deadline_ns = ~0ull);
	gives(0, QUEUE_RESET, vn_queue_id, .queue = q.id);
	queue_destroy(&q);

	for (n = 0; n < 2000; n++) {
		struct vn_queue_create a = { .size = sizeof(a), .depth = 8 };
		int err = call(ctx, VN_IOCTL_QUEUE_CREATE, &a);

		if (!err)
			continue;
		tap_result(err, -ENOSPC, "QUEUE_CREATE: a context has at most %u", n);
		break;
	}
	while (n--)
		must(!queue_call(ctx, VN_IOCTL_QUEUE_DESTROY, n));
	close(null);
	close(ev);
}

static void test_plans(void)
{
	struct vn_desc descs[3] = { { .opcode = VN_OP_NOP }, { .opcode = VN_OP_NOP } };
	struct vn_program p = { .chip = 0, .count = 2 };
	struct vn_operand op = {};
	uintptr_t d = (uintptr_t)descs, g = (uintptr_t)&p,
		  nowhere = (uintptr_t)page_before_nothing() + PAGE;
	struct vn_plan_create bad = {
		.size = sizeof(bad), .programs = g, .descs = d, .nprograms = 1, .ndescs = 3
	};
	struct mem m = mem_alloc(ctx, 0, PAGE);
	struct vn_desc launch;
	struct queue q;
	uint32_t plan, n;

#define PLAN .programs = g, .descs = d, .nprograms = 1, .ndescs = 2
	gives(0, PLAN_CREATE, vn_plan_create, PLAN);
	gives(-ENOENT, PLAN_DESTROY, vn_plan_destroy, .plan = 1);
	gives(-ENOENT, PLAN_DESTROY, vn_plan_destroy, .plan = ~0u);
	gives(0, PLAN_DESTROY, vn_plan_destroy, .plan = 0);
	gives(-ENOENT, PLAN_DESTROY, vn_plan_destroy, .plan = 0);
	gives(-EFAULT, PLAN_CREATE, vn_plan_create, .programs = nowhere, .descs = d, .nprograms = 1,
	      .ndescs = 2);
	gives(-EFAULT, PLAN_CREATE, vn_plan_create, .programs = g, .descs = nowhere, .nprograms = 1,
	      .ndescs = 2);
	gives(-EFAULT, PLAN_CREATE, vn_plan_create, .programs = g, .descs = nowhere - 64,
	      .nprograms = 1, .ndescs = 2);
	gives(-EFAULT, PLAN_CREATE, vn_plan_create, PLAN, .operands = nowhere, .noperands = 1);
	gives(-EFAULT, PLAN_CREATE, vn_plan_create, .programs = 0, .descs = ~0ull, .nprograms = 1,
	      .ndescs = 2);
	gives(0, PLAN_CREATE, vn_plan_create, PLAN, .operands = (uintptr_t)&op, .noperands = 1);
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, .programs = g, .descs = d, .nprograms = 0,
	      .ndescs = 2);
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, .programs = g, .descs = d, .nprograms = 1,
	      .ndescs = 0);
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, .programs = g, .descs = d, .nprograms = 1025,
	      .ndescs = 2);
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, .programs = g, .descs = d, .nprograms = 1,
	      .ndescs = 65537);
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, PLAN, .noperands = 262145);
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, PLAN, .nparams = VN_OPERANDS_MAX + 1);
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, .programs = g, .descs = d, .nprograms = 1,
	      .ndescs = 1);
	p.reserved0 = 1;
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, PLAN);
	p.reserved0 = 0;
	p.reserved1 = 1u << 31;
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, PLAN);
	p.reserved1 = 0;
	p.first = ~0u;
	gives(-EINVAL, PLAN_CREATE, vn_plan_create, PLAN);
	p.first = 0;
	p.chip = chips;
	gives(-ENODEV, PLAN_CREATE, vn_plan_create, PLAN);
	p.chip = 2;
	gives(-EACCES, PLAN_CREATE, vn_plan_create, PLAN);
	p.chip = 0;

	/* Which descriptor: the one output of a failed call. */
	descs[2].opcode = VN_OP_COUNT;
	bad.plan = 0x55555555;
	tap_result(call(ctx, VN_IOCTL_PLAN_CREATE, &bad), -EINVAL, "PLAN_CREATE: a bad descriptor");
	tap_ok(bad.error_desc == 2 && bad.plan == 0x55555555, "is named, and nothing else written");
	descs[2] = launch_desc(0);
	tap_result(call(ctx, VN_IOCTL_PLAN_CREATE, &bad), -EINVAL,
		   "PLAN_CREATE: plans do not nest");

	/* Busy while a queue runs it. */
	q = queue_create(ctx, 0, 8, -1);
	descs[0] = sem_desc(VN_OP_SEM_WAIT, at(&m, 0), 1);
	must(!plan_create(ctx, 0, descs, 1, &plan));
	launch = launch_desc(plan);
	submit(&q, &launch);
	gives(-ETIMEDOUT, WAIT, vn_wait, .queue = q.id, .target = 1, .deadline_ns = 0);
	tap_result(plan_destroy(ctx, plan), -EBUSY, "PLAN_DESTROY: of a plan that runs");
	must(!queue_reset(&q));
	tap_result(plan_destroy(ctx, plan), 0, "PLAN_DESTROY: once its queue is reset");
	queue_destroy(&q);

	descs[0] = (struct vn_desc){ .opcode = VN_OP_NOP };
	for (n = 0; n < 10000; n++) {
		int err = plan_create(ctx, 0, descs, 1, &plan);

		if (!err)
			continue;
		tap_result(err, -ENOSPC, "PLAN_CREATE: the table of plans is full after %u", n);
		break;
	}
	munmap(m.ptr, m.bytes);
}

/* A failed copy-out takes everything back: the chip is not attached either. */
static void test_statuses(void)
{
	struct vn_status_create a = { .size = sizeof(a) };
	int other = open_context();
	uint64_t first = 0;
	uint32_t n = 0;

	while (n < 2 * VN_STATUS_PAGES_MAX && !call(ctx, VN_IOCTL_STATUS_CREATE, &a)) {
		first = first ?: a.mmap_offset;
		n++;
	}
	tap_ok(n == VN_STATUS_PAGES_MAX, "STATUS_CREATE: %u pages of a context", n);
	gives(-ENOSPC, STATUS_CREATE, vn_status_create, .flags = 0);
	tap_result(call(other, VN_IOCTL_STATUS_CREATE, &a), 0, "another context has its own");
	tap_result(status_destroy(other, first), -ENOENT, "a page of another context");
	gives(-ENOENT, STATUS_DESTROY, vn_status_destroy, .mmap_offset = 0);
	gives(-ENOENT, STATUS_DESTROY, vn_status_destroy, .mmap_offset = ~0ull);
	gives(-ENOENT, STATUS_DESTROY, vn_status_destroy, .mmap_offset = a.mmap_offset);
	gives(-ENOENT, STATUS_DESTROY, vn_status_destroy, .mmap_offset = first + PAGE);
	gives(-ENOENT, STATUS_DESTROY, vn_status_destroy, .mmap_offset = first + 1);
	gives(0, STATUS_DESTROY, vn_status_destroy, .mmap_offset = first);
	gives(-ENOENT, STATUS_DESTROY, vn_status_destroy, .mmap_offset = first);
	gives(0, STATUS_CREATE, vn_status_create, .flags = 0);
	gives(-ENOSPC, STATUS_CREATE, vn_status_create, .flags = 0);
	close(other);
}

static uint32_t sled_state(uint32_t sled)
{
	struct vn_sled_query q = { .size = sizeof(q), .sled = sled };

	must(!call(ctx, VN_IOCTL_SLED_QUERY, &q));
	return q.state;
}

/* As somebody who may do nothing. */
static int drain_as_nobody(struct vn_drain_open *a)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid)
		_exit(setuid(65534) ? 1 : -call(ctx, VN_IOCTL_DRAIN_OPEN, a));
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static int drain_step(int fd, uint32_t to)
{
	struct vn_drain_step s = { .size = sizeof(s), .to = to };

	return call(fd, VN_IOCTL_DRAIN_STEP, &s);
}

static void test_sleds(void)
{
	struct vn_drain_open a = { .size = sizeof(a),
				   .sled = 2,
				   .to = VN_ANY_SLED,
				   .operation = 7,
				   .budget_ns = 1000000000 };
	struct vn_drain_open again = a, back = a;
	struct vn_sled_query q = { .size = sizeof(q) };
	uint32_t sleds;

	sleds = query().sleds + query().spares;
	gives(-ENODEV, SLED_QUERY, vn_sled_query, .sled = sleds);
	gives(-ENOTTY, DRAIN_STEP, vn_drain_step, .to = VN_SLED_CORDONED);
	tap_result(drain_as_nobody(&a), -EPERM, "DRAIN_OPEN: by nobody in particular");
	again.to = 2;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &again), -ENOSPC, "to the sled itself");
	again = a;
	back.flags = VN_DRAIN_BACK;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &back), -EALREADY, "it is in service");
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &a), 0, "DRAIN_OPEN");
	tap_ok(sled_state(2) == VN_SLED_PLANNED, "it is planned");
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &again), -EBUSY, "somebody is at it");
	again.flags = VN_DRAIN_DRY_RUN;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &again), -EBUSY, "nor can it be planned");
	again.flags = 0;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &back), -EINVAL, "it is not drained");
	again.sled = 3;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &again), -ENOSPC, "the spare is taken");
	tap_result(call(a.fd, VN_IOCTL_QUERY, &a), -ENOTTY, "a session takes its own calls alone");
	tap_result(drain_step(a.fd, VN_SLED_PRECOPY), -EINVAL, "no such step from PLANNED");
	tap_result(drain_step(a.fd, VN_SLED_STATES), -EINVAL, "no such state");
	tap_result(drain_step(a.fd, VN_SLED_CORDONED), 0, "CORDONED");
	tap_result(drain_step(a.fd, VN_SLED_COMMITTED), -EINVAL, "nothing has been copied");
	tap_result(drain_step(a.fd, VN_SLED_PRECOPY), 0, "PRECOPY");
	tap_result(drain_step(a.fd, VN_SLED_DRAINED), -EINVAL, "not committed");
	close(a.fd);
	tap_ok(sled_state(2) == VN_SLED_IN_SERVICE, "closing the session undoes it");
	a.sled = 2;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &a), 0, "DRAIN_OPEN");
	tap_ok(!drain_step(a.fd, VN_SLED_CORDONED) && !drain_step(a.fd, VN_SLED_PRECOPY) &&
		       !drain_step(a.fd, VN_SLED_COMMITTED),
	       "COMMITTED");
	close(a.fd);
	tap_ok(sled_state(2) == VN_SLED_DRAINED, "closed after that, it is drained");
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &a), -EALREADY, "the same operation again");
	a.operation = 8;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &a), -EINVAL, "another one");
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &back), 0, "back");
	tap_ok(sled_state(2) == VN_SLED_VALIDATING, "it is being tested");
	close(back.fd);
	tap_ok(sled_state(2) == VN_SLED_DRAINED, "not tested to the end: it stays drained");
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &back), 0, "back");
	tap_result(drain_step(back.fd, VN_SLED_IN_SERVICE), 0, "it passes");
	close(back.fd);
	tap_ok(sled_state(2) == VN_SLED_IN_SERVICE, "and is in service");
	again = a;
	again.flags = VN_DRAIN_RESTORE;
	again.uid = ~0u;
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &again), -EINVAL, "restored for nobody");
	again.uid = 1234;
	tap_result(drain_as_nobody(&again), -EPERM, "restored by nobody in particular");
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, &again), 0, "restored");
	q.sled = 2;
	must(!call(ctx, VN_IOCTL_SLED_QUERY, &q));
	tap_ok(q.uid == 1234 && q.operation == 8, "in the name of who drained it (%u)", q.uid);
	close(again.fd);
}

static void test_attach_undone(void)
{
	struct vn_chip_attach *a = (void *)page_before_nothing();

	a->size = sizeof(*a);
	a->fd = open_chip(4);
	must(!mprotect(a, PAGE, PROT_READ));
	tap_result(call(ctx, VN_IOCTL_CHIP_ATTACH, a), -EFAULT,
		   "CHIP_ATTACH: no room for the number");
	tap_ok(!chip_query(ctx, 4).attached, "and the chip is not attached");
	close(a->fd);
}

/* What could not be told has not been done: of a step, and of what has no session. */
static void test_drain_untold(void)
{
	struct vn_drain_open *a = (void *)page_before_nothing();
	struct vn_drain_step *s = (void *)page_before_nothing();
	int fd;

	*a = (struct vn_drain_open){ .size = sizeof(*a),
				     .sled = 2,
				     .to = VN_ANY_SLED,
				     .operation = 9,
				     .budget_ns = 1000000000 };
	must(!call(ctx, VN_IOCTL_DRAIN_OPEN, a));
	fd = a->fd;
	s->size = sizeof(*s);
	s->to = VN_SLED_CORDONED;
	must(!mprotect(s, PAGE, PROT_READ));
	tap_result(call(fd, VN_IOCTL_DRAIN_STEP, s), -EFAULT, "DRAIN_STEP: no room for the answer");
	tap_ok(sled_state(2) == VN_SLED_PLANNED && !drain_step(fd, VN_SLED_CORDONED),
	       "and the step is still to be taken");
	must(!drain_step(fd, VN_SLED_PRECOPY) && !drain_step(fd, VN_SLED_COMMITTED));
	close(fd);
	a->flags = VN_DRAIN_MAINTAIN;
	must(!mprotect(a, PAGE, PROT_READ));
	tap_result(call(ctx, VN_IOCTL_DRAIN_OPEN, a), -EFAULT,
		   "DRAIN_OPEN: no room to say that there is no session");
	tap_ok(sled_state(2) == VN_SLED_DRAINED, "and the sled is not in maintenance");
	must(!mprotect(a, PAGE, PROT_READ | PROT_WRITE));
	a->fd = 77;
	tap_ok(!call(ctx, VN_IOCTL_DRAIN_OPEN, a) && a->fd == -1, "with room it is");
	a->fd = 77;
	tap_ok(call(ctx, VN_IOCTL_DRAIN_OPEN, a) == -EALREADY && a->fd == 77,
	       "once: then nothing is said");
	a->flags = VN_DRAIN_BACK;
	must(!call(ctx, VN_IOCTL_DRAIN_OPEN, a) && !drain_step(a->fd, VN_SLED_IN_SERVICE));
	close(a->fd);
}

static int fresh(void)
{
	close(ctx);
	ctx = open_on(0);
	attach(ctx, 1);
	return ctx;
}

int main(void)
{
	chips = query().chips;
	ctx = open_context();
	fresh();
	test_attach();
	test_attach_undone();
	test_sleds();
	test_drain_untold();
	test_chips();
	test_memory();
	fresh();
	test_windows();
	fresh();
	test_kinds();
	fresh();
	test_export();
	test_join(ctx);
	fresh();
	test_queues();
	fresh();
	test_plans();
	fresh();
	test_statuses();
	close(ctx);
	return tap_done();
}
