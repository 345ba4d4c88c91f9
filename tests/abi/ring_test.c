// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that nothing a process writes into its rings harms more than that
 * queue: impossible indexes and bad descriptors stop it with the reason, what
 * the device wrote there is not believed, other queues and contexts don't
 * notice, and a reset makes it good again. Also while it is scribbled on.
 */
#include <pthread.h>
#include "abi.h"

static int ctx, bystander;
static struct mem mem, far_mem;
static struct queue queue, other;
static const struct vn_desc nop = { .opcode = VN_OP_NOP };

/* Another context goes on, and its memory is its own. */
static bool others_well(void)
{
	if (run(&other, &nop) != VN_OK)
		return false;
	for (uint64_t i = 0; i < far_mem.bytes; i++)
		if (far_mem.ptr[i] != 0x5a)
			return false;
	return true;
}

/* ---- indexes ------------------------------------------------------------ */

static bool bad_ring(uint32_t detail)
{
	int err = wait_until(&queue, 1, now_ns() + 10 * SECOND);

	return err == -EIO && queue.ring->state == VN_QUEUE_ERROR &&
	       queue.ring->error_status == VN_BAD_RING && queue.ring->error_detail == detail;
}

static void test_indexes(void)
{
	static const uint32_t off[] = { 9, 10, 16, 1000, 65536, 1u << 31, ~0u };
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(off); i++) {
		queue.ring->sq_tail = off[i];
		wrong += !bad_ring(offsetof(struct vn_ring, sq_tail));
		wrong += queue_reset(&queue) || run(&queue, &nop) != VN_OK || queue_reset(&queue);
	}
	tap_ok(!wrong, "sq_tail too far, or behind, is BAD_RING (%u are not)", wrong);
	wrong = 0;
	/* The last, one behind, is as if there had been one. */
	for (uint32_t i = 0; i < ARRAY_SIZE(off) - 1; i++) {
		queue.ring->cq_head = off[i];
		submit(&queue, &nop);
		wrong += !bad_ring(offsetof(struct vn_ring, cq_head));
		wrong += queue_reset(&queue) || run(&queue, &nop) != VN_OK || queue_reset(&queue);
	}
	tap_ok(!wrong, "cq_head where no completion can be, too (%u are not)", wrong);
	tap_ok(others_well(), "a bystander is well");
	queue.ring->sq_tail = 100;
	must(!queue_doorbell(&queue));
	for (uint32_t i = 0; i < 2000 && queue.ring->state != VN_QUEUE_ERROR; i++)
		usleep(1000);
	tap_ok(queue.ring->state == VN_QUEUE_ERROR, "a worker finds it out, too");
	tap_ok(wait_until(&queue, 1, ~0ull) == -EIO && wait_until(&queue, 1, 0) == -EIO,
	       "and WAIT says so again and again");
	queue.ring->sq_tail = 0;
	tap_ok(wait_until(&queue, 1, 0) == -EIO, "taking it back is no way out");
	must(!queue_reset(&queue));
	tap_ok(run(&queue, &nop) == VN_OK && queue.cq[0].seq == 0, "a reset is, and counts anew");
	must(!queue_reset(&queue));
}

/* Lines that are the device's: overwritten, it goes on as if they were not. */
static void test_device_lines(void)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 20; i++) {
		uint32_t tail = i;

		queue.ring->sq_head = 0x12345678 * i;
		queue.ring->flags = ~i;
		queue.ring->cq_tail = ~0u - i;
		queue.ring->state = 1;
		queue.ring->error_status = 77;
		queue.ring->stalls = ~0ull;
		memset((void *)queue.cq, 0xff, 8 * sizeof(*queue.cq));
		queue.ring->cq_head = tail;
		submit(&queue, &nop);
		wrong += wait_until(&queue, tail + 1, now_ns() + 10 * SECOND) != 0;
		wrong += queue.ring->cq_tail != tail + 1 || queue.ring->sq_head != tail + 1;
		wrong += queue.cq[tail & 7].status != VN_OK || queue.cq[tail & 7].seq != tail;
	}
	tap_ok(!wrong, "what the device keeps there is not read back (%u times)", wrong);
	must(!queue_reset(&queue));
	tap_ok(queue.ring->state == VN_QUEUE_READY && !queue.ring->stalls &&
		       queue.ring->flags == VN_RING_NEED_WAKEUP,
	       "a reset writes all of it");
}

/* ---- descriptors -------------------------------------------------------- */

#define OWN                                                                                        \
	{                                                                                          \
		0, 0, 0, 1                                                                         \
	} /* stands for mem */
#define D(name) offsetof(struct vn_desc, name)

static const struct bad {
	const char *what;
	struct vn_desc d;
	uint32_t status, detail;
} bads[] = {
	{ "opcode", { .opcode = VN_OP_COUNT }, VN_BAD_OPCODE, D(opcode) },
	{ "opcode 255", { .opcode = 255 }, VN_BAD_OPCODE, D(opcode) },
	{ "flags", { .flags = 0x80 }, VN_BAD_FLAGS, D(flags) },
	{ "REL outside a plan",
	  { .opcode = VN_OP_SEM_WAIT, .flags = VN_DESC_REL },
	  VN_BAD_FLAGS,
	  D(flags) },
	{ "arg", { .arg = 1 }, VN_BAD_FLAGS, D(arg) },
	{ "type", { .type = 1 }, VN_BAD_TYPE, D(type) },
	{ "redop", { .redop = 1 }, VN_BAD_TYPE, D(redop) },
	{ "nop with a field", { .raw = { 0, 0, 0, 0, 0, 1 } }, VN_BAD_FIELD, D(raw[5]) },
	{ "copy too long",
	  { .opcode = VN_OP_COPY, .copy = { OWN, OWN, VN_BYTES_MAX + 1, 0 } },
	  VN_BAD_FIELD,
	  D(copy.bytes) },
	{ "copy with a signal",
	  { .opcode = VN_OP_COPY, .copy = { OWN, OWN, 8, 1 } },
	  VN_BAD_FIELD,
	  D(copy.signal) },
	{ "another UltraServer",
	  { .opcode = VN_OP_COPY, .copy = { { 1, 0, 0, 1 }, OWN, 8, 0 } },
	  VN_BAD_CHIP,
	  D(copy.src) },
	{ "a parameter outside a plan",
	  { .opcode = VN_OP_COPY, .copy = { OWN, { VN_PARAM, 0, 0, 0 }, 8, 0 } },
	  VN_BAD_CHIP,
	  D(copy.dst) },
	{ "no such chip",
	  { .opcode = VN_OP_COPY, .copy = { OWN, { 0, 0xffff, 0, 1 }, 8, 0 } },
	  VN_BAD_CHIP,
	  D(copy.dst) },
	{ "no such key",
	  { .opcode = VN_OP_COPY, .copy = { { 0, 0, 0x10001, 0 }, OWN, 8, 0 } },
	  VN_BAD_KEY,
	  D(copy.src) },
	{ "fill width",
	  { .opcode = VN_OP_FILL, .fill = { OWN, 9, 0, 3, 0, 0 } },
	  VN_BAD_FIELD,
	  D(fill.width) },
	{ "fill length",
	  { .opcode = VN_OP_FILL, .fill = { OWN, 9, 0, 8, 0, 0 } },
	  VN_BAD_FIELD,
	  D(fill.bytes) },
	{ "reduce type",
	  { .opcode = VN_OP_REDUCE, .type = VN_TYPE_COUNT, .reduce = { 1, 1, 1, 1, 0, {} } },
	  VN_BAD_TYPE,
	  D(type) },
	{ "reduce of a float's bits",
	  { .opcode = VN_OP_REDUCE,
	    .type = VN_FLOAT32,
	    .redop = VN_BAND,
	    .reduce = { 1, 1, 1, 1, 0, {} } },
	  VN_BAD_TYPE,
	  D(redop) },
	{ "reduce of nothing",
	  { .opcode = VN_OP_REDUCE, .type = VN_INT32, .reduce = { 1, 1, 0, 1, 0, {} } },
	  VN_BAD_FIELD,
	  D(reduce.nsrc) },
	{ "reduce to too many",
	  { .opcode = VN_OP_REDUCE, .type = VN_INT32, .reduce = { 1, 1, 1, 145, 0, {} } },
	  VN_BAD_FIELD,
	  D(reduce.ndst) },
	{ "gemm of no rows",
	  { .opcode = VN_OP_GEMM, .type = VN_FLOAT32, .gemm = { 1, 1, 1, 0, 1, 1, 1, 1, 1 } },
	  VN_BAD_FIELD,
	  D(gemm.m) },
	{ "gemm lda",
	  { .opcode = VN_OP_GEMM, .type = VN_FLOAT32, .gemm = { 1, 1, 1, 1, 1, 2, 1, 1, 1 } },
	  VN_BAD_FIELD,
	  D(gemm.lda) },
	{ "relu with alpha",
	  { .opcode = VN_OP_RELU, .ewise = { 1, 0, 1, 0, 1, 1, 1, 0 } },
	  VN_BAD_FIELD,
	  D(ewise.alpha) },
	{ "semaphore reserved",
	  { .opcode = VN_OP_SEM_SIGNAL, .sem = { OWN, 1, { 0, 1, 0 } } },
	  VN_BAD_FIELD,
	  D(sem.reserved[1]) },
	{ "semaphore not aligned",
	  { .opcode = VN_OP_SEM_SIGNAL, .sem = { OWN, 1, {} } },
	  VN_BAD_ALIGN,
	  D(sem.at) },
	{ "a signal of nothing",
	  { .opcode = VN_OP_WRITE_SIGNAL, .copy = { OWN, OWN, 8, 8 } },
	  VN_BAD_FIELD,
	  D(arg) },
	{ "a signal that is not aligned",
	  { .opcode = VN_OP_WRITE_SIGNAL, .arg = 1, .copy = { OWN, OWN, 8, 4 } },
	  VN_BAD_ALIGN,
	  D(copy.signal) },
	{ "an immediate into own memory",
	  { .opcode = VN_OP_WRITE_IMM, .copy = { OWN, OWN, 8, 0 } },
	  VN_BAD_KEY,
	  D(copy.dst) },
	{ "an average of two",
	  { .opcode = VN_OP_ACCUMULATE, .redop = VN_AVG, .copy = { OWN, OWN, 8, 0 } },
	  VN_BAD_TYPE,
	  D(redop) },
	{ "half an element",
	  { .opcode = VN_OP_ACCUMULATE, .type = VN_FLOAT64, .copy = { OWN, OWN, 12, 0 } },
	  VN_BAD_FIELD,
	  D(copy.bytes) },
	{ "a list of too many",
	  { .opcode = VN_OP_COPY_LIST, .list = { 0, 8, VN_SEGMENTS_MAX, 1, 0, {} } },
	  VN_BAD_FIELD,
	  D(list.ndst) },
	{ "a list nowhere",
	  { .opcode = VN_OP_COPY_LIST, .list = { 64, 8, 1, 1, 0, {} } },
	  VN_BAD_KEY,
	  D(list.table) },
	{ "a comparison with nothing to compare",
	  { .opcode = VN_OP_SWAP, .atomic = { OWN, {}, 1, 1 } },
	  VN_BAD_FIELD,
	  D(atomic.compare) },
	{ "an atomic that is not aligned",
	  { .opcode = VN_OP_CMP_SWAP, .atomic = { OWN, {}, 1, 1 } },
	  VN_BAD_ALIGN,
	  D(atomic.at) },
	{ "launch of no plan",
	  { .opcode = VN_OP_LAUNCH, .launch = { 0, 9999, 0, 0, {} } },
	  VN_BAD_PLAN,
	  D(launch.plan) },
	{ "launch with too many parameters",
	  { .opcode = VN_OP_LAUNCH, .launch = { 0, 0, VN_OPERANDS_MAX + 1, 0, {} } },
	  VN_BAD_FIELD,
	  D(launch.nparams) },
};

static bool copies(uint8_t op)
{
	return op == VN_OP_COPY || op == VN_OP_WRITE_SIGNAL || op == VN_OP_WRITE_IMM ||
	       op == VN_OP_ACCUMULATE;
}

static void test_descriptors(void)
{
	struct vn_desc d;

	for (uint32_t i = 0; i < ARRAY_SIZE(bads); i++) {
		const struct bad *b = &bads[i];
		int status;

		d = b->d;
		d.user_data = 0xabcd0000 + i;
		if (copies(d.opcode) && d.copy.src.offset == 1)
			d.copy.src.offset = mem.addr;
		if (copies(d.opcode) && d.copy.dst.offset == 1)
			d.copy.dst.offset = mem.addr;
		if (d.opcode == VN_OP_WRITE_SIGNAL)
			d.copy.signal += mem.addr;
		if (d.opcode == VN_OP_CMP_SWAP || d.opcode == VN_OP_SWAP)
			d.atomic.at.offset = mem.addr + 4;
		if (d.opcode == VN_OP_FILL)
			d.fill.dst.offset = mem.addr;
		if (d.opcode == VN_OP_SEM_SIGNAL)
			d.sem.at.offset = mem.addr + 4;
		run(&queue, &nop);
		status = run(&queue, &d);
		tap_ok(status == (int)b->status && queue.cq[1].detail == b->detail &&
			       queue.cq[1].user_data == d.user_data &&
			       queue.ring->error_status == b->status &&
			       queue.ring->error_detail == b->detail &&
			       queue.ring->error_seq == 1 && queue.ring->state == VN_QUEUE_ERROR,
		       "%s: status %d, detail %u", b->what, status, queue.cq[1].detail);
		must(!queue_reset(&queue));
	}
	tap_ok(others_well(), "a bystander is well");
	/* Ranges, with the edges that are still in. */
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t from = mem.bytes - 64 + (i == 1), bytes = 64;

		d = copy_desc(at(&mem, 0), at(&mem, from), bytes);
		if (i == 2)
			d = copy_desc(at(&mem, 0), at(&mem, 1ull << 39), bytes);
		tap_ok(run(&queue, &d) == (i ? VN_BAD_RANGE : VN_OK),
		       i ? "beyond the end: BAD_RANGE" : "up to the end");
		must(!queue_reset(&queue));
	}
}

static uint64_t rng = 88172645463325252ull;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	return rng ^= rng << 17;
}

/* Descriptors of random bits, of which some fields make sense. */
static void test_random(void)
{
	uint32_t ok = 0, bad = 0, stuck = 0;

	for (uint32_t i = 0; i < 1500; i++) {
		struct vn_desc d;
		uint64_t *w = (uint64_t *)&d;
		int status;

		for (uint32_t j = 0; j < 8; j++)
			w[j] = rnd() & (rnd() & 1 ? ~0ull : 0xffull);
		d.opcode = rnd() % (VN_OP_COUNT + 1);
		if (rnd() & 3)
			d.flags = 0, d.arg = 0, d.type = 0, d.redop = 0;
		if (rnd() & 1)
			w[2 + rnd() % 6] = mem.addr + (rnd() & 0xff);
		if (d.opcode == VN_OP_SEM_WAIT)
			d.opcode = VN_OP_SEM_SIGNAL;
		d.flags &= ~VN_DESC_SILENT;
		status = run(&queue, &d);
		ok += status == VN_OK;
		bad += status > 0 && status < VN_STATUS_COUNT;
		stuck += status < 0 || status >= VN_STATUS_COUNT;
		must(!queue_reset(&queue));
	}
	tap_ok(!stuck && bad > 100, "random descriptors: %u done, %u refused, %u without an answer",
	       ok, bad, stuck);
	for (uint32_t i = 0; i < 200; i++) {
		uint64_t *w = (uint64_t *)queue.ring;

		for (uint64_t j = 0; j < queue.bytes / 8; j++)
			w[j] = i ? rnd() : ~0ull;
		queue_doorbell(&queue);
		wait_until(&queue, rnd(), 0);
		must(!queue_reset(&queue));
	}
	tap_ok(run(&queue, &nop) == VN_OK, "rings full of random bits: 200 resets later it works");
	tap_ok(others_well(), "a bystander is well");
	must(!queue_reset(&queue));
}

/* ---- while it is scribbled on ------------------------------------------- */

static volatile bool over;

static void *scribble(void *arg)
{
	uint64_t *w = (uint64_t *)queue.ring, s = 0x9e3779b97f4a7c15ull;

	(void)arg;
	while (!over) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		/* tails that move by little, and descriptors that change under its eyes */
		switch (s & 3) {
		case 0:
			queue.ring->sq_tail += s >> 8 & 7;
			break;
		case 1:
			queue.ring->cq_head += s >> 8 & 7;
			break;
		case 2:
			queue.sq[s >> 8 & 7].opcode = s >> 16 & 3;
			break;
		default:
			w[PAGE / 8 + (s >> 8) % 64] = s & 1 ? mem.addr : s >> 32;
		}
	}
	return NULL;
}

static void test_hostile(void)
{
	uint64_t end = now_ns() + (getenv("VN_QUICK") ? 1 : 10) * SECOND;
	uint32_t errors = 0, well = 0, sick = 0;
	pthread_t thread;

	over = false;
	must(!pthread_create(&thread, NULL, scribble, NULL));
	while (now_ns() < end) {
		for (uint32_t i = 0; i < 20; i++) {
			wait_until(&queue, rnd(), 0);
			queue_doorbell(&queue);
			errors += queue.ring->state == VN_QUEUE_ERROR;
			must(!queue_reset(&queue));
		}
		if (others_well())
			well++;
		else
			sick++;
	}
	over = true;
	pthread_join(thread, NULL);
	tap_ok(errors && well && !sick,
	       "a hostile thread: %u errors; the bystander well %u times, sick %u", errors, well,
	       sick);
	must(!queue_reset(&queue));
	tap_ok(run(&queue, &nop) == VN_OK, "and when it leaves off, all is good");
	must(!queue_reset(&queue));
}

static void test_full(void)
{
	struct vn_desc d = nop;

	for (uint32_t i = 0; i < 8; i++)
		submit(&queue, &d);
	must(!wait_until(&queue, 8, ~0ull));
	/* The completions are not read: the next has no place. */
	submit(&queue, &d);
	tap_result(wait_until(&queue, 9, now_ns() + SECOND / 50), -ETIMEDOUT,
		   "a full completion ring holds the queue up");
	tap_ok(queue.ring->stalls == 1 && queue.ring->cq_tail == 8, "and is counted, not overrun");
	queue.ring->cq_head = 1;
	tap_result(wait_until(&queue, 9, now_ns() + 10 * SECOND), 0, "reading one lets it go on");
	must(!queue_reset(&queue));
}

int main(void)
{
	ctx = open_on(0);
	bystander = open_on(0);
	mem = mem_alloc(ctx, 0, 16 * PAGE);
	far_mem = mem_alloc(bystander, 0, 16 * PAGE);
	memset(far_mem.ptr, 0x5a, far_mem.bytes);
	queue = queue_create(ctx, 0, 8, -1);
	other = queue_create(bystander, 0, 8, -1);
	tap_ok(queue.ring->flags == VN_RING_NEED_WAKEUP && !queue.ring->sq_tail &&
		       !queue.ring->cq_tail,
	       "a new queue wants a doorbell");
	test_indexes();
	test_device_lines();
	test_descriptors();
	test_full();
	test_random();
	test_hostile();
	close(ctx);
	close(bystander);
	return tap_done();
}
