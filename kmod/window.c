// SPDX-License-Identifier: GPL-2.0-only

#include <linux/slab.h>
#include "domain.h"
#include "import.h"
#include "inbox.h"
#include "outside.h"
#include "trace.h"
#include "window.h"
#include "worker.h"

static unsigned long window_index(u32 chip, u32 key)
{
	return (unsigned long)chip << 16 | (key & 0xffff);
}

static struct vn_window_table *table_of(const struct vn_share *s)
{
	return s->domain->table.chip[s->chip];
}

static struct vn_hbm *hbm_of(const struct vn_share *s)
{
	return s->outside ? &s->outside->hbm : &s->mem->hbm;
}

void vn_share_put(struct vn_share *s)
{
	if (!refcount_dec_and_test(&s->refs))
		return;
	if (s->mem)
		vn_object_put(&s->mem->object);
	if (s->outside)
		vn_outside_put(s->outside);
	if (s->inbox)
		vn_kinbox_put(s->inbox);
	vn_domain_put(s->domain);
	kfree(s);
}

/* ---- beginning ------------------------------------------------------------- */

/* It holds nothing yet, but counts for the user. */
static struct vn_share *share_new(struct vn_context *ctx, u32 chip, u64 bytes, u32 access)
{
	struct vn_share *s = kzalloc(sizeof(*s), VN_GFP_USER);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	err = vn_user_charge(ctx->user, VN_USE_WINDOWS, 1);
	if (err) {
		kfree(s);
		return ERR_PTR(err);
	}
	s->user = ctx->user;
	refcount_set(&s->refs, 1);
	init_rwsem(&s->dead_lock);
	INIT_LIST_HEAD(&s->imports);
	INIT_LIST_HEAD(&s->children);
	INIT_LIST_HEAD(&s->sibling);
	s->maker = ctx;
	s->maker_id = ctx->id;
	s->chip = vn_chip_index(chip);
	s->bytes = bytes;
	s->access = access;
	return s;
}

static void share_drop(struct vn_share *s)
{
	if (s->inbox)
		vn_kinbox_put(s->inbox);
	vn_user_uncharge(s->user, VN_USE_WINDOWS, 1);
	kfree(s);
}

/* It lies on own HBM. Under objects_lock. */
static int place_own(struct vn_context *ctx, struct vn_share *s, u64 addr)
{
	u64 offset = addr & VN_ADDR_OFFSET_MASK;
	struct vn_window *w;

	s->mem = vn_mem_find(ctx, s->chip, addr, &w);
	if (!s->mem)
		return -ENOENT;
	if (offset > s->mem->hbm.bytes || s->bytes > s->mem->hbm.bytes - offset)
		return -EINVAL;
	s->offset = offset;
	return 0;
}

/* It is part of another. Under windows_lock. */
static int place_part(struct vn_context *ctx, struct vn_share *s,
		      const struct vn_window_create *a, struct vn_share **parent)
{
	struct vn_share *p = vn_domain_find(ctx->domain, s->chip, a->parent);

	if (IS_ERR(p))
		return PTR_ERR(p);
	if ((p->access & s->access) != s->access)
		return -EACCES;
	if (a->addr > p->bytes || s->bytes > p->bytes - a->addr)
		return -EINVAL;
	s->mem = p->mem;
	s->outside = p->outside;
	s->offset = p->offset + a->addr;
	s->part = true;
	*parent = p;
	return 0;
}

/* Now nothing fails any more: it holds what it lies on, but for what is its alone. */
static void hold(struct vn_share *s)
{
	vn_domain_get(s->domain);
	if (s->mem) {
		vn_object_get(&s->mem->object);
		atomic_inc(&s->mem->windows);
	} else if (s->part) {
		vn_outside_get(s->outside);
	}
}

/* Opens the window in the domain and lists it in the context. Under windows_lock. */
static int open_window(struct vn_context *ctx, struct vn_share *s)
{
	struct vn_window_table *t = vn_domain_table_for_one(s->domain, s->chip);
	u32 status;
	int err;

	if (IS_ERR(t))
		return PTR_ERR(t);
	/* Reserved before, so that nothing can fail once the key resolves. */
	err = xa_reserve(&ctx->windows, window_index(s->chip, t->free_head), VN_GFP_USER);
	if (err)
		return err;
	hold(s);
	s->key = vn_table_open(t, hbm_of(s), s->offset, s->bytes, s->access, s);
	if (s->inbox)
		vn_table_bind(vn_table_find(t, s->key, &status), &s->inbox->inbox, s->user_data);
	xa_store(&ctx->windows, window_index(s->chip, s->key), s, VN_GFP_USER);
	WRITE_ONCE(ctx->nwindows, ctx->nwindows + 1);
	atomic_inc(&vn_server.chip[s->chip].windows);
	trace_window_create(ctx->id, s->chip, s->key, s->bytes, s->access);
	return 0;
}

/* The queue that it is to be bound to, if it is to any. Under objects_lock. */
static int find_receiver(struct vn_context *ctx, const struct vn_window_create *a,
			 struct vn_share *s)
{
	struct vn_kqueue *kq;

	if (!(a->flags & VN_WINDOW_QUEUE))
		return 0;
	kq = xa_load(&ctx->queues, a->queue);
	if (!kq)
		return -ENOENT;
	s->inbox = vn_kinbox_get(kq);
	s->user_data = a->user_data;
	return s->inbox ? 0 : -ENOMEM;
}

int vn_call_window_create(struct vn_context *ctx, void *arg)
{
	struct vn_window_create *a = arg;
	struct vn_share *s = share_new(ctx, a->chip, a->bytes, a->access), *parent = NULL;
	struct vn_outside *outside = NULL;
	int err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	if (a->flags & (VN_WINDOW_USER | VN_WINDOW_DMABUF)) {
		outside = vn_outside_new(ctx, a, &s->offset);
		err = PTR_ERR_OR_ZERO(outside);
		if (err)
			goto free;
		s->outside = outside;
	}
	mutex_lock(&ctx->objects_lock);
	s->domain = ctx->domain;
	err = find_receiver(ctx, a, s);
	mutex_lock(&s->domain->windows_lock);
	if (!err && !outside)
		err = a->flags & VN_WINDOW_PARENT ? place_part(ctx, s, a, &parent) :
		      place_own(ctx, s, a->addr);
	if (!err)
		err = open_window(ctx, s);
	if (!err) {
		a->key = s->key;
		if (parent)
			list_add(&s->sibling, &parent->children);
	}
	mutex_unlock(&s->domain->windows_lock);
	mutex_unlock(&ctx->objects_lock);
	if (!err)
		return 0;
	if (outside) {
		vn_outside_uncount(outside);
		vn_outside_put(outside);
	}
free:
	share_drop(s);
	return err;
}

void vn_window_use(const struct vn_share *s, struct vn_window_use *use)
{
	u32 status;
	const struct vn_window *w = vn_table_find(table_of(s), s->key, &status);

	/* Somebody ends it, of which it is part. */
	if (!w) {
		*use = (struct vn_window_use) {};
		return;
	}
	use->in_bytes = READ_ONCE(w->in_bytes);
	use->out_bytes = READ_ONCE(w->out_bytes);
	use->denials = READ_ONCE(w->denials);
}

u32 vn_window_memory(const struct vn_share *s)
{
	return (s->outside ? s->outside->kind : 0) | (s->part ? VN_WINDOW_PARENT : 0);
}

/* ---- ending ---------------------------------------------------------------- */

/*
 * The keys of it and of all its parts stop resolving, and nobody lists them any more. Then
 * wait for the runners, then end_windows(). Under windows_lock.
 */
static void doom(struct vn_share *s, struct list_head *ending)
{
	u32 status;

	lockdep_assert_held(&s->domain->windows_lock);
	list_move_tail(&s->sibling, ending);
	/* It gets longer on the way. */
	list_for_each_entry_from(s, ending, sibling) {
		list_splice_tail_init(&s->children, ending);
		vn_table_kill(vn_table_find(table_of(s), s->key, &status));
		/* Unless another one has its place there. */
		xa_cmpxchg(&s->maker->windows, window_index(s->chip, s->key), s, NULL, 0);
		WRITE_ONCE(s->maker->nwindows, s->maker->nwindows - 1);
		cond_resched();
	}
}

/* After this no fault maps anything more; then what is mapped goes. */
static void revoke_imports(struct vn_share *s)
{
	struct vn_import *imp;

	down_write(&s->dead_lock);
	s->dead = true;
	up_write(&s->dead_lock);
	down_read(&s->dead_lock);
	list_for_each_entry(imp, &s->imports, on) {
		vn_object_unmap(&imp->object);
		vn_import_leave(imp);
		cond_resched();
	}
	up_read(&s->dead_lock);
}

static void end_window(struct vn_share *s, bool revoke)
{
	struct vn_mem *mem = s->mem;

	trace_window_invalidate(s->maker_id, s->chip, s->key, s->bytes, s->access);
	atomic_dec(&vn_server.chip[s->chip].windows);
	/* Importers may keep it for as long as they like: not at its maker's expense. */
	vn_user_uncharge(s->user, VN_USE_WINDOWS, 1);
	if (mem && revoke) {
		revoke_imports(s);
		s->mem = NULL;
	}
	if (mem)
		atomic_dec(&mem->windows);
	if (mem && revoke)
		vn_object_put(&mem->object);
	if (s->outside && !s->part)
		vn_outside_uncount(s->outside);
	vn_share_put(s);
}

/*
 * No runner is at them any more. Mappings through them go when they are revoked; else they
 * keep the memory. The slot of `kept` has another window already.
 */
static void end_windows(struct list_head *ending, bool revoke, const struct vn_share *kept)
{
	struct vn_share *s, *next;

	list_for_each_entry_safe(s, next, ending, sibling) {
		if (s != kept) {
			mutex_lock(&s->domain->windows_lock);
			vn_table_close(table_of(s), s->key);
			mutex_unlock(&s->domain->windows_lock);
		}
		end_window(s, revoke);
		cond_resched();
	}
}

/* The window of that key that this context made. Under windows_lock. */
static struct vn_share *own_window(struct vn_context *ctx, u32 chip, u32 key)
{
	struct vn_share *s = vn_domain_find(ctx->domain, chip, key);

	return IS_ERR(s) || s->maker == ctx ? s : ERR_PTR(-EACCES);
}

int vn_call_window_invalidate(struct vn_context *ctx, void *arg)
{
	const struct vn_window_invalidate *a = arg;
	LIST_HEAD(ending);
	struct vn_share *s;

	mutex_lock(&ctx->objects_lock);
	mutex_lock(&ctx->domain->windows_lock);
	s = own_window(ctx, a->chip, a->key);
	if (!IS_ERR(s))
		doom(s, &ending);
	mutex_unlock(&ctx->domain->windows_lock);
	mutex_unlock(&ctx->objects_lock);
	if (IS_ERR(s))
		return PTR_ERR(s);

	vn_worker_quiesce();
	end_windows(&ending, true, NULL);
	return 0;
}

void vn_undo_window_create(struct vn_context *ctx, void *arg)
{
	const struct vn_window_create *a = arg;
	struct vn_window_invalidate undo = { .chip = a->chip, .key = a->key };

	vn_call_window_invalidate(ctx, &undo);
}

/* Those of the context from one place in its table to another: how many. */
static u32 doom_range(struct vn_context *ctx, unsigned long at, unsigned long last,
		      struct list_head *ending)
{
	struct vn_share *s;
	u32 n = 0;

	do {
		/* Others end parts of their windows meanwhile, which may be ours. */
		mutex_lock(&ctx->domain->windows_lock);
		s = xa_find(&ctx->windows, &at, last, XA_PRESENT);
		if (s) {
			doom(s, ending);
			n++;
		}
		mutex_unlock(&ctx->domain->windows_lock);
		cond_resched();
	} while (s);
	return n;
}

u32 vn_context_doom_windows(struct vn_context *ctx, u32 chip, struct list_head *ending)
{
	lockdep_assert_held(&ctx->objects_lock);
	return doom_range(ctx, window_index(chip, 0), window_index(chip, 0xffff), ending);
}

void vn_windows_end(struct list_head *ending)
{
	end_windows(ending, false, NULL);
}

void vn_context_close_windows(struct vn_context *ctx)
{
	LIST_HEAD(ending);

	/* Its maker died, maybe: no reason for others to die of it. */
	if (doom_range(ctx, 0, ULONG_MAX, &ending)) {
		vn_worker_quiesce();
		end_windows(&ending, false, NULL);
	}
	xa_destroy(&ctx->windows);
}

/* ---- another range ----------------------------------------------------------- */

/* The old window's key is dead, its place in the context the new one's. */
static int rebind(struct vn_context *ctx, const struct vn_window_bind *a, struct vn_share *s,
		  struct vn_share **was, struct list_head *ending)
{
	struct vn_share *old = own_window(ctx, a->chip, a->key);
	int err;

	if (IS_ERR(old))
		return PTR_ERR(old);
	if (old->outside || old->part)
		return -EINVAL;
	err = place_own(ctx, s, a->addr);
	if (err)
		return err;
	hold(s);
	if (old->inbox) {
		s->inbox = old->inbox;
		s->user_data = old->user_data;
		refcount_inc(&s->inbox->refs);
	}
	s->key = vn_table_next_name(table_of(old), old->key);
	/* Where there is one already this takes no memory. */
	xa_store(&ctx->windows, window_index(s->chip, s->key), s, VN_GFP_USER);
	WRITE_ONCE(ctx->nwindows, ctx->nwindows + 1);
	doom(old, ending);
	*was = old;
	return 0;
}

int vn_call_window_bind(struct vn_context *ctx, void *arg)
{
	struct vn_window_bind *a = arg;
	struct vn_share *s = share_new(ctx, a->chip, a->bytes, a->access), *was;
	LIST_HEAD(ending);
	u32 status;
	int err;

	if (IS_ERR(s))
		return PTR_ERR(s);
	mutex_lock(&ctx->objects_lock);
	s->domain = ctx->domain;
	mutex_lock(&s->domain->windows_lock);
	err = rebind(ctx, a, s, &was, &ending);
	mutex_unlock(&s->domain->windows_lock);
	mutex_unlock(&ctx->objects_lock);
	if (err) {
		share_drop(s);
		return err;
	}

	vn_worker_quiesce();
	mutex_lock(&s->domain->windows_lock);
	a->key = vn_table_reopen(table_of(s), was->key, hbm_of(s), s->offset, s->bytes, s->access,
				 s);
	if (s->inbox)
		vn_table_bind(vn_table_find(table_of(s), a->key, &status), &s->inbox->inbox,
			      s->user_data);
	atomic_inc(&vn_server.chip[s->chip].windows);
	trace_window_create(ctx->id, s->chip, s->key, s->bytes, s->access);
	mutex_unlock(&s->domain->windows_lock);
	end_windows(&ending, true, was);
	return 0;
}

void vn_undo_window_bind(struct vn_context *ctx, void *arg)
{
	const struct vn_window_bind *a = arg;
	struct vn_window_invalidate undo = { .chip = a->chip, .key = a->key };

	vn_call_window_invalidate(ctx, &undo);
}
