/* Seeds by greedy k-means++ and clusters by Lloyd's k-means, as fitting/seeding.py has them: see there
 * for the sources and for what is drawn.
 *
 * Rows lie column by column, so that what is done to all rows is done to several at once. */
#ifndef MIXTURA_SEEDING_H
#define MIXTURA_SEEDING_H

#include <stdlib.h>
#include <string.h>

#include "kernels.h"

struct mixtura_seeding {
    const double *z;     /* n x d */
    const double *w;     /* n */
    const double *drawn; /* 1 + (K - 1) trials numbers below 1; NULL: no seeds are asked for */
    double *centres;     /* K x d: out where seeds are drawn, else in and moved */
    int64_t *labels;     /* out: n, the nearest centre's; NULL where nobody asks */
    int64_t n, d, K, trials, turns;
    double settled; /* share of the columns' mean variance: shifts of all centres, squared, below it are none */
};

struct seeding_work {
    double *columns, *norms, *closest, *tried, *best, *upto, *totals;
    int64_t *before;
};

/* out[i] = own + sum_j by[j] z[i, j], a column at a time. */
static void seeding_products(const struct mixtura_seeding *asked, const double *columns, const double *by,
                             double own, double *restrict out)
{
    for (int64_t i = 0; i < asked->n; i++)
        out[i] = 0.0;
    for (int64_t j = 0; j < asked->d; j++) {
        const double *restrict column = columns + j * asked->n;
        double factor = by[j];
        for (int64_t i = 0; i < asked->n; i++)
            out[i] += column[i] * factor;
    }
    for (int64_t i = 0; i < asked->n; i++)
        out[i] += own;
}

/* Squared distances of all rows from row c, no larger than `most` where that is given; their sum. */
static double seeding_squares(const struct mixtura_seeding *asked, const struct seeding_work *work, int64_t c,
                              const double *most, double *out)
{
    double *by = work->totals, sum = 0.0;
    for (int64_t j = 0; j < asked->d; j++)
        by[j] = -2.0 * asked->z[c * asked->d + j];
    seeding_products(asked, work->columns, by, 0.0, out);
    for (int64_t i = 0; i < asked->n; i++) {
        double square = out[i] + work->norms[i] + work->norms[c];
        square = square > 0.0 ? square : 0.0;
        out[i] = most && most[i] < square ? most[i] : square;
        sum += asked->w[i] * out[i];
    }
    return sum;
}

/* The first place where what adds up to there is at least `value`, or above it. */
static int64_t seeding_place(const double *upto, int64_t n, double value, int above)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (above ? upto[middle] <= value : upto[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n ? low : n - 1;
}

static void seeds_drawn(const struct mixtura_seeding *asked, struct seeding_work *work)
{
    int64_t n = asked->n, d = asked->d;
    const double *drawn = asked->drawn;
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        work->upto[i] = sum += asked->w[i];
    int64_t chosen = seeding_place(work->upto, n, *drawn++ * sum, 1);
    double total = seeding_squares(asked, work, chosen, NULL, work->closest);
    memcpy(asked->centres, asked->z + chosen * d, (size_t)d * 8);
    for (int64_t k = 1; k < asked->K; k++) {
        double least = 0.0;
        sum = 0.0;
        for (int64_t i = 0; i < n; i++)
            work->upto[i] = sum += asked->w[i] * work->closest[i];
        for (int64_t t = 0; t < asked->trials; t++) {
            int64_t place = seeding_place(work->upto, n, *drawn++ * total, 0);
            double left = seeding_squares(asked, work, place, work->closest, work->tried);
            if (t && !(left < least))
                continue;
            double *kept = work->best;
            work->best = work->tried;
            work->tried = kept;
            chosen = place;
            least = left;
        }
        double *kept = work->closest;
        work->closest = work->best;
        work->best = kept;
        total = least;
        memcpy(asked->centres + k * d, asked->z + chosen * d, (size_t)d * 8);
    }
}

/* The nearest centre of each row, the first of equals. */
static void seeding_labels(const struct mixtura_seeding *asked, struct seeding_work *work)
{
    int64_t n = asked->n, d = asked->d;
    double *by = work->totals;
    for (int64_t k = 0; k < asked->K; k++) {
        const double *centre = asked->centres + k * d;
        double own = 0.0;
        for (int64_t j = 0; j < d; j++) {
            by[j] = -2.0 * centre[j];
            own += centre[j] * centre[j];
        }
        seeding_products(asked, work->columns, by, own, k ? work->tried : work->closest);
        for (int64_t i = 0; i < n; i++) {
            int nearer = k == 0 || work->tried[i] < work->closest[i];
            asked->labels[i] = nearer ? k : asked->labels[i];
            work->closest[i] = k && nearer ? work->tried[i] : work->closest[i];
        }
    }
}

/* Moves every centre to the mean of its rows; the squared shift of all, or below 0: one has no rows. */
static double seeding_shift(const struct mixtura_seeding *asked, struct seeding_work *work)
{
    int64_t d = asked->d, each = d + 1;
    double shift = 0.0;
    memset(work->totals, 0, (size_t)(asked->K * each) * 8);
    for (int64_t i = 0; i < asked->n; i++) {
        double *total = work->totals + asked->labels[i] * each;
        total[d] += asked->w[i];
        for (int64_t j = 0; j < d; j++)
            total[j] += asked->w[i] * asked->z[i * d + j];
    }
    for (int64_t k = 0; k < asked->K; k++)
        if (work->totals[k * each + d] == 0.0)
            return -1.0;
    for (int64_t k = 0; k < asked->K; k++)
        for (int64_t j = 0; j < d; j++) {
            double moved = work->totals[k * each + j] / work->totals[k * each + d];
            double by = moved - asked->centres[k * d + j];
            asked->centres[k * d + j] = moved;
            shift += by * by;
        }
    return shift;
}

static double seeding_variance(const struct mixtura_seeding *asked, const double *columns)
{
    int64_t n = asked->n;
    double sum = 0.0;
    for (int64_t j = 0; j < asked->d; j++) {
        double mean = 0.0;
        for (int64_t i = 0; i < n; i++)
            mean += columns[j * n + i];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++)
            sum += (columns[j * n + i] - mean) * (columns[j * n + i] - mean);
    }
    return sum / (double)(n * asked->d);
}

/* Returns 2 where a cluster has lost all its rows. */
static int seeding_clusters(const struct mixtura_seeding *asked, struct seeding_work *work)
{
    size_t bytes = (size_t)asked->n * 8;
    double least = asked->settled * seeding_variance(asked, work->columns);
    seeding_labels(asked, work);
    for (int64_t turn = 0; turn < asked->turns; turn++) {
        double shift = seeding_shift(asked, work);
        if (shift < 0.0)
            return 2;
        memcpy(work->before, asked->labels, bytes);
        seeding_labels(asked, work);
        if (shift <= least || !memcmp(work->before, asked->labels, bytes))
            break;
    }
    return 0;
}

static int seeding(const struct mixtura_seeding *asked)
{
    int64_t n = asked->n, d = asked->d;
    double *memory = malloc((size_t)(n * (d + 6) + (asked->K + 1) * (d + 1)) * 8);
    if (!memory)
        return 1;
    struct seeding_work work = {.columns = memory};
    work.norms = memory + n * d;
    work.closest = work.norms + n;
    work.tried = work.closest + n;
    work.best = work.tried + n;
    work.upto = work.best + n;
    work.before = (int64_t *)(work.upto + n);
    work.totals = work.upto + 2 * n;
    for (int64_t i = 0; i < n; i++) {
        double norm = 0.0;
        for (int64_t j = 0; j < d; j++) {
            double value = asked->z[i * d + j];
            work.columns[j * n + i] = value;
            norm += value * value;
        }
        work.norms[i] = norm;
    }
    if (asked->drawn)
        seeds_drawn(asked, &work);
    int failed = asked->labels ? seeding_clusters(asked, &work) : 0;
    free(memory);
    return failed;
}

#endif
