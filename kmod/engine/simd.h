/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The vectors of which the operations are written, once for every width. The
 * including file sets VN_LANES: 8 (AVX2) or 1, where a vector is a plain
 * number. Lanes hold 32 bits; vu sees them as bits, vf as fp32, vi as signed.
 * Lanes of 64 bits, half as many but at least one, are vq, vd (fp64) and vs.
 * A mask is a vu (vq) whose lanes are all ones or all zeros.
 *
 * GCC's vector extensions, and target builtins where they have no word for it:
 * the headers of intrinsics cannot be used in a kernel.
 */
#ifndef VN_SIMD_H
#define VN_SIMD_H

#include "port.h"

#define VN_INLINE	static inline __attribute__((always_inline, unused))

#if VN_LANES == 1

#define VN_NAME(f)	f##_scalar

typedef u32 vu;
typedef s32 vi;
typedef float vf;
typedef u64 vq;
typedef long long vs;
typedef double vd;
/* What copies move at a time. */
typedef u64 vn_word;

#define VN_MASK(cmp)	(-(u32)(cmp))
#define VN_MASK_Q(cmp)	(-(u64)(cmp))

typedef u32 vu_mem __attribute__((aligned(1), may_alias));
typedef u16 vh_mem __attribute__((aligned(1), may_alias));
typedef u64 vq_mem __attribute__((aligned(1), may_alias));
typedef u64 vn_word_mem __attribute__((aligned(1), may_alias));

VN_INLINE vu vn_splat(u32 x)
{
	return x;
}

VN_INLINE vu vn_sel(vu mask, vu a, vu b)
{
	return mask ? a : b;
}

VN_INLINE vq vn_splat_q(u64 x)
{
	return x;
}

VN_INLINE vq vn_sel_q(vq mask, vq a, vq b)
{
	return mask ? a : b;
}

VN_INLINE vu vn_ld16(const void *p)
{
	return *(const vh_mem *)p;
}

VN_INLINE void vn_st16(void *p, vu v)
{
	*(vh_mem *)p = (u16)v;
}

VN_INLINE vu vn_ld8(const void *p)
{
	return *(const u8 *)p;
}

VN_INLINE void vn_st8(void *p, vu v)
{
	*(u8 *)p = (u8)v;
}

VN_INLINE vn_word vn_word_splat(u64 x)
{
	return x;
}

VN_INLINE void vn_st_stream(void *p, vn_word v)
{
	__builtin_ia32_movnti64((long long *)p, (long long)v);
}

#else

#define VN_NAME(f)	f##_avx2

typedef u32 vu __attribute__((vector_size(32)));
typedef s32 vi __attribute__((vector_size(32)));
typedef float vf __attribute__((vector_size(32)));
typedef u64 vq __attribute__((vector_size(32)));
typedef long long vs __attribute__((vector_size(32)));
typedef double vd __attribute__((vector_size(32)));
typedef u16 vh __attribute__((vector_size(16)));
typedef u8 vb __attribute__((vector_size(8)));
typedef u64 vn_word __attribute__((vector_size(32)));

#define VN_MASK(cmp)	((vu)(cmp))
#define VN_MASK_Q(cmp)	((vq)(cmp))

typedef u32 vu_mem __attribute__((vector_size(32), aligned(1), may_alias));
typedef u16 vh_mem __attribute__((vector_size(16), aligned(1), may_alias));
typedef u8 vb_mem __attribute__((vector_size(8), aligned(1), may_alias));
typedef u64 vq_mem __attribute__((vector_size(32), aligned(1), may_alias));
typedef u64 vn_word_mem __attribute__((vector_size(32), aligned(1), may_alias));

VN_INLINE vu vn_splat(u32 x)
{
	return (vu){} + x;
}

VN_INLINE vu vn_sel(vu mask, vu a, vu b)
{
	return (vu)__builtin_ia32_blendvps256((vf)b, (vf)a, (vf)mask);
}

VN_INLINE vq vn_splat_q(u64 x)
{
	return (vq){} + x;
}

VN_INLINE vq vn_sel_q(vq mask, vq a, vq b)
{
	return (vq)__builtin_ia32_blendvpd256((vd)b, (vd)a, (vd)mask);
}

VN_INLINE vu vn_ld16(const void *p)
{
	return __builtin_convertvector((vh)*(const vh_mem *)p, vu);
}

VN_INLINE void vn_st16(void *p, vu v)
{
	*(vh_mem *)p = __builtin_convertvector(v, vh);
}

VN_INLINE vu vn_ld8(const void *p)
{
	return __builtin_convertvector((vb)*(const vb_mem *)p, vu);
}

VN_INLINE void vn_st8(void *p, vu v)
{
	*(vb_mem *)p = __builtin_convertvector(v, vb);
}

VN_INLINE vn_word vn_word_splat(u64 x)
{
	return (vn_word){} + x;
}

VN_INLINE void vn_st_stream(void *p, vn_word v)
{
#ifdef __clang__
	__builtin_nontemporal_store(v, (vn_word *)p);
#else
	__builtin_ia32_movntps256((float *)p, (vf)v);
#endif
}

#endif

VN_INLINE vf vn_f(vu bits)
{
	union { vu u; vf f; } x = { .u = bits };

	return x.f;
}

VN_INLINE vu vn_bits(vf f)
{
	union { vf f; vu u; } x = { .f = f };

	return x.u;
}

VN_INLINE vd vn_d(vq bits)
{
	union { vq q; vd d; } x = { .q = bits };

	return x.d;
}

VN_INLINE vq vn_bits_q(vd d)
{
	union { vd d; vq q; } x = { .d = d };

	return x.q;
}

VN_INLINE u64 vn_bits_of_double(double d)
{
	union { double d; u64 q; } x = { .d = d };

	return x.q;
}

VN_INLINE vf vn_splat_f(float f)
{
	union { float f; u32 u; } x = { .f = f };

	return vn_f(vn_splat(x.u));
}

VN_INLINE vf vn_sel_f(vu mask, vf a, vf b)
{
	return vn_f(vn_sel(mask, vn_bits(a), vn_bits(b)));
}

VN_INLINE vu vn_ld32(const void *p)
{
	return *(const vu_mem *)p;
}

VN_INLINE void vn_st32(void *p, vu v)
{
	*(vu_mem *)p = v;
}

VN_INLINE vq vn_ld64(const void *p)
{
	return *(const vq_mem *)p;
}

VN_INLINE void vn_st64(void *p, vq v)
{
	*(vq_mem *)p = v;
}

VN_INLINE vn_word vn_ld_word(const void *p)
{
	return *(const vn_word_mem *)p;
}

VN_INLINE void vn_st_word(void *p, vn_word v)
{
	*(vn_word_mem *)p = v;
}

typedef u32 vn_lane_mem __attribute__((may_alias));

#define VN_NAN32	0x7fc00000u
#define VN_NAN16	0x7e00u
#define VN_NANB16	0x7fc0u
#define VN_NAN64	0x7ff8000000000000ull
#define VN_NAN_E4M3	0x7fu
#define VN_NAN_E5M2	0x7eu

/* Every NaN becomes the one NaN. */
VN_INLINE vu vn_canon(vf x)
{
	return vn_sel(VN_MASK(x != x), vn_splat(VN_NAN32), vn_bits(x));
}

VN_INLINE vu vn_max_f(vu a, vu b)
{
	vf x = vn_f(a), y = vn_f(b);

	/* Equal means the same bits, or two zeros: the AND of those is +0. */
	return vn_sel(VN_MASK(x > y), a,
		      vn_sel(VN_MASK(x < y), b,
			     vn_sel(VN_MASK(x == y), a & b, vn_splat(VN_NAN32))));
}

VN_INLINE vu vn_min_f(vu a, vu b)
{
	vf x = vn_f(a), y = vn_f(b);

	return vn_sel(VN_MASK(x < y), a,
		      vn_sel(VN_MASK(x > y), b,
			     vn_sel(VN_MASK(x == y), a | b, vn_splat(VN_NAN32))));
}

VN_INLINE vq vn_canon_d(vd x)
{
	return vn_sel_q(VN_MASK_Q(x != x), vn_splat_q(VN_NAN64), vn_bits_q(x));
}

VN_INLINE vq vn_max_d(vq a, vq b)
{
	vd x = vn_d(a), y = vn_d(b);

	return vn_sel_q(VN_MASK_Q(x > y), a,
			vn_sel_q(VN_MASK_Q(x < y), b,
				 vn_sel_q(VN_MASK_Q(x == y), a & b, vn_splat_q(VN_NAN64))));
}

VN_INLINE vq vn_min_d(vq a, vq b)
{
	vd x = vn_d(a), y = vn_d(b);

	return vn_sel_q(VN_MASK_Q(x < y), a,
			vn_sel_q(VN_MASK_Q(x > y), b,
				 vn_sel_q(VN_MASK_Q(x == y), a | b, vn_splat_q(VN_NAN64))));
}

VN_INLINE vu vn_from_bf16(vu h)
{
	return h << 16;
}

VN_INLINE vu vn_to_bf16(vu bits)
{
	vf x = vn_f(bits);
	vu r = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;

	return vn_sel(VN_MASK(x != x), vn_splat(VN_NANB16), r);
}

/* 2^112: what the exponents of the two differ by; denormals become normal. */
VN_INLINE vu vn_from_fp16(vu h)
{
	vu em = (h & 0x7fffu) << 13;
	vu r = vn_bits(vn_f(em) * vn_splat_f(0x1p112f));
	vu special = VN_MASK((vi)em > (vi)vn_splat(0x7bffu << 13));

	return (h & 0x8000u) << 16 | r | (special & 0x7f800000u);
}

/*
 * An fp32 without its sign (abs) as a float of m bits of mantissa and bias b,
 * rounded to nearest even. Beyond the range anything may come out: callers see
 * to infinities and NaN.
 */
VN_INLINE vu vn_narrow(vu abs, u32 m, u32 b)
{
	/* Units of its last place are the denormals' units of the type. */
	u32 magic = (127 + 23 + 1 - m - b) << 23;
	/* Re-bias, round half to even; a carry reaches infinity. */
	vu normal = (abs - ((127 - b) << 23) + ((1u << (22 - m)) - 1) + ((abs >> (23 - m)) & 1)) >>
		    (23 - m);
	/* The adder rounds a denormal to those units. */
	vu small = vn_bits(vn_f(abs) + vn_f(vn_splat(magic))) - magic;

	return vn_sel(VN_MASK((vi)abs < (vi)vn_splat((128 - b) << 23)), small, normal);
}

VN_INLINE vu vn_to_fp16(vu bits)
{
	vu abs = bits & 0x7fffffffu, sign = (bits >> 16) & 0x8000u;
	vu r = vn_narrow(abs, 10, 15);

	r = vn_sel(VN_MASK((vi)abs >= (vi)vn_splat(0x47800000u)), vn_splat(0x7c00u), r);
	return vn_sel(VN_MASK((vi)abs > (vi)vn_splat(0x7f800000u)),
		      vn_splat(VN_NAN16), r | sign);
}

/* The upper half of a binary16. */
VN_INLINE vu vn_from_e5m2(vu h)
{
	return vn_from_fp16(h << 8);
}

VN_INLINE vu vn_to_e5m2(vu bits)
{
	vu abs = bits & 0x7fffffffu, sign = (bits >> 24) & 0x80u;
	vu r = vn_narrow(abs, 2, 15);

	r = vn_sel(VN_MASK((vi)abs >= (vi)vn_splat(0x47800000u)), vn_splat(0x7cu), r);
	return vn_sel(VN_MASK((vi)abs > (vi)vn_splat(0x7f800000u)),
		      vn_splat(VN_NAN_E5M2), r | sign);
}

/* 2^120: what the exponents of the two differ by. No infinity, one NaN. */
VN_INLINE vu vn_from_e4m3(vu h)
{
	vu em = (h & 0x7fu) << 20;
	vu r = vn_bits(vn_f(em) * vn_splat_f(0x1p120f)) | (h & 0x80u) << 24;

	return vn_sel(VN_MASK(em == vn_splat(0x7fu << 20)), vn_splat(VN_NAN32), r);
}

VN_INLINE vu vn_to_e4m3(vu bits)
{
	vu abs = bits & 0x7fffffffu, sign = (bits >> 24) & 0x80u;
	vu r = vn_narrow(abs, 3, 7);

	/* 464 is half way to what would come after 448, and 448 is even. */
	return vn_sel(VN_MASK((vi)abs > (vi)vn_splat(0x43e80000u)),
		      vn_splat(VN_NAN_E4M3), r | sign);
}

#endif
