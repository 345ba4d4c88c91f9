/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* CRC32C (Castagnoli, reflected polynomial 0x82f63b78), as of RFC 3720. */
#ifndef VN_CRC32C_H
#define VN_CRC32C_H

#include "port.h"

/* Of `bytes` bytes behind those of which crc is; 0 to begin. */
u32 vn_crc32c(u32 crc, const void *from, u64 bytes);
/* The same with the processor's instruction, which it must have (SSE 4.2). */
u32 vn_crc32c_sse(u32 crc, const void *from, u64 bytes);

#endif
