// SPDX-License-Identifier: GPL-2.0-only

#include <linux/list.h>
#include <linux/cred.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "moves.h"
#include "netlink.h"
#include "sled.h"
#include "trace.h"

struct sled {
	struct vn_sled s;		/* others look at the state */
	kuid_t uid;
	u8 reason[VN_REASON];
	struct vn_sled_progress progress;
	bool off;			/* somebody has called off what drains it; others look */
};

static const u8 no_reason[VN_REASON];
static const u8 lost_reason[VN_REASON] = "lost";

static struct sled sleds[VN_MAX_SLEDS + VN_MAX_SPARES];
/* A session is at work on it, whatever has become of the sled meanwhile. */
static bool busy[ARRAY_SIZE(sleds)];

/* Guards sleds[], busy[], the map of the switch, and unsaid; inside hbm_lock. */
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
	int err;

	mutex_lock(&sled_lock);
	err = vn_drain_may_cancel(&d->s, operation);
	if (!err)
		WRITE_ONCE(d->off, true);
	mutex_unlock(&sled_lock);
	/* Who drains it may stand still. */
	if (!err)
		vn_moves_hurry(sled);
	return err;
}

static bool faulted(u32 sled)
{
	return READ_ONCE(sleds[sled].s.state) == VN_SLED_FAULTED;
}

bool vn_sled_faulted(u32 sled)
{
	return faulted(sled);
}

int vn_sled_check(const struct vn_sled_op *op, const struct vn_moves *m)
{
	const struct vn_switch *sw = &vn_server.sw;

	if (faulted(op->sled))
		return -EHOSTDOWN;
	if (READ_ONCE(sleds[op->sled].off))
		return -ECANCELED;
	for (u32 i = 0; i < m->n; i++)
		if (faulted(vn_switch_sled(sw, m->slot[i])))
			return -EHOSTDOWN;
	return vn_drain_obstacle(sw, op->sled, m);
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
	/* It may be lost, or another one's since. */
	if (!faulted(op->sled) && sleds[op->sled].s.operation == op->id) {
		sleds[op->sled].progress = op->progress;
		if (round)
			note(op, op->state);
	}
	mutex_unlock(&sled_lock);
	vn_sled_say(op);
}

/* ---- from state to state --------------------------------------------------- */

/* Another operation's from now on. At no moment is it in any state but the two. */
static void renew(struct sled *sled, u32 state, u64 operation, kuid_t uid, const u8 *reason)
{
	lockdep_assert_held(&sled_lock);
	WRITE_ONCE(sled->s.state, state);
	WRITE_ONCE(sled->off, false);
	sled->s.operation = operation;
	sled->uid = uid;
	memcpy(sled->reason, reason, VN_REASON);
	sled->progress = (struct vn_sled_progress){};
}

/* Notes it only. */
static void go(struct vn_sled_op *op, u32 state)
{
	struct sled *sled = &sleds[op->sled];

	lockdep_assert_held(&sled_lock);
	if (state == VN_SLED_COMMITTED) {
		op->progress.dirty_bytes = 0;
		op->progress.estimate_ns = 0;
	}
	if (!faulted(op->sled)) {
		WRITE_ONCE(sled->s.state, state);
		sled->progress = op->progress;
		note(op, op->state);
	}
	op->state = state;
	if (state == VN_SLED_DRAINED || state == VN_SLED_FAULTED)
		busy[op->sled] = false;
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

int vn_sled_verified(struct vn_sled_op *op, const struct vn_moves *m)
{
	int err;

	mutex_lock(&sled_lock);
	err = vn_sled_check(op, m);
	if (!err)
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
		WRITE_ONCE(vn_server.chip[m->chip[i]].node,
			   vn_device_node(vn_switch_sled(sw, m->slot[i])));
		vn_faults_revive(sw, &vn_server.faults, m->chip[i]);
	}
	WRITE_ONCE(sw->epoch, sw->epoch + 1);
	mutex_unlock(&sled_lock);
}

/* ---- beginning and ending -------------------------------------------------- */

static int place(struct vn_drain_open *a, struct vn_moves *m)
{
	struct vn_sled state[ARRAY_SIZE(sleds)];
	int err;

	lockdep_assert_held(&sled_lock);
	err = vn_drain_may_begin(&sleds[a->sled].s, a->operation);
	if (err)
		return err;
	for (u32 i = 0; i < ARRAY_SIZE(sleds); i++)
		state[i] = sleds[i].s;
	err = vn_drain_place(&vn_server.sw, state, a->sled, a->to, m);
	a->chips = m->n;
	a->free_slots = m->free;
	memcpy(a->slot, m->slot, sizeof(a->slot));
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
	vn_drain_take(&vn_server.sw, m);
	renew(sled, VN_SLED_IN_SERVICE, op->id, op->uid, op->reason);
	busy[op->sled] = true;
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

/* An operation that needs no session: what it has to say is said before it goes. */
static struct vn_sled_op *op_new(u32 sled, u64 id, kuid_t uid, const u8 *reason)
{
	struct vn_sled_op *op = kzalloc(sizeof(*op), GFP_KERNEL_ACCOUNT);

	if (!op)
		return NULL;
	op->sled = sled;
	op->id = id;
	op->uid = uid;
	memcpy(op->reason, reason, VN_REASON);
	return op;
}

kuid_t vn_sled_uid(const struct vn_drain_open *a)
{
	return a->flags & VN_DRAIN_RESTORE ? make_kuid(current_user_ns(), a->uid) : current_uid();
}

int vn_sled_maintain(struct vn_drain_open *a)
{
	struct vn_sled_op *op = op_new(a->sled, a->operation, vn_sled_uid(a), a->reason);
	struct sled *sled = &sleds[a->sled];
	int err;

	if (!op)
		return -ENOMEM;
	if (!uid_valid(op->uid)) {
		kfree(op);
		return -EINVAL;
	}
	a->fd = -1;
	mutex_lock(&sled_lock);
	op->state = sled->s.state;
	err = vn_drain_may_maintain(op->state);
	if (!err) {
		renew(sled, op->state, op->id, op->uid, op->reason);
		vn_switch_power(&vn_server.sw, a->sled, false);
		go(op, VN_SLED_MAINTENANCE);
	}
	mutex_unlock(&sled_lock);
	if (!err)
		trace_sled_state(op->sled, op->state, op->id);
	vn_sled_say(op);
	kfree(op);
	return err;
}

int vn_sled_back(struct vn_sled_op *op)
{
	u32 state;
	int err;

	mutex_lock(&sled_lock);
	state = sleds[op->sled].s.state;
	err = vn_drain_may_return(&vn_server.sw, op->sled, state, busy[op->sled]);
	if (!err) {
		busy[op->sled] = true;
		op->was = state;
		op->state = state;
		vn_switch_power(&vn_server.sw, op->sled, true);
		/* Also one that is FAULTED. */
		WRITE_ONCE(sleds[op->sled].s.state, VN_SLED_VALIDATING);
		go(op, VN_SLED_VALIDATING);
	}
	mutex_unlock(&sled_lock);
	if (err)
		return err;
	trace_sled_state(op->sled, op->state, op->id);
	vn_sled_say(op);
	return 0;
}

/* The sled is in that state without this operation; false: it is FAULTED meanwhile. */
static bool leave(struct vn_sled_op *op, u32 state)
{
	struct sled *sled = &sleds[op->sled];
	bool left;

	mutex_lock(&sled_lock);
	left = !faulted(op->sled);
	if (left) {
		WRITE_ONCE(sled->s.state, state);
		if (state == VN_SLED_IN_SERVICE) {
			renew(sled, state, 0, GLOBAL_ROOT_UID, no_reason);
			vn_faults_revive_sled(&vn_server.sw, &vn_server.faults, op->sled);
		} else if (state == VN_SLED_MAINTENANCE) {
			vn_switch_power(&vn_server.sw, op->sled, false);
		}
		note(op, op->state);
	}
	op->state = state;
	busy[op->sled] = false;
	mutex_unlock(&sled_lock);
	trace_sled_state(op->sled, state, op->id);
	vn_sled_say(op);
	return left;
}

int vn_sled_serve(struct vn_sled_op *op)
{
	return leave(op, VN_SLED_IN_SERVICE) ? 0 : -EHOSTDOWN;
}

void vn_sled_through(struct vn_sled_op *op, const struct vn_moves *m)
{
	mutex_lock(&sled_lock);
	vn_drain_let_go(&vn_server.sw, m);
	mutex_unlock(&sled_lock);
	vn_sled_go(op, VN_SLED_DRAINED);
}

void vn_sled_undo(struct vn_sled_op *op, const struct vn_moves *m)
{
	mutex_lock(&sled_lock);
	vn_drain_let_go(&vn_server.sw, m);
	mutex_unlock(&sled_lock);
	leave(op, VN_SLED_IN_SERVICE);
}

void vn_sled_stay(struct vn_sled_op *op)
{
	if (op->state == VN_SLED_VALIDATING)
		leave(op, op->was);
}

/* ---- faults ------------------------------------------------------------------- */

static int fault(const struct vn_fault *f, struct vn_sled_op *op, u16 *lost)
{
	struct sled *sled = &sleds[op->sled];
	int err = vn_faults_check(&vn_server.sw, f);
	u32 n;

	lockdep_assert_held(&sled_lock);
	if (err)
		return err;
	n = vn_faults_make(&vn_server.sw, &vn_server.faults, f, lost);
	if (f->kind != VN_FAULT_SLED_LOSS)
		return n;
	op->state = sled->s.state;
	op->id = sled->s.operation;
	renew(sled, VN_SLED_FAULTED, op->id, op->uid, op->reason);
	note(op, op->state);
	return n;
}

int vn_sled_fault(const struct vn_fault *f, u16 lost[VN_MAX_CHIPS_PER_SLED])
{
	bool sled = f->kind == VN_FAULT_SLED_LOSS && f->where < vn_switch_sleds(&vn_server.sw);
	struct vn_sled_op *op = op_new(sled ? f->where : 0, 0, current_uid(), lost_reason);
	int n;

	if (!op)
		return -ENOMEM;
	mutex_lock(&sled_lock);
	n = fault(f, op, lost);
	mutex_unlock(&sled_lock);
	if (n >= 0 && sled)
		trace_sled_state(op->sled, VN_SLED_FAULTED, op->id);
	vn_sled_say(op);
	kfree(op);
	return n;
}

int vn_sled_mend(const struct vn_fault *f)
{
	u64 in_service = 0;
	int err;

	mutex_lock(&sled_lock);
	for (u32 i = 0; i < vn_switch_sleds(&vn_server.sw); i++)
		if (!faulted(i) && sleds[i].s.state != VN_SLED_VALIDATING)
			in_service |= BIT_ULL(i);
	err = vn_faults_clear(&vn_server.sw, &vn_server.faults, f, in_service);
	mutex_unlock(&sled_lock);
	return err;
}

u32 vn_sled_faults(struct vn_fault *to, u32 max)
{
	u32 n;

	mutex_lock(&sled_lock);
	n = vn_faults_list(&vn_server.sw, &vn_server.faults, to, max);
	mutex_unlock(&sled_lock);
	return n;
}
