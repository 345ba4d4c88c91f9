// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What users see of each other by netlink: objects are listed for who made them, also from
 * another user, pid or network namespace, with the pid and uid by which the reader knows
 * them (no pid: 0; no uid: the overflow one); others see none of them. The privileged
 * commands are for CAP_SYS_ADMIN where the machine began, not for root of a namespace.
 */
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <netlink/genl/genl.h>
#include <vneuron/fault.h>

#include "abi/abi.h"
#include "netlink.h"

#define OWNER 4711u
#define STRANGER 4712u

/* What a dump says of the contexts there are. */
struct seen {
	uint32_t n, pid, uid;
	uint32_t objects; /* queues and windows */
};

static int see_context(struct nlattr *const *attrs, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->pid = vn_nl_u32(attrs, VN_NL_A_PID);
	s->uid = vn_nl_u32(attrs, VN_NL_A_UID);
	return 0;
}

static int see_object(struct nlattr *const *attrs, void *arg)
{
	(void)attrs;
	((struct seen *)arg)->objects++;
	return 0;
}

static struct seen look(void)
{
	struct seen s = { 0 };
	struct vn_nl *nl;

	must(!vn_nl_open(&nl));
	must(!vn_nl_dump(nl, VN_NL_CMD_CONTEXT, see_context, &s));
	must(!vn_nl_dump(nl, VN_NL_CMD_QUEUE, see_object, &s));
	must(!vn_nl_dump(nl, VN_NL_CMD_WINDOW, see_object, &s));
	vn_nl_close(nl);
	return s;
}

static void become(uid_t uid)
{
	must(!setgroups(0, NULL) && !setresgid(uid, uid, uid) && !setresuid(uid, uid, uid));
	/* Or /proc/self would be root's. */
	must(!prctl(PR_SET_DUMPABLE, 1));
}

/* As a user, without rights, in new namespaces; what is seen from there comes by a pipe. */
static struct seen look_as(uid_t uid, int flags)
{
	struct seen s = { 0 };
	int fd[2], status;
	pid_t pid;

	must(!pipe(fd));
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		become(uid);
		must(!flags || !unshare(flags));
		/* A new pid namespace is for who comes next. */
		if (flags & CLONE_NEWPID) {
			pid = fork();
			must(pid >= 0);
			if (pid) {
				must(waitpid(pid, &status, 0) == pid);
				_exit(WEXITSTATUS(status));
			}
		}
		if (flags & CLONE_NEWUSER) {
			int map = open("/proc/self/uid_map", O_WRONLY);
			char text[32];
			int n = snprintf(text, sizeof(text), "0 %u 1", uid);

			must(map >= 0 && write(map, text, (size_t)n) == n);
		}
		s = look();
		_exit(write(fd[1], &s, sizeof(s)) != sizeof(s));
	}
	close(fd[1]);
	must(read(fd[0], &s, sizeof(s)) == sizeof(s));
	close(fd[0]);
	must(waitpid(pid, &status, 0) == pid && !status);
	return s;
}

/* ---- who has something ------------------------------------------------------------------ */

static pid_t owner;
static int owner_in;

/* A context with a queue and a window, until we close the pipe; root's child opens it. */
static void begin_owner(uid_t uid)
{
	int in[2], out[2];
	char c;

	must(!pipe(in) && !pipe(out));
	owner = fork();
	must(owner >= 0);
	if (!owner) {
		struct mem m;
		int ctx;

		close(in[1]);
		must(!setresuid(uid, 0, 0) && !prctl(PR_SET_NAME, "vn-secret-name"));
		ctx = open_on(0);
		m = mem_alloc(ctx, 0, PAGE);
		window_create(ctx, &m, 0, PAGE, ACCESS_ALL);
		queue_create(ctx, 0, 8, -1);
		must(write(out[1], "r", 1) == 1);
		while (read(in[0], &c, 1) > 0)
			;
		_exit(0);
	}
	close(in[0]);
	close(out[1]);
	must(read(out[0], &c, 1) == 1);
	close(out[0]);
	owner_in = in[1];
}

static void end_owner(void)
{
	close(owner_in);
	must(waitpid(owner, NULL, 0) == owner);
}

static bool is(struct seen s, uint32_t n, uint32_t pid, uint32_t uid)
{
	if (s.n == n && s.objects == 2 * n && (!n || (s.pid == pid && s.uid == uid)))
		return true;
	tap_diag("%u contexts, %u objects, pid %u, uid %u", s.n, s.objects, s.pid, s.uid);
	return false;
}

static void test_dumps(void)
{
	uint32_t me = (uint32_t)owner;

	tap_ok(is(look(), 1, me, OWNER), "root sees it all");
	tap_ok(is(look_as(OWNER, 0), 1, me, OWNER), "its user does");
	tap_ok(is(look_as(STRANGER, 0), 0, 0, 0), "another user sees nothing");
	tap_ok(is(look_as(OWNER, CLONE_NEWUSER | CLONE_NEWPID), 1, 0, 0),
	       "in a container its user has no pid for it, and is 0 there");
	tap_ok(is(look_as(STRANGER, CLONE_NEWUSER | CLONE_NEWPID), 0, 0, 0),
	       "root of another's container sees nothing");
	tap_ok(is(look_as(OWNER, CLONE_NEWUSER | CLONE_NEWNET), 1, me, 0),
	       "nor does a network namespace hide it from its user");
	tap_ok(is(look_as(STRANGER, CLONE_NEWUSER | CLONE_NEWNET), 0, 0, 0),
	       "or show it to others");
	tap_ok(is(look_as(0, CLONE_NEWUSER | CLONE_NEWNET), 0, 0, 0),
	       "root of a container that root made sees nothing of others");
}

/* ---- the privileged plane ------------------------------------------------------------------ */

static int reset(struct vn_nl *nl)
{
	return vn_nl_chip_reset(nl, 1);
}

static int fault(struct vn_nl *nl)
{
	return vn_nl_fault_make(nl, &(struct vn_fault){ .kind = VN_FAULT_LINK_CUT });
}

static int cancel(struct vn_nl *nl)
{
	return vn_nl_cancel(nl, 0, 0);
}

static int refused_as(uid_t uid, int flags, int (*fn)(struct vn_nl *nl))
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid) {
		struct vn_nl *nl;
		int err;

		become(uid);
		must(!flags || !unshare(flags));
		must(!vn_nl_open(&nl));
		err = fn(nl);
		_exit(err == -EPERM && strstr(vn_error(), "CAP_SYS_ADMIN") ? EPERM : 1);
	}
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void test_refused(void)
{
	static int (*const all[])(struct vn_nl *) = { reset, fault, cancel };
	static const char *const name[] = { "a reset", "a fault", "calling a drain off" };

	for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
		tap_result(refused_as(OWNER, 0, all[i]), -EPERM, "%s takes CAP_SYS_ADMIN", name[i]);
		tap_result(refused_as(OWNER, CLONE_NEWUSER | CLONE_NEWNET, all[i]), -EPERM,
			   "%s takes that of the machine, not of a container", name[i]);
	}
}

int main(int argc, char **argv)
{
	begin_owner(OWNER);
	/* As long as somebody looks at what else there is to be seen of it. */
	if (argc > 1 && !strcmp(argv[1], "hold")) {
		char c;

		puts("ready");
		fflush(stdout);
		while (read(0, &c, 1) > 0)
			;
		end_owner();
		return 0;
	}
	test_dumps();
	test_refused();
	end_owner();
	return tap_done();
}
