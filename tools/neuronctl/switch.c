// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* switch: what went through each port. */
#include <stdio.h>

#include "machine.h"
#include "out.h"

static const struct ctl_option options[] = {
	{ "all", NULL, "idle ports too (JSON always has them)" },
	{ NULL, NULL, NULL },
};

static void print_chip(const struct ctl *c, const struct machine *m, struct out *o, uint32_t slot)
{
	int chip = machine_chip_at(c, m, slot);

	if (chip < 0)
		out_cell(o, "-");
	else
		out_cell(o, "c%d", chip);
}

static void sum_row(struct out *o, const char *plane, const struct traffic *t)
{
	out_cell(o, "all");
	out_cell(o, "-");
	out_cell(o, "%s", plane);
	out_bytes(o, t->tx_bytes);
	out_bytes(o, t->rx_bytes);
	out_bytes(o, t->local_bytes);
}

static void print_text(const struct ctl *c, const struct machine *m)
{
	unsigned int i, idle = 0;
	char plane[12];
	struct traffic t;
	struct out o;

	out_begin(&o, "rlrrrr", "SLOT CHIP PLANE TX RX LOCAL");
	for (i = 0; i < m->nports; i++) {
		const struct vn_port *p = &m->ports[i];

		if (!c->option[0] && !(p->tx_bytes | p->rx_bytes | p->local_bytes)) {
			idle++;
			continue;
		}
		out_cell(&o, "%u", p->slot);
		print_chip(c, m, &o, p->slot);
		out_cell(&o, "%u", p->plane);
		out_bytes(&o, p->tx_bytes);
		out_bytes(&o, p->rx_bytes);
		out_bytes(&o, p->local_bytes);
	}
	for (i = 0; i < m->planes; i++) {
		t = machine_traffic(m, ~0u, i);
		snprintf(plane, sizeof(plane), "%u", i);
		sum_row(&o, plane, &t);
	}
	t = machine_traffic(m, ~0u, ~0u);
	sum_row(&o, "all", &t);
	out_end(&o);
	if (idle)
		printf("%u idle port%s not shown (--all shows them)\n", idle, out_s(idle));
}

static void print_json(struct ctl *c, const struct machine *m)
{
	struct traffic t = machine_traffic(m, ~0u, ~0u);
	struct json *j = &c->j;
	unsigned int i;
	int chip;

	json_object(j, NULL);
	machine_json_traffic(j, &t);
	json_array(j, "planes");
	for (i = 0; i < m->planes; i++) {
		t = machine_traffic(m, ~0u, i);
		json_object(j, NULL);
		json_u64(j, "plane", i);
		json_u64(j, "tx_bytes", t.tx_bytes);
		json_u64(j, "rx_bytes", t.rx_bytes);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "ports");
	for (i = 0; i < m->nports; i++) {
		json_object(j, NULL);
		json_u64(j, "slot", m->ports[i].slot);
		chip = machine_chip_at(c, m, m->ports[i].slot);
		json_s64(j, "chip", chip);
		json_u64(j, "plane", m->ports[i].plane);
		json_u64(j, "tx_bytes", m->ports[i].tx_bytes);
		json_u64(j, "rx_bytes", m->ports[i].rx_bytes);
		json_u64(j, "local_bytes", m->ports[i].local_bytes);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static int show(struct ctl *c)
{
	struct machine m;
	int ret;

	ret = machine_load(c, &m);
	if (ret)
		return ret;
	if (c->json)
		print_json(c, &m);
	else
		print_text(c, &m);
	machine_free(&m);
	return CTL_OK;
}

static const struct ctl_command commands[] = {
	{ .name = "show",
	  .options = options,
	  .help = "traffic of ports and planes, and the sums",
	  .run = show },
	{ .run = NULL },
};

const struct ctl_object ctl_switch = { .name = "switch", .commands = commands };
