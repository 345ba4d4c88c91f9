/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where embedded devices listen (enum vn_nl_control): a directory of the user, in it a
 * socket for each device, named by the pid of its process.
 */
#ifndef VN_LIB_CONTROL_H
#define VN_LIB_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

/* Devices of a process that can listen. */
#define VN_CONTROL_DEVICES 64u

/* A connection to such a device. */
struct vn_control_link {
	int fd; /* takes packets, or fails after a while (SO_SNDTIMEO) */
	int process; /* a pidfd: a child of the process may keep fd open when that has ended */
	uint32_t pid;
};

/*
 * Connects to the device of that number in a process; -ESRCH: there is no such process,
 * -ENOENT: no such device listens, -EACCES: it is not ours.
 */
int vn_control_connect(uint32_t pid, uint32_t number, struct vn_control_link *to);
void vn_control_close(const struct vn_control_link *l);
bool vn_control_ended(const struct vn_control_link *l);

/* How long an answer may take. */
enum vn_control_patience {
	VN_CONTROL_MOMENT, /* the other side has it at hand */
	VN_CONTROL_RUNNING, /* as long as the process runs: not, if somebody has stopped it */
	VN_CONTROL_ALIVE, /* as long as it lives */
};

/*
 * Waits until there is something to read, or the other side has hung up. -ECONNRESET: the
 * process has ended, and said nothing more; -ETIMEDOUT, with its text: no answer.
 */
int vn_control_await(const struct vn_control_link *l, enum vn_control_patience patience);

/* Listens as the first number of this process that is free. */
int vn_control_listen(struct sockaddr_un *at, int *fd);

/* The user and the process at the other end. */
int vn_control_peer(int fd, uid_t *uid, pid_t *pid);

#endif
