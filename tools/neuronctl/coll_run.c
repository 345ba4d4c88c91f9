// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coll_check.h"
#include "ctl.h"

/* What the members of a phase share. */
struct shared {
	struct coll_runner *runner;
	const struct coll_job *job;
	vn_unique_id id;
	struct coll_round round;
	uint32_t members;
	bool crowded; /* more of them than CPUs */
	cpu_set_t cpus;
	uint32_t arrived, phase; /* of the barrier; atomic */
	bool failed; /* atomic; why is from whoever failed first */
	bool enough; /* by member 0, before they meet */
	char why[512];
	uint64_t wrong; /* atomic */
	uint64_t entered; /* atomic: members, into all iterations so far */
	struct {
		_Alignas(64) double us;
	} member[VN_MAX_CHIPS];
};

struct member {
	struct shared *s;
	uint32_t number, first, own; /* ranks it drives */
	void (*work)(struct member *m);
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The caller's vn_error() is why. */
static void fail(struct shared *s)
{
	char why[sizeof(s->why)];

	snprintf(why, sizeof(why), "%s", vn_error());
	if (!__atomic_exchange_n(&s->failed, true, __ATOMIC_ACQ_REL))
		memcpy(s->why, why, sizeof(why));
}

/* ---- members ---------------------------------------------------------------- */

static void *member_main(void *arg)
{
	struct member *m = arg;

	m->work(m);
	return NULL;
}

/* Runs work on all members and waits for them. */
static int phase(struct shared *s, void (*work)(struct member *m))
{
	struct coll_runner *r = s->runner;
	pthread_t thread[VN_MAX_CHIPS];
	struct member m[VN_MAX_CHIPS];
	uint32_t i;

	s->members = r->one_thread ? 1 : r->ranks;
	if (sched_getaffinity(0, sizeof(s->cpus), &s->cpus))
		CPU_ZERO(&s->cpus);
	s->crowded = s->members > (uint32_t)CPU_COUNT(&s->cpus);
	for (i = 0; i < s->members; i++)
		m[i] = (struct member){ .s = s,
					.number = i,
					.first = i,
					.own = r->one_thread ? r->ranks : 1,
					.work = work };
	if (r->one_thread) {
		work(&m[0]);
	} else {
		for (i = 0; i < s->members; i++)
			if (pthread_create(&thread[i], NULL, member_main, &m[i]))
				ctl_no_memory();
		for (i = 0; i < s->members; i++)
			pthread_join(thread[i], NULL);
	}
	if (s->failed && s->job)
		return ctl_fail("%s of %s: %s", vn_coll_name(s->job->op->op),
				vn_type_name(s->job->type->type), s->why);
	return s->failed ? ctl_fail("%s", s->why) : CTL_OK;
}

/* With a CPU for each, each has its own. */
static void place(const struct member *m)
{
	uint32_t n = 0;
	cpu_set_t one;
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE && !m->s->crowded && m->s->members > 1; cpu++) {
		if (!CPU_ISSET(cpu, &m->s->cpus) || n++ != m->number)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
}

static void meet(struct shared *s)
{
	uint32_t seen = __atomic_load_n(&s->phase, __ATOMIC_RELAXED), n = 0;

	if (__atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL) == s->members) {
		__atomic_store_n(&s->arrived, 0, __ATOMIC_RELAXED);
		/* Releases what all of them wrote; pairs with the loads below. */
		__atomic_store_n(&s->phase, seen + 1, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&s->phase, __ATOMIC_ACQUIRE) == seen)
		if (s->crowded || ++n % 4096 == 0)
			sched_yield();
}

/* ---- iterations ------------------------------------------------------------- */

/* A communicator that failed is of no use: the others are not to wait for us. */
static void give_up(struct member *m)
{
	vn_comm_t *comm = &m->s->runner->comm[m->first];
	uint32_t i;

	fail(m->s);
	for (i = 0; i < m->own; i++) {
		vn_comm_abort(comm[i]);
		comm[i] = NULL;
	}
}

static int start(const struct member *m, uint32_t rank)
{
	const struct coll_round *c = &m->s->round;
	const struct coll_job *j = c->job;
	struct vn_op op = {
		.op = j->op->op,
		.way = j->way,
		.type = j->type->type,
		.redop = coll_op_reduces(j->op) ? m->s->runner->redop[rank] : VN_SUM,
		.root = (int)j->root,
		.count = j->count,
		.sendbuff = c->send[rank],
		.recvbuff = c->recv[rank],
		.to = m->s->runner->to,
	};

	return vn_op_start(&op, m->s->runner->comm[rank], NULL, NULL);
}

static int carry_out(const struct member *m)
{
	vn_comm_t *comm = m->s->runner->comm;
	uint32_t last = m->first + m->own, r;
	int err = 0;

	if (m->own == 1)
		return start(m, m->first) ?: vn_comm_sync(comm[m->first], VN_FOREVER);
	err = vn_group_start();
	for (r = m->first; !err && r < last; r++)
		err = start(m, r);
	/* A group remembers an error; this one has the text of it. */
	if (err) {
		fail(m->s);
		vn_group_end();
		return err;
	}
	err = vn_group_end();
	for (r = m->first; !err && r < last; r++)
		err = vn_comm_sync(comm[r], VN_FOREVER);
	return err;
}

/* Member 0, between two meetings: the time of an iteration, and is it enough? */
static void note(struct shared *s, uint32_t i, double since)
{
	const struct coll_job *j = s->job;
	double slowest = 0;
	uint32_t k;

	for (k = 0; k < s->members; k++)
		if (s->member[k].us > slowest)
			slowest = s->member[k].us;
	if (i >= j->warmup)
		s->runner->us[i - j->warmup] = slowest;
	s->enough = i + 1 >= j->warmup + j->iters ||
		    (i >= j->warmup && j->most_us && now_us() - since > j->most_us);
	s->runner->done = i + 1 - j->warmup;
}

static void iterate(struct member *m)
{
	struct shared *s = m->s;
	double t, since = now_us();
	uint64_t wrong = 0;
	uint32_t i, r;

	place(m);
	for (i = 0;; i++) {
		if (!m->number)
			s->round.round = ++s->runner->round;
		meet(s); /* nobody compares any more, and the round is known */
		for (r = m->first; s->job->op->makes && r < m->first + m->own; r++)
			coll_round_fill(&s->round, r);
		meet(s);
		__atomic_fetch_add(&s->entered, 1, __ATOMIC_SEQ_CST);
		t = now_us();
		if (carry_out(m))
			give_up(m);
		s->member[m->number].us = now_us() - t;
		/* Nobody leaves a barrier before all have entered it. */
		if (!s->job->op->makes)
			wrong += s->members * (i + 1ull) -
				 __atomic_load_n(&s->entered, __ATOMIC_SEQ_CST);
		meet(s);
		if (!m->number)
			note(s, i, since);
		if (!__atomic_load_n(&s->failed, __ATOMIC_ACQUIRE) && s->job->op->makes)
			wrong += coll_round_wrong(&s->round, m->number, s->members);
		meet(s);
		if (s->failed || s->enough)
			break;
	}
	__atomic_fetch_add(&s->wrong, wrong, __ATOMIC_RELAXED);
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

/* Each rank's reduction; a pre-multiplied sum is made, and forgotten at the end. */
static int make_redops(struct coll_runner *r, const struct coll_job *job,
		       const struct coll_letters *letters)
{
	uint64_t scalar;
	uint32_t i;

	for (i = 0; i < r->ranks; i++) {
		r->redop[i] = job->redop;
		if (!coll_op_reduces(job->op) || job->redop != VN_PREMULSUM)
			continue;
		coll_letters_scalar(letters, i, &scalar);
		if (vn_red_op_create_pre_mul_sum(&r->redop[i], &scalar, job->type->type,
						 VN_SCALAR_HOST_IMMEDIATE, r->comm[i]))
			return ctl_fail_lib();
	}
	return 0;
}

static void forget_redops(struct coll_runner *r)
{
	uint32_t i;

	for (i = 0; i < r->ranks; i++)
		if (r->comm[i] && r->redop[i] >= VN_REDOP_COUNT)
			vn_red_op_destroy(r->redop[i], r->comm[i]);
}

int coll_run(struct coll_runner *r, const struct coll_job *job, struct coll_result *result)
{
	struct shared *s = ctl_realloc(NULL, 1, sizeof(*s));
	struct coll_letters letters;
	struct vn_comm_stats before;
	int ret;

	coll_letters_init(&letters, job->type, coll_op_reduces(job->op), job->redop, r->ranks);
	memset(s, 0, sizeof(*s));
	s->runner = r;
	s->job = job;
	s->round = (struct coll_round){ .job = job, .letters = &letters, .ranks = r->ranks };
	coll_round_place(&s->round, r->buffer);
	r->us = ctl_realloc(r->us, job->iters, sizeof(*r->us));
	ret = vn_comm_stats(r->comm[0], &before) ? ctl_fail_lib() : make_redops(r, job, &letters);
	ret = ret ?: phase(s, iterate);
	forget_redops(r);
	if (!ret) {
		qsort(r->us, r->done, sizeof(*r->us), by_value);
		*result = (struct coll_result){ .iters = r->done,
						.us = r->us,
						.wrong = s->wrong,
						.way = way_taken(r->comm[0], &before) };
	}
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
	uint64_t count = bytes / vn_type_size(type->type) / (coll_op_blocks(op) ? ranks : 1);

	if (!op->makes)
		return 0;
	return count ? count : 1;
}

uint64_t coll_run_bytes(const struct coll_job *job, uint32_t ranks)
{
	return job->count * vn_type_size(job->type->type) * (coll_op_blocks(job->op) ? ranks : 1);
}

void coll_run_needs(const struct coll_job *job, uint32_t ranks, uint64_t bytes[2])
{
	uint64_t block = job->count * vn_type_size(job->type->type);
	uint64_t send = job->op->send_blocks ? block * ranks : block;
	uint64_t recv = job->op->recv_blocks ? block * ranks : block;

	if (send > bytes[0])
		bytes[0] = send;
	if (recv > bytes[1])
		bytes[1] = recv;
}

static void join_ranks(struct member *m)
{
	struct coll_runner *r = m->s->runner;
	int err;

	if (r->one_thread)
		err = vn_set_chip(r->dev, 0) ?: vn_comm_init_all(r->comm, (int)r->ranks, NULL);
	else
		err = vn_set_chip(r->dev, m->first)
			      ?: vn_comm_init_rank(&r->comm[m->first], (int)r->ranks, m->s->id,
						   (int)m->first);
	if (err)
		fail(m->s);
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
	struct shared *s;
	uint32_t i;
	int k, ret;

	coll_op_permutation(r->to, r->ranks);
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
	s = ctl_realloc(NULL, 1, sizeof(*s));
	memset(s, 0, sizeof(*s));
	s->runner = r;
	ret = vn_get_unique_id(&s->id) ? ctl_fail_lib() : phase(s, join_ranks);
	free(s);
	return ret;
}

static void leave(struct member *m)
{
	vn_comm_t *comm = m->s->runner->comm;
	uint32_t i;

	for (i = m->first; i < m->first + m->own; i++) {
		if (comm[i])
			vn_comm_destroy(comm[i]);
		comm[i] = NULL;
	}
}

void coll_run_end(struct coll_runner *r)
{
	struct shared *s = ctl_realloc(NULL, 1, sizeof(*s));
	uint32_t i;
	int k;

	memset(s, 0, sizeof(*s));
	s->runner = r;
	phase(s, leave);
	free(s);
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
