// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Queues as streams. A collective begins when every descriptor before it has
 * completed; a descriptor is given out when every collective before it has.
 */
#include <errno.h>

#include "coll.h"

/* A turn at what stands before a collective, before its rank looks around again. */
#define TURN_NS 1000000u

bool coll_stream_idle(vn_queue_t q)
{
	return vn_queue_completed(q) == q->sq_tail;
}

bool coll_stream_failed(vn_queue_t q)
{
	return __atomic_load_n(&q->ring->state, __ATOMIC_ACQUIRE) == VN_QUEUE_ERROR;
}

bool coll_stream_work(vn_queue_t q)
{
	struct vn_wait w = { .queue = q->id };

	if (coll_stream_idle(q) || coll_stream_failed(q))
		return false;
	vn_queue_show(q);
	/* So many more than there are. */
	w.target = __atomic_load_n(&q->ring->cq_tail, __ATOMIC_ACQUIRE);
	w.target += q->sq_tail - vn_queue_completed(q);
	w.deadline_ns = vn_now() + TURN_NS;
	vn_call(q->dev, VN_IOCTL_WAIT, &w, sizeof(w));
	return true;
}

void coll_stream_drain(vn_queue_t q)
{
	struct coll_pending *d;

	/* A failure is the communicator's, and told by its calls. */
	while ((d = q->collectives))
		coll_wait(d->comm, d->index + 1, VN_FOREVER);
}

int vn_queue_sync(vn_queue_t q, uint64_t timeout_ns)
{
	uint64_t deadline = vn_deadline(timeout_ns);
	struct coll_pending *d;
	int err = 0;

	while (!err && (d = q->collectives))
		err = coll_wait(d->comm, d->index + 1, vn_left(deadline));
	if (err || coll_stream_idle(q))
		return err;
	return vn_queue_await(q, vn_left(deadline));
}
