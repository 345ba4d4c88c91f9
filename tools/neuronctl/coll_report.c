// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>

#include "coll_report.h"

static const char *redop_name(const struct coll_job *job)
{
	return coll_op_reduces(job->op) ? vn_redop_name(job->redop) : "none";
}

static int root(const struct coll_job *job)
{
	return job->op->rooted ? (int)job->root : -1;
}

/* ---- text ---------------------------------------------------------------------- */

void coll_report_head(const struct coll_runner *run, const struct coll_job *job)
{
	printf("# %s: %u ranks, threads %s, way %s, buffers %s%s%s, warmup %u, iters %u\n",
	       coll_op_name(job->op), run->ranks, run->one_thread ? "one" : "ranks",
	       vn_way_name(job->way), run->host ? "host" : "hbm",
	       run->registered ? ", registered" : "", job->persistent ? ", persistent" : "",
	       job->warmup, job->iters);
	puts("# times in us: time is the median (p50); algbw and busbw are those of it, in\n"
	     "# GB/s = 10^9 bytes per second; min, p99, max and way of the first that is measured");
	printf("#%48s  %-35s  in place\n", "", "out of place");
	printf("#%10s %10s %11s %9s %4s  %8s %8s %8s %8s  %8s %8s %8s %8s  %8s %8s %8s %5s\n",
	       "size", "count", "type", "redop", "root", "time", "algbw", "busbw", "#wrong", "time",
	       "algbw", "busbw", "#wrong", "min", "p99", "max", "way");
	printf("#%10s %10s %27s %8s %8s %8s %8s  %8s %8s %8s %8s  %8s %8s %8s\n", "(B)",
	       "(elements)", "", "(us)", "(GB/s)", "(GB/s)", "", "(us)", "(GB/s)", "(GB/s)", "",
	       "(us)", "(us)", "(us)");
}

void coll_report_row(const struct coll_runner *run, const struct coll_job *job,
		     const struct coll_figure f[2])
{
	const struct coll_figure *first = f[0].measured ? &f[0] : &f[1];
	int k;

	printf("%11" PRIu64 " %10" PRIu64 " %11s %9s %4d", coll_run_bytes(job, run->ranks),
	       job->count, vn_type_name(job->type->type), redop_name(job), root(job));
	for (k = 0; k < 2; k++) {
		if (f[k].measured)
			printf("  %8.2f %8.3f %8.3f %8" PRIu64, f[k].p50, f[k].algbw, f[k].busbw,
			       f[k].wrong);
		else
			printf("  %8s %8s %8s %8s", "-", "-", "-", "-");
	}
	printf("  %8.2f %8.2f %8.2f %5s\n", first->min, first->p99, first->max,
	       vn_way_name(first->way));
}

void coll_report_tail(uint64_t wrong, double average_bus)
{
	printf("# Wrong elements        : %" PRIu64 " %s\n", wrong, wrong ? "FAILED" : "OK");
	printf("# Average bus bandwidth : %.4f GB/s\n#\n", average_bus);
}

void coll_report_left_out(const struct coll_operation *op, const char *why)
{
	printf("# %s: left out: %s\n#\n", coll_op_name(op), why);
}

/* ---- JSON ------------------------------------------------------------------------ */

static void print_json(struct json *j, const struct coll_runner *run, const struct coll_job *job,
		       const struct coll_figure *f, bool in_place)
{
	json_object(j, NULL);
	json_string(j, "op", coll_op_name(job->op));
	json_u64(j, "ranks", run->ranks);
	json_u64(j, "bytes", coll_run_bytes(job, run->ranks));
	json_u64(j, "count", job->count);
	json_string(j, "type", vn_type_name(job->type->type));
	json_string(j, "redop", redop_name(job));
	json_s64(j, "root", root(job));
	json_object(j, "time_us");
	json_double(j, "min", f->min);
	json_double(j, "p50", f->p50);
	json_double(j, "p99", f->p99);
	json_double(j, "max", f->max);
	json_object_end(j);
	json_double(j, "algbw", f->algbw);
	json_double(j, "busbw", f->busbw);
	json_u64(j, "wrong", f->wrong);
	json_bool(j, "in_place", in_place);
	json_string(j, "way", vn_way_name(f->way));
	json_u64(j, "iters", job->iters);
	json_u64(j, "warmup", job->warmup);
	json_string(j, "threads", run->one_thread ? "one" : "ranks");
	json_string(j, "buffers", run->host ? "host" : "hbm");
	json_bool(j, "registered", run->registered);
	json_bool(j, "persistent", job->persistent);
	json_object_end(j);
}

void coll_report_json(struct json *j, const struct coll_runner *run, const struct coll_job *job,
		      const struct coll_figure f[2])
{
	int k;

	for (k = 0; k < 2; k++)
		if (f[k].measured)
			print_json(j, run, job, &f[k], k);
}
