/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The calls of accelerator runtimes: a current device, memory by pointer alone,
 * copies, streams, events; for programs that were written to one (with
 * vneuron/nccl.h for their collectives). A "device" here is a chip.
 *
 * The UltraServer is that of vn_accel_use(), else what vn_open(NULL) opens, once a
 * process. Every thread begins with chip 0 as its current one.
 *
 * Nothing happens behind a program's back: what stands on a stream is carried out by
 * the threads that wait for it, in any call of this file that does, in
 * vn_comm_sync() and in vn_queue_sync(). HBM is mapped, so a copy is one by the CPU;
 * it begins when its stream is through, and is done when the call returns.
 *
 * A stream is used by one thread at a time and goes to another one while nothing is
 * on it; its events go with it. NULL is the calling thread's own stream of the
 * current chip (in vneuron/nccl.h: of the communicator's chip), which ends with the
 * thread. What needs all of a chip waits for the streams that this thread was the
 * last to use; others' are theirs to wait for.
 *
 * Every function returns 0 or -errno, with vn_error() saying why.
 */
#ifndef VNEURON_ACCEL_H
#define VNEURON_ACCEL_H

#include "coll.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vn_lib_stream *vn_stream_t;
typedef struct vn_lib_event *vn_event_t;

/* ---- devices -------------------------------------------------------------- */

/**
 * vn_accel_use - the UltraServer of these calls, for the whole process
 *
 * Before the first of them, and it stays open from then on. -EBUSY: another one is
 * in use already.
 */
int vn_accel_use(vn_device_t dev);

/**
 * vn_accel_device - the UltraServer of these calls; opens it if need be
 */
int vn_accel_device(vn_device_t *dev);

/**
 * vn_get_device_count - how many chips there are
 */
int vn_get_device_count(int *count);

/**
 * vn_set_device - make a chip the calling thread's current one; also vn_set_chip()
 */
int vn_set_device(int device);
int vn_get_device(int *device);

/**
 * vn_device_synchronize - wait for the thread's streams of the current chip
 */
int vn_device_synchronize(void);

/**
 * vn_error_string - what a -errno means, for people; vn_error() says what happened
 */
const char *vn_error_string(int error);

/* ---- memory ---------------------------------------------------------------- */

/**
 * vn_malloc - zeroed HBM of the current chip
 * @ptr: out; NULL for 0 bytes. The CPU may use it, too
 *
 * -ENOSPC: the chip has not so much left.
 */
int vn_malloc(void **ptr, size_t bytes);

/**
 * vn_free - give it back; NULL is nothing
 *
 * Waits for the thread's streams of its chip first. -EINVAL: no allocation begins
 * there.
 */
int vn_free(void *ptr);

/**
 * vn_malloc_host - zeroed memory of the process, aligned to a page
 */
int vn_malloc_host(void **ptr, size_t bytes);
int vn_free_host(void *ptr);

/**
 * vn_mem_get_info - HBM of the current chip, bytes
 */
int vn_mem_get_info(size_t *free_bytes, size_t *total_bytes);

/**
 * enum vn_memcpy_kind - from where to where; the addresses say it already
 * @VN_MEMCPY_HOST_TO_HOST: none is HBM
 * @VN_MEMCPY_HOST_TO_DEVICE: the destination is
 * @VN_MEMCPY_DEVICE_TO_HOST: the source is
 * @VN_MEMCPY_DEVICE_TO_DEVICE: both are
 * @VN_MEMCPY_DEFAULT: whatever they are
 */
enum vn_memcpy_kind {
	VN_MEMCPY_HOST_TO_HOST = 0,
	VN_MEMCPY_HOST_TO_DEVICE = 1,
	VN_MEMCPY_DEVICE_TO_HOST = 2,
	VN_MEMCPY_DEVICE_TO_DEVICE = 3,
	VN_MEMCPY_DEFAULT = 4,
};

/**
 * vn_memcpy - copy, behind the thread's blocking streams of the current chip
 */
int vn_memcpy(void *dst, const void *src, size_t bytes, enum vn_memcpy_kind kind);
/* Behind one stream. */
int vn_memcpy_async(void *dst, const void *src, size_t bytes, enum vn_memcpy_kind kind,
		    vn_stream_t stream);

/**
 * vn_memset - set bytes, behind the thread's blocking streams of the current chip
 * @value: its low 8 bits
 */
int vn_memset(void *ptr, int value, size_t bytes);
/* Behind one stream. */
int vn_memset_async(void *ptr, int value, size_t bytes, vn_stream_t stream);

/* ---- streams ----------------------------------------------------------------- */

#define VN_STREAM_DEFAULT 0u
#define VN_STREAM_NON_BLOCKING 1u /* vn_memcpy() and vn_memset() don't wait for it */

/**
 * vn_stream_create - a stream of the current chip
 */
int vn_stream_create(vn_stream_t *stream);
int vn_stream_create_with_flags(vn_stream_t *stream, unsigned int flags);

/**
 * vn_stream_destroy - end a stream; waits for what is on it
 */
int vn_stream_destroy(vn_stream_t stream);

/**
 * vn_stream_synchronize - wait for everything on a stream, and work meanwhile
 *
 * The error is that of the first operation that failed.
 */
int vn_stream_synchronize(vn_stream_t stream);

/**
 * vn_stream_query - 0: everything on it is done; -EINPROGRESS: not yet. Works on it
 */
int vn_stream_query(vn_stream_t stream);

/**
 * vn_stream_wait_event - what comes on @stream begins behind @event
 *
 * Waits for it here and now.
 */
int vn_stream_wait_event(vn_stream_t stream, vn_event_t event, unsigned int flags);

/**
 * vn_stream_use - the queue behind a stream, for operations of coll.h
 * @comm: whose operation it will be; for NULL streams
 * @queue: out. NULL for a NULL stream without a communicator, or with one that is
 *	not on the UltraServer of these calls
 *
 * The stream is the calling thread's from here on.
 */
int vn_stream_use(vn_stream_t stream, vn_comm_t comm, vn_queue_t *queue);

/* ---- events ------------------------------------------------------------------- */

/**
 * vn_event_create - a place in a stream, to be waited for, and a time
 */
int vn_event_create(vn_event_t *event);
int vn_event_destroy(vn_event_t event);

/**
 * vn_event_record - it is behind what is on the stream now
 */
int vn_event_record(vn_event_t event, vn_stream_t stream);

/**
 * vn_event_synchronize - wait until the stream has come there; at once if it was
 *	never recorded
 */
int vn_event_synchronize(vn_event_t event);
/* 0 or -EINPROGRESS. */
int vn_event_query(vn_event_t event);

/**
 * vn_event_elapsed_time - from one event to another, milliseconds
 *
 * An event's time is when a call of this file that waited for it, or for its stream,
 * saw that it was passed. -EINPROGRESS: one has not been passed; -EINVAL: one was
 * never recorded.
 */
int vn_event_elapsed_time(float *ms, vn_event_t start, vn_event_t end);

#ifdef __cplusplus
}
#endif

#endif
