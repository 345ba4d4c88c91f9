// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Signals: who sees one sees what was put before it, however often that goes to and
 * fro; from every rank to every rank, waited for in any portion, each counts once; one
 * that does not come is named, with how many did; what makes no sense is refused. By
 * threads and by one thread.
 */
#include "crew.h"

#define RANKS 5
#define ROOM (64u << 10)

static vn_device_t dev;
static struct crew crew;
static vn_comm_window_t win[RANKS];
static char *window[RANKS], *local[RANKS];

static int open_window(struct rank *me)
{
	return vn_comm_window_register(me->comm, window[me->number], ROOM, &win[me->number], 0);
}

/* ---- to and fro ------------------------------------------------------------------------ */

static unsigned int rounds;
static unsigned int seen_wrong[2];

/* Long enough for a reader that doesn't wait to find some of it missing. */
#define BALL 3000u

static void throw_ball(int rank, uint32_t n)
{
	uint32_t *ball = (uint32_t *)local[rank];

	for (uint32_t i = 0; i < BALL; i++)
		ball[i] = n * 7919 + i;
}

static unsigned int ball_wrong(int rank, uint32_t n)
{
	const uint32_t *ball = (const uint32_t *)window[rank];
	unsigned int wrong = 0;

	for (uint32_t i = 0; i < BALL; i++)
		wrong += ball[i] != n * 7919 + i;
	return wrong;
}

static int pass(struct rank *me, uint32_t n)
{
	throw_ball(me->number, n);
	return vn_put_signal(local[me->number], BALL, VN_UINT32, !me->number, win[me->number], 0,
			     (int)n % VN_SIGNALS, 0, 0, me->comm, NULL);
}

static int await(struct rank *me, uint32_t n)
{
	struct vn_wait_signal_desc d = { .op_cnt = 1,
					 .peer = !me->number,
					 .sig_idx = (int)n % VN_SIGNALS };

	return vn_wait_signal(1, &d, me->comm, NULL);
}

static int play(struct rank *me)
{
	int err = 0;

	for (uint32_t n = 0; n < rounds && !err; n++) {
		if ((int)n % 2 == me->number) {
			err = pass(me, n);
			continue;
		}
		err = await(me, n) ?: vn_comm_sync(me->comm, LONG);
		seen_wrong[me->number] += err || ball_wrong(me->number, n);
	}
	return err;
}

static void test_to_and_fro(enum driven by)
{
	unsigned int wrong = 0;

	rounds = quick() ? 60 : 4000;
	crew_make(&crew, dev, 2, by, NULL);
	NEED(-(int)crew_do(&crew, open_window));
	memset(seen_wrong, 0, sizeof(seen_wrong));
	if (by == BY_THREADS)
		wrong = crew_do(&crew, play);
	/* The wait first, so that it is another rank's operation that ends it. */
	for (uint32_t n = 0; n < rounds && by == BY_ONE && !wrong; n++) {
		struct rank *to = &crew.rank[(n + 1) % 2];

		wrong = await(to, n) || pass(&crew.rank[n % 2], n) || vn_comm_sync(to->comm, LONG);
		wrong += ball_wrong(to->number, n);
	}
	wrong += seen_wrong[0] + seen_wrong[1];
	tap_ok(!wrong, "%u times to and fro, %s: %u wrong", rounds, driven_text(by), wrong);
	crew_end(&crew);
}

/* ---- many signals ----------------------------------------------------------------------- */

/* To every rank (itself, too) signal k is given k + 1 times. */
static int give_all(struct rank *me)
{
	int err = 0;

	for (int peer = 0; peer < crew.ranks; peer++)
		for (int k = 0; k < VN_SIGNALS; k++)
			for (int n = 0; n <= k && !err; n++)
				err = vn_signal(peer, k, 0, 0, me->comm, NULL);
	return err;
}

/* In three portions: one of each; the others, each named twice; and that was all. */
static int take_all(struct rank *me)
{
	struct vn_wait_signal_desc d[2 * RANKS * VN_SIGNALS];
	int n = 0, err;

	for (int peer = 0; peer < crew.ranks; peer++)
		for (int k = 0; k < VN_SIGNALS; k++)
			d[n++] = (struct vn_wait_signal_desc){ 1, peer, k, 0 };
	err = vn_wait_signal(n, d, me->comm, NULL);
	memset(d, 0xee, sizeof(d));
	n = 0;
	for (int peer = 0; peer < crew.ranks; peer++) {
		for (int k = 2; k < VN_SIGNALS; k++) {
			d[n++] = (struct vn_wait_signal_desc){ 1, peer, k, 0 };
			d[n++] = (struct vn_wait_signal_desc){ k - 1, peer, k, 0 };
		}
	}
	err = err ?: vn_wait_signal(n, d, me->comm, NULL);
	d[0] = (struct vn_wait_signal_desc){ 1, 0, 1, 0 };
	return err ?: vn_wait_signal(1, d, me->comm, NULL);
}

static int give_and_take(struct rank *me)
{
	return give_all(me) ?: take_all(me);
}

static void test_signals(int ranks, enum driven by)
{
	crew_make(&crew, dev, ranks, by, NULL);
	tap_ok(!crew_do(&crew, give_and_take) && !crew_do(&crew, give_and_take),
	       "%d signals from each of %d ranks to each, %s", VN_SIGNALS, ranks, driven_text(by));
	crew_end(&crew);
}

/* ---- what must not be ------------------------------------------------------------- */

/* One more than were given, of one. */
static int want_more(struct rank *me)
{
	struct vn_wait_signal_desc d[2] = { { 2, 1, 3, 0 }, { 1, 1, 4, 0 } };

	if (!me->number)
		return vn_wait_signal(2, d, me->comm, NULL);
	return vn_signal(0, 3, 0, 0, me->comm, NULL) ?: vn_signal(0, 4, 0, 0, me->comm, NULL);
}

static void test_missing(enum driven by)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	const char *text = crew.rank[0].text;

	config.timeout_ns = SECOND / 4;
	crew_make(&crew, dev, 2, by, &config);
	NEED(-(int)crew_do(&crew, give_and_take));
	crew_run(&crew, want_more);
	tap_ok(crew.rank[0].err == -ETIMEDOUT &&
		       strstr(text, "rank 1 has given signal 3 1 of 2 times") &&
		       !strstr(text, "signal 4"),
	       "a signal that does not come, %s: %s", driven_text(by), text);
	crew_end(&crew);
}

static void refuse(const char *what, int got, int want, const char *names)
{
	tap_ok(got == want && strstr(vn_error(), names), "%s: %d: %s", what, got, vn_error());
}

static void test_refused(void)
{
	struct vn_wait_signal_desc d = { 1, 1, 0, 0 };
	char *b = local[0];
	vn_comm_window_t w;
	vn_comm_t c;

	crew_make(&crew, dev, 3, BY_ONE, NULL);
	NEED(-(int)crew_do(&crew, open_window));
	c = crew.rank[0].comm;
	w = win[0];

	refuse("no such signal", vn_signal(1, VN_SIGNALS, 0, 0, c, NULL), -EINVAL, "signal 8");
	refuse("no such signal", vn_signal(1, -1, 0, 0, c, NULL), -EINVAL, "signal -1");
	refuse("no such peer", vn_signal(3, 0, 0, 0, c, NULL), -EINVAL, "peer 3");
	refuse("a context", vn_signal(1, 0, 1, 0, c, NULL), -EINVAL, "context 1");
	refuse("flags", vn_signal(1, 0, 0, 4, c, NULL), -EINVAL, "flags 0x4");
	refuse("no such signal", vn_put_signal(b, 1, VN_INT8, 1, w, 0, 9, 0, 0, c, NULL), -EINVAL,
	       "signal 9");
	refuse("a context", vn_put_signal(b, 1, VN_INT8, 1, w, 0, 0, 2, 0, c, NULL), -EINVAL,
	       "context 2");
	refuse("flags", vn_put_signal(b, 1, VN_INT8, 1, w, 0, 0, 0, 1, c, NULL), -EINVAL, "0x1");
	refuse("no signals", vn_wait_signal(0, &d, c, NULL), -EINVAL, "no signals");
	refuse("no list", vn_wait_signal(1, NULL, c, NULL), -EINVAL, "no signals");
	d.op_cnt = 0;
	refuse("none of them", vn_wait_signal(1, &d, c, NULL), -EINVAL, "count of 0");
	d.op_cnt = -3;
	refuse("fewer", vn_wait_signal(1, &d, c, NULL), -EINVAL, "count of -3");
	d = (struct vn_wait_signal_desc){ 1, 3, 0, 0 };
	refuse("no such peer", vn_wait_signal(1, &d, c, NULL), -EINVAL, "peer 3");
	d = (struct vn_wait_signal_desc){ 1, 1, 8, 0 };
	refuse("no such signal", vn_wait_signal(1, &d, c, NULL), -EINVAL, "signal 8");
	d = (struct vn_wait_signal_desc){ 1, 1, 0, 7 };
	refuse("a context", vn_wait_signal(1, &d, c, NULL), -EINVAL, "context 7");
	tap_ok(!crew_do(&crew, give_and_take), "none of them took or gave a signal");
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
	for (int by = 0; by < DRIVEN; by++) {
		test_to_and_fro((enum driven)by);
		test_signals(2, (enum driven)by);
		test_signals(RANKS, (enum driven)by);
		test_missing((enum driven)by);
	}
	test_refused();
	for (int r = 0; r < RANKS; r++) {
		free(window[r]);
		free(local[r]);
	}
	vn_close(dev);
	return tap_done();
}
