/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Communicators as vn_ranks() shows them: which ranks are there, and where they stand. */
#ifndef COLL_COMM_H
#define COLL_COMM_H

#include <vneuron/coll.h>

#include "ctl.h"

/* Ranks by communicator, user and number. */
struct coll_seen {
	struct vn_rank *rank;
	uint32_t n;
};

/* Opens the device and asks; of what anybody is still in. Exit status. */
int coll_see(struct ctl *c, struct coll_seen *s);
void coll_seen_free(struct coll_seen *s);
/* Says that there are none, and why none could be seen. */
void coll_seen_none(const struct ctl *c);

/* What a rank does, in a word: joining, idle, called, waits, agreeing, failed, left. */
const char *coll_rank_state(const struct vn_rank *r);
/* It is in a collective, or failed in one. */
bool coll_rank_meets(const struct vn_rank *r);
/* "all_reduce", or "operation 40" of a newer library. */
struct coll_word {
	char s[32];
} coll_op_word(uint32_t op);
/* The operation in words: "4.0 KiB float32 sum, root 0"; "" when there is nothing to say. */
void coll_op_details(const struct vn_rank *r, char *text, size_t size);
/* "12.3 s", "40 ms" */
struct coll_word coll_time(uint64_t ns);

/* Where a rank stands in the operation that its communicator has come to. */
enum coll_stand {
	COLL_MISSING, /* nobody says anything of it */
	COLL_LEFT,
	COLL_JOINING,
	COLL_BEHIND, /* it has not called it */
	COLL_HELD, /* it has, but what it did before is not done */
	COLL_WAITS,
	COLL_PAST, /* it is through with it */
	COLL_STANDS,
};

/* One communicator, looked at. */
struct coll_comm {
	const char *name;
	uint32_t uid, ranks;
	const struct vn_rank *of[VN_MAX_CHIPS]; /* NULL: missing */
	enum coll_stand stand[VN_MAX_CHIPS];
	bool odd[VN_MAX_CHIPS]; /* calls something else than the others */
	uint32_t count[COLL_STANDS], odds, failed, pairs, agreeing;
	const struct vn_rank *at; /* a rank in that operation; NULL: in none */
	uint64_t waits_ns; /* the longest that anybody waits */
};

/* The communicator of rows from s->rank[*row] on, which moves behind it. */
void coll_comm_look(const struct coll_seen *s, uint32_t *row, struct coll_comm *m);

/* coll_why.c: what state it is in, in a word, and the reason in a sentence. */
const char *coll_comm_state(const struct coll_comm *m);
void coll_comm_why(const struct coll_comm *m, char *text, size_t size);

#endif
