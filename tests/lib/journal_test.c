// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that the journal of service state gives back what was appended, and who is out of
 * service by that; that it has one writer, is of one machine and is nobody else's.
 */
#include <sys/wait.h>

#include "journal.h"

/* ---- what it is for ----------------------------------------------------------------- */

static void test_again(void)
{
	struct vn_journal_record r = nth(RECORDS + 1);
	int inherited = open_fds(true);
	struct vn_journal *j = fresh(RECORDS);
	struct stat st;
	uint64_t began;
	bool torn;

	tap_ok(!vn_journal_torn(j) && !vn_journal_sync(j), "%d records are appended and synced",
	       RECORDS);
	tap_ok(count(&torn) == RECORDS && !torn, "they are read, while it is open");
	tap_ok(!stat(path, &st) && (st.st_mode & 07777) == 0600 &&
		       st.st_size == (RECORDS + 1) * SLOT,
	       "it is the owner's, of %d bytes", (RECORDS + 1) * SLOT);
	tap_ok(open_fds(true) == inherited, "no program inherits it");
	NEED(vn_journal_close(j));
	NEED(vn_journal_open(path, &shape, &j));
	began = now_ns();
	NEED(vn_journal_append(j, &r));
	tap_diag("an append takes %llu us", (unsigned long long)((now_ns() - began) / 1000));
	tap_ok(r.seq == RECORDS + 1, "one more is appended when it is opened again");
	began = now_ns();
	NEED(vn_journal_sync(j));
	tap_diag("its sync takes %llu us", (unsigned long long)((now_ns() - began) / 1000));
	NEED(vn_journal_close(j));
	tap_ok(count(&torn) == RECORDS + 1 && !torn, "all are there");
	load();
	/* Of record 1, as nth() makes it. */
	tap_ok(!memcmp(image, "vnjl\1\0\1\0\0\0\0\0\0\0\0\0", 16) &&
		       !memcmp(image + 24, "\x24\0\0\0\1\0\0\0\4\0\0\0", 12) &&
		       !memcmp(image + SLOT, "vnjl\1\0\2\0\1\0\0\0\0\0\0\0\1\xca\x9a\x3b", 20) &&
		       !memcmp(image + SLOT + 24, "\10\7\6\5\4\3\2\1\1\0\0\0\1\0\0\0\2\0\0\0",
			       20) &&
		       !memcmp(image + SLOT + 44, "\xff\xff\xff\xff\3\0\0\0\7\0\0\0fan 1", 17),
	       "little-endian, each in its place");
}

static void test_many(void)
{
	const int records = quick() ? 150 : 1000;
	struct vn_journal *j = fresh((uint64_t)records);
	struct vn_journal_record r = nth(1);
	uint64_t before;
	bool torn;

	NEED(vn_journal_sync(j));
	tap_ok(count(&torn) == records, "%d that nobody waits for are written in order", records);
	before = size_of();
	r.time_ns = 0;
	r.sled = 37;
	tap_ok(vn_journal_append(j, &r) == -EINVAL && says("sled 37"), "there is no sled 37");
	r = nth(1);
	r.to = VN_SLED_STATES;
	tap_ok(vn_journal_append(j, &r) == -EINVAL, "nor such a state");
	r = nth(1);
	r.from = VN_SLED_STATES;
	tap_ok(vn_journal_append(j, &r) == -EINVAL, "to come from");
	r = nth(1);
	r.target = 37;
	tap_ok(vn_journal_append(j, &r) == -EINVAL, "nor a sled 37 to go to");
	r = nth(1);
	memset(r.reason, 'x', sizeof(r.reason));
	tap_ok(vn_journal_append(j, &r) == -EINVAL, "a reason ends");
	NEED(vn_journal_close(j));
	tap_ok(size_of() == before, "none of these is in the file");
}

static void test_stale_bytes(void)
{
	struct vn_journal *j = fresh(0);
	struct vn_journal_record r = nth(1);

	memset(r.reason, 's', sizeof(r.reason));
	strcpy(r.reason, "why");
	NEED(vn_journal_append(j, &r));
	NEED(vn_journal_close(j));
	load();
	tap_ok(!memchr(image + SLOT, 's', SLOT - 4), "what is behind a reason is not written");
}

/* ---- who is out of service ---------------------------------------------------------- */

struct step {
	uint32_t sled, from, to;
};

static uint32_t out_at(const uint32_t *to, size_t n, struct vn_journal_record *last)
{
	memset(last, 0, sizeof(*last));
	for (size_t i = 0; i < n; i++) {
		struct vn_journal_record r = { .seq = i + 1, .operation = 5, .to = to[i] };

		r.from = i ? to[i - 1] : VN_SLED_IN_SERVICE;
		vn_journal_fold(last, &r);
	}
	return vn_journal_is_out(last);
}

static void test_fold(void)
{
	/* The life of a sled, and whether it is out of service after each step. */
	static const uint32_t life[] = {
		VN_SLED_PLANNED,     VN_SLED_CORDONED,	 VN_SLED_PRECOPY,    VN_SLED_FENCED,
		VN_SLED_STOPCOPY,    VN_SLED_VERIFIED,	 VN_SLED_COMMITTED,  VN_SLED_DRAINED,
		VN_SLED_MAINTENANCE, VN_SLED_VALIDATING, VN_SLED_IN_SERVICE, VN_SLED_PLANNED,
		VN_SLED_FAULTED,
	};
	static const bool out[] = { 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1 };
	/* Out of service, and somebody tries to drain it all the same. */
	static const uint32_t odd[] = { VN_SLED_FAULTED, VN_SLED_PLANNED, VN_SLED_CORDONED };
	struct vn_journal_record last;
	uint32_t wrong = 0;

	tap_ok(!out_at(life, 0, &last), "a sled that nothing is known of is in service");
	for (size_t n = 1; n <= COUNT(life); n++) {
		wrong += out_at(life, n, &last) != out[n - 1];
		wrong += out[n - 1] && last.seq != n;
	}
	tap_ok(!wrong, "it is out of service from COMMITTED to IN_SERVICE (%u wrong)", wrong);
	tap_ok(out_at(odd, COUNT(odd), &last) && last.to == VN_SLED_FAULTED && last.seq == 1,
	       "what did not come to COMMITTED has not happened");
}

static void test_restore(void)
{
	static const struct step steps[] = {
		{ 3, VN_SLED_VERIFIED, VN_SLED_COMMITTED },
		{ 9, VN_SLED_IN_SERVICE, VN_SLED_FENCED },
		{ 5, VN_SLED_COMMITTED, VN_SLED_DRAINED },
		{ 36, VN_SLED_IN_SERVICE, VN_SLED_FAULTED },
		{ 3, VN_SLED_COMMITTED, VN_SLED_DRAINED },
		{ 5, VN_SLED_DRAINED, VN_SLED_IN_SERVICE },
		{ 0, VN_SLED_DRAINED, VN_SLED_MAINTENANCE },
	};
	struct vn_journal *j = fresh(0);
	struct found f = { 0 };

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct vn_journal_record r = nth(i + 1);

		r.sled = steps[i].sled;
		r.from = steps[i].from;
		r.to = steps[i].to;
		NEED(vn_journal_append(j, &r));
	}
	NEED(vn_journal_close(j));
	NEED(vn_journal_restore(path, &shape, find, &f));
	tap_ok(f.n == 3 && f.r[0].sled == 0 && f.r[0].to == VN_SLED_MAINTENANCE &&
		       f.r[1].sled == 3 && f.r[1].to == VN_SLED_DRAINED && f.r[2].sled == 36 &&
		       f.r[2].to == VN_SLED_FAULTED,
	       "three sleds of five are out of service (%u)", f.n);
	tap_ok(f.r[1].seq == 5 && f.r[1].operation == nth(5).operation &&
		       f.r[1].uid == nth(5).uid && f.r[1].pid == nth(5).pid &&
		       f.r[1].time_ns == nth(5).time_ns && f.r[1].target == nth(5).target &&
		       !strcmp(f.r[1].reason, "fan 5 is loud"),
	       "by whom, since when and why is known: %s", f.r[1].reason);
	f = (struct found){ .answer = -ECHILD };
	tap_ok(vn_journal_restore(path, NULL, find, &f) == -ECHILD && f.n == 1,
	       "who asks can stop it, and need not know the machine");
	unlink(path);
	tap_ok(vn_journal_restore(path, &shape, find, &f) == -ENOENT && says("No such file"),
	       "there is none: %s", vn_error());
}

/* ---- whose it is -------------------------------------------------------------------- */

static void test_lock(void)
{
	struct vn_journal *j, *second = NULL;
	char pid[32];
	int child, status = -1;

	j = fresh(2);
	snprintf(pid, sizeof(pid), "process %d", getpid());
	child = fork();
	if (!child)
		_exit(vn_journal_open(path, &shape, &second) != -EBUSY || !says(pid));
	waitpid(child, &status, 0);
	tap_ok(!status, "it has one writer, which others are told");
	tap_ok(vn_journal_open(path, &shape, &second) == -EBUSY && says(pid),
	       "in one process, too: %s", vn_error());
	NEED(vn_journal_sync(j));
	tap_ok(count(NULL) == 2, "it can be read meanwhile");
	NEED(vn_journal_close(j));
	tap_ok(!open_and_close(NULL), "then another can write");
}

static void test_shape(void)
{
	static const struct vn_journal_shape others[] = { { 35, 1, 4 },
							  { 36, 2, 4 },
							  { 36, 1, 16 } };
	struct vn_journal *j = NULL;
	struct found f = { 0 };
	uint32_t wrong = 0;

	make(2);
	for (size_t i = 0; i < COUNT(others); i++) {
		wrong += vn_journal_open(path, &others[i], &j) != -EINVAL;
		wrong += vn_journal_restore(path, &others[i], find, &f) != -EINVAL || f.n;
	}
	tap_ok(!wrong && says("36 sleds and 1 spares of 4 chips") && says("has 36 and 1 of 16"),
	       "it is of one machine: %s", vn_error());
	tap_ok(vn_journal_open(path, &(struct vn_journal_shape){ 37, 0, 4 }, &j) == -EINVAL &&
		       says("37"),
	       "there is no such machine: %s", vn_error());
}

static void test_file(void)
{
	char other[160];

	make(2);
	snprintf(other, sizeof(other), "%s.real", path);
	NEED(rename(path, other));
	NEED(symlink(other, path));
	tap_ok(open_and_close(NULL) == -ELOOP && says("symbolic link") && count(NULL) == -ELOOP,
	       "a symbolic link is refused: %s", vn_error());
	NEED(unlink(path));
	NEED(rename(other, path));
	NEED(chmod(path, 0620));
	tap_ok(open_and_close(NULL) == -EPERM && count(NULL) == -EPERM && says("620"),
	       "so is what others may write to: %s", vn_error());
	NEED(chmod(path, 0644));
	tap_ok(!open_and_close(NULL) && count(NULL) == 2, "they may read it");
	NEED(unlink(path));
	NEED(mkfifo(path, 0600));
	tap_ok(open_and_close(NULL) == -EINVAL && count(NULL) == -EINVAL && says("not a file"),
	       "a pipe is refused, and not waited for: %s", vn_error());
	NEED(unlink(path));
	snprintf(path, sizeof(path), "%s/none/journal", dir);
	tap_ok(open_and_close(NULL) == -ENOENT && says("No such file"),
	       "its directory is there before: %s", vn_error());
	snprintf(path, sizeof(path), "%s/journal", dir);
}

static bool path_is(const char *want)
{
	char p[PATH_MAX];
	int err = vn_journal_path(p, sizeof(p));

	if (!err && !strcmp(p, want))
		return true;
	tap_diag("%d, %s", err, err ? vn_error() : p);
	return false;
}

/* As somebody who is not root, when there is a choice. */
static int places(void)
{
	char p[PATH_MAX], want[160], small[8];
	struct stat st;

	if (!geteuid() && (chown(dir, 65534, 65534) || setresuid(65534, 65534, 65534)))
		return 77;
	setenv("VNEURON_JOURNAL", "/x/y", 1);
	if (!path_is("/x/y") || !stat("/x", &st))
		return 1;
	setenv("VNEURON_JOURNAL", "", 1);
	snprintf(want, sizeof(want), "%s/a/b", dir);
	setenv("XDG_STATE_HOME", want, 1);
	snprintf(want, sizeof(want), "%s/a/b/vneuron/journal", dir);
	if (!path_is(want) || !path_is(want))
		return 2;
	*strrchr(want, '/') = '\0';
	if (stat(want, &st) || (st.st_mode & 07777) != 0700)
		return 3;
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", dir, 1);
	snprintf(want, sizeof(want), "%s/.local/state/vneuron/journal", dir);
	if (!path_is(want))
		return 4;
	if (vn_journal_path(small, sizeof(small)) != -ENAMETOOLONG)
		return 5;
	unsetenv("HOME");
	if (vn_journal_path(p, sizeof(p)) != -ENOENT || !strstr(vn_error(), "HOME"))
		return 6;
	setenv("HOME", "/proc", 1);
	return vn_journal_path(p, sizeof(p)) != -ENOENT || !strstr(vn_error(), "/proc/.local") ? 7
											       : 0;
}

static void test_places(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(places());
	waitpid(pid, &status, 0);
	tap_ok(!status, "the default place is made, or named (%x)", status);
	if (!geteuid())
		NEED(chown(dir, 0, 0));
}

int main(void)
{
	int fds = set_up();

	test_again();
	test_many();
	test_stale_bytes();
	test_fold();
	test_restore();
	test_lock();
	test_shape();
	test_file();
	test_places();
	tear_down(fds);
	return tap_done();
}
