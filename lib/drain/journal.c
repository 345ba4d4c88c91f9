// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writing a journal. What is appended goes into a queue; what is queued goes to the ring
 * as one chain, in which every write waits for the sync of what is before it. While a
 * chain is out no other is begun. So when a part of it fails, what is behind that has not
 * been written, and cutting the file makes it what it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "../error.h"
#include "record.h"
#include "scan.h"

#define QUEUE 32 /* records that are not written yet */
/* Chains in a row that may end without any progress, because of signals and the like. */
#define STALLS 100

/* Sequence numbers are places: synced <= written <= next <= written + QUEUE. */
struct vn_journal {
	int fd;
	/*
	 * The same file once more, for the lock: the ring of a writer that was killed holds on to
	 * fd for a while, though nothing is on its way any more. This one is closed at once.
	 */
	int locked;
	bool torn;
	bool has_ring;
	int failed; /* why the file is to be cut */
	int broken; /* why nothing can be appended any more */
	unsigned int flying; /* parts of the chain that is out */
	unsigned int stalls;
	uint32_t part; /* bytes of record `written` that are in the file */
	uint64_t synced, written, next; /* the first that is not */
	uint64_t found; /* at opening, synced or not: the file is never cut below that */
	struct vn_journal_shape shape;
	struct io_uring ring;
	union vn_slot queue[QUEUE]; /* record n is in n % QUEUE until it is written */
	char path[PATH_MAX];
};

/* ---- the chain ------------------------------------------------------------------------ */

/* What a part of the chain is: a write of record n, or a sync of all before n. */
static uint64_t tag(uint64_t n, bool sync)
{
	return n << 1 | sync;
}

static struct io_uring_sqe *add_sync(struct vn_journal *j, uint64_t n)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&j->ring);

	io_uring_prep_fsync(sqe, j->fd, IORING_FSYNC_DATASYNC);
	sqe->user_data = tag(n, true);
	sqe->flags |= IOSQE_IO_LINK;
	return sqe;
}

static struct io_uring_sqe *add_write(struct vn_journal *j, uint64_t n, uint32_t part)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&j->ring);

	io_uring_prep_write(sqe, j->fd, j->queue[n % QUEUE].raw + part, VN_SLOT_BYTES - part,
			    n * VN_SLOT_BYTES + part);
	sqe->user_data = tag(n, false);
	sqe->flags |= IOSQE_IO_LINK;
	return sqe;
}

static void fail(struct vn_journal *j, int err)
{
	if (!j->failed)
		j->failed = err;
}

/* All that is queued; with sync, until it is on disk. */
static void send_chain(struct vn_journal *j, bool sync)
{
	struct io_uring_sqe *last = NULL;
	uint64_t synced = j->synced;
	unsigned int left = 0, stalls = 0;
	int n = 0;

	for (uint64_t i = j->written; i < j->next; i++, left++) {
		if (synced < i) {
			last = add_sync(j, i);
			synced = i;
			left++;
		}
		last = add_write(j, i, i == j->written ? j->part : 0);
	}
	if (sync && synced < j->next) {
		last = add_sync(j, j->next);
		left++;
	}
	if (!last)
		return;
	last->flags &= (uint8_t)~IOSQE_IO_LINK;
	while (left && stalls < STALLS) {
		n = io_uring_submit(&j->ring);
		if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY)
			break;
		if (n <= 0) {
			stalls++;
			continue;
		}
		j->flying += (unsigned int)n;
		left -= (unsigned int)n;
	}
	/* What stays in the ring would go out with the next chain. */
	if (left) {
		j->broken = n < 0 ? n : -EAGAIN;
		fail(j, j->broken);
	}
}

/* A part of the chain is done. */
static void done(struct vn_journal *j, uint64_t what, int res)
{
	uint64_t n = what >> 1;

	/* Not its own fault: it goes out again. */
	if (res == -ECANCELED || res == -EINTR || res == -EAGAIN)
		return;
	if (what & 1) {
		if (!res) {
			j->synced = n;
			j->stalls = 0;
			return;
		}
		/* The kernel may take for clean what is not on disk: no sync mends that. */
		j->broken = res;
		fail(j, res);
	} else if (res <= 0) {
		fail(j, res ? res : -EIO);
	} else {
		j->stalls = 0;
		j->part += (uint32_t)res;
		if (j->part == VN_SLOT_BYTES) {
			j->part = 0;
			j->written = n + 1;
		}
	}
}

/* Takes what is done of the chain; with wait, all of it. */
static void reap(struct vn_journal *j, bool wait)
{
	struct io_uring_cqe *cqe;
	int err;

	while (j->flying) {
		err = wait ? io_uring_wait_cqe(&j->ring, &cqe) : io_uring_peek_cqe(&j->ring, &cqe);
		if (err == -EINTR || (wait && err == -EAGAIN))
			continue;
		if (err)
			break;
		done(j, cqe->user_data, cqe->res);
		io_uring_cqe_seen(&j->ring, cqe);
		if (!--j->flying && ++j->stalls > STALLS)
			fail(j, -EIO);
	}
}

/* When no chain is out: 0, or the error of the last one, and the file is as it was. */
static int settle(struct vn_journal *j)
{
	uint64_t keep = j->broken ? j->synced : j->written;
	unsigned long long lost;
	int err = j->failed;

	if (!err)
		return 0;
	if (keep < j->found)
		keep = j->found;
	lost = j->next - keep;
	if (ftruncate(j->fd, (off_t)(keep * VN_SLOT_BYTES)))
		j->broken = -errno;
	j->written = j->next = keep;
	j->part = 0;
	j->stalls = 0;
	j->failed = 0;
	if (!lost)
		return vn_fail(err, "%s: syncing it: %s", j->path, strerror(-err));
	return vn_fail(err, "%s: %llu records are not written: %s", j->path, lost, strerror(-err));
}

static int broken(const struct vn_journal *j)
{
	return vn_fail(j->broken, "%s: nothing is written any more since: %s", j->path,
		       strerror(-j->broken));
}

int vn_journal_sync(struct vn_journal *j)
{
	int err;

	for (;;) {
		reap(j, true);
		err = settle(j);
		if (err)
			return err;
		if (j->broken)
			return broken(j);
		if (j->synced == j->next)
			return 0;
		send_chain(j, true);
	}
}

/* ---- appending -------------------------------------------------------------------------- */

static uint64_t wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int vn_journal_append(struct vn_journal *j, struct vn_journal_record *r)
{
	int err = 0;

	if (!vn_record_fits(r, &j->shape))
		return vn_fail(-EINVAL, "%s: a record of sled %u, from state %u to %u: no such",
			       j->path, r->sled, r->from, r->to);
	if (j->broken)
		return broken(j);
	reap(j, false);
	if (j->next - j->written == QUEUE)
		err = vn_journal_sync(j);
	else if (!j->flying)
		err = settle(j);
	if (err)
		return err;
	r->seq = j->next++;
	r->time_ns = r->time_ns ? r->time_ns : wall_clock();
	vn_slot_pack(&j->queue[r->seq % QUEUE], r);
	if (j->flying)
		return 0;
	send_chain(j, false);
	reap(j, false);
	return j->flying ? 0 : settle(j);
}

/* ---- opening, closing ---------------------------------------------------------------------- */

/* Who has the lock on it; 0: not known. */
static int holder(int fd)
{
	FILE *f = fopen("/proc/locks", "re");
	unsigned int major, minor;
	unsigned long inode;
	char line[256];
	struct stat st;
	int pid = 0, p;

	if (!f)
		return 0;
	while (!fstat(fd, &st) && !pid && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%lu", &p, &major, &minor, &inode) ==
			    4 &&
		    major == major(st.st_dev) && minor == minor(st.st_dev) && inode == st.st_ino)
			pid = p;
	fclose(f);
	return pid > 0 ? pid : 0;
}

static int lock(struct vn_journal *j)
{
	char who[32] = "another process";
	int pid;

	j->locked = vn_journal_fd(j->path, O_RDWR | O_CREAT);
	if (j->locked < 0)
		return j->locked;
	if (!flock(j->locked, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return vn_fail(-errno, "%s: locking it: %s", j->path, strerror(errno));
	pid = holder(j->locked);
	if (pid)
		snprintf(who, sizeof(who), "process %d", pid);
	return vn_fail(-EBUSY, "%s: %s writes to it", j->path, who);
}

/* Opens what is locked. */
static int open_locked(struct vn_journal *j)
{
	struct stat is, want;

	j->fd = vn_journal_fd(j->path, O_RDWR);
	if (j->fd < 0)
		return j->fd;
	if (fstat(j->fd, &is) || fstat(j->locked, &want))
		return vn_fail(-errno, "%s: %s", j->path, strerror(errno));
	if (is.st_dev != want.st_dev || is.st_ino != want.st_ino)
		return vn_fail(-EBUSY, "%s: it was replaced at this moment", j->path);
	return 0;
}

/* That it is there is on disk, too. */
static int sync_directory(const struct vn_journal *j)
{
	const char *slash = strrchr(j->path, '/');
	char dir[PATH_MAX] = ".";
	int fd, err = 0;

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - j->path) + 1, j->path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = vn_fail(-errno, "%s: syncing its directory: %s", j->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return err;
}

/* Takes over what is in the file, or begins it. */
static int begin(struct vn_journal *j)
{
	struct vn_journal_end end;
	int err = vn_journal_scan(j->fd, j->path, &j->shape, NULL, NULL, &end);

	if (err)
		return err;
	j->torn = end.torn;
	j->found = j->written = j->next = end.slots;
	if (end.torn && ftruncate(j->fd, (off_t)(end.slots * VN_SLOT_BYTES)))
		return vn_fail(-errno, "%s: cutting it: %s", j->path, strerror(errno));
	err = io_uring_queue_init(2 * QUEUE + 1, &j->ring, 0);
	if (err)
		return vn_fail(err, "%s: io_uring: %s", j->path, strerror(-err));
	j->has_ring = true;
	if (!end.slots)
		vn_slot_pack_header(&j->queue[j->next++], &j->shape, wall_clock());
	/* What is there may be of a writer that did not live to sync it. */
	return vn_journal_sync(j) ?: sync_directory(j);
}

static void release(struct vn_journal *j)
{
	reap(j, true);
	if (j->has_ring)
		io_uring_queue_exit(&j->ring);
	if (j->fd >= 0)
		close(j->fd);
	if (j->locked >= 0)
		close(j->locked);
	free(j);
}

int vn_journal_open(const char *path, const struct vn_journal_shape *shape, struct vn_journal **out)
{
	struct vn_journal *j;
	int err;

	if (strlen(path) >= sizeof(j->path))
		return vn_fail(-ENAMETOOLONG, "%.60s...: the path is too long", path);
	if (shape->sleds > VN_MAX_SLEDS || shape->spares > VN_MAX_SPARES ||
	    shape->chips > VN_MAX_CHIPS_PER_SLED)
		return vn_fail(-EINVAL, "%s: no machine has %u sleds and %u spares of %u chips",
			       path, shape->sleds, shape->spares, shape->chips);
	j = calloc(1, sizeof(*j));
	if (!j)
		return vn_fail(-ENOMEM, "%s: no memory", path);
	j->shape = *shape;
	strcpy(j->path, path);
	j->fd = j->locked = -1;
	err = lock(j) ?: open_locked(j) ?: begin(j);
	if (err) {
		release(j);
		return err;
	}
	*out = j;
	return 0;
}

bool vn_journal_torn(const struct vn_journal *j)
{
	return j->torn;
}

int vn_journal_close(struct vn_journal *j)
{
	int err = vn_journal_sync(j);

	release(j);
	return err;
}
