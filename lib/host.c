// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The processor this runs on: how many, what its caches hold, how it copies. */
#include <cpuid.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#include "../kmod/engine/ops.h"
#include "home.h"

/* AMD's Zen 5. */
#define FAMILY_ZEN5 0x1au
/* Of leaf 7, edx: fast short "rep movsb"; what memcpy() then uses from some KiB on. */
#define CPUID7_FSRM (1u << 4)

uint32_t vn_cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (uint32_t)CPU_COUNT(&set);
}

uint64_t vn_stream_bytes(void)
{
	/* What sysconf() says is wrong by a factor of ten on some machines. */
	FILE *f = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "re");
	uint64_t kib = 0;

	if (f) {
		if (fscanf(f, "%" SCNu64 "K", &kib) != 1)
			kib = 0;
		fclose(f);
	}
	return (kib ?: 32u << 10) << 10;
}

/*
 * From the second-level cache on "rep movsb" makes 45 to 60 GB/s on Zen 5, a loop 38 to 48,
 * and it minds no offset of one end to the other within a page. On the processors before,
 * the loop is ahead. Measured by make bench BENCH=window: batches of 64 KiB.
 */
static bool copies_by_string(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || c != signature_AMD_ecx ||
	    d != signature_AMD_edx)
		return false;
	if (!__get_cpuid(1, &a, &b, &c, &d))
		return false;
	/* The extended family counts where the first is at its end: on all since 2003. */
	if (((a >> 8) & 0xf) + ((a >> 20) & 0xff) < FAMILY_ZEN5)
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & CPUID7_FSRM);
}

const struct vn_ops *vn_host_ops(bool avx2)
{
	static const struct vn_ops *fastest; /* atomic; all find the same */
	const struct vn_ops *ops = __atomic_load_n(&fastest, __ATOMIC_RELAXED);

	if (!avx2)
		return &vn_ops_scalar;
	/* A virtual machine leaves for each question: it is asked once. */
	if (!ops) {
		ops = copies_by_string() ? &vn_ops_avx2_memcpy : &vn_ops_avx2;
		__atomic_store_n(&fastest, ops, __ATOMIC_RELAXED);
	}
	return ops;
}
