// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where in HBM a rank's buffers lie, and those registered; how that is said to the device
 * and to other ranks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

/* [p, p + bytes) lies in [begin, begin + size). */
static bool within(const void *begin, uint64_t size, const char *p, uint64_t bytes)
{
	uint64_t off = (uint64_t)(p - (const char *)begin);

	return off <= size && bytes <= size - off;
}

/* The last registered buffer that begins at p or before; NULL: none. */
static struct coll_place *registered(const struct vn_lib_comm *c, const char *p)
{
	uint32_t low = 0, high = c->nregistered, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if ((const char *)c->registered[mid].ptr <= p)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &c->registered[low - 1] : NULL;
}

/* Looks in the list of allocations, and remembers when that was. */
static bool look_up(vn_device_t dev, struct coll_place *at, const char *p, uint64_t bytes)
{
	uint64_t gen = __atomic_load_n(&dev->mems_gen, __ATOMIC_ACQUIRE) + 1;

	at->gen = vn_mem_find(dev, p, bytes, &at->mem, &at->life) ? gen : 0;
	at->key = 0;
	return at->gen;
}

/*
 * Others are to fail, too, should the chip be lost; or it was, since that was allocated.
 * In that order: whoever sees the loss first sees that this is of use here.
 */
static bool still_there(struct vn_lib_comm *c, const struct coll_place *at)
{
	uint64_t *word = &c->team->board.head->foreign[at->mem.chip / 64];
	uint64_t bit = 1ull << at->mem.chip % 64;

	if (at->mem.chip != c->team->board.member[c->rank].chip &&
	    !(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
		__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
	if (vn_chip_life(c->team->dev, at->mem.chip) == at->life)
		return true;
	/* With the chip of a rank more is lost than this. */
	if (coll_healthy(c->team))
		coll_fail(c->team, -EHOSTDOWN, "rank %u: its buffer is on chip %u, which was lost",
			  c->rank, at->mem.chip);
	return false;
}

/* Found again without the list while nothing was freed. NULL: not in HBM, or lost. */
static struct coll_place *find(struct vn_lib_comm *c, enum coll_end side, const char *p,
			       uint64_t bytes)
{
	vn_device_t dev = c->team->dev;
	uint64_t gen = __atomic_load_n(&dev->mems_gen, __ATOMIC_ACQUIRE) + 1;
	struct coll_place *at = &c->last[side];

	if (at->gen != gen || !within(at->mem.ptr, at->mem.bytes, p, bytes)) {
		struct coll_place *r = registered(c, p);

		if (r && within(r->ptr, r->bytes, p, bytes))
			at = r;
		/* One that is registered may lie in several allocations. */
		if ((at != r || at->gen != gen || !within(at->mem.ptr, at->mem.bytes, p, bytes)) &&
		    !look_up(dev, at, p, bytes))
			return NULL;
	}
	return still_there(c, at) ? at : NULL;
}

static uint64_t offset(const struct coll_place *at, const char *p)
{
	return (uint64_t)(p - (const char *)at->mem.ptr);
}

static const char *buffer(const struct coll_pending *d, enum coll_end side)
{
	return side == COLL_SEND ? d->call.send : d->call.recv;
}

static uint64_t bytes_of(const struct coll_pending *d, enum coll_end side)
{
	return side == COLL_SEND ? coll_sends(d) : coll_receives(d);
}

bool coll_check_memory(struct vn_lib_comm *c, const void *p, uint64_t bytes, enum coll_end side)
{
	if (bytes)
		find(c, side, p, bytes);
	return !coll_failed(c->team);
}

bool coll_check_buffers(struct vn_lib_comm *c, const struct coll_pending *d)
{
	for (enum coll_end side = COLL_SEND; side <= COLL_RECV; side++)
		coll_check_memory(c, buffer(d, side), bytes_of(d, side), side);
	return !coll_failed(c->team);
}

/* ---- to the device and ranks of this process ----------------------------------------- */

static void locate(struct vn_lib_comm *c, const struct coll_pending *d, enum coll_end side,
		   struct coll_post *p)
{
	struct coll_team *t = c->team;
	struct vn_operand *params =
		(struct vn_operand *)t->params.ptr + d->seq % COLL_SLOTS * 2 * t->ranks;
	struct vn_operand *to = &params[side * t->ranks + c->rank];
	const char *ptr = buffer(d, side);
	uint64_t bytes = bytes_of(d, side);
	const struct coll_place *at = bytes ? find(c, side, ptr, bytes) : NULL;

	/* The parameters are in HBM, too. */
	coll_write(t, (char *const *)&to, 1, sizeof(*to));
	*to = at ? vn_at(&at->mem, offset(at, ptr)) : (struct vn_operand){ .ultraserver = VN_HERE };
	coll_written(t);
	p->at[side] = (uintptr_t)ptr;
	/* What the rank doesn't use is no hindrance. */
	p->key[side] = at || !bytes;
}

/* ---- to ranks of other processes -------------------------------------------------------- */

int coll_expose(struct vn_lib_comm *c, const char *ptr, uint64_t bytes, enum coll_end side,
		uint64_t *at, uint32_t *key)
{
	struct coll_place *place = find(c, side, ptr, bytes);

	if (!place)
		return -ENOENT;
	if (!place->key) {
		int err = vn_mem_key(c->team->dev, &place->mem, &place->key);

		if (err)
			return coll_fail(c->team, err, "rank %u: its buffer can't be shared: %s",
					 c->rank, vn_error());
	}
	*at = offset(place, ptr);
	*key = place->key;
	return 0;
}

int coll_expose_end(struct vn_lib_comm *c, struct coll_pending *d, enum coll_end side, uint64_t *at,
		    uint32_t *key)
{
	const char *ptr = buffer(d, side);
	uint64_t bytes = bytes_of(d, side);
	int err;

	*at = *key = 0;
	if (!bytes)
		return 0;
	err = coll_expose(c, ptr, bytes, side, at, key);
	if (err != -ENOENT)
		return err;
	ptr = coll_stage_take(c, d, side, bytes);
	return ptr ? coll_expose(c, ptr, bytes, side, at, key) : -ENOMEM;
}

bool coll_locate(struct vn_lib_comm *c, struct coll_pending *d, struct coll_post *p)
{
	for (enum coll_end side = COLL_SEND; side <= COLL_RECV; side++) {
		if (!c->team->apart)
			locate(c, d, side, p);
		else if (coll_expose_end(c, d, side, &p->at[side], &p->key[side]))
			return false;
	}
	return true;
}

/* ---- registering ------------------------------------------------------------ */

int vn_comm_register(vn_comm_t c, void *buff, size_t size, void **handle)
{
	struct coll_place *more, *at;
	uint32_t i;

	if (!c || !buff || !size || !handle)
		return vn_fail(-EINVAL, "register: no %s",
			       !c      ? "communicator"
			       : !buff ? "buffer"
			       : !size ? "size"
				       : "place for the handle");
	if ((uintptr_t)buff + size < (uintptr_t)buff)
		return vn_fail(-EINVAL, "rank %u: register: a buffer that wraps around", c->rank);
	/* The one before may reach into it, or it into the one behind. */
	at = registered(c, (char *)buff + size - 1);
	if (at && (char *)at->ptr + at->bytes > (char *)buff)
		return vn_fail(-EEXIST,
			       "rank %u: register: overlaps the buffer of %llu bytes at %p",
			       c->rank, (unsigned long long)at->bytes, at->ptr);
	more = realloc(c->registered, (c->nregistered + 1) * sizeof(*more));
	if (!more)
		return vn_fail(-ENOMEM, "rank %u: no memory to register a buffer", c->rank);
	c->registered = more;
	for (i = c->nregistered; i > 0 && more[i - 1].ptr > buff; i--)
		more[i] = more[i - 1];
	more[i] = (struct coll_place){ .ptr = buff, .bytes = size };
	c->nregistered++;
	look_up(c->team->dev, &more[i], buff, size);
	*handle = buff;
	return 0;
}

int vn_comm_deregister(vn_comm_t c, void *handle)
{
	struct coll_place *at = c && handle ? registered(c, handle) : NULL;

	if (!at || at->ptr != handle)
		return vn_fail(-EINVAL, "deregister: nothing of that handle is registered");
	c->nregistered--;
	memmove(at, at + 1, (size_t)((char *)&c->registered[c->nregistered] - (char *)at));
	return 0;
}
