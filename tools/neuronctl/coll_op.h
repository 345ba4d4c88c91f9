/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The operations as a benchmark sees them: what their size means, which buffers
 * they have, and who must end up with what.
 *
 * Blocks of unequal length grow as 1 : 3 : 5 : ..., in whole elements; together they
 * are the size. Those of rank r in all_to_allv begin with the r-th of these lengths
 * and go round, so that every rank sends and receives the size.
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
	enum vn_coll op; /* of several that belong together, the first */
	const char *name; /* NULL: the library's */
	enum coll_makes makes;
	bool rooted;
	/* A buffer has a block for each rank; a size means all of these blocks. */
	bool send_blocks, recv_blocks;
	bool unequal; /* they are; a count means all of them too */
	bool pair; /* between two ranks: never in place, never persistent */
	bool returns; /* what came is sent back: its time is half of that */
	int bus; /* of (n - 1)/n: 2, 1; 0: the factor is 1 */
};

/* The one of that name, NULL if there is none; pairs: also those between two ranks. */
const struct coll_operation *coll_op_find(const char *name, bool pairs);
/* Number i of them, NULL behind the last. */
const struct coll_operation *coll_op_at(unsigned int i, bool pairs);
/* All names, for errors. */
const char *coll_op_names(bool pairs);
const char *coll_op_name(const struct coll_operation *o);

static inline bool coll_op_reduces(const struct coll_operation *o)
{
	return o->makes >= COLL_FOLD;
}

/* A size is so many counts. */
static inline uint32_t coll_op_counts(const struct coll_operation *o, uint32_t ranks)
{
	return (o->send_blocks || o->recv_blocks) && !o->unequal ? ranks : 1;
}

/* Bus bandwidth by algorithm bandwidth. */
double coll_op_bus(const struct coll_operation *o, uint32_t ranks);

/* An operation of so many elements, as it is called. */
struct coll_extent {
	const struct coll_operation *op;
	uint32_t ranks, root;
	uint64_t count; /* of a block; of unequal ones, of all */
};

/* Elements of a rank's buffers. */
uint64_t coll_extent_send(const struct coll_extent *e, uint32_t rank);
uint64_t coll_extent_recv(const struct coll_extent *e, uint32_t rank);
/* Block number b of a rank's buffer that has one for each: where it begins, its elements. */
uint64_t coll_extent_at(const struct coll_extent *e, uint32_t rank, uint32_t b);
uint64_t coll_extent_block(const struct coll_extent *e, uint32_t rank, uint32_t b);

/* Where a rank's block of output comes from. */
struct coll_source {
	bool kept; /* from nowhere: what was there stays */
	uint32_t rank;
	uint64_t first; /* element of its input */
};

/* For COLL_MOVED, and for outputs of others that nobody writes. */
struct coll_source coll_op_source(const struct coll_extent *e, uint32_t rank, uint32_t block);
/* Whether a rank's output is written at all. */
bool coll_op_writes(const struct coll_extent *e, uint32_t rank);

/* To whom a rank sends, puts and signals, from whom it receives and gets. */
static inline uint32_t coll_next(uint32_t rank, uint32_t ranks)
{
	return (rank + 1) % ranks;
}

static inline uint32_t coll_previous(uint32_t rank, uint32_t ranks)
{
	return (rank + ranks - 1) % ranks;
}

/* The other rank of two that send there and back; the odd one out has none: ranks. */
static inline uint32_t coll_partner(uint32_t rank, uint32_t ranks)
{
	return (rank ^ 1) < ranks ? rank ^ 1 : ranks;
}

#endif
