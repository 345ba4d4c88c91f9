/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Test results in TAP, the little of it that run.sh reads: one line a point,
 * the plan at the end. Points are counted by the main thread only; threads of
 * a test hand their findings to it.
 *
 *	int main(void)
 *	{
 *		tap_ok(1 + 1 == 2, "one and one make %d", 2);
 *		return tap_done();
 *	}
 */
#ifndef VN_TAP_H
#define VN_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TAP_FN static inline __attribute__((unused))

static struct {
	unsigned int points, failed;
} tap_state;

/* One point. Returns cond, so that a test can stop what makes no more sense. */
TAP_FN __attribute__((format(printf, 2, 3))) int tap_ok(int cond, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("%sok %u - ", cond ? "" : "not ", ++tap_state.points);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	if (!cond)
		tap_state.failed++;
	/* What a crash follows must be on paper. */
	fflush(stdout);
	return cond;
}

/* A point that can't be had here, and why. */
TAP_FN void tap_skip(const char *reason)
{
	printf("ok %u # SKIP %s\n", ++tap_state.points, reason);
	fflush(stdout);
}

TAP_FN __attribute__((format(printf, 1, 2))) void tap_diag(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("# ", stdout);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	fflush(stdout);
}

/* The plan. What main() returns: 0, or 1 if a point failed or there was none. */
TAP_FN int tap_done(void)
{
	printf("1..%u\n", tap_state.points);
	fflush(stdout);
	return tap_state.failed || !tap_state.points;
}

/* Nothing of this program can be tested here. */
TAP_FN __attribute__((noreturn)) void tap_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	fflush(stdout);
	exit(77);
}

#endif
