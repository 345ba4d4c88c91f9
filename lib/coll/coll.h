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
 * Sends and receives meet in the channel of their pair of ranks, where each says where
 * its data is; from then on both copy. Puts, gets and signals are done by the
 * rank that calls them, at once or as soon as their turn comes.
 *
 * What a rank has started it posts and completes in order. It posts an operation
 * while earlier ones are under way only if their buffers are others: each rank sees
 * to it for its own buffers, and nobody touches them but in operations it posted.
 *
 * Who writes what: a post by its rank; a slot's job by whoever posted last, before
 * phase says so; a member's counters by its rank. A handle belongs to one thread
 * at a time; a thread that has several also works on the others while it waits for
 * one. Locks, outermost first: registry (teams by id), member.inside (a handle),
 * channel.lock (who waits in it), team.lock (plans, the device queue, first error).
 */
#ifndef VN_COLL_H
#define VN_COLL_H

#include <sched.h>

#include "../queue.h"
#include "../../kmod/engine/ops.h"
#include "../include/vneuron/coll.h"
#include "../include/vneuron/fault.h"
#include "board.h"
#include "fence.h"
#include "step.h"

struct coll_program; /* a compiled plan; program.c */
struct coll_pending;

/* Random bytes of a unique id, behind its first 8: more than its names give away. */
#define COLL_SECRET 56

/* A rank of this process: who may work on its handle (handle.c). */
struct coll_seat {
	struct vn_lib_comm *comm; /* NULL: it is gone */
	struct vn_mem bell; /* apart: counts the ranks that are through with their part of plans */
	const void *thread; /* atomic: whose it is, */
	bool inside; /* atomic: that one is in a call, */
	bool wanted; /* atomic: another one wants it */
} __attribute__((aligned(64)));

/* What a process has of a communicator; lives while handles do (refs, under the registry's lock). */
struct coll_team {
	struct coll_team *next; /* registry */
	vn_unique_id id;
	uint32_t ranks;
	uint32_t refs, joined;
	bool complete; /* all have joined */
	bool knocking; /* a thread asks rank 0 to be let in */
	vn_device_t dev;
	uint64_t timeout_ns;
	bool check;
	uint32_t cores; /* that its ranks' threads may use together: */
	cpu_set_t cpus; /* these */
	struct vn_config config; /* of rank 0 */
	int join_error;

	/* read by every operation */
	struct coll_board board;
	bool apart; /* ranks are in several processes */
	bool shared; /* atomic: a thread drives several ranks */
	uint8_t way[VN_COLL_COUNT][64]; /* by operation and bits of its bytes */
	uint8_t forced;
	uint64_t stream_bytes; /* more volume than that goes around the caches */
	const struct vn_ops *ops;
	struct coll_seat *seat; /* [ranks] */
	int board_fd; /* -1: memory of this process */
	struct coll_reach *reach; /* what is mapped of others */
	uint64_t looked; /* atomic: when it was seen who is alive */
	/* What is lost anywhere, as last seen, of which nothing was this one's: */
	uint32_t changes; /* atomic */
	uint32_t life[VN_MAX_CHIPS]; /* atomic: by chip */
	uint32_t speaker; /* a rank of this process, under whose name its errors stand */
	struct vn_mem params; /* [COLL_SLOTS][2 * ranks] operands */

	pthread_mutex_t lock __attribute__((aligned(64)));
	char text[COLL_TEXT]; /* of join_error */
	vn_queue_t queue;
	uint32_t launched, reaped; /* on the queue */
	uint32_t helpers; /* atomic: threads in the device for it */
	struct coll_program *programs;
	uint32_t nprograms;
	/* By slot: what carries out its operation, or was prepared; */
	struct coll_program *program[COLL_SLOTS];
	/* apart: whether this process has begun and ended its part, number + 1 (atomic). */
	uint64_t begun[COLL_SLOTS], ended[COLL_SLOTS];
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

/* Made by one rank at a time. */
#define COLL_REDOPS 64u

/* Signals of a rank that are waited for. */
struct coll_wanted {
	uint32_t peer, index;
	uint64_t count;
};

/* An operation as it was called: what its functions have in common. */
struct coll_call {
	enum vn_coll op;
	enum vn_way way;
	uint8_t type, redop;
	int root; /* or the peer */
	uint64_t count;
	const void *send;
	void *recv;
	struct coll_extra *extra; /* heap; is the operation's from here on */
	struct coll_scalar scalar; /* PREMULSUM */
	vn_queue_t stream;
	uint64_t timeout_ns;
	struct vn_lib_persistent *persistent; /* it is a launch of that, or */
	bool prepare; /* prepares it */
	struct vn_lib_window *window; /* PUT, GET: at this offset */
	uint64_t offset;
	uint32_t signal; /* SIGNAL, PUT_SIGNAL: which */
	struct coll_wanted *wanted; /* heap, likewise; WAIT_SIGNAL: [nwanted] */
	uint32_t nwanted;
};

/* A call, and what follows from all of it but its buffers and stream. */
struct coll_known {
	struct coll_call call;
	struct coll_shape shape; /* pull: whole; else what the post needs */
	uint64_t sig;
	bool pull;
	bool alone; /* nothing before it may be under way, nor begin behind it */
	bool again; /* the next call may be the same: there is nothing else to it */
};

/* An operation of one rank between start and completion. */
struct coll_pending {
	union {
		struct coll_known known;
		struct {
			struct coll_call call;
			struct coll_shape shape;
			uint64_t sig;
			bool pull, alone;
		};
	};
	struct vn_lib_comm *comm;
	struct coll_pending *next_on_stream;
	uint64_t index; /* among all of its rank */
	uint64_t seq; /* of a collective: among those of the team */
	uint64_t deadline; /* 0: nobody looked at the clock yet */
	uint64_t letter; /* of a send or receive: its number in its channel */
	bool offered; /* and whether it is there */
	struct coll_stage *stage[2]; /* instead of its buffers */
	bool done; /* send, receive, put, get, signal */
};

/* HBM, found once. */
struct coll_place {
	struct vn_mem mem;
	uint32_t life; /* of its chip, when it was allocated */
	uint64_t gen; /* frees seen then, + 1; 0: nothing */
	uint32_t key; /* for other processes; 0: not asked for yet */
	void *ptr; /* of a registered buffer */
	uint64_t bytes;
};

struct vn_lib_comm {
	struct coll_team *team;
	uint32_t rank;
	uint64_t started, posted, completed; /* operations */
	uint64_t collectives; /* of those started */
	uint64_t through; /* of those completed */
	uint64_t held; /* of its own, by a group */
	bool cramped; /* counted among those who wait for that */
	uint64_t room; /* every rank has completed that many collectives, as last seen */
	struct coll_pending **pending; /* [mask + 1], by index */
	uint64_t mask;
	struct coll_pending *unused; /* linked by next_on_stream */
	struct coll_known known; /* the last call */
	struct coll_slab *slabs;
	int status[COLL_SLOTS];
	struct vn_comm_stats stats;
	struct coll_place last[2]; /* HBM that was looked up last: sends, receives */
	struct coll_place *registered; /* [nregistered], by address */
	uint32_t nregistered;
	struct coll_redop redop[COLL_REDOPS];
	struct coll_signals *taken; /* [ranks] signals waited for; NULL: none yet */
	struct vn_lib_window *windows;
	struct vn_lib_persistent *persistent;
	uint32_t prepared; /* operations, so far */
	struct coll_stage *stages; /* unused */
	uint32_t unoffered; /* sends and receives that found no room in their channel */
	uint32_t changes; /* of what is lost anywhere, of which nothing was its own */
	uint64_t agreements; /* that it has come to */
	uint64_t grown; /* times it was */
	struct coll_shrunk *shrunk; /* and how often without whom (kin.c) */
	uint64_t given_up; /* when it noticed a failure; 0: there was none */
	void *scratch; /* of reductions */
	bool aborted; /* atomic */
	struct vn_rank_status *shown; /* what others may see of it (status.h): */
	struct vn_rank_status unshown; /* an entry of a status page, or this */
};

/* fault.c */
/* The first failure, as the calling thread's error; 0 if there is none. */
int coll_error(struct coll_team *t);
int coll_fail(struct coll_team *t, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Of a communicator that has failed: what happened, */
const char *coll_fault_text(const struct coll_team *t);
/* and whether nobody is at memory of others any more. */
bool coll_quiet(struct vn_lib_comm *c);
/* How long that may take; who takes longer has stopped. */
uint64_t coll_grace(const struct coll_team *t);
/* The rank has given its handle up, or its process is no more. */
bool coll_gone(const struct coll_team *t, uint32_t rank);
/* Its memory can't be reached, as vn_error() says: because it has died, or fails so. */
void coll_fail_reach(struct coll_team *t, uint32_t rank, int err);
/* Its chip is lost, or was since it joined. */
bool coll_lost(const struct coll_team *t, uint32_t rank);
/* What is lost now is not to be held against it. */
void coll_health_begin(struct coll_team *t);
/* Something was lost, or found: fails the communicator, and is false, if that concerns it. */
bool coll_still_healthy(struct coll_team *t);
/* The same for a rank, and the buffers of an operation. */
bool coll_still_sound(struct vn_lib_comm *c, const struct coll_pending *d);
/* The device refused an operation: likewise. */
void coll_fail_device(struct coll_team *t, uint64_t seq, uint32_t status);
/* Fails the communicator if a rank's process has died; now and then only. */
void coll_look_for_dead(struct coll_team *t);

/* team.c */
/* Calls fn for the other teams, as far as they can be looked at now. */
bool coll_elsewhere(const struct coll_team *here, bool (*fn)(struct coll_team *t, uint32_t but));

/* -errno of the first failure, or 0 */
static inline int coll_failed(const struct coll_team *t)
{
	return -(int)(__atomic_load_n(&t->board.head->fault, __ATOMIC_SEQ_CST) & 0xffff);
}

/*
 * What was read until now was not of a chip that is lost. A look at one line that hardly
 * ever changes.
 */
static inline bool coll_healthy(struct coll_team *t)
{
	const struct vn_health *h = t->dev->health;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !h ||
	       __atomic_load_n(&h->changes, __ATOMIC_RELAXED) ==
		       __atomic_load_n(&t->changes, __ATOMIC_RELAXED) ||
	       coll_still_healthy(t);
}

/* Has anything ever been lost? Then more is to be looked at. */
static inline bool coll_ever_lost(const struct coll_team *t)
{
	const struct vn_health *h = t->dev->health;

	return h && __atomic_load_n(&h->changes, __ATOMIC_RELAXED);
}

/* What the rank has read or written for this operation until now was not lost by then. */
static inline bool coll_sound(struct vn_lib_comm *c, const struct coll_pending *d)
{
	const struct vn_health *h = c->team->dev->health;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !h || __atomic_load_n(&h->changes, __ATOMIC_RELAXED) == c->changes ||
	       coll_still_sound(c, d);
}

/*
 * Between them the rank is at memory of others. Pairs with coll_quiet(): whoever leaves
 * after a failure sees that, or this sees the failure, and must not begin.
 */
static inline bool coll_touch(struct vn_lib_comm *c)
{
	bool *busy = &c->team->board.member[c->rank].busy;

	__atomic_store_n(busy, true, __ATOMIC_RELAXED);
	coll_fence_light();
	if (!coll_failed(c->team))
		return true;
	__atomic_store_n(busy, false, __ATOMIC_RELEASE);
	return false;
}

static inline void coll_touched(struct vn_lib_comm *c)
{
	__atomic_store_n(&c->team->board.member[c->rank].busy, false, __ATOMIC_RELEASE);
}

/*
 * Around what this thread writes, so many bytes at each of n places, some of which may be
 * in HBM: it may be about to move.
 */
static inline void coll_write(const struct coll_team *t, char *const *to, uint32_t n,
			      uint64_t bytes)
{
	if (t->dev->home->begin)
		t->dev->home->begin(t->dev->ctx, to, n, bytes);
}

static inline void coll_written(const struct coll_team *t)
{
	if (t->dev->home->end)
		t->dev->home->end(t->dev->ctx);
}

/* Bytes from anywhere to anywhere, by this thread. */
static inline void coll_copy(const struct coll_team *t, char *to, const char *from, uint64_t bytes,
			     bool stream)
{
	coll_write(t, &to, 1, bytes);
	t->ops->copy(to, from, bytes, stream);
	coll_written(t);
}

static inline struct coll_slot *coll_slot(const struct coll_team *t, uint64_t seq)
{
	return &t->board.slot[seq % COLL_SLOTS];
}

/* [ranks] */
static inline struct coll_post *coll_posts(const struct coll_team *t, uint64_t seq)
{
	return &t->board.post[seq % COLL_SLOTS * t->ranks];
}

/* check.c */
bool coll_reduces(enum vn_coll op);
bool coll_rooted(enum vn_coll op);
/* Several ranks meet in it, as against one or two. */
bool coll_meets(enum vn_coll op);
/* An operation's arguments, made into a call; else -errno, and nothing was taken. */
int coll_check(struct vn_lib_comm *c, const struct vn_op *op, struct coll_call *call);

/* redop.c: a reduction that this rank made, or NULL */
const struct coll_redop *coll_redop_made(const struct vn_lib_comm *c, uint32_t op);

/* extra.c */
struct coll_extra *coll_extra_new(const struct vn_op *op, uint32_t ranks, uint32_t rank);
struct coll_extra *coll_extra_copy(const struct coll_extra *e, uint32_t ranks);
/* A rank's, for ranks of other processes. */
uint64_t coll_extra_bytes(uint32_t ranks);
void coll_extra_post(const struct coll_team *t, uint64_t seq, uint32_t rank,
		     const struct coll_extra *e);
struct coll_extras {
	const struct coll_extra *of[VN_MAX_CHIPS];
	struct coll_extra copy[VN_MAX_CHIPS];
};
/* What all ranks posted beyond buffers and counts, with room for it; NULL: nothing. */
const struct coll_extra *const *coll_extras(const struct coll_team *t, uint64_t seq,
					    struct coll_extras *x);

/* group.c */
/* Now, or at the end of the thread's group. */
int coll_begin(struct vn_lib_comm *c, struct coll_call *call);
bool coll_grouped(void);
/* An argument makes no sense: a group remembers it. Returns err. */
int coll_refuse(int err);
/*
 * What waits for other ranks, now; in a group, with a copy of its argument, when that
 * ends, in a thread of its own.
 */
int coll_later(int (*fn)(void *arg), void *arg, size_t size);
/* Does it go with what the group holds back of that kind? The first error of check(). */
int coll_later_check(int (*fn)(void *arg), int (*check)(const void *held, const void *arg),
		     const void *arg);
/* coll_refuse() of what is for coll_later(): nothing of that is done in the group. */
int coll_refuse_later(int err);
void coll_call_free(struct coll_call *call);
/* The handle goes: what the calling thread's group holds back of it never begins. */
void coll_group_forget(const struct vn_lib_comm *c);

/* handle.c */
/* Between them nobody else works on the handle. */
void coll_enter(struct vn_lib_comm *c);
void coll_leave(struct vn_lib_comm *c);
/* The same for another handle of this thread; false: it has none there. */
bool coll_enter_mine(struct coll_seat *s);
/* This thread has worked on handles of several teams. */
bool coll_several(void);

/* op.c */
int coll_start(struct vn_lib_comm *c, const struct coll_call *call, bool grouped);
/* The last call once more, with these. */
int coll_start_again(struct vn_lib_comm *c, const void *send, void *recv, vn_queue_t stream);
/* Posts and completes what can be; true: something moved. */
bool coll_progress(struct vn_lib_comm *c);
/*
 * Room for a rank's operations; those left when its communicator has failed are
 * ended, as soon as nobody else looks at them; the room is freed.
 */
int coll_op_init(struct vn_lib_comm *c);
void coll_op_drop(struct vn_lib_comm *c);
void coll_op_forget(struct vn_lib_comm *c);
/* Its ranks post their data along. */
bool coll_pulls(const struct coll_team *t, const struct coll_call *call,
		const struct coll_shape *s);
/* Bytes of its buffers. */
uint64_t coll_sends(const struct coll_pending *d);
uint64_t coll_receives(const struct coll_pending *d);

static inline struct coll_pending *coll_nth(const struct vn_lib_comm *c, uint64_t index)
{
	return c->pending[index & c->mask];
}

/* wait.c */
void coll_wake(struct coll_team *t);
/* A rank is through with an operation: whoever waits for just that looks again. */
void coll_wake_cramped(struct coll_team *t);
/* One turn at what the rank has under way. */
void coll_turn(struct vn_lib_comm *c);
/* Until the rank has completed so many operations. */
int coll_wait(struct vn_lib_comm *c, uint64_t completed, uint64_t timeout_ns);
/* The same from inside a call. */
int coll_wait_for(struct vn_lib_comm *c, uint64_t completed, uint64_t timeout_ns);

/* meet.c: where the bytes lie that a rank posts along, */
char *coll_bounce(const struct coll_team *t, uint64_t seq, uint32_t rank, uint64_t bytes);
/* and the collectives. Posted: it was, else its turn has not come. */
bool coll_meet_post(struct vn_lib_comm *c, struct coll_pending *d);
/* Works on it; true: complete. */
bool coll_meet_finish(struct vn_lib_comm *c, struct coll_pending *d);
/* Fails it if somebody is there who calls something else. */
int coll_meet_compare(const struct coll_pending *d);
/* Who has not posted it, as text. Returns how many. */
uint32_t coll_meet_missing(const struct coll_pending *d, char *text, size_t size);
enum vn_way coll_meet_way(const struct vn_lib_comm *c, const struct coll_pending *d);

/* pair.c: sends and receives */
bool coll_pair_post(struct vn_lib_comm *c, struct coll_pending *d);
bool coll_pair_finish(struct vn_lib_comm *c, struct coll_pending *d);
/* Offers what found no room in its channel, and makes some. */
void coll_pair_offer(struct vn_lib_comm *c);
void coll_pair_missing(const struct coll_pending *d, char *text, size_t size);

/* onesided.c: put, get, signals and windows */
bool coll_onesided_post(struct vn_lib_comm *c, struct coll_pending *d);
bool coll_onesided_finish(struct vn_lib_comm *c, struct coll_pending *d);
void coll_onesided_missing(const struct coll_pending *d, char *text, size_t size);
void coll_windows_free(struct vn_lib_comm *c);
/* Room to count what it waited for. */
int coll_signals_init(struct vn_lib_comm *c);
/* What a put or get says of its window. */
int coll_window_check(struct vn_lib_comm *c, const struct coll_call *call);

/* join.c: the caller's configuration, checked as far as it goes by itself; NULL: defaults */
int coll_config_read(struct vn_config *to, const struct vn_config *from);

/* kin.c */
void coll_kin_free(struct vn_lib_comm *c);

/* persistent.c */
void coll_persistent_free_all(struct vn_lib_comm *c);
/* The program that the operation's preparation left, or NULL. */
struct coll_program *coll_persistent_program(const struct vn_lib_persistent *p);
uint32_t coll_persistent_number(const struct vn_lib_persistent *p);
/* It was prepared: with this program, or NULL, is it carried out. */
void coll_persistent_ready(struct vn_lib_persistent *p, const struct coll_shape *s,
			   struct coll_program *program, bool planned);

static inline uint32_t coll_bits(uint64_t n)
{
	return n ? 64 - (uint32_t)__builtin_clzll(n) : 0;
}

/* share.c */
/* Cuts what all agreed on into moves, and lets everybody at them. */
void coll_share_open(struct coll_team *t, const struct coll_shape *shape, uint64_t seq);
/* A rank takes moves of it until none is left; whoever finishes the last says DONE. */
void coll_share(struct vn_lib_comm *c, uint64_t seq);
/*
 * What one rank gets of an operation whose data everybody posted: from[rank], to
 * recv; post: where the scalars are.
 */
void coll_pull(struct coll_team *t, struct coll_shape *s, uint32_t rank, char *const *from,
	       const struct coll_post *post, char *recv, void *scratch);

/* program.c */
/*
 * What all agreed on as a launch of the device, of `ready` if that is not NULL; else
 * -errno, and nothing happened.
 */
int coll_launch(struct coll_team *t, const struct coll_shape *shape, uint64_t seq,
		struct coll_program *ready);
/* Apart: whether it can be a plan at all. */
bool coll_plannable(struct coll_team *t, const struct coll_shape *shape, uint64_t seq);
/* This process's part, once. True: all parts are complete. */
bool coll_launch_part(struct coll_team *t, uint64_t seq);
/* The bell of a rank of this process; compile() says what for. */
int coll_bell_init(struct coll_team *t, uint32_t rank);
void coll_bell_free(struct coll_team *t, uint32_t rank);
/* After a failure nothing of this process is left in the device, done or not. */
void coll_device_reset(struct coll_team *t);
/* The same as a program that `users` ranks hold; NULL: it can't be one. */
struct coll_program *coll_program_prepare(struct coll_team *t, const struct coll_shape *shape,
					  uint64_t seq, uint32_t users);
void coll_program_release(struct coll_team *t, struct coll_program *p);
/* Works on what the device has of this team; false: there are enough at it. */
bool coll_device(struct coll_team *t);
/* Nothing of this team is left in the device. */
void coll_device_drain(struct coll_team *t);
void coll_programs_free(struct coll_team *t);

/* hbm.c */
/* Says in a post where its buffers are, and tells the device; false: that can't be. */
bool coll_locate(struct vn_lib_comm *c, struct coll_pending *d, struct coll_post *p);
/*
 * Memory of a rank, or buffers of its operation, that may be in HBM: others fail with it,
 * should that be lost. False: it is, and the communicator has failed.
 */
bool coll_check_memory(struct vn_lib_comm *c, const void *p, uint64_t bytes, enum coll_end side);
bool coll_check_buffers(struct vn_lib_comm *c, const struct coll_pending *d);
/* For ranks of other processes: where memory is; -ENOENT: not in HBM. */
int coll_expose(struct vn_lib_comm *c, const char *ptr, uint64_t bytes, enum coll_end side,
		uint64_t *at, uint32_t *key);
/* The same of an operation's buffer, which may be staged for it; else it has failed. */
int coll_expose_end(struct vn_lib_comm *c, struct coll_pending *d, enum coll_end side, uint64_t *at,
		    uint32_t *key);

/* stage.c: HBM in place of buffers that are not, for ranks of other processes */
/* Room for a buffer, with what is in it; NULL: the communicator has failed. */
char *coll_stage_take(struct vn_lib_comm *c, struct coll_pending *d, enum coll_end side,
		      uint64_t bytes);
/* The operation is over: what it received goes to its buffer if it went well. */
void coll_stage_give(struct vn_lib_comm *c, struct coll_pending *d, bool well);
void coll_stage_free(struct vn_lib_comm *c);

/* reach.c: memory of ranks of other processes, as it is mapped here */
struct coll_view {
	char *at[2][VN_MAX_CHIPS]; /* of each rank's two buffers; NULL: has none */
};
/* Whether an operation is over for all: then it is no failure that a buffer is gone. */
struct coll_over {
	bool (*is)(const void *of);
	const void *of;
};
/*
 * Where all ranks' buffers of an operation are; false: others have done it all, or the
 * communicator has failed.
 */
bool coll_view(struct coll_team *t, uint64_t seq, struct coll_view *v);
/* One buffer. NULL: it is over (never, if that is NULL), or the communicator has failed. */
char *coll_reach(struct coll_team *t, uint32_t rank, uint32_t key, uint64_t at,
		 const struct coll_over *over);
/* After each of these, when it is no more needed. */
void coll_reached(struct coll_team *t);
int coll_reach_init(struct coll_team *t);
void coll_reach_free(struct coll_team *t);

/* stream.c */
/* Every descriptor of the queue is done. */
bool coll_stream_idle(vn_queue_t q);
bool coll_stream_failed(vn_queue_t q);
/* Runs what stands before a collective on its stream; false: nothing to run. */
bool coll_stream_work(vn_queue_t q);

/* tuner.c */
int coll_tune_init(struct coll_team *t, const struct vn_config *config);

#endif
