/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What joining (join.c) needs of teams (team.c). */
#ifndef VN_COLL_TEAM_H
#define VN_COLL_TEAM_H

#include "coll.h"

/* Guards the list of teams, their refs, and who has joined until all have. */
extern pthread_mutex_t coll_registry;

/* The rest with the registry held. The team of that id, made for its first rank: a reference. */
int coll_team_get(const vn_unique_id *id, uint32_t ranks, vn_device_t dev, uint32_t rank,
		  struct coll_team **to);
/* Gives it back, and drops the registry. */
void coll_team_put(struct coll_team *t);
/*
 * Its board is that file from now on, which the team takes. along: with those who have
 * joined; else it is another process's, which knows better.
 */
int coll_team_move(struct coll_team *t, int fd, bool along);

/* That of the calling thread's vn_set_chip(), or NULL. */
vn_device_t coll_set_device(void);

struct vn_lib_comm *coll_comm_new(struct coll_team *t, uint32_t rank);
void coll_comm_free(struct vn_lib_comm *c);

#endif
