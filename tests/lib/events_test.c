// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What happens to sleds is told: each state of a drain, each round of copying, coming back
 * and being called off, in the order in which it happened, to all who have asked, while
 * programs write. Who does not read is told that he has missed some.
 */
#include <poll.h>

#include <vneuron/fault.h>
#include <vneuron/sled.h>

#include "fixture.h"

static vn_device_t dev;
#include "writers.h"

static uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static int drain(uint32_t sled, int (*progress)(void *, const struct vn_drain_report *),
		 struct vn_drain_report *r)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	c.reason = "fan";
	c.progress = progress;
	c.budget_ns = 2 * SECOND;
	return vn_sled_drain(dev, sled, &c, r);
}

static vn_sled_events_t events(void)
{
	vn_sled_events_t ev = NULL;

	NEED(vn_sled_events_open(dev, &ev));
	return ev;
}

static bool readable(vn_sled_events_t ev)
{
	struct pollfd p = { .fd = vn_sled_events_fd(ev), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* The next event is from and to there, by that operation, for "fan". */
static bool goes(vn_sled_events_t ev, struct vn_sled_event *e, uint32_t from, uint32_t to,
		 uint64_t operation)
{
	int err = vn_sled_events_next(ev, e, LONG);
	bool yes = !err && e->from == from && e->to == to && e->operation == operation &&
		   e->uid == getuid() && !strcmp(e->reason, "fan");

	if (!yes)
		tap_diag("%d: sled %u from %s to %s; want %s to %s", err, e->sled,
			 vn_sled_state_name(e->from), vn_sled_state_name(e->to),
			 vn_sled_state_name(from), vn_sled_state_name(to));
	return yes;
}

/* Rounds, and pauses that were too long, until the last round before the commit. */
static unsigned int rounds_of(vn_sled_events_t ev, struct vn_sled_event *e, uint64_t operation,
			      uint32_t last)
{
	unsigned int n = 0;

	while (n < last && goes(ev, e, VN_SLED_PRECOPY, VN_SLED_PRECOPY, operation))
		n++;
	return n;
}

static void test_drain(vn_sled_events_t ev)
{
	static const uint32_t path[] = { VN_SLED_PRECOPY,  VN_SLED_FENCED,    VN_SLED_STOPCOPY,
					 VN_SLED_VERIFIED, VN_SLED_COMMITTED, VN_SLED_DRAINED };
	uint32_t sled = sled_of(0);
	struct vn_drain_report r;
	struct vn_sled_event e;
	bool right;
	int err;

	tap_ok(vn_sled_events_next(ev, &e, 0) == -ETIMEDOUT && !readable(ev),
	       "nothing has happened");
	writers_begin();
	writers_go_on(20);
	err = drain(sled, NULL, &r);
	tap_ok(!err && readable(ev), "a sled is drained under writers: %s", err ? vn_error() : "");
	tap_ok(goes(ev, &e, VN_SLED_IN_SERVICE, VN_SLED_PLANNED, r.operation) && e.sled == sled &&
		       e.chips && e.hbm_used >= BYTES,
	       "it is planned, with its chips and what they have");
	tap_ok(goes(ev, &e, VN_SLED_PLANNED, VN_SLED_CORDONED, r.operation) &&
		       e.total_bytes >= BYTES && !e.copied_bytes,
	       "cordoned, with what is to be copied");
	tap_ok(goes(ev, &e, VN_SLED_CORDONED, VN_SLED_PRECOPY, r.operation), "copied");
	tap_ok(rounds_of(ev, &e, r.operation, r.last.rounds) == r.last.rounds &&
		       e.copied_bytes >= BYTES && !e.pause_ns,
	       "in %u rounds, each with how much that was", r.last.rounds);
	right = true;
	for (unsigned int i = 0; i + 1 < COUNT(path); i++) {
		right = right && goes(ev, &e, path[i], path[i + 1], r.operation);
		if (path[i + 1] == VN_SLED_COMMITTED)
			right = right && e.pause_ns == r.last.pause_ns && !e.chips &&
				e.copied_bytes == r.last.copied_bytes;
	}
	tap_ok(right && !e.chips && !e.hbm_used, "and then moved, with the pause of %llu us",
	       (unsigned long long)r.last.pause_ns / 1000);
	tap_ok(vn_sled_events_next(ev, &e, 0) == -ETIMEDOUT && !readable(ev), "that was all");
	NEED(vn_sled_undrain(dev, sled, NULL, &r));
	tap_ok(!vn_sled_events_next(ev, &e, LONG) && e.from == VN_SLED_DRAINED &&
		       e.to == VN_SLED_VALIDATING && e.operation == r.operation && !*e.reason &&
		       !vn_sled_events_next(ev, &e, LONG) && e.from == VN_SLED_VALIDATING &&
		       e.to == VN_SLED_IN_SERVICE && e.operation == r.operation,
	       "it is tested, and comes back");
	tap_ok(!writers_end(), "every byte is what was written");
}

static int call_off(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	return r->last.state == VN_SLED_PRECOPY ? -ECANCELED : 0;
}

static void test_off(vn_sled_events_t ev)
{
	struct vn_drain_report r;
	struct vn_sled_event e;

	tap_ok(drain(sled_of(0), call_off, &r) == -ECANCELED &&
		       goes(ev, &e, VN_SLED_IN_SERVICE, VN_SLED_PLANNED, r.operation) &&
		       goes(ev, &e, VN_SLED_PLANNED, VN_SLED_CORDONED, r.operation) &&
		       goes(ev, &e, VN_SLED_CORDONED, VN_SLED_PRECOPY, r.operation) &&
		       goes(ev, &e, VN_SLED_PRECOPY, VN_SLED_PRECOPY, r.operation) &&
		       goes(ev, &e, VN_SLED_PRECOPY, VN_SLED_IN_SERVICE, r.operation),
	       "one that is called off is told up to where it was, and by whom");
}

/* Told while it happens, to who waits for it. */
static struct waiter {
	pthread_t thread;
	vn_sled_events_t ev;
	unsigned int told, odd;
} waiter[3];

static void *wait_on(void *arg)
{
	struct waiter *w = arg;
	uint32_t at = VN_SLED_IN_SERVICE;
	struct vn_sled_event e;

	while (!vn_sled_events_next(w->ev, &e, LONG)) {
		w->odd += e.from != at;
		w->told++;
		at = e.to;
		if (at == VN_SLED_DRAINED)
			break;
	}
	return NULL;
}

static void test_waiting(void)
{
	unsigned int odd = 0, told[COUNT(waiter)];
	uint32_t sled = sled_of(0);

	for (unsigned int i = 0; i < COUNT(waiter); i++) {
		waiter[i] = (struct waiter){ .ev = events() };
		pthread_create(&waiter[i].thread, NULL, wait_on, &waiter[i]);
	}
	writers_begin();
	NEED(drain(sled, NULL, NULL));
	for (unsigned int i = 0; i < COUNT(waiter); i++) {
		pthread_join(waiter[i].thread, NULL);
		odd += waiter[i].odd;
		told[i] = waiter[i].told;
		vn_sled_events_close(waiter[i].ev);
	}
	tap_ok(!odd && told[0] >= 9 && told[0] == told[1] && told[0] == told[2],
	       "%u events, the same to all who wait", told[0]);
	tap_ok(!writers_end(), "and every byte is there");
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
}

static void test_missed(void)
{
	vn_sled_events_t ev = events();
	unsigned int before = 0, rounds = 0;
	struct vn_drain_report r;
	struct vn_sled_event e;
	uint32_t sled;
	int err;

	for (; rounds < 200; rounds++) {
		sled = sled_of(0);
		NEED(drain(sled, NULL, &r));
		NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	}
	while (!(err = vn_sled_events_next(ev, &e, 0)))
		before++;
	tap_ok(err == -ENOBUFS && before >= 256 && before < 200 * 9 && strstr(vn_error(), "lost"),
	       "after %u that nobody read: %s", before, vn_error());
	sled = sled_of(0);
	tap_ok(vn_sled_events_next(ev, &e, 0) == -ETIMEDOUT && !drain(sled, NULL, &r) &&
		       goes(ev, &e, VN_SLED_IN_SERVICE, VN_SLED_PLANNED, r.operation),
	       "it goes on with what comes later");
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	vn_sled_events_close(ev);
}

/* Who loses one is told like who drains one, and so is what its drain comes to. */
static int lose(void *arg, const struct vn_drain_report *r)
{
	const struct vn_fault f = { .kind = VN_FAULT_SLED_LOSS, .where = sled_of(0) };

	(void)arg;
	if (r->last.state == VN_SLED_CORDONED)
		NEED(vn_fault_inject(dev, &f));
	return 0;
}

static void test_lost(vn_sled_events_t ev)
{
	uint32_t sled = sled_of(0);
	struct vn_drain_report r;
	struct vn_sled_event e;
	int err;

	err = drain(sled, lose, &r);
	tap_ok(err == -EHOSTDOWN &&
		       goes(ev, &e, VN_SLED_IN_SERVICE, VN_SLED_PLANNED, r.operation) &&
		       goes(ev, &e, VN_SLED_PLANNED, VN_SLED_CORDONED, r.operation) &&
		       !vn_sled_events_next(ev, &e, LONG) && e.from == VN_SLED_CORDONED &&
		       e.to == VN_SLED_FAULTED && e.operation == r.operation &&
		       !strcmp(e.reason, "lost"),
	       "that one is lost: %s", vn_error());
	tap_ok(vn_sled_events_next(ev, &e, 0) == -ETIMEDOUT, "and nothing more");
	NEED(vn_fault_clear(dev, &(struct vn_fault){ .kind = VN_FAULT_ANY }));
	NEED(vn_sled_undrain(dev, sled, NULL, &r));
	tap_ok(!vn_sled_events_next(ev, &e, LONG) && e.from == VN_SLED_FAULTED &&
		       e.to == VN_SLED_VALIDATING && !vn_sled_events_next(ev, &e, LONG) &&
		       e.from == VN_SLED_VALIDATING && e.to == VN_SLED_IN_SERVICE,
	       "until it comes back");
}

int main(void)
{
	vn_sled_events_t ev, idle;
	struct vn_sled_event e;

	/* One with a spare. */
	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:sleds=3,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	ev = events();
	idle = events();
	test_drain(ev);
	test_off(ev);
	test_lost(ev);
	test_waiting();
	vn_sled_events_close(ev);
	vn_sled_events_close(NULL);
	/* How much the kernel keeps is the host's to say. */
	if (!in_kernel(dev))
		test_missed();
	vn_close(dev);
	tap_ok(!vn_sled_events_next(idle, &e, 0) && e.to == VN_SLED_PLANNED,
	       "what happened can be read when the device is closed");
	vn_sled_events_close(idle);
	return tap_done();
}
