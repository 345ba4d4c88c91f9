// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "coll_crew.h"

void coll_crew_fail(struct coll_crew *w)
{
	char why[sizeof(w->why)];

	snprintf(why, sizeof(why), "%s", vn_error());
	if (!__atomic_exchange_n(&w->failed, true, __ATOMIC_ACQ_REL))
		memcpy(w->why, why, sizeof(why));
}

static void *member_main(void *arg)
{
	struct coll_member *m = arg;

	m->work(m, m->arg);
	return NULL;
}

void coll_crew_work(struct coll_crew *w, uint32_t ranks, bool one_thread,
		    void (*work)(struct coll_member *m, void *arg), void *arg)
{
	pthread_t thread[VN_MAX_CHIPS];
	struct coll_member m[VN_MAX_CHIPS];
	uint32_t i;

	w->members = one_thread ? 1 : ranks;
	if (sched_getaffinity(0, sizeof(w->cpus), &w->cpus))
		CPU_ZERO(&w->cpus);
	w->crowded = w->members > (uint32_t)CPU_COUNT(&w->cpus);
	for (i = 0; i < w->members; i++)
		m[i] = (struct coll_member){ .crew = w,
					     .number = i,
					     .first = i,
					     .own = one_thread ? ranks : 1,
					     .work = work,
					     .arg = arg };
	if (one_thread) {
		work(&m[0], arg);
		return;
	}
	for (i = 0; i < w->members; i++)
		if (pthread_create(&thread[i], NULL, member_main, &m[i]))
			ctl_no_memory();
	for (i = 0; i < w->members; i++)
		pthread_join(thread[i], NULL);
}

void coll_crew_meet(struct coll_crew *w)
{
	uint32_t seen = __atomic_load_n(&w->phase, __ATOMIC_RELAXED), n = 0;

	if (__atomic_add_fetch(&w->arrived, 1, __ATOMIC_ACQ_REL) == w->members) {
		__atomic_store_n(&w->arrived, 0, __ATOMIC_RELAXED);
		/* Releases what all of them wrote; pairs with the loads below. */
		__atomic_store_n(&w->phase, seen + 1, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&w->phase, __ATOMIC_ACQUIRE) == seen)
		if (w->crowded || ++n % 4096 == 0)
			sched_yield();
}

void coll_member_place(const struct coll_member *m)
{
	const struct coll_crew *w = m->crew;
	uint32_t n = 0;
	cpu_set_t one;
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE && !w->crowded && w->members > 1; cpu++) {
		if (!CPU_ISSET(cpu, &w->cpus) || n++ != m->number)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
}
