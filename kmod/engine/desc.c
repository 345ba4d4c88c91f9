// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "desc.h"
#include "ops.h"

#define AT(field)	((u32)offsetof(struct vn_desc, field))

/* Where an operation's operand fields are. */
enum vn_fields {
	F_NONE, F_COPY, F_FILL, F_REDUCE, F_GEMM, F_EWISE, F_SEM, F_LAUNCH, F_LIST, F_ATOMIC,
};

/* Which of x, y, z, w an element-wise operation uses; and who has a type and a reduction. */
#define USES_X	1
#define USES_Y	2
#define USES_Z	4
#define USES_W	8
#define USES_ALPHA	16
#define USES_TYPE	32
#define USES_REDOP	64

static const struct {
	const char *name;
	u8 fields;
	u8 flags;		/* allowed besides SILENT */
	u8 uses;
	u32 arg;		/* allowed bits of arg */
} op_rows[VN_OP_COUNT] = {
	[VN_OP_NOP]		= { "nop", F_NONE, 0, 0, 0 },
	[VN_OP_COPY]		= { "copy", F_COPY, 0, 0, 0 },
	[VN_OP_FILL]		= { "fill", F_FILL, 0, 0, 0 },
	[VN_OP_REDUCE]		= { "reduce", F_REDUCE, 0, USES_TYPE | USES_REDOP,
				    VN_REDUCE_SCAN | VN_REDUCE_EXCLUSIVE },
	[VN_OP_GEMM]		= { "gemm", F_GEMM, 0, USES_TYPE, VN_GEMM_TRANS_A |
				    VN_GEMM_TRANS_B | VN_GEMM_ACCUMULATE },
	[VN_OP_BIAS_ADD]	= { "bias_add", F_EWISE, 0, USES_X | USES_Y | USES_Z, 0 },
	[VN_OP_RELU]		= { "relu", F_EWISE, 0, USES_X | USES_Z, 0 },
	[VN_OP_RELU_GRAD]	= { "relu_grad", F_EWISE, 0, USES_X | USES_Y | USES_Z, 0 },
	[VN_OP_SOFTMAX_XENT]	= { "softmax_xent", F_EWISE, 0,
				    USES_X | USES_Y | USES_Z | USES_W | USES_ALPHA, 0 },
	[VN_OP_COL_SUM]		= { "col_sum", F_EWISE, 0, USES_X | USES_Z, 0 },
	[VN_OP_AXPY]		= { "axpy", F_EWISE, 0, USES_X | USES_Z | USES_ALPHA, 0 },
	[VN_OP_SEM_WAIT]	= { "sem_wait", F_SEM, VN_DESC_REL, 0, 0 },
	[VN_OP_SEM_SIGNAL]	= { "sem_signal", F_SEM, VN_DESC_REL, 0, VN_SEM_SET },
	[VN_OP_FENCE]		= { "fence", F_NONE, 0, 0, 0 },
	[VN_OP_LAUNCH]		= { "launch", F_LAUNCH, 0, 0, 0 },
	[VN_OP_WRITE_SIGNAL]	= { "write_signal", F_COPY, 0, 0, ~0u },
	[VN_OP_WRITE_IMM]	= { "write_imm", F_COPY, 0, 0, ~0u },
	[VN_OP_COPY_LIST]	= { "copy_list", F_LIST, 0, 0, 0 },
	[VN_OP_ACCUMULATE]	= { "accumulate", F_COPY, 0, USES_TYPE | USES_REDOP, 0 },
	[VN_OP_FETCH_ADD]	= { "fetch_add", F_ATOMIC, 0, 0, 0 },
	[VN_OP_CMP_SWAP]	= { "cmp_swap", F_ATOMIC, 0, 0, 0 },
	[VN_OP_SWAP]		= { "swap", F_ATOMIC, 0, 0, 0 },
};

static const char *const status_names[VN_STATUS_COUNT] = {
	[VN_OK] = "ok",
	[VN_BAD_OPCODE] = "bad opcode",
	[VN_BAD_FLAGS] = "bad flags",
	[VN_BAD_FIELD] = "bad field",
	[VN_BAD_TYPE] = "bad type or reduction",
	[VN_BAD_CHIP] = "no such chip, or memory of another chip",
	[VN_BAD_KEY] = "no such window or memory",
	[VN_STALE_KEY] = "window or memory is gone",
	[VN_BAD_ACCESS] = "access not allowed",
	[VN_BAD_RANGE] = "outside the window or memory",
	[VN_BAD_ALIGN] = "not aligned to its type",
	[VN_BAD_PLAN] = "no such plan or parameters",
	[VN_BAD_RING] = "impossible ring index",
	[VN_BUSY_PLAN] = "plan is running on another queue",
	[VN_CANCELLED] = "cancelled",
	[VN_CHIP_LOST] = "the chip is lost, its own or that of its memory",
	[VN_LINK_DOWN] = "no way through the switch",
	[VN_NO_RECEIVER] = "the queue to be told is gone or in error",
	[VN_CHIP_RESET] = "the chip was reset",
};

const char *vn_opcode_name(u32 opcode)
{
	return opcode < VN_OP_COUNT ? op_rows[opcode].name : "unknown";
}

const char *vn_status_name(u32 status)
{
	return status < VN_STATUS_COUNT ? status_names[status] : "unknown";
}

static u32 bad(u32 status, u32 where, u32 *detail)
{
	*detail = where;
	return status;
}

static u32 check_operand(const struct vn_operand *o, const struct vn_desc_plan *plan, u32 chips,
			 u32 at, u32 *detail)
{
	if (o->ultraserver == VN_PARAM && plan) {
		if (o->chip >= plan->nparams)
			return bad(VN_BAD_PLAN, at, detail);
		return o->key ? bad(VN_BAD_FIELD, at, detail) : VN_OK;
	}
	if (o->ultraserver != VN_HERE || o->chip >= chips)
		return bad(VN_BAD_CHIP, at, detail);
	return VN_OK;
}

/* A device address of the chip's own memory; in a plan also a parameter. */
static u32 check_addr(u64 addr, const struct vn_desc_plan *plan, u32 at, u32 *detail)
{
	if (addr >> 48 != 0xffff)
		return VN_OK;
	if (!plan)
		return bad(VN_BAD_KEY, at, detail);
	if ((addr >> VN_ADDR_OFFSET_BITS & 0xff) >= plan->nparams)
		return bad(VN_BAD_PLAN, at, detail);
	return VN_OK;
}

/* What those that look like a copy have besides. */
static u32 check_copy_kind(const struct vn_desc *d, u32 *detail)
{
	const struct vn_operand *dst = &d->copy.dst;
	u32 es;

	switch (d->opcode) {
	case VN_OP_WRITE_SIGNAL:
		return d->arg ? VN_OK : bad(VN_BAD_FIELD, AT(arg), detail);
	case VN_OP_WRITE_IMM:
		/* Own memory is bound to no queue. */
		if (dst->ultraserver == VN_HERE && !dst->key)
			return bad(VN_BAD_KEY, AT(copy.dst), detail);
		break;
	case VN_OP_ACCUMULATE:
		es = vn_type_bytes(d->type);
		if (!es)
			return bad(VN_BAD_TYPE, AT(type), detail);
		if (!vn_type_reduces(d->type, d->redop) || d->redop == VN_AVG ||
		    d->redop == VN_PREMULSUM)
			return bad(VN_BAD_TYPE, AT(redop), detail);
		if (d->copy.bytes & (es - 1))
			return bad(VN_BAD_FIELD, AT(copy.bytes), detail);
		break;
	}
	return VN_OK;
}

static u32 check_copy(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 chips,
		      u32 *detail)
{
	u32 status;

	if (d->copy.bytes > VN_BYTES_MAX)
		return bad(VN_BAD_FIELD, AT(copy.bytes), detail);
	if (d->copy.signal && d->opcode != VN_OP_WRITE_SIGNAL)
		return bad(VN_BAD_FIELD, AT(copy.signal), detail);
	status = d->opcode == VN_OP_COPY ? (u32)VN_OK : check_copy_kind(d, detail);
	status = status ?: check_operand(&d->copy.src, plan, chips, AT(copy.src), detail);
	return status ?: check_operand(&d->copy.dst, plan, chips, AT(copy.dst), detail);
}

static u32 check_fill(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 chips,
		      u32 *detail)
{
	u32 w = d->fill.width;

	if (w != 1 && w != 2 && w != 4 && w != 8)
		return bad(VN_BAD_FIELD, AT(fill.width), detail);
	if (d->fill.bytes > VN_BYTES_MAX || d->fill.bytes & (w - 1))
		return bad(VN_BAD_FIELD, AT(fill.bytes), detail);
	if (d->fill.reserved0)
		return bad(VN_BAD_FIELD, AT(fill.reserved0), detail);
	if (d->fill.reserved1)
		return bad(VN_BAD_FIELD, AT(fill.reserved1), detail);
	return check_operand(&d->fill.dst, plan, chips, AT(fill.dst), detail);
}

static u32 check_tail(const __u64 reserved[3], u32 at, u32 *detail)
{
	for (u32 i = 0; i < 3; i++)
		if (reserved[i])
			return bad(VN_BAD_FIELD, at + 8 * i, detail);
	return VN_OK;
}

u32 vn_desc_entries(const struct vn_desc *d)
{
	u32 scalars = d->redop == VN_PREMULSUM ? (d->reduce.nsrc + 1) / 2 : 0;

	if (d->opcode == VN_OP_COPY_LIST)
		return 2 * (d->list.nsrc + d->list.ndst);
	return d->reduce.nsrc + d->reduce.ndst + scalars;
}

bool vn_type_reduces(u32 type, u32 redop)
{
	bool is_float = type >= VN_FLOAT16 && type <= VN_FLOAT8E5M2;

	return type < VN_TYPE_COUNT && redop < (is_float ? VN_BAND : VN_REDOP_COUNT);
}

static u32 check_reduce_shape(const struct vn_desc *d, u32 *detail)
{
	u32 nsrc = d->reduce.nsrc, ndst = d->reduce.ndst;

	if (d->arg == VN_REDUCE_EXCLUSIVE)
		return bad(VN_BAD_FLAGS, AT(arg), detail);
	if (d->type >= VN_TYPE_COUNT)
		return bad(VN_BAD_TYPE, AT(type), detail);
	if (!vn_type_reduces(d->type, d->redop))
		return bad(VN_BAD_TYPE, AT(redop), detail);
	if (!nsrc || nsrc > VN_REDUCE_MAX)
		return bad(VN_BAD_FIELD, AT(reduce.nsrc), detail);
	if (!ndst || ndst > VN_REDUCE_MAX ||
	    (d->arg & VN_REDUCE_SCAN && ndst != nsrc - !!(d->arg & VN_REDUCE_EXCLUSIVE)))
		return bad(VN_BAD_FIELD, AT(reduce.ndst), detail);
	if (d->reduce.count > VN_BYTES_MAX / vn_type_bytes(d->type))
		return bad(VN_BAD_FIELD, AT(reduce.count), detail);
	if (d->reduce.reserved0)
		return bad(VN_BAD_FIELD, AT(reduce.reserved0), detail);
	return check_tail(d->reduce.reserved1, AT(reduce.reserved1), detail);
}

/* A list's segments: each by itself, and that both sides are as long as it says. */
static u32 check_segments(const struct vn_desc *d, const struct vn_segment *s,
			  const struct vn_desc_plan *plan, u32 chips, u32 *detail)
{
	u64 sum[2] = { 0, 0 };

	for (u32 i = 0; i < (u32)d->list.nsrc + d->list.ndst; i++) {
		u32 status = check_operand(&s[i].at, plan, chips, i, detail);

		if (status)
			return status;
		if (s[i].reserved || s[i].bytes > VN_BYTES_MAX)
			return bad(VN_BAD_FIELD, i, detail);
		sum[i >= d->list.nsrc] += s[i].bytes;
	}
	if (sum[0] != d->list.bytes || sum[1] != d->list.bytes)
		return bad(VN_BAD_FIELD, AT(list.bytes), detail);
	return VN_OK;
}

u32 vn_desc_check_table(const struct vn_desc *d, const struct vn_operand *table,
			const struct vn_desc_plan *plan, u32 chips, u32 *detail)
{
	u32 status = VN_OK;

	if (d->opcode == VN_OP_COPY_LIST)
		return check_segments(d, (const struct vn_segment *)table, plan, chips, detail);
	/* Scalars behind them may be any bits. */
	for (u32 i = 0; !status && i < (u32)d->reduce.nsrc + d->reduce.ndst; i++)
		status = check_operand(&table[i], plan, chips, i, detail);
	return status;
}

/* Where the table is, and in a plan what is in it. It is the first field of who has one. */
static u32 check_table(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 chips,
		       u32 *detail)
{
	if (!plan)
		return check_addr(d->reduce.table, NULL, AT(reduce.table), detail);
	if (d->reduce.table > plan->noperands ||
	    vn_desc_entries(d) > plan->noperands - d->reduce.table)
		return bad(VN_BAD_RANGE, AT(reduce.table), detail);
	return vn_desc_check_table(d, &plan->operands[d->reduce.table], plan, chips, detail);
}

static u32 check_list_shape(const struct vn_desc *d, u32 *detail)
{
	u32 nsrc = d->list.nsrc, ndst = d->list.ndst;

	if (d->list.bytes > VN_BYTES_MAX)
		return bad(VN_BAD_FIELD, AT(list.bytes), detail);
	if (!nsrc || nsrc > VN_SEGMENTS_MAX)
		return bad(VN_BAD_FIELD, AT(list.nsrc), detail);
	if (!ndst || nsrc + ndst > VN_SEGMENTS_MAX)
		return bad(VN_BAD_FIELD, AT(list.ndst), detail);
	if (d->list.reserved0)
		return bad(VN_BAD_FIELD, AT(list.reserved0), detail);
	return check_tail(d->list.reserved1, AT(list.reserved1), detail);
}

static u32 check_atomic(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 chips,
			u32 *detail)
{
	u32 status;

	if (d->atomic.compare && d->opcode != VN_OP_CMP_SWAP)
		return bad(VN_BAD_FIELD, AT(atomic.compare), detail);
	status = check_operand(&d->atomic.at, plan, chips, AT(atomic.at), detail);
	if (status || vn_operand_none(&d->atomic.old))
		return status;
	return check_operand(&d->atomic.old, plan, chips, AT(atomic.old), detail);
}

static u32 check_gemm(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 *detail)
{
	bool ta = d->arg & VN_GEMM_TRANS_A, tb = d->arg & VN_GEMM_TRANS_B;
	u32 status;

	if (d->type != VN_FLOAT32 && d->type != VN_BFLOAT16)
		return bad(VN_BAD_TYPE, AT(type), detail);
	if (!d->gemm.m || d->gemm.m > VN_DIM_MAX)
		return bad(VN_BAD_FIELD, AT(gemm.m), detail);
	if (!d->gemm.n || d->gemm.n > VN_DIM_MAX)
		return bad(VN_BAD_FIELD, AT(gemm.n), detail);
	if (!d->gemm.k || d->gemm.k > VN_DIM_MAX)
		return bad(VN_BAD_FIELD, AT(gemm.k), detail);
	if (d->gemm.lda < (ta ? d->gemm.m : d->gemm.k))
		return bad(VN_BAD_FIELD, AT(gemm.lda), detail);
	if (d->gemm.ldb < (tb ? d->gemm.k : d->gemm.n))
		return bad(VN_BAD_FIELD, AT(gemm.ldb), detail);
	if (d->gemm.ldc < d->gemm.n)
		return bad(VN_BAD_FIELD, AT(gemm.ldc), detail);
	status = check_addr(d->gemm.a, plan, AT(gemm.a), detail);
	status = status ?: check_addr(d->gemm.b, plan, AT(gemm.b), detail);
	return status ?: check_addr(d->gemm.c, plan, AT(gemm.c), detail);
}

static u32 check_ewise(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 *detail)
{
	static const u32 at[4] = { AT(ewise.x), AT(ewise.y), AT(ewise.z), AT(ewise.w) };
	const u64 addr[4] = { d->ewise.x, d->ewise.y, d->ewise.z, d->ewise.w };
	u32 uses = op_rows[d->opcode].uses, status;

	if (d->ewise.rows > VN_DIM_MAX)
		return bad(VN_BAD_FIELD, AT(ewise.rows), detail);
	if (!d->ewise.cols || d->ewise.cols > VN_DIM_MAX)
		return bad(VN_BAD_FIELD, AT(ewise.cols), detail);
	if (d->ewise.alpha && !(uses & USES_ALPHA))
		return bad(VN_BAD_FIELD, AT(ewise.alpha), detail);
	if (d->ewise.reserved)
		return bad(VN_BAD_FIELD, AT(ewise.reserved), detail);
	for (u32 i = 0; i < 4; i++) {
		if (!(uses & 1u << i)) {
			if (addr[i])
				return bad(VN_BAD_FIELD, at[i], detail);
			continue;
		}
		/* 0 stands for "not used" from here on. */
		status = addr[i] ? check_addr(addr[i], plan, at[i], detail) :
			bad(VN_BAD_KEY, at[i], detail);
		if (status)
			return status;
	}
	return VN_OK;
}

static u32 check_launch(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 *detail)
{
	if (plan)		/* plans don't nest */
		return bad(VN_BAD_OPCODE, AT(opcode), detail);
	if (d->launch.nparams > VN_OPERANDS_MAX)
		return bad(VN_BAD_FIELD, AT(launch.nparams), detail);
	if (!d->launch.nparams && d->launch.params)
		return bad(VN_BAD_FIELD, AT(launch.params), detail);
	return check_tail(d->launch.reserved, AT(launch.reserved), detail);
}

u32 vn_desc_check(const struct vn_desc *d, const struct vn_desc_plan *plan, u32 chips, u32 *detail)
{
	u32 op = d->opcode, status;

	*detail = 0;
	if (op >= VN_OP_COUNT)
		return bad(VN_BAD_OPCODE, AT(opcode), detail);
	op = vn_index(op, (u32)VN_OP_COUNT);
	if (d->flags & ~(op_rows[op].flags | VN_DESC_SILENT) || (d->flags & VN_DESC_REL && !plan))
		return bad(VN_BAD_FLAGS, AT(flags), detail);
	if (d->arg & ~op_rows[op].arg)
		return bad(VN_BAD_FLAGS, AT(arg), detail);
	if (d->type && !(op_rows[op].uses & USES_TYPE))
		return bad(VN_BAD_TYPE, AT(type), detail);
	if (d->redop && !(op_rows[op].uses & USES_REDOP))
		return bad(VN_BAD_TYPE, AT(redop), detail);
	switch (op_rows[op].fields) {
	case F_COPY:
		return check_copy(d, plan, chips, detail);
	case F_FILL:
		return check_fill(d, plan, chips, detail);
	case F_REDUCE:
		status = check_reduce_shape(d, detail);
		return status ?: check_table(d, plan, chips, detail);
	case F_GEMM:
		return check_gemm(d, plan, detail);
	case F_EWISE:
		return check_ewise(d, plan, detail);
	case F_SEM:
		status = check_operand(&d->sem.at, plan, chips, AT(sem.at), detail);
		return status ?: check_tail(d->sem.reserved, AT(sem.reserved), detail);
	case F_LAUNCH:
		return check_launch(d, plan, detail);
	case F_LIST:
		status = check_list_shape(d, detail);
		return status ?: check_table(d, plan, chips, detail);
	case F_ATOMIC:
		return check_atomic(d, plan, chips, detail);
	}
	for (u32 i = 0; i < 6; i++)
		if (d->raw[i])
			return bad(VN_BAD_FIELD, AT(raw) + 8 * i, detail);
	return VN_OK;
}

u64 vn_desc_cost(const struct vn_desc *d)
{
	switch (op_rows[d->opcode].fields) {
	case F_COPY:
		return (d->opcode == VN_OP_ACCUMULATE ? 3 : 2) * d->copy.bytes;
	case F_FILL:
		return d->fill.bytes;
	case F_REDUCE:
		return (u64)(d->reduce.nsrc + d->reduce.ndst) * d->reduce.count *
		       vn_type_bytes(d->type);
	case F_GEMM:
		/* Two multiply-adds take about as long as a byte. */
		return (u64)d->gemm.m * d->gemm.n * d->gemm.k / 2;
	case F_EWISE:
		return 12ull * d->ewise.rows * d->ewise.cols;
	case F_LIST:
		return 2 * d->list.bytes + 64ull * (d->list.nsrc + d->list.ndst);
	}
	return 64;
}
