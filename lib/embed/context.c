// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A context of the embedded device, and its home table: the ABI's calls by number. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../kmod/engine/abi.h"
#include "../home.h"
#include "embed.h"

static int query(struct embed_context *ctx, struct vn_query *a)
{
	embed_device_query(ctx->dev, a);
	a->fence_waits = READ_ONCE(ctx->fence_waits);
	return 0;
}

static int chip_query(struct embed_context *ctx, struct vn_chip_query *a)
{
	a->attached = ctx->attached[a->chip];
	return embed_chip_query(ctx->dev, a);
}

static int sled_query(struct embed_context *ctx, struct vn_sled_query *a)
{
	return embed_sled_query(ctx->dev, a);
}

/* There are no chip nodes here: the fd is the chip's number. */
static int chip_attach(struct embed_context *ctx, struct vn_chip_attach *a)
{
	if (a->fd < 0 || (u32)a->fd >= ctx->dev->sw.chips)
		return -EBADF;
	__atomic_store_n(&ctx->attached[a->fd], 1, __ATOMIC_RELAXED);
	a->chip = a->fd;
	return 0;
}

typedef int (*call_fn)(struct embed_context *ctx, void *arg);

#define CALL(nr, fn) [(nr)&0xff] = (call_fn)(void (*)(void))(fn)

static const call_fn calls[VN_IOCTL_COUNT] = {
	CALL(VN_IOCTL_QUERY, query),
	CALL(VN_IOCTL_CHIP_ATTACH, chip_attach),
	CALL(VN_IOCTL_CHIP_QUERY, chip_query),
	CALL(VN_IOCTL_MEM_ALLOC, embed_mem_alloc),
	CALL(VN_IOCTL_MEM_FREE, embed_mem_free),
	CALL(VN_IOCTL_WINDOW_CREATE, embed_window_create),
	CALL(VN_IOCTL_WINDOW_INVALIDATE, embed_window_invalidate),
	CALL(VN_IOCTL_WINDOW_IMPORT, embed_window_import),
	CALL(VN_IOCTL_WINDOW_RELEASE, embed_window_release),
	CALL(VN_IOCTL_DOMAIN_EXPORT, embed_domain_export),
	CALL(VN_IOCTL_DOMAIN_JOIN, embed_domain_join),
	CALL(VN_IOCTL_QUEUE_CREATE, embed_queue_create),
	CALL(VN_IOCTL_QUEUE_DESTROY, embed_queue_destroy),
	CALL(VN_IOCTL_QUEUE_RESET, embed_queue_reset),
	CALL(VN_IOCTL_DOORBELL, embed_queue_doorbell),
	CALL(VN_IOCTL_WAIT, embed_wait),
	CALL(VN_IOCTL_PLAN_CREATE, embed_plan_create),
	CALL(VN_IOCTL_PLAN_DESTROY, embed_plan_destroy),
	CALL(VN_IOCTL_STATUS_CREATE, embed_status_create),
	CALL(VN_IOCTL_STATUS_DESTROY, embed_status_destroy),
	CALL(VN_IOCTL_SLED_QUERY, sled_query),
	CALL(VN_IOCTL_WINDOW_BIND, embed_window_bind),
	CALL(VN_IOCTL_MEM_EXPORT, embed_mem_export),
};

static int context_new(struct embed_device *dev, void **to)
{
	struct embed_context *ctx = calloc(1, sizeof(*ctx));
	int err = ctx ? embed_domain_new(dev, &ctx->domain) : -ENOMEM;

	if (err) {
		free(ctx);
		return vn_fail(err, "no memory for a context");
	}
	ctx->dev = dev;
	vn_table_init(&ctx->own, 8);
	pthread_mutex_init(&ctx->plans_lock, NULL);
	pthread_mutex_lock(&dev->objects);
	ctx->id = dev->next_context++;
	ctx->next = dev->contexts;
	dev->contexts = ctx;
	pthread_mutex_unlock(&dev->objects);
	*to = ctx;
	return 0;
}

static void embed_close(void *c)
{
	struct embed_context *ctx = c, **at;
	struct embed_device *dev = ctx->dev;
	bool last;

	embed_queue_release_all(ctx);
	embed_plan_release_all(ctx);
	embed_window_release_all(ctx);
	embed_import_release_all(ctx);
	embed_mem_release_all(ctx);
	embed_status_release_all(ctx);
	pthread_mutex_lock(&dev->objects);
	for (at = &dev->contexts; *at != ctx; at = &(*at)->next)
		;
	*at = ctx->next;
	last = !dev->contexts;
	embed_domain_put(ctx->domain);
	pthread_mutex_unlock(&dev->objects);
	/* There is nothing to be seen any more. */
	if (last)
		embed_control_stop(dev->control);
	pthread_mutex_destroy(&ctx->plans_lock);
	free(ctx);
	embed_device_put(dev);
}

static int embed_open(const struct vn_spec *spec, void **to)
{
	struct embed_device *dev;
	int err = embed_device_new(spec, &dev);

	if (err)
		return err;
	err = context_new(dev, to);
	if (err) {
		embed_device_put(dev);
		return err;
	}
	err = spec->control ? embed_control_start(dev) : 0;
	if (err)
		embed_close(*to);
	return err;
}

static int embed_reopen(void *c, void **peer)
{
	struct embed_device *dev = ((struct embed_context *)c)->dev;
	int err;

	embed_device_get(dev);
	err = context_new(dev, peer);
	if (err)
		embed_device_put(dev);
	return err;
}

static int embed_call(void *c, uint32_t cmd, void *arg)
{
	struct embed_context *ctx = c;
	const struct vn_call *call = vn_abi_call(cmd);
	int err;

	if (!call || !calls[cmd & 0xff])
		return -ENOTTY;
	err = vn_abi_check(cmd, arg, ctx->dev->sw.chips, vn_switch_sleds(&ctx->dev->sw));
	if (!err)
		err = calls[cmd & 0xff](ctx, arg);
	if (err)
		vn_set_error("embedded device: %s: %s", call->name, strerror(-err));
	return err;
}

static int embed_attach(void *c, uint32_t chip)
{
	struct vn_chip_attach a = { .size = sizeof(a), .fd = (int)chip };

	return embed_call(c, VN_IOCTL_CHIP_ATTACH, &a);
}

/* The memory is this process's own already; offsets are its addresses. */
static int embed_map(void *c, uint64_t offset, uint64_t bytes, bool write, void **ptr)
{
	(void)c;
	(void)bytes;
	(void)write;
	*ptr = (void *)(uintptr_t)offset;
	return 0;
}

static void embed_unmap(void *c, void *ptr, uint64_t bytes)
{
	(void)c;
	(void)ptr;
	(void)bytes;
}

static int embed_ports(void *c, struct vn_port *ports, unsigned int max)
{
	return embed_device_ports(((struct embed_context *)c)->dev, ports, max);
}

static int embed_ranks(void *c, struct vn_rank *ranks, unsigned int max)
{
	return embed_status_ranks(((struct embed_context *)c)->dev, ranks, max);
}

static int embed_session_open(void *c, struct vn_drain_open *a, void **session)
{
	struct embed_device *dev = ((struct embed_context *)c)->dev;
	int err = vn_abi_check(VN_IOCTL_DRAIN_OPEN, a, dev->sw.chips, vn_switch_sleds(&dev->sw));

	return err ?: embed_drain_open(dev, a, getuid(), (struct embed_session **)session);
}

static int embed_session_step(void *session, struct vn_drain_step *a)
{
	return embed_drain_step(session, a);
}

static void embed_session_close(void *session)
{
	embed_drain_close(session);
}

static int embed_session_cancel(void *c, uint32_t sled, uint64_t operation)
{
	return embed_sled_cancel(((struct embed_context *)c)->dev, sled, operation);
}

static int embed_make_fault(void *c, const struct vn_fault *f)
{
	return embed_fault_make(((struct embed_context *)c)->dev, f, getuid());
}

static int embed_clear_fault(void *c, const struct vn_fault *f)
{
	return embed_fault_clear(((struct embed_context *)c)->dev, f);
}

static int embed_list_faults(void *c, struct vn_fault *to, unsigned int max)
{
	return embed_fault_list(((struct embed_context *)c)->dev, to, max);
}

static int reset_chip(void *c, uint32_t chip)
{
	return embed_chip_reset(((struct embed_context *)c)->dev, chip);
}

static const struct vn_health *embed_health(void *c)
{
	return &((struct embed_context *)c)->dev->health;
}

static int events_fd(void *ev)
{
	return embed_events_fd(ev);
}

static int events_next(void *ev, struct vn_sled_event *e)
{
	return embed_events_next(ev, e);
}

static void events_close(void *ev)
{
	embed_events_close(ev);
}

static int embed_events(void *c, const struct vn_event_ops **ops, void **from)
{
	static const struct vn_event_ops own = {
		.fd = events_fd,
		.next = events_next,
		.close = events_close,
	};

	*ops = &own;
	return embed_events_open(((struct embed_context *)c)->dev, (struct embed_events **)from);
}

static int embed_fd(void *c)
{
	(void)c;
	return -1;
}

const struct vn_home vn_home_embedded = {
	.name = "embedded",
	.open = embed_open,
	.reopen = embed_reopen,
	.close = embed_close,
	.call = embed_call,
	.attach = embed_attach,
	.map = embed_map,
	.unmap = embed_unmap,
	.ports = embed_ports,
	.ranks = embed_ranks,
	.fd = embed_fd,
	.drain_open = embed_session_open,
	.drain_step = embed_session_step,
	.drain_close = embed_session_close,
	.drain_cancel = embed_session_cancel,
	.fault_make = embed_make_fault,
	.fault_clear = embed_clear_fault,
	.fault_list = embed_list_faults,
	.chip_reset = reset_chip,
	.health = embed_health,
	.events = embed_events,
	.begin = embed_mem_begin,
	.end = embed_mem_end,
};
