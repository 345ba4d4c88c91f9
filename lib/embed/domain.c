// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Domains of the embedded device, in which keys resolve. */
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

int embed_domain_table(struct embed_domain *dom, u32 chip, struct vn_window_table **to)
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

struct embed_window *embed_domain_find(struct embed_domain *dom, u32 chip, u32 key, int *err)
{
	struct vn_window_table *t = dom->table.chip[chip];
	u32 status = VN_BAD_KEY;
	struct vn_window *w = t ? vn_table_find(t, key, &status) : NULL;

	*err = w ? 0 : status == VN_STALE_KEY ? -ESTALE : -ENOENT;
	return w ? w->owner : NULL;
}
