// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any descriptors, any operand tables: what is written lies in memory of the context or in
 * a window that lets it, each descriptor ends, and is told of as it ended.
 *
 * An input: 8 bytes (struct head), `table` operands of 16 bytes that lie at the beginning of
 * the chip's own memory, then descriptors of 64 bytes.
 *
 * A queue that does nothing else is told of what is written with an immediate (one that tells
 * itself may have heard of it when it ends: ring_fuzz).
 */
#include "small.h"

#define DEPTH 8u
#define TABLE_MAX 192u
#define DESCS_MAX 32u

struct head {
	u8 chip;
	u8 faults;
	u8 table;
	u8 flags; /* 1: small chunks; 2: scalar; 4: around the caches */
	u8 unused[4];
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
	small_receive(s, rig_new(s->w, SMALL_CHIPS - 1, DEPTH), SMALL_CHIPS - 1);
	return 0;
}

static void begin(const struct head *h)
{
	small_reset(s);
	small_faults(s, h->faults);
	s->r->chunk_bytes = h->flags & 1 ? 256 : 64 << 10;
	s->r->chunk_macs = h->flags & 1 ? 64 : 1 << 20;
	s->r->stream_bytes = h->flags & 4 ? 0 : 8 << 20;
	s->r->ops = h->flags & 2 || !__builtin_cpu_supports("avx2") ? &vn_ops_scalar : &vn_ops_avx2;
}

/* What was told is taken, so that there is always room. */
static void receive(const struct vn_desc *d)
{
	struct rig *g = s->receiver;
	struct vn_cqe e;
	u32 n = 0;

	if (!small_posted(s))
		return;
	MUST(d->opcode == VN_OP_WRITE_IMM && vn_queue_pending(&g->q));
	MUST(rig_turn(g, s->r, 2, 4096, NULL, 0) == VN_RUN_IDLE);
	for (; rig_pop(g, &e); n++) {
		small_arrival(s, &e);
		MUST(e.detail == d->arg && e.bytes == d->copy.bytes);
	}
	MUST(n == 1);
}

/* Runs one; false: it waits for a semaphore, and what comes behind it waits for it. */
static bool run(struct rig *g, const struct vn_desc *d)
{
	const struct vn_ring *ring_page = ring(g);
	u64 seq = g->q.seq;
	enum vn_run res;
	struct vn_cqe e;
	u32 turns = 0;

	rig_push(g, *d);
	do {
		res = rig_turn(g, s->r, 2, 4096, NULL, 0);
		MUST(++turns < SMALL_TURNS);
	} while (res == VN_RUN_MORE);
	MUST(res == VN_RUN_IDLE || res == VN_RUN_BLOCKED || res == VN_RUN_ERROR);
	MUST((res == VN_RUN_ERROR) == (g->q.state == VN_QUEUE_ERROR));
	if (res == VN_RUN_BLOCKED)
		return false;
	MUST(g->q.seq == seq + 1);
	if (!rig_pop(g, &e)) {
		MUST(res == VN_RUN_IDLE && d->flags & VN_DESC_SILENT);
		receive(d);
		return true;
	}
	small_completion(&e, 2);
	MUST(e.user_data == d->user_data && e.seq == seq);
	MUST((e.status == VN_OK) == (res == VN_RUN_IDLE));
	MUST(e.status || e.detail == 0);
	if (res == VN_RUN_ERROR) {
		MUST(ring_page->state == VN_QUEUE_ERROR && ring_page->error_status == e.status);
		MUST(ring_page->error_detail == e.detail && ring_page->error_seq == seq);
		MUST(vn_queue_clear(&g->q));
		g->tail = g->read = 0;
	}
	receive(d);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	struct vn_desc d;
	struct head h;
	struct rig *g;

	fuzz_take(&in, &h, sizeof(h));
	begin(&h);
	g = rig[h.chip % SMALL_CHIPS];
	small_take(s, &in, s->own[h.chip % SMALL_CHIPS].ptr, 16 * (h.table % TABLE_MAX));
	for (u32 i = 0; in.left && i < DESCS_MAX; i++) {
		d = small_desc(s, &in);
		if (!run(g, &d))
			break;
	}
	MUST(vn_queue_clear(&g->q));
	g->tail = g->read = 0;
	small_check(s);
	return 0;
}
