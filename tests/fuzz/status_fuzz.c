// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Entries of status pages with anything in them: what is passed on of one is in its range.
 *
 * An input: a moment of 8 bytes, and an entry.
 */
#include "../../kmod/engine/status.h"
#include "fuzz.h"

#define CHIPS 12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	struct vn_rank_seen seen;
	const struct vn_rank_status *is = &seen.s;
	struct vn_rank_status *entry;
	struct vn_rank_status from;
	u64 now;

	now = fuzz_u64(&in);
	fuzz_take(&in, &from, sizeof(from));
	entry = fuzz_copy(&from, sizeof(from));
	memset(&seen, 0xee, sizeof(seen));
	if (vn_status_see(entry, CHIPS, now, &seen)) {
		MUST(is->flags & VN_RANK_USED && is->ranks && is->ranks <= VN_MAX_CHIPS);
		MUST(is->rank < is->ranks && is->root < is->ranks);
		MUST(is->chip < CHIPS || is->chip == VN_NO_CHIP);
		MUST(is->completed <= is->posted && is->posted <= is->started);
		MUST(is->error <= 4095 && is->op < VN_RANK_OPS_MAX && is->type < VN_TYPE_COUNT &&
		     is->redop < VN_REDOP_COUNT);
		MUST(is->since_ns <= now);
		MUST(!!(is->flags & VN_RANK_TORN) == (from.version & 1));
		MUST(strlen(seen.name) > 0 && strlen(seen.name) <= VN_COMM_NAME);
		for (const char *c = seen.name; *c; c++)
			MUST(strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "._-",
				    *c));
	}
	MUST(!memcmp(entry, &from, sizeof(from)));
	free(entry);
	return 0;
}
