// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows every operation once through the library, on the device as it is
 * opened, against the plainest arithmetic there is: to the bit where the rules
 * define the bits. Every element type and reduction is used.
 */
#include <math.h>

#include "../reduce_oracle.h"
#include "fixture.h"

/* Plain arithmetic must not be fused either; see the build's -ffp-contract=off. */

static float get(uint32_t type, const void *p, uint64_t i)
{
	return oracle_get((uint8_t)type, p, i);
}

static void put(uint32_t type, void *p, uint64_t i, float f)
{
	put_raw((uint8_t)type, p, i, type == VN_FLOAT32 ? bits_of(f) : narrow((uint8_t)type, f));
}

enum { P = 5, N = 3001, ROW = 3072 * 8 };

/* One reduction of P sources; flags: as prefixes. Wrong elements. */
static unsigned int reduce_once(vn_queue_t q, const struct vn_mem *m, const struct vn_mem *table,
				const struct oracle *oracle, uint32_t flags)
{
	uint32_t es = oracle_size(oracle->type), ndst = 2;
	static uint8_t want[ROW];
	uint8_t *out = (uint8_t *)m->ptr + P * ROW;
	struct vn_operand *o = table->ptr;
	struct vn_desc d = { .arg = flags };
	unsigned int wrong;
	struct vn_cqe e;

	if (flags)
		ndst = flags & VN_REDUCE_EXCLUSIVE ? P - 1 : P;
	for (uint32_t r = 0; r < P; r++) {
		random_elems(oracle->type, (uint8_t *)m->ptr + r * ROW, N);
		o[r] = vn_at(m, r * ROW);
	}
	for (uint32_t r = 0; r < ndst; r++)
		o[P + r] = vn_at(m, (P + r) * ROW);
	memcpy(&o[P + ndst], oracle->scalars, P * sizeof(*oracle->scalars));
	vn_prep_reduce(&d, table->addr, P, ndst, N, oracle->type, oracle->op);
	wrong = run(q, &d, &e) || e.bytes != (uint64_t)ndst * N * es;
	for (uint32_t i = 0; i < N; i++)
		for (uint32_t r = 0; r < ndst; r++) {
			oracle_reduce(oracle, want, flags ? r + 1 : P, i);
			wrong += memcmp(out + r * ROW + i * es, want + i * es, es) != 0;
		}
	return wrong;
}

static void test_reduce(vn_device_t dev)
{
	struct vn_mem m = take(dev, 1, 2 * P * ROW), table = take(dev, 1, 4096);
	vn_queue_t q = queue(dev, 1, 8);
	const void *src[P];
	uint64_t scalars[P];
	unsigned int wrong;

	for (uint32_t r = 0; r < P; r++)
		src[r] = (uint8_t *)m.ptr + r * ROW;
	for (uint8_t type = 0; type < VN_TYPE_COUNT; type++)
		for (uint8_t op = 0; op < VN_REDOP_COUNT && oracle_reduces(type, op); op++) {
			struct oracle oracle = { type, op, src, scalars };

			for (uint32_t r = 0; r < P; r++)
				random_elems(type, (uint8_t *)&scalars[r], 1);
			wrong = reduce_once(q, &m, &table, &oracle, 0) +
				reduce_once(q, &m, &table, &oracle, VN_REDUCE_SCAN) +
				reduce_once(q, &m, &table, &oracle,
					    VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE);
			tap_ok(!wrong, "type %u, reduction %u: left folds (%u wrong)", type, op,
			       wrong);
		}
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
	vn_mem_free(dev, &table);
}

static void test_gemm(vn_device_t dev)
{
	enum { M = 21, N = 34, K = 45 };
	struct vn_mem a = take(dev, 2, 65536), b = take(dev, 2, 65536), c = take(dev, 2, 65536);
	vn_queue_t q = queue(dev, 2, 8);

	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t flags = 0; flags < 8; flags++) {
			uint32_t type = i ? VN_BFLOAT16 : VN_FLOAT32;
			unsigned int wrong = 0;
			struct vn_desc d = { 0 };
			float *out = c.ptr;

			for (uint32_t k = 0; k < N * K; k++) {
				put(type, a.ptr, k, (float)((int)(rnd() & 0xfff) - 0x800) / 512);
				put(type, b.ptr, k, (float)((int)(rnd() & 0xfff) - 0x800) / 512);
				out[k] = (float)k / 7;
			}
			vn_prep_gemm(&d, c.addr, a.addr, b.addr, M, N, K, type, flags);
			wrong += run(q, &d, NULL) != 0;
			for (uint32_t r = 0; r < M; r++)
				for (uint32_t s = 0; s < N; s++) {
					float sum = flags & VN_GEMM_ACCUMULATE
							    ? (float)(r * N + s) / 7
							    : 0;

					for (uint32_t k = 0; k < K; k++)
						sum += get(type, a.ptr,
							   flags & VN_GEMM_TRANS_A ? k * M + r
										   : r * K + k) *
						       get(type, b.ptr,
							   flags & VN_GEMM_TRANS_B ? s * K + k
										   : k * N + s);
					wrong += memcmp(&sum, &out[r * N + s], 4) != 0;
				}
			tap_ok(!wrong, "gemm %s%s%s%s (%u wrong)", i ? "bf16" : "fp32",
			       flags & 1 ? " a'" : " a", flags & 2 ? " b'" : " b",
			       flags & 4 ? " accumulated" : "", wrong);
		}
	vn_queue_destroy(q);
	vn_mem_free(dev, &a);
	vn_mem_free(dev, &b);
	vn_mem_free(dev, &c);
}

static void test_ewise(vn_device_t dev)
{
	enum { R = 19, C = 37 };
	struct vn_mem m = take(dev, 3, 65536);
	float *x = m.ptr, *y = x + R * C, *z = y + R * C, *w = z + R * C;
	uint64_t ax = m.addr, ay = ax + 4 * R * C, az = ay + 4 * R * C, aw = az + 4 * R * C;
	vn_queue_t q = queue(dev, 3, 8);
	static const enum vn_opcode ops[] = { VN_OP_BIAS_ADD, VN_OP_RELU, VN_OP_RELU_GRAD,
					      VN_OP_COL_SUM,  VN_OP_AXPY, VN_OP_SOFTMAX_XENT };
	static const char *const names[] = { "bias_add", "relu", "relu_grad",
					     "col_sum",	 "axpy", "softmax_xent" };

	for (unsigned int k = 0; k < COUNT(ops); k++) {
		bool has_y = k == 0 || k == 2 || k == 5;
		struct vn_desc d = { 0 };
		unsigned int wrong = 0;

		for (uint32_t i = 0; i < R * C; i++) {
			x[i] = (float)((int)(rnd() & 0xffff) - 0x8000) / 4096;
			y[i] = (float)((int)(rnd() & 0xffff) - 0x8000) / 4096;
			z[i] = (float)i / 3;
		}
		if (k == 5)
			for (uint32_t r = 0; r < R; r++)
				((int32_t *)y)[r] = (int32_t)(r * 5 % C);
		vn_prep_ewise(&d, ops[k], ax, has_y ? ay : 0, az, k == 5 ? aw : 0, R, C,
			      k == 4   ? 0.3f
			      : k == 5 ? 0.5f
				       : 0);
		wrong += run(q, &d, NULL) != 0;
		for (uint32_t i = 0; i < R * C; i++) {
			float want = z[i], sum = 0;
			double total = 0, max = -1e30;
			const float *row = x + i / C * C;

			switch (k) {
			case 0:
				want = x[i] + y[i % C];
				break;
			case 1:
				want = x[i] > 0 ? x[i] : 0;
				break;
			case 2:
				want = y[i] > 0 ? x[i] : 0;
				break;
			case 3:
				for (uint32_t r = 0; i < C && r < R; r++)
					sum += x[r * C + i];
				want = i < C ? sum : (float)i / 3;
				break;
			case 4:
				sum = 0.3f * x[i];
				want = (float)i / 3 + sum;
				break;
			case 5:
				for (uint32_t c = 0; c < C; c++)
					max = row[c] > max ? row[c] : max;
				for (uint32_t c = 0; c < C; c++)
					total += exp(row[c] - max);
				wrong += fabs(0.5 * (exp(x[i] - max) / total -
						     (((int32_t *)y)[i / C] == (int32_t)(i % C))) -
					      z[i]) > 1e-6;
				if (i % C == 0)
					wrong += fabs(w[i / C] - (log(total) + max -
								  row[((int32_t *)y)[i / C]])) >
						 1e-4;
				break;
			}
			wrong += memcmp(&want, &z[i], 4) != 0;
		}
		tap_ok(!wrong, "%s (%u wrong)", names[k], wrong);
	}
	vn_queue_destroy(q);
	vn_mem_free(dev, &m);
}

static void test_copy(vn_device_t dev)
{
	struct vn_mem a = take(dev, 0, 9 << 20), b = take(dev, 7, 9 << 20),
		      none = { .chip = 0, .bytes = 8 };
	static const uint64_t sizes[] = { 0, 1, 63, 64, 4097, 100001, (4 << 20) + 1, 8 << 20 };
	vn_queue_t q = queue(dev, 0, 8);
	unsigned int wrong = 0;
	struct vn_desc d = { 0 };

	scramble(a.ptr, quick() ? 1 << 20 : a.bytes);
	for (unsigned int i = 0; i < COUNT(sizes); i++) {
		uint8_t guard;

		memset(b.ptr, 0x3c, sizes[i] + 200);
		wrong += run_copy(q, vn_at(&b, 100), vn_at(&a, 7), sizes[i]) != 0;
		wrong += memcmp((uint8_t *)b.ptr + 100, (uint8_t *)a.ptr + 7, sizes[i]) != 0;
		guard = ((uint8_t *)b.ptr)[99] ^ ((uint8_t *)b.ptr)[100 + sizes[i]];
		wrong += guard || ((uint8_t *)b.ptr)[99] != 0x3c;
	}
	tap_ok(!wrong, "copies between chips (%u wrong)", wrong);
	for (uint32_t width = 1; width <= 8; width *= 2) {
		wrong += run_fill(q, vn_at(&b, 64), 4096, 0x8877665544332211ull, width) != 0;
		for (uint32_t i = 0; i < 4096; i++)
			wrong += ((uint8_t *)b.ptr)[64 + i] != 0x11 * (i % width + 1);
	}
	tap_ok(!wrong, "fills (%u wrong)", wrong);
	vn_prep_fence(&d);
	tap_ok(!run(q, &d, NULL), "a fence");
	tap_ok(run_copy(q, vn_at(&none, 0), vn_at(&a, 0), 8) == VN_BAD_KEY, "to nowhere: %s",
	       vn_status_text(VN_BAD_KEY));
	memset(&d, 0, sizeof(d));
	vn_prep_ewise(&d, VN_OP_RELU, 0, 0, a.addr, 0, 4, 4, 0);
	tap_ok(run(q, &d, NULL) == VN_BAD_KEY,
	       "an element-wise operation without an operand is refused");
	memset(&d, 0, sizeof(d));
	((struct vn_operand *)a.ptr)[0] = vn_param(5, 0);
	((struct vn_operand *)a.ptr)[1] = vn_at(&a, 4096);
	vn_prep_reduce(&d, a.addr, 1, 1, 4, VN_INT32, VN_SUM);
	tap_ok(run(q, &d, NULL) == VN_BAD_CHIP, "so is a parameter outside a plan");
	vn_queue_destroy(q);
	vn_mem_free(dev, &a);
	vn_mem_free(dev, &b);
}

/* What the switch counted: sent is received, and as much as was asked for. */
static void test_traffic(vn_device_t dev)
{
	static struct vn_port before[VN_MAX_CHIPS * 8], after[VN_MAX_CHIPS * 8];
	struct vn_mem a = take(dev, 0, 65536), b = take(dev, 5, 65536);
	vn_queue_t q = queue(dev, 0, 8);
	uint64_t tx = 0, rx = 0, local = 0;
	unsigned int wrong = 0;
	int n = vn_ports(dev, before, COUNT(before)), few;
	struct vn_query info;
	uint32_t slots;

	vn_device_query(dev, &info);
	slots = (info.sleds + info.spares) * info.chips_per_sled;
	if (n < 0) {
		tap_ok(0, "ports: %d (%s)", n, vn_error());
		return;
	}
	run_copy(q, vn_at(&b, 0), vn_at(&a, 0), 10000);
	run_copy(q, vn_at(&a, 0), vn_at(&b, 0), 20000);
	run_copy(q, vn_at(&a, 0), vn_at(&a, 32768), 5000);
	vn_ports(dev, after, COUNT(after));
	for (int i = 0; i < n; i++) {
		wrong += after[i].slot != (uint32_t)i / ((uint32_t)n / slots) ||
			 after[i].slot >= slots;
		tx += after[i].tx_bytes - before[i].tx_bytes;
		rx += after[i].rx_bytes - before[i].rx_bytes;
		local += after[i].local_bytes - before[i].local_bytes;
	}
	tap_ok(!wrong && n % (int)slots == 0, "%d ports, in order", n);
	tap_ok(tx == 30000 && rx == 30000 && local == 5000, "sent %llu, received %llu, local %llu",
	       (unsigned long long)tx, (unsigned long long)rx, (unsigned long long)local);
	memset(after, 0x55, sizeof(after));
	few = vn_ports(dev, after, 3);
	tap_ok(few == n && after[2].slot < info.chips && after[3].slot == 0x55555555,
	       "no more than there is room for");
	vn_queue_destroy(q);
	vn_mem_free(dev, &a);
	vn_mem_free(dev, &b);
}

int main(void)
{
	vn_device_t dev = device();

	test_copy(dev);
	test_reduce(dev);
	test_gemm(dev);
	test_ewise(dev);
	test_traffic(dev);
	vn_close(dev);
	return tap_done();
}
