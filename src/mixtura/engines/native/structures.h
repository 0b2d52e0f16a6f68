/* M-steps of covariances that share volume, shape or orientation: families/geometry.py in C.
 *
 * Scatters are taken in the table's units, W_k = L_k S_k L_k' plus the penalty's rows, and the new
 * covariances are factorised there, as in `_together` of families/covariance.py. Structures that
 * share nothing, or everything, are em.h's `maximise`. */
#ifndef MIXTURA_STRUCTURES_H
#define MIXTURA_STRUCTURES_H

#include "axes.h"
#include "em.h"

/* mclust's letters; OWN is whatever em.h does for the form. */
enum {
    SHARE_OWN, SHARE_EII, SHARE_EEI, SHARE_VEI, SHARE_EVI, SHARE_VEE, SHARE_EVE, SHARE_VVE,
    SHARE_EEV, SHARE_VEV, SHARE_EVV
};

/* Alternations are exact after so many turns. */
#define SHARE_TURNS 200

struct sharing {
    int64_t share, few;
    double settled;
    double *W;      /* K x size, of the components with rows, in the form's shape */
    double *before; /* the same: covariances */
    double *cov;    /* the same, after */
    double *n;      /* K: rows, those of the penalty included */
    int64_t *index; /* K: which components these are */
    double *values, *vectors, *last; /* K x d, K x d x d, K x d */
    double *volumes, *shape, *tmp;   /* K, d x d, 6 d x d + d */
    struct axes_problem axes;
};

static int64_t sharing_size(int64_t K, int64_t d)
{
    return 4 * K * d * d + 2 * K * d + 3 * K + 7 * d * d + d + axes_size(K, d);
}

static void sharing_open(struct sharing *h, int64_t K, int64_t d, double *memory)
{
    double *at = memory;
    h->W = take(&at, K * d * d);
    h->before = take(&at, K * d * d);
    h->cov = take(&at, K * d * d);
    h->vectors = take(&at, K * d * d);
    h->values = take(&at, K * d);
    h->last = take(&at, K * d);
    h->n = take(&at, K);
    h->volumes = take(&at, K);
    h->index = (int64_t *)(void *)take(&at, K);
    h->shape = take(&at, d * d);
    h->tmp = take(&at, 6 * d * d + d);
    axes_open(&h->axes, K, d, at);
}

/* EII and EEI: one covariance. size numbers each. */
static int64_t pooled(int64_t K, int64_t size, const double *W, const double *n, double *cov)
{
    double rows = 0.0;
    for (int64_t k = 0; k < K; k++)
        rows += n[k];
    for (int64_t i = 0; i < size; i++) {
        double sum = 0.0;
        for (int64_t k = 0; k < K; k++)
            sum += W[k * size + i];
        for (int64_t k = 0; k < K; k++)
            cov[k * size + i] = sum / rows;
    }
    return -1;
}

/* The d-th root of the product of d numbers, through logarithms. */
static double mean_size(int64_t d, const double *a)
{
    double logs = 0.0;
    for (int64_t j = 0; j < d; j++)
        logs += log(a[j]);
    return exp(logs / (double)d);
}

/* VEI: own volumes, one shape. W, before and cov are K x d. */
static int64_t scaled_axes(const struct sharing *h, int64_t K, int64_t d, const double *W,
                           const double *before, double *cov)
{
    double *shape = h->shape;
    for (int64_t k = 0; k < K; k++) {
        double sum = 0.0;
        for (int64_t j = 0; j < d; j++)
            sum += W[k * d + j];
        if (!(sum > 0.0))
            return k;
        h->volumes[k] = mean_size(d, before + k * d);
    }
    for (int turn = 0; turn < SHARE_TURNS; turn++) {
        double moved = 0.0;
        for (int64_t j = 0; j < d; j++) {
            shape[j] = 0.0;
            for (int64_t k = 0; k < K; k++)
                shape[j] += W[k * d + j] / h->volumes[k];
            if (!(shape[j] > 0.0))
                return 0;
        }
        double size = mean_size(d, shape);
        for (int64_t j = 0; j < d; j++)
            shape[j] /= size;
        for (int64_t k = 0; k < K; k++) {
            double sum = 0.0, was = h->volumes[k];
            for (int64_t j = 0; j < d; j++)
                sum += W[k * d + j] / shape[j];
            h->volumes[k] = sum / (double)d / h->n[k];
            double by = fabs(h->volumes[k] - was) / was;
            moved = by > moved ? by : moved;
        }
        if (moved <= h->settled)
            break;
    }
    for (int64_t k = 0; k < K; k++)
        for (int64_t j = 0; j < d; j++)
            cov[k * d + j] = h->volumes[k] * shape[j];
    return -1;
}

/* cov_k = W_k times what gives all the volume sum |W_k|^(1/d) / sum n; volumes holds |W_k|^(1/d). */
static void same_volume(int64_t K, int64_t size, const double *W, const double *n,
                        const double *volumes, double *cov)
{
    double rows = 0.0, volume = 0.0;
    for (int64_t k = 0; k < K; k++) {
        rows += n[k];
        volume += volumes[k];
    }
    for (int64_t k = 0; k < K; k++)
        for (int64_t i = 0; i < size; i++)
            cov[k * size + i] = W[k * size + i] * (volume / rows / volumes[k]);
}

/* EVI: one volume, own shapes along the axes; and VVI, where nothing is shared. */
static int64_t free_axes(const struct sharing *h, int64_t K, int64_t d, const double *W,
                         double *cov, int one_volume)
{
    for (int64_t k = 0; k < K; k++) {
        for (int64_t j = 0; j < d; j++)
            if (!(W[k * d + j] > 0.0))
                return k;
        h->volumes[k] = mean_size(d, W + k * d);
    }
    if (one_volume)
        same_volume(K, d, W, h->n, h->volumes, cov);
    for (int64_t i = 0; i < K * d && !one_volume; i++)
        cov[i] = W[i] / h->n[i / d];
    return -1;
}

/* |a|^(1/d), or 0 where a is not positive definite; root is left in tmp. */
static double volume_of(int64_t d, const double *a, double *tmp)
{
    double logs = 0.0;
    if (cholesky(d, a, tmp))
        return 0.0;
    for (int64_t j = 0; j < d; j++)
        logs += log(tmp[j * (d + 1)]);
    return exp(2.0 * logs / (double)d);
}

/* VEE: own volumes, one shape and orientation. */
static int64_t scaled(const struct sharing *h, int64_t K, int64_t d)
{
    double *shape = h->shape, *root = h->tmp, *inverse = root + d * d;
    for (int64_t k = 0; k < K; k++) {
        double sum = 0.0;
        for (int64_t j = 0; j < d; j++)
            sum += h->W[k * d * d + j * (d + 1)];
        if (!(sum > 0.0))
            return k;
        h->volumes[k] = volume_of(d, h->before + k * d * d, root);
        if (h->volumes[k] == 0.0)
            return k;
    }
    for (int turn = 0; turn < SHARE_TURNS; turn++) {
        double moved = 0.0;
        for (int64_t i = 0; i < d * d; i++) {
            shape[i] = 0.0;
            for (int64_t k = 0; k < K; k++)
                shape[i] += h->W[k * d * d + i] / h->volumes[k];
        }
        double size = volume_of(d, shape, root);
        if (size == 0.0)
            return 0;
        for (int64_t i = 0; i < d * d; i++)
            shape[i] /= size;
        /* shape^-1 = R' R with R the inverse of its root. */
        invert_lower(d, root, inverse);
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j <= i; j++) {
                double sum = 0.0;
                for (int64_t c = i; c < d; c++)
                    sum += inverse[c * d + i] * inverse[c * d + j];
                root[i * d + j] = root[j * d + i] = sum * size;
            }
        for (int64_t k = 0; k < K; k++) {
            double sum = 0.0, was = h->volumes[k];
            for (int64_t i = 0; i < d * d; i++)
                sum += h->W[k * d * d + i] * root[i];
            h->volumes[k] = sum / ((double)d * h->n[k]);
            double by = fabs(h->volumes[k] - was) / was;
            moved = by > moved ? by : moved;
        }
        if (moved <= h->settled)
            break;
    }
    for (int64_t k = 0; k < K; k++)
        for (int64_t i = 0; i < d * d; i++)
            h->cov[k * d * d + i] = h->volumes[k] * shape[i];
    return -1;
}

/* cov_k = V_k diag(values_k) V_k'; step is d x d, or 0 where all have the same V. */
static void composed(int64_t K, int64_t d, const double *vectors, int64_t step,
                     const double *values, double *cov)
{
    for (int64_t k = 0; k < K; k++) {
        const double *V = vectors + k * step, *variance = values + k * d;
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j <= i; j++) {
                double sum = 0.0;
                for (int64_t c = 0; c < d; c++)
                    sum += V[i * d + c] * variance[c] * V[j * d + c];
                cov[(k * d + i) * d + j] = cov[(k * d + j) * d + i] = sum;
            }
    }
}

/* EEV, VEV: own orientations, the axes' variances shared. */
static int64_t turned(const struct sharing *h, int64_t K, int64_t d)
{
    int64_t failed;
    for (int64_t k = 0; k < K; k++) {
        memcpy(h->tmp, h->W + k * d * d, (size_t)(d * d) * 8);
        jacobi(d, h->tmp, h->values + k * d, h->vectors + k * d * d);
        for (int64_t j = 0; j < d; j++)
            if (h->values[k * d + j] < 0.0)
                h->values[k * d + j] = 0.0;
        if (h->share == SHARE_VEV) {
            memcpy(h->tmp, h->before + k * d * d, (size_t)(d * d) * 8);
            jacobi(d, h->tmp, h->last + k * d, h->tmp + d * d);
        }
    }
    if (h->share == SHARE_EEV)
        failed = pooled(K, d, h->values, h->n, h->last);
    else
        failed = scaled_axes(h, K, d, h->values, h->last, h->last);
    if (failed < 0)
        composed(K, d, h->vectors, d * d, h->last, h->cov);
    return failed;
}

/* EVE, VVE: one orientation, own variances along it. */
static int64_t oriented(struct sharing *h, int64_t K, int64_t d)
{
    h->axes.K = K;
    h->axes.W = h->W;
    h->axes.n = h->n;
    h->axes.same_volume = h->share == SHARE_EVE;
    h->axes.few = h->few;
    int64_t failed = common_axes(&h->axes, h->before);
    if (failed < 0)
        failed = free_axes(h, K, d, h->axes.best->along, h->last, h->share == SHARE_EVE);
    if (failed < 0)
        composed(K, d, h->axes.best->D, 0, h->last, h->cov);
    return failed;
}

/* EVV: one volume, own shapes and orientations. */
static int64_t shaped(const struct sharing *h, int64_t K, int64_t d)
{
    for (int64_t k = 0; k < K; k++) {
        h->volumes[k] = volume_of(d, h->W + k * d * d, h->tmp);
        if (h->volumes[k] == 0.0)
            return k;
    }
    same_volume(K, d * d, h->W, h->n, h->volumes, h->cov);
    return -1;
}

static int64_t share_covariances(struct sharing *h, int64_t K, int64_t d)
{
    switch (h->share) {
    case SHARE_EII: return pooled(K, 1, h->W, h->n, h->cov);
    case SHARE_EEI: return pooled(K, d, h->W, h->n, h->cov);
    case SHARE_VEI: return scaled_axes(h, K, d, h->W, h->before, h->cov);
    case SHARE_EVI: return free_axes(h, K, d, h->W, h->cov, 1);
    case SHARE_VEE: return scaled(h, K, d);
    case SHARE_EVE:
    case SHARE_VVE: return oriented(h, K, d);
    case SHARE_EEV:
    case SHARE_VEV: return turned(h, K, d);
    default: return shaped(h, K, d);
    }
}

/* Scatter and covariance of component k, in the table's units, as number `at` of those with rows. */
static void in_table_units(const struct mixtura_em *e, int64_t d, const struct state *old,
                   const struct mixtura_moments *m, struct sharing *h, int64_t k, int64_t at)
{
    double prior = 2.0 * e->strength;
    if (e->form == FORM_FULL) {
        const double *root = old->root + k * d * d;
        double *W = h->W + at * d * d, *before = h->before + at * d * d;
        congruence(d, root, m->second + k * d * d, h->tmp, W);
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
        double second = m->second[k * axes + j] / (e->form == FORM_DIAG ? 1.0 : (double)d);
        h->W[at * axes + j] = variance * second + prior * e->target[j];
        h->before[at * axes + j] = variance;
    }
}

/* The root of number `at` of the new covariances, with what the prior adds, as component k. */
static int factored(const struct mixtura_em *e, int64_t d, struct sharing *h, int64_t at,
                    int64_t k, struct state *new)
{
    if (e->form == FORM_FULL) {
        double *cov = h->cov + at * d * d;
        for (int64_t i = 0; i < d * d; i++)
            cov[i] += e->held[i] + (i % (d + 1) ? 0.0 : e->absolute);
        return cholesky(d, cov, new->root + k * d * d);
    }
    int64_t axes = e->form == FORM_DIAG ? d : 1;
    for (int64_t j = 0; j < axes; j++) {
        double variance = h->cov[at * axes + j] + e->held[j] + e->absolute;
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
    double total = 0.0;
    centre_moments(m, e->form, K, d);
    for (int64_t k = 0; k < K; k++)
        total += m->count[k];
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
            in_table_units(e, d, old, m, h, k, some);
            h->n[some] = rows;
            h->index[some++] = k;
        } else {
            memcpy(new->root + k * size, root, (size_t)size * 8);
        }
    }
    if (some == 0)
        return -1;
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
