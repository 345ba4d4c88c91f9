/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Code in which a system call fails once, as the kernel may make it fail at any time. */
#ifndef VN_TEST_REFUSE_H
#define VN_TEST_REFUSE_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "fixture.h"

struct refused {
	int nr;
	int (*fn)(void *arg);
	void *arg;
	int listener, ret; /* listener: -1: not there yet; below: -errno - 1 */
};

/* vn_error() of that thread. */
static char refused_text[512];

/* Each call of it by this thread waits for a word of who listens. */
static UNUSED int listen_for(int nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog all = { COUNT(code), code };
	int fd = -1;

	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				  SECCOMP_FILTER_FLAG_NEW_LISTENER, &all);
	return fd < 0 ? -errno - 1 : fd;
}

static UNUSED void *run_refused(void *arg)
{
	struct refused *r = arg;
	int fd = listen_for(r->nr);

	__atomic_store_n(&r->listener, fd, __ATOMIC_RELEASE);
	r->ret = fd < 0 ? fd + 1 : r->fn(r->arg);
	snprintf(refused_text, sizeof(refused_text), "%s", fd < 0 ? "no filter" : vn_error());
	return NULL;
}

/* Lets all pass but the nth, until nobody is left who might call it. */
static UNUSED void refuse_nth(int listener, unsigned int nth, int err)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	while (poll(&p, 1, -1) < 0 || !(p.revents & POLLHUP)) {
		struct seccomp_notif q = { 0 };
		struct seccomp_notif_resp a = { 0 };

		if (!(p.revents & POLLIN) || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &q))
			continue;
		a.id = q.id;
		if (--nth)
			a.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		else
			a.error = err;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &a);
	}
	close(listener);
}

/* fn(arg) in a thread in which the nth call of nr fails with err: what it returns. */
static UNUSED int refused_once(int nr, unsigned int nth, int err, int (*fn)(void *), void *arg)
{
	struct refused r = { .nr = nr, .fn = fn, .arg = arg, .listener = -1 };
	pthread_t thread;
	int fd;

	NEED(-pthread_create(&thread, NULL, run_refused, &r));
	while ((fd = __atomic_load_n(&r.listener, __ATOMIC_ACQUIRE)) == -1)
		sleep_ms(1);
	if (fd >= 0)
		refuse_nth(fd, nth, err);
	pthread_join(thread, NULL);
	return r.ret;
}

#endif
