/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Contents of benchmark buffers and what a reduction must make of them.
 *
 * The values are integers so small that no intermediate result of any number
 * of ranks is ever rounded, in any order and any type: a result is right when
 * its bits are.
 */
#ifndef COLL_DATA_H
#define COLL_DATA_H

#include <vneuron.h>

/* NULL and -1 for a name that is none. */
struct coll_type {
	const char *name;
	enum vn_type type;
};
const struct coll_type *coll_type_find(const char *name);
int coll_redop_find(const char *name);
const char *coll_redop_name(enum vn_redop op);
/* For the help and for errors: the names there are. */
#define COLL_TYPES "float32, bfloat16, float16, int32"
#define COLL_REDOPS "sum, prod, max, min"

/*
 * Writes count elements of a rank and folds them into acc; ranks come from 0
 * up. round makes the values of one iteration different from the last one's.
 */
void coll_fill(void *to, int32_t *acc, uint64_t count, enum vn_type type, enum vn_redop op,
	       uint32_t rank, uint32_t round);
/* What the reduction must have written: acc in the type. */
void coll_expect(void *to, const int32_t *acc, uint64_t count, enum vn_type type);
/* How many of count elements of size bytes differ. */
uint64_t coll_wrong(const void *got, const void *want, uint64_t count, uint32_t size);

#endif
