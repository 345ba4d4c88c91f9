/* SPDX-License-Identifier: GPL-2.0-only */
/* HBM on its way to another slot: an allocation's copy, and what it still lacks. */
#ifndef VN_MOVE_H
#define VN_MOVE_H

#include "engine/drain.h"
#include "memory.h"

/*
 * A copy of an allocation, of its own pages. It is the allocation's (mem->move) from
 * vn_move_new() to vn_move_free(), of who holds the allocation (moves.h) or has hbm_lock.
 */
struct vn_move {
	struct page **page;
	void *base;
	u64 *dirty, *taken;		/* a bit a page; taken: being copied */
	u64 words;
};

/* How much may be copied, and what it came to. */
struct vn_copied {
	u64 room;			/* bytes, whole pages */
	u64 deadline;			/* ktime_get_ns() */
	u64 bytes;
	u64 ns;
};

/* Pages for a copy of mem, on that node. 0, -ENOMEM, -EINTR. */
int vn_move_new(struct vn_mem *mem, int node);
/* Gives the copy, or after vn_move_flip() what was copied, back. */
void vn_move_free(struct vn_mem *mem);

/* From now on whoever writes there marks it, and all of it counts as written. */
void vn_move_watch(struct vn_mem *mem);
/* Not any more. */
void vn_move_unwatch(struct vn_mem *mem);
/* Bytes that are marked. */
u64 vn_move_dirty(const struct vn_mem *mem);
/* Takes the marks; writers fault, or mark, again. Then wait for the runners. */
void vn_move_take(struct vn_mem *mem);
/* The same while it is fenced: nothing is mapped for writing. */
void vn_move_take_fenced(struct vn_mem *mem);
/*
 * Copies what was taken, while there is room. 0; -EINTR, -ENOMEM, -ETIME, or -EIO: a page
 * is not as it was read.
 */
int vn_move_copy(const struct vn_mem *mem, struct vn_copied *c);
/*
 * What moving costs here, on memory taken for that: *rest, all but copying; *copy, unless it
 * is known. 0, -ENOMEM, -EINTR, -EIO.
 */
int vn_move_measure(struct vn_pace *copy, struct vn_pace *rest);
/* Nobody begins to write there. Then wait for the runners. */
void vn_move_fence(struct vn_mem *mem);
/* They may again; wake those who wait with vn_move_wake(). */
void vn_move_unfence(struct vn_mem *mem);
void vn_move_wake(void);
/*
 * Who writes is to rest so long, microseconds, each time, as long as drains copy; how long
 * that is now; and does.
 */
void vn_move_slow(struct vn_mem *mem, u32 us);
u32 vn_move_slow_now(u32 us);
void vn_move_rest(struct vn_mem *mem);
/* Until it is not fenced: 0, or a fatal signal. Without locks of the module. */
int vn_move_await(struct vn_mem *mem);
/* Fenced, all copied: the copy takes its place. Then wait for those who read there. */
void vn_move_flip(struct vn_mem *mem);
/* Clears what was copied, up to so many bytes; true: there is more. */
bool vn_move_scrub(struct vn_mem *mem, u64 bytes);

#endif
