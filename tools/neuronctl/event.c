// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* event: what happens to sleds, a line each, while it happens. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <vneuron/sled.h>

#include "ctl.h"
#include "out.h"

#define NOBODY 0xffffffffu
#define COUNT_MAX 1000000000
#define TIMEOUT_MAX_S 86400

enum {
	OPT_COUNT,
	OPT_TIMEOUT,
};

static const struct ctl_option options[] = {
	[OPT_COUNT] = { "count", "N", "end after so many" },
	[OPT_TIMEOUT] = { "timeout", "S", "end after so many seconds; fail if there were fewer" },
	{ NULL, NULL, NULL },
};

struct watch {
	struct ctl *c;
	uint64_t count; /* 0: no end */
	uint64_t timeout; /* seconds, 0: none */
};

static const char *state_name(uint32_t state)
{
	const char *name = vn_sled_state_name(state);

	return name ? name : "unknown";
}

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool drains(const struct vn_sled_event *e)
{
	return e->to >= VN_SLED_PLANNED && e->to <= VN_SLED_COMMITTED;
}

static void print_progress(const struct vn_sled_event *e)
{
	printf(", %s of %s copied", out_size(e->copied_bytes).s, out_size(e->total_bytes).s);
	printf(", %s dirty", out_size(e->dirty_bytes).s);
	if (e->dirty_bytes && e->estimate_ns != UINT64_MAX)
		printf(", %s to go", out_time(e->estimate_ns).s);
	if (e->pause_ns)
		printf(", pause %s", out_time(e->pause_ns).s);
}

static void print_text(const struct vn_sled_event *e)
{
	uint64_t ns = now(CLOCK_REALTIME);
	time_t seconds = (time_t)(ns / 1000000000);
	char clock[16];
	const char *s;
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&seconds, &tm));
	printf("%s.%03u s%u: %s -> %s", clock, (unsigned int)(ns / 1000000 % 1000), e->sled,
	       state_name(e->from), state_name(e->to));
	printf(", operation %016" PRIx64, e->operation);
	if (e->uid != NOBODY)
		printf(" of uid %u", e->uid);
	if (drains(e))
		print_progress(e);
	if (*e->reason)
		fputs(": ", stdout);
	/* Nothing that a terminal obeys. */
	for (s = e->reason; *s; s++)
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
	putchar('\n');
}

static void print_json(struct json *j, const struct vn_sled_event *e)
{
	char operation[17];

	snprintf(operation, sizeof(operation), "%016" PRIx64, e->operation);
	json_object(j, NULL);
	json_u64(j, "time_ns", now(CLOCK_REALTIME));
	json_u64(j, "sled", e->sled);
	json_string(j, "from", state_name(e->from));
	json_string(j, "to", state_name(e->to));
	json_string(j, "operation", operation);
	json_s64(j, "uid", e->uid == NOBODY ? -1 : (int64_t)e->uid);
	json_string(j, "reason", e->reason);
	json_u64(j, "chips", e->chips);
	json_u64(j, "epoch", e->epoch);
	json_u64(j, "hbm_used", e->hbm_used);
	json_u64(j, "total_bytes", e->total_bytes);
	json_u64(j, "copied_bytes", e->copied_bytes);
	json_u64(j, "dirty_bytes", e->dirty_bytes);
	json_s64(j, "estimate_ns", e->estimate_ns > INT64_MAX ? -1 : (int64_t)e->estimate_ns);
	json_u64(j, "pause_ns", e->pause_ns);
	json_object_end(j);
}

/* Each line at once, also into a pipe. */
static int print(struct watch *w, const struct vn_sled_event *e)
{
	if (w->c->json)
		print_json(&w->c->j, e);
	else
		print_text(e);
	return ctl_flush();
}

static int follow(struct watch *w, vn_sled_events_t ev)
{
	uint64_t end = now(CLOCK_MONOTONIC) + w->timeout * 1000000000, at, n = 0;
	struct vn_sled_event e;
	int err, ret;

	while (!w->count || n < w->count) {
		at = now(CLOCK_MONOTONIC);
		err = vn_sled_events_next(ev, &e,
					  !w->timeout ? VN_FOREVER
					  : end > at  ? end - at
						      : 0);
		if (err == -ETIMEDOUT && !w->count)
			return CTL_OK;
		if (err == -ETIMEDOUT)
			return ctl_fail("%" PRIu64 " event%s of %" PRIu64 " in %" PRIu64 " s", n,
					out_s(n), w->count, w->timeout);
		/* Said, and gone on: what came later is there. */
		if (err == -ENOBUFS) {
			ctl_fail_lib();
			continue;
		}
		if (err)
			return ctl_fail_lib();
		n++;
		ret = print(w, &e);
		if (ret)
			return ret;
	}
	return CTL_OK;
}

static int watch(struct ctl *c)
{
	struct watch w = { .c = c };
	vn_sled_events_t ev;
	int ret;

	ret = ctl_option_number(c, OPT_COUNT, false, 0, 1, COUNT_MAX, &w.count);
	if (!ret)
		ret = ctl_option_number(c, OPT_TIMEOUT, false, 0, 1, TIMEOUT_MAX_S, &w.timeout);
	if (!ret)
		ret = ctl_open(c);
	if (ret)
		return ret;
	if (!strcmp(vn_device_home(c->dev), "embedded"))
		return ctl_fail("this embedded device is the command's own, nothing happens to it: "
				"events are seen with the kernel module, or by -d pid:PID");
	if (vn_sled_events_open(c->dev, &ev))
		return ctl_fail_lib();
	ret = follow(&w, ev);
	vn_sled_events_close(ev);
	return ret;
}

static const struct ctl_command commands[] = {
	{ .name = "watch",
	  .options = options,
	  .help = "what happens to sleds, as it happens",
	  .run = watch },
	{ .run = NULL },
};

const struct ctl_object ctl_event = { .name = "event", .commands = commands };
