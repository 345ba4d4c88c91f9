/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The embedded device as others see it (enum vn_nl_control): what is asked, what is
 * answered, and the connections over which it is.
 */
#ifndef VN_EMBED_CONTROL_H
#define VN_EMBED_CONTROL_H

#include <netlink/netlink.h>
#include <linux/vneuron_nl.h>

#include "../include/vneuron/sled.h"
#include "embed.h"

/* Of a request, and of what is sent at a time. */
#define EMBED_REQUEST_BYTES 8192u
#define EMBED_PACKET_BYTES 16384u

struct embed_packet {
	struct embed_packet *next;
	u32 bytes;
	union {
		struct nlmsghdr h;
		u8 data[EMBED_PACKET_BYTES];
	};
};

/* What goes back to who asked, in packets. */
struct embed_reply {
	u32 seq; /* of the request */
	u32 packets;
	struct embed_packet *first, *last;
};

/* A request that was understood; arg is what a CALL carries. */
struct embed_request {
	u8 cmd;
	bool dump, ack;
	u32 nr; /* of a CALL, else 0 */
	u32 arg_bytes;
	union {
		u32 size;
		struct vn_query query;
		struct vn_chip_query chip;
		struct vn_sled_query sled;
		struct vn_drain_open open;
		struct vn_drain_step step;
	} arg;
	u32 number; /* chip or sled that is asked for, ~0: none */
	u64 operation;
	struct vn_fault fault;
	u32 uid; /* who asks */
};

/* ---- message.c: what is said, byte by byte ---- */

/* Begins a message; NULL: there is no memory. */
struct nl_msg *embed_message(const struct embed_reply *r, u8 cmd, int flags);
/* Adds it to the reply, and frees it. failed: something did not fit into it. */
int embed_reply_add(struct embed_reply *r, struct nl_msg *msg, int failed);
/* The end of what is not a dump, 0 or -errno; text: why, or NULL. */
void embed_reply_end(struct embed_reply *r, int err, const char *text);
/* The end of a dump. */
void embed_reply_done(struct embed_reply *r, int err);
void embed_reply_pop(struct embed_reply *r);
void embed_reply_free(struct embed_reply *r);
/* An event, or (e is NULL) that some are lost. */
void embed_reply_event(struct embed_reply *r, const struct vn_sled_event *e);

/* ---- request.c: what is asked ---- */

/*
 * Takes a packet apart, which may hold anything. Not 0: why it makes no sense is in the
 * reply, which is over.
 */
int embed_request_read(struct embed_request *q, const void *packet, size_t bytes,
		       struct embed_reply *r);
/* It is about a session: one thread for each connection of that kind. */
bool embed_request_drains(const struct embed_request *q);
/* Answers all but those, and JOIN. */
void embed_request_answer(struct embed_device *dev, struct embed_request *q, struct embed_reply *r);
/* After a call: its argument, and how it ended. */
void embed_request_called(const struct embed_request *q, int err, struct embed_reply *r);

/* ---- objects.c: messages of what there is ---- */

int embed_put_sled(struct nl_msg *msg, const struct vn_sled_event *e);
int embed_tell_device(struct embed_device *dev, struct embed_reply *r, int flags);
int embed_tell_chip(struct embed_device *dev, struct embed_reply *r, int flags, u32 chip);
int embed_tell_sled(struct embed_device *dev, struct embed_reply *r, int flags, u32 sled);
/* All of a kind; -EOPNOTSUPP: that is none. */
int embed_dump(struct embed_device *dev, u8 cmd, struct embed_reply *r);

/* ---- control_session.c: a connection that drains ---- */

struct embed_drainer;
/* Takes the connection over, with the request that was the first of that kind. */
struct embed_drainer *embed_drainer_new(struct embed_device *dev, int fd, int wake, u32 uid,
					const struct embed_request *q, u32 seq);
/* It is over, and can be freed. */
bool embed_drainer_over(struct embed_drainer *d);
/* Ends what it does as soon as can be. */
void embed_drainer_stop(struct embed_drainer *d);
/* Waits for it. */
void embed_drainer_free(struct embed_drainer *d);

#endif
