/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * vneuron: what lies in a queue's mapping: the ring page, descriptors, and
 * completions. Part of <linux/vneuron.h>, and under the same rules.
 */
#ifndef _UAPI_LINUX_VNEURON_RING_H
#define _UAPI_LINUX_VNEURON_RING_H

#include <linux/types.h>

/**
 * enum vn_ring_flags - &vn_ring.flags
 * @VN_RING_NEED_WAKEUP: nobody runs the queue: a submitter that does not WAIT
 *	must ring the doorbell. Read it after a full barrier behind the store
 *	of sq_tail; and behind the store of cq_head, too, while descriptors
 *	are not fetched: a full completion ring had stopped the queue.
 */
enum vn_ring_flags {
	VN_RING_NEED_WAKEUP	= 1 << 0,
};

/**
 * enum vn_queue_state - &vn_ring.state
 * @VN_QUEUE_READY: takes descriptors
 * @VN_QUEUE_ERROR: stopped at a bad descriptor or a bad ring; RESET it
 */
enum vn_queue_state {
	VN_QUEUE_READY	= 0,
	VN_QUEUE_ERROR	= 1,
};

/**
 * struct vn_ring - page 0 of a queue's mapping, a cache line per writer
 * @sq_tail: user: descriptors published
 * @reserved0: zero
 * @sq_stamp: user: tick of the submission, copied into completions unchecked
 * @reserved1: zero
 * @sq_head: device: descriptors fetched
 * @flags: device: &enum vn_ring_flags
 * @arrivals: device: not 0 while arrivals wait for room among the completions: who has read
 *	some rings the doorbell then. Read it after a full barrier behind the store of cq_head
 * @reserved7: zero
 * @reserved2: zero
 * @cq_tail: device: completions published
 * @reserved3: zero
 * @cq_head: user: completions read
 * @reserved4: zero
 * @state: device: &enum vn_queue_state
 * @error_status: device: &enum vn_status that stopped the queue
 * @error_detail: device: which field or operand (see &vn_cqe.detail)
 * @reserved5: zero
 * @error_seq: device: number of the descriptor that stopped it
 * @stalls: device: times the queue waited for room in the completion ring
 * @reserved6: zero
 *
 * The device never believes its own lines here: it keeps its indexes to itself.
 */
struct vn_ring {
	__u32 sq_tail;
	__u32 reserved0;
	__u64 sq_stamp;
	__u64 reserved1[6];
	__u32 sq_head;
	__u32 flags;
	__u32 arrivals;
	__u32 reserved7;
	__u64 reserved2[6];
	__u32 cq_tail;
	__u32 reserved3[15];
	__u32 cq_head;
	__u32 reserved4[15];
	__u32 state;
	__u32 error_status;
	__u32 error_detail;
	__u32 reserved5;
	__u64 error_seq;
	__u64 stalls;
	__u64 reserved6[4];
};

/* Descriptors begin here, completions behind them. */
#define VN_RING_SQ_OFFSET	4096u
#define VN_RING_CQ_OFFSET(depth)	(VN_RING_SQ_OFFSET + (depth) * 64u)
#define VN_QUEUE_BYTES(depth) \
	((VN_RING_CQ_OFFSET(depth) + (depth) * 64u + 4095u) & ~4095u)

/**
 * enum vn_opcode - what a descriptor does
 * @VN_OP_NOP: nothing
 * @VN_OP_COPY: bytes from one operand to another
 * @VN_OP_FILL: a pattern over bytes
 * @VN_OP_REDUCE: many sources, many destinations, one pass
 * @VN_OP_GEMM: c = a b (own HBM of the queue's chip)
 * @VN_OP_BIAS_ADD: z[r][c] = x[r][c] + y[c]
 * @VN_OP_RELU: z = max(x, 0)
 * @VN_OP_RELU_GRAD: z = y > 0 ? x : 0
 * @VN_OP_SOFTMAX_XENT: w[r] = cross entropy of row r of logits x with label
 *	y[r] (s32), z = alpha * (softmax(x) - onehot(y))
 * @VN_OP_COL_SUM: z[c] = sum over r of x[r][c]
 * @VN_OP_AXPY: z = z + alpha * x
 * @VN_OP_SEM_WAIT: wait until the semaphore >= value (unsigned)
 * @VN_OP_SEM_SIGNAL: semaphore += value, or = value with VN_SEM_SET
 * @VN_OP_FENCE: all earlier descriptors of the queue are done and visible
 * @VN_OP_LAUNCH: run a plan
 * @VN_OP_WRITE_SIGNAL: a copy; when all of it is there, an aligned 64-bit word of the
 *	window that was written to += arg. Nothing moves unless all of it can
 * @VN_OP_WRITE_IMM: a copy into a window that is bound to a queue; when all of it is there,
 *	an arrival at that queue (see &struct vn_cqe), with arg. Nothing moves unless all of
 *	it can. While as many wait there as the queue is deep, it waits, too
 * @VN_OP_COPY_LIST: the bytes of many segments, one behind the other, into many segments.
 *	What goes before a segment that is refused has been copied, and nothing of it
 * @VN_OP_ACCUMULATE: dst[i] = dst[i] op src[i]; not atomic against others who write there
 * @VN_OP_FETCH_ADD: an aligned 64-bit word += value. This and the next two tell what it was
 *	before, and are atomic against each other, semaphores and what CPUs do atomically
 * @VN_OP_CMP_SWAP: the word = value, if it is compare
 * @VN_OP_SWAP: the word = value
 * @VN_OP_COUNT: how many
 */
enum vn_opcode {
	VN_OP_NOP		= 0,
	VN_OP_COPY		= 1,
	VN_OP_FILL		= 2,
	VN_OP_REDUCE		= 3,
	VN_OP_GEMM		= 4,
	VN_OP_BIAS_ADD		= 5,
	VN_OP_RELU		= 6,
	VN_OP_RELU_GRAD		= 7,
	VN_OP_SOFTMAX_XENT	= 8,
	VN_OP_COL_SUM		= 9,
	VN_OP_AXPY		= 10,
	VN_OP_SEM_WAIT		= 11,
	VN_OP_SEM_SIGNAL	= 12,
	VN_OP_FENCE		= 13,
	VN_OP_LAUNCH		= 14,
	VN_OP_WRITE_SIGNAL	= 15,
	VN_OP_WRITE_IMM		= 16,
	VN_OP_COPY_LIST		= 17,
	VN_OP_ACCUMULATE	= 18,
	VN_OP_FETCH_ADD		= 19,
	VN_OP_CMP_SWAP		= 20,
	VN_OP_SWAP		= 21,
	VN_OP_COUNT		= 22,
};

/**
 * enum vn_desc_flags - &vn_desc.flags
 * @VN_DESC_SILENT: no completion when it succeeds
 * @VN_DESC_REL: in a plan: a semaphore's value counts from the launch's base
 */
enum vn_desc_flags {
	VN_DESC_SILENT	= 1 << 0,
	VN_DESC_REL	= 1 << 1,
};

/**
 * enum vn_type - element types; those of this table that an operation takes
 *	are listed with &struct vn_desc
 * @VN_INT8: s8
 * @VN_UINT8: u8
 * @VN_INT32: s32
 * @VN_UINT32: u32
 * @VN_INT64: s64
 * @VN_UINT64: u64
 * @VN_FLOAT16: IEEE binary16
 * @VN_FLOAT32: IEEE binary32
 * @VN_FLOAT64: IEEE binary64
 * @VN_BFLOAT16: upper half of a binary32
 * @VN_FLOAT8E4M3: OCP 8-bit float, 4 bits of exponent
 * @VN_FLOAT8E5M2: OCP 8-bit float, 5 bits of exponent
 * @VN_INT16: s16
 * @VN_UINT16: u16
 * @VN_TYPE_COUNT: how many
 */
enum vn_type {
	VN_INT8		= 0,
	VN_UINT8	= 1,
	VN_INT32	= 2,
	VN_UINT32	= 3,
	VN_INT64	= 4,
	VN_UINT64	= 5,
	VN_FLOAT16	= 6,
	VN_FLOAT32	= 7,
	VN_FLOAT64	= 8,
	VN_BFLOAT16	= 9,
	VN_FLOAT8E4M3	= 10,
	VN_FLOAT8E5M2	= 11,
	VN_INT16	= 12,
	VN_UINT16	= 13,
	VN_TYPE_COUNT	= 14,
};

/**
 * enum vn_redop - reductions; a left fold in the order of the sources
 * @VN_SUM: sum
 * @VN_PROD: product
 * @VN_MAX: maximum; NaN when an operand is NaN, -0 < +0
 * @VN_MIN: minimum; likewise
 * @VN_AVG: sum divided by the number of sources
 * @VN_PREMULSUM: sum of scalar times source, a scalar for each source
 * @VN_BAND: bitwise and (integers)
 * @VN_BOR: bitwise or (integers)
 * @VN_BXOR: bitwise exclusive or (integers)
 * @VN_REDOP_COUNT: how many
 *
 * Floats narrower than FLOAT32 are folded in FLOAT32 and rounded once at the
 * end, to nearest, ties to even; results beyond the range of FLOAT8E4M3, which
 * has no infinity, are NaN. A NaN that was computed is the type's canonical one:
 * sign 0, only the top bit of the mantissa (FLOAT8E4M3: 0x7f).
 *
 * Integers wrap. AVG divides once: floats in the type of the fold, before the
 * rounding; integers towards zero. INT8, UINT8, INT16 and UINT16 are summed in
 * 32 bits for it, so nothing wraps; wider integers divide the sum that wrapped.
 * A PREMULSUM rounds each product to the type of the fold before it adds it.
 *
 * One source alone is copied bit for bit, except by PREMULSUM.
 */
enum vn_redop {
	VN_SUM		= 0,
	VN_PROD		= 1,
	VN_MAX		= 2,
	VN_MIN		= 3,
	VN_AVG		= 4,
	VN_PREMULSUM	= 5,
	VN_BAND		= 6,
	VN_BOR		= 7,
	VN_BXOR		= 8,
	VN_REDOP_COUNT	= 9,
};

/*
 * vn_desc.arg of a REDUCE: prefixes. SCAN: ndst is nsrc, and destination i gets
 * the fold of sources 0 to i; destination i may be source i. With EXCLUSIVE,
 * which is nothing without SCAN, ndst is nsrc - 1; destination i is written
 * after source i + 1 was read and may be that one, too. An AVG divides by i + 1.
 */
#define VN_REDUCE_SCAN		(1u << 0)
#define VN_REDUCE_EXCLUSIVE	(1u << 1)
/* vn_desc.arg of a GEMM */
#define VN_GEMM_TRANS_A		(1u << 0)
#define VN_GEMM_TRANS_B		(1u << 1)
#define VN_GEMM_ACCUMULATE	(1u << 2)
/* vn_desc.arg of a SEM_SIGNAL */
#define VN_SEM_SET		(1u << 0)

/* vn_operand.ultraserver: this UltraServer, or (in a plan) a parameter */
#define VN_HERE			0u
#define VN_PARAM		0xffffu

/**
 * struct vn_operand - a place in somebody's HBM
 * @ultraserver: VN_HERE; VN_PARAM in a plan
 * @chip: virtual chip (VN_PARAM: number of the parameter)
 * @key: window key in the context's domain; 0: the context's own memory
 * @offset: byte in the window; with key 0, a device address
 */
struct vn_operand {
	__u16 ultraserver;
	__u16 chip;
	__u32 key;
	__u64 offset;
};

/**
 * struct vn_segment - a stretch of somebody's HBM, in the table of a COPY_LIST
 * @at: where it begins
 * @bytes: how long it is; one of no bytes is not looked at
 * @reserved: zero
 */
struct vn_segment {
	struct vn_operand at;
	__u64 bytes;
	__u64 reserved;
};

/**
 * struct vn_desc - a descriptor: 64 bytes, one piece of work
 * @opcode: &enum vn_opcode
 * @flags: &enum vn_desc_flags
 * @type: &enum vn_type. REDUCE, ACCUMULATE: all of them. GEMM: FLOAT32, BFLOAT16.
 *	Others: zero.
 * @redop: &enum vn_redop (REDUCE; ACCUMULATE, but not AVG and PREMULSUM), else zero
 * @arg: flags of the operation; WRITE_SIGNAL: what is added, not 0; WRITE_IMM: any
 *	value, for who gets it; else zero
 * @user_data: handed back in the completion
 * @copy: COPY, WRITE_SIGNAL, WRITE_IMM, ACCUMULATE: @copy.src to @copy.dst, @copy.bytes
 *	(0 to VN_BYTES_MAX; ACCUMULATE: a multiple of the type's); ranges may be the
 *	same but not overlap otherwise. @copy.signal, WRITE_SIGNAL: place of the word, as
 *	the offset in @copy.dst is one; else zero. WRITE_IMM: @copy.dst has a key
 * @fill: FILL: low @fill.width (1, 2, 4, 8) bytes of @fill.pattern over
 *	@fill.bytes, a multiple of the width
 * @reduce: REDUCE: @reduce.table is the device address of (in a plan: the index
 *	of) nsrc source operands, then ndst destination operands, 1 to 144 each;
 *	@reduce.count elements; 0 is nothing. Folded in the order of the table.
 *	Of a PREMULSUM, nsrc scalars follow in (nsrc + 1) / 2 further entries of
 *	the table: a __u64 each, of which the low bytes are a value of the type
 *	and the others are not looked at.
 * @list: COPY_LIST: @list.table is the device address of (in a plan: the index of the
 *	first of two operands for each of) nsrc, then ndst &struct vn_segment, at least
 *	one each and at most VN_SEGMENTS_MAX in all; the sources are @list.bytes long
 *	together (0 to VN_BYTES_MAX), and so are the destinations
 * @gemm: GEMM: device addresses on the queue's chip and the shape: c (m x n,
 *	fp32) = a (m x k) b (k x n); a is stored k x m with VN_GEMM_TRANS_A, b
 *	n x k with VN_GEMM_TRANS_B; ld* are elements from row to row as stored
 * @ewise: element-wise: device addresses of densely packed fp32 matrices,
 *	rows x cols; addresses an operation does not use are zero; @ewise.alpha
 *	are the bits of an fp32
 * @sem: SEM_WAIT, SEM_SIGNAL: an aligned 64-bit word
 * @atomic: FETCH_ADD, CMP_SWAP, SWAP: @atomic.at is an aligned 64-bit word, @atomic.old
 *	another that gets what it was before (all zero: none does); @atomic.value as the
 *	operation says, @atomic.compare CMP_SWAP alone, else zero
 * @launch: LAUNCH: plan number, device address and number of the parameters
 *	(&struct vn_operand each), and the base of relative semaphore values
 * @raw: all of them
 */
struct vn_desc {
	__u8 opcode;
	__u8 flags;
	__u8 type;
	__u8 redop;
	__u32 arg;
	__u64 user_data;
	union {
		struct {
			struct vn_operand src;
			struct vn_operand dst;
			__u64 bytes;
			__u64 signal;
		} copy;
		struct {
			struct vn_operand dst;
			__u64 bytes;
			__u64 pattern;
			__u32 width;
			__u32 reserved0;
			__u64 reserved1;
		} fill;
		struct {
			__u64 table;
			__u64 count;
			__u16 nsrc;
			__u16 ndst;
			__u32 reserved0;
			__u64 reserved1[3];
		} reduce;
		struct {
			__u64 table;
			__u64 bytes;
			__u16 nsrc;
			__u16 ndst;
			__u32 reserved0;
			__u64 reserved1[3];
		} list;
		struct {
			__u64 a;
			__u64 b;
			__u64 c;
			__u32 m;
			__u32 n;
			__u32 k;
			__u32 lda;
			__u32 ldb;
			__u32 ldc;
		} gemm;
		struct {
			__u64 x;
			__u64 y;
			__u64 z;
			__u64 w;
			__u32 rows;
			__u32 cols;
			__u32 alpha;
			__u32 reserved;
		} ewise;
		struct {
			struct vn_operand at;
			__u64 value;
			__u64 reserved[3];
		} sem;
		struct {
			struct vn_operand at;
			struct vn_operand old;
			__u64 value;
			__u64 compare;
		} atomic;
		struct {
			__u64 params;
			__u32 plan;
			__u32 nparams;
			__u64 base;
			__u64 reserved[3];
		} launch;
		__u64 raw[6];
	};
};

/**
 * enum vn_status - how a descriptor ended
 * @VN_OK: done
 * @VN_BAD_OPCODE: unknown operation, or one not allowed here
 * @VN_BAD_FLAGS: unknown flag or argument bit
 * @VN_BAD_FIELD: a reserved field is set or a value is out of its range
 * @VN_BAD_TYPE: the operation does not take this type or reduction
 * @VN_BAD_CHIP: no such chip, or the address is on another chip
 * @VN_BAD_KEY: no such window or memory
 * @VN_STALE_KEY: the window or memory is gone
 * @VN_BAD_ACCESS: the window does not allow it
 * @VN_BAD_RANGE: reaches outside its window or allocation
 * @VN_BAD_ALIGN: not aligned to its type
 * @VN_BAD_PLAN: no such plan, or the wrong number of parameters
 * @VN_BAD_RING: an index of the ring is impossible
 * @VN_BUSY_PLAN: the plan is running on another queue
 * @VN_CANCELLED: stopped by a reset or by another program's failure
 * @VN_CHIP_LOST: the chip is lost, or that of an operand, or was since it was allocated
 * @VN_LINK_DOWN: there is no way through the switch to that of an operand
 * @VN_NO_RECEIVER: the queue that was to be told is gone, or in ERROR
 * @VN_CHIP_RESET: the queue's chip was reset, or one that the launch has a program on
 * @VN_STATUS_COUNT: how many
 */
enum vn_status {
	VN_OK			= 0,
	VN_BAD_OPCODE		= 1,
	VN_BAD_FLAGS		= 2,
	VN_BAD_FIELD		= 3,
	VN_BAD_TYPE		= 4,
	VN_BAD_CHIP		= 5,
	VN_BAD_KEY		= 6,
	VN_STALE_KEY		= 7,
	VN_BAD_ACCESS		= 8,
	VN_BAD_RANGE		= 9,
	VN_BAD_ALIGN		= 10,
	VN_BAD_PLAN		= 11,
	VN_BAD_RING		= 12,
	VN_BUSY_PLAN		= 13,
	VN_CANCELLED		= 14,
	VN_CHIP_LOST		= 15,
	VN_LINK_DOWN		= 16,
	VN_NO_RECEIVER		= 17,
	VN_CHIP_RESET		= 18,
	VN_STATUS_COUNT		= 19,
};

/* &vn_cqe.seq of an arrival: this, and its number. */
#define VN_CQE_ARRIVAL		(1ULL << 63)

/**
 * struct vn_cqe - a completion, or an arrival: somebody's WRITE_IMM is there
 * @user_data: of the descriptor; of an arrival: of the window
 * @status: &enum vn_status; of an arrival: VN_OK
 * @detail: of a failure: byte offset of the field in the descriptor, or the
 *	number of the operand or segment in its table; of a LAUNCH: the failing
 *	descriptor's index in the plan; of an arrival: the writer's arg
 * @bytes: bytes written to HBM
 * @submitted: &vn_ring.sq_stamp when it was fetched; not to be trusted; 0 of an
 *	arrival
 * @started: tick at which its batch began
 * @done: tick at which its batch ended
 * @seq: number of the descriptor, from 0 at creation or reset; of an arrival:
 *	VN_CQE_ARRIVAL and its number at this queue, likewise
 * @result: FETCH_ADD, CMP_SWAP, SWAP: what the word was before; of an arrival: key of
 *	the window; else zero
 *
 * Arrivals come among completions when there is room for them: one entry is left for
 * descriptors that wait, or are under way. What has not come when the queue is reset is
 * forgotten.
 */
struct vn_cqe {
	__u64 user_data;
	__u32 status;
	__u32 detail;
	__u64 bytes;
	__u64 submitted;
	__u64 started;
	__u64 done;
	__u64 seq;
	__u64 result;
};

#endif /* _UAPI_LINUX_VNEURON_RING_H */
