/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A store, then a load of what another thread stores before it loads ours: one of
 * the two must see the other's. Where one side is taken at every operation and the
 * other hardly ever, the rare one pays for both: it lets the kernel put a barrier
 * into all threads of the process, or of all processes that may share a communicator,
 * and the frequent one only keeps the compiler's order. Without such a kernel both pay.
 */
#ifndef VN_COLL_FENCE_H
#define VN_COLL_FENCE_H

#include <linux/membarrier.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Set once, before there are threads that fence. */
extern bool coll_fence_by_kernel;
/* Whoever is about to have such threads: both sides must go by the same word. */
void coll_fence_init(void);

static inline void coll_fence_light(void)
{
	if (coll_fence_by_kernel)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* apart: the other side may be in another process. */
static inline void coll_fence_heavy(bool apart)
{
	if (coll_fence_by_kernel)
		syscall(SYS_membarrier,
			apart ? MEMBARRIER_CMD_GLOBAL_EXPEDITED : MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			0, 0);
	else
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
