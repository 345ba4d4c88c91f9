// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What happens to sleds, as the home tells it. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "home.h"
#include "include/vneuron/sled.h"

/* So often it is looked whether the other side is there: its fd may outlive it. */
#define LOOK_NS 1000000000ull

struct vn_sled_events {
	const struct vn_event_ops *ops;
	void *from;
};

int vn_sled_events_open(vn_device_t dev, vn_sled_events_t *out)
{
	struct vn_sled_events *ev = malloc(sizeof(*ev));
	int err;

	if (!ev)
		return vn_fail(-ENOMEM, "no memory for events");
	err = dev->home->events(dev->ctx, &ev->ops, &ev->from);
	if (err) {
		free(ev);
		return err;
	}
	*out = ev;
	return 0;
}

int vn_sled_events_fd(vn_sled_events_t ev)
{
	return ev->ops->fd(ev->from);
}

void vn_sled_events_close(vn_sled_events_t ev)
{
	if (!ev)
		return;
	ev->ops->close(ev->from);
	free(ev);
}

/* Until there may be something to read, or to notice, or the deadline has passed. */
static int await(int fd, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t left = vn_left(deadline);
	bool slice = left > LOOK_NS;
	uint64_t ns = slice ? LOOK_NS : left;
	struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	int saved = errno, n;

	n = ppoll(&p, 1, &t, NULL);
	if (n < 0 && errno != EINTR)
		n = vn_fail(-errno, "events: %s", strerror(errno));
	else if (!n && !slice)
		n = vn_fail(-ETIMEDOUT, "events: none within the time");
	else
		n = 0;
	errno = saved;
	return n;
}

int vn_sled_events_next(vn_sled_events_t ev, struct vn_sled_event *e, uint64_t timeout_ns)
{
	uint64_t deadline = vn_deadline(timeout_ns);
	int err;

	do {
		err = ev->ops->next(ev->from, e);
		if (err != -EAGAIN)
			return err;
		err = await(ev->ops->fd(ev->from), deadline);
	} while (!err);
	return err;
}
