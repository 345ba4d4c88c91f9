/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sleds: what state they are in, and taking one out of service while programs that
 * have chips on it go on. Functions return 0 or -errno, as those of vneuron.h.
 */
#ifndef VNEURON_SLED_H
#define VNEURON_SLED_H

#include "../vneuron.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * vn_sled_query - a sled, 0 to sleds + spares - 1
 */
int vn_sled_query(vn_device_t dev, uint32_t sled, struct vn_sled_query *q);

/**
 * vn_sled_count - how many there are, spares included
 */
int vn_sled_count(vn_device_t dev);

/**
 * vn_sled_state_name - "in_service", "precopy", ...; NULL for no state
 */
const char *vn_sled_state_name(uint32_t state);

/**
 * struct vn_drain_report - what draining a sled has come to
 * @last: where it is, how much was copied, how long writers were kept out; see
 *	&struct vn_drain_step
 * @operation: its number
 * @chips: that were on the sled
 * @contexts: that had memory there
 * @took_ns: from the first step to now
 */
struct vn_drain_report {
	struct vn_drain_step last;
	uint64_t operation;
	uint32_t chips;
	uint32_t contexts;
	uint64_t took_ns;
};

/**
 * struct vn_drain_config - how to drain
 * @size: sizeof(struct vn_drain_config)
 * @to: sled for its chips, or VN_ANY_SLED
 * @budget_ns: how long writers may be kept out; 0: 10 ms. They are only when keeping
 *	them out and copying what is left take no longer, as measured; should it take
 *	longer, they are let in again, and it goes on copying. Where that happens again and
 *	again it may take up to VN_FENCE_BUDGETS of that
 * @deadline_ns: how long it may copy before it gives up; 0: a minute
 * @operation: its number; 0: a random one. Asking again with the number of one that
 *	is done succeeds, and does nothing
 * @reason: why, up to 63 bytes; NULL: ""
 * @progress: called after every step, by the thread that drains; not 0: it is called
 *	off, and vn_sled_drain() returns that. NULL: nobody asks
 * @arg: for @progress
 * @journal: path of the file in which each step is kept, so that vn_sled_restore() finds
 *	out after a restart what was out of service (vneuron/journal.h); NULL: nowhere
 */
struct vn_drain_config {
	uint32_t size;
	uint32_t to;
	uint64_t budget_ns;
	uint64_t deadline_ns;
	uint64_t operation;
	const char *reason;
	int (*progress)(void *arg, const struct vn_drain_report *r);
	void *arg;
	const char *journal;
};

#define VN_DRAIN_CONFIG_INITIALIZER { .size = sizeof(struct vn_drain_config), .to = VN_ANY_SLED }

/**
 * vn_sled_plan - what draining it would take: nothing changes
 * @plan: out; see &struct vn_drain_open
 *
 * -EPERM: without CAP_SYS_ADMIN, of the kernel home.
 */
int vn_sled_plan(vn_device_t dev, uint32_t sled, uint32_t to, struct vn_drain_open *plan);

/**
 * vn_sled_drain - take a sled out of service
 * @config: NULL: the defaults
 * @report: out, also of one that failed; NULL: nobody asks
 *
 * Its chips move to other slots while programs go on. -ENOSPC: too few slots are free
 * for them, the text says how many are short. -ENOMEM. -EBUSY: somebody is draining it,
 * or chips of another sled are on their way to it.
 * -ETIMEDOUT: within the deadline what is written there did not get little enough to be
 * copied in the budget, or writers would have waited for too long. -EBUSY also: a thread
 * of the process holds HBM (vn_mem_begin()), and is named. -EIO: a page was not as it was
 * read. -ECANCELED: somebody has called it off. After a failure all is as it was.
 *
 * With a journal also what vn_journal_read() returns, and before anything has changed.
 * -EBUSY: another process has it locked for longer than a record takes. -ENOSPC, -EFBIG,
 * -EIO...: it could not be written; but when the chips have moved by then the sled is
 * drained: @report->last.state says so, and the text tells how the journal gets to know.
 */
int vn_sled_drain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		  struct vn_drain_report *report);

/**
 * vn_sled_undrain - bring a sled back to service, if it passes
 * @config: operation, reason and journal; NULL: the defaults
 * @report: out; NULL: nobody asks
 *
 * Its memory, copies between its slots and others, and a reduction over all of them are
 * tested first. Chips stay where they are: the sled has room for those of another one.
 * -EIO: it did not pass; the text says what, and at which slot; the sled is FAULTED.
 * -EALREADY: it is in service. With a journal: as vn_sled_drain(); and a sled that is in
 * service, which the journal does not know, is no error: it is told.
 */
int vn_sled_undrain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		    struct vn_drain_report *report);

/**
 * vn_sled_maintain - a sled that is drained loses power
 * @config: operation, reason and journal; NULL: the defaults
 *
 * It is in MAINTENANCE then, and no chip can come to it until vn_sled_undrain() has found
 * it fit. -EINVAL: it is not drained; -EALREADY: it has none.
 */
int vn_sled_maintain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config);

/**
 * vn_sled_cancel - call off what drains a sled
 * @operation: only if it is this one; 0: whichever it is
 *
 * Its next step ends it, and leaves all as it was; it may be some time until then.
 * -ENOENT: nothing is draining the sled. -ESTALE: another operation is. -EALREADY: it is
 * too late, the chips are elsewhere. -EPERM: without CAP_SYS_ADMIN, of the kernel home.
 */
int vn_sled_cancel(vn_device_t dev, uint32_t sled, uint64_t operation);

/**
 * struct vn_sled_event - a sled went from one state to another, or a round of copying is over
 * @sled: which
 * @from: &enum vn_sled_state it was in
 * @to: in which it is; of a round both are VN_SLED_PRECOPY
 * @chips: on it now
 * @rack: where it is
 * @epoch: of the map of chips now
 * @numa_node: node its HBM is taken from, -1 when there is no choice
 * @uid: user who made it go, as the user namespace of the network namespace knows it (of
 *	an embedded device: that of its process); 0xffffffff: nobody
 * @hbm_used: bytes taken on its chips
 * @operation: that made it go
 * @total_bytes: of HBM on it; this and what follows: of one that is being drained, as
 *	its last step found them, else 0
 * @copied_bytes: in all
 * @dirty_bytes: written since they were copied
 * @estimate_ns: time to copy these; all ones: not known
 * @pause_ns: how long writers were kept out
 * @reason: why, as was said; a string
 */
struct vn_sled_event {
	uint32_t sled;
	uint32_t from;
	uint32_t to;
	uint32_t chips;
	uint32_t rack;
	uint32_t epoch;
	int32_t numa_node;
	uint32_t uid;
	uint64_t hbm_used;
	uint64_t operation;
	uint64_t total_bytes;
	uint64_t copied_bytes;
	uint64_t dirty_bytes;
	uint64_t estimate_ns;
	uint64_t pause_ns;
	char reason[VN_REASON];
};

typedef struct vn_sled_events *vn_sled_events_t;

/**
 * vn_sled_events_open - see what happens to sleds, from here on
 * @ev: out, for one thread at a time
 *
 * Events of all processes, in the order in which they happened, for every user. An
 * embedded device keeps up to 1024 for each who has opened them. They may be read after
 * the device is closed, those of another process as long as it lasts: -ECONNRESET.
 */
int vn_sled_events_open(vn_device_t dev, vn_sled_events_t *ev);

/**
 * vn_sled_events_fd - an fd that poll() says can be read when there may be an event
 */
int vn_sled_events_fd(vn_sled_events_t ev);

/**
 * vn_sled_events_next - the next event
 * @timeout_ns: from now; 0: only what is there; VN_FOREVER
 *
 * -ETIMEDOUT: there was none. -ENOBUFS: some are lost, as they came faster than they were
 * read; the next call goes on with those that came later.
 */
int vn_sled_events_next(vn_sled_events_t ev, struct vn_sled_event *e, uint64_t timeout_ns);

/**
 * vn_sled_events_close - no more events; NULL is none
 */
void vn_sled_events_close(vn_sled_events_t ev);

#ifdef __cplusplus
}
#endif

#endif
