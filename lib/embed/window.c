// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Windows of the embedded device. All below objects. */
#include <errno.h>
#include <stdlib.h>

#include "embed.h"

static struct vn_window_table *table_of(const struct embed_window *w)
{
	return w->ctx->domain->table.chip[w->chip];
}

static struct vn_hbm *hbm_of(const struct embed_window *w)
{
	return w->outside ? &w->outside->hbm : &w->mem->hbm;
}

/* ---- lists: O(1), there may be a million -------------------------------------------- */

static void list_add(struct embed_window *w)
{
	w->at = &w->ctx->windows;
	w->next = *w->at;
	if (w->next)
		w->next->at = &w->next;
	*w->at = w;
	w->ctx->nwindows++;
}

static void list_remove(struct embed_window *w)
{
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	w->ctx->nwindows--;
}

static void part_add(struct embed_window *w, struct embed_window *parent)
{
	w->part_at = &parent->parts;
	w->part_next = *w->part_at;
	if (w->part_next)
		w->part_next->part_at = &w->part_next;
	*w->part_at = w;
}

static void part_remove(struct embed_window *w)
{
	if (!w->part_at)
		return;
	*w->part_at = w->part_next;
	if (w->part_next)
		w->part_next->part_at = w->part_at;
}

/* ---- beginning ------------------------------------------------------------------------ */

/* It lies on own HBM. */
static int place_own(struct embed_window *w, u64 addr)
{
	u64 off = addr & VN_ADDR_OFFSET_MASK;
	struct vn_window *own;
	u32 status;

	own = vn_table_find(&w->ctx->own, vn_addr_name(addr), &status);
	if (!own || own->chip != w->chip || ((struct embed_mem *)own->owner)->leaving)
		return -ENOENT;
	if (off > own->bytes || w->bytes > own->bytes - off)
		return -EINVAL;
	w->mem = own->owner;
	w->offset = off;
	return 0;
}

/* It is part of another. */
static int place_part(struct embed_window *w, const struct vn_window_create *a,
		      struct embed_window **parent)
{
	struct embed_window *p;
	int err;

	p = embed_domain_find(w->ctx->domain, w->chip, a->parent, &err);
	if (!p)
		return err;
	if ((p->access & w->access) != w->access)
		return -EACCES;
	if (a->addr > p->bytes || w->bytes > p->bytes - a->addr)
		return -EINVAL;
	w->mem = p->mem;
	w->outside = p->outside;
	w->offset = p->offset + a->addr;
	*parent = p;
	return 0;
}

static int place(struct embed_window *w, const struct vn_window_create *a,
		 struct embed_window **parent)
{
	if (a->flags & VN_WINDOW_PARENT)
		return place_part(w, a, parent);
	if (a->flags & (VN_WINDOW_USER | VN_WINDOW_DMABUF))
		return embed_outside_new(w->ctx, a, &w->outside, &w->offset);
	return place_own(w, a->addr);
}

/* Its key resolves; nothing fails any more. */
static void begin(struct embed_window *w)
{
	if (w->mem)
		w->mem->windows++;
	w->ctx->dev->windows[w->chip]++;
	list_add(w);
}

/* The queue that it is to be bound to, if it is to any. */
static int find_receiver(struct embed_context *ctx, const struct vn_window_create *a,
			 struct embed_window *w)
{
	if (!(a->flags & VN_WINDOW_QUEUE))
		return 0;
	if (a->queue >= EMBED_QUEUES_MAX || !ctx->queues[a->queue])
		return -ENOENT;
	w->inbox = embed_inbox_get(ctx->queues[a->queue]);
	w->user_data = a->user_data;
	return w->inbox ? 0 : -ENOMEM;
}

static void bind_receiver(struct embed_window *w)
{
	u32 status;

	if (w->inbox)
		vn_table_bind(vn_table_find(table_of(w), w->key, &status), &w->inbox->inbox,
			      w->user_data);
}

int embed_window_create(struct embed_context *ctx, struct vn_window_create *a)
{
	struct embed_window *w = calloc(1, sizeof(*w)), *parent = NULL;
	struct vn_window_table *t;
	int err;

	if (!w)
		return -ENOMEM;
	w->ctx = ctx;
	w->chip = a->chip;
	w->bytes = a->bytes;
	w->access = a->access;
	pthread_mutex_lock(&ctx->dev->objects);
	err = find_receiver(ctx, a, w) ?: embed_domain_table(ctx->domain, a->chip, &t);
	err = err ?: place(w, a, &parent);
	if (!err) {
		w->key = vn_table_open(t, hbm_of(w), w->offset, w->bytes, w->access, w);
		bind_receiver(w);
		if (parent)
			part_add(w, parent);
		if (parent && w->outside)
			w->outside->refs++;
		begin(w);
		a->key = w->key;
	}
	if (err && w->inbox)
		embed_inbox_put(w->inbox);
	pthread_mutex_unlock(&ctx->dev->objects);
	if (err)
		free(w);
	return err;
}

/* ---- ending ----------------------------------------------------------------------------- */

/*
 * The keys of it and of all its parts stop resolving, and nobody lists them any more: they
 * follow *tail, by part_next. Then wait for the runners, then end().
 */
static void doom(struct embed_window *w, struct embed_window ***tail)
{
	u32 status;

	part_remove(w);
	w->part_next = NULL;
	**tail = w;
	*tail = &w->part_next;
	/* It gets longer on the way. */
	for (; w; w = w->part_next) {
		vn_table_kill(vn_table_find(table_of(w), w->key, &status));
		list_remove(w);
		if (!w->parts)
			continue;
		**tail = w->parts;
		while (**tail)
			*tail = &(**tail)->part_next;
	}
}

/* No runner is at them any more. The slot of `kept` is another's already. */
static void end(struct embed_window *w, const struct embed_window *kept)
{
	struct embed_window *next;

	for (; w; w = next) {
		next = w->part_next;
		if (w != kept)
			vn_table_close(table_of(w), w->key);
		if (w->mem)
			w->mem->windows--;
		if (w->outside)
			embed_outside_put(w->outside);
		if (w->inbox)
			embed_inbox_put(w->inbox);
		w->ctx->dev->windows[w->chip]--;
		free(w);
	}
}

/* The window of that key that this context made. */
static struct embed_window *own_window(struct embed_context *ctx, u32 chip, u32 key, int *err)
{
	struct embed_window *w = embed_domain_find(ctx->domain, chip, key, err);

	if (w && w->ctx != ctx)
		*err = -EACCES;
	return *err ? NULL : w;
}

int embed_window_invalidate(struct embed_context *ctx, struct vn_window_invalidate *a)
{
	struct embed_window *w, *ending = NULL, **tail = &ending;
	int err;

	pthread_mutex_lock(&ctx->dev->objects);
	w = own_window(ctx, a->chip, a->key, &err);
	if (w) {
		doom(w, &tail);
		embed_runners_pass(ctx->dev);
		end(ending, NULL);
	}
	pthread_mutex_unlock(&ctx->dev->objects);
	return err;
}

int embed_window_bind(struct embed_context *ctx, struct vn_window_bind *a)
{
	struct embed_window *w = calloc(1, sizeof(*w)), *was, *ending = NULL, **tail = &ending;
	int err;

	if (!w)
		return -ENOMEM;
	w->ctx = ctx;
	w->chip = a->chip;
	w->bytes = a->bytes;
	w->access = a->access;
	pthread_mutex_lock(&ctx->dev->objects);
	was = own_window(ctx, a->chip, a->key, &err);
	if (was)
		err = was->outside || was->part_at ? -EINVAL : place_own(w, a->addr);
	if (!err) {
		doom(was, &tail);
		embed_runners_pass(ctx->dev);
		w->key = vn_table_reopen(table_of(w), was->key, hbm_of(w), w->offset, w->bytes,
					 w->access, w);
		if (was->inbox) {
			w->inbox = was->inbox;
			w->user_data = was->user_data;
			w->inbox->refs++;
			bind_receiver(w);
		}
		begin(w);
		end(ending, was);
		a->key = w->key;
	}
	pthread_mutex_unlock(&ctx->dev->objects);
	if (err)
		free(w);
	return err;
}

void embed_window_release_all(struct embed_context *ctx)
{
	struct embed_window *ending = NULL, **tail = &ending;

	pthread_mutex_lock(&ctx->dev->objects);
	while (ctx->windows)
		doom(ctx->windows, &tail);
	if (ending)
		embed_runners_pass(ctx->dev);
	end(ending, NULL);
	pthread_mutex_unlock(&ctx->dev->objects);
}

void embed_window_end_chip(struct embed_context *ctx, u32 chip)
{
	struct embed_window *ending = NULL, **tail = &ending, *w, *next;

	/* Parts were made later, and are listed before what they are parts of. */
	for (w = ctx->windows; w; w = next) {
		next = w->next;
		if (w->chip == chip)
			doom(w, &tail);
	}
	if (ending)
		embed_runners_pass(ctx->dev);
	end(ending, NULL);
}
