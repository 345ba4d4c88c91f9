/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What sessions that take a sled out of service, or bring it back, share with others. */
#ifndef VN_DRAIN_SESSION_H
#define VN_DRAIN_SESSION_H

#include "../include/vneuron/sled.h"

/* Unless the configuration says otherwise. */
#define VN_DRAIN_BUDGET_NS 10000000ull
#define VN_DRAIN_DEADLINE_NS 60000000000ull

/* What a session begins with; a->sled, flags and uid are the caller's. */
int vn_drain_fill(struct vn_drain_open *a, const struct vn_drain_config *c);
/* Why it could not begin, with a text; the numbers of a shortfall from a dry run. */
int vn_drain_refused(vn_device_t dev, const struct vn_drain_open *a, int err);
/* -EBUSY, and who has exported memory of the sled. */
int vn_drain_held(uint32_t sled, uint32_t exports, uint32_t context, uint32_t pid);

/* As vn_sled_drain(), in the name of who drained it before a restart; no journal is kept. */
int vn_drain_again(vn_device_t dev, uint32_t sled, uint32_t uid,
		   const struct vn_drain_config *config, struct vn_drain_report *report);
/* As vn_sled_maintain(), likewise. */
int vn_drain_off_again(vn_device_t dev, uint32_t sled, uint32_t uid,
		       const struct vn_drain_config *config);

#endif
