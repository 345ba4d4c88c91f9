// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A rank is killed with -9 at steps of an operation (at each with VN_COLL_FULL=1), one
 * after the other until it survives them all. The others get an error, or what they asked for; they agree on who
 * is gone, shrink, and go on. Behind it the chips have as much memory and as many
 * windows and queues as before.
 */
#include "band.h"

#define RANKS 4
#define VICTIM 1
#define ROUNDS 3
#define BYTES (192u << 10)

enum act { PULL, SHARE, PLAN, HOST, GATHERV, BARRIER, PAIR, SIGNAL, ACTS };

static const char *const act_name[ACTS] = {
	"all_reduce of 64 bytes",  "all_reduce of 192 KiB", "all_reduce by a plan",
	"all_reduce beyond HBM",   "all_gatherv",	    "barrier",
	"send and recv in a ring", "put_signal in a ring",
};

static enum act act;
static unsigned int step;
static struct vn_mem send_mem, recv_mem;
static char host[2][BYTES];

static int in_a_ring(struct band *b, vn_comm_window_t win)
{
	int to = (b->rank + 1) % b->ranks, from = (b->rank + b->ranks - 1) % b->ranks, err;
	struct vn_wait_signal_desc wait = { .op_cnt = 1, .peer = from };

	if (win)
		return vn_put_signal(send_mem.ptr, BYTES / 4, VN_FLOAT32, to, win, 0, 0, 0, 0,
				     b->comm, NULL)
			       ?: vn_wait_signal(1, &wait, b->comm, NULL);
	vn_group_start();
	err = vn_send(send_mem.ptr, BYTES / 4, VN_FLOAT32, to, b->comm, NULL)
		      ?: vn_recv(recv_mem.ptr, BYTES / 4, VN_FLOAT32, from, b->comm, NULL);
	return vn_group_end() ?: err;
}

static int once(struct band *b, vn_comm_window_t win)
{
	size_t counts[RANKS] = { 10, 200, 3000, 7 };

	switch (act) {
	case PULL:
		return vn_all_reduce(send_mem.ptr, recv_mem.ptr, 16, VN_FLOAT32, VN_SUM, b->comm,
				     NULL);
	case SHARE:
		return vn_all_reduce(send_mem.ptr, recv_mem.ptr, BYTES / 4, VN_FLOAT32, VN_SUM,
				     b->comm, NULL);
	case PLAN:
		return vn_op_start(&(struct vn_op){ .op = VN_ALL_REDUCE,
						    .way = VN_WAY_PLAN,
						    .type = VN_FLOAT32,
						    .redop = VN_SUM,
						    .count = BYTES / 4,
						    .sendbuff = send_mem.ptr,
						    .recvbuff = recv_mem.ptr },
				   b->comm, NULL, NULL);
	case HOST:
		return vn_all_reduce(host[0], host[1], BYTES / 4, VN_FLOAT32, VN_SUM, b->comm,
				     NULL);
	case GATHERV:
		return vn_all_gatherv(send_mem.ptr, counts[b->rank], recv_mem.ptr, counts, NULL,
				      VN_FLOAT32, b->comm, NULL);
	case BARRIER:
		return vn_barrier(b->comm, NULL);
	default:
		return in_a_ring(b, win);
	}
}

/* Some rounds of it, each waited for. */
static int rounds(struct band *b)
{
	vn_comm_window_t win = NULL;
	int err = 0;

	if (act == SIGNAL)
		err = vn_comm_window_register(b->comm, recv_mem.ptr, BYTES, &win, 0);
	for (int i = 0; i < ROUNDS && !err; i++)
		err = once(b, win) ?: vn_comm_sync(b->comm, LONG);
	return err;
}

/* Those who are left work. */
static unsigned int goes_on(vn_comm_t comm, int ranks)
{
	float one = 1, sum = 0;
	int err = vn_all_reduce(&one, &sum, 1, VN_FLOAT32, VN_SUM, comm, NULL)
			  ?: vn_comm_sync(comm, LONG);

	if (!err && sum == (float)ranks)
		return 0;
	tap_diag("after it: %d (%s), %g of %d", err, vn_error(), (double)sum, ranks);
	return 1;
}

static unsigned int survive(struct band *b, int first)
{
	int gone[RANKS], n = 0, agreed, err = first;
	vn_comm_t left;

	/* It may die once more while they agree: then they find out at the barrier. */
	for (agreed = 0; agreed < 3 && !n; agreed++) {
		err = vn_comm_agree(b->comm, gone, &n);
		if (err) {
			tap_diag("rank %d agrees: %d (%s)", b->rank, err, vn_error());
			return 1;
		}
		if (!n && !(vn_barrier(b->comm, NULL) ?: vn_comm_sync(b->comm, LONG)))
			return first != 0;
	}
	/* It died in that barrier, with which others were through: those have left. */
	if (n > 1 && agreed > 1 && !first)
		return 0;
	if (n != 1 || gone[0] != VICTIM || (first && first != -EOWNERDEAD)) {
		tap_diag("rank %d: %d gone, first %d; %d", b->rank, n, gone[0], first);
		return 1;
	}
	if (vn_comm_shrink(b->comm, gone, n, &left, NULL, VN_SHRINK_ABORT)) {
		tap_diag("rank %d shrinks: %s", b->rank, vn_error());
		return 1;
	}
	first = (int)goes_on(left, b->ranks - 1);
	return (unsigned int)first + (vn_comm_destroy(left) != 0);
}

static unsigned int play(struct band *b)
{
	uint64_t began = now_ns();
	unsigned int bad;
	int err;

	send_mem = take(b->dev, (uint32_t)b->rank, BYTES);
	recv_mem = take(b->dev, (uint32_t)b->rank, BYTES);
	err = rounds(b);
	bad = survive(b, err);
	if (now_ns() - began > 20 * SECOND) {
		tap_diag("rank %d: it took %.1f s", b->rank, (double)(now_ns() - began) / 1e9);
		bad++;
	}
	/* With its error, if it had one. */
	vn_comm_destroy(b->comm);
	b->comm = NULL;
	return bad;
}

static void arm(int rank, unsigned int at)
{
	char text[32];

	snprintf(text, sizeof(text), "%d:%u", rank, at);
	setenv("VNEURON_COLL_STOP", text, 1);
}

struct used {
	uint64_t hbm, windows, queues;
};

static struct used used(vn_device_t dev)
{
	struct used u = { 0 };
	struct vn_chip_query q;

	for (uint32_t chip = 0; chip < RANKS; chip++) {
		NEED(vn_chip_query(dev, chip, &q));
		u.hbm += q.hbm_used;
		u.windows += q.windows;
		u.queues += q.queues;
	}
	return u;
}

/* True: the victim was killed. */
static bool one_step(unsigned int *bad)
{
	bool killed = false;
	struct band b;

	band_begin(&b, RANKS);
	for (int r = 0; r < RANKS; r++) {
		if (r == VICTIM)
			arm(r, step);
		else
			unsetenv("VNEURON_COLL_STOP");
		band_fork(&b, r, play);
	}
	for (int r = 0; r < RANKS; r++) {
		int status = band_wait(&b, r);

		if (r == VICTIM)
			killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		if (status && !(r == VICTIM && killed)) {
			tap_diag("%s, step %u: rank %d: status %#x", act_name[act], step, r,
				 (unsigned int)status);
			++*bad;
		}
	}
	band_end(&b);
	return killed;
}

int main(void)
{
	unsigned int stride = full() ? 1 : quick() ? 5 : 3;
	struct used before, after;
	vn_device_t dev = device();

	for (act = 0; act < ACTS; act++) {
		unsigned int bad = 0, kills = 0;

		before = used(dev);
		for (step = 1; one_step(&bad) && !bad; step += stride)
			kills++;
		after = used(dev);
		tap_ok(!bad && kills > 1,
		       "%s: killed at %u steps, the others agree, shrink and go on", act_name[act],
		       kills);
		tap_ok(!memcmp(&before, &after, sizeof(before)),
		       "nothing is left: %llu bytes of HBM, %llu windows, %llu queues",
		       (unsigned long long)(after.hbm - before.hbm),
		       (unsigned long long)(after.windows - before.windows),
		       (unsigned long long)(after.queues - before.queues));
	}
	vn_close(dev);
	return tap_done();
}
