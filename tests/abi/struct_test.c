// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows how every call treats its struct, whatever it does with it: sizes too
 * short, exact and too long; each byte of a tail, of a reserved field, each bit
 * of flags; pointers to nothing; that nothing behind the struct is touched, that
 * outputs are written in full and the rest not at all, and nothing on failure;
 * and which calls a chip node takes.
 */
#include "abi.h"
#include "../call_arg.h"

#define CHIP 1u

/* What the row at hand works on. */
static struct {
	int ctx, chip_fd, domain_fd;
	struct mem mem;
	uint32_t key, plan, queue;
	uint64_t import, fresh, status;
	bool live; /* the object the call is to end is there */
	struct vn_desc desc;
	struct vn_program program;
} w;

/* ---- a valid argument, and back to how it was --------------------------- */

static void prep_none(union call_arg *a)
{
	(void)a;
}

static void prep_attach(union call_arg *a)
{
	a->attach.fd = w.chip_fd;
}

static void prep_chip(union call_arg *a)
{
	a->chip_query.chip = CHIP;
}

static void prep_alloc(union call_arg *a)
{
	a->mem_alloc.chip = CHIP;
	a->mem_alloc.bytes = PAGE;
}

static void undo_alloc(const union call_arg *a)
{
	must(!mem_free(w.ctx, CHIP, a->mem_alloc.addr));
}

static void prep_free(union call_arg *a)
{
	if (!w.live) {
		struct vn_mem_alloc m = { .size = sizeof(m), .chip = CHIP, .bytes = PAGE };

		must(!call(w.ctx, VN_IOCTL_MEM_ALLOC, &m));
		w.fresh = m.addr;
		w.live = true;
	}
	a->mem_free.chip = CHIP;
	a->mem_free.addr = w.fresh;
}

static void undo_end(const union call_arg *a)
{
	(void)a;
	w.live = false;
}

static void prep_window(union call_arg *a)
{
	a->window.chip = CHIP;
	a->window.addr = w.mem.addr;
	a->window.bytes = PAGE;
	a->window.access = VN_ACCESS_REMOTE_READ;
}

static void undo_window(const union call_arg *a)
{
	must(!window_invalidate(w.ctx, CHIP, a->window.key));
}

static void prep_invalidate(union call_arg *a)
{
	if (!w.live)
		w.key = window_create(w.ctx, &w.mem, 0, PAGE, VN_ACCESS_REMOTE_READ);
	w.live = true;
	a->invalidate.chip = CHIP;
	a->invalidate.key = w.key;
}

static void prep_bind(union call_arg *a)
{
	if (!w.live)
		w.key = window_create(w.ctx, &w.mem, 0, PAGE, VN_ACCESS_REMOTE_READ);
	w.live = true;
	a->bind.chip = CHIP;
	a->bind.key = w.key;
	a->bind.addr = w.mem.addr;
	a->bind.bytes = PAGE;
	a->bind.access = VN_ACCESS_REMOTE_READ;
}

static void undo_bind(const union call_arg *a)
{
	must(a->bind.key == w.key + 65536);
	w.key = a->bind.key;
}

static void prep_mem_export(union call_arg *a)
{
	a->mem_export.chip = CHIP;
	a->mem_export.addr = w.mem.addr;
	a->mem_export.bytes = PAGE;
}

static void undo_mem_export(const union call_arg *a)
{
	must(!close(a->mem_export.fd));
}

static void prep_import(union call_arg *a)
{
	if (!w.live)
		w.key = window_create(w.ctx, &w.mem, 0, PAGE, VN_ACCESS_REMOTE_READ);
	w.live = true;
	a->import.chip = CHIP;
	a->import.key = w.key;
	a->import.access = VN_ACCESS_REMOTE_READ;
}

static void undo_import(const union call_arg *a)
{
	struct vn_window_release r = { .size = sizeof(r), .mmap_offset = a->import.mmap_offset };

	must(!call(w.ctx, VN_IOCTL_WINDOW_RELEASE, &r));
}

static void prep_release(union call_arg *a)
{
	if (!w.live) {
		union call_arg i = {};
		int64_t offset;

		prep_import(&i);
		offset = window_import(w.ctx, CHIP, w.key, VN_ACCESS_REMOTE_READ);
		must(offset > 0);
		w.import = offset;
	}
	a->release.mmap_offset = w.import;
}

static void undo_release(const union call_arg *a)
{
	(void)a;
	must(!window_invalidate(w.ctx, CHIP, w.key));
	w.live = false;
}

static void undo_export(const union call_arg *a)
{
	close(a->domain_export.fd);
}

static void prep_join(union call_arg *a)
{
	a->join.fd = w.domain_fd;
}

static void prep_queue(union call_arg *a)
{
	a->queue.chip = CHIP;
	a->queue.depth = 8;
}

static void undo_queue(const union call_arg *a)
{
	must(!queue_call(w.ctx, VN_IOCTL_QUEUE_DESTROY, a->queue.queue));
}

static void prep_id(union call_arg *a)
{
	if (!w.live) {
		struct vn_queue_create q = { .size = sizeof(q), .chip = CHIP, .depth = 8 };

		must(!call(w.ctx, VN_IOCTL_QUEUE_CREATE, &q));
		w.queue = q.queue;
		w.live = true;
	}
	a->id.queue = w.queue;
}

static void prep_plan(union call_arg *a)
{
	w.desc = (struct vn_desc){ .opcode = VN_OP_NOP };
	w.program = (struct vn_program){ .chip = CHIP, .count = 1 };
	a->plan.programs = (uintptr_t)&w.program;
	a->plan.descs = (uintptr_t)&w.desc;
	a->plan.nprograms = 1;
	a->plan.ndescs = 1;
}

static void undo_plan(const union call_arg *a)
{
	must(!plan_destroy(w.ctx, a->plan.plan));
}

static void prep_plan_destroy(union call_arg *a)
{
	union call_arg c = {};

	if (!w.live) {
		prep_plan(&c);
		must(!plan_create(w.ctx, CHIP, &w.desc, 1, &w.plan));
		w.live = true;
	}
	a->plan_destroy.plan = w.plan;
}

static void undo_status(const union call_arg *a)
{
	must(!status_destroy(w.ctx, a->status.mmap_offset));
}

static void prep_status_destroy(union call_arg *a)
{
	if (!w.live) {
		struct vn_status_create s = { .size = sizeof(s) };

		must(!call(w.ctx, VN_IOCTL_STATUS_CREATE, &s));
		w.status = s.mmap_offset;
		w.live = true;
	}
	a->status_destroy.mmap_offset = w.status;
}

static void prep_dry_run(union call_arg *a)
{
	a->drain.flags = VN_DRAIN_DRY_RUN;
	a->drain.to = VN_ANY_SLED;
	a->drain.operation = 1;
	a->drain.budget_ns = 1;
}

/* ---- the calls ---------------------------------------------------------- */

struct field {
	uint16_t off, bytes;
};

#define F(type, field)                                                                             \
	{                                                                                          \
		offsetof(struct type, field), sizeof(((struct type *)0)->field)                    \
	}

static const struct row {
	const char *name;
	unsigned long cmd;
	uint32_t bytes, least; /* least: as it first was, 0: as it is */
	bool chip_node;
	void (*prep)(union call_arg *a);
	void (*undo)(const union call_arg *a); /* after success */
	struct field reserved[3];
	struct field flags;
	uint32_t known; /* bits of flags */
	struct field out[14];
	struct field odd[2]; /* outputs that may be all ones */
	struct field changed; /* an input that is an output, too */
} rows[] = {
#define ROW(nr, type) GROWN(nr, type, 0)
#define GROWN(nr, type, was)                                                                       \
	.name = #nr, .cmd = VN_IOCTL_##nr, .bytes = sizeof(struct type), .least = (was)
	{ GROWN(QUERY, vn_query, 64), true, prep_none, NULL, .flags = F(vn_query, flags),
	  .out = { F(vn_query, abi), F(vn_query, sleds), F(vn_query, chips_per_sled),
		   F(vn_query, chips), F(vn_query, racks), F(vn_query, epoch),
		   F(vn_query, features), F(vn_query, hbm_bytes), F(vn_query, tick_hz),
		   F(vn_query, page_size), F(vn_query, ultraserver), F(vn_query, spares),
		   F(vn_query, reserved), F(vn_query, fence_waits) } },
	{ ROW(CHIP_ATTACH, vn_chip_attach), false, prep_attach, NULL,
	  .flags = F(vn_chip_attach, flags), .out = { F(vn_chip_attach, chip) } },
	{ ROW(CHIP_QUERY, vn_chip_query), true, prep_chip, NULL,
	  .out = { F(vn_chip_query, sled), F(vn_chip_query, slot), F(vn_chip_query, rack),
		   F(vn_chip_query, epoch), F(vn_chip_query, attached), F(vn_chip_query, hbm_bytes),
		   F(vn_chip_query, hbm_used), F(vn_chip_query, queues),
		   F(vn_chip_query, windows) },
	  .odd = { F(vn_chip_query, numa_node) } },
	{ ROW(MEM_ALLOC, vn_mem_alloc), false, prep_alloc, undo_alloc,
	  .reserved = { F(vn_mem_alloc, reserved) }, .flags = F(vn_mem_alloc, flags),
	  .out = { F(vn_mem_alloc, addr), F(vn_mem_alloc, mmap_offset) } },
	{ ROW(MEM_FREE, vn_mem_free), false, prep_free, undo_end },
	{ GROWN(WINDOW_CREATE, vn_window_create, 32), false, prep_window, undo_window,
	  .reserved = { F(vn_window_create, queue), F(vn_window_create, user_data) },
	  .flags = F(vn_window_create, access), .known = ACCESS_ALL,
	  .out = { F(vn_window_create, key) } },
	{ ROW(WINDOW_INVALIDATE, vn_window_invalidate), false, prep_invalidate, undo_end,
	  .reserved = { F(vn_window_invalidate, reserved) } },
	{ ROW(WINDOW_IMPORT, vn_window_import), false, prep_import, undo_import,
	  .flags = F(vn_window_import, access),
	  .known = VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE,
	  .out = { F(vn_window_import, mmap_offset), F(vn_window_import, bytes) } },
	{ ROW(WINDOW_RELEASE, vn_window_release), false, prep_release, undo_release,
	  .reserved = { F(vn_window_release, reserved) } },
	{ ROW(DOMAIN_EXPORT, vn_domain_export), false, prep_none, undo_export,
	  .reserved = { F(vn_domain_export, reserved) }, .flags = F(vn_domain_export, flags),
	  .out = { F(vn_domain_export, fd) } },
	{ ROW(DOMAIN_JOIN, vn_domain_join), false, prep_join, NULL,
	  .reserved = { F(vn_domain_join, reserved) }, .flags = F(vn_domain_join, flags) },
	{ ROW(QUEUE_CREATE, vn_queue_create), false, prep_queue, undo_queue,
	  .flags = F(vn_queue_create, flags), .known = VN_QUEUE_EVENTFD,
	  .out = { F(vn_queue_create, queue), F(vn_queue_create, mmap_offset),
		   F(vn_queue_create, mmap_bytes) } },
	{ ROW(QUEUE_DESTROY, vn_queue_id), false, prep_id, undo_end },
	{ ROW(QUEUE_RESET, vn_queue_id), false, prep_id, NULL },
	{ ROW(DOORBELL, vn_queue_id), false, prep_id, NULL },
	{ ROW(WAIT, vn_wait), false, prep_id, NULL, .flags = F(vn_wait, flags),
	  .out = { F(vn_wait, cq_tail), F(vn_wait, state) } },
	{ ROW(PLAN_CREATE, vn_plan_create), false, prep_plan, undo_plan,
	  .flags = F(vn_plan_create, flags),
	  .out = { F(vn_plan_create, plan), F(vn_plan_create, error_desc) } },
	{ ROW(PLAN_DESTROY, vn_plan_destroy), false, prep_plan_destroy, undo_end },
	{ ROW(STATUS_CREATE, vn_status_create), false, prep_none, undo_status,
	  .flags = F(vn_status_create, flags),
	  .out = { F(vn_status_create, mmap_offset), F(vn_status_create, bytes) } },
	{ ROW(STATUS_DESTROY, vn_status_destroy), false, prep_status_destroy, undo_end,
	  .reserved = { F(vn_status_destroy, reserved) } },
	{ ROW(SLED_QUERY, vn_sled_query), false, prep_none, NULL,
	  .out = { F(vn_sled_query, state), F(vn_sled_query, chips), F(vn_sled_query, rack),
		   F(vn_sled_query, epoch), F(vn_sled_query, hbm_used), F(vn_sled_query, operation),
		   F(vn_sled_query, reason) },
	  .odd = { F(vn_sled_query, numa_node), F(vn_sled_query, uid) } },
	{ GROWN(DRAIN_OPEN, vn_drain_open, 120), false, prep_dry_run, NULL,
	  .reserved = { F(vn_drain_open, uid), F(vn_drain_open, reserved),
			F(vn_drain_open, reserved1) },
	  .flags = F(vn_drain_open, flags),
	  .known = VN_DRAIN_DRY_RUN | VN_DRAIN_BACK | VN_DRAIN_RESTORE | VN_DRAIN_MAINTAIN,
	  .out = { F(vn_drain_open, chips), F(vn_drain_open, free_slots),
		   F(vn_drain_open, contexts), F(vn_drain_open, bytes), F(vn_drain_open, rate),
		   F(vn_drain_open, pause_ns), F(vn_drain_open, time_ns), F(vn_drain_open, slot),
		   F(vn_drain_open, exports), F(vn_drain_open, holder),
		   F(vn_drain_open, holder_pid) },
	  .odd = { F(vn_drain_open, fd) } },
	{ ROW(WINDOW_BIND, vn_window_bind), false, prep_bind, undo_bind,
	  .reserved = { F(vn_window_bind, reserved) }, .flags = F(vn_window_bind, access),
	  .known = ACCESS_ALL, .changed = F(vn_window_bind, key) },
	{ ROW(MEM_EXPORT, vn_mem_export), false, prep_mem_export, undo_mem_export,
	  .flags = F(vn_mem_export, flags), .known = VN_EXPORT_WRITE,
	  .out = { F(vn_mem_export, fd) } },
};

/* A buffer longer than any struct, and what was in it before the call. */
static uint8_t buf[2 * PAGE], before[2 * PAGE];

static void fill(const struct row *r, union call_arg *a, uint32_t size)
{
	memset(a, 0, sizeof(*a));
	r->prep(a);
	a->size = size;
}

/* Makes the call on buf; on success undoes it. */
static int attempt(const struct row *r)
{
	union call_arg a;
	int err;

	memcpy(before, buf, sizeof(buf));
	err = call(w.ctx, r->cmd, buf);
	memcpy(&a, buf, sizeof(a));
	if (!err && r->undo)
		r->undo(&a);
	return err;
}

static int attempt_size(const struct row *r, uint32_t size)
{
	memset(buf, 0, sizeof(buf));
	fill(r, (union call_arg *)buf, size);
	return attempt(r);
}

static bool untouched(void)
{
	return !memcmp(buf, before, sizeof(buf));
}

static void test_sizes(const struct row *r)
{
	static const uint32_t tails[] = { 1, 7, 8, 64, 1000 };
	uint32_t wrong = 0;

	tap_result(attempt_size(r, r->bytes), 0, "%s: exact", r->name);
	for (uint32_t size = 0; size < (r->least ?: r->bytes); size++)
		wrong += attempt_size(r, size) != -EINVAL || !untouched();
	tap_ok(!wrong, "%s: each shorter size is EINVAL (%u are not)", r->name, wrong);
	for (uint32_t size = r->least ?: r->bytes; size < r->bytes; size++)
		wrong += attempt_size(r, size) || memcmp(buf + size, before + size, 64);
	if (r->least)
		tap_ok(!wrong, "%s: as it was before it grew works (%u do not)", r->name, wrong);
	for (uint32_t i = 0; i < ARRAY_SIZE(tails); i++)
		wrong += attempt_size(r, r->bytes + tails[i]) != 0;
	wrong += attempt_size(r, PAGE) != 0;
	tap_ok(!wrong, "%s: longer with a tail of zeros works (%u do not)", r->name, wrong);
	wrong = attempt_size(r, PAGE + 1) != -E2BIG || !untouched();
	wrong += attempt_size(r, ~0u) != -E2BIG || !untouched();
	wrong += attempt_size(r, 1u << 31) != -E2BIG || !untouched();
	tap_ok(!wrong, "%s: more than a page is E2BIG", r->name);
}

static void test_tail(const struct row *r)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 24; i++) {
		memset(buf, 0, sizeof(buf));
		fill(r, (union call_arg *)buf, r->bytes + 24);
		buf[r->bytes + i] = i & 1 ? 0x80 : 1;
		wrong += attempt(r) != -E2BIG || !untouched();
	}
	tap_ok(!wrong, "%s: each byte of a tail that is set is E2BIG (%u are not)", r->name, wrong);
}

/* The call with one byte changed. */
static bool refused(const struct row *r, uint32_t off, uint8_t value)
{
	memset(buf, 0, sizeof(buf));
	fill(r, (union call_arg *)buf, r->bytes);
	buf[off] |= value;
	return attempt(r) == -EINVAL && untouched();
}

static void test_fields(const struct row *r)
{
	uint32_t wrong = 0, tried = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(r->reserved); i++)
		for (uint32_t b = 0; b < r->reserved[i].bytes; b++, tried += 2) {
			wrong += !refused(r, r->reserved[i].off + b, 1);
			wrong += !refused(r, r->reserved[i].off + b, 0x80);
		}
	if (tried)
		tap_ok(!wrong, "%s: each reserved byte is EINVAL (%u of %u are not)", r->name,
		       wrong, tried);
	if (!r->flags.bytes)
		return;
	wrong = 0;
	for (uint32_t bit = 0; bit < 32; bit++)
		if (!(r->known >> bit & 1))
			wrong += !refused(r, r->flags.off + bit / 8, 1 << bit % 8);
	tap_ok(!wrong, "%s: each unknown flag is EINVAL (%u are not)", r->name, wrong);
}

static void test_outputs(const struct row *r)
{
	bool written[sizeof(union call_arg)] = {};
	uint32_t ones = 0, changed = 0;
	union call_arg a;

	memset(buf, 0xff, sizeof(buf));
	fill(r, &a, r->bytes);
	memcpy(buf, &a, r->bytes);
	for (uint32_t i = 0; i < ARRAY_SIZE(r->out); i++)
		memset(buf + r->out[i].off, 0xff, r->out[i].bytes);
	for (uint32_t i = 0; i < ARRAY_SIZE(r->odd); i++)
		memset(buf + r->odd[i].off, 0xff, r->odd[i].bytes);
	tap_result(attempt(r), 0, "%s: outputs are not looked at", r->name);
	for (uint32_t i = 0; i < ARRAY_SIZE(r->out); i++) {
		uint32_t n = 0;

		for (uint32_t b = 0; b < r->out[i].bytes; b++) {
			written[r->out[i].off + b] = true;
			n += buf[r->out[i].off + b] == 0xff;
		}
		ones += n && n == r->out[i].bytes;
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(r->odd); i++)
		memset(written + r->odd[i].off, true, r->odd[i].bytes);
	memset(written + r->changed.off, true, r->changed.bytes);
	for (uint32_t i = 0; i < sizeof(buf); i++)
		if (!(i < sizeof(a) && written[i]))
			changed += buf[i] != before[i];
	tap_ok(!ones, "%s: every output is written (%u are not)", r->name, ones);
	tap_ok(!changed, "%s: nothing else is, nor behind it (%u bytes are)", r->name, changed);
}

/* The objects of the chip: what a failed call must not change. */
static bool same_use(const struct vn_chip_query *was)
{
	struct vn_chip_query q = chip_query(w.ctx, CHIP);

	return q.hbm_used == was->hbm_used && q.queues == was->queues && q.windows == was->windows;
}

static void test_pointers(const struct row *r)
{
	uint8_t *page = page_before_nothing(), *end = page + PAGE;
	struct vn_chip_query was;
	uint32_t wrong = 0;
	union call_arg a;

	/* prep() may make what the call is to end, so before use is looked at */
	fill(r, &a, r->bytes);
	was = chip_query(w.ctx, CHIP);

	wrong += call(w.ctx, r->cmd, NULL) != -EFAULT;
	wrong += call(w.ctx, r->cmd, end) != -EFAULT;
	wrong += call(w.ctx, r->cmd, (void *)-4096l) != -EFAULT;
	wrong += call(w.ctx, r->cmd, (void *)0xffffffff80000000ul) != -EFAULT;
	wrong += call(w.ctx, r->cmd, (void *)0x8000000000000000ul) != -EFAULT;
	tap_ok(!wrong, "%s: pointers to nothing are EFAULT (%u are not)", r->name, wrong);

	wrong = 0;
	for (uint32_t n = 1; n < r->bytes; n++) {
		memcpy(end - n, &a, n);
		wrong += call(w.ctx, r->cmd, end - n) != -EFAULT;
	}
	tap_ok(!wrong, "%s: a struct that ends nowhere is EFAULT (%u are not)", r->name, wrong);

	if (r->out[0].bytes || r->changed.bytes) {
		memcpy(page, &a, r->bytes);
		must(!mprotect(page, PAGE, PROT_READ));
		wrong = call(w.ctx, r->cmd, page) != -EFAULT;
		must(!mprotect(page, PAGE, PROT_READ | PROT_WRITE));
		tap_ok(!wrong && same_use(&was), "%s: no room for outputs is EFAULT, and undone",
		       r->name);
	}

	/* Nothing may be read or written behind the end of the page. */
	fill(r, &a, r->bytes);
	memcpy(end - r->bytes, &a, r->bytes);
	wrong = call(w.ctx, r->cmd, end - r->bytes) != 0;
	memcpy(&a, end - r->bytes, r->bytes);
	if (!wrong && r->undo)
		r->undo(&a);
	tap_ok(!wrong, "%s: right before the end of a page", r->name);
	munmap(page, PAGE);
}

static void test_node(const struct row *r)
{
	union call_arg a;
	int chip = open_chip(CHIP);

	fill(r, &a, r->bytes);
	tap_result(call(chip, r->cmd, &a), r->chip_node ? 0 : -ENOTTY, "%s: on a chip node",
		   r->name);
	close(chip);
}

static void begin(void)
{
	memset(&w, 0, sizeof(w));
	w.ctx = open_on(CHIP);
	w.chip_fd = open_chip(CHIP);
	w.domain_fd = domain_export(w.ctx);
	w.mem = mem_alloc(w.ctx, CHIP, 4 * PAGE);
}

static void end(void)
{
	munmap(w.mem.ptr, w.mem.bytes);
	close(w.domain_fd);
	close(w.chip_fd);
	close(w.ctx);
}

static void test_unknown(int fd, const char *node)
{
	uint32_t wrong = 0;
	uint8_t arg[PAGE] = { 64 };

	for (uint32_t nr = VN_IOCTL_COUNT; nr < 256; nr++)
		wrong += call(fd, _IO('V', nr), arg) != -ENOTTY;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Neither another letter nor a size or direction is the same call. */
		for (uint32_t bit = 8; bit < 32; bit++)
			wrong += call(fd, rows[i].cmd ^ 1u << bit, arg) != -ENOTTY;
	}
	tap_ok(!wrong, "%s: unknown commands are ENOTTY (%u are not)", node, wrong);
}

int main(void)
{
	struct vn_chip_query was, is;
	int ctx = open_context();

	was = chip_query(ctx, CHIP);
	/* DRAIN_STEP is of a session alone: errno_test. */
	tap_ok(ARRAY_SIZE(rows) == VN_IOCTL_COUNT - 1, "there are %u calls", VN_IOCTL_COUNT);
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		test_sizes(&rows[i]);
		test_tail(&rows[i]);
		test_fields(&rows[i]);
		test_outputs(&rows[i]);
		test_pointers(&rows[i]);
		test_node(&rows[i]);
		end();
	}
	begin();
	test_unknown(w.ctx, "UltraServer node");
	test_unknown(w.chip_fd, "chip node");
	end();
	is = chip_query(ctx, CHIP);
	tap_ok(is.hbm_used == was.hbm_used && is.queues == was.queues && is.windows == was.windows,
	       "nothing is left on the chip");
	close(ctx);
	return tap_done();
}
