// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sleds of the embedded device: the state each is in, and the map of slots as sessions
 * that drain one change it (drain.c). All under sleds_lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../error.h"
#include "../include/vneuron/sled.h"
#include "sled.h"

#define NOBODY 0xffffffffu

/* As it is; sleds_lock held. */
static void see(struct embed_device *dev, u32 sled, struct vn_sled_event *e)
{
	const struct vn_switch *sw = &dev->sw;
	const struct embed_sled *d = &dev->sled[sled];
	u32 first = sled * sw->chips_per_sled;

	*e = (struct vn_sled_event){
		.sled = sled,
		.from = d->s.state,
		.to = d->s.state,
		.rack = vn_switch_rack(sw, sled),
		.epoch = sw->epoch,
		.numa_node = embed_device_node(dev, sled),
		.uid = d->s.operation ? d->uid : NOBODY,
		.operation = d->s.operation,
	};
	memcpy(e->reason, d->reason, VN_REASON);
	for (u32 slot = first; slot < first + sw->chips_per_sled; slot++) {
		if (sw->chip_at[slot] >= sw->chips)
			continue;
		e->chips++;
		e->hbm_used += READ_ONCE(dev->hbm_used[sw->chip_at[slot]]);
	}
	if (d->s.state < VN_SLED_PLANNED || d->s.state > VN_SLED_COMMITTED)
		return;
	e->total_bytes = d->progress.total_bytes;
	e->copied_bytes = d->progress.copied_bytes;
	e->dirty_bytes = d->progress.dirty_bytes;
	e->estimate_ns = d->progress.estimate_ns;
	e->pause_ns = d->progress.pause_ns;
}

void embed_sled_see(struct embed_device *dev, u32 sled, struct vn_sled_event *seen)
{
	pthread_mutex_lock(&dev->sleds_lock);
	see(dev, sled, seen);
	pthread_mutex_unlock(&dev->sleds_lock);
}

/* That it went on from there, and who made it; sleds_lock held, which is their order. */
static void note(struct embed_device *dev, u32 sled, u32 from, const struct embed_who *who)
{
	struct vn_sled_event e;

	see(dev, sled, &e);
	e.from = from;
	e.operation = who->operation;
	e.uid = who->uid;
	memcpy(e.reason, who->reason, VN_REASON);
	embed_events_note(dev, &e);
}

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

/* sleds_lock held */
static void go(struct embed_device *dev, u32 sled, u32 state, const struct embed_who *who)
{
	struct embed_sled *d = &dev->sled[sled];
	u32 from = d->s.state;

	d->s.state = state;
	note(dev, sled, from, who);
}

/* The same, by and for somebody new; sleds_lock held. */
static void go_for(struct embed_device *dev, u32 sled, u32 state, const struct embed_who *who)
{
	struct embed_sled *d = &dev->sled[sled];

	*d = (struct embed_sled){ .s = { d->s.state, who->operation }, .uid = who->uid };
	memcpy(d->reason, who->reason, VN_REASON);
	go(dev, sled, state, who);
}

void embed_sled_go(struct embed_device *dev, u32 sled, u32 state, const struct embed_who *who,
		   const struct embed_progress *p)
{
	pthread_mutex_lock(&dev->sleds_lock);
	if (!faulted(dev, sled)) {
		dev->sled[sled].progress = *p;
		go(dev, sled, state, who);
	}
	if (state == VN_SLED_DRAINED || state == VN_SLED_FAULTED)
		dev->busy[sled] = false;
	pthread_mutex_unlock(&dev->sleds_lock);
}

void embed_sled_progress(struct embed_device *dev, u32 sled, const struct embed_who *who,
			 const struct embed_progress *p, bool round)
{
	pthread_mutex_lock(&dev->sleds_lock);
	/* It may be lost, or even have come back since, and be another one's. */
	if (!faulted(dev, sled) && dev->sled[sled].s.operation == who->operation) {
		dev->sled[sled].progress = *p;
		if (round)
			note(dev, sled, dev->sled[sled].s.state, who);
	}
	pthread_mutex_unlock(&dev->sleds_lock);
}

void embed_sled_lost(struct embed_device *dev, u32 sled, u32 uid)
{
	const struct embed_who who = {
		.operation = dev->sled[sled].s.operation,
		.uid = uid,
		.reason = "lost",
	};

	go_for(dev, sled, VN_SLED_FAULTED, &who);
}

static int check(const struct embed_device *dev, u32 sled, const struct vn_moves *m)
{
	int err = faulted(dev, sled) ? -EHOSTDOWN : dev->sled[sled].off ? -ECANCELED : 0;

	for (u32 i = 0; i < m->n && !err; i++)
		err = faulted(dev, vn_switch_sled(&dev->sw, m->slot[i])) ? -EHOSTDOWN : 0;
	return err ?: vn_drain_obstacle(&dev->sw, sled, m);
}

int embed_sled_check(struct embed_device *dev, u32 sled, const struct vn_moves *m)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = check(dev, sled, m);
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

int embed_sled_verify(struct embed_device *dev, u32 sled, const struct embed_who *who,
		      const struct vn_moves *m)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = check(dev, sled, m);
	if (!err)
		go(dev, sled, VN_SLED_VERIFIED, who);
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

bool embed_sled_become(struct embed_device *dev, u32 sled, const struct embed_sled *as,
		       const struct embed_who *who, const struct vn_moves *m)
{
	bool becomes;
	u32 from;

	pthread_mutex_lock(&dev->sleds_lock);
	from = dev->sled[sled].s.state;
	if (m)
		vn_drain_let_go(&dev->sw, m);
	becomes = !faulted(dev, sled);
	if (becomes) {
		dev->sled[sled] = *as;
		if (as->s.state == VN_SLED_IN_SERVICE)
			vn_faults_revive_sled(&dev->sw, &dev->faults, sled);
		else if (as->s.state == VN_SLED_MAINTENANCE)
			vn_switch_power(&dev->sw, sled, false);
		note(dev, sled, from, who);
	}
	dev->busy[sled] = false;
	pthread_mutex_unlock(&dev->sleds_lock);
	return becomes;
}

void embed_sled_settled(struct embed_device *dev, const struct vn_moves *m)
{
	pthread_mutex_lock(&dev->sleds_lock);
	vn_drain_let_go(&dev->sw, m);
	pthread_mutex_unlock(&dev->sleds_lock);
}

/* ---- what sessions begin with ------------------------------------------------------ */

/* Where its chips can go; sleds_lock held. */
static int look(struct embed_device *dev, struct vn_drain_open *a, struct vn_moves *m)
{
	struct vn_sled state[VN_MAX_SLEDS + VN_MAX_SPARES];
	int err = vn_drain_may_begin(&dev->sled[a->sled].s, a->operation);

	if (err)
		return err;
	for (u32 i = 0; i < ARRAY_SIZE(state); i++)
		state[i] = dev->sled[i].s;
	err = vn_drain_place(&dev->sw, state, a->sled, a->to, m);
	a->chips = m->n;
	a->free_slots = m->free;
	memcpy(a->slot, m->slot, sizeof(a->slot));
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

int embed_sled_begin(struct embed_device *dev, struct vn_drain_open *a, const struct embed_who *who,
		     struct vn_moves *m)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = look(dev, a, m);
	if (!err) {
		vn_drain_take(&dev->sw, m);
		dev->busy[a->sled] = true;
		go_for(dev, a->sled, VN_SLED_PLANNED, who);
	}
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

int embed_sled_begin_back(struct embed_device *dev, u32 sled, const struct embed_who *who,
			  struct embed_sled *was)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = vn_drain_may_return(&dev->sw, sled, dev->sled[sled].s.state, dev->busy[sled]);
	if (!err) {
		dev->busy[sled] = true;
		*was = dev->sled[sled];
		vn_switch_power(&dev->sw, sled, true);
		go(dev, sled, VN_SLED_VALIDATING, who);
	}
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

int embed_sled_maintain(struct embed_device *dev, u32 sled, const struct embed_who *who)
{
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = vn_drain_may_maintain(dev->sled[sled].s.state);
	if (!err) {
		vn_switch_power(&dev->sw, sled, false);
		go_for(dev, sled, VN_SLED_MAINTENANCE, who);
	}
	pthread_mutex_unlock(&dev->sleds_lock);
	return err;
}

/* ---- what others see and do --------------------------------------------------------- */

int embed_sled_cancel(struct embed_device *dev, u32 sled, u64 operation)
{
	struct embed_sled *d = &dev->sled[sled];
	int err;

	pthread_mutex_lock(&dev->sleds_lock);
	err = vn_drain_may_cancel(&d->s, operation);
	if (!err)
		d->off = true;
	pthread_mutex_unlock(&dev->sleds_lock);
	if (err)
		return vn_fail(err, "sled %u: %s", sled,
			       err == -ENOENT	? "nothing is draining this sled"
			       : err == -ESTALE ? "another operation is draining this sled"
						: "too late: its chips are elsewhere");
	/* Who drains it may stand still. */
	embed_drain_hurry(dev, sled);
	return 0;
}

int embed_sled_query(struct embed_device *dev, struct vn_sled_query *a)
{
	struct vn_sled_event seen;

	embed_sled_see(dev, a->sled, &seen);
	a->state = seen.to;
	a->chips = seen.chips;
	a->rack = seen.rack;
	a->numa_node = seen.numa_node;
	a->epoch = seen.epoch;
	a->uid = seen.uid;
	a->hbm_used = seen.hbm_used;
	a->operation = seen.operation;
	memcpy(a->reason, seen.reason, VN_REASON);
	return 0;
}
