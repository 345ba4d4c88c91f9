// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that every call is in the table with the length of its struct, and
 * that from a valid argument each reserved field, unknown flag and value out
 * of its range is refused, whoever owns the objects: what both homes share.
 */
#include "world.h"
#include "../call_arg.h"

#define CHIPS 8u
#define SLEDS 5u

static const struct {
	u32 cmd;
	u32 bytes;
	u8 on;
	union call_arg valid;
} rows[] = {
	{ VN_IOCTL_QUERY, 80, VN_ON_SERVER | VN_ON_CHIP, { .query = { .size = 80 } } },
	{ VN_IOCTL_CHIP_ATTACH, 16, VN_ON_SERVER, { .attach = { .fd = 3 } } },
	{ VN_IOCTL_CHIP_QUERY, 56, VN_ON_SERVER | VN_ON_CHIP, { .chip_query = { .chip = 7 } } },
	{ VN_IOCTL_MEM_ALLOC, 40, VN_ON_SERVER, { .mem_alloc = { .chip = 7, .bytes = 1 } } },
	{ VN_IOCTL_MEM_FREE, 16, VN_ON_SERVER, { .mem_free = { .chip = 7, .addr = 1 } } },
	{ VN_IOCTL_WINDOW_CREATE,
	  56,
	  VN_ON_SERVER,
	  { .window = { .chip = 7, .bytes = 1, .access = 15 } } },
	{ VN_IOCTL_WINDOW_INVALIDATE, 16, VN_ON_SERVER, { .invalidate = { .chip = 7, .key = 1 } } },
	{ VN_IOCTL_WINDOW_IMPORT,
	  32,
	  VN_ON_SERVER,
	  { .import = { .chip = 7, .key = 1, .access = 2 } } },
	{ VN_IOCTL_WINDOW_RELEASE, 16, VN_ON_SERVER, { .release = { .mmap_offset = 1 } } },
	{ VN_IOCTL_DOMAIN_EXPORT, 16, VN_ON_SERVER, { .domain_export = { .fd = -1 } } },
	{ VN_IOCTL_DOMAIN_JOIN, 16, VN_ON_SERVER, { .join = { .fd = 3 } } },
	{ VN_IOCTL_QUEUE_CREATE, 40, VN_ON_SERVER, { .queue = { .chip = 7, .depth = 8 } } },
	{ VN_IOCTL_QUEUE_DESTROY, 8, VN_ON_SERVER, { .id = { .queue = 1 } } },
	{ VN_IOCTL_QUEUE_RESET, 8, VN_ON_SERVER, { .id = { .queue = 1 } } },
	{ VN_IOCTL_DOORBELL, 8, VN_ON_SERVER, { .id = { .queue = 1 } } },
	{ VN_IOCTL_WAIT,
	  32,
	  VN_ON_SERVER,
	  { .wait = { .queue = 1, .target = ~0u, .deadline_ns = ~0ull } } },
	{ VN_IOCTL_PLAN_CREATE, 56, VN_ON_SERVER, { .plan = { .nprograms = 1, .ndescs = 1 } } },
	{ VN_IOCTL_PLAN_DESTROY, 8, VN_ON_SERVER, { .plan_destroy = { .plan = 1 } } },
	{ VN_IOCTL_STATUS_CREATE, 24, VN_ON_SERVER, { .status = { .size = 24 } } },
	{ VN_IOCTL_STATUS_DESTROY, 16, VN_ON_SERVER, { .status_destroy = { .mmap_offset = 1 } } },
	{ VN_IOCTL_SLED_QUERY, 112, VN_ON_SERVER, { .sled = { .sled = 4 } } },
	{ VN_IOCTL_DRAIN_OPEN,
	  200,
	  VN_ON_SERVER,
	  { .drain = { .sled = 4, .to = VN_ANY_SLED, .operation = 1, .budget_ns = 1 } } },
	{ VN_IOCTL_DRAIN_STEP, 112, VN_ON_SESSION, { .step = { .to = VN_SLED_PRECOPY } } },
	{ VN_IOCTL_WINDOW_BIND,
	  40,
	  VN_ON_SERVER,
	  { .bind = { .chip = 7, .key = 1, .bytes = 1, .access = 15 } } },
	{ VN_IOCTL_MEM_EXPORT, 32, VN_ON_SERVER, { .mem_export = { .chip = 7, .bytes = 1 } } },
};

static void test_table(void)
{
	u32 wrong = 0;

	tap_ok(ARRAY_SIZE(rows) == VN_IOCTL_COUNT, "%u calls", VN_IOCTL_COUNT);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vn_call *c = vn_abi_call(rows[i].cmd);

		tap_ok(c && c->bytes == rows[i].bytes && c->on == rows[i].on &&
			       rows[i].cmd == (u32)_IO('V', i),
		       "%s: number %u, %u bytes", c ? c->name : "?", i, c ? c->bytes : 0);
		/* The number alone counts: no direction, no size, no other letter. */
		for (u32 bit = 8; bit < 32; bit++)
			wrong += vn_abi_call(rows[i].cmd ^ 1u << bit) != NULL;
	}
	for (u32 nr = VN_IOCTL_COUNT; nr < 256; nr++)
		wrong += vn_abi_call(_IO('V', nr)) != NULL;
	tap_ok(!wrong && !vn_abi_call(0) && !vn_abi_call(~0u), "no other number is a call (%u are)",
	       wrong);
}

static int check(u32 i, const union call_arg *a)
{
	/* Exactly as long as the struct: a read behind it is seen. */
	void *copy = malloc(rows[i].bytes);
	int err;

	memcpy(copy, a, rows[i].bytes);
	err = vn_abi_check(rows[i].cmd, copy, CHIPS, SLEDS);
	free(copy);
	return err;
}

static void test_valid(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		tap_ok(!check(i, &rows[i].valid), "%s: valid", vn_abi_call(rows[i].cmd)->name);
}

/* A field set to a value, in an otherwise valid argument. */
static const struct {
	const char *what;
	u32 cmd, off, bytes;
	u64 value;
	int err;
} fields[] = {
#define ROW(call, type, field, value, err)                                                         \
	{                                                                                          \
#type "." #field " = " #value, VN_IOCTL_##call, offsetof(struct type, field),      \
			sizeof(((struct type *)0)->field), value, err                              \
	}
	ROW(QUERY, vn_query, flags, 1, -EINVAL),
	ROW(QUERY, vn_query, flags, 1u << 31, -EINVAL),
	ROW(QUERY, vn_query, sleds, ~0u, 0),
	ROW(CHIP_ATTACH, vn_chip_attach, flags, 1, -EINVAL),
	ROW(CHIP_ATTACH, vn_chip_attach, chip, ~0u, 0),
	ROW(CHIP_QUERY, vn_chip_query, chip, 8, -ENODEV),
	ROW(CHIP_QUERY, vn_chip_query, chip, ~0u, -ENODEV),
	ROW(CHIP_QUERY, vn_chip_query, sled, ~0u, 0),
	ROW(MEM_ALLOC, vn_mem_alloc, chip, 8, -ENODEV),
	ROW(MEM_ALLOC, vn_mem_alloc, bytes, 0, -EINVAL),
	ROW(MEM_ALLOC, vn_mem_alloc, bytes, 1ull << 40, 0),
	ROW(MEM_ALLOC, vn_mem_alloc, bytes, (1ull << 40) + 1, -EINVAL),
	ROW(MEM_ALLOC, vn_mem_alloc, bytes, ~0ull, -EINVAL),
	ROW(MEM_ALLOC, vn_mem_alloc, flags, 1, -EINVAL),
	ROW(MEM_ALLOC, vn_mem_alloc, reserved, 1, -EINVAL),
	ROW(MEM_ALLOC, vn_mem_alloc, addr, ~0ull, 0),
	ROW(MEM_FREE, vn_mem_free, chip, 8, -ENODEV),
	ROW(WINDOW_CREATE, vn_window_create, chip, 8, -ENODEV),
	ROW(WINDOW_CREATE, vn_window_create, bytes, 0, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, access, 0, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, access, VN_ACCESS_LOCAL_WRITE, 0),
	ROW(WINDOW_CREATE, vn_window_create, access, VN_ACCESS_REMOTE_READ, 0),
	ROW(WINDOW_CREATE, vn_window_create, access, VN_ACCESS_REMOTE_WRITE, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, access, VN_ACCESS_REMOTE_ATOMIC, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, access, VN_ACCESS_REMOTE_WRITE | VN_ACCESS_LOCAL_WRITE,
	    0),
	ROW(WINDOW_CREATE, vn_window_create, access, 16 | 15, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, access, 1u << 31 | 15, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, queue, 1, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, user_data, 1, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, user_data, 1ull << 63, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_QUEUE, 0),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_QUEUE | VN_WINDOW_PARENT, 0),
	ROW(WINDOW_CREATE, vn_window_create, parent, 1, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, fd, 1, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, fd, ~0u, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_USER, 0),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_DMABUF, 0),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_PARENT, 0),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_USER | VN_WINDOW_DMABUF, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_USER | VN_WINDOW_PARENT, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, flags, VN_WINDOW_DMABUF | VN_WINDOW_PARENT, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, flags, 16, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, flags, 1u << 31, -EINVAL),
	ROW(WINDOW_CREATE, vn_window_create, bytes, VN_BYTES_MAX + 1, 0),
	ROW(WINDOW_BIND, vn_window_bind, chip, 8, -ENODEV),
	ROW(WINDOW_BIND, vn_window_bind, bytes, 0, -EINVAL),
	ROW(WINDOW_BIND, vn_window_bind, access, 0, -EINVAL),
	ROW(WINDOW_BIND, vn_window_bind, access, VN_ACCESS_REMOTE_WRITE, -EINVAL),
	ROW(WINDOW_BIND, vn_window_bind, access, 16 | 15, -EINVAL),
	ROW(WINDOW_BIND, vn_window_bind, reserved, 1, -EINVAL),
	ROW(WINDOW_BIND, vn_window_bind, reserved, 1ull << 63, -EINVAL),
	ROW(MEM_EXPORT, vn_mem_export, chip, 8, -ENODEV),
	ROW(MEM_EXPORT, vn_mem_export, bytes, 0, -EINVAL),
	ROW(MEM_EXPORT, vn_mem_export, flags, VN_EXPORT_WRITE, 0),
	ROW(MEM_EXPORT, vn_mem_export, flags, 2, -EINVAL),
	ROW(MEM_EXPORT, vn_mem_export, flags, 1u << 31, -EINVAL),
	ROW(MEM_EXPORT, vn_mem_export, fd, ~0u, 0),
	ROW(WINDOW_INVALIDATE, vn_window_invalidate, chip, 8, -ENODEV),
	ROW(WINDOW_INVALIDATE, vn_window_invalidate, reserved, 1, -EINVAL),
	ROW(WINDOW_IMPORT, vn_window_import, chip, 8, -ENODEV),
	ROW(WINDOW_IMPORT, vn_window_import, access, 0, -EINVAL),
	ROW(WINDOW_IMPORT, vn_window_import, access, VN_ACCESS_REMOTE_WRITE, -EINVAL),
	ROW(WINDOW_IMPORT, vn_window_import, access, VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE,
	    0),
	ROW(WINDOW_IMPORT, vn_window_import, access, VN_ACCESS_REMOTE_READ | VN_ACCESS_LOCAL_WRITE,
	    -EINVAL),
	ROW(WINDOW_IMPORT, vn_window_import, access,
	    VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_ATOMIC, -EINVAL),
	ROW(WINDOW_IMPORT, vn_window_import, access, ~0u, -EINVAL),
	ROW(WINDOW_RELEASE, vn_window_release, reserved, 1, -EINVAL),
	ROW(DOMAIN_EXPORT, vn_domain_export, flags, 1, -EINVAL),
	ROW(DOMAIN_EXPORT, vn_domain_export, reserved, 1, -EINVAL),
	ROW(DOMAIN_JOIN, vn_domain_join, flags, 1, -EINVAL),
	ROW(DOMAIN_JOIN, vn_domain_join, reserved, 1u << 31, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, chip, 8, -ENODEV),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 0, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 4, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 7, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 12, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 65536, 0),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 65535, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 131072, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, depth, 1u << 31, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, flags, VN_QUEUE_EVENTFD, 0),
	ROW(QUEUE_CREATE, vn_queue_create, flags, 2, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, flags, 1u << 31, -EINVAL),
	ROW(QUEUE_CREATE, vn_queue_create, eventfd, 5, -EINVAL),
	ROW(WAIT, vn_wait, flags, 1, -EINVAL),
	ROW(WAIT, vn_wait, deadline_ns, 0, 0),
	ROW(PLAN_CREATE, vn_plan_create, flags, 1, -EINVAL),
	ROW(PLAN_CREATE, vn_plan_create, nprograms, 0, -EINVAL),
	ROW(PLAN_CREATE, vn_plan_create, nprograms, VN_PLAN_PROGRAMS_MAX, 0),
	ROW(PLAN_CREATE, vn_plan_create, nprograms, VN_PLAN_PROGRAMS_MAX + 1, -EINVAL),
	ROW(PLAN_CREATE, vn_plan_create, ndescs, 0, -EINVAL),
	ROW(PLAN_CREATE, vn_plan_create, ndescs, VN_PLAN_DESCS_MAX, 0),
	ROW(PLAN_CREATE, vn_plan_create, ndescs, VN_PLAN_DESCS_MAX + 1, -EINVAL),
	ROW(PLAN_CREATE, vn_plan_create, noperands, VN_PLAN_OPERANDS_MAX, 0),
	ROW(PLAN_CREATE, vn_plan_create, noperands, VN_PLAN_OPERANDS_MAX + 1, -EINVAL),
	ROW(PLAN_CREATE, vn_plan_create, nparams, VN_OPERANDS_MAX, 0),
	ROW(PLAN_CREATE, vn_plan_create, nparams, VN_OPERANDS_MAX + 1, -EINVAL),
	ROW(PLAN_CREATE, vn_plan_create, nparams, ~0u, -EINVAL),
	ROW(STATUS_CREATE, vn_status_create, flags, 1, -EINVAL),
	ROW(STATUS_CREATE, vn_status_create, bytes, ~0ull, 0),
	ROW(STATUS_DESTROY, vn_status_destroy, reserved, 1, -EINVAL),
	ROW(SLED_QUERY, vn_sled_query, sled, 5, -ENODEV),
	ROW(SLED_QUERY, vn_sled_query, sled, ~0u, -ENODEV),
	ROW(DRAIN_OPEN, vn_drain_open, flags, VN_DRAIN_DRY_RUN, 0),
	ROW(DRAIN_OPEN, vn_drain_open, flags, VN_DRAIN_BACK, 0),
	ROW(DRAIN_OPEN, vn_drain_open, flags, VN_DRAIN_RESTORE, 0),
	ROW(DRAIN_OPEN, vn_drain_open, flags, VN_DRAIN_MAINTAIN, 0),
	ROW(DRAIN_OPEN, vn_drain_open, flags, VN_DRAIN_MAINTAIN | VN_DRAIN_RESTORE, 0),
	ROW(DRAIN_OPEN, vn_drain_open, flags, 9, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, flags, 10, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, flags, 13, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, flags, 3, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, flags, 5, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, flags, 6, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, flags, 16, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, sled, 5, -ENODEV),
	ROW(DRAIN_OPEN, vn_drain_open, to, 0, 0),
	ROW(DRAIN_OPEN, vn_drain_open, to, 5, -ENODEV),
	ROW(DRAIN_OPEN, vn_drain_open, operation, 0, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, budget_ns, 0, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, budget_ns, VN_BUDGET_MAX, 0),
	ROW(DRAIN_OPEN, vn_drain_open, budget_ns, VN_BUDGET_MAX + 1, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, reason[VN_REASON - 1], 'x', -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, uid, 1, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, reserved, 1, -EINVAL),
	ROW(DRAIN_OPEN, vn_drain_open, reserved1, 1, -EINVAL),
	ROW(DRAIN_STEP, vn_drain_step, to, VN_SLED_STATES, -EINVAL),
	ROW(DRAIN_STEP, vn_drain_step, to, VN_SLED_STATES - 1, 0),
	ROW(DRAIN_STEP, vn_drain_step, reserved, 1, -EINVAL),
	ROW(DRAIN_STEP, vn_drain_step, reserved1, 1, -EINVAL),
};

static void test_fields(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		u32 nr = fields[i].cmd & 0xff;
		union call_arg a = rows[nr].valid;
		int err;

		memcpy(a.byte + fields[i].off, &fields[i].value, fields[i].bytes);
		err = check(nr, &a);
		tap_ok(err == fields[i].err, "%s: %d", fields[i].what, err);
	}
}

/* In whose name a sled is out of service again. */
static void test_restore(void)
{
	const u32 nr = VN_IOCTL_DRAIN_OPEN & 0xff;
	union call_arg a = rows[nr].valid;

	a.drain.flags = VN_DRAIN_RESTORE;
	a.drain.uid = ~0u - 1;
	tap_ok(!check(nr, &a), "DRAIN_OPEN: restored in the name of any user");
	a.drain.uid = ~0u;
	tap_ok(check(nr, &a) == -EINVAL, "but of nobody");
	a.drain.uid = 1;
	a.drain.flags = VN_DRAIN_BACK;
	tap_ok(check(nr, &a) == -EINVAL, "who brings it back is who asks");
}

/* What goes with a kind of window alone. */
static void test_kinds(void)
{
	const u32 nr = VN_IOCTL_WINDOW_CREATE & 0xff;
	union call_arg a = rows[nr].valid;

	a.window.flags = VN_WINDOW_USER;
	a.window.bytes = VN_BYTES_MAX;
	tap_ok(!check(nr, &a), "WINDOW_CREATE: user memory, as long as may be");
	a.window.bytes++;
	tap_ok(check(nr, &a) == -EINVAL, "and a byte more");
	a = rows[nr].valid;
	a.window.flags = VN_WINDOW_DMABUF;
	a.window.fd = 3;
	tap_ok(!check(nr, &a), "a dma-buf has an fd");
	a.window.parent = 1;
	tap_ok(check(nr, &a) == -EINVAL, "and no parent");
	a = rows[nr].valid;
	a.window.flags = VN_WINDOW_PARENT;
	a.window.parent = 65537;
	tap_ok(!check(nr, &a), "a part has a parent");
	a.window.fd = 3;
	tap_ok(check(nr, &a) == -EINVAL, "and no fd");
	a = rows[nr].valid;
	a.window.flags = VN_WINDOW_USER;
	a.window.fd = 3;
	tap_ok(check(nr, &a) == -EINVAL, "user memory has no fd");
	a.window.fd = 0;
	a.window.parent = 1;
	tap_ok(check(nr, &a) == -EINVAL, "and no parent");
}

/* Every bit of a flags word that is not allowed. */
static void test_bits(void)
{
	static const struct {
		u32 cmd, off, allowed;
	} words[] = {
		{ VN_IOCTL_QUERY, offsetof(struct vn_query, flags), 0 },
		{ VN_IOCTL_CHIP_ATTACH, offsetof(struct vn_chip_attach, flags), 0 },
		{ VN_IOCTL_MEM_ALLOC, offsetof(struct vn_mem_alloc, flags), 0 },
		{ VN_IOCTL_MEM_ALLOC, offsetof(struct vn_mem_alloc, reserved), 0 },
		{ VN_IOCTL_WINDOW_CREATE, offsetof(struct vn_window_create, access), 15 },
		{ VN_IOCTL_WINDOW_CREATE, offsetof(struct vn_window_create, flags), 15 },
		{ VN_IOCTL_WINDOW_BIND, offsetof(struct vn_window_bind, access), 15 },
		{ VN_IOCTL_MEM_EXPORT, offsetof(struct vn_mem_export, flags), 1 },
		{ VN_IOCTL_WINDOW_INVALIDATE, offsetof(struct vn_window_invalidate, reserved), 0 },
		{ VN_IOCTL_WINDOW_RELEASE, offsetof(struct vn_window_release, reserved), 0 },
		{ VN_IOCTL_DOMAIN_EXPORT, offsetof(struct vn_domain_export, flags), 0 },
		{ VN_IOCTL_DOMAIN_EXPORT, offsetof(struct vn_domain_export, reserved), 0 },
		{ VN_IOCTL_DOMAIN_JOIN, offsetof(struct vn_domain_join, flags), 0 },
		{ VN_IOCTL_DOMAIN_JOIN, offsetof(struct vn_domain_join, reserved), 0 },
		{ VN_IOCTL_QUEUE_CREATE, offsetof(struct vn_queue_create, flags), 1 },
		{ VN_IOCTL_WAIT, offsetof(struct vn_wait, flags), 0 },
		{ VN_IOCTL_PLAN_CREATE, offsetof(struct vn_plan_create, flags), 0 },
		{ VN_IOCTL_STATUS_CREATE, offsetof(struct vn_status_create, flags), 0 },
		{ VN_IOCTL_STATUS_DESTROY, offsetof(struct vn_status_destroy, reserved), 0 },
	};
	u32 wrong = 0;

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		for (u32 bit = 0; bit < 32; bit++) {
			u32 nr = words[i].cmd & 0xff, w;
			union call_arg a = rows[nr].valid;

			memcpy(&w, a.byte + words[i].off, 4);
			w |= 1u << bit;
			memcpy(a.byte + words[i].off, &w, 4);
			wrong += check(nr, &a) != (words[i].allowed >> bit & 1 ? 0 : -EINVAL);
		}
	tap_ok(!wrong, "every unknown bit of every flags and reserved word (%u wrong)", wrong);
}

int main(void)
{
	test_table();
	test_valid();
	test_fields();
	test_restore();
	test_kinds();
	test_bits();
	return tap_done();
}
