/* SPDX-License-Identifier: GPL-2.0-only */
/* What queues are told by others: life of an inbox, and waking whose it is. */
#ifndef VN_KMOD_INBOX_H
#define VN_KMOD_INBOX_H

#include <linux/refcount.h>
#include "queue.h"

/*
 * Made for the first window that is bound to a queue. Held by its queue, as long as that is
 * an object, and by each window bound to it. The slots are the queue's: nobody posts any more
 * when it goes, since vn_kinbox_end() has waited for the runners.
 */
struct vn_kinbox {
	refcount_t refs;
	struct vn_kqueue *kq;		/* good while it is on the list of those posted to */
	struct vn_arrival *slots;
	struct vn_inbox inbox;
};

/* The inbox of a queue, with a reference. Under its context's objects_lock. */
struct vn_kinbox *vn_kinbox_get(struct vn_kqueue *kq);
void vn_kinbox_put(struct vn_kinbox *ki);
/* The queue is being destroyed: no runner posts any more, none waits to. */
void vn_kinbox_end(struct vn_kqueue *kq);
/* The queue is gone. */
void vn_kinbox_free(struct vn_kinbox *ki);

#endif
