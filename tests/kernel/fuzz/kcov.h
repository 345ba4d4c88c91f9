/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of the module a program reaches, by KCOV: places it came by (PCs), and pairs of places
 * one after the other, of which a new one makes a program worth keeping.
 */
#ifndef VN_KERNEL_FUZZ_KCOV_H
#define VN_KERNEL_FUZZ_KCOV_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/kcov.h>

#define KCOV_FILE "/sys/kernel/debug/kcov"
/* Places of one program; what comes behind them is not seen. */
#define KCOV_ROOM (256u << 10)
#define KCOV_PAIRS (1u << 18)
/* Places of a module, at most half of it in use. */
#define KCOV_PCS (1u << 17)

static struct {
	int fd;
	uint64_t *area;
	uint8_t *pairs; /* seen, a byte each */
	uint32_t npairs, npcs;
	uint64_t *pcs; /* open addressing */
	uint64_t lost; /* programs that filled the room */
} kcov;

/* false: this kernel has none. */
static bool kcov_open(void)
{
	kcov.fd = open(KCOV_FILE, O_RDWR | O_CLOEXEC);
	if (kcov.fd < 0)
		return false;
	kcov.pairs = calloc(KCOV_PAIRS, 1);
	kcov.pcs = calloc(KCOV_PCS, sizeof(*kcov.pcs));
	if (!kcov.pairs || !kcov.pcs || ioctl(kcov.fd, KCOV_INIT_TRACE, (unsigned long)KCOV_ROOM))
		return false;
	kcov.area = mmap(NULL, KCOV_ROOM * sizeof(*kcov.area), PROT_READ | PROT_WRITE, MAP_SHARED,
			 kcov.fd, 0);
	return kcov.area != MAP_FAILED &&
	       !ioctl(kcov.fd, KCOV_ENABLE, (unsigned long)KCOV_TRACE_PC);
}

static void kcov_begin(void)
{
	__atomic_store_n(&kcov.area[0], 0, __ATOMIC_RELAXED);
}

static void kcov_pc(uint64_t pc)
{
	uint32_t at = (uint32_t)(pc * 0x9e3779b97f4a7c15ull >> 47);

	while (kcov.pcs[at] && kcov.pcs[at] != pc)
		at = (at + 1) % KCOV_PCS;
	if (!kcov.pcs[at] && kcov.npcs < KCOV_PCS / 2) {
		kcov.pcs[at] = pc;
		kcov.npcs++;
	}
}

/* How many pairs nobody had come by before. */
static uint32_t kcov_end(void)
{
	uint64_t n = __atomic_load_n(&kcov.area[0], __ATOMIC_RELAXED), before = 0;
	uint32_t fresh = 0;

	kcov.lost += n >= KCOV_ROOM - 1;
	for (uint64_t i = 1; i <= n && i < KCOV_ROOM; i++) {
		uint64_t pc = kcov.area[i], pair = (before ^ pc) * 0x9e3779b97f4a7c15ull >> 46;

		before = pc << 1;
		if (kcov.pairs[pair])
			continue;
		kcov.pairs[pair] = 1;
		kcov.npairs++;
		fresh++;
		kcov_pc(pc);
	}
	return fresh;
}

/* All places, a line each. */
static void kcov_write(const char *path)
{
	FILE *f = fopen(path, "we");

	for (uint32_t i = 0; f && i < KCOV_PCS; i++)
		if (kcov.pcs[i])
			fprintf(f, "%llx\n", (unsigned long long)kcov.pcs[i]);
	if (f)
		fclose(f);
}

#endif
