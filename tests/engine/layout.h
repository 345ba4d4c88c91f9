/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Size of every struct of the ABI and offset of every field, as they are for
 * good: checked when this is compiled, as C or C++, for 64 or 32 bits. Fields
 * follow each other without a gap, so there is no implicit padding.
 */
#ifndef VN_TEST_LAYOUT_H
#define VN_TEST_LAYOUT_H

#include <stddef.h>
#include <linux/vneuron.h>

#ifdef __cplusplus
#define LAYOUT_ASSERT(x, s) static_assert(x, s)
#else
#define LAYOUT_ASSERT(x, s) _Static_assert(x, s)
#endif

#define SIZE(type, bytes)                                                                          \
	LAYOUT_ASSERT(sizeof(struct type) == (bytes), "size of " #type);                           \
	LAYOUT_ASSERT((bytes) % 8 == 0, #type " is no multiple of 8")
#define FIELD(type, field, off, bytes)                                                             \
	LAYOUT_ASSERT(offsetof(struct type, field) == (off), "place of " #type "." #field);        \
	LAYOUT_ASSERT(sizeof(((struct type *)0)->field) == (bytes), "size of " #type "." #field)

SIZE(vn_query, 80);
FIELD(vn_query, size, 0, 4);
FIELD(vn_query, flags, 4, 4);
FIELD(vn_query, abi, 8, 4);
FIELD(vn_query, sleds, 12, 4);
FIELD(vn_query, chips_per_sled, 16, 4);
FIELD(vn_query, chips, 20, 4);
FIELD(vn_query, racks, 24, 4);
FIELD(vn_query, epoch, 28, 4);
FIELD(vn_query, features, 32, 8);
FIELD(vn_query, hbm_bytes, 40, 8);
FIELD(vn_query, tick_hz, 48, 8);
FIELD(vn_query, page_size, 56, 4);
FIELD(vn_query, ultraserver, 60, 4);
FIELD(vn_query, spares, 64, 4);
FIELD(vn_query, reserved, 68, 4);
FIELD(vn_query, fence_waits, 72, 8);

SIZE(vn_chip_attach, 16);
FIELD(vn_chip_attach, size, 0, 4);
FIELD(vn_chip_attach, flags, 4, 4);
FIELD(vn_chip_attach, fd, 8, 4);
FIELD(vn_chip_attach, chip, 12, 4);

SIZE(vn_chip_query, 56);
FIELD(vn_chip_query, size, 0, 4);
FIELD(vn_chip_query, chip, 4, 4);
FIELD(vn_chip_query, sled, 8, 4);
FIELD(vn_chip_query, slot, 12, 4);
FIELD(vn_chip_query, rack, 16, 4);
FIELD(vn_chip_query, numa_node, 20, 4);
FIELD(vn_chip_query, epoch, 24, 4);
FIELD(vn_chip_query, attached, 28, 4);
FIELD(vn_chip_query, hbm_bytes, 32, 8);
FIELD(vn_chip_query, hbm_used, 40, 8);
FIELD(vn_chip_query, queues, 48, 4);
FIELD(vn_chip_query, windows, 52, 4);

SIZE(vn_mem_alloc, 40);
FIELD(vn_mem_alloc, size, 0, 4);
FIELD(vn_mem_alloc, chip, 4, 4);
FIELD(vn_mem_alloc, bytes, 8, 8);
FIELD(vn_mem_alloc, flags, 16, 4);
FIELD(vn_mem_alloc, reserved, 20, 4);
FIELD(vn_mem_alloc, addr, 24, 8);
FIELD(vn_mem_alloc, mmap_offset, 32, 8);

SIZE(vn_mem_free, 16);
FIELD(vn_mem_free, size, 0, 4);
FIELD(vn_mem_free, chip, 4, 4);
FIELD(vn_mem_free, addr, 8, 8);

SIZE(vn_window_create, 56);
FIELD(vn_window_create, size, 0, 4);
FIELD(vn_window_create, chip, 4, 4);
FIELD(vn_window_create, addr, 8, 8);
FIELD(vn_window_create, bytes, 16, 8);
FIELD(vn_window_create, access, 24, 4);
FIELD(vn_window_create, key, 28, 4);
FIELD(vn_window_create, queue, 32, 4);
FIELD(vn_window_create, flags, 36, 4);
FIELD(vn_window_create, user_data, 40, 8);
FIELD(vn_window_create, parent, 48, 4);
FIELD(vn_window_create, fd, 52, 4);

SIZE(vn_window_bind, 40);
FIELD(vn_window_bind, size, 0, 4);
FIELD(vn_window_bind, chip, 4, 4);
FIELD(vn_window_bind, key, 8, 4);
FIELD(vn_window_bind, access, 12, 4);
FIELD(vn_window_bind, addr, 16, 8);
FIELD(vn_window_bind, bytes, 24, 8);
FIELD(vn_window_bind, reserved, 32, 8);

SIZE(vn_mem_export, 32);
FIELD(vn_mem_export, size, 0, 4);
FIELD(vn_mem_export, chip, 4, 4);
FIELD(vn_mem_export, addr, 8, 8);
FIELD(vn_mem_export, bytes, 16, 8);
FIELD(vn_mem_export, flags, 24, 4);
FIELD(vn_mem_export, fd, 28, 4);

SIZE(vn_window_invalidate, 16);
FIELD(vn_window_invalidate, size, 0, 4);
FIELD(vn_window_invalidate, chip, 4, 4);
FIELD(vn_window_invalidate, key, 8, 4);
FIELD(vn_window_invalidate, reserved, 12, 4);

SIZE(vn_window_import, 32);
FIELD(vn_window_import, size, 0, 4);
FIELD(vn_window_import, chip, 4, 4);
FIELD(vn_window_import, key, 8, 4);
FIELD(vn_window_import, access, 12, 4);
FIELD(vn_window_import, mmap_offset, 16, 8);
FIELD(vn_window_import, bytes, 24, 8);

SIZE(vn_window_release, 16);
FIELD(vn_window_release, size, 0, 4);
FIELD(vn_window_release, reserved, 4, 4);
FIELD(vn_window_release, mmap_offset, 8, 8);

SIZE(vn_domain_export, 16);
FIELD(vn_domain_export, size, 0, 4);
FIELD(vn_domain_export, flags, 4, 4);
FIELD(vn_domain_export, fd, 8, 4);
FIELD(vn_domain_export, reserved, 12, 4);

SIZE(vn_domain_join, 16);
FIELD(vn_domain_join, size, 0, 4);
FIELD(vn_domain_join, flags, 4, 4);
FIELD(vn_domain_join, fd, 8, 4);
FIELD(vn_domain_join, reserved, 12, 4);

SIZE(vn_queue_create, 40);
FIELD(vn_queue_create, size, 0, 4);
FIELD(vn_queue_create, chip, 4, 4);
FIELD(vn_queue_create, depth, 8, 4);
FIELD(vn_queue_create, flags, 12, 4);
FIELD(vn_queue_create, eventfd, 16, 4);
FIELD(vn_queue_create, queue, 20, 4);
FIELD(vn_queue_create, mmap_offset, 24, 8);
FIELD(vn_queue_create, mmap_bytes, 32, 8);

SIZE(vn_queue_id, 8);
FIELD(vn_queue_id, size, 0, 4);
FIELD(vn_queue_id, queue, 4, 4);

SIZE(vn_wait, 32);
FIELD(vn_wait, size, 0, 4);
FIELD(vn_wait, queue, 4, 4);
FIELD(vn_wait, target, 8, 4);
FIELD(vn_wait, flags, 12, 4);
FIELD(vn_wait, deadline_ns, 16, 8);
FIELD(vn_wait, cq_tail, 24, 4);
FIELD(vn_wait, state, 28, 4);

SIZE(vn_program, 16);
FIELD(vn_program, chip, 0, 2);
FIELD(vn_program, reserved0, 2, 2);
FIELD(vn_program, first, 4, 4);
FIELD(vn_program, count, 8, 4);
FIELD(vn_program, reserved1, 12, 4);

SIZE(vn_plan_create, 56);
FIELD(vn_plan_create, size, 0, 4);
FIELD(vn_plan_create, flags, 4, 4);
FIELD(vn_plan_create, programs, 8, 8);
FIELD(vn_plan_create, descs, 16, 8);
FIELD(vn_plan_create, operands, 24, 8);
FIELD(vn_plan_create, nprograms, 32, 4);
FIELD(vn_plan_create, ndescs, 36, 4);
FIELD(vn_plan_create, noperands, 40, 4);
FIELD(vn_plan_create, nparams, 44, 4);
FIELD(vn_plan_create, plan, 48, 4);
FIELD(vn_plan_create, error_desc, 52, 4);

SIZE(vn_plan_destroy, 8);
FIELD(vn_plan_destroy, size, 0, 4);
FIELD(vn_plan_destroy, plan, 4, 4);

SIZE(vn_status_create, 24);
FIELD(vn_status_create, size, 0, 4);
FIELD(vn_status_create, flags, 4, 4);
FIELD(vn_status_create, mmap_offset, 8, 8);
FIELD(vn_status_create, bytes, 16, 8);

SIZE(vn_status_destroy, 16);
FIELD(vn_status_destroy, size, 0, 4);
FIELD(vn_status_destroy, reserved, 4, 4);
FIELD(vn_status_destroy, mmap_offset, 8, 8);

SIZE(vn_rank_status, 128);
FIELD(vn_rank_status, version, 0, 4);
FIELD(vn_rank_status, flags, 4, 4);
FIELD(vn_rank_status, name, 8, 16);
FIELD(vn_rank_status, ranks, 24, 4);
FIELD(vn_rank_status, rank, 28, 4);
FIELD(vn_rank_status, chip, 32, 4);
FIELD(vn_rank_status, error, 36, 4);
FIELD(vn_rank_status, started, 40, 8);
FIELD(vn_rank_status, posted, 48, 8);
FIELD(vn_rank_status, completed, 56, 8);
FIELD(vn_rank_status, since_ns, 64, 8);
FIELD(vn_rank_status, pending, 72, 4);
FIELD(vn_rank_status, reserved0, 76, 4);
FIELD(vn_rank_status, number, 80, 8);
FIELD(vn_rank_status, bytes, 88, 8);
FIELD(vn_rank_status, op, 96, 1);
FIELD(vn_rank_status, type, 97, 1);
FIELD(vn_rank_status, redop, 98, 1);
FIELD(vn_rank_status, reserved1, 99, 1);
FIELD(vn_rank_status, root, 100, 4);
FIELD(vn_rank_status, reserved2, 104, 24);

SIZE(vn_ring, 320);
FIELD(vn_ring, sq_tail, 0, 4);
FIELD(vn_ring, reserved0, 4, 4);
FIELD(vn_ring, sq_stamp, 8, 8);
FIELD(vn_ring, reserved1, 16, 48);
FIELD(vn_ring, sq_head, 64, 4);
FIELD(vn_ring, flags, 68, 4);
FIELD(vn_ring, arrivals, 72, 4);
FIELD(vn_ring, reserved7, 76, 4);
FIELD(vn_ring, reserved2, 80, 48);
FIELD(vn_ring, cq_tail, 128, 4);
FIELD(vn_ring, reserved3, 132, 60);
FIELD(vn_ring, cq_head, 192, 4);
FIELD(vn_ring, reserved4, 196, 60);
FIELD(vn_ring, state, 256, 4);
FIELD(vn_ring, error_status, 260, 4);
FIELD(vn_ring, error_detail, 264, 4);
FIELD(vn_ring, reserved5, 268, 4);
FIELD(vn_ring, error_seq, 272, 8);
FIELD(vn_ring, stalls, 280, 8);
FIELD(vn_ring, reserved6, 288, 32);

SIZE(vn_operand, 16);
FIELD(vn_operand, ultraserver, 0, 2);
FIELD(vn_operand, chip, 2, 2);
FIELD(vn_operand, key, 4, 4);
FIELD(vn_operand, offset, 8, 8);

SIZE(vn_segment, 32);
FIELD(vn_segment, at, 0, 16);
FIELD(vn_segment, bytes, 16, 8);
FIELD(vn_segment, reserved, 24, 8);

SIZE(vn_cqe, 64);
FIELD(vn_cqe, user_data, 0, 8);
FIELD(vn_cqe, status, 8, 4);
FIELD(vn_cqe, detail, 12, 4);
FIELD(vn_cqe, bytes, 16, 8);
FIELD(vn_cqe, submitted, 24, 8);
FIELD(vn_cqe, started, 32, 8);
FIELD(vn_cqe, done, 40, 8);
FIELD(vn_cqe, seq, 48, 8);
FIELD(vn_cqe, result, 56, 8);

SIZE(vn_desc, 64);
FIELD(vn_desc, opcode, 0, 1);
FIELD(vn_desc, flags, 1, 1);
FIELD(vn_desc, type, 2, 1);
FIELD(vn_desc, redop, 3, 1);
FIELD(vn_desc, arg, 4, 4);
FIELD(vn_desc, user_data, 8, 8);
FIELD(vn_desc, copy.src, 16, 16);
FIELD(vn_desc, copy.dst, 32, 16);
FIELD(vn_desc, copy.bytes, 48, 8);
FIELD(vn_desc, copy.signal, 56, 8);
FIELD(vn_desc, fill.dst, 16, 16);
FIELD(vn_desc, fill.bytes, 32, 8);
FIELD(vn_desc, fill.pattern, 40, 8);
FIELD(vn_desc, fill.width, 48, 4);
FIELD(vn_desc, fill.reserved0, 52, 4);
FIELD(vn_desc, fill.reserved1, 56, 8);
FIELD(vn_desc, reduce.table, 16, 8);
FIELD(vn_desc, reduce.count, 24, 8);
FIELD(vn_desc, reduce.nsrc, 32, 2);
FIELD(vn_desc, reduce.ndst, 34, 2);
FIELD(vn_desc, reduce.reserved0, 36, 4);
FIELD(vn_desc, reduce.reserved1, 40, 24);
FIELD(vn_desc, list.table, 16, 8);
FIELD(vn_desc, list.bytes, 24, 8);
FIELD(vn_desc, list.nsrc, 32, 2);
FIELD(vn_desc, list.ndst, 34, 2);
FIELD(vn_desc, list.reserved0, 36, 4);
FIELD(vn_desc, list.reserved1, 40, 24);
FIELD(vn_desc, gemm.a, 16, 8);
FIELD(vn_desc, gemm.b, 24, 8);
FIELD(vn_desc, gemm.c, 32, 8);
FIELD(vn_desc, gemm.m, 40, 4);
FIELD(vn_desc, gemm.n, 44, 4);
FIELD(vn_desc, gemm.k, 48, 4);
FIELD(vn_desc, gemm.lda, 52, 4);
FIELD(vn_desc, gemm.ldb, 56, 4);
FIELD(vn_desc, gemm.ldc, 60, 4);
FIELD(vn_desc, ewise.x, 16, 8);
FIELD(vn_desc, ewise.y, 24, 8);
FIELD(vn_desc, ewise.z, 32, 8);
FIELD(vn_desc, ewise.w, 40, 8);
FIELD(vn_desc, ewise.rows, 48, 4);
FIELD(vn_desc, ewise.cols, 52, 4);
FIELD(vn_desc, ewise.alpha, 56, 4);
FIELD(vn_desc, ewise.reserved, 60, 4);
FIELD(vn_desc, sem.at, 16, 16);
FIELD(vn_desc, sem.value, 32, 8);
FIELD(vn_desc, sem.reserved, 40, 24);
FIELD(vn_desc, atomic.at, 16, 16);
FIELD(vn_desc, atomic.old, 32, 16);
FIELD(vn_desc, atomic.value, 48, 8);
FIELD(vn_desc, atomic.compare, 56, 8);
FIELD(vn_desc, launch.params, 16, 8);
FIELD(vn_desc, launch.plan, 24, 4);
FIELD(vn_desc, launch.nparams, 28, 4);
FIELD(vn_desc, launch.base, 32, 8);
FIELD(vn_desc, launch.reserved, 40, 24);
FIELD(vn_desc, raw, 16, 48);

/* Numbers that programs have compiled in. */
SIZE(vn_fault, 16);
FIELD(vn_fault, kind, 0, 4);
FIELD(vn_fault, where, 4, 4);
FIELD(vn_fault, slot, 8, 4);
FIELD(vn_fault, count, 12, 4);

SIZE(vn_health, 1320);
FIELD(vn_health, changes, 0, 4);
FIELD(vn_health, reserved, 4, 4);
FIELD(vn_health, chip, 8, 576);
FIELD(vn_health, link, 584, 160);
FIELD(vn_health, reset, 744, 576);

SIZE(vn_sled_query, 112);
FIELD(vn_sled_query, size, 0, 4);
FIELD(vn_sled_query, sled, 4, 4);
FIELD(vn_sled_query, state, 8, 4);
FIELD(vn_sled_query, chips, 12, 4);
FIELD(vn_sled_query, rack, 16, 4);
FIELD(vn_sled_query, numa_node, 20, 4);
FIELD(vn_sled_query, epoch, 24, 4);
FIELD(vn_sled_query, uid, 28, 4);
FIELD(vn_sled_query, hbm_used, 32, 8);
FIELD(vn_sled_query, operation, 40, 8);
FIELD(vn_sled_query, reason, 48, 64);

SIZE(vn_drain_open, 200);
FIELD(vn_drain_open, size, 0, 4);
FIELD(vn_drain_open, flags, 4, 4);
FIELD(vn_drain_open, sled, 8, 4);
FIELD(vn_drain_open, to, 12, 4);
FIELD(vn_drain_open, operation, 16, 8);
FIELD(vn_drain_open, budget_ns, 24, 8);
FIELD(vn_drain_open, reason, 32, 64);
FIELD(vn_drain_open, fd, 96, 4);
FIELD(vn_drain_open, chips, 100, 4);
FIELD(vn_drain_open, free_slots, 104, 4);
FIELD(vn_drain_open, contexts, 108, 4);
FIELD(vn_drain_open, bytes, 112, 8);
FIELD(vn_drain_open, uid, 120, 4);
FIELD(vn_drain_open, reserved, 124, 4);
FIELD(vn_drain_open, rate, 128, 8);
FIELD(vn_drain_open, pause_ns, 136, 8);
FIELD(vn_drain_open, time_ns, 144, 8);
FIELD(vn_drain_open, slot, 152, 32);
FIELD(vn_drain_open, exports, 184, 4);
FIELD(vn_drain_open, holder, 188, 4);
FIELD(vn_drain_open, holder_pid, 192, 4);
FIELD(vn_drain_open, reserved1, 196, 4);

SIZE(vn_drain_step, 112);
FIELD(vn_drain_step, size, 0, 4);
FIELD(vn_drain_step, to, 4, 4);
FIELD(vn_drain_step, state, 8, 4);
FIELD(vn_drain_step, rounds, 12, 4);
FIELD(vn_drain_step, total_bytes, 16, 8);
FIELD(vn_drain_step, copied_bytes, 24, 8);
FIELD(vn_drain_step, dirty_bytes, 32, 8);
FIELD(vn_drain_step, rate, 40, 8);
FIELD(vn_drain_step, estimate_ns, 48, 8);
FIELD(vn_drain_step, pause_ns, 56, 8);
FIELD(vn_drain_step, stop_bytes, 64, 8);
FIELD(vn_drain_step, waits, 72, 8);
FIELD(vn_drain_step, fault, 80, 4);
FIELD(vn_drain_step, slot, 84, 4);
FIELD(vn_drain_step, slow_us, 88, 4);
FIELD(vn_drain_step, reserved, 92, 4);
FIELD(vn_drain_step, exports, 96, 4);
FIELD(vn_drain_step, holder, 100, 4);
FIELD(vn_drain_step, holder_pid, 104, 4);
FIELD(vn_drain_step, reserved1, 108, 4);

LAYOUT_ASSERT(VN_IOCTL_QUERY == 0x5600, "VN_IOCTL_QUERY");
LAYOUT_ASSERT(VN_IOCTL_CHIP_ATTACH == 0x5601, "VN_IOCTL_CHIP_ATTACH");
LAYOUT_ASSERT(VN_IOCTL_CHIP_QUERY == 0x5602, "VN_IOCTL_CHIP_QUERY");
LAYOUT_ASSERT(VN_IOCTL_MEM_ALLOC == 0x5603, "VN_IOCTL_MEM_ALLOC");
LAYOUT_ASSERT(VN_IOCTL_MEM_FREE == 0x5604, "VN_IOCTL_MEM_FREE");
LAYOUT_ASSERT(VN_IOCTL_WINDOW_CREATE == 0x5605, "VN_IOCTL_WINDOW_CREATE");
LAYOUT_ASSERT(VN_IOCTL_WINDOW_INVALIDATE == 0x5606, "VN_IOCTL_WINDOW_INVALIDATE");
LAYOUT_ASSERT(VN_IOCTL_WINDOW_IMPORT == 0x5607, "VN_IOCTL_WINDOW_IMPORT");
LAYOUT_ASSERT(VN_IOCTL_WINDOW_RELEASE == 0x5608, "VN_IOCTL_WINDOW_RELEASE");
LAYOUT_ASSERT(VN_IOCTL_DOMAIN_EXPORT == 0x5609, "VN_IOCTL_DOMAIN_EXPORT");
LAYOUT_ASSERT(VN_IOCTL_DOMAIN_JOIN == 0x560a, "VN_IOCTL_DOMAIN_JOIN");
LAYOUT_ASSERT(VN_IOCTL_QUEUE_CREATE == 0x560b, "VN_IOCTL_QUEUE_CREATE");
LAYOUT_ASSERT(VN_IOCTL_QUEUE_DESTROY == 0x560c, "VN_IOCTL_QUEUE_DESTROY");
LAYOUT_ASSERT(VN_IOCTL_QUEUE_RESET == 0x560d, "VN_IOCTL_QUEUE_RESET");
LAYOUT_ASSERT(VN_IOCTL_DOORBELL == 0x560e, "VN_IOCTL_DOORBELL");
LAYOUT_ASSERT(VN_IOCTL_WAIT == 0x560f, "VN_IOCTL_WAIT");
LAYOUT_ASSERT(VN_IOCTL_PLAN_CREATE == 0x5610, "VN_IOCTL_PLAN_CREATE");
LAYOUT_ASSERT(VN_IOCTL_PLAN_DESTROY == 0x5611, "VN_IOCTL_PLAN_DESTROY");
LAYOUT_ASSERT(VN_IOCTL_STATUS_CREATE == 0x5612, "VN_IOCTL_STATUS_CREATE");
LAYOUT_ASSERT(VN_IOCTL_STATUS_DESTROY == 0x5613, "VN_IOCTL_STATUS_DESTROY");
LAYOUT_ASSERT(VN_IOCTL_SLED_QUERY == 0x5614, "VN_IOCTL_SLED_QUERY");
LAYOUT_ASSERT(VN_IOCTL_DRAIN_OPEN == 0x5615, "VN_IOCTL_DRAIN_OPEN");
LAYOUT_ASSERT(VN_IOCTL_DRAIN_STEP == 0x5616, "VN_IOCTL_DRAIN_STEP");
LAYOUT_ASSERT(VN_IOCTL_WINDOW_BIND == 0x5617, "VN_IOCTL_WINDOW_BIND");
LAYOUT_ASSERT(VN_IOCTL_MEM_EXPORT == 0x5618, "VN_IOCTL_MEM_EXPORT");
LAYOUT_ASSERT(VN_SLED_IN_SERVICE == 0, "VN_SLED_IN_SERVICE");
LAYOUT_ASSERT(VN_SLED_PLANNED == 1, "VN_SLED_PLANNED");
LAYOUT_ASSERT(VN_SLED_CORDONED == 2, "VN_SLED_CORDONED");
LAYOUT_ASSERT(VN_SLED_PRECOPY == 3, "VN_SLED_PRECOPY");
LAYOUT_ASSERT(VN_SLED_FENCED == 4, "VN_SLED_FENCED");
LAYOUT_ASSERT(VN_SLED_STOPCOPY == 5, "VN_SLED_STOPCOPY");
LAYOUT_ASSERT(VN_SLED_VERIFIED == 6, "VN_SLED_VERIFIED");
LAYOUT_ASSERT(VN_SLED_COMMITTED == 7, "VN_SLED_COMMITTED");
LAYOUT_ASSERT(VN_SLED_DRAINED == 8, "VN_SLED_DRAINED");
LAYOUT_ASSERT(VN_SLED_MAINTENANCE == 9, "VN_SLED_MAINTENANCE");
LAYOUT_ASSERT(VN_SLED_VALIDATING == 10, "VN_SLED_VALIDATING");
LAYOUT_ASSERT(VN_SLED_FAULTED == 11, "VN_SLED_FAULTED");
LAYOUT_ASSERT(VN_SLED_STATES == 12, "VN_SLED_STATES");
LAYOUT_ASSERT(VN_DRAIN_DRY_RUN == 1, "VN_DRAIN_DRY_RUN");
LAYOUT_ASSERT(VN_DRAIN_BACK == 2, "VN_DRAIN_BACK");
LAYOUT_ASSERT(VN_DRAIN_RESTORE == 4, "VN_DRAIN_RESTORE");
LAYOUT_ASSERT(VN_FAULT_NONE == 0 && VN_FAULT_MEMORY == 1 && VN_FAULT_LINK == 2 && VN_FAULT_SUM == 3,
	      "faults");
LAYOUT_ASSERT(VN_FEATURE_EVENTFD == 1, "VN_FEATURE_EVENTFD");
LAYOUT_ASSERT(VN_FEATURE_IMPORT == 2, "VN_FEATURE_IMPORT");
LAYOUT_ASSERT(VN_FEATURE_PLAN == 4, "VN_FEATURE_PLAN");
LAYOUT_ASSERT(VN_FEATURE_AVX2 == 8, "VN_FEATURE_AVX2");
LAYOUT_ASSERT(VN_FEATURE_STATUS == 16, "VN_FEATURE_STATUS");
LAYOUT_ASSERT(VN_FEATURE_WINDOW_KINDS == 32, "VN_FEATURE_WINDOW_KINDS");
LAYOUT_ASSERT(VN_FEATURE_EXPORT == 64, "VN_FEATURE_EXPORT");
LAYOUT_ASSERT(VN_WINDOW_USER == 2, "VN_WINDOW_USER");
LAYOUT_ASSERT(VN_WINDOW_DMABUF == 4, "VN_WINDOW_DMABUF");
LAYOUT_ASSERT(VN_WINDOW_PARENT == 8, "VN_WINDOW_PARENT");
LAYOUT_ASSERT(VN_EXPORT_WRITE == 1, "VN_EXPORT_WRITE");
LAYOUT_ASSERT(VN_RANK_USED == 1, "VN_RANK_USED");
LAYOUT_ASSERT(VN_RANK_JOINING == 2, "VN_RANK_JOINING");
LAYOUT_ASSERT(VN_RANK_FAILED == 4, "VN_RANK_FAILED");
LAYOUT_ASSERT(VN_RANK_LEFT == 8, "VN_RANK_LEFT");
LAYOUT_ASSERT(VN_RANK_TORN == 16, "VN_RANK_TORN");
LAYOUT_ASSERT(VN_RANK_AGREEING == 32, "VN_RANK_AGREEING");
LAYOUT_ASSERT(VN_ACCESS_LOCAL_WRITE == 1, "VN_ACCESS_LOCAL_WRITE");
LAYOUT_ASSERT(VN_ACCESS_REMOTE_READ == 2, "VN_ACCESS_REMOTE_READ");
LAYOUT_ASSERT(VN_ACCESS_REMOTE_WRITE == 4, "VN_ACCESS_REMOTE_WRITE");
LAYOUT_ASSERT(VN_ACCESS_REMOTE_ATOMIC == 8, "VN_ACCESS_REMOTE_ATOMIC");
LAYOUT_ASSERT(VN_WINDOW_QUEUE == 1, "VN_WINDOW_QUEUE");
LAYOUT_ASSERT(VN_CQE_ARRIVAL == 1ull << 63, "VN_CQE_ARRIVAL");
LAYOUT_ASSERT(VN_SEGMENTS_MAX == 192, "VN_SEGMENTS_MAX");
LAYOUT_ASSERT(VN_QUEUE_EVENTFD == 1, "VN_QUEUE_EVENTFD");
LAYOUT_ASSERT(VN_RING_NEED_WAKEUP == 1, "VN_RING_NEED_WAKEUP");
LAYOUT_ASSERT(VN_QUEUE_READY == 0, "VN_QUEUE_READY");
LAYOUT_ASSERT(VN_QUEUE_ERROR == 1, "VN_QUEUE_ERROR");
LAYOUT_ASSERT(VN_OP_NOP == 0, "VN_OP_NOP");
LAYOUT_ASSERT(VN_OP_COPY == 1, "VN_OP_COPY");
LAYOUT_ASSERT(VN_OP_FILL == 2, "VN_OP_FILL");
LAYOUT_ASSERT(VN_OP_REDUCE == 3, "VN_OP_REDUCE");
LAYOUT_ASSERT(VN_OP_GEMM == 4, "VN_OP_GEMM");
LAYOUT_ASSERT(VN_OP_BIAS_ADD == 5, "VN_OP_BIAS_ADD");
LAYOUT_ASSERT(VN_OP_RELU == 6, "VN_OP_RELU");
LAYOUT_ASSERT(VN_OP_RELU_GRAD == 7, "VN_OP_RELU_GRAD");
LAYOUT_ASSERT(VN_OP_SOFTMAX_XENT == 8, "VN_OP_SOFTMAX_XENT");
LAYOUT_ASSERT(VN_OP_COL_SUM == 9, "VN_OP_COL_SUM");
LAYOUT_ASSERT(VN_OP_AXPY == 10, "VN_OP_AXPY");
LAYOUT_ASSERT(VN_OP_SEM_WAIT == 11, "VN_OP_SEM_WAIT");
LAYOUT_ASSERT(VN_OP_SEM_SIGNAL == 12, "VN_OP_SEM_SIGNAL");
LAYOUT_ASSERT(VN_OP_FENCE == 13, "VN_OP_FENCE");
LAYOUT_ASSERT(VN_OP_LAUNCH == 14, "VN_OP_LAUNCH");
LAYOUT_ASSERT(VN_OP_WRITE_SIGNAL == 15, "VN_OP_WRITE_SIGNAL");
LAYOUT_ASSERT(VN_OP_WRITE_IMM == 16, "VN_OP_WRITE_IMM");
LAYOUT_ASSERT(VN_OP_COPY_LIST == 17, "VN_OP_COPY_LIST");
LAYOUT_ASSERT(VN_OP_ACCUMULATE == 18, "VN_OP_ACCUMULATE");
LAYOUT_ASSERT(VN_OP_FETCH_ADD == 19, "VN_OP_FETCH_ADD");
LAYOUT_ASSERT(VN_OP_CMP_SWAP == 20, "VN_OP_CMP_SWAP");
LAYOUT_ASSERT(VN_OP_SWAP == 21, "VN_OP_SWAP");
LAYOUT_ASSERT(VN_OP_COUNT == 22, "VN_OP_COUNT");
LAYOUT_ASSERT(VN_DESC_SILENT == 1, "VN_DESC_SILENT");
LAYOUT_ASSERT(VN_DESC_REL == 2, "VN_DESC_REL");
LAYOUT_ASSERT(VN_INT8 == 0, "VN_INT8");
LAYOUT_ASSERT(VN_UINT8 == 1, "VN_UINT8");
LAYOUT_ASSERT(VN_INT32 == 2, "VN_INT32");
LAYOUT_ASSERT(VN_UINT32 == 3, "VN_UINT32");
LAYOUT_ASSERT(VN_INT64 == 4, "VN_INT64");
LAYOUT_ASSERT(VN_UINT64 == 5, "VN_UINT64");
LAYOUT_ASSERT(VN_FLOAT16 == 6, "VN_FLOAT16");
LAYOUT_ASSERT(VN_FLOAT32 == 7, "VN_FLOAT32");
LAYOUT_ASSERT(VN_FLOAT64 == 8, "VN_FLOAT64");
LAYOUT_ASSERT(VN_BFLOAT16 == 9, "VN_BFLOAT16");
LAYOUT_ASSERT(VN_FLOAT8E4M3 == 10, "VN_FLOAT8E4M3");
LAYOUT_ASSERT(VN_FLOAT8E5M2 == 11, "VN_FLOAT8E5M2");
LAYOUT_ASSERT(VN_INT16 == 12, "VN_INT16");
LAYOUT_ASSERT(VN_UINT16 == 13, "VN_UINT16");
LAYOUT_ASSERT(VN_TYPE_COUNT == 14, "VN_TYPE_COUNT");
LAYOUT_ASSERT(VN_SUM == 0, "VN_SUM");
LAYOUT_ASSERT(VN_PROD == 1, "VN_PROD");
LAYOUT_ASSERT(VN_MAX == 2, "VN_MAX");
LAYOUT_ASSERT(VN_MIN == 3, "VN_MIN");
LAYOUT_ASSERT(VN_AVG == 4, "VN_AVG");
LAYOUT_ASSERT(VN_PREMULSUM == 5, "VN_PREMULSUM");
LAYOUT_ASSERT(VN_BAND == 6, "VN_BAND");
LAYOUT_ASSERT(VN_BOR == 7, "VN_BOR");
LAYOUT_ASSERT(VN_BXOR == 8, "VN_BXOR");
LAYOUT_ASSERT(VN_REDOP_COUNT == 9, "VN_REDOP_COUNT");
LAYOUT_ASSERT(VN_REDUCE_SCAN == 1, "VN_REDUCE_SCAN");
LAYOUT_ASSERT(VN_REDUCE_EXCLUSIVE == 2, "VN_REDUCE_EXCLUSIVE");
LAYOUT_ASSERT(VN_OK == 0, "VN_OK");
LAYOUT_ASSERT(VN_BAD_OPCODE == 1, "VN_BAD_OPCODE");
LAYOUT_ASSERT(VN_BAD_FLAGS == 2, "VN_BAD_FLAGS");
LAYOUT_ASSERT(VN_BAD_FIELD == 3, "VN_BAD_FIELD");
LAYOUT_ASSERT(VN_BAD_TYPE == 4, "VN_BAD_TYPE");
LAYOUT_ASSERT(VN_BAD_CHIP == 5, "VN_BAD_CHIP");
LAYOUT_ASSERT(VN_BAD_KEY == 6, "VN_BAD_KEY");
LAYOUT_ASSERT(VN_STALE_KEY == 7, "VN_STALE_KEY");
LAYOUT_ASSERT(VN_BAD_ACCESS == 8, "VN_BAD_ACCESS");
LAYOUT_ASSERT(VN_BAD_RANGE == 9, "VN_BAD_RANGE");
LAYOUT_ASSERT(VN_BAD_ALIGN == 10, "VN_BAD_ALIGN");
LAYOUT_ASSERT(VN_BAD_PLAN == 11, "VN_BAD_PLAN");
LAYOUT_ASSERT(VN_BAD_RING == 12, "VN_BAD_RING");
LAYOUT_ASSERT(VN_BUSY_PLAN == 13, "VN_BUSY_PLAN");
LAYOUT_ASSERT(VN_CANCELLED == 14, "VN_CANCELLED");
LAYOUT_ASSERT(VN_CHIP_LOST == 15, "VN_CHIP_LOST");
LAYOUT_ASSERT(VN_LINK_DOWN == 16, "VN_LINK_DOWN");
LAYOUT_ASSERT(VN_NO_RECEIVER == 17, "VN_NO_RECEIVER");
LAYOUT_ASSERT(VN_CHIP_RESET == 18, "VN_CHIP_RESET");
LAYOUT_ASSERT(VN_STATUS_COUNT == 19, "VN_STATUS_COUNT");
LAYOUT_ASSERT(VN_FAULT_SLED_LOSS == 1 && VN_FAULT_CHIP_LOSS == 2 && VN_FAULT_LINK_CUT == 3 &&
		      VN_FAULT_COPY_CORRUPT == 4 && VN_FAULT_ALLOC_FAIL == 5 &&
		      VN_FAULT_KINDS == 6 && VN_NOWHERE == 0xffffffffu && VN_HEALTH_OFFSET == 0,
	      "faults");
LAYOUT_ASSERT(VN_RING_SQ_OFFSET == 4096, "submission ring");
LAYOUT_ASSERT(VN_RING_CQ_OFFSET(8) == 4096 + 512, "completion ring");
LAYOUT_ASSERT(VN_QUEUE_BYTES(8) == 8192 && VN_QUEUE_BYTES(65536) == 4096 + 8388608, "mapping");
LAYOUT_ASSERT(VN_ADDR_OFFSET_BITS == 40 && VN_ADDR_PARAM(2, 5ULL) == 0xffff020000000005ULL,
	      "addresses");
LAYOUT_ASSERT(VN_HERE == 0 && VN_PARAM == 0xffff && VN_ABI_VERSION == 1, "names");
LAYOUT_ASSERT(VN_GEMM_TRANS_A == 1 && VN_GEMM_TRANS_B == 2 && VN_GEMM_ACCUMULATE == 4 &&
		      VN_SEM_SET == 1,
	      "arguments");
LAYOUT_ASSERT(VN_OPERANDS_MAX == 384 && VN_PLAN_PROGRAMS_MAX == 1024 &&
		      VN_PLAN_DESCS_MAX == 65536 && VN_PLAN_OPERANDS_MAX == 262144 &&
		      VN_BYTES_MAX == 1073741824ULL && VN_DIM_MAX == 65536 &&
		      VN_QUEUE_DEPTH_MIN == 8 && VN_QUEUE_DEPTH_MAX == 65536 &&
		      VN_MAX_CHIPS == 144 && VN_MAX_SPARES == 4 && VN_MAX_SLOTS == 208 &&
		      VN_ANY_SLED == 0xffffffffu && VN_REASON == 64 &&
		      VN_BUDGET_MAX == 60000000000ULL && VN_WINDOW_OUTSIDE_MAX == 17179869184ULL,
	      "limits");
LAYOUT_ASSERT(VN_STATUS_ENTRIES == 32 && VN_STATUS_BYTES == 4096 && VN_STATUS_PAGES_MAX == 64 &&
		      VN_COMM_NAME == 16 && VN_NO_CHIP == 0xffffffffu && VN_RANK_OPS_MAX == 64,
	      "status pages");

#define LAYOUT_STRUCTS 26u

#endif
