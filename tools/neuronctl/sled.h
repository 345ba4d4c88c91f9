/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands of sled, and what they have in common. */
#ifndef SLED_H
#define SLED_H

#include <limits.h>
#include <vneuron/journal.h>
#include <vneuron/sled.h>

#include "ctl.h"

/* What is said of a user when there is none. */
#define SLED_NOBODY 0xffffffffu

int sled_drain(struct ctl *c);
extern const struct ctl_option sled_drain_options[];
int sled_maintain(struct ctl *c);
extern const struct ctl_option sled_maintain_options[];
int sled_cancel(struct ctl *c);
extern const struct ctl_option sled_cancel_options[];
int sled_restore(struct ctl *c);
int sled_journal(struct ctl *c);
extern const struct ctl_option sled_journal_options[]; /* the one is --journal */

/* "s3", as the lists print it, or "3". Exit status. */
int sled_number(const struct ctl *c, const char *text, uint64_t *n);
/* Options that several have: 0 or NULL without. Exit status. */
int sled_operation(const struct ctl *c, int opt, uint64_t *operation);
int sled_reason(const struct ctl *c, int opt, const char **to);
/* Is there sled n, which was given as text? After ctl_open(). Exit status. */
int sled_check(const struct ctl *c, const char *text, uint64_t n);

/*
 * The journal that option opt names; *path is NULL when none is to be kept: "none", or an
 * embedded device and no option. After ctl_open(). Exit status.
 */
int sled_journal_path(struct ctl *c, int opt, char place[PATH_MAX], const char **path);

struct sled_text {
	char s[VN_REASON];
};

/* A reason without anything that a terminal obeys: whoever drains may not use this tool. */
struct sled_text sled_printable(const void *reason);

#endif
