// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Communicators, one thread a rank: every operation, type and reduction by every
 * way against a reference written out here, in and out of place; and what happens
 * when ranks disagree, stay away or give up.
 */
#include <pthread.h>

#include <vneuron/coll.h>

#include "fixture.h"

#define RANKS_MAX 8
#define ROOM (1u << 20) /* bytes of a buffer */
/* So many elements are looked at together. */
#define RUN 64u

static vn_device_t dev;
static struct vn_mem send_mem[RANKS_MAX], recv_mem[RANKS_MAX];

/* Small whole numbers: exact in every type and any order of folding. */
static int value(int rank, uint64_t i, enum vn_redop op)
{
	if (op == VN_PROD)
		return (i + (uint64_t)rank) % 7 ? 1 : 2;
	return (int)((i * 7 + (uint64_t)rank * 5) % 9) - 4;
}

static void put(char *p, enum vn_type type, uint64_t i, int v)
{
	union {
		float f;
		uint32_t u;
	} x = { (float)v };
	_Float16 h;

	switch (type) {
	case VN_FLOAT32:
		memcpy(p + 4 * i, &x.f, 4);
		break;
	case VN_BFLOAT16:
		x.u >>= 16;
		memcpy(p + 2 * i, &x.u, 2);
		break;
	case VN_FLOAT16:
		h = (_Float16)v;
		memcpy(p + 2 * i, &h, 2);
		break;
	default:
		memcpy(p + 4 * i, &v, 4);
	}
}

static int fold(int a, int b, enum vn_redop op)
{
	switch (op) {
	case VN_PROD:
		return a * b;
	case VN_MAX:
		return a > b ? a : b;
	case VN_MIN:
		return a < b ? a : b;
	default:
		return a + b;
	}
}

/* Ranks [0, n) folded at element i. */
static int folded(int n, uint64_t i, enum vn_redop op)
{
	int a = value(0, i, op);

	for (int r = 1; r < n; r++)
		a = fold(a, value(r, i, op), op);
	return a;
}

struct test {
	struct vn_op op;
	int ranks;
	bool in_place, host;
};

static uint64_t blocks(enum vn_coll op, int ranks, bool send)
{
	if (op == VN_ALL_TO_ALL || op == (send ? VN_SCATTER : VN_GATHER) ||
	    op == (send ? VN_REDUCE_SCATTER : VN_ALL_GATHER))
		return (uint64_t)ranks;
	return 1;
}

/* What rank r has at element i of its receive buffer; false: it stays as it was. */
static bool expected(const struct test *t, int r, uint64_t i, int *v)
{
	uint64_t n = t->op.count;
	enum vn_redop redop = t->op.redop;

	switch (t->op.op) {
	case VN_ALL_REDUCE:
		*v = folded(t->ranks, i, redop);
		return true;
	case VN_REDUCE_TO:
		*v = folded(t->ranks, i, redop);
		return r == t->op.root;
	case VN_BROADCAST:
		*v = value(t->op.root, i, redop);
		return true;
	case VN_ALL_GATHER:
		*v = value((int)(i / n), i % n, redop);
		return true;
	case VN_REDUCE_SCATTER:
		*v = folded(t->ranks, (uint64_t)r * n + i, redop);
		return true;
	case VN_ALL_TO_ALL:
		*v = value((int)(i / n), (uint64_t)r * n + i % n, redop);
		return true;
	case VN_GATHER:
		*v = value((int)(i / n), i % n, redop);
		return r == t->op.root;
	case VN_SCATTER:
		*v = value(t->op.root, (uint64_t)r * n + i, redop);
		return true;
	case VN_PERMUTE:
		for (int s = 0; s < t->ranks; s++) {
			if (t->op.to[s] == r) {
				*v = value(s, i, redop);
				return true;
			}
		}
		return false;
	case VN_SCAN:
		*v = folded(r + 1, i, redop);
		return true;
	case VN_EXSCAN:
		if (r)
			*v = folded(r, i, redop);
		return r;
	default:
		return false;
	}
}

/* Buffers of a rank for a test; in place they are one. */
static void buffers(const struct test *t, int r, char **send, char **recv)
{
	uint64_t es = vn_type_size(t->op.type), n = t->op.count * es;
	uint64_t ns = blocks(t->op.op, t->ranks, true), nr = blocks(t->op.op, t->ranks, false);
	static char host[RANKS_MAX][2][ROOM] __attribute__((aligned(64)));

	*send = t->host ? host[r][0] : send_mem[r].ptr;
	*recv = t->host ? host[r][1] : recv_mem[r].ptr;
	if (t->in_place && ns == nr)
		*recv = *send;
	else if (t->in_place && ns < nr && (t->op.op != VN_GATHER || r == t->op.root))
		*send = *recv + (uint64_t)r * n;
	else if (t->in_place && ns > nr && (t->op.op != VN_SCATTER || r == t->op.root))
		*recv = *send + (uint64_t)r * n;
}

static void prepare(const struct test *t, int r)
{
	uint64_t es = vn_type_size(t->op.type), n = t->op.count;
	uint64_t ns = blocks(t->op.op, t->ranks, true), nr = blocks(t->op.op, t->ranks, false);
	char *send, *recv;

	buffers(t, r, &send, &recv);
	memset(recv, 0x5a, nr * n * es + 16);
	for (uint64_t i = 0; i < ns * n; i++)
		put(send, t->op.type, i, value(r, i, t->op.redop));
}

/* Runs of elements that are not all as they should be, and the bytes behind the end. */
static uint64_t wrong(const struct test *t, int r)
{
	uint64_t es = vn_type_size(t->op.type), bad = 0, most;
	uint64_t n = blocks(t->op.op, t->ranks, false) * t->op.count;
	char *send, *recv, want[RUN * 8], end[16];
	int v = 0;

	buffers(t, r, &send, &recv);
	memset(end, 0x5a, sizeof(end));
	for (uint64_t i = 0; i < n; i += most) {
		most = n - i < RUN ? n - i : RUN;
		memset(want, 0x5a, sizeof(want));
		for (uint64_t k = 0; k < most; k++) {
			if (expected(t, r, i + k, &v))
				put(want, t->op.type, k, v);
			else if (t->in_place)
				memcpy(want + k * es, recv + (i + k) * es, es);
		}
		bad += memcmp(recv + i * es, want, most * es) != 0;
	}
	if (!t->in_place)
		bad += memcmp(recv + n * es, end, sizeof(end)) != 0;
	return bad;
}

/* ---- a crew of ranks ---------------------------------------------------------- */

struct rank {
	pthread_t thread;
	vn_comm_t comm;
	int number, err;
	char text[512];
	const struct test *tests;
	uint32_t ntests;
	uint64_t wrong;
	void (*fn)(struct rank *me);
	vn_unique_id id;
	int ranks;
	struct vn_config config;
};

static void *rank_main(void *arg)
{
	struct rank *me = arg;

	me->err = vn_comm_init_rank_config(&me->comm, me->ranks, me->id, me->number, &me->config);
	if (!me->err)
		me->fn(me);
	if (me->err)
		snprintf(me->text, sizeof(me->text), "%s", vn_error());
	return NULL;
}

static void crew(struct rank *all, int ranks, const struct vn_config *config,
		 void (*fn)(struct rank *me))
{
	vn_unique_id id;

	NEED(vn_get_unique_id(&id));
	for (int r = 0; r < ranks; r++) {
		all[r].number = r;
		all[r].ranks = ranks;
		all[r].id = id;
		all[r].fn = fn;
		all[r].config = *config;
		all[r].config.dev = dev;
		if (pthread_create(&all[r].thread, NULL, rank_main, &all[r]))
			NEED(-EAGAIN);
	}
	for (int r = 0; r < ranks; r++)
		pthread_join(all[r].thread, NULL);
}

static void run_tests(struct rank *me)
{
	struct vn_op op;
	char *send, *recv;

	for (uint32_t i = 0; i < me->ntests && !me->err; i++) {
		const struct test *t = &me->tests[i];

		prepare(t, me->number);
		buffers(t, me->number, &send, &recv);
		op = t->op;
		op.sendbuff = send;
		op.recvbuff = recv;
		/* The one before it: nobody may read what is not prepared. */
		me->err = vn_barrier(me->comm, NULL) ?: vn_op_start(&op, me->comm, NULL, NULL) ?:
			  vn_comm_sync(me->comm, LONG);
		me->wrong += wrong(t, me->number);
	}
	me->err = vn_comm_destroy(me->comm) ?: me->err;
}

static const int shift_to[] = { 1, 2, 3, 4, 5, 6, 7, 0 };
static const int holes_to[] = { 2, -1, 1, 0, -1, 7, 5, 6 };

static uint32_t list_tests(struct test *to, int ranks, uint64_t bytes, enum vn_way way)
{
	static const enum vn_type types[] = { VN_FLOAT32, VN_BFLOAT16, VN_FLOAT16, VN_INT32 };
	uint32_t n = 0;

	for (int op = 0; op <= VN_BARRIER; op++) {
		for (uint32_t k = 0; k < COUNT(types) * 4; k++) {
			struct test t = {
				.op = { .op = (enum vn_coll)op,
					.way = way,
					.type = types[k / 4],
					.redop = (enum vn_redop)(k % 4),
					.root = ranks / 2 },
				.ranks = ranks,
				.in_place = (k + (uint32_t)op) % 2,
				.host = way != VN_WAY_PLAN && k % 3 == 1,
			};
			uint64_t most = ROOM / 2 / (uint64_t)ranks;

			t.op.count = (bytes < most ? bytes : most) / vn_type_size(t.op.type);
			if (op == VN_PERMUTE) {
				bool holes = ranks == 8 && k % 2;

				if (ranks != 8 && ranks != 1)
					continue;
				t.op.to = ranks == 1 ? &shift_to[7] : holes ? holes_to : shift_to;
			}
			if (op == VN_BARRIER && k)
				continue;
			to[n++] = t;
		}
	}
	return n;
}

static void matrix(int ranks, uint64_t bytes, enum vn_way way)
{
	static const struct vn_config config = VN_CONFIG_INITIALIZER;
	static struct test tests[VN_COLL_COUNT * 16];
	struct rank all[RANKS_MAX];
	uint64_t bad = 0;
	int err = 0;

	memset(all, 0, sizeof(all));
	for (int r = 0; r < ranks; r++) {
		all[r].tests = tests;
		all[r].ntests = list_tests(tests, ranks, bytes, way);
	}
	crew(all, ranks, &config, run_tests);
	for (int r = 0; r < ranks; r++) {
		bad += all[r].wrong;
		if (all[r].err && !err) {
			err = all[r].err;
			tap_diag("rank %d: %d: %s", r, err, all[r].text);
		}
	}
	tap_ok(!err && !bad, "%d ranks, %llu bytes, %s: %llu wrong", ranks,
	       (unsigned long long)bytes, vn_way_name(way), (unsigned long long)bad);
}

/* ---- one thread, streams --------------------------------------------------------- */

static void one_thread(void)
{
	vn_comm_t comm[4];
	struct test t = { .op = { .op = VN_ALL_REDUCE, .type = VN_FLOAT32, .count = 1000 },
			  .ranks = 4 };
	struct vn_op barrier = { .op = VN_BARRIER };
	struct vn_comm_stats stats;
	uint64_t bad = 0, seq[2];
	int err;

	NEED(vn_set_chip(dev, 0));
	NEED(vn_comm_init_all(comm, 4, NULL));
	for (int r = 0; r < 4; r++)
		prepare(&t, r);
	vn_group_start();
	for (int r = 0; r < 4; r++)
		vn_op_start(&barrier, comm[r], NULL, &seq[0]);
	for (int r = 0; r < 4; r++)
		vn_op_start(&barrier, comm[r], NULL, &seq[1]);
	NEED(vn_group_end());
	for (int r = 0; r < 4; r++)
		NEED(vn_comm_sync(comm[r], LONG));
	tap_ok(seq[0] == 0 && seq[1] == 1 && !vn_op_status(comm[3], seq[1]),
	       "a group numbers what it holds: %llu, %llu", (unsigned long long)seq[0],
	       (unsigned long long)seq[1]);
	vn_group_start();
	for (int r = 0; r < 4; r++)
		vn_all_reduce(send_mem[r].ptr, recv_mem[r].ptr, t.op.count, VN_FLOAT32, VN_SUM,
			      comm[r], NULL);
	err = vn_group_end();
	for (int r = 0; r < 4; r++) {
		err = err ?: vn_comm_sync(comm[r], LONG);
		bad += wrong(&t, r);
	}
	NEED(vn_comm_stats(comm[0], &stats));
	tap_ok(!err && !bad && stats.ops == 3, "one thread drives four ranks in a group");
	vn_group_start();
	err = vn_all_reduce(send_mem[0].ptr, recv_mem[0].ptr, 8, (enum vn_type)99, VN_SUM, comm[0],
			    NULL);
	tap_ok(err == -EINVAL && vn_group_end() == -EINVAL, "a group tells its first error");
	for (int r = 0; r < 4; r++)
		tap_ok(!vn_comm_destroy(comm[r]), "rank %d is destroyed", r);
}

/* COPY, all-reduce, COPY on one queue: each after the one before. */
static void streams(struct rank *me)
{
	struct vn_mem *s = &send_mem[me->number], *d = &recv_mem[me->number];
	uint64_t bytes = me->number ? 4096 : 256 << 10, n = 1024;
	struct test t = { .op = { .op = VN_ALL_REDUCE, .type = VN_INT32, .count = n },
			  .ranks = me->ranks };
	vn_queue_t q;

	me->err = vn_queue_create(dev, s->chip, 16, -1, &q);
	prepare(&t, me->number);
	memcpy((char *)s->ptr + ROOM / 2, s->ptr, bytes);
	memset(s->ptr, 0xee, bytes);
	/* The data arrives by the first copy, and leaves by the last. */
	vn_prep_copy(vn_next(q), vn_at(s, 0), vn_at(s, ROOM / 2), bytes);
	me->err = me->err ?: vn_all_reduce(s->ptr, d->ptr, n, VN_INT32, VN_SUM, me->comm, q);
	vn_prep_copy(vn_next(q), vn_at(d, ROOM / 2), vn_at(d, 0), 4 * n);
	me->err = me->err ?: vn_queue_sync(q, LONG);
	memmove(d->ptr, (char *)d->ptr + ROOM / 2, 4 * n);
	me->wrong = wrong(&t, me->number);
	vn_queue_destroy(q);
	me->err = vn_comm_destroy(me->comm) ?: me->err;
}

/* ---- failures ----------------------------------------------------------------------- */

static void disagree(struct rank *me)
{
	me->err = vn_all_reduce(send_mem[me->number].ptr, recv_mem[me->number].ptr,
				me->number == 2 ? 5000 : 6000, VN_FLOAT32, VN_SUM, me->comm, NULL)
			  ?: vn_comm_sync(me->comm, LONG);
	if (vn_barrier(me->comm, NULL) != -EINVAL)
		me->wrong = 1;
}

/* Who was first may be through with it, and is told by what comes next. */
static void told_later(struct rank *me)
{
	for (int i = 0; i < 3000 && !me->err; i++) {
		sleep_ms(1);
		vn_comm_get_async_error(me->comm, &me->err);
	}
	if (me->err)
		vn_barrier(me->comm, NULL);
}

/* Roots that differ: nobody needs anybody, yet it is no broadcast. */
static void other_roots(struct rank *me)
{
	me->err = vn_broadcast(send_mem[me->number].ptr, recv_mem[me->number].ptr, 2, VN_FLOAT32,
			       me->number, me->comm, NULL)
			  ?: vn_comm_sync(me->comm, LONG);
	told_later(me);
}

/* The root has so little that it posts it along and is off; the others want to share work. */
static void little_of_much(struct rank *me)
{
	if (me->number)
		sleep_ms(20);
	me->err = vn_broadcast(send_mem[me->number].ptr, recv_mem[me->number].ptr,
			       me->number ? 100000 : 2, VN_FLOAT32, 0, me->comm, NULL)
			  ?: vn_comm_sync(me->comm, LONG);
	told_later(me);
}

/* Stands behind a descriptor that waits for ever. */
static void stuck_stream(struct rank *me)
{
	vn_queue_t q;

	me->err = vn_queue_create(dev, (uint32_t)me->number, 8, -1, &q);
	if (me->err)
		return;
	memset(send_mem[me->number].ptr, 0, 8);
	vn_prep_sem_wait(vn_next(q), vn_at(&send_mem[me->number], 0), 1);
	me->err = vn_broadcast(send_mem[me->number].ptr, recv_mem[me->number].ptr, 2, VN_FLOAT32, 0,
			       me->comm, q)
			  ?: vn_queue_sync(q, LONG);
	/* Nor does anybody wait for what was put on a queue that goes. */
	if (vn_queue_destroy(q))
		me->wrong = 1;
	if (!me->err || !vn_barrier(me->comm, NULL))
		me->wrong = 1;
}

static void stay_away(struct rank *me)
{
	uint64_t since = now_ns();

	if (me->number == 1) {
		/* Until the others gave up. */
		while (!*vn_comm_error(me->comm) && now_ns() - since < 20 * SECOND)
			sleep_ms(5);
		me->err = vn_barrier(me->comm, NULL);
		return;
	}
	me->err = vn_broadcast(send_mem[me->number].ptr, recv_mem[me->number].ptr, 100000,
			       VN_FLOAT32, 0, me->comm, NULL)
			  ?: vn_comm_sync(me->comm, LONG);
	if (now_ns() - since > 20 * SECOND)
		me->wrong = 1;
}

static void give_up(struct rank *me)
{
	if (!me->number) {
		sleep_ms(50);
		me->err = -ECANCELED;
		vn_comm_abort(me->comm);
		me->comm = NULL;
		return;
	}
	me->err = vn_barrier(me->comm, NULL) ?: vn_comm_sync(me->comm, LONG);
}

static void failing(const char *what, void (*fn)(struct rank *me), int want, const char *names,
		    bool check)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	struct rank all[RANKS_MAX];
	bool good = true;

	memset(all, 0, sizeof(all));
	config.timeout_ns = SECOND;
	config.check = check;
	crew(all, 4, &config, fn);
	for (int r = 0; r < 4; r++) {
		good = good && all[r].err == want && !all[r].wrong;
		if (all[r].err != want)
			tap_diag("rank %d: %d: %s", r, all[r].err, all[r].text);
	}
	tap_ok(good, "%s: every rank gets %d", what, want);
	tap_ok(strstr(all[3].text, names) != NULL, "%s is told: %s", names, all[3].text);
	for (int r = 0; r < 4; r++)
		if (all[r].comm)
			vn_comm_abort(all[r].comm);
}

static void joining(void)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	vn_unique_id id;
	vn_comm_t comm;

	NEED(vn_get_unique_id(&id));
	config.dev = dev;
	config.timeout_ns = SECOND / 10;
	tap_ok(vn_comm_init_rank_config(&comm, 3, id, 1, &config) == -ETIMEDOUT &&
		       strstr(vn_error(), "did not join: 0 2"),
	       "who does not join is named: %s", vn_error());
	tap_ok(vn_comm_init_rank_config(&comm, 145, id, 1, &config) == -EINVAL, "145 ranks");
	tap_ok(vn_comm_init_rank_config(&comm, 3, id, 3, &config) == -EINVAL, "rank 3 of 3");
	config.version++;
	tap_ok(vn_comm_init_rank_config(&comm, 3, id, 1, &config) == -EINVAL, "another version");
}

/* Asked of nothing, or for nothing: said, not a crash. */
static void questions(void)
{
	struct vn_comm_stats stats;
	unsigned int wrong = 0;
	vn_comm_t comm;
	uint32_t chip;
	int n;

	wrong += vn_comm_count(NULL, &n) != -EINVAL || !strstr(vn_error(), "no communicator");
	wrong += vn_comm_user_rank(NULL, &n) != -EINVAL || !strstr(vn_error(), "user_rank");
	wrong += vn_comm_chip(NULL, &chip) != -EINVAL || vn_comm_stats(NULL, &stats) != -EINVAL;
	wrong += vn_comm_get_async_error(NULL, &n) != -EINVAL || *vn_comm_error(NULL);
	wrong += vn_comm_sync(NULL, 0) != -EINVAL || vn_op_status(NULL, 0) != -EINVAL;
	wrong += vn_comm_finalize(NULL) != -EINVAL || vn_comm_destroy(NULL) != -EINVAL;
	wrong += vn_comm_abort(NULL) != -EINVAL || vn_comm_revoke(NULL) != -EINVAL;
	NEED(vn_set_chip(dev, 0) ?: vn_comm_init_all(&comm, 1, NULL));
	wrong += vn_comm_count(comm, NULL) != -EINVAL || !strstr(vn_error(), "place");
	wrong += vn_comm_user_rank(comm, NULL) != -EINVAL || vn_comm_chip(comm, NULL) != -EINVAL;
	wrong += vn_comm_stats(comm, NULL) != -EINVAL;
	wrong += vn_comm_count(comm, &n) || n != 1;
	NEED(vn_comm_destroy(comm));
	tap_ok(!wrong, "questions without a communicator or a place for the answer (%u wrong)",
	       wrong);
}

int main(void)
{
	const uint64_t sizes[] = { 0, 4, 60, 5000, quick() ? 30004 : 100004, ROOM };
	static const int ranks[] = { 1, 2, 3, 8 };
	struct vn_config config = VN_CONFIG_INITIALIZER;
	struct rank all[RANKS_MAX];
	struct vn_chip_query q;
	uint32_t some = 3;
	uint64_t used;

	dev = device();
	if (in_kernel(dev))
		some = 6;
	NEED(vn_chip_query(dev, 0, &q));
	used = q.hbm_used;
	for (uint32_t r = 0; r < RANKS_MAX; r++) {
		send_mem[r] = take(dev, r, ROOM + 4096);
		recv_mem[r] = take(dev, r, ROOM + 4096);
	}
	for (uint32_t r = 0; r < COUNT(ranks); r++)
		for (uint32_t s = 0; s < COUNT(sizes) - quick(); s++)
			for (int way = VN_WAY_AUTO; way < VN_WAY_COUNT; way++)
				if (!quick() || (r + s + (uint32_t)way) % some == 0)
					matrix(ranks[r], sizes[s], (enum vn_way)way);
	one_thread();
	questions();
	memset(all, 0, sizeof(all));
	crew(all, 3, &config, streams);
	tap_ok(!all[0].err && !all[1].err && !all[2].err &&
		       !(all[0].wrong + all[1].wrong + all[2].wrong),
	       "a collective keeps its place between descriptors of its queue");
	failing("another count", disagree, -EINVAL, "rank 2", false);
	failing("another count, checked", disagree, -EINVAL, "rank 2", true);
	failing("other roots", other_roots, -EINVAL, "broadcast", false);
	failing("less than the others want", little_of_much, -EINVAL, "rank 0 calls broadcast",
		false);
	failing("a stream that stands still", stuck_stream, -ETIMEDOUT, "broadcast, operation 0",
		false);
	failing("a rank that never comes", stay_away, -ETIMEDOUT, "broadcast, operation 0", false);
	failing("an abort", give_up, -ECANCELED, "aborted by rank 0", false);
	joining();
	for (uint32_t r = 0; r < RANKS_MAX; r++) {
		vn_mem_free(dev, &send_mem[r]);
		vn_mem_free(dev, &recv_mem[r]);
	}
	NEED(vn_chip_query(dev, 0, &q));
	tap_ok(q.hbm_used == used, "HBM as before: %llu bytes", (unsigned long long)q.hbm_used);
	vn_close(dev);
	return tap_done();
}
