/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names for ranges of HBM. A window is what the engine touches memory through:
 * a context's own allocations are windows in its own table (8-bit generations,
 * named by device addresses), and windows made for others are in the domain's
 * table of their chip (16-bit generations, named by keys).
 *
 * Who may do what: all functions that change a table are called under the
 * shell's lock for that table. vn_table_find() takes no lock: it runs inside a
 * runner's chunk (runner.h), and a slot is not reused before every runner has
 * left the chunk in which it could have seen the old window. Slots live in
 * blocks that are never given back while the table lives.
 */
#ifndef VN_WINDOW_TABLE_H
#define VN_WINDOW_TABLE_H

#include "hbm.h"
#include "inbox.h"
#include "port.h"
#include "../../uapi/linux/vneuron.h"

#define VN_BLOCK_SLOTS		256u
#define VN_TABLE_BLOCKS		256u
/* Index 0xffff stands for parameters in plans. */
#define VN_TABLE_SLOTS		0xffffu
#define VN_SLOT_NONE		0xffffffffu

#define VN_WINDOW_LIVE		(1u << 16)	/* in state, above the generation */
#define VN_WINDOW_USED_UP	(1u << 17)	/* every generation has been somebody */

/* Accesses inside a context: everything. */
#define VN_ACCESS_OWN		0xffu

struct vn_window {
	u32 state;		/* generation, VN_WINDOW_...; release/acquire */
	u32 next;		/* free list */
	struct vn_hbm *hbm;	/* in which it lies ... */
	u64 offset, bytes;	/* ... and where */
	void *owner;		/* the shell's; the engine does not look */
	u16 chip;
	u8 access;
	u8 reserved;
	struct vn_inbox *inbox;	/* atomic: of the queue it is bound to, or NULL ... */
	u64 user_data;		/* ... and what that is to be told */
	/* atomic, by runners: what went through it by key, since it was opened */
	u64 in_bytes, out_bytes;
	u64 denials;
};

struct vn_window_block {
	struct vn_window slot[VN_BLOCK_SLOTS];
};

struct vn_window_table {
	struct vn_window_block *block[VN_TABLE_BLOCKS];	/* release/acquire */
	u32 blocks;
	u32 live;
	u32 free_head, free_tail;	/* reused as late as possible */
	u32 gen_mask;
};

/* The keys of a domain: a table per chip, made when first used. */
struct vn_domain_table {
	struct vn_window_table *chip[VN_MAX_CHIPS];	/* release/acquire */
};

void vn_table_init(struct vn_window_table *t, u32 gen_bits);
/* Wants vn_table_grow() with a zeroed block before the next take. */
bool vn_table_needs_block(const struct vn_window_table *t);
/* False: the table has all the blocks it can have. */
bool vn_table_can_grow(const struct vn_window_table *t);
void vn_table_grow(struct vn_window_table *t, struct vn_window_block *b);

/*
 * Takes a free slot and makes it a live window. The returned name is
 * generation << 16 | index, never 0: slot 0 is nobody's. A slot has all its
 * generations before it has one again. There must be a free slot.
 */
u32 vn_table_open(struct vn_window_table *t, struct vn_hbm *hbm, u64 offset, u64 bytes, u8 access,
		  void *owner);
/*
 * What is written there with an immediate is told to a queue from here on. The inbox stays
 * until the window is closed.
 */
void vn_table_bind(struct vn_window *w, struct vn_inbox *inbox, u64 user_data);
/* From here on finding it fails. Then wait for the runners, then close. */
void vn_table_kill(struct vn_window *w);
void vn_table_close(struct vn_window_table *t, u32 name);
/* Instead of closing: the slot is another window, of the next generation. Its name. */
u32 vn_table_reopen(struct vn_window_table *t, u32 name, struct vn_hbm *hbm, u64 offset, u64 bytes,
		    u8 access, void *owner);
/* The name that the slot of `name` has next. */
u32 vn_table_next_name(const struct vn_window_table *t, u32 name);
/* The live window of that name or NULL, and why not: VN_BAD_KEY, VN_STALE_KEY. */
struct vn_window *vn_table_find(const struct vn_window_table *t, u32 name, u32 *status);
/* The live window in a slot, whatever its generation, or NULL; *name is set. */
struct vn_window *vn_table_at(const struct vn_window_table *t, u32 index, u32 *name);

static inline u64 vn_addr_of(u32 name)
{
	return (u64)(name & 0xffff) << 48 | (u64)(name >> 16 & 0xff) << VN_ADDR_OFFSET_BITS;
}

static inline u32 vn_addr_name(u64 addr)
{
	return (u32)(addr >> 48) | (u32)(addr >> VN_ADDR_OFFSET_BITS & 0xff) << 16;
}

#endif
