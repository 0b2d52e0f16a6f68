/* One EM pass over rows of codes 0, 1, ... as doubles, independent within a component.
 *
 * Lanes are components: what a level is worth to each lies side by side, and so do its hits. */
#ifndef MIXTURA_LEVELS_H
#define MIXTURA_LEVELS_H

#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "narrow.h"
#include "wide.h"

enum { LEVELS_BLOCK = 64 };

struct levels_work {
    int64_t Kp;    /* K, rounded up to whole vectors */
    int64_t total; /* levels; then come one that the table never had, and a gap */
    double *table, *hits, *joint, *sum, *best, *weight;
    int32_t *place; /* LEVELS_BLOCK x d: rows of the two tables */
};

static int32_t level_place(double x, int64_t first, int64_t many, int64_t total)
{
    if (x >= 0.0 && x < (double)many) /* which a gap is not */
        return (int32_t)(first + (int64_t)x);
    return (int32_t)(total + (x != x));
}

static void place_levels(struct levels_work *w, const struct mixtura_data *data,
                         const struct mixtura_levels *levels, int64_t start, int64_t n)
{
    int64_t d = data->d;
    for (int64_t i = 0; i < n; i++) {
        double weight = data->weight ? data->weight[start + i] : 1.0;
        w->weight[i] = weight;
        for (int64_t j = 0; j < d; j++) {
            double x = weight == 0.0 ? NAN : ((const double *)data->x)[(start + i) * d + j];
            w->place[i * d + j] = level_place(x, levels->first[j], levels->many[j], w->total);
        }
    }
}

/* exp(log pi_k + log p(x_i | k) - best) in joint, its sum and the best, of row i. */
static void row_shares(struct levels_work *w, const double *log_weights, int64_t d, int64_t i)
{
    double *joint = w->joint + i * w->Kp, top[VL];
    const int32_t *place = w->place + i * d;
    vec most = splat(-INFINITY), sum = splat(0.0);
    for (int64_t v = 0; v < w->Kp; v += VL) {
        vec p = load(log_weights + v);
        for (int64_t j = 0; j < d; j++)
            p += load(w->table + place[j] * w->Kp + v);
        store(joint + v, p);
        most = vmax(most, p);
    }
    store(top, most);
    double best = top[0];
    for (int t = 1; t < VL; t++)
        best = top[t] > best ? top[t] : best;
    for (int64_t v = 0; v < w->Kp; v += VL) {
        vec e = exp_above(load(joint + v) - splat(best), splat(EXP_LEAST));
        store(joint + v, e);
        sum += e;
    }
    w->best[i] = best;
    w->sum[i] = sum_lanes(sum);
}

static void add_hits(struct levels_work *w, int64_t d, int64_t i)
{
    const double *joint = w->joint + i * w->Kp;
    const int32_t *place = w->place + i * d;
    vec share = splat(w->weight[i] / w->sum[i]);
    for (int64_t v = 0; v < w->Kp; v += VL) {
        vec r = load(joint + v) * share;
        double *count = w->hits + (w->total + 2) * w->Kp + v;
        store(count, load(count) + r);
        for (int64_t j = 0; j < d; j++) {
            double *hit = w->hits + place[j] * w->Kp + v;
            store(hit, load(hit) + r);
        }
    }
}

static double levels_block(struct levels_work *w, const double *log_weights, int64_t d, int64_t n)
{
    double loglik = 0.0;
    for (int64_t i = 0; i < n; i++)
        row_shares(w, log_weights, d, i);
    for (int64_t i = n; i < ROUND_UP(n, VL); i++)
        w->sum[i] = 1.0, w->best[i] = w->weight[i] = 0.0;
    for (int64_t v = 0; v < n; v += VL)
        loglik += sum_lanes((log_pos(load(w->sum + v)) + load(w->best + v)) * load(w->weight + v));
    for (int64_t i = 0; i < n; i++)
        add_hits(w, d, i);
    return loglik;
}

static void levels_pass(struct levels_work *w, const struct mixtura_data *data,
                        struct mixtura_levels *levels, double *log_weights)
{
    int64_t K = levels->K, Kp = w->Kp;
    for (int64_t k = 0; k < Kp; k++)
        log_weights[k] = k < K ? levels->log_weights[k] : -INFINITY;
    for (int64_t l = 0; l < w->total + 2; l++)
        for (int64_t k = 0; k < K; k++)
            w->table[l * Kp + k] = l < w->total    ? levels->table[l * K + k]
                                   : l == w->total ? levels->fresh
                                                   : 0.0;
    levels->loglik = 0.0;
    for (int64_t i = 0; i < data->n; i += LEVELS_BLOCK) {
        int64_t n = LEAST(LEVELS_BLOCK, data->n - i);
        place_levels(w, data, levels, i, n);
        levels->loglik += levels_block(w, log_weights, data->d, n);
    }
    for (int64_t k = 0; k < K; k++) {
        levels->count[k] = w->hits[(w->total + 2) * Kp + k];
        for (int64_t l = 0; l < w->total; l++)
            levels->hits[l * K + k] = w->hits[l * Kp + k];
    }
}

static int levels(const struct mixtura_data *data, struct mixtura_levels *asked)
{
    struct levels_work w;
    w.Kp = ROUND_UP(asked->K, VL);
    w.total = asked->total;
    int64_t tables = (w.total + 3) * w.Kp, block = LEVELS_BLOCK;
    int64_t numbers = w.Kp + 2 * tables + block * w.Kp + 3 * block;
    double *memory = calloc((size_t)numbers, sizeof *memory);
    w.place = malloc((size_t)(block * data->d) * sizeof *w.place);
    if (memory && w.place) {
        w.table = memory + w.Kp;
        w.hits = w.table + tables;
        w.joint = w.hits + tables;
        w.sum = w.joint + block * w.Kp;
        w.best = w.sum + block;
        w.weight = w.best + block;
        levels_pass(&w, data, asked, memory);
    }
    int failed = !memory || !w.place;
    free(memory);
    free(w.place);
    return failed;
}

#endif
