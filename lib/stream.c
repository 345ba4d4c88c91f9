// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Streams of accelerator runtimes: queues, of which it is remembered which thread used
 * them last, and events, which are places in them.
 */
#include <errno.h>
#include <stdlib.h>

#include "coll/coll.h"
#include "stream.h"

/* Operations on it don't take room in the ring; it is for descriptors of the program. */
#define DEPTH 64u

/* The list has it until vn_stream_destroy(), which frees it. */
struct vn_lib_stream {
	struct vn_lib_stream *next; /* streams_lock */
	vn_queue_t queue;
	vn_device_t dev;
	uint32_t chip;
	bool blocking;
	const void *thread; /* atomic: who used it last; that one's is all below */
	struct vn_lib_event *events; /* recorded on it and not passed */
};

struct vn_lib_event {
	struct vn_lib_event *next; /* of the same stream */
	struct vn_lib_stream *stream; /* NULL: passed, or never recorded */
	/* The operation it is behind; there as long as the queue has it. */
	const struct coll_pending *after;
	struct vn_lib_comm *comm;
	uint64_t index;
	uint64_t ns; /* when it was passed; 0: never recorded */
};

static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vn_lib_stream *streams;

/* A thread's own streams: what NULL stands for, by chip; made when first asked for. */
struct own {
	struct vn_lib_stream *of[VN_MAX_CHIPS];
};

static _Thread_local struct own *own;
static pthread_once_t own_once = PTHREAD_ONCE_INIT;
static pthread_key_t own_key;

/* Something about the calling thread that no other one has. */
static const void *self(void)
{
	return &own;
}

/* ---- events that were passed ------------------------------------------------------ */

static bool passed(const struct vn_lib_event *e)
{
	const struct coll_pending *d = e->stream->queue->collectives;

	while (d && (d != e->after || d->comm != e->comm || d->index != e->index))
		d = d->next_on_stream;
	return !d;
}

static void unhook(struct vn_lib_event *e)
{
	struct vn_lib_event **at;

	if (!e->stream)
		return;
	for (at = &e->stream->events; *at != e; at = &(*at)->next)
		;
	*at = e->next;
	e->stream = NULL;
}

/* Events of the stream that are behind nothing any more have their time now. */
static void settle(struct vn_lib_stream *s)
{
	struct vn_lib_event *e, *next;

	for (e = s->events; e; e = next) {
		next = e->next;
		if (!passed(e))
			continue;
		e->ns = vn_now();
		unhook(e);
	}
}

/* ---- streams ------------------------------------------------------------------------ */

static int create(vn_device_t dev, uint32_t chip, bool blocking, vn_stream_t *stream)
{
	struct vn_lib_stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return vn_fail(-ENOMEM, "no memory for a stream");
	err = vn_queue_create(dev, chip, DEPTH, -1, &s->queue);
	if (err) {
		free(s);
		return err;
	}
	s->dev = dev;
	s->chip = chip;
	s->blocking = blocking;
	s->thread = self();
	pthread_mutex_lock(&streams_lock);
	s->next = streams;
	streams = s;
	pthread_mutex_unlock(&streams_lock);
	*stream = s;
	return 0;
}

int vn_stream_create_with_flags(vn_stream_t *stream, unsigned int flags)
{
	vn_device_t dev;
	uint32_t chip;
	int err;

	if (!stream)
		return vn_fail(-EINVAL, "stream: no place for the handle");
	if (flags & ~VN_STREAM_NON_BLOCKING)
		return vn_fail(-EINVAL, "stream: unknown flags %#x", flags);
	err = vn_accel_current(&dev, &chip);
	return err ?: create(dev, chip, !(flags & VN_STREAM_NON_BLOCKING), stream);
}

int vn_stream_create(vn_stream_t *stream)
{
	return vn_stream_create_with_flags(stream, VN_STREAM_DEFAULT);
}

int vn_stream_destroy(vn_stream_t s)
{
	struct vn_lib_stream **at;
	int err;

	if (!s)
		return vn_fail(-EINVAL, "stream: the thread's own one ends with the thread");
	coll_stream_drain(s->queue);
	settle(s);
	pthread_mutex_lock(&streams_lock);
	for (at = &streams; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	pthread_mutex_unlock(&streams_lock);
	err = vn_queue_destroy(s->queue);
	free(s);
	return err;
}

static void own_end(void *arg)
{
	struct own *o = arg;

	for (uint32_t i = 0; i < VN_MAX_CHIPS; i++)
		if (o->of[i])
			vn_stream_destroy(o->of[i]);
	own = NULL;
	free(o);
}

static void own_init(void)
{
	pthread_key_create(&own_key, own_end);
}

static int own_stream(vn_device_t dev, uint32_t chip, vn_stream_t *stream)
{
	int err = 0;

	if (!own) {
		pthread_once(&own_once, own_init);
		own = calloc(1, sizeof(*own));
		if (!own)
			return vn_fail(-ENOMEM, "no memory for a thread's streams");
		pthread_setspecific(own_key, own);
	}
	if (!own->of[chip])
		err = create(dev, chip, true, &own->of[chip]);
	*stream = own->of[chip];
	return err;
}

/* From here on it is this thread's. NULL becomes its own one. */
static int take(vn_stream_t *stream)
{
	vn_device_t dev;
	uint32_t chip;
	int err;

	if (!*stream) {
		err = vn_accel_current(&dev, &chip) ?: own_stream(dev, chip, stream);
		if (err)
			return err;
	}
	__atomic_store_n(&(*stream)->thread, self(), __ATOMIC_RELAXED);
	return 0;
}

int vn_stream_use(vn_stream_t stream, vn_comm_t comm, vn_queue_t *queue)
{
	vn_device_t dev;
	int err;

	*queue = NULL;
	if (!stream) {
		if (!comm)
			return 0;
		err = vn_accel_device(&dev);
		if (err || comm->team->dev != dev)
			return err;
		err = own_stream(dev, comm->team->board.member[comm->rank].chip, &stream);
		if (err)
			return err;
	}
	if (__atomic_load_n(&stream->thread, __ATOMIC_RELAXED) != self())
		__atomic_store_n(&stream->thread, self(), __ATOMIC_RELAXED);
	*queue = stream->queue;
	return 0;
}

/* What comes behind something that failed is waited for, too: its memory is in use. */
int vn_stream_synchronize(vn_stream_t stream)
{
	int first = take(&stream), err;

	if (first)
		return first;
	do {
		err = vn_queue_sync(stream->queue, VN_FOREVER);
		first = first ?: err;
	} while (err && stream->queue->collectives);
	settle(stream);
	return first;
}

static bool busy(const struct vn_lib_stream *s)
{
	return s->queue->collectives ||
	       !(coll_stream_idle(s->queue) || coll_stream_failed(s->queue));
}

/* A turn at what is on the stream. */
static int look(struct vn_lib_stream *s)
{
	int err = vn_queue_sync(s->queue, 0);

	settle(s);
	return err == -ETIMEDOUT && busy(s) ? 0 : err;
}

int vn_stream_query(vn_stream_t stream)
{
	int err = take(&stream) ?: look(stream);

	return err ?: (busy(stream) ? -EINPROGRESS : 0);
}

int vn_streams_sync(vn_device_t dev, uint32_t chip, bool all)
{
	struct vn_lib_stream *s;
	int first = 0, err = 0;

	/* Nobody waits with the lock: others may need it to get where they are waited for. */
	do {
		pthread_mutex_lock(&streams_lock);
		for (s = streams; s; s = s->next) {
			if (__atomic_load_n(&s->thread, __ATOMIC_RELAXED) != self() ||
			    s->dev != dev || s->chip != chip || !(all || s->blocking))
				continue;
			settle(s);
			if (busy(s))
				break;
		}
		pthread_mutex_unlock(&streams_lock);
		if (s)
			err = vn_stream_synchronize(s);
		first = first ?: err;
	} while (s && !(err && busy(s)));
	return first;
}

/* ---- events ------------------------------------------------------------------------- */

int vn_event_create(vn_event_t *event)
{
	if (!event)
		return vn_fail(-EINVAL, "event: no place for the handle");
	*event = calloc(1, sizeof(**event));
	return *event ? 0 : vn_fail(-ENOMEM, "no memory for an event");
}

int vn_event_destroy(vn_event_t e)
{
	if (!e)
		return vn_fail(-EINVAL, "no event");
	unhook(e);
	free(e);
	return 0;
}

int vn_event_record(vn_event_t e, vn_stream_t stream)
{
	const struct coll_pending *d;
	int err = e ? take(&stream) : vn_fail(-EINVAL, "no event to record");

	if (err)
		return err;
	unhook(e);
	d = stream->queue->collectives;
	if (!d) {
		e->ns = vn_now();
		return 0;
	}
	while (d->next_on_stream)
		d = d->next_on_stream;
	e->after = d;
	e->comm = d->comm;
	e->index = d->index;
	e->stream = stream;
	e->next = stream->events;
	stream->events = e;
	return 0;
}

int vn_event_synchronize(vn_event_t e)
{
	struct vn_lib_stream *s;
	int err = 0;

	if (!e)
		return vn_fail(-EINVAL, "no event to wait for");
	s = e->stream;
	/* What is on the queue is of a communicator that is there. */
	while (!err && e->stream && !passed(e))
		err = coll_wait(e->comm, e->index + 1, VN_FOREVER);
	if (s)
		settle(s);
	return err;
}

int vn_event_query(vn_event_t e)
{
	int err;

	if (!e)
		return vn_fail(-EINVAL, "no event");
	err = e->stream ? look(e->stream) : 0;
	return err ?: (e->stream ? -EINPROGRESS : 0);
}

int vn_stream_wait_event(vn_stream_t stream, vn_event_t event, unsigned int flags)
{
	int err = take(&stream);

	if (!err && flags)
		err = vn_fail(-EINVAL, "stream: unknown flags %#x", flags);
	return err ?: vn_event_synchronize(event);
}

int vn_event_elapsed_time(float *ms, vn_event_t start, vn_event_t end)
{
	if (!ms || !start || !end)
		return vn_fail(-EINVAL, "elapsed time: no %s", ms ? "event" : "place for it");
	if (start->stream || end->stream)
		return vn_fail(-EINPROGRESS, "elapsed time: the %s is not yet passed",
			       start->stream ? "start" : "end");
	if (!start->ns || !end->ns)
		return vn_fail(-EINVAL, "elapsed time: the %s was never recorded",
			       start->ns ? "end" : "start");
	*ms = (float)((double)(int64_t)(end->ns - start->ns) / 1e6);
	return 0;
}
