// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends and receives that can't be: who disagrees about a message is named, and nothing
 * of it is copied; so is who does not come, with how often it came; an abort ends what
 * waits; what makes no sense is refused, and all goes on. By threads and by one thread.
 */
#include "crew.h"

#define RANKS 4
#define ROOM (4u << 20)

static vn_device_t dev;
static struct crew crew;
static char *memory[2][RANKS];

static char *sent(int rank)
{
	return memory[0][rank];
}

static char *got(int rank)
{
	return memory[1][rank];
}

/* ---- disagreements ----------------------------------------------------------------------- */

static int other_count(struct rank *me)
{
	if (me->number == 1)
		return vn_send(sent(1), 10, VN_INT32, 2, me->comm, NULL);
	if (me->number == 2)
		return vn_recv(got(2), 12, VN_INT32, 1, me->comm, NULL);
	return vn_barrier(me->comm, NULL);
}

static int other_type(struct rank *me)
{
	if (me->number == 1)
		return vn_recv(got(1), 9, VN_FLOAT32, 2, me->comm, NULL);
	if (me->number == 2)
		return vn_send(sent(2), 9, VN_INT32, 1, me->comm, NULL);
	return vn_barrier(me->comm, NULL);
}

static void test_mismatch(enum driven by)
{
	struct rank *last = &crew.rank[3];
	char want[64];
	bool all;

	memset(want, 0x5a, sizeof(want));
	crew_make(&crew, dev, 4, by, NULL);
	memset(got(2), 0x5a, sizeof(want));
	all = crew_failed(&crew, other_count, -EINVAL);
	tap_ok(all && strstr(last->text, "rank 1 sends 10 int32, but rank 2 receives 12 int32"),
	       "another count, %s: %s", driven_text(by), last->text);
	tap_ok(!memcmp(got(2), want, sizeof(want)), "nothing was copied");
	tap_ok(vn_send(sent(0), 1, VN_INT32, 1, crew.rank[0].comm, NULL) == -EINVAL,
	       "and nothing more will be");
	crew_end(&crew);
	crew_make(&crew, dev, 4, by, NULL);
	all = crew_failed(&crew, other_type, -EINVAL);
	tap_ok(all && strstr(last->text, "rank 2 sends 9 int32, but rank 1 receives 9 float32"),
	       "another type, %s: %s", driven_text(by), last->text);
	crew_end(&crew);
}

/* Two of three come. */
static int too_few(struct rank *me)
{
	int err = 0;

	for (int i = 0; i < 3 && !me->number && !err; i++)
		err = vn_send(sent(0), 5, VN_UINT8, 1, me->comm, NULL);
	for (int i = 0; i < 2 && me->number == 1 && !err; i++)
		err = vn_recv(got(1) + 8 * i, 5, VN_UINT8, 0, me->comm, NULL);
	if (!err && me->number == 1)
		err = vn_barrier(me->comm, NULL);
	return err;
}

static int nobody_sends(struct rank *me)
{
	return me->number ? vn_barrier(me->comm, NULL)
			  : vn_recv(got(0), 5, VN_UINT8, 1, me->comm, NULL);
}

static void test_nobody(enum driven by)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	struct rank *first = &crew.rank[0];
	uint64_t since = now_ns();
	bool all;

	config.timeout_ns = SECOND / 4;
	crew_make(&crew, dev, 2, by, &config);
	all = crew_failed(&crew, too_few, -ETIMEDOUT);
	tap_ok(all && (strstr(first->text, "rank 1 has not arrived: it has called recv for this "
					   "rank 2 times, this rank 3") ||
		       strstr(first->text, "barrier")),
	       "nobody receives, %s: %s", driven_text(by), first->text);
	crew_end(&crew);
	crew_make(&crew, dev, 2, by, &config);
	crew_failed(&crew, nobody_sends, -ETIMEDOUT);
	tap_ok(strstr(first->text, "rank 1 has not arrived: it has called send for this rank 0 "
				   "times, this rank 1") ||
		       strstr(first->text, "barrier"),
	       "nobody sends, %s: %s", driven_text(by), first->text);
	tap_ok(now_ns() - since < 60 * SECOND, "and that did not take for ever");
	crew_end(&crew);
}

/* ---- abort -------------------------------------------------------------------------------- */

/* Ranks 1 and 2 wait for messages of rank 0, which gives up; they may be in a copy, too. */
static int give_up(struct rank *me)
{
	vn_comm_t c = me->comm;
	int err;

	if (me->number)
		return vn_send(sent(me->number), ROOM / 2, VN_UINT8, me->number ^ 3, c, NULL)
			       ?: vn_recv(got(me->number), ROOM / 2, VN_UINT8,
					  me->number ^ 3, c, NULL)
			       ?: vn_recv(sent(me->number), 5, VN_UINT8, 0, c, NULL);
	sleep_ms(20);
	err = vn_comm_abort(c);
	me->comm = NULL;
	return err;
}

static void test_abort(void)
{
	crew_make(&crew, dev, 3, BY_THREADS, NULL);
	crew_run(&crew, give_up);
	tap_ok(!crew.rank[0].err && crew.rank[1].err == -ECANCELED &&
		       crew.rank[2].err == -ECANCELED &&
		       strstr(crew.rank[2].text, "aborted by rank 0"),
	       "an abort ends what waits: %d, %d: %s", crew.rank[1].err, crew.rank[2].err,
	       crew.rank[2].text);
	crew_end(&crew);
}

/*
 * Rank 1 sends on what it received, and looks after that only when rank 0, which waits
 * for it, has left: nothing is written to who is no longer there.
 */
static void test_left(void)
{
	vn_comm_t *c[3];
	bool stays = true;
	int err;

	crew_make(&crew, dev, 3, BY_ONE, NULL);
	for (int r = 0; r < 3; r++)
		c[r] = &crew.rank[r].comm;
	memset(got(0), 0x5a, 100);
	scramble(sent(2), 100);
	err = vn_recv(got(0) + 200, 5, VN_UINT8, 2, *c[0], NULL)
		      ?: vn_recv(got(0), 100, VN_UINT8, 1, *c[0], NULL)
		      ?: vn_recv(got(1), 100, VN_UINT8, 2, *c[1], NULL)
		      ?: vn_send(got(1), 100, VN_UINT8, 0, *c[1], NULL)
		      ?: vn_send(sent(2), 100, VN_UINT8, 1, *c[2], NULL);
	err = err ?: vn_comm_abort(*c[0]);
	*c[0] = NULL;
	tap_ok(!err && vn_comm_sync(*c[1], LONG) == -ECANCELED && !memcmp(got(1), sent(2), 100),
	       "what had come before an abort is there");
	for (int i = 0; i < 100; i++)
		stays = stays && got(0)[i] == 0x5a;
	tap_ok(stays, "nothing comes to who has left");
	crew_end(&crew);
}

/* Given up inside a group: what that holds back of the rank never begins. */
static void test_left_group(void)
{
	vn_comm_t a, b;
	int err;

	crew_make(&crew, dev, 2, BY_ONE, NULL);
	a = crew.rank[0].comm;
	b = crew.rank[1].comm;
	memset(got(1), 0x5a, 100);
	vn_group_start();
	err = vn_send(sent(0), 100, VN_UINT8, 1, a, NULL)
		      ?: vn_recv(got(1), 100, VN_UINT8, 0, b, NULL)
		      ?: vn_comm_abort(a);
	crew.rank[0].comm = NULL;
	tap_ok(!err && vn_group_end() == -ECANCELED && vn_comm_sync(b, LONG) == -ECANCELED &&
		       got(1)[0] == 0x5a,
	       "an abort inside a group");
	crew_end(&crew);
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void refuse(const char *what, int err, const char *names)
{
	tap_ok(err == -EINVAL && strstr(vn_error(), names), "%s: %s", what, vn_error());
}

static int exchange(struct rank *me)
{
	return vn_send(sent(me->number), 100, VN_UINT8, !me->number, me->comm, NULL)
		       ?: vn_recv(got(me->number), 100, VN_UINT8, !me->number, me->comm, NULL);
}

static void test_refused(void)
{
	vn_comm_t c;

	crew_make(&crew, dev, 2, BY_ONE, NULL);
	c = crew.rank[0].comm;
	refuse("no such peer", vn_send(sent(0), 1, VN_UINT8, 2, c, NULL), "peer 2");
	refuse("no such peer", vn_recv(sent(0), 1, VN_UINT8, -1, c, NULL), "peer -1");
	refuse("no buffer", vn_send(NULL, 1, VN_UINT8, 1, c, NULL), "to send");
	refuse("no buffer", vn_recv(NULL, 1, VN_UINT8, 1, c, NULL), "to receive");
	refuse("no such type", vn_send(sent(0), 1, VN_TYPE_COUNT, 1, c, NULL), "type");
	refuse("misaligned", vn_recv(got(0) + 2, 1, VN_INT32, 1, c, NULL), "aligned");
	refuse("too much", vn_send(sent(0), VN_BYTES_MAX, VN_INT32, 1, c, NULL), "more than");
	scramble(sent(0), 100);
	scramble(sent(1), 100);
	tap_ok(!crew_do(&crew, exchange) && !memcmp(got(0), sent(1), 100) &&
		       !memcmp(got(1), sent(0), 100),
	       "after all that it works");
	crew_end(&crew);
}

int main(void)
{
	dev = device();
	for (int r = 0; r < RANKS; r++) {
		for (int side = 0; side < 2; side++) {
			memory[side][r] = calloc(1, ROOM);
			if (!memory[side][r])
				NEED(-ENOMEM);
		}
	}
	for (int by = 0; by < DRIVEN; by++) {
		test_mismatch((enum driven)by);
		test_nobody((enum driven)by);
	}
	test_abort();
	test_left();
	test_left_group();
	test_refused();
	for (int r = 0; r < RANKS; r++)
		for (int side = 0; side < 2; side++)
			free(memory[side][r]);
	vn_close(dev);
	return tap_done();
}
