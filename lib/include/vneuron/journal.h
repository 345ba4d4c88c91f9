/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The journal of service state: which sleds are out of service, why, by whom and by which
 * operation, for whoever comes after a restart. vn_sled_drain() and vn_sled_undrain() write
 * it; what is in HBM is not in it. Functions return 0 or -errno, with a text in vn_error()
 * that names the file.
 */
#ifndef VNEURON_JOURNAL_H
#define VNEURON_JOURNAL_H

#include <stdbool.h>

#include "../vneuron.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct vn_journal_shape - what machine a journal is of
 * @sleds: without spares
 * @spares: sleds more
 * @chips: per sled
 */
struct vn_journal_shape {
	uint32_t sleds, spares;
	uint32_t chips;
};

/**
 * struct vn_journal_record - a step of a sled from one state to another
 * @seq: its number, 1, 2, ...
 * @time_ns: of CLOCK_REALTIME
 * @operation: that took it; 0: none, it happened
 * @sled: which
 * @from: &enum vn_sled_state it was in
 * @to: which it goes to, when it is before VN_SLED_COMMITTED: that is an intent, and has
 *	not happened if no VN_SLED_COMMITTED follows; else in which it is
 * @target: sled to which its first chip goes, or VN_ANY_SLED while that is not known
 * @uid: user who asked for it
 * @pid: process that did
 * @reason: why, as was said; ends with a zero
 */
struct vn_journal_record {
	uint64_t seq;
	uint64_t time_ns;
	uint64_t operation;
	uint32_t sled;
	uint32_t from, to;
	uint32_t target;
	uint32_t uid, pid;
	char reason[VN_REASON];
};

/**
 * vn_journal_path - the default place
 * @path: out, of so many bytes
 *
 * $VNEURON_JOURNAL; else /var/lib/vneuron/journal for root, and
 * $XDG_STATE_HOME/vneuron/journal or ~/.local/state/vneuron/journal for others. Makes
 * directories that are missing, unless the place is named. -ENAMETOOLONG; -ENOENT: there
 * is no HOME.
 */
int vn_journal_path(char *path, size_t bytes);

/**
 * typedef vn_journal_cb - a record at a time
 *
 * Not 0: no more of them, and that is returned.
 */
typedef int (*vn_journal_cb)(void *arg, const struct vn_journal_record *r);

/**
 * vn_journal_read - all records, oldest first
 * @shape: of the machine of which it must be; NULL: of whatever machine
 * @torn: out: the last record is torn, and left out; NULL: nobody asks
 *
 * At any time, also while somebody writes. -ENOENT: there is no journal. -EINVAL: it is of
 * another shape. -EUCLEAN: it is damaged, or no journal. -EPROTONOSUPPORT: it is of
 * another version. -EPERM: others may write to it.
 */
int vn_journal_read(const char *path, const struct vn_journal_shape *shape, vn_journal_cb cb,
		    void *arg, bool *torn);

/**
 * struct vn_restored - a sled that was out of service before a restart
 * @record: what last brought it there; its state then is @record->to
 * @already: it was out of service by that operation now, too
 * @error: 0; or why it is still in service, as vn_sled_drain() returns it
 * @text: of that, else ""
 */
struct vn_restored {
	const struct vn_journal_record *record;
	bool already;
	int error;
	const char *text;
};

typedef void (*vn_restored_cb)(void *arg, const struct vn_restored *r);

/**
 * vn_sled_restore - take those sleds out of service that a journal says are
 * @cb: called for each of them; NULL: nobody asks
 *
 * By the same operation, for the same reason and in the name of the same user; memory on
 * them moves as in any drain. For after a restart; where a sled is out of service already
 * nothing happens. One that can't be, as when too few slots are free, does not keep the
 * others from it: the first such error is returned in the end.
 *
 * -ENOENT...: as vn_journal_read(), and nothing has happened. Takes CAP_SYS_ADMIN in the
 * kernel home.
 */
int vn_sled_restore(vn_device_t dev, const char *journal, vn_restored_cb cb, void *arg);

#ifdef __cplusplus
}
#endif

#endif
