// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where the journal is unless somebody says otherwise. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../error.h"
#include "journal.h"

/* Makes the directories of a path that are missing, for the owner alone. */
static int make_directories(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		int err;

		*p = '\0';
		err = mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
		if (err)
			return vn_fail(err, "%s: %s", path, strerror(-err));
		*p = '/';
	}
	return 0;
}

int vn_journal_path(char *path, size_t bytes)
{
	const char *env = secure_getenv("VNEURON_JOURNAL");
	const char *state = secure_getenv("XDG_STATE_HOME"), *user = secure_getenv("HOME");
	bool named = env && *env;
	int n;

	if (named)
		n = snprintf(path, bytes, "%s", env);
	else if (!geteuid())
		n = snprintf(path, bytes, "/var/lib/vneuron/journal");
	else if (state && *state == '/') /* others are to be ignored, it is said of it */
		n = snprintf(path, bytes, "%s/vneuron/journal", state);
	else if (user && *user == '/')
		n = snprintf(path, bytes, "%s/.local/state/vneuron/journal", user);
	else
		return vn_fail(-ENOENT, "no place for a journal: set VNEURON_JOURNAL or HOME");
	if (n < 0 || (size_t)n >= bytes)
		return vn_fail(-ENAMETOOLONG, "the path of the journal is too long");
	return named ? 0 : make_directories(path);
}
