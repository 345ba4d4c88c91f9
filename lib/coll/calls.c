// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The operations as callers see them: records, and a function for each. */
#include <errno.h>

#include "coll.h"

int vn_op_start(const struct vn_op *op, vn_comm_t c, vn_queue_t stream, uint64_t *seq)
{
	struct coll_call call;
	int err = coll_check(c, op, &call);

	if (err)
		return coll_refuse(err);
	call.stream = stream;
	if (seq)
		*seq = c->started + c->held;
	return coll_begin(c, &call);
}

int vn_op_status(vn_comm_t c, uint64_t seq)
{
	int err;

	if (!c)
		return vn_fail(-EINVAL, "status: no communicator");
	coll_enter(c);
	if (seq >= c->completed && seq < c->started)
		coll_turn(c);
	if (seq >= c->started || (seq < c->completed && c->completed - seq > 16))
		err = vn_fail(-EINVAL, "operation %llu: want one of the last 16 of %llu",
			      (unsigned long long)seq, (unsigned long long)c->started);
	else
		err = seq >= c->completed ? -EINPROGRESS : c->status[seq % COLL_SLOTS];
	coll_leave(c);
	return err;
}

int vn_comm_sync(vn_comm_t c, uint64_t timeout_ns)
{
	if (!c)
		return vn_fail(-EINVAL, "sync: no communicator");
	return coll_wait(c, c->started, timeout_ns);
}

/* ---- one function each ------------------------------------------------------- */

static int run(vn_comm_t c, vn_queue_t stream, const struct vn_op *op)
{
	return vn_op_start(op, c, stream, NULL);
}

#define RUN(c, stream, ...) run(c, stream, &(struct vn_op){ __VA_ARGS__ })

/* The same call as before, but for its buffers, which are as good. */
static bool again(const struct vn_lib_comm *c, enum vn_coll op, const void *send, const void *recv,
		  size_t count, enum vn_type type, enum vn_redop redop, int root)
{
	const struct coll_call *k;

	if (!c || !c->known.again || coll_grouped())
		return false;
	k = &c->known.call;
	return k->op == op && k->count == count && k->type == type && k->redop == redop &&
	       k->root == root && send && recv &&
	       !(((uintptr_t)send | (uintptr_t)recv) & (vn_type_bytes(type) - 1));
}

/* An operation of equal blocks; most often the one before was like it. */
static int run_plain(vn_comm_t c, vn_queue_t stream, enum vn_coll op, const void *send, void *recv,
		     size_t count, enum vn_type type, enum vn_redop redop, int root)
{
	if (again(c, op, send, recv, count, type, redop, root))
		return coll_start_again(c, send, recv, stream);
	return RUN(c, stream, .op = op, .sendbuff = send, .recvbuff = recv, .count = count,
		   .type = type, .redop = redop, .root = root);
}

int vn_all_reduce(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
		  enum vn_redop op, vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_ALL_REDUCE, sendbuff, recvbuff, count, type, op, 0);
}

int vn_reduce(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	      enum vn_redop op, int root, vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_REDUCE_TO, sendbuff, recvbuff, count, type, op, root);
}

int vn_broadcast(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
		 vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_BROADCAST, sendbuff, recvbuff, count, type, VN_SUM, root);
}

int vn_all_gather(const void *sendbuff, void *recvbuff, size_t sendcount, enum vn_type type,
		  vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_ALL_GATHER, sendbuff, recvbuff, sendcount, type, VN_SUM,
			 0);
}

int vn_reduce_scatter(const void *sendbuff, void *recvbuff, size_t recvcount, enum vn_type type,
		      enum vn_redop op, vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_REDUCE_SCATTER, sendbuff, recvbuff, recvcount, type, op,
			 0);
}

int vn_all_to_all(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
		  vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_ALL_TO_ALL, sendbuff, recvbuff, count, type, VN_SUM, 0);
}

int vn_gather(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
	      vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_GATHER, sendbuff, recvbuff, count, type, VN_SUM, root);
}

int vn_scatter(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
	       vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_SCATTER, sendbuff, recvbuff, count, type, VN_SUM, root);
}

int vn_permute(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, const int *to,
	       vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_PERMUTE, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .to = to);
}

int vn_scan(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, enum vn_redop op,
	    vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_SCAN, sendbuff, recvbuff, count, type, op, 0);
}

int vn_exscan(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	      enum vn_redop op, vn_comm_t comm, vn_queue_t stream)
{
	return run_plain(comm, stream, VN_EXSCAN, sendbuff, recvbuff, count, type, op, 0);
}

int vn_barrier(vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_BARRIER, .type = VN_UINT8);
}

/* ---- blocks of unequal length ---------------------------------------------------- */

int vn_all_gatherv(const void *sendbuff, size_t sendcount, void *recvbuff, const size_t *recvcounts,
		   const size_t *displs, enum vn_type type, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_ALL_GATHERV, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = sendcount, .type = type, .recvcounts = recvcounts, .rdispls = displs);
}

int vn_reduce_scatterv(const void *sendbuff, void *recvbuff, const size_t *recvcounts,
		       enum vn_type type, enum vn_redop op, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_REDUCE_SCATTERV, .sendbuff = sendbuff,
		   .recvbuff = recvbuff, .type = type, .redop = op, .recvcounts = recvcounts);
}

int vn_all_to_allv(const void *sendbuff, const size_t *sendcounts, const size_t *sdispls,
		   void *recvbuff, const size_t *recvcounts, const size_t *rdispls,
		   enum vn_type type, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_ALL_TO_ALLV, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .type = type, .sendcounts = sendcounts, .sdispls = sdispls,
		   .recvcounts = recvcounts, .rdispls = rdispls);
}

int vn_gatherv(const void *sendbuff, size_t sendcount, void *recvbuff, const size_t *recvcounts,
	       const size_t *displs, enum vn_type type, int root, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_GATHERV, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = sendcount, .type = type, .root = root, .recvcounts = recvcounts,
		   .rdispls = displs);
}

int vn_scatterv(const void *sendbuff, const size_t *sendcounts, const size_t *displs,
		void *recvbuff, size_t recvcount, enum vn_type type, int root, vn_comm_t comm,
		vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_SCATTERV, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = recvcount, .type = type, .root = root, .sendcounts = sendcounts,
		   .sdispls = displs);
}

/* ---- two ranks --------------------------------------------------------------------- */

int vn_send(const void *sendbuff, size_t count, enum vn_type type, int peer, vn_comm_t comm,
	    vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_SEND, .sendbuff = sendbuff, .count = count, .type = type,
		   .peer = peer);
}

int vn_recv(void *recvbuff, size_t count, enum vn_type type, int peer, vn_comm_t comm,
	    vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_RECV, .recvbuff = recvbuff, .count = count, .type = type,
		   .peer = peer);
}

int vn_put(const void *localbuff, size_t count, enum vn_type type, int peer,
	   vn_comm_window_t window, size_t offset, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_PUT, .sendbuff = localbuff, .count = count, .type = type,
		   .peer = peer, .window = window, .offset = offset);
}

int vn_get(void *localbuff, size_t count, enum vn_type type, int peer, vn_comm_window_t window,
	   size_t offset, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_GET, .recvbuff = localbuff, .count = count, .type = type,
		   .peer = peer, .window = window, .offset = offset);
}

static int check_unused(const char *name, int ctx, unsigned int flags)
{
	if (ctx)
		return coll_refuse(vn_fail(-EINVAL, "%s: no context %d", name, ctx));
	return flags ? coll_refuse(vn_fail(-EINVAL, "%s: unknown flags %#x", name, flags)) : 0;
}

int vn_put_signal(const void *localbuff, size_t count, enum vn_type type, int peer,
		  vn_comm_window_t window, size_t offset, int sig_idx, int ctx, unsigned int flags,
		  vn_comm_t comm, vn_queue_t stream)
{
	return check_unused("put_signal", ctx, flags)
		       ?: RUN(comm, stream, .op = VN_PUT_SIGNAL, .sendbuff = localbuff,
			      .count = count, .type = type, .peer = peer, .window = window,
			      .offset = offset, .sig_idx = sig_idx);
}

int vn_signal(int peer, int sig_idx, int ctx, unsigned int flags, vn_comm_t comm, vn_queue_t stream)
{
	return check_unused("signal", ctx, flags)
		       ?: RUN(comm, stream, .op = VN_SIGNAL, .peer = peer, .sig_idx = sig_idx);
}

int vn_wait_signal(int n, const struct vn_wait_signal_desc *descs, vn_comm_t comm,
		   vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_WAIT_SIGNAL, .nsignals = n, .signals = descs);
}
