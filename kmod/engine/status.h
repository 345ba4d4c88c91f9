/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entries of status pages: what is passed on of what a program wrote there. */
#ifndef VN_STATUS_H
#define VN_STATUS_H

#include "port.h"
#include "../../uapi/linux/vneuron.h"

/* A copy in which every field is in its range; since_ns is how long ago that was. */
struct vn_rank_seen {
	struct vn_rank_status s;
	char name[VN_COMM_NAME + 1];	/* ends with a zero */
};

/*
 * Copies an entry, which may change meanwhile. False: nobody uses it, or it makes no
 * sense on a machine of so many chips.
 */
bool vn_status_see(const struct vn_rank_status *entry, u32 chips, u64 now_ns,
		   struct vn_rank_seen *to);

#endif
