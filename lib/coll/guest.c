// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Joining across processes: rank 0 lets the others in, who knock and wait for the word. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "join.h"

/* Who knocks where nobody listens tries again after that long. */
#define KNOCK_NS 2000000ull

/* ---- rank 0 of several processes ------------------------------------------------------ */

/* The board becomes a file, and rank 0 listens. */
int join_found(struct joining *j)
{
	struct coll_team *t = j->team;
	int fd, err;

	j->listener = coll_boot_listen(&t->id);
	if (j->listener < 0)
		return j->listener;
	fd = coll_board_file(coll_board_bytes(t->ranks));
	if (fd < 0)
		return vn_fail(fd, "no memory for a communicator of %u ranks", t->ranks);
	err = coll_team_move(t, fd, true);
	if (err) {
		close(fd);
		return err;
	}
	for (uint32_t r = 0; r < t->ranks; r++)
		if (t->seat[r].comm)
			coll_board_hold(fd, r);
	j->domain = vn_domain_export(t->dev);
	return j->domain < 0 ? j->domain : 0;
}

/* Who has been let in and is gone again would be waited for in vain. */
static int look_for_gone(const struct joining *j)
{
	const struct coll_team *t = j->team;

	for (uint32_t r = 0; r < t->ranks; r++)
		if (j->guest[r] >= 0 && coll_boot_gone(j->guest[r]))
			return vn_fail(
				-EOWNERDEAD,
				"rank %u: its process (%u) has died, or given up, before all "
				"%u ranks had joined",
				r, t->board.member[r].pid, t->ranks);
	return 0;
}

/*
 * Talks to who may come in, registry held, but not while it does: 0, and it is in. With a
 * chip that is lost, before or meanwhile, it is not, but born says so.
 */
static int let_in(struct joining *j, const struct coll_guest *g, uint32_t *born)
{
	struct coll_team *t = j->team;
	int err;

	*born = join_born(t, g->hello.chip);
	if (*born & 1)
		return coll_boot_answer(g, join_lost(g->hello.rank, g->hello.chip), vn_error(), -1,
					-1);
	pthread_mutex_unlock(&coll_registry);
	err = coll_boot_answer(g, 0, NULL, g->hello.wants_board ? t->board_fd : -1, j->domain);
	pthread_mutex_lock(&coll_registry);
	if (err) {
		close(g->fd);
		*born = join_born(t, g->hello.chip);
	}
	return err;
}

/* Lets in who knocks, one at a time; registry held, but not while it talks. */
int join_welcome(struct joining *j)
{
	struct coll_team *t = j->team;
	struct coll_guest g;
	uint32_t born;
	int err, out;

	pthread_mutex_unlock(&coll_registry);
	err = coll_boot_accept(j->listener, &t->id, JOIN_LOOK_NS, &g);
	pthread_mutex_lock(&coll_registry);
	if (err)
		return look_for_gone(j);
	err = join_checks(t, g.hello.ranks, g.hello.rank, g.hello.chip);
	if (err) {
		coll_boot_answer(&g, err, vn_error(), -1, -1);
		return 0;
	}
	out = let_in(j, &g, &born);
	/* Who is out because of its chip counts: the others would wait for it. */
	if (out && !(born & 1))
		return 0;
	/* A thread of this process may have taken its place. */
	err = join_checks(t, g.hello.ranks, g.hello.rank, g.hello.chip);
	if (err) {
		if (!out)
			coll_boot_go(g.fd, err, vn_error());
		return 0;
	}
	t->apart = true;
	if (!out)
		j->guest[g.hello.rank] = g.fd;
	join_count_cores(t, &g.hello.cpus);
	join_count_rank(t, g.hello.rank, g.hello.chip, born, g.pid);
	return 0;
}

/* ---- ranks that come from other processes ------------------------------------------------ */

/* Let in: the board and the domain of rank 0's process are this one's, too; registry held. */
static int move_in(struct joining *j, int board)
{
	struct coll_team *t = j->team;
	int err;

	if (board >= 0) {
		err = coll_board_check(board, coll_board_bytes(t->ranks))
			      ?: coll_team_move(t, board, false);
		if (err) {
			close(board);
			return err;
		}
	}
	t->apart = true;
	t->board.member[j->rank].chip = (uint32_t)j->config->chip;
	return coll_board_hold(t->board_fd, j->rank) ?: coll_bell_init(t, j->rank);
}

/* Registry held, but not while it talks. */
int join_knock(struct joining *j)
{
	struct coll_team *t = j->team;
	struct coll_hello h = {
		.ranks = t->ranks,
		.rank = j->rank,
		.chip = (uint32_t)j->config->chip,
		.wants_board = t->board_fd < 0,
		.id = t->id,
		.cpus = t->cpus,
	};
	uint64_t now = vn_now(), left = j->end > now ? j->end - now : 0;
	int fd, board, domain, err;

	t->knocking = true;
	pthread_mutex_unlock(&coll_registry);
	err = coll_boot_knock(&h, left, &fd, &board, &domain);
	if (err == -EAGAIN)
		nanosleep(&(struct timespec){ .tv_nsec = KNOCK_NS }, NULL);
	else if (!err && domain >= 0)
		err = vn_domain_join(t->dev, domain);
	pthread_mutex_lock(&coll_registry);
	t->knocking = false;
	if (err == -EAGAIN)
		return 0;
	if (domain >= 0)
		close(domain);
	if (!err)
		err = move_in(j, board) ?: coll_boot_ready(fd);
	else if (board >= 0)
		close(board);
	if (!err)
		j->word = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

/* What rank 0's process has decided for all. */
static void adopt(struct coll_team *t)
{
	const struct coll_head *h = t->board.head;

	t->timeout_ns = h->timeout_ns;
	t->cores = h->cores;
	t->check = h->check;
	t->forced = h->forced;
	memcpy(t->way, h->way, sizeof(t->way));
}

void join_await_word(struct joining *j)
{
	struct coll_team *t = j->team;
	int err;

	pthread_mutex_unlock(&coll_registry);
	err = coll_boot_wait(j->word, JOIN_LOOK_NS);
	pthread_mutex_lock(&coll_registry);
	if (err == -EAGAIN || t->complete || t->join_error)
		return;
	if (!err) {
		adopt(t);
		err = join_connect(t) ?: coll_reach_init(t);
	}
	join_complete(t, err);
}
