// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Copies from many places into many. */
#include "lookup.h"

/* About what finding two places costs, in bytes copied meanwhile. */
#define PIECE	64u

/* Segments that are done, and those of no bytes, are behind us. */
static void step_over(const struct vn_segment *s, u32 n, u32 *i, u64 *at)
{
	while (*i < n && *at == s[*i].bytes) {
		++*i;
		*at = 0;
	}
}

/* n bytes of a segment; of one that is begun, all of it is to be there. */
static void *inside(struct vn_lookup *l, const struct vn_segment *s, u64 at, u64 n, u8 access,
		    u32 number)
{
	bool there = true;

	if (!at && n < s->bytes) {
		l->look = true;
		there = vn_operand_at(l, &s->at, 0, s->bytes, access, 1, number);
		l->look = false;
	}
	return there ? vn_operand_at(l, &s->at, at, n, access, 1, number) : NULL;
}

/* The next piece: what is in one segment on both sides. 0: not done, l says why. */
static u64 piece(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c, u64 most)
{
	const struct vn_desc *d = c->desc;
	const struct vn_segment *s = (const struct vn_segment *)c->table + c->src;
	const struct vn_segment *t = (const struct vn_segment *)c->table + d->list.nsrc + c->dst;
	u64 n = s->bytes - c->src_at, room = t->bytes - c->dst_at;
	struct vn_window *out;
	void *src, *dst;
	u32 from;

	n = n < room ? n : room;
	n = n < most ? n : most;
	src = inside(l, s, c->src_at, n, VN_READS, c->src);
	if (!src)
		return 0;
	from = l->chip;
	out = l->window;
	dst = inside(l, t, c->dst_at, n, VN_WRITES, d->list.nsrc + c->dst);
	if (!dst)
		return 0;
	if (src != dst)
		r->ops->copy(dst, src, n, vn_streams(r, l->env, d));
	vn_went(r, l->env, from, l->chip, n);
	vn_count_out(out, n);
	vn_count_in(l->window, n);
	return n;
}

enum vn_step vn_exec_copy_list(struct vn_runner *r, struct vn_lookup *l, struct vn_cursor *c)
{
	const struct vn_desc *d = c->desc;
	const struct vn_segment *src = (const struct vn_segment *)c->table;
	u64 most = r->chunk_bytes, n;

	while (c->at < d->list.bytes) {
		if (!most)
			return VN_STEP_MORE;
		/* Both sides are as long as all of it: there is a next one. */
		step_over(src, d->list.nsrc, &c->src, &c->src_at);
		step_over(src + d->list.nsrc, d->list.ndst, &c->dst, &c->dst_at);
		n = piece(r, l, c, most);
		if (!n)
			return vn_lookup_failed(r, c, l);
		c->src_at += n;
		c->dst_at += n;
		c->at += n;
		c->bytes = c->at;
		most -= n + PIECE < most ? n + PIECE : most;
	}
	return VN_STEP_DONE;
}
