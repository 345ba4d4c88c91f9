// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <net/genetlink.h>
#include "../uapi/linux/vneuron_nl.h"
#include "context.h"
#include "device.h"
#include "queue.h"
#include "reset.h"
#include "trace.h"
#include "turn.h"
#include "window.h"
#include "worker.h"

static u32 halt_queues(struct vn_context *ctx, u32 chip)
{
	struct vn_kqueue *kq;
	unsigned long i;
	u32 n = 0;

	lockdep_assert_held(&ctx->objects_lock);
	xa_for_each(&ctx->queues, i, kq) {
		n += vn_turn_halt(kq, chip);
		cond_resched();
	}
	return n;
}

/*
 * Contexts stay meanwhile. HBM is not touched, nor where it lies: a drain of the sled goes
 * on as it would with another program.
 */
static void reset_chip(u32 chip)
{
	u32 queues = 0, windows = 0;
	struct vn_context *ctx;
	LIST_HEAD(ending);
	unsigned long i;

	mutex_lock(&vn_server.contexts_lock);
	vn_faults_reset(&vn_server.faults, chip);
	xa_for_each(&vn_server.contexts, i, ctx) {
		mutex_lock(&ctx->objects_lock);
		windows += vn_context_doom_windows(ctx, chip, &ending);
		queues += halt_queues(ctx, chip);
		mutex_unlock(&ctx->objects_lock);
	}
	/* Who saw what is gone has done what he began; who waits for it waits no longer. */
	vn_worker_quiesce();
	vn_windows_end(&ending);
	mutex_unlock(&vn_server.contexts_lock);
	trace_chip_reset(chip, queues, windows);
}

int vn_reset_do_chip(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *at = info->attrs[VN_NL_A_CHIP];

	if (!netlink_capable(skb, CAP_SYS_ADMIN)) {
		NL_SET_ERR_MSG(info->extack, "resetting a chip takes CAP_SYS_ADMIN");
		return -EPERM;
	}
	if (!at) {
		NL_SET_ERR_MSG(info->extack, "which chip? (attribute CHIP is missing)");
		return -EINVAL;
	}
	if (nla_get_u32(at) >= vn_server.sw.chips) {
		NL_SET_ERR_MSG_ATTR(info->extack, at, "no such chip on this UltraServer");
		return -ENODEV;
	}
	reset_chip(vn_chip_index(nla_get_u32(at)));
	return 0;
}
