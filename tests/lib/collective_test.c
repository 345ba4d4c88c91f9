// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows all-reduce and broadcast, as plans, bit for bit against a naive left
 * fold in rank order: over 1 to 144 chips in any order, every type and
 * reduction, in place and not, any count; launched more than once; with
 * operands by address, by key and by parameter.
 */
#include "fixture.h"

#define SLOT (192u << 10) /* of one rank: room to send from, as much to receive in */

static const uint32_t types[] = { VN_FLOAT32, VN_BFLOAT16, VN_FLOAT16, VN_INT32 };
static const char *const names[] = { "fp32", "bf16", "fp16", "int32" };

static vn_device_t dev;
static uint32_t chips;
static struct vn_mem mem[VN_MAX_CHIPS];
static vn_queue_t q;
static uint8_t *model; /* what was sent, rank by rank */

static float from_half(uint32_t type, const uint8_t *p)
{
	uint16_t h;
	uint32_t u;
	float f;

	memcpy(&h, p, 2);
	if (type == VN_FLOAT16) {
		_Float16 x;

		memcpy(&x, &h, 2);
		return (float)x;
	}
	u = (uint32_t)h << 16;
	memcpy(&f, &u, 4);
	return f;
}

static void to_half(uint32_t type, uint8_t *p, float f)
{
	_Float16 x = (_Float16)f;
	uint32_t u;
	uint16_t h;

	if (type == VN_FLOAT16) {
		memcpy(p, &x, 2);
		return;
	}
	memcpy(&u, &f, 4);
	h = (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
	memcpy(p, &h, 2);
}

/* Element i of the fold, as bytes. */
static void fold(uint32_t type, uint32_t op, uint32_t p, uint64_t i, uint8_t *to)
{
	uint64_t es = vn_type_size(type);
	uint32_t a, b;
	float f = 0, g;

	if (type == VN_INT32) {
		memcpy(&a, model + i * 4, 4);
		for (uint32_t r = 1; r < p; r++) {
			memcpy(&b, model + r * (uint64_t)SLOT + i * 4, 4);
			a = op == VN_SUM				  ? a + b
			    : op == VN_PROD				  ? a * b
			    : ((int32_t)a > (int32_t)b) == (op == VN_MAX) ? a
									  : b;
		}
		memcpy(to, &a, 4);
		return;
	}
	for (uint32_t r = 0; r < p; r++) {
		const uint8_t *at = model + r * (uint64_t)SLOT + i * es;

		if (type == VN_FLOAT32)
			memcpy(&g, at, 4);
		else
			g = from_half(type, at);
		if (!r)
			f = g;
		else if (op == VN_SUM)
			f += g;
		else if (op == VN_PROD)
			f *= g;
		else
			f = (f > g) == (op == VN_MAX) ? f : g;
	}
	if (p == 1) /* a copy of the bits */
		memcpy(to, model + i * es, es);
	else if (type == VN_FLOAT32)
		memcpy(to, &f, 4);
	else
		to_half(type, to, f);
}

static void values(uint32_t type, uint8_t *p, uint64_t count)
{
	if (type == VN_INT32) {
		scramble(p, count * 4);
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		/* 0.5 to 1.5 and negative: products of 144 stay finite and not 0 in fp32 */
		float f = (0.5f + (float)(rnd() & 0xffff) / 65536) * (rnd() & 1 ? 1 : -1);

		if (type == VN_FLOAT32)
			memcpy(p + i * 4, &f, 4);
		else
			to_half(type, p + i * 2, f);
	}
}

enum naming { BY_ADDRESS, BY_KEY, BY_PARAM };

/* How many elements or calls are wrong. order: chips taken in this order. */
static unsigned int all_reduce(const uint16_t *order, uint32_t p, uint64_t count, uint32_t type,
			       uint32_t op, bool in_place, unsigned int launches,
			       enum naming naming)
{
	struct vn_operand send[VN_MAX_CHIPS], recv[VN_MAX_CHIPS];
	uint64_t es = vn_type_size(type), out = in_place ? 0 : SLOT;
	uint8_t *want = malloc(count * es + 1);
	uint32_t key[VN_MAX_CHIPS] = { 0 };
	struct vn_mem table = take(dev, 0, 8192);
	struct vn_operand *o = table.ptr;
	unsigned int wrong = 0;
	vn_builder_t b;
	vn_plan_t plan;

	for (uint32_t r = 0; r < p; r++) {
		struct vn_mem *m = &mem[order[r]];

		send[r] = vn_at(m, 0);
		recv[r] = vn_at(m, out);
		if (naming == BY_KEY) {
			NEED(vn_window_create(dev, m, 0, 2 * SLOT, FULL_ACCESS, &key[r]));
			send[r] = vn_by_key(order[r], key[r], 0);
			recv[r] = vn_by_key(order[r], key[r], out);
		} else if (naming == BY_PARAM) {
			o[r] = send[r];
			o[p + r] = recv[r];
			send[r] = vn_param(r, 0);
			recv[r] = vn_param(p + r, 0);
		}
	}
	NEED(vn_builder_create(dev, naming == BY_PARAM ? 2 * p : 0, &b));
	NEED(vn_build_all_reduce(b, order, p, send, recv, count, type, op));
	if (p == 1 && !count)
		vn_prep_fence(vn_build(b, order[0])); /* a plan has something in it */
	NEED(vn_builder_finish(b, &plan));
	vn_builder_destroy(b);
	for (unsigned int n = 0; n < launches && !wrong; n++) {
		for (uint32_t r = 0; r < p; r++) {
			values(type, model + r * (uint64_t)SLOT, count);
			memcpy(mem[order[r]].ptr, model + r * (uint64_t)SLOT, count * es);
			/* what lies behind the destination must stay */
			memset((uint8_t *)mem[order[r]].ptr + out + count * es, 0x99, 64);
			if (!in_place)
				memset((uint8_t *)mem[order[r]].ptr + out, 0x66, count * es);
		}
		for (uint64_t i = 0; i < count; i++)
			fold(type, op, p, i, want + i * es);
		wrong += vn_launch(q, plan, naming == BY_PARAM ? table.addr : 0, n) != 0;
		if (vn_complete(q, LONG)) {
			tap_diag("%s", vn_error());
			vn_queue_reset(q);
			wrong++;
		}
		for (uint32_t r = 0; r < p; r++) {
			const uint8_t *got = (uint8_t *)mem[order[r]].ptr + out;

			wrong += memcmp(got, want, count * es) != 0;
			for (int i = 0; i < 64; i++)
				wrong += got[count * es + i] != 0x99;
			if (!in_place)
				wrong += memcmp(mem[order[r]].ptr, model + r * (uint64_t)SLOT,
						count * es) != 0;
		}
	}
	wrong += vn_plan_destroy(plan) != 0;
	for (uint32_t r = 0; r < p; r++)
		wrong += key[r] && vn_window_invalidate(dev, order[r], key[r]);
	vn_mem_free(dev, &table);
	free(want);
	return wrong;
}

static void test_all_reduce(void)
{
	static const uint32_t ranks[] = { 1, 2, 3, 4, 5, 8, 36, 143, 144 };
	static const uint32_t few[] = { 1, 3, 8, 144 };
	static const uint64_t counts[] = { 0, 1, 777, 4096 + 3, 40001 };
	const uint32_t *ps = quick() ? few : ranks;
	uint16_t order[VN_MAX_CHIPS];
	unsigned int nth = 0;

	for (uint32_t k = 0; k < (quick() ? COUNT(few) : COUNT(ranks)); k++)
		for (uint32_t t = 0; t < COUNT(types); t++) {
			unsigned int wrong = 0, did = 0;

			if (ps[k] > chips)
				continue;
			for (uint32_t op = 0; op < VN_MIN + 1; op++)
				for (unsigned int c = 0; c < COUNT(counts); c++)
					for (int in_place = 0; in_place < 2; in_place++) {
						/* where time is short, each combination of type and reduction once */
						if (quick() && (c != (nth % 8 ? 2 : 3) ||
								in_place != (int)(nth & 1)))
							continue;
						/* the most work is where it tells the least */
						if (ps[k] > 36 && counts[c] > 40000 && op)
							continue;
						/* ranks in rotated order: rank is not chip */
						for (uint32_t r = 0; r < ps[k]; r++)
							order[r] = (uint16_t)((r * (ps[k] == chips
											    ? 5
											    : 1) +
									       nth) %
									      chips);
						wrong += all_reduce(order, ps[k], counts[c],
								    types[t], op, in_place,
								    counts[c] == 777 ? 2 : 1,
								    BY_ADDRESS);
						did++;
					}
			nth++;
			tap_ok(!wrong && did, "all-reduce over %u chips, %s: %u plans (%u wrong)",
			       ps[k], names[t], did, wrong);
		}
	for (uint32_t r = 0; r < 8; r++)
		order[r] = (uint16_t)(7 - r);
	tap_ok(!all_reduce(order, 8, 5003, VN_FLOAT32, VN_SUM, false, 3, BY_KEY), "by key");
	tap_ok(!all_reduce(order, 8, 5003, VN_FLOAT32, VN_SUM, true, 3, BY_KEY),
	       "by key, in place");
	tap_ok(!all_reduce(order, 8, 5003, VN_BFLOAT16, VN_SUM, false, 3, BY_PARAM),
	       "by parameter");
	tap_ok(!all_reduce(order, 8, 5003, VN_INT32, VN_MAX, true, 3, BY_PARAM),
	       "by parameter, in place");
	for (uint32_t r = 0; r < chips; r++)
		order[r] = (uint16_t)r;
	tap_ok(!all_reduce(order, chips, 1001, VN_FLOAT32, VN_SUM, true, quick() ? 5 : 100,
			   BY_ADDRESS),
	       "one plan over %u chips, launched again and again", chips);
}

static void test_broadcast(void)
{
	static const uint32_t ranks[] = { 1, 2, 3, 8, 36, 144 };
	static const uint64_t sizes[] = { 0, 4, 4096 + 12, 150000 };

	for (uint32_t k = 0; k < COUNT(ranks); k++) {
		uint32_t p = ranks[k];
		unsigned int wrong = 0;

		if (p > chips || (quick() && p == 36))
			continue;
		for (uint32_t s = 0; s < COUNT(sizes); s++)
			for (uint32_t which = 0; which < 3; which++) {
				uint32_t root = which == 0 ? 0 : which == 1 ? p - 1 : p / 2;
				struct vn_operand dst[VN_MAX_CHIPS];
				uint16_t order[VN_MAX_CHIPS];
				vn_builder_t b;
				vn_plan_t plan;

				if (quick() && s != which)
					continue;
				for (uint32_t r = 0; r < p; r++) {
					order[r] = (uint16_t)((r + 3) % chips);
					dst[r] = vn_at(&mem[order[r]], SLOT);
					memset((uint8_t *)mem[order[r]].ptr + SLOT, 0x55,
					       sizes[s] + 64);
				}
				scramble(mem[order[root]].ptr, sizes[s]);
				NEED(vn_builder_create(dev, 0, &b));
				NEED(vn_build_broadcast(b, order, p, root,
							vn_at(&mem[order[root]], 0), dst,
							sizes[s]));
				if (p == 1 && !sizes[s])
					vn_prep_fence(vn_build(b, order[0]));
				NEED(vn_builder_finish(b, &plan));
				vn_builder_destroy(b);
				wrong += vn_launch(q, plan, 0, 0) || vn_complete(q, LONG);
				for (uint32_t r = 0; r < p; r++) {
					const uint8_t *got = (uint8_t *)mem[order[r]].ptr + SLOT;

					wrong += memcmp(got, mem[order[root]].ptr, sizes[s]) != 0 ||
						 got[sizes[s]] != 0x55;
				}
				vn_plan_destroy(plan);
			}
		tap_ok(!wrong, "broadcast to %u chips (%u wrong)", p, wrong);
	}
}

int main(void)
{
	struct vn_chip_query c;
	struct vn_query info;
	uint64_t used;

	dev = device();
	NEED(vn_device_query(dev, &info));
	chips = info.chips;
	q = queue(dev, 0, 8);
	model = malloc((uint64_t)SLOT * VN_MAX_CHIPS);
	NEED(vn_chip_query(dev, 0, &c));
	used = c.hbm_used;
	for (uint32_t i = 0; i < chips; i++)
		mem[i] = take(dev, i, 2 * SLOT);
	test_all_reduce();
	test_broadcast();
	for (uint32_t i = 0; i < chips; i++)
		vn_mem_free(dev, &mem[i]);
	NEED(vn_chip_query(dev, 0, &c));
	tap_ok(c.hbm_used == used, "no plan left memory behind");
	vn_queue_destroy(q);
	vn_close(dev);
	free(model);
	return tap_done();
}
