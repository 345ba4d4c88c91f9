/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lists of objects that others have: all processes on the module, or the one of pid:PID. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include "../../lib/netlink.h"
#include "ctl.h"
#include "out.h"

/* Whose object it is. */
struct owner {
	uint32_t context;
	uint32_t pid;
	uint32_t uid;
	bool there;
};

/* Rows of any kind that begin with their owner. */
struct objects {
	char *rows;
	size_t row_bytes;
	uint32_t n;
	/* Fills all but the owner. */
	void (*fill)(void *row, struct nlattr *const *attrs);
};

/*
 * Opens the device and calls fn with each message about it. On an embedded
 * device of our own nobody else has objects, so there are none to tell. Exit status.
 */
int objects_dump(struct ctl *c, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg);

/* Opens the device and lists all objects; l has row_bytes and fill. Exit status. */
int objects_list(struct ctl *c, enum vn_nl_cmd cmd, struct objects *l);
/* The same on a device that is open. */
int objects_list_open(struct ctl *c, enum vn_nl_cmd cmd, struct objects *l);
void objects_free(struct objects *l);

/* Columns CONTEXT PID UID, and their JSON. */
void objects_cells(struct out *o, const struct owner *owner);
void objects_json(struct json *j, const struct owner *owner);

#endif
