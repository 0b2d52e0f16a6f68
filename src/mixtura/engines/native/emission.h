/* What the steps of a block are worth to each state, and what their states are worth to the sums.
 *
 * A block is some steps of VL stretches that run side by side: step t of lane l is number t VL + l.
 * Densities are a Gaussian model's, by the kernels of its mixtures, or the lines of a table: one for
 * each step, or one for each kind of step, whose exponentials are then taken once.
 */
#ifndef MIXTURA_EMISSION_H
#define MIXTURA_EMISSION_H

#include "pass.h"

struct emission {
    const struct mixtura_emission *asked;
    int64_t K, Kp, block, stride;
    struct work w;
    void *scratch, *memory;
    int64_t *row;   /* of each step of the block; -1 past a lane's end */
    double *times;  /* how often its sequence was seen; 0 past a lane's end */
    double *weight; /* the same, and 0 where nobody saw the step */
    char *x;        /* Gaussian: the rows of the block */
    double *p;      /* K columns: log densities, then smoothed states */
    double *top;    /* what was taken from the log densities of each step */
    double *b;      /* K columns: emissions, that of the likeliest state 1 */
    double *lines;  /* table: the block line by line */
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
            out[k] = logarithms ? own : own > EXP_LEAST ? exp(own) : 0.0;
        }
    }
}

/* Returns non-zero where memory ran out. `logarithms`: b holds log densities. */
static int emission_open(struct emission *e, const struct mixtura_emission *a, int64_t K,
                         int logarithms)
{
    memset(e, 0, sizeof *e);
    e->asked = a;
    e->K = K;
    e->Kp = ROUND_UP(K, VL);
    if (a->model) {
        e->scratch = work_open(&e->w, K, a->data->d, a->model->form, 0);
        if (!e->scratch)
            return 1;
        e->block = e->w.screen ? WIDE_BLOCK : e->w.block;
        prepare(&e->w, a->model, 0);
    } else {
        e->block = 256;
        while (e->block > 32 && K * e->block * (int64_t)sizeof(double) > 1 << 16)
            e->block /= 2;
    }
    e->stride = e->block + 24;
    int64_t kinds = a->code ? a->kinds + 1 : 0, own = a->model ? 0 : K * e->stride;
    int64_t numbers = 3 * e->block + e->stride + own + K * e->stride +
                      e->block * (a->model ? a->data->d : e->Kp) + kinds * (2 * e->Kp + 1);
    double *at = calloc((size_t)numbers, sizeof *at);
    e->memory = at;
    if (!at)
        return 1;
    e->row = (int64_t *)(void *)at;
    e->times = at + e->block;
    e->weight = e->times + e->block;
    e->top = e->weight + e->block;
    e->b = e->top + e->stride;
    e->p = e->b + K * e->stride;
    if (a->model) {
        e->x = (char *)e->p;
        e->p = e->w.log_p;
        e->stride = e->w.stride;
    } else {
        e->lines = e->p + own;
        e->lifted = e->lines + e->block * e->Kp;
        e->hits = e->lifted + kinds * e->Kp;
        e->tops = e->hits + kinds * e->Kp;
        if (a->code)
            emission_lift(e, logarithms);
    }
    return 0;
}

/* Row `from` of the table to place i of the block; whether nobody saw it: all cells are missing. */
static int copy_row(struct emission *e, int64_t i, int64_t from)
{
    const struct mixtura_data *data = e->asked->data;
    int64_t d = data->d, missing = 0;
    if (data->single) {
        const float *x = (const float *)data->x + from * d;
        for (int64_t j = 0; j < d; j++) {
            ((float *)(void *)e->x)[i * d + j] = x[j];
            missing += x[j] != x[j];
        }
    } else {
        const double *x = (const double *)data->x + from * d;
        for (int64_t j = 0; j < d; j++) {
            ((double *)(void *)e->x)[i * d + j] = x[j];
            missing += x[j] != x[j];
        }
    }
    return missing == d;
}

/* p and best of n steps (whole vectors). */
static void gaussian_steps(struct emission *e, int64_t n)
{
    struct work *w = &e->w;
    for (int64_t i = 0; i < n; i++) {
        e->weight[i] = e->times[i];
        if (e->row[i] < 0 || copy_row(e, i, e->row[i]))
            e->weight[i] = 0.0;
    }
    struct mixtura_data part = {e->x, e->weight, n, e->asked->data->d, e->asked->data->single};
    w->screened = 0;
    block_density(w, read_rows(w, &part, 0, n));
    for (int64_t i = 0; i < n; i++)
        /* A sequence that counts nothing passes for one that nobody saw. */
        if (e->weight[i] == 0.0) {
            w->best[i] = 0.0;
            for (int64_t k = 0; k < e->K; k++)
                w->log_p[k * w->stride + i] = 0.0;
        }
}

/* The lines of n steps (whole vectors) as columns of `out`. */
static void table_steps(struct emission *e, double *out, int64_t n)
{
    const struct mixtura_emission *a = e->asked;
    int64_t K = e->K, Kp = e->Kp;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = e->row[i], kind = a->code && row >= 0 ? a->code[row] : row;
        double *line = e->lines + i * Kp;
        e->weight[i] = kind < 0 ? 0.0 : e->times[i];
        if (a->code) {
            kind = kind < 0 ? a->kinds : kind;
            e->top[i] = e->tops[kind];
            for (int64_t v = 0; v < Kp; v += VL)
                store(line + v, load(e->lifted + kind * Kp + v));
        } else {
            for (int64_t k = 0; k < K; k++)
                line[k] = row < 0 ? 0.0 : a->table[row * K + k];
        }
    }
    rows_to_columns(e->lines, Kp, K, n, out, e->stride);
}

/* b and top of n steps (whole vectors) whose rows and times are given. */
static void emitted(struct emission *e, int64_t n, int logarithms)
{
    const struct mixtura_emission *a = e->asked;
    int64_t K = e->K, stride = e->stride;
    if (a->code) {
        table_steps(e, e->b, n);
        return;
    }
    if (a->model)
        gaussian_steps(e, n);
    else
        table_steps(e, e->p, n);
    for (int64_t i = 0; i < n; i += VL) {
        vec best = splat(logarithms ? 0.0 : -INFINITY);
        for (int64_t k = 0; k < K && !logarithms; k++)
            best = vmax(best, load(e->p + k * stride + i));
        store(e->top + i, best);
        for (int64_t k = 0; k < K; k++) {
            vec own = load(e->p + k * stride + i);
            store(e->b + k * stride + i,
                  logarithms ? own : exp_above(own - best, splat(EXP_LEAST)));
        }
    }
}

/* p, the states of n steps, into the sums. */
static void collect(struct emission *e, int64_t n)
{
    int64_t K = e->K, Kp = e->Kp;
    if (e->asked->model) {
        struct work *w = &e->w;
        for (int64_t k = 0; k < K; k++)
            w->live[k] = 1;
        for (int64_t i = 0; i < n; i++)
            w->share[i] = w->form == FORM_TIED ? 1.0 : w->weight[i];
        block_moments(w, n / VL);
    } else if (e->asked->code) {
        columns_to_rows(e->p, e->stride, K, n, e->lines, Kp);
        for (int64_t i = 0; i < n; i++)
            if (e->weight[i] != 0.0) {
                double *hit = e->hits + e->asked->code[e->row[i]] * Kp;
                for (int64_t v = 0; v < Kp; v += VL)
                    store(hit + v, load(hit + v) + e->weight[i] * load(e->lines + i * Kp + v));
            }
    }
}

/* p, the states of n steps, into lines of `out`, K numbers each. */
static void put_states(struct emission *e, double *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < e->K && e->row[i] >= 0; k++)
            out[e->row[i] * e->K + k] = e->p[k * e->stride + i];
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
