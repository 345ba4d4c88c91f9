// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* neuronctl without arguments: the UltraServer in a few lines. */
#include <stdio.h>

#include "machine.h"
#include "out.h"

struct totals {
	uint64_t hbm_bytes;
	uint64_t hbm_used;
	uint64_t queues;
	uint64_t windows;
	struct traffic traffic;
};

static void print_text(const struct ctl *c, const struct totals *t)
{
	const struct vn_query *q = &c->q;

	printf("UltraServer %u: %s (%s home)\n", q->ultraserver, vn_device_spec(c->dev),
	       vn_device_home(c->dev));
	printf("  shape    %u sled%s x %u = %u chip%s in %u rack%s, epoch %u", q->sleds,
	       out_s(q->sleds), q->chips_per_sled, q->chips, out_s(q->chips), q->racks,
	       out_s(q->racks), q->epoch);
	machine_print_spares(q);
	printf("  HBM      %s of %s used", out_size(t->hbm_used).s, out_size(t->hbm_bytes).s);
	printf(", %s per chip\n", out_size(q->hbm_bytes).s);
	printf("  in use   %llu queue%s, %llu window%s\n", (unsigned long long)t->queues,
	       out_s(t->queues), (unsigned long long)t->windows, out_s(t->windows));
	printf("  traffic  %s through the switch", out_size(t->traffic.tx_bytes).s);
	printf(", %s inside chips\n", out_size(t->traffic.local_bytes).s);
}

static void print_json(struct ctl *c, const struct totals *t)
{
	const struct vn_query *q = &c->q;
	struct json *j = &c->j;

	json_object(j, NULL);
	json_string(j, "device", vn_device_spec(c->dev));
	json_string(j, "home", vn_device_home(c->dev));
	json_u64(j, "ultraserver", q->ultraserver);
	json_u64(j, "racks", q->racks);
	json_u64(j, "sleds", q->sleds);
	json_u64(j, "spares", q->spares);
	json_u64(j, "chips_per_sled", q->chips_per_sled);
	json_u64(j, "chips", q->chips);
	json_u64(j, "epoch", q->epoch);
	json_u64(j, "hbm_bytes", t->hbm_bytes);
	json_u64(j, "hbm_used", t->hbm_used);
	json_u64(j, "queues", t->queues);
	json_u64(j, "windows", t->windows);
	machine_json_traffic(j, &t->traffic);
	json_object_end(j);
}

static int status(struct ctl *c)
{
	struct totals t = { .hbm_bytes = 0 };
	struct machine m;
	uint32_t i;
	int ret;

	ret = machine_load(c, &m);
	if (ret)
		return ret;
	for (i = 0; i < c->q.chips; i++) {
		t.hbm_bytes += m.chips[i].hbm_bytes;
		t.hbm_used += m.chips[i].hbm_used;
		t.queues += m.chips[i].queues;
		t.windows += m.chips[i].windows;
	}
	t.traffic = machine_traffic(&m, ~0u, ~0u);
	if (c->json)
		print_json(c, &t);
	else
		print_text(c, &t);
	machine_free(&m);
	return CTL_OK;
}

static const struct ctl_command commands[] = {
	{ .help = "the UltraServer in a few lines", .run = status },
	{ .run = NULL },
};

const struct ctl_object ctl_status = { .name = "status", .commands = commands };
