// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* window: RDMA memory windows of all processes the caller may see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

struct window {
	struct owner owner;
	uint32_t chip, key, access, memory;
	uint64_t bytes, offset, in_bytes, out_bytes, denials;
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
	w->offset = vn_nl_u64(attrs, VN_NL_A_OFFSET);
	w->memory = vn_nl_u32(attrs, VN_NL_A_MEMORY);
}

static const char *memory_name(const struct window *w)
{
	if (w->memory & VN_WINDOW_USER)
		return "user";
	return w->memory & VN_WINDOW_DMABUF ? "dmabuf" : "hbm";
}

static const char *memory_text(const struct window *w)
{
	if (w->memory & VN_WINDOW_USER)
		return "memory of a process";
	return w->memory & VN_WINDOW_DMABUF ? "a dma-buf" : "an allocation of HBM";
}

/* "lw,rr", or "-" */
static const char *brief_rights(const struct window *w, char text[3 * RIGHTS + 1])
{
	char *to = text;

	strcpy(text, "-");
	for (size_t i = 0; i < RIGHTS; i++)
		if (w->access & rights[i].bit)
			to += sprintf(to, "%s%s", to == text ? "" : ",", rights[i].brief);
	return text;
}

static void print_text(const struct window *w, uint32_t n)
{
	char access[3 * RIGHTS + 1];
	struct out o;

	out_begin(&o, "llrlrrrrrr", "CHIP KEY BYTES ACCESS IN OUT DENIALS CONTEXT PID UID");
	for (; n--; w++) {
		out_cell(&o, "c%u", w->chip);
		out_cell(&o, "0x%08x", w->key);
		out_bytes(&o, w->bytes);
		out_cell(&o, "%s", brief_rights(w, access));
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
		json_u64(j, "index", w->key & 0xffff);
		json_u64(j, "generation", w->key >> 16);
		json_string(j, "memory", memory_name(w));
		json_bool(j, "part", w->memory & VN_WINDOW_PARENT);
		json_u64(j, "offset", w->offset);
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

static void print_window(const struct window *w)
{
	char access[3 * RIGHTS + 1];

	printf("c%u 0x%08x: index %u, generation %u\n", w->chip, w->key, w->key & 0xffff,
	       w->key >> 16);
	printf("  range    %s from byte %llu of %s%s\n", out_size(w->bytes).s,
	       (unsigned long long)w->offset, memory_text(w),
	       w->memory & VN_WINDOW_PARENT ? ", part of another window" : "");
	printf("  access   %s\n", brief_rights(w, access));
	printf("  traffic  %s in, %s out, %llu refused\n", out_size(w->in_bytes).s,
	       out_size(w->out_bytes).s, (unsigned long long)w->denials);
	if (w->owner.there)
		printf("  owner    context %u of process %u, user %u\n", w->owner.context,
		       w->owner.pid, w->owner.uid);
	else
		printf("  owner    context %u\n", w->owner.context);
}

/* A key names one window in each domain: all of them. */
static uint32_t keep(struct window *w, uint32_t n, uint32_t chip, uint32_t key)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (w[i].chip == chip && w[i].key == key)
			w[kept++] = w[i];
	return kept;
}

/* As the list prints it, or decimal. */
static bool read_key(const char *text, uint32_t *key)
{
	char *end;
	unsigned long long n;

	if (*text < '0' || *text > '9')
		return false;
	n = strtoull(text, &end, text[1] == 'x' ? 16 : 10);
	*key = (uint32_t)n;
	return end != text + 2 * (text[1] == 'x') && !*end && n <= UINT32_MAX;
}

static int show(struct ctl *c)
{
	struct objects l = { .row_bytes = sizeof(struct window), .fill = fill };
	const char *chip = c->args[0];
	struct window *w;
	uint64_t number;
	uint32_t key, n;
	int ret;

	if (!ctl_number(chip + (*chip == 'c'), false, &number))
		return ctl_usage(c, "'%s' is no chip; want a number such as 7 or c7", chip);
	if (!read_key(c->args[1], &key))
		return ctl_usage(c, "'%s' is no key; want one such as 0x00010001", c->args[1]);
	ret = objects_list(c, VN_NL_CMD_WINDOW, &l);
	if (ret)
		return ret;
	w = (struct window *)l.rows;
	n = number < c->q.chips ? keep(w, l.n, (uint32_t)number, key) : 0;
	if (!n)
		ret = ctl_fail("no window 0x%08x on chip %s that you may see", key, chip);
	else if (c->json)
		print_json(&c->j, w, n);
	else
		for (uint32_t i = 0; i < n; i++)
			print_window(&w[i]);
	objects_free(&l);
	return ret;
}

static const struct ctl_command commands[] = {
	{ .name = "list",
	  .help = "windows of all processes (yours, for root everybody's)",
	  .run = list },
	{ .name = "show",
	  .args = "CHIP KEY",
	  .min_args = 2,
	  .max_args = 2,
	  .help = "the windows of that key, one in each domain that has it, in full",
	  .run = show },
	{ .run = NULL },
};

const struct ctl_object ctl_window = { .name = "window", .commands = commands };
