/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs for fuzzers of the ABI: steps of 64 bytes, which any bytes are. Each is a call
 * with a struct, a mapping, a store into one, and so on; steps_act.h carries them out,
 * steps_make.h makes up likely ones and changes them.
 *
 * What a call gives back (addresses, keys, numbers, fds) is kept; a step that wants it uses a
 * name, which is replaced before the call:
 *
 *	u64	fa0N << 48 | offset	address of memory N of the context, offset added
 *		fb0N << 48 | offset	what memory, queue, import or status page N is mapped by
 *		fc00 << 48 | offset	a pointer to what a program brings (programs, descriptors)
 *		feed00NN << 32		beginning of an operand: chip and key NN; fN: own memory
 *	u32	fe00NN00 | class	object NN of a class: enum steps_class
 */
#ifndef VN_FUZZ_STEPS_H
#define VN_FUZZ_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../kmod/engine/abi.h"

#define STEPS_MAX 48u
#define STEPS_CONTEXTS 3u
/* Objects of a kind that are remembered, the last ones. */
#define STEPS_OBJECTS 8u
/* Bytes that a program brings for user pointers. */
#define STEPS_BRINGS 4096u

enum step_kind {
	STEP_CALL, /* more: word behind the size; arg: words behind that */
	STEP_MAP, /* what: object; more: protection and flags */
	STEP_UNMAP, /* what: mapping; more: how (enum steps_change) */
	STEP_STORE, /* what: mapping; arg: where, and words */
	STEP_RING, /* what: queue; more: word of the ring page; arg[0]: value */
	STEP_PUSH, /* what: queue; more and arg: a descriptor */
	STEP_WAIT, /* what: queue; more: completions more than there are */
	STEP_BRING, /* arg: where, and words, into what a program brings */
	STEP_OPEN, /* the context anew */
	STEP_CLOSE, /* what: an fd that a call gave */
	STEP_POLL,
	STEP_FORK, /* what: steps that a child carries out; more: how it ends */
	STEP_THREAD, /* what: queue: somebody else waits there meanwhile */
	STEP_NETLINK, /* what: command; more: flags; arg: attributes */
	STEP_DRAIN, /* what: state; more: which session */
	STEP_KINDS,
};

struct step {
	uint8_t kind;
	uint8_t on; /* context */
	uint16_t what;
	uint32_t more;
	uint64_t arg[7];
};

_Static_assert(sizeof(struct step) == 64, "a step is 64 bytes");

enum steps_class {
	STEPS_KEY,
	STEPS_QUEUE,
	STEPS_PLAN,
	STEPS_FD,
	STEPS_CLASSES,
};

#define STEPS_ADDR(n, off) (0xfa00ull << 48 | (uint64_t)(n) << 48 | (off))
#define STEPS_OFFSET(n, off) (0xfb00ull << 48 | (uint64_t)(n) << 48 | (off))
#define STEPS_POINTER(off) (0xfc00ull << 48 | (off))
#define STEPS_OPERAND(n) (0xfeed0000ull << 32 | (uint64_t)(n) << 32)
#define STEPS_OWN(chip) STEPS_OPERAND(0xf0 | (chip))
#define STEPS_OBJECT(class, n) (0xfe000000u | (uint32_t)(n) << 8 | (class))

/* The program of an input: as many steps as there are whole ones. */
static inline uint32_t steps_count(size_t bytes)
{
	size_t n = bytes / sizeof(struct step);

	return n < STEPS_MAX ? (uint32_t)n : STEPS_MAX;
}

#endif
