// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Persistent operations: checked, compared and compiled once, launched often. A
 * handle is one rank's; what they share is the program, which each of them holds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

/* Numbers of prepared operations, as they fit a signature (op.c); 0 is none. */
#define NUMBERS ((1u << 18) - 1)

/* In the list of its rank until it is freed. */
struct vn_lib_persistent {
	struct vn_lib_persistent *next;
	struct vn_lib_comm *comm;
	struct coll_call call; /* of a launch; its extra is this handle's */
	uint32_t number; /* the same on all ranks */
	bool ready, pulls, planned;
	struct coll_program *program;
	uint64_t last; /* index of the last launch + 1 */
};

struct coll_program *coll_persistent_program(const struct vn_lib_persistent *p)
{
	return p->program;
}

uint32_t coll_persistent_number(const struct vn_lib_persistent *p)
{
	return p->number;
}

void coll_persistent_ready(struct vn_lib_persistent *p, const struct coll_shape *s,
			   struct coll_program *program, bool planned)
{
	p->planned = planned;
	p->program = program;
	p->pulls = coll_pulls(p->comm->team, &p->call, s);
	p->ready = true;
}

/* A copy of what its call brings. */
static int copy_extra(struct coll_call *to, const struct coll_call *from, uint32_t ranks)
{
	to->extra = NULL;
	if (!from->extra)
		return 0;
	to->extra = coll_extra_copy(from->extra, ranks);
	return to->extra ? 0 : -ENOMEM;
}

static struct vn_lib_persistent **find(struct vn_lib_comm *c, const struct vn_lib_persistent *p)
{
	struct vn_lib_persistent **at;

	for (at = &c->persistent; *at && *at != p; at = &(*at)->next)
		;
	return at;
}

static void let_go(struct vn_lib_persistent *p)
{
	if (p->program)
		coll_program_release(p->comm->team, p->program);
	free(p->call.extra);
	free(p);
}

int vn_op_init(const struct vn_op *op, vn_comm_t c, vn_persistent_t *persistent)
{
	struct vn_lib_persistent *p;
	struct coll_call first;
	uint64_t done;
	int err;

	if (!c || !op || !persistent)
		return coll_refuse(vn_fail(-EINVAL, "init of an operation: no %s",
					   !c	 ? "communicator"
					   : !op ? "record"
						 : "place for the handle"));
	if (!coll_meets(op->op))
		return coll_refuse(vn_fail(-EINVAL, "%s can't be persistent: not a collective",
					   vn_coll_name(op->op) ?: "no operation"));
	p = calloc(1, sizeof(*p));
	if (!p)
		return coll_refuse(vn_fail(-ENOMEM, "no memory for a persistent operation"));
	err = coll_check(c, op, &first);
	if (err) {
		free(p);
		return coll_refuse(err);
	}
	p->comm = c;
	p->call = first;
	p->number = c->prepared++ % NUMBERS + 1;
	err = copy_extra(&p->call, &first, c->team->ranks);
	if (err) {
		coll_call_free(&first);
		free(p);
		return coll_refuse(vn_fail(err, "no memory for a persistent operation"));
	}
	p->call.persistent = p;
	p->next = c->persistent;
	c->persistent = p;
	first.prepare = true;
	first.persistent = p;
	done = c->started + c->held + 1;
	err = coll_begin(c, &first);
	if (!err && !coll_grouped())
		err = coll_wait(c, done, VN_FOREVER);
	*persistent = err ? NULL : p;
	return err;
}

int vn_op_launch(vn_persistent_t p, vn_queue_t stream, uint64_t *seq)
{
	struct coll_call call;
	int err;

	if (!p)
		return coll_refuse(vn_fail(-EINVAL, "launch: no persistent operation"));
	call = p->call;
	call.stream = stream;
	err = copy_extra(&call, &p->call, p->comm->team->ranks);
	if (err)
		return coll_refuse(vn_fail(err, "no memory for a launch"));
	p->last = p->comm->started + p->comm->held + 1;
	if (seq)
		*seq = p->last - 1;
	return coll_begin(p->comm, &call);
}

int vn_op_way(vn_persistent_t p, enum vn_way *way)
{
	if (!p || !way)
		return vn_fail(-EINVAL, "way: no %s", p ? "place for it" : "persistent operation");
	if (!p->ready)
		return vn_fail(-EAGAIN, "way: not all ranks have prepared the operation");
	*way = p->planned ? VN_WAY_PLAN : p->pulls ? VN_WAY_PULL : VN_WAY_SHARE;
	return 0;
}

int vn_op_free(vn_persistent_t p)
{
	struct vn_lib_persistent **at;
	uint64_t last;
	int err;

	if (!p || !*(at = find(p->comm, p)))
		return vn_fail(-EINVAL, "free: no persistent operation");
	/* A launch may be among them; they begin when the group ends. */
	if (p->comm->held)
		return vn_fail(-EBUSY, "free: rank %u: a group holds operations back",
			       p->comm->rank);
	/* A launch under way needs it; so does its preparation. One that failed never began. */
	last = p->ready && p->last < p->comm->started ? p->last : p->comm->started;
	err = coll_wait(p->comm, last, VN_FOREVER);
	*at = p->next;
	let_go(p);
	return err;
}

void coll_persistent_free_all(struct vn_lib_comm *c)
{
	struct vn_lib_persistent *p;

	while ((p = c->persistent)) {
		c->persistent = p->next;
		let_go(p);
	}
}
