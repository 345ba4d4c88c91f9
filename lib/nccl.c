// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What programs written to nccl.h say in other ways than those of coll.h: configurations,
 * and ranks on the calling thread's current chip.
 */
#include <errno.h>
#include <stddef.h>

#include "coll/coll.h"
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

int vn_nccl_check_config(ncclComm_t *newcomm, const ncclConfig_t *config)
{
	int err = config ? check_config(config) : 0;

	if (err && newcomm)
		*newcomm = NULL;
	return err ? coll_refuse_later(err) : 0;
}

/* ---- one rank, or all of them ------------------------------------------------------ */

int vn_nccl_init_rank(ncclComm_t *comm, int nranks, const ncclUniqueId *id, int rank,
		      const ncclConfig_t *config)
{
	struct vn_config c;
	int err = vn_nccl_needs("ncclCommInitRank", comm, "place for the handle");

	if (!err)
		*comm = NULL;
	err = err ?: vn_nccl_needs("ncclCommInitRank", (void *)id, "unique id")
		     ?: make_config(&c, config);
	return err ? coll_refuse_later(err) : vn_comm_init_rank_config(comm, nranks, *id, rank, &c);
}

int vn_nccl_init_all(ncclComm_t *comms, int nranks, const int *chips)
{
	struct vn_config config;
	int err = vn_nccl_needs("ncclCommInitAll", comms, "place for the handles")
			  ?: make_config(&config, NULL);

	err = err ?: vn_comm_init_all_config(comms, nranks, chips, &config);
	return err ? coll_refuse_later(err) : 0;
}

/* ---- revoking ------------------------------------------------------------------------ */

int vn_nccl_revoke(ncclComm_t comm, int flags)
{
	if (flags)
		return vn_fail(-EINVAL, "ncclCommRevoke: unknown flags %#x", flags);
	return vn_comm_revoke(comm);
}
