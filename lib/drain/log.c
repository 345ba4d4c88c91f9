// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../home.h"
#include "../include/vneuron/sled.h"
#include "log.h"

/* How long others may have the journal locked, for a record of theirs. */
#define BUSY_NS 1000000000ull
#define RETRY_NS 2000000

/* Held by who has a journal open: threads of this process need not try again and again. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;

static int open_journal(const struct vn_log *l, struct vn_journal **j)
{
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	uint64_t end = vn_now() + BUSY_NS;
	int err;

	pthread_mutex_lock(&open_lock);
	while ((err = vn_journal_open(l->path, &l->shape, j)) == -EBUSY && vn_now() < end)
		nanosleep(&pause, NULL);
	if (err)
		pthread_mutex_unlock(&open_lock);
	return err;
}

static int close_journal(struct vn_journal *j)
{
	int err = vn_journal_close(j);

	pthread_mutex_unlock(&open_lock);
	return err;
}

static void chips_on(struct vn_log *l, uint32_t sled)
{
	struct vn_chip_query q;

	for (uint32_t chip = 0; chip < l->dev->query.chips; chip++)
		if (!vn_chip_query(l->dev, chip, &q) && q.sled == sled &&
		    l->nchips < VN_MAX_CHIPS_PER_SLED)
			l->chip[l->nchips++] = chip;
}

int vn_log_begin(struct vn_log *l, vn_device_t dev, const char *path, uint32_t sled)
{
	struct vn_sled_query q = { .state = VN_SLED_IN_SERVICE };
	struct vn_journal *j;
	int err;

	*l = (struct vn_log){
		.dev = dev,
		.path = path,
		.shape = { dev->query.sleds, dev->query.spares, dev->query.chips_per_sled },
		.last = { .sled = sled, .target = VN_ANY_SLED, .pid = (uint32_t)getpid() },
	};
	if (!path)
		return 0;
	err = vn_sled_query(dev, sled, &q) ?: open_journal(l, &j) ?: close_journal(j);
	l->last.to = q.state;
	chips_on(l, sled);
	return err;
}

void vn_log_by(struct vn_log *l, uint64_t operation, uint32_t uid, const char *reason,
	       uint32_t target)
{
	l->last.operation = operation;
	l->last.uid = uid;
	l->last.target = target;
	strncpy(l->last.reason, reason, VN_REASON - 1);
}

int vn_log_by_sled(struct vn_log *l)
{
	struct vn_sled_query q;
	int err = l->path ? vn_sled_query(l->dev, l->last.sled, &q) : 0;

	if (l->path && !err)
		vn_log_by(l, q.operation, q.uid, (const char *)q.reason, VN_ANY_SLED);
	return err;
}

/* Appends to an open journal, and closes it. */
static int put(struct vn_log *l, struct vn_journal *j, uint32_t to)
{
	struct vn_journal_record r = l->last;
	int err, closed;

	r.from = l->last.to;
	r.to = to;
	r.time_ns = 0;
	err = vn_journal_append(j, &r);
	if (!err)
		vn_drain_point(to, VN_POINT_WRITTEN);
	closed = close_journal(j);
	if (err || closed)
		return err ?: closed;
	l->last = r;
	vn_drain_point(to, VN_POINT_SYNCED);
	return 0;
}

int vn_log_write(struct vn_log *l, uint32_t to)
{
	struct vn_journal *j;
	int err;

	vn_drain_point(to, VN_POINT_BEFORE);
	if (!l->path) {
		l->last.to = to;
		return 0;
	}
	err = open_journal(l, &j);
	return err ?: put(l, j, to);
}

/* ---- without a session on the sled ------------------------------------------------------ */

struct fold {
	uint32_t sled;
	struct vn_journal_record last;
};

static int fold(void *arg, const struct vn_journal_record *r)
{
	struct fold *f = arg;

	if (r->sled == f->sled)
		vn_journal_fold(&f->last, r);
	return 0;
}

/* What last brought the sled into or out of service. */
static int last_of(const struct vn_log *l, struct vn_journal_record *last)
{
	struct fold f = { .sled = l->last.sled };
	int err = vn_journal_read(l->path, &l->shape, fold, &f, NULL);

	*last = f.last;
	return err;
}

int vn_log_end(struct vn_log *l, uint32_t to)
{
	struct vn_journal_record last;
	struct vn_journal *j;
	int err;

	if (!l->path)
		return vn_log_write(l, to);
	vn_drain_point(to, VN_POINT_BEFORE);
	err = open_journal(l, &j);
	if (err)
		return err;
	err = last_of(l, &last);
	if (!err && last.seq == l->last.seq)
		return put(l, j, to);
	return close_journal(j) ?: err;
}

int vn_log_repair(struct vn_log *l, uint32_t state)
{
	struct vn_journal_record last;
	struct vn_sled_query q;
	struct vn_journal *j;
	bool known;
	int err;

	if (!l->path)
		return 0;
	err = open_journal(l, &j);
	if (err)
		return err;
	err = last_of(l, &last) ?: vn_sled_query(l->dev, l->last.sled, &q);
	if (err || q.state != state)
		return close_journal(j) ?: err;
	if (state == VN_SLED_IN_SERVICE) {
		known = !vn_journal_is_out(&last);
	} else {
		known = last.to >= VN_SLED_DRAINED && last.operation == q.operation;
		vn_log_by(l, q.operation, q.uid, (const char *)q.reason, VN_ANY_SLED);
	}
	if (known)
		return close_journal(j);
	l->last.to = vn_journal_is_out(&last) ? last.to : VN_SLED_COMMITTED;
	return put(l, j, state) ?: 1;
}

void vn_log_moved(struct vn_log *l)
{
	uint32_t seen = VN_ANY_SLED;
	struct vn_chip_query q;

	for (uint32_t i = 0; l->path && i < l->nchips; i++) {
		struct vn_log to = *l;

		if (vn_chip_query(l->dev, l->chip[i], &q) || q.sled == seen)
			continue;
		if (seen == VN_ANY_SLED)
			l->last.target = q.sled;
		seen = q.sled;
		to.last.sled = q.sled;
		/* What comes next finds out that it can't be written. */
		vn_log_repair(&to, VN_SLED_IN_SERVICE);
	}
}
