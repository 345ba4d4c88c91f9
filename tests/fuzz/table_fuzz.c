// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any file as a table of the tuner: it is refused, and the line is named, or every question
 * to it has an answer that is a time.
 */
#include <errno.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../lib/coll/table.h"
#include "../../lib/error.h"
#include "fuzz.h"

static int file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[32];

	(void)argc;
	(void)argv;
	file = memfd_create("table", MFD_CLOEXEC);
	MUST(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	setenv("VNEURON_COLL_TABLE", path, 1);
	return 0;
}

static void ask(const struct coll_table *t, enum vn_coll op, enum vn_way way)
{
	static const uint32_t ranks[] = { 1, 2, 7, 144 };
	static const uint64_t bytes[] = { 0, 1, 100, 4096, 1 << 20, 1ull << 40 };

	for (uint32_t p = 0; p < 4; p++) {
		for (uint32_t b = 0; b < 6; b++) {
			uint64_t most = bytes[b];
			double us = coll_table_cost(t, way, op, ranks[p], &most);

			MUST(most <= bytes[b]);
			MUST(us < 0 || (isfinite(us) && us > 0));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct coll_table *t;
	int err;

	MUST(!ftruncate(file, 0) && pwrite(file, data, size, 0) == (ssize_t)size);
	vn_set_error("%s", "");
	err = coll_table_load("embedded", 2, &t);
	MUST(err == 0 || err == -EINVAL || err == -EFBIG);
	if (err) {
		MUST(!t && strstr(vn_error(), "table "));
		return 0;
	}
	MUST(t);
	for (uint32_t op = 0; vn_coll_name((enum vn_coll)op); op++)
		for (uint32_t way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
			ask(t, (enum vn_coll)op, (enum vn_way)way);
	coll_table_free(t);
	return 0;
}
