// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "out.h"

static void add(struct out *o, char *text)
{
	/* A power of two of cells: time to double. */
	if (!(o->cells & (o->cells - 1)))
		o->cell = ctl_realloc(o->cell, o->cells ? 2 * o->cells : 1, sizeof(*o->cell));
	o->cell[o->cells++] = text;
}

void out_cell(struct out *o, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		ctl_no_memory();
	add(o, text);
}

void out_begin(struct out *o, const char *align, const char *head)
{
	size_t n;

	memset(o, 0, sizeof(*o));
	o->align = align;
	o->columns = strlen(align);
	for (; *head; head += n + strspn(head + n, " ")) {
		n = strcspn(head, " ");
		out_cell(o, "%.*s", (int)n, head);
	}
}

void out_bytes(struct out *o, uint64_t bytes)
{
	out_cell(o, "%s", out_size(bytes).s);
}

static unsigned int width(const struct out *o, unsigned int column)
{
	size_t w = 0;
	unsigned int i;

	for (i = column; i < o->cells; i += o->columns)
		if (strlen(o->cell[i]) > w)
			w = strlen(o->cell[i]);
	return w;
}

void out_end(struct out *o)
{
	unsigned int *w = ctl_realloc(NULL, o->columns, sizeof(*w)), i, c;

	for (c = 0; c < o->columns; c++)
		w[c] = width(o, c);
	for (i = 0; i < o->cells; i++) {
		c = i % o->columns;
		if (o->align[c] == 'r')
			printf("%*s", (int)w[c], o->cell[i]);
		else if (c + 1 < o->columns)
			printf("%-*s", (int)w[c], o->cell[i]);
		else
			fputs(o->cell[i], stdout);
		fputs(c + 1 < o->columns ? "  " : "\n", stdout);
		free(o->cell[i]);
	}
	free(o->cell);
	free(w);
}

struct out_text out_size(uint64_t bytes)
{
	static const char unit[] = "BKMGTPE";
	struct out_text t;
	unsigned int u = 0;
	double v = bytes;

	/* What would be rounded to 1024.0 belongs to the next unit. */
	for (; v >= (u ? 1023.95 : 1024.0) && u < sizeof(unit) - 2; v /= 1024)
		u++;
	if (u)
		snprintf(t.s, sizeof(t.s), "%.1f %ciB", v, unit[u]);
	else
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " B", bytes);
	return t;
}

struct out_text out_time(uint64_t ns)
{
	struct out_text t;

	if (ns < 1000000)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " us", ns / 1000);
	else if (ns < 1000000000)
		snprintf(t.s, sizeof(t.s), "%.1f ms", (double)ns / 1e6);
	else
		snprintf(t.s, sizeof(t.s), "%.1f s", (double)ns / 1e9);
	return t;
}

const char *out_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}
