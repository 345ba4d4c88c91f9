// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HBM of the embedded device for other processes: a memfd takes its place in this one. It
 * can't be told when they close it; but a lease can be had only on a file that nobody else has
 * open, so whether they have is asked when it matters.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../home.h"
#include "embed.h"

/* How long a thread may stay with HBM that is to be exported. */
#define STAY_NS 1000000000ull

/* The file behind an fd once more, as another open file of it. */
static int open_again(int fd, int flags)
{
	char link[32];
	int again;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	again = open(link, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

/* A memfd as long, of which no fd is ever given away. */
static int new_file(u64 bytes)
{
	int first = memfd_create("vneuron-hbm", MFD_CLOEXEC | MFD_ALLOW_SEALING), fd;

	if (first < 0)
		return -errno;
	fd = ftruncate(first, (off_t)bytes) ? -errno : open_again(first, O_RDWR);
	/* The one that made it does not count as one that has it open. */
	close(first);
	return fd;
}

static bool is_alive(const struct embed_export *e)
{
	/* Should somebody open it in between: he is told by a signal that does nothing. */
	fcntl(e->fd, F_SETSIG, SIGURG);
	if (fcntl(e->fd, F_SETLEASE, F_WRLCK))
		return true;
	fcntl(e->fd, F_SETLEASE, F_UNLCK);
	return false;
}

static void free_export(struct embed_export *e)
{
	close(e->fd);
	free(e);
}

/* How many somebody has; those that nobody has go. */
static u32 count_alive(struct embed_mem *m)
{
	struct embed_export **at = &m->exports, *e;
	u32 n = 0;

	while ((e = *at)) {
		if (is_alive(e)) {
			n++;
			at = &e->next;
			continue;
		}
		/* What moves it has not seen what was written through it. */
		if (READ_ONCE(m->hbm.dirty))
			vn_hbm_mark(m->hbm.dirty, e->offset, e->bytes);
		*at = e->next;
		free_export(e);
	}
	return n + m->exporting;
}

static bool among(u32 chip, const struct vn_moves *moves)
{
	for (u32 i = 0; i < moves->n; i++)
		if (moves->chip[i] == chip)
			return true;
	return false;
}

void embed_exports_holder(struct embed_device *dev, const struct vn_moves *moves, bool moving,
			  struct embed_holder *h)
{
	struct embed_context *ctx;
	struct embed_mem *m;
	u32 n;

	*h = (struct embed_holder){ 0 };
	for (ctx = dev->contexts; ctx; ctx = ctx->next) {
		for (m = ctx->mems; m; m = m->next) {
			if (!among(m->hbm.chip, moves) || (moving && !m->move))
				continue;
			n = count_alive(m);
			if (!n)
				continue;
			h->exports += n;
			h->context = ctx->id;
			h->pid = (u32)getpid();
		}
	}
}

void embed_exports_free(struct embed_mem *m)
{
	struct embed_export *e;

	while ((e = m->exports)) {
		m->exports = e->next;
		free_export(e);
	}
}

/* ---- taking the place of HBM ---------------------------------------------------------- */

/* Nobody writes there from now on, until open_gates(); objects held, but not all the time. */
static int close_gates(struct embed_device *dev, struct embed_mem *m)
{
	pid_t holder;

	m->exporting = true;
	vn_fetch_add(&dev->moving, 1u);
	vn_fetch_add(&embed_move_gen, 1u);
	vn_xchg(&m->hbm.fenced, 1u);
	/* Who is inside may want it. */
	pthread_mutex_unlock(&dev->objects);
	holder = embed_gates_pass(vn_now() + STAY_NS);
	embed_runners_wait(dev);
	pthread_mutex_lock(&dev->objects);
	return holder ? -EBUSY : 0;
}

static void open_gates(struct embed_device *dev, struct embed_mem *m)
{
	vn_xchg(&m->hbm.fenced, 0u);
	vn_fetch_add(&dev->moving, -1u);
	m->exporting = false;
	pthread_cond_broadcast(&dev->unfenced);
	embed_semaphores(dev);
}

/* The bytes are there, and then it is the same memory. */
static int take_place(struct embed_mem *m, const struct embed_export *e)
{
	u8 *to = m->hbm.base + e->offset;
	void *p = mmap(NULL, e->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, err = 0;

	if (p == MAP_FAILED)
		return -ENOMEM;
	memcpy(p, to, e->bytes);
	if (mmap(to, e->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, e->fd, 0) ==
	    MAP_FAILED)
		err = -ENOMEM;
	munmap(p, e->bytes);
	if (!(e->flags & VN_EXPORT_WRITE))
		seals |= F_SEAL_FUTURE_WRITE;
	/* Nobody makes it shorter, so that what lies there is there. */
	return err ?: fcntl(e->fd, F_ADD_SEALS, seals) ? -errno : 0;
}

static int export_new(struct embed_device *dev, struct embed_mem *m, const struct vn_mem_export *a,
		      struct embed_export **to)
{
	struct embed_export *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->offset = a->addr & VN_ADDR_OFFSET_MASK;
	e->bytes = a->bytes;
	e->flags = a->flags;
	e->fd = new_file(e->bytes);
	if (e->fd < 0) {
		err = e->fd;
		free(e);
		return err;
	}
	err = close_gates(dev, m) ?: take_place(m, e);
	open_gates(dev, m);
	if (err) {
		free_export(e);
		return err;
	}
	e->next = m->exports;
	m->exports = e;
	*to = e;
	return 0;
}

/* One that is the same; or -EBUSY: part of it is another's, or it can't be now. */
static int find_export(struct embed_mem *m, const struct vn_mem_export *a, struct embed_export **to)
{
	u64 off = a->addr & VN_ADDR_OFFSET_MASK;

	*to = NULL;
	count_alive(m);
	for (struct embed_export *e = m->exports; e; e = e->next) {
		if (e->offset == off && e->bytes == a->bytes && e->flags == a->flags) {
			*to = e;
			return 0;
		}
		if (off < e->offset + e->bytes && e->offset < off + a->bytes)
			return -EBUSY;
	}
	return m->move || m->exporting ? -EBUSY : 0;
}

static int find_mem(struct embed_context *ctx, const struct vn_mem_export *a, struct embed_mem **to)
{
	u64 off = a->addr & VN_ADDR_OFFSET_MASK;
	struct vn_window *own;
	u32 status;

	own = vn_table_find(&ctx->own, vn_addr_name(a->addr), &status);
	if (!own || own->chip != a->chip || ((struct embed_mem *)own->owner)->leaving)
		return -ENOENT;
	if ((off | a->bytes) & (VN_HBM_PAGE - 1) || off > own->bytes || a->bytes > own->bytes - off)
		return -EINVAL;
	*to = own->owner;
	return READ_ONCE((*to)->hbm.lost) ? -EHOSTDOWN : 0;
}

int embed_mem_export(struct embed_context *ctx, struct vn_mem_export *a)
{
	struct embed_export *e = NULL;
	struct embed_mem *m;
	int err;

	pthread_mutex_lock(&ctx->dev->objects);
	err = find_mem(ctx, a, &m) ?: find_export(m, a, &e);
	if (!err && !e)
		err = export_new(ctx->dev, m, a, &e);
	if (!err) {
		a->fd = open_again(e->fd, a->flags & VN_EXPORT_WRITE ? O_RDWR : O_RDONLY);
		err = a->fd < 0 ? a->fd : 0;
	}
	pthread_mutex_unlock(&ctx->dev->objects);
	return err;
}
