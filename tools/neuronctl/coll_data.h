/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Contents of benchmark buffers and what a reduction must make of them.
 *
 * Inputs come from a small alphabet of whole numbers, chosen for the type, the
 * reduction and the number of ranks so that no intermediate result is ever
 * rounded, in any order of the ranks: a result is right when its bits are. For
 * the narrowest types that means that most ranks contribute the neutral element
 * to most elements. An average is the exact sum divided once. What is only
 * moved has any bits. None of it is computed with the device's arithmetic.
 */
#ifndef COLL_DATA_H
#define COLL_DATA_H

#include <stdbool.h>
#include <vneuron.h>

#define COLL_LETTERS 64u

struct coll_type {
	enum vn_type type;
	bool is_signed;
	uint8_t exponent, mantissa; /* bits of a float; 0: an integer */
	int64_t exact; /* whole numbers up to that have no rounding (at most 2^24) */
	uint32_t doublings; /* 1 may be doubled so often (at most 30 times) */
};

/* Number i of them, NULL behind the last. */
const struct coll_type *coll_type_at(unsigned int i);
/* What is bitwise is for integers. */
bool coll_type_reduces(const struct coll_type *type, enum vn_redop op);
/* NULL and -1 for a name that is none. */
const struct coll_type *coll_type_find(const char *name);
int coll_redop_find(const char *name);
/* For errors: the names there are. */
const char *coll_type_names(void);
const char *coll_redop_names(void);

/* What the buffers of an operation are filled from. */
struct coll_letters {
	const struct coll_type *type;
	enum vn_redop redop;
	uint32_t size; /* of an element */
	uint32_t letters; /* 2^k */
	uint32_t stride; /* only every so many-th rank contributes to an element */
	int64_t value[COLL_LETTERS + 1]; /* the last: neutral */
	uint64_t code[COLL_LETTERS + 1]; /* in the type */
};

/* reduces: else what is moved. */
void coll_letters_init(struct coll_letters *l, const struct coll_type *type, bool reduces,
		       enum vn_redop redop, uint32_t ranks);
/*
 * Elements first to first + n - 1 of the input of a rank. The round makes the
 * contents of one iteration different from the last one's.
 */
void coll_letters_write(const struct coll_letters *l, void *to, uint32_t rank, uint32_t round,
			uint64_t first, uint64_t n);
/* The same, folded into acc; begin: acc is empty. */
void coll_letters_fold(const struct coll_letters *l, int64_t *acc, bool begin, uint32_t rank,
		       uint32_t round, uint64_t first, uint64_t n);
/* PREMULSUM: the scalar of a rank, of the type. */
void coll_letters_scalar(const struct coll_letters *l, uint32_t rank, void *to);
/* acc, the fold of so many ranks, in the type. */
void coll_letters_encode(const struct coll_letters *l, void *to, const int64_t *acc, uint32_t ranks,
			 uint64_t n);
/* How many of n elements of size bytes differ. */
uint64_t coll_wrong(const void *got, const void *want, uint64_t n, uint32_t size);

#endif
