// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coll_data.h"

static const struct coll_type types[] = {
	{ VN_INT8, true, 0, 0, 127, 6 },	   { VN_UINT8, false, 0, 0, 255, 7 },
	{ VN_INT16, true, 0, 0, 32767, 14 },	   { VN_UINT16, false, 0, 0, 65535, 15 },
	{ VN_INT32, true, 0, 0, 1 << 24, 30 },	   { VN_UINT32, false, 0, 0, 1 << 24, 30 },
	{ VN_INT64, true, 0, 0, 1 << 24, 30 },	   { VN_UINT64, false, 0, 0, 1 << 24, 30 },
	{ VN_FLOAT16, true, 5, 10, 2048, 15 },	   { VN_FLOAT32, true, 8, 23, 1 << 24, 30 },
	{ VN_FLOAT64, true, 11, 52, 1 << 24, 30 }, { VN_BFLOAT16, true, 8, 7, 256, 30 },
	{ VN_FLOAT8E4M3, true, 4, 3, 16, 8 },	   { VN_FLOAT8E5M2, true, 5, 2, 8, 15 },
};

#define TYPES (sizeof(types) / sizeof(*types))

const struct coll_type *coll_type_at(unsigned int i)
{
	return i < TYPES ? &types[i] : NULL;
}

bool coll_type_reduces(const struct coll_type *type, enum vn_redop op)
{
	return !type->exponent || (op != VN_BAND && op != VN_BOR && op != VN_BXOR);
}

const struct coll_type *coll_type_find(const char *name)
{
	size_t i;

	for (i = 0; i < TYPES; i++)
		if (!strcmp(vn_type_name(types[i].type), name))
			return &types[i];
	return NULL;
}

const char *coll_type_names(void)
{
	static char list[256];
	size_t i, n = 0;

	for (i = 0; i < TYPES; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "",
				      vn_type_name(types[i].type));
	return list;
}

int coll_redop_find(const char *name)
{
	int op;

	for (op = 0; op < VN_REDOP_COUNT; op++)
		if (!strcmp(vn_redop_name(op), name))
			return op;
	return -1;
}

const char *coll_redop_names(void)
{
	static char list[128];
	size_t n = 0;
	int op;

	for (op = 0; op < VN_REDOP_COUNT; op++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", op ? ", " : "",
				      vn_redop_name(op));
	return list;
}

/* ---- the alphabet --------------------------------------------------------- */

/* Rounded to nearest, ties to even; within the range of the type, so no infinity. */
static uint64_t encode_float(const struct coll_type *t, double v)
{
	int least = 2 - (1 << (t->exponent - 1)), e;
	uint64_t negative = v < 0, m;
	double rest;

	if (v == 0)
		return 0;
	v = negative ? -v : v;
	frexp(v, &e);
	e = e - 1 < least ? least : e - 1;
	/* In units of the last place. */
	v = ldexp(v, t->mantissa - e);
	m = (uint64_t)v;
	rest = v - (double)m;
	m += rest > 0.5 || (rest == 0.5 && (m & 1));
	/* Its leading one, if there is one, is one more in the exponent. */
	m += (uint64_t)(e - least) << t->mantissa;
	return negative << (t->exponent + t->mantissa) | m;
}

static uint64_t encode(const struct coll_type *t, int64_t v)
{
	return t->exponent ? encode_float(t, (double)v) : (uint64_t)v;
}

/* The only result that is rounded: once in the type of the sum, then in the type. */
static uint64_t encode_average(const struct coll_type *t, int64_t sum, uint32_t n)
{
	if (!t->exponent)
		return (uint64_t)(sum / (int64_t)n);
	if (t->type == VN_FLOAT64)
		return encode_float(t, (double)sum / n);
	return encode_float(t, (float)sum / (float)n);
}

static uint32_t mix(uint32_t x)
{
	x ^= x >> 15;
	x *= 0x27d4eb2fu;
	return x ^ x >> 16;
}

/* What a rank's data is multiplied with first. */
static int64_t scale(const struct coll_letters *l, uint32_t rank)
{
	return l->redop == VN_PREMULSUM ? 1 + rank % 2 : 1;
}

static uint32_t divide_up(uint32_t a, uint32_t b)
{
	return (a + b - 1) / b;
}

/* As large an alphabet as sums of all ranks allow; else fewer ranks contribute. */
static void sum_letters(struct coll_letters *l, uint32_t ranks)
{
	const struct coll_type *t = l->type;
	int64_t most, exact = t->exact / scale(l, 1);
	uint32_t k;

	for (l->letters = 8;; l->letters /= 2) {
		most = t->is_signed ? l->letters / 2 : l->letters - 1;
		if (l->letters == 2 || most * ranks <= exact)
			break;
	}
	l->stride = divide_up(ranks, (uint32_t)(exact / most));
	for (k = 0; k < l->letters; k++) {
		l->value[k] = t->is_signed ? (int64_t)k - most : (int64_t)k;
		/* -2 -1 1 2: a rank that is missing shows. */
		l->value[k] += t->is_signed && l->value[k] >= 0;
	}
}

static void product_letters(struct coll_letters *l, uint32_t ranks)
{
	static const int64_t factor[4] = { 1, 2, -1, -2 };

	l->letters = l->type->is_signed ? 4 : 2;
	l->stride = divide_up(ranks, l->type->doublings);
	memcpy(l->value, factor, l->letters * sizeof(*factor));
	l->value[COLL_LETTERS] = 1;
}

static void extreme_letters(struct coll_letters *l)
{
	const struct coll_type *t = l->type;
	uint32_t k;

	for (l->letters = COLL_LETTERS; l->letters / 2 > t->exact; l->letters /= 2)
		;
	for (k = 0; k < l->letters; k++)
		l->value[k] = (int64_t)k - (t->is_signed ? l->letters / 2 : 0);
}

/* A bit each, of so few ranks that others are left; or any bits. */
static void bit_letters(struct coll_letters *l, uint32_t ranks)
{
	bool clear = l->redop == VN_BAND;
	uint32_t k, bits = 8 * l->size;

	if (l->redop != VN_BXOR) {
		l->letters = bits;
		l->stride = divide_up(ranks, bits / 2);
		l->value[COLL_LETTERS] = clear ? -1 : 0;
	}
	for (k = 0; k < l->letters; k++) {
		l->value[k] = (int64_t)(1ull << k % bits);
		if (clear)
			l->value[k] = ~l->value[k];
		else if (l->redop == VN_BXOR)
			l->value[k] = (int64_t)((uint64_t)mix(k + 1) << 32 | mix(~k));
	}
}

void coll_letters_init(struct coll_letters *l, const struct coll_type *type, bool reduces,
		       enum vn_redop redop, uint32_t ranks)
{
	uint32_t k;

	memset(l, 0, sizeof(*l));
	l->type = type;
	l->redop = redop;
	l->size = vn_type_size(type->type);
	l->letters = COLL_LETTERS;
	l->stride = 1;
	if (!reduces) {
		for (k = 0; k < l->letters; k++)
			l->code[k] = (uint64_t)mix(k + 1) << 32 | mix(~k);
		return;
	}
	if (redop == VN_SUM || redop == VN_AVG || redop == VN_PREMULSUM)
		sum_letters(l, ranks);
	else if (redop == VN_PROD)
		product_letters(l, ranks);
	else if (redop == VN_MIN || redop == VN_MAX)
		extreme_letters(l);
	else
		bit_letters(l, ranks);
	for (k = 0; k <= COLL_LETTERS; k++)
		l->code[k] = encode(type, l->value[k]);
}

/* ---- contents -------------------------------------------------------------- */

/* So many elements at a time. */
#define CHUNK 256u

static void pick(const struct coll_letters *l, uint8_t *k, uint32_t rank, uint32_t round,
		 uint64_t first, uint32_t n)
{
	uint32_t salt = mix(rank * 0x85ebca77u + round * 0xc2b2ae3du + 1), mask = l->letters - 1;
	uint32_t turn = (uint32_t)((first + rank + round) % l->stride), i;

	for (i = 0; i < n; i++)
		k[i] = mix((uint32_t)(first + i) * 0x9e3779b1u ^ salt) & mask;
	if (l->stride == 1)
		return;
	for (i = 0; i < n; i++) {
		if (turn)
			k[i] = COLL_LETTERS;
		turn = turn + 1 == l->stride ? 0 : turn + 1;
	}
}

static void put(void *to, uint64_t i, uint64_t code, uint32_t size)
{
	switch (size) {
	case 1:
		((uint8_t *)to)[i] = (uint8_t)code;
		break;
	case 2:
		((uint16_t *)to)[i] = (uint16_t)code;
		break;
	case 4:
		((uint32_t *)to)[i] = (uint32_t)code;
		break;
	default:
		((uint64_t *)to)[i] = code;
	}
}

void coll_letters_write(const struct coll_letters *l, void *to, uint32_t rank, uint32_t round,
			uint64_t first, uint64_t n)
{
	uint32_t m, i, size = l->size;
	uint8_t k[CHUNK];
	char *at = to;

	for (; n; n -= m, first += m, at += (uint64_t)m * size) {
		m = n < CHUNK ? (uint32_t)n : CHUNK;
		pick(l, k, rank, round, first, m);
		for (i = 0; i < m; i++)
			put(at, i, l->code[k[i]], size);
	}
}

static int64_t fold(int64_t a, int64_t v, enum vn_redop op)
{
	switch (op) {
	case VN_SUM:
	case VN_AVG:
	case VN_PREMULSUM:
		return a + v;
	case VN_PROD:
		return a * v;
	case VN_MAX:
		return a > v ? a : v;
	case VN_BAND:
		return a & v;
	case VN_BOR:
		return a | v;
	case VN_BXOR:
		return a ^ v;
	default:
		return a < v ? a : v;
	}
}

void coll_letters_fold(const struct coll_letters *l, int64_t *acc, bool begin, uint32_t rank,
		       uint32_t round, uint64_t first, uint64_t n)
{
	int64_t by = scale(l, rank), v;
	uint8_t k[CHUNK];
	uint32_t m, i;

	for (; n; n -= m, first += m, acc += m) {
		m = n < CHUNK ? (uint32_t)n : CHUNK;
		pick(l, k, rank, round, first, m);
		for (i = 0; i < m; i++) {
			v = by * l->value[k[i]];
			acc[i] = begin ? v : fold(acc[i], v, l->redop);
		}
	}
}

void coll_letters_scalar(const struct coll_letters *l, uint32_t rank, void *to)
{
	put(to, 0, encode(l->type, scale(l, rank)), l->size);
}

void coll_letters_encode(const struct coll_letters *l, void *to, const int64_t *acc, uint32_t ranks,
			 uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		put(to, i,
		    l->redop == VN_AVG ? encode_average(l->type, acc[i], ranks)
				       : encode(l->type, acc[i]),
		    l->size);
}

uint64_t coll_wrong(const void *got, const void *want, uint64_t n, uint32_t size)
{
	const char *a = got, *b = want;
	uint64_t i, wrong = 0;

	if (!memcmp(a, b, n * size))
		return 0;
	for (i = 0; i < n; i++)
		wrong += memcmp(a + i * size, b + i * size, size) != 0;
	return wrong;
}
