/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is this descriptor one? Everything that can be said without looking at memory. */
#ifndef VN_DESC_H
#define VN_DESC_H

#include "port.h"
#include "../../uapi/linux/vneuron.h"

/* What a plan brings; NULL stands for a descriptor from a ring. */
struct vn_desc_plan {
	const struct vn_operand *operands;
	u32 noperands;
	u32 nparams;
};

/*
 * VN_OK, or why it is refused and in *detail which byte of it. chips: how many
 * the UltraServer has.
 */
u32 vn_desc_check(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 chips, u32 *detail);

#define VN_LOG2(type, log2) ((u64)(log2) << 2 * (type))

/* Size of one element, bytes; 0 for a type that does not exist. */
static inline u32 vn_type_bytes(u32 type)
{
	const u64 log2 = VN_LOG2(VN_INT16, 1) | VN_LOG2(VN_UINT16, 1) | VN_LOG2(VN_FLOAT16, 1) |
			 VN_LOG2(VN_BFLOAT16, 1) | VN_LOG2(VN_INT32, 2) | VN_LOG2(VN_UINT32, 2) |
			 VN_LOG2(VN_FLOAT32, 2) | VN_LOG2(VN_INT64, 3) | VN_LOG2(VN_UINT64, 3) |
			 VN_LOG2(VN_FLOAT64, 3);

	return type < VN_TYPE_COUNT ? 1u << (log2 >> 2 * type & 3) : 0;
}

/* Elements of that type have that reduction. */
bool vn_type_reduces(u32 type, u32 redop);

/* Has it a table, at reduce.table? */
static inline bool vn_desc_tabled(const struct vn_desc *d)
{
	return d->opcode == VN_OP_REDUCE || d->opcode == VN_OP_COPY_LIST;
}

/* How long. REDUCE: operands, then scalars if it has any. COPY_LIST: two for each segment. */
u32 vn_desc_entries(const struct vn_desc *d);
/*
 * What a table says; *detail: which entry is bad. For a descriptor of a plan vn_desc_check()
 * has done it.
 */
u32 vn_desc_check_table(const struct vn_desc *d, const struct vn_operand *table,
			const struct vn_desc_plan *plan, u32 chips, u32 *detail);

/* All zero: it stands for nowhere. */
static inline bool vn_operand_none(const struct vn_operand *o)
{
	return !o->ultraserver && !o->chip && !o->key && !o->offset;
}

/* About how many bytes it touches: for deciding whether helpers are worth it. */
u64 vn_desc_cost(const struct vn_desc *d);

const char *vn_opcode_name(u32 opcode);
const char *vn_status_name(u32 status);

#endif
