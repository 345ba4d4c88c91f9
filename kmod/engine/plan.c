// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan.h"
#include "desc.h"

static u32 check_programs(const struct vn_plan *p, u32 chips)
{
	for (u32 i = 0; i < p->nprograms; i++) {
		const struct vn_program *g = &p->programs[i];

		if (g->reserved0 || g->reserved1)
			return VN_BAD_FIELD;
		if (g->chip >= chips)
			return VN_BAD_CHIP;
		if (!g->count || g->first >= p->ndescs || g->count > p->ndescs - g->first)
			return VN_BAD_RANGE;
	}
	return VN_OK;
}

static u32 check_some(struct vn_plan *p, u32 chips, u32 n, u32 *desc)
{
	const struct vn_desc_plan brings = {
		.operands = p->operands, .noperands = p->noperands, .nparams = p->nparams,
	};
	u32 status = VN_OK, detail;

	*desc = p->ndescs;
	if (!p->checked) {
		p->cost = 0;
		status = check_programs(p, chips);
	}
	for (; !status && p->checked < p->ndescs && n; n--) {
		const struct vn_desc *d = &p->descs[p->checked];

		status = vn_desc_check(d, &brings, chips, &detail);
		if (status)
			*desc = p->checked;
		else
			p->cost += vn_desc_cost(d);
		p->checked++;
	}
	return status;
}

u32 vn_plan_check(struct vn_plan *p, u32 chips, u32 *desc)
{
	p->checked = 0;
	return check_some(p, chips, p->ndescs, desc);
}

int vn_plan_accept_some(struct vn_plan *p, u32 chips, u32 n, u32 *desc)
{
	u32 status = check_some(p, chips, n, desc);

	if (status == VN_BAD_CHIP && *desc == p->ndescs)
		return -ENODEV;
	if (status)
		return -EINVAL;
	return p->checked < p->ndescs ? -EAGAIN : 0;
}

int vn_plan_accept(struct vn_plan *p, u32 chips, u32 *desc)
{
	p->checked = 0;
	return vn_plan_accept_some(p, chips, p->ndescs, desc);
}

static void fail(struct vn_plan *p, u32 status, u32 desc)
{
	if (vn_cmpxchg(&p->failed, (u32)VN_OK, status) == VN_OK)
		WRITE_ONCE(p->failed_desc, desc);
}

void vn_plan_stop(struct vn_plan *p, u32 status)
{
	fail(p, status, p->ndescs);
}

bool vn_plan_on(const struct vn_plan *p, u32 chip)
{
	for (u32 i = 0; i < p->nprograms; i++)
		if (p->programs[i].chip == chip)
			return true;
	return false;
}

static void end_program(struct vn_plan *p, struct vn_program_run *run)
{
	WRITE_ONCE(run->ended, 1);
	vn_fetch_add(&p->left, -1u);
}

/* Runs one claimed program until it blocks, ends, or the budget is used. */
static enum vn_step run_program(struct vn_plan *p, u32 i, struct vn_runner *r, u64 *budget)
{
	const struct vn_program *g = &p->programs[i];
	struct vn_program_run *run = &p->run[i];
	struct vn_env env = p->env;
	enum vn_step step;

	env.chip = g->chip;
	while (!READ_ONCE(p->failed)) {
		const struct vn_desc *d = &p->descs[g->first + run->pc];
		u64 cost;

		if (!run->begun) {
			run->cur = (struct vn_cursor){ .desc = d };
			if (vn_desc_tabled(d))
				run->cur.table = p->operands + d->reduce.table;
			run->begun = true;
		}
		step = vn_exec_chunk(r, &env, &run->cur);
		cost = step == VN_STEP_BLOCKED ? 64 : vn_exec_cost(r, d);
		*budget -= cost < *budget ? cost : *budget;
		if (step == VN_STEP_BLOCKED)
			return step;
		if (step == VN_STEP_FAILED) {
			fail(p, run->cur.status, g->first + run->pc);
			break;
		}
		if (step == VN_STEP_DONE) {
			if (run->cur.bytes)
				vn_fetch_add(&p->bytes, run->cur.bytes);
			r->descs++;
			run->begun = false;
			if (++run->pc == g->count)
				break;
		}
		if (!*budget)
			return VN_STEP_MORE;
	}
	end_program(p, run);
	return VN_STEP_DONE;
}

enum vn_work vn_plan_work(struct vn_plan *p, struct vn_runner *r, u32 hint, u64 budget)
{
	bool progress = false;

	if (hint >= p->nprograms)
		hint = 0;
	for (u32 n = 0; n < p->nprograms && budget; n++) {
		u32 i = hint + n < p->nprograms ? hint + n : hint + n - p->nprograms;
		struct vn_program_run *run = &p->run[i];
		u64 before = budget;

		if (READ_ONCE(run->ended) || READ_ONCE(run->busy) || vn_xchg(&run->busy, 1u))
			continue;
		if (!run->ended) {
			/* A failed attempt at a semaphore costs 64; anything more is work. */
			if (run_program(p, i, r, &budget) != VN_STEP_BLOCKED ||
			    before - budget > 64)
				progress = true;
		}
		vn_store_release(&run->busy, 0u);
	}
	if (!vn_load_acquire(&p->left) || READ_ONCE(p->failed))
		return VN_WORK_DONE;
	return progress ? VN_WORK_PROGRESS : VN_WORK_BLOCKED;
}
