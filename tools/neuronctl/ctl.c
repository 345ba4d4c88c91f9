// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the objects share: the device, errors, numbers. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

int ctl_fail(const char *fmt, ...)
{
	va_list ap;

	/* What was printed before comes first, also when both go to one file. */
	fflush(stdout);
	fputs("neuronctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
	return CTL_FAILED;
}

int ctl_fail_lib(void)
{
	return ctl_fail("%s", vn_error());
}

int ctl_flush(void)
{
	/* An error of an earlier, implicit write has left no reason. */
	errno = EIO;
	if (fflush(stdout) || ferror(stdout))
		return ctl_fail("standard output: %s", strerror(errno));
	return CTL_OK;
}

int ctl_open(struct ctl *c)
{
	if (vn_open(c->device, &c->dev)) {
		c->dev = NULL;
		return ctl_fail_lib();
	}
	if (vn_device_query(c->dev, &c->q))
		return ctl_fail_lib();
	return CTL_OK;
}

bool ctl_number(const char *text, bool units, uint64_t *n)
{
	static const char unit[] = "KMG";
	const char *u;

	for (*n = 0; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(*n, 10, n) ||
		    __builtin_add_overflow(*n, (uint64_t)(*text - '0'), n))
			return false;
		/* So that an empty text, or one without digits, is none. */
		if (!text[1])
			return true;
		u = units && !text[2] ? strchr(unit, text[1]) : NULL;
		if (u)
			return !__builtin_mul_overflow(*n, 1ull << (10 * (u - unit + 1)), n);
	}
	return false;
}

int ctl_option_number(const struct ctl *c, int opt, bool units, uint64_t otherwise, uint64_t least,
		      uint64_t most, uint64_t *n)
{
	const char *text = c->option[opt];

	*n = otherwise;
	if (text && (!ctl_number(text, units, n) || *n < least || *n > most))
		return ctl_usage(c, "--%s %s: want %" PRIu64 " to %" PRIu64,
				 c->command->options[opt].name, text, least, most);
	return CTL_OK;
}

void ctl_no_memory(void)
{
	exit(ctl_fail("out of memory"));
}

void *ctl_realloc(void *old, size_t n, size_t bytes)
{
	void *p = reallocarray(old, n ? n : 1, bytes);

	if (!p)
		ctl_no_memory();
	return p;
}
