/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes that hand each other words and fds; and what a process has locked. */
#ifndef VN_TEST_PASSING_H
#define VN_TEST_PASSING_H

#include <sys/wait.h>

#include "../fd.h"
#include "fixture.h"

/* In a child nothing is said with tap: it dies of it. */
#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "# %s:%d: %s (%s; %s)\n", __FILE__, __LINE__, #cond,       \
				strerror(errno), vn_error());                                      \
			_exit(9);                                                                  \
		}                                                                                  \
	} while (0)

static UNUSED void say(int sock, uint32_t word)
{
	MUST(write(sock, &word, sizeof(word)) == sizeof(word));
}

static UNUSED uint32_t hear(int sock)
{
	uint32_t word;

	MUST(read(sock, &word, sizeof(word)) == sizeof(word));
	return word;
}

static UNUSED uint32_t ask(int sock, uint32_t word)
{
	say(sock, word);
	return hear(sock);
}

static UNUSED void send_fd(int sock, int fd)
{
	MUST(fd_send(sock, fd));
}

static UNUSED int recv_fd(int sock)
{
	int fd = fd_recv(sock);

	MUST(fd >= 0);
	return fd;
}

/* A process that does as it is told through its end of a socket; ours is *sock. */
static UNUSED pid_t child(void (*fn)(int sock), int *sock)
{
	int socks[2];
	pid_t pid;

	NEED(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	fflush(stdout);
	pid = fork();
	NEED(pid);
	if (!pid) {
		close(socks[0]);
		fn(socks[1]);
		_exit(0);
	}
	close(socks[1]);
	*sock = socks[0];
	return pid;
}

/* Its exit status, or minus the signal that ended it. */
static UNUSED int ended(pid_t pid)
{
	int status;

	NEED(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A line of /proc/self/status, kB. */
static UNUSED long status_kb(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

#endif
