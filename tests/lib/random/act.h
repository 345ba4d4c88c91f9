/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a thread does in each step of a script, for the chips that are its own. */
#ifndef RANDOM_ACT_H
#define RANDOM_ACT_H

#include "calls.h"

static bool is_mine(const struct actor *a, uint32_t chip)
{
	return a->owner[chip] == a->me;
}

static vn_queue_t stream(const struct actor *a, const struct step *step, uint32_t i)
{
	return step->stream && step->stream[i] >= 0 ? a->g->queue[step->stream[i]] : NULL;
}

/* Looks once at all that the thread has under way. */
static void poll_all(struct actor *a)
{
	const struct script *s = a->g->s;

	for (uint32_t i = 0; i < s->nteams; i++) {
		const struct team *t = s->teams[i];

		for (uint32_t r = 0; r < t->ranks; r++)
			if (is_mine(a, t->chip[r]) && t->comm[r] && t->started[r])
				vn_op_status(t->comm[r], t->started[r] - 1);
	}
	sched_yield();
}

/* ---- communicators ----------------------------------------------------------------- */

static int make_all(struct actor *a, struct team *t, const struct vn_config *config)
{
	int chips[CHIPS], err;

	for (uint32_t r = 0; r < t->ranks; r++)
		chips[r] = a->g->s->chip[t->chip[r]];
	err = vn_comm_init_all_config(t->all, (int)t->ranks, chips, config);
	__atomic_store_n(&t->made, 1, __ATOMIC_RELEASE);
	return err;
}

static int make(struct actor *a, const struct step *step, uint32_t r)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	struct team *t = step->team;
	uint32_t chip = t->chip[r];
	int err = 0, count, rank;

	config.dev = a->g->dev;
	config.chip = a->g->s->chip[chip];
	config.timeout_ns = PATIENCE;
	config.check = t->check;
	config.way = t->way;
	if (t->costs) {
		config.cost = random_costs;
		config.cost_arg = (void *)(uintptr_t)t->costs;
	}
	if (!t->by_one)
		err = vn_comm_init_rank_config(&t->comm[r], (int)t->ranks, a->g->id[t->number],
					       (int)r, &config);
	else if (!r)
		err = make_all(a, t, &config);
	while (t->by_one && !__atomic_load_n(&t->made, __ATOMIC_ACQUIRE) && !failed(a->g))
		poll_all(a);
	if (err || failed(a->g))
		return err;
	if (t->by_one)
		t->comm[r] = t->all[r];
	if (t->listed)
		err = vn_comm_register(t->comm[r], a->g->hbm[chip].ptr, a->g->s->room,
				       &t->registered[r]);
	err = err ?: vn_comm_count(t->comm[r], &count) ?: vn_comm_user_rank(t->comm[r], &rank);
	return err ?: count != (int)t->ranks || rank != (int)r ? -EBADSLT : 0;
}

static int end(struct actor *a, const struct step *step, uint32_t r)
{
	struct team *t = step->team;
	struct vn_comm_stats stats;
	vn_comm_t comm = t->comm[r];
	int err = vn_comm_finalize(comm) ?: vn_comm_stats(comm, &stats);

	for (int w = 0; !err && w < VN_WAY_COUNT; w++)
		a->ways[w] += stats.way_ops[w];
	if (!err && t->listed && step->salt & 1)
		err = vn_comm_deregister(comm, t->registered[r]);
	if (err)
		return err;
	t->comm[r] = NULL;
	return vn_comm_destroy(comm);
}

/* One rank begins, the others wait for what is left, or give up, too. */
static int give_up(const struct step *step, uint32_t r)
{
	struct team *t = step->team;
	vn_comm_t comm = t->comm[r];

	t->comm[r] = NULL;
	if (r != step->salt % t->ranks && mix(step->salt, r) & 1)
		vn_comm_sync(comm, 2 * PATIENCE);
	return vn_comm_abort(comm);
}

/* ---- operations -------------------------------------------------------------------- */

static int operate(struct actor *a, const struct step *step, uint32_t r)
{
	uint64_t salt = mix(step->salt, r);
	struct vn_op op;
	int err;

	record(a->g, step->team, step->call, r, salt, &op);
	err = make_redop(a->g, step->team, step->call, r, &op);
	err = err ?: start(a, step->team, r, &op, stream(a, step, r), salt >> 32 & 1);
	return err ?: drop_redop(step->team, r, &op);
}

static int keep(struct actor *a, const struct step *step, uint32_t r)
{
	struct team *t = step->team;
	struct vn_op op;
	int err;

	record(a->g, t, step->call, r, mix(step->salt, r), &op);
	err = make_redop(a->g, t, step->call, r, &op);
	err = err ?: vn_op_init(&op, t->comm[r], &step->call->kept[r]);
	t->started[r]++;
	return err ?: drop_redop(t, r, &op);
}

static int launch(struct actor *a, const struct step *step, uint32_t r)
{
	struct team *t = step->team;
	uint64_t seq;
	int err;

	if (step->loose && !step->call->kept[r])
		return -ECANCELED;
	err = vn_op_launch(step->call->kept[r], stream(a, step, r), &seq);
	if (!err && seq != t->started[r])
		err = -EBADSLT;
	t->started[r]++;
	a->ops++;
	return err;
}

/* Sends and receives of a rank in one of several orders; those of a pair keep theirs. */
static int exchange(struct actor *a, const struct step *step, uint32_t r)
{
	uint64_t salt = mix(step->salt, r);
	struct team *t = step->team;
	vn_queue_t q = stream(a, step, r);
	int err = 0;

	/* 0: as they come; 1: sends first; 2: receives first */
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < step->n; i++) {
			const struct message *m = &step->messages[i];
			struct vn_op op = { .type = m->type, .count = m->count };
			bool sends = salt % 3 == 0 ? !pass : (salt % 3 == 1) == !pass;
			bool receives = salt % 3 == 0 ? !pass : !sends;

			if (m->from == r && sends && !err) {
				op.op = VN_SEND;
				op.peer = (int)m->to;
				op.sendbuff = memory(a->g, t->chip[r], &m->here);
				err = start(a, t, r, &op, q, salt >> 32 & 1);
			}
			if (m->to == r && receives && !err) {
				op.op = VN_RECV;
				op.peer = (int)m->from;
				op.recvbuff = memory(a->g, t->chip[r], &m->there);
				err = start(a, t, r, &op, q, salt >> 33 & 1);
			}
		}
	}
	return err;
}

/* ---- windows ------------------------------------------------------------------------- */

static int window(struct actor *a, const struct step *step, uint32_t r)
{
	struct team *t = step->team;
	const struct range *range = &step->windows[r];

	t->started[r]++;
	return vn_comm_window_register(t->comm[r], memory(a->g, t->chip[r], range), range->bytes,
				       &t->handle[r], step->salt & 1);
}

static int no_window(struct actor *a, const struct step *step, uint32_t r)
{
	struct team *t = step->team;

	(void)a;
	return vn_comm_window_deregister(t->comm[r], t->handle[r]);
}

/* The signals that others owe rank r: of targets (there) or of those that reach into it. */
static int await(struct actor *a, const struct step *step, uint32_t r, bool targets, vn_queue_t q)
{
	struct vn_wait_signal_desc wanted[2 * CHIPS];
	struct vn_op op = { .op = VN_WAIT_SIGNAL, .signals = wanted };

	for (uint32_t i = 0; i < step->n; i++) {
		const struct message *m = &step->messages[i];

		if ((targets ? m->from : m->to) != r)
			continue;
		wanted[op.nsignals++] = (struct vn_wait_signal_desc){
			.op_cnt = 1,
			.peer = (int)(targets ? m->to : m->from),
			.sig_idx = (int)m->signal,
		};
	}
	return op.nsignals ? start(a, step->team, r, &op, q, step->salt >> 8 & 1) : 0;
}

static int give_signal(struct actor *a, const struct step *step, uint32_t r, uint32_t to,
		       uint32_t signal, vn_queue_t q)
{
	struct vn_op op = { .op = VN_SIGNAL, .peer = (int)to, .sig_idx = (int)signal };

	return start(a, step->team, r, &op, q, step->salt >> 9 & 1);
}

/* Put or get; a signal tells the other rank that it is done. */
static int reach(struct actor *a, const struct step *step, uint32_t r, const struct message *m,
		 bool tell, vn_queue_t q)
{
	struct team *t = step->team;
	struct vn_op op = {
		.op = m->op == VN_PUT && tell ? VN_PUT_SIGNAL : m->op,
		.type = m->type,
		.count = m->count,
		.peer = (int)m->to,
		.window = t->handle[r],
		.offset = m->offset,
		.sig_idx = (int)m->signal,
	};
	void *here = memory(a->g, t->chip[r], &m->here);
	int err;

	if (m->op == VN_GET)
		op.recvbuff = here;
	else
		op.sendbuff = here;
	err = start(a, t, r, &op, q, step->salt >> 10 & 1);
	return err ?: m->op == VN_GET && tell ? give_signal(a, step, r, m->to, m->signal, q) : 0;
}

static int fence(struct actor *a, const struct step *step, uint32_t r, vn_queue_t q)
{
	struct vn_op op = { .op = VN_BARRIER };

	return start(a, step->team, r, &op, q, step->salt >> 11 & 1);
}

/*
 * Between barriers; or the target of each message says that it is ready, and is told
 * when it is over.
 */
static int one_sided(struct actor *a, const struct step *step, uint32_t r)
{
	vn_queue_t q = stream(a, step, r);
	bool signals = step->salt & 1;
	int err = signals ? 0 : fence(a, step, r, q);

	for (uint32_t i = 0; signals && i < step->n && !err; i++)
		if (step->messages[i].to == r)
			err = give_signal(a, step, r, step->messages[i].from,
					  step->messages[i].signal, q);
	if (signals)
		err = err ?: await(a, step, r, true, q);
	for (uint32_t i = 0; i < step->n && !err; i++)
		if (step->messages[i].from == r)
			err = reach(a, step, r, &step->messages[i], signals, q);
	return err ?: signals ? await(a, step, r, false, q) : fence(a, step, r, q);
}

#endif
