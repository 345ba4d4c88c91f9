// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "queue.h"
#include "desc.h"

/* Completions that share stamps and one store of the tail. */
#define VN_BATCH	128u

void vn_queue_init(struct vn_queue *q, void *map, u32 depth, u32 chips, const struct vn_env *env)
{
	memset(q, 0, sizeof(*q));
	q->ring = map;
	q->sq = (const struct vn_desc *)((u8 *)map + VN_RING_SQ_OFFSET);
	q->cq = (struct vn_cqe *)((u8 *)map + VN_RING_CQ_OFFSET(depth));
	q->depth = depth;
	q->chips = chips;
	q->env = *env;
	q->state = VN_QUEUE_READY;
	WRITE_ONCE(q->ring->flags, VN_RING_NEED_WAKEUP);
}

static u32 cq_used(const struct vn_queue *q)
{
	return READ_ONCE(q->cq_tail) - vn_load_acquire(&q->ring->cq_head);
}

u32 vn_queue_waiting(const struct vn_queue *q)
{
	u32 n = vn_load_acquire(&q->ring->sq_tail) - READ_ONCE(q->sq_head);

	return n <= q->depth ? n : 0;
}

bool vn_queue_pending(const struct vn_queue *q)
{
	if (READ_ONCE(q->state) == VN_QUEUE_ERROR)
		return false;
	if (READ_ONCE(q->active))
		return true;
	/* Nothing but to say that there are arrivals: who makes room is to ring. */
	if (cq_used(q) == q->depth)
		return vn_queue_arrivals(q) && !READ_ONCE(q->backlog);
	/* An impossible tail is something to look at, too. */
	return vn_load_acquire(&q->ring->sq_tail) != READ_ONCE(q->sq_head) ||
	       vn_queue_arrivals(q);
}

bool vn_queue_arrivals(const struct vn_queue *q)
{
	const struct vn_inbox *b = vn_load_acquire(&q->inbox);

	return b && vn_inbox_any(b);
}

void vn_queue_receive(struct vn_queue *q, struct vn_inbox *inbox)
{
	if (inbox)
		vn_inbox_set(inbox, q->state == VN_QUEUE_ERROR ? VN_INBOX_STOPPED : VN_INBOX_OPEN);
	vn_store_release(&q->inbox, inbox);
}

static void stop(struct vn_queue *q, u32 status, u32 detail, u64 seq)
{
	WRITE_ONCE(q->state, VN_QUEUE_ERROR);
	if (q->inbox)
		vn_inbox_set(q->inbox, VN_INBOX_STOPPED);
	WRITE_ONCE(q->ring->error_status, status);
	WRITE_ONCE(q->ring->error_detail, detail);
	WRITE_ONCE(q->ring->error_seq, seq);
	vn_store_release(&q->ring->state, (u32)VN_QUEUE_ERROR);
}

/* Ends the descriptor under way. */
static void complete(struct vn_queue *q, u32 status, u32 detail, u64 bytes)
{
	struct vn_cqe *e = &q->cq[q->cq_tail & (q->depth - 1)];

	WRITE_ONCE(q->active, false);
	WRITE_ONCE(q->seq, q->seq + 1); /* others look */
	if (status == VN_OK && q->desc.flags & VN_DESC_SILENT)
		return;
	*e = (struct vn_cqe) {
		.user_data = q->desc.user_data,
		.status = status,
		.detail = detail,
		.bytes = bytes,
		.submitted = q->stamp,
		.started = q->started,
		.seq = q->seq - 1,
		.result = status ? 0 : q->cur.result,
	};
	WRITE_ONCE(q->cq_tail, q->cq_tail + 1);
	if (status)
		stop(q, status, detail, q->seq - 1);
}

/* The descriptor's table, copied, and what it says checked. */
static u32 take_table(struct vn_queue *q, struct vn_runner *r, u32 *detail)
{
	u32 n = vn_desc_entries(&q->desc), status;

	*detail = offsetof(struct vn_desc, reduce.table);
	status = vn_exec_fetch(r, &q->env, q->desc.reduce.table, n, q->table);
	return status ?: vn_desc_check_table(&q->desc, q->table, NULL, q->chips, detail);
}

/* An arrival becomes a completion. */
static void tell(struct vn_queue *q, const struct vn_arrival *a)
{
	struct vn_cqe *e = &q->cq[q->cq_tail & (q->depth - 1)];

	*e = (struct vn_cqe) {
		.user_data = a->user_data,
		.detail = a->imm,
		.bytes = a->bytes,
		.started = q->started,
		.seq = VN_CQE_ARRIVAL | q->arrived++,
		.result = a->key,
	};
	WRITE_ONCE(q->cq_tail, q->cq_tail + 1);
}

/* Room for arrivals: what a descriptor that is under way, or waits, needs is kept for it. */
static u32 room(const struct vn_queue *q)
{
	u32 used = cq_used(q);
	bool keep = q->active || vn_load_acquire(&q->ring->sq_tail) != q->sq_head;

	return used + keep < q->depth ? q->depth - used - keep : 0;
}

/* The user is to ring, or not, once he has made room. */
static void show_backlog(struct vn_queue *q, bool yes)
{
	if (q->backlog == yes)
		return;
	WRITE_ONCE(q->backlog, yes); /* others look */
	WRITE_ONCE(q->ring->arrivals, yes);
}

/*
 * Takes what has arrived, as far as there is room, a batch at most; true: there is more that
 * can be taken. Who says that there is no room looks once more: pairs with the barrier between
 * the user's store of cq_head and load of arrivals.
 */
static bool take_arrivals(struct vn_queue *q, struct vn_runner *r)
{
	u32 left = VN_BATCH;
	struct vn_arrival a;
	bool any;

	for (;;) {
		for (u32 n = room(q); n && left && vn_inbox_take(q->inbox, &a); n--, left--)
			tell(q, &a);
		any = vn_inbox_any(q->inbox);
		if (!any || !left)
			break;
		show_backlog(q, true);
		vn_mb();
		if (!room(q))
			break;
	}
	if (!any)
		show_backlog(q, false);
	if (left < VN_BATCH && vn_inbox_waited(q->inbox))
		r->signalled = true;
	return any && !left;
}

/*
 * Copies the next descriptor out of the ring, once, and makes it current.
 * `tail` is the last one seen of the user's.
 */
static enum vn_run fetch(struct vn_queue *q, struct vn_runner *r, u32 *tail)
{
	const u64 *from;
	u64 *to = (u64 *)&q->desc;
	u32 status, detail, used;

	if (q->sq_head == *tail) {
		*tail = vn_load_acquire(&q->ring->sq_tail);
		q->stamp = READ_ONCE(q->ring->sq_stamp);
	}
	if (q->sq_head == *tail)
		return VN_RUN_IDLE;
	used = cq_used(q);
	if (*tail - q->sq_head > q->depth || used > q->depth) {
		stop(q, VN_BAD_RING, used > q->depth ? offsetof(struct vn_ring, cq_head) :
		     offsetof(struct vn_ring, sq_tail), q->seq);
		return VN_RUN_ERROR;
	}
	if (used == q->depth) {
		if (!q->full)
			WRITE_ONCE(q->ring->stalls, ++q->stalls);
		q->full = true;
		return VN_RUN_FULL;
	}
	q->full = false;
	if (q->sq_head == q->burst_end) {
		q->burst_end = *tail;
		q->env.burst = *tail - q->sq_head;
	}
	from = (const u64 *)&q->sq[q->sq_head & (q->depth - 1)];
	for (u32 i = 0; i < sizeof(q->desc) / 8; i++)
		to[i] = READ_ONCE(from[i]);
	WRITE_ONCE(q->sq_head, q->sq_head + 1);
	WRITE_ONCE(q->active, true);
	q->cur = (struct vn_cursor){ .desc = &q->desc, .table = q->table };
	status = vn_desc_check(&q->desc, NULL, q->chips, &detail);
	if (!status && vn_desc_tabled(&q->desc))
		status = take_table(q, r, &detail);
	if (status) {
		complete(q, status, detail, 0);
		return VN_RUN_ERROR;
	}
	return VN_RUN_MORE;
}

/* Who waits to tell a queue that has stopped something is to look again. */
static enum vn_run stopped(struct vn_queue *q, struct vn_runner *r)
{
	if (q->inbox && vn_inbox_waited(q->inbox))
		r->signalled = true;
	return VN_RUN_ERROR;
}

/* What others have told it; *more: not all of that which there is room for. False: it stops. */
static bool receive(struct vn_queue *q, struct vn_runner *r, bool *more)
{
	*more = false;
	if (!q->inbox || !vn_inbox_any(q->inbox))
		return true;
	if (cq_used(q) > q->depth) {
		stop(q, VN_BAD_RING, offsetof(struct vn_ring, cq_head), q->seq);
		return false;
	}
	*more = take_arrivals(q, r);
	return true;
}

/* Descriptors, until something other than MORE is to be said, or the budget is used. */
static enum vn_run run(struct vn_queue *q, struct vn_runner *r, u64 budget)
{
	u32 tail = q->sq_head, first = q->cq_tail;
	u64 bytes;

	while (q->cq_tail - first < VN_BATCH) {
		if (!q->active) {
			enum vn_run res = fetch(q, r, &tail);

			if (res != VN_RUN_MORE)
				return res;
		}
		if (q->desc.opcode == VN_OP_LAUNCH)
			return VN_RUN_PLAN;
		bytes = vn_exec_cost(r, &q->desc);
		switch (vn_exec_chunk(r, &q->env, &q->cur)) {
		case VN_STEP_BLOCKED:
			return VN_RUN_BLOCKED;
		case VN_STEP_FAILED:
			complete(q, q->cur.status, q->cur.detail, q->cur.bytes);
			return VN_RUN_ERROR;
		case VN_STEP_DONE:
			r->descs++;
			complete(q, VN_OK, 0, q->cur.bytes);
			break;
		case VN_STEP_MORE:
			break;
		}
		if (bytes >= budget)
			return VN_RUN_MORE;
		budget -= bytes;
	}
	return VN_RUN_MORE;
}

enum vn_run vn_queue_run(struct vn_queue *q, struct vn_runner *r, u64 now, u64 budget)
{
	enum vn_run res = VN_RUN_MORE;
	bool more;

	if (q->state == VN_QUEUE_ERROR)
		return stopped(q, r);
	if (q->cq_shown == q->cq_tail && !q->active)
		q->started = now;
	if (!receive(q, r, &more))
		return stopped(q, r);
	if (!q->plan)
		res = run(q, r, budget);
	else if (!more)
		res = VN_RUN_HELP;
	switch (res) {
	case VN_RUN_ERROR:
		return stopped(q, r);
	case VN_RUN_HELP:
		WRITE_ONCE(q->helpers, q->helpers + 1);
		return res;
	case VN_RUN_IDLE:
	case VN_RUN_BLOCKED:
	case VN_RUN_FULL:
		return more ? VN_RUN_MORE : res;
	default:
		return res;
	}
}

/* The parameters of a launch, copied; VN_OK or why they are none. */
static u32 take_params(struct vn_queue *q, struct vn_plan *p, struct vn_runner *r)
{
	u32 status = VN_OK;

	if (p->nparams)
		status = vn_exec_fetch(r, &q->env, q->desc.launch.params, p->nparams, p->params);
	for (u32 i = 0; !status && i < p->nparams; i++)
		if (p->params[i].ultraserver != VN_HERE || p->params[i].chip >= q->chips)
			status = VN_BAD_CHIP;
	return status;
}

enum vn_run vn_queue_launch(struct vn_queue *q, struct vn_plan *p, struct vn_runner *r)
{
	u32 status, detail = offsetof(struct vn_desc, launch.params);

	if (!p || q->desc.launch.nparams != p->nparams) {
		complete(q, VN_BAD_PLAN, p ? offsetof(struct vn_desc, launch.nparams) :
			 offsetof(struct vn_desc, launch.plan), 0);
		return stopped(q, r);
	}
	if (vn_xchg(&p->running, 1u)) {
		complete(q, VN_BUSY_PLAN, offsetof(struct vn_desc, launch.plan), 0);
		return stopped(q, r);
	}
	status = take_params(q, p, r);
	if (status) {
		vn_store_release(&p->running, 0u);
		complete(q, status, detail, 0);
		return stopped(q, r);
	}
	memset(p->run, 0, p->nprograms * sizeof(*p->run));
	p->env = q->env;
	p->env.params = p->params;
	p->env.base = q->desc.launch.base;
	p->env.volume = p->cost;
	p->failed = VN_OK;
	p->failed_desc = 0;
	p->bytes = 0;
	p->left = p->nprograms;
	q->plan = p;
	WRITE_ONCE(q->helpers, 1);
	return VN_RUN_HELP;
}

static void end_launch(struct vn_queue *q)
{
	struct vn_plan *p = q->plan;

	complete(q, p->failed, p->failed ? p->failed_desc : 0, p->bytes);
	q->plan = NULL;
	vn_store_release(&p->running, 0u);
}

bool vn_queue_leave(struct vn_queue *q)
{
	struct vn_plan *p = q->plan;

	WRITE_ONCE(q->helpers, q->helpers - 1);
	if (q->helpers || (p->left && !p->failed))
		return false;
	end_launch(q);
	return true;
}

bool vn_queue_halt(struct vn_queue *q, u32 status)
{
	if (q->state == VN_QUEUE_ERROR)
		return false;
	if (q->plan) {
		vn_plan_stop(q->plan, status);
		if (q->helpers)
			return false;
		end_launch(q);
		return true;
	}
	if (q->active)
		complete(q, status, 0, q->cur.bytes);
	else
		stop(q, status, 0, q->seq);
	return false;
}

u32 vn_queue_publish(struct vn_queue *q, u64 now)
{
	u32 n = q->cq_tail - q->cq_shown;

	for (u32 i = q->cq_shown; i != q->cq_tail; i++)
		q->cq[i & (q->depth - 1)].done = now;
	/* A slot of the submission ring is free only when its copy was made. */
	vn_store_release(&q->ring->sq_head, q->sq_head);
	if (n)
		vn_store_release(&q->ring->cq_tail, q->cq_tail);
	/* Last: whoever waits looks here, and then reads the ring. */
	vn_store_release(&q->cq_shown, q->cq_tail);
	return n;
}

bool vn_queue_arm(struct vn_queue *q)
{
	WRITE_ONCE(q->ring->flags, VN_RING_NEED_WAKEUP);
	vn_mb();
	if (!vn_queue_pending(q))
		return false;
	WRITE_ONCE(q->ring->flags, 0);
	return true;
}

void vn_queue_disarm(struct vn_queue *q)
{
	WRITE_ONCE(q->ring->flags, 0);
}

void vn_queue_cancel(struct vn_queue *q)
{
	if (q->plan)
		vn_plan_stop(q->plan, VN_CANCELLED);
}

bool vn_queue_clear(struct vn_queue *q)
{
	struct vn_arrival a;

	if (q->helpers)
		return false;
	if (q->plan) {
		vn_store_release(&q->plan->running, 0u);
		q->plan = NULL;
	}
	WRITE_ONCE(q->sq_head, 0);
	q->burst_end = 0;
	WRITE_ONCE(q->cq_tail, 0);
	WRITE_ONCE(q->cq_shown, 0);
	WRITE_ONCE(q->seq, 0ull);
	q->arrived = 0;
	WRITE_ONCE(q->backlog, false); /* others look */
	q->stalls = 0;
	q->full = false;
	WRITE_ONCE(q->active, false);
	for (u32 i = 0; i < sizeof(*q->ring) / 8; i++)
		WRITE_ONCE(((u64 *)q->ring)[i], 0ull);
	WRITE_ONCE(q->ring->flags, VN_RING_NEED_WAKEUP);
	WRITE_ONCE(q->state, VN_QUEUE_READY);
	if (q->inbox) {
		while (vn_inbox_take(q->inbox, &a))
			;
		vn_inbox_set(q->inbox, VN_INBOX_OPEN);
	}
	return true;
}
