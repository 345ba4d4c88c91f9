// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sockets of embedded devices: where they are, listening there, and connecting. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "error.h"
#include "home.h"

/* What is between the name of a socket and its listening takes less. */
#define ABOUT_MS 500
/* Connections that may wait to be accepted. */
#define BACKLOG 64
/* How long an answer may take that is a matter of moments, and a process may be stopped. */
#define PATIENCE_S 10

/* Places for the directory, in the order in which they are tried. */
enum place {
	BY_ENVIRONMENT,
	IN_RUN,
	IN_TMP,
	PLACES,
};

static const char *runtime_dir(void)
{
	const char *dir = secure_getenv("XDG_RUNTIME_DIR");

	return dir && *dir ? dir : NULL;
}

/* false: there is no such place. */
static bool dir_at(enum place place, uid_t uid, char *dir, size_t size)
{
	int n = -1;

	if (place == BY_ENVIRONMENT && runtime_dir())
		n = snprintf(dir, size, "%s/vneuron", runtime_dir());
	else if (place == IN_RUN)
		n = snprintf(dir, size, "/run/user/%u/vneuron", uid);
	else if (place == IN_TMP)
		n = snprintf(dir, size, "/tmp/vneuron-%u", uid);
	return n > 0 && (size_t)n < size;
}

/* PID, PID.1, PID.2 */
static int name_at(struct sockaddr_un *at, const char *dir, uint32_t pid, uint32_t number)
{
	char suffix[12] = "";
	int n;

	if (number)
		snprintf(suffix, sizeof(suffix), ".%u", number);
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(at->sun_path, sizeof(at->sun_path), "%s/%u%s", dir, pid, suffix);
	return n < (int)sizeof(at->sun_path)
		       ? 0
		       : vn_fail(-ENAMETOOLONG, "%s: too long for the path of a socket", dir);
}

static int connect_to(const struct sockaddr_un *at, int *to)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at))) {
		err = -errno;
		close(fd);
		return err;
	}
	*to = fd;
	return 0;
}

static bool alive(uint32_t pid)
{
	return !kill((pid_t)pid, 0) || errno != ESRCH;
}

int vn_control_peer(int fd, uid_t *uid, pid_t *pid)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		return -errno;
	*uid = who.uid;
	*pid = who.pid;
	return 0;
}

/* ---- connecting ------------------------------------------------------------------ */

/* A socket that nobody listens at any more. */
static void remove_stale(const struct sockaddr_un *at)
{
	int fd, err = connect_to(at, &fd);

	if (!err)
		close(fd);
	else if (err == -ECONNREFUSED)
		unlink(at->sun_path);
}

/* Nobody else has written there. */
static bool trusted(const char *dir, uid_t uid)
{
	struct stat st;

	return !lstat(dir, &st) && S_ISDIR(st.st_mode) &&
	       (st.st_uid == geteuid() || st.st_uid == uid) && !(st.st_mode & 022);
}

/* To whom the process belongs; our own if that is not to be known. */
static uid_t owner_of(uint32_t pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u", pid);
	return stat(path, &st) ? geteuid() : st.st_uid;
}

/* Connects to a process that may be about to listen. */
static int connect_soon(const struct sockaddr_un *at, uint32_t pid, int *to)
{
	int err = connect_to(at, to);

	for (int ms = 0; err == -ECONNREFUSED && ms < ABOUT_MS && alive(pid); ms++) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		err = connect_to(at, to);
	}
	return err;
}

/* At one place; -ENOENT: not there. */
static int connect_at(const char *dir, uint32_t pid, uint32_t number, struct vn_control_link *to)
{
	struct sockaddr_un at;
	int err = name_at(&at, dir, pid, number);
	uid_t uid;
	pid_t who;

	if (err)
		return err;
	err = connect_soon(&at, pid, &to->fd);
	if (err == -ECONNREFUSED) {
		/* Of an earlier process of that number. */
		if (!alive(pid))
			unlink(at.sun_path);
		return -ENOENT;
	}
	if (err == -ENOENT)
		return err;
	if (err)
		return vn_fail(err, "pid:%u: %s: %s", pid, at.sun_path, strerror(-err));
	/* A child may have its listener, but not its thread. */
	if (!alive(pid)) {
		close(to->fd);
		unlink(at.sun_path);
		return -ENOENT;
	}
	err = vn_control_peer(to->fd, &uid, &who);
	if (err || (uint32_t)who != pid) {
		close(to->fd);
		return vn_fail(err ?: -EACCES, "pid:%u: %s: is not of that process", pid,
			       at.sun_path);
	}
	to->pid = pid;
	to->process = pidfd_open((pid_t)pid, 0);
	if (to->process < 0) {
		err = -errno;
		close(to->fd);
		return vn_fail(err, "pid:%u: %s", pid, strerror(-err));
	}
	return 0;
}

/* How many devices of the process listen there. */
static unsigned int count_at(const char *dir, uint32_t pid)
{
	struct sockaddr_un at;
	unsigned int n = 0;

	for (uint32_t i = 0; i < VN_CONTROL_DEVICES; i++)
		n += !name_at(&at, dir, pid, i) && !access(at.sun_path, F_OK);
	return n;
}

static int not_there(uint32_t pid, uint32_t number, unsigned int n)
{
	if (!n)
		return vn_fail(-ENOENT,
			       "pid:%u: no embedded device there listens (it does with control=1 "
			       "in its spec, or VNEURON_CONTROL=1)",
			       pid);
	return vn_fail(-ENOENT, "pid:%u/%u: no such device; %u there listen%s", pid, number, n,
		       n == 1 ? "s" : "");
}

int vn_control_connect(uint32_t pid, uint32_t number, struct vn_control_link *to)
{
	uid_t uid = owner_of(pid);
	unsigned int n = 0;
	char dir[128];
	int err;

	for (enum place place = 0; place < PLACES; place++) {
		if (!dir_at(place, uid, dir, sizeof(dir)) || !trusted(dir, uid))
			continue;
		err = connect_at(dir, pid, number, to);
		if (err != -ENOENT)
			return err;
		n += count_at(dir, pid);
	}
	if (!alive(pid))
		return vn_fail(-ESRCH, "pid:%u: no such process", pid);
	return not_there(pid, number, n);
}

void vn_control_close(const struct vn_control_link *l)
{
	close(l->fd);
	close(l->process);
}

bool vn_control_ended(const struct vn_control_link *l)
{
	struct pollfd p = { .fd = l->process, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* By a signal, or a debugger. */
static bool stopped(uint32_t pid)
{
	char path[32], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	/* Its name may have blanks, and closing brackets. */
	for (int c = 0, was = 0; f && c != EOF; was = c)
		if ((c = fgetc(f)) == ' ' && was == ')')
			state = (char)fgetc(f);
	if (f)
		fclose(f);
	return state == 'T' || state == 't';
}

int vn_control_await(const struct vn_control_link *l, enum vn_control_patience patience)
{
	const uint64_t enough = PATIENCE_S * 1000000000ull;
	uint64_t since = vn_now();

	for (;;) {
		struct pollfd p[] = { { .fd = l->fd, .events = POLLIN },
				      { .fd = l->process, .events = POLLIN } };

		if (poll(p, 2, 1000) < 0 && errno != EINTR)
			return -errno;
		/* What it said last comes before its end. */
		if (p[0].revents)
			return 0;
		if (p[1].revents)
			return -ECONNRESET;
		if (patience == VN_CONTROL_ALIVE ||
		    (patience == VN_CONTROL_RUNNING && !stopped(l->pid)))
			since = vn_now();
		if (vn_now() - since >= enough)
			return vn_fail(-ETIMEDOUT, "pid:%u: %s", l->pid,
				       stopped(l->pid) ? "no answer: it is stopped" : "no answer");
	}
}

/* ---- listening ------------------------------------------------------------------- */

/* Of processes that are no more. */
static void sweep(const char *dir)
{
	DIR *d = opendir(dir);
	struct sockaddr_un at;
	struct dirent *e;
	uint32_t pid, number;
	char dot;
	int n;

	while (d && (e = readdir(d))) {
		number = 0;
		n = sscanf(e->d_name, "%u%c%u", &pid, &dot, &number);
		if ((n != 1 && n != 3) || alive(pid) || name_at(&at, dir, pid, number))
			continue;
		remove_stale(&at);
	}
	if (d)
		closedir(d);
}

/* The directory, made if it is not there: ours, and closed to others. */
static int own_dir(char *dir, size_t size)
{
	uid_t uid = geteuid();
	enum place place = BY_ENVIRONMENT;
	struct stat st;

	if (!runtime_dir()) {
		snprintf(dir, size, "/run/user/%u", uid);
		place = access(dir, F_OK) ? IN_TMP : IN_RUN;
	}
	if (!dir_at(place, uid, dir, size))
		return vn_fail(-ENAMETOOLONG, "XDG_RUNTIME_DIR: too long for the path of a socket");
	if ((mkdir(dir, 0700) && errno != EEXIST) || lstat(dir, &st))
		return vn_fail(-errno, "%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != uid || st.st_mode & 077)
		return vn_fail(-EACCES, "%s: must be a directory of uid %u, with mode 0700", dir,
			       uid);
	return 0;
}

/* -EADDRINUSE: another device of this process has it. */
static int bind_as(int fd, const struct sockaddr_un *at)
{
	const struct sockaddr *addr = (const struct sockaddr *)at;

	if (!bind(fd, addr, sizeof(*at)))
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	/* Of an earlier process with our number. */
	remove_stale(at);
	return bind(fd, addr, sizeof(*at)) ? -errno : 0;
}

/* Another thread's name is not stale between bind() and listen(). */
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

/* names_lock held */
static int listen_in(const char *dir, struct sockaddr_un *at, int *to)
{
	int err, fd;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Before it has a name, so that it never is another's. */
	if (fd < 0 || fchmod(fd, 0600)) {
		err = -errno;
		goto failed;
	}
	err = -EADDRINUSE;
	for (uint32_t i = 0; i < VN_CONTROL_DEVICES && err == -EADDRINUSE; i++) {
		err = name_at(at, dir, (uint32_t)getpid(), i);
		if (err)
			goto close_fd;
		err = bind_as(fd, at);
	}
	if (!err && listen(fd, BACKLOG)) {
		err = -errno;
		unlink(at->sun_path);
	}
	if (!err) {
		*to = fd;
		return 0;
	}
failed:
	vn_set_error("%s: a socket to be seen by: %s", dir, strerror(-err));
close_fd:
	if (fd >= 0)
		close(fd);
	return err;
}

int vn_control_listen(struct sockaddr_un *at, int *to)
{
	char dir[128];
	int err = own_dir(dir, sizeof(dir));

	if (err)
		return err;
	pthread_mutex_lock(&names_lock);
	sweep(dir);
	err = listen_in(dir, at, to);
	pthread_mutex_unlock(&names_lock);
	return err;
}
