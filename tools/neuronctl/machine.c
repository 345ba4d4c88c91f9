// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vneuron/fault.h>

#include "machine.h"
#include "out.h"

static int load_ports(struct ctl *c, struct machine *m)
{
	int n = vn_ports(c->dev, NULL, 0);
	unsigned int i;

	if (n < 0)
		return ctl_fail_lib();
	m->ports = ctl_realloc(NULL, n, sizeof(*m->ports));
	m->nports = n;
	n = vn_ports(c->dev, m->ports, m->nports);
	if (n < 0)
		return ctl_fail_lib();
	if ((unsigned int)n < m->nports)
		m->nports = n;
	for (i = 0; i < m->nports; i++)
		if (m->ports[i].plane >= m->planes)
			m->planes = m->ports[i].plane + 1;
	return CTL_OK;
}

int machine_load(struct ctl *c, struct machine *m)
{
	uint32_t i;
	int ret;

	memset(m, 0, sizeof(*m));
	ret = ctl_open(c);
	if (ret)
		return ret;
	m->chips = ctl_realloc(NULL, c->q.chips, sizeof(*m->chips));
	for (i = 0; !ret && i < c->q.chips; i++) {
		if (vn_chip_query(c->dev, i, &m->chips[i]))
			ret = ctl_fail_lib();
		m->lost[i] = vn_chip_lost(c->dev, i);
	}
	if (!ret)
		ret = load_ports(c, m);
	if (ret)
		machine_free(m);
	return ret;
}

void machine_free(struct machine *m)
{
	free(m->chips);
	free(m->ports);
}

int machine_chip_at(const struct ctl *c, const struct machine *m, uint32_t slot)
{
	uint32_t i;

	for (i = 0; i < c->q.chips; i++)
		if (m->chips[i].slot == slot)
			return (int)i;
	return -1;
}

struct traffic machine_traffic(const struct machine *m, uint32_t slot, uint32_t plane)
{
	struct traffic t = { 0, 0, 0 };
	unsigned int i;

	for (i = 0; i < m->nports; i++) {
		if ((slot != ~0u && m->ports[i].slot != slot) ||
		    (plane != ~0u && m->ports[i].plane != plane))
			continue;
		t.tx_bytes += m->ports[i].tx_bytes;
		t.rx_bytes += m->ports[i].rx_bytes;
		t.local_bytes += m->ports[i].local_bytes;
	}
	return t;
}

void machine_json_traffic(struct json *j, const struct traffic *t)
{
	json_u64(j, "tx_bytes", t->tx_bytes);
	json_u64(j, "rx_bytes", t->rx_bytes);
	json_u64(j, "local_bytes", t->local_bytes);
}

struct chip_ranges machine_chip_ranges(const struct vn_chip_query *chip, uint32_t n)
{
	struct chip_ranges r = { "" };
	size_t used = 0;
	uint32_t i, last;

	for (i = 0; i < n; i = last + 1) {
		for (last = i; last + 1 < n && chip[last + 1].chip == chip[last].chip + 1; last++)
			;
		used += snprintf(r.s + used, sizeof(r.s) - used, "%sc%u", i ? "," : "",
				 chip[i].chip);
		if (last > i)
			used += snprintf(r.s + used, sizeof(r.s) - used, "-c%u", chip[last].chip);
	}
	return r;
}

void machine_print_spares(const struct vn_query *q)
{
	if (q->spares)
		printf(", %u spare sled%s", q->spares, out_s(q->spares));
	putchar('\n');
}
