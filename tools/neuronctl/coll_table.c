// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "coll_table.h"

/* The folders of a file, as private as a cache is to be; what exists stays as it is. */
static void make_folders(const char *path)
{
	char folder[PATH_MAX], *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	for (slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(folder, 0700);
		*slash = '/';
	}
}

/* A new file can take the place of this one. */
static int check(const char *path)
{
	char folder[PATH_MAX], *slash;
	struct stat st;

	/* Not through a link, and no device is to be replaced by a file. */
	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return ctl_fail("%s: no regular file: it will not be replaced", path);
	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[1] = '\0';
	if (access(slash ? folder : ".", W_OK | X_OK))
		return ctl_fail("%s: %s", path, strerror(errno));
	return CTL_OK;
}

int coll_table_place(struct ctl *c, const char *file, char path[PATH_MAX])
{
	if (!file && vn_coll_table_path(c->dev, path, PATH_MAX))
		return ctl_fail_lib();
	if (file && (size_t)snprintf(path, PATH_MAX, "%s", file) >= PATH_MAX)
		return ctl_fail("--output: %s", strerror(ENAMETOOLONG));
	if (!*path)
		return ctl_fail("there is no file for a table: want --output FILE, or --dry-run");
	if (!file && !getenv("VNEURON_COLL_TABLE"))
		make_folders(path);
	return check(path);
}

/* One line for the machine, one for people, then what was measured; true: all is written. */
static bool print(FILE *to, const struct ctl *c, const struct coll_row *row, uint32_t rows,
		  uint32_t *lines)
{
	time_t now = time(NULL);
	char date[32] = "";
	struct tm tm;
	cpu_set_t set;
	uint32_t i;
	int way;

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%F %R UTC", &tm);
	fprintf(to, "vneuron-table 1 home %s cores %d\n", vn_device_home(c->dev),
		sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set));
	fprintf(to,
		"# by neuronctl %s coll tune, %s: operation, ranks, bytes of a block, way, us\n",
		vn_version(), date);
	*lines = 0;
	for (i = 0; i < rows; i++) {
		for (way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
			if (row[i].us[way] < 0)
				continue;
			/* Never 0, which is no time. */
			fprintf(to, "%s %u %" PRIu64 " %s %.3f\n", vn_coll_name(row[i].op),
				row[i].ranks, row[i].bytes, vn_way_name(way),
				row[i].us[way] < 0.001 ? 0.001 : row[i].us[way]);
			++*lines;
		}
	}
	return !fflush(to) && !ferror(to) && !fsync(fileno(to));
}

int coll_table_write(const struct ctl *c, const char *path, const struct coll_row *row,
		     uint32_t rows, uint32_t *lines)
{
	char temp[PATH_MAX + 8];
	FILE *to = NULL;
	bool good;
	int fd, err;

	snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	/* New, and nobody else's to read: 0600. */
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return ctl_fail("%s: %s", path, strerror(errno));
	to = fdopen(fd, "w");
	if (!to)
		ctl_no_memory();
	errno = EIO;
	good = print(to, c, row, rows, lines);
	err = good ? 0 : errno;
	if (fclose(to) && good)
		err = errno;
	if (!err && rename(temp, path))
		err = errno;
	if (err) {
		unlink(temp);
		return ctl_fail("%s: %s", path, strerror(err));
	}
	return CTL_OK;
}
