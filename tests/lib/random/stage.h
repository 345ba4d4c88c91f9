/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a script is carried out: the chips' memory and queues, and what went wrong first. */
#ifndef RANDOM_STAGE_H
#define RANDOM_STAGE_H

#include <pthread.h>

#include "say.h"

/* Of everything: what does not come so long never will. */
#define PATIENCE (60 * SECOND)

struct stage {
	struct script *s;
	vn_device_t dev;
	struct vn_mem hbm[CHIPS];
	uint8_t *host[CHIPS];
	vn_queue_t queue[CHIPS * QUEUES]; /* each its chip's thread's, as all of a chip is */
	uint32_t descriptors[CHIPS * QUEUES]; /* not reaped */
	vn_unique_id *id; /* of each communicator */
	bool failed; /* atomic: something; all leave */
	uint32_t loose; /* atomic: threads that have come to where an abort may be */
	pthread_mutex_t lock; /* first failure */
};

/* A thread, and the chips that are its own. */
struct actor {
	struct stage *g;
	uint32_t me;
	pthread_t thread;
	struct dice dice; /* of delays: not the script's */
	uint16_t owner[CHIPS]; /* of each chip, as far as it has come in the script */
	uint32_t grouped;
	bool loose;
	uint64_t ops, bytes, ways[VN_WAY_COUNT];
};

static void *memory(const struct stage *g, uint32_t chip, const struct range *r)
{
	uint8_t *base = r->host ? g->host[chip] : g->hbm[chip].ptr;

	return base + r->at;
}

static bool failed(const struct stage *g)
{
	return __atomic_load_n(&g->failed, __ATOMIC_ACQUIRE);
}

/* Only the first failure is told: others follow from it. */
static void fail(struct actor *a, const struct step *step, uint32_t r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void fail(struct actor *a, const struct step *step, uint32_t r, const char *fmt, ...)
{
	struct stage *g = a->g;
	char text[4096], what[1024];
	struct text t = { text, sizeof(text) };
	va_list args;
	bool first;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	say_step(&t, g->s, step, r);
	pthread_mutex_lock(&g->lock);
	first = !failed(g);
	__atomic_store_n(&g->failed, true, __ATOMIC_RELEASE);
	if (first)
		tap_diag("VN_SEED=%llu, thread %u of %u, %s\n#\t%s", (unsigned long long)g->s->seed,
			 a->me, g->s->threads, text, what);
	pthread_mutex_unlock(&g->lock);
}

#endif
