// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs written to nccl.h, on vneuron/nccl.h: every operation with one thread that
 * drives all ranks (ncclCommInitAll, groups), with ranks that one thread makes in a
 * group, and with a thread a rank and a unique id; on streams and on none; reductions
 * of one's own, windows and signals; and what results and texts say of what is wrong.
 */
#include <pthread.h>

#include "nccl_calls.h"

#define RANKS 4
#define COUNT_EACH 1000u
#define WHOLE (RANKS * COUNT_EACH)

/* What one rank has. */
struct rank {
	int number;
	ncclComm_t comm;
	vn_stream_t stream; /* NULL: the thread's own */
	float *send, *recv; /* HBM, WHOLE elements each */
	float *host;
};

static struct rank rank[RANKS];

static float value(int r, size_t i)
{
	return (float)((size_t)r * 3 + i % 17);
}

static void have(struct rank *me)
{
	ACCEL(vn_set_device(me->number));
	ACCEL(vn_malloc((void **)&me->send, WHOLE * sizeof(float)));
	ACCEL(vn_malloc((void **)&me->recv, WHOLE * sizeof(float)));
	ACCEL(vn_malloc_host((void **)&me->host, WHOLE * sizeof(float)));
}

static void drop(struct rank *me)
{
	ACCEL(vn_set_device(me->number));
	ACCEL(vn_free(me->send));
	ACCEL(vn_free(me->recv));
	ACCEL(vn_free_host(me->host));
}

static void load(struct rank *me)
{
	ACCEL(vn_set_device(me->number));
	for (size_t i = 0; i < WHOLE; i++)
		me->host[i] = value(me->number, i);
	ACCEL(vn_memcpy_async(me->send, me->host, WHOLE * sizeof(float), VN_MEMCPY_HOST_TO_DEVICE,
			      me->stream));
	ACCEL(vn_memset_async(me->recv, 0xff, WHOLE * sizeof(float), me->stream));
}

/* Waits, and copies the result to me->host. */
static void unload(struct rank *me)
{
	ACCEL(vn_set_device(me->number));
	ACCEL(me->stream ? vn_stream_synchronize(me->stream) : vn_device_synchronize());
	ACCEL(vn_memcpy(me->host, me->recv, WHOLE * sizeof(float), VN_MEMCPY_DEVICE_TO_HOST));
}

/* ---- the operations: how they are called, and what each element becomes ----------------- */

static float untouched(void)
{
	float f;

	memset(&f, 0xff, sizeof(f));
	return f;
}

static float sum_at(size_t i)
{
	float sum = 0;

	for (int r = 0; r < RANKS; r++)
		sum += value(r, i);
	return sum;
}

enum {
	ALL_REDUCE,
	AVERAGE,
	MAXIMUM,
	REDUCE,
	BROADCAST,
	BCAST,
	ALL_GATHER,
	REDUCE_SCATTER,
	ALL_TO_ALL,
	GATHER,
	SCATTER,
	SEND_RECV,
	OPERATIONS
};

static const char *const names[OPERATIONS] = {
	"ncclAllReduce",
	"ncclAllReduce, ncclAvg",
	"ncclAllReduce, ncclMax",
	"ncclReduce",
	"ncclBroadcast",
	"ncclBcast",
	"ncclAllGather",
	"ncclReduceScatter",
	"ncclAlltoAll",
	"ncclGather",
	"ncclScatter",
	"ncclSend, ncclRecv",
};

#define ROOT 2
#define NEXT(r) (((r) + 1) % RANKS)
#define BEFORE(r) (((r) + RANKS - 1) % RANKS)

static void start(int op, struct rank *me)
{
	ncclComm_t c = me->comm;
	vn_stream_t s = me->stream;
	float *to = me->recv;
	const float *from = me->send;

	switch (op) {
	case ALL_REDUCE:
		NCCL(ncclAllReduce(from, to, WHOLE, ncclFloat, ncclSum, c, s));
		break;
	case AVERAGE:
		NCCL(ncclAllReduce(from, to, WHOLE, ncclFloat32, ncclAvg, c, s));
		break;
	case MAXIMUM:
		NCCL(ncclAllReduce(from, to, WHOLE, ncclFloat, ncclMax, c, s));
		break;
	case REDUCE:
		NCCL(ncclReduce(from, to, WHOLE, ncclFloat, ncclSum, ROOT, c, s));
		break;
	case BROADCAST:
		NCCL(ncclBroadcast(from, to, WHOLE, ncclFloat, ROOT, c, s));
		break;
	case BCAST:
		NCCL(ncclBcast(me->number == ROOT ? me->send : to, WHOLE, ncclFloat, ROOT, c, s));
		break;
	case ALL_GATHER:
		NCCL(ncclAllGather(from, to, COUNT_EACH, ncclFloat, c, s));
		break;
	case REDUCE_SCATTER:
		NCCL(ncclReduceScatter(from, to, COUNT_EACH, ncclFloat, ncclSum, c, s));
		break;
	case ALL_TO_ALL:
		NCCL(ncclAlltoAll(from, to, COUNT_EACH, ncclFloat, c, s));
		break;
	case GATHER:
		NCCL(ncclGather(from, to, COUNT_EACH, ncclFloat, ROOT, c, s));
		break;
	case SCATTER:
		NCCL(ncclScatter(from, to, COUNT_EACH, ncclFloat, ROOT, c, s));
		break;
	default:
		NCCL(ncclGroupStart());
		NCCL(ncclSend(from, COUNT_EACH, ncclFloat, NEXT(me->number), c, s));
		NCCL(ncclRecv(to, COUNT_EACH, ncclFloat, BEFORE(me->number), c, s));
		NCCL(ncclGroupEnd());
	}
}

/* Element i of rank r's receive buffer. */
static float expected(int op, int r, size_t i)
{
	size_t block = i / COUNT_EACH, at = i % COUNT_EACH;
	bool first = !block, root = r == ROOT;

	switch (op) {
	case ALL_REDUCE:
		return sum_at(i);
	case AVERAGE:
		return sum_at(i) / RANKS;
	case MAXIMUM:
		return value(RANKS - 1, i);
	case REDUCE:
		return root ? sum_at(i) : untouched();
	case BROADCAST:
		return value(ROOT, i);
	case BCAST:
		return root ? untouched() : value(ROOT, i);
	case ALL_GATHER:
		return value((int)block, at);
	case REDUCE_SCATTER:
		return first ? sum_at((size_t)r * COUNT_EACH + at) : untouched();
	case ALL_TO_ALL:
		return value((int)block, (size_t)r * COUNT_EACH + at);
	case GATHER:
		return root ? value((int)block, at) : untouched();
	case SCATTER:
		return first ? value(ROOT, (size_t)r * COUNT_EACH + at) : untouched();
	default:
		return first ? value(BEFORE(r), at) : untouched();
	}
}

static unsigned int wrong(int op, const struct rank *me)
{
	unsigned int n = 0;

	for (size_t i = 0; i < WHOLE; i++) {
		float want = expected(op, me->number, i);

		n += memcmp(&me->host[i], &want, sizeof(want)) != 0;
	}
	return n;
}

/* ---- one thread for all ranks --------------------------------------------------------------- */

static void all_operations(const char *how)
{
	for (int op = 0; op < OPERATIONS; op++) {
		unsigned int bad = 0;

		for (int r = 0; r < RANKS; r++)
			load(&rank[r]);
		NCCL(ncclGroupStart());
		for (int r = 0; r < RANKS; r++)
			start(op, &rank[r]);
		NCCL(ncclGroupEnd());
		for (int r = 0; r < RANKS; r++) {
			unload(&rank[r]);
			bad += wrong(op, &rank[r]);
		}
		tap_ok(!taken() && !bad, "%s, %s", names[op], how);
	}
}

static void one_thread(void)
{
	ncclComm_t comms[RANKS];
	int devices[RANKS];

	for (int r = 0; r < RANKS; r++) {
		devices[r] = r;
		rank[r].number = r;
		have(&rank[r]);
		ACCEL(vn_stream_create(&rank[r].stream));
	}
	NCCL(ncclCommInitAll(comms, RANKS, devices));
	for (int r = 0; r < RANKS; r++) {
		int count = -1, number = -1, device = -1;

		rank[r].comm = comms[r];
		NCCL(ncclCommCount(comms[r], &count));
		NCCL(ncclCommUserRank(comms[r], &number));
		NCCL(ncclCommCuDevice(comms[r], &device));
		failures += count != RANKS || number != r || device != r;
	}
	tap_ok(!taken(), "ncclCommInitAll: count, rank and device of each");
	all_operations("one thread, streams");
	for (int r = 0; r < RANKS; r++) {
		NCCL(ncclCommFinalize(comms[r]));
		NCCL(ncclCommDestroy(comms[r]));
		ACCEL(vn_stream_destroy(rank[r].stream));
		rank[r].stream = NULL;
	}
	tap_ok(!taken(), "and they end");
}

static void one_thread_by_id(void)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
	ncclUniqueId id;

	config.blocking = 1;
	config.minCTAs = 4;
	config.commName = "ranks";
	NCCL(ncclGetUniqueId(&id));
	NCCL(ncclGroupStart());
	for (int r = 0; r < RANKS; r++) {
		ACCEL(vn_set_device(r));
		NCCL(ncclCommInitRankConfig(&rank[r].comm, RANKS, id, r, &config));
	}
	NCCL(ncclGroupEnd());
	if (!tap_ok(!taken(), "ncclCommInitRankConfig of all ranks in a group of one thread"))
		return;
	all_operations("one thread, no streams");
	for (int r = 0; r < RANKS; r++)
		NCCL(ncclCommDestroy(rank[r].comm));
	tap_ok(!taken(), "and they end");
}

/* ---- threads ----------------------------------------------------------------------------------- */

static ncclUniqueId shared;
static int running; /* operation */
static unsigned int bad_values;

static void each(void *(*fn)(void *), int threads)
{
	pthread_t thread[RANKS];

	for (int r = 0; r < threads; r++)
		NEED(-pthread_create(&thread[r], NULL, fn, &rank[r]));
	for (int r = 0; r < threads; r++)
		pthread_join(thread[r], NULL);
}

static void *joins(void *arg)
{
	struct rank *me = arg;

	ACCEL(vn_set_device(me->number));
	NCCL(ncclCommInitRank(&me->comm, RANKS, shared, me->number));
	return NULL;
}

static void *runs(void *arg)
{
	struct rank *me = arg;

	load(me);
	start(running, me);
	unload(me);
	__atomic_fetch_add(&bad_values, wrong(running, me), __ATOMIC_RELAXED);
	return NULL;
}

/* Two ranks a thread: others of the communicator are elsewhere. */
static void *joins_two(void *arg)
{
	struct rank *me = arg;
	ncclUniqueId ids[2] = { shared, shared };

	NCCL(ncclGroupStart());
	for (int r = me->number; r < RANKS; r += 2) {
		ACCEL(vn_set_device(r));
		NCCL(ncclCommInitRankScalable(&rank[r].comm, RANKS, r, 2, ids, NULL));
	}
	NCCL(ncclGroupEnd());
	return NULL;
}

static void *reduces_two(void *arg)
{
	struct rank *me = arg;

	for (int r = me->number; r < RANKS; r += 2)
		load(&rank[r]);
	NCCL(ncclGroupStart());
	for (int r = me->number; r < RANKS; r += 2)
		start(ALL_REDUCE, &rank[r]);
	NCCL(ncclGroupEnd());
	for (int r = me->number; r < RANKS; r += 2) {
		unload(&rank[r]);
		__atomic_fetch_add(&bad_values, wrong(ALL_REDUCE, &rank[r]), __ATOMIC_RELAXED);
		NCCL(ncclCommDestroy(rank[r].comm));
	}
	return NULL;
}

static void threads(void)
{
	NCCL(ncclGetUniqueId(&shared));
	each(joins, RANKS);
	if (!tap_ok(!taken(), "ncclCommInitRank by a thread each"))
		return;
	for (running = 0; running < OPERATIONS; running++) {
		bad_values = 0;
		each(runs, RANKS);
		tap_ok(!taken() && !bad_values, "%s, a thread a rank", names[running]);
	}
}

static void threads_of_two(void)
{
	NCCL(ncclGetUniqueId(&shared));
	bad_values = 0;
	each(joins_two, 2);
	if (!tap_ok(!taken(), "two threads make two ranks each, in groups"))
		return;
	each(reduces_two, 2);
	tap_ok(!taken() && !bad_values, "and reduce");
}

/* ---- a communicator's own things --------------------------------------------------------------- */

static void *scales(void *arg)
{
	struct rank *me = arg;
	float *factor;
	ncclRedOp_t own;

	ACCEL(vn_set_device(me->number));
	ACCEL(vn_malloc((void **)&factor, sizeof(*factor)));
	*factor = (float)(me->number + 1);
	/* Half of them in HBM, half here. */
	NCCL(ncclRedOpCreatePreMulSum(&own, factor, ncclFloat,
				      me->number % 2 ? ncclScalarDevice : ncclScalarHostImmediate,
				      me->comm));
	failures += (int)own < (int)ncclNumOps;
	load(me);
	NCCL(ncclAllReduce(me->send, me->recv, WHOLE, ncclFloat, own, me->comm, NULL));
	NCCL(ncclRedOpDestroy(own, me->comm));
	unload(me);
	for (size_t i = 0; i < WHOLE; i++) {
		float want = 0;

		for (int r = 0; r < RANKS; r++)
			want += value(r, i) * (float)(r + 1);
		__atomic_fetch_add(&bad_values, me->host[i] != want, __ATOMIC_RELAXED);
	}
	ACCEL(vn_free(factor));
	return NULL;
}

/* Each puts its block into the window of the next, and waits for that of the one before. */
static void *puts_block(void *arg)
{
	struct rank *me = arg;
	ncclWaitSignalDesc_t wait = { 1, BEFORE(me->number), 3, 0 };
	void *handle, *mine, *room = NULL;
	ncclWindow_t window;

	ACCEL(vn_set_device(me->number));
	NCCL(ncclMemAlloc(&room, WHOLE * sizeof(float)));
	NCCL(ncclCommRegister(me->comm, room, WHOLE * sizeof(float), &handle));
	NCCL(ncclCommWindowRegister(me->comm, room, WHOLE * sizeof(float), &window,
				    NCCL_WIN_COLL_SYMMETRIC | NCCL_WIN_STRICT_ORDERING));
	NCCL(ncclWinGetUserPtr(me->comm, window, &mine));
	load(me);
	NCCL(ncclPutSignal(me->send, COUNT_EACH, ncclFloat, NEXT(me->number), window,
			   COUNT_EACH * sizeof(float), 3, 0, 0, me->comm, NULL));
	NCCL(ncclWaitSignal(1, &wait, me->comm, NULL));
	ACCEL(vn_device_synchronize());
	for (size_t i = 0; i < COUNT_EACH; i++)
		__atomic_fetch_add(&bad_values,
				   mine != room || ((float *)room)[COUNT_EACH + i] !=
							   value(BEFORE(me->number), i),
				   __ATOMIC_RELAXED);
	wait.sigIdx = 0;
	wait.peer = NEXT(me->number);
	NCCL(ncclSignal(BEFORE(me->number), 0, 0, 0, me->comm, NULL));
	NCCL(ncclWaitSignal(1, &wait, me->comm, NULL));
	ACCEL(vn_device_synchronize());
	NCCL(ncclCommWindowDeregister(me->comm, window));
	NCCL(ncclCommDeregister(me->comm, handle));
	NCCL(ncclMemFree(room));
	return NULL;
}

static void own_things(void)
{
	bad_values = 0;
	each(scales, RANKS);
	tap_ok(!taken() && !bad_values, "ncclRedOpCreatePreMulSum, scalars in HBM and at once");
	bad_values = 0;
	each(puts_block, RANKS);
	tap_ok(!taken() && !bad_values, "windows: ncclPutSignal, ncclSignal, ncclWaitSignal");
	for (int r = 0; r < RANKS; r++)
		NCCL(ncclCommDestroy(rank[r].comm));
	tap_ok(!taken(), "and they end");
}

/* ---- what is wrong -------------------------------------------------------------------------- */

static void arguments(void)
{
	ncclComm_t all[RANKS], none = NULL, c;
	const void *s = rank[0].send;
	void *t = rank[0].recv, *much;
	size_t left, total = 0;
	int n;

	NCCL(ncclCommInitAll(all, RANKS, NULL));
	c = all[0];
	ACCEL(vn_mem_get_info(&left, &total));
	BAD(ncclReduce(s, t, 1, ncclInt, ncclSum, RANKS, c, NULL), ncclInvalidArgument, "root 4");
	BAD(ncclBroadcast(s, t, 1, ncclInt, -1, c, NULL), ncclInvalidArgument, "root -1");
	BAD(ncclAllReduce(s, t, SIZE_MAX / 8, ncclInt, ncclSum, c, NULL), ncclInvalidArgument,
	    "elements");
	BAD(ncclAllReduce(NULL, t, 1, ncclInt, ncclSum, c, NULL), ncclInvalidArgument,
	    "no buffer to send");
	BAD(ncclAllReduce(s, t, 1, ncclNumTypes, ncclSum, c, NULL), ncclInvalidArgument,
	    "type -12");
	BAD(ncclAllReduce(s, t, 1, (ncclDataType_t)-1, ncclSum, c, NULL), ncclInvalidArgument,
	    "type -1");
	BAD(ncclAllReduce(s, t, 1, ncclInt, ncclNumOps, c, NULL), ncclInvalidArgument,
	    "reduction -5");
	BAD(ncclAllReduce(s, t, 1, ncclInt, (ncclRedOp_t)7, c, NULL), ncclInvalidArgument,
	    "reduction -7");
	BAD(ncclAllReduce(s, t, 1, ncclInt, ncclMaxRedOp, c, NULL), ncclInvalidArgument,
	    "reduction");
	BAD(ncclAllReduce(s, t, 1, ncclInt, ncclSum, NULL, NULL), ncclInvalidArgument,
	    "no communicator");
	BAD(ncclSend(s, 1, ncclInt, RANKS, c, NULL), ncclInvalidArgument, "peer 4");
	BAD(ncclSignal(0, VN_SIGNALS, 0, 0, c, NULL), ncclInvalidArgument, "signal 8");
	BAD(ncclSignal(0, 0, 1, 0, c, NULL), ncclInvalidArgument, "context 1");
	BAD(ncclPutSignal(s, 1, ncclInt, 0, NULL, 0, 0, 0, 0, c, NULL), ncclInvalidArgument,
	    "no such window");
	BAD(ncclWaitSignal(0, NULL, c, NULL), ncclInvalidArgument, "no signals");
	BAD(ncclRedOpDestroy(ncclSum, c), ncclInvalidArgument, "made no reduction");
	BAD(ncclRedOpCreatePreMulSum(NULL, t, ncclInt, ncclScalarDevice, c), ncclInvalidArgument,
	    "place for the reduction");
	BAD(ncclCommCount(NULL, &n), ncclInvalidArgument, "ncclCommCount: no communicator");
	BAD(ncclCommUserRank(c, NULL), ncclInvalidArgument, "place for the rank");
	BAD(ncclGetUniqueId(NULL), ncclInvalidArgument, "ncclGetUniqueId");
	BAD(ncclGetVersion(NULL), ncclInvalidArgument, "ncclGetVersion");
	BAD(ncclCommRegister(c, t, 0, NULL), ncclInvalidArgument, "register: no size");
	BAD(ncclMemFree((char *)t + 64), ncclInvalidArgument, "free: no allocation");
	BAD(ncclMemAlloc(&much, total + 1), ncclUnhandledCudaError, "bytes asked");
	BAD(ncclGroupEnd(), ncclInvalidArgument, "without");
	tap_ok(ncclCommDestroy(none) == ncclSuccess && ncclCommFinalize(none) == ncclSuccess &&
		       ncclCommAbort(none) == ncclSuccess,
	       "no communicator is no error where one ends");
	for (int r = 0; r < RANKS; r++)
		NCCL(ncclCommDestroy(all[r]));
	tap_ok(!taken(), "what was refused changed nothing");
}

static void joining(void)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER, zero = { 0 };
	ncclComm_t c[RANKS];
	ncclUniqueId id;

	NCCL(ncclGetUniqueId(&id));
	BAD(ncclCommInitRank(&c[0], 0, id, 0), ncclInvalidArgument, "0 ranks");
	BAD(ncclCommInitRank(&c[0], 2, id, 2), ncclInvalidArgument, "rank 2 of 2");
	BAD(ncclCommInitRank(NULL, 2, id, 0), ncclInvalidArgument, "place for the handle");
	BAD(ncclCommInitRankScalable(&c[0], 2, 0, 0, &id, NULL), ncclInvalidArgument, "unique id");
	BAD(ncclCommInitAll(c, 2, (int[]){ 0, 5000 }), ncclInvalidArgument, "chip 5000");
	BAD(ncclCommInitAll(c, 2, (int[]){ 1, 1 }), ncclInvalidUsage, "chip 1 is that of rank 0");
	BAD(ncclCommInitRankConfig(&c[0], 1, id, 0, &zero), ncclInvalidArgument, "config");
	config.magic++;
	BAD(ncclCommInitRankConfig(&c[0], 1, id, 0, &config), ncclInvalidArgument, "INITIALIZER");
	config.magic--;
	config.blocking = 2;
	BAD(ncclCommInitRankConfig(&c[0], 1, id, 0, &config), ncclInvalidArgument, "blocking 2");

	NCCL(ncclGroupStart());
	ACCEL(vn_set_device(0));
	NCCL(ncclCommInitRank(&c[0], 2, id, 0));
	BAD(ncclCommInitRank(&c[1], 2, id, 1), ncclInvalidUsage, "chip 0 is that of rank 0");
	BAD(ncclGroupEnd(), ncclInvalidUsage, "chip 0 is that of rank 0");
	NCCL(ncclGroupStart());
	NCCL(ncclCommInitRank(&c[0], 2, id, 0));
	BAD(ncclCommInitRank(&c[1], 3, id, 1), ncclInvalidArgument, "3 ranks, but rank 0");
	BAD(ncclCommInitRank(&c[1], 2, id, 0), ncclInvalidUsage, "twice");
	BAD(ncclGroupEnd(), ncclInvalidArgument, "3 ranks, but rank 0");

	setenv("VNEURON_COLL_TIMEOUT_MS", "200", 1);
	BAD(ncclCommInitRank(&c[0], 2, id, 0), ncclTimeout, "did not join: 1");
	unsetenv("VNEURON_COLL_TIMEOUT_MS");
	tap_ok(!taken(), "nothing else failed");
}

/* Ranks that disagree; then the communicator is given up. */
static void mismatched(void)
{
	ncclResult_t async[2], after;
	ncclComm_t c[2];

	NCCL(ncclCommInitAll(c, 2, NULL));
	NCCL(ncclGroupStart());
	for (int r = 0; r < 2; r++)
		NCCL(ncclAllReduce(rank[r].send, rank[r].recv, 10 + (size_t)r, ncclFloat, ncclSum,
				   c[r], NULL));
	ncclGroupEnd();
	for (int r = 0; r < 2; r++) {
		vn_set_device(r);
		vn_device_synchronize();
		NCCL(ncclCommGetAsyncError(c[r], &async[r]));
	}
	tap_ok(async[0] == ncclInvalidArgument && async[1] == ncclInvalidArgument &&
		       strstr(ncclGetLastError(c[0]), "11"),
	       "ranks that disagree are an asynchronous error: %s", ncclGetLastError(c[0]));
	after = ncclAllReduce(rank[0].send, rank[0].recv, 10, ncclFloat, ncclSum, c[0], NULL);
	tap_ok(after != ncclSuccess, "after which the communicator takes nothing: %s",
	       ncclGetLastError(c[0]));
	NCCL(ncclCommAbort(c[0]));
	NCCL(ncclCommAbort(c[1]));

	NCCL(ncclCommInitAll(c, 2, NULL));
	NCCL(ncclAllReduce(rank[0].send, rank[0].recv, 10, ncclFloat, ncclSum, c[0], NULL));
	NCCL(ncclCommAbort(c[1]));
	NCCL(ncclCommGetAsyncError(c[0], &async[0]));
	tap_ok(async[0] == ncclRemoteError, "a rank that aborts is a remote error: %s",
	       ncclGetErrorString(async[0]));
	NCCL(ncclCommAbort(c[0]));
	tap_ok(!taken(), "nothing else failed");
}

static void numbers(void)
{
	int version = 0;
	bool differ = true;

	NCCL(ncclGetVersion(&version));
	tap_ok(version == NCCL_VERSION_CODE &&
		       version == NCCL_VERSION(NCCL_MAJOR, NCCL_MINOR, NCCL_PATCH) &&
		       NCCL_VERSION(2, 8, 4) == 2804 && NCCL_VERSION(2, 9, 6) == 20906,
	       "versions: %d", version);
	for (int a = 0; a < ncclNumResults; a++)
		for (int b = 0; b < a; b++)
			differ &= strcmp(ncclGetErrorString((ncclResult_t)a),
					 ncclGetErrorString((ncclResult_t)b)) != 0;
	tap_ok(differ, "every result has a text of its own");
	tap_ok(sizeof(ncclUniqueId) == 128 && ncclFloat8e5m2 == 11 && ncclBfloat16 == 9 &&
		       ncclDouble == 8 && ncclAvg == 4 && ncclMin == 3,
	       "numbers are those of nccl.h");
}

int main(void)
{
	setenv("VNEURON_DEVICE", device_spec(), 1);
	one_thread();
	one_thread_by_id();
	threads_of_two();
	threads();
	own_things();
	numbers();
	joining();
	mismatched();
	arguments();
	for (int r = 0; r < RANKS; r++)
		drop(&rank[r]);
	tap_ok(!taken(), "everything ends");
	return tap_done();
}
