// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "objects.h"

struct filter {
	uint32_t device;
	vn_nl_fn fn;
	void *arg;
};

static int of_device(struct nlattr *const *attrs, void *arg)
{
	struct filter *f = arg;

	if (vn_nl_u32(attrs, VN_NL_A_DEVICE) != f->device)
		return 0;
	return f->fn(attrs, f->arg);
}

static int dump(struct ctl *c, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	struct filter f = { .device = c->q.ultraserver, .fn = fn, .arg = arg };
	int ret = CTL_OK;
	struct vn_nl *nl;

	if (vn_nl_open_device(c->dev, &nl))
		return ctl_fail_lib();
	if (nl && vn_nl_dump(nl, cmd, of_device, &f))
		ret = ctl_fail_lib();
	vn_nl_close(nl);
	return ret;
}

int objects_dump(struct ctl *c, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	int ret = ctl_open(c);

	return ret ? ret : dump(c, cmd, fn, arg);
}

static struct owner *owner_of(const struct objects *l, uint32_t i)
{
	return (struct owner *)(l->rows + i * l->row_bytes);
}

static int take(struct nlattr *const *attrs, void *arg)
{
	struct objects *l = arg;
	struct owner *o;

	l->rows = ctl_realloc(l->rows, l->n + 1, l->row_bytes);
	o = owner_of(l, l->n++);
	memset(o, 0, l->row_bytes);
	o->context = vn_nl_u32(attrs, VN_NL_A_CONTEXT);
	l->fill(o, attrs);
	return 0;
}

static int take_owner(struct nlattr *const *attrs, void *arg)
{
	struct objects *l = arg;
	uint32_t i;

	for (i = 0; i < l->n; i++) {
		struct owner *o = owner_of(l, i);

		if (o->context != vn_nl_u32(attrs, VN_NL_A_CONTEXT))
			continue;
		o->pid = vn_nl_u32(attrs, VN_NL_A_PID);
		o->uid = vn_nl_u32(attrs, VN_NL_A_UID);
		o->there = true;
	}
	return 0;
}

int objects_list_open(struct ctl *c, enum vn_nl_cmd cmd, struct objects *l)
{
	uint32_t i, left = 0;
	int ret;

	ret = dump(c, cmd, take, l);
	if (!ret)
		ret = dump(c, VN_NL_CMD_CONTEXT, take_owner, l);
	/* A context that ended in between took its objects with it. */
	for (i = 0; i < l->n; i++)
		if (owner_of(l, i)->there)
			memmove(owner_of(l, left++), owner_of(l, i), l->row_bytes);
	l->n = left;
	return ret;
}

int objects_list(struct ctl *c, enum vn_nl_cmd cmd, struct objects *l)
{
	int ret = ctl_open(c);

	return ret ? ret : objects_list_open(c, cmd, l);
}

void objects_free(struct objects *l)
{
	free(l->rows);
}

void objects_cells(struct out *o, const struct owner *owner)
{
	out_cell(o, "%u", owner->context);
	out_cell(o, "%u", owner->pid);
	out_cell(o, "%u", owner->uid);
}

void objects_json(struct json *j, const struct owner *owner)
{
	json_u64(j, "context", owner->context);
	json_u64(j, "pid", owner->pid);
	json_u64(j, "uid", owner->uid);
}
