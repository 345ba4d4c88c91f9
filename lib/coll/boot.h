/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How ranks of several processes come together. The process of rank 0 makes the board
 * and listens at a socket whose name follows from the unique id. A rank elsewhere
 * knocks: it says who it is, gets the board and the domain of keys as fds, says that it
 * is ready, and waits for the word to go. Both ends look at whose process the other is.
 *
 * A process holds a lock on the byte of the board's file for each rank it has; when it
 * dies, however it does, the kernel lets go of it.
 */
#ifndef VN_COLL_BOOT_H
#define VN_COLL_BOOT_H

#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "coll.h"

/* A file of that many bytes, zero, which nobody can make shorter. -errno */
int coll_board_file(size_t bytes);
/* It is such a file. */
int coll_board_check(int board, size_t bytes);
/* Marks the rank as living in this process, until it is let go. */
int coll_board_hold(int board, uint32_t rank);
void coll_board_let_go(int board, uint32_t rank);
/* The process that has the rank, 0: nobody. */
pid_t coll_board_holder(int board, uint32_t rank);

/* What a rank says of itself. */
struct coll_hello {
	char magic[8];
	uint32_t version, ranks, rank, chip;
	uint32_t wants_board; /* the first of its process */
	uint32_t reserved;
	vn_unique_id id;
	cpu_set_t cpus; /* that its thread may use */
};

/* ---- rank 0 ---- */

/*
 * The name of the socket. All can see it: it follows from the id, but the id not from it.
 * Who knocks must know the id itself.
 */
socklen_t coll_boot_name(const vn_unique_id *id, struct sockaddr_un *to);
/* A socket to listen at; -EEXIST: somebody does. */
int coll_boot_listen(const vn_unique_id *id);
/* A rank that knocks; fd: to answer it. */
struct coll_guest {
	int fd;
	pid_t pid;
	struct coll_hello hello;
};
/*
 * Waits up to so long for one that is of this user; -EAGAIN: nobody came, or nobody
 * worth an answer.
 */
int coll_boot_accept(int listener, const vn_unique_id *id, uint64_t wait_ns,
		     struct coll_guest *guest);
/* Lets it in (err 0; board and domain, or -1) and waits until it is ready; or says why not. */
int coll_boot_answer(const struct coll_guest *guest, int err, const char *text, int board,
		     int domain);
/* It waits no longer: its process has died, or it gave up. */
bool coll_boot_gone(int fd);
/* All are there (err 0), or it came to nothing. */
void coll_boot_go(int fd, int err, const char *text);

/* ---- others ---- */

/*
 * Asks to be let in. 0: it was; the fd is that on which the word will come, *board and
 * *domain are fds or -1. -EAGAIN: nobody listens yet. Else what is wrong.
 */
int coll_boot_knock(const struct coll_hello *hello, uint64_t wait_ns, int *fd, int *board,
		    int *domain);
/* It has what it needs, and lives. */
int coll_boot_ready(int fd);
/* Waits up to so long; -EAGAIN: not yet. */
int coll_boot_wait(int fd, uint64_t wait_ns);

#endif
