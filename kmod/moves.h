/* SPDX-License-Identifier: GPL-2.0-only */
/* All HBM of the chips that move together: what move.h does, for every allocation. */
#ifndef VN_MOVES_H
#define VN_MOVES_H

#include "engine/drain.h"
#include "move.h"

/*
 * A way along the allocations, for work that takes long: without hbm_lock, so that nobody
 * waits for it but who frees the one that is held.
 */
struct vn_moves_way {
	const struct vn_moves *m;
	u32 i;				/* its chip */
	struct vn_mem *mem;		/* held; NULL before the first, after the last */
};

/* Lets go of one, holds the next: false: there is none. */
bool vn_moves_next(struct vn_moves_way *w);
/* Not to the end of it. */
void vn_moves_stop(struct vn_moves_way *w);
/* It is to go: nobody holds it, and it is on its chip no more. */
void vn_moves_leave(struct vn_mem *mem);

/* A copy for each allocation: 0, -ENOMEM, -EINTR; then some have one. */
int vn_moves_new(const struct vn_moves *m);
/* Nobody marks any more; copies go, or, after the flip, what they are copies of. */
void vn_moves_drop(const struct vn_moves *m);
/* What was copied is cleared. */
void vn_moves_scrub(const struct vn_moves *m);

/* All there is on the chips, with a copy or without. */
u64 vn_moves_bytes(const struct vn_moves *m);

/* From now on whoever writes there marks it, and all counts as written. */
void vn_moves_watch(const struct vn_moves *m);
/* Takes the marks; returns when who marked has written. */
void vn_moves_take(const struct vn_moves *m);
/* Who writes is to rest so long, microseconds. */
void vn_moves_slow(const struct vn_moves *m, u32 us);
/* Nobody who writes on that sled need rest. */
void vn_moves_hurry(u32 sled);

/* Every allocation that moves; it takes no break. Under hbm_lock, as those below. */
#define vn_moves_for_each(m, i, mem)						\
	for (i = 0; i < (m)->n; i++)						\
		list_for_each_entry(mem, &vn_server.chip[(m)->chip[i]].mems, on)	\
			if (mem->move)

u64 vn_moves_dirty(const struct vn_moves *m);
u64 vn_moves_total(const struct vn_moves *m);

/*
 * Holds all that move, on a list of the caller's, for a pause: without hbm_lock, too. Those
 * that are being freed need none.
 */
void vn_moves_hold(const struct vn_moves *m, struct list_head *all);
void vn_moves_let_go(struct list_head *all);
/* The pause: no writer begins, 0, or -ETIME; the copies take over; writers may again. */
int vn_moves_fence(const struct list_head *all, u64 deadline);
void vn_moves_flip(const struct list_head *all);
void vn_moves_unfence(const struct list_head *all);

#endif
