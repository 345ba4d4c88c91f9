// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Operations' arguments: what one rank can know to be wrong, and the call that is left. */
#include <errno.h>
#include <stdlib.h>

#include "coll.h"
#include "../../kmod/engine/desc.h"

static const char *const names[VN_COLL_OPS] = {
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
	[VN_ALL_GATHERV] = "all_gatherv",
	[VN_REDUCE_SCATTERV] = "reduce_scatterv",
	[VN_ALL_TO_ALLV] = "all_to_allv",
	[VN_GATHERV] = "gatherv",
	[VN_SCATTERV] = "scatterv",
	[VN_SEND] = "send",
	[VN_RECV] = "recv",
	[VN_PUT] = "put",
	[VN_PUT_SIGNAL] = "put_signal",
	[VN_GET] = "get",
	[VN_SIGNAL] = "signal",
	[VN_WAIT_SIGNAL] = "wait_signal",
};

const char *vn_coll_name(enum vn_coll op)
{
	return (unsigned int)op < VN_COLL_OPS ? names[op] : NULL;
}

bool coll_meets(enum vn_coll op)
{
	return op < VN_COLL_COUNT;
}

bool coll_reduces(enum vn_coll op)
{
	return op == VN_ALL_REDUCE || op == VN_REDUCE_TO || op == VN_REDUCE_SCATTER ||
	       op == VN_REDUCE_SCATTERV || op == VN_SCAN || op == VN_EXSCAN;
}

bool coll_rooted(enum vn_coll op)
{
	return op == VN_REDUCE_TO || op == VN_BROADCAST || op == VN_GATHER || op == VN_SCATTER ||
	       op == VN_GATHERV || op == VN_SCATTERV;
}

/* Blocks of unequal length. */
static bool unequal(enum vn_coll op)
{
	return op >= VN_ALL_GATHERV && op <= VN_SCATTERV;
}

static bool has_data(enum vn_coll op)
{
	return op != VN_BARRIER && op != VN_SIGNAL && op != VN_WAIT_SIGNAL;
}

/* ---- reductions ---------------------------------------------------------------- */

static int check_redop(const struct vn_lib_comm *c, const struct vn_op *op)
{
	const struct coll_redop *made = coll_redop_made(c, op->redop);
	const char *name = vn_coll_name(op->op);

	if (op->redop == VN_PREMULSUM)
		return vn_fail(-EINVAL,
			       "%s: a pre-multiplied sum is made by vn_red_op_create_pre_mul_sum()",
			       name);
	if (!made && (unsigned int)op->redop >= VN_REDOP_COUNT)
		return vn_fail(-EINVAL, "%s: unknown reduction %d", name, op->redop);
	if (made && made->type != op->type)
		return vn_fail(-EINVAL, "%s: %s, but the scalar of its reduction is a %s", name,
			       vn_type_name(op->type), vn_type_name(made->type));
	if (!made && !vn_type_reduces(op->type, op->redop))
		return vn_fail(-EINVAL, "%s: %s has no reduction %s", name, vn_type_name(op->type),
			       vn_redop_name(op->redop));
	return 0;
}

/* ---- arrays -------------------------------------------------------------------- */

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

/* Every block ends within what memory can be; all of them together, too. */
static int check_blocks(const struct vn_lib_comm *c, const struct vn_op *op, const char *which,
			const size_t *counts, const size_t *displs)
{
	uint64_t most = VN_BYTES_MAX / vn_type_bytes(op->type), sum = 0;

	if (!counts)
		return vn_fail(-EINVAL, "%s: rank %u: no %scounts", vn_coll_name(op->op), c->rank,
			       which);
	for (uint32_t r = 0; r < c->team->ranks; r++) {
		uint64_t at = displs ? displs[r] : sum;

		if (counts[r] > most || at > most - counts[r])
			return vn_fail(
				-EINVAL,
				"%s: rank %u: block %u, %zu elements at %llu, is beyond %llu bytes",
				vn_coll_name(op->op), c->rank, r, counts[r], (unsigned long long)at,
				VN_BYTES_MAX);
		sum += counts[r];
	}
	return 0;
}

/* What comes in must not lie on something else that does. */
static int check_apart(const struct vn_lib_comm *c, const struct vn_op *op)
{
	const size_t *n = op->recvcounts, *at = op->rdispls;

	for (uint32_t a = 0; at && a < c->team->ranks; a++)
		for (uint32_t b = a + 1; n[a] && b < c->team->ranks; b++)
			if (n[b] && at[a] < at[b] + n[b] && at[b] < at[a] + n[a])
				return vn_fail(-EINVAL,
					       "%s: rank %u: the blocks of ranks %u and %u overlap",
					       vn_coll_name(op->op), c->rank, a, b);
	return 0;
}

/* One buffer for both sides: every block is exchanged for one like it. */
static int check_exchange(const struct vn_lib_comm *c, const struct vn_op *op)
{
	size_t s = 0, r = 0;

	if (op->sendbuff != op->recvbuff)
		return 0;
	for (uint32_t i = 0; i < c->team->ranks; i++) {
		if (op->sendcounts[i] != op->recvcounts[i] ||
		    (op->sendcounts[i] &&
		     (op->sdispls ? op->sdispls[i] : s) != (op->rdispls ? op->rdispls[i] : r)))
			return vn_fail(
				-EINVAL,
				"all_to_allv: rank %u: in place, but the blocks for and of rank %u are not the same",
				c->rank, i);
		s += op->sendcounts[i];
		r += op->recvcounts[i];
	}
	return 0;
}

static int check_arrays(const struct vn_lib_comm *c, const struct vn_op *op)
{
	bool root = op->root == (int)c->rank;
	int err = 0;

	if (op->op == VN_PERMUTE)
		return check_permutation(c, op->to);
	if (op->op == VN_ALL_TO_ALLV || (op->op == VN_SCATTERV && root))
		err = check_blocks(c, op, "send", op->sendcounts, op->sdispls);
	if (!err && (op->op == VN_ALL_GATHERV || op->op == VN_ALL_TO_ALLV ||
		     (op->op == VN_GATHERV && root)))
		err = check_blocks(c, op, "recv", op->recvcounts, op->rdispls)
			      ?: check_apart(c, op);
	if (!err && op->op == VN_REDUCE_SCATTERV)
		err = check_blocks(c, op, "recv", op->recvcounts, op->sdispls);
	if (!err && op->op == VN_ALL_TO_ALLV)
		err = check_exchange(c, op);
	return err;
}

/* ---- buffers ------------------------------------------------------------------- */

static void needs(const struct vn_lib_comm *c, const struct vn_op *op, const struct coll_extra *e,
		  uint64_t *send, uint64_t *recv)
{
	struct coll_shape s = {
		.op = op->op,
		.type = (uint8_t)op->type,
		.ranks = c->team->ranks,
		.root = (uint32_t)op->root,
		.count = op->count,
	};
	uint64_t bytes = op->count * vn_type_bytes(op->type);

	switch (op->op) {
	case VN_SEND:
	case VN_PUT:
	case VN_PUT_SIGNAL:
		*send = bytes;
		*recv = 0;
		break;
	case VN_RECV:
	case VN_GET:
		*send = 0;
		*recv = bytes;
		break;
	case VN_SIGNAL:
	case VN_WAIT_SIGNAL:
		*send = *recv = 0;
		break;
	default:
		*send = e ? e->send_bytes : coll_send_bytes(&s, c->rank);
		*recv = e ? e->recv_bytes : coll_recv_bytes(&s, c->rank);
	}
}

static int check_buffers(const struct vn_lib_comm *c, const struct vn_op *op,
			 const struct coll_extra *e)
{
	const char *name = vn_coll_name(op->op);
	uint64_t es = vn_type_bytes(op->type), send, recv;

	needs(c, op, e, &send, &recv);
	if ((send && !op->sendbuff) || (recv && !op->recvbuff))
		return vn_fail(-EINVAL, "%s: rank %u: no buffer to %s", name, c->rank,
			       send && !op->sendbuff ? "send" : "receive");
	if ((send && (uintptr_t)op->sendbuff % es) || (recv && (uintptr_t)op->recvbuff % es))
		return vn_fail(-EINVAL,
			       "%s: rank %u: a buffer is not aligned to its %llu-byte type", name,
			       c->rank, (unsigned long long)es);
	return 0;
}

/* ---- signals -------------------------------------------------------------------- */

static int check_signal(const struct vn_lib_comm *c, const struct vn_op *op, int index)
{
	if (index < 0 || index >= VN_SIGNALS)
		return vn_fail(-EINVAL, "%s: rank %u: signal %d; there are 0 to %d",
			       vn_coll_name(op->op), c->rank, index, VN_SIGNALS - 1);
	return 0;
}

static int check_peer(const struct vn_lib_comm *c, const struct vn_op *op, int peer)
{
	if (peer < 0 || (uint32_t)peer >= c->team->ranks)
		return vn_fail(-EINVAL, "%s: rank %u: peer %d of %u ranks", vn_coll_name(op->op),
			       c->rank, peer, c->team->ranks);
	return 0;
}

static void want(struct coll_call *call, const struct vn_wait_signal_desc *s)
{
	struct coll_wanted *w = call->wanted;

	while (w != call->wanted + call->nwanted &&
	       (w->peer != (uint32_t)s->peer || w->index != (uint32_t)s->sig_idx))
		w++;
	if (w == call->wanted + call->nwanted) {
		*w = (struct coll_wanted){ .peer = (uint32_t)s->peer,
					   .index = (uint32_t)s->sig_idx };
		call->nwanted++;
	}
	w->count += (uint64_t)s->op_cnt;
}

static int take_signals(struct vn_lib_comm *c, const struct vn_op *op, struct coll_call *call)
{
	const struct vn_wait_signal_desc *s = op->signals;
	int err = 0;

	if (op->nsignals < 1 || !s)
		return vn_fail(-EINVAL, "wait_signal: rank %u: no signals", c->rank);
	for (int i = 0; i < op->nsignals && !err; i++) {
		err = check_peer(c, op, s[i].peer) ?: check_signal(c, op, s[i].sig_idx);
		if (!err && (s[i].op_cnt < 1 || s[i].ctx))
			err = vn_fail(-EINVAL, "wait_signal: rank %u: %s %d", c->rank,
				      s[i].ctx ? "no context" : "a count of",
				      s[i].ctx ? s[i].ctx : s[i].op_cnt);
	}
	if (err)
		return err;
	call->wanted = calloc((size_t)op->nsignals, sizeof(*call->wanted));
	if (!call->wanted || coll_signals_init(c))
		return vn_fail(-ENOMEM, "wait_signal: rank %u: no memory", c->rank);
	for (int i = 0; i < op->nsignals; i++)
		want(call, &s[i]);
	return 0;
}

/* ---- all of it -------------------------------------------------------------------- */

static int check_plain(const struct vn_lib_comm *c, const struct vn_op *op)
{
	const char *name = op ? vn_coll_name(op->op) : NULL;
	uint64_t es;

	if (!c)
		return vn_fail(-EINVAL, "no communicator");
	if (!name)
		return vn_fail(-EINVAL, "no collective operation %d", op ? (int)op->op : -1);
	es = vn_type_bytes(op->type);
	if (!es)
		return vn_fail(-EINVAL, "%s: unknown type %d", name, op->type);
	if ((unsigned int)op->way >= VN_WAY_COUNT)
		return vn_fail(-EINVAL, "%s: no way %d", name, op->way);
	if (coll_reduces(op->op) && check_redop(c, op))
		return -EINVAL;
	if (coll_rooted(op->op) && (op->root < 0 || (uint32_t)op->root >= c->team->ranks))
		return vn_fail(-EINVAL, "%s: root %d of %u ranks", name, op->root, c->team->ranks);
	if (has_data(op->op) && op->count > VN_BYTES_MAX / es)
		return vn_fail(-EINVAL, "%s: %zu elements are more than %llu bytes", name,
			       op->count, VN_BYTES_MAX);
	if (!coll_meets(op->op) && op->op != VN_WAIT_SIGNAL)
		return check_peer(c, op, op->peer);
	return 0;
}

static int fill(struct vn_lib_comm *c, const struct vn_op *op, struct coll_call *call)
{
	const struct coll_redop *made = coll_reduces(op->op) ? coll_redop_made(c, op->redop) : NULL;

	*call = (struct coll_call){
		.op = op->op,
		.way = op->way,
		.type = has_data(op->op) ? (uint8_t)op->type : VN_UINT8,
		.redop = coll_reduces(op->op) ? (uint8_t)op->redop : 0,
		.root = coll_rooted(op->op)  ? op->root
			: coll_meets(op->op) ? 0
					     : op->peer,
		.count = has_data(op->op) ? op->count : 0,
		.send = op->sendbuff,
		.recv = op->recvbuff,
		.timeout_ns = op->timeout_ns,
		.window = op->window,
		.offset = op->offset,
		.signal = (uint32_t)op->sig_idx,
	};
	if (made) {
		call->redop = VN_PREMULSUM;
		call->scalar = made->scalar;
	}
	if (op->op == VN_PERMUTE || unequal(op->op)) {
		call->extra = coll_extra_new(op, c->team->ranks, c->rank);
		if (!call->extra)
			return vn_fail(-ENOMEM, "%s: rank %u: no memory for its arrays",
				       vn_coll_name(op->op), c->rank);
	}
	return 0;
}

int coll_check(struct vn_lib_comm *c, const struct vn_op *op, struct coll_call *call)
{
	int err = check_plain(c, op);

	if (!err && (op->op == VN_PERMUTE || unequal(op->op)))
		err = check_arrays(c, op);
	err = err ?: fill(c, op, call);
	if (err)
		return err;
	err = check_buffers(c, op, call->extra);
	if (!err && (op->op == VN_PUT || op->op == VN_PUT_SIGNAL || op->op == VN_GET))
		err = coll_window_check(c, call);
	if (!err && (op->op == VN_PUT_SIGNAL || op->op == VN_SIGNAL))
		err = check_signal(c, op, op->sig_idx);
	if (!err && op->op == VN_WAIT_SIGNAL)
		err = take_signals(c, op, call);
	if (err)
		coll_call_free(call);
	return err;
}
