// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that an offset of mmap() names an object of the context that is asked, or nothing:
 * every power of two, and those around and beside the objects of two contexts, are tried on
 * one of them.
 */
#include "abi.h"

static struct {
	uint64_t offset, bytes;
} own[4];

static bool is_own(uint64_t offset, uint64_t bytes)
{
	if (offset == VN_HEALTH_OFFSET)
		return bytes <= PAGE;
	for (uint32_t i = 0; i < ARRAY_SIZE(own); i++)
		if (offset >= own[i].offset && offset - own[i].offset < own[i].bytes &&
		    bytes <= own[i].bytes - (offset - own[i].offset))
			return true;
	return false;
}

static uint32_t tried, mapped, wrong;

static void try_one(int ctx, uint64_t offset, uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, ctx, (off_t)offset);
	bool is = is_own(offset, bytes);

	tried++;
	/* Beyond what an off_t can say the kernel has a word of its own for it. */
	if (p == MAP_FAILED && (errno == EINVAL || errno == EOVERFLOW) && !is)
		return;
	if (p != MAP_FAILED && is) {
		mapped++;
		munmap(p, bytes);
		return;
	}
	if (!wrong++)
		tap_diag("offset 0x%lx, %lu bytes: %s", offset, bytes,
			 p == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	if (p != MAP_FAILED)
		munmap(p, bytes);
}

static void try_around(int ctx, uint64_t offset)
{
	static const int64_t steps[] = { 0, PAGE, -(int64_t)PAGE, 1 << 20, 2 * PAGE };

	for (uint32_t i = 0; i < ARRAY_SIZE(steps); i++) {
		try_one(ctx, offset + (uint64_t)steps[i], PAGE);
		try_one(ctx, offset + (uint64_t)steps[i], 4 * PAGE);
	}
}

int main(void)
{
	int a = open_on(0), b = open_on(0);
	struct mem mem[2] = { mem_alloc(a, 0, 4 * PAGE), mem_alloc(b, 0, 4 * PAGE) };
	struct queue q[2] = { queue_create(a, 0, 64, -1), queue_create(b, 0, 64, -1) };
	struct status s[2] = { status_create(a), status_create(b) };
	uint64_t starts[8];

	for (int i = 0; i < 2; i++) {
		int ctx = i ? b : a;
		uint32_t key = window_create(ctx, &mem[i], 0, 4 * PAGE, ACCESS_ALL);
		int64_t imported = window_import(ctx, 0, key, VN_ACCESS_REMOTE_READ);

		must(imported > 0);
		starts[4 * i] = mem[i].offset;
		starts[4 * i + 1] = q[i].offset;
		starts[4 * i + 2] = s[i].offset;
		starts[4 * i + 3] = (uint64_t)imported;
	}
	for (uint32_t i = 0; i < 4; i++) {
		own[i].offset = starts[i];
		own[i].bytes = i == 1 ? q[0].bytes : i == 2 ? s[0].bytes : 4 * PAGE;
	}
	for (uint32_t k = 0; k < 64; k++)
		if (1ull << k >= PAGE)
			try_around(a, 1ull << k);
	for (uint32_t i = 0; i < 8; i++) {
		try_around(a, starts[i]);
		for (uint32_t k = 12; k < 64; k++) {
			try_one(a, starts[i] ^ 1ull << k, PAGE);
			try_one(a, starts[i] + (1ull << k), PAGE);
		}
	}
	tap_ok(!wrong && mapped > 20, "%u offsets: %u are of objects of its own, %u wrong", tried,
	       mapped, wrong);
	for (uint32_t i = 0; i < 4; i++)
		tap_ok(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, a, (off_t)starts[4 + i]) ==
				       MAP_FAILED &&
			       errno == EINVAL,
		       "another's object %u is not to be had", i);
	for (uint32_t i = 1; i < PAGE; i *= 2)
		wrong += mmap(NULL, PAGE, PROT_READ, MAP_SHARED, a, (off_t)(starts[0] + i)) !=
			 MAP_FAILED;
	tap_ok(!wrong, "nor what is at no page");
	close(a);
	close(b);
	return tap_done();
}
