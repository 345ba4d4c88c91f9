// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What one user may have, with the module's limits as limits.sh sets them: exactly so many
 * of each kind, over all contexts, then EDQUOT; what is given back can be had again, also
 * by ending the context; what is only mapped counts until it is not; other users, and who
 * has CAP_SYS_RESOURCE, are not hindered.
 */
#include <sys/resource.h>
#include "kernel/quota.h"

/* As limits.sh says. */
#define CONTEXTS 8u
#define DOMAINS 12u
#define QUEUES 16u
#define WINDOWS 100u
#define IMPORTS 10u
#define PLANS 6u
#define STATUSES 5u

#define SMALL 8u /* a queue's depth: 16 of these are well below a MiB */
#define DEEP 4096u /* two of these are more */

/* Takes one kind until it is refused; what the taker has had of it before counts, too. */
static void test_kind(const char *name, int (*take)(struct taker *t), uint32_t had, uint32_t want)
{
	struct taker *t = taker_new(SMALL, 8);
	int err, again;
	uint32_t n = had + greed(t, take, &err);

	tap_ok(n == want && err == -EDQUOT, "%u of %s, then %s", n, name, strerrorname_np(-err));
	taker_end(t);
	t = taker_new(SMALL, 8);
	n = had + greed(t, take, &again);
	tap_ok(n == want && again == -EDQUOT, "%s: as many again when all are gone", name);
	taker_end(t);
}

static void test_one_back(void)
{
	struct taker *t = taker_new(SMALL, 8);
	int err;

	greed(t, take_queue, &err);
	must(!queue_call(last(t), VN_IOCTL_QUEUE_DESTROY, 3));
	tap_ok(!take_queue(t) && take_queue(t) == -EDQUOT, "a queue back is a queue more");
	greed(t, take_window, &err);
	must(!window_invalidate(last(t), 0, t->key));
	tap_ok(!take_window(t) && take_window(t) == -EDQUOT, "a window likewise");
	greed(t, take_plan, &err);
	must(!plan_destroy(last(t), 2));
	tap_ok(!take_plan(t) && take_plan(t) == -EDQUOT, "and a plan");
	taker_end(t);
}

static void test_bytes(void)
{
	struct taker *t = taker_new(DEEP, 12000); /* 750 KiB a plan */
	struct queue q;
	int err;

	tap_ok(greed(t, take_queue, &err) == 1 && err == -EDQUOT, "a MiB of rings, and no more");
	tap_ok(greed(t, take_plan, &err) == 1 && err == -EDQUOT, "a MiB of plans, and no more");
	taker_end(t);
	t = taker_new(DEEP, 8);
	q = queue_create(last(t), 0, DEEP, -1);
	must(!queue_call(last(t), VN_IOCTL_QUEUE_DESTROY, q.id));
	tap_result(take_queue(t), -EDQUOT, "rings that are only mapped count");
	munmap((void *)q.ring, q.bytes);
	tap_result(take_queue(t), 0, "until they are not");
	taker_end(t);
}

/* An import that somebody keeps is his; the window is its maker's while he has it. */
static void test_imports(void)
{
	struct taker *t = taker_new(SMALL, 8);
	int err;
	uint32_t n;

	must(!take_import(t));
	must(!window_invalidate(last(t), 0, t->key));
	n = greed(t, take_window, &err);
	tap_ok(n == WINDOWS && err == -EDQUOT, "a window that ended costs its maker nothing (%u)",
	       n);
	n = greed(t, take_import, &err);
	tap_ok(n == IMPORTS - 1 && err == -EDQUOT, "an import of it does (%u)", n);
	taker_end(t);
}

/* Runs fn in a child, as a user. */
static int as_user(uid_t uid, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		/* The real one is who opens; root's rights stay. */
		if (setresuid(uid, 0, 0))
			_exit(200);
		_exit(-fn());
	}
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static int one_queue(void)
{
	struct taker t = { .depth = SMALL };
	int err = take_context(&t);

	if (err)
		return err;
	attach(last(&t), 0);
	return take_queue(&t);
}

static void test_others(void)
{
	struct taker *t = taker_new(SMALL, 8);
	int err;

	greed(t, take_queue, &err);
	tap_result(as_user(0, one_queue), -EDQUOT, "another process of the user gets none");
	tap_result(as_user(4711, one_queue), 0, "another user does");
	greed(t, take_context, &err);
	tap_result(as_user(0, one_queue), -EDQUOT, "nor a context");
	tap_result(as_user(4711, one_queue), 0, "which another does, too");
	taker_end(t);
	tap_result(as_user(0, one_queue), 0, "after it, the user has some again");
}

static int above(void)
{
	struct taker *t = taker_new(SMALL, 8);
	int err = 0;

	for (uint32_t i = 0; i < 2 * CONTEXTS && !err; i++)
		err = take_context(t);
	attach(last(t), 0);
	for (uint32_t i = 0; i < 2 * QUEUES && !err; i++)
		err = take_queue(t);
	taker_end(t);
	return err;
}

int main(void)
{
	struct rlimit files = { 8192, 8192 };

	must(!setrlimit(RLIMIT_NOFILE, &files));
	tap_result(as_user(0, above), 0, "with CAP_SYS_RESOURCE there is no limit");
	drop_resource();
	/* What is counted would be forgotten with the last one. */
	open_context();
	/* A taker has a context, a domain and a window to begin with. */
	test_kind("contexts", take_context, 2, CONTEXTS);
	test_kind("domains", take_domain, 2, DOMAINS);
	test_kind("queues", take_queue, 0, QUEUES);
	test_kind("windows", take_window, 1, WINDOWS);
	test_kind("imports", take_import, 0, IMPORTS);
	test_kind("plans", take_plan, 0, PLANS);
	test_kind("status pages", take_status, 0, STATUSES);
	test_one_back();
	test_bytes();
	test_imports();
	test_others();
	return tap_done();
}
