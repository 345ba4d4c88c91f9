// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "inbox.h"

/*
 * Slots are used in turn, each again after all others. Place p, counted without end, is in
 * slot p & mask. Its turn is p while the slot is free for it, p + 1 when what was told is in
 * it, and p + mask + 1, that of the next place there, when that was taken.
 */
static struct vn_arrival *at(const struct vn_inbox *b, u32 place)
{
	return &b->slot[place & b->mask];
}

void vn_inbox_init(struct vn_inbox *b, struct vn_arrival *slot, u32 depth, u32 chip,
		   struct vn_inbox **posts)
{
	memset(b, 0, sizeof(*b));
	b->slot = slot;
	b->mask = depth - 1;
	b->chip = chip;
	b->posts = posts;
	for (u32 i = 0; i < depth; i++)
		slot[i] = (struct vn_arrival){ .turn = i };
}

/* A free place, or false: none is. */
static bool claim(struct vn_inbox *b, u32 *place)
{
	u32 p = READ_ONCE(b->tail), seen;

	for (;;) {
		s32 ahead = (s32)(vn_load_acquire(&at(b, p)->turn) - p);

		if (ahead < 0)
			return false;
		if (ahead > 0) {	/* somebody else has got it */
			p = READ_ONCE(b->tail);
			continue;
		}
		seen = vn_cmpxchg(&b->tail, p, p + 1);
		if (seen == p)
			break;
		p = seen;
	}
	*place = p;
	return true;
}

/* Its shell is to look at it. The exchange is behind what was posted. */
static void list(struct vn_inbox *b)
{
	struct vn_inbox *first;

	if (vn_xchg(&b->listed, 1u))
		return;
	do {
		first = READ_ONCE(*b->posts);
		b->next = first;
	} while (vn_cmpxchg(b->posts, first, b) != first);
}

enum vn_posted vn_inbox_post(struct vn_inbox *b, const struct vn_arrival *a)
{
	struct vn_arrival *to;
	u32 place;

	if (READ_ONCE(b->state) != VN_INBOX_OPEN)
		return VN_POST_REFUSED;
	if (!claim(b, &place)) {
		/* Pairs with vn_inbox_waited(): either room is seen here, or the wish there. */
		vn_xchg(&b->wanted, 1u);
		if (READ_ONCE(b->state) != VN_INBOX_OPEN)
			return VN_POST_REFUSED;
		if (!claim(b, &place))
			return VN_POST_FULL;
	}
	to = at(b, place);
	to->imm = a->imm;
	to->key = a->key;
	to->user_data = a->user_data;
	to->bytes = a->bytes;
	vn_store_release(&to->turn, place + 1);
	list(b);
	return VN_POSTED;
}

bool vn_inbox_any(const struct vn_inbox *b)
{
	u32 head = READ_ONCE(b->head);

	return vn_load_acquire(&at(b, head)->turn) == head + 1;
}

bool vn_inbox_take(struct vn_inbox *b, struct vn_arrival *a)
{
	struct vn_arrival *from = at(b, b->head);

	if (vn_load_acquire(&from->turn) != b->head + 1)
		return false;
	*a = *from;
	vn_store_release(&from->turn, b->head + b->mask + 1);
	WRITE_ONCE(b->head, b->head + 1);
	return true;
}

bool vn_inbox_waited(struct vn_inbox *b)
{
	vn_mb();
	return READ_ONCE(b->wanted) && vn_xchg(&b->wanted, 0u);
}

void vn_inbox_set(struct vn_inbox *b, enum vn_inbox_state state)
{
	if (READ_ONCE(b->state) != VN_INBOX_GONE)
		WRITE_ONCE(b->state, state);
}

struct vn_inbox *vn_inbox_posted(struct vn_inbox **posts)
{
	return READ_ONCE(*posts) ? vn_xchg(posts, NULL) : NULL;
}

void vn_inbox_let_go(struct vn_inbox *b)
{
	/* Before its queue is run: who posts from here on lists it anew. */
	vn_xchg(&b->listed, 0u);
}
