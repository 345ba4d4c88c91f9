// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Entries of status pages: who gets one, and what is written there now and then. */
#include <string.h>

#include "status.h"

/* Guards the lists of pages of all devices, and which entries are taken. */
static pthread_mutex_t pages_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * The name is 64 bits made of the id's 448 random ones. Whoever sees it, and that of the
 * socket (boot.h), knows that much less of the id: 256 bits are left to be guessed.
 */
static void name_of(const vn_unique_id *id, char *name)
{
	uint64_t mix = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < sizeof(id->internal); i++) {
		mix = (mix ^ (unsigned char)id->internal[i]) * 0xff51afd7ed558ccd;
		mix ^= mix >> 32;
	}
	for (int i = 0; i < VN_COMM_NAME; i++, mix >>= 4)
		name[i] = "0123456789abcdef"[mix & 15];
}

static bool another_page(vn_device_t dev)
{
	struct vn_status_create a = { 0 };
	struct vn_status_destroy undo = { 0 };
	void *page;

	if (dev->nstatus == VN_STATUS_PAGES_MAX ||
	    vn_call(dev, VN_IOCTL_STATUS_CREATE, &a, sizeof(a)))
		return false;
	if (dev->home->map(dev->ctx, a.mmap_offset, a.bytes, true, &page)) {
		undo.mmap_offset = a.mmap_offset;
		vn_call(dev, VN_IOCTL_STATUS_DESTROY, &undo, sizeof(undo));
		return false;
	}
	dev->status[dev->nstatus++] = page;
	return true;
}

/* One that nobody uses, or, with left, nobody any more. */
static struct vn_rank_status *find(vn_device_t dev, bool left)
{
	for (uint32_t p = 0; p < dev->nstatus; p++) {
		for (uint32_t i = 0; i < VN_STATUS_ENTRIES; i++) {
			struct vn_rank_status *s = &dev->status[p][i];
			uint32_t flags = __atomic_load_n(&s->flags, __ATOMIC_ACQUIRE);

			if (left ? flags & VN_RANK_LEFT : !flags)
				return s;
		}
	}
	return NULL;
}

void coll_status_enter(struct vn_lib_comm *c)
{
	vn_device_t dev = c->team->dev;
	struct vn_rank_status *s;
	char name[VN_COMM_NAME];

	name_of(&c->team->id, name);
	pthread_mutex_lock(&pages_lock);
	s = find(dev, false) ?: find(dev, true);
	if (!s && another_page(dev))
		s = find(dev, false);
	s = s ?: &c->unshown;
	c->shown = s;
	/* Off, while it becomes another one's. */
	coll_status_set(s->flags, 0);
	coll_status_begin(s);
	for (int i = 0; i < VN_COMM_NAME; i++)
		coll_status_set(s->name[i], (uint8_t)name[i]);
	coll_status_set(s->ranks, c->team->ranks);
	coll_status_set(s->rank, c->rank);
	coll_status_set(s->chip, VN_NO_CHIP);
	coll_status_set(s->error, 0);
	coll_status_set(s->completed, 0);
	coll_status_set(s->posted, 0);
	coll_status_set(s->started, 0);
	coll_status_set(s->since_ns, vn_now());
	coll_status_set(s->pending, 0);
	coll_status_set(s->number, 0);
	coll_status_set(s->bytes, 0);
	coll_status_set(*coll_status_what(s), 0);
	coll_status_end(s);
	__atomic_store_n(&s->flags, VN_RANK_USED | VN_RANK_JOINING, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&pages_lock);
}

void coll_status_joined(struct vn_lib_comm *c)
{
	struct vn_rank_status *s = c->shown;

	coll_status_begin(s);
	coll_status_set(s->chip, c->team->board.member[c->rank].chip);
	coll_status_end(s);
	coll_status_set(s->since_ns, 0);
	coll_status_set(s->flags, VN_RANK_USED);
}

void coll_status_agrees(struct vn_lib_comm *c, bool waits)
{
	struct vn_rank_status *s = c->shown;

	coll_status_set(s->since_ns, waits ? vn_now() : 0);
	coll_status_set(s->flags,
			waits ? s->flags | VN_RANK_AGREEING : s->flags & ~VN_RANK_AGREEING);
}

void coll_status_failed(struct vn_lib_comm *c, int err)
{
	struct vn_rank_status *s = c->shown;

	/* The first is told; what was called after it is cut short, too. */
	if (s->flags & VN_RANK_FAILED)
		return;
	coll_status_set(s->error, (uint32_t)-err);
	coll_status_set(s->flags, s->flags | VN_RANK_FAILED);
}

/* Whoever comes next may take the entry: nothing is written there after this. */
void coll_status_leave(struct vn_lib_comm *c)
{
	struct vn_rank_status *s = c->shown;
	int err = coll_failed(c->team);

	if (err)
		coll_status_failed(c, err);
	coll_status_set(s->since_ns, 0);
	c->shown = &c->unshown;
	/* It never belonged to the others. */
	__atomic_store_n(&s->flags, s->flags & VN_RANK_JOINING ? 0 : s->flags | VN_RANK_LEFT,
			 __ATOMIC_RELEASE);
}
