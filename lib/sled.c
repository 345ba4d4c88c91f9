// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sleds: asking for one, and draining it step by step. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "home.h"
#include "include/vneuron/sled.h"

#define BUDGET_NS 10000000ull
#define DEADLINE_NS 60000000000ull

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

static int fill_open(struct vn_drain_open *a, uint32_t sled, const struct vn_drain_config *c)
{
	const char *reason = c->reason ?: "";

	*a = (struct vn_drain_open){
		.size = sizeof(*a),
		.sled = sled,
		.to = c->to,
		.operation = c->operation,
		.budget_ns = c->budget_ns ?: BUDGET_NS,
	};
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

/* Why it could not begin; the numbers of a shortfall from a dry run. */
static int refused(vn_device_t dev, const struct vn_drain_open *a, int err)
{
	int last = vn_sled_count(dev) - 1;
	struct vn_drain_open plan;
	struct vn_sled_query q;

	switch (err) {
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
	case -EINVAL:
		if (vn_sled_query(dev, a->sled, &q))
			break;
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

	c.to = to;
	c.operation = 1;
	err = fill_open(plan, sled, &c);
	plan->flags = VN_DRAIN_DRY_RUN;
	err = err ?: dev->home->drain_open(dev->ctx, plan, &session);
	return err ? refused(dev, plan, err) : 0;
}

/* One drain, while it goes on. */
struct drain {
	const struct vn_drain_config *config;
	struct vn_drain_report *report;
	void *session;
	vn_device_t dev;
	uint64_t began;
	bool cancelled; /* by somebody else */
};

static int step(struct drain *d, uint32_t to)
{
	struct vn_drain_step *s = &d->report->last;
	int err, off = 0;

	s->size = sizeof(*s);
	s->to = to;
	err = d->dev->home->drain_step(d->session, s);
	d->cancelled = err == -ECANCELED;
	d->report->took_ns = vn_now() - d->began;
	if (d->config->progress)
		off = d->config->progress(d->config->arg, d->report);
	/* What is done is done. */
	return off && s->state < VN_SLED_COMMITTED ? off : err;
}

/* Rounds, until what is left fits into the budget; then the pause. */
static int copy(struct drain *d)
{
	uint64_t end = d->began + (d->config->deadline_ns ?: DEADLINE_NS);
	int err;

	do {
		err = step(d, VN_SLED_PRECOPY);
		if (!err)
			err = step(d, VN_SLED_COMMITTED);
	} while ((err == -EAGAIN || err == -ETIME || err == -EBUSY) && vn_now() < end);
	return err;
}

static int failed(const struct drain *d, uint32_t sled, int err)
{
	const struct vn_drain_step *s = &d->report->last;

	if (err == -EAGAIN)
		return vn_fail(-ETIMEDOUT,
			       "sled %u: %llu bytes are still written faster than they are copied: "
			       "they take %llu us, the budget is %llu us",
			       sled, (unsigned long long)s->dirty_bytes,
			       (unsigned long long)(s->estimate_ns / 1000),
			       (unsigned long long)((d->config->budget_ns ?: BUDGET_NS) / 1000));
	if (err == -EIO)
		return vn_fail(err, "sled %u: a page of the copy is not as it was read", sled);
	if (err == -ECANCELED && d->cancelled)
		return vn_fail(err, "sled %u: called off by somebody", sled);
	if (err == -ETIME)
		return vn_fail(
			-ETIMEDOUT,
			"sled %u: writers would have waited for more than %u budgets of %llu us",
			sled, VN_FENCE_BUDGETS,
			(unsigned long long)((d->config->budget_ns ?: BUDGET_NS) / 1000));
	/* Who holds HBM has been named. */
	return err == -EBUSY ? err : vn_fail(err, "sled %u: %s", sled, strerror(-err));
}

/* A session, with what has been found out so far in the report. */
static int begin(struct drain *d, vn_device_t dev, uint32_t sled, uint32_t flags,
		 const struct vn_drain_config *config, struct vn_drain_report *report)
{
	static const struct vn_drain_config defaults = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_drain_open a;
	int err;

	*d = (struct drain){
		.config = config ?: &defaults, .report = report, .dev = dev, .began = vn_now()
	};
	memset(report, 0, sizeof(*report));
	err = fill_open(&a, sled, d->config);
	if (err)
		return err;
	a.flags = flags;
	err = dev->home->drain_open(dev->ctx, &a, &d->session);
	report->operation = a.operation;
	report->chips = a.chips;
	report->contexts = a.contexts;
	return err && err != -EALREADY ? refused(dev, &a, err) : err;
}

int vn_sled_drain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		  struct vn_drain_report *report)
{
	struct vn_drain_report own;
	struct drain d;
	int err = begin(&d, dev, sled, 0, config, report ?: &own);

	if (err == -EALREADY) {
		d.report->last.state = VN_SLED_DRAINED;
		return 0;
	}
	if (err)
		return err;
	err = step(&d, VN_SLED_CORDONED) ?: copy(&d) ?: step(&d, VN_SLED_DRAINED);
	dev->home->drain_close(d.session);
	return err ? failed(&d, sled, err) : 0;
}

int vn_sled_cancel(vn_device_t dev, uint32_t sled, uint64_t operation)
{
	int n = vn_sled_count(dev);

	if (sled >= (uint32_t)n)
		return vn_fail(-ENODEV, "no sled %u: there are sleds 0 to %d", sled, n - 1);
	return dev->home->drain_cancel(dev->ctx, sled, operation);
}

static int not_passed(uint32_t sled, const struct vn_drain_step *s)
{
	static const char *const what[] = {
		[VN_FAULT_NONE] = "it could not be tested",
		[VN_FAULT_MEMORY] = "memory does not keep what is written there",
		[VN_FAULT_LINK] = "a copy is not what was copied",
		[VN_FAULT_SUM] = "a sum is wrong",
	};

	return vn_fail(-EIO, "sled %u: slot %u: %s", sled, s->slot,
		       what[s->fault <= VN_FAULT_SUM ? s->fault : 0]);
}

int vn_sled_undrain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		    struct vn_drain_report *report)
{
	struct vn_drain_report own;
	struct drain d;
	int err = begin(&d, dev, sled, VN_DRAIN_BACK, config, report ?: &own);

	if (err == -EALREADY)
		return vn_fail(err, "sled %u: it is in service", sled);
	if (err)
		return err;
	err = step(&d, VN_SLED_IN_SERVICE);
	dev->home->drain_close(d.session);
	if (err == -EIO)
		return not_passed(sled, &d.report->last);
	return err ? vn_fail(err, "sled %u: %s", sled, strerror(-err)) : 0;
}
