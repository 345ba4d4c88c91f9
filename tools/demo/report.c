// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"

#define CURVE_COLS 60u
#define CURVE_ROWS 8u

int traffic_read(vn_device_t dev, struct traffic *t)
{
	struct vn_query q;
	int n = vn_ports(dev, NULL, 0);

	if (n < 0 || vn_device_query(dev, &q))
		return complain("can't read the switch's ports: %s", vn_error());
	t->ports = calloc(n, sizeof(*t->ports));
	if (!t->ports)
		return complain("no memory for %d ports", n);
	t->count = n;
	t->planes = n / q.chips;
	n = vn_ports(dev, t->ports, n);
	return n < 0 ? complain("can't read the switch's ports: %s", vn_error()) : 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of steps sorted by time; none: 0. */
static double step_percentile(const struct report *r, uint32_t percent)
{
	return r->steps ? r->step_us[(uint64_t)(r->steps - 1) * percent / 100] : 0;
}

/* Links of one plane: a link is one slot's port. */
struct spread {
	uint64_t min, max, sum;
};

static void spread_add(struct spread *s, uint64_t v)
{
	s->min = v < s->min ? v : s->min;
	s->max = v > s->max ? v : s->max;
	s->sum += v;
}

static void plane_spread(const struct report *r, uint32_t plane, struct spread *tx,
			 struct spread *rx)
{
	const struct vn_port *a = r->after.ports, *b = r->before.ports;
	uint32_t i;

	*tx = *rx = (struct spread){ .min = UINT64_MAX };
	for (i = plane; i < r->after.count; i += r->after.planes) {
		spread_add(tx, a[i].tx_bytes - b[i].tx_bytes);
		spread_add(rx, a[i].rx_bytes - b[i].rx_bytes);
	}
}

static double percent_right(const struct report *r)
{
	return 100.0 * r->right / (r->data->count - r->data->train);
}

static const char *plural(uint32_t n)
{
	return n == 1 ? "" : "s";
}

void report_drain(const struct report *r)
{
	const struct drain *d = &r->drain;
	const struct vn_drain_step *s = &d->report.last;

	printf("sled %u drained: %u chip%s moved, %" PRIu64 " bytes copied in %u round%s, %" PRIu64
	       " of them in the pause;\n",
	       d->sled, d->report.chips, plural(d->report.chips), (uint64_t)s->copied_bytes,
	       s->rounds, plural(s->rounds), (uint64_t)s->stop_bytes);
	printf("  pause %" PRIu64 " us%s %" PRIu64 " us allowed; operation %016" PRIx64
	       "; from step %u to step %u%s\n",
	       (uint64_t)s->pause_ns / 1000, s->pause_ns > d->budget_ns ? ", more than the" : " of",
	       d->budget_ns / 1000, d->report.operation, d->first_step, d->last_step,
	       d->late ? ", and after it" : "");
}

/* What a logarithm can be drawn of. */
static double drawable(double loss)
{
	return loss > 1e-9 ? (loss < 1e9 ? loss : 1e9) : 1e-9;
}

/* Was the drain in one of these epochs? From 0; `end` is none of them. */
static bool drained_in(const struct report *r, uint32_t epoch, uint32_t end)
{
	const struct drain *d = &r->drain;

	return d->done && (d->first_step - 1) / r->net->batches < end &&
	       (d->last_step - 1) / r->net->batches >= epoch;
}

void report_curve(const struct report *r)
{
	uint32_t cols = r->epochs < CURVE_COLS ? r->epochs : CURVE_COLS, at, row, i;
	double loss[CURVE_COLS], low = INFINITY, high = 0, range;

	if (r->epochs < 2)
		return;
	/* A column is the last one of its epochs. */
	for (i = 0; i < cols; i++) {
		loss[i] = drawable(r->loss[(uint64_t)(i + 1) * r->epochs / cols - 1]);
		low = fmin(low, loss[i]);
		high = fmax(high, loss[i]);
	}
	range = fmax(log(high / low), 1e-9);
	printf("loss, on a logarithmic scale\n");
	for (row = 0; row < CURVE_ROWS; row++) {
		printf("%9.4f |", high * exp(-range * row / (CURVE_ROWS - 1)));
		for (i = 0; i < cols; i++) {
			at = (uint32_t)lround(log(high / loss[i]) / range * (CURVE_ROWS - 1));
			putchar(at == row ? '*' : ' ');
		}
		putchar('\n');
	}
	printf("%9s +", "");
	for (i = 0; i < cols; i++)
		putchar('-');
	printf(" epoch %u\n", r->epochs);
	if (!r->drain.done)
		return;
	printf("%9s  ", "");
	for (i = 0; i < cols; i++)
		putchar(drained_in(r, (uint64_t)i * r->epochs / cols,
				   (uint64_t)(i + 1) * r->epochs / cols)
				? '^'
				: ' ');
	printf(" ^ sled %u drained\n", r->drain.sled);
}

void report_text(struct report *r)
{
	uint32_t plane, links = r->after.count / r->after.planes;
	struct spread tx, rx;
	uint64_t total = 0;

	qsort(r->step_us, r->steps, sizeof(*r->step_us), by_value);
	printf("accuracy   %.2f %% (%u of %u held-out samples)\n", percent_right(r), r->right,
	       r->data->count - r->data->train);
	printf("replicas   %s\n", r->identical ? "all bit-identical" : "DIFFER");
	printf("weights    fnv1a64 %016" PRIx64 ", %" PRIu64 " bytes\n", r->checksum,
	       mlp_weight_bytes());
	printf("time       %.2f s; a step takes %.0f us (p50), %.0f us (p99) of host time\n",
	       r->seconds, step_percentile(r, 50), step_percentile(r, 99));
	printf("calls      %" PRIu64 " into the device for %u steps and %u evaluations\n", r->calls,
	       r->steps, r->epochs);
	printf("links      bytes         sent: min       mean        max   received: min       mean        max\n");
	for (plane = 0; plane < r->after.planes; plane++) {
		plane_spread(r, plane, &tx, &rx);
		printf("  plane %u    %18" PRIu64 " %10" PRIu64 " %10" PRIu64 " %15" PRIu64
		       " %10" PRIu64 " %10" PRIu64 "\n",
		       plane, tx.min, tx.sum / links, tx.max, rx.min, rx.sum / links, rx.max);
		total += tx.sum;
	}
	printf("switch     %" PRIu64 " bytes over %u links, %" PRIu64 " a step\n", total,
	       r->after.count, r->steps ? total / r->steps : 0);
}

static void json_spread(const char *name, const struct spread *s, uint32_t links)
{
	printf("\"%s\": {\"min\": %" PRIu64 ", \"mean\": %" PRIu64 ", \"max\": %" PRIu64 "}", name,
	       s->min, s->sum / links, s->max);
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		if ((unsigned char)*s >= ' ')
			putchar(*s);
	}
	putchar('"');
}

static void json_drain(const struct drain *d)
{
	const struct vn_drain_step *s = &d->report.last;

	if (!d->done) {
		printf(" \"drain\": null,\n");
		return;
	}
	printf(" \"drain\": {\"sled\": %u, \"operation\": \"%016" PRIx64
	       "\", \"chips\": %u, \"undrained\": %s,\n",
	       d->sled, d->report.operation, d->report.chips, d->undone ? "true" : "false");
	printf("  \"copied_bytes\": %" PRIu64 ", \"rounds\": %u, \"stop_bytes\": %" PRIu64 ",\n",
	       (uint64_t)s->copied_bytes, s->rounds, (uint64_t)s->stop_bytes);
	printf("  \"pause_ns\": %" PRIu64 ", \"budget_ns\": %" PRIu64 ", \"waits\": %" PRIu64
	       ", \"took_ns\": %" PRIu64 ",\n",
	       (uint64_t)s->pause_ns, d->budget_ns, (uint64_t)s->waits, d->report.took_ns);
	printf("  \"first_step\": %u, \"last_step\": %u, \"late\": %s},\n", d->first_step,
	       d->last_step, d->late ? "true" : "false");
}

void report_json(struct report *r)
{
	const struct mlp *m = r->net;
	struct spread tx, rx;
	uint32_t plane, i;

	qsort(r->step_us, r->steps, sizeof(*r->step_us), by_value);
	printf("{\"home\": \"%s\", \"device\": ", vn_device_home(m->dev));
	json_string(vn_device_spec(m->dev));
	printf(", \"chips\": %u,\n", m->chips);
	printf(" \"samples\": {\"train\": %u, \"held_out\": %u, \"step\": %u},\n", r->data->train,
	       r->data->count - r->data->train, m->rows * m->chips);
	printf(" \"epochs\": %u, \"steps\": %u, \"loss\": %.6f, \"accuracy\": %.4f,\n", r->epochs,
	       r->steps, r->loss[r->epochs - 1], percent_right(r) / 100);
	printf(" \"losses\": [");
	for (i = 0; i < r->epochs; i++)
		printf("%s%.6f", i ? ", " : "", r->loss[i]);
	printf("],\n");
	json_drain(&r->drain);
	printf(" \"identical\": %s, \"fnv1a64\": \"%016" PRIx64 "\", \"weight_bytes\": %" PRIu64
	       ",\n",
	       r->identical ? "true" : "false", r->checksum, mlp_weight_bytes());
	printf(" \"seconds\": %.3f, \"calls\": %" PRIu64 ",\n", r->seconds, r->calls);
	printf(" \"step_time_us\": {\"min\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f},\n",
	       step_percentile(r, 0), step_percentile(r, 50), step_percentile(r, 99),
	       step_percentile(r, 100));
	printf(" \"planes\": [");
	for (plane = 0; plane < r->after.planes; plane++) {
		plane_spread(r, plane, &tx, &rx);
		printf("%s\n  {\"plane\": %u, ", plane ? "," : "", plane);
		json_spread("tx_bytes", &tx, r->after.count / r->after.planes);
		printf(", ");
		json_spread("rx_bytes", &rx, r->after.count / r->after.planes);
		printf("}");
	}
	printf("]}\n");
}
