/* A whole EM climb of a Gaussian mixture of any covariance structure, from groups or parameters.
 *
 * The rule by which it stops is that of fit/convergence.py: Aitken's estimate of the gain still to
 * come. A component that becomes too narrow for its rows ends the climb, as `refuse_collapse` of
 * families/gaussian.py does. */
#ifndef MIXTURA_CLIMB_H
#define MIXTURA_CLIMB_H

#include "structures.h"

static double value_at(const struct mixtura_data *data, int64_t i)
{
    return data->single ? (double)((const float *)data->x)[i] : ((const double *)data->x)[i];
}

/* Moments about the first component's mean, in its whitened units, where every row belongs to the
 * components in the shares of resp (n x K). All components must be equal in `s`. y holds 2 d. */
static void group_moments(const struct mixtura_data *data, const double *resp, int64_t K,
                          int64_t form, const struct state *s, struct mixtura_moments *m,
                          double *y)
{
    int64_t d = data->d, C = covariance_size(form, K, d);
    double *x = y + d;
    int matrix = form == FORM_FULL || form == FORM_TIED;
    m->loglik = 0.0;
    memset(m->count, 0, (size_t)K * 8);
    memset(m->first, 0, (size_t)(K * d) * 8);
    memset(m->second, 0, (size_t)C * 8);
    for (int64_t i = 0; i < data->n; i++) {
        double weight = data->weight ? data->weight[i] : 1.0;
        if (weight == 0.0)
            continue;
        for (int64_t j = 0; j < d; j++)
            x[j] = value_at(data, i * d + j) - s->means[j];
        if (matrix)
            times_lower(d, s->whiten, x, y);
        for (int64_t j = 0; j < d && !matrix; j++)
            y[j] = x[j] * s->whiten[form == FORM_DIAG ? j : 0];
        for (int64_t k = 0; k < K; k++) {
            double r = resp[i * K + k] * weight;
            if (r == 0.0)
                continue;
            m->count[k] += r;
            double *second = m->second + (form == FORM_TIED ? 0 : k * (C / K));
            for (int64_t j = 0; j < d; j++) {
                double ry = r * y[j];
                m->first[k * d + j] += ry;
                if (matrix)
                    for (int64_t l = 0; l < d; l++)
                        second[j * d + l] += ry * y[l];
                else
                    second[form == FORM_DIAG ? j : 0] += ry * y[j];
            }
        }
    }
}

/* The component that is too narrow for its rows, or -1. */
static int64_t collapsed(const struct mixtura_climb *c, const struct state *s,
                         const double *counts, int64_t d)
{
    const struct mixtura_em *e = &c->em;
    int matrix = e->form == FORM_FULL || e->form == FORM_TIED;
    int64_t axes = matrix || e->form == FORM_DIAG ? d : 1, K = e->form == FORM_TIED ? 1 : e->K;
    for (int64_t k = 0; k < K; k++) {
        double spread = HUGE_VAL;
        for (int64_t j = 0; j < axes; j++) {
            double pivot = matrix ? s->root[(k * d + j) * d + j] : s->root[k * axes + j];
            double share = pivot / c->pivots[j];
            spread = share * share < spread ? share * share : spread;
        }
        int few = e->form != FORM_TIED && counts[k] < c->few_rows;
        if (spread < c->numeric || (few && spread < c->spurious))
            return k;
    }
    return -1;
}

/* Whether the gain still to come is at most tol, from the last values of the log-likelihood. */
static int arrived(const double *logliks, int64_t done, double tol)
{
    if (done < 2)
        return 0;
    const double *last = logliks + done - 1;
    double gain = fabs(last[0] - last[-1]), rounding = 1e-13 * (1.0 + fabs(last[0]));
    if (gain <= rounding)
        return 1;
    if (done < 4)
        return 0;
    double before = fabs(last[-1] - last[-2]), first = fabs(last[-2] - last[-3]);
    double ratio = gain / before > before / first ? gain / before : before / first;
    return ratio < 1.0 && gain * ratio <= tol * (1.0 - ratio);
}

/* Memory of one climb: two states, so that a step can be undone, and what an M-step needs. */
struct climbing {
    struct work w;
    struct state states[2];
    struct mixtura_moments m;
    struct sharing h;
    double *tmp;
    void *scratch, *memory;
};

static int climbing_open(struct climbing *g, int64_t K, int64_t d, int64_t form)
{
    int64_t C = covariance_size(form, K, d), one = 3 * K + K * d + 2 * C;
    int64_t size = 2 * one + K + K * d + C + 4 * d * d + 2 * d + sharing_size(K, d);
    g->scratch = work_open(&g->w, K, d, form, 0);
    g->memory = malloc((size_t)size * 8);
    if (!g->scratch || !g->memory) {
        free(g->scratch);
        free(g->memory);
        return 1;
    }
    double *at = g->memory;
    for (int i = 0; i < 2; i++) {
        struct state *s = &g->states[i];
        s->weights = take(&at, K);
        s->means = take(&at, K * d);
        s->root = take(&at, C);
        s->whiten = take(&at, C);
        s->log_weights = take(&at, K);
        s->log_norm = take(&at, K);
    }
    g->m = (struct mixtura_moments){0.0, take(&at, K), take(&at, K * d), take(&at, C)};
    g->tmp = take(&at, 4 * d * d + 2 * d);
    sharing_open(&g->h, K, d, at);
    return 0;
}

/* The M-step from g->m at `now`; the component that cannot be, or -1. */
static int64_t climb_step(const struct mixtura_climb *c, struct climbing *g, int64_t d,
                          const struct state *now, struct state *next, int64_t *why)
{
    const struct mixtura_em *e = &c->em;
    int64_t failed = c->share == SHARE_OWN
                         ? maximise(e, d, now, &g->m, next, g->tmp)
                         : maximise_shared(e, d, now, &g->m, next, &g->h);
    if (failed < 0)
        failed = invert(next, e->form, e->K, d);
    *why = CLIMB_ILL_DEFINED;
    if (failed < 0 && c->pivots) {
        failed = collapsed(c, next, g->m.count, d);
        *why = CLIMB_COLLAPSED;
    }
    return failed;
}

static int climb(const struct mixtura_data *data, struct mixtura_climb *c)
{
    struct mixtura_em *e = &c->em;
    struct climbing g;
    int64_t K = e->K, d = data->d, form = e->form, C = covariance_size(form, K, d), why;
    if (climbing_open(&g, K, d, form))
        return 1;
    g.h.share = c->share;
    g.h.settled = c->settled;
    g.h.few = c->few;
    struct state *now = &g.states[0], *next = &g.states[1], *swap;
    memcpy(now->weights, e->weights, (size_t)K * 8);
    memcpy(now->means, e->means, (size_t)(K * d) * 8);
    memcpy(now->root, e->roots, (size_t)C * 8);
    e->done = 0;
    c->reason = CLIMB_ILL_DEFINED;
    e->failed = invert(now, form, K, d);
    if (c->resp && e->failed < 0) {
        group_moments(data, c->resp, K, form, now, &g.m, g.tmp);
        e->failed = climb_step(c, &g, d, now, next, &c->reason);
        swap = now, now = next, next = swap;
    }
    while (e->failed < 0 && e->done < e->passes) {
        struct mixtura_model model = {now->log_weights, now->means, now->whiten,
                                      now->log_norm,    K,          form};
        pass_with(&g.w, data, &model, &g.m);
        e->logliks[e->done++] = g.m.loglik;
        if (!isfinite(g.m.loglik)) {
            e->failed = 0;
            break;
        }
        if (c->tol > 0.0 && arrived(e->logliks, e->done, c->tol)) {
            c->reason = CLIMB_CONVERGED;
            break;
        }
        if (c->tol > 0.0 && e->done == e->passes)
            break;
        e->failed = climb_step(c, &g, d, now, next, &why);
        if (e->failed < 0)
            swap = now, now = next, next = swap;
        else
            c->reason = why;
    }
    if (e->failed < 0 && c->reason != CLIMB_CONVERGED)
        c->reason = CLIMB_LIMIT;
    memcpy(e->weights, now->weights, (size_t)K * 8);
    memcpy(e->means, now->means, (size_t)(K * d) * 8);
    memcpy(e->roots, now->root, (size_t)C * 8);
    free(g.scratch);
    free(g.memory);
    return 0;
}

#endif
