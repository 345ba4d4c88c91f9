/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that were written to nccl.h, on vneuron: its names, numbers and
 * signatures as of version 2.30, each a call of vneuron/coll.h. What the program
 * asks of its accelerator (memory, streams, events) are calls of vneuron/accel.h.
 * lib/nccl.md says of every call whether it is here, what differs, and why not.
 *
 * Results, by what the library returned; ncclGetLastError() has its text:
 *	ncclSuccess		0
 *	ncclInvalidArgument	-EINVAL (an argument makes no sense, or ranks
 *				disagree), -ERANGE, -ENODEV, -ENOENT, -ESTALE
 *	ncclInvalidUsage	-EEXIST (a rank or chip that is taken, a buffer that is
 *				registered), -EXDEV, -EBUSY
 *	ncclUnhandledCudaError	-EIO, -ENOSPC: the device refused, or is full
 *	ncclRemoteError		-ECANCELED: another rank gave up, or an operation failed;
 *				-EOWNERDEAD: the process of another rank has died;
 *				-EHOSTDOWN, -ENETUNREACH: a chip is lost, a link is cut
 *	ncclTimeout		-ETIMEDOUT
 *	ncclInProgress		-EINPROGRESS
 *	ncclSystemError		all others: memory of the host, permissions, threads
 * ncclInternalError is never returned.
 */
#ifndef VNEURON_NCCL_H
#define VNEURON_NCCL_H

#include <errno.h>
#include <limits.h>

#include "accel.h"

#define NCCL_MAJOR 2
#define NCCL_MINOR 30
#define NCCL_PATCH 3
#define NCCL_SUFFIX ""
#define NCCL_VERSION(X, Y, Z) \
	((X) > 2 || (Y) > 8 ? (X) * 10000 + (Y) * 100 + (Z) : (X) * 1000 + (Y) * 100 + (Z))
#define NCCL_VERSION_CODE 23003

#ifdef __cplusplus
extern "C" {
#endif

/* ---- types ------------------------------------------------------------------ */

typedef vn_comm_t ncclComm_t;
typedef vn_unique_id ncclUniqueId;
typedef vn_comm_window_t ncclWindow_t;

#define NCCL_COMM_NULL NULL
#define NCCL_UNIQUE_ID_BYTES VN_UNIQUE_ID_BYTES

typedef enum {
	ncclSuccess = 0,
	ncclUnhandledCudaError = 1,
	ncclSystemError = 2,
	ncclInternalError = 3,
	ncclInvalidArgument = 4,
	ncclInvalidUsage = 5,
	ncclRemoteError = 6,
	ncclInProgress = 7,
	ncclTimeout = 8,
	ncclNumResults = 9
} ncclResult_t;

/* The numbers of enum vn_type. */
typedef enum {
	ncclInt8 = VN_INT8,
	ncclChar = ncclInt8,
	ncclUint8 = VN_UINT8,
	ncclInt32 = VN_INT32,
	ncclInt = ncclInt32,
	ncclUint32 = VN_UINT32,
	ncclInt64 = VN_INT64,
	ncclUint64 = VN_UINT64,
	ncclFloat16 = VN_FLOAT16,
	ncclHalf = ncclFloat16,
	ncclFloat32 = VN_FLOAT32,
	ncclFloat = ncclFloat32,
	ncclFloat64 = VN_FLOAT64,
	ncclDouble = ncclFloat64,
	ncclBfloat16 = VN_BFLOAT16,
	ncclFloat8e4m3 = VN_FLOAT8E4M3,
	ncclFloat8e5m2 = VN_FLOAT8E5M2,
	ncclNumTypes = 12
} ncclDataType_t;

/* The numbers of enum vn_redop; those that a program makes begin at VN_REDOP_COUNT. */
typedef enum {
	ncclSum = VN_SUM,
	ncclProd = VN_PROD,
	ncclMax = VN_MAX,
	ncclMin = VN_MIN,
	ncclAvg = VN_AVG,
	ncclNumOps = 5,
	ncclMaxRedOp = 0x7fffffff
} ncclRedOp_t;

typedef enum {
	ncclScalarDevice = VN_SCALAR_DEVICE,
	ncclScalarHostImmediate = VN_SCALAR_HOST_IMMEDIATE
} ncclScalarResidence_t;

/* What ncclWaitSignal() waits for; laid out as struct vn_wait_signal_desc. */
typedef struct {
	int opCnt;
	int peer;
	int sigIdx;
	int ctx;
} ncclWaitSignalDesc_t;

#define NCCL_WIN_DEFAULT 0x00
#define NCCL_WIN_COLL_SYMMETRIC 0x01
#define NCCL_WIN_STRICT_ORDERING 0x02 /* they are ordered in any case */
#define NCCL_WIN_REQUIRED_ALIGNMENT 4096 /* 8 would do */

/* Of ncclCommSplit(), ncclCommShrink() and ncclCommRevoke(). */
#define NCCL_SPLIT_NOCOLOR VN_SPLIT_NOCOLOR
#define NCCL_SHRINK_DEFAULT VN_SHRINK_DEFAULT
#define NCCL_SHRINK_ABORT VN_SHRINK_ABORT
#define NCCL_REVOKE_DEFAULT 0x00

/* ---- configuration ------------------------------------------------------------ */

#define NCCL_API_MAGIC 0xcafebeefu
#define NCCL_CONFIG_UNDEF_INT INT_MIN
#define NCCL_CONFIG_UNDEF_PTR NULL

#define NCCL_CTA_POLICY_DEFAULT 0x00
#define NCCL_CTA_POLICY_EFFICIENCY 0x01
#define NCCL_CTA_POLICY_ZERO 0x02

/*
 * size, magic and version are those of the initializer; blocking is 0, 1 or
 * undefined, and calls return when they are through in any case. The others are
 * about hardware that is not here: any value will do.
 */
typedef struct {
	size_t size;
	unsigned int magic, version;
	int blocking;
	int cgaClusterSize, minCTAs, maxCTAs;
	const char *netName;
	int splitShare, trafficClass;
	const char *commName;
	int collnetEnable, CTAPolicy, shrinkShare, nvlsCTAs, nChannelsPerNetPeer;
	int nvlinkCentricSched, graphUsageMode, numRmaCtx, maxP2pPeers, graphStreamOrdering;
} ncclConfig_t;

#define NCCL_CONFIG_INITIALIZER                                                                   \
	{                                                                                          \
		sizeof(ncclConfig_t), NCCL_API_MAGIC, NCCL_VERSION_CODE, NCCL_CONFIG_UNDEF_INT,    \
		NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT,               \
		NCCL_CONFIG_UNDEF_PTR, NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT,               \
		NCCL_CONFIG_UNDEF_PTR, NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT,               \
		NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT,               \
		NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT,               \
		NCCL_CONFIG_UNDEF_INT, NCCL_CONFIG_UNDEF_INT                                       \
	}

/* ---- behind it (lib/nccl.c): what takes more than a call -------------------------- */

/**
 * vn_nccl_init_rank - a rank on the calling thread's current chip
 */
int vn_nccl_init_rank(ncclComm_t *comm, int nranks, const ncclUniqueId *id, int rank,
		      const ncclConfig_t *config);

/**
 * vn_nccl_init_all - all ranks, on the UltraServer of vneuron/accel.h
 */
int vn_nccl_init_all(ncclComm_t *comms, int nranks, const int *chips);

/**
 * vn_nccl_check_config - of a communicator made of another, which has that one's
 *
 * *newcomm is NULL if it is refused.
 */
int vn_nccl_check_config(ncclComm_t *newcomm, const ncclConfig_t *config);

/**
 * vn_nccl_revoke - vn_comm_revoke(), which has no flags
 */
int vn_nccl_revoke(ncclComm_t comm, int flags);

/**
 * vn_nccl_needs - -EINVAL if @thing is NULL; vn_error() says "CALL: no WHAT" then
 *
 * No inline function: compilers would see what is not written when it fails, and warn
 * programs of it.
 */
int vn_nccl_needs(const char *call, void *thing, const char *what);

static inline ncclResult_t vn_nccl_result(int err)
{
	switch (err < 0 ? -err : err) {
	case 0:
		return ncclSuccess;
	case EINVAL:
	case ERANGE:
	case ENODEV:
	case ENOENT:
	case ESTALE:
		return ncclInvalidArgument;
	case EEXIST:
	case EXDEV:
	case EBUSY:
		return ncclInvalidUsage;
	case EIO:
	case ENOSPC:
		return ncclUnhandledCudaError;
	case ECANCELED:
	case EOWNERDEAD:
	case EHOSTDOWN:
	case ENETUNREACH:
		return ncclRemoteError;
	case ETIMEDOUT:
		return ncclTimeout;
	case EINPROGRESS:
		return ncclInProgress;
	default:
		return ncclSystemError;
	}
}

/*
 * The library has more types and reductions. Their numbers are none here: they become
 * negative, which it refuses.
 */
static inline enum vn_type vn_nccl_type(ncclDataType_t type)
{
	return (enum vn_type)((int)type < (int)ncclNumTypes ? (int)type : -(int)type);
}

static inline enum vn_redop vn_nccl_redop(ncclRedOp_t op)
{
	int own = (int)op < (int)ncclNumOps || (int)op >= (int)VN_REDOP_COUNT;

	return (enum vn_redop)(own ? (int)op : -(int)op);
}

/* An operation on the queue of its stream. */
#define VN_NCCL_RUN(call)                                                                         \
	do {                                                                                       \
		vn_queue_t queue;                                                                  \
		int err = vn_stream_use(stream, comm, &queue);                                     \
		return vn_nccl_result(err ? err : (call));                                         \
	} while (0)

/* What a call can't do without; what it writes to comes first. */
#define VN_NCCL_NEEDS(name, thing, what)                                                          \
	do {                                                                                       \
		int missing = vn_nccl_needs(name, (void *)(thing), what);                          \
		if (missing)                                                                       \
			return vn_nccl_result(missing);                                            \
	} while (0)

/* ---- the library ------------------------------------------------------------------- */

static inline ncclResult_t ncclGetVersion(int *version)
{
	VN_NCCL_NEEDS("ncclGetVersion", version, "place for the version");
	*version = NCCL_VERSION_CODE;
	return ncclSuccess;
}

static inline const char *ncclGetErrorString(ncclResult_t result)
{
	switch (result) {
	case ncclSuccess:
		return "done";
	case ncclUnhandledCudaError:
		return "the device refused";
	case ncclSystemError:
		return "the system refused";
	case ncclInternalError:
		return "a fault of the library";
	case ncclInvalidArgument:
		return "an argument makes no sense";
	case ncclInvalidUsage:
		return "not to be called so, or not now";
	case ncclRemoteError:
		return "another rank gave up";
	case ncclInProgress:
		return "not done yet";
	case ncclTimeout:
		return "it took too long";
	default:
		return "no such result";
	}
}

/* Of the calling thread; else why the communicator failed. */
static inline const char *ncclGetLastError(ncclComm_t comm)
{
	const char *text = vn_error();

	return *text || !comm ? text : vn_comm_error(comm);
}

static inline ncclResult_t ncclMemAlloc(void **ptr, size_t size)
{
	return vn_nccl_result(vn_malloc(ptr, size));
}

static inline ncclResult_t ncclMemFree(void *ptr)
{
	return vn_nccl_result(vn_free(ptr));
}

/* ---- communicators: making ------------------------------------------------------- */

static inline ncclResult_t ncclGetUniqueId(ncclUniqueId *uniqueId)
{
	VN_NCCL_NEEDS("ncclGetUniqueId", uniqueId, "place for the id");
	return vn_nccl_result(vn_get_unique_id(uniqueId));
}

static inline ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int nranks, ncclUniqueId commId,
						  int rank, ncclConfig_t *config)
{
	return vn_nccl_result(vn_nccl_init_rank(comm, nranks, &commId, rank, config));
}

static inline ncclResult_t ncclCommInitRank(ncclComm_t *comm, int nranks, ncclUniqueId commId,
					    int rank)
{
	return vn_nccl_result(vn_nccl_init_rank(comm, nranks, &commId, rank, NULL));
}

/* The first id is as good as many: ranks meet in memory. */
static inline ncclResult_t ncclCommInitRankScalable(ncclComm_t *newcomm, int nranks, int myrank,
						    int nId, ncclUniqueId *commIds,
						    ncclConfig_t *config)
{
	VN_NCCL_NEEDS("ncclCommInitRankScalable", nId > 0 ? commIds : NULL, "unique id");
	return vn_nccl_result(vn_nccl_init_rank(newcomm, nranks, commIds, myrank, config));
}

static inline ncclResult_t ncclCommInitAll(ncclComm_t *comm, int ndev, const int *devlist)
{
	return vn_nccl_result(vn_nccl_init_all(comm, ndev, devlist));
}

/* ---- communicators: made of others ------------------------------------------------ */

static inline ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t *newcomm,
					 ncclConfig_t *config)
{
	int err = vn_nccl_check_config(newcomm, config);

	return vn_nccl_result(err ? err : vn_comm_split(comm, color, key, newcomm, NULL));
}

static inline ncclResult_t ncclCommShrink(ncclComm_t comm, int *excludeRanksList,
					  int excludeRanksCount, ncclComm_t *newcomm,
					  ncclConfig_t *config, int shrinkFlags)
{
	int err = vn_nccl_check_config(newcomm, config);

	return vn_nccl_result(err ? err
				  : vn_comm_shrink(comm, excludeRanksList, excludeRanksCount,
						   newcomm, NULL, shrinkFlags));
}

static inline ncclResult_t ncclCommGetUniqueId(ncclComm_t comm, ncclUniqueId *uniqueId)
{
	return vn_nccl_result(vn_comm_get_unique_id(comm, uniqueId));
}

/* A new rank joins as any does, on the current chip. */
static inline ncclResult_t ncclCommGrow(ncclComm_t comm, int nRanks, const ncclUniqueId *uniqueId,
					int rank, ncclComm_t *newcomm, ncclConfig_t *config)
{
	int err;

	if (!comm)
		return vn_nccl_result(vn_nccl_init_rank(newcomm, nRanks, uniqueId, rank, config));
	err = vn_nccl_check_config(newcomm, config);
	return vn_nccl_result(
		err ? err : vn_comm_grow(comm, nRanks, uniqueId, rank, newcomm, NULL));
}

/* ---- communicators: ending ------------------------------------------------------- */

static inline ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
	return comm ? vn_nccl_result(vn_comm_finalize(comm)) : ncclSuccess;
}

static inline ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
	return comm ? vn_nccl_result(vn_comm_destroy(comm)) : ncclSuccess;
}

static inline ncclResult_t ncclCommRevoke(ncclComm_t comm, int revokeFlags)
{
	return vn_nccl_result(vn_nccl_revoke(comm, revokeFlags));
}

static inline ncclResult_t ncclCommAbort(ncclComm_t comm)
{
	return comm ? vn_nccl_result(vn_comm_abort(comm)) : ncclSuccess;
}

/* ---- communicators: asking ------------------------------------------------------- */

static inline ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *asyncError)
{
	int err = 0;

	VN_NCCL_NEEDS("ncclCommGetAsyncError", asyncError, "place for the error");
	VN_NCCL_NEEDS("ncclCommGetAsyncError", comm, "communicator");
	vn_comm_get_async_error(comm, &err);
	*asyncError = vn_nccl_result(err);
	return ncclSuccess;
}

static inline ncclResult_t ncclCommCount(const ncclComm_t comm, int *count)
{
	VN_NCCL_NEEDS("ncclCommCount", count, "place for the count");
	VN_NCCL_NEEDS("ncclCommCount", comm, "communicator");
	return vn_nccl_result(vn_comm_count(comm, count));
}

static inline ncclResult_t ncclCommCuDevice(const ncclComm_t comm, int *device)
{
	uint32_t chip = 0;
	int err;

	VN_NCCL_NEEDS("ncclCommCuDevice", device, "place for the device");
	VN_NCCL_NEEDS("ncclCommCuDevice", comm, "communicator");
	err = vn_comm_chip(comm, &chip);
	*device = (int)chip;
	return vn_nccl_result(err);
}

static inline ncclResult_t ncclCommUserRank(const ncclComm_t comm, int *rank)
{
	VN_NCCL_NEEDS("ncclCommUserRank", rank, "place for the rank");
	VN_NCCL_NEEDS("ncclCommUserRank", comm, "communicator");
	return vn_nccl_result(vn_comm_user_rank(comm, rank));
}

/* ---- registered memory and windows ------------------------------------------------- */

static inline ncclResult_t ncclCommRegister(const ncclComm_t comm, void *buff, size_t size,
					    void **handle)
{
	return vn_nccl_result(vn_comm_register(comm, buff, size, handle));
}

static inline ncclResult_t ncclCommDeregister(const ncclComm_t comm, void *handle)
{
	return vn_nccl_result(vn_comm_deregister(comm, handle));
}

static inline ncclResult_t ncclCommWindowRegister(ncclComm_t comm, void *buff, size_t size,
						  ncclWindow_t *win, int winFlags)
{
	return vn_nccl_result(vn_comm_window_register(comm, buff, size, win,
						      winFlags & ~NCCL_WIN_STRICT_ORDERING));
}

static inline ncclResult_t ncclCommWindowDeregister(ncclComm_t comm, ncclWindow_t win)
{
	return vn_nccl_result(vn_comm_window_deregister(comm, win));
}

static inline ncclResult_t ncclWinGetUserPtr(ncclComm_t comm, ncclWindow_t win, void **outUserPtr)
{
	VN_NCCL_NEEDS("ncclWinGetUserPtr", outUserPtr, "place for the pointer");
	return vn_nccl_result(vn_win_get_user_ptr(comm, win, outUserPtr));
}

/* ---- reductions of one's own --------------------------------------------------------- */

static inline ncclResult_t ncclRedOpCreatePreMulSum(ncclRedOp_t *op, void *scalar,
						    ncclDataType_t datatype,
						    ncclScalarResidence_t residence,
						    ncclComm_t comm)
{
	enum vn_redop made = VN_SUM;
	int err;

	VN_NCCL_NEEDS("ncclRedOpCreatePreMulSum", op, "place for the reduction");
	VN_NCCL_NEEDS("ncclRedOpCreatePreMulSum", comm, "communicator");
	err = vn_red_op_create_pre_mul_sum(&made, scalar, vn_nccl_type(datatype),
					   (enum vn_scalar_residence)residence, comm);
	if (!err)
		*op = (ncclRedOp_t)made;
	return vn_nccl_result(err);
}

static inline ncclResult_t ncclRedOpDestroy(ncclRedOp_t op, ncclComm_t comm)
{
	VN_NCCL_NEEDS("ncclRedOpDestroy", comm, "communicator");
	return vn_nccl_result(vn_red_op_destroy(vn_nccl_redop(op), comm));
}

/* ---- collectives --------------------------------------------------------------------- */

static inline ncclResult_t ncclAllReduce(const void *sendbuff, void *recvbuff, size_t count,
					 ncclDataType_t datatype, ncclRedOp_t op, ncclComm_t comm,
					 vn_stream_t stream)
{
	VN_NCCL_RUN(vn_all_reduce(sendbuff, recvbuff, count, vn_nccl_type(datatype),
				  vn_nccl_redop(op), comm, queue));
}

static inline ncclResult_t ncclReduce(const void *sendbuff, void *recvbuff, size_t count,
				      ncclDataType_t datatype, ncclRedOp_t op, int root,
				      ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_reduce(sendbuff, recvbuff, count, vn_nccl_type(datatype), vn_nccl_redop(op),
			      root, comm, queue));
}

static inline ncclResult_t ncclBroadcast(const void *sendbuff, void *recvbuff, size_t count,
					 ncclDataType_t datatype, int root, ncclComm_t comm,
					 vn_stream_t stream)
{
	VN_NCCL_RUN(vn_broadcast(sendbuff, recvbuff, count, vn_nccl_type(datatype), root, comm,
				 queue));
}

static inline ncclResult_t ncclBcast(void *buff, size_t count, ncclDataType_t datatype, int root,
				     ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_broadcast(buff, buff, count, vn_nccl_type(datatype), root, comm, queue));
}

static inline ncclResult_t ncclAllGather(const void *sendbuff, void *recvbuff, size_t sendcount,
					 ncclDataType_t datatype, ncclComm_t comm,
					 vn_stream_t stream)
{
	VN_NCCL_RUN(vn_all_gather(sendbuff, recvbuff, sendcount, vn_nccl_type(datatype), comm,
				  queue));
}

static inline ncclResult_t ncclReduceScatter(const void *sendbuff, void *recvbuff,
					     size_t recvcount, ncclDataType_t datatype,
					     ncclRedOp_t op, ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_reduce_scatter(sendbuff, recvbuff, recvcount, vn_nccl_type(datatype),
				      vn_nccl_redop(op), comm, queue));
}

static inline ncclResult_t ncclAlltoAll(const void *sendbuff, void *recvbuff, size_t count,
					ncclDataType_t datatype, ncclComm_t comm,
					vn_stream_t stream)
{
	VN_NCCL_RUN(vn_all_to_all(sendbuff, recvbuff, count, vn_nccl_type(datatype), comm, queue));
}

static inline ncclResult_t ncclGather(const void *sendbuff, void *recvbuff, size_t count,
				      ncclDataType_t datatype, int root, ncclComm_t comm,
				      vn_stream_t stream)
{
	VN_NCCL_RUN(vn_gather(sendbuff, recvbuff, count, vn_nccl_type(datatype), root, comm,
			      queue));
}

static inline ncclResult_t ncclScatter(const void *sendbuff, void *recvbuff, size_t count,
				       ncclDataType_t datatype, int root, ncclComm_t comm,
				       vn_stream_t stream)
{
	VN_NCCL_RUN(vn_scatter(sendbuff, recvbuff, count, vn_nccl_type(datatype), root, comm,
			       queue));
}

/* ---- two ranks ------------------------------------------------------------------------- */

static inline ncclResult_t ncclSend(const void *sendbuff, size_t count, ncclDataType_t datatype,
				    int peer, ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_send(sendbuff, count, vn_nccl_type(datatype), peer, comm, queue));
}

static inline ncclResult_t ncclRecv(void *recvbuff, size_t count, ncclDataType_t datatype, int peer,
				    ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_recv(recvbuff, count, vn_nccl_type(datatype), peer, comm, queue));
}

static inline ncclResult_t ncclPutSignal(const void *localbuff, size_t count,
					 ncclDataType_t datatype, int peer, ncclWindow_t peerWin,
					 size_t peerWinOffset, int sigIdx, int ctx,
					 unsigned int flags, ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_put_signal(localbuff, count, vn_nccl_type(datatype), peer, peerWin,
				  peerWinOffset, sigIdx, ctx, flags, comm, queue));
}

static inline ncclResult_t ncclSignal(int peer, int sigIdx, int ctx, unsigned int flags,
				      ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_signal(peer, sigIdx, ctx, flags, comm, queue));
}

static inline ncclResult_t ncclWaitSignal(int nDesc, ncclWaitSignalDesc_t *signalDescs,
					  ncclComm_t comm, vn_stream_t stream)
{
	VN_NCCL_RUN(vn_wait_signal(nDesc, (const struct vn_wait_signal_desc *)signalDescs, comm,
				   queue));
}

/* ---- groups ------------------------------------------------------------------------------ */

static inline ncclResult_t ncclGroupStart(void)
{
	return vn_nccl_result(vn_group_start());
}

static inline ncclResult_t ncclGroupEnd(void)
{
	return vn_nccl_result(vn_group_end());
}

#undef VN_NCCL_RUN
#undef VN_NCCL_NEEDS

#ifdef __cplusplus
}
#endif

#endif
