// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* coll ranks: a line per rank. coll status: a block per communicator, and what holds it up. */
#include <inttypes.h>
#include <stdio.h>

#include "coll_comm.h"
#include "coll_options.h"
#include "out.h"

/* ---- ranks ------------------------------------------------------------------------ */

static void rank_cells(struct out *o, const struct vn_rank *r)
{
	bool any = r->pending || r->started || r->flags & VN_RANK_FAILED;

	out_cell(o, "%s", r->comm);
	out_cell(o, "%" PRIu32 "/%" PRIu32, r->rank, r->ranks);
	out_cell(o, "%" PRIu32, r->pid);
	out_cell(o, "%" PRIu32, r->uid);
	if (r->chip == VN_NO_CHIP)
		out_cell(o, "-");
	else
		out_cell(o, "c%" PRIu32, r->chip);
	out_cell(o, "%s", any ? coll_op_word(r->op).s : "-");
	if (any && r->op < VN_COLL_COUNT)
		out_cell(o, "%" PRIu64, r->number);
	else
		out_cell(o, "-");
	out_cell(o, "%" PRIu64 "/%" PRIu64 "/%" PRIu64, r->started, r->posted, r->completed);
	if (any)
		out_bytes(o, r->bytes);
	else
		out_cell(o, "-");
	out_cell(o, "%s", r->waits_ns ? coll_time(r->waits_ns).s : "-");
	out_cell(o, "%s", coll_rank_state(r));
}

static void ranks_text(const struct coll_seen *s)
{
	struct out o;

	out_begin(&o, "lrrrllrrrrl",
		  "COMM RANK PID UID CHIP OP NUMBER CALLED/POSTED/DONE BYTES WAITS STATE");
	for (uint32_t i = 0; i < s->n; i++)
		rank_cells(&o, &s->rank[i]);
	out_end(&o);
}

static void json_call(struct json *j, const struct vn_rank *r)
{
	json_string(j, "op", r ? coll_op_word(r->op).s : NULL);
	json_u64(j, "number", r ? r->number : 0);
	json_u64(j, "bytes", r ? r->bytes : 0);
	json_string(j, "type", r ? vn_type_name((enum vn_type)r->type) : NULL);
	json_string(j, "redop", r ? vn_redop_name((enum vn_redop)r->redop) : NULL);
	json_u64(j, "root", r ? r->root : 0);
}

static void rank_json(struct json *j, const struct vn_rank *r)
{
	json_object(j, NULL);
	json_string(j, "comm", r->comm);
	json_u64(j, "ranks", r->ranks);
	json_u64(j, "rank", r->rank);
	json_u64(j, "context", r->context);
	json_u64(j, "pid", r->pid);
	json_u64(j, "uid", r->uid);
	json_s64(j, "chip", r->chip == VN_NO_CHIP ? -1 : (int64_t)r->chip);
	json_string(j, "state", coll_rank_state(r));
	json_call(j, r);
	json_u64(j, "called", r->started);
	json_u64(j, "posted", r->posted);
	json_u64(j, "completed", r->completed);
	json_u64(j, "pending", r->pending);
	json_u64(j, "waits_ns", r->waits_ns);
	json_u64(j, "error", r->error);
	json_bool(j, "torn", r->flags & VN_RANK_TORN);
	json_object_end(j);
}

static void ranks_json(struct json *j, const struct coll_seen *s)
{
	json_array(j, NULL);
	for (uint32_t i = 0; i < s->n; i++)
		rank_json(j, &s->rank[i]);
	json_array_end(j);
}

int coll_show_ranks(struct ctl *c)
{
	struct coll_seen s;
	int ret = coll_see(c, &s);

	if (!ret && c->json)
		ranks_json(&c->j, &s);
	else if (!ret && s.n)
		ranks_text(&s);
	else if (!ret)
		coll_seen_none(c);
	coll_seen_free(&s);
	return ret;
}

/* ---- status ----------------------------------------------------------------------- */

/* A line with ranks as "0-2, 5"; nothing when there are none. */
static void line_ranks(const struct coll_comm *m, const char *label, enum coll_stand stand)
{
	const char *sep = "";
	uint32_t r = 0, end;

	if (!m->count[stand])
		return;
	printf("  %-9s", label);
	while (r < m->ranks) {
		if (m->stand[r] != stand) {
			r++;
			continue;
		}
		for (end = r; end + 1 < m->ranks && m->stand[end + 1] == stand; end++)
			;
		printf("%s%" PRIu32, sep, r);
		if (end > r)
			printf("-%" PRIu32, end);
		sep = ", ";
		r = end + 1;
	}
	putchar('\n');
}

/* The same with what each has to say. */
static void lines_each(const struct coll_comm *m, const char *label, enum coll_stand stand)
{
	for (uint32_t r = 0; r < m->ranks; r++) {
		if (m->stand[r] != stand)
			continue;
		printf("  %-9s%" PRIu32 " (pid %" PRIu32 "), %" PRIu64 " called\n", label, r,
		       m->of[r]->pid, m->of[r]->started);
		label = "";
	}
}

static void lines_odd(const struct coll_comm *m)
{
	const char *label = "mismatch";
	char text[80];

	for (uint32_t r = 0; r < m->ranks; r++) {
		if (!m->odd[r])
			continue;
		coll_op_details(m->of[r], text, sizeof(text));
		printf("  %-9s%" PRIu32 " (pid %" PRIu32 "): %s%s%s\n", label, r, m->of[r]->pid,
		       coll_op_word(m->of[r]->op).s, *text ? ", " : "", text);
		label = "";
	}
}

static void comm_text(const struct coll_comm *m)
{
	char text[1024];

	printf("communicator %s of uid %" PRIu32 ": %" PRIu32 " of %" PRIu32 " ranks are here\n",
	       m->name, m->uid, m->ranks - m->count[COLL_MISSING] - m->count[COLL_LEFT], m->ranks);
	if (m->at) {
		coll_op_details(m->at, text, sizeof(text));
		printf("  at       %s %" PRIu64 "%s%s", coll_op_word(m->at->op).s, m->at->number,
		       *text ? ", " : "", text);
		if (m->waits_ns)
			printf(", for %s", coll_time(m->waits_ns).s);
		putchar('\n');
	}
	line_ranks(m, "missing", COLL_MISSING);
	line_ranks(m, "left", COLL_LEFT);
	line_ranks(m, "joining", COLL_JOINING);
	lines_each(m, "behind", COLL_BEHIND);
	lines_each(m, "held up", COLL_HELD);
	line_ranks(m, "there", COLL_WAITS);
	if (m->at)
		line_ranks(m, "through", COLL_PAST);
	lines_odd(m);
	coll_comm_why(m, text, sizeof(text));
	printf("  %s\n", text);
}

static void json_ranks(struct json *j, const char *key, const struct coll_comm *m,
		       enum coll_stand stand)
{
	json_array(j, key);
	for (uint32_t r = 0; r < m->ranks; r++)
		if (stand == COLL_STANDS ? m->odd[r] : m->stand[r] == stand)
			json_u64(j, NULL, r);
	json_array_end(j);
}

static void comm_json(struct json *j, const struct coll_comm *m)
{
	char why[1024];

	coll_comm_why(m, why, sizeof(why));
	json_object(j, NULL);
	json_string(j, "comm", m->name);
	json_u64(j, "uid", m->uid);
	json_u64(j, "ranks", m->ranks);
	json_u64(j, "here", m->ranks - m->count[COLL_MISSING] - m->count[COLL_LEFT]);
	json_string(j, "state", coll_comm_state(m));
	json_call(j, m->at);
	json_u64(j, "waits_ns", m->waits_ns);
	json_u64(j, "failed", m->failed);
	json_ranks(j, "missing", m, COLL_MISSING);
	json_ranks(j, "left", m, COLL_LEFT);
	json_ranks(j, "joining", m, COLL_JOINING);
	json_ranks(j, "behind", m, COLL_BEHIND);
	json_ranks(j, "held", m, COLL_HELD);
	json_ranks(j, "there", m, COLL_WAITS);
	json_ranks(j, "mismatch", m, COLL_STANDS);
	json_string(j, "why", why);
	json_object_end(j);
}

int coll_show_status(struct ctl *c)
{
	uint32_t row = 0, shown = 0;
	struct coll_seen s;
	struct coll_comm m;
	int ret = coll_see(c, &s);

	if (!ret && c->json)
		json_array(&c->j, NULL);
	while (!ret && row < s.n) {
		coll_comm_look(&s, &row, &m);
		if (c->json) {
			comm_json(&c->j, &m);
			continue;
		}
		if (shown++)
			putchar('\n');
		comm_text(&m);
	}
	if (!ret && c->json)
		json_array_end(&c->j);
	else if (!ret && !shown)
		coll_seen_none(c);
	coll_seen_free(&s);
	return ret;
}
