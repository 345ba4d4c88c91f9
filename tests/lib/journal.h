/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of the journal share: one in a directory of its own, and what is in it. */
#ifndef VN_TEST_JOURNAL_H
#define VN_TEST_JOURNAL_H

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../../lib/drain/journal.h" /* internal: no call of the library's shows all of it */
#include "fixture.h"

#define SLOT 128
#define RECORDS 7

static UNUSED const struct vn_journal_shape shape = { .sleds = 36, .spares = 1, .chips = 4 };
static char dir[64] = "/tmp/vn-journal.XXXXXX";
static char path[128];

/* What the n-th record is, the first being 1. */
static UNUSED struct vn_journal_record nth(uint64_t n)
{
	struct vn_journal_record r = {
		.time_ns = n * SECOND + 1,
		.operation = n * 0x0102030405060708,
		.sled = (uint32_t)(n % 37),
		.from = (uint32_t)(n % VN_SLED_STATES),
		.to = (uint32_t)((n + 1) % VN_SLED_STATES),
		.target = n % 3 ? VN_ANY_SLED : (uint32_t)(n * 5 % 37),
		.uid = (uint32_t)(n * 3),
		.pid = (uint32_t)(n * 7),
	};

	snprintf(r.reason, sizeof(r.reason), "fan %llu is loud", (unsigned long long)n);
	return r;
}

static UNUSED bool same(const struct vn_journal_record *a, const struct vn_journal_record *b)
{
	return a->seq == b->seq && a->time_ns == b->time_ns && a->operation == b->operation &&
	       a->sled == b->sled && a->from == b->from && a->to == b->to &&
	       a->target == b->target && a->uid == b->uid && a->pid == b->pid &&
	       !strcmp(a->reason, b->reason);
}

static UNUSED int add(struct vn_journal *j, uint64_t from, uint64_t to)
{
	int err = 0;

	for (uint64_t n = from; n <= to && !err; n++) {
		struct vn_journal_record r = nth(n);

		err = vn_journal_append(j, &r);
	}
	return err;
}

static UNUSED struct vn_journal *fresh(uint64_t records)
{
	struct vn_journal *j = NULL;

	unlink(path);
	NEED(vn_journal_open(path, &shape, &j));
	NEED(add(j, 1, records));
	return j;
}

static UNUSED void make(uint64_t records)
{
	NEED(vn_journal_close(fresh(records)));
}

/* Counts records that are as nth() says; stops at one that is not. */
static UNUSED int check_one(void *arg, const struct vn_journal_record *r)
{
	uint64_t *n = arg;
	struct vn_journal_record want = nth(*n + 1);

	want.seq = *n + 1;
	if (!same(r, &want))
		return -EILSEQ;
	++*n;
	return 0;
}

/* How many records it has, or -errno. */
static UNUSED int count(bool *torn)
{
	uint64_t n = 0;
	int err = vn_journal_read(path, &shape, check_one, &n, torn);

	return err ? err : (int)n;
}

static UNUSED uint64_t size_of(void)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static UNUSED uint8_t image[64 * SLOT];

/* The file, in memory and back. */
static UNUSED size_t load(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, image, sizeof(image));

	NEED(n);
	close(fd);
	return (size_t)n;
}

static UNUSED void store(size_t bytes)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

	NEED(fd);
	NEED(write(fd, image, bytes) == (ssize_t)bytes ? 0 : -EIO);
	close(fd);
}

static UNUSED int open_and_close(bool *torn)
{
	struct vn_journal *j = NULL;
	int err = vn_journal_open(path, &shape, &j);

	if (err)
		return err;
	if (torn)
		*torn = vn_journal_torn(j);
	return vn_journal_close(j);
}

/* No file gets longer. */
static UNUSED void limit(rlim_t bytes)
{
	struct rlimit l;

	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = bytes;
	NEED(setrlimit(RLIMIT_FSIZE, &l));
}

/* Does the text name the file, and that? */
static UNUSED bool says(const char *what)
{
	return strstr(vn_error(), path) && strstr(vn_error(), what);
}

/* Descriptors that are open, or those of them that a program inherits. */
static UNUSED int open_fds(bool inherited)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);

		n += flags >= 0 && !(inherited && flags & FD_CLOEXEC);
	}
	return n;
}

/* The last descriptor by which this process has the journal open: what it writes to. */
static UNUSED int fd_of_journal(void)
{
	char name[64], to[PATH_MAX];

	for (int fd = 255; fd > 2; fd--) {
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n = readlink(name, to, sizeof(to) - 1);
		if (n > 0 && (size_t)n == strlen(path) && !memcmp(to, path, (size_t)n))
			return fd;
	}
	return -1;
}

struct found {
	uint32_t n;
	struct vn_journal_record r[200];
	int answer;
};

static UNUSED int find(void *arg, const struct vn_journal_record *r)
{
	struct found *f = arg;

	f->r[f->n++] = *r;
	return f->answer;
}

/* Makes the directory; how many descriptors are open. */
static UNUSED int set_up(void)
{
	NEED(mkdtemp(dir) ? 0 : -errno);
	snprintf(path, sizeof(path), "%s/journal", dir);
	umask(022);
	make(0);
	return open_fds(false);
}

/* Removes it; so many descriptors were open. */
static UNUSED void tear_down(int fds)
{
	tap_ok(open_fds(false) == fds, "no descriptor is left open");
	snprintf(path, sizeof(path), "rm -r %s", dir);
	NEED(system(path));
}

#endif
