/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A sled is taken out of service by a thread of its own, while the training goes on. */
#ifndef DEMO_DRAIN_H
#define DEMO_DRAIN_H

#include <pthread.h>
#include <stdbool.h>

#include <vneuron/sled.h>

struct drain {
	vn_device_t dev;
	uint32_t sled;
	uint32_t first_step, last_step; /* that were under way meanwhile; from 1 */
	bool running; /* there is a thread to be joined */
	bool late; /* it was not over with the last step */
	bool done, undone;
	uint64_t budget_ns;
	struct vn_drain_report report;
	/* Between the threads. */
	pthread_t thread;
	bool over, call_off;
	int err;
};

/* The next step is number `step`. All functions: 0, or -1 after a message. */
int drain_start(struct drain *d, vn_device_t dev, uint32_t sled, uint32_t step);

/* To be asked after every step; sets done when it is. */
int drain_poll(struct drain *d, uint32_t step);

/* The last step is over: so must be the drain. */
int drain_wait(struct drain *d, uint32_t step);

/* The sled, tested, is back in service. */
int drain_undo(struct drain *d);

/* Nobody wants it any more: the thread ends. */
void drain_call_off(struct drain *d);

#endif
