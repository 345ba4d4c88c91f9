/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands of coll, and the options they have in common. */
#ifndef COLL_OPTIONS_H
#define COLL_OPTIONS_H

#include "coll_op.h"
#include "ctl.h"

int coll_bench(struct ctl *c);
int coll_tune(struct ctl *c);
int coll_explain(struct ctl *c);
int coll_show_ranks(struct ctl *c);
int coll_show_status(struct ctl *c);
extern const struct ctl_option coll_bench_options[], coll_tune_options[], coll_explain_options[];
extern const char coll_tune_letters[];

/* They return an exit status; opt is the number of the command's option. */

/* Number of the word in words, which ends with NULL; 0 for a missing option. */
int coll_word(const struct ctl *c, int opt, const char *const *words, unsigned int *word);
int coll_way(const struct ctl *c, int opt, enum vn_way *way);
/* A collective; all: also an operation between two ranks, NULL for the word "all". */
int coll_operation(const struct ctl *c, const char *name, bool all,
		   const struct coll_operation **op);
/* So many ranks there are; 0: as many as chips. After ctl_open(). */
int coll_ranks(const struct ctl *c, uint64_t *ranks);

#endif
