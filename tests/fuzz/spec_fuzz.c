// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any text as the spec of a device: it is refused with a text, or what it says is a machine
 * that can be made.
 */
#include <errno.h>

#include "../../lib/spec.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct vn_spec s;
	int err;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&s, 0xee, sizeof(s));
	vn_set_error("%s", "");
	err = vn_spec_parse(text, &s);
	MUST(err == 0 || err == -EINVAL);
	if (err) {
		MUST(*vn_error());
	} else if (*s.node) {
		MUST(!strcmp(s.node, text));
	} else if (s.pid) {
		MUST(s.pid <= INT32_MAX && s.number <= INT32_MAX);
	} else {
		MUST(s.sleds && s.sleds <= VN_MAX_SLEDS && s.spares <= VN_MAX_SPARES);
		MUST(s.chips && s.chips <= VN_MAX_CHIPS_PER_SLED);
		MUST(s.sleds * s.chips <= VN_MAX_CHIPS);
		MUST(s.hbm >= 4096 && s.hbm <= 1ull << VN_ADDR_OFFSET_BITS && !(s.hbm & 4095));
		MUST(s.threads >= -1 && s.threads <= 64);
	}
	free(text);
	return 0;
}
