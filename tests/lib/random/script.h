/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A script: what every rank does, step by step, drawn from a seed before anybody
 * begins. All threads walk through the same steps in the same order and do their
 * part of each; what memory must then hold was worked out when the script was drawn.
 * Nothing of a script changes while it is carried out, but what is marked.
 */
#ifndef RANDOM_SCRIPT_H
#define RANDOM_SCRIPT_H

#include <vneuron/coll.h>

#include "../fixture.h"
#include "dice.h"

#define CHIPS VN_MAX_CHIPS
#define QUEUES 2u
#define QUEUE_DEPTH 64u
/* At both ends of a chip's memory: nobody uses it, and it is looked at in the end. */
#define MARGIN 64u
#define NO_STREAM (-1)
/* That may be there at a time, and more. */
#define TEAMS 64u

enum kind {
	MAKE, /* a communicator */
	END,
	OPERATE, /* a collective */
	EXCHANGE, /* sends and receives */
	ONE_SIDED, /* puts and gets, between barriers or with signals */
	WINDOW,
	NO_WINDOW,
	KEEP, /* a persistent operation */
	LAUNCH,
	FORGET,
	GROUP, /* up to */
	GROUP_END,
	/* of one chip: */
	COPY, /* a descriptor */
	WAIT, /* for its operations on a communicator */
	SYNC, /* for a queue */
	STATUS,
	WRITE, /* by the CPU */
	LOOK, /* at memory */
	HAND, /* to another thread */
	ABORT, /* of all ranks: one begins */
	KINDS,
};

/* Bytes in the memory of a chip. */
struct range {
	uint32_t at, bytes;
	bool host; /* else HBM */
};

/* What a rank brings to a collective. bytes 0: it does not use that one. */
struct buffers {
	struct range send, recv;
	bool in_place;
	/* PREMULSUM: the scalar, or where it is read when the operation begins */
	uint64_t value;
	struct range scalar;
};

/* Elements of the blocks [from][to] (by_to: [to][from]), and where they begin. */
struct blocks {
	size_t *n, *by_to, *sent_at, *received_at;
	bool packed; /* one behind the other: the library may know itself */
};

struct call {
	enum vn_coll op;
	enum vn_type type;
	enum vn_redop redop;
	enum vn_way way;
	uint32_t root;
	uint64_t count;
	int *to; /* permute */
	struct blocks *blocks; /* NULL: of equal length */
	struct buffers *of; /* [ranks] */
	bool ended; /* of a persistent one */
	vn_persistent_t *kept; /* [ranks], each its thread's */
};

/* From one rank to another. */
struct message {
	enum vn_coll op; /* SEND; or PUT, GET by `from` */
	enum vn_type type;
	uint32_t from, to, count, signal;
	struct range here, there; /* in the memory of `from`, of `to` */
	uint32_t offset; /* in the window of `to` */
};

struct team {
	uint32_t number, ranks;
	uint16_t chip[CHIPS]; /* of each rank; places in script.chip */
	int16_t rank[CHIPS]; /* of each chip; -1: none */
	bool by_one; /* one thread makes all handles */
	bool check, listed; /* its ranks register their memory */
	enum vn_way way;
	uint64_t costs; /* 0: the library's */
	/* while it is drawn: */
	bool ended;
	struct range *windows; /* NULL: there is none */
	struct call *before; /* the last one, or NULL */
	/* while it is carried out, each its thread's: */
	vn_comm_t comm[CHIPS];
	vn_comm_window_t handle[CHIPS];
	void *registered[CHIPS];
	uint64_t started[CHIPS];
	vn_comm_t all[CHIPS]; /* by_one: as that one got them */
	uint32_t made; /* atomic: they are there */
};

/* What a range must hold then. */
struct look {
	struct range range;
	uint8_t *want;
};

struct step {
	enum kind kind;
	uint32_t number;
	struct team *team;
	int chip; /* whose step it is; -1: that of all ranks */
	struct call *call;
	int16_t *stream; /* [ranks], or of the chip: number of a queue */
	struct message *messages;
	uint32_t n; /* messages, looks, nesting of a group, how far back, to which thread */
	struct look *looks;
	struct range *windows; /* WINDOW: [ranks] */
	struct range from, to; /* COPY, WRITE: to */
	uint64_t salt; /* WRITE: what; else variants of the same step */
	bool loose; /* may fail because somebody aborts */
	/* while it is carried out: */
	uint32_t handed; /* atomic: HAND: it is */
};

struct script {
	uint64_t seed;
	uint32_t chips, threads, room;
	uint16_t chip[CHIPS]; /* numbers on the device, */
	uint16_t owner[CHIPS]; /* and the thread that drives it, in the beginning */
	uint8_t *model[CHIPS][2]; /* HBM, host memory: what they must hold */
	struct step **steps;
	uint32_t nsteps;
	struct team **teams;
	uint32_t nteams;
	struct piece *pieces; /* of its own memory */
};

struct piece {
	struct piece *next;
	uint64_t bytes[];
};

/* Zeroed memory that goes with the script. */
static void *script_alloc(struct script *s, size_t bytes)
{
	struct piece *p = calloc(1, sizeof(*p) + bytes);

	if (!p)
		abort();
	p->next = s->pieces;
	s->pieces = p;
	return p->bytes;
}

/* One more place at the end of a list of pointers. */
static void script_append(void *list, uint32_t *n, void *item)
{
	void ***to = list;

	if (!(*n & (*n - 1))) {
		*to = realloc(*to, (*n ? 2 * *n : 1) * sizeof(**to));
		if (!*to)
			abort();
	}
	(*to)[(*n)++] = item;
}

static void script_free(struct script *s)
{
	struct piece *p;

	while ((p = s->pieces)) {
		s->pieces = p->next;
		free(p);
	}
	for (uint32_t c = 0; c < s->chips; c++) {
		free(s->model[c][0]);
		free(s->model[c][1]);
	}
	free(s->steps);
	free(s->teams);
	free(s);
}

static uint8_t *model_at(const struct script *s, uint32_t chip, const struct range *r)
{
	return s->model[chip][r->host] + r->at;
}

static bool overlap(const struct range *a, const struct range *b)
{
	return a->host == b->host && a->bytes && b->bytes && a->at < b->at + b->bytes &&
	       b->at < a->at + a->bytes;
}

/* Pseudo-random bytes, which the model and a rank make alike. */
static void scribble(uint8_t *to, uint32_t bytes, uint64_t salt)
{
	struct dice d = { salt };
	uint64_t x;

	for (; bytes >= 8; bytes -= 8, to += 8) {
		x = roll64(&d);
		memcpy(to, &x, 8);
	}
	x = roll64(&d);
	memcpy(to, &x, bytes);
}

#endif
