/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The journal of service state: which sleds are out of service, why, by whom and by which
 * operation, for whoever comes after a restart. What is in HBM is not in it.
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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vneuron.h>

/* What machine it is of. */
struct vn_journal_shape {
	uint32_t sleds, spares;
	uint32_t chips; /* per sled */
};

/* A step of a sled from one state to another. */
struct vn_journal_record {
	uint64_t seq; /* 1, 2, ... */
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint64_t operation; /* 0: none, it happened */
	uint32_t sled;
	uint32_t from, to; /* enum vn_sled_state */
	uint32_t target; /* sled for its chips, or VN_ANY_SLED */
	uint32_t uid, pid; /* who asked for it */
	char reason[VN_REASON]; /* ends with a zero */
};

/*
 * The default place: $VNEURON_JOURNAL; else /var/lib/vneuron/journal for root, and
 * $XDG_STATE_HOME/vneuron/journal or ~/.local/state/vneuron/journal for others. Makes
 * directories that are missing, unless the place is named. -ENAMETOOLONG; -ENOENT: there
 * is no HOME.
 */
int vn_journal_path(char *path, size_t bytes);

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

/* ---- reading: at any time, also while somebody writes -------------------------------- */

/* A record at a time; not 0: no more of them, and that is returned. */
typedef int (*vn_journal_cb)(void *arg, const struct vn_journal_record *r);

/*
 * All records, oldest first. shape NULL: of whatever machine. *torn, unless NULL: the last
 * record is torn, and left out. -ENOENT: there is no journal. Else as vn_journal_open().
 */
int vn_journal_read(const char *path, const struct vn_journal_shape *shape, vn_journal_cb cb,
		    void *arg, bool *torn);

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
