/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libvneuron: a virtual UltraServer, in this process or behind /dev/vneuron0.
 *
 * Functions return 0 (or a count) or -errno; errno itself says nothing about
 * them. A failed call changes nothing. vn_error() has the text of the calling
 * thread's last failure. Lengths are bytes unless said otherwise, times
 * nanoseconds.
 *
 * A device handle may be used by many threads. A queue handle belongs to one
 * thread at a time; so does a builder.
 */
#ifndef VNEURON_H
#define VNEURON_H

#include <stddef.h>
#include <stdint.h>
#include <linux/vneuron.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vn_lib_device *vn_device_t;	/* a context on an UltraServer */
typedef struct vn_lib_queue *vn_queue_t;
typedef struct vn_lib_plan *vn_plan_t;
typedef struct vn_lib_builder *vn_builder_t;

#define VN_FOREVER	UINT64_MAX

/* ---- device ------------------------------------------------------------ */

/**
 * vn_version - version of the library, "major.minor.patch"
 */
const char *vn_version(void);

/**
 * vn_error - what went wrong in the calling thread's last failed call
 *
 * Names the thing (node, chip, key, option). Never NULL; valid until the
 * thread's next failure.
 */
const char *vn_error(void);

/**
 * vn_open - open an UltraServer and make a context on it
 * @spec: "/dev/vneuron0" (or another node), "embedded", or
 *	"embedded:sleds=36,chips=4,spares=1,hbm=64M,threads=2,simd=scalar,control=1" with
 *	any of the options; "pid:1234", the embedded device of that process, or
 *	"pid:1234/1" the second of them; NULL or "": $VNEURON_DEVICE, else /dev/vneuron0
 *	if that exists, else "embedded"
 * @dev: out
 *
 * sleds 1 to 36, chips 1 to 16 per sled, at most 144 in all; spares 0 to 4 sleds more,
 * for chips to move to (default 0: sled.h); hbm is bytes per
 * chip (K, M, G = 2^10, 2^20, 2^30), threads how many helpers the embedded
 * device may run (default: one per core but one, 0 for none), simd "scalar" or
 * "avx2"; with control=1 (default: $VNEURON_CONTROL, else 0) others of the same user,
 * and root, see it by "pid:": a thread more listens for them at a unix socket
 * (linux/vneuron_nl.h), until the last context is closed.
 *
 * Of the device of another process there are queries, ports, ranks, and all of sled.h;
 * any other call is -EOPNOTSUPP. -ESRCH: there is no such process, -ENOENT: it has no
 * such device that listens, -EPERM: it is somebody else's, -EBUSY: too many look at it.
 * When it ends, calls fail with -ECONNRESET.
 *
 * -EINVAL for a spec that makes no sense, -EACCES and other errors of open()
 * for a node: one that is there but can't be opened is never replaced by the
 * embedded device.
 */
int vn_open(const char *spec, vn_device_t *dev);

/**
 * vn_reopen - another context on the same UltraServer, with a domain of its own
 */
int vn_reopen(vn_device_t dev, vn_device_t *peer);

/**
 * vn_close - end the context: its queues, plans, windows and memory
 *
 * Its queue and plan handles are freed, its mappings go: none may be used any
 * more. Builders are the caller's to destroy.
 */
void vn_close(vn_device_t dev);

/**
 * vn_device_query - shape and features of the UltraServer
 */
int vn_device_query(vn_device_t dev, struct vn_query *q);

/**
 * vn_chip_query - place and use of a chip (0 to chips - 1)
 */
int vn_chip_query(vn_device_t dev, uint32_t chip, struct vn_chip_query *q);

/**
 * vn_chip_reset - stop all that runs on a chip, whoever's it is
 * @chip: 0 to chips - 1
 *
 * When it returns, all queues on the chip, and those whose launch had a program on it, are
 * in ERROR with VN_CHIP_RESET, and keys of windows on it are stale. HBM keeps its bytes,
 * and mappings stay. Owners reset their queues (vn_queue_reset()), make new windows and go
 * on; nobody else notices. It may be done at any time, also while the chip's sled is drained.
 *
 * On the kernel module this takes CAP_SYS_ADMIN (-EPERM). -ENODEV: no such chip.
 */
int vn_chip_reset(vn_device_t dev, uint32_t chip);

/**
 * vn_chip_resets - how often a chip has been reset
 *
 * Of another process's device, as the last vn_device_query() has found.
 */
uint32_t vn_chip_resets(vn_device_t dev, uint32_t chip);

/**
 * vn_device_home - "kernel", "embedded", or "remote": the embedded one of another process
 */
const char *vn_device_home(vn_device_t dev);

/**
 * vn_device_spec - the spec that was opened, after defaults
 */
const char *vn_device_spec(vn_device_t dev);

/**
 * vn_device_fd - the UltraServer node's fd, for poll(); -1 in other homes
 */
int vn_device_fd(vn_device_t dev);

/**
 * vn_device_calls - calls made into the device so far
 *
 * ioctls in the kernel home, the same calls in the embedded home. What a
 * program submits and what completes without one is not in it.
 */
uint64_t vn_device_calls(vn_device_t dev);

/**
 * vn_attach - make a chip usable by this context
 *
 * Other functions do it when they first need a chip. -EACCES: no permission for
 * its node.
 */
int vn_attach(vn_device_t dev, uint32_t chip);

/**
 * vn_bind_thread - run the calling thread on the NUMA node of a chip's sled
 *
 * 0 also where there is only one node.
 */
int vn_bind_thread(vn_device_t dev, uint32_t chip);

/**
 * struct vn_port - what a slot sent and received over one switch plane
 * @slot: physical slot
 * @plane: switch plane
 * @tx_bytes: sent, since the device began
 * @rx_bytes: received
 * @local_bytes: moved inside the chip (in the row of plane 0 only)
 */
struct vn_port {
	uint32_t slot;
	uint32_t plane;
	uint64_t tx_bytes;
	uint64_t rx_bytes;
	uint64_t local_bytes;
};

/**
 * vn_ports - traffic of all ports
 * @ports: room for @max of them; ordered by slot, then plane
 *
 * Returns how many there are (chips x planes), of which at most @max were written.
 */
int vn_ports(vn_device_t dev, struct vn_port *ports, unsigned int max);

/**
 * struct vn_rank - what a rank of a communicator does, as its program says
 * @comm: the communicator's name, the same on all its ranks; a string
 * @ranks: of the communicator
 * @rank: which of them
 * @chip: its chip, VN_NO_CHIP while that is not known
 * @flags: &enum vn_rank_flags
 * @error: errno of the operation that failed, else 0
 * @context: number of its context
 * @pid: process that opened the context, 0 if it is none of this pid namespace
 * @uid: its user
 * @started: collectives it has called, the next one's number
 * @posted: of these, those in which the others can count on it
 * @completed: of these, those that are over for it
 * @waits_ns: for how long it has waited for the oldest operation under way, or for
 *	others to join; 0: it does not wait
 * @number: of the oldest operation under way, else of the last (of the one that
 *	failed), among collectives, from 0; what follows describes the same one
 * @bytes: elements times the size of one, as called
 * @pending: operations under way, of all kinds
 * @op: &enum vn_coll
 * @type: &enum vn_type
 * @redop: &enum vn_redop
 * @root: its root or the other rank, 0 if there is none
 */
struct vn_rank {
	char comm[VN_COMM_NAME + 8];
	uint32_t ranks;
	uint32_t rank;
	uint32_t chip;
	uint32_t flags;
	uint32_t error;
	uint32_t context;
	uint32_t pid;
	uint32_t uid;
	uint64_t started;
	uint64_t posted;
	uint64_t completed;
	uint64_t waits_ns;
	uint64_t number;
	uint64_t bytes;
	uint32_t pending;
	uint32_t op;
	uint32_t type;
	uint32_t redop;
	uint32_t root;
	uint32_t reserved;
};

/**
 * vn_ranks - ranks of all communicators that the caller may see
 * @ranks: room for @max of them, in no order
 *
 * In the kernel home those of all processes of the caller's user, and with
 * CAP_SYS_ADMIN everybody's; in the embedded home those of this process on this
 * device. Ranks that have left stay until their process makes others or ends.
 * Each row is one rank's at one moment, unless VN_RANK_TORN is set; the rows are
 * not all of the same moment.
 *
 * Returns how many there are, of which at most @max were written.
 */
int vn_ranks(vn_device_t dev, struct vn_rank *ranks, unsigned int max);

/* ---- memory ------------------------------------------------------------ */

/**
 * struct vn_mem - an allocation of HBM
 * @chip: its chip
 * @addr: device address, for descriptors
 * @bytes: as asked, rounded up to the page size
 * @ptr: where this process sees it
 */
struct vn_mem {
	uint32_t chip;
	uint64_t addr;
	uint64_t bytes;
	void *ptr;
};

/**
 * vn_mem_alloc - take zeroed HBM of a chip and map it
 *
 * -ENOSPC: the chip has not so much left; -ENOMEM: the host has not.
 */
int vn_mem_alloc(vn_device_t dev, uint32_t chip, uint64_t bytes, struct vn_mem *mem);

/**
 * vn_mem_free - unmap it and give it back
 *
 * -EBUSY while windows lie on it.
 */
int vn_mem_free(vn_device_t dev, struct vn_mem *mem);

/**
 * vn_mem_begin - this thread is about to write to HBM with the CPU
 * @ptr: as mapped in this process
 *
 * Between this and vn_mem_end() the HBM stays where it is: in the embedded home a sled
 * that is being drained waits for it, and this waits while what is about to move is
 * kept still. A thread may hold several; it should not wait for others meanwhile.
 * Free of cost in the kernel home. Descriptors and collectives need none of it.
 */
void vn_mem_begin(vn_device_t dev, void *ptr, uint64_t bytes);

/**
 * vn_mem_end - it has written
 */
void vn_mem_end(vn_device_t dev);

/*
 * Atomic accesses of the CPU to aligned 64-bit words of HBM, as mapped in this process:
 * atomic against each other and what descriptors do to semaphores and by atomics. Each
 * brackets itself with vn_mem_begin() and vn_mem_end(), and orders what comes before and
 * after it. A queue that waits for such a word looks again at vn_sem_signal(), or any
 * descriptor that signals.
 */

/**
 * vn_atomic_load - the word
 */
uint64_t vn_atomic_load(vn_device_t dev, const uint64_t *word);

/**
 * vn_atomic_fetch_add - add to it
 *
 * Returns what it was before; so do the next two.
 */
uint64_t vn_atomic_fetch_add(vn_device_t dev, uint64_t *word, uint64_t add);

/**
 * vn_atomic_cmp_swap - store @value there, if it is @compare
 */
uint64_t vn_atomic_cmp_swap(vn_device_t dev, uint64_t *word, uint64_t compare, uint64_t value);

/**
 * vn_atomic_swap - store @value there
 */
uint64_t vn_atomic_swap(vn_device_t dev, uint64_t *word, uint64_t value);

/**
 * vn_at - the operand of a byte in an allocation
 */
static inline struct vn_operand vn_at(const struct vn_mem *mem, uint64_t offset)
{
	struct vn_operand o = { VN_HERE, (__u16)mem->chip, 0, mem->addr + offset };

	return o;
}

/**
 * vn_by_key - the operand of a byte in a window
 */
static inline struct vn_operand vn_by_key(uint32_t chip, uint32_t key, uint64_t offset)
{
	struct vn_operand o = { VN_HERE, (__u16)chip, key, offset };

	return o;
}

/**
 * vn_param - in a plan: the operand that parameter number @p of the launch
 *	names, plus @offset
 */
static inline struct vn_operand vn_param(uint32_t p, uint64_t offset)
{
	struct vn_operand o = { VN_PARAM, (__u16)p, 0, offset };

	return o;
}

/* ---- queues ------------------------------------------------------------ */

/**
 * vn_queue_create - a queue on a chip
 * @depth: 2^k, 8 to 65,536
 * @eventfd: signalled with completions, or -1
 */
int vn_queue_create(vn_device_t dev, uint32_t chip, uint32_t depth, int eventfd, vn_queue_t *q);
int vn_queue_destroy(vn_queue_t q);

/**
 * vn_queue_reset - forget everything in it and leave ERROR
 */
int vn_queue_reset(vn_queue_t q);

/**
 * vn_queue_ring - the shared page: state, error and indexes of the queue
 */
const struct vn_ring *vn_queue_ring(vn_queue_t q);

/**
 * vn_next - the next free descriptor, zeroed; NULL when the ring is full
 *
 * It is part of the next vn_submit().
 */
struct vn_desc *vn_next(vn_queue_t q);

/**
 * vn_submit - publish what vn_next() gave out
 *
 * A store; and a call only if nobody is running the queue.
 */
int vn_submit(vn_queue_t q);

/**
 * vn_wait - wait until at least @n completions, or arrivals, can be read
 * @timeout_ns: from now; VN_FOREVER
 *
 * Publishes first. Runs the queue on the calling thread. -ETIMEDOUT; -EIO when
 * the queue is in ERROR and fewer than @n are there (read them: the last one
 * says why).
 */
int vn_wait(vn_queue_t q, uint32_t n, uint64_t timeout_ns);

/**
 * vn_reap - read up to @max completions, oldest first
 *
 * Returns how many; makes a call only where descriptors or arrivals waited for room.
 * Arrivals come among them (&vn_cqe.seq has VN_CQE_ARRIVAL), those that came during a
 * vn_complete() first.
 */
int vn_reap(vn_queue_t q, struct vn_cqe *cqes, uint32_t max);

/**
 * vn_complete - submit, wait for everything submitted and not yet reaped, reap it
 * @timeout_ns: from now
 *
 * For descriptors without VN_DESC_SILENT. -EIO with the text of the first
 * failed completion in vn_error(); the queue is then in ERROR. Arrivals are kept
 * for vn_reap(): as many as the queue is deep, then it is -ENOBUFS.
 */
int vn_complete(vn_queue_t q, uint64_t timeout_ns);

/**
 * vn_sem_signal - add to a semaphore from the CPU and make sure it is noticed
 * @word: mapped pointer to it
 */
int vn_sem_signal(vn_queue_t q, uint64_t *word, uint64_t add);

/**
 * vn_sem_wait - wait on the CPU until a semaphore is at least @value
 *
 * Runs the queue meanwhile.
 */
int vn_sem_wait(vn_queue_t q, const uint64_t *word, uint64_t value, uint64_t timeout_ns);

/* ---- descriptors ------------------------------------------------------- */

static inline void vn_prep_copy(struct vn_desc *d, struct vn_operand dst, struct vn_operand src,
				uint64_t bytes)
{
	d->opcode = VN_OP_COPY;
	d->copy.src = src;
	d->copy.dst = dst;
	d->copy.bytes = bytes;
}

static inline void vn_prep_fill(struct vn_desc *d, struct vn_operand dst, uint64_t bytes,
				uint64_t pattern, uint32_t width)
{
	d->opcode = VN_OP_FILL;
	d->fill.dst = dst;
	d->fill.bytes = bytes;
	d->fill.pattern = pattern;
	d->fill.width = width;
}

/* table: device address of the operands (in a plan: their index), sources first. */
static inline void vn_prep_reduce(struct vn_desc *d, uint64_t table, uint32_t nsrc, uint32_t ndst,
				  uint64_t count, enum vn_type type, enum vn_redop op)
{
	d->opcode = VN_OP_REDUCE;
	d->type = (__u8)type;
	d->redop = (__u8)op;
	d->reduce.table = table;
	d->reduce.count = count;
	d->reduce.nsrc = (__u16)nsrc;
	d->reduce.ndst = (__u16)ndst;
}

/* Densely packed as stored: a is m x k (k x m if transposed), b k x n, c m x n. */
static inline void vn_prep_gemm(struct vn_desc *d, uint64_t c, uint64_t a, uint64_t b, uint32_t m,
				uint32_t n, uint32_t k, enum vn_type type, uint32_t flags)
{
	d->opcode = VN_OP_GEMM;
	d->type = (__u8)type;
	d->arg = flags;
	d->gemm.a = a;
	d->gemm.b = b;
	d->gemm.c = c;
	d->gemm.m = m;
	d->gemm.n = n;
	d->gemm.k = k;
	d->gemm.lda = flags & VN_GEMM_TRANS_A ? m : k;
	d->gemm.ldb = flags & VN_GEMM_TRANS_B ? k : n;
	d->gemm.ldc = n;
}

/* See &enum vn_opcode for which of x, y, z, w an operation uses; others are 0. */
static inline void vn_prep_ewise(struct vn_desc *d, enum vn_opcode op, uint64_t x, uint64_t y,
				 uint64_t z, uint64_t w, uint32_t rows, uint32_t cols, float alpha)
{
	union { float f; uint32_t u; } bits = { alpha };

	d->opcode = (__u8)op;
	d->ewise.x = x;
	d->ewise.y = y;
	d->ewise.z = z;
	d->ewise.w = w;
	d->ewise.rows = rows;
	d->ewise.cols = cols;
	d->ewise.alpha = bits.u;
}

static inline void vn_prep_sem_wait(struct vn_desc *d, struct vn_operand at, uint64_t value)
{
	d->opcode = VN_OP_SEM_WAIT;
	d->sem.at = at;
	d->sem.value = value;
}

static inline void vn_prep_sem_signal(struct vn_desc *d, struct vn_operand at, uint64_t add)
{
	d->opcode = VN_OP_SEM_SIGNAL;
	d->sem.at = at;
	d->sem.value = add;
}

/* A copy; then the word at offset @signal of dst's window (key 0: device address) += @add. */
static inline void vn_prep_write_signal(struct vn_desc *d, struct vn_operand dst,
					struct vn_operand src, uint64_t bytes, uint64_t signal,
					uint32_t add)
{
	vn_prep_copy(d, dst, src, bytes);
	d->opcode = VN_OP_WRITE_SIGNAL;
	d->arg = add;
	d->copy.signal = signal;
}

/* A copy; then an arrival with @imm at the queue to which dst's window is bound. */
static inline void vn_prep_write_imm(struct vn_desc *d, struct vn_operand dst,
				     struct vn_operand src, uint64_t bytes, uint32_t imm)
{
	vn_prep_copy(d, dst, src, bytes);
	d->opcode = VN_OP_WRITE_IMM;
	d->arg = imm;
}

/*
 * table: device address of the segments (in a plan: what vn_build_segments() returned),
 * sources first; they are @bytes long together, and so are the destinations.
 */
static inline void vn_prep_copy_list(struct vn_desc *d, uint64_t table, uint32_t nsrc,
				     uint32_t ndst, uint64_t bytes)
{
	d->opcode = VN_OP_COPY_LIST;
	d->list.table = table;
	d->list.bytes = bytes;
	d->list.nsrc = (__u16)nsrc;
	d->list.ndst = (__u16)ndst;
}

/* dst[i] = dst[i] op src[i] */
static inline void vn_prep_accumulate(struct vn_desc *d, struct vn_operand dst,
				      struct vn_operand src, uint64_t bytes, enum vn_type type,
				      enum vn_redop op)
{
	vn_prep_copy(d, dst, src, bytes);
	d->opcode = VN_OP_ACCUMULATE;
	d->type = (__u8)type;
	d->redop = (__u8)op;
}

/* The next three: vn_cqe.result is what the word was before; set d->atomic.old to have it there. */
static inline void vn_prep_fetch_add(struct vn_desc *d, struct vn_operand at, uint64_t add)
{
	d->opcode = VN_OP_FETCH_ADD;
	d->atomic.at = at;
	d->atomic.value = add;
}

static inline void vn_prep_cmp_swap(struct vn_desc *d, struct vn_operand at, uint64_t compare,
				    uint64_t value)
{
	d->opcode = VN_OP_CMP_SWAP;
	d->atomic.at = at;
	d->atomic.value = value;
	d->atomic.compare = compare;
}

static inline void vn_prep_swap(struct vn_desc *d, struct vn_operand at, uint64_t value)
{
	d->opcode = VN_OP_SWAP;
	d->atomic.at = at;
	d->atomic.value = value;
}

static inline void vn_prep_fence(struct vn_desc *d)
{
	d->opcode = VN_OP_FENCE;
}

/* ---- plans ------------------------------------------------------------- */

/**
 * vn_builder_create - begin a plan
 * @nparams: parameters each launch will bring, 0 to VN_OPERANDS_MAX
 */
int vn_builder_create(vn_device_t dev, uint32_t nparams, vn_builder_t *b);
void vn_builder_destroy(vn_builder_t b);

/**
 * vn_build - append a zeroed descriptor to a chip's program
 *
 * Valid until the next call on the builder. NULL when the host has no memory or
 * the plan is as long as it may be; vn_builder_finish() then says so.
 */
struct vn_desc *vn_build(vn_builder_t b, uint32_t chip);

/**
 * vn_build_operands - put operands into the plan's table
 *
 * Returns the index of the first, for vn_prep_reduce(), or -errno.
 */
int64_t vn_build_operands(vn_builder_t b, const struct vn_operand *ops, uint32_t n);

/**
 * vn_build_segments - put segments into the plan's table
 *
 * Returns what vn_prep_copy_list() names them by, or -errno.
 */
int64_t vn_build_segments(vn_builder_t b, const struct vn_segment *s, uint32_t n);

/**
 * vn_build_barrier - programs of these chips wait for each other here
 */
int vn_build_barrier(vn_builder_t b, const uint16_t *chips, uint32_t n);

/**
 * vn_build_all_reduce - recv[i] = fold of send[0..n) on every chips[i]
 * @chips: n different chips, 1 to 144; their order is the order of the fold
 * @send: n operands, @count elements each
 * @recv: n operands; may equal @send (in place)
 *
 * Barriers before and after are part of it.
 */
int vn_build_all_reduce(vn_builder_t b, const uint16_t *chips, uint32_t n,
			const struct vn_operand *send, const struct vn_operand *recv,
			uint64_t count, enum vn_type type, enum vn_redop op);

/**
 * vn_build_broadcast - every chips[i] gets @bytes from @src into dst[i]
 * @root: index into @chips of the one that owns @src
 */
int vn_build_broadcast(vn_builder_t b, const uint16_t *chips, uint32_t n, uint32_t root,
		       struct vn_operand src, const struct vn_operand *dst, uint64_t bytes);

/**
 * vn_builder_finish - check the plan and hand it to the device
 *
 * -EINVAL names the refused descriptor in vn_error(). The builder stays and may
 * be destroyed.
 */
int vn_builder_finish(vn_builder_t b, vn_plan_t *plan);
int vn_plan_destroy(vn_plan_t plan);

/**
 * vn_launch - append a LAUNCH of the plan to a queue
 * @params: device address, on the queue's chip, of the parameters (&struct
 *	vn_operand each); 0 for a plan without
 * @user_data: of its one completion
 *
 * -EAGAIN when the ring is full. Launches of one plan run one at a time; they
 * go through one queue, or the caller orders them.
 */
int vn_launch(vn_queue_t q, vn_plan_t plan, uint64_t params, uint64_t user_data);

/**
 * vn_type_size - bytes of one element, 0 for no such type
 */
uint32_t vn_type_size(enum vn_type type);

/**
 * vn_type_name - "float32", "int8", ...; NULL for no such type
 */
const char *vn_type_name(enum vn_type type);

/**
 * vn_redop_name - "sum", "prod", "band", ...; NULL for no such reduction
 */
const char *vn_redop_name(enum vn_redop op);

/**
 * vn_status_text - what a completion's status means
 */
const char *vn_status_text(uint32_t status);

#ifdef __cplusplus
}
#endif

#include "vneuron/window.h"

#endif
