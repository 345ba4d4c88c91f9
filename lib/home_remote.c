// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The embedded device of another process, over its socket (control.h): looking at it,
 * draining its sleds, and making faults. All else is that process's own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "home.h"
#include "netlink.h"

struct remote {
	uint32_t pid, number;
	pthread_mutex_t nl_lock;
	struct vn_nl *nl; /* for what is answered at once */
	struct vn_health health; /* read atomically; as the last QUERY has found it */
};

static int connect_to(const struct remote *r, struct vn_nl **nl)
{
	return vn_nl_open_process(r->pid, r->number, nl);
}

static int open_process(uint32_t pid, uint32_t number, void **ctx)
{
	struct remote *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return vn_fail(-ENOMEM, "no memory for a device handle");
	r->pid = pid;
	r->number = number;
	err = connect_to(r, &r->nl);
	if (err) {
		free(r);
		return err;
	}
	pthread_mutex_init(&r->nl_lock, NULL);
	*ctx = r;
	return 0;
}

static int remote_open(const struct vn_spec *spec, void **ctx)
{
	return open_process(spec->pid, spec->number, ctx);
}

static int remote_reopen(void *ctx, void **peer)
{
	const struct remote *r = ctx;

	return open_process(r->pid, r->number, peer);
}

static void remote_close(void *ctx)
{
	struct remote *r = ctx;

	vn_nl_close(r->nl);
	pthread_mutex_destroy(&r->nl_lock);
	free(r);
}

static int not_ours(const struct remote *r)
{
	return vn_fail(-EOPNOTSUPP,
		       "pid:%u: only looking and draining: memory, queues and plans are that "
		       "process's own",
		       r->pid);
}

/* nl_lock held */
static int look_for_lost(struct remote *r)
{
	uint32_t *to = (uint32_t *)&r->health;
	struct vn_health now;
	int err = vn_nl_health(r->nl, &now);

	for (uint32_t i = 0; !err && i < sizeof(now) / sizeof(*to); i++)
		__atomic_store_n(&to[i], ((const uint32_t *)&now)[i], __ATOMIC_RELAXED);
	return err;
}

static int remote_call(void *ctx, uint32_t cmd, void *arg)
{
	struct remote *r = ctx;
	int err;

	if (cmd != VN_IOCTL_QUERY && cmd != VN_IOCTL_CHIP_QUERY && cmd != VN_IOCTL_SLED_QUERY)
		return not_ours(r);
	pthread_mutex_lock(&r->nl_lock);
	err = vn_nl_call(r->nl, cmd, arg);
	if (!err && cmd == VN_IOCTL_QUERY)
		err = look_for_lost(r);
	pthread_mutex_unlock(&r->nl_lock);
	return err;
}

static const struct vn_health *remote_health(void *ctx)
{
	return &((struct remote *)ctx)->health;
}

static int remote_attach(void *ctx, uint32_t chip)
{
	(void)chip;
	return not_ours(ctx);
}

static int remote_map(void *ctx, uint64_t offset, uint64_t bytes, bool write, void **ptr)
{
	(void)offset;
	(void)bytes;
	(void)write;
	(void)ptr;
	return not_ours(ctx);
}

/* Nothing ever was. */
static void remote_unmap(void *ctx, void *ptr, uint64_t bytes)
{
	(void)ctx;
	(void)ptr;
	(void)bytes;
}

static int remote_ports(void *ctx, struct vn_port *ports, unsigned int max)
{
	struct remote *r = ctx;
	int n;

	pthread_mutex_lock(&r->nl_lock);
	n = vn_nl_ports(r->nl, ports, max);
	pthread_mutex_unlock(&r->nl_lock);
	return n;
}

static int remote_ranks(void *ctx, struct vn_rank *ranks, unsigned int max)
{
	struct remote *r = ctx;
	int n;

	pthread_mutex_lock(&r->nl_lock);
	n = vn_nl_ranks(r->nl, ranks, max);
	pthread_mutex_unlock(&r->nl_lock);
	return n;
}

static int remote_fd(void *ctx)
{
	(void)ctx;
	return -1;
}

/* A session is a connection of its own: it ends when that does, however it does. */
static int remote_drain_open(void *ctx, struct vn_drain_open *a, void **session)
{
	struct vn_nl *nl;
	int err = connect_to(ctx, &nl);

	*session = NULL;
	if (err)
		return err;
	vn_nl_patience(nl, VN_CONTROL_RUNNING);
	err = vn_nl_call(nl, VN_IOCTL_DRAIN_OPEN, a);
	if (err || a->flags & (VN_DRAIN_DRY_RUN | VN_DRAIN_MAINTAIN))
		vn_nl_close(nl);
	else
		*session = nl;
	return err;
}

/* Who gives up on a step that can't be undone would not know whether it was done. */
static int remote_drain_step(void *session, struct vn_drain_step *a)
{
	bool final = a->to == VN_SLED_COMMITTED || a->to == VN_SLED_IN_SERVICE;

	vn_nl_patience(session, final ? VN_CONTROL_ALIVE : VN_CONTROL_RUNNING);
	return vn_nl_call(session, VN_IOCTL_DRAIN_STEP, a);
}

static void remote_drain_close(void *session)
{
	vn_nl_close_session(session);
}

static int remote_drain_cancel(void *ctx, uint32_t sled, uint64_t operation)
{
	struct remote *r = ctx;
	int err;

	pthread_mutex_lock(&r->nl_lock);
	err = vn_nl_cancel(r->nl, sled, operation);
	pthread_mutex_unlock(&r->nl_lock);
	return err;
}

static int about_fault(struct remote *r, int (*what)(struct vn_nl *nl, const struct vn_fault *f),
		       const struct vn_fault *f)
{
	int err;

	pthread_mutex_lock(&r->nl_lock);
	err = what(r->nl, f);
	pthread_mutex_unlock(&r->nl_lock);
	return err;
}

static int remote_fault_make(void *ctx, const struct vn_fault *f)
{
	return about_fault(ctx, vn_nl_fault_make, f);
}

static int remote_fault_clear(void *ctx, const struct vn_fault *f)
{
	return about_fault(ctx, vn_nl_fault_clear, f);
}

static int remote_fault_list(void *ctx, struct vn_fault *to, unsigned int max)
{
	struct remote *r = ctx;
	int n;

	pthread_mutex_lock(&r->nl_lock);
	n = vn_nl_faults(r->nl, to, max);
	pthread_mutex_unlock(&r->nl_lock);
	return n;
}

static int remote_chip_reset(void *ctx, uint32_t chip)
{
	struct remote *r = ctx;
	int err;

	pthread_mutex_lock(&r->nl_lock);
	err = vn_nl_chip_reset(r->nl, chip);
	pthread_mutex_unlock(&r->nl_lock);
	return err;
}

static int remote_events(void *ctx, const struct vn_event_ops **ops, void **from)
{
	struct vn_nl *nl;
	int err = connect_to(ctx, &nl);

	return err ?: vn_nl_events(nl, ops, from);
}

static int remote_netlink(void *ctx, struct vn_nl **nl)
{
	return connect_to(ctx, nl);
}

const struct vn_home vn_home_remote = {
	.name = "remote",
	.open = remote_open,
	.reopen = remote_reopen,
	.close = remote_close,
	.call = remote_call,
	.attach = remote_attach,
	.map = remote_map,
	.unmap = remote_unmap,
	.ports = remote_ports,
	.ranks = remote_ranks,
	.fd = remote_fd,
	.drain_open = remote_drain_open,
	.drain_step = remote_drain_step,
	.drain_close = remote_drain_close,
	.drain_cancel = remote_drain_cancel,
	.fault_make = remote_fault_make,
	.fault_clear = remote_fault_clear,
	.fault_list = remote_fault_list,
	.chip_reset = remote_chip_reset,
	.health = remote_health,
	.events = remote_events,
	.netlink = remote_netlink,
};
