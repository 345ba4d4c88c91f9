// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs of calls, mappings, ring and descriptor writes, drains, netlink messages, threads
 * and children (tests/fuzz/steps.h), changed again and again; what reaches something new in
 * the module, by KCOV, is kept and changed further. After each all is as it was before: HBM,
 * queues, windows, contexts, sleds. That nothing else went wrong is in the kernel's log.
 *
 *	fuzz [-o DIR] [CORPUS DIR...]	for VN_SECONDS, from VN_SEED
 *	fuzz -r FILE...			each program once
 *
 * DIR gets "current", the program under way, and when all is over those that were found, and
 * the places that all came by.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "../../lib/netlink.h"
#include "../tap.h"
#include "fuzz/kcov.h"
#include "fuzz/stage.h"
#include "../fuzz/steps_make.h"

#define KEPT_MAX 4096u
/* A program that takes longer hangs. */
#define HANG_S 120u

struct program {
	uint32_t n, unused;
	struct step step[STEPS_MAX];
};

static struct program *kept[KEPT_MAX];
static uint32_t nkept;
static struct steps_stage stage;
static struct vn_nl *rows;
static const char *out;
static uint64_t programs, seed, calls, refused;
static int current_fd = -1, keeper;

/* ---- the field -------------------------------------------------------------------------- */

static void on_fault(int sig)
{
	if (falling)
		siglongjmp(fell, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_alarm(int sig)
{
	static const char text[] = "not ok 1 - a program does not end\n";

	(void)sig;
	if (write(1, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

static void begin_signals(void)
{
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sigaction hang = { .sa_handler = on_alarm };

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGALRM, &hang, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void clear_arena(void)
{
	if (mmap(field.arena, ARENA, PROT_NONE,
		 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != field.arena)
		abort();
	field.used = 0;
}

static int begin_field(void)
{
	uint8_t *edge;
	int on = 1;

	field.query.size = sizeof(field.query);
	keeper = open(NODE, O_RDWR | O_CLOEXEC);
	if (keeper < 0 || ioctl(keeper, VN_IOCTL_QUERY, &field.query))
		return -errno;
	field.chip_fd[0] = open(NODE "c0", O_RDWR | O_CLOEXEC);
	field.chip_fd[1] = open(NODE "c1", O_RDWR | O_CLOEXEC);
	field.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	field.arena =
		mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (field.arena == MAP_FAILED || edge == MAP_FAILED || mprotect(edge + PAGE, PAGE, 0))
		return -errno;
	field.end = edge + PAGE;
	field.nl = nl_socket_alloc();
	if (!field.nl || genl_connect(field.nl) || vn_nl_open(&rows))
		return -EPROTO;
	field.nl_fd = nl_socket_get_fd(field.nl);
	setsockopt(field.nl_fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	field.family = genl_ctrl_resolve(field.nl, VN_NL_FAMILY);
	return field.family < 0 ? -ENOENT : 0;
}

static void begin_stage(void)
{
	memset(&stage, 0, sizeof(stage));
	stage.home = &module_home;
	stage.fd[0] = field.chip_fd[0];
	stage.fd[1] = field.chip_fd[1];
	stage.fd[2] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	stage.fd[3] = field.null;
	for (uint32_t i = 4; i < STEPS_OBJECTS; i++)
		stage.fd[i] = -1;
	stage.nfd = 4;
}

/* Everything that the program had. */
static void clear_field(void)
{
	int status;

	for (uint32_t i = 0; i < field.nwaiters; i++)
		pthread_join(field.waiter[i].thread, NULL);
	for (uint32_t i = 0; i < field.nchildren; i++) {
		kill(field.child[i], SIGKILL);
		waitpid(field.child[i], &status, 0);
	}
	field.nwaiters = field.nchildren = 0;
	clear_arena();
	close_range((unsigned int)field.first_fd, ~0u, 0);
}

/* ---- afterwards -------------------------------------------------------------------------- */

/* A sled that is out of service comes back. */
static void bring_back(uint32_t sled)
{
	struct vn_sled_query q = { .size = sizeof(q), .sled = sled };
	struct vn_drain_step step = { .size = sizeof(step), .to = VN_SLED_IN_SERVICE };
	struct vn_drain_open open = { .size = sizeof(open),
				      .sled = sled,
				      .to = VN_ANY_SLED,
				      .flags = VN_DRAIN_BACK,
				      .operation = 1,
				      .budget_ns = 10000000 };

	if (ioctl(keeper, VN_IOCTL_SLED_QUERY, &q) || q.state == VN_SLED_IN_SERVICE)
		return;
	if (ioctl(keeper, VN_IOCTL_DRAIN_OPEN, &open))
		return;
	ioctl(open.fd, VN_IOCTL_DRAIN_STEP, &step);
	close(open.fd);
}

static int count_row(struct nlattr *const *attrs, void *arg)
{
	(void)attrs;
	++*(uint32_t *)arg;
	return 0;
}

/* What of it is still there; NULL: nothing. */
static const char *left(void)
{
	static char text[128];
	uint32_t contexts = 0;

	for (uint32_t i = 0; i < field.query.chips; i++) {
		struct vn_chip_query q = { .size = sizeof(q), .chip = i };

		/* Of a large machine all of them are looked at now and then. */
		if (i >= 8 && programs % 64)
			break;
		if (ioctl(keeper, VN_IOCTL_CHIP_QUERY, &q))
			return "a chip does not answer";
		if (!q.hbm_used && !q.queues && !q.windows)
			continue;
		snprintf(text, sizeof(text), "chip %u: %llu bytes, %u queues, %u windows", i,
			 (unsigned long long)q.hbm_used, q.queues, q.windows);
		return text;
	}
	for (uint32_t i = 0; i < field.query.sleds + field.query.spares; i++) {
		struct vn_sled_query q = { .size = sizeof(q), .sled = i };

		if (i >= 4 && programs % 64)
			continue;
		if (ioctl(keeper, VN_IOCTL_SLED_QUERY, &q) || q.state != VN_SLED_IN_SERVICE) {
			snprintf(text, sizeof(text), "sled %u: state %u", i, q.state);
			return text;
		}
	}
	if (programs % 16 == 0 && vn_nl_dump(rows, VN_NL_CMD_CONTEXT, count_row, &contexts))
		return "contexts are not listed";
	if (contexts > 1) {
		snprintf(text, sizeof(text), "%u contexts", contexts - 1);
		return text;
	}
	return NULL;
}

/* Some of it goes when a worker has done with it: within a moment. */
static const char *settle(void)
{
	const char *what = NULL;

	if (field.faults)
		vn_nl_fault_clear(rows, &(struct vn_fault){ 0 });
	field.faults = false;
	for (uint32_t i = 0; i < 200; i++) {
		what = left();
		if (!what)
			return NULL;
		for (uint32_t s = 0; s < field.query.sleds + field.query.spares; s++)
			bring_back(s);
		if (i > 2)
			usleep(10000);
	}
	return what;
}

/* ---- a program --------------------------------------------------------------------------- */

/* What it was if the kernel does not live through it. */
static void note_current(const struct program *p)
{
	if (current_fd >= 0 && pwrite(current_fd, p, sizeof(*p), 0) != sizeof(*p))
		abort();
}

/* Runs it; how many pairs of places were new. *what: what it has left. */
static uint32_t run(const struct program *p, const char **what)
{
	uint32_t fresh = 0;

	note_current(p);
	alarm(HANG_S);
	begin_stage();
	if (kcov.area)
		kcov_begin();
	for (uint32_t i = 0; i < p->n; i++)
		one_step(&stage, &p->step[i], p->n - i - 1);
	clear_field();
	if (kcov.area)
		fresh = kcov_end();
	*what = settle();
	programs++;
	alarm(0);
	return fresh;
}

static void keep(const struct program *p, struct steps_dice *d)
{
	uint32_t at = nkept < KEPT_MAX ? nkept++ : steps_below(d, KEPT_MAX);

	if (!kept[at])
		kept[at] = malloc(sizeof(*p));
	if (!kept[at])
		abort();
	*kept[at] = *p;
}

/* Steps, or all of "current", which has their number in front. */
static bool load(const char *path, struct program *p)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	bool good;

	if (!f)
		return false;
	p->n = STEPS_MAX;
	good = !fstat(fileno(f), &st);
	if (good && st.st_size == sizeof(*p))
		good = fread(p, offsetof(struct program, step), 1, f) == 1 && p->n <= STEPS_MAX;
	if (good)
		p->n = (uint32_t)fread(p->step, sizeof(p->step[0]), p->n, f);
	fclose(f);
	return good;
}

static void load_all(const char *dir, struct steps_dice *dice)
{
	DIR *d = opendir(dir);
	struct program p;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[600];

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && load(path, &p) && p.n)
			keep(&p, dice);
	}
	if (d)
		closedir(d);
}

/* All but the first, which were given. */
static void dump(uint32_t given)
{
	char path[600];

	for (uint32_t i = given; out && i < nkept; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/kept-%04u", out, i);
		f = fopen(path, "we");
		if (!f)
			return;
		fwrite(kept[i]->step, sizeof(kept[i]->step[0]), kept[i]->n, f);
		fclose(f);
	}
}

static void dump_places(void)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/places", out ?: "");
	if (out && kcov.area)
		kcov_write(path);
}

/* ---- for a while --------------------------------------------------------------------------- */

static void tell(uint64_t began)
{
	const char *of = getenv("VN_PLACES");
	double s = (double)(now_ns() - began) / 1e9;

	tap_diag("%.0f s: %llu programs, %.0f calls/s, %.0f%% of them refused, %u kept, "
		 "%u places of the module%s%s, %u pairs",
		 s, (unsigned long long)programs, (double)calls / s,
		 calls ? 100.0 * (double)refused / (double)calls : 0.0, nkept, kcov.npcs,
		 of ? " of " : "", of ?: "", kcov.npairs);
}

static bool one_program(struct steps_dice *d, const char **what)
{
	static struct program p;
	const struct program *other = nkept ? kept[steps_below(d, nkept)] : NULL;

	p.n = 0;
	/* What came last has the most that nobody has tried. */
	if (nkept && steps_below(d, 16)) {
		uint32_t from = steps_below(d, 2) && nkept > 32 ? nkept - 32 : 0;

		p = *kept[from + steps_below(d, nkept - from)];
	}
	steps_mutate(d, p.step, &p.n, STEPS_MAX, other ? other->step : NULL, other ? other->n : 0);
	if (run(&p, what))
		keep(&p, d);
	calls += stage.calls;
	refused += stage.failed;
	return !*what;
}

static int fuzz(int n, char **dirs)
{
	const char *seconds = getenv("VN_SECONDS"), *from = getenv("VN_SEED"), *what = NULL;
	uint64_t began = now_ns(), told = began, end;
	struct steps_dice d = { 0, field.query.chips < 4 ? field.query.chips : 4,
				field.query.sleds + field.query.spares };
	uint32_t given;

	seed = from ? strtoull(from, NULL, 0) : began;
	d.x = seed;
	end = began + (seconds ? strtoull(seconds, NULL, 0) : 10) * 1000000000;
	for (int i = 0; i < n; i++)
		load_all(dirs[i], &d);
	given = nkept;
	tap_diag("VN_SEED=%llu, %u programs to begin with", (unsigned long long)seed, given);
	/* Half of the time at most: then others than the last time are tried. */
	for (uint32_t i = 0; i < given && !what && now_ns() < began + (end - began) / 2; i++) {
		run(kept[(i + seed) % given], &what);
		calls += stage.calls;
		refused += stage.failed;
	}
	while (!what && now_ns() < end) {
		one_program(&d, &what);
		if (now_ns() - told < 30000000000ull)
			continue;
		told = now_ns();
		tell(began);
	}
	tell(began);
	if (kcov.lost)
		tap_diag("%llu programs came by more places than there is room for",
			 (unsigned long long)kcov.lost);
	tap_ok(!what, "%llu programs, after each nothing is left%s%s", (unsigned long long)programs,
	       what ? ": " : "", what ?: "");
	dump(given);
	dump_places();
	return tap_done();
}

static int replay(int n, char **files)
{
	const char *what;
	struct program p;

	for (int i = 0; i < n; i++) {
		if (!load(files[i], &p)) {
			tap_ok(0, "%s: can't be read", files[i]);
			continue;
		}
		run(&p, &what);
		tap_ok(!what, "%s: %u steps, %llu calls, %llu refused%s%s", files[i], p.n,
		       (unsigned long long)stage.calls, (unsigned long long)stage.failed,
		       what ? ": left: " : "", what ?: "");
	}
	dump_places();
	return tap_done();
}

int main(int argc, char **argv)
{
	int opt, err, again = 0;
	char path[600];

	while ((opt = getopt(argc, argv, "ro:")) > 0) {
		if (opt == '?')
			return 2;
		if (opt == 'r')
			again = 1;
		else
			out = optarg;
	}
	err = begin_field();
	if (err) {
		fprintf(stderr, NODE ": %s\n", strerror(-err));
		return 1;
	}
	if (!kcov_open() && !again) {
		printf("1..0 # SKIP only on a kernel with KCOV\n");
		return 77;
	}
	if (out) {
		snprintf(path, sizeof(path), "%s/current", out);
		current_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	}
	begin_signals();
	field.first_fd = dup(field.null);
	close(field.first_fd);
	clear_arena();
	return again ? replay(argc - optind, argv + optind) : fuzz(argc - optind, argv + optind);
}
