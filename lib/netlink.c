// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Client of the module's generic netlink family. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/genl/ctrl.h>
#include <netlink/msg.h>

#include "error.h"
#include "netlink.h"

struct vn_nl {
	struct nl_sock *sock;
	int family;
};

/* One dump, or request, on its way. */
struct dump {
	const char *what;
	vn_nl_fn fn;
	void *arg;
	int err;
	bool done;
};

struct ranks {
	struct vn_rank *ranks;
	unsigned int max;
	unsigned int n;
};

struct ports {
	struct vn_port *ports;
	unsigned int max;
	unsigned int n;
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

static const struct nla_policy policy[VN_NL_A_MAX + 1] = {
	[VN_NL_A_DEVICE] = { .type = NLA_U32 },
	[VN_NL_A_VERSION] = { .type = NLA_STRING },
	[VN_NL_A_ABI ... VN_NL_A_PLANES] = { .type = NLA_U32 },
	[VN_NL_A_PROFILE ... VN_NL_A_SIMD] = { .type = NLA_STRING },
	[VN_NL_A_EPOCH ... VN_NL_A_NUMA_NODE] = { .type = NLA_U32 },
	[VN_NL_A_HBM_BYTES ... VN_NL_A_HBM_USED] = { .type = NLA_U64 },
	[VN_NL_A_QUEUES ... VN_NL_A_PLANE] = { .type = NLA_U32 },
	[VN_NL_A_TX_BYTES ... VN_NL_A_LOCAL_BYTES] = { .type = NLA_U64 },
	[VN_NL_A_CONTEXT ... VN_NL_A_STATUS] = { .type = NLA_U32 },
	[VN_NL_A_DONE] = { .type = NLA_U64 },
	[VN_NL_A_KEY] = { .type = NLA_U32 },
	[VN_NL_A_BYTES] = { .type = NLA_U64 },
	[VN_NL_A_ACCESS ... VN_NL_A_DESCS] = { .type = NLA_U32 },
	[VN_NL_A_LAUNCHES] = { .type = NLA_U64 },
	[VN_NL_A_COMM] = { .type = NLA_STRING },
	[VN_NL_A_RANKS ... VN_NL_A_ERROR] = { .type = NLA_U32 },
	[VN_NL_A_STARTED ... VN_NL_A_COMPLETED] = { .type = NLA_U64 },
	[VN_NL_A_PENDING] = { .type = NLA_U32 },
	[VN_NL_A_WAITS_NS ... VN_NL_A_NUMBER] = { .type = NLA_U64 },
	[VN_NL_A_OP ... VN_NL_A_ROOT] = { .type = NLA_U32 },
	[VN_NL_A_FENCE_WAITS] = { .type = NLA_U64 },
	[VN_NL_A_SLED_STATE] = { .type = NLA_U32 },
	[VN_NL_A_OPERATION] = { .type = NLA_U64 },
	[VN_NL_A_REASON] = { .type = NLA_STRING },
	[VN_NL_A_TOTAL_BYTES ... VN_NL_A_PAUSE_NS] = { .type = NLA_U64 },
	[VN_NL_A_FROM_STATE ... VN_NL_A_COUNT] = { .type = NLA_U32 },
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

static int open_socket(struct vn_nl *nl)
{
	int on = 1, err;

	err = genl_connect(nl->sock);
	if (err < 0) {
		vn_set_error("generic netlink: %s", nl_geterror(err));
		return to_errno(err);
	}
	/* Refusals then bring their text; without it there is only the errno. */
	setsockopt(nl_socket_get_fd(nl->sock), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));

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
	err = open_socket(nl);
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

void vn_nl_close(struct vn_nl *nl)
{
	int saved = errno;

	if (!nl)
		return;
	nl_socket_free(nl->sock);
	free(nl);
	errno = saved;
}

/* hlen: what lies between the netlink header and the attributes of an extack. */
static void refused(struct dump *d, struct nlmsghdr *h, int hlen, int err)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	const struct nlattr *msg = NULL;

	if (h->nlmsg_flags & NLM_F_ACK_TLVS && !nlmsg_parse(h, hlen, tb, NLMSGERR_ATTR_MAX, NULL))
		msg = tb[NLMSGERR_ATTR_MSG];
	if (msg)
		vn_set_error("%s: %.*s (%s)", d->what, (int)strnlen(nla_data(msg), nla_len(msg)),
			     (const char *)nla_data(msg), strerror(-err));
	else
		vn_set_error("%s: %s", d->what, strerror(-err));
	d->err = err;
}

static int on_error(struct sockaddr_nl *who, struct nlmsgerr *e, void *arg)
{
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)e - NLMSG_HDRLEN);
	int hlen = sizeof(*e);

	(void)who;
	/* The kernel sends our own message back, unless it says it has not. */
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		hlen += (int)(e->msg.nlmsg_len - sizeof(e->msg));
	refused(arg, h, hlen, e->error);
	((struct dump *)arg)->done = true;
	return NL_STOP;
}

/* A dump that fails half-way says so in its last message. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct dump *d = arg;
	int err = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(err))
		memcpy(&err, nlmsg_data(h), sizeof(err));
	if (err < 0 && !d->err)
		refused(d, h, sizeof(err), err);
	d->done = true;
	return NL_STOP;
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[VN_NL_A_MAX + 1];
	struct dump *d = arg;

	/* The rest of a dump that failed here is read and thrown away. */
	if (d->err)
		return NL_OK;
	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, VN_NL_A_MAX, policy) < 0) {
		vn_set_error("%s: the kernel's answer makes no sense", d->what);
		d->err = -EPROTO;
		return NL_OK;
	}
	d->err = d->fn(attrs, d->arg);
	return NL_OK;
}

/* The answer to a request that asks for nothing back. */
static int on_ack(struct nl_msg *msg, void *arg)
{
	(void)msg;
	((struct dump *)arg)->done = true;
	return NL_STOP;
}

static int on_interrupted(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

static int receive(struct vn_nl *nl, struct dump *d)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int err = 0;

	if (!cb) {
		vn_set_error("%s: out of memory", d->what);
		return -ENOMEM;
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, d);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, d);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, d);
	nl_cb_set(cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, d);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, d);

	while (!d->done && err >= 0)
		err = nl_recvmsgs(nl->sock, cb);
	nl_cb_put(cb);
	if (d->done || d->err)
		return d->err;
	vn_set_error("%s: netlink: %s", d->what, nl_geterror(err));
	return to_errno(err);
}

/* NULL: there is no memory. */
static struct nl_msg *message(struct vn_nl *nl, enum vn_nl_cmd cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, flags, (uint8_t)cmd,
				VN_NL_VERSION)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/* Sends it, frees it, and receives what it brings. */
static int ask(struct vn_nl *nl, struct nl_msg *msg, struct dump *d)
{
	int saved = errno, err = -ENOMEM;

	if (!msg) {
		vn_set_error("%s: out of memory", d->what);
		goto out;
	}
	err = nl_send_auto(nl->sock, msg);
	if (err < 0) {
		vn_set_error("%s: netlink: %s", d->what, nl_geterror(err));
		err = to_errno(err);
		goto out;
	}
	err = receive(nl, d);

out:
	nlmsg_free(msg);
	errno = saved;
	return err;
}

int vn_nl_dump(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	struct dump d = { .what = names[cmd], .fn = fn, .arg = arg };

	return ask(nl, message(nl, cmd, NLM_F_DUMP), &d);
}

int vn_nl_cancel(struct vn_nl *nl, uint32_t sled, uint64_t operation)
{
	struct nl_msg *msg = message(nl, VN_NL_CMD_DRAIN_CANCEL, 0);
	char what[24];
	struct dump d = { .what = what };

	snprintf(what, sizeof(what), "sled %u", sled);
	if (msg && (nla_put_u32(msg, VN_NL_A_SLED, sled) ||
		    (operation && nla_put_u64(msg, VN_NL_A_OPERATION, operation)))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return ask(nl, msg, &d);
}

static int about_fault(struct vn_nl *nl, enum vn_nl_cmd cmd, const struct vn_fault *f)
{
	struct nl_msg *msg = message(nl, cmd, 0);
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

/* ---- what is told ---------------------------------------------------------------- */

int vn_nl_join(struct vn_nl *nl, const char *group)
{
	int saved = errno, number, err;

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
	return nl_socket_get_fd(nl->sock);
}

/* Not by libnl, which has one number for lost messages and for lack of memory. */
static ssize_t next_message(struct vn_nl *nl, void *buf, size_t bytes)
{
	struct sockaddr_nl from;
	socklen_t len = sizeof(from);
	ssize_t n;

	do {
		memset(&from, 0, sizeof(from));
		n = recvfrom(vn_nl_fd(nl), buf, bytes, MSG_DONTWAIT, (struct sockaddr *)&from,
			     &len);
		/* Others than the kernel have nothing to tell. */
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid));
	return n < 0 ? -errno : n;
}

static int take_message(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	union {
		struct nlmsghdr h;
		char bytes[8192];
	} buf;
	struct nlattr *attrs[VN_NL_A_MAX + 1];
	ssize_t n;

	do {
		n = next_message(nl, &buf, sizeof(buf));
		if (n < 0)
			return (int)n;
	} while (!nlmsg_ok(&buf.h, (int)n) || buf.h.nlmsg_type != nl->family ||
		 !genlmsg_valid_hdr(&buf.h, 0) || genlmsg_hdr(&buf.h)->cmd != cmd);
	if (genlmsg_parse(&buf.h, 0, attrs, VN_NL_A_MAX, policy) < 0)
		return -EPROTO;
	return fn(attrs, arg);
}

int vn_nl_told(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg)
{
	int saved = errno, err = take_message(nl, cmd, fn, arg);

	errno = saved;
	if (err == -ENOBUFS)
		vn_set_error("%s: some are lost, they came faster than they were read", names[cmd]);
	else if (err == -EPROTO)
		vn_set_error("%s: what the kernel tells makes no sense", names[cmd]);
	else if (err)
		vn_set_error("%s: %s", names[cmd], strerror(-err));
	return err;
}

/* ---- what is in a message --------------------------------------------------------- */

uint32_t vn_nl_u32(struct nlattr *const *attrs, enum vn_nl_attr attr)
{
	return attrs[attr] ? nla_get_u32(attrs[attr]) : 0;
}

int32_t vn_nl_s32(struct nlattr *const *attrs, enum vn_nl_attr attr)
{
	return attrs[attr] ? (int32_t)nla_get_u32(attrs[attr]) : -1;
}

uint64_t vn_nl_u64(struct nlattr *const *attrs, enum vn_nl_attr attr)
{
	return attrs[attr] ? nla_get_u64(attrs[attr]) : 0;
}

const char *vn_nl_string(struct nlattr *const *attrs, enum vn_nl_attr attr)
{
	return attrs[attr] ? nla_get_string(attrs[attr]) : NULL;
}

static int take_port(struct nlattr *const *attrs, void *arg)
{
	struct ports *p = arg;

	if (vn_nl_u32(attrs, VN_NL_A_DEVICE))
		return 0;
	if (p->n < p->max) {
		p->ports[p->n].slot = vn_nl_u32(attrs, VN_NL_A_SLOT);
		p->ports[p->n].plane = vn_nl_u32(attrs, VN_NL_A_PLANE);
		p->ports[p->n].tx_bytes = vn_nl_u64(attrs, VN_NL_A_TX_BYTES);
		p->ports[p->n].rx_bytes = vn_nl_u64(attrs, VN_NL_A_RX_BYTES);
		p->ports[p->n].local_bytes = vn_nl_u64(attrs, VN_NL_A_LOCAL_BYTES);
	}
	p->n++;
	return 0;
}

int vn_nl_ports(struct vn_nl *nl, struct vn_port *ports, unsigned int max)
{
	struct ports p = { .ports = ports, .max = max };
	int err = vn_nl_dump(nl, VN_NL_CMD_PORT, take_port, &p);

	return err ? err : (int)p.n;
}

static int take_rank(struct nlattr *const *attrs, void *arg)
{
	const char *comm = vn_nl_string(attrs, VN_NL_A_COMM);
	struct ranks *p = arg;
	struct vn_rank *r;

	if (p->n++ >= p->max)
		return 0;
	r = &p->ranks[p->n - 1];
	memset(r, 0, sizeof(*r));
	if (comm)
		memcpy(r->comm, comm, strnlen(comm, sizeof(r->comm) - 1));
	r->context = vn_nl_u32(attrs, VN_NL_A_CONTEXT);
	r->pid = vn_nl_u32(attrs, VN_NL_A_PID);
	r->uid = vn_nl_u32(attrs, VN_NL_A_UID);
	r->ranks = vn_nl_u32(attrs, VN_NL_A_RANKS);
	r->rank = vn_nl_u32(attrs, VN_NL_A_RANK);
	r->chip = vn_nl_u32(attrs, VN_NL_A_CHIP);
	r->flags = vn_nl_u32(attrs, VN_NL_A_FLAGS);
	r->error = vn_nl_u32(attrs, VN_NL_A_ERROR);
	r->started = vn_nl_u64(attrs, VN_NL_A_STARTED);
	r->posted = vn_nl_u64(attrs, VN_NL_A_POSTED);
	r->completed = vn_nl_u64(attrs, VN_NL_A_COMPLETED);
	r->waits_ns = vn_nl_u64(attrs, VN_NL_A_WAITS_NS);
	r->pending = vn_nl_u32(attrs, VN_NL_A_PENDING);
	r->number = vn_nl_u64(attrs, VN_NL_A_NUMBER);
	r->bytes = vn_nl_u64(attrs, VN_NL_A_BYTES);
	r->op = vn_nl_u32(attrs, VN_NL_A_OP);
	r->type = vn_nl_u32(attrs, VN_NL_A_TYPE);
	r->redop = vn_nl_u32(attrs, VN_NL_A_REDOP);
	r->root = vn_nl_u32(attrs, VN_NL_A_ROOT);
	return 0;
}

int vn_nl_ranks(struct vn_nl *nl, struct vn_rank *ranks, unsigned int max)
{
	struct ranks p = { .ranks = ranks, .max = max };
	int err = vn_nl_dump(nl, VN_NL_CMD_RANK, take_rank, &p);

	return err ? err : (int)p.n;
}

struct faults {
	struct vn_fault *to;
	unsigned int max, n;
};

static int take_fault(struct nlattr *const *attrs, void *arg)
{
	struct faults *p = arg;

	if (p->n < p->max)
		p->to[p->n] = (struct vn_fault){
			.kind = vn_nl_u32(attrs, VN_NL_A_FAULT),
			.where = vn_nl_u32(attrs, VN_NL_A_WHERE),
			.slot = vn_nl_u32(attrs, VN_NL_A_SLOT),
			.count = vn_nl_u32(attrs, VN_NL_A_COUNT),
		};
	p->n++;
	return 0;
}

int vn_nl_faults(struct vn_nl *nl, struct vn_fault *to, unsigned int max)
{
	struct faults p = { .to = to, .max = max };
	int err = vn_nl_dump(nl, VN_NL_CMD_FAULT, take_fault, &p);

	return err ? err : (int)p.n;
}
