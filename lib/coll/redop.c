// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reductions that a rank makes: sums with a factor of its own. */
#include <errno.h>
#include <string.h>

#include "coll.h"

const struct coll_redop *coll_redop_made(const struct vn_lib_comm *c, uint32_t op)
{
	uint32_t i = op - VN_REDOP_COUNT;

	return op >= VN_REDOP_COUNT && i < COLL_REDOPS && c->redop[i].made ? &c->redop[i] : NULL;
}

int vn_red_op_create_pre_mul_sum(enum vn_redop *op, const void *scalar, enum vn_type type,
				 enum vn_scalar_residence residence, vn_comm_t c)
{
	uint32_t es = vn_type_bytes(type), i;
	struct coll_redop *r = c->redop;

	if (!es)
		return vn_fail(-EINVAL, "pre-multiplied sum: unknown type %d", type);
	if (!scalar || (uintptr_t)scalar % es)
		return vn_fail(-EINVAL, "pre-multiplied sum: %s scalar",
			       scalar ? "a misaligned" : "no");
	if (residence != VN_SCALAR_DEVICE && residence != VN_SCALAR_HOST_IMMEDIATE)
		return vn_fail(-EINVAL, "pre-multiplied sum: no residence %d", residence);
	for (i = 0; i < COLL_REDOPS && r->made; i++, r++)
		;
	if (i == COLL_REDOPS)
		return vn_fail(-ENOSPC, "rank %u has %u reductions of its own already", c->rank,
			       COLL_REDOPS);
	*r = (struct coll_redop){ .type = (uint8_t)type, .made = true };
	if (residence == VN_SCALAR_DEVICE)
		r->scalar.at = scalar;
	else
		memcpy(&r->scalar.bits, scalar, es);
	*op = (enum vn_redop)(VN_REDOP_COUNT + i);
	return 0;
}

int vn_red_op_destroy(enum vn_redop op, vn_comm_t c)
{
	if (!coll_redop_made(c, op))
		return vn_fail(-EINVAL, "rank %u has made no reduction %d", c->rank, op);
	c->redop[op - VN_REDOP_COUNT].made = false;
	return 0;
}
