// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A rank stops at one of its steps, for tests. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "step.h"

bool coll_stops;

static struct {
	unsigned int rank, step;
	bool hang;
	unsigned int taken; /* atomic */
} plan;

void coll_stop_init(void)
{
	const char *text = secure_getenv("VNEURON_COLL_STOP");
	char hang[8] = "";
	int n = text ? sscanf(text, "%u:%u:%7s", &plan.rank, &plan.step, hang) : 0;

	plan.hang = n == 3;
	plan.taken = 0;
	__atomic_store_n(&coll_stops, n >= 2, __ATOMIC_RELAXED);
}

void coll_stop(uint32_t rank)
{
	if (rank != plan.rank || __atomic_add_fetch(&plan.taken, 1, __ATOMIC_RELAXED) != plan.step)
		return;
	if (!plan.hang)
		kill(getpid(), SIGKILL);
	for (;;)
		pause();
}
