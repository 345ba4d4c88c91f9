// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data.h"

#define PIXEL_MAX 16
#define SAMPLES_MIN 10u
/* Samples of the training part come in rounds of one per chip of a full machine. */
#define ROUND 144u

int complain(const char *fmt, ...)
{
	va_list ap;

	fputs("vneuron-train: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* One line into a sample. -1 after a message. */
static int parse_line(const char *file, unsigned int line, char *text, struct digit *d)
{
	char *p = text, *end;
	unsigned int i;
	long v, max;

	for (i = 0; i <= DIGIT_PIXELS; i++, p = end + 1) {
		max = i < DIGIT_PIXELS ? PIXEL_MAX : (long)DIGIT_CLASSES - 1;
		/* strtol() alone would take blanks, signs and an empty field. */
		if (*p < '0' || *p > '9')
			return complain("%s:%u: field %u is not a number", file, line, i + 1);
		v = strtol(p, &end, 10);
		if (v > max)
			return complain("%s:%u: field %u (%s) is %ld; want 0 to %ld", file, line,
					i + 1, i < DIGIT_PIXELS ? "a pixel" : "the digit", v, max);
		if (i < DIGIT_PIXELS)
			d->pixel[i] = (float)v / PIXEL_MAX;
		else
			d->label = (int32_t)v;
		if (i == DIGIT_PIXELS)
			break;
		if (!*end)
			return complain("%s:%u: %u fields; want %u", file, line, i + 1,
					DIGIT_PIXELS + 1);
		if (*end != ',')
			return complain("%s:%u: field %u is not a number", file, line, i + 1);
	}
	if (*end)
		return complain("%s:%u: more behind field %u", file, line, DIGIT_PIXELS + 1);
	return 0;
}

static int read_samples(struct digits *d, const char *file, FILE *f)
{
	unsigned int line = 0, room = 0;
	struct digit *more;
	size_t size = 0;
	char *text = NULL;
	ssize_t n;
	int err = 0;

	errno = 0;
	while (!err && (n = getline(&text, &size, f)) >= 0) {
		line++;
		while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
			text[--n] = '\0';
		if (strlen(text) != (size_t)n) {
			err = complain("%s:%u: a zero byte; this is not a text file", file, line);
			break;
		}
		if (d->count == room) {
			room = room ? 2 * room : 2048;
			more = realloc(d->at, room * sizeof(*more));
			if (!more) {
				err = complain("%s:%u: no memory for more samples", file, line);
				break;
			}
			d->at = more;
		}
		err = parse_line(file, line, text, &d->at[d->count]);
		d->count += !err;
	}
	if (!err && ferror(f))
		err = complain("%s: can't read: %s", file, strerror(errno));
	free(text);
	if (!err && d->count < SAMPLES_MIN)
		err = complain("%s: %u samples; want at least %u", file, d->count, SAMPLES_MIN);
	return err;
}

static void shuffle(struct digits *d, uint64_t seed)
{
	struct digit tmp;
	uint32_t i, j;

	for (i = d->count - 1; i; i--) {
		j = next_random(&seed) % (i + 1);
		tmp = d->at[i];
		d->at[i] = d->at[j];
		d->at[j] = tmp;
	}
}

/* Where digits.csv lies, seen from the program: in the tree, else installed. */
static int find_default(char *path)
{
	static const char *const places[] = { "tools/demo", "share/vneuron" };
	char exe[PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	unsigned int i;
	char *slash;

	if (n < 0)
		return complain("can't find this program's own place: %s; give the data with -f",
				strerror(errno));
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, PATH_MAX, "%s/../%s/digits.csv", exe, places[i]);
		if (!access(path, F_OK))
			return 0;
	}
	return complain("no digits.csv in %s/../%s or %s/../%s; give the data with -f", exe,
			places[0], exe, places[1]);
}

int digits_load(struct digits *d, const char *file, uint64_t seed)
{
	char path[PATH_MAX];
	uint32_t rounds;
	FILE *f;
	int err;

	memset(d, 0, sizeof(*d));
	if (!file) {
		if (find_default(path))
			return -1;
		file = path;
	}
	f = fopen(file, "re");
	if (!f)
		return complain("%s: %s", file, strerror(errno));
	err = read_samples(d, file, f);
	fclose(f);
	if (err) {
		digits_free(d);
		return err;
	}
	shuffle(d, seed);
	/* Whole rounds if that keeps about a fifth held out, else exactly a fifth. */
	rounds = (d->count * 4 / 5 + ROUND / 2) / ROUND;
	d->train = rounds >= 5 ? rounds * ROUND : d->count * 4 / 5;
	return 0;
}

void digits_free(struct digits *d)
{
	free(d->at);
	memset(d, 0, sizeof(*d));
}

uint64_t fnv1a64(const void *data, uint64_t bytes)
{
	const uint8_t *p = data;
	uint64_t h = 0xcbf29ce484222325;

	while (bytes--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}
