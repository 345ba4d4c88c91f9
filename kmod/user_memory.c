// SPDX-License-Identifier: GPL-2.0-only
/* Memory of the calling process, pinned, for a window. */

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "outside.h"
#include "user.h"

/* Pinned, and given back, at a time. */
#define BATCH	512ul

struct user_memory {
	struct vn_outside outside;
	struct mm_struct *mm;		/* that it counts for; grabbed */
	struct page **page;
	unsigned long n, pinned;
};

static struct user_memory *of(struct vn_outside *o)
{
	return container_of(o, struct user_memory, outside);
}

static void free_memory(struct vn_outside *o)
{
	struct user_memory *u = of(o);
	unsigned long n;

	vunmap(o->hbm.base);
	for (unsigned long i = 0; i < u->pinned; i += n) {
		n = min(u->pinned - i, BATCH);
		/* Whoever had the key may have written there. */
		unpin_user_pages_dirty_lock(u->page + i, n, true);
		cond_resched();
	}
	account_locked_vm(u->mm, u->n, false);
	mmdrop(u->mm);
	kvfree(u->page);
	kfree(u);
}

static int pin(struct user_memory *u, unsigned long addr)
{
	while (u->pinned < u->n) {
		long n = pin_user_pages_fast(addr + (u->pinned << PAGE_SHIFT),
					     min(u->n - u->pinned, BATCH),
					     FOLL_WRITE | FOLL_LONGTERM, u->page + u->pinned);

		if (fatal_signal_pending(current)) {
			u->pinned += max(n, 0l);
			return -EINTR;
		}
		if (n <= 0)
			return n == -ENOMEM ? -ENOMEM : -EFAULT;
		u->pinned += n;
		cond_resched();
	}
	return 0;
}

struct vn_outside *vn_user_memory_new(const struct vn_window_create *a, u64 *offset)
{
	unsigned long addr = a->addr & PAGE_MASK;
	u64 skip = a->addr & ~PAGE_MASK;
	struct user_memory *u;
	int err;

	if (!access_ok(u64_to_user_ptr(a->addr), a->bytes))
		return ERR_PTR(-EFAULT);
	u = kzalloc(sizeof(*u), VN_GFP_USER);
	if (!u)
		return ERR_PTR(-ENOMEM);
	u->n = PAGE_ALIGN(skip + a->bytes) >> PAGE_SHIFT;
	u->outside.bytes = (u64)u->n << PAGE_SHIFT;
	u->outside.hbm.bytes = u->outside.bytes;
	u->outside.free = free_memory;
	/* The limit first: what is beyond it costs nothing. */
	err = account_locked_vm(current->mm, u->n, true);
	if (err) {
		kfree(u);
		return ERR_PTR(err);
	}
	u->mm = current->mm;
	mmgrab(u->mm);
	err = -ENOMEM;
	u->page = kvmalloc_array(u->n, sizeof(*u->page), VN_GFP_USER);
	if (!u->page)
		goto free;
	err = pin(u, addr);
	if (err)
		goto free;
	err = -ENOMEM;
	u->outside.hbm.base = vmap(u->page, u->n, VM_MAP, PAGE_KERNEL);
	if (!u->outside.hbm.base)
		goto free;
	*offset = skip;
	return &u->outside;

free:
	free_memory(&u->outside);
	return ERR_PTR(err);
}
