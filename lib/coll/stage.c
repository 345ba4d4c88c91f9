// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ranks of other processes reach HBM alone. A buffer elsewhere is stood in for by HBM
 * of its rank's chip: its contents go there when the operation is posted, and come
 * back from there when it is complete, also what the operation does not write.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

struct coll_stage {
	struct coll_stage *next;
	struct vn_mem mem;
};

/* The smallest unused one that is large enough, but not far too large. */
static struct coll_stage *pick(struct vn_lib_comm *c, uint64_t bytes)
{
	struct coll_stage **at, **best = NULL, *s;

	for (at = &c->stages; *at; at = &(*at)->next)
		if ((*at)->mem.bytes >= bytes && (*at)->mem.bytes / 4 <= bytes &&
		    (!best || (*at)->mem.bytes < (*best)->mem.bytes))
			best = at;
	if (!best)
		return NULL;
	s = *best;
	*best = s->next;
	return s;
}

static struct coll_stage *make(struct vn_lib_comm *c, uint64_t bytes)
{
	uint32_t chip = c->team->board.member[c->rank].chip;
	struct coll_stage *s = calloc(1, sizeof(*s));
	int err = s ? vn_mem_alloc(c->team->dev, chip, bytes, &s->mem) : -ENOMEM;

	/* What is unused may be what is missing. */
	if (err == -ENOSPC && c->stages) {
		coll_stage_free(c);
		err = vn_mem_alloc(c->team->dev, chip, bytes, &s->mem);
	}
	if (!err)
		return s;
	coll_fail(c->team, err, "rank %u: no HBM for a buffer of %llu bytes that is not in HBM: %s",
		  c->rank, (unsigned long long)bytes, vn_error());
	free(s);
	return NULL;
}

char *coll_stage_take(struct vn_lib_comm *c, struct coll_pending *d, enum coll_end side,
		      uint64_t bytes)
{
	struct coll_stage *s = pick(c, bytes) ?: make(c, bytes);

	if (!s)
		return NULL;
	memcpy(s->mem.ptr, side == COLL_SEND ? d->call.send : d->call.recv, bytes);
	d->stage[side] = s;
	return s->mem.ptr;
}

void coll_stage_give(struct vn_lib_comm *c, struct coll_pending *d, bool well)
{
	struct coll_stage *s;

	for (enum coll_end side = COLL_SEND; side <= COLL_RECV; side++) {
		s = d->stage[side];
		if (!s)
			continue;
		if (side == COLL_RECV && well)
			memcpy(d->call.recv, s->mem.ptr, coll_receives(d));
		s->next = c->stages;
		c->stages = s;
		d->stage[side] = NULL;
	}
}

void coll_stage_free(struct vn_lib_comm *c)
{
	struct coll_stage *s;

	while ((s = c->stages)) {
		c->stages = s->next;
		vn_mem_free(c->team->dev, &s->mem);
		free(s);
	}
}
