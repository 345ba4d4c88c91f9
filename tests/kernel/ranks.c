// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Communicators of processes that stand still, for ranks.sh to look at. Says "rank N PID"
 * for each, then "ready", and stays until it is killed.
 *
 *	ranks late N	rank N - 2 stays away from the fourth all_reduce
 *	ranks odd N	rank 1 calls a broadcast where the others call all_reduce
 *	ranks dead N	the last rank is killed
 *	ranks join N	the last rank never comes
 *	ranks recv N	rank 0 waits for rank 1 to send
 *	ranks left N	rank 0 has left, the others go on
 *	ranks noise N	status pages full of nonsense, that changes all the time
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "band.h"

static const char *mode;

static bool is(const char *name)
{
	return !strcmp(mode, name);
}

static unsigned int play(struct band *b)
{
	float in[256] = { 0 }, out[256];
	int err = 0, last = b->ranks - 1;

	for (int i = 0; i < 3 && !err; i++)
		err = vn_all_reduce(in, out, 256, VN_FLOAT32, VN_SUM, b->comm, NULL)
			      ?: vn_comm_sync(b->comm, LONG);
	__atomic_fetch_add(b->notes, 1, __ATOMIC_SEQ_CST);
	if (err)
		tap_diag("rank %d: %d (%s)", b->rank, err, vn_error());
	if ((is("late") && b->rank == last - 1) || (is("dead") && b->rank == last) ||
	    (is("recv") && b->rank))
		pause();
	if (is("left") && !b->rank) {
		vn_comm_destroy(b->comm);
		pause();
	}
	if (is("recv"))
		err = vn_recv(out, 256, VN_FLOAT32, 1, b->comm, NULL);
	else if (is("odd") && b->rank == 1)
		err = vn_broadcast(in, out, 256, VN_FLOAT32, 0, b->comm, NULL);
	else
		err = vn_all_reduce(in, out, 256, VN_FLOAT32, VN_SUM, b->comm, NULL);
	vn_comm_sync(b->comm, VN_FOREVER);
	pause();
	return 0;
}

/* Writes into every byte of many pages, now and then what could be true. */
__attribute__((noreturn)) static void noise(void)
{
	struct vn_rank_status *s[4];
	int ctx = open(device_spec(), O_RDWR);

	for (int i = 0; i < 4; i++) {
		struct vn_status_create a = { .size = sizeof(a) };

		NEED(ioctl(ctx, VN_IOCTL_STATUS_CREATE, &a));
		s[i] = mmap(NULL, a.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ctx, a.mmap_offset);
		if (s[i] == MAP_FAILED)
			NEED(-ENOMEM);
	}
	for (;;) {
		struct vn_rank_status *e = &s[rnd() % 4][rnd() % VN_STATUS_ENTRIES];

		scramble(e, sizeof(*e));
		if (rnd() & 1) {
			e->flags &= 31;
			memcpy(e->name, "noise-0123456789", VN_COMM_NAME);
			e->name[rnd() % 64 % VN_COMM_NAME] = (uint8_t)(rnd() % 4 ? 'x' : rnd());
			e->ranks %= 150;
			e->rank %= 150;
			e->chip %= 150;
			e->error %= 5000;
			e->completed %= 100;
			e->posted %= 100;
			e->started %= 100;
			e->op %= 70;
			e->type %= 16;
			e->redop %= 11;
			e->root %= 150;
		}
	}
}

int main(int argc, char **argv)
{
	struct band b;
	int n, last;

	if (argc != 3)
		return 2;
	mode = argv[1];
	n = atoi(argv[2]);
	last = n - 1;
	band_begin(&b, n);
	for (int r = 0; r < n; r++) {
		if (is("join") && r == last)
			break;
		fflush(stdout);
		b.pid[r] = fork();
		NEED(b.pid[r]);
		if (!b.pid[r]) {
			/* It goes when its parent does. */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (is("noise"))
				noise();
			b.rank = r;
			exit((int)band_play(&b, play));
		}
		printf("rank %d %d\n", r, (int)b.pid[r]);
	}
	while (!is("join") && !is("noise") &&
	       __atomic_load_n(b.notes, __ATOMIC_SEQ_CST) < (uint32_t)n)
		sleep_ms(5);
	if (is("dead")) {
		kill(b.pid[last], SIGKILL);
		band_wait(&b, last);
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
