// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Messages that the embedded device answers with, and the packets they go in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/genl/genl.h>

#include "control.h"

/* A dump longer than that is cut off, and says so in one more. */
#define PACKETS_MAX 1024u

struct nl_msg *embed_message(const struct embed_reply *r, u8 cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, 0, r->seq, VN_NL_CONTROL, 0, flags, cmd, VN_NL_VERSION)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

static int add_packet(struct embed_reply *r, u32 max)
{
	struct embed_packet *p = r->packets < max ? malloc(sizeof(*p)) : NULL;

	if (!p)
		return r->packets < max ? -ENOMEM : -EFBIG;
	p->next = NULL;
	p->bytes = 0;
	if (r->last)
		r->last->next = p;
	else
		r->first = p;
	r->last = p;
	r->packets++;
	return 0;
}

/* Netlink's own alignment between two messages of a packet. */
static int add_bytes(struct embed_reply *r, const struct nlmsghdr *h, u32 max)
{
	u32 bytes = NLMSG_ALIGN(h->nlmsg_len);
	int err = 0;

	if (bytes > EMBED_PACKET_BYTES)
		return -EMSGSIZE;
	if (!r->last || r->last->bytes + bytes > EMBED_PACKET_BYTES)
		err = add_packet(r, max);
	if (err)
		return err;
	memset(r->last->data + r->last->bytes, 0, bytes);
	memcpy(r->last->data + r->last->bytes, h, h->nlmsg_len);
	r->last->bytes += bytes;
	return 0;
}

/* In at most so many packets. */
static int add(struct embed_reply *r, struct nl_msg *msg, int failed, u32 max)
{
	int err = !msg ? -ENOMEM : failed ? -EMSGSIZE : add_bytes(r, nlmsg_hdr(msg), max);

	if (msg)
		nlmsg_free(msg);
	return err;
}

int embed_reply_add(struct embed_reply *r, struct nl_msg *msg, int failed)
{
	return add(r, msg, failed, PACKETS_MAX);
}

/* Without memory for it there is none; who waits for it sees the connection end. */
void embed_reply_end(struct embed_reply *r, int err, const char *text)
{
	int flags = NLM_F_CAPPED | (text && *text ? NLM_F_ACK_TLVS : 0);
	struct nlmsgerr e = { .error = err, .msg = { .nlmsg_seq = r->seq } };
	struct nl_msg *msg = nlmsg_alloc();
	struct nlmsghdr *h = msg ? nlmsg_put(msg, 0, r->seq, NLMSG_ERROR, sizeof(e), flags) : NULL;

	e.msg.nlmsg_len = sizeof(e.msg);
	if (h)
		memcpy(nlmsg_data(h), &e, sizeof(e));
	embed_reply_add(r, msg,
			!h || (text && *text && nla_put_string(msg, NLMSGERR_ATTR_MSG, text)));
}

void embed_reply_done(struct embed_reply *r, int err)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nlmsghdr *h = msg ? nlmsg_put(msg, 0, r->seq, NLMSG_DONE, sizeof(err), NLM_F_MULTI)
				 : NULL;

	if (h)
		memcpy(nlmsg_data(h), &err, sizeof(err));
	/* Where a dump was cut off there is room for this. */
	add(r, msg, !h, PACKETS_MAX + 1);
}

void embed_reply_event(struct embed_reply *r, const struct vn_sled_event *e)
{
	struct nl_msg *msg;

	r->seq = 0;
	if (e) {
		msg = embed_message(r, VN_NL_CMD_SLED_EVENT, 0);
		embed_reply_add(r, msg,
				msg && (embed_put_sled(msg, e) ||
					nla_put_u32(msg, VN_NL_A_FROM_STATE, e->from)));
		return;
	}
	msg = nlmsg_alloc();
	embed_reply_add(r, msg, msg && !nlmsg_put(msg, 0, 0, NLMSG_OVERRUN, 0, 0));
}

void embed_reply_pop(struct embed_reply *r)
{
	struct embed_packet *p = r->first;

	r->first = p->next;
	if (!r->first)
		r->last = NULL;
	r->packets--;
	free(p);
}

void embed_reply_free(struct embed_reply *r)
{
	while (r->first)
		embed_reply_pop(r);
}
