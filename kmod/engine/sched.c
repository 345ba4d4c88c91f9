// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sched.h"

enum { OFF, READY, BLOCKED, RESTING };

static void append(struct vn_sched *s, struct vn_queue *q)
{
	q->next = NULL;
	q->listed = READY;
	if (s->tail)
		s->tail->next = q;
	else
		WRITE_ONCE(s->head, q);	/* looked at without the lock */
	s->tail = q;
}

static void unlink_from(struct vn_queue **list, struct vn_queue *q)
{
	while (*list && *list != q)
		list = &(*list)->next;
	if (*list)
		WRITE_ONCE(*list, q->next);
}

void vn_sched_remove(struct vn_sched *s, struct vn_queue *q)
{
	if (q->listed == BLOCKED)
		unlink_from(&s->blocked, q);
	if (q->listed == RESTING)
		unlink_from(&s->resting, q);
	if (q->listed == READY) {
		unlink_from(&s->head, q);
		s->tail = s->head;
		while (s->tail && s->tail->next)
			s->tail = s->tail->next;
	}
	q->listed = OFF;
	q->next = NULL;
}

bool vn_sched_ready(struct vn_sched *s, struct vn_queue *q)
{
	if (q->listed == READY || q->listed == RESTING)
		return false;
	vn_sched_remove(s, q);
	append(s, q);
	return true;
}

struct vn_queue *vn_sched_pick(struct vn_sched *s)
{
	struct vn_queue *q = s->head;

	if (!q)
		return NULL;
	WRITE_ONCE(s->head, q->next);
	if (!s->head)
		s->tail = NULL;
	q->next = NULL;
	q->listed = OFF;
	return q;
}

bool vn_sched_done(struct vn_sched *s, struct vn_queue *q, enum vn_run res, u64 cost, u32 wakes)
{
	(void)cost;		/* round robin does not ask */
	if (q->listed == READY)	/* somebody listed it in the meantime */
		return true;
	if (q->listed == RESTING)
		return false;
	/* Another thread that found all in our hands may have listed it as blocked. */
	if (res == VN_RUN_MORE || (res == VN_RUN_BLOCKED && s->wakes != wakes))
		return vn_sched_ready(s, q);
	if (res == VN_RUN_BLOCKED && q->listed == OFF) {
		q->listed = BLOCKED;
		q->next = s->blocked;
		s->blocked = q;
	}
	return false;
}

bool vn_sched_wake(struct vn_sched *s)
{
	struct vn_queue *q = s->blocked, *next;

	WRITE_ONCE(s->wakes, s->wakes + 1); /* others look */
	s->blocked = NULL;
	for (struct vn_queue *it = q; it; it = next) {
		next = it->next;
		append(s, it);
	}
	return q;
}

bool vn_sched_rest(struct vn_sched *s, struct vn_queue *q, u64 until)
{
	struct vn_queue **at = &s->resting;

	vn_sched_remove(s, q);
	while (*at && (*at)->rest_until <= until)
		at = &(*at)->next;
	q->rest_until = until;
	q->listed = RESTING;
	q->next = *at;
	*at = q;
	return s->resting == q;
}

struct vn_queue *vn_sched_rested(struct vn_sched *s, u64 now)
{
	struct vn_queue *q = s->resting;

	if (!q || q->rest_until > now)
		return NULL;
	vn_sched_remove(s, q);
	return q;
}
