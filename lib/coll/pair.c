// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends and receives. Those of one pair of ranks meet in its channel, in order: who
 * comes first waits there, who comes second takes it out and begins the copy. A long
 * one is cut, and both ranks take pieces while they wait.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "coll.h"
#include "../../kmod/engine/ops.h"

/* Not worth a second thread. */
#define WHOLE (64u << 10)
#define PIECE (128u << 10)

static bool sends(const struct coll_pending *d)
{
	return d->call.op == VN_SEND;
}

static struct coll_channel *channel(const struct coll_pending *d)
{
	const struct coll_team *t = d->comm->team;
	uint32_t from = sends(d) ? d->comm->rank : (uint32_t)d->call.root;
	uint32_t to = sends(d) ? (uint32_t)d->call.root : d->comm->rank;

	return &t->channel[from * t->ranks + to];
}

static uint64_t bytes_of(const struct coll_pending *d)
{
	return d->call.count * vn_type_bytes(d->call.type);
}

static void describe(const struct coll_pending *d, char *text, size_t size)
{
	snprintf(text, size, "rank %u %s %llu %s", d->comm->rank, sends(d) ? "sends" : "receives",
		 (unsigned long long)d->call.count, vn_type_name((enum vn_type)d->call.type));
}

static void mismatch(const struct coll_pending *a, const struct coll_pending *b)
{
	char one[80], other[80];

	describe(sends(a) ? a : b, one, sizeof(one));
	describe(sends(a) ? b : a, other, sizeof(other));
	coll_fail(a->comm->team, -EINVAL, "%s, but %s of that", one, other);
}

/* Both may complete; from then on they are their owners'. */
static void both_done(struct coll_pending *a, struct coll_pending *b)
{
	struct coll_team *t = a->comm->team;

	__atomic_store_n(&a->done, true, __ATOMIC_RELEASE);
	__atomic_store_n(&b->done, true, __ATOMIC_RELEASE);
	coll_wake(t);
}

static void transfer_put(struct coll_transfer *x)
{
	if (x && !__atomic_sub_fetch(&x->refs, 1, __ATOMIC_ACQ_REL))
		free(x);
}

/* Takes pieces until none is left. */
static void copy_pieces(const struct coll_team *t, struct coll_transfer *x)
{
	uint64_t at, n, mine = 0;

	while ((at = __atomic_fetch_add(&x->next, PIECE, __ATOMIC_RELAXED)) < x->bytes) {
		n = x->bytes - at < PIECE ? x->bytes - at : PIECE;
		t->ops->copy(x->to + at, x->from + at, n, 2 * x->bytes > t->stream_bytes);
		mine += n;
	}
	if (mine && __atomic_add_fetch(&x->done, mine, __ATOMIC_ACQ_REL) == x->bytes)
		both_done(x->side[0], x->side[1]);
}

static void begin(struct coll_pending *d, struct coll_pending *mate)
{
	struct coll_team *t = d->comm->team;
	const struct coll_call *from = sends(d) ? &d->call : &mate->call;
	const struct coll_call *to = sends(d) ? &mate->call : &d->call;
	uint64_t bytes = bytes_of(d);
	struct coll_transfer *x = NULL;

	if (bytes > WHOLE && t->cores > 1)
		x = aligned_alloc(64, sizeof(*x));
	/* Without memory to share it out one copies all. */
	if (!x) {
		if (bytes && from->send != (char *)to->recv)
			t->ops->copy(to->recv, from->send, bytes, 2 * bytes > t->stream_bytes);
		both_done(mate, d);
		return;
	}
	*x = (struct coll_transfer){
		.from = from->send,
		.to = to->recv,
		.bytes = bytes,
		.side = { d, mate },
		.refs = 2,
	};
	d->transfer = x;
	__atomic_store_n(&mate->transfer, x, __ATOMIC_RELEASE);
	coll_wake(t);
	copy_pieces(t, x);
}

bool coll_pair_post(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_channel *ch = channel(d);
	struct coll_pending *mate, **at;

	(void)c;
	pthread_mutex_lock(&ch->lock);
	if (sends(d))
		ch->sent++;
	else
		ch->received++;
	mate = ch->first;
	if (mate && sends(mate) != sends(d)) {
		ch->first = mate->next_in_channel;
		mate->matched = true;
	} else {
		for (at = &ch->first; *at; at = &(*at)->next_in_channel)
			;
		*at = d;
		mate = NULL;
	}
	d->matched = mate != NULL;
	pthread_mutex_unlock(&ch->lock);
	if (!mate)
		return true;
	if (mate->call.count == d->call.count && mate->call.type == d->call.type) {
		begin(d, mate);
		return true;
	}
	mismatch(d, mate);
	/* They fail, and nothing is copied. */
	__atomic_store_n(&d->refused, true, __ATOMIC_RELEASE);
	__atomic_store_n(&mate->refused, true, __ATOMIC_RELEASE);
	return true;
}

bool coll_pair_finish(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_transfer *x;

	if (!__atomic_load_n(&d->done, __ATOMIC_ACQUIRE)) {
		x = __atomic_load_n(&d->transfer, __ATOMIC_ACQUIRE);
		if (x)
			copy_pieces(c->team, x);
		if (!__atomic_load_n(&d->done, __ATOMIC_ACQUIRE))
			return false;
	}
	transfer_put(d->transfer);
	d->transfer = NULL;
	return true;
}

bool coll_pair_may_leave(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_channel *ch = channel(d);
	struct coll_pending **at;
	bool matched;

	pthread_mutex_lock(&ch->lock);
	matched = d->matched;
	for (at = &ch->first; !matched && *at != d; at = &(*at)->next_in_channel)
		;
	if (!matched)
		*at = d->next_in_channel;
	pthread_mutex_unlock(&ch->lock);
	/* A copy that has begun ends soon. */
	return !matched || __atomic_load_n(&d->refused, __ATOMIC_ACQUIRE) || coll_pair_finish(c, d);
}

void coll_pair_missing(const struct coll_pending *d, char *text, size_t size)
{
	struct coll_channel *ch = channel(d);
	uint32_t theirs, mine;
	bool matched;

	pthread_mutex_lock(&ch->lock);
	theirs = sends(d) ? ch->received : ch->sent;
	mine = sends(d) ? ch->sent : ch->received;
	matched = d->matched;
	pthread_mutex_unlock(&ch->lock);
	if (matched)
		snprintf(text, size, "rank %d has come, the copy has not ended", d->call.root);
	else
		snprintf(text, size,
			 "rank %d has not arrived: it has called %s for this rank %u "
			 "times, this rank %u",
			 d->call.root, sends(d) ? "recv" : "send", theirs, mine);
}
