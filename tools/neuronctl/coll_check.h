/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Buffers of an operation before and after it: what is put in, what must come out. */
#ifndef COLL_CHECK_H
#define COLL_CHECK_H

#include "coll_run.h"

/* The buffers of an iteration. */
struct coll_round {
	const struct coll_job *job;
	const struct coll_letters *letters;
	struct coll_extent extent;
	uint32_t round;
	char *send[VN_MAX_CHIPS], *recv[VN_MAX_CHIPS];
};

/* Where they begin for the job, in or out of place. */
void coll_round_place(struct coll_round *c, char *const buffer[2][VN_MAX_CHIPS]);
/* Writes those of a rank anew. */
void coll_round_fill(const struct coll_round *c, uint32_t rank);
/*
 * Compares part number part of parts of all that was written, and of what had to
 * stay as it was. Returns how many elements are wrong.
 */
uint64_t coll_round_wrong(const struct coll_round *c, uint32_t part, uint32_t parts);
/*
 * Whether the last element of what was moved to a rank is wrong: a look that takes
 * next to no time, for when the rank is through and others are not.
 */
bool coll_round_late(const struct coll_round *c, uint32_t rank);

#endif
