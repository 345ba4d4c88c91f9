// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is lost is lost for those who need it, with an error that names it, and for nobody
 * else: chips and their HBM, sleds, links. Communicators fail, agree and go on without; no
 * result is wrong. What was lost comes back empty.
 */
#include <pthread.h>

#include <vneuron/accel.h>

#include "crew.h"
#include "faults.h"

#define RANKS 6

/* ---- a chip ------------------------------------------------------------------------- */

static void *wait_there(void *arg)
{
	struct vn_mem *m = arg;
	vn_queue_t q = queue(dev, m->chip + 1, 8);
	struct vn_desc d = { .opcode = VN_OP_SEM_WAIT,
			     .sem = { .at = at(m, window(m)), .value = 1 } };
	int *status = malloc(sizeof(*status));

	*status = run(q, &d, NULL);
	vn_queue_destroy(q);
	return status;
}

static void test_chip(void)
{
	uint32_t lost = 1, other = 2 * per_sled, key[2];
	struct vn_mem m = take(dev, lost, BYTES), own = take(dev, other, BYTES), again;
	vn_queue_t there = queue(dev, lost, 8), here = queue(dev, other, 8);
	uint64_t before = used(lost);
	struct vn_fault f[4];
	pthread_t waiter;
	void *status;

	memset(own.ptr, 0x32, BYTES);
	key[0] = window(&m);
	key[1] = window(&own);
	pthread_create(&waiter, NULL, wait_there, &m);
	sleep_ms(30);
	NEED(make(VN_FAULT_CHIP_LOSS, lost, 0));
	pthread_join(waiter, &status);
	tap_ok(*(int *)status == VN_CHIP_LOST, "who waits for its memory waits no longer: %s",
	       vn_status_text((uint32_t) * (int *)status));
	free(status);
	tap_ok(vn_chip_lost(dev, lost) && !vn_chip_lost(dev, other), "the chip is lost");
	tap_ok(faults() == 1 && vn_fault_list(dev, f, 4) == 1 && f[0].kind == VN_FAULT_CHIP_LOSS &&
		       f[0].where == lost,
	       "and listed");
	tap_ok(run_copy(here, at(&own, 0), at(&m, key[0]), BYTES) == VN_CHIP_LOST &&
		       run_copy(here, at(&m, key[0]), at(&own, 0), BYTES) == VN_CHIP_LOST &&
		       run_fill(here, at(&m, key[0]), BYTES, 1, 8) == VN_CHIP_LOST,
	       "copies from there and to there end");
	tap_ok(run_copy(there, at(&own, key[1]), at(&own, key[1]), 8) == VN_CHIP_LOST &&
		       run(there, &(const struct vn_desc){ .opcode = VN_OP_NOP }, NULL) ==
			       VN_CHIP_LOST,
	       "what it was to do does not happen");
	tap_ok(!run_fill(here, at(&own, 0), BYTES, 0x3333333333333333, 8) &&
		       *(uint64_t *)own.ptr == 0x3333333333333333,
	       "another chip goes on");
	tap_ok(all_ones(&m), "who has its memory mapped reads all ones");
	memset(m.ptr, 0, 64);
	tap_ok(vn_mem_alloc(dev, lost, BYTES, &again) == -EHOSTDOWN && strstr(vn_error(), "lost"),
	       "no memory there: %s", vn_error());
	{
		vn_queue_t q;

		tap_ok(vn_queue_create(dev, lost, 8, -1, &q) == -EHOSTDOWN, "no queue: %s",
		       vn_error());
	}
	tap_ok(used(lost) == before, "what is taken is taken");
	NEED(make(VN_FAULT_CHIP_LOSS, lost, 0));
	tap_ok(faults() == 1, "lost twice is lost");

	NEED(clear(VN_FAULT_CHIP_LOSS, lost));
	tap_ok(!vn_chip_lost(dev, lost) && !faults(), "cleared, it is there again");
	again = take(dev, lost, BYTES);
	tap_ok(!run_copy(there, at(&again, 0), at(&own, key[1]), BYTES) &&
		       !memcmp(again.ptr, own.ptr, BYTES),
	       "its queue works, and new memory");
	tap_ok(run_copy(here, at(&own, 0), at(&m, key[0]), BYTES) == VN_CHIP_LOST,
	       "old memory stays lost");
	NEED(vn_window_invalidate(dev, lost, key[0]));
	NEED(vn_window_invalidate(dev, other, key[1]));
	vn_queue_destroy(there);
	vn_queue_destroy(here);
	NEED(vn_mem_free(dev, &again));
	NEED(vn_mem_free(dev, &own));
}

/* ---- a link -------------------------------------------------------------------------- */

static void test_link(void)
{
	uint32_t far = 2 * per_sled;
	struct vn_mem a = take(dev, 0, BYTES), b = take(dev, 1, BYTES), c = take(dev, far, BYTES);
	vn_queue_t q = queue(dev, 0, 8), r = queue(dev, far, 8);
	uint32_t key[2] = { window(&b), window(&c) };

	memset(a.ptr, 0x41, BYTES);
	memset(c.ptr, 0x43, BYTES);
	NEED(make(VN_FAULT_LINK_CUT, sled_of(0), 0));
	tap_ok(vn_link_cut(dev, sled_of(0)) && !vn_link_cut(dev, sled_of(far)), "a link is cut");
	tap_ok(run_copy(q, at(&c, key[1]), at(&a, 0), BYTES) == VN_LINK_DOWN &&
		       *(uint8_t *)c.ptr == 0x43 &&
		       run_copy(r, at(&c, 0), at(&b, key[0]), BYTES) == VN_LINK_DOWN,
	       "no copy goes through the switch");
	tap_ok(!run_copy(q, at(&b, key[0]), at(&a, 0), BYTES) && !memcmp(a.ptr, b.ptr, BYTES),
	       "inside the sled they do");
	NEED(clear(VN_FAULT_LINK_CUT, sled_of(0)));
	tap_ok(!run_copy(q, at(&c, key[1]), at(&a, 0), BYTES) && !memcmp(a.ptr, c.ptr, BYTES),
	       "mended, all do, and nothing is lost");
	vn_queue_destroy(q);
	vn_queue_destroy(r);
	NEED(vn_window_invalidate(dev, 1, key[0]));
	NEED(vn_window_invalidate(dev, far, key[1]));
	NEED(vn_mem_free(dev, &a));
	NEED(vn_mem_free(dev, &b));
	NEED(vn_mem_free(dev, &c));
}

/* ---- a sled -------------------------------------------------------------------------- */

static void test_sled(void)
{
	uint32_t sled = sled_of(0);
	struct vn_mem m = take(dev, 0, BYTES);
	struct vn_drain_report r;
	struct vn_sled_query q;
	vn_queue_t on;

	NEED(make(VN_FAULT_SLED_LOSS, sled, 0));
	NEED(vn_sled_query(dev, sled, &q));
	tap_ok(q.state == VN_SLED_FAULTED && q.chips == per_sled &&
		       !strcmp((char *)q.reason, "lost"),
	       "a sled that is lost is FAULTED, with its chips: %s", (char *)q.reason);
	tap_ok(vn_chip_lost(dev, 0) && vn_chip_lost(dev, 1) && all_ones(&m), "which are lost");
	tap_ok(vn_sled_drain(dev, sled, NULL, NULL) == -EINVAL && strstr(vn_error(), "faulted"),
	       "it can't be drained any more: %s", vn_error());
	tap_ok(vn_sled_undrain(dev, sled, NULL, &r) == -EIO && r.last.fault == VN_FAULT_MEMORY &&
		       state(sled) == VN_SLED_FAULTED,
	       "it does not pass: %s", vn_error());
	NEED(clear(VN_FAULT_SLED_LOSS, sled));
	tap_ok(state(sled) == VN_SLED_FAULTED && vn_chip_lost(dev, 0),
	       "cleared, it still is out of service");
	NEED(make(VN_FAULT_LINK_CUT, sled, 0));
	tap_ok(vn_sled_undrain(dev, sled, NULL, &r) == -EIO && r.last.fault == VN_FAULT_LINK,
	       "with its links cut it does not pass: %s", vn_error());
	NEED(clear(VN_FAULT_LINK_CUT, sled));
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	tap_ok(state(sled) == VN_SLED_IN_SERVICE && !vn_chip_lost(dev, 0) && !vn_chip_lost(dev, 1),
	       "validated, it is in service, and its chips are");
	NEED(vn_mem_free(dev, &m));
	m = take(dev, 0, BYTES);
	on = queue(dev, 0, 8);
	tap_ok(!run_fill(on, at(&m, 0), BYTES, 7, 8) && *(uint64_t *)m.ptr == 7, "and work");
	vn_queue_destroy(on);
	NEED(vn_mem_free(dev, &m));
}

/* ---- communicators --------------------------------------------------------------------- */

static struct crew crew;
static struct vn_mem in[RANKS], out[RANKS];
static uint32_t victim;
static unsigned int wrong, done;
static int gone_of[RANKS][RANKS], ngone_of[RANKS], agree_err[RANKS];
static char said[RANKS][512];

static bool sums_are(const struct vn_mem *m, uint64_t n, int32_t want)
{
	const int32_t *p = m->ptr;

	for (uint64_t i = 0; i < n; i++)
		if (p[i] != want)
			return false;
	return true;
}

/* Sums, until there is an error; each that is there is right. */
static int sum_on(struct rank *me)
{
	int r = me->number, err = 0;
	uint64_t n = BYTES / 4;
	int32_t *mine = in[r].ptr;

	for (int32_t round = 1; !err; round++) {
		vn_mem_begin(dev, mine, BYTES);
		for (uint64_t i = 0; i < n; i++)
			mine[i] = round * (r + 1);
		vn_mem_end(dev);
		err = vn_all_reduce(mine, out[r].ptr, n, VN_INT32, VN_SUM, me->comm, NULL)
			      ?: vn_comm_sync(me->comm, LONG);
		if (err)
			break;
		__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
		/* What was right may have been lost since. */
		if (!sums_are(&out[r], n, round * RANKS * (RANKS + 1) / 2) &&
		    !vn_chip_lost(dev, (uint32_t)r))
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	}
	snprintf(said[r], sizeof(said[r]), "%s", vn_error());
	return err;
}

static void *strike(void *arg)
{
	const struct vn_fault *f = arg;

	while (__atomic_load_n(&done, __ATOMIC_RELAXED) < 20 * RANKS)
		sleep_ms(1);
	NEED(vn_fault_inject(dev, f));
	return NULL;
}

static int agree(struct rank *me)
{
	int r = me->number;

	agree_err[r] = vn_comm_agree(me->comm, gone_of[r], &ngone_of[r]);
	return 0;
}

/* The others, who have all agreed on one rank, go on. */
static int go_on(struct rank *me)
{
	int32_t mine = me->number + 1, sum = 0, want = RANKS * (RANKS + 1) / 2 - (int)victim - 1;
	vn_comm_t next, old = me->comm;
	int r = me->number, err;

	/* The old one has failed for all. */
	me->comm = NULL;
	if ((uint32_t)r == victim)
		return vn_comm_abort(old);
	err = vn_comm_shrink(old, gone_of[r], ngone_of[r], &next, NULL, VN_SHRINK_ABORT);
	vn_comm_abort(old);
	if (err)
		return err;
	err = vn_all_reduce(&mine, &sum, 1, VN_INT32, VN_SUM, next, NULL)
		      ?: vn_comm_sync(next, LONG);
	if (!err && sum != want)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	vn_comm_destroy(next);
	return err;
}

/* fn on all ranks, which may fail: how many did so with that error. */
static unsigned int failing(int (*fn)(struct rank *me), int err)
{
	unsigned int n = 0;

	crew_run(&crew, fn);
	for (int r = 0; r < RANKS; r++)
		n += crew.rank[r].err == err;
	return n;
}

static void make_crew(enum vn_way way)
{
	struct vn_config c = VN_CONFIG_INITIALIZER;

	c.timeout_ns = LONG;
	c.way = way;
	crew_make(&crew, dev, RANKS, BY_THREADS, &c);
	for (uint32_t r = 0; r < RANKS; r++) {
		in[r] = take(dev, r, BYTES);
		out[r] = take(dev, r, BYTES);
	}
	wrong = done = 0;
}

static void end_crew(void)
{
	for (uint32_t r = 0; r < RANKS; r++) {
		if (crew.rank[r].comm)
			vn_comm_abort(crew.rank[r].comm);
		NEED(vn_mem_free(dev, &in[r]));
		NEED(vn_mem_free(dev, &out[r]));
	}
}

static void test_ranks(enum vn_way way)
{
	struct vn_fault f = { .kind = VN_FAULT_CHIP_LOSS };
	unsigned int n = 0;
	pthread_t by;
	char want[40];

	victim = RANKS - 2;
	f.where = victim;
	make_crew(way);
	pthread_create(&by, NULL, strike, &f);
	n = failing(sum_on, -EHOSTDOWN);
	pthread_join(by, NULL);
	tap_ok(n == RANKS, "%s: all of %d ranks end with an error: %s", vn_way_name(way), RANKS,
	       said[0]);
	snprintf(want, sizeof(want), "rank %u: its chip %u was lost", victim, victim);
	for (int r = n = 0; r < RANKS; r++)
		n += strstr(said[r], want) != NULL;
	tap_ok(n == RANKS, "which names the chip, on every rank");
	tap_ok(!wrong, "%u sums before that, %u wrong", done, wrong);
	crew_run(&crew, agree);
	for (int r = n = 0; r < RANKS; r++)
		n += (uint32_t)r == victim
			     ? agree_err[r] == -ESTALE
			     : !agree_err[r] && ngone_of[r] == 1 && gone_of[r][0] == (int)victim;
	tap_ok(n == RANKS, "they agree who is gone, and so is that one told");
	tap_ok(!crew_run(&crew, go_on) && !wrong, "and go on without it");
	end_crew();
	tap_ok(vn_comm_init_all(&(vn_comm_t){ NULL }, 1, &(int){ (int)victim }) == -EHOSTDOWN,
	       "no new communicator with that chip: %s", vn_error());
	NEED(clear(VN_FAULT_CHIP_LOSS, victim));
}

/* ---- joining with a chip that is lost --------------------------------------------------- */

static vn_unique_id joining;

static void *join_one(void *arg)
{
	uint32_t r = *(uint32_t *)arg;
	struct vn_config c = VN_CONFIG_INITIALIZER;

	c.dev = dev;
	c.timeout_ns = LONG;
	agree_err[r] = vn_comm_init_rank_config(&(vn_comm_t){ NULL }, RANKS, joining, (int)r, &c);
	snprintf(said[r], sizeof(said[r]), "%s", vn_error());
	return NULL;
}

/* It comes to nothing for all ranks, those before and those after it, and they know why. */
static void test_join_lost(uint32_t chip, bool first)
{
	const struct vn_fault f = { .kind = VN_FAULT_CHIP_LOSS, .where = chip };
	uint64_t began = now_ns();
	pthread_t thread[RANKS];
	uint32_t rank[RANKS];
	char want[40];
	int n = 0;

	NEED(vn_fault_inject(dev, &f) ?: vn_get_unique_id(&joining));
	for (uint32_t i = 0; i < RANKS; i++) {
		rank[i] = first ? (chip + i) % RANKS : (chip + 1 + i) % RANKS;
		pthread_create(&thread[i], NULL, join_one, &rank[i]);
		sleep_ms(5);
	}
	for (uint32_t i = 0; i < RANKS; i++)
		pthread_join(thread[i], NULL);
	snprintf(want, sizeof(want), "rank %u: its chip %u is lost", chip, chip);
	for (uint32_t i = 0; i < RANKS; i++)
		n += agree_err[i] == -EHOSTDOWN && !strcmp(said[i], want);
	tap_ok(n == RANKS && now_ns() - began < LONG,
	       "a rank with a lost chip comes %s: %d of %d ranks are told: %s",
	       first ? "first" : "last", n, RANKS, said[0]);
	NEED(clear(VN_FAULT_CHIP_LOSS, chip));
}

static void test_ranks_cut(void)
{
	struct vn_fault f = { VN_FAULT_LINK_CUT, sled_of(0), 0, 0 };
	unsigned int n;
	pthread_t by;

	make_crew(VN_WAY_AUTO);
	pthread_create(&by, NULL, strike, &f);
	n = failing(sum_on, -ENETUNREACH);
	pthread_join(by, NULL);
	tap_ok(n == RANKS && !wrong && strstr(said[1], "the links of sled"),
	       "a link is cut: %u sums, %u wrong, then: %s", done, wrong, said[1]);
	end_crew();
	NEED(clear(VN_FAULT_ANY, 0));
	victim = RANKS;
	make_crew(VN_WAY_AUTO);
	for (int r = 0; r < RANKS; r++)
		ngone_of[r] = 0;
	tap_ok(!crew_do(&crew, agree) && !ngone_of[0], "mended, a new communicator works");
	end_crew();
}

/* ---- memory that is lost, where no descriptor looks ---------------------------------------- */

static int sum_once(struct rank *me)
{
	return vn_all_reduce(in[me->number].ptr, out[me->number].ptr, BYTES / 4, VN_INT32, VN_SUM,
			     me->comm, NULL)
		       ?: vn_comm_sync(me->comm, LONG);
}

/* Buffers of a rank are on a chip that is no rank's. */
static void test_foreign(enum vn_way way)
{
	uint32_t far = RANKS;
	unsigned int n;

	make_crew(way);
	NEED(vn_mem_free(dev, &in[1]));
	in[1] = take(dev, far, BYTES);
	n = failing(sum_once, 0);
	NEED(make(VN_FAULT_CHIP_LOSS, far, 0));
	tap_ok(n == RANKS && failing(sum_once, -EHOSTDOWN) == RANKS,
	       "%s: a rank's buffer is on a chip that is lost: %s", vn_way_name(way),
	       crew.rank[0].text);
	for (uint32_t r = 0; r < RANKS; r++) {
		vn_comm_abort(crew.rank[r].comm);
		crew.rank[r].comm = NULL;
	}
	/* A new one has nothing to do with that, but with what was there before. */
	NEED(clear(VN_FAULT_ANY, 0));
	{
		struct vn_config c = VN_CONFIG_INITIALIZER;

		c.timeout_ns = LONG;
		c.way = way;
		crew_make(&crew, dev, RANKS, BY_THREADS, &c);
	}
	tap_ok(failing(sum_once, -EHOSTDOWN) == RANKS, "%s: or was, since that was allocated: %s",
	       vn_way_name(way), crew.rank[1].text);
	end_crew();
}

static void test_silent(void)
{
	struct vn_mem m = take(dev, 1, BYTES), own = take(dev, 2 * per_sled, BYTES);
	vn_queue_t q = queue(dev, 2 * per_sled, 8);

	memset(m.ptr, 0, BYTES);
	NEED(vn_accel_use(dev));
	tap_ok(!vn_memcpy(own.ptr, m.ptr, BYTES, VN_MEMCPY_DEFAULT) &&
		       vn_sem_wait(q, m.ptr, 5, 1000000) == -ETIMEDOUT,
	       "while it is there");
	NEED(make(VN_FAULT_CHIP_LOSS, 1, 0));
	tap_ok(vn_sem_wait(q, m.ptr, 5, LONG) == -EHOSTDOWN, "a semaphore that is lost: %s",
	       vn_error());
	tap_ok(vn_memcpy(own.ptr, m.ptr, BYTES, VN_MEMCPY_DEFAULT) == -EHOSTDOWN &&
		       vn_memcpy(m.ptr, own.ptr, 8, VN_MEMCPY_DEFAULT) == -EHOSTDOWN &&
		       vn_memset(m.ptr, 1, 8) == -EHOSTDOWN,
	       "a copy from there, and to there: %s", vn_error());
	NEED(clear(VN_FAULT_ANY, 0));
	tap_ok(vn_memcpy(own.ptr, m.ptr, BYTES, VN_MEMCPY_DEFAULT) == -EHOSTDOWN,
	       "what was there before stays lost");
	NEED(vn_mem_free(dev, &m));
	m = take(dev, 1, BYTES);
	tap_ok(!vn_memcpy(m.ptr, own.ptr, BYTES, VN_MEMCPY_DEFAULT), "what is new is not");
	vn_queue_destroy(q);
	NEED(vn_mem_free(dev, &m));
	NEED(vn_mem_free(dev, &own));
}

/* ---- what makes no sense ------------------------------------------------------------------- */

static void test_refused(void)
{
	uint32_t sleds = (uint32_t)vn_sled_count(dev);

	tap_ok(make(VN_FAULT_SLED_LOSS, sleds, 0) == -ENODEV && strstr(vn_error(), "no sled"), "%s",
	       vn_error());
	tap_ok(make(VN_FAULT_CHIP_LOSS, 4096, 0) == -ENODEV && strstr(vn_error(), "no chip"), "%s",
	       vn_error());
	tap_ok(make(VN_FAULT_ANY, 0, 0) == -EINVAL && make(77, 0, 0) == -EINVAL, "%s", vn_error());
	tap_ok(make(VN_FAULT_ALLOC_FAIL, 0, 0) == -EINVAL &&
		       make(VN_FAULT_COPY_CORRUPT, 3, 1) == -EINVAL &&
		       make(VN_FAULT_LINK_CUT, 0, 2) == -EINVAL,
	       "%s", vn_error());
	tap_ok(clear(VN_FAULT_LINK_CUT, 0) == -ENOENT && strstr(vn_error(), "sled 0"), "%s",
	       vn_error());
	tap_ok(clear(VN_FAULT_ALLOC_FAIL, 0) == -ENOENT, "%s", vn_error());
	tap_ok(clear(VN_FAULT_CHIP_LOSS, 4096) == -ENODEV, "%s", vn_error());
	tap_ok(!clear(VN_FAULT_ANY, 0) && !faults(), "all of nothing can be cleared");
	tap_ok(!vn_chip_lost(dev, 0) && !vn_chip_lost(dev, 4096) && !vn_link_cut(dev, sleds),
	       "nothing is lost");
	tap_ok(!strcmp(vn_fault_name(VN_FAULT_LINK_CUT), "link_cut") && !vn_fault_name(99),
	       "faults have names");
}

int main(void)
{
	open_machine();
	test_refused();
	test_chip();
	test_link();
	test_sled();
	test_ranks(VN_WAY_PULL);
	test_ranks(VN_WAY_SHARE);
	test_ranks(VN_WAY_PLAN);
	test_join_lost(1, true);
	test_join_lost(1, false);
	test_join_lost(0, true);
	test_join_lost(0, false);
	test_ranks_cut();
	test_foreign(VN_WAY_PULL);
	test_foreign(VN_WAY_SHARE);
	test_foreign(VN_WAY_PLAN);
	test_silent();
	tap_ok(!faults(), "no fault is left");
	vn_close(dev);
	return tap_done();
}
