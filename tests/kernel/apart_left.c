// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What comes and goes with ranks that are processes: memory freed and allocated anew
 * between operations, while others still have it mapped, more of it than a chip has;
 * windows; communicators made and destroyed again and again. Behind it all a process has
 * as many open files, and the chips as much memory and as many windows and queues, as
 * before.
 */
#include <dirent.h>

#include "sums.h"

/* ---- memory comes and goes ---------------------------------------------------------- */

static unsigned int one_buffer(struct band *b, int32_t i, uint64_t bytes)
{
	struct vn_mem m = take(b->dev, (uint32_t)b->rank, bytes);
	int32_t *p = m.ptr;
	size_t n = i % 3 ? 600 : 6000;
	unsigned int wrong;
	struct vn_op op;
	int err;

	/* Where another one was, or not. */
	fill(b, p, n, i);
	op = sum_record(p, p, n);
	op.way = (enum vn_way)(i % VN_WAY_COUNT);
	err = vn_op_start(&op, b->comm, NULL, NULL) ?: vn_comm_sync(b->comm, LONG);
	wrong = sum_wrong(b, p, n, i);
	err = err
		      ?: vn_send(p, n, VN_INT32, band_next(b, 1), b->comm, NULL)
		      ?: vn_recv(p + n, n, VN_INT32, band_next(b, -1), b->comm, NULL)
		      ?: vn_comm_sync(b->comm, LONG);
	wrong += sum_wrong(b, p + n, n, i) + band_bad(b, err, "a new buffer");
	/* At once: others have it mapped, and may still be about to look. */
	NEED(vn_mem_free(b->dev, &m));
	return wrong;
}

static unsigned int come_and_go(struct band *b)
{
	unsigned int wrong = 0;

	for (int32_t i = 0; i < (quick() ? 30 : 1000); i++)
		wrong += one_buffer(b, i, 64u << (10 + i % 5 % 3));
	return wrong;
}

/* In all more than a chip has: what others had mapped must not count as taken. */
static unsigned int large(struct band *b)
{
	struct vn_chip_query q;
	unsigned int wrong = 0;

	NEED(vn_chip_query(b->dev, (uint32_t)b->rank, &q));
	for (int32_t i = 0; i < (quick() ? 20 : 120); i++)
		wrong += one_buffer(b, i, q.hbm_bytes / 8);
	return wrong;
}

/* Windows of a communicator may go one after the other, too. */
static unsigned int windows(struct band *b)
{
	unsigned int wrong = 0;
	int err = 0;

	for (int i = 0; i < 20; i++) {
		struct vn_mem m = take(b->dev, (uint32_t)b->rank, 8192);
		struct message out = { b->rank, band_next(b, 1), (uint32_t)i, 3000 };
		struct message in = { band_next(b, -1), b->rank, (uint32_t)i, 3000 };
		static char local[3000];
		vn_comm_window_t w;

		message_await(&in, m.ptr);
		message_write(&out, local);
		err = vn_comm_window_register(b->comm, m.ptr, 8192, &w, 0)
			      ?: vn_put(local, 3000, VN_UINT8, out.to, w, 0, b->comm, NULL)
			      ?: vn_barrier(b->comm, NULL)
			      ?: vn_comm_window_deregister(b->comm, w);
		wrong += message_wrong(&in, m.ptr) + band_bad(b, err, "a new window");
		NEED(vn_mem_free(b->dev, &m));
	}
	return wrong;
}

/* ---- nothing is left ---------------------------------------------------------------- */

struct used {
	uint64_t files, hbm, windows, queues;
};

static uint64_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!d)
		NEED(-EIO);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct used used(vn_device_t dev, int chips)
{
	struct used u = { .files = open_files() };
	struct vn_chip_query q;

	for (int chip = 0; chip < chips; chip++) {
		NEED(vn_chip_query(dev, (uint32_t)chip, &q));
		u.hbm += q.hbm_used;
		u.windows += q.windows;
		u.queues += q.queues;
	}
	return u;
}

static unsigned int used_more(const struct used *was, const struct used *is, const char *who)
{
	if (!memcmp(was, is, sizeof(*was)))
		return 0;
	tap_diag("%s: left behind: %lld files, %lld bytes of HBM, %lld windows, %lld queues", who,
		 (long long)(is->files - was->files), (long long)(is->hbm - was->hbm),
		 (long long)(is->windows - was->windows), (long long)(is->queues - was->queues));
	return 1;
}

/* One life: everything that takes something. */
static unsigned int live(struct band *b, vn_comm_t c, int32_t i)
{
	static int32_t host[2][5000];
	vn_persistent_t p;
	vn_comm_window_t w;
	struct vn_mem m = take(b->dev, (uint32_t)b->rank, 4096);
	struct vn_op op = sum_record(host[0], host[1], i % 2 ? 10 : 5000);
	unsigned int wrong;
	int err;

	fill(b, host[0], op.count, i);
	err = vn_op_init(&op, c, &p) ?: vn_op_launch(p, NULL, NULL) ?: vn_comm_sync(c, LONG);
	wrong = sum_wrong(b, host[1], op.count, i);
	err = err ?: vn_comm_window_register(c, m.ptr, 4096, &w, 0);
	err = err ?: vn_put(host[0], 10, VN_INT32, band_next(b, 1), w, 0, c, NULL);
	err = err ?: vn_barrier(c, NULL) ?: vn_comm_sync(c, LONG);
	wrong += band_bad(b, err, "a life");
	NEED(vn_mem_free(b->dev, &m));
	return wrong;
}

static int pause_all(struct band *b)
{
	return vn_barrier(b->comm, NULL) ?: vn_comm_sync(b->comm, LONG);
}

static unsigned int again_and_again(struct band *b)
{
	int lives = quick() ? 15 : 200;
	unsigned int wrong = 0;
	struct used was, is;

	for (int32_t i = 0; i < lives; i++) {
		vn_unique_id id = tell_id(b);
		vn_comm_t c = reversed(b, &id);

		wrong += live(b, c, i);
		wrong += band_bad(b, vn_comm_destroy(c), "destroy");
		/* The first ones take what stays. */
		NEED(pause_all(b));
		if (i == 2)
			was = used(b->dev, b->ranks);
		NEED(pause_all(b));
	}
	is = used(b->dev, b->ranks);
	NEED(pause_all(b));
	return wrong + used_more(&was, &is, "a process");
}

int main(void)
{
	vn_device_t dev = device();
	struct used was = used(dev, 5), is;

	band_point(3, come_and_go, "memory comes and goes");
	band_point(2, large, "much memory comes and goes");
	band_point(3, windows, "windows come and go");
	band_point(2, again_and_again, "communicators come and go");
	band_point(5, again_and_again, "communicators come and go");
	is = used(dev, 5);
	tap_ok(!used_more(&was, &is, "the parent"), "nothing is left");
	vn_close(dev);
	return tap_done();
}
