// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Holds a part of the module until its standard input ends: "server" or "chip",
 * a node; "mapping", memory of a context whose fd is closed; "ring", a queue's
 * rings likewise; "import", "status" and "health", what else is mapped; "domain", nothing but
 * the fd of a domain; "session", that of a drain; "window", one of 64 KiB; "memory", 64 MiB.
 * On chip 0, or the one whose number follows.
 */
#include "drained.h"

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint32_t chip = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	char c;
	int fd;

	if (!strcmp(what, "server")) {
		open_context();
	} else if (!strcmp(what, "chip")) {
		open_chip(chip);
	} else if (!strcmp(what, "mapping")) {
		fd = open_on(chip);
		mem_alloc(fd, chip, 16 * PAGE).ptr[0] = 1;
		close(fd);
	} else if (!strcmp(what, "ring")) {
		fd = open_on(chip);
		queue_create(fd, chip, 8, -1);
		close(fd);
	} else if (!strcmp(what, "import")) {
		struct mem m;

		fd = open_on(chip);
		m = mem_alloc(fd, chip, 16 * PAGE);
		must(mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, fd,
			  window_import(fd, chip, window_create(fd, &m, 0, m.bytes, ACCESS_ALL),
					VN_ACCESS_REMOTE_READ)) != MAP_FAILED);
		munmap(m.ptr, m.bytes);
		close(fd);
	} else if (!strcmp(what, "status")) {
		fd = open_context();
		status_create(fd);
		close(fd);
	} else if (!strcmp(what, "health")) {
		fd = open_context();
		must(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, VN_HEALTH_OFFSET) != MAP_FAILED);
		close(fd);
	} else if (!strcmp(what, "session")) {
		fd = open_context();
		drain_till(fd, sled_of(fd, chip), VN_SLED_PRECOPY);
		close(fd);
	} else if (!strcmp(what, "domain")) {
		fd = open_context();
		domain_export(fd);
		close(fd);
	} else if (!strcmp(what, "window")) {
		struct mem m;

		fd = open_on(chip);
		m = mem_alloc(fd, chip, 16 * PAGE);
		window_create(fd, &m, 0, 16 * PAGE, VN_ACCESS_REMOTE_READ);
	} else if (!strcmp(what, "memory")) {
		fd = open_on(chip);
		mem_alloc(fd, chip, 64u << 20);
	} else {
		fprintf(stderr,
			"holder: server, chip, mapping, ring, import, status, health, domain, "
			"session, window or memory\n");
		return 2;
	}
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
