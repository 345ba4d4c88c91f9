// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Nobody waits for ever for a process with an embedded device: neither when it has died and a
 * child of it still has its sockets, nor when it is stopped.
 */
#include "holder.h"

/* What becomes of the holder of a device while one of its sleds is drained. */
struct fate {
	const struct holder *h;
	uint32_t in; /* the state in which it comes */
	int signal;
	uint64_t since;
};

static int meet(void *arg, const struct vn_drain_report *r)
{
	struct fate *f = arg;

	if (r->last.state != f->in || f->since)
		return 0;
	/* That has the connection of the drain. */
	if (f->signal == SIGKILL)
		tell(f->h, HAVE_CHILD);
	f->since = now_ns();
	kill(f->h->pid, f->signal);
	/* Until all its threads have seen it; who has died stays to be waited for. */
	NEED(waitid(P_PID, (id_t)f->h->pid, NULL, WSTOPPED | WEXITED | WNOWAIT));
	return 0;
}

/* Draining, until that comes: how it ended, and how long after. */
static int drain_until(struct fate *f, double *seconds)
{
	vn_device_t d = reach(f->h);
	int err = drain(d, 0, meet, f, NULL);

	*seconds = (double)(now_ns() - f->since) / 1e9;
	vn_close(d);
	return err;
}

static bool named(const struct holder *h, const char *what)
{
	char name[48];

	snprintf(name, sizeof(name), "%s: ", spec_of(h, 0));
	return strstr(vn_error(), name) && strstr(vn_error(), what);
}

static void test_killed(uint32_t in)
{
	struct holder h = holder(1, false);
	struct fate f = { &h, in, SIGKILL, 0 };
	double s;
	int err;

	err = drain_until(&f, &s);
	tap_ok(err == -ECONNRESET && named(&h, "it has ended"),
	       "killed in state %s, with a child that has its sockets: after %.1f s: %s",
	       vn_sled_state_name(in), s, vn_error());
	over(&h);
}

/* Those who only look, or listen. */
static void test_looking(void)
{
	struct holder h = holder(1, false);
	vn_device_t d = reach(&h);
	struct vn_sled_event e;
	vn_sled_events_t ev;
	struct vn_query q;
	int err;

	NEED(vn_sled_events_open(d, &ev));
	tell(&h, HAVE_CHILD);
	tap_ok(vn_sled_events_next(ev, &e, SECOND / 10) == -ETIMEDOUT, "nothing happens: %s",
	       vn_error());
	kill(h.pid, SIGKILL);
	err = vn_device_query(d, &q);
	tap_ok(err == -ECONNRESET && named(&h, "it has ended"), "who asks then: %s", vn_error());
	err = vn_sled_events_next(ev, &e, VN_FOREVER);
	tap_ok(err == -ECONNRESET && named(&h, "it has ended"), "who waits for events: %s",
	       vn_error());
	vn_sled_events_close(ev);
	vn_close(d);
	over(&h);
}

/* The device is closed, not the process: the child does not keep the connection open. */
static void test_closed(void)
{
	struct holder h = holder(1, false);
	vn_device_t d = reach(&h);
	struct vn_query q;
	int err;

	tell(&h, HAVE_CHILD);
	tell(&h, CLOSE_ONE);
	err = vn_device_query(d, &q);
	tap_ok(err == -ECONNRESET && named(&h, "it has ended"), "a device is closed: %s",
	       vn_error());
	vn_close(d);
	tell(&h, END);
	over(&h);
}

/* It can go on, and then all is as it was. */
static void test_stopped(void)
{
	struct holder h = holder(1, false);
	struct fate f = { &h, VN_SLED_CORDONED, SIGSTOP, 0 };
	vn_device_t d;
	uint64_t end;
	double s;
	int err;

	err = drain_until(&f, &s);
	tap_ok(err == -ETIMEDOUT && named(&h, "it is stopped"), "stopped: after %.1f s: %s", s,
	       vn_error());
	kill(h.pid, SIGCONT);
	d = reach(&h);
	end = now_ns() + LONG;
	while (state(d, 0) != VN_SLED_IN_SERVICE && now_ns() < end)
		sleep_ms(1);
	tap_ok(state(d, 0) == VN_SLED_IN_SERVICE && sled_of(d, 0) == 0,
	       "when it goes on all is as it was");
	tap_ok(!drain(d, 0, NULL, NULL, NULL), "and the sled can be drained");
	vn_close(d);
	tell(&h, END);
	over(&h);
}

/* Of a step that may be the last nobody can know whether it was done: that is waited for. */
static void test_stopped_late(void)
{
	struct holder h = holder(1, false);
	struct fate f = { &h, VN_SLED_PRECOPY, SIGSTOP, 0 };
	pid_t pid = fork();
	vn_device_t d;
	double s;
	int err;

	if (!pid) {
		/* Longer than anything else that is stopped may be. */
		sleep_ms(13000);
		kill(h.pid, SIGCONT);
		_exit(0);
	}
	err = drain_until(&f, &s);
	d = reach(&h);
	tap_ok(!err && state(d, 0) == VN_SLED_DRAINED,
	       "stopped before the last step for %.1f s: it is done: %s", s, err ? vn_error() : "");
	vn_close(d);
	waitpid(pid, NULL, 0);
	tell(&h, END);
	over(&h);
}

int main(void)
{
	begin();
	test_killed(VN_SLED_CORDONED);
	test_killed(VN_SLED_PRECOPY);
	test_killed(VN_SLED_COMMITTED);
	test_looking();
	test_closed();
	/* Each takes as long as a process may stand still. */
	if (!quick()) {
		test_stopped();
		test_stopped_late();
	}
	end();
	return tap_done();
}
