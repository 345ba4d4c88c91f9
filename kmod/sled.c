// SPDX-License-Identifier: GPL-2.0-only

#include <linux/list.h>
#include <linux/mutex.h>
#include "netlink.h"
#include "sled.h"
#include "trace.h"

struct sled {
	struct vn_sled s;
	kuid_t uid;
	u8 reason[VN_REASON];
	struct vn_sled_progress progress;
	bool off;			/* somebody has called off what drains it */
};

static struct sled sleds[VN_MAX_SLEDS + VN_MAX_SPARES];

/* Guards sleds[], the map of the switch, and unsaid; inside hbm_lock. */
static DEFINE_MUTEX(sled_lock);
/*
 * Events of all operations, in the order in which they happened. Whoever adds some says all
 * there are before his operation goes: never with a lock that writers wait for.
 */
static LIST_HEAD(unsaid);
/* Held by who says them, so that the order stays. */
static DEFINE_MUTEX(say_lock);

/* ---- what others see ----------------------------------------------------- */

static void see(u32 sled, struct vn_sled_seen *seen)
{
	const struct vn_switch *sw = &vn_server.sw;
	const struct sled *from = &sleds[sled];
	u32 first = sled * sw->chips_per_sled;

	lockdep_assert_held(&sled_lock);
	*seen = (struct vn_sled_seen){
		.sled = sled,
		.state = from->s.state,
		.rack = vn_switch_rack(sw, sled),
		.numa_node = vn_device_node(sled),
		.epoch = sw->epoch,
		.operation = from->s.operation,
		.uid = from->s.operation ? from->uid : INVALID_UID,
		.drains = from->s.state >= VN_SLED_PLANNED && from->s.state <= VN_SLED_COMMITTED,
		.progress = from->progress,
	};
	memcpy(seen->reason, from->reason, VN_REASON);
	for (u32 slot = first; slot < first + sw->chips_per_sled; slot++) {
		if (sw->chip_at[slot] >= sw->chips)
			continue;
		seen->chips++;
		seen->hbm_used += atomic64_read(&vn_server.chip[sw->chip_at[slot]].hbm_used);
	}
}

void vn_sled_see(u32 sled, struct vn_sled_seen *seen)
{
	mutex_lock(&sled_lock);
	see(sled, seen);
	mutex_unlock(&sled_lock);
}

int vn_sled_cancel(u32 sled, u64 operation)
{
	struct sled *d = &sleds[sled];
	u32 state;
	int err = 0;

	mutex_lock(&sled_lock);
	state = d->s.state;
	if (state == VN_SLED_DRAINED && operation && operation == d->s.operation)
		err = -EALREADY;
	else if (state < VN_SLED_PLANNED || state > VN_SLED_COMMITTED)
		err = -ENOENT;
	else if (operation && operation != d->s.operation)
		err = -ESTALE;
	else if (state >= VN_SLED_VERIFIED)
		err = -EALREADY;
	else
		WRITE_ONCE(d->off, true);
	mutex_unlock(&sled_lock);
	return err;
}

bool vn_sled_called_off(const struct vn_sled_op *op)
{
	return READ_ONCE(sleds[op->sled].off);
}

/* An event, to be said later. */
static void note(struct vn_sled_op *op, u32 from)
{
	struct vn_sled_event *e = &op->event[op->nevents];

	lockdep_assert_held(&sled_lock);
	if (op->nevents == VN_SLED_UNSAID)
		return;
	op->nevents++;
	e->from = from;
	see(op->sled, &e->seen);
	e->seen.operation = op->id;
	e->seen.uid = op->uid;
	memcpy(e->seen.reason, op->reason, VN_REASON);
	list_add_tail(&e->list, &unsaid);
}

/* Says what is unsaid; none of this operation's is afterwards. */
void vn_sled_say(struct vn_sled_op *op)
{
	struct vn_sled_event *e;

	mutex_lock(&say_lock);
	do {
		mutex_lock(&sled_lock);
		e = list_first_entry_or_null(&unsaid, struct vn_sled_event, list);
		if (e)
			list_del(&e->list);
		mutex_unlock(&sled_lock);
		if (e)
			vn_netlink_event(e);
	} while (e);
	mutex_unlock(&say_lock);
	op->nevents = 0;
}

void vn_sled_tell(struct vn_sled_op *op, bool round)
{
	mutex_lock(&sled_lock);
	sleds[op->sled].progress = op->progress;
	if (round)
		note(op, op->state);
	mutex_unlock(&sled_lock);
	vn_sled_say(op);
}

/* ---- from state to state --------------------------------------------------- */

/* Notes it only. */
static void go(struct vn_sled_op *op, u32 state)
{
	struct sled *sled = &sleds[op->sled];

	lockdep_assert_held(&sled_lock);
	if (state == VN_SLED_COMMITTED) {
		op->progress.dirty_bytes = 0;
		op->progress.estimate_ns = 0;
	}
	sled->s.state = state;
	sled->progress = op->progress;
	note(op, op->state);
	op->state = state;
}

void vn_sled_pass(struct vn_sled_op *op, u32 state)
{
	mutex_lock(&sled_lock);
	go(op, state);
	mutex_unlock(&sled_lock);
	trace_sled_state(op->sled, state, op->id);
}

void vn_sled_go(struct vn_sled_op *op, u32 state)
{
	vn_sled_pass(op, state);
	vn_sled_say(op);
}

int vn_sled_verified(struct vn_sled_op *op)
{
	int err = 0;

	mutex_lock(&sled_lock);
	if (sleds[op->sled].off)
		err = -ECANCELED;
	else
		go(op, VN_SLED_VERIFIED);
	mutex_unlock(&sled_lock);
	if (!err)
		trace_sled_state(op->sled, VN_SLED_VERIFIED, op->id);
	return err;
}

void vn_sled_flip(const struct vn_moves *m)
{
	struct vn_switch *sw = &vn_server.sw;

	mutex_lock(&sled_lock);
	for (u32 i = 0; i < m->n; i++) {
		vn_switch_move(sw, m->chip[i], m->slot[i]);
		vn_server.chip[m->chip[i]].node = vn_device_node(vn_switch_sled(sw, m->slot[i]));
	}
	WRITE_ONCE(sw->epoch, sw->epoch + 1);
	mutex_unlock(&sled_lock);
}

/* ---- beginning and ending -------------------------------------------------- */

static int place(struct vn_drain_open *a, struct vn_moves *m)
{
	struct vn_sled state[ARRAY_SIZE(sleds)];
	const struct vn_sled *sled = &sleds[a->sled].s;
	int err;

	lockdep_assert_held(&sled_lock);
	if (sled->state != VN_SLED_IN_SERVICE) {
		if (sled->state == VN_SLED_DRAINED && sled->operation == a->operation)
			return -EALREADY;
		return sled->state < VN_SLED_DRAINED ? -EBUSY : -EINVAL;
	}
	for (u32 i = 0; i < ARRAY_SIZE(sleds); i++)
		state[i] = sleds[i].s;
	err = vn_drain_place(&vn_server.sw, state, a->sled, a->to, m);
	a->chips = m->n;
	a->free_slots = m->free;
	return err;
}

int vn_sled_place(struct vn_drain_open *a, struct vn_moves *m)
{
	int err;

	mutex_lock(&sled_lock);
	err = place(a, m);
	mutex_unlock(&sled_lock);
	return err;
}

int vn_sled_drain(struct vn_sled_op *op, struct vn_drain_open *a, struct vn_moves *m)
{
	struct sled *sled = &sleds[op->sled];
	int err;

	mutex_lock(&sled_lock);
	err = place(a, m);
	if (err)
		goto unlock;
	for (u32 i = 0; i < m->n; i++)
		vn_server.sw.chip_at[m->slot[i]] = VN_SLOT_TAKEN;
	*sled = (struct sled){ .s.operation = op->id, .uid = op->uid };
	memcpy(sled->reason, op->reason, VN_REASON);
	op->was = VN_SLED_IN_SERVICE;
	op->state = VN_SLED_IN_SERVICE;
	go(op, VN_SLED_PLANNED);
unlock:
	mutex_unlock(&sled_lock);
	if (err)
		return err;
	trace_sled_state(op->sled, op->state, op->id);
	vn_sled_say(op);
	return 0;
}

int vn_sled_back(struct vn_sled_op *op)
{
	u32 state;

	mutex_lock(&sled_lock);
	state = sleds[op->sled].s.state;
	if (vn_drain_edge(state, VN_SLED_VALIDATING)) {
		op->was = state;
		op->state = state;
		go(op, VN_SLED_VALIDATING);
	}
	mutex_unlock(&sled_lock);
	if (op->state != VN_SLED_VALIDATING)
		return state == VN_SLED_IN_SERVICE ? -EALREADY :
		       state == VN_SLED_VALIDATING ? -EBUSY : -EINVAL;
	trace_sled_state(op->sled, op->state, op->id);
	vn_sled_say(op);
	return 0;
}

/* The sled is in that state without this operation. */
static void leave(struct vn_sled_op *op, u32 state)
{
	struct sled *sled = &sleds[op->sled];

	mutex_lock(&sled_lock);
	sled->s.state = state;
	if (state == VN_SLED_IN_SERVICE)
		*sled = (struct sled){ .s.state = state };
	note(op, op->state);
	op->state = state;
	mutex_unlock(&sled_lock);
	trace_sled_state(op->sled, state, op->id);
	vn_sled_say(op);
}

void vn_sled_serve(struct vn_sled_op *op)
{
	leave(op, VN_SLED_IN_SERVICE);
}

void vn_sled_undo(struct vn_sled_op *op, const struct vn_moves *m)
{
	mutex_lock(&sled_lock);
	for (u32 i = 0; i < m->n; i++)
		vn_server.sw.chip_at[m->slot[i]] = VN_SLOT_FREE;
	mutex_unlock(&sled_lock);
	leave(op, VN_SLED_IN_SERVICE);
}

void vn_sled_stay(struct vn_sled_op *op)
{
	if (op->state == VN_SLED_VALIDATING)
		leave(op, op->was);
}
