// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Groups: a thread's operations, of one rank or several, held back and then started. */
#include <errno.h>
#include <stdlib.h>

#include "coll.h"

struct held {
	struct held *next;
	struct vn_lib_comm *comm;
	struct coll_call call;
};

static _Thread_local struct {
	uint32_t depth;
	struct held *first, **last;
	int error;
} group;

bool coll_grouped(void)
{
	return group.depth;
}

int coll_refuse(int err)
{
	if (group.depth && !group.error)
		group.error = err;
	return err;
}

void coll_call_free(struct coll_call *call)
{
	free(call->extra);
	free(call->wanted);
	call->extra = NULL;
	call->wanted = NULL;
}

int vn_group_start(void)
{
	if (!group.depth++) {
		group.first = NULL;
		group.last = &group.first;
		group.error = 0;
	}
	return 0;
}

/* More collectives than may be under way: as many are carried out here. */
static int make_room(const struct held *list)
{
	struct vn_lib_comm *c;
	int err = 0;

	for (; list && !err; list = list->next) {
		c = list->comm;
		while (!err && c->collectives - c->through > COLL_SLOTS)
			err = coll_wait(c, c->completed + 1, VN_FOREVER);
	}
	return err;
}

int vn_group_end(void)
{
	struct held *all = group.first, *h;
	int err;

	if (!group.depth)
		return vn_fail(-EINVAL, "vn_group_end() without vn_group_start()");
	if (--group.depth)
		return 0;
	group.first = NULL;
	for (h = all; h; h = h->next) {
		h->comm->held--;
		err = coll_start(h->comm, &h->call, true);
		group.error = group.error ?: err;
	}
	group.error = group.error ?: make_room(all);
	while ((h = all)) {
		all = h->next;
		free(h);
	}
	return group.error;
}

void coll_group_forget(const struct vn_lib_comm *c)
{
	struct held **at = &group.first, *h;

	while (group.depth && (h = *at)) {
		if (h->comm != c) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		coll_call_free(&h->call);
		free(h);
	}
	group.last = at;
}

int coll_begin(struct vn_lib_comm *c, struct coll_call *call)
{
	struct held *h;

	if (!group.depth)
		return coll_start(c, call, false);
	h = malloc(sizeof(*h));
	if (!h) {
		coll_call_free(call);
		return coll_refuse(vn_fail(-ENOMEM, "no memory for an operation of a group"));
	}
	*h = (struct held){ .comm = c, .call = *call };
	*group.last = h;
	group.last = &h->next;
	c->held++;
	return 0;
}
