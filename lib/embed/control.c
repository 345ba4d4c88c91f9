// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The socket of an embedded device (lib/control.h), and the thread that serves it. It never
 * waits for anybody: what a connection does not take stays in its queue, and it is asked
 * nothing more until that is empty. Connections that drain have threads (control_session.c).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../control.h"
#include "../fpenv.h"
#include "../home.h"
#include "control.h"

/* At a time; those that drain are of these. */
#define CONNECTIONS 64u
/* Who does not take an answer for so long has none. */
#define STUCK_NS 10000000000ull
/* Without fds or memory for another connection. */
#define REST_MS 100

struct conn {
	int fd; /* -1: it is over, or somebody else's */
	u32 uid;
	struct embed_reply out;
	u64 stuck_ns; /* since when it does not take it; 0: it does */
	struct embed_events *events; /* once it has joined */
	struct embed_drainer *drainer;
};

struct embed_control {
	struct embed_device *dev;
	pid_t pid; /* that listens; not a child of it */
	struct sockaddr_un at;
	int listener, wake;
	pthread_t thread;
	bool stop; /* atomic */
	bool rest; /* no more connections, for a while */
	struct conn conn[CONNECTIONS];
	struct pollfd poll[2 + 2 * CONNECTIONS];
	union {
		struct nlmsghdr h;
		u8 data[EMBED_REQUEST_BYTES];
	} in;
};

/* ---- a connection ---------------------------------------------------------------------- */

/* For a child of this process that has it, too: closing it would leave it open. */
static void shut(int fd)
{
	shutdown(fd, SHUT_RDWR);
	close(fd);
}

static void hang_up(struct conn *c)
{
	if (c->fd >= 0)
		shut(c->fd);
	c->fd = -1;
	embed_reply_free(&c->out);
	if (c->events)
		embed_events_close(c->events);
	c->events = NULL;
}

/* As much as it takes now. */
static void flush(struct conn *c)
{
	while (c->fd >= 0 && c->out.first) {
		const struct embed_packet *p = c->out.first;

		if (send(c->fd, p->data, p->bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == p->bytes) {
			embed_reply_pop(&c->out);
			c->stuck_ns = 0;
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			c->stuck_ns = c->stuck_ns ?: vn_now();
			return;
		}
		hang_up(c);
	}
}

static void join(struct embed_control *ctl, struct conn *c)
{
	int err = c->events ? vn_fail(-EALREADY, "this connection is told already")
			    : embed_events_open(ctl->dev, &c->events);

	embed_reply_end(&c->out, err, err ? vn_error() : NULL);
}

static void begin_drain(struct embed_control *ctl, struct conn *c, const struct embed_request *q)
{
	if (c->events) {
		embed_reply_end(&c->out, -EBUSY,
				"this connection is told events: a drain wants "
				"another");
		return;
	}
	c->drainer = embed_drainer_new(ctl->dev, c->fd, ctl->wake, c->uid, q, c->out.seq);
	if (c->drainer)
		c->fd = -1;
	else
		embed_reply_end(&c->out, -ENOMEM, "no memory for a thread that drains");
}

static void serve(struct embed_control *ctl, struct conn *c)
{
	ssize_t n = recv(c->fd, &ctl->in, sizeof(ctl->in), MSG_TRUNC | MSG_DONTWAIT);
	struct embed_request q;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	if (!embed_request_read(&q, &ctl->in, (size_t)n, &c->out)) {
		q.uid = c->uid;
		if (embed_request_drains(&q))
			begin_drain(ctl, c, &q);
		else if (q.cmd == VN_NL_CMD_JOIN)
			join(ctl, c);
		else
			embed_request_answer(ctl->dev, &q, &c->out);
	}
	flush(c);
}

/* Events as they come, one packet on its way at a time: the rest stays in the ring. */
static void tell(struct conn *c)
{
	struct vn_sled_event e;
	int err = 0;

	while (c->fd >= 0 && c->events && !c->out.first) {
		err = embed_events_next(c->events, &e);
		if (err == -EAGAIN)
			return;
		embed_reply_event(&c->out, err ? NULL : &e);
		flush(c);
	}
}

/* ---- all of them ----------------------------------------------------------------------- */

/* The same user, or root. */
static bool may(uid_t uid)
{
	return !uid || uid == getuid() || uid == geteuid();
}

static void turn_away(int fd, int err, const char *text)
{
	struct embed_reply r = { 0 };

	embed_reply_end(&r, err, text);
	if (r.first)
		send(fd, r.first->data, r.first->bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
	embed_reply_free(&r);
	shut(fd);
}

static void take_in(struct embed_control *ctl)
{
	int fd = accept4(ctl->listener, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c = ctl->conn;
	uid_t uid;
	pid_t pid;

	if (fd < 0) {
		ctl->rest = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
		return;
	}
	if (vn_control_peer(fd, &uid, &pid) || !may(uid)) {
		turn_away(fd, -EPERM, "for the user of this process, and root");
		return;
	}
	while (c < ctl->conn + CONNECTIONS && (c->fd >= 0 || c->drainer))
		c++;
	if (c == ctl->conn + CONNECTIONS) {
		turn_away(fd, -EBUSY, "64 connections are open already");
		return;
	}
	*c = (struct conn){ .fd = fd, .uid = uid };
}

/* Those that drained, and those that take nothing. */
static void tidy(struct conn *c)
{
	if (c->drainer && embed_drainer_over(c->drainer)) {
		embed_drainer_free(c->drainer);
		c->drainer = NULL;
	}
	/* Who is told events may take his time: they are dropped, and he is told. */
	if (c->fd >= 0 && c->stuck_ns && !c->events && vn_now() - c->stuck_ns > STUCK_NS)
		hang_up(c);
}

/* What is waited for, and how long: until something that goes on without us is to be seen to. */
static int prepare(struct embed_control *ctl)
{
	int timeout = ctl->rest ? REST_MS : -1;

	ctl->poll[0] = (struct pollfd){ .fd = ctl->wake, .events = POLLIN };
	ctl->poll[1] = (struct pollfd){ .fd = ctl->rest ? -1 : ctl->listener, .events = POLLIN };
	for (u32 i = 0; i < CONNECTIONS; i++) {
		const struct conn *c = &ctl->conn[i];
		struct pollfd *p = &ctl->poll[2 + 2 * i];
		bool full = c->out.first;

		p[0] = (struct pollfd){ .fd = c->fd, .events = full ? POLLOUT : POLLIN };
		p[1] = (struct pollfd){ .fd = -1, .events = POLLIN };
		if (c->fd >= 0 && c->events && !full)
			p[1].fd = embed_events_fd(c->events);
		if (c->stuck_ns && !c->events && timeout < 0)
			timeout = 1000;
	}
	ctl->rest = false;
	return timeout;
}

static void look_after(struct embed_control *ctl)
{
	u64 n;

	if (ctl->poll[0].revents && read(ctl->wake, &n, sizeof(n)) < 0)
		(void)0; /* it was not readable any more */
	for (u32 i = 0; i < CONNECTIONS; i++) {
		struct conn *c = &ctl->conn[i];
		const struct pollfd *p = &ctl->poll[2 + 2 * i];

		if (c->fd >= 0 && p[0].revents) {
			if (c->out.first)
				flush(c);
			else
				serve(ctl, c);
		}
		tell(c);
		tidy(c);
	}
	if (ctl->poll[1].revents)
		take_in(ctl);
}

static void *control(void *arg)
{
	struct embed_control *ctl = arg;

	/* Whoever started this thread may have set another environment, and be bound to a CPU. */
	vn_fp_enter();
	sched_setaffinity(0, sizeof(ctl->dev->cpus), &ctl->dev->cpus);
	while (!__atomic_load_n(&ctl->stop, __ATOMIC_ACQUIRE)) {
		int timeout = prepare(ctl);

		if (poll(ctl->poll, ARRAY_SIZE(ctl->poll), timeout) >= 0)
			look_after(ctl);
	}
	for (u32 i = 0; i < CONNECTIONS; i++)
		if (ctl->conn[i].drainer)
			embed_drainer_stop(ctl->conn[i].drainer);
	for (u32 i = 0; i < CONNECTIONS; i++) {
		if (ctl->conn[i].drainer)
			embed_drainer_free(ctl->conn[i].drainer);
		hang_up(&ctl->conn[i]);
	}
	return NULL;
}

/* Signals are for the threads of the program. */
static int start_thread(struct embed_control *ctl)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&ctl->thread, NULL, control, ctl);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err ? vn_fail(err, "no thread to be seen by others: %s", strerror(-err)) : 0;
}

static void control_free(struct embed_control *ctl)
{
	close(ctl->wake);
	close(ctl->listener);
	free(ctl);
}

int embed_control_start(struct embed_device *dev)
{
	struct embed_control *ctl = calloc(1, sizeof(*ctl));
	int err;

	if (!ctl)
		return vn_fail(-ENOMEM, "no memory to be seen by others");
	ctl->dev = dev;
	ctl->pid = getpid();
	for (u32 i = 0; i < CONNECTIONS; i++)
		ctl->conn[i].fd = -1;
	ctl->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ctl->wake < 0) {
		free(ctl);
		return vn_fail(-errno, "no eventfd to be seen by others: %s", strerror(errno));
	}
	err = vn_control_listen(&ctl->at, &ctl->listener);
	if (err) {
		close(ctl->wake);
		free(ctl);
		return err;
	}
	err = start_thread(ctl);
	if (err) {
		unlink(ctl->at.sun_path);
		control_free(ctl);
		return err;
	}
	dev->control = ctl;
	return 0;
}

void embed_control_stop(struct embed_control *ctl)
{
	static const u64 one = 1;

	/* A child has neither the thread nor the name. */
	if (!ctl || ctl->pid != getpid())
		return;
	unlink(ctl->at.sun_path);
	__atomic_store_n(&ctl->stop, true, __ATOMIC_RELEASE);
	if (write(ctl->wake, &one, sizeof(one)) < 0)
		(void)0; /* full: it is awake */
	pthread_join(ctl->thread, NULL);
	control_free(ctl);
}
