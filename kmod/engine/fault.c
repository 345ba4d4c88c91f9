// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fault.h"

/* Pages, or allocations, one may ask for. */
#define COUNT_MAX	(1u << 20)

int vn_faults_check(const struct vn_switch *sw, const struct vn_fault *f)
{
	bool counts = f->kind == VN_FAULT_COPY_CORRUPT || f->kind == VN_FAULT_ALLOC_FAIL;

	if (!f->kind || f->kind >= VN_FAULT_KINDS || f->count > COUNT_MAX || !f->count == counts)
		return -EINVAL;
	if (f->kind == VN_FAULT_CHIP_LOSS)
		return f->where < sw->chips ? 0 : -ENODEV;
	if (counts)
		return f->where ? -EINVAL : 0;
	return f->where < vn_switch_sleds(sw) ? 0 : -ENODEV;
}

static void changed(struct vn_faults *fs, u32 *word)
{
	/* Before anything else of it can be seen. */
	vn_fetch_add(word, 1u);
	vn_fetch_add(&fs->health->changes, 1u);
}

static bool is_bad(const struct vn_switch *sw, u32 slot)
{
	return READ_ONCE(sw->bad[slot / 64]) >> slot % 64 & 1;
}

static void set_bad(struct vn_switch *sw, u32 slot, bool bad)
{
	u64 bit = 1ull << slot % 64;

	WRITE_ONCE(sw->bad[slot / 64],
		   bad ? sw->bad[slot / 64] | bit : sw->bad[slot / 64] & ~bit);
}

/* Whether anything is out of order, for those who would rather not look further. */
static void sum_up(struct vn_switch *sw)
{
	u64 any = sw->cut;

	for (u32 i = 0; i < ARRAY_SIZE(sw->lost); i++)
		any |= sw->lost[i];
	WRITE_ONCE(sw->faulty, any ? 1u : 0u);
}

/* A slot fails, and a chip in it is lost. True: it was not before. */
static bool lose(struct vn_switch *sw, struct vn_faults *fs, u32 slot)
{
	u32 chip = sw->chip_at[slot];

	set_bad(sw, slot, true);
	if (chip >= sw->chips || vn_switch_lost(sw, chip))
		return false;
	changed(fs, &fs->health->chip[chip]);
	WRITE_ONCE(sw->lost[chip / 64], sw->lost[chip / 64] | 1ull << chip % 64);
	return true;
}

static void set_link(struct vn_switch *sw, struct vn_faults *fs, u32 sled, bool cut)
{
	u64 bit = 1ull << sled;

	if (!!(sw->cut & bit) == cut)
		return;
	changed(fs, &fs->health->link[sled]);
	WRITE_ONCE(sw->cut, cut ? sw->cut | bit : sw->cut & ~bit);
}

u32 vn_faults_make(struct vn_switch *sw, struct vn_faults *fs, const struct vn_fault *f,
		   u16 lost[VN_MAX_CHIPS_PER_SLED])
{
	u32 first = f->where * sw->chips_per_sled, n = 0;

	switch (f->kind) {
	case VN_FAULT_SLED_LOSS:
		fs->sleds |= 1ull << f->where;
		for (u32 slot = first; slot < first + sw->chips_per_sled; slot++)
			if (lose(sw, fs, slot))
				lost[n++] = sw->chip_at[slot];
		break;
	case VN_FAULT_CHIP_LOSS:
		if (lose(sw, fs, sw->slot_of[f->where]))
			lost[n++] = (u16)f->where;
		break;
	case VN_FAULT_LINK_CUT:
		set_link(sw, fs, f->where, true);
		break;
	case VN_FAULT_COPY_CORRUPT:
		WRITE_ONCE(fs->copies, f->count);
		break;
	case VN_FAULT_ALLOC_FAIL:
		WRITE_ONCE(fs->allocs, f->count);
		break;
	}
	sum_up(sw);
	return n;
}

void vn_faults_reset(struct vn_faults *fs, u32 chip)
{
	changed(fs, &fs->health->reset[chip]);
}

void vn_faults_revive(struct vn_switch *sw, struct vn_faults *fs, u32 chip)
{
	if (!vn_switch_lost(sw, chip) || is_bad(sw, sw->slot_of[chip]))
		return;
	changed(fs, &fs->health->chip[chip]);
	WRITE_ONCE(sw->lost[chip / 64], sw->lost[chip / 64] & ~(1ull << chip % 64));
	sum_up(sw);
}

void vn_faults_revive_sled(struct vn_switch *sw, struct vn_faults *fs, u32 sled)
{
	u32 first = sled * sw->chips_per_sled;

	for (u32 slot = first; slot < first + sw->chips_per_sled; slot++)
		if (sw->chip_at[slot] < sw->chips)
			vn_faults_revive(sw, fs, sw->chip_at[slot]);
}

u32 vn_faults_of_sled(const struct vn_switch *sw, u32 sled, u32 *slot)
{
	u32 first = sled * sw->chips_per_sled;

	for (*slot = first; *slot < first + sw->chips_per_sled; ++*slot)
		if (is_bad(sw, *slot))
			return VN_FAULT_MEMORY;
	*slot = first;
	return READ_ONCE(sw->cut) >> sled & 1 ? VN_FAULT_LINK : VN_FAULT_NONE;
}

static void mend(struct vn_switch *sw, struct vn_faults *fs, u32 slot, u64 in_service)
{
	set_bad(sw, slot, false);
	if (sw->chip_at[slot] < sw->chips && in_service >> vn_switch_sled(sw, slot) & 1)
		vn_faults_revive(sw, fs, sw->chip_at[slot]);
}

static int clear_one(struct vn_switch *sw, struct vn_faults *fs, const struct vn_fault *f,
		     u64 in_service)
{
	u32 first, slot;

	switch (f->kind) {
	case VN_FAULT_SLED_LOSS:
		if (!(fs->sleds >> f->where & 1))
			return -ENOENT;
		fs->sleds &= ~(1ull << f->where);
		first = f->where * sw->chips_per_sled;
		for (slot = first; slot < first + sw->chips_per_sled; slot++)
			mend(sw, fs, slot, in_service);
		return 0;
	case VN_FAULT_CHIP_LOSS:
		slot = f->where == VN_NOWHERE ? f->slot : sw->slot_of[f->where];
		/* A sled that is lost is cleared as one. */
		if (!is_bad(sw, slot) || fs->sleds >> vn_switch_sled(sw, slot) & 1)
			return -ENOENT;
		mend(sw, fs, slot, in_service);
		return 0;
	case VN_FAULT_LINK_CUT:
		if (!(sw->cut >> f->where & 1))
			return -ENOENT;
		set_link(sw, fs, f->where, false);
		return 0;
	case VN_FAULT_COPY_CORRUPT:
		return vn_xchg(&fs->copies, 0u) ? 0 : -ENOENT;
	case VN_FAULT_ALLOC_FAIL:
		return vn_xchg(&fs->allocs, 0u) ? 0 : -ENOENT;
	}
	return -EINVAL;
}

static void clear_all(struct vn_switch *sw, struct vn_faults *fs, u64 in_service)
{
	fs->sleds = 0;
	for (u32 slot = 0; slot < sw->slots; slot++)
		mend(sw, fs, slot, in_service);
	for (u32 sled = 0; sled < vn_switch_sleds(sw); sled++)
		set_link(sw, fs, sled, false);
	WRITE_ONCE(fs->copies, 0);
	WRITE_ONCE(fs->allocs, 0);
}

/* The place of one that is to be cleared; kinds with a count have none. */
static int check_place(const struct vn_switch *sw, const struct vn_fault *f)
{
	switch (f->kind) {
	case VN_FAULT_SLED_LOSS:
	case VN_FAULT_LINK_CUT:
		return f->where < vn_switch_sleds(sw) ? 0 : -ENODEV;
	case VN_FAULT_CHIP_LOSS:
		return f->where < sw->chips || (f->where == VN_NOWHERE && f->slot < sw->slots)
			       ? 0 : -ENODEV;
	}
	return f->kind < VN_FAULT_KINDS ? 0 : -EINVAL;
}

int vn_faults_clear(struct vn_switch *sw, struct vn_faults *fs, const struct vn_fault *f,
		    u64 in_service)
{
	int err = check_place(sw, f);

	if (err)
		return err;
	if (f->kind == VN_FAULT_ANY)
		clear_all(sw, fs, in_service);
	else
		err = clear_one(sw, fs, f, in_service);
	sum_up(sw);
	return err;
}

struct list {
	struct vn_fault *to;
	u32 n, max;
};

static void add(struct list *l, u32 kind, u32 where, u32 slot, u32 count)
{
	if (l->n < l->max)
		l->to[l->n] = (struct vn_fault){ kind, where, slot, count };
	l->n++;
}

u32 vn_faults_list(const struct vn_switch *sw, const struct vn_faults *fs, struct vn_fault *to,
		   u32 max)
{
	struct list l = { to, 0, max };
	u32 copies = READ_ONCE(fs->copies), allocs = READ_ONCE(fs->allocs), sled;

	for (sled = 0; sled < vn_switch_sleds(sw); sled++)
		if (fs->sleds >> sled & 1)
			add(&l, VN_FAULT_SLED_LOSS, sled, 0, 0);
	for (u32 slot = 0; slot < sw->slots; slot++)
		if (is_bad(sw, slot) && !(fs->sleds >> vn_switch_sled(sw, slot) & 1))
			add(&l, VN_FAULT_CHIP_LOSS,
			    sw->chip_at[slot] < sw->chips ? sw->chip_at[slot] : VN_NOWHERE, slot,
			    0);
	for (sled = 0; sled < vn_switch_sleds(sw); sled++)
		if (sw->cut >> sled & 1)
			add(&l, VN_FAULT_LINK_CUT, sled, 0, 0);
	if (copies)
		add(&l, VN_FAULT_COPY_CORRUPT, 0, 0, copies);
	if (allocs)
		add(&l, VN_FAULT_ALLOC_FAIL, 0, 0, allocs);
	return l.n;
}

/* One less, if there are any; what it was. */
static u32 count_down(u32 *count)
{
	u32 was = READ_ONCE(*count), now;

	while (was) {
		now = vn_cmpxchg(count, was, was - 1);
		if (now == was)
			break;
		was = now;
	}
	return was;
}

bool vn_faults_alloc(struct vn_faults *fs)
{
	return count_down(&fs->allocs) == 1;
}

bool vn_faults_copy(struct vn_faults *fs)
{
	return count_down(&fs->copies);
}
