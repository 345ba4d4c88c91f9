// SPDX-License-Identifier: GPL-2.0-only

#include <linux/delay.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "compat.h"
#include "domain.h"
#include "inbox.h"
#include "plan.h"
#include "queue.h"
#include "trace.h"
#include "turn.h"
#include "worker.h"

static const struct vn_object_ops queue_ops;

struct vn_kqueue *vn_kqueue_find(struct vn_context *ctx, u32 id)
{
	struct vn_kqueue *kq;

	xa_lock(&ctx->queues);
	kq = xa_load(&ctx->queues, id);
	if (kq)
		vn_object_get(&kq->object);
	xa_unlock(&ctx->queues);
	return kq;
}

void vn_kqueue_put(struct vn_kqueue *kq)
{
	vn_object_put(&kq->object);
}

/* ---- life --------------------------------------------------------------- */

static void free_ring(struct vn_kqueue *kq, u32 pages)
{
	vunmap(kq->map);
	while (pages)
		__free_page(kq->page[--pages]);
	kvfree(kq->page);
}

static int alloc_ring(struct vn_kqueue *kq, u32 bytes, int node)
{
	u32 pages = bytes >> PAGE_SHIFT, i;

	kq->page = kvcalloc(pages, sizeof(*kq->page), VN_GFP_USER);
	if (!kq->page)
		return -ENOMEM;
	if (node != NUMA_NO_NODE && !node_online(node))
		node = NUMA_NO_NODE;
	for (i = 0; i < pages; i++) {
		kq->page[i] = alloc_pages_node(node, GFP_KERNEL_ACCOUNT | __GFP_ZERO |
					       __GFP_NOWARN | __GFP_NORETRY, 0);
		if (!kq->page[i])
			goto free;
	}
	kq->map = vmap(kq->page, pages, VM_MAP, PAGE_KERNEL);
	if (kq->map)
		return 0;
free:
	free_ring(kq, i);
	return -ENOMEM;
}

static int charge(struct vn_user *user, u64 bytes)
{
	int err = vn_user_charge(user, VN_USE_QUEUES, 1);

	if (err)
		return err;
	err = vn_user_charge(user, VN_USE_RINGS, bytes);
	if (err)
		vn_user_uncharge(user, VN_USE_QUEUES, 1);
	return err;
}

static void uncharge(struct vn_user *user, u64 bytes)
{
	vn_user_uncharge(user, VN_USE_RINGS, bytes);
	vn_user_uncharge(user, VN_USE_QUEUES, 1);
}

static void queue_free(struct vn_object *o)
{
	struct vn_kqueue *kq = container_of(o, struct vn_kqueue, object);

	vn_kinbox_free(kq->inbox);
	free_ring(kq, o->pages);
	uncharge(kq->user, o->pages << PAGE_SHIFT);
	vn_domain_put(kq->domain);
	if (kq->eventfd)
		eventfd_ctx_put(kq->eventfd);
	mutex_destroy(&kq->run_lock);
	kvfree(kq);
}

static int queue_mmap(struct vn_object *o, struct vm_area_struct *vma)
{
	struct vn_kqueue *kq = container_of(o, struct vn_kqueue, object);
	unsigned long n = vma_pages(vma);

	/* Every page is held by the mapping itself, too. */
	return vm_insert_pages(vma, vma->vm_start, kq->page + (vma->vm_pgoff & VN_OBJECT_PAGE_MASK),
			       &n);
}

static const struct vm_operations_struct queue_vm_ops = {
	.open = vn_vma_open,
	.close = vn_vma_close,
};

static const struct vn_object_ops queue_ops = {
	.mmap = queue_mmap,
	.vm_ops = &queue_vm_ops,
	.free = queue_free,
};

static struct vn_kqueue *queue_new(struct vn_context *ctx, const struct vn_queue_create *a)
{
	u32 bytes = VN_QUEUE_BYTES(a->depth);
	struct vn_kqueue *kq = kvzalloc(sizeof(*kq), VN_GFP_USER);
	int err;

	if (!kq)
		return ERR_PTR(-ENOMEM);
	err = charge(ctx->user, bytes);
	if (err)
		goto free;
	kq->ctx = ctx;
	kq->user = ctx->user;
	kq->chip = a->chip;
	mutex_init(&kq->run_lock);
	init_waitqueue_head(&kq->wait);
	if (a->flags & VN_QUEUE_EVENTFD) {
		kq->eventfd = eventfd_ctx_fdget(a->eventfd);
		if (IS_ERR(kq->eventfd)) {
			err = -EBADF;
			goto uncharge;
		}
	}
	err = alloc_ring(kq, bytes, READ_ONCE(vn_server.chip[a->chip].node));
	if (err)
		goto put_eventfd;
	err = vn_object_init(&kq->object, &queue_ops, bytes);
	if (err)
		goto free_ring;
	return kq;

free_ring:
	free_ring(kq, bytes >> PAGE_SHIFT);
put_eventfd:
	if (kq->eventfd)
		eventfd_ctx_put(kq->eventfd);
uncharge:
	mutex_destroy(&kq->run_lock);
	uncharge(ctx->user, bytes);
free:
	kvfree(kq);
	return ERR_PTR(err);
}

int vn_call_queue_create(struct vn_context *ctx, void *arg)
{
	struct vn_queue_create *a = arg;
	struct vn_env env = { .own = &ctx->own, .sw = &vn_server.sw };
	struct vn_kqueue *kq;
	int err;

	a->chip = vn_chip_index(a->chip);
	env.chip = a->chip;
	if (!vn_context_attached(ctx, a->chip))
		return -EACCES;
	if (vn_switch_lost(&vn_server.sw, a->chip))
		return -EHOSTDOWN;
	kq = queue_new(ctx, a);
	if (IS_ERR(kq))
		return PTR_ERR(kq);

	mutex_lock(&ctx->objects_lock);
	kq->domain = ctx->domain;
	refcount_inc(&kq->domain->refs);
	env.domain = &kq->domain->table;
	env.flow = kq->object.id;
	vn_queue_init(&kq->q, kq->map, a->depth, vn_server.sw.chips, &env);
	err = xa_alloc(&ctx->queues, &kq->id, kq, XA_LIMIT(0, VN_CONTEXT_QUEUES - 1),
		       VN_GFP_USER);
	if (!err) {
		atomic_inc(&vn_server.chip[kq->chip].queues);
		a->queue = kq->id;
		a->mmap_offset = vn_object_offset(&kq->object);
		a->mmap_bytes = VN_QUEUE_BYTES(a->depth);
		vn_object_show(&kq->object, ctx);
	}
	mutex_unlock(&ctx->objects_lock);
	if (err)
		vn_kqueue_put(kq);
	return err == -EBUSY ? -ENOSPC : err;
}

/*
 * Forgets the rings. What a launch still does is cut short; helpers leave after
 * the chunk they are in, and meanwhile nobody new finds anything to do.
 */
static void reset(struct vn_kqueue *kq)
{
	struct vn_plan *p;
	bool done;

	for (;;) {
		mutex_lock(&kq->run_lock);
		vn_queue_cancel(&kq->q);
		p = kq->q.plan;
		done = vn_queue_clear(&kq->q);
		vn_kqueue_turn(kq);
		kq->clears += done;
		mutex_unlock(&kq->run_lock);
		if (done)
			break;
		usleep_range(20, 100);
	}
	if (p) {
		struct vn_kplan *kp = container_of(p, struct vn_kplan, p);

		trace_plan_complete(kq->ctx->id, kq->id, kp->id, p->nprograms, VN_CANCELLED,
				    p->bytes);
		vn_kplan_put(kp);
	}
	/* Who waited to tell it something can. */
	if (READ_ONCE(kq->q.inbox))
		vn_worker_semaphores();
}

/* It is off its context's list. */
static void destroy(struct vn_kqueue *kq)
{
	vn_object_hide(&kq->object);
	/* A long launch ends at the chunk, not when it is done. */
	mutex_lock(&kq->run_lock);
	vn_queue_cancel(&kq->q);
	mutex_unlock(&kq->run_lock);
	vn_attend_stop(kq);
	vn_kinbox_end(kq);
	reset(kq);
	atomic_dec(&vn_server.chip[kq->chip].queues);
	vn_kqueue_put(kq);
}

int vn_call_queue_destroy(struct vn_context *ctx, void *arg)
{
	const struct vn_queue_id *a = arg;
	struct vn_kqueue *kq;

	mutex_lock(&ctx->objects_lock);
	kq = xa_erase(&ctx->queues, a->queue);
	mutex_unlock(&ctx->objects_lock);
	if (!kq)
		return -ENOENT;
	destroy(kq);
	return 0;
}

void vn_undo_queue_create(struct vn_context *ctx, void *arg)
{
	const struct vn_queue_create *a = arg;
	struct vn_queue_id undo = { .queue = a->queue };

	vn_call_queue_destroy(ctx, &undo);
}

void vn_context_close_queues(struct vn_context *ctx)
{
	struct vn_kqueue *kq;
	unsigned long i;

	xa_for_each(&ctx->queues, i, kq) {
		destroy(kq);
		cond_resched();
	}
	xa_destroy(&ctx->queues);
}

/* ---- calls -------------------------------------------------------------- */

int vn_call_queue_reset(struct vn_context *ctx, void *arg)
{
	const struct vn_queue_id *a = arg;
	struct vn_kqueue *kq = vn_kqueue_find(ctx, a->queue);

	if (!kq)
		return -ENOENT;
	reset(kq);
	/* Sleepers compare their targets with a ring that begins anew. */
	atomic_inc(&kq->events);
	wake_up_all(&kq->wait);
	vn_kqueue_put(kq);
	return 0;
}

static void note_submission(struct vn_kqueue *kq)
{
	u32 waiting;

	if (!trace_queue_submit_enabled())
		return;
	waiting = vn_queue_waiting(&kq->q);
	if (waiting)
		trace_queue_submit(kq->ctx->id, kq->id, kq->chip, waiting);
}

int vn_call_doorbell(struct vn_context *ctx, void *arg)
{
	const struct vn_queue_id *a = arg;
	struct vn_kqueue *kq = vn_kqueue_find(ctx, a->queue);

	if (!kq)
		return -ENOENT;
	note_submission(kq);
	/* The caller may have stored to a semaphore that any queue waits for. */
	vn_worker_semaphores();
	if (vn_queue_pending(&kq->q))
		vn_worker_ready(kq);
	vn_kqueue_put(kq);
	return 0;
}

int vn_call_wait(struct vn_context *ctx, void *arg)
{
	struct vn_wait *a = arg;
	struct vn_kqueue *kq = vn_kqueue_find(ctx, a->queue);
	int err;

	if (!kq)
		return -ENOENT;
	note_submission(kq);
	err = vn_turn_wait(kq, a->target, a->deadline_ns);
	a->cq_tail = READ_ONCE(kq->q.cq_shown);
	a->state = READ_ONCE(kq->q.state);
	vn_kqueue_put(kq);
	return err;
}

__poll_t vn_context_poll(struct vn_context *ctx, struct file *file, poll_table *table)
{
	struct vn_kqueue *kq;
	unsigned long i;
	__poll_t mask = 0;

	poll_wait(file, &ctx->poll_wait, table);
	xa_lock(&ctx->queues);
	xa_for_each(&ctx->queues, i, kq) {
		if (READ_ONCE(kq->q.state) == VN_QUEUE_ERROR)
			mask |= EPOLLERR;
		if (READ_ONCE(kq->q.cq_shown) != READ_ONCE(kq->q.ring->cq_head))
			mask |= EPOLLIN | EPOLLRDNORM;
	}
	xa_unlock(&ctx->queues);
	return mask;
}
