// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a drain keeps its journal: each intent is on disk before what it is about
 * begins, COMMITTED before the sled is announced as drained, nothing in the pause. That a
 * journal which can't be written ends a drain that has not moved the chips, with all as it
 * was; and not one that has, which tells how the journal gets to know. That sleds are
 * drained side by side with one journal.
 */
#include <pthread.h>
#include <signal.h>

#include "journal_drain.h"

/* ---- in order ----------------------------------------------------------------------- */

#define SEEN_MAX 64

/* What there was at each point. */
static struct seen {
	uint32_t state;
	enum vn_drain_point point;
	uint32_t records, last; /* in the journal, and to where the last of them leads */
	uint32_t sled; /* the state of sled 0 */
	bool free; /* the journal is not locked */
} seen[SEEN_MAX];
static uint32_t nseen;

static void see(uint32_t state, enum vn_drain_point point, void *arg)
{
	struct seen *s = &seen[nseen++ % SEEN_MAX];
	struct vn_journal *j;
	struct found f = { 0 };

	(void)arg;
	*s = (struct seen){ .state = state, .point = point, .sled = sled(0).state };
	if (vn_journal_read(path, NULL, find, &f, NULL))
		return;
	s->records = f.n;
	s->last = f.n ? f.r[f.n - 1].to : VN_SLED_IN_SERVICE;
	/* Of another shape: what is locked is not looked at. */
	s->free = vn_journal_open(path, &shape, &j) == -EINVAL;
}

static void look_on(void)
{
	nseen = 0;
	vn_drain_hook = see;
}

/* The points of these states, in order, with a record more at each; before: as many. */
static uint32_t check_points(const uint32_t *states, uint32_t n, uint32_t before)
{
	uint32_t wrong = nseen != n * VN_POINTS;

	for (uint32_t i = 0; i < n * VN_POINTS && i < nseen; i++) {
		const struct seen *s = &seen[i];
		uint32_t k = i / VN_POINTS, had = before + k;
		bool locked = s->point == VN_POINT_WRITTEN;

		wrong += s->state != states[k] || s->point != i % VN_POINTS || s->free == locked;
		if (s->point >= VN_POINT_SYNCED)
			wrong += s->records != had + 1 || s->last != states[k];
		else if (s->point == VN_POINT_BEFORE)
			wrong += s->records != had;
		if (wrong) {
			tap_diag("point %u: %s:%u with %u records to %s", i,
				 vn_sled_state_name(s->state), s->point, s->records,
				 vn_sled_state_name(s->last));
			break;
		}
	}
	return wrong;
}

/* In which state the sled was at a point. */
static uint32_t was_in(uint32_t state, enum vn_drain_point point)
{
	for (uint32_t i = 0; i < nseen; i++)
		if (seen[i].state == state && seen[i].point == point)
			return seen[i].sled;
	return VN_SLED_STATES;
}

static void test_order(void)
{
	struct vn_mem m = take(dev, 0, 1 << 20);
	uint32_t in_pause = 0, wrong = 0;
	struct found f;
	int err;

	look_on();
	err = drain(0, 0xabc);
	vn_drain_hook = NULL;
	tap_ok(!err && sled(0).state == VN_SLED_DRAINED, "drained: %s", err ? vn_error() : "");
	tap_ok(!check_points(out_states, COUNT(out_states), 0),
	       "a record of each step, which is on disk before the next");
	tap_ok(was_in(VN_SLED_CORDONED, VN_POINT_SYNCED) == VN_SLED_PLANNED &&
		       was_in(VN_SLED_PRECOPY, VN_POINT_SYNCED) == VN_SLED_CORDONED &&
		       was_in(VN_SLED_FENCED, VN_POINT_SYNCED) == VN_SLED_PRECOPY,
	       "an intent is, before what it is about begins");
	tap_ok(was_in(VN_SLED_COMMITTED, VN_POINT_BEFORE) == VN_SLED_COMMITTED &&
		       was_in(VN_SLED_COMMITTED, VN_POINT_AFTER) == VN_SLED_COMMITTED &&
		       was_in(VN_SLED_DRAINED, VN_POINT_SYNCED) == VN_SLED_COMMITTED &&
		       was_in(VN_SLED_DRAINED, VN_POINT_AFTER) == VN_SLED_DRAINED,
	       "the commit is, before it is announced");
	for (uint32_t i = 0; i < nseen; i++)
		in_pause += seen[i].sled >= VN_SLED_FENCED && seen[i].sled <= VN_SLED_VERIFIED;
	tap_ok(!in_pause, "nothing is written in the pause");
	f = records();
	for (uint32_t i = 0; i < f.n; i++) {
		const struct vn_journal_record *r = &f.r[i];

		wrong += r->sled || r->operation != 0xabc || strcmp(r->reason, "fan") != 0 ||
			 r->uid != getuid() || r->pid != (uint32_t)getpid() ||
			 r->from != (i ? f.r[i - 1].to : VN_SLED_IN_SERVICE) ||
			 r->target != (i < 4 ? VN_ANY_SLED : sled_of(0));
	}
	tap_ok(!wrong, "by whom, why, by which operation, and where its chips went");
	look_on();
	err = undrain(0);
	vn_drain_hook = NULL;
	tap_ok(!err && !check_points(back_states, 2, f.n) &&
		       was_in(VN_SLED_IN_SERVICE, VN_POINT_BEFORE) == VN_SLED_IN_SERVICE,
	       "coming back: when it is tested, and when it has passed");
	f = records();
	tap_ok(f.r[6].from == VN_SLED_DRAINED && f.r[6].operation == 0xabc &&
		       f.r[7].operation == 0x99 && journal_says(0) == VN_SLED_IN_SERVICE,
	       "it is out because of what brought it there, until it is back");
	NEED(vn_mem_free(dev, &m));
}

static void test_without(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t before = records().n, odd = 0;

	/* What is behind the end of an older configuration is not looked at. */
	c.size = offsetof(struct vn_drain_config, journal);
	c.journal = "/none/of/this";
	look_on();
	NEED(vn_sled_drain(dev, 0, &c, NULL));
	NEED(vn_sled_undrain(dev, 0, &c, NULL));
	vn_drain_hook = NULL;
	for (uint32_t i = 0; i < nseen; i++)
		odd += seen[i].point != (i % 2 ? VN_POINT_AFTER : VN_POINT_BEFORE);
	tap_ok(nseen == 16 && !odd && records().n == before,
	       "without a journal there are two points of each (%u)", nseen);
	c.size--;
	tap_ok(vn_sled_drain(dev, 0, &c, NULL) == -EINVAL && strstr(vn_error(), "size of 55"), "%s",
	       vn_error());
	c.size = sizeof(c) + 8;
	tap_ok(vn_sled_undrain(dev, 0, &c, NULL) == -EINVAL && strstr(vn_error(), "size of 72"),
	       "%s", vn_error());
}

/* ---- given up ------------------------------------------------------------------------ */

static int call_off(void *arg, const struct vn_drain_report *r)
{
	const uint32_t *at = arg;

	return r->last.state == *at ? -ECANCELED : 0;
}

static void test_given_up(void)
{
	struct vn_drain_config c = with_journal(5);
	uint32_t at = VN_SLED_PRECOPY, n;
	struct found f;

	unlink(path);
	c.progress = call_off;
	c.arg = &at;
	tap_ok(vn_sled_drain(dev, 0, &c, NULL) == -ECANCELED && strstr(vn_error(), "sled 0"),
	       "called off: %s", vn_error());
	f = records();
	tap_ok(f.n == 4 && f.r[2].to == VN_SLED_PRECOPY && f.r[3].to == VN_SLED_IN_SERVICE &&
		       f.r[3].operation == 5 && sled(0).state == VN_SLED_IN_SERVICE,
	       "the journal says that it is in service");
	n = f.n;
	c.progress = NULL;
	c.to = 1;
	tap_ok(vn_sled_drain(dev, 0, &c, NULL) == -ENOSPC && records().n == n,
	       "what is refused is not in it: %s", vn_error());
}

static void test_points(void)
{
	static const char *const bad[] = { "",
					   "precopy",
					   "precopy:",
					   "precopy:synce",
					   "precopy:synced ",
					   "precop:synced",
					   "verified:after",
					   ":before",
					   "planned:before:after" };
	uint32_t wrong = 0, before = records().n;

	for (uint32_t i = 0; i < COUNT(bad); i++) {
		char want[64];

		snprintf(want, sizeof(want), "VNEURON_DRAIN_STOP=%s:", bad[i]);
		setenv("VNEURON_DRAIN_STOP", bad[i], 1);
		wrong += drain(0, 5) != -EINVAL || !strstr(vn_error(), want);
		wrong += undrain(0) != -EINVAL || !strstr(vn_error(), want);
	}
	unsetenv("VNEURON_DRAIN_STOP");
	tap_ok(!wrong && records().n == before && sled(0).state == VN_SLED_IN_SERVICE,
	       "where a test can't stop it (%u wrong): %s", wrong, vn_error());
}

/* ---- a journal that can't be written ---------------------------------------------------- */

static struct {
	uint64_t bytes;
	uint32_t epoch, place;
} was;

static void remember(void)
{
	nseen = 0;
	was.bytes = size_of();
	was.epoch = sled(0).epoch;
	was.place = sled_of(0);
}

/* All as it was, and not a step was begun. */
static bool untouched(void)
{
	return !nseen && sled(was.place).state == VN_SLED_IN_SERVICE &&
	       sled(0).epoch == was.epoch && sled_of(0) == was.place && size_of() == was.bytes;
}

static void *close_later(void *j)
{
	sleep_ms(200);
	NEED(vn_journal_close(j));
	return NULL;
}

static void test_refused(void)
{
	const struct vn_journal_shape own = { 3, 2, 2 };
	struct vn_journal *j;
	pthread_t thread;
	size_t bytes;
	int err;

	look_on();
	make(2);
	remember();
	tap_ok(drain(was.place, 6) == -EINVAL && says("36 sleds") && untouched(),
	       "of another machine: %s", vn_error());
	unlink(path);
	NEED(drain(was.place, 6));
	NEED(undrain(was.place));
	bytes = load();
	image[3 * SLOT + 40] ^= 1;
	store(bytes);
	remember();
	tap_ok(drain(was.place, 7) == -EUCLEAN && says("offset 384") && untouched(), "damaged: %s",
	       vn_error());
	image[3 * SLOT + 40] ^= 1;
	store(bytes);
	NEED(vn_journal_open(path, &own, &j));
	tap_ok(drain(was.place, 7) == -EBUSY && says("writes to it") && untouched(),
	       "somebody writes to it for too long: %s", vn_error());
	pthread_create(&thread, NULL, close_later, j);
	err = drain(was.place, 7);
	pthread_join(thread, NULL);
	tap_ok(!err && journal_says(was.place) == VN_SLED_DRAINED, "for a moment he may: %s",
	       err ? vn_error() : "");
	vn_drain_hook = NULL;
}

static void lift(uint32_t state, enum vn_drain_point point, void *arg)
{
	(void)arg;
	if (state == VN_SLED_DRAINED && point == VN_POINT_BEFORE)
		limit(RLIM_INFINITY);
}

/* Room for so many records: those before the commit. */
static void test_no_room(uint32_t n)
{
	int err;

	open_device(SPEC);
	unlink(path);
	remember();
	limit((1 + n) * SLOT);
	err = drain(0, 7);
	limit(RLIM_INFINITY);
	was.bytes = size_of();
	tap_ok(err == -EFBIG && says("File too large") && untouched(),
	       "without room for %s all is as it was: %s", vn_sled_state_name(out_states[n]),
	       vn_error());
	tap_ok(journal_says(0) == VN_SLED_IN_SERVICE && !drain(0, 7) &&
		       journal_says(0) == VN_SLED_DRAINED,
	       "and when there is, it is done");
	vn_close(dev);
}

/* Those after it. */
static void test_too_late(uint32_t n)
{
	uint32_t known = n == 4 ? VN_SLED_IN_SERVICE : VN_SLED_COMMITTED;
	struct vn_drain_config c = with_journal(0x7e);
	struct vn_drain_report r;
	int err;

	open_device(SPEC);
	unlink(path);
	limit((1 + n) * SLOT);
	err = vn_sled_drain(dev, 0, &c, &r);
	limit(RLIM_INFINITY);
	tap_ok(err == -EFBIG && says("`neuronctl sled drain 0 --operation 000000000000007e'") &&
		       strstr(vn_error(), "sled 0 is drained") &&
		       sled(0).state == VN_SLED_DRAINED && r.last.state == VN_SLED_DRAINED,
	       "without room for %s: %s", vn_sled_state_name(out_states[n]), vn_error());
	tap_ok(journal_says(0) == known && !drain(0, 0x7e) && journal_says(0) == VN_SLED_DRAINED,
	       "asked again, the journal gets to know");
	n = records().n;
	tap_ok(!drain(0, 0x7e) && records().n == n, "and once is enough");
	vn_close(dev);
}

static void test_full(void)
{
	struct found f;
	uint32_t n;
	int err;

	signal(SIGXFSZ, SIG_IGN);
	nseen = 0;
	for (n = 0; n < COUNT(out_states); n++)
		n < 4 ? test_no_room(n) : test_too_late(n);
	open_device(SPEC);
	unlink(path);
	limit(5 * SLOT);
	vn_drain_hook = lift;
	err = drain(0, 8);
	vn_drain_hook = NULL;
	limit(RLIM_INFINITY);
	tap_ok(!err && journal_says(0) == VN_SLED_DRAINED, "room in time: %s",
	       err ? vn_error() : "nothing is amiss");
	n = records().n;
	limit((1 + n) * SLOT);
	err = undrain(0);
	limit(RLIM_INFINITY);
	tap_ok(err == -EFBIG && says("File too large") && sled(0).state == VN_SLED_DRAINED &&
		       sled(0).operation == 8,
	       "coming back without room: it stays drained: %s", vn_error());
	limit((2 + n) * SLOT);
	err = undrain(0);
	limit(RLIM_INFINITY);
	tap_ok(err == -EFBIG && says("`neuronctl sled undrain 0'") &&
		       strstr(vn_error(), "sled 0 is in service, but") &&
		       sled(0).state == VN_SLED_IN_SERVICE && journal_says(0) == VN_SLED_VALIDATING,
	       "too late for that: %s", vn_error());
	tap_ok(!undrain(0) && journal_says(0) == VN_SLED_IN_SERVICE,
	       "asked again, the journal gets to know");
	f = records();
	tap_ok(undrain(0) == -EALREADY && records().n == f.n, "once: %s", vn_error());
}

/* ---- side by side --------------------------------------------------------------------- */

/* Somebody else has gone on, before what has happened is written. */
static void drain_again(uint32_t state, enum vn_drain_point point, void *arg)
{
	if (state != VN_SLED_IN_SERVICE || point != VN_POINT_BEFORE)
		return;
	vn_drain_hook = NULL;
	*(int *)arg = drain(0, 0x22);
}

static void test_overtaken(void)
{
	int err, again = -1;

	unlink(path);
	NEED(drain(0, 0x11));
	vn_drain_hook_arg = &again;
	vn_drain_hook = drain_again;
	err = undrain(0);
	vn_drain_hook_arg = NULL;
	/* Its chips are elsewhere: it is bare. */
	tap_ok(!err && !again && sled(0).state == VN_SLED_DRAINED && sled(0).operation == 0x22 &&
		       journal_says(0) == VN_SLED_DRAINED,
	       "drained again before its coming back is written: the journal says drained");
	NEED(undrain(0));
}

struct side {
	uint32_t sled[2], rounds; /* from one to the other, and back */
	int err;
	char text[256];
};

static void *to_and_fro(void *arg)
{
	struct side *s = arg;

	for (uint32_t i = 0; i < s->rounds && !s->err; i++) {
		struct vn_drain_config c = with_journal(0x100 * s->sled[0] + i + 1);

		c.to = s->sled[(i + 1) % 2];
		s->err = vn_sled_drain(dev, s->sled[i % 2], &c, NULL) ?: undrain(s->sled[i % 2]);
	}
	if (s->err)
		snprintf(s->text, sizeof(s->text), "%s", vn_error());
	return NULL;
}

static void test_side_by_side(void)
{
	const uint32_t rounds = quick() ? 2 : 6;
	/* Each has a spare of its own. */
	struct side s[2] = { { { 1, 3 }, rounds, 0, "" }, { { 2, 4 }, rounds, 0, "" } };
	uint32_t last[5] = { 0 }, wrong = 0, turns = 0;
	pthread_t thread[2];
	struct found f;

	unlink(path);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, to_and_fro, &s[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	tap_ok(!s[0].err && !s[1].err, "two at once: %s%s", s[0].text, s[1].text);
	f = records();
	for (uint32_t i = 0; i < f.n; i++) {
		wrong += f.r[i].from != last[f.r[i].sled];
		last[f.r[i].sled] = f.r[i].to;
		turns += i && f.r[i].operation / 0x100 != f.r[i - 1].operation / 0x100;
	}
	tap_ok(f.n == 2 * rounds * 8 && !wrong, "%u records, each sled's in order (%u wrong)", f.n,
	       wrong);
	tap_diag("%u times one came between those of the other", turns);
}

int main(void)
{
	int fds = set_up();

	unlink(path);
	open_device(SPEC);
	test_order();
	test_without();
	vn_close(dev);
	open_device(SPEC);
	test_given_up();
	test_points();
	test_refused();
	vn_close(dev);
	test_full();
	vn_close(dev);
	open_device(SPEC);
	test_overtaken();
	vn_close(dev);
	open_device(SPEC);
	test_side_by_side();
	vn_close(dev);
	tear_down(fds);
	return tap_done();
}
