// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a launcher starts: joins the communicator of all processes, adds up the ranks and
 * says "rank R of N: sum S, id HASH", where the hash is that of the id rank 0 made.
 *
 *	world [id] [set] [twice] [late RANK MS] [never RANK] [timeout MS]
 *
 *	id	ends once the id is here, without a device
 *	set	names the device by vn_set_chip()
 *	twice	makes two communicators, one after the other
 *	late	that rank comes so much later; never: it does not come at all
 *	timeout	of the communicator
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/coll/world.h"

static int rank, nranks, only_id, by_set, worlds = 1, late = -1, late_ms, never = -1,
					  timeout_ms = 240000;

static void parse(char **arg)
{
	for (; *arg; arg++) {
		if (!strcmp(*arg, "id"))
			only_id = 1;
		else if (!strcmp(*arg, "set"))
			by_set = 1;
		else if (!strcmp(*arg, "twice"))
			worlds = 2;
		else if (!strcmp(*arg, "late") && arg[1] && arg[2])
			late = atoi(arg[1]), late_ms = atoi(arg[2]), arg += 2;
		else if (!strcmp(*arg, "never") && arg[1])
			never = atoi(*++arg);
		else if (!strcmp(*arg, "timeout") && arg[1])
			timeout_ms = atoi(*++arg);
		else
			exit(2);
	}
}

static int failed(int err)
{
	fprintf(stderr, "world: %s (%d)\n", vn_error(), -err);
	return 1;
}

static int exchange(void)
{
	vn_unique_id id;
	uint32_t hash = 2166136261u; /* FNV-1a */
	int err = coll_world_id(&id, timeout_ms * 1000000ull);

	if (err)
		return failed(err);
	for (size_t i = 0; i < sizeof(id.internal); i++)
		hash = (hash ^ (uint8_t)id.internal[i]) * 16777619u;
	printf("rank %d of %d: id %08x\n", rank, nranks, hash);
	return 0;
}

static int add_up(vn_comm_t comm)
{
	int32_t mine[2] = { rank, 1 }, sum[2] = { 0 };
	int err = vn_all_reduce(mine, sum, 2, VN_INT32, VN_SUM, comm, NULL);

	err = err ?: vn_comm_sync(comm, VN_FOREVER);
	if (err)
		return err;
	if (sum[0] != nranks * (nranks - 1) / 2 || sum[1] != nranks) {
		fprintf(stderr, "world: rank %d: sum %d of %d\n", rank, sum[0], sum[1]);
		return -EBADMSG;
	}
	printf("rank %d of %d: sum %d\n", rank, nranks, sum[0]);
	return 0;
}

static int join(void)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	vn_device_t dev;
	vn_comm_t comm;
	int err;

	config.timeout_ns = timeout_ms * 1000000ull;
	err = vn_open(NULL, &dev);
	if (by_set)
		err = err ?: vn_set_chip(dev, (uint32_t)rank);
	else
		config.dev = dev;
	err = err ?: vn_comm_init_world(&comm, &config) ?: add_up(comm);
	if (err)
		return failed(err);
	err = vn_comm_destroy(comm);
	if (err)
		return failed(err);
	vn_close(dev);
	return 0;
}

int main(int argc, char **argv)
{
	int err;

	(void)argc;
	parse(argv + 1);
	err = vn_world(&rank, &nranks);
	if (err)
		return failed(err);
	if (rank == late)
		usleep(late_ms * 1000);
	if (rank == never) {
		/* As long as the others wait, so that it is not its end that they see. */
		sleep(timeout_ms / 1000 + 5);
		return 0;
	}
	while (!err && worlds--)
		err = only_id ? exchange() : join();
	return err;
}
