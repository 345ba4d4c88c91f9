// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "data.h"
#include "drain.h"

/* How long writers may be kept out. */
#define BUDGET_NS 10000000ull

/* vn_sled_drain() asks after every step of its own. */
static int wanted(void *arg, const struct vn_drain_report *r)
{
	struct drain *d = arg;

	(void)r;
	return __atomic_load_n(&d->call_off, __ATOMIC_RELAXED) ? -ECANCELED : 0;
}

static void *drain_on(void *arg)
{
	struct vn_drain_config config = VN_DRAIN_CONFIG_INITIALIZER;
	struct drain *d = arg;

	config.budget_ns = d->budget_ns;
	config.reason = "vneuron-train";
	config.progress = wanted;
	config.arg = d;
	d->err = vn_sled_drain(d->dev, d->sled, &config, &d->report);
	/* The text of an error is this thread's. */
	if (d->err && d->err != -ECANCELED)
		complain("%s", vn_error());
	/* Pairs with drain_poll(): then the report can be read. */
	__atomic_store_n(&d->over, true, __ATOMIC_RELEASE);
	return NULL;
}

int drain_start(struct drain *d, vn_device_t dev, uint32_t sled, uint32_t step)
{
	int err;

	*d = (struct drain){ .dev = dev, .sled = sled, .first_step = step, .budget_ns = BUDGET_NS };
	err = pthread_create(&d->thread, NULL, drain_on, d);
	if (err)
		return complain("no thread to drain sled %u: %s", sled, strerror(err));
	d->running = true;
	return 0;
}

static int join(struct drain *d, uint32_t step)
{
	pthread_join(d->thread, NULL);
	d->running = false;
	d->last_step = step;
	d->done = !d->err;
	return d->err ? -1 : 0;
}

int drain_poll(struct drain *d, uint32_t step)
{
	if (!d->running || !__atomic_load_n(&d->over, __ATOMIC_ACQUIRE))
		return 0;
	return join(d, step);
}

int drain_wait(struct drain *d, uint32_t step)
{
	if (!d->running)
		return 0;
	d->late = true;
	return join(d, step);
}

int drain_undo(struct drain *d)
{
	if (vn_sled_undrain(d->dev, d->sled, NULL, NULL))
		return complain("%s", vn_error());
	d->undone = true;
	return 0;
}

void drain_call_off(struct drain *d)
{
	if (!d->running)
		return;
	__atomic_store_n(&d->call_off, true, __ATOMIC_RELAXED);
	join(d, 0);
}
