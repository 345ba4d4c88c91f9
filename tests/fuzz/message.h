/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets of netlink messages out of an input: raw bytes, or messages with a frame that fits
 * around what the input says, where random bytes would hardly ever get past the frame.
 *
 * A packet: how (bits of enum how). RAW: a length of 16 bits, and the bytes. Else one message
 * or more: its command, and attributes, each with its type, its length and its bytes.
 */
#ifndef VN_FUZZ_MESSAGE_H
#define VN_FUZZ_MESSAGE_H

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/genl/genl.h>
#include <linux/vneuron_nl.h>

#include "../../kmod/engine/abi.h"
#include "fuzz.h"

#define PACKET_MAX 20000u

enum how {
	TYPE = 3, /* CONTROL, ERROR, DONE, any */
	ANY_FLAGS = 1 << 2,
	DUMP = 1 << 3,
	ACK = 1 << 4,
	ANY_SEQ = 1 << 5,
	MORE = 1 << 6, /* another message in the same packet */
	RAW = 1 << 7,
};

struct fuzz_packet {
	uint32_t bytes;
	union {
		struct nlmsghdr h;
		uint8_t data[PACKET_MAX];
	};
};

FUZZ_FN void fuzz_attr(struct fuzz_packet *p, uint16_t type, const void *data, uint32_t n)
{
	struct nlattr *a = (struct nlattr *)(p->data + p->bytes);

	if (p->bytes + NLA_HDRLEN + NLA_ALIGN(n) > PACKET_MAX)
		return;
	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + n);
	memset((uint8_t *)a + NLA_HDRLEN, 0, NLA_ALIGN(n));
	if (n)
		memcpy((uint8_t *)a + NLA_HDRLEN, data, n);
	p->bytes += NLA_HDRLEN + (uint32_t)NLA_ALIGN(n);
}

/* The struct of a call, with its size, begins as the input says. */
FUZZ_FN void fuzz_call(struct fuzz_packet *p, struct fuzz_in *in)
{
	uint32_t nr = (uint32_t)_IO('V', fuzz_u8(in) % (VN_IOCTL_COUNT + 1)), n = fuzz_u8(in);
	const struct vn_call *call = vn_abi_call(nr);
	union {
		uint32_t size;
		uint8_t bytes[512];
	} a = { 0 };

	fuzz_take(in, a.bytes + 4, n);
	a.size = call && !(n & 0x80) ? call->bytes : n + 8;
	fuzz_attr(p, VN_NL_CALL_NUMBER, &nr, 4);
	fuzz_attr(p, VN_NL_CALL_ARGUMENT, &a, a.size);
}

FUZZ_FN void fuzz_attrs(struct fuzz_packet *p, struct fuzz_in *in)
{
	uint8_t bytes[256];

	for (uint32_t n = fuzz_u8(in) & 0xf; n && in->left; n--) {
		uint16_t type = fuzz_u8(in);
		uint32_t len = fuzz_u8(in);

		fuzz_take(in, bytes, len);
		fuzz_attr(p, type, bytes, len);
	}
}

FUZZ_FN void fuzz_message(struct fuzz_packet *p, struct fuzz_in *in, uint8_t how)
{
	static const uint16_t types[] = { VN_NL_CONTROL, NLMSG_ERROR, NLMSG_DONE };
	struct nlmsghdr *h = (struct nlmsghdr *)(p->data + p->bytes);
	uint32_t begin = p->bytes, n;
	uint8_t cmd;

	if (p->bytes + 512 > PACKET_MAX)
		return;
	*h = (struct nlmsghdr){
		.nlmsg_type = (how & TYPE) < 3 ? types[how & TYPE] : fuzz_u16(in),
		.nlmsg_flags = how & ANY_FLAGS ? fuzz_u16(in) : NLM_F_REQUEST,
		.nlmsg_seq = how & ANY_SEQ ? fuzz_u8(in) : 1,
	};
	h->nlmsg_flags |= (how & DUMP ? NLM_F_DUMP : 0) | (how & ACK ? NLM_F_ACK : 0);
	p->bytes += NLMSG_HDRLEN;
	cmd = fuzz_u8(in);
	if (how & TYPE) {
		/* What stands behind the header of an error, or of the end. */
		n = cmd & 0x7f;
		fuzz_take(in, p->data + p->bytes, n);
		p->bytes += (uint32_t)NLMSG_ALIGN(n);
		fuzz_attrs(p, in);
	} else {
		*(struct genlmsghdr *)(p->data + p->bytes) = (struct genlmsghdr){ .cmd = cmd };
		p->bytes += GENL_HDRLEN;
		if (cmd == VN_NL_CMD_CALL)
			fuzz_call(p, in);
		else
			fuzz_attrs(p, in);
	}
	h->nlmsg_len = p->bytes - begin;
}

/* The next packet; many: it may be of several messages. */
FUZZ_FN void fuzz_packet(struct fuzz_packet *p, struct fuzz_in *in, bool many)
{
	uint8_t how = fuzz_u8(in);

	memset(p->data, 0, 1024);
	p->bytes = 0;
	if (how & RAW) {
		p->bytes = fuzz_u16(in);
		p->bytes = p->bytes < in->left ? p->bytes : (uint32_t)in->left;
		fuzz_take(in, p->data, p->bytes < PACKET_MAX ? p->bytes : PACKET_MAX);
		p->bytes = p->bytes < PACKET_MAX ? p->bytes : PACKET_MAX;
		return;
	}
	fuzz_message(p, in, how);
	while (many && how & MORE && in->left) {
		how = fuzz_u8(in);
		fuzz_message(p, in, how);
	}
}

#endif
