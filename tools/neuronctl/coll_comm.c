// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coll_comm.h"
#include "out.h"

/* Rows that may come in between two looks. */
#define SPARE 64u

static bool left(const struct vn_rank *r)
{
	return r->flags & VN_RANK_LEFT;
}

static int order(const void *a, const void *b)
{
	const struct vn_rank *x = a, *y = b;
	int by = strcmp(x->comm, y->comm);

	if (by)
		return by;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	if (x->ranks != y->ranks)
		return x->ranks < y->ranks ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	/* Who is there counts more than who was. */
	if (left(x) != left(y))
		return left(x) ? 1 : -1;
	return x->context < y->context ? -1 : x->context > y->context;
}

static bool same_comm(const struct vn_rank *a, const struct vn_rank *b)
{
	return !strcmp(a->comm, b->comm) && a->uid == b->uid && a->ranks == b->ranks;
}

/* Leaves out communicators that nobody is in any more. */
static void drop_over(struct coll_seen *s)
{
	uint32_t n = 0, end;
	bool here;

	for (uint32_t i = 0; i < s->n; i = end) {
		here = false;
		for (end = i; end < s->n && same_comm(&s->rank[i], &s->rank[end]); end++)
			here |= !left(&s->rank[end]);
		if (!here)
			continue;
		memmove(&s->rank[n], &s->rank[i], (end - i) * sizeof(*s->rank));
		n += end - i;
	}
	s->n = n;
}

int coll_see(struct ctl *c, struct coll_seen *s)
{
	int ret = ctl_open(c), n = 0, room;

	*s = (struct coll_seen){ 0 };
	if (ret)
		return ret;
	do {
		room = n + (int)SPARE;
		s->rank = ctl_realloc(s->rank, (size_t)room, sizeof(*s->rank));
		n = vn_ranks(c->dev, s->rank, (unsigned int)room);
		if (n < 0)
			return ctl_fail_lib();
	} while (n > room);
	s->n = (uint32_t)n;
	qsort(s->rank, s->n, sizeof(*s->rank), order);
	drop_over(s);
	return CTL_OK;
}

void coll_seen_free(struct coll_seen *s)
{
	free(s->rank);
}

void coll_seen_none(const struct ctl *c)
{
	if (!strcmp(vn_device_home(c->dev), "embedded"))
		puts("no communicators: this embedded device is the command's own; ranks of "
		     "other processes are seen with the kernel module, or by -d pid:PID");
	else if (!strcmp(vn_device_home(c->dev), "remote"))
		puts("no communicators");
	else
		puts("no communicators (yours, for root everybody's)");
}

bool coll_rank_meets(const struct vn_rank *r)
{
	return (r->pending || r->flags & VN_RANK_FAILED) && r->op < VN_COLL_COUNT;
}

const char *coll_rank_state(const struct vn_rank *r)
{
	if (left(r))
		return "left";
	if (r->flags & VN_RANK_AGREEING)
		return "agreeing";
	if (r->flags & VN_RANK_FAILED)
		return "failed";
	if (r->flags & VN_RANK_JOINING)
		return "joining";
	if (!r->pending)
		return "idle";
	return coll_rank_meets(r) && r->posted <= r->number ? "called" : "waits";
}

struct coll_word coll_op_word(uint32_t op)
{
	const char *name = vn_coll_name((enum vn_coll)op);
	struct coll_word w;

	if (name)
		snprintf(w.s, sizeof(w.s), "%s", name);
	else
		snprintf(w.s, sizeof(w.s), "operation %" PRIu32, op);
	return w;
}

static bool reduces(uint32_t op)
{
	return op == VN_ALL_REDUCE || op == VN_REDUCE_TO || op == VN_REDUCE_SCATTER ||
	       op == VN_REDUCE_SCATTERV || op == VN_SCAN || op == VN_EXSCAN;
}

static bool rooted(uint32_t op)
{
	return op == VN_REDUCE_TO || op == VN_BROADCAST || op == VN_GATHER || op == VN_SCATTER ||
	       op == VN_GATHERV || op == VN_SCATTERV;
}

void coll_op_details(const struct vn_rank *r, char *text, size_t size)
{
	const char *type = vn_type_name((enum vn_type)r->type);
	const char *redop = reduces(r->op) ? vn_redop_name((enum vn_redop)r->redop) : NULL;
	size_t n;

	*text = '\0';
	if (r->op == VN_BARRIER || r->op == VN_SIGNAL || r->op == VN_WAIT_SIGNAL)
		return;
	n = (size_t)snprintf(text, size, "%s %s%s%s", out_size(r->bytes).s, type ? type : "?",
			     redop ? " " : "", redop ? redop : "");
	if (r->op >= VN_COLL_COUNT)
		snprintf(text + n, size - n, ", rank %" PRIu32, r->root);
	else if (rooted(r->op))
		snprintf(text + n, size - n, ", root %" PRIu32, r->root);
}

struct coll_word coll_time(uint64_t ns)
{
	struct coll_word w;

	if (ns < 1000000000)
		snprintf(w.s, sizeof(w.s), "%" PRIu64 " ms", ns / 1000000);
	else
		snprintf(w.s, sizeof(w.s), "%.1f s", (double)ns / 1e9);
	return w;
}

/* ---- one communicator ------------------------------------------------------------- */

/* All ranks must call it alike; blocks of unequal length are each rank's own. */
static bool alike(const struct vn_rank *a, const struct vn_rank *b)
{
	return a->op == b->op && a->type == b->type && a->redop == b->redop && a->root == b->root &&
	       (a->bytes == b->bytes || a->op >= VN_ALL_GATHERV);
}

/* It stands in collective number n. */
static bool stands_at(const struct vn_rank *r, uint64_t n)
{
	return r && coll_rank_meets(r) && r->number == n;
}

/* The collective that the communicator has come to: the first that is not over everywhere. */
static const struct vn_rank *first_at(const struct coll_comm *m)
{
	const struct vn_rank *at = NULL;

	for (uint32_t r = 0; r < m->ranks; r++)
		if (m->of[r] && coll_rank_meets(m->of[r]) && (!at || m->of[r]->number < at->number))
			at = m->of[r];
	return at;
}

/* What most say of it; of as many the one of the lowest rank. */
static const struct vn_rank *most(const struct coll_comm *m, const struct vn_rank *first)
{
	const struct vn_rank *best = first;
	uint32_t votes = 0, n;

	for (uint32_t r = 0; r < m->ranks; r++) {
		if (!stands_at(m->of[r], first->number))
			continue;
		n = 0;
		for (uint32_t o = 0; o < m->ranks; o++)
			n += stands_at(m->of[o], first->number) && alike(m->of[r], m->of[o]);
		if (n > votes) {
			votes = n;
			best = m->of[r];
		}
	}
	return best;
}

static bool agreeing(const struct vn_rank *r)
{
	return r->flags & VN_RANK_AGREEING && !left(r);
}

static enum coll_stand stand(const struct coll_comm *m, const struct vn_rank *r)
{
	if (!r)
		return COLL_MISSING;
	if (left(r))
		return COLL_LEFT;
	if (r->flags & VN_RANK_JOINING)
		return COLL_JOINING;
	if (!m->at || r->completed > m->at->number)
		return COLL_PAST;
	if (!stands_at(r, m->at->number))
		return r->started > m->at->number ? COLL_PAST : COLL_BEHIND;
	return r->posted > m->at->number || r->flags & VN_RANK_FAILED ? COLL_WAITS : COLL_HELD;
}

void coll_comm_look(const struct coll_seen *s, uint32_t *row, struct coll_comm *m)
{
	const struct vn_rank *first = &s->rank[*row], *r;

	*m = (struct coll_comm){ .name = first->comm, .uid = first->uid, .ranks = first->ranks };
	for (; *row < s->n; ++*row) {
		r = &s->rank[*row];
		if (!same_comm(r, first))
			break;
		/* The module has seen to it that it is one; a second one of it is a lie. */
		if (r->rank < m->ranks && !m->of[r->rank])
			m->of[r->rank] = r;
	}
	m->at = first_at(m);
	if (m->at)
		m->at = most(m, m->at);
	for (uint32_t i = 0; i < m->ranks; i++) {
		r = m->of[i];
		m->stand[i] = stand(m, r);
		m->count[m->stand[i]]++;
		if (!r)
			continue;
		m->odd[i] = m->at && stands_at(r, m->at->number) && !alike(r, m->at);
		m->odds += m->odd[i];
		m->failed += (r->flags & VN_RANK_FAILED) != 0;
		m->agreeing += agreeing(r);
		m->pairs += r->pending && !coll_rank_meets(r);
		if (r->waits_ns > m->waits_ns)
			m->waits_ns = r->waits_ns;
	}
}
