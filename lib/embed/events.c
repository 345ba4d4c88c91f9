// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who is told what happens to sleds of the embedded device. An event is noted in every
 * subscriber's ring where it happens, which neither waits nor makes a call; that there is
 * something is said later, when nobody waits for who says it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../error.h"
#include "../include/vneuron/sled.h"
#include "embed.h"

/* Of several drains of 36 sleds. */
#define RING 1024u

struct embed_events {
	struct embed_events *next; /* of the device */
	struct embed_device *dev; /* held */
	int fd; /* can be read when there may be one */
	bool unsaid;
	bool lost; /* all that came since the ring was full */
	u32 head, count;
	struct vn_sled_event ring[RING];
};

int embed_events_open(struct embed_device *dev, struct embed_events **to)
{
	struct embed_events *ev = malloc(sizeof(*ev));

	if (!ev)
		return vn_fail(-ENOMEM, "no memory for events");
	*ev = (struct embed_events){ .dev = dev };
	ev->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ev->fd < 0) {
		free(ev);
		return vn_fail(-errno, "events: %s", strerror(errno));
	}
	embed_device_get(dev);
	pthread_mutex_lock(&dev->events_lock);
	ev->next = dev->subscribers;
	dev->subscribers = ev;
	pthread_mutex_unlock(&dev->events_lock);
	*to = ev;
	return 0;
}

void embed_events_close(struct embed_events *ev)
{
	struct embed_device *dev = ev->dev;
	struct embed_events **at;

	pthread_mutex_lock(&dev->events_lock);
	for (at = &dev->subscribers; *at != ev; at = &(*at)->next)
		;
	*at = ev->next;
	pthread_mutex_unlock(&dev->events_lock);
	close(ev->fd);
	free(ev);
	embed_device_put(dev);
}

int embed_events_fd(const struct embed_events *ev)
{
	return ev->fd;
}

int embed_events_next(struct embed_events *ev, struct vn_sled_event *e)
{
	int err = 0;
	u64 n;

	pthread_mutex_lock(&ev->dev->events_lock);
	if (ev->count) {
		*e = ev->ring[ev->head];
		ev->head = (ev->head + 1) % RING;
		ev->count--;
	} else if (ev->lost) {
		ev->lost = false;
		err = -ENOBUFS;
	} else {
		/* Until there is one that has not been said. */
		if (read(ev->fd, &n, sizeof(n)) < 0)
			(void)0; /* it was not readable */
		err = -EAGAIN;
	}
	pthread_mutex_unlock(&ev->dev->events_lock);
	if (err == -ENOBUFS)
		vn_set_error("events: some are lost, they came faster than they were read");
	return err;
}

void embed_events_note(struct embed_device *dev, const struct vn_sled_event *e)
{
	pthread_mutex_lock(&dev->events_lock);
	for (struct embed_events *ev = dev->subscribers; ev; ev = ev->next) {
		ev->lost = ev->lost || ev->count == RING;
		if (!ev->lost)
			ev->ring[(ev->head + ev->count++) % RING] = *e;
		ev->unsaid = true;
	}
	pthread_mutex_unlock(&dev->events_lock);
}

void embed_events_say(struct embed_device *dev)
{
	static const u64 one = 1;

	pthread_mutex_lock(&dev->events_lock);
	for (struct embed_events *ev = dev->subscribers; ev; ev = ev->next) {
		if (ev->unsaid && write(ev->fd, &one, sizeof(one)) < 0)
			(void)0; /* full: it is readable already */
		ev->unsaid = false;
	}
	pthread_mutex_unlock(&dev->events_lock);
}
