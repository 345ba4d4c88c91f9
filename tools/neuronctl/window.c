// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* window: RDMA memory windows of all processes the caller may see. */
#include <stdio.h>

#include "objects.h"

struct window {
	struct owner owner;
	uint32_t chip, key, access;
	uint64_t bytes, in_bytes, out_bytes, denials;
};

static const struct {
	uint32_t bit;
	const char *word; /* in JSON */
	const char *brief; /* in the table */
} rights[] = {
	{ VN_ACCESS_LOCAL_WRITE, "local_write", "lw" },
	{ VN_ACCESS_REMOTE_READ, "remote_read", "rr" },
	{ VN_ACCESS_REMOTE_WRITE, "remote_write", "rw" },
	{ VN_ACCESS_REMOTE_ATOMIC, "remote_atomic", "ra" },
};

#define RIGHTS (sizeof(rights) / sizeof(*rights))

static void fill(void *row, struct nlattr *const *attrs)
{
	struct window *w = row;

	w->chip = vn_nl_u32(attrs, VN_NL_A_CHIP);
	w->key = vn_nl_u32(attrs, VN_NL_A_KEY);
	w->bytes = vn_nl_u64(attrs, VN_NL_A_BYTES);
	w->access = vn_nl_u32(attrs, VN_NL_A_ACCESS);
	w->in_bytes = vn_nl_u64(attrs, VN_NL_A_IN_BYTES);
	w->out_bytes = vn_nl_u64(attrs, VN_NL_A_OUT_BYTES);
	w->denials = vn_nl_u64(attrs, VN_NL_A_DENIALS);
}

static void print_text(const struct window *w, uint32_t n)
{
	struct out o;
	size_t i;

	out_begin(&o, "llrlrrrrrr", "CHIP KEY BYTES ACCESS IN OUT DENIALS CONTEXT PID UID");
	for (; n--; w++) {
		char access[3 * RIGHTS + 1] = "-", *to = access;

		for (i = 0; i < RIGHTS; i++)
			if (w->access & rights[i].bit)
				to += sprintf(to, "%s%s", to == access ? "" : ",", rights[i].brief);
		out_cell(&o, "c%u", w->chip);
		out_cell(&o, "0x%08x", w->key);
		out_bytes(&o, w->bytes);
		out_cell(&o, "%s", access);
		out_bytes(&o, w->in_bytes);
		out_bytes(&o, w->out_bytes);
		out_cell(&o, "%llu", (unsigned long long)w->denials);
		objects_cells(&o, &w->owner);
	}
	out_end(&o);
}

static void print_json(struct json *j, const struct window *w, uint32_t n)
{
	size_t i;

	json_array(j, NULL);
	for (; n--; w++) {
		json_object(j, NULL);
		json_u64(j, "chip", w->chip);
		json_u64(j, "key", w->key);
		json_u64(j, "bytes", w->bytes);
		json_array(j, "access");
		for (i = 0; i < RIGHTS; i++)
			if (w->access & rights[i].bit)
				json_string(j, NULL, rights[i].word);
		json_array_end(j);
		json_u64(j, "in_bytes", w->in_bytes);
		json_u64(j, "out_bytes", w->out_bytes);
		json_u64(j, "denials", w->denials);
		objects_json(j, &w->owner);
		json_object_end(j);
	}
	json_array_end(j);
}

static int list(struct ctl *c)
{
	struct objects l = { .row_bytes = sizeof(struct window), .fill = fill };
	int ret = objects_list(c, VN_NL_CMD_WINDOW, &l);

	if (!ret && c->json)
		print_json(&c->j, (const struct window *)l.rows, l.n);
	else if (!ret)
		print_text((const struct window *)l.rows, l.n);
	objects_free(&l);
	return ret;
}

static const struct ctl_command commands[] = {
	{ .name = "list",
	  .help = "windows of all processes (yours, for root everybody's)",
	  .run = list },
	{ .run = NULL },
};

const struct ctl_object ctl_window = { .name = "window", .commands = commands };
