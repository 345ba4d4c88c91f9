// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows who may do what: nodes are closed to others than owner and group; an fd
 * passed on is the right to use it; a context without a chip can't use it; and
 * what belongs to one context is not to be named in another.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <grp.h>
#include "abi.h"

/* Runs f in a child with no rights; its result. */
static int as_nobody(int (*f)(int), int arg)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			_exit(200);
		_exit(-f(arg));
	}
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static int try_open(int flags)
{
	int fd = open(NODE, flags);

	return fd < 0 ? -errno : 0;
}

static int try_open_chip(int chip)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), NODE "c%d", chip);
	fd = open(name, O_RDWR);
	return fd < 0 ? -errno : 0;
}

/* With a context's fd inherited, but no chip. */
static int try_alloc(int ctx)
{
	struct vn_mem_alloc a = { .size = sizeof(a), .chip = 2, .bytes = PAGE };

	return call(ctx, VN_IOCTL_MEM_ALLOC, &a);
}

static void test_nodes(void)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR };
	uint32_t chips = query().chips, wrong = 0;
	struct stat st;

	must(!stat(NODE, &st));
	tap_ok(S_ISCHR(st.st_mode) && !(st.st_mode & 07), "nobody else has rights on %s: mode %o",
	       NODE, st.st_mode & 07777);
	for (uint32_t i = 0; i < ARRAY_SIZE(flags); i++)
		tap_result(as_nobody(try_open, flags[i]), -EACCES, "uid 65534 opens %s with %d",
			   NODE, flags[i]);
	for (uint32_t i = 0; i < chips; i++)
		wrong += as_nobody(try_open_chip, i) != -EACCES;
	tap_ok(!wrong, "nor any of the %u chip nodes (%u open)", chips, wrong);
}

static void test_passed(void)
{
	int ctx = open_context();

	tap_result(as_nobody(try_alloc, ctx), -EACCES, "an inherited context has no chip");
	attach(ctx, 2);
	tap_result(as_nobody(try_alloc, ctx), 0, "and with a chip attached it can be used");
	close(ctx);
}

/* ---- two contexts -------------------------------------------------------- */

static void test_foreign(void)
{
	int a = open_on(0), b = open_on(0);
	struct mem mem = mem_alloc(a, 0, 2 * PAGE);
	struct queue q = queue_create(b, 0, 8, -1);
	struct vn_desc nop = { .opcode = VN_OP_NOP }, d;
	struct vn_window_create wc = { .size = sizeof(wc),
				       .chip = 0,
				       .addr = mem.addr,
				       .bytes = PAGE,
				       .access = VN_ACCESS_REMOTE_READ };
	uint32_t key = window_create(a, &mem, 0, PAGE, ACCESS_ALL), plan;
	struct mem own = mem_alloc(b, 0, PAGE);
	struct vn_operand other = { VN_HERE, 0, key, 0 };

	memset(mem.ptr, 0x5a, mem.bytes);
	must(!plan_create(a, 0, &nop, 1, &plan));
	/* Addresses are numbers of a context: b has one allocation, a's is its first, too. */
	tap_result(mem_free(b, 0, mem.addr + (1ull << 48)), -ENOENT,
		   "an address that is not in this context");
	wc.addr = own.addr + (5ull << 48);
	tap_result(call(b, VN_IOCTL_WINDOW_CREATE, &wc), -ENOENT, "no window on it either");
	tap_result(window_invalidate(b, 0, key), -ENOENT, "a key of another domain is no key");
	tap_result(window_import(b, 0, key, VN_ACCESS_REMOTE_READ), -ENOENT, "nor to be imported");
	tap_result(plan_destroy(b, plan), -ENOENT, "nor is another's plan there");
	tap_result(queue_call(a, VN_IOCTL_DOORBELL, q.id), -ENOENT, "nor its queue");

	d = copy_desc(at(&own, 0), other, 64);
	tap_ok(run(&q, &d) == VN_BAD_KEY, "a descriptor can't name that key");
	must(!queue_reset(&q));
	d = copy_desc(other, at(&own, 0), 64);
	tap_ok(run(&q, &d) == VN_BAD_KEY, "not as its destination either");
	must(!queue_reset(&q));
	d = copy_desc((struct vn_operand){ VN_HERE, 0, 0, mem.addr + (7ull << 48) }, at(&own, 0),
		      64);
	tap_ok(run(&q, &d) == VN_BAD_KEY, "nor an address beyond its own memory");
	must(!queue_reset(&q));
	d = launch_desc(plan + 1);
	tap_ok(run(&q, &d) == VN_BAD_PLAN, "nor another's plan");
	must(!queue_reset(&q));
	d = nop;
	tap_ok(run(&q, &d) == VN_OK, "and then goes on");

	for (uint32_t i = 0; i < mem.bytes; i++)
		must(mem.ptr[i] == 0x5a);
	tap_ok(1, "the other's memory is as it was");
	munmap(mem.ptr, mem.bytes);
	close(a);
	close(b);
}

/* A window of one context in the domain of another. */
static void test_domain(void)
{
	int a = open_on(0), b = open_on(0), dom = domain_export(a);
	struct mem mem = mem_alloc(a, 0, 2 * PAGE), own = mem_alloc(b, 0, PAGE);
	uint32_t ro = window_create(a, &mem, 0, PAGE, VN_ACCESS_REMOTE_READ);
	uint32_t wo =
		window_create(a, &mem, PAGE, PAGE, VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_WRITE);
	struct vn_desc d;
	struct queue q;

	memset(mem.ptr, 0x5a, mem.bytes);
	tap_ok(fcntl(dom, F_GETFD) & FD_CLOEXEC, "the fd of a domain is close-on-exec");
	tap_result(domain_join(b, dom), 0, "join a domain");
	q = queue_create(b, 0, 8, -1);

	d = copy_desc(at(&own, 0), (struct vn_operand){ VN_HERE, 0, ro, 0 }, 64);
	tap_ok(run(&q, &d) == VN_OK && own.ptr[63] == 0x5a, "read by key what may be read");
	d = copy_desc((struct vn_operand){ VN_HERE, 0, ro, 0 }, at(&own, 0), 64);
	tap_ok(run(&q, &d) == VN_BAD_ACCESS, "but not write it");
	must(!queue_reset(&q));
	d = copy_desc(at(&own, 0), (struct vn_operand){ VN_HERE, 0, wo, 0 }, 64);
	tap_ok(run(&q, &d) == VN_BAD_ACCESS, "nor read what may only be written");
	must(!queue_reset(&q));
	d = sem_desc(VN_OP_SEM_SIGNAL, (struct vn_operand){ VN_HERE, 0, wo, 0 }, 1);
	tap_ok(run(&q, &d) == VN_BAD_ACCESS, "nor use a semaphore without the right to");
	must(!queue_reset(&q));
	d = copy_desc(at(&own, 0), (struct vn_operand){ VN_HERE, 0, ro, PAGE - 32 }, 64);
	tap_ok(run(&q, &d) == VN_BAD_RANGE, "nor reach beyond a window");
	must(!queue_reset(&q));
	d = copy_desc(at(&own, 0), (struct vn_operand){ VN_HERE, 0, ro, -32ull }, 64);
	tap_ok(run(&q, &d) == VN_BAD_RANGE, "nor around its end");
	must(!queue_reset(&q));
	tap_result(window_invalidate(b, 0, ro), -EACCES, "only its maker ends a window");
	must(!window_invalidate(a, 0, ro));
	d = copy_desc(at(&own, 0), (struct vn_operand){ VN_HERE, 0, ro, 0 }, 64);
	tap_ok(run(&q, &d) == VN_STALE_KEY, "after which its key is stale");
	must(!queue_reset(&q));
	close(dom);
	munmap(mem.ptr, mem.bytes);
	close(a);
	d = copy_desc((struct vn_operand){ VN_HERE, 0, wo, 0 }, at(&own, 0), 64);
	tap_ok(run(&q, &d) == VN_STALE_KEY, "as are all keys of a context that is gone");
	close(b);
}

/* A context goes to another domain; its queue stays behind. */
static void test_leave(void)
{
	int a = open_on(0), b = open_on(0), c = open_on(0), there = domain_export(c);
	int here = domain_export(a);
	struct mem mem = mem_alloc(a, 0, PAGE), own = mem_alloc(b, 0, PAGE);
	uint32_t key = window_create(a, &mem, 0, PAGE, VN_ACCESS_REMOTE_READ);
	struct queue before, after;
	struct vn_desc d;

	must(!domain_join(b, here));
	before = queue_create(b, 0, 8, -1);
	tap_result(domain_join(b, there), 0, "a context with a queue joins another domain");
	after = queue_create(b, 0, 8, -1);
	memset(mem.ptr, 0x3c, PAGE);
	d = copy_desc(at(&own, 0), (struct vn_operand){ VN_HERE, 0, key, 0 }, 64);
	tap_ok(run(&before, &d) == VN_OK && own.ptr[63] == 0x3c,
	       "the queue resolves keys where it was made");
	tap_ok(run(&after, &d) == VN_BAD_KEY, "a new one where the context is now");
	close(there);
	close(here);
	close(a);
	close(b);
	close(c);
}

int main(void)
{
	if (geteuid())
		tap_skip_all("not root");
	test_nodes();
	test_passed();
	test_foreign();
	test_domain();
	test_leave();
	return tap_done();
}
