// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every step of a drain, of coming back and of losing power, stopped before its record is
 * written, when it is written, when it is on disk and after the step itself; and there
 * something goes wrong. Meanwhile ranks add up, and memory and keys are in use. Each ends
 * in a state that is allowed, with every byte, key, pointer and address what it was, no
 * sum wrong, and what is taken of HBM as before.
 *
 * Who drains is another process, which stops itself (VNEURON_DRAIN_STOP). Without VN_QUICK
 * all of it; else each step once, each fault once, and one in VN_ONE_IN (20), from VN_SEED.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <vneuron/fault.h>
#include <vneuron/journal.h>
#include <vneuron/sled.h>

#include "drain_matrix.h"

#define OPERATION 0xd4a1ull

enum verb { DRAIN, UNDRAIN, MAINTAIN };

static const struct transition {
	const char *name;
	enum verb verb;
} transition[] = {
	{ "planned", DRAIN },	     { "cordoned", DRAIN },	{ "precopy", DRAIN },
	{ "fenced", DRAIN },	     { "committed", DRAIN },	{ "drained", DRAIN },
	{ "maintenance", MAINTAIN }, { "validating", UNDRAIN }, { "in_service", UNDRAIN },
};

static const char *const point[] = { "before", "written", "synced", "after" };

enum fault {
	KILL_DRAINER,
	KILL_CLIENT,
	SLED_LOST,
	LINK_CUT,
	NO_MEMORY,
	DISK_FULL,
	TORN,
	OTHER_EPOCH,
	CANCEL,
	FAULTS,
};

static const char *const fault_name[FAULTS] = {
	[KILL_DRAINER] = "who drains is killed",
	[KILL_CLIENT] = "a client is killed, in a collective",
	[SLED_LOST] = "the sled its chips go to is lost",
	[LINK_CUT] = "its links are cut",
	[NO_MEMORY] = "no memory",
	[DISK_FULL] = "the journal's disk is full",
	[TORN] = "killed, and the last record is torn",
	[OTHER_EPOCH] = "another drain has made another epoch",
	[CANCEL] = "it is called off",
};

static uint32_t dev_chips;
static char self[200], spec[100], disk[64], journal[80];

/* A cell, while it is being looked at. */
static struct cell {
	const struct transition *t;
	uint32_t at;
	enum fault fault;
	uint32_t sled, to, other, other_to;
	uint32_t chips[VN_MAX_CHIPS_PER_SLED], nchips; /* on the sled, at first */
	uint64_t operation;
	pid_t drainer;
	int exit; /* -1: killed */
	bool off; /* calling it off was accepted */
	bool struck; /* it came to that point, */
	bool gone; /* when its chips had moved */
	uint32_t epoch;
} cell;

/* ---- what is looked at --------------------------------------------------------------- */

static struct vn_sled_query sled(uint32_t n)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(dev, n, &q));
	return q;
}

static uint32_t epoch(void)
{
	struct vn_query q;

	NEED(vn_device_query(dev, &q));
	return q.epoch;
}

/* Are the chips elsewhere that were on the sled? */
static bool moved(void)
{
	for (uint32_t i = 0; i < cell.nchips; i++)
		if (chip(cell.chips[i]).sled == cell.sled)
			return false;
	return true;
}

/* ---- a client of its own ---------------------------------------------------------------- */

static vn_device_t client_dev;
static pid_t client_pid;

/* Of another process, where there are several; it fills for as long as it lives. */
static int client_main(void)
{
	vn_queue_t q;
	struct vn_mem m;

	dev = device();
	m = take(dev, 0, 4 * BYTES);
	q = queue(dev, 0, 8);
	for (uint64_t i = 0;; i++) {
		if (run_fill(q, (struct vn_operand){ VN_HERE, 0, 0, m.addr }, m.bytes, i, 8))
			return 1;
		if (!i && write(1, "u", 1) != 1)
			return 1;
	}
}

static void client_start(void)
{
	int up[2];
	char c;

	if (!in_kernel(dev)) {
		NEED(vn_reopen(dev, &client_dev));
		NEED(vn_set_chip(client_dev, 0));
		take(client_dev, 0, 4 * BYTES);
		return;
	}
	NEED(pipe(up));
	client_pid = fork();
	if (!client_pid) {
		dup2(up[1], 1);
		execl(self, self, "client", NULL);
		_exit(127);
	}
	close(up[1]);
	NEED(read(up[0], &c, 1) == 1 ? 0 : -EPIPE);
	close(up[0]);
}

static void client_kill(void)
{
	__atomic_store_n(&leave, true, __ATOMIC_RELAXED);
	if (client_dev)
		vn_close(client_dev);
	client_dev = NULL;
	if (!client_pid)
		return;
	kill(client_pid, SIGKILL);
	waitpid(client_pid, NULL, 0);
	client_pid = 0;
}

/* ---- who drains -------------------------------------------------------------------------- */

static struct vn_drain_config config_of(uint64_t operation)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	c.journal = journal;
	c.operation = operation;
	c.reason = "fan";
	/* Whatever the machine is busy with. */
	c.budget_ns = 2 * SECOND;
	return c;
}

/* drainer VERB SLED TO OPERATION SPEC JOURNAL */
static int drainer_main(char **av)
{
	uint32_t n = (uint32_t)strtoul(av[3], NULL, 10);
	struct vn_drain_config c = config_of(strtoull(av[5], NULL, 16));
	int err = vn_open(av[6], &dev);

	c.to = (uint32_t)strtoul(av[4], NULL, 10);
	c.journal = av[7];
	if (!err)
		err = *av[2] == '0'   ? vn_sled_drain(dev, n, &c, NULL)
		      : *av[2] == '1' ? vn_sled_undrain(dev, n, &c, NULL)
				      : vn_sled_maintain(dev, n, &c);
	if (err && getenv("VN_VERBOSE"))
		fprintf(stderr, "# drainer: %d: %s\n", err, vn_error());
	return err ? 1 : 0;
}

static pid_t drainer_start(enum verb verb, const char *stop_at)
{
	char v[4], n[12], to[12], op[20];
	pid_t pid;

	snprintf(v, sizeof(v), "%d", verb);
	snprintf(n, sizeof(n), "%u", cell.sled);
	snprintf(to, sizeof(to), "%u", cell.to);
	snprintf(op, sizeof(op), "%llx", (unsigned long long)cell.operation);
	pid = fork();
	if (!pid) {
		if (stop_at)
			setenv("VNEURON_DRAIN_STOP", stop_at, 1);
		execl(self, self, "drainer", v, n, to, op, spec, journal, NULL);
		_exit(127);
	}
	return pid;
}

/* Until it has stopped (true) or ended; what hangs is killed. */
static bool drainer_wait(pid_t pid, bool to_stop, int *status)
{
	uint64_t end = now_ns() + 60 * SECOND;
	pid_t got;

	while (!(got = waitpid(pid, status, WNOHANG | (to_stop ? WUNTRACED : 0)))) {
		if (now_ns() > end) {
			bad("who drains hangs");
			kill(pid, SIGKILL);
		}
		sched_yield();
		usleep(500);
	}
	return got == pid && WIFSTOPPED(*status);
}

/* ---- faults ---------------------------------------------------------------------------- */

static void make(uint32_t kind, uint32_t where, uint32_t count)
{
	NEED(vn_fault_inject(dev, &(const struct vn_fault){ kind, where, 0, count }));
}

static void fill_disk(void)
{
	char path[96], block[4096] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/filler", disk);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static void empty_disk(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/filler", disk);
	unlink(path);
}

static void tear(void)
{
	struct stat st;

	/* The header, of a record's size, is there. */
	if (!stat(journal, &st) && st.st_size > 512)
		NEED(truncate(journal, st.st_size - 7));
}

static void strike(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	cell.struck = true;
	cell.gone = moved();
	switch (cell.fault) {
	case KILL_DRAINER:
	case TORN:
		kill(cell.drainer, SIGKILL);
		break;
	case KILL_CLIENT:
		client_kill();
		break;
	case SLED_LOST:
		make(VN_FAULT_SLED_LOSS, cell.t->verb == DRAIN ? cell.to : cell.sled, 0);
		break;
	case LINK_CUT:
		make(VN_FAULT_LINK_CUT, cell.sled, 0);
		break;
	case NO_MEMORY:
		make(VN_FAULT_ALLOC_FAIL, 0, 1);
		break;
	case DISK_FULL:
		fill_disk();
		break;
	case OTHER_EPOCH:
		c.to = cell.other_to;
		c.budget_ns = 2 * SECOND;
		if (vn_sled_drain(dev, cell.other, &c, NULL))
			bad("another drain: %s", vn_error());
		break;
	case CANCEL:
		cell.off = !vn_sled_cancel(dev, cell.sled, cell.operation);
		break;
	case FAULTS:
		break;
	}
}

/* ---- outcomes ---------------------------------------------------------------------------- */

static struct vn_journal_record folded;

static int fold(void *arg, const struct vn_journal_record *r)
{
	(void)arg;
	if (r->sled == cell.sled && (r->to == VN_SLED_IN_SERVICE || r->to >= VN_SLED_COMMITTED))
		folded = *r;
	return 0;
}

/* Does the journal say that the sled is out of service? */
static bool journal_out(void)
{
	int err;

	folded = (struct vn_journal_record){ .to = VN_SLED_IN_SERVICE };
	err = vn_journal_read(journal, NULL, fold, NULL, NULL);
	if (err && err != -ENOENT)
		bad("the journal: %s", vn_error());
	return folded.to != VN_SLED_IN_SERVICE;
}

static bool settled(uint32_t state)
{
	return (state < VN_SLED_PLANNED || state > VN_SLED_COMMITTED) &&
	       state != VN_SLED_VALIDATING;
}

/* Who drained may have died a moment ago. */
static uint32_t final_state(void)
{
	uint64_t end = now_ns() + 20 * SECOND;

	while (!settled(sled(cell.sled).state) && now_ns() < end)
		sleep_ms(1);
	return sled(cell.sled).state;
}

static bool allowed(uint32_t s)
{
	bool good = !cell.exit, lost = cell.fault == SLED_LOST && s == VN_SLED_FAULTED;

	switch (cell.t->verb) {
	case DRAIN:
		if (cell.fault == OTHER_EPOCH || cell.fault == KILL_CLIENT)
			return good && s == VN_SLED_DRAINED && moved();
		if (cell.fault == CANCEL && good == cell.off)
			return false;
		if ((cell.fault == SLED_LOST || cell.fault == LINK_CUT) && good != cell.gone)
			return false;
		if (good)
			return s == VN_SLED_DRAINED && moved();
		return moved() ? s == VN_SLED_DRAINED : s == VN_SLED_IN_SERVICE;
	case UNDRAIN:
		if (good)
			return s == VN_SLED_IN_SERVICE || lost;
		return s == VN_SLED_DRAINED || s == VN_SLED_IN_SERVICE || lost ||
		       (s == VN_SLED_FAULTED && cell.fault == LINK_CUT);
	case MAINTAIN:
		if (good)
			return s == VN_SLED_MAINTENANCE || lost;
		return s == VN_SLED_DRAINED || s == VN_SLED_MAINTENANCE || lost;
	}
	return false;
}

/* A record may be missing where who should write it could not: then it can be made up for. */
static void check_journal(uint32_t s)
{
	bool out = journal_out(), is_out = s != VN_SLED_IN_SERVICE;
	int status = 0;

	if (out == is_out || s == VN_SLED_FAULTED)
		return;
	if (!cell.exit)
		bad("the journal does not know that it is %s", vn_sled_state_name(s));
	empty_disk();
	drainer_wait(drainer_start(is_out ? DRAIN : UNDRAIN, NULL), false, &status);
	if (status || journal_out() != is_out)
		bad("the journal, which says %s, is not repaired (%x)",
		    vn_sled_state_name(folded.to), (unsigned int)status);
}

/* What an operation of a rank may have come to, by the fault. */
static int may_fail(void)
{
	return cell.fault == KILL_CLIENT ? -ECANCELED
	       : cell.fault == SLED_LOST ? -EHOSTDOWN
	       : cell.fault == LINK_CUT	 ? -ENETUNREACH
					 : 0;
}

/* ---- a cell ------------------------------------------------------------------------------ */

static uint32_t spare_but(uint32_t but)
{
	for (uint32_t s = 0; s < (uint32_t)vn_sled_count(dev); s++)
		if (s != but && !sled(s).chips)
			return s;
	NEED(-ENOSPC);
	return 0;
}

static void set_up(void)
{
	struct vn_drain_config c;

	unlink(journal);
	cell.operation = OPERATION + rnd() % 0xffff;
	cell.sled = chip(0).sled;
	cell.other = chip(CHIPS - 1).sled;
	cell.to = spare_but(VN_ANY_SLED);
	cell.other_to = spare_but(cell.to);
	for (uint32_t n = 0; n < dev_chips; n++)
		if (chip(n).sled == cell.sled)
			cell.chips[cell.nchips++] = n;
	sums = wrong_sums = 0;
	if (cell.fault == KILL_CLIENT)
		client_start();
	ranks_start();
	if (cell.t->verb != DRAIN) {
		c = config_of(cell.operation);
		c.to = cell.to;
		NEED(vn_sled_drain(dev, cell.sled, &c, NULL));
	}
	cell.epoch = epoch();
}

static void clear_up(void)
{
	bool lost[CHIPS];

	for (uint32_t c = 0; c < CHIPS; c++)
		lost[c] = vn_chip_lost(dev, c);
	NEED(vn_fault_clear(dev, &(const struct vn_fault){ VN_FAULT_ANY, 0, 0, 0 }));
	empty_disk();
	for (uint32_t s = 0; s < (uint32_t)vn_sled_count(dev); s++)
		if (sled(s).state != VN_SLED_IN_SERVICE)
			NEED(vn_sled_undrain(dev, s, NULL, NULL));
	for (uint32_t c = 0; c < CHIPS; c++)
		if (lost[c])
			hold_again(c);
	for (uint32_t c = 0; c < CHIPS; c++)
		if (chip(c).hbm_used != held[c].used)
			bad("chip %u: in the end %llu bytes are taken, were %llu", c,
			    (unsigned long long)chip(c).hbm_used, (unsigned long long)held[c].used);
}

static void check_epoch(void)
{
	uint32_t moves = cell.t->verb == DRAIN && moved();

	moves += cell.fault == OTHER_EPOCH && cell.struck;
	if (epoch() != cell.epoch + moves)
		bad("epoch %u, was %u", epoch(), cell.epoch);
}

static bool run_cell(const struct transition *t, uint32_t at, enum fault fault)
{
	int status = 0;
	char stop_at[40];
	uint32_t s;

	*wrong_text = 0;
	cell = (struct cell){ .t = t, .at = at, .fault = fault };
	set_up();
	snprintf(stop_at, sizeof(stop_at), "%s:%s", t->name, point[at]);
	cell.drainer = drainer_start(t->verb, stop_at);
	if (drainer_wait(cell.drainer, true, &status)) {
		strike();
		kill(cell.drainer, SIGCONT);
		drainer_wait(cell.drainer, false, &status);
	} else {
		bad("it never came there");
	}
	cell.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	s = final_state();
	if (fault == TORN)
		tear();
	if (!allowed(s))
		bad("exit status %d, %s, its chips are %s", cell.exit, vn_sled_state_name(s),
		    moved() ? "elsewhere" : "there");
	ranks_end(may_fail());
	if (client_dev || client_pid)
		client_kill();
	check_epoch();
	check_held();
	check_journal(s);
	clear_up();
	if (*wrong_text)
		tap_diag("%s, %s: %s", stop_at, fault_name[fault], wrong_text);
	return !*wrong_text;
}

static bool has_spares(void)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < (uint32_t)vn_sled_count(dev); s++)
		n += !sled(s).chips;
	return n >= 2;
}

/* A disk of its own, for the journal: it can be full. */
static bool own_disk(void)
{
	snprintf(disk, sizeof(disk), "/tmp/vn-matrix.XXXXXX");
	NEED(mkdtemp(disk) ? 0 : -errno);
	snprintf(journal, sizeof(journal), "%s/journal", disk);
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", disk, "tmpfs", 0, "size=128k,mode=700");
}

static void test_matrix(bool full_disk)
{
	const char *seed = getenv("VN_SEED"), *one_in = getenv("VN_ONE_IN");
	uint32_t share = one_in && atoi(one_in) > 0 ? (uint32_t)atoi(one_in) : 20;
	uint64_t x = seed ? strtoull(seed, NULL, 10) : now_ns() % 1000000;
	unsigned int cells = 0, failed = 0, all_sums = 0;

	for (uint32_t f = 0; f < FAULTS; f++) {
		for (uint32_t t = 0; t < COUNT(transition); t++) {
			for (uint32_t p = 0; p < COUNT(point); p++) {
				uint32_t n = (f * COUNT(transition) + t) * COUNT(point) + p;
				bool once = f == t && p == (x + f) % COUNT(point);

				if (f == DISK_FULL && !full_disk)
					continue;
				if (quick() && !once && (n * 2654435761u + x) % share)
					continue;
				cells++;
				failed += !run_cell(&transition[t], p, (enum fault)f);
				all_sums += sums;
			}
		}
	}
	tap_ok(!failed && cells, "VN_SEED=%llu: %u cells, %u ended as they must not; %u sums",
	       (unsigned long long)x, cells, failed, all_sums);
	if (!full_disk)
		tap_skip("only as root a disk can be full");
}

int main(int ac, char **av)
{
	struct vn_query q;
	bool full_disk;

	NEED(readlink("/proc/self/exe", self, sizeof(self) - 1));
	if (ac > 7 && !strcmp(av[1], "drainer"))
		return drainer_main(av);
	if (ac > 1 && !strcmp(av[1], "client"))
		return client_main();
	if (!getenv("VNEURON_DEVICE") || !strncmp(getenv("VNEURON_DEVICE"), "embedded", 8)) {
		setenv("VNEURON_DEVICE", "embedded:sleds=4,chips=2,spares=2,hbm=8M,control=1", 1);
		snprintf(spec, sizeof(spec), "pid:%d", getpid());
	} else {
		snprintf(spec, sizeof(spec), "%s", device_spec());
	}
	full_disk = own_disk();
	dev = device();
	NEED(vn_device_query(dev, &q));
	dev_chips = q.chips;
	if (!has_spares()) {
		tap_skip("only with two spare sleds");
		return tap_done();
	}
	hold();
	for (uint32_t c = 0; c < CHIPS; c++)
		held[c].used = chip(c).hbm_used;
	test_matrix(full_disk);
	for (uint32_t c = 0; c < CHIPS; c++)
		vn_queue_destroy(held[c].queue);
	vn_close(dev);
	umount2(disk, MNT_DETACH);
	rmdir(disk);
	return tap_done();
}
