/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands of sled, and what they have in common. */
#ifndef SLED_H
#define SLED_H

#include <vneuron/sled.h>

#include "ctl.h"

int sled_drain(struct ctl *c);
extern const struct ctl_option sled_drain_options[];
int sled_cancel(struct ctl *c);
extern const struct ctl_option sled_cancel_options[];

/* "s3", as the lists print it, or "3". Exit status. */
int sled_number(const struct ctl *c, const char *text, uint64_t *n);
/* Is there sled n, which was given as text? After ctl_open(). Exit status. */
int sled_check(const struct ctl *c, const char *text, uint64_t n);

#endif
