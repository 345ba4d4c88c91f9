/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Operations of a script as calls of the library: by records, or by their functions. */
#ifndef RANDOM_CALLS_H
#define RANDOM_CALLS_H

#include "stage.h"

/* A buffer that is not used may be anything. */
static void *buffer(const struct stage *g, uint32_t chip, const struct range *r,
		    const struct range *other, uint64_t salt)
{
	if (r->bytes || salt % 3 == 0)
		return memory(g, chip, r);
	return salt % 3 == 1 ? NULL : memory(g, chip, other);
}

static void record(const struct stage *g, const struct team *t, const struct call *c, uint32_t r,
		   uint64_t salt, struct vn_op *op)
{
	const struct buffers *b = &c->of[r];
	uint32_t p = t->ranks, chip = t->chip[r];

	*op = (struct vn_op){
		.op = c->op,
		.way = c->way,
		.type = c->type,
		.redop = folds(c->op) ? c->redop : VN_SUM,
		.root = (int)c->root,
		.count = c->count,
		.sendbuff = buffer(g, chip, &b->send, &b->recv, salt),
		.recvbuff = buffer(g, chip, &b->recv, &b->send, salt / 3),
		.to = c->to,
	};
	if (c->op == VN_BARRIER)
		op->type = 0;
	/* In place by all ranks or none, not by chance. */
	if (c->op == VN_ALL_TO_ALLV) {
		op->sendbuff = memory(g, chip, &b->send);
		op->recvbuff = memory(g, chip, &b->recv);
		if (!b->in_place && op->sendbuff == op->recvbuff)
			*(b->recv.bytes ? (void **)&op->sendbuff : &op->recvbuff) = NULL;
	}
	if (!c->blocks)
		return;
	op->count = sends_blocks(c->op) ? block_of(c, p, c->root, r) : block_of(c, p, r, c->root);
	op->sendcounts = &c->blocks->n[r * p];
	op->recvcounts = &c->blocks->by_to[r * p];
	if (c->op == VN_REDUCE_SCATTERV)
		op->recvcounts = op->sendcounts;
	if (c->blocks->packed && salt & 1)
		return;
	op->sdispls = &c->blocks->sent_at[r * p];
	op->rdispls = &c->blocks->received_at[r * p];
}

/* The same by the operation's own function. */
static int call(const struct vn_op *o, vn_comm_t c, vn_queue_t q)
{
	const void *send = o->sendbuff;
	void *recv = o->recvbuff;
	enum vn_type type = o->type;
	size_t n = o->count;

	switch (o->op) {
	case VN_ALL_REDUCE:
		return vn_all_reduce(send, recv, n, type, o->redop, c, q);
	case VN_REDUCE_TO:
		return vn_reduce(send, recv, n, type, o->redop, o->root, c, q);
	case VN_BROADCAST:
		return vn_broadcast(send, recv, n, type, o->root, c, q);
	case VN_ALL_GATHER:
		return vn_all_gather(send, recv, n, type, c, q);
	case VN_REDUCE_SCATTER:
		return vn_reduce_scatter(send, recv, n, type, o->redop, c, q);
	case VN_ALL_TO_ALL:
		return vn_all_to_all(send, recv, n, type, c, q);
	case VN_GATHER:
		return vn_gather(send, recv, n, type, o->root, c, q);
	case VN_SCATTER:
		return vn_scatter(send, recv, n, type, o->root, c, q);
	case VN_PERMUTE:
		return vn_permute(send, recv, n, type, o->to, c, q);
	case VN_SCAN:
		return vn_scan(send, recv, n, type, o->redop, c, q);
	case VN_EXSCAN:
		return vn_exscan(send, recv, n, type, o->redop, c, q);
	case VN_BARRIER:
		return vn_barrier(c, q);
	case VN_ALL_GATHERV:
		return vn_all_gatherv(send, n, recv, o->recvcounts, o->rdispls, type, c, q);
	case VN_REDUCE_SCATTERV:
		return vn_reduce_scatterv(send, recv, o->recvcounts, type, o->redop, c, q);
	case VN_ALL_TO_ALLV:
		return vn_all_to_allv(send, o->sendcounts, o->sdispls, recv, o->recvcounts,
				      o->rdispls, type, c, q);
	case VN_GATHERV:
		return vn_gatherv(send, n, recv, o->recvcounts, o->rdispls, type, o->root, c, q);
	case VN_SCATTERV:
		return vn_scatterv(send, o->sendcounts, o->sdispls, recv, n, type, o->root, c, q);
	case VN_SEND:
		return vn_send(send, n, type, o->peer, c, q);
	case VN_RECV:
		return vn_recv(recv, n, type, o->peer, c, q);
	case VN_PUT:
		return vn_put(send, n, type, o->peer, o->window, o->offset, c, q);
	case VN_GET:
		return vn_get(recv, n, type, o->peer, o->window, o->offset, c, q);
	case VN_PUT_SIGNAL:
		return vn_put_signal(send, n, type, o->peer, o->window, o->offset, o->sig_idx, 0, 0,
				     c, q);
	case VN_SIGNAL:
		return vn_signal(o->peer, o->sig_idx, 0, 0, c, q);
	case VN_WAIT_SIGNAL:
		return vn_wait_signal(o->nsignals, o->signals, c, q);
	default:
		return -ENOSYS;
	}
}

static bool has_function(const struct vn_op *op)
{
	return op->way == VN_WAY_AUTO && !(op->op == VN_REDUCE_SCATTERV && op->sdispls);
}

/* Starts it as the next operation of the rank. */
static int start(struct actor *a, struct team *t, uint32_t r, const struct vn_op *op, vn_queue_t q,
		 bool function)
{
	uint64_t seq = t->started[r];
	int err;

	if (function && has_function(op))
		err = call(op, t->comm[r], q);
	else
		err = vn_op_start(op, t->comm[r], q, &seq);
	if (!err && seq != t->started[r])
		err = -EBADSLT;
	t->started[r]++;
	a->ops++;
	return err;
}

/* A reduction with the rank's scalar, where one is needed. */
static int make_redop(const struct stage *g, const struct team *t, const struct call *c, uint32_t r,
		      struct vn_op *op)
{
	const struct buffers *b = &c->of[r];

	if (!folds(c->op) || c->redop != VN_PREMULSUM)
		return 0;
	if (b->scalar.bytes)
		return vn_red_op_create_pre_mul_sum(&op->redop, memory(g, t->chip[r], &b->scalar),
						    c->type, VN_SCALAR_DEVICE, t->comm[r]);
	return vn_red_op_create_pre_mul_sum(&op->redop, &b->value, c->type,
					    VN_SCALAR_HOST_IMMEDIATE, t->comm[r]);
}

/* Operations that were started keep it. */
static int drop_redop(const struct team *t, uint32_t r, const struct vn_op *op)
{
	return op->redop >= VN_REDOP_COUNT ? vn_red_op_destroy(op->redop, t->comm[r]) : 0;
}

/* How a device would cost things of a team whose costs are random. */
static double random_costs(void *arg, enum vn_way way, enum vn_coll op, int ranks, uint64_t bytes)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	(void)ranks;
	return (double)(mix(mix(seed, way), mix(op, bytes)) % 1000);
}

#endif
