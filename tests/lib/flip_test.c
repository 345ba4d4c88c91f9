// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HBM of the embedded device changes its pages one allocation after the other. When that
 * fails half-way, what has changed already stays as it is, and the drain makes up for the rest.
 */
#include <vneuron/sled.h>

#include "refuse.h"

#define ALLOCATIONS 4
#define BYTES (64u << 10)

static vn_device_t dev;
static struct vn_mem mem[ALLOCATIONS];
static uint8_t shadow[ALLOCATIONS][BYTES];

static void fill(void)
{
	for (unsigned int i = 0; i < ALLOCATIONS; i++) {
		scramble(shadow[i], BYTES);
		vn_mem_begin(dev, mem[i].ptr, BYTES);
		memcpy(mem[i].ptr, shadow[i], BYTES);
		vn_mem_end(dev);
	}
}

static unsigned int wrong(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < ALLOCATIONS; i++)
		n += memcmp(mem[i].ptr, shadow[i], BYTES) != 0;
	return n;
}

static uint32_t sled(void)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(dev, 0, &q));
	return q.sled;
}

/* A budget that copying keeps on any machine. */
static int drain(void *from)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	c.budget_ns = 2 * SECOND;
	c.deadline_ns = LONG;
	return vn_sled_drain(dev, *(uint32_t *)from, &c, NULL);
}

/* Those that have not changed their pages are tried again. */
static void test_again(unsigned int nth)
{
	uint32_t from = sled();
	int err;

	fill();
	err = refused_once(SYS_mremap, nth, -EAGAIN, drain, &from);
	tap_ok(!err && sled() != from, "flip %u fails once, the next try does not: %s", nth,
	       err ? refused_text : "");
	tap_ok(!wrong(), "all bytes are there");
	fill();
	tap_ok(!wrong(), "and can be written");
	NEED(vn_sled_undrain(dev, from, NULL, NULL));
}

/* The drain is undone, with some of it on other pages already. */
static void test_undone(void)
{
	uint32_t from = sled();
	struct vn_chip_query was, is;
	int err;

	NEED(vn_chip_query(dev, 0, &was));
	fill();
	err = refused_once(SYS_mremap, 2, -ENOMEM, drain, &from);
	NEED(vn_chip_query(dev, 0, &is));
	tap_ok(err == -ENOMEM && is.slot == was.slot && is.hbm_used == was.hbm_used,
	       "a flip that fails for good undoes the drain: %s", refused_text);
	tap_ok(!wrong(), "all bytes are there");
	err = drain(&from);
	tap_ok(!err && sled() != from && !wrong(), "another drain takes them along: %s",
	       err ? vn_error() : "");
}

int main(void)
{
	if (strncmp(device_spec(), "embedded", 8))
		tap_skip_all(
			"only with the embedded device: the module moves pages in another way");
	NEED(vn_open("embedded:sleds=2,chips=1,spares=2,hbm=16M", &dev));
	for (unsigned int i = 0; i < ALLOCATIONS; i++)
		mem[i] = take(dev, 0, BYTES);
	for (unsigned int nth = 1; nth <= ALLOCATIONS; nth++)
		test_again(nth);
	test_undone();
	vn_close(dev);
	return tap_done();
}
