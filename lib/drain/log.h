/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one drain, or one coming back, writes into the journal. The file is locked for a
 * record at a time, so that sleds can be drained side by side. A record before COMMITTED
 * is an intent: it is on disk before what it is about begins. While a session is open on
 * the sled nobody else writes records of it; what is written without one looks, with the
 * journal locked, whether somebody has gone on.
 */
#ifndef VN_DRAIN_LOG_H
#define VN_DRAIN_LOG_H

#include "../include/vneuron.h"
#include "journal.h"
#include "point.h"

struct vn_log {
	vn_device_t dev;
	const char *path; /* NULL: no journal is kept */
	struct vn_journal_shape shape;
	uint32_t chip[VN_MAX_CHIPS_PER_SLED], nchips; /* on the sled at first */
	struct vn_journal_record last; /* the one that was written, or where it begins */
};

/*
 * Sees that records can be written: the journal is made, if it is missing. The sled is as
 * yet what it was before. Errors as of vn_journal_open().
 */
int vn_log_begin(struct vn_log *l, vn_device_t dev, const char *path, uint32_t sled);
/* By what operation, of this user, and why; target: sled for its chips, if it is known. */
void vn_log_by(struct vn_log *l, uint64_t operation, uint32_t uid, const char *reason,
	       uint32_t target);
/* By what has brought the sled to where it is, as others see it. */
int vn_log_by_sled(struct vn_log *l);
/*
 * Its chips have moved. Where they are now is in service: should the journal not know, as
 * who brought that sled back could not write it down any more, it does now. Else a restore
 * would take out more than there is room for.
 */
void vn_log_moved(struct vn_log *l);

/* A record of the next state, on disk; else the journal is what it was. */
int vn_log_write(struct vn_log *l, uint32_t to);
/* The same, unless somebody has gone on since the last one: then there is nothing to say. */
int vn_log_end(struct vn_log *l, uint32_t to);
/*
 * The sled is in that state, DRAINED or IN_SERVICE, and so it was before: does the journal
 * know? Else it gets the record that is missing, and 1 is returned.
 */
int vn_log_repair(struct vn_log *l, uint32_t state);

#endif
