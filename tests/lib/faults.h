/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Faults, and what is left of a machine: for the tests of both. */
#ifndef VN_TEST_FAULTS_H
#define VN_TEST_FAULTS_H

#include <vneuron/fault.h>
#include <vneuron/sled.h>

#include "fixture.h"

#define BYTES 65536u

static vn_device_t dev;
static uint32_t per_sled;

static UNUSED int make(uint32_t kind, uint32_t where, uint32_t count)
{
	return vn_fault_inject(dev, &(const struct vn_fault){ kind, where, 0, count });
}

static UNUSED int clear(uint32_t kind, uint32_t where)
{
	return vn_fault_clear(dev, &(const struct vn_fault){ kind, where, 0, 0 });
}

static UNUSED int faults(void)
{
	return vn_fault_list(dev, NULL, 0);
}

static UNUSED uint64_t used(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.hbm_used;
}

static UNUSED uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static UNUSED uint32_t state(uint32_t sled)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(dev, sled, &q));
	return q.state;
}

static UNUSED struct vn_operand at(const struct vn_mem *m, uint32_t key)
{
	return (struct vn_operand){ VN_HERE, (uint16_t)m->chip, key, key ? 0 : m->addr };
}

static UNUSED uint32_t window(const struct vn_mem *m)
{
	uint32_t key;

	NEED(vn_window_create(dev, m, 0, m->bytes, FULL_ACCESS, &key));
	return key;
}

static UNUSED bool all_ones(const struct vn_mem *m)
{
	const uint64_t *p = m->ptr;

	for (uint64_t i = 0; i < m->bytes / 8; i++)
		if (p[i] != ~0ull)
			return false;
	return true;
}

/* Of four sleds and a spare one, or the module's. */
static UNUSED void open_machine(void)
{
	struct vn_query q;

	if (!getenv("VNEURON_DEVICE") || !strcmp(getenv("VNEURON_DEVICE"), "embedded"))
		setenv("VNEURON_DEVICE", "embedded:sleds=4,chips=2,spares=1,hbm=64M", 1);
	dev = device();
	NEED(vn_device_query(dev, &q));
	per_sled = q.chips_per_sled;
}

#endif
