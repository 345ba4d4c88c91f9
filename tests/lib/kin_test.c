// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Communicators made of others: split by colors and keys, shrunk, grown, by threads and
 * by one thread in groups; what is revoked ends and stays; who is gone is agreed on,
 * also when a rank's thread stops at some step of an operation and never comes back: at
 * every step with VN_COLL_FULL=1.
 */
#include "crew.h"

#define RANKS 6
#define BYTES (64u << 10)
#define SHORT (SECOND / 8)

static vn_device_t dev;
static struct crew crew;
static struct vn_mem mem[2][RANKS];
static vn_comm_t child[RANKS + 2];
static int child_err[RANKS + 2];
static char child_text[RANKS + 2][512];

/* The sum of what ranks of a communicator say, wherever they are; the rank: out. */
static float sum_of(vn_comm_t comm, float mine, int *rank)
{
	float sum = -1;

	NEED(vn_comm_user_rank(comm, rank));
	if (vn_all_reduce(&mine, &sum, 1, VN_FLOAT32, VN_SUM, comm, NULL) ||
	    vn_comm_sync(comm, LONG))
		return -1;
	return sum;
}

/* ---- in threads ------------------------------------------------------------------- */

struct want {
	int size[RANKS + 2], rank[RANKS + 2];
	float sum[RANKS + 2];
};

static const struct want *want;
static unsigned int wrong;

/* The child of that rank is as it should be; then it goes. */
static void check_child(int r)
{
	int size = 0, rank = -1;
	float sum;

	if (!want->size[r]) {
		if (!child[r] && !child_err[r])
			return;
		tap_diag("rank %d has a child: %d (%s)", r, child_err[r], child_text[r]);
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		return;
	}
	if (child_err[r] || vn_comm_count(child[r], &size)) {
		tap_diag("rank %d: %d (%s)", r, child_err[r], child_text[r]);
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		return;
	}
	sum = sum_of(child[r], (float)(r + 1), &rank);
	if (size != want->size[r] || rank != want->rank[r] || sum != want->sum[r]) {
		tap_diag("rank %d is %d of %d, sum %g; want %d of %d, %g", r, rank, size,
			 (double)sum, want->rank[r], want->size[r], (double)want->sum[r]);
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	}
	vn_comm_destroy(child[r]);
}

static int said(int r, int err)
{
	child_err[r] = err;
	if (err)
		snprintf(child_text[r], sizeof(child_text[r]), "%s", vn_error());
	return err;
}

/* ---- split ---------------------------------------------------------------------------- */

static const int color_of[RANKS] = { 0, 1, 0, 1, VN_SPLIT_NOCOLOR, 0 };
static const int key_of[RANKS] = { 9, 0, 5, 0, 3, -2 };
/* Of color 0: ranks 5, 2, 0; of color 1: 1, 3. */
static const struct want split_want = {
	.size = { 3, 2, 3, 2, 0, 3 },
	.rank = { 2, 0, 1, 1, 0, 0 },
	.sum = { 10, 6, 10, 6, 0, 10 },
};

static int split(struct rank *me)
{
	int r = me->number;

	return said(r, vn_comm_split(me->comm, color_of[r], key_of[r], &child[r], NULL));
}

static int split_and_use(struct rank *me)
{
	split(me);
	check_child(me->number);
	return 0;
}

static void test_split(void)
{
	wrong = 0;
	want = &split_want;
	crew_make(&crew, dev, RANKS, BY_THREADS, NULL);
	wrong += crew_do(&crew, split_and_use);
	wrong += crew_do(&crew, split_and_use);
	tap_ok(!wrong, "split by color, ordered by key, twice");
	crew_end(&crew);

	wrong = 0;
	crew_make(&crew, dev, RANKS, BY_ONE, NULL);
	wrong += crew_do(&crew, split);
	/* By one thread: all of a child together. */
	vn_group_start();
	for (int r = 0; r < RANKS; r++) {
		static float out[RANKS];

		wrong += child_err[r] != 0;
		if (child[r])
			wrong += vn_all_reduce(&out[r], &out[r], 1, VN_FLOAT32, VN_SUM, child[r],
					       NULL) != 0;
	}
	wrong += vn_group_end() != 0;
	for (int r = 0; r < RANKS; r++)
		if (child[r])
			wrong += vn_comm_sync(child[r], LONG) != 0;
	for (int r = 0; r < RANKS; r++)
		if (child[r])
			wrong += vn_comm_destroy(child[r]) != 0;
	tap_ok(!wrong, "split by one thread, in a group");
	crew_end(&crew);
}

/* ---- shrink and grow -------------------------------------------------------------------- */

static const int out[] = { 1, 4 };
static const struct want shrink_want = {
	.size = { 4, 0, 4, 4, 0, 4 },
	.rank = { 0, 0, 1, 2, 0, 3 },
	.sum = { 14, 0, 14, 14, 0, 14 },
};

static int shrink(struct rank *me)
{
	int r = me->number;

	child[r] = NULL;
	child_err[r] = 0;
	if (shrink_want.size[r])
		said(r,
		     vn_comm_shrink(me->comm, out, COUNT(out), &child[r], NULL, VN_SHRINK_DEFAULT));
	check_child(r);
	return 0;
}

static const struct want grow_want = {
	.size = { 8, 8, 8, 8, 8, 8, 8, 8 },
	.rank = { 0, 1, 2, 3, 4, 5, 6, 7 },
	.sum = { 36, 36, 36, 36, 36, 36, 36, 36 },
};

static vn_unique_id growing;

static int grow(struct rank *me)
{
	int r = me->number;

	said(r, vn_comm_grow(me->comm, RANKS + 2, NULL, -1, &child[r], NULL));
	check_child(r);
	return 0;
}

static void *newcomer(void *arg)
{
	int r = (int)(intptr_t)arg;
	struct vn_config config = VN_CONFIG_INITIALIZER;

	config.dev = dev;
	config.timeout_ns = LONG;
	said(r, vn_comm_grow(NULL, RANKS + 2, &growing, r, &child[r], &config));
	check_child(r);
	return NULL;
}

static void test_shrink(void)
{
	crew_make(&crew, dev, RANKS, BY_THREADS, NULL);
	wrong = 0;
	want = &shrink_want;
	wrong += crew_do(&crew, shrink);
	wrong += crew_do(&crew, shrink);
	/* The parent is what it was, also to those who were left out. */
	want = &split_want;
	wrong += crew_do(&crew, split_and_use);
	tap_ok(!wrong, "shrunk by two ranks: the others keep their order");
	crew_end(&crew);
}

static void test_grow(void)
{
	pthread_t thread[2];

	crew_make(&crew, dev, RANKS, BY_THREADS, NULL);
	wrong = 0;
	want = &grow_want;
	NEED(vn_comm_get_unique_id(crew.rank[2].comm, &growing));
	for (int r = 0; r < 2; r++)
		if (pthread_create(&thread[r], NULL, newcomer, (void *)(intptr_t)(RANKS + r)))
			NEED(-EAGAIN);
	wrong += crew_do(&crew, grow);
	for (int r = 0; r < 2; r++)
		pthread_join(thread[r], NULL);
	tap_ok(!wrong, "grown by two ranks: the others stay what they are");
	crew_end(&crew);
}

/* ---- who is gone ------------------------------------------------------------------------- */

static int gone_of[RANKS][RANKS], ngone_of[RANKS], agree_err[RANKS];

static int agree(struct rank *me)
{
	int r = me->number;

	return agree_err[r] = vn_comm_agree(me->comm, gone_of[r], &ngone_of[r]);
}

/* All that are left say the same. */
static bool agreed(int n, int who)
{
	for (int r = 0; r < crew.ranks; r++) {
		if (r == who)
			continue;
		if (!agree_err[r] && ngone_of[r] == n && (!n || gone_of[r][0] == who))
			continue;
		tap_diag("rank %d: %d, %d gone, first %d", r, agree_err[r], ngone_of[r],
			 gone_of[r][0]);
		return false;
	}
	return true;
}

/* Rank 2 does not come. */
static int wait_for_2(struct rank *me)
{
	if (me->number == 2) {
		sleep_ms(50);
		return vn_comm_revoke(me->comm);
	}
	return vn_all_reduce(mem[0][me->number].ptr, mem[1][me->number].ptr, BYTES / 4, VN_FLOAT32,
			     VN_SUM, me->comm, NULL);
}

static int shrink_by_none(struct rank *me)
{
	vn_comm_t next;
	int rank, err = vn_comm_shrink(me->comm, NULL, 0, &next, NULL, VN_SHRINK_ABORT);

	if (err)
		return err;
	if (sum_of(next, 1, &rank) != (float)RANKS || rank != me->number)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	return vn_comm_destroy(next);
}

/* What they do on a communicator that has failed returns its error: not counted. */
static void *quietly(void *arg)
{
	struct rank *me = arg;

	me->err = me->fn(me);
	if (me->err)
		snprintf(me->text, sizeof(me->text), "%s", vn_error());
	return NULL;
}

static bool all_quietly(int (*fn)(struct rank *me), int but)
{
	bool good = true;

	for (int r = 0; r < crew.ranks; r++) {
		crew.rank[r].fn = fn;
		if (r != but && pthread_create(&crew.rank[r].thread, NULL, quietly, &crew.rank[r]))
			NEED(-EAGAIN);
	}
	for (int r = 0; r < crew.ranks; r++) {
		if (r == but)
			continue;
		pthread_join(crew.rank[r].thread, NULL);
		if (crew.rank[r].err)
			tap_diag("rank %d: %d (%s)", r, crew.rank[r].err, crew.rank[r].text);
		good &= !crew.rank[r].err;
	}
	return good;
}

static void test_revoke(void)
{
	wrong = 0;
	crew_make(&crew, dev, RANKS, BY_THREADS, NULL);
	tap_ok(crew_failed(&crew, wait_for_2, -ECANCELED), "revoked: what is under way ends: %s",
	       crew.rank[0].text);
	tap_ok(strstr(crew.rank[0].text, "revoked by rank 2") != NULL, "and says by whom");
	tap_ok(all_quietly(agree, -1) && agreed(0, -1), "all agree that nobody is gone");
	tap_ok(all_quietly(shrink_by_none, -1) && !wrong, "shrunk by nobody it goes on");
	crew_end(&crew);
}

static void test_abort(void)
{
	crew_make(&crew, dev, RANKS, BY_THREADS, NULL);
	NEED(vn_comm_abort(crew.rank[3].comm));
	crew.rank[3].comm = NULL;
	tap_ok(all_quietly(agree, 3) && agreed(1, 3), "who gave up its handle is gone, all agree");
	crew_end(&crew);
}

/* ---- a thread that stops -------------------------------------------------------------------- */

enum act { SMALL, LARGE, RING, ACTS };

static enum act act; /* atomic: who stopped has read it */
static unsigned int step;
static uint64_t patience; /* ns: how long one waits for another */
static bool stopped;
static uint32_t back; /* of the victim's thread: it came back */

static int rounds(vn_comm_t comm, int r)
{
	enum act what = __atomic_load_n(&act, __ATOMIC_RELAXED);
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		if (what == RING) {
			vn_group_start();
			err = vn_send(mem[0][r].ptr, BYTES / 4, VN_FLOAT32, (r + 1) % RANKS, comm,
				      NULL)
				      ?: vn_recv(mem[1][r].ptr, BYTES / 4, VN_FLOAT32,
						 (r + RANKS - 1) % RANKS, comm, NULL);
			err = vn_group_end() ?: err;
		} else {
			err = vn_all_reduce(mem[0][r].ptr, mem[1][r].ptr,
					    what == SMALL ? 16 : BYTES / 4, VN_FLOAT32, VN_SUM,
					    comm, NULL);
		}
		err = err ?: vn_comm_sync(comm, LONG);
	}
	return err;
}

/* It may never come back, and the crew is another one then: it has only its handle. */
static void *victim(void *arg)
{
	rounds(arg, 1);
	__atomic_store_n(&back, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int shrink_and_go_on(struct rank *me)
{
	int r = me->number, rank, err;
	vn_comm_t next;

	err = vn_comm_shrink(me->comm, gone_of[r], ngone_of[r], &next, NULL, VN_SHRINK_ABORT);
	if (err)
		return err;
	if (sum_of(next, 1, &rank) != (float)(RANKS - 1) || rank != r - (r > 1))
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	return vn_comm_destroy(next);
}

/* An error, or what it asked for: then it finds out when they agree. */
static int survive(struct rank *me)
{
	int err = rounds(me->comm, me->number);

	if (err && err != -ETIMEDOUT)
		return err;
	return agree(me);
}

/* Long enough for what takes its time and stops nowhere. */
static void set_patience(void)
{
	uint64_t start, took;

	crew_make(&crew, dev, RANKS, BY_THREADS, NULL);
	start = now_ns();
	wrong += !all_quietly(survive, -1);
	took = now_ns() - start;
	crew_end(&crew);
	patience = took * 3 > SHORT ? took * 3 : SHORT;
}

static void one_step(void)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	pthread_t thread;
	char text[32];

	config.timeout_ns = patience;
	snprintf(text, sizeof(text), "1:%u:hang", step);
	setenv("VNEURON_COLL_STOP", text, 1);
	crew_make(&crew, dev, RANKS, BY_THREADS, &config);
	unsetenv("VNEURON_COLL_STOP");
	back = 0;
	if (pthread_create(&thread, NULL, victim, crew.rank[1].comm))
		NEED(-EAGAIN);
	pthread_detach(thread);
	wrong += !all_quietly(survive, 1);
	stopped = !__atomic_load_n(&back, __ATOMIC_ACQUIRE);
	if (stopped) {
		wrong += !agreed(1, 1);
		wrong += !wrong && !all_quietly(shrink_and_go_on, 1);
	}
	/* The one that stopped keeps its handle for ever. */
	for (int r = 0; r < RANKS; r++)
		if (r != 1)
			vn_comm_abort(crew.rank[r].comm);
}

static void test_stopped(void)
{
	static const char *const name[ACTS] = { "all_reduce of 64 bytes", "all_reduce of 64 KiB",
						"send and recv in a ring" };
	unsigned int stride = full() ? 1 : quick() ? 8 : 5;

	for (enum act what = 0; what < ACTS; what++) {
		unsigned int steps = 0;

		__atomic_store_n(&act, what, __ATOMIC_RELAXED);
		wrong = 0;
		set_patience();
		for (step = 1, stopped = true; stopped && !wrong; step += stride, steps++)
			one_step();
		tap_ok(!wrong && steps > 1,
		       "%s: a thread stops at each of %u steps, the others agree, shrink and go on",
		       name[what], steps - 1);
	}
}

/* ---- what makes no sense ---------------------------------------------------------------- */

static void refused(void)
{
	int gone[RANKS], n, bad[] = { 9 }, me[] = { 0 };
	vn_comm_t c, to;
	vn_unique_id id;

	crew_make(&crew, dev, 3, BY_ONE, NULL);
	c = crew.rank[0].comm;
	tap_ok(vn_comm_agree(NULL, gone, &n) == -EINVAL && vn_comm_agree(c, NULL, &n) == -EINVAL &&
		       vn_comm_revoke(NULL) == -EINVAL,
	       "no communicator, no place: %s", vn_error());
	tap_ok(vn_comm_split(NULL, 0, 0, &to, NULL) == -EINVAL &&
		       vn_comm_split(c, 0, 0, NULL, NULL) == -EINVAL &&
		       vn_comm_split(c, -2, 0, &to, NULL) == -EINVAL,
	       "split: %s", vn_error());
	tap_ok(vn_comm_shrink(c, bad, 1, &to, NULL, 0) == -EINVAL &&
		       strstr(vn_error(), "no rank 9"),
	       "shrink: %s", vn_error());
	tap_ok(vn_comm_shrink(c, me, 1, &to, NULL, 0) == -EINVAL, "shrink: %s", vn_error());
	tap_ok(vn_comm_shrink(c, NULL, 1, &to, NULL, 0) == -EINVAL &&
		       vn_comm_shrink(c, NULL, -1, &to, NULL, 0) == -EINVAL &&
		       vn_comm_shrink(c, NULL, 0, &to, NULL, 8) == -EINVAL,
	       "shrink: %s", vn_error());
	tap_ok(vn_comm_grow(c, 3, NULL, -1, &to, NULL) == -EINVAL &&
		       vn_comm_grow(c, 5, NULL, 2, &to, NULL) == -EINVAL &&
		       vn_comm_grow(NULL, 5, NULL, 4, &to, NULL) == -EINVAL,
	       "grow: %s", vn_error());
	tap_ok(vn_comm_get_unique_id(c, NULL) == -EINVAL &&
		       vn_comm_get_unique_id(NULL, &id) == -EINVAL,
	       "unique id: %s", vn_error());
	crew_end(&crew);
}

/* Of one thread's ranks one is refused: the others do not wait for it. */
static void refused_in_group(void)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	int err[3], end, async = -1;

	config.timeout_ns = SHORT;
	crew_make(&crew, dev, 3, BY_ONE, &config);
	vn_group_start();
	for (int r = 0; r < 3; r++)
		err[r] = vn_comm_split(crew.rank[r].comm, r == 1 ? -2 : 0, 0, &child[r], NULL);
	vn_comm_revoke(NULL); /* which has another text */
	end = vn_group_end();
	vn_comm_get_async_error(crew.rank[0].comm, &async);
	tap_ok(!err[0] && err[1] == -EINVAL && !err[2] && end == -EINVAL && !async && !child[0] &&
		       !child[2] && strstr(vn_error(), "color -2"),
	       "one rank of a group is refused, none splits: %s", vn_error());
	crew_end(&crew);
}

int main(void)
{
	dev = device();
	for (int r = 0; r < RANKS; r++)
		for (int side = 0; side < 2; side++)
			mem[side][r] = take(dev, (uint32_t)r, BYTES);
	test_split();
	test_shrink();
	test_grow();
	test_revoke();
	test_abort();
	refused();
	refused_in_group();
	test_stopped();
	/* Threads that stopped are in it: it goes with the process. */
	return tap_done();
}
