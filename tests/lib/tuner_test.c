// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tuner: whose figures count before whose, what a table says between its rows
 * and beyond them, which tables are refused and which count for nothing; and that
 * a communicator goes by all that.
 */
#include <math.h>
#include <sched.h>
#include <sys/stat.h>

#include <vneuron/coll.h>

#include "fixture.h"

static vn_device_t dev;
static char folder[64], table[96];
static struct vn_choice choice;

static int cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

/* A file with this text, as it is. */
static void put(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text, 1, n, f) != n || fclose(f))
		NEED(-EIO);
}

/* The table: rows behind a first line that is right. */
static void rows(const char *text)
{
	char all[4096];
	int n = snprintf(all, sizeof(all), "vneuron-table 1 home %s cores %d\n# a test\n%s",
			 vn_device_home(dev), cores(), text);

	put(table, all, (size_t)n);
}

static int explain(enum vn_coll op, int ranks, uint64_t bytes, const struct vn_config *config)
{
	memset(&choice, 0x5a, sizeof(choice));
	return vn_coll_explain(dev, op, ranks, bytes, config, &choice);
}

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-3 * fabs(b);
}

/* ---- built-in figures --------------------------------------------------------- */

static void built_in(void)
{
	static const int ranks[] = { 1, 2, 3, 8, 36, 144 };
	struct vn_query q;
	uint32_t wrong = 0, shrinks = 0, foreign = 0;

	NEED(vn_device_query(dev, &q));
	for (int op = 0; op < VN_COLL_COUNT; op++) {
		for (uint32_t r = 0; r < COUNT(ranks) && ranks[r] <= (int)q.chips; r++) {
			double before[VN_WAY_COUNT] = { 0 };

			for (uint64_t bytes = 0; bytes <= 1 << 28; bytes = bytes ? 4 * bytes : 4) {
				NEED(explain((enum vn_coll)op, ranks[r], bytes, NULL));
				for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
					double us = choice.cost_us[way];

					wrong += us >= 0 && us < choice.cost_us[choice.way];
					shrinks += us >= 0 && us < before[way];
					foreign += choice.from[way] !=
						   (us < 0 ? VN_COST_NONE : VN_COST_BUILT_IN);
					before[way] = us;
				}
			}
		}
	}
	tap_ok(!wrong, "the choice costs least");
	tap_ok(!shrinks, "more bytes do not cost less");
	tap_ok(!foreign && !strcmp(choice.source, "built-in") && !choice.forced && !*choice.note,
	       "all figures are built in, and said to be");
	NEED(explain(VN_ALL_REDUCE, 2, 16 << 10, NULL));
	tap_ok(choice.cost_us[VN_WAY_PULL] > 0, "16 KiB can be pulled");
	NEED(explain(VN_ALL_REDUCE, 2, 32 << 10, NULL));
	tap_ok(choice.cost_us[VN_WAY_PULL] < 0, "32 KiB can not");
	NEED(explain(VN_ALL_TO_ALL, 8, 4 << 10, NULL));
	tap_ok(choice.cost_us[VN_WAY_PULL] < 0, "nor can eight blocks of 4 KiB");
	NEED(explain(VN_PERMUTE, 2, 8, NULL));
	tap_ok(choice.way == VN_WAY_SHARE && choice.cost_us[VN_WAY_PULL] < 0 &&
		       choice.cost_us[VN_WAY_PLAN] < 0,
	       "permutations are shared out");
	NEED(explain(VN_BARRIER, 2, 0, NULL));
	tap_ok(choice.cost_us[VN_WAY_PLAN] < 0, "a barrier is no plan");
	NEED(explain(VN_GATHERV, 2, 8, NULL));
	tap_ok(choice.way == VN_WAY_SHARE && choice.cost_us[VN_WAY_PULL] < 0 &&
		       choice.cost_us[VN_WAY_PLAN] < 0,
	       "unequal blocks are shared out");
	tap_ok(explain(VN_SEND, 2, 8, NULL) == -EINVAL, "between two ranks there is no choice: %s",
	       vn_error());
}

/* ---- tables --------------------------------------------------------------------- */

static void table_says(void)
{
	double grows[VN_WAY_COUNT];
	char source[128];

	setenv("VNEURON_COLL_TABLE", "none", 1);
	NEED(explain(VN_ALL_REDUCE, 2, 4096, NULL));
	memcpy(grows, choice.cost_us, sizeof(grows));
	NEED(explain(VN_ALL_REDUCE, 2, 16384, NULL));
	for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++)
		grows[way] = choice.cost_us[way] / grows[way];
	setenv("VNEURON_COLL_TABLE", table, 1);
	rows("all_reduce 2 4096 pull 8\n"
	     "all_reduce 2 64 pull 1.000\n"
	     "\n"
	     "all_reduce	2  64 share 2.5\n"
	     "all_reduce 2 4096 share 2.5\n"
	     "all_reduce 2 64 plan 100\n"
	     "all_reduce 8 64 pull 7\nall_reduce 8 64 share 6\n"
	     "all_reduce 8 1048576 pull 0.1\n"
	     "scan 2 64 plan 0.001\n");
	NEED(explain(VN_ALL_REDUCE, 2, 64, NULL));
	snprintf(source, sizeof(source), "table %s", table);
	tap_ok(!strcmp(choice.source, source) && choice.from[VN_WAY_PULL] == VN_COST_TABLE,
	       "a table is the source: %s", choice.source);
	tap_ok(choice.way == VN_WAY_PULL && near(choice.cost_us[VN_WAY_PULL], 1) &&
		       near(choice.cost_us[VN_WAY_SHARE], 2.5),
	       "what was measured is what it costs");
	NEED(explain(VN_ALL_REDUCE, 2, 256, NULL));
	tap_ok(choice.way == VN_WAY_PULL && near(choice.cost_us[VN_WAY_PULL], 2),
	       "between 64 and 4096 bytes, 1 and 8 us: 256 take %.3f", choice.cost_us[1]);
	NEED(explain(VN_ALL_REDUCE, 2, 512, NULL));
	tap_ok(choice.way == VN_WAY_SHARE && near(choice.cost_us[VN_WAY_PULL], sqrt(8)),
	       "512 take %.3f, and go another way", choice.cost_us[1]);
	NEED(explain(VN_ALL_REDUCE, 2, 1, NULL));
	tap_ok(near(choice.cost_us[VN_WAY_PULL], 1), "less than the least is the least");
	NEED(explain(VN_ALL_REDUCE, 2, 16384, NULL));
	tap_ok(near(choice.cost_us[VN_WAY_PULL], 8 * grows[VN_WAY_PULL]) &&
		       near(choice.cost_us[VN_WAY_SHARE], 2.5 * grows[VN_WAY_SHARE]) &&
		       grows[VN_WAY_PULL] > 1.1 && grows[VN_WAY_PULL] < 4,
	       "more than the most grows as the built-in figure does, by %.2f", grows[VN_WAY_PULL]);
	NEED(explain(VN_ALL_REDUCE, 8, 64, NULL));
	tap_ok(choice.from[VN_WAY_PLAN] == VN_COST_BUILT_IN && choice.cost_us[VN_WAY_PLAN] > 0 &&
		       choice.cost_us[VN_WAY_PLAN] < 100 &&
		       choice.from[VN_WAY_PULL] == VN_COST_TABLE,
	       "a way without rows among so many ranks has its built-in figure");
	NEED(explain(VN_BROADCAST, 2, 64, NULL));
	tap_ok(!strcmp(choice.source, "built-in"), "so has an operation");
	NEED(explain(VN_SCAN, 2, 64, NULL));
	tap_ok(choice.way == VN_WAY_PLAN, "one row is enough for the choice of its way");
	NEED(explain(VN_ALL_REDUCE, 8, 1 << 20, NULL));
	tap_ok(choice.cost_us[VN_WAY_PULL] < 0 && choice.from[VN_WAY_PULL] == VN_COST_NONE,
	       "no row makes possible what is not");
	for (int p = 3; p <= 5; p++) {
		NEED(explain(VN_ALL_REDUCE, p, 64, NULL));
		tap_ok(near(choice.cost_us[VN_WAY_PULL], p == 5 ? 7 : 1),
		       "of 2 and 8 ranks %d are nearer to %d", p, p == 5 ? 8 : 2);
	}
}

static void elsewhere(const char *what, const char *home, int n, const char *note)
{
	char text[256], want[256];

	put(table, text,
	    (size_t)snprintf(text, sizeof(text),
			     "vneuron-table 1 home %s cores %d\nall_reduce 2 64 plan 0.001\n", home,
			     n));
	NEED(explain(VN_ALL_REDUCE, 2, 64, NULL));
	snprintf(want, sizeof(want), "table %s %s", table, note);
	tap_ok(!strcmp(choice.source, "built-in") && choice.cost_us[VN_WAY_PLAN] > 0.01 &&
		       !strcmp(choice.note, want),
	       "%s counts for nothing: %s", what, choice.note);
}

static void foreign(void)
{
	const char *mine = vn_device_home(dev), *other = in_kernel(dev) ? "embedded" : "kernel";
	char note[128];

	snprintf(note, sizeof(note), "was made with %d cores, this machine has %d", cores() + 1,
		 cores());
	elsewhere("a table of another number of cores", mine, cores() + 1, note);
	snprintf(note, sizeof(note), "was made in the %s home, this is the %s one", other, mine);
	elsewhere("a table of the other home", other, cores(), note);
}

/* ---- what is no table ------------------------------------------------------------ */

static void refused(const char *text, size_t n, int line, const char *why)
{
	vn_comm_t comm[2];
	char want[128], error[512];
	int err;

	put(table, text, n);
	err = explain(VN_ALL_REDUCE, 2, 64, NULL);
	snprintf(error, sizeof(error), "%s", vn_error());
	snprintf(want, sizeof(want), "table %s, line %d: ", table, line);
	tap_ok(err == -EINVAL && !strncmp(error, want, strlen(want)) && strstr(error, why),
	       "line %d: %s", line, error);
	err = vn_comm_init_all(comm, 2, NULL);
	tap_ok(err == -EINVAL && !strcmp(vn_error(), error), "no communicator is made by it");
}

static void malformed(void)
{
	static const struct {
		const char *row, *why;
	} bad[] = {
		{ "all_reduce 2 64 pull", "4 words" },
		{ "all_reduce 2 64 pull 1 us", "6 words" },
		{ "all_reduze 2 64 pull 1", "no operation 'all_reduze'" },
		{ "all_reduce 0 64 pull 1", "'0' ranks; want 1 to 144" },
		{ "all_reduce 145 64 pull 1", "'145' ranks" },
		{ "all_reduce 2 64K pull 1", "'64K' bytes" },
		{ "all_reduce 2 -1 pull 1", "'-1' bytes" },
		{ "all_reduce 2 99999999999999999999 pull 1", "bytes" },
		{ "all_reduce 2 64 auto 1", "'auto' is no way" },
		{ "all_reduce 2 64 pull 0", "time" },
		{ "all_reduce 2 64 pull -1", "time" },
		{ "all_reduce 2 64 pull 1,5", "time" },
		{ "all_reduce 2 64 pull 1.", "time" },
		{ "all_reduce 2 64 pull nan", "time" },
		{ "all_reduce 2 64 share 1", "as line 2" },
	};
	char text[256], head[64];
	size_t n;

	snprintf(head, sizeof(head), "vneuron-table 1 home %s cores %d\n", vn_device_home(dev),
		 cores());
	for (uint32_t i = 0; i < COUNT(bad); i++) {
		n = (size_t)snprintf(text, sizeof(text), "%sall_reduce 2 64 share 1\n#\n%s\n", head,
				     bad[i].row);
		refused(text, n, 4, bad[i].why);
	}
	refused("", 0, 1, "empty");
	refused("all_reduce 2 64 pull 1\n", 23, 1, "vneuron-table");
	refused("vneuron-table 2 home moon cores 2\n", 34, 1, "format 2; this library knows 1");
	refused("vneuron-table 1 home kernel cores 0\n", 36, 1, "cores N");
	n = (size_t)snprintf(text, sizeof(text), "%sall_reduce 2 64 share 1", head);
	refused(text, n, 2, "cut off");
	n = (size_t)snprintf(text, sizeof(text), "%sall_reduce 2 64 share 1\n", head);
	text[n - 5] = '\0';
	refused(text, n, 2, "a zero byte");
}

/* ---- where it is ------------------------------------------------------------------ */

static void places(void)
{
	char path[256], below[128], small[8];
	int err;

	rows("all_reduce 2 64 plan 0.001\n");
	setenv("VNEURON_COLL_TABLE", "none", 1);
	NEED(explain(VN_ALL_REDUCE, 2, 64, NULL));
	tap_ok(!strcmp(choice.source, "built-in"), "'none' is none");
	setenv("VNEURON_COLL_TABLE", "", 1);
	NEED(explain(VN_ALL_REDUCE, 2, 64, NULL));
	NEED(vn_coll_table_path(dev, path, sizeof(path)));
	tap_ok(!strcmp(choice.source, "built-in") && !*path, "nor is an empty name");

	setenv("VNEURON_COLL_TABLE", "/no/such/table", 1);
	err = explain(VN_ALL_REDUCE, 2, 64, NULL);
	tap_ok(err == -ENOENT && strstr(vn_error(), "/no/such/table"),
	       "a named one must be there: %s", vn_error());
	setenv("VNEURON_COLL_TABLE", folder, 1);
	err = explain(VN_ALL_REDUCE, 2, 64, NULL);
	tap_ok(err == -EINVAL && strstr(vn_error(), "no regular file"), "and a file: %s",
	       vn_error());

	unsetenv("VNEURON_COLL_TABLE");
	setenv("HOME", "/no/home", 1);
	setenv("XDG_CACHE_HOME", folder, 1);
	NEED(explain(VN_ALL_REDUCE, 2, 64, NULL));
	tap_ok(!strcmp(choice.source, "built-in"), "where it is by itself, it need not be");
	snprintf(below, sizeof(below), "%s/vneuron", folder);
	mkdir(below, 0700);
	snprintf(path, sizeof(path), "%s/coll-%s.table", below, vn_device_home(dev));
	NEED(rename(table, path));
	NEED(explain(VN_ALL_REDUCE, 2, 64, NULL));
	tap_ok(strstr(choice.source, path) && choice.way == VN_WAY_PLAN, "it is found there: %s",
	       choice.source);
	NEED(vn_coll_table_path(dev, below, sizeof(below)));
	tap_ok(!strcmp(below, path), "and that can be asked for");
	tap_ok(vn_coll_table_path(dev, small, sizeof(small)) == -ENAMETOOLONG,
	       "with room for it: %s", vn_error());
	setenv("XDG_CACHE_HOME", "relative", 1);
	NEED(vn_coll_table_path(dev, below, sizeof(below)));
	tap_ok(!strncmp(below, "/no/home/.cache/vneuron/coll-", 29),
	       "a relative cache is none, home is: %s", below);
	NEED(rename(path, table));
	setenv("VNEURON_COLL_TABLE", table, 1);
}

/* ---- who comes before whom ---------------------------------------------------------- */

static double callers(void *arg, enum vn_way way, enum vn_coll op, int ranks, uint64_t bytes)
{
	(void)op;
	(void)ranks;
	(void)bytes;
	return way == *(enum vn_way *)arg ? 1 : way == VN_WAY_PLAN ? -1 : 2;
}

static void precedence(void)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	enum vn_way cheap = VN_WAY_PULL;

	rows("all_reduce 2 64 plan 0.001\n");
	config.cost = callers;
	config.cost_arg = &cheap;
	NEED(explain(VN_ALL_REDUCE, 2, 64, &config));
	tap_ok(choice.way == VN_WAY_PULL && !strcmp(choice.source, "caller") &&
		       choice.from[VN_WAY_SHARE] == VN_COST_CALLER,
	       "a caller's figures come before the table");
	cheap = VN_WAY_SHARE;
	NEED(explain(VN_ALL_REDUCE, 2, 64, &config));
	tap_ok(choice.way == VN_WAY_SHARE && choice.cost_us[VN_WAY_PLAN] < 0,
	       "and rule out what they want");
	setenv("VNEURON_COLL_WAY", "pull", 1);
	NEED(explain(VN_ALL_REDUCE, 2, 64, &config));
	tap_ok(choice.way == VN_WAY_PULL && choice.forced && strstr(choice.why, "VNEURON_COLL_WAY"),
	       "the environment comes before them: %s", choice.why);
	config.way = VN_WAY_PLAN;
	NEED(explain(VN_ALL_REDUCE, 2, 64, &config));
	tap_ok(choice.way == VN_WAY_PLAN && choice.forced && strstr(choice.why, "configuration"),
	       "and the configuration before that: %s", choice.why);
	unsetenv("VNEURON_COLL_WAY");
}

/* The way that a communicator of two ranks goes; by: the operation's own. */
static enum vn_way taken(const struct vn_config *config, enum vn_way by, const char *meanwhile)
{
	static struct vn_mem mem[2];
	struct vn_comm_stats stats;
	vn_comm_t comm[2];
	int way = VN_WAY_AUTO;

	for (uint32_t r = 0; r < 2 && !mem[r].ptr; r++)
		mem[r] = take(dev, r, 4096);
	NEED(vn_comm_init_all_config(comm, 2, NULL, config));
	if (meanwhile)
		put(table, meanwhile, strlen(meanwhile));
	NEED(vn_group_start());
	for (int r = 0; r < 2; r++) {
		struct vn_op op = { .op = VN_ALL_REDUCE,
				    .way = by,
				    .type = VN_FLOAT32,
				    .count = 16,
				    .sendbuff = mem[r].ptr,
				    .recvbuff = mem[r].ptr };

		NEED(vn_op_start(&op, comm[r], NULL, NULL));
	}
	NEED(vn_group_end());
	for (int r = 0; r < 2; r++)
		NEED(vn_comm_sync(comm[r], LONG));
	NEED(vn_comm_stats(comm[0], &stats));
	while (way < VN_WAY_COUNT && !stats.way_ops[way])
		way++;
	for (int r = 0; r < 2; r++)
		vn_comm_destroy(comm[r]);
	return (enum vn_way)way;
}

static void communicators(void)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	enum vn_way cheap = VN_WAY_PULL;

	for (int way = VN_WAY_PULL; way < VN_WAY_COUNT; way++) {
		char text[64];

		snprintf(text, sizeof(text), "all_reduce 2 64 %s 0.001\n",
			 vn_way_name((enum vn_way)way));
		rows(text);
		tap_ok(taken(NULL, VN_WAY_AUTO, NULL) == (enum vn_way)way,
		       "a communicator goes by the table: %s", vn_way_name((enum vn_way)way));
	}
	config.cost = callers;
	config.cost_arg = &cheap;
	tap_ok(taken(&config, VN_WAY_AUTO, NULL) == VN_WAY_PULL, "by a caller's figures");
	config.way = VN_WAY_SHARE;
	tap_ok(taken(&config, VN_WAY_AUTO, NULL) == VN_WAY_SHARE, "by its configuration");
	tap_ok(taken(&config, VN_WAY_PLAN, NULL) == VN_WAY_PLAN, "by the operation");
	tap_ok(taken(NULL, VN_WAY_AUTO, "rubbish\n") == VN_WAY_PLAN,
	       "the table is read when it is made, and not again");
	config.way = VN_WAY_AUTO;
	tap_ok(taken(&config, VN_WAY_AUTO, NULL) == VN_WAY_PULL, "nor at all by who needs it not");
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char command[128];

	snprintf(folder, sizeof(folder), "%.40s/vn-tuner.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		NEED(-errno);
	snprintf(table, sizeof(table), "%s/table", folder);
	unsetenv("VNEURON_COLL_WAY");
	dev = device();
	NEED(vn_set_chip(dev, 0));
	setenv("VNEURON_COLL_TABLE", "none", 1);
	built_in();
	setenv("VNEURON_COLL_TABLE", table, 1);
	table_says();
	foreign();
	malformed();
	places();
	precedence();
	communicators();
	vn_close(dev);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	if (system(command))
		tap_diag("%s stays", folder);
	return tap_done();
}
