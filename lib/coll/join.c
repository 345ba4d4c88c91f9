// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How ranks become a communicator: threads of one process, or of several (boot.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "join.h"
#include "status.h"

#define DEFAULT_TIMEOUT_NS (300ull * 1000000000)
/* Launches that may wait on the device's queue, a power of two above COLL_SLOTS. */
#define QUEUE_DEPTH 128u

static pthread_cond_t joined = PTHREAD_COND_INITIALIZER;

static _Thread_local struct {
	vn_device_t dev;
	uint32_t chip;
} current;

int vn_set_chip(vn_device_t dev, uint32_t chip)
{
	if (!dev || chip >= dev->query.chips)
		return vn_fail(dev ? -ENODEV : -EINVAL, "chip %u: there are chips 0 to %u", chip,
			       dev ? dev->query.chips - 1 : 0);
	current.dev = dev;
	current.chip = chip;
	return 0;
}

vn_device_t coll_set_device(void)
{
	return current.dev;
}

/* ---- when all are there ---------------------------------------------------------- */

static uint64_t env_u64(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t timeout_of(const struct vn_config *config)
{
	return config->timeout_ns
		       ?: env_u64("VNEURON_COLL_TIMEOUT_MS", 0) * 1000000
		       ?: DEFAULT_TIMEOUT_NS;
}

static int configure(struct coll_team *t)
{
	const struct vn_config *config = &t->config;

	t->timeout_ns = timeout_of(config);
	t->check = config->check < 0 ? env_u64("VNEURON_COLL_CHECK", 0) != 0 : config->check != 0;
	return coll_tune_init(t, config);
}

/* What the device does for the team: made by the last to join, for all. */
int join_connect(struct coll_team *t)
{
	uint32_t chip = t->board.member[t->apart ? t->speaker : 0].chip;
	int err = vn_queue_create(t->dev, chip, QUEUE_DEPTH, -1, &t->queue);

	return err
		       ?: vn_mem_alloc(t->dev, chip,
				       COLL_SLOTS * 2ull * t->ranks * sizeof(struct vn_operand),
				       &t->params);
}

/* What rank 0's process decides for all; the others take it over (guest.c). */
static void publish(struct coll_team *t)
{
	struct coll_head *h = t->board.head;

	h->timeout_ns = t->timeout_ns;
	h->cores = t->cores;
	h->check = t->check;
	h->forced = t->forced;
	memcpy(h->way, t->way, sizeof(h->way));
}

void join_complete(struct coll_team *t, int err)
{
	if (err) {
		t->join_error = err;
		snprintf(t->text, sizeof(t->text), "%s", vn_error());
	} else {
		coll_health_begin(t);
		t->complete = true;
	}
	pthread_cond_broadcast(&joined);
}

uint32_t join_born(const struct coll_team *t, uint32_t chip)
{
	return t->dev->health ? __atomic_load_n(&t->dev->health->chip[chip], __ATOMIC_ACQUIRE) : 0;
}

int join_lost(uint32_t rank, uint32_t chip)
{
	return vn_fail(-EHOSTDOWN, "rank %u: its chip %u is lost", rank, chip);
}

/*
 * A chip that was lost when its rank joined. That is told when all are there, and to all:
 * who came later than a rank that was turned away would wait for it.
 */
static int find_lost(const struct coll_team *t)
{
	const struct coll_member *m = t->board.member;

	for (uint32_t r = 0; r < t->ranks; r++)
		if (m[r].joined && m[r].born & 1)
			return join_lost(r, m[r].chip);
	return 0;
}

/* A rank more; of the process of rank 0, all count. */
void join_count_rank(struct coll_team *t, uint32_t rank, uint32_t chip, uint32_t born, pid_t pid)
{
	struct coll_member *m = &t->board.member[rank];
	int err;

	m->chip = chip;
	m->born = born;
	m->pid = (uint32_t)pid;
	m->joined = true;
	if (++t->joined < t->ranks)
		return;
	err = find_lost(t) ?: configure(t);
	if (!err && t->apart)
		publish(t);
	for (uint32_t r = 0; !err && t->apart && r < t->ranks; r++)
		if (t->seat[r].comm)
			err = coll_bell_init(t, r);
	join_complete(t, err ?: join_connect(t) ?: t->apart ? coll_reach_init(t) : 0);
}

/* ---- joining ------------------------------------------------------------------------ */

int join_checks(struct coll_team *t, uint32_t ranks, uint32_t rank, uint32_t chip)
{
	const struct coll_member *m = t->board.member;

	if (t->ranks != ranks)
		return vn_fail(-EINVAL, "rank %u: %u ranks, but others joined with %u", rank, ranks,
			       t->ranks);
	if (rank >= ranks)
		return vn_fail(-EINVAL, "rank %u of %u", rank, ranks);
	/* Of another process it is only what that says. */
	if (chip >= t->dev->query.chips)
		return vn_fail(-ENODEV, "rank %u: no chip %u; there are %u", rank, chip,
			       t->dev->query.chips);
	if (t->complete)
		return vn_fail(-EEXIST, "rank %u: all %u have joined already", rank, t->ranks);
	if (m[rank].joined || t->seat[rank].comm)
		return vn_fail(-EEXIST, "rank %u has joined already", rank);
	for (uint32_t r = 0; r < ranks; r++)
		if (m[r].joined && m[r].chip == chip)
			return vn_fail(-EEXIST, "rank %u: chip %u is that of rank %u", rank, chip,
				       r);
	return 0;
}

/* A rank's thread may be bound to a CPU of its own: only all of them know how many there are. */
void join_count_cores(struct coll_team *t, const cpu_set_t *set)
{
	CPU_OR(&t->cpus, &t->cpus, set);
	t->cores = CPU_COUNT(&t->cpus) ?: 1;
}

static void count_own_cores(struct coll_team *t)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	join_count_cores(t, &set);
}

/* Adds the rank to its team, which it makes if it is the first; registry held. */
static int enter(struct joining *j, const vn_unique_id *id, uint32_t ranks)
{
	uint32_t chip = (uint32_t)j->config->chip;
	struct coll_team *t;
	int err = coll_team_get(id, ranks, j->config->dev, j->rank, &t);

	if (err)
		return err;
	err = t->dev == j->config->dev
		      ? join_checks(t, ranks, j->rank, chip)
		      : vn_fail(-EXDEV, "rank %u: on another device handle than the other ranks",
				j->rank);
	j->comm = err ? NULL : coll_comm_new(t, j->rank);
	if (!err && !j->comm)
		err = vn_fail(-ENOMEM, "no memory for rank %u", j->rank);
	if (err) {
		coll_team_put(t);
		pthread_mutex_lock(&coll_registry);
		return err;
	}
	j->team = t;
	t->seat[j->rank].comm = j->comm;
	if (!j->rank)
		t->config = *j->config;
	count_own_cores(t);
	/* Of those who are let in the process of rank 0 keeps count. */
	if (t->apart && !t->seat[0].comm)
		return 0;
	if (t->board_fd >= 0)
		coll_board_hold(t->board_fd, j->rank);
	join_count_rank(t, j->rank, chip, join_born(t, chip), getpid());
	return 0;
}

/* ---- waiting for all ------------------------------------------------------------------ */

static void name_missing(const struct coll_team *t, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t r = 0; r < t->ranks && at + 16 < size; r++)
		if (!t->board.member[r].joined)
			at += (size_t)snprintf(text + at, size - at, " %u", r);
}

static int too_late(const struct joining *j)
{
	const struct coll_team *t = j->team;
	unsigned long long ms = j->timeout_ns / 1000000;
	const char *elsewhere = "";
	char missing[200];

	/* Nobody told it who has come elsewhere. */
	if (join_meets_others(t) && j->word < 0 && !t->seat[0].comm)
		elsewhere = "; others may have, in other processes: rank 0 would know";
	name_missing(t, missing, sizeof(missing));
	return vn_fail(-ETIMEDOUT,
		       "communicator of %u ranks: within %llu ms these did not join:%s%s", t->ranks,
		       ms, missing, elsewhere);
}

/* Until another thread has something to say, or for a while; registry held. */
static void nap(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += (long)JOIN_LOOK_NS;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	pthread_cond_timedwait(&joined, &coll_registry, &ts);
}

/* Waits until all are there; registry held. */
static int meet(struct joining *j)
{
	struct coll_team *t = j->team;
	int err = !j->rank && join_meets_others(t) ? join_found(j) : 0;

	while (!err && !t->complete && !t->join_error) {
		if (vn_now() >= j->end)
			err = too_late(j);
		else if (j->listener >= 0)
			err = join_welcome(j);
		else if (j->word >= 0)
			join_await_word(j);
		else if (join_meets_others(t) && !t->seat[0].comm && !t->knocking)
			err = join_knock(j);
		else
			nap();
	}
	/* Not with this rank: not at all. */
	if (err && !t->join_error)
		join_complete(t, err);
	return t->join_error ? vn_fail(t->join_error, "%s", t->text) : 0;
}

/* Gives the word to those who wait for it, and closes what joining took. */
static void conclude(struct joining *j, int err)
{
	for (uint32_t r = 0; r < VN_MAX_CHIPS; r++)
		if (j->guest[r] >= 0)
			coll_boot_go(j->guest[r], err, j->team->text);
	if (j->listener >= 0)
		close(j->listener);
	if (j->domain >= 0)
		close(j->domain);
	if (j->word >= 0)
		close(j->word);
}

/* It came to nothing. */
static void leave(struct vn_lib_comm *c)
{
	struct coll_team *t = c->team;

	coll_status_leave(c);
	pthread_mutex_lock(&coll_registry);
	t->seat[c->rank].comm = NULL;
	coll_bell_free(t, c->rank);
	coll_team_put(t);
	coll_comm_free(c);
}

/* ---- calls --------------------------------------------------------------------------- */

/* An older and smaller one keeps its meaning. */
int coll_config_read(struct vn_config *to, const struct vn_config *from)
{
	static const struct vn_config defaults = VN_CONFIG_INITIALIZER;

	*to = defaults;
	if (!from)
		return 0;
	if (from->size < offsetof(struct vn_config, dev) || from->size > sizeof(*to))
		return vn_fail(-EINVAL, "config: a size of %zu; this library knows up to %zu",
			       from->size, sizeof(*to));
	if (from->version != VN_CONFIG_VERSION)
		return vn_fail(-EINVAL, "config: version %u; this library knows %u", from->version,
			       VN_CONFIG_VERSION);
	memcpy(to, from, from->size);
	to->size = sizeof(*to);
	return to->way < VN_WAY_COUNT ? 0 : vn_fail(-EINVAL, "config: no way %u", to->way);
}

static int check_chip(const struct vn_config *config, int rank)
{
	if ((uint32_t)config->chip < config->dev->query.chips)
		return 0;
	return vn_fail(-ENODEV, "rank %d: no chip %d; there are %u", rank, config->chip,
		       config->dev->query.chips);
}

static int complete_config(struct vn_config *to, const struct vn_config *from, int rank)
{
	int err = coll_config_read(to, from);

	if (err)
		return err;
	if (to->chip < 0)
		to->chip = !to->dev && current.dev ? (int32_t)current.chip : rank;
	if (!to->dev)
		to->dev = current.dev;
	if (!to->dev)
		return vn_fail(-EINVAL, "no device: call vn_set_chip() or name one in the config");
	return check_chip(to, rank);
}

static int check_ranks(int nranks, int rank)
{
	if (nranks < 1 || nranks > VN_MAX_CHIPS)
		return vn_fail(-EINVAL, "%d ranks; want 1 to %u", nranks, VN_MAX_CHIPS);
	if (rank < 0 || rank >= nranks)
		return vn_fail(-EINVAL, "rank %d of %d", rank, nranks);
	return 0;
}

/* A call that is complete. */
struct init {
	vn_comm_t *comm;
	uint32_t ranks, rank;
	vn_unique_id id;
	struct vn_config config;
};

static int init_rank(void *arg)
{
	const struct init *i = arg;
	struct joining j = {
		.rank = i->rank,
		.config = &i->config,
		.timeout_ns = timeout_of(&i->config),
		.listener = -1,
		.domain = -1,
		.word = -1,
	};
	int err;

	memset(j.guest, -1, sizeof(j.guest));
	j.end = vn_deadline(j.timeout_ns);
	pthread_mutex_lock(&coll_registry);
	err = enter(&j, &i->id, i->ranks);
	if (err) {
		pthread_mutex_unlock(&coll_registry);
		return err;
	}
	err = meet(&j);
	pthread_mutex_unlock(&coll_registry);
	conclude(&j, err);
	if (!err) {
		coll_status_joined(j.comm);
		*i->comm = j.comm;
		return 0;
	}
	leave(j.comm);
	return err;
}

/* What is known to be wrong now would be waited for when the group ends. */
static int check_group(const void *held, const void *arg)
{
	const struct init *a = held, *b = arg;

	if (memcmp(&a->id, &b->id, sizeof(a->id)))
		return 0;
	if (a->ranks != b->ranks)
		return vn_fail(-EINVAL, "rank %u: %u ranks, but rank %u of the group has %u",
			       b->rank, b->ranks, a->rank, a->ranks);
	if (a->rank == b->rank)
		return vn_fail(-EEXIST, "rank %u is twice in the group", b->rank);
	if (a->config.chip == b->config.chip)
		return vn_fail(-EEXIST, "rank %u: chip %d is that of rank %u", b->rank,
			       b->config.chip, a->rank);
	return 0;
}

int vn_comm_init_rank_config(vn_comm_t *comm, int nranks, vn_unique_id id, int rank,
			     const struct vn_config *config)
{
	struct init i = {
		.comm = comm, .ranks = (uint32_t)nranks, .rank = (uint32_t)rank, .id = id
	};
	int err = check_ranks(nranks, rank);

	err = err ?: complete_config(&i.config, config, rank);
	err = err ?: coll_later_check(init_rank, check_group, &i);
	err = err ?: vn_attach(i.config.dev, (uint32_t)i.config.chip);
	return err ? coll_refuse_later(err) : coll_later(init_rank, &i, sizeof(i));
}

int vn_comm_init_rank(vn_comm_t *comm, int nranks, vn_unique_id id, int rank)
{
	return vn_comm_init_rank_config(comm, nranks, id, rank, NULL);
}

int vn_comm_init_all_config(vn_comm_t *comms, int nranks, const int *chips,
			    const struct vn_config *config)
{
	struct vn_config full;
	struct joining j = { .config = &full };
	vn_unique_id id;
	int err = check_ranks(nranks, 0), r;

	err = err ?: vn_get_unique_id(&id);
	for (r = 0; !err && r < nranks; r++) {
		err = complete_config(&full, config, r);
		if (err)
			break;
		full.chip = chips ? chips[r] : r;
		err = check_chip(&full, r) ?: vn_attach(full.dev, (uint32_t)full.chip);
		if (err)
			break;
		j.rank = (uint32_t)r;
		pthread_mutex_lock(&coll_registry);
		err = enter(&j, &id, (uint32_t)nranks);
		pthread_mutex_unlock(&coll_registry);
		if (err)
			break;
		comms[r] = j.comm;
	}
	if (!err && comms[0]->team->join_error)
		err = vn_fail(comms[0]->team->join_error, "%s", comms[0]->team->text);
	for (int i = 0; !err && i < nranks; i++)
		coll_status_joined(comms[i]);
	if (!err)
		return 0;
	while (r-- > 0)
		leave(comms[r]);
	return err;
}

int vn_comm_init_all(vn_comm_t *comms, int nranks, const int *chips)
{
	return vn_comm_init_all_config(comms, nranks, chips, NULL);
}
