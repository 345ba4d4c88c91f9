// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Faults of the embedded device, made on purpose; and what becomes of HBM then. */
#include <errno.h>
#include <stdlib.h>

#include "sled.h"

void *embed_drain_room(struct embed_device *dev, size_t n, size_t size)
{
	return vn_faults_alloc(&dev->faults) ? NULL : calloc(n, size);
}

/* Threads of the program may be at it, as long as they like: they see nothing of use. */
__attribute__((no_sanitize("thread"))) static void poison(const struct vn_hbm *h)
{
	for (u64 i = 0; i < h->bytes / 8; i++)
		WRITE_ONCE(((u64 *)h->base)[i], ~0ull);
}

static bool among(const struct vn_hbm *h, const u16 *chip, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (chip[i] == h->chip)
			return true;
	return false;
}

/* What these chips had is gone; objects held. */
static void lose(struct embed_device *dev, const u16 *chip, u32 n)
{
	struct embed_context *ctx;
	struct embed_outside *o;
	struct embed_mem *m;

	if (!n)
		return;
	for (ctx = dev->contexts; ctx; ctx = ctx->next)
		for (m = ctx->mems; m; m = m->next)
			if (among(&m->hbm, chip, n))
				WRITE_ONCE(m->hbm.lost, 1);
	for (o = dev->outside; o; o = o->next)
		if (among(&o->hbm, chip, n))
			WRITE_ONCE(o->hbm.lost, 1);
	/* Who saw it before has done what he began. */
	embed_runners_wait(dev);
	for (ctx = dev->contexts; ctx; ctx = ctx->next)
		for (m = ctx->mems; m; m = m->next)
			if (among(&m->hbm, chip, n))
				poison(&m->hbm);
}

int embed_fault_make(struct embed_device *dev, const struct vn_fault *f, u32 uid)
{
	u16 lost[VN_MAX_CHIPS_PER_SLED];
	int err;
	u32 n;

	pthread_mutex_lock(&dev->objects);
	pthread_mutex_lock(&dev->sleds_lock);
	err = vn_faults_check(&dev->sw, f);
	n = err ? 0 : vn_faults_make(&dev->sw, &dev->faults, f, lost);
	if (!err && f->kind == VN_FAULT_SLED_LOSS)
		embed_sled_lost(dev, f->where, uid);
	pthread_mutex_unlock(&dev->sleds_lock);
	lose(dev, lost, n);
	pthread_mutex_unlock(&dev->objects);
	/* Who waits for what is lost, or out of reach, waits no longer. */
	embed_semaphores(dev);
	embed_events_say(dev);
	return err;
}

int embed_fault_clear(struct embed_device *dev, const struct vn_fault *f)
{
	u64 in_service = 0;
	int err;

	pthread_mutex_lock(&dev->objects);
	pthread_mutex_lock(&dev->sleds_lock);
	for (u32 i = 0; i < vn_switch_sleds(&dev->sw); i++)
		if (dev->sled[i].s.state != VN_SLED_FAULTED &&
		    dev->sled[i].s.state != VN_SLED_VALIDATING)
			in_service |= 1ull << i;
	err = vn_faults_clear(&dev->sw, &dev->faults, f, in_service);
	pthread_mutex_unlock(&dev->sleds_lock);
	pthread_mutex_unlock(&dev->objects);
	return err;
}

int embed_fault_list(struct embed_device *dev, struct vn_fault *to, unsigned int max)
{
	u32 n;

	pthread_mutex_lock(&dev->sleds_lock);
	n = vn_faults_list(&dev->sw, &dev->faults, to, max);
	pthread_mutex_unlock(&dev->sleds_lock);
	return (int)n;
}
