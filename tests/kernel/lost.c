// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ranks that are processes lose a chip, or a whole sled, while they add up: each ends with
 * an error that names it, no sum is wrong, the others agree who is gone, shrink and go on;
 * then what was lost is brought back, and used again. Who comes with a lost chip is told, and
 * so are those who come to meet it.
 */
#include <vneuron/fault.h>
#include <vneuron/sled.h>

#include "band.h"

#define RANKS 6
#define WORDS 16384u

static struct vn_fault fault;
static enum vn_way way;

/* The first rank whose chip is lost. */
static int victim(const struct band *b)
{
	for (int r = 0; r < b->ranks; r++)
		if (vn_chip_lost(b->dev, (uint32_t)r))
			return r;
	return -1;
}

static int sum(struct band *b, vn_comm_t comm, struct vn_mem m[2], uint32_t round, int ranks,
	       int rank, unsigned int *wrong)
{
	uint32_t *in = m[0].ptr, *out = m[1].ptr, want = 0;
	struct vn_op op = { .op = VN_ALL_REDUCE,
			    .way = way,
			    .type = VN_UINT32,
			    .redop = VN_SUM,
			    .count = WORDS,
			    .sendbuff = in,
			    .recvbuff = out };
	int err;

	for (int r = 0; r < ranks; r++)
		want += round * ((uint32_t)r + 1);
	for (uint32_t i = 0; i < WORDS; i++)
		in[i] = round * ((uint32_t)rank + 1);
	err = vn_op_start(&op, comm, NULL, NULL) ?: vn_comm_sync(comm, LONG);
	/* What was right may have been lost since. */
	for (uint32_t i = 0; !err && i < WORDS; i++)
		if (out[i] != want && !vn_chip_lost(b->dev, (uint32_t)b->rank)) {
			tap_diag("rank %d, round %u: %u, want %u", b->rank, round, out[i], want);
			++*wrong;
			break;
		}
	return err;
}

static unsigned int play(struct band *b)
{
	struct vn_mem m[2] = { take(b->dev, (uint32_t)b->rank, WORDS * 4),
			       take(b->dev, (uint32_t)b->rank, WORDS * 4) };
	int gone[RANKS], n = 0, err = 0, first;
	unsigned int wrong = 0;
	char want[48];
	vn_comm_t next;

	for (uint32_t round = 1; !err; round++) {
		if (!b->rank && round == 20)
			NEED(vn_fault_inject(b->dev, &fault));
		err = sum(b, b->comm, m, round, b->ranks, b->rank, &wrong);
	}
	first = victim(b);
	snprintf(want, sizeof(want), "rank %d: its chip %d was lost", first, first);
	if (err != -EHOSTDOWN || !strstr(vn_error(), want)) {
		tap_diag("rank %d: %d (%s)", b->rank, err, vn_error());
		wrong++;
	}
	err = vn_comm_agree(b->comm, gone, &n);
	if (vn_chip_lost(b->dev, (uint32_t)b->rank)) {
		wrong += err != -ESTALE;
	} else if (err || !n || gone[0] != first) {
		wrong += band_bad(b, err ? err : -EPROTO, "agrees");
	} else {
		err = vn_comm_shrink(b->comm, gone, n, &next, NULL, VN_SHRINK_ABORT);
		if (!err) {
			int rank;

			NEED(vn_comm_user_rank(next, &rank));
			for (uint32_t round = 1; !err && round < 5; round++)
				err = sum(b, next, m, round, b->ranks - n, rank, &wrong);
			err = vn_comm_destroy(next) ?: err;
		}
		wrong += band_bad(b, err, "goes on");
	}
	vn_comm_abort(b->comm);
	b->comm = NULL;
	return wrong;
}

static void lose(uint32_t kind, uint32_t where, enum vn_way by)
{
	char what[80];

	fault = (struct vn_fault){ kind, where, 0, 0 };
	way = by;
	snprintf(what, sizeof(what), "%s %u, by %s", vn_fault_name(kind), where, vn_way_name(by));
	band_point(RANKS, play, what);
}

static unsigned int just_sum(struct band *b)
{
	struct vn_mem m[2] = { take(b->dev, (uint32_t)b->rank, WORDS * 4),
			       take(b->dev, (uint32_t)b->rank, WORDS * 4) };
	unsigned int wrong = 0;

	return band_bad(b, sum(b, b->comm, m, 3, b->ranks, b->rank, &wrong), "sums") + wrong;
}

/* Does the process of a rank learn at once which rank it can't join? */
static int turned_away(const struct band *b, int rank, uint32_t lost)
{
	struct vn_config c = VN_CONFIG_INITIALIZER;
	vn_comm_t comm;
	char want[48];
	int err;

	NEED(vn_open(device_spec(), &c.dev));
	c.timeout_ns = LONG;
	err = vn_comm_init_rank_config(&comm, b->ranks, b->id, rank, &c);
	snprintf(want, sizeof(want), "rank %u: its chip %u is lost", lost, lost);
	if (err == -EHOSTDOWN && !strcmp(vn_error(), want))
		return 0;
	tap_diag("rank %d joins: %d (%s)", rank, err, vn_error());
	return 1;
}

static void join_lost(vn_device_t dev, uint32_t chip)
{
	const struct vn_fault f = { VN_FAULT_CHIP_LOSS, chip, 0, 0 };
	uint64_t began = now_ns();
	struct band b;
	int bad = 0;

	band_begin(&b, RANKS);
	NEED(vn_fault_inject(dev, &f));
	fflush(stdout);
	for (int r = 0; r < RANKS; r++) {
		b.pid[r] = fork();
		if (!b.pid[r])
			exit(turned_away(&b, r, chip));
	}
	for (int r = 0; r < RANKS; r++)
		bad += band_wait(&b, r) != 0;
	tap_ok(!bad && now_ns() - began < LONG,
	       "rank %u comes with a lost chip: %d processes are told, %d are not", chip,
	       RANKS - bad, bad);
	band_end(&b);
	NEED(vn_fault_clear(dev, &f));
}

int main(void)
{
	struct vn_chip_query q;
	vn_device_t dev = device();

	lose(VN_FAULT_CHIP_LOSS, 3, VN_WAY_SHARE);
	NEED(vn_fault_clear(dev, &fault));
	lose(VN_FAULT_CHIP_LOSS, 2, VN_WAY_PLAN);
	NEED(vn_fault_clear(dev, &fault));
	lose(VN_FAULT_CHIP_LOSS, 1, VN_WAY_PULL);
	NEED(vn_fault_clear(dev, &fault));
	/* With it go some of the ranks, or one. */
	NEED(vn_chip_query(dev, RANKS - 1, &q));
	lose(VN_FAULT_SLED_LOSS, q.sled, VN_WAY_SHARE);
	NEED(vn_fault_clear(dev, &fault));
	NEED(vn_sled_undrain(dev, q.sled, NULL, NULL));
	join_lost(dev, 0);
	join_lost(dev, 2);
	way = VN_WAY_AUTO;
	band_point(RANKS, just_sum, "all that was lost is there again");
	vn_close(dev);
	return tap_done();
}
