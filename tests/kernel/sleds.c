// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For sled.sh: the control plane's own answers about sleds, and drains that stand still.
 *
 *	sleds list [SLED]	what neuronctl -j sled list prints, as netlink tells it
 *	sleds bare		the same request without a sled
 *	sleds copied SLED	bytes a drain has to move and has copied; "none" if it is none
 *	sleds contexts		how often each context met a fence
 *	sleds hold SLED HEX STATE	drains; stands still in that state, until there is a line
 *				on standard input
 *	sleds busy SLED HEX	drains what is written faster than it can be copied
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <netlink/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <linux/vneuron_nl.h>
#include <vneuron/sled.h>
#include "lib/fixture.h"

#define BYTES (8ull << 20)

/* ---- asking ---------------------------------------------------------------------- */

static void must(bool ok)
{
	NEED(ok ? 0 : -EIO);
}

static struct nlattr *at[VN_NL_A_MAX + 1];
static bool many;

static uint64_t u64_of(int attr)
{
	return at[attr] ? nla_get_u64(at[attr]) : 0;
}

static void print_sled(void)
{
	char operation[24] = "null";

	if (u64_of(VN_NL_A_OPERATION))
		snprintf(operation, sizeof(operation), "\"%016" PRIx64 "\"",
			 u64_of(VN_NL_A_OPERATION));
	printf("%s{\"sled\":%u,\"state\":\"%s\",\"chips\":%u,\"rack\":%u,\"numa_node\":%d,"
	       "\"epoch\":%u,\"hbm_used\":%" PRIu64 ",\"operation\":%s,\"uid\":%d,\"reason\":"
	       "\"%s\"}",
	       many ? "," : "", nla_get_u32(at[VN_NL_A_SLED]),
	       vn_sled_state_name(nla_get_u32(at[VN_NL_A_SLED_STATE])),
	       nla_get_u32(at[VN_NL_A_CHIPS]), nla_get_u32(at[VN_NL_A_RACK]),
	       (int)nla_get_u32(at[VN_NL_A_NUMA_NODE]), nla_get_u32(at[VN_NL_A_EPOCH]),
	       u64_of(VN_NL_A_HBM_USED), operation,
	       at[VN_NL_A_UID] ? (int)nla_get_u32(at[VN_NL_A_UID]) : -1,
	       nla_get_string(at[VN_NL_A_REASON]));
}

static void print_copied(void)
{
	if (!at[VN_NL_A_TOTAL_BYTES])
		puts("none");
	else
		printf("%" PRIu64 " %" PRIu64 "\n", u64_of(VN_NL_A_TOTAL_BYTES),
		       u64_of(VN_NL_A_COPIED_BYTES));
}

static void print_context(void)
{
	if (at[VN_NL_A_FENCE_WAITS])
		printf("context %u waits %" PRIu64 "\n", nla_get_u32(at[VN_NL_A_CONTEXT]),
		       u64_of(VN_NL_A_FENCE_WAITS));
}

static int on_message(struct nl_msg *msg, void *print)
{
	if (!genlmsg_parse(nlmsg_hdr(msg), 0, at, VN_NL_A_MAX, NULL))
		((void (*)(void))print)();
	many = true;
	return NL_OK;
}

/* sled: -1 all of them, -2 none is named. */
static int ask(int cmd, long sled, void (*print)(void))
{
	struct nl_sock *s = nl_socket_alloc();
	struct nl_msg *m = nlmsg_alloc();
	int family, err;

	must(s && m && !genl_connect(s));
	family = genl_ctrl_resolve(s, VN_NL_FAMILY);
	must(family >= 0);
	must(genlmsg_put(m, 0, 0, family, 0, sled == -1 ? NLM_F_DUMP : 0, cmd, VN_NL_VERSION));
	if (sled >= 0)
		must(!nla_put_u32(m, VN_NL_A_SLED, (uint32_t)sled));
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, on_message, (void *)print);
	must(nl_send_auto(s, m) >= 0);
	err = nl_recvmsgs_default(s);
	if (err < 0)
		fprintf(stderr, "%s\n", nl_geterror(err));
	nlmsg_free(m);
	nl_socket_free(s);
	return err < 0;
}

static int list(long sled)
{
	int ret;

	if (sled == -1)
		putchar('[');
	ret = ask(VN_NL_CMD_SLED, sled, print_sled);
	puts(sled == -1 ? "]" : "");
	return ret;
}

/* ---- draining -------------------------------------------------------------------- */

static uint32_t hold_in;
static bool stop;

static int hold(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state != hold_in)
		return 0;
	puts("held");
	fflush(stdout);
	while (getchar() >= ' ')
		;
	hold_in = VN_SLED_STATES;
	return 0;
}

static void *write_on(void *arg)
{
	const struct vn_mem *mem = arg;

	for (unsigned char c = 1; !__atomic_load_n(&stop, __ATOMIC_RELAXED); c++)
		memset(mem->ptr, c, mem->bytes);
	memset(mem->ptr, 0x5c, mem->bytes);
	return NULL;
}

static int drain(uint32_t sled, struct vn_drain_config *c, bool busy)
{
	vn_device_t dev = device();
	struct vn_chip_query q = { .sled = sled + 1 };
	uint32_t chip = 0, bad = 0;
	pthread_t writer;
	struct vn_mem mem;
	int err;

	for (; q.sled != sled; chip++)
		NEED(vn_chip_query(dev, chip, &q));
	mem = take(dev, --chip, BYTES);
	memset(mem.ptr, 0x5c, BYTES);
	if (busy)
		pthread_create(&writer, NULL, write_on, &mem);
	if (busy)
		puts("busy");
	fflush(stdout);
	err = vn_sled_drain(dev, sled, c, NULL);
	printf("%s\n", err ? vn_error() : "drained");
	stop = true;
	if (busy)
		pthread_join(writer, NULL);
	for (uint64_t i = 0; i < BYTES; i++)
		bad += ((unsigned char *)mem.ptr)[i] != 0x5c;
	puts(bad ? "lost" : "kept");
	vn_close(dev);
	return err != 0;
}

int main(int argc, char **argv)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	const char *what = argc > 1 ? argv[1] : "";
	long sled = argc > 2 ? atol(argv[2]) : -1;

	if (!strcmp(what, "list"))
		return list(sled);
	if (!strcmp(what, "bare"))
		return list(-2);
	if (!strcmp(what, "copied"))
		return ask(VN_NL_CMD_SLED, sled, print_copied);
	if (!strcmp(what, "contexts"))
		return ask(VN_NL_CMD_CONTEXT, -1, print_context);
	must(argc > 3);
	c.operation = strtoull(argv[3], NULL, 16);
	c.reason = what;
	if (!strcmp(what, "busy")) {
		c.budget_ns = 1;
		return drain((uint32_t)sled, &c, true);
	}
	must(argc > 4);
	while (hold_in < VN_SLED_STATES && strcmp(vn_sled_state_name(hold_in), argv[4]))
		hold_in++;
	c.budget_ns = SECOND;
	c.progress = hold;
	return drain((uint32_t)sled, &c, false);
}
