// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sled: what carries the chips, one a line, one in full or how they all are. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "out.h"
#include "sled.h"

struct sleds {
	struct vn_sled_query *q;
	uint32_t n;
};

/* How many there are of a kind. */
struct census {
	uint32_t in_service;
	uint32_t spare; /* in service too, but without chips */
	uint32_t drained;
	uint32_t other;
};

int sled_number(const struct ctl *c, const char *text, uint64_t *n)
{
	if (!ctl_number(text + (*text == 's'), false, n))
		return ctl_usage(c, "'%s' is no sled; want a number such as 3 or s3", text);
	return CTL_OK;
}

int sled_check(const struct ctl *c, const char *text, uint64_t n)
{
	uint64_t sleds = (uint64_t)vn_sled_count(c->dev);

	if (n >= sleds)
		return ctl_fail("no sled %s: there are sleds 0 to %" PRIu64, text, sleds - 1);
	return CTL_OK;
}

static int load(struct ctl *c, struct sleds *s)
{
	uint32_t i;

	s->n = (uint32_t)vn_sled_count(c->dev);
	s->q = ctl_realloc(NULL, s->n, sizeof(*s->q));
	for (i = 0; i < s->n; i++)
		if (vn_sled_query(c->dev, i, &s->q[i])) {
			free(s->q);
			return ctl_fail_lib();
		}
	return CTL_OK;
}

static const char *state_name(const struct vn_sled_query *q)
{
	const char *name = vn_sled_state_name(q->state);

	return name ? name : "unknown";
}

static struct sled_text text_of(const void *reason)
{
	struct sled_text r;

	memcpy(r.s, reason, sizeof(r.s));
	r.s[sizeof(r.s) - 1] = '\0';
	return r;
}

struct sled_text sled_printable(const void *reason)
{
	struct sled_text r = text_of(reason);
	char *s;

	for (s = r.s; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	return r;
}

static void json_fields(struct json *j, const struct vn_sled_query *q)
{
	char operation[17];

	snprintf(operation, sizeof(operation), "%016" PRIx64, (uint64_t)q->operation);
	json_u64(j, "sled", q->sled);
	json_string(j, "state", state_name(q));
	json_u64(j, "chips", q->chips);
	json_u64(j, "rack", q->rack);
	json_s64(j, "numa_node", q->numa_node);
	json_u64(j, "epoch", q->epoch);
	json_u64(j, "hbm_used", q->hbm_used);
	json_string(j, "operation", q->operation ? operation : NULL);
	json_s64(j, "uid", q->uid == SLED_NOBODY ? -1 : (int64_t)q->uid);
	json_string(j, "reason", text_of(q->reason).s);
}

static void json_sled(struct json *j, const struct vn_sled_query *q)
{
	json_object(j, NULL);
	json_fields(j, q);
	json_object_end(j);
}

static void begin_table(struct out *o)
{
	out_begin(o, "llrrrrlrl", "SLED STATE CHIPS RACK NODE USED OPERATION UID REASON");
}

static void sled_row(struct out *o, const struct vn_sled_query *q)
{
	out_cell(o, "s%u", q->sled);
	out_cell(o, "%s", state_name(q));
	out_cell(o, "%u", q->chips);
	out_cell(o, "%u", q->rack);
	if (q->numa_node < 0)
		out_cell(o, "-");
	else
		out_cell(o, "%d", q->numa_node);
	out_bytes(o, q->hbm_used);
	if (q->operation)
		out_cell(o, "%016" PRIx64, (uint64_t)q->operation);
	else
		out_cell(o, "-");
	if (q->uid == SLED_NOBODY)
		out_cell(o, "-");
	else
		out_cell(o, "%u", q->uid);
	out_cell(o, "%s", *q->reason ? sled_printable(q->reason).s : "-");
}

static int list(struct ctl *c)
{
	struct sleds s;
	struct out o;
	uint32_t i;
	int ret;

	ret = ctl_open(c);
	if (!ret)
		ret = load(c, &s);
	if (ret)
		return ret;
	if (c->json) {
		json_array(&c->j, NULL);
		for (i = 0; i < s.n; i++)
			json_sled(&c->j, &s.q[i]);
		json_array_end(&c->j);
	} else {
		begin_table(&o);
		for (i = 0; i < s.n; i++)
			sled_row(&o, &s.q[i]);
		out_end(&o);
	}
	free(s.q);
	return CTL_OK;
}

static struct census count(const struct sleds *s)
{
	struct census n = { .other = 0 };
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		if (s->q[i].state == VN_SLED_DRAINED)
			n.drained++;
		else if (s->q[i].state != VN_SLED_IN_SERVICE)
			n.other++;
		else if (s->q[i].chips)
			n.in_service++;
		else
			n.spare++;
	}
	return n;
}

static void summary_text(const struct sleds *s, const struct census *n)
{
	struct out o;
	uint32_t i;

	printf("%u in service, %u spare, %u drained", n->in_service, n->spare, n->drained);
	if (n->other)
		printf(", %u in another state", n->other);
	putchar('\n');
	if (!n->drained && !n->other)
		return;
	begin_table(&o);
	for (i = 0; i < s->n; i++)
		if (s->q[i].state != VN_SLED_IN_SERVICE)
			sled_row(&o, &s->q[i]);
	out_end(&o);
}

static void summary_json(struct json *j, const struct sleds *s, const struct census *n)
{
	uint32_t i;

	json_object(j, NULL);
	json_u64(j, "in_service", n->in_service);
	json_u64(j, "spare", n->spare);
	json_u64(j, "drained", n->drained);
	json_u64(j, "other", n->other);
	json_array(j, "sleds");
	for (i = 0; i < s->n; i++)
		if (s->q[i].state != VN_SLED_IN_SERVICE)
			json_sled(j, &s->q[i]);
	json_array_end(j);
	json_object_end(j);
}

static int summary(struct ctl *c)
{
	struct census n;
	struct sleds s;
	int ret;

	ret = load(c, &s);
	if (ret)
		return ret;
	n = count(&s);
	if (c->json)
		summary_json(&c->j, &s, &n);
	else
		summary_text(&s, &n);
	free(s.q);
	return CTL_OK;
}

/* The chips on a sled, at most VN_MAX_CHIPS_PER_SLED. */
static int chips_on(struct ctl *c, uint32_t sled, struct vn_chip_query *chip, uint32_t *n)
{
	struct vn_chip_query q;
	uint32_t i;

	for (*n = 0, i = 0; i < c->q.chips && *n < VN_MAX_CHIPS_PER_SLED; i++) {
		if (vn_chip_query(c->dev, i, &q))
			return ctl_fail_lib();
		if (q.sled == sled)
			chip[(*n)++] = q;
	}
	return CTL_OK;
}

static void print_sled(const struct vn_sled_query *q, const struct vn_chip_query *chip, uint32_t n)
{
	printf("s%u: %s, rack %u, ", q->sled, state_name(q), q->rack);
	if (q->numa_node < 0)
		printf("no NUMA node, epoch %u\n", q->epoch);
	else
		printf("NUMA node %d, epoch %u\n", q->numa_node, q->epoch);
	if (n)
		printf("  chips    %s\n", machine_chip_ranges(chip, n).s);
	else
		puts("  chips    none");
	printf("  HBM      %s used\n", out_size(q->hbm_used).s);
	if (!q->operation)
		return;
	printf("  since    operation %016" PRIx64, (uint64_t)q->operation);
	if (q->uid != SLED_NOBODY)
		printf(" of uid %u", q->uid);
	putchar('\n');
	if (*q->reason)
		printf("  reason   %s\n", sled_printable(q->reason).s);
}

static int one(struct ctl *c, uint32_t sled)
{
	struct vn_chip_query chip[VN_MAX_CHIPS_PER_SLED];
	struct vn_sled_query q;
	uint32_t n;
	int ret;

	if (vn_sled_query(c->dev, sled, &q))
		return ctl_fail_lib();
	ret = chips_on(c, sled, chip, &n);
	if (ret)
		return ret;
	if (c->json)
		json_sled(&c->j, &q);
	else
		print_sled(&q, chip, n);
	return CTL_OK;
}

static int status(struct ctl *c)
{
	uint64_t n = 0;
	int ret = CTL_OK;

	if (c->nargs)
		ret = sled_number(c, c->args[0], &n);
	if (!ret)
		ret = ctl_open(c);
	if (ret)
		return ret;
	if (!c->nargs)
		return summary(c);
	ret = sled_check(c, c->args[0], n);
	return ret ? ret : one(c, (uint32_t)n);
}

static int undrain(struct ctl *c)
{
	struct vn_drain_config config = VN_DRAIN_CONFIG_INITIALIZER;
	char place[PATH_MAX];
	struct vn_drain_report r;
	struct json *j = &c->j;
	uint64_t n;
	int ret;

	ret = sled_number(c, c->args[0], &n);
	if (!ret)
		ret = ctl_open(c);
	if (!ret)
		ret = sled_check(c, c->args[0], n);
	if (!ret)
		ret = sled_journal_path(c, 0, place, &config.journal);
	if (ret)
		return ret;
	if (vn_sled_undrain(c->dev, (uint32_t)n, &config, &r))
		return ctl_fail_lib();
	if (c->json) {
		json_object(j, NULL);
		json_u64(j, "sled", n);
		json_string(j, "state", vn_sled_state_name(r.last.state));
		json_u64(j, "took_ns", r.took_ns);
		json_object_end(j);
		return CTL_OK;
	}
	/* No step at all: it was. */
	if (!r.took_ns)
		printf("sled %" PRIu64 ": it was in service, now the journal knows\n", n);
	else
		printf("sled %" PRIu64 ": passed in %.1f ms, in service\n", n,
		       (double)r.took_ns / 1e6);
	return CTL_OK;
}

static const struct ctl_command commands[] = {
	{ .name = "list",
	  .help = "all sleds, spares too: state, place, and why they are in it",
	  .run = list },
	{ .name = "status",
	  .args = "SLED",
	  .max_args = 1,
	  .help = "one sled in full; without SLED how many are in service, and the others",
	  .run = status },
	{ .name = "drain",
	  .args = "SLED",
	  .min_args = 1,
	  .max_args = 1,
	  .options = sled_drain_options,
	  .help = "move the chips of a sled elsewhere, while programs go on",
	  .run = sled_drain },
	{ .name = "cancel",
	  .args = "SLED",
	  .min_args = 1,
	  .max_args = 1,
	  .options = sled_cancel_options,
	  .help = "call off what drains a sled, whoever does",
	  .run = sled_cancel },
	{ .name = "undrain",
	  .args = "SLED",
	  .min_args = 1,
	  .max_args = 1,
	  .options = sled_journal_options,
	  .help = "test a sled that is out of service, and bring it back if it passes",
	  .run = undrain },
	{ .name = "maintain",
	  .args = "SLED",
	  .min_args = 1,
	  .max_args = 1,
	  .options = sled_maintain_options,
	  .help = "take the power from a sled that is drained",
	  .run = sled_maintain },
	{ .name = "restore",
	  .options = sled_journal_options,
	  .help = "after a restart: take out of service what the journal says is",
	  .run = sled_restore },
	{ .name = "journal",
	  .options = sled_journal_options,
	  .help = "what has happened to sleds, as it was written down",
	  .run = sled_journal },
	{ .run = NULL },
};

const struct ctl_object ctl_sled = { .name = "sled", .commands = commands };
