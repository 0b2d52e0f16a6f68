/* Sums of rows as they lie in the block, for components side by side: a product of matrices,
 * where sums about each mean take its difference from every number first.
 *
 * With r the responsibilities, F = sum r x and N = sum r, sum r (x - m) is F - m N. That loses the
 * digits by which m, told about the block's origin, exceeds a deviation; of squares twice as many.
 * So it is done where means are near (RAW_FIRST, RAW_SECOND), and the rest is summed about means;
 * of the tied form always, whose rows are whitened about one centre, and rounded as much.
 * Squared lengths of spherical components are those of the densities, and lose none. */
#ifndef MIXTURA_RAW_H
#define MIXTURA_RAW_H

#include "block.h"

/* The responsibilities of component k over the block, in place of exp(log_p - best): without
 * weights when tied. Adds to its count. */
static void raw_share(struct work *w, int64_t k, int64_t nv)
{
    double *e = w->log_p + k * w->stride;
    const double *q = w->form == FORM_SPHERICAL ? w->distance + k * w->stride : 0;
    int tied = w->form == FORM_TIED;
    vec count = {0}, length = {0};
    for (int64_t v = 0; v < nv * VL; v += VL) {
        vec r = load(e + v) * load(w->share + v);
        store(e + v, r);
        if (tied)
            r *= load(w->weight + v);
        count += r;
        if (q)
            length += r * load(q + v);
    }
    store(w->count + k * VL, load(w->count + k * VL) + count);
    store(w->raw_count + k * VL, load(w->raw_count + k * VL) + count);
    if (q) {
        double *second = w->raw_second + k * w->d * VL;
        store(second, load(second) + length);
    }
}

/* Of all components of a tied mixture, or of those that w->raw says. Returns how many are in
 * w->some. */
static int64_t raw_shares(struct work *w, int64_t nv)
{
    int64_t n = 0;
    for (int64_t k = 0; k < w->K; k++)
        if (w->live[k] && (w->form == FORM_TIED || w->raw[k])) {
            raw_share(w, k, nv);
            w->some[n++] = (int32_t)k;
        }
    return n;
}

/* Sums over the columns of x for the n components in w->some. */
static void raw_sums(struct work *w, const double *x, int64_t n, int64_t nv)
{
    int64_t d = w->d;
    int squares = w->form == FORM_DIAG;
    for (int64_t t = 0, C; t < n; t += C) {
        struct axis_sums s;
        C = n - t < AXIS_MANY ? 1 : AXIS_MANY;
        for (int64_t c = 0; c < C; c++) {
            int64_t k = w->some[t + c];
            s.r[c] = w->log_p + k * w->stride;
            s.first[c] = w->raw_first + k * d * VL;
            s.second[c] = squares ? w->raw_second + k * d * VL : 0;
        }
        axis_sums((int)C, squares, x, w->stride, d, nv, &s);
    }
}

/* Adds the raw sums, told about the means, to out. */
static void add_raw(const struct work *w, struct mixtura_moments *out)
{
    int64_t d = w->d;
    for (int64_t k = 0; k < w->K && w->form != FORM_FULL; k++) {
        double n = sum_lanes(load(w->raw_count + k * VL));
        for (int64_t j = 0; n != 0.0 && j < d; j++) {
            int64_t at = k * d + j;
            double m = w->means[at], s = w->form == FORM_TIED ? 1.0 : w->scale[at];
            double sum = sum_lanes(load(w->raw_first + at * VL)), about = sum - m * n;
            out->first[at] += s * about;
            if (w->form == FORM_DIAG) {
                double square = sum_lanes(load(w->raw_second + at * VL));
                out->second[at] += s * (s * ((square - m * sum) - m * about));
            }
        }
        if (w->form == FORM_SPHERICAL)
            out->second[k] += 2.0 * w->half[k] * sum_lanes(load(w->raw_second + k * d * VL));
    }
}

/* Whether the sums in out have the digits that RAW_SECOND promises: not where a component has
 * shrunk to a small part of its deviations (of spherical ones only first moments lose by that, and
 * half as many digits), nor where the square of a row of no share left the range of numbers. */
static int raw_holds(const struct work *w, const struct mixtura_moments *out)
{
    int diag = w->form == FORM_DIAG;
    int64_t axes = diag ? w->d : w->form == FORM_SPHERICAL ? 1 : 0;
    double lost = diag ? RAW_LOST : RAW_LOST * RAW_LOST;
    for (int64_t k = 0; k < w->K; k++) {
        double least = lost * w->far[k] * w->far[k] * out->count[k];
        for (int64_t j = 0; j < axes && w->raw[k]; j++)
            if (!(out->second[k * axes + j] >= least) || isinf(out->second[k * axes + j]))
                return 0;
    }
    return 1;
}

#endif
