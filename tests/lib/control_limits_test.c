// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What an embedded device that others may see can't do, it says, and goes on: when there is
 * more than it tells.
 */
#include "netlink.h"
#include "holder.h"

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

int main(void)
{
	begin();
	test_many();
	end();
	return tap_done();
}
