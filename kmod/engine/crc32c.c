// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "crc32c.h"

/* A nibble at a time: a table that fits into a line or two beats a fast one that does not. */
static const u32 nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362,
	0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab,
	0xe330a81a, 0xf36e6f75,
};

u32 vn_crc32c(u32 crc, const void *from, u64 bytes)
{
	const u8 *p = from;

	crc = ~crc;
	for (u64 i = 0; i < bytes; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

u32 vn_crc32c_sse(u32 crc, const void *from, u64 bytes)
{
	const u8 *p = from;
	u64 wide = (u32)~crc, word;

	for (; bytes >= 8; bytes -= 8, p += 8) {
		memcpy(&word, p, 8);
		asm("crc32q %1, %0" : "+r"(wide) : "rm"(word));
	}
	crc = (u32)wide;
	for (; bytes; bytes--, p++)
		asm("crc32b %1, %0" : "+r"(crc) : "qm"(*p));
	return ~crc;
}
