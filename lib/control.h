/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where embedded devices listen (enum vn_nl_control): a directory of the user, in it a
 * socket for each device, named by the pid of its process.
 */
#ifndef VN_LIB_CONTROL_H
#define VN_LIB_CONTROL_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

/* Devices of a process that can listen. */
#define VN_CONTROL_DEVICES 64u

/*
 * Connects to the device of that number in a process; -ESRCH: there is no such process,
 * -ENOENT: no such device listens, -EACCES: it is not ours. The fd waits for answers no
 * longer than a while (SO_RCVTIMEO).
 */
int vn_control_connect(uint32_t pid, uint32_t number, int *fd);

/* Listens as the first number of this process that is free. */
int vn_control_listen(struct sockaddr_un *at, int *fd);

/* The user and the process at the other end. */
int vn_control_peer(int fd, uid_t *uid, pid_t *pid);

#endif
