/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * vneuron: an AI UltraServer in software. The ABI of its device nodes.
 *
 * /dev/vneuron0 is the UltraServer: opening it makes a *context*, which owns
 * memory, windows, queues and plans; they die with it. /dev/vneuron0cN is
 * virtual chip N: opening it is the right to use that chip, and a context uses
 * a chip after CHIP_ATTACH with such an fd.
 *
 * Rules
 *  - Numbers are _IO('V', nr). Every struct begins with __u32 size, set by the
 *    caller to sizeof() as it was compiled. A kernel that knows more fields
 *    takes missing ones as zero; one that knows fewer wants the rest zero.
 *  - Input fields that have no meaning, unknown flags and reserved fields are
 *    zero. Output fields are ignored on input.
 *  - User pointers are __u64. Sizes are multiples of 8. No implicit padding.
 *  - The struct is written back, as far as the caller's size, on success only;
 *    a failed call changes nothing.
 *  - New fields go to the end, new calls get new numbers. Nothing is reused.
 *
 * What a failed call means
 *  E2BIG      non-zero bytes behind the struct this kernel knows
 *  EAGAIN     DRAIN_STEP: more is written than can be copied in the budget
 *  EALREADY   DRAIN_OPEN: the sled is drained by that operation, or in service
 *  EACCES     chip not attached; window access not allowed; not the owner; a dma-buf
 *             that may not be written
 *  EBADF      an fd in the arguments is not open, or of the wrong kind
 *  EBUSY      object in use: memory with windows, context with windows or
 *             imports (join), plan being launched, sled being drained, or with exported
 *             memory (drain)
 *  ECANCELED  DRAIN_STEP: somebody has called it off
 *  EDQUOT     the user has as many of them as one may have, in all contexts (module
 *             parameters user_...); also of open(). CAP_SYS_RESOURCE may have more
 *  EFAULT     a user pointer can't be read or written; memory for a window can't be pinned
 *  EHOSTDOWN  the chip is lost; DRAIN_STEP: a sled is, this one or one its chips go to
 *  EINTR      a fatal signal arrived while waiting (others restart the call)
 *  EINVAL     size too small, unknown flag, reserved field set, value out of
 *             its range, address or length not aligned
 *  EIO        WAIT: the queue is in ERROR; its ring header says why. DRAIN_STEP: a
 *             copy is not as it was read, a sled did not pass
 *  EMFILE     DOMAIN_EXPORT, MEM_EXPORT, and a queue's eventfd in the embedded device:
 *             the process has no fd left
 *  ENETUNREACH DRAIN_STEP: there is no way through the switch to where its chips go
 *  ENODEV     no such chip, or sled, on this UltraServer
 *  ENOENT     no such queue, plan, memory, window, import or status page in this
 *             context; no such key in this domain
 *  ENOMEM     the host has no memory for it; RLIMIT_MEMLOCK is too low to pin so much
 *  ENOSPC     the chip's HBM, or a table of objects, is full; too few free slots
 *  ENOTTY     unknown call, or a call this kind of node does not take
 *  EOPNOTSUPP WINDOW_CREATE: the kernel can't see that dma-buf in a row
 *  EPERM      DRAIN_OPEN: without CAP_SYS_ADMIN
 *  ESTALE     the key named a window that is gone (its generation is old)
 *  ETIME      DRAIN_STEP: the fence was up for too long
 *  ETIMEDOUT  WAIT: the deadline passed
 */
#ifndef _UAPI_LINUX_VNEURON_H
#define _UAPI_LINUX_VNEURON_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include "vneuron_ring.h"
#include "vneuron_sled.h"
#include "vneuron_fault.h"

#define VN_ABI_VERSION		1

/* The machine: at most this many chips and sleds; see also vneuron_sled.h. */
#define VN_MAX_CHIPS		144
#define VN_MAX_SLEDS		36
/* Sleds beyond those that have chips, for chips to move to. */
#define VN_MAX_SPARES		4
#define VN_MAX_SLOTS		(VN_MAX_CHIPS + VN_MAX_SPARES * VN_MAX_CHIPS_PER_SLED)

#define VN_QUEUE_DEPTH_MIN	8
#define VN_QUEUE_DEPTH_MAX	65536
/* Entries of an operand table (REDUCE) and parameters of a launch. */
#define VN_OPERANDS_MAX		384
/* Segments of a COPY_LIST: twice as long as operands. */
#define VN_SEGMENTS_MAX		(VN_OPERANDS_MAX / 2)
#define VN_PLAN_PROGRAMS_MAX	1024
#define VN_PLAN_DESCS_MAX	65536
#define VN_PLAN_OPERANDS_MAX	262144
/* Largest transfer of one descriptor, bytes. */
#define VN_BYTES_MAX		(1ULL << 30)
/* Largest matrix dimension, and most columns of an element-wise row. */
#define VN_DIM_MAX		65536

/**
 * enum vn_ioctl - the calls of an UltraServer node
 * @VN_IOCTL_QUERY: &struct vn_query, also on a chip node
 * @VN_IOCTL_CHIP_ATTACH: &struct vn_chip_attach
 * @VN_IOCTL_CHIP_QUERY: &struct vn_chip_query, also on a chip node
 * @VN_IOCTL_MEM_ALLOC: &struct vn_mem_alloc
 * @VN_IOCTL_MEM_FREE: &struct vn_mem_free
 * @VN_IOCTL_WINDOW_CREATE: &struct vn_window_create
 * @VN_IOCTL_WINDOW_INVALIDATE: &struct vn_window_invalidate
 * @VN_IOCTL_WINDOW_IMPORT: &struct vn_window_import
 * @VN_IOCTL_WINDOW_RELEASE: &struct vn_window_release
 * @VN_IOCTL_DOMAIN_EXPORT: &struct vn_domain_export
 * @VN_IOCTL_DOMAIN_JOIN: &struct vn_domain_join
 * @VN_IOCTL_QUEUE_CREATE: &struct vn_queue_create
 * @VN_IOCTL_QUEUE_DESTROY: &struct vn_queue_id
 * @VN_IOCTL_QUEUE_RESET: &struct vn_queue_id
 * @VN_IOCTL_DOORBELL: &struct vn_queue_id
 * @VN_IOCTL_WAIT: &struct vn_wait
 * @VN_IOCTL_PLAN_CREATE: &struct vn_plan_create
 * @VN_IOCTL_PLAN_DESTROY: &struct vn_plan_destroy
 * @VN_IOCTL_STATUS_CREATE: &struct vn_status_create
 * @VN_IOCTL_STATUS_DESTROY: &struct vn_status_destroy
 * @VN_IOCTL_SLED_QUERY: &struct vn_sled_query
 * @VN_IOCTL_DRAIN_OPEN: &struct vn_drain_open
 * @VN_IOCTL_DRAIN_STEP: &struct vn_drain_step, of a session's fd alone
 * @VN_IOCTL_WINDOW_BIND: &struct vn_window_bind
 * @VN_IOCTL_MEM_EXPORT: &struct vn_mem_export
 */
enum vn_ioctl {
	VN_IOCTL_QUERY			= _IO('V', 0),
	VN_IOCTL_CHIP_ATTACH		= _IO('V', 1),
	VN_IOCTL_CHIP_QUERY		= _IO('V', 2),
	VN_IOCTL_MEM_ALLOC		= _IO('V', 3),
	VN_IOCTL_MEM_FREE		= _IO('V', 4),
	VN_IOCTL_WINDOW_CREATE		= _IO('V', 5),
	VN_IOCTL_WINDOW_INVALIDATE	= _IO('V', 6),
	VN_IOCTL_WINDOW_IMPORT		= _IO('V', 7),
	VN_IOCTL_WINDOW_RELEASE		= _IO('V', 8),
	VN_IOCTL_DOMAIN_EXPORT		= _IO('V', 9),
	VN_IOCTL_DOMAIN_JOIN		= _IO('V', 10),
	VN_IOCTL_QUEUE_CREATE		= _IO('V', 11),
	VN_IOCTL_QUEUE_DESTROY		= _IO('V', 12),
	VN_IOCTL_QUEUE_RESET		= _IO('V', 13),
	VN_IOCTL_DOORBELL		= _IO('V', 14),
	VN_IOCTL_WAIT			= _IO('V', 15),
	VN_IOCTL_PLAN_CREATE		= _IO('V', 16),
	VN_IOCTL_PLAN_DESTROY		= _IO('V', 17),
	VN_IOCTL_STATUS_CREATE		= _IO('V', 18),
	VN_IOCTL_STATUS_DESTROY		= _IO('V', 19),
	VN_IOCTL_SLED_QUERY		= _IO('V', 20),
	VN_IOCTL_DRAIN_OPEN		= _IO('V', 21),
	VN_IOCTL_DRAIN_STEP		= _IO('V', 22),
	VN_IOCTL_WINDOW_BIND		= _IO('V', 23),
	VN_IOCTL_MEM_EXPORT		= _IO('V', 24),
};

#define VN_IOCTL_COUNT		25

/**
 * enum vn_feature - bits of &vn_query.features
 * @VN_FEATURE_EVENTFD: queues can signal an eventfd
 * @VN_FEATURE_IMPORT: windows can be mapped by key
 * @VN_FEATURE_PLAN: plans and the LAUNCH descriptor
 * @VN_FEATURE_AVX2: the engine runs its AVX2 arithmetic (same bits, faster)
 * @VN_FEATURE_STATUS: status pages
 * @VN_FEATURE_WINDOW_KINDS: windows on user memory, on dma-bufs and on other windows, and
 *	WINDOW_BIND
 * @VN_FEATURE_EXPORT: MEM_EXPORT
 */
enum vn_feature {
	VN_FEATURE_EVENTFD	= 1 << 0,
	VN_FEATURE_IMPORT	= 1 << 1,
	VN_FEATURE_PLAN		= 1 << 2,
	VN_FEATURE_AVX2		= 1 << 3,
	VN_FEATURE_STATUS	= 1 << 4,
	VN_FEATURE_WINDOW_KINDS	= 1 << 5,
	VN_FEATURE_EXPORT	= 1 << 6,
};

/**
 * struct vn_query - what this UltraServer is
 * @size: sizeof(struct vn_query)
 * @flags: zero
 * @abi: out, VN_ABI_VERSION
 * @sleds: out, number of sleds in service or not
 * @chips_per_sled: out
 * @chips: out, virtual chips, numbered from 0
 * @racks: out
 * @epoch: out, generation of the map from virtual chips to physical slots
 * @features: out, &enum vn_feature
 * @hbm_bytes: out, HBM per chip, bytes
 * @tick_hz: out, ticks per second of the stamps in completions
 * @page_size: out, granule of memory, windows to be imported, and mappings
 * @ultraserver: out, this UltraServer's number in operands
 * @spares: out, sleds beyond @sleds, without chips when the machine comes up
 * @reserved: zero
 * @fence_waits: out, times that a write of this context met the fence of a drain; 0 on a
 *	chip node
 */
struct vn_query {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 sleds;
	__u32 chips_per_sled;
	__u32 chips;
	__u32 racks;
	__u32 epoch;
	__u64 features;
	__u64 hbm_bytes;
	__u64 tick_hz;
	__u32 page_size;
	__u32 ultraserver;
	__u32 spares;
	__u32 reserved;
	__u64 fence_waits;
};

/**
 * struct vn_chip_attach - let this context use a chip
 * @size: sizeof(struct vn_chip_attach)
 * @flags: zero
 * @fd: an open chip node of the same UltraServer; may be closed afterwards
 *	(the embedded home, which has no nodes, takes the chip's number)
 * @chip: out, the chip's number
 *
 * Attaching twice is fine. EBADF when @fd is not such a node.
 */
struct vn_chip_attach {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 chip;
};

/**
 * struct vn_chip_query - one chip
 * @size: sizeof(struct vn_chip_query)
 * @chip: virtual chip
 * @sled: out, the sled it is on in this epoch
 * @slot: out, its physical slot (sled * chips_per_sled + place in the sled)
 * @rack: out
 * @numa_node: out, node its HBM is taken from, -1 when there is no choice
 * @epoch: out, epoch in which @sled and @slot are true
 * @attached: out, 1 when this context attached it
 * @hbm_bytes: out, bytes of HBM
 * @hbm_used: out, bytes taken by all contexts
 * @queues: out, queues of all contexts on it
 * @windows: out, live windows on it, all domains
 */
struct vn_chip_query {
	__u32 size;
	__u32 chip;
	__u32 sled;
	__u32 slot;
	__u32 rack;
	__s32 numa_node;
	__u32 epoch;
	__u32 attached;
	__u64 hbm_bytes;
	__u64 hbm_used;
	__u32 queues;
	__u32 windows;
};

/*
 * A device address names a byte of the context's own HBM:
 * index:16 | generation:8 | offset:40. Adding to it stays inside the
 * allocation; one past its end is out of range. 0 is never valid.
 */
#define VN_ADDR_OFFSET_BITS	40
#define VN_ADDR_OFFSET_MASK	((1ULL << VN_ADDR_OFFSET_BITS) - 1)
/* In a plan: parameter p, plus off bytes (p < 256). */
#define VN_ADDR_PARAM(p, off)	(0xffffULL << 48 | (__u64)(p) << 40 | (off))

/**
 * struct vn_mem_alloc - take HBM of a chip, zeroed
 * @size: sizeof(struct vn_mem_alloc)
 * @chip: an attached chip
 * @bytes: length, rounded up to the page size; not 0, at most 2^40
 * @flags: zero
 * @reserved: zero
 * @addr: out, its device address
 * @mmap_offset: out, offset for mmap() of the UltraServer node
 *
 * ENOSPC: the chip has not that much left. ENOMEM: the host has not.
 */
struct vn_mem_alloc {
	__u32 size;
	__u32 chip;
	__u64 bytes;
	__u32 flags;
	__u32 reserved;
	__u64 addr;
	__u64 mmap_offset;
};

/**
 * struct vn_mem_free - give HBM back
 * @size: sizeof(struct vn_mem_free)
 * @chip: its chip
 * @addr: what MEM_ALLOC returned
 *
 * Waits until no descriptor touches it. EBUSY while windows lie on it, whoever made them.
 * Mappings keep the pages until they are unmapped.
 */
struct vn_mem_free {
	__u32 size;
	__u32 chip;
	__u64 addr;
};

/**
 * enum vn_access - what a key allows
 * @VN_ACCESS_LOCAL_WRITE: a grant the adapters of this family ask for as soon
 *	as anything may write; REMOTE_WRITE and REMOTE_ATOMIC need it
 * @VN_ACCESS_REMOTE_READ: read by key
 * @VN_ACCESS_REMOTE_WRITE: write by key
 * @VN_ACCESS_REMOTE_ATOMIC: semaphores and atomics by key
 */
enum vn_access {
	VN_ACCESS_LOCAL_WRITE	= 1 << 0,
	VN_ACCESS_REMOTE_READ	= 1 << 1,
	VN_ACCESS_REMOTE_WRITE	= 1 << 2,
	VN_ACCESS_REMOTE_ATOMIC	= 1 << 3,
};

/**
 * enum vn_window_flags - &vn_window_create.flags
 * @VN_WINDOW_QUEUE: &vn_window_create.queue is a queue that gets what WRITE_IMM tells
 * @VN_WINDOW_USER: over memory of the calling process; @addr is a pointer to it
 * @VN_WINDOW_DMABUF: over a dma-buf, &vn_window_create.fd; @addr is an offset in it
 * @VN_WINDOW_PARENT: over a part of the window &vn_window_create.parent; @addr is an offset in it
 *
 * At most one of the last three; none: over own HBM.
 */
enum vn_window_flags {
	VN_WINDOW_QUEUE		= 1 << 0,
	VN_WINDOW_USER		= 1 << 1,
	VN_WINDOW_DMABUF	= 1 << 2,
	VN_WINDOW_PARENT	= 1 << 3,
};

/**
 * struct vn_window_create - make memory addressable by key
 * @size: sizeof(struct vn_window_create)
 * @chip: chip of the memory; where it is no HBM, the attached chip to which it belongs
 * @addr: device address of the first byte; or see &enum vn_window_flags
 * @bytes: length; not 0, inside one allocation, dma-buf or window; of user memory at most
 *	VN_BYTES_MAX
 * @access: &enum vn_access
 * @key: out, generation:16 | index:16, never 0; resolves in this domain, on
 *	this chip
 * @queue: number of a queue of this context, on any chip (with VN_WINDOW_QUEUE), else 0
 * @flags: &enum vn_window_flags
 * @user_data: of arrivals at the queue (with VN_WINDOW_QUEUE), else 0
 * @parent: with VN_WINDOW_PARENT: key of a window on @chip in this domain, whoever made it
 * @fd: with VN_WINDOW_DMABUF: the dma-buf; may be closed afterwards. Else zero
 *
 * User memory is pinned: it must be writable, may begin and end anywhere, counts for
 * RLIMIT_MEMLOCK (ENOMEM beyond it) until the window ends, however often it is registered, and
 * stays what it is then, whatever becomes of the mapping. EFAULT: it is not all there, or
 * can't be pinned, as mapped HBM can't. A dma-buf is held, and seen in a row, until the window
 * ends. Neither is HBM: a drain leaves both where they are, WINDOW_IMPORT is EINVAL; when the
 * chip is lost they are out of reach for good, but keep what they have. A context has at most
 * VN_WINDOW_OUTSIDE_MAX bytes of both (whole dma-bufs count), ENOSPC beyond.
 *
 * A part of a window allows no more than that one does (EACCES). It ends when that one is
 * invalidated, re-bound, or ends with its context: its key is stale then.
 *
 * The window goes on without its queue when that is destroyed: WRITE_IMM then ends with
 * VN_NO_RECEIVER.
 */
struct vn_window_create {
	__u32 size;
	__u32 chip;
	__u64 addr;
	__u64 bytes;
	__u32 access;
	__u32 key;
	__u32 queue;
	__u32 flags;
	__u64 user_data;
	__u32 parent;
	__s32 fd;
};

/* Bytes of user memory and dma-bufs under windows of a context. */
#define VN_WINDOW_OUTSIDE_MAX	(16ULL << 30)

/**
 * struct vn_window_bind - let a window be another range, under a new key
 * @size: sizeof(struct vn_window_bind)
 * @chip: its chip
 * @key: its key, of a window over own HBM that this context made; out: the key from now on,
 *	the next generation of the same index
 * @access: &enum vn_access, from now on
 * @addr: device address of the first byte, from now on; on the same chip
 * @bytes: length, from now on
 * @reserved: zero
 *
 * When the call returns no byte moves through the old key any more; windows that are parts of
 * the old one have ended, and mappings imported through it raise SIGBUS, as if it had been
 * invalidated. Nobody else gets its place in between, and it stays bound to its queue. EINVAL: it
 * is no window over HBM, or part of another.
 */
struct vn_window_bind {
	__u32 size;
	__u32 chip;
	__u32 key;
	__u32 access;
	__u64 addr;
	__u64 bytes;
	__u64 reserved;
};

/**
 * enum vn_export_flags - &vn_mem_export.flags
 * @VN_EXPORT_WRITE: who has the dma-buf may write
 */
enum vn_export_flags {
	VN_EXPORT_WRITE		= 1 << 0,
};

/**
 * struct vn_mem_export - a dma-buf of own HBM
 * @size: sizeof(struct vn_mem_export)
 * @chip: its chip
 * @addr: device address of the first byte; a whole page
 * @bytes: length, whole pages inside one allocation; not 0
 * @flags: &enum vn_export_flags
 * @fd: out, the dma-buf, close-on-exec; pass it over a unix socket
 *
 * Others map it, ask for access with DMA_BUF_IOCTL_SYNC, and import it. Its memory stays, and
 * counts as taken on the chip, as long as the dma-buf does, whatever becomes of the allocation
 * and its context. So long its sled can't be drained: DRAIN_OPEN and DRAIN_STEP are EBUSY, and
 * say who holds it.
 */
struct vn_mem_export {
	__u32 size;
	__u32 chip;
	__u64 addr;
	__u64 bytes;
	__u32 flags;
	__s32 fd;
};

/**
 * struct vn_window_invalidate - end a window
 * @size: sizeof(struct vn_window_invalidate)
 * @chip: its chip
 * @key: its key; only the context that made it may end it
 * @reserved: zero
 *
 * When the call returns no byte moves through the key any more, and mappings
 * imported through it raise SIGBUS. When its context ends instead, no byte moves
 * through the key either, but such mappings stay, and their memory counts, until
 * they are unmapped and the import is released: who dies takes nobody along.
 */
struct vn_window_invalidate {
	__u32 size;
	__u32 chip;
	__u32 key;
	__u32 reserved;
};

/**
 * struct vn_window_import - get a mapping of a window by its key
 * @size: sizeof(struct vn_window_import)
 * @chip: chip of the window
 * @key: its key in this context's domain
 * @access: VN_ACCESS_REMOTE_READ, or that and VN_ACCESS_REMOTE_WRITE; the
 *	window must allow it
 * @mmap_offset: out, offset for mmap() of this context's UltraServer fd
 * @bytes: out, length of the window
 *
 * EINVAL unless the window begins and ends at a page, of HBM.
 */
struct vn_window_import {
	__u32 size;
	__u32 chip;
	__u32 key;
	__u32 access;
	__u64 mmap_offset;
	__u64 bytes;
};

/**
 * struct vn_window_release - give an import back
 * @size: sizeof(struct vn_window_release)
 * @reserved: zero
 * @mmap_offset: what WINDOW_IMPORT returned; its mappings raise SIGBUS
 */
struct vn_window_release {
	__u32 size;
	__u32 reserved;
	__u64 mmap_offset;
};

/**
 * struct vn_domain_export - an fd for this context's domain
 * @size: sizeof(struct vn_domain_export)
 * @flags: zero
 * @fd: out, close-on-exec; pass it over a unix socket
 * @reserved: zero
 */
struct vn_domain_export {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct vn_domain_join - resolve keys in another domain from now on
 * @size: sizeof(struct vn_domain_join)
 * @flags: zero
 * @fd: what DOMAIN_EXPORT of a context of the same UltraServer returned
 * @reserved: zero
 *
 * EBUSY while this context has windows or imports, unless it is in that domain.
 * Queues go on in the domain in which they were made.
 */
struct vn_domain_join {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

/**
 * enum vn_queue_flags - &vn_queue_create.flags
 * @VN_QUEUE_EVENTFD: signal the eventfd at every batch of completions
 */
enum vn_queue_flags {
	VN_QUEUE_EVENTFD	= 1 << 0,
};

/**
 * struct vn_queue_create - a submission and a completion ring on a chip
 * @size: sizeof(struct vn_queue_create)
 * @chip: an attached chip
 * @depth: descriptors, 2^k from 8 to 65,536; as many completions
 * @flags: &enum vn_queue_flags
 * @eventfd: an eventfd (with VN_QUEUE_EVENTFD), else 0
 * @queue: out, its number in this context
 * @mmap_offset: out, for mmap() of the UltraServer fd
 * @mmap_bytes: out, VN_QUEUE_BYTES(depth)
 */
struct vn_queue_create {
	__u32 size;
	__u32 chip;
	__u32 depth;
	__u32 flags;
	__s32 eventfd;
	__u32 queue;
	__u64 mmap_offset;
	__u64 mmap_bytes;
};

/**
 * struct vn_queue_id - names a queue: destroy, reset, doorbell
 * @size: sizeof(struct vn_queue_id)
 * @queue: its number
 *
 * RESET forgets what is in the rings, and arrivals, and leaves ERROR. DESTROY and RESET wait
 * for the chunk being executed, at most. DOORBELL is needed only while the
 * ring header says VN_RING_NEED_WAKEUP, or after a CPU store to a semaphore.
 */
struct vn_queue_id {
	__u32 size;
	__u32 queue;
};

/**
 * struct vn_wait - run the queue on this thread until it has got so far
 * @size: sizeof(struct vn_wait)
 * @queue: its number
 * @target: return when cq_tail has reached this (wrapping) value
 * @flags: zero
 * @deadline_ns: CLOCK_MONOTONIC; 0 polls once, ~0 waits for ever
 * @cq_tail: out, where the completion ring's tail stands
 * @state: out, &enum vn_queue_state
 */
struct vn_wait {
	__u32 size;
	__u32 queue;
	__u32 target;
	__u32 flags;
	__u64 deadline_ns;
	__u32 cq_tail;
	__u32 state;
};

/**
 * struct vn_program - one chip's part of a plan
 * @chip: an attached chip
 * @reserved0: zero
 * @first: its first descriptor in the plan's array
 * @count: how many, in order
 * @reserved1: zero
 */
struct vn_program {
	__u16 chip;
	__u16 reserved0;
	__u32 first;
	__u32 count;
	__u32 reserved1;
};

/**
 * struct vn_plan_create - compile programs into a plan
 * @size: sizeof(struct vn_plan_create)
 * @flags: zero
 * @programs: user pointer to &struct vn_program [nprograms]
 * @descs: user pointer to &struct vn_desc [ndescs]
 * @operands: user pointer to &struct vn_operand [noperands]; REDUCE in a plan
 *	names its table as an index into this array
 * @nprograms: 1 to VN_PLAN_PROGRAMS_MAX
 * @ndescs: 1 to VN_PLAN_DESCS_MAX
 * @noperands: 0 to VN_PLAN_OPERANDS_MAX
 * @nparams: parameters a launch must bring, 0 to VN_OPERANDS_MAX
 * @plan: out, its number in this context
 * @error_desc: out; of an EINVAL, the index of the descriptor refused
 *
 * Everything is copied and checked here, once. An operand of a plan with
 * ultraserver VN_PARAM is parameter number `chip`, offset added. On EINVAL for
 * a descriptor, @error_desc is written all the same.
 */
struct vn_plan_create {
	__u32 size;
	__u32 flags;
	__u64 programs;
	__u64 descs;
	__u64 operands;
	__u32 nprograms;
	__u32 ndescs;
	__u32 noperands;
	__u32 nparams;
	__u32 plan;
	__u32 error_desc;
};

/**
 * struct vn_plan_destroy - give a plan back
 * @size: sizeof(struct vn_plan_destroy)
 * @plan: its number; EBUSY while a queue runs it
 */
struct vn_plan_destroy {
	__u32 size;
	__u32 plan;
};

/*
 * A status page is where a program writes what its ranks of communicators do, for
 * whoever looks for the reason of a hang. The device never acts on it: it copies an
 * entry when somebody asks, and passes on what makes sense.
 */
#define VN_STATUS_ENTRIES	32
#define VN_STATUS_BYTES		4096
/* Status pages of a context. */
#define VN_STATUS_PAGES_MAX	64
#define VN_COMM_NAME		16
/* &vn_rank_status.chip of a rank that has none yet. */
#define VN_NO_CHIP		0xffffffffu
/* Operations of ranks are numbered below that. */
#define VN_RANK_OPS_MAX		64

/**
 * struct vn_status_create - get a status page
 * @size: sizeof(struct vn_status_create)
 * @flags: zero
 * @mmap_offset: out, for mmap() of the UltraServer fd
 * @bytes: out, its length: an array of &struct vn_rank_status, all zero
 *
 * ENOSPC: the context has VN_STATUS_PAGES_MAX.
 */
struct vn_status_create {
	__u32 size;
	__u32 flags;
	__u64 mmap_offset;
	__u64 bytes;
};

/**
 * struct vn_status_destroy - give a status page back
 * @size: sizeof(struct vn_status_destroy)
 * @reserved: zero
 * @mmap_offset: what STATUS_CREATE returned; mappings keep the page, but nobody
 *	looks at it any more
 */
struct vn_status_destroy {
	__u32 size;
	__u32 reserved;
	__u64 mmap_offset;
};

/**
 * enum vn_rank_flags - &vn_rank_status.flags
 * @VN_RANK_USED: the entry is a rank's; without it nothing of it counts
 * @VN_RANK_JOINING: it waits for the other ranks to join
 * @VN_RANK_FAILED: an operation has failed; @error says how, and what is said of an
 *	operation is said of that one
 * @VN_RANK_LEFT: it has left the communicator
 * @VN_RANK_TORN: set by the device alone: the entry was being written whenever it
 *	was looked at, its fields may not belong together
 * @VN_RANK_AGREEING: it waits for the other ranks to agree on who is gone
 */
enum vn_rank_flags {
	VN_RANK_USED	= 1 << 0,
	VN_RANK_JOINING	= 1 << 1,
	VN_RANK_FAILED	= 1 << 2,
	VN_RANK_LEFT	= 1 << 3,
	VN_RANK_TORN	= 1 << 4,
	VN_RANK_AGREEING = 1 << 5,
};

/**
 * struct vn_rank_status - what a rank of a communicator does, as its program says
 * @version: odd while @name, @ranks, @rank, @chip and the description of the
 *	operation (@number to @root) are being written; then even, and another
 *	number than before
 * @flags: &enum vn_rank_flags
 * @name: the communicator's: letters, digits, '.', '_' and '-', at least one, then
 *	zeros. All ranks say the same; it is no secret, and leads to none
 * @ranks: of the communicator, 1 to VN_MAX_CHIPS
 * @rank: below @ranks
 * @chip: of the rank, or VN_NO_CHIP
 * @error: errno of the operation that failed, else 0
 * @started: collectives the rank has called, the next one's number
 * @posted: of these, those in which others can count on it
 * @completed: of these, those that are over for it
 * @since_ns: CLOCK_MONOTONIC when the rank was seen to wait for its oldest
 *	operation, or to join; 0: it does not wait
 * @pending: operations under way, of all kinds
 * @reserved0: zero
 * @number: of the oldest operation under way, else of the last one: its number
 *	among collectives, from 0; 0 for what is none
 * @bytes: its length as called: elements times the size of one
 * @op: what it is, by the numbers of the library's &enum vn_coll
 * @type: &enum vn_type
 * @redop: &enum vn_redop
 * @reserved1: zero
 * @root: its root or the other rank, else 0
 * @reserved2: zero
 *
 * A program writes @completed after @posted, and that after @started.
 */
struct vn_rank_status {
	__u32 version;
	__u32 flags;
	__u8 name[VN_COMM_NAME];
	__u32 ranks;
	__u32 rank;
	__u32 chip;
	__u32 error;
	__u64 started;
	__u64 posted;
	__u64 completed;
	__u64 since_ns;
	__u32 pending;
	__u32 reserved0;
	__u64 number;
	__u64 bytes;
	__u8 op;
	__u8 type;
	__u8 redop;
	__u8 reserved1;
	__u32 root;
	__u64 reserved2[3];
};

#endif /* _UAPI_LINUX_VNEURON_H */
