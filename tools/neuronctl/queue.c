// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* queue: submission rings of all processes the caller may see. */
#include "objects.h"

struct queue {
	struct owner owner;
	uint32_t chip, queue, depth, state, status;
	uint64_t done;
};

static void fill(void *row, struct nlattr *const *attrs)
{
	struct queue *q = row;

	q->chip = vn_nl_u32(attrs, VN_NL_A_CHIP);
	q->queue = vn_nl_u32(attrs, VN_NL_A_QUEUE);
	q->depth = vn_nl_u32(attrs, VN_NL_A_DEPTH);
	q->state = vn_nl_u32(attrs, VN_NL_A_STATE);
	q->status = vn_nl_u32(attrs, VN_NL_A_STATUS);
	q->done = vn_nl_u64(attrs, VN_NL_A_DONE);
}

static const char *state_name(uint32_t state)
{
	return state == VN_QUEUE_READY ? "ready" : state == VN_QUEUE_ERROR ? "error" : "unknown";
}

static void print_text(const struct queue *q, uint32_t n)
{
	struct out o;

	out_begin(&o, "lrrrrrlrl", "CHIP QUEUE CONTEXT PID UID DEPTH STATE DONE STATUS");
	for (; n--; q++) {
		out_cell(&o, "c%u", q->chip);
		out_cell(&o, "%u", q->queue);
		objects_cells(&o, &q->owner);
		out_cell(&o, "%u", q->depth);
		out_cell(&o, "%s", state_name(q->state));
		out_cell(&o, "%llu", (unsigned long long)q->done);
		out_cell(&o, "%s", q->status == VN_OK ? "-" : vn_status_text(q->status));
	}
	out_end(&o);
}

static void print_json(struct json *j, const struct queue *q, uint32_t n)
{
	json_array(j, NULL);
	for (; n--; q++) {
		json_object(j, NULL);
		json_u64(j, "chip", q->chip);
		json_u64(j, "queue", q->queue);
		objects_json(j, &q->owner);
		json_u64(j, "depth", q->depth);
		json_string(j, "state", state_name(q->state));
		json_u64(j, "status", q->status);
		json_u64(j, "done", q->done);
		json_object_end(j);
	}
	json_array_end(j);
}

static int list(struct ctl *c)
{
	struct objects l = { .row_bytes = sizeof(struct queue), .fill = fill };
	int ret = objects_list(c, VN_NL_CMD_QUEUE, &l);

	if (!ret && c->json)
		print_json(&c->j, (const struct queue *)l.rows, l.n);
	else if (!ret)
		print_text((const struct queue *)l.rows, l.n);
	objects_free(&l);
	return ret;
}

static const struct ctl_command commands[] = {
	{ .name = "list",
	  .help = "queues of all processes (yours, for root everybody's)",
	  .run = list },
	{ .run = NULL },
};

const struct ctl_object ctl_queue = { .name = "queue", .commands = commands };
