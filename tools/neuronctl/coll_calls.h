/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one rank calls in each iteration of a job: the records of its operations, or
 * the launch of a persistent one, and what they need: arrays, a reduction of its own,
 * a window. Made before the first iteration by all ranks, in their threads.
 */
#ifndef COLL_CALLS_H
#define COLL_CALLS_H

#include "coll_check.h"

#define COLL_CALLS_MAX 3

struct coll_calls {
	vn_comm_t comm; /* NULL: not made, or its communicator is gone */
	uint32_t ranks, rank;
	struct vn_op op[COLL_CALLS_MAX];
	uint32_t n;
	vn_persistent_t persistent; /* to be launched instead; NULL: none */
	enum vn_redop redop;
	vn_comm_window_t window; /* NULL: none */
	struct vn_wait_signal_desc signal; /* that it waits for */
	int to[VN_MAX_CHIPS];
	size_t counts[VN_MAX_CHIPS], displs[VN_MAX_CHIPS]; /* of its blocks, on both sides */
};

/*
 * They return what the library does. A group may be open, as must be for a thread
 * that makes those of several ranks: the first start is behind its end.
 */
int coll_calls_make(struct coll_calls *k, const struct coll_round *c, uint32_t rank, vn_comm_t comm,
		    bool persistent);
int coll_calls_start(struct coll_calls *k);
/* After all of them have ended, on all ranks. */
int coll_calls_forget(struct coll_calls *k);

#endif
