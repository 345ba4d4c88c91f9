/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections to embedded devices of others by hand: packets that the library would not send. */
#ifndef VN_TEST_RAW_H
#define VN_TEST_RAW_H

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/genl/genl.h>
#include <linux/vneuron_nl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "holder.h"

static UNUSED int connect_raw(const struct holder *h)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/vneuron/%d", dir, h->pid);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		close(fd);
		return -1;
	}
	return fd;
}

static UNUSED struct nl_msg *request(uint8_t cmd, int flags)
{
	struct nl_msg *m = nlmsg_alloc();

	NEED(m && genlmsg_put(m, 0, 7, VN_NL_CONTROL, 0, NLM_F_REQUEST | flags, cmd, 1) ? 0
											: -ENOMEM);
	return m;
}

/* How the answer to a packet ends: 0 or -errno; 1: otherwise, 2: there is none. */
static UNUSED int answered(int fd, const void *packet, size_t bytes, char *text, size_t room)
{
	union {
		struct nlmsghdr h;
		char bytes[65536];
	} in;
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	struct nlmsghdr *at = &in.h;
	struct nlmsgerr *e;
	int n;

	if (send(fd, packet, bytes, MSG_NOSIGNAL) < 0)
		return 2;
	n = (int)recv(fd, &in, sizeof(in), 0);
	if (n <= 0 || !nlmsg_ok(at, n))
		return 2;
	while (at->nlmsg_type != NLMSG_ERROR) {
		at = nlmsg_next(at, &n);
		if (!nlmsg_ok(at, n))
			return 1;
	}
	e = nlmsg_data(at);
	if (text && !nlmsg_parse(at, sizeof(*e), tb, NLMSGERR_ATTR_MAX, NULL) &&
	    tb[NLMSGERR_ATTR_MSG])
		snprintf(text, room, "%s", nla_get_string(tb[NLMSGERR_ATTR_MSG]));
	return e->error;
}

static UNUSED void refused(int fd, struct nl_msg *m, int want, const char *pattern,
			   const char *what)
{
	char text[200] = "";
	int err = answered(fd, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, text, sizeof(text));

	tap_ok(err == want && strstr(text, pattern), "%s: %d (%s)", what, err, text);
	nlmsg_free(m);
}

static UNUSED struct nl_msg *call(uint32_t nr, const void *arg, uint32_t bytes)
{
	struct nl_msg *m = request(VN_NL_CMD_CALL, NLM_F_ACK);

	nla_put_u32(m, VN_NL_CALL_NUMBER, nr);
	if (arg)
		nla_put(m, VN_NL_CALL_ARGUMENT, (int)bytes, arg);
	return m;
}

#endif
