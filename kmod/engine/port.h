/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The little that the engine asks of where it runs: types, ordered access to
 * shared words, overflow checks, memcpy. It shims nothing that has semantics
 * of its own (no locks, reference counts, allocation or clocks): whoever calls
 * the engine brings those.
 *
 * Ring words, semaphores and window states go through these accessors and
 * nothing else. Names: u8 u16 u32 u64 s32 bool, READ_ONCE WRITE_ONCE,
 * vn_load_acquire vn_store_release vn_xchg vn_cmpxchg vn_fetch_add
 * vn_fetch_or, vn_mb vn_relax, check_add_overflow check_mul_overflow,
 * vn_index, memcpy memset, ARRAY_SIZE: 25.
 */
#ifndef VN_PORT_H
#define VN_PORT_H

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <asm/barrier.h>
#include <asm/cmpxchg.h>
#include <asm/processor.h>

#define vn_load_acquire(p)	smp_load_acquire(p)
#define vn_store_release(p, v)	smp_store_release(p, v)
#define vn_xchg(p, v)		xchg(p, v)
#define vn_mb()			smp_mb()
#define vn_relax()		cpu_relax()
#define vn_index(i, n)		array_index_nospec(i, n)

#else

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define vn_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define vn_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define vn_xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define vn_mb()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define vn_relax()		__builtin_ia32_pause()
/* An index below n, also on a mispredicted path. */
#define vn_index(i, n)		((i) < (n) ? (i) : 0)

#define check_add_overflow(a, b, d)	__builtin_add_overflow(a, b, d)
#define check_mul_overflow(a, b, d)	__builtin_mul_overflow(a, b, d)
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#endif

/* Full barriers on both sides, both homes; each returns the old value. */
#define vn_fetch_add(p, v)	__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define vn_fetch_or(p, v)	__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define vn_cmpxchg(p, old, new)	__sync_val_compare_and_swap(p, old, new)

#endif
