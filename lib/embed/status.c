// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Status pages of the embedded device: memory of this process, which it alone sees. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kmod/engine/status.h"
#include "../home.h"
#include "embed.h"

_Static_assert(sizeof(struct vn_rank_status) * VN_STATUS_ENTRIES == VN_STATUS_BYTES,
	       "a status page is full of entries");

/* objects held */
static u32 pages(const struct embed_context *ctx)
{
	u32 n = 0;

	for (const struct embed_status *s = ctx->dev->statuses; s; s = s->next)
		n += s->ctx == ctx;
	return n;
}

int embed_status_create(struct embed_context *ctx, struct vn_status_create *a)
{
	struct embed_device *dev = ctx->dev;
	struct embed_status *s = calloc(1, sizeof(*s));
	void *page = mmap(NULL, VN_STATUS_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = 0;

	if (!s || page == MAP_FAILED)
		err = -ENOMEM;
	pthread_mutex_lock(&dev->objects);
	if (!err && pages(ctx) >= VN_STATUS_PAGES_MAX)
		err = -ENOSPC;
	if (!err) {
		s->ctx = ctx;
		s->entry = page;
		s->next = dev->statuses;
		dev->statuses = s;
		a->mmap_offset = (uintptr_t)page;
		a->bytes = VN_STATUS_BYTES;
	}
	pthread_mutex_unlock(&dev->objects);
	if (err) {
		free(s);
		if (page != MAP_FAILED)
			munmap(page, VN_STATUS_BYTES);
	}
	return err;
}

/* objects held */
static void give_back(struct embed_status **at)
{
	struct embed_status *s = *at;

	*at = s->next;
	munmap(s->entry, VN_STATUS_BYTES);
	free(s);
}

int embed_status_destroy(struct embed_context *ctx, struct vn_status_destroy *a)
{
	struct embed_status **at;
	int err = -ENOENT;

	pthread_mutex_lock(&ctx->dev->objects);
	for (at = &ctx->dev->statuses; *at; at = &(*at)->next)
		if ((*at)->ctx == ctx && (uintptr_t)(*at)->entry == a->mmap_offset)
			break;
	if (*at) {
		give_back(at);
		err = 0;
	}
	pthread_mutex_unlock(&ctx->dev->objects);
	return err;
}

void embed_status_release_all(struct embed_context *ctx)
{
	struct embed_status **at;

	pthread_mutex_lock(&ctx->dev->objects);
	for (at = &ctx->dev->statuses; *at;) {
		if ((*at)->ctx == ctx)
			give_back(at);
		else
			at = &(*at)->next;
	}
	pthread_mutex_unlock(&ctx->dev->objects);
}

static void tell(struct vn_rank *r, const struct embed_context *ctx,
		 const struct vn_rank_seen *seen)
{
	const struct vn_rank_status *s = &seen->s;

	*r = (struct vn_rank){
		.context = ctx->id,
		.pid = (uint32_t)getpid(),
		.uid = getuid(),
		.ranks = s->ranks,
		.rank = s->rank,
		.chip = s->chip,
		.flags = s->flags,
		.error = s->error,
		.started = s->started,
		.posted = s->posted,
		.completed = s->completed,
		.waits_ns = s->since_ns,
		.number = s->number,
		.bytes = s->bytes,
		.pending = s->pending,
		.op = s->op,
		.type = s->type,
		.redop = s->redop,
		.root = s->root,
	};
	memcpy(r->comm, seen->name, VN_COMM_NAME);
}

int embed_status_ranks(struct embed_device *dev, struct vn_rank *ranks, unsigned int max)
{
	struct vn_rank_seen seen;
	uint64_t now = vn_now();
	unsigned int n = 0;

	pthread_mutex_lock(&dev->objects);
	for (const struct embed_status *s = dev->statuses; s; s = s->next) {
		for (u32 i = 0; i < VN_STATUS_ENTRIES; i++) {
			if (!vn_status_see(&s->entry[i], dev->sw.chips, now, &seen))
				continue;
			if (n < max)
				tell(&ranks[n], s->ctx, &seen);
			n++;
		}
	}
	pthread_mutex_unlock(&dev->objects);
	return (int)n;
}
