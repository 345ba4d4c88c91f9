// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a descriptor is one exactly when every bit of it means something:
 * starting from a valid descriptor of each operation, each reserved byte, each
 * flag bit, each type and each value beyond its range is refused with the
 * status and the place that belong to it, in a ring and in a plan.
 */
#include "world.h"

#define CHIPS 8u
#define TABLE (3ull << 48 | 5ull << 40) /* some device address */

static const struct vn_operand operands[] = {
	{ VN_HERE, 0, 0, TABLE },
	{ VN_HERE, 7, 5, 0 },
	{ VN_PARAM, 2, 0, 64 },
	{ VN_HERE, 1, 0, TABLE },
};

/* One source, two destinations. */
static const struct vn_segment segments[] = {
	{ { VN_PARAM, 1, 0, 7 }, 96, 0 },
	{ { VN_HERE, 3, 9, 0 }, 32, 0 },
	{ { VN_HERE, 3, 9, 32 }, 64, 0 },
};

static const struct vn_desc_plan in_plan = { operands, ARRAY_SIZE(operands), 3 };
static const struct vn_desc_plan list_plan = {
	(const struct vn_operand *)segments,
	2 * ARRAY_SIZE(segments),
	3,
};
static const char *const mode_name[] = { "ring", "plan" };

/* A valid descriptor of each operation. */
static struct vn_desc valid(u32 op, bool plan)
{
	struct vn_operand o = { VN_HERE, CHIPS - 1, 0, TABLE }, k = { VN_HERE, 0, 0x10003, 0 };

	switch (op) {
	case VN_OP_NOP:
	case VN_OP_FENCE:
		return (struct vn_desc){ .opcode = (u8)op, .user_data = ~0ull };
	case VN_OP_COPY:
		return copy(o, k, VN_BYTES_MAX);
	case VN_OP_FILL:
		return fill(k, VN_BYTES_MAX, ~0ull, 8);
	case VN_OP_REDUCE:
		return reduce(plan ? 1 : TABLE, plan ? 2 : 144, plan ? 1 : 144, VN_BYTES_MAX / 8,
			      VN_FLOAT32, VN_MIN);
	case VN_OP_GEMM:
		return gemm(TABLE, TABLE, TABLE, VN_DIM_MAX, 1, VN_DIM_MAX, VN_FLOAT32, 0);
	case VN_OP_BIAS_ADD:
	case VN_OP_RELU_GRAD:
		return ewise((u8)op, TABLE, TABLE, TABLE, 0, VN_DIM_MAX, VN_DIM_MAX, 0);
	case VN_OP_RELU:
	case VN_OP_COL_SUM:
		return ewise((u8)op, TABLE, 0, TABLE, 0, 0, 1, 0);
	case VN_OP_SOFTMAX_XENT:
		return ewise((u8)op, TABLE, TABLE, TABLE, TABLE, 1, 10, 0x3f800000);
	case VN_OP_AXPY:
		return ewise((u8)op, TABLE, 0, TABLE, 0, 1, 1, ~0u);
	case VN_OP_SEM_WAIT:
		return sem_wait_for(o, ~0ull);
	case VN_OP_SEM_SIGNAL:
		return sem_signal(k, ~0ull);
	case VN_OP_WRITE_SIGNAL:
		return write_signal(k, o, VN_BYTES_MAX, ~0ull, ~0u);
	case VN_OP_WRITE_IMM:
		return write_imm(k, o, 0, 0);
	case VN_OP_COPY_LIST:
		return plan ? copy_list(0, 1, 2, 96) : copy_list(TABLE, 191, 1, VN_BYTES_MAX);
	case VN_OP_ACCUMULATE:
		return accumulate(k, o, VN_BYTES_MAX, VN_FLOAT32, VN_PROD);
	case VN_OP_FETCH_ADD:
	case VN_OP_SWAP:
		return atomic((u8)op, o, k, ~0ull, 0);
	case VN_OP_CMP_SWAP:
		return atomic((u8)op, k, (struct vn_operand){ 0 }, ~0ull, ~0ull);
	case VN_OP_LAUNCH:
		return (struct vn_desc){ .opcode = VN_OP_LAUNCH,
					 .launch = { .params = TABLE,
						     .plan = ~0u,
						     .nparams = VN_OPERANDS_MAX,
						     .base = ~0ull } };
	}
	abort();
}

static void poke(struct vn_desc *d, u32 off, u32 bytes, u64 value)
{
	memcpy((u8 *)d + off, &value, bytes);
}

static u32 checked(const struct vn_desc *d, u32 mode, u32 *detail)
{
	*detail = 0xdddd;
	return vn_desc_check(d,
			     !mode			    ? NULL
			     : d->opcode == VN_OP_COPY_LIST ? &list_plan
							    : &in_plan,
			     CHIPS, detail);
}

static bool there(u32 op, u32 mode)
{
	return op != VN_OP_LAUNCH || !mode;
}

static void test_valid(void)
{
	u32 detail;

	for (u32 op = 0; op < VN_OP_COUNT; op++)
		for (u32 mode = 0; mode < 2; mode++) {
			struct vn_desc d = valid(op, mode);

			if (there(op, mode))
				tap_ok(!checked(&d, mode, &detail), "%s is valid in a %s",
				       vn_opcode_name(op), mode_name[mode]);
			else
				tap_ok(checked(&d, mode, &detail) == VN_BAD_OPCODE && !detail,
				       "launch is no part of a plan");
		}
}

/* Bytes without a meaning. step: what the detail is rounded down to. */
static const struct {
	u8 op, off, bytes, step;
} reserved[] = {
	{ VN_OP_NOP, AT(raw), 48, 8 },
	{ VN_OP_FENCE, AT(raw), 48, 8 },
	{ VN_OP_COPY, AT(copy.signal), 8, 8 },
	{ VN_OP_WRITE_IMM, AT(copy.signal), 8, 8 },
	{ VN_OP_ACCUMULATE, AT(copy.signal), 8, 8 },
	{ VN_OP_COPY_LIST, AT(list.reserved0), 4, 4 },
	{ VN_OP_COPY_LIST, AT(list.reserved1), 24, 8 },
	{ VN_OP_FETCH_ADD, AT(atomic.compare), 8, 8 },
	{ VN_OP_SWAP, AT(atomic.compare), 8, 8 },
	{ VN_OP_FILL, AT(fill.reserved0), 4, 4 },
	{ VN_OP_FILL, AT(fill.reserved1), 8, 8 },
	{ VN_OP_REDUCE, AT(reduce.reserved0), 4, 4 },
	{ VN_OP_REDUCE, AT(reduce.reserved1), 24, 8 },
	{ VN_OP_BIAS_ADD, AT(ewise.reserved), 4, 4 },
	{ VN_OP_RELU, AT(ewise.reserved), 4, 4 },
	{ VN_OP_RELU_GRAD, AT(ewise.reserved), 4, 4 },
	{ VN_OP_SOFTMAX_XENT, AT(ewise.reserved), 4, 4 },
	{ VN_OP_COL_SUM, AT(ewise.reserved), 4, 4 },
	{ VN_OP_AXPY, AT(ewise.reserved), 4, 4 },
	{ VN_OP_BIAS_ADD, AT(ewise.alpha), 4, 4 },
	{ VN_OP_RELU, AT(ewise.alpha), 4, 4 },
	{ VN_OP_RELU_GRAD, AT(ewise.alpha), 4, 4 },
	{ VN_OP_COL_SUM, AT(ewise.alpha), 4, 4 },
	{ VN_OP_BIAS_ADD, AT(ewise.w), 8, 8 },
	{ VN_OP_RELU, AT(ewise.y), 8, 8 },
	{ VN_OP_RELU, AT(ewise.w), 8, 8 },
	{ VN_OP_RELU_GRAD, AT(ewise.w), 8, 8 },
	{ VN_OP_COL_SUM, AT(ewise.y), 8, 8 },
	{ VN_OP_COL_SUM, AT(ewise.w), 8, 8 },
	{ VN_OP_AXPY, AT(ewise.y), 8, 8 },
	{ VN_OP_AXPY, AT(ewise.w), 8, 8 },
	{ VN_OP_SEM_WAIT, AT(sem.reserved), 24, 8 },
	{ VN_OP_SEM_SIGNAL, AT(sem.reserved), 24, 8 },
	{ VN_OP_LAUNCH, AT(launch.reserved), 24, 8 },
};

static void test_reserved(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(reserved); i++) {
		u32 wrong = 0, detail;

		for (u32 b = 0; b < reserved[i].bytes; b++)
			for (u32 bit = 0; bit < 8; bit++)
				for (u32 mode = 0; mode < 2; mode++) {
					u32 off = reserved[i].off + b, status;
					struct vn_desc d = valid(reserved[i].op, mode);

					if (!there(d.opcode, mode))
						continue;
					poke(&d, off, 1, 1u << bit);
					status = checked(&d, mode, &detail);
					wrong += status != VN_BAD_FIELD ||
						 detail !=
							 reserved[i].off + b / reserved[i].step *
										   reserved[i].step;
				}
		tap_ok(!wrong, "%s: every bit of bytes %u to %u is reserved (%u wrong)",
		       vn_opcode_name(reserved[i].op), reserved[i].off,
		       reserved[i].off + reserved[i].bytes - 1u, wrong);
	}
}

static u32 arg_bits(u32 op)
{
	/* EXCLUSIVE is none alone. */
	if (op == VN_OP_WRITE_SIGNAL || op == VN_OP_WRITE_IMM)
		return ~0u;
	return op == VN_OP_GEMM ? 7 : op == VN_OP_SEM_SIGNAL || op == VN_OP_REDUCE ? 1 : 0;
}

static void test_flags(void)
{
	for (u32 op = 0; op < VN_OP_COUNT; op++) {
		bool sem = op == VN_OP_SEM_WAIT || op == VN_OP_SEM_SIGNAL;
		u32 wrong = 0, detail, status;

		for (u32 mode = 0; mode < 2; mode++) {
			struct vn_desc d;

			if (!there(op, mode))
				continue;
			for (u32 bit = 0; bit < 8; bit++) {
				bool good = bit == 0 || (bit == 1 && sem && mode);

				d = valid(op, mode);
				d.flags = (u8)(1u << bit);
				status = checked(&d, mode, &detail);
				wrong += good ? status != VN_OK
					      : status != VN_BAD_FLAGS || detail != AT(flags);
			}
			for (u32 bit = 0; bit < 32; bit++) {
				d = valid(op, mode);
				d.arg = 1u << bit;
				/* A transposed matrix has other rows. */
				d.gemm.lda = op == VN_OP_GEMM ? VN_DIM_MAX : d.gemm.lda;
				d.gemm.ldb = op == VN_OP_GEMM ? VN_DIM_MAX : d.gemm.ldb;
				/* A prefix for each source. */
				if (op == VN_OP_REDUCE) {
					d.reduce.ndst = d.reduce.nsrc;
					d.reduce.table -= mode;
				}
				status = checked(&d, mode, &detail);
				wrong += arg_bits(op) >> bit & 1
						 ? status != VN_OK
						 : status != VN_BAD_FLAGS || detail != AT(arg);
			}
		}
		tap_ok(!wrong, "%s: flags and argument bits (%u wrong)", vn_opcode_name(op), wrong);
	}
}

static bool type_fits(u32 op, u32 type)
{
	if (op == VN_OP_REDUCE || op == VN_OP_ACCUMULATE)
		return type < VN_TYPE_COUNT;
	if (op == VN_OP_GEMM)
		return type == VN_FLOAT32 || type == VN_BFLOAT16;
	return !type;
}

static bool redop_fits(u32 op, u32 redop)
{
	if (op == VN_OP_ACCUMULATE)
		return redop < VN_BAND && redop != VN_AVG && redop != VN_PREMULSUM;
	return !redop || (op == VN_OP_REDUCE && redop < VN_BAND);
}

static void test_types(void)
{
	for (u32 op = 0; op < VN_OP_COUNT; op++) {
		u32 wrong = 0, detail, status;

		for (u32 v = 0; v < 256; v++)
			for (u32 mode = 0; mode < 2; mode++) {
				struct vn_desc d = valid(op, mode);

				if (!there(op, mode))
					continue;
				d.type = (u8)v;
				status = checked(&d, mode, &detail);
				wrong += type_fits(op, v)
						 ? status != VN_OK
						 : status != VN_BAD_TYPE || detail != AT(type);
				d = valid(op, mode);
				d.redop = (u8)v;
				/* Room for scalars. */
				d.reduce.table -= op == VN_OP_REDUCE && mode;
				status = checked(&d, mode, &detail);
				wrong += redop_fits(op, v)
						 ? status != VN_OK
						 : status != VN_BAD_TYPE || detail != AT(redop);
			}
		tap_ok(!wrong, "%s: types and reductions (%u wrong)", vn_opcode_name(op), wrong);
	}
}

static void test_opcodes(void)
{
	u32 wrong = 0, detail;

	for (u32 op = VN_OP_COUNT; op < 256; op++)
		for (u32 mode = 0; mode < 2; mode++) {
			struct vn_desc d = { .opcode = (u8)op };

			wrong += checked(&d, mode, &detail) != VN_BAD_OPCODE ||
				 detail != AT(opcode);
		}
	tap_ok(!wrong, "opcodes from %u to 255 (%u wrong)", VN_OP_COUNT, wrong);
	wrong = 0;
	for (u32 i = 0; i < 2000000; i++) {
		union {
			struct vn_desc d;
			u64 word[8];
		} x;

		for (u32 k = 0; k < 8; k++)
			x.word[k] = rnd() & rnd() & rnd();
		x.d.opcode = (u8)(i % (VN_OP_COUNT + 2));
		if (i & 1)
			x.d.flags = x.d.type = x.d.redop = 0, x.d.arg = 0;
		wrong += checked(&x.d, i >> 1 & 1, &detail) >= VN_STATUS_COUNT || detail > 320;
	}
	tap_ok(!wrong, "random bytes get a status and a place (%u wrong)", wrong);
}

#define RING 1
#define PLAN 2
#define BOTH 3
/* `value` in a field: what comes of it. */
static const struct {
	const char *what;
	u8 op, modes, off, bytes;
	u64 value;
	u32 status, detail;
} ranges[] = {
#define ROW(op, modes, field, value, status)                                                       \
	{                                                                                          \
#field " = " #value, VN_OP_##op, modes, AT(field),                                 \
			sizeof(((struct vn_desc *)0)->field), value, status, AT(field)             \
	}
	ROW(COPY, BOTH, copy.bytes, 0, VN_OK),
	ROW(COPY, BOTH, copy.bytes, VN_BYTES_MAX + 1, VN_BAD_FIELD),
	ROW(COPY, BOTH, copy.bytes, ~0ull, VN_BAD_FIELD),
	ROW(COPY, BOTH, copy.src.chip, CHIPS - 1, VN_OK),
	{ "copy.src.chip = CHIPS", VN_OP_COPY, BOTH, AT(copy.src.chip), 2, CHIPS, VN_BAD_CHIP,
	  AT(copy.src) },
	{ "copy.dst.chip = 0xffff", VN_OP_COPY, BOTH, AT(copy.dst.chip), 2, 0xffff, VN_BAD_CHIP,
	  AT(copy.dst) },
	ROW(COPY, BOTH, copy.src.ultraserver, 1, VN_BAD_CHIP),
	ROW(COPY, BOTH, copy.dst.ultraserver, 0xfffe, VN_BAD_CHIP),
	ROW(COPY, RING, copy.src.ultraserver, VN_PARAM, VN_BAD_CHIP),
	ROW(COPY, RING, copy.dst.ultraserver, VN_PARAM, VN_BAD_CHIP),
	/* the valid one names chip 0 with a key: as parameter 0 the key is reserved */
	ROW(COPY, PLAN, copy.src.ultraserver, VN_PARAM, VN_BAD_FIELD),
	/* and chip 7 without: no such parameter */
	ROW(COPY, PLAN, copy.dst.ultraserver, VN_PARAM, VN_BAD_PLAN),
	ROW(COPY, BOTH, copy.src.offset, ~0ull, VN_OK),
	ROW(FILL, BOTH, fill.width, 0, VN_BAD_FIELD),
	ROW(FILL, BOTH, fill.width, 1, VN_OK),
	ROW(FILL, BOTH, fill.width, 2, VN_OK),
	ROW(FILL, BOTH, fill.width, 3, VN_BAD_FIELD),
	ROW(FILL, BOTH, fill.width, 4, VN_OK),
	ROW(FILL, BOTH, fill.width, 6, VN_BAD_FIELD),
	ROW(FILL, BOTH, fill.width, 16, VN_BAD_FIELD),
	ROW(FILL, BOTH, fill.width, 1ull << 31, VN_BAD_FIELD),
	ROW(FILL, BOTH, fill.bytes, 0, VN_OK),
	ROW(FILL, BOTH, fill.bytes, 8, VN_OK),
	ROW(FILL, BOTH, fill.bytes, 12, VN_BAD_FIELD),
	ROW(FILL, BOTH, fill.bytes, VN_BYTES_MAX + 8, VN_BAD_FIELD),
	{ "fill.dst.chip = CHIPS", VN_OP_FILL, BOTH, AT(fill.dst.chip), 2, CHIPS, VN_BAD_CHIP,
	  AT(fill.dst) },
	ROW(REDUCE, BOTH, reduce.nsrc, 0, VN_BAD_FIELD),
	ROW(REDUCE, BOTH, reduce.nsrc, 1, VN_OK),
	ROW(REDUCE, BOTH, reduce.nsrc, 145, VN_BAD_FIELD),
	ROW(REDUCE, BOTH, reduce.nsrc, 0xffff, VN_BAD_FIELD),
	ROW(REDUCE, BOTH, reduce.ndst, 0, VN_BAD_FIELD),
	ROW(REDUCE, BOTH, reduce.ndst, 145, VN_BAD_FIELD),
	ROW(REDUCE, BOTH, reduce.count, 0, VN_OK),
	ROW(REDUCE, BOTH, reduce.count, VN_BYTES_MAX / 4 + 1, VN_BAD_FIELD),
	ROW(REDUCE, BOTH, reduce.count, 1ull << 62, VN_BAD_FIELD),
	ROW(REDUCE, RING, reduce.table, 0xffffull << 48, VN_BAD_KEY),
	ROW(REDUCE, PLAN, reduce.table, 0, VN_OK),
	ROW(REDUCE, PLAN, reduce.table, 2, VN_BAD_RANGE),
	ROW(REDUCE, PLAN, reduce.table, 4, VN_BAD_RANGE),
	ROW(REDUCE, PLAN, reduce.table, 5, VN_BAD_RANGE),
	ROW(REDUCE, PLAN, reduce.table, ~0ull, VN_BAD_RANGE),
	ROW(REDUCE, PLAN, reduce.table, 1ull << 32, VN_BAD_RANGE),
	ROW(GEMM, BOTH, gemm.m, 0, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.m, 1, VN_OK),
	ROW(GEMM, BOTH, gemm.m, VN_DIM_MAX + 1, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.n, 0, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.n, VN_DIM_MAX + 1, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.k, 0, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.k, 1, VN_OK),
	ROW(GEMM, BOTH, gemm.k, ~0u, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.lda, VN_DIM_MAX - 1, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.lda, ~0u, VN_OK),
	ROW(GEMM, BOTH, gemm.ldb, 0, VN_BAD_FIELD),
	ROW(GEMM, BOTH, gemm.ldc, 0, VN_BAD_FIELD),
	ROW(GEMM, RING, gemm.a, VN_ADDR_PARAM(0, 0), VN_BAD_KEY),
	ROW(GEMM, RING, gemm.b, VN_ADDR_PARAM(0, 0), VN_BAD_KEY),
	ROW(GEMM, RING, gemm.c, VN_ADDR_PARAM(0, 0), VN_BAD_KEY),
	ROW(GEMM, PLAN, gemm.a, VN_ADDR_PARAM(2, 99), VN_OK),
	ROW(GEMM, PLAN, gemm.a, VN_ADDR_PARAM(3, 0), VN_BAD_PLAN),
	ROW(GEMM, PLAN, gemm.b, VN_ADDR_PARAM(255, 0), VN_BAD_PLAN),
	ROW(GEMM, PLAN, gemm.c, VN_ADDR_PARAM(3, 0), VN_BAD_PLAN),
	ROW(BIAS_ADD, BOTH, ewise.rows, 0, VN_OK),
	ROW(BIAS_ADD, BOTH, ewise.rows, VN_DIM_MAX + 1, VN_BAD_FIELD),
	ROW(BIAS_ADD, BOTH, ewise.cols, 0, VN_BAD_FIELD),
	ROW(BIAS_ADD, BOTH, ewise.cols, VN_DIM_MAX + 1, VN_BAD_FIELD),
	ROW(AXPY, BOTH, ewise.rows, ~0u, VN_BAD_FIELD),
	ROW(COL_SUM, BOTH, ewise.cols, 0, VN_BAD_FIELD),
	ROW(SOFTMAX_XENT, BOTH, ewise.cols, ~0u, VN_BAD_FIELD),
	ROW(RELU_GRAD, RING, ewise.x, VN_ADDR_PARAM(0, 0), VN_BAD_KEY),
	ROW(RELU_GRAD, PLAN, ewise.x, VN_ADDR_PARAM(2, 0), VN_OK),
	ROW(RELU_GRAD, PLAN, ewise.y, VN_ADDR_PARAM(3, 0), VN_BAD_PLAN),
	ROW(SOFTMAX_XENT, PLAN, ewise.w, VN_ADDR_PARAM(4, 0), VN_BAD_PLAN),
	/* 0 is never an address; used operands must have one */
	ROW(BIAS_ADD, BOTH, ewise.x, 0, VN_BAD_KEY),
	ROW(BIAS_ADD, BOTH, ewise.y, 0, VN_BAD_KEY),
	ROW(BIAS_ADD, BOTH, ewise.z, 0, VN_BAD_KEY),
	ROW(RELU, BOTH, ewise.x, 0, VN_BAD_KEY),
	ROW(RELU, BOTH, ewise.z, 0, VN_BAD_KEY),
	ROW(RELU_GRAD, BOTH, ewise.y, 0, VN_BAD_KEY),
	ROW(SOFTMAX_XENT, BOTH, ewise.x, 0, VN_BAD_KEY),
	ROW(SOFTMAX_XENT, BOTH, ewise.y, 0, VN_BAD_KEY),
	ROW(SOFTMAX_XENT, BOTH, ewise.w, 0, VN_BAD_KEY),
	ROW(COL_SUM, BOTH, ewise.x, 0, VN_BAD_KEY),
	ROW(COL_SUM, BOTH, ewise.z, 0, VN_BAD_KEY),
	ROW(AXPY, BOTH, ewise.z, 0, VN_BAD_KEY),
	{ "sem.at.chip = CHIPS", VN_OP_SEM_WAIT, BOTH, AT(sem.at.chip), 2, CHIPS, VN_BAD_CHIP,
	  AT(sem.at) },
	{ "sem.at.ultraserver = 2", VN_OP_SEM_SIGNAL, BOTH, AT(sem.at.ultraserver), 2, 2,
	  VN_BAD_CHIP, AT(sem.at) },
	ROW(SEM_WAIT, BOTH, sem.value, 0, VN_OK),
	ROW(LAUNCH, RING, launch.nparams, VN_OPERANDS_MAX + 1, VN_BAD_FIELD),
	/* without parameters there is no place for them */
	ROW(WRITE_SIGNAL, BOTH, arg, 0, VN_BAD_FIELD),
	ROW(WRITE_SIGNAL, BOTH, arg, 1, VN_OK),
	ROW(WRITE_SIGNAL, BOTH, copy.bytes, VN_BYTES_MAX + 1, VN_BAD_FIELD),
	ROW(WRITE_SIGNAL, BOTH, copy.dst.ultraserver, 1, VN_BAD_CHIP),
	ROW(WRITE_SIGNAL, BOTH, copy.signal, 3, VN_OK),
	{ "write_imm into own memory", VN_OP_WRITE_IMM, BOTH, AT(copy.dst.key), 4, 0, VN_BAD_KEY,
	  AT(copy.dst) },
	ROW(WRITE_IMM, BOTH, copy.bytes, VN_BYTES_MAX + 1, VN_BAD_FIELD),
	{ "write_imm from no chip", VN_OP_WRITE_IMM, BOTH, AT(copy.src.chip), 2, CHIPS, VN_BAD_CHIP,
	  AT(copy.src) },
	ROW(ACCUMULATE, BOTH, copy.bytes, 0, VN_OK),
	ROW(ACCUMULATE, BOTH, copy.bytes, 6, VN_BAD_FIELD),
	ROW(ACCUMULATE, BOTH, copy.bytes, VN_BYTES_MAX + 4, VN_BAD_FIELD),
	ROW(ACCUMULATE, BOTH, copy.src.ultraserver, 1, VN_BAD_CHIP),
	ROW(COPY_LIST, BOTH, list.nsrc, 0, VN_BAD_FIELD),
	ROW(COPY_LIST, BOTH, list.nsrc, VN_SEGMENTS_MAX + 1, VN_BAD_FIELD),
	ROW(COPY_LIST, BOTH, list.nsrc, 0xffff, VN_BAD_FIELD),
	ROW(COPY_LIST, BOTH, list.ndst, 0, VN_BAD_FIELD),
	ROW(COPY_LIST, RING, list.ndst, 2, VN_BAD_FIELD),
	ROW(COPY_LIST, BOTH, list.ndst, 0xffff, VN_BAD_FIELD),
	ROW(COPY_LIST, BOTH, list.bytes, VN_BYTES_MAX + 1, VN_BAD_FIELD),
	ROW(COPY_LIST, PLAN, list.bytes, 95, VN_BAD_FIELD),
	ROW(COPY_LIST, RING, list.table, 0xffffull << 48, VN_BAD_KEY),
	ROW(COPY_LIST, PLAN, list.table, 1, VN_BAD_RANGE),
	ROW(COPY_LIST, PLAN, list.table, 6, VN_BAD_RANGE),
	ROW(COPY_LIST, PLAN, list.table, ~0ull, VN_BAD_RANGE),
	ROW(FETCH_ADD, BOTH, atomic.at.ultraserver, 1, VN_BAD_CHIP),
	{ "fetch_add of chip CHIPS", VN_OP_FETCH_ADD, BOTH, AT(atomic.at.chip), 2, CHIPS,
	  VN_BAD_CHIP, AT(atomic.at) },
	{ "swap to chip CHIPS", VN_OP_SWAP, BOTH, AT(atomic.old.chip), 2, CHIPS, VN_BAD_CHIP,
	  AT(atomic.old) },
	ROW(SWAP, RING, atomic.old.ultraserver, VN_PARAM, VN_BAD_CHIP),
	ROW(CMP_SWAP, BOTH, atomic.old.chip, 1, VN_OK),
	ROW(CMP_SWAP, BOTH, atomic.old.ultraserver, 1, VN_BAD_CHIP),
	{ "launch.nparams = 0 with an address", VN_OP_LAUNCH, RING, AT(launch.nparams), 4, 0,
	  VN_BAD_FIELD, AT(launch.params) },
};

static void test_ranges(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(ranges); i++)
		for (u32 mode = 0; mode < 2; mode++) {
			struct vn_desc d = valid(ranges[i].op, mode);
			u32 detail, status;

			if (!(ranges[i].modes & 1u << mode))
				continue;
			poke(&d, ranges[i].off, ranges[i].bytes, ranges[i].value);
			status = checked(&d, mode, &detail);
			tap_ok(status == ranges[i].status &&
				       (!status || detail == ranges[i].detail),
			       "%s in a %s: %s, detail %u", ranges[i].what, mode_name[mode],
			       vn_status_name(status), detail);
		}
}

/* Counts are limited in bytes, whatever the type. */
static void test_reduce_types(void)
{
	u32 wrong = 0, detail;

	for (u8 type = 0; type < VN_TYPE_COUNT; type++) {
		u64 most = VN_BYTES_MAX / vn_type_bytes(type);
		struct vn_desc d = reduce(TABLE, 1, 1, most, type, VN_SUM);

		wrong += checked(&d, 0, &detail) != VN_OK;
		d.reduce.count++;
		wrong += checked(&d, 0, &detail) != VN_BAD_FIELD || detail != AT(reduce.count);
	}
	tap_ok(!wrong, "a reduction's operands are at most 1 GiB in every type");
}

/* Which reductions a type has. */
static void test_redops(void)
{
	u32 wrong = 0, detail;

	for (u8 type = 0; type < VN_TYPE_COUNT; type++)
		for (u32 op = 0; op < 256; op++) {
			struct vn_desc d = reduce(TABLE, 2, 1, 1, type, (u8)op);
			bool is_float = type == VN_FLOAT16 || type == VN_FLOAT32 ||
					type == VN_FLOAT64 || type == VN_BFLOAT16 ||
					type == VN_FLOAT8E4M3 || type == VN_FLOAT8E5M2;
			bool has = op < VN_REDOP_COUNT &&
				   !(is_float && (op == VN_BAND || op == VN_BOR || op == VN_BXOR));
			u32 status = checked(&d, 0, &detail);

			wrong += has ? status != VN_OK
				     : status != VN_BAD_TYPE || detail != AT(redop);
		}
	tap_ok(!wrong, "integers have every reduction, floats all but the bitwise ones (%u wrong)",
	       wrong);
}

/* Prefixes have as many destinations as sources, or one less. */
static void test_scans(void)
{
	static const struct {
		u32 arg, nsrc, ndst, status, detail;
	} rows[] = {
		{ VN_REDUCE_SCAN, 1, 1, VN_OK, 0 },
		{ VN_REDUCE_SCAN, 144, 144, VN_OK, 0 },
		{ VN_REDUCE_SCAN, 3, 2, VN_BAD_FIELD, AT(reduce.ndst) },
		{ VN_REDUCE_SCAN, 3, 4, VN_BAD_FIELD, AT(reduce.ndst) },
		{ VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE, 3, 2, VN_OK, 0 },
		{ VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE, 3, 3, VN_BAD_FIELD, AT(reduce.ndst) },
		{ VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE, 1, 0, VN_BAD_FIELD, AT(reduce.ndst) },
		{ VN_REDUCE_EXCLUSIVE, 3, 2, VN_BAD_FLAGS, AT(arg) },
		{ 4, 3, 3, VN_BAD_FLAGS, AT(arg) },
	};
	u32 detail;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vn_desc d = reduce(TABLE, rows[i].nsrc, rows[i].ndst, 1, VN_INT16, VN_SUM);
		u32 status;

		d.arg = rows[i].arg;
		status = checked(&d, 0, &detail);
		tap_ok(status == rows[i].status && (!status || detail == rows[i].detail),
		       "flags %u, %u sources, %u destinations: %s, detail %u", rows[i].arg,
		       rows[i].nsrc, rows[i].ndst, vn_status_name(status), detail);
	}
}

/* Scalars lie behind the operands, two to an entry, and may be any bits. */
static void test_scalars(void)
{
	struct vn_operand o[6];
	struct vn_desc_plan plan = { o, 6, 3 };
	struct vn_desc d = reduce(0, 3, 1, 1, VN_INT8, VN_PREMULSUM);
	u32 detail;

	for (u32 i = 0; i < 6; i++)
		o[i] = operands[0];
	memset(&o[4], 0xff, 2 * sizeof(*o));
	tap_ok(vn_desc_entries(&d) == 6 && vn_desc_check(&d, &plan, CHIPS, &detail) == VN_OK,
	       "three scalars take two entries behind four operands");
	plan.noperands = 5;
	tap_ok(vn_desc_check(&d, &plan, CHIPS, &detail) == VN_BAD_RANGE &&
		       detail == AT(reduce.table),
	       "a table without room for them is refused");
}

/* Each thing that a segment can be wrong by, in a plan's table and in one that was copied. */
static void test_segments(void)
{
	static const struct {
		const char *what;
		u32 segment, off, bytes;
		u64 value;
		u32 status, detail;
	} rows[] = {
#define S(field) offsetof(struct vn_segment, field), sizeof(((struct vn_segment *)0)->field)
		{ "as it is", 0, S(at.key), 0, VN_OK, 0 },
		{ "no such chip", 0, S(at.chip), CHIPS, VN_BAD_CHIP, 0 },
		{ "another ultraserver", 2, S(at.ultraserver), 1, VN_BAD_CHIP, 2 },
		{ "longer than anything", 1, S(bytes), VN_BYTES_MAX + 1, VN_BAD_FIELD, 1 },
		{ "endless", 2, S(bytes), ~0ull, VN_BAD_FIELD, 2 },
		{ "a reserved bit", 1, S(reserved), 1ull << 63, VN_BAD_FIELD, 1 },
		{ "sources too short", 0, S(bytes), 95, VN_BAD_FIELD, AT(list.bytes) },
		{ "destinations too long", 2, S(bytes), 65, VN_BAD_FIELD, AT(list.bytes) },
#undef S
	};
	u32 detail, status;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		for (u32 mode = 0; mode < 2; mode++) {
			struct vn_segment s[3];
			const struct vn_operand *table = (const struct vn_operand *)s;
			struct vn_desc_plan plan = { table, 6, 3 };
			struct vn_desc d = copy_list(0, 1, 2, 96);

			memcpy(s, segments, sizeof(s));
			s[0].at = (struct vn_operand){ VN_HERE, 1, 0, TABLE };
			memcpy((u8 *)&s[rows[i].segment] + rows[i].off, &rows[i].value,
			       rows[i].bytes);
			detail = 0;
			status = mode ? vn_desc_check(&d, &plan, CHIPS, &detail)
				      : vn_desc_check_table(&d, table, NULL, CHIPS, &detail);
			tap_ok(status == rows[i].status && (!status || detail == rows[i].detail),
			       "a segment in a %s, %s: %s, detail %u", mode_name[mode],
			       rows[i].what, vn_status_name(status), detail);
		}
}

/* Operands of a plan's reduction are named by their number. */
static void test_plan_operands(void)
{
	struct vn_operand o[4];
	struct vn_desc_plan plan = { o, 4, 3 };
	struct vn_desc d = reduce(0, 3, 1, 1, VN_FLOAT32, VN_SUM);
	u32 detail, wrong = 0;

	for (u32 i = 0; i < 4; i++) {
		memcpy(o, operands, sizeof(o));
		o[i].ultraserver = VN_HERE;
		o[i].chip = CHIPS;
		wrong += vn_desc_check(&d, &plan, CHIPS, &detail) != VN_BAD_CHIP || detail != i;
		o[i].ultraserver = VN_PARAM;
		o[i].chip = 3;
		wrong += vn_desc_check(&d, &plan, CHIPS, &detail) != VN_BAD_PLAN || detail != i;
		o[i].chip = 2;
		o[i].key = 1;
		wrong += vn_desc_check(&d, &plan, CHIPS, &detail) != VN_BAD_FIELD || detail != i;
	}
	tap_ok(!wrong, "a refused operand of a plan's table is named by its number");
}

static void test_names(void)
{
	static const u8 bytes[VN_TYPE_COUNT] = { 1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1, 2, 2 };
	u32 wrong = 0;

	for (u32 i = 0; i < VN_TYPE_COUNT; i++)
		wrong += vn_type_bytes(i) != bytes[i];
	tap_ok(!wrong && !vn_type_bytes(VN_TYPE_COUNT) && !vn_type_bytes(~0u), "sizes of types");
	for (u32 i = 0; i < VN_OP_COUNT; i++)
		wrong += !vn_opcode_name(i) || !strcmp(vn_opcode_name(i), "unknown");
	for (u32 i = 0; i < VN_STATUS_COUNT; i++)
		wrong += !vn_status_name(i) || !strcmp(vn_status_name(i), "unknown");
	tap_ok(!wrong && !strcmp(vn_opcode_name(VN_OP_COUNT), "unknown") &&
		       !strcmp(vn_status_name(~0u), "unknown"),
	       "every operation and status has a name");
	for (u32 op = 0; op < VN_OP_COUNT; op++) {
		struct vn_desc d = valid(op, false);

		wrong += !vn_desc_cost(&d) && d.ewise.rows;
	}
	tap_ok(!wrong, "every operation costs something");
}

int main(void)
{
	test_valid();
	test_reserved();
	test_flags();
	test_types();
	test_opcodes();
	test_ranges();
	test_reduce_types();
	test_redops();
	test_scans();
	test_scalars();
	test_segments();
	test_plan_operands();
	test_names();
	return tap_done();
}
