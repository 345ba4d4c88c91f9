// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ranks that a launcher started as processes: PMIx says which of them this is, and
 * carries the unique id from rank 0 to the others.
 *
 * Rank 0 puts and commits the id under a key that counts the calls; the others get it.
 * There is no fence: a get waits for rank 0 alone, and who else is missing is told by
 * name when the ranks join.
 *
 * libpmix is opened when it is first needed, so that programs without a launcher don't
 * depend on it. An MPI library in the same process has the same one open: it counts
 * who began and who ended.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pmix.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../home.h"
#include "team.h"
#include "world.h"

#define LIBRARY "libpmix.so.2"
#define DEFAULT_TIMEOUT_NS (300ull * 1000000000)
#define MOST_PAUSE_US 50000

static struct {
	typeof(PMIx_Init) *init;
	typeof(PMIx_Finalize) *finalize;
	typeof(PMIx_Put) *put;
	typeof(PMIx_Commit) *commit;
	typeof(PMIx_Get) *get;
	typeof(PMIx_Get_nb) *get_nb;
	typeof(PMIx_Error_string) *error_string;
} pmix;

static const struct {
	const char *name;
	void **to;
} symbols[] = {
	{ "PMIx_Init", (void **)&pmix.init },
	{ "PMIx_Finalize", (void **)&pmix.finalize },
	{ "PMIx_Put", (void **)&pmix.put },
	{ "PMIx_Commit", (void **)&pmix.commit },
	{ "PMIx_Get", (void **)&pmix.get },
	{ "PMIx_Get_nb", (void **)&pmix.get_nb },
	{ "PMIx_Error_string", (void **)&pmix.error_string },
};

/* Of this process; nranks is 0 until its launcher has been spoken to. */
static pthread_mutex_t world_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	pmix_proc_t self;
	uint32_t nranks;
	uint64_t calls; /* ids asked for so far */
	pid_t pid;
} world;

/* ---- the launcher ---------------------------------------------------------- */

static int load(void)
{
	void *library;

	if (pmix.init)
		return 0;
	/* Global: its own plug-ins look for its symbols. */
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);
	if (!library)
		return vn_fail(-ENOTCONN,
			       "the launcher speaks PMIx, but its library is missing: %s",
			       dlerror());
	/* The first one last: it tells that all are there. */
	for (size_t i = sizeof(symbols) / sizeof(*symbols); i-- > 0;) {
		*symbols[i].to = dlsym(library, symbols[i].name);
		if (!*symbols[i].to) {
			dlclose(library);
			return vn_fail(-ENOTCONN, "%s has no %s()", LIBRARY, symbols[i].name);
		}
	}
	return 0;
}

/* What PMIx itself takes for a process that nobody launched. */
static int find_launcher(void)
{
	if (getenv("PMIX_NAMESPACE") && getenv("PMIX_RANK"))
		return 0;
	if (getenv("SLURM_PROCID"))
		return vn_fail(-ENOTCONN, "started by Slurm without PMIx: use srun --mpi=pmix");
	if (getenv("PMI_RANK"))
		return vn_fail(
			-ENOTCONN,
			"the launcher speaks PMI, but not PMIx: start it with mpirun of Open "
			"MPI, prun or srun --mpi=pmix");
	return vn_fail(-ENOTCONN, "no launcher: start it with mpirun, prun or srun --mpi=pmix, or "
				  "call vn_comm_init_rank()");
}

/*
 * A launcher takes a process that ends in between for one that failed, and stops the
 * others: so this comes at the very end, when nothing of us can fail any more, and not
 * with the last communicator. A forked child has no connection to end.
 *
 * libpmix gives the launcher two seconds to take note, and then ends all the same. With
 * many processes on few cores that is too short if all come at once: one after the
 * other, then, by a lock on the directory that the launcher's server has on this host.
 */
static void leave(void)
{
	const char *path = getenv("PMIX_SERVER_TMPDIR");
	int dir;

	if (world.pid != getpid())
		return;
	dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir >= 0)
		flock(dir, LOCK_EX);
	pmix.finalize(NULL, 0);
	if (dir >= 0)
		close(dir);
}

static int job_size(uint32_t *size)
{
	pmix_value_t *value = NULL;
	pmix_status_t status;
	pmix_proc_t all = world.self;

	all.rank = PMIX_RANK_WILDCARD;
	status = pmix.get(&all, PMIX_JOB_SIZE, NULL, 0, &value);
	if (status != PMIX_SUCCESS)
		return vn_fail(-EPROTO, "the launcher does not say how many ranks there are: %s",
			       pmix.error_string(status));
	*size = value->type == PMIX_UINT32 ? value->data.uint32 : 0;
	free(value);
	return *size ? 0 : vn_fail(-EPROTO, "the launcher's number of ranks makes no sense");
}

/* world_lock held */
static int begin(void)
{
	pmix_status_t status;
	uint32_t nranks;
	int err;

	if (world.nranks && world.pid != getpid())
		return vn_fail(-ENOTCONN, "forked by rank %u: the launcher knows nothing of it",
			       world.self.rank);
	if (world.nranks)
		return 0;
	err = find_launcher() ?: load();
	if (err)
		return err;
	status = pmix.init(&world.self, NULL, 0);
	if (status != PMIX_SUCCESS)
		return vn_fail(-ENOTCONN, "the launcher's PMIx server does not answer: %s",
			       pmix.error_string(status));
	err = job_size(&nranks);
	if (err) {
		pmix.finalize(NULL, 0);
		return err;
	}
	world.pid = getpid();
	world.nranks = nranks;
	atexit(leave);
	return 0;
}

int vn_world(int *rank, int *nranks)
{
	int err;

	pthread_mutex_lock(&world_lock);
	err = begin();
	pthread_mutex_unlock(&world_lock);
	if (err)
		return err;
	*rank = (int)world.self.rank;
	*nranks = (int)world.nranks;
	return 0;
}

/* ---- the id ---------------------------------------------------------------- */

static int publish(const char *key, vn_unique_id *id)
{
	pmix_value_t value = { .type = PMIX_BYTE_OBJECT };
	pmix_status_t status;
	int err = vn_get_unique_id(id);

	if (err)
		return err;
	value.data.bo.bytes = id->internal;
	value.data.bo.size = sizeof(id->internal);
	status = pmix.put(PMIX_GLOBAL, key, &value);
	if (status == PMIX_SUCCESS)
		status = pmix.commit();
	if (status != PMIX_SUCCESS)
		return vn_fail(-EPROTO, "rank 0: the launcher does not take the unique id: %s",
			       pmix.error_string(status));
	return 0;
}

/* What a get answers. Who asked may have gone by then: the second of both frees it. */
struct answer {
	pthread_mutex_t lock;
	pthread_cond_t there;
	bool done, forsaken;
	pmix_status_t status;
	bool fits;
	vn_unique_id id;
};

static void answer_free(struct answer *a)
{
	pthread_cond_destroy(&a->there);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static struct answer *answer_new(void)
{
	struct answer *a = calloc(1, sizeof(*a));
	pthread_condattr_t attr;

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->there, &attr);
	pthread_condattr_destroy(&attr);
	return a;
}

/* In libpmix's own thread. */
static void answered(pmix_status_t status, pmix_value_t *value, void *data)
{
	struct answer *a = data;
	bool forsaken;

	pthread_mutex_lock(&a->lock);
	a->status = status;
	if (status == PMIX_SUCCESS && value && value->type == PMIX_BYTE_OBJECT &&
	    value->data.bo.size == sizeof(a->id)) {
		memcpy(&a->id, value->data.bo.bytes, sizeof(a->id));
		a->fits = true;
	}
	a->done = true;
	forsaken = a->forsaken;
	pthread_cond_signal(&a->there);
	pthread_mutex_unlock(&a->lock);
	if (forsaken)
		answer_free(a);
}

/* Waits until the deadline; false: it came, and the answer is no longer the caller's. */
static bool await(struct answer *a, uint64_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / 1000000000),
			       .tv_nsec = (long)(deadline % 1000000000) };
	bool done;

	pthread_mutex_lock(&a->lock);
	while (!a->done && pthread_cond_timedwait(&a->there, &a->lock, &ts) != ETIMEDOUT)
		;
	done = a->done;
	a->forsaken = !done;
	pthread_mutex_unlock(&a->lock);
	return done;
}

/*
 * One question, until the deadline. PMIX_ERR_NOT_FOUND: rank 0 has committed other keys
 * so far; PMIX_ERR_TIMEOUT: it has not been heard of yet, and the launcher would not wait
 * for longer.
 */
static pmix_status_t ask(const char *key, vn_unique_id *id, uint64_t deadline)
{
	struct answer *a = answer_new();
	pmix_proc_t first = world.self;
	pmix_status_t status;

	if (!a)
		return PMIX_ERR_NOMEM;
	first.rank = 0;
	status = pmix.get_nb(&first, key, NULL, 0, answered, a);
	if (status == PMIX_SUCCESS) {
		if (!await(a, deadline))
			return PMIX_ERR_TIMEOUT;
		status = a->status;
	}
	if (status == PMIX_SUCCESS && !a->fits)
		status = PMIX_ERR_TYPE_MISMATCH;
	*id = a->id;
	answer_free(a);
	return status;
}

static int fetch(const char *key, vn_unique_id *id, uint64_t timeout_ns)
{
	uint64_t deadline = vn_deadline(timeout_ns);
	useconds_t pause = 500;
	pmix_status_t status;

	for (;;) {
		status = ask(key, id, deadline);
		if (status != PMIX_ERR_NOT_FOUND && status != PMIX_ERR_TIMEOUT)
			break;
		if (vn_now() >= deadline)
			return vn_fail(-ETIMEDOUT,
				       "rank %u of %u: rank 0 did not call vn_comm_init_world() "
				       "within %llu ms",
				       world.self.rank, world.nranks,
				       (unsigned long long)(timeout_ns / 1000000));
		usleep(pause);
		if (pause < MOST_PAUSE_US)
			pause *= 2;
	}
	if (status != PMIX_SUCCESS)
		return vn_fail(-EPROTO, "rank %u of %u: no unique id from rank 0: %s",
			       world.self.rank, world.nranks, pmix.error_string(status));
	return 0;
}

int coll_world_id(vn_unique_id *id, uint64_t timeout_ns)
{
	int rank, nranks, err = vn_world(&rank, &nranks);
	char key[48];

	if (err)
		return err;
	snprintf(key, sizeof(key), "vneuron.world.%llu",
		 (unsigned long long)__atomic_fetch_add(&world.calls, 1, __ATOMIC_RELAXED));
	return rank ? fetch(key, id, timeout_ns) : publish(key, id);
}

/* ---- joining --------------------------------------------------------------- */

static bool has(const struct vn_config *config, size_t end)
{
	return config && config->size >= end;
}

#define HAS(config, field) has(config, offsetof(struct vn_config, field) + sizeof((config)->field))

static uint64_t timeout_of(const struct vn_config *config)
{
	const char *ms = getenv("VNEURON_COLL_TIMEOUT_MS");

	if (HAS(config, timeout_ns) && config->timeout_ns)
		return config->timeout_ns;
	return (ms ? strtoull(ms, NULL, 0) * 1000000 : 0) ?: DEFAULT_TIMEOUT_NS;
}

int vn_comm_init_world(vn_comm_t *comm, const struct vn_config *config)
{
	vn_device_t dev = HAS(config, dev) && config->dev ? config->dev : coll_set_device();
	vn_unique_id id;
	int rank, nranks, err = vn_world(&rank, &nranks);

	if (err)
		return err;
	/* Each would wait for the others in vain. */
	if (nranks > 1 && dev && dev->home == &vn_home_embedded)
		return vn_fail(-EXDEV,
			       "rank %d of %d: %s lies in this process, where the ranks are "
			       "threads; several processes need the module",
			       rank, nranks, dev->spec);
	err = coll_world_id(&id, timeout_of(config));
	return err ?: vn_comm_init_rank_config(comm, nranks, id, rank, config);
}
