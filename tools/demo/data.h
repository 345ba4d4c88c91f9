/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Samples: handwritten digits from a text file, shuffled and split. */
#ifndef DEMO_DATA_H
#define DEMO_DATA_H

#include <stdint.h>

#define DIGIT_PIXELS 64u
#define DIGIT_CLASSES 10u

struct digit {
	float pixel[DIGIT_PIXELS]; /* 0 to 1 */
	int32_t label; /* 0 to 9 */
};

/* The first `train` samples are for training, the others are held out. */
struct digits {
	struct digit *at;
	uint32_t count, train;
};

/*
 * Reads a file (see digits.README for the format), shuffles it, always the same
 * way for the same seed, and holds out about a fifth. NULL: digits.csv as it
 * lies in the source tree or the installation of this program. -1 after a
 * message that names the file, and the line if one is to blame.
 */
int digits_load(struct digits *d, const char *file, uint64_t seed);
void digits_free(struct digits *d);

/* The next number of a sequence that is the same on every machine (splitmix64). */
uint64_t next_random(uint64_t *state);

/* Says what is wrong on stderr; -1. */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* FNV-1a, 64 bits. */
uint64_t fnv1a64(const void *data, uint64_t bytes);

#endif
