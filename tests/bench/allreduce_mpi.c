// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All-reduce of two ranks, fp32 sum: MPI_Allreduce() between two processes,
 * taking turns with ours between two chips of an embedded device in the process
 * of rank 0, while rank 1 sleeps. Run by mpirun -n 2, once for each setting of
 * the MPI library. A rank's buffers are rewritten before each turn by the CPU
 * that has the rank; the time of a turn is that of the slower rank.
 *
 * A line per size and side: setting, bytes, side, times (min, p50, p99, max in
 * us), wrong elements.
 */
#include <getopt.h>
#include <mpi.h>
#include <sys/mman.h>

#include "ours.h"

#define MOST (16ull << 20)
#define LEAST (64ull << 10)
#define TURNS 5u
/* Bytes of a rank in all iterations of one size, about. */
#define VOLUME (256ull << 20)
#define HUGE_PAGE (2ull << 20)

struct mpi_side {
	int rank;
	float *send, *recv;
	uint64_t wrong;
};

static const char *label = "default";

static float *take(uint64_t bytes)
{
	void *p = aligned_alloc(HUGE_PAGE, bytes);

	if (!p)
		die("no memory for buffers");
	madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 0, bytes);
	return p;
}

/* A barrier that costs the other rank nothing: MPI's own one spins. */
static void quiet_barrier(void)
{
	MPI_Request req;
	int done = 0;

	MPI_Ibarrier(MPI_COMM_WORLD, &req);
	while (MPI_Test(&req, &done, MPI_STATUS_IGNORE), !done)
		usleep(500);
}

static double mpi_turn(struct mpi_side *m, uint64_t bytes, uint32_t round)
{
	float from[PERIOD];
	double t, slowest;

	pattern(from, m->rank, round);
	memset(m->recv, 0xff, bytes);
	pattern_fill(m->send, bytes, from);
	MPI_Barrier(MPI_COMM_WORLD);
	t = now_us();
	MPI_Allreduce(m->send, m->recv, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
	t = now_us() - t;
	MPI_Allreduce(&t, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
	pattern_sum(from, 2, round);
	m->wrong += pattern_wrong(m->recv, bytes, from);
	return slowest;
}

static double our_turn(struct ours *o, struct crew *crew, uint32_t round, uint64_t *wrong)
{
	struct contents x = { .o = o, .round = round };
	double t;

	crew_run(crew, fill_part, &x);
	t = ours_run(o);
	crew_run(crew, check_part, &x);
	*wrong += x.wrong;
	return t;
}

static void show(const char *impl, uint64_t bytes, struct series *s, uint64_t wrong, FILE *json)
{
	printf("%s %llu %s %.2f %.2f %.2f %.2f %llu\n", label, (unsigned long long)bytes, impl,
	       series_at(s, 0), series_at(s, 50), series_at(s, 99), series_at(s, 100),
	       (unsigned long long)wrong);
	fflush(stdout);
	if (!json)
		return;
	json_row(json, "all_reduce", 2, bytes, "float32", 4, "sum", s);
	fprintf(json, ", \"wrong\": %llu, \"impl\": \"%s\", \"setting\": \"%s\"",
		(unsigned long long)wrong, impl, label);
	json_end(json);
}

/* Returns how many elements were wrong, on either side. */
static uint64_t bench_size(struct mpi_side *m, struct ours *o, struct crew *crew,
			   const cpu_set_t *bound, uint64_t bytes, FILE *json)
{
	struct series mpi = { 0 }, us = { 0 };
	uint32_t turn, i, round = 0, each = VOLUME / bytes / TURNS;
	uint64_t wrong = 0, all;
	double t;

	each = each < 4 ? 4 : each > 200 ? 200 : each;
	if (!m->rank)
		ours_plan(o, bytes);
	for (turn = 0; turn <= TURNS; turn++) {
		sched_setaffinity(0, sizeof(*bound), bound);
		for (i = 0; i < each; i++) {
			t = mpi_turn(m, bytes, round++);
			if (turn) /* the first warms up */
				series_add(&mpi, t);
		}
		quiet_barrier();
		for (i = 0; !m->rank && i < each; i++) {
			t = our_turn(o, crew, round++, &wrong);
			if (turn)
				series_add(&us, t);
		}
		quiet_barrier();
		MPI_Bcast(&round, 1, MPI_UINT32_T, 0, MPI_COMM_WORLD);
	}
	MPI_Allreduce(&m->wrong, &all, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	m->wrong = 0;
	if (!m->rank) {
		show("openmpi", bytes, &mpi, all, json);
		show("vneuron", bytes, &us, wrong, json);
	}
	series_free(&mpi);
	series_free(&us);
	return all + wrong;
}

/* mpirun binds each rank to a core; the device may use them all. */
static void unbind(void)
{
	cpu_set_t all;

	CPU_ZERO(&all);
	for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		CPU_SET(i, &all);
	sched_setaffinity(0, sizeof(all), &all);
}

int main(int argc, char **argv)
{
	struct mpi_side m = { 0 };
	uint64_t bytes, wrong = 0;
	struct ours o = { 0 };
	struct crew crew;
	FILE *json = NULL;
	cpu_set_t bound;
	int c, ranks;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &m.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	while ((c = getopt(argc, argv, "l:o:")) >= 0) {
		switch (c) {
		case 'l':
			label = optarg;
			break;
		case 'o':
			json = m.rank ? NULL : json_open(optarg);
			break;
		default:
			die("usage: mpirun -n 2 allreduce_mpi [-l SETTING] [-o JSON_FILE]");
		}
	}
	if (ranks != 2)
		die("%d ranks; want 2", ranks);
	m.send = take(MOST);
	m.recv = take(MOST);
	sched_getaffinity(0, sizeof(bound), &bound);
	if (!m.rank) {
		unbind();
		ours_open(&o, NULL, 2, MOST);
		crew_start(&crew);
	}
	for (bytes = LEAST; bytes <= MOST; bytes *= 4)
		wrong += bench_size(&m, &o, &crew, &bound, bytes, json);
	if (!m.rank) {
		crew_stop(&crew);
		ours_close(&o);
	}
	free(m.send);
	free(m.recv);
	MPI_Finalize();
	return wrong ? 1 : 0;
}
