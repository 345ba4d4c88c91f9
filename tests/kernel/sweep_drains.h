/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a sweep does with drains: sessions, their steps, and closing them. */
#ifndef VN_TEST_SWEEP_DRAINS_H
#define VN_TEST_SWEEP_DRAINS_H

#include "sweep_calls.h"

static uint64_t see_sled(void)
{
	return sled_state(w.ctx, w.sled) << 16 | see_files();
}

/* Some memory is on the sled that is to go. */
static void begin_drain(void)
{
	w.mem = mem_alloc(w.ctx, CHIP, BYTES);
	w.mem.ptr[0] = 1;
	w.sled = sled_of(w.ctx, CHIP);
	sent.drain = drain_of(w.sled, 0);
}

CALL_IT(drain, VN_IOCTL_DRAIN_OPEN, w.ctx, drain)

static void drop_mem(void)
{
	munmap(w.mem.ptr, w.mem.bytes);
	must(!mem_free(w.ctx, CHIP, w.mem.addr));
}

static void end_drain(void)
{
	close(a.drain.fd);
	drop_mem();
}

static void begin_dry_run(void)
{
	begin_drain();
	sent.drain.flags = VN_DRAIN_DRY_RUN;
}

static void begin_back(void)
{
	begin_drain();
	drain_whole(w.ctx, w.sled);
	sent.drain = drain_of(w.sled, VN_DRAIN_BACK);
}

static void end_back(void)
{
	must(!drain_step(a.drain.fd, VN_SLED_IN_SERVICE));
	end_drain();
}

static void begin_maintain(void)
{
	begin_back();
	sent.drain = drain_of(w.sled, VN_DRAIN_MAINTAIN);
}

static void end_maintain(void)
{
	must(sled_state(w.ctx, w.sled) == VN_SLED_MAINTENANCE);
	must(!bring_back(w.ctx, w.sled));
	drop_mem();
}

static void begin_step(uint32_t from, uint32_t to)
{
	begin_drain();
	w.session = drain_till(w.ctx, w.sled, from);
	SEND(step, vn_drain_step, .to = to);
}

static void begin_cordon(void)
{
	begin_step(VN_SLED_PLANNED, VN_SLED_CORDONED);
}

static void begin_copy(void)
{
	begin_step(VN_SLED_CORDONED, VN_SLED_PRECOPY);
}

static void begin_commit(void)
{
	begin_step(VN_SLED_PRECOPY, VN_SLED_COMMITTED);
	w.mem.ptr[PAGE] = 2;
}

static void begin_clear(void)
{
	begin_step(VN_SLED_COMMITTED, VN_SLED_DRAINED);
}

static void begin_serve(void)
{
	begin_back();
	w.session = drain_open(w.ctx, w.sled, VN_DRAIN_BACK);
	must(w.session >= 0);
	SEND(step, vn_drain_step, .to = VN_SLED_IN_SERVICE);
}

CALL_IT(step, VN_IOCTL_DRAIN_STEP, w.session, step)

static void end_step(void)
{
	close(w.session);
	if (sled_state(w.ctx, w.sled) != VN_SLED_IN_SERVICE)
		must(!bring_back(w.ctx, w.sled));
	drop_mem();
}

static int do_close_session(void)
{
	close(w.session);
	return 0;
}

static void end_closed(void)
{
	w.session = -1;
	end_step();
}

#endif
