// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that HBM is zeroed, accounted to the byte, given back, refused with a
 * text that names the chip and the amounts, and named by addresses that no
 * other context and no later allocation answers to.
 */
#include "fixture.h"

static uint64_t used(vn_device_t dev, uint32_t chip)
{
	struct vn_chip_query c;

	NEED(vn_chip_query(dev, chip, &c));
	return c.hbm_used;
}

static bool zeroed(const struct vn_mem *m)
{
	const uint64_t *w = m->ptr;

	for (uint64_t i = 0; i < m->bytes / 8; i++)
		if (w[i])
			return false;
	return true;
}

static void test_alloc(vn_device_t dev)
{
	static const uint64_t sizes[] = { 1, 4096, 4097, 100000, 2 << 20, (2 << 20) + 1, 5 << 20 };
	uint64_t before = used(dev, 2), sum = 0;
	struct vn_mem m[COUNT(sizes)];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < COUNT(sizes); i++) {
		uint64_t pages = (sizes[i] + 4095) & ~4095ull;

		m[i] = take(dev, 2, sizes[i]);
		sum += pages;
		wrong += m[i].bytes != pages || m[i].chip != 2 || !m[i].addr || !m[i].ptr ||
			 m[i].addr & VN_ADDR_OFFSET_MASK || used(dev, 2) != before + sum;
		wrong += !zeroed(&m[i]);
		memset(m[i].ptr, 0xa5, m[i].bytes);
	}
	tap_ok(!wrong, "of any size, zeroed, whole pages, accounted (%u wrong)", wrong);
	for (unsigned int i = 0; i < COUNT(sizes); i++) {
		uint64_t bytes = m[i].bytes;

		wrong += vn_mem_free(dev, &m[i]) || m[i].ptr;
		sum -= bytes;
		wrong += used(dev, 2) != before + sum;
	}
	tap_ok(!wrong && used(dev, 2) == before, "given back to the last byte (%u wrong)", wrong);
	for (unsigned int i = 0; i < 20; i++) {
		struct vn_mem x = take(dev, 2, 3 << 20);

		wrong += !zeroed(&x);
		memset(x.ptr, 0xff, x.bytes);
		vn_mem_free(dev, &x);
	}
	tap_ok(!wrong, "what was used before comes back zeroed");
}

static void test_limits(vn_device_t dev)
{
	struct vn_mem m, n;
	struct vn_query q;
	char want[64];
	uint64_t before = used(dev, 1);

	vn_device_query(dev, &q);
	memset(&m, 0x77, sizeof(m));
	n = m;
	tap_ok(vn_mem_alloc(dev, 1, 0, &m) == -EINVAL, "no bytes: %s", vn_error());
	tap_ok(vn_mem_alloc(dev, q.chips, 4096, &m) == -ENODEV, "no such chip: %s", vn_error());
	tap_ok(vn_mem_alloc(dev, 1, (1ull << 40) + 1, &m) == -EINVAL, "more than 2^40");
	tap_ok(vn_mem_alloc(dev, 1, ~0ull, &m) == -EINVAL, "2^64 - 1");
	tap_ok(vn_mem_alloc(dev, 1, q.hbm_bytes + 1, &m) == -ENOSPC, "more than there is: %s",
	       vn_error());
	tap_ok(strstr(vn_error(), "chip 1") != NULL, "the text names the chip");
	snprintf(want, sizeof(want), "%llu", (unsigned long long)q.hbm_bytes + 1);
	tap_ok(strstr(vn_error(), want) != NULL, "what was asked for");
	snprintf(want, sizeof(want), "%llu", (unsigned long long)(q.hbm_bytes - before));
	tap_ok(strstr(vn_error(), want) != NULL, "and what is free");
	tap_ok(!memcmp(&m, &n, sizeof(m)) && used(dev, 1) == before,
	       "a failed call changes nothing");
}

/* A small machine, filled up. */
static void test_full(void)
{
	struct vn_mem m[80];
	vn_device_t dev, peer;
	unsigned int n = 0;
	int err;

	NEED(vn_open("embedded:sleds=1,chips=2,hbm=4M", &dev));
	NEED(vn_reopen(dev, &peer));
	while (n < 80 && !(err = vn_mem_alloc(n & 1 ? dev : peer, 1, 64 << 10, &m[n])))
		n++;
	tap_ok(n == 64 && err == -ENOSPC, "4 MiB are 64 times 64 KiB, whoever asks (%u)", n);
	tap_ok(used(dev, 1) == 4 << 20 && !used(dev, 0),
	       "to the last byte, and the other chip has all of its");
	tap_ok(strstr(vn_error(), " 0 of 4194304") != NULL, "nothing is free: %s", vn_error());
	vn_mem_free(dev, &m[63]);
	tap_ok(!vn_mem_alloc(peer, 1, 65536, &m[63]), "one given back is one to have");
	vn_close(peer);
	tap_ok(used(dev, 1) == 31 * 65536, "a closed context gives all back");
	vn_close(dev);
}

static void test_free(vn_device_t dev)
{
	struct vn_mem m = take(dev, 0, 8192), wrong = m, again;
	vn_queue_t q = queue(dev, 0, 8);
	struct vn_operand o;
	uint32_t key;

	wrong.addr += 4096;
	tap_ok(vn_mem_free(dev, &wrong) < 0 && wrong.ptr, "freed by an address inside it: %s",
	       vn_error());
	wrong = m;
	wrong.chip = 1;
	tap_ok(vn_mem_free(dev, &wrong) == -ENOENT, "or on another chip: %s", vn_error());
	wrong.chip = 0;
	wrong.addr = 0;
	tap_ok(vn_mem_free(dev, &wrong) == -ENOENT, "or at 0");
	NEED(vn_window_create(dev, &m, 0, 4096, VN_ACCESS_REMOTE_READ, &key));
	tap_ok(vn_mem_free(dev, &m) == -EBUSY && m.ptr, "not while a window lies on it: %s",
	       vn_error());
	tap_ok(!run_fill(q, vn_at(&m, 0), 4096, 1, 1), "then it still works");
	vn_window_invalidate(dev, 0, key);
	o = vn_at(&m, 0);
	again = m;
	tap_ok(!vn_mem_free(dev, &m), "when the window is gone, it goes");
	tap_ok(vn_mem_free(dev, &again) == -ENOENT, "once");
	tap_ok(run_fill(q, o, 8, 1, 1) == VN_STALE_KEY, "its address is stale");
	m = take(dev, 0, 8192);
	tap_ok(run_fill(q, o, 8, 1, 1) == VN_STALE_KEY && !*(uint64_t *)m.ptr,
	       "also when there is new memory");
	vn_mem_free(dev, &m);
	vn_queue_destroy(q);
}

static void test_isolation(vn_device_t dev)
{
	struct vn_mem mine = take(dev, 3, 4096);
	vn_device_t peer;
	vn_queue_t q;
	struct vn_mem copy = mine;
	int err;

	memset(mine.ptr, 0x42, 4096);
	NEED(vn_reopen(dev, &peer));
	q = queue(peer, 3, 8);
	tap_ok(run_fill(q, vn_at(&mine, 0), 4096, 0, 1) == VN_BAD_KEY && *(char *)mine.ptr == 0x42,
	       "an address means nothing in another context");
	err = vn_mem_free(peer, &copy);
	tap_ok(err == -ENOENT, "nor can it be freed there");
	vn_close(peer);
	tap_ok(*(char *)mine.ptr == 0x42, "the memory is as it was");
	vn_mem_free(dev, &mine);
}

static void test_many(vn_device_t dev)
{
	uint32_t n = quick() ? 300 : 3000;
	struct vn_mem *m = calloc(n, sizeof(*m));
	uint64_t before = used(dev, 0);
	unsigned int wrong = 0;

	for (uint32_t i = 0; i < n; i++) {
		m[i] = take(dev, 0, 4096);
		*(uint32_t *)m[i].ptr = i;
	}
	for (uint32_t i = 0; i < n; i++)
		wrong += *(uint32_t *)m[i].ptr != i;
	tap_ok(!wrong && used(dev, 0) == before + n * 4096ull, "%u allocations of a page", n);
	for (uint32_t i = 0; i < n; i += 2)
		wrong += vn_mem_free(dev, &m[i]) != 0;
	for (uint32_t i = 1; i < n; i += 2)
		wrong += vn_mem_free(dev, &m[i]) != 0;
	tap_ok(!wrong && used(dev, 0) == before, "and none is left");
	free(m);
}

int main(void)
{
	vn_device_t dev = device();

	test_alloc(dev);
	test_limits(dev);
	test_full();
	test_free(dev);
	test_isolation(dev);
	test_many(dev);
	vn_close(dev);
	return tap_done();
}
