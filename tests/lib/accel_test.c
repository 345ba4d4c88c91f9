// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of accelerator runtimes: current devices, memory by pointer, copies behind
 * streams, and streams and events, on which collectives stand until somebody waits:
 * for one stream, for a chip, for an event, or by freeing what they use. A stream goes
 * from thread to thread. What makes no sense is refused by name.
 */
#include <pthread.h>

#include <vneuron/accel.h>

#include "fixture.h"

#define COUNT_EACH 1024u
#define BYTES (COUNT_EACH * sizeof(uint32_t))

static vn_comm_t comm[2];
static uint32_t *from[2], *to[2];

/* ---- devices and memory -------------------------------------------------------------- */

static int other_device = -1;

static void *looks(void *arg)
{
	vn_get_device(&other_device);
	return arg;
}

static void in_a_thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	NEED(-pthread_create(&t, NULL, fn, arg));
	pthread_join(t, NULL);
}

static void devices(vn_device_t dev)
{
	vn_device_t same = NULL, more = NULL;
	int count = 0, now = -1;
	struct vn_query q;

	NEED(vn_accel_device(&same));
	NEED(vn_device_query(dev, &q));
	NEED(vn_get_device_count(&count));
	tap_ok(same == dev && count == (int)q.chips, "%d devices, of the one in use", count);
	NEED(vn_set_device(1));
	NEED(vn_get_device(&now));
	in_a_thread(looks, NULL);
	tap_ok(now == 1 && other_device == 0, "each thread has a current one, at first 0");
	tap_ok(vn_set_device(count) == -ENODEV && strstr(vn_error(), "there are 0 to") &&
		       vn_set_device(-1) == -ENODEV && !vn_get_device(&now) && now == 1,
	       "one that is not there: %s", vn_error());
	NEED(vn_reopen(dev, &more));
	tap_ok(vn_accel_use(more) == -EBUSY && strstr(vn_error(), "in use"),
	       "there is one for the process: %s", vn_error());
	vn_close(more);
	tap_ok(!strcmp(vn_error_string(0), "no error") && *vn_error_string(-EIO) &&
		       !strcmp(vn_error_string(-99999), "unknown error"),
	       "errors have texts: %s", vn_error_string(-EIO));
}

static void memory(void)
{
	size_t before, during, after, total;
	uint8_t *host, *hbm, *none = (uint8_t *)1;
	unsigned int wrong = 0;

	NEED(vn_set_device(1));
	NEED(vn_mem_get_info(&before, &total));
	NEED(vn_malloc((void **)&hbm, 1 << 20));
	NEED(vn_mem_get_info(&during, &total));
	NEED(vn_malloc_host((void **)&host, 1 << 20));
	NEED(vn_malloc((void **)&none, 0));
	NEED(vn_memcpy(host, hbm, 1 << 20, VN_MEMCPY_DEVICE_TO_HOST));
	for (size_t i = 0; i < 1 << 20; i++)
		wrong += host[i] != 0;
	NEED(vn_memset(hbm, 0x15a, 1 << 20));
	NEED(vn_memcpy(host, hbm, 1 << 20, VN_MEMCPY_DEFAULT));
	for (size_t i = 0; i < 1 << 20; i++)
		wrong += host[i] != 0x5a;
	tap_ok(!wrong && !none && before - during == 1 << 20,
	       "memory of a chip: zeroed, set, copied; of %zu MiB", total >> 20);
	tap_ok(vn_free(hbm + 4096) == -EINVAL && vn_free(host) == -EINVAL && !vn_free(NULL),
	       "only what was allocated is freed: %s", vn_error());
	tap_ok(vn_memcpy(host, hbm, 1, (enum vn_memcpy_kind)5) == -EINVAL &&
		       vn_memcpy(NULL, hbm, 1, VN_MEMCPY_DEFAULT) == -EINVAL &&
		       vn_memset(NULL, 0, 1) == -EINVAL && vn_malloc(NULL, 1) == -EINVAL &&
		       !vn_memset(NULL, 0, 0),
	       "copies of nothing to nowhere: %s", vn_error());
	tap_ok(vn_malloc((void **)&none, total + 1) == -ENOSPC && !none, "too much: %s",
	       vn_error());
	NEED(vn_free(hbm));
	NEED(vn_free_host(host));
	NEED(vn_mem_get_info(&after, &total));
	tap_ok(after == before, "what was freed is back");
}

/* ---- streams --------------------------------------------------------------------------- */

static void fill(void)
{
	for (int r = 0; r < 2; r++)
		for (uint32_t i = 0; i < COUNT_EACH; i++) {
			from[r][i] = i * 3 + (uint32_t)r;
			to[r][i] = 0;
		}
}

static unsigned int wrong_sums(const uint32_t *sum)
{
	unsigned int wrong = 0;

	for (uint32_t i = 0; i < COUNT_EACH; i++)
		wrong += sum[i] != i * 6 + 1;
	return wrong;
}

/* One rank's part of an all_reduce; NULL: on its thread's own stream. */
static int begin(int r, vn_stream_t stream)
{
	vn_queue_t q;

	return vn_stream_use(stream, comm[r], &q)
		       ?: vn_all_reduce(from[r], to[r], COUNT_EACH, VN_UINT32, VN_SUM, comm[r], q);
}

static bool begun; /* atomic: rank 1 has come */

static void *begins_late(void *stream)
{
	sleep_ms(30);
	__atomic_store_n(&begun, true, __ATOMIC_SEQ_CST);
	return (void *)(intptr_t)(begin(1, stream) ?: vn_comm_sync(comm[1], LONG));
}

/*
 * Rank 0 is there, rank 1 comes late: waits is what has to wait for it. Afterwards rank
 * 0 has its result. -EAGAIN: it did not wait.
 */
static int late(int (*waits)(vn_stream_t s), vn_stream_t s)
{
	void *other = NULL;
	pthread_t t;
	int err;

	fill();
	__atomic_store_n(&begun, false, __ATOMIC_SEQ_CST);
	err = begin(0, s);
	NEED(-pthread_create(&t, NULL, begins_late, NULL));
	err = err ?: waits(s);
	if (!err && (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST) || wrong_sums(to[0])))
		err = -EAGAIN;
	pthread_join(t, &other);
	return err ?: (int)(intptr_t)other;
}

static uint32_t host[COUNT_EACH];

static int by_query(vn_stream_t s)
{
	int err;

	while ((err = vn_stream_query(s)) == -EINPROGRESS)
		;
	return err;
}

static int by_device(vn_stream_t s)
{
	(void)s;
	return vn_device_synchronize();
}

static int by_copy(vn_stream_t s)
{
	return vn_memcpy_async(host, to[0], BYTES, VN_MEMCPY_DEVICE_TO_HOST, s);
}

static int by_blocking_copy(vn_stream_t s)
{
	(void)s;
	return vn_memcpy(host, to[0], BYTES, VN_MEMCPY_DEVICE_TO_HOST);
}

static int by_set(vn_stream_t s)
{
	return vn_memset_async(from[0], 0, BYTES, s);
}

static int by_blocking_set(vn_stream_t s)
{
	(void)s;
	return vn_memset(from[0], 0, BYTES);
}

static int by_event(vn_stream_t s)
{
	vn_event_t e;
	int err = vn_event_create(&e) ?: vn_event_record(e, s);

	err = err ?: vn_event_synchronize(e);
	vn_event_destroy(e);
	return err;
}

static int by_event_query(vn_stream_t s)
{
	vn_event_t e;
	int err = vn_event_create(&e) ?: vn_event_record(e, s);

	while (!err && (err = vn_event_query(e)) == -EINPROGRESS)
		err = 0;
	vn_event_destroy(e);
	return err;
}

static int by_other_stream(vn_stream_t s)
{
	vn_stream_t other;
	vn_event_t e;
	int err = vn_event_create(&e) ?: vn_event_record(e, s);

	NEED(vn_stream_create(&other));
	err = err ?: vn_stream_wait_event(other, e, 0);
	vn_event_destroy(e);
	return vn_stream_destroy(other) ?: err;
}

static void waiting(void)
{
	static const struct {
		const char *what;
		int (*waits)(vn_stream_t s);
		bool copies;
	} by[] = {
		{ "vn_stream_synchronize", vn_stream_synchronize, false },
		{ "vn_stream_query, again and again", by_query, false },
		{ "vn_device_synchronize", by_device, false },
		{ "vn_memcpy_async", by_copy, true },
		{ "vn_memcpy", by_blocking_copy, true },
		{ "vn_memset_async", by_set, false },
		{ "vn_memset", by_blocking_set, false },
		{ "vn_event_synchronize", by_event, false },
		{ "vn_event_query, again and again", by_event_query, false },
		{ "vn_stream_wait_event", by_other_stream, false },
	};
	vn_stream_t s;

	NEED(vn_set_device(0));
	NEED(vn_stream_create(&s));
	for (size_t i = 0; i < COUNT(by); i++)
		for (int own = 0; own < 2; own++) {
			int err;

			memset(host, 0, sizeof(host));
			err = late(by[i].waits, own ? NULL : s);
			tap_ok(!err && !wrong_sums(to[1]) && (!by[i].copies || !wrong_sums(host)),
			       "%s waits for %s", by[i].what,
			       own ? "the thread's own stream" : "a stream");
		}
	NEED(vn_stream_destroy(s));
}

/* A stream of this thread, used by another one: that one's calls wait for it. */
static void *uses(void *arg)
{
	return (void *)(intptr_t)(vn_set_device(0) ?: late(by_device, arg));
}

static void moving(void)
{
	void *err = NULL;
	vn_stream_t s;
	pthread_t t;

	NEED(vn_stream_create(&s));
	NEED(-pthread_create(&t, NULL, uses, s));
	pthread_join(t, &err);
	tap_ok(!err, "a stream goes to another thread, which waits for it");
	tap_ok(!late(vn_stream_synchronize, s), "and comes back");
	NEED(vn_stream_destroy(s));
}

/* It ends with something on its own stream, of which nobody else knows. */
static void *leaves(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)begin(0, NULL);
}

static void ending(void)
{
	void *err = NULL, *other = NULL;
	pthread_t t, late;
	bool waited;

	fill();
	__atomic_store_n(&begun, false, __ATOMIC_SEQ_CST);
	NEED(-pthread_create(&late, NULL, begins_late, NULL));
	NEED(-pthread_create(&t, NULL, leaves, NULL));
	pthread_join(t, &err);
	waited = __atomic_load_n(&begun, __ATOMIC_SEQ_CST) && !wrong_sums(to[0]);
	pthread_join(late, &other);
	tap_ok(!err && !other && waited, "a thread that ends carries out what is on its streams");
}

/* ---- one thread, several streams ------------------------------------------------------- */

static void polling(void)
{
	vn_stream_t s[2];
	int first;

	for (int r = 0; r < 2; r++) {
		NEED(vn_set_device(r));
		NEED(vn_stream_create_with_flags(&s[r], VN_STREAM_NON_BLOCKING));
	}
	fill();
	NEED(begin(0, s[0]));
	first = vn_stream_query(s[0]);
	NEED(vn_set_device(0));
	tap_ok(first == -EINPROGRESS && !vn_memcpy(host, from[0], 4, VN_MEMCPY_DEFAULT) &&
		       vn_stream_query(s[0]) == -EINPROGRESS,
	       "vn_memcpy() does not wait for a non-blocking stream");
	NEED(begin(1, s[1]));
	tap_ok(!by_query(s[0]) && !vn_stream_synchronize(s[1]) && !wrong_sums(to[0]),
	       "asking for one stream works on the other rank of the thread, too");
	for (int r = 0; r < 2; r++)
		NEED(vn_stream_destroy(s[r]));
}

static void events(void)
{
	vn_event_t start, end, never;
	float ms = -1;
	int before;

	NEED(vn_set_device(0));
	NEED(vn_event_create(&start));
	NEED(vn_event_create(&end));
	NEED(vn_event_create(&never));
	NEED(vn_event_record(start, NULL));
	fill();
	NEED(begin(0, NULL));
	NEED(vn_event_record(end, NULL));
	before = vn_event_elapsed_time(&ms, start, end);
	tap_ok(before == -EINPROGRESS && strstr(vn_error(), "the end is not yet passed") &&
		       vn_event_query(end) == -EINPROGRESS && !vn_event_query(start),
	       "an event behind an operation waits for it");
	sleep_ms(20);
	NEED(begin(1, NULL));
	NEED(vn_stream_synchronize(NULL));
	before = vn_event_elapsed_time(&ms, start, end);
	tap_ok(!before && ms >= 20, "and is passed when the stream is: after %g ms", (double)ms);
	NEED(vn_comm_sync(comm[1], LONG));
	tap_ok(!vn_event_synchronize(never) && !vn_event_query(never) &&
		       vn_event_elapsed_time(&ms, start, never) == -EINVAL &&
		       strstr(vn_error(), "the end was never recorded"),
	       "one that was never recorded: %s", vn_error());
	NEED(begin(0, NULL));
	NEED(vn_event_record(end, NULL));
	NEED(vn_event_destroy(end));
	NEED(begin(1, NULL));
	tap_ok(!vn_device_synchronize(), "one may end before it is passed");
	NEED(vn_comm_sync(comm[1], LONG));
	NEED(vn_event_destroy(start));
	NEED(vn_event_destroy(never));
}

/* Ranks of another communicator disagree. */
static int by_device_though(vn_stream_t s)
{
	int err = vn_device_synchronize();

	(void)s;
	return err == -EINVAL ? 0 : err ?: -ENOMSG;
}

/* Something on a newer stream, looked at first, fails. */
static void failing(void)
{
	vn_stream_t good, bad;
	vn_comm_t other[2];
	vn_queue_t q;

	NEED(vn_set_device(0));
	NEED(vn_comm_init_all(other, 2, NULL));
	NEED(vn_stream_create(&good));
	NEED(vn_stream_create(&bad));
	NEED(vn_stream_use(bad, other[0], &q));
	NEED(vn_all_reduce(from[0], to[0], 1, VN_UINT32, VN_SUM, other[0], q));
	vn_all_reduce(from[1], to[1], 2, VN_UINT32, VN_SUM, other[1], NULL);
	tap_ok(!late(by_device_though, good),
	       "vn_device_synchronize() tells of one that failed, and waits for all: %s",
	       vn_error());
	for (int r = 0; r < 2; r++)
		vn_comm_abort(other[r]);
	NEED(vn_stream_destroy(good));
	NEED(vn_stream_destroy(bad));
}

static void refusals(void)
{
	vn_stream_t s;

	tap_ok(vn_stream_create_with_flags(&s, 2) == -EINVAL && strstr(vn_error(), "0x2") &&
		       vn_stream_create(NULL) == -EINVAL && vn_stream_destroy(NULL) == -EINVAL,
	       "streams that make no sense: %s", vn_error());
	tap_ok(vn_event_create(NULL) == -EINVAL && vn_event_record(NULL, NULL) == -EINVAL &&
		       vn_event_synchronize(NULL) == -EINVAL && vn_event_query(NULL) == -EINVAL &&
		       vn_event_destroy(NULL) == -EINVAL,
	       "and events: %s", vn_error());
}

static void *room;

static int by_free(vn_stream_t s)
{
	(void)s;
	return vn_free(room);
}

/* Memory is freed behind what is on its chip, whichever is the current one. */
static void freeing(void)
{
	NEED(vn_set_device(0));
	NEED(vn_malloc(&room, BYTES));
	NEED(vn_set_device(1));
	tap_ok(!late(by_free, NULL), "vn_free() waits for what is on its chip");
}

int main(void)
{
	vn_device_t dev = device();

	NEED(vn_accel_use(dev));
	devices(dev);
	memory();
	for (int r = 0; r < 2; r++) {
		NEED(vn_set_device(r));
		NEED(vn_malloc((void **)&from[r], BYTES));
		NEED(vn_malloc((void **)&to[r], BYTES));
	}
	NEED(vn_comm_init_all(comm, 2, NULL));
	waiting();
	moving();
	ending();
	polling();
	events();
	freeing();
	failing();
	refusals();
	for (int r = 0; r < 2; r++) {
		NEED(vn_comm_destroy(comm[r]));
		NEED(vn_free(from[r]));
		NEED(vn_free(to[r]));
	}
	return tap_done();
}
