/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a reduction must give, written the naive way from the rules of
 * enum vn_redop: values through double and ldexp, one element at a time, no code
 * of the engine's.
 */
#ifndef REDUCE_ORACLE_H
#define REDUCE_ORACLE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../uapi/linux/vneuron.h"

static inline uint32_t bits_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

static inline float of_bits(uint32_t u)
{
	float f;

	memcpy(&f, &u, 4);
	return f;
}

/* xorshift: the same numbers in every run. */
static inline uint32_t oracle_rnd(void)
{
	static uint64_t s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s >> 32;
}

static inline uint32_t oracle_size(uint8_t type)
{
	static const uint8_t size[VN_TYPE_COUNT] = {
		[VN_INT8] = 1,	     [VN_UINT8] = 1,	  [VN_INT16] = 2,   [VN_UINT16] = 2,
		[VN_INT32] = 4,	     [VN_UINT32] = 4,	  [VN_INT64] = 8,   [VN_UINT64] = 8,
		[VN_FLOAT16] = 2,    [VN_FLOAT32] = 4,	  [VN_FLOAT64] = 8, [VN_BFLOAT16] = 2,
		[VN_FLOAT8E4M3] = 1, [VN_FLOAT8E5M2] = 1,
	};

	return size[type];
}

static inline bool oracle_is_float(uint8_t type)
{
	return type == VN_FLOAT16 || type == VN_FLOAT32 || type == VN_FLOAT64 ||
	       type == VN_BFLOAT16 || type == VN_FLOAT8E4M3 || type == VN_FLOAT8E5M2;
}

static inline bool oracle_is_signed(uint8_t type)
{
	return type == VN_INT8 || type == VN_INT16 || type == VN_INT32 || type == VN_INT64;
}

/* A float of less than 32 bits. */
struct format {
	int mbits, bias, bits;
	bool infinite; /* else its top exponent is an exponent like the others */
};

static inline struct format format_of(uint8_t type)
{
	return type == VN_FLOAT16      ? (struct format){ 10, 15, 16, true }
	       : type == VN_BFLOAT16   ? (struct format){ 7, 127, 16, true }
	       : type == VN_FLOAT8E5M2 ? (struct format){ 2, 15, 8, true }
				       : (struct format){ 3, 7, 8, false };
}

/* The value of a narrow pattern. */
static inline float wide(uint8_t type, uint32_t h)
{
	struct format f = format_of(type);
	uint32_t sign = h >> (f.bits - 1) & 1;
	int abs = h & ((1 << (f.bits - 1)) - 1), e = abs >> f.mbits, m = abs & ((1 << f.mbits) - 1);
	double v;

	if (f.infinite && e == 2 * f.bias + 1)
		v = m ? NAN : INFINITY;
	else if (!f.infinite && abs == (1 << (f.bits - 1)) - 1)
		v = NAN;
	else if (e)
		v = ldexp((1 << f.mbits) + m, e - f.bias - f.mbits);
	else
		v = ldexp(m, 1 - f.bias - f.mbits);
	return sign ? -v : v;
}

/* The nearest narrow pattern, ties to the even one. */
static inline uint32_t narrow(uint8_t type, float x)
{
	struct format f = format_of(type);
	uint32_t sign = signbit(x) ? 1u << (f.bits - 1) : 0, top = (2 * f.bias + 1) << f.mbits;
	uint32_t nan = f.infinite ? top | 1 << (f.mbits - 1) : (1u << (f.bits - 1)) - 1;
	double v = fabs((double)x), units;
	int e;

	if (isnan(x) || (isinf(x) && !f.infinite))
		return nan;
	if (isinf(x))
		return sign | top;
	if (v == 0)
		return sign;
	e = ilogb(v);
	if (e < 1 - f.bias)
		e = 1 - f.bias;
	/* In units of the last place; nearbyint ties to even. */
	units = nearbyint(ldexp(v, f.mbits - e));
	if (units == 2 << f.mbits) {
		units /= 2;
		e++;
	}
	if (f.infinite && e > f.bias)
		return sign | top;
	if (!f.infinite && ldexp(units, e - f.mbits) > 448)
		return nan;
	if (units < 1 << f.mbits)
		return sign | (uint32_t)units;
	return sign | (uint32_t)(e + f.bias) << f.mbits | ((uint32_t)units - (1 << f.mbits));
}

static inline uint32_t canon(float f)
{
	return isnan(f) ? 0x7fc00000 : bits_of(f);
}

/* Element i of p, as bits. */
static inline uint64_t raw(uint8_t type, const void *p, uint64_t i)
{
	uint64_t v = 0;

	memcpy(&v, (const uint8_t *)p + i * oracle_size(type), oracle_size(type));
	return v;
}

static inline void put_raw(uint8_t type, void *p, uint64_t i, uint64_t v)
{
	memcpy((uint8_t *)p + i * oracle_size(type), &v, oracle_size(type));
}

static inline uint64_t oracle_rnd64(void)
{
	return (uint64_t)oracle_rnd() << 32 | oracle_rnd();
}

/* Mostly ordinary numbers; some special, some any bits at all, some zeros. */
static inline void random_elems(uint8_t type, uint8_t *p, uint64_t n)
{
	static const uint32_t special[] = {
		0,	    0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345,
		0x7f800001, 1,		0x80000001, 0x007fffff, 0x7f7fffff, 0xff7fffff,
		0x3f800000, 0xbf800000, 0x00800000, 0x33000000,
	};
	uint32_t kind, b;
	double d;
	uint64_t i, v;

	for (i = 0; i < n; i++) {
		kind = i % 4 ? 9 : oracle_rnd() % 64;
		if (!oracle_is_float(type) || kind == 1) {
			put_raw(type, p, i, oracle_rnd64());
			continue;
		}
		if (kind == 0)
			b = special[oracle_rnd() % (sizeof(special) / sizeof(*special))];
		else if (i % 16 == 2)
			b = oracle_rnd() << 31; /* zeros of both signs meet */
		else
			b = bits_of(ldexpf((float)(int32_t)oracle_rnd(),
					   -31 + (int)(oracle_rnd() % 5)));
		v = b;
		d = of_bits(b);
		if (type == VN_FLOAT64) {
			memcpy(&v, &d, 8);
			v ^= isnan(d) || d == 0 ? 0 : oracle_rnd() >> 5;
		} else if (type == VN_BFLOAT16) {
			v = b >> 16;
		} else if (type != VN_FLOAT32) {
			v = narrow(type, of_bits(b));
		}
		put_raw(type, p, i, v);
	}
}

/* Element i of up to 32 bits, as a float. */
static inline float oracle_get(uint8_t type, const void *p, uint64_t i)
{
	uint64_t v = raw(type, p, i);

	return type == VN_FLOAT32 ? of_bits(v) : wide(type, v);
}

#define ORACLE_FOLDS(suffix, real)                                                                 \
	static inline real oracle_max##suffix(real a, real b)                                      \
	{                                                                                          \
		if (isnan(a) || isnan(b))                                                          \
			return NAN;                                                                \
		if (a == 0 && b == 0)                                                              \
			return signbit(a) ? b : a;                                                 \
		return a > b ? a : b;                                                              \
	}                                                                                          \
                                                                                                   \
	static inline real oracle_fold##suffix(uint8_t op, real a, real b)                         \
	{                                                                                          \
		return op == VN_PROD  ? a * b                                                      \
		       : op == VN_MAX ? oracle_max##suffix(a, b)                                   \
		       : op == VN_MIN ? -oracle_max##suffix(-a, -b)                                \
				      : a + b;                                                     \
	}

ORACLE_FOLDS(, float)
ORACLE_FOLDS(_double, double)

/* Whole numbers are folded in 128 bits and cut where the rules say they wrap. */
static inline __int128 oracle_int(uint8_t type, uint64_t v)
{
	uint32_t shift = 64 - 8 * oracle_size(type);

	if (oracle_is_signed(type))
		return (int64_t)(v << shift) >> shift;
	return v << shift >> shift;
}

/* The low bits of it. */
static inline __int128 oracle_product(__int128 a, __int128 b)
{
	return (__int128)((unsigned __int128)a * (unsigned __int128)b);
}

static inline __int128 oracle_fold_int(uint8_t op, __int128 a, __int128 b)
{
	switch (op) {
	case VN_PROD:
		return oracle_product(a, b);
	case VN_MAX:
		return a > b ? a : b;
	case VN_MIN:
		return a < b ? a : b;
	case VN_BAND:
		return a & b;
	case VN_BOR:
		return a | b;
	case VN_BXOR:
		return a ^ b;
	default:
		return a + b;
	}
}

/* What is reduced: like struct vn_reduce_args, of which the oracle takes no more. */
struct oracle {
	uint8_t type, op;
	const void **src;
	const uint64_t *scalars; /* PREMULSUM */
};

static inline uint64_t oracle_ints(const struct oracle *o, uint32_t nsrc, uint64_t i)
{
	uint32_t es = oracle_size(o->type);
	__int128 acc = 0, v;

	for (uint32_t s = 0; s < nsrc; s++) {
		v = oracle_int(o->type, raw(o->type, o->src[s], i));
		if (o->op == VN_PREMULSUM)
			v = oracle_product(v, oracle_int(o->type, o->scalars[s]));
		acc = s ? oracle_fold_int(o->op, acc, v) : v;
		/* Narrow averages don't wrap; comparisons never do. */
		if (o->op != VN_AVG || es >= 4)
			acc = oracle_int(o->type, (uint64_t)acc);
	}
	return (uint64_t)(o->op == VN_AVG ? acc / (int)nsrc : acc);
}

static inline uint64_t oracle_doubles(const struct oracle *o, uint32_t nsrc, uint64_t i)
{
	double acc = 0, v, k;
	uint64_t bits;

	for (uint32_t s = 0; s < nsrc; s++) {
		memcpy(&v, (const uint8_t *)o->src[s] + 8 * i, 8);
		if (o->op == VN_PREMULSUM) {
			memcpy(&k, &o->scalars[s], 8);
			v = k * v;
		}
		acc = s ? oracle_fold_double(o->op, acc, v) : v;
	}
	if (o->op == VN_AVG)
		acc /= nsrc;
	memcpy(&bits, &acc, 8);
	return isnan(acc) ? 0x7ff8000000000000ull : bits;
}

static inline uint64_t oracle_floats(const struct oracle *o, uint32_t nsrc, uint64_t i)
{
	float acc = 0, v;

	for (uint32_t s = 0; s < nsrc; s++) {
		v = oracle_get(o->type, o->src[s], i);
		if (o->op == VN_PREMULSUM)
			v = oracle_get(o->type, &o->scalars[s], 0) * v;
		acc = s ? oracle_fold(o->op, acc, v) : v;
	}
	if (o->op == VN_AVG)
		acc /= (float)nsrc;
	return o->type == VN_FLOAT32 ? canon(acc) : narrow(o->type, acc);
}

/* Element i of the fold of the first nsrc sources, into element i of dst. */
static inline void oracle_reduce(const struct oracle *o, void *dst, uint32_t nsrc, uint64_t i)
{
	put_raw(o->type, dst, i,
		nsrc == 1 && o->op != VN_PREMULSUM ? raw(o->type, o->src[0], i)
		: !oracle_is_float(o->type)	   ? oracle_ints(o, nsrc, i)
		: o->type == VN_FLOAT64		   ? oracle_doubles(o, nsrc, i)
						   : oracle_floats(o, nsrc, i));
}

/* Whether elements of that type have that reduction. */
static inline bool oracle_reduces(uint8_t type, uint8_t op)
{
	return op < VN_BAND || !oracle_is_float(type);
}

#endif
