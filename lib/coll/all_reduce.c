// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All-reduce in one pass: the elements are cut into slices, each slice belongs
 * to one chip, which reads it from every rank and writes the fold to every
 * rank. p ranks of S bytes move 2pS, the least that private outputs need.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../home.h"
#include "move.h"

static int check_chips(const uint16_t *chips, uint32_t n, const char *op)
{
	uint8_t seen[VN_MAX_CHIPS] = { 0 };

	if (!n || n > VN_MAX_CHIPS)
		return vn_fail(-EINVAL, "%s: %u chips; want 1 to %u", op, n, VN_MAX_CHIPS);
	for (uint32_t i = 0; i < n; i++) {
		if (chips[i] >= VN_MAX_CHIPS)
			return vn_fail(-ENODEV, "%s: no chip %u", op, chips[i]);
		if (seen[chips[i]]++)
			return vn_fail(-EINVAL, "%s: chip %u is there twice", op, chips[i]);
	}
	return 0;
}

/* Slice i of so many bytes in all is done by this one of the chips: spread evenly. */
static uint32_t slice_owner(uint64_t i, uint64_t bytes, uint64_t slice, uint32_t chips)
{
	return i * chips / ((bytes + slice - 1) / slice);
}

static struct vn_operand shifted(struct vn_operand o, uint64_t by)
{
	o.offset += by;
	return o;
}

int vn_build_all_reduce(vn_builder_t b, const uint16_t *chips, uint32_t n,
			const struct vn_operand *send, const struct vn_operand *recv,
			uint64_t count, enum vn_type type, enum vn_redop op)
{
	struct vn_operand table[2 * VN_MAX_CHIPS];
	uint64_t es = vn_type_size(type), slice;
	struct vn_desc *d;
	int64_t first;
	int err = check_chips(chips, n, "all-reduce");

	if (err)
		return err;
	if (!es)
		return vn_fail(-EINVAL, "all-reduce: unknown type %d", type);
	if (count > VN_BYTES_MAX / es)
		return vn_fail(-EINVAL, "all-reduce: %llu elements are more than %llu bytes",
			       (unsigned long long)count, VN_BYTES_MAX);
	slice = coll_slice_bytes(count * es, n) / es;

	err = vn_build_barrier(b, chips, n);
	if (err)
		return err;
	for (uint64_t at = 0, i = 0; at < count; at += slice, i++) {
		for (uint32_t r = 0; r < n; r++) {
			table[r] = shifted(send[r], at * es);
			table[n + r] = shifted(recv[r], at * es);
		}
		first = vn_build_operands(b, table, 2 * n);
		if (first < 0)
			return first;
		d = vn_build(b, chips[slice_owner(i, count, slice, n)]);
		if (!d)
			return -ENOMEM;
		vn_prep_reduce(d, first, n, n, at + slice < count ? slice : count - at, type, op);
	}
	return vn_build_barrier(b, chips, n);
}

int vn_build_broadcast(vn_builder_t b, const uint16_t *chips, uint32_t n, uint32_t root,
		       struct vn_operand src, const struct vn_operand *dst, uint64_t bytes)
{
	struct vn_operand table[1 + VN_MAX_CHIPS];
	uint64_t slice;
	struct vn_desc *d;
	int64_t first;
	int err = check_chips(chips, n, "broadcast");

	if (err)
		return err;
	if (root >= n)
		return vn_fail(-EINVAL, "broadcast: root %u of %u ranks", root, n);
	if (bytes > VN_BYTES_MAX || bytes % 4)
		return vn_fail(-EINVAL, "broadcast: %llu bytes; want a multiple of 4 up to %llu",
			       (unsigned long long)bytes, VN_BYTES_MAX);
	slice = coll_slice_bytes(bytes, n);

	err = vn_build_barrier(b, chips, n);
	if (err)
		return err;
	/* One source, many destinations: a reduction of one, which copies the bits. */
	for (uint64_t at = 0, i = 0; at < bytes; at += slice, i++) {
		table[0] = shifted(src, at);
		for (uint32_t r = 0; r < n; r++)
			table[1 + r] = shifted(dst[r], at);
		first = vn_build_operands(b, table, 1 + n);
		if (first < 0)
			return first;
		d = vn_build(b, chips[slice_owner(i, bytes, slice, n)]);
		if (!d)
			return -ENOMEM;
		vn_prep_reduce(d, first, 1, n, (at + slice < bytes ? slice : bytes - at) / 4,
			       VN_INT32, VN_SUM);
	}
	return vn_build_barrier(b, chips, n);
}
