// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The life of an operation on one rank: started, posted when its turn comes,
 * completed; in order. What that is for a collective, a pair or a one-sided
 * operation is in meet.c, pair.c and onesided.c.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"
#include "status.h"

/* Operations under way without asking for memory, and how many are taken at once then. */
#define SLAB 64u

struct coll_slab {
	struct coll_slab *next;
	struct coll_pending d[SLAB];
};

/* ---- room for them ------------------------------------------------------------- */

static int more(struct vn_lib_comm *c)
{
	struct coll_slab *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->next = c->slabs;
	c->slabs = s;
	for (uint32_t i = SLAB; i-- > 0;) {
		s->d[i].next_on_stream = c->unused;
		c->unused = &s->d[i];
	}
	return 0;
}

static int widen(struct vn_lib_comm *c)
{
	uint64_t mask = 2 * c->mask + 1;
	struct coll_pending **wider = calloc(mask + 1, sizeof(*wider));

	if (!wider)
		return -ENOMEM;
	for (uint64_t i = c->completed; i < c->started; i++)
		wider[i & mask] = coll_nth(c, i);
	free(c->pending);
	c->pending = wider;
	c->mask = mask;
	return 0;
}

int coll_op_init(struct vn_lib_comm *c)
{
	c->mask = SLAB - 1;
	c->pending = calloc(SLAB, sizeof(*c->pending));
	return c->pending ? more(c) : -ENOMEM;
}

/* The next one of the rank; NULL: no memory. */
static struct coll_pending *take(struct vn_lib_comm *c)
{
	struct coll_pending *d;

	if (c->started - c->completed > c->mask && widen(c))
		return NULL;
	if (!c->unused && more(c))
		return NULL;
	d = c->unused;
	c->unused = d->next_on_stream;
	c->pending[c->started & c->mask] = d;
	return d;
}

static void unlink_stream(struct coll_pending *d)
{
	struct coll_pending **at;

	if (!d->call.stream)
		return;
	for (at = &d->call.stream->collectives; *at && *at != d; at = &(*at)->next_on_stream)
		;
	if (*at)
		*at = d->next_on_stream;
}

static void give_back(struct vn_lib_comm *c, struct coll_pending *d)
{
	unlink_stream(d);
	if (d->call.extra || d->call.wanted)
		coll_call_free(&d->call);
	d->next_on_stream = c->unused;
	c->unused = d;
}

void coll_op_forget(struct vn_lib_comm *c)
{
	struct coll_slab *s;

	while ((s = c->slabs)) {
		c->slabs = s->next;
		free(s);
	}
	free(c->pending);
}

/* ---- whose turn it is ------------------------------------------------------------ */

uint64_t coll_sends(const struct coll_pending *d)
{
	switch (d->call.op) {
	case VN_SEND:
	case VN_PUT:
	case VN_PUT_SIGNAL:
		return d->call.count * vn_type_bytes(d->call.type);
	case VN_RECV:
	case VN_GET:
	case VN_SIGNAL:
	case VN_WAIT_SIGNAL:
		return 0;
	default:
		return d->call.extra ? d->call.extra->send_bytes
				     : coll_send_bytes(&d->shape, d->comm->rank);
	}
}

uint64_t coll_receives(const struct coll_pending *d)
{
	switch (d->call.op) {
	case VN_RECV:
	case VN_GET:
		return d->call.count * vn_type_bytes(d->call.type);
	case VN_SEND:
	case VN_PUT:
	case VN_PUT_SIGNAL:
	case VN_SIGNAL:
	case VN_WAIT_SIGNAL:
		return 0;
	default:
		return d->call.extra ? d->call.extra->recv_bytes
				     : coll_recv_bytes(&d->shape, d->comm->rank);
	}
}

static bool overlap(const char *a, uint64_t na, const char *b, uint64_t nb)
{
	return na && nb && a < b + nb && b < a + na;
}

/* One of them writes what the other reads or writes. */
static bool depends(const struct coll_pending *d, const struct coll_pending *before)
{
	const struct coll_call *a = &d->call, *b = &before->call;
	uint64_t sends = coll_sends(d), receives = coll_receives(d);
	uint64_t their = coll_receives(before);

	return overlap(a->recv, receives, b->recv, their) ||
	       overlap(a->scalar.at, a->scalar.at ? vn_type_bytes(a->type) : 0, b->recv, their) ||
	       overlap(a->send, sends, b->recv, their) ||
	       overlap(a->recv, receives, b->send, coll_sends(before));
}

/* What it needs of operations before it is done. */
static bool its_turn(const struct vn_lib_comm *c, const struct coll_pending *d)
{
	if (d->alone)
		return c->completed == d->index;
	for (uint64_t i = c->completed; i < d->index; i++) {
		const struct coll_pending *before = coll_nth(c, i);

		if (before->alone || depends(d, before))
			return false;
	}
	return true;
}

/* Everything before it on its stream is done, or will never be. */
static bool stream_turn(const struct coll_pending *d)
{
	vn_queue_t q = d->call.stream;

	/* Those of this rank are its_turn()'s; another's come first. */
	for (const struct coll_pending *e = q->collectives; e != d; e = e->next_on_stream)
		if (e->comm != d->comm)
			return false;
	if (coll_stream_idle(q))
		return true;
	if (coll_stream_failed(q))
		coll_fail(d->comm->team, -EIO,
			  "%s: rank %u: its stream, queue %u of chip %u, stopped",
			  vn_coll_name(d->call.op), d->comm->rank, q->id, q->chip);
	return false;
}

/* What differs between collectives, pairs and one-sided operations. */
static const struct kind {
	/* Its turn has come. False: it must wait for others all the same. */
	bool (*post)(struct vn_lib_comm *c, struct coll_pending *d);
	/* Works on it; true: complete. */
	bool (*finish)(struct vn_lib_comm *c, struct coll_pending *d);
} meet = { coll_meet_post, coll_meet_finish }, pair = { coll_pair_post, coll_pair_finish },
  onesided = { coll_onesided_post, coll_onesided_finish };

static const struct kind *kind(enum vn_coll op)
{
	return coll_meets(op) ? &meet : op <= VN_RECV ? &pair : &onesided;
}

static bool post(struct vn_lib_comm *c, struct coll_pending *d)
{
	if (c->completed != d->index && !its_turn(c, d))
		return false;
	if (d->call.stream && !stream_turn(d))
		return false;
	return kind(d->call.op)->post(c, d);
}

/* ---- completing -------------------------------------------------------------- */

static bool finished(struct vn_lib_comm *c, struct coll_pending *d)
{
	return kind(d->call.op)->finish(c, d);
}

static void count(struct vn_lib_comm *c, const struct coll_pending *d)
{
	enum vn_way way = coll_meets(d->call.op) ? coll_meet_way(c, d) : VN_WAY_SHARE;

	c->stats.ops++;
	c->stats.way_ops[way]++;
	c->stats.way_bytes[way] += d->call.count * vn_type_bytes(d->call.type) ?: coll_receives(d);
}

static void complete(struct vn_lib_comm *c, struct coll_pending *d, int status)
{
	struct coll_member *m = &c->team->board.member[c->rank];

	if (!status && !d->call.prepare)
		count(c, d);
	if (c->team->apart)
		coll_stage_give(c, d, !status);
	c->status[d->index % COLL_SLOTS] = status;
	coll_step(c->rank);
	c->completed++;
	if (coll_meets(d->call.op)) {
		c->through++;
		__atomic_store_n(&m->completed, c->through, __ATOMIC_RELEASE);
	}
	coll_status_completed(c, status);
	give_back(c, d);
	coll_wake_cramped(c->team);
}

static bool post_all(struct vn_lib_comm *c)
{
	bool moved = false;

	while (c->posted < c->started && post(c, coll_nth(c, c->posted))) {
		c->posted++;
		moved = true;
	}
	return moved;
}

/* After a failure: operations end, posted or not. */
static bool fail_all(struct vn_lib_comm *c, int err)
{
	struct coll_pending *d;
	bool moved = false;

	while (c->completed < c->started) {
		d = coll_nth(c, c->completed);
		if (c->completed < c->posted) {
			/* Others may be at its buffers. */
			if (!d->pull && !coll_quiet(c))
				break;
			complete(c, d, !d->pull && coll_sound(c, d) && finished(c, d) ? 0 : err);
		} else {
			complete(c, d, err);
			c->posted = c->completed;
		}
		moved = true;
	}
	return moved;
}

bool coll_progress(struct vn_lib_comm *c)
{
	bool moved = post_all(c);
	struct coll_pending *d;
	int err;

	if (c->unoffered)
		coll_pair_offer(c);
	while (c->completed < c->posted) {
		d = coll_nth(c, c->completed);
		if (!finished(c, d) || !coll_sound(c, d))
			break;
		complete(c, d, 0);
		/* What waited for it. */
		if (c->posted < c->started)
			post_all(c);
		moved = true;
	}
	err = coll_failed(c->team);
	if (err && fail_all(c, err))
		moved = true;
	return moved;
}

void coll_op_drop(struct vn_lib_comm *c)
{
	while (c->completed < c->started)
		if (!coll_progress(c))
			sched_yield();
}

/* ---- starting ------------------------------------------------------------------ */

bool coll_pulls(const struct coll_team *t, const struct coll_call *call, const struct coll_shape *s)
{
	enum vn_way way = call->way ?: t->forced;

	if (call->extra || call->prepare || (way && way != VN_WAY_PULL))
		return false;
	if (!way &&
	    t->way[call->op][coll_bits(call->count * vn_type_bytes(call->type))] != VN_WAY_PULL)
		return false;
	/* The longest that any rank posts. */
	return coll_send_bytes(s, s->root) <= COLL_PULL_MAX;
}

/* What all ranks must say alike; unequal blocks are compared one by one. */
static uint64_t signature(const struct coll_call *call, bool pull)
{
	uint32_t number = call->persistent ? coll_persistent_number(call->persistent) : 0;

	return (uint64_t)call->op | (uint64_t)call->type << 8 | (uint64_t)call->redop << 16 |
	       (uint64_t)(uint16_t)call->root << 24 | (uint64_t)pull << 40 |
	       (uint64_t)call->way << 41 | (uint64_t)call->prepare << 45 | (uint64_t)number << 46;
}

/* What follows from a call. */
static void know(struct vn_lib_comm *c, const struct coll_call *call)
{
	struct coll_team *t = c->team;
	struct coll_known *k = &c->known;

	k->call = *call;
	k->call.timeout_ns = call->timeout_ns ?: t->timeout_ns;
	k->alone = (call->op > VN_RECV && call->op < VN_COLL_OPS) || call->op == VN_BARRIER ||
		   call->prepare;
	k->pull = false;
	k->again = coll_meets(call->op) && !call->way && !call->extra && !call->timeout_ns &&
		   !call->persistent && call->redop != VN_PREMULSUM;
	if (!coll_meets(call->op))
		return;
	k->shape = (struct coll_shape){
		.op = call->op,
		.type = call->type,
		.redop = call->redop,
		.ranks = t->ranks,
		.root = (uint32_t)call->root,
		.count = call->count,
		.slice = COLL_PULL_MAX * VN_MAX_CHIPS,
	};
	k->pull = coll_pulls(t, call, &k->shape);
	k->sig = signature(call, k->pull);
}

static void enlist(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_pending **at;

	d->known = c->known;
	d->comm = c;
	d->next_on_stream = NULL;
	d->index = c->started++;
	d->deadline = 0;
	d->stage[COLL_SEND] = d->stage[COLL_RECV] = NULL;
	if (coll_meets(d->call.op)) {
		d->seq = c->collectives++;
	} else {
		d->offered = d->done = false;
	}
	if (!d->call.stream)
		return;
	for (at = &d->call.stream->collectives; *at; at = &(*at)->next_on_stream)
		;
	*at = d;
}

/* Room for one more, after a failure none. */
static int admit(struct vn_lib_comm *c, bool grouped, struct coll_pending **d)
{
	int err = coll_error(c->team);

	/* Who calls faster than things go is held up; a group is not, see there. */
	if (!err && !grouped && c->started - c->completed >= COLL_SLOTS)
		err = coll_wait_for(c, c->started - COLL_SLOTS + 1, VN_FOREVER)
			      ?: coll_error(c->team);
	if (err)
		return err;
	*d = take(c);
	return *d ? 0 : vn_fail(-ENOMEM, "no memory for an operation of rank %u", c->rank);
}

static int begin(struct vn_lib_comm *c, struct coll_pending *d)
{
	enlist(c, d);
	if (coll_ever_lost(c->team))
		coll_check_buffers(c, d);
	coll_status_started(c);
	coll_step(c->rank);
	/* Those before it first. */
	post_all(c);
	coll_status_begun(c, d);
	return c->team->check ? coll_error(c->team) : 0;
}

int coll_start(struct vn_lib_comm *c, const struct coll_call *call, bool grouped)
{
	struct coll_pending *d;
	int err;

	coll_enter(c);
	err = admit(c, grouped, &d);
	if (err) {
		struct coll_call mine = *call;

		coll_call_free(&mine);
	} else {
		know(c, call);
		err = begin(c, d);
	}
	coll_leave(c);
	return err;
}

int coll_start_again(struct vn_lib_comm *c, const void *send, void *recv, vn_queue_t stream)
{
	struct coll_pending *d;
	int err;

	coll_enter(c);
	err = admit(c, false, &d);
	if (!err) {
		c->known.call.send = send;
		c->known.call.recv = recv;
		c->known.call.stream = stream;
		err = begin(c, d);
	}
	coll_leave(c);
	return err;
}
