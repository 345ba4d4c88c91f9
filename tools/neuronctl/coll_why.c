// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Why a communicator stands still, in one sentence. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coll_comm.h"

/* Ranks that a sentence names before it counts. */
#define NAMED 8u

/* The sentence so far. */
struct text {
	char *s;
	size_t n, size;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->n, t->size - t->n, fmt, ap);
	va_end(ap);
	t->n += n > 0 ? (size_t)n : 0;
	if (t->n >= t->size)
		t->n = t->size - 1;
}

/* Ranks in that stand, or the odd ones. */
static bool meant(const struct coll_comm *m, uint32_t r, enum coll_stand stand)
{
	return stand == COLL_STANDS ? m->odd[r] : m->stand[r] == stand;
}

static uint32_t how_many(const struct coll_comm *m, enum coll_stand stand)
{
	return stand == COLL_STANDS ? m->odds : m->count[stand];
}

/* "rank 3 (pid 7)", "ranks 3 (pid 7), 4 (pid 8)" */
static void say_ranks(struct text *t, const struct coll_comm *m, enum coll_stand stand)
{
	uint32_t all = how_many(m, stand), n = 0;

	say(t, all == 1 ? "rank" : "ranks");
	for (uint32_t r = 0; r < m->ranks && n < NAMED; r++) {
		if (!meant(m, r, stand))
			continue;
		say(t, "%s %" PRIu32, n++ ? "," : "", r);
		if (m->of[r])
			say(t, " (pid %" PRIu32 ")", m->of[r]->pid);
	}
	if (all > n)
		say(t, " and %" PRIu32 " more", all - n);
}

static const char *has(uint32_t n)
{
	return n == 1 ? "has" : "have";
}

/* "all_reduce 18" */
static void say_op(struct text *t, const struct vn_rank *r)
{
	say(t, "%s", coll_op_word(r->op).s);
	if (coll_rank_meets(r))
		say(t, " %" PRIu64, r->number);
}

static void say_wait(struct text *t, const struct coll_comm *m, uint32_t n)
{
	say(t, "%" PRIu32 " rank%s wait%s", n, n == 1 ? "" : "s", n == 1 ? "s" : "");
	if (m->waits_ns)
		say(t, " for %s", coll_time(m->waits_ns).s);
}

/* Those on whose account the others wait; clauses, of which there is one at least if true. */
static bool say_culprits(struct text *t, const struct coll_comm *m)
{
	const char *sep = "";
	uint32_t n;

	n = m->count[COLL_MISSING];
	if (n) {
		say_ranks(t, m, COLL_MISSING);
		say(t,
		    geteuid() ? " %s not there (ended, or of another user)"
			      : " %s not there (ended)",
		    n == 1 ? "is" : "are");
		sep = "; ";
	}
	n = m->count[COLL_LEFT];
	if (n) {
		say(t, "%s", sep);
		say_ranks(t, m, COLL_LEFT);
		say(t, " %s left", has(n));
		sep = "; ";
	}
	n = m->count[COLL_BEHIND];
	if (n && m->at) {
		say(t, "%s", sep);
		say_ranks(t, m, COLL_BEHIND);
		say(t, " %s not called ", has(n));
		say_op(t, m->at);
		for (uint32_t r = 0; n == 1 && r < m->ranks; r++) {
			if (m->stand[r] != COLL_BEHIND || !m->of[r]->pending)
				continue;
			say(t, " but waits in ");
			say_op(t, m->of[r]);
			say(t, " with rank %" PRIu32, m->of[r]->root);
		}
		sep = "; ";
	}
	n = m->count[COLL_HELD];
	if (n) {
		say(t, "%s", sep);
		say_ranks(t, m, COLL_HELD);
		say(t, " %s called ", has(n));
		say_op(t, m->at);
		say(t, ", but what is before it there is not done");
		sep = "; ";
	}
	return *sep;
}

static void why_joining(struct text *t, const struct coll_comm *m)
{
	say_ranks(t, m, COLL_MISSING);
	say(t, " %s not joined (or %s another user's): ", has(m->count[COLL_MISSING]),
	    m->count[COLL_MISSING] == 1 ? "is" : "are");
	say_wait(t, m, m->count[COLL_JOINING]);
}

static void why_odd(struct text *t, const struct coll_comm *m)
{
	const struct vn_rank *first = NULL;
	char odd[80], rest[80];

	for (uint32_t r = m->ranks; r-- > 0;)
		first = m->odd[r] ? m->of[r] : first;
	say_ranks(t, m, COLL_STANDS);
	say(t, " call%s ", m->odds == 1 ? "s" : "");
	say_op(t, first);
	coll_op_details(first, odd, sizeof(odd));
	coll_op_details(m->at, rest, sizeof(rest));
	say(t, "%s%s%s where the others call ", *odd ? " (" : "", odd, *odd ? ")" : "");
	say_op(t, m->at);
	say(t, "%s%s%s", *rest ? " (" : "", rest, *rest ? ")" : "");
}

static void why_failed(struct text *t, const struct coll_comm *m)
{
	const struct vn_rank *first = NULL;

	for (uint32_t r = m->ranks; r-- > 0;)
		if (m->of[r] && m->of[r]->flags & VN_RANK_FAILED)
			first = m->of[r];
	say(t, "%" PRIu32 " rank%s %s failed in ", m->failed, m->failed == 1 ? "" : "s",
	    has(m->failed));
	say_op(t, m->at ? m->at : first);
	say(t, ": %s", strerror((int)first->error));
	if (m->count[COLL_MISSING] + m->count[COLL_LEFT] + m->count[COLL_BEHIND] +
	    m->count[COLL_HELD]) {
		say(t, "; ");
		say_culprits(t, m);
	}
}

/* Who still has to come so that the others agree on who is gone. */
static void why_agreeing(struct text *t, const struct coll_comm *m)
{
	uint64_t longest = 0;
	uint32_t n = 0;

	for (uint32_t r = 0; r < m->ranks; r++)
		if (m->of[r] && m->of[r]->flags & VN_RANK_AGREEING && m->of[r]->waits_ns > longest)
			longest = m->of[r]->waits_ns;
	say(t, "; %" PRIu32 " rank%s wait%s in agree", m->agreeing, m->agreeing == 1 ? "" : "s",
	    m->agreeing == 1 ? "s" : "");
	if (longest)
		say(t, " for %s", coll_time(longest).s);
	for (uint32_t r = 0; r < m->ranks && n < NAMED; r++)
		if (m->of[r] && !(m->of[r]->flags & (VN_RANK_AGREEING | VN_RANK_LEFT)))
			say(t, "%s %" PRIu32 " (pid %" PRIu32 ")",
			    n++				  ? ","
			    : m->agreeing + 1 == m->ranks ? " for rank"
							  : " for ranks",
			    r, m->of[r]->pid);
}

static void why_pairs(struct text *t, const struct coll_comm *m)
{
	const struct vn_rank *r = NULL, *other;

	for (uint32_t i = 0; i < m->ranks; i++)
		if (m->of[i] && m->of[i]->pending && !coll_rank_meets(m->of[i]) &&
		    (!r || m->of[i]->waits_ns > r->waits_ns))
			r = m->of[i];
	if (!r)
		return;
	say(t, "rank %" PRIu32 " (pid %" PRIu32 ") waits in ", r->rank, r->pid);
	say_op(t, r);
	if (r->waits_ns)
		say(t, " for %s", coll_time(r->waits_ns).s);
	if (r->op == VN_WAIT_SIGNAL || r->root == r->rank || r->root >= m->ranks)
		return;
	other = m->of[r->root];
	say(t, " on rank %" PRIu32, r->root);
	if (!other) {
		say(t, ", which is not there");
	} else {
		say(t, " (pid %" PRIu32 "), which ", other->pid);
		if (other->flags & VN_RANK_LEFT)
			say(t, "has left");
		else if (!other->pending)
			say(t, "has nothing under way");
		else {
			say(t, "is in ");
			say_op(t, other);
		}
	}
}

static void why_collective(struct text *t, const struct coll_comm *m)
{
	bool behind_only = m->count[COLL_BEHIND] && !m->count[COLL_MISSING] &&
			   !m->count[COLL_LEFT] && !m->count[COLL_HELD];

	if (!say_culprits(t, m)) {
		say(t, "all %" PRIu32 " ranks have called ", m->ranks);
		say_op(t, m->at);
		say(t, ", which is under way");
		if (m->waits_ns)
			say(t, " for %s", coll_time(m->waits_ns).s);
		return;
	}
	if (behind_only) {
		say(t, ", on which ");
		say_wait(t, m, m->count[COLL_WAITS]);
		return;
	}
	say(t, "; ");
	say_wait(t, m, m->count[COLL_WAITS]);
	say(t, " in ");
	say_op(t, m->at);
}

const char *coll_comm_state(const struct coll_comm *m)
{
	if (m->odds)
		return "mismatch";
	if (m->agreeing)
		return "agreeing";
	if (m->failed)
		return "failed";
	if (m->count[COLL_JOINING])
		return "joining";
	if (m->at)
		return m->count[COLL_BEHIND] + m->count[COLL_HELD] + m->count[COLL_LEFT] +
				       m->count[COLL_MISSING]
			       ? "stuck"
			       : "running";
	return m->pairs ? "pairs" : "idle";
}

void coll_comm_why(const struct coll_comm *m, char *text, size_t size)
{
	struct text t = { .s = text, .size = size };

	*text = '\0';
	if (m->odds) {
		why_odd(&t, m);
	} else if (m->failed) {
		why_failed(&t, m);
	} else if (m->count[COLL_JOINING] && m->count[COLL_MISSING]) {
		why_joining(&t, m);
	} else if (m->count[COLL_JOINING]) {
		say(&t, "all %" PRIu32 " ranks are joining", m->ranks);
	} else if (m->at) {
		why_collective(&t, m);
	} else if (m->pairs) {
		why_pairs(&t, m);
	} else {
		say(&t, "nobody waits: no operation is under way");
		if (m->count[COLL_MISSING] + m->count[COLL_LEFT]) {
			say(&t, "; ");
			say_culprits(&t, m);
		}
	}
	if (m->agreeing)
		why_agreeing(&t, m);
}
