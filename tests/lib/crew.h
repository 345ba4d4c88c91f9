/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ranks of a communicator, for tests: each driven by a thread of its own, or all
 * of them by one thread, in groups. What a test does on one rank is written once.
 */
#ifndef VN_TEST_CREW_H
#define VN_TEST_CREW_H

#include <pthread.h>

#include <vneuron/coll.h>

#include "fixture.h"

enum driven { BY_THREADS, BY_ONE, DRIVEN };

struct crew;

struct rank {
	struct crew *crew;
	int number;
	vn_comm_t comm;
	int (*fn)(struct rank *me);
	void *arg; /* the test's */
	int err; /* of crew_run() */
	char text[512]; /* and what it says */
	pthread_t thread;
};

struct crew {
	vn_device_t dev;
	int ranks;
	enum driven by;
	struct rank rank[VN_MAX_CHIPS];
};

static UNUSED const char *driven_text(enum driven by)
{
	return by == BY_ONE ? "one thread" : "threads";
}

/* Rank r is chip first + r. config NULL: nothing of it takes longer than LONG. */
static UNUSED void crew_make_from(struct crew *c, vn_device_t dev, int first, int ranks,
				  enum driven by, const struct vn_config *config)
{
	struct vn_config patient = VN_CONFIG_INITIALIZER;
	int chip[VN_MAX_CHIPS] = { 0 };
	vn_comm_t comm[VN_MAX_CHIPS];

	memset(c, 0, sizeof(*c));
	c->dev = dev;
	c->ranks = ranks;
	c->by = by;
	patient.timeout_ns = LONG;
	for (int r = 0; r < ranks; r++)
		chip[r] = first + r;
	NEED(vn_set_chip(dev, 0));
	NEED(vn_comm_init_all_config(comm, ranks, chip, config ? config : &patient));
	for (int r = 0; r < ranks; r++)
		c->rank[r] = (struct rank){ .crew = c, .number = r, .comm = comm[r] };
}

/* The same from chip 0 on. */
static UNUSED void crew_make(struct crew *c, vn_device_t dev, int ranks, enum driven by,
			     const struct vn_config *config)
{
	crew_make_from(c, dev, 0, ranks, by, config);
}

static UNUSED void rank_said(struct rank *me, int err)
{
	me->err = err;
	if (err)
		snprintf(me->text, sizeof(me->text), "%s", vn_error());
}

static UNUSED void *rank_main(void *arg)
{
	struct rank *me = arg;

	int err = me->fn(me);

	/* It may have given its handle up. */
	rank_said(me, err || !me->comm ? err : vn_comm_sync(me->comm, LONG));
	return NULL;
}

static UNUSED void run_by_one(struct crew *c, int (*fn)(struct rank *me))
{
	int err;

	vn_group_start();
	for (int r = 0; r < c->ranks; r++)
		rank_said(&c->rank[r], fn(&c->rank[r]));
	err = vn_group_end();
	for (int r = 0; r < c->ranks; r++)
		if (!c->rank[r].err)
			rank_said(&c->rank[r], vn_comm_sync(c->rank[r].comm, LONG) ?: err);
}

/*
 * fn starts something on its rank; returns when that is done on all of them. The first
 * rank that failed, or NULL.
 */
static UNUSED struct rank *crew_run(struct crew *c, int (*fn)(struct rank *me))
{
	if (c->by == BY_ONE) {
		run_by_one(c, fn);
	} else {
		for (int r = 0; r < c->ranks; r++) {
			c->rank[r].fn = fn;
			if (pthread_create(&c->rank[r].thread, NULL, rank_main, &c->rank[r]))
				NEED(-EAGAIN);
		}
		for (int r = 0; r < c->ranks; r++)
			pthread_join(c->rank[r].thread, NULL);
	}
	for (int r = 0; r < c->ranks; r++)
		if (c->rank[r].err)
			return &c->rank[r];
	return NULL;
}

/* The same for what must not fail. Returns how many did. */
static UNUSED unsigned int crew_do(struct crew *c, int (*fn)(struct rank *me))
{
	struct rank *bad = crew_run(c, fn);

	if (bad)
		tap_diag("rank %d of %d, by %s: %d: %s", bad->number, c->ranks, driven_text(c->by),
			 bad->err, bad->text);
	return bad != NULL;
}

/* Whether all ranks failed with that. */
static UNUSED bool crew_failed(struct crew *c, int (*fn)(struct rank *me), int err)
{
	bool all = true;

	crew_run(c, fn);
	for (int r = 0; r < c->ranks; r++) {
		if (c->rank[r].err == err)
			continue;
		tap_diag("rank %d: %d (%s), not %d", r, c->rank[r].err, c->rank[r].text, err);
		all = false;
	}
	return all;
}

/* Handles that a test has taken for itself are NULL. */
static UNUSED void crew_end(struct crew *c)
{
	int err;

	for (int r = 0; r < c->ranks; r++) {
		if (!c->rank[r].comm)
			continue;
		vn_comm_get_async_error(c->rank[r].comm, &err);
		if (err)
			vn_comm_abort(c->rank[r].comm);
		else
			NEED(vn_comm_destroy(c->rank[r].comm));
	}
}

#endif
