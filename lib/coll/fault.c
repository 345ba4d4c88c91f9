// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How a communicator fails: once, for all ranks, with a text that says why. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "boot.h"
#include "coll.h"

/* Whoever waits long looks that often who is alive. */
#define LOOK_NS 20000000ull
/* Whose memory can't be reached has that long to be seen dead. */
#define DYING_MS 500u

/* Who is at memory of others for that long after a failure will not come back: at most, */
#define GRACE_NS 2000000000ull

uint64_t coll_grace(const struct coll_team *t)
{
	return t->timeout_ns < GRACE_NS ? t->timeout_ns : GRACE_NS;
}

int coll_fail(struct coll_team *t, int err, const char *fmt, ...)
{
	uint32_t none = 0;
	char text[COLL_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&t->lock);
	if (!coll_failed(t)) {
		memcpy(t->board.text[t->speaker], text, sizeof(text));
		__atomic_compare_exchange_n(&t->board.head->fault, &none,
					    t->speaker << 16 | (uint32_t)-err, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&t->lock);
	coll_wake(t);
	return vn_fail(err, "%s", text);
}

const char *coll_fault_text(const struct coll_team *t)
{
	/* It was there before the fault. */
	return t->board.text[__atomic_load_n(&t->board.head->fault, __ATOMIC_SEQ_CST) >> 16];
}

int coll_error(struct coll_team *t)
{
	int err = coll_failed(t);

	return err ? vn_fail(err, "%s", coll_fault_text(t)) : 0;
}

bool coll_gone(const struct coll_team *t, uint32_t rank)
{
	if (__atomic_load_n(&t->board.member[rank].left, __ATOMIC_ACQUIRE))
		return true;
	/* A rank of this process is here as long as that is. */
	return t->apart && !t->seat[rank].comm && !coll_board_holder(t->board_fd, rank);
}

bool coll_lost(const struct coll_team *t, uint32_t rank)
{
	const struct coll_member *m = &t->board.member[rank];
	const struct vn_health *h = t->dev->health;

	return h && __atomic_load_n(&h->chip[m->chip], __ATOMIC_ACQUIRE) != m->born;
}

static uint32_t sled_of(const struct coll_team *t, uint32_t rank)
{
	struct vn_chip_query q;

	return vn_chip_query(t->dev, t->board.member[rank].chip, &q) ? VN_ANY_SLED : q.sled;
}

/* A rank whose sled is cut off from that of another one. */
static bool cut_off(const struct coll_team *t, uint32_t *who, uint32_t *sled)
{
	uint32_t first = sled_of(t, 0), cut = VN_ANY_SLED;
	bool several = false;

	for (uint32_t r = 0; r < t->ranks; r++) {
		uint32_t s = sled_of(t, r);

		several |= s != first;
		if (cut == VN_ANY_SLED && vn_link_cut(t->dev, s)) {
			*who = r;
			cut = s;
		}
	}
	*sled = cut;
	return several && cut != VN_ANY_SLED;
}

void coll_health_begin(struct coll_team *t)
{
	const struct vn_health *h = t->dev->health;

	if (!h)
		return;
	t->changes = __atomic_load_n(&h->changes, __ATOMIC_ACQUIRE);
	for (uint32_t chip = 0; chip < VN_MAX_CHIPS; chip++)
		t->life[chip] = __atomic_load_n(&h->chip[chip], __ATOMIC_ACQUIRE);
}

/* A chip that is no rank's, but has buffers of some, and was lost; VN_MAX_CHIPS: none. */
static uint32_t lost_elsewhere(struct coll_team *t)
{
	uint32_t chip, life;

	for (chip = 0; chip < VN_MAX_CHIPS; chip++) {
		life = vn_chip_life(t->dev, chip);
		if (__atomic_load_n(&t->board.head->foreign[chip / 64], __ATOMIC_SEQ_CST) >>
				    chip % 64 &
			    1 &&
		    life != __atomic_load_n(&t->life[chip], __ATOMIC_RELAXED))
			break;
		__atomic_store_n(&t->life[chip], life, __ATOMIC_RELAXED);
	}
	return chip;
}

bool coll_still_healthy(struct coll_team *t)
{
	uint32_t seen = __atomic_load_n(&t->dev->health->changes, __ATOMIC_ACQUIRE), sled, r;

	for (r = 0; r < t->ranks; r++) {
		if (!coll_lost(t, r))
			continue;
		coll_fail(t, -EHOSTDOWN, "rank %u: its chip %u was lost, on sled %u", r,
			  t->board.member[r].chip, sled_of(t, r));
		return false;
	}
	if (cut_off(t, &r, &sled)) {
		coll_fail(t, -ENETUNREACH,
			  "rank %u: no way from its chip %u through the switch: the links of sled "
			  "%u are cut",
			  r, t->board.member[r].chip, sled);
		return false;
	}
	r = lost_elsewhere(t);
	if (r < VN_MAX_CHIPS) {
		coll_fail(t, -EHOSTDOWN, "chip %u was lost, on which ranks had buffers", r);
		return false;
	}
	__atomic_store_n(&t->changes, seen, __ATOMIC_RELAXED);
	return true;
}

bool coll_still_sound(struct vn_lib_comm *c, const struct coll_pending *d)
{
	uint32_t seen = __atomic_load_n(&c->team->dev->health->changes, __ATOMIC_ACQUIRE);

	if (!coll_healthy(c->team) || !coll_check_buffers(c, d))
		return false;
	c->changes = seen;
	return true;
}

static void fail_dead(struct coll_team *t, uint32_t rank)
{
	const struct coll_member *m = &t->board.member[rank];

	coll_fail(t, -EOWNERDEAD,
		  "rank %u: its process (%u) has died; it had posted %llu collectives and "
		  "completed %llu",
		  rank, m->pid, (unsigned long long)__atomic_load_n(&m->posted, __ATOMIC_RELAXED),
		  (unsigned long long)__atomic_load_n(&m->completed, __ATOMIC_RELAXED));
}

/* A rank whose process has died, or does soon: who is dying loses its memory before its lock. */
static bool dies(const struct coll_team *t, uint32_t first, uint32_t last, uint32_t *who)
{
	for (uint32_t i = 0; t->apart && i < DYING_MS; i++) {
		for (*who = first; *who <= last; ++*who)
			if (coll_gone(t, *who))
				return true;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return false;
}

void coll_fail_reach(struct coll_team *t, uint32_t rank, int err)
{
	char why[COLL_TEXT];

	snprintf(why, sizeof(why), "%s", vn_error());
	if (dies(t, rank, rank, &rank))
		fail_dead(t, rank);
	else
		coll_fail(t, err, "rank %u: its buffer can't be reached: %s", rank, why);
}

void coll_fail_device(struct coll_team *t, uint64_t seq, uint32_t status)
{
	uint32_t who;

	if (!coll_healthy(t))
		return;
	if ((status == VN_STALE_KEY || status == VN_BAD_KEY) && dies(t, 0, t->ranks - 1, &who))
		fail_dead(t, who);
	else
		coll_fail(t, -EIO, "operation %llu: the device refused it: %s",
			  (unsigned long long)seq, vn_status_text(status));
}

void coll_look_for_dead(struct coll_team *t)
{
	uint64_t now, looked = __atomic_load_n(&t->looked, __ATOMIC_RELAXED);

	if (coll_failed(t) || !coll_healthy(t) || !t->apart)
		return;
	now = vn_now();
	if (now - looked < LOOK_NS ||
	    !__atomic_compare_exchange_n(&t->looked, &looked, now, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return;
	for (uint32_t r = 0; r < t->ranks; r++) {
		if (!coll_gone(t, r) || __atomic_load_n(&t->board.member[r].left, __ATOMIC_ACQUIRE))
			continue;
		fail_dead(t, r);
		return;
	}
}

bool coll_quiet(struct vn_lib_comm *c)
{
	struct coll_team *t = c->team;
	const struct coll_member *m = t->board.member;

	if (!c->given_up) {
		c->given_up = vn_now();
		coll_device_reset(t);
	}
	/* Pairs with coll_touch(). */
	coll_fence_heavy(t->apart);
	for (uint32_t r = 0; r < t->ranks; r++)
		if (r != c->rank && __atomic_load_n(&m[r].busy, __ATOMIC_ACQUIRE) &&
		    !coll_gone(t, r))
			return vn_now() - c->given_up > coll_grace(t);
	return true;
}
