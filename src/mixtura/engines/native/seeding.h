/* Seeds by greedy k-means++ and clusters by Lloyd's k-means, as fitting/seeding.py has them: see there
 * for the sources and for what is drawn.
 *
 * Rows lie column by column, so that what is done to all rows is done to several at once. */
#ifndef MIXTURA_SEEDING_H
#define MIXTURA_SEEDING_H

#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "simd.h"

struct mixtura_seeding {
    const double *z;     /* n x d */
    const double *w;     /* n */
    const double *drawn; /* 1 + (K - 1) trials numbers below 1; NULL: no seeds are asked for */
    double *centres;     /* K x d: out where seeds are drawn, else in and moved */
    int64_t *labels;     /* out: n, the nearest centre's; NULL where nobody asks */
    int64_t n, d, K, trials, turns;
    double settled; /* share of the columns' mean variance: shifts of all centres, squared, below it are none */
};

/* Vectors of rows that are held in registers while centre after centre passes by. */
enum { SEEDING_TILE = 4, SEEDING_ROWS = SEEDING_TILE * VL };

/* Numbers of rows end with zeros up to `stride`, a whole number of tiles. */
struct seeding_work {
    int64_t stride;
    double *columns, *weight, *norms, *closest, *tried, *best, *upto, *totals, *products;
    lane *labels, *before;
};

/* Squared distances of all rows from row c, no larger than `most` where that is given; their sum. */
static double seeding_squares(const struct mixtura_seeding *asked, const struct seeding_work *work, int64_t c,
                              const double *most, double *out)
{
    const double *row = asked->z + c * asked->d;
    vec sums = splat(0.0), norm = splat(work->norms[c]);
    for (int64_t i = 0; i < work->stride; i += VL) {
        vec square = splat(0.0);
        for (int64_t j = 0; j < asked->d; j++)
            square += load(work->columns + j * work->stride + i) * (-2.0 * row[j]);
        square = vmax(square + load(work->norms + i) + norm, splat(0.0));
        square = most ? vmin(load(most + i), square) : square;
        store(out + i, square);
        sums += load(work->weight + i) * square;
    }
    return sum_lanes(sums);
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

/* The nearest centre of each row of a tile, the first of equals; products: each centre times -2, and its
 * squared length. */
INLINE void seeding_tile(const struct mixtura_seeding *asked, const struct seeding_work *work, int64_t first)
{
    int64_t d = asked->d;
    vec least[SEEDING_TILE];
    ivec at[SEEDING_TILE];
    UNROLL
    for (int v = 0; v < SEEDING_TILE; v++) {
        least[v] = splat(__builtin_inf());
        at[v] = (ivec){0};
    }
    for (int64_t k = 0; k < asked->K; k++) {
        const double *by = work->products + k * (d + 1);
        vec sums[SEEDING_TILE];
        UNROLL
        for (int v = 0; v < SEEDING_TILE; v++)
            sums[v] = splat(0.0);
        for (int64_t j = 0; j < d; j++) {
            const double *column = work->columns + j * work->stride + first;
            UNROLL
            for (int v = 0; v < SEEDING_TILE; v++)
                sums[v] += load(column + v * VL) * by[j];
        }
        UNROLL
        for (int v = 0; v < SEEDING_TILE; v++) {
            sums[v] += by[d];
            at[v] = pick_more(least[v], sums[v], k - (ivec){0}, at[v]);
            least[v] = vmin(sums[v], least[v]);
        }
    }
    UNROLL
    for (int v = 0; v < SEEDING_TILE; v++)
        memcpy(work->labels + first + v * VL, &at[v], sizeof at[v]);
}

/* The nearest centre of each row. */
static void seeding_labels(const struct mixtura_seeding *asked, const struct seeding_work *work)
{
    int64_t d = asked->d;
    for (int64_t k = 0; k < asked->K; k++) {
        const double *centre = asked->centres + k * d;
        double *by = work->products + k * (d + 1), own = 0.0;
        for (int64_t j = 0; j < d; j++) {
            by[j] = -2.0 * centre[j];
            own += centre[j] * centre[j];
        }
        by[d] = own;
    }
    for (int64_t i = 0; i < work->stride; i += SEEDING_ROWS)
        seeding_tile(asked, work, i);
}

/* Moves every centre to the mean of its rows; the squared shift of all, or below 0: one has no rows. */
static double seeding_shift(const struct mixtura_seeding *asked, struct seeding_work *work)
{
    int64_t d = asked->d, each = d + 1;
    double shift = 0.0;
    memset(work->totals, 0, (size_t)(asked->K * each) * 8);
    for (int64_t i = 0; i < asked->n; i++) {
        double *total = work->totals + work->labels[i] * each;
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

static double seeding_variance(const struct mixtura_seeding *asked, const struct seeding_work *work)
{
    int64_t n = asked->n;
    double sum = 0.0;
    for (int64_t j = 0; j < asked->d; j++) {
        const double *column = work->columns + j * work->stride;
        double mean = 0.0;
        for (int64_t i = 0; i < n; i++)
            mean += column[i];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++)
            sum += (column[i] - mean) * (column[i] - mean);
    }
    return sum / (double)(n * asked->d);
}

/* Returns 2 where a cluster has lost all its rows. */
static int seeding_clusters(const struct mixtura_seeding *asked, struct seeding_work *work)
{
    size_t bytes = (size_t)asked->n * 8;
    double least = asked->settled * seeding_variance(asked, work);
    seeding_labels(asked, work);
    for (int64_t turn = 0; turn < asked->turns; turn++) {
        double shift = seeding_shift(asked, work);
        if (shift < 0.0)
            return 2;
        lane *before = work->labels;
        work->labels = work->before;
        work->before = before;
        seeding_labels(asked, work);
        if (shift <= least || !memcmp(work->before, work->labels, bytes))
            break;
    }
    memcpy(asked->labels, work->labels, bytes);
    return 0;
}

static int seeding(const struct mixtura_seeding *asked)
{
    int64_t n = asked->n, d = asked->d, stride = ROUND_UP(n, SEEDING_ROWS);
    double *memory = calloc((size_t)(stride * (d + 8) + 2 * (asked->K + 1) * (d + 1)), 8);
    if (!memory)
        return 1;
    struct seeding_work work = {.stride = stride, .columns = memory};
    work.weight = memory + stride * d;
    work.norms = work.weight + stride;
    work.closest = work.norms + stride;
    work.tried = work.closest + stride;
    work.best = work.tried + stride;
    work.upto = work.best + stride;
    work.labels = (lane *)(work.upto + stride);
    work.before = work.labels + stride;
    work.totals = work.upto + 3 * stride;
    work.products = work.totals + (asked->K + 1) * (d + 1);
    memcpy(work.weight, asked->w, (size_t)n * 8);
    for (int64_t i = 0; i < n; i++) {
        double norm = 0.0;
        for (int64_t j = 0; j < d; j++) {
            double value = asked->z[i * d + j];
            work.columns[j * stride + i] = value;
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
