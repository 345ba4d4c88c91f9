// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The CPU's own writes to HBM of the embedded device, while some of it moves. */
#include <time.h>

#include "embed.h"

u32 embed_move_gen;

/* Memory that this thread has looked up, and that does not move as long as nothing begins to. */
static _Thread_local struct {
	const struct embed_device *dev;
	u32 gen;
	const u8 *base;
	u64 bytes;
} calm;

/* Inside the gate: who begins to move anything changes the number, and then waits for it. */
static bool is_calm(const struct embed_device *dev, const char *to, u64 bytes)
{
	u64 off = (u64)((const u8 *)to - calm.base);

	return calm.dev == dev && calm.gen == vn_load_acquire(&embed_move_gen) &&
	       off < calm.bytes && bytes <= calm.bytes - off;
}

/* objects held */
static void note_calm(const struct embed_device *dev, const struct embed_mem *m)
{
	if (!m || m->move || READ_ONCE(m->hbm.fenced))
		return;
	calm.dev = dev;
	calm.gen = vn_load_acquire(&embed_move_gen);
	calm.base = m->hbm.base;
	calm.bytes = m->hbm.bytes;
}

void embed_fence_waited(struct embed_context *ctx, u32 times)
{
	vn_fetch_add(&ctx->fence_waits, (u64)times);
	vn_fetch_add(&ctx->dev->fence_waits, (u64)times);
}

/* The allocation in which an address lies, of any context; objects held. */
static struct embed_mem *mem_at(struct embed_device *dev, const void *p)
{
	struct embed_context *ctx;
	struct embed_mem *m;

	for (ctx = dev->contexts; ctx; ctx = ctx->next)
		for (m = ctx->mems; m; m = m->next)
			if ((u64)((const u8 *)p - m->hbm.base) < m->hbm.bytes)
				return m;
	return NULL;
}

/*
 * Marks all of it; or, for who can wait, what comes before the first that is fenced, which
 * is returned. objects held.
 */
static struct embed_mem *mark(struct embed_device *dev, char *const *to, u32 n, u64 bytes,
			      bool waits)
{
	struct embed_mem *m;
	u64 off, most;

	for (u32 i = 0; i < n; i++) {
		m = mem_at(dev, to[i]);
		if (!m)
			continue;
		if (waits && READ_ONCE(m->hbm.fenced))
			return m;
		if (!READ_ONCE(m->hbm.dirty))
			continue;
		off = (u64)((const u8 *)to[i] - m->hbm.base);
		most = m->hbm.bytes - off;
		vn_hbm_mark(m->hbm.dirty, off, bytes < most ? bytes : most);
	}
	return NULL;
}

/* objects held */
static u32 slowest(struct embed_device *dev, char *const *to, u32 n)
{
	const struct embed_mem *m;
	u32 us = 0;

	for (u32 i = 0; i < n; i++) {
		m = mem_at(dev, to[i]);
		if (m && READ_ONCE(m->hbm.slow_us) > us)
			us = READ_ONCE(m->hbm.slow_us);
	}
	return us;
}

/* Something moves: is it this? How long to rest, before it is too late for that. */
static u32 begin_slowly(struct embed_context *ctx, char *const *to, u32 n, u64 bytes)
{
	struct embed_device *dev = ctx->dev;
	bool outer = !embed_gate_inside();
	u32 slow_us;

	pthread_mutex_lock(&dev->objects);
	/* Who is inside is waited for before anything is taken: he need not wait, but mark. */
	while (mark(dev, to, n, bytes, outer)) {
		embed_fence_waited(ctx, 1);
		pthread_cond_wait(&dev->unfenced, &dev->objects);
	}
	slow_us = embed_slow_now(dev, slowest(dev, to, n));
	if (n == 1)
		note_calm(dev, mem_at(dev, to[0]));
	embed_gate_enter();
	pthread_mutex_unlock(&dev->objects);
	return outer ? slow_us : 0;
}

void embed_mem_begin(void *c, char *const *to, uint32_t n, uint64_t bytes)
{
	struct embed_context *ctx = c;
	u32 us;

	embed_gate_enter();
	/* Pairs with the end of what moved: where the bytes are now is seen. */
	if (!vn_load_acquire(&ctx->dev->moving) || !bytes ||
	    (n == 1 && is_calm(ctx->dev, to[0], bytes)))
		return;
	embed_gate_leave();
	us = begin_slowly(ctx, to, n, bytes);
	if (!us)
		return;
	/* Not inside; then it marks again, what was taken meanwhile. */
	embed_gate_leave();
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000l }, NULL);
	begin_slowly(ctx, to, n, bytes);
}

void embed_mem_end(void *c)
{
	(void)c;
	embed_gate_leave();
}
