/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What draining a sled would take, and who holds memory on it. */
#ifndef SLED_PLAN_H
#define SLED_PLAN_H

#include "ctl.h"
#include "sled.h"

/* Finds out, and tells; fails if it would be refused. Exit status. */
int sled_plan(struct ctl *c, uint32_t sled, const struct vn_drain_config *config);

#endif
