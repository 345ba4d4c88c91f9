// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what is passed on of a status page: entries in use whose every field is in its
 * range, whole ones if the writer lets go of them; nothing of random bytes but that; and,
 * with a writer at full speed, never half of one state and half of another.
 */
#include <pthread.h>

#include "world.h"
#include "../../kmod/engine/status.h"

#define CHIPS 8u
#define NOW 1000u

static const struct vn_rank_status valid = {
	.version = 2,
	.flags = VN_RANK_USED,
	.name = "0123456789abcdef",
	.ranks = 4,
	.rank = 3,
	.chip = 7,
	.error = 110,
	.started = 9,
	.posted = 9,
	.completed = 8,
	.since_ns = 400,
	.pending = 1,
	.number = 8,
	.bytes = 4096,
	.op = 1,
	.type = VN_FLOAT32,
	.redop = VN_MAX,
	.root = 2,
};

static void test_valid(void)
{
	struct vn_rank_status s = valid;
	struct vn_rank_seen seen;

	tap_ok(vn_status_see(&s, CHIPS, NOW, &seen), "an entry that makes sense");
	s.since_ns = 600;
	s.version = 0;
	tap_ok(!memcmp(&seen.s, &s, sizeof(s)), "is passed on, with how long it waits");
	tap_ok(!strcmp(seen.name, "0123456789abcdef"), "its name ends");
	s = valid;
	s.since_ns = NOW + 5;
	tap_ok(vn_status_see(&s, CHIPS, NOW, &seen) && !seen.s.since_ns,
	       "nobody waits since tomorrow");
	s.since_ns = 0;
	tap_ok(vn_status_see(&s, CHIPS, NOW, &seen) && !seen.s.since_ns, "who does not wait");
	s = valid;
	s.version = 3;
	tap_ok(vn_status_see(&s, CHIPS, NOW, &seen) &&
		       seen.s.flags == (VN_RANK_USED | VN_RANK_TORN),
	       "one that is never let go of is passed on as torn");
}

/* A field set to a value in an entry that makes sense. */
static const struct {
	const char *what;
	u32 off, bytes;
	u64 value;
	bool ok;
} fields[] = {
#define ROW(field, value, ok)                                                                      \
	{                                                                                          \
#field " = " #value, offsetof(struct vn_rank_status, field),                       \
			sizeof(((struct vn_rank_status *)0)->field), value, ok                     \
	}
	ROW(flags, 0, false),
	ROW(flags, VN_RANK_USED | VN_RANK_LEFT | VN_RANK_FAILED, true),
	ROW(flags, VN_RANK_JOINING, false),
	ROW(flags, VN_RANK_USED | VN_RANK_TORN, false),
	ROW(flags, VN_RANK_USED | VN_RANK_FAILED | VN_RANK_AGREEING, true),
	ROW(flags, VN_RANK_USED | 64, false),
	ROW(flags, ~0u, false),
	ROW(name[0], 0, false),
	ROW(name[15], 0, true),
	ROW(name[14], 0, false),
	ROW(name[3], '"', false),
	ROW(name[3], '\n', false),
	ROW(name[3], 0x1b, false),
	ROW(name[3], '/', false),
	ROW(name[3], 0xc3, false),
	ROW(name[3], '-', true),
	ROW(name[3], 'Z', true),
	ROW(ranks, 0, false),
	ROW(ranks, 3, false),
	ROW(ranks, VN_MAX_CHIPS, true),
	ROW(ranks, VN_MAX_CHIPS + 1, false),
	ROW(rank, 4, false),
	ROW(rank, ~0u, false),
	ROW(chip, 8, false),
	ROW(chip, VN_NO_CHIP, true),
	ROW(error, 4095, true),
	ROW(error, 4096, false),
	ROW(started, 8, false),
	ROW(started, ~0ull, true),
	ROW(posted, 10, false),
	ROW(posted, 7, false),
	ROW(completed, 10, false),
	ROW(completed, 9, true),
	ROW(pending, ~0u, true),
	ROW(number, ~0ull, true),
	ROW(bytes, ~0ull, true),
	ROW(op, VN_RANK_OPS_MAX - 1, true),
	ROW(op, VN_RANK_OPS_MAX, false),
	ROW(type, VN_TYPE_COUNT, false),
	ROW(redop, VN_REDOP_COUNT, false),
	ROW(root, 4, false),
};

static void test_fields(void)
{
	struct vn_rank_seen seen;

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		struct vn_rank_status s = valid;

		memcpy((u8 *)&s + fields[i].off, &fields[i].value, fields[i].bytes);
		tap_ok(vn_status_see(&s, CHIPS, NOW, &seen) == fields[i].ok, "%s: %s",
		       fields[i].what, fields[i].ok ? "passed on" : "left out");
	}
}

static void test_random(void)
{
	u32 wrong = 0, passed = 0;

	for (u32 n = 0; n < 300000; n++) {
		struct vn_rank_status s = valid;
		struct vn_rank_seen seen;
		u64 *word = (u64 *)&s;

		/* A few words of nonsense; all of it is never passed on. */
		for (u32 i = rnd() % 4 + 1; i--;)
			word[rnd() % (sizeof(s) / 8)] = rnd() % 3 ? rnd() % 16 : rnd();
		if (!vn_status_see(&s, CHIPS, NOW, &seen))
			continue;
		passed++;
		wrong += seen.s.rank >= seen.s.ranks || seen.s.ranks > VN_MAX_CHIPS ||
			 (seen.s.chip >= CHIPS && seen.s.chip != VN_NO_CHIP) ||
			 seen.s.root >= seen.s.ranks || seen.s.completed > seen.s.posted ||
			 seen.s.posted > seen.s.started || seen.s.since_ns > NOW ||
			 strspn(seen.name, "0123456789abcdefABCDEF") > VN_COMM_NAME;
	}
	tap_ok(!wrong && passed, "of nonsense only what could be true (%u of %u could)",
	       passed - wrong, passed);
}

static struct vn_rank_status shared;
static bool stop;

/* number, bytes and root say the same thing; counters go up in their order. */
static void *writer(void *arg)
{
	struct vn_rank_status *s = &shared;

	for (u64 n = 1; !READ_ONCE(stop); n++) {
		WRITE_ONCE(s->started, n);
		vn_store_release(&s->posted, n);
		WRITE_ONCE(s->version, s->version + 1);
		vn_mb();
		WRITE_ONCE(s->number, n);
		WRITE_ONCE(s->bytes, n);
		WRITE_ONCE(s->root, (u32)(n % 4));
		vn_store_release(&s->version, s->version + 1);
		vn_store_release(&s->completed, n);
	}
	return arg;
}

static void test_whole(void)
{
	u32 wrong = 0, whole = 0, torn = 0;
	struct vn_rank_seen seen;
	pthread_t thread;

	shared = valid;
	shared.started = shared.posted = shared.completed = shared.number = 0;
	shared.bytes = shared.root = 0;
	pthread_create(&thread, NULL, writer, NULL);
	for (u32 i = 0; i < 200000 || (whole < 100 && i < 100000000); i++) {
		if (!vn_status_see(&shared, CHIPS, NOW, &seen)) {
			wrong++;
			continue;
		}
		if (seen.s.flags & VN_RANK_TORN) {
			torn++;
			continue;
		}
		whole++;
		wrong += seen.s.number != seen.s.bytes || seen.s.root != seen.s.number % 4;
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
	tap_ok(!wrong && whole, "never half of two states (%u whole, %u torn, %u wrong)", whole,
	       torn, wrong);
}

int main(void)
{
	test_valid();
	test_fields();
	test_random();
	test_whole();
	return tap_done();
}
