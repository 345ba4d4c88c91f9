// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory of ranks in other processes: windows mapped by their keys when they are first
 * met, and kept. Keys are never used twice for other memory, so a mapping is right as
 * long as its key is heard of; when there are very many, all go at a time at which
 * nobody uses any.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"

#define BUCKETS 256u

struct import {
	struct import *next;
	uint32_t chip, key;
	struct vn_import map;
};

struct coll_reach {
	pthread_mutex_t lock;
	uint32_t users, imports;
	struct import *bucket[BUCKETS];
};

static struct import **bucket(struct coll_reach *r, uint32_t chip, uint32_t key)
{
	return &r->bucket[(chip * 31 + key + (key >> 16) * 7) % BUCKETS];
}

static void drop_all(struct coll_team *t)
{
	struct coll_reach *r = t->reach;
	struct import *i;

	for (uint32_t b = 0; b < BUCKETS; b++) {
		while ((i = r->bucket[b])) {
			r->bucket[b] = i->next;
			vn_window_unmap(t->dev, &i->map);
			free(i);
		}
	}
	r->imports = 0;
}

int coll_reach_init(struct coll_team *t)
{
	t->reach = calloc(1, sizeof(*t->reach));
	if (!t->reach)
		return vn_fail(-ENOMEM, "no memory for a communicator of %u ranks", t->ranks);
	vn_lock_init(&t->reach->lock);
	return 0;
}

void coll_reach_free(struct coll_team *t)
{
	if (!t->reach)
		return;
	drop_all(t);
	pthread_mutex_destroy(&t->reach->lock);
	free(t->reach);
}

/* lock held */
static struct import *import(struct coll_team *t, uint32_t rank, uint32_t key,
			     const struct coll_over *over)
{
	uint32_t chip = t->board.member[rank].chip;
	struct import **at = bucket(t->reach, chip, key), *i;
	int err;

	for (i = *at; i; i = i->next)
		if (i->chip == chip && i->key == key)
			return i;
	i = calloc(1, sizeof(*i));
	err = i ? vn_window_map(t->dev, chip, key, VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE,
				&i->map)
		: vn_fail(-ENOMEM, "no memory");
	if (err) {
		free(i);
		/* Others were through with it before this rank came to look. */
		if (over && over->is(over->of))
			return NULL;
		coll_fail_reach(t, rank, err);
		return NULL;
	}
	i->chip = chip;
	i->key = key;
	i->next = *at;
	*at = i;
	t->reach->imports++;
	return i;
}

static void enter(struct coll_team *t)
{
	struct coll_reach *r = t->reach;

	pthread_mutex_lock(&r->lock);
	if (!r->users && r->imports > 16 * t->ranks + 64)
		drop_all(t);
	r->users++;
}

/* lock held. NULL: it is over, or the communicator has failed. */
static char *place(struct coll_team *t, uint32_t rank, uint32_t key, uint64_t at,
		   const struct coll_over *over)
{
	const struct import *i = import(t, rank, key, over);

	if (i && at <= i->map.bytes)
		return (char *)i->map.ptr + at;
	if (i)
		coll_fail(t, -ERANGE, "rank %u: says a place beyond its memory", rank);
	return NULL;
}

char *coll_reach(struct coll_team *t, uint32_t rank, uint32_t key, uint64_t at,
		 const struct coll_over *over)
{
	char *p;

	enter(t);
	p = place(t, rank, key, at, over);
	pthread_mutex_unlock(&t->reach->lock);
	return p;
}

void coll_reached(struct coll_team *t)
{
	pthread_mutex_lock(&t->reach->lock);
	t->reach->users--;
	pthread_mutex_unlock(&t->reach->lock);
}

struct job {
	const struct coll_team *team;
	uint64_t seq;
};

static bool job_done(const void *of)
{
	const struct job *j = of;

	return __atomic_load_n(&coll_slot(j->team, j->seq)->state, __ATOMIC_ACQUIRE) >=
	       coll_state(j->seq, COLL_DONE);
}

bool coll_view(struct coll_team *t, uint64_t seq, struct coll_view *v)
{
	const struct coll_over over = { job_done, &(const struct job){ t, seq } };
	const struct coll_post *post = coll_posts(t, seq);
	bool all = true;

	enter(t);
	for (uint32_t r = 0; all && r < t->ranks; r++) {
		for (uint32_t side = 0; all && side < 2; side++) {
			v->at[side][r] = NULL;
			if (!post[r].key[side])
				continue;
			v->at[side][r] = place(t, r, post[r].key[side], post[r].at[side], &over);
			all = v->at[side][r];
		}
	}
	pthread_mutex_unlock(&t->reach->lock);
	return all;
}
