// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Teams: how ranks find each other, fail together and part. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "coll.h"
#include "../../kmod/engine/ops.h"

#define DEFAULT_TIMEOUT_NS (300ull * 1000000000)
/* Launches that may wait on the device's queue, a power of two above COLL_SLOTS. */
#define QUEUE_DEPTH 128u

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t joined = PTHREAD_COND_INITIALIZER;
static struct coll_team *teams;

static pthread_once_t fence_once = PTHREAD_ONCE_INIT;
bool coll_fence_by_kernel;

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

int vn_get_unique_id(vn_unique_id *id)
{
	memset(id, 0, sizeof(*id));
	memcpy(id->internal, "vneuron", 8);
	if (getrandom(id->internal + 8, 24, 0) != 24)
		return vn_fail(-EIO, "no random bytes for a unique id");
	return 0;
}

bool coll_elsewhere(const struct coll_team *here, bool (*fn)(struct coll_team *t, uint32_t but))
{
	bool worked = false;

	if (pthread_mutex_trylock(&registry))
		return false;
	for (struct coll_team *t = teams; t; t = t->next)
		if (t != here && t->joined == t->ranks && !t->join_error)
			worked |= fn(t, UINT32_MAX);
	pthread_mutex_unlock(&registry);
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
	if (t->board.head)
		munmap(t->board.head, coll_board_bytes(t->ranks));
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

static uint64_t env_u64(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static int team_new(const vn_unique_id *id, uint32_t ranks, vn_device_t dev, struct coll_team **to)
{
	struct coll_team *t = lines(1, sizeof(*t));
	void *board;

	pthread_once(&fence_once, coll_fence_init);
	if (!t)
		return vn_fail(-ENOMEM, "no memory for a communicator of %u ranks", ranks);
	vn_lock_init(&t->lock);
	t->id = *id;
	t->ranks = ranks;
	t->dev = dev;
	t->stream_bytes = vn_stream_bytes();
	t->ops = dev->query.features & VN_FEATURE_AVX2 ? &vn_ops_avx2 : &vn_ops_scalar;
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
static int connect(struct coll_team *t)
{
	uint32_t chip = t->board.member[0].chip;
	int err = vn_queue_create(t->dev, chip, QUEUE_DEPTH, -1, &t->queue);

	return err
		       ?: vn_mem_alloc(t->dev, chip,
				       COLL_SLOTS * 2ull * t->ranks * sizeof(struct vn_operand),
				       &t->params);
}

static void unlink_team(struct coll_team *t)
{
	struct coll_team **at;

	for (at = &teams; *at && *at != t; at = &(*at)->next)
		;
	if (*at)
		*at = t->next;
}

/* registry held; drops it */
static void team_put(struct coll_team *t)
{
	uint32_t left = --t->refs;

	if (!left)
		unlink_team(t);
	pthread_mutex_unlock(&registry);
	if (!left)
		team_free(t);
}

static int join_checks(struct coll_team *t, uint32_t ranks, uint32_t rank, vn_device_t dev,
		       uint32_t chip)
{
	if (t->ranks != ranks)
		return vn_fail(-EINVAL, "rank %u: %u ranks, but others joined with %u", rank, ranks,
			       t->ranks);
	if (t->dev != dev)
		return vn_fail(-EXDEV, "rank %u: on another device handle than the other ranks",
			       rank);
	if (t->board.member[rank].joined)
		return vn_fail(-EEXIST, "rank %u has joined already", rank);
	for (uint32_t r = 0; r < ranks; r++)
		if (t->board.member[r].joined && t->board.member[r].chip == chip)
			return vn_fail(-EEXIST, "rank %u: chip %u is that of rank %u", rank, chip,
				       r);
	return 0;
}

static void name_missing(const struct coll_team *t, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t r = 0; r < t->ranks && at + 16 < size; r++)
		if (!t->board.member[r].joined)
			at += (size_t)snprintf(text + at, size - at, " %u", r);
}

static void comm_free(struct vn_lib_comm *c)
{
	coll_op_forget(c);
	coll_windows_free(c);
	free(c->registered);
	free(c->scratch);
	free(c);
}

static struct vn_lib_comm *comm_new(struct coll_team *t, uint32_t rank)
{
	struct vn_lib_comm *c = lines(1, sizeof(*c));

	if (!c)
		return NULL;
	c->scratch = lines(1, VN_SCRATCH_BYTES);
	c->team = t;
	c->rank = rank;
	if (c->scratch && !coll_op_init(c))
		return c;
	comm_free(c);
	return NULL;
}

/* A rank's thread may be bound to a CPU of its own: only all of them know how many there are. */
static void count_cores(struct coll_team *t)
{
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof(set), &set))
		CPU_OR(&t->cpus, &t->cpus, &set);
	t->cores = CPU_COUNT(&t->cpus) ?: 1;
}

/* Adds a rank to the team of that id, which it makes if it is the first; registry held. */
static int enter(const vn_unique_id *id, uint32_t ranks, uint32_t rank,
		 const struct vn_config *config, struct vn_lib_comm **to)
{
	struct coll_team *t;
	int err = 0;

	for (t = teams; t && memcmp(&t->id, id, sizeof(*id)); t = t->next)
		;
	if (!t) {
		err = team_new(id, ranks, config->dev, &t);
		if (err)
			return err;
		t->speaker = rank;
		t->next = teams;
		teams = t;
	}
	t->refs++;
	err = t->joined == t->ranks
		      ? vn_fail(-EEXIST, "rank %u: all %u have joined already", rank, t->ranks)
		      : join_checks(t, ranks, rank, config->dev, (uint32_t)config->chip);
	*to = err ? NULL : comm_new(t, rank);
	if (!err && !*to)
		err = vn_fail(-ENOMEM, "no memory for rank %u", rank);
	if (err) {
		team_put(t);
		pthread_mutex_lock(&registry);
		return err;
	}
	t->board.member[rank].chip = (uint32_t)config->chip;
	t->seat[rank].comm = *to;
	t->board.member[rank].joined = true;
	if (!rank)
		t->config = *config;
	count_cores(t);
	if (++t->joined == t->ranks) {
		t->join_error = configure(t) ?: connect(t);
		if (t->join_error)
			snprintf(t->text, sizeof(t->text), "%s", vn_error());
		pthread_cond_broadcast(&joined);
	}
	return 0;
}

/* Waits until all are there; registry held. */
static int meet(struct coll_team *t, uint64_t timeout_ns)
{
	uint64_t end = vn_deadline(timeout_ns), now;
	char missing[200];
	struct timespec ts;

	while (t->joined < t->ranks && !t->join_error) {
		now = vn_now();
		if (now >= end) {
			name_missing(t, missing, sizeof(missing));
			t->join_error = -ETIMEDOUT;
			snprintf(t->text, sizeof(t->text),
				 "communicator of %u ranks: within %llu ms these did not join:%s",
				 t->ranks, (unsigned long long)(timeout_ns / 1000000), missing);
			pthread_cond_broadcast(&joined);
			break;
		}
		now = end - now < 100000000 ? end - now : 100000000;
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += (long)now;
		if (ts.tv_nsec >= 1000000000) {
			ts.tv_nsec -= 1000000000;
			ts.tv_sec++;
		}
		pthread_cond_timedwait(&joined, &registry, &ts);
	}
	return t->join_error ? vn_fail(t->join_error, "%s", t->text) : 0;
}

/* The caller's configuration, completed; an older and smaller one keeps its meaning. */
static int complete_config(struct vn_config *to, const struct vn_config *from, int rank)
{
	static const struct vn_config defaults = VN_CONFIG_INITIALIZER;

	*to = defaults;
	if (from) {
		if (from->size < offsetof(struct vn_config, dev) || from->size > sizeof(*to))
			return vn_fail(-EINVAL,
				       "config: a size of %zu; this library knows up to %zu",
				       from->size, sizeof(*to));
		if (from->version != VN_CONFIG_VERSION)
			return vn_fail(-EINVAL, "config: version %u; this library knows %u",
				       from->version, VN_CONFIG_VERSION);
		memcpy(to, from, from->size);
	}
	if (to->way >= VN_WAY_COUNT)
		return vn_fail(-EINVAL, "config: no way %u", to->way);
	if (to->chip < 0)
		to->chip = !to->dev && current.dev ? (int32_t)current.chip : rank;
	if (!to->dev)
		to->dev = current.dev;
	if (!to->dev)
		return vn_fail(-EINVAL, "no device: call vn_set_chip() or name one in the config");
	if ((uint32_t)to->chip >= to->dev->query.chips)
		return vn_fail(-ENODEV, "rank %d: no chip %d; there are %u", rank, to->chip,
			       to->dev->query.chips);
	return 0;
}

static int check_ranks(int nranks, int rank)
{
	if (nranks < 1 || nranks > VN_MAX_CHIPS)
		return vn_fail(-EINVAL, "%d ranks; want 1 to %u", nranks, VN_MAX_CHIPS);
	if (rank < 0 || rank >= nranks)
		return vn_fail(-EINVAL, "rank %d of %d", rank, nranks);
	return 0;
}

int vn_comm_init_rank_config(vn_comm_t *comm, int nranks, vn_unique_id id, int rank,
			     const struct vn_config *config)
{
	struct vn_config full;
	struct vn_lib_comm *c;
	int err = check_ranks(nranks, rank);

	err = err ?: complete_config(&full, config, rank);
	err = err ?: vn_attach(full.dev, (uint32_t)full.chip);
	if (err)
		return err;
	pthread_mutex_lock(&registry);
	err = enter(&id, (uint32_t)nranks, (uint32_t)rank, &full, &c);
	if (!err)
		err = meet(c->team, timeout_of(&full));
	else
		c = NULL;
	if (!err) {
		pthread_mutex_unlock(&registry);
		*comm = c;
		return 0;
	}
	if (c) {
		team_put(c->team);
		comm_free(c);
	} else {
		pthread_mutex_unlock(&registry);
	}
	return err;
}

int vn_comm_init_rank(vn_comm_t *comm, int nranks, vn_unique_id id, int rank)
{
	return vn_comm_init_rank_config(comm, nranks, id, rank, NULL);
}

int vn_comm_init_all_config(vn_comm_t *comms, int nranks, const int *chips,
			    const struct vn_config *config)
{
	struct vn_config full;
	struct vn_lib_comm *c;
	vn_unique_id id;
	int err = check_ranks(nranks, 0), r;

	err = err ?: vn_get_unique_id(&id);
	for (r = 0; !err && r < nranks; r++) {
		err = complete_config(&full, config, r);
		if (err)
			break;
		full.chip = chips ? chips[r] : r;
		if (full.chip < 0 || (uint32_t)full.chip >= full.dev->query.chips)
			err = vn_fail(-ENODEV, "rank %d: no chip %d; there are %u", r, full.chip,
				      full.dev->query.chips);
		err = err ?: vn_attach(full.dev, (uint32_t)full.chip);
		if (err)
			break;
		pthread_mutex_lock(&registry);
		err = enter(&id, (uint32_t)nranks, (uint32_t)r, &full, &c);
		pthread_mutex_unlock(&registry);
		if (err)
			break;
		comms[r] = c;
	}
	if (!err && comms[0]->team->join_error)
		err = vn_fail(comms[0]->team->join_error, "%s", comms[0]->team->text);
	if (!err)
		return 0;
	while (r-- > 0) {
		pthread_mutex_lock(&registry);
		team_put(comms[r]->team);
		comm_free(comms[r]);
	}
	return err;
}

int vn_comm_init_all(vn_comm_t *comms, int nranks, const int *chips)
{
	return vn_comm_init_all_config(comms, nranks, chips, NULL);
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
	t->seat[c->rank].comm = NULL;
	coll_leave(c);
	pthread_mutex_lock(&registry);
	t->board.member[c->rank].left = true;
	/* The device may still work on a launch: it is not taken from under it. */
	if (t->refs == 1)
		coll_device_drain(t);
	team_put(t);
	comm_free(c);
}

int vn_comm_finalize(vn_comm_t c)
{
	return vn_comm_sync(c, VN_FOREVER);
}

int vn_comm_destroy(vn_comm_t c)
{
	int err = vn_comm_finalize(c);

	part(c);
	return err;
}

int vn_comm_abort(vn_comm_t c)
{
	coll_fail(c->team, -ECANCELED, "communicator of %u ranks: aborted by rank %u",
		  c->team->ranks, c->rank);
	if (__atomic_exchange_n(&c->aborted, true, __ATOMIC_SEQ_CST))
		return 0;
	part(c);
	return 0;
}

int vn_comm_get_async_error(vn_comm_t c, int *error)
{
	*error = coll_failed(c->team);
	return 0;
}

const char *vn_comm_error(vn_comm_t c)
{
	return coll_failed(c->team) ? coll_fault_text(c->team) : "";
}

int vn_comm_count(vn_comm_t c, int *count)
{
	*count = (int)c->team->ranks;
	return 0;
}

int vn_comm_user_rank(vn_comm_t c, int *rank)
{
	*rank = (int)c->rank;
	return 0;
}

int vn_comm_chip(vn_comm_t c, uint32_t *chip)
{
	*chip = c->team->board.member[c->rank].chip;
	return 0;
}

int vn_comm_stats(vn_comm_t c, struct vn_comm_stats *stats)
{
	struct coll_team *t = c->team;

	*stats = c->stats;
	pthread_mutex_lock(&t->lock);
	stats->plans = t->nprograms;
	stats->launches = t->launches;
	pthread_mutex_unlock(&t->lock);
	return 0;
}
