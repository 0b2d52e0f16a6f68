/* Parameters at free numbers of a chart around a mixture of full covariances, and the slope there.
 *
 * As models/chart.py and families/gaussian/chart.py have it: logits are those of the centre and
 * basis z, means m0 + L0 u, roots L0 E with E lower triangular and logarithms on its diagonal; u and
 * the numbers of E are divided by their scales. There the gradient of the expected log-likelihood is,
 * with G = E^-1 and the sums n, f and M of a pass, B' (n - pi sum n), G' f and, of E, the lower
 * triangle of G' (M - n I), its diagonal divided by that of G. */
#ifndef MIXTURA_PLACING_H
#define MIXTURA_PLACING_H

#include <math.h>

#include "kernels.h"
#include "simd.h"

enum { PLACING_COLUMNS = 16 };

/* A chart and a point of it. Free numbers are the weights' z, then means, then lower triangles row by
 * row, component by component. */
struct mixtura_placing {
    const double *log_weights; /* K: of the centre, as are the next four */
    const double *basis;       /* K x z */
    const double *means;       /* K x d */
    const double *roots;       /* K x d x d */
    const double *whiten;      /* K x d x d */
    const double *mean_scale;  /* K */
    const double *root_scale;  /* K x d (d + 1) / 2 */
    double *free;              /* free numbers, or the gradient in them */
    double *weights;           /* K: of the point, as are all that follow */
    double *at_means;
    double *at_roots;
    double *at_whiten;
    double *log_norm;     /* K */
    const double *counts; /* K: rows behind each weight */
    const double *rows;   /* K: and behind each root */
    const double *first;  /* K x d */
    const double *second; /* K x d x d */
    int64_t K, d, z;
    int64_t finite; /* out: whether all parameters are */
};

/* out = A B of lower triangles d x d, with zeros above; out is none of them. */
INLINE void placing_product(int64_t d, const double *A, const double *B, double *out)
{
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++) {
            double sum = 0.0;
            for (int64_t l = j; l <= i; l++)
                sum += A[i * d + l] * B[l * d + j];
            out[i * d + j] = sum;
        }
}

/* The inverse of a lower triangle, with zeros above. */
INLINE void placing_inverse(int64_t d, const double *E, double *G)
{
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++) {
            double sum = i == j;
            for (int64_t l = j; l < i; l++)
                sum -= E[i * d + l] * G[l * d + j];
            G[i * d + j] = j <= i ? sum / E[i * d + i] : 0.0;
        }
}

/* Softmax around the centre's weights; returns 0 where it is no number. */
static int placing_weights(const struct mixtura_placing *asked)
{
    int64_t K = asked->K, z = asked->z;
    double most = -__builtin_inf(), total = 0.0;
    for (int64_t k = 0; k < K; k++) {
        double logit = asked->log_weights[k];
        for (int64_t a = 0; a < z; a++)
            logit += asked->basis[k * z + a] * asked->free[a];
        asked->weights[k] = logit;
        most = logit > most ? logit : most;
    }
    for (int64_t k = 0; k < K; k++)
        total += asked->weights[k] = exp(asked->weights[k] - most);
    for (int64_t k = 0; k < K; k++)
        asked->weights[k] /= total;
    return total - total == 0.0;
}

/* One component; returns 0 where a number of it is none. */
INLINE int placing_component(const struct mixtura_placing *asked, int64_t k, int64_t d)
{
    int64_t p = d * (d + 1) / 2;
    double E[PLACING_COLUMNS * PLACING_COLUMNS], G[PLACING_COLUMNS * PLACING_COLUMNS];
    const double *shift = asked->free + asked->z + k * d, *scale = asked->root_scale + k * p;
    const double *free = asked->free + asked->z + asked->K * d + k * p;
    const double *root = asked->roots + k * d * d, log_2pi = 1.8378770664093453;
    double *mean = asked->at_means + k * d, *at = asked->at_roots + k * d * d;
    double *whiten = asked->at_whiten + k * d * d, norm = -0.5 * (double)d * log_2pi, check = 0.0;
    for (int64_t i = 0; i < d; i++) {
        mean[i] = asked->means[k * d + i];
        for (int64_t j = 0; j < d; j++)
            E[i * d + j] = 0.0;
        for (int64_t j = 0; j <= i; j++, free++, scale++) {
            mean[i] += root[i * d + j] * (shift[j] / asked->mean_scale[k]);
            E[i * d + j] = i == j ? exp(*free / *scale) : *free / *scale;
        }
        check += mean[i] - mean[i];
    }
    placing_inverse(d, E, G);
    placing_product(d, root, E, at);
    placing_product(d, G, asked->whiten + k * d * d, whiten);
    for (int64_t i = 0; i < d; i++) {
        norm += log(whiten[i * d + i]);
        for (int64_t j = 0; j <= i; j++)
            check += (at[i * d + j] - at[i * d + j]) + (whiten[i * d + j] - whiten[i * d + j]);
    }
    asked->log_norm[k] = norm;
    return check + (norm - norm) == 0.0;
}

static int placed(struct mixtura_placing *asked)
{
    asked->finite = placing_weights(asked);
    for (int64_t k = 0; k < asked->K; k++)
        asked->finite &= asked->d == 2 ? placing_component(asked, k, 2)
                                       : placing_component(asked, k, asked->d);
    return 0;
}

/* The slope in the numbers of one component. */
INLINE void placing_slope(const struct mixtura_placing *asked, int64_t k, int64_t d)
{
    int64_t p = d * (d + 1) / 2;
    double G[PLACING_COLUMNS * PLACING_COLUMNS], rows = asked->rows[k];
    const double *first = asked->first + k * d, *second = asked->second + k * d * d;
    const double *scale = asked->root_scale + k * p;
    double *shift = asked->free + asked->z + k * d;
    double *free = asked->free + asked->z + asked->K * d + k * p;
    placing_product(d, asked->at_whiten + k * d * d, asked->roots + k * d * d, G);
    for (int64_t i = 0; i < d; i++) {
        double sum = 0.0;
        for (int64_t l = i; l < d; l++)
            sum += G[l * d + i] * first[l];
        shift[i] = sum / asked->mean_scale[k];
        for (int64_t j = 0; j <= i; j++, free++, scale++) {
            double own = -rows * G[j * d + i];
            for (int64_t l = i; l < d; l++)
                own += G[l * d + i] * second[l * d + j];
            *free = (i == j ? own / G[i * d + i] : own) / *scale;
        }
    }
}

static int sloped(struct mixtura_placing *asked)
{
    int64_t K = asked->K, z = asked->z;
    double total = 0.0;
    for (int64_t k = 0; k < K; k++)
        total += asked->weights[k] > 0.0 ? asked->counts[k] : 0.0;
    for (int64_t a = 0; a < z; a++)
        asked->free[a] = 0.0;
    for (int64_t k = 0; k < K; k++) {
        double weight = asked->weights[k], own = weight > 0.0 ? asked->counts[k] : 0.0;
        for (int64_t a = 0; a < z; a++)
            asked->free[a] += asked->basis[k * z + a] * (own - weight * total);
        if (asked->d == 2)
            placing_slope(asked, k, 2);
        else
            placing_slope(asked, k, asked->d);
    }
    return 0;
}

#endif
