/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a sweep asks by netlink. */
#ifndef VN_TEST_SWEEP_ASKS_H
#define VN_TEST_SWEEP_ASKS_H

#include "sweep_drains.h"
#include "sweep_maps.h"

static void connect_nl(void)
{
	w.nl = nl_socket();
	w.spoilt = false;
}

static void begin_nl(uint8_t cmd, int flags)
{
	connect_nl();
	w.ask = ask(cmd, flags);
}

/* Asked again, on another socket: what is left in that one is an answer to the first time. */
static int do_nl(void)
{
	int err;

	if (w.spoilt) {
		close(w.nl);
		connect_nl();
	}
	err = nl_call(w.nl, &w.ask, NULL, NULL);
	w.spoilt = err != 0;
	return err;
}

static void end_nl(void)
{
	close(w.nl);
}

/* One of each, so that there is something to list. */
static void begin_dump(uint8_t cmd)
{
	begin_all();
	begin_nl(cmd, NLM_F_DUMP);
}

static void end_dump(void)
{
	end_nl();
	end_all_mapped();
}

#define DUMP_OF(name)                                                                              \
	static void begin_dump_##name(void)                                                        \
	{                                                                                          \
		begin_dump(VN_NL_CMD_##name);                                                      \
	}

DUMP_OF(DEVICE)
DUMP_OF(CHIP)
DUMP_OF(PORT)
DUMP_OF(CONTEXT)
DUMP_OF(QUEUE)
DUMP_OF(WINDOW)
DUMP_OF(PLAN)
DUMP_OF(RANK)
DUMP_OF(SLED)
DUMP_OF(FAULT)

/* Of one on which there is all that it ends. */
static void begin_reset(void)
{
	begin_all();
	begin_nl(VN_NL_CMD_CHIP_RESET, NLM_F_ACK);
	ask_u32(&w.ask, VN_NL_A_CHIP, CHIP);
}

static void begin_do_device(void)
{
	begin_nl(VN_NL_CMD_DEVICE, NLM_F_ACK);
}

static void begin_do_chip(void)
{
	begin_nl(VN_NL_CMD_CHIP, NLM_F_ACK);
	ask_u32(&w.ask, VN_NL_A_CHIP, CHIP);
}

static void begin_do_sled(void)
{
	begin_nl(VN_NL_CMD_SLED, NLM_F_ACK);
	ask_u32(&w.ask, VN_NL_A_SLED, 1);
}

static void begin_cancel(void)
{
	begin_cordon();
	begin_nl(VN_NL_CMD_DRAIN_CANCEL, NLM_F_ACK);
	ask_u32(&w.ask, VN_NL_A_SLED, w.sled);
}

static void end_cancel(void)
{
	end_nl();
	must(drain_step(w.session, VN_SLED_CORDONED) == -ECANCELED);
	end_step();
}

static void fault_of(uint8_t cmd, uint32_t kind, uint32_t where)
{
	w.ask = ask(cmd, NLM_F_ACK);
	if (kind)
		ask_u32(&w.ask, VN_NL_A_FAULT, kind);
	if (kind)
		ask_u32(&w.ask, VN_NL_A_WHERE, where);
}

static void begin_inject_chip(void)
{
	connect_nl();
	fault_of(VN_NL_CMD_FAULT_INJECT, VN_FAULT_CHIP_LOSS, FAR);
}

static void begin_inject_sled(void)
{
	connect_nl();
	w.sled = sled_of(w.ctx, FAR);
	fault_of(VN_NL_CMD_FAULT_INJECT, VN_FAULT_SLED_LOSS, w.sled);
}

static void begin_clear_fault(void)
{
	begin_inject_chip();
	must(!do_nl());
	fault_of(VN_NL_CMD_FAULT_CLEAR, VN_FAULT_CHIP_LOSS, FAR);
}

static void end_fault(void)
{
	int err;

	end_nl();
	connect_nl();
	fault_of(VN_NL_CMD_FAULT_CLEAR, VN_FAULT_ANY, 0);
	err = do_nl();
	must(!err || err == -ENOENT);
	end_nl();
}

static void end_lost_sled(void)
{
	end_fault();
	must(!bring_back(w.ctx, w.sled));
	end_fault();
}

#endif
