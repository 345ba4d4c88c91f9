/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One rank, while it joins: join.c for what all do, guest.c for ranks of several
 * processes. Everything here is called with the registry held.
 */
#ifndef VN_COLL_JOIN_H
#define VN_COLL_JOIN_H

#include <sched.h>

#include "team.h"

/* How long who joins looks at one thing, before it looks whether all has changed. */
#define JOIN_LOOK_NS 20000000ull

struct joining {
	struct coll_team *team;
	struct vn_lib_comm *comm;
	const struct vn_config *config;
	uint32_t rank;
	uint64_t timeout_ns, end;
	int listener; /* rank 0: where others knock, -1: nowhere */
	int domain; /* and the domain they are given */
	int guest[VN_MAX_CHIPS]; /* and who of them waits for the word */
	int word; /* others: where it will come, -1: not let in yet */
};

/* Where several processes can meet, others may come from elsewhere. */
static inline bool join_meets_others(const struct coll_team *t)
{
	return t->dev->home == &vn_home_kernel && !t->complete && !t->join_error;
}

/* What the device does for the team: made by the last to join, for all. */
int join_connect(struct coll_team *t);
/* All are there, or (err) it comes to nothing. */
void join_complete(struct coll_team *t, int err);
/* May this rank join? 0, or what is wrong. */
int join_checks(struct coll_team *t, uint32_t ranks, uint32_t rank, uint32_t chip);
/* How often a chip has been lost and found, in turn: odd, it is lost. */
uint32_t join_born(const struct coll_team *t, uint32_t chip);
/* The error of a rank that comes with such a chip. */
int join_lost(uint32_t rank, uint32_t chip);
/* A rank more, whose chip was that when it came; of the process of rank 0, all count. */
void join_count_rank(struct coll_team *t, uint32_t rank, uint32_t chip, uint32_t born, pid_t pid);
/* A rank's thread may be bound to a CPU of its own: only all of them know how many there are. */
void join_count_cores(struct coll_team *t, const cpu_set_t *set);

/*
 * guest.c. Rank 0: the board becomes a file, and it listens; lets in who knocks, one at a
 * time. Others: ask to be let in; wait for the word that all are there. All let go of the
 * registry while they talk.
 */
int join_found(struct joining *j);
int join_welcome(struct joining *j);
int join_knock(struct joining *j);
void join_await_word(struct joining *j);

#endif
