/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of drains with a journal share: a small machine, and what it has done. */
#ifndef VN_TEST_JOURNAL_DRAIN_H
#define VN_TEST_JOURNAL_DRAIN_H

#include <vneuron/sled.h>

#include "../../lib/drain/point.h" /* internal: tests stop there */
#include "journal.h"

#define SPEC "embedded:sleds=3,chips=2,spares=2,hbm=16M"

/* States that a drain has a record of, and a coming back. */
static UNUSED const uint32_t out_states[] = { VN_SLED_PLANNED, VN_SLED_CORDONED,  VN_SLED_PRECOPY,
					      VN_SLED_FENCED,  VN_SLED_COMMITTED, VN_SLED_DRAINED };
static UNUSED const uint32_t back_states[] = { VN_SLED_VALIDATING, VN_SLED_IN_SERVICE };

static vn_device_t dev;

static UNUSED void open_device(const char *spec)
{
	dev = NULL;
	NEED(vn_open(spec, &dev));
}

static UNUSED struct vn_sled_query sled(uint32_t n)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(dev, n, &q));
	return q;
}

static UNUSED uint32_t sled_of(uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, chip, &q));
	return q.sled;
}

static UNUSED struct vn_drain_config with_journal(uint64_t operation)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	c.operation = operation;
	c.reason = "fan";
	c.journal = path;
	return c;
}

static UNUSED int drain(uint32_t n, uint64_t operation)
{
	struct vn_drain_config c = with_journal(operation);

	return vn_sled_drain(dev, n, &c, NULL);
}

static UNUSED int undrain(uint32_t n)
{
	struct vn_drain_config c = with_journal(0x99);

	return vn_sled_undrain(dev, n, &c, NULL);
}

/* All records, of whatever machine. */
static UNUSED struct found records(void)
{
	struct found f = { 0 };

	if (size_of())
		NEED(vn_journal_read(path, NULL, find, &f, NULL));
	return f;
}

/* Does the journal say that a sled is out? In which state, else IN_SERVICE. */
static UNUSED uint32_t journal_says(uint32_t n)
{
	struct vn_journal_record last = { 0 };
	struct found f = records();

	for (uint32_t i = 0; i < f.n; i++)
		if (f.r[i].sled == n)
			vn_journal_fold(&last, &f.r[i]);
	return last.to;
}

#endif
