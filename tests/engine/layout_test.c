// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that no struct of the ABI has changed: the work is done by the
 * assertions of layout.h when this is compiled. layout.sh compiles
 * them for 32 bits and as C++, too.
 */
#include "layout.h"
#include "../tap.h"
#include "../../kmod/engine/abi.h"

int main(void)
{
	unsigned int wrong = 0;

	tap_ok(1, "%u structs are as they were", LAYOUT_STRUCTS);
	for (u32 nr = 0; nr < VN_IOCTL_COUNT; nr++)
		wrong += !vn_abi_call(_IO('V', nr)) || vn_abi_call(_IO('V', nr))->bytes % 8;
	tap_ok(!wrong, "every call has one, of a multiple of 8 bytes");
	return tap_done();
}
