/* SPDX-License-Identifier: GPL-2.0-only */
/* The pool of runners (engine/runner.h): as many as there are CPUs. */
#ifndef VN_POOL_H
#define VN_POOL_H

#include "engine/runner.h"

int vn_pool_init(void);
void vn_pool_exit(void);

/*
 * Takes a runner, waiting for one in order of arrival. NULL only when killable
 * and a fatal signal came.
 */
struct vn_runner *vn_pool_get(bool killable);
void vn_pool_put(struct vn_runner *r);
/* Does somebody wait for one? Then a holder gives his back after a turn. */
bool vn_pool_wanted(void);
/* Is one left? A hint. */
bool vn_pool_idle(void);

/* Returns when no runner can still be using what was killed before the call. */
void vn_pool_quiesce(void);
/* The same, or (false) not by then, ktime_get_ns(). */
bool vn_pool_quiesce_until(u64 deadline);

/* Traffic of a slot, all runners together; the plane's, and what stayed on the chip. */
void vn_pool_traffic(u32 slot, u32 plane, u64 *tx, u64 *rx);
u64 vn_pool_local(u32 slot);

#endif
