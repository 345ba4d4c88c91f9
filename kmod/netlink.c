// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include "../uapi/linux/vneuron_nl.h"
#include "context.h"
#include "device.h"
#include "domain.h"
#include "fault.h"
#include "fpu.h"
#include "memory.h"
#include "netlink.h"
#include "plan.h"
#include "pool.h"
#include "queue.h"
#include "reset.h"
#include "sled.h"
#include "status.h"
#include "window.h"

static struct genl_family family;

/* ---- one message each; all of it, or nothing and -EMSGSIZE ----------------- */

struct msg {
	struct sk_buff *skb;
	u32 portid, seq;
	int flags;
	struct user_namespace *ns;	/* of who reads it */
	struct netlink_callback *cb;	/* of a dump */
};

static void *begin(const struct msg *m, u8 cmd)
{
	return genlmsg_put(m->skb, m->portid, m->seq, &family, m->flags, cmd);
}

static int end(const struct msg *m, void *head, int err)
{
	if (err) {
		genlmsg_cancel(m->skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, head);
	return 0;
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, VN_NL_A_PAD);
}

static u32 count_contexts(void)
{
	struct vn_context *ctx;
	unsigned long i;
	u32 n = 0;

	mutex_lock(&vn_server.contexts_lock);
	xa_for_each(&vn_server.contexts, i, ctx)
		n++;
	mutex_unlock(&vn_server.contexts_lock);
	return n;
}

static int msg_device(const struct msg *m)
{
	const struct vn_switch *sw = &vn_server.sw;
	u64 used = 0, queues = 0, windows = 0;
	struct sk_buff *skb = m->skb;
	void *head = begin(m, VN_NL_CMD_DEVICE);

	if (!head)
		return -EMSGSIZE;
	for (u32 i = 0; i < sw->chips; i++) {
		used += atomic64_read(&vn_server.chip[i].hbm_used);
		queues += atomic_read(&vn_server.chip[i].queues);
		windows += atomic_read(&vn_server.chip[i].windows);
	}
	return end(m, head,
		   nla_put_u32(skb, VN_NL_A_DEVICE, VN_HERE) ||
		   nla_put_string(skb, VN_NL_A_VERSION, VN_VERSION) ||
		   nla_put_u32(skb, VN_NL_A_ABI, VN_ABI_VERSION) ||
		   nla_put_u32(skb, VN_NL_A_SLEDS, sw->sleds) ||
		   nla_put_u32(skb, VN_NL_A_CHIPS_PER_SLED, sw->chips_per_sled) ||
		   nla_put_u32(skb, VN_NL_A_CHIPS, sw->chips) ||
		   nla_put_u32(skb, VN_NL_A_RACKS, sw->racks) ||
		   nla_put_u32(skb, VN_NL_A_PLANES, VN_PLANES) ||
		   nla_put_string(skb, VN_NL_A_PROFILE, "full") ||
		   nla_put_string(skb, VN_NL_A_SIMD, vn_fpu_name()) ||
		   nla_put_u32(skb, VN_NL_A_EPOCH, READ_ONCE(sw->epoch)) ||
		   put_u64(skb, VN_NL_A_HBM_BYTES, vn_server.hbm_bytes * sw->chips) ||
		   put_u64(skb, VN_NL_A_HBM_USED, used) ||
		   nla_put_u32(skb, VN_NL_A_QUEUES, queues) ||
		   nla_put_u32(skb, VN_NL_A_WINDOWS, windows) ||
		   nla_put_u32(skb, VN_NL_A_CONTEXTS, count_contexts()));
}

static int msg_chip(const struct msg *m, u32 chip)
{
	struct vn_chip_query q = { .chip = chip };
	struct sk_buff *skb = m->skb;
	void *head = begin(m, VN_NL_CMD_CHIP);

	if (!head)
		return -EMSGSIZE;
	vn_device_chip_query(&q, false);
	return end(m, head,
		   nla_put_u32(skb, VN_NL_A_DEVICE, VN_HERE) ||
		   nla_put_u32(skb, VN_NL_A_CHIP, chip) ||
		   nla_put_u32(skb, VN_NL_A_SLED, q.sled) ||
		   nla_put_u32(skb, VN_NL_A_SLOT, q.slot) ||
		   nla_put_u32(skb, VN_NL_A_RACK, q.rack) ||
		   nla_put_s32(skb, VN_NL_A_NUMA_NODE, q.numa_node) ||
		   nla_put_u32(skb, VN_NL_A_EPOCH, q.epoch) ||
		   put_u64(skb, VN_NL_A_HBM_BYTES, q.hbm_bytes) ||
		   put_u64(skb, VN_NL_A_HBM_USED, q.hbm_used) ||
		   nla_put_u32(skb, VN_NL_A_QUEUES, q.queues) ||
		   nla_put_u32(skb, VN_NL_A_WINDOWS, q.windows));
}

static int msg_port(const struct msg *m, u32 slot, u32 plane)
{
	struct sk_buff *skb = m->skb;
	void *head = begin(m, VN_NL_CMD_PORT);
	u64 tx, rx;

	if (!head)
		return -EMSGSIZE;
	vn_pool_traffic(slot, plane, &tx, &rx);
	return end(m, head,
		   nla_put_u32(skb, VN_NL_A_DEVICE, VN_HERE) ||
		   nla_put_u32(skb, VN_NL_A_SLOT, slot) ||
		   nla_put_u32(skb, VN_NL_A_PLANE, plane) ||
		   put_u64(skb, VN_NL_A_TX_BYTES, tx) ||
		   put_u64(skb, VN_NL_A_RX_BYTES, rx) ||
		   /* Not of a plane: told once for the slot. */
		   (!plane && put_u64(skb, VN_NL_A_LOCAL_BYTES, vn_pool_local(slot))));
}

static u32 count_entries(struct xarray *xa)
{
	unsigned long i;
	void *entry;
	u32 n = 0;

	xa_for_each(xa, i, entry)
		n++;
	return n;
}

static u64 own_bytes(struct vn_context *ctx)
{
	u64 bytes = 0;
	u32 name;

	for (u32 i = 0; i < ctx->own.blocks * VN_BLOCK_SLOTS; i++) {
		const struct vn_window *w = vn_table_at(&ctx->own, i, &name);

		if (w)
			bytes += w->bytes;
	}
	return bytes;
}

/* Whose it is, as the reader knows them. */
static int put_owner(const struct msg *m, const struct vn_context *ctx)
{
	struct sk_buff *skb = m->skb;

	return nla_put_u32(skb, VN_NL_A_CONTEXT, ctx->id) ||
	       nla_put_u32(skb, VN_NL_A_PID,
			   pid_nr_ns(ctx->pid, task_active_pid_ns(current))) ||
	       nla_put_u32(skb, VN_NL_A_UID, from_kuid_munged(m->ns, ctx->user->uid));
}

static int msg_context(const struct msg *m, struct vn_context *ctx)
{
	struct sk_buff *skb = m->skb;
	void *head = begin(m, VN_NL_CMD_CONTEXT);

	if (!head)
		return -EMSGSIZE;
	return end(m, head,
		   put_owner(m, ctx) ||
		   put_u64(skb, VN_NL_A_HBM_USED, own_bytes(ctx)) ||
		   nla_put_u32(skb, VN_NL_A_QUEUES, count_entries(&ctx->queues)) ||
		   nla_put_u32(skb, VN_NL_A_WINDOWS, READ_ONCE(ctx->nwindows)) ||
		   put_u64(skb, VN_NL_A_FENCE_WAITS, atomic64_read(&ctx->fence_waits)));
}

static int msg_queue(const struct msg *m, struct vn_context *ctx, struct vn_kqueue *kq)
{
	struct sk_buff *skb = m->skb;
	u32 state = READ_ONCE(kq->q.state);
	void *head = begin(m, VN_NL_CMD_QUEUE);

	if (!head)
		return -EMSGSIZE;
	return end(m, head,
		   nla_put_u32(skb, VN_NL_A_CONTEXT, ctx->id) ||
		   nla_put_u32(skb, VN_NL_A_QUEUE, kq->id) ||
		   nla_put_u32(skb, VN_NL_A_CHIP, kq->chip) ||
		   nla_put_u32(skb, VN_NL_A_DEPTH, kq->q.depth) ||
		   nla_put_u32(skb, VN_NL_A_STATE, state) ||
		   /* Out of the mapping: its owner may have written there, for his own eyes. */
		   nla_put_u32(skb, VN_NL_A_STATUS, state == VN_QUEUE_ERROR ?
			       READ_ONCE(kq->q.ring->error_status) : VN_OK) ||
		   put_u64(skb, VN_NL_A_DONE, READ_ONCE(kq->q.seq)));
}

static int msg_window(const struct msg *m, struct vn_context *ctx, const struct vn_share *s)
{
	struct sk_buff *skb = m->skb;
	void *head = begin(m, VN_NL_CMD_WINDOW);
	struct vn_window_use use;

	if (!head)
		return -EMSGSIZE;
	vn_window_use(s, &use);
	return end(m, head,
		   nla_put_u32(skb, VN_NL_A_CONTEXT, ctx->id) ||
		   nla_put_u32(skb, VN_NL_A_CHIP, s->chip) ||
		   nla_put_u32(skb, VN_NL_A_KEY, s->key) ||
		   put_u64(skb, VN_NL_A_BYTES, s->bytes) ||
		   nla_put_u32(skb, VN_NL_A_ACCESS, s->access) ||
		   put_u64(skb, VN_NL_A_IN_BYTES, use.in_bytes) ||
		   put_u64(skb, VN_NL_A_OUT_BYTES, use.out_bytes) ||
		   put_u64(skb, VN_NL_A_DENIALS, use.denials) ||
		   put_u64(skb, VN_NL_A_OFFSET, s->offset) ||
		   nla_put_u32(skb, VN_NL_A_MEMORY, vn_window_memory(s)));
}

static int msg_plan(const struct msg *m, struct vn_context *ctx, const struct vn_kplan *kp)
{
	struct sk_buff *skb = m->skb;
	void *head = begin(m, VN_NL_CMD_PLAN);

	if (!head)
		return -EMSGSIZE;
	return end(m, head,
		   nla_put_u32(skb, VN_NL_A_CONTEXT, ctx->id) ||
		   nla_put_u32(skb, VN_NL_A_PLAN, kp->id) ||
		   nla_put_u32(skb, VN_NL_A_PROGRAMS, kp->p.nprograms) ||
		   nla_put_u32(skb, VN_NL_A_DESCS, kp->p.ndescs) ||
		   put_u64(skb, VN_NL_A_LAUNCHES, READ_ONCE(kp->launches)));
}

static int msg_rank(const struct msg *m, struct vn_context *ctx, const struct vn_rank_seen *r)
{
	const struct vn_rank_status *s = &r->s;
	struct sk_buff *skb = m->skb;
	void *head = begin(m, VN_NL_CMD_RANK);

	if (!head)
		return -EMSGSIZE;
	return end(m, head,
		   put_owner(m, ctx) ||
		   nla_put_string(skb, VN_NL_A_COMM, r->name) ||
		   nla_put_u32(skb, VN_NL_A_RANKS, s->ranks) ||
		   nla_put_u32(skb, VN_NL_A_RANK, s->rank) ||
		   nla_put_u32(skb, VN_NL_A_CHIP, s->chip) ||
		   nla_put_u32(skb, VN_NL_A_FLAGS, s->flags) ||
		   nla_put_u32(skb, VN_NL_A_ERROR, s->error) ||
		   put_u64(skb, VN_NL_A_STARTED, s->started) ||
		   put_u64(skb, VN_NL_A_POSTED, s->posted) ||
		   put_u64(skb, VN_NL_A_COMPLETED, s->completed) ||
		   nla_put_u32(skb, VN_NL_A_PENDING, s->pending) ||
		   put_u64(skb, VN_NL_A_WAITS_NS, s->since_ns) ||
		   put_u64(skb, VN_NL_A_NUMBER, s->number) ||
		   nla_put_u32(skb, VN_NL_A_OP, s->op) ||
		   nla_put_u32(skb, VN_NL_A_TYPE, s->type) ||
		   nla_put_u32(skb, VN_NL_A_REDOP, s->redop) ||
		   nla_put_u32(skb, VN_NL_A_ROOT, s->root) ||
		   put_u64(skb, VN_NL_A_BYTES, s->bytes));
}

static int put_progress(struct sk_buff *skb, const struct vn_sled_progress *p)
{
	return put_u64(skb, VN_NL_A_TOTAL_BYTES, p->total_bytes) ||
	       put_u64(skb, VN_NL_A_COPIED_BYTES, p->copied_bytes) ||
	       put_u64(skb, VN_NL_A_DIRTY_BYTES, p->dirty_bytes) ||
	       put_u64(skb, VN_NL_A_ESTIMATE_NS, p->estimate_ns) ||
	       put_u64(skb, VN_NL_A_PAUSE_NS, p->pause_ns);
}

static int put_sled(const struct msg *m, const struct vn_sled_seen *s)
{
	struct sk_buff *skb = m->skb;

	return nla_put_u32(skb, VN_NL_A_DEVICE, VN_HERE) ||
	       nla_put_u32(skb, VN_NL_A_SLED, s->sled) ||
	       nla_put_u32(skb, VN_NL_A_SLED_STATE, s->state) ||
	       nla_put_u32(skb, VN_NL_A_CHIPS, s->chips) ||
	       nla_put_u32(skb, VN_NL_A_RACK, s->rack) ||
	       nla_put_s32(skb, VN_NL_A_NUMA_NODE, s->numa_node) ||
	       nla_put_u32(skb, VN_NL_A_EPOCH, s->epoch) ||
	       put_u64(skb, VN_NL_A_HBM_USED, s->hbm_used) ||
	       put_u64(skb, VN_NL_A_OPERATION, s->operation) ||
	       (uid_valid(s->uid) &&
		nla_put_u32(skb, VN_NL_A_UID, from_kuid_munged(m->ns, s->uid))) ||
	       nla_put_string(skb, VN_NL_A_REASON, s->reason) ||
	       (s->drains && put_progress(skb, &s->progress));
}

static int msg_sled(const struct msg *m, u32 sled)
{
	void *head = begin(m, VN_NL_CMD_SLED);
	struct vn_sled_seen seen;

	if (!head)
		return -EMSGSIZE;
	vn_sled_see(sled, &seen);
	return end(m, head, put_sled(m, &seen));
}

static int msg_event(const struct msg *m, const struct vn_sled_event *e)
{
	void *head = begin(m, VN_NL_CMD_SLED_EVENT);

	if (!head)
		return -EMSGSIZE;
	return end(m, head, put_sled(m, &e->seen) ||
			    nla_put_u32(m->skb, VN_NL_A_FROM_STATE, e->from));
}

/* ---- plain requests -------------------------------------------------------- */

static int answer(struct sk_buff *skb, struct genl_info *info, u8 cmd, u32 number)
{
	struct msg m = { .portid = info->snd_portid, .seq = info->snd_seq,
			 .ns = sk_user_ns(NETLINK_CB(skb).sk) };
	int err;

	m.skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!m.skb)
		return -ENOMEM;
	switch (cmd) {
	case VN_NL_CMD_CHIP:
		err = msg_chip(&m, number);
		break;
	case VN_NL_CMD_SLED:
		err = msg_sled(&m, number);
		break;
	default:
		err = msg_device(&m);
	}
	if (err) {
		nlmsg_free(m.skb);
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

static int do_device(struct sk_buff *skb, struct genl_info *info)
{
	return answer(skb, info, VN_NL_CMD_DEVICE, 0);
}

static int do_chip(struct sk_buff *skb, struct genl_info *info)
{
	u32 chip;

	if (!info->attrs[VN_NL_A_CHIP]) {
		GENL_SET_ERR_MSG(info, "which chip? (attribute CHIP is missing)");
		return -EINVAL;
	}
	chip = nla_get_u32(info->attrs[VN_NL_A_CHIP]);
	if (chip >= vn_server.sw.chips) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[VN_NL_A_CHIP],
				    "no such chip on this UltraServer");
		return -ENODEV;
	}
	return answer(skb, info, VN_NL_CMD_CHIP, vn_chip_index(chip));
}

/* The sled that is named: 0, or why it is none. */
static int sled_of(struct genl_info *info, u32 *sled)
{
	u32 n = vn_switch_sleds(&vn_server.sw);

	if (!info->attrs[VN_NL_A_SLED]) {
		GENL_SET_ERR_MSG(info, "which sled? (attribute SLED is missing)");
		return -EINVAL;
	}
	*sled = nla_get_u32(info->attrs[VN_NL_A_SLED]);
	if (*sled >= n) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[VN_NL_A_SLED],
				    "no such sled on this UltraServer");
		return -ENODEV;
	}
	*sled = vn_index(*sled, n);
	return 0;
}

static int do_sled(struct sk_buff *skb, struct genl_info *info)
{
	u32 sled;
	int err = sled_of(info, &sled);

	return err ?: answer(skb, info, VN_NL_CMD_SLED, sled);
}

static int do_cancel(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *operation = info->attrs[VN_NL_A_OPERATION];
	u32 sled;
	int err;

	/* GENL_ADMIN_PERM stands for another capability. */
	if (!netlink_capable(skb, CAP_SYS_ADMIN)) {
		GENL_SET_ERR_MSG(info, "calling off takes CAP_SYS_ADMIN");
		return -EPERM;
	}
	err = sled_of(info, &sled);
	if (err)
		return err;
	err = vn_sled_cancel(sled, operation ? nla_get_u64(operation) : 0);
	switch (err) {
	case -ENOENT:
		GENL_SET_ERR_MSG(info, "nothing is draining this sled");
		break;
	case -ESTALE:
		NL_SET_ERR_MSG_ATTR(info->extack, operation,
				    "another operation is draining this sled");
		break;
	case -EALREADY:
		GENL_SET_ERR_MSG(info, "too late: its chips are elsewhere");
		break;
	}
	return err;
}

static int msg_fault(const struct msg *m, const struct vn_fault *f)
{
	void *head = begin(m, VN_NL_CMD_FAULT);

	if (!head)
		return -EMSGSIZE;
	return end(m, head,
		   nla_put_u32(m->skb, VN_NL_A_FAULT, f->kind) ||
		   nla_put_u32(m->skb, VN_NL_A_WHERE, f->where) ||
		   nla_put_u32(m->skb, VN_NL_A_SLOT, f->slot) ||
		   nla_put_u32(m->skb, VN_NL_A_COUNT, f->count));
}

/* ---- events ----------------------------------------------------------------- */

enum {
	GROUP_EVENTS,
};

static const struct genl_multicast_group groups[] = {
	[GROUP_EVENTS] = { .name = VN_NL_GROUP_EVENTS },
};

static void tell(struct net *net, const struct vn_sled_event *e)
{
	struct msg m = { .ns = net->user_ns };

	m.skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!m.skb || msg_event(&m, e)) {
		/* Watchers are to know that one is missing. */
		nlmsg_free(m.skb);
		genl_set_err(&family, net, 0, GROUP_EVENTS, ENOBUFS);
		return;
	}
	genlmsg_multicast_netns(&family, net, m.skb, 0, GROUP_EVENTS, GFP_KERNEL);
}

/* A message for each namespace: each knows the user by another number. */
void vn_netlink_event(const struct vn_sled_event *e)
{
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net)
		if (genl_has_listeners(&family, net, GROUP_EVENTS))
			tell(net, e);
	up_read(&net_rwsem);
}

/* ---- dumps: cb->args say where to go on ------------------------------------ */

static struct msg dump_msg(struct sk_buff *skb, struct netlink_callback *cb)
{
	return (struct msg){ .skb = skb, .portid = NETLINK_CB(cb->skb).portid,
			     .seq = cb->nlh->nlmsg_seq, .flags = NLM_F_MULTI,
			     .ns = sk_user_ns(NETLINK_CB(cb->skb).sk), .cb = cb };
}

static int dump_device(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct msg m = dump_msg(skb, cb);

	if (!cb->args[0] && !msg_device(&m))
		cb->args[0] = 1;
	return skb->len;
}

static int dump_chip(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct msg m = dump_msg(skb, cb);

	while (cb->args[0] < vn_server.sw.chips && !msg_chip(&m, cb->args[0]))
		cb->args[0]++;
	return skb->len;
}

static int dump_port(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct msg m = dump_msg(skb, cb);

	while (cb->args[0] < vn_server.sw.slots * VN_PLANES &&
	       !msg_port(&m, cb->args[0] / VN_PLANES, cb->args[0] % VN_PLANES))
		cb->args[0]++;
	return skb->len;
}

static int dump_sled(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct msg m = dump_msg(skb, cb);

	while (cb->args[0] < vn_switch_sleds(&vn_server.sw) && !msg_sled(&m, cb->args[0]))
		cb->args[0]++;
	return skb->len;
}

/* Its place in the list. */
static long fault_order(const struct vn_fault *f)
{
	return (long)f->kind << 32 | (f->kind == VN_FAULT_CHIP_LOSS ? f->slot : f->where);
}

/* Others come and go meanwhile: args[0] is the place in the order from which to go on. */
static int dump_fault(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct msg m = dump_msg(skb, cb);
	u32 max = 2 * VN_HEALTH_SLEDS + VN_MAX_SLOTS + 2, n, i = 0;
	struct vn_fault *f;
	int err = vn_fault_may(cb->skb, cb->extack);

	f = err ? NULL : kvcalloc(max, sizeof(*f), GFP_KERNEL);
	if (!f)
		return err ?: -ENOMEM;
	n = min(vn_sled_faults(f, max), max);
	while (i < n && (fault_order(&f[i]) < cb->args[0] || !msg_fault(&m, &f[i])))
		i++;
	cb->args[0] = i < n ? fault_order(&f[i]) : LONG_MAX;
	kvfree(f);
	return skb->len;
}

/* May who asks see this context's objects? */
static bool may_see(struct netlink_callback *cb, bool all, const struct vn_context *ctx)
{
	return all || uid_eq(NETLINK_CB(cb->skb).creds.uid, ctx->user->uid);
}

typedef int (*put_fn)(const struct msg *m, struct vn_context *ctx, void *entry);

/* args[0] is the context to go on with, args[1] the object in it. */
static int dump_objects(struct sk_buff *skb, struct netlink_callback *cb, size_t xarray, put_fn put)
{
	bool all = netlink_capable(cb->skb, CAP_SYS_ADMIN);
	unsigned long id = cb->args[0], i = cb->args[1];
	struct msg m = dump_msg(skb, cb);
	struct vn_context *ctx;
	void *entry;
	int err = 0;

	mutex_lock(&vn_server.contexts_lock);
	xa_for_each_start(&vn_server.contexts, id, ctx, cb->args[0]) {
		struct xarray *xa = (void *)ctx + xarray;

		if (id != cb->args[0])
			i = 0;
		cond_resched();
		if (!may_see(cb, all, ctx))
			continue;
		mutex_lock(&ctx->objects_lock);
		/* Others may end windows of this context, with theirs. */
		mutex_lock(&ctx->domain->windows_lock);
		xa_for_each_start(xa, i, entry, i) {
			err = put(&m, ctx, entry);
			if (err)
				break;
		}
		mutex_unlock(&ctx->domain->windows_lock);
		mutex_unlock(&ctx->objects_lock);
		if (err)
			break;
	}
	mutex_unlock(&vn_server.contexts_lock);
	cb->args[0] = err ? id : LONG_MAX;
	cb->args[1] = i;
	return skb->len;
}

static int dump_context(struct sk_buff *skb, struct netlink_callback *cb)
{
	bool all = netlink_capable(cb->skb, CAP_SYS_ADMIN);
	struct msg m = dump_msg(skb, cb);
	struct vn_context *ctx;
	unsigned long id;
	int err = 0;

	mutex_lock(&vn_server.contexts_lock);
	xa_for_each_start(&vn_server.contexts, id, ctx, cb->args[0]) {
		cond_resched();
		if (!may_see(cb, all, ctx))
			continue;
		mutex_lock(&ctx->objects_lock);
		err = msg_context(&m, ctx);
		mutex_unlock(&ctx->objects_lock);
		if (err)
			break;
	}
	mutex_unlock(&vn_server.contexts_lock);
	cb->args[0] = err ? id : LONG_MAX;
	return skb->len;
}

static int queue_entry(const struct msg *m, struct vn_context *ctx, void *entry)
{
	return msg_queue(m, ctx, entry);
}

static int dump_queue(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_objects(skb, cb, offsetof(struct vn_context, queues), queue_entry);
}

static int window_entry(const struct msg *m, struct vn_context *ctx, void *entry)
{
	return msg_window(m, ctx, entry);
}

static int dump_window(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_objects(skb, cb, offsetof(struct vn_context, windows), window_entry);
}

static int plan_entry(const struct msg *m, struct vn_context *ctx, void *entry)
{
	return msg_plan(m, ctx, entry);
}

static int dump_plan(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_objects(skb, cb, offsetof(struct vn_context, plans), plan_entry);
}

/* args[2] is the entry to go on with in page args[3], which may be gone meanwhile. */
static int status_entry(const struct msg *m, struct vn_context *ctx, void *entry)
{
	const struct vn_kstatus *ks = entry;
	long *at = &m->cb->args[2], *page = &m->cb->args[3];
	struct vn_rank_seen seen;

	if (*page != ks->object.id)
		*at = 0;
	*page = ks->object.id;
	cond_resched();
	for (; *at < VN_STATUS_ENTRIES; ++*at)
		if (vn_kstatus_see(ks, *at, &seen) && msg_rank(m, ctx, &seen))
			return -EMSGSIZE;
	return 0;
}

static int dump_rank(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_objects(skb, cb, offsetof(struct vn_context, statuses), status_entry);
}

/* ---- the family ------------------------------------------------------------ */

/* Attributes a command does not take are refused, by name, by the core. */
static const struct nla_policy no_policy[VN_NL_A_MAX + 1] = {};

static const struct nla_policy chip_policy[VN_NL_A_MAX + 1] = {
	[VN_NL_A_CHIP] = { .type = NLA_U32 },
};

static const struct nla_policy sled_policy[VN_NL_A_MAX + 1] = {
	[VN_NL_A_SLED] = { .type = NLA_U32 },
};

static const struct nla_policy cancel_policy[VN_NL_A_MAX + 1] = {
	[VN_NL_A_SLED] = { .type = NLA_U32 },
	[VN_NL_A_OPERATION] = { .type = NLA_U64 },
};

static const struct nla_policy fault_policy[VN_NL_A_MAX + 1] = {
	[VN_NL_A_FAULT] = { .type = NLA_U32 },
	[VN_NL_A_WHERE] = { .type = NLA_U32 },
	[VN_NL_A_SLOT] = { .type = NLA_U32 },
	[VN_NL_A_COUNT] = { .type = NLA_U32 },
};

static const struct genl_ops ops[] = {
	{
		.cmd = VN_NL_CMD_DEVICE,
		.doit = do_device,
		.dumpit = dump_device,
	},
	{
		.cmd = VN_NL_CMD_CHIP,
		.doit = do_chip,
		.dumpit = dump_chip,
		.policy = chip_policy,
		.maxattr = VN_NL_A_MAX,
	},
	{ .cmd = VN_NL_CMD_PORT, .dumpit = dump_port },
	{ .cmd = VN_NL_CMD_CONTEXT, .dumpit = dump_context },
	{ .cmd = VN_NL_CMD_QUEUE, .dumpit = dump_queue },
	{ .cmd = VN_NL_CMD_WINDOW, .dumpit = dump_window },
	{ .cmd = VN_NL_CMD_PLAN, .dumpit = dump_plan },
	{ .cmd = VN_NL_CMD_RANK, .dumpit = dump_rank },
	{
		.cmd = VN_NL_CMD_SLED,
		.doit = do_sled,
		.dumpit = dump_sled,
		.policy = sled_policy,
		.maxattr = VN_NL_A_MAX,
	},
	{
		.cmd = VN_NL_CMD_DRAIN_CANCEL,
		.doit = do_cancel,
		.policy = cancel_policy,
		.maxattr = VN_NL_A_MAX,
	},
	{ .cmd = VN_NL_CMD_FAULT, .dumpit = dump_fault },
	{
		.cmd = VN_NL_CMD_FAULT_INJECT,
		.doit = vn_fault_do_inject,
		.policy = fault_policy,
		.maxattr = VN_NL_A_MAX,
	},
	{
		.cmd = VN_NL_CMD_FAULT_CLEAR,
		.doit = vn_fault_do_clear,
		.policy = fault_policy,
		.maxattr = VN_NL_A_MAX,
	},
	{
		.cmd = VN_NL_CMD_CHIP_RESET,
		.doit = vn_reset_do_chip,
		.policy = chip_policy,
		.maxattr = VN_NL_A_MAX,
	},
};

static struct genl_family family = {
	.name = VN_NL_FAMILY,
	.version = VN_NL_VERSION,
	.maxattr = VN_NL_A_MAX,
	.policy = no_policy,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	.resv_start_op = __VN_NL_CMD_MAX,
};

int vn_netlink_init(void)
{
	return genl_register_family(&family);
}

void vn_netlink_exit(void)
{
	genl_unregister_family(&family);
}
