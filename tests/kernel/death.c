// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to die with one of each and work under way: by exec, as parent or child of a fork, as
 * who passed a context on, with threads in calls on what is closed, frozen, out of memory,
 * with a CPU that goes. All it held is given back, and who stands beside it does not notice.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "account.h"
#include "bystander.h"
#include "everything.h"
#include "fd.h"

#define BYTES (1u << 20)
#define NOBODY 65534

static const uint32_t chips[2] = { 0, 4 };
static struct account was;
static int ready[2], word[2]; /* pipes: from a victim, and to it */

/* ---- victims --------------------------------------------------------------- */

static void say(int to)
{
	must(write(to, "", 1) == 1);
}

static void hear(int from)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	char c;

	must(poll(&p, 1, 60000) == 1 && read(from, &c, 1) == 1);
}

static pid_t victim(void (*fn)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		fn();
		_exit(0);
	}
	return pid;
}

static int ended(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static void finish_off(pid_t pid)
{
	must(!kill(pid, SIGKILL));
	must(ended(pid) == SIGKILL);
}

static bool holds_something(void)
{
	struct account is = account();

	return is.hbm > was.hbm && is.queues > was.queues && is.windows > was.windows;
}

/* Nothing is left, and who stands beside goes on. */
static void point(bool well, const char *what)
{
	bool back = account_back(&was), on = bystander_goes_on();

	if (!well || !on)
		tap_diag("%s; the bystander %s", well ? "well" : "not as it should be",
			 on ? "goes on" : "noticed");
	tap_ok(well && back && on, "%s", what);
}

static void hold_with_drain(void)
{
	struct everything e;

	everything_take(&e, chips, BYTES, true);
	say(ready[1]);
	pause();
}

/* ---- kill, exec ------------------------------------------------------------- */

static void test_kill(void)
{
	pid_t pid = victim(hold_with_drain);
	bool held;

	hear(ready[0]);
	held = holds_something();
	finish_off(pid);
	point(held, "killed with one of each, a session that copies and work under way");
}

/* All its files are close-on-exec, and mappings go. */
static void become_another(void)
{
	struct everything e;
	char in[16], out[16];

	everything_take(&e, chips, BYTES, true);
	say(ready[1]);
	hear(word[0]);
	snprintf(in, sizeof(in), "%d", word[0]);
	snprintf(out, sizeof(out), "%d", ready[1]);
	execl("/proc/self/exe", "death", in, out, NULL);
	_exit(2);
}

/* What it has become: says so, and stays until it is told to go. */
static int another(char **argv)
{
	say(atoi(argv[2]));
	hear(atoi(argv[1]));
	return 7;
}

static void test_exec(void)
{
	pid_t pid = victim(become_another);
	bool held, back;

	hear(ready[0]);
	held = holds_something();
	say(word[1]);
	hear(ready[0]);
	back = account_back(&was);
	say(word[1]);
	point(held && back && WEXITSTATUS(ended(pid)) == 7,
	      "exec: nothing is left while the process lives");
}

/* ---- fork -------------------------------------------------------------------- */

/* Uses what it has inherited, and takes its mappings to pieces. */
static void child_of(struct everything *e)
{
	struct vn_desc d = copy_desc(at(&e->mem[1], 0), at(&e->mem[0], PAGE), PAGE);
	uint8_t *p = e->mem[0].ptr, *to, *q;
	struct queue own = queue_create(e->ctx, chips[0], 8, -1);

	memset(p + PAGE, 0x5a, PAGE);
	must(run(&own, &d) == VN_OK);
	/* What is behind is written by the work under way, too. */
	must(e->import[1][0] == 0x5a && e->mem[1].ptr[63] == 0x5a);
	must(!munmap(p + 8 * PAGE, PAGE) && !mprotect(p + 16 * PAGE, PAGE, PROT_READ));
	must(touch(p + 8 * PAGE, false) == SIGSEGV);
	must(touch(p + 16 * PAGE, true) == SIGSEGV);
	to = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(to != MAP_FAILED);
	q = mremap(p + 32 * PAGE, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	must(q == to && !touch(q, true));
	must(touch(p + 32 * PAGE, false) == SIGSEGV);
	must(!touch(e->import[0] + 9 * PAGE, true) && !touch((uint8_t *)e->status.entry, true));
}

static void parent_and_child(void)
{
	struct everything e;
	pid_t pid;

	everything_take(&e, chips, BYTES, false);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		hear(word[0]);
		child_of(&e);
		say(ready[1]);
		hear(word[0]);
		_exit(0);
	}
	say(ready[1]);
	pause();
}

static void test_fork(void)
{
	pid_t pid = victim(parent_and_child);
	bool held;

	hear(ready[0]);
	finish_off(pid);
	say(word[1]);
	hear(ready[0]);
	held = holds_something();
	say(word[1]);
	point(held, "fork: the parent is killed, the child uses all of it, and ends");
}

/* ---- passed on ----------------------------------------------------------------- */

static int post[2]; /* a socket pair */

static void pass_on(void)
{
	struct everything e;

	everything_take(&e, chips, BYTES, false);
	must(fd_send(post[0], e.ctx) && write(post[0], &e, sizeof(e)) == sizeof(e));
	hear(word[0]);
}

/* Another user, who may open nothing himself. */
static void passed_to(void)
{
	struct everything e;
	int ctx;
	struct vn_desc d;
	struct queue q;

	must(!setgid(NOBODY) && !setuid(NOBODY) && open(NODE, O_RDWR) < 0);
	ctx = fd_recv(post[1]);
	must(ctx >= 0 && read(post[1], &e, sizeof(e)) == sizeof(e));
	e.ctx = ctx;
	say(ready[1]);
	hear(word[0]);
	e.mem[0].ptr = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, e.ctx,
			    (off_t)e.mem[0].offset);
	must(e.mem[0].ptr != MAP_FAILED && e.mem[0].ptr[BYTES - 1] == 1);
	q = queue_create(e.ctx, chips[0], 8, -1);
	d = copy_desc(at(&e.mem[0], 0), at(&e.mem[0], BYTES - 64), 64);
	must(run(&q, &d) == VN_OK && e.mem[0].ptr[63] == 1);
	say(ready[1]);
	pause();
}

static void test_passed(void)
{
	pid_t from, to;
	bool held;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, post));
	to = victim(passed_to);
	from = victim(pass_on);
	hear(ready[0]);
	finish_off(from);
	say(word[1]);
	hear(ready[0]);
	held = holds_something();
	finish_off(to);
	close(post[0]);
	close(post[1]);
	point(held, "passed to another user: he goes on when who made it is killed, and is killed");
}

/* ---- closed under them ------------------------------------------------------------ */

static struct everything shared;
static unsigned int busy_threads; /* atomic */

static void *wait_on(void *arg)
{
	__atomic_add_fetch(&busy_threads, 1, __ATOMIC_RELAXED);
	wait_until(arg, 1000, ~0ull);
	return NULL;
}

static void *poll_on(void *arg)
{
	struct pollfd p = { .fd = shared.ctx, .events = 0 };

	(void)arg;
	__atomic_add_fetch(&busy_threads, 1, __ATOMIC_RELAXED);
	poll(&p, 1, -1);
	return NULL;
}

/* Copies, round after round. */
static void *step_on(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&busy_threads, 1, __ATOMIC_RELAXED);
	while (!drain_step(shared.session, VN_SLED_PRECOPY))
		;
	return NULL;
}

static void *touch_on(void *arg)
{
	volatile uint8_t *p = arg;

	__atomic_add_fetch(&busy_threads, 1, __ATOMIC_RELAXED);
	for (uint64_t i = 0;; i = (i + PAGE) % BYTES)
		p[i]++;
	return NULL;
}

static void close_under(void)
{
	static struct {
		void *(*fn)(void *);
		void *arg;
	} const threads[] = {
		{ wait_on, &shared.busy }, { wait_on, &shared.stuck }, { wait_on, &shared.planned },
		{ poll_on, NULL },	   { step_on, NULL },
	};
	pthread_t t;

	everything_take(&shared, chips, BYTES, true);
	for (uint32_t i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&t, NULL, threads[i].fn, threads[i].arg));
	must(!pthread_create(&t, NULL, touch_on, shared.mem[0].ptr));
	must(!pthread_create(&t, NULL, touch_on, shared.import[1]));
	while (__atomic_load_n(&busy_threads, __ATOMIC_RELAXED) < ARRAY_SIZE(threads) + 2)
		usleep(1000);
	usleep(20000);
	close(shared.ctx);
	close(shared.session);
	close(shared.domain);
	usleep(20000);
	say(ready[1]);
	pause();
}

static void test_close(void)
{
	pid_t pid = victim(close_under);
	bool held;

	hear(ready[0]);
	/* Calls under way go on. */
	held = holds_something();
	finish_off(pid);
	point(held, "closed while threads wait, poll, drain and touch; then killed");
}

/* ---- frozen, out of memory --------------------------------------------------------- */

#define GROUPS "/sys/fs/cgroup"
#define GROUP GROUPS "/vn-death"

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static void wait_in_group(void)
{
	struct everything e;

	must(put(GROUP "/cgroup.procs", "0"));
	everything_take(&e, chips, BYTES, false);
	say(ready[1]);
	wait_until(&e.stuck, 1, ~0ull);
	say(ready[1]);
	pause();
}

static bool frozen(void)
{
	char text[256] = "";
	int fd;

	for (int i = 0; i < 1000; i++) {
		fd = open(GROUP "/cgroup.events", O_RDONLY | O_CLOEXEC);
		must(fd >= 0);
		must(read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
		if (strstr(text, "frozen 1"))
			return true;
		usleep(10000);
	}
	return false;
}

static void test_frozen(void)
{
	int ctx = open_context();
	uint32_t sled = sled_of(ctx, chips[0]);
	bool cold, moved;
	pid_t pid;

	was.contexts++;
	must(!mkdir(GROUP, 0755) || errno == EEXIST);
	pid = victim(wait_in_group);
	hear(ready[0]);
	cold = put(GROUP "/cgroup.freeze", "1") && frozen();
	/* Its sled goes, and comes back; nobody waits for it. */
	drain_whole(ctx, sled);
	moved = holds_something() && !bring_back(ctx, sled);
	must(put(GROUP "/cgroup.freeze", "0") && put(GROUP "/cgroup.freeze", "1") && frozen());
	finish_off(pid);
	point(cold && moved, "frozen in WAIT: its sled is drained; and killed as it is");
	close(ctx);
	was.contexts--;
	must(!rmdir(GROUP));
}

static void eat(void)
{
	struct vn_mem_alloc m = { .size = sizeof(m), .chip = chips[0], .bytes = BYTES };
	struct everything e;
	int err;

	must(put(GROUP "/cgroup.procs", "0"));
	everything_take(&e, chips, BYTES, false);
	do {
		err = call(e.ctx, VN_IOCTL_MEM_ALLOC, &m);
	} while (!err);
	must(err == -ENOMEM || err == -ENOSPC);
	say(ready[1]);
	/* Then it is killed for what it takes elsewhere. */
	for (;;) {
		uint8_t *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0);

		must(p != MAP_FAILED);
		memset(p, 1, BYTES);
	}
}

static void test_pressure(void)
{
	pid_t pid;
	int status;

	if (!put(GROUPS "/cgroup.subtree_control", "+memory") ||
	    (mkdir(GROUP, 0755) && errno != EEXIST)) {
		tap_skip("only with the memory controller");
		return;
	}
	must(put(GROUP "/memory.max", "67108864"));
	put(GROUP "/memory.swap.max", "0");
	pid = victim(eat);
	hear(ready[0]);
	status = ended(pid);
	point(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "in a group of 64 MiB: refused HBM first, and killed for more");
	must(!rmdir(GROUP));
}

/* ---- a CPU goes ------------------------------------------------------------------- */

#define CPU "/sys/devices/system/cpu/cpu1/online"

static void hold_elsewhere(void)
{
	static const uint32_t elsewhere[2] = { 8, 12 };
	struct everything e;

	everything_take(&e, elsewhere, BYTES, false);
	say(ready[1]);
	wait_until(&e.stuck, 1, ~0ull);
}

static void test_unplug(void)
{
	unsigned int rounds = getenv("VN_QUICK") ? 3 : 20, stands = 0;
	bool wrong = false;
	pid_t pid[2];

	if (access(CPU, W_OK)) {
		tap_skip("only where a CPU can go");
		return;
	}
	for (unsigned int i = 0; i < rounds && !wrong; i++) {
		for (int k = 0; k < 2; k++) {
			pid[k] = victim(k ? hold_elsewhere : close_under);
			hear(ready[0]);
		}
		wrong = !put(CPU, "0") || !bystander_goes_on();
		if (i % 2)
			finish_off(pid[0]);
		wrong |= !put(CPU, "1") || !bystander_goes_on();
		if (i % 2 == 0)
			finish_off(pid[0]);
		finish_off(pid[1]);
		stands += account_back(&was);
	}
	point(!wrong && stands == rounds, "a CPU goes and comes, under work");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return another(argv);
	must(!pipe(ready) && !pipe(word));
	bystander_begin();
	was = account();
	test_kill();
	test_exec();
	test_fork();
	test_passed();
	test_close();
	test_frozen();
	test_pressure();
	test_unplug();
	bystander_end();
	return tap_done();
}
