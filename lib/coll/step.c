// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A rank stops at one of its steps, for tests. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "step.h"

bool coll_stops;

/* Atomic: ranks of other communicators may be at a step. */
static struct {
	unsigned int rank, step, hang, taken, hung;
} plan;

static void set(unsigned int *word, unsigned int to)
{
	__atomic_store_n(word, to, __ATOMIC_RELAXED);
}

static unsigned int get(const unsigned int *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

void coll_stop_init(void)
{
	const char *text = secure_getenv("VNEURON_COLL_STOP");
	unsigned int rank, step;
	char hang[8] = "";
	int n = text ? sscanf(text, "%u:%u:%7s", &rank, &step, hang) : 0;

	if (n >= 2) {
		set(&plan.rank, rank);
		set(&plan.step, step);
		set(&plan.hang, n == 3);
		set(&plan.taken, 0);
	}
	/* What a thread had done before it stopped comes before what is begun now. */
	__atomic_load_n(&plan.hung, __ATOMIC_ACQUIRE);
	__atomic_store_n(&coll_stops, n >= 2, __ATOMIC_RELAXED);
}

void coll_stop(uint32_t rank)
{
	if (rank != get(&plan.rank) ||
	    __atomic_add_fetch(&plan.taken, 1, __ATOMIC_RELAXED) != get(&plan.step))
		return;
	if (!get(&plan.hang))
		kill(getpid(), SIGKILL);
	__atomic_fetch_add(&plan.hung, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}
