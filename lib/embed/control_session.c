// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A connection over which a sled is drained. Its steps take as long as they take, so it has
 * a thread; when the connection ends, however it does, so does the session.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../kmod/engine/abi.h"
#include "../error.h"
#include "control.h"

struct embed_drainer {
	struct embed_device *dev;
	int fd, wake;
	u32 uid;
	pthread_t thread;
	bool over; /* atomic */
	struct embed_session *session; /* of the thread */
	u32 sled; /* these two atomic, for who stops it */
	u64 operation;
	u32 seq; /* of the first request */
	struct embed_request q;
	union {
		struct nlmsghdr h;
		u8 data[EMBED_REQUEST_BYTES];
	} in;
};

static int open_session(struct embed_drainer *d, struct vn_drain_open *a)
{
	if (d->session)
		return vn_fail(-EBUSY, "a connection drains one sled; this one does");
	__atomic_store_n(&d->sled, a->sled, __ATOMIC_RELAXED);
	__atomic_store_n(&d->operation, a->operation, __ATOMIC_RELEASE);
	return embed_drain_open(d->dev, a, d->uid, &d->session);
}

static int drain(struct embed_drainer *d, struct embed_request *q)
{
	const struct vn_switch *sw = &d->dev->sw;
	u32 size = q->arg.size;
	int err;

	vn_set_error("%s", "");
	err = vn_abi_check(q->nr, &q->arg, sw->chips, vn_switch_sleds(sw));
	if (err)
		return err;
	if (q->nr == VN_IOCTL_DRAIN_OPEN)
		err = open_session(d, &q->arg.open);
	else if (d->session)
		err = embed_drain_step(d->session, &q->arg.step);
	else
		err = vn_fail(-EBADF, "a step of no drain: this connection has opened none");
	q->arg.size = size;
	return err;
}

static void answer(struct embed_drainer *d, struct embed_request *q, struct embed_reply *r)
{
	if (embed_request_drains(q))
		embed_request_called(q, drain(d, q), r);
	else if (q->cmd == VN_NL_CMD_JOIN)
		embed_reply_end(r, -EBUSY, "this connection drains: events want another");
	else
		embed_request_answer(d->dev, q, r);
}

/* Waits for who reads it: nobody but him waits here. */
static bool flush(int fd, struct embed_reply *r)
{
	bool sent = true;

	for (; r->first; embed_reply_pop(r))
		sent = sent &&
		       send(fd, r->first->data, r->first->bytes, MSG_NOSIGNAL) == r->first->bytes;
	return sent;
}

static void *drain_for(void *arg)
{
	struct embed_drainer *d = arg;
	struct embed_reply r = { .seq = d->seq };
	static const u64 one = 1;
	ssize_t n;

	answer(d, &d->q, &r);
	while (flush(d->fd, &r)) {
		n = recv(d->fd, &d->in, sizeof(d->in), MSG_TRUNC);
		if (n <= 0)
			break;
		if (embed_request_read(&d->q, &d->in, (size_t)n, &r))
			continue;
		d->q.uid = d->uid;
		answer(d, &d->q, &r);
	}
	if (d->session)
		embed_drain_close(d->session);
	/* Who waits for that knows. */
	shutdown(d->fd, SHUT_RDWR);
	__atomic_store_n(&d->over, true, __ATOMIC_RELEASE);
	if (write(d->wake, &one, sizeof(one)) < 0)
		(void)0; /* full: it is awake */
	return NULL;
}

struct embed_drainer *embed_drainer_new(struct embed_device *dev, int fd, int wake, u32 uid,
					const struct embed_request *q, u32 seq)
{
	struct embed_drainer *d = malloc(sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct embed_drainer){
		.dev = dev, .fd = fd, .wake = wake, .uid = uid, .q = *q, .seq = seq
	};
	if (pthread_create(&d->thread, NULL, drain_for, d)) {
		free(d);
		return NULL;
	}
	return d;
}

bool embed_drainer_over(struct embed_drainer *d)
{
	return __atomic_load_n(&d->over, __ATOMIC_ACQUIRE);
}

void embed_drainer_stop(struct embed_drainer *d)
{
	u64 operation = __atomic_load_n(&d->operation, __ATOMIC_ACQUIRE);

	shutdown(d->fd, SHUT_RDWR);
	/* A round it is in need not come to its end; who else drains there has another number. */
	if (operation)
		embed_sled_cancel(d->dev, __atomic_load_n(&d->sled, __ATOMIC_RELAXED), operation);
}

void embed_drainer_free(struct embed_drainer *d)
{
	pthread_join(d->thread, NULL);
	close(d->fd);
	free(d);
}
