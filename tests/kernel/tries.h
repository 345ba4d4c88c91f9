/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tries to join: each is a process, or several of one, that says how it ended. What they
 * are to be told is compared with its text.
 */
#ifndef VN_TEST_TRIES_H
#define VN_TEST_TRIES_H

#include "band.h"

#define TRIES 8
#define MS 1000000ull

struct
try {
	int ranks, rank, chip; /* chip: of that number, -1: the rank's */
	unsigned int delay_ms, stay_ms;
	uint64_t timeout_ns;
	int id_byte; /* that differs, 0: none */
	bool busy; /* its device handle has windows */
	uid_t uid; /* of another user, who was given the device; 0: not */
	pid_t pid;
	bool in; /* atomic: it has joined */
	/* how it ended */
	int err, then; /* joining, and what it did then */
	char text[512];
	uint64_t took_ns;
	unsigned int bad_closes; /* of files that were not open */
	long files; /* left open */
};

static struct try *tries; /* [TRIES], shared */
static vn_unique_id tries_id;

static UNUSED void tries_begin(void)
{
	if (!tries)
		tries = mmap(NULL, TRIES * sizeof(*tries), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tries == MAP_FAILED)
		NEED(-ENOMEM);
	memset(tries, 0, TRIES * sizeof(*tries));
	NEED(vn_get_unique_id(&tries_id));
}

static UNUSED long open_files(void)
{
	char path[64];
	long n = 0;

	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n += !access(path, F_OK);
	}
	return n;
}

/* In its own domain there is a window: it can't go to another one. */
static UNUSED void make_busy(vn_device_t dev, int chip)
{
	struct vn_mem m = take(dev, (uint32_t)chip, 4096);
	uint32_t key;

	NEED(vn_window_create(dev, &m, 0, 4096, FULL_ACCESS, &key));
}

static UNUSED void try_join(struct try *t, vn_device_t dev)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	vn_unique_id id = tries_id;
	uint64_t began;
	vn_comm_t c;

	config.dev = dev;
	config.chip = t->chip;
	config.timeout_ns = t->timeout_ns;
	if (t->id_byte)
		id.internal[t->id_byte] ^= 1;
	if (t->uid)
		NEED(setuid(t->uid) ? -errno : 0);
	if (t->busy)
		make_busy(dev, t->chip < 0 ? t->rank : t->chip);
	sleep_ms(t->delay_ms);
	began = now_ns();
	t->err = vn_comm_init_rank_config(&c, t->ranks, id, t->rank, &config);
	if (t->err) {
		snprintf(t->text, sizeof(t->text), "%s", vn_error());
	} else {
		__atomic_store_n(&t->in, true, __ATOMIC_RELEASE);
		sleep_ms(t->stay_ms);
		t->then = vn_barrier(c, NULL) ?: vn_comm_sync(c, VN_FOREVER);
		snprintf(t->text, sizeof(t->text), "%s", vn_comm_error(c));
		vn_comm_destroy(c);
	}
	t->took_ns = now_ns() - began;
}

static unsigned int bad_closes;

static UNUSED struct try *try_start(int ranks, int rank, struct try how)
{
	struct try *t = tries;
	vn_device_t dev;
	long files;
	pid_t pid;

	while (t->pid)
		t++;
	*t = how;
	t->ranks = ranks;
	t->rank = rank;
	t->timeout_ns = t->timeout_ns ?: 20 * SECOND;
	if (!t->chip)
		t->chip = -1;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		NEED(-EAGAIN);
	if (pid) {
		t->pid = pid;
		return t;
	}
	NEED(vn_open(device_spec(), &dev));
	NEED(vn_attach(dev, (uint32_t)(t->chip < 0 ? rank : t->chip)));
	files = open_files();
	try_join(t, dev);
	t->files = open_files() - files;
	t->bad_closes = bad_closes;
	vn_close(dev);
	exit(0);
}

static UNUSED void try_wait(const struct try *t)
{
	if (t->pid > 0)
		waitpid(t->pid, NULL, 0);
}

static UNUSED void tries_wait(void)
{
	for (struct try *t = tries; t < tries + TRIES; t++)
		try_wait(t);
}

/* It was told so, in time, and left nothing open. */
static UNUSED bool told(const struct try *t, int err, const char *text)
{
	uint64_t most = t->timeout_ns + (t->delay_ms + t->stay_ms) * MS + 5 * SECOND;
	int got = t->err ?: t->then;

	if (got == err && strstr(t->text, text) && t->took_ns < most && !t->bad_closes && !t->files)
		return true;
	tap_diag("rank %d: %d (%s) after %llu ms, %ld files left, %u bad closes; not %d (%s)",
		 t->rank, got, t->text, (unsigned long long)(t->took_ns / MS), t->files,
		 t->bad_closes, err, text);
	return false;
}

static UNUSED bool joined(const struct try *t)
{
	return told(t, 0, "");
}

/* So many have knocked at rank 0: a socket each, besides that at which it listens. */
static UNUSED void await_knocks(int n)
{
	char line[512];
	int there = 0;
	FILE *f;

	for (int i = 0; i < 5000 && there < n + 1; i++) {
		sleep_ms(2);
		there = 0;
		f = fopen("/proc/net/unix", "r");
		while (f && fgets(line, sizeof(line), f))
			there += strstr(line, "@vneuron-coll-") != NULL;
		if (f)
			fclose(f);
	}
}

/* Until the process has the board: rank 0 listens, another one has been let in. */
static UNUSED void await_board(pid_t pid)
{
	char path[64], line[512];
	bool there = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	for (int i = 0; i < 5000 && !there; i++) {
		sleep_ms(2);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f))
			there = there || strstr(line, "vneuron-board");
		if (f)
			fclose(f);
	}
	if (!there)
		NEED(-ETIMEDOUT);
	/* And what comes right behind it. */
	sleep_ms(50);
}

#endif
