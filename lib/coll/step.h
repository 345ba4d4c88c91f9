/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Points at which tests make a rank stop, as it might at any of them:
 * $VNEURON_COLL_STOP is "RANK:STEP", the process of that rank is killed at its STEP-th
 * step, or "RANK:STEP:hang", its thread goes no further. Without it a step is a look at
 * a word that never changes.
 */
#ifndef VN_COLL_STEP_H
#define VN_COLL_STEP_H

#include <stdbool.h>
#include <stdint.h>

extern bool coll_stops;

/* Reads the environment. */
void coll_stop_init(void);
void coll_stop(uint32_t rank);

static inline void coll_step(uint32_t rank)
{
	/* A communicator may be made meanwhile. */
	if (__builtin_expect(__atomic_load_n(&coll_stops, __ATOMIC_RELAXED), false))
		coll_stop(rank);
}

#endif
