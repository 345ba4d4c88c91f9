// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ranks as processes: every collective with random lengths, places and data, in HBM and
 * not, by every way; each process makes the same calls of the same seed, and looks at
 * every byte of its own rank's buffers. $VN_SEED repeats a run.
 */
#include "band.h"
#include "../lib/expect.h"

#define ROOM (512u << 10)

static struct call now;
static uint64_t longest;
static unsigned int cases;

static uint64_t wrong_here(const struct call *c, int r)
{
	uint64_t wrong = 0;

	for (int side = 0; side < 2; side++)
		wrong += memcmp(arena(c, side, r), world.want[side][r], c->used[side][r]) != 0;
	return wrong;
}

static unsigned int one_case(struct band *b, const struct shape *s)
{
	int r = b->rank, err = 0;
	uint64_t wrong;

	call_make(&now, s);
	call_expect(&now);
	if (now.redop == VN_PREMULSUM)
		err = call_premul(&now, r, b->comm);
	err = err ?: call_start(&now, r, b->comm, NULL);
	err = err ?: vn_comm_sync(b->comm, LONG);
	wrong = wrong_here(&now, r);
	if (now.redop == VN_PREMULSUM)
		vn_red_op_destroy(now.made[r], b->comm);
	if (err || wrong) {
		tap_diag("rank %d: %d (%s)", r, err, err ? vn_error() : "");
		call_describe(&now, err, wrong);
	}
	return wrong + (err != 0);
}

static unsigned int all_operations(struct band *b)
{
	unsigned int wrong = 0;

	arenas_begin(b->dev, b->ranks, ROOM);
	for (unsigned int i = 0; i < cases && !wrong; i++) {
		enum vn_coll op = (enum vn_coll)(i % VN_COLL_COUNT);
		struct shape s = {
			.op = op,
			.ranks = b->ranks,
			.es = 1u << pick(4),
			.lay = (enum lay)pick(LAYS),
			.place = (enum place)pick(PLACES),
			.host = pick(2),
			.longest = longest / (general(op) == op ? 1 : (uint64_t)b->ranks),
			.way = (enum vn_way)pick(VN_WAY_COUNT),
		};

		if (s.place == SOME_IN_PLACE && general(op) == VN_ALL_TO_ALLV)
			s.place = IN_PLACE;
		wrong += one_case(b, &s);
	}
	arenas_end();
	return wrong;
}

static void run_ranks(int ranks, uint64_t elements, unsigned int n)
{
	struct band b;

	longest = elements;
	cases = n;
	band_begin(&b, ranks);
	tap_ok(!band_run(&b, all_operations), "%d processes, %u cases of up to %llu elements",
	       ranks, cases, (unsigned long long)longest);
	band_end(&b);
}

int main(void)
{
	unsigned int scale = quick() ? 1 : 4;

	pick_seed();
	run_ranks(1, 100, 40);
	run_ranks(2, 100, 300 * scale);
	run_ranks(2, 5000, 100 * scale);
	run_ranks(3, 300, 200 * scale);
	run_ranks(5, 1000, 100 * scale);
	run_ranks(8, 64, 100 * scale);
	return tap_done();
}
