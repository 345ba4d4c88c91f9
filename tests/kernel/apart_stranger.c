// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Strangers at the socket where ranks meet: processes of another user that listen there
 * first, or knock; and of the same user, that send random bytes, half of what is to be
 * said, too much, another version, files that nobody asked for, or nothing at all, or
 * leave in the middle. They are turned away, and those who belong there go on.
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../lib/coll/boot.h"
#include "tries.h"

#define NOBODY 65534

static int connect_to(const vn_unique_id *id)
{
	struct sockaddr_un name;
	socklen_t size = coll_boot_name(id, &name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	for (int i = 0; i < 5000; i++) {
		if (!connect(fd, (void *)&name, size))
			return fd;
		sleep_ms(2);
	}
	close(fd);
	return -1;
}

/* How a rank would introduce itself. */
static struct coll_hello hello_of(int ranks, int rank)
{
	struct coll_hello h = { .magic = "vneuron",
				.version = 1,
				.ranks = (uint32_t)ranks,
				.rank = (uint32_t)rank,
				.chip = (uint32_t)rank,
				.wants_board = 1,
				.id = tries_id };

	return h;
}

/* What it was told, or -1: nothing. */
static int answer(int fd, char *text, size_t size)
{
	struct {
		int32_t error;
		uint32_t fds;
		char text[512];
	} a;
	ssize_t n = recv(fd, &a, sizeof(a), 0);

	if (n != (ssize_t)sizeof(a))
		return -1;
	snprintf(text, size, "%.511s", a.text);
	return a.error;
}

/* ---- of another user ---------------------------------------------------------------- */

static pid_t listen_as_nobody(void)
{
	struct sockaddr_un name;
	socklen_t size = coll_boot_name(&tries_id, &name);
	int ready[2], fd;
	char byte;
	pid_t pid;

	NEED(pipe(ready) ? -errno : 0);
	pid = fork();
	if (!pid) {
		fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		if (setuid(NOBODY) || bind(fd, (void *)&name, size) || listen(fd, 8))
			exit(1);
		if (write(ready[1], "", 1) != 1)
			exit(1);
		pause();
	}
	close(ready[1]);
	NEED(read(ready[0], &byte, 1) == 1 ? 0 : -EIO);
	close(ready[0]);
	return pid;
}

static void foreign_listener(void)
{
	struct try *zero, *one;
	pid_t pid;

	tries_begin();
	pid = listen_as_nobody();
	zero = try_start(2, 0, (struct try){ .delay_ms = 300 });
	one = try_start(2, 1, (struct try){ 0 });
	tries_wait();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tap_ok(told(one, -EACCES, "the socket of this unique id is another user's (uid 65534)") &
		       told(zero, -EEXIST, "rank 0: another process"),
	       "another user listens there first");
}

/* Knocks as rank 1; 0: it was turned away. */
static void knock_as_nobody(void)
{
	struct coll_hello h = hello_of(2, 1);
	char text[512] = "";
	int fd, err;

	if (setuid(NOBODY))
		exit(2);
	fd = connect_to(&tries_id);
	/* It may have been turned away already. */
	send(fd, &h, sizeof(h), MSG_NOSIGNAL);
	err = answer(fd, text, sizeof(text));
	/* What it had said nobody read: then the kernel says just that. */
	exit(err != -1 && (err != -EACCES || strcmp(text, "a process of another user")));
}

static void foreign_knocks(void)
{
	struct try *zero, *one, *other;
	pid_t pid[3];
	int bad = 0, status;

	tries_begin();
	zero = try_start(2, 0, (struct try){ 0 });
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i])
			knock_as_nobody();
	}
	for (int i = 0; i < 3; i++) {
		waitpid(pid[i], &status, 0);
		bad += status != 0;
	}
	other = try_start(2, 1, (struct try){ .uid = NOBODY });
	try_wait(other);
	one = try_start(2, 1, (struct try){ 0 });
	tries_wait();
	tap_ok(!bad && told(other, -EACCES, "is another user's (uid 0)") & joined(zero) &
			       joined(one),
	       "another user knocks and is turned away; the others go on");
}

/* ---- of the same user --------------------------------------------------------------- */

enum odd { RANDOM, HALF, LONGER, EMPTY, VERSION, MAGIC, FILES, CHIP, LEAVES, NOT_READY, ODDS };

static const char *const odd_name[ODDS] = {
	"random bytes",	     "half a hello",
	"a hello and more",  "an empty message",
	"another version",   "other letters",
	"files along",	     "a chip from nowhere",
	"it leaves at once", "it is let in and leaves",
};

static void send_files(int fd, const void *what, size_t size)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec io = { (void *)what, size };
	struct msghdr m = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	const int fds[2] = { 0, 1 };

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	NEED(sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0);
}

/* Returns 1 if it was answered otherwise than it should. */
static unsigned int misbehave(enum odd odd)
{
	struct coll_hello h = hello_of(2, 1);
	char bytes[2 * sizeof(h)], text[512] = "";
	int fd = connect_to(&tries_id), got, want = -1;

	NEED(fd);
	scramble(bytes, sizeof(bytes));
	if (odd == RANDOM)
		want = -EPROTO;
	if (odd == VERSION || odd == MAGIC || odd == FILES)
		want = -EPROTO;
	if (odd == VERSION || odd == FILES)
		h.version++;
	if (odd == MAGIC)
		h.magic[0] = 'V';
	if (odd == CHIP) {
		/* Far behind what there is to know of chips. */
		h.chip = 1u << 30;
		want = -ENODEV;
	}
	if (odd == LONGER)
		memcpy(bytes, &h, sizeof(h));
	if (odd == FILES)
		send_files(fd, &h, sizeof(h));
	else if (odd == RANDOM || odd == LONGER)
		send(fd, bytes, odd == RANDOM ? sizeof(h) : sizeof(bytes), MSG_NOSIGNAL);
	else if (odd != LEAVES)
		send(fd, &h,
		     odd == HALF    ? sizeof(h) / 2
		     : odd == EMPTY ? 0
				    : sizeof(h),
		     MSG_NOSIGNAL);
	if (odd == LEAVES || odd == NOT_READY) {
		if (odd == NOT_READY && answer(fd, text, sizeof(text)))
			want = -2;
		close(fd);
		return want == -2;
	}
	got = answer(fd, text, sizeof(text));
	close(fd);
	if (got == want &&
	    (want == -1 ||
	     strstr(text, odd == CHIP ? "no chip" : "another version of the library")))
		return 0;
	tap_diag("%s: %d (%s)", odd_name[odd], got, text);
	return 1;
}

static void garbage(void)
{
	struct try *zero, *one;
	unsigned int bad;

	for (int odd = 0; odd < ODDS; odd++) {
		tries_begin();
		zero = try_start(2, 0, (struct try){ 0 });
		bad = misbehave((enum odd)odd) + misbehave((enum odd)odd);
		one = try_start(2, 1, (struct try){ 0 });
		tries_wait();
		tap_ok(!bad && joined(zero) & joined(one), "%s; the others go on", odd_name[odd]);
	}
}

/* It is connected and says nothing: others come all the same, and rank 0 keeps its time. */
static void silent(void)
{
	struct try *zero, *one;
	int fd;

	tries_begin();
	zero = try_start(2, 0, (struct try){ 0 });
	fd = connect_to(&tries_id);
	one = try_start(2, 1, (struct try){ .delay_ms = 50 });
	tries_wait();
	close(fd);
	tap_ok(joined(zero) & joined(one) && one->took_ns < 6 * SECOND,
	       "one says nothing; the others go on");
	tries_begin();
	zero = try_start(2, 0, (struct try){ .timeout_ns = 1000 * MS });
	fd = connect_to(&tries_id);
	tries_wait();
	close(fd);
	tap_ok(told(zero, -ETIMEDOUT, "these did not join: 1") && zero->took_ns < 5 * SECOND,
	       "one says nothing, nobody else comes");
}

int main(void)
{
	foreign_listener();
	foreign_knocks();
	garbage();
	silent();
	return tap_done();
}
