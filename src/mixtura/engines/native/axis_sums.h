/* Sums over a block for components side by side, as products of matrices: of rows weighted by
 * responsibilities, and of means weighted by them. Blocks are held column by column.
 */
#ifndef MIXTURA_AXIS_SUMS_H
#define MIXTURA_AXIS_SUMS_H

#include "simd.h"

#define AXIS_MANY (MANY_REGISTERS ? 4 : 2) /* components side by side */

/* Where their responsibilities lie, and where sums of r x_j and of r x_j^2 are added to. */
struct axis_sums {
    const double *r[4];
    double *first[4], *second[4];
};

/* C components and J columns from x on, column number `at` of all. */
INLINE void axis_sums_tile(const int C, const int J, const int squares,
                           const double *restrict x, int64_t ld, int64_t at, int64_t nv,
                           const struct axis_sums *s)
{
    vec f[4][4], g[4][4];
    UNROLL
    for (int c = 0; c < C; c++)
        UNROLL
        for (int j = 0; j < J; j++) {
            f[c][j] = load(s->first[c] + (at + j) * VL);
            if (squares)
                g[c][j] = load(s->second[c] + (at + j) * VL);
        }
    for (int64_t v = 0; v < nv * VL; v += VL) {
        vec r[4];
        UNROLL
        for (int c = 0; c < C; c++)
            r[c] = load(s->r[c] + v);
        UNROLL
        for (int j = 0; j < J; j++) {
            vec u = load(x + (at + j) * ld + v);
            UNROLL
            for (int c = 0; c < C; c++)
                f[c][j] += r[c] * u;
            if (squares) {
                u *= u;
                UNROLL
                for (int c = 0; c < C; c++)
                    g[c][j] += r[c] * u;
            }
        }
    }
    UNROLL
    for (int c = 0; c < C; c++)
        UNROLL
        for (int j = 0; j < J; j++) {
            store(s->first[c] + (at + j) * VL, f[c][j]);
            if (squares)
                store(s->second[c] + (at + j) * VL, g[c][j]);
        }
}

INLINE void axis_sums_with(const int C, const int squares, const double *x, int64_t ld,
                           int64_t d, int64_t nv, const struct axis_sums *s)
{
    const int J = squares ? 2 : 4;
    int64_t j = 0;
    for (; j + J <= d; j += J)
        axis_sums_tile(C, J, squares, x, ld, j, nv, s);
    for (; j < d; j++)
        axis_sums_tile(C, 1, squares, x, ld, j, nv, s);
}

/* The sums of C components, AXIS_MANY or one. */
static void axis_sums(int C, int squares, const double *x, int64_t ld, int64_t d, int64_t nv,
                      const struct axis_sums *s)
{
    if (C == 1 && squares)
        axis_sums_with(1, 1, x, ld, d, nv, s);
    else if (C == 1)
        axis_sums_with(1, 0, x, ld, d, nv, s);
    else if (squares)
        axis_sums_with(AXIS_MANY, 1, x, ld, d, nv, s);
    else
        axis_sums_with(AXIS_MANY, 0, x, ld, d, nv, s);
}

/* bar_j = sum over listed components of q (z_j - mu_j), for J columns from `at` on and G
 * vectors of rows. */
INLINE void axis_bar_tile(const int J, const int G, const double *restrict z, int64_t ld,
                          int64_t d, int64_t at, const double *restrict mu,
                          const double *restrict q, int64_t stride,
                          const int32_t *restrict listed, int64_t n, double *restrict bar)
{
    vec a[4][2], total[2];
    UNROLL
    for (int g = 0; g < G; g++) {
        total[g] = (vec){0};
        UNROLL
        for (int j = 0; j < J; j++)
            a[j][g] = (vec){0};
    }
    for (int64_t t = 0; t < n; t++) {
        int64_t k = listed[t];
        vec r[2];
        UNROLL
        for (int g = 0; g < G; g++) {
            r[g] = load(q + k * stride + g * VL);
            total[g] += r[g];
        }
        UNROLL
        for (int j = 0; j < J; j++) {
            vec m = splat(mu[k * d + at + j]);
            UNROLL
            for (int g = 0; g < G; g++)
                a[j][g] += r[g] * m;
        }
    }
    UNROLL
    for (int j = 0; j < J; j++)
        UNROLL
        for (int g = 0; g < G; g++)
            store(bar + (at + j) * ld + g * VL,
                  total[g] * load(z + (at + j) * ld + g * VL) - a[j][g]);
}

static void axis_bar(const double *z, int64_t ld, int64_t d, const double *mu,
                     const double *q, int64_t stride, const int32_t *listed, int64_t n,
                     int64_t nv, double *bar)
{
    for (int64_t v = 0; v < nv; v += 2)
        for (int64_t j = 0; j < d; j += j + 4 <= d ? 4 : 1) {
            const double *qv = q + v * VL;
            if (v + 2 > nv && j + 4 <= d)
                axis_bar_tile(4, 1, z + v * VL, ld, d, j, mu, qv, stride, listed, n, bar + v * VL);
            else if (v + 2 > nv)
                axis_bar_tile(1, 1, z + v * VL, ld, d, j, mu, qv, stride, listed, n, bar + v * VL);
            else if (j + 4 <= d)
                axis_bar_tile(4, 2, z + v * VL, ld, d, j, mu, qv, stride, listed, n, bar + v * VL);
            else
                axis_bar_tile(1, 2, z + v * VL, ld, d, j, mu, qv, stride, listed, n, bar + v * VL);
        }
}

#endif
