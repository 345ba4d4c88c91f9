// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* topo: UltraServer > rack > sled > chip. */
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "out.h"

/* Chips by rack and slot, so that those of a rack and of a sled stand together. */
static int by_place(const void *a, const void *b)
{
	const struct vn_chip_query *x = a, *y = b;

	/* Spares come last, whatever their rack. */
	if (x->rack != y->rack)
		return x->rack < y->rack ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* How many of the n chips, from the first on, share its rack and sled. */
static uint32_t sled_chips(const struct vn_chip_query *chip, uint32_t n)
{
	uint32_t i;

	/* No sled has more; machine_chip_ranges() counts on it. */
	if (n > VN_MAX_CHIPS_PER_SLED)
		n = VN_MAX_CHIPS_PER_SLED;
	for (i = 1; i < n && chip[i].sled == chip->sled && chip[i].rack == chip->rack; i++)
		;
	return i;
}

static void sled_row(struct out *o, const struct vn_chip_query *chip, uint32_t n)
{
	uint64_t bytes = 0, used = 0;
	struct chip_ranges chips;
	uint32_t i;

	for (i = 0; i < n; i++) {
		bytes += chip[i].hbm_bytes;
		used += chip[i].hbm_used;
	}
	chips = machine_chip_ranges(chip, n);
	out_cell(o, "%u", chip->rack);
	out_cell(o, "%u", chip->sled);
	if (chip->numa_node < 0)
		out_cell(o, "-");
	else
		out_cell(o, "%d", chip->numa_node);
	if (n > 1)
		out_cell(o, "%u-%u", chip->slot, chip[n - 1].slot);
	else
		out_cell(o, "%u", chip->slot);
	out_cell(o, "%s", chips.s);
	out_cell(o, "%u", chip->epoch);
	out_bytes(o, bytes);
	out_bytes(o, used);
}

static void print_text(const struct ctl *c, const struct vn_chip_query *chips)
{
	const struct vn_query *q = &c->q;
	struct out o;
	uint32_t i, n;

	printf("UltraServer %u: %u rack%s, %u sled%s x %u = %u chip%s, epoch %u", q->ultraserver,
	       q->racks, out_s(q->racks), q->sleds, out_s(q->sleds), q->chips_per_sled, q->chips,
	       out_s(q->chips), q->epoch);
	machine_print_spares(q);
	out_begin(&o, "rrrrlrrr", "RACK SLED NODE SLOTS CHIPS EPOCH HBM USED");
	for (i = 0; i < q->chips; i += n) {
		n = sled_chips(chips + i, q->chips - i);
		sled_row(&o, chips + i, n);
	}
	out_end(&o);
}

static void json_sled(struct json *j, const struct vn_chip_query *chip, uint32_t n)
{
	uint64_t bytes = 0, used = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		bytes += chip[i].hbm_bytes;
		used += chip[i].hbm_used;
	}
	json_object(j, NULL);
	json_u64(j, "sled", chip->sled);
	json_s64(j, "numa_node", chip->numa_node);
	json_u64(j, "hbm_bytes", bytes);
	json_u64(j, "hbm_used", used);
	json_array(j, "chips");
	for (i = 0; i < n; i++) {
		json_object(j, NULL);
		json_u64(j, "chip", chip[i].chip);
		json_u64(j, "slot", chip[i].slot);
		json_u64(j, "epoch", chip[i].epoch);
		json_u64(j, "hbm_bytes", chip[i].hbm_bytes);
		json_u64(j, "hbm_used", chip[i].hbm_used);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void print_json(struct ctl *c, const struct vn_chip_query *chips)
{
	struct json *j = &c->j;
	uint32_t i = 0, n, rack;

	json_object(j, NULL);
	json_u64(j, "ultraserver", c->q.ultraserver);
	json_u64(j, "epoch", c->q.epoch);
	json_u64(j, "spares", c->q.spares);
	json_array(j, "racks");
	while (i < c->q.chips) {
		rack = chips[i].rack;
		json_object(j, NULL);
		json_u64(j, "rack", rack);
		json_array(j, "sleds");
		for (; i < c->q.chips && chips[i].rack == rack; i += n) {
			n = sled_chips(chips + i, c->q.chips - i);
			json_sled(j, chips + i, n);
		}
		json_array_end(j);
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
	qsort(m.chips, c->q.chips, sizeof(*m.chips), by_place);
	if (c->json)
		print_json(c, m.chips);
	else
		print_text(c, m.chips);
	machine_free(&m);
	return CTL_OK;
}

static const struct ctl_command commands[] = {
	{ .name = "show", .help = "racks, sleds and the chips on them", .run = show },
	{ .run = NULL },
};

const struct ctl_object ctl_topo = { .name = "topo", .commands = commands };
