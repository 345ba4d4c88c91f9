// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The socket at which ranks of several processes come together, and who is alive. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "boot.h"

#define MAGIC "vneuron"
#define VERSION 1u
/* A process that has begun to talk goes on within that time. */
#define TALK_NS 10000000000ull
/* Until then it is anybody: who does not say who he is keeps the others waiting. */
#define HELLO_NS 2000000000ull

/* The largest number that an error has. */
#define ERRNO_MOST 4095

struct answer {
	int32_t error;
	uint32_t fds; /* that come along */
	char text[COLL_TEXT];
};

/* ---- the board's file ----------------------------------------------------------- */

int coll_board_file(size_t bytes)
{
	int fd = memfd_create("vneuron-board", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)bytes) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int coll_board_check(int board, size_t bytes)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;

	if (fstat(board, &st) || (fcntl(board, F_GET_SEALS) & seals) != seals ||
	    (uint64_t)st.st_size != bytes)
		return vn_fail(-EPROTO, "what rank 0 sent is no board of this library");
	return 0;
}

static struct flock byte_of(uint32_t rank, short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = rank, .l_len = 1 };
}

int coll_board_hold(int board, uint32_t rank)
{
	struct flock lock = byte_of(rank, F_WRLCK);

	return fcntl(board, F_SETLK, &lock) ? -errno : 0;
}

void coll_board_let_go(int board, uint32_t rank)
{
	struct flock lock = byte_of(rank, F_UNLCK);

	fcntl(board, F_SETLK, &lock);
}

pid_t coll_board_holder(int board, uint32_t rank)
{
	struct flock lock = byte_of(rank, F_WRLCK);

	if (fcntl(board, F_GETLK, &lock) || lock.l_type == F_UNLCK)
		return 0;
	/* Of another pid namespace it is not known. */
	return lock.l_pid > 0 ? lock.l_pid : -1;
}

/* ---- talking --------------------------------------------------------------------- */

socklen_t coll_boot_name(const vn_unique_id *id, struct sockaddr_un *to)
{
	uint64_t part[2] = { 0x6a09e667f3bcc909, 0xbb67ae8584caa73b };
	size_t n;

	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	for (uint32_t i = 0; i < 2 * (8 + COLL_SECRET); i++) {
		uint64_t *x = &part[i % 2];

		*x = (*x ^ (unsigned char)id->internal[i / 2]) * 0x9fb21c651e98df25;
		*x ^= *x >> 29;
	}
	n = 1 + (size_t)snprintf(to->sun_path + 1, sizeof(to->sun_path) - 1,
				 "vneuron-coll-%016llx%016llx", (unsigned long long)part[0],
				 (unsigned long long)part[1]);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

/* 0: there is something, or the other end is gone. */
static int wait_for(int fd, uint64_t wait_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t ms = wait_ns / 1000000 + (wait_ns % 1000000 != 0);
	int n;

	do
		n = poll(&p, 1, ms < INT_MAX ? (int)ms : INT_MAX);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -EAGAIN;
}

static int tell(int fd, const void *what, size_t size, const int *fds, uint32_t nfds)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec io = { (void *)what, size };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -errno ?: -EPROTO;
}

/* A message of just that size, and up to two fds with it (-1: none; NULL: not wanted). */
static int hear(int fd, uint64_t wait_ns, void *what, size_t size, int *fds)
{
	char control[CMSG_SPACE(2 * sizeof(int))];
	struct iovec io = { what, size };
	struct msghdr m = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int err = wait_for(fd, wait_ns), came[2] = { -1, -1 };
	struct cmsghdr *c;
	ssize_t n;

	if (err)
		return err;
	n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_TRUNC);
	if (n < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(came, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	err = n == (ssize_t)size ? 0 : n ? -EPROTO : -ECONNRESET;
	for (int i = 0; i < 2; i++) {
		if (!err && fds)
			fds[i] = came[i];
		else if (came[i] >= 0)
			close(came[i]);
	}
	return err;
}

/* Whose process it is; -EACCES: another user's. */
static int peer(int fd, struct ucred *who)
{
	socklen_t size = sizeof(*who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size))
		return -errno;
	return who->uid == geteuid() ? 0 : -EACCES;
}

/* ---- rank 0 ---------------------------------------------------------------------- */

int coll_boot_listen(const vn_unique_id *id)
{
	struct sockaddr_un name;
	socklen_t size = coll_boot_name(id, &name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return vn_fail(-errno, "no socket to meet at: %s", strerror(errno));
	if (!bind(fd, (void *)&name, size) && !listen(fd, VN_MAX_CHIPS))
		return fd;
	err = errno == EADDRINUSE ? -EEXIST : -errno;
	close(fd);
	return err == -EEXIST ? vn_fail(err, "rank 0: another process is rank 0 of this unique id")
			      : vn_fail(err, "the socket to meet at: %s", strerror(-err));
}

/* What is wrong with how it introduces itself. */
static const char *odd(const struct coll_hello *h, const vn_unique_id *id)
{
	if (memcmp(h->magic, MAGIC, sizeof(MAGIC)) || h->version != VERSION)
		return "another version of the library";
	if (memcmp(&h->id, id, sizeof(*id)))
		return "another unique id";
	return NULL;
}

int coll_boot_accept(int listener, const vn_unique_id *id, uint64_t wait_ns,
		     struct coll_guest *guest)
{
	const char *what = NULL;
	struct ucred who;
	int err;

	err = wait_for(listener, wait_ns);
	if (err)
		return err;
	guest->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (guest->fd < 0)
		return -EAGAIN;
	err = peer(guest->fd, &who);
	if (err == -EACCES)
		what = "a process of another user";
	err = err ?: hear(guest->fd, HELLO_NS, &guest->hello, sizeof(guest->hello), NULL);
	if (!err)
		what = odd(&guest->hello, id);
	if (!err && !what) {
		guest->pid = who.pid;
		return 0;
	}
	if (what)
		coll_boot_go(guest->fd, err ?: -EPROTO, what);
	else
		close(guest->fd);
	return -EAGAIN;
}

int coll_boot_answer(const struct coll_guest *guest, int err, const char *text, int board,
		     int domain)
{
	struct answer a = { .error = err };
	const int fds[2] = { board, domain };
	char word;

	if (err) {
		coll_boot_go(guest->fd, err, text);
		return err;
	}
	a.fds = board >= 0 ? 2 : 0;
	return tell(guest->fd, &a, sizeof(a), fds, a.fds)
		       ?: hear(guest->fd, TALK_NS, &word, sizeof(word), NULL);
}

bool coll_boot_gone(int fd)
{
	char word;
	ssize_t n = recv(fd, &word, sizeof(word), MSG_PEEK | MSG_DONTWAIT);

	return !n || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void coll_boot_go(int fd, int err, const char *text)
{
	struct answer a = { .error = err };

	snprintf(a.text, sizeof(a.text), "%s", text ?: "");
	tell(fd, &a, sizeof(a), NULL, 0);
	close(fd);
}

/* ---- others ----------------------------------------------------------------------- */

static int hear_answer(int fd, uint64_t wait_ns, int *fds)
{
	struct answer a;
	int err = hear(fd, wait_ns, &a, sizeof(a), fds);

	if (err == -EAGAIN)
		return err;
	if (err)
		return vn_fail(-ECONNRESET, "rank 0 is gone");
	if (a.error > 0 || a.error < -ERRNO_MOST)
		return vn_fail(-EPROTO, "the answer of rank 0 makes no sense");
	a.text[sizeof(a.text) - 1] = '\0';
	return a.error ? vn_fail(a.error, "%s", a.text) : 0;
}

static int refused(int fd)
{
	struct ucred who = { 0 };
	int err = peer(fd, &who);

	/* A thread of this process, in the meantime. */
	if (!err && who.pid == getpid())
		return -EAGAIN;
	return err == -EACCES
		       ? vn_fail(err, "the socket of this unique id is another user's (uid %u)",
				 who.uid)
		       : err;
}

int coll_boot_knock(const struct coll_hello *hello, uint64_t wait_ns, int *fd, int *board,
		    int *domain)
{
	struct sockaddr_un name;
	socklen_t size = coll_boot_name(&hello->id, &name);
	struct coll_hello h = *hello;
	int fds[2] = { -1, -1 }, err;

	*board = *domain = -1;
	*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return vn_fail(-errno, "no socket to meet at: %s", strerror(errno));
	memcpy(h.magic, MAGIC, sizeof(MAGIC));
	h.version = VERSION;
	if (connect(*fd, (void *)&name, size))
		err = errno == ECONNREFUSED || errno == ENOENT || errno == EAGAIN ? -EAGAIN
										  : -errno;
	else
		err = refused(*fd) ?: tell(*fd, &h, sizeof(h), NULL, 0);
	/* Rank 0 was too busy to hear it in time. */
	if (err == -EPIPE || err == -ECONNRESET)
		err = -EAGAIN;
	if (!err) {
		err = hear_answer(*fd, wait_ns, fds);
		/* It has not even been heard. */
		if (err == -EAGAIN)
			err = vn_fail(-ETIMEDOUT, "rank 0 listens, but does not answer");
	}
	if (err) {
		close(*fd);
		*fd = -1;
	}
	*board = fds[0];
	*domain = fds[1];
	return err;
}

int coll_boot_ready(int fd)
{
	char word = 1;

	return tell(fd, &word, sizeof(word), NULL, 0) ? vn_fail(-ECONNRESET, "rank 0 is gone") : 0;
}

int coll_boot_wait(int fd, uint64_t wait_ns)
{
	return hear_answer(fd, wait_ns, NULL);
}
