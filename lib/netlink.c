// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Client of the generic netlink family: the module's, or, with the same messages, that of
 * an embedded device.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/genl/ctrl.h>
#include <netlink/msg.h>

#include "../kmod/engine/abi.h"
#include "control.h"
#include "error.h"
#include "netlink.h"

/* The longest packet that either of them sends. */
#define PACKET_BYTES (1u << 16)
/* The largest number that an error has. */
#define ERRNO_MOST 4095

struct vn_nl {
	struct nl_sock *sock; /* NULL: of an embedded device */
	struct vn_control_link link; /* then */
	enum vn_control_patience patience;
	bool gave_up; /* waiting for it, once */
	int fd; /* of either */
	int family;
	uint32_t seq; /* of the last request */
	char who[32]; /* answers */
	union {
		struct nlmsghdr h;
		char bytes[PACKET_BYTES];
	} buf;
};

/* One dump, or request, on its way. */
struct dump {
	const char *what;
	vn_nl_fn fn;
	void *arg;
	const struct nla_policy *policy;
	int max; /* attribute */
	int err;
	bool done;
	bool own_words; /* a text that came is all that is to be said */
};

/* clang-format off */
static const char *const names[__VN_NL_CMD_MAX] = {
	[VN_NL_CMD_UNSPEC] = "netlink",
	[VN_NL_CMD_DEVICE] = "device",
	[VN_NL_CMD_CHIP] = "chips",
	[VN_NL_CMD_PORT] = "ports",
	[VN_NL_CMD_CONTEXT] = "contexts",
	[VN_NL_CMD_QUEUE] = "queues",
	[VN_NL_CMD_WINDOW] = "windows",
	[VN_NL_CMD_PLAN] = "plans",
	[VN_NL_CMD_RANK] = "ranks",
	[VN_NL_CMD_SLED] = "sleds",
	[VN_NL_CMD_SLED_EVENT] = "events",
	[VN_NL_CMD_FAULT] = "faults",
};
/* clang-format on */

/* libnl has error numbers of its own; these are the ones it can make up here. */
static int to_errno(int nle)
{
	switch (nle < 0 ? -nle : nle) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	case NLE_PROTO_MISMATCH:
	case NLE_OPNOTSUPP:
		return -EPROTONOSUPPORT;
	default:
		return -EIO;
	}
}

static int resolve(struct vn_nl *nl)
{
	int on = 1, err;

	err = genl_connect(nl->sock);
	if (err < 0) {
		vn_set_error("generic netlink: %s", nl_geterror(err));
		return to_errno(err);
	}
	nl->fd = nl_socket_get_fd(nl->sock);
	/* Refusals then bring their text; without it there is only the errno. */
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));

	nl->family = genl_ctrl_resolve(nl->sock, VN_NL_FAMILY);
	if (nl->family == -NLE_OBJ_NOTFOUND) {
		vn_set_error("no netlink family \"" VN_NL_FAMILY
			     "\": the module vneuron is not loaded");
		return -ENOENT;
	}
	if (nl->family < 0) {
		vn_set_error("netlink family \"" VN_NL_FAMILY "\": %s", nl_geterror(nl->family));
		return to_errno(nl->family);
	}
	return 0;
}

int vn_nl_open(struct vn_nl **out)
{
	struct vn_nl *nl = calloc(1, sizeof(*nl));
	int saved = errno, err = -ENOMEM;

	if (nl)
		nl->sock = nl_socket_alloc();
	if (!nl || !nl->sock) {
		vn_set_error("netlink socket: out of memory");
		goto free_nl;
	}
	strcpy(nl->who, "the kernel");
	err = resolve(nl);
	if (err)
		goto free_sock;
	*out = nl;
	errno = saved;
	return 0;

free_sock:
	nl_socket_free(nl->sock);
free_nl:
	free(nl);
	errno = saved;
	return err;
}

int vn_nl_open_process(uint32_t pid, uint32_t number, struct vn_nl **out)
{
	struct vn_nl *nl = calloc(1, sizeof(*nl));
	int saved = errno, err;

	if (!nl)
		return vn_fail(-ENOMEM, "pid:%u: out of memory", pid);
	snprintf(nl->who, sizeof(nl->who), number ? "pid:%u/%u" : "pid:%u", pid, number);
	nl->family = VN_NL_CONTROL;
	err = vn_control_connect(pid, number, &nl->link);
	nl->fd = nl->link.fd;
	if (err)
		free(nl);
	else
		*out = nl;
	errno = saved;
	return err;
}

void vn_nl_patience(struct vn_nl *nl, enum vn_control_patience patience)
{
	nl->patience = patience;
}

void vn_nl_close(struct vn_nl *nl)
{
	int saved = errno;

	if (!nl)
		return;
	if (nl->sock)
		nl_socket_free(nl->sock);
	else
		vn_control_close(&nl->link);
	free(nl);
	errno = saved;
}

void vn_nl_close_session(struct vn_nl *nl)
{
	int saved = errno;
	ssize_t n = !nl->gave_up;

	/* The other side hangs up when it is done. */
	shutdown(nl->fd, SHUT_WR);
	while (n > 0)
		n = vn_control_await(&nl->link, VN_CONTROL_RUNNING)
			    ?: recv(nl->fd, &nl->buf, sizeof(nl->buf), 0);
	errno = saved;
	vn_nl_close(nl);
}

/* ---- asking ------------------------------------------------------------------------ */

/*
 * The next packet: its length, or -errno. Not by libnl, which has one number for lost
 * messages and for lack of memory, and no other kind of socket.
 */
static int next_packet(struct vn_nl *nl, int flags)
{
	struct sockaddr_nl from;
	bool again = false;
	socklen_t len;
	ssize_t n;
	int err;

	do {
		err = nl->sock || flags & MSG_DONTWAIT ? 0
						       : vn_control_await(&nl->link, nl->patience);
		nl->gave_up |= err == -ETIMEDOUT;
		if (err)
			return err;
		memset(&from, 0, sizeof(from));
		len = sizeof(from);
		n = recvfrom(nl->fd, &nl->buf, sizeof(nl->buf), flags | MSG_TRUNC,
			     nl->sock ? (struct sockaddr *)&from : NULL, nl->sock ? &len : NULL);
		/* Others than the kernel have nothing to tell. */
		/* What was said before the end can be read after the error of the end. */
		again = n < 0 && errno == ECONNRESET && !again;
	} while (again || (n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid));
	if (n < 0)
		return -errno;
	/* Nothing at all is the end of a connection. */
	return !n ? -ECONNRESET : n > (ssize_t)sizeof(nl->buf) ? -EMSGSIZE : (int)n;
}

/* What failed between us and who answers. */
static int broken(struct vn_nl *nl, const char *what, int err)
{
	if (!nl->sock && (err == -ECONNRESET || err == -EPIPE))
		return vn_fail(err, "%s: it has ended", nl->who);
	/* Sending; receiving says so itself. */
	if (!nl->sock && err == -EAGAIN)
		return vn_fail(-ETIMEDOUT, "%s: it takes nothing", nl->who);
	if (!nl->sock && err == -ETIMEDOUT)
		return err;
	if (nl->sock)
		return vn_fail(err, "%s: netlink: %s", what, strerror(-err));
	return vn_fail(err, "%s: %s: %s", nl->who, what, strerror(-err));
}

/* hlen: what lies between the netlink header and the attributes of an extack. */
static void refused(struct vn_nl *nl, struct dump *d, struct nlmsghdr *h, int hlen, int err)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	const struct nlattr *msg = NULL;
	char text[256];

	d->err = err;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS && !nlmsg_parse(h, hlen, tb, NLMSGERR_ATTR_MAX, NULL))
		msg = tb[NLMSGERR_ATTR_MSG];
	if (!msg) {
		vn_set_error("%s: %s", d->own_words ? nl->who : d->what, strerror(-err));
		return;
	}
	snprintf(text, sizeof(text), "%.*s", nla_len(msg), (const char *)nla_data(msg));
	if (d->own_words)
		vn_set_error("%s", text);
	else
		vn_set_error("%s: %s (%s)", d->what, text, strerror(-err));
}

static void make_no_sense(struct vn_nl *nl, struct dump *d)
{
	d->err = vn_fail(-EPROTO, "%s: the answer of %s makes no sense", d->what, nl->who);
}

/*
 * What is before the attributes of a refusal. The kernel sends our own message back, unless it
 * says it has not; -1: there is less than that.
 */
static int before_attributes(struct nlmsghdr *h)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	uint32_t room = (uint32_t)nlmsg_datalen(h) - sizeof(*e), ours;

	if (h->nlmsg_flags & NLM_F_CAPPED)
		return sizeof(*e);
	ours = e->msg.nlmsg_len - sizeof(e->msg);
	return e->msg.nlmsg_len < sizeof(e->msg) || ours > room ? -1 : (int)(sizeof(*e) + ours);
}

/* The end of a request, or why there is none; 0 is a plain yes. */
static void take_error(struct vn_nl *nl, struct dump *d, struct nlmsghdr *h)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	int hlen;

	d->done = true;
	if (nlmsg_datalen(h) < (int)sizeof(*e) || e->error > 0 || e->error < -ERRNO_MOST) {
		make_no_sense(nl, d);
		return;
	}
	if (!e->error || d->err)
		return;
	hlen = before_attributes(h);
	if (hlen < 0)
		make_no_sense(nl, d);
	else
		refused(nl, d, h, hlen, e->error);
}

/* A dump that fails half-way says so in its last message. */
static void take_done(struct vn_nl *nl, struct dump *d, struct nlmsghdr *h)
{
	int err = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(err))
		memcpy(&err, nlmsg_data(h), sizeof(err));
	if (err < -ERRNO_MOST)
		make_no_sense(nl, d);
	else if (err < 0 && !d->err)
		refused(nl, d, h, sizeof(err), err);
	d->done = true;
}

static void take_message(struct vn_nl *nl, struct dump *d, struct nlmsghdr *h)
{
	struct nlattr *attrs[VN_NL_A_MAX + 1] = { NULL };

	/* The rest of a dump that failed here is read and thrown away. */
	if (d->err)
		return;
	if (!genlmsg_valid_hdr(h, 0) || genlmsg_parse(h, 0, attrs, d->max, d->policy) < 0)
		make_no_sense(nl, d);
	else
		d->err = d->fn ? d->fn(attrs, d->arg) : 0;
}

static void take(struct vn_nl *nl, struct dump *d, struct nlmsghdr *h)
{
	/* Who is turned away has asked for nothing yet. */
	bool ours = h->nlmsg_seq == nl->seq ||
		    (!nl->sock && !h->nlmsg_seq && h->nlmsg_type == NLMSG_ERROR);

	if (!ours || d->done)
		return;
	if (h->nlmsg_type == NLMSG_ERROR)
		take_error(nl, d, h);
	else if (h->nlmsg_type == NLMSG_DONE)
		take_done(nl, d, h);
	else if (h->nlmsg_type == nl->family)
		take_message(nl, d, h);
}

/* NULL: there is no memory. */
static struct nl_msg *message(struct vn_nl *nl, uint8_t cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, 0, ++nl->seq, nl->family, 0, NLM_F_REQUEST | flags, cmd,
				VN_NL_VERSION)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/* Sends it, frees it, and takes what it brings. */
static int ask(struct vn_nl *nl, struct nl_msg *msg, struct dump *d)
{
	const struct nlmsghdr *h = msg ? nlmsg_hdr(msg) : NULL;
	int saved = errno, err = 0, n;

	if (!msg)
		return vn_fail(-ENOMEM, "%s: out of memory", d->what);
	/* The other end may have said why it takes nothing. */
	if (send(nl->fd, h, h->nlmsg_len, MSG_NOSIGNAL) < 0 && (nl->sock || errno != EPIPE))
		err = broken(nl, d->what, -errno);
	nlmsg_free(msg);
	while (!err && !d->done) {
		n = next_packet(nl, 0);
		if (n < 0)
			err = broken(nl, d->what, n);
		for (struct nlmsghdr *at = &nl->buf.h; n > 0 && nlmsg_ok(at, n);
		     at = nlmsg_next(at, &n))
			take(nl, d, at);
	}
	errno = saved;
	return err ?: d->err;
}

int vn_nl_dump(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	struct dump d = {
		.what = names[cmd], .fn = fn, .arg = arg, .policy = vn_nl_policy, .max = VN_NL_A_MAX
	};

	return ask(nl, message(nl, cmd, NLM_F_DUMP), &d);
}

int vn_nl_cancel(struct vn_nl *nl, uint32_t sled, uint64_t operation)
{
	struct nl_msg *msg = message(nl, VN_NL_CMD_DRAIN_CANCEL, NLM_F_ACK);
	char what[24];
	struct dump d = { .what = what, .own_words = !nl->sock };

	snprintf(what, sizeof(what), "sled %u", sled);
	if (msg && (nla_put_u32(msg, VN_NL_A_SLED, sled) ||
		    (operation && nla_put_u64(msg, VN_NL_A_OPERATION, operation)))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return ask(nl, msg, &d);
}

int vn_nl_chip_reset(struct vn_nl *nl, uint32_t chip)
{
	struct nl_msg *msg = message(nl, VN_NL_CMD_CHIP_RESET, NLM_F_ACK);
	char what[24];
	struct dump d = { .what = what };

	snprintf(what, sizeof(what), "chip %u", chip);
	if (msg && nla_put_u32(msg, VN_NL_A_CHIP, chip)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return ask(nl, msg, &d);
}

static int about_fault(struct vn_nl *nl, enum vn_nl_cmd cmd, const struct vn_fault *f)
{
	struct nl_msg *msg = message(nl, cmd, NLM_F_ACK);
	struct dump d = { .what = "fault" };

	if (msg &&
	    (nla_put_u32(msg, VN_NL_A_FAULT, f->kind) ||
	     nla_put_u32(msg, VN_NL_A_WHERE, f->where) || nla_put_u32(msg, VN_NL_A_SLOT, f->slot) ||
	     nla_put_u32(msg, VN_NL_A_COUNT, f->count))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return ask(nl, msg, &d);
}

int vn_nl_fault_make(struct vn_nl *nl, const struct vn_fault *f)
{
	return about_fault(nl, VN_NL_CMD_FAULT_INJECT, f);
}

int vn_nl_fault_clear(struct vn_nl *nl, const struct vn_fault *f)
{
	return about_fault(nl, VN_NL_CMD_FAULT_CLEAR, f);
}

static const struct nla_policy call_policy[VN_NL_CALL_MAX + 1] = {
	[VN_NL_CALL_ARGUMENT] = { .type = NLA_UNSPEC },
};

static int take_struct(struct nlattr *const *attrs, void *to, uint32_t bytes)
{
	const struct nlattr *a = attrs[VN_NL_CALL_ARGUMENT];

	if (!a || (uint32_t)nla_len(a) != bytes)
		return vn_fail(-EPROTO, "an answer of another length");
	memcpy(to, nla_data(a), bytes);
	return 0;
}

/* What a call has left in its argument. */
static int take_argument(struct nlattr *const *attrs, void *arg)
{
	return take_struct(attrs, arg, *(const uint32_t *)arg);
}

static int take_health(struct nlattr *const *attrs, void *arg)
{
	return take_struct(attrs, arg, sizeof(struct vn_health));
}

int vn_nl_health(struct vn_nl *nl, struct vn_health *h)
{
	struct dump d = { .what = "health",
			  .fn = take_health,
			  .arg = h,
			  .policy = call_policy,
			  .max = VN_NL_CALL_MAX };

	return ask(nl, message(nl, VN_NL_CMD_HEALTH, NLM_F_ACK), &d);
}

int vn_nl_call(struct vn_nl *nl, uint32_t cmd, void *arg)
{
	struct nl_msg *msg = message(nl, VN_NL_CMD_CALL, NLM_F_ACK);
	const struct vn_call *call = vn_abi_call(cmd);
	struct dump d = { .what = call ? call->name : "a call",
			  .fn = take_argument,
			  .arg = arg,
			  .policy = call_policy,
			  .max = VN_NL_CALL_MAX,
			  .own_words = true };

	if (msg && (nla_put_u32(msg, VN_NL_CALL_NUMBER, cmd) ||
		    nla_put(msg, VN_NL_CALL_ARGUMENT, (int)*(uint32_t *)arg, arg))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return ask(nl, msg, &d);
}

/* ---- what is told ---------------------------------------------------------------- */

static int join_process(struct vn_nl *nl)
{
	struct dump d = { .what = "events" };

	return ask(nl, message(nl, VN_NL_CMD_JOIN, NLM_F_ACK), &d);
}

int vn_nl_join(struct vn_nl *nl, const char *group)
{
	int saved = errno, number, err;

	if (!nl->sock)
		return join_process(nl);
	number = genl_ctrl_resolve_grp(nl->sock, VN_NL_FAMILY, group);
	err = number < 0 ? number : nl_socket_add_membership(nl->sock, number);
	/* As many events as the host allows. */
	if (!err)
		nl_socket_set_buffer_size(nl->sock, 1 << 20, 0);
	errno = saved;
	if (!err)
		return 0;
	vn_set_error("netlink group \"%s\": %s", group, nl_geterror(err));
	return to_errno(err);
}

int vn_nl_fd(const struct vn_nl *nl)
{
	return nl->fd;
}

static int take_told(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	struct nlattr *attrs[VN_NL_A_MAX + 1];
	struct nlmsghdr *h = &nl->buf.h;
	int n;

	do {
		n = next_packet(nl, MSG_DONTWAIT);
		if (n < 0)
			return n;
		if (nlmsg_ok(h, n) && h->nlmsg_type == NLMSG_OVERRUN)
			return -ENOBUFS;
	} while (!nlmsg_ok(h, n) || h->nlmsg_type != nl->family || !genlmsg_valid_hdr(h, 0) ||
		 genlmsg_hdr(h)->cmd != cmd);
	if (genlmsg_parse(h, 0, attrs, VN_NL_A_MAX, vn_nl_policy) < 0)
		return -EPROTO;
	return fn(attrs, arg);
}

int vn_nl_told(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	int saved = errno, err = take_told(nl, cmd, fn, arg);

	if (err == -EAGAIN && !nl->sock && vn_control_ended(&nl->link))
		err = -ECONNRESET;
	errno = saved;
	if (err == -ENOBUFS)
		vn_set_error("%s: some are lost, they came faster than they were read", names[cmd]);
	else if (err == -EPROTO)
		vn_set_error("%s: what %s tells makes no sense", names[cmd], nl->who);
	else if (err && err != -EAGAIN)
		broken(nl, names[cmd], err);
	return err;
}
