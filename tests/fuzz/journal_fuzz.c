// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any file as a journal: it is refused, or it is whole records of sleds that the machine has;
 * then what is torn is cut off, and one more can be appended and read.
 *
 * An input: a byte of flags, then the file. Sums that are wrong would hide what is behind
 * them: one flag says that they are made right.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../kmod/engine/crc32c.h"
#include "../../lib/drain/record.h"
#include "../../lib/drain/scan.h"
#include "../../lib/error.h"
#include "fuzz.h"

enum flags {
	SUMS = 1 << 0, /* are right */
	SHAPED = 1 << 1, /* a machine asks whose journal it is not, or is */
	APPEND = 1 << 2,
};

static const struct vn_journal_shape shape = { .sleds = 3, .spares = 1, .chips = 2 };
static char path[64];
static int file;

static void leave(void)
{
	unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "/dev/shm/vneuron-fuzz.%d", getpid());
	file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(file >= 0);
	atexit(leave);
	return 0;
}

struct seen {
	uint64_t n;
	struct vn_journal_record last[VN_MAX_SLEDS + VN_MAX_SPARES];
};

static int see(void *arg, const struct vn_journal_record *r)
{
	struct seen *s = arg;

	s->n++;
	MUST(r->seq == s->n);
	MUST(r->sled < VN_MAX_SLEDS + VN_MAX_SPARES && r->from < VN_SLED_STATES &&
	     r->to < VN_SLED_STATES);
	MUST(strnlen(r->reason, VN_REASON) < VN_REASON);
	vn_journal_fold(&s->last[r->sled], r);
	return 0;
}

static int count(void *arg, const struct vn_journal_record *r)
{
	MUST(vn_journal_is_out(r));
	++*(uint64_t *)arg;
	return 0;
}

/* One record more, behind all that were whole. */
static void append(const struct seen *before, const struct vn_journal_end *end)
{
	struct vn_journal_record r = { .sled = 2, .to = VN_SLED_DRAINED, .target = VN_ANY_SLED };
	struct seen *after = calloc(1, sizeof(*after));
	uint64_t out = 0, was = 0;
	struct vn_journal *j;
	bool torn;

	MUST(after);
	MUST(!vn_journal_open(path, &shape, &j));
	MUST(vn_journal_torn(j) == end->torn);
	MUST(!vn_journal_append(j, &r) && !vn_journal_close(j));
	MUST(!vn_journal_read(path, &shape, see, after, &torn));
	MUST(!torn && after->n == before->n + 1 && r.seq == after->n);
	for (uint32_t i = 0; i < VN_MAX_SLEDS + VN_MAX_SPARES; i++)
		was += i != 2 && vn_journal_is_out(&before->last[i]);
	MUST(!vn_journal_restore(path, &shape, count, &out) && out == was + 1);
	free(after);
}

static void make_sums_right(uint8_t *bytes, size_t n)
{
	for (size_t at = 0; at + VN_SLOT_BYTES <= n; at += VN_SLOT_BYTES) {
		uint32_t crc = vn_crc32c(0, bytes + at, VN_SLOT_BYTES - 4);

		memcpy(bytes + at + VN_SLOT_BYTES - 4, &crc, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size ? data[0] : 0, *bytes = fuzz_copy(data + !!size, size - !!size);
	size_t n = size - !!size;
	struct seen *s = calloc(1, sizeof(*s));
	struct vn_journal_end end;
	int err;

	MUST(s);
	if (flags & SUMS)
		make_sums_right(bytes, n);
	MUST(!ftruncate(file, 0) && pwrite(file, bytes, n, 0) == (ssize_t)n);
	vn_set_error("%s", "");
	err = vn_journal_scan(file, path, flags & SHAPED ? &shape : NULL, see, s, &end);
	MUST(err == 0 || err == -EUCLEAN || err == -EINVAL || err == -EPROTONOSUPPORT);
	MUST(!err || strstr(vn_error(), path));
	MUST(end.slots * VN_SLOT_BYTES <= n && (end.slots ? end.slots - 1 : 0) == s->n);
	if (!err) {
		MUST(n - end.slots * VN_SLOT_BYTES <= VN_SLOT_BYTES);
		MUST(end.torn == (n > end.slots * VN_SLOT_BYTES));
	}
	if (!err && (flags & SHAPED) && (flags & APPEND))
		append(s, &end);
	free(bytes);
	free(s);
	return 0;
}
