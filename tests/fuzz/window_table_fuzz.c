// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A table of windows beside one that is as simple as can be: who is found by a name, and
 * what is said of names that are none.
 *
 * An input: the width of a generation, then actions and numbers.
 */
#include "../../kmod/engine/window_table.h"
#include "fuzz.h"

#define OPEN_MAX 1024u
#define ACTIONS_MAX 2000u

enum action { OPEN, CLOSE, KILL, FIND, FIND_ANY, AT, CHURN, REOPEN, ACTIONS };

/* A slot, as the oracle sees it. */
struct was {
	u32 name;
	u32 opened; /* how often */
	bool live, dead; /* dead: killed, and not closed yet */
	u64 offset;
};

static struct vn_hbm hbm = { .bytes = 1 << 20, .chip = 5 };
static struct vn_window_table t;
static struct was was[VN_TABLE_SLOTS + 1];
static u32 names[OPEN_MAX], nnames, next_offset, gens;

/* Generations of a slot are 1, 2, ... and, last of all, 0; then 1 once more. */
static u32 status_of(u32 name)
{
	const struct was *is = &was[name & 0xffff];
	u32 gen = name >> 16;

	if (is->opened >= gens ? gen < gens : gen && gen <= is->opened)
		return VN_STALE_KEY;
	return VN_BAD_KEY;
}

static struct vn_window *find(u32 name)
{
	u32 status = VN_OK;
	struct vn_window *w = vn_table_find(&t, name, &status);

	MUST(status == (w ? VN_OK : status_of(name)));
	return w;
}

/* What is there under a name is what was put there. */
static void see(u32 name)
{
	const struct was *is = &was[name & 0xffff];
	struct vn_window *w = find(name);
	u32 at;

	MUST(!!w == (is->live && is->name == name));
	if (w)
		MUST(w->offset == is->offset && w->bytes == is->offset + 1 && w->hbm == &hbm &&
		     w->chip == 5 && w->owner == is);
	w = vn_table_at(&t, name & 0xffff, &at);
	MUST(!!w == is->live);
	if (w)
		MUST(at == is->name);
}

/* It has that name now. */
static void is_open(u32 name)
{
	struct was *is = &was[name & 0xffff];

	MUST(name && name & 0xffff && (name & 0xffff) != 0xffff);
	*is = (struct was){
		.name = name, .opened = is->opened + 1, .live = true, .offset = next_offset++
	};
	MUST(name >> 16 == is->opened % gens);
	find(name)->owner = is;
	see(name);
}

static void open_one(void)
{
	u32 name;

	if (nnames == OPEN_MAX)
		return;
	if (vn_table_needs_block(&t)) {
		MUST(vn_table_can_grow(&t));
		vn_table_grow(&t, calloc(1, sizeof(struct vn_window_block)));
	}
	name = vn_table_open(&t, &hbm, next_offset, next_offset + 1ull, 3, NULL);
	MUST(!was[name & 0xffff].live && !was[name & 0xffff].dead);
	is_open(name);
	names[nnames++] = name;
}

static void kill_one(u32 i)
{
	struct was *is = &was[names[i] & 0xffff];
	u32 status;

	if (is->dead)
		return;
	vn_table_kill(vn_table_find(&t, is->name, &status));
	is->live = false;
	is->dead = true;
	see(is->name);
}

static void close_one(u32 i)
{
	u32 name = names[i], status = VN_OK;
	struct was *is = &was[name & 0xffff];

	kill_one(i);
	vn_table_close(&t, name);
	is->dead = false;
	names[i] = names[--nnames];
	see(name);
	MUST(!vn_table_find(&t, name, &status) && status == VN_STALE_KEY);
}

/* Another window in its slot, at once. */
static void reopen_one(u32 i)
{
	u32 was_name = names[i], next = vn_table_next_name(&t, was_name);

	kill_one(i);
	was[was_name & 0xffff].dead = false;
	names[i] = vn_table_reopen(&t, was_name, &hbm, next_offset, next_offset + 1ull, 3, NULL);
	MUST(names[i] == next && (next & 0xffff) == (was_name & 0xffff));
	is_open(next);
	see(was_name);
}

static void churn(u32 times)
{
	while (times-- && nnames < OPEN_MAX) {
		open_one();
		close_one(nnames - 1);
	}
}

static void act(struct fuzz_in *in)
{
	enum action what = fuzz_u8(in) % ACTIONS;
	u16 n = fuzz_u16(in);
	u32 at;

	switch (what) {
	case OPEN:
		for (u32 i = 0; i <= n % 300u; i++)
			open_one();
		break;
	case CLOSE:
		if (nnames)
			close_one(n % nnames);
		break;
	case KILL:
		if (nnames)
			kill_one(n % nnames);
		break;
	case FIND:
		if (nnames)
			see(names[n % nnames]);
		break;
	case FIND_ANY:
		see((u32)fuzz_u16(in) << 16 | n);
		break;
	case AT:
		if (!vn_table_at(&t, n, &at))
			MUST(n == 0xffff || !was[n].live);
		break;
	case REOPEN:
		if (nnames)
			reopen_one(n % nnames);
		break;
	case CHURN:
		churn(n % 512u);
		break;
	case ACTIONS:
		break;
	}
	MUST(t.live == nnames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	u32 bits = fuzz_u8(&in) & 1 ? 16 : 8;

	vn_table_init(&t, bits);
	gens = 1u << bits;
	nnames = next_offset = 0;
	for (u32 i = 0; in.left && i < ACTIONS_MAX; i++)
		act(&in);
	while (nnames)
		close_one(nnames - 1);
	MUST(!t.live);
	for (u32 i = 0; i < t.blocks; i++)
		free(t.block[i]);
	memset(was, 0, t.blocks * VN_BLOCK_SLOTS * sizeof(was[0]));
	return 0;
}
