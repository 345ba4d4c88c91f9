// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Prints what is in use on the UltraServer, all chips together: how the tests
 * see that what a process had is gone.
 */
#include <inttypes.h>
#include <netlink/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <linux/vneuron_nl.h>
#include "abi/abi.h"

static int count(struct nl_msg *msg, void *arg)
{
	(void)msg;
	++*(uint32_t *)arg;
	return NL_OK;
}

/* Contexts, as the control plane lists them. */
static uint32_t contexts(void)
{
	struct nl_sock *s = nl_socket_alloc();
	struct nl_msg *m = nlmsg_alloc();
	uint32_t n = 0;
	int family;

	must(s && m && !genl_connect(s));
	family = genl_ctrl_resolve(s, VN_NL_FAMILY);
	must(family >= 0);
	must(genlmsg_put(m, 0, 0, family, 0, NLM_F_DUMP, VN_NL_CMD_CONTEXT, VN_NL_VERSION));
	must(!nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, count, &n));
	must(nl_send_auto(s, m) > 0 && nl_recvmsgs_default(s) >= 0);
	nlmsg_free(m);
	nl_socket_free(s);
	return n;
}

int main(void)
{
	struct vn_query q = query();
	uint64_t hbm = 0, queues = 0, windows = 0;
	int ctx = open_context();

	for (uint32_t i = 0; i < q.chips; i++) {
		struct vn_chip_query c = chip_query(ctx, i);

		hbm += c.hbm_used;
		queues += c.queues;
		windows += c.windows;
	}
	printf("chips %u\nhbm %" PRIu64 "\nused %" PRIu64 "\nqueues %" PRIu64 "\nwindows %" PRIu64
	       "\ncontexts %u\n",
	       q.chips, (uint64_t)q.hbm_bytes, hbm, queues, windows, contexts());
	close(ctx);
	return 0;
}
