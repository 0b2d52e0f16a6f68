/* The E-step of one block: log densities of every component, then their softmax. */
#ifndef MIXTURA_BLOCK_H
#define MIXTURA_BLOCK_H

#include "work.h"

/* Means about the block's origin may be so many deviations long for sums of rows as they lie to
 * be as exact as sums about means, but for a few units in the last place; see raw.h. */
#define RAW_SECOND (sizeof(double) == 4 ? 1.0 : 4.0)
#define RAW_FIRST (RAW_SECOND * RAW_SECOND)
/* What part of a mean's squared length second moments must exceed. */
#define RAW_LOST (sizeof(double) == 4 ? 0x1p-16 : 0x1p-30)
/* Deviations from here to its inverse have squares that are far from the ends of the range. */
#define RAW_UNIT (sizeof(double) == 4 ? 1e-12 : 1e-100)

static void prepare_axis(struct work *w)
{
    const struct mixtura_model *model = w->model;
    int64_t K = w->K, d = w->d;
    int diag = w->form == FORM_DIAG, in_range = 1;
    for (int64_t k = 0; k < K; k++) {
        double far = 0.0;
        for (int64_t j = 0; j < d; j++) {
            int64_t at = k * d + j;
            double s = model->whiten[diag ? at : k];
            double m = model->means[at] - (w->shifted ? w->centre[j] : 0.0);
            w->scale[at] = s;
            w->means[at] = m;
            w->offset[at] = m * s;
            far = fabs(m * s) > far ? fabs(m * s) : far;
            in_range &= s >= RAW_UNIT && s <= 1.0 / RAW_UNIT;
        }
        w->far[k] = far;
        w->raw[k] = w->plainly && far <= (diag ? RAW_SECOND : RAW_FIRST);
    }
    for (int64_t k = 0; k < K; k++) {
        w->raw[k] &= in_range;
        if (!diag && in_range)
            w->half[k] *= w->scale[k * d] * w->scale[k * d];
    }
    w->how = !diag ? (in_range ? AXIS_UNIT : AXIS_EXACT)
                   : (w->shifted ? AXIS_FAST : AXIS_EXACT);
}

/* What depends on the parameters but not on rows. Also clears the accumulators.
 * Without weights (rows that report component densities) log weights count as 0. */
static void prepare(struct work *w, const struct mixtura_model *model, int weighted)
{
    int64_t K = w->K, d = w->d, ld = w->ld;
    w->model = model;
    for (int64_t k = 0; k < K; k++)
        w->shift[k] = model->log_norm[k] + (weighted ? model->log_weights[k] : 0.0);
    for (double *p = w->sums; p < w->sums_end; p++)
        *p = 0.0;
    for (int64_t k = 0; k < K; k++)
        w->cut[k] = EXP_LEAST;
    w->loglik = (vec){0};
    for (int64_t k = 0; k < K; k++) {
        w->half[k] = 0.5;
        w->raw[k] = 0;
    }
    w->how = AXIS_UNIT;
    if (w->form == FORM_DIAG || w->form == FORM_SPHERICAL) {
        prepare_axis(w);
    } else if (w->form == FORM_TIED) {
        for (int64_t j = 0; j < ld; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < K && j < d; k++)
                sum += (model->means[k * d + j] - model->means[j]) / (double)K;
            w->centre[j] = j < d ? model->means[j] + sum : 0.0;
        }
        for (int64_t k = 0; k < K; k++)
            for (int64_t j = 0; j < d; j++) {
                double sum = 0.0;
                for (int64_t l = 0; l <= j; l++)
                    sum += model->whiten[j * d + l] *
                           (model->means[k * d + l] - w->centre[l]);
                w->means[k * d + j] = sum;
            }
        if (w->wide)
            wide_pack(d, ld, model->whiten, w->packed);
    } else if (w->wide) {
        for (int64_t k = 0; k < K; k++) {
            wide_pack(d, ld, model->whiten + k * d * d,
                      w->packed + k * wide_packed_size(d, ld));
            for (int64_t j = 0; j < ld; j++)
                w->means[k * ld + j] = j < d ? model->means[k * d + j] : 0.0;
        }
    }
}

/* Log densities of `many` components from k on, for nv vectors of rows; of whitened rows, when
 * tied. */
static void axis_components(struct work *w, const double *x, int64_t k, int64_t many,
                            int64_t nv, double *log_p)
{
    int64_t d = w->d, B = w->stride;
    struct axis a = {(w->how == AXIS_FUSED ? w->offset : w->means) + k * d,
                     w->scale + k * d,
                     w->shift + k,
                     w->half + k,
                     log_p,
                     w->form == FORM_SPHERICAL ? w->distance + k * B : 0,
                     B,
                     w->best};
    axis_density(w->how, many, x, B, d, nv, &a);
}

/* log_p and best, for nv vectors of rows. */
static void block_density(struct work *w, int64_t nv)
{
    const struct mixtura_model *m = w->model;
    int64_t K = w->K, d = w->d, ld = w->ld, B = w->stride;
    for (int64_t v = 0; v < nv; v++)
        store(w->best + v * VL, splat(-__builtin_inf()));
    if (w->form == FORM_TIED) {
        if (w->wide) {
            wide_product(w->x, 0, nv * VL, d, ld, ld, w->centre, w->packed, w->y, w->square);
            rows_to_columns(w->y, ld, d, nv * VL, w->z, B);
        } else {
            narrow_table[d].product(w->x, B, w->centre, m->whiten, nv, w->z);
        }
        axis_components(w, w->z, 0, K, nv, w->log_p);
    } else if (w->form != FORM_FULL) {
        axis_components(w, w->x, 0, K, nv, w->log_p);
    } else if (w->wide) {
        for (int64_t k = 0; k < K; k++) {
            double *log_p = w->log_p + k * B;
            wide_product(w->x, 0, nv * VL, d, ld, ld, w->means + k * ld,
                         w->packed + k * wide_packed_size(d, ld),
                         w->y + (w->stored ? k * B * ld : 0), w->square);
            for (int64_t v = 0; v < nv; v++) {
                vec p = w->shift[k] - 0.5 * sum_each(w->square + v * VL * VL);
                store(log_p + v * VL, p);
                store(w->best + v * VL, vmax(load(w->best + v * VL), p));
            }
        }
    } else {
        const struct narrow *f = &narrow_table[d];
        for (int64_t k = 0; k < K; k++) {
            const double *mean = m->means + k * d, *whiten = m->whiten + k * d * d;
            if (w->hiding && w->hidden[k])
                continue;
            if (w->stored)
                f->density(w->x, B, mean, whiten, nv, w->y + k * B * d, w->shift[k],
                           w->log_p + k * B, w->best);
            else
                f->density_only(w->x, B, mean, whiten, nv, w->shift[k], w->log_p + k * B,
                                w->best);
        }
    }
}

/* The same where all rows count once and nobody asks for their log densities: one logarithm for
 * a product of several sums, each of them between 1 and K. */
static void block_shares_unweighted(struct work *w, int64_t nv)
{
    const vec zero = splat(0.0), one = splat(1.0);
    const double *total = w->log_density;
    vec product = one;
    for (int64_t v = 0; v < nv; v++) {
        vec t = load(total + v * VL), weight = load(w->weight + v * VL);
        vec share = (w->form == FORM_TIED ? one : weight) / t;
        store(w->share + v * VL, pick_equal(t, zero, zero, share));
        product *= pick_equal(weight, zero, one, t);
        w->loglik += pick_equal(weight, zero, zero, load(w->best + v * VL));
        if (v % 8 == 7 || v + 1 == nv) {
            w->loglik += log_pos(product);
            product = one;
        }
    }
}

/* log_density and share, from the sum of exp(log_p - best) that log_density holds. share
 * carries the sample weight, except in the tied form, which needs both kinds of
 * responsibility. */
static void block_shares(struct work *w, int64_t nv)
{
    if (w->unweighted) {
        block_shares_unweighted(w, nv);
        return;
    }
    const vec zero = splat(0.0);
    const double *total = w->log_density;
    for (int64_t v = 0; v < nv * VL; v += VL) {
        vec t = load(total + v), weight = load(w->weight + v);
        vec log_density = load(w->best + v) + log_pos(t);
        vec share = (w->form == FORM_TIED ? splat(1.0) : weight) / t;
        store(w->log_density + v, log_density);
        store(w->share + v, pick_equal(t, zero, zero, share));
        w->loglik += pick_equal(weight, zero, zero, weight * log_density);
    }
}

/* log_p becomes exp(log_p - best), or 0 where that is not above cut[k]; live[k] says
 * whether any is left. log_density and share are filled. */
static void block_softmax(struct work *w, int64_t nv)
{
    const vec none = splat(-__builtin_inf()), zero = splat(0.0);
    double *total = w->log_density;
    for (int64_t v = 0; v < nv * VL; v += VL) {
        vec b = load(w->best + v);
        /* A row of no density at all: keep -inf - best from being NaN. */
        store(w->best + v, pick_equal(b, none, zero, b));
        store(total + v, zero);
    }
    for (int64_t k = 0; k < w->K; k++) {
        double *e = w->log_p + k * w->stride;
        vec cut = splat(w->cut[k]);
        int live = 0;
        fetch_ahead(w, k);
        if (w->hiding && w->hidden[k]) {
            w->live[k] = 0;
            continue;
        }
        for (int64_t v = 0; v < nv * VL; v += VL) {
            vec x = load(e + v) - load(w->best + v);
            if (!not_below(x, cut)) {
                store(e + v, zero);
                continue;
            }
            vec t = exp_above(x, cut);
            live = 1;
            store(e + v, t);
            store(total + v, load(total + v) + t);
        }
        w->live[k] = live;
    }
    block_shares(w, nv);
}

#endif
