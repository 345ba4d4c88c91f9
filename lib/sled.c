// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sleds: asking for one, what draining it would take, calling that off. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "drain/session.h"
#include "home.h"
#include "include/vneuron/sled.h"

static const char *const state_names[VN_SLED_STATES] = {
	[VN_SLED_IN_SERVICE] = "in_service", [VN_SLED_PLANNED] = "planned",
	[VN_SLED_CORDONED] = "cordoned",     [VN_SLED_PRECOPY] = "precopy",
	[VN_SLED_FENCED] = "fenced",	     [VN_SLED_STOPCOPY] = "stopcopy",
	[VN_SLED_VERIFIED] = "verified",     [VN_SLED_COMMITTED] = "committed",
	[VN_SLED_DRAINED] = "drained",	     [VN_SLED_MAINTENANCE] = "maintenance",
	[VN_SLED_VALIDATING] = "validating", [VN_SLED_FAULTED] = "faulted",
};

const char *vn_sled_state_name(uint32_t state)
{
	return state < VN_SLED_STATES ? state_names[state] : NULL;
}

int vn_sled_query(vn_device_t dev, uint32_t sled, struct vn_sled_query *q)
{
	int err;

	memset(q, 0, sizeof(*q));
	q->sled = sled;
	err = vn_call(dev, VN_IOCTL_SLED_QUERY, q, sizeof(*q));
	return err == -ENODEV ? vn_fail(err, "no sled %u: there are sleds 0 to %d", sled,
					vn_sled_count(dev) - 1)
			      : err;
}

int vn_sled_count(vn_device_t dev)
{
	return (int)(dev->query.sleds + dev->query.spares);
}

int vn_drain_fill(struct vn_drain_open *a, const struct vn_drain_config *c)
{
	const char *reason = c->reason ?: "";
	uint32_t sled = a->sled;

	a->size = sizeof(*a);
	a->to = c->to;
	a->operation = c->operation;
	a->budget_ns = c->budget_ns ?: VN_DRAIN_BUDGET_NS;
	if (strlen(reason) >= VN_REASON)
		return vn_fail(-EINVAL, "sled %u: a reason of %zu bytes; at most %d", sled,
			       strlen(reason), VN_REASON - 1);
	for (const char *p = reason; *p; p++)
		if (iscntrl((unsigned char)*p))
			return vn_fail(-EINVAL, "sled %u: a reason with a control character", sled);
	if (a->budget_ns > VN_BUDGET_MAX)
		return vn_fail(-EINVAL, "sled %u: a budget of %llu ms; at most %llu", sled,
			       (unsigned long long)(a->budget_ns / 1000000),
			       VN_BUDGET_MAX / 1000000);
	memcpy(a->reason, reason, strlen(reason));
	while (!a->operation)
		if (getrandom(&a->operation, sizeof(a->operation), 0) < 0)
			return vn_fail(-errno, "no random number for an operation");
	return 0;
}

int vn_drain_held(uint32_t sled, uint32_t exports, uint32_t context, uint32_t pid)
{
	char whose[24] = "";

	if (pid)
		snprintf(whose, sizeof(whose), " of process %u", pid);
	return vn_fail(
		-EBUSY,
		"sled %u: %u export%s of memory on it (vn_mem_export()), by context %u%s: it "
		"can't move before they are closed",
		sled, exports, exports == 1 ? "" : "s", context, whose);
}

int vn_drain_refused(vn_device_t dev, const struct vn_drain_open *a, int err)
{
	int last = vn_sled_count(dev) - 1;
	struct vn_drain_open plan;
	struct vn_sled_query q;

	switch (err) {
	case -ECONNRESET:
	case -ETIMEDOUT:
		/* The process whose device it is has been named. */
		return err;
	case -EPERM:
		return vn_fail(err, "sled %u: draining takes CAP_SYS_ADMIN", a->sled);
	case -ENODEV:
		return vn_fail(err, "no sled %u: there are sleds 0 to %d",
			       a->sled > (uint32_t)last ? a->sled : a->to, last);
	case -ENOSPC:
		err = vn_sled_plan(dev, a->sled, a->to, &plan);
		if (err)
			return err;
		return vn_fail(-ENOSPC,
			       "sled %u: its %u chips want as many slots, %u are free%s: %u short",
			       a->sled, plan.chips, plan.free_slots,
			       a->to == VN_ANY_SLED ? "" : " there", plan.chips - plan.free_slots);
	case -ENOMEM:
		return vn_fail(err, "sled %u: the host has no memory for a copy of its HBM",
			       a->sled);
	case -EBUSY:
		if (a->exports)
			return vn_drain_held(a->sled, a->exports, a->holder, a->holder_pid);
		/* fallthrough */
	case -EINVAL:
	case -EALREADY:
		if (vn_sled_query(dev, a->sled, &q))
			break;
		if (err == -EBUSY && q.state == VN_SLED_IN_SERVICE)
			return vn_fail(err, "sled %u: chips of another sled are on their way to it",
				       a->sled);
		if (err == -EBUSY && q.state == VN_SLED_FAULTED)
			return vn_fail(err,
				       "sled %u: it is faulted, and a drain of it, or to it, has "
				       "not ended yet",
				       a->sled);
		return vn_fail(err, "sled %u: it is %s (operation %016llx%s%.63s)", a->sled,
			       vn_sled_state_name(q.state), (unsigned long long)q.operation,
			       *q.reason ? ": " : "", q.reason);
	}
	return vn_fail(err, "sled %u: %s", a->sled, strerror(-err));
}

int vn_sled_plan(vn_device_t dev, uint32_t sled, uint32_t to, struct vn_drain_open *plan)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	void *session;
	int err;

	*plan = (struct vn_drain_open){ .sled = sled, .flags = VN_DRAIN_DRY_RUN };
	c.to = to;
	c.operation = 1;
	err = vn_drain_fill(plan, &c) ?: dev->home->drain_open(dev->ctx, plan, &session);
	return err ? vn_drain_refused(dev, plan, err) : 0;
}

int vn_sled_cancel(vn_device_t dev, uint32_t sled, uint64_t operation)
{
	int n = vn_sled_count(dev);

	if (sled >= (uint32_t)n)
		return vn_fail(-ENODEV, "no sled %u: there are sleds 0 to %d", sled, n - 1);
	return dev->home->drain_cancel(dev->ctx, sled, operation);
}
