/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A persistent operation (call.h), its handles on all ranks, and what to do with them. */
#ifndef VN_TEST_PREPARED_H
#define VN_TEST_PREPARED_H

#include "expect.h"

struct prepared {
	struct call call;
	vn_persistent_t handle[VN_MAX_CHIPS];
};

static struct crew crew;
static struct prepared *now; /* the one that the functions for ranks are about */

static UNUSED int rank_init(struct rank *me)
{
	const struct vn_op op = call_record(&now->call, me->number);

	return vn_op_init(&op, me->comm, &now->handle[me->number]);
}

static UNUSED int rank_launch(struct rank *me)
{
	return vn_op_launch(now->handle[me->number], NULL, NULL);
}

/* The same operation, not prepared. */
static UNUSED int rank_call(struct rank *me)
{
	return call_start(&now->call, me->number, me->comm, NULL);
}

static UNUSED int rank_free(struct rank *me)
{
	return vn_op_free(now->handle[me->number]);
}

static UNUSED unsigned int prepare(struct prepared *p, const struct shape *s)
{
	unsigned int bad = 0;

	now = p;
	call_make(&p->call, s);
	for (int r = 0; r < crew.ranks && p->call.redop == VN_PREMULSUM; r++)
		bad += call_premul(&p->call, r, crew.rank[r].comm) != 0;
	bad += crew_do(&crew, rank_init);
	/* It keeps its factors. */
	for (int r = 0; r < crew.ranks && p->call.redop == VN_PREMULSUM; r++)
		bad += vn_red_op_destroy(p->call.made[r], crew.rank[r].comm) != 0;
	return bad;
}

/* With new data. Returns what is wrong then. */
static UNUSED uint64_t do_once(struct prepared *p, int (*fn)(struct rank *me))
{
	uint64_t wrong;

	now = p;
	call_fill(&p->call);
	call_expect(&p->call);
	wrong = crew_do(&crew, fn);
	return wrong + call_wrong(&p->call);
}

static UNUSED unsigned int forget(struct prepared *p)
{
	unsigned int bad = 0;

	now = p;
	for (int r = 0; r < crew.ranks; r++)
		bad += rank_free(&crew.rank[r]) != 0;
	return bad;
}

static UNUSED struct vn_comm_stats stats(void)
{
	struct vn_comm_stats s;

	NEED(vn_comm_stats(crew.rank[0].comm, &s));
	return s;
}

#endif
