/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Carries out programs (steps.h). Which home they are for is in struct steps_home; steps that
 * it does not know are nothing.
 */
#ifndef VN_FUZZ_STEPS_ACT_H
#define VN_FUZZ_STEPS_ACT_H

#include "steps.h"
#include "../call_arg.h"

#define STEPS_NONE UINT64_MAX

struct steps_mapping {
	void *ptr;
	uint64_t bytes;
};

/* A context, and what it was given. */
struct steps_context {
	void *home; /* the home's own, NULL: it is not open */
	struct {
		uint64_t addr, offset, bytes;
	} mem[STEPS_OBJECTS];
	struct {
		uint32_t key, chip;
	} key[STEPS_OBJECTS];
	struct {
		uint32_t number, depth, tail;
		uint64_t offset, bytes;
		uint8_t *map;
	} queue[STEPS_OBJECTS];
	struct {
		uint64_t offset, bytes;
	} object[STEPS_OBJECTS];
	uint32_t plan[STEPS_OBJECTS];
	struct steps_mapping mapping[STEPS_OBJECTS];
	uint32_t nmem, nkey, nqueue, nobject, nplan, nmapping;
};

struct steps_stage {
	const struct steps_home *home;
	struct steps_context ctx[STEPS_CONTEXTS];
	int fd[STEPS_OBJECTS];
	uint32_t nfd;
	int all[STEPS_MAX]; /* that calls gave */
	uint64_t calls, failed; /* made, and refused */
	_Alignas(64) uint8_t brings[STEPS_BRINGS];
};

struct steps_home {
	/* A context more; of the same device. */
	void *(*open)(struct steps_stage *s, struct steps_context *c);
	void (*close)(struct steps_stage *s, struct steps_context *c);
	/* 0 or -errno; arg has room for VN_CALL_BYTES and its size in front. */
	int (*call)(struct steps_stage *s, struct steps_context *c, uint32_t cmd, void *arg);
	/* NULL: it can't be mapped. */
	void *(*map)(struct steps_stage *s, struct steps_context *c, uint64_t offset,
		     uint64_t bytes, uint32_t how);
	/* Something was given back: mappings may be gone with it. */
	bool maps_end;
	/* false: a store there raised a signal, and did nothing. */
	bool (*store)(void *to, const void *from, uint32_t bytes);
	/* Steps of kinds that not all homes have. */
	void (*other)(struct steps_stage *s, const struct step *step, uint32_t left);
	/* Absolute, in nanoseconds, of a wait. */
	uint64_t (*deadline)(uint64_t wish);
};

static inline void steps_remember_fd(struct steps_stage *s, int fd)
{
	s->all[s->nfd % STEPS_MAX] = fd;
	s->fd[s->nfd++ % STEPS_OBJECTS] = fd;
}

/* ---- names ------------------------------------------------------------------------------- */

static inline uint32_t steps_u32(const struct steps_stage *s, const struct steps_context *c,
				 uint32_t v)
{
	uint32_t n = v >> 8 & (STEPS_OBJECTS - 1);

	if (v >> 16 != 0xfe00)
		return v;
	switch (v & 0xff) {
	case STEPS_KEY:
		return c->key[n].key;
	case STEPS_QUEUE:
		return c->queue[n].number;
	case STEPS_PLAN:
		return c->plan[n];
	case STEPS_FD:
		return (uint32_t)s->fd[n];
	}
	return v;
}

/* What mmap() wants for memory, queues, then other objects. */
static inline uint64_t steps_offset(const struct steps_context *c, uint32_t n, uint64_t *bytes)
{
	uint32_t i = n % STEPS_OBJECTS;

	n /= STEPS_OBJECTS;
	if (n % 3 == 0 && c->mem[i].bytes) {
		*bytes = c->mem[i].bytes;
		return c->mem[i].offset;
	}
	if (n % 3 == 1 && c->queue[i].bytes) {
		*bytes = c->queue[i].bytes;
		return c->queue[i].offset;
	}
	*bytes = c->object[i].bytes;
	return c->object[i].bytes ? c->object[i].offset : STEPS_NONE;
}

static inline uint64_t steps_u64(struct steps_stage *s, const struct steps_context *c, uint64_t v)
{
	uint64_t low = v & 0xffffffffffffull, bytes;
	uint32_t top = (uint32_t)(v >> 48), n = top & 0xff;

	if (v >> 40 == 0xfeed00) {
		n = v >> 32 & 0xff;
		if (n >= 0xf0)
			return (uint64_t)(n & 0xf) << 16;
		n %= STEPS_OBJECTS;
		return (uint64_t)c->key[n].key << 32 | (uint64_t)(c->key[n].chip & 0xffff) << 16;
	}
	switch (top >> 8) {
	case 0xfa:
		return c->mem[n % STEPS_OBJECTS].addr + low;
	case 0xfb:
		return steps_offset(c, n, &bytes) + low;
	case 0xfc:
		return (uint64_t)(uintptr_t)s->brings + low % STEPS_BRINGS;
	}
	return v;
}

/* Words with names replaced, as whole ones or as halves. */
static inline void steps_words(struct steps_stage *s, const struct steps_context *c, void *to,
			       const uint64_t *from, uint32_t n)
{
	uint8_t *at = to;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t v = steps_u64(s, c, from[i]);

		if (v == from[i])
			v = steps_u32(s, c, (uint32_t)v) |
			    (uint64_t)steps_u32(s, c, (uint32_t)(v >> 32)) << 32;
		memcpy(at + 8 * i, &v, 8);
	}
}

/* ---- calls ------------------------------------------------------------------------------- */

static inline void steps_remember(struct steps_stage *s, struct steps_context *c, uint32_t cmd,
				  const union call_arg *was, const union call_arg *a)
{
	uint32_t i;

	switch (cmd) {
	case VN_IOCTL_MEM_ALLOC:
		i = c->nmem++ % STEPS_OBJECTS;
		c->mem[i].addr = a->mem_alloc.addr;
		c->mem[i].offset = a->mem_alloc.mmap_offset;
		c->mem[i].bytes = (a->mem_alloc.bytes + 4095) & ~4095ull;
		break;
	case VN_IOCTL_WINDOW_CREATE:
		i = c->nkey++ % STEPS_OBJECTS;
		c->key[i].key = a->window.key;
		c->key[i].chip = a->window.chip;
		break;
	case VN_IOCTL_WINDOW_IMPORT:
		i = c->nobject++ % STEPS_OBJECTS;
		c->object[i].offset = a->import.mmap_offset;
		c->object[i].bytes = a->import.bytes;
		break;
	case VN_IOCTL_STATUS_CREATE:
		i = c->nobject++ % STEPS_OBJECTS;
		c->object[i].offset = a->status.mmap_offset;
		c->object[i].bytes = VN_STATUS_BYTES;
		break;
	case VN_IOCTL_QUEUE_CREATE:
		i = c->nqueue++ % STEPS_OBJECTS;
		c->queue[i].number = a->queue.queue;
		c->queue[i].depth = a->queue.depth;
		c->queue[i].offset = a->queue.mmap_offset;
		c->queue[i].bytes = a->queue.mmap_bytes;
		c->queue[i].map = NULL;
		c->queue[i].tail = 0;
		break;
	case VN_IOCTL_PLAN_CREATE:
		c->plan[c->nplan++ % STEPS_OBJECTS] = a->plan.plan;
		break;
	case VN_IOCTL_DOMAIN_EXPORT:
		steps_remember_fd(s, a->domain_export.fd);
		break;
	case VN_IOCTL_WINDOW_BIND:
		for (i = 0; i < STEPS_OBJECTS; i++)
			if (c->key[i].key == was->bind.key && c->key[i].chip == a->bind.chip)
				c->key[i].key = a->bind.key;
		break;
	case VN_IOCTL_MEM_EXPORT:
		steps_remember_fd(s, a->mem_export.fd);
		break;
	case VN_IOCTL_DRAIN_OPEN:
		if (a->drain.fd >= 0)
			steps_remember_fd(s, a->drain.fd);
		break;
	default:
		/* A call that is not known here: what it has changed may be a key, or an fd. */
		for (i = 1; cmd > VN_IOCTL_MEM_EXPORT && i < VN_CALL_BYTES / 4; i++) {
			if (a->u32[i] == was->u32[i])
				continue;
			if (a->u32[i] < 1024)
				steps_remember_fd(s, (int)a->u32[i]);
			else
				c->key[c->nkey++ % STEPS_OBJECTS].key = a->u32[i];
		}
	}
}

/* Of homes where a mapping ends with what is mapped. */
static inline void steps_forget(struct steps_stage *s, struct steps_context *c)
{
	for (uint32_t i = 0; i < STEPS_CONTEXTS && s->home->maps_end; i++) {
		s->ctx[i].nmapping = 0;
		memset(s->ctx[i].mapping, 0, sizeof(s->ctx[i].mapping));
		for (uint32_t q = 0; q < STEPS_OBJECTS; q++)
			s->ctx[i].queue[q].map = NULL;
		memset(s->ctx[i].object, 0, sizeof(s->ctx[i].object));
	}
	for (uint32_t i = 0; i < STEPS_OBJECTS && s->home->maps_end; i++) {
		c->mem[i].bytes = 0;
		c->queue[i].bytes = 0;
	}
}

static inline bool steps_ends(uint32_t cmd)
{
	return cmd == VN_IOCTL_MEM_FREE || cmd == VN_IOCTL_WINDOW_INVALIDATE ||
	       cmd == VN_IOCTL_WINDOW_RELEASE || cmd == VN_IOCTL_QUEUE_DESTROY ||
	       cmd == VN_IOCTL_STATUS_DESTROY || cmd > VN_IOCTL_DRAIN_STEP;
}

static inline void steps_call(struct steps_stage *s, struct steps_context *c,
			      const struct step *step)
{
	uint32_t cmd = (uint32_t)_IO('V', step->what % (VN_IOCTL_COUNT + 1));
	const struct vn_call *known = vn_abi_call(cmd);
	union call_arg a, was;
	int err;

	memset(&a, 0, sizeof(a));
	a.u32[0] = known ? known->bytes : 64;
	/* Now and then another size than the struct has. */
	if (step->what >> 12 == 0xf)
		a.u32[0] = step->what >> 4 & 0xff;
	a.u32[1] = steps_u32(s, c, step->more);
	steps_words(s, c, &a.u64[1], step->arg, 7);
	if (cmd == VN_IOCTL_WAIT)
		a.wait.deadline_ns = s->home->deadline(a.wait.deadline_ns);
	was = a;
	err = s->home->call(s, c, cmd, &a);
	s->calls++;
	s->failed += !!err;
	if (!err)
		steps_remember(s, c, cmd, &was, &a);
	if (!err && steps_ends(cmd))
		steps_forget(s, c);
}

static inline void steps_wait(struct steps_stage *s, struct steps_context *c,
			      const struct step *step)
{
	uint32_t i = step->what % STEPS_OBJECTS;
	union call_arg a = { .wait = { .size = sizeof(a.wait), .queue = c->queue[i].number } };

	if (c->queue[i].map)
		a.wait.target = vn_load_acquire(&((struct vn_ring *)c->queue[i].map)->cq_tail);
	a.wait.target += step->more & 0xf;
	a.wait.deadline_ns = s->home->deadline(step->arg[0]);
	s->failed += !!s->home->call(s, c, VN_IOCTL_WAIT, &a);
	s->calls++;
}

/* ---- memory ------------------------------------------------------------------------------ */

static inline void steps_map(struct steps_stage *s, struct steps_context *c,
			     const struct step *step)
{
	uint64_t bytes = 0, offset = steps_offset(c, step->what, &bytes);
	struct steps_mapping *m = &c->mapping[c->nmapping % STEPS_OBJECTS];
	void *p;

	/* Anything else that may be mapped, or not. */
	if (offset == STEPS_NONE || step->what >> 12 == 0xf) {
		if (s->home->maps_end)
			return;
		offset = steps_u64(s, c, step->arg[0]);
		bytes = step->arg[1] % (1 << 20);
	}
	p = s->home->map(s, c, offset, bytes, step->more);
	if (!p)
		return;
	c->nmapping++;
	*m = (struct steps_mapping){ p, bytes };
}

static inline void steps_store(struct steps_stage *s, struct steps_context *c,
			       const struct step *step)
{
	struct steps_mapping *m = &c->mapping[step->what % STEPS_OBJECTS];
	uint64_t words[6], at;

	if (!m->ptr || m->bytes < sizeof(words))
		return;
	at = step->arg[0] % (m->bytes - sizeof(words) + 1) & ~7ull;
	steps_words(s, c, words, &step->arg[1], 6);
	s->home->store((uint8_t *)m->ptr + at, words, sizeof(words));
}

static inline void steps_bring(struct steps_stage *s, struct steps_context *c,
			       const struct step *step)
{
	uint64_t words[6], at = step->arg[0] % (STEPS_BRINGS - sizeof(words)) & ~7ull;

	steps_words(s, c, words, &step->arg[1], 6);
	memcpy(s->brings + at, words, sizeof(words));
}

static inline uint8_t *steps_ring(struct steps_stage *s, struct steps_context *c, uint32_t i)
{
	if (!c->queue[i].map && c->queue[i].bytes)
		c->queue[i].map = s->home->map(s, c, c->queue[i].offset, c->queue[i].bytes, 3);
	return c->queue[i].map;
}

static inline void steps_push(struct steps_stage *s, struct steps_context *c,
			      const struct step *step)
{
	uint32_t i = step->what % STEPS_OBJECTS, slot;
	uint8_t *map = steps_ring(s, c, i);
	struct vn_desc d;

	if (!map)
		return;
	/* The head of a descriptor is in the first word, what it is about behind that. */
	d.opcode = step->more & 0x80 ? (uint8_t)step->more : (uint8_t)(step->more % VN_OP_COUNT);
	d.flags = (uint8_t)(step->more >> 8);
	d.type = (uint8_t)(step->more >> 16);
	d.redop = (uint8_t)(step->more >> 24);
	d.arg = (uint32_t)step->arg[0];
	d.user_data = step->arg[0];
	steps_words(s, c, d.raw, &step->arg[1], 6);
	slot = c->queue[i].tail & (c->queue[i].depth - 1);
	if (!s->home->store(map + VN_RING_SQ_OFFSET + slot * sizeof(d), &d, sizeof(d)))
		return;
	c->queue[i].tail++;
	s->home->store(map, &c->queue[i].tail, 4);
}

static inline void steps_poke(struct steps_stage *s, struct steps_context *c,
			      const struct step *step)
{
	uint32_t i = step->what % STEPS_OBJECTS, at, v = (uint32_t)step->arg[0];
	uint8_t *map = steps_ring(s, c, i);

	if (!map)
		return;
	at = step->more % 2 ? step->more / 2 % (uint32_t)(c->queue[i].bytes / 4)
			    : step->more / 2 % 64;
	/* An index that is near. */
	if (step->arg[1] & 1)
		v += at ? vn_load_acquire(&((struct vn_ring *)map)->cq_tail) : c->queue[i].tail;
	s->home->store(map + 4 * at, &v, 4);
	if (!at)
		c->queue[i].tail = v;
}

/* ---- a program --------------------------------------------------------------------------- */

static inline void steps_close(struct steps_stage *s, struct steps_context *c)
{
	if (!c->home)
		return;
	s->home->close(s, c);
	steps_forget(s, c);
	memset(c, 0, sizeof(*c));
}

static inline struct steps_context *steps_context(struct steps_stage *s, uint32_t n)
{
	struct steps_context *c = &s->ctx[n % STEPS_CONTEXTS];

	if (!c->home)
		c->home = s->home->open(s, c);
	return c->home ? c : NULL;
}

static inline void steps_one(struct steps_stage *s, const struct step *step, uint32_t left)
{
	struct steps_context *c = steps_context(s, step->on);

	if (!c)
		return;
	switch (step->kind % STEP_KINDS) {
	case STEP_CALL:
		steps_call(s, c, step);
		break;
	case STEP_MAP:
		steps_map(s, c, step);
		break;
	case STEP_STORE:
		steps_store(s, c, step);
		break;
	case STEP_RING:
		steps_poke(s, c, step);
		break;
	case STEP_PUSH:
		steps_push(s, c, step);
		break;
	case STEP_WAIT:
		steps_wait(s, c, step);
		break;
	case STEP_BRING:
		steps_bring(s, c, step);
		break;
	case STEP_OPEN:
		steps_close(s, c);
		break;
	default:
		s->home->other(s, step, left);
	}
}

static inline void steps_run(struct steps_stage *s, const struct step *step, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		steps_one(s, &step[i], n - i - 1);
}

#endif
