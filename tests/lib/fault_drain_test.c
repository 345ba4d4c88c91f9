// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A drain that runs into a fault leaves all as it was, but for what is lost: a page that is
 * copied wrong, no memory, a link, the sled itself, that to which its chips go, one of the
 * chips. What is lost does not come back under it. A drained sled can lose power.
 */
#include "faults.h"

/* ---- drains that run into something ------------------------------------------------------- */

static struct blow {
	uint32_t state; /* after this step: */
	struct vn_fault f;
} blow;

static int on_step(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state == blow.state && blow.f.kind) {
		NEED(vn_fault_inject(dev, &blow.f));
		blow.f.kind = VN_FAULT_ANY;
	}
	return 0;
}

static int drain_into(uint32_t state, uint32_t kind, uint32_t where, uint32_t count)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	blow = (struct blow){ state, { kind, where, 0, count } };
	c.progress = on_step;
	c.budget_ns = SECOND;
	return vn_sled_drain(dev, sled_of(0), &c, NULL);
}

static void test_drains(void)
{
	uint32_t sled = sled_of(0), spare = dev ? (uint32_t)vn_sled_count(dev) - 1 : 0, n = 1;
	struct vn_mem m = take(dev, 0, 4 * BYTES), copy;
	uint64_t before = used(0);
	int err;

	/* Whichever sled is the spare one now: the one without chips. */
	for (uint32_t s = 0; s < (uint32_t)vn_sled_count(dev); s++) {
		struct vn_sled_query q;

		NEED(vn_sled_query(dev, s, &q));
		if (!q.chips)
			spare = s;
	}
	scramble(m.ptr, m.bytes);
	copy = take(dev, 2 * per_sled, m.bytes);
	memcpy(copy.ptr, m.ptr, m.bytes);

	err = drain_into(VN_SLED_CORDONED, VN_FAULT_COPY_CORRUPT, 0, 1);
	tap_ok(err == -EIO && state(sled) == VN_SLED_IN_SERVICE, "a bit flips on the way: %s",
	       vn_error());
	tap_ok(!faults(), "once");
	for (; n < 100; n++) {
		NEED(make(VN_FAULT_ALLOC_FAIL, 0, n));
		err = drain_into(VN_SLED_IN_SERVICE, VN_FAULT_ANY, 0, 0);
		if (err != -ENOMEM || state(sled) != VN_SLED_IN_SERVICE || used(0) != before)
			break;
	}
	tap_ok(!err && n > 3 && n < 100, "each of %u allocations fails once, then it goes well: %s",
	       n - 1, err ? vn_error() : "");
	clear(VN_FAULT_ANY, 0);
	tap_ok(!memcmp(m.ptr, copy.ptr, m.bytes) && used(0) == before, "nothing is lost by that");
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	/* The spare one is the sled that has just come back. */
	n = sled;
	sled = spare;
	spare = n;

	err = drain_into(VN_SLED_PRECOPY, VN_FAULT_LINK_CUT, spare, 0);
	tap_ok(err == -ENETUNREACH && state(sled) == VN_SLED_IN_SERVICE, "no way there: %s",
	       vn_error());
	NEED(clear(VN_FAULT_LINK_CUT, spare));
	err = drain_into(VN_SLED_PRECOPY, VN_FAULT_SLED_LOSS, spare, 0);
	tap_ok(err == -EHOSTDOWN && state(sled) == VN_SLED_IN_SERVICE &&
		       state(spare) == VN_SLED_FAULTED,
	       "where they were to go is lost: %s", vn_error());
	tap_ok(!memcmp(m.ptr, copy.ptr, m.bytes) && used(0) == before, "nothing is lost by that");
	tap_ok(drain_into(0, VN_FAULT_ANY, 0, 0) == -ENOSPC, "there is no room: %s", vn_error());
	NEED(clear(VN_FAULT_ANY, 0));
	NEED(vn_sled_undrain(dev, spare, NULL, NULL));

	err = drain_into(VN_SLED_PRECOPY, VN_FAULT_SLED_LOSS, sled, 0);
	tap_ok(err == -EHOSTDOWN && state(sled) == VN_SLED_FAULTED, "lost while it was drained: %s",
	       vn_error());
	tap_ok(all_ones(&m) && sled_of(0) == sled && used(0) == before, "what was on it is lost");
	NEED(clear(VN_FAULT_ANY, 0));
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	scramble(m.ptr, m.bytes);
	memcpy(copy.ptr, m.ptr, m.bytes);
	err = drain_into(VN_SLED_COMMITTED, VN_FAULT_SLED_LOSS, sled, 0);
	tap_ok(!err && !memcmp(m.ptr, copy.ptr, m.bytes) && !vn_chip_lost(dev, 0),
	       "lost after its chips had left it is no loss: %s", err ? vn_error() : "");
	tap_ok(state(sled) == VN_SLED_FAULTED, "and seen");
	NEED(clear(VN_FAULT_ANY, 0));
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	NEED(vn_mem_free(dev, &m));
	NEED(vn_mem_free(dev, &copy));
}

static struct early {
	uint32_t lost;
	int err;
	char text[200];
} early;

/* It is lost, and has power again, and who drains has not seen either. */
static int back_at_once(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state != VN_SLED_PRECOPY || early.err)
		return 0;
	NEED(make(VN_FAULT_SLED_LOSS, early.lost, 0));
	NEED(clear(VN_FAULT_SLED_LOSS, early.lost));
	early.err = vn_sled_undrain(dev, early.lost, NULL, NULL) ?: 1;
	snprintf(early.text, sizeof(early.text), "%s", vn_error());
	return 0;
}

static void test_too_early(void)
{
	uint32_t from = sled_of(0), to = 0, lost[2];
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	int err;

	for (uint32_t s = 0; s < (uint32_t)vn_sled_count(dev); s++) {
		struct vn_sled_query q;

		NEED(vn_sled_query(dev, s, &q));
		to = q.chips ? to : s;
	}
	lost[0] = from;
	lost[1] = to;
	for (uint32_t i = 0; i < 2; i++) {
		early = (struct early){ .lost = lost[i] };
		c.progress = back_at_once;
		c.budget_ns = SECOND;
		err = vn_sled_drain(dev, from, &c, NULL);
		tap_ok(early.err == -EBUSY && err == -EHOSTDOWN && sled_of(0) == from,
		       "what is lost does not come back under a drain %s it: %s", i ? "to" : "of",
		       early.text);
		NEED(vn_sled_undrain(dev, lost[i], NULL, NULL));
		tap_ok(state(lost[i]) == VN_SLED_IN_SERVICE, "after it, it does");
	}
}

/* Its chips have come to another sled, and who drains is not through with them. */
static int drain_on(void *arg, const struct vn_drain_report *r)
{
	int *err = arg;

	if (r->last.state == VN_SLED_COMMITTED)
		*err = vn_sled_drain(dev, sled_of(0), NULL, NULL) ?: 1;
	return 0;
}

/* A chip is lost while its HBM is copied: not half of it comes along. */
static int lose_one(void *arg, const struct vn_drain_report *r)
{
	bool *done = arg;

	if (r->last.state == VN_SLED_PRECOPY && !*done) {
		*done = true;
		NEED(make(VN_FAULT_CHIP_LOSS, 0, 0));
	}
	return 0;
}

static void test_chips_on_the_move(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_mem m = take(dev, 0, BYTES), other = take(dev, 1, BYTES);
	uint32_t sled = sled_of(0);
	bool done = false;
	int err = 0;

	c.budget_ns = SECOND;
	scramble(m.ptr, BYTES);
	memset(other.ptr, 0x42, BYTES);
	c.progress = drain_on;
	c.arg = &err;
	NEED(vn_sled_drain(dev, sled, &c, NULL));
	tap_ok(err == -EBUSY, "where chips have just come is not drained at once");
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	sled = sled_of(0);
	c.progress = lose_one;
	c.arg = &done;
	err = vn_sled_drain(dev, sled, &c, NULL);
	tap_ok(err == -EHOSTDOWN && sled_of(0) == sled && state(sled) == VN_SLED_IN_SERVICE,
	       "a chip is lost meanwhile: %s", vn_error());
	tap_ok(all_ones(&m) && ((uint8_t *)other.ptr)[BYTES / 2] == 0x42, "it and nothing else is");
	c.progress = NULL;
	err = vn_sled_drain(dev, sled, &c, NULL);
	tap_ok(!err && !vn_chip_lost(dev, 0) && all_ones(&m) && faults() == 1,
	       "drained once more it works elsewhere, empty, and leaves the bad slot: %s",
	       err ? vn_error() : "");
	NEED(clear(VN_FAULT_ANY, 0));
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	NEED(vn_mem_free(dev, &m));
	NEED(vn_mem_free(dev, &other));
}

/* ---- power off ------------------------------------------------------------------------- */

static void test_maintenance(void)
{
	uint32_t sled = sled_of(0), other = sled_of(2 * per_sled);
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	struct vn_mem m = take(dev, 0, BYTES);
	struct vn_sled_query q;

	scramble(m.ptr, BYTES);
	c.reason = "fan";
	c.operation = 0xfa4;
	tap_ok(vn_sled_maintain(dev, sled, &c) == -EINVAL && strstr(vn_error(), "in_service"),
	       "only a sled that is drained loses power: %s", vn_error());
	NEED(vn_sled_drain(dev, sled, NULL, NULL));
	NEED(vn_sled_maintain(dev, sled, &c));
	NEED(vn_sled_query(dev, sled, &q));
	tap_ok(q.state == VN_SLED_MAINTENANCE && q.operation == 0xfa4 && !q.chips &&
		       !strcmp((char *)q.reason, "fan"),
	       "then it has none, and says why");
	tap_ok(vn_sled_maintain(dev, sled, &c) == -EALREADY && strstr(vn_error(), "maintenance"),
	       "and can't lose more: %s", vn_error());
	tap_ok(vn_sled_drain(dev, other, NULL, NULL) == -ENOSPC && strstr(vn_error(), "0 are free"),
	       "no chip comes there: %s", vn_error());
	c.to = sled;
	tap_ok(vn_sled_drain(dev, other, &c, NULL) == -ENOSPC, "nor when told to: %s", vn_error());
	tap_ok(*(uint64_t *)m.ptr && sled_of(0) != sled, "what was on it goes on elsewhere");
	NEED(vn_sled_undrain(dev, sled, NULL, NULL));
	NEED(vn_sled_drain(dev, sled_of(0), NULL, NULL));
	tap_ok(sled_of(0) == sled && state(sled) == VN_SLED_IN_SERVICE, "tested, it is used again");
	for (uint32_t s = 0; s < (uint32_t)vn_sled_count(dev); s++)
		if (state(s) == VN_SLED_DRAINED)
			NEED(vn_sled_undrain(dev, s, NULL, NULL));
	NEED(vn_mem_free(dev, &m));
}

int main(void)
{
	open_machine();
	test_drains();
	test_too_early();
	test_chips_on_the_move();
	test_maintenance();
	tap_ok(!faults(), "no fault is left");
	vn_close(dev);
	return tap_done();
}
