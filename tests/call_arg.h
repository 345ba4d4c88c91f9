/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The argument of any call of the device. */
#ifndef VN_TEST_CALL_ARG_H
#define VN_TEST_CALL_ARG_H

#include <stdint.h>
#include "../kmod/engine/abi.h"

union call_arg {
	uint8_t byte[VN_CALL_BYTES];
	uint32_t u32[VN_CALL_BYTES / 4];
	uint64_t u64[VN_CALL_BYTES / 8];
	uint32_t size;
	struct vn_query query;
	struct vn_chip_attach attach;
	struct vn_chip_query chip_query;
	struct vn_mem_alloc mem_alloc;
	struct vn_mem_free mem_free;
	struct vn_mem_export mem_export;
	struct vn_window_create window;
	struct vn_window_bind bind;
	struct vn_window_invalidate invalidate;
	struct vn_window_import import;
	struct vn_window_release release;
	struct vn_domain_export domain_export;
	struct vn_domain_join join;
	struct vn_queue_create queue;
	struct vn_queue_id id;
	struct vn_wait wait;
	struct vn_plan_create plan;
	struct vn_plan_destroy plan_destroy;
	struct vn_status_create status;
	struct vn_status_destroy status_destroy;
	struct vn_sled_query sled;
	struct vn_drain_open drain;
	struct vn_drain_step step;
};

#endif
