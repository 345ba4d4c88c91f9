// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Copies, those that tell somebody when they are there, and those that add to what is there. */
#include "lookup.h"

/* Between two operands: where one chunk is, on which chips, and through which windows. */
struct way {
	void *src, *dst;
	u32 from, to;
	struct vn_window *out, *in;
	u32 key;		/* of dst */
};

static bool find_way(struct vn_lookup *l, const struct vn_desc *d, u64 skip, u64 n, u32 align,
		     struct way *w)
{
	w->src = vn_operand_at(l, &d->copy.src, skip, n, VN_READS, align, AT(copy.src));
	if (!w->src)
		return false;
	w->from = l->chip;
	w->out = l->window;
	w->dst = vn_operand_at(l, &d->copy.dst, skip, n, VN_WRITES, align, AT(copy.dst));
	w->to = l->chip;
	w->in = l->window;
	w->key = l->key;
	return w->dst;
}

/* The next n bytes have gone that way. */
static void gone(struct vn_runner *r, const struct vn_env *env, struct vn_cursor *c,
		 const struct way *w, u64 n)
{
	vn_went(r, env, w->from, w->to, n);
	vn_count_out(w->out, n);
	vn_count_in(w->in, n);
	c->at += n;
	c->bytes = c->at;
}

static void copy(struct vn_runner *r, const struct vn_env *env, struct vn_cursor *c,
		 const struct way *w, u64 n)
{
	if (n && w->src != w->dst)
		r->ops->copy(w->dst, w->src, n, vn_streams(r, env, c->desc));
	gone(r, env, c, w, n);
}

static u64 next_bytes(const struct vn_runner *r, const struct vn_cursor *c)
{
	u64 n = c->desc->copy.bytes - c->at;

	return n > r->chunk_bytes ? r->chunk_bytes : n;
}

static enum vn_step more(const struct vn_cursor *c)
{
	return c->at == c->desc->copy.bytes ? VN_STEP_DONE : VN_STEP_MORE;
}

/* The same without a way: most descriptors are this one, and short. */
enum vn_step vn_exec_copy(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 n = next_bytes(r, c);
	struct vn_window *out;
	void *src, *dst;
	u32 from;

	src = vn_operand_at(l, &d->copy.src, c->at, n, VN_READS, 1, AT(copy.src));
	from = l->chip;
	out = l->window;
	dst = src ? vn_operand_at(l, &d->copy.dst, c->at, n, VN_WRITES, 1, AT(copy.dst)) : NULL;
	if (!dst)
		return vn_lookup_failed(r, c, l);
	if (n && src != dst)
		r->ops->copy(dst, src, n, vn_streams(r, l->env, d));
	vn_went(r, l->env, from, l->chip, n);
	vn_count_out(out, n);
	vn_count_in(l->window, n);
	c->at += n;
	c->bytes = c->at;
	return more(c);
}

/* The word that is to be signalled, in the window that is written to. */
static u64 *signal_word(struct vn_lookup *l, const struct vn_desc *d)
{
	struct vn_operand o = d->copy.dst;

	o.offset = d->copy.signal;
	return vn_operand_at(l, &o, 0, 8, VN_ACCESS_REMOTE_ATOMIC, 8, AT(copy.signal));
}

/* All of it is where it should be: what the first of many chunks asks before it moves. */
static bool all_there(struct vn_lookup *l, const struct vn_desc *d)
{
	struct way w;
	bool there;

	l->look = true;
	there = find_way(l, d, 0, d->copy.bytes, 1, &w) &&
		(d->opcode != VN_OP_WRITE_SIGNAL || signal_word(l, d));
	l->look = false;
	return there;
}

enum vn_step vn_exec_write_signal(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 n = next_bytes(r, c), *word = NULL;
	bool last = c->at + n == d->copy.bytes;
	struct way w;

	if (!c->at && !last && !all_there(l, d))
		return vn_lookup_failed(r, c, l);
	if (!find_way(l, d, c->at, n, 1, &w))
		return vn_lookup_failed(r, c, l);
	if (last) {
		word = signal_word(l, d);
		if (!word)
			return vn_lookup_failed(r, c, l);
	}
	copy(r, l->env, c, &w, n);
	if (!last)
		return VN_STEP_MORE;
	vn_fetch_add(word, (u64)d->arg);
	r->signalled = true;
	vn_went(r, l->env, l->env->chip, w.to, 8);
	vn_count_in(w.in, 8);
	c->bytes += 8;
	return VN_STEP_DONE;
}

/* Whom a write with an immediate tells; NULL: nobody, l says why. */
static struct vn_inbox *receiver(struct vn_lookup *l, const struct way *w)
{
	const struct vn_switch *sw = l->env->sw;
	struct vn_inbox *b = w->in ? vn_load_acquire(&w->in->inbox) : NULL;

	if (!b)
		return vn_miss(l, VN_BAD_KEY);
	if (READ_ONCE(sw->faulty)) {
		if (vn_switch_lost(sw, b->chip))
			return vn_miss(l, VN_CHIP_LOST);
		if (!vn_switch_reaches(sw, l->env->chip, b->chip))
			return vn_miss(l, VN_LINK_DOWN);
	}
	return READ_ONCE(b->state) == VN_INBOX_OPEN ? b : vn_miss(l, VN_NO_RECEIVER);
}

enum vn_step vn_exec_write_imm(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u64 n = next_bytes(r, c);
	struct vn_inbox *b;
	struct way w;

	if (!c->at && n < d->copy.bytes && !all_there(l, d))
		return vn_lookup_failed(r, c, l);
	if (!find_way(l, d, c->at, n, 1, &w))
		return vn_lookup_failed(r, c, l);
	b = receiver(l, &w);
	if (!b)
		return vn_lookup_failed(r, c, l);
	copy(r, l->env, c, &w, n);
	if (c->at < d->copy.bytes)
		return VN_STEP_MORE;
	switch (vn_inbox_post(b, &(struct vn_arrival) {
		.imm = d->arg, .key = w.key, .user_data = w.in->user_data, .bytes = c->bytes })) {
	case VN_POST_FULL:
		return VN_STEP_BLOCKED;
	case VN_POST_REFUSED:
		vn_miss(l, VN_NO_RECEIVER);
		return vn_lookup_failed(r, c, l);
	case VN_POSTED:
		break;
	}
	r->posted = true;
	return VN_STEP_DONE;
}

enum vn_step vn_exec_accumulate(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	u32 es = vn_type_bytes(d->type);
	/* Read twice, written once; whole elements of any type. */
	u64 n = (r->chunk_bytes / 3 & ~63ull) ?: 64, left = d->copy.bytes - c->at;
	const void *src[2];
	struct vn_reduce_args a = {
		.src = src, .nsrc = 2, .ndst = 1, .type = d->type, .redop = d->redop,
		.stream = vn_streams(r, l->env, d), .scratch = r->scratch,
	};
	struct way w;

	if (n > left)
		n = left;
	if (!find_way(l, d, c->at, n, es, &w))
		return vn_lookup_failed(r, c, l);
	src[0] = w.dst;
	src[1] = w.src;
	a.dst = &w.dst;
	a.n = n / es;
	if (n)
		r->ops->reduce(&a);
	gone(r, l->env, c, &w, n);
	return more(c);
}
