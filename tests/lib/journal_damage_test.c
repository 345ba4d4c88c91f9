// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that the journal of service state gives back what was synced, whatever happens to
 * its writer; that a torn end is cut off and any other damage is refused; that a full or
 * dead disk leaves it whole.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "journal.h"
#include "refuse.h"

/* ---- damage ------------------------------------------------------------------------- */

static void test_torn(uint64_t records)
{
	uint32_t wrong = 0;
	const int kept = records ? (int)records - 1 : 0;

	make(records);
	load();
	for (size_t bytes = 0; bytes < SLOT; bytes++) {
		bool piece = bytes != 0, torn = !piece;
		struct vn_journal *j;

		store(records * SLOT + bytes);
		wrong += count(&torn) != kept || torn != piece;
		wrong += size_of() != records * SLOT + bytes;
		NEED(vn_journal_open(path, &shape, &j));
		wrong += vn_journal_torn(j) != piece || size_of() != (uint64_t)(kept + 1) * SLOT;
		NEED(add(j, (uint64_t)kept + 1, (uint64_t)kept + 2));
		NEED(vn_journal_close(j));
		wrong += count(&torn) != kept + 2 || torn;
	}
	tap_ok(!wrong, "%s torn at any of %d bytes is cut off, and goes on (%u wrong)",
	       records ? "a last record" : "a header alone", SLOT, wrong);
}

static void test_flipped(void)
{
	uint32_t wrong = 0, silent = 0, cut = 0;
	size_t bytes;
	char at[32];
	bool torn;

	make(RECORDS);
	bytes = load();
	for (size_t i = 0; i < bytes; i++) {
		bool last = i >= bytes - SLOT;

		snprintf(at, sizeof(at), "offset %zu", i / SLOT * SLOT);
		for (int bit = 0; bit < 8; bit++) {
			if (quick() && bit != (int)(i % 8))
				continue;
			image[i] ^= (uint8_t)(1 << bit);
			store(bytes);
			image[i] ^= (uint8_t)(1 << bit);
			if (last) {
				cut += count(&torn) != RECORDS - 1 || !torn;
			} else {
				wrong += count(&torn) != -EUCLEAN;
				silent += !says(at);
			}
			if (bit != (int)(i % 8))
				continue;
			torn = false;
			if (last) {
				cut += open_and_close(&torn) || !torn || size_of() != bytes - SLOT;
			} else {
				wrong += open_and_close(NULL) != -EUCLEAN || size_of() != bytes;
				silent += !says(at);
			}
		}
	}
	tap_ok(!wrong, "a bit flipped before the last record is damage (%u unseen)", wrong);
	tap_ok(!silent, "and the text says where (%u do not): %s", silent, vn_error());
	tap_ok(!cut, "in the last record it is a torn end (%u are not)", cut);
}

static void swap(size_t a, size_t b)
{
	uint8_t t[SLOT];

	memcpy(t, image + a * SLOT, SLOT);
	memcpy(image + a * SLOT, image + b * SLOT, SLOT);
	memcpy(image + b * SLOT, t, SLOT);
}

static void test_jumps(void)
{
	size_t bytes;

	make(RECORDS);
	bytes = load();
	swap(2, 3);
	store(bytes);
	tap_ok(count(NULL) == -EUCLEAN && says("offset 256") && open_and_close(NULL) == -EUCLEAN,
	       "records have changed places: %s", vn_error());
	swap(2, 3);
	memmove(image + 2 * SLOT, image + 3 * SLOT, bytes - 3 * SLOT);
	store(bytes - SLOT);
	tap_ok(count(NULL) == -EUCLEAN && says("offset 256"), "a record is missing: %s",
	       vn_error());
	make(RECORDS);
	load();
	memcpy(image + bytes, image + bytes - SLOT, SLOT);
	store(bytes + SLOT);
	tap_ok(count(NULL) == -EUCLEAN, "the last is there twice: %s", vn_error());
	memset(image + bytes, 0, 2 * SLOT);
	store(bytes + SLOT + 1);
	tap_ok(count(NULL) == -EUCLEAN, "more than a record is torn: %s", vn_error());
	make(RECORDS);
	load();
	memmove(image + 3 * SLOT, image + 3 * SLOT + 1, bytes - 3 * SLOT);
	store(bytes - 1);
	tap_ok(count(NULL) == -EUCLEAN && says("offset 384"), "a byte is missing: %s", vn_error());
}

static void test_no_journal(void)
{
	static const char text[] = "root:x:0:0:root:/root:/bin/sh\n";
	struct found f = { 0 };
	bool torn = false;

	memcpy(image, text, sizeof(text));
	store(sizeof(text));
	tap_ok(open_and_close(NULL) == -EUCLEAN && says("no journal") && count(NULL) == -EUCLEAN,
	       "some file is no journal: %s", vn_error());
	load();
	tap_ok(size_of() == sizeof(text) && !memcmp(image, text, sizeof(text)),
	       "and stays as it is");
	store(0);
	tap_ok(!count(&torn) && !torn && !open_and_close(&torn) && !torn && size_of() == SLOT,
	       "an empty one can become one");
	make(RECORDS);
	load();
	image[RECORDS / 2 * SLOT + 6] ^= 1;
	store((RECORDS + 1) * SLOT);
	tap_ok(vn_journal_restore(path, &shape, find, &f) == -EUCLEAN && !f.n,
	       "of a damaged one nothing is restored");
}

/* ---- a full disk, and worse --------------------------------------------------------- */

/* Appends until it fails; the error. */
static int fill(struct vn_journal *j, uint64_t from, bool sync)
{
	int err = 0;

	for (uint64_t n = from; !err && n < from + 500; n++) {
		err = add(j, n, n);
		if (!err && sync)
			err = vn_journal_sync(j);
	}
	return err ?: vn_journal_sync(j);
}

static void test_limit(void)
{
	uint32_t wrong = 0, silent = 0;

	signal(SIGXFSZ, SIG_IGN);
	for (uint64_t over = 0; over < SLOT; over += quick() ? 31 : 7) {
		struct vn_journal *j = fresh(2);
		bool torn = true;

		limit(5 * SLOT + over);
		wrong += fill(j, 3, over % 2) != -EFBIG;
		silent += !says("File too large");
		/* The header and four records have room. */
		wrong += size_of() != 5 * SLOT || count(&torn) != 4 || torn;
		wrong += vn_journal_sync(j) != 0;
		limit(RLIM_INFINITY);
		wrong += add(j, 5, 6) || vn_journal_close(j);
		wrong += count(&torn) != 6 || torn;
	}
	tap_ok(!wrong,
	       "without room for all of a record nothing of it stays, and later it goes on "
	       "(%u wrong)",
	       wrong);
	tap_ok(!silent, "the text says so");
	unlink(path);
	limit(SLOT / 2);
	wrong = open_and_close(NULL) != -EFBIG || size_of();
	limit(RLIM_INFINITY); /* the output may be a file */
	tap_ok(!wrong && says("File too large"), "nor of a header: %s", vn_error());
	tap_ok(!open_and_close(NULL), "later it is made");
}

/* On a small file system of its own: 0, or what went wrong. */
static int full_disk(void)
{
	const char *plain = "size=8k,mode=700", *more = "size=64k";
	struct vn_journal *j;
	bool torn;
	int kept;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", dir, "tmpfs", 0, plain))
		return 77;
	j = fresh(2);
	if (fill(j, 3, false) != -ENOSPC || !says("No space left"))
		return 1;
	kept = count(&torn);
	if (kept < 31 || torn || size_of() != (uint64_t)(kept + 1) * SLOT || size_of() > 8192)
		return 2;
	if (vn_journal_sync(j) || fill(j, (uint64_t)kept + 1, true) != -ENOSPC)
		return 3;
	if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT, more))
		return 4;
	if (add(j, (uint64_t)kept + 1, (uint64_t)kept + 40) || vn_journal_close(j))
		return 5;
	return count(&torn) == kept + 40 && !torn ? 0 : 6;
}

static void test_full(void)
{
	int status = -1;
	pid_t pid;

	if (geteuid()) {
		tap_skip("only root can mount");
		return;
	}
	pid = fork();
	if (!pid)
		_exit(full_disk());
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		tap_skip("only where tmpfs can be mounted");
	else
		tap_ok(!status,
		       "a full disk leaves it whole, and it goes on when there is room (%x)",
		       status);
}

/* What becomes of it when its descriptor is not the file any more, as of a dead disk. */
static void test_dead_disk(void)
{
	struct vn_journal *j = fresh(3);
	struct vn_journal_record r = nth(5);
	int pipes[2], fd = fd_of_journal();
	bool torn;

	NEED(vn_journal_sync(j));
	NEED(pipe(pipes));
	NEED(add(j, 4, 4));
	/* On its way to the disk it is the file's. */
	for (int i = 0; i < 1000 && size_of() < 5 * SLOT; i++)
		sleep_ms(1);
	NEED(dup2(pipes[0], fd));
	tap_ok(vn_journal_sync(j) == -EINVAL && says("1 records"), "a sync that fails: %s",
	       vn_error());
	tap_ok(vn_journal_sync(j) == -EINVAL && vn_journal_append(j, &r) == -EINVAL &&
		       says("nothing is written any more"),
	       "is the end: %s", vn_error());
	tap_ok(vn_journal_close(j) == -EINVAL, "also for who closes it");
	tap_ok(count(&torn) == 4 && !torn && !open_and_close(&torn) && !torn,
	       "who opens it again finds it whole");
	j = fresh(3);
	NEED(vn_journal_sync(j));
	NEED(dup2(pipes[0], fd_of_journal()));
	tap_ok((add(j, 4, 4) ?: vn_journal_sync(j)) == -EBADF && says("1 records"),
	       "a write that fails: %s", vn_error());
	vn_journal_close(j);
	tap_ok(count(&torn) == 3 && !torn, "is not there");
	close(pipes[0]);
	close(pipes[1]);
}

/* Where writing goes well and syncing does not: a record is not written before that is seen. */
static void test_order(void)
{
	struct vn_journal *j = fresh(1);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), err = 0;
	uint64_t n = 1;

	NEED(fd);
	NEED(vn_journal_sync(j));
	NEED(dup2(fd, fd_of_journal()));
	while (!err && n++ < 30) {
		err = add(j, n, n);
		sleep_ms(1);
	}
	tap_ok(err == -EINVAL && n > 2, "records wait for the sync of those before them: %s",
	       vn_error());
	vn_journal_close(j);
	close(fd);
	tap_ok(count(NULL) == 1, "of those nothing is in the file");
}

static int open_in(void *torn)
{
	return open_and_close(torn);
}

/* Of what is there at opening, nothing is known to be on disk: that is no reason to cut it. */
static void test_cannot_sync(void)
{
	bool torn;
	int err;

	make(RECORDS);
	load();
	store((RECORDS + 1) * SLOT + 5);
	err = refused_once(SYS_io_uring_enter, 1, -ENOMEM, open_in, &torn);
	tap_ok(err == -ENOMEM && strstr(refused_text, path) &&
		       strstr(refused_text, "Cannot allocate memory"),
	       "a journal that can't be synced is not opened: %s", refused_text);
	tap_ok(size_of() == (RECORDS + 1) * SLOT && count(&torn) == RECORDS && !torn,
	       "all that was there still is");
	tap_ok(!open_and_close(&torn) && count(&torn) == RECORDS, "and can be opened again");
	unlink(path);
	err = refused_once(SYS_io_uring_enter, 1, -ENOMEM, open_in, &torn);
	tap_ok(err == -ENOMEM && !size_of(), "of a new one nothing is left: %s", refused_text);
	tap_ok(!open_and_close(&torn) && size_of() == SLOT, "later it is made");
}

/* ---- writers that die --------------------------------------------------------------- */

/* Appends from the first on, and reports what is synced, until it is killed. */
static void write_on(uint64_t first, uint64_t *synced)
{
	struct vn_journal *j;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (vn_journal_open(path, &shape, &j))
		_exit(1);
	for (uint64_t n = first;;) {
		uint64_t batch = 1 + n % 4;

		if (add(j, n, n + batch - 1) || vn_journal_sync(j))
			_exit(2);
		n += batch;
		__atomic_store_n(synced, n - 1, __ATOMIC_RELEASE);
	}
}

static void test_killed(void)
{
	const int rounds = quick() ? 10 : 50;
	unsigned int seed = (unsigned int)now_ns(), wrong = 0, more = 0, torn_ends = 0;
	uint64_t *synced =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *given = getenv("VN_SEED");
	int had = 0;

	if (given)
		seed = (unsigned int)strtoul(given, NULL, 0);
	tap_diag("VN_SEED=%u", seed);
	unlink(path);
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();
		int status, left;
		bool torn = false;

		if (!pid)
			write_on((uint64_t)had + 1, synced);
		/* Every other one has written before it dies, however slow it is. */
		while (!(i % 2) && __atomic_load_n(synced, __ATOMIC_ACQUIRE) <= (uint64_t)had &&
		       !waitpid(pid, &status, WNOHANG))
			usleep(1000);
		usleep(rand_r(&seed) % 20000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		wrong += !WIFSIGNALED(status) || open_and_close(&torn);
		left = count(NULL);
		if (left < 0 || left < had || (uint64_t)left < *synced) {
			tap_diag("round %d: %d left of %llu synced, status %x: %s", i, left,
				 (unsigned long long)*synced, status, vn_error());
			wrong++;
		}
		more += (uint64_t)left > *synced;
		torn_ends += torn;
		had = left;
	}
	tap_diag("%d records, %u rounds with more than was synced, %u torn", had, more, torn_ends);
	tap_ok(!wrong && had > 0,
	       "%d writers killed: what was synced is there, in order (%u wrong)", rounds, wrong);
	munmap(synced, 4096);
}

/* Who reads while somebody writes sees whole records, or a torn end at most. */
static void test_reader(void)
{
	uint64_t *synced =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const int reads = quick() ? 50 : 400;
	uint32_t wrong = 0;
	int status, had = 0;
	pid_t pid;

	make(0);
	pid = fork();
	if (!pid)
		write_on(1, synced);
	for (int i = 0; i < reads || (!had && i < 100 * reads); i++) {
		uint64_t least = __atomic_load_n(synced, __ATOMIC_ACQUIRE);
		int n = count(NULL);

		wrong += n < had || (uint64_t)n < least;
		had = n;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	tap_ok(!wrong && had, "who reads meanwhile sees what was synced (%u of %d do not)", wrong,
	       reads);
	munmap(synced, 4096);
}

int main(void)
{
	int fds = set_up();

	test_torn(0);
	test_torn(RECORDS);
	test_flipped();
	test_jumps();
	test_no_journal();
	test_limit();
	test_full();
	test_dead_disk();
	test_order();
	test_cannot_sync();
	test_killed();
	test_reader();
	tear_down(fds);
	return tap_done();
}
