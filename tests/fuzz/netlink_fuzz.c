// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a process may answer that is asked about its embedded device: anything. Who asks gets
 * an error or an answer, and goes on.
 *
 * An input: what is asked, then packets (message.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../lib/error.h"
#include "../../lib/include/vneuron/sled.h"
#include "../../lib/netlink.h"
#include "message.h"

#define PACKETS_MAX 16

static char dir[64], sub[96];
static struct sockaddr_un at = { .sun_family = AF_UNIX };
static struct fuzz_packet packet;
static int listener;

static void leave(void)
{
	unlink(at.sun_path);
	rmdir(sub);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	strcpy(dir, "/tmp/vneuron-fuzz.XXXXXX");
	MUST(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/vneuron", dir);
	MUST(!mkdir(sub, 0700));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%d", sub, getpid());
	setenv("XDG_RUNTIME_DIR", dir, 1);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	MUST(listener >= 0 && !bind(listener, (void *)&at, sizeof(at)) && !listen(listener, 4));
	atexit(leave);
	return 0;
}

/* All that can be asked of a row. */
static int read_row(struct nlattr *const *attrs, void *arg)
{
	uint64_t *sum = arg;
	const char *text;

	for (int a = 0; a <= VN_NL_A_MAX; a++) {
		switch (vn_nl_policy[a].type) {
		case NLA_U32:
			*sum += vn_nl_u32(attrs, (enum vn_nl_attr)a);
			*sum += (uint64_t)vn_nl_s32(attrs, (enum vn_nl_attr)a);
			break;
		case NLA_U64:
			*sum += vn_nl_u64(attrs, (enum vn_nl_attr)a);
			break;
		case NLA_STRING:
			text = vn_nl_string(attrs, (enum vn_nl_attr)a);
			*sum += text ? strlen(text) : 0;
			break;
		}
	}
	return 0;
}

static int told(struct vn_nl *nl)
{
	const struct vn_event_ops *ops;
	struct vn_sled_event e;
	void *from;
	int err = vn_nl_events(nl, &ops, &from);

	if (err)
		return err;
	do {
		memset(&e, 0xee, sizeof(e));
		err = ops->next(from, &e);
		if (!err)
			MUST(strnlen(e.reason, sizeof(e.reason)) < sizeof(e.reason));
	} while (!err || err == -ENOBUFS);
	ops->close(from);
	return err;
}

static int called(struct vn_nl *nl, uint32_t what)
{
	union {
		uint32_t size;
		struct vn_query query;
		struct vn_sled_query sled;
		struct vn_drain_step step;
	} *a = calloc(1, sizeof(*a));
	int err;

	MUST(a);
	a->size = what == 0 ? sizeof(a->query) : what == 1 ? sizeof(a->sled) : sizeof(a->step);
	err = vn_nl_call(nl,
			 what == 0   ? VN_IOCTL_QUERY
			 : what == 1 ? VN_IOCTL_SLED_QUERY
				     : VN_IOCTL_DRAIN_STEP,
			 a);
	free(a);
	return err;
}

static int listed(struct vn_nl *nl, uint32_t what)
{
	struct vn_port *ports = calloc(3, sizeof(*ports));
	struct vn_rank *ranks = calloc(3, sizeof(*ranks));
	struct vn_fault *faults = calloc(3, sizeof(*faults));
	int n;

	MUST(ports && ranks && faults);
	if (what == 0)
		n = vn_nl_ports(nl, ports, 3);
	else if (what == 1)
		n = vn_nl_ranks(nl, ranks, 3);
	else
		n = vn_nl_faults(nl, faults, 3);
	for (int i = 0; what == 1 && i < n && i < 3; i++)
		MUST(strnlen(ranks[i].comm, sizeof(ranks[i].comm)) < sizeof(ranks[i].comm));
	free(ports);
	free(ranks);
	free(faults);
	return n < 0 ? n : 0;
}

/* Closes nl. */
static int ask(struct vn_nl *nl, uint8_t what)
{
	struct vn_health *h = calloc(1, sizeof(*h));
	uint64_t sum = 0;
	int err;

	MUST(h);
	what %= 24;
	if (what < 13)
		err = vn_nl_dump(nl, (enum vn_nl_cmd)what, read_row, &sum);
	else if (what < 16)
		err = listed(nl, what - 13u);
	else if (what < 19)
		err = called(nl, what - 16u);
	else if (what == 19)
		err = vn_nl_cancel(nl, 1, 7);
	else if (what == 20)
		err = vn_nl_health(nl, h);
	else if (what == 21)
		err = vn_nl_fault_make(nl, &(struct vn_fault){ .kind = VN_FAULT_SLED_LOSS });
	else
		err = told(nl);
	free(h);
	if (what == 20)
		vn_nl_close_session(nl);
	else if (what < 22)
		vn_nl_close(nl);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t what = fuzz_u8(&in);
	struct vn_nl *nl;
	int fd, err, probe = dup(listener);

	MUST(probe >= 0);
	MUST(!vn_nl_open_process((uint32_t)getpid(), 0, &nl));
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	MUST(fd >= 0);
	for (int i = 0; in.left && i < PACKETS_MAX; i++) {
		fuzz_packet(&packet, &in, true);
		/* Nothing is the end. */
		if (!packet.bytes ||
		    send(fd, packet.data, packet.bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	}
	shutdown(fd, SHUT_WR);
	vn_set_error("%s", "");
	err = ask(nl, what);
	MUST(err <= 0 && err >= -4095 && (!err || err == -EAGAIN || *vn_error()));
	close(fd);
	close(probe);
	fd = dup(listener);
	MUST(fd == probe);
	close(fd);
	return 0;
}
