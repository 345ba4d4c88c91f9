// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Faults by netlink, by hand: one that says no place is refused; a list that is longer than
 * a packet has all that are there all the time, whatever goes meanwhile.
 */
#include <netlink/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <linux/vneuron_nl.h>
#include <sys/socket.h>
#include <vneuron/fault.h>

#include "lib/fixture.h"

#define FAULTS 140u /* chips */
#define GO 10u /* of these while they are listed */

static int family;

static void must(bool ok)
{
	NEED(ok ? 0 : -EIO);
}

/* How long a packet may be depends on what has been read there before: on nothing. */
static struct nl_sock *connect_anew(void)
{
	struct nl_sock *s = nl_socket_alloc();
	int on = 1;

	must(s && !genl_connect(s));
	must(!setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)));
	must(!setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)));
	return s;
}

static struct nl_msg *request(uint8_t cmd, int flags)
{
	struct nl_msg *m = nlmsg_alloc();

	must(m && genlmsg_put(m, 0, 0, family, 0, flags, cmd, VN_NL_VERSION));
	return m;
}

static void send_it(struct nl_sock *s, struct nl_msg *m)
{
	must(nl_send_auto(s, m) >= 0);
	nlmsg_free(m);
}

static union {
	struct nlmsghdr h;
	char bytes[4096];
} in;

/* The next packet: its length. */
static int next(struct nl_sock *s)
{
	int n = (int)recv(nl_socket_get_fd(s), &in, sizeof(in), 0);

	must(n > 0);
	return n;
}

static void test_no_place(uint8_t cmd, uint32_t kind)
{
	struct nlattr *at[NLMSGERR_ATTR_MAX + 1] = { NULL };
	struct nl_sock *s = connect_anew();
	struct nl_msg *m = request(cmd, NLM_F_ACK);
	struct nlmsgerr *e = nlmsg_data(&in.h);
	const char *text = "";

	must(!nla_put_u32(m, VN_NL_A_FAULT, kind));
	send_it(s, m);
	next(s);
	must(in.h.nlmsg_type == NLMSG_ERROR);
	if (!nlmsg_parse(&in.h, sizeof(*e), at, NLMSGERR_ATTR_MAX, NULL) && at[NLMSGERR_ATTR_MSG])
		text = nla_get_string(at[NLMSGERR_ATTR_MSG]);
	tap_ok(e->error == -EINVAL && strstr(text, "WHERE is missing"), "%s: %s",
	       vn_fault_name(kind), text);
	nl_socket_free(s);
}

/* Which of the chips are lost, as this packet says; true: it was the last. */
static bool read_list(int n, unsigned int *times)
{
	struct nlattr *at[VN_NL_A_MAX + 1];
	uint32_t chip;

	for (struct nlmsghdr *h = &in.h; nlmsg_ok(h, n); h = nlmsg_next(h, &n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return true;
		must(h->nlmsg_type == family && !genlmsg_parse(h, 0, at, VN_NL_A_MAX, NULL));
		chip = nla_get_u32(at[VN_NL_A_WHERE]);
		must(nla_get_u32(at[VN_NL_A_FAULT]) == VN_FAULT_CHIP_LOSS && chip < FAULTS);
		times[chip]++;
	}
	return false;
}

static void test_list(vn_device_t dev)
{
	struct vn_fault f = { .kind = VN_FAULT_CHIP_LOSS };
	unsigned int times[FAULTS] = { 0 }, packets = 1, wrong = 0;
	struct nl_sock *s;

	for (f.where = 0; f.where < FAULTS; f.where++)
		NEED(vn_fault_inject(dev, &f));
	s = connect_anew();
	/* The first packet is written now. */
	send_it(s, request(VN_NL_CMD_FAULT, NLM_F_DUMP));
	for (f.where = 0; f.where < GO; f.where++)
		NEED(vn_fault_clear(dev, &f));
	while (!read_list(next(s), times))
		packets++;
	for (uint32_t i = GO; i < FAULTS; i++)
		wrong += times[i] != 1;
	tap_ok(packets > 2 && !wrong, "%u faults in %u packets, %u of them not once", FAULTS - GO,
	       packets, wrong);
	f = (struct vn_fault){ .kind = VN_FAULT_ANY };
	NEED(vn_fault_clear(dev, &f));
	nl_socket_free(s);
}

int main(void)
{
	static const uint8_t cmds[] = { VN_NL_CMD_FAULT_INJECT, VN_NL_CMD_FAULT_CLEAR };
	vn_device_t dev = device();
	struct nl_sock *s = connect_anew();

	family = genl_ctrl_resolve(s, VN_NL_FAMILY);
	must(family >= 0);
	nl_socket_free(s);
	for (unsigned int i = 0; i < COUNT(cmds); i++) {
		test_no_place(cmds[i], VN_FAULT_SLED_LOSS);
		test_no_place(cmds[i], VN_FAULT_CHIP_LOSS);
		test_no_place(cmds[i], VN_FAULT_LINK_CUT);
	}
	test_list(dev);
	vn_close(dev);
	return tap_done();
}
