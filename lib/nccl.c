// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What programs written to nccl.h may do and coll.h has no call for: one thread that
 * makes several ranks in a group. They join when the group ends, each in a thread of
 * its own, so that ranks of other threads may be among them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "include/vneuron/nccl.h"
#include "stream.h"

_Static_assert(sizeof(ncclWaitSignalDesc_t) == sizeof(struct vn_wait_signal_desc) &&
		       offsetof(ncclWaitSignalDesc_t, opCnt) ==
			       offsetof(struct vn_wait_signal_desc, op_cnt) &&
		       offsetof(ncclWaitSignalDesc_t, peer) ==
			       offsetof(struct vn_wait_signal_desc, peer) &&
		       offsetof(ncclWaitSignalDesc_t, sigIdx) ==
			       offsetof(struct vn_wait_signal_desc, sig_idx) &&
		       offsetof(ncclWaitSignalDesc_t, ctx) ==
			       offsetof(struct vn_wait_signal_desc, ctx),
	       "the one is handed on as the other");
_Static_assert((int)ncclNumTypes == VN_INT16 && (int)ncclNumOps == VN_PREMULSUM,
	       "numbers below are the library's");

/* A rank that will join when the group ends. */
struct init {
	struct init *next;
	vn_comm_t *comm;
	int nranks, rank;
	vn_unique_id id;
	struct vn_config config;
	pthread_t thread;
	bool joins; /* thread is there */
	int err; /* of thread, once it has ended */
	char text[512];
};

static _Thread_local struct {
	uint32_t depth;
	struct init *first, **last;
	int err;
	char text[512]; /* of err */
} group;

int vn_nccl_needs(const char *call, void *thing, const char *what)
{
	return thing ? 0 : vn_fail(-EINVAL, "%s: no %s", call, what);
}

/* ---- configurations -------------------------------------------------------------- */

static int check_config(const ncclConfig_t *c)
{
	if (c->size < offsetof(ncclConfig_t, cgaClusterSize) || c->size > sizeof(*c))
		return vn_fail(-EINVAL, "config: a size of %zu; this library knows up to %zu",
			       c->size, sizeof(*c));
	if (c->magic != NCCL_API_MAGIC)
		return vn_fail(-EINVAL, "config: not made by NCCL_CONFIG_INITIALIZER");
	if (c->blocking != NCCL_CONFIG_UNDEF_INT && c->blocking != 0 && c->blocking != 1)
		return vn_fail(-EINVAL, "config: blocking %d; want 0 or 1", c->blocking);
	return 0;
}

static int make_config(struct vn_config *to, const ncclConfig_t *from)
{
	static const struct vn_config defaults = VN_CONFIG_INITIALIZER;
	uint32_t chip = 0;
	int err = from ? check_config(from) : 0;

	*to = defaults;
	err = err ?: vn_accel_current(&to->dev, &chip);
	to->chip = (int32_t)chip;
	return err;
}

/* ---- one rank, or all of them ------------------------------------------------------ */

static int check_with(const struct init *a, const struct init *b)
{
	if (memcmp(&a->id, &b->id, sizeof(a->id)))
		return 0;
	if (a->nranks != b->nranks)
		return vn_fail(-EINVAL, "rank %d: %d ranks, but rank %d of the group has %d",
			       b->rank, b->nranks, a->rank, a->nranks);
	if (a->rank == b->rank)
		return vn_fail(-EEXIST, "rank %d is twice in the group", b->rank);
	if (a->config.chip == b->config.chip)
		return vn_fail(-EEXIST, "rank %d: chip %d is that of rank %d", b->rank,
			       b->config.chip, a->rank);
	return 0;
}

/* What is known to be wrong now would be waited for later. */
static int check_init(const struct init *i)
{
	int err = 0;

	if (i->nranks < 1 || i->nranks > VN_MAX_CHIPS)
		return vn_fail(-EINVAL, "%d ranks; want 1 to %u", i->nranks, VN_MAX_CHIPS);
	if (i->rank < 0 || i->rank >= i->nranks)
		return vn_fail(-EINVAL, "rank %d of %d", i->rank, i->nranks);
	for (const struct init *a = group.first; a && !err; a = a->next)
		err = check_with(a, i);
	return err;
}

static int hold(const struct init *init)
{
	int err = check_init(init);
	struct init *i = err ? NULL : malloc(sizeof(*i));

	if (err)
		return err;
	if (!i)
		return vn_fail(-ENOMEM, "rank %d: no memory to join in a group", init->rank);
	*i = *init;
	*group.last = i;
	group.last = &i->next;
	return 0;
}

/* The group fails as its first rank did. */
static int remember(int err)
{
	if (err && group.depth && !group.err) {
		group.err = err;
		snprintf(group.text, sizeof(group.text), "%s", vn_error());
	}
	return err;
}

int vn_nccl_init_rank(ncclComm_t *comm, int nranks, const ncclUniqueId *id, int rank,
		      const ncclConfig_t *config)
{
	struct init i = { .comm = comm, .nranks = nranks, .rank = rank };
	int err;

	err = vn_nccl_needs("ncclCommInitRank", comm, "place for the handle");
	if (err)
		return remember(err);
	*comm = NULL;
	i.id = *id;
	err = make_config(&i.config, config);
	if (!err)
		err = group.depth ? hold(&i)
				  : vn_comm_init_rank_config(comm, nranks, *id, rank, &i.config);
	return remember(err);
}

int vn_nccl_init_all(ncclComm_t *comms, int nranks, const int *chips)
{
	struct vn_config config;
	int err = vn_nccl_needs("ncclCommInitAll", comms, "place for the handles")
			  ?: make_config(&config, NULL);

	return remember(err ?: vn_comm_init_all_config(comms, nranks, chips, &config));
}

/* ---- groups ------------------------------------------------------------------------- */

int vn_nccl_group_start(void)
{
	if (!group.depth++) {
		group.first = NULL;
		group.last = &group.first;
		group.err = 0;
	}
	return vn_group_start();
}

static void *join(void *arg)
{
	struct init *i = arg;

	i->err = vn_comm_init_rank_config(i->comm, i->nranks, i->id, i->rank, &i->config);
	if (i->err)
		snprintf(i->text, sizeof(i->text), "%s", vn_error());
	return NULL;
}

/* All at once; the first of them, in the order of the group, that failed. */
static int join_all(struct init *all)
{
	struct init *bad = NULL;

	for (struct init *i = all; i; i = i->next) {
		int err = pthread_create(&i->thread, NULL, join, i);

		i->joins = !err;
		if (!err)
			continue;
		i->err = -err;
		snprintf(i->text, sizeof(i->text), "rank %d: no thread to join in: %s", i->rank,
			 strerror(err));
	}
	for (struct init *i = all; i; i = i->next) {
		if (i->joins)
			pthread_join(i->thread, NULL);
		if (i->err && !bad)
			bad = i;
	}
	return bad ? vn_fail(bad->err, "%s", bad->text) : 0;
}

static void forget(struct init *all)
{
	struct init *i;

	while ((i = all)) {
		all = i->next;
		free(i);
	}
}

int vn_nccl_group_end(void)
{
	int err = 0, other;

	if (group.depth && !--group.depth) {
		err = group.err ? vn_fail(group.err, "%s", group.text) : join_all(group.first);
		forget(group.first);
		group.first = NULL;
	}
	other = vn_group_end();
	return err ?: other;
}
