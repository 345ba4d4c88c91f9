/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text output: tables as wide as their contents, and numbers people can read. */
#ifndef OUT_H
#define OUT_H

#include <stddef.h>
#include <stdint.h>

struct out {
	unsigned int columns;
	unsigned int cells;
	char **cell; /* [cells], the heading first */
	const char *align; /* 'l' or 'r' for each column */
};

/* head: names of the columns, separated by blanks. */
void out_begin(struct out *o, const char *align, const char *head);
/* Cells come row by row. */
__attribute__((format(printf, 2, 3))) void out_cell(struct out *o, const char *fmt, ...);
/* A cell like "1.5 MiB". */
void out_bytes(struct out *o, uint64_t bytes);
/* Prints the table and frees it. */
void out_end(struct out *o);

struct out_text {
	char s[32];
};

/* Units of 1024. */
struct out_text out_size(uint64_t bytes);
/* Like "1.5 ms". */
struct out_text out_time(uint64_t ns);
/* "s" unless there is one of it. */
const char *out_s(uint64_t n);

#endif
