/* One cell of a table of fits: short climbs from several starts, and the best one to its end.
 *
 * Starts are groups, and the splits of the components of a mixture with one component less, each
 * across the longest axis of its rows. */
#ifndef MIXTURA_CONTEST_H
#define MIXTURA_CONTEST_H

#include "climb.h"

/* Parameters set aside. */
struct aside {
    double *weights, *means, *roots;
};

static void lay_aside(const struct mixtura_em *e, int64_t d, int64_t C, struct aside *to)
{
    memcpy(to->weights, e->weights, (size_t)e->K * 8);
    memcpy(to->means, e->means, (size_t)(e->K * d) * 8);
    memcpy(to->roots, e->roots, (size_t)C * 8);
}

static void take_up(struct mixtura_em *e, int64_t d, int64_t C, const struct aside *from)
{
    memcpy(e->weights, from->weights, (size_t)e->K * 8);
    memcpy(e->means, from->means, (size_t)(e->K * d) * 8);
    memcpy(e->roots, from->roots, (size_t)C * 8);
}

static double value_at(const struct mixtura_data *data, int64_t i)
{
    return data->single ? (double)((const float *)data->x)[i] : ((const double *)data->x)[i];
}

/* Which rows lie beyond the mean of component k across its longest axis: side, n. resp is n x K.
 * tmp holds 2 d^2 + 3 d. */
static void beyond(const struct mixtura_data *data, const double *resp, int64_t K, int64_t k,
                   char *side, double *tmp)
{
    int64_t n = data->n, d = data->d;
    double *mean = tmp, *values = mean + d, *x = values + d, *scatter = x + d;
    double *axes = scatter + d * d, mass = 0.0;
    memset(mean, 0, (size_t)d * 8);
    memset(scatter, 0, (size_t)(d * d) * 8);
    for (int64_t i = 0; i < n; i++) {
        double r = resp[i * K + k] * (data->weight ? data->weight[i] : 1.0);
        mass += r;
        for (int64_t j = 0; j < d && r > 0.0; j++)
            mean[j] += r * value_at(data, i * d + j);
    }
    for (int64_t j = 0; j < d; j++)
        mean[j] /= mass > 0.0 ? mass : 1.0;
    for (int64_t i = 0; i < n; i++) {
        double r = resp[i * K + k] * (data->weight ? data->weight[i] : 1.0);
        if (!(r > 0.0))
            continue;
        for (int64_t j = 0; j < d; j++)
            x[j] = value_at(data, i * d + j) - mean[j];
        for (int64_t j = 0; j < d; j++)
            for (int64_t l = 0; l < d; l++)
                scatter[j * d + l] += r * x[j] * x[l];
    }
    jacobi(d, scatter, values, axes);
    for (int64_t i = 0; i < n; i++) {
        double along = 0.0;
        for (int64_t j = 0; j < d; j++)
            along += (value_at(data, i * d + j) - mean[j]) * axes[j * d + d - 1];
        side[i] = along > 0.0;
    }
}

/* The responsibilities of the mixture with one component less, n x (K - 1). Returns 1 without
 * memory, -1 where that mixture is none. */
static int fewer_shares(const struct mixtura_data *data, const struct mixtura_contest *t,
                        double *resp)
{
    const struct mixtura_em *e = &t->climb.em;
    int64_t K = e->K - 1, d = data->d, C = covariance_size(e->form, K, d);
    double *memory = malloc((size_t)(2 * K + C) * 8);
    if (!memory)
        return 1;
    struct state s = {(double *)t->fewer_weights, (double *)t->fewer_means,
                      (double *)t->fewer_roots,   memory,
                      memory + C,                 memory + C + K};
    int failed = invert(&s, e->form, K, d) >= 0 ? -1 : 0;
    if (!failed) {
        struct mixtura_model model = {s.log_weights, s.means, s.whiten, s.log_norm, K, e->form};
        struct mixtura_rows out = {0, resp, 0, 0, 0, 0, 0};
        failed = rows(data, &model, &out);
    }
    free(memory);
    return failed;
}

/* The heaviest component after k in the order of weight, or -1; the first for k = -1. */
static int64_t next_heaviest(const double *weights, int64_t K, int64_t k)
{
    int64_t best = -1;
    for (int64_t c = 0; c < K; c++) {
        int after = k < 0 || weights[c] < weights[k] || (weights[c] == weights[k] && c > k);
        if (after && (best < 0 || weights[c] > weights[best]))
            best = c;
    }
    return best;
}

/* Short trials of the splits, the best laid aside and its value noted last: -inf where there is
 * none. Returns 1 without memory. */
static int split_trials(const struct mixtura_data *data, struct mixtura_contest *t,
                        const struct aside *units, struct aside *best)
{
    struct mixtura_em *e = &t->climb.em;
    int64_t n = data->n, d = data->d, K = e->K, C = covariance_size(e->form, K, d);
    int64_t k = -1, passes = e->passes;
    double *highest = t->values + t->n_starts, *resp = malloc((size_t)(n * (2 * K - 1)) * 8);
    double *tmp = malloc((size_t)(2 * d * d + 3 * d) * 8);
    char *side = malloc((size_t)n);
    int known = resp && tmp && side ? fewer_shares(data, t, resp) : 1, out = known > 0;
    t->climb.tol = 0.0;
    for (int64_t tried = 0; known == 0 && !out && tried < t->splits; tried++) {
        double *more = resp + n * (K - 1);
        k = next_heaviest(t->fewer_weights, K - 1, k);
        if (k < 0)
            break;
        beyond(data, resp, K - 1, k, side, tmp);
        for (int64_t i = 0; i < n; i++) {
            memcpy(more + i * K, resp + i * (K - 1), (size_t)(K - 1) * 8);
            more[i * K + K - 1] = side[i] ? more[i * K + k] : 0.0;
            more[i * K + k] -= more[i * K + K - 1];
        }
        take_up(e, d, C, units);
        e->given = more;
        e->passes = passes < t->trial ? passes : t->trial;
        out = climb(data, &t->climb);
        if (!out && e->failed < 0 && e->sums.loglik > *highest) {
            *highest = e->sums.loglik;
            lay_aside(e, d, C, best);
        }
    }
    e->passes = passes;
    e->given = 0;
    free(resp);
    free(tmp);
    free(side);
    return out;
}

/* A short climb from where e stands, noted as number s. Returns 1 without memory. */
static int short_climb(const struct mixtura_data *data, struct mixtura_contest *t, int64_t s,
                        struct aside *end)
{
    struct mixtura_em *e = &t->climb.em;
    t->climb.tol = t->rough;
    t->values[s] = -HUGE_VAL;
    t->steps[s] = 0;
    if (climb(data, &t->climb))
        return 1;
    if (e->failed >= 0)
        return 0;
    t->values[s] = e->sums.loglik;
    t->steps[s] = e->done - 1;
    lay_aside(e, data->d, covariance_size(e->form, e->K, data->d), end);
    return 0;
}

static int contest(const struct mixtura_data *data, struct mixtura_contest *t)
{
    struct mixtura_em *e = &t->climb.em;
    int64_t n = data->n, d = data->d, K = e->K, C = covariance_size(e->form, K, d);
    int64_t S = t->n_starts, one = K + K * d + C;
    double tol = t->climb.tol, *memory = malloc((size_t)((S + 2) * one) * 8), *at = memory;
    struct aside *ends = malloc((size_t)(S + 2) * sizeof *ends), *units = ends + S + 1;
    if (!memory || !ends) {
        free(memory);
        free(ends);
        return 1;
    }
    for (int64_t s = 0; s < S + 2; s++)
        ends[s] = (struct aside){take(&at, K), take(&at, K * d), take(&at, C)};
    lay_aside(e, d, C, units);
    int out = 0;
    for (int64_t s = 0; s < S && !out; s++) {
        take_up(e, d, C, units);
        e->given = t->starts + s * n * K;
        out = short_climb(data, t, s, ends + s);
    }
    e->given = 0;
    t->values[S] = -HUGE_VAL;
    if (!out && t->fewer_weights)
        out = split_trials(data, t, units, ends + S);
    if (!out && t->values[S] > -HUGE_VAL) {
        take_up(e, d, C, ends + S);
        out = short_climb(data, t, S, ends + S);
    }
    t->climb.tol = tol;
    t->won = -1;
    for (int64_t tried = 0; !out && tried <= S && t->won < 0; tried++) {
        int64_t best = -1;
        for (int64_t s = 0; s <= S; s++)
            if (isfinite(t->values[s]) && (best < 0 || t->values[s] > t->values[best]))
                best = s;
        if (best < 0)
            break;
        take_up(e, d, C, ends + best);
        out = climb(data, &t->climb);
        if (e->failed < 0)
            t->won = best;
        else
            t->values[best] = -HUGE_VAL;
    }
    free(memory);
    free(ends);
    return out;
}

#endif
