// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A process may say of its device what it likes: who looks believes no shape that no machine
 * has, and no chip in a place that there is not.
 */
#include <sys/prctl.h>

#include "raw.h"

/* What it says. */
struct lie {
	struct vn_query query;
	struct vn_chip_query chip;
};

static const struct lie truth = {
	.query = { .size = sizeof(struct vn_query),
		   .abi = VN_ABI_VERSION,
		   .sleds = 3,
		   .chips_per_sled = 2,
		   .chips = 6,
		   .racks = 1,
		   .spares = 1,
		   .hbm_bytes = 1 << 20,
		   .tick_hz = 1000000000,
		   .page_size = 4096 },
	.chip = { .size = sizeof(struct vn_chip_query), .chip = 1, .sled = 3, .slot = 7 },
};

static void say(int fd, uint32_t seq, const void *what, int bytes)
{
	struct nl_msg *m = nlmsg_alloc(), *end = nlmsg_alloc();
	struct nlmsgerr e = { 0 };
	char packet[4096];
	uint32_t n;

	genlmsg_put(m, 0, seq, VN_NL_CONTROL, 0, 0, VN_NL_CMD_CALL, 1);
	nla_put(m, VN_NL_CALL_ARGUMENT, bytes, what);
	memcpy(nlmsg_data(nlmsg_put(end, 0, seq, NLMSG_ERROR, sizeof(e), NLM_F_CAPPED)), &e,
	       sizeof(e));
	n = NLMSG_ALIGN(nlmsg_hdr(m)->nlmsg_len);
	memcpy(packet, nlmsg_hdr(m), n);
	memcpy(packet + n, nlmsg_hdr(end), nlmsg_hdr(end)->nlmsg_len);
	n += nlmsg_hdr(end)->nlmsg_len;
	if (send(fd, packet, n, MSG_NOSIGNAL) < 0)
		_exit(1);
	nlmsg_free(m);
	nlmsg_free(end);
}

static void answer(int fd, const struct lie *lie)
{
	static const struct vn_health health;
	struct nlattr *tb[VN_NL_CALL_MAX + 1];
	union {
		struct nlmsghdr h;
		char bytes[4096];
	} in;

	while (recv(fd, &in, sizeof(in), 0) > 0) {
		uint32_t nr = 0, seq = in.h.nlmsg_seq;

		if (!genlmsg_parse(&in.h, 0, tb, VN_NL_CALL_MAX, NULL) && tb[VN_NL_CALL_NUMBER])
			nr = nla_get_u32(tb[VN_NL_CALL_NUMBER]);
		if (nr == VN_IOCTL_QUERY)
			say(fd, seq, &lie->query, sizeof(lie->query));
		else if (nr == VN_IOCTL_CHIP_QUERY)
			say(fd, seq, &lie->chip, sizeof(lie->chip));
		else
			say(fd, seq, &health, sizeof(health));
	}
}

/* A process that says that, to one after the other. */
static struct holder liar(const struct lie *lie)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct holder h = { .to = -1, .from = -1 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), p[2];
	char ready;

	NEED(pipe2(p, O_CLOEXEC));
	h.pid = fork();
	if (!h.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(at.sun_path, sizeof(at.sun_path), "%s/vneuron/%d", dir, getpid());
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || write(p[1], "", 1) != 1)
			_exit(1);
		/* Who comes before it listens comes again. */
		sleep_ms(20);
		if (listen(fd, 1))
			_exit(1);
		for (;;)
			answer(accept(fd, NULL, NULL), lie);
	}
	close(fd);
	close(p[1]);
	NEED(read(p[0], &ready, 1) == 1 ? 0 : -EPIPE);
	close(p[0]);
	return h;
}

static void end_liar(struct holder *h)
{
	char path[80];

	kill(h->pid, SIGKILL);
	over(h);
	snprintf(path, sizeof(path), "%s/vneuron/%d", dir, h->pid);
	unlink(path);
}

/* Is not opened. */
static void refused_shape(const char *what, const struct lie *lie)
{
	struct holder h = liar(lie);
	vn_device_t d;
	int err = vn_open(spec_of(&h, 0), &d);

	tap_ok(err == -EPROTO && strstr(vn_error(), spec_of(&h, 0)), "%s: %s", what, vn_error());
	if (!err)
		vn_close(d);
	end_liar(&h);
}

/* Is not believed. */
static void refused_place(const char *what, const struct lie *lie)
{
	struct holder h = liar(lie);
	vn_device_t d = reach(&h);
	struct vn_chip_query q;
	int err = vn_chip_query(d, 1, &q);

	tap_ok(err == -EPROTO && strstr(vn_error(), spec_of(&h, 0)), "%s: %s", what, vn_error());
	vn_close(d);
	end_liar(&h);
}

static void test_truth(void)
{
	struct holder h = liar(&truth);
	vn_device_t d = reach(&h);
	struct vn_chip_query q;

	tap_ok(!vn_chip_query(d, 1, &q) && q.slot == 7, "what can be is believed");
	vn_close(d);
	end_liar(&h);
}

#define SHAPE(what, ...)                                                                           \
	do {                                                                                       \
		struct lie lie = truth;                                                            \
		struct vn_query *q = &lie.query;                                                   \
		__VA_ARGS__;                                                                       \
		refused_shape(what, &lie);                                                         \
	} while (0)

#define PLACE(what, ...)                                                                           \
	do {                                                                                       \
		struct lie lie = truth;                                                            \
		struct vn_chip_query *q = &lie.chip;                                               \
		__VA_ARGS__;                                                                       \
		refused_place(what, &lie);                                                         \
	} while (0)

int main(void)
{
	char path[80];

	begin();
	snprintf(path, sizeof(path), "%s/vneuron", dir);
	NEED(mkdir(path, 0700));
	test_truth();
	SHAPE("many chips", q->chips = 100000);
	SHAPE("many sleds", q->sleds = 50000, q->chips = 100000);
	SHAPE("no more than an array, in all", q->sleds = 72, q->chips = 144);
	SHAPE("too many for all sleds", q->sleds = 36, q->chips_per_sled = 5, q->chips = 180);
	SHAPE("a wide sled", q->sleds = 1, q->chips_per_sled = 17, q->chips = 17);
	SHAPE("a product of zero", q->sleds = 1u << 31, q->chips = 0);
	SHAPE("nothing", q->sleds = 0, q->chips = 0);
	SHAPE("empty sleds", q->chips_per_sled = 0, q->chips = 0);
	SHAPE("chips without a sled", q->chips = 7);
	SHAPE("many spares", q->spares = 5);
	SHAPE("no pages", q->page_size = 0);
	SHAPE("another ABI", q->abi = VN_ABI_VERSION + 1);
	PLACE("another chip", q->chip = 2);
	PLACE("a sled that is not there", q->sled = 4, q->slot = 8);
	PLACE("the slot of another sled", q->slot = 5);
	end();
	return tap_done();
}
