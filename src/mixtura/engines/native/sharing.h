/* Covariances that share volume, shape or orientation, from their scatters: families/gaussian/geometry.py in C,
 * see there for the source. */
#ifndef MIXTURA_SHARING_H
#define MIXTURA_SHARING_H

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
    double *n;      /* K: shares of the rows, those of the penalty included */
    double unit;    /* of W, before and cov: the table's squared over this */
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
        /* Of the covariances before only the volumes are looked at. */
        double volume = volume_of(d, h->before + k * d * d, h->tmp);
        if (volume == 0.0)
            return k;
        for (int64_t j = 0; j < d; j++)
            h->last[k * d + j] = volume;
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

#endif
