// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Persistent operations: every collective, by every way, prepared once and launched
 * again and again with other data, gives what the oracle says, and what is forced to be
 * a plan is one. They live beside each other and beside plain operations, go in groups
 * and on queues, and are forgotten in any order. Factors of a pre-multiplied sum are
 * those of each launch. By threads and by one thread; $VN_SEED repeats a run.
 */
#include "prepared.h"

#define ROOM (1u << 20)

static vn_device_t dev;
static struct prepared first, second;

/* ---- every operation, every way ---------------------------------------------------------- */

/* What goes along a chain of buffers is no plan. */
static bool chains(const struct call *c)
{
	return (general(c->s.op) == VN_ALL_TO_ALLV || c->s.op == VN_PERMUTE) &&
	       c->s.place != OUT_OF_PLACE;
}

static bool moves_something(const struct call *c)
{
	size_t most = 0;
	int receive = 0;

	for (int i = 0; i < c->s.ranks; i++) {
		for (int j = 0; j < c->s.ranks; j++)
			most = c->len[i][j] > most ? c->len[i][j] : most;
		receive += c->s.op == VN_PERMUTE  ? c->to[i] >= 0
			   : c->s.op == VN_EXSCAN ? i > 0
						  : c->s.op != VN_BARRIER;
	}
	return most && receive;
}

/* Launches went the way the handle tells, and that is the forced one where that can be. */
static unsigned int ways_wrong(unsigned int launches, const struct vn_comm_stats *before)
{
	const struct call *c = &first.call;
	struct vn_comm_stats after = stats();
	enum vn_way way = VN_WAY_AUTO;
	unsigned int wrong = 0;

	NEED(vn_op_way(first.handle[0], &way));
	if (!moves_something(c))
		return 0;
	wrong += after.way_ops[way] - before->way_ops[way] != launches;
	wrong += after.launches - before->launches != (way == VN_WAY_PLAN ? launches : 0);
	wrong += way == VN_WAY_AUTO || (way == VN_WAY_PLAN && c->s.host);
	wrong += c->s.way == VN_WAY_SHARE && way != VN_WAY_SHARE;
	wrong += c->s.way == VN_WAY_PLAN && !c->s.host && !chains(c) && way != VN_WAY_PLAN;
	if (wrong)
		tap_diag("%u launches; by %s it went %llu times, %llu plans", launches,
			 vn_way_name(way),
			 (unsigned long long)(after.way_ops[way] - before->way_ops[way]),
			 (unsigned long long)(after.launches - before->launches));
	return wrong;
}

static uint64_t run_case(const struct shape *s)
{
	struct vn_comm_stats before;
	unsigned int launches = 3;
	uint64_t wrong = prepare(&first, s);

	before = stats();
	for (unsigned int i = 0; i < launches && !wrong; i++)
		wrong += do_once(&first, rank_launch);
	wrong += wrong ? 0 : ways_wrong(launches, &before);
	wrong += forget(&first);
	if (wrong)
		call_describe(&first.call, 0, wrong);
	return wrong;
}

static void run_op(enum vn_coll op)
{
	static const uint64_t longest[] = { 3, 700, 5000 };
	uint32_t all = COUNT(longest) * PLACES * VN_WAY_COUNT * 2;
	unsigned int ran = 0;
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < all; i++) {
		struct shape s = {
			.op = op,
			.way = (enum vn_way)(i % VN_WAY_COUNT),
			.place = (enum place)(i / VN_WAY_COUNT % PLACES),
			.ranks = crew.ranks,
			.host = i / VN_WAY_COUNT / PLACES % 2,
			.longest = longest[i / VN_WAY_COUNT / PLACES / 2],
			.es = 1u << pick(4),
			.lay = (enum lay)pick(LAYS),
		};
		/* Host memory matters little, and is no plan. */
		unsigned int one_of = quick() ? 24 : s.host ? 6 : crew.ranks > 3 ? 3 : 1;

		if (pick(one_of) || (s.place == SOME_IN_PLACE && op == VN_ALL_TO_ALLV))
			continue;
		wrong += run_case(&s);
		ran++;
	}
	tap_ok(!wrong, "%s, %d ranks, %s: %llu wrong in %u cases", vn_coll_name(op), crew.ranks,
	       driven_text(crew.by), (unsigned long long)wrong, ran);
}

static void run_ranks(int ranks, enum driven by)
{
	crew_make(&crew, dev, ranks, by, NULL);
	for (int op = 0; op < VN_COLL_COUNT; op++)
		run_op((enum vn_coll)op);
	crew_end(&crew);
}

/* ---- beside each other ------------------------------------------------------------------- */

static void test_beside(enum driven by, enum vn_way way)
{
	struct shape a = { .op = VN_ALL_REDUCE, .way = way, .ranks = 3, .es = 4, .longest = 2000 };
	struct shape b = { .op = VN_ALL_GATHERV,
			   .way = way,
			   .ranks = 3,
			   .es = 8,
			   .longest = 500,
			   .lay = SHUFFLED };
	static struct prepared same;
	unsigned int wrong = 0;

	crew_make(&crew, dev, 3, by, NULL);
	wrong += prepare(&first, &a);
	wrong += prepare(&second, &b);
	/* Another of the same shape: forgetting one is not forgetting both. */
	wrong += prepare(&same, &a);
	for (int i = 0; i < (quick() ? 4 : 50) && !wrong; i++) {
		wrong += do_once(&first, rank_launch) != 0;
		wrong += do_once(&second, rank_launch) != 0;
		wrong += first.call.redop != VN_PREMULSUM && do_once(&first, rank_call);
		wrong += do_once(&same, rank_launch) != 0;
	}
	tap_ok(!wrong, "three take turns with plain ones, %s, way %s", driven_text(by),
	       vn_way_name(way));
	wrong = forget(&first);
	wrong += do_once(&second, rank_launch) || do_once(&same, rank_launch);
	/* One rank forgets: that is its own business. */
	now = &second;
	wrong += rank_free(&crew.rank[1]) != 0;
	wrong += do_once(&same, rank_launch) != 0;
	now = &second;
	wrong += rank_free(&crew.rank[0]) || rank_free(&crew.rank[2]);
	wrong += do_once(&same, rank_launch) != 0;
	wrong += prepare(&first, &a) || do_once(&first, rank_launch);
	tap_ok(!wrong, "some are forgotten, the others stay, %s, way %s", driven_text(by),
	       vn_way_name(way));
	/* Those that are left go with the communicator. */
	crew_end(&crew);
}

/* ---- many ------------------------------------------------------------------------------- */

#define HANDLES 80 /* more than there are plans kept of others */

static vn_persistent_t many[HANDLES][3];

/* Sums of 1, 2, ... elements, each from the beginning of one arena into the other. */
static int init_many(struct rank *me)
{
	int err = 0;

	for (size_t i = 0; i < HANDLES && !err; i++) {
		struct vn_op op = {
			.op = VN_ALL_REDUCE,
			.way = VN_WAY_PLAN,
			.type = VN_UINT32,
			.count = i + 1,
			.sendbuff = world.hbm[0][me->number].ptr,
			.recvbuff = (uint32_t *)world.hbm[1][me->number].ptr + i * HANDLES,
		};

		err = vn_op_init(&op, me->comm, &many[i][me->number]);
	}
	return err;
}

/* Once forwards, once backwards; plain ones of other lengths among them. */
static int launch_many(struct rank *me)
{
	uint32_t *behind = (uint32_t *)world.hbm[1][me->number].ptr + HANDLES * HANDLES;
	int err = 0;

	for (int i = 0; i < 2 * HANDLES && !err; i++) {
		int nth = i < HANDLES ? i : 2 * HANDLES - 1 - i;

		err = vn_op_launch(many[nth][me->number], NULL, NULL);
		if (!err && i % 3 == 0)
			err = vn_all_reduce(world.hbm[0][me->number].ptr, behind, (size_t)i + 100,
					    VN_UINT32, VN_SUM, me->comm, NULL);
	}
	return err;
}

static void test_many(enum driven by)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	unsigned int wrong = 0;

	config.timeout_ns = LONG;
	config.way = VN_WAY_PLAN;
	crew_make(&crew, dev, 3, by, &config);
	for (int r = 0; r < 3; r++) {
		memset(world.hbm[1][r].ptr, 0x5a, HANDLES * HANDLES * 4);
		for (uint32_t i = 0; i < 4 * HANDLES; i++)
			((uint32_t *)world.hbm[0][r].ptr)[i] = i * 3 + (uint32_t)r;
	}
	wrong += crew_do(&crew, init_many) || crew_do(&crew, launch_many);
	for (int r = 0; r < 3; r++) {
		const uint32_t *got = world.hbm[1][r].ptr;

		for (uint32_t i = 0; i < HANDLES * HANDLES; i++)
			wrong += got[i] !=
				 (i % HANDLES <= i / HANDLES ? i % HANDLES * 9 + 3 : 0x5a5a5a5a);
	}
	for (int i = 0; i < HANDLES; i++)
		for (int r = 0; r < 3; r++)
			wrong += i % 2 && vn_op_free(many[i * 7 % HANDLES][r]);
	tap_ok(!wrong, "%d at a time, %s: %u wrong", HANDLES, driven_text(by), wrong);
	crew_end(&crew);
}

/* ---- factors ------------------------------------------------------------------------------ */

/* Those that are read when an operation begins. */
static int factors_init(struct rank *me)
{
	struct call *c = &first.call;
	int err = vn_red_op_create_pre_mul_sum(&c->made[me->number], &c->scalar[me->number],
					       c->type, VN_SCALAR_DEVICE, me->comm);

	return err ?: rank_init(me);
}

static void test_factors(enum driven by, enum vn_way way)
{
	struct shape s = { .op = VN_ALL_REDUCE, .way = way, .ranks = 3, .es = 4, .longest = 3000 };
	unsigned int wrong;

	crew_make(&crew, dev, 3, by, NULL);
	now = &first;
	do
		call_make(&first.call, &s);
	while (first.call.redop != VN_PREMULSUM);
	wrong = crew_do(&crew, factors_init);
	for (int i = 0; i < 5 && !wrong; i++) {
		for (int r = 0; r < 3; r++)
			random_elems((uint8_t)first.call.type, (uint8_t *)&first.call.scalar[r], 1);
		wrong += do_once(&first, rank_launch) != 0;
		wrong += do_once(&first, rank_call) != 0;
	}
	tap_ok(!wrong, "factors change between launches, %s, way %s", driven_text(by),
	       vn_way_name(way));
	crew_end(&crew);
}

/* ---- groups ---------------------------------------------------------------------------------- */

#define MANY 70 /* more than may be under way */

static uint64_t numbers[VN_MAX_CHIPS];

/* Prepared and launched at once. */
static int init_and_launch(struct rank *me)
{
	enum vn_way way;
	int err;

	vn_group_start();
	err = rank_init(me);
	if (!err && vn_op_way(now->handle[me->number], &way) != -EAGAIN)
		err = -EEXIST;
	for (int i = 0; i < MANY && !err; i++)
		err = vn_op_launch(now->handle[me->number], NULL, &numbers[me->number]);
	/* What is held back needs it. */
	if (!err && rank_free(me) != -EBUSY)
		err = -EEXIST;
	return vn_group_end() ?: err;
}

static void test_group(enum driven by)
{
	struct shape s = { .op = VN_ALL_TO_ALLV,
			   .way = VN_WAY_PLAN,
			   .ranks = 3,
			   .es = 2,
			   .longest = 50,
			   .lay = GAPS };
	unsigned int wrong;

	crew_make(&crew, dev, 3, by, NULL);
	now = &first;
	do
		call_make(&first.call, &s);
	while (!moves_something(&first.call));
	call_expect(&first.call);
	wrong = crew_do(&crew, init_and_launch) || call_wrong(&first.call);
	tap_ok(!wrong && stats().launches == MANY && numbers[2] == MANY,
	       "one is prepared and launched %d times in one group, %s", MANY, driven_text(by));
	tap_ok(!vn_op_status(crew.rank[2].comm, numbers[2]), "and has the number %llu",
	       (unsigned long long)numbers[2]);
	tap_ok(!do_once(&first, rank_launch) && !forget(&first), "and then once more");
	crew_end(&crew);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static vn_queue_t streams[3];

/* What it sends is brought by a descriptor; and another one copies what came. */
static int on_queue(struct rank *me)
{
	struct vn_mem *send = &world.hbm[0][me->number];
	vn_queue_t q = streams[me->number];

	vn_prep_copy(vn_next(q), vn_at(send, 0), vn_at(send, ROOM / 2), ROOM / 4);
	return vn_op_launch(first.handle[me->number], q, NULL);
}

static int behind_queue(struct rank *me)
{
	struct vn_mem *recv = &world.hbm[1][me->number];
	vn_queue_t q = streams[me->number];

	vn_prep_copy(vn_next(q), vn_at(recv, ROOM / 2), vn_at(recv, 0), ROOM / 4);
	return vn_queue_sync(q, LONG);
}

static int queue_all(struct rank *me)
{
	return on_queue(me) ?: behind_queue(me);
}

static void test_queue(enum driven by)
{
	struct shape s = {
		.op = VN_ALL_REDUCE, .way = VN_WAY_PLAN, .ranks = 3, .es = 4, .longest = ROOM / 32
	};
	struct call *c = &first.call;
	unsigned int wrong;

	crew_make(&crew, dev, 3, by, NULL);
	wrong = prepare(&first, &s);
	for (uint32_t r = 0; r < 3; r++)
		streams[r] = queue(dev, r, 8);
	call_expect(c);
	for (int r = 0; r < 3; r++) {
		memcpy((char *)world.hbm[0][r].ptr + ROOM / 2, world.before[0][r], ROOM / 4);
		memset(world.hbm[0][r].ptr, 0xee, ROOM / 4);
	}
	if (by == BY_THREADS)
		wrong += crew_do(&crew, queue_all);
	else
		wrong += crew_do(&crew, on_queue);
	for (int r = 0; r < 3 && by == BY_ONE; r++)
		wrong += behind_queue(&crew.rank[r]) != 0;
	for (int r = 0; r < 3; r++)
		wrong += memcmp((char *)world.hbm[1][r].ptr + ROOM / 2, world.want[1][r],
				c->used[1][r]) != 0;
	tap_ok(!wrong, "a launch between descriptors of a queue, %s", driven_text(by));
	for (int r = 0; r < 3; r++)
		vn_queue_destroy(streams[r]);
	crew_end(&crew);
}

int main(void)
{
	static const int some[] = { 3 }, more[] = { 1, 2, 3, 5, 8 };
	const int *ranks = quick() ? some : more;

	pick_seed();
	dev = device();
	arenas_begin(dev, 8, ROOM);
	for (int by = 0; by < DRIVEN; by++) {
		for (uint32_t i = 0; i < (quick() ? COUNT(some) : COUNT(more)); i++)
			run_ranks(ranks[i], (enum driven)by);
		for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
			test_beside((enum driven)by, (enum vn_way)way);
			test_factors((enum driven)by, (enum vn_way)way);
		}
		test_many((enum driven)by);
		test_group((enum driven)by);
		test_queue((enum driven)by);
	}
	arenas_end();
	vn_close(dev);
	return tap_done();
}
