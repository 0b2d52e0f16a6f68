/* What the steps of a block are worth to each state, and what their states are worth to the sums.
 *
 * A block is some steps of VL stretches that run side by side: step t of lane l is number t VL + l.
 * Densities are a Gaussian model's, by the kernels of its mixtures, or the lines of a table: one for
 * each step, or one for each kind of step, whose exponentials are then taken once.
 */
#ifndef MIXTURA_EMISSION_H
#define MIXTURA_EMISSION_H

#include "beside.h"
#include "pass.h"

struct emission {
    const struct mixtura_emission *asked;
    int64_t K, Kp, steps; /* of a block, at most */
    int64_t stride;
    struct work w;
    void *scratch, *memory;
    int64_t first[VL], there[VL]; /* of each lane the first row of the block, and how many it has */
    double *times;  /* how often each step's sequence was seen; 0 past a lane's end */
    int even;       /* all times are 1 */
    double *part;   /* VL lanes, line by line */
    double *p;      /* K columns: log densities, then smoothed states */
    double *top;    /* what was taken from the log densities of each step */
    double *b;      /* K columns: emissions, that of the likeliest state 1 */
    double *lifted, *tops; /* kinds + 1 lines: exp(log density - top); the last is of no step */
    double *hits;          /* kinds + 1 lines: sums */
};

static void emission_close(struct emission *e)
{
    free(e->scratch);
    free(e->memory);
}

/* The exponentials of the lines of kinds, or in logarithms the lines themselves. */
static void emission_lift(struct emission *e, int logarithms)
{
    const struct mixtura_emission *a = e->asked;
    for (int64_t c = 0; c <= a->kinds; c++) {
        const double *line = a->table + c * e->K;
        double *out = e->lifted + c * e->Kp, best = -INFINITY;
        for (int64_t k = 0; k < e->K && c < a->kinds; k++)
            best = line[k] > best ? line[k] : best;
        e->tops[c] = best > -INFINITY && !logarithms ? best : 0.0;
        for (int64_t k = 0; k < e->K; k++) {
            double own = c < a->kinds ? line[k] - e->tops[c] : 0.0;
            out[k] = own > EXP_LEAST ? exp(own) : 0.0;
            /* As of rows: what is no number is no density. */
            if (logarithms)
                out[k] = own == own ? own : -INFINITY;
        }
    }
}

/* Returns non-zero where memory ran out. `logarithms`: b is to hold log densities. */
static int emission_open(struct emission *e, const struct mixtura_emission *a, int64_t K,
                         int logarithms)
{
    memset(e, 0, sizeof *e);
    e->asked = a;
    e->K = K;
    e->Kp = ROUND_UP(K, VL);
    int64_t block = 256, line = K;
    if (a->model) {
        e->scratch = work_open(&e->w, K, a->data->d, a->model->form, 0);
        if (!e->scratch)
            return 1;
        block = e->w.screen ? WIDE_BLOCK : e->w.block;
        line = at_least(K, a->data->d);
        prepare(&e->w, a->model, 0);
    }
    while (!a->model && block > 32 && K * block * (int64_t)sizeof(double) > 1 << 16)
        block /= 2;
    /* What is read and written at each step fits into the nearest cache. */
    while (!logarithms && !e->w.wide && block > 32 && 3 * K * block * (int64_t)sizeof(double) > 40 << 10)
        block /= 2;
    e->steps = block / VL;
    e->stride = a->model ? e->w.stride : block + 24;
    int64_t kinds = a->code ? a->kinds + 1 : 0, own = a->model ? 0 : K * e->stride;
    /* Without kinds one line of zeros, which is what lanes read past their ends. */
    int64_t spare = a->code ? kinds * (2 * e->Kp + 1) : K;
    int64_t numbers = 2 * e->stride + own + block * line + spare;
    double *at = calloc((size_t)numbers, sizeof *at);
    e->memory = at;
    if (!at)
        return 1;
    e->times = at;
    e->top = at + e->stride;
    e->part = e->top + e->stride;
    e->p = a->model ? e->w.log_p : e->part + block * line;
    e->lifted = e->part + block * line + own;
    e->hits = e->lifted + kinds * e->Kp;
    e->tops = e->hits + kinds * e->Kp;
    if (a->code)
        emission_lift(e, logarithms);
    return 0;
}

/* n lines of d numbers of each lane from x, float32 if `single`, into columns of out; lines past a
 * lane's end are `past`. Returns whether any number is NaN. */
static int lines_beside(struct emission *e, const void *x, int64_t d, int single, int64_t n,
                        const double *past, double *out)
{
    const double *from[VL];
    for (int l = 0; l < VL; l++) {
        const double *own = (const double *)x + e->first[l] * d;
        const float *rough = (const float *)x + e->first[l] * d;
        double *part = e->part + l * n * d;
        from[l] = e->there[l] == n && !single ? own : part;
        for (int64_t m = 0; m < n * d && from[l] == part; m++)
            part[m] = m >= e->there[l] * d ? past[m % d] : single ? (double)rough[m] : own[m];
    }
    vec sum = take_beside(from, n, d, out, e->stride);
    double total = sum_lanes(sum);
    return total != total;
}

/* For many columns rows stay rows. Returns the vectors of rows with their padding. */
static int64_t wide_rows(struct emission *e, int64_t n)
{
    struct work *w = &e->w;
    const struct mixtura_data *data = e->asked->data;
    int64_t d = w->d, ld = w->ld, padded = ROUND_UP(n * VL, ROW_STEP);
    for (int64_t i = 0; i < padded; i++) {
        int64_t t = i / VL, l = i % VL, from = (e->first[l] + t) * d;
        int there = t < n && t < e->there[l];
        for (int64_t j = 0; j < ld; j++)
            w->x[i * ld + j] = j >= d     ? 0.0
                               : !there   ? w->model->means[j]
                               : data->single ? (double)((const float *)data->x)[from + j]
                                              : ((const double *)data->x)[from + j];
    }
    for (int64_t i = n * VL; i < padded; i++)
        w->weight[i] = 0.0;
    return padded / VL;
}

/* Rows that nobody saw, of which all cells are missing, get the first mean and no weight. */
static void unseen_rows(struct emission *e, int64_t n)
{
    struct work *w = &e->w;
    int64_t d = w->d, row = w->wide ? w->ld : 1, col = w->wide ? 1 : w->stride;
    for (int64_t i = 0; i < n * VL; i++) {
        int64_t missing = 0;
        for (int64_t j = 0; j < d; j++)
            missing += w->x[i * row + j * col] != w->x[i * row + j * col];
        for (int64_t j = 0; j < d && missing == d; j++)
            w->x[i * row + j * col] = w->model->means[j];
        w->weight[i] = missing == d ? 0.0 : w->weight[i];
    }
}

/* p and best of n steps. */
static void gaussian_steps(struct emission *e, int64_t n, int densities)
{
    struct work *w = &e->w;
    const struct mixtura_data *data = e->asked->data;
    memcpy(w->weight, e->times, (size_t)(n * VL) * 8);
    int64_t nv = w->wide ? wide_rows(e, n) : n;
    int gaps = w->wide || lines_beside(e, data->x, w->d, data->single != 0, n, w->model->means, w->x);
    if (gaps)
        unseen_rows(e, n);
    w->screened = 0;
    /* Of one matrix for all, rows are whitened with the densities. */
    if (!densities && w->form != FORM_TIED)
        return;
    block_density(w, nv);
    for (int64_t i = 0; i < n * VL && (gaps || !e->even); i++)
        /* A sequence that counts nothing passes for one that nobody saw. */
        if (w->weight[i] == 0.0) {
            w->best[i] = 0.0;
            for (int64_t k = 0; k < e->K; k++)
                w->log_p[k * w->stride + i] = 0.0;
        }
}

static int64_t kind_of(const struct emission *e, int64_t t, int l)
{
    int64_t kind = t < e->there[l] ? e->asked->code[e->first[l] + t] : -1;
    return kind < 0 ? e->asked->kinds : kind;
}

/* The same as `emitted`, from the exponentials of the kinds. */
INLINE void kind_steps(struct emission *e, int64_t n, const int logarithms, const int64_t K)
{
    const int64_t Kp = ROUND_UP(K, VL);
    for (int64_t t = 0; t < n; t++) {
        const double *line[VL];
        UNROLL
        for (int l = 0; l < VL; l++) {
            int64_t kind = kind_of(e, t, l);
            line[l] = e->lifted + kind * Kp;
            if (!logarithms)
                e->top[t * VL + l] = e->tops[kind];
        }
        double *b = e->b + t * VL;
        for (int64_t k = 0; k < K - K % VL; k += VL)
            columns_beside(line, k, VL, b, e->stride);
        if (K % VL)
            columns_beside(line, K - K % VL, K % VL, b, e->stride);
    }
}

/* The same from the densities of rows. */
static void row_steps(struct emission *e, int64_t n, int logarithms)
{
    const struct mixtura_emission *a = e->asked;
    int64_t K = e->K, stride = e->stride;
    if (a->model)
        gaussian_steps(e, n, 1);
    else
        lines_beside(e, a->table, K, 0, n, e->lifted, e->p);
    if (logarithms) {
        e->b = e->p;
        return;
    }
    for (int64_t i = 0; i < n * VL; i += VL) {
        vec best = splat(-INFINITY);
        for (int64_t k = 0; k < K; k++)
            best = vmax(best, load(e->p + k * stride + i));
        store(e->top + i, best);
        for (int64_t k = 0; k < K; k++)
            store(e->b + k * stride + i,
                  exp_above(load(e->p + k * stride + i) - best, splat(EXP_LEAST)));
    }
}

/* b and top of n steps of all lanes, whose first rows and times are given. `logarithms`: b may become
 * p, a row far out may overflow to what is no number, and nothing is taken away. */
INLINE void emitted(struct emission *e, int64_t n, const int logarithms, const int64_t K)
{
    if (e->asked->code)
        kind_steps(e, n, logarithms, K);
    else
        row_steps(e, n, logarithms);
}

/* p, the states of n steps, to the sums of their kinds. */
static void count_kinds(struct emission *e, int64_t n)
{
    for (int64_t t = 0; t < n; t++)
        for (int64_t k = 0; k < e->K; k += VL) {
            vec square[VL], times = load(e->times + t * VL);
            for (int64_t q = 0; q < VL; q++)
                square[q] = k + q < e->K ? load(e->p + (k + q) * e->stride + t * VL) * times
                                         : splat(0.0);
            transpose(square);
            for (int l = 0; l < VL; l++) {
                double *hit = e->hits + kind_of(e, t, l) * e->Kp + k;
                store(hit, load(hit) + square[l]);
            }
        }
}

/* p, the states of n steps, into the sums. */
static void collect(struct emission *e, int64_t n)
{
    if (e->asked->code)
        count_kinds(e, n);
    if (!e->asked->model)
        return;
    struct work *w = &e->w;
    int64_t padded = ROUND_UP(n * VL, w->wide ? ROW_STEP : VL);
    for (int64_t k = 0; k < e->K; k++) {
        w->live[k] = 1;
        for (int64_t i = n * VL; i < padded; i++)
            e->p[k * e->stride + i] = 0.0;
    }
    for (int64_t i = 0; i < padded; i++)
        w->share[i] = w->form == FORM_TIED ? 1.0 : w->weight[i];
    block_moments(w, padded / VL);
}

/* The states of n steps, columns of p times `scale` where it is not NULL, into lines of `out`, K
 * numbers each. */
INLINE void put_states(struct emission *e, const double *p, const double *scale, double *out,
                       int64_t n, const int64_t K)
{
    double *to[VL];
    for (int l = 0; l < VL; l++)
        to[l] = e->there[l] == n ? out + e->first[l] * K : e->part + l * n * K;
    put_beside(p, scale, e->stride, n, K, to);
    for (int l = 0; l < VL; l++)
        if (e->there[l] < n && e->there[l] > 0)
            memcpy(out + e->first[l] * K, to[l], (size_t)(e->there[l] * K) * 8);
}

static void emission_finish(struct emission *e)
{
    const struct mixtura_emission *a = e->asked;
    if (a->model && a->moments)
        finish(&e->w, a->moments);
    for (int64_t c = 0; c < a->kinds && a->hits; c++)
        for (int64_t k = 0; k < e->K; k++)
            a->hits[c * e->K + k] = e->hits[c * e->Kp + k];
}

#endif
