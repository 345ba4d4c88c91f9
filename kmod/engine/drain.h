/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taking a sled out of service: which steps there are, where its chips can go, and
 * whether what is left to copy fits into the pause that is allowed. Arithmetic alone;
 * the shells copy, and keep writers out.
 */
#ifndef VN_DRAIN_H
#define VN_DRAIN_H

#include "port.h"
#include "switch.h"

/* What is known of a sled. */
struct vn_sled {
	u32 state;			/* enum vn_sled_state */
	u64 operation;			/* that brought it there, 0: none */
};

/* May a sled go from one state to the other? Back to service: before COMMITTED. */
bool vn_drain_edge(u32 from, u32 to);

/*
 * May an operation begin on a sled? 0, or why not. -EALREADY: it is so already; -EBUSY:
 * somebody else is at it; -EINVAL: not in the state it is in.
 */
/* A drain. -EALREADY: this operation has drained it before. */
int vn_drain_may_begin(const struct vn_sled *s, u64 operation);
/*
 * Calling off the drain that is under way, operation 0: whichever. -ENOENT: none is;
 * -ESTALE: another one is; -EALREADY: too late, its chips are elsewhere.
 */
int vn_drain_may_cancel(const struct vn_sled *s, u64 operation);
/* Maintenance, which is for sleds that are drained. */
int vn_drain_may_maintain(u32 state);

/* Where the chips of a sled go. */
struct vn_moves {
	u32 n;
	u16 chip[VN_MAX_CHIPS_PER_SLED], slot[VN_MAX_CHIPS_PER_SLED];
	u32 free;			/* slots that there were for them */
	u32 lost;			/* chips that were lost before, a bit each */
};

/*
 * Finds slots for all chips of a sled: on sled `to`, or (VN_ANY_SLED) on as few others as
 * can be, in service. 0, or -ENOSPC: n are wanted, free there are. -EBUSY: chips of
 * another sled are on their way to it, or have just come.
 */
int vn_drain_place(const struct vn_switch *sw, const struct vn_sled *sleds, u32 sled, u32 to,
		   struct vn_moves *m);

/* A drain begins to move them, and their slots are taken; or is through with that. */
void vn_drain_take(struct vn_switch *sw, const struct vn_moves *m);
void vn_drain_let_go(struct vn_switch *sw, const struct vn_moves *m);
/*
 * What has come in its way meanwhile: 0; -EHOSTDOWN: one of the chips is lost;
 * -ENETUNREACH: a link is cut between where they are and where they go.
 */
int vn_drain_obstacle(const struct vn_switch *sw, u32 sled, const struct vn_moves *m);

/* Are chips of another sled on their way to it? */
bool vn_drain_awaits(const struct vn_switch *sw, u32 sled);
/* Coming back into service, where a session may still be at work on it (busy). */
int vn_drain_may_return(const struct vn_switch *sw, u32 sled, u32 state, bool busy);

/* How fast it copies, and how long it takes to keep writers out, as measured so far. */
struct vn_pace {
	u64 bytes, ns;
	u64 fence_ns;			/* lately; long ones are soon forgotten */
};

/* How long so many bytes take; U64_MAX while nothing is known, 0 for none. */
u64 vn_pace_ns(const struct vn_pace *p, u64 bytes);
/* It took so long until nobody wrote, and what else of a pause is no copying. */
void vn_pace_fenced(struct vn_pace *p, u64 ns);
/*
 * How long a pause would be in which so many bytes are copied. For all but copying at most
 * half of the budget is set aside: so what is little enough is tried, however long that took.
 */
u64 vn_pace_pause_ns(const struct vn_pace *p, u64 bytes, u64 budget_ns);
/*
 * How many budgets a pause may take, after so many that were given up: one, and more only
 * where that is never enough.
 */
u32 vn_drain_budgets(u32 given_up);
/*
 * How long who writes is to rest, after a round that left so many bytes written, when
 * the one before had left so many, and how long it was then. Nothing while it gets less.
 */
u32 vn_drain_slow(u64 before, u64 now, u32 slow_us);

/* How long rests are asked for after anything was copied: whoever drains may stand still. */
#define VN_SLOW_LASTS_NS	1000000000ull

/* What is left of a rest of so long, when something was copied then. */
static inline u32 vn_drain_rest(u32 slow_us, u64 copied_ns, u64 now_ns)
{
	return now_ns - copied_ns < VN_SLOW_LASTS_NS ? slow_us : 0;
}

/* How long a drain of so many bytes takes: copying, and what else there is to be done to each. */
u64 vn_drain_time_ns(const struct vn_pace *copy, const struct vn_pace *rest, u64 bytes);
/* Bytes per second, 0: not known. */
u64 vn_pace_rate(const struct vn_pace *p);

#endif
