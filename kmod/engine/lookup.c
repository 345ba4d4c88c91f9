// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lookup.h"

void *vn_deny(struct vn_lookup *l, u32 status)
{
	if (l->window)
		vn_fetch_add(&l->window->denials, 1ull);
	return vn_miss(l, status);
}

void *vn_local_at(struct vn_lookup *l, u64 addr, u64 skip, u64 bytes, u32 align, bool write,
		  u32 detail)
{
	l->detail = detail;
	l->window = NULL;
	l->chip = l->env->chip;
	if (addr >> 48 == 0xffff) {
		const struct vn_operand *base;
		u64 off = addr & VN_ADDR_OFFSET_MASK;

		if (!l->env->params)
			return vn_miss(l, VN_BAD_KEY);
		base = &l->env->params[addr >> VN_ADDR_OFFSET_BITS & 0xff];
		if (base->key || base->chip != l->env->chip)
			return vn_miss(l, VN_BAD_CHIP);
		addr = base->offset + off;
		if (addr >> VN_ADDR_OFFSET_BITS != base->offset >> VN_ADDR_OFFSET_BITS)
			return vn_miss(l, VN_BAD_RANGE);
	}
	return vn_own(l, l->env->chip, addr, skip, bytes, align, write);
}

enum vn_step vn_lookup_failed(struct vn_runner *r, struct vn_cursor *c, const struct vn_lookup *l)
{
	if (l->fenced) {
		r->fenced++;
		return VN_STEP_BLOCKED;
	}
	c->status = l->status;
	c->detail = l->detail;
	return VN_STEP_FAILED;
}
