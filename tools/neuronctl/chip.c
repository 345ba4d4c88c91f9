// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* chip: the accelerators, one a line or one in full. */
#include <stdio.h>

#include "machine.h"
#include "out.h"

static void json_chip(struct json *j, const struct machine *m, const struct vn_chip_query *q)
{
	struct traffic t = machine_traffic(m, q->slot, ~0u);

	json_u64(j, "chip", q->chip);
	json_u64(j, "rack", q->rack);
	json_u64(j, "sled", q->sled);
	json_u64(j, "slot", q->slot);
	json_s64(j, "numa_node", q->numa_node);
	json_u64(j, "epoch", q->epoch);
	json_u64(j, "hbm_bytes", q->hbm_bytes);
	json_u64(j, "hbm_used", q->hbm_used);
	json_u64(j, "queues", q->queues);
	json_u64(j, "windows", q->windows);
	json_bool(j, "lost", m->lost[q->chip]);
	machine_json_traffic(j, &t);
}

static void chip_row(struct out *o, const struct machine *m, const struct vn_chip_query *q)
{
	struct traffic t = machine_traffic(m, q->slot, ~0u);

	out_cell(o, "c%u", q->chip);
	out_cell(o, "%u", q->rack);
	out_cell(o, "%u", q->sled);
	out_cell(o, "%u", q->slot);
	if (q->numa_node < 0)
		out_cell(o, "-");
	else
		out_cell(o, "%d", q->numa_node);
	out_bytes(o, q->hbm_bytes);
	out_bytes(o, q->hbm_used);
	out_cell(o, "%u", q->queues);
	out_cell(o, "%u", q->windows);
	out_bytes(o, t.tx_bytes);
	out_bytes(o, t.rx_bytes);
	out_bytes(o, t.local_bytes);
	out_cell(o, "%s", m->lost[q->chip] ? "lost" : "-");
}

static int list(struct ctl *c)
{
	struct json *j = &c->j;
	struct machine m;
	struct out o;
	uint32_t i;
	int ret;

	ret = machine_load(c, &m);
	if (ret)
		return ret;
	if (c->json) {
		json_array(j, NULL);
		for (i = 0; i < c->q.chips; i++) {
			json_object(j, NULL);
			json_chip(j, &m, &m.chips[i]);
			json_object_end(j);
		}
		json_array_end(j);
	} else {
		out_begin(&o, "lrrrrrrrrrrrl",
			  "CHIP RACK SLED SLOT NODE HBM USED QUEUES WINDOWS TX RX LOCAL STATE");
		for (i = 0; i < c->q.chips; i++)
			chip_row(&o, &m, &m.chips[i]);
		out_end(&o);
	}
	machine_free(&m);
	return CTL_OK;
}

static void print_chip(const struct machine *m, const struct vn_chip_query *q)
{
	struct traffic t = machine_traffic(m, q->slot, ~0u);
	struct out o;
	uint32_t p;

	printf("c%u:%s rack %u, sled %u, slot %u, ", q->chip, m->lost[q->chip] ? " LOST," : "",
	       q->rack, q->sled, q->slot);
	if (q->numa_node < 0)
		printf("no NUMA node, epoch %u\n", q->epoch);
	else
		printf("NUMA node %d, epoch %u\n", q->numa_node, q->epoch);
	printf("  HBM      %s of %s used\n", out_size(q->hbm_used).s, out_size(q->hbm_bytes).s);
	printf("  in use   %u queue%s, %u window%s\n", q->queues, out_s(q->queues), q->windows,
	       out_s(q->windows));
	printf("  traffic  %s inside the chip; through the switch:\n", out_size(t.local_bytes).s);
	out_begin(&o, "rrr", "PLANE TX RX");
	for (p = 0; p < m->planes; p++) {
		t = machine_traffic(m, q->slot, p);
		out_cell(&o, "%u", p);
		out_bytes(&o, t.tx_bytes);
		out_bytes(&o, t.rx_bytes);
	}
	out_end(&o);
}

static void print_json(struct json *j, const struct machine *m, const struct vn_chip_query *q)
{
	struct traffic t;
	uint32_t p;

	json_object(j, NULL);
	json_chip(j, m, q);
	json_array(j, "planes");
	for (p = 0; p < m->planes; p++) {
		t = machine_traffic(m, q->slot, p);
		json_object(j, NULL);
		json_u64(j, "plane", p);
		json_u64(j, "tx_bytes", t.tx_bytes);
		json_u64(j, "rx_bytes", t.rx_bytes);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

/* "c7", as the lists print it, or "7". */
static int read_chip(const struct ctl *c, uint64_t *n)
{
	const char *arg = c->args[0];

	if (!ctl_number(arg + (*arg == 'c'), false, n))
		return ctl_usage(c, "'%s' is no chip; want a number such as 7 or c7", arg);
	return CTL_OK;
}

static int no_chip(const struct ctl *c)
{
	return ctl_fail("no chip %s: there are chips 0 to %u", c->args[0], c->q.chips - 1);
}

static int reset(struct ctl *c)
{
	uint64_t n;
	int ret = read_chip(c, &n);

	ret = ret ? ret : ctl_open(c);
	if (ret)
		return ret;
	if (n >= c->q.chips)
		return no_chip(c);
	return vn_chip_reset(c->dev, (uint32_t)n) ? ctl_fail_lib() : CTL_OK;
}

static int show(struct ctl *c)
{
	struct machine m;
	uint64_t n;
	int ret = read_chip(c, &n);

	ret = ret ? ret : machine_load(c, &m);
	if (ret)
		return ret;
	if (n >= c->q.chips)
		ret = no_chip(c);
	else if (c->json)
		print_json(&c->j, &m, &m.chips[n]);
	else
		print_chip(&m, &m.chips[n]);
	machine_free(&m);
	return ret;
}

static const struct ctl_command commands[] = {
	{ .name = "list", .help = "all chips: place, HBM, objects, traffic", .run = list },
	{ .name = "show",
	  .args = "CHIP",
	  .min_args = 1,
	  .max_args = 1,
	  .help = "one chip, with its traffic per switch plane",
	  .run = show },
	{ .name = "reset",
	  .args = "CHIP",
	  .min_args = 1,
	  .max_args = 1,
	  .help = "stop all that runs on it; HBM stays, keys of windows do not",
	  .run = reset },
	{ .run = NULL },
};

const struct ctl_object ctl_chip = { .name = "chip", .commands = commands };
