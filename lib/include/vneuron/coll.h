/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Collectives of libvneuron: communicators whose ranks are threads of one
 * process (or one thread that drives several), in either home.
 *
 * Names and the order of arguments follow nccl.h, with the prefix vn_. A stream
 * is a queue: an operation begins when everything put on the queue before it is
 * done, and what is put on the queue after it waits for it. NULL is the
 * communicator's own stream. Calls start an operation and return; vn_comm_sync()
 * or vn_queue_sync() waits, and works meanwhile.
 *
 * Descriptors on a queue that is a stream have completions (no VN_DESC_SILENT): by
 * them it is known that they are done. Communicators are destroyed, or aborted,
 * before the device is closed.
 *
 * All ranks call the same operations in the same order. Every function returns
 * 0 or -errno, with vn_error() saying why. Counts are elements of the type,
 * buffers may be HBM (as mapped by vn_mem_alloc()) or any memory of the process;
 * only HBM goes through the switch. In place: recvbuff == sendbuff for
 * all_reduce, reduce, broadcast, scan, exscan, all_to_all, permute;
 * sendbuff == recvbuff + rank's block for all_gather and, at the root,
 * gather; recvbuff == sendbuff + rank's block for reduce_scatter and, at the
 * root, scatter; the same for their forms with unequal blocks, all_to_allv by all
 * ranks or none. Other overlaps are not allowed.
 *
 * Operations of a rank take effect in the order in which they were started: one
 * that uses what another writes waits for it, others may be under way together.
 * Barriers, waits for signals, puts and gets wait for all before them, and what
 * comes after them waits for them. Outside of a group a call waits while 64 of its
 * rank are under way. Puts and gets, and the last to come of a small
 * operation, move data inside the call that starts them.
 *
 * Results are the same bits whatever the way, the home, the width of the vector
 * unit and the timing: a left fold in rank order, wide accumulators for narrow
 * floats, one rounding at the end. Every type has every reduction, floats but the
 * bitwise ones; enum vn_redop tells how they overflow, round and divide. VN_AVG in
 * a scan divides by how many ranks were folded.
 *
 * Errors all operations share: -EINVAL an argument makes no sense or ranks
 * disagree (they are named), -ETIMEDOUT a rank did not arrive (it is named, with
 * operation and sequence number), -ECANCELED the communicator was aborted, or an
 * earlier operation of it failed, -EIO the device refused. After the first
 * failure the communicator takes no more operations: vn_comm_get_async_error()
 * says which it was, and vn_comm_abort() frees it.
 */
#ifndef VNEURON_COLL_H
#define VNEURON_COLL_H

#include "../vneuron.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One rank's handle: of one thread at a time. It goes to another one, as does a queue
 * that is a stream, while nothing on it is under way.
 */
typedef struct vn_lib_comm *vn_comm_t;

#define VN_UNIQUE_ID_BYTES 128

typedef struct {
	char internal[VN_UNIQUE_ID_BYTES];
} vn_unique_id;

/* ---- communicators ------------------------------------------------------ */

/**
 * enum vn_way - how an operation is carried out
 * @VN_WAY_AUTO: the tuner picks the cheapest
 * @VN_WAY_PULL: ranks post their data, each fetches what it needs (small sizes)
 * @VN_WAY_SHARE: ranks share out slices of the work, by loads and stores
 * @VN_WAY_PLAN: a plan of the device, launched once: through the switch. HBM only
 * @VN_WAY_COUNT: how many
 */
enum vn_way {
	VN_WAY_AUTO = 0,
	VN_WAY_PULL = 1,
	VN_WAY_SHARE = 2,
	VN_WAY_PLAN = 3,
	VN_WAY_COUNT = 4,
};

/**
 * enum vn_coll - the operations
 */
enum vn_coll {
	VN_ALL_REDUCE,
	VN_REDUCE_TO, /* vn_reduce() */
	VN_BROADCAST,
	VN_ALL_GATHER,
	VN_REDUCE_SCATTER,
	VN_ALL_TO_ALL,
	VN_GATHER,
	VN_SCATTER,
	VN_PERMUTE,
	VN_SCAN,
	VN_EXSCAN,
	VN_BARRIER,
	VN_ALL_GATHERV, /* blocks of unequal length */
	VN_REDUCE_SCATTERV,
	VN_ALL_TO_ALLV,
	VN_GATHERV,
	VN_SCATTERV,
	VN_COLL_COUNT,
	/* between two ranks */
	VN_SEND = 32,
	VN_RECV,
	VN_PUT,
	VN_PUT_SIGNAL,
	VN_GET,
	VN_SIGNAL,
	VN_WAIT_SIGNAL,
	VN_COLL_OPS, /* end of all */
};

/**
 * vn_coll_name - "all_reduce", "send", ...; NULL for no operation
 */
const char *vn_coll_name(enum vn_coll op);

/**
 * vn_way_name - "auto", "pull", "share", "plan"; NULL for none
 */
const char *vn_way_name(enum vn_way way);

/**
 * typedef vn_cost_fn - what an operation would cost
 * @arg: &vn_config.cost_arg
 * @way: PULL, SHARE or PLAN
 * @bytes: of one rank's block (for all_reduce: its whole buffer)
 *
 * Returns microseconds; negative: the way is out of the question. Must say the
 * same for the same question.
 */
typedef double vn_cost_fn(void *arg, enum vn_way way, enum vn_coll op, int ranks, uint64_t bytes);

/**
 * struct vn_config - how to make a communicator; VN_CONFIG_INITIALIZER first
 * @size: sizeof(struct vn_config) of the caller's header
 * @version: VN_CONFIG_VERSION of the caller's header
 * @dev: device of the rank; NULL: vn_set_chip()'s
 * @chip: chip of the rank; -1: vn_set_chip()'s, else the rank's number
 * @timeout_ns: of every operation; 0: $VNEURON_COLL_TIMEOUT_MS, else 5 minutes;
 *	VN_FOREVER: none
 * @check: ranks compare their calls as they arrive: who disagrees fails at once.
 *	Without it, when the last has arrived. -1: $VNEURON_COLL_CHECK, else off
 * @way: force one (it still gives way to one that can do it at all); AUTO:
 *	$VNEURON_COLL_WAY, else the tuner
 * @cost: replaces the tuner's figures; NULL: the table's and the built-in ones
 * @cost_arg: its first argument
 *
 * timeout, check, way and cost of rank 0 hold for all.
 */
struct vn_config {
	size_t size;
	uint32_t version;
	int32_t chip;
	vn_device_t dev;
	uint64_t timeout_ns;
	int32_t check;
	uint32_t way;
	vn_cost_fn *cost;
	void *cost_arg;
};

#define VN_CONFIG_VERSION 1u
#define VN_CONFIG_INITIALIZER \
	{ sizeof(struct vn_config), VN_CONFIG_VERSION, -1, NULL, 0, -1, VN_WAY_AUTO, NULL, NULL }

/**
 * vn_set_chip - device and chip of communicators the calling thread makes next
 */
int vn_set_chip(vn_device_t dev, uint32_t chip);

/**
 * vn_get_unique_id - a name for a communicator, for all its ranks
 */
int vn_get_unique_id(vn_unique_id *id);

/**
 * vn_comm_init_rank - join a communicator as rank @rank of @nranks (1 to 144)
 *
 * Returns when all have joined; meanwhile this thread works on nothing else. In a group
 * the rank joins when that ends, and *comm is set then. -ETIMEDOUT names who has not
 * joined, -EEXIST: somebody has that rank, or the chip of another rank, -EINVAL: another
 * nranks, -EXDEV: another device handle than the ranks of this process, -EACCES: rank 0
 * is another user's, -EBUSY: the device handle has windows in another domain.
 *
 * Ranks are threads of one process or, on the kernel module, of several, each with a
 * device handle of its own. The unique id goes to them by a way that only they can read:
 * who knows it, and runs as the same user, may join.
 */
int vn_comm_init_rank(vn_comm_t *comm, int nranks, vn_unique_id id, int rank);

/**
 * vn_comm_init_rank_config - the same with a configuration; NULL: defaults
 *
 * -EINVAL: a size or version this library does not know.
 */
int vn_comm_init_rank_config(vn_comm_t *comm, int nranks, vn_unique_id id, int rank,
			     const struct vn_config *config);

/**
 * vn_comm_init_all - all ranks of a communicator at once, for one thread
 * @comms: room for @nranks handles
 * @chips: chip of each rank; NULL: 0 to nranks - 1
 *
 * On the device of vn_set_chip(). Operations on several of them go in a group.
 */
int vn_comm_init_all(vn_comm_t *comms, int nranks, const int *chips);

/**
 * vn_comm_init_all_config - the same with a configuration (its chip is unused)
 */
int vn_comm_init_all_config(vn_comm_t *comms, int nranks, const int *chips,
			    const struct vn_config *config);

/**
 * vn_comm_finalize - wait for every operation of this rank
 */
int vn_comm_finalize(vn_comm_t comm);

/**
 * vn_comm_destroy - finalize and free the handle
 *
 * The handle is gone also when an error is returned.
 */
int vn_comm_destroy(vn_comm_t comm);

/**
 * vn_comm_abort - stop the communicator's operations on all ranks, free the handle
 *
 * Others get -ECANCELED. May be called by another thread than the rank's.
 */
int vn_comm_abort(vn_comm_t comm);

/**
 * vn_comm_revoke - stop the communicator's operations on all ranks
 *
 * They end with an error, as all behind them do; handles stay, for vn_comm_agree(),
 * vn_comm_shrink() and vn_comm_destroy(). Others get -ECANCELED. May be called by
 * another thread than the rank's.
 */
int vn_comm_revoke(vn_comm_t comm);

/**
 * vn_comm_agree - who is gone, as all ranks that are left see it
 * @gone: out, their numbers; room for all ranks
 * @ngone: out, how many
 *
 * Called by all that are left, as often as each other, on a communicator that has
 * failed or not; what it says is the same on all of them. Gone are ranks whose process
 * has died, or that gave up their handle; and who has not called when no rank has done
 * anything for four times the communicator's timeout (or twice, and 4 s): it gets -ESTALE
 * if it comes later.
 */
int vn_comm_agree(vn_comm_t comm, int *gone, int *ngone);

#define VN_SPLIT_NOCOLOR (-1)

/**
 * vn_comm_split - communicators of those ranks that say the same color
 * @color: 0 or more; VN_SPLIT_NOCOLOR: this rank is in none, *newcomm is NULL
 * @key: ranks are ordered by key, then by their rank here
 * @config: NULL: as this communicator's; a chip that is not said is this rank's
 *
 * Called by all ranks, in order with their other operations. In a group it is done
 * when that ends.
 */
int vn_comm_split(vn_comm_t comm, int color, int key, vn_comm_t *newcomm,
		  const struct vn_config *config);

#define VN_SHRINK_DEFAULT 0
#define VN_SHRINK_ABORT 1 /* revoke this one first */

/**
 * vn_comm_shrink - a communicator without some of the ranks
 * @exclude: whom to leave out, the same on all others, which call it; vn_comm_agree()
 * @nexclude: how many; 0: none
 *
 * The others keep their order. This one may have failed; it stays as it is.
 */
int vn_comm_shrink(vn_comm_t comm, const int *exclude, int nexclude, vn_comm_t *newcomm,
		   const struct vn_config *config, int flags);

/**
 * vn_comm_get_unique_id - the id by which new ranks join in vn_comm_grow()
 *
 * The same on all ranks, which have grown it as often.
 */
int vn_comm_get_unique_id(vn_comm_t comm, vn_unique_id *id);

/**
 * vn_comm_grow - a communicator with more ranks
 * @comm: of those that are there, NULL: a new rank
 * @nranks: of the new one
 * @id: of new ranks: vn_comm_get_unique_id(); others may say NULL
 * @rank: of new ranks, from the old number of ranks on; others stay what they are: -1
 */
int vn_comm_grow(vn_comm_t comm, int nranks, const vn_unique_id *id, int rank, vn_comm_t *newcomm,
		 const struct vn_config *config);

/**
 * vn_comm_get_async_error - 0, or -errno of the communicator's first failure
 */
int vn_comm_get_async_error(vn_comm_t comm, int *error);

/**
 * vn_comm_error - the text of that failure, "" if there is none
 *
 * Valid until the handle is freed.
 */
const char *vn_comm_error(vn_comm_t comm);

int vn_comm_count(vn_comm_t comm, int *count);
int vn_comm_user_rank(vn_comm_t comm, int *rank);
int vn_comm_chip(vn_comm_t comm, uint32_t *chip);

/**
 * struct vn_comm_stats - what a rank did so far
 * @ops: operations finished
 * @way_ops: of those, by way; operations between two ranks count as SHARE
 * @way_bytes: bytes this rank asked for, by way
 * @plans: plans the communicator holds compiled
 * @launches: launches of them so far
 */
struct vn_comm_stats {
	uint64_t ops;
	uint64_t way_ops[VN_WAY_COUNT];
	uint64_t way_bytes[VN_WAY_COUNT];
	uint64_t plans;
	uint64_t launches;
};

int vn_comm_stats(vn_comm_t comm, struct vn_comm_stats *stats);

/**
 * vn_comm_sync - wait for all operations of this rank
 * @timeout_ns: from now; the operations go on when it ends
 */
int vn_comm_sync(vn_comm_t comm, uint64_t timeout_ns);

/**
 * vn_queue_sync - wait for everything on a queue, collectives and descriptors
 *
 * Completions of descriptors are not reaped. For descriptors without
 * VN_DESC_SILENT.
 */
int vn_queue_sync(vn_queue_t q, uint64_t timeout_ns);

/* ---- processes of a launcher ---------------------------------------------- */

/*
 * Where mpirun (Open MPI), prun (PRRTE) or srun --mpi=pmix started the program, each
 * process is a rank. PMIx tells it which: libpmix.so.2 is opened by the first of these
 * calls, and left when the process exits. A process that ends in another way, by
 * _exit() or a signal, has failed in the eyes of its launcher, which stops the others.
 *
 * -ENOTCONN: nobody launched this process, the launcher does not speak PMIx, or its
 * library is missing; vn_error() says which.
 */

/**
 * vn_world - which of the launcher's processes this is
 * @rank: out, 0 to @nranks - 1
 * @nranks: out, how many there are
 *
 * Before any communicator is made: to choose a chip, say. -EPROTO: the launcher does
 * not say.
 */
int vn_world(int *rank, int *nranks);

/**
 * vn_comm_init_world - join a communicator of all processes of the launcher
 * @config: NULL: defaults
 *
 * vn_comm_init_rank_config() with the launcher's rank and number of ranks, and an id
 * that rank 0 makes and the others get through PMIx. Called by all processes, by one
 * thread of each at a time, and as often by each as communicators are wanted.
 *
 * Several processes need the module: -EXDEV on an embedded device, at once.
 * -ETIMEDOUT: rank 0 did not call within the timeout, or another one (it is named) did
 * not within the timeout after that. -EPROTO: PMIx refused.
 */
int vn_comm_init_world(vn_comm_t *comm, const struct vn_config *config);

/* ---- groups -------------------------------------------------------------- */

/**
 * vn_group_start - hold back operations of this thread until vn_group_end()
 *
 * Nests. One thread may so start operations on several ranks.
 */
int vn_group_start(void);

/**
 * vn_group_end - start them all; an error is that of the first that failed
 *
 * Ranks that were to join, split, shrink or grow do it then, each in a thread of its own,
 * so that those of other threads may be among them. If one was refused, none does.
 */
int vn_group_end(void);

/* ---- reductions of one's own --------------------------------------------- */

/**
 * enum vn_scalar_residence - when a scalar is read
 * @VN_SCALAR_DEVICE: when an operation begins; it stays where it is until that ends
 * @VN_SCALAR_HOST_IMMEDIATE: when the reduction is made
 */
enum vn_scalar_residence {
	VN_SCALAR_DEVICE = 0,
	VN_SCALAR_HOST_IMMEDIATE = 1,
};

/**
 * vn_red_op_create_pre_mul_sum - a sum in which this rank's data is multiplied first
 * @op: out, to be used like VN_SUM on this communicator; all ranks use one, each
 *	with a scalar of its own
 * @scalar: one element of @type, which operations with @op must have
 *
 * Each product is rounded in the type in which the fold is made (fp32 for the
 * narrow floats), then added. Up to 64 at a time; -ENOSPC: there are that many.
 */
int vn_red_op_create_pre_mul_sum(enum vn_redop *op, const void *scalar, enum vn_type type,
				 enum vn_scalar_residence residence, vn_comm_t comm);

/**
 * vn_red_op_destroy - forget a reduction; operations already started keep it
 */
int vn_red_op_destroy(enum vn_redop op, vn_comm_t comm);

/* ---- collectives --------------------------------------------------------- */

/**
 * vn_all_reduce - every recvbuff = fold of all sendbuffs, @count elements
 */
int vn_all_reduce(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
		  enum vn_redop op, vn_comm_t comm, vn_queue_t stream);
/* recvbuff is used at the root only. */
int vn_reduce(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	      enum vn_redop op, int root, vn_comm_t comm, vn_queue_t stream);
/* sendbuff is used at the root only. */
int vn_broadcast(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
		 vn_comm_t comm, vn_queue_t stream);
/* recvbuff: nranks x sendcount, ordered by rank. */
int vn_all_gather(const void *sendbuff, void *recvbuff, size_t sendcount, enum vn_type type,
		  vn_comm_t comm, vn_queue_t stream);
/* sendbuff: nranks x recvcount; rank r gets the fold of the r-th blocks. */
int vn_reduce_scatter(const void *sendbuff, void *recvbuff, size_t recvcount, enum vn_type type,
		      enum vn_redop op, vn_comm_t comm, vn_queue_t stream);
/* Both nranks x count; block j of rank i becomes block i of rank j. */
int vn_all_to_all(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
		  vn_comm_t comm, vn_queue_t stream);
int vn_gather(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
	      vn_comm_t comm, vn_queue_t stream);
int vn_scatter(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
	       vn_comm_t comm, vn_queue_t stream);

/**
 * vn_permute - rank r's data goes to rank to[r]
 * @to: nranks entries, the same on all ranks, no two alike; -1: goes nowhere
 *
 * recvbuff of a rank that nobody sends to stays as it is.
 */
int vn_permute(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	       const int *to, vn_comm_t comm, vn_queue_t stream);

/**
 * vn_scan - rank r gets the fold of ranks 0 to r
 */
int vn_scan(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	    enum vn_redop op, vn_comm_t comm, vn_queue_t stream);

/**
 * vn_exscan - rank r gets the fold of ranks 0 to r - 1; rank 0's recvbuff stays
 */
int vn_exscan(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	      enum vn_redop op, vn_comm_t comm, vn_queue_t stream);
int vn_barrier(vn_comm_t comm, vn_queue_t stream);

/* ---- blocks of unequal length ---------------------------------------------- */

/*
 * Counts and displacements (where a block begins in its buffer) are in elements, an
 * array has nranks of them and is copied by the call. Displacements NULL: the blocks
 * lie one behind the other, in the order of ranks. Who sends and who receives a block
 * must name the same count: else -EINVAL says which ranks don't. Blocks of a receive
 * buffer must not overlap.
 */

/* Rank r's block, sendcount there and recvcounts[r] on all ranks, to every rank. */
int vn_all_gatherv(const void *sendbuff, size_t sendcount, void *recvbuff, const size_t *recvcounts,
		   const size_t *displs, enum vn_type type, vn_comm_t comm, vn_queue_t stream);
/* sendbuff: blocks of recvcounts[0], [1], ...; rank r gets the fold of the r-th. */
int vn_reduce_scatterv(const void *sendbuff, void *recvbuff, const size_t *recvcounts,
		       enum vn_type type, enum vn_redop op, vn_comm_t comm, vn_queue_t stream);
/* Block j of rank i becomes block i of rank j. In place: both sides alike. */
int vn_all_to_allv(const void *sendbuff, const size_t *sendcounts, const size_t *sdispls,
		   void *recvbuff, const size_t *recvcounts, const size_t *rdispls,
		   enum vn_type type, vn_comm_t comm, vn_queue_t stream);
/* recvbuff, recvcounts and displs are used at the root only. */
int vn_gatherv(const void *sendbuff, size_t sendcount, void *recvbuff, const size_t *recvcounts,
	       const size_t *displs, enum vn_type type, int root, vn_comm_t comm,
	       vn_queue_t stream);
/* sendbuff, sendcounts and displs are used at the root only. */
int vn_scatterv(const void *sendbuff, const size_t *sendcounts, const size_t *displs,
		void *recvbuff, size_t recvcount, enum vn_type type, int root, vn_comm_t comm,
		vn_queue_t stream);

/* ---- two ranks --------------------------------------------------------------- */

/**
 * vn_send - @count elements to rank @peer, which calls vn_recv() for as many
 *
 * The n-th send from one rank to another meets the n-th receive there; other counts
 * or types are an error that names both. Sends and receives of one rank whose buffers
 * differ are under way together, in a group or not. To oneself: with another buffer.
 */
int vn_send(const void *sendbuff, size_t count, enum vn_type type, int peer, vn_comm_t comm,
	    vn_queue_t stream);
int vn_recv(void *recvbuff, size_t count, enum vn_type type, int peer, vn_comm_t comm,
	    vn_queue_t stream);

/* ---- registered memory, windows, one-sided operations ------------------------- */

/**
 * vn_comm_register - make it known that a buffer will be used often
 * @buff: memory of a rank, HBM or not
 * @size: bytes
 * @handle: out, for vn_comm_deregister()
 *
 * Where in HBM it lies is then found without the list of all allocations. Nothing is
 * pinned. -EEXIST: it overlaps one that is registered.
 */
int vn_comm_register(vn_comm_t comm, void *buff, size_t size, void **handle);
int vn_comm_deregister(vn_comm_t comm, void *handle);

typedef struct vn_lib_window *vn_comm_window_t; /* one rank's handle of all ranks' buffers */

#define VN_WIN_DEFAULT 0
#define VN_WIN_COLL_SYMMETRIC 1 /* accepted; windows may also differ in size */

/**
 * vn_comm_window_register - let all ranks put to and get from a buffer of each
 * @buff: of this rank; aligned to 8
 * @size: bytes; may be 0, and another on each rank
 * @flags: VN_WIN_*
 *
 * Called by all ranks in the same order. Returns when all have; in a group, at once,
 * and operations behind it find it ready.
 */
int vn_comm_window_register(vn_comm_t comm, void *buff, size_t size, vn_comm_window_t *window,
			    int flags);

/**
 * vn_comm_window_deregister - forget a window, on this rank
 *
 * Waits for this rank's operations. Others may still reach the buffer through their
 * handles: a barrier comes first. -EBUSY: a group holds back operations of this rank.
 */
int vn_comm_window_deregister(vn_comm_t comm, vn_comm_window_t window);
int vn_win_get_user_ptr(vn_comm_t comm, vn_comm_window_t window, void **ptr);

/* Signals from each rank to each other: 0 to VN_SIGNALS - 1. */
#define VN_SIGNALS 8

/**
 * struct vn_wait_signal_desc - what to wait for
 * @op_cnt: how many signals, beyond those waited for before; 1 or more
 * @peer: from that rank
 * @sig_idx: which
 * @ctx: 0
 */
struct vn_wait_signal_desc {
	int op_cnt;
	int peer;
	int sig_idx;
	int ctx;
};

/**
 * vn_put - write @count elements into the window of rank @peer
 * @offset: where, bytes from the beginning of that window; aligned to the type
 *
 * The data is there when the operation is complete; till then @localbuff must stay as it
 * is. -ERANGE: beyond the window.
 */
int vn_put(const void *localbuff, size_t count, enum vn_type type, int peer,
	   vn_comm_window_t window, size_t offset, vn_comm_t comm, vn_queue_t stream);
/* Read from the window of rank @peer. */
int vn_get(void *localbuff, size_t count, enum vn_type type, int peer, vn_comm_window_t window,
	   size_t offset, vn_comm_t comm, vn_queue_t stream);

/**
 * vn_put_signal - put, then signal: who sees the signal sees the data
 * @sig_idx: which signal
 * @ctx: 0
 * @flags: 0
 */
int vn_put_signal(const void *localbuff, size_t count, enum vn_type type, int peer,
		  vn_comm_window_t window, size_t offset, int sig_idx, int ctx, unsigned int flags,
		  vn_comm_t comm, vn_queue_t stream);
/* Everything this rank started before is done when rank @peer sees the signal. */
int vn_signal(int peer, int sig_idx, int ctx, unsigned int flags, vn_comm_t comm,
	      vn_queue_t stream);
/* Wait until all @n have come; they count for one wait only. The array is copied. */
int vn_wait_signal(int n, const struct vn_wait_signal_desc *descs, vn_comm_t comm,
		   vn_queue_t stream);

/* ---- operations as records ----------------------------------------------- */

/**
 * struct vn_op - any operation, as a record; zero what it does not use
 * @op: which
 * @way: VN_WAY_AUTO or one that is forced; the same on all ranks
 * @type: element type
 * @redop: reduction
 * @root: of rooted operations
 * @peer: the other rank, of operations between two
 * @count: elements (block of a rank for the operations with blocks; the one block that
 *	a rank of all_gatherv or gatherv sends, or of scatterv receives)
 * @sendbuff: as in the operation's function; of put, the local buffer
 * @recvbuff: likewise; of get, the local buffer
 * @to: permute
 * @sendcounts: blocks of unequal length, as in the operation's function
 * @sdispls: likewise; of reduce_scatterv too
 * @recvcounts: likewise
 * @rdispls: likewise
 * @window: put, put_signal, get
 * @offset: in it, bytes
 * @sig_idx: put_signal, signal
 * @nsignals: wait_signal: how many
 * @signals: and which
 * @timeout_ns: 0: the communicator's
 */
struct vn_op {
	enum vn_coll op;
	enum vn_way way;
	enum vn_type type;
	enum vn_redop redop;
	int root;
	int peer;
	size_t count;
	const void *sendbuff;
	void *recvbuff;
	const int *to;
	const size_t *sendcounts;
	const size_t *sdispls;
	const size_t *recvcounts;
	const size_t *rdispls;
	vn_comm_window_t window;
	size_t offset;
	int sig_idx;
	int nsignals;
	const struct vn_wait_signal_desc *signals;
	uint64_t timeout_ns;
};

/**
 * vn_op_start - start an operation described by a record
 * @seq: out, its number among all operations of this rank, or NULL. Texts of errors
 *	count collectives alone: these have the same number on all ranks.
 */
int vn_op_start(const struct vn_op *op, vn_comm_t comm, vn_queue_t stream, uint64_t *seq);

/**
 * vn_op_status - how an operation of this rank stands
 * @seq: one of the last 16
 *
 * 0: done, -EINPROGRESS, or the error it ended with. Works on it.
 */
int vn_op_status(vn_comm_t comm, uint64_t seq);

/* ---- persistent operations ------------------------------------------------- */

typedef struct vn_lib_persistent *vn_persistent_t;

/**
 * vn_op_init - prepare an operation that will be launched often
 * @op: a collective; the buffers must stay until vn_op_free(), the arrays are copied
 * @persistent: out
 *
 * Called by all ranks, in order with their other operations. What they say is checked
 * and compared here, the way chosen, and the plan, if it goes by one, compiled and
 * kept. Returns when all have called; in a group, at once. -EINVAL: not a collective,
 * or ranks disagree.
 */
int vn_op_init(const struct vn_op *op, vn_comm_t comm, vn_persistent_t *persistent);

/**
 * vn_op_launch - start it, as all ranks do
 * @seq: as vn_op_start()
 */
int vn_op_launch(vn_persistent_t persistent, vn_queue_t stream, uint64_t *seq);

/**
 * vn_op_way - the way it goes, once all have called vn_op_init()
 */
int vn_op_way(vn_persistent_t persistent, enum vn_way *way);

/**
 * vn_op_free - forget it; launches already started go on
 *
 * Those that are left go with their communicator's handle. -EBUSY: a group holds back
 * operations of this rank.
 */
int vn_op_free(vn_persistent_t persistent);

/* ---- the tuner ------------------------------------------------------------ */

/*
 * It takes the way that costs least. A cost is that of vn_config.cost if there is
 * one; else of the table that "neuronctl coll tune" made on this machine, if it has
 * measured that way of the operation; else a built-in figure. What is forced (by
 * the operation's record, vn_config.way or $VNEURON_COLL_WAY) comes before all.
 *
 * The table is $VNEURON_COLL_TABLE ("none" or empty: no table), else
 * ${XDG_CACHE_HOME:-$HOME/.cache}/vneuron/coll-HOME.table if that exists, where
 * HOME is vn_device_home(). It is read when a communicator is made; -EINVAL names
 * the line that can't be understood. One that was made in the other home, or with
 * another number of cores, counts for nothing.
 */

/**
 * enum vn_cost_source - where a cost comes from
 * @VN_COST_NONE: the way is out of the question
 * @VN_COST_BUILT_IN: a built-in figure
 * @VN_COST_TABLE: measured, from the table
 * @VN_COST_CALLER: vn_config.cost
 */
enum vn_cost_source {
	VN_COST_NONE = 0,
	VN_COST_BUILT_IN = 1,
	VN_COST_TABLE = 2,
	VN_COST_CALLER = 3,
};

/**
 * vn_cost_source_name - "none", "built-in", "table", "caller"; NULL for none of these
 */
const char *vn_cost_source_name(enum vn_cost_source source);

/**
 * struct vn_choice - what the tuner would do, and why
 * @way: chosen
 * @forced: 1: because somebody forces it, whatever it costs; else 0
 * @cost_us: of every way; negative: out of the question
 * @from: where each of them comes from
 * @source: where the figures come from: "caller", "table FILE" if one of them is
 *	from there, "built-in"
 * @why: one line for people
 * @note: why a table that exists was not used; "" else
 */
struct vn_choice {
	enum vn_way way;
	int forced;
	double cost_us[VN_WAY_COUNT];
	enum vn_cost_source from[VN_WAY_COUNT];
	char source[448];
	char why[256];
	char note[512];
};

/**
 * vn_coll_explain - what the tuner picks for an operation on HBM
 * @config: NULL: defaults and environment
 */
int vn_coll_explain(vn_device_t dev, enum vn_coll op, int ranks, uint64_t bytes,
		    const struct vn_config *config, struct vn_choice *choice);

/**
 * vn_coll_table_path - where the tuner looks for its table, "" for nowhere
 * @path: out
 * @size: of path; -ENAMETOOLONG: it has not the room
 */
int vn_coll_table_path(vn_device_t dev, char *path, size_t size);

#ifdef __cplusplus
}
#endif

#endif
