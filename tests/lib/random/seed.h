/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whatever ends the program, or what a sanitizer has to say, the seed is told with it. */
#ifndef RANDOM_SEED_H
#define RANDOM_SEED_H

#include <signal.h>

#include "../fixture.h"

static volatile uint64_t seed_now;
static struct sigaction seed_before[NSIG];

static void seed_say(void)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "# at VN_SEED=%llu\n", (unsigned long long)seed_now);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		return;
}

/* Then it goes on as without. */
static void seed_signal(int sig)
{
	seed_say();
	sigaction(sig, &seed_before[sig], NULL);
	if (sig == SIGTERM || sig == SIGABRT)
		raise(sig);
}

static void seed_init(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM };
	struct sigaction a = { .sa_handler = seed_signal };

	for (uint32_t i = 0; i < COUNT(signals); i++)
		sigaction(signals[i], &a, &seed_before[signals[i]]);
}

/* Called by the sanitizers, where the program is built with one. */
void __tsan_on_report(void *report);
void __asan_on_error(void);

void __tsan_on_report(void *report)
{
	(void)report;
	seed_say();
}

void __asan_on_error(void)
{
	seed_say();
}

#endif
