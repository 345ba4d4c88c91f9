/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VN_LIB_QUEUE_H
#define VN_LIB_QUEUE_H

#include "home.h"

/* One thread at a time; the ring is shared with the device. */
struct vn_lib_queue {
	struct vn_handle handle; /* first */
	struct vn_lib_device *dev;
	struct vn_ring *ring;
	struct vn_desc *sq;
	const struct vn_cqe *cq;
	uint32_t id, chip, depth;
	uint32_t sq_tail; /* given out by vn_next() */
	uint32_t sq_shown; /* published */
	uint32_t cq_head;
	uint32_t receives; /* atomic: a window was bound to it, so that there are arrivals */
	uint32_t arrived; /* of what was taken from the completion ring, these were arrivals */
	struct vn_cqe *kept; /* [depth], NULL till needed: arrivals for vn_reap(), oldest first */
	uint32_t kept_first, nkept;
	uint64_t bytes;
	struct coll_pending *collectives; /* put on it and not complete, oldest first */
};

/* Shows the device what vn_next() gave out, and makes no call. */
void vn_queue_show(struct vn_lib_queue *q);
/* Descriptors that have been completed, since creation or reset; arrivals are none. */
uint32_t vn_queue_completed(struct vn_lib_queue *q);
/*
 * Until all descriptors put on it are complete, or as many as there is room for completions;
 * takes none. -ENOBUFS: arrivals take that room.
 */
int vn_queue_await(struct vn_lib_queue *q, uint64_t timeout_ns);
/* What a handle holds besides itself: before it is freed. */
void vn_queue_forget(struct vn_lib_queue *q);
/* Ends when no collective put on it is left (lib/coll/stream.c). */
void coll_stream_drain(struct vn_lib_queue *q);

#endif
