/* Kernels for axis-aligned components (diag, spherical, and tied once whitened), for any
 * number of columns. Blocks are held column by column. A scale of NULL means all ones.
 */
#ifndef MIXTURA_AXIS_H
#define MIXTURA_AXIS_H

#include "simd.h"

/* G vectors of rows at a time, so that each mean and scale is broadcast once. */
INLINE void axis_density_group(const int G, const double *restrict x, int64_t ld, int64_t d,
                               const double *restrict mean, const double *restrict scale,
                               double shift, double *restrict log_p, double *restrict best)
{
    vec q[4];
    UNROLL
    for (int g = 0; g < G; g++)
        q[g] = (vec){0};
    for (int64_t j = 0; j < d; j++) {
        vec m = splat(mean[j]), s = scale ? splat(scale[j]) : m;
        UNROLL
        for (int g = 0; g < G; g++) {
            vec y = load(x + j * ld + g * VL) - m;
            if (scale)
                y *= s;
            q[g] += y * y;
        }
    }
    UNROLL
    for (int g = 0; g < G; g++) {
        vec p = shift - 0.5 * q[g];
        store(log_p + g * VL, p);
        store(best + g * VL, vmax(load(best + g * VL), p));
    }
}

INLINE void axis_density_with(const double *x, int64_t ld, int64_t d, const double *mean,
                              const double *scale, int64_t nv, double shift, double *log_p,
                              double *best)
{
    int64_t v = 0;
    for (; v + 4 <= nv; v += 4)
        axis_density_group(4, x + v * VL, ld, d, mean, scale, shift, log_p + v * VL,
                           best + v * VL);
    for (; v + 2 <= nv; v += 2)
        axis_density_group(2, x + v * VL, ld, d, mean, scale, shift, log_p + v * VL,
                           best + v * VL);
    for (; v < nv; v++)
        axis_density_group(1, x + v * VL, ld, d, mean, scale, shift, log_p + v * VL,
                           best + v * VL);
}

static void axis_density(const double *x, int64_t ld, int64_t d, const double *mean,
                         const double *scale, int64_t nv, double shift, double *log_p,
                         double *best)
{
    if (scale)
        axis_density_with(x, ld, d, mean, scale, nv, shift, log_p, best);
    else
        axis_density_with(x, ld, d, mean, 0, nv, shift, log_p, best);
}

/* first_j += r y_j and second_j += r y_j^2 with y = scale (x - mean), lane by lane. */
static void axis_moments(const double *restrict x, int64_t ld, int64_t d,
                         const double *restrict mean, const double *restrict scale,
                         const double *restrict r, int64_t nv, double *restrict first,
                         double *restrict second)
{
    for (int64_t j = 0; j < d; j++) {
        const double *xj = x + j * ld;
        vec m = splat(mean[j]), s = splat(scale[j]);
        vec f0 = load(first + j * VL), f1 = {0};
        vec g0 = load(second + j * VL), g1 = {0};
        int64_t v = 0;
        for (; v + 2 <= nv; v += 2) {
            vec y0 = (load(xj + v * VL) - m) * s;
            vec y1 = (load(xj + v * VL + VL) - m) * s;
            vec u0 = y0 * load(r + v * VL);
            vec u1 = y1 * load(r + v * VL + VL);
            f0 += u0;
            f1 += u1;
            g0 += u0 * y0;
            g1 += u1 * y1;
        }
        if (v < nv) {
            vec y0 = (load(xj + v * VL) - m) * s;
            vec u0 = y0 * load(r + v * VL);
            f0 += u0;
            g0 += u0 * y0;
        }
        store(first + j * VL, f0 + f1);
        store(second + j * VL, g0 + g1);
    }
}

/* For the tied form, with z the whitened rows and q the plain responsibilities:
 * first_j += w q (z_j - mu_j) and mean deviation bar_j += q (z_j - mu_j). */
static void axis_share(const double *restrict z, int64_t ld, int64_t d,
                       const double *restrict mu, const double *restrict q,
                       const double *restrict weight, int64_t nv, double *restrict first,
                       double *restrict bar)
{
    for (int64_t j = 0; j < d; j++) {
        const double *zj = z + j * ld;
        double *bj = bar + j * ld;
        vec m = splat(mu[j]);
        vec f = load(first + j * VL);
        for (int64_t v = 0; v < nv; v++) {
            vec u = (load(zj + v * VL) - m) * load(q + v * VL);
            f += u * load(weight + v * VL);
            store(bj + v * VL, load(bj + v * VL) + u);
        }
        store(first + j * VL, f);
    }
}

#endif
