/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table that coll tune leaves for the library's tuner: see FILES in neuronctl.1. */
#ifndef COLL_TABLE_H
#define COLL_TABLE_H

#include <limits.h>
#include <vneuron/coll.h>

#include "ctl.h"

/* What was measured of an operation at a size. */
struct coll_row {
	enum vn_coll op;
	uint32_t ranks;
	uint64_t bytes; /* of a block */
	double us[VN_WAY_COUNT]; /* negative: it does not go that way, or no time was left */
	enum vn_way best, built_in; /* measured; by the built-in figures */
};

/*
 * Where the table goes: file, or if that is NULL where the library looks for it, in
 * a folder that is made. Found out before a minute is spent on it: can it be
 * written? path: out. Exit status.
 */
int coll_table_place(struct ctl *c, const char *file, char path[PATH_MAX]);
/* Replaces the file, or leaves it as it is. lines: out. Exit status. */
int coll_table_write(const struct ctl *c, const char *path, const struct coll_row *row,
		     uint32_t rows, uint32_t *lines);

#endif
