// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* coll explain: what the tuner picks for one operation, and by which figures. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coll_data.h"
#include "coll_options.h"
#include "out.h"

enum {
	OPT_BYTES,
	OPT_RANKS,
	OPT_TYPE,
	OPT_WAY,
};

const struct ctl_option coll_explain_options[] = {
	[OPT_BYTES] = { "bytes", "N", "of a rank's block; of all_reduce its buffer (1M)" },
	[OPT_RANKS] = { "ranks", "P", "how many take part (all chips)" },
	[OPT_TYPE] = { "type", "T", "whole elements of it (float32); costs do not depend on it" },
	[OPT_WAY] = { "way", "WAY", "auto, pull, share, plan: as if it were forced (auto)" },
	{ NULL, NULL, NULL },
};

/* What was asked. */
struct question {
	const struct coll_operation *op;
	const struct coll_type *type;
	uint64_t ranks, bytes;
	enum vn_way way;
};

static void print_json(struct ctl *c, const struct question *q, const struct vn_choice *choice)
{
	struct json *j = &c->j;
	int way;

	json_object(j, NULL);
	json_string(j, "op", vn_coll_name(q->op->op));
	json_u64(j, "ranks", q->ranks);
	json_u64(j, "bytes", q->bytes);
	json_string(j, "type", vn_type_name(q->type->type));
	json_string(j, "way", vn_way_name(choice->way));
	json_object(j, "cost_us");
	for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
		/* NaN becomes null. */
		json_double(j, vn_way_name(way),
			    choice->cost_us[way] < 0 ? NAN : choice->cost_us[way]);
	json_object_end(j);
	json_object(j, "cost_from");
	for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
		json_string(j, vn_way_name(way), vn_cost_source_name(choice->from[way]));
	json_object_end(j);
	json_bool(j, "forced", choice->forced);
	json_string(j, "source", choice->source);
	json_string(j, "why", choice->why);
	json_string(j, "note", choice->note);
	json_object_end(j);
}

static void print_text(const struct question *q, const struct vn_choice *choice)
{
	struct out o;
	int way;

	printf("%s, %" PRIu64 " rank%s, %s: %s\n", vn_coll_name(q->op->op), q->ranks,
	       out_s(q->ranks), out_size(q->bytes).s, vn_way_name(choice->way));
	printf("why: %s\n", choice->why);
	printf("figures: %s\n", choice->source);
	if (*choice->note)
		printf("note: %s\n", choice->note);
	out_begin(&o, "lrll", "WAY COST/us FROM CHOICE");
	for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
		out_cell(&o, "%s", vn_way_name(way));
		if (choice->cost_us[way] < 0)
			out_cell(&o, "-");
		else
			out_cell(&o, "%.2f", choice->cost_us[way]);
		out_cell(&o, "%s", vn_cost_source_name(choice->from[way]));
		out_cell(&o, "%s", way != (int)choice->way ? "" : choice->forced ? "forced" : "*");
	}
	out_end(&o);
}

static int read_options(struct ctl *c, struct question *q)
{
	const char *type = c->option[OPT_TYPE];
	int ret = coll_operation(c, c->args[0], false, &q->op);

	q->type = coll_type_find(type ? type : "float32");
	if (!ret && !q->type)
		ret = ctl_usage(c, "--type %s: want one of %s", type, coll_type_names());
	if (!ret)
		ret = ctl_option_number(c, OPT_BYTES, true, 1 << 20, 0, VN_BYTES_MAX, &q->bytes);
	if (!ret)
		ret = ctl_option_number(c, OPT_RANKS, false, 0, 1, VN_MAX_CHIPS, &q->ranks);
	if (ret)
		return ret;
	q->bytes -= q->bytes % vn_type_size(q->type->type);
	if (!q->op->makes)
		q->bytes = 0;
	return coll_way(c, OPT_WAY, &q->way);
}

int coll_explain(struct ctl *c)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	struct vn_choice choice;
	struct question q;
	int ret;

	ret = read_options(c, &q);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = coll_ranks(c, &q.ranks);
	if (ret)
		return ret;
	config.way = q.way;
	if (vn_coll_explain(c->dev, q.op->op, (int)q.ranks, q.bytes, &config, &choice))
		return ctl_fail_lib();
	if (c->json)
		print_json(c, &q, &choice);
	else
		print_text(&q, &choice);
	return CTL_OK;
}
