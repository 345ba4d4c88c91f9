// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../error.h"
#include "record.h"
#include "scan.h"

#define CHUNK 32 /* slots read at once */

struct scan {
	const char *path;
	const struct vn_journal_shape *want;
	struct vn_journal_shape shape; /* as the header says */
	vn_journal_cb cb;
	void *arg;
	struct vn_journal_end *end;
};

int vn_journal_fd(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600), err;
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? vn_fail(-ELOOP, "%s: a symbolic link is no journal", path)
				      : vn_fail(-errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st))
		err = vn_fail(-errno, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		err = vn_fail(-EINVAL, "%s: it is not a file", path);
	else if (st.st_mode & 022)
		err = vn_fail(-EPERM, "%s: others may write to it (mode %03o)", path,
			      st.st_mode & 0777);
	else
		return fd;
	close(fd);
	return err;
}

static int take_header(struct scan *s, const union vn_slot *slot)
{
	const struct vn_journal_shape *is = &s->shape, *want = s->want;
	int err = vn_slot_unpack_header(slot, &s->shape);

	if (err == -EPROTONOSUPPORT)
		return vn_fail(err, "%s: a journal of another version", s->path);
	if (err)
		return vn_fail(err, "%s: its header makes no sense, at offset 0", s->path);
	if (want && memcmp(is, want, sizeof(*is)))
		return vn_fail(-EINVAL,
			       "%s: it is of a machine of %u sleds and %u spares of %u chips; "
			       "this one has %u and %u of %u",
			       s->path, is->sleds, is->spares, is->chips, want->sleds, want->spares,
			       want->chips);
	return 0;
}

static int take_record(struct scan *s, const union vn_slot *slot)
{
	uint64_t seq = s->end->slots;
	unsigned long long at = seq * VN_SLOT_BYTES;
	struct vn_journal_record r;
	int err = vn_slot_unpack(slot, &r);

	if (err || !vn_record_fits(&r, &s->shape))
		return vn_fail(-EUCLEAN, "%s: a record that makes no sense, at offset %llu",
			       s->path, at);
	if (r.seq != seq)
		return vn_fail(-EUCLEAN, "%s: record %llu where %llu should be, at offset %llu",
			       s->path, (unsigned long long)r.seq, (unsigned long long)seq, at);
	return s->cb ? s->cb(s->arg, &r) : 0;
}

/* The next slot, with so many bytes from its beginning to the end of the file. */
static int take(struct scan *s, const union vn_slot *slot, uint64_t left)
{
	uint64_t seq = s->end->slots;
	int err;

	if (left < VN_SLOT_BYTES || !vn_slot_whole(slot)) {
		if (!seq && !vn_slot_begins(slot, left < VN_SLOT_BYTES ? left : VN_SLOT_BYTES))
			return vn_fail(-EUCLEAN, "%s: it is no journal, from offset 0 on", s->path);
		/* A writer is never more than one record ahead of the disk. */
		if (left > VN_SLOT_BYTES)
			return vn_fail(
				-EUCLEAN,
				"%s: it is damaged at offset %llu, %llu bytes before its end",
				s->path, (unsigned long long)(seq * VN_SLOT_BYTES),
				(unsigned long long)left);
		s->end->torn = true;
		return 0;
	}
	err = seq ? take_record(s, slot) : take_header(s, slot);
	if (!err)
		s->end->slots++;
	return err;
}

/* Up to so many bytes; less only at the end of the file. */
static ssize_t read_at(int fd, void *to, size_t bytes, uint64_t at)
{
	size_t got = 0;

	while (got < bytes) {
		ssize_t n = pread(fd, (char *)to + got, bytes - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int vn_journal_scan(int fd, const char *path, const struct vn_journal_shape *shape,
		    vn_journal_cb cb, void *arg, struct vn_journal_end *end)
{
	struct scan s = { .path = path, .want = shape, .cb = cb, .arg = arg, .end = end };
	union vn_slot chunk[CHUNK];
	uint64_t at = 0, size;
	struct stat st;
	ssize_t n;
	int err;

	*end = (struct vn_journal_end){ 0 };
	if (fstat(fd, &st))
		return vn_fail(-errno, "%s: %s", path, strerror(errno));
	/* What is appended from now on is not looked at: it may be half written. */
	for (size = (uint64_t)st.st_size; at < size; at += (uint64_t)n) {
		size_t want = size - at < sizeof(chunk) ? size - at : sizeof(chunk);

		n = read_at(fd, chunk, want, at);
		if (n < 0)
			return vn_fail((int)n, "%s: %s", path, strerror((int)-n));
		if ((size_t)n < want)
			size = at + (uint64_t)n; /* a writer has cut it */
		for (ssize_t i = 0; i < n; i += VN_SLOT_BYTES) {
			err = take(&s, &chunk[i / VN_SLOT_BYTES], size - at - (uint64_t)i);
			if (err)
				return err;
		}
	}
	return 0;
}

int vn_journal_read(const char *path, const struct vn_journal_shape *shape, vn_journal_cb cb,
		    void *arg, bool *torn)
{
	/* Not blocking: it may be a pipe. */
	int fd = vn_journal_fd(path, O_RDONLY | O_NONBLOCK), err;
	struct vn_journal_end end;

	if (fd < 0)
		return fd;
	err = vn_journal_scan(fd, path, shape, cb, arg, &end);
	close(fd);
	if (torn)
		*torn = end.torn;
	return err;
}

void vn_journal_fold(struct vn_journal_record *last, const struct vn_journal_record *r)
{
	if (r->to == VN_SLED_IN_SERVICE || r->to >= VN_SLED_COMMITTED)
		*last = *r;
}

bool vn_journal_is_out(const struct vn_journal_record *last)
{
	return last->to != VN_SLED_IN_SERVICE;
}

static int fold_all(void *arg, const struct vn_journal_record *r)
{
	struct vn_journal_record *last = arg;

	vn_journal_fold(&last[r->sled], r);
	return 0;
}

int vn_journal_restore(const char *path, const struct vn_journal_shape *shape, vn_journal_cb cb,
		       void *arg)
{
	struct vn_journal_record last[VN_MAX_SLEDS + VN_MAX_SPARES] = { 0 };
	int err = vn_journal_read(path, shape, fold_all, last, NULL);

	for (size_t i = 0; !err && i < sizeof(last) / sizeof(last[0]); i++)
		if (vn_journal_is_out(&last[i]))
			err = cb(arg, &last[i]);
	return err;
}
