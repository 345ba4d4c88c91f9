// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Exports a page of chip 0, or the chip whose number is given, and says so; closes the export
 * at the first line of its standard input, and says so; ends at the second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <vneuron.h>

int main(int argc, char **argv)
{
	uint32_t chip = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
	struct vn_mem mem;
	vn_device_t dev;
	char line[16];
	int fd = -1;

	if (!vn_open(NULL, &dev) && !vn_mem_alloc(dev, chip, 16384, &mem))
		fd = vn_mem_export(dev, &mem, 4096, 4096, VN_EXPORT_WRITE);
	if (fd < 0) {
		fprintf(stderr, "exporter: %s\n", vn_error());
		return 1;
	}
	puts("exported");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	close(fd);
	puts("closed");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin))
		vn_close(dev);
	return 0;
}
