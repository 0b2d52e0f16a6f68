/* One orientation for all components, as in families/gaussian/orientation.py: see there for the sources.
 *
 * The best rotation D for scatters W_k of n_k rows, by a majorisation step from either side and
 * Newton's rotation in all planes at once, each kept only where it is better. */
#ifndef MIXTURA_AXES_H
#define MIXTURA_AXES_H

#include <string.h>

#include "jacobi.h"

/* The same figures as in families/gaussian/orientation.py. */
#define AXES_DONE 1e-13
#define AXES_LITTLE 1e-6
#define AXES_TURNS 25
#define AXES_POLISH 16
#define AXES_LONGEST 0.5
#define AXES_HALVINGS 12
#define AXES_TRUSTED 0.1
#define AXES_COMPARABLE 1e6
#define AXES_ROUND 1e-12
#define AXES_TINY 1e-300

/* A rotation and the criterion there. */
struct axes {
    double *D;       /* d x d */
    double *scatter; /* K x d x d: D' W_k D */
    double *along;   /* K x d: its diagonal */
    double *slope;   /* K x d: derivatives by each scatter along an axis */
    double *rows;    /* K: by each logarithm of one */
    double value;
};

struct axes_problem {
    int64_t K, d;
    const double *W, *n;
    double *largest; /* K: the scatters' largest eigenvalues */
    double total;    /* rows */
    int same_volume;
    int64_t few;        /* turns after which little is enough; 0: Newton alone while it descends */
    int largest_known;
    struct axes a, b;
    struct axes *best, *spare;
    double *tmp; /* 6 d^2 + d */
};

static int64_t axes_size(int64_t K, int64_t d)
{
    return 2 * (d * d + K * d * d + 2 * K * d + K) + K + 6 * d * d + d;
}

static void axes_open(struct axes_problem *p, int64_t K, int64_t d, double *memory)
{
    double *at = memory;
    struct axes *both[2] = {&p->a, &p->b};
    for (int i = 0; i < 2; i++) {
        both[i]->D = take(&at, d * d);
        both[i]->scatter = take(&at, K * d * d);
        both[i]->along = take(&at, K * d);
        both[i]->slope = take(&at, K * d);
        both[i]->rows = take(&at, K);
    }
    p->largest = take(&at, K);
    p->tmp = at;
    p->best = &p->a;
    p->spare = &p->b;
    p->K = K;
    p->d = d;
}

/* What belongs to a->D. Returns -1, or the component with an axis without scatter. */
static int64_t axes_judge(const struct axes_problem *p, struct axes *a)
{
    int64_t K = p->K, d = p->d;
    double volumes = 0.0;
    a->value = 0.0;
    for (int64_t k = 0; k < K; k++) {
        double logs = 0.0;
        turned_into(d, a->D, p->W + k * d * d, p->tmp, a->scatter + k * d * d);
        for (int64_t j = 0; j < d; j++) {
            double m = a->scatter[k * d * d + j * (d + 1)];
            if (!(m > 0.0))
                return k;
            a->along[k * d + j] = m;
            logs += log(m);
        }
        a->rows[k] = p->same_volume ? exp(logs / (double)d) : p->n[k];
        volumes += a->rows[k];
        a->value += p->n[k] * logs;
    }
    if (p->same_volume)
        a->value = p->total * (double)d * log(volumes);
    for (int64_t k = 0; k < K; k++) {
        if (p->same_volume)
            a->rows[k] *= p->total / volumes;
        for (int64_t j = 0; j < d; j++)
            a->slope[k * d + j] = a->rows[k] / a->along[k * d + j];
    }
    return -1;
}

/* Whether spare->D is better, and if so, the best from now on. */
static int axes_better(struct axes_problem *p)
{
    if (axes_judge(p, p->spare) >= 0 || !(p->spare->value < p->best->value))
        return 0;
    struct axes *kept = p->best;
    p->best = p->spare;
    p->spare = kept;
    return 1;
}

/* sum_k W_k D C_k, half the criterion's derivative; C_k are the slopes. */
static void axes_pull(const struct axes_problem *p, double *tmp, double *out)
{
    int64_t d = p->d;
    memset(out, 0, (size_t)(d * d) * 8);
    for (int64_t k = 0; k < p->K; k++) {
        product(d, p->W + k * d * d, p->best->D, tmp);
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++)
                out[i * d + j] += tmp[i * d + j] * p->best->slope[k * d + j];
    }
}

static void axes_largest(struct axes_problem *p)
{
    int64_t d = p->d;
    double *copy = p->tmp, *vectors = copy + d * d, *values = p->tmp + 6 * d * d;
    for (int64_t k = 0; k < p->K && !p->largest_known; k++) {
        memcpy(copy, p->W + k * d * d, (size_t)(d * d) * 8);
        jacobi(d, copy, values, vectors);
        p->largest[k] = values[d - 1];
    }
    p->largest_known = 1;
}

/* Whether the shortest axis is seen beside the longest by a whole decomposition. */
static int axes_comparable(const struct axes_problem *p)
{
    double least = HUGE_VAL, most = 0.0;
    for (int64_t j = 0; j < p->d; j++) {
        double sum = 0.0;
        for (int64_t k = 0; k < p->K; k++)
            sum += p->best->along[k * p->d + j];
        least = sum < least ? sum : least;
        most = sum > most ? sum : most;
    }
    return most <= AXES_COMPARABLE * AXES_COMPARABLE * least;
}

/* Browne & McNicholas's step with the largest eigenvalue of each scatter (left), or with the
 * largest slope of each component. */
static void axes_majorise(struct axes_problem *p, int left)
{
    int64_t K = p->K, d = p->d;
    double *tmp = p->tmp, *F = tmp + d * d, *bound = F + d * d, *v = bound + d * d;
    if (!axes_comparable(p))
        return;
    if (left)
        axes_largest(p);
    axes_pull(p, tmp, F);
    if (left) {
        for (int64_t j = 0; j < d; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < K; k++)
                sum += p->largest[k] * p->best->slope[k * d + j];
            for (int64_t i = 0; i < d; i++)
                F[i * d + j] -= p->best->D[i * d + j] * sum;
        }
    } else {
        memset(bound, 0, (size_t)(d * d) * 8);
        for (int64_t k = 0; k < K; k++) {
            double most = 0.0;
            for (int64_t j = 0; j < d; j++)
                most = p->best->slope[k * d + j] > most ? p->best->slope[k * d + j] : most;
            for (int64_t i = 0; i < d * d; i++)
                bound[i] += most * p->W[k * d * d + i];
        }
        product(d, bound, p->best->D, tmp);
        for (int64_t i = 0; i < d * d; i++)
            F[i] -= tmp[i];
    }
    nearest_rotation(d, F, v, p->spare->D);
    axes_better(p);
}

/* Angles of Newton's step at `a`, plane by plane; the gain it promises. */
static double axes_newton(const struct axes_problem *p, const struct axes *a, double *angles)
{
    int64_t K = p->K, d = p->d;
    double promise = 0.0, *length = p->tmp + 6 * d * d;
    for (int64_t j = 0; j < d; j++) {
        double sum = 0.0;
        for (int64_t k = 0; k < K; k++)
            sum += a->along[k * d + j];
        length[j] = sqrt(sum);
    }
    for (int64_t i = 0; i < d; i++) {
        angles[i * (d + 1)] = 0.0;
        for (int64_t j = 0; j < i; j++) {
            double pull = 0.0, apart = 0.0, bent = 0.0;
            /* See orientation.py for the unit of an angle. */
            double ratio = length[i] / length[j], narrow = 1.0 / (ratio + 1.0 / ratio);
            double of_i = ratio * narrow, of_j = narrow / ratio;
            for (int64_t k = 0; k < K; k++) {
                double n = a->rows[k];
                double mi = a->along[k * d + i] / length[i] / length[i];
                double mj = a->along[k * d + j] / length[j] / length[j];
                double off = a->scatter[(k * d + i) * d + j] / length[i] / length[j];
                double by_i = of_j / mi, by_j = of_i / mj;
                pull += n * off * (by_i - by_j);
                apart += n * (mj * of_j - mi * of_i) * (by_i - by_j);
                bent += n * off * off * (by_i * by_i + by_j * by_j);
            }
            double curvature = 2.0 * apart - 4.0 * bent;
            if (!(curvature > AXES_TRUSTED * 2.0 * apart))
                curvature = 2.0 * apart;
            double least = AXES_ROUND * narrow * narrow * p->total + AXES_TINY;
            double step = 2.0 * pull / (curvature > least ? curvature : least);
            angles[i * d + j] = narrow * step;
            angles[j * d + i] = -narrow * step;
            promise += pull * step;
        }
    }
    return promise;
}

/* spare->D = the best axes turned by so much of these angles. */
static void axes_turn(struct axes_problem *p, const double *angles, double share, double most)
{
    int64_t d = p->d;
    double *cut = p->tmp, *left = cut + d * d, *rotation = left + d * d;
    for (int64_t i = 0; i < d * d; i++) {
        double angle = angles[i] > most ? most : angles[i] < -most ? -most : angles[i];
        cut[i] = share * angle;
    }
    cayley(d, cut, left, rotation);
    product(d, p->best->D, rotation, p->spare->D);
}

/* Turns by as much of these angles as leads down; whether any does. */
static int axes_rotate(struct axes_problem *p, const double *angles)
{
    double share = 1.0;
    for (int halving = 0; halving < AXES_HALVINGS; halving++, share *= 0.5) {
        axes_turn(p, angles, share, AXES_LONGEST);
        if (axes_better(p))
            return 1;
    }
    return 0;
}

/* The best rotation is left in p->best. Begins at the axes of `before`, or at those of the pooled
 * scatter where these are better. Returns -1, or the component with an axis without scatter. */
static int64_t common_axes(struct axes_problem *p, const double *before)
{
    int64_t K = p->K, d = p->d, failed;
    double *tmp = p->tmp, *sum = tmp + d * d, *values = tmp + 6 * d * d;
    double *angles = tmp + 5 * d * d;
    p->total = 0.0;
    for (int64_t k = 0; k < K; k++)
        p->total += p->n[k];
    p->largest_known = 0;
    memset(sum, 0, (size_t)(d * d) * 8);
    for (int64_t k = 0; k < K; k++) {
        double size = 0.0;
        for (int64_t j = 0; j < d; j++)
            size += before[k * d * d + j * (d + 1)];
        double share = p->n[k] * sqrt((double)(k + 2)) / size;
        for (int64_t i = 0; i < d * d; i++)
            sum[i] += share * before[k * d * d + i];
    }
    jacobi(d, sum, values, p->best->D);
    failed = axes_judge(p, p->best);
    if (failed >= 0)
        return failed;
    memset(sum, 0, (size_t)(d * d) * 8);
    for (int64_t k = 0; k < K; k++)
        for (int64_t i = 0; i < d * d; i++)
            sum[i] += p->W[k * d * d + i];
    jacobi(d, sum, values, p->spare->D);
    axes_better(p);
    for (int64_t turn = 0; turn < AXES_TURNS; turn++) {
        double promise = axes_newton(p, p->best, angles);
        if (promise <= AXES_DONE * p->total) {
            /* The gradient still knows the way where the criterion ends. */
            for (int i = 0; i < AXES_POLISH; i++) {
                axes_turn(p, angles, 1.0, HUGE_VAL);
                if (axes_judge(p, p->spare) >= 0)
                    break;
                struct axes *kept = p->best;
                p->best = p->spare;
                p->spare = kept;
                double left = axes_newton(p, p->best, angles);
                if (left >= promise)
                    break;
                promise = left;
            }
            return -1;
        }
        if (turn >= p->few && promise <= AXES_LITTLE * p->total)
            return -1;
        if (p->few > 0) {
            axes_majorise(p, 1);
            axes_majorise(p, 0);
            axes_newton(p, p->best, angles);
        }
        if (!axes_rotate(p, angles) && p->few == 0) {
            axes_majorise(p, 1);
            axes_majorise(p, 0);
        }
    }
    return -1;
}

#endif
