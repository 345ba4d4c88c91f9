// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The user's side of a queue. The rings are read and written here alone; who
 * runs them is the device's business: this thread inside WAIT, or a worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "queue.h"

/* How long to look at the completion ring while a worker is at it, before working too. */
#define SPIN_NS 20000

int vn_queue_create(vn_device_t dev, uint32_t chip, uint32_t depth, int eventfd, vn_queue_t *queue)
{
	struct vn_queue_create c = {
		.chip = chip,
		.depth = depth,
		.flags = eventfd >= 0 ? VN_QUEUE_EVENTFD : 0,
		.eventfd = eventfd >= 0 ? eventfd : 0,
	};
	struct vn_queue_id id = { 0 };
	struct vn_lib_queue *q;
	int err = vn_attach(dev, chip);

	if (err)
		return err;
	q = calloc(1, sizeof(*q));
	if (!q)
		return vn_fail(-ENOMEM, "no memory for a queue handle");
	err = vn_call(dev, VN_IOCTL_QUEUE_CREATE, &c, sizeof(c));
	if (err) {
		free(q);
		return vn_fail(err, "chip %u: queue of depth %u: %s", chip, depth,
			       err == -EINVAL	   ? "want a power of two from 8 to 65536"
			       : err == -EHOSTDOWN ? "the chip is lost"
						   : strerror(-err));
	}
	err = dev->home->map(dev->ctx, c.mmap_offset, c.mmap_bytes, true, (void **)&q->ring);
	if (err) {
		id.queue = c.queue;
		vn_call(dev, VN_IOCTL_QUEUE_DESTROY, &id, sizeof(id));
		free(q);
		return err;
	}
	q->dev = dev;
	q->id = c.queue;
	q->chip = chip;
	q->depth = depth;
	q->bytes = c.mmap_bytes;
	q->sq = (struct vn_desc *)((char *)q->ring + VN_RING_SQ_OFFSET);
	q->cq = (struct vn_cqe *)((char *)q->ring + VN_RING_CQ_OFFSET(depth));
	vn_handle_add(dev, &q->handle);
	*queue = q;
	return 0;
}

static int by_id(vn_queue_t q, uint32_t cmd)
{
	struct vn_queue_id id = { .queue = q->id };

	return vn_call(q->dev, cmd, &id, sizeof(id));
}

int vn_queue_destroy(vn_queue_t q)
{
	int err;

	if (q->collectives)
		coll_stream_drain(q);
	err = by_id(q, VN_IOCTL_QUEUE_DESTROY);

	if (err)
		return err;
	vn_plans_cut(q->dev, q);
	vn_handle_remove(q->dev, &q->handle);
	q->dev->home->unmap(q->dev->ctx, q->ring, q->bytes);
	vn_queue_forget(q);
	free(q);
	return 0;
}

void vn_queue_forget(vn_queue_t q)
{
	free(q->kept);
}

int vn_queue_reset(vn_queue_t q)
{
	int err = by_id(q, VN_IOCTL_QUEUE_RESET);

	if (err)
		return err;
	vn_plans_cut(q->dev, q);
	q->sq_tail = 0;
	q->sq_shown = 0;
	q->cq_head = 0;
	q->arrived = 0;
	q->nkept = 0;
	return 0;
}

const struct vn_ring *vn_queue_ring(vn_queue_t q)
{
	return q->ring;
}

struct vn_desc *vn_next(vn_queue_t q)
{
	struct vn_desc *d;

	if (q->collectives)
		coll_stream_drain(q);
	if (q->sq_tail - __atomic_load_n(&q->ring->sq_head, __ATOMIC_ACQUIRE) >= q->depth)
		return NULL;
	d = &q->sq[q->sq_tail++ & (q->depth - 1)];
	memset(d, 0, sizeof(*d));
	return d;
}

void vn_queue_show(vn_queue_t q)
{
	if (q->sq_shown == q->sq_tail)
		return;
	__atomic_store_n(&q->ring->sq_stamp, vn_now(), __ATOMIC_RELAXED);
	__atomic_store_n(&q->ring->sq_tail, q->sq_tail, __ATOMIC_RELEASE);
	q->sq_shown = q->sq_tail;
}

static bool nobody_runs(vn_queue_t q)
{
	return __atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED) & VN_RING_NEED_WAKEUP;
}

int vn_submit(vn_queue_t q)
{
	vn_queue_show(q);
	/* Pairs with the barrier in the device between setting the flag and looking again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return nobody_runs(q) ? by_id(q, VN_IOCTL_DOORBELL) : 0;
}

static uint32_t ready(vn_queue_t q)
{
	return __atomic_load_n(&q->ring->cq_tail, __ATOMIC_ACQUIRE) - q->cq_head;
}

static bool is_arrival(const struct vn_cqe *e)
{
	return e->seq & VN_CQE_ARRIVAL;
}

/* Descriptors completed, when n entries are ready. */
static uint32_t completed(vn_queue_t q, uint32_t n)
{
	uint32_t arrived = q->arrived;

	for (uint32_t i = 0;
	     i < n && i < q->depth && __atomic_load_n(&q->receives, __ATOMIC_RELAXED); i++)
		arrived += is_arrival(&q->cq[(q->cq_head + i) & (q->depth - 1)]);
	return q->cq_head + n - arrived;
}

uint32_t vn_queue_completed(vn_queue_t q)
{
	return completed(q, ready(q));
}

static int queue_error(vn_queue_t q)
{
	const struct vn_ring *r = q->ring;
	/* The state is stored last: what it announces is there once it is seen. */
	uint32_t state = __atomic_load_n(&r->state, __ATOMIC_ACQUIRE);
	uint32_t status = __atomic_load_n(&r->error_status, __ATOMIC_RELAXED);
	uint32_t detail = __atomic_load_n(&r->error_detail, __ATOMIC_RELAXED);
	uint64_t seq = __atomic_load_n(&r->error_seq, __ATOMIC_RELAXED);

	return vn_fail(-EIO, "chip %u: queue %u stopped at descriptor %llu: %s (detail %u)",
		       q->chip, q->id, (unsigned long long)seq,
		       vn_status_text(state == VN_QUEUE_ERROR ? status : VN_CANCELLED), detail);
}

/* While a worker has the queue, completions may come without a call. */
static bool comes_by_itself(vn_queue_t q, uint32_t n)
{
	uint64_t end = 0;

	while (!nobody_runs(q)) {
		for (int i = 0; i < 64; i++) {
			if (ready(q) >= n)
				return true;
			__builtin_ia32_pause();
		}
		if (!end)
			end = vn_now() + SPIN_NS;
		else if (vn_now() > end)
			break;
	}
	return ready(q) >= n;
}

/* Until so many are in the ring. */
static int wait_ready(vn_queue_t q, uint32_t n, uint64_t timeout_ns)
{
	struct vn_wait w = { .queue = q->id, .target = q->cq_head + n };
	int err;

	vn_queue_show(q);
	if (ready(q) >= n || comes_by_itself(q, n))
		return 0;
	w.deadline_ns = timeout_ns ? vn_deadline(timeout_ns) : 0;
	err = vn_call(q->dev, VN_IOCTL_WAIT, &w, sizeof(w));
	if (ready(q) >= n)
		return 0;
	if (err == -EIO)
		return queue_error(q);
	if (err == -ETIMEDOUT)
		vn_set_error("chip %u: queue %u: %u of %u completions within %llu ns", q->chip,
			     q->id, ready(q), n, (unsigned long long)timeout_ns);
	return err;
}

int vn_queue_await(vn_queue_t q, uint64_t timeout_ns)
{
	uint64_t deadline = vn_deadline(timeout_ns);
	uint32_t taken = q->cq_head - q->arrived, want = q->sq_tail - taken, have, n;
	int err = 0;

	if (want > q->depth)
		want = q->depth;
	/* Arrivals come among them: as many more as are missing, again and again. */
	while (!err && (n = ready(q), have = completed(q, n) - taken) < want) {
		if (n + want - have > q->depth)
			return vn_fail(-ENOBUFS, "chip %u: queue %u: arrivals are to be reaped",
				       q->chip, q->id);
		err = wait_ready(q, n + want - have, vn_left(deadline));
	}
	return err;
}

int vn_wait(vn_queue_t q, uint32_t n, uint64_t timeout_ns)
{
	if (n > q->depth)
		return vn_fail(-EINVAL, "waiting for %u completions on a queue of depth %u", n,
			       q->depth);
	return wait_ready(q, n > q->nkept ? n - q->nkept : 0, timeout_ns);
}

static int take(vn_queue_t q, struct vn_cqe *cqes, uint32_t max)
{
	uint32_t n = ready(q);

	if (n > q->depth) /* somebody wrote over our ring */
		return vn_fail(-EIO, "chip %u: queue %u: completion index is impossible", q->chip,
			       q->id);
	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++) {
		cqes[i] = q->cq[(q->cq_head + i) & (q->depth - 1)];
		q->arrived += is_arrival(&cqes[i]);
	}
	q->cq_head += n;
	__atomic_store_n(&q->ring->cq_head, q->cq_head, __ATOMIC_RELEASE);
	return n;
}

/* Descriptors, and arrivals, that waited for room among the completions go on. */
static void go_on(vn_queue_t q)
{
	bool stalled = q->sq_shown != __atomic_load_n(&q->ring->sq_head, __ATOMIC_RELAXED);
	bool receives = __atomic_load_n(&q->receives, __ATOMIC_RELAXED);

	if (!stalled && !receives)
		return;
	/* Pairs with the same barrier as that of vn_submit(), and that of arrivals. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((stalled && nobody_runs(q)) ||
	    (receives && __atomic_load_n(&q->ring->arrivals, __ATOMIC_RELAXED)))
		by_id(q, VN_IOCTL_DOORBELL);
}

/* An arrival that came while somebody waited for descriptors; false: too many of them. */
static bool keep(vn_queue_t q, const struct vn_cqe *e)
{
	if (!q->kept)
		q->kept = calloc(q->depth, sizeof(*q->kept));
	if (!q->kept || q->nkept == q->depth)
		return false;
	q->kept[(q->kept_first + q->nkept++) & (q->depth - 1)] = *e;
	return true;
}

int vn_reap(vn_queue_t q, struct vn_cqe *cqes, uint32_t max)
{
	uint32_t kept = 0;
	int n;

	while (q->nkept && kept < max) {
		cqes[kept++] = q->kept[q->kept_first++ & (q->depth - 1)];
		q->nkept--;
	}
	n = take(q, cqes + kept, max - kept);
	if (n > 0)
		go_on(q);
	return n < 0 && !kept ? n : (int)kept + (n > 0 ? n : 0);
}

/* Takes what is there; *bad: of the first failure. -ENOBUFS: too many arrivals. */
static int take_all(vn_queue_t q, int *bad)
{
	struct vn_cqe e;
	int got;

	for (;;) {
		if (q->nkept == q->depth && ready(q) &&
		    is_arrival(&q->cq[q->cq_head & (q->depth - 1)]))
			return vn_fail(-ENOBUFS, "chip %u: queue %u: %u arrivals are to be reaped",
				       q->chip, q->id, q->nkept);
		got = take(q, &e, 1);
		if (got != 1)
			return got;
		if (is_arrival(&e)) {
			if (!keep(q, &e))
				return vn_fail(-ENOMEM, "no memory to keep arrivals");
		} else if (e.status && !*bad) {
			*bad = vn_fail(-EIO, "chip %u: queue %u: descriptor %llu: %s (detail %u)",
				       q->chip, q->id, (unsigned long long)e.seq,
				       vn_status_text(e.status), e.detail);
		}
	}
}

int vn_complete(vn_queue_t q, uint64_t timeout_ns)
{
	uint64_t deadline = vn_deadline(timeout_ns);
	uint32_t left, n;
	int err, got, bad = 0;

	/* Without silent descriptors, and arrivals, both rings count the same. */
	while ((left = q->sq_tail - (q->cq_head - q->arrived))) {
		n = left < q->depth ? left : q->depth;
		err = wait_ready(q, n, vn_left(deadline));
		got = take_all(q, &bad);
		if (got < 0)
			return bad ?: got;
		if (bad || err) {
			go_on(q);
			return bad ?: err;
		}
	}
	return 0;
}

int vn_sem_signal(vn_queue_t q, uint64_t *word, uint64_t add)
{
	vn_mem_begin(q->dev, word, sizeof(*word));
	__atomic_fetch_add(word, add, __ATOMIC_SEQ_CST);
	vn_mem_end(q->dev);
	return by_id(q, VN_IOCTL_DOORBELL);
}

int vn_sem_wait(vn_queue_t q, const uint64_t *word, uint64_t value, uint64_t timeout_ns)
{
	uint64_t deadline = vn_deadline(timeout_ns);
	struct vn_wait w;
	int err;

	vn_queue_show(q);
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value) {
		/* One completion more than there is: works, and wakes when anything moved. */
		w = (struct vn_wait){
			.queue = q->id,
			.target = __atomic_load_n(&q->ring->cq_tail, __ATOMIC_ACQUIRE) + 1,
			.deadline_ns = vn_now() + 200000,
		};
		if (w.deadline_ns > deadline)
			w.deadline_ns = deadline;
		err = vn_call(q->dev, VN_IOCTL_WAIT, &w, sizeof(w));
		if (err == -EIO)
			return queue_error(q);
		if (err && err != -ETIMEDOUT)
			return err;
		if (vn_now() >= deadline && __atomic_load_n(word, __ATOMIC_ACQUIRE) < value)
			return vn_fail(
				-ETIMEDOUT,
				"chip %u: queue %u: semaphore is %llu, not %llu, after %llu ns",
				q->chip, q->id,
				(unsigned long long)__atomic_load_n(word, __ATOMIC_ACQUIRE),
				(unsigned long long)value, (unsigned long long)timeout_ns);
	}
	/* All ones are what is read of a chip that is lost. */
	if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == UINT64_MAX && vn_mem_lost(q->dev, word))
		return vn_fail(-EHOSTDOWN, "chip %u: queue %u: the chip of its semaphore was lost",
			       q->chip, q->id);
	return 0;
}
