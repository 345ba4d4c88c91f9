// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tables of the tuner: found, read, asked. See table.h for what one looks like. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table.h"
#include "../home.h"

#define HEADER "vneuron-table"
/* Words of the longest line. */
#define WORDS 6u
/* A file that is longer is none of ours. */
#define FILE_MAX (1u << 20)
#define BYTES_MOST (1ull << 40)

/* ---- where it is ------------------------------------------------------------- */

int coll_table_find(const char *home, char path[COLL_TABLE_PATH], bool *named)
{
	const char *env = secure_getenv("VNEURON_COLL_TABLE");
	const char *cache = secure_getenv("XDG_CACHE_HOME"), *user = secure_getenv("HOME");
	int n = 0;

	path[0] = '\0';
	*named = env != NULL;
	if (env && strcmp(env, "none"))
		n = snprintf(path, COLL_TABLE_PATH, "%s", env);
	else if (!env && cache && *cache == '/') /* a relative one does not count, by its rules */
		n = snprintf(path, COLL_TABLE_PATH, "%s/vneuron/coll-%s.table", cache, home);
	else if (!env && user && *user)
		n = snprintf(path, COLL_TABLE_PATH, "%s/.cache/vneuron/coll-%s.table", user, home);
	if (n >= (int)COLL_TABLE_PATH)
		return vn_fail(
			-ENAMETOOLONG,
			"the name of the tuner's table has %d bytes; want at most %u: %.64s...", n,
			COLL_TABLE_PATH - 1, path);
	return 0;
}

int vn_coll_table_path(vn_device_t dev, char *path, size_t size)
{
	char full[COLL_TABLE_PATH];
	bool named;
	int err = coll_table_find(dev->home->name, full, &named);

	if (!err && strlen(full) >= size)
		err = vn_fail(-ENAMETOOLONG, "%s: does not fit into %zu bytes", full, size);
	if (!err)
		strcpy(path, full);
	return err;
}

/* *to is NULL when there is none, which is no error unless somebody named it. */
static int open_table(struct coll_table *t, bool named, FILE **to)
{
	/* Not to wait for who writes into a pipe: it is refused below. */
	int fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int err = fd < 0 ? -errno : 0;
	struct stat st;

	*to = NULL;
	if (err && named)
		return vn_fail(err, "table %s: %s", t->path, strerror(-err));
	/* Somebody else's folder is no reason not to work. */
	if (err && err != -ENOENT && err != -ENOTDIR)
		snprintf(t->ignored, sizeof(t->ignored), "can't be read: %s", strerror(-err));
	if (err)
		return 0;
	if (fstat(fd, &st))
		err = vn_fail(-errno, "table %s: can't be looked at", t->path);
	else if (!S_ISREG(st.st_mode))
		err = vn_fail(-EINVAL, "table %s: no regular file", t->path);
	else if (st.st_size > FILE_MAX)
		err = vn_fail(-EFBIG, "table %s: longer than %u bytes", t->path, FILE_MAX);
	else if (!(*to = fdopen(fd, "re")))
		err = vn_fail(-ENOMEM, "no memory for table %s", t->path);
	if (!*to)
		close(fd);
	return err;
}

/* ---- its lines ---------------------------------------------------------------- */

static __attribute__((format(printf, 3, 4))) int bad(const struct coll_table *t, uint32_t line,
						     const char *fmt, ...)
{
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return vn_fail(-EINVAL, "table %s, line %u: %s", t->path, line, why);
}

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *n)
{
	for (*n = 0; *text >= '0' && *text <= '9' && *n <= most; text++)
		*n = 10 * *n + (uint64_t)(*text - '0');
	return !*text && *n >= least && *n <= most;
}

/* "12.345", whatever the locale of the process has between them; more than 0. */
static bool read_us(char *text, double *us)
{
	char *point = strchr(text, '.');
	uint64_t whole, part = 0, digits = 0;

	if (point) {
		*point++ = '\0';
		digits = strlen(point);
	}
	if (!*text || !read_number(text, 0, 1000000000, &whole) ||
	    (point && (!digits || digits > 9 || !read_number(point, 0, 999999999, &part))))
		return false;
	*us = (double)part;
	while (digits--)
		*us /= 10;
	*us += (double)whole;
	return *us > 0;
}

static int read_header(struct coll_table *t, char **word, uint32_t words)
{
	uint64_t format, cores;

	if (words < 2 || strcmp(word[0], HEADER))
		return bad(t, 1, "no table of the tuner: want '" HEADER " %u ...'",
			   COLL_TABLE_FORMAT);
	if (!read_number(word[1], 0, UINT32_MAX, &format) || format != COLL_TABLE_FORMAT)
		return bad(t, 1, "format %.20s; this library knows %u", word[1], COLL_TABLE_FORMAT);
	if (words != 6 || strcmp(word[2], "home") || strcmp(word[4], "cores") ||
	    !read_number(word[5], 1, UINT32_MAX, &cores))
		return bad(t, 1, "want '" HEADER " %u home HOME cores N'", COLL_TABLE_FORMAT);
	if (strcmp(word[3], t->home))
		snprintf(t->ignored, sizeof(t->ignored),
			 "was made in the %.20s home, this is the %s one", word[3], t->home);
	else if (cores != t->cores)
		snprintf(t->ignored, sizeof(t->ignored),
			 "was made with %llu core%s, this machine has %u",
			 (unsigned long long)cores, cores == 1 ? "" : "s", t->cores);
	return 0;
}

static int read_row(struct coll_table *t, char **word, uint32_t words, uint32_t line)
{
	struct coll_table_row r = { .line = line };
	const char *name;
	uint64_t ranks;

	if (words != 5)
		return bad(t, line, "%u word%s; want operation, ranks, bytes, way, microseconds",
			   words, words == 1 ? "" : "s");
	while ((name = vn_coll_name((enum vn_coll)r.op)) && strcmp(word[0], name))
		r.op++;
	if (!name)
		return bad(t, line, "no operation '%.40s'", word[0]);
	if (!read_number(word[1], 1, VN_MAX_CHIPS, &ranks))
		return bad(t, line, "'%.40s' ranks; want 1 to %u", word[1], VN_MAX_CHIPS);
	if (!read_number(word[2], 0, BYTES_MOST, &r.bytes))
		return bad(t, line, "'%.40s' bytes; want 0 to %llu", word[2], BYTES_MOST);
	for (r.way = VN_WAY_PULL; r.way < VN_WAY_COUNT; r.way++)
		if (!strcmp(word[3], vn_way_name((enum vn_way)r.way)))
			break;
	if (r.way == VN_WAY_COUNT)
		return bad(t, line, "'%.40s' is no way; want pull, share or plan", word[3]);
	if (!read_us(word[4], &r.us))
		return bad(t, line, "a time that is no number above 0, like 12.5");
	r.ranks = (uint16_t)ranks;
	if (t->rows == t->room) {
		uint32_t room = 2 * t->room + 64;
		void *more = reallocarray(t->row, room, sizeof(r));

		if (!more)
			return vn_fail(-ENOMEM, "no memory for table %s", t->path);
		t->row = more;
		t->room = room;
	}
	t->row[t->rows++] = r;
	return 0;
}

static int read_line(struct coll_table *t, char *line, size_t n, uint32_t number)
{
	char *word[WORDS + 1], *rest = line, *next;
	uint32_t words = 0;

	if (strlen(line) != n)
		return bad(t, number, "a zero byte");
	/* Half a number would be another one. */
	if (line[n - 1] != '\n')
		return bad(t, number, "cut off: no end of line");
	if (number > 1 && *line == '#')
		return 0;
	while (words <= WORDS && (next = strtok_r(rest, " \t\r\n", &rest)))
		word[words++] = next;
	if (number == 1)
		return read_header(t, word, words);
	return words ? read_row(t, word, words, number) : 0;
}

/* ---- as a whole --------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct coll_table_row *x = a, *y = b;

	if (x->op != y->op)
		return x->op < y->op ? -1 : 1;
	if (x->ranks != y->ranks)
		return x->ranks < y->ranks ? -1 : 1;
	if (x->way != y->way)
		return x->way < y->way ? -1 : 1;
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int sort(struct coll_table *t)
{
	if (t->rows)
		qsort(t->row, t->rows, sizeof(*t->row), by_key);
	for (uint32_t i = 1; i < t->rows; i++) {
		const struct coll_table_row *a = &t->row[i - 1], *b = &t->row[i];

		if (!by_key(a, b))
			return bad(t, a->line > b->line ? a->line : b->line,
				   "the same operation, ranks, bytes and way as line %u",
				   a->line < b->line ? a->line : b->line);
	}
	return 0;
}

static int read_all(struct coll_table *t, FILE *f)
{
	char *line = NULL;
	uint32_t number = 0;
	size_t room = 0;
	ssize_t n;
	int err = 0;

	while (!err && (n = getline(&line, &room, f)) > 0)
		err = read_line(t, line, (size_t)n, ++number);
	if (!err && ferror(f))
		err = vn_fail(-EIO, "table %s, line %u: can't be read", t->path, number + 1);
	if (!err && !number)
		err = bad(t, 1, "an empty file");
	free(line);
	return err ?: sort(t);
}

int coll_table_load(const char *home, uint32_t cores, struct coll_table **to)
{
	struct coll_table *t = calloc(1, sizeof(*t));
	FILE *f = NULL;
	bool named;
	int err;

	*to = NULL;
	if (!t)
		return vn_fail(-ENOMEM, "no memory for the tuner's table");
	t->home = home;
	t->cores = cores;
	err = coll_table_find(home, t->path, &named);
	if (!err && *t->path)
		err = open_table(t, named, &f);
	if (f) {
		err = read_all(t, f);
		fclose(f);
	}
	if (err || (!f && !*t->ignored))
		coll_table_free(t);
	else
		*to = t;
	return err;
}

void coll_table_free(struct coll_table *t)
{
	if (t)
		free(t->row);
	free(t);
}

/* ---- asking it ------------------------------------------------------------------ */

/* The first row that is not before this one. */
static uint32_t first(const struct coll_table *t, uint32_t op, uint32_t ranks, uint32_t way,
		      uint64_t bytes)
{
	const struct coll_table_row key = {
		.op = (uint8_t)op, .ranks = (uint16_t)ranks, .way = (uint8_t)way, .bytes = bytes
	};
	uint32_t low = 0, high = t->rows;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (by_key(&t->row[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * Of the numbers of ranks with which the operation was measured, the nearest: all
 * ways are compared by figures of the same. 0: there is none.
 */
static uint32_t nearest(const struct coll_table *t, enum vn_coll op, uint32_t ranks)
{
	uint32_t best = 0, i = first(t, op, 0, 0, 0), p;

	for (; i < t->rows && t->row[i].op == op; i = first(t, op, p + 1, 0, 0)) {
		p = t->row[i].ranks;
		/* p / ranks < ranks / best, or the first */
		if (p <= ranks || !best || p * best < ranks * ranks)
			best = p;
	}
	return best;
}

double coll_table_cost(const struct coll_table *t, enum vn_way way, enum vn_coll op, uint32_t ranks,
		       uint64_t *bytes)
{
	uint32_t p = nearest(t, op, ranks), from, end, i;
	const struct coll_table_row *a, *b;
	double x;

	from = first(t, op, p, way, 0);
	end = first(t, op, p, way + 1u, 0);
	if (!p || from == end)
		return -1;
	if (*bytes > t->row[end - 1].bytes)
		*bytes = t->row[end - 1].bytes;
	i = first(t, op, p, way, *bytes);
	b = &t->row[i];
	if (i == from || b->bytes == *bytes)
		return b->us;
	a = b - 1;
	/* A straight line on paper with two logarithmic axes. */
	x = log((double)*bytes / (double)(a->bytes ?: 1)) /
	    log((double)b->bytes / (double)(a->bytes ?: 1));
	return a->us * pow(b->us / a->us, x);
}
