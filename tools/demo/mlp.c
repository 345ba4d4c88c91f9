// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlp.h"

/* Samples of a step over all chips, about. */
#define BATCH 288u
#define QUEUE_DEPTH 8u
/* Longer than any step takes, on the slowest emulated machine. */
#define PATIENCE_NS (120ull * 1000 * 1000 * 1000)

/* Weights and gradients, as floats: w1[pixel][hidden], b1, w2[hidden][class], b2. */
#define B1_AT (DIGIT_PIXELS * MLP_HIDDEN)
#define W2_AT (B1_AT + MLP_HIDDEN)
#define B2_AT (W2_AT + MLP_HIDDEN * DIGIT_CLASSES)
#define WEIGHTS (B2_AT + DIGIT_CLASSES)

/*
 * He's initialisation, uniform in +-sqrt(6 / inputs): both layers have 64
 * inputs. A literal, so that no library's sqrt decides the bits.
 */
#define INIT_SCALE 0.306186218f
_Static_assert(DIGIT_PIXELS == 64 && MLP_HIDDEN == 64, "INIT_SCALE is for 64 inputs");

static uint64_t place(uint64_t *end, uint64_t floats)
{
	uint64_t at = *end;

	*end += (floats * 4 + 63) / 64 * 64;
	return at;
}

/* Held-out samples of a chip: dealt one by one, like the others. */
static uint32_t held_rows(const struct mlp *m, const struct digits *d, uint32_t chip)
{
	return (d->count - d->train + m->chips - 1 - chip) / m->chips;
}

static void lay_out(struct mlp *m, const struct digits *d)
{
	uint32_t held = held_rows(m, d, 0), most = held > m->rows ? held : m->rows;
	struct mlp_layout *at = &m->at;
	uint64_t end = 0;

	at->weights = place(&end, WEIGHTS);
	at->grads = place(&end, WEIGHTS);
	at->hidden = place(&end, most * MLP_HIDDEN);
	at->dhidden = place(&end, m->rows * MLP_HIDDEN);
	at->logits = place(&end, most * DIGIT_CLASSES);
	at->dlogits = place(&end, m->rows * DIGIT_CLASSES);
	at->held = place(&end, held * DIGIT_PIXELS);
	at->batches = end;
	at->batch_bytes = (m->rows * (DIGIT_PIXELS + 2) * 4 + 63) / 64 * 64;
	at->bytes = end + m->batches * at->batch_bytes;
}

static int take_memory(struct mlp *m)
{
	uint64_t tables = (uint64_t)m->batches * m->own * sizeof(struct vn_operand);
	uint32_t c;
	int err;

	for (c = m->first; c < m->first + m->own; c++) {
		err = vn_mem_alloc(m->dev, c, m->at.bytes, &m->mem[c]);
		if (err == -ENOSPC)
			return complain("HBM too small for the network and %u samples: %s",
					m->batches * m->rows, vn_error());
		if (err)
			return complain("HBM: %s", vn_error());
	}
	if (vn_mem_alloc(m->dev, m->first, tables, &m->tables))
		return complain("HBM for the parameters of %u batches: %s", m->batches, vn_error());
	return 0;
}

static void *host_at(const struct mlp *m, uint32_t chip, uint64_t offset)
{
	return (char *)m->mem[chip].ptr + offset;
}

static uint64_t batch_at(const struct mlp *m, uint32_t batch)
{
	return m->at.batches + batch * m->at.batch_bytes;
}

/* The samples of a chip for a batch, and the operand that says where they are. */
static void deal_batch(struct mlp *m, const struct digits *d, uint32_t b, uint32_t c)
{
	float *pixels = host_at(m, c, batch_at(m, b));
	int32_t *labels = (int32_t *)(pixels + m->rows * DIGIT_PIXELS);
	struct vn_operand *table = m->tables.ptr;

	vn_mem_begin(m->dev, pixels, m->at.batch_bytes);
	for (uint32_t r = 0; r < m->rows; r++) {
		const struct digit *s = &d->at[((b * m->rows + r) * m->chips + c) % d->train];

		memcpy(pixels + r * DIGIT_PIXELS, s->pixel, sizeof(s->pixel));
		labels[r] = s->label;
	}
	vn_mem_end(m->dev);
	table += b * m->own + c - m->first;
	vn_mem_begin(m->dev, table, sizeof(*table));
	*table = vn_at(&m->mem[c], batch_at(m, b));
	vn_mem_end(m->dev);
}

static void deal_held(struct mlp *m, const struct digits *d, uint32_t c)
{
	float *pixels = host_at(m, c, m->at.held);

	vn_mem_begin(m->dev, pixels, held_rows(m, d, c) * sizeof(d->at->pixel));
	for (uint32_t i = d->train + c; i < d->count; i += m->chips, pixels += DIGIT_PIXELS)
		memcpy(pixels, d->at[i].pixel, sizeof(d->at[i].pixel));
	vn_mem_end(m->dev);
}

/*
 * Training samples are dealt one by one to the chips; where the deal does not
 * come out even, it begins again from the first sample. So every step has the
 * same number of rows on every chip, and one plan does for all.
 */
static void deal(struct mlp *m, const struct digits *d)
{
	for (uint32_t c = m->first; c < m->first + m->own; c++) {
		for (uint32_t b = 0; b < m->batches; b++)
			deal_batch(m, d, b, c);
		deal_held(m, d, c);
	}
}

static void draw_weights(struct mlp *m, uint64_t seed)
{
	float *w = host_at(m, 0, m->at.weights);
	uint32_t i;

	vn_mem_begin(m->dev, w, WEIGHTS * sizeof(*w));
	/* Biases stay zero, as HBM is when it is allocated. */
	for (i = 0; i < B2_AT; i++)
		if (i < B1_AT || i >= W2_AT)
			w[i] = ((float)(next_random(&seed) >> 40) * 0x1p-23f - 1) * INIT_SCALE;
	vn_mem_end(m->dev);
}

/* ---- plans ------------------------------------------------------------- */

/* A plan being built for one chip; the first failure stays. */
struct draft {
	vn_builder_t b;
	uint32_t chip;
	uint64_t weights, grads, hidden, dhidden, logits, dlogits; /* device addresses */
};

static void draft_begin(struct draft *f, const struct mlp *m, vn_builder_t b, uint32_t chip)
{
	uint64_t base = m->mem[chip].addr;

	*f = (struct draft){
		.b = b,
		.chip = chip,
		.weights = base + m->at.weights,
		.grads = base + m->at.grads,
		.hidden = base + m->at.hidden,
		.dhidden = base + m->at.dhidden,
		.logits = base + m->at.logits,
		.dlogits = base + m->at.dlogits,
	};
}

/* What vn_build() refuses, vn_builder_finish() reports. */
static void gemm(struct draft *f, uint64_t c, uint64_t a, uint64_t b, uint32_t m, uint32_t n,
		 uint32_t k, uint32_t flags)
{
	struct vn_desc *d = vn_build(f->b, f->chip);

	if (d)
		vn_prep_gemm(d, c, a, b, m, n, k, VN_FLOAT32, flags);
}

static void ewise(struct draft *f, enum vn_opcode op, uint64_t x, uint64_t y, uint64_t z,
		  uint64_t w, uint32_t rows, uint32_t cols, float alpha)
{
	struct vn_desc *d = vn_build(f->b, f->chip);

	if (d)
		vn_prep_ewise(d, op, x, y, z, w, rows, cols, alpha);
}

static void build_forward(struct draft *f, uint64_t pixels, uint32_t rows)
{
	uint64_t w = f->weights;

	gemm(f, f->hidden, pixels, w, rows, MLP_HIDDEN, DIGIT_PIXELS, 0);
	ewise(f, VN_OP_BIAS_ADD, f->hidden, w + B1_AT * 4, f->hidden, 0, rows, MLP_HIDDEN, 0);
	ewise(f, VN_OP_RELU, f->hidden, 0, f->hidden, 0, rows, MLP_HIDDEN, 0);
	gemm(f, f->logits, f->hidden, w + W2_AT * 4, rows, DIGIT_CLASSES, MLP_HIDDEN, 0);
	ewise(f, VN_OP_BIAS_ADD, f->logits, w + B2_AT * 4, f->logits, 0, rows, DIGIT_CLASSES, 0);
}

/* scale: 1 / samples of the step on all chips, so that gradients just add up. */
static void build_backward(struct draft *f, uint64_t pixels, uint32_t rows, float scale)
{
	uint64_t labels = pixels + rows * DIGIT_PIXELS * 4, losses = labels + rows * 4;
	uint64_t g = f->grads;

	ewise(f, VN_OP_SOFTMAX_XENT, f->logits, labels, f->dlogits, losses, rows, DIGIT_CLASSES,
	      scale);
	gemm(f, g + W2_AT * 4, f->hidden, f->dlogits, MLP_HIDDEN, DIGIT_CLASSES, rows,
	     VN_GEMM_TRANS_A);
	ewise(f, VN_OP_COL_SUM, f->dlogits, 0, g + B2_AT * 4, 0, rows, DIGIT_CLASSES, 0);
	gemm(f, f->dhidden, f->dlogits, f->weights + W2_AT * 4, rows, MLP_HIDDEN, DIGIT_CLASSES,
	     VN_GEMM_TRANS_B);
	ewise(f, VN_OP_RELU_GRAD, f->dhidden, f->hidden, f->dhidden, 0, rows, MLP_HIDDEN, 0);
	gemm(f, g, pixels, f->dhidden, DIGIT_PIXELS, MLP_HIDDEN, rows, VN_GEMM_TRANS_A);
	ewise(f, VN_OP_COL_SUM, f->dhidden, 0, g + B1_AT * 4, 0, rows, MLP_HIDDEN, 0);
}

/* All chips in order, and where each has the same thing. */
static void everywhere(const struct mlp *m, uint64_t offset, uint16_t *chips, struct vn_operand *at)
{
	uint32_t c;

	for (c = 0; c < m->chips; c++) {
		chips[c] = c;
		at[c] = vn_at(&m->mem[c], offset);
	}
}

static int build_init(struct mlp *m, vn_builder_t b)
{
	struct vn_operand at[VN_MAX_CHIPS];
	uint16_t chips[VN_MAX_CHIPS];

	everywhere(m, m->at.weights, chips, at);
	return vn_build_broadcast(b, chips, m->chips, 0, at[0], at, WEIGHTS * 4);
}

static void build_gradients(struct mlp *m, vn_builder_t b)
{
	struct draft f;

	for (uint32_t c = m->first; c < m->first + m->own; c++) {
		/* A parameter is where the chip has the batch's samples. */
		uint64_t pixels = VN_ADDR_PARAM(c - m->first, 0);

		draft_begin(&f, m, b, c);
		build_forward(&f, pixels, m->rows);
		build_backward(&f, pixels, m->rows, 1.0f / (float)(m->rows * m->chips));
	}
}

static void build_update(struct mlp *m, vn_builder_t b, float rate)
{
	struct draft f;

	for (uint32_t c = m->first; c < m->first + m->own; c++) {
		draft_begin(&f, m, b, c);
		ewise(&f, VN_OP_AXPY, f.grads, 0, f.weights, 0, 1, WEIGHTS, -rate);
	}
}

/* All of it in one plan, if all chips are this process's. */
static int build_step(struct mlp *m, vn_builder_t b, float rate)
{
	struct vn_operand at[VN_MAX_CHIPS];
	uint16_t chips[VN_MAX_CHIPS];
	int err;

	build_gradients(m, b);
	if (m->comm)
		return 0;
	everywhere(m, m->at.grads, chips, at);
	err = vn_build_all_reduce(b, chips, m->chips, at, at, WEIGHTS, VN_FLOAT32, VN_SUM);
	if (!err)
		build_update(m, b, rate);
	return err;
}

static void build_eval(struct mlp *m, vn_builder_t b, const struct digits *d)
{
	struct draft f;
	uint32_t c;

	for (c = m->first; c < m->first + m->own && held_rows(m, d, c); c++) {
		draft_begin(&f, m, b, c);
		build_forward(&f, m->mem[c].addr + m->at.held, held_rows(m, d, c));
	}
}

static int make_plans(struct mlp *m, const struct digits *d, float rate)
{
	vn_builder_t init = NULL, step = NULL, eval = NULL;
	int err;

	/* Before or behind what all ranks do. */
	err = vn_builder_create(m->dev, 0, &init);
	if (!err && m->comm)
		build_update(m, init, rate);
	else
		err = err ?: build_init(m, init);
	err = err ?: vn_builder_finish(init, m->comm ? &m->update : &m->init);
	err = err ?: vn_builder_create(m->dev, m->own, &step);
	err = err ?: build_step(m, step, rate);
	err = err ?: vn_builder_finish(step, &m->step);
	err = err ?: vn_builder_create(m->dev, 0, &eval);
	if (!err)
		build_eval(m, eval, d);
	err = err ?: vn_builder_finish(eval, &m->eval);
	if (err)
		complain("can't make a plan: %s", vn_error());
	vn_builder_destroy(init);
	vn_builder_destroy(step);
	vn_builder_destroy(eval);
	return err ? -1 : 0;
}

static int run(struct mlp *m, const char *what, vn_plan_t plan, uint64_t params)
{
	if (vn_launch(m->q, plan, params, 0) || vn_complete(m->q, PATIENCE_NS))
		return complain("%s failed: %s", what, vn_error());
	return 0;
}

/* ---- the network ------------------------------------------------------- */

/* An operation of all ranks, waited for. */
static int all_ranks(const struct mlp *m, const char *what, int started)
{
	if (started || vn_comm_sync(m->comm, PATIENCE_NS))
		return complain("%s failed: %s", what, vn_error());
	return 0;
}

static int share_weights(struct mlp *m)
{
	void *weights = host_at(m, m->first, m->at.weights);

	if (!m->comm)
		return run(m, "broadcast of the weights", m->init, 0);
	return all_ranks(m, "broadcast of the weights",
			 vn_broadcast(weights, weights, WEIGHTS, VN_FLOAT32, 0, m->comm, NULL));
}

/* Which chips this process has. */
static int count_chips(struct mlp *m)
{
	struct vn_query query;
	int ranks, rank;

	if (vn_device_query(m->dev, &query))
		return complain("%s: %s", vn_device_spec(m->dev), vn_error());
	m->chips = m->own = query.chips;
	if (!m->comm)
		return 0;
	if (vn_comm_count(m->comm, &ranks) || vn_comm_user_rank(m->comm, &rank))
		return complain("%s", vn_error());
	m->chips = (uint32_t)ranks;
	m->first = (uint32_t)rank;
	m->own = 1;
	return 0;
}

int mlp_create(struct mlp *m, vn_device_t dev, vn_comm_t comm, const struct digits *d, float rate,
	       uint64_t seed)
{
	uint32_t round;

	memset(m, 0, sizeof(*m));
	m->dev = dev;
	m->comm = comm;
	if (count_chips(m))
		return -1;
	m->rows = BATCH / m->chips ?: 1;
	round = m->rows * m->chips;
	m->batches = (d->train + round - 1) / round;
	lay_out(m, d);
	if (take_memory(m))
		goto undo;
	if (vn_queue_create(dev, m->first, QUEUE_DEPTH, -1, &m->q)) {
		complain("can't make a queue on chip %u: %s", m->first, vn_error());
		goto undo;
	}
	deal(m, d);
	if (!m->first)
		draw_weights(m, seed);
	if (make_plans(m, d, rate) || share_weights(m))
		goto undo;
	return 0;
undo:
	mlp_destroy(m);
	return -1;
}

void mlp_destroy(struct mlp *m)
{
	uint32_t c;

	if (m->q)
		vn_queue_destroy(m->q);
	if (m->init)
		vn_plan_destroy(m->init);
	if (m->step)
		vn_plan_destroy(m->step);
	if (m->update)
		vn_plan_destroy(m->update);
	if (m->eval)
		vn_plan_destroy(m->eval);
	if (m->tables.ptr)
		vn_mem_free(m->dev, &m->tables);
	for (c = 0; c < m->chips; c++)
		if (m->mem[c].ptr)
			vn_mem_free(m->dev, &m->mem[c]);
	memset(m, 0, sizeof(*m));
}

int mlp_step(struct mlp *m, uint32_t batch)
{
	uint64_t table = (uint64_t)batch * m->own * sizeof(struct vn_operand);
	void *grads = host_at(m, m->first, m->at.grads);

	if (run(m, "step", m->step, m->tables.addr + table))
		return -1;
	if (!m->comm)
		return 0;
	if (all_ranks(m, "all-reduce of the gradients",
		      vn_all_reduce(grads, grads, WEIGHTS, VN_FLOAT32, VN_SUM, m->comm, NULL)))
		return -1;
	return run(m, "update", m->update, 0);
}

int mlp_loss(const struct mlp *m, double *loss)
{
	uint32_t b, c, r;
	double sum = 0;

	for (b = 0; b < m->batches; b++) {
		for (c = m->first; c < m->first + m->own; c++) {
			const float *losses = host_at(m, c, batch_at(m, b));

			losses += m->rows * (DIGIT_PIXELS + 1);
			for (r = 0; r < m->rows; r++)
				sum += losses[r];
		}
	}
	if (m->comm && all_ranks(m, "sum of the losses",
				 vn_all_reduce(&sum, &sum, 1, VN_FLOAT64, VN_SUM, m->comm, NULL)))
		return -1;
	*loss = sum / ((double)m->batches * m->chips * m->rows);
	return 0;
}

int mlp_checksums(const struct mlp *m, uint64_t sums[VN_MAX_CHIPS])
{
	uint64_t mine;

	for (uint32_t c = m->first; c < m->first + m->own; c++)
		sums[c] = fnv1a64(mlp_weights(m, c), mlp_weight_bytes());
	if (!m->comm)
		return 0;
	mine = sums[m->first];
	return all_ranks(m, "comparison of the weights",
			 vn_all_gather(&mine, sums, 1, VN_UINT64, m->comm, NULL));
}

int mlp_evaluate(struct mlp *m, const struct digits *d, uint32_t *right)
{
	uint32_t c, i, k, best;

	if (run(m, "evaluation", m->eval, 0))
		return -1;
	*right = 0;
	for (c = m->first; c < m->first + m->own; c++) {
		const float *logits = host_at(m, c, m->at.logits);

		for (i = d->train + c; i < d->count; i += m->chips, logits += DIGIT_CLASSES) {
			for (best = 0, k = 1; k < DIGIT_CLASSES; k++)
				if (logits[k] > logits[best])
					best = k;
			*right += (int32_t)best == d->at[i].label;
		}
	}
	if (!m->comm)
		return 0;
	return all_ranks(m, "count of what is right",
			 vn_all_reduce(right, right, 1, VN_UINT32, VN_SUM, m->comm, NULL));
}

const void *mlp_weights(const struct mlp *m, uint32_t chip)
{
	return host_at(m, chip, m->at.weights);
}

uint64_t mlp_weight_bytes(void)
{
	return WEIGHTS * 4;
}
