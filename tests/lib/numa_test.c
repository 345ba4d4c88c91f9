// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows, on a machine with more than one NUMA node, that the HBM of a chip
 * lies on the node of its sled: by asking where the pages are (embedded), and
 * by the free memory of the nodes before and after (both homes). A guest with
 * two nodes runs it; elsewhere it is skipped.
 */
#include <dirent.h>
#include <sys/syscall.h>

#include "fixture.h"

#define BYTES (64ull << 20)

static int nodes(void)
{
	DIR *d = opendir("/sys/devices/system/node");
	struct dirent *e;
	int n = 0, k;

	if (!d)
		return 1;
	while ((e = readdir(d)))
		n += sscanf(e->d_name, "node%d", &k) == 1;
	closedir(d);
	return n;
}

static long long free_on(int node)
{
	char path[80], line[200];
	long long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Node %*d MemFree: %lld kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024;
}

/* Pages of a mapping that do not lie on a node, of those that could be asked. */
static unsigned int elsewhere(const struct vn_mem *m, int node, unsigned int *asked)
{
	unsigned int wrong = 0;

	*asked = 0;
	for (uint64_t off = 0; off < m->bytes; off += 1 << 20) {
		void *page = (char *)m->ptr + off;
		int status = -1;

		*(volatile char *)page = 1;
		if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0) || status < 0)
			continue;
		(*asked)++;
		wrong += status != node;
	}
	return wrong;
}

int main(void)
{
	int n = nodes(), node;
	struct vn_chip_query c;
	struct vn_query q;
	unsigned int wrong = 0, asked;
	vn_device_t dev;

	if (n < 2)
		tap_skip_all("only with two NUMA nodes");
	dev = device();
	NEED(vn_device_query(dev, &q));
	for (uint32_t i = 0; i < q.chips; i++) {
		NEED(vn_chip_query(dev, i, &c));
		wrong += c.numa_node != (int)(c.sled * (uint32_t)n / q.sleds);
	}
	tap_ok(!wrong, "the sleds share %d nodes evenly (%u wrong)", n, wrong);
	for (int side = 0; side < 2; side++) {
		uint32_t chip = side ? q.chips - 1 : 0;
		long long before, took;
		struct vn_mem m;

		NEED(vn_chip_query(dev, chip, &c));
		node = c.numa_node;
		before = free_on(node);
		m = take(dev, chip, BYTES);
		memset(m.ptr, 1, m.bytes);
		took = before - free_on(node);
		tap_ok(took > (long long)BYTES * 3 / 4,
		       "64 MiB of chip %u take %lld MiB of node %d", chip, took >> 20, node);
		wrong = elsewhere(&m, node, &asked);
		tap_ok(!wrong && (asked || in_kernel(dev)),
		       "%u pages asked, %u of them on another node", asked, wrong);
		tap_ok(!vn_bind_thread(dev, chip), "a thread is bound to it");
		NEED(vn_mem_free(dev, &m));
	}
	vn_close(dev);
	return tap_done();
}
