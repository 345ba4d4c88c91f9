/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Allocations of this thread fail: one, or copying from or to user memory, the Nth from now
 * on; or, from some bytes on, all of those from the kernel's caches: what is tried another
 * way fails then, too. Only of a kernel with fault injection.
 */
#ifndef VN_TEST_NTH_H
#define VN_TEST_NTH_H

#include "abi/abi.h"

#define NTH_BYTES 192u /* N is so many bytes, when all fail behind them */
#define NTH_TIMES 1000000u

static struct {
	bool all;
	int one, space, times, me;
} nth = { .one = -1 };

#define FAILSLAB "/sys/kernel/debug/failslab/"

TAP_FN int nth_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	must(fd >= 0);
	return fd;
}

TAP_FN void nth_put(int fd, unsigned int value)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%u\n", value);

	must(write(fd, text, (size_t)bytes) == bytes);
}

/* These can be read once each time that they are opened. */
TAP_FN unsigned int nth_times(void)
{
	int fd = nth_open(FAILSLAB "times");
	char text[16] = "";

	must(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return (unsigned int)atoi(text);
}

TAP_FN bool nth_begin(void)
{
	nth.one = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth.one < 0)
		return false;
	nth.me = nth_open("/proc/self/make-it-fail");
	nth.space = nth_open(FAILSLAB "space");
	nth.times = nth_open(FAILSLAB "times");
	nth_put(nth_open(FAILSLAB "task-filter"), 1);
	nth_put(nth_open(FAILSLAB "probability"), 100);
	return true;
}

TAP_FN void nth_arm(unsigned int n)
{
	if (!nth.all) {
		char text[16];
		int bytes = snprintf(text, sizeof(text), "%u\n", n);

		must(pwrite(nth.one, text, (size_t)bytes, 0) == bytes);
		return;
	}
	nth_put(nth.space, (n - 1) * NTH_BYTES);
	nth_put(nth.times, NTH_TIMES);
	nth_put(nth.me, 1);
}

/* Has it happened? What is not used up may hit the very calls that ask. */
TAP_FN bool nth_disarm(void)
{
	char text[16] = "";
	bool hit;

	if (nth.all) {
		nth_put(nth.me, 0);
		return nth_times() != NTH_TIMES;
	}
	hit = pread(nth.one, text, sizeof(text) - 1, 0) >= 0 && !atoi(text);
	if (pwrite(nth.one, "0\n", 2, 0) < 0)
		must(pwrite(nth.one, "0\n", 2, 0) == 2);
	return hit;
}

#endif
