/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the ways of operations took on a machine: the lines of a file, as "neuronctl
 * coll tune" writes them. Words are separated by blanks:
 *	vneuron-table 1 home embedded cores 2
 *	# for people: what made it
 *	all_reduce 8 4096 pull 17.610
 * The first line names the format and where the figures hold. The others are
 * operation, ranks, bytes of a rank's block, way and microseconds, in any order;
 * none may be there twice. What can't be understood is an error that names the line.
 */
#ifndef VN_COLL_TABLE_H
#define VN_COLL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "../include/vneuron/coll.h"

#define COLL_TABLE_FORMAT 1u
/* Bytes of the name of the file. */
#define COLL_TABLE_PATH 384u

struct coll_table_row {
	uint8_t op, way;
	uint16_t ranks;
	uint32_t line;
	uint64_t bytes;
	double us;
};

/* Does not change once it is loaded; belongs to who loaded it. */
struct coll_table {
	const char *home; /* that asks for it, */
	uint32_t cores; /* with so many */
	char path[COLL_TABLE_PATH];
	char ignored[96]; /* why it does not hold here, "" if it does */
	struct coll_table_row *row; /* sorted: operation, ranks, way, bytes */
	uint32_t rows, room;
};

/* Where the table of a home is, "" for nowhere; named: the caller's environment says so. */
int coll_table_find(const char *home, char path[COLL_TABLE_PATH], bool *named);
/* The table of a home, for so many cores; *to is NULL when there is none. */
int coll_table_load(const char *home, uint32_t cores, struct coll_table **to);
void coll_table_free(struct coll_table *t);
/*
 * Microseconds, for the measured number of ranks that is nearest by its logarithm;
 * negative: it has no row of that way for it. bytes: out, the largest size that was
 * measured, if that is less.
 */
double coll_table_cost(const struct coll_table *t, enum vn_way way, enum vn_coll op, uint32_t ranks,
		       uint64_t *bytes);

#endif
