// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Plans of any programs, descriptors and operands: what is accepted can be launched with any
 * parameters, writes only where it may, and ends when it is cancelled.
 *
 * An input: struct head, then its programs, operands, parameters and descriptors.
 */
#include "../../kmod/engine/abi.h"
#include "small.h"

#define DEPTH 8u

struct head {
	u8 programs, descs, operands, params;
	u8 chip; /* of the queue that launches it */
	u8 faults;
	u8 flags; /* 1: small chunks; 2: fewer parameters than it wants */
	u8 launches;
	u64 base;
};

static struct small *s;
static struct rig *rig[SMALL_CHIPS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	s = small_new();
	for (u32 c = 0; c < SMALL_CHIPS; c++)
		rig[c] = rig_new(s->w, c, DEPTH);
	return 0;
}

/* Exactly as long as it says, so that a sanitizer sees what reaches over an end. */
static void *table(u32 n, u32 size)
{
	void *p = calloc(n ?: 1, size);

	if (!p)
		abort();
	return p;
}

static void launch(struct rig *g, struct vn_plan *p, const struct head *h)
{
	struct vn_desc d = {
		.opcode = VN_OP_LAUNCH,
		.launch = { .params = p->nparams ? s->own[g->q.env.chip].addr : 0,
			    .nparams = p->nparams,
			    .base = h->base },
	};
	u32 turns = 0;
	enum vn_run res;
	struct vn_cqe e;

	if (h->flags & 2 && p->nparams)
		d.launch.nparams--;
	rig_push(g, d);
	do {
		res = rig_turn(g, s->r, 2, 4096, &p, 1);
		MUST(++turns < SMALL_TURNS);
	} while (res == VN_RUN_MORE);
	MUST(res == VN_RUN_IDLE || res == VN_RUN_BLOCKED || res == VN_RUN_ERROR);
	if (res == VN_RUN_BLOCKED) {
		MUST(p->running && p->left);
		vn_queue_cancel(&g->q);
		res = rig_turn(g, s->r, 2, 4096, &p, 1);
		MUST(g->q.state == VN_QUEUE_ERROR);
	}
	MUST(!p->running && !g->q.plan);
	MUST(rig_pop(g, &e));
	MUST(e.status < VN_STATUS_COUNT && (e.status || !p->left));
	MUST(e.status == VN_OK || e.status == VN_BAD_PLAN || e.detail <= p->ndescs ||
	     e.detail == AT(launch.params));
	if (e.status) {
		MUST(vn_queue_clear(&g->q));
		g->tail = g->read = 0;
	}
}

/* Four bytes that are likely one, or any sixteen. */
static struct vn_program take_program(struct fuzz_in *in, u32 ndescs)
{
	struct vn_program g = { 0 };
	u8 b[4];

	fuzz_take(in, b, sizeof(b));
	if (b[3] & 0x80) {
		fuzz_take(in, &g, sizeof(g));
		return g;
	}
	g.chip = b[0] % SMALL_CHIPS;
	g.first = b[1] % ndescs;
	g.count = 1 + b[2] % (ndescs - g.first);
	return g;
}

static void take(struct vn_plan *p, struct fuzz_in *in, const struct head *h)
{
	struct vn_operand *operands = table(p->noperands, sizeof(*operands));
	struct vn_program *programs = table(p->nprograms, sizeof(*programs));
	struct vn_desc *descs = table(p->ndescs, sizeof(*descs));

	for (u32 i = 0; i < p->nprograms; i++)
		programs[i] = take_program(in, p->ndescs);
	small_take(s, in, operands, p->noperands * sizeof(*operands));
	small_take(s, in, s->own[h->chip % SMALL_CHIPS].ptr, p->nparams * 16);
	for (u32 i = 0; i < p->ndescs; i++)
		descs[i] = small_desc(s, in);
	p->programs = programs;
	p->operands = operands;
	p->descs = descs;
	p->run = table(p->nprograms, sizeof(*p->run));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	struct vn_plan *p = table(1, sizeof(*p));
	u32 desc = ~0u;
	struct head h;
	int err;

	fuzz_take(&in, &h, sizeof(h));
	small_reset(s);
	small_faults(s, h.faults);
	s->r->chunk_bytes = h.flags & 1 ? 256 : 64 << 10;
	p->nprograms = 1 + h.programs % 8;
	p->ndescs = 1 + h.descs % 16;
	p->noperands = h.operands;
	p->nparams = h.params & 0x80 ? VN_OPERANDS_MAX : h.params % 16;
	take(p, &in, &h);
	/* A few at a time, as the module does. */
	do
		err = vn_plan_accept_some(p, SMALL_CHIPS, 1 + h.launches / 3 % 4, &desc);
	while (err == -EAGAIN && p->checked < p->ndescs);
	MUST(err == 0 || err == -EINVAL || err == -ENODEV);
	MUST(desc <= p->ndescs && (err || desc == p->ndescs));
	for (u32 i = 0; !err && i <= h.launches % 3; i++)
		launch(rig[h.chip % SMALL_CHIPS], p, &h);
	small_check(s);
	free((void *)p->programs);
	free((void *)p->operands);
	free((void *)p->descs);
	free(p->run);
	free(p);
	return 0;
}
