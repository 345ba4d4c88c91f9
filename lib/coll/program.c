// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Operations as launches of the device: their moves compiled into a plan whose
 * parameters are the ranks' buffers, kept for the next operation of the same shape.
 */
#include <errno.h>
#include <stdlib.h>

#include "coll.h"
#include "../plan.h"

/* Plans a team keeps. */
#define PROGRAMS_MAX 64u
/* Bytes of a slice of what is copied. */
#define COPY_SLICE (256u << 10)
/* One helper's stay in the device before it looks whether all has failed. */
#define STAY_NS 20000000u

/* Of one team, under its lock. */
struct coll_program {
	struct coll_program *next;
	struct coll_shape shape;
	uint64_t *scalars; /* PREMULSUM: [ranks] */
	vn_plan_t plan; /* NULL: it can't be one, and is not tried again */
	uint64_t used; /* team.clock when it was */
	uint32_t flying; /* launches that have not come back */
	uint32_t users; /* ranks that hold it for a persistent operation: it is theirs alone */
};

/* Chips that are given work: the same number for each core, so that all end together. */
static uint32_t workers(const struct coll_team *t)
{
	return t->ranks > t->cores ? t->ranks / t->cores * t->cores : t->ranks;
}

static uint64_t slice_for(const struct coll_team *t, const struct coll_shape *s)
{
	switch (s->op) {
	case VN_ALL_REDUCE:
	case VN_REDUCE_TO:
	case VN_BROADCAST:
	case VN_SCAN:
	case VN_EXSCAN:
		return coll_slice_bytes(s->count * vn_type_bytes(s->type), workers(t));
	default:
		return COPY_SLICE;
	}
}

static struct vn_operand operand(const struct coll_shape *s, const struct coll_ref *r)
{
	return vn_param((r->recv ? s->ranks : 0) + r->rank, r->at);
}

/* All sources to all destinations in one descriptor; one source alone is copied. */
static int emit_fold(vn_builder_t b, uint32_t chip, const struct coll_program *p,
		     const struct coll_move *m)
{
	struct vn_operand table[VN_OPERANDS_MAX] = { 0 };
	const struct coll_shape *s = &p->shape;
	uint32_t n = m->nsrc + m->ndst;
	struct vn_desc *d;
	int64_t first;

	for (uint32_t i = 0; i < m->nsrc; i++)
		table[i] = operand(s, &m->src[i]);
	for (uint32_t i = 0; i < m->ndst; i++)
		table[m->nsrc + i] = operand(s, &m->dst[i]);
	if (p->scalars) {
		uint64_t *scalars = (uint64_t *)&table[n];

		for (uint32_t i = 0; i < m->nsrc; i++)
			scalars[i] = p->scalars[m->src[i].rank];
		n += (m->nsrc + 1) / 2;
	}
	first = vn_build_operands(b, table, n);
	if (first < 0)
		return (int)first;
	d = vn_build(b, chip);
	if (!d)
		return -ENOMEM;
	if (m->kind == COLL_COPY)
		vn_prep_reduce(d, (uint64_t)first, 1, m->ndst, m->count, VN_UINT8, VN_SUM);
	else
		vn_prep_reduce(d, (uint64_t)first, m->nsrc, m->ndst, m->count, m->type, m->redop);
	d->arg = coll_reduce_flags(m->kind);
	return 0;
}

static int emit(vn_builder_t b, uint32_t chip, const struct coll_program *p,
		const struct coll_move *m)
{
	const struct coll_shape *s = &p->shape;
	struct vn_desc *d;

	switch (m->kind) {
	case COLL_FOLD:
	case COLL_SCAN:
	case COLL_EXSCAN:
		return emit_fold(b, chip, p, m);
	case COLL_COPY:
		/* It is read once for all of them. */
		if (m->ndst > 1)
			return emit_fold(b, chip, p, m);
		d = vn_build(b, chip);
		if (!d)
			return -ENOMEM;
		vn_prep_copy(d, operand(s, &m->dst[0]), operand(s, &m->src[0]), m->count);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * Apart: every rank has a bell, at which all ring when they are through with their part;
 * who has heard as many rings as there are ranks is through with all of them. Nobody
 * needs another's bell any more once that one has heard all.
 */
static int emit_bells(vn_builder_t b, const struct coll_team *t, uint32_t rank)
{
	uint32_t chip = t->board.member[rank].chip;
	struct vn_desc *d;

	for (uint32_t r = 0; r < t->ranks; r++) {
		const struct coll_member *m = &t->board.member[(rank + r) % t->ranks];

		d = vn_build(b, chip);
		if (!d)
			return -ENOMEM;
		vn_prep_sem_signal(d, vn_by_key(m->chip, m->bell, 0), 1);
	}
	d = vn_build(b, chip);
	if (!d)
		return -ENOMEM;
	vn_prep_sem_wait(d, vn_by_key(chip, t->board.member[rank].bell, 0), t->ranks);
	d->flags = VN_DESC_REL;
	return 0;
}

int coll_bell_init(struct coll_team *t, uint32_t rank)
{
	struct coll_member *m = &t->board.member[rank];
	struct vn_mem *bell = &t->seat[rank].bell;
	int err = vn_mem_alloc(t->dev, m->chip, sizeof(uint64_t), bell);

	return err ?: vn_mem_key(t->dev, bell, &m->bell);
}

void coll_bell_free(struct coll_team *t, uint32_t rank)
{
	if (t->seat[rank].bell.ptr)
		vn_mem_free(t->dev, &t->seat[rank].bell);
}

static void compile(struct coll_team *t, struct coll_program *p)
{
	struct coll_shape *s = &p->shape;
	struct coll_move m;
	vn_builder_t b;
	uint64_t moves;
	int err = 0;

	if (vn_builder_create(t->dev, 2 * s->ranks, &b))
		return;
	coll_shape_cut(s, slice_for(t, s));
	moves = coll_moves(s);
	for (uint64_t i = 0; !err && i < moves; i++) {
		uint32_t rank = (uint32_t)(i * workers(t) / moves);

		if (!coll_move(s, i, &m))
			continue;
		/* Others see to theirs; but all must be possible. */
		if (!t->apart || t->seat[rank].comm || m.kind == COLL_ROTATE)
			err = emit(b, t->board.member[rank].chip, p, &m);
	}
	for (uint32_t r = 0; t->apart && !err && r < t->ranks; r++)
		if (t->seat[r].comm)
			err = emit_bells(b, t, r);
	if (err || vn_builder_finish(b, &p->plan))
		p->plan = NULL;
	vn_builder_destroy(b);
}

static bool same(const struct coll_shape *a, const struct coll_shape *b)
{
	return a->op == b->op && a->type == b->type && a->redop == b->redop && a->root == b->root &&
	       a->count == b->count && a->in_place == b->in_place;
}

/* Nothing of it is under way. */
static void discard(struct coll_team *t, struct coll_program **at)
{
	struct coll_program *p = *at;

	if (p->plan && vn_plan_destroy(p->plan))
		return;
	*at = p->next;
	t->nprograms--;
	free(p->scalars);
	free(p);
}

static void evict(struct coll_team *t)
{
	struct coll_program **at, **oldest = NULL;

	for (at = &t->programs; *at; at = &(*at)->next)
		if (!(*at)->flying && !(*at)->users && (!oldest || (*at)->used < (*oldest)->used))
			oldest = at;
	if (oldest)
		discard(t, oldest);
}

/* The ranks multiply with what they did. */
static bool same_scalars(const struct coll_program *p, const struct coll_post *post)
{
	for (uint32_t r = 0; p->scalars && r < p->shape.ranks; r++)
		if (p->scalars[r] != post[r].scalar)
			return false;
	return true;
}

static bool keep_scalars(struct coll_program *p, const struct coll_post *post)
{
	if (p->shape.redop != VN_PREMULSUM)
		return true;
	p->scalars = calloc(p->shape.ranks, sizeof(*p->scalars));
	for (uint32_t r = 0; p->scalars && r < p->shape.ranks; r++)
		p->scalars[r] = post[r].scalar;
	return p->scalars != NULL;
}

/* What all agreed on, compiled; team.lock held. */
static struct coll_program *program_new(struct coll_team *t, const struct coll_shape *shape,
					const struct coll_post *post)
{
	struct coll_program *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->shape = *shape;
	if (!keep_scalars(p, post)) {
		free(p);
		return NULL;
	}
	compile(t, p);
	/* Was needed to compile it, and is its rank's. */
	p->shape.extra = NULL;
	p->next = t->programs;
	t->programs = p;
	t->nprograms++;
	return p;
}

/* Its program, compiled if it is new; team.lock held. */
static struct coll_program *program(struct coll_team *t, const struct coll_shape *s,
				    const struct coll_post *post)
{
	struct coll_program *p;

	for (p = t->programs; p; p = p->next)
		if (!p->users && same(&p->shape, s) && same_scalars(p, post))
			return p;
	if (t->nprograms >= PROGRAMS_MAX)
		evict(t);
	return program_new(t, s, post);
}

struct coll_program *coll_program_prepare(struct coll_team *t, const struct coll_shape *shape,
					  uint64_t seq, uint32_t users)
{
	struct coll_program *p;

	pthread_mutex_lock(&t->lock);
	p = program_new(t, shape, coll_posts(t, seq));
	if (p) {
		p->users = users;
		if (!p->plan) {
			discard(t, &t->programs);
			p = NULL;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return p;
}

void coll_program_release(struct coll_team *t, struct coll_program *p)
{
	struct coll_program **at;

	pthread_mutex_lock(&t->lock);
	if (!--p->users && !p->flying) {
		for (at = &t->programs; *at != p; at = &(*at)->next)
			;
		discard(t, at);
	}
	pthread_mutex_unlock(&t->lock);
}

int coll_launch(struct coll_team *t, const struct coll_shape *shape, uint64_t seq,
		struct coll_program *ready)
{
	const struct coll_post *post = coll_posts(t, seq);
	struct coll_slot *s = coll_slot(t, seq);
	struct coll_program *p;
	uint64_t params =
		t->params.addr + seq % COLL_SLOTS * 2 * t->ranks * sizeof(struct vn_operand);
	int err = -EOPNOTSUPP;

	pthread_mutex_lock(&t->lock);
	p = ready ?: program(t, shape, post);
	/*
	 * After a failure nothing begins that coll_device_reset() would not see. Scalars
	 * that are read now may be others than when it was prepared.
	 */
	if (!coll_failed(t) && p && p->plan && (!ready || same_scalars(p, post)))
		err = vn_launch(t->queue, p->plan, params, seq);
	if (!err) {
		vn_queue_show(t->queue);
		t->program[seq % COLL_SLOTS] = p;
		s->planned = true;
		s->job.volume = coll_volume(shape);
		p->used = ++t->clock;
		p->flying++;
		t->launches++;
		t->launched++;
		__atomic_store_n(&s->state, coll_state(seq, COLL_LAUNCHED), __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&t->lock);
	if (!err)
		coll_wake(t);
	return err;
}

/*
 * A queue that stopped with nothing under way (its chip was reset) completes nothing of what it
 * got since. team.lock held. The status, and the first that waits for it.
 */
static uint32_t stopped(const struct coll_team *t, uint64_t *seq)
{
	const struct vn_lib_queue *q = t->queue;

	if (t->launched == t->reaped || !coll_stream_failed(t->queue))
		return VN_OK;
	*seq = q->sq[(q->sq_tail - (t->launched - t->reaped)) & (q->depth - 1)].user_data;
	return __atomic_load_n(&q->ring->error_status, __ATOMIC_RELAXED);
}

/* Takes what came back; team.lock held. Returns the status of a launch that failed. */
static uint32_t reap(struct coll_team *t, uint64_t *seq)
{
	struct coll_slot *s;
	struct vn_cqe e;

	while (vn_reap(t->queue, &e, 1) == 1) {
		s = coll_slot(t, e.user_data);
		t->reaped++;
		t->program[e.user_data % COLL_SLOTS]->flying--;
		if (e.status) {
			*seq = e.user_data;
			return e.status;
		}
		if (t->apart)
			__atomic_store_n(&t->ended[e.user_data % COLL_SLOTS], e.user_data + 1,
					 __ATOMIC_RELEASE);
		else
			__atomic_store_n(&s->state, coll_state(e.user_data, COLL_DONE),
					 __ATOMIC_SEQ_CST);
	}
	return stopped(t, seq);
}

bool coll_device(struct coll_team *t)
{
	struct vn_wait w = { .queue = t->queue->id };
	uint32_t status, before;
	uint64_t seq = 0;

	if (__atomic_add_fetch(&t->helpers, 1, __ATOMIC_SEQ_CST) > t->cores) {
		__atomic_sub_fetch(&t->helpers, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	pthread_mutex_lock(&t->lock);
	before = t->reaped;
	w.target = t->launched;
	pthread_mutex_unlock(&t->lock);
	if (before != w.target) {
		w.deadline_ns = vn_now() + STAY_NS;
		vn_call(t->dev, VN_IOCTL_WAIT, &w, sizeof(w));
	}
	__atomic_sub_fetch(&t->helpers, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&t->lock);
	status = reap(t, &seq);
	pthread_mutex_unlock(&t->lock);
	if (status)
		coll_fail_device(t, seq, status);
	coll_wake(t);
	return true;
}

/* ---- a part of a plan -------------------------------------------------------------- */

/* Where the ranks' buffers are, for a launch. */
static void put_params(struct coll_team *t, uint64_t seq)
{
	struct vn_operand *to =
		(struct vn_operand *)t->params.ptr + seq % COLL_SLOTS * 2 * t->ranks;
	const struct coll_post *post = coll_posts(t, seq);

	coll_write(t, (char *const *)&to, 1, 2 * t->ranks * sizeof(*to));
	for (uint32_t side = 0; side < 2; side++)
		for (uint32_t r = 0; r < t->ranks; r++, to++)
			*to = post[r].key[side] ? vn_by_key(t->board.member[r].chip,
							    post[r].key[side], post[r].at[side])
						: (struct vn_operand){ .ultraserver = VN_HERE };
	coll_written(t);
}

/* team.lock held */
static int launch_part(struct coll_team *t, uint64_t seq)
{
	const struct coll_shape *shape = &coll_slot(t, seq)->job.shape;
	struct coll_program *p = program(t, shape, coll_posts(t, seq));
	uint64_t params =
		t->params.addr + seq % COLL_SLOTS * 2 * t->ranks * sizeof(struct vn_operand);
	int err;

	if (!p || !p->plan)
		return vn_fail(-ENOMEM, "no plan");
	coll_step(t->speaker);
	put_params(t, seq);
	/* As often as this one all processes have launched before. */
	err = vn_launch_from(t->queue, p->plan, params, seq, t->launches * t->ranks);
	if (err)
		return err;
	vn_queue_show(t->queue);
	t->program[seq % COLL_SLOTS] = p;
	t->begun[seq % COLL_SLOTS] = seq + 1;
	p->used = ++t->clock;
	p->flying++;
	t->launches++;
	t->launched++;
	coll_step(t->speaker);
	return 0;
}

bool coll_plannable(struct coll_team *t, const struct coll_shape *shape, uint64_t seq)
{
	const struct coll_program *p;
	bool can;

	pthread_mutex_lock(&t->lock);
	p = program(t, shape, coll_posts(t, seq));
	can = p && p->plan;
	pthread_mutex_unlock(&t->lock);
	return can;
}

bool coll_launch_part(struct coll_team *t, uint64_t seq)
{
	int err = 0;

	pthread_mutex_lock(&t->lock);
	/* After a failure nothing begins that coll_device_reset() would not see. */
	if (!coll_failed(t) && t->begun[seq % COLL_SLOTS] != seq + 1)
		err = launch_part(t, seq);
	pthread_mutex_unlock(&t->lock);
	if (err)
		coll_fail(t, err, "operation %llu: its plan can't be launched: %s",
			  (unsigned long long)seq, vn_error());
	return __atomic_load_n(&t->ended[seq % COLL_SLOTS], __ATOMIC_ACQUIRE) == seq + 1;
}

void coll_device_reset(struct coll_team *t)
{
	pthread_mutex_lock(&t->lock);
	if (t->queue && t->launched != t->reaped) {
		vn_queue_reset(t->queue);
		t->reaped = t->launched;
	}
	pthread_mutex_unlock(&t->lock);
}

/* ---- the end ------------------------------------------------------------------------- */

void coll_device_drain(struct coll_team *t)
{
	struct vn_wait w = { .queue = t->queue ? t->queue->id : 0, .deadline_ns = UINT64_MAX };

	if (!t->queue || t->launched == t->reaped)
		return;
	w.target = t->launched;
	vn_call(t->dev, VN_IOCTL_WAIT, &w, sizeof(w));
}

void coll_programs_free(struct coll_team *t)
{
	struct coll_program *p;

	while ((p = t->programs)) {
		t->programs = p->next;
		if (p->plan && vn_plan_destroy(p->plan)) {
			/* Stopped in the middle of it: it ends with its queue. */
			vn_queue_reset(t->queue);
			vn_plan_destroy(p->plan);
		}
		free(p->scalars);
		free(p);
	}
}
