// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Collectives: how ranks meet in the slot of an operation, agree on it, and carry
 * it out. See coll.h for the protocol.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coll.h"
#include "status.h"

/* Looks at a post before anything else is tried. */
#define LOOKS 100u
/* Bytes taken back ahead: as many lines as a core asks for at once, about. */
#define OWN_AHEAD 2048u

/* Room for the bytes of one operation in their area; a power of two. */
static uint64_t bounce_room(uint64_t bytes)
{
	return bytes <= 1u << 10 ? 1u << 10 : bytes <= 4u << 10 ? 4u << 10 : COLL_PULL_MAX;
}

char *coll_bounce(const struct coll_team *t, uint64_t seq, uint32_t rank, uint64_t bytes)
{
	uint64_t room = bounce_room(bytes), slots = COLL_AREA / room;
	uint32_t area = room <= 1u << 10 ? 0 : room <= 4u << 10 ? 1 : 2;

	return t->board.bounce + (rank * COLL_AREAS + area) * COLL_AREA + seq % slots * room;
}

/* How many operations of that many bytes may be under way. */
static uint64_t bounce_slots(uint64_t bytes)
{
	return bytes <= COLL_RIDE_MAX ? COLL_SLOTS : COLL_AREA / bounce_room(bytes);
}

static bool posted(const struct coll_post *p, uint64_t seq)
{
	return __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE) == seq + 1;
}

/* Looks for as long as a post takes to come over from another core that is at it. */
static bool posted_soon(const struct coll_team *t, const struct coll_post *p, uint64_t seq)
{
	for (uint32_t i = 0; t->ranks <= t->cores && i < LOOKS; i++)
		if (posted(p, seq))
			return true;
	return posted(p, seq);
}

/* ---- agreeing ------------------------------------------------------------------ */

static void describe(uint64_t sig, uint64_t count, char *text, size_t size)
{
	enum vn_coll op = (enum vn_coll)(sig & 0xff);
	bool reduces = coll_reduces(op);
	size_t n;

	n = (size_t)snprintf(text, size, "%s%s(", sig >> 45 & 1 ? "init of " : "",
			     vn_coll_name(op));
	if (op < VN_ALL_GATHERV)
		n += (size_t)snprintf(text + n, size - n, "count %llu, ",
				      (unsigned long long)count);
	n += (size_t)snprintf(text + n, size - n, "%s%s%s, root %u%s",
			      vn_type_name((enum vn_type)(sig >> 8 & 0xff)), reduces ? ", " : "",
			      reduces ? vn_redop_name((enum vn_redop)(sig >> 16 & 0xff)) : "",
			      (unsigned int)(sig >> 24 & 0xffff),
			      sig >> 41 & 7 ? ", way forced" : "");
	if (sig >> 46)
		n += (size_t)snprintf(text + n, size - n, ", persistent %u",
				      (unsigned int)(sig >> 46));
	snprintf(text + n, size - n, ")");
}

/* Two ranks disagree on an operation. */
static int mismatch(struct coll_team *t, uint64_t seq, uint32_t a, uint32_t b)
{
	const struct coll_post *post = coll_posts(t, seq);
	char one[160], other[160];

	describe(post[a].sig, post[a].count, one, sizeof(one));
	describe(post[b].sig, post[b].count, other, sizeof(other));
	return coll_fail(t, -EINVAL, "operation %llu: rank %u calls %s, rank %u calls %s",
			 (unsigned long long)seq, a, one, b, other);
}

static bool agree(const struct coll_post *a, const struct coll_post *b)
{
	return a->sig == b->sig && a->count == b->count;
}

static int odd_blocks(struct coll_team *t, const struct coll_shape *s, uint64_t seq, uint32_t from,
		      uint64_t has, uint32_t to, uint64_t wants)
{
	return coll_fail(
		t, -EINVAL,
		"operation %llu: %s: rank %u has a block of %llu for rank %u, which wants %llu",
		(unsigned long long)seq, vn_coll_name(s->op), from, (unsigned long long)has, to,
		(unsigned long long)wants);
}

/* Who sends and who receives a block say the same of it. */
static int agree_blocks(struct coll_team *t, const struct coll_shape *s, uint64_t seq)
{
	const struct coll_extra *const *x = s->extra;

	for (uint32_t from = 0; from < s->ranks; from++) {
		for (uint32_t to = 0; to < s->ranks; to++) {
			uint64_t has = coll_block(s, from, to), wants = has;

			switch (s->op) {
			case VN_ALL_GATHERV:
				has = x[from]->count;
				wants = x[to]->recvcounts[from];
				break;
			case VN_GATHERV:
				has = x[from]->count;
				wants = x[s->root]->recvcounts[from];
				break;
			case VN_SCATTERV:
				wants = x[to]->count;
				break;
			case VN_REDUCE_SCATTERV:
				has = x[from]->recvcounts[to];
				wants = x[to]->recvcounts[to];
				break;
			default:
				wants = x[to]->recvcounts[from];
			}
			if (has != wants)
				return odd_blocks(t, s, seq, s->op == VN_SCATTERV ? s->root : from,
						  has, s->op == VN_GATHERV ? s->root : to, wants);
		}
	}
	return 0;
}

/* The longest block and the sum of all; each is counted once. */
static void measure(struct coll_shape *s)
{
	bool pairs = s->op == VN_ALL_TO_ALLV;

	for (uint32_t from = 0; from < s->ranks; from++) {
		for (uint32_t to = 0; to < (pairs ? s->ranks : 1); to++) {
			uint64_t n = coll_block(s, from, pairs ? to : from);

			s->count = n > s->count ? n : s->count;
			s->total += n;
		}
	}
}

/* All in place or none; who has no data may be called either. */
static int agree_place(struct coll_team *t, struct coll_shape *s, uint64_t seq)
{
	const struct coll_extra *const *x = s->extra;
	uint32_t first = s->ranks;

	s->in_place = false;
	for (uint32_t r = 0; r < s->ranks; r++) {
		if (!x[r]->send_bytes && !x[r]->recv_bytes)
			continue;
		if (first == s->ranks)
			first = r;
		if (x[first]->in_place != x[r]->in_place)
			return coll_fail(
				t, -EINVAL,
				"operation %llu: all_to_allv: of ranks %u and %u one works in place",
				(unsigned long long)seq, first, r);
		s->in_place = x[r]->in_place;
	}
	return 0;
}

/* What ranks bring beyond buffers and counts. */
static int agree_extra(struct coll_team *t, struct coll_shape *s, uint64_t seq)
{
	const struct coll_extra *const *x = s->extra;
	int err;

	if (s->op == VN_PERMUTE) {
		for (uint32_t r = 1; r < s->ranks; r++)
			if (memcmp(x[0]->to, x[r]->to, s->ranks * sizeof(int)))
				return coll_fail(
					t, -EINVAL,
					"operation %llu: permute: ranks 0 and %u have other permutations",
					(unsigned long long)seq, r);
		return 0;
	}
	err = agree_blocks(t, s, seq);
	if (err)
		return err;
	measure(s);
	return s->op == VN_ALL_TO_ALLV ? agree_place(t, s, seq) : 0;
}

/* All have posted: what they agree on. */
static int agree_all(struct coll_team *t, uint64_t seq, struct coll_shape *shape,
		     struct coll_extras *extra)
{
	const struct coll_post *post = coll_posts(t, seq);
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
		shape->in_place |= post[r].at[COLL_SEND] == post[r].at[COLL_RECV] &&
				   post[r].key[COLL_SEND] == post[r].key[COLL_RECV];
	shape->extra = coll_extras(t, seq, extra);
	return shape->extra ? agree_extra(t, shape, seq) : 0;
}

/* ---- beginning it ---------------------------------------------------------------- */

static void set_state(struct coll_team *t, struct coll_slot *s, uint64_t seq, enum coll_phase phase)
{
	__atomic_store_n(&s->state, coll_state(seq, phase), __ATOMIC_SEQ_CST);
	coll_wake(t);
}

static bool all_in_hbm(const struct coll_team *t, uint64_t seq)
{
	const struct coll_post *post = coll_posts(t, seq);

	/* Apart all are, or stand-ins for them. */
	for (uint32_t r = 0; r < t->ranks && !t->apart; r++)
		if (!post[r].key[COLL_SEND] || !post[r].key[COLL_RECV])
			return false;
	return true;
}

/* Of those that need no post along. */
static enum vn_way choose(const struct coll_team *t, const struct coll_shape *shape,
			  const struct coll_pending *d)
{
	const struct coll_call *call = &d->call;
	uint64_t bytes = shape->count * vn_type_bytes(shape->type);
	enum vn_way way = call->way ?: t->forced ?: t->way[shape->op][coll_bits(bytes)];

	if (way != VN_WAY_PLAN || !all_in_hbm(t, d->seq))
		return VN_WAY_SHARE;
	/* A plan for those few blocks would be compiled for one use. */
	return !shape->extra || (call->prepare && !t->apart) ? VN_WAY_PLAN : VN_WAY_SHARE;
}

/* Carries it out by the device, if it goes that way. */
static bool launched(struct coll_team *t, const struct coll_pending *d,
		     const struct coll_shape *shape)
{
	const struct coll_call *call = &d->call;
	struct coll_program *ready = NULL;

	if (t->apart) {
		if (choose(t, shape, d) != VN_WAY_PLAN || !coll_plannable(t, shape, d->seq))
			return false;
		coll_slot(t, d->seq)->planned = true;
		coll_slot(t, d->seq)->job.volume = coll_volume(shape);
		set_state(t, coll_slot(t, d->seq), d->seq, COLL_LAUNCHED);
		return true;
	}
	if (call->persistent) {
		ready = coll_persistent_program(call->persistent);
		/* Its buffers are as they were, unless somebody freed them. */
		if (!ready || !all_in_hbm(t, d->seq))
			return false;
	} else if (choose(t, shape, d) != VN_WAY_PLAN) {
		return false;
	}
	return !coll_launch(t, shape, d->seq, ready);
}

/* What all have posted is agreed on and begun; true: by work that ranks share. */
static bool begin(struct coll_team *t, const struct coll_pending *d)
{
	struct coll_extras extra;
	struct coll_shape shape;
	struct coll_slot *s = coll_slot(t, d->seq);

	if (agree_all(t, d->seq, &shape, &extra))
		return false;
	s->job.shape = shape;
	s->job.shape.extra = NULL;
	if (d->call.prepare) {
		s->planned = choose(t, &shape, d) == VN_WAY_PLAN &&
			     (!t->apart || coll_plannable(t, &shape, d->seq));
		/* Apart each process compiles its part when it is first launched. */
		t->program[d->seq % COLL_SLOTS] =
			s->planned && !t->apart ? coll_program_prepare(t, &shape, d->seq, t->ranks)
						: NULL;
		if (!t->apart)
			s->planned = t->program[d->seq % COLL_SLOTS];
		set_state(t, s, d->seq, COLL_DONE);
		return false;
	}
	s->planned = false;
	/* Nothing to move: all it takes is that everybody came. */
	if (!coll_volume(&shape)) {
		set_state(t, s, d->seq, COLL_DONE);
		return false;
	}
	if (launched(t, d, &shape))
		return false;
	coll_share_open(t, &shape, d->seq);
	return true;
}

/* This rank was the last to post. */
static void trigger(struct vn_lib_comm *c, const struct coll_pending *d)
{
	bool share;

	coll_slot(c->team, d->seq)->arrived = 0;
	if (!coll_touch(c))
		return;
	coll_step(c->rank);
	share = begin(c->team, d);
	coll_step(c->rank);
	coll_touched(c);
	if (share)
		coll_share(c, d->seq);
}

/* ---- posting ---------------------------------------------------------------- */

/* Counted while it has no room: who completes an operation then wakes it. */
static void wants_room(struct vn_lib_comm *c, bool yes)
{
	if (c->cramped == yes)
		return;
	c->cramped = yes;
	__atomic_fetch_add(&c->team->board.head->cramped, yes ? 1 : -1u, __ATOMIC_SEQ_CST);
}

/* Every rank is through with operation number n - slots. */
static bool room(struct vn_lib_comm *c, uint64_t n, uint64_t slots)
{
	uint64_t least = UINT64_MAX;

	if (n < slots || c->room > n - slots)
		return true;
	for (uint32_t r = 0; r < c->team->ranks; r++) {
		uint64_t done =
			__atomic_load_n(&c->team->board.member[r].completed, __ATOMIC_ACQUIRE);

		least = done < least ? done : least;
	}
	c->room = least;
	wants_room(c, least <= n - slots);
	return least > n - slots;
}

/* In checking mode a rank compares itself with whoever is there already. */
static int check_early(struct coll_team *t, uint64_t seq, uint32_t rank)
{
	const struct coll_post *post = coll_posts(t, seq);

	for (uint32_t r = 0; r < t->ranks; r++)
		if (r != rank && posted(&post[r], seq) && !agree(&post[r], &post[rank]))
			return mismatch(t, seq, r, rank);
	return 0;
}

/* False: what it has can't be shared, and the communicator has failed. */
static bool fill(struct vn_lib_comm *c, struct coll_pending *d, struct coll_post *p)
{
	const struct coll_call *call = &d->call;
	uint64_t bytes = d->pull ? coll_send_bytes(&d->shape, c->rank) : 0;

	p->sig = d->sig;
	p->count = call->count;
	if (call->redop == VN_PREMULSUM) {
		p->scalar = call->scalar.bits;
		if (call->scalar.at)
			memcpy(&p->scalar, call->scalar.at, vn_type_bytes(call->type));
	}
	if (d->pull) {
		if (bytes)
			memcpy(bytes <= COLL_RIDE_MAX
				       ? p->ride
				       : coll_bounce(c->team, d->seq, c->rank, bytes),
			       call->send, bytes);
		return true;
	}
	/* Each rank has its own: they are compared as blocks. */
	if (call->extra && call->op != VN_PERMUTE)
		p->count = 0;
	p->extra = call->extra;
	if (call->extra && c->team->apart)
		coll_extra_post(c->team, d->seq, c->rank, call->extra);
	return coll_locate(c, d, p);
}

/* The result of a rank comes from all. */
static bool needs_all(enum vn_coll op)
{
	return op == VN_ALL_REDUCE || op == VN_ALL_GATHER || op == VN_REDUCE_SCATTER ||
	       op == VN_ALL_TO_ALL || op == VN_BARRIER;
}

bool coll_meet_post(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_team *t = c->team;
	struct coll_post *p = &coll_posts(t, d->seq)[c->rank];
	uint64_t bytes = d->pull ? coll_send_bytes(&d->shape, c->rank) : 0;

	if (d->call.extra && t->apart)
		bytes = coll_extra_bytes(t->ranks);
	if (!room(c, d->seq, bounce_slots(bytes)) || !fill(c, d, p))
		return false;
	/* What others pull is what was there, not what was left of it. */
	if (d->pull && !coll_sound(c, d))
		return false;
	coll_step(c->rank);
	__atomic_store_n(&p->seq, d->seq + 1, __ATOMIC_RELEASE);
	coll_step(c->rank);
	__atomic_store_n(&t->board.member[c->rank].posted, d->seq + 1, __ATOMIC_RELAXED);
	coll_status_posted(c, d);
	/* Who does not need all others must still be seen by them, or see them. */
	if (d->pull && (t->check || !needs_all(d->call.op)))
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!d->pull &&
	    __atomic_add_fetch(&coll_slot(t, d->seq)->arrived, 1, __ATOMIC_ACQ_REL) == t->ranks)
		trigger(c, d);
	else if (t->check && check_early(t, d->seq, c->rank))
		return true;
	/* Where all must arrive nobody waits for one of them: trigger() wakes. */
	if (d->pull)
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
	const struct coll_post *post = coll_posts(t, d->seq), *p;
	char *from[VN_MAX_CHIPS];
	uint64_t bytes;

	for (uint32_t r = 0; r < t->ranks; r++) {
		p = &post[r];
		if (r == c->rank)
			continue;
		if (!posted_soon(t, p, d->seq)) {
			if (needs(c, &d->shape, r))
				return false;
			continue;
		}
		/* Of two that disagree the one that posted last sees it: coll_meet_post(). */
		if (!agree(p, &post[c->rank])) {
			mismatch(t, d->seq, c->rank, r);
			return false;
		}
		bytes = coll_send_bytes(&d->shape, r);
		from[r] = bytes <= COLL_RIDE_MAX ? (char *)p->ride
						 : coll_bounce(t, d->seq, r, bytes);
	}
	from[c->rank] = (char *)d->call.send;
	coll_step(c->rank);
	coll_pull(t, &d->shape, c->rank, from, post, d->call.recv, c->scratch);
	return true;
}

/*
 * The lines that the next post goes into were last read by others. They are taken
 * back now, while nobody waits for it, if that post is one like this.
 */
__attribute__((target("prfchw"))) static void own_next(struct vn_lib_comm *c,
						       const struct coll_pending *d)
{
	uint64_t bytes = coll_send_bytes(&d->shape, c->rank), next = d->seq + 1;
	const char *p;

	__builtin_prefetch(&coll_posts(c->team, next)[c->rank], 1);
	if (bytes <= COLL_RIDE_MAX)
		return;
	p = coll_bounce(c->team, next, c->rank, bytes);
	for (uint64_t at = 0; at < bytes && at < OWN_AHEAD; at += 64)
		__builtin_prefetch(p + at, 1);
}

bool coll_meet_finish(struct vn_lib_comm *c, struct coll_pending *d)
{
	struct coll_slot *s = coll_slot(c->team, d->seq);
	uint64_t state;

	if (d->pull) {
		if (!pull(c, d))
			return false;
		own_next(c, d);
		return true;
	}
	state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	if (state == coll_state(d->seq, COLL_SHARED)) {
		coll_share(c, d->seq);
		state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	}
	if (state == coll_state(d->seq, COLL_LAUNCHED) && c->team->apart)
		return coll_launch_part(c->team, d->seq);
	if (state != coll_state(d->seq, COLL_DONE))
		return false;
	if (d->call.prepare)
		coll_persistent_ready(d->call.persistent, &d->shape,
				      c->team->apart ? NULL : c->team->program[d->seq % COLL_SLOTS],
				      s->planned);
	return true;
}

enum vn_way coll_meet_way(const struct vn_lib_comm *c, const struct coll_pending *d)
{
	if (d->pull)
		return VN_WAY_PULL;
	return coll_slot(c->team, d->seq)->planned ? VN_WAY_PLAN : VN_WAY_SHARE;
}

int coll_meet_compare(const struct coll_pending *d)
{
	struct coll_team *t = d->comm->team;
	const struct coll_post *post = coll_posts(t, d->seq);
	uint32_t rank = d->comm->rank;

	for (uint32_t r = 0; r < t->ranks && posted(&post[rank], d->seq); r++)
		if (posted(&post[r], d->seq) && !agree(&post[r], &post[rank]))
			return mismatch(t, d->seq, r, rank);
	return 0;
}

uint32_t coll_meet_missing(const struct coll_pending *d, char *text, size_t size)
{
	const struct coll_team *t = d->comm->team;
	uint32_t n = 0;
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t r = 0; r < t->ranks && at + 80 < size; r++) {
		const struct coll_member *m = &t->board.member[r];
		uint64_t posts = __atomic_load_n(&m->posted, __ATOMIC_RELAXED);

		if (posts > d->seq)
			continue;
		n++;
		at += (size_t)snprintf(text + at, size - at, "%s rank %u (has posted %llu%s)",
				       n > 1 ? "," : "", r, (unsigned long long)posts,
				       __atomic_load_n(&m->left, __ATOMIC_RELAXED) ? ", has left"
										   : "");
	}
	return n;
}
