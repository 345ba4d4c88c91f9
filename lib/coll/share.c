// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Moves by loads and stores: for work shared out among waiting ranks, and for pulls. */
#include <string.h>

#include "coll.h"
#include "../fpenv.h"
#include "../../kmod/engine/ops.h"

/* What one take of a share touches, about: it pays for the take, and others get some too. */
#define SLICE_TOUCH (256u << 10)
/* The least, and the most, that is cut off a block. */
#define SLICE_MIN (4u << 10)
#define SLICE_MAX (256u << 10)
/* A fold of many reads long enough runs of each from here on ... */
#define SLICE_GOOD (32u << 10)
/* ... which comes after that many takes for each core: they end together. */
#define TAKES 4u
/* Less than this in all is not worth a second thread. */
#define WHOLE (32u << 10)

static void rotate(const struct coll_move *m, char *const *src, char *const *dst)
{
	char hold[4096];
	uint64_t n;

	for (uint64_t at = 0; at < m->count; at += n) {
		uint32_t i = m->ndst;

		n = m->count - at < sizeof(hold) ? m->count - at : sizeof(hold);
		if (m->wraps)
			memcpy(hold, src[m->nsrc - 1] + at, n);
		while (i-- > m->wraps)
			memcpy(dst[i] + at, src[i - m->wraps] + at, n);
		if (m->wraps)
			memcpy(dst[0] + at, hold, n);
	}
}

/* One vector of fp32: fewer elements are quicker without, and the bits are the same. */
#define FEW 8u

static void reduce(const struct coll_team *t, const struct vn_reduce_args *a)
{
	const struct vn_ops *ops = a->n < FEW ? &vn_ops_scalar : t->ops;

	ops->reduce(a);
}

static void fold(const struct coll_team *t, const struct coll_move *m, const void *const *src,
		 void *const *dst, const struct coll_post *post, bool stream, void *scratch)
{
	uint64_t scalars[VN_MAX_CHIPS];

	if (m->redop == VN_PREMULSUM)
		for (uint32_t i = 0; i < m->nsrc; i++)
			scalars[i] = post[m->src[i].rank].scalar;
	reduce(t, &(const struct vn_reduce_args){
			  .src = src,
			  .dst = dst,
			  .scalars = scalars,
			  .nsrc = m->nsrc,
			  .ndst = m->ndst,
			  .n = m->count,
			  .type = m->type,
			  .redop = m->redop,
			  .flags = coll_reduce_flags(m->kind),
			  .stream = stream,
			  .scratch = scratch,
		  });
}

/* One source is read once for all of its destinations. */
static void copy(const struct coll_team *t, const struct coll_move *m, char *const *src,
		 char *const *dst, bool stream, void *scratch)
{
	if (m->ndst > 1)
		reduce(t, &(const struct vn_reduce_args){
				  .src = (const void *const *)src,
				  .dst = (void *const *)dst,
				  .nsrc = 1,
				  .ndst = m->ndst,
				  .n = m->count,
				  .type = VN_UINT8,
				  .redop = VN_SUM,
				  .stream = stream,
				  .scratch = scratch,
			  });
	else if (dst[0] != src[0])
		t->ops->copy(dst[0], src[0], m->count, stream);
}

static void run(const struct coll_team *t, const struct coll_move *m, char *const *src,
		char *const *dst, const struct coll_post *post, bool stream, void *scratch)
{
	bool bytes = m->kind == COLL_ROTATE || m->kind == COLL_COPY;

	coll_write(t, dst, m->ndst, m->count * (bytes ? 1 : vn_type_bytes(m->type)));
	switch (m->kind) {
	case COLL_ROTATE:
		rotate(m, src, dst);
		break;
	case COLL_COPY:
		copy(t, m, src, dst, stream, scratch);
		break;
	case COLL_FOLD:
	case COLL_SCAN:
	case COLL_EXSCAN:
		fold(t, m, (const void *const *)src, (void *const *)dst, post, stream, scratch);
	}
	coll_written(t);
}

/* Bytes of a block that are one take. */
static uint64_t slice_for(const struct coll_team *t, struct coll_shape *s, uint64_t volume)
{
	uint64_t bytes = s->count * vn_type_bytes(s->type), all, slice, good;

	if (volume <= WHOLE)
		return bytes;
	coll_shape_cut(s, bytes);
	all = bytes * coll_moves(s);
	slice = (uint64_t)((double)all / (double)volume * SLICE_TOUCH);
	good = all / (TAKES * t->cores);
	good = good < SLICE_GOOD ? good : SLICE_GOOD;
	slice = slice > good ? slice : good;
	/* Everybody who may help gets some. */
	all = (all + t->cores - 1) / t->cores;
	slice = slice < all ? slice : all;
	return slice < SLICE_MIN ? SLICE_MIN : slice > SLICE_MAX ? SLICE_MAX : slice;
}

/*
 * A run for each core that may come: cores that take turns at one fetch ahead what
 * the other is to read. With few moves that is less than another line to share.
 */
static void cut_runs(const struct coll_team *t, struct coll_job *j)
{
	uint32_t n = t->cores < t->ranks ? t->cores : t->ranks;

	n = n < COLL_RUNS ? n : COLL_RUNS;
	j->runs = j->moves < TAKES * n ? 1 : n;
	for (uint32_t i = 0; i < j->runs; i++) {
		__atomic_store_n(&j->run[i].next, i * j->moves / j->runs, __ATOMIC_RELAXED);
		j->run[i].end = (i + 1) * j->moves / j->runs;
	}
	j->empty = false;
}

void coll_share_open(struct coll_team *t, const struct coll_shape *shape, uint64_t seq)
{
	struct coll_slot *s = coll_slot(t, seq);
	struct coll_shape cut = *shape;
	uint64_t volume = coll_volume(shape);

	coll_shape_cut(&cut, slice_for(t, &cut, volume));
	s->planned = false;
	s->job.shape.slice = cut.slice;
	s->job.volume = volume;
	s->job.moves = coll_moves(&cut);
	s->job.done = 0;
	cut_runs(t, &s->job);
	__atomic_store_n(&s->state, coll_state(seq, COLL_SHARED), __ATOMIC_SEQ_CST);
	if (s->job.moves > 1)
		coll_wake(t);
}

/* What a thread needs to work on a job. */
struct hand {
	struct vn_lib_comm *comm;
	const struct coll_post *post;
	const struct coll_shape *shape;
	const struct coll_view *view; /* NULL: all is in this process */
	bool stream;
};

static void resolve(const struct hand *h, const struct coll_ref *refs, uint32_t n, char **to)
{
	for (uint32_t i = 0; i < n; i++) {
		enum coll_end side = refs[i].recv ? COLL_RECV : COLL_SEND;
		uint32_t r = refs[i].rank;

		to[i] = (h->view ? h->view->at[side][r] : (char *)h->post[r].at[side]) + refs[i].at;
	}
}

/* One at which nobody is yet, if there is one; the same one for the same rank, if it can be. */
static uint32_t first_run(const struct coll_job *j, uint32_t rank)
{
	for (uint32_t n = 0; n < j->runs; n++) {
		uint32_t i = (rank + n) % j->runs;

		if (__atomic_load_n(&j->run[i].next, __ATOMIC_RELAXED) == i * j->moves / j->runs)
			return i;
	}
	return rank % j->runs;
}

/* Returns how many moves of the run this thread made; after a failure it stops. */
static uint64_t work_off(const struct hand *h, struct coll_run *r)
{
	char *src[VN_MAX_CHIPS], *dst[VN_MAX_CHIPS];
	const struct coll_team *t = h->comm->team;
	uint64_t mine = 0, i;
	struct coll_move m;

	while (!coll_failed(t) &&
	       (i = __atomic_fetch_add(&r->next, 1, __ATOMIC_ACQ_REL)) < r->end) {
		if (coll_move(h->shape, i, &m)) {
			resolve(h, m.src, m.nsrc, src);
			resolve(h, m.dst, m.ndst, dst);
			coll_step(h->comm->rank);
			run(t, &m, src, dst, h->post, h->stream, h->comm->scratch);
		}
		mine++;
	}
	return mine;
}

/* Works on all runs, its own first. */
static uint64_t work(struct vn_lib_comm *c, struct coll_job *j, uint64_t seq,
		     const struct coll_view *view)
{
	struct coll_extras extra;
	struct coll_shape shape;
	struct hand h = {
		.comm = c,
		.post = coll_posts(c->team, seq),
		.shape = &j->shape,
		.view = view,
		.stream = j->volume > c->team->stream_bytes,
	};
	uint32_t fp = vn_fp_enter(), first = first_run(j, c->rank);
	uint64_t mine = 0;

	if (h.post[0].extra) {
		shape = j->shape;
		shape.extra = coll_extras(c->team, seq, &extra);
		h.shape = &shape;
	}
	for (uint32_t n = 0; n < j->runs; n++)
		mine += work_off(&h, &j->run[(first + n) % j->runs]);
	vn_fp_leave(fp);
	return mine;
}

/* The same where others' memory must be mapped first. */
static uint64_t work_apart(struct vn_lib_comm *c, struct coll_job *j, uint64_t seq)
{
	struct coll_view view;
	uint64_t mine = 0;

	if (coll_view(c->team, seq, &view))
		mine = work(c, j, seq, &view);
	coll_reached(c->team);
	return mine;
}

void coll_share(struct vn_lib_comm *c, uint64_t seq)
{
	struct coll_slot *s = coll_slot(c->team, seq);
	struct coll_job *j = &s->job;
	uint64_t moves = j->moves, mine;

	if (__atomic_load_n(&j->empty, __ATOMIC_RELAXED) || !coll_touch(c))
		return;
	mine = c->team->apart ? work_apart(c, j, seq) : work(c, j, seq, NULL);
	coll_step(c->rank);
	coll_touched(c);
	__atomic_store_n(&j->empty, true, __ATOMIC_RELAXED);
	if (mine && __atomic_add_fetch(&j->done, mine, __ATOMIC_ACQ_REL) == moves) {
		coll_step(c->rank);
		__atomic_store_n(&s->state, coll_state(seq, COLL_DONE), __ATOMIC_SEQ_CST);
		coll_wake(c->team);
	}
}

/* What most pulls are: everybody's data folded, in order, as it came. */
static void pull_fold(const struct coll_team *t, const struct coll_shape *s, char *const *from,
		      const struct coll_post *post, char *recv, void *scratch)
{
	uint64_t scalars[VN_MAX_CHIPS];
	void *dst = recv;

	for (uint32_t r = 0; s->redop == VN_PREMULSUM && r < s->ranks; r++)
		scalars[r] = post[r].scalar;
	coll_write(t, &recv, 1, s->count * vn_type_bytes(s->type));
	reduce(t, &(const struct vn_reduce_args){
			  .src = (const void *const *)from,
			  .dst = &dst,
			  .scalars = scalars,
			  .nsrc = s->ranks,
			  .ndst = 1,
			  .n = s->count,
			  .type = s->type,
			  .redop = s->redop,
			  .scratch = scratch,
		  });
	coll_written(t);
}

static void pull_moves(struct coll_team *t, struct coll_shape *shape, uint32_t rank,
		       char *const *from, const struct coll_post *post, char *recv, void *scratch)
{
	char *src[VN_MAX_CHIPS], *dst[VN_MAX_CHIPS];
	uint64_t moves = coll_moves(shape);
	struct coll_move m;
	uint32_t n;

	for (uint64_t i = 0; i < moves; i++) {
		if (!coll_move(shape, i, &m))
			continue;
		n = 0;
		for (uint32_t d = 0; d < m.ndst; d++) {
			if (m.dst[d].rank != rank)
				continue;
			dst[n++] = recv + m.dst[d].at;
			/* Of a scan this rank wants the fold of those up to it. */
			if (m.kind == COLL_SCAN || m.kind == COLL_EXSCAN) {
				m.nsrc = m.kind == COLL_SCAN ? rank + 1 : rank;
				m.kind = COLL_FOLD;
			}
		}
		if (!n)
			continue;
		m.ndst = n;
		for (uint32_t k = 0; k < m.nsrc; k++)
			src[k] = from[m.src[k].rank] + m.src[k].at;
		run(t, &m, src, dst, post, false, scratch);
	}
}

void coll_pull(struct coll_team *t, struct coll_shape *shape, uint32_t rank, char *const *from,
	       const struct coll_post *post, char *recv, void *scratch)
{
	uint32_t fp = vn_fp_enter();

	if (shape->op != VN_ALL_REDUCE)
		pull_moves(t, shape, rank, from, post, recv, scratch);
	else if (shape->count)
		pull_fold(t, shape, from, post, recv, scratch);
	vn_fp_leave(fp);
}
