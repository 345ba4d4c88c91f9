// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * reload MODULE LOADS OPENS: loads and unloads the module so many times, each time with
 * processes on it that have one of each and work under way, and are killed. Then, on one
 * load, opens and closes so many contexts likewise. Nothing of either is kept.
 */
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "everything.h"
#include "kept.h"

#define VICTIMS 3u
#define BYTES (128u << 10)
#define CONTEXTS 8u
/* A user has little more than there is at once: what stays charged to him is soon too much. */
#define PARAMETERS                                                                                 \
	"sleds=4 chips_per_sled=4 spares=1 faults=1 hbm=16M user_contexts=8 user_domains=8 "       \
	"user_queues=12 user_windows=8 user_imports=8 user_plans=4 user_statuses=4"

static const char *module;
static uint64_t seed = 1;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

/* The right to have more than that. */
static void be_limited(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	must(!syscall(SYS_capget, &h, d));
	d[0].effective &= ~(1u << CAP_SYS_RESOURCE);
	d[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
	must(!syscall(SYS_capset, &h, d));
}

static void load(void)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && !syscall(SYS_finit_module, fd, PARAMETERS, 0));
	close(fd);
}

/* Who was killed has gone, what he had may be on its way: a few seconds at most. */
static unsigned int unload(void)
{
	unsigned int busy = 0;

	while (syscall(SYS_delete_module, "vneuron", O_NONBLOCK)) {
		must(errno == EAGAIN || errno == EBUSY || errno == EWOULDBLOCK);
		must(busy++ < 1000);
		usleep(5000);
	}
	return busy;
}

/* ---- loads ------------------------------------------------------------------- */

static void victim(unsigned int i, int ready)
{
	const uint32_t chip[2] = { i, 4 + 4 * i };
	struct everything e;

	everything_take(&e, chip, BYTES, !i);
	must(write(ready, "", 1) == 1);
	for (;;) {
		wait_until(&e.busy, e.busy.ring->cq_tail + 1, now_ns() + SECOND / 100);
		e.busy.ring->cq_head = e.busy.ring->cq_tail;
		everything_works(&e);
	}
}

/* True: all were at it when they were killed. */
static bool killed(void)
{
	pid_t pid[VICTIMS];
	int ready[2], status;
	unsigned int at_it = 0;
	bool well = true;
	char c;

	must(!pipe(ready));
	for (unsigned int i = 0; i < VICTIMS; i++) {
		pid[i] = fork();
		must(pid[i] >= 0);
		if (!pid[i])
			victim(i, ready[1]);
	}
	close(ready[1]);
	while (at_it < VICTIMS && read(ready[0], &c, 1) == 1)
		at_it++;
	usleep(random_below(5000));
	for (unsigned int i = 0; i < VICTIMS; i++)
		must(!kill(pid[i], SIGKILL));
	for (unsigned int i = 0; i < VICTIMS; i++) {
		must(waitpid(pid[i], &status, 0) == pid[i]);
		well &= WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	}
	close(ready[0]);
	return well && at_it == VICTIMS;
}

static void loads(unsigned int n, bool look, unsigned int *wrong, unsigned int *busy)
{
	for (unsigned int i = 0; i < n; i++) {
		load();
		*wrong += !killed();
		*busy += unload();
	}
	if (look)
		kept_look();
}

static void test_loads(unsigned int n)
{
	unsigned int wrong = 0, busy = 0;

	/* What is made once is there afterwards. */
	loads(2, true, &wrong, &busy);
	for (unsigned int i = 1; i < TIMES; i++)
		loads(n / (TIMES - 1), true, &wrong, &busy);
	tap_ok(!wrong, "%u loads, with %u processes killed on each (%u tries to unload early)", n,
	       VICTIMS, busy);
	kept_points(n / (TIMES - 1), "loads");
}

/* ---- opens -------------------------------------------------------------------- */

static void drop(struct everything *e)
{
	int *const fds[] = { &e->ctx, &e->domain, &e->event, &e->session };
	uint32_t first = random_below(2);

	/* What is mapped goes before what it is mapped of, and the other way round. */
	for (uint32_t when = 0; when < 2; when++) {
		if (when == first) {
			for (uint32_t i = 0; i < 2; i++) {
				munmap(e->mem[i].ptr, e->mem[i].bytes);
				munmap(e->import[i], e->mem[i].bytes);
			}
			munmap((void *)e->busy.ring, e->busy.bytes);
			munmap((void *)e->stuck.ring, e->stuck.bytes);
			munmap((void *)e->planned.ring, e->planned.bytes);
			munmap(e->status.entry, e->status.bytes);
			munmap(e->health, PAGE);
			continue;
		}
		for (uint32_t i = 0, at = random_below(4); i < 4; i++, at = (at + 1) % 4)
			if (*fds[at] >= 0)
				close(*fds[at]);
	}
}

/* Nanoseconds it took. */
static uint64_t opens(unsigned int n)
{
	static const uint32_t chip[2] = { 0, 4 };
	uint64_t began = now_ns(), took;
	struct everything e;

	for (unsigned int i = 0; i < n; i++) {
		everything_take(&e, chip, BYTES, i % 8 == 0);
		drop(&e);
	}
	took = now_ns() - began;
	kept_look();
	return took;
}

/* What follows would not get far, were something charged for good. */
static void test_limited(void)
{
	int fd[CONTEXTS];

	for (unsigned int i = 0; i < CONTEXTS; i++)
		fd[i] = open_context();
	tap_ok(open(NODE, O_RDWR) < 0 && errno == EDQUOT, "a user has %u contexts at most",
	       CONTEXTS);
	for (unsigned int i = 0; i < CONTEXTS; i++)
		close(fd[i]);
}

static void test_opens(unsigned int n)
{
	uint64_t took = 0;

	load();
	test_limited();
	opens(16);
	for (unsigned int i = 1; i < TIMES; i++)
		took += opens(n / (TIMES - 1));
	tap_ok(1, "%u contexts opened and closed, %llu us each", n,
	       (unsigned long long)(took / 1000 / n));
	kept_points(n / (TIMES - 1), "opens");
	unload();
}

/* Once all is unloaded: no memory in a row that the module has taken. */
static void test_rest(void)
{
	FILE *f = fopen("/proc/vmallocinfo", "r");
	unsigned int rest = 0;
	char line[512];

	must(f);
	while (fgets(line, sizeof(line), f))
		rest += strstr(line, "[vneuron]") != NULL;
	fclose(f);
	tap_ok(!rest && access(NODE, F_OK), "no node, nothing in /proc/vmallocinfo");
}

int main(int argc, char **argv)
{
	must(argc == 4);
	module = argv[1];
	be_limited();
	test_loads((unsigned int)atoi(argv[2]));
	test_opens((unsigned int)atoi(argv[3]));
	test_rest();
	return tap_done();
}
