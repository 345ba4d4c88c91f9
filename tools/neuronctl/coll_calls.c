// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>

#include "coll_calls.h"

/* ---- records ------------------------------------------------------------------ */

/* One more, with nothing but the other rank, where there is one. */
static struct vn_op *add(struct coll_calls *k, enum vn_coll op, uint32_t peer)
{
	struct vn_op *o = &k->op[k->n++];

	*o = (struct vn_op){ .op = op, .peer = (int)peer };
	return o;
}

static struct vn_op *add_data(struct coll_calls *k, const struct coll_round *c, enum vn_coll op,
			      uint32_t peer)
{
	struct vn_op *o = add(k, op, peer);

	o->type = c->job->type->type;
	o->count = c->extent.count;
	o->sendbuff = c->send[k->rank];
	o->recvbuff = c->recv[k->rank];
	o->window = k->window;
	return o;
}

static void add_blocks(struct coll_calls *k, const struct coll_round *c, struct vn_op *o)
{
	const struct coll_operation *op = c->job->op;
	const struct coll_extent *e = &c->extent;
	bool folds = op->makes == COLL_FOLD_BLOCK;
	uint32_t r;

	for (r = 0; r < k->ranks; r++) {
		k->counts[r] = coll_extent_block(e, k->rank, r);
		k->displs[r] = coll_extent_at(e, k->rank, r);
	}
	/* The one block it has where another rank has many. */
	o->count = op->send_blocks == op->recv_blocks || folds
			   ? 0
			   : coll_extent_block(e, k->rank, k->rank);
	o->sendcounts = op->send_blocks && !folds ? k->counts : NULL;
	o->recvcounts = op->recv_blocks || folds ? k->counts : NULL;
	o->sdispls = op->send_blocks ? k->displs : NULL;
	o->rdispls = op->recv_blocks ? k->displs : NULL;
}

static void add_collective(struct coll_calls *k, const struct coll_round *c)
{
	const struct coll_operation *op = c->job->op;
	struct vn_op *o = add_data(k, c, op->op, 0);
	uint32_t r;

	o->way = c->job->way;
	o->redop = k->redop;
	o->root = op->rooted ? (int)c->extent.root : 0;
	if (op->unequal)
		add_blocks(k, c, o);
	for (r = 0; op->op == VN_PERMUTE && r < k->ranks; r++)
		k->to[r] = (int)coll_next(r, k->ranks);
	o->to = op->op == VN_PERMUTE ? k->to : NULL;
}

/* To the next rank and from the previous one, under way together. */
static void add_sendrecv(struct coll_calls *k, const struct coll_round *c)
{
	add_data(k, c, VN_SEND, coll_next(k->rank, k->ranks));
	add_data(k, c, VN_RECV, coll_previous(k->rank, k->ranks));
}

/* The odd one of two sends what it has received. */
static void add_pingpong(struct coll_calls *k, const struct coll_round *c)
{
	uint32_t partner = coll_partner(k->rank, k->ranks);

	if (partner == k->ranks)
		return;
	if (k->rank & 1) {
		add_data(k, c, VN_RECV, partner);
		add_data(k, c, VN_SEND, partner)->sendbuff = c->recv[k->rank];
	} else {
		add_data(k, c, VN_SEND, partner);
		add_data(k, c, VN_RECV, partner);
	}
}

/* Who is written to knows by a signal. */
static void add_one_sided(struct coll_calls *k, const struct coll_round *c)
{
	uint32_t next = coll_next(k->rank, k->ranks), previous = coll_previous(k->rank, k->ranks);
	enum vn_coll op = c->job->op->op;
	struct vn_op *o;

	if (op == VN_GET) {
		add_data(k, c, VN_GET, previous);
		return;
	}
	if (op != VN_SIGNAL)
		add_data(k, c, op, next);
	if (op != VN_PUT_SIGNAL)
		add(k, VN_SIGNAL, next);
	k->signal = (struct vn_wait_signal_desc){ .op_cnt = 1, .peer = (int)previous };
	o = add(k, VN_WAIT_SIGNAL, 0);
	o->nsignals = 1;
	o->signals = &k->signal;
}

/* ---- what they need -------------------------------------------------------------- */

/* Where others put, or get from; a signal alone has none. */
static int make_window(struct coll_calls *k, const struct coll_round *c)
{
	bool gets = c->job->op->op == VN_GET;
	uint64_t count = gets ? coll_extent_send(&c->extent, k->rank)
			      : coll_extent_recv(&c->extent, k->rank);

	return vn_comm_window_register(k->comm, gets ? c->send[k->rank] : c->recv[k->rank],
				       count * c->letters->size, &k->window, VN_WIN_DEFAULT);
}

static int make_redop(struct coll_calls *k, const struct coll_round *c)
{
	uint64_t scalar;

	k->redop = c->job->redop;
	if (k->redop != VN_PREMULSUM)
		return 0;
	coll_letters_scalar(c->letters, k->rank, &scalar);
	return vn_red_op_create_pre_mul_sum(&k->redop, &scalar, c->job->type->type,
					    VN_SCALAR_HOST_IMMEDIATE, k->comm);
}

int coll_calls_make(struct coll_calls *k, const struct coll_round *c, uint32_t rank, vn_comm_t comm,
		    bool persistent)
{
	const struct coll_operation *op = c->job->op;
	int err = 0;

	memset(k, 0, sizeof(*k));
	k->comm = comm;
	k->ranks = c->extent.ranks;
	k->rank = rank;
	if (coll_op_reduces(op))
		err = make_redop(k, c);
	if (!err && op->pair && op->op != VN_SEND && op->makes)
		err = make_window(k, c);
	if (err)
		return err;
	if (!op->pair)
		add_collective(k, c);
	else if (op->op != VN_SEND)
		add_one_sided(k, c);
	else if (op->returns)
		add_pingpong(k, c);
	else
		add_sendrecv(k, c);
	return persistent ? vn_op_init(&k->op[0], comm, &k->persistent) : 0;
}

int coll_calls_start(struct coll_calls *k)
{
	uint32_t i;
	int err = 0;

	if (k->persistent)
		return vn_op_launch(k->persistent, NULL, NULL);
	for (i = 0; i < k->n && !err; i++)
		err = vn_op_start(&k->op[i], k->comm, NULL, NULL);
	return err;
}

int coll_calls_forget(struct coll_calls *k)
{
	int err = 0;

	if (!k->comm)
		return 0;
	if (k->persistent)
		err = vn_op_free(k->persistent);
	if (!err && k->window)
		err = vn_comm_window_deregister(k->comm, k->window);
	/* One that it made. */
	if (!err && k->redop >= VN_REDOP_COUNT)
		err = vn_red_op_destroy(k->redop, k->comm);
	k->comm = NULL;
	return err;
}
