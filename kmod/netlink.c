// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include "../uapi/linux/vneuron_nl.h"
#include "context.h"
#include "device.h"
#include "fpu.h"
#include "memory.h"
#include "netlink.h"
#include "plan.h"
#include "pool.h"
#include "queue.h"
#include "status.h"
#include "window.h"

static struct genl_family family;

/* ---- one message each; all of it, or nothing and -EMSGSIZE ----------------- */

struct msg {
	struct sk_buff *skb;
	u32 portid, seq;
	int flags;
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
	struct user_namespace *ns = sk_user_ns(NETLINK_CB(m->cb->skb).sk);
	struct sk_buff *skb = m->skb;

	return nla_put_u32(skb, VN_NL_A_CONTEXT, ctx->id) ||
	       nla_put_u32(skb, VN_NL_A_PID,
			   pid_nr_ns(ctx->pid, task_active_pid_ns(current))) ||
	       nla_put_u32(skb, VN_NL_A_UID, from_kuid_munged(ns, ctx->uid));
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
		   nla_put_u32(skb, VN_NL_A_WINDOWS, count_entries(&ctx->windows)));
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

	if (!head)
		return -EMSGSIZE;
	return end(m, head,
		   nla_put_u32(skb, VN_NL_A_CONTEXT, ctx->id) ||
		   nla_put_u32(skb, VN_NL_A_CHIP, s->chip) ||
		   nla_put_u32(skb, VN_NL_A_KEY, s->key) ||
		   put_u64(skb, VN_NL_A_BYTES, s->bytes) ||
		   nla_put_u32(skb, VN_NL_A_ACCESS, s->access));
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

/* ---- plain requests -------------------------------------------------------- */

static int answer(struct genl_info *info, u8 cmd, u32 chip)
{
	struct msg m = { .portid = info->snd_portid, .seq = info->snd_seq };
	int err;

	m.skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!m.skb)
		return -ENOMEM;
	err = cmd == VN_NL_CMD_CHIP ? msg_chip(&m, chip) : msg_device(&m);
	if (err) {
		nlmsg_free(m.skb);
		return err;
	}
	return genlmsg_reply(m.skb, info);
}

static int do_device(struct sk_buff *skb, struct genl_info *info)
{
	return answer(info, VN_NL_CMD_DEVICE, 0);
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
	return answer(info, VN_NL_CMD_CHIP, chip);
}

/* ---- dumps: cb->args say where to go on ------------------------------------ */

static struct msg dump_msg(struct sk_buff *skb, struct netlink_callback *cb)
{
	return (struct msg){ .skb = skb, .portid = NETLINK_CB(cb->skb).portid,
			     .seq = cb->nlh->nlmsg_seq, .flags = NLM_F_MULTI, .cb = cb };
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

/* May who asks see this context's objects? */
static bool may_see(struct netlink_callback *cb, bool all, const struct vn_context *ctx)
{
	return all || uid_eq(NETLINK_CB(cb->skb).creds.uid, ctx->uid);
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
		if (!may_see(cb, all, ctx))
			continue;
		mutex_lock(&ctx->objects_lock);
		xa_for_each_start(xa, i, entry, i) {
			err = put(&m, ctx, entry);
			if (err)
				break;
		}
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
