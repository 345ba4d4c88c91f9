/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Generic netlink family "vneuron": topology and objects, for whoever may see
 * them. Described in uapi/netlink/vneuron.yaml.
 *
 * Topology (DEVICE, CHIP, PORT, SLED) is for everybody. Objects (CONTEXT, QUEUE,
 * WINDOW, PLAN, RANK) are listed for their owner's user, and all of them for
 * CAP_SYS_ADMIN. All of these are dumps; DEVICE, CHIP and SLED also answer a
 * plain request (CHIP with VN_NL_A_CHIP, SLED with VN_NL_A_SLED). DRAIN_CANCEL,
 * CHIP_RESET and the FAULT commands are for CAP_SYS_ADMIN. A refusal carries an extack text.
 *
 * The multicast group VN_NL_GROUP_EVENTS is for everybody, in all network
 * namespaces: a SLED_EVENT each time that a sled goes from one state to another,
 * in that order, and after each round of copying.
 *
 * The embedded device of a process says the same over a unix socket: see
 * &enum vn_nl_control.
 */
#ifndef _UAPI_LINUX_VNEURON_NL_H
#define _UAPI_LINUX_VNEURON_NL_H

#define VN_NL_FAMILY		"vneuron"
#define VN_NL_VERSION		1
#define VN_NL_GROUP_EVENTS	"events"

/**
 * enum vn_nl_cmd - what can be asked
 * @VN_NL_CMD_DEVICE: the UltraServer: its shape, epoch, totals
 * @VN_NL_CMD_CHIP: a message per virtual chip
 * @VN_NL_CMD_PORT: a message per slot and plane of the switch
 * @VN_NL_CMD_CONTEXT: a message per context
 * @VN_NL_CMD_QUEUE: a message per queue
 * @VN_NL_CMD_WINDOW: a message per window
 * @VN_NL_CMD_PLAN: a message per plan
 * @VN_NL_CMD_RANK: a message per rank of a communicator, as its program says
 * @VN_NL_CMD_SLED: a message per sled, spares last
 * @VN_NL_CMD_SLED_EVENT: not asked, but told to the group: the attributes of SLED, with
 *	OPERATION, UID and REASON of who made it go, and FROM_STATE. UID is as the user
 *	namespace knows it to which the network namespace belongs. From PRECOPY to
 *	PRECOPY: a round of copying is over
 * @VN_NL_CMD_DRAIN_CANCEL: calls off what drains the sled VN_NL_A_SLED, whichever it is
 *	or, with VN_NL_A_OPERATION, that one: its next step fails with ECANCELED. ENOENT:
 *	nothing drains it. ESTALE: another operation does. EALREADY: it is too late, its
 *	chips are elsewhere
 * @VN_NL_CMD_FAULT: a message per fault that was made and is there; this and the next two
 *	are for CAP_SYS_ADMIN, of a module that was loaded with faults=1 (EPERM)
 * @VN_NL_CMD_FAULT_INJECT: makes the fault VN_NL_A_FAULT at VN_NL_A_WHERE, with
 *	VN_NL_A_COUNT where it has one; see struct vn_fault. ENODEV: no such sled or chip
 * @VN_NL_CMD_FAULT_CLEAR: takes away VN_NL_A_FAULT at VN_NL_A_WHERE, or at VN_NL_A_SLOT
 *	when that is VN_NOWHERE; no kind: all there are. ENOENT: there is none
 * @VN_NL_CMD_CHIP_RESET: resets the chip VN_NL_A_CHIP, for CAP_SYS_ADMIN. When it is answered
 *	all queues on the chip, and those whose launch had a program on it, are in ERROR with
 *	VN_CHIP_RESET (those that were in ERROR stay as they were); keys of windows on it are
 *	stale, mappings through them stay. HBM keeps its bytes. Owners reset their queues, make
 *	new windows and go on. A drain of its sled goes on, too
 */
enum vn_nl_cmd {
	/* private: */
	VN_NL_CMD_UNSPEC,
	/* public: */
	VN_NL_CMD_DEVICE,
	VN_NL_CMD_CHIP,
	VN_NL_CMD_PORT,
	VN_NL_CMD_CONTEXT,
	VN_NL_CMD_QUEUE,
	VN_NL_CMD_WINDOW,
	VN_NL_CMD_PLAN,
	VN_NL_CMD_RANK,
	VN_NL_CMD_SLED,
	VN_NL_CMD_SLED_EVENT,
	VN_NL_CMD_DRAIN_CANCEL,
	VN_NL_CMD_FAULT,
	VN_NL_CMD_FAULT_INJECT,
	VN_NL_CMD_FAULT_CLEAR,
	VN_NL_CMD_CHIP_RESET,
	/* private: */
	__VN_NL_CMD_MAX,
};

/**
 * enum vn_nl_attr - one flat space of attributes
 * @VN_NL_A_PAD: alignment of 64-bit values
 * @VN_NL_A_DEVICE: u32, number of the UltraServer
 * @VN_NL_A_VERSION: string, version of the module
 * @VN_NL_A_ABI: u32
 * @VN_NL_A_SLEDS: u32
 * @VN_NL_A_CHIPS_PER_SLED: u32
 * @VN_NL_A_CHIPS: u32
 * @VN_NL_A_RACKS: u32
 * @VN_NL_A_PLANES: u32, switch planes
 * @VN_NL_A_PROFILE: string, name of the switch profile
 * @VN_NL_A_SIMD: string, arithmetic in use: "scalar" or "avx2"
 * @VN_NL_A_EPOCH: u32
 * @VN_NL_A_CHIP: u32, virtual chip
 * @VN_NL_A_SLED: u32
 * @VN_NL_A_SLOT: u32, physical slot
 * @VN_NL_A_RACK: u32
 * @VN_NL_A_NUMA_NODE: s32, -1 for none
 * @VN_NL_A_HBM_BYTES: u64
 * @VN_NL_A_HBM_USED: u64
 * @VN_NL_A_QUEUES: u32, number of queues
 * @VN_NL_A_WINDOWS: u32, number of live windows
 * @VN_NL_A_CONTEXTS: u32, number of contexts
 * @VN_NL_A_PLANE: u32, switch plane of a port
 * @VN_NL_A_TX_BYTES: u64, sent into the switch by the slot
 * @VN_NL_A_RX_BYTES: u64
 * @VN_NL_A_LOCAL_BYTES: u64, moved inside the chip
 * @VN_NL_A_CONTEXT: u32, number of a context
 * @VN_NL_A_PID: u32, process that opened it, in the reader's pid namespace
 * @VN_NL_A_UID: u32, its user, in the reader's user namespace
 * @VN_NL_A_QUEUE: u32, number of a queue in its context
 * @VN_NL_A_DEPTH: u32
 * @VN_NL_A_STATE: u32, enum vn_queue_state
 * @VN_NL_A_STATUS: u32, enum vn_status that stopped it
 * @VN_NL_A_DONE: u64, descriptors completed
 * @VN_NL_A_KEY: u32, key of a window
 * @VN_NL_A_BYTES: u64, length of a window, or of a rank's operation
 * @VN_NL_A_ACCESS: u32, enum vn_access
 * @VN_NL_A_PLAN: u32, number of a plan
 * @VN_NL_A_PROGRAMS: u32
 * @VN_NL_A_DESCS: u32
 * @VN_NL_A_LAUNCHES: u64
 * @VN_NL_A_COMM: string, name of a communicator
 * @VN_NL_A_RANKS: u32, of the communicator
 * @VN_NL_A_RANK: u32
 * @VN_NL_A_FLAGS: u32, enum vn_rank_flags
 * @VN_NL_A_ERROR: u32, errno of the operation that failed
 * @VN_NL_A_STARTED: u64, collectives the rank has called
 * @VN_NL_A_POSTED: u64, of these, those in which others can count on it
 * @VN_NL_A_COMPLETED: u64, of these, those that are over for it
 * @VN_NL_A_PENDING: u32, operations under way
 * @VN_NL_A_WAITS_NS: u64, for how long it has waited for the oldest of them
 * @VN_NL_A_NUMBER: u64, of that one, or of the last
 * @VN_NL_A_OP: u32, the library's enum vn_coll
 * @VN_NL_A_TYPE: u32, enum vn_type
 * @VN_NL_A_REDOP: u32, enum vn_redop
 * @VN_NL_A_ROOT: u32, root or other rank
 * @VN_NL_A_FENCE_WAITS: u64, times that a descriptor of the context met a fence
 * @VN_NL_A_SLED_STATE: u32, enum vn_sled_state
 * @VN_NL_A_OPERATION: u64, number of what brought the sled there, 0: nothing did
 * @VN_NL_A_REASON: string, why, as was said
 * @VN_NL_A_TOTAL_BYTES: u64, of HBM on the sled; this and the next four only of one that
 *	is being drained, as its last step found them
 * @VN_NL_A_COPIED_BYTES: u64, in all
 * @VN_NL_A_DIRTY_BYTES: u64, written since they were copied
 * @VN_NL_A_ESTIMATE_NS: u64, time to copy these; all ones: not known
 * @VN_NL_A_PAUSE_NS: u64, how long writers were kept out
 * @VN_NL_A_FROM_STATE: u32, enum vn_sled_state before the event
 * @VN_NL_A_FAULT: u32, enum vn_fault_kind
 * @VN_NL_A_WHERE: u32, sled or chip of a fault, or VN_NOWHERE; where it has one, EINVAL
 *	without
 * @VN_NL_A_COUNT: u32, pages that a fault is still to come to, or which allocation
 * @VN_NL_A_IN_BYTES: u64, written through a window by key
 * @VN_NL_A_OUT_BYTES: u64, read through it by key
 * @VN_NL_A_DENIALS: u64, times that its access, its range or an alignment refused a
 *	descriptor
 * @VN_NL_A_OFFSET: u64, where a window begins in its memory, bytes
 * @VN_NL_A_MEMORY: u32, VN_WINDOW_USER, VN_WINDOW_DMABUF, or 0: the window is over HBM; and
 *	VN_WINDOW_PARENT, if it is part of another
 */
enum vn_nl_attr {
	/* private: */
	VN_NL_A_UNSPEC,
	/* public: */
	VN_NL_A_PAD,
	VN_NL_A_DEVICE,
	VN_NL_A_VERSION,
	VN_NL_A_ABI,
	VN_NL_A_SLEDS,
	VN_NL_A_CHIPS_PER_SLED,
	VN_NL_A_CHIPS,
	VN_NL_A_RACKS,
	VN_NL_A_PLANES,
	VN_NL_A_PROFILE,
	VN_NL_A_SIMD,
	VN_NL_A_EPOCH,
	VN_NL_A_CHIP,
	VN_NL_A_SLED,
	VN_NL_A_SLOT,
	VN_NL_A_RACK,
	VN_NL_A_NUMA_NODE,
	VN_NL_A_HBM_BYTES,
	VN_NL_A_HBM_USED,
	VN_NL_A_QUEUES,
	VN_NL_A_WINDOWS,
	VN_NL_A_CONTEXTS,
	VN_NL_A_PLANE,
	VN_NL_A_TX_BYTES,
	VN_NL_A_RX_BYTES,
	VN_NL_A_LOCAL_BYTES,
	VN_NL_A_CONTEXT,
	VN_NL_A_PID,
	VN_NL_A_UID,
	VN_NL_A_QUEUE,
	VN_NL_A_DEPTH,
	VN_NL_A_STATE,
	VN_NL_A_STATUS,
	VN_NL_A_DONE,
	VN_NL_A_KEY,
	VN_NL_A_BYTES,
	VN_NL_A_ACCESS,
	VN_NL_A_PLAN,
	VN_NL_A_PROGRAMS,
	VN_NL_A_DESCS,
	VN_NL_A_LAUNCHES,
	VN_NL_A_COMM,
	VN_NL_A_RANKS,
	VN_NL_A_RANK,
	VN_NL_A_FLAGS,
	VN_NL_A_ERROR,
	VN_NL_A_STARTED,
	VN_NL_A_POSTED,
	VN_NL_A_COMPLETED,
	VN_NL_A_PENDING,
	VN_NL_A_WAITS_NS,
	VN_NL_A_NUMBER,
	VN_NL_A_OP,
	VN_NL_A_TYPE,
	VN_NL_A_REDOP,
	VN_NL_A_ROOT,
	VN_NL_A_FENCE_WAITS,
	VN_NL_A_SLED_STATE,
	VN_NL_A_OPERATION,
	VN_NL_A_REASON,
	VN_NL_A_TOTAL_BYTES,
	VN_NL_A_COPIED_BYTES,
	VN_NL_A_DIRTY_BYTES,
	VN_NL_A_ESTIMATE_NS,
	VN_NL_A_PAUSE_NS,
	VN_NL_A_FROM_STATE,
	VN_NL_A_FAULT,
	VN_NL_A_WHERE,
	VN_NL_A_COUNT,
	VN_NL_A_IN_BYTES,
	VN_NL_A_OUT_BYTES,
	VN_NL_A_DENIALS,
	VN_NL_A_OFFSET,
	VN_NL_A_MEMORY,
	/* private: */
	__VN_NL_A_MAX,
};

/**
 * enum vn_nl_control - what only the socket of an embedded device takes
 * @VN_NL_CMD_CALL: a call of vneuron.h that needs no memory and no queue: QUERY, CHIP_QUERY,
 *	SLED_QUERY, DRAIN_OPEN (its fd is -1) or DRAIN_STEP. Attributes: &enum vn_nl_call.
 *	The answer is ARGUMENT as the call has left it, if it has, then the error message
 * @VN_NL_CMD_JOIN: from here on this connection is told of SLED_EVENT, as the group is, with
 *	sequence number 0; NLMSG_OVERRUN stands where some are lost
 * @VN_NL_CMD_HEALTH: struct vn_health as it is now, as ARGUMENT of &enum vn_nl_call
 *
 * A process that wants to be seen (VNEURON_CONTROL=1, or control=1 in the device's spec)
 * listens at a SOCK_SEQPACKET socket of mode 0600, named PID (PID.1, PID.2, ... for further
 * devices in it), in $XDG_RUNTIME_DIR/vneuron/, else /run/user/UID/vneuron/, else
 * /tmp/vneuron-UID/. It answers the same user, and root. A packet carries one request, of
 * the type VN_NL_CONTROL; dumps come as many messages in a packet. An error message has
 * NLM_F_CAPPED, and its text where the kernel has its extack.
 *
 * A connection has one drain session at most, and closing it is closing that.
 */
enum vn_nl_control {
	VN_NL_CMD_CALL		= 128,
	VN_NL_CMD_JOIN		= 129,
	VN_NL_CMD_HEALTH	= 130,
};

/* nlmsg_type at such a socket, where no family is registered. */
#define VN_NL_CONTROL		0x56

/**
 * enum vn_nl_call - attributes of CALL, a space of their own
 * @VN_NL_CALL_NUMBER: u32, VN_IOCTL_QUERY and so on
 * @VN_NL_CALL_ARGUMENT: the struct of the call, as long as its size says; or of HEALTH
 */
enum vn_nl_call {
	/* private: */
	VN_NL_CALL_UNSPEC,
	/* public: */
	VN_NL_CALL_NUMBER,
	VN_NL_CALL_ARGUMENT,
	/* private: */
	__VN_NL_CALL_MAX,
};

#define VN_NL_CALL_MAX	(__VN_NL_CALL_MAX - 1)
#define VN_NL_CMD_MAX	(__VN_NL_CMD_MAX - 1)
#define VN_NL_A_MAX	(__VN_NL_A_MAX - 1)

#endif
