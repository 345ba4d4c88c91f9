// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "objects.h"
#include "sled_plan.h"

/* A window, and later all those of a context on the sled. */
struct holder {
	struct owner owner;
	uint32_t chip, windows;
	uint64_t bytes;
};

struct plan {
	struct ctl *c;
	uint32_t sled;
	const struct vn_drain_config *config;
	struct vn_drain_open open;
	uint32_t windows; /* on its chips, whoever has them */
	struct objects holders; /* of which the module knows whose they are */
};

static void fill(void *row, struct nlattr *const *attrs)
{
	struct holder *h = row;

	h->chip = vn_nl_u32(attrs, VN_NL_A_CHIP);
	h->windows = 1;
	h->bytes = vn_nl_u64(attrs, VN_NL_A_BYTES);
}

static struct holder *holder(const struct plan *p, uint32_t i)
{
	return (struct holder *)p->holders.rows + i;
}

/* One row for each context that has windows on chips of the sled. */
static void sum_up(struct plan *p, const bool *on)
{
	uint32_t n = 0, k;

	for (uint32_t i = 0; i < p->holders.n; i++) {
		struct holder h = *holder(p, i);

		if (h.chip >= VN_MAX_CHIPS || !on[h.chip])
			continue;
		for (k = 0; k < n && holder(p, k)->owner.context != h.owner.context; k++)
			;
		if (k == n) {
			*holder(p, n++) = h;
			continue;
		}
		holder(p, k)->windows++;
		holder(p, k)->bytes += h.bytes;
	}
	p->holders.n = n;
}

static int find_holders(struct plan *p)
{
	bool on[VN_MAX_CHIPS] = { false };
	struct vn_chip_query q;
	int ret;

	for (uint32_t i = 0; i < p->c->q.chips; i++) {
		if (vn_chip_query(p->c->dev, i, &q))
			return ctl_fail_lib();
		if (q.sled != p->sled)
			continue;
		on[i] = true;
		p->windows += q.windows;
	}
	p->holders = (struct objects){ .row_bytes = sizeof(struct holder), .fill = fill };
	ret = objects_list_open(p->c, VN_NL_CMD_WINDOW, &p->holders);
	if (!ret)
		sum_up(p, on);
	return ret;
}

static uint32_t sled_of(const struct plan *p, uint32_t i)
{
	return p->open.slot[i] / p->c->q.chips_per_sled;
}

static void targets_text(const struct plan *p)
{
	const struct vn_drain_open *a = &p->open;

	if (!a->free_slots)
		return;
	printf("  targets  ");
	for (uint32_t i = 0; i < a->free_slots; i++)
		printf("%sslot %u of s%u", i ? ", " : "", a->slot[i], sled_of(p, i));
	putchar('\n');
}

static void holders_text(const struct plan *p)
{
	struct out o;

	if (p->open.exports)
		printf("  exports  %u of its memory, by context %u of process %u: it can't be drained "
		       "before they are closed\n",
		       p->open.exports, p->open.holder, p->open.holder_pid);
	printf("  windows  %u on its chips, which go on\n", p->windows);
	if (!p->holders.n)
		return;
	out_begin(&o, "rrrrr", "CONTEXT PID UID WINDOWS BYTES");
	for (uint32_t i = 0; i < p->holders.n; i++) {
		objects_cells(&o, &holder(p, i)->owner);
		out_cell(&o, "%u", holder(p, i)->windows);
		out_bytes(&o, holder(p, i)->bytes);
	}
	out_end(&o);
}

static void print_text(const struct plan *p)
{
	const struct vn_drain_open *a = &p->open;

	printf("draining sled %u would take\n", p->sled);
	printf("  slots    %u for its chip%s, %s%u free", a->chips, out_s(a->chips),
	       a->free_slots < a->chips ? "only " : "", a->free_slots);
	if (p->config->to != VN_ANY_SLED)
		printf(" on sled %u", p->config->to);
	putchar('\n');
	targets_text(p);
	printf("  copying  %s of %u context%s\n", out_size(a->bytes).s, a->contexts,
	       out_s(a->contexts));
	printf("  pause    about %s", out_time(a->pause_ns).s);
	printf(" if nothing is written meanwhile, %s allowed\n", out_time(p->config->budget_ns).s);
	printf("  time     about %s at %.2f GB/s (10^9 bytes per second)\n", out_time(a->time_ns).s,
	       (double)a->rate / 1e9);
	holders_text(p);
}

static void print_json(const struct plan *p)
{
	const struct vn_drain_open *a = &p->open;
	struct json *j = &p->c->j;

	json_object(j, NULL);
	json_u64(j, "sled", p->sled);
	json_s64(j, "to", p->config->to == VN_ANY_SLED ? -1 : (int64_t)p->config->to);
	json_u64(j, "chips", a->chips);
	json_u64(j, "free_slots", a->free_slots);
	json_u64(j, "short_slots", a->chips - a->free_slots);
	json_array(j, "targets");
	for (uint32_t i = 0; i < a->free_slots; i++) {
		json_object(j, NULL);
		json_u64(j, "slot", a->slot[i]);
		json_u64(j, "sled", sled_of(p, i));
		json_object_end(j);
	}
	json_array_end(j);
	json_u64(j, "contexts", a->contexts);
	json_u64(j, "bytes", a->bytes);
	json_u64(j, "rate", a->rate);
	json_u64(j, "pause_ns", a->pause_ns);
	json_u64(j, "budget_ns", p->config->budget_ns);
	json_u64(j, "time_ns", a->time_ns);
	json_u64(j, "exports", a->exports);
	json_u64(j, "exports_context", a->holder);
	json_u64(j, "exports_pid", a->holder_pid);
	json_u64(j, "windows", p->windows);
	json_array(j, "holders");
	for (uint32_t i = 0; i < p->holders.n; i++) {
		json_object(j, NULL);
		objects_json(j, &holder(p, i)->owner);
		json_u64(j, "windows", holder(p, i)->windows);
		json_u64(j, "bytes", holder(p, i)->bytes);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

int sled_plan(struct ctl *c, uint32_t sled, const struct vn_drain_config *config)
{
	struct plan p = { .c = c, .sled = sled, .config = config };
	const struct vn_drain_open *a = &p.open;
	int ret;

	if (vn_sled_plan(c->dev, sled, config->to, &p.open))
		return ctl_fail_lib();
	ret = find_holders(&p);
	if (!ret && c->json)
		print_json(&p);
	else if (!ret)
		print_text(&p);
	objects_free(&p.holders);
	if (!ret && a->exports)
		return ctl_fail("sled %u: %u export%s of memory on it, by context %u of process %u",
				sled, a->exports, out_s(a->exports), a->holder, a->holder_pid);
	if (ret || a->free_slots >= a->chips)
		return ret;
	return ctl_fail("sled %u: its %u chips want as many slots, %u are free%s: %u short", sled,
			a->chips, a->free_slots, config->to == VN_ANY_SLED ? "" : " there",
			a->chips - a->free_slots);
}
