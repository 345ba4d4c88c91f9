// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What anybody of this user may ask an embedded device, in packets of any bytes: each is
 * answered, with messages that are whole, and the device is what it was.
 *
 * An input: how they come, then packets (message.h). Either they are given to those who take
 * requests apart and answer them, one after the other, or they are sent to the socket of the
 * device, which may drain sleds.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../lib/control.h"
#include "../../lib/embed/control.h"
#include "../../lib/home.h"
#include "message.h"

#define PACKETS_MAX 16u
#define SHAPE "embedded:sleds=2,chips=2,spares=1,hbm=64K,threads=0"

static char dir[64], sub[96];

static void leave(void)
{
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
	setenv("XDG_RUNTIME_DIR", dir, 1);
	atexit(leave);
	return 0;
}

/* Messages that fill a packet. */
static void see_packet(const void *bytes, uint32_t n, uint32_t seq, bool events)
{
	const struct nlmsghdr *h = bytes;
	int left = (int)n;

	for (; nlmsg_ok(h, left); h = nlmsg_next((struct nlmsghdr *)h, &left)) {
		MUST(h->nlmsg_len >= NLMSG_HDRLEN);
		MUST(events || h->nlmsg_seq == seq);
		MUST(h->nlmsg_type == VN_NL_CONTROL || h->nlmsg_type == NLMSG_ERROR ||
		     h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_OVERRUN);
		if (h->nlmsg_type == NLMSG_ERROR)
			MUST(h->nlmsg_len >= NLMSG_HDRLEN + sizeof(struct nlmsgerr));
	}
	MUST(!left);
}

/* The next packet, copied: as many bytes as there are. */
static uint8_t *next(struct fuzz_in *in, size_t *n)
{
	static struct fuzz_packet p;

	fuzz_packet(&p, in, false);
	*n = p.bytes;
	return fuzz_copy(p.data, p.bytes);
}

/* ---- one after the other ------------------------------------------------------------------ */

static void answer(struct embed_device *at, const void *packet, size_t n)
{
	struct embed_reply r = { 0 };
	struct embed_request q;

	if (!embed_request_read(&q, packet, n, &r)) {
		q.uid = 7;
		/* Sessions have a connection each. */
		if (!embed_request_drains(&q) && q.cmd != VN_NL_CMD_JOIN)
			embed_request_answer(at, &q, &r);
	} else {
		MUST(r.first);
	}
	for (const struct embed_packet *p = r.first; p; p = p->next)
		see_packet(p->data, p->bytes, r.seq, false);
	embed_reply_free(&r);
}

static void one_by_one(struct fuzz_in *in)
{
	vn_device_t d;
	uint8_t *packet;
	size_t n;

	MUST(!vn_open(SHAPE, &d));
	for (uint32_t i = 0; in->left && i < PACKETS_MAX; i++) {
		packet = next(in, &n);
		answer(((struct embed_context *)d->ctx)->dev, packet, n);
		free(packet);
	}
	vn_close(d);
}

/* ---- over the socket ---------------------------------------------------------------------- */

static int connect_to_it(void)
{
	struct vn_control_link l;

	MUST(!vn_control_connect((uint32_t)getpid(), 0, &l));
	close(l.process);
	return l.fd;
}

/* Takes what has come; waits until there is an answer, or the end. */
static void take_answers(int fd)
{
	static uint8_t buf[1 << 16];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = 0;

	/* libFuzzer looks at its clock by a signal. */
	while (poll(&p, 1, 100000) < 0)
		MUST(errno == EINTR);
	MUST(p.revents);
	do {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			see_packet(buf, (uint32_t)n, 0, true);
	} while (n > 0);
}

static void by_socket(struct fuzz_in *in, bool two)
{
	int fd[2] = { -1, -1 };
	vn_device_t d;
	uint8_t *packet;
	size_t n;

	MUST(!vn_open(SHAPE ",control=1", &d));
	for (uint32_t i = 0; i <= two; i++)
		fd[i] = connect_to_it();
	for (uint32_t i = 0; in->left && i < PACKETS_MAX; i++) {
		packet = next(in, &n);
		/* A request that does not want an answer may have none: then one that does. */
		if (n && send(fd[i & two], packet, n, MSG_NOSIGNAL) == (ssize_t)n &&
		    send(fd[i & two], "?", 1, MSG_NOSIGNAL) == 1)
			take_answers(fd[i & two]);
		free(packet);
	}
	for (uint32_t i = 0; i <= two; i++)
		close(fd[i]);
	vn_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t how = fuzz_u8(&in);

	if (how & 1)
		by_socket(&in, how & 2);
	else
		one_by_one(&in);
	return 0;
}
