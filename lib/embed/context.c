// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A context of the embedded device, and its home table: the ABI's calls by number. */
#include <errno.h>
#include <stdlib.h>

#include "../../kmod/engine/abi.h"
#include "../home.h"
#include "embed.h"

static int query(struct embed_context *ctx, struct vn_query *a)
{
	const struct vn_switch *sw = &ctx->dev->sw;

	*a = (struct vn_query){
		.size = a->size,
		.abi = VN_ABI_VERSION,
		.sleds = sw->sleds,
		.chips_per_sled = sw->chips_per_sled,
		.chips = sw->chips,
		.racks = sw->racks,
		.epoch = READ_ONCE(sw->epoch),
		.hbm_bytes = ctx->dev->hbm,
		.tick_hz = 1000000000,
		.page_size = 4096,
		.spares = sw->spares,
		.features = VN_FEATURE_EVENTFD | VN_FEATURE_IMPORT | VN_FEATURE_PLAN |
			    VN_FEATURE_STATUS | (ctx->dev->avx2 ? VN_FEATURE_AVX2 : 0),
		.fence_waits = READ_ONCE(ctx->fence_waits),
	};
	return 0;
}

static int chip_query(struct embed_context *ctx, struct vn_chip_query *a)
{
	struct embed_device *dev = ctx->dev;
	const struct vn_switch *sw = &dev->sw;

	pthread_mutex_lock(&dev->objects);
	a->slot = sw->slot_of[a->chip];
	a->sled = vn_switch_sled(sw, a->slot);
	a->rack = vn_switch_rack(sw, a->sled);
	a->numa_node = dev->nodes > 1 ? (s32)(a->sled * dev->nodes / sw->sleds) : -1;
	a->epoch = sw->epoch;
	a->attached = ctx->attached[a->chip];
	a->hbm_bytes = dev->hbm;
	a->hbm_used = dev->hbm_used[a->chip];
	a->queues = dev->queues[a->chip];
	a->windows = dev->windows[a->chip];
	pthread_mutex_unlock(&dev->objects);
	return 0;
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
	CALL(VN_IOCTL_SLED_QUERY, embed_sled_query),
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

static int embed_open(const struct vn_spec *spec, void **to)
{
	struct embed_device *dev;
	int err = embed_device_new(spec, &dev);

	if (err)
		return err;
	err = context_new(dev, to);
	if (err)
		embed_device_put(dev);
	return err;
}

static int embed_reopen(void *c, void **peer)
{
	struct embed_device *dev = ((struct embed_context *)c)->dev;
	int err;

	pthread_mutex_lock(&dev->objects);
	dev->refs++;
	pthread_mutex_unlock(&dev->objects);
	err = context_new(dev, peer);
	if (err)
		embed_device_put(dev);
	return err;
}

static void embed_close(void *c)
{
	struct embed_context *ctx = c, **at;
	struct embed_device *dev = ctx->dev;

	embed_queue_release_all(ctx);
	embed_plan_release_all(ctx);
	embed_window_release_all(ctx);
	embed_mem_release_all(ctx);
	embed_status_release_all(ctx);
	pthread_mutex_lock(&dev->objects);
	for (at = &dev->contexts; *at != ctx; at = &(*at)->next)
		;
	*at = ctx->next;
	embed_domain_put(ctx->domain);
	pthread_mutex_unlock(&dev->objects);
	pthread_mutex_destroy(&ctx->plans_lock);
	free(ctx);
	embed_device_put(dev);
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
	struct embed_device *dev = ((struct embed_context *)c)->dev;
	u32 n = 0;

	for (u32 slot = 0; slot < dev->sw.slots; slot++) {
		for (u32 plane = 0; plane < VN_PLANES; plane++, n++) {
			struct vn_port p = { .slot = slot, .plane = plane };

			for (u32 i = 0; i < dev->nrunners; i++) {
				const struct vn_traffic *t = &dev->runners[i].r.traffic;

				p.tx_bytes += READ_ONCE(t->tx[slot][plane]);
				p.rx_bytes += READ_ONCE(t->rx[slot][plane]);
				p.local_bytes += plane ? 0 : READ_ONCE(t->local[slot]);
			}
			if (n < max)
				ports[n] = p;
		}
	}
	return (int)n;
}

static int embed_ranks(void *c, struct vn_rank *ranks, unsigned int max)
{
	return embed_status_ranks(((struct embed_context *)c)->dev, ranks, max);
}

static int embed_session_open(void *c, struct vn_drain_open *a, void **session)
{
	struct embed_device *dev = ((struct embed_context *)c)->dev;
	int err = vn_abi_check(VN_IOCTL_DRAIN_OPEN, a, dev->sw.chips, vn_switch_sleds(&dev->sw));

	return err ?: embed_drain_open(dev, a, (struct embed_session **)session);
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
	return embed_fault_make(((struct embed_context *)c)->dev, f);
}

static int embed_clear_fault(void *c, const struct vn_fault *f)
{
	return embed_fault_clear(((struct embed_context *)c)->dev, f);
}

static int embed_list_faults(void *c, struct vn_fault *to, unsigned int max)
{
	return embed_fault_list(((struct embed_context *)c)->dev, to, max);
}

static const struct vn_health *embed_health(void *c)
{
	return &((struct embed_context *)c)->dev->health;
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
	.health = embed_health,
	.begin = embed_mem_begin,
	.end = embed_mem_end,
};
