/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What coll bench prints: a head, rows and a tail for each operation, or JSON rows. */
#ifndef COLL_REPORT_H
#define COLL_REPORT_H

#include "coll_run.h"
#include "ctl.h"

/* What was measured of a job. */
struct coll_figure {
	bool measured;
	double min, p50, p99, max;
	double algbw, busbw;
	uint64_t wrong;
	enum vn_way way;
};

void coll_report_head(const struct coll_runner *run, const struct coll_job *job);
/* A row: out of place, in place; one at least is measured. */
void coll_report_row(const struct coll_runner *run, const struct coll_job *job,
		     const struct coll_figure f[2]);
void coll_report_tail(uint64_t wrong, double average_bus);
/* Instead of head, rows and tail. */
void coll_report_left_out(const struct coll_operation *op, const char *why);
/* An object for each that is measured. */
void coll_report_json(struct json *j, const struct coll_runner *run, const struct coll_job *job,
		      const struct coll_figure f[2]);

#endif
