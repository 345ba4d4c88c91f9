// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends and receives. Message number n of a channel has a letter there, as soon as the
 * one that used it before is over for both: each rank writes on its side what it
 * sends or wants, and whoever sees both sides copies. A long message is cut, and both
 * ranks take pieces while they wait.
 */
#include <errno.h>
#include <stdio.h>

#include "coll.h"
#include "../../kmod/engine/ops.h"

#define PIECE (128u << 10)
/* Less is not worth a second thread. */
#define WHOLE (64u << 10)

static enum coll_end side_of(const struct coll_pending *d)
{
	return d->call.op == VN_SEND ? COLL_SEND : COLL_RECV;
}

static struct coll_channel *channel(const struct coll_pending *d)
{
	const struct coll_team *t = d->comm->team;
	uint32_t from = side_of(d) == COLL_SEND ? d->comm->rank : (uint32_t)d->call.root;
	uint32_t to = side_of(d) == COLL_SEND ? (uint32_t)d->call.root : d->comm->rank;

	return &t->board.channel[from * t->ranks + to];
}

static struct coll_letter *letter(const struct coll_pending *d)
{
	return &channel(d)->letter[d->letter % COLL_LETTERS];
}

/* The side says so of this message. */
static bool says(const uint64_t *what, const struct coll_pending *d)
{
	return __atomic_load_n(what, __ATOMIC_ACQUIRE) == d->letter + 1;
}

/* ---- offering ------------------------------------------------------------------ */

/* The message that used the letter before is over for this side. */
static bool over(const struct coll_side *s, uint64_t n)
{
	return n < COLL_LETTERS ||
	       __atomic_load_n(&s->through, __ATOMIC_ACQUIRE) == n + 1 - COLL_LETTERS;
}

/* Where its buffer is; false: that can't be said, or it is lost. */
static bool say_where(struct coll_pending *d, struct coll_side *mine)
{
	enum coll_end side = side_of(d);
	const void *ptr = side == COLL_SEND ? d->call.send : d->call.recv;

	mine->at = (uintptr_t)ptr;
	if (d->comm->team->apart)
		return !coll_expose_end(d->comm, d, side, &mine->at, &mine->key);
	return coll_check_memory(d->comm, ptr, side == COLL_SEND ? coll_sends(d) : coll_receives(d),
				 side);
}

static bool offer(struct coll_pending *d)
{
	struct coll_letter *l = letter(d);
	struct coll_side *mine = &l->side[side_of(d)];

	if (!over(&l->side[COLL_SEND], d->letter) || !over(&l->side[COLL_RECV], d->letter))
		return false;
	mine->count = d->call.count;
	mine->type = d->call.type;
	if (!say_where(d, mine))
		return false;
	coll_step(d->comm->rank);
	__atomic_store_n(&mine->seq, d->letter + 1, __ATOMIC_RELEASE);
	d->offered = true;
	return true;
}

/* ---- copying ------------------------------------------------------------------- */

/* Counters of a letter: the message's number + 1 above 32 bits of a count. */
static uint64_t counted(const uint64_t *counter, const struct coll_pending *d)
{
	uint64_t n = __atomic_load_n(counter, __ATOMIC_ACQUIRE);

	return n >> 32 == (uint32_t)(d->letter + 1) ? (uint32_t)n : 0;
}

/* Returns what it was; the first one begins at zero. */
static uint64_t count(uint64_t *counter, const struct coll_pending *d, uint64_t more)
{
	uint64_t number = (uint64_t)(uint32_t)(d->letter + 1) << 32;
	uint64_t was = __atomic_load_n(counter, __ATOMIC_RELAXED), base;

	do
		base = was >> 32 == number >> 32 ? was : number;
	while (!__atomic_compare_exchange_n(counter, &was, base + more, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED));
	return (uint32_t)base;
}

static uint64_t bytes_of(const struct coll_pending *d)
{
	return d->call.count * vn_type_bytes(d->call.type);
}

static uint64_t piece_of(uint64_t bytes)
{
	return bytes <= WHOLE ? WHOLE : PIECE;
}

static bool copied(const void *of)
{
	const struct coll_pending *d = of;
	uint64_t bytes = bytes_of(d), piece = piece_of(bytes);

	return counted(&letter(d)->done, d) == (bytes + piece - 1) / piece;
}

/* Takes pieces until none is left. */
static void copy_pieces(struct coll_pending *d, const char *from, char *to)
{
	const struct coll_team *t = d->comm->team;
	struct coll_letter *l = letter(d);
	uint64_t bytes = bytes_of(d), piece = piece_of(bytes), mine = 0, at, n;

	while (counted(&l->next, d) * piece < bytes && !coll_failed(t)) {
		at = count(&l->next, d, 1) * piece;
		if (at >= bytes)
			break;
		coll_step(d->comm->rank);
		n = bytes - at < piece ? bytes - at : piece;
		if (from != to)
			coll_copy(t, to + at, from + at, n, 2 * bytes > t->stream_bytes);
		mine++;
	}
	coll_step(d->comm->rank);
	if (mine)
		count(&l->done, d, mine);
}

static void copy(struct coll_pending *d)
{
	const struct coll_side *s = letter(d)->side;
	struct coll_team *t = d->comm->team;
	uint32_t self = d->comm->rank, peer = (uint32_t)d->call.root;
	bool sends = side_of(d) == COLL_SEND;
	/* Whose side is over may free its buffer while this rank comes to look. */
	const struct coll_over over = { copied, d };
	char *from, *to;

	if (!t->apart) {
		copy_pieces(d, (char *)s[COLL_SEND].at, (char *)s[COLL_RECV].at);
		return;
	}
	from = coll_reach(t, sends ? self : peer, s[COLL_SEND].key, s[COLL_SEND].at, &over);
	to = coll_reach(t, sends ? peer : self, s[COLL_RECV].key, s[COLL_RECV].at, &over);
	if (from && to)
		copy_pieces(d, from, to);
	coll_reached(t);
	coll_reached(t);
}

static void describe(const struct coll_letter *l, enum coll_end side, uint32_t rank, char *text,
		     size_t size)
{
	const struct coll_side *s = &l->side[side];

	snprintf(text, size, "rank %u %s %llu %s", rank, side == COLL_SEND ? "sends" : "receives",
		 (unsigned long long)s->count, vn_type_name((enum vn_type)s->type));
}

static void mismatch(const struct coll_pending *d)
{
	uint32_t self = d->comm->rank, peer = (uint32_t)d->call.root;
	bool first = side_of(d) == COLL_SEND;
	char one[80], other[80];

	describe(letter(d), COLL_SEND, first ? self : peer, one, sizeof(one));
	describe(letter(d), COLL_RECV, first ? peer : self, other, sizeof(other));
	coll_fail(d->comm->team, -EINVAL, "%s, but %s of that", one, other);
}

/* Both have come: works on it. True: all is copied. */
static bool work(struct coll_pending *d)
{
	const struct coll_letter *l = letter(d);
	const struct coll_side *s = l->side;

	if (!says(&s[COLL_SEND].seq, d) || !says(&s[COLL_RECV].seq, d))
		return false;
	if (s[COLL_SEND].count != s[COLL_RECV].count || s[COLL_SEND].type != s[COLL_RECV].type) {
		mismatch(d);
		return false;
	}
	if (!copied(d) && coll_touch(d->comm)) {
		copy(d);
		coll_touched(d->comm);
	}
	if (!copied(d))
		return false;
	coll_wake(d->comm->team);
	return true;
}

/* ---- the operation --------------------------------------------------------------- */

bool coll_pair_post(struct vn_lib_comm *c, struct coll_pending *d)
{
	uint64_t *called = &channel(d)->called[side_of(d)];

	d->letter = *called;
	__atomic_store_n(called, d->letter + 1, __ATOMIC_RELAXED);
	if (offer(d)) {
		work(d);
		coll_wake(c->team);
	} else {
		c->unoffered++;
	}
	return true;
}

/* Over: its letter is free for the next one, also while those before it are under way. */
static bool settle(struct coll_pending *d)
{
	if (!d->done && d->offered && work(d)) {
		__atomic_store_n(&letter(d)->side[side_of(d)].through, d->letter + 1,
				 __ATOMIC_RELEASE);
		d->done = true;
	}
	return d->done;
}

bool coll_pair_finish(struct vn_lib_comm *c, struct coll_pending *d)
{
	(void)c;
	return settle(d);
}

void coll_pair_offer(struct vn_lib_comm *c)
{
	for (uint64_t i = c->completed; c->unoffered && i < c->posted; i++) {
		struct coll_pending *d = coll_nth(c, i);

		if (d->call.op != VN_SEND && d->call.op != VN_RECV)
			continue;
		if (d->done || !(d->offered ? settle(d) : offer(d)))
			continue;
		c->unoffered -= !d->done;
		coll_wake(c->team);
	}
}

void coll_pair_missing(const struct coll_pending *d, char *text, size_t size)
{
	const struct coll_channel *ch = channel(d);
	enum coll_end mine = side_of(d), theirs = mine == COLL_SEND ? COLL_RECV : COLL_SEND;

	if (says(&letter(d)->side[theirs].seq, d))
		snprintf(text, size, "rank %d has come, the copy has not ended", d->call.root);
	else
		snprintf(text, size,
			 "rank %d has not arrived: it has called %s for this rank %llu "
			 "times, this rank %llu",
			 d->call.root, mine == COLL_SEND ? "recv" : "send",
			 (unsigned long long)__atomic_load_n(&ch->called[theirs], __ATOMIC_RELAXED),
			 (unsigned long long)ch->called[mine]);
}
