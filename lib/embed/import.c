// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Imports of windows of the embedded device: their memory is in reach anyway. */
#include <errno.h>
#include <stdlib.h>

#include "embed.h"

int embed_window_import(struct embed_context *ctx, struct vn_window_import *a)
{
	struct embed_import *imp = calloc(1, sizeof(*imp));
	struct embed_window *w;
	int err;

	if (!imp)
		return -ENOMEM;
	pthread_mutex_lock(&ctx->dev->objects);
	w = embed_domain_find(ctx->domain, a->chip, a->key, &err);
	if (w && (w->access & a->access) != a->access)
		err = -EACCES;
	else if (w && (w->outside || (w->offset | w->bytes) & (VN_HBM_PAGE - 1)))
		err = -EINVAL;
	if (!err) {
		a->mmap_offset = (uintptr_t)(w->mem->hbm.base + w->offset);
		a->bytes = w->bytes;
		imp->offset = a->mmap_offset;
		imp->next = ctx->imports;
		ctx->imports = imp;
	}
	pthread_mutex_unlock(&ctx->dev->objects);
	if (err)
		free(imp);
	return err;
}

int embed_window_release(struct embed_context *ctx, struct vn_window_release *a)
{
	struct embed_import **at, *imp;
	bool found;

	pthread_mutex_lock(&ctx->dev->objects);
	for (at = &ctx->imports; *at && (*at)->offset != a->mmap_offset; at = &(*at)->next)
		;
	imp = *at;
	if (imp)
		*at = imp->next;
	pthread_mutex_unlock(&ctx->dev->objects);
	found = imp;
	free(imp);
	return found ? 0 : -ENOENT;
}

void embed_import_release_all(struct embed_context *ctx)
{
	struct embed_import *imp;

	while ((imp = ctx->imports)) {
		ctx->imports = imp->next;
		free(imp);
	}
}
