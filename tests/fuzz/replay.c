// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A target without libFuzzer: eats each file it is given, or those of its corpus
 * (corpus/NAME for NAME_fuzz). Passes when it comes to the end.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "../tap.h"
#include "fuzz.h"

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static int eat(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *bytes;
	size_t n;

	if (!f || fstat(fileno(f), &st))
		return -1;
	bytes = malloc((size_t)st.st_size ?: 1);
	if (!bytes)
		abort();
	n = fread(bytes, 1, (size_t)st.st_size, f);
	fclose(f);
	/* Whichever it is that ends the process: this was it. */
	fprintf(stderr, "# %s\n", path);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return n == (size_t)st.st_size ? 0 : -1;
}

static int in_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of files in a folder; how many. */
static int list(const char *dir, char ***to)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	*to = NULL;
	while (d && (e = readdir(d))) {
		char path[PATH_MAX + 300];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		*to = realloc(*to, (size_t)(n + 1) * sizeof(**to));
		if (!*to)
			abort();
		(*to)[n++] = strdup(path);
	}
	if (d)
		closedir(d);
	if (n)
		qsort(*to, (size_t)n, sizeof(**to), in_order);
	return n;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	char dir[PATH_MAX], **files = argv + 1;
	int n = argc - 1, failed = 0;

	LLVMFuzzerInitialize(&argc, &argv);
	if (!n) {
		/* From the top of the tree, as make check does. */
		snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%.*s",
			 (int)(strlen(name) - strlen("_fuzz")), name);
		n = list(dir, &files);
	}
	for (int i = 0; i < n; i++) {
		failed += !!eat(files[i]);
		if (files != argv + 1)
			free(files[i]);
	}
	if (files != argv + 1)
		free(files);
	tap_ok(n && !failed, "%s: %d inputs of its corpus", name, n);
	return tap_done();
}
