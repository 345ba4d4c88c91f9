// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sleds of the embedded device: the state each is in, and the map of slots as sessions
 * that drain one change it (drain.c). All under sleds_lock.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../error.h"
#include "sled.h"

static bool faulted(const struct embed_device *dev, u32 sled)
{
	return dev->sled[sled].s.state == VN_SLED_FAULTED;
}

bool embed_sled_faulted(struct embed_device *dev, u32 sled)
{
	bool is;

	pthread_mutex_lock(&dev->sleds_lock);
	is = faulted(dev, sled);
	pthread_mutex_unlock(&dev->sleds_lock);
	return is;
}

void embed_sled_go(struct embed_device *dev, u32 sled, u32 state)
{
	pthread_mutex_lock(&dev->sleds_lock);
	if (!faulted(dev, sled))
		dev->sled[sled].s.state = state;
	pthread_mutex_unlock(&dev->sleds_lock);
}

static int check(const struct embed_device *dev, u32 sled, const struct vn_moves *m)
{
	int err = faulted(dev, sled) ? -EHOSTDOWN : dev->sled[sled].off ? -ECANCELED : 0;

	for (u32 i = 0; i < m->n && !err; i++) {
		u32 to = vn_switch_sled(&dev->sw, m->slot[i]);

		if (faulted(dev, to))
			err = -EHOSTDOWN;
		else if (vn_switch_cut(&dev->sw, sled, to) != VN_ANY_SLED)
			err = -ENETUNREACH;
	}
	return err;
}

int embed_sled_check(struct embed_device *dev, u32 sled, const struct vn_moves *m)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = check(dev, sled, m);
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

int embed_sled_verify(struct embed_device *dev, u32 sled, const struct vn_moves *m)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = check(dev, sled, m);
	if (!err)
		dev->sled[sled].s.state = VN_SLED_VERIFIED;
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

void embed_sled_moved(struct embed_device *dev, const struct vn_moves *m)
{
	pthread_mutex_lock(&dev->sleds_lock);
	for (u32 i = 0; i < m->n; i++) {
		vn_switch_move(&dev->sw, m->chip[i], m->slot[i]);
		vn_faults_revive(&dev->sw, &dev->faults, m->chip[i]);
	}
	WRITE_ONCE(dev->sw.epoch, dev->sw.epoch + 1);
	pthread_mutex_unlock(&dev->sleds_lock);
}

/* Slots of a sled without chips get power, or lose it; sleds_lock held. */
static void power(struct embed_device *dev, u32 sled, bool on)
{
	u32 first = sled * dev->sw.chips_per_sled;

	for (u32 slot = first; slot < first + dev->sw.chips_per_sled; slot++)
		if (dev->sw.chip_at[slot] == (on ? VN_SLOT_OFF : VN_SLOT_FREE))
			dev->sw.chip_at[slot] = on ? VN_SLOT_FREE : VN_SLOT_OFF;
}

void embed_sled_become(struct embed_device *dev, u32 sled, const struct embed_sled *as,
		       const struct vn_moves *m)
{
	pthread_mutex_lock(&dev->sleds_lock);
	for (u32 i = 0; m && i < m->n; i++)
		dev->sw.chip_at[m->slot[i]] = VN_SLOT_FREE;
	if (!faulted(dev, sled)) {
		dev->sled[sled] = *as;
		if (as->s.state == VN_SLED_IN_SERVICE)
			vn_faults_revive_sled(&dev->sw, &dev->faults, sled);
		else if (as->s.state == VN_SLED_MAINTENANCE)
			power(dev, sled, false);
	}
	pthread_mutex_unlock(&dev->sleds_lock);
}

/* ---- what sessions begin with ------------------------------------------------------ */

/* Where its chips can go; sleds_lock held. */
static int look(struct embed_device *dev, struct vn_drain_open *a, struct vn_moves *m)
{
	struct vn_sled state[VN_MAX_SLEDS + VN_MAX_SPARES];
	const struct vn_sled *sled = &dev->sled[a->sled].s;
	int err;

	if (sled->state != VN_SLED_IN_SERVICE) {
		if (sled->state == VN_SLED_DRAINED && sled->operation == a->operation)
			return -EALREADY;
		return sled->state < VN_SLED_DRAINED ? -EBUSY : -EINVAL;
	}
	for (u32 i = 0; i < ARRAY_SIZE(state); i++)
		state[i] = dev->sled[i].s;
	err = vn_drain_place(&dev->sw, state, a->sled, a->to, m);
	a->chips = m->n;
	a->free_slots = m->free;
	return err;
}

int embed_sled_plan(struct embed_device *dev, struct vn_drain_open *a, struct vn_moves *m)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = look(dev, a, m);
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

static void by_whom(struct embed_sled *sled, const struct vn_drain_open *a, u32 state)
{
	*sled = (struct embed_sled){ .s = { state, a->operation },
				     .uid = a->flags & VN_DRAIN_RESTORE ? a->uid : getuid() };
	memcpy(sled->reason, a->reason, VN_REASON);
}

int embed_sled_begin(struct embed_device *dev, struct vn_drain_open *a, struct vn_moves *m)
{
	struct embed_sled *sled = &dev->sled[a->sled];
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = look(dev, a, m);
	if (!err) {
		for (u32 i = 0; i < m->n; i++)
			dev->sw.chip_at[m->slot[i]] = VN_SLOT_TAKEN;
		by_whom(sled, a, VN_SLED_PLANNED);
	}
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

int embed_sled_begin_back(struct embed_device *dev, u32 sled, struct embed_sled *was)
{
	u32 *state = &dev->sled[sled].s.state;
	int err = 0;

	pthread_mutex_lock(&dev->sleds_lock);
	if (vn_drain_edge(*state, VN_SLED_VALIDATING)) {
		*was = dev->sled[sled];
		*state = VN_SLED_VALIDATING;
		power(dev, sled, true);
	} else {
		err = *state == VN_SLED_IN_SERVICE   ? -EALREADY
		      : *state == VN_SLED_VALIDATING ? -EBUSY
						     : -EINVAL;
	}
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

int embed_sled_maintain(struct embed_device *dev, const struct vn_drain_open *a)
{
	struct embed_sled *sled = &dev->sled[a->sled];
	int err = 0;

	pthread_mutex_lock(&dev->sleds_lock);
	if (vn_drain_edge(sled->s.state, VN_SLED_MAINTENANCE)) {
		by_whom(sled, a, VN_SLED_MAINTENANCE);
		power(dev, a->sled, false);
	} else {
		err = sled->s.state == VN_SLED_MAINTENANCE ? -EALREADY : -EINVAL;
	}
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

/* ---- what others see and do --------------------------------------------------------- */

int embed_sled_cancel(struct embed_device *dev, u32 sled, u64 operation)
{
	struct embed_sled *d = &dev->sled[sled];
	struct vn_sled was;

	pthread_mutex_lock(&dev->sleds_lock);
	was = d->s;
	if (was.state >= VN_SLED_PLANNED && was.state < VN_SLED_VERIFIED &&
	    (!operation || operation == was.operation))
		d->off = true;
	pthread_mutex_unlock(&dev->sleds_lock);
	if (was.state == VN_SLED_DRAINED && operation && operation == was.operation)
		return vn_fail(-EALREADY, "sled %u: too late: its chips are elsewhere", sled);
	if (was.state < VN_SLED_PLANNED || was.state > VN_SLED_COMMITTED)
		return vn_fail(-ENOENT, "sled %u: nothing is draining this sled", sled);
	if (operation && operation != was.operation)
		return vn_fail(-ESTALE, "sled %u: another operation is draining this sled", sled);
	if (was.state >= VN_SLED_VERIFIED)
		return vn_fail(-EALREADY, "sled %u: too late: its chips are elsewhere", sled);
	return 0;
}

int embed_sled_query(struct embed_context *ctx, struct vn_sled_query *a)
{
	struct embed_device *dev = ctx->dev;
	const struct vn_switch *sw = &dev->sw;
	u32 first = a->sled * sw->chips_per_sled;

	a->chips = 0;
	a->hbm_used = 0;
	pthread_mutex_lock(&dev->objects);
	pthread_mutex_lock(&dev->sleds_lock);
	for (u32 slot = first; slot < first + sw->chips_per_sled; slot++) {
		if (sw->chip_at[slot] >= sw->chips)
			continue;
		a->chips++;
		a->hbm_used += dev->hbm_used[sw->chip_at[slot]];
	}
	a->state = dev->sled[a->sled].s.state;
	a->operation = dev->sled[a->sled].s.operation;
	a->uid = a->operation ? dev->sled[a->sled].uid : ~0u;
	memcpy(a->reason, dev->sled[a->sled].reason, VN_REASON);
	a->epoch = sw->epoch;
	pthread_mutex_unlock(&dev->sleds_lock);
	pthread_mutex_unlock(&dev->objects);
	a->rack = vn_switch_rack(sw, a->sled);
	a->numa_node = dev->nodes > 1 ? (s32)(a->sled * dev->nodes / vn_switch_sleds(sw)) : -1;
	return 0;
}
