/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Arithmetic of the device on a caller's thread is done in the default
 * environment, whatever the caller set: round to nearest, denormals kept, all
 * exceptions masked.
 */
#ifndef VN_LIB_FPENV_H
#define VN_LIB_FPENV_H

#include <stdint.h>

#define VN_MXCSR 0x1f80u

/* Returns what vn_fp_leave() sets again. */
static inline uint32_t vn_fp_enter(void)
{
	uint32_t was = __builtin_ia32_stmxcsr();

	/* Its low bits only say what happened. */
	if ((was & ~0x3fu) != VN_MXCSR)
		__builtin_ia32_ldmxcsr(VN_MXCSR);
	return was;
}

static inline void vn_fp_leave(uint32_t was)
{
	if ((was & ~0x3fu) != VN_MXCSR)
		__builtin_ia32_ldmxcsr(was);
}

#endif
