// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is in messages of the family, and the rows that dumps of them are. */
#include <errno.h>
#include <string.h>
#include <netlink/attr.h>

#include "include/vneuron/sled.h"
#include "netlink.h"

#define NOBODY 0xffffffffu

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
const struct nla_policy vn_nl_policy[VN_NL_A_MAX + 1] = {
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
	[VN_NL_A_IN_BYTES ... VN_NL_A_OFFSET] = { .type = NLA_U64 },
	[VN_NL_A_MEMORY] = { .type = NLA_U32 },
};
/* clang-format on */

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

static int take_event(struct nlattr *const *attrs, void *arg)
{
	const char *reason = vn_nl_string(attrs, VN_NL_A_REASON);
	struct vn_sled_event *e = arg;

	*e = (struct vn_sled_event){
		.sled = vn_nl_u32(attrs, VN_NL_A_SLED),
		.from = vn_nl_u32(attrs, VN_NL_A_FROM_STATE),
		.to = vn_nl_u32(attrs, VN_NL_A_SLED_STATE),
		.chips = vn_nl_u32(attrs, VN_NL_A_CHIPS),
		.rack = vn_nl_u32(attrs, VN_NL_A_RACK),
		.numa_node = vn_nl_s32(attrs, VN_NL_A_NUMA_NODE),
		.epoch = vn_nl_u32(attrs, VN_NL_A_EPOCH),
		.uid = attrs[VN_NL_A_UID] ? vn_nl_u32(attrs, VN_NL_A_UID) : NOBODY,
		.hbm_used = vn_nl_u64(attrs, VN_NL_A_HBM_USED),
		.operation = vn_nl_u64(attrs, VN_NL_A_OPERATION),
		.total_bytes = vn_nl_u64(attrs, VN_NL_A_TOTAL_BYTES),
		.copied_bytes = vn_nl_u64(attrs, VN_NL_A_COPIED_BYTES),
		.dirty_bytes = vn_nl_u64(attrs, VN_NL_A_DIRTY_BYTES),
		.estimate_ns = vn_nl_u64(attrs, VN_NL_A_ESTIMATE_NS),
		.pause_ns = vn_nl_u64(attrs, VN_NL_A_PAUSE_NS),
	};
	if (reason)
		memcpy(e->reason, reason, strnlen(reason, sizeof(e->reason) - 1));
	return 0;
}

static int next_event(void *nl, struct vn_sled_event *e)
{
	return vn_nl_told(nl, VN_NL_CMD_SLED_EVENT, take_event, e);
}

static int events_fd(void *nl)
{
	return vn_nl_fd(nl);
}

static void close_events(void *nl)
{
	vn_nl_close(nl);
}

int vn_nl_events(struct vn_nl *nl, const struct vn_event_ops **ops, void **from)
{
	static const struct vn_event_ops of_netlink = {
		.fd = events_fd,
		.next = next_event,
		.close = close_events,
	};
	int err = vn_nl_join(nl, VN_NL_GROUP_EVENTS);

	if (err) {
		vn_nl_close(nl);
		return err;
	}
	*ops = &of_netlink;
	*from = nl;
	return 0;
}
