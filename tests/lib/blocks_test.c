// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Blocks of unequal length: every such operation x size of type x number of ranks x
 * how the blocks lie (packed, with gaps, in any order) x in and out of place x HBM or
 * not x threads or one thread, with random lengths, empty blocks among them. Every
 * byte of all buffers is compared with what a naive copy or the oracle of reductions
 * makes of them: so nothing is written in gaps, behind ends or where data is sent from.
 * And what makes no sense, or not to all ranks, is named and harms nothing.
 * $VN_SEED repeats a run.
 */
#include "expect.h"

/* Of an arena; and a block beyond the second-level cache. */
#define ROOM (2u << 20)
#define LONG_BLOCK (1u << 20)

static vn_device_t dev;
static struct crew crew;
static struct call now;

static int start(struct rank *me)
{
	return call_start(&now, me->number, me->comm, NULL);
}

static const enum vn_coll all_ops[] = { VN_ALL_GATHERV, VN_REDUCE_SCATTERV, VN_ALL_TO_ALLV,
					VN_GATHERV, VN_SCATTERV };

/* ---- what must work ------------------------------------------------------------- */

static uint64_t run_case(const struct shape *shape)
{
	uint64_t wrong;
	int err = 0;

	call_make(&now, shape);
	call_expect(&now);
	for (int r = 0; r < crew.ranks && now.redop == VN_PREMULSUM; r++)
		err = err ?: call_premul(&now, r, crew.rank[r].comm);
	err = err ?: (int)crew_do(&crew, start);
	wrong = call_wrong(&now);
	for (int r = 0; r < crew.ranks && now.redop == VN_PREMULSUM; r++)
		vn_red_op_destroy(now.made[r], crew.rank[r].comm);
	if (err || wrong)
		call_describe(&now, err, wrong);
	return wrong + (err != 0);
}

static void run_op(enum vn_coll op, const uint64_t *longest, uint32_t lengths, unsigned int one_of)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8 };
	uint64_t wrong = 0;
	unsigned int ran = 0;

	for (uint32_t i = 0; i < COUNT(sizes) * LAYS * PLACES * 2 * lengths; i++) {
		struct shape s = {
			.op = op,
			.ranks = crew.ranks,
			.es = sizes[i % COUNT(sizes)],
			.lay = (enum lay)(i / COUNT(sizes) % LAYS),
			.place = (enum place)(i / COUNT(sizes) / LAYS % PLACES),
			.host = i / COUNT(sizes) / LAYS / PLACES % 2,
			.longest = longest[i / COUNT(sizes) / LAYS / PLACES / 2],
			.way = pick(3) ? VN_WAY_AUTO : (enum vn_way)pick(VN_WAY_COUNT),
		};

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
	static const uint64_t few[] = { 9, 300, 3000 }, many[] = { 3 };
	unsigned int one_of = ranks > 8 ? (unsigned int)ranks / 8 : quick() ? 16 : 1;

	crew_make(&crew, dev, ranks, by, NULL);
	for (uint32_t i = 0; i < COUNT(all_ops); i++)
		run_op(all_ops[i], ranks > 8 ? many : few, ranks > 8 ? COUNT(many) : COUNT(few),
		       one_of);
	crew_end(&crew);
}

/* Most of it is one block. */
static void test_long(void)
{
	uint64_t wrong = 0;

	crew_make(&crew, dev, 3, BY_THREADS, NULL);
	for (uint32_t i = 0; i < COUNT(all_ops); i++) {
		struct shape s = {
			.op = all_ops[i],
			.ranks = 3,
			.es = 4,
			.lay = SHUFFLED,
			.longest = LONG_BLOCK / 4,
			.one_long = true,
		};

		wrong += run_case(&s);
	}
	tap_ok(!wrong, "one block of %u KiB, the others short", LONG_BLOCK >> 10);
	crew_end(&crew);
}

/* Arrays are the caller's again when the call returns. */
static int start_and_forget(struct rank *me)
{
	int err = call_start(&now, me->number, me->comm, NULL);

	memset(now.scounts[me->number], 0xee, sizeof(now.scounts[0]));
	memset(now.rcounts[me->number], 0xee, sizeof(now.rcounts[0]));
	return err;
}

static void test_arrays(void)
{
	struct shape s = {
		.op = VN_ALL_TO_ALLV, .ranks = 3, .es = 4, .lay = SHUFFLED, .longest = 50
	};
	unsigned int bad;

	crew_make(&crew, dev, 3, BY_ONE, NULL);
	call_make(&now, &s);
	call_expect(&now);
	bad = crew_do(&crew, start_and_forget);
	tap_ok(!bad && !call_wrong(&now), "arrays may change as soon as the call has returned");
	crew_end(&crew);
}

/* A rank that has no part in it needs no buffers, whatever the others do. */
static int start_without(struct rank *me)
{
	const struct call *c = &now;
	int r = me->number;
	bool none = r == 1;

	return vn_all_to_allv(none ? NULL : call_send(c, r), c->scounts[r], NULL,
			      none ? NULL : call_recv(c, r), c->rcounts[r], NULL, c->type, me->comm,
			      NULL);
}

static void test_nothing(enum place place)
{
	struct shape s = { .op = VN_ALL_TO_ALLV,
			   .ranks = 3,
			   .es = 8,
			   .lay = PACKED,
			   .longest = 50,
			   .place = place,
			   .without = 2 };
	unsigned int bad;

	crew_make(&crew, dev, 3, BY_THREADS, NULL);
	call_make(&now, &s);
	call_expect(&now);
	bad = crew_do(&crew, start_without);
	tap_ok(!bad && !call_wrong(&now), "all_to_allv, a rank without data and buffers, %s",
	       place_text(place));
	crew_end(&crew);
}

/* ---- what must not ----------------------------------------------------------------- */

static void one_off(size_t *n)
{
	*n += *n ? -1ul : 1;
}

/* Rank 1 is wrong about its block with another, or about another's. */
static int start_odd(struct rank *me)
{
	bool root = now.root == 1;

	if (me->number == 1) {
		one_off(now.s.op == VN_GATHERV || now.s.op == VN_ALL_GATHERV ||
					now.s.op == VN_REDUCE_SCATTERV
				? &now.rcounts[1][2]
				: &now.scounts[1][2]);
		if (!root && (now.s.op == VN_GATHERV || now.s.op == VN_SCATTERV))
			one_off(&now.count[1]);
	}
	return call_start(&now, me->number, me->comm, NULL);
}

static void test_odd(enum vn_coll op, enum driven by, int root, bool check)
{
	struct shape s = { .op = op, .ranks = 4, .es = 4, .lay = GAPS, .longest = 2000 };
	struct vn_config config = VN_CONFIG_INITIALIZER;
	const char *both = crew.rank[3].text;
	bool named;

	config.timeout_ns = LONG;
	config.check = check;
	crew_make(&crew, dev, 4, by, &config);
	do
		call_make(&now, &s);
	while (now.root != root || now.redop == VN_PREMULSUM);
	named = crew_failed(&crew, start_odd, -EINVAL);
	/* Whose block it is depends on the operation; two ranks are named, and rank 1 is one. */
	named = named && strstr(both, vn_coll_name(op)) && strstr(both, "rank 1") &&
		(strstr(both, "rank 2") || strstr(both, "rank 0") || strstr(both, "rank 3"));
	tap_ok(named, "other counts, by %s: %s", driven_text(by), both);
	tap_ok(!call_wrong(&now), "and nothing was written");
	crew_end(&crew);
}

static int start_in_place(struct rank *me)
{
	const struct call *c = &now;
	int r = me->number;

	return vn_all_to_allv(r == 1 ? call_recv(c, r) : call_send(c, r), c->scounts[r], c->sat[r],
			      call_recv(c, r), c->rcounts[r], c->sat[r], c->type, me->comm, NULL);
}

static void test_mixed(void)
{
	struct shape s = { .op = VN_ALL_TO_ALLV,
			   .ranks = 3,
			   .es = 4,
			   .lay = GAPS,
			   .longest = 20,
			   .symmetric = true };
	bool all;

	crew_make(&crew, dev, 3, BY_THREADS, NULL);
	/* Two ranks with data: one alone may well be in place. */
	do
		call_make(&now, &s);
	while (!now.len[1][0]);
	all = crew_failed(&crew, start_in_place, -EINVAL);
	tap_ok(all && strstr(crew.rank[0].text, "in place"), "in place on one rank: %s",
	       crew.rank[0].text);
	tap_ok(!call_wrong(&now), "and nothing was written");
	crew_end(&crew);
}

/* One rank alone can tell: the call fails, and the communicator goes on. */
static void refuse(const char *what, int err, const char *names)
{
	tap_ok(err == -EINVAL && strstr(vn_error(), names), "%s: %s", what, vn_error());
}

static void test_refused(void)
{
	size_t n[2] = { 4, 4 }, at[2] = { 0, 3 }, far[2] = { VN_BYTES_MAX, 1 }, more[2] = { 4, 8 };
	size_t wrap[2] = { 0, SIZE_MAX };
	struct shape s = { .op = VN_ALL_TO_ALLV, .ranks = 2, .es = 4, .longest = 4 };
	vn_comm_t c;
	char *a, *b;

	crew_make(&crew, dev, 2, BY_THREADS, NULL);
	call_make(&now, &s);
	call_expect(&now);
	c = crew.rank[0].comm;
	a = call_send(&now, 0);
	b = call_recv(&now, 0);
	refuse("no counts", vn_all_gatherv(a, 4, b, NULL, NULL, VN_INT32, c, NULL), "recvcounts");
	refuse("no counts", vn_reduce_scatterv(a, b, NULL, VN_INT32, VN_SUM, c, NULL),
	       "recvcounts");
	refuse("no counts", vn_all_to_allv(a, NULL, NULL, b, n, NULL, VN_INT32, c, NULL),
	       "sendcounts");
	refuse("no counts", vn_all_to_allv(a, n, NULL, b, NULL, NULL, VN_INT32, c, NULL),
	       "recvcounts");
	refuse("no counts", vn_gatherv(a, 4, b, NULL, NULL, VN_INT32, 0, c, NULL), "recvcounts");
	refuse("no counts", vn_scatterv(a, NULL, NULL, b, 4, VN_INT32, 0, c, NULL), "sendcounts");
	refuse("blocks that overlap", vn_all_gatherv(a, 4, b, n, at, VN_INT32, c, NULL),
	       "ranks 0 and 1 overlap");
	refuse("blocks that overlap", vn_all_to_allv(a, n, NULL, b, n, at, VN_INT32, c, NULL),
	       "ranks 0 and 1 overlap");
	refuse("blocks that overlap", vn_gatherv(a, 4, b, n, at, VN_INT32, 0, c, NULL),
	       "ranks 0 and 1 overlap");
	refuse("too long", vn_all_gatherv(a, 4, b, far, NULL, VN_INT32, c, NULL), "block 0");
	refuse("too far", vn_all_gatherv(a, 4, b, n, wrap, VN_INT32, c, NULL), "block 1");
	refuse("too far", vn_scatterv(a, n, far, b, 4, VN_INT32, 0, c, NULL), "block 0");
	refuse("too much", vn_gatherv(a, VN_BYTES_MAX, b, n, NULL, VN_INT32, 1, c, NULL),
	       "gatherv");
	refuse("in place, other counts",
	       vn_all_to_allv(a, n, NULL, a, more, NULL, VN_INT32, c, NULL), "in place");
	refuse("in place, other places", vn_all_to_allv(a, n, NULL, a, n, more, VN_INT32, c, NULL),
	       "in place");
	refuse("no buffer", vn_all_gatherv(NULL, 4, b, n, NULL, VN_INT32, c, NULL), "to send");
	refuse("no buffer", vn_all_gatherv(a, 4, NULL, n, NULL, VN_INT32, c, NULL), "to receive");
	refuse("misaligned", vn_all_gatherv(a + 1, 4, b, n, NULL, VN_INT32, c, NULL), "aligned");
	refuse("no such root", vn_gatherv(a, 4, b, n, NULL, VN_INT32, 2, c, NULL), "root 2");
	refuse("no such root", vn_scatterv(a, n, NULL, b, 4, VN_INT32, -1, c, NULL), "root -1");
	refuse("no such type", vn_all_gatherv(a, 4, b, n, NULL, VN_TYPE_COUNT, c, NULL),
	       "unknown type");
	refuse("no such reduction", vn_reduce_scatterv(a, b, n, VN_FLOAT32, VN_BXOR, c, NULL),
	       "bxor");
	tap_ok(!crew_do(&crew, start) && !call_wrong(&now), "and after all that it works");
	crew_end(&crew);
}

int main(void)
{
	static const int some[] = { 1, 3, 5 }, more[] = { 1, 2, 3, 5, 8, 36, 144 };
	const int *ranks = quick() ? some : more;

	pick_seed();
	dev = device();
	arenas_begin(dev, quick() || in_kernel(dev) ? 8 : VN_MAX_CHIPS, ROOM);
	for (uint32_t i = 0; i < (quick() ? COUNT(some) : COUNT(more)); i++)
		for (int by = 0; by < DRIVEN; by++)
			if (ranks[i] <= 8 || !in_kernel(dev))
				run_ranks(ranks[i], (enum driven)by);
	test_long();
	test_arrays();
	test_nothing(OUT_OF_PLACE);
	test_nothing(IN_PLACE);
	for (uint32_t i = 0; i < COUNT(all_ops); i++) {
		test_odd(all_ops[i], BY_THREADS, 0, false);
		test_odd(all_ops[i], BY_ONE, 1, true);
	}
	test_mixed();
	test_refused();
	arenas_end();
	vn_close(dev);
	return tap_done();
}
