/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Making up programs (steps.h): likely steps, and changes of programs that there are. */
#ifndef VN_FUZZ_STEPS_MAKE_H
#define VN_FUZZ_STEPS_MAKE_H

#include <linux/vneuron_nl.h>

#include "steps.h"

/* The same seed gives the same. */
struct steps_dice {
	uint64_t x;
	uint32_t chips, sleds;
};

static inline uint64_t steps_roll(struct steps_dice *d)
{
	uint64_t z = d->x += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline uint32_t steps_below(struct steps_dice *d, uint32_t n)
{
	return (uint32_t)(steps_roll(d) % n);
}

static inline uint64_t steps_odd(struct steps_dice *d)
{
	static const uint64_t values[] = { 0,
					   1,
					   2,
					   3,
					   7,
					   8,
					   16,
					   63,
					   64,
					   255,
					   4088,
					   4095,
					   4096,
					   4097,
					   65535,
					   65536,
					   1 << 20,
					   1 << 30,
					   (1 << 30) + 1,
					   1u << 31,
					   UINT32_MAX,
					   1ull << 32,
					   1ull << 40,
					   1ull << 63,
					   UINT64_MAX - 7,
					   UINT64_MAX };

	return values[steps_below(d, sizeof(values) / sizeof(values[0]))];
}

/* A length, or where in memory. */
static inline uint64_t steps_size(struct steps_dice *d)
{
	switch (steps_below(d, 4)) {
	case 0:
		return steps_odd(d);
	case 1:
		return 4096ull * steps_below(d, 9);
	default:
		return 8ull * steps_below(d, 600);
	}
}

static inline uint32_t steps_index(struct steps_dice *d)
{
	/* The first few are likelier to be there. */
	return steps_below(d, 4) ? steps_below(d, 3) : steps_below(d, STEPS_OBJECTS);
}

static inline uint32_t steps_chip(struct steps_dice *d)
{
	return steps_below(d, 16) ? steps_below(d, d->chips) : (uint32_t)steps_odd(d);
}

static inline uint64_t steps_addr(struct steps_dice *d)
{
	return STEPS_ADDR(steps_index(d), steps_below(d, 3) ? 0 : steps_size(d) & 0xffffffffff);
}

/* Two words. */
static inline void steps_operand(struct steps_dice *d, uint64_t *to)
{
	if (steps_below(d, 2)) {
		to[0] = STEPS_OWN(steps_below(d, d->chips));
		to[1] = steps_addr(d);
	} else {
		to[0] = STEPS_OPERAND(steps_index(d));
		to[1] = steps_below(d, 2) ? 0 : steps_size(d);
	}
	/* Of a plan: a parameter. */
	if (!steps_below(d, 12))
		to[0] = VN_PARAM | (uint64_t)steps_below(d, 4) << 16;
}

static inline uint64_t steps_pair(uint64_t low, uint64_t high)
{
	return (low & UINT32_MAX) | high << 32;
}

/* What a descriptor is about: six words. */
static inline void steps_raw(struct steps_dice *d, uint32_t opcode, uint64_t *raw)
{
	uint32_t n = 1 + steps_below(d, 48), m = 1 + steps_below(d, 48);

	memset(raw, 0, 6 * sizeof(*raw));
	switch (opcode) {
	case VN_OP_NOP:
	case VN_OP_FENCE:
		break;
	case VN_OP_FILL:
		steps_operand(d, raw);
		raw[2] = steps_size(d);
		raw[3] = steps_roll(d);
		raw[4] = 1u << steps_below(d, 4);
		break;
	case VN_OP_REDUCE:
		raw[0] = steps_addr(d);
		raw[1] = steps_size(d);
		raw[2] = (1 + steps_below(d, 4)) | (1 + steps_below(d, 4)) << 16;
		break;
	case VN_OP_GEMM:
		for (uint32_t i = 0; i < 3; i++)
			raw[i] = steps_addr(d);
		raw[3] = steps_pair(m, n);
		raw[4] = steps_pair(m, m);
		raw[5] = steps_pair(m < n ? n : m, n);
		break;
	case VN_OP_BIAS_ADD ... VN_OP_AXPY:
		for (uint32_t i = 0; i < 4; i++)
			raw[i] = steps_below(d, 4) ? steps_addr(d) : 0;
		raw[4] = steps_pair(n, m);
		break;
	case VN_OP_SEM_WAIT:
	case VN_OP_SEM_SIGNAL:
		steps_operand(d, raw);
		raw[2] = steps_below(d, 3);
		break;
	case VN_OP_LAUNCH:
		raw[0] = steps_below(d, 2) ? steps_addr(d) : 0;
		raw[1] = steps_pair(STEPS_OBJECT(STEPS_PLAN, steps_index(d)), steps_below(d, 3));
		break;
	default:
		/* As a copy is, and newer ones are, too. */
		steps_operand(d, raw);
		steps_operand(d, raw + 2);
		raw[4] = steps_size(d);
		raw[5] = opcode == VN_OP_COPY ? 0 : steps_size(d);
	}
	if (!steps_below(d, 16))
		raw[steps_below(d, 6)] = steps_odd(d);
}

static inline void steps_make_push(struct steps_dice *d, struct step *s)
{
	uint32_t opcode = steps_below(d, VN_OP_COUNT);

	s->kind = STEP_PUSH;
	s->what = (uint16_t)steps_index(d);
	s->more = opcode;
	if (opcode == VN_OP_REDUCE || opcode > VN_OP_LAUNCH)
		s->more |= steps_below(d, VN_TYPE_COUNT) << 16 | steps_below(d, 4) << 24;
	else if (opcode == VN_OP_GEMM)
		s->more |= (uint32_t)VN_FLOAT32 << 16;
	s->arg[0] = steps_below(d, 6) ? opcode > VN_OP_LAUNCH : steps_odd(d);
	steps_raw(d, opcode, &s->arg[1]);
}

static inline void steps_make_window(struct steps_dice *d, struct step *s, uint32_t cmd)
{
	uint32_t chip = steps_chip(d), access = steps_below(d, 3) ? 15 : steps_below(d, 32);
	uint32_t key = STEPS_OBJECT(STEPS_KEY, steps_index(d));

	s->more = chip;
	switch (cmd) {
	case VN_IOCTL_WINDOW_CREATE:
		s->arg[0] = steps_addr(d);
		s->arg[1] = steps_size(d);
		s->arg[2] = access;
		if (steps_below(d, 2))
			break;
		/* Over other memory, or a part of another window. */
		s->arg[3] = steps_pair(0, 1u << steps_below(d, 4));
		s->arg[5] = steps_below(d, 2)
				    ? key
				    : steps_pair(0, STEPS_OBJECT(STEPS_FD, steps_index(d)));
		s->arg[0] = steps_below(d, 2) ? STEPS_POINTER(steps_size(d) % STEPS_BRINGS) : 0;
		s->arg[1] = steps_below(d, 2) ? 64 : steps_size(d);
		break;
	case VN_IOCTL_WINDOW_BIND:
		s->arg[0] = steps_pair(key, access);
		s->arg[1] = steps_addr(d);
		s->arg[2] = steps_size(d);
		break;
	case VN_IOCTL_WINDOW_IMPORT:
		s->arg[0] = steps_pair(key, steps_below(d, 2) ? 2 : 6);
		break;
	case VN_IOCTL_WINDOW_RELEASE:
		s->more = 0;
		s->arg[0] = STEPS_OFFSET(16 + steps_index(d), 0);
		break;
	default:
		s->arg[0] = key;
	}
}

static inline void steps_make_plan(struct steps_dice *d, struct step *s)
{
	s->arg[0] = STEPS_POINTER(0);
	s->arg[1] = STEPS_POINTER(256);
	s->arg[2] = STEPS_POINTER(2048);
	s->arg[3] = steps_pair(1 + steps_below(d, 2), 1 + steps_below(d, 3));
	s->arg[4] = steps_pair(steps_below(d, 8), steps_below(d, 3));
}

static inline void steps_make_drain(struct steps_dice *d, struct step *s)
{
	s->more = steps_below(d, 3) ? 0 : 1u << steps_below(d, 4);
	s->arg[0] = steps_pair(steps_below(d, d->sleds),
			       steps_below(d, 2) ? VN_ANY_SLED : steps_below(d, d->sleds + 1));
	s->arg[1] = 1 + steps_below(d, 3);
	s->arg[2] = 10000000;
}

/* A call of that number; one that is new is words of all kinds. */
static inline void steps_make_call(struct steps_dice *d, struct step *s, uint32_t nr)
{
	uint32_t cmd = (uint32_t)_IO('V', nr);

	s->kind = STEP_CALL;
	s->what = (uint16_t)nr;
	switch (cmd) {
	case VN_IOCTL_QUERY:
	case VN_IOCTL_DOMAIN_EXPORT:
	case VN_IOCTL_STATUS_CREATE:
		break;
	case VN_IOCTL_CHIP_QUERY:
	case VN_IOCTL_SLED_QUERY:
		s->more = steps_chip(d);
		break;
	case VN_IOCTL_CHIP_ATTACH:
	case VN_IOCTL_DOMAIN_JOIN:
		s->arg[0] = STEPS_OBJECT(STEPS_FD, steps_index(d));
		break;
	case VN_IOCTL_MEM_ALLOC:
		s->more = steps_chip(d);
		s->arg[0] = steps_below(d, 2) ? 8192 : steps_size(d);
		break;
	case VN_IOCTL_MEM_FREE:
		s->more = steps_chip(d);
		s->arg[0] = steps_addr(d);
		break;
	case VN_IOCTL_MEM_EXPORT:
		s->more = steps_chip(d);
		s->arg[0] = STEPS_ADDR(steps_index(d), 4096ull * steps_below(d, 3));
		s->arg[1] = 4096ull * (1 + steps_below(d, 2));
		s->arg[2] = steps_below(d, 2);
		break;
	case VN_IOCTL_QUEUE_CREATE:
		s->more = steps_chip(d);
		s->arg[0] = steps_below(d, 8) ? 8u << steps_below(d, 3) : steps_odd(d);
		break;
	case VN_IOCTL_QUEUE_DESTROY:
	case VN_IOCTL_QUEUE_RESET:
	case VN_IOCTL_DOORBELL:
	case VN_IOCTL_WAIT:
		s->more = STEPS_OBJECT(STEPS_QUEUE, steps_index(d));
		s->arg[0] = steps_below(d, 4);
		s->arg[1] = steps_below(d, 3) * 1000000;
		break;
	case VN_IOCTL_PLAN_CREATE:
		steps_make_plan(d, s);
		break;
	case VN_IOCTL_PLAN_DESTROY:
		s->more = STEPS_OBJECT(STEPS_PLAN, steps_index(d));
		break;
	case VN_IOCTL_STATUS_DESTROY:
		s->arg[0] = STEPS_OFFSET(16 + steps_index(d), 0);
		break;
	case VN_IOCTL_DRAIN_OPEN:
		steps_make_drain(d, s);
		break;
	case VN_IOCTL_WINDOW_CREATE:
	case VN_IOCTL_WINDOW_INVALIDATE:
	case VN_IOCTL_WINDOW_IMPORT:
	case VN_IOCTL_WINDOW_RELEASE:
	case VN_IOCTL_WINDOW_BIND:
		steps_make_window(d, s, cmd);
		break;
	default:
		s->more = steps_chip(d);
		for (uint32_t i = 0; i < 4; i++)
			s->arg[i] = steps_below(d, 2)
					    ? steps_pair(STEPS_OBJECT(steps_below(d, STEPS_CLASSES),
								      steps_index(d)),
							 steps_below(d, 16))
				    : steps_below(d, 2) ? steps_addr(d)
							: steps_size(d);
	}
}

static inline void steps_make(struct steps_dice *d, struct step *s)
{
	memset(s, 0, sizeof(*s));
	s->on = (uint8_t)(steps_below(d, 4) ? 0 : steps_below(d, STEPS_CONTEXTS));
	s->what = (uint16_t)steps_index(d);
	switch (steps_below(d, 12)) {
	case 0 ... 3:
		steps_make_call(d, s, steps_below(d, VN_IOCTL_COUNT));
		break;
	case 4 ... 5:
		steps_make_push(d, s);
		break;
	case 6 ... 7:
		s->kind = STEP_WAIT;
		s->more = 1 + steps_below(d, 4);
		s->arg[0] = steps_below(d, 4) * 500000;
		break;
	case 8:
		s->kind = STEP_MAP;
		s->what = (uint16_t)steps_below(d, 24);
		s->more = steps_below(d, 3) ? 3 : steps_below(d, 64);
		break;
	case 9:
		s->kind = STEP_STORE;
		s->arg[0] = steps_size(d);
		steps_raw(d, VN_OP_COPY, &s->arg[1]);
		break;
	default:
		s->kind = (uint8_t)steps_below(d, STEP_KINDS);
		s->more = steps_below(d, 8);
		s->arg[0] = steps_size(d);
		s->arg[1] = steps_below(d, 2) ? steps_odd(d) : steps_roll(d);
	}
}

/* Steps that belong together; how many. There is room for 8. */
static inline uint32_t steps_some_memory(struct steps_dice *d, struct step *s)
{
	uint32_t chip = steps_below(d, d->chips);

	steps_make_call(d, &s[0], VN_IOCTL_MEM_ALLOC & 0xff);
	steps_make_call(d, &s[1], VN_IOCTL_WINDOW_CREATE & 0xff);
	steps_make_call(d, &s[2], VN_IOCTL_QUEUE_CREATE & 0xff);
	s[0].more = s[1].more = s[2].more = chip;
	s[1].arg[0] = STEPS_ADDR(steps_below(d, 3), 0);
	s[1].arg[1] = 4096;
	return 3;
}

/* A plan of one descriptor, launched. */
static inline uint32_t steps_some_plan(struct steps_dice *d, struct step *s)
{
	struct step push = { 0 };

	steps_make_push(d, &push);
	for (uint32_t i = 0; i < 3; i++)
		s[i].kind = STEP_BRING;
	s[0].arg[1] = steps_below(d, d->chips);
	s[0].arg[2] = 1;
	s[1].arg[0] = 256;
	s[1].arg[1] = push.more;
	memcpy(&s[1].arg[3], &push.arg[1], 4 * sizeof(s[1].arg[0]));
	s[2].arg[0] = 256 + 48;
	s[2].arg[1] = push.arg[5];
	s[2].arg[2] = push.arg[6];
	steps_make_call(d, &s[3], VN_IOCTL_PLAN_CREATE & 0xff);
	s[3].arg[3] = steps_pair(1, 1);
	steps_make_push(d, &s[4]);
	s[4].more = VN_OP_LAUNCH;
	s[4].arg[0] = 0;
	steps_raw(d, VN_OP_LAUNCH, &s[4].arg[1]);
	s[5].kind = STEP_WAIT;
	s[5].what = s[4].what;
	s[5].more = 1;
	s[5].arg[0] = 1000000;
	return 6;
}

/* Work, and waiting for it. */
static inline uint32_t steps_some_work(struct steps_dice *d, struct step *s)
{
	uint32_t n = 0;

	do
		steps_make_push(d, &s[n]);
	while (++n < 4);
	s[n].kind = STEP_WAIT;
	s[n].what = s[0].what;
	s[n].more = 1;
	s[n++].arg[0] = 1000000;
	return n;
}

/* A domain, and another context that joins it. */
static inline uint32_t steps_some_domain(struct steps_dice *d, struct step *s)
{
	steps_make_call(d, &s[0], VN_IOCTL_DOMAIN_EXPORT & 0xff);
	steps_make_call(d, &s[1], VN_IOCTL_DOMAIN_JOIN & 0xff);
	s[1].on = 1;
	return 2;
}

/* A sled goes out of service, or comes back, if it gets so far. */
static inline uint32_t steps_some_drain(struct steps_dice *d, struct step *s)
{
	static const uint8_t out[] = { VN_SLED_CORDONED, VN_SLED_CORDONED, VN_SLED_PRECOPY,
				       VN_SLED_COMMITTED, VN_SLED_DRAINED };
	bool back = !steps_below(d, 4);
	uint32_t n = back ? 2 : 5;

	/* Sessions are among the fds that come last. */
	steps_make_call(d, &s[0], VN_IOCTL_DRAIN_OPEN & 0xff);
	s[0].more = back ? VN_DRAIN_BACK : 0;
	for (uint32_t i = 1; i <= n; i++) {
		s[i] = s[0];
		s[i].kind = STEP_DRAIN;
		s[i].what = back ? VN_SLED_IN_SERVICE : out[i - 1];
		s[i].more = (s[0].more << 4) + 4 + steps_below(d, 2);
	}
	return n + 1;
}

/* A netlink message, whose attributes are likely those of its command. */
static inline uint32_t steps_some_netlink(struct steps_dice *d, struct step *s)
{
	static const uint8_t attrs[] = { VN_NL_A_CHIP,	VN_NL_A_SLED,  VN_NL_A_FAULT,
					 VN_NL_A_WHERE, VN_NL_A_COUNT, VN_NL_A_SLOT };
	uint32_t cmd = steps_below(d, VN_NL_CMD_MAX + 1);

	s[0].kind = STEP_NETLINK;
	s[0].what = (uint16_t)cmd;
	s[0].more = steps_below(d, 4) | steps_below(d, 4) << 2;
	for (uint32_t i = 0; i < 3; i++)
		s[0].arg[i] = steps_pair(attrs[steps_below(d, sizeof(attrs))], steps_below(d, 6));
	if (cmd != VN_NL_CMD_FAULT_INJECT && cmd != VN_NL_CMD_FAULT_CLEAR)
		return 1;
	s[0].more = 2 | 2 << 2;
	s[0].arg[0] = steps_pair(VN_NL_A_FAULT, steps_below(d, VN_FAULT_KINDS));
	s[0].arg[1] = steps_pair(VN_NL_A_WHERE, steps_below(d, d->sleds));
	/* What the embedded home takes for faults. */
	s[1].kind = STEP_DRAIN;
	s[1].what = (uint16_t)(0x100u << steps_below(d, 2) | steps_below(d, VN_FAULT_KINDS));
	s[1].arg[0] = steps_below(d, d->sleds);
	return 2;
}

static inline uint32_t steps_make_some(struct steps_dice *d, struct step *s)
{
	static uint32_t (*const some[])(struct steps_dice *, struct step *) = {
		steps_some_memory, steps_some_plan,  steps_some_work,
		steps_some_domain, steps_some_drain, steps_some_netlink,
	};
	uint32_t n = 0, kind = steps_below(d, 9), on = steps_below(d, STEPS_CONTEXTS);

	memset(s, 0, 8 * sizeof(*s));
	if (kind < sizeof(some) / sizeof(some[0])) {
		n = some[kind](d, s);
		for (uint32_t i = 0; i < n; i++)
			s[i].on = (uint8_t)(s[i].on + on);
		return n;
	}
	do
		steps_make(d, &s[n]);
	while (++n < 3 && steps_below(d, 2));
	return n;
}

static inline void steps_insert(struct step *p, uint32_t *n, uint32_t max, uint32_t at,
				const struct step *some, uint32_t k)
{
	if (*n + k > max)
		k = max - *n;
	memmove(p + at + k, p + at, (*n - at) * sizeof(*p));
	memcpy(p + at, some, k * sizeof(*p));
	*n += k;
}

/* A bit, a byte, or a word of one step. */
static inline void steps_touch(struct steps_dice *d, struct step *s)
{
	uint32_t at = steps_below(d, sizeof(*s));

	switch (steps_below(d, 4)) {
	case 0:
		((uint8_t *)s)[at] ^= (uint8_t)(1u << steps_below(d, 8));
		break;
	case 1:
		((uint8_t *)s)[at] = (uint8_t)steps_roll(d);
		break;
	case 2:
		s->arg[steps_below(d, 7)] = steps_below(d, 2) ? steps_odd(d) : steps_addr(d);
		break;
	case 3:
		s->more = steps_below(d, 2) ? (uint32_t)steps_odd(d) : steps_below(d, 16);
		break;
	}
}

/* Changes a program; other: one more to take steps from, or NULL. */
static inline void steps_mutate(struct steps_dice *d, struct step *p, uint32_t *n, uint32_t max,
				const struct step *other, uint32_t others)
{
	struct step some[8];
	uint32_t times = 1 + steps_below(d, 4), k, at;

	while (times--) {
		at = steps_below(d, *n + 1);
		switch (steps_below(d, 8)) {
		case 0 ... 2:
			k = steps_make_some(d, some);
			steps_insert(p, n, max, at, some, k);
			break;
		case 3:
			if (at < *n) {
				memmove(p + at, p + at + 1, (*n - at - 1) * sizeof(*p));
				--*n;
			}
			break;
		case 4:
			if (at < *n && *n < max) {
				some[0] = p[steps_below(d, *n)];
				steps_insert(p, n, max, at, some, 1);
			}
			break;
		case 5:
			if (other && others) {
				k = steps_below(d, others);
				steps_insert(p, n, max, at, other + k,
					     1 + steps_below(d, others - k));
			}
			break;
		default:
			if (at < *n)
				steps_touch(d, &p[at]);
		}
	}
}

#endif
