// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "json.h"

static void indent(struct json *j)
{
	fprintf(j->to, "\n%*s", (int)j->depth * 4, "");
}

/*
 * Length of the UTF-8 sequence at s, 0 for a byte that begins none: no overlong
 * forms, no surrogates, nothing above U+10FFFF.
 */
static unsigned int utf8(const unsigned char *s)
{
	unsigned int n, i;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	/* A terminating zero is no continuation, so this never reads past it. */
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void quoted(struct json *j, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int n;

	putc('"', j->to);
	for (; *s; s += n ? n : 1) {
		n = utf8(s);
		if (!n)
			fputs("\\ufffd", j->to);
		else if (*s == '"' || *s == '\\')
			fprintf(j->to, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", j->to);
		else if (*s == '\t')
			fputs("\\t", j->to);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(j->to, "\\u%04x", *s);
		else
			fwrite(s, 1, n, j->to);
	}
	putc('"', j->to);
}

/* What comes before a value. */
static void begin(struct json *j, const char *key)
{
	if (j->depth) {
		if (!j->empty)
			putc(',', j->to);
		if (j->pretty)
			indent(j);
	}
	j->empty = false;
	if (key) {
		quoted(j, key);
		fputs(j->pretty ? ": " : ":", j->to);
	}
}

static void open_nest(struct json *j, const char *key, char c)
{
	begin(j, key);
	putc(c, j->to);
	j->depth++;
	j->empty = true;
}

static void close_nest(struct json *j, char c)
{
	j->depth--;
	if (j->pretty && !j->empty)
		indent(j);
	putc(c, j->to);
	j->empty = false;
	/* A document is a line. */
	if (!j->depth)
		putc('\n', j->to);
}

void json_object(struct json *j, const char *key)
{
	open_nest(j, key, '{');
}

void json_object_end(struct json *j)
{
	close_nest(j, '}');
}

void json_array(struct json *j, const char *key)
{
	open_nest(j, key, '[');
}

void json_array_end(struct json *j)
{
	close_nest(j, ']');
}

void json_string(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	if (value)
		quoted(j, value);
	else
		fputs("null", j->to);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	fprintf(j->to, "%" PRIu64, value);
}

void json_s64(struct json *j, const char *key, int64_t value)
{
	begin(j, key);
	fprintf(j->to, "%" PRId64, value);
}

void json_double(struct json *j, const char *key, double value)
{
	begin(j, key);
	if (isfinite(value))
		fprintf(j->to, "%.6f", value);
	else
		fputs("null", j->to);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	fputs(value ? "true" : "false", j->to);
}
