/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What others have told a queue and it has not taken yet: arrivals, in the order in which
 * they came. Any number of runners post, inside a chunk; whoever has the queue's lock takes.
 * It is of the queue's own depth and in nobody's mapping.
 *
 * Who posts holds no lock that the queue's shell could wait for, and wakes nobody: an inbox
 * that got something is put on a list of the shell's, which looks there when a runner says
 * that it has posted. Who finds it full says so (wanted), and waits as for a semaphore; who
 * makes room then tells the shell that a semaphore was written.
 *
 * The shell sees to it that it stays: windows that are bound to it hold it, and it goes once
 * it is GONE and all runners have been seen outside.
 */
#ifndef VN_INBOX_H
#define VN_INBOX_H

#include "port.h"

enum vn_inbox_state {
	VN_INBOX_OPEN,
	VN_INBOX_STOPPED,	/* its queue is in ERROR */
	VN_INBOX_GONE,		/* its queue is, or is about to be: for good */
};

/* What is told. turn: whose it is, the next writer's or the reader's; see inbox.c. */
struct vn_arrival {
	u32 turn;		/* atomic */
	u32 imm;
	u32 key;
	u32 reserved;
	u64 user_data;
	u64 bytes;
};

struct vn_inbox {
	struct vn_arrival *slot;
	u32 mask;
	u32 chip;		/* of its queue */
	u32 head;		/* taken; of who has the queue's lock */
	u32 tail;		/* atomic: claimed */
	u32 state;		/* atomic */
	u32 wanted;		/* atomic: somebody waits for room */
	u32 listed;		/* atomic: on *posts */
	struct vn_inbox *next;
	struct vn_inbox **posts;
};

/* slot: as many as the queue is deep, 2^k; posts: the shell's list. */
void vn_inbox_init(struct vn_inbox *b, struct vn_arrival *slot, u32 depth, u32 chip,
		   struct vn_inbox **posts);

enum vn_posted {
	VN_POSTED,
	VN_POST_FULL,		/* and the next who takes one says that it is not, any more */
	VN_POST_REFUSED,	/* not open */
};

/* By a runner inside a chunk. *a but for its turn is copied. */
enum vn_posted vn_inbox_post(struct vn_inbox *b, const struct vn_arrival *a);

/* Is there one to be taken? Any thread. */
bool vn_inbox_any(const struct vn_inbox *b);
/* Takes the oldest. False: there is none. */
bool vn_inbox_take(struct vn_inbox *b, struct vn_arrival *a);
/* After taking, or a change of state: did somebody wait for that? */
bool vn_inbox_waited(struct vn_inbox *b);
/* Not from GONE. */
void vn_inbox_set(struct vn_inbox *b, enum vn_inbox_state state);

/*
 * Under a lock of the shell's that one who ends an inbox takes, too: all that are on the list,
 * linked by next. Each is to be let go, after its next was read, and its queue run then.
 */
struct vn_inbox *vn_inbox_posted(struct vn_inbox **posts);
void vn_inbox_let_go(struct vn_inbox *b);

#endif
