// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Our side of the coll benchmark, and the floor: vn_all_reduce() under the
 * harness of coll.h, and beside it the least that an all-reduce must do, in the
 * same buffers.
 *
 *   procs  a process for each rank, registered buffers in HBM: on the module only
 *   hbm    a thread for each rank, registered buffers in HBM
 *   host   a thread for each rank, memory of the process
 *   group  one thread drives all ranks, in HBM
 *   floor  a thread for each CPU, in HBM
 */
#include <getopt.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vneuron/coll.h>

#include "coll.h"
#include "floor.h"

/* What a communicator may want of the HBM for itself. */
#define SLACK (16ull << 20)

struct bench {
	struct coll_options o;
	vn_device_t dev;
	uint32_t ranks;
	uint64_t most;
	char *send[COLL_RANKS], *recv[COLL_RANKS]; /* HBM */
	uint32_t cpus;
};

static void ours_open(struct bench *b, const char *spec)
{
	uint32_t per_sled = 4;
	struct vn_query query;
	struct vn_mem mem;
	char own[128];

	if (!spec) {
		while (b->ranks % per_sled)
			per_sled--;
		snprintf(own, sizeof(own), "embedded:sleds=%u,chips=%u,hbm=%lluK",
			 b->ranks / per_sled, per_sled,
			 (unsigned long long)(2 * b->most + SLACK) >> 10);
		spec = own;
	}
	if (vn_open(spec, &b->dev) || vn_device_query(b->dev, &query))
		die("%s", vn_error());
	if (b->ranks > query.chips)
		die("%s has %u chips, not %u", vn_device_spec(b->dev), query.chips, b->ranks);
	for (uint32_t r = 0; r < b->ranks; r++) {
		if (vn_mem_alloc(b->dev, r, b->most, &mem))
			die("%s", vn_error());
		b->send[r] = mem.ptr;
		if (vn_mem_alloc(b->dev, r, b->most, &mem))
			die("%s", vn_error());
		b->recv[r] = mem.ptr;
	}
}

/* ---- running members -------------------------------------------------------- */

/* One row of the benchmark: its members, and what they do. */
struct row {
	struct bench *b;
	struct coll_shared shared;
	const char *name;
	uint32_t members;
	vn_unique_id id;
	struct floor_job floor;
	uint64_t (*run)(struct row *row, struct coll_member *m);
	struct coll_member member[COLL_RANKS];
	uint64_t wrong; /* elements */
};

static void *member_main(void *arg)
{
	struct coll_member *m = arg;
	struct row *row = m->arg;
	uint64_t wrong;

	coll_place(m);
	wrong = row->run(row, m);
	/* All of them count the same. */
	if (!m->member)
		row->wrong = wrong;
	return NULL;
}

/* Deals the ranks to the members and runs these. Returns wrong elements. */
static uint64_t row_run(struct row *row, char **send, char **recv)
{
	struct bench *b = row->b;
	pthread_t thread[COLL_RANKS];
	uint32_t i, r;

	for (i = 0; i < row->members; i++) {
		struct coll_member *m = &row->member[i];

		m->shared = &row->shared;
		m->member = i;
		m->members = row->members;
		m->ranks = b->ranks;
		m->first = i * b->ranks / row->members;
		m->own = (i + 1) * b->ranks / row->members - m->first;
		for (r = 0; r < m->own; r++) {
			m->send[r] = send[m->first + r];
			m->recv[r] = recv[m->first + r];
		}
		m->impl = "vneuron";
		m->setting = row->name;
		m->home = vn_device_home(b->dev);
		m->arg = row;
	}
	for (i = 0; i < row->members; i++)
		if (pthread_create(&thread[i], NULL, member_main, &row->member[i]))
			die("can't start a thread");
	for (i = 0; i < row->members; i++)
		pthread_join(thread[i], NULL);
	return row->wrong;
}

static struct row *row_new(struct bench *b, const char *name, uint32_t members)
{
	struct row *row = aligned_alloc(64, sizeof(*row));

	if (!row)
		die("no memory");
	memset(row, 0, sizeof(*row));
	row->b = b;
	row->name = name;
	row->members = members;
	return row;
}

/* ---- ours -------------------------------------------------------------------- */

struct comms {
	vn_comm_t comm[COLL_RANKS];
};

static void op_rank(struct coll_member *m, uint64_t bytes)
{
	struct comms *c = m->arg;

	if (vn_all_reduce(m->send[0], m->recv[0], bytes / 4, VN_FLOAT32, VN_SUM, c->comm[0],
			  NULL) ||
	    vn_comm_sync(c->comm[0], VN_FOREVER))
		die("rank %u: %s", m->member, vn_error());
}

static uint64_t run_rank(struct row *row, struct coll_member *m)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	struct comms c;
	uint64_t wrong;
	void *handle;

	config.dev = row->b->dev;
	config.chip = (int32_t)m->member;
	if (vn_comm_init_rank_config(&c.comm[0], (int)m->ranks, row->id, (int)m->member, &config))
		die("rank %u: %s", m->member, vn_error());
	if (m->send[0] == row->b->send[m->member] &&
	    (vn_comm_register(c.comm[0], m->send[0], row->b->most, &handle) ||
	     vn_comm_register(c.comm[0], m->recv[0], row->b->most, &handle)))
		die("rank %u: %s", m->member, vn_error());
	m->op = op_rank;
	m->arg = &c;
	wrong = coll_cells(m, &row->b->o, coll_cell);
	if (vn_comm_destroy(c.comm[0]))
		die("rank %u: %s", m->member, vn_error());
	return wrong;
}

static void op_group(struct coll_member *m, uint64_t bytes)
{
	struct comms *c = m->arg;
	int err;

	err = vn_group_start();
	for (uint32_t r = 0; !err && r < m->ranks; r++)
		err = vn_all_reduce(m->send[r], m->recv[r], bytes / 4, VN_FLOAT32, VN_SUM,
				    c->comm[r], NULL);
	if (!err)
		err = vn_group_end();
	for (uint32_t r = 0; !err && r < m->ranks; r++)
		err = vn_comm_sync(c->comm[r], VN_FOREVER);
	if (err)
		die("group: %s", vn_error());
}

static uint64_t run_group(struct row *row, struct coll_member *m)
{
	struct comms *c = calloc(1, sizeof(*c));
	uint64_t wrong;

	if (!c)
		die("no memory");
	if (vn_set_chip(row->b->dev, 0) || vn_comm_init_all(c->comm, (int)m->ranks, NULL))
		die("group: %s", vn_error());
	m->op = op_group;
	m->arg = c;
	wrong = coll_cells(m, &row->b->o, coll_cell);
	for (uint32_t r = 0; r < m->ranks; r++)
		if (vn_comm_destroy(c->comm[r]))
			die("group: %s", vn_error());
	free(c);
	return wrong;
}

static uint64_t bench_ranks(struct bench *b, bool host)
{
	struct row *row = row_new(b, host ? "host" : "hbm", b->ranks);
	char *send[COLL_RANKS], *recv[COLL_RANKS];
	uint64_t wrong;
	uint32_t r;

	if (vn_get_unique_id(&row->id))
		die("%s", vn_error());
	row->run = run_rank;
	for (r = 0; host && r < b->ranks; r++) {
		send[r] = coll_memory(b->most);
		recv[r] = coll_memory(b->most);
	}
	wrong = host ? row_run(row, send, recv) : row_run(row, b->send, b->recv);
	for (r = 0; host && r < b->ranks; r++) {
		free(send[r]);
		free(recv[r]);
	}
	free(row);
	return wrong;
}

static uint64_t bench_group(struct bench *b)
{
	struct row *row = row_new(b, "group", 1);
	uint64_t wrong;

	row->run = run_group;
	wrong = row_run(row, b->send, b->recv);
	free(row);
	return wrong;
}

/* ---- ranks that are processes --------------------------------------------------- */

static void own_memory(struct bench *b, uint32_t rank, char **at)
{
	struct vn_mem mem;

	if (vn_mem_alloc(b->dev, rank, b->most, &mem))
		die("rank %u: %s", rank, vn_error());
	*at = mem.ptr;
}

/* The process of a rank; the row is shared, what is of the process is not. */
static void process_main(struct row *row, uint32_t rank, const char *spec)
{
	struct bench *b = row->b;
	struct coll_member *m = &row->member[rank];
	uint64_t wrong;

	if (vn_open(spec, &b->dev))
		die("rank %u: %s", rank, vn_error());
	own_memory(b, rank, &b->send[rank]);
	own_memory(b, rank, &b->recv[rank]);
	m->send[0] = b->send[rank];
	m->recv[0] = b->recv[rank];
	coll_place(m);
	wrong = run_rank(row, m);
	if (!rank)
		row->wrong = wrong;
	vn_close(b->dev);
	fflush(NULL);
	_exit(0);
}

static uint64_t bench_processes(struct bench *b)
{
	struct row *row =
		mmap(NULL, sizeof(*row), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *spec = vn_device_spec(b->dev);
	int status;

	if (row == MAP_FAILED)
		die("no memory");
	row->b = b;
	row->name = "procs";
	row->members = b->ranks;
	if (strcmp(vn_device_home(b->dev), "kernel") || vn_get_unique_id(&row->id)) {
		printf("skip vneuron procs %u - - on the module only\n", b->ranks);
		return 0;
	}
	fflush(NULL);
	for (uint32_t r = 0; r < b->ranks; r++) {
		row->member[r] = (struct coll_member){
			.shared = &row->shared,
			.member = r,
			.members = b->ranks,
			.ranks = b->ranks,
			.first = r,
			.own = 1,
			.impl = "vneuron",
			.setting = row->name,
			.home = vn_device_home(b->dev),
			.arg = row,
		};
		switch (fork()) {
		case -1:
			die("can't start a process");
		case 0:
			process_main(row, r, spec);
		}
	}
	for (uint32_t r = 0; r < b->ranks; r++)
		if (wait(&status) < 0 || status)
			die("a rank ended with %#x", (unsigned int)status);
	return row->wrong;
}

/* ---- the floor ------------------------------------------------------------------ */

static void op_floor(struct coll_member *m, uint64_t bytes)
{
	struct row *row = m->arg;

	(void)bytes;
	floor_part(&row->floor, m->member, m->members);
}

/* Tries all ways, then takes the times of the best. */
static enum coll_verdict floor_cell(struct coll_member *m, const struct coll_options *o,
				    uint64_t bytes, bool cold, double best, struct series *times)
{
	struct row *row = m->arg;
	struct coll_options trial = *o;
	struct series s = { 0 };
	static char how[24];
	uint32_t good = 0;
	double least = 0;

	trial.least = 2;
	trial.share_us = o->share_us / FLOOR_WAYS;
	/* Only member 0 writes it, outside of what the barriers of a cell enclose. */
	if (!m->member)
		row->floor.bytes = bytes;
	for (uint32_t way = 0; way < FLOOR_WAYS; way++) {
		if (!m->member)
			row->floor.way = way;
		coll_cell(m, &trial, bytes, cold, best, &s);
		if (!m->member && (!way || series_at(&s, 50) < least)) {
			least = series_at(&s, 50);
			good = way;
		}
		series_free(&s);
	}
	if (!m->member) {
		row->floor.way = good;
		m->setting = floor_how(good, how);
	}
	return coll_cell(m, o, bytes, cold, best, times);
}

static uint64_t run_floor(struct row *row, struct coll_member *m)
{
	m->impl = "floor";
	m->home = NULL;
	m->unchecked = true;
	m->op = op_floor;
	return coll_cells(m, &row->b->o, floor_cell);
}

static uint64_t bench_floor(struct bench *b)
{
	struct row *row = row_new(b, "floor", b->cpus);

	if (!__builtin_cpu_supports("avx2"))
		die("the floor needs AVX2");
	row->run = run_floor;
	row->floor.ranks = b->ranks;
	memcpy(row->floor.send, b->send, sizeof(b->send));
	memcpy(row->floor.recv, b->recv, sizeof(b->recv));
	row_run(row, b->send, b->recv);
	free(row);
	return 0;
}

int main(int argc, char **argv)
{
	const char *spec = NULL, *rows = "hbm,host,group,floor";
	static struct bench b;
	uint64_t wrong = 0;
	char *list, *name;
	cpu_set_t all;
	int c;

	b.ranks = 2;
	coll_defaults(&b.o);
	while ((c = getopt(argc, argv, "d:p:r:" COLL_OPTIONS)) >= 0)
		if (c == 'd')
			spec = optarg;
		else if (c == 'p')
			b.ranks = (uint32_t)atoi(optarg);
		else if (c == 'r')
			rows = optarg;
		else if (!coll_option(&b.o, c, optarg, true))
			die("usage: coll_ours [-d DEVICE] [-p RANKS] [-r ROW,...] %s", COLL_USAGE);
	if (b.ranks < 2 || b.ranks > COLL_RANKS)
		die("%u ranks; want 2 to %u", b.ranks, COLL_RANKS);
	if (sched_getaffinity(0, sizeof(all), &all))
		die("can't read the CPU affinity");
	b.cpus = (uint32_t)CPU_COUNT(&all) < COLL_RANKS ? (uint32_t)CPU_COUNT(&all) : COLL_RANKS;
	b.most = coll_most(&b.o, b.ranks);
	if (b.most < 4096)
		b.most = 4096;
	coll_tabulate(b.ranks);
	ours_open(&b, spec);
	list = strdup(rows);
	for (name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		if (!strcmp(name, "procs"))
			wrong += bench_processes(&b);
		else if (!strcmp(name, "hbm"))
			wrong += bench_ranks(&b, false);
		else if (!strcmp(name, "host"))
			wrong += bench_ranks(&b, true);
		else if (!strcmp(name, "group"))
			wrong += bench_group(&b);
		else if (!strcmp(name, "floor"))
			wrong += bench_floor(&b);
		else
			die("no row '%s'", name);
	}
	free(list);
	vn_close(b.dev);
	return wrong ? 1 : 0;
}
