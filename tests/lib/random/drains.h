/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Meanwhile sleds are drained and brought back, one after the other: those that have
 * memory, mostly. Some drains are called off, some have a budget that can't be, some are
 * only planned, some go where there is no room.
 */
#ifndef RANDOM_DRAINS_H
#define RANDOM_DRAINS_H

#include <pthread.h>

#include <vneuron/sled.h>

#include "script.h"

enum ending { DRAINED, BACK, CALLED_OFF, TOO_LONG, NO_ROOM, PLANNED, ENDINGS };

static const char *const ending_name[ENDINGS] = {
	[DRAINED] = "drained",		 [BACK] = "back",
	[CALLED_OFF] = "called off",	 [TOO_LONG] = "took too long",
	[NO_ROOM] = "had nowhere to go", [PLANNED] = "planned",
};

static struct drains {
	vn_device_t dev;
	pthread_t thread;
	struct dice dice;
	uint32_t out; /* the sled that is drained, or VN_ANY_SLED */
	uint32_t call_off; /* the state in which the next one is */
	bool by_other; /* as somebody else would */
	uint64_t bytes, pause_ns; /* moved; the longest pause */
	uint64_t count[ENDINGS]; /* atomic */
	bool stop, failed; /* atomic */
	char what[512]; /* failed */
} drains;

static void drains_fail(uint32_t sled, const char *what, int err)
{
	snprintf(drains.what, sizeof(drains.what), "sled %u: %s: %d (%s)", sled, what, err,
		 vn_error());
	__atomic_store_n(&drains.failed, true, __ATOMIC_RELEASE);
}

static void drains_end(enum ending e)
{
	__atomic_add_fetch(&drains.count[e], 1, __ATOMIC_RELAXED);
}

/* One that has memory if there is one soon. */
static uint32_t drains_pick(void)
{
	uint32_t n = (uint32_t)vn_sled_count(drains.dev), sled = 0;
	struct vn_sled_query q = { 0 };

	for (uint32_t i = 0; i < 4 * n && !q.hbm_used; i++) {
		sled = roll(&drains.dice, n);
		if (vn_sled_query(drains.dev, sled, &q))
			break;
	}
	return sled;
}

static int drains_progress(void *arg, const struct vn_drain_report *r)
{
	const uint32_t *sled = arg;

	if (chance(&drains.dice, 20))
		usleep(roll(&drains.dice, 3000));
	if (r->last.state != drains.call_off || r->last.state >= VN_SLED_COMMITTED)
		return 0;
	if (!drains.by_other)
		return -ECANCELED;
	/* Its next step finds it. */
	return vn_sled_cancel(drains.dev, *sled, roll(&drains.dice, 2) ? r->operation : 0);
}

static void drain_one(uint32_t sled)
{
	static const uint64_t budgets[] = { 1, 1000000, 10000000, 200000000 };
	static const uint32_t states[] = { VN_SLED_CORDONED, VN_SLED_PRECOPY };
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_drain_report r;
	int err;

	c.reason = "soak";
	c.budget_ns = budgets[roll(&drains.dice, COUNT(budgets))];
	c.deadline_ns = c.budget_ns == 1 ? 20000000 : 5 * SECOND;
	if (chance(&drains.dice, 20))
		c.to = roll(&drains.dice, (uint32_t)vn_sled_count(drains.dev));
	drains.call_off = chance(&drains.dice, 20) ? states[roll(&drains.dice, COUNT(states))]
						   : VN_SLED_STATES;
	drains.by_other = chance(&drains.dice, 50);
	c.progress = drains_progress;
	c.arg = &sled;
	err = vn_sled_drain(drains.dev, sled, &c, &r);
	switch (err) {
	case 0:
		drains.out = sled;
		drains.bytes += r.last.total_bytes;
		if (r.last.pause_ns > drains.pause_ns)
			drains.pause_ns = r.last.pause_ns;
		drains_end(DRAINED);
		return;
	case -ECANCELED:
		if (drains.call_off == VN_SLED_STATES)
			break;
		drains_end(CALLED_OFF);
		return;
	case -ETIMEDOUT:
	case -EBUSY:
		drains_end(TOO_LONG);
		return;
	case -ENOSPC:
		drains_end(NO_ROOM);
		return;
	}
	drains_fail(sled, "drained", err);
}

static void *drains_run(void *arg)
{
	struct vn_drain_open plan;
	uint32_t sled;
	int err;

	(void)arg;
	while (!__atomic_load_n(&drains.stop, __ATOMIC_ACQUIRE) && !drains.failed) {
		usleep(roll(&drains.dice, 2000));
		sled = drains_pick();
		if (chance(&drains.dice, 10)) {
			err = vn_sled_plan(drains.dev, sled, VN_ANY_SLED, &plan);
			if (err && sled != drains.out)
				drains_fail(sled, "planned", err);
			drains_end(PLANNED);
		} else if (drains.out != VN_ANY_SLED && chance(&drains.dice, 80)) {
			err = vn_sled_undrain(drains.dev, drains.out, NULL, NULL);
			if (err)
				drains_fail(drains.out, "brought back", err);
			drains.out = VN_ANY_SLED;
			drains_end(BACK);
		} else if (sled != drains.out) {
			drain_one(sled);
		}
	}
	/* All as it was. */
	if (drains.out != VN_ANY_SLED && !drains.failed) {
		err = vn_sled_undrain(drains.dev, drains.out, NULL, NULL);
		if (err)
			drains_fail(drains.out, "brought back", err);
	}
	return NULL;
}

static void drains_begin(vn_device_t dev, uint64_t seed)
{
	drains = (struct drains){ .dev = dev, .dice = { ~seed }, .out = VN_ANY_SLED };
	if (pthread_create(&drains.thread, NULL, drains_run, NULL))
		abort();
}

static bool drains_failed(void)
{
	return __atomic_load_n(&drains.failed, __ATOMIC_ACQUIRE);
}

/* Has there been one? */
static bool drains_any(void)
{
	return __atomic_load_n(&drains.count[DRAINED], __ATOMIC_RELAXED);
}

static void drains_finish(void)
{
	char text[256];
	int n = 0;

	__atomic_store_n(&drains.stop, true, __ATOMIC_RELEASE);
	pthread_join(drains.thread, NULL);
	for (int e = 0; e < ENDINGS; e++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%llu %s", e ? ", " : "",
			      (unsigned long long)drains.count[e], ending_name[e]);
	tap_diag("sleds: %s; %llu bytes moved, the longest pause %llu us", text,
		 (unsigned long long)drains.bytes, (unsigned long long)drains.pause_ns / 1000);
	if (drains.failed)
		tap_diag("%s", drains.what);
}

#endif
