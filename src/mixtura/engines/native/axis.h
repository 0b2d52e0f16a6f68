/* Kernels for axis-aligned components (diag, spherical, and tied once whitened), for any
 * number of columns. Blocks are held column by column. A scale of NULL means all ones.
 */
#ifndef MIXTURA_AXIS_H
#define MIXTURA_AXIS_H

#include "simd.h"

/* How y = scale (x - mean) is worked out: with no scale; as it stands, which is exactly 0 at the
 * mean; or in one operation, as scale x - offset with offset = scale mean, which is as if the mean
 * were rounded once more. */
enum { AXIS_UNIT, AXIS_EXACT, AXIS_FUSED };

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define AXIS_FAST AXIS_FUSED
#else
#define AXIS_FAST AXIS_EXACT
#endif

INLINE vec axis_whitened(const int how, vec x, vec scale, vec offset)
{
    return how == AXIS_UNIT    ? x - offset
           : how == AXIS_EXACT ? (x - offset) * scale
                               : x * scale - offset;
}

#define AXIS_ROWS (MANY_REGISTERS ? 4 : 2) /* vectors of rows side by side */

/* Neighbouring components, and where their log densities, shift - half |y|^2, go. */
struct axis {
    const double *offset, *scale; /* the mean, or see AXIS_FUSED */
    const double *shift, *half;
    double *log_p, *square; /* columns; square, of |y|^2, may be NULL */
    int64_t stride;
    double *best; /* raised to log_p */
};

/* Components k..k+C and G vectors of rows from `at` on: what is read serves C or G times. */
INLINE void axis_density_tile(const int how, const int C, const int G, const double *restrict x,
                              int64_t ld, int64_t d, int64_t at, int64_t k,
                              const struct axis *a)
{
    const double *offset = a->offset + k * d, *scale = a->scale + k * d;
    vec q[2][4];
    UNROLL
    for (int c = 0; c < C; c++)
        UNROLL
        for (int g = 0; g < G; g++)
            q[c][g] = (vec){0};
    for (int64_t j = 0; j < d; j++) {
        vec u[4];
        UNROLL
        for (int g = 0; g < G; g++)
            u[g] = load(x + j * ld + at + g * VL);
        UNROLL
        for (int c = 0; c < C; c++) {
            vec o = splat(offset[c * d + j]), s = how == AXIS_UNIT ? o : splat(scale[c * d + j]);
            UNROLL
            for (int g = 0; g < G; g++) {
                vec y = axis_whitened(how, u[g], s, o);
                q[c][g] += y * y;
            }
        }
    }
    UNROLL
    for (int g = 0; g < G; g++) {
        int64_t i = at + g * VL;
        vec best = load(a->best + i);
        UNROLL
        for (int c = 0; c < C; c++) {
            vec p = a->shift[k + c] - a->half[k + c] * q[c][g];
            store(a->log_p + (k + c) * a->stride + i, p);
            if (a->square)
                store(a->square + (k + c) * a->stride + i, q[c][g]);
            best = vmax(best, p);
        }
        store(a->best + i, best);
    }
}

/* All components for G vectors of rows, which stay in the nearest cache meanwhile. */
INLINE void axis_density_rows(const int how, const int G, int64_t K, const double *x,
                              int64_t ld, int64_t d, int64_t at, struct axis a)
{
    int64_t k = 0;
    for (; k + 2 <= K; k += 2)
        axis_density_tile(how, 2, G, x, ld, d, at, k, &a);
    if (k < K)
        axis_density_tile(how, 1, G, x, ld, d, at, k, &a);
}

INLINE void axis_density_as(const int how, int64_t K, const double *x, int64_t ld, int64_t d,
                            int64_t nv, const struct axis *a)
{
    int64_t v = 0;
    for (; v + AXIS_ROWS <= nv; v += AXIS_ROWS)
        axis_density_rows(how, AXIS_ROWS, K, x, ld, d, v * VL, *a);
    for (; v < nv; v++)
        axis_density_rows(how, 1, K, x, ld, d, v * VL, *a);
}

/* Log densities of K components for nv vectors of rows. */
static void axis_density(int how, int64_t K, const double *x, int64_t ld, int64_t d, int64_t nv,
                         const struct axis *a)
{
    if (how == AXIS_UNIT)
        axis_density_as(AXIS_UNIT, K, x, ld, d, nv, a);
    else if (how == AXIS_EXACT)
        axis_density_as(AXIS_EXACT, K, x, ld, d, nv, a);
    else
        axis_density_as(AXIS_FUSED, K, x, ld, d, nv, a);
}

/* first_j += r y_j and second_j += r y_j^2, lane by lane, for J columns from x on. */
INLINE void axis_moments_tile(const int J, const double *restrict x, int64_t ld,
                              const double *restrict mean, const double *restrict scale,
                              const double *restrict r, int64_t nv, double *restrict first,
                              double *restrict second)
{
    vec m[4], s[4], f[4], g[4];
    UNROLL
    for (int j = 0; j < J; j++) {
        m[j] = splat(mean[j]);
        s[j] = splat(scale[j]);
        f[j] = load(first + j * VL);
        g[j] = load(second + j * VL);
    }
    for (int64_t v = 0; v < nv * VL; v += VL) {
        vec t = load(r + v);
        UNROLL
        for (int j = 0; j < J; j++) {
            vec y = (load(x + j * ld + v) - m[j]) * s[j], u = t * y;
            f[j] += u;
            g[j] += u * y;
        }
    }
    UNROLL
    for (int j = 0; j < J; j++) {
        store(first + j * VL, f[j]);
        store(second + j * VL, g[j]);
    }
}

static void axis_moments(const double *x, int64_t ld, int64_t d, const double *mean,
                         const double *scale, const double *r, int64_t nv, double *first,
                         double *second)
{
    int64_t j = 0;
    for (; j + 4 <= d; j += 4)
        axis_moments_tile(4, x + j * ld, ld, mean + j, scale + j, r, nv, first + j * VL,
                          second + j * VL);
    for (; j < d; j++)
        axis_moments_tile(1, x + j * ld, ld, mean + j, scale + j, r, nv, first + j * VL,
                          second + j * VL);
}

#endif
