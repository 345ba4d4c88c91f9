// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Resetting a chip of the embedded device under load. */
#include "embed.h"

/*
 * HBM is not touched, nor where it lies: a drain of the sled goes on as it would with
 * another program.
 */
int embed_chip_reset(struct embed_device *dev, u32 chip)
{
	struct embed_context *ctx;

	pthread_mutex_lock(&dev->objects);
	vn_faults_reset(&dev->faults, chip);
	for (ctx = dev->contexts; ctx; ctx = ctx->next) {
		embed_window_end_chip(ctx, chip);
		for (u32 id = 0; id < EMBED_QUEUES_MAX; id++)
			if (ctx->queues[id])
				embed_halt(ctx->queues[id], chip);
	}
	/* Who saw what is gone has done what he began; who waits for it waits no longer. */
	embed_runners_wait(dev);
	pthread_mutex_unlock(&dev->objects);
	embed_semaphores(dev);
	return 0;
}
