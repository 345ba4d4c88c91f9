// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Communicators made of others: split, shrink, grow. Their ranks join as any do, by a
 * unique id that each can work out from its parent's: nothing of a parent that has
 * failed is needed for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

/* What they have in common: the id of a child says which call made it. */
enum kin { SPLIT = 1, SHRINK = 2, GROW = 3 };

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Of the parent's secret part and of what tells the child from its siblings. */
static vn_unique_id child_id(const struct coll_team *t, enum kin how, uint64_t nth, uint64_t which)
{
	vn_unique_id id = t->id;
	uint64_t part[COLL_SECRET / 8], all = mix((uint64_t)how << 56 ^ nth);

	memcpy(part, id.internal + 8, sizeof(part));
	for (uint32_t i = 0; i < COLL_SECRET / 8; i++)
		all = mix(part[i] ^ all);
	for (uint32_t i = 0; i < COLL_SECRET / 8; i++)
		part[i] = mix(part[i] + mix(all + i) + mix(which + ((uint64_t)how << 32)));
	memcpy(id.internal + 8, part, sizeof(part));
	return id;
}

/* A rank of a child, from the call until it has joined. */
struct birth {
	vn_comm_t parent, *to;
	vn_unique_id id;
	int ranks, rank;
	struct vn_config config;
	int color, key; /* split */
};

/* The parent's chip, device and settings, where the caller does not say otherwise. */
static int inherit(struct birth *b, const struct vn_config *config)
{
	const struct coll_team *t = b->parent->team;
	int err = coll_config_read(&b->config, config);

	if (err)
		return err;
	if (b->config.chip < 0)
		b->config.chip = (int32_t)t->board.member[b->parent->rank].chip;
	b->config.dev = b->config.dev ?: t->dev;
	b->config.timeout_ns = b->config.timeout_ns ?: t->timeout_ns;
	b->config.check = b->config.check < 0 ? t->check : b->config.check;
	b->config.way = b->config.way ?: t->forced;
	if ((uint32_t)b->config.chip >= b->config.dev->query.chips)
		return vn_fail(-ENODEV, "rank %u: no chip %d; there are %u", b->parent->rank,
			       b->config.chip, b->config.dev->query.chips);
	return 0;
}

static int join(void *arg)
{
	struct birth *b = arg;

	return vn_comm_init_rank_config(b->to, b->ranks, b->id, b->rank, &b->config);
}

static int check(vn_comm_t parent, vn_comm_t *to, const char *call)
{
	if (!parent || !to)
		return vn_fail(-EINVAL, "%s: no %s", call,
			       parent ? "place for the handle" : "communicator");
	*to = NULL;
	return 0;
}

/* ---- split ---------------------------------------------------------------------- */

struct choice {
	int32_t color, key;
};

static int split(void *arg)
{
	struct birth *b = arg;
	const struct coll_team *t = b->parent->team;
	uint64_t nth = b->parent->collectives; /* the same on all ranks */
	struct choice mine = { b->color, b->key }, all[VN_MAX_CHIPS];
	uint32_t self = b->parent->rank;
	int err;

	err = vn_all_gather(&mine, all, sizeof(mine), VN_UINT8, b->parent, NULL)
		      ?: vn_comm_sync(b->parent, VN_FOREVER);
	if (err || b->color < 0)
		return err;
	for (uint32_t r = 0; r < t->ranks; r++) {
		if (all[r].color != mine.color)
			continue;
		b->ranks++;
		b->rank += all[r].key < mine.key || (all[r].key == mine.key && r < self);
	}
	b->id = child_id(t, SPLIT, nth, (uint64_t)mine.color);
	return join(b);
}

int vn_comm_split(vn_comm_t comm, int color, int key, vn_comm_t *newcomm,
		  const struct vn_config *config)
{
	struct birth b = { .parent = comm, .to = newcomm, .color = color, .key = key };
	int err = check(comm, newcomm, "split");

	if (!err && color < 0 && color != VN_SPLIT_NOCOLOR)
		err = vn_fail(-EINVAL, "split: rank %u: color %d", comm->rank, color);
	err = err ?: inherit(&b, config);
	return err ? coll_refuse_later(err) : coll_later(split, &b, sizeof(b));
}

/* ---- shrink ----------------------------------------------------------------------- */

/* Whom to leave out, checked: a bit for each. */
static int leave_out(vn_comm_t comm, const int *exclude, int n, struct coll_gone *out)
{
	*out = (struct coll_gone){ 0 };
	if (n < 0 || (n && !exclude))
		return vn_fail(-EINVAL, "shrink: rank %u: %d ranks to leave out%s", comm->rank, n,
			       n > 0 ? ", but no list" : "");
	for (int i = 0; i < n; i++) {
		if (exclude[i] < 0 || (uint32_t)exclude[i] >= comm->team->ranks)
			return vn_fail(-EINVAL, "shrink: rank %u: no rank %d to leave out",
				       comm->rank, exclude[i]);
		if ((uint32_t)exclude[i] == comm->rank)
			return vn_fail(-EINVAL,
				       "shrink: rank %u is to be left out: it must not call",
				       comm->rank);
		out->bits[exclude[i] / 64] |= 1ull << exclude[i] % 64;
	}
	return 0;
}

/* Those who leave out the same ranks have always called together: they count alike. */
struct coll_shrunk {
	struct coll_shrunk *next;
	uint64_t which, times;
};

static int count_shrunk(vn_comm_t c, uint64_t which, uint64_t *nth)
{
	struct coll_shrunk *s;

	for (s = c->shrunk; s && s->which != which; s = s->next)
		;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return vn_fail(-ENOMEM, "shrink: rank %u: no memory", c->rank);
		s->which = which;
		s->next = c->shrunk;
		c->shrunk = s;
	}
	*nth = s->times++;
	return 0;
}

void coll_kin_free(struct vn_lib_comm *c)
{
	struct coll_shrunk *s;

	while ((s = c->shrunk)) {
		c->shrunk = s->next;
		free(s);
	}
}

int vn_comm_shrink(vn_comm_t comm, const int *exclude, int nexclude, vn_comm_t *newcomm,
		   const struct vn_config *config, int flags)
{
	struct birth b = { .parent = comm, .to = newcomm };
	struct coll_gone out;
	uint64_t which = 0, nth = 0;
	int err = check(comm, newcomm, "shrink");

	if (!err && flags & ~VN_SHRINK_ABORT)
		err = vn_fail(-EINVAL, "shrink: rank %u: unknown flags %#x", comm->rank, flags);
	err = err ?: leave_out(comm, exclude, nexclude, &out) ?: inherit(&b, config);
	if (err)
		return coll_refuse_later(err);
	if (flags & VN_SHRINK_ABORT)
		vn_comm_revoke(comm);
	for (uint32_t r = 0; r < comm->team->ranks; r++) {
		if (out.bits[r / 64] >> r % 64 & 1)
			continue;
		b.rank += r < comm->rank;
		b.ranks++;
	}
	/* Who leaves out others makes another one. */
	for (uint32_t i = 0; i < sizeof(out.bits) / sizeof(*out.bits); i++)
		which = mix(which ^ out.bits[i]);
	err = count_shrunk(comm, which, &nth);
	if (err)
		return coll_refuse_later(err);
	b.id = child_id(comm->team, SHRINK, nth, which);
	return coll_later(join, &b, sizeof(b));
}

/* ---- grow ------------------------------------------------------------------------ */

int vn_comm_get_unique_id(vn_comm_t comm, vn_unique_id *id)
{
	if (!comm || !id)
		return vn_fail(-EINVAL, "unique id: no %s", comm ? "place for it" : "communicator");
	*id = child_id(comm->team, GROW, comm->grown, 0);
	return 0;
}

int vn_comm_grow(vn_comm_t comm, int nranks, const vn_unique_id *id, int rank, vn_comm_t *newcomm,
		 const struct vn_config *config)
{
	struct birth b = { .parent = comm, .to = newcomm, .ranks = nranks, .rank = rank };
	int err = newcomm ? 0 : vn_fail(-EINVAL, "grow: no place for the handle");

	if (!err)
		*newcomm = NULL;
	if (!err && !comm) {
		if (!id)
			return coll_refuse_later(
				vn_fail(-EINVAL, "grow: rank %d: no unique id", rank));
		return vn_comm_init_rank_config(newcomm, nranks, *id, rank, config);
	}
	if (!err && (uint32_t)nranks <= comm->team->ranks)
		err = vn_fail(-EINVAL, "grow: rank %u: to %d ranks, of %u", comm->rank, nranks,
			      comm->team->ranks);
	if (!err && rank != -1 && rank != (int)comm->rank)
		err = vn_fail(-EINVAL, "grow: rank %u stays what it is, not %d", comm->rank, rank);
	err = err ?: inherit(&b, config);
	if (err)
		return coll_refuse_later(err);
	b.rank = (int)comm->rank;
	b.id = child_id(comm->team, GROW, comm->grown++, 0);
	return coll_later(join, &b, sizeof(b));
}
