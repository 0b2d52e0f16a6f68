/* Whole EM iterations for small data, with no return to the caller in between. */
#ifndef MIXTURA_EM_H
#define MIXTURA_EM_H

#include "dense.h"
#include "pass.h"

/* Parameters in one piece of memory, so that a step can be undone by keeping two. */
struct state {
    double *weights, *means;
    double *root;   /* lower Cholesky roots, or standard deviations; shape of the form */
    double *whiten; /* their inverses */
    double *log_weights, *log_norm;
};

static int64_t covariance_size(int64_t form, int64_t K, int64_t d)
{
    return form == FORM_FULL   ? K * d * d
           : form == FORM_TIED ? d * d
           : form == FORM_DIAG ? K * d
                               : K;
}

/* Inverses and log norms of s->root. Returns -1, or the component whose root is not
 * positive and finite. */
static int64_t invert(struct state *s, int64_t form, int64_t K, int64_t d)
{
    const double half_log_2pi = 0.91893853320467274178;
    int64_t matrices = form == FORM_FULL ? K : form == FORM_TIED ? 1 : 0;
    int64_t axes = form == FORM_DIAG ? d : 1;
    for (int64_t k = 0; k < matrices; k++)
        invert_lower(d, s->root + k * d * d, s->whiten + k * d * d);
    for (int64_t k = 0; k < K; k++) {
        double sum = -half_log_2pi * (double)d;
        const double *whiten = s->whiten + (form == FORM_FULL ? k * d * d : 0);
        if (matrices) {
            for (int64_t j = 0; j < d; j++)
                sum += log(whiten[j * d + j]);
        } else {
            for (int64_t j = k * axes; j < (k + 1) * axes; j++) {
                s->whiten[j] = 1.0 / s->root[j];
                sum += log(s->whiten[j]) * (form == FORM_DIAG ? 1.0 : (double)d);
            }
        }
        if (!isfinite(sum))
            return k;
        s->log_norm[k] = sum;
        s->log_weights[k] = log(s->weights[k]);
    }
    return -1;
}

/* Remove the shift of the mean from the second moment, and leave the whitened mean
 * shift in first. Components without rows do not move. */
static void centre_moments(struct mixtura_moments *m, int64_t form, int64_t K, int64_t d)
{
    for (int64_t k = 0; k < K; k++) {
        double n = m->count[k], *s = m->first + k * d;
        for (int64_t j = 0; j < d; j++)
            s[j] = n == 0.0 ? 0.0 : s[j] / n;
        if (form == FORM_DIAG) {
            for (int64_t j = 0; j < d; j++)
                m->second[k * d + j] -= n * s[j] * s[j];
        } else if (form == FORM_SPHERICAL) {
            for (int64_t j = 0; j < d; j++)
                m->second[k] -= n * s[j] * s[j];
        } else {
            double *second = m->second + (form == FORM_FULL ? k * d * d : 0);
            for (int64_t j = 0; j < d; j++)
                for (int64_t l = 0; l < d; l++)
                    second[j * d + l] -= n * (s[j] * s[l]);
        }
    }
}

/* The root of one matrix after a step, from its centred second moment in whitened units.
 *
 * The covariance is estimated and factorised in the units of the old root, where it is
 * near the identity: in the table's own units an ill-conditioned covariance would lose
 * digits at every step. Returns 1 when it is not positive definite. tmp holds 4 d^2. */
static int step_matrix(const struct mixtura_em *e, int64_t d, double mass, const double *whiten,
                       const double *root, const double *second, double *out, double *tmp)
{
    double prior = 2.0 * e->strength, *added = tmp, *inner = tmp + d * d;
    double *factor = tmp + 2 * d * d, *spare = tmp + 3 * d * d;
    double any = e->absolute;
    for (int64_t i = 0; i < d * d; i++) {
        added[i] = prior * e->target[i] / mass + e->held[i] + (i % (d + 1) ? 0.0 : e->absolute);
        any += fabs(e->held[i]);
    }
    if (prior > 0.0 || any > 0.0) {
        congruence(d, whiten, added, spare, inner);
        for (int64_t i = 0; i < d * d; i++)
            inner[i] += second[i] / mass;
    } else {
        for (int64_t i = 0; i < d * d; i++)
            inner[i] = second[i] / mass;
    }
    if (cholesky(d, inner, factor))
        return 1;
    times_lowers(d, root, factor, out);
    return 0;
}

/* The same for one variance. */
static int step_variance(const struct mixtura_em *e, int64_t j, double mass, double whiten,
                         double root, double second, double *out)
{
    double added = 2.0 * e->strength * e->target[j] / mass + e->held[j] + e->absolute;
    double inner = second / mass + added * whiten * whiten;
    *out = root * sqrt(inner);
    return !(inner > 0.0) || !isfinite(*out);
}

/* From the moments at `old` to the parameters of `new`. tmp holds 4 d^2 + d. Returns -1, or
 * the component whose covariance is not positive. */
static int64_t maximise(const struct mixtura_em *e, int64_t d, const struct state *old,
                        struct mixtura_moments *m, struct state *new, double *tmp)
{
    int64_t K = e->K, form = e->form;
    double total = 0.0;
    centre_moments(m, form, K, d);
    for (int64_t k = 0; k < K; k++)
        total += m->count[k];
    for (int64_t k = 0; k < K; k++) {
        double n = m->count[k];
        double mass = (form == FORM_TIED ? total : n) + 2.0 * e->strength;
        int matrix = form == FORM_FULL || form == FORM_TIED, bad = 0;
        const double *mean = old->means + k * d, *s = m->first + k * d;
        double *shift = tmp + 4 * d * d;
        new->weights[k] = total > 0.0 ? n / total : old->weights[k];
        if (matrix)
            times_lower(d, old->root + (form == FORM_FULL ? k * d * d : 0), s, shift);
        for (int64_t j = 0; j < d; j++) {
            double sd = matrix ? 0.0 : old->root[form == FORM_DIAG ? k * d + j : k];
            new->means[k * d + j] = mean[j] + (matrix ? shift[j] : sd * s[j]);
        }
        if (matrix && (form == FORM_FULL || k == 0)) {
            int64_t at = k * d * d;
            if (mass == 0.0)
                memcpy(new->root + at, old->root + at, (size_t)(d * d) * 8);
            else
                bad = step_matrix(e, d, mass, old->whiten + at, old->root + at, m->second + at,
                                  new->root + at, tmp);
        }
        int64_t axes = matrix ? 0 : form == FORM_DIAG ? d : 1;
        for (int64_t j = 0; j < axes; j++) {
            int64_t at = k * axes + j;
            double second = form == FORM_DIAG ? m->second[at] : m->second[at] / (double)d;
            if (mass == 0.0)
                new->root[at] = old->root[at];
            else
                bad |= step_variance(e, j, mass, old->whiten[at], old->root[at], second,
                                     new->root + at);
        }
        if (bad)
            return k;
    }
    return -1;
}

static void copy_state(struct state *to, const struct state *from, int64_t K, int64_t d, int64_t C)
{
    memcpy(to->weights, from->weights, (size_t)K * 8);
    memcpy(to->means, from->means, (size_t)(K * d) * 8);
    memcpy(to->root, from->root, (size_t)C * 8);
    memcpy(to->whiten, from->whiten, (size_t)C * 8);
    memcpy(to->log_weights, from->log_weights, (size_t)K * 8);
    memcpy(to->log_norm, from->log_norm, (size_t)K * 8);
}

/* A table that fits into one block of columns is read once for all steps. */
static void hold(struct work *w, const struct mixtura_data *data)
{
    if (w->wide || data->n > SCREEN_BLOCK || data->n > w->stride - 24)
        return;
    w->block = ROUND_UP(data->n, VL);
    w->held = read_rows(w, data, 0, data->n);
}

/* The pass over a whole table, of whose rows near each other more may be skipped. */
static void pass_whole(struct work *w, const struct mixtura_data *data,
                       const struct mixtura_model *model, struct mixtura_moments *out)
{
    pass_with(w, data, model, out);
    if (sight_wanted(w, data) && sight_starved(model, out->count)) {
        struct mixtura_data plain = *data;
        plain.near = 0;
        pass_with(w, &plain, model, out);
    }
}

/* The sums at `now`, unless they are known. */
static void first_sums(struct work *w, const struct mixtura_data *data, struct mixtura_em *e,
                       const struct mixtura_model *now)
{
    if (e->given)
        pass_given(w, data, now, e->given, &e->sums);
    else if (!e->known)
        pass_whole(w, data, now, &e->sums);
}

/* The M-step of any structure, and the numbers that its scratch holds: see structures.h. */
static int64_t step_of(const struct mixtura_em *e, int64_t d, const struct state *old,
                       struct mixtura_moments *m, struct state *new, double *tmp);
static int64_t step_size(const struct mixtura_em *e, int64_t d);

/* What steps are taken with: a pass's scratch, the parameters given and others beside them, and an
 * M-step's scratch. */
struct steps {
    struct work w;
    void *scratch;
    double *memory, *tmp;
    struct state kept, other;
};

/* 1 where there is no memory; else `steps_close` must follow. */
static int steps_open(struct steps *s, const struct mixtura_data *data, const struct mixtura_em *e)
{
    int64_t K = e->K, d = data->d, C = covariance_size(e->form, K, d);
    int64_t one = 3 * K + K * d + 2 * C;
    s->scratch = work_open(&s->w, K, d, e->form, LEAST(data->n, SCREEN_BLOCK));
    s->memory = malloc((size_t)(one + step_size(e, d)) * 8);
    if (!s->scratch || !s->memory) {
        free(s->scratch);
        free(s->memory);
        return 1;
    }
    double *at = s->memory;
    s->kept = (struct state){e->weights, e->means,       e->roots,
                             e->whiten,  e->log_weights, e->log_norm};
    s->other = (struct state){take(&at, K), take(&at, K * d), take(&at, C),
                              take(&at, C), take(&at, K),     take(&at, K)};
    s->tmp = at;
    return 0;
}

/* The parameters at `now` are those handed back. */
static void steps_close(struct steps *s, const struct state *now, const struct mixtura_em *e,
                        int64_t d)
{
    if (now != &s->kept)
        copy_state(&s->kept, now, e->K, d, covariance_size(e->form, e->K, d));
    free(s->scratch);
    free(s->memory);
}

static struct mixtura_model model_at(const struct state *s, const struct mixtura_em *e)
{
    return (struct mixtura_model){s->log_weights, s->means, s->whiten, s->log_norm, e->K, e->form};
}

/* Whether the last step led hardly anywhere. */
static int at_rest(const struct mixtura_em *e)
{
    const double *last = e->logliks + e->done - 1;
    return e->rest > 0.0 && e->done > 1 && !(fabs(last[0] - last[-1]) > e->rest);
}

/* Steps from sums to sums: whoever goes on from here repeats no E-step. */
static int em(const struct mixtura_data *data, struct mixtura_em *e)
{
    struct steps s;
    if (steps_open(&s, data, e))
        return 1;
    struct state *now = &s.kept, *next = &s.other;
    e->done = 0;
    e->failed = invert(now, e->form, e->K, data->d);
    for (int64_t turn = 0; e->failed < 0; turn++) {
        struct mixtura_model model = model_at(now, e);
        if (turn == 0) {
            s.w.model = &model;
            hold(&s.w, data);
            first_sums(&s.w, data, e, &model);
        } else {
            pass_whole(&s.w, data, &model, &e->sums);
            e->logliks[e->done++] = e->sums.loglik;
        }
        if (turn == e->passes || at_rest(e))
            break;
        e->failed = step_of(e, data->d, now, &e->sums, next, s.tmp);
        if (e->failed < 0)
            e->failed = invert(next, e->form, e->K, data->d);
        if (e->failed < 0) {
            struct state *swap = now;
            now = next;
            next = swap;
        }
    }
    steps_close(&s, now, e, data->d);
    return 0;
}

#endif
