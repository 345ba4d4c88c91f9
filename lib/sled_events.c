// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What happens to sleds, as the module tells it. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "home.h"
#include "include/vneuron/sled.h"
#include "netlink.h"

#define NOBODY 0xffffffffu

struct vn_sled_events {
	struct vn_nl *nl;
};

int vn_sled_events_open(vn_device_t dev, vn_sled_events_t *out)
{
	struct vn_sled_events *ev;
	int err;

	if (!dev->home->events)
		return vn_fail(-EOPNOTSUPP,
			       "events of sleds are seen with the kernel module; the %s device "
			       "has none",
			       dev->home->name);
	ev = malloc(sizeof(*ev));
	if (!ev)
		return vn_fail(-ENOMEM, "no memory for events");
	err = dev->home->events(dev->ctx, &ev->nl);
	if (err) {
		free(ev);
		return err;
	}
	*out = ev;
	return 0;
}

int vn_sled_events_fd(vn_sled_events_t ev)
{
	return vn_nl_fd(ev->nl);
}

void vn_sled_events_close(vn_sled_events_t ev)
{
	if (!ev)
		return;
	vn_nl_close(ev->nl);
	free(ev);
}

static int fill(struct nlattr *const *attrs, void *arg)
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

/* Until there may be something to read, or the deadline has passed. */
static int await(int fd, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = vn_now(), left = deadline > now ? deadline - now : 0;
	struct timespec t = { (time_t)(left / 1000000000), (long)(left % 1000000000) };
	int saved = errno, n;

	n = ppoll(&p, 1, deadline == VN_FOREVER ? NULL : &t, NULL);
	if (n < 0 && errno != EINTR)
		n = vn_fail(-errno, "events: %s", strerror(errno));
	else if (!n)
		n = vn_fail(-ETIMEDOUT, "events: none within the time");
	else
		n = 0;
	errno = saved;
	return n;
}

int vn_sled_events_next(vn_sled_events_t ev, struct vn_sled_event *e, uint64_t timeout_ns)
{
	uint64_t deadline = vn_deadline(timeout_ns);
	int err;

	do {
		err = vn_nl_told(ev->nl, VN_NL_CMD_SLED_EVENT, fill, e);
		if (err != -EAGAIN)
			return err;
		err = await(vn_nl_fd(ev->nl), deadline);
	} while (!err);
	return err;
}
