// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Draining a sled, and bringing it back, step by step, with the journal of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../home.h"
#include "log.h"
#include "session.h"

/* How long until it is looked again whether memory is still exported. */
#define HELD_NS 10000000l

/* One drain, while it goes on. */
struct drain {
	struct vn_drain_config config;
	struct vn_drain_report *report, own;
	struct vn_log log;
	void *session;
	vn_device_t dev;
	uint32_t sled;
	uint64_t began;
	bool cancelled; /* by somebody else */
	bool unlogged; /* the journal did not take the last record */
};

/* What vn_error() says, before it says something else. */
struct text {
	char s[384];
};

static struct text said(void)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "%s", vn_error());
	return t;
}

static int step(struct drain *d, uint32_t to)
{
	struct vn_drain_step *s = &d->report->last;
	int err, off = 0;

	s->size = sizeof(*s);
	s->to = to;
	err = d->dev->home->drain_step(d->session, s);
	d->cancelled = err == -ECANCELED;
	d->report->took_ns = vn_now() - d->began;
	if (d->config.progress)
		off = d->config.progress(d->config.arg, d->report);
	/* What is done is done. */
	return off && s->state > VN_SLED_IN_SERVICE && s->state < VN_SLED_COMMITTED ? off : err;
}

static int record(struct drain *d, uint32_t state)
{
	int err = vn_log_write(&d->log, state);

	d->unlogged = err;
	return err;
}

/* ---- out of service ----------------------------------------------------------------- */

/* A round. On the way there is one record of each state, however many rounds it takes. */
static int copy_round(struct drain *d)
{
	uint32_t *at = &d->log.last.to;
	int err = *at < VN_SLED_PRECOPY ? record(d, VN_SLED_PRECOPY) : 0;

	err = err ?: step(d, VN_SLED_PRECOPY);
	if (err || *at == VN_SLED_FENCED)
		return err;
	vn_drain_point(VN_SLED_PRECOPY, VN_POINT_AFTER);
	return record(d, VN_SLED_FENCED);
}

/* Rounds, until what is left fits into the budget; then the pause. */
static int copy(struct drain *d)
{
	uint64_t end = d->began + (d->config.deadline_ns ?: VN_DRAIN_DEADLINE_NS);
	int err;

	do {
		err = copy_round(d) ?: step(d, VN_SLED_COMMITTED);
		/* Who has exported it may close that; looking all the time does not help. */
		if (err == -EBUSY && d->report->last.exports)
			nanosleep(&(struct timespec){ .tv_nsec = HELD_NS }, NULL);
	} while (!d->unlogged && (err == -EAGAIN || err == -ETIME || err == -EBUSY) &&
		 vn_now() < end);
	if (!err)
		vn_drain_point(VN_SLED_FENCED, VN_POINT_AFTER);
	return err;
}

static int failed(const struct drain *d, int err)
{
	unsigned long long budget_us = (d->config.budget_ns ?: VN_DRAIN_BUDGET_NS) / 1000;
	const struct vn_drain_step *s = &d->report->last;

	if (err == -EBUSY && s->exports)
		return vn_drain_held(d->sled, s->exports, s->holder, s->holder_pid);
	/* Who holds HBM, has gone, or does not answer has been named; so has the journal. */
	if (d->unlogged || err == -EBUSY || err == -ECONNRESET || err == -ETIMEDOUT)
		return err;
	if (err == -EAGAIN)
		return vn_fail(-ETIMEDOUT,
			       "sled %u: %llu bytes are still written faster than they are copied: "
			       "they take %llu us, the budget is %llu us",
			       d->sled, (unsigned long long)s->dirty_bytes,
			       (unsigned long long)(s->estimate_ns / 1000), budget_us);
	if (err == -EIO)
		return vn_fail(err, "sled %u: a page of the copy is not as it was read", d->sled);
	if (err == -EHOSTDOWN)
		return s->state == VN_SLED_FAULTED
			       ? vn_fail(err, "sled %u is lost, with all that was on it", d->sled)
			       : vn_fail(err,
					 "sled %u: a chip of it is lost, or where they were to go",
					 d->sled);
	if (err == -ENETUNREACH)
		return vn_fail(err, "sled %u: no way through the switch to where its chips go",
			       d->sled);
	if (err == -ECANCELED && d->cancelled)
		return vn_fail(err, "sled %u: called off by somebody", d->sled);
	if (err == -ETIME)
		return vn_fail(
			-ETIMEDOUT,
			"sled %u: writers would have waited for more than %u budgets of %llu us",
			d->sled, VN_FENCE_BUDGETS, budget_us);
	return vn_fail(err, "sled %u: %s", d->sled, strerror(-err));
}

/* All will be as it was, unless the sled has been lost. */
static int give_up(struct drain *d, int err)
{
	uint32_t to = VN_SLED_IN_SERVICE;
	struct text t;

	err = failed(d, err);
	t = said();
	if (d->report->last.state == VN_SLED_FAULTED && !vn_log_by_sled(&d->log))
		to = VN_SLED_FAULTED;
	/* Should it not get there: what has no COMMITTED behind it has not happened. */
	if (d->log.last.to > VN_SLED_IN_SERVICE && !record(d, to))
		vn_drain_point(to, VN_POINT_AFTER);
	vn_set_error("%s", t.s);
	return err;
}

/* Its chips are elsewhere: it is out of service, whatever becomes of the journal. */
static int finish(struct drain *d)
{
	struct text why;
	int err, lost;

	vn_log_moved(&d->log);
	if (!record(d, VN_SLED_COMMITTED))
		vn_drain_point(VN_SLED_COMMITTED, VN_POINT_AFTER);
	lost = record(d, VN_SLED_DRAINED);
	why = said();
	d->unlogged = false;
	err = step(d, VN_SLED_DRAINED);
	if (err)
		return failed(d, err);
	vn_drain_point(VN_SLED_DRAINED, VN_POINT_AFTER);
	if (!lost)
		return 0;
	return vn_fail(lost,
		       "sled %u is drained, %s; when it can be written again, `neuronctl sled "
		       "drain %u --operation %016llx' makes up for that: %s",
		       d->sled,
		       d->log.last.to == VN_SLED_COMMITTED
			       ? "but the journal knows only that its chips have moved"
			       : "but the journal does not know it",
		       d->sled, (unsigned long long)d->report->operation, why.s);
}

static int take_out(struct drain *d)
{
	int err = record(d, VN_SLED_PLANNED);

	if (!err) {
		vn_drain_point(VN_SLED_PLANNED, VN_POINT_AFTER);
		err = record(d, VN_SLED_CORDONED) ?: step(d, VN_SLED_CORDONED);
	}
	if (!err) {
		vn_drain_point(VN_SLED_CORDONED, VN_POINT_AFTER);
		err = copy(d);
	}
	return err ? give_up(d, err) : finish(d);
}

/* ---- beginning ---------------------------------------------------------------------- */

/* An older and smaller configuration keeps its meaning. */
static int read_config(struct vn_drain_config *to, const struct vn_drain_config *from)
{
	static const struct vn_drain_config defaults = VN_DRAIN_CONFIG_INITIALIZER;

	*to = defaults;
	if (!from)
		return 0;
	if (from->size < offsetof(struct vn_drain_config, journal) || from->size > sizeof(*to))
		return vn_fail(-EINVAL, "config: a size of %u; this library knows up to %zu",
			       from->size, sizeof(*to));
	memcpy(to, from, from->size);
	to->size = sizeof(*to);
	return 0;
}

/* What is refused anyway leaves no trace in the journal. */
static int try(struct drain *d, const struct vn_drain_open *a)
{
	struct vn_drain_open plan = *a;
	int err;

	if (!d->config.journal || a->flags)
		return 0;
	plan.flags = VN_DRAIN_DRY_RUN;
	err = d->dev->home->drain_open(d->dev->ctx, &plan, &d->session);
	if (!err && plan.free_slots < plan.chips)
		err = -ENOSPC;
	if (!err && plan.exports)
		err = -EBUSY;
	return err && err != -EALREADY ? vn_drain_refused(d->dev, &plan, err) : 0;
}

/*
 * A session, with what has been found out so far in the report. All errors have a text but
 * -EALREADY.
 */
static int begin(struct drain *d, vn_device_t dev, struct vn_drain_open *a,
		 const struct vn_drain_config *config, struct vn_drain_report *report)
{
	int err;

	*d = (struct drain){ .dev = dev, .sled = a->sled, .began = vn_now() };
	d->report = report ?: &d->own;
	memset(d->report, 0, sizeof(*d->report));
	err = read_config(&d->config, config) ?: vn_drain_fill(a, &d->config) ?: vn_drain_points();
	err = err ?: try(d, a) ?: vn_log_begin(&d->log, dev, d->config.journal, a->sled);
	if (err)
		return err;
	vn_log_by(&d->log, a->operation, getuid(), (const char *)a->reason, a->to);
	err = dev->home->drain_open(dev->ctx, a, &d->session);
	d->report->operation = a->operation;
	d->report->chips = a->chips;
	d->report->contexts = a->contexts;
	return err && err != -EALREADY ? vn_drain_refused(dev, a, err) : err;
}

static int drain(vn_device_t dev, struct vn_drain_open *a, const struct vn_drain_config *config,
		 struct vn_drain_report *report)
{
	struct drain d;
	int err = begin(&d, dev, a, config, report);

	if (err == -EALREADY) {
		d.report->last.state = VN_SLED_DRAINED;
		err = vn_log_repair(&d.log, VN_SLED_DRAINED);
		return err < 0 ? err : 0;
	}
	if (err)
		return err;
	err = take_out(&d);
	dev->home->drain_close(d.session);
	return err;
}

int vn_sled_drain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		  struct vn_drain_report *report)
{
	struct vn_drain_open a = { .sled = sled };

	return drain(dev, &a, config, report);
}

int vn_drain_again(vn_device_t dev, uint32_t sled, uint32_t uid,
		   const struct vn_drain_config *config, struct vn_drain_report *report)
{
	struct vn_drain_open a = { .sled = sled, .flags = VN_DRAIN_RESTORE, .uid = uid };

	return drain(dev, &a, config, report);
}

/* ---- back --------------------------------------------------------------------------- */

/* It is FAULTED, for what was seen, or because it was lost meanwhile. */
static int not_passed(struct drain *d, int err)
{
	static const char *const what[] = {
		[VN_FAULT_NONE] = "it was lost while it was tested",
		[VN_FAULT_MEMORY] = "memory does not keep what is written there",
		[VN_FAULT_LINK] = "a copy is not what was copied",
		[VN_FAULT_SUM] = "a sum is wrong",
	};
	const struct vn_drain_step *s = &d->report->last;
	const char *fault = what[s->fault <= VN_FAULT_SUM ? s->fault : 0];
	char at[24] = "";

	if (s->fault)
		snprintf(at, sizeof(at), "slot %u: ", s->slot);
	if (vn_log_end(&d->log, VN_SLED_FAULTED))
		return vn_fail(err, "sled %u: %s%s; the journal does not know it: %s", d->sled, at,
			       fault, said().s);
	vn_drain_point(VN_SLED_FAULTED, VN_POINT_AFTER);
	return vn_fail(err, "sled %u: %s%s", d->sled, at, fault);
}

static int passed(struct drain *d, const struct vn_drain_open *a)
{
	int err;

	vn_log_by(&d->log, a->operation, getuid(), (const char *)a->reason, VN_ANY_SLED);
	err = vn_log_end(&d->log, VN_SLED_IN_SERVICE);
	if (err)
		return vn_fail(err,
			       "sled %u is in service, but the journal does not know it; when it "
			       "can be written again, `neuronctl sled undrain %u' makes up for "
			       "that: %s",
			       d->sled, d->sled, said().s);
	vn_drain_point(VN_SLED_IN_SERVICE, VN_POINT_AFTER);
	return 0;
}

static int come_back(struct drain *d, const struct vn_drain_open *a)
{
	uint32_t was = d->log.last.to;
	struct text t;
	int err;

	/* Until it is in service, it is out because of what brought it there. */
	err = vn_log_by_sled(&d->log) ?: record(d, VN_SLED_VALIDATING);
	if (err)
		return err;
	err = step(d, VN_SLED_IN_SERVICE);
	vn_drain_point(VN_SLED_VALIDATING, VN_POINT_AFTER);
	if (!err)
		return passed(d, a);
	if (d->report->last.state == VN_SLED_FAULTED)
		return not_passed(d, err);
	/* It stays what it was. */
	vn_fail(err, "sled %u: %s", d->sled, strerror(-err));
	t = said();
	record(d, was);
	vn_set_error("%s", t.s);
	return err;
}

int vn_sled_undrain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config,
		    struct vn_drain_report *report)
{
	struct vn_drain_open a = { .sled = sled, .flags = VN_DRAIN_BACK };
	struct drain d;
	int err = begin(&d, dev, &a, config, report);

	if (err == -EALREADY) {
		err = vn_log_repair(&d.log, VN_SLED_IN_SERVICE);
		return err > 0 ? 0 : err ?: vn_fail(-EALREADY, "sled %u: it is in service", sled);
	}
	if (err)
		return err;
	err = come_back(&d, &a);
	dev->home->drain_close(d.session);
	return err;
}

/* ---- power off ------------------------------------------------------------------------ */

static int maintain(vn_device_t dev, struct vn_drain_open *a, const struct vn_drain_config *config)
{
	struct vn_sled_query q;
	struct drain d;
	struct text t;
	void *none;
	int err;

	d = (struct drain){ .dev = dev, .sled = a->sled };
	err = read_config(&d.config, config) ?: vn_drain_fill(a, &d.config) ?: vn_drain_points();
	err = err ?: vn_sled_query(dev, a->sled, &q);
	if (err)
		return err;
	/* What is refused anyway leaves no trace in the journal. */
	if (q.state != VN_SLED_DRAINED)
		return vn_drain_refused(dev, a,
					q.state == VN_SLED_MAINTENANCE ? -EALREADY : -EINVAL);
	err = vn_log_begin(&d.log, dev, d.config.journal, a->sled);
	if (err)
		return err;
	vn_log_by(&d.log, a->operation, a->flags & VN_DRAIN_RESTORE ? a->uid : getuid(),
		  (const char *)a->reason, VN_ANY_SLED);
	err = record(&d, VN_SLED_MAINTENANCE);
	if (err)
		return err;
	err = dev->home->drain_open(dev->ctx, a, &none);
	if (!err) {
		vn_drain_point(VN_SLED_MAINTENANCE, VN_POINT_AFTER);
		return 0;
	}
	/* Somebody was faster, and it may be in service by now. */
	err = vn_drain_refused(dev, a, err);
	t = said();
	if (!vn_log_by_sled(&d.log) && !vn_sled_query(dev, a->sled, &q))
		vn_log_end(&d.log,
			   q.state < VN_SLED_COMMITTED ? VN_SLED_IN_SERVICE : VN_SLED_DRAINED);
	vn_set_error("%s", t.s);
	return err;
}

int vn_sled_maintain(vn_device_t dev, uint32_t sled, const struct vn_drain_config *config)
{
	struct vn_drain_open a = { .sled = sled, .flags = VN_DRAIN_MAINTAIN };

	return maintain(dev, &a, config);
}

int vn_drain_off_again(vn_device_t dev, uint32_t sled, uint32_t uid,
		       const struct vn_drain_config *config)
{
	struct vn_drain_open a = { .sled = sled,
				   .flags = VN_DRAIN_MAINTAIN | VN_DRAIN_RESTORE,
				   .uid = uid };

	return maintain(dev, &a, config);
}
