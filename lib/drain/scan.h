/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Going through a journal from its beginning. */
#ifndef VN_DRAIN_SCAN_H
#define VN_DRAIN_SCAN_H

#include "journal.h"

struct vn_journal_end {
	uint64_t slots; /* that are whole, with the header; 0: none was written */
	bool torn; /* there is a piece of one more */
};

/* Opens it, and sees that it is a file that nobody else may write to. Returns an fd. */
int vn_journal_fd(const char *path, int flags);

/* As vn_journal_read(); cb NULL: nobody wants to see them. */
int vn_journal_scan(int fd, const char *path, const struct vn_journal_shape *shape,
		    vn_journal_cb cb, void *arg, struct vn_journal_end *end);

#endif
