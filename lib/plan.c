// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Plans: drafting per-chip programs, handing them to the device, launching. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "queue.h"

/* In a draft a barrier's semaphore is named by its number, under this mark. */
#define BARRIER_MARK 0xfffeu
/* Barriers lie a cache line apart. */
#define BARRIER_BYTES 64u

int vn_builder_create(vn_device_t dev, uint32_t nparams, vn_builder_t *b)
{
	if (nparams > VN_OPERANDS_MAX)
		return vn_fail(-EINVAL, "%u parameters; a plan has at most %u", nparams,
			       VN_OPERANDS_MAX);
	*b = calloc(1, sizeof(**b));
	if (!*b)
		return vn_fail(-ENOMEM, "no memory for a plan");
	(*b)->dev = dev;
	(*b)->nparams = nparams;
	return 0;
}

void vn_builder_destroy(vn_builder_t b)
{
	if (!b)
		return;
	for (uint32_t i = 0; i < VN_MAX_CHIPS; i++)
		free(b->draft[i].descs);
	free(b->operands);
	free(b);
}

/* Room for one more; doubles. */
static int grow(void **array, uint32_t *room, uint32_t need, size_t each)
{
	uint32_t n = *room ? *room : 16;
	void *p;

	if (need <= *room)
		return 0;
	while (n < need)
		n *= 2;
	p = realloc(*array, n * each);
	if (!p)
		return -ENOMEM;
	*array = p;
	*room = n;
	return 0;
}

struct vn_desc *vn_build(vn_builder_t b, uint32_t chip)
{
	struct vn_draft *g;
	struct vn_desc *d;

	if (chip >= b->dev->query.chips) {
		b->error = b->error
				   ?: vn_fail(-ENODEV, "plan: chip %u: there are chips 0 to %u",
					      chip, b->dev->query.chips - 1);
		return NULL;
	}
	g = &b->draft[chip];
	if (g->count >= VN_PLAN_DESCS_MAX) {
		b->error = b->error
				   ?: vn_fail(-E2BIG, "plan: more than %u descriptors",
					      VN_PLAN_DESCS_MAX);
		return NULL;
	}
	if (grow((void **)&g->descs, &g->room, g->count + 1, sizeof(*d))) {
		b->error = b->error ?: vn_fail(-ENOMEM, "no memory for a plan");
		return NULL;
	}
	d = &g->descs[g->count++];
	memset(d, 0, sizeof(*d));
	return d;
}

int64_t vn_build_operands(vn_builder_t b, const struct vn_operand *ops, uint32_t n)
{
	uint32_t first = b->noperands;

	if (n > VN_PLAN_OPERANDS_MAX - first)
		return b->error =
			       vn_fail(-E2BIG, "plan: more than %u operands", VN_PLAN_OPERANDS_MAX);
	if (grow((void **)&b->operands, &b->operand_room, first + n, sizeof(*ops)))
		return b->error = vn_fail(-ENOMEM, "no memory for a plan");
	memcpy(b->operands + first, ops, n * sizeof(*ops));
	b->noperands += n;
	return first;
}

int64_t vn_build_segments(vn_builder_t b, const struct vn_segment *s, uint32_t n)
{
	/* An entry of the table is an operand: two for each. */
	if (n > VN_PLAN_OPERANDS_MAX / 2)
		return b->error =
			       vn_fail(-E2BIG, "plan: more than %u operands", VN_PLAN_OPERANDS_MAX);
	return vn_build_operands(b, (const struct vn_operand *)s, 2 * n);
}

int vn_build_barrier(vn_builder_t b, const uint16_t *chips, uint32_t n)
{
	struct vn_operand sem = { .ultraserver = BARRIER_MARK };
	struct vn_desc *d;

	if (n < 2)
		return 0;
	sem.offset = b->barriers++ * BARRIER_BYTES;
	for (uint32_t i = 0; i < n; i++) {
		d = vn_build(b, chips[i]);
		if (!d)
			return b->error;
		vn_prep_sem_signal(d, sem, i ? 1 : VN_BARRIER_STEP - (n - 1));
		d = vn_build(b, chips[i]);
		if (!d)
			return b->error;
		vn_prep_sem_wait(d, sem, VN_BARRIER_STEP);
		d->flags = VN_DESC_REL;
	}
	return 0;
}

/* All drafts one behind the other; barriers get the semaphores they were promised. */
static void join(vn_builder_t b, const struct vn_mem *sems, struct vn_program *progs,
		 struct vn_desc *descs)
{
	uint32_t at = 0, n = 0;

	for (uint32_t c = 0; c < VN_MAX_CHIPS; c++) {
		const struct vn_draft *g = &b->draft[c];

		if (!g->count)
			continue;
		memcpy(descs + at, g->descs, g->count * sizeof(*descs));
		progs[n++] = (struct vn_program){ .chip = c, .first = at, .count = g->count };
		at += g->count;
	}
	for (uint32_t i = 0; i < at; i++) {
		struct vn_desc *d = &descs[i];

		if ((d->opcode == VN_OP_SEM_WAIT || d->opcode == VN_OP_SEM_SIGNAL) &&
		    d->sem.at.ultraserver == BARRIER_MARK)
			d->sem.at = vn_at(sems, d->sem.at.offset);
	}
}

static int create(vn_builder_t b, struct vn_lib_plan *p, uint32_t nprogs, uint32_t ndescs)
{
	struct vn_program *progs = calloc(nprogs, sizeof(*progs));
	struct vn_desc *descs = calloc(ndescs, sizeof(*descs));
	struct vn_plan_create c = {
		.programs = (uintptr_t)progs,
		.descs = (uintptr_t)descs,
		.operands = (uintptr_t)b->operands,
		.nprograms = nprogs,
		.ndescs = ndescs,
		.noperands = b->noperands,
		.nparams = b->nparams,
	};
	int err;

	if (!progs || !descs) {
		err = vn_fail(-ENOMEM, "no memory for a plan");
		goto out;
	}
	join(b, &p->sems, progs, descs);
	err = vn_call(b->dev, VN_IOCTL_PLAN_CREATE, &c, sizeof(c));
	if (err == -EINVAL && c.error_desc < ndescs)
		vn_set_error("plan: descriptor %u of %u (opcode %u) is refused", c.error_desc,
			     ndescs, descs[c.error_desc].opcode);
	else if (err)
		vn_set_error("plan of %u programs, %u descriptors: %s", nprogs, ndescs,
			     strerror(-err));
	p->id = c.plan;
out:
	free(progs);
	free(descs);
	return err;
}

int vn_builder_finish(vn_builder_t b, vn_plan_t *plan)
{
	uint32_t nprogs = 0, first = 0;
	uint64_t ndescs = 0;
	struct vn_lib_plan *p;
	int err = b->error;

	if (err)
		return err;
	for (uint32_t c = 0; c < b->dev->query.chips; c++) {
		if (!b->draft[c].count)
			continue;
		err = vn_attach(b->dev, c);
		if (err)
			return err;
		first = nprogs++ ? first : c;
		ndescs += b->draft[c].count;
	}
	if (!nprogs)
		return vn_fail(-EINVAL, "plan: no descriptor in it");
	if (ndescs > VN_PLAN_DESCS_MAX)
		return vn_fail(-E2BIG, "plan: %llu descriptors; at most %u",
			       (unsigned long long)ndescs, VN_PLAN_DESCS_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return vn_fail(-ENOMEM, "no memory for a plan handle");
	p->dev = b->dev;
	p->nparams = b->nparams;
	if (b->barriers)
		err = vn_mem_alloc(b->dev, first, b->barriers * BARRIER_BYTES, &p->sems);
	if (!err)
		err = create(b, p, nprogs, ndescs);
	if (err) {
		char text[400];

		/* Giving the semaphores back must not change what is reported. */
		strncpy(text, vn_error(), sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		if (p->sems.ptr)
			vn_mem_free(b->dev, &p->sems);
		free(p);
		return vn_fail(err, "%s", text);
	}
	p->handle.plan = true;
	vn_handle_add(b->dev, &p->handle);
	*plan = p;
	return 0;
}

int vn_plan_destroy(vn_plan_t p)
{
	struct vn_plan_destroy d = { .plan = p->id };
	int err = vn_call(p->dev, VN_IOCTL_PLAN_DESTROY, &d, sizeof(d));

	if (err)
		return vn_fail(err, "plan %u: %s", p->id,
			       err == -EBUSY ? "is running" : strerror(-err));
	vn_handle_remove(p->dev, &p->handle);
	if (p->sems.ptr)
		vn_mem_free(p->dev, &p->sems);
	free(p);
	return 0;
}

void vn_plans_cut(struct vn_lib_device *dev, const struct vn_lib_queue *q)
{
	struct vn_lib_plan *p;

	pthread_mutex_lock(&dev->handles_lock);
	for (struct vn_handle *h = dev->handles; h; h = h->next) {
		p = (struct vn_lib_plan *)h;
		if (!h->plan || p->last != q)
			continue;
		p->last = NULL;
		p->resync = true;
	}
	pthread_mutex_unlock(&dev->handles_lock);
}

/*
 * The plan goes to q; semaphores that a cut launch left in between are set
 * right, whether its queue was reset since or stands still in error.
 */
static void aim(struct vn_lib_plan *p, struct vn_lib_queue *q)
{
	bool resync;

	pthread_mutex_lock(&p->dev->handles_lock);
	resync = p->resync ||
		 (p->last && p->last != q &&
		  __atomic_load_n(&p->last->ring->state, __ATOMIC_ACQUIRE) == VN_QUEUE_ERROR);
	p->resync = false;
	p->last = q;
	pthread_mutex_unlock(&p->dev->handles_lock);
	if (!resync)
		return;
	vn_mem_begin(p->dev, p->sems.ptr, p->sems.bytes);
	for (uint64_t at = 0; at < p->sems.bytes; at += BARRIER_BYTES)
		__atomic_store_n((uint64_t *)((char *)p->sems.ptr + at),
				 p->launches * VN_BARRIER_STEP, __ATOMIC_SEQ_CST);
	vn_mem_end(p->dev);
}

int vn_launch_from(vn_queue_t q, vn_plan_t p, uint64_t params, uint64_t user_data, uint64_t base)
{
	struct vn_desc *d = vn_next(q);

	if (!d)
		return vn_fail(-EAGAIN, "chip %u: queue %u is full", q->chip, q->id);
	if (p->last != q || p->resync)
		aim(p, q);
	d->opcode = VN_OP_LAUNCH;
	d->user_data = user_data;
	d->launch.params = params;
	d->launch.plan = p->id;
	d->launch.nparams = p->nparams;
	d->launch.base = base;
	p->launches++;
	return 0;
}

int vn_launch(vn_queue_t q, vn_plan_t p, uint64_t params, uint64_t user_data)
{
	return vn_launch_from(q, p, params, user_data, p->launches * VN_BARRIER_STEP);
}
