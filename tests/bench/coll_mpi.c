// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The peers' side of the coll benchmark: MPI_Allreduce() under the harness of
 * coll.h, whichever MPI library this was compiled with.
 */
#include <fcntl.h>
#include <getopt.h>
#include <mpi.h>

#include "coll.h"

#ifndef COLL_IMPL
#error "COLL_IMPL: the name of the MPI library"
#endif

static void all_reduce(struct coll_member *m, uint64_t bytes)
{
	if (MPI_Allreduce(m->send[0], m->recv[0], (int)(bytes / 4), MPI_FLOAT, MPI_SUM,
			  MPI_COMM_WORLD))
		die("MPI_Allreduce failed");
}

/* Fragments that a finished operation left behind move only in a call. */
static void progress(void)
{
	int there;

	MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
}

static struct coll_shared *share(int rank)
{
	struct coll_shared *s;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/vneuron-bench.%d", getpid());
	MPI_Bcast(name, sizeof(name), MPI_CHAR, 0, MPI_COMM_WORLD);
	if (!rank) {
		fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, sizeof(*s)))
			die("%s: %s", name, strerror(errno));
	}
	MPI_Barrier(MPI_COMM_WORLD);
	if (rank)
		fd = shm_open(name, O_RDWR | O_CLOEXEC, 0);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		die("%s: %s", name, strerror(errno));
	close(fd);
	MPI_Barrier(MPI_COMM_WORLD);
	if (!rank)
		shm_unlink(name);
	return s;
}

int main(int argc, char **argv)
{
	struct coll_member m = { .impl = COLL_IMPL, .setting = "default", .own = 1 };
	struct coll_options o;
	int c, rank, ranks;
	uint64_t wrong;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	coll_defaults(&o);
	while ((c = getopt(argc, argv, "n:" COLL_OPTIONS)) >= 0)
		if (c == 'n')
			m.setting = optarg;
		else if (!coll_option(&o, c, optarg, !rank))
			die("usage: mpirun -n RANKS coll_mpi [-n SETTING] %s", COLL_USAGE);
	if (ranks < 2 || ranks > (int)COLL_RANKS)
		die("%d ranks; want 2 to %u", ranks, COLL_RANKS);
	m.first = m.member = (uint32_t)rank;
	m.ranks = m.members = (uint32_t)ranks;
	m.shared = share(rank);
	m.send[0] = coll_memory(coll_most(&o, m.ranks));
	m.recv[0] = coll_memory(coll_most(&o, m.ranks));
	m.op = all_reduce;
	m.idle = progress;
	coll_others(&o, m.ranks);
	coll_tabulate(m.ranks);
	coll_place(&m);
	wrong = coll_cells(&m, &o, coll_cell);
	MPI_Finalize();
	return wrong ? 1 : 0;
}
