/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One allocation, or copy from or to user memory, of this thread fails: the Nth from now
 * on. Only of a kernel with fault injection.
 */
#ifndef VN_TEST_NTH_H
#define VN_TEST_NTH_H

#include "abi/abi.h"

static int nth_fd = -1;

TAP_FN bool nth_begin(void)
{
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth_fd >= 0;
}

TAP_FN void nth_arm(unsigned int n)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%u\n", n);

	must(pwrite(nth_fd, text, (size_t)bytes, 0) == bytes);
}

/* Has it happened? What is not used up may hit the very calls that ask. */
TAP_FN bool nth_disarm(void)
{
	char text[16] = "";
	bool hit;

	hit = pread(nth_fd, text, sizeof(text) - 1, 0) >= 0 && !atoi(text);
	if (pwrite(nth_fd, "0\n", 2, 0) < 0)
		must(pwrite(nth_fd, "0\n", 2, 0) == 2);
	return hit;
}

#endif
