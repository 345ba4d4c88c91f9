/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A network with one hidden layer, trained data-parallel: every chip has a
 * replica of the weights and its own share of the samples in its own HBM. In one
 * process a step (forward, backward, all-reduce of the gradients, update, on all
 * chips) is one launch of one plan. With a process for each chip it is a plan, an
 * all-reduce of the communicator and another plan: the same sums in the same order.
 */
#ifndef DEMO_MLP_H
#define DEMO_MLP_H

#include <vneuron/coll.h>

#include "data.h"

#define MLP_HIDDEN 64u

/* Where things lie in the one allocation each chip has; bytes. */
struct mlp_layout {
	uint64_t weights, grads; /* w1 | b1 | w2 | b2 */
	uint64_t hidden, dhidden; /* a row a sample */
	uint64_t logits, dlogits;
	uint64_t batches, batch_bytes; /* pixels | labels | losses, each of them */
	uint64_t held; /* held-out pixels */
	uint64_t bytes;
};

struct mlp {
	vn_device_t dev;
	uint32_t chips;
	uint32_t first, own; /* chips of this process */
	vn_comm_t comm; /* of the processes, a rank for each chip; NULL: it has all chips */
	uint32_t rows; /* samples per chip and step */
	uint32_t batches; /* steps per epoch */
	struct mlp_layout at; /* the same on every chip */
	struct vn_mem mem[VN_MAX_CHIPS]; /* of its chips */
	struct vn_mem tables; /* parameters: a table per batch, an operand for each of its chips */
	vn_queue_t q;
	vn_plan_t init, step, update, eval; /* init: one process; update: several */
};

/*
 * Puts the samples and equal weights (drawn by chip 0's host, then broadcast)
 * on all chips of the device, or of the communicator. All functions: 0, or -1 after a
 * message; with a communicator all ranks call them.
 */
int mlp_create(struct mlp *m, vn_device_t dev, vn_comm_t comm, const struct digits *d, float rate,
	       uint64_t seed);
void mlp_destroy(struct mlp *m);

int mlp_step(struct mlp *m, uint32_t batch);
/* Mean loss of the samples, each as its batch's step found it. */
int mlp_loss(const struct mlp *m, double *loss);
/* How many of the held-out samples are recognised. */
int mlp_evaluate(struct mlp *m, const struct digits *d, uint32_t *right);

/* FNV-1a, 64 bits, of the weights of every chip. */
int mlp_checksums(const struct mlp *m, uint64_t sums[VN_MAX_CHIPS]);
/* A replica of the weights, of one of its chips. */
const void *mlp_weights(const struct mlp *m, uint32_t chip);
uint64_t mlp_weight_bytes(void);

#endif
