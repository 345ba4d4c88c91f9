// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a list of segments is one long copy from one stream of bytes to another: any
 * number and length of segments on either side, on any chips, by key or not, in chunks of any
 * size, in a ring and in a plan; that a fence in its middle repeats and loses nothing; and
 * that a segment that is refused is named by its number, what is before it being copied.
 */
#include "world.h"

#define KIB 1024ull

static struct world *w;
static struct vn_runner *r;
static struct rig *g; /* a queue on chip 1 */

/* Segments lie in rows of two allocations, one to read and one to write, on many chips. */
enum { ROWS = 8, ROW = 64 << 10 };
static struct ram from[ROWS], to[ROWS];
static u32 from_key[ROWS], to_key[ROWS];
static u64 from_at[ROWS], to_at[ROWS];

static void setup(void)
{
	for (u32 i = 0; i < ROWS; i++) {
		from[i] = mem(w, i, ROW);
		to[i] = mem(w, (i + 3) % ROWS, ROW);
		from_key[i] = key_of(w, i, from[i].ptr, ROW, VN_ACCESS_REMOTE_READ);
		to_key[i] = key_of(w, (i + 3) % ROWS, to[i].ptr, ROW,
				   VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_WRITE);
		scramble(from[i].ptr, ROW);
	}
}

/* A total cut into n parts at random; parts of nothing are parts, too. */
static void cut(u64 total, u32 n, u64 *part)
{
	u64 left = total;

	for (u32 i = 0; i + 1 < n; i++) {
		part[i] = rnd() % 4 ? rnd() % (2 * left / (n - i) + 1) : 0;
		part[i] = part[i] > left ? left : part[i];
		left -= part[i];
	}
	part[n - 1] = left;
}

/* A list of so many segments; the bytes it is to move, in order, are in *stream. */
static u64 make(struct vn_segment *s, u32 nsrc, u32 ndst, u64 total, u8 *stream)
{
	u64 part[VN_SEGMENTS_MAX], at_stream = 0, most = 0;

	memset(from_at, 0, sizeof(from_at));
	memset(to_at, 0, sizeof(to_at));
	cut(total, nsrc, part);
	for (u32 i = 0; i < nsrc; i++) {
		u32 row = (u32)rnd() % ROWS;
		u64 off = from_at[row];

		if (off + part[i] > ROW)
			off = 0;
		s[i] = (struct vn_segment){ rnd() & 1 ? at(&from[row], off)
						      : by_key(row, from_key[row], off),
					    part[i], 0 };
		memcpy(stream + at_stream, from[row].ptr + off, part[i]);
		at_stream += part[i];
		from_at[row] = off + part[i];
		most = part[i] > most ? part[i] : most;
	}
	cut(total, ndst, part);
	for (u32 i = 0; i < ndst; i++) {
		u32 row = i % ROWS;

		s[nsrc + i] = (struct vn_segment){ rnd() & 1 ? at(&to[row], to_at[row])
							     : by_key(to[row].chip, to_key[row],
								      to_at[row]),
						   part[i], 0 };
		to_at[row] += part[i];
	}
	return most;
}

/* What is wrong where it was to go. */
static u32 arrived(const struct vn_segment *s, u32 ndst, const u8 *stream)
{
	u64 at_stream = 0, place[ROWS] = { 0 };
	u32 wrong = 0;

	for (u32 i = 0; i < ndst; i++) {
		u32 row = i % ROWS;

		wrong += memcmp(to[row].ptr + place[row], stream + at_stream, s[i].bytes) != 0;
		place[row] += s[i].bytes;
		at_stream += s[i].bytes;
	}
	for (u32 i = 0; i < ROWS; i++)
		for (u64 k = place[i]; k < ROW; k++)
			wrong += to[i].ptr[k] != 0x66;
	return wrong;
}

static void test_results(void)
{
	static const u64 chunks[] = { 64, 777, 64 * KIB, 1ull << 40 };
	struct ram t = mem(w, 1, 8192);
	struct vn_segment *s = (struct vn_segment *)t.ptr;
	u8 *stream = malloc(ROW);
	u32 wrong = 0, most = 0;
	struct vn_cqe e;

	for (u32 i = 0; i < 600; i++) {
		u32 nsrc = i % 3 ? 1 + (u32)rnd() % 8 : 1 + (u32)rnd() % (VN_SEGMENTS_MAX - 1);
		u32 room = VN_SEGMENTS_MAX - nsrc;
		u32 ndst = i % 5 ? 1 + (u32)rnd() % (room < 8 ? room : 8) : room;
		u64 total = i % 7 ? rnd() % 3000 : rnd() % ROW;

		r->chunk_bytes = chunks[i % 4];
		for (u32 k = 0; k < ROWS; k++)
			memset(to[k].ptr, 0x66, ROW);
		make(s, nsrc, ndst, total, stream);
		wrong += run_one(g, r, copy_list(t.addr, nsrc, ndst, total), &e) ||
			 e.bytes != total;
		wrong += arrived(s + nsrc, ndst, stream);
		most = nsrc + ndst > most ? nsrc + ndst : most;
	}
	tap_ok(!wrong && most == VN_SEGMENTS_MAX,
	       "lists of up to %u segments, in chunks of any size (%u wrong)", most, wrong);
	r->chunk_bytes = 64 * KIB;
	s[0] = (struct vn_segment){ by_key(5, 0x12340005, 0), 0, 0 };
	s[1] = (struct vn_segment){ by_key(5, 0x12340005, 0), 0, 0 };
	tap_ok(!run_one(g, r, copy_list(t.addr, 1, 1, 0), &e) && !e.bytes,
	       "segments of no bytes are not looked at");
	free(stream);
	mem_end(w, &t);
}

static void test_refusals(void)
{
	struct ram t = mem(w, 1, 8192);
	struct vn_segment *s = (struct vn_segment *)t.ptr, good[5];
	u32 wo = key_of(w, 4, from[4].ptr, ROW, VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_WRITE);
	const struct {
		const char *what;
		u32 number;
		struct vn_segment bad;
		u32 status, detail;
		u64 done;
	} rows[] = {
		{ "as it is", 0, { at(&from[0], 0), 100, 0 }, VN_OK, 0, 300 },
		{ "a source outside", 1, { at(&from[0], ROW - 99), 100, 0 }, VN_BAD_RANGE, 1, 100 },
		{ "a source not to be read", 2, { by_key(4, wo, 0), 100, 0 }, VN_BAD_ACCESS, 2, 200 },
		{ "a source that is none", 0, { by_key(4, wo + 7, 0), 100, 0 }, VN_BAD_KEY, 0, 0 },
		{ "a destination outside",
		  4,
		  { at(&to[0], ROW - 149), 150, 0 },
		  VN_BAD_RANGE,
		  4,
		  200 },
		{ "a destination not to be written",
		  3,
		  { by_key(0, from_key[0], 0), 150, 0 },
		  VN_BAD_ACCESS,
		  3,
		  0 },
		{ "a destination on another chip",
		  4,
		  { { VN_HERE, 0, 0, to[1].addr }, 150, 0 },
		  VN_BAD_CHIP,
		  4,
		  200 },
		{ "another ultraserver", 3, { { 1, 0, 0, 0 }, 150, 0 }, VN_BAD_CHIP, 3, 0 },
		{ "a reserved bit", 2, { at(&from[0], 0), 100, 1 }, VN_BAD_FIELD, 2, 0 },
		{ "a wrong sum", 2, { at(&from[0], 0), 101, 0 }, VN_BAD_FIELD, AT(list.bytes), 0 },
	};
	u64 chunk = r->chunk_bytes;
	struct vn_cqe e;

	good[0] = (struct vn_segment){ at(&from[0], 0), 100, 0 };
	good[1] = (struct vn_segment){ at(&from[1], 0), 100, 0 };
	good[2] = (struct vn_segment){ at(&from[2], 0), 100, 0 };
	good[3] = (struct vn_segment){ at(&to[0], 0), 150, 0 };
	good[4] = (struct vn_segment){ at(&to[1], 0), 150, 0 };
	for (u32 i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		u32 row = i / 2, status, wrong = 0;
		u64 done = rows[row].done;

		r->chunk_bytes = i & 1 ? 50 : 64 * KIB;
		memcpy(s, good, sizeof(good));
		s[rows[row].number] = rows[row].bad;
		memset(to[0].ptr, 0, 150);
		memset(to[1].ptr, 0, 150);
		status = run_one(g, r, copy_list(t.addr, 3, 2, 300), &e);
		/* Pieces end where a segment of either side does. */
		if (status && done == 200)
			done = rows[row].number == 2 ? 200 : 150;
		for (u32 k = 0; k < 300; k++) {
			u8 is = k < 150 ? to[0].ptr[k] : to[1].ptr[k - 150];

			wrong += is != (k < done ? from[k / 100].ptr[k % 100] : 0);
		}
		tap_ok(status == rows[row].status && e.bytes == done && !wrong &&
			       (!status || e.detail == rows[row].detail),
		       "%s: %s, detail %u, %llu bytes before it (%u wrong)", rows[row].what,
		       vn_status_name(status), e.detail, (unsigned long long)e.bytes, wrong);
	}
	tap_ok(run_one(g, r, copy_list(t.addr + 8192 - 4 * 32, 3, 2, 300), &e) == VN_BAD_RANGE &&
		       e.detail == AT(list.table),
	       "a table that is not all there");
	tap_ok(run_one(g, r, copy_list(t.addr + 4, 3, 2, 300), &e) == VN_BAD_ALIGN &&
		       e.detail == AT(list.table),
	       "one that is odd");
	tap_ok(run_one(g, r, copy_list(from[2].addr, 3, 2, 300), &e) == VN_BAD_CHIP &&
		       e.detail == AT(list.table),
	       "one on another chip");
	r->chunk_bytes = chunk;
	vn_queue_clear(&g->q);
	g->tail = g->read = 0;
	key_end(w, 4, wo);
	mem_end(w, &t);
}

/* Fenced now here, now there: what was done is not done again. */
static void test_fence(void)
{
	struct ram t = mem(w, 1, 8192);
	struct vn_segment *s = (struct vn_segment *)t.ptr;
	u8 *stream = malloc(ROW);
	u32 wrong = 0, blocked = 0, key, status;
	struct vn_window *window;
	struct vn_cqe e;
	u64 was;

	for (u32 i = 0; i < 100; i++) {
		u64 total = 1 + rnd() % 5000;
		enum vn_run res;

		r->chunk_bytes = i & 1 ? 200 : 64 * KIB;
		for (u32 k = 0; k < ROWS; k++)
			memset(to[k].ptr, 0x66, ROW);
		make(s, 20, 30, total, stream);
		/* All of one row go through the window, to be counted. */
		key = to_key[i % ROWS];
		for (u32 k = 20; k < 50; k++)
			if ((k - 20) % ROWS == i % ROWS)
				s[k].at = by_key(to[i % ROWS].chip, key,
						 s[k].at.offset & VN_ADDR_OFFSET_MASK);
		window = vn_table_find(w->domain.chip[to[i % ROWS].chip], key, &status);
		was = window->in_bytes;
		rig_push(g, copy_list(t.addr, 20, 30, total));
		do {
			u32 row = (u32)rnd() % ROWS;

			to[row].hbm->fenced = 1;
			window->hbm->fenced = rnd() & 1;
			res = rig_turn(g, r, 1, 1, NULL, 0);
			blocked += res == VN_RUN_BLOCKED;
			to[row].hbm->fenced = 0;
			window->hbm->fenced = 0;
		} while (res == VN_RUN_MORE || res == VN_RUN_BLOCKED);
		wrong += !rig_pop(g, &e) || e.status || e.bytes != total;
		wrong += arrived(s + 20, 30, stream);
		wrong += window->in_bytes - was != to_at[i % ROWS];
	}
	tap_ok(!wrong && blocked > 50, "%u times before a fence: each byte moves once (%u wrong)",
	       blocked, wrong);
	r->chunk_bytes = 64 * KIB;
	free(stream);
	mem_end(w, &t);
}

static void test_plan(void)
{
	struct vn_segment s[4] = {
		{ param(0, 100), 300, 0 },
		{ at(&from[3], 0), 212, 0 },
		{ at(&to[1], 0), 12, 0 },
		{ param(1, 8), 500, 0 },
	};
	struct vn_desc d = copy_list(2, 2, 2, 512);
	struct vn_operand *operands = world_take(w, 10 * sizeof(*operands));
	struct vn_program prog = { .chip = 6, .count = 1 };
	struct vn_plan *p = world_take(w, sizeof(*p)), *plans[] = { p };
	struct ram t = mem(w, 1, 4096);
	struct vn_operand *params = (struct vn_operand *)t.ptr;
	struct vn_program_run run[1];
	struct vn_cqe e = { 0 };
	u32 desc;

	memcpy(operands + 2, s, sizeof(s));
	*p = (struct vn_plan){ .programs = &prog,
			       .descs = &d,
			       .operands = operands,
			       .run = run,
			       .nprograms = 1,
			       .ndescs = 1,
			       .noperands = 10,
			       .nparams = 2 };
	tap_ok(!vn_plan_check(p, 8, &desc), "a plan with a list is one");
	for (u32 i = 0; i < 3; i++) {
		params[0] = by_key(i, from_key[i], i);
		params[1] = at(&to[i], 1000);
		memset(to[1].ptr, 0, 4096);
		memset(to[i].ptr, 0, 4096);
		rig_push(g, (struct vn_desc){ .opcode = VN_OP_LAUNCH,
					      .launch = { .params = t.addr, .nparams = 2 } });
		while (rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_MORE)
			;
		tap_ok(rig_pop(g, &e) && !e.status && e.bytes == 512 &&
			       !memcmp(to[1].ptr, from[i].ptr + 100 + i, 12) &&
			       !memcmp(to[i].ptr + 1008, from[i].ptr + 112 + i, 288) &&
			       !memcmp(to[i].ptr + 1296, from[3].ptr, 212),
		       "launch %u, with other parameters (status %u)", i, e.status);
	}
	params[1] = at(&to[1], ROW - 507);
	rig_push(g, (struct vn_desc){ .opcode = VN_OP_LAUNCH,
				      .launch = { .params = t.addr, .nparams = 2 } });
	while (rig_turn(g, r, 1, ~0ull, plans, 1) == VN_RUN_MORE)
		;
	tap_ok(rig_pop(g, &e) && e.status == VN_BAD_RANGE, "a parameter too near to the end");
	mem_end(w, &t);
}

int main(void)
{
	w = world_new(4, 2);
	r = runner_new(w, &vn_ops_scalar);
	g = rig_new(w, 1, 8);
	setup();
	test_results();
	test_refusals();
	test_fence();
	test_plan();
	world_free(w);
	return tap_done();
}
