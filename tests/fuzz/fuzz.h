/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A target eats bytes and stops the process when something is not as it has to be;
 * a sanitizer does the same. It is linked with libFuzzer (fuzz.sh), which looks for
 * such bytes, or with replay.c, which goes through those that are kept in corpus/.
 *
 * Whatever a target keeps from one input to the next must not show: the same bytes do
 * the same again.
 */
#ifndef VN_FUZZ_H
#define VN_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_FN static inline __attribute__((unused))

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fuzz_fail(#cond, __FILE__, __LINE__);                                      \
	} while (0)

__attribute__((noreturn)) FUZZ_FN void fuzz_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* Bytes that are left to be eaten; when there are none, zeros come. */
struct fuzz_in {
	const uint8_t *at;
	size_t left;
};

FUZZ_FN void fuzz_take(struct fuzz_in *in, void *to, size_t bytes)
{
	size_t n = bytes < in->left ? bytes : in->left;

	if (n)
		memcpy(to, in->at, n);
	memset((uint8_t *)to + n, 0, bytes - n);
	in->at += n;
	in->left -= n;
}

FUZZ_FN uint8_t fuzz_u8(struct fuzz_in *in)
{
	uint8_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

FUZZ_FN uint16_t fuzz_u16(struct fuzz_in *in)
{
	uint16_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

FUZZ_FN uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

FUZZ_FN uint64_t fuzz_u64(struct fuzz_in *in)
{
	uint64_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

/* A copy that is exactly as long, so that a sanitizer sees one byte too many. */
FUZZ_FN void *fuzz_copy(const void *from, size_t bytes)
{
	void *to = malloc(bytes ?: 1);

	if (!to)
		abort();
	if (bytes)
		memcpy(to, from, bytes);
	return to;
}

#endif
