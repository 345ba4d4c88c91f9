/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs (tests/fuzz/steps.h) on the module's nodes. All that is mapped is mapped into one
 * arena, and all fds are above those that stay, so that everything can be taken away when a
 * program is over, whatever it has done.
 */
#ifndef VN_KERNEL_FUZZ_STAGE_H
#define VN_KERNEL_FUZZ_STAGE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <linux/vneuron_nl.h>

#include "../../fuzz/steps_act.h"

#define NODE "/dev/vneuron0"
#define PAGE 4096u
#define ARENA (64u << 20)
#define CHILDREN 2u
#define THREADS 2u
/* A wait is no longer than that. */
#define WAIT_NS 2000000ull
/* No more is taken at once than that, unless it is more than there is. */
#define ALLOC_MAX (1u << 20)
#define BUDGET_MAX_NS 20000000ull

struct waiter {
	pthread_t thread;
	int fd;
	uint32_t queue;
};

static struct {
	struct vn_query query;
	int chip_fd[2], null, nl_fd, first_fd;
	struct nl_sock *nl;
	int family;
	uint8_t *arena;
	uint64_t used; /* of it */
	uint8_t *end; /* of a page behind which there is nothing */
	pid_t child[CHILDREN];
	uint32_t nchildren;
	struct waiter waiter[THREADS];
	uint32_t nwaiters;
	bool faults; /* some may have been made */
	bool is_child;
} field;

static sigjmp_buf fell;
static volatile sig_atomic_t falling; /* a step is under way that may touch what is not there */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t stage_deadline(uint64_t wish)
{
	return wish ? now_ns() + wish % WAIT_NS : 0;
}

static int fd_of(const struct steps_context *c)
{
	return (int)(intptr_t)c->home - 1;
}

static void *stage_open(struct steps_stage *s, struct steps_context *c)
{
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	(void)s;
	(void)c;
	for (uint32_t i = 0; fd >= 0 && i < 4 && i < field.query.chips; i++) {
		struct vn_chip_attach a = { .size = sizeof(a) };
		char path[32];

		snprintf(path, sizeof(path), NODE "c%u", i);
		a.fd = i < 2 ? field.chip_fd[i] : open(path, O_RDWR | O_CLOEXEC);
		ioctl(fd, VN_IOCTL_CHIP_ATTACH, &a);
		if (i >= 2)
			close(a.fd);
	}
	return (void *)(intptr_t)(fd + 1);
}

static void stage_close(struct steps_stage *s, struct steps_context *c)
{
	(void)s;
	close(fd_of(c));
}

/* What would take long, and shows nothing more. */
static void tame(uint32_t cmd, union call_arg *a)
{
	if (cmd == VN_IOCTL_MEM_ALLOC && a->mem_alloc.bytes > ALLOC_MAX &&
	    a->mem_alloc.bytes <= field.query.hbm_bytes)
		a->mem_alloc.bytes %= ALLOC_MAX;
	if (cmd == VN_IOCTL_DRAIN_OPEN && a->drain.budget_ns > BUDGET_MAX_NS &&
	    a->drain.budget_ns <= VN_BUDGET_MAX)
		a->drain.budget_ns %= BUDGET_MAX_NS;
}

static int stage_call(struct steps_stage *s, struct steps_context *c, uint32_t cmd, void *arg)
{
	uint32_t size = *(uint32_t *)arg, room = size < 8 ? 8 : size;
	int err;

	(void)s;
	tame(cmd, arg);
	room = room < VN_CALL_BYTES ? room : VN_CALL_BYTES;
	memcpy(field.end - room, arg, room);
	err = ioctl(fd_of(c), cmd, field.end - room) ? -errno : 0;
	memcpy(arg, field.end - room, room);
	return err;
}

static void *place(uint64_t bytes)
{
	uint8_t *p = field.arena + field.used;

	bytes = ((bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1)) + PAGE;
	if (!bytes || bytes > ARENA - field.used)
		return NULL;
	field.used += bytes;
	return p;
}

static void *stage_map(struct steps_stage *s, struct steps_context *c, uint64_t offset,
		       uint64_t bytes, uint32_t how)
{
	/* A node's, or what a dma-buf's fd has. */
	int fd = how & 64 ? s->fd[how >> 7 & 7] : fd_of(c);
	void *at = place(bytes), *p;

	if (!at)
		return NULL;
	p = mmap(at, bytes, (int)(how & 3) | (how & 16 ? PROT_EXEC : 0),
		 MAP_FIXED | (how & 4 ? MAP_PRIVATE : MAP_SHARED) | (how & 8 ? MAP_POPULATE : 0) |
			 (how & 32 ? MAP_LOCKED : 0),
		 fd, (off_t)offset);
	return p == MAP_FAILED ? NULL : p;
}

static bool stage_store(void *to, const void *from, uint32_t bytes)
{
	memcpy(to, from, bytes);
	return true;
}

/* ---- what only this home has --------------------------------------------------------------- */

/* A part of a mapping, or all of it. */
static void change(struct steps_context *c, const struct step *step)
{
	struct steps_mapping *m = &c->mapping[step->what % STEPS_OBJECTS];
	static const int advice[] = { MADV_DONTNEED, MADV_WILLNEED, MADV_DONTFORK,   MADV_DOFORK,
				      MADV_COLD,     MADV_PAGEOUT,  MADV_WIPEONFORK, MADV_REMOVE };
	uint64_t pages = (m->bytes + PAGE - 1) / PAGE, at, n;
	uint8_t *p = m->ptr;

	if (!p || !pages)
		return;
	at = step->arg[0] % pages;
	n = 1 + step->arg[1] % (pages - at);
	p += at * PAGE;
	switch (step->more % 8) {
	case 0:
		mmap(p, n * PAGE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		break;
	case 1:
		mprotect(p, n * PAGE, (int)(step->more >> 3 & 7));
		break;
	case 2:
		madvise(p, n * PAGE, advice[step->more >> 3 & 7]);
		break;
	case 3:
		mremap(p, n * PAGE, (n + 1) * PAGE, 0);
		break;
	case 4:
		if (place(n * PAGE))
			mremap(p, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			       field.arena + field.used - (n + 1) * PAGE);
		break;
	case 5:
		msync(p, n * PAGE, step->more & 8 ? MS_SYNC : MS_ASYNC);
		break;
	case 6:
		if (step->more & 8)
			mlock(p, n * PAGE);
		else
			munlock(p, n * PAGE);
		break;
	default:
		/* Pages that a system call is to read from, or write to. */
		if (write(field.null, p, n * PAGE) < 0)
			(void)0;
		if (step->more & 8 && read(field.chip_fd[0], p, n) < 0)
			(void)0;
	}
}

static void poll_all(struct steps_stage *s, struct steps_context *c)
{
	struct pollfd p[STEPS_OBJECTS + 1];
	uint64_t word;

	for (uint32_t i = 0; i < STEPS_OBJECTS; i++)
		p[i] = (struct pollfd){ .fd = s->fd[i], .events = POLLIN | POLLOUT };
	p[STEPS_OBJECTS] = (struct pollfd){ .fd = fd_of(c), .events = POLLIN | POLLOUT };
	poll(p, STEPS_OBJECTS + 1, 0);
	if (read(s->fd[2], &word, sizeof(word)) < 0)
		(void)0; /* it would block */
}

static void *wait_there(void *arg)
{
	struct waiter *w = arg;
	struct vn_wait a = { .size = sizeof(a),
			     .queue = w->queue,
			     .target = 1000,
			     .deadline_ns = now_ns() + 4 * WAIT_NS };

	ioctl(w->fd, VN_IOCTL_WAIT, &a);
	return NULL;
}

static void begin_waiter(struct steps_context *c, const struct step *step)
{
	struct waiter *w = &field.waiter[field.nwaiters];

	if (field.nwaiters == THREADS || field.is_child)
		return;
	w->fd = fd_of(c);
	w->queue = c->queue[step->what % STEPS_OBJECTS].number;
	field.nwaiters += !pthread_create(&w->thread, NULL, wait_there, w);
}

static void say(struct steps_stage *s, const struct step *step)
{
	uint8_t cmd = (uint8_t)(step->what % (VN_NL_CMD_MAX + 2));
	struct nl_msg *msg = nlmsg_alloc();
	static uint8_t buf[1 << 16];

	(void)s;
	if (!msg || !genlmsg_put(msg, 0, 1, field.family, 0,
				 NLM_F_REQUEST | (step->more & 1 ? NLM_F_DUMP : 0) |
					 (step->more & 2 ? NLM_F_ACK : 0),
				 cmd, VN_NL_VERSION))
		abort();
	/* Type, length, value. */
	for (uint32_t i = 0; i < (step->more >> 2 & 3); i++) {
		uint32_t value[2] = { (uint32_t)(step->arg[i] >> 32), 0 };

		nla_put(msg, (int)(step->arg[i] & 0x7f),
			step->arg[i] & 0x8000 ? (int)(step->arg[i] >> 8 & 7) : 4, value);
	}
	field.faults |= cmd == VN_NL_CMD_FAULT_INJECT;
	if (send(field.nl_fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0) > 0)
		while (recv(field.nl_fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	nlmsg_free(msg);
}

static void step_drain(struct steps_stage *s, const struct step *step)
{
	struct vn_drain_step a = { .size = sizeof(a), .to = step->what % (VN_SLED_STATES + 1) };

	ioctl(s->fd[step->more % STEPS_OBJECTS], VN_IOCTL_DRAIN_STEP, &a);
}

static void one_step(struct steps_stage *s, const struct step *step, uint32_t left)
{
	falling = 1;
	if (!sigsetjmp(fell, 1))
		steps_one(s, step, left);
	falling = 0;
}

/* A child does what comes next, as its parent does, and ends somewhere on the way. */
static void begin_child(struct steps_stage *s, const struct step *step, uint32_t left)
{
	uint32_t n = step->what % 8 < left ? step->what % 8 : left;
	pid_t pid;

	if (field.nchildren == CHILDREN || field.is_child)
		return;
	pid = fork();
	if (pid > 0)
		field.child[field.nchildren++] = pid;
	if (pid)
		return;
	field.is_child = true;
	field.nwaiters = 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 1; i <= n; i++)
		one_step(s, &step[i], left - i);
	if (step->more & 1)
		raise(SIGKILL);
	if (step->more & 2)
		execl("/bin/true", "true", NULL);
	_exit(0);
}

static void stage_other(struct steps_stage *s, const struct step *step, uint32_t left)
{
	struct steps_context *c = &s->ctx[step->on % STEPS_CONTEXTS];

	switch (step->kind % STEP_KINDS) {
	case STEP_UNMAP:
		change(c, step);
		break;
	case STEP_CLOSE:
		/* Chip nodes and the like stay. */
		if (s->fd[step->what % STEPS_OBJECTS] >= field.first_fd)
			close(s->fd[step->what % STEPS_OBJECTS]);
		break;
	case STEP_POLL:
		poll_all(s, c);
		break;
	case STEP_FORK:
		begin_child(s, step, left);
		break;
	case STEP_THREAD:
		begin_waiter(c, step);
		break;
	case STEP_NETLINK:
		say(s, step);
		break;
	case STEP_DRAIN:
		step_drain(s, step);
		break;
	}
}

static const struct steps_home module_home = {
	.open = stage_open,
	.close = stage_close,
	.call = stage_call,
	.map = stage_map,
	.store = stage_store,
	.other = stage_other,
	.deadline = stage_deadline,
};

#endif
