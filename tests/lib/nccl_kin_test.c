// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Communicators of vneuron/nccl.h made of others: split, shrunk, also after they were
 * revoked or a rank gave up, and grown; by a thread a rank, and by one thread in groups.
 * Each child is checked by what it says of itself and by a sum of its ranks.
 */
#include <pthread.h>

#include "nccl_calls.h"

#define RANKS 4
#define ALL 6 /* with those that come when it grows */
#define QUITS (RANKS - 1)

enum how { THREADS, GROUP };

static const char *const how_name[] = { "a thread a rank", "one thread, a group" };

static ncclComm_t parent[ALL], child[ALL];
static float mine[ALL], total[ALL];

/* Those that come are on others than their number. */
static int device_of(int r)
{
	return r < RANKS ? r : r + 2;
}

/* ---- the same by all ranks ------------------------------------------------------------- */

static void (*first)(int r), (*second)(int r);

static void *run_rank(void *arg)
{
	int r = (int)(intptr_t)arg;

	ACCEL(vn_set_device(device_of(r)));
	first(r);
	if (second)
		second(r);
	return NULL;
}

/* one() by all ranks; in a group all of them, then two() by the last rank first. */
static void each(enum how how, int ranks, void (*one)(int r), void (*two)(int r))
{
	pthread_t thread[ALL];

	first = one;
	second = two;
	if (how == THREADS) {
		for (int r = 0; r < ranks; r++)
			NEED(-pthread_create(&thread[r], NULL, run_rank, (void *)(intptr_t)r));
		for (int r = 0; r < ranks; r++)
			pthread_join(thread[r], NULL);
		return;
	}
	NCCL(ncclGroupStart());
	for (int r = 0; r < ranks; r++) {
		ACCEL(vn_set_device(device_of(r)));
		one(r);
	}
	NCCL(ncclGroupEnd());
	for (int r = ranks - 1; two && r >= 0; r--) {
		ACCEL(vn_set_device(device_of(r)));
		two(r);
	}
}

static void make(void)
{
	NCCL(ncclCommInitAll(parent, RANKS, NULL));
	memset(child, 0xff, sizeof(child));
}

static void end(void)
{
	for (int r = 0; r < RANKS; r++)
		NCCL(ncclCommDestroy(parent[r]));
}

/* ---- what children must be -------------------------------------------------------------- */

struct want {
	int size[ALL], rank[ALL]; /* no size: no communicator */
	float sum[ALL];
};

static const struct want *want;

static void start_sum(int r)
{
	mine[r] = (float)(r + 1);
	total[r] = -1;
	if (want->size[r])
		NCCL(ncclAllReduce(&mine[r], &total[r], 1, ncclFloat, ncclSum, child[r], NULL));
}

static void check_child(int r)
{
	int size = -1, rank = -1, device = -1;

	if (!want->size[r])
		return;
	ACCEL(vn_device_synchronize());
	NCCL(ncclCommCount(child[r], &size));
	NCCL(ncclCommUserRank(child[r], &rank));
	NCCL(ncclCommCuDevice(child[r], &device));
	if (size == want->size[r] && rank == want->rank[r] && device == device_of(r) &&
	    total[r] == want->sum[r])
		return;
	tap_diag("rank %d is %d of %d on device %d, sum %g; want %d of %d, %g", r, rank, size,
		 device, (double)total[r], want->rank[r], want->size[r], (double)want->sum[r]);
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

/* All that were made are as they should be, and go. */
static bool children(enum how how, int ranks, const struct want *wanted)
{
	want = wanted;
	for (int r = 0; r < ranks; r++) {
		if (!want->size[r] == !child[r])
			continue;
		tap_diag("rank %d has %s", r, child[r] ? "a communicator" : "none");
		taken();
		return false;
	}
	each(how, ranks, start_sum, check_child);
	for (int r = 0; r < ranks; r++)
		NCCL(ncclCommDestroy(child[r]));
	memset(child, 0xff, sizeof(child));
	return !taken();
}

/* ---- split -------------------------------------------------------------------------------- */

/* Color 7: ranks 3, 0; color 0: rank 2. */
static const int color_of[RANKS] = { 7, NCCL_SPLIT_NOCOLOR, 0, 7 };
static const int key_of[RANKS] = { 5, 0, 0, -5 };
static const struct want split_want = { { 2, 0, 1, 2 }, { 1, 0, 0, 0 }, { 5, 0, 3, 5 } };

static void split(int r)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;

	config.splitShare = 1;
	NCCL(ncclCommSplit(parent[r], color_of[r], key_of[r], &child[r], r % 2 ? &config : NULL));
}

static void test_split(enum how how)
{
	make();
	for (int i = 0; i < 2; i++) {
		each(how, RANKS, split, NULL);
		tap_ok(children(how, RANKS, &split_want), "ncclCommSplit, %s", how_name[how]);
	}
	end();
}

/* ---- grow --------------------------------------------------------------------------------- */

static ncclUniqueId growing;
static const struct want grow_want = { { ALL, ALL, ALL, ALL, ALL, ALL },
				       { 0, 1, 2, 3, 4, 5 },
				       { 21, 21, 21, 21, 21, 21 } };

/* Rank 1 has the id; those that come have nothing else. */
static void grow(int r)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
	bool there = r < RANKS;

	NCCL(ncclCommGrow(there ? parent[r] : NULL, ALL, there && r != 1 ? NULL : &growing,
			  there ? -1 : r, &child[r], r % 2 ? &config : NULL));
}

static void test_grow(enum how how)
{
	make();
	for (int i = 0; i < 2; i++) {
		NCCL(ncclCommGetUniqueId(parent[1], &growing));
		each(how, ALL, grow, NULL);
		tap_ok(children(how, ALL, &grow_want), "ncclCommGrow, %s", how_name[how]);
	}
	end();
}

/* ---- what has failed shrinks ---------------------------------------------------------------- */

static bool aborts; /* QUITS: else it revokes */
static int started; /* of the others: it does not stop them before */
static int out[] = { QUITS };
static const struct want less_want = { { 3, 3, 3 }, { 0, 1, 2 }, { 6, 6, 6 } };
static const struct want same_want = { { 4, 4, 4, 4 }, { 0, 1, 2, 3 }, { 10, 10, 10, 10 } };

/* It does not come to this. */
static void start_without(int r)
{
	mine[r] = 1;
	if (r == QUITS)
		return;
	NCCL(ncclAllReduce(&mine[r], &total[r], 1, ncclFloat, ncclSum, parent[r], NULL));
	__atomic_fetch_add(&started, 1, __ATOMIC_RELEASE);
}

static void quit_or_fail(int r)
{
	ncclResult_t async = ncclSuccess;

	if (r == QUITS) {
		while (__atomic_load_n(&started, __ATOMIC_ACQUIRE) < QUITS)
			sleep_ms(1);
		sleep_ms(20);
		NCCL(aborts ? ncclCommAbort(parent[r])
			    : ncclCommRevoke(parent[r], NCCL_REVOKE_DEFAULT));
		return;
	}
	if (!vn_device_synchronize())
		__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	NCCL(ncclCommGetAsyncError(parent[r], &async));
	if (async == ncclRemoteError &&
	    strstr(vn_comm_error(parent[r]), aborts ? "aborted by rank 3" : "revoked by rank 3"))
		return;
	tap_diag("rank %d: %s, %s", r, ncclGetErrorString(async), vn_comm_error(parent[r]));
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

static void shrink(int r)
{
	NCCL(ncclCommShrink(parent[r], out, 1, &child[r], NULL, NCCL_SHRINK_DEFAULT));
}

static void shrink_abort(int r)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;

	NCCL(ncclCommShrink(parent[r], out, 1, &child[r], &config, NCCL_SHRINK_ABORT));
}

static void shrink_by_none(int r)
{
	NCCL(ncclCommShrink(parent[r], NULL, 0, &child[r], NULL, NCCL_SHRINK_DEFAULT));
}

static void stop(bool by_abort, enum how how)
{
	aborts = by_abort;
	started = 0;
	each(how, RANKS, start_without, quit_or_fail);
	tap_ok(!taken(), "%s: others get ncclRemoteError, %s",
	       by_abort ? "ncclCommAbort" : "ncclCommRevoke", how_name[how]);
}

static void test_shrink(enum how how)
{
	ncclResult_t async;

	make();
	each(how, QUITS, shrink, NULL);
	tap_ok(children(how, QUITS, &less_want), "ncclCommShrink, %s", how_name[how]);
	each(how, RANKS, split, NULL);
	tap_ok(children(how, RANKS, &split_want), "the parent is what it was");
	each(how, QUITS, shrink_abort, NULL);
	NCCL(ncclCommGetAsyncError(parent[QUITS], &async));
	tap_ok(children(how, QUITS, &less_want) && async == ncclRemoteError,
	       "NCCL_SHRINK_ABORT, %s: and who is left out is told", how_name[how]);
	for (int r = 0; r < RANKS; r++)
		NCCL(ncclCommAbort(parent[r]));

	make();
	stop(true, how);
	each(how, QUITS, shrink_abort, NULL);
	tap_ok(children(how, QUITS, &less_want), "and shrink by it");
	for (int r = 0; r < QUITS; r++)
		NCCL(ncclCommAbort(parent[r]));

	make();
	stop(false, how);
	BAD(ncclCommSplit(parent[0], 0, 0, &child[0], NULL), ncclRemoteError, "revoked by rank 3");
	each(how, RANKS, shrink_by_none, NULL);
	tap_ok(children(how, RANKS, &same_want), "and shrink by nobody");
	for (int r = 0; r < RANKS; r++)
		NCCL(ncclCommAbort(parent[r]));
	tap_ok(!taken(), "nothing else failed");
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static void test_refused(void)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER, zero = { 0 };
	int other[] = { RANKS }, self[] = { 0 };
	ncclComm_t c, to = (ncclComm_t)&other;
	ncclResult_t async;
	ncclUniqueId id;

	make();
	c = parent[0];
	BAD(ncclCommSplit(NULL, 0, 0, &to, NULL), ncclInvalidArgument, "split: no communicator");
	BAD(ncclCommSplit(c, 0, 0, NULL, NULL), ncclInvalidArgument, "place for the handle");
	BAD(ncclCommSplit(c, -2, 0, &to, NULL), ncclInvalidArgument, "color -2");
	to = c;
	BAD(ncclCommSplit(c, 0, 0, &to, &zero), ncclInvalidArgument, "config: a size of 0");
	tap_ok(!to, "and no handle");
	BAD(ncclCommSplit(c, 0, 0, NULL, &zero), ncclInvalidArgument, "config: a size of 0");
	config.blocking = 3;
	BAD(ncclCommShrink(c, NULL, 0, &to, &config, 0), ncclInvalidArgument, "blocking 3");
	BAD(ncclCommShrink(c, other, 1, &to, NULL, 0), ncclInvalidArgument, "no rank 4");
	BAD(ncclCommShrink(c, self, 1, &to, NULL, 0), ncclInvalidArgument, "must not call");
	BAD(ncclCommShrink(c, NULL, 1, &to, NULL, 0), ncclInvalidArgument, "no list");
	BAD(ncclCommShrink(c, NULL, 0, &to, NULL, 2), ncclInvalidArgument, "flags 0x2");
	BAD(ncclCommShrink(NULL, NULL, 0, &to, NULL, 0), ncclInvalidArgument, "no communicator");
	BAD(ncclCommGetUniqueId(NULL, &id), ncclInvalidArgument, "no communicator");
	BAD(ncclCommGetUniqueId(c, NULL), ncclInvalidArgument, "place for it");
	NCCL(ncclCommGetUniqueId(c, &id));
	BAD(ncclCommGrow(c, RANKS, NULL, -1, &to, NULL), ncclInvalidArgument, "to 4 ranks, of 4");
	BAD(ncclCommGrow(c, ALL, NULL, 1, &to, NULL), ncclInvalidArgument, "stays what it is");
	BAD(ncclCommGrow(c, ALL, NULL, -1, &to, &config), ncclInvalidArgument, "blocking 3");
	BAD(ncclCommGrow(NULL, ALL, &id, 5, &to, &config), ncclInvalidArgument, "blocking 3");
	BAD(ncclCommGrow(NULL, ALL, NULL, 5, &to, NULL), ncclInvalidArgument, "unique id");
	BAD(ncclCommGrow(NULL, ALL, &id, ALL, &to, NULL), ncclInvalidArgument, "rank 6 of 6");
	BAD(ncclCommGrow(NULL, ALL, &id, 5, NULL, NULL), ncclInvalidArgument, "place for");
	BAD(ncclCommRevoke(NULL, NCCL_REVOKE_DEFAULT), ncclInvalidArgument, "no communicator");
	BAD(ncclCommRevoke(c, 1), ncclInvalidArgument, "flags 0x1");

	/* One of a group is refused: the others do not wait for it. */
	NCCL(ncclGroupStart());
	for (int r = 0; r < QUITS; r++)
		NCCL(ncclCommSplit(parent[r], 0, 0, &child[r], NULL));
	BAD(ncclCommSplit(parent[QUITS], 0, 0, &child[QUITS], &config), ncclInvalidArgument,
	    "blocking 3");
	BAD(ncclGetVersion(NULL), ncclInvalidArgument, "version");
	BAD(ncclGroupEnd(), ncclInvalidArgument, "blocking 3");
	NCCL(ncclCommGetAsyncError(c, &async));
	tap_ok(!taken() && async == ncclSuccess && !child[0] && !child[QUITS],
	       "what was refused made nothing");
	each(GROUP, RANKS, split, NULL);
	tap_ok(children(GROUP, RANKS, &split_want), "and what is right comes after it");
	end();
	tap_ok(NCCL_SPLIT_NOCOLOR == -1 && NCCL_SHRINK_DEFAULT == 0 && NCCL_SHRINK_ABORT == 1 &&
		       NCCL_REVOKE_DEFAULT == 0,
	       "numbers are those of nccl.h");
}

int main(void)
{
	setenv("VNEURON_DEVICE", device_spec(), 1);
	for (enum how how = THREADS; how <= GROUP; how++) {
		test_split(how);
		test_grow(how);
		test_shrink(how);
	}
	test_refused();
	tap_ok(!taken(), "everything ends");
	return tap_done();
}
