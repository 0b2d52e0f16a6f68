/* Vectors of doubles, as wide as the CPU variant has, with the few operations the
 * kernels need. GCC/clang vector extensions keep one source for every machine;
 * intrinsics appear only where the extensions have no good spelling (max, masks).
 */
#ifndef MIXTURA_SIMD_H
#define MIXTURA_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VL 8
#include <immintrin.h>
#elif defined(__AVX2__)
#define VL 4
#include <immintrin.h>
#else
#define VL 2
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#endif

/* 32 vector registers, or 16: decides how large a register tile may be. */
#if VL == 8 || defined(__aarch64__)
#define MANY_REGISTERS 1
#else
#define MANY_REGISTERS 0
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif

typedef double vec __attribute__((vector_size(VL * 8)));
typedef int64_t ivec __attribute__((vector_size(VL * 8)));
typedef int64_t lane;
typedef uint64_t uvec __attribute__((vector_size(VL * 8))); /* where bits may overflow */
typedef double vec_any __attribute__((vector_size(VL * 8), aligned(8), may_alias));

INLINE vec load(const double *p) { return (vec) * (const vec_any *)p; }
INLINE void store(double *p, vec v) { *(vec_any *)p = v; }

/* Subtracting +0 changes no double, so this is a plain broadcast. */
INLINE vec splat(double s) { return s - (vec){0}; }

INLINE vec pick(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* max(a, b); with a NaN in either the result is b or NaN, never a trap. */
INLINE vec vmax(vec a, vec b)
{
#if VL == 8
    return (vec)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif VL == 4
    return (vec)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(__SSE2__)
    return (vec)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return pick((ivec)(a > b), a, b);
#endif
}

/* min(a, b), NaN as in vmax. */
INLINE vec vmin(vec a, vec b)
{
#if VL == 8
    return (vec)_mm512_min_pd((__m512d)a, (__m512d)b);
#elif VL == 4
    return (vec)_mm256_min_pd((__m256d)a, (__m256d)b);
#else
    return -vmax(-a, -b);
#endif
}

/* Bit t is set where lane t of a exceeds b, or either is NaN. */
INLINE unsigned not_below(vec a, vec b)
{
#if VL == 8
    return (unsigned)_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_NLE_UQ);
#elif VL == 4
    return (unsigned)_mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_NLE_UQ));
#elif defined(__SSE2__)
    return (unsigned)_mm_movemask_pd(_mm_cmpnle_pd((__m128d)a, (__m128d)b));
#else
    unsigned bits = 0;
    for (int t = 0; t < VL; t++)
        bits |= (unsigned)!(a[t] <= b[t]) << t;
    return bits;
#endif
}

/* yes where a equals b, else no. Spelled with pick, GCC divides twice for `no`. */
INLINE vec pick_equal(vec a, vec b, vec yes, vec no)
{
#if VL == 8
    __mmask8 same = _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_EQ_OQ);
    return (vec)_mm512_mask_blend_pd(same, (__m512d)no, (__m512d)yes);
#else
    return pick((ivec)(a == b), yes, no);
#endif
}

/* yes where a exceeds b, else no; neither is NaN. */
INLINE ivec pick_more(vec a, vec b, ivec yes, ivec no)
{
#if VL == 8
    __mmask8 more = _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GT_OQ);
    return (ivec)_mm512_mask_blend_epi64(more, (__m512i)no, (__m512i)yes);
#else
    ivec more = (ivec)(a > b);
    return (no & ~more) | (yes & more);
#endif
}

/* Lane t is p[at[t]], of n numbers from p on, with room for whole vectors behind them. */
INLINE vec looked_up(const double *p, ivec at, int64_t n)
{
#if VL == 8
    if (n <= VL)
        return (vec)_mm512_permutexvar_pd((__m512i)at, (__m512d)load(p));
    if (n <= 2 * VL)
        return (vec)_mm512_permutex2var_pd((__m512d)load(p), (__m512i)at, (__m512d)load(p + VL));
#endif
    vec found = splat(0.0);
    for (int t = 0; t < VL; t++)
        found[t] = p[at[t]];
    return found;
}

INLINE double sum_lanes(vec v)
{
#if VL == 8
    return _mm512_reduce_add_pd((__m512d)v);
#else
    double s = 0.0;
    for (int t = 0; t < VL; t++)
        s += v[t];
    return s;
#endif
}

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* Lane t of the result is the sum of the lanes of the t-th of VL vectors at p. */
INLINE vec sum_each(const double *p)
{
#if VL == 8
    vec h[4], g[2];
    for (int t = 0; t < 4; t++) {
        vec a = load(p + 16 * t), b = load(p + 16 * t + 8);
        h[t] = SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14) +
               SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int t = 0; t < 2; t++)
        g[t] = SHUFFLE(h[2 * t], h[2 * t + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
               SHUFFLE(h[2 * t], h[2 * t + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    return SHUFFLE(g[0], g[1], 0, 1, 2, 3, 8, 9, 10, 11) +
           SHUFFLE(g[0], g[1], 4, 5, 6, 7, 12, 13, 14, 15);
#elif VL == 4
    vec h[2];
    for (int t = 0; t < 2; t++) {
        vec a = load(p + 8 * t), b = load(p + 8 * t + 4);
        h[t] = SHUFFLE(a, b, 0, 4, 2, 6) + SHUFFLE(a, b, 1, 5, 3, 7);
    }
    return SHUFFLE(h[0], h[1], 0, 1, 4, 5) + SHUFFLE(h[0], h[1], 2, 3, 6, 7);
#else
    vec a = load(p), b = load(p + 2);
    return SHUFFLE(a, b, 0, 2) + SHUFFLE(a, b, 1, 3);
#endif
}

#define EXP_LEAST (-708.0) /* below, doubles go subnormal */

/* exp(x) for x <= 0, about 1 ulp; lanes not above cut (>= EXP_LEAST) give 0.
 * NaN stays NaN; -inf gives 0. */
#if VL == 8
/* 2^(i/16), less i in the bits that 16 x / ln 2 moves into the exponent: what is left is within
 * ln 2 / 32 of 0, and its polynomial is Chebyshev's for (exp(r) - 1 - r) / r^2. */
static const int64_t EXP_ROOTS[16] __attribute__((aligned(64))) = {
    0x3ff0000000000000, 0x3fefb5586cf9890f, 0x3fef72b83c7d517b, 0x3fef387a6e756238,
    0x3fef06fe0a31b715, 0x3feedea64c123422, 0x3feebfdad5362a27, 0x3feeab07dd485429,
    0x3feea09e667f3bcd, 0x3feea11473eb0187, 0x3feeace5422aa0db, 0x3feec49182a3f090,
    0x3feee89f995ad3ad, 0x3fef199bdd85529c, 0x3fef5818dcfba487, 0x3fefa4afa2a490da,
};

INLINE vec exp_above(vec x, vec cut)
{
    const vec shift = splat(0x1.8p52);
    vec t = x * 0x1.71547652b82fep+4 + shift; /* low bits of t hold round(16 x / ln 2) */
    vec n = t - shift;
    vec r = x - n * 0x1.62e42fefa0000p-5;
    r = r - n * 0x1.cf79abc9e3b3ap-44;
    vec r2 = r * r;
    vec a = r * 0x1.55555554dd075p-3 + 0.5;
    vec b = r * 0x1.11120b36ff666p-7 + 0x1.55555555192e5p-5;
    b = r2 * 0x1.6c17bb91efb39p-10 + b;
    vec p = (r2 * b + a) * r2 + r;
    __m512i root = _mm512_permutex2var_epi64(_mm512_load_si512(EXP_ROOTS), (__m512i)t,
                                             _mm512_load_si512(EXP_ROOTS + 8));
    vec scale = (vec)((uvec)root + ((uvec)t << 48));
    return (vec)((ivec)(scale * p + scale) & ~(ivec)(x <= cut));
}
#else
INLINE vec exp_above(vec x, vec cut)
{
    const vec shift = splat(0x1.8p52);
    vec t = x * 0x1.71547652b82fep+0 + shift; /* low bits of t hold round(x / ln 2) */
    vec n = t - shift;
    vec r = x - n * 0x1.62e42fefa0000p-1;
    r = r - n * 0x1.cf79abc9e3b3ap-40;
    /* Pairs of terms, not Horner: latency, not the count of operations, is the limit. */
    vec r2 = r * r, r4 = r2 * r2;
    vec a = (r * 0x1.5555555553d63p-5 + 0x1.5555555555556p-3) * r + 0x1.0000000000001p-1;
    vec b = r * 0x1.6c16c1788bd90p-10 + 0x1.11111111109b3p-7;
    vec c = r * 0x1.a019b90d2ae7ap-16 + 0x1.a01a01a7c41d5p-13;
    vec d = r * 0x1.289185613a3d6p-22 + 0x1.71de0dae63bb3p-19;
    d = r2 * 0x1.af38a9b0ec855p-26 + d;
    a = (r2 * d + c) * (r4 * r) + (r2 * r * b + a);
    vec p = (a * r + 1.0) * r + 1.0;
    ivec bits = (ivec)((uvec)p + ((uvec)t << 52));
    return (vec)(bits & ~(ivec)(x <= cut));
}
#endif

/* log(x) for normal positive x, about 1 ulp; log(0) = -inf; NaN stays NaN. */
INLINE vec log_pos(vec x)
{
    ivec bits = (ivec)x;
    /* Offset so that the mantissa lands in [sqrt(1/2), sqrt(2)). */
    const int64_t off = 0x3fe6a09e667f3bcdLL;
    ivec e = (bits - off) >> 52;
    vec m = (vec)((uvec)bits - ((uvec)e << 52));
    vec k = __builtin_convertvector(e, vec);
    vec f = m - 1.0;
    vec s = f / (f + 2.0);
    vec z = s * s;
    vec p = splat(1.479819860511658591e-01);
    p = p * z + 1.531383769920937332e-01;
    p = p * z + 1.818357216161805012e-01;
    p = p * z + 2.222219843214978396e-01;
    p = p * z + 2.857142874366239149e-01;
    p = p * z + 3.999999999940941908e-01;
    p = p * z + 6.666666666666735130e-01;
    p = p * z;
    vec h = 0.5 * f * f;
    vec y = k * 6.93147180369123816490e-01 -
            ((h - (s * (h + p) + k * 1.90821492927058770002e-10)) - f);
    y = pick_equal(x, splat(0.0), splat(-__builtin_inf()), y);
    return pick_equal(x, x, y, x);
}

#endif
