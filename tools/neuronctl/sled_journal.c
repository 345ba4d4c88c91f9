// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sled journal: what has happened to sleds; sled restore: so it is again after a restart. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "out.h"
#include "sled.h"

const struct ctl_option sled_journal_options[] = {
	{ "journal", "FILE", "where each step is kept, or none" },
	{ NULL, NULL, NULL },
};

int sled_journal_path(struct ctl *c, int opt, char place[PATH_MAX], const char **path)
{
	const char *named = c->option[opt];

	*path = NULL;
	if (named && !*named)
		return ctl_usage(c, "--journal: want the name of a file, or none");
	if (named && strcmp(named, "none") != 0)
		*path = named;
	if (named || strcmp(vn_device_home(c->dev), "kernel") != 0)
		return CTL_OK;
	if (vn_journal_path(place, PATH_MAX))
		return ctl_fail_lib();
	*path = place;
	return CTL_OK;
}

static const char *state_name(uint32_t state)
{
	const char *name = vn_sled_state_name(state);

	return name ? name : "unknown";
}

static void operation_json(struct json *j, uint64_t operation)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, operation);
	json_string(j, "operation", operation ? text : NULL);
}

static void operation_cell(struct out *o, uint64_t operation)
{
	if (operation)
		out_cell(o, "%016" PRIx64, operation);
	else
		out_cell(o, "-");
}

static void uid_cell(struct out *o, uint32_t uid)
{
	if (uid == SLED_NOBODY)
		out_cell(o, "-");
	else
		out_cell(o, "%u", uid);
}

/* ---- what has happened --------------------------------------------------------------- */

struct listing {
	struct ctl *c;
	struct out o;
};

static void record_json(struct json *j, const struct vn_journal_record *r)
{
	json_object(j, NULL);
	json_u64(j, "seq", r->seq);
	json_u64(j, "time_ns", r->time_ns);
	json_u64(j, "sled", r->sled);
	json_string(j, "from", state_name(r->from));
	json_string(j, "to", state_name(r->to));
	operation_json(j, r->operation);
	json_s64(j, "target", r->target == VN_ANY_SLED ? -1 : (int64_t)r->target);
	json_s64(j, "uid", r->uid == SLED_NOBODY ? -1 : (int64_t)r->uid);
	json_u64(j, "pid", r->pid);
	json_string(j, "reason", r->reason);
	json_object_end(j);
}

static void record_row(struct out *o, const struct vn_journal_record *r)
{
	time_t seconds = (time_t)(r->time_ns / 1000000000);
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
	out_cell(o, "%" PRIu64, r->seq);
	out_cell(o, "%s", when);
	out_cell(o, "s%u", r->sled);
	out_cell(o, "%s", state_name(r->from));
	out_cell(o, "%s", state_name(r->to));
	operation_cell(o, r->operation);
	if (r->target == VN_ANY_SLED)
		out_cell(o, "-");
	else
		out_cell(o, "s%u", r->target);
	uid_cell(o, r->uid);
	out_cell(o, "%u", r->pid);
	out_cell(o, "%s", *r->reason ? sled_printable(r->reason).s : "-");
}

static int list_one(void *arg, const struct vn_journal_record *r)
{
	struct listing *l = arg;

	if (l->c->json)
		record_json(&l->c->j, r);
	else
		record_row(&l->o, r);
	return 0;
}

static int nothing(void *arg, const struct vn_journal_record *r)
{
	(void)arg;
	(void)r;
	return 0;
}

/* Without a device: whatever machine it is of. */
int sled_journal(struct ctl *c)
{
	const char *path = c->option[0];
	struct listing l = { .c = c };
	char place[PATH_MAX];
	bool torn = false;

	if (path && (!*path || !strcmp(path, "none")))
		return ctl_usage(c, "--journal %s: want the name of a file", path);
	if (!path && vn_journal_path(place, sizeof(place)))
		return ctl_fail_lib();
	path = path ? path : place;
	/* A damaged one prints nothing. */
	if (vn_journal_read(path, NULL, nothing, NULL, NULL))
		return ctl_fail_lib();
	if (c->json) {
		json_object(&c->j, NULL);
		json_string(&c->j, "journal", path);
		json_array(&c->j, "records");
	} else {
		out_begin(&l.o, "rlllllrrrl",
			  "SEQ TIME SLED FROM TO OPERATION TARGET UID PID REASON");
	}
	if (vn_journal_read(path, NULL, list_one, &l, &torn))
		return ctl_fail_lib();
	if (c->json) {
		json_array_end(&c->j);
		json_bool(&c->j, "torn", torn);
		json_object_end(&c->j);
		return CTL_OK;
	}
	out_end(&l.o);
	if (torn)
		puts("the last record is torn, and counts for nothing");
	return CTL_OK;
}

/* ---- after a restart ------------------------------------------------------------------ */

struct restore {
	struct ctl *c;
	uint32_t sleds, failed;
};

static void restored_json(struct json *j, const struct vn_restored *is, const char *state)
{
	const struct vn_journal_record *r = is->record;

	json_object(j, NULL);
	json_u64(j, "sled", r->sled);
	json_string(j, "was", state_name(r->to));
	json_string(j, "state", state);
	operation_json(j, r->operation);
	json_s64(j, "uid", r->uid == SLED_NOBODY ? -1 : (int64_t)r->uid);
	json_string(j, "reason", r->reason);
	json_bool(j, "already", is->already);
	json_string(j, "error", is->error ? is->text : NULL);
	json_object_end(j);
}

static void restored_text(const struct vn_restored *is, const char *state)
{
	const struct vn_journal_record *r = is->record;

	printf("sled %u: %s %s", r->sled, is->already ? "already" : "again", state);
	if (r->operation)
		printf(", operation %016" PRIx64, r->operation);
	if (r->uid != SLED_NOBODY)
		printf(" of uid %u", r->uid);
	if (*r->reason)
		printf(": %s", sled_printable(r->reason).s);
	putchar('\n');
}

static void restored(void *arg, const struct vn_restored *is)
{
	struct restore *s = arg;
	struct vn_sled_query q;
	const char *state;

	if (!s->sleds++ && s->c->json)
		json_array(&s->c->j, NULL);
	s->failed += is->error != 0;
	if (is->error)
		ctl_fail("%s", is->text);
	state = vn_sled_query(s->c->dev, is->record->sled, &q) ? "unknown" : state_name(q.state);
	if (s->c->json)
		restored_json(&s->c->j, is, state);
	else if (!is->error)
		restored_text(is, state);
}

int sled_restore(struct ctl *c)
{
	struct restore s = { .c = c };
	char place[PATH_MAX];
	const char *path;
	int ret, err;

	ret = ctl_open(c);
	if (!ret)
		ret = sled_journal_path(c, 0, place, &path);
	if (ret)
		return ret;
	if (!path)
		return ctl_usage(c, "--journal: want the name of a file to restore from");
	err = vn_sled_restore(c->dev, path, restored, &s);
	if (err && !s.failed)
		return ctl_fail_lib();
	if (c->json && !s.sleds)
		json_array(&c->j, NULL);
	if (c->json)
		json_array_end(&c->j);
	else if (!s.sleds)
		printf("%s: all sleds are in service\n", path);
	return s.failed ? CTL_FAILED : CTL_OK;
}
