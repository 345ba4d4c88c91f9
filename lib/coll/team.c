// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Teams: what a process has of a communicator, from its first rank to its last. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "boot.h"
#include "coll.h"
#include "status.h"
#include "team.h"

pthread_mutex_t coll_registry = PTHREAD_MUTEX_INITIALIZER;
static struct coll_team *teams;

bool coll_fence_by_kernel;

static void ask_kernel(void)
{
	coll_fence_by_kernel =
		!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) &&
		!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
}

void coll_fence_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, ask_kernel);
}

int vn_get_unique_id(vn_unique_id *id)
{
	memset(id, 0, sizeof(*id));
	memcpy(id->internal, "vneuron", 8);
	if (getrandom(id->internal + 8, COLL_SECRET, 0) != COLL_SECRET)
		return vn_fail(-EIO, "no random bytes for a unique id");
	return 0;
}

bool coll_elsewhere(const struct coll_team *here, bool (*fn)(struct coll_team *t, uint32_t but))
{
	bool worked = false;

	if (pthread_mutex_trylock(&coll_registry))
		return false;
	for (struct coll_team *t = teams; t; t = t->next)
		if (t != here && t->complete && !t->join_error)
			worked |= fn(t, UINT32_MAX);
	pthread_mutex_unlock(&coll_registry);
	return worked;
}

/* ---- making one ------------------------------------------------------------ */

/* Zeroed pages that are there once they are written to. */
static void *pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void team_free(struct coll_team *t)
{
	coll_programs_free(t);
	if (t->queue)
		vn_queue_destroy(t->queue);
	if (t->params.ptr)
		vn_mem_free(t->dev, &t->params);
	coll_reach_free(t);
	if (t->board.head)
		munmap(t->board.head, coll_board_bytes(t->ranks));
	if (t->board_fd >= 0)
		close(t->board_fd);
	free(t->seat);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void *lines(size_t n, size_t each)
{
	size_t bytes = (n * each + 63) & ~(size_t)63;
	void *p = aligned_alloc(64, bytes);

	if (p)
		memset(p, 0, bytes);
	return p;
}

static int team_new(const vn_unique_id *id, uint32_t ranks, vn_device_t dev, struct coll_team **to)
{
	struct coll_team *t = lines(1, sizeof(*t));
	void *board;

	coll_fence_init();
	coll_stop_init();
	if (!t)
		return vn_fail(-ENOMEM, "no memory for a communicator of %u ranks", ranks);
	vn_lock_init(&t->lock);
	t->id = *id;
	t->ranks = ranks;
	t->dev = dev;
	t->board_fd = -1;
	t->stream_bytes = vn_stream_bytes();
	t->ops = vn_host_ops(dev->query.features & VN_FEATURE_AVX2);
	t->seat = lines(ranks, sizeof(*t->seat));
	board = pages(coll_board_bytes(ranks));
	if (board)
		coll_board_lay(&t->board, board, ranks);
	if (!t->seat || !board) {
		team_free(t);
		return vn_fail(-ENOMEM, "no memory for a communicator of %u ranks", ranks);
	}
	*to = t;
	return 0;
}

int coll_team_get(const vn_unique_id *id, uint32_t ranks, vn_device_t dev, uint32_t rank,
		  struct coll_team **to)
{
	struct coll_team *t;
	int err;

	for (t = teams; t && memcmp(&t->id, id, sizeof(*id)); t = t->next)
		;
	if (!t) {
		err = team_new(id, ranks, dev, &t);
		if (err)
			return err;
		t->speaker = rank;
		t->next = teams;
		teams = t;
	}
	t->refs++;
	*to = t;
	return 0;
}

int coll_team_move(struct coll_team *t, int fd, bool along)
{
	size_t bytes = coll_board_bytes(t->ranks);
	struct coll_board from = t->board;
	void *board = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (board == MAP_FAILED)
		return vn_fail(-errno, "the board of %u ranks can't be mapped: %s", t->ranks,
			       strerror(errno));
	coll_board_lay(&t->board, board, t->ranks);
	for (uint32_t r = 0; r < t->ranks; r++)
		if (along && from.member[r].joined)
			t->board.member[r] = from.member[r];
	munmap(from.head, bytes);
	t->board_fd = fd;
	return 0;
}

static void unlink_team(struct coll_team *t)
{
	struct coll_team **at;

	for (at = &teams; *at && *at != t; at = &(*at)->next)
		;
	if (*at)
		*at = t->next;
}

void coll_team_put(struct coll_team *t)
{
	uint32_t left = --t->refs;

	if (!left)
		unlink_team(t);
	pthread_mutex_unlock(&coll_registry);
	if (!left)
		team_free(t);
}

void coll_comm_free(struct vn_lib_comm *c)
{
	coll_op_forget(c);
	coll_windows_free(c);
	coll_kin_free(c);
	free(c->registered);
	free(c->scratch);
	free(c);
}

struct vn_lib_comm *coll_comm_new(struct coll_team *t, uint32_t rank)
{
	struct vn_lib_comm *c = lines(1, sizeof(*c));

	if (!c)
		return NULL;
	c->scratch = lines(1, VN_SCRATCH_BYTES);
	c->team = t;
	c->rank = rank;
	if (c->scratch && !coll_op_init(c)) {
		coll_status_enter(c);
		return c;
	}
	coll_comm_free(c);
	return NULL;
}

/* ---- ending one ------------------------------------------------------------ */

static void part(struct vn_lib_comm *c)
{
	struct coll_team *t = c->team;

	coll_group_forget(c);
	/* Its own thread may be inside a call: that one ends first, and soon. */
	coll_enter(c);
	coll_op_drop(c);
	coll_persistent_free_all(c);
	coll_stage_free(c);
	coll_status_leave(c);
	t->seat[c->rank].comm = NULL;
	coll_leave(c);
	pthread_mutex_lock(&coll_registry);
	__atomic_store_n(&t->board.member[c->rank].left, true, __ATOMIC_RELEASE);
	if (t->board_fd >= 0)
		coll_board_let_go(t->board_fd, c->rank);
	/* The device may still work on a launch: it is not taken from under it. */
	if (t->refs == 1 && !coll_failed(t))
		coll_device_drain(t);
	else if (t->refs == 1)
		coll_device_reset(t);
	coll_bell_free(t, c->rank);
	coll_team_put(t);
	coll_comm_free(c);
}

int vn_comm_finalize(vn_comm_t c)
{
	return vn_comm_sync(c, VN_FOREVER);
}

int vn_comm_destroy(vn_comm_t c)
{
	int err = vn_comm_finalize(c);

	if (!c)
		return err;
	part(c);
	return err;
}

int vn_comm_abort(vn_comm_t c)
{
	if (!c)
		return vn_fail(-EINVAL, "abort: no communicator");
	coll_fail(c->team, -ECANCELED, "communicator of %u ranks: aborted by rank %u",
		  c->team->ranks, c->rank);
	if (__atomic_exchange_n(&c->aborted, true, __ATOMIC_SEQ_CST))
		return 0;
	part(c);
	return 0;
}

int vn_comm_revoke(vn_comm_t c)
{
	if (!c)
		return vn_fail(-EINVAL, "revoke: no communicator");
	coll_fail(c->team, -ECANCELED, "communicator of %u ranks: revoked by rank %u",
		  c->team->ranks, c->rank);
	return 0;
}

/* What a call that only asks needs. */
static int needs(const char *call, const void *comm, const void *place)
{
	if (comm && place)
		return 0;
	return vn_fail(-EINVAL, "%s: no %s", call, comm ? "place for the answer" : "communicator");
}

int vn_comm_get_async_error(vn_comm_t c, int *error)
{
	int err = needs("get_async_error", c, error);

	if (err)
		return err;
	*error = coll_failed(c->team);
	return 0;
}

const char *vn_comm_error(vn_comm_t c)
{
	return c && coll_failed(c->team) ? coll_fault_text(c->team) : "";
}

int vn_comm_count(vn_comm_t c, int *count)
{
	int err = needs("count", c, count);

	if (err)
		return err;
	*count = (int)c->team->ranks;
	return 0;
}

int vn_comm_user_rank(vn_comm_t c, int *rank)
{
	int err = needs("user_rank", c, rank);

	if (err)
		return err;
	*rank = (int)c->rank;
	return 0;
}

int vn_comm_chip(vn_comm_t c, uint32_t *chip)
{
	int err = needs("chip", c, chip);

	if (err)
		return err;
	*chip = c->team->board.member[c->rank].chip;
	return 0;
}

int vn_comm_stats(vn_comm_t c, struct vn_comm_stats *stats)
{
	int err = needs("stats", c, stats);
	struct coll_team *t;

	if (err)
		return err;
	t = c->team;
	*stats = c->stats;
	pthread_mutex_lock(&t->lock);
	stats->plans = t->nprograms;
	stats->launches = t->launches;
	pthread_mutex_unlock(&t->lock);
	return 0;
}
