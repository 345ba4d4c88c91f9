// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The operations as callers see them: arguments checked, groups held back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"
#include "../../kmod/engine/desc.h"

static const char *const names[VN_COLL_COUNT] = {
	[VN_ALL_REDUCE] = "all_reduce",
	[VN_REDUCE_TO] = "reduce",
	[VN_BROADCAST] = "broadcast",
	[VN_ALL_GATHER] = "all_gather",
	[VN_REDUCE_SCATTER] = "reduce_scatter",
	[VN_ALL_TO_ALL] = "all_to_all",
	[VN_GATHER] = "gather",
	[VN_SCATTER] = "scatter",
	[VN_PERMUTE] = "permute",
	[VN_SCAN] = "scan",
	[VN_EXSCAN] = "exscan",
	[VN_BARRIER] = "barrier",
};

const char *vn_coll_name(enum vn_coll op)
{
	return (unsigned int)op < VN_COLL_COUNT ? names[op] : NULL;
}

/* ---- groups ----------------------------------------------------------------- */

struct held {
	struct held *next;
	struct vn_lib_comm *comm;
	struct coll_call call;
};

static _Thread_local struct {
	uint32_t depth;
	struct held *first, **last;
	int error;
} group;

int vn_group_start(void)
{
	if (!group.depth++) {
		group.first = NULL;
		group.last = &group.first;
		group.error = 0;
	}
	return 0;
}

int vn_group_end(void)
{
	struct held *h;
	int err;

	if (!group.depth)
		return vn_fail(-EINVAL, "vn_group_end() without vn_group_start()");
	if (--group.depth)
		return 0;
	while ((h = group.first)) {
		group.first = h->next;
		h->comm->held--;
		err = coll_start(h->comm, &h->call);
		group.error = group.error ?: err;
		free(h);
	}
	return group.error;
}

/* An argument makes no sense: a group remembers it. */
static int refuse(int err)
{
	if (group.depth && !group.error)
		group.error = err;
	return err;
}

static int start(struct vn_lib_comm *c, const struct coll_call *call)
{
	struct held *h;

	if (!group.depth)
		return coll_start(c, call);
	h = malloc(sizeof(*h));
	if (!h) {
		free(call->extra);
		return refuse(vn_fail(-ENOMEM, "no memory for an operation of a group"));
	}
	*h = (struct held){ .comm = c, .call = *call };
	*group.last = h;
	group.last = &h->next;
	c->held++;
	return 0;
}

/* ---- arguments -------------------------------------------------------------- */

bool coll_reduces(enum vn_coll op)
{
	return op == VN_ALL_REDUCE || op == VN_REDUCE_TO || op == VN_REDUCE_SCATTER ||
	       op == VN_SCAN || op == VN_EXSCAN;
}

bool coll_rooted(enum vn_coll op)
{
	return op == VN_REDUCE_TO || op == VN_BROADCAST || op == VN_GATHER || op == VN_SCATTER;
}

/* A reduction that this rank made, or NULL. */
static const struct coll_redop *made_redop(const struct vn_lib_comm *c, uint32_t op)
{
	uint32_t i = op - VN_REDOP_COUNT;

	return op >= VN_REDOP_COUNT && i < COLL_REDOPS && c->redop[i].made ? &c->redop[i] : NULL;
}

static int check_redop(const struct vn_lib_comm *c, const struct vn_op *op)
{
	const struct coll_redop *made = made_redop(c, op->redop);
	const char *name = vn_coll_name(op->op);

	if (op->redop == VN_PREMULSUM)
		return vn_fail(-EINVAL,
			       "%s: a pre-multiplied sum is made by vn_red_op_create_pre_mul_sum()",
			       name);
	if (!made && (unsigned int)op->redop >= VN_REDOP_COUNT)
		return vn_fail(-EINVAL, "%s: unknown reduction %d", name, op->redop);
	if (made && made->type != op->type)
		return vn_fail(-EINVAL,
			       "%s: %s, but the scalar of its reduction is a %s", name,
			       vn_type_name(op->type), vn_type_name(made->type));
	if (!made && !vn_type_reduces(op->type, op->redop))
		return vn_fail(-EINVAL, "%s: %s has no reduction %s", name,
			       vn_type_name(op->type), vn_redop_name(op->redop));
	return 0;
}

static int check(const struct vn_lib_comm *c, const struct vn_op *op)
{
	const char *name = vn_coll_name(op->op);
	struct coll_shape s = { .op = op->op, .type = (uint8_t)op->type, .count = op->count };
	uint64_t es = vn_type_size(op->type), send, recv;

	if (!c)
		return vn_fail(-EINVAL, "no communicator");
	if (!name)
		return vn_fail(-EINVAL, "no collective operation %d", op->op);
	if (!es)
		return vn_fail(-EINVAL, "%s: unknown type %d", name, op->type);
	if ((unsigned int)op->way >= VN_WAY_COUNT)
		return vn_fail(-EINVAL, "%s: no way %d", name, op->way);
	if (coll_reduces(op->op) && check_redop(c, op))
		return -EINVAL;
	if (coll_rooted(op->op) && (op->root < 0 || (uint32_t)op->root >= c->team->ranks))
		return vn_fail(-EINVAL, "%s: root %d of %u ranks", name, op->root, c->team->ranks);
	if (op->count > VN_BYTES_MAX / es)
		return vn_fail(-EINVAL, "%s: %zu elements are more than %llu bytes", name,
			       op->count, VN_BYTES_MAX);
	s.ranks = c->team->ranks;
	s.root = (uint32_t)op->root;
	send = op->op == VN_PERMUTE ? op->count * es : coll_send_bytes(&s, c->rank);
	recv = op->op == VN_PERMUTE ? op->count * es : coll_recv_bytes(&s, c->rank);
	if ((send && !op->sendbuff) || (recv && !op->recvbuff))
		return vn_fail(-EINVAL, "%s: rank %u: no buffer to %s", name, c->rank,
			       send && !op->sendbuff ? "send" : "receive");
	if ((send && (uintptr_t)op->sendbuff % es) || (recv && (uintptr_t)op->recvbuff % es))
		return vn_fail(-EINVAL,
			       "%s: rank %u: a buffer is not aligned to its %llu-byte type", name,
			       c->rank, (unsigned long long)es);
	return 0;
}

static int check_permutation(const struct vn_lib_comm *c, const int *to)
{
	uint8_t seen[VN_MAX_CHIPS] = { 0 };

	if (!to)
		return vn_fail(-EINVAL, "permute: no permutation");
	for (uint32_t r = 0; r < c->team->ranks; r++) {
		if (to[r] < -1 || to[r] >= (int)c->team->ranks)
			return vn_fail(-EINVAL, "permute: rank %u sends to rank %d of %u", r, to[r],
				       c->team->ranks);
		if (to[r] >= 0 && seen[to[r]]++)
			return vn_fail(-EINVAL, "permute: rank %d would receive twice", to[r]);
	}
	return 0;
}

/* A copy of the arrays, in one block. */
static struct coll_extra *take_extra(const struct vn_op *op, uint32_t ranks)
{
	struct coll_extra *e = calloc(1, sizeof(*e) + ranks * sizeof(int));
	int *to = (int *)(e + 1);

	if (!e)
		return NULL;
	memcpy(to, op->to, ranks * sizeof(int));
	e->to = to;
	return e;
}

int vn_red_op_create_pre_mul_sum(enum vn_redop *op, const void *scalar, enum vn_type type,
				 enum vn_scalar_residence residence, vn_comm_t c)
{
	uint32_t es = vn_type_size(type), i;
	struct coll_redop *r = c->redop;

	if (!es)
		return vn_fail(-EINVAL, "pre-multiplied sum: unknown type %d", type);
	if (!scalar || (uintptr_t)scalar % es)
		return vn_fail(-EINVAL, "pre-multiplied sum: %s scalar",
			       scalar ? "a misaligned" : "no");
	if (residence != VN_SCALAR_DEVICE && residence != VN_SCALAR_HOST_IMMEDIATE)
		return vn_fail(-EINVAL, "pre-multiplied sum: no residence %d", residence);
	for (i = 0; i < COLL_REDOPS && r->made; i++, r++)
		;
	if (i == COLL_REDOPS)
		return vn_fail(-ENOSPC, "rank %u has %u reductions of its own already", c->rank,
			       COLL_REDOPS);
	*r = (struct coll_redop){ .type = (uint8_t)type, .made = true };
	if (residence == VN_SCALAR_DEVICE)
		r->scalar.at = scalar;
	else
		memcpy(&r->scalar.bits, scalar, es);
	*op = (enum vn_redop)(VN_REDOP_COUNT + i);
	return 0;
}

int vn_red_op_destroy(enum vn_redop op, vn_comm_t c)
{
	if (!made_redop(c, op))
		return vn_fail(-EINVAL, "rank %u has made no reduction %d", c->rank, op);
	c->redop[op - VN_REDOP_COUNT].made = false;
	return 0;
}

int vn_op_start(const struct vn_op *op, vn_comm_t c, vn_queue_t stream, uint64_t *seq)
{
	const struct coll_redop *made;
	struct coll_call call;
	int err = check(c, op);

	if (!err && op->op == VN_PERMUTE)
		err = check_permutation(c, op->to);
	if (err)
		return refuse(err);
	call = (struct coll_call){
		.op = op->op,
		.way = op->way,
		.type = (uint8_t)op->type,
		.redop = coll_reduces(op->op) ? (uint8_t)op->redop : 0,
		.root = coll_rooted(op->op) ? op->root : 0,
		.count = op->count,
		.send = op->sendbuff,
		.recv = op->recvbuff,
		.stream = stream,
		.timeout_ns = op->timeout_ns,
	};
	made = coll_reduces(op->op) ? made_redop(c, op->redop) : NULL;
	if (made) {
		call.redop = VN_PREMULSUM;
		call.scalar = made->scalar;
	}
	if (op->op == VN_PERMUTE) {
		call.extra = take_extra(op, c->team->ranks);
		if (!call.extra)
			return refuse(vn_fail(-ENOMEM, "no memory for a permutation"));
	}
	if (seq)
		*seq = c->started + c->held;
	return start(c, &call);
}

int vn_op_status(vn_comm_t c, uint64_t seq)
{
	if (seq >= c->started || c->started - seq > 16)
		return vn_fail(-EINVAL, "operation %llu: want one of the last 16 of %llu",
			       (unsigned long long)seq, (unsigned long long)c->started);
	if (seq >= c->completed)
		coll_progress(c);
	return seq >= c->completed ? -EINPROGRESS : c->status[seq % COLL_SLOTS];
}

int vn_comm_sync(vn_comm_t c, uint64_t timeout_ns)
{
	return coll_wait(c, c->started, timeout_ns);
}

/* ---- one function each ------------------------------------------------------- */

static int run(vn_comm_t c, vn_queue_t stream, const struct vn_op *op)
{
	return vn_op_start(op, c, stream, NULL);
}

#define RUN(c, stream, ...) run(c, stream, &(struct vn_op){ __VA_ARGS__ })

int vn_all_reduce(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
		  enum vn_redop op, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_ALL_REDUCE, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .redop = op);
}

int vn_reduce(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	      enum vn_redop op, int root, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_REDUCE_TO, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .redop = op, .root = root);
}

int vn_broadcast(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
		 vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_BROADCAST, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .root = root);
}

int vn_all_gather(const void *sendbuff, void *recvbuff, size_t sendcount, enum vn_type type,
		  vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_ALL_GATHER, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = sendcount, .type = type);
}

int vn_reduce_scatter(const void *sendbuff, void *recvbuff, size_t recvcount, enum vn_type type,
		      enum vn_redop op, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_REDUCE_SCATTER, .sendbuff = sendbuff,
		   .recvbuff = recvbuff, .count = recvcount, .type = type, .redop = op);
}

int vn_all_to_all(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
		  vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_ALL_TO_ALL, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type);
}

int vn_gather(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
	      vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_GATHER, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .root = root);
}

int vn_scatter(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type, int root,
	       vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_SCATTER, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .root = root);
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
	return RUN(comm, stream, .op = VN_SCAN, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .redop = op);
}

int vn_exscan(const void *sendbuff, void *recvbuff, size_t count, enum vn_type type,
	      enum vn_redop op, vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_EXSCAN, .sendbuff = sendbuff, .recvbuff = recvbuff,
		   .count = count, .type = type, .redop = op);
}

int vn_barrier(vn_comm_t comm, vn_queue_t stream)
{
	return RUN(comm, stream, .op = VN_BARRIER, .type = VN_UINT8);
}
