// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What there is on the embedded device, as messages: the same as those of the module. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "../error.h"
#include "control.h"

static u32 count_contexts(struct embed_device *dev)
{
	u32 n = 0;

	pthread_mutex_lock(&dev->objects);
	for (const struct embed_context *ctx = dev->contexts; ctx; ctx = ctx->next)
		n++;
	pthread_mutex_unlock(&dev->objects);
	return n;
}

int embed_tell_device(struct embed_device *dev, struct embed_reply *r, int flags)
{
	struct nl_msg *msg = embed_message(r, VN_NL_CMD_DEVICE, flags);
	const struct vn_switch *sw = &dev->sw;
	u64 used = 0, queues = 0, windows = 0;

	pthread_mutex_lock(&dev->objects);
	for (u32 i = 0; i < sw->chips; i++) {
		used += dev->hbm_used[i];
		queues += dev->queues[i];
		windows += dev->windows[i];
	}
	pthread_mutex_unlock(&dev->objects);
	return embed_reply_add(
		r, msg,
		msg && (nla_put_u32(msg, VN_NL_A_DEVICE, VN_HERE) ||
			nla_put_string(msg, VN_NL_A_VERSION, VN_VERSION) ||
			nla_put_u32(msg, VN_NL_A_ABI, VN_ABI_VERSION) ||
			nla_put_u32(msg, VN_NL_A_SLEDS, sw->sleds) ||
			nla_put_u32(msg, VN_NL_A_CHIPS_PER_SLED, sw->chips_per_sled) ||
			nla_put_u32(msg, VN_NL_A_CHIPS, sw->chips) ||
			nla_put_u32(msg, VN_NL_A_RACKS, sw->racks) ||
			nla_put_u32(msg, VN_NL_A_PLANES, VN_PLANES) ||
			nla_put_string(msg, VN_NL_A_PROFILE, "full") ||
			nla_put_string(msg, VN_NL_A_SIMD, dev->avx2 ? "avx2" : "scalar") ||
			nla_put_u32(msg, VN_NL_A_EPOCH, READ_ONCE(sw->epoch)) ||
			nla_put_u64(msg, VN_NL_A_HBM_BYTES, dev->hbm * sw->chips) ||
			nla_put_u64(msg, VN_NL_A_HBM_USED, used) ||
			nla_put_u32(msg, VN_NL_A_QUEUES, (u32)queues) ||
			nla_put_u32(msg, VN_NL_A_WINDOWS, (u32)windows) ||
			nla_put_u32(msg, VN_NL_A_CONTEXTS, count_contexts(dev))));
}

int embed_tell_chip(struct embed_device *dev, struct embed_reply *r, int flags, u32 chip)
{
	struct nl_msg *msg = embed_message(r, VN_NL_CMD_CHIP, flags);
	struct vn_chip_query q = { .chip = chip };

	embed_chip_query(dev, &q);
	return embed_reply_add(r, msg,
			       msg && (nla_put_u32(msg, VN_NL_A_DEVICE, VN_HERE) ||
				       nla_put_u32(msg, VN_NL_A_CHIP, chip) ||
				       nla_put_u32(msg, VN_NL_A_SLED, q.sled) ||
				       nla_put_u32(msg, VN_NL_A_SLOT, q.slot) ||
				       nla_put_u32(msg, VN_NL_A_RACK, q.rack) ||
				       nla_put_s32(msg, VN_NL_A_NUMA_NODE, q.numa_node) ||
				       nla_put_u32(msg, VN_NL_A_EPOCH, q.epoch) ||
				       nla_put_u64(msg, VN_NL_A_HBM_BYTES, q.hbm_bytes) ||
				       nla_put_u64(msg, VN_NL_A_HBM_USED, q.hbm_used) ||
				       nla_put_u32(msg, VN_NL_A_QUEUES, q.queues) ||
				       nla_put_u32(msg, VN_NL_A_WINDOWS, q.windows)));
}

static int put_progress(struct nl_msg *msg, const struct vn_sled_event *e)
{
	return nla_put_u64(msg, VN_NL_A_TOTAL_BYTES, e->total_bytes) ||
	       nla_put_u64(msg, VN_NL_A_COPIED_BYTES, e->copied_bytes) ||
	       nla_put_u64(msg, VN_NL_A_DIRTY_BYTES, e->dirty_bytes) ||
	       nla_put_u64(msg, VN_NL_A_ESTIMATE_NS, e->estimate_ns) ||
	       nla_put_u64(msg, VN_NL_A_PAUSE_NS, e->pause_ns);
}

int embed_put_sled(struct nl_msg *msg, const struct vn_sled_event *e)
{
	bool drains = e->to >= VN_SLED_PLANNED && e->to <= VN_SLED_COMMITTED;

	return nla_put_u32(msg, VN_NL_A_DEVICE, VN_HERE) ||
	       nla_put_u32(msg, VN_NL_A_SLED, e->sled) ||
	       nla_put_u32(msg, VN_NL_A_SLED_STATE, e->to) ||
	       nla_put_u32(msg, VN_NL_A_CHIPS, e->chips) ||
	       nla_put_u32(msg, VN_NL_A_RACK, e->rack) ||
	       nla_put_s32(msg, VN_NL_A_NUMA_NODE, e->numa_node) ||
	       nla_put_u32(msg, VN_NL_A_EPOCH, e->epoch) ||
	       nla_put_u64(msg, VN_NL_A_HBM_USED, e->hbm_used) ||
	       nla_put_u64(msg, VN_NL_A_OPERATION, e->operation) ||
	       (e->uid != ~0u && nla_put_u32(msg, VN_NL_A_UID, e->uid)) ||
	       nla_put_string(msg, VN_NL_A_REASON, e->reason) || (drains && put_progress(msg, e));
}

int embed_tell_sled(struct embed_device *dev, struct embed_reply *r, int flags, u32 sled)
{
	struct nl_msg *msg = embed_message(r, VN_NL_CMD_SLED, flags);
	struct vn_sled_event seen;

	embed_sled_see(dev, sled, &seen);
	return embed_reply_add(r, msg, msg && embed_put_sled(msg, &seen));
}

/* ---- what contexts have; objects held ------------------------------------------------ */

static int put_owner(struct nl_msg *msg, const struct embed_context *ctx)
{
	return nla_put_u32(msg, VN_NL_A_CONTEXT, ctx->id) ||
	       nla_put_u32(msg, VN_NL_A_PID, (u32)getpid()) ||
	       nla_put_u32(msg, VN_NL_A_UID, getuid());
}

static int tell_context(struct embed_context *ctx, struct embed_reply *r)
{
	struct nl_msg *msg = embed_message(r, VN_NL_CMD_CONTEXT, NLM_F_MULTI);
	u32 queues = 0;
	u64 used = 0;

	for (u32 i = 0; i < EMBED_QUEUES_MAX; i++)
		queues += ctx->queues[i] != NULL;
	for (const struct embed_mem *m = ctx->mems; m; m = m->next)
		used += m->hbm.bytes;
	return embed_reply_add(
		r, msg,
		msg && (put_owner(msg, ctx) || nla_put_u64(msg, VN_NL_A_HBM_USED, used) ||
			nla_put_u32(msg, VN_NL_A_QUEUES, queues) ||
			nla_put_u32(msg, VN_NL_A_WINDOWS, ctx->nwindows) ||
			nla_put_u64(msg, VN_NL_A_FENCE_WAITS, READ_ONCE(ctx->fence_waits))));
}

static int tell_queue(const struct embed_queue *q, struct embed_reply *r)
{
	struct nl_msg *msg = embed_message(r, VN_NL_CMD_QUEUE, NLM_F_MULTI);
	u32 state = READ_ONCE(q->q.state);
	u32 status = state == VN_QUEUE_ERROR ? READ_ONCE(q->q.ring->error_status) : (u32)VN_OK;

	return embed_reply_add(r, msg,
			       msg && (nla_put_u32(msg, VN_NL_A_CONTEXT, q->ctx->id) ||
				       nla_put_u32(msg, VN_NL_A_QUEUE, q->id) ||
				       nla_put_u32(msg, VN_NL_A_CHIP, q->q.env.chip) ||
				       nla_put_u32(msg, VN_NL_A_DEPTH, q->q.depth) ||
				       nla_put_u32(msg, VN_NL_A_STATE, state) ||
				       nla_put_u32(msg, VN_NL_A_STATUS, status) ||
				       nla_put_u64(msg, VN_NL_A_DONE, READ_ONCE(q->q.seq))));
}

/* One that has a number here is no other thread's to free: that takes objects. */
static int tell_queues(struct embed_context *ctx, struct embed_reply *r)
{
	int err = 0;

	for (u32 i = 0; i < EMBED_QUEUES_MAX && !err; i++)
		if (ctx->queues[i])
			err = tell_queue(ctx->queues[i], r);
	return err;
}

static u32 memory_of(const struct embed_window *w)
{
	u32 kind = !w->outside ? 0 : w->outside->mapped ? VN_WINDOW_DMABUF : VN_WINDOW_USER;

	return kind | (w->part_at ? VN_WINDOW_PARENT : 0);
}

static int tell_windows(struct embed_context *ctx, struct embed_reply *r)
{
	const struct vn_window *of;
	struct nl_msg *msg;
	u32 status;
	int err = 0;

	for (const struct embed_window *w = ctx->windows; w && !err; w = w->next) {
		of = vn_table_find(ctx->domain->table.chip[w->chip], w->key, &status);
		msg = embed_message(r, VN_NL_CMD_WINDOW, NLM_F_MULTI);
		err = embed_reply_add(
			r, msg,
			msg && (nla_put_u32(msg, VN_NL_A_CONTEXT, ctx->id) ||
				nla_put_u32(msg, VN_NL_A_CHIP, w->chip) ||
				nla_put_u32(msg, VN_NL_A_KEY, w->key) ||
				nla_put_u64(msg, VN_NL_A_BYTES, w->bytes) ||
				nla_put_u32(msg, VN_NL_A_ACCESS, w->access) ||
				nla_put_u64(msg, VN_NL_A_IN_BYTES, READ_ONCE(of->in_bytes)) ||
				nla_put_u64(msg, VN_NL_A_OUT_BYTES, READ_ONCE(of->out_bytes)) ||
				nla_put_u64(msg, VN_NL_A_DENIALS, READ_ONCE(of->denials)) ||
				nla_put_u64(msg, VN_NL_A_OFFSET, w->offset) ||
				nla_put_u32(msg, VN_NL_A_MEMORY, memory_of(w))));
	}
	return err;
}

static int tell_plans(struct embed_context *ctx, struct embed_reply *r)
{
	const struct embed_plan *p;
	struct nl_msg *msg;
	int err = 0;

	pthread_mutex_lock(&ctx->plans_lock);
	for (u32 i = 0; i < EMBED_PLANS_MAX && !err; i++) {
		p = ctx->plans[i];
		if (!p)
			continue;
		msg = embed_message(r, VN_NL_CMD_PLAN, NLM_F_MULTI);
		err = embed_reply_add(r, msg,
				      msg && (nla_put_u32(msg, VN_NL_A_CONTEXT, ctx->id) ||
					      nla_put_u32(msg, VN_NL_A_PLAN, i) ||
					      nla_put_u32(msg, VN_NL_A_PROGRAMS, p->p.nprograms) ||
					      nla_put_u32(msg, VN_NL_A_DESCS, p->p.ndescs) ||
					      nla_put_u64(msg, VN_NL_A_LAUNCHES, p->launches)));
	}
	pthread_mutex_unlock(&ctx->plans_lock);
	return err;
}

/* ---- all of a kind --------------------------------------------------------------------- */

static int dump_contexts(struct embed_device *dev, struct embed_reply *r,
			 int (*tell)(struct embed_context *ctx, struct embed_reply *r))
{
	int err = 0;

	pthread_mutex_lock(&dev->objects);
	for (struct embed_context *ctx = dev->contexts; ctx && !err; ctx = ctx->next)
		err = tell(ctx, r);
	pthread_mutex_unlock(&dev->objects);
	return err;
}

static int dump_ports(struct embed_device *dev, struct embed_reply *r)
{
	u32 n = dev->sw.slots * VN_PLANES;
	struct vn_port *p = calloc(n, sizeof(*p));
	struct nl_msg *msg;
	int err = p ? 0 : -ENOMEM;

	if (p)
		embed_device_ports(dev, p, n);
	for (u32 i = 0; i < n && !err; i++) {
		msg = embed_message(r, VN_NL_CMD_PORT, NLM_F_MULTI);
		err = embed_reply_add(r, msg,
				      msg && (nla_put_u32(msg, VN_NL_A_DEVICE, VN_HERE) ||
					      nla_put_u32(msg, VN_NL_A_SLOT, p[i].slot) ||
					      nla_put_u32(msg, VN_NL_A_PLANE, p[i].plane) ||
					      nla_put_u64(msg, VN_NL_A_TX_BYTES, p[i].tx_bytes) ||
					      nla_put_u64(msg, VN_NL_A_RX_BYTES, p[i].rx_bytes) ||
					      /* Not of a plane: told once for the slot. */
					      (!p[i].plane && nla_put_u64(msg, VN_NL_A_LOCAL_BYTES,
									  p[i].local_bytes))));
	}
	free(p);
	return err;
}

static int tell_rank(const struct vn_rank *k, struct embed_reply *r)
{
	struct nl_msg *msg = embed_message(r, VN_NL_CMD_RANK, NLM_F_MULTI);

	return embed_reply_add(r, msg,
			       msg && (nla_put_u32(msg, VN_NL_A_CONTEXT, k->context) ||
				       nla_put_u32(msg, VN_NL_A_PID, k->pid) ||
				       nla_put_u32(msg, VN_NL_A_UID, k->uid) ||
				       nla_put_string(msg, VN_NL_A_COMM, k->comm) ||
				       nla_put_u32(msg, VN_NL_A_RANKS, k->ranks) ||
				       nla_put_u32(msg, VN_NL_A_RANK, k->rank) ||
				       nla_put_u32(msg, VN_NL_A_CHIP, k->chip) ||
				       nla_put_u32(msg, VN_NL_A_FLAGS, k->flags) ||
				       nla_put_u32(msg, VN_NL_A_ERROR, k->error) ||
				       nla_put_u64(msg, VN_NL_A_STARTED, k->started) ||
				       nla_put_u64(msg, VN_NL_A_POSTED, k->posted) ||
				       nla_put_u64(msg, VN_NL_A_COMPLETED, k->completed) ||
				       nla_put_u32(msg, VN_NL_A_PENDING, k->pending) ||
				       nla_put_u64(msg, VN_NL_A_WAITS_NS, k->waits_ns) ||
				       nla_put_u64(msg, VN_NL_A_NUMBER, k->number) ||
				       nla_put_u32(msg, VN_NL_A_OP, k->op) ||
				       nla_put_u32(msg, VN_NL_A_TYPE, k->type) ||
				       nla_put_u32(msg, VN_NL_A_REDOP, k->redop) ||
				       nla_put_u32(msg, VN_NL_A_ROOT, k->root) ||
				       nla_put_u64(msg, VN_NL_A_BYTES, k->bytes)));
}

static int dump_ranks(struct embed_device *dev, struct embed_reply *r)
{
	/* As many more as may come meanwhile. */
	int room = embed_status_ranks(dev, NULL, 0) + 64, n, err = 0;
	struct vn_rank *rank = calloc((size_t)room, sizeof(*rank));

	if (!rank)
		return -ENOMEM;
	n = embed_status_ranks(dev, rank, (unsigned int)room);
	for (int i = 0; i < n && i < room && !err; i++)
		err = tell_rank(&rank[i], r);
	free(rank);
	return err;
}

static int dump_faults(struct embed_device *dev, struct embed_reply *r)
{
	int room = embed_fault_list(dev, NULL, 0) + 64, n, err = 0;
	struct vn_fault *f = calloc((size_t)room, sizeof(*f));
	struct nl_msg *msg;

	if (!f)
		return -ENOMEM;
	n = embed_fault_list(dev, f, (unsigned int)room);
	for (int i = 0; i < n && i < room && !err; i++) {
		msg = embed_message(r, VN_NL_CMD_FAULT, NLM_F_MULTI);
		err = embed_reply_add(r, msg,
				      msg && (nla_put_u32(msg, VN_NL_A_FAULT, f[i].kind) ||
					      nla_put_u32(msg, VN_NL_A_WHERE, f[i].where) ||
					      nla_put_u32(msg, VN_NL_A_SLOT, f[i].slot) ||
					      nla_put_u32(msg, VN_NL_A_COUNT, f[i].count)));
	}
	free(f);
	return err;
}

int embed_dump(struct embed_device *dev, u8 cmd, struct embed_reply *r)
{
	int err = 0;

	switch (cmd) {
	case VN_NL_CMD_DEVICE:
		return embed_tell_device(dev, r, NLM_F_MULTI);
	case VN_NL_CMD_CHIP:
		for (u32 i = 0; i < dev->sw.chips && !err; i++)
			err = embed_tell_chip(dev, r, NLM_F_MULTI, i);
		return err;
	case VN_NL_CMD_SLED:
		for (u32 i = 0; i < vn_switch_sleds(&dev->sw) && !err; i++)
			err = embed_tell_sled(dev, r, NLM_F_MULTI, i);
		return err;
	case VN_NL_CMD_PORT:
		return dump_ports(dev, r);
	case VN_NL_CMD_RANK:
		return dump_ranks(dev, r);
	case VN_NL_CMD_FAULT:
		return dump_faults(dev, r);
	case VN_NL_CMD_CONTEXT:
		return dump_contexts(dev, r, tell_context);
	case VN_NL_CMD_QUEUE:
		return dump_contexts(dev, r, tell_queues);
	case VN_NL_CMD_WINDOW:
		return dump_contexts(dev, r, tell_windows);
	case VN_NL_CMD_PLAN:
		return dump_contexts(dev, r, tell_plans);
	}
	return -EOPNOTSUPP;
}
