// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The life of an operation on one rank: started, posted once its stream is idle,
 * completed; in order. See coll.h for how ranks work together.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

/* Looks in a row before a waiting thread lets others run, when it has a core of its own ... */
#define SPINS 2000u
/* ... and how often it then yields before it sleeps; sleeping costs a wake-up. */
#define YIELDS 200u
/* Work of that many bytes is longer than falling asleep and waking up. */
#define LONG_BYTES (1u << 20)
/* A sleeper looks again after that long in any case. */
#define NAP_NS 20000000u

/* What all ranks must say alike. */
static uint64_t signature(const struct coll_call *call, bool pull)
{
	return (uint64_t)call->op | (uint64_t)call->type << 8 | (uint64_t)call->redop << 16 |
	       (uint64_t)(uint16_t)call->root << 24 | (uint64_t)pull << 40 |
	       (uint64_t)call->way << 41 | (uint64_t)(call->extra != NULL) << 44;
}

static void describe(uint64_t sig, uint64_t count, char *text, size_t size)
{
	enum vn_coll op = (enum vn_coll)(sig & 0xff);
	bool reduces = coll_reduces(op);

	snprintf(text, size, "%s(count %llu, %s%s%s, root %u%s)", vn_coll_name(op),
		 (unsigned long long)count, vn_type_name((enum vn_type)(sig >> 8 & 0xff)),
		 reduces ? ", " : "",
		 reduces ? vn_redop_name((enum vn_redop)(sig >> 16 & 0xff)) : "",
		 (unsigned int)(sig >> 24 & 0xffff), sig >> 41 & 7 ? ", way forced" : "");
}

static struct coll_slot *slot_of(struct coll_team *t, uint64_t seq)
{
	return &t->slot[seq % COLL_SLOTS];
}

static char *bounce(const struct coll_team *t, uint64_t seq, uint32_t rank)
{
	return t->bounce + (seq % COLL_BOUNCES * t->ranks + rank) * COLL_PULL_MAX;
}

static bool posted(const struct coll_post *p, uint64_t seq)
{
	return __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE) == seq + 1;
}

/* Two ranks disagree on an operation. */
static int mismatch(struct coll_team *t, uint64_t seq, uint32_t a, uint32_t b)
{
	const struct coll_post *post = slot_of(t, seq)->post;
	char one[128], other[128];

	describe(post[a].sig, post[a].count, one, sizeof(one));
	describe(post[b].sig, post[b].count, other, sizeof(other));
	return coll_fail(t, -EINVAL, "operation %llu: rank %u calls %s, rank %u calls %s",
			 (unsigned long long)seq, a, one, b, other);
}

static bool agree(const struct coll_post *a, const struct coll_post *b)
{
	return a->sig == b->sig && a->count == b->count;
}

/* ---- posting ---------------------------------------------------------------- */

/* All have posted: what they agree on becomes the slot's job. */
static int make_job(struct coll_team *t, struct coll_slot *s, uint64_t seq)
{
	struct coll_shape *shape = &s->job.shape;
	const struct coll_post *post = s->post;
	uint32_t p = t->ranks, r;
	uint64_t sig = post[0].sig;

	for (r = 1; r < p; r++)
		if (!agree(&post[0], &post[r]))
			return mismatch(t, seq, 0, r);
	*shape = (struct coll_shape){
		.op = (enum vn_coll)(sig & 0xff),
		.type = (uint8_t)(sig >> 8),
		.redop = (uint8_t)(sig >> 16),
		.root = (uint32_t)(sig >> 24 & 0xffff),
		.ranks = p,
		.count = post[0].count,
	};
	for (r = 0; r < p; r++)
		shape->in_place |= post[r].send == post[r].recv;
	if (!post[0].extra)
		return 0;
	for (r = 0; r < p; r++)
		s->extra[r] = post[r].extra;
	shape->extra = s->extra;
	for (r = 1; r < p; r++)
		if (memcmp(post[0].extra->to, post[r].extra->to, p * sizeof(int)))
			return coll_fail(
				t, -EINVAL,
				"operation %llu: permute: ranks 0 and %u have other permutations",
				(unsigned long long)seq, r);
	return 0;
}

static void set_state(struct coll_team *t, struct coll_slot *s, uint64_t seq, enum coll_phase phase)
{
	__atomic_store_n(&s->state, coll_state(seq, phase), __ATOMIC_SEQ_CST);
	coll_wake(t);
}

static bool all_in_hbm(const struct coll_team *t, const struct coll_slot *s)
{
	for (uint32_t r = 0; r < t->ranks; r++)
		if (s->post[r].hbm != (COLL_SEND_HBM | COLL_RECV_HBM))
			return false;
	return true;
}

static enum vn_way choose(const struct coll_team *t, const struct coll_slot *s, enum vn_way way)
{
	uint64_t bytes = s->job.shape.count * vn_type_size(s->job.shape.type);

	if (!all_in_hbm(t, s))
		return VN_WAY_SHARE;
	if (!way)
		way = t->forced;
	if (!way)
		way = t->way[s->job.shape.op][coll_bits(bytes)];
	return way == VN_WAY_PLAN ? VN_WAY_PLAN : VN_WAY_SHARE;
}

/* This rank was the last to post. */
static void trigger(struct vn_lib_comm *c, struct coll_slot *s, uint64_t seq)
{
	struct coll_team *t = c->team;
	enum vn_way way = (enum vn_way)(s->post[c->rank].sig >> 41 & 7);

	s->arrived = 0;
	/*
	 * Who leaves because of a failure takes along what make_job() looks at: it
	 * sees OPENING and stays, or this sees the failure.
	 */
	__atomic_store_n(&s->state, coll_state(seq, COLL_OPENING), __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&t->error, __ATOMIC_SEQ_CST) || make_job(t, s, seq)) {
		set_state(t, s, seq, COLL_POSTING);
		return;
	}
	/* Nothing to move: all it takes is that everybody came. */
	if (!coll_volume(&s->job.shape)) {
		set_state(t, s, seq, COLL_DONE);
		return;
	}
	if (choose(t, s, way) == VN_WAY_PLAN && !coll_launch(t, s, seq))
		return;
	coll_share_open(t, s, seq);
	coll_share(t, s, seq, c->scratch);
}

/* Every rank is through with operation number n - slots. */
static bool room(struct vn_lib_comm *c, uint64_t n, uint64_t slots)
{
	uint64_t least = UINT64_MAX;

	if (n < slots || c->room > n - slots)
		return true;
	for (uint32_t r = 0; r < c->team->ranks; r++) {
		uint64_t done = __atomic_load_n(&c->team->member[r].completed, __ATOMIC_ACQUIRE);

		least = done < least ? done : least;
	}
	c->room = least;
	return least > n - slots;
}

/* In checking mode a rank compares itself with whoever is there already. */
static int check_early(struct coll_team *t, const struct coll_slot *s, uint64_t seq, uint32_t rank)
{
	for (uint32_t r = 0; r < t->ranks; r++)
		if (r != rank && posted(&s->post[r], seq) && !agree(&s->post[r], &s->post[rank]))
			return mismatch(t, seq, r, rank);
	return 0;
}

/* Everything before it on its stream is done, or will never be. */
static bool stream_idle(const struct coll_pending *d)
{
	if (!d->stream || coll_stream_idle(d->stream))
		return true;
	if (coll_stream_failed(d->stream))
		coll_fail(d->comm->team, -EIO,
			  "%s, operation %llu: rank %u: its stream, queue %u of chip %u, stopped",
			  vn_coll_name(d->shape.op), (unsigned long long)d->seq, d->comm->rank,
			  d->stream->id, d->stream->chip);
	return false;
}

/* Few bytes lie in the post itself. */
static bool rides(const struct coll_shape *s, uint64_t bytes)
{
	return bytes <= sizeof(((struct coll_post *)NULL)->small) && s->redop != VN_PREMULSUM;
}

static bool post(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_team *t = c->team;
	struct coll_slot *s = slot_of(t, d->seq);
	struct coll_post *p = &s->post[c->rank];
	uint64_t bytes = d->pull ? coll_send_bytes(&d->shape, c->rank) : 0;

	if (!room(c, d->seq, bytes && !rides(&d->shape, bytes) ? COLL_BOUNCES : COLL_SLOTS) ||
	    !stream_idle(d))
		return false;
	p->sig = d->sig;
	p->count = d->shape.count;
	p->send = d->send;
	p->recv = d->recv;
	p->extra = d->extra;
	if (d->shape.redop == VN_PREMULSUM) {
		p->small = d->scalar.bits;
		if (d->scalar.at)
			memcpy(&p->small, d->scalar.at, vn_type_size(d->shape.type));
	}
	if (d->pull) {
		if (bytes && rides(&d->shape, bytes))
			memcpy(&p->small, d->send, bytes);
		else if (bytes)
			memcpy(bounce(t, d->seq, c->rank), d->send, bytes);
	} else {
		coll_locate(c, d, p);
	}
	__atomic_store_n(&p->seq, d->seq + 1, __ATOMIC_RELEASE);
	c->posted++;
	__atomic_store_n(&t->member[c->rank].posted, c->posted, __ATOMIC_RELAXED);
	if (!d->pull && __atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL) == t->ranks)
		trigger(c, s, d->seq);
	else if (t->check && check_early(t, s, d->seq, c->rank))
		return true;
	coll_wake(t);
	return true;
}

/* ---- completing -------------------------------------------------------------- */

/* Ranks of which this one needs something; the others need not be there yet. */
static bool needs(const struct vn_lib_comm *c, const struct coll_shape *s, uint32_t rank)
{
	switch (s->op) {
	case VN_BROADCAST:
	case VN_SCATTER:
		return rank == s->root;
	case VN_REDUCE_TO:
	case VN_GATHER:
		return c->rank == s->root || rank == c->rank;
	case VN_SCAN:
	case VN_EXSCAN:
		return rank <= c->rank;
	default:
		return true;
	}
}

static bool pull(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_team *t = c->team;
	const struct coll_post *post = slot_of(t, d->seq)->post, *p;
	char *from[VN_MAX_CHIPS];

	for (uint32_t r = 0; r < t->ranks; r++) {
		p = &post[r];
		if (r == c->rank)
			continue;
		if (!posted(p, d->seq)) {
			if (needs(c, &d->shape, r))
				return false;
			continue;
		}
		/* Of two that disagree the one that posted last sees it (coll_wake's barrier). */
		if (!agree(p, &post[c->rank])) {
			mismatch(t, d->seq, c->rank, r);
			return false;
		}
		from[r] = rides(&d->shape, coll_send_bytes(&d->shape, r)) ? (char *)&p->small
									  : bounce(t, d->seq, r);
	}
	from[c->rank] = (char *)d->send;
	coll_pull(t, &d->shape, c->rank, from, post, d->recv, c->scratch);
	return true;
}

static bool finished(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_slot *s = slot_of(c->team, d->seq);
	uint64_t state;

	if (d->pull)
		return pull(c, d);
	state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	if (state == coll_state(d->seq, COLL_SHARED)) {
		coll_share(c->team, s, d->seq, c->scratch);
		state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	}
	return state == coll_state(d->seq, COLL_DONE);
}

static void unlink_stream(struct coll_pending *d)
{
	struct coll_pending **at;

	if (!d->stream)
		return;
	for (at = &d->stream->collectives; *at && *at != d; at = &(*at)->next_on_stream)
		;
	if (*at)
		*at = d->next_on_stream;
	d->stream = NULL;
}

static void complete(struct vn_lib_comm *c, struct coll_pending *d, int status)
{
	enum vn_way way = d->pull			      ? VN_WAY_PULL
			  : slot_of(c->team, d->seq)->planned ? VN_WAY_PLAN
							      : VN_WAY_SHARE;

	if (!status) {
		c->stats.ops++;
		c->stats.way_ops[way]++;
		c->stats.way_bytes[way] += d->shape.count * vn_type_size(d->shape.type);
	}
	unlink_stream(d);
	c->status[d->seq % COLL_SLOTS] = status;
	free(d->extra);
	d->extra = NULL;
	c->completed++;
	__atomic_store_n(&c->team->member[c->rank].completed, c->completed, __ATOMIC_RELEASE);
	if (__atomic_load_n(&c->team->sleepers, __ATOMIC_RELAXED))
		coll_wake(c->team);
}

/* Where an operation stands when the communicator has failed: true: it may end. */
static bool may_leave(struct vn_lib_comm *c, const struct coll_pending *d)
{
	uint64_t state = __atomic_load_n(&slot_of(c->team, d->seq)->state, __ATOMIC_SEQ_CST);

	return d->pull || (state != coll_state(d->seq, COLL_SHARED) &&
			   state != coll_state(d->seq, COLL_OPENING));
}

bool coll_progress(struct vn_lib_comm *c)
{
	bool moved = false;
	struct coll_pending *d;
	int err;

	while (c->posted < c->started && post(c, &c->pending[c->posted % COLL_SLOTS]))
		moved = true;
	while (c->completed < c->posted) {
		d = &c->pending[c->completed % COLL_SLOTS];
		if (finished(c, d)) {
			complete(c, d, 0);
			moved = true;
			continue;
		}
		break;
	}
	err = __atomic_load_n(&c->team->error, __ATOMIC_SEQ_CST);
	while (err && c->completed < c->started) {
		d = &c->pending[c->completed % COLL_SLOTS];
		if (c->completed < c->posted && !may_leave(c, d))
			break;
		if (c->completed < c->posted && !d->pull && finished(c, d)) {
			complete(c, d, 0);
			continue;
		}
		complete(c, d, err);
		if (c->posted < c->completed)
			c->posted = c->completed;
		moved = true;
	}
	return moved;
}

/* ---- waiting ------------------------------------------------------------------ */

/* An operation took too long: who is missing, and where does it stand? */
static void timed_out(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_team *t = c->team;
	char who[300];
	size_t at = 0;
	uint32_t n = 0;

	who[0] = '\0';
	for (uint32_t r = 0; r < t->ranks && at + 80 < sizeof(who); r++) {
		const struct coll_member *m = &t->member[r];
		uint64_t posts = __atomic_load_n(&m->posted, __ATOMIC_RELAXED);

		if (posts > d->seq)
			continue;
		n++;
		at += (size_t)snprintf(who + at, sizeof(who) - at, "%s rank %u (has posted %llu%s)",
				       n > 1 ? "," : "", r, (unsigned long long)posts,
				       __atomic_load_n(&m->left, __ATOMIC_RELAXED) ? ", has left"
										   : "");
	}
	coll_fail(t, -ETIMEDOUT, "%s, operation %llu: no end within %llu ms on rank %u; %s%s",
		  vn_coll_name(d->shape.op), (unsigned long long)d->seq,
		  (unsigned long long)(d->timeout_ns / 1000000), c->rank,
		  n ? "not arrived:" : "all ranks have arrived", who);
}

static struct coll_pending *oldest(struct vn_lib_comm *c)
{
	return &c->pending[c->completed % COLL_SLOTS];
}

void coll_doze(struct coll_team *t, struct coll_doze *d)
{
	uint32_t spins = t->ranks <= t->cores ? SPINS : 0;

	if (d->tries < spins) {
		d->tries++;
		__builtin_ia32_pause();
	} else if (d->tries < spins + YIELDS) {
		d->tries++;
		sched_yield();
	} else if (!d->counted) {
		d->seen = __atomic_load_n(&t->events, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&t->sleepers, 1, __ATOMIC_SEQ_CST);
		d->counted = true;
	} else {
		coll_sleep(t, d->seen, vn_now() + NAP_NS);
		coll_doze_end(t, d);
	}
}

void coll_doze_end(struct coll_team *t, struct coll_doze *d)
{
	if (d->counted)
		__atomic_fetch_sub(&t->sleepers, 1, __ATOMIC_SEQ_CST);
	d->counted = false;
}

bool coll_doze_long(const struct coll_team *t, const struct coll_doze *d)
{
	uint32_t spins = t->ranks <= t->cores ? SPINS : 0;

	/* The clock is looked at now and then only. */
	return d->tries >= spins && (d->tries % 16 == 0 || d->tries >= spins + YIELDS);
}

/* The oldest operation of the rank has waited: has it waited too long? */
static void check_time(struct vn_lib_comm *c)
{
	struct coll_pending *d = oldest(c);
	uint64_t now = vn_now();

	if (d->timeout_ns == VN_FOREVER)
		return;
	if (!d->deadline)
		d->deadline = vn_deadline(d->timeout_ns);
	else if (now >= d->deadline && !__atomic_load_n(&c->team->error, __ATOMIC_RELAXED))
		timed_out(c, d);
}

static int wait_for(struct vn_lib_comm *c, uint64_t completed, uint64_t timeout_ns)
{
	struct coll_team *t = c->team;
	struct coll_doze doze = { 0 };
	uint64_t end = 0, state;
	bool worked;
	int err = 0;

	while (c->completed < completed) {
		if (coll_progress(c)) {
			coll_doze_end(t, &doze);
			doze.tries = 0;
			continue;
		}
		state = __atomic_load_n(&slot_of(t, c->completed)->state, __ATOMIC_ACQUIRE);
		worked = state == coll_state(c->completed, COLL_LAUNCHED) && coll_device(t);
		if (!worked && oldest(c)->stream && c->posted == c->completed)
			worked = coll_stream_work(oldest(c)->stream);
		/* Others are at it and long: their cores are not to be asked for. */
		if ((state == coll_state(c->completed, COLL_LAUNCHED) ||
		     state == coll_state(c->completed, COLL_SHARED)) &&
		    t->ranks > t->cores && doze.tries < YIELDS &&
		    slot_of(t, c->completed)->job.volume >= LONG_BYTES)
			doze.tries = YIELDS;
		if (worked || coll_doze_long(t, &doze)) {
			check_time(c);
			if (!end)
				end = vn_deadline(timeout_ns);
			else if (vn_now() >= end) {
				err = vn_fail(
					-ETIMEDOUT,
					"rank %u: %llu of %llu operations done within %llu ms",
					c->rank, (unsigned long long)c->completed,
					(unsigned long long)c->started,
					(unsigned long long)(timeout_ns / 1000000));
				break;
			}
		}
		if (!worked)
			coll_doze(t, &doze);
	}
	coll_doze_end(t, &doze);
	return err;
}

int coll_wait(struct vn_lib_comm *c, uint64_t completed, uint64_t timeout_ns)
{
	int err;

	__atomic_store_n(&c->inside, true, __ATOMIC_SEQ_CST);
	err = wait_for(c, completed, timeout_ns) ?: coll_error(c->team);
	__atomic_store_n(&c->inside, false, __ATOMIC_RELEASE);
	return err;
}

/* ---- starting ------------------------------------------------------------------ */

static bool may_pull(const struct coll_team *t, const struct coll_call *call,
		     const struct coll_shape *s)
{
	enum vn_way way = call->way ?: t->forced;
	uint64_t bytes = call->count * vn_type_size(call->type);

	if (call->extra || (way && way != VN_WAY_PULL))
		return false;
	if (!way && t->way[call->op][coll_bits(bytes)] != VN_WAY_PULL)
		return false;
	/* The longest that any rank posts. */
	return coll_send_bytes(s, s->root) <= COLL_PULL_MAX;
}

static int start(struct vn_lib_comm *c, const struct coll_call *call)
{
	struct coll_team *t = c->team;
	struct coll_pending *d;
	int err = coll_error(t);

	if (!err && c->started - c->completed == COLL_SLOTS)
		err = wait_for(c, c->completed + 1, VN_FOREVER) ?: coll_error(t);
	if (err) {
		free(call->extra);
		return err;
	}
	d = &c->pending[c->started % COLL_SLOTS];
	*d = (struct coll_pending){
		.shape = {
			.op = call->op,
			.type = call->type,
			.redop = call->redop,
			.ranks = t->ranks,
			.root = (uint32_t)call->root,
			.count = call->count,
			.slice = COLL_PULL_MAX * VN_MAX_CHIPS,
		},
		.send = call->send,
		.recv = call->recv,
		.extra = call->extra,
		.scalar = call->scalar,
		.stream = call->stream,
		.comm = c,
		.seq = c->started,
		.timeout_ns = call->timeout_ns ?: t->timeout_ns,
	};
	d->pull = may_pull(t, call, &d->shape);
	d->sig = signature(call, d->pull);
	if (d->stream) {
		struct coll_pending **at = &d->stream->collectives;

		while (*at)
			at = &(*at)->next_on_stream;
		*at = d;
	}
	c->started++;
	/* Those before it first. */
	while (c->posted < c->started && post(c, &c->pending[c->posted % COLL_SLOTS]))
		;
	return t->check ? coll_error(t) : 0;
}

int coll_start(struct vn_lib_comm *c, const struct coll_call *call)
{
	int err;

	__atomic_store_n(&c->inside, true, __ATOMIC_SEQ_CST);
	err = start(c, call);
	__atomic_store_n(&c->inside, false, __ATOMIC_RELEASE);
	return err;
}

void coll_op_forget(struct vn_lib_comm *c)
{
	for (; c->completed < c->started; c->completed++) {
		struct coll_pending *d = oldest(c);

		unlink_stream(d);
		free(d->extra);
	}
}
