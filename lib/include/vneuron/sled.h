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
 * @budget_ns: how long writers may be kept out; 0: 10 ms. They are only when what is left
 *	to copy takes no longer, as measured; should it take longer than VN_FENCE_BUDGETS
 *	of that, they are let in again, and it goes on copying
 * @deadline_ns: how long it may copy before it gives up; 0: a minute
 * @operation: its number; 0: a random one. Asking again with the number of one that
 *	is done succeeds, and does nothing
 * @reason: why, up to 63 bytes; NULL: ""
 * @progress: called after every step, by the thread that drains; not 0: it is called
 *	off, and vn_sled_drain() returns that. NULL: nobody asks
 * @arg: for @progress
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
 * for them, the text says how many are short. -ENOMEM. -EBUSY: somebody is draining it.
 * -ETIMEDOUT: within the deadline what is written there did not get little enough to be
 * copied in the budget, or writers would have waited for too long. -EBUSY also: a thread
 * of the process holds HBM (vn_mem_begin()), and is named. -EIO: a page was not as it was read. After a failure all is as
 * it was.
 */
int vn_sled_drain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		  struct vn_drain_report *report);

/**
 * vn_sled_undrain - bring a sled back to service, if it passes
 * @config: operation and reason; NULL: the defaults
 * @report: out; NULL: nobody asks
 *
 * Its memory, copies between its slots and others, and a reduction over all of them are
 * tested first. Chips stay where they are: the sled has room for those of another one.
 * -EIO: it did not pass; the text says what, and at which slot; the sled is FAULTED.
 * -EALREADY: it is in service.
 */
int vn_sled_undrain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		    struct vn_drain_report *report);

#ifdef __cplusplus
}
#endif

#endif
