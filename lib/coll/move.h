/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an operation comes down to: moves, each of which reads some ranks'
 * buffers and writes others', independent of all other moves. They are counted
 * and made by number, so that whoever carries them out may do so in any order.
 * Every byte is read once per fold it takes part in and written once: no rank
 * forwards for another.
 */
#ifndef VN_COLL_MOVE_H
#define VN_COLL_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/vneuron/coll.h"
#include "../../kmod/engine/desc.h"

enum coll_move_kind {
	COLL_COPY, /* src[0] to every dst, bytes */
	COLL_FOLD, /* all src to every dst, elements */
	COLL_SCAN, /* dst[i] = fold of src[0..i] */
	COLL_EXSCAN, /* dst[i - 1] = fold of src[0..i) */
	/*
	 * Bytes along a chain whose buffers may be the same: from the last on
	 * dst[i] = src[i]; if it is closed, dst[i + 1] = src[i] and dst[0] what the
	 * last src was.
	 */
	COLL_ROTATE,
};

struct coll_ref {
	uint16_t rank;
	bool recv; /* else its send buffer */
	uint64_t at; /* byte */
};

struct coll_move {
	enum coll_move_kind kind;
	uint8_t type, redop;
	uint32_t nsrc, ndst;
	uint64_t count; /* elements (COPY, ROTATE: bytes) */
	bool wraps; /* ROTATE: closed */
	struct coll_ref src[VN_MAX_CHIPS], dst[VN_MAX_CHIPS];
};

/* A move that folds, as the device's REDUCE takes it: vn_desc.arg. */
static inline uint32_t coll_reduce_flags(enum coll_move_kind kind)
{
	return kind == COLL_SCAN     ? VN_REDUCE_SCAN
	       : kind == COLL_EXSCAN ? VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE
				     : 0;
}

/*
 * What a rank brings beyond its buffers: for a permutation `to`, for blocks of
 * unequal length their elements and where they begin, [ranks] each. Heap, one block.
 */
struct coll_extra {
	const int *to;
	const uint64_t *sendcounts, *sdispls, *recvcounts, *rdispls; /* NULL: has none */
	uint64_t count; /* elements of the one block that a rank sends or receives */
	uint64_t send_bytes, recv_bytes; /* of its buffers */
	bool in_place;
};

/* An operation that all ranks agree on. */
struct coll_shape {
	enum vn_coll op;
	uint8_t type, redop; /* enum vn_type, enum vn_redop */
	uint32_t ranks, root;
	uint64_t count; /* elements; block of a rank, or the longest of unequal ones */
	uint64_t total; /* elements of all unequal blocks */
	uint64_t slice; /* bytes of a slice of a block */
	bool in_place; /* somebody's buffers are the same */
	const struct coll_extra *const *extra; /* [ranks] or NULL */
};

/* Bytes of a slice of a fold that chips share: every chip has at most one. */
uint64_t coll_slice_bytes(uint64_t bytes, uint32_t chips);
/* How often blocks are cut: pieces of about that many bytes. */
void coll_shape_cut(struct coll_shape *s, uint64_t slice);
uint64_t coll_moves(const struct coll_shape *s);
/* Move number i; false: there is nothing to do in it. */
bool coll_move(const struct coll_shape *s, uint64_t i, struct coll_move *m);
/* Bytes that all moves together touch, about. */
uint64_t coll_volume(const struct coll_shape *s);
/* Bytes of a rank's two buffers; not of unequal blocks: coll_extra. */
uint64_t coll_send_bytes(const struct coll_shape *s, uint32_t rank);
uint64_t coll_recv_bytes(const struct coll_shape *s, uint32_t rank);
/* Elements of the block that `from` has for `to`. */
uint64_t coll_block(const struct coll_shape *s, uint32_t from, uint32_t to);

#endif
