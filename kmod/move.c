// SPDX-License-Identifier: GPL-2.0-only

#include <linux/delay.h>
#include <linux/kasan-checks.h>
#include <linux/ktime.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <asm/cpufeature.h>
#include "engine/crc32c.h"
#include "fault.h"
#include "move.h"

/* What is copied to see how fast that is: more than caches hold. */
#define SAMPLE_PAGES	2048ull

/* Writers at a fence, in page faults. */
static DECLARE_WAIT_QUEUE_HEAD(fence_wait);

/* When anything was copied last, ktime_get_ns(). */
static u64 copied_ns;

static void free_move(struct vn_move *mv, u64 pages)
{
	if (mv->base)
		vunmap(mv->base);
	kvfree(mv->page);
	kvfree(mv->dirty);
	kvfree(mv->taken);
	kfree(mv);
}

/* n of that size, zero, unless it is this that is to fail. */
static void *room(u64 n, size_t size)
{
	return vn_fault_alloc() ? NULL : kvcalloc(n, size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

/*
 * Paid for by who pays for what is copied. Should his limit be in the way, by who drains: no
 * tenant is to keep a sled in service.
 */
static int pages_for(const struct vn_mem *mem, struct page **page, int node)
{
	struct mem_cgroup *own;
	int err;

	if (vn_fault_alloc())
		return -ENOMEM;
	own = set_active_memcg(mem->memcg);
	err = vn_pages_alloc(page, mem->object.pages, node);
	set_active_memcg(own);
	return err == -ENOMEM ? vn_pages_alloc(page, mem->object.pages, node) : err;
}

int vn_move_new(struct vn_mem *mem, int node)
{
	u64 n = mem->object.pages, words = vn_hbm_words(mem->hbm.bytes);
	struct vn_move *mv = vn_fault_alloc() ? NULL : kzalloc(sizeof(*mv), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!mv)
		return -ENOMEM;
	mv->words = words;
	mv->page = room(n, sizeof(*mv->page));
	mv->dirty = room(words, sizeof(*mv->dirty));
	mv->taken = room(words, sizeof(*mv->taken));
	if (!mv->page || !mv->dirty || !mv->taken)
		goto free;
	err = pages_for(mem, mv->page, node);
	if (err)
		goto free;
	err = -ENOMEM;
	mv->base = vmap(mv->page, n, VM_MAP, PAGE_KERNEL);
	if (!mv->base)
		goto free_pages;
	/* Faults look whether there is one. */
	down_write(&mem->fault_lock);
	mem->move = mv;
	up_write(&mem->fault_lock);
	return 0;

free_pages:
	vn_pages_free(mv->page, n);
free:
	free_move(mv, n);
	return err;
}

void vn_move_free(struct vn_mem *mem)
{
	struct vn_move *mv = mem->move;

	if (!mv)
		return;
	down_write(&mem->fault_lock);
	mem->move = NULL;
	up_write(&mem->fault_lock);
	vn_pages_free(mv->page, mem->object.pages);
	free_move(mv, mem->object.pages);
}

void vn_move_watch(struct vn_mem *mem)
{
	struct vn_move *mv = mem->move;

	vn_hbm_mark(mv->dirty, 0, mem->hbm.bytes);
	down_write(&mem->fault_lock);
	vn_store_release(&mem->hbm.dirty, mv->dirty);
	vn_mem_unmap(mem);
	up_write(&mem->fault_lock);
}

void vn_move_unwatch(struct vn_mem *mem)
{
	vn_move_slow(mem, 0);
	WRITE_ONCE(mem->hbm.dirty, NULL);
}

u64 vn_move_dirty(const struct vn_mem *mem)
{
	return vn_hbm_left(mem->move->dirty, mem->move->taken, mem->move->words) << PAGE_SHIFT;
}

void vn_move_take(struct vn_mem *mem)
{
	struct vn_move *mv = mem->move;
	u64 page = 0, n;

	down_write(&mem->fault_lock);
	vn_hbm_take(mv->dirty, mv->taken, mv->words);
	for (; (n = vn_hbm_run(mv->taken, mem->object.pages, &page)); page += n)
		vn_mem_unmap_pages(mem, page, n);
	up_write(&mem->fault_lock);
}

void vn_move_take_fenced(struct vn_mem *mem)
{
	struct vn_move *mv = mem->move;

	vn_hbm_take(mv->dirty, mv->taken, mv->words);
}

static u32 crc_of(const void *page)
{
	kasan_check_read(page, PAGE_SIZE);	/* which these do not (Kbuild) */
	return boot_cpu_has(X86_FEATURE_XMM4_2) ? vn_crc32c_sse(0, page, PAGE_SIZE)
						: vn_crc32c(0, page, PAGE_SIZE);
}

/*
 * A page may change while it is read: what was read is what is compared, out of a
 * buffer of its own.
 */
static int copy_page_of(u8 *to, const u8 *from, u8 *buffer, bool corrupt)
{
	u32 crc;

	memcpy(buffer, from, PAGE_SIZE);
	crc = crc_of(buffer);
	memcpy(to, buffer, PAGE_SIZE);
	if (corrupt)
		to[crc % PAGE_SIZE] ^= 1;
	return crc_of(to) == crc ? 0 : -EIO;
}

int vn_move_copy(const struct vn_mem *mem, struct vn_copied *c)
{
	struct vn_move *mv = mem->move;
	u8 *buffer = vn_fault_alloc() ? NULL : (u8 *)__get_free_page(GFP_KERNEL);
	u64 page = 0, began = ktime_get_ns(), now;
	int err = 0;

	if (!buffer)
		return -ENOMEM;
	while (!err && c->room && vn_hbm_next(mv->taken, mem->object.pages, &page)) {
		err = copy_page_of((u8 *)mv->base + (page << PAGE_SHIFT),
				   mem->hbm.base + (page << PAGE_SHIFT), buffer,
				   vn_faults_copy(&vn_server.faults));
		/* What is not there yet stays to be copied. */
		if (err)
			break;
		mv->taken[page / 64] &= ~(1ull << page % 64);
		c->room -= PAGE_SIZE;
		c->bytes += PAGE_SIZE;
		page++;
		if (fatal_signal_pending(current))
			err = -EINTR;
		if (!err && ktime_get_ns() > c->deadline)
			err = -ETIME;
		cond_resched();
	}
	now = ktime_get_ns();
	WRITE_ONCE(copied_ns, now);
	c->ns += now - began;
	free_page((unsigned long)buffer);
	return err;
}

/* From the first half to the second, and cleared there. */
static int measure(u8 *base, u8 *buffer, struct vn_pace *copy, struct vn_pace *rest)
{
	u64 half = SAMPLE_PAGES << PAGE_SHIFT, began = ktime_get_ns();
	int err = 0;

	for (u64 at = 0; at < half && !err; at += PAGE_SIZE) {
		err = copy_page_of(base + half + at, base + at, buffer, false);
		cond_resched();
	}
	if (!copy->bytes) {
		copy->bytes = half;
		copy->ns = ktime_get_ns() - began;
	}
	began = ktime_get_ns();
	for (u64 at = 0; at < half; at += PAGE_SIZE)
		clear_page(base + half + at);
	rest->bytes = half;
	rest->ns += ktime_get_ns() - began;
	return err;
}

int vn_move_measure(struct vn_pace *copy, struct vn_pace *rest)
{
	u64 n = 2 * SAMPLE_PAGES, began = ktime_get_ns();
	struct page **page = kvmalloc_array(n, sizeof(*page), GFP_KERNEL_ACCOUNT);
	u8 *buffer = (u8 *)__get_free_page(GFP_KERNEL);
	u8 *base;
	int err = -ENOMEM;

	if (!page || !buffer)
		goto free;
	err = vn_pages_alloc(page, n, NUMA_NO_NODE);
	if (err)
		goto free;
	base = vmap(page, n, VM_MAP, PAGE_KERNEL);
	/* A drain takes memory once for each byte. */
	rest->ns = (ktime_get_ns() - began) / 2;
	err = base ? measure(base, buffer, copy, rest) : -ENOMEM;
	vunmap(base);
	vn_pages_free(page, n);
free:
	free_page((unsigned long)buffer);
	kvfree(page);
	return err;
}

void vn_move_fence(struct vn_mem *mem)
{
	down_write(&mem->fault_lock);
	vn_xchg(&mem->hbm.fenced, 1u);
	vn_mem_unmap(mem);
	up_write(&mem->fault_lock);
}

void vn_move_unfence(struct vn_mem *mem)
{
	vn_store_release(&mem->hbm.fenced, 0u);
}

void vn_move_wake(void)
{
	wake_up_all(&fence_wait);
}

int vn_move_await(struct vn_mem *mem)
{
	return wait_event_killable(fence_wait, !READ_ONCE(mem->hbm.fenced));
}

void vn_move_slow(struct vn_mem *mem, u32 us)
{
	WRITE_ONCE(mem->hbm.slow_us, us);
}

u32 vn_move_slow_now(u32 us)
{
	return us ? vn_drain_rest(us, READ_ONCE(copied_ns), ktime_get_ns()) : 0;
}

void vn_move_rest(struct vn_mem *mem)
{
	u32 us = vn_move_slow_now(READ_ONCE(mem->hbm.slow_us));

	if (us)
		usleep_range(us, us + us / 4 + 1);
}

void vn_move_flip(struct vn_mem *mem)
{
	struct vn_move *mv = mem->move;
	void *base = mem->hbm.base;

	down_write(&mem->fault_lock);
	swap(mem->page, mv->page);
	WRITE_ONCE(mem->hbm.base, mv->base);
	mv->base = base;
	WRITE_ONCE(mem->hbm.dirty, NULL);
	WRITE_ONCE(mem->hbm.slow_us, 0);
	vn_mem_unmap(mem);
	up_write(&mem->fault_lock);
	/* All of the old place is to be cleared. */
	vn_hbm_mark(mv->taken, 0, mem->hbm.bytes);
}

bool vn_move_scrub(struct vn_mem *mem, u64 bytes)
{
	struct vn_move *mv = mem->move;
	u64 page = 0;

	for (; bytes && vn_hbm_next(mv->taken, mem->object.pages, &page); bytes -= PAGE_SIZE) {
		clear_page((u8 *)mv->base + (page << PAGE_SHIFT));
		mv->taken[page / 64] &= ~(1ull << page % 64);
		page++;
	}
	return !bytes;
}
