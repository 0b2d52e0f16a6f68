/* The M-step of any structure.
 *
 * Where something is shared, scatters are taken in the table's units, W_k = L_k S_k L_k' plus the
 * penalty's rows, and the new covariances are factorised there; the unit of the weights and one
 * common to all columns are taken away meanwhile, as in `_together` of families/gaussian/covariance.py.
 * Structures that share nothing, or everything, are em.h's `maximise`. */
#ifndef MIXTURA_STRUCTURES_H
#define MIXTURA_STRUCTURES_H

#include <limits.h>

#include "sharing.h"

/* Scatter and covariance of component k, in the table's units, as number `at` of those with rows. */
static void in_table_units(const struct mixtura_em *e, int64_t d, const struct state *old,
                   const struct mixtura_moments *m, struct sharing *h, int64_t k, int64_t at,
                   double rows)
{
    double prior = 2.0 * e->strength / rows;
    if (e->form == FORM_FULL) {
        const double *root = old->root + k * d * d;
        double *W = h->W + at * d * d, *before = h->before + at * d * d;
        double *second = h->tmp + d * d;
        for (int64_t i = 0; i < d * d; i++)
            second[i] = m->second[k * d * d + i] / rows;
        congruence(d, root, second, h->tmp, W);
        for (int64_t i = 0; i < d * d; i++)
            W[i] += prior * e->target[i];
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j <= i; j++) {
                double sum = 0.0;
                for (int64_t c = 0; c <= j; c++)
                    sum += root[i * d + c] * root[j * d + c];
                before[i * d + j] = before[j * d + i] = sum;
            }
        return;
    }
    int64_t axes = e->form == FORM_DIAG ? d : 1;
    for (int64_t j = 0; j < axes; j++) {
        double variance = old->root[k * axes + j] * old->root[k * axes + j];
        double second = m->second[k * axes + j] / (e->form == FORM_DIAG ? 1.0 : (double)d) / rows;
        h->W[at * axes + j] = variance * second + prior * e->target[j];
        h->before[at * axes + j] = variance;
    }
}

/* Takes away the power of two amid the variances of the scatters, the small and the large. */
static void common_unit(const struct mixtura_em *e, int64_t d, struct sharing *h, int64_t K)
{
    int64_t size = K * (e->form == FORM_FULL ? d * d : e->form == FORM_DIAG ? d : 1);
    int least = INT_MAX, most = INT_MIN, exponent;
    for (int64_t i = 0; i < size; i++) {
        double w = h->W[i];
        if ((e->form == FORM_FULL && i % (d * d) % (d + 1)) || !(w > 0.0) || !isfinite(w))
            continue;
        frexp(w, &exponent);
        least = exponent < least ? exponent : least;
        most = exponent > most ? exponent : most;
    }
    h->unit = most < least ? 1.0 : ldexp(1.0, (least + most) / 2);
    for (int64_t i = 0; i < size; i++) {
        h->W[i] /= h->unit;
        h->before[i] /= h->unit;
    }
}

/* The root of number `at` of the new covariances, with what the prior adds, as component k. */
static int factored(const struct mixtura_em *e, int64_t d, struct sharing *h, int64_t at,
                    int64_t k, struct state *new)
{
    if (e->form == FORM_FULL) {
        double *cov = h->cov + at * d * d;
        for (int64_t i = 0; i < d * d; i++)
            cov[i] = cov[i] * h->unit + e->held[i] + (i % (d + 1) ? 0.0 : e->absolute);
        return cholesky(d, cov, new->root + k * d * d);
    }
    int64_t axes = e->form == FORM_DIAG ? d : 1;
    for (int64_t j = 0; j < axes; j++) {
        double variance = h->cov[at * axes + j] * h->unit + e->held[j] + e->absolute;
        if (!(variance > 0.0) || !isfinite(variance))
            return 1;
        new->root[k * axes + j] = sqrt(variance);
    }
    return 0;
}

/* As `maximise` of em.h, for covariances that share something; never tied. Components without rows
 * stay as they are. */
static int64_t maximise_shared(const struct mixtura_em *e, int64_t d, const struct state *old,
                               struct mixtura_moments *m, struct state *new, struct sharing *h)
{
    int64_t K = e->K, some = 0;
    int64_t size = e->form == FORM_FULL ? d * d : e->form == FORM_DIAG ? d : 1;
    double total = 0.0, all = 0.0;
    centre_moments(m, e->form, K, d);
    for (int64_t k = 0; k < K; k++) {
        total += m->count[k];
        all += m->count[k] + 2.0 * e->strength;
    }
    for (int64_t k = 0; k < K; k++) {
        const double *s = m->first + k * d, *root = old->root + k * size;
        double *shift = h->tmp;
        new->weights[k] = total > 0.0 ? m->count[k] / total : old->weights[k];
        if (e->form == FORM_FULL)
            times_lower(d, root, s, shift);
        else
            for (int64_t j = 0; j < d; j++)
                shift[j] = root[e->form == FORM_DIAG ? j : 0] * s[j];
        for (int64_t j = 0; j < d; j++)
            new->means[k * d + j] = old->means[k * d + j] + shift[j];
        double rows = m->count[k] + 2.0 * e->strength;
        if (rows > 0.0) {
            in_table_units(e, d, old, m, h, k, some, all);
            h->n[some] = rows / all;
            h->index[some++] = k;
        } else {
            memcpy(new->root + k * size, root, (size_t)size * 8);
        }
    }
    if (some == 0)
        return -1;
    common_unit(e, d, h, some);
    int64_t failed = share_covariances(h, some, d);
    if (failed >= 0)
        return h->index[failed];
    for (int64_t at = 0; at < some; at++)
        if (factored(e, d, h, at, h->index[at], new))
            return h->index[at];
    return -1;
}

static int64_t step_size(const struct mixtura_em *e, int64_t d)
{
    return e->share == SHARE_OWN ? 4 * d * d + d : sharing_size(e->K, d);
}

static int64_t step_of(const struct mixtura_em *e, int64_t d, const struct state *old,
                       struct mixtura_moments *m, struct state *new, double *tmp)
{
    struct sharing h;
    if (e->share == SHARE_OWN)
        return maximise(e, d, old, m, new, tmp);
    h.share = e->share;
    h.few = e->few;
    h.settled = e->settled;
    sharing_open(&h, e->K, d, tmp);
    return maximise_shared(e, d, old, m, new, &h);
}

#endif
