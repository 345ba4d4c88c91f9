// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Words that many wait for, add to and exchange. */
#include "lookup.h"

enum vn_step vn_exec_sem(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 value = d->sem.value + (d->flags & VN_DESC_REL ? l->env->base : 0);
	bool wait = d->opcode == VN_OP_SEM_WAIT;
	u64 *word = vn_operand_at(l, &d->sem.at, 0, 8, wait ? VN_READS : VN_ACCESS_REMOTE_ATOMIC, 8,
				  AT(sem.at));

	if (!word)
		return vn_lookup_failed(r, c, l);
	if (wait) {
		if (vn_load_acquire(word) < value)
			return VN_STEP_BLOCKED;
		vn_count_out(l->window, 8);
		return VN_STEP_DONE;
	}
	if (d->arg & VN_SEM_SET)
		vn_xchg(word, value);
	else
		vn_fetch_add(word, value);
	r->signalled = true;
	vn_went(r, l->env, l->env->chip, l->chip, 8);
	vn_count_in(l->window, 8);
	c->bytes = 8;
	return VN_STEP_DONE;
}

static u64 apply(const struct vn_desc *d, u64 *word)
{
	switch (d->opcode) {
	case VN_OP_FETCH_ADD:
		return vn_fetch_add(word, d->atomic.value);
	case VN_OP_CMP_SWAP:
		return vn_cmpxchg(word, d->atomic.compare, d->atomic.value);
	default:
		return vn_xchg(word, d->atomic.value);
	}
}

/*
 * Both places are found before anything is done, so that who is kept out by a fence, or
 * refused, has done nothing.
 */
enum vn_step vn_exec_atomic(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	bool tells = !vn_operand_none(&d->atomic.old);
	struct vn_window *window, *in = NULL;
	u64 *word, *old = NULL;
	u32 chip;

	word = vn_operand_at(l, &d->atomic.at, 0, 8, VN_READS | VN_ACCESS_REMOTE_ATOMIC, 8,
			     AT(atomic.at));
	if (!word)
		return vn_lookup_failed(r, c, l);
	chip = l->chip;
	window = l->window;
	if (tells) {
		old = vn_operand_at(l, &d->atomic.old, 0, 8, VN_WRITES, 8, AT(atomic.old));
		if (!old)
			return vn_lookup_failed(r, c, l);
		in = l->window;
	}
	c->result = apply(d, word);
	r->signalled = true;
	vn_went(r, l->env, l->env->chip, chip, 8);
	vn_count_in(window, 8);
	vn_count_out(window, 8);
	c->bytes = 8;
	if (old) {
		vn_store_release(old, c->result);
		vn_went(r, l->env, chip, l->chip, 8);
		vn_count_in(in, 8);
		c->bytes += 8;
	}
	return VN_STEP_DONE;
}
