// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What an embedded device that others may see can't do, it says, and goes on: when there is
 * more than it tells, and when there is no thread for who wants to drain.
 */
#include <sys/resource.h>

#include "netlink.h"
#include "raw.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static int count_one(struct nlattr *const *at, void *arg)
{
	(void)at;
	++*(unsigned int *)arg;
	return 0;
}

/* A list that is cut off ends the list, and not the connection. */
static void test_many(void)
{
	struct holder h = holder(1, false);
	vn_device_t d = reach(&h);
	unsigned int n = 0, ports = 0;
	struct vn_nl *nl;

	tell(&h, HAVE_MANY);
	NEED(vn_nl_open_device(d, &nl));
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int was = n;
		int err = vn_nl_dump(nl, VN_NL_CMD_WINDOW, count_one, &n);

		tap_ok(err == -EFBIG && n - was > 100000 && n - was < 360000,
		       "of 360000 windows %u are told: %s", n - was, vn_error());
		ports = 0;
		err = vn_nl_dump(nl, VN_NL_CMD_PORT, count_one, &ports);
		tap_ok(!err && ports > 8, "then, by the same connection, all %u ports", ports);
	}
	vn_nl_close(nl);
	vn_close(d);
	tell(&h, END);
	over(&h);
}

/* No memory is mapped any more there, not even for the stack of a thread. */
static void starve(const struct holder *h, bool on)
{
	struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };

	if (on)
		l.rlim_cur = 1 << 20;
	NEED(prlimit(h->pid, RLIMIT_AS, &l, NULL));
}

static void test_no_thread(void)
{
	struct vn_drain_open a = { .size = sizeof(a), .operation = 1, .to = VN_ANY_SLED };
	struct nl_msg *m, *dump = request(VN_NL_CMD_PORT, NLM_F_DUMP);
	struct holder h = holder(1, false);
	int fd = connect_raw(&h), sent = 0;

	a.budget_ns = SECOND;
	m = call(VN_IOCTL_DRAIN_OPEN, &a, sizeof(a));
	/* What an answer takes is there. */
	tap_ok(answers(&h), "it answers");
	starve(&h, true);
	refused(fd, m, -ENOMEM, "no memory for a thread", "a drain without a thread");
	starve(&h, false);
	while (send(fd, nlmsg_hdr(dump), nlmsg_hdr(dump)->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL) >
	       0)
		sent++;
	tap_ok(sent > 1 && answers(&h),
	       "%d dumps that its connection does not read: others are answered", sent);
	nlmsg_free(dump);
	close(fd);
	tell(&h, END);
	over(&h);
}

int main(void)
{
	begin();
	test_many();
	if (sanitized)
		tap_skip("only where nothing maps memory but the device: sanitizers do");
	else
		test_no_thread();
	end();
	return tap_done();
}
