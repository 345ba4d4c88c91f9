// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stddef.h>
#include <string.h>

#include "coll_data.h"

static const struct coll_type types[] = {
	{ "float32", VN_FLOAT32 },
	{ "bfloat16", VN_BFLOAT16 },
	{ "float16", VN_FLOAT16 },
	{ "int32", VN_INT32 },
};

static const char *const redops[VN_REDOP_COUNT] = {
	[VN_SUM] = "sum",
	[VN_PROD] = "prod",
	[VN_MAX] = "max",
	[VN_MIN] = "min",
};

/* 144 of the first kind sum up to at most 576, which a float16 holds exactly. */
static const int values[8] = { -4, -3, -2, -1, 0, 1, 2, 3 };
/* A bfloat16 ends at 256. */
static const int narrow[8] = { -1, 0, 1, 1, -1, 0, 1, 0 };
static const int factors[2] = { 1, 2 };

const struct coll_type *coll_type_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

int coll_redop_find(const char *name)
{
	int i;

	for (i = 0; i < VN_REDOP_COUNT; i++)
		if (!strcmp(redops[i], name))
			return i;
	return -1;
}

const char *coll_redop_name(enum vn_redop op)
{
	return redops[op];
}

/* Exact for |v| <= 256 (bfloat16), 2048 (float16), 2^24 (float32). */
static uint32_t encode(int32_t v, enum vn_type type)
{
	union {
		float f;
		uint32_t u;
	} bits = { (float)v };

	switch (type) {
	case VN_FLOAT32:
		return bits.u;
	case VN_BFLOAT16:
		return bits.u >> 16;
	case VN_FLOAT16:
		if (!v)
			return 0;
		/* The exponent's bias is 15 instead of 127; 13 bits of mantissa go. */
		return (bits.u >> 16 & 0x8000) | ((bits.u & 0x7fffffff) - (112u << 23)) >> 13;
	default:
		return (uint32_t)v;
	}
}

static uint32_t pick(uint64_t i, uint32_t rank, uint32_t round, enum vn_redop op)
{
	uint32_t x;

	/* Any 16 ranks in a row have one factor of two: 144 make 2^9. */
	if (op == VN_PROD)
		return (i + 7 * rank + round) % 16 == 0;
	x = (uint32_t)i * 0x9e3779b1u ^ (rank * 0x85ebca77u + round * 0xc2b2ae3du);
	x ^= x >> 15;
	return x * 0x27d4eb2fu >> 29;
}

static int32_t fold(int32_t a, int32_t v, enum vn_redop op)
{
	switch (op) {
	case VN_SUM:
		return a + v;
	case VN_PROD:
		return a * v;
	case VN_MAX:
		return a > v ? a : v;
	default:
		return a < v ? a : v;
	}
}

void coll_fill(void *to, int32_t *acc, uint64_t count, enum vn_type type, enum vn_redop op,
	       uint32_t rank, uint32_t round)
{
	const int *value = op == VN_PROD ? factors : type == VN_BFLOAT16 ? narrow : values;
	uint32_t size = vn_type_size(type), code[8], k;
	uint64_t i;

	for (k = 0; k < (op == VN_PROD ? 2 : 8); k++)
		code[k] = encode(value[k], type);
	for (i = 0; i < count; i++) {
		k = pick(i, rank, round, op);
		if (size == 2)
			((uint16_t *)to)[i] = (uint16_t)code[k];
		else
			((uint32_t *)to)[i] = code[k];
		acc[i] = rank ? fold(acc[i], value[k], op) : value[k];
	}
}

void coll_expect(void *to, const int32_t *acc, uint64_t count, enum vn_type type)
{
	uint32_t size = vn_type_size(type);
	uint64_t i;

	for (i = 0; i < count; i++) {
		if (size == 2)
			((uint16_t *)to)[i] = (uint16_t)encode(acc[i], type);
		else
			((uint32_t *)to)[i] = encode(acc[i], type);
	}
}

uint64_t coll_wrong(const void *got, const void *want, uint64_t count, uint32_t size)
{
	const char *a = got, *b = want;
	uint64_t i, wrong = 0;

	if (!memcmp(a, b, count * size))
		return 0;
	for (i = 0; i < count; i++)
		wrong += memcmp(a + i * size, b + i * size, size) != 0;
	return wrong;
}
