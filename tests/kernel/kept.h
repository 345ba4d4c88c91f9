/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel keeps: objects of each of its caches, memory mapped in a row, and memory
 * that is not free. Taken several times, with as much done between two of them: what the
 * rest of the system does shows now and then, a leak each time.
 */
#ifndef VN_TEST_KEPT_H
#define VN_TEST_KEPT_H

#include <ctype.h>
#include <dirent.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include "abi/abi.h"

#define CACHES 512u
#define TIMES 6u

struct cache {
	char name[40];
	long objects[TIMES];
};

static struct kept {
	unsigned int caches, times;
	struct cache cache[CACHES];
	long vmalloc[TIMES], taken[TIMES]; /* kB */
	long charged[TIMES]; /* kB: to this process's control group, of the kernel's memory */
} kept;

TAP_FN void kept_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		tap_diag("%s: %s", path, strerror(errno));
	close(fd);
}

/* What is freed a bit later is, and caches have none that are free but not given back. */
TAP_FN void kept_settle(void)
{
	DIR *d = opendir("/sys/kernel/slab");
	char path[300];
	struct dirent *e;

	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	usleep(300000);
	kept_write("/proc/sys/vm/drop_caches", "3");
	while (d && (e = readdir(d))) {
		/* Several names for one: the one that is no link. */
		if (e->d_name[0] == '.' || e->d_type == DT_LNK)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", e->d_name);
		kept_write(path, "1");
	}
	if (d)
		closedir(d);
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	usleep(100000);
}

TAP_FN struct cache *kept_cache(const char *name)
{
	for (unsigned int i = 0; i < kept.caches; i++)
		if (!strcmp(kept.cache[i].name, name))
			return &kept.cache[i];
	must(kept.caches < CACHES);
	snprintf(kept.cache[kept.caches].name, sizeof(kept.cache[0].name), "%s", name);
	return &kept.cache[kept.caches++];
}

TAP_FN void kept_slabs(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[512], name[40];
	long objects;

	must(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%39s %ld", name, &objects) == 2)
			kept_cache(name)->objects[kept.times] = objects;
	fclose(f);
}

/* As lib.sh: what is neither free nor could be. */
TAP_FN void kept_memory(void)
{
	static const char *const could[] = { "MemFree:",      "Cached:",    "Buffers:",
					     "SReclaimable:", "AnonPages:", NULL };
	FILE *f = fopen("/proc/meminfo", "r");
	char line[256], name[64];
	long kb, total = 0, n = 0;

	must(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ld", name, &kb) != 2)
			continue;
		if (!strcmp(name, "MemTotal:"))
			total = kb;
		if (!strcmp(name, "VmallocUsed:"))
			kept.vmalloc[kept.times] = kb;
		for (const char *const *c = could; *c; c++)
			n += strcmp(name, *c) ? 0 : kb;
	}
	fclose(f);
	f = fopen("/proc/zoneinfo", "r");
	must(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &kb) == 1)
			n += 4 * kb;
	fclose(f);
	kept.taken[kept.times] = total - n;
}

/* Single pages, too, of which no cache knows: all that the module takes is charged. */
TAP_FN void kept_charged(void)
{
	FILE *f = fopen("/proc/self/cgroup", "r");
	char line[256], group[128] = "", path[200];
	long bytes;

	must(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "0::%127s", group);
	fclose(f);
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.stat", group);
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "kernel %ld", &bytes) == 1)
			kept.charged[kept.times] = bytes >> 10;
	fclose(f);
}

TAP_FN void kept_look(void)
{
	must(kept.times < TIMES);
	kept_settle();
	kept_slabs();
	kept_memory();
	kept_charged();
	kept.times++;
}

/* What it has grown by each time, at least. */
TAP_FN long kept_growth(const long *n)
{
	long least = n[1] - n[0];

	for (unsigned int i = 2; i < kept.times; i++)
		if (n[i] - n[i - 1] < least)
			least = n[i] - n[i - 1];
	return least;
}

TAP_FN const char *kept_text(const long *n)
{
	static char text[128];
	int at = 0;

	for (unsigned int i = 1; i < kept.times; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %+ld", n[i] - n[i - 1]);
	return text;
}

/* Caches that others fill: of areas that are unmapped later, and of kmemleak. */
TAP_FN bool kept_not_ours(const char *cache)
{
	return !strcmp(cache, "vmap_area") || !strncmp(cache, "kmemleak", 8);
}

/* Caches that grow by more than an object in 8 rounds. */
TAP_FN unsigned int kept_grown(unsigned int rounds, bool tell)
{
	unsigned int grown = 0;

	for (unsigned int i = 0; i < kept.caches; i++) {
		long least = kept_growth(kept.cache[i].objects);

		if (least <= 0)
			continue;
		if (tell)
			tap_diag("%s:%s", kept.cache[i].name, kept_text(kept.cache[i].objects));
		grown += least * 8 > rounds && !kept_not_ours(kept.cache[i].name);
	}
	return grown;
}

/* None does, and nothing grows by 64 bytes a round. */
TAP_FN void kept_points(unsigned int rounds, const char *what)
{
	unsigned int grown = kept_grown(rounds, true);

	tap_ok(!grown, "%s: of %u caches of the kernel %u grow with it", what, kept.caches, grown);
	tap_diag("memory mapped in a row, kB:%s", kept_text(kept.vmalloc));
	tap_ok(kept_growth(kept.vmalloc) * 1024 < (long)rounds * 64 + 8192,
	       "nor does what is mapped in a row");
	tap_diag("memory that is not free, kB:%s", kept_text(kept.taken));
	tap_diag("memory of the kernel that is charged, kB:%s", kept_text(kept.charged));
	tap_ok(kept_growth(kept.charged) * 1024 < (long)rounds * 64 + 4096,
	       "nor the memory that is taken (%ld kB charged)", kept.charged[0]);
	kept.times = 0;
}

#endif
