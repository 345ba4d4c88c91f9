// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An embedded device is seen, and its sleds are drained, from another process: while its
 * programs write, and not a byte is lost. Who drains may be killed at any time, and so may
 * the device.
 */
#include <vneuron/fault.h>

#include "netlink.h"
#include "holder.h"

/* ---- looking ---------------------------------------------------------------------------- */

static void test_look(const struct holder *h)
{
	vn_device_t d = reach(h), peer;
	struct vn_port port[1];
	struct vn_chip_query chip;
	struct vn_mem mem;
	struct vn_query q;

	NEED(vn_device_query(d, &q));
	tap_ok(q.sleds == 3 && q.chips == 6 && q.spares == 1 && q.hbm_bytes == 64 << 20 &&
		       !strcmp(vn_device_home(d), "remote"),
	       "%s has the shape of the device there", vn_device_spec(d));
	/* Its threads have begun, and may not have come that far. */
	for (int i = 0; i < 2000; i++) {
		NEED(vn_chip_query(d, 0, &chip));
		if (chip.queues && chip.hbm_used == 2 * BYTES)
			break;
		sleep_ms(10);
	}
	tap_ok(chip.hbm_used == 2 * BYTES && chip.queues == 1 && !chip.attached,
	       "a chip has what its writers have: %llu bytes, %u queue",
	       (unsigned long long)chip.hbm_used, chip.queues);
	tap_ok(vn_chip_query(d, 6, &chip) == -ENODEV && strstr(vn_error(), "0 to 5"), "%s",
	       vn_error());
	tap_ok(vn_ports(d, port, 1) > 8, "it has ports");
	tap_ok(!vn_reopen(d, &peer), "it is opened again");
	vn_close(peer);
	tap_ok(vn_mem_alloc(d, 0, 4096, &mem) == -EOPNOTSUPP &&
		       strstr(vn_error(), "only looking and draining"),
	       "%s", vn_error());
	vn_close(d);
}

/* What there is of a kind: how many, and of one the attributes. */
struct seen {
	unsigned int n;
	uint32_t a[5];
	uint64_t bytes;
};

static int see_window(struct nlattr *const *at, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->a[0] = vn_nl_u32(at, VN_NL_A_CHIP);
	s->a[1] = vn_nl_u32(at, VN_NL_A_ACCESS);
	s->bytes = vn_nl_u64(at, VN_NL_A_BYTES);
	return 0;
}

static int see_plan(struct nlattr *const *at, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->a[0] = vn_nl_u32(at, VN_NL_A_PROGRAMS);
	s->a[1] = vn_nl_u32(at, VN_NL_A_DESCS);
	s->bytes = vn_nl_u64(at, VN_NL_A_LAUNCHES);
	return 0;
}

static int see_context(struct nlattr *const *at, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->a[0] = vn_nl_u32(at, VN_NL_A_QUEUES);
	s->a[1] = vn_nl_u32(at, VN_NL_A_WINDOWS);
	s->a[2] = vn_nl_u32(at, VN_NL_A_PID);
	s->bytes = vn_nl_u64(at, VN_NL_A_HBM_USED);
	return 0;
}

static int see_device(struct nlattr *const *at, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->a[0] = vn_nl_u32(at, VN_NL_A_CHIPS);
	s->a[1] = vn_nl_u32(at, VN_NL_A_CONTEXTS);
	s->bytes = vn_nl_u64(at, VN_NL_A_HBM_BYTES);
	return 0;
}

static int give_up(struct nlattr *const *at, void *arg)
{
	(void)at;
	++*(unsigned int *)arg;
	return -ECANCELED;
}

static void test_objects(void)
{
	struct holder h = holder(1, false);
	struct seen w = { 0 }, p = { 0 }, c = { 0 }, d = { 0 };
	vn_device_t dev_there = reach(&h);
	unsigned int n = 0;
	struct vn_nl *nl;

	tell(&h, HAVE_SOME);
	NEED(vn_nl_open_device(dev_there, &nl));
	tap_ok(!vn_nl_dump(nl, VN_NL_CMD_WINDOW, see_window, &w) && w.n == 1 && w.a[0] == 3 &&
		       w.a[1] == VN_ACCESS_REMOTE_READ && w.bytes == 4096,
	       "its window");
	tap_ok(!vn_nl_dump(nl, VN_NL_CMD_PLAN, see_plan, &p) && p.n == 1 && p.a[0] == 2 &&
		       p.a[1] >= 2 && p.bytes == 3,
	       "its plan, launched %llu times", (unsigned long long)p.bytes);
	tap_ok(!vn_nl_dump(nl, VN_NL_CMD_CONTEXT, see_context, &c) && c.n == 1 && c.a[0] == 1 &&
		       c.a[1] == 1 && c.a[2] == (uint32_t)h.pid && c.bytes >= 3 * 4096,
	       "and whose they are");
	tap_ok(!vn_nl_dump(nl, VN_NL_CMD_DEVICE, see_device, &d) && d.n == 1 && d.a[0] == 6 &&
		       d.a[1] == 1 && d.bytes == 6ull * (64 << 20),
	       "on what");
	tap_ok(vn_nl_dump(nl, VN_NL_CMD_PORT, give_up, &n) == -ECANCELED && n == 1 &&
		       !vn_nl_dump(nl, VN_NL_CMD_DEVICE, see_device, &d) && d.n == 2,
	       "who has heard enough goes on with the next");
	vn_nl_close(nl);
	vn_close(dev_there);
	tell(&h, END);
	over(&h);
}

static void test_no_such(const struct holder *h)
{
	static const char *const bad[] = { "pid:",
					   "pid:0",
					   "pid:x",
					   "pid:-1",
					   "pid:1K",
					   "pid:1/",
					   "pid:1/x",
					   "pid:1/-1",
					   "pid:+1",
					   "pid:1,2",
					   "pid:99999999999999999999" };
	vn_device_t d;
	char text[40];
	pid_t gone;

	for (unsigned int i = 0; i < COUNT(bad); i++)
		tap_ok(vn_open(bad[i], &d) == -EINVAL && strstr(vn_error(), "want pid:PID"), "%s",
		       vn_error());
	tap_ok(vn_open(spec_of(h, 1), &d) == -ENOENT && strstr(vn_error(), "1 there listens"), "%s",
	       vn_error());
	snprintf(text, sizeof(text), "pid:%d", getpid());
	tap_ok(vn_open(text, &d) == -ENOENT && strstr(vn_error(), "VNEURON_CONTROL=1"), "%s",
	       vn_error());
	gone = fork();
	if (!gone)
		_exit(0);
	waitpid(gone, NULL, 0);
	snprintf(text, sizeof(text), "pid:%d", gone);
	tap_ok(vn_open(text, &d) == -ESRCH && strstr(vn_error(), "no such process"), "%s",
	       vn_error());
}

/* ---- draining --------------------------------------------------------------------------- */

/* Writers get some time between two rounds. */
static int give_time(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state == VN_SLED_PRECOPY)
		sleep_ms(3);
	return 0;
}

/* What a drain that goes well goes through, rounds left out. */
static bool as_it_should(vn_sled_events_t ev, uint32_t sled, uint64_t operation)
{
	uint32_t at = VN_SLED_IN_SERVICE;
	struct vn_sled_event e;

	while (at != VN_SLED_DRAINED && !vn_sled_events_next(ev, &e, LONG)) {
		if (e.sled != sled || e.from != at || e.operation != operation ||
		    e.uid != getuid() || strcmp(e.reason, "fan"))
			return false;
		/* A pause may have been too long. */
		if (e.to != at + 1 && e.to != VN_SLED_PRECOPY)
			return false;
		at = e.to;
	}
	return at == VN_SLED_DRAINED;
}

static void test_drain(const struct holder *h)
{
	unsigned int rounds = quick() ? 3 : 20, told = 0, n = 0;
	vn_device_t d = reach(h);
	struct vn_drain_report r;
	struct vn_sled_query q;
	struct vn_sled_event e;
	vn_sled_events_t ev;
	uint32_t sled;
	int err = 0;

	NEED(vn_sled_events_open(d, &ev));
	for (; n < rounds && !err; n++) {
		tell(h, GO_ON);
		sled = sled_of(d, n % 4);
		err = drain(d, sled, give_time, NULL, &r);
		told += !err && as_it_should(ev, sled, r.operation);
		NEED(vn_sled_query(d, sled, &q));
		err = err
			      ?: q.state == VN_SLED_DRAINED && q.uid == getuid() &&
					 !strcmp((char *)q.reason, "fan") &&
					 sled_of(d, n % 4) != sled
				 ? 0
				 : -EPROTO;
		err = err ?: vn_sled_undrain(d, sled, NULL, NULL);
		/* There and back. */
		if (vn_sled_events_next(ev, &e, LONG) || vn_sled_events_next(ev, &e, LONG) ||
		    e.to != VN_SLED_IN_SERVICE)
			told = 0;
	}
	tap_ok(!err, "%u drains of sleds that are written to, and back: %s", n,
	       err ? vn_error() : "");
	tap_ok(told == n, "%u times each step was told, in order", told);
	tap_ok(vn_sled_events_next(ev, &e, 0) == -ETIMEDOUT, "and nothing else");
	tap_ok(vn_sled_undrain(d, 0, NULL, NULL) == -EALREADY && strstr(vn_error(), "in service"),
	       "%s", vn_error());
	tap_ok(vn_sled_cancel(d, 0, 0) == -ENOENT &&
		       !strcmp(vn_error(), "sled 0: nothing is draining this sled"),
	       "%s", vn_error());
	vn_sled_events_close(ev);
	vn_close(d);
}

/* ---- what goes wrong -------------------------------------------------------------------- */

static void test_faults(void)
{
	const struct vn_fault loss = { .kind = VN_FAULT_CHIP_LOSS, .where = 5 };
	const struct vn_fault power = { .kind = VN_FAULT_SLED_LOSS, .where = 1 };
	struct holder h = holder(1, false);
	struct vn_fault f[4];
	struct vn_query q;
	struct vn_sled_event e;
	vn_sled_events_t ev;
	vn_device_t d = reach(&h), two = reach(&h);

	NEED(vn_sled_events_open(d, &ev));
	tap_ok(!vn_fault_list(d, f, 4) && !vn_fault_inject(d, &loss) &&
		       vn_fault_list(two, f, 4) == 1 && f[0].kind == loss.kind && f[0].where == 5,
	       "a chip is lost: %s", vn_error());
	tap_ok(!vn_chip_lost(two, 5) && !vn_device_query(two, &q) && vn_chip_lost(two, 5) &&
		       !vn_chip_lost(two, 4),
	       "as who asks can see");
	tap_ok(vn_fault_clear(two, &power) == -ENOENT && strstr(vn_error(), "no such fault"), "%s",
	       vn_error());
	tap_ok(!vn_fault_clear(two, &loss) && !vn_device_query(two, &q) && !vn_chip_lost(two, 5),
	       "it is there again");
	tap_ok(!vn_fault_inject(d, &power) && state(two, 1) == VN_SLED_FAULTED &&
		       !vn_sled_events_next(ev, &e, LONG) && e.sled == 1 &&
		       e.from == VN_SLED_IN_SERVICE && e.to == VN_SLED_FAULTED &&
		       e.uid == getuid() && !strcmp(e.reason, "lost"),
	       "a sled is lost, and all are told");
	tap_ok(drain(d, 1, NULL, NULL, NULL) < 0 && strstr(vn_error(), "faulted"), "%s",
	       vn_error());
	tap_ok(!vn_fault_clear(d, &(struct vn_fault){ .kind = VN_FAULT_ANY }) &&
		       !vn_sled_undrain(d, 1, NULL, NULL) && state(d, 1) == VN_SLED_IN_SERVICE,
	       "it comes back: %s", vn_error());
	tap_ok(!drain(d, 2, NULL, NULL, NULL) && !vn_sled_maintain(two, 2, NULL) &&
		       state(d, 2) == VN_SLED_MAINTENANCE && !vn_sled_undrain(d, 2, NULL, NULL),
	       "another one loses power, and gets it back");
	vn_sled_events_close(ev);
	vn_close(d);
	vn_close(two);
	tell(&h, END);
	over(&h);
}

static int short_of(void *arg, const struct vn_drain_report *r)
{
	vn_device_t d = arg;
	struct vn_drain_open plan;
	uint32_t sled = sled_of(d, 2);

	if (r->last.state != VN_SLED_CORDONED)
		return 0;
	tap_ok(drain(d, sled, NULL, NULL, NULL) == -ENOSPC && strstr(vn_error(), "2 short"), "%s",
	       vn_error());
	tap_ok(!vn_sled_plan(d, sled, VN_ANY_SLED, &plan) && plan.chips == 2 && !plan.free_slots,
	       "a plan of another client says so too");
	return 0;
}

static int by_another(void *arg, const struct vn_drain_report *r)
{
	static unsigned int off;
	vn_device_t d = arg;
	uint32_t sled = sled_of(d, 0);

	/* The step that it ends with is in PRECOPY, too. */
	if (r->last.state != VN_SLED_PRECOPY || r->last.rounds > 1 || off++)
		return 0;
	tap_ok(drain(d, sled, NULL, NULL, NULL) == -EBUSY && strstr(vn_error(), "precopy"), "%s",
	       vn_error());
	tap_ok(!vn_sled_cancel(d, sled, r->operation), "another client calls it off");
	return 0;
}

static void test_two(const struct holder *h)
{
	vn_device_t one = reach(h), two = reach(h);
	uint32_t sled = sled_of(one, 0);

	tap_ok(!drain(one, sled, short_of, two, NULL) && !vn_sled_undrain(two, sled, NULL, NULL),
	       "one drains, another one brings it back");
	sled = sled_of(one, 0);
	tap_ok(drain(one, sled, by_another, two, NULL) == -ECANCELED &&
		       strstr(vn_error(), "called off by somebody"),
	       "%s", vn_error());
	tap_ok(state(two, sled) == VN_SLED_IN_SERVICE && sled_of(two, 0) == sled,
	       "all is as it was");
	vn_close(one);
	vn_close(two);
}

/* ---- who drains is killed ------------------------------------------------------------- */

static int dawdle(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	(void)r;
	sleep_ms((unsigned int)(rnd() % 4));
	return 0;
}

static void drain_for_ever(const struct holder *h)
{
	vn_device_t d = reach(h);

	for (;;) {
		uint32_t sled = sled_of(d, 0);

		if (drain(d, sled, dawdle, NULL, NULL) || vn_sled_undrain(d, sled, NULL, NULL))
			_exit(1);
	}
}

/* Where a sled comes to rest; it may be in the middle of a step. */
static uint32_t settled(vn_device_t d, uint32_t sled)
{
	uint64_t end = now_ns() + LONG;
	uint32_t s;

	do {
		s = state(d, sled);
		if (s == VN_SLED_IN_SERVICE || s == VN_SLED_DRAINED)
			break;
		sleep_ms(1);
	} while (now_ns() < end);
	return s;
}

static void test_killed(const struct holder *h)
{
	unsigned int rounds = quick() ? 5 : 40, back = 0, done = 0, odd = 0;
	vn_device_t d = reach(h);

	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int drained = 0;
		pid_t pid = fork();

		if (!pid)
			drain_for_ever(h);
		sleep_ms((unsigned int)(rnd() % 60));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (uint32_t sled = 0; sled < 4; sled++) {
			uint32_t s = settled(d, sled);

			if (s == VN_SLED_DRAINED)
				drained += 1 + (vn_sled_undrain(d, sled, NULL, NULL) != 0);
			else
				odd += s != VN_SLED_IN_SERVICE;
		}
		odd += drained > 1;
		done += drained == 1;
		back += !drained;
		tell(h, GO_ON);
	}
	tap_ok(!odd, "of %u killed at any time %u had drained the sled, %u had not; %u odd", rounds,
	       done, back, odd);
	vn_close(d);
}

/* ---- its end ------------------------------------------------------------------------------ */

static int device_ends(void *arg, const struct vn_drain_report *r)
{
	const struct holder *h = arg;

	if (r->last.state == VN_SLED_CORDONED)
		tell(h, CLOSE_ONE);
	return 0;
}

static void test_several(void)
{
	struct holder h = holder(3, false);
	struct vn_sled_event e;
	vn_sled_events_t ev;
	vn_device_t d, two;
	char path[80];
	int err;

	tap_ok(!vn_open(spec_of(&h, 2), &two), "the third device of a process");
	tap_ok(vn_open(spec_of(&h, 3), &d) == -ENOENT && strstr(vn_error(), "3 there listen"), "%s",
	       vn_error());
	d = reach(&h);
	NEED(vn_sled_events_open(d, &ev));
	err = drain(d, 0, device_ends, &h, NULL);
	tap_ok(err == -ECONNRESET && strstr(vn_error(), "it has ended"),
	       "the device goes while its sled is drained: %d (%s)", err, vn_error());
	do
		err = vn_sled_events_next(ev, &e, LONG);
	while (!err);
	tap_ok(err == -ECONNRESET, "and so do its events: %s", vn_error());
	tap_ok(vn_sled_query(d, 0, &(struct vn_sled_query){ 0 }) == -ECONNRESET, "and answers: %s",
	       vn_error());
	tap_ok(vn_open(spec_of(&h, 0), &two) == -ENOENT && strstr(vn_error(), "2 there listen"),
	       "%s", vn_error());
	vn_sled_events_close(ev);
	vn_close(d);
	vn_close(two);
	/* Killed, it leaves its sockets. */
	kill(h.pid, SIGKILL);
	over(&h);
	snprintf(path, sizeof(path), "%s/vneuron/%d.1", dir, h.pid);
	tap_ok(!access(path, F_OK), "who is killed leaves his socket");
	tap_ok(vn_open(spec_of(&h, 1), &d) == -ESRCH && access(path, F_OK),
	       "who asks for it removes it: %s", vn_error());
	snprintf(path, sizeof(path), "%s/vneuron/%d.2", dir, h.pid);
	tap_ok(!access(path, F_OK), "the other one is there");
	h = holder(1, false);
	tap_ok(access(path, F_OK), "until the next device listens");
	tell(&h, END);
	over(&h);
}

/* What keeps a device from listening is why it does not open. */
static void test_no_place(void)
{
	char path[200];
	vn_device_t d;
	int err;

	snprintf(path, sizeof(path), "%s/vneuron", dir);
	chmod(path, 0750);
	err = vn_open(SPEC, &d);
	tap_ok(err == -EACCES && strstr(vn_error(), "mode 0700"), "%s", vn_error());
	chmod(path, 0700);
	snprintf(path, sizeof(path), "%s/%0150d", dir, 0);
	setenv("XDG_RUNTIME_DIR", path, 1);
	tap_ok(vn_open(SPEC, &d) == -ENAMETOOLONG && strstr(vn_error(), "too long"), "%s",
	       vn_error());
	snprintf(path, sizeof(path), "%s/none", dir);
	setenv("XDG_RUNTIME_DIR", path, 1);
	tap_ok(vn_open(SPEC, &d) == -ENOENT && strstr(vn_error(), "/none/vneuron"), "%s",
	       vn_error());
	setenv("XDG_RUNTIME_DIR", dir, 1);
	tap_ok(!vn_open("embedded:sleds=1,control=0", &d), "without, it needs none");
	vn_close(d);
}

int main(void)
{
	struct holder h;

	begin();
	h = holder(1, true);
	test_look(&h);
	test_no_such(&h);
	test_drain(&h);
	test_two(&h);
	test_killed(&h);
	end_holder(&h);
	test_objects();
	test_faults();
	test_several();
	test_no_place();
	end();
	return tap_done();
}
