// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* HBM of the embedded device: anonymous memory on the sled's NUMA node. */
#include <errno.h>
#include <numa.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../home.h"
#include "embed.h"

#define PAGE 4096ull
#define HUGE (2ull << 20)

int embed_table_room(struct vn_window_table *t)
{
	struct vn_window_block *b;

	if (!vn_table_needs_block(t))
		return 0;
	if (!vn_table_can_grow(t))
		return -ENOSPC;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	vn_table_grow(t, b);
	return vn_table_needs_block(t) ? -ENOSPC : 0;
}

void embed_table_free(struct vn_window_table *t)
{
	for (u32 i = 0; i < t->blocks; i++)
		free(t->block[i]);
}

/* Huge pages for what is large enough: the many streams of a reduction miss less. */
u8 *embed_take_pages(struct embed_device *dev, u32 slot, u64 bytes)
{
	u64 room = bytes >= HUGE ? bytes + HUGE : bytes;
	void *at = bytes >= HUGE ? NULL : vn_place(bytes);
	u8 *raw = mmap(at, room, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
	u8 *base = raw;

	if (raw == MAP_FAILED) {
		if (at)
			munmap(at, bytes);
		return NULL;
	}
	if (bytes >= HUGE) {
		base = (u8 *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));
		if (base > raw)
			munmap(raw, base - raw);
		if (raw + room > base + bytes)
			munmap(base + bytes, raw + room - (base + bytes));
		madvise(base, bytes, MADV_HUGEPAGE);
	}
	if (dev->nodes > 1)
		numa_tonode_memory(base, bytes,
				   vn_switch_sled(&dev->sw, slot) * dev->nodes /
					   vn_switch_sleds(&dev->sw));
	return base;
}

int embed_mem_alloc(struct embed_context *ctx, struct vn_mem_alloc *a)
{
	struct embed_device *dev = ctx->dev;
	u64 bytes = (a->bytes + PAGE - 1) & ~(PAGE - 1);
	struct embed_mem *m;
	int err;

	if (!ctx->attached[a->chip])
		return -EACCES;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	pthread_mutex_lock(&dev->objects);
	err = vn_switch_lost(&dev->sw, a->chip)		  ? -EHOSTDOWN
	      : bytes > dev->hbm - dev->hbm_used[a->chip] ? -ENOSPC
							  : embed_table_room(&ctx->own);
	if (!err) {
		m->hbm.base = embed_take_pages(dev, dev->sw.slot_of[a->chip], bytes);
		err = m->hbm.base ? 0 : -ENOMEM;
	}
	if (!err) {
		m->hbm.bytes = bytes;
		m->hbm.chip = a->chip;
		m->name = vn_table_open(&ctx->own, &m->hbm, 0, bytes, VN_ACCESS_OWN, m);
		m->next = ctx->mems;
		ctx->mems = m;
		WRITE_ONCE(dev->hbm_used[a->chip], dev->hbm_used[a->chip] + bytes);
		a->addr = vn_addr_of(m->name);
		a->mmap_offset = (uintptr_t)m->hbm.base;
	}
	pthread_mutex_unlock(&dev->objects);
	if (err)
		free(m);
	return err;
}

/* objects held, though not all the time; no windows over it. */
static void give_back(struct embed_context *ctx, struct embed_mem *m)
{
	struct embed_mem **at;
	u32 status;
	u64 *used;

	/* From here on nobody else begins with it. */
	m->leaving = true;
	while (m->exporting || (m->move && m->move->copying))
		pthread_cond_wait(&ctx->dev->unfenced, &ctx->dev->objects);
	vn_table_kill(vn_table_find(&ctx->own, m->name, &status));
	embed_runners_pass(ctx->dev);
	vn_table_close(&ctx->own, m->name);
	used = &ctx->dev->hbm_used[m->hbm.chip];
	WRITE_ONCE(*used, *used - m->hbm.bytes);
	embed_move_free(m);
	embed_exports_free(m);
	munmap(m->hbm.base, m->hbm.bytes);
	for (at = &ctx->mems; *at != m; at = &(*at)->next)
		;
	*at = m->next;
	free(m);
}

int embed_mem_free(struct embed_context *ctx, struct vn_mem_free *a)
{
	struct embed_mem **at;
	int err = -ENOENT;

	pthread_mutex_lock(&ctx->dev->objects);
	for (at = &ctx->mems; *at; at = &(*at)->next)
		if ((*at)->name == vn_addr_name(a->addr) && (*at)->hbm.chip == a->chip &&
		    !(*at)->leaving)
			break;
	if (*at && a->addr & VN_ADDR_OFFSET_MASK)
		err = -EINVAL;
	else if (*at && (*at)->windows)
		err = -EBUSY;
	else if (*at)
		err = 0;
	if (!err)
		give_back(ctx, *at);
	pthread_mutex_unlock(&ctx->dev->objects);
	return err;
}

void embed_mem_release_all(struct embed_context *ctx)
{
	pthread_mutex_lock(&ctx->dev->objects);
	while (ctx->mems)
		give_back(ctx, ctx->mems);
	pthread_mutex_unlock(&ctx->dev->objects);
	embed_table_free(&ctx->own);
}
