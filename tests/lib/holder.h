/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process with embedded devices that others may see, and how it is reached. Its sockets
 * are in a directory of the test's own.
 */
#ifndef VN_TEST_HOLDER_H
#define VN_TEST_HOLDER_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <vneuron/sled.h>

#include "fixture.h"

static vn_device_t dev;
#include "writers.h"

#define SPEC "embedded:sleds=3,chips=2,spares=1,hbm=64M,control=1"

static char dir[] = "/tmp/vn-control.XXXXXX";

/* ---- a process with devices ---------------------------------------------------------- */

struct holder {
	pid_t pid;
	int to, from;
};

enum order {
	GO_ON, /* writers get further */
	CLOSE_ONE, /* the first device */
	HAVE_SOME, /* a window and a plan of a device without writers; see have_some() */
	HAVE_MANY, /* more windows than anybody is told of */
	HAVE_CHILD, /* with all that the holder has open, until it is over() */
	END,
};

/* What it says: how much is wrong, at most. */
static UNUSED unsigned int hear(const struct holder *h)
{
	unsigned int n = 0;

	NEED(read(h->from, &n, sizeof(n)) == sizeof(n) ? 0 : -EPIPE);
	return n;
}

static UNUSED unsigned int tell(const struct holder *h, enum order order)
{
	NEED(write(h->to, &order, sizeof(order)) == sizeof(order) ? 0 : -EPIPE);
	return hear(h);
}

/* A window over a page of chip 3, the second; a barrier of chips 3 and 4, launched thrice. */
static void have_some(void)
{
	static const uint16_t chips[] = { 3, 4 };
	struct vn_mem mem = take(dev, 3, 3 * 4096);
	vn_builder_t draft;
	vn_plan_t plan;
	vn_queue_t q;
	uint32_t key;

	NEED(vn_window_create(dev, &mem, 4096, 4096, VN_ACCESS_REMOTE_READ, &key));
	NEED(vn_attach(dev, 4));
	NEED(vn_builder_create(dev, 0, &draft) ?: vn_build_barrier(draft, chips, 2) ?:
						  vn_builder_finish(draft, &plan));
	vn_builder_destroy(draft);
	q = queue(dev, 3, 8);
	for (unsigned int i = 0; i < 3; i++)
		NEED(vn_launch(q, plan, 0, 0) ?: vn_complete(q, LONG));
}

static void have_many(void)
{
	uint32_t key;

	for (uint32_t chip = 0; chip < 6; chip++) {
		struct vn_mem mem = take(dev, chip, 4096);

		for (unsigned int i = 0; i < 60000; i++)
			NEED(vn_window_create(dev, &mem, 0, 4096, VN_ACCESS_REMOTE_READ, &key));
	}
}

static void have_child(int in)
{
	struct pollfd p = { .fd = in };
	pid_t pid = fork();

	NEED(pid);
	if (pid)
		return;
	/* The other end is the test's. */
	while (!(p.revents & POLLHUP))
		poll(&p, 1, -1);
	_exit(0);
}

static UNUSED void hold(int in, int out, unsigned int devices, bool writers)
{
	vn_device_t more[8] = { NULL };
	unsigned int wrong = 0;
	enum order order;

	/* Points are the parent's. */
	NEED(dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1));
	for (unsigned int i = 0; i < devices; i++)
		NEED(vn_open(SPEC, &more[i]));
	dev = more[0];
	if (writers)
		writers_begin();
	while (write(out, &wrong, sizeof(wrong)) > 0 &&
	       read(in, &order, sizeof(order)) == sizeof(order) && order != END) {
		if (writers && order == GO_ON)
			writers_go_on(20);
		if (order == HAVE_SOME)
			have_some();
		if (order == HAVE_MANY)
			have_many();
		if (order == HAVE_CHILD)
			have_child(in);
		if (order == CLOSE_ONE) {
			vn_close(more[0]);
			more[0] = NULL;
		}
	}
	if (writers)
		wrong = writers_end();
	for (unsigned int i = 0; i < devices; i++)
		vn_close(more[i]);
	if (write(out, &wrong, sizeof(wrong)) < 0)
		_exit(1);
	exit(0);
}

static UNUSED struct holder holder(unsigned int devices, bool writers)
{
	struct holder h;
	int to[2], from[2];

	NEED(pipe2(to, O_CLOEXEC) ?: pipe2(from, O_CLOEXEC));
	h.pid = fork();
	if (!h.pid) {
		close(to[1]);
		close(from[0]);
		hold(to[0], from[1], devices, writers);
	}
	close(to[0]);
	close(from[1]);
	h.to = to[1];
	h.from = from[0];
	hear(&h);
	return h;
}

/* How it ended: its exit status, or a signal and 128. */
static UNUSED int over(struct holder *h)
{
	int status = 0;

	close(h->to);
	close(h->from);
	waitpid(h->pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static UNUSED const char *spec_of(const struct holder *h, unsigned int number)
{
	static char spec[40];

	snprintf(spec, sizeof(spec), number ? "pid:%d/%u" : "pid:%d", h->pid, number);
	return spec;
}

static UNUSED vn_device_t reach(const struct holder *h)
{
	vn_device_t d = NULL;

	NEED(vn_open(spec_of(h, 0), &d));
	return d;
}

static UNUSED bool answers(const struct holder *h)
{
	struct vn_query q;
	vn_device_t d;
	bool yes;

	if (vn_open(spec_of(h, 0), &d))
		return false;
	yes = !vn_device_query(d, &q) && q.chips == 6;
	vn_close(d);
	return yes;
}

static UNUSED uint32_t state(vn_device_t d, uint32_t sled)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(d, sled, &q));
	return q.state;
}

static UNUSED uint32_t sled_of(vn_device_t d, uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(d, chip, &q));
	return q.sled;
}

static UNUSED int drain(vn_device_t d, uint32_t sled,
			int (*progress)(void *, const struct vn_drain_report *), void *arg,
			struct vn_drain_report *r)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	c.reason = "fan";
	c.progress = progress;
	c.arg = arg;
	c.budget_ns = 2 * SECOND;
	return vn_sled_drain(d, sled, &c, r);
}

/* ---- the test's directory ------------------------------------------------------------- */

static UNUSED void begin(void)
{
	if (strncmp(device_spec(), "embedded", 8))
		tap_skip_all("only with the embedded device: others see the module by itself");
	NEED(mkdtemp(dir) ? 0 : -errno);
	setenv("XDG_RUNTIME_DIR", dir, 1);
}

static UNUSED void end(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/vneuron", dir);
	rmdir(path);
	rmdir(dir);
}

/* Ends one that has writers. */
static UNUSED void end_holder(struct holder *h)
{
	char path[80];

	tap_ok(!tell(h, END), "every byte there is what was written");
	tap_ok(!over(h), "it ends as it should");
	snprintf(path, sizeof(path), "%s/vneuron/%d", dir, h->pid);
	tap_ok(access(path, F_OK), "its socket went with it");
}

#endif
