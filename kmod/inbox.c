// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/slab.h>
#include "inbox.h"
#include "worker.h"

static struct vn_kinbox *new_inbox(struct vn_kqueue *kq)
{
	u32 depth = kq->q.depth;
	struct vn_kinbox *ki = kzalloc(sizeof(*ki), VN_GFP_USER);

	if (!ki)
		return NULL;
	ki->slots = kvmalloc_array(depth, sizeof(*ki->slots), VN_GFP_USER);
	if (!ki->slots) {
		kfree(ki);
		return NULL;
	}
	refcount_set(&ki->refs, 1);
	ki->kq = kq;
	vn_inbox_init(&ki->inbox, ki->slots, depth, kq->chip, vn_worker_posts());
	return ki;
}

struct vn_kinbox *vn_kinbox_get(struct vn_kqueue *kq)
{
	if (!kq->inbox) {
		struct vn_kinbox *ki = new_inbox(kq);

		if (!ki)
			return NULL;
		mutex_lock(&kq->run_lock);
		kq->inbox = ki;
		vn_queue_receive(&kq->q, &ki->inbox);
		mutex_unlock(&kq->run_lock);
	}
	refcount_inc(&kq->inbox->refs);
	return kq->inbox;
}

void vn_kinbox_put(struct vn_kinbox *ki)
{
	if (refcount_dec_and_test(&ki->refs))
		kfree(ki);
}

void vn_kinbox_end(struct vn_kqueue *kq)
{
	struct vn_kinbox *ki = kq->inbox;

	if (!ki)
		return;
	mutex_lock(&kq->run_lock);
	vn_inbox_set(&ki->inbox, VN_INBOX_GONE);
	mutex_unlock(&kq->run_lock);
	vn_worker_quiesce();
	/* Those that were in have listed it, maybe: off with it. */
	vn_worker_arrivals();
}

void vn_kinbox_free(struct vn_kinbox *ki)
{
	if (!ki)
		return;
	kvfree(ki->slots);
	vn_kinbox_put(ki);
}
