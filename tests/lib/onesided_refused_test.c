// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Windows, puts and gets that can't be: nothing is read or written beyond a window,
 * through that of another rank or one that is gone, nor by a call that makes no sense;
 * one that a group may still use stays.
 */
#include "crew.h"

#define RANKS 3
#define ROOM (64u << 10)

static vn_device_t dev;
static struct crew crew;
static vn_comm_window_t win[RANKS];
static char *window[RANKS], *local[RANKS];

/* Rank 2 of three has an empty one. */
static size_t size_of(int rank)
{
	return rank == 2 ? 0 : ROOM - 4000;
}

static int open_window(struct rank *me)
{
	return vn_comm_window_register(me->comm, window[me->number], size_of(me->number),
				       &win[me->number], 0);
}

static int forget(struct rank *me)
{
	return vn_comm_window_deregister(me->comm, win[me->number]);
}

static void begin(int ranks)
{
	crew_make(&crew, dev, ranks, BY_ONE, NULL);
	NEED(-(int)crew_do(&crew, open_window));
}

/* What a group holds back may be about it: it stays until that has begun. */
static void test_held(void)
{
	struct rank *me = &crew.rank[0];
	int gone, err;

	begin(2);
	scramble(local[0], 64);
	vn_group_start();
	err = vn_put(local[0], 64, VN_INT8, 1, win[0], 0, me->comm, NULL);
	gone = forget(me);
	err = vn_group_end() ?: err;
	tap_ok(!err && gone == -EBUSY && !memcmp(window[1], local[0], 64),
	       "a window stays while a group may use it");
	vn_group_start();
	err = vn_comm_window_register(me->comm, local[0] + 1, 8, &win[2], 0);
	tap_ok(err == -EINVAL && vn_group_end() == -EINVAL, "a group remembers a refusal");
	crew_end(&crew);
}

/* ---- what must not be -------------------------------------------------------------------------- */

static void refuse(const char *what, int got, int want, const char *names)
{
	tap_ok(got == want && strstr(vn_error(), names), "%s: %d: %s", what, got, vn_error());
}

static void test_window_refused(void)
{
	struct rank *me = &crew.rank[0];
	vn_comm_window_t w = win[0], other = win[1];
	vn_comm_t c = me->comm;
	size_t size = size_of(1);
	char *b = local[0];
	void *ptr;

	refuse("beyond the end", vn_put(b, 2, VN_INT64, 1, w, size - 8, c, NULL), -ERANGE,
	       "window of rank 1");
	refuse("far beyond", vn_get(b, 1, VN_INT64, 1, w, -8ul, c, NULL), -ERANGE, "rank 1");
	refuse("of nothing", vn_put(b, 1, VN_INT8, 2, w, 0, c, NULL), -ERANGE, "rank 2");
	refuse("an odd offset", vn_put(b, 1, VN_INT32, 1, w, 6, c, NULL), -EINVAL, "aligned");
	refuse("no such peer", vn_put(b, 1, VN_INT32, 3, w, 0, c, NULL), -EINVAL, "peer 3");
	refuse("no such peer", vn_get(b, 1, VN_INT32, -1, w, 0, c, NULL), -EINVAL, "peer -1");
	refuse("no window", vn_put(b, 1, VN_INT32, 1, NULL, 0, c, NULL), -EINVAL, "window");
	refuse("another rank's", vn_put(b, 1, VN_INT32, 1, other, 0, c, NULL), -EINVAL, "window");
	refuse("no buffer", vn_put(NULL, 1, VN_INT32, 1, w, 0, c, NULL), -EINVAL, "to send");
	refuse("no buffer", vn_get(NULL, 1, VN_INT32, 1, w, 0, c, NULL), -EINVAL, "to receive");
	refuse("misaligned", vn_get(b + 1, 1, VN_INT32, 1, w, 0, c, NULL), -EINVAL, "aligned");
	refuse("unknown flags", vn_comm_window_register(c, b, 8, &w, 2), -EINVAL, "flags");
	refuse("a buffer of odd place", vn_comm_window_register(c, b + 4, 8, &w, 0), -EINVAL,
	       "aligned");
	refuse("no buffer", vn_comm_window_register(c, NULL, 8, &w, 0), -EINVAL, "no buffer");
	refuse("nowhere to put it", vn_comm_window_register(c, b, 8, NULL, 0), -EINVAL, "handle");
	refuse("another rank's pointer", vn_win_get_user_ptr(c, other, &ptr), -EINVAL, "window");
	refuse("another rank's", vn_comm_window_deregister(c, other), -EINVAL, "window");
}

/* Known only when the group begins: it fails then. */
static int out_of_range(struct rank *me)
{
	int err = vn_comm_window_register(me->comm, window[me->number], 64, &win[me->number], 0);

	if (!me->number)
		err = err ?: vn_put(local[0], 9, VN_INT64, 1, win[0], 0, me->comm, NULL);
	return err ?: vn_barrier(me->comm, NULL);
}

static void test_refused(void)
{
	char zeros[1024] = { 0 };
	void *ptr;

	begin(3);
	for (int r = 0; r < 2; r++)
		memset(window[r], 0, ROOM);
	test_window_refused();
	tap_ok(!memcmp(window[1], zeros, sizeof(zeros)) &&
		       !memcmp(window[1] + size_of(1) - 8, zeros, 100),
	       "and none of them wrote anything");
	NEED(forget(&crew.rank[0]));
	refuse("a window that is gone",
	       vn_put(local[0], 1, VN_INT8, 1, win[0], 0, crew.rank[0].comm, NULL), -EINVAL,
	       "window");
	refuse("a window that is gone", vn_win_get_user_ptr(crew.rank[0].comm, win[0], &ptr),
	       -EINVAL, "window");
	refuse("a window that is gone", forget(&crew.rank[0]), -EINVAL, "window");
	tap_ok(!vn_put(local[1], 1, VN_INT8, 0, win[1], 0, crew.rank[1].comm, NULL),
	       "others reach its buffer through theirs");
	crew_end(&crew);
	crew_make(&crew, dev, 2, BY_ONE, NULL);
	memset(window[1], 0, ROOM);
	tap_ok(crew_failed(&crew, out_of_range, -ERANGE) &&
		       !memcmp(window[1], zeros, sizeof(zeros)),
	       "in the group that registers it: %s", crew.rank[1].text);
	crew_end(&crew);
}

int main(void)
{
	dev = device();
	for (int r = 0; r < RANKS; r++) {
		window[r] = aligned_alloc(64, ROOM);
		local[r] = aligned_alloc(64, ROOM);
		if (!window[r] || !local[r])
			NEED(-ENOMEM);
	}
	test_held();
	test_refused();
	for (int r = 0; r < RANKS; r++) {
		free(window[r]);
		free(local[r]);
	}
	vn_close(dev);
	return tap_done();
}
