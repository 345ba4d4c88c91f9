// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sequences of calls, descriptors, ring indexes and stores on an embedded device (steps.h),
 * of several contexts, while sleds are drained and lost: all of it is given back, and the
 * device is as it was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../../lib/embed/embed.h"
#include "../../lib/home.h"
#include "fuzz.h"
#include "steps_act.h"
#include "steps_make.h"

#define SLEDS 2u
#define CHIPS 4u
#define SESSIONS 2u

static const struct vn_spec shape = {
	.sleds = SLEDS, .chips = 2, .spares = 1, .hbm = 64 << 10, .threads = 0
};
static struct steps_stage stage;
static void *session[SESSIONS];
/* Keeps the device, and looks at it when all others are gone. */
static void *keeper;

static void *stage_open(struct steps_stage *s, struct steps_context *c)
{
	void *ctx;

	(void)s;
	(void)c;
	if (vn_home_embedded.reopen(keeper, &ctx))
		return NULL;
	for (uint32_t i = 0; i < CHIPS; i++)
		vn_home_embedded.attach(ctx, i);
	return ctx;
}

static void stage_close(struct steps_stage *s, struct steps_context *c)
{
	(void)s;
	vn_home_embedded.close(c->home);
}

/*
 * The caller vouches for its pointers and fds: a plan's are taken from what the program
 * brings, and are as long as that is.
 */
static bool vouched(struct vn_plan_create *a, struct steps_stage *s)
{
	uint64_t begin = (uintptr_t)s->brings, end = begin + STEPS_BRINGS;
	const struct {
		uint64_t at, n, size;
	} t[] = { { a->programs, a->nprograms, sizeof(struct vn_program) },
		  { a->descs, a->ndescs, sizeof(struct vn_desc) },
		  { a->operands, a->noperands, sizeof(struct vn_operand) } };

	for (uint32_t i = 0; i < 3; i++)
		if (t[i].at < begin || t[i].at > end || t[i].n > (end - t[i].at) / t[i].size)
			return false;
	return true;
}

/* A window over what the program brings, or over a file that a call gave. */
static bool vouched_window(const struct vn_window_create *a, struct steps_stage *s)
{
	uint64_t begin = (uintptr_t)s->brings, end = begin + STEPS_BRINGS;

	if (a->flags & VN_WINDOW_USER)
		return a->addr >= begin && a->addr <= end && a->bytes <= end - a->addr;
	if (!(a->flags & VN_WINDOW_DMABUF))
		return true;
	for (uint32_t i = 0; i < STEPS_OBJECTS; i++)
		if (s->fd[i] > 0 && s->fd[i] == a->fd)
			return true;
	return false;
}

static int stage_call(struct steps_stage *s, struct steps_context *c, uint32_t cmd, void *arg)
{
	union call_arg *a = arg;

	if (cmd == VN_IOCTL_PLAN_CREATE && !vouched(&a->plan, s))
		return -1;
	if (cmd == VN_IOCTL_WINDOW_CREATE && !vouched_window(&a->window, s))
		return -1;
	/* Numbers, not the fds of this process. */
	if (cmd == VN_IOCTL_QUEUE_CREATE && a->queue.flags & VN_QUEUE_EVENTFD)
		return -1;
	/* In this home the library sees to the size. */
	a->u32[0] = vn_abi_call(cmd) ? vn_abi_call(cmd)->bytes : a->u32[0];
	return vn_home_embedded.call(c->home, cmd, arg);
}

/* What was given is mapped as it is; other offsets are somebody's memory, or nobody's. */
static void *stage_map(struct steps_stage *s, struct steps_context *c, uint64_t offset,
		       uint64_t bytes, uint32_t how)
{
	void *p = NULL;

	(void)s;
	(void)how;
	return vn_home_embedded.map(c->home, offset, bytes, true, &p) ? NULL : p;
}

static bool stage_store(void *to, const void *from, uint32_t bytes)
{
	char *at = to;

	vn_home_embedded.begin(keeper, &at, 1, bytes);
	memcpy(to, from, bytes);
	vn_home_embedded.end(keeper);
	return true;
}

/* What a step of a drain wants, or a fault. */
static void stage_drain(const struct step *step)
{
	struct vn_drain_open open = { .size = sizeof(open),
				      .sled = (uint32_t)step->arg[0],
				      .to = (uint32_t)(step->arg[0] >> 32),
				      .operation = step->arg[1],
				      .budget_ns = step->arg[2],
				      .flags = step->more >> 4 };
	struct vn_drain_step a = { .size = sizeof(a), .to = step->what % VN_SLED_STATES };
	struct vn_fault fault = { .kind = step->what & 7, .where = (uint32_t)step->arg[0] & 7 };
	void **at = &session[step->more % SESSIONS];

	if (step->what & 0x100)
		vn_home_embedded.fault_make(keeper, &fault);
	else if (step->what & 0x200)
		vn_home_embedded.fault_clear(keeper, &fault);
	else if (step->what & 0x1000)
		vn_home_embedded.chip_reset(keeper, step->arg[0] % CHIPS);
	else if (step->what & 0x400)
		/* The library has seen to the sled by then. */
		vn_home_embedded.drain_cancel(keeper, open.sled % (SLEDS + 1), step->arg[1]);
	else if (!*at)
		vn_home_embedded.drain_open(keeper, &open, at);
	else if (step->what & 0x800)
		vn_home_embedded.drain_close(*at), *at = NULL;
	else
		vn_home_embedded.drain_step(*at, &a);
}

static void stage_other(struct steps_stage *s, const struct step *step, uint32_t left)
{
	struct vn_port ports[4];
	struct vn_rank ranks[4];

	(void)left;
	switch (step->kind % STEP_KINDS) {
	case STEP_DRAIN:
		stage_drain(step);
		break;
	case STEP_NETLINK:
		vn_home_embedded.ports(keeper, ports, 4);
		vn_home_embedded.ranks(keeper, ranks, 4);
		break;
	case STEP_CLOSE:
		/* Of domains and exports: sessions have no fd here. */
		if (s->fd[step->what % STEPS_OBJECTS] > 0)
			close(s->fd[step->what % STEPS_OBJECTS]);
		s->fd[step->what % STEPS_OBJECTS] = -1;
		break;
	}
}

static uint64_t stage_deadline(uint64_t wish)
{
	return wish ? vn_now() + wish % 200000 : 0;
}

static const struct steps_home embedded = {
	.open = stage_open,
	.close = stage_close,
	.call = stage_call,
	.map = stage_map,
	.maps_end = true,
	.store = stage_store,
	.other = stage_other,
	.deadline = stage_deadline,
};

/* Of all chips: nothing is taken. */
static void look(void)
{
	struct embed_device *dev = ((struct embed_context *)keeper)->dev;

	for (uint32_t i = 0; i < CHIPS; i++)
		MUST(!dev->hbm_used[i] && !dev->queues[i] && !dev->windows[i]);
	MUST(dev->contexts == keeper && !dev->contexts->next && !dev->statuses);
	MUST(!dev->waiting && !dev->moving);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t n = steps_count(size);
	struct step *steps = fuzz_copy(data, n * sizeof(*steps));
	int probe = open("/dev/null", O_RDWR | O_CLOEXEC), again;

	memset(&stage, 0, sizeof(stage));
	memset(stage.fd, -1, sizeof(stage.fd));
	stage.home = &embedded;
	MUST(!vn_home_embedded.open(&shape, &keeper));
	steps_run(&stage, steps, n);
	for (uint32_t i = 0; i < SESSIONS; i++) {
		if (session[i])
			vn_home_embedded.drain_close(session[i]);
		session[i] = NULL;
	}
	for (uint32_t i = 0; i < STEPS_CONTEXTS; i++)
		steps_close(&stage, &stage.ctx[i]);
	look();
	vn_home_embedded.close(keeper);
	for (uint32_t i = 0; i < stage.nfd && i < STEPS_MAX; i++)
		close(stage.all[i]);
	free(steps);
	/* Fds are given the lowest number that is free. */
	close(probe);
	again = open("/dev/null", O_RDWR | O_CLOEXEC);
	MUST(again == probe);
	close(again);
	return 0;
}

/* ---- changing inputs --------------------------------------------------------------------- */

/* libFuzzer's own changes; not there when inputs are replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct steps_dice d = { seed, CHIPS, SLEDS };
	struct step p[STEPS_MAX];
	uint32_t n = steps_count(size), room = steps_count(max);

	if (!room || (LLVMFuzzerMutate && !steps_below(&d, 8)))
		return LLVMFuzzerMutate(data, size, max);
	memcpy(p, data, n * sizeof(*p));
	steps_mutate(&d, p, &n, room, NULL, 0);
	memcpy(data, p, n * sizeof(*p));
	return n * sizeof(*p);
}
