// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sled drain: taking a sled out of service, or what that would take; sled cancel. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "sled_plan.h"

#define BUDGET_MS 10
#define DEADLINE_S 60
#define DEADLINE_MAX_S 86400
/* The line on the terminal changes so often. */
#define SHOW_NS 100000000ull
/* Between two tries, with --wait. */
#define WAIT_NS 100000000ull

enum {
	OPT_REASON,
	OPT_BUDGET,
	OPT_DEADLINE,
	OPT_TO,
	OPT_OPERATION,
	OPT_DRY_RUN,
	OPT_WAIT,
	OPT_JOURNAL,
};

const struct ctl_option sled_drain_options[] = {
	[OPT_REASON] = { "reason", "TEXT", "for others to see, up to 63 bytes" },
	[OPT_BUDGET] = { "budget", "MS", "how long writers may be kept out (10)" },
	[OPT_DEADLINE] = { "deadline", "S", "how long it may copy before it gives up (60)" },
	[OPT_TO] = { "to", "SLED", "where its chips go (any that has room)" },
	[OPT_OPERATION] = { "operation", "HEX", "its number (a random one)" },
	[OPT_DRY_RUN] = { "dry-run", NULL, "say what it would take, change nothing" },
	[OPT_WAIT] = { "wait", NULL, "wait for another operation to end, or for room" },
	[OPT_JOURNAL] = { "journal", "FILE", "where each step is kept, or none" },
	{ NULL, NULL, NULL },
};

const struct ctl_option sled_cancel_options[] = {
	{ "operation", "HEX", "only if it is this one (whichever it is)" },
	{ NULL, NULL, NULL },
};

struct drain {
	struct ctl *c;
	uint64_t sled, to;
	struct vn_drain_config config;
	struct vn_drain_report report;
	struct vn_drain_open planned;
	uint64_t bytes; /* on the sled, before they moved */
	bool stepped;
	bool off;
	unsigned int in_vain; /* tries in a row that failed though nothing of sleds is in the way */
	uint64_t end; /* of waiting */
	char why[512]; /* the last one failed */
	bool terminal;
	int width; /* of the line there */
	uint32_t shown_state;
	uint64_t shown_ns;
};

/* ---- while it goes on ------------------------------------------------------------ */

/*
 * They are looked for between two steps, so that none is cut short. Before the device
 * is opened: its threads must not be killed by them either.
 */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool signalled(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM));
}

static void show(struct drain *d, const struct vn_drain_report *r)
{
	const struct vn_drain_step *s = &r->last;
	const char *state = vn_sled_state_name(s->state);
	char line[160];
	int n;

	if (s->state == d->shown_state && r->took_ns - d->shown_ns < SHOW_NS)
		return;
	d->shown_state = s->state;
	d->shown_ns = r->took_ns;
	n = snprintf(line, sizeof(line), "s%" PRIu64 ": %s, %u round%s, %s copied", d->sled,
		     state ? state : "unknown", s->rounds, out_s(s->rounds),
		     out_size(s->copied_bytes).s);
	n += snprintf(line + n, sizeof(line) - n, ", %s dirty", out_size(s->dirty_bytes).s);
	if (s->rate)
		n += snprintf(line + n, sizeof(line) - n, ", %.2f GB/s, %s to go",
			      (double)s->rate / 1e9, out_time(s->estimate_ns).s);
	/* Blanks over what is left of a longer one. */
	fprintf(stderr, "\r%-*s", d->width, line);
	d->width = n;
}

static void clear_line(struct drain *d)
{
	if (d->width)
		fprintf(stderr, "\r%*s\r", d->width, "");
	d->width = 0;
}

static int progress(void *arg, const struct vn_drain_report *r)
{
	struct drain *d = arg;

	d->stepped = true;
	if (r->last.total_bytes > d->bytes)
		d->bytes = r->last.total_bytes;
	d->off = r->last.state < VN_SLED_COMMITTED && signalled();
	if (d->off)
		return -ECANCELED;
	if (d->terminal)
		show(d, r);
	return 0;
}

/* ---- what it has come to --------------------------------------------------------- */

static void print_text(const struct drain *d)
{
	const struct vn_drain_report *r = &d->report;
	const struct vn_drain_step *s = &r->last;

	/* No step at all: it had been done. */
	printf("sled %" PRIu64 " %s drained: operation %016" PRIx64 "\n", d->sled,
	       d->stepped ? "is" : "was already", (uint64_t)r->operation);
	if (!d->stepped)
		return;
	printf("  moved    %u chip%s, with %s of %u context%s\n", r->chips, out_s(r->chips),
	       out_size(d->bytes).s, r->contexts, out_s(r->contexts));
	printf("  copied   %s in %u round%s", out_size(s->copied_bytes).s, s->rounds,
	       out_s(s->rounds));
	if (s->rate)
		printf(" at %.2f GB/s (10^9 bytes per second)", (double)s->rate / 1e9);
	printf(", %s of it in the pause\n", out_size(s->stop_bytes).s);
	printf("  pause    %s", out_time(s->pause_ns).s);
	printf(" of %s allowed, %" PRIu64 " wait%s\n", out_time(d->config.budget_ns).s,
	       (uint64_t)s->waits, out_s(s->waits));
	printf("  time     %s in all\n", out_time(r->took_ns).s);
	printf("  planned  %s, a pause", out_size(d->planned.bytes).s);
	printf(" of %s,", out_time(d->planned.pause_ns).s);
	printf(" %s in all\n", out_time(d->planned.time_ns).s);
}

static void print_json(const struct drain *d)
{
	const struct vn_drain_report *r = &d->report;
	const struct vn_drain_step *s = &r->last;
	struct json *j = &d->c->j;
	char operation[17];

	snprintf(operation, sizeof(operation), "%016" PRIx64, (uint64_t)r->operation);
	json_object(j, NULL);
	json_u64(j, "sled", d->sled);
	json_string(j, "state", vn_sled_state_name(s->state));
	json_string(j, "operation", operation);
	json_bool(j, "already", !d->stepped);
	json_u64(j, "chips", r->chips);
	json_u64(j, "contexts", r->contexts);
	json_u64(j, "bytes", d->bytes);
	json_u64(j, "copied_bytes", s->copied_bytes);
	json_u64(j, "rounds", s->rounds);
	json_u64(j, "stop_bytes", s->stop_bytes);
	json_u64(j, "rate", s->rate);
	json_u64(j, "pause_ns", s->pause_ns);
	json_u64(j, "budget_ns", d->config.budget_ns);
	json_u64(j, "waits", s->waits);
	json_u64(j, "took_ns", r->took_ns);
	json_object(j, "planned");
	json_u64(j, "bytes", d->planned.bytes);
	json_u64(j, "pause_ns", d->planned.pause_ns);
	json_u64(j, "time_ns", d->planned.time_ns);
	json_object_end(j);
	json_object_end(j);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Another operation is at the sled, or its chips find no room. */
static bool in_the_way(const struct drain *d)
{
	struct vn_drain_open p;
	int err = vn_sled_plan(d->c->dev, (uint32_t)d->sled, d->config.to, &p);

	return err ? err == -EBUSY : p.free_slots < p.chips;
}

/*
 * What is in the way of it may pass; what is wrong with its journal has the same numbers,
 * and does not. One try more, for what has passed at this moment.
 */
static bool again(struct drain *d, int err)
{
	const struct timespec ts = { .tv_nsec = WAIT_NS };

	if (!err)
		return false;
	snprintf(d->why, sizeof(d->why), "%s", vn_error());
	if (!d->c->option[OPT_WAIT] || (err != -EBUSY && err != -ENOSPC) || d->stepped)
		return false;
	d->off = signalled();
	if (d->off || now() >= d->end)
		return false;
	d->in_vain = in_the_way(d) ? 0 : d->in_vain + 1;
	if (d->in_vain > 1)
		return false;
	nanosleep(&ts, NULL);
	return true;
}

static int drain(struct drain *d)
{
	int err;

	d->terminal = isatty(STDERR_FILENO);
	d->config.progress = progress;
	d->config.arg = d;
	d->end = now() + d->config.deadline_ns;
	do {
		/* Should it be refused, so is the drain, which says why. */
		if (vn_sled_plan(d->c->dev, (uint32_t)d->sled, d->config.to, &d->planned))
			memset(&d->planned, 0, sizeof(d->planned));
		err = vn_sled_drain(d->c->dev, (uint32_t)d->sled, &d->config, &d->report);
	} while (again(d, err));
	clear_line(d);
	if (err && d->off)
		return ctl_fail("sled %" PRIu64 ": called off, all is as it was", d->sled);
	if (err)
		return ctl_fail("%s", d->why);
	if (d->c->json)
		print_json(d);
	else
		print_text(d);
	return CTL_OK;
}

/* ---- what is asked for ----------------------------------------------------------- */

int sled_reason(const struct ctl *c, int opt, const char **to)
{
	const char *reason = c->option[opt], *s;

	*to = reason;
	if (!reason)
		return CTL_OK;
	for (s = reason; *s; s++)
		if (iscntrl((unsigned char)*s))
			return ctl_usage(c, "--reason: a control character (byte %zu)",
					 (size_t)(s - reason));
	if (s - reason >= VN_REASON)
		return ctl_usage(c, "--reason: %zu bytes; at most %d", (size_t)(s - reason),
				 VN_REASON - 1);
	return CTL_OK;
}

int sled_operation(const struct ctl *c, int opt, uint64_t *operation)
{
	const char *text = c->option[opt];

	*operation = 0;
	if (!text)
		return CTL_OK;
	if (strspn(text, "0123456789abcdefABCDEF") == strlen(text) && strlen(text) <= 16)
		*operation = strtoull(text, NULL, 16);
	if (!*operation)
		return ctl_usage(c, "--operation %s: want 1 to 16 hex digits, not just 0", text);
	return CTL_OK;
}

static int read_options(struct drain *d)
{
	struct ctl *c = d->c;
	uint64_t budget, deadline;
	int ret;

	ret = sled_number(c, c->args[0], &d->sled);
	if (!ret)
		ret = sled_reason(c, OPT_REASON, &d->config.reason);
	if (!ret)
		ret = ctl_option_number(c, OPT_BUDGET, false, BUDGET_MS, 1, VN_BUDGET_MAX / 1000000,
					&budget);
	if (!ret)
		ret = ctl_option_number(c, OPT_DEADLINE, false, DEADLINE_S, 1, DEADLINE_MAX_S,
					&deadline);
	if (!ret && c->option[OPT_TO])
		ret = sled_number(c, c->option[OPT_TO], &d->to);
	if (!ret && c->option[OPT_TO] && d->to == d->sled)
		ret = ctl_usage(c, "--to %s: that is the sled to be drained", c->option[OPT_TO]);
	if (!ret)
		ret = sled_operation(c, OPT_OPERATION, &d->config.operation);
	if (ret)
		return ret;
	d->config.budget_ns = budget * 1000000;
	d->config.deadline_ns = deadline * 1000000000;
	return CTL_OK;
}

int sled_drain(struct ctl *c)
{
	struct drain d = { .c = c, .config = VN_DRAIN_CONFIG_INITIALIZER };
	char place[PATH_MAX];
	int ret;

	ret = read_options(&d);
	if (ret)
		return ret;
	hold_signals();
	ret = ctl_open(c);
	if (!ret)
		ret = sled_check(c, c->args[0], d.sled);
	if (!ret && c->option[OPT_TO]) {
		ret = sled_check(c, c->option[OPT_TO], d.to);
		d.config.to = (uint32_t)d.to;
	}
	if (!ret && !c->option[OPT_DRY_RUN])
		ret = sled_journal_path(c, OPT_JOURNAL, place, &d.config.journal);
	if (ret)
		return ret;
	return c->option[OPT_DRY_RUN] ? sled_plan(c, (uint32_t)d.sled, &d.config) : drain(&d);
}

int sled_cancel(struct ctl *c)
{
	uint64_t sled, operation;
	struct json *j = &c->j;
	int ret;

	ret = sled_number(c, c->args[0], &sled);
	if (!ret)
		ret = sled_operation(c, 0, &operation);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = sled_check(c, c->args[0], sled);
	if (ret)
		return ret;
	if (vn_sled_cancel(c->dev, (uint32_t)sled, operation))
		return ctl_fail_lib();
	if (c->json) {
		json_object(j, NULL);
		json_u64(j, "sled", sled);
		json_bool(j, "cancelled", true);
		json_object_end(j);
		return CTL_OK;
	}
	printf("sled %" PRIu64 ": its drain is called off, and ends with its next step\n", sled);
	return CTL_OK;
}
