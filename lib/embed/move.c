// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HBM of the embedded device on its way to another slot. Its address in the process
 * stays: other pages take their place there, in one step.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../kmod/engine/crc32c.h"
#include "../home.h"
#include "embed.h"

/* What is copied to see how fast that is: more than caches hold. */
#define SAMPLE_BYTES (8ull << 20)

int embed_move_new(struct embed_device *dev, struct embed_mem *m, u32 slot)
{
	struct embed_move *mv = embed_drain_room(dev, 1, sizeof(*mv));

	if (!mv)
		return -ENOMEM;
	mv->words = vn_hbm_words(m->hbm.bytes);
	mv->dirty = embed_drain_room(dev, mv->words, sizeof(u64));
	mv->taken = embed_drain_room(dev, mv->words, sizeof(u64));
	if (!vn_faults_alloc(&dev->faults))
		mv->copy = embed_take_pages(dev, slot, m->hbm.bytes);
	if (mv->dirty && mv->taken && mv->copy) {
		m->move = mv;
		return 0;
	}
	if (mv->copy)
		munmap(mv->copy, m->hbm.bytes);
	free(mv->dirty);
	free(mv->taken);
	free(mv);
	return -ENOMEM;
}

void embed_move_free(struct embed_mem *m)
{
	struct embed_move *mv = m->move;

	if (!mv)
		return;
	if (mv->copy)
		munmap(mv->copy, m->hbm.bytes);
	free(mv->dirty);
	free(mv->taken);
	free(mv);
	m->move = NULL;
}

static u32 crc_of(const void *page)
{
	return __builtin_cpu_supports("sse4.2") ? vn_crc32c_sse(0, page, VN_HBM_PAGE)
						: vn_crc32c(0, page, VN_HBM_PAGE);
}

/* A page may change while it is read: what was read is what is compared. */
__attribute__((no_sanitize("thread"))) static int copy_page(u8 *to, const u8 *from, bool corrupt)
{
	u64 buffer[VN_HBM_PAGE / 8];
	u32 crc;

	for (u32 i = 0; i < VN_HBM_PAGE / 8; i++)
		buffer[i] = READ_ONCE(((const u64 *)from)[i]);
	crc = crc_of(buffer);
	memcpy(to, buffer, VN_HBM_PAGE);
	if (corrupt)
		to[crc % VN_HBM_PAGE] ^= 1;
	return crc_of(to) == crc ? 0 : -EIO;
}

int embed_move_copy(struct embed_mem *m, struct embed_copied *c)
{
	struct embed_move *mv = m->move;
	u64 page = 0, pages = m->hbm.bytes / VN_HBM_PAGE, began = vn_now();
	int err = 0;

	/* It is there already, if the flip of another one failed. */
	while (mv->copy && !err && c->room && vn_hbm_next(mv->taken, pages, &page)) {
		err = copy_page(mv->copy + page * VN_HBM_PAGE, m->hbm.base + page * VN_HBM_PAGE,
				vn_faults_copy(c->faults));
		/* What is not there yet stays to be copied. */
		if (err)
			break;
		mv->taken[page / 64] &= ~(1ull << page % 64);
		c->room -= VN_HBM_PAGE;
		c->bytes += VN_HBM_PAGE;
		page++;
		if (vn_now() > c->deadline)
			err = -ETIME;
	}
	c->ns += vn_now() - began;
	return err;
}

int embed_move_flip(struct embed_mem *m)
{
	struct embed_move *mv = m->move;

	/* Its pages are there already, if the flip of another one failed. */
	if (!mv->copy)
		return 0;
	if (mremap(mv->copy, m->hbm.bytes, m->hbm.bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
		   m->hbm.base) == MAP_FAILED)
		return -errno;
	mv->copy = NULL;
	WRITE_ONCE(m->hbm.dirty, NULL);
	return 0;
}

int embed_move_measure(struct embed_device *dev, struct vn_pace *copy, struct vn_pace *rest)
{
	u8 *from = embed_take_pages(dev, 0, SAMPLE_BYTES);
	u8 *to = embed_take_pages(dev, 0, SAMPLE_BYTES);
	int err = from && to ? 0 : -ENOMEM;
	u64 began;

	if (!err)
		memset(from, 1, SAMPLE_BYTES);
	began = vn_now();
	for (u64 at = 0; at < SAMPLE_BYTES && !err; at += VN_HBM_PAGE)
		err = copy_page(to + at, from + at, false);
	if (!err && !copy->bytes) {
		copy->bytes = SAMPLE_BYTES;
		copy->ns = vn_now() - began;
	}
	began = vn_now();
	if (to)
		munmap(to, SAMPLE_BYTES);
	/* Never nothing at all. */
	*rest = (struct vn_pace){ .bytes = SAMPLE_BYTES, .ns = vn_now() - began + 1 };
	if (from)
		munmap(from, SAMPLE_BYTES);
	return err;
}
