// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Each allocation and each copy from or to user memory fails in turn, in every call of the
 * ABI, in opening, mapping, touching and closing, and in every command of netlink: refused
 * with a clean errno nothing has changed, and the same call works then.
 */
#include <sys/eventfd.h>
#include "sweep_asks.h"

/* ---- the table ---------------------------------------------------------------------- */

#define NR(call) .name = #call, .nr = VN_IOCTL_##call & 0xff
#define NR_AS(call, how) .name = #call ", " how, .nr = VN_IOCTL_##call & 0xff
#define NL(what, how) .name = "netlink " #what ", " how, .nr = -1, .cmd = VN_NL_CMD_##what
#define WHAT(what) .name = what, .nr = -1
#define DO(first, it, then) .begin = first, .act = it, .end = then
#define OR(...) .also = { __VA_ARGS__ }

/* clang-format off */
static const struct row rows[] = {
	{ NR(QUERY), DO(begin_query, do_query, NULL) },
	{ NR_AS(QUERY, "of a chip node"), DO(begin_query, do_node_query, NULL) },
	{ NR(CHIP_ATTACH), DO(begin_attach, do_attach, end_fresh), .see = see_attached },
	{ NR(CHIP_QUERY), DO(begin_chip_query, do_chip_query, NULL) },
	{ NR(MEM_ALLOC), DO(begin_alloc, do_alloc, end_alloc) },
	{ NR_AS(MEM_ALLOC, "beyond a chunk"), DO(begin_alloc_much, do_alloc, end_alloc) },
	{ NR(MEM_FREE), DO(begin_free, do_free, NULL) },
	{ NR(WINDOW_CREATE), DO(begin_window, do_window, end_all) },
	{ NR_AS(WINDOW_CREATE, "on user memory"),
	  DO(begin_user_window, do_window, end_fresh), .see = see_pinned },
	{ NR_AS(WINDOW_CREATE, "on a dma-buf"), DO(begin_dmabuf_window, do_window, end_exported) },
	{ NR_AS(WINDOW_CREATE, "on a window"), DO(begin_part, do_window, end_all) },
	{ NR(WINDOW_BIND), DO(begin_bind, do_bind, end_all), .late = true },
	{ NR(MEM_EXPORT), DO(begin_mem_export, do_mem_export, end_mem_export), .see = see_files },
	{ NR(WINDOW_INVALIDATE), DO(begin_invalidate, do_invalidate, end_all) },
	{ NR(WINDOW_IMPORT), DO(begin_import, do_import, end_all) },
	{ NR(WINDOW_RELEASE), DO(begin_release, do_release, end_all) },
	{ NR(DOMAIN_EXPORT), DO(begin_export, do_export, end_export), .see = see_files },
	{ NR(DOMAIN_JOIN), DO(begin_join, do_join, end_fresh) },
	{ NR(QUEUE_CREATE), DO(begin_queue, do_queue, end_queue) },
	{ NR(QUEUE_DESTROY), DO(begin_queue_id, do_destroy, end_queue_id) },
	{ NR(QUEUE_RESET), DO(begin_queue_id, do_reset, end_queue_id) },
	{ NR(DOORBELL), DO(begin_queue_id, do_doorbell, end_queue_id) },
	{ NR(WAIT), DO(begin_wait, do_wait, end_queue_id) },
	{ NR(PLAN_CREATE), DO(begin_plan, do_plan, end_plan) },
	{ NR(PLAN_DESTROY), DO(begin_plan_destroy, do_plan_destroy, NULL) },
	{ NR(STATUS_CREATE), DO(begin_status, do_status, end_status) },
	{ NR(STATUS_DESTROY), DO(begin_status_destroy, do_status_destroy, NULL) },
	{ NR(SLED_QUERY), DO(begin_sled_query, do_sled_query, NULL) },
	{ NR(DRAIN_OPEN), DO(begin_drain, do_drain, end_drain), .see = see_sled },
	{ NR_AS(DRAIN_OPEN, "a dry run"), DO(begin_dry_run, do_drain, drop_mem), .see = see_sled },
	{ NR_AS(DRAIN_OPEN, "back"), DO(begin_back, do_drain, end_back), .see = see_sled },
	{ NR_AS(DRAIN_OPEN, "for maintenance"),
	  DO(begin_maintain, do_drain, end_maintain), .see = see_sled },
	{ NR_AS(DRAIN_STEP, "CORDONED"),
	  DO(begin_cordon, do_step, end_step), .see = see_sled, .late = true },
	{ NR_AS(DRAIN_STEP, "PRECOPY"), DO(begin_copy, do_step, end_step), .see = see_files },
	{ NR_AS(DRAIN_STEP, "COMMITTED"),
	  DO(begin_commit, do_step, end_step), .see = see_sled, .late = true },
	{ NR_AS(DRAIN_STEP, "DRAINED"),
	  DO(begin_clear, do_step, end_step), .see = see_sled, .late = true },
	{ NR_AS(DRAIN_STEP, "IN_SERVICE"),
	  DO(begin_serve, do_step, end_step), .see = see_sled, .late = true },

	{ WHAT("open the UltraServer"), DO(NULL, do_open, end_fresh), .see = see_files },
	{ WHAT("open a chip"), DO(NULL, do_open_chip, end_fresh), .see = see_files },
	{ WHAT("close a context with all there is"),
	  DO(begin_all, do_close, end_all_mapped), .sure = true },
	{ WHAT("close a session that copies"),
	  DO(begin_commit, do_close_session, end_closed), .sure = true },
	{ WHAT("close a session that has committed"),
	  DO(begin_clear, do_close_session, end_closed), .sure = true },
	{ WHAT("close a session that tests"),
	  DO(begin_serve, do_close_session, end_closed), .sure = true },
	{ WHAT("poll"), DO(begin_queue_id, do_poll, end_queue_id) },
	{ WHAT("epoll"), DO(begin_epoll, do_epoll, end_epoll) },

	{ WHAT("map memory"), DO(begin_map_mem, do_map, end_map) },
	{ WHAT("map an import"), DO(begin_map_import, do_map, end_map) },
	{ WHAT("map a queue"), DO(begin_map_queue, do_map, end_map) },
	{ WHAT("map a status page"), DO(begin_map_status, do_map, end_map) },
	{ WHAT("map the health page"), DO(begin_map_health, do_map_read, end_map) },
	{ WHAT("map a dma-buf"), DO(begin_exported, do_map_export, end_map_export) },
	{ WHAT("synchronise a dma-buf"), DO(begin_exported, do_sync, end_exported) },
	{ WHAT("read memory"), DO(begin_touch_mem, do_read, end_map), .sure = true },
	{ WHAT("write memory"), DO(begin_touch_mem, do_write, end_map), .sure = true },
	{ WHAT("read an import"), DO(begin_touch_import, do_read, end_map), .sure = true },
	{ WHAT("write an import"), DO(begin_touch_import, do_write, end_map), .sure = true },
	{ WHAT("read a dma-buf"), DO(begin_touch_export, do_read, end_map_export), .sure = true },
	{ WHAT("write a dma-buf"), DO(begin_touch_export, do_write, end_map_export), .sure = true },
	{ WHAT("write memory that is being copied"),
	  DO(begin_touch_copied, do_write, end_touch_copied), .sure = true },
	{ WHAT("protect a page of a mapping"), DO(begin_touch_mem, do_split, end_map) },
	{ WHAT("unmap a page of a mapping"), DO(begin_touch_mem, do_punch, end_map) },
	{ WHAT("move a mapping"), DO(begin_remap, do_remap, end_remap) },
	{ WHAT("fork with all there is"), DO(begin_all, do_fork, end_all_mapped), OR(-EAGAIN) },

	{ NL(DEVICE, "asked"), DO(begin_do_device, do_nl, end_nl), OR(-ENOBUFS) },
	{ NL(CHIP, "asked"), DO(begin_do_chip, do_nl, end_nl), OR(-ENOBUFS) },
	{ NL(SLED, "asked"), DO(begin_do_sled, do_nl, end_nl), OR(-ENOBUFS) },
	{ NL(DEVICE, "listed"), DO(begin_dump_DEVICE, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(CHIP, "listed"), DO(begin_dump_CHIP, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(PORT, "listed"), DO(begin_dump_PORT, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(CONTEXT, "listed"), DO(begin_dump_CONTEXT, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(QUEUE, "listed"), DO(begin_dump_QUEUE, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(WINDOW, "listed"), DO(begin_dump_WINDOW, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(PLAN, "listed"), DO(begin_dump_PLAN, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(RANK, "listed"), DO(begin_dump_RANK, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(SLED, "listed"), DO(begin_dump_SLED, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(FAULT, "listed"), DO(begin_dump_FAULT, do_nl, end_dump), OR(-ENOBUFS) },
	{ NL(DRAIN_CANCEL, "asked"),
	  DO(begin_cancel, do_nl, end_cancel), .see = see_sled, OR(-ENOBUFS) },
	{ NL(CHIP_RESET, "asked"), DO(begin_reset, do_nl, end_dump), OR(-ENOBUFS), .late = true },
	{ NL(FAULT_INJECT, "a chip"),
	  DO(begin_inject_chip, do_nl, end_fault), OR(-ENOBUFS), .late = true },
	{ NL(FAULT_INJECT, "a sled"),
	  DO(begin_inject_sled, do_nl, end_lost_sled), .see = see_sled, OR(-ENOBUFS), .late = true },
	{ NL(FAULT_CLEAR, "a chip"),
	  DO(begin_clear_fault, do_nl, end_fault), OR(-ENOBUFS), .late = true },
};
/* clang-format on */

/* A call or a command that is new has a row, too. */
static void test_complete(void)
{
	uint64_t calls = 0, cmds = 1ull << VN_NL_CMD_SLED_EVENT; /* nobody asks for that */

	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].nr >= 0)
			calls |= 1ull << rows[i].nr;
		cmds |= 1ull << rows[i].cmd;
	}
	tap_ok(calls == (1ull << VN_IOCTL_COUNT) - 1, "each call has a row (%#llx)",
	       (unsigned long long)calls);
	tap_ok(cmds == (2ull << VN_NL_CMD_MAX) - 1, "each command of netlink has one (%#llx)",
	       (unsigned long long)cmds);
}

/* One failure, and all from there on. */
static struct swept swept[2][ARRAY_SIZE(rows)];

/* What is refused leaves nothing behind, not even what the module itself still knows. */
static void test_kept(void)
{
	unsigned int refused = 0;

	/* What grew in all three by chance: it is looked at twice more. */
	while (kept.times < 4 || (kept.times < TIMES && kept_grown(1, false))) {
		for (uint32_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
			nth.all = i % 2;
			sweep_again(&rows[i / 2], &swept[i % 2][i / 2]);
		}
		kept_look();
	}
	for (uint32_t i = 0; i < 2 * ARRAY_SIZE(rows); i++)
		refused += swept[i % 2][i / 2].refused;
	tap_ok(refused, "%u refusals in all", refused);
	kept_points(1, "refusals");
}

/* All rows, or those of which the name has one of these in it. */
static bool wanted(const char *name, char **some)
{
	bool all = !*some, named = false;

	for (; *some; some++)
		named |= strstr(name, *some) != NULL;
	return all || named;
}

int main(int argc, char **argv)
{
	struct vn_query q = query();
	int events, other;

	(void)argc;
	if (!nth_begin())
		tap_skip_all("only with a kernel that lets allocations fail (fail-nth)");
	must(q.spares && q.chips > FAR);
	account();
	/* Somebody is told of what happens: that takes memory, too. */
	events = nl_socket();
	must(!setsockopt(events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl.group, sizeof(nl.group)));
	w.chip_fd = open_chip(CHIP);
	w.event = eventfd(0, EFD_CLOEXEC);
	other = open_context();
	w.domain = domain_export(other);
	w.ctx = open_on(CHIP);
	test_complete();
	for (uint32_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		nth.all = i % 2;
		if (wanted(rows[i / 2].name, argv + 1))
			swept[i % 2][i / 2] = sweep(&rows[i / 2]);
	}
	test_kept();
	return tap_done();
}
