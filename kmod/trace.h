/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: promised in uapi/tracepoints.md. Numbers only, never pointers. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vneuron

#if !defined(VN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VN_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(queue_submit,
	TP_PROTO(u32 ctx, u32 queue, u32 chip, u32 waiting),
	TP_ARGS(ctx, queue, chip, waiting),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, queue)
		__field(u32, chip)
		__field(u32, waiting)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->queue = queue;
		__entry->chip = chip;
		__entry->waiting = waiting;
	),
	TP_printk("ctx=%u queue=%u chip=%u waiting=%u", __entry->ctx, __entry->queue,
		  __entry->chip, __entry->waiting)
);

TRACE_EVENT(queue_start,
	TP_PROTO(u32 ctx, u32 queue, u32 chip, u64 seq, u32 waiting),
	TP_ARGS(ctx, queue, chip, seq, waiting),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, queue)
		__field(u64, seq)
		__field(u32, chip)
		__field(u32, waiting)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->queue = queue;
		__entry->seq = seq;
		__entry->chip = chip;
		__entry->waiting = waiting;
	),
	TP_printk("ctx=%u queue=%u chip=%u seq=%llu waiting=%u", __entry->ctx, __entry->queue,
		  __entry->chip, __entry->seq, __entry->waiting)
);

TRACE_EVENT(queue_complete,
	TP_PROTO(u32 ctx, u32 queue, u32 chip, u64 seq, u32 count, u32 state),
	TP_ARGS(ctx, queue, chip, seq, count, state),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, queue)
		__field(u64, seq)
		__field(u32, chip)
		__field(u32, count)
		__field(u32, state)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->queue = queue;
		__entry->seq = seq;
		__entry->chip = chip;
		__entry->count = count;
		__entry->state = state;
	),
	TP_printk("ctx=%u queue=%u chip=%u seq=%llu count=%u state=%u", __entry->ctx,
		  __entry->queue, __entry->chip, __entry->seq, __entry->count, __entry->state)
);

DECLARE_EVENT_CLASS(vn_mem_class,
	TP_PROTO(u32 ctx, u32 chip, u64 addr, u64 bytes),
	TP_ARGS(ctx, chip, addr, bytes),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, chip)
		__field(u64, addr)
		__field(u64, bytes)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->chip = chip;
		__entry->addr = addr;
		__entry->bytes = bytes;
	),
	TP_printk("ctx=%u chip=%u addr=0x%llx bytes=%llu", __entry->ctx, __entry->chip,
		  __entry->addr, __entry->bytes)
);

DEFINE_EVENT(vn_mem_class, mem_alloc,
	TP_PROTO(u32 ctx, u32 chip, u64 addr, u64 bytes),
	TP_ARGS(ctx, chip, addr, bytes)
);

DEFINE_EVENT(vn_mem_class, mem_free,
	TP_PROTO(u32 ctx, u32 chip, u64 addr, u64 bytes),
	TP_ARGS(ctx, chip, addr, bytes)
);

DECLARE_EVENT_CLASS(vn_window_class,
	TP_PROTO(u32 ctx, u32 chip, u32 key, u64 bytes, u32 access),
	TP_ARGS(ctx, chip, key, bytes, access),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, chip)
		__field(u64, bytes)
		__field(u32, key)
		__field(u32, access)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->chip = chip;
		__entry->bytes = bytes;
		__entry->key = key;
		__entry->access = access;
	),
	TP_printk("ctx=%u chip=%u key=0x%x bytes=%llu access=0x%x", __entry->ctx, __entry->chip,
		  __entry->key, __entry->bytes, __entry->access)
);

DEFINE_EVENT(vn_window_class, window_create,
	TP_PROTO(u32 ctx, u32 chip, u32 key, u64 bytes, u32 access),
	TP_ARGS(ctx, chip, key, bytes, access)
);

DEFINE_EVENT(vn_window_class, window_invalidate,
	TP_PROTO(u32 ctx, u32 chip, u32 key, u64 bytes, u32 access),
	TP_ARGS(ctx, chip, key, bytes, access)
);

TRACE_EVENT(sled_state,
	TP_PROTO(u32 sled, u32 state, u64 operation),
	TP_ARGS(sled, state, operation),
	TP_STRUCT__entry(
		__field(u64, operation)
		__field(u32, sled)
		__field(u32, state)
	),
	TP_fast_assign(
		__entry->operation = operation;
		__entry->sled = sled;
		__entry->state = state;
	),
	TP_printk("sled=%u state=%u operation=%llu", __entry->sled, __entry->state,
		  __entry->operation)
);

TRACE_EVENT(chip_reset,
	TP_PROTO(u32 chip, u32 queues, u32 windows),
	TP_ARGS(chip, queues, windows),
	TP_STRUCT__entry(
		__field(u32, chip)
		__field(u32, queues)
		__field(u32, windows)
	),
	TP_fast_assign(
		__entry->chip = chip;
		__entry->queues = queues;
		__entry->windows = windows;
	),
	TP_printk("chip=%u queues=%u windows=%u", __entry->chip, __entry->queues,
		  __entry->windows)
);

TRACE_EVENT(plan_start,
	TP_PROTO(u32 ctx, u32 queue, u32 plan, u32 programs),
	TP_ARGS(ctx, queue, plan, programs),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, queue)
		__field(u32, plan)
		__field(u32, programs)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->queue = queue;
		__entry->plan = plan;
		__entry->programs = programs;
	),
	TP_printk("ctx=%u queue=%u plan=%u programs=%u", __entry->ctx, __entry->queue,
		  __entry->plan, __entry->programs)
);

TRACE_EVENT(plan_complete,
	TP_PROTO(u32 ctx, u32 queue, u32 plan, u32 programs, u32 status, u64 bytes),
	TP_ARGS(ctx, queue, plan, programs, status, bytes),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, queue)
		__field(u32, plan)
		__field(u32, programs)
		__field(u64, bytes)
		__field(u32, status)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->queue = queue;
		__entry->plan = plan;
		__entry->programs = programs;
		__entry->bytes = bytes;
		__entry->status = status;
	),
	TP_printk("ctx=%u queue=%u plan=%u programs=%u status=%u bytes=%llu", __entry->ctx,
		  __entry->queue, __entry->plan, __entry->programs, __entry->status,
		  __entry->bytes)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
