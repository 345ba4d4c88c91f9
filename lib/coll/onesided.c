// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Windows of a communicator, puts and gets by loads and stores, and signals. The
 * rank that calls does it all; the other one only looks at its signals.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coll.h"
#include "../../kmod/engine/ops.h"

/* Bytes copied between two looks at whether all has failed. */
#define PIECE (1u << 20)

/* What a rank says of its buffer. */
struct coll_part {
	uint64_t at, bytes; /* at: as in a post */
	uint64_t key;
};

/* Of one rank; filled by an all_gather, before anything behind it begins. */
struct vn_lib_window {
	struct vn_lib_window *next;
	struct vn_lib_comm *comm;
	uint64_t ready; /* when the rank has completed that many operations */
	void *ptr; /* of this rank's */
	struct coll_part mine;
	struct coll_part of[]; /* [ranks] */
};

/* ---- windows ----------------------------------------------------------------- */

static struct vn_lib_window **find(struct vn_lib_comm *c, const struct vn_lib_window *w)
{
	struct vn_lib_window **at;

	for (at = &c->windows; *at && *at != w; at = &(*at)->next)
		;
	return at;
}

/* All ranks' buffers come by an all_gather, in order with what uses them. */
static int gather(struct vn_lib_comm *c, struct vn_lib_window *w)
{
	struct coll_call call = {
		.op = VN_ALL_GATHER,
		.type = VN_UINT64,
		.count = sizeof(w->mine) / 8,
		.send = &w->mine,
		.recv = w->of,
	};
	int err;

	w->ready = c->started + c->held + 1;
	err = coll_begin(c, &call);
	return err || coll_grouped() ? err : coll_wait(c, w->ready, VN_FOREVER);
}

static int check(const struct vn_lib_comm *c, const void *buff, size_t size, const void *window,
		 int flags)
{
	if (!c || !window)
		return vn_fail(-EINVAL, "window: no %s",
			       c ? "place for the handle" : "communicator");
	if (flags & ~VN_WIN_COLL_SYMMETRIC)
		return vn_fail(-EINVAL, "rank %u: window: unknown flags %#x", c->rank, flags);
	if (size && !buff)
		return vn_fail(-EINVAL, "rank %u: window: no buffer", c->rank);
	if ((uintptr_t)buff % 8)
		return vn_fail(-EINVAL, "rank %u: window: a buffer that is not aligned to 8 bytes",
			       c->rank);
	return 0;
}

static int expose(struct vn_lib_comm *c, struct vn_lib_window *w)
{
	uint32_t key;
	int err = coll_expose(c, w->ptr, w->mine.bytes, COLL_RECV, &w->mine.at, &key);

	w->mine.key = key;
	return err == -ENOENT
		       ? vn_fail(-EINVAL,
				 "rank %u: window: its buffer must be in HBM: ranks of other "
				 "processes can't reach it",
				 c->rank)
		       : err;
}

int vn_comm_window_register(vn_comm_t c, void *buff, size_t size, vn_comm_window_t *window,
			    int flags)
{
	struct vn_lib_window *w;
	int err = check(c, buff, size, window, flags);

	if (err)
		return coll_refuse(err);
	w = calloc(1, sizeof(*w) + c->team->ranks * sizeof(*w->of));
	if (!w)
		return coll_refuse(vn_fail(-ENOMEM, "rank %u: no memory for a window", c->rank));
	w->comm = c;
	w->mine = (struct coll_part){ .at = (uintptr_t)buff, .bytes = size };
	w->ptr = buff;
	if (size)
		err = c->team->apart				    ? expose(c, w)
		      : coll_check_memory(c, buff, size, COLL_RECV) ? 0
								    : coll_error(c->team);
	if (err) {
		free(w);
		return coll_refuse(err);
	}
	/* Once it is started the handle lives as long as the operation may. */
	w->next = c->windows;
	c->windows = w;
	err = gather(c, w);
	*window = err ? NULL : w;
	return err;
}

int vn_comm_window_deregister(vn_comm_t c, vn_comm_window_t window)
{
	struct vn_lib_window **at;
	int err;

	if (!c || !window || !*(at = find(c, window)))
		return vn_fail(-EINVAL, "no such window of this communicator");
	/* Some may be about it; they begin when the group ends. */
	if (c->held)
		return vn_fail(-EBUSY, "rank %u: window: a group holds operations back", c->rank);
	err = coll_wait(c, c->started, VN_FOREVER);
	*at = window->next;
	free(window);
	return err;
}

int vn_win_get_user_ptr(vn_comm_t c, vn_comm_window_t window, void **ptr)
{
	if (!c || !window || !*find(c, window))
		return vn_fail(-EINVAL, "no such window of this communicator");
	*ptr = window->ptr;
	return 0;
}

void coll_windows_free(struct vn_lib_comm *c)
{
	struct vn_lib_window *w;

	while ((w = c->windows)) {
		c->windows = w->next;
		free(w);
	}
	free(c->taken);
}

static int reaches(const struct coll_call *call, const struct vn_lib_window *w)
{
	const struct coll_part *part = &w->of[call->root];
	uint64_t bytes = call->count * vn_type_bytes(call->type);

	if (call->offset <= part->bytes && bytes <= part->bytes - call->offset)
		return 0;
	return vn_fail(-ERANGE,
		       "%s: rank %u: %llu bytes at %llu, but the window of rank %d has %llu",
		       vn_coll_name(call->op), w->comm->rank, (unsigned long long)bytes,
		       (unsigned long long)call->offset, call->root,
		       (unsigned long long)part->bytes);
}

int coll_window_check(struct vn_lib_comm *c, const struct coll_call *call)
{
	const struct vn_lib_window *w = call->window;

	if (!w || !*find(c, w))
		return vn_fail(-EINVAL, "%s: rank %u: no such window of this communicator",
			       vn_coll_name(call->op), c->rank);
	if (call->offset % vn_type_bytes(call->type))
		return vn_fail(-EINVAL, "%s: rank %u: offset %llu is not aligned to its type",
			       vn_coll_name(call->op), c->rank, (unsigned long long)call->offset);
	/* Registered in this very group: it is looked at when its turn comes. */
	return c->completed >= w->ready ? reaches(call, w) : 0;
}

int coll_signals_init(struct vn_lib_comm *c)
{
	size_t bytes = c->team->ranks * sizeof(*c->taken);

	if (c->taken)
		return 0;
	c->taken = aligned_alloc(64, bytes);
	if (!c->taken)
		return -ENOMEM;
	memset(c->taken, 0, bytes);
	return 0;
}

/* ---- moving ------------------------------------------------------------------- */

static struct coll_signals *given(const struct coll_team *t, uint32_t to, uint32_t from)
{
	return &t->board.signals[to * t->ranks + from];
}

static void give(struct vn_lib_comm *c, uint32_t to, uint32_t index)
{
	coll_step(c->rank);
	/* All that this rank did before; pairs with the load in come(). */
	__atomic_fetch_add(&given(c->team, to, c->rank)->given[index], 1, __ATOMIC_RELEASE);
	coll_wake(c->team);
}

/* In pieces: after a failure it stops soon. */
static void copy(const struct coll_team *t, char *to, const char *from, uint64_t bytes)
{
	bool stream = 2 * bytes > t->stream_bytes;
	uint64_t n;

	for (uint64_t at = 0; at < bytes && !coll_failed(t); at += n) {
		n = bytes - at < PIECE ? bytes - at : PIECE;
		coll_copy(t, to + at, from + at, n, stream);
	}
}

/* Between this rank's buffer and another's; false: the communicator has failed. */
static bool move(struct vn_lib_comm *c, const struct coll_call *call)
{
	const struct coll_part *part = &call->window->of[call->root];
	uint64_t bytes = call->count * vn_type_bytes(call->type);
	struct coll_team *t = c->team;
	char *there = (char *)part->at;

	if (!bytes)
		return true;
	if (!coll_touch(c))
		return false;
	coll_step(c->rank);
	if (t->apart)
		there = coll_reach(t, (uint32_t)call->root, (uint32_t)part->key, part->at, NULL);
	if (there && call->op == VN_GET)
		copy(t, call->recv, there + call->offset, bytes);
	else if (there)
		copy(t, there + call->offset, call->send, bytes);
	if (t->apart)
		coll_reached(t);
	coll_touched(c);
	return there;
}

bool coll_onesided_post(struct vn_lib_comm *c, struct coll_pending *d)
{
	const struct coll_call *call = &d->call;

	if (call->op == VN_WAIT_SIGNAL)
		return true;
	if (call->op != VN_SIGNAL) {
		int err = reaches(call, call->window);

		if (err)
			coll_fail(c->team, err, "%s", vn_error());
		if (err || !move(c, call))
			return true;
	}
	if (call->op != VN_PUT && call->op != VN_GET)
		give(c, (uint32_t)call->root, call->signal);
	d->done = true;
	return true;
}

static uint64_t come(const struct vn_lib_comm *c, const struct coll_wanted *w)
{
	const struct coll_signals *s = given(c->team, c->rank, w->peer);

	return __atomic_load_n(&s->given[w->index], __ATOMIC_ACQUIRE) -
	       c->taken[w->peer].given[w->index];
}

bool coll_onesided_finish(struct vn_lib_comm *c, struct coll_pending *d)
{
	const struct coll_wanted *w = d->call.wanted;
	uint32_t i;

	if (d->call.op != VN_WAIT_SIGNAL)
		return d->done;
	for (i = 0; i < d->call.nwanted; i++)
		if (come(c, &w[i]) < w[i].count)
			return false;
	for (i = 0; i < d->call.nwanted; i++)
		c->taken[w[i].peer].given[w[i].index] += w[i].count;
	return true;
}

void coll_onesided_missing(const struct coll_pending *d, char *text, size_t size)
{
	size_t at = 0;

	for (uint32_t i = 0; i < d->call.nwanted && at + 80 < size; i++) {
		const struct coll_wanted *w = &d->call.wanted[i];
		uint64_t have = come(d->comm, w);

		if (have < w->count)
			at += (size_t)snprintf(text + at, size - at,
					       "%srank %u has given signal %u %llu of %llu times",
					       at ? ", " : "", w->peer, w->index,
					       (unsigned long long)have,
					       (unsigned long long)w->count);
	}
}
