/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A band: ranks that are processes, each with a device handle of its own. What they do
 * is a function that returns how much was wrong; the parent counts who says so, and
 * who does not come back.
 */
#ifndef VN_TEST_BAND_H
#define VN_TEST_BAND_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <vneuron/coll.h>

#include "../lib/fixture.h"

struct band {
	int ranks, rank; /* rank: of this process */
	vn_unique_id id;
	vn_device_t dev;
	vn_comm_t comm;
	uint32_t *notes; /* [VN_MAX_CHIPS + 1], shared by all; zero at first */
	pid_t pid[VN_MAX_CHIPS];
};

static UNUSED void band_begin(struct band *b, int ranks)
{
	memset(b, 0, sizeof(*b));
	b->ranks = ranks;
	b->notes = mmap(NULL, (VN_MAX_CHIPS + 1) * sizeof(*b->notes), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->notes == MAP_FAILED)
		NEED(-ENOMEM);
	NEED(vn_get_unique_id(&b->id));
}

/* The process of a rank: joins, does it, leaves. */
static UNUSED unsigned int band_play(struct band *b, unsigned int (*fn)(struct band *b))
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	unsigned int wrong;
	int err;

	NEED(vn_open(device_spec(), &b->dev));
	config.dev = b->dev;
	config.timeout_ns = LONG;
	err = vn_comm_init_rank_config(&b->comm, b->ranks, b->id, b->rank, &config);
	if (err) {
		tap_diag("rank %d joins: %d (%s)", b->rank, err, vn_error());
		return 1;
	}
	wrong = fn(b);
	if (b->comm && vn_comm_destroy(b->comm)) {
		tap_diag("rank %d leaves: %s", b->rank, vn_error());
		wrong++;
	}
	vn_close(b->dev);
	return wrong;
}

static UNUSED void band_fork(struct band *b, int rank, unsigned int (*fn)(struct band *b))
{
	fflush(stdout);
	b->pid[rank] = fork();
	if (b->pid[rank] < 0)
		NEED(-EAGAIN);
	if (b->pid[rank])
		return;
	b->rank = rank;
	exit(band_play(b, fn) ? 1 : 0);
}

/* How the process of a rank ended, as waitpid() says. */
static UNUSED int band_wait(struct band *b, int rank)
{
	int status = -1;

	waitpid(b->pid[rank], &status, 0);
	return status;
}

/* All ranks; returns how many did not end well. */
static UNUSED unsigned int band_run(struct band *b, unsigned int (*fn)(struct band *b))
{
	unsigned int bad = 0;

	for (int r = 0; r < b->ranks; r++)
		band_fork(b, r, fn);
	for (int r = 0; r < b->ranks; r++) {
		int status = band_wait(b, r);

		if (status)
			tap_diag("rank %d of %d: status %#x", r, b->ranks, (unsigned int)status);
		bad += status != 0;
	}
	return bad;
}

static UNUSED void band_end(struct band *b)
{
	munmap(b->notes, (VN_MAX_CHIPS + 1) * sizeof(*b->notes));
}

/* A point: so many ranks do it, and nothing is wrong. */
static UNUSED void band_point(int ranks, unsigned int (*fn)(struct band *b), const char *what)
{
	struct band b;

	band_begin(&b, ranks);
	tap_ok(!band_run(&b, fn), "%s, %d processes", what, ranks);
	band_end(&b);
}

static UNUSED int band_next(const struct band *b, int shift)
{
	return (b->rank + shift + b->ranks) % b->ranks;
}

/* What went wrong in a rank's process; nothing if err is 0. */
static UNUSED unsigned int band_bad(const struct band *b, int err, const char *what)
{
	if (err)
		tap_diag("rank %d: %s: %d (%s)", b->rank, what, err, vn_error());
	return err != 0;
}

#endif
