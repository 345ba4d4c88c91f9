/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is in use on the UltraServer, as its netlink family counts it: to be the same
 * before and after. With a client of netlink for that, by hand: its calls are those that
 * are written here, no more.
 */
#ifndef VN_TEST_ACCOUNT_H
#define VN_TEST_ACCOUNT_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vneuron_nl.h>
#include <sys/socket.h>
#include "abi/abi.h"

/* Longer than any packet. */
#define NL_ROOM (64u << 10)

static struct {
	uint16_t family;
	uint32_t group; /* of events */
	int fd; /* of those who count */
	_Alignas(8) char in[NL_ROOM];
} nl = { .fd = -1 };

struct ask {
	struct nlmsghdr h;
	struct genlmsghdr g;
	_Alignas(4) char attrs[64];
};

typedef void (*nl_fn)(const struct nlmsghdr *h, void *arg);

TAP_FN struct ask ask(uint8_t cmd, int flags)
{
	return (struct ask){ .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct genlmsghdr)),
				    .nlmsg_type = nl.family,
				    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
			     .g = { .cmd = cmd, .version = VN_NL_VERSION } };
}

TAP_FN void ask_attr(struct ask *a, uint16_t type, const void *data, uint16_t bytes)
{
	struct nlattr *at = (void *)((char *)a + a->h.nlmsg_len);

	must(a->h.nlmsg_len + NLA_HDRLEN + NLA_ALIGN(bytes) <= sizeof(*a));
	at->nla_type = type;
	at->nla_len = (uint16_t)(NLA_HDRLEN + bytes);
	memcpy(at + 1, data, bytes);
	a->h.nlmsg_len += NLA_HDRLEN + NLA_ALIGN(bytes);
}

TAP_FN void ask_u32(struct ask *a, uint16_t type, uint32_t value)
{
	ask_attr(a, type, &value, sizeof(value));
}

TAP_FN const struct nlattr *attr_among(const void *from, const void *end, uint16_t type)
{
	const struct nlattr *at = from;

	while ((const char *)at + NLA_HDRLEN <= (const char *)end && at->nla_len >= NLA_HDRLEN) {
		if ((at->nla_type & NLA_TYPE_MASK) == type)
			return at;
		at = (const void *)((const char *)at + NLA_ALIGN(at->nla_len));
	}
	return NULL;
}

TAP_FN const struct nlattr *attr_inside(const struct nlattr *at, uint16_t type)
{
	return at ? attr_among(at + 1, (const char *)at + at->nla_len, type) : NULL;
}

/* The attribute's value, or NULL. */
TAP_FN const void *answer_attr(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *at = attr_among((const char *)NLMSG_DATA(h) + GENL_HDRLEN,
					     (const char *)h + h->nlmsg_len, type);

	return at ? at + 1 : NULL;
}

TAP_FN uint32_t answer_u32(const struct nlmsghdr *h, uint16_t type)
{
	const uint32_t *v = answer_attr(h, type);

	return v ? *v : 0;
}

TAP_FN uint64_t answer_u64(const struct nlmsghdr *h, uint16_t type)
{
	const void *v = answer_attr(h, type);
	uint64_t value = 0;

	if (v)
		memcpy(&value, v, sizeof(value));
	return value;
}

TAP_FN int nl_send(int fd, const struct ask *a)
{
	return send(fd, a, a->h.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* Reads to the end of the answer: 0, or what it says, or reading did. */
TAP_FN int nl_receive(int fd, nl_fn fn, void *arg)
{
	for (;;) {
		ssize_t n = recv(fd, nl.in, sizeof(nl.in), 0);

		if (n < 0)
			return -errno;
		for (const struct nlmsghdr *h = (void *)nl.in; NLMSG_OK(h, n);
		     h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return *(const int *)NLMSG_DATA(h);
			if (fn)
				fn(h, arg);
		}
	}
}

TAP_FN int nl_call(int fd, const struct ask *a, nl_fn fn, void *arg)
{
	int err = nl_send(fd, a);

	return err ? err : nl_receive(fd, fn, arg);
}

TAP_FN void nl_found(const struct nlmsghdr *h, void *arg)
{
	const uint16_t *id = answer_attr(h, CTRL_ATTR_FAMILY_ID);
	const struct nlattr *groups = answer_attr(h, CTRL_ATTR_MCAST_GROUPS), *group;

	(void)arg;
	if (id)
		nl.family = *id;
	/* The only one there is. */
	group = groups ? attr_inside(groups, CTRL_ATTR_MCAST_GRP_ID) : NULL;
	if (group)
		memcpy(&nl.group, group + 1, sizeof(nl.group));
}

/* A socket of its own; the first one finds the family. */
TAP_FN int nl_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct timeval patience = { .tv_sec = 20 };
	struct ask a;

	must(fd >= 0);
	must(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	if (!nl.family) {
		nl.family = GENL_ID_CTRL;
		a = ask(CTRL_CMD_GETFAMILY, NLM_F_ACK);
		a.g.version = 1;
		ask_attr(&a, CTRL_ATTR_FAMILY_NAME, VN_NL_FAMILY, sizeof(VN_NL_FAMILY));
		must(!nl_call(fd, &a, nl_found, NULL) && nl.family != GENL_ID_CTRL);
	}
	return fd;
}

struct account {
	uint64_t hbm;
	uint32_t queues, windows, contexts, plans, faults, sleds_out;
};

TAP_FN void account_device(const struct nlmsghdr *h, void *arg)
{
	struct account *to = arg;

	to->hbm = answer_u64(h, VN_NL_A_HBM_USED);
	to->queues = answer_u32(h, VN_NL_A_QUEUES);
	to->windows = answer_u32(h, VN_NL_A_WINDOWS);
	to->contexts = answer_u32(h, VN_NL_A_CONTEXTS);
}

TAP_FN void account_row(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	++*(uint32_t *)arg;
}

TAP_FN void account_sled(const struct nlmsghdr *h, void *arg)
{
	*(uint32_t *)arg += answer_u32(h, VN_NL_A_SLED_STATE) != VN_SLED_IN_SERVICE;
}

TAP_FN struct account account(void)
{
	struct account to = {};
	struct ask a;

	if (nl.fd < 0)
		nl.fd = nl_socket();
	a = ask(VN_NL_CMD_DEVICE, NLM_F_ACK);
	must(!nl_call(nl.fd, &a, account_device, &to));
	a = ask(VN_NL_CMD_PLAN, NLM_F_DUMP);
	must(!nl_call(nl.fd, &a, account_row, &to.plans));
	a = ask(VN_NL_CMD_SLED, NLM_F_DUMP);
	must(!nl_call(nl.fd, &a, account_sled, &to.sleds_out));
	/* Not of a module without faults=1. */
	a = ask(VN_NL_CMD_FAULT, NLM_F_DUMP);
	nl_call(nl.fd, &a, account_row, &to.faults);
	return to;
}

TAP_FN bool account_same(const struct account *a, const struct account *b)
{
	return a->hbm == b->hbm && a->queues == b->queues && a->windows == b->windows &&
	       a->contexts == b->contexts && a->plans == b->plans && a->faults == b->faults &&
	       a->sleds_out == b->sleds_out;
}

TAP_FN void account_diag(const char *when, const struct account *a)
{
	tap_diag("%s: hbm %llu, queues %u, windows %u, contexts %u, plans %u, faults %u, "
		 "sleds out of service %u",
		 when, (unsigned long long)a->hbm, a->queues, a->windows, a->contexts, a->plans,
		 a->faults, a->sleds_out);
}

/* Who died may take a moment: until all is as it was, or (false) some seconds. */
TAP_FN bool account_back(const struct account *was)
{
	struct account is = account();

	for (int i = 0; i < 500 && !account_same(was, &is); i++) {
		usleep(20000);
		is = account();
	}
	if (account_same(was, &is))
		return true;
	account_diag("was", was);
	account_diag("is", &is);
	return false;
}

#endif
