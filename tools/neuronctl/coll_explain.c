// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* coll explain: what the tuner picks for one operation, and by which figures. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coll_options.h"
#include "out.h"

enum {
	OPT_BYTES,
	OPT_RANKS,
	OPT_WAY,
};

const struct ctl_option coll_explain_options[] = {
	[OPT_BYTES] = { "bytes", "N", "of a rank's block; of all_reduce its buffer (1M)" },
	[OPT_RANKS] = { "ranks", "P", "how many take part (all chips)" },
	[OPT_WAY] = { "way", "WAY", "auto, pull, share, plan: as if it were forced (auto)" },
	{ NULL, NULL, NULL },
};

static void print_json(struct ctl *c, const struct coll_operation *op, uint64_t ranks,
		       uint64_t bytes, const struct vn_choice *choice)
{
	struct json *j = &c->j;
	int way;

	json_object(j, NULL);
	json_string(j, "op", vn_coll_name(op->op));
	json_u64(j, "ranks", ranks);
	json_u64(j, "bytes", bytes);
	json_string(j, "way", vn_way_name(choice->way));
	json_object(j, "cost_us");
	for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
		/* NaN becomes null. */
		json_double(j, vn_way_name(way),
			    choice->cost_us[way] < 0 ? NAN : choice->cost_us[way]);
	json_object_end(j);
	json_string(j, "source", choice->source);
	json_string(j, "why", choice->why);
	json_object_end(j);
}

static void print_text(const struct coll_operation *op, uint64_t ranks, uint64_t bytes,
		       const struct vn_choice *choice)
{
	struct out o;
	int way;

	printf("%s, %" PRIu64 " rank%s, %s: %s\n", vn_coll_name(op->op), ranks, out_s(ranks),
	       out_size(bytes).s, vn_way_name(choice->way));
	printf("why: %s\n", choice->why);
	printf("figures: %s\n", choice->source);
	out_begin(&o, "lrl", "WAY COST/us CHOICE");
	for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
		out_cell(&o, "%s", vn_way_name(way));
		if (choice->cost_us[way] < 0)
			out_cell(&o, "-");
		else
			out_cell(&o, "%.2f", choice->cost_us[way]);
		out_cell(&o, "%s", way == (int)choice->way ? "*" : "");
	}
	out_end(&o);
}

int coll_explain(struct ctl *c)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	const struct coll_operation *op;
	struct vn_choice choice;
	uint64_t ranks, bytes;
	enum vn_way way;
	int ret;

	ret = coll_operation(c, c->args[0], false, &op);
	if (!ret)
		ret = coll_number(c, OPT_BYTES, true, 1 << 20, 0, VN_BYTES_MAX, &bytes);
	if (!ret)
		ret = coll_number(c, OPT_RANKS, false, 0, 1, VN_MAX_CHIPS, &ranks);
	if (!ret)
		ret = coll_way(c, OPT_WAY, &way);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = coll_ranks(c, &ranks);
	if (ret)
		return ret;
	config.way = way;
	if (vn_coll_explain(c->dev, op->op, (int)ranks, bytes, &config, &choice))
		return ctl_fail_lib();
	if (c->json)
		print_json(c, op, ranks, bytes, &choice);
	else
		print_text(op, ranks, bytes, &choice);
	return CTL_OK;
}
