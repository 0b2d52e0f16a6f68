/* A whole EM climb of a Gaussian mixture of any covariance structure, from groups or parameters.
 *
 * The rule by which it stops is that of solvers/convergence.py: Aitken's estimate of the gain still to
 * come. A component that becomes too narrow for its rows ends the climb, as `refuse_collapse` of
 * families/gaussian/family.py does. */
#ifndef MIXTURA_CLIMB_H
#define MIXTURA_CLIMB_H

#include "structures.h"

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

/* The M-step from the sums at `now`; the component that cannot be, or -1. */
static int64_t climb_step(struct mixtura_climb *c, int64_t d, const struct state *now,
                          struct state *next, double *tmp)
{
    struct mixtura_em *e = &c->em;
    int64_t failed = step_of(e, d, now, &e->sums, next, tmp);
    if (failed < 0)
        failed = invert(next, e->form, e->K, d);
    c->reason = failed < 0 ? CLIMB_LIMIT : CLIMB_ILL_DEFINED;
    if (failed < 0 && c->pivots) {
        failed = collapsed(c, next, e->sums.count, d);
        c->reason = failed < 0 ? CLIMB_LIMIT : CLIMB_COLLAPSED;
    }
    return failed;
}

static int climb(const struct mixtura_data *data, struct mixtura_climb *c)
{
    struct mixtura_em *e = &c->em;
    struct steps s;
    if (steps_open(&s, data, e))
        return 1;
    struct state *now = &s.kept, *next = &s.other, *swap;
    int64_t d = data->d;
    e->done = 0;
    c->reason = CLIMB_ILL_DEFINED;
    e->failed = invert(now, e->form, e->K, d);
    struct mixtura_model first = model_at(now, e);
    s.w.model = &first;
    hold(&s.w, data);
    if (e->given && e->failed < 0) {
        pass_given(&s.w, data, &first, e->given, &e->sums);
        e->failed = climb_step(c, d, now, next, s.tmp);
        if (e->failed < 0)
            swap = now, now = next, next = swap;
    }
    while (e->failed < 0) {
        struct mixtura_model model = model_at(now, e);
        pass_with(&s.w, data, &model, &e->sums);
        e->logliks[e->done++] = e->sums.loglik;
        c->reason = CLIMB_LIMIT;
        if (!isfinite(e->sums.loglik)) {
            c->reason = CLIMB_ILL_DEFINED;
            e->failed = 0;
        } else if (c->tol > 0.0 && arrived(e->logliks, e->done, c->tol)) {
            c->reason = CLIMB_CONVERGED;
            break;
        } else if (e->done > e->passes) {
            break;
        } else {
            e->failed = climb_step(c, d, now, next, s.tmp);
            if (e->failed < 0)
                swap = now, now = next, next = swap;
        }
    }
    steps_close(&s, now, e, d);
    return 0;
}

#endif
