// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "window_table.h"

static struct vn_window *slot(const struct vn_window_table *t, u32 index)
{
	struct vn_window_block *b = vn_load_acquire(&t->block[index / VN_BLOCK_SLOTS]);

	return b ? &b->slot[index % VN_BLOCK_SLOTS] : NULL;
}

void vn_table_init(struct vn_window_table *t, u32 gen_bits)
{
	memset(t, 0, sizeof(*t));
	t->free_head = VN_SLOT_NONE;
	t->free_tail = VN_SLOT_NONE;
	t->gen_mask = (1u << gen_bits) - 1;
}

bool vn_table_needs_block(const struct vn_window_table *t)
{
	return t->free_head == VN_SLOT_NONE;
}

bool vn_table_can_grow(const struct vn_window_table *t)
{
	return t->blocks < VN_TABLE_BLOCKS;
}

static void put_free(struct vn_window_table *t, u32 index)
{
	slot(t, index)->next = VN_SLOT_NONE;
	if (t->free_tail == VN_SLOT_NONE)
		t->free_head = index;
	else
		slot(t, t->free_tail)->next = index;
	t->free_tail = index;
}

void vn_table_grow(struct vn_window_table *t, struct vn_window_block *b)
{
	u32 first = t->blocks * VN_BLOCK_SLOTS;

	vn_store_release(&t->block[t->blocks], b);
	t->blocks++;
	/* Slot 0 is nobody's, so that no name is 0. */
	for (u32 i = !first; i < VN_BLOCK_SLOTS && first + i < VN_TABLE_SLOTS; i++)
		put_free(t, first + i);
}

/* The state of a slot in its next generation: all of them come before one comes again. */
static u32 next_state(const struct vn_window_table *t, const struct vn_window *w)
{
	u32 gen = (w->state + 1) & t->gen_mask, used = w->state & VN_WINDOW_USED_UP;

	return gen | VN_WINDOW_LIVE | (gen ? used : VN_WINDOW_USED_UP);
}

static u32 begin(struct vn_window_table *t, u32 index, struct vn_hbm *hbm, u64 offset, u64 bytes,
		 u8 access, void *owner)
{
	struct vn_window *w = slot(t, index);
	u32 state = next_state(t, w);

	w->hbm = hbm;
	w->offset = offset;
	w->bytes = bytes;
	w->chip = hbm->chip;
	w->access = access;
	w->owner = owner;
	w->inbox = NULL;
	w->in_bytes = 0;
	w->out_bytes = 0;
	w->denials = 0;
	vn_store_release(&w->state, state);
	return (state & 0xffff) << 16 | index;
}

u32 vn_table_open(struct vn_window_table *t, struct vn_hbm *hbm, u64 offset, u64 bytes, u8 access,
		  void *owner)
{
	u32 index = t->free_head;

	t->free_head = slot(t, index)->next;
	if (t->free_head == VN_SLOT_NONE)
		t->free_tail = VN_SLOT_NONE;
	t->live++;
	return begin(t, index, hbm, offset, bytes, access, owner);
}

u32 vn_table_reopen(struct vn_window_table *t, u32 name, struct vn_hbm *hbm, u64 offset, u64 bytes,
		    u8 access, void *owner)
{
	return begin(t, name & 0xffff, hbm, offset, bytes, access, owner);
}

u32 vn_table_next_name(const struct vn_window_table *t, u32 name)
{
	return (next_state(t, slot(t, name & 0xffff)) & 0xffff) << 16 | (name & 0xffff);
}

void vn_table_bind(struct vn_window *w, struct vn_inbox *inbox, u64 user_data)
{
	w->user_data = user_data;
	vn_store_release(&w->inbox, inbox);
}

void vn_table_kill(struct vn_window *w)
{
	/* Full barrier: pairs with vn_runner_enter(). */
	vn_xchg(&w->state, READ_ONCE(w->state) & ~VN_WINDOW_LIVE);
}

void vn_table_close(struct vn_window_table *t, u32 name)
{
	struct vn_window *w = slot(t, name & 0xffff);

	w->hbm = NULL;
	w->owner = NULL;
	w->inbox = NULL;
	t->live--;
	put_free(t, name & 0xffff);
}

struct vn_window *vn_table_find(const struct vn_window_table *t, u32 name, u32 *status)
{
	u32 index = name & 0xffff, gen = name >> 16, state;
	struct vn_window *w;

	w = index < VN_TABLE_SLOTS ? slot(t, vn_index(index, VN_TABLE_SLOTS)) : NULL;
	state = w ? vn_load_acquire(&w->state) : 0;
	if ((state & ~VN_WINDOW_USED_UP) == (gen | VN_WINDOW_LIVE))
		return w;
	/* The slot's last generation, or one before it, has been somebody; 0 comes last of all. */
	if (state & VN_WINDOW_USED_UP ? gen <= t->gen_mask : gen && gen <= (state & 0xffff))
		*status = VN_STALE_KEY;
	else
		*status = VN_BAD_KEY;
	return NULL;
}

struct vn_window *vn_table_at(const struct vn_window_table *t, u32 index, u32 *name)
{
	struct vn_window *w = index < VN_TABLE_SLOTS ? slot(t, index) : NULL;
	u32 state = w ? vn_load_acquire(&w->state) : 0;

	*name = (state & 0xffff) << 16 | index;
	return state & VN_WINDOW_LIVE ? w : NULL;
}
