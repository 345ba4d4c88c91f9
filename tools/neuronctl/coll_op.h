/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The collective operations as a benchmark sees them: what their size means,
 * which buffers they have, and who must end up with what.
 */
#ifndef COLL_OP_H
#define COLL_OP_H

#include <stdbool.h>
#include <vneuron/coll.h>

/* What an output consists of. */
enum coll_makes {
	COLL_NOTHING, /* no buffers */
	COLL_MOVED, /* blocks of inputs as they were */
	COLL_FOLD, /* the fold over all ranks */
	COLL_FOLD_BLOCK, /* the same, rank r's block of it */
	COLL_PREFIX, /* the fold over ranks up to one's own */
};

struct coll_operation {
	enum vn_coll op;
	enum coll_makes makes;
	bool rooted;
	/* A buffer has a block for each rank; a size means all of these blocks. */
	bool send_blocks, recv_blocks;
	int bus; /* of (n - 1)/n: 2, 1; 0: the factor is 1 */
};

/* The one of that name, NULL if there is none. */
const struct coll_operation *coll_op_find(const char *name);
/* Number i of them all, NULL behind the last. */
const struct coll_operation *coll_op_at(unsigned int i);
/* All names, for errors. */
const char *coll_op_names(void);

static inline bool coll_op_reduces(const struct coll_operation *o)
{
	return o->makes >= COLL_FOLD;
}

static inline bool coll_op_blocks(const struct coll_operation *o)
{
	return o->send_blocks || o->recv_blocks;
}

/* Bus bandwidth by algorithm bandwidth. */
double coll_op_bus(const struct coll_operation *o, uint32_t ranks);

/* Where a rank's block of output comes from. */
struct coll_source {
	bool kept; /* from nowhere: what was there stays */
	uint32_t rank;
	uint64_t first; /* element of its input */
};

/* For COLL_MOVED, and for outputs of others that nobody writes. */
struct coll_source coll_op_source(const struct coll_operation *o, uint32_t ranks, uint32_t root,
				  uint64_t count, uint32_t rank, uint32_t block);
/* Whether a rank's output is written at all. */
bool coll_op_writes(const struct coll_operation *o, uint32_t root, uint32_t rank);
/* The permutation that is measured: to the next rank. */
void coll_op_permutation(int *to, uint32_t ranks);

#endif
