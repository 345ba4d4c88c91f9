// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a name finds its window and no other: never after the kill, never
 * through an old generation; that a slot has every generation before it has one
 * again, and no name is 0; that old and never-given names are told apart;
 * that slots come back as late as possible; that a table grows to its limit
 * and no further; that a slot that is kept goes on to its next name; and, with threads, that nothing is found in a chunk begun
 * after the kill and nothing is touched after the grace period.
 */
#include <pthread.h>
#include <sched.h>

#include "world.h"

static u8 memory[64];

static u32 open_one(struct vn_window_table *t)
{
	if (vn_table_needs_block(t)) {
		if (!vn_table_can_grow(t))
			return 0;
		vn_table_grow(t, calloc(1, sizeof(struct vn_window_block)));
	}
	static struct vn_hbm hbm = { .base = memory, .bytes = sizeof(memory), .chip = 3 };

	return vn_table_open(t, &hbm, 0, sizeof(memory), FULL_ACCESS, memory + 1);
}

static void end_one(struct vn_window_table *t, u32 name)
{
	u32 status;

	vn_table_kill(vn_table_find(t, name, &status));
	vn_table_close(t, name);
}

static void drop(struct vn_window_table *t)
{
	for (u32 i = 0; i < VN_TABLE_BLOCKS; i++)
		free(t->block[i]);
	free(t);
}

static struct vn_window_table *table(u32 bits)
{
	struct vn_window_table *t = malloc(sizeof(*t));

	vn_table_init(t, bits);
	return t;
}

static u32 why(struct vn_window_table *t, u32 name)
{
	u32 status = VN_OK;

	return vn_table_find(t, name, &status) ? (u32)VN_OK : status;
}

static void test_life(void)
{
	struct vn_window_table *t = table(16);
	struct vn_window *w;
	u32 name, status = 77, seen;

	tap_ok(vn_table_needs_block(t) && vn_table_can_grow(t), "an empty table wants a block");
	tap_ok(why(t, 0x10000) == VN_BAD_KEY, "nothing is found in it");
	name = open_one(t);
	tap_ok(name == 0x10001, "the first name is generation 1, index 1");
	w = vn_table_find(t, name, &status);
	tap_ok(w && status == 77 && w->hbm->base == memory && !w->offset &&
		       w->bytes == sizeof(memory) && w->chip == 3 && w->access == FULL_ACCESS &&
		       w->owner == memory + 1,
	       "it finds what was opened");
	tap_ok(t->live == 1, "and is counted");
	tap_ok(vn_table_at(t, 1, &seen) == w && seen == name, "its slot shows it");
	tap_ok(!vn_table_at(t, 0, &seen) && !vn_table_at(t, 2, &seen), "a free slot shows nothing");
	tap_ok(!vn_table_at(t, 0xffff, &seen) && !vn_table_at(t, VN_SLOT_NONE, &seen),
	       "nor does a slot that can't be");
	vn_table_kill(w);
	tap_ok(why(t, name) == VN_STALE_KEY, "after the kill the name is stale");
	tap_ok(!vn_table_at(t, 1, &seen), "and its slot shows nothing");
	vn_table_close(t, name);
	tap_ok(!t->live && why(t, name) == VN_STALE_KEY, "after the close, too");
	tap_ok(why(t, 0x20001) == VN_BAD_KEY, "the next generation is no name yet");
	tap_ok(why(t, 0) == VN_BAD_KEY && why(t, 0x10000) == VN_BAD_KEY &&
		       why(t, 1) == VN_BAD_KEY && why(t, 0x10002) == VN_BAD_KEY &&
		       why(t, 0x1ffff) == VN_BAD_KEY && why(t, 0xffffffff) == VN_BAD_KEY &&
		       why(t, 0x10000 | 300) == VN_BAD_KEY,
	       "0, generation 0, unused, absent and impossible slots are bad names");
	drop(t);
}

/*
 * A slot is registered three times as often as it has generations: no name comes again
 * before all others have come, and what has been somebody is stale for ever.
 */
static void test_generations(u32 bits)
{
	struct vn_window_table *t = table(bits);
	u32 n = 1u << bits, slots[VN_BLOCK_SLOTS], name, wrong = 0, early = 0, to_come = 0;
	u32 *last = calloc(n, sizeof(*last));

	/* All slots but one are held, so the same slot comes every time. */
	for (u32 i = 1; i < VN_BLOCK_SLOTS; i++)
		slots[i] = open_one(t);
	name = slots[7];
	last[name >> 16] = 1;
	for (u32 i = 2; i <= 3 * n; i++) {
		u32 old = name, next = vn_table_next_name(t, name);

		/* What it is to be has been n registrations ago, or never. */
		to_come += why(t, next) != (last[next >> 16] ? VN_STALE_KEY : VN_BAD_KEY);
		end_one(t, old);
		early += why(t, old) != VN_STALE_KEY;
		name = open_one(t);
		wrong += name != next || (name & 0xffff) != 7 || !name || name >> 16 >= n;
		wrong += last[name >> 16] && i - last[name >> 16] != n;
		last[name >> 16] = i;
		early += why(t, name) != VN_OK || why(t, old) != VN_STALE_KEY;
	}
	for (u32 gen = 0; gen < n; gen++)
		wrong += last[gen] <= 2 * n;
	tap_ok(!wrong, "%u bits: all %u generations, then again (%u wrong)", bits, n, wrong);
	tap_ok(!early, "%u bits: only the newest is found (%u wrong)", bits, early);
	tap_ok(!to_come, "%u bits: until it has been somebody a name is bad, then stale (%u wrong)",
	       bits, to_come);
	tap_ok(bits == 16 || why(t, n << 16 | 7) == VN_BAD_KEY, "%u bits: there are no others",
	       bits);
	/* Generation 0 is one like others. */
	while (name >> 16) {
		end_one(t, name);
		name = open_one(t);
	}
	tap_ok(name == 7 && why(t, 7) == VN_OK && why(t, 1u << 16 | 7) == VN_STALE_KEY &&
		       why(t, 0) == VN_BAD_KEY,
	       "%u bits: 0 is one of them", bits);
	free(last);
	drop(t);
}

/* A slot that is killed, and is another window at once. */
static void test_reopen(void)
{
	static struct vn_hbm other = { .base = memory, .bytes = 32, .chip = 3 };
	struct vn_window_table *t = table(16);
	u32 first = open_one(t), second = open_one(t), status = 0, name;
	struct vn_window *w;

	vn_table_kill(vn_table_find(t, first, &status));
	tap_ok(why(t, first) == VN_STALE_KEY, "killed to be re-bound, it is stale");
	name = vn_table_reopen(t, first, &other, 8, 16, 2, memory + 2);
	w = vn_table_find(t, name, &status);
	tap_ok(name == first + 65536 && w && w->hbm == &other && w->offset == 8 && w->bytes == 16 &&
		       w->access == 2 && w->owner == memory + 2,
	       "then the next generation of its slot finds what is new");
	tap_ok(why(t, first) == VN_STALE_KEY && why(t, second) == VN_OK && t->live == 2,
	       "the old one stays stale, and nothing else changes");
	tap_ok((open_one(t) & 0xffff) == 3, "the slot was nobody else's meanwhile");
	drop(t);
}

static void test_reuse(void)
{
	struct vn_window_table *t = table(8);
	u32 first = open_one(t), i, again = 0;

	end_one(t, first);
	for (i = 0; i < VN_BLOCK_SLOTS - 2; i++)
		again += (open_one(t) & 0xffff) == (first & 0xffff);
	tap_ok(!again, "a slot given back waits until all others were used");
	tap_ok((open_one(t) & 0xffff) == (first & 0xffff), "then it comes, before the table grows");
	tap_ok(t->blocks == 1 && vn_table_needs_block(t), "the next one needs another block");
	drop(t);

	t = table(8);
	for (i = 1; i < VN_BLOCK_SLOTS; i++)
		open_one(t);
	end_one(t, 1u << 16 | 9);
	end_one(t, 1u << 16 | 4);
	end_one(t, 1u << 16 | 200);
	tap_ok(open_one(t) == (2u << 16 | 9) && open_one(t) == (2u << 16 | 4) &&
		       open_one(t) == (2u << 16 | 200),
	       "slots come back in the order they were given back");
	drop(t);
}

static void test_limit(void)
{
	struct vn_window_table *t = table(8);
	u32 name, n = 0, wrong = 0;

	while ((name = open_one(t))) {
		n++;
		wrong += name != (1u << 16 | n);
	}
	tap_ok(n == VN_TABLE_SLOTS - 1 && !wrong, "a table grows to %u names (%u)",
	       VN_TABLE_SLOTS - 1, n);
	tap_ok(t->live == n && !vn_table_can_grow(t) && vn_table_needs_block(t),
	       "and then is full");
	wrong = 0;
	for (u32 i = 1; i <= n; i += 17)
		wrong += why(t, 1u << 16 | i) != VN_OK;
	tap_ok(!wrong && why(t, 1u << 16 | 0xffff) == VN_BAD_KEY, "all of them are found");
	end_one(t, 1u << 16 | 0xfffe);
	tap_ok(open_one(t) == (2u << 16 | 0xfffe), "one given back is one to have");
	drop(t);
}

static void test_addresses(void)
{
	u32 wrong = 0;

	for (u32 i = 0; i < 100000; i++) {
		u32 name = (u32)rnd() & 0xffffff;
		u64 addr = vn_addr_of(name);

		wrong += addr & VN_ADDR_OFFSET_MASK || vn_addr_name(addr) != name ||
			 vn_addr_name(addr | (rnd() & VN_ADDR_OFFSET_MASK)) != name;
	}
	tap_ok(!wrong, "names of 24 bits and device addresses are the same thing");
}

/*
 * Runners look for windows and write into what they find, inside chunks. The
 * killer makes names dead, waits for the runners, frees the memory and uses
 * the slot again for a window of another value. A runner that finds a name
 * must see that name's memory.
 */
#define THREADS 2
#define NAMES 4

static struct {
	struct vn_window_table *t;
	u32 name[NAMES]; /* atomic */
	struct vn_runner *runner[THREADS];
	u32 stop;
	u64 found[THREADS], missed[THREADS], wrong[THREADS];
} race;

static void *race_runner(void *arg)
{
	u32 me = (u32)(uintptr_t)arg, status, i = 0;
	struct vn_runner *r = race.runner[me];

	while (!READ_ONCE(race.stop)) {
		u32 name = READ_ONCE(race.name[i++ % NAMES]);
		struct vn_window *w;

		vn_runner_enter(r);
		w = vn_table_find(race.t, name, &status);
		if (w) {
			u32 *word = (u32 *)w->hbm->base;

			/* Each thread its own word, so only lifetime is raced for. */
			for (u32 k = 0; k < 100; k++)
				race.wrong[me] += READ_ONCE(word[0]) != name;
			word[1 + me]++;
			WRITE_ONCE(race.found[me], race.found[me] + 1);
		} else {
			race.wrong[me] += status != VN_STALE_KEY && status != VN_BAD_KEY;
			race.missed[me]++;
		}
		vn_runner_leave(r);
	}
	return NULL;
}

static u32 race_open(void)
{
	u32 *word = calloc(4, sizeof(u32)), name;
	struct vn_hbm *hbm = calloc(1, sizeof(*hbm));

	if (vn_table_needs_block(race.t))
		vn_table_grow(race.t, calloc(1, sizeof(struct vn_window_block)));
	/* The name is known before the window is. */
	name = vn_table_next_name(race.t, race.t->free_head);
	word[0] = name;
	*hbm = (struct vn_hbm){ .base = (u8 *)word, .bytes = 16 };
	if (vn_table_open(race.t, hbm, 0, 16, FULL_ACCESS, NULL) != name)
		abort();
	return name;
}

static void race_end(u32 name)
{
	u32 mark[THREADS], status;
	struct vn_window *w = vn_table_find(race.t, name, &status);
	struct vn_hbm *hbm = w->hbm;

	vn_table_kill(w);
	for (u32 i = 0; i < THREADS; i++)
		mark[i] = vn_runner_mark(race.runner[i]);
	for (u32 i = 0; i < THREADS; i++)
		while (!vn_runner_passed(race.runner[i], mark[i]))
			sched_yield();
	vn_table_close(race.t, name);
	memset(hbm->base, 0xdd, 16);
	free(hbm->base);
	free(hbm);
}

static void test_race(void)
{
	pthread_t thread[THREADS];
	u64 found = 0, missed = 0, wrong = 0;
	u32 rounds = getenv("VN_QUICK") ? 1000 : 4000;

	race.t = table(8);
	for (u32 i = 0; i < NAMES; i++)
		race.name[i] = race_open();
	/* Hold the rest of the block: few slots, so that they come again soon. */
	for (u32 i = NAMES; i < VN_BLOCK_SLOTS - 3; i++)
		race_open();
	for (u32 i = 0; i < THREADS; i++) {
		race.runner[i] = calloc(1, sizeof(struct vn_runner));
		pthread_create(&thread[i], NULL, race_runner, (void *)(uintptr_t)i);
	}
	for (u32 i = 0; i < rounds || !READ_ONCE(race.found[0]) || !READ_ONCE(race.found[1]); i++) {
		u32 k = i % NAMES, old = race.name[k];

		race_end(old);
		WRITE_ONCE(race.name[k], race_open());
	}
	WRITE_ONCE(race.stop, 1);
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		found += race.found[i];
		missed += race.missed[i];
		wrong += race.wrong[i];
		free(race.runner[i]);
	}
	tap_diag("%llu found, %llu missed", (unsigned long long)found, (unsigned long long)missed);
	tap_ok(found && !wrong, "killed under runners: never another's memory (%llu wrong)",
	       (unsigned long long)wrong);
	for (u32 i = 0; i < VN_BLOCK_SLOTS; i++) {
		u32 name;
		struct vn_window *w = vn_table_at(race.t, i, &name);

		if (!w)
			continue;
		free(w->hbm->base);
		free(w->hbm);
	}
	drop(race.t);
}

int main(void)
{
	test_life();
	test_generations(8);
	test_generations(16);
	test_reopen();
	test_reuse();
	test_limit();
	test_addresses();
	test_race();
	return tap_done();
}
