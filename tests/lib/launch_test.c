// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What launches of persistent operations cost over all chips: a call of the device at
 * most, no memory, however many there are. Buffers that are freed under one, and are
 * something else then, do no harm. Ranks that prepare or launch different operations
 * are named, and so is who does not come. By threads and by one thread.
 */
#include <malloc.h>
#include <sys/mman.h>

#include "prepared.h"

#define ROOM (32u << 10) /* small enough to be put anywhere: vn_place() */

static vn_device_t dev;
static struct prepared first, second;

/* ---- cost ---------------------------------------------------------------------------- */

static uint64_t hbm_used(void)
{
	struct vn_chip_query q;
	uint64_t used = 0;

	for (int r = 0; r < crew.ranks; r++) {
		NEED(vn_chip_query(dev, (uint32_t)r, &q));
		used += q.hbm_used;
	}
	return used;
}

static int launch_all(void)
{
	int err = vn_group_start();

	for (int r = 0; r < crew.ranks && !err; r++)
		err = rank_launch(&crew.rank[r]);
	err = vn_group_end() ?: err;
	for (int r = 0; r < crew.ranks && !err; r++)
		err = vn_comm_sync(crew.rank[r].comm, LONG);
	return err;
}

/* One that takes that long may need a second call. */
#define SLOW_NS (10 * SECOND / 1000)

static void test_calls(enum vn_coll op)
{
	unsigned int times = quick() ? 20 : 200, cheap = 0, slow = 0;
	struct shape s = { .op = op,
			   .way = VN_WAY_PLAN,
			   .ranks = crew.ranks,
			   .es = 4,
			   .longest = 40,
			   .lay = SHUFFLED };
	unsigned int wrong = prepare(&first, &s);
	struct vn_comm_stats before = stats();
	int err = 0;

	for (unsigned int i = 0; i < times && !err && !wrong; i++) {
		uint64_t calls = vn_device_calls(dev), since = now_ns();

		err = launch_all();
		if (vn_device_calls(dev) - calls <= 1)
			cheap++;
		else
			slow += now_ns() - since > SLOW_NS;
	}
	wrong += stats().launches - before.launches != times;
	tap_ok(!err && !wrong && cheap + slow >= times - times / 10,
	       "%s over %d chips, %u launches: %u with a call at most, %u were slow",
	       vn_coll_name(op), crew.ranks, times, cheap, slow);
	tap_ok(!do_once(&first, rank_launch) && !forget(&first), "and they do what they should");
}

/* More operands than a descriptor has: it goes another way. */
static void test_many_factors(void)
{
	struct shape s = { .op = VN_ALL_REDUCE,
			   .way = VN_WAY_PLAN,
			   .ranks = crew.ranks,
			   .es = 4,
			   .longest = 100 };
	unsigned int wrong = 0;

	do
		wrong += prepare(&first, &s) || do_once(&first, rank_launch) || forget(&first);
	while (first.call.redop != VN_PREMULSUM);
	tap_ok(!wrong, "a factor for each of %d chips", crew.ranks);
}

static void test_memory(void)
{
	unsigned int times = quick() ? 50 : 1000, wrong;
	struct shape s = { .op = VN_ALL_GATHERV,
			   .way = VN_WAY_PLAN,
			   .ranks = crew.ranks,
			   .es = 4,
			   .longest = 3,
			   .lay = GAPS };
	uint64_t hbm, heap, plans;
	int err = 0;

	wrong = prepare(&first, &s);
	for (int i = 0; i < 3; i++)
		err = err ?: launch_all();
	hbm = hbm_used();
	heap = mallinfo2().uordblks;
	for (unsigned int i = 0; i < times && !err; i++)
		err = launch_all();
	tap_ok(!err && !wrong && mallinfo2().uordblks == heap && hbm_used() == hbm,
	       "%u launches over %d chips leave memory as it was: %lld bytes of heap, %lld of HBM",
	       times, crew.ranks, (long long)(mallinfo2().uordblks - heap),
	       (long long)(hbm_used() - hbm));
	wrong += forget(&first);
	/* What a plan takes comes back with it. */
	plans = stats().plans;
	for (int i = 0; i < 3; i++)
		wrong += prepare(&first, &s) || launch_all() || forget(&first);
	tap_ok(!wrong && hbm_used() == hbm && stats().plans == plans,
	       "nor do those that were forgotten: %llu plans", (unsigned long long)stats().plans);
}

static void test_all_chips(void)
{
	struct vn_query q;

	NEED(vn_device_query(dev, &q));
	crew_make(&crew, dev, (int)q.chips, BY_ONE, NULL);
	test_calls(VN_ALL_REDUCE);
	test_calls(VN_ALL_GATHERV);
	test_many_factors();
	test_memory();
	crew_end(&crew);
}

/* ---- buffers that were freed ------------------------------------------------------------- */

/* Where rank 1 receives there is other memory of the process at once. */
static void test_host_instead(enum driven by)
{
	struct vn_mem *m = &world.hbm[1][1];
	unsigned int wrong = 0;
	uint64_t launches;
	char *at = m->ptr;
	void *got;

	wrong += do_once(&first, rank_launch) != 0;
	launches = stats().launches;
	NEED(vn_mem_free(dev, m));
	got = mmap(at, ROOM, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (got != at) {
		tap_diag("the place of HBM that was freed is taken");
		if (got != MAP_FAILED)
			munmap(got, ROOM);
		*m = take(dev, 1, ROOM);
		return;
	}
	m->ptr = got;
	for (int i = 0; i < 3; i++)
		wrong += do_once(&first, rank_launch) != 0;
	tap_ok(!wrong && stats().launches == launches, "other memory in the place of HBM, %s",
	       driven_text(by));
	munmap(got, ROOM);
	*m = take(dev, 1, ROOM);
	wrong = m->ptr == at && do_once(&first, rank_launch);
	tap_ok(!wrong, "and HBM again, %s", driven_text(by));
}

/* HBM of this chip or another takes the place of that which rank 1 sends from. */
static void test_hbm_instead(enum driven by)
{
	struct vn_mem *m = &world.hbm[0][1];
	unsigned int wrong = 0, same = 0;

	for (uint32_t chip = 0; chip < 6 && !wrong; chip++) {
		char *at = m->ptr;

		NEED(vn_mem_free(dev, m));
		*m = take(dev, chip % 4, ROOM);
		if (m->ptr == at)
			wrong += do_once(&first, rank_launch) != 0;
		else
			wrong += forget(&first) || prepare(&first, &first.call.s);
		same += m->ptr == at;
	}
	tap_ok(!wrong && same, "HBM in the place of HBM, %u times at the same pointer, %s", same,
	       driven_text(by));
}

static void test_freed(enum driven by)
{
	struct shape s = {
		.op = VN_ALL_REDUCE, .way = VN_WAY_PLAN, .ranks = 3, .es = 4, .longest = 2000
	};

	crew_make(&crew, dev, 3, by, NULL);
	NEED(-(int)prepare(&first, &s));
	test_host_instead(by);
	test_hbm_instead(by);
	crew_end(&crew);
}

/* ---- disagreements --------------------------------------------------------------------------- */

static int init_other_count(struct rank *me)
{
	struct vn_op op = call_record(&now->call, me->number);

	op.count -= me->number == 1;
	return vn_op_init(&op, me->comm, &now->handle[me->number]);
}

static int init_other_block(struct rank *me)
{
	if (me->number == 1)
		now->call.rcounts[1][2] = now->call.rcounts[1][2] ? 0 : 1;
	return rank_init(me);
}

static int init_or_not(struct rank *me)
{
	return me->number == 1 ? vn_all_reduce(call_send(&now->call, 1), call_recv(&now->call, 1),
					       now->call.count[1], now->call.type, now->call.redop,
					       me->comm, NULL)
			       : rank_init(me);
}

static int launch_other(struct rank *me)
{
	struct prepared *p = me->number == 1 ? &second : &first;

	return vn_op_launch(p->handle[me->number], NULL, NULL);
}

static int launch_or_call(struct rank *me)
{
	return me->number == 1 ? rank_call(me) : rank_launch(me);
}

/* One that every type has, and of some length. */
static void plain_sum(struct prepared *p, const struct shape *s)
{
	now = p;
	do
		call_make(&p->call, s);
	while (p->call.redop == VN_PREMULSUM);
}

/* All ranks fail, and are told who called what; nothing is written. */
static void test_one_disagreement(const char *what, int (*fn)(struct rank *me), enum vn_coll op,
				  enum driven by, const char *names)
{
	struct shape s = { .op = op, .ranks = 3, .es = 4, .longest = 100, .lay = GAPS };
	const char *text = crew.rank[2].text;
	bool all;

	crew_make(&crew, dev, 3, by, NULL);
	if (fn == launch_other || fn == launch_or_call) {
		plain_sum(&second, &s);
		NEED(-(int)crew_do(&crew, rank_init));
		plain_sum(&first, &s);
		NEED(-(int)crew_do(&crew, rank_init));
	} else {
		plain_sum(&first, &s);
	}
	all = crew_failed(&crew, fn, -EINVAL);
	tap_ok(all && strstr(text, "rank 1") && strstr(text, names), "%s, %s: %s", what,
	       driven_text(by), text);
	tap_ok(!call_wrong(&first.call), "and nothing is written");
	/* What is left goes with the communicator; or before. */
	if (fn == launch_other) {
		vn_group_start();
		rank_launch(&crew.rank[0]);
		tap_ok(vn_group_end() == -EINVAL && rank_free(&crew.rank[0]) == -EINVAL,
		       "no more launches, and the handle goes");
	}
	crew_end(&crew);
}

static void test_disagreements(enum driven by)
{
	test_one_disagreement("another count", init_other_count, VN_ALL_REDUCE, by,
			      "init of all_reduce(count");
	test_one_disagreement("another block", init_other_block, VN_ALL_GATHERV, by, "rank 2");
	test_one_disagreement("one does not prepare it", init_or_not, VN_ALL_REDUCE, by,
			      "calls init of all_reduce");
	test_one_disagreement("another handle", launch_other, VN_ALL_REDUCE, by, "persistent 1)");
	test_one_disagreement("one launches nothing", launch_or_call, VN_ALL_REDUCE, by,
			      "persistent 2)");
}

static int init_but_one(struct rank *me)
{
	return me->number == 1 ? 0 : rank_init(me);
}

static void test_missing(enum driven by)
{
	struct shape s = { .op = VN_ALL_REDUCE, .ranks = 3, .es = 4, .longest = 100 };
	struct vn_config config = VN_CONFIG_INITIALIZER;

	config.timeout_ns = SECOND / 4;
	crew_make(&crew, dev, 3, by, &config);
	plain_sum(&first, &s);
	crew_run(&crew, init_but_one);
	tap_ok(crew.rank[0].err == -ETIMEDOUT &&
		       strstr(crew.rank[0].text, "not arrived: rank 1 (has posted 0)"),
	       "one does not come, %s: %s", driven_text(by), crew.rank[0].text);
	crew_end(&crew);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void refuse(const char *what, int err, const char *names)
{
	tap_ok(err == -EINVAL && strstr(vn_error(), names), "%s: %s", what, vn_error());
}

static void test_refused(void)
{
	struct shape s = { .op = VN_ALL_REDUCE, .ranks = 2, .es = 4, .longest = 100 };
	struct vn_op op;
	vn_persistent_t p = NULL;
	vn_comm_t c;
	enum vn_way way;

	crew_make(&crew, dev, 2, BY_ONE, NULL);
	plain_sum(&first, &s);
	c = crew.rank[0].comm;
	op = call_record(&first.call, 0);
	refuse("no record", vn_op_init(NULL, c, &p), "no record");
	refuse("no communicator", vn_op_init(&op, NULL, &p), "no communicator");
	refuse("nowhere to put it", vn_op_init(&op, c, NULL), "handle");
	op.type = VN_TYPE_COUNT;
	refuse("no such type", vn_op_init(&op, c, &p), "unknown type");
	op = call_record(&first.call, 0);
	op.sendbuff = NULL;
	refuse("no buffer", vn_op_init(&op, c, &p), "no buffer to send");
	op.op = VN_SEND;
	refuse("a message", vn_op_init(&op, c, &p), "send can't be persistent");
	op.op = VN_COLL_OPS;
	refuse("no operation", vn_op_init(&op, c, &p), "can't be persistent");
	op.op = VN_ALL_GATHERV;
	op.sendbuff = op.recvbuff;
	op.recvcounts = NULL;
	refuse("no counts", vn_op_init(&op, c, &p), "recvcounts");
	refuse("no handle", vn_op_launch(NULL, NULL, NULL), "no persistent");
	refuse("no handle", vn_op_way(NULL, &way), "no");
	refuse("no handle", vn_op_free(NULL), "no persistent");
	tap_ok(!p && !crew_do(&crew, rank_init) && !do_once(&first, rank_launch),
	       "and after all that it works");
	refuse("no place for it", vn_op_way(first.handle[0], NULL), "place");
	crew_end(&crew);
}

int main(void)
{
	struct vn_query q;

	pick_seed();
	dev = device();
	NEED(vn_device_query(dev, &q));
	arenas_begin(dev, (int)q.chips, ROOM);
	test_all_chips();
	for (int by = 0; by < DRIVEN; by++) {
		test_freed((enum driven)by);
		test_disagreements((enum driven)by);
		test_missing((enum driven)by);
	}
	test_refused();
	arenas_end();
	vn_close(dev);
	return tap_done();
}
