// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Groups: a thread's operations, of one rank or several, held back and then started. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

struct held {
	struct held *next;
	struct vn_lib_comm *comm;
	struct coll_call call;
};

/* What waits for other ranks, and must not wait for what is behind it in the group. */
struct birth {
	struct birth *next;
	int (*fn)(void *arg);
	pthread_t thread;
	bool runs;
	int err;
	char text[512]; /* of err */
	max_align_t arg[];
};

static _Thread_local struct {
	uint32_t depth;
	struct held *first, **last;
	struct birth *births, **last_birth;
	bool barren; /* one of them was refused */
	int error;
	char text[512]; /* of error */
} group;

bool coll_grouped(void)
{
	return group.depth;
}

/* The group fails as the first of it did. */
static void note(int err)
{
	if (!err || group.error)
		return;
	group.error = err;
	snprintf(group.text, sizeof(group.text), "%s", vn_error());
}

int coll_refuse(int err)
{
	if (group.depth)
		note(err);
	return err;
}

int coll_refuse_later(int err)
{
	group.barren = true;
	return coll_refuse(err);
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
		group.births = NULL;
		group.last_birth = &group.births;
		group.barren = false;
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

int coll_later(int (*fn)(void *arg), void *arg, size_t size)
{
	struct birth *b;

	if (!group.depth)
		return fn(arg);
	b = calloc(1, sizeof(*b) + size);
	if (!b)
		return coll_refuse_later(vn_fail(-ENOMEM, "no memory for a group"));
	b->fn = fn;
	memcpy(b->arg, arg, size);
	*group.last_birth = b;
	group.last_birth = &b->next;
	return 0;
}

int coll_later_check(int (*fn)(void *arg), int (*check)(const void *held, const void *arg),
		     const void *arg)
{
	int err = 0;

	for (const struct birth *b = group.depth ? group.births : NULL; b && !err; b = b->next)
		if (b->fn == fn)
			err = check(b->arg, arg);
	return err;
}

static void *birth_main(void *arg)
{
	struct birth *b = arg;

	b->err = b->fn(b->arg);
	if (b->err)
		snprintf(b->text, sizeof(b->text), "%s", vn_error());
	return NULL;
}

/* Each in a thread of its own; the first error. */
static int bear(struct birth *all)
{
	struct birth *b;
	int err = 0;

	for (b = all; b; b = b->next) {
		b->runs = !pthread_create(&b->thread, NULL, birth_main, b);
		if (!b->runs) {
			b->err = -EAGAIN;
			snprintf(b->text, sizeof(b->text), "no thread for a rank of a group");
		}
	}
	while ((b = all)) {
		all = b->next;
		if (b->runs)
			pthread_join(b->thread, NULL);
		if (b->err && !err)
			err = vn_fail(b->err, "%s", b->text);
		free(b);
	}
	return err;
}

static void drop(struct birth *all)
{
	struct birth *b;

	while ((b = all)) {
		all = b->next;
		free(b);
	}
}

int vn_group_end(void)
{
	struct held *all = group.first, *h;
	struct birth *births = group.births;

	if (!group.depth)
		return vn_fail(-EINVAL, "vn_group_end() without vn_group_start()");
	if (--group.depth)
		return 0;
	group.first = NULL;
	group.births = NULL;
	for (h = all; h; h = h->next) {
		h->comm->held--;
		note(coll_start(h->comm, &h->call, true));
	}
	if (!group.error)
		note(make_room(all));
	/* What others wait for is tried all the same, unless it would wait for one of these. */
	if (group.barren)
		drop(births);
	else
		note(bear(births));
	while ((h = all)) {
		all = h->next;
		free(h);
	}
	return group.error ? vn_fail(group.error, "%s", group.text) : 0;
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
