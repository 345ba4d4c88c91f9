/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside of communicators. The ranks are threads of one process; what they share
 * is a team, what one of them has for itself is its handle (struct vn_lib_comm).
 *
 * The way of an operation: each rank gives it the next sequence number and, as
 * soon as its stream is idle, posts it in the slot of that number. Then
 *	pull	the data was posted along; each rank fetches what it needs
 *	share	the last to post checks all posts and opens the slot's work, cut into
 *		moves; whoever waits takes moves until none is left
 *	plan	the last to post launches a plan of the device; whoever waits, works
 * A rank posts number n only when every rank has completed number n - COLL_SLOTS,
 * so a slot is never written while somebody may still look at it.
 *
 * Who writes what: a post by its rank; a slot's job by whoever posted last, before
 * phase says so; a member's counters by its rank. A handle belongs to one thread
 * at a time. Locks, outermost first: registry (teams by id), team.lock (plans, the
 * device queue, first error).
 */
#ifndef VN_COLL_H
#define VN_COLL_H

#include "../queue.h"
#include "../include/vneuron/coll.h"
#include "move.h"

#define COLL_SLOTS 64u
/* Bytes a rank may post along, and how many operations may be under way so. */
#define COLL_PULL_MAX (16u << 10)
#define COLL_BOUNCES 4u

/* What slot.state says of operation number seq: (seq + 1) * 8 + phase. */
enum coll_phase {
	COLL_POSTING = 0,
	COLL_OPENING = 1, /* all have posted; the last looks at their posts */
	COLL_SHARED = 2, /* job is open */
	COLL_LAUNCHED = 3, /* the device has it */
	COLL_DONE = 4,
};

/* A rank's part of an operation, as posted: one cache line. */
struct coll_post {
	uint64_t seq; /* atomic: number + 1 of the operation that stands here */
	uint64_t sig; /* what all must say alike, packed (op.c) */
	uint64_t count;
	const char *send;
	char *recv;
	const struct coll_extra *extra; /* NULL: only buffers and count */
	uint64_t small; /* PREMULSUM: the scalar; else pull of up to 8 bytes: the data */
	uint32_t hbm; /* COLL_SEND_HBM | COLL_RECV_HBM */
} __attribute__((aligned(64)));

#define COLL_SEND_HBM 1u
#define COLL_RECV_HBM 2u

/* Work of a slot that waiting ranks share. */
struct coll_job {
	struct coll_shape shape;
	uint64_t moves, volume;
	uint64_t next __attribute__((aligned(64))); /* atomic: first not taken */
	uint64_t done __attribute__((aligned(64))); /* atomic: finished */
};

struct coll_program; /* a compiled plan; program.c */

struct coll_slot {
	uint64_t state __attribute__((aligned(64))); /* atomic */
	uint32_t arrived __attribute__((aligned(64))); /* atomic; posts so far */
	bool planned; /* by whom it was carried out: the device, */
	struct coll_program *program; /* with this */
	struct coll_job job;
	struct coll_post *post; /* [ranks] */
	const struct coll_extra **extra; /* [ranks] */
};

/* What others may see of a rank: a line of its own. */
struct coll_member {
	uint64_t completed; /* atomic: operations it is through with */
	uint64_t posted; /* atomic */
	uint32_t chip;
	bool joined;
	bool left;
} __attribute__((aligned(64)));

/* Shared by the ranks; lives while handles do (refs, under the registry's lock). */
struct coll_team {
	struct coll_team *next; /* registry */
	vn_unique_id id;
	uint32_t ranks;
	uint32_t refs, joined;
	vn_device_t dev;
	uint64_t timeout_ns;
	bool check;
	uint32_t cores;
	int join_error;

	/* read by every operation */
	int error; /* atomic: first failure */
	uint8_t way[VN_COLL_COUNT][64]; /* by operation and bits of its bytes */
	uint8_t forced;
	const struct vn_ops *ops;
	struct coll_member *member;
	struct coll_slot *slot;
	char *bounce; /* [COLL_BOUNCES][ranks][COLL_PULL_MAX] */
	struct vn_mem params; /* [COLL_SLOTS][2 * ranks] operands */

	uint32_t events __attribute__((aligned(64))); /* atomic, a futex */
	uint32_t sleepers; /* atomic */

	pthread_mutex_t lock __attribute__((aligned(64)));
	char text[512]; /* of error */
	vn_queue_t queue;
	uint32_t launched, reaped; /* on the queue */
	uint32_t helpers; /* atomic: threads in the device for it */
	struct coll_program *programs;
	uint32_t nprograms;
	uint64_t launches, clock;
};

/* What one rank multiplies with. */
struct coll_scalar {
	uint64_t bits; /* of its type */
	const void *at; /* where it is read when the operation begins; NULL: known */
};

/* A reduction that a rank made: number VN_REDOP_COUNT + its place in the list. */
struct coll_redop {
	struct coll_scalar scalar;
	uint8_t type;
	bool made;
};

/* Of one rank at a time. */
#define COLL_REDOPS 64u

/* An operation of one rank between start and completion. */
struct coll_pending {
	struct coll_shape shape; /* pull: whole; else what the post needs */
	uint64_t sig;
	const char *send;
	char *recv;
	struct coll_extra *extra;
	struct coll_scalar scalar;
	vn_queue_t stream;
	struct coll_pending *next_on_stream;
	struct vn_lib_comm *comm;
	uint64_t seq, timeout_ns;
	uint64_t deadline; /* 0: nobody looked at the clock yet */
	bool pull;
};

struct vn_lib_comm {
	struct coll_team *team;
	uint32_t rank;
	uint64_t started, posted, completed; /* numbers of operations */
	uint64_t held; /* of its own, by a group */
	uint64_t room; /* every rank has completed that many, as last seen */
	struct coll_pending pending[COLL_SLOTS];
	int status[COLL_SLOTS];
	struct vn_comm_stats stats;
	struct vn_mem last[2]; /* HBM that was looked up last: sends, receives */
	uint64_t last_gen[2]; /* frees seen then, + 1; 0: nothing */
	struct coll_redop redop[COLL_REDOPS];
	void *scratch; /* of reductions */
	bool inside; /* atomic: its thread is in a call */
	bool aborted; /* atomic */
};

/* team.c */
int coll_fail(struct coll_team *t, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The first failure, as the calling thread's error; 0 if there is none. */
int coll_error(struct coll_team *t);
void coll_wake(struct coll_team *t);
void coll_sleep(struct coll_team *t, uint32_t seen, uint64_t deadline);

/* calls.c */
bool coll_reduces(enum vn_coll op);
bool coll_rooted(enum vn_coll op);

/* op.c */
struct coll_call {
	enum vn_coll op;
	enum vn_way way;
	uint8_t type, redop;
	int root;
	uint64_t count;
	const void *send;
	void *recv;
	struct coll_extra *extra; /* is the operation's from here on */
	struct coll_scalar scalar; /* PREMULSUM */
	vn_queue_t stream;
	uint64_t timeout_ns;
};

int coll_start(struct vn_lib_comm *c, const struct coll_call *call);
/* Until the rank has completed so many operations. */
int coll_wait(struct vn_lib_comm *c, uint64_t completed, uint64_t timeout_ns);
/* Posts and completes what can be; true: something moved. */
bool coll_progress(struct vn_lib_comm *c);
/*
 * What a thread does between two looks at what it waits for: spins while it has a
 * core of its own, lets others run, sleeps. Zero to begin; counted: it is about to
 * sleep, so that one more look is not in vain.
 */
struct coll_doze {
	uint32_t tries, seen;
	bool counted;
};

void coll_doze(struct coll_team *t, struct coll_doze *d);
void coll_doze_end(struct coll_team *t, struct coll_doze *d);
/* Time to look at the clock. */
bool coll_doze_long(const struct coll_team *t, const struct coll_doze *d);
/* The handle goes: so do its operations. */
void coll_op_forget(struct vn_lib_comm *c);

static inline uint64_t coll_state(uint64_t seq, enum coll_phase phase)
{
	return (seq + 1) * 8 + phase;
}

static inline uint32_t coll_bits(uint64_t n)
{
	return n ? 64 - (uint32_t)__builtin_clzll(n) : 0;
}

/* share.c */
/* Cuts the slot's job and opens it. */
void coll_share_open(struct coll_team *t, struct coll_slot *s, uint64_t seq);
/* Takes moves of it until none is left; whoever finishes the last says DONE. */
void coll_share(struct coll_team *t, struct coll_slot *s, uint64_t seq, void *scratch);
/*
 * What one rank gets of an operation whose data everybody posted: from[rank], to
 * recv; post: where the scalars are.
 */
void coll_pull(struct coll_team *t, struct coll_shape *s, uint32_t rank, char *const *from,
	       const struct coll_post *post, char *recv, void *scratch);

/* program.c */
/* The slot's job as a launch of the device; else -errno, and nothing happened. */
int coll_launch(struct coll_team *t, struct coll_slot *s, uint64_t seq);
/* Works on what the device has of this team; false: there are enough at it. */
bool coll_device(struct coll_team *t);
/* Nothing of this team is left in the device. */
void coll_device_drain(struct coll_team *t);
void coll_programs_free(struct coll_team *t);

/* hbm.c */
/* Says in a post whether its buffers are HBM, and tells the device where. */
void coll_locate(struct vn_lib_comm *c, const struct coll_pending *d, struct coll_post *p);

/* stream.c */
bool coll_stream_idle(vn_queue_t q);
bool coll_stream_failed(vn_queue_t q);
/* Runs what stands before a collective on its stream; false: nothing to run. */
bool coll_stream_work(vn_queue_t q);

/* tuner.c */
int coll_tune_init(struct coll_team *t, const struct vn_config *config);

#endif
