// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Windows and domains of the embedded device. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embed.h"

/* Domains somebody exported; an fd is recognised by its inode. */
static pthread_mutex_t exports_lock = PTHREAD_MUTEX_INITIALIZER;
static struct embed_domain *exports;

int embed_domain_new(struct embed_device *dev, struct embed_domain **to)
{
	struct embed_domain *dom = calloc(1, sizeof(*dom));

	if (!dom)
		return -ENOMEM;
	dom->dev = dev;
	dom->refs = 1;
	dom->fd = -1;
	*to = dom;
	return 0;
}

void embed_domain_put(struct embed_domain *dom)
{
	struct embed_domain **at;

	if (--dom->refs)
		return;
	pthread_mutex_lock(&exports_lock);
	for (at = &exports; *at && *at != dom; at = &(*at)->next)
		;
	if (*at)
		*at = dom->next;
	pthread_mutex_unlock(&exports_lock);
	if (dom->fd >= 0)
		close(dom->fd);
	for (u32 i = 0; i < VN_MAX_CHIPS; i++) {
		if (!dom->table.chip[i])
			continue;
		embed_table_free(dom->table.chip[i]);
		free(dom->table.chip[i]);
	}
	free(dom);
}

int embed_domain_export(struct embed_context *ctx, struct vn_domain_export *a)
{
	struct embed_domain *dom;
	struct stat st;
	int err = 0;

	pthread_mutex_lock(&ctx->dev->objects);
	dom = ctx->domain;
	pthread_mutex_lock(&exports_lock);
	if (dom->fd < 0) {
		dom->fd = memfd_create("vneuron-domain", MFD_CLOEXEC);
		err = dom->fd < 0 || fstat(dom->fd, &st) ? -errno : 0;
		if (!err) {
			dom->inode = st.st_ino;
			dom->device = st.st_dev;
			dom->next = exports;
			exports = dom;
		}
	}
	if (!err) {
		a->fd = fcntl(dom->fd, F_DUPFD_CLOEXEC, 0);
		err = a->fd < 0 ? -errno : 0;
	}
	pthread_mutex_unlock(&exports_lock);
	pthread_mutex_unlock(&ctx->dev->objects);
	return err;
}

int embed_domain_join(struct embed_context *ctx, struct vn_domain_join *a)
{
	struct embed_device *dev = ctx->dev;
	struct embed_domain *dom;
	struct stat st;
	int err = 0;

	if (fstat(a->fd, &st))
		return -EBADF;
	pthread_mutex_lock(&dev->objects);
	pthread_mutex_lock(&exports_lock);
	for (dom = exports; dom; dom = dom->next)
		if (dom->inode == st.st_ino && dom->device == st.st_dev && dom->dev == dev)
			break;
	if (dom)
		dom->refs++;
	pthread_mutex_unlock(&exports_lock);
	if (!dom)
		err = -EBADF;
	else if (dom != ctx->domain && (ctx->windows || ctx->imports))
		err = -EBUSY;
	if (!err) {
		embed_domain_put(ctx->domain);
		ctx->domain = dom;
	} else if (dom) {
		embed_domain_put(dom);
	}
	pthread_mutex_unlock(&dev->objects);
	return err;
}

/* The table of a chip, with room for one more. */
static int table_for(struct embed_domain *dom, u32 chip, struct vn_window_table **to)
{
	struct vn_window_table *t = dom->table.chip[chip];

	if (!t) {
		t = malloc(sizeof(*t));
		if (!t)
			return -ENOMEM;
		vn_table_init(t, 16);
		vn_store_release(&dom->table.chip[chip], t);
	}
	*to = t;
	return embed_table_room(t);
}

int embed_window_create(struct embed_context *ctx, struct vn_window_create *a)
{
	u64 off = a->addr & VN_ADDR_OFFSET_MASK;
	struct embed_device *dev = ctx->dev;
	struct vn_window_table *t;
	struct embed_window *w;
	struct vn_window *own;
	u32 status;
	int err = 0;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	pthread_mutex_lock(&dev->objects);
	own = vn_table_find(&ctx->own, vn_addr_name(a->addr), &status);
	if (!own || own->chip != a->chip || ((struct embed_mem *)own->owner)->leaving)
		err = -ENOENT;
	else if (off > own->bytes || a->bytes > own->bytes - off)
		err = -EINVAL;
	else
		err = table_for(ctx->domain, a->chip, &t);
	if (!err) {
		w->mem = own->owner;
		w->chip = a->chip;
		w->bytes = a->bytes;
		w->access = a->access;
		w->key = vn_table_open(t, own->hbm, off, a->bytes, a->access, ctx);
		w->next = ctx->windows;
		ctx->windows = w;
		w->mem->windows++;
		dev->windows[a->chip]++;
		a->key = w->key;
	}
	pthread_mutex_unlock(&dev->objects);
	if (err)
		free(w);
	return err;
}

/* objects held */
static void end_window(struct embed_context *ctx, struct embed_window **at)
{
	struct embed_window *w = *at;
	struct vn_window_table *t = ctx->domain->table.chip[w->chip];
	u32 status;

	vn_table_kill(vn_table_find(t, w->key, &status));
	embed_runners_pass(ctx->dev);
	vn_table_close(t, w->key);
	w->mem->windows--;
	ctx->dev->windows[w->chip]--;
	*at = w->next;
	free(w);
}

/* What a key is that no live window of the domain has. */
static int no_window(struct vn_window_table *t, u32 key)
{
	u32 status = VN_BAD_KEY;

	if (t)
		vn_table_find(t, key, &status);
	return status == VN_STALE_KEY ? -ESTALE : -ENOENT;
}

int embed_window_invalidate(struct embed_context *ctx, struct vn_window_invalidate *a)
{
	struct vn_window_table *t;
	struct embed_window **at;
	u32 status;
	int err = 0;

	pthread_mutex_lock(&ctx->dev->objects);
	t = ctx->domain->table.chip[a->chip];
	for (at = &ctx->windows; *at; at = &(*at)->next)
		if ((*at)->chip == a->chip && (*at)->key == a->key)
			break;
	if (*at)
		end_window(ctx, at);
	else
		err = t && vn_table_find(t, a->key, &status) ? -EACCES : no_window(t, a->key);
	pthread_mutex_unlock(&ctx->dev->objects);
	return err;
}

int embed_window_import(struct embed_context *ctx, struct vn_window_import *a)
{
	struct embed_import *imp = calloc(1, sizeof(*imp));
	struct vn_window_table *t;
	struct vn_window *w;
	u32 status;
	int err = 0;

	if (!imp)
		return -ENOMEM;
	pthread_mutex_lock(&ctx->dev->objects);
	t = ctx->domain->table.chip[a->chip];
	w = t ? vn_table_find(t, a->key, &status) : NULL;
	if (!w)
		err = no_window(t, a->key);
	else if ((w->access & a->access) != a->access)
		err = -EACCES;
	else if ((w->offset | w->bytes) & (VN_HBM_PAGE - 1))
		err = -EINVAL;
	if (!err) {
		a->mmap_offset = (uintptr_t)(w->hbm->base + w->offset);
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

void embed_window_release_all(struct embed_context *ctx)
{
	struct embed_import *imp;

	pthread_mutex_lock(&ctx->dev->objects);
	while (ctx->windows)
		end_window(ctx, &ctx->windows);
	pthread_mutex_unlock(&ctx->dev->objects);
	while ((imp = ctx->imports)) {
		ctx->imports = imp->next;
		free(imp);
	}
}
