/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The calls of the ABI as a table: how long a struct is, what may be in it.
 * Both shells ask here, so both refuse the same input with the same errno.
 */
#ifndef VN_ABI_H
#define VN_ABI_H

#include "port.h"
#include "../../uapi/linux/vneuron.h"

/* What takes a call. */
enum vn_node {
	VN_ON_SERVER	= 1 << 0,
	VN_ON_CHIP	= 1 << 1,
	VN_ON_SESSION	= 1 << 2,	/* of a drain */
};

/* No struct is longer: room for any of them. */
#define VN_CALL_BYTES	256

struct vn_call {
	const char *name;
	u16 bytes;		/* of the struct as known here */
	u16 least;		/* as it first was */
	u8 on;			/* enum vn_node, as bits */
};

/* NULL for an unknown command. */
const struct vn_call *vn_abi_call(u32 cmd);
/*
 * Flags, reserved fields and values that need no object: 0 or -errno. arg is
 * a private copy of the struct, zero-extended to its full length.
 */
int vn_abi_check(u32 cmd, const void *arg, u32 chips, u32 sleds);

#endif
