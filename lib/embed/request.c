// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What others ask of the embedded device. A packet is bytes that anybody of this user may
 * have made up: nothing of it is believed before it was looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/genl/genl.h>

#include "../../kmod/engine/abi.h"
#include "../error.h"
#include "../netlink.h"
#include "control.h"

static int refuse(struct embed_reply *r, int err, const char *text)
{
	embed_reply_end(r, err, text);
	return err;
}

/* As copy_from_user() of a struct with its size in front: what is longer must be zero. */
static int take_argument(struct embed_request *q, const struct nlattr *a)
{
	const struct vn_call *call = vn_abi_call(q->nr);
	const u8 *data = nla_data(a);
	u32 bytes = (u32)nla_len(a), size;

	if (bytes < sizeof(size))
		return -EINVAL;
	memcpy(&size, data, sizeof(size));
	if (size != bytes || bytes < call->least)
		return -EINVAL;
	for (u32 i = call->bytes; i < bytes; i++)
		if (data[i])
			return -E2BIG;
	q->arg_bytes = bytes < call->bytes ? bytes : call->bytes;
	memcpy(&q->arg, data, q->arg_bytes);
	return 0;
}

static bool carried(u32 nr)
{
	return nr == VN_IOCTL_QUERY || nr == VN_IOCTL_CHIP_QUERY || nr == VN_IOCTL_SLED_QUERY ||
	       nr == VN_IOCTL_DRAIN_OPEN || nr == VN_IOCTL_DRAIN_STEP;
}

static int read_call(struct embed_request *q, struct nlmsghdr *h, struct embed_reply *r)
{
	static const struct nla_policy policy[VN_NL_CALL_MAX + 1] = {
		[VN_NL_CALL_NUMBER] = { .type = NLA_U32 },
		[VN_NL_CALL_ARGUMENT] = { .type = NLA_UNSPEC, .minlen = 4 },
	};
	struct nlattr *at[VN_NL_CALL_MAX + 1] = { NULL };
	int err;

	if (genlmsg_parse(h, 0, at, VN_NL_CALL_MAX, policy) < 0 || !at[VN_NL_CALL_NUMBER] ||
	    !at[VN_NL_CALL_ARGUMENT])
		return refuse(r, -EINVAL, "a call wants the attributes NUMBER and ARGUMENT");
	q->nr = nla_get_u32(at[VN_NL_CALL_NUMBER]);
	if (!carried(q->nr))
		return refuse(r, -EOPNOTSUPP, "this call is for the process itself");
	err = take_argument(q, at[VN_NL_CALL_ARGUMENT]);
	return err ? refuse(r, err, "ARGUMENT is not the struct of this call") : 0;
}

/* Which attributes a command takes. */
static const u16 takes[][4] = {
	[VN_NL_CMD_CHIP] = { VN_NL_A_CHIP },
	[VN_NL_CMD_SLED] = { VN_NL_A_SLED },
	[VN_NL_CMD_CHIP_RESET] = { VN_NL_A_CHIP },
	[VN_NL_CMD_DRAIN_CANCEL] = { VN_NL_A_SLED, VN_NL_A_OPERATION },
	[VN_NL_CMD_FAULT_INJECT] = { VN_NL_A_FAULT, VN_NL_A_WHERE, VN_NL_A_SLOT, VN_NL_A_COUNT },
	[VN_NL_CMD_FAULT_CLEAR] = { VN_NL_A_FAULT, VN_NL_A_WHERE, VN_NL_A_SLOT, VN_NL_A_COUNT },
};

static bool taken(u8 cmd, int attr)
{
	for (u32 i = 0; cmd < ARRAY_SIZE(takes) && i < ARRAY_SIZE(takes[0]); i++)
		if (attr && takes[cmd][i] == attr)
			return true;
	return false;
}

static int read_attributes(struct embed_request *q, struct nlmsghdr *h, struct embed_reply *r)
{
	struct genlmsghdr *g = genlmsg_hdr(h);
	struct nlattr *at[VN_NL_A_MAX + 1] = { NULL };
	struct nlattr *a;
	int left;

	nlmsg_for_each_attr(a, h, GENL_HDRLEN, left) if (!taken(q->cmd, nla_type(a))) return refuse(
		r, -EINVAL, "an attribute that this command does not take");
	if (genlmsg_attrlen(g, 0) && nlmsg_parse(h, GENL_HDRLEN, at, VN_NL_A_MAX, vn_nl_policy) < 0)
		return refuse(r, -EINVAL, "an attribute of another type or length");
	if (at[VN_NL_A_CHIP])
		q->number = nla_get_u32(at[VN_NL_A_CHIP]);
	if (at[VN_NL_A_SLED])
		q->number = nla_get_u32(at[VN_NL_A_SLED]);
	if (at[VN_NL_A_OPERATION])
		q->operation = nla_get_u64(at[VN_NL_A_OPERATION]);
	q->fault = (struct vn_fault){
		.kind = vn_nl_u32(at, VN_NL_A_FAULT),
		.where = vn_nl_u32(at, VN_NL_A_WHERE),
		.slot = vn_nl_u32(at, VN_NL_A_SLOT),
		.count = vn_nl_u32(at, VN_NL_A_COUNT),
	};
	if (vn_faults_placed(q->fault.kind) && !at[VN_NL_A_WHERE])
		return refuse(r, -EINVAL, "which sled or chip? (attribute WHERE is missing)");
	return 0;
}

int embed_request_read(struct embed_request *q, const void *packet, size_t bytes,
		       struct embed_reply *r)
{
	struct nlmsghdr *h = (struct nlmsghdr *)packet;

	memset(q, 0, sizeof(*q));
	q->number = ~0u;
	r->seq = 0;
	if (bytes > EMBED_REQUEST_BYTES)
		return refuse(r, -EMSGSIZE, "a request longer than 8192 bytes");
	if (bytes < NLMSG_HDRLEN)
		return refuse(r, -EBADMSG, "a packet shorter than a message's header");
	r->seq = h->nlmsg_seq;
	/* Netlink pads to four bytes, and need not. */
	if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > bytes ||
	    NLMSG_ALIGN(h->nlmsg_len) < bytes)
		return refuse(r, -EBADMSG, "a packet wants one message, as long as it says");
	if (h->nlmsg_type != VN_NL_CONTROL || !(h->nlmsg_flags & NLM_F_REQUEST))
		return refuse(r, -EOPNOTSUPP, "no request of this family");
	if (!genlmsg_valid_hdr(h, 0))
		return refuse(r, -EBADMSG, "a message without the header of generic netlink");
	q->cmd = genlmsg_hdr(h)->cmd;
	q->dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	q->ack = h->nlmsg_flags & NLM_F_ACK;
	return q->cmd == VN_NL_CMD_CALL ? read_call(q, h, r) : read_attributes(q, h, r);
}

bool embed_request_drains(const struct embed_request *q)
{
	return q->nr == VN_IOCTL_DRAIN_OPEN || q->nr == VN_IOCTL_DRAIN_STEP;
}

void embed_request_called(const struct embed_request *q, int err, struct embed_reply *r)
{
	/* Not enough yet is told with how much it is. */
	bool filled = !err || q->nr == VN_IOCTL_DRAIN_STEP || q->nr == VN_IOCTL_DRAIN_OPEN;
	struct nl_msg *msg = filled ? embed_message(r, VN_NL_CMD_CALL, 0) : NULL;
	int failed = 0;

	if (filled)
		failed = embed_reply_add(r, msg,
					 msg && nla_put(msg, VN_NL_CALL_ARGUMENT, (int)q->arg_bytes,
							&q->arg));
	embed_reply_end(r, err ?: failed, err ? vn_error() : NULL);
}

static int call(struct embed_device *dev, struct embed_request *q)
{
	int err = vn_abi_check(q->nr, &q->arg, dev->sw.chips, vn_switch_sleds(&dev->sw));
	u32 size = q->arg.size;

	vn_set_error("%s", "");
	if (err)
		return err;
	if (q->nr == VN_IOCTL_QUERY)
		err = embed_device_query(dev, &q->arg.query);
	else if (q->nr == VN_IOCTL_CHIP_QUERY)
		err = embed_chip_query(dev, &q->arg.chip);
	else
		err = embed_sled_query(dev, &q->arg.sled);
	q->arg.size = size;
	return err;
}

/* One of so many that is named; the others have been refused. */
static int named(struct embed_request *q, u32 n, struct embed_reply *r)
{
	if (q->number == ~0u)
		return refuse(r, -EINVAL, "which one? (its attribute is missing)");
	if (q->number >= n)
		return refuse(r, -ENODEV, "no such thing on this UltraServer");
	return 0;
}

static int tell_health(struct embed_device *dev, struct embed_reply *r)
{
	struct nl_msg *msg = embed_message(r, VN_NL_CMD_HEALTH, 0);
	struct vn_health h;

	pthread_mutex_lock(&dev->sleds_lock);
	h = dev->health;
	pthread_mutex_unlock(&dev->sleds_lock);
	return embed_reply_add(r, msg, msg && nla_put(msg, VN_NL_CALL_ARGUMENT, sizeof(h), &h));
}

static void answer_one(struct embed_device *dev, struct embed_request *q, struct embed_reply *r)
{
	u32 sleds = vn_switch_sleds(&dev->sw);
	int err;

	switch (q->cmd) {
	case VN_NL_CMD_DEVICE:
		err = embed_tell_device(dev, r, 0);
		break;
	case VN_NL_CMD_CHIP:
		if (named(q, dev->sw.chips, r))
			return;
		err = embed_tell_chip(dev, r, 0, q->number);
		break;
	case VN_NL_CMD_SLED:
		if (named(q, sleds, r))
			return;
		err = embed_tell_sled(dev, r, 0, q->number);
		break;
	case VN_NL_CMD_HEALTH:
		err = tell_health(dev, r);
		break;
	case VN_NL_CMD_FAULT_INJECT:
		err = embed_fault_make(dev, &q->fault, q->uid);
		break;
	case VN_NL_CMD_FAULT_CLEAR:
		err = embed_fault_clear(dev, &q->fault);
		break;
	case VN_NL_CMD_CHIP_RESET:
		if (named(q, dev->sw.chips, r))
			return;
		err = embed_chip_reset(dev, q->number);
		break;
	case VN_NL_CMD_DRAIN_CANCEL:
		if (named(q, sleds, r))
			return;
		err = embed_sled_cancel(dev, q->number, q->operation);
		embed_reply_end(r, err, err ? vn_error() : NULL);
		return;
	default:
		refuse(r, -EOPNOTSUPP, "no such command, or only as a dump");
		return;
	}
	if (err || q->ack)
		embed_reply_end(r, err, NULL);
}

void embed_request_answer(struct embed_device *dev, struct embed_request *q, struct embed_reply *r)
{
	int err;

	if (q->cmd == VN_NL_CMD_CALL) {
		err = call(dev, q);
		embed_request_called(q, err, r);
	} else if (q->dump) {
		err = embed_dump(dev, q->cmd, r);
		if (err == -EOPNOTSUPP)
			refuse(r, err, "nothing that is listed");
		else
			embed_reply_done(r, err);
	} else {
		answer_one(dev, q, r);
	}
}
