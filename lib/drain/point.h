/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Points at which tests stop a drain, or the coming back of a sled, as it might be stopped
 * at any of them. Of each state that has a record in the journal there are four; without a
 * journal the first and the last.
 *
 * $VNEURON_DRAIN_STOP is "STATE:POINT", such as "precopy:synced": there the process stops
 * itself (SIGSTOP). A test can then kill it, see to something, or let it go on (SIGCONT).
 */
#ifndef VN_DRAIN_POINT_H
#define VN_DRAIN_POINT_H

#include <stdint.h>

enum vn_drain_point {
	VN_POINT_BEFORE, /* nothing of it is in the journal */
	VN_POINT_WRITTEN, /* it is on its way to the disk; the journal is locked */
	VN_POINT_SYNCED, /* it is there, and the journal is not locked any more */
	VN_POINT_AFTER, /* what the record is about is done */
	VN_POINTS
};

/* For tests inside the process, at every point; NULL: none. */
extern void (*vn_drain_hook)(uint32_t state, enum vn_drain_point point, void *arg);
extern void *vn_drain_hook_arg;

/* Is what the environment says a point? 0, or -EINVAL with a text. */
int vn_drain_points(void);
void vn_drain_point(uint32_t state, enum vn_drain_point point);

#endif
