/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The journal of service state (vneuron/journal.h: what can be read of it), and writing it.
 *
 * One file, only ever appended to: a header with the shape of the machine, then records of
 * one size. A record goes out only when the one before it is on disk, so that whatever
 * happens to the machine, the last record alone can be torn: that one is cut off. All else
 * that is not as it was written is damage, and refused.
 *
 * Functions return 0 or -errno, with a text in vn_error() that names the file.
 */
#ifndef VN_DRAIN_JOURNAL_H
#define VN_DRAIN_JOURNAL_H

#include "../include/vneuron/journal.h"

/* ---- writing ----------------------------------------------------------------------- */

/*
 * One writer a file, and one thread at a time. A child that is forked holds the lock, too,
 * until it executes a program or ends.
 */
struct vn_journal;

/*
 * Opens it for appending; makes it when it is missing, not its directory. A torn last
 * record is cut off. -EBUSY: somebody has it open, the text says who when that is known.
 * -EINVAL: it is of another shape. -EUCLEAN: it is damaged, or no journal.
 * -EPROTONOSUPPORT: it is of another version. -EPERM: others may write to it.
 */
int vn_journal_open(const char *path, const struct vn_journal_shape *shape, struct vn_journal **j);

/* Was something cut off when it was opened? */
bool vn_journal_torn(const struct vn_journal *j);

/*
 * Appends a record, and does not wait for it, except for room when 32 are on their way.
 * r->seq is set, and r->time_ns if it is 0. -EINVAL: no such sled or state.
 *
 * Another error can be that of an earlier record, since the last sync: it, all behind it
 * and r are not in the file, which ends with a whole record. After -ENOSPC and the like a
 * later append can go well; when a sync or the ring fails, none does until it is opened
 * again, and nothing since the last sync is in the file.
 */
int vn_journal_append(struct vn_journal *j, struct vn_journal_record *r);

/* Waits until all that was appended is on disk; else an error as of vn_journal_append(). */
int vn_journal_sync(struct vn_journal *j);

/* Syncs, and closes it whatever comes of that. */
int vn_journal_close(struct vn_journal *j);

/* ---- reading ------------------------------------------------------------------------ */

/*
 * What brought each sled that is out of service there, by sled. An operation that ends
 * before COMMITTED has not happened. cb is not called when the journal is damaged.
 */
int vn_journal_restore(const char *path, const struct vn_journal_shape *shape, vn_journal_cb cb,
		       void *arg);

/*
 * The rule of that: *last, zeroed at first, is what last brought a sled into or out of
 * service, r the next record of that sled.
 */
void vn_journal_fold(struct vn_journal_record *last, const struct vn_journal_record *r);
bool vn_journal_is_out(const struct vn_journal_record *last);

#endif
