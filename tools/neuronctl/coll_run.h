/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Carrying out an operation again and again: a communicator over the first chips
 * with a buffer to send from and one to receive in for each rank, driven by a thread
 * per rank or by one for all.
 *
 * An iteration: every member (thread) rewrites its inputs, and its outputs with
 * rubbish; they meet, outside the library; each reads the clock, starts the
 * operation, waits for it, reads the clock, and has a look at what came last; they
 * meet and compare every element. The time of an iteration is that of the slowest
 * member.
 */
#ifndef COLL_RUN_H
#define COLL_RUN_H

#include "coll_data.h"
#include "coll_op.h"

/* What is measured. */
struct coll_job {
	const struct coll_operation *op;
	const struct coll_type *type;
	enum vn_redop redop;
	enum vn_way way;
	uint32_t root;
	uint64_t count; /* of a block, for operations with blocks; of unequal ones, of all */
	bool in_place;
	bool persistent; /* prepared once, then launched */
	uint32_t warmup, iters;
	double most_us; /* ends after that long, with one iteration at least; 0: never */
};

struct coll_result {
	uint32_t iters;
	double *us; /* [iters], sorted; valid until the next job */
	uint64_t wrong; /* elements, of all iterations and ranks, those of the warm-up too */
	enum vn_way way; /* that was taken in fact */
};

struct coll_runner {
	vn_device_t dev;
	uint32_t ranks;
	bool one_thread, host;
	bool registered; /* the buffers, with the communicator */

	vn_comm_t comm[VN_MAX_CHIPS];
	struct vn_mem hbm[2][VN_MAX_CHIPS]; /* sends, receives */
	char *buffer[2][VN_MAX_CHIPS];
	void *registration[2][VN_MAX_CHIPS];
	uint64_t bytes[2]; /* of a buffer */
	uint32_t round;
	double *us;
	uint32_t done; /* times in us */
};

/*
 * Makes communicator and buffers: dev, ranks, one_thread, host and registered say
 * which. The buffers are for all jobs that coll_run_needs() was asked about, as
 * largest bytes of one rank. Exit status; coll_run_end() in any case.
 */
int coll_run_begin(struct coll_runner *r, const uint64_t bytes[2]);
void coll_run_end(struct coll_runner *r);
/* Raises bytes to what a job needs. */
void coll_run_needs(const struct coll_job *job, uint32_t ranks, uint64_t bytes[2]);
/* Elements that make up bytes: at least one. */
uint64_t coll_run_count(const struct coll_operation *op, const struct coll_type *type,
			uint32_t ranks, uint64_t bytes);
/* The size of a job, as rows have it. */
uint64_t coll_run_bytes(const struct coll_job *job, uint32_t ranks);
/* Exit status. */
int coll_run(struct coll_runner *r, const struct coll_job *job, struct coll_result *result);
/* Nearest rank: the smallest time that percent of them do not exceed. */
double coll_percentile(const struct coll_result *result, uint32_t percent);

#endif
