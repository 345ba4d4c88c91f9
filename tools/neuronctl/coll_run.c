// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coll_calls.h"
#include "coll_crew.h"

/* What the members share while they carry out a job. */
struct shared {
	struct coll_crew crew;
	struct coll_runner *runner;
	const struct coll_job *job;
	struct coll_round round;
	struct coll_calls *calls; /* [ranks] */
	bool enough; /* by member 0, before they meet */
	double since; /* likewise, of the first iteration */
	struct vn_comm_stats before; /* likewise, rank 0's */
	uint64_t wrong; /* atomic */
	struct {
		_Alignas(64) double us;
		uint32_t entered; /* atomic: iterations */
	} member[VN_MAX_CHIPS];
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct coll_extent extent(const struct coll_job *job, uint32_t ranks)
{
	return (struct coll_extent){
		.op = job->op, .ranks = ranks, .root = job->root, .count = job->count
	};
}

/* ---- iterations ------------------------------------------------------------- */

/* A communicator that failed is of no use: the others are not to wait for us. */
static void give_up(const struct coll_member *m, struct shared *s)
{
	vn_comm_t *comm = &s->runner->comm[m->first];
	uint32_t i;

	coll_crew_fail(m->crew);
	for (i = 0; i < m->own; i++) {
		vn_comm_abort(comm[i]);
		comm[i] = NULL;
	}
}

/* Ends a group; it remembers an error, the crew the text of it. */
static int end_group(struct shared *s, int err)
{
	if (err)
		coll_crew_fail(&s->crew);
	return vn_group_end() ?: err;
}

static int sync_ranks(const struct coll_member *m, const struct shared *s)
{
	uint32_t r;
	int err = 0;

	for (r = m->first; !err && r < m->first + m->own; r++)
		err = vn_comm_sync(s->runner->comm[r], VN_FOREVER);
	return err;
}

static int prepare(const struct coll_member *m, struct shared *s)
{
	int err = vn_group_start();
	uint32_t r;

	for (r = m->first; !err && r < m->first + m->own; r++)
		err = coll_calls_make(&s->calls[r], &s->round, r, s->runner->comm[r],
				      s->job->persistent);
	err = end_group(s, err) ?: sync_ranks(m, s);
	if (!err && !m->number)
		err = vn_comm_stats(s->runner->comm[0], &s->before);
	return err;
}

static int carry_out(const struct coll_member *m, struct shared *s)
{
	uint32_t r;
	int err = 0;

	if (m->own == 1)
		return coll_calls_start(&s->calls[m->first]) ?: sync_ranks(m, s);
	err = vn_group_start();
	for (r = m->first; !err && r < m->first + m->own; r++)
		err = coll_calls_start(&s->calls[r]);
	return end_group(s, err) ?: sync_ranks(m, s);
}

/*
 * Of an operation without data: nobody leaves a barrier before all have entered it,
 * nor has a signal before it is given.
 */
static uint64_t missing(const struct coll_member *m, const struct shared *s, uint32_t iterations)
{
	uint32_t members = m->crew->members, k;
	uint64_t n = 0;

	for (k = 0; k < members; k++)
		if (!s->job->op->pair || k == coll_previous(m->number, members))
			n += __atomic_load_n(&s->member[k].entered, __ATOMIC_RELAXED) < iterations;
	return n;
}

/* Member 0, between two meetings: the time of an iteration, and is it enough? */
static void note(struct shared *s, uint32_t i)
{
	const struct coll_job *j = s->job;
	double slowest = 0;
	uint32_t k;

	for (k = 0; k < s->crew.members; k++)
		if (s->member[k].us > slowest)
			slowest = s->member[k].us;
	/* There and back. */
	if (j->op->returns)
		slowest /= 2;
	if (i >= j->warmup)
		s->runner->us[i - j->warmup] = slowest;
	s->enough = i + 1 >= j->warmup + j->iters ||
		    (i >= j->warmup && j->most_us && now_us() - s->since > j->most_us);
	s->runner->done = i + 1 - j->warmup;
}

/* Returns how many elements are wrong of those this member looks at. */
static uint64_t iteration(const struct coll_member *m, struct shared *s, uint32_t i)
{
	bool late = false, data = s->job->op->makes;
	uint64_t wrong = 0;
	uint32_t r;
	double t;

	for (r = m->first; data && r < m->first + m->own; r++)
		coll_round_fill(&s->round, r);
	coll_crew_meet(m->crew);
	__atomic_store_n(&s->member[m->number].entered, i + 1, __ATOMIC_RELAXED);
	t = now_us();
	if (carry_out(m, s))
		give_up(m, s);
	s->member[m->number].us = now_us() - t;
	if (!data)
		wrong = missing(m, s, i + 1);
	else if (m->own == 1)
		late = coll_round_late(&s->round, m->first);
	coll_crew_meet(m->crew);
	if (!m->number)
		note(s, i);
	if (data && !__atomic_load_n(&m->crew->failed, __ATOMIC_ACQUIRE)) {
		wrong = coll_round_wrong(&s->round, m->number, m->crew->members);
		/* What is right by now was not when the operation had ended here. */
		wrong += late && !coll_round_late(&s->round, m->first);
	}
	coll_crew_meet(m->crew);
	return wrong;
}

static void iterate(struct coll_member *m, void *arg)
{
	struct shared *s = arg;
	uint64_t wrong = 0;
	uint32_t i, r;

	coll_member_place(m);
	if (prepare(m, s))
		give_up(m, s);
	if (!m->number)
		s->since = now_us();
	coll_crew_meet(m->crew);
	for (i = 0; !m->crew->failed && !s->enough; i++) {
		if (!m->number)
			s->round.round = ++s->runner->round;
		coll_crew_meet(m->crew); /* the round is known */
		wrong += iteration(m, s, i);
	}
	__atomic_fetch_add(&s->wrong, wrong, __ATOMIC_RELAXED);
	/* After a failure they went with the communicator. */
	for (r = m->first; !m->crew->failed && r < m->first + m->own; r++)
		if (coll_calls_forget(&s->calls[r]))
			coll_crew_fail(m->crew);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The way most operations went since the last look. */
static enum vn_way way_taken(vn_comm_t comm, const struct vn_comm_stats *before)
{
	struct vn_comm_stats now;
	uint64_t n, most = 0;
	int way, best = VN_WAY_AUTO;

	if (vn_comm_stats(comm, &now))
		return VN_WAY_AUTO;
	for (way = 0; way < VN_WAY_COUNT; way++) {
		n = now.way_ops[way] - before->way_ops[way];
		if (n > most) {
			most = n;
			best = way;
		}
	}
	return best;
}

int coll_run(struct coll_runner *r, const struct coll_job *job, struct coll_result *result)
{
	struct shared *s = aligned_alloc(_Alignof(struct shared), sizeof(*s));
	struct coll_letters letters;
	int ret = CTL_OK;

	if (!s)
		ctl_no_memory();
	coll_letters_init(&letters, job->type, coll_op_reduces(job->op), job->redop, r->ranks);
	memset(s, 0, sizeof(*s));
	s->runner = r;
	s->job = job;
	s->round = (struct coll_round){ .job = job, .letters = &letters };
	s->round.extent = extent(job, r->ranks);
	coll_round_place(&s->round, r->buffer);
	s->calls = ctl_realloc(NULL, r->ranks, sizeof(*s->calls));
	r->us = ctl_realloc(r->us, job->iters, sizeof(*r->us));
	coll_crew_work(&s->crew, r->ranks, r->one_thread, iterate, s);
	if (s->crew.failed) {
		ret = ctl_fail("%s of %s: %s", coll_op_name(job->op), vn_type_name(job->type->type),
			       s->crew.why);
	} else {
		qsort(r->us, r->done, sizeof(*r->us), by_value);
		*result = (struct coll_result){ .iters = r->done,
						.us = r->us,
						.wrong = s->wrong,
						.way = way_taken(r->comm[0], &s->before) };
	}
	free(s->calls);
	free(s);
	return ret;
}

double coll_percentile(const struct coll_result *result, uint32_t percent)
{
	return result->us[((uint64_t)result->iters * percent + 99) / 100 - 1];
}

/* ---- beginning and end -------------------------------------------------------- */

uint64_t coll_run_count(const struct coll_operation *op, const struct coll_type *type,
			uint32_t ranks, uint64_t bytes)
{
	uint64_t count = bytes / vn_type_size(type->type) / coll_op_counts(op, ranks);

	if (!op->makes)
		return 0;
	return count ? count : 1;
}

uint64_t coll_run_bytes(const struct coll_job *job, uint32_t ranks)
{
	return job->count * vn_type_size(job->type->type) * coll_op_counts(job->op, ranks);
}

void coll_run_needs(const struct coll_job *job, uint32_t ranks, uint64_t bytes[2])
{
	uint64_t size = vn_type_size(job->type->type), send, recv;
	struct coll_extent e = extent(job, ranks);

	/* Nobody's block is longer than the last one's. */
	send = coll_extent_send(&e, ranks - 1) * size;
	recv = coll_extent_recv(&e, ranks - 1) * size;
	if (send > bytes[0])
		bytes[0] = send;
	if (recv > bytes[1])
		bytes[1] = recv;
}

/* Of one communicator. */
struct joining {
	struct coll_crew crew;
	struct coll_runner *runner;
	vn_unique_id id;
};

static void join_ranks(struct coll_member *m, void *arg)
{
	struct joining *j = arg;
	struct coll_runner *r = j->runner;
	uint32_t i;
	int k, err;

	if (r->one_thread)
		err = vn_set_chip(r->dev, 0) ?: vn_comm_init_all(r->comm, (int)r->ranks, NULL);
	else
		err = vn_set_chip(r->dev, m->first)
			      ?: vn_comm_init_rank(&r->comm[m->first], (int)r->ranks, j->id,
						   (int)m->first);
	for (i = m->first; r->registered && i < m->first + m->own; i++)
		for (k = 0; !err && k < 2; k++)
			if (r->bytes[k])
				err = vn_comm_register(r->comm[i], r->buffer[k][i], r->bytes[k],
						       &r->registration[k][i]);
	if (err)
		coll_crew_fail(m->crew);
}

/* In whole pages, touched, so that none is missing later. */
static void *host_memory(uint64_t bytes)
{
	void *p;

	bytes = (bytes | 4095) + 1;
	p = aligned_alloc(4096, bytes);
	if (!p)
		ctl_no_memory();
	memset(p, 0, bytes);
	return p;
}

int coll_run_begin(struct coll_runner *r, const uint64_t bytes[2])
{
	struct joining j = { .runner = r };
	uint32_t i;
	int k;

	memcpy(r->bytes, bytes, sizeof(r->bytes));
	for (i = 0; i < r->ranks; i++) {
		for (k = 0; k < 2; k++) {
			if (r->host) {
				r->buffer[k][i] = host_memory(bytes[k]);
				continue;
			}
			if (bytes[k] && vn_mem_alloc(r->dev, i, bytes[k], &r->hbm[k][i]))
				return ctl_fail_lib();
			r->buffer[k][i] = r->hbm[k][i].ptr;
		}
	}
	if (vn_get_unique_id(&j.id))
		return ctl_fail_lib();
	coll_crew_work(&j.crew, r->ranks, r->one_thread, join_ranks, &j);
	return j.crew.failed ? ctl_fail("%s", j.crew.why) : CTL_OK;
}

static void leave(struct coll_member *m, void *arg)
{
	struct coll_runner *r = arg;
	uint32_t i;
	int k;

	for (i = m->first; i < m->first + m->own; i++) {
		for (k = 0; r->comm[i] && k < 2; k++)
			if (r->registration[k][i])
				vn_comm_deregister(r->comm[i], r->registration[k][i]);
		if (r->comm[i])
			vn_comm_destroy(r->comm[i]);
		r->comm[i] = NULL;
	}
}

void coll_run_end(struct coll_runner *r)
{
	struct coll_crew crew = { .members = 0 };
	uint32_t i;
	int k;

	coll_crew_work(&crew, r->ranks, r->one_thread, leave, r);
	for (i = 0; i < r->ranks; i++) {
		for (k = 0; k < 2; k++) {
			if (r->host)
				free(r->buffer[k][i]);
			else if (r->hbm[k][i].ptr)
				vn_mem_free(r->dev, &r->hbm[k][i]);
		}
	}
	free(r->us);
}
