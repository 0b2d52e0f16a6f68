/* simd.h for float32: the same names, twice the lanes. Included instead of it by single.c. */
#ifndef MIXTURA_SIMD_H
#define MIXTURA_SIMD_H

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VL 16
#include <immintrin.h>
#elif defined(__AVX2__)
#define VL 8
#include <immintrin.h>
#else
#define VL 4
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#endif

#if VL == 16 || defined(__aarch64__)
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

typedef float vec __attribute__((vector_size(VL * 4)));
typedef int32_t ivec __attribute__((vector_size(VL * 4)));
typedef uint32_t uvec __attribute__((vector_size(VL * 4)));
typedef int32_t lane;
typedef float vec_any __attribute__((vector_size(VL * 4), aligned(4), may_alias));

INLINE vec load(const float *p) { return (vec) * (const vec_any *)p; }
INLINE void store(float *p, vec v) { *(vec_any *)p = v; }
INLINE vec splat(float s) { return s - (vec){0}; }

INLINE vec pick(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

INLINE vec vmax(vec a, vec b)
{
#if VL == 16
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif VL == 8
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (vec)_mm_max_ps((__m128)a, (__m128)b);
#else
    return pick((ivec)(a > b), a, b);
#endif
}

INLINE unsigned not_below(vec a, vec b)
{
#if VL == 16
    return (unsigned)_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NLE_UQ);
#elif VL == 8
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_NLE_UQ));
#elif defined(__SSE2__)
    return (unsigned)_mm_movemask_ps(_mm_cmpnle_ps((__m128)a, (__m128)b));
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
#if VL == 16
    __mmask16 same = _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ);
    return (vec)_mm512_mask_blend_ps(same, (__m512)no, (__m512)yes);
#else
    return pick((ivec)(a == b), yes, no);
#endif
}

INLINE float sum_lanes(vec v)
{
    double s[VL];
    UNROLL
    for (int t = 0; t < VL; t++)
        s[t] = (double)v[t];
    /* In a tree: with many columns a chain of additions can be seen. */
    UNROLL
    for (int half = VL / 2; half; half /= 2)
        for (int t = 0; t < half; t++)
            s[t] += s[t + half];
    return (float)s[0];
}

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* Lane t of the result is the sum of the lanes of the t-th of VL vectors at p. */
INLINE vec sum_each(const float *p)
{
    vec h[VL];
    UNROLL
    for (int t = 0; t < VL; t++)
        h[t] = load(p + VL * t);
#if VL == 16
    UNROLL
    for (int t = 0; t < 8; t++)
        h[t] = SHUFFLE(h[2 * t], h[2 * t + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12,
                       28, 14, 30) +
               SHUFFLE(h[2 * t], h[2 * t + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13,
                       29, 15, 31);
    UNROLL
    for (int t = 0; t < 4; t++)
        h[t] = SHUFFLE(h[2 * t], h[2 * t + 1], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12,
                       13, 28, 29) +
               SHUFFLE(h[2 * t], h[2 * t + 1], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14,
                       15, 30, 31);
    UNROLL
    for (int t = 0; t < 2; t++)
        h[t] = SHUFFLE(h[2 * t], h[2 * t + 1], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24,
                       25, 26, 27) +
               SHUFFLE(h[2 * t], h[2 * t + 1], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28,
                       29, 30, 31);
    return SHUFFLE(h[0], h[1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           SHUFFLE(h[0], h[1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#elif VL == 8
    UNROLL
    for (int t = 0; t < 4; t++)
        h[t] = SHUFFLE(h[2 * t], h[2 * t + 1], 0, 8, 2, 10, 4, 12, 6, 14) +
               SHUFFLE(h[2 * t], h[2 * t + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    UNROLL
    for (int t = 0; t < 2; t++)
        h[t] = SHUFFLE(h[2 * t], h[2 * t + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
               SHUFFLE(h[2 * t], h[2 * t + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    return SHUFFLE(h[0], h[1], 0, 1, 2, 3, 8, 9, 10, 11) +
           SHUFFLE(h[0], h[1], 4, 5, 6, 7, 12, 13, 14, 15);
#else
    UNROLL
    for (int t = 0; t < 2; t++)
        h[t] = SHUFFLE(h[2 * t], h[2 * t + 1], 0, 4, 2, 6) +
               SHUFFLE(h[2 * t], h[2 * t + 1], 1, 5, 3, 7);
    return SHUFFLE(h[0], h[1], 0, 1, 4, 5) + SHUFFLE(h[0], h[1], 2, 3, 6, 7);
#endif
}

#define EXP_LEAST (-87.0f) /* below, floats go subnormal */

/* exp(x) for x <= 0, about 1 ulp; lanes not above cut (>= EXP_LEAST) give 0. Taylor's series
 * on |r| <= ln(2)/2, where its next term is 5e-9. */
INLINE vec exp_above(vec x, vec cut)
{
    const vec shift = splat(0x1.8p23f);
    vec t = x * 0x1.715476p+0f + shift;
    vec n = t - shift;
    vec r = x - n * 0x1.62e4p-1f;
    r = r - n * 0x1.7f7d1cp-20f;
    vec r2 = r * r;
    vec a = r * 0x1.555556p-3f + 0.5f;
    vec b = r * 0x1.111112p-7f + 0x1.555556p-5f;
    vec c = r * 0x1.a01a02p-13f + 0x1.6c16c2p-10f;
    vec p = ((c * r2 + b) * r2 + a) * r2 + r + 1.0f;
    ivec bits = (ivec)((uvec)p + ((uvec)t << 23));
    return (vec)(bits & ~(ivec)(x <= cut));
}

/* log(x) for normal positive x, about 1 ulp; log(0) = -inf; NaN stays NaN. The series of
 * 2 artanh(f / (f + 2)), whose next term is 7e-10. */
INLINE vec log_pos(vec x)
{
    ivec bits = (ivec)x;
    const int32_t off = 0x3f3504f3; /* sqrt(1/2) */
    ivec e = (bits - off) >> 23;
    vec m = (vec)((uvec)bits - ((uvec)e << 23));
    vec k = __builtin_convertvector(e, vec);
    vec f = m - 1.0f;
    vec s = f / (f + 2.0f);
    vec z = s * s;
    vec p = ((z * 0x1.c71c72p-4f + 0x1.24924ap-3f) * z + 0x1.99999ap-3f) * z + 0x1.555556p-2f;
    vec h = 0.5f * f * f;
    /* 2 s = f - s f and s f = h - s h, so the rounding of f itself does not enter. */
    vec y = k * 0x1.62e4p-1f - ((h - (s * (h + 2.0f * z * p) + k * 0x1.7f7d1cp-20f)) - f);
    y = pick((ivec)(x == splat(0.0f)), splat(-__builtin_inff()), y);
    return pick((ivec)(x == x), y, x);
}

#endif
