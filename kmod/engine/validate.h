/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is a sled fit for service? Memory that keeps what is written there, copies from slot
 * to slot that arrive, and a reduction over all of them that is exact.
 */
#ifndef VN_VALIDATE_H
#define VN_VALIDATE_H

#include "runner.h"

/* Bytes of a block, one for each slot that takes part. */
#define VN_VALIDATE_BYTES	65536u
#define VN_VALIDATE_MAX		32u

/* What did not come out as it should. */
enum vn_validate {
	VN_VALID,
	VN_VALID_MEMORY,	/* a block does not keep what is written there */
	VN_VALID_LINK,		/* a copy between two is not what was copied */
	VN_VALID_SUM,		/* the sum of all is wrong */
};

/*
 * n blocks, 2 to VN_VALIDATE_MAX, aligned to 64 bytes. *bad: the block it was seen at.
 * Takes some milliseconds; the caller may look at signals between two seeds.
 */
enum vn_validate vn_validate(const struct vn_runner *r, u8 *const *block, u32 n, u64 seed,
			     u32 *bad);

#endif
