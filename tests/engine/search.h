/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All states that a model can reach, and what leads from one to the other. A state is
 * `bytes` bytes, whole words, without padding that could differ. From the first one on, found() gets
 * each that is new, and calls search_add() for all that can follow it.
 */
#ifndef TEST_SEARCH_H
#define TEST_SEARCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kmod/engine/port.h"

struct search_step {
	u32 from, to;
};

struct search {
	u32 bytes, n, room;
	u8 *states;
	u32 *parent; /* by which it was found first */
	u32 *table; /* by hash: number + 1 */
	u32 table_size; /* a power of two */
	u32 at; /* what follows is added of */
	struct search_step *steps; /* those that a way back may take */
	u64 nsteps, steps_room, all_steps;
};

static inline void *search_state(const struct search *s, u32 i)
{
	return s->states + (u64)i * s->bytes;
}

static inline void *search_room(void *p, u64 bytes)
{
	p = realloc(p, bytes);
	if (!p)
		abort();
	return p;
}

static inline u32 search_slot(const struct search *s, const void *state)
{
	u64 h = 14695981039346656037ull, word;
	u32 at;

	for (u32 i = 0; i < s->bytes; i += 8) {
		memcpy(&word, (const u8 *)state + i, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	at = (u32)(h ^ h >> 32) & (s->table_size - 1);
	while (s->table[at] && memcmp(search_state(s, s->table[at] - 1), state, s->bytes))
		at = (at + 1) & (s->table_size - 1);
	return at;
}

static inline void search_grow(struct search *s)
{
	s->room = s->room ? 2 * s->room : 1024;
	s->states = search_room(s->states, (u64)s->room * s->bytes);
	s->parent = search_room(s->parent, (u64)s->room * sizeof(*s->parent));
	s->table_size = 4 * s->room;
	free(s->table);
	s->table = calloc(s->table_size, sizeof(*s->table));
	if (!s->table)
		abort();
	for (u32 i = 0; i < s->n; i++)
		s->table[search_slot(s, search_state(s, i))] = i + 1;
}

/* A state that follows; back: by a step that a way back to rest may take. */
static inline void search_add(struct search *s, const void *state, bool back)
{
	u32 at;

	if (s->n == s->room)
		search_grow(s);
	at = search_slot(s, state);
	if (!s->table[at]) {
		memcpy(search_state(s, s->n), state, s->bytes);
		s->parent[s->n] = s->at;
		s->table[at] = ++s->n;
	}
	s->all_steps++;
	if (!back)
		return;
	if (s->nsteps == s->steps_room) {
		s->steps_room = s->steps_room ? 2 * s->steps_room : 4096;
		s->steps = search_room(s->steps, s->steps_room * sizeof(*s->steps));
	}
	s->steps[s->nsteps++] = (struct search_step){ s->at, s->table[at] - 1 };
}

/* found() false: it ends there. */
static inline void search_all(struct search *s, u32 bytes, const void *first,
			      bool (*found)(struct search *s, const void *state))
{
	u8 state[256];

	memset(s, 0, sizeof(*s));
	s->bytes = bytes;
	search_add(s, first, false);
	s->all_steps = 0;
	for (; s->at < s->n; s->at++) {
		/* What is added may move all. */
		memcpy(state, search_state(s, s->at), bytes);
		if (!found(s, state))
			return;
	}
}

/* How many states there are from which none with rest() can be reached; *which: one of them. */
static inline u32 search_lost(const struct search *s, bool (*rest)(const void *state), u32 *which)
{
	u32 *first = calloc((u64)s->n + 1, sizeof(*first)), *from = NULL, *stack = NULL;
	bool *home = calloc(s->n, 1);
	u32 n = 0, lost = 0;

	from = search_room(from, (s->nsteps + 1) * sizeof(*from));
	stack = search_room(stack, (u64)s->n * sizeof(*stack));
	if (!first || !home)
		abort();
	/* Who leads to a state: sorted by that, by counting. */
	for (u64 i = 0; i < s->nsteps; i++)
		first[s->steps[i].to]++;
	for (u32 i = 0; i < s->n; i++)
		first[i + 1] += first[i];
	for (u64 i = 0; i < s->nsteps; i++)
		from[--first[s->steps[i].to]] = s->steps[i].from;
	for (u32 i = 0; i < s->n; i++) {
		home[i] = rest(search_state(s, i));
		if (home[i])
			stack[n++] = i;
	}
	while (n) {
		u32 to = stack[--n];

		for (u32 i = first[to]; i < first[to + 1]; i++) {
			if (home[from[i]])
				continue;
			home[from[i]] = true;
			stack[n++] = from[i];
		}
	}
	for (u32 i = 0; i < s->n; i++) {
		if (home[i])
			continue;
		*which = i;
		lost++;
	}
	free(first);
	free(from);
	free(stack);
	free(home);
	return lost;
}

static inline void search_free(struct search *s)
{
	free(s->states);
	free(s->parent);
	free(s->table);
	free(s->steps);
	memset(s, 0, sizeof(*s));
}

#endif
