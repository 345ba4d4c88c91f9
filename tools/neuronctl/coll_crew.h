/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The threads that drive ranks, one for each of them or one for all: they do the same
 * work, meet in between, outside the library, and one that fails says why for all.
 */
#ifndef COLL_CREW_H
#define COLL_CREW_H

#include <sched.h>
#include <vneuron.h>

#include "ctl.h"

struct coll_crew {
	uint32_t members;
	bool crowded; /* more of them than CPUs */
	cpu_set_t cpus;
	uint32_t arrived, phase; /* of their meetings; atomic */
	bool failed; /* atomic; why is from whoever failed first */
	char why[512];
};

struct coll_member {
	struct coll_crew *crew;
	uint32_t number, first, own; /* ranks it drives */
	void (*work)(struct coll_member *m, void *arg);
	void *arg;
};

/* Does work on all members and waits for them; crew: zeroed before. Then look at failed. */
void coll_crew_work(struct coll_crew *w, uint32_t ranks, bool one_thread,
		    void (*work)(struct coll_member *m, void *arg), void *arg);
/* Because of the caller's vn_error(). */
void coll_crew_fail(struct coll_crew *w);
/* Waits until all members have called it. */
void coll_crew_meet(struct coll_crew *w);
/* With a CPU for each member, each has its own. */
void coll_member_place(const struct coll_member *m);

#endif
