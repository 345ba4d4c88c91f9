// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Gates: threads that touch HBM with the CPU, not through the engine. What a chunk is
 * for a runner, a stay inside its gate is for such a thread: who moves HBM changes a
 * word, and then waits until each has been seen outside, or in a later stay. Going in
 * costs two plain stores; who waits pays the barrier.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../coll/fence.h"
#include "../home.h"
#include "embed.h"

/* Never given back; a thread that ends leaves it to another. */
struct gate {
	struct gate *next;
	u32 in; /* atomic: odd inside */
	u32 depth; /* of its thread alone */
	u32 taken; /* atomic */
	pid_t tid;
};

static struct gate *gates; /* atomic */
static _Thread_local struct gate *own;
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void give_up(void *arg)
{
	struct gate *g = arg;

	if (g->depth)
		vn_store_release(&g->in, g->in + 1);
	g->depth = 0;
	vn_store_release(&g->taken, 0u);
}

static void make_key(void)
{
	pthread_key_create(&at_exit, give_up);
}

static struct gate *find(void)
{
	struct gate *g;

	pthread_once(&once, make_key);
	for (g = vn_load_acquire(&gates); g; g = g->next)
		if (!READ_ONCE(g->taken) && !vn_xchg(&g->taken, 1u))
			break;
	if (!g) {
		/* Without it nothing that moves could be written to safely. */
		g = calloc(1, sizeof(*g));
		if (!g)
			abort();
		g->taken = 1;
		do
			g->next = vn_load_acquire(&gates);
		while (vn_cmpxchg(&gates, g->next, g) != g->next);
	}
	g->tid = (pid_t)syscall(SYS_gettid);
	pthread_setspecific(at_exit, g);
	own = g;
	return g;
}

void embed_gate_enter(void)
{
	struct gate *g = own ?: find();

	if (!g->depth++) {
		WRITE_ONCE(g->in, g->in + 1);
		coll_fence_light();
	}
}

void embed_gate_leave(void)
{
	if (!--own->depth)
		vn_store_release(&own->in, own->in + 1);
}

bool embed_gate_inside(void)
{
	return own && own->depth;
}

pid_t embed_gates_pass(u64 deadline)
{
	/* Pairs with those who went in before they could see what was changed. */
	coll_fence_heavy(false);
	for (struct gate *g = vn_load_acquire(&gates); g; g = g->next) {
		u32 mark = vn_load_acquire(&g->in);

		if (g == own)
			continue;
		for (u32 n = 0; mark & 1 && vn_load_acquire(&g->in) == mark; n++) {
			if (vn_now() > deadline)
				return g->tid;
			if (n < 100)
				vn_relax();
			else
				nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
		}
	}
	return 0;
}
