// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sled maintain: a sled that is drained loses power, for somebody to work on it. */
#include <inttypes.h>
#include <stdio.h>

#include "sled.h"

enum {
	OPT_REASON,
	OPT_OPERATION,
	OPT_JOURNAL,
};

const struct ctl_option sled_maintain_options[] = {
	[OPT_REASON] = { "reason", "TEXT", "for others to see, up to 63 bytes" },
	[OPT_OPERATION] = { "operation", "HEX", "its number (a random one)" },
	[OPT_JOURNAL] = { "journal", "FILE", "where each step is kept, or none" },
	{ NULL, NULL, NULL },
};

static void print(struct ctl *c, uint32_t sled, uint64_t operation)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, operation);
	if (!c->json) {
		printf("sled %u has no power: operation %s\n", sled, text);
		return;
	}
	json_object(&c->j, NULL);
	json_u64(&c->j, "sled", sled);
	json_string(&c->j, "state", vn_sled_state_name(VN_SLED_MAINTENANCE));
	json_string(&c->j, "operation", text);
	json_object_end(&c->j);
}

int sled_maintain(struct ctl *c)
{
	struct vn_drain_config config = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_sled_query q;
	char place[PATH_MAX];
	uint64_t n;
	int ret;

	ret = sled_number(c, c->args[0], &n);
	if (!ret)
		ret = sled_reason(c, OPT_REASON, &config.reason);
	if (!ret)
		ret = sled_operation(c, OPT_OPERATION, &config.operation);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = sled_check(c, c->args[0], n);
	if (!ret)
		ret = sled_journal_path(c, OPT_JOURNAL, place, &config.journal);
	if (ret)
		return ret;
	if (vn_sled_maintain(c->dev, (uint32_t)n, &config) ||
	    vn_sled_query(c->dev, (uint32_t)n, &q))
		return ctl_fail_lib();
	print(c, (uint32_t)n, q.operation);
	return CTL_OK;
}
