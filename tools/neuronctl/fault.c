// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* fault: making something go wrong, to see that what runs there copes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vneuron/fault.h>

#include "ctl.h"
#include "out.h"

#define COUNT_MAX (1u << 20)

/* A letter may stand before a place: c5, s3. Of kinds without one a number says how many. */
static char letter(uint32_t kind)
{
	return kind == VN_FAULT_CHIP_LOSS ? 'c' : kind <= VN_FAULT_LINK_CUT ? 's' : 0;
}

static int read_kind(const struct ctl *c, const char *text, uint32_t *kind)
{
	char list[128] = "";
	size_t n = 0;

	for (*kind = VN_FAULT_ANY + 1; *kind < VN_FAULT_KINDS; ++*kind) {
		if (!strcmp(text, vn_fault_name(*kind)))
			return CTL_OK;
		n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", vn_fault_name(*kind));
	}
	return ctl_usage(c, "no fault '%s'; there are:%s", text, list);
}

static int read_fault(const struct ctl *c, struct vn_fault *f)
{
	const char *text = c->nargs > 1 ? c->args[1] : NULL;
	uint64_t n = 1;
	char by;
	int ret;

	memset(f, 0, sizeof(*f));
	ret = read_kind(c, c->args[0], &f->kind);
	if (ret)
		return ret;
	by = letter(f->kind);
	if (by && !text)
		return ctl_usage(c, "%s: which %s?", c->args[0], by == 'c' ? "chip" : "sled");
	if (text && !ctl_number(text + (by && *text == by), false, &n))
		return ctl_usage(c, "'%s' is no %s", text,
				 by == 'c' ? "chip; want a number such as 3 or c3"
				 : by	   ? "sled; want a number such as 3 or s3"
					   : "count");
	if (n > COUNT_MAX || (!by && !n))
		return ctl_usage(c, "%s: %" PRIu64 ": want %d to %u", c->args[0], n, !by,
				 COUNT_MAX);
	*(by ? &f->where : &f->count) = (uint32_t)n;
	return CTL_OK;
}

static int inject(struct ctl *c)
{
	struct vn_fault f;
	int ret = read_fault(c, &f);

	ret = ret ? ret : ctl_open(c);
	if (ret)
		return ret;
	return vn_fault_inject(c->dev, &f) ? ctl_fail_lib() : CTL_OK;
}

static int clear(struct ctl *c)
{
	struct vn_fault f = { .kind = VN_FAULT_ANY };
	int ret = CTL_OK;

	if (c->nargs)
		ret = read_fault(c, &f);
	/* All that is left of it. */
	f.count = 0;
	ret = ret ? ret : ctl_open(c);
	if (ret)
		return ret;
	return vn_fault_clear(c->dev, &f) ? ctl_fail_lib() : CTL_OK;
}

static void print_json(struct ctl *c, const struct vn_fault *f, int n)
{
	struct json *j = &c->j;

	json_array(j, NULL);
	for (int i = 0; i < n; i++) {
		json_object(j, NULL);
		json_string(j, "fault", vn_fault_name(f[i].kind));
		json_s64(j, "where", f[i].where == VN_NOWHERE ? -1 : (int64_t)f[i].where);
		json_u64(j, "slot", f[i].slot);
		json_u64(j, "count", f[i].count);
		json_object_end(j);
	}
	json_array_end(j);
}

static void print_text(const struct vn_fault *f, int n)
{
	struct out o;

	out_begin(&o, "llrr", "FAULT WHERE SLOT COUNT");
	for (int i = 0; i < n; i++) {
		char by = letter(f[i].kind);

		out_cell(&o, "%s", vn_fault_name(f[i].kind));
		if (!by || f[i].where == VN_NOWHERE)
			out_cell(&o, "-");
		else
			out_cell(&o, "%c%u", by, f[i].where);
		if (f[i].kind == VN_FAULT_CHIP_LOSS)
			out_cell(&o, "%u", f[i].slot);
		else
			out_cell(&o, "-");
		if (by)
			out_cell(&o, "-");
		else
			out_cell(&o, "%u", f[i].count);
	}
	out_end(&o);
}

static int list(struct ctl *c)
{
	int ret = ctl_open(c), n, room;
	struct vn_fault *f;

	if (ret)
		return ret;
	n = vn_fault_list(c->dev, NULL, 0);
	if (n < 0)
		return ctl_fail_lib();
	/* There may be some more by now. */
	room = n + 16;
	f = ctl_realloc(NULL, (size_t)room, sizeof(*f));
	n = vn_fault_list(c->dev, f, (unsigned int)room);
	if (n < 0) {
		free(f);
		return ctl_fail_lib();
	}
	n = n < room ? n : room;
	if (c->json)
		print_json(c, f, n);
	else
		print_text(f, n);
	free(f);
	return CTL_OK;
}

static const struct ctl_command commands[] = {
	{ .name = "list", .help = "what has been made to go wrong", .run = list },
	{ .name = "inject",
	  .args = "FAULT [WHERE]",
	  .min_args = 1,
	  .max_args = 2,
	  .help = "make something go wrong, at a chip or sled, or so many times",
	  .run = inject },
	{ .name = "clear",
	  .args = "FAULT [WHERE]",
	  .max_args = 2,
	  .help = "take it away, or all there are",
	  .run = clear },
	{ .name = NULL },
};

const struct ctl_object ctl_fault = { .name = "fault", .commands = commands };
