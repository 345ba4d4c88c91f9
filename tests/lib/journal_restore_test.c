// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a device that begins anew gets back, from the journal, which sleds were out
 * of service, why, by whom and by which operation; that memory which is there by then
 * moves; that what can't be restored does not keep others from it. And that whenever who
 * drains is killed, the journal tells what had happened, and nothing else.
 */
#include <signal.h>
#include <sys/wait.h>

#include <vneuron/fault.h>

#include "journal_drain.h"

#define WHO 1234

static const struct vn_journal_shape own = { 3, 2, 2 };

static void again(void)
{
	vn_close(dev);
	open_device(SPEC);
}

/* What was restored, in that order. */
static struct {
	uint32_t n, already;
	uint32_t sled[8];
	int err[8];
} got;

static void count_one(void *arg, const struct vn_restored *r)
{
	(void)arg;
	got.err[got.n] = r->error;
	got.sled[got.n++] = r->record->sled;
	got.already += r->already;
	if (r->error)
		tap_diag("%s", r->text);
}

static int restore(void)
{
	memset(&got, 0, sizeof(got));
	return vn_sled_restore(dev, path, count_one, NULL);
}

/* A journal in which these sleds are in those states, by operation 0x50 + sled. */
static void write_journal(const uint32_t (*sleds)[2], uint32_t n, const struct vn_journal_shape *s)
{
	struct vn_journal *j;

	unlink(path);
	NEED(vn_journal_open(path, s, &j));
	for (uint32_t i = 0; i < n; i++) {
		struct vn_journal_record r = { .sled = sleds[i][0],
					       .operation = 0x50 + sleds[i][0],
					       .from = VN_SLED_COMMITTED,
					       .to = sleds[i][1],
					       .target = VN_ANY_SLED,
					       .uid = WHO,
					       .reason = "pump" };

		NEED(vn_journal_append(j, &r));
	}
	NEED(vn_journal_close(j));
}

/* Is it in that state as that journal says? */
static bool is_in(uint32_t n, uint32_t state)
{
	struct vn_sled_query q = sled(n);

	return q.state == state && q.operation == 0x50 + n && q.uid == WHO &&
	       !strcmp((char *)q.reason, "pump") && !q.chips;
}

static bool is_out(uint32_t n)
{
	return is_in(n, VN_SLED_DRAINED);
}

static bool same_sled(const struct vn_sled_query *a, const struct vn_sled_query *b)
{
	return a->state == b->state && a->operation == b->operation && a->uid == b->uid &&
	       !memcmp(a->reason, b->reason, sizeof(a->reason)) && a->chips == b->chips;
}

static void test_same(void)
{
	struct vn_sled_query was[2], is[2];
	uint32_t before;
	struct vn_mem m;
	uint8_t *ptr;
	uint32_t bad = 0;

	unlink(path);
	NEED(drain(0, 0xa));
	NEED(drain(1, 0xb));
	NEED(undrain(1));
	NEED(drain(2, 0xc));
	was[0] = sled(0);
	was[1] = sled(2);
	again();
	tap_ok(sled(0).state == VN_SLED_IN_SERVICE, "a device begins with all in service");
	m = take(dev, 0, 1 << 20);
	ptr = m.ptr;
	vn_mem_begin(dev, ptr, m.bytes);
	memset(ptr, 0x3c, m.bytes);
	vn_mem_end(dev);
	before = records().n;
	tap_ok(!restore() && got.n == 2 && !got.already, "two sleds are restored: %s",
	       got.n == 2 ? "" : vn_error());
	is[0] = sled(0);
	is[1] = sled(2);
	tap_ok(same_sled(&was[0], &is[0]) && same_sled(&was[1], &is[1]) &&
		       sled(1).state == VN_SLED_IN_SERVICE && records().n == before,
	       "state, operation, user and reason are what they were");
	for (uint64_t i = 0; i < m.bytes; i++)
		bad += ptr[i] != 0x3c;
	tap_ok(!bad && m.ptr == ptr && sled_of(0) != 0, "memory has moved from there (%u wrong)",
	       bad);
	tap_ok(!restore() && got.n == 2 && got.already == 2, "again, nothing happens");
	tap_ok(!undrain(0) && !restore() && got.n == 1 && got.already == 1,
	       "what comes back stays there");
	NEED(vn_mem_free(dev, &m));
}

/* Who brought a sled back died before he could write it down; then chips came there. */
static void test_unwritten(void)
{
	struct vn_mem m;

	again();
	unlink(path);
	NEED(drain(0, 0xa));
	NEED(vn_sled_undrain(dev, 0, NULL, NULL));
	m = take(dev, 2, 4096);
	{
		struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

		c.to = 0;
		c.journal = path;
		NEED(vn_sled_drain(dev, sled_of(2), &c, NULL));
	}
	NEED(vn_mem_free(dev, &m));
	again();
	tap_ok(!restore() && got.n == 1 && got.sled[0] == 1 && sled(0).state == VN_SLED_IN_SERVICE,
	       "a sled that chips have come to since is in service: %u are restored", got.n);
}

static void test_states(void)
{
	static const uint32_t states[][2] = { { 0, VN_SLED_MAINTENANCE }, { 4, VN_SLED_FAULTED } };
	static const uint32_t drained[][2] = { { 0, VN_SLED_DRAINED } };
	static const uint32_t tested[][2] = { { 3, VN_SLED_VALIDATING }, { 1, VN_SLED_COMMITTED } };

	again();
	write_journal(states, 2, &own);
	tap_ok(!restore() && got.n == 2 && is_in(0, VN_SLED_MAINTENANCE) && is_out(4),
	       "what was in maintenance or faulted is out of service: %s",
	       got.n == 2 ? "" : vn_error());
	/* Or those of sled 0 would have to move on. */
	tap_ok(got.sled[0] == 4 && sled_of(0) == 3, "first what nobody is to move to");
	tap_ok(!restore() && got.already == 2, "and is so already");
	again();
	write_journal(drained, 1, &own);
	NEED(restore());
	write_journal(states, 1, &own);
	tap_ok(!restore() && !got.already && is_in(0, VN_SLED_MAINTENANCE),
	       "what was restored by half is so in the end");
	again();
	write_journal(tested, 2, &own);
	tap_ok(!restore() && is_out(3) && is_out(1), "so is what was tested, or had just moved");
}

/* The sled is lost while it is drained. */
static void lose(uint32_t state, enum vn_drain_point point, void *arg)
{
	const struct vn_fault f = { .kind = VN_FAULT_SLED_LOSS };

	(void)arg;
	if (state == VN_SLED_FENCED && point == VN_POINT_SYNCED)
		NEED(vn_fault_inject(dev, &f));
}

static void test_faulted(void)
{
	struct vn_fault cut = { .kind = VN_FAULT_LINK_CUT };
	int err;

	again();
	unlink(path);
	NEED(drain(0, 0x50));
	NEED(vn_fault_inject(dev, &cut));
	tap_ok(undrain(0) == -EIO && sled(0).state == VN_SLED_FAULTED &&
		       journal_says(0) == VN_SLED_FAULTED,
	       "what does not pass is faulted, says the journal: %s", vn_error());
	again();
	tap_ok(!restore() && sled(0).operation == 0x50 && !strcmp((char *)sled(0).reason, "fan"),
	       "and was drained by that operation");
	again();
	unlink(path);
	vn_drain_hook = lose;
	err = drain(0, 0x51);
	vn_drain_hook = NULL;
	tap_ok(err == -EHOSTDOWN && sled(0).state == VN_SLED_FAULTED &&
		       journal_says(0) == VN_SLED_FAULTED,
	       "lost while it was drained, it is faulted, too: %s", vn_error());
	again();
	tap_ok(!restore() && sled(0).state == VN_SLED_DRAINED &&
		       !strcmp((char *)sled(0).reason, "lost") && !restore() && got.already == 1,
	       "and out of service after a restart");
}

static void test_short(void)
{
	static const uint32_t many[][2] = { { 0, VN_SLED_DRAINED },
					    { 1, VN_SLED_DRAINED },
					    { 2, VN_SLED_DRAINED } };
	int err;

	again();
	write_journal(many, 3, &own);
	err = restore();
	tap_ok(err == -ENOSPC && strstr(vn_error(), "sled 2: its 2 chips want as many slots, 0 are "
						    "free: 2 short"),
	       "too few slots: %s", vn_error());
	tap_ok(got.n == 3 && is_out(0) && is_out(1) && got.err[2] == -ENOSPC &&
		       sled(2).state == VN_SLED_IN_SERVICE,
	       "the others are restored");
	again();
	NEED(vn_sled_drain(dev, 1, NULL, NULL));
	tap_ok(restore() == -EINVAL && strstr(vn_error(), "sled 1: it is drained") && is_out(0),
	       "drained by another operation: %s", vn_error());
}

static void test_refused(void)
{
	static const uint32_t one[][2] = { { 0, VN_SLED_DRAINED } };
	size_t bytes;

	again();
	unlink(path);
	tap_ok(restore() == -ENOENT && says("No such file") && !got.n, "no journal: %s",
	       vn_error());
	write_journal(one, 1, &shape);
	tap_ok(restore() == -EINVAL && says("36 sleds") && !got.n, "of another machine: %s",
	       vn_error());
	write_journal(one, 1, &own);
	bytes = load();
	image[SLOT + 30] ^= 1;
	store(bytes);
	/* Its only record is the last: it may be torn. */
	tap_ok(!restore() && !got.n, "a torn end has not happened");
	memset(image + bytes, 0x55, SLOT);
	store(bytes + SLOT);
	tap_ok(restore() == -EUCLEAN && says("damaged") && !got.n &&
		       sled(0).state == VN_SLED_IN_SERVICE,
	       "damaged: %s", vn_error());
}

/* ---- killed --------------------------------------------------------------------------- */

static const char *const points[VN_POINTS] = { "before", "written", "synced", "after" };

/* Drains sled 0, and brings it back, until it stops at that point. */
static pid_t stop_at(uint32_t state, uint32_t point)
{
	char where[64];
	int status = 0;
	pid_t pid = fork();

	NEED(pid);
	if (!pid) {
		snprintf(where, sizeof(where), "%s:%s", vn_sled_state_name(state), points[point]);
		setenv("VNEURON_DRAIN_STOP", where, 1);
		open_device(SPEC);
		_exit(drain(0, 0xdead) || undrain(0));
	}
	waitpid(pid, &status, WUNTRACED);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
		tap_diag("%s:%s: status %x", vn_sled_state_name(state), points[point], status);
		return 0;
	}
	return pid;
}

static bool kill_at(uint32_t state, uint32_t point)
{
	pid_t pid = stop_at(state, point);
	int status;

	return pid && !kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid;
}

/* Killed at that point, with so many records before: what the journal then says. */
static uint32_t check_killed(uint32_t state, uint32_t point, uint32_t before)
{
	struct vn_sled_query q;
	struct found f;
	uint32_t wrong;
	bool out;

	unlink(path);
	if (!kill_at(state, point))
		return 1;
	f = records();
	/* On its way it may be there, or not. */
	wrong = point == VN_POINT_WRITTEN ? f.n != before && f.n != before + 1
					  : f.n != before + (point > VN_POINT_WRITTEN);
	for (uint32_t i = 0; i < f.n; i++)
		wrong += f.r[i].to != (i < COUNT(out_states) ? out_states[i]
							     : back_states[i - COUNT(out_states)]);
	/* COMMITTED, DRAINED, VALIDATING: it is out. */
	out = f.n > 4 && f.n < 8;
	wrong += (journal_says(0) != VN_SLED_IN_SERVICE) != out;
	open_device(SPEC);
	wrong += restore() || got.n != out;
	q = sled(0);
	wrong += q.state != (out ? VN_SLED_DRAINED : VN_SLED_IN_SERVICE);
	wrong += out && (q.operation != 0xdead || strcmp((char *)q.reason, "fan") != 0);
	/* And it goes on from there. */
	wrong += (out ? undrain(0) : drain(0, 0xbeef)) != 0;
	wrong += (journal_says(0) == VN_SLED_IN_SERVICE) != out;
	vn_close(dev);
	if (wrong)
		tap_diag("killed at %s:%s: %u records, the sled is %s", vn_sled_state_name(state),
			 points[point], f.n, vn_sled_state_name(q.state));
	return wrong;
}

static void test_killed(void)
{
	uint32_t wrong = 0, n = 0;

	for (uint32_t i = 0; i < COUNT(out_states); i++)
		for (uint32_t p = 0; p < VN_POINTS; p++, n++)
			wrong += check_killed(out_states[i], p, i);
	tap_ok(!wrong, "killed at any of %u points of a drain, the journal tells it (%u wrong)", n,
	       wrong);
	for (uint32_t i = 0; i < COUNT(back_states); i++)
		for (uint32_t p = 0; p < VN_POINTS; p++, n++)
			wrong += check_killed(back_states[i], p, COUNT(out_states) + i);
	tap_ok(!wrong, "and of a coming back (%u wrong)", wrong);
}

static void test_stopped(void)
{
	char who[32];
	pid_t pid;
	int status = -1, err;

	unlink(path);
	pid = stop_at(VN_SLED_FENCED, VN_POINT_WRITTEN);
	snprintf(who, sizeof(who), "process %d writes", pid);
	open_device(SPEC);
	err = drain(1, 0x1);
	tap_ok(err == -EBUSY && says(who) && sled(1).state == VN_SLED_IN_SERVICE,
	       "stopped while it writes, others are told: %s", vn_error());
	NEED(kill(pid, SIGCONT));
	waitpid(pid, &status, 0);
	tap_ok(!status && journal_says(0) == VN_SLED_IN_SERVICE && !drain(1, 0x1),
	       "then both go on (status %x)", status);
	vn_close(dev);
	unlink(path);
	pid = stop_at(VN_SLED_FENCED, VN_POINT_SYNCED);
	open_device(SPEC);
	err = drain(1, 0x1);
	tap_ok(!err, "stopped between two records, others don't wait: %s", err ? vn_error() : "");
	NEED(kill(pid, SIGCONT));
	waitpid(pid, &status, 0);
	tap_ok(!status && journal_says(0) == VN_SLED_IN_SERVICE &&
		       journal_says(1) == VN_SLED_DRAINED,
	       "two processes, one journal (status %x)", status);
	vn_close(dev);
}

int main(void)
{
	int fds = set_up();

	open_device(SPEC);
	test_same();
	test_unwritten();
	test_states();
	test_faulted();
	test_short();
	test_refused();
	vn_close(dev);
	test_killed();
	test_stopped();
	tear_down(fds);
	return tap_done();
}
