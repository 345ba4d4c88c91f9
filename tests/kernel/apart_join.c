// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What goes wrong when processes join, and what each of them is told: another unique id,
 * another number of ranks; two ranks of one number, two of number 0, two of one chip; one
 * that comes late, or twice; a device handle that can't join the domain; a rank 0 that
 * dies or stands still, and another that dies. Those who are right go on where that can
 * be. Nothing is left open, and nothing closed twice.
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "tries.h"

#define SHORT (900 * MS)

/* The library's, too. */
int close(int fd)
{
	int err = (int)syscall(SYS_close, fd);

	if (err)
		__atomic_fetch_add(&bad_closes, 1, __ATOMIC_RELAXED);
	return err;
}

static const struct try plain, impatient = { .timeout_ns = SHORT };

static void await_in(const struct try *t)
{
	for (int i = 0; i < 10000 && !__atomic_load_n(&t->in, __ATOMIC_ACQUIRE); i++)
		sleep_ms(2);
}

static void other_id(void)
{
	struct try *zero, *one, hasty = impatient;

	tries_begin();
	zero = try_start(2, 0, hasty);
	hasty.id_byte = 20;
	one = try_start(2, 1, hasty);
	tries_wait();
	tap_ok(told(zero, -ETIMEDOUT,
		    "communicator of 2 ranks: within 900 ms these did not join: 1") &
		       told(one, -ETIMEDOUT,
			    "within 900 ms these did not join: 0; others may have, in other "
			    "processes: rank 0 would know"),
	       "another unique id");
	tries_begin();
	zero = try_start(2, 0, impatient);
	hasty.id_byte = 100;
	one = try_start(2, 1, hasty);
	tries_wait();
	tap_ok(told(zero, -ETIMEDOUT, "did not join: 1") & told(one, -EPROTO, "another unique id"),
	       "a unique id with other bytes at its end");
}

static void other_size(void)
{
	struct try *zero, *one, *right;

	tries_begin();
	zero = try_start(2, 0, plain);
	one = try_start(3, 1, plain);
	try_wait(one);
	right = try_start(2, 1, plain);
	tries_wait();
	tap_ok(told(one, -EINVAL, "rank 1: 3 ranks, but others joined with 2") & joined(zero) &
		       joined(right),
	       "another number of ranks; the others go on");
}

static void same_number(void)
{
	struct try *zero, *first, *second, *last;

	tries_begin();
	zero = try_start(3, 0, plain);
	first = try_start(3, 1, plain);
	await_board(first->pid);
	second = try_start(3, 1, (struct try){ .chip = 5 });
	try_wait(second);
	last = try_start(3, 2, plain);
	tries_wait();
	tap_ok(told(second, -EEXIST, "rank 1 has joined already") & joined(zero) & joined(first) &
		       joined(last),
	       "two ranks of one number; the others go on");
	tries_begin();
	first = try_start(2, 0, plain);
	await_board(first->pid);
	second = try_start(2, 0, plain);
	try_wait(second);
	last = try_start(2, 1, plain);
	tries_wait();
	tap_ok(told(second, -EEXIST, "rank 0: another process is rank 0 of this unique id") &
		       joined(first) & joined(last),
	       "two of number 0; the others go on");
}

static void same_chip(void)
{
	struct try *zero, *one, *two, *right;

	tries_begin();
	zero = try_start(3, 0, plain);
	one = try_start(3, 1, (struct try){ .chip = 7 });
	await_board(one->pid);
	two = try_start(3, 2, (struct try){ .chip = 7 });
	try_wait(two);
	right = try_start(3, 2, (struct try){ .chip = 8 });
	tries_wait();
	tap_ok(told(two, -EEXIST, "rank 2: chip 7 is that of rank 1") & joined(zero) & joined(one) &
		       joined(right),
	       "two ranks of one chip; the others go on");
}

static void late(void)
{
	struct try *zero, *one, *two;

	tries_begin();
	zero = try_start(2, 0, (struct try){ .stay_ms = 1200 });
	one = try_start(2, 1, (struct try){ .stay_ms = 1200 });
	await_in(one);
	two = try_start(2, 1, impatient);
	tries_wait();
	tap_ok(told(two, -ETIMEDOUT, "rank 0 would know") & joined(zero) & joined(one),
	       "one that comes late");
}

static void busy(void)
{
	struct try *zero, *one, *right;

	tries_begin();
	zero = try_start(2, 0, plain);
	one = try_start(2, 1, (struct try){ .busy = true });
	try_wait(one);
	right = try_start(2, 1, plain);
	tries_wait();
	tap_ok(told(one, -EBUSY, "domain") & joined(zero) & joined(right),
	       "a device handle that has windows in another domain; the others go on");
}

/* ---- twice in one process ----------------------------------------------------------- */

static vn_device_t twice_dev;

static void *join_in_thread(void *arg)
{
	try_join(arg, twice_dev);
	return NULL;
}

/* As rank 1: once, while that waits for the others again, and when all have come. */
static void twice_main(void)
{
	struct try *once = &tries[1], *again = &tries[2], *behind = &tries[3];
	pthread_t thread;

	NEED(vn_open(device_spec(), &twice_dev));
	if (pthread_create(&thread, NULL, join_in_thread, once))
		NEED(-EAGAIN);
	await_board(getpid());
	try_join(again, twice_dev);
	/* Rank 2 may come. */
	__atomic_store_n(&tries[4].in, true, __ATOMIC_RELEASE);
	await_in(once);
	try_join(behind, twice_dev);
	pthread_join(thread, NULL);
	vn_close(twice_dev);
	exit(0);
}

static void twice(void)
{
	struct try *zero, *two;
	pid_t pid;

	tries_begin();
	zero = try_start(3, 0, (struct try){ .stay_ms = 700 });
	for (int i = 1; i < 4; i++) {
		tries[i] = (struct try){ .ranks = 3,
					 .rank = 1,
					 .chip = -1,
					 .timeout_ns = 20 * SECOND,
					 .stay_ms = i == 1 ? 700 : 0 };
		tries[i].pid = -1;
	}
	pid = fork();
	if (!pid)
		twice_main();
	tries[4].pid = -1;
	await_in(&tries[4]);
	two = try_start(3, 2, (struct try){ .stay_ms = 700 });
	waitpid(pid, NULL, 0);
	tries_wait();
	tap_ok(told(&tries[2], -EEXIST, "rank 1 has joined already") &
		       told(&tries[3], -EEXIST, "rank 1: all 3 have joined already") &
		       joined(zero) & joined(&tries[1]) & joined(two),
	       "twice in one process; all go on");
}

/* ---- who dies ----------------------------------------------------------------------- */

static void rank_0_dies(void)
{
	struct try *zero, *one, *two;

	tries_begin();
	zero = try_start(3, 0, plain);
	one = try_start(3, 1, plain);
	await_board(one->pid);
	kill(zero->pid, SIGKILL);
	tries_wait();
	tap_ok(told(one, -ECONNRESET, "rank 0 is gone") && one->took_ns < 15 * SECOND,
	       "rank 0 dies while one waits for the word");
	/* It stands still, so that nobody is let in. */
	tries_begin();
	zero = try_start(3, 0, plain);
	await_board(zero->pid);
	kill(zero->pid, SIGSTOP);
	one = try_start(3, 1, plain);
	two = try_start(3, 2, plain);
	await_knocks(2);
	/* They have said who they are, too. */
	sleep_ms(200);
	kill(zero->pid, SIGKILL);
	tries_wait();
	tap_ok(told(one, -ECONNRESET, "rank 0 is gone") & told(two, -ECONNRESET, "rank 0 is gone"),
	       "rank 0 dies while others wait to be let in");
	tries_begin();
	zero = try_start(3, 0, plain);
	await_board(zero->pid);
	one = try_start(3, 1, (struct try){ .timeout_ns = 2500 * MS });
	await_board(one->pid);
	kill(zero->pid, SIGSTOP);
	two = try_start(3, 2, impatient);
	try_wait(one);
	try_wait(two);
	kill(zero->pid, SIGKILL);
	try_wait(zero);
	tap_ok(told(one, -ETIMEDOUT, "within 2500 ms these did not join: 2") &
		       told(two, -ETIMEDOUT, "rank 0 listens, but does not answer"),
	       "rank 0 stands still");
}

/* It was let in, and one is still missing: nobody waits for that one in vain. */
static void another_dies(void)
{
	struct try *zero, *one, *two;

	tries_begin();
	zero = try_start(4, 0, plain);
	one = try_start(4, 1, plain);
	two = try_start(4, 2, plain);
	await_board(one->pid);
	await_board(two->pid);
	kill(one->pid, SIGKILL);
	tries_wait();
	tap_ok((told(zero, -EOWNERDEAD, "rank 1: its process") &
		told(two, -EOWNERDEAD, "rank 1: its process")) &&
		       zero->took_ns < 15 * SECOND && two->took_ns < 15 * SECOND,
	       "another rank dies while it waits for the word: it is named");
}

int main(void)
{
	other_id();
	other_size();
	same_number();
	same_chip();
	late();
	busy();
	twice();
	rank_0_dies();
	another_dies();
	return tap_done();
}
