/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a training run did: the summary at its end. */
#ifndef DEMO_REPORT_H
#define DEMO_REPORT_H

#include <stdbool.h>

#include "drain.h"
#include "mlp.h"

struct traffic {
	struct vn_port *ports; /* by slot, then plane */
	uint32_t count, planes;
};

struct report {
	const struct mlp *net;
	const struct digits *data;
	uint32_t epochs, steps;
	uint32_t right; /* held-out samples recognised */
	double *loss; /* of each epoch */
	bool identical; /* all replicas of the weights */
	uint64_t checksum; /* FNV-1a, 64 bits, of the weights' bytes */
	double seconds; /* training, evaluation included */
	double *step_us; /* host time of each step; sorted by the report */
	uint64_t calls; /* made into the device while training */
	struct traffic before, after;
	struct drain drain; /* if it is done, a sled was drained meanwhile */
};

int traffic_read(vn_device_t dev, struct traffic *t);

/* A line, when the drain is done. */
void report_drain(const struct report *r);
/* The loss over the epochs, and when the drain was; needs two epochs. */
void report_curve(const struct report *r);
void report_text(struct report *r);
void report_json(struct report *r);

#endif
